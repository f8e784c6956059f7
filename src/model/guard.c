/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/guard.h"
#include "base/digest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_AT_ONCE 128	/* for which there is room made: more than a guard of one gateway has */

/* The rules of all chains, one chain behind the other: few allocations for many short chains. */
struct guard_blocks {
	struct guard_rule **block;
	size_t blocks;
	size_t used, room;		/* of the last one */
};

static int compare_prefixes(const void *a, const void *b)
{
	const struct prefix *one = a, *other = b;

	return memcmp(one->address.bytes, other->address.bytes, sizeof(one->address.bytes));
}

void guard_add_set(struct guard *guard, const char *name, uint8_t family, const struct prefix *prefix, size_t prefixes)
{
	struct guard_set set = {
		.name = name, .kind = family == AF_UNSPEC ? SET_FLOWS : SET_PREFIXES, .family = family,
		.prefix = allocate(prefixes, sizeof(*prefix)), .prefixes = prefixes,
	};

	if (prefixes) {
		memcpy(set.prefix, prefix, prefixes * sizeof(*prefix));
		qsort(set.prefix, prefixes, sizeof(*prefix), compare_prefixes);
	}
	guard->set = make_room_for_one(guard->set, guard->sets, sizeof(*guard->set));
	guard->set[guard->sets++] = set;
}

struct guard_set *guard_add_elements(struct guard *guard, const char *name, enum guard_set_kind kind, uint8_t family)
{
	guard->set = make_room_for_one(guard->set, guard->sets, sizeof(*guard->set));
	guard->set[guard->sets] = (struct guard_set){ .name = name, .kind = kind, .family = family };
	return &guard->set[guard->sets++];
}

struct guard_element *guard_add_element(struct guard_set *set, const char *chain)
{
	struct guard_element *element;

	set->element = make_room_for_one(set->element, set->elements, sizeof(*set->element));
	element = &set->element[set->elements++];
	*element = (struct guard_element){ 0 };
	memcpy(element->chain, chain, strnlen(chain, sizeof(element->chain) - 1));
	return element;
}

static int compare_keys(const void *a, const void *b)
{
	const struct guard_element *one = a, *other = b;

	return memcmp(one->key, other->key, sizeof(one->key));
}

void guard_sort_elements(struct guard_set *set)
{
	if (set->elements)
		qsort(set->element, set->elements, sizeof(*set->element), compare_keys);
}

void guard_session_key(uint8_t key[GUARD_KEY], const char *device, const struct address *address)
{
	memset(key, 0, GUARD_KEY);
	memcpy(key, device, strnlen(device, IFNAMSIZ - 1));
	memcpy(key + IFNAMSIZ, address->bytes, address_size(address->family));
}

static struct address session_address(const struct guard_set *map, const uint8_t key[GUARD_KEY])
{
	struct address address = { .family = map->family };

	memcpy(address.bytes, key + IFNAMSIZ, address_size(map->family));
	return address;
}

void guard_mark_key(uint8_t key[GUARD_KEY], uint32_t mark)
{
	memset(key, 0, GUARD_KEY);
	memcpy(key, &mark, sizeof(mark));
}

bool guard_set_is_map(const struct guard_set *set)
{
	return set->kind == MAP_SESSIONS || set->kind == MAP_MARKS;
}

const struct guard_device *guard_find_device(const struct guard_device *device, size_t devices, const char *name)
{
	for (size_t i = 0; i < devices; i++)
		if (strcmp(device[i].name, name) == 0)
			return &device[i];
	return NULL;
}

void guard_add_device(struct guard *guard, const char *name, bool optional)
{
	struct guard_fast *fast = &guard->fast;
	struct guard_device *device;

	if (guard_find_device(fast->device, fast->devices, name))
		return;
	fast->device = make_room_for_one(fast->device, fast->devices, sizeof(*fast->device));
	device = &fast->device[fast->devices++];
	*device = (struct guard_device){ .optional = optional };
	memcpy(device->name, name, strnlen(name, IFNAMSIZ - 1));
}

struct guard_chain *guard_add_chain(struct guard *guard, const struct guard_chain *chain)
{
	if (!guard->blocks)
		guard->blocks = allocate(1, sizeof(*guard->blocks));
	guard->chain = make_room_for_one(guard->chain, guard->chains, sizeof(*guard->chain));
	guard->chain[guard->chains] = *chain;
	guard->chain[guard->chains].blocks = guard->blocks;
	return &guard->chain[guard->chains++];
}

/* Another block, to which the rules of the chain are moved, since they stay together. */
static void add_block(struct guard_chain *chain)
{
	struct guard_blocks *blocks = chain->blocks;
	size_t room = chain->rules < RULES_AT_ONCE ? RULES_AT_ONCE : 2 * chain->rules;
	struct guard_rule *block = reallocate(NULL, room, sizeof(*block));

	if (chain->rules)
		memcpy(block, chain->rule, chain->rules * sizeof(*block));
	blocks->block = make_room_for_one(blocks->block, blocks->blocks, sizeof(struct guard_rule *));
	blocks->block[blocks->blocks++] = block;
	blocks->used = chain->rules;
	blocks->room = room;
	chain->rule = block;
}

struct guard_rule *guard_add_rule(struct guard_chain *chain)
{
	struct guard_blocks *blocks = chain->blocks;

	if (blocks->used == blocks->room)
		add_block(chain);
	else if (chain->rules == 0)
		chain->rule = &blocks->block[blocks->blocks - 1][blocks->used];
	blocks->used++;
	memset(&chain->rule[chain->rules], 0, sizeof(*chain->rule));
	return &chain->rule[chain->rules++];
}

struct guard_match *guard_add_match(struct guard_rule *rule, enum guard_match_kind kind)
{
	if (rule->matches == GUARD_MATCHES)
		abort();	/* more than wanted_guard.c ever makes of a configuration */
	rule->match[rule->matches].kind = kind;
	return &rule->match[rule->matches++];
}

const char *guard_keep(struct guard *guard, const char *format, ...)
{
	struct lines *kept = &guard->kept;
	struct text text = { 0 };
	va_list args;

	va_start(args, format);
	text_add_formatted(&text, format, args);
	va_end(args);
	kept->line = make_room_for_one(kept->line, kept->count, sizeof(*kept->line));
	return kept->line[kept->count++] = text.data;
}

const char *guard_comment(const struct guard_rule *rule, char comment[GUARD_COMMENT])
{
	size_t length = 0;

	for (int i = 0; i < GUARD_COMMENT_PARTS && rule->comment[i]; i++) {
		size_t part = strnlen(rule->comment[i], GUARD_COMMENT - 1 - length);

		memcpy(comment + length, rule->comment[i], part);
		length += part;
	}
	comment[length] = '\0';
	return comment;
}

bool guard_comment_is(const struct guard_rule *rule, const char *comment)
{
	char own[GUARD_COMMENT];

	return strcmp(guard_comment(rule, own), comment) == 0;
}

static const char *nft_family(uint8_t family)
{
	return family == AF_INET ? "ip" : "ip6";
}

static void add_hex(struct text *text, const uint8_t *bytes, unsigned int count)
{
	unsigned int i = 0;

	while (i + 1 < count && bytes[i] == 0)
		i++;
	text_add(text, "%x", bytes[i]);
	while (++i < count)
		text_add(text, "%02x", bytes[i]);
}

/* @th,192,24 0xa1400: bits from the transport header, as nft(8) prints them, without leading zeros */
static void add_quoted_daddr(struct text *text, const struct guard_match *match)
{
	const struct prefix *prefix = &match->prefix;
	unsigned int size = address_size(prefix->address.family), length = prefix->length % 8 ? size : prefix->length / 8;
	unsigned int offset = prefix->address.family == AF_INET ? IPV4_DADDR_OFFSET : IPV6_DADDR_OFFSET;
	struct address ones = prefix_ones(prefix->address.family, prefix->length);

	text_add(text, "@th,%u,%u ", (ICMP_QUOTE_OFFSET + offset) * 8, length * 8);
	if (prefix->length % 8) {
		text_add(text, "& 0x");
		add_hex(text, ones.bytes, length);
		text_add(text, " == ");
	}
	text_add(text, "%s0x", match->negated ? "!= " : "");
	add_hex(text, prefix->address.bytes, length);
	text_add(text, " ");
}

static void add_icmp(struct text *text, const struct guard_match *match)
{
	const char *name = match->icmp.family == AF_INET ? "icmp" : "icmpv6";

	text_add(text, "%s type %u ", name, match->icmp.type);
	if (match->kind == MATCH_ICMP_CODE)
		text_add(text, "%s code %u ", name, match->icmp.code);
}

/* @th,136,8 != 17 */
static void add_quoted_protocol(struct text *text, const struct guard_match *match)
{
	unsigned int offset = match->quoted.family == AF_INET ? IPV4_PROTOCOL_OFFSET : IPV6_NEXT_HEADER_OFFSET;

	text_add(text, "@th,%u,8 %s0x%x ", (ICMP_QUOTE_OFFSET + offset) * 8, match->negated ? "!= " : "",
		 match->quoted.protocol);
}

/* ct state established,related: by the bits of CT_INVALID and so on */
static void add_ct_states(struct text *text, const struct guard_match *match)
{
	static const struct { uint32_t bit; const char *name; } states[] = {
		{ CT_INVALID, "invalid" }, { CT_ESTABLISHED, "established" }, { CT_RELATED, "related" }, { CT_NEW, "new" },
		{ CT_UNTRACKED, "untracked" },
	};
	const char *comma = "";

	text_add(text, "ct state %s", match->negated ? "!= " : "");
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (!(match->ct_states & states[i].bit))
			continue;
		text_add(text, "%s%s", comma, states[i].name);
		comma = ",";
	}
	text_add(text, " ");
}

/* As nft(8) writes it: a single address without its length. */
static void add_prefix(struct text *text, const struct prefix *prefix)
{
	char buffer[PREFIX_TEXT];

	text_add_string(text, prefix->length == address_size(prefix->address.family) * 8 ?
			address_text(&prefix->address, buffer) : prefix_text(prefix, buffer));
}

/* The names of nft(8) in front of `meta l4proto`. */
static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_UDPLITE:
		return "udplite";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_DCCP:
		return "dccp";
	case IPPROTO_ICMP:
		return "icmp";
	default:
		return "ipv6-icmp";
	}
}

static void match_add_text(struct text *text, const struct guard_match *match)
{
	const char *not = match->negated ? "!= " : "";
	char buffer[ADDRESS_TEXT];

	switch (match->kind) {
	case MATCH_IIFNAME:
	case MATCH_OIFNAME:
		text_add(text, "%sifname %s\"%s\" ", match->kind == MATCH_IIFNAME ? "i" : "o", not,
			 interface_pattern_text(&match->interface, buffer));
		break;
	case MATCH_IIFNAME_IN:
		text_add(text, "iifname %s@%s ", not, match->set.name);
		break;
	case MATCH_FAMILY:
		text_add(text, "meta nfproto %s%s ", not, match->family == AF_INET ? "ipv4" : "ipv6");
		break;
	case MATCH_SADDR_IN:
	case MATCH_DADDR_IN:
	case MATCH_FLOW_SADDR_IN:
		text_add(text, "%s%s %s %s@%s ", match->kind == MATCH_FLOW_SADDR_IN ? "ct original " : "",
			 nft_family(match->set.family), match->kind == MATCH_DADDR_IN ? "daddr" : "saddr", not, match->set.name);
		break;
	case MATCH_SADDR:
	case MATCH_DADDR:
		text_add(text, "%s %s %s", nft_family(match->prefix.address.family), match->kind == MATCH_SADDR ? "saddr" : "daddr",
			 not);
		add_prefix(text, &match->prefix);
		text_add_string(text, " ");
		break;
	case MATCH_NEXTHOP:
		text_add(text, "rt %s nexthop %s%s ", nft_family(match->nexthop.family), not,
			 address_text(&match->nexthop, buffer));
		break;
	case MATCH_NO_WAY_BACK:
		text_add(text, "fib saddr . iif oif missing ");
		break;
	case MATCH_CT_STATE:
		add_ct_states(text, match);
		break;
	case MATCH_FIRST:
		text_add(text, "ct status ! confirmed ");
		break;
	case MATCH_IP_OPTIONS:
		text_add(text, "ip hdrlength > 5 ");
		break;
	case MATCH_ICMP_ERROR:
		text_add(text, match->family == AF_INET ? "icmp type != echo-reply icmp type != echo-request " :
							  "icmpv6 type < echo-request ");
		break;
	case MATCH_QUOTED_DADDR:
		add_quoted_daddr(text, match);
		break;
	case MATCH_ICMP_CODE:
	case MATCH_ICMP_TYPE:
		add_icmp(text, match);
		break;
	case MATCH_QUOTED_PROTOCOL:
		add_quoted_protocol(text, match);
		break;
	case MATCH_L4PROTO:
		text_add(text, "meta l4proto %s%s ", not, protocol_name(match->protocol));
		break;
	case MATCH_DPORT:
		text_add(text, "%s dport %s%u ", match->protocol == IPPROTO_TCP ? "tcp" : "udp", not, match->port);
		break;
	case MATCH_SOCKET:
		text_add(text, "socket transparent <= 1 ");
		break;
	case MATCH_QUOTED_HOPBYHOP:
		text_add(text, "icmpv6 type parameter-problem @th,%u,8 0x0 ",
			 (ICMP_QUOTE_OFFSET + IPV6_NEXT_HEADER_OFFSET) * 8);
		break;
	case MATCH_MARK:
	case MATCH_CT_MARK:
		text_add(text, "%s mark & 0x%08x %s 0x%08x ", match->kind == MATCH_MARK ? "meta" : "ct", match->mark.mask,
			 match->negated ? "!=" : "==", match->mark.value);
		break;
	case MATCH_IPSEC:
		text_add(text, "rt ipsec %s ", match->negated ? "missing" : "exists");
		break;
	case MATCH_REPLY:
		text_add(text, "ct direction %s ", match->negated ? "original" : "reply");
		break;
	case MATCH_FLOWS_OVER:
		text_add(text, "add @" GUARD_FLOWS_SET " { iif ct count over %u } ", match->flows);
		break;
	}
}

/* meta mark set meta mark & 0x00ffffff | 0x02000000 */
static void add_mark_set(struct text *text, const char *of, const struct mark_bits *mark)
{
	text_add(text, "%s mark set %s mark ", of, of);
	if (mark->value != mark->mask)
		text_add(text, "& 0x%08x ", ~mark->mask);
	text_add(text, "| 0x%08x", mark->value);
}

static void add_subject(struct text *text, const struct guard_rule *rule)
{
	struct address mask = prefix_ones(rule->map.family, rule->map.length);
	char buffer[ADDRESS_TEXT];

	switch (rule->map.subject) {
	case SUBJECT_SESSION:
		text_add(text, "iifname . %s saddr", nft_family(rule->map.family));
		if (rule->map.length)
			text_add(text, " & %s", address_text(&mask, buffer));
		break;
	case SUBJECT_MARK:
		text_add(text, "meta mark & 0x%08x", rule->mark.mask);
		break;
	case SUBJECT_CT_MARK:
		text_add(text, "ct mark & 0x%08x", rule->mark.mask);
		break;
	}
}

void guard_rule_add_text(struct text *text, const struct guard_rule *rule)
{
	for (unsigned int i = 0; i < rule->matches; i++)
		match_add_text(text, &rule->match[i]);
	if (rule->counter)
		text_add(text, "counter ");
	switch (rule->verdict) {
	case VERDICT_ACCEPT:
		text_add(text, "accept");
		break;
	case VERDICT_DROP:
		text_add(text, "drop");
		break;
	case VERDICT_GOTO:
		text_add(text, "goto %s", rule->chain);
		break;
	case VERDICT_JUMP:
		text_add(text, "jump %s", rule->chain);
		break;
	case VERDICT_REJECT:
		text_add(text, "reject with icmp%s admin-prohibited", rule->reject_family == AF_INET ? "" :
			 rule->reject_family == AF_INET6 ? "v6" : "x");
		break;
	case VERDICT_MASQUERADE:
		text_add(text, "masquerade");
		if (rule->ports.last)
			text_add(text, " to :%u-%u", rule->ports.first, rule->ports.last);
		break;
	case VERDICT_MARK:
	case VERDICT_CT_MARK:
		add_mark_set(text, rule->verdict == VERDICT_MARK ? "meta" : "ct", &rule->mark);
		break;
	case VERDICT_MAP:
		add_subject(text, rule);
		text_add(text, " vmap @%s", rule->map.name);
		break;
	case VERDICT_FLOW:
		text_add_string(text, "flow add @" GUARD_FAST_TABLE);
		break;
	}
	text_add_string(text, " comment \"");
	for (int i = 0; i < GUARD_COMMENT_PARTS && rule->comment[i]; i++)
		text_add_string(text, rule->comment[i]);
	text_add_string(text, "\"");
}

void guard_add_key_text(struct text *text, const struct guard_set *set, const uint8_t key[GUARD_KEY])
{
	struct address address;
	char buffer[ADDRESS_TEXT];
	uint32_t mark;

	memcpy(&mark, key, sizeof(mark));
	if (set->kind == MAP_MARKS) {
		text_add(text, "0x%08x", mark);
		return;
	}
	text_add(text, "\"%.*s\"", IFNAMSIZ, (const char *)key);
	if (set->kind != MAP_SESSIONS)
		return;
	address = session_address(set, key);
	text_add(text, " . %s", address_text(&address, buffer));
}

static bool is_element_there(const struct guard_set *set, size_t i)
{
	return i < set->prefixes || set->kind == SET_INTERFACES || set->element[i].chain[0];
}

static void add_element(struct text *text, const struct guard_set *set, size_t i)
{
	if (set->kind == SET_PREFIXES) {
		add_prefix(text, &set->prefix[i]);
		return;
	}
	guard_add_key_text(text, set, set->element[i].key);
	if (set->element[i].chain[0])
		text_add(text, " : goto %s", set->element[i].chain);
}

/* elements = { 10.20.0.0/24, 10.30.0.0/24 }, broken into lines where nft(8) breaks them */
static void add_elements(struct text *text, const struct guard_set *set)
{
	bool two_a_line = set->kind == SET_PREFIXES && set->family == AF_INET;
	const char *separator = "\t\telements = { ";

	for (size_t i = 0; i < set->prefixes + set->elements; i++) {
		if (!is_element_there(set, i))
			continue;
		text_add_string(text, separator);
		add_element(text, set, i);
		separator = i % 2 || !two_a_line ? ",\n\t\t\t     " : ", ";
	}
	if (*separator != '\t')
		text_add_string(text, " }\n");
}

static void add_set(struct text *text, const struct guard_set *set)
{
	text_add(text, "\t%s %s {\n", guard_set_is_map(set) ? "map" : "set", set->name);
	switch (set->kind) {
	case SET_FLOWS:
		text_add(text, "\t\ttype iface_index\n\t\tsize %d\n\t\tflags dynamic\n", GUARD_FLOWS_SIZE);
		break;
	case SET_PREFIXES:
		text_add(text, "\t\ttype ipv%c_addr\n\t\tflags interval\n", set->family == AF_INET ? '4' : '6');
		break;
	case SET_INTERFACES:
		text_add_string(text, "\t\ttype ifname\n");
		break;
	case MAP_SESSIONS:
		text_add(text, "\t\ttype ifname . ipv%c_addr : verdict\n", set->family == AF_INET ? '4' : '6');
		break;
	case MAP_MARKS:
		text_add(text, "\t\ttype mark : verdict\n\t\tsize %d\n", GUARD_MARKS_SIZE);
		break;
	}
	add_elements(text, set);
	text_add_string(text, "\t}\n\n");
}

static void add_fast(struct text *text, const struct guard_fast *fast)
{
	const char *separator = "\t\tdevices = { ";

	if (!fast->on)
		return;
	text_add_string(text, "\tflowtable " GUARD_FAST_TABLE " {\n\t\thook ingress priority filter\n");
	for (size_t i = 0; i < fast->devices; i++) {
		if (fast->device[i].optional)
			continue;
		text_add(text, "%s\"%s\"", separator, fast->device[i].name);
		separator = ", ";
	}
	text_add(text, "%s\t}\n\n", *separator == '\t' ? "" : " }\n");
}

void guard_add_text(struct text *text, const struct guard *guard)
{
	text_add(text, "table inet %s {\n", guard->table);
	for (size_t i = 0; i < guard->sets; i++)
		add_set(text, &guard->set[i]);
	add_fast(text, &guard->fast);
	for (size_t i = 0; i < guard->chains; i++) {
		const struct guard_chain *chain = &guard->chain[i];

		text_add(text, "%s\tchain %s {\n", i ? "\n" : "", chain->name);
		if (chain->type)
			text_add(text, "\t\ttype %s hook %s priority %s; policy accept;\n", chain->type,
				 chain->hook_text, chain->priority_text);
		for (size_t j = 0; j < chain->rules; j++) {
			text_add(text, "\t\t");
			guard_rule_add_text(text, &chain->rule[j]);
			text_add(text, "\n");
		}
		text_add(text, "\t}\n");
	}
	text_add(text, "}\n");
}

/* What its comment says follows from the rest. */
static void digest_rule(uint64_t *digest, const struct guard_rule *rule)
{
	const uint16_t what[8] = {
		(uint16_t)rule->verdict, rule->counter, rule->reject_family, (uint16_t)rule->matches, rule->ports.first,
		rule->ports.last,
	};

	digest_add(digest, what, sizeof(what));
	if (rule->mark.mask)
		digest_add(digest, &rule->mark, sizeof(rule->mark));
	if (rule->verdict == VERDICT_MAP) {
		digest_add_string(digest, rule->map.name);
		digest_add(digest, &rule->map.subject, sizeof(rule->map.subject));
		digest_add(digest, &rule->map.family, sizeof(rule->map.family));
		digest_add(digest, &rule->map.length, sizeof(rule->map.length));
	}
	/* All bytes of a match: those that its kind does not use are zero. */
	digest_add(digest, rule->match, rule->matches * sizeof(*rule->match));
	if (rule->chain)
		digest_add_string(digest, rule->chain);
}

static void digest_chain(uint64_t *digest, const struct guard_chain *chain)
{
	digest_add_string(digest, chain->name);
	digest_add_string(digest, chain->type);
	digest_add(digest, &chain->hook, sizeof(chain->hook));
	digest_add(digest, &chain->priority, sizeof(chain->priority));
	digest_add(digest, &chain->rules, sizeof(chain->rules));
	for (size_t i = 0; i < chain->rules; i++)
		digest_rule(digest, &chain->rule[i]);
}

static void digest_set(uint64_t *digest, const struct guard_set *set)
{
	digest_add_string(digest, set->name);
	digest_add(digest, &set->family, sizeof(set->family));
	digest_add(digest, &set->kind, sizeof(set->kind));
	digest_add(digest, set->prefix, set->prefixes * sizeof(*set->prefix));
	if (set->kind != MAP_SESSIONS)
		digest_add(digest, set->element, set->elements * sizeof(*set->element));
}

uint64_t guard_digest(const struct guard *guard)
{
	uint64_t digest = DIGEST_NOTHING;

	digest_add_string(&digest, guard->table);
	for (size_t i = 0; i < guard->sets; i++)
		digest_set(&digest, &guard->set[i]);
	digest_add(&digest, &guard->fast.on, sizeof(guard->fast.on));
	digest_add(&digest, &guard->chains, sizeof(guard->chains));
	for (size_t i = 0; i < guard->chains; i++)
		digest_chain(&digest, &guard->chain[i]);
	return digest;
}

void guard_free(struct guard *guard)
{
	for (size_t i = 0; i < guard->chains; i++)
		for (size_t j = 0; j < guard->chain[i].rules; j++)
			text_free(&guard->chain[i].rule[j].code);
	for (size_t i = 0; guard->blocks && i < guard->blocks->blocks; i++)
		free(guard->blocks->block[i]);
	if (guard->blocks)
		free(guard->blocks->block);
	free(guard->blocks);
	for (size_t i = 0; i < guard->sets; i++) {
		free(guard->set[i].prefix);
		free(guard->set[i].element);
	}
	free(guard->chain);
	free(guard->set);
	free(guard->fast.device);
	lines_free(&guard->kept);
	*guard = (struct guard){ 0 };
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fate.h"

#include <libnftnl/expr.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define JUMPS_MAX 16	/* NFT_JUMP_STACK_SIZE of the kernel */
#define REGISTER_BYTES 64
#define IPV4_SADDR_OFFSET 12U
#define IPV6_SADDR_OFFSET 8U

enum truth { NO, MAYBE, YES };

/* One rule on this way. */
struct visit {
	struct walk *walk;
	uint64_t handle;
	enum truth matches;
	unsigned int fate;
	struct { uint8_t value; bool known; } byte[REGISTER_BYTES];
};

/* NFT_REG_1 to 4 are 16 bytes each, the 32-bit ones share their room. */
static size_t register_offset(uint32_t number)
{
	if (number >= NFT_REG32_00)
		return (number - NFT_REG32_00) * sizeof(uint32_t);
	return number >= NFT_REG_1 ? (number - NFT_REG_1) * 16 : REGISTER_BYTES;
}

/* @data: NULL where it is not known; what is behind is not known either */
static void load(struct visit *visit, uint32_t number, const void *data, size_t length)
{
	size_t offset = register_offset(number);

	for (size_t i = 0; offset + i < REGISTER_BYTES && i < 16; i++) {
		visit->byte[offset + i].known = data && i < length;
		visit->byte[offset + i].value = data && i < length ? ((const uint8_t *)data)[i] : 0;
	}
}

static bool is_known(const struct visit *visit, uint32_t number, size_t length)
{
	size_t offset = register_offset(number);

	for (size_t i = 0; i < length; i++)
		if (offset + i >= REGISTER_BYTES || !visit->byte[offset + i].known)
			return false;
	return true;
}

static int compare_register(const struct visit *visit, uint32_t number, const uint8_t *data, size_t length)
{
	size_t offset = register_offset(number);

	for (size_t i = 0; i < length; i++)
		if (visit->byte[offset + i].value != data[i])
			return visit->byte[offset + i].value - data[i];
	return 0;
}

/* Expressions that load a register */

static void load_interface(struct visit *visit, uint32_t number, const char *name, bool index)
{
	char padded[IFNAMSIZ] = "";
	uint32_t value = if_nametoindex(name);

	if (!value)
		value = UINT32_MAX;	/* one that no interface has */
	snprintf(padded, sizeof(padded), "%s", name);
	if (index)
		load(visit, number, name[0] ? &value : NULL, sizeof(value));
	else
		load(visit, number, name[0] ? padded : NULL, sizeof(padded));
}

static void load_meta(struct visit *visit, const struct nftnl_expr *expression)
{
	const struct packet *packet = visit->walk->packet;
	uint32_t number = nftnl_expr_get_u32(expression, NFTNL_EXPR_META_DREG);
	uint8_t family = packet->family == IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	uint16_t protocol = htons(packet->family == IPV4 ? ETH_P_IP : ETH_P_IPV6);

	switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_META_KEY)) {
	case NFT_META_IIFNAME:
		return load_interface(visit, number, packet->incoming, false);
	case NFT_META_OIFNAME:
		return load_interface(visit, number, packet->outgoing, false);
	case NFT_META_IIF:
		return load_interface(visit, number, packet->incoming, true);
	case NFT_META_OIF:
		return load_interface(visit, number, packet->outgoing, true);
	case NFT_META_NFPROTO:
		return load(visit, number, &family, sizeof(family));
	case NFT_META_PROTOCOL:
		return load(visit, number, &protocol, sizeof(protocol));
	default:
		return load(visit, number, NULL, 0);
	}
}

/* Which of the packet's addresses is at @offset of its header, @length bytes of it; NULL where none, or an open one. */
static const uint8_t *address_at(const struct packet *packet, uint32_t offset, uint32_t length)
{
	uint32_t size = packet->family == IPV4 ? 4 : 16;
	uint32_t start = packet->family == IPV4 ? IPV4_SADDR_OFFSET : IPV6_SADDR_OFFSET;
	const struct address *address = offset < start + size ? &packet->source : &packet->destination;

	if (address == &packet->destination)
		start += size;
	if (address->family == AF_UNSPEC || offset < start || offset + length > start + size)
		return NULL;
	return address->bytes + (offset - start);
}

/* A payload expression loads a register, or changes the packet: what the rule comes to then. */
static unsigned int take_payload(struct visit *visit, const struct nftnl_expr *expression)
{
	const struct packet *packet = visit->walk->packet;
	bool network = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_BASE) == NFT_PAYLOAD_NETWORK_HEADER;
	uint32_t offset = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t length = nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_LEN);

	if (nftnl_expr_is_set(expression, NFTNL_EXPR_PAYLOAD_SREG)) {
		bool address = offset + length > (packet->family == IPV4 ? IPV4_SADDR_OFFSET : IPV6_SADDR_OFFSET);

		return network && address ? REWRITTEN : 0;
	}
	load(visit, nftnl_expr_get_u32(expression, NFTNL_EXPR_PAYLOAD_DREG),
	     network ? address_at(packet, offset, length) : NULL, length);
	return 0;
}

static void load_conntrack(struct visit *visit, const struct nftnl_expr *expression)
{
	bool state = nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_KEY) == NFT_CT_STATE;

	if (!nftnl_expr_is_set(expression, NFTNL_EXPR_CT_SREG))
		load(visit, nftnl_expr_get_u32(expression, NFTNL_EXPR_CT_DREG),
		     state ? &visit->walk->packet->ct_state : NULL, sizeof(uint32_t));
}

/* Neither clients nor the internet are this host. */
static void load_fib(struct visit *visit, const struct nftnl_expr *expression)
{
	const uint32_t unicast = RTN_UNICAST;
	uint32_t flags = nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_FLAGS);
	const struct packet *packet = visit->walk->packet;
	bool known = (flags & NFTA_FIB_F_DADDR ? packet->destination : packet->source).family != AF_UNSPEC;
	bool type = nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_RESULT) == NFT_FIB_RESULT_ADDRTYPE;

	load(visit, nftnl_expr_get_u32(expression, NFTNL_EXPR_FIB_DREG), type && known ? &unicast : NULL, sizeof(unicast));
}

static void take_bitwise(struct visit *visit, const struct nftnl_expr *expression)
{
	uint32_t source = nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_SREG);
	uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_DREG), masks, flips;
	size_t offset = register_offset(source), length = nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_LEN);
	const uint8_t *mask = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_MASK, &masks);
	const uint8_t *flip = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_XOR, &flips);
	uint8_t value[16];

	if (nftnl_expr_get_u32(expression, NFTNL_EXPR_BITWISE_OP) != NFT_BITWISE_BOOL || length > sizeof(value) || !mask ||
	    !flip || masks != length || flips != length || !is_known(visit, source, length))
		return load(visit, target, NULL, 0);
	for (size_t i = 0; i < length; i++)
		value[i] = (visit->byte[offset + i].value & mask[i]) ^ flip[i];
	load(visit, target, value, length);
}

/* Expressions that match */

static enum truth match_cmp(const struct visit *visit, const struct nftnl_expr *expression)
{
	uint32_t number = nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_SREG), length = 0;
	const uint8_t *data = nftnl_expr_get(expression, NFTNL_EXPR_CMP_DATA, &length);
	int order;

	if (!data || !is_known(visit, number, length))
		return MAYBE;
	order = compare_register(visit, number, data, length);
	switch (nftnl_expr_get_u32(expression, NFTNL_EXPR_CMP_OP)) {
	case NFT_CMP_EQ:
		return order == 0 ? YES : NO;
	case NFT_CMP_NEQ:
		return order != 0 ? YES : NO;
	default:
		return MAYBE;
	}
}

static unsigned int follow(struct visit *visit, uint32_t verdict, const char *chain)
{
	unsigned int fate;

	switch ((int)verdict) {
	case NF_ACCEPT:
		return ACCEPTED;
	case NF_DROP:
		return DROPPED;
	case NFT_RETURN:
		return RETURNS;
	case NFT_JUMP:
		return chain ? fate_in_chain(visit->walk, chain) : GOES_ON;
	case NFT_GOTO:
		fate = chain ? fate_in_chain(visit->walk, chain) : GOES_ON;
		return fate & GOES_ON ? (fate & ~(unsigned int)GOES_ON) | RETURNS : fate;
	default:
		return GOES_ON;
	}
}

static const struct nftnl_set_elem *find_element(const struct visit *visit, const struct nftnl_set *set, uint32_t number,
						 bool *known)
{
	struct nftnl_set_elems_iter *iterator = nftnl_set_elems_iter_create(set);
	const struct nftnl_set_elem *element = NULL;

	if (!iterator)
		out_of_memory();
	while (*known && (element = nftnl_set_elems_iter_next(iterator))) {
		uint32_t length = 0;
		const uint8_t *key = nftnl_set_elem_get((struct nftnl_set_elem *)element, NFTNL_SET_ELEM_KEY, &length);

		*known = key && is_known(visit, number, length);
		if (*known && compare_register(visit, number, key, length) == 0)
			break;
	}
	nftnl_set_elems_iter_destroy(iterator);
	return *known ? element : NULL;
}

/* A set, a map to values, which are left open, or to verdicts. */
static enum truth match_lookup(struct visit *visit, const struct nftnl_expr *expression, unsigned int *verdict)
{
	const struct walk *walk = visit->walk;
	const struct nftnl_set *set = ruleset_find_set(walk->ruleset, walk->family, walk->table,
					       nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET));
	bool map = nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_DREG), known = set != NULL;
	uint32_t target = nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_DREG);
	const struct nftnl_set_elem *element = NULL;
	bool inverted = nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV;

	if (set)
		element = find_element(visit, set, nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_SREG), &known);
	if (map && target != NFT_REG_VERDICT)
		load(visit, target, NULL, 0);
	if (map && target == NFT_REG_VERDICT && element)
		*verdict = follow(visit, nftnl_set_elem_get_u32((struct nftnl_set_elem *)element, NFTNL_SET_ELEM_VERDICT),
				  nftnl_set_elem_get_str((struct nftnl_set_elem *)element, NFTNL_SET_ELEM_CHAIN));
	else if (map && target == NFT_REG_VERDICT)
		*verdict = ACCEPTED | DROPPED;
	if (!known)
		return MAYBE;
	return (element != NULL) != inverted ? YES : NO;
}

/* iptables' own matches and targets, which iptables-nft hands to the kernel as they are. */

static enum truth match_of_iptables(const struct nftnl_expr *expression)
{
	return strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_MT_NAME), "comment") == 0 ? YES : MAYBE;
}

static unsigned int target_of_iptables(const struct nftnl_expr *expression)
{
	static const char *const rewriting[] = { "SNAT", "DNAT", "MASQUERADE", "REDIRECT", "NETMAP" };
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_TG_NAME);

	if (strcmp(name, "REJECT") == 0)
		return DROPPED;
	for (size_t i = 0; i < sizeof(rewriting) / sizeof(*rewriting); i++)
		if (strcmp(name, rewriting[i]) == 0)
			return REWRITTEN;
	return GOES_ON;
}

/* What does nothing to the packet and holds no other register. */
static bool is_indifferent(const char *name)
{
	static const char *const names[] = { "counter", "log", "last", "notrack", "objref", "flow_offload", "dup" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void take_verdict(struct visit *visit, unsigned int verdict)
{
	visit->fate |= verdict;
	if (verdict & DROPPED && !visit->walk->dropped_by)
		visit->walk->dropped_by = visit->handle;
}

/* Returns what the rule may come to here, 0 where it goes on to its next expression. */
static unsigned int take_immediate(struct visit *visit, const struct nftnl_expr *expression)
{
	uint32_t number = nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_DREG), length = 0;
	const void *data;

	if (number == NFT_REG_VERDICT)
		return follow(visit, nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT),
			      nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN));
	data = nftnl_expr_get(expression, NFTNL_EXPR_IMM_DATA, &length);
	load(visit, number, data, length);
	return 0;
}

static int take_expression(struct nftnl_expr *expression, void *data)
{
	struct visit *visit = data;
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
	enum truth matches = YES;
	unsigned int verdict = 0;

	if (strcmp(name, "meta") == 0) {
		if (!nftnl_expr_is_set(expression, NFTNL_EXPR_META_SREG))
			load_meta(visit, expression);
	} else if (strcmp(name, "payload") == 0) {
		verdict = take_payload(visit, expression);
	} else if (strcmp(name, "ct") == 0) {
		load_conntrack(visit, expression);
	} else if (strcmp(name, "fib") == 0) {
		load_fib(visit, expression);
	} else if (strcmp(name, "bitwise") == 0) {
		take_bitwise(visit, expression);
	} else if (strcmp(name, "cmp") == 0) {
		matches = match_cmp(visit, expression);
	} else if (strcmp(name, "lookup") == 0) {
		matches = match_lookup(visit, expression, &verdict);
	} else if (strcmp(name, "immediate") == 0) {
		verdict = take_immediate(visit, expression);
	} else if (strcmp(name, "reject") == 0) {
		verdict = DROPPED;
	} else if (strcmp(name, "queue") == 0) {
		verdict = ACCEPTED | DROPPED;
	} else if (strcmp(name, "nat") == 0 || strcmp(name, "masq") == 0 || strcmp(name, "redir") == 0) {
		verdict = REWRITTEN;
	} else if (strcmp(name, "target") == 0) {
		verdict = target_of_iptables(expression) & ~(unsigned int)GOES_ON;
	} else if (strcmp(name, "match") == 0) {
		matches = match_of_iptables(expression);
	} else if (!is_indifferent(name)) {
		for (uint32_t number = NFT_REG_1; number <= NFT_REG_4; number++)
			load(visit, number, NULL, 0);
		matches = MAYBE;
	}
	if (matches < visit->matches)
		visit->matches = matches;
	if (matches == NO)
		return -1;
	take_verdict(visit, verdict);
	return verdict ? -1 : 0;
}

static unsigned int run_rule(struct walk *walk, struct nftnl_rule *rule)
{
	struct visit visit = {
		.walk = walk, .matches = YES, .handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE),
	};
	const unsigned int ends = RETURNS | ACCEPTED | DROPPED | REWRITTEN;
	uint64_t dropped_by = walk->dropped_by;

	nftnl_expr_foreach(rule, take_expression, &visit);
	if (visit.matches == NO) {
		walk->dropped_by = dropped_by;
		return GOES_ON;
	}
	if (visit.fate & REWRITTEN && !walk->rewritten_by)
		walk->rewritten_by = visit.handle;
	if (visit.matches == MAYBE || !(visit.fate & ends))
		visit.fate |= GOES_ON;
	return visit.fate;
}

unsigned int fate_in_chain(struct walk *walk, const char *name)
{
	unsigned int fate = 0;
	bool ended = walk->jumps++ == JUMPS_MAX;

	for (size_t i = 0; i < walk->ruleset->rules && !ended; i++) {
		struct nftnl_rule *rule = walk->ruleset->rule[i];
		unsigned int now;

		if (nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY) != walk->family ||
		    strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), walk->table) != 0 ||
		    strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN), name) != 0)
			continue;
		now = run_rule(walk, rule);
		fate |= now & (ACCEPTED | DROPPED | REWRITTEN);
		if (now & RETURNS)
			fate |= GOES_ON;
		ended = !(now & GOES_ON);
	}
	walk->jumps--;
	return ended ? fate : fate | GOES_ON;
}


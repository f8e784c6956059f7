/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard.h"

#include <stdlib.h>

struct guard_chain *guard_add_chain(struct guard *guard, const struct guard_chain *chain)
{
	guard->chain = reallocate(guard->chain, guard->chains + 1, sizeof(*guard->chain));
	guard->chain[guard->chains] = *chain;
	return &guard->chain[guard->chains++];
}

struct guard_rule *guard_add_rule(struct guard_chain *chain)
{
	chain->rule = reallocate(chain->rule, chain->rules + 1, sizeof(*chain->rule));
	chain->rule[chain->rules] = (struct guard_rule){ 0 };
	return &chain->rule[chain->rules++];
}

struct guard_match *guard_add_match(struct guard_rule *rule, enum guard_match_kind kind)
{
	rule->match[rule->matches].kind = kind;
	return &rule->match[rule->matches++];
}

static const char *nft_family(uint8_t family)
{
	return family == AF_INET ? "ip" : "ip6";
}

static void match_add_text(struct text *text, const struct guard_match *match)
{
	const char *not = match->negated ? "!= " : "";
	uint8_t length = match->prefix.length;
	char buffer[PREFIX_TEXT];

	switch (match->kind) {
	case MATCH_IIFNAME:
	case MATCH_OIFNAME:
		text_add(text, "%sifname %s\"%s\" ", match->kind == MATCH_IIFNAME ? "i" : "o", not,
			 interface_pattern_text(&match->interface, buffer));
		break;
	case MATCH_FAMILY:
		text_add(text, "meta nfproto %s%s ", not, match->family == AF_INET ? "ipv4" : "ipv6");
		break;
	case MATCH_SADDR:
	case MATCH_DADDR:
		if (length == address_size(match->prefix.address.family) * 8)
			address_text(&match->prefix.address, buffer);
		else
			prefix_text(&match->prefix, buffer);
		text_add(text, "%s %s %s%s ", nft_family(match->prefix.address.family),
			 match->kind == MATCH_SADDR ? "saddr" : "daddr", not, buffer);
		break;
	case MATCH_NEXTHOP:
		text_add(text, "rt %s nexthop %s%s ", nft_family(match->nexthop.family), not,
			 address_text(&match->nexthop, buffer));
		break;
	case MATCH_ESTABLISHED:
		text_add(text, "ct state %sestablished,related ", not);
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
	case VERDICT_REJECT:
		text_add(text, "reject with icmp%s admin-prohibited", rule->reject_family == AF_INET ? "" : "v6");
		break;
	case VERDICT_MASQUERADE:
		text_add(text, "masquerade");
		break;
	}
	text_add(text, " comment \"%s\"", rule->comment);
}

void guard_add_text(struct text *text, const struct guard *guard)
{
	text_add(text, "table inet %s {\n", guard->table);
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

void guard_free(struct guard *guard)
{
	for (size_t i = 0; i < guard->chains; i++) {
		for (size_t j = 0; j < guard->chain[i].rules; j++)
			free(guard->chain[i].rule[j].bytecode);
		free(guard->chain[i].rule);
	}
	free(guard->chain);
	*guard = (struct guard){ 0 };
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

/* libnftnl reads the names of expressions without looking whether they are there. */

/* Of an attribute that stands there twice it would read the other one. The kernel writes each once. */
static bool has_twice(const struct nlattr *nest)
{
	const struct nlattr *attribute;
	uint64_t seen = 0;

	mnl_attr_for_each_nested(attribute, nest) {
		uint64_t bit = 1ULL << (mnl_attr_get_type(attribute) & 63);

		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

static const char *name_of(const struct nlattr *expression)
{
	const struct nlattr *name = has_twice(expression) ? NULL : netlink_find_nested(expression, NFTA_EXPR_NAME);

	return name && mnl_attr_validate(name, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(name) : NULL;
}

/* One that is within another: none of these holds further ones. */
static bool is_inner(const struct nlattr *expression)
{
	const char *name = name_of(expression);

	return name && strcmp(name, "dynset") != 0;
}

static bool are_inner(const struct nlattr *list)
{
	const struct nlattr *expression;

	mnl_attr_for_each_nested(expression, list)
		if (!is_inner(expression))
			return false;
	return true;
}

/* A value; of a verdict that leads to a chain libnftnl takes the name without looking, too. */
static bool is_whole(const struct nlattr *value)
{
	const struct nlattr *verdict = netlink_find_nested(value, NFTA_DATA_VERDICT), *code, *chain;
	uint32_t number;

	if (!verdict)
		return true;
	code = netlink_find_nested(verdict, NFTA_VERDICT_CODE);
	chain = netlink_find_nested(verdict, NFTA_VERDICT_CHAIN);
	if (has_twice(value) || has_twice(verdict) || !code || mnl_attr_get_payload_len(code) != sizeof(number))
		return false;
	number = ntohl(mnl_attr_get_u32(code));
	return (number != (uint32_t)NFT_JUMP && number != (uint32_t)NFT_GOTO) ||
	       (chain && mnl_attr_validate(chain, MNL_TYPE_NUL_STRING) == 0);
}

static bool are_whole(const struct nlattr *values)
{
	const struct nlattr *value;

	mnl_attr_for_each_nested(value, values)
		if (!is_whole(value))
			return false;
	return true;
}

static bool holds_values(const char *name)
{
	return strcmp(name, "immediate") == 0 || strcmp(name, "cmp") == 0 || strcmp(name, "bitwise") == 0 ||
	       strcmp(name, "range") == 0;
}

static bool is_named(const struct nlattr *expression)
{
	const struct nlattr *data = netlink_find_nested(expression, NFTA_EXPR_DATA), *one, *many;
	const char *name = name_of(expression);

	if (name && data && holds_values(name))
		return !has_twice(data) && are_whole(data);
	if (!name || !data || strcmp(name, "dynset") != 0)
		return name != NULL;
	if (has_twice(data))
		return false;
	one = netlink_find_nested(data, NFTA_DYNSET_EXPR);
	many = netlink_find_nested(data, NFTA_DYNSET_EXPRESSIONS);
	return (!one || is_inner(one)) && (!many || are_inner(many));
}

static bool are_named(const struct nlattr *list)
{
	const struct nlattr *expression;

	mnl_attr_for_each_nested(expression, list)
		if (!is_named(expression))
			return false;
	return true;
}

/* Of a rule or set: the attribute @one holds an expression, @many a list of them. */
static bool all_named(const struct nlmsghdr *message, uint16_t one, uint16_t many)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if ((mnl_attr_get_type(attribute) == one && !is_named(attribute)) ||
		    (mnl_attr_get_type(attribute) == many && !are_named(attribute)))
			return false;
	return true;
}

static bool elements_are_named(const struct nlmsghdr *message)
{
	const struct nlattr *attribute, *element, *inner;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(element, attribute) {
			if (has_twice(element) || !are_whole(element))
				return false;
			inner = netlink_find_nested(element, NFTA_SET_ELEM_EXPR);
			if (inner && !is_inner(inner))
				return false;
			inner = netlink_find_nested(element, NFTA_SET_ELEM_EXPRESSIONS);
			if (inner && !are_inner(inner))
				return false;
		}
	}
	return true;
}

static int take_table(const struct nlmsghdr *message, struct ruleset *ruleset)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table)
		out_of_memory();
	ruleset->table = make_room_for_one(ruleset->table, ruleset->tables, sizeof(struct nftnl_table *));
	ruleset->table[ruleset->tables++] = table;
	if (nftnl_table_nlmsg_parse(message, table) < 0 || !nftnl_table_get_str(table, NFTNL_TABLE_NAME))
		return EBADMSG;
	return 0;
}

static int take_chain(const struct nlmsghdr *message, struct ruleset *ruleset)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		out_of_memory();
	ruleset->chain = make_room_for_one(ruleset->chain, ruleset->chains, sizeof(*ruleset->chain));
	ruleset->chain[ruleset->chains++] = (struct ruleset_chain){ .chain = chain };
	if (nftnl_chain_nlmsg_parse(message, chain) < 0 || !nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE) ||
	    !nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME))
		return EBADMSG;
	return 0;
}

static int take_rule(const struct nlmsghdr *message, struct ruleset *ruleset)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		out_of_memory();
	ruleset->rule = make_room_for_one(ruleset->rule, ruleset->rules, sizeof(struct nftnl_rule *));
	ruleset->rule[ruleset->rules++] = rule;
	if (!all_named(message, NFTA_RULE_UNSPEC, NFTA_RULE_EXPRESSIONS) || nftnl_rule_nlmsg_parse(message, rule) < 0 ||
	    !nftnl_rule_get_str(rule, NFTNL_RULE_TABLE) ||
	    !nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN))
		return EBADMSG;
	return 0;
}

static int take_set(const struct nlmsghdr *message, struct ruleset *ruleset)
{
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		out_of_memory();
	ruleset->set = make_room_for_one(ruleset->set, ruleset->sets, sizeof(*ruleset->set));
	ruleset->set[ruleset->sets].filled = false;
	ruleset->set[ruleset->sets++].set = set;
	if (!all_named(message, NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS) || nftnl_set_nlmsg_parse(message, set) < 0 ||
	    !nftnl_set_get_str(set, NFTNL_SET_TABLE) ||
	    !nftnl_set_get_str(set, NFTNL_SET_NAME))
		return EBADMSG;
	return 0;
}

int ruleset_take(const struct nlmsghdr *message, void *data)
{
	switch (message->nlmsg_type & 0xff) {
	case NFT_MSG_NEWTABLE:
		return take_table(message, data);
	case NFT_MSG_NEWCHAIN:
		return take_chain(message, data);
	case NFT_MSG_NEWRULE:
		return take_rule(message, data);
	case NFT_MSG_NEWSET:
		return take_set(message, data);
	}
	return 0;
}

static bool is_dormant(const struct ruleset *ruleset, uint32_t family, const char *name)
{
	for (size_t i = 0; i < ruleset->tables; i++)
		if (nftnl_table_get_u32(ruleset->table[i], NFTNL_TABLE_FAMILY) == family &&
		    strcmp(nftnl_table_get_str(ruleset->table[i], NFTNL_TABLE_NAME), name) == 0)
			return nftnl_table_get_u32(ruleset->table[i], NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
	return false;
}

static bool is_of(const struct nftnl_rule *rule, const struct nftnl_chain *chain)
{
	return nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY) == nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) &&
	       strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN), nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME)) == 0 &&
	       strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE)) == 0;
}

/* The kernel dumps the rules of a chain one behind the other, and chains in the order in which it dumps themselves. */
bool ruleset_sort(struct ruleset *ruleset)
{
	size_t next = 0;

	for (size_t i = 0; i < ruleset->chains; i++) {
		struct ruleset_chain *chain = &ruleset->chain[i];

		chain->dormant = is_dormant(ruleset, nftnl_chain_get_u32(chain->chain, NFTNL_CHAIN_FAMILY),
					    nftnl_chain_get_str(chain->chain, NFTNL_CHAIN_TABLE));
		chain->first = next;
		while (next < ruleset->rules && is_of(ruleset->rule[next], chain->chain))
			next++;
		chain->rules = next - chain->first;
	}
	return next == ruleset->rules;
}

static int read_once(struct ruleset *ruleset, struct netlink_error *error)
{
	static const uint16_t dumps[] = { NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETSET };
	char buffer[NETLINK_MESSAGE_SIZE];

	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++) {
		struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, dumps[i], NFPROTO_UNSPEC, NLM_F_DUMP, 0);

		if (netlink_request(ruleset->nft, request, ruleset_take, ruleset, error) < 0)
			return -1;
	}
	/* Else the dumps are of different moments. */
	*error = (struct netlink_error){ .number = EINTR };
	return ruleset_sort(ruleset) ? 0 : -1;
}

void ruleset_free(struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->tables; i++)
		nftnl_table_free(ruleset->table[i]);
	for (size_t i = 0; i < ruleset->chains; i++)
		nftnl_chain_free(ruleset->chain[i].chain);
	for (size_t i = 0; i < ruleset->rules; i++)
		nftnl_rule_free(ruleset->rule[i]);
	for (size_t i = 0; i < ruleset->sets; i++)
		nftnl_set_free(ruleset->set[i].set);
	free(ruleset->table);
	free(ruleset->chain);
	free(ruleset->rule);
	free(ruleset->set);
	*ruleset = (struct ruleset){ .nft = ruleset->nft };
}

int ruleset_take_elements(const struct nlmsghdr *message, void *set)
{
	return elements_are_named(message) && nftnl_set_elems_nlmsg_parse(message, set) == 0 ? 0 : EBADMSG;
}

static bool fill_set(const struct ruleset *ruleset, size_t index)
{
	struct nftnl_set *set = ruleset->set[index].set;
	char buffer[NETLINK_MESSAGE_SIZE] = { 0 };	/* the padding of attributes too */
	struct netlink_error error;
	struct nlmsghdr *request;

	if (!ruleset->nft)
		return false;
	request = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM,
					(uint16_t)nftnl_set_get_u32(set, NFTNL_SET_FAMILY), NLM_F_DUMP, 0);
	nftnl_set_elems_nlmsg_build_payload(request, set);
	if (netlink_request(ruleset->nft, request, ruleset_take_elements, set, &error) < 0)
		return false;
	ruleset->set[index].filled = true;
	return true;
}

const struct ruleset_chain *ruleset_find_chain(const struct ruleset *ruleset, uint32_t family, const char *table,
					       const char *name)
{
	for (size_t i = 0; i < ruleset->chains; i++) {
		const struct nftnl_chain *chain = ruleset->chain[i].chain;

		if (nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) == family &&
		    strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), table) == 0 &&
		    strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME), name) == 0)
			return &ruleset->chain[i];
	}
	return NULL;
}

const struct nftnl_set *ruleset_find_set(const struct ruleset *ruleset, uint32_t family, const char *table,
					 const char *name)
{
	for (size_t i = 0; name && i < ruleset->sets; i++) {
		const struct nftnl_set *set = ruleset->set[i].set;

		if (nftnl_set_get_u32(set, NFTNL_SET_FAMILY) == family &&
		    strcmp(nftnl_set_get_str(set, NFTNL_SET_TABLE), table) == 0 &&
		    strcmp(nftnl_set_get_str(set, NFTNL_SET_NAME), name) == 0)
			return ruleset->set[i].filled || fill_set(ruleset, i) ? set : NULL;
	}
	return NULL;
}

int ruleset_read(struct ruleset *ruleset, struct netlink *nft, struct netlink_error *error)
{
	int result, attempts = 0;

	*ruleset = (struct ruleset){ .nft = nft };
	do {
		ruleset_free(ruleset);
		result = read_once(ruleset, error);
	} while (netlink_again(result, error, &attempts));
	return result;
}

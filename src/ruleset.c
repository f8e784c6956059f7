/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ruleset.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 20	/* to read what others keep changing */

static int take_chain(const struct nlmsghdr *message, void *data)
{
	struct ruleset *ruleset = data;
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		out_of_memory();
	ruleset->chain = make_room_for_one(ruleset->chain, ruleset->chains, sizeof(struct nftnl_chain *));
	ruleset->chain[ruleset->chains++] = chain;
	if (nftnl_chain_nlmsg_parse(message, chain) < 0 || !nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE) ||
	    !nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME))
		return EBADMSG;
	return 0;
}

static int take_rule(const struct nlmsghdr *message, void *data)
{
	struct ruleset *ruleset = data;
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		out_of_memory();
	ruleset->rule = make_room_for_one(ruleset->rule, ruleset->rules, sizeof(struct nftnl_rule *));
	ruleset->rule[ruleset->rules++] = rule;
	if (nftnl_rule_nlmsg_parse(message, rule) < 0 || !nftnl_rule_get_str(rule, NFTNL_RULE_TABLE) ||
	    !nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN))
		return EBADMSG;
	return 0;
}

static int take_set(const struct nlmsghdr *message, void *data)
{
	struct ruleset *ruleset = data;
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		out_of_memory();
	ruleset->set = make_room_for_one(ruleset->set, ruleset->sets, sizeof(*ruleset->set));
	ruleset->set[ruleset->sets].filled = false;
	ruleset->set[ruleset->sets++].set = set;
	if (nftnl_set_nlmsg_parse(message, set) < 0 || !nftnl_set_get_str(set, NFTNL_SET_TABLE) ||
	    !nftnl_set_get_str(set, NFTNL_SET_NAME))
		return EBADMSG;
	return 0;
}

static int read_once(struct ruleset *ruleset, struct netlink_error *error)
{
	static const struct { uint16_t type; netlink_handler take; } dumps[] = {
		{ NFT_MSG_GETCHAIN, take_chain }, { NFT_MSG_GETRULE, take_rule }, { NFT_MSG_GETSET, take_set },
	};
	char buffer[NETLINK_MESSAGE_SIZE];

	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++) {
		struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, dumps[i].type, NFPROTO_UNSPEC, NLM_F_DUMP, 0);

		if (netlink_request(ruleset->nft, request, dumps[i].take, ruleset, error) < 0)
			return -1;
	}
	return 0;
}

void ruleset_free(struct ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->chains; i++)
		nftnl_chain_free(ruleset->chain[i]);
	for (size_t i = 0; i < ruleset->rules; i++)
		nftnl_rule_free(ruleset->rule[i]);
	for (size_t i = 0; i < ruleset->sets; i++)
		nftnl_set_free(ruleset->set[i].set);
	free(ruleset->chain);
	free(ruleset->rule);
	free(ruleset->set);
	ruleset->chains = ruleset->rules = ruleset->sets = 0;
	ruleset->chain = NULL;
	ruleset->rule = NULL;
	ruleset->set = NULL;
}

static int take_elements(const struct nlmsghdr *message, void *data)
{
	return nftnl_set_elems_nlmsg_parse(message, data) < 0 ? EBADMSG : 0;
}

static bool fill_set(const struct ruleset *ruleset, size_t index)
{
	struct nftnl_set *set = ruleset->set[index].set;
	char buffer[NETLINK_MESSAGE_SIZE] = { 0 };	/* the padding of attributes too */
	struct netlink_error error;
	struct nlmsghdr *request;

	request = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM,
					(uint16_t)nftnl_set_get_u32(set, NFTNL_SET_FAMILY), NLM_F_DUMP, 0);
	nftnl_set_elems_nlmsg_build_payload(request, set);
	if (netlink_request(ruleset->nft, request, take_elements, set, &error) < 0)
		return false;
	ruleset->set[index].filled = true;
	return true;
}

const struct nftnl_set *ruleset_find_set(const struct ruleset *ruleset, uint32_t family, const char *table,
					 const char *name)
{
	for (size_t i = 0; i < ruleset->sets; i++) {
		const struct nftnl_set *set = ruleset->set[i].set;

		if (nftnl_set_get_u32(set, NFTNL_SET_FAMILY) != family ||
		    strcmp(nftnl_set_get_str(set, NFTNL_SET_TABLE), table) != 0 ||
		    strcmp(nftnl_set_get_str(set, NFTNL_SET_NAME), name) != 0)
			continue;
		if (nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & (NFT_SET_INTERVAL | NFT_SET_CONCAT))
			return NULL;
		return ruleset->set[i].filled || fill_set(ruleset, i) ? set : NULL;
	}
	return NULL;
}

int ruleset_read(struct ruleset *ruleset, struct netlink *nft, struct netlink_error *error)
{
	int result = -1;

	*ruleset = (struct ruleset){ .nft = nft };
	for (int attempt = 0; attempt < ATTEMPTS && result < 0; attempt++) {
		ruleset_free(ruleset);
		result = read_once(ruleset, error);
		if (result < 0 && error->number != EINTR)
			break;
	}
	return result;
}

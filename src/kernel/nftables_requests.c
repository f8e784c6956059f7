/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_requests.h"
#include "kernel/nftables_attributes.h"
#include "kernel/nftables_sets.h"

#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

static struct nlmsghdr *put_request(void *buffer, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(buffer, type, NFPROTO_INET, flags, 0);
}

struct nlmsghdr *nftables_get_generation(void *buffer)
{
	return put_request(buffer, NFT_MSG_GETGEN, 0);
}

struct nlmsghdr *nftables_get_table(void *buffer, const char *table)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETTABLE, 0);

	attribute_put_name(message, NFTA_TABLE_NAME, table);
	return message;
}

struct nlmsghdr *nftables_dump_chains(void *buffer)
{
	return put_request(buffer, NFT_MSG_GETCHAIN, NLM_F_DUMP);
}

struct nlmsghdr *nftables_dump_rules(void *buffer, const char *table)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETRULE, NLM_F_DUMP);

	attribute_put_name(message, NFTA_RULE_TABLE, table);
	return message;
}

struct nlmsghdr *nftables_dump_sets(void *buffer, const char *table)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETSET, NLM_F_DUMP);

	attribute_put_name(message, NFTA_SET_TABLE, table);
	return message;
}

struct nlmsghdr *nftables_dump_flowtables(void *buffer, const char *table)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETFLOWTABLE, NLM_F_DUMP);

	attribute_put_name(message, NFTA_FLOWTABLE_TABLE, table);
	return message;
}

struct nlmsghdr *nftables_dump_elements(void *buffer, const char *table, const char *set)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	attribute_put_name(message, NFTA_SET_ELEM_LIST_TABLE, table);
	attribute_put_name(message, NFTA_SET_ELEM_LIST_SET, set);
	return message;
}

struct nlmsghdr *nftables_get_element(void *buffer, const char *table, const struct guard_set *set,
				      const uint8_t key[GUARD_KEY])
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETSETELEM, 0);
	struct guard_element element = { 0 };

	memcpy(element.key, key, GUARD_KEY);
	nftables_put_elements(message, table, set->name, &element, 1, true);
	return message;
}

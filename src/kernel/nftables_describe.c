/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_describe.h"
#include "base/memory.h"
#include "kernel/nftables_attributes.h"

#include <libnftnl/chain.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static const struct nlmsghdr *find_message(const struct nftables_batch *batch, uint32_t sequence)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch->buffer;
	int left = (int)batch->size;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_seq == sequence)
			return message;
	return NULL;
}

/* The name of the expression in which @offset of an NFT_MSG_NEWRULE lies, NULL where in none. */
static const char *expression_at(const struct nlmsghdr *message, uint32_t offset)
{
	const struct nlattr *attribute, *element, *part;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) != NFTA_RULE_EXPRESSIONS)
			continue;
		mnl_attr_for_each_nested(element, attribute) {
			size_t start = (size_t)((const char *)element - (const char *)message);

			if (offset < start || offset >= start + element->nla_len)
				continue;
			mnl_attr_for_each_nested(part, element)
				if (mnl_attr_get_type(part) == NFTA_EXPR_NAME)
					return mnl_attr_get_str(part);
		}
	}
	return NULL;
}

/* The kernel module that provides an expression, NULL where it is nf_tables itself. */
static const char *module_of(const char *expression)
{
	static const char *const modules[][2] = {
		{ "ct", "nft_ct" }, { "reject", "nft_reject_inet" }, { "masq", "nft_masq" },
		{ "rt", "nf_tables of Linux 4.10" }, { "socket", "nft_socket, of Linux 4.19" },
		{ "fib", "nft_fib_inet, of Linux 4.10" }, { "flow_offload", "nft_flow_offload, of Linux 4.16; or [gateway] fast_path = no" },
		{ "dynset", "nft_connlimit, of Linux 4.19; or [clients] flows = no" },
	};

	for (size_t i = 0; i < sizeof(modules) / sizeof(*modules); i++)
		if (strcmp(modules[i][0], expression) == 0)
			return modules[i][1];
	return NULL;
}

static void describe_rule(struct text *text, const struct nlmsghdr *message, uint32_t offset)
{
	const char *expression = expression_at(message, offset), *chain = "", *comment = "";
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) == NFTA_RULE_CHAIN)
			chain = mnl_attr_get_str(attribute);
		if (mnl_attr_get_type(attribute) == NFTA_RULE_USERDATA)
			comment = attribute_comment(attribute);
	}
	text_add(text, "rule \"%s\" of chain %s", comment, chain);
	if (!expression)
		return;
	text_add(text, ", expression %s", expression);
	if (module_of(expression))
		text_add(text, " (needs %s)", module_of(expression));
}

static void describe_chain(struct text *text, const struct nlmsghdr *message)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	const char *type = NULL;

	if (!chain)
		out_of_memory();
	if (nftnl_chain_nlmsg_parse(message, chain) == 0) {
		text_add(text, "chain %s", nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
		type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);
	} else {
		text_add(text, "a chain");
	}
	if (type && strcmp(type, "nat") == 0)
		text_add(text, " (needs nft_chain_nat, of Linux 5.2)");
	nftnl_chain_free(chain);
}

static void describe_set(struct text *text, const struct nlmsghdr *message, uint16_t name, const char *what)
{
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) == name)
			text_add(text, "%s %s", what, mnl_attr_get_str(attribute));
}

void nftables_describe(struct text *text, const struct nftables_batch *batch, uint32_t sequence, uint32_t offset)
{
	const struct nlmsghdr *message = find_message(batch, sequence);

	switch (message ? message->nlmsg_type & 0xff : NFNL_MSG_BATCH_BEGIN) {
	case NFT_MSG_NEWRULE:
		describe_rule(text, message, offset);
		break;
	case NFT_MSG_NEWCHAIN:
		describe_chain(text, message);
		break;
	case NFT_MSG_NEWSET:
		describe_set(text, message, NFTA_SET_NAME, "the set");
		break;
	case NFT_MSG_NEWFLOWTABLE:
	case NFT_MSG_DELFLOWTABLE:
		describe_set(text, message, NFTA_FLOWTABLE_NAME, "the flow table");
		text_add_string(text, " (needs nf_flow_table_inet, of Linux 4.16; or [gateway] fast_path = no)");
		break;
	case NFT_MSG_NEWSETELEM:
	case NFT_MSG_DELSETELEM:
		describe_set(text, message, NFTA_SET_ELEM_LIST_SET, "the elements of set");
		break;
	case NFT_MSG_DELTABLE:
		text_add(text, "the removal of the table");
		break;
	case NFT_MSG_NEWTABLE:
		text_add(text, "the table");
		break;
	default:
		text_add(text, "the transaction");
	}
}

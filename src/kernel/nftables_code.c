/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_code.h"
#include "kernel/netlink.h"
#include "kernel/nftables_attributes.h"
#include "kernel/nftables_batch.h"
#include "kernel/nftables_rule.h"

#include <arpa/inet.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define EXPRESSION_ATTRIBUTES 16	/* more than any expression of ours has */

static bool is_zero(const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Whether an attribute of an expression of ours is a nest: data, and in it a verdict. */
static bool is_data(const char *expression, uint16_t type)
{
	if (strcmp(expression, "cmp") == 0)
		return type == NFTA_CMP_DATA;
	if (strcmp(expression, "bitwise") == 0)
		return type == NFTA_BITWISE_MASK || type == NFTA_BITWISE_XOR;
	return strcmp(expression, "immediate") == 0 && type == NFTA_IMMEDIATE_DATA;
}

/* An attribute as it stands in the message, with its header, which has no flags outside of nests. */
static void add_attribute_code(struct text *code, const struct nlattr *attribute)
{
	if (!is_zero(mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute)))
		text_add_bytes(code, attribute, attribute->nla_len);
}

static void add_data_code(struct text *code, const struct nlattr *data)
{
	const struct nlattr *attribute, *inner;

	mnl_attr_for_each_nested(attribute, data) {
		if (mnl_attr_get_type(attribute) != NFTA_DATA_VERDICT) {
			add_attribute_code(code, attribute);
			continue;
		}
		mnl_attr_for_each_nested(inner, attribute)
			add_attribute_code(code, inner);
	}
}

/* An expression in one of ours: add @flows { iif ct count over 20000 } */
static void add_inner_expression_code(struct text *code, const struct nlattr *expression)
{
	const struct nlattr *part, *attribute;

	mnl_attr_for_each_nested(part, expression) {
		if (mnl_attr_get_type(part) != NFTA_EXPR_DATA) {
			add_attribute_code(code, part);
			continue;
		}
		mnl_attr_for_each_nested(attribute, part)
			add_attribute_code(code, attribute);
	}
}

/*
 * What of an expression the kernel acts by: its name and its attributes, by number, since the kernel lists those of
 * fib in another order than libnftnl. Nests are known by their types.
 */
static void add_expression_code(struct text *code, const char *name, const struct nlattr *data)
{
	const struct nlattr *of[EXPRESSION_ATTRIBUTES] = { NULL }, *attribute;

	text_add_bytes(code, name, strlen(name) + 1);
	mnl_attr_for_each_nested(attribute, data) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type < EXPRESSION_ATTRIBUTES)
			of[type] = attribute;
		else
			add_attribute_code(code, attribute);
	}
	for (uint16_t type = 0; type < EXPRESSION_ATTRIBUTES; type++) {
		if (of[type] && is_data(name, type)) {
			text_add_bytes(code, &type, sizeof(type));
			add_data_code(code, of[type]);
		} else if (of[type] && type == NFTA_DYNSET_EXPR && strcmp(name, "dynset") == 0) {
			add_inner_expression_code(code, of[type]);
		} else if (of[type]) {
			add_attribute_code(code, of[type]);
		}
	}
}

static void take_counter(struct readings *readings, const struct nlattr *data)
{
	const struct nlattr *attribute;

	readings->counted = true;
	mnl_attr_for_each_nested(attribute, data) {
		if (mnl_attr_get_type(attribute) == NFTA_COUNTER_PACKETS)
			readings->packets += attribute_u64(attribute);
		if (mnl_attr_get_type(attribute) == NFTA_COUNTER_BYTES)
			readings->bytes += attribute_u64(attribute);
	}
}

/* An immediate value, which may be a verdict. */
static void take_immediate(struct readings *readings, const struct nlattr *data)
{
	const struct nlattr *value = netlink_find_nested(data, NFTA_IMMEDIATE_DATA);
	const struct nlattr *verdict = value ? netlink_find_nested(value, NFTA_DATA_VERDICT) : NULL;
	const struct nlattr *code = verdict ? netlink_find_nested(verdict, NFTA_VERDICT_CODE) : NULL;

	if (!code || mnl_attr_get_payload_len(code) != sizeof(uint32_t))
		return;
	if (ntohl(mnl_attr_get_u32(code)) == NF_ACCEPT)
		readings->end = RULE_ACCEPTS;
	else if (ntohl(mnl_attr_get_u32(code)) == NF_DROP)
		readings->end = RULE_STOPS;
}

static void take_reading(struct readings *readings, const char *name, const struct nlattr *data)
{
	if (strcmp(name, "counter") == 0)
		take_counter(readings, data);
	else if (strcmp(name, "immediate") == 0)
		take_immediate(readings, data);
	else if (strcmp(name, "reject") == 0)
		readings->end = RULE_STOPS;
}

/* The code of a rule's expressions, ours or the kernel's, and what they say beside it. */
void code_read(const struct nlattr *expressions, struct text *code, struct readings *readings)
{
	const struct nlattr *expression, *part;

	mnl_attr_for_each_nested(expression, expressions) {
		const struct nlattr *data = NULL;
		const char *name = NULL;

		mnl_attr_for_each_nested(part, expression) {
			if (mnl_attr_get_type(part) == NFTA_EXPR_NAME)
				name = attribute_string(part);
			if (mnl_attr_get_type(part) == NFTA_EXPR_DATA)
				data = part;
		}
		if (name && data)
			take_reading(readings, name, data);
		if (name && data && strcmp(name, "counter") != 0)
			add_expression_code(code, name, data);
		else if (name)
			text_add_bytes(code, name, strlen(name) + 1);
	}
}

/* @buffer: of NFTABLES_MESSAGE_SIZE bytes */
static void compile_rule(struct guard_rule *rule, const char *table, const char *chain, void *buffer)
{
	struct nlmsghdr *message = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_NEWRULE, NFPROTO_INET, 0, 0);
	const struct nlattr *attribute;
	struct readings none = { 0 };

	nftables_put_rule(message, table, chain, rule);
	text_free(&rule->code);
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) == NFTA_RULE_EXPRESSIONS)
			code_read(attribute, &rule->code, &none);
}

void nftables_compile(struct guard *guard)
{
	char buffer[NFTABLES_MESSAGE_SIZE];

	for (size_t i = 0; i < guard->chains; i++) {
		struct guard_chain *chain = &guard->chain[i];

		for (size_t j = 0; j < chain->rules; j++)
			compile_rule(&chain->rule[j], guard->table, chain->name, buffer);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_rule.h"
#include "base/memory.h"
#include "kernel/nftables_attributes.h"
#include "kernel/nftables_expressions.h"
#include "kernel/nftables_matches.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

/* meta mark set meta mark | 0xff000000 */
static void add_mark_set(struct nftnl_rule *rule, const struct mark_bits *mark)
{
	struct nftnl_expr *expression;

	expr_meta(rule, NFT_META_MARK);
	expr_mark_bits(rule, mark);
	expression = expr_add(rule, "meta");
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

/* ct mark set ct mark & 0x00ffffff | 0x02000000 */
static void add_ct_mark_set(struct nftnl_rule *rule, const struct mark_bits *mark)
{
	struct nftnl_expr *expression;

	expr_ct(rule, NFT_CT_MARK);
	expr_mark_bits(rule, mark);
	expression = expr_add(rule, "ct");
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

/*
 * iifname . ip saddr vmap @session4: [ meta load iifname => reg 1 ] [ payload load => reg 2 ], one behind the other;
 * meta mark & 0xff000000 vmap @gateways
 */
static void add_map(struct nftnl_rule *rule, const struct guard_rule *value)
{
	struct nftnl_expr *expression;
	uint32_t size = address_size(value->map.family);

	switch (value->map.subject) {
	case SUBJECT_SESSION:
		expr_family(rule, value->map.family, false);
		expr_meta(rule, NFT_META_IIFNAME);
		expr_payload_to(rule, NFT_REG_2, NFT_PAYLOAD_NETWORK_HEADER, expr_daddr_offset(value->map.family) - size, size);
		if (value->map.length)
			expr_mask_of(rule, NFT_REG_2, prefix_ones(value->map.family, value->map.length).bytes, size);
		break;
	case SUBJECT_MARK:
		expr_meta(rule, NFT_META_MARK);
		expr_mask(rule, &value->mark.mask, sizeof(value->mark.mask));
		break;
	case SUBJECT_CT_MARK:
		expr_ct(rule, NFT_CT_MARK);
		expr_mask(rule, &value->mark.mask, sizeof(value->mark.mask));
		break;
	}
	expression = expr_add(rule, "lookup");
	nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	attribute_copied(nftnl_expr_set_str(expression, NFTNL_EXPR_LOOKUP_SET, value->map.name));
}

/* [ immediate reg 0 VERDICT ] */
static void add_verdict(struct nftnl_rule *rule, int32_t verdict, const char *chain)
{
	struct nftnl_expr *expression = expr_add(rule, "immediate");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		attribute_copied(nftnl_expr_set_str(expression, NFTNL_EXPR_IMM_CHAIN, chain));
}

/* reject with icmp admin-prohibited, icmpv6, or icmpx for either */
static void add_reject(struct nftnl_rule *rule, uint8_t family)
{
	struct nftnl_expr *expression = expr_add(rule, "reject");
	uint8_t code = family == AF_INET ? ICMP_PKT_FILTERED :
		       family == AF_INET6 ? ICMP6_DST_UNREACH_ADMIN : NFT_REJECT_ICMPX_ADMIN_PROHIBITED;

	nftnl_expr_set_u32(expression, NFTNL_EXPR_REJECT_TYPE,
			   family == AF_UNSPEC ? NFT_REJECT_ICMPX_UNREACH : NFT_REJECT_ICMP_UNREACH);
	nftnl_expr_set_u8(expression, NFTNL_EXPR_REJECT_CODE, code);
}

/* masquerade to :32768-60999, ports in network byte order in registers 1 and 2; any where there are none */
static void add_masquerade(struct nftnl_rule *rule, const struct port_range *ports)
{
	const uint16_t bounds[] = { htons(ports->first), htons(ports->last) };
	struct nftnl_expr *expression;

	for (uint32_t i = 0; ports->last && i < 2; i++) {
		expression = expr_add(rule, "immediate");
		nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_1 + i);
		attribute_copied(nftnl_expr_set(expression, NFTNL_EXPR_IMM_DATA, &bounds[i], sizeof(bounds[i])));
	}
	expression = expr_add(rule, "masq");
	if (!ports->last)
		return;
	nftnl_expr_set_u32(expression, NFTNL_EXPR_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_MASQ_REG_PROTO_MIN, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_MASQ_REG_PROTO_MAX, NFT_REG_2);
}

/* The comment as nft(8) keeps it: type, length, string with its NUL. */
static void add_comment(struct nftnl_rule *rule, const struct guard_rule *value)
{
	char comment[GUARD_COMMENT];
	struct nftnl_udata_buf *data = nftnl_udata_buf_alloc(GUARD_COMMENT + 2);

	if (!data)
		out_of_memory();
	nftnl_udata_put_strz(data, NFTNL_UDATA_RULE_COMMENT, guard_comment(value, comment));
	attribute_copied(nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data), nftnl_udata_buf_len(data)));
	nftnl_udata_buf_free(data);
}

static struct nftnl_rule *make_rule(const char *table, const char *chain, const struct guard_rule *value)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		out_of_memory();
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	attribute_copied(nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table));
	attribute_copied(nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain));
	add_comment(rule, value);
	matches_add(rule, value);
	if (value->counter)
		expr_add(rule, "counter");
	switch (value->verdict) {
	case VERDICT_ACCEPT:
		add_verdict(rule, NF_ACCEPT, NULL);
		break;
	case VERDICT_DROP:
		add_verdict(rule, NF_DROP, NULL);
		break;
	case VERDICT_GOTO:
		add_verdict(rule, NFT_GOTO, value->chain);
		break;
	case VERDICT_JUMP:
		add_verdict(rule, NFT_JUMP, value->chain);
		break;
	case VERDICT_REJECT:
		add_reject(rule, value->reject_family);
		break;
	case VERDICT_MASQUERADE:
		add_masquerade(rule, &value->ports);
		break;
	case VERDICT_MARK:
		add_mark_set(rule, &value->mark);
		break;
	case VERDICT_CT_MARK:
		add_ct_mark_set(rule, &value->mark);
		break;
	case VERDICT_MAP:
		add_map(rule, value);
		break;
	case VERDICT_FLOW:
		attribute_copied(nftnl_expr_set_str(expr_add(rule, "flow_offload"), NFTNL_EXPR_FLOW_TABLE_NAME, GUARD_FAST_TABLE));
		break;
	}
	return rule;
}

void nftables_put_rule(struct nlmsghdr *message, const char *table, const char *chain, const struct guard_rule *value)
{
	struct nftnl_rule *rule = make_rule(table, chain, value);

	nftnl_rule_nlmsg_build_payload(message, rule);
	nftnl_rule_free(rule);
}

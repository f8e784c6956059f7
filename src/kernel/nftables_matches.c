/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_matches.h"
#include "base/memory.h"
#include "kernel/nftables_attributes.h"
#include "kernel/nftables_expressions.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

/* iifname "vpns*": the name's beginning, or with its NULs the whole of it */
static void add_interface(struct nftnl_rule *rule, const struct guard_match *match)
{
	const struct interface_pattern *interface = &match->interface;

	expr_meta(rule, match->kind == MATCH_IIFNAME ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	expr_cmp(rule, match->negated, interface->name,
		 interface->wildcard ? strlen(interface->name) : sizeof(interface->name));
}

/* meta mark & 0xff000000 == 0xff000000, ct mark & 0xff000000 != 0x02000000; marks are in host byte order */
static void add_mark(struct nftnl_rule *rule, const struct guard_match *match)
{
	if (match->kind == MATCH_MARK)
		expr_meta(rule, NFT_META_MARK);
	else
		expr_ct(rule, NFT_CT_MARK);
	expr_mask(rule, &match->mark.mask, sizeof(match->mark.mask));
	expr_cmp(rule, match->negated, &match->mark.value, sizeof(match->mark.value));
}

/* How much of an address is compared with a prefix: whole bytes need no mask. */
static uint32_t compared_length(const struct prefix *prefix)
{
	return prefix->length % 8 ? address_size(prefix->address.family) : prefix->length / 8U;
}

/* The address in the register is in the prefix: as nft does it, so that both read alike. */
static void add_prefix_comparison(struct nftnl_rule *rule, const struct guard_match *match)
{
	const struct prefix *prefix = &match->prefix;

	if (prefix->length % 8) {
		struct address ones = prefix_ones(prefix->address.family, prefix->length);

		expr_mask(rule, ones.bytes, address_size(prefix->address.family));
	}
	expr_cmp(rule, match->negated, prefix->address.bytes, compared_length(prefix));
}

static void add_prefix_at(struct nftnl_rule *rule, uint32_t base, uint32_t offset, const struct guard_match *match)
{
	expr_payload(rule, base, offset, compared_length(&match->prefix));
	add_prefix_comparison(rule, match);
}

/* ip saddr 10.20.0.0/24, ip daddr 224.0.0.0/4 */
static void add_address(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint8_t family = match->prefix.address.family;
	uint32_t offset = expr_daddr_offset(family);

	add_prefix_at(rule, NFT_PAYLOAD_NETWORK_HEADER, match->kind == MATCH_SADDR ? offset - address_size(family) : offset,
		      match);
}

/* @th,192,24 0xa1400 */
static void add_quoted_daddr(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint8_t family = match->prefix.address.family;

	add_prefix_at(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_QUOTE_OFFSET + expr_daddr_offset(family), match);
}

/* [ lookup reg 1 set NAME ] */
static void add_lookup(struct nftnl_rule *rule, const struct guard_match *match)
{
	struct nftnl_expr *expression = expr_add(rule, "lookup");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	attribute_copied(nftnl_expr_set_str(expression, NFTNL_EXPR_LOOKUP_SET, match->set.name));
	if (match->negated)
		nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

/* ip saddr @clients4, ip daddr @clients4 */
static void add_address_in(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint32_t size = address_size(match->set.family), offset = expr_daddr_offset(match->set.family);

	expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, match->kind == MATCH_SADDR_IN ? offset - size : offset, size);
	add_lookup(rule, match);
}

/* iifname @uplinks4 */
static void add_interface_in(struct nftnl_rule *rule, const struct guard_match *match)
{
	expr_meta(rule, NFT_META_IIFNAME);
	add_lookup(rule, match);
}

/* ip hdrlength > 5: the low half of the first byte, in words of 32 bits */
static void add_ip_options(struct nftnl_rule *rule)
{
	static const uint8_t low_half = 0x0f;

	expr_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 0, sizeof(low_half));
	expr_mask(rule, &low_half, sizeof(low_half));
	expr_cmp_byte(rule, NFT_CMP_GT, 5);
}

/* icmp type TYPE, in the first byte */
static void add_icmp_type(struct nftnl_rule *rule, uint32_t operation, uint8_t type)
{
	expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(type));
	expr_cmp_byte(rule, operation, type);
}

static void add_other_l4proto(struct nftnl_rule *rule, uint32_t operation, uint8_t protocol)
{
	expr_meta(rule, NFT_META_L4PROTO);
	expr_cmp_byte(rule, operation, protocol);
}

static void add_l4proto(struct nftnl_rule *rule, uint8_t protocol)
{
	add_other_l4proto(rule, NFT_CMP_EQ, protocol);
}

/* icmp type != echo-reply icmp type != echo-request; icmpv6 type < echo-request */
static void add_icmp_error(struct nftnl_rule *rule, uint8_t family)
{
	if (family == AF_INET) {
		add_l4proto(rule, IPPROTO_ICMP);
		add_icmp_type(rule, NFT_CMP_NEQ, ICMP_ECHOREPLY);
		add_icmp_type(rule, NFT_CMP_NEQ, ICMP_ECHO);
	} else {
		add_l4proto(rule, IPPROTO_ICMPV6);
		add_icmp_type(rule, NFT_CMP_LT, ICMP6_ECHO_REQUEST);
	}
}

/* tcp dport 53: the destination port is the second word of two bytes in either header */
static void add_dport(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint16_t port = htons(match->port);

	add_l4proto(rule, match->protocol);
	expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(port));
	expr_cmp(rule, match->negated, &port, sizeof(port));
}

/* icmpv6 type parameter-problem @th,112,8 0x0 */
static void add_quoted_hopbyhop(struct nftnl_rule *rule)
{
	add_l4proto(rule, IPPROTO_ICMPV6);
	add_icmp_type(rule, NFT_CMP_EQ, ICMP6_PARAM_PROB);
	expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_QUOTE_OFFSET + IPV6_NEXT_HEADER_OFFSET, 1);
	expr_cmp_byte(rule, NFT_CMP_EQ, IPPROTO_HOPOPTS);
}

/* rt ip nexthop 172.28.0.2 */
static void add_nexthop(struct nftnl_rule *rule, const struct guard_match *match)
{
	struct nftnl_expr *expression = expr_add(rule, "rt");
	uint8_t family = match->nexthop.family;

	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_KEY, family == AF_INET ? NFT_RT_NEXTHOP4 : NFT_RT_NEXTHOP6);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_DREG, NFT_REG_1);
	expr_cmp(rule, match->negated, match->nexthop.bytes, address_size(family));
}

/* fib saddr . iif oif missing */
static void add_no_way_back(struct nftnl_rule *rule)
{
	static const uint32_t none;
	struct nftnl_expr *expression = expr_add(rule, "fib");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIF);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	expr_cmp(rule, false, &none, sizeof(none));
}

/* ct state established,related */
static void add_ct_state(struct nftnl_rule *rule, const struct guard_match *match)
{
	static const uint32_t zero;

	expr_ct(rule, NFT_CT_STATE);
	expr_mask(rule, &match->ct_states, sizeof(match->ct_states));
	expr_cmp(rule, !match->negated, &zero, sizeof(zero));
}

/* ct status ! confirmed */
static void add_first(struct nftnl_rule *rule)
{
	static const uint32_t zero, confirmed = IPS_CONFIRMED;

	expr_ct(rule, NFT_CT_STATUS);
	expr_mask(rule, &confirmed, sizeof(confirmed));
	expr_cmp(rule, false, &zero, sizeof(zero));
}

/* icmp type 11 icmp code 1: the first two bytes; icmp type 12: the first */
static void add_icmp(struct nftnl_rule *rule, const struct guard_match *match)
{
	const uint8_t bytes[] = { match->icmp.type, match->icmp.code };
	uint32_t length = match->kind == MATCH_ICMP_CODE ? 2 : 1;

	add_l4proto(rule, match->icmp.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, length);
	expr_cmp(rule, match->negated, bytes, length);
}

/* @th,136,8 != 17 */
static void add_quoted_protocol(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint32_t offset = match->quoted.family == AF_INET ? IPV4_PROTOCOL_OFFSET : IPV6_NEXT_HEADER_OFFSET;

	expr_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_QUOTE_OFFSET + offset, 1);
	expr_cmp(rule, match->negated, &match->quoted.protocol, 1);
}

/* ct original ip saddr @clients4 */
static void add_flow_saddr_in(struct nftnl_rule *rule, const struct guard_match *match)
{
	bool ipv4 = match->set.family == AF_INET;

	nftnl_expr_set_u8(expr_ct(rule, ipv4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6), NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
	add_lookup(rule, match);
}

/* ct direction reply, ct direction original */
static void add_direction(struct nftnl_rule *rule, const struct guard_match *match)
{
	expr_ct(rule, NFT_CT_DIRECTION);
	expr_cmp_byte(rule, NFT_CMP_EQ, match->negated ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY);
}

/* rt ipsec exists */
static void add_ipsec(struct nftnl_rule *rule, bool negated)
{
	struct nftnl_expr *expression = expr_add(rule, "rt");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_KEY, NFT_RT_XFRM);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_DREG, NFT_REG_1);
	expr_cmp_byte(rule, NFT_CMP_EQ, !negated);
}

/* add @flows { iif ct count over 20000 } */
static void add_flows_over(struct nftnl_rule *rule, uint32_t flows)
{
	struct nftnl_expr *expression, *count = nftnl_expr_alloc("connlimit");

	if (!count)
		out_of_memory();
	nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_COUNT, flows);
	nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
	expr_meta(rule, NFT_META_IIF);
	expression = expr_add(rule, "dynset");
	attribute_copied(nftnl_expr_set_str(expression, NFTNL_EXPR_DYNSET_SET_NAME, GUARD_FLOWS_SET));
	nftnl_expr_set_u32(expression, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
	attribute_copied(nftnl_expr_set(expression, NFTNL_EXPR_DYNSET_EXPR, count, 0));
}

/* socket transparent <= 1: true of any, since the expression ends the rule where there is no socket */
static void add_socket(struct nftnl_rule *rule)
{
	struct nftnl_expr *expression = expr_add(rule, "socket");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_SOCKET_DREG, NFT_REG_1);
	expr_cmp_byte(rule, NFT_CMP_LTE, 1);
}

/* The family that a match needs to be known before it, AF_UNSPEC where any does. */
static uint8_t needed_family(const struct guard_match *match)
{
	switch (match->kind) {
	case MATCH_SADDR_IN:
	case MATCH_DADDR_IN:
		return match->set.family;
	case MATCH_SADDR:
	case MATCH_DADDR:
		return match->prefix.address.family;
	case MATCH_IP_OPTIONS:
		return AF_INET;
	case MATCH_ICMP_ERROR:
		return match->family;
	case MATCH_ICMP_CODE:
	case MATCH_ICMP_TYPE:
		return match->icmp.family;
	case MATCH_QUOTED_HOPBYHOP:
		return AF_INET6;
	case MATCH_QUOTED_PROTOCOL:
	case MATCH_MARK:
	case MATCH_CT_MARK:
	case MATCH_IPSEC:
	case MATCH_FLOW_SADDR_IN:
	case MATCH_REPLY:
	case MATCH_FIRST:
	case MATCH_FLOWS_OVER:
	case MATCH_IIFNAME:
	case MATCH_IIFNAME_IN:
	case MATCH_OIFNAME:
	case MATCH_FAMILY:
	case MATCH_NEXTHOP:
	case MATCH_NO_WAY_BACK:
	case MATCH_CT_STATE:
	case MATCH_L4PROTO:
	case MATCH_DPORT:
	case MATCH_SOCKET:
	case MATCH_QUOTED_DADDR:
		break;
	}
	return AF_UNSPEC;
}

void matches_add(struct nftnl_rule *rule, const struct guard_rule *value)
{
	uint8_t known = AF_UNSPEC;	/* the family that the packet is of from here on */

	for (unsigned int i = 0; i < value->matches; i++) {
		const struct guard_match *match = &value->match[i];
		uint8_t needed = needed_family(match);

		if (needed != AF_UNSPEC && needed != known) {
			expr_family(rule, needed, false);
			known = needed;
		}
		switch (match->kind) {
		case MATCH_IIFNAME:
		case MATCH_OIFNAME:
			add_interface(rule, match);
			break;
		case MATCH_IIFNAME_IN:
			add_interface_in(rule, match);
			break;
		case MATCH_FAMILY:
			expr_family(rule, match->family, match->negated);
			known = match->family;
			break;
		case MATCH_SADDR_IN:
		case MATCH_DADDR_IN:
			add_address_in(rule, match);
			break;
		case MATCH_SADDR:
		case MATCH_DADDR:
			add_address(rule, match);
			break;
		case MATCH_NEXTHOP:
			add_nexthop(rule, match);
			break;
		case MATCH_NO_WAY_BACK:
			add_no_way_back(rule);
			break;
		case MATCH_CT_STATE:
			add_ct_state(rule, match);
			break;
		case MATCH_FIRST:
			add_first(rule);
			break;
		case MATCH_IP_OPTIONS:
			add_ip_options(rule);
			break;
		case MATCH_ICMP_ERROR:
			add_icmp_error(rule, match->family);
			break;
		case MATCH_QUOTED_DADDR:
			add_quoted_daddr(rule, match);
			break;
		case MATCH_ICMP_CODE:
		case MATCH_ICMP_TYPE:
			add_icmp(rule, match);
			break;
		case MATCH_QUOTED_PROTOCOL:
			add_quoted_protocol(rule, match);
			break;
		case MATCH_L4PROTO:
			add_other_l4proto(rule, match->negated ? NFT_CMP_NEQ : NFT_CMP_EQ, match->protocol);
			break;
		case MATCH_SOCKET:
			add_socket(rule);
			break;
		case MATCH_DPORT:
			add_dport(rule, match);
			break;
		case MATCH_QUOTED_HOPBYHOP:
			add_quoted_hopbyhop(rule);
			break;
		case MATCH_MARK:
		case MATCH_CT_MARK:
			add_mark(rule, match);
			break;
		case MATCH_IPSEC:
			add_ipsec(rule, match->negated);
			break;
		case MATCH_FLOW_SADDR_IN:
			add_flow_saddr_in(rule, match);
			break;
		case MATCH_REPLY:
			add_direction(rule, match);
			break;
		case MATCH_FLOWS_OVER:
			add_flows_over(rule, match->flows);
			break;
		}
	}
}

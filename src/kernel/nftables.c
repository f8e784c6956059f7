/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables.h"
#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libnftnl/batch.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_OWNER 2U			/* NFT_TABLE_F_OWNER, of Linux 5.12 */
#define INSTANCE_TYPE 111		/* in a table's user data: of nft(8) there are 0 to 2 (libnftnl/udata.h) */
#define EXPRESSION_ATTRIBUTES 16	/* more than any expression of ours has */
#define MATCH_ROOM 300			/* more than the expressions of any match */
#define ELEMENTS_AT_ONCE 64		/* of another set or a map, each with up to 100 bytes */
#define PREFIXES_AT_ONCE 40		/* of a set, in a message: each of two elements with up to 36 bytes */
#define SET_EVAL 0x20U			/* NFT_SET_EVAL: rules add elements */

_Static_assert(GUARD_MATCHES * MATCH_ROOM + 512 <= NFTABLES_MESSAGE_SIZE, "put_rule() has room for the longest rule");

/* libnftnl copies strings and data; where that fails, what is built would lack them. */
static void copied(int result)
{
	if (result < 0)
		out_of_memory();
}

/* Types of keys by the numbers of nft(8) (its datatype.h), which lists sets by them. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_MARK = 19, TYPE_IFINDEX = 20, TYPE_IFNAME = 41 };
/* Of several parts in one key. */
#define TYPE_AND(one, other) ((one) << 6 | (other))
/* Their byte order, the same (enum byteorder). */
enum { HOST_ENDIAN = 1, BIG_ENDIAN_KEY = 2 };

/* A set as the kernel has it, less its elements. */
static const struct set_form {
	const char *name;
	enum guard_set_kind kind;
	uint8_t family;
	uint32_t flags, key_type, key_length, size;
	uint32_t order;		/* kept in user data, in the byte order of the host */
} forms[] = {
	{ GUARD_FLOWS_SET, SET_FLOWS, AF_UNSPEC, SET_EVAL, TYPE_IFINDEX, sizeof(uint32_t), GUARD_FLOWS_SIZE, HOST_ENDIAN },
	{ GUARD_CLIENTS4_SET, SET_PREFIXES, AF_INET, NFT_SET_INTERVAL, TYPE_IPADDR, 4, 0, BIG_ENDIAN_KEY },
	{ GUARD_CLIENTS6_SET, SET_PREFIXES, AF_INET6, NFT_SET_INTERVAL, TYPE_IP6ADDR, 16, 0, BIG_ENDIAN_KEY },
	{ GUARD_UPLINKS4_SET, SET_INTERFACES, AF_INET, 0, TYPE_IFNAME, IFNAMSIZ, 0, HOST_ENDIAN },
	{ GUARD_UPLINKS6_SET, SET_INTERFACES, AF_INET6, 0, TYPE_IFNAME, IFNAMSIZ, 0, HOST_ENDIAN },
	{ GUARD_SESSION4_MAP, MAP_SESSIONS, AF_INET, NFT_SET_MAP, TYPE_AND(TYPE_IFNAME, TYPE_IPADDR), IFNAMSIZ + 4, 0, 0 },
	{ GUARD_SESSION6_MAP, MAP_SESSIONS, AF_INET6, NFT_SET_MAP, TYPE_AND(TYPE_IFNAME, TYPE_IP6ADDR), IFNAMSIZ + 16, 0, 0 },
	{ GUARD_GATEWAYS_MAP, MAP_MARKS, AF_UNSPEC, NFT_SET_MAP, TYPE_MARK, sizeof(uint32_t), 0, HOST_ENDIAN },
	{ GUARD_KEPT_MAP, MAP_MARKS, AF_UNSPEC, NFT_SET_MAP, TYPE_MARK, sizeof(uint32_t), 0, HOST_ENDIAN },
	{ GUARD_REPLIES_MAP, MAP_MARKS, AF_UNSPEC, NFT_SET_MAP, TYPE_MARK, sizeof(uint32_t), 0, HOST_ENDIAN },
	{ GUARD_MASQUERADED_MAP, MAP_MARKS, AF_UNSPEC, NFT_SET_MAP, TYPE_MARK, sizeof(uint32_t), 0, HOST_ENDIAN },
};

#define FORMS (sizeof(forms) / sizeof(*forms))

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expression = nftnl_expr_alloc(name);

	if (!expression)
		out_of_memory();	/* the names are libnftnl's own */
	nftnl_rule_add_expr(rule, expression);
	return expression;
}

/* [ meta load KEY => reg 1 ] */
static void add_meta(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *expression = add(rule, "meta");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

/* [ cmp OPERATION reg 1 DATA ] */
static void add_comparison(struct nftnl_rule *rule, uint32_t operation, const void *data, size_t length)
{
	struct nftnl_expr *expression = add(rule, "cmp");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, operation);
	copied(nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, (uint32_t)length));
}

static void add_cmp(struct nftnl_rule *rule, bool negated, const void *data, size_t length)
{
	add_comparison(rule, negated ? NFT_CMP_NEQ : NFT_CMP_EQ, data, length);
}

static void add_cmp_byte(struct nftnl_rule *rule, uint32_t operation, uint8_t byte)
{
	add_comparison(rule, operation, &byte, sizeof(byte));
}

/* [ payload load LENGTHb @ BASE header + OFFSET => reg TO ] */
static void add_payload_to(struct nftnl_rule *rule, uint32_t to, uint32_t base, uint32_t offset, uint32_t length)
{
	struct nftnl_expr *expression = add(rule, "payload");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, length);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, to);
}

static void add_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t length)
{
	add_payload_to(rule, NFT_REG_1, base, offset, length);
}

/* [ bitwise reg OF = ( reg OF & MASK ) ^ 0 ] */
static void add_mask_of(struct nftnl_rule *rule, uint32_t of, const void *mask, size_t length)
{
	static const uint8_t zero[16];
	struct nftnl_expr *expression = add(rule, "bitwise");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, of);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, of);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, (uint32_t)length);
	copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, mask, (uint32_t)length));
	copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, zero, (uint32_t)length));
}

static void add_mask(struct nftnl_rule *rule, const void *mask, size_t length)
{
	add_mask_of(rule, NFT_REG_1, mask, length);
}

/* iifname "vpns*": the name's beginning, or with its NULs the whole of it */
static void add_interface(struct nftnl_rule *rule, const struct guard_match *match)
{
	const struct interface_pattern *interface = &match->interface;

	add_meta(rule, match->kind == MATCH_IIFNAME ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	add_cmp(rule, match->negated, interface->name,
		interface->wildcard ? strlen(interface->name) : sizeof(interface->name));
}

/* meta mark & 0xff000000 == 0xff000000; marks are in host byte order */
static void add_mark(struct nftnl_rule *rule, const struct mark_bits *mark)
{
	add_meta(rule, NFT_META_MARK);
	add_mask(rule, &mark->mask, sizeof(mark->mask));
	add_cmp(rule, false, &mark->value, sizeof(mark->value));
}

/* [ bitwise reg 1 = ( reg 1 & ~MASK ) ^ VALUE ] */
static void add_mark_bits(struct nftnl_rule *rule, const struct mark_bits *mark)
{
	struct nftnl_expr *expression = add(rule, "bitwise");
	const uint32_t kept = ~mark->mask;

	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, sizeof(kept));
	copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, &kept, sizeof(kept)));
	copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, &mark->value, sizeof(mark->value)));
}

/* meta mark set meta mark | 0xff000000 */
static void add_mark_set(struct nftnl_rule *rule, const struct mark_bits *mark)
{
	struct nftnl_expr *expression;

	add_meta(rule, NFT_META_MARK);
	add_mark_bits(rule, mark);
	expression = add(rule, "meta");
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

/* meta nfproto ipv4 */
static void add_family(struct nftnl_rule *rule, uint8_t family, bool negated)
{
	uint8_t protocol = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	add_meta(rule, NFT_META_NFPROTO);
	add_cmp(rule, negated, &protocol, sizeof(protocol));
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

		add_mask(rule, ones.bytes, address_size(prefix->address.family));
	}
	add_cmp(rule, match->negated, prefix->address.bytes, compared_length(prefix));
}

static void add_prefix_at(struct nftnl_rule *rule, uint32_t base, uint32_t offset, const struct guard_match *match)
{
	add_payload(rule, base, offset, compared_length(&match->prefix));
	add_prefix_comparison(rule, match);
}

static uint32_t daddr_offset(uint8_t family)
{
	return family == AF_INET ? IPV4_DADDR_OFFSET : IPV6_DADDR_OFFSET;
}

/* ip saddr 10.20.0.0/24, ip daddr 224.0.0.0/4 */
static void add_address(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint8_t family = match->prefix.address.family;
	uint32_t offset = daddr_offset(family);

	add_prefix_at(rule, NFT_PAYLOAD_NETWORK_HEADER, match->kind == MATCH_SADDR ? offset - address_size(family) : offset,
		      match);
}

/* @th,192,24 0xa1400 */
static void add_quoted_daddr(struct nftnl_rule *rule, const struct guard_match *match)
{
	add_prefix_at(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_QUOTE_OFFSET + daddr_offset(match->prefix.address.family), match);
}

/* [ lookup reg 1 set NAME ] */
static void add_lookup(struct nftnl_rule *rule, const struct guard_match *match)
{
	struct nftnl_expr *expression = add(rule, "lookup");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	copied(nftnl_expr_set_str(expression, NFTNL_EXPR_LOOKUP_SET, match->set.name));
	if (match->negated)
		nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

/* ip saddr @clients4, ip daddr @clients4 */
static void add_address_in(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint32_t size = address_size(match->set.family), offset = daddr_offset(match->set.family);

	add_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, match->kind == MATCH_SADDR_IN ? offset - size : offset, size);
	add_lookup(rule, match);
}

/* iifname @uplinks4 */
static void add_interface_in(struct nftnl_rule *rule, const struct guard_match *match)
{
	add_meta(rule, NFT_META_IIFNAME);
	add_lookup(rule, match);
}

/* ip hdrlength > 5: the low half of the first byte, in words of 32 bits */
static void add_ip_options(struct nftnl_rule *rule)
{
	static const uint8_t low_half = 0x0f;

	add_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 0, sizeof(low_half));
	add_mask(rule, &low_half, sizeof(low_half));
	add_cmp_byte(rule, NFT_CMP_GT, 5);
}

/* icmp type TYPE, in the first byte */
static void add_icmp_type(struct nftnl_rule *rule, uint32_t operation, uint8_t type)
{
	add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(type));
	add_cmp_byte(rule, operation, type);
}

static void add_other_l4proto(struct nftnl_rule *rule, uint32_t operation, uint8_t protocol)
{
	add_meta(rule, NFT_META_L4PROTO);
	add_cmp_byte(rule, operation, protocol);
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
	add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(port));
	add_cmp(rule, match->negated, &port, sizeof(port));
}

/* icmpv6 type parameter-problem @th,112,8 0x0 */
static void add_quoted_hopbyhop(struct nftnl_rule *rule)
{
	add_l4proto(rule, IPPROTO_ICMPV6);
	add_icmp_type(rule, NFT_CMP_EQ, ICMP6_PARAM_PROB);
	add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_QUOTE_OFFSET + IPV6_NEXT_HEADER_OFFSET, 1);
	add_cmp_byte(rule, NFT_CMP_EQ, IPPROTO_HOPOPTS);
}

/* rt ip nexthop 172.28.0.2 */
static void add_nexthop(struct nftnl_rule *rule, const struct guard_match *match)
{
	struct nftnl_expr *expression = add(rule, "rt");
	uint8_t family = match->nexthop.family;

	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_KEY, family == AF_INET ? NFT_RT_NEXTHOP4 : NFT_RT_NEXTHOP6);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_DREG, NFT_REG_1);
	add_cmp(rule, match->negated, match->nexthop.bytes, address_size(family));
}

/* fib saddr . iif oif missing */
static void add_no_way_back(struct nftnl_rule *rule)
{
	static const uint32_t none;
	struct nftnl_expr *expression = add(rule, "fib");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIF);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	add_cmp(rule, false, &none, sizeof(none));
}

/* [ ct load KEY => reg 1 ] */
static struct nftnl_expr *add_ct(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *expression = add(rule, "ct");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	return expression;
}

/* ct state established,related */
static void add_ct_state(struct nftnl_rule *rule, const struct guard_match *match)
{
	static const uint32_t zero;

	add_ct(rule, NFT_CT_STATE);
	add_mask(rule, &match->ct_states, sizeof(match->ct_states));
	add_cmp(rule, !match->negated, &zero, sizeof(zero));
}

/* ct status ! confirmed */
static void add_first(struct nftnl_rule *rule)
{
	static const uint32_t zero, confirmed = IPS_CONFIRMED;

	add_ct(rule, NFT_CT_STATUS);
	add_mask(rule, &confirmed, sizeof(confirmed));
	add_cmp(rule, false, &zero, sizeof(zero));
}

/* icmp type 11 icmp code 1: the first two bytes; icmp type 12: the first */
static void add_icmp(struct nftnl_rule *rule, const struct guard_match *match)
{
	const uint8_t bytes[] = { match->icmp.type, match->icmp.code };
	uint32_t length = match->kind == MATCH_ICMP_CODE ? 2 : 1;

	add_l4proto(rule, match->icmp.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, length);
	add_cmp(rule, match->negated, bytes, length);
}

/* @th,136,8 != 17 */
static void add_quoted_protocol(struct nftnl_rule *rule, const struct guard_match *match)
{
	uint32_t offset = match->quoted.family == AF_INET ? IPV4_PROTOCOL_OFFSET : IPV6_NEXT_HEADER_OFFSET;

	add_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_QUOTE_OFFSET + offset, 1);
	add_cmp(rule, match->negated, &match->quoted.protocol, 1);
}

/* ct original ip saddr @clients4 */
static void add_flow_saddr_in(struct nftnl_rule *rule, const struct guard_match *match)
{
	bool ipv4 = match->set.family == AF_INET;

	nftnl_expr_set_u8(add_ct(rule, ipv4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6), NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
	add_lookup(rule, match);
}

/* ct direction reply, ct direction original */
static void add_direction(struct nftnl_rule *rule, const struct guard_match *match)
{
	add_ct(rule, NFT_CT_DIRECTION);
	add_cmp_byte(rule, NFT_CMP_EQ, match->negated ? IP_CT_DIR_ORIGINAL : IP_CT_DIR_REPLY);
}

/* ct mark set ct mark & 0x00ffffff | 0x02000000 */
static void add_ct_mark_set(struct nftnl_rule *rule, const struct mark_bits *mark)
{
	struct nftnl_expr *expression;

	add_ct(rule, NFT_CT_MARK);
	add_mark_bits(rule, mark);
	expression = add(rule, "ct");
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
		add_family(rule, value->map.family, false);
		add_meta(rule, NFT_META_IIFNAME);
		add_payload_to(rule, NFT_REG_2, NFT_PAYLOAD_NETWORK_HEADER, daddr_offset(value->map.family) - size, size);
		if (value->map.length)
			add_mask_of(rule, NFT_REG_2, prefix_ones(value->map.family, value->map.length).bytes, size);
		break;
	case SUBJECT_MARK:
		add_meta(rule, NFT_META_MARK);
		add_mask(rule, &value->mark.mask, sizeof(value->mark.mask));
		break;
	case SUBJECT_CT_MARK:
		add_ct(rule, NFT_CT_MARK);
		add_mask(rule, &value->mark.mask, sizeof(value->mark.mask));
		break;
	}
	expression = add(rule, "lookup");
	nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	copied(nftnl_expr_set_str(expression, NFTNL_EXPR_LOOKUP_SET, value->map.name));
}

/* rt ipsec exists */
static void add_ipsec(struct nftnl_rule *rule, bool negated)
{
	struct nftnl_expr *expression = add(rule, "rt");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_KEY, NFT_RT_XFRM);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_RT_DREG, NFT_REG_1);
	add_cmp_byte(rule, NFT_CMP_EQ, !negated);
}

/* add @flows { iif ct count over 20000 } */
static void add_flows_over(struct nftnl_rule *rule, uint32_t flows)
{
	struct nftnl_expr *expression, *count = nftnl_expr_alloc("connlimit");

	if (!count)
		out_of_memory();
	nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_COUNT, flows);
	nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
	add_meta(rule, NFT_META_IIF);
	expression = add(rule, "dynset");
	copied(nftnl_expr_set_str(expression, NFTNL_EXPR_DYNSET_SET_NAME, GUARD_FLOWS_SET));
	nftnl_expr_set_u32(expression, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
	copied(nftnl_expr_set(expression, NFTNL_EXPR_DYNSET_EXPR, count, 0));
}

/* socket transparent <= 1: true of any, since the expression ends the rule where there is no socket */
static void add_socket(struct nftnl_rule *rule)
{
	struct nftnl_expr *expression = add(rule, "socket");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_SOCKET_DREG, NFT_REG_1);
	add_cmp_byte(rule, NFT_CMP_LTE, 1);
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

static void add_matches(struct nftnl_rule *rule, const struct guard_rule *value)
{
	uint8_t known = AF_UNSPEC;	/* the family that the packet is of from here on */

	for (unsigned int i = 0; i < value->matches; i++) {
		const struct guard_match *match = &value->match[i];
		uint8_t needed = needed_family(match);

		if (needed != AF_UNSPEC && needed != known) {
			add_family(rule, needed, false);
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
			add_family(rule, match->family, match->negated);
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
			add_mark(rule, &match->mark);
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

/* [ immediate reg 0 VERDICT ] */
static void add_verdict(struct nftnl_rule *rule, int32_t verdict, const char *chain)
{
	struct nftnl_expr *expression = add(rule, "immediate");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		copied(nftnl_expr_set_str(expression, NFTNL_EXPR_IMM_CHAIN, chain));
}

/* reject with icmp admin-prohibited, icmpv6, or icmpx for either */
static void add_reject(struct nftnl_rule *rule, uint8_t family)
{
	struct nftnl_expr *expression = add(rule, "reject");
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
		expression = add(rule, "immediate");
		nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_1 + i);
		copied(nftnl_expr_set(expression, NFTNL_EXPR_IMM_DATA, &bounds[i], sizeof(bounds[i])));
	}
	expression = add(rule, "masq");
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
	copied(nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(data), nftnl_udata_buf_len(data)));
	nftnl_udata_buf_free(data);
}

static struct nftnl_rule *make_rule(const char *table, const char *chain, const struct guard_rule *value)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		out_of_memory();
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	copied(nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table));
	copied(nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain));
	add_comment(rule, value);
	add_matches(rule, value);
	if (value->counter)
		add(rule, "counter");
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
	}
	return rule;
}

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

static uint64_t get_u64(const struct nlattr *attribute)
{
	if (!attribute || mnl_attr_get_payload_len(attribute) != sizeof(uint64_t))
		return 0;
	return be64toh(mnl_attr_get_u64(attribute));
}

/* What a rule says of itself beside its code. */
struct readings {
	bool counted;
	uint64_t packets, bytes;
	enum rule_end end;
};

static void take_counter(struct readings *readings, const struct nlattr *data)
{
	const struct nlattr *attribute;

	readings->counted = true;
	mnl_attr_for_each_nested(attribute, data) {
		if (mnl_attr_get_type(attribute) == NFTA_COUNTER_PACKETS)
			readings->packets += get_u64(attribute);
		if (mnl_attr_get_type(attribute) == NFTA_COUNTER_BYTES)
			readings->bytes += get_u64(attribute);
	}
}

static const char *get_name(const struct nlattr *attribute)
{
	return attribute && mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0 ? mnl_attr_get_str(attribute) : NULL;
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
static void read_expressions(const struct nlattr *expressions, struct text *code, struct readings *readings)
{
	const struct nlattr *expression, *part;

	mnl_attr_for_each_nested(expression, expressions) {
		const struct nlattr *data = NULL;
		const char *name = NULL;

		mnl_attr_for_each_nested(part, expression) {
			if (mnl_attr_get_type(part) == NFTA_EXPR_NAME)
				name = get_name(part);
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

void nftables_compile(struct guard *guard)
{
	const struct nlattr *attribute;
	struct readings none = { 0 };
	char buffer[NFTABLES_MESSAGE_SIZE];

	for (size_t i = 0; i < guard->chains; i++) {
		struct guard_chain *chain = &guard->chain[i];

		for (size_t j = 0; j < chain->rules; j++) {
			struct nlmsghdr *message = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_NEWRULE, NFPROTO_INET, 0, 0);
			struct nftnl_rule *rule = make_rule(guard->table, chain->name, &chain->rule[j]);

			nftnl_rule_nlmsg_build_payload(message, rule);
			nftnl_rule_free(rule);
			text_free(&chain->rule[j].code);
			mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
				if (mnl_attr_get_type(attribute) == NFTA_RULE_EXPRESSIONS)
					read_expressions(attribute, &chain->rule[j].code, &none);
		}
	}
}

static struct nlmsghdr *put_request(void *buffer, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(buffer, type, NFPROTO_INET, flags, 0);
}

/* With the padding of the attribute as zeros, since the kernel gets it too. */
static void put_name(struct nlmsghdr *message, uint16_t type, const char *name)
{
	memset(mnl_nlmsg_get_payload_tail(message), 0, MNL_ATTR_HDRLEN + MNL_ALIGN(strlen(name) + 1));
	mnl_attr_put_strz(message, type, name);
}

struct nlmsghdr *nftables_get_generation(void *buffer)
{
	return put_request(buffer, NFT_MSG_GETGEN, 0);
}

struct nlmsghdr *nftables_get_table(void *buffer, const char *table)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETTABLE, 0);

	put_name(message, NFTA_TABLE_NAME, table);
	return message;
}

struct nlmsghdr *nftables_dump_chains(void *buffer)
{
	return put_request(buffer, NFT_MSG_GETCHAIN, NLM_F_DUMP);
}

struct nlmsghdr *nftables_dump_sets(void *buffer, const char *table)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETSET, NLM_F_DUMP);

	put_name(message, NFTA_SET_TABLE, table);
	return message;
}

struct nlmsghdr *nftables_dump_elements(void *buffer, const char *table, const char *set)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP);

	put_name(message, NFTA_SET_ELEM_LIST_TABLE, table);
	put_name(message, NFTA_SET_ELEM_LIST_SET, set);
	return message;
}

static const struct set_form *find_form(const char *name)
{
	for (size_t i = 0; i < FORMS; i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

/* Of a set that is wanted. */
static const struct set_form *form_of(const char *name)
{
	const struct set_form *form = find_form(name);

	if (!form)
		abort();	/* wanted_guard.c makes no other */
	return form;
}

/* "vpns0" . 10.20.0.50 : goto to_nl; less where it is to go */
static void put_keyed_element(struct nlmsghdr *message, uint16_t number, const struct set_form *form,
			      const struct guard_element *element, bool gone)
{
	struct nlattr *nest = mnl_attr_nest_start(message, number), *data, *verdict;

	data = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, form->key_length, element->key);
	mnl_attr_nest_end(message, data);
	if (form->flags & NFT_SET_MAP && !gone) {
		data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
		verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);
		mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_GOTO));
		put_name(message, NFTA_VERDICT_CHAIN, element->chain);
		mnl_attr_nest_end(message, verdict);
		mnl_attr_nest_end(message, data);
	}
	mnl_attr_nest_end(message, nest);
}

struct nlmsghdr *nftables_get_element(void *buffer, const char *table, const struct guard_set *set,
				      const uint8_t key[GUARD_KEY])
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETSETELEM, 0);
	struct guard_element element = { 0 };
	struct nlattr *list;

	memcpy(element.key, key, GUARD_KEY);
	put_name(message, NFTA_SET_ELEM_LIST_TABLE, table);
	put_name(message, NFTA_SET_ELEM_LIST_SET, set->name);
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	put_keyed_element(message, 1, form_of(set->name), &element, true);
	mnl_attr_nest_end(message, list);
	return message;
}

struct nlmsghdr *nftables_dump_rules(void *buffer, const char *table)
{
	struct nlmsghdr *message = put_request(buffer, NFT_MSG_GETRULE, NLM_F_DUMP);

	put_name(message, NFTA_RULE_TABLE, table);
	return message;
}

int nftables_parse_generation(const struct nlmsghdr *message, struct present_guard *present)
{
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) == NFTA_GEN_ID && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			present->generation = ntohl(mnl_attr_get_u32(attribute));
	return 0;
}

/* The value of a type in user data, which is type, length and value again and again; NULL where it is not there. */
static const uint8_t *find_userdata(const uint8_t *data, size_t left, uint8_t type, uint8_t *length)
{
	while (left >= 2 && data[1] <= left - 2) {
		*length = data[1];
		if (data[0] == type)
			return data + 2;
		left -= 2U + data[1];
		data += 2 + data[1];
	}
	return NULL;
}

static void take_instance(const struct nftnl_table *table, struct present_guard *present)
{
	uint32_t size = 0;
	const uint8_t *data = nftnl_table_get_data(table, NFTNL_TABLE_USERDATA, &size), *instance;
	uint8_t length = 0;

	instance = data ? find_userdata(data, size, INSTANCE_TYPE, &length) : NULL;
	if (instance && length == sizeof(present->instance))
		memcpy(present->instance, instance, length);
}

int nftables_parse_table(const struct nlmsghdr *message, struct present_guard *present)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table)
		out_of_memory();
	if (nftnl_table_nlmsg_parse(message, table) < 0) {
		nftnl_table_free(table);
		return EBADMSG;
	}
	present->exists = true;
	present->dormant = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
	present->owned = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) & TABLE_OWNER;
	present->others = nftnl_table_get_u32(table, NFTNL_TABLE_USE);
	take_instance(table, present);
	nftnl_table_free(table);
	return 0;
}

static char *duplicate_or_null(const char *string)
{
	return string ? duplicate(string) : NULL;
}

static void take_chain(const struct nftnl_chain *chain, struct present_guard *present)
{
	present->chain = make_room_for_one(present->chain, present->chains, sizeof(*present->chain));
	present->chain[present->chains++] = (struct present_chain){
		.name = duplicate_or_null(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME)),
		.type = duplicate_or_null(nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE)),
		.hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM),
		.priority = nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO),
		.policy = nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY),
	};
	/* A table's use count is of all that it holds: what is left over is no chain. */
	if (present->others > 0)
		present->others--;
}

int nftables_parse_chain(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	const char *table;
	int error = 0;

	if (!chain)
		out_of_memory();
	if (nftnl_chain_nlmsg_parse(message, chain) < 0 || !nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME))
		error = EBADMSG;
	table = error ? NULL : nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
	if (table && strcmp(table, name) == 0)
		take_chain(chain, present);
	nftnl_chain_free(chain);
	return error;
}

const char *nftables_comment(const void *userdata, size_t size)
{
	uint8_t length = 0;
	const uint8_t *comment = userdata ? find_userdata(userdata, size, NFTNL_UDATA_RULE_COMMENT, &length) : NULL;

	return comment && length > 0 && comment[length - 1] == '\0' ? (const char *)comment : "";
}

static const char *find_comment(const struct nlattr *userdata)
{
	return userdata ? nftables_comment(mnl_attr_get_payload(userdata), mnl_attr_get_payload_len(userdata)) : "";
}

static struct present_chain *find_chain(struct present_guard *present, const char *name)
{
	for (size_t i = 0; i < present->chains; i++) {
		size_t place = (present->recent + i) % present->chains;

		if (strcmp(present->chain[place].name, name) != 0)
			continue;
		present->recent = place;
		return &present->chain[place];
	}
	return NULL;
}

/* The attributes of a message with types up to @most. */
static int take_attributes(const struct nlmsghdr *message, const struct nlattr *of[], uint16_t most)
{
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) <= most)
			of[mnl_attr_get_type(attribute)] = attribute;
	return 0;
}

/* By libmnl alone: to make and free libnftnl's objects of all rules takes longer than all else of a hook. */
int nftables_parse_rule(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	const struct nlattr *of[NFTA_RULE_MAX + 1] = { NULL };
	struct present_chain *chain;
	struct present_rule *rule;
	struct readings readings = { 0 };

	if (take_attributes(message, of, NFTA_RULE_MAX) || !get_name(of[NFTA_RULE_TABLE]) || !get_name(of[NFTA_RULE_CHAIN]))
		return EBADMSG;
	if (strcmp(get_name(of[NFTA_RULE_TABLE]), name) != 0)
		return 0;
	chain = find_chain(present, get_name(of[NFTA_RULE_CHAIN]));
	if (!chain)
		return EINTR;	/* it was added meanwhile: read all again */

	chain->rule = make_room_for_one(chain->rule, chain->rules, sizeof(*chain->rule));
	rule = &chain->rule[chain->rules++];
	*rule = (struct present_rule){
		.comment = duplicate(find_comment(of[NFTA_RULE_USERDATA])),
		.handle = get_u64(of[NFTA_RULE_HANDLE]),
	};
	if (of[NFTA_RULE_EXPRESSIONS])
		read_expressions(of[NFTA_RULE_EXPRESSIONS], &rule->code, &readings);
	rule->end = readings.end;
	rule->counted = readings.counted;
	rule->packets = readings.packets;
	rule->bytes = readings.bytes;
	return 0;
}

static uint32_t get_u32(const struct nlattr *attribute)
{
	return attribute && mnl_attr_get_payload_len(attribute) == sizeof(uint32_t) ? ntohl(mnl_attr_get_u32(attribute)) : 0;
}

static uint32_t get_size(const struct nlattr *description)
{
	return description ? get_u32(netlink_find_nested(description, NFTA_SET_DESC_SIZE)) : 0;
}

static bool has_form(const struct nlattr *const of[], const struct set_form *form)
{
	return get_u32(of[NFTA_SET_FLAGS]) == form->flags && get_u32(of[NFTA_SET_KEY_TYPE]) == form->key_type &&
	       get_u32(of[NFTA_SET_KEY_LEN]) == form->key_length && get_size(of[NFTA_SET_DESC]) == form->size &&
	       (!(form->flags & NFT_SET_MAP) || get_u32(of[NFTA_SET_DATA_TYPE]) == NFT_DATA_VERDICT) &&
	       !of[NFTA_SET_TIMEOUT] && !of[NFTA_SET_EXPR] && !of[NFTA_SET_EXPRESSIONS];
}

int nftables_parse_set(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	const struct nlattr *of[NFTA_SET_MAX + 1] = { NULL };
	const struct set_form *form;

	if (take_attributes(message, of, NFTA_SET_MAX) || !get_name(of[NFTA_SET_TABLE]) || !get_name(of[NFTA_SET_NAME]))
		return EBADMSG;
	form = strcmp(get_name(of[NFTA_SET_TABLE]), name) == 0 ? find_form(get_name(of[NFTA_SET_NAME])) : NULL;
	if (!form || !has_form(of, form))
		return 0;
	present->set = make_room_for_one(present->set, present->sets, sizeof(*present->set));
	present->set[present->sets++] = (struct present_set){ .name = form->name, .kind = form->kind, .family = form->family };
	if (present->others > 0)
		present->others--;
	return 0;
}

static struct present_set *find_set(const struct present_guard *present, const char *name)
{
	for (size_t i = 0; i < present->sets; i++)
		if (strcmp(present->set[i].name, name) == 0)
			return &present->set[i];
	return NULL;
}

/* What an element may have beside its key; a comment does nothing. */
static bool is_odd(const struct present_set *set, const struct nlattr *attribute)
{
	switch (mnl_attr_get_type(attribute)) {
	case NFTA_SET_ELEM_DATA:
		return set->kind != MAP_SESSIONS && set->kind != MAP_MARKS;
	case NFTA_SET_ELEM_KEY:
	case NFTA_SET_ELEM_USERDATA:
	case NFTA_SET_ELEM_PAD:
		return false;
	case NFTA_SET_ELEM_FLAGS:
		return get_u32(attribute) & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END;
	}
	return true;
}

/* The chain that an element goes to; "" where it does anything else. */
static void take_goto(struct guard_element *taken, const struct nlattr *element)
{
	const struct nlattr *data = netlink_find_nested(element, NFTA_SET_ELEM_DATA);
	const struct nlattr *verdict = data ? netlink_find_nested(data, NFTA_DATA_VERDICT) : NULL;
	const struct nlattr *code = verdict ? netlink_find_nested(verdict, NFTA_VERDICT_CODE) : NULL;
	const char *chain = verdict ? get_name(netlink_find_nested(verdict, NFTA_VERDICT_CHAIN)) : NULL;

	if (chain && code && (int32_t)get_u32(code) == NFT_GOTO && strlen(chain) < sizeof(taken->chain))
		memcpy(taken->chain, chain, strlen(chain) + 1);
}

static void take_keyed_element(struct present_set *set, const struct nlattr *element, const struct nlattr *value)
{
	struct guard_element *taken;

	set->element = make_room_for_one(set->element, set->elements, sizeof(*set->element));
	taken = &set->element[set->elements++];
	*taken = (struct guard_element){ 0 };
	if (value && mnl_attr_get_payload_len(value) <= sizeof(taken->key))
		memcpy(taken->key, mnl_attr_get_payload(value), mnl_attr_get_payload_len(value));
	take_goto(taken, element);
	set->odd = set->odd || !value || (set->kind != SET_INTERFACES && !taken->chain[0]);
}

static void take_element(struct present_set *set, const struct nlattr *element)
{
	const struct nlattr *attribute, *key = netlink_find_nested(element, NFTA_SET_ELEM_KEY);
	const struct nlattr *value = key ? netlink_find_nested(key, NFTA_DATA_VALUE) : NULL;
	const struct nlattr *flags = netlink_find_nested(element, NFTA_SET_ELEM_FLAGS);
	struct bound bound = { .address.family = set->family, .end = flags && get_u32(flags) & NFT_SET_ELEM_INTERVAL_END };

	mnl_attr_for_each_nested(attribute, element)
		set->odd = set->odd || is_odd(set, attribute);
	if (set->kind != SET_PREFIXES) {
		take_keyed_element(set, element, value);
		return;
	}
	if (!value || mnl_attr_get_payload_len(value) != address_size(set->family)) {
		set->odd = true;
		return;
	}
	memcpy(bound.address.bytes, mnl_attr_get_payload(value), address_size(set->family));
	set->bound = make_room_for_one(set->bound, set->bounds, sizeof(*set->bound));
	set->bound[set->bounds++] = bound;
}

int nftables_parse_elements(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	const struct nlattr *of[NFTA_SET_ELEM_LIST_MAX + 1] = { NULL }, *element;
	struct present_set *set;

	if (take_attributes(message, of, NFTA_SET_ELEM_LIST_MAX) || !get_name(of[NFTA_SET_ELEM_LIST_TABLE]) ||
	    !get_name(of[NFTA_SET_ELEM_LIST_SET]))
		return EBADMSG;
	set = strcmp(get_name(of[NFTA_SET_ELEM_LIST_TABLE]), name) == 0 ? find_set(present, get_name(of[NFTA_SET_ELEM_LIST_SET])) :
	      NULL;
	if (set && set->kind != SET_FLOWS && of[NFTA_SET_ELEM_LIST_ELEMENTS])
		mnl_attr_for_each_nested(element, of[NFTA_SET_ELEM_LIST_ELEMENTS])
			take_element(set, element);
	return 0;
}

/* The next message; the buffer always has room for it. */
static struct nlmsghdr *put_next(struct nftables_batch *batch, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(batch->buffer + batch->size, type, NFPROTO_INET, flags, ++batch->last);
}

/* Closes what put_next() began. */
static void take_next(struct nftables_batch *batch, const struct nlmsghdr *message)
{
	batch->size += message->nlmsg_len;
	if (batch->size + NFTABLES_MESSAGE_SIZE <= batch->room)
		return;
	batch->buffer = reallocate(batch->buffer, 2 * batch->room, 1);
	/* The padding of attributes goes to the kernel too. */
	memset(batch->buffer + batch->room, 0, batch->room);
	batch->room *= 2;
}

static struct nlmsghdr *put_table(struct nftables_batch *batch, const struct guard *guard, uint16_t type,
				  uint16_t flags)
{
	struct nlmsghdr *message = put_next(batch, type, flags);

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, guard->table);
	return message;
}

static void put_table_removal(struct nftables_batch *batch, const struct guard *guard)
{
	take_next(batch, put_table(batch, guard, NFT_MSG_DELTABLE, 0));
}

static void put_new_table(struct nftables_batch *batch, const struct guard *guard)
{
	struct nlmsghdr *message = put_table(batch, guard, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	uint8_t data[2 + GUARD_INSTANCE] = { INSTANCE_TYPE, GUARD_INSTANCE };

	if (!is_zero(guard->instance, sizeof(guard->instance))) {
		memcpy(data + 2, guard->instance, sizeof(guard->instance));
		mnl_attr_put(message, NFTA_TABLE_USERDATA, sizeof(data), data);
	}
	take_next(batch, message);
}

/* set flows { type iface_index; size 65535; flags dynamic; } */
static void put_set(struct nftables_batch *batch, const struct guard *guard, const struct guard_set *set, uint32_t id)
{
	const struct set_form *form = form_of(set->name);
	uint8_t data[2 + sizeof(form->order)] = { NFTNL_UDATA_SET_KEYBYTEORDER, sizeof(form->order) };
	struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
	struct nlattr *description;

	memcpy(data + 2, &form->order, sizeof(form->order));
	mnl_attr_put_strz(message, NFTA_SET_TABLE, guard->table);
	mnl_attr_put_strz(message, NFTA_SET_NAME, set->name);
	mnl_attr_put_u32(message, NFTA_SET_ID, htonl(id));
	mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(form->flags));
	mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(form->key_type));
	mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(form->key_length));
	if (form->flags & NFT_SET_MAP)
		mnl_attr_put_u32(message, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
	if (form->size) {
		description = mnl_attr_nest_start(message, NFTA_SET_DESC);
		mnl_attr_put_u32(message, NFTA_SET_DESC_SIZE, htonl(form->size));
		mnl_attr_nest_end(message, description);
	}
	mnl_attr_put(message, NFTA_SET_USERDATA, sizeof(data), data);
	take_next(batch, message);
}

/* @open: there is no end behind it, which nft(8) notes so */
static void put_bound(struct nlmsghdr *message, uint16_t number, const struct address *address, bool end, bool open)
{
	static const uint8_t data[] = { NFTNL_UDATA_SET_ELEM_FLAGS, sizeof(uint32_t), NFTNL_SET_ELEM_F_INTERVAL_OPEN, 0, 0, 0 };
	struct nlattr *element = mnl_attr_nest_start(message, number), *key;

	if (end)
		mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, address_size(address->family), address->bytes);
	mnl_attr_nest_end(message, key);
	if (open)
		mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, sizeof(data), data);
	mnl_attr_nest_end(message, element);
}

static void put_prefix(struct nlmsghdr *message, uint16_t number, const struct prefix *prefix)
{
	struct range range = prefix_range(prefix);
	struct address behind;
	bool ends = range_next(&range, &behind);

	put_bound(message, number, &range.first, false, !ends);
	if (ends)
		put_bound(message, (uint16_t)(number + 1), &behind, true, false);
}

/* The first of all, as nft(8) has it, says that there is nothing before the first prefix. */
static void put_elements(struct nftables_batch *batch, const struct guard *guard, const struct guard_set *set, size_t first)
{
	const struct address lowest = { .family = set->family };
	struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *list;
	uint16_t number = 1;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, guard->table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set->name);
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	if (first == 0)
		put_bound(message, number++, &lowest, true, false);
	for (size_t i = first; i < set->prefixes && i < first + PREFIXES_AT_ONCE; i++, number = (uint16_t)(number + 2))
		put_prefix(message, number, &set->prefix[i]);
	mnl_attr_nest_end(message, list);
	take_next(batch, message);
}

/* What of @elements is to be there, or with @gone all of it. */
static void put_keyed_elements(struct nftables_batch *batch, const char *table, const char *set,
			       const struct guard_element *element, size_t elements, bool gone)
{
	const struct set_form *form = form_of(set);
	size_t i = 0;

	while (i < elements) {
		struct nlmsghdr *message = put_next(batch, gone ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
						    gone ? 0 : NLM_F_CREATE | NLM_F_EXCL);
		struct nlattr *list;

		mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
		mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
		list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (uint16_t number = 1; i < elements && number <= ELEMENTS_AT_ONCE; i++)
			if (gone || !(form->flags & NFT_SET_MAP) || element[i].chain[0])
				put_keyed_element(message, number++, form, &element[i], gone);
		mnl_attr_nest_end(message, list);
		take_next(batch, message);
	}
}

static void put_sets(struct nftables_batch *batch, const struct guard *guard)
{
	for (size_t i = 0; i < guard->sets; i++) {
		put_set(batch, guard, &guard->set[i], (uint32_t)i + 1);
		for (size_t first = 0; first < guard->set[i].prefixes; first += PREFIXES_AT_ONCE)
			put_elements(batch, guard, &guard->set[i], first);
	}
}

/* Behind the chains that they lead to. */
static void put_all_keyed_elements(struct nftables_batch *batch, const struct guard *guard)
{
	for (size_t i = 0; i < guard->sets; i++)
		put_keyed_elements(batch, guard->table, guard->set[i].name, guard->set[i].element, guard->set[i].elements, false);
}

static void put_chain(struct nftables_batch *batch, const struct guard *guard, const struct guard_chain *value)
{
	struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		out_of_memory();
	copied(nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, guard->table));
	copied(nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, value->name));
	if (value->type) {
		copied(nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, value->type));
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, value->hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, value->priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(message, chain);
	nftnl_chain_free(chain);
	take_next(batch, message);
}

static void put_rule(struct nftables_batch *batch, const struct guard *guard, const struct guard_chain *chain,
		     const struct guard_rule *value)
{
	struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	struct nftnl_rule *rule = make_rule(guard->table, chain->name, value);

	nftnl_rule_nlmsg_build_payload(message, rule);
	nftnl_rule_free(rule);
	take_next(batch, message);
}

/* The kernel answers what it refuses, and of the rest what asks for it: one more answer tells that all is read. */
static void acknowledge_last(struct nftables_batch *batch)
{
	struct nlmsghdr *message = (struct nlmsghdr *)batch->buffer;
	int left = (int)batch->size;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_seq == batch->last)
			message->nlmsg_flags |= NLM_F_ACK;
}

static void put_begin(struct nftables_batch *batch, uint32_t generation, uint32_t sequence)
{
	struct nlmsghdr *begin = nftnl_batch_begin(batch->buffer, sequence);

	if (generation)
		mnl_attr_put_u32(begin, NFNL_BATCH_GENID, htonl(generation));
	batch->size += begin->nlmsg_len;
}

void nftables_make_batch(struct nftables_batch *batch, const struct guard *guard, bool remove, bool make,
			 uint32_t generation, uint32_t *sequence)
{
	*batch = (struct nftables_batch){ .buffer = allocate(2, NFTABLES_MESSAGE_SIZE), .room = 2 * (size_t)NFTABLES_MESSAGE_SIZE };

	put_begin(batch, generation, ++*sequence);
	batch->first = *sequence + 1;
	batch->last = *sequence;
	if (remove)
		put_table_removal(batch, guard);
	if (make)
		put_new_table(batch, guard);
	if (make)
		put_sets(batch, guard);
	/* All chains first, since rules go to them by name. */
	for (size_t i = 0; make && i < guard->chains; i++)
		put_chain(batch, guard, &guard->chain[i]);
	if (make)
		put_all_keyed_elements(batch, guard);
	for (size_t i = 0; make && i < guard->chains; i++)
		for (size_t j = 0; j < guard->chain[i].rules; j++)
			put_rule(batch, guard, &guard->chain[i], &guard->chain[i].rule[j]);
	acknowledge_last(batch);
	*sequence = batch->last + 1;
	batch->size += nftnl_batch_end(batch->buffer + batch->size, *sequence)->nlmsg_len;
}

/* An element that goes elsewhere is taken out and put in again, at once for packets. */
void nftables_make_session_batch(struct nftables_batch *batch, const char *table, const struct guard_change *change,
				 size_t changes, uint32_t generation, uint32_t *sequence)
{
	*batch = (struct nftables_batch){ .buffer = allocate(2, NFTABLES_MESSAGE_SIZE), .room = 2 * (size_t)NFTABLES_MESSAGE_SIZE };

	put_begin(batch, generation, ++*sequence);
	batch->first = *sequence + 1;
	batch->last = *sequence;
	for (size_t i = 0; i < changes; i++) {
		if (change[i].was[0])
			put_keyed_elements(batch, table, change[i].set->name, &change[i].element, 1, true);
		if (change[i].element.chain[0])
			put_keyed_elements(batch, table, change[i].set->name, &change[i].element, 1, false);
	}
	acknowledge_last(batch);
	*sequence = batch->last + 1;
	batch->size += nftnl_batch_end(batch->buffer + batch->size, *sequence)->nlmsg_len;
}

void nftables_leave_open(struct nftables_batch *batch)
{
	batch->size -= MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct nfgenmsg));
}

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
		{ "fib", "nft_fib_inet, of Linux 4.10" }, { "dynset", "nft_connlimit, of Linux 4.19; or [clients] flows = no" },
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
			comment = find_comment(attribute);
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

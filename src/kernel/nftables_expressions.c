/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_expressions.h"
#include "base/memory.h"
#include "kernel/nftables_attributes.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

struct nftnl_expr *expr_add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expression = nftnl_expr_alloc(name);

	if (!expression)
		out_of_memory();	/* the names are libnftnl's own */
	nftnl_rule_add_expr(rule, expression);
	return expression;
}

/* [ meta load KEY => reg 1 ] */
void expr_meta(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *expression = expr_add(rule, "meta");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

/* [ cmp OPERATION reg 1 DATA ] */
void expr_compare(struct nftnl_rule *rule, uint32_t operation, const void *data, size_t length)
{
	struct nftnl_expr *expression = expr_add(rule, "cmp");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, operation);
	attribute_copied(nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, (uint32_t)length));
}

void expr_cmp(struct nftnl_rule *rule, bool negated, const void *data, size_t length)
{
	expr_compare(rule, negated ? NFT_CMP_NEQ : NFT_CMP_EQ, data, length);
}

void expr_cmp_byte(struct nftnl_rule *rule, uint32_t operation, uint8_t byte)
{
	expr_compare(rule, operation, &byte, sizeof(byte));
}

/* [ payload load LENGTHb @ BASE header + OFFSET => reg TO ] */
void expr_payload_to(struct nftnl_rule *rule, uint32_t to, uint32_t base, uint32_t offset, uint32_t length)
{
	struct nftnl_expr *expression = expr_add(rule, "payload");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, length);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, to);
}

void expr_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t length)
{
	expr_payload_to(rule, NFT_REG_1, base, offset, length);
}

/* [ bitwise reg OF = ( reg OF & MASK ) ^ 0 ] */
void expr_mask_of(struct nftnl_rule *rule, uint32_t of, const void *mask, size_t length)
{
	static const uint8_t zero[16];
	struct nftnl_expr *expression = expr_add(rule, "bitwise");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, of);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, of);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, (uint32_t)length);
	attribute_copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, mask, (uint32_t)length));
	attribute_copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, zero, (uint32_t)length));
}

void expr_mask(struct nftnl_rule *rule, const void *mask, size_t length)
{
	expr_mask_of(rule, NFT_REG_1, mask, length);
}

/* [ ct load KEY => reg 1 ] */
struct nftnl_expr *expr_ct(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *expression = expr_add(rule, "ct");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	return expression;
}

/* [ bitwise reg 1 = ( reg 1 & ~MASK ) ^ VALUE ] */
void expr_mark_bits(struct nftnl_rule *rule, const struct mark_bits *mark)
{
	struct nftnl_expr *expression = expr_add(rule, "bitwise");
	const uint32_t kept = ~mark->mask;

	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, sizeof(kept));
	attribute_copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, &kept, sizeof(kept)));
	attribute_copied(nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, &mark->value, sizeof(mark->value)));
}

/* meta nfproto ipv4 */
void expr_family(struct nftnl_rule *rule, uint8_t family, bool negated)
{
	uint8_t protocol = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

	expr_meta(rule, NFT_META_NFPROTO);
	expr_cmp(rule, negated, &protocol, sizeof(protocol));
}

uint32_t expr_daddr_offset(uint8_t family)
{
	return family == AF_INET ? IPV4_DADDR_OFFSET : IPV6_DADDR_OFFSET;
}

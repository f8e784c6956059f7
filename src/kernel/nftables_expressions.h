/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_EXPRESSIONS_H
#define NFTABLES_EXPRESSIONS_H

#include "model/guard.h"

#include <libnftnl/rule.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The expressions of nf_tables that rules of ours are made of, each added behind the others of a rule. They work on
 * register 1 unless they name another. Lengths and offsets are in bytes, data is in the byte order of the packet.
 */

/* expr_add - one by its name, with nothing set */
struct nftnl_expr *expr_add(struct nftnl_rule *rule, const char *name);

/* To load: what the kernel knows of a packet (NFT_META_), of its flow (NFT_CT_), and bytes of it behind a header's start. */
void expr_meta(struct nftnl_rule *rule, uint32_t key);
struct nftnl_expr *expr_ct(struct nftnl_rule *rule, uint32_t key);
void expr_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t length);
void expr_payload_to(struct nftnl_rule *rule, uint32_t to, uint32_t base, uint32_t offset, uint32_t length);

/* To change: keep the bits of a mask of up to 16 bytes; put a mark's value in the place of its bits. */
void expr_mask(struct nftnl_rule *rule, const void *mask, size_t length);
void expr_mask_of(struct nftnl_rule *rule, uint32_t of, const void *mask, size_t length);
void expr_mark_bits(struct nftnl_rule *rule, const struct mark_bits *mark);

/* To compare, by an operation of enum nft_cmp_ops, or for being equal. */
void expr_compare(struct nftnl_rule *rule, uint32_t operation, const void *data, size_t length);
void expr_cmp(struct nftnl_rule *rule, bool negated, const void *data, size_t length);
void expr_cmp_byte(struct nftnl_rule *rule, uint32_t operation, uint8_t byte);

/* expr_family - the packet is of AF_INET, or AF_INET6 */
void expr_family(struct nftnl_rule *rule, uint8_t family, bool negated);

/* expr_daddr_offset - of the destination in the network header; the source stands before it */
uint32_t expr_daddr_offset(uint8_t family);

#endif

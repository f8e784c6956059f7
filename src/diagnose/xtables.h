/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XTABLES_H
#define XTABLES_H

#include "diagnose/expressions.h"

/*
 * Matches and targets of iptables, which iptables-nft hands to the kernel as they are. The ones that decide often are
 * known; what others find is not.
 */
struct move xtables_match(const struct evaluation *evaluation, const struct nftnl_expr *expression);
struct move xtables_target(const struct evaluation *evaluation, const struct nftnl_expr *expression);

/* xtables_comment - of the match `comment`; NULL where it is another one, or none */
const char *xtables_comment(const struct nftnl_expr *expression, uint32_t *length);

#endif

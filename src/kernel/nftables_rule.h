/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_RULE_H
#define NFTABLES_RULE_H

#include "model/guard.h"

#include <libmnl/libmnl.h>

/*
 * nftables_put_rule - a rule, to a message of NFT_MSG_NEWRULE with no attributes yet
 *
 * Its comment, its matches, counter and verdict. The message becomes up to GUARD_MATCHES * 300 + 512 bytes long.
 */
void nftables_put_rule(struct nlmsghdr *message, const char *table, const char *chain, const struct guard_rule *value);

#endif

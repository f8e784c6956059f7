/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BYPASS_H
#define BYPASS_H

#include "kernel/converge.h"

/*
 * Rules and routes of others that the kernel asks before our policy rules, or by the leave of these, and that may take
 * clients' packets elsewhere. The kill switch drops what they take; the routing layer alone would let it go.
 */

/*
 * bypass_rule - whether the policy rule at @index comes before the last of ours and may take a packet from or to a client
 *
 * One that denies counts before the rules to the gateway alone, one with `goto` where it skips rules of ours. The rule
 * that looks up table local never counts.
 */
bool bypass_rule(const struct config *config, const struct wanted *wanted, const struct present *present, size_t index);

/* bypass_rule_text - what to tell of it, a sentence */
void bypass_rule_text(struct text *wrong, const struct config *config, const struct rule *rule);

/*
 * bypass_find - what leads clients' packets elsewhere now, a sentence each
 * @found: rules of bypass_rule() whose table has a route to elsewhere, routes of table local to elsewhere, and routes of
 *	table main within clients' subnets that do not lead to a tunnel
 *
 * Reads these tables, which takes the longer the more tunnels there are. Returns 0, or -1 with the reason in @report.
 */
int bypass_find(struct lines *found, const struct config *config, const struct situation *situation,
		struct netlink *route, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RULESET_H
#define RULESET_H

#include "netlink.h"

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <stdint.h>

/* All nft tables of this host, as libnftnl has them. */
struct ruleset {
	struct netlink *nft;
	struct nftnl_chain **chain;
	struct nftnl_rule **rule;	/* in the order of their chains */
	struct { struct nftnl_set *set; bool filled; } *set;
	size_t chains, rules, sets;
};

/*
 * ruleset_read - read tables of all families
 * @nft: a NETLINK_NETFILTER socket, which is used by ruleset_find_set() too
 *
 * Returns 0, or -1 with @error. ruleset_free() in either case.
 */
int ruleset_read(struct ruleset *ruleset, struct netlink *nft, struct netlink_error *error);
void ruleset_free(struct ruleset *ruleset);

/* ruleset_find_set - a set with its elements, if it is one of single values; NULL else */
const struct nftnl_set *ruleset_find_set(const struct ruleset *ruleset, uint32_t family, const char *table,
					 const char *name);

#endif

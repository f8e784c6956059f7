/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RULESET_H
#define RULESET_H

#include "kernel/netlink.h"

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <stdint.h>

struct ruleset_chain {
	struct nftnl_chain *chain;
	size_t first, rules;		/* of the ruleset's rules */
	bool dormant;			/* the kernel does not ask the chains of its table */
};

/* All nft tables of this host, as libnftnl has them. */
struct ruleset {
	struct netlink *nft;		/* NULL where sets are to stay as they are */
	struct nftnl_table **table;
	struct ruleset_chain *chain;
	struct nftnl_rule **rule;	/* in the order of their chains */
	struct { struct nftnl_set *set; bool filled; } *set;
	size_t tables, chains, rules, sets;
};

/*
 * ruleset_read - read tables of all families
 * @nft: a NETLINK_NETFILTER socket, which is used by ruleset_find_set() too
 *
 * Returns 0, or -1 with @error. ruleset_free() in either case.
 */
int ruleset_read(struct ruleset *ruleset, struct netlink *nft, struct netlink_error *error);
void ruleset_free(struct ruleset *ruleset);

/*
 * ruleset_take - a netlink_handler for one message of a dump of tables, chains, rules or sets, in this order
 * ruleset_take_elements - the same for one of a dump of a set's elements
 * ruleset_sort - behind the last: find the rules of each chain; false where some are of none
 */
int ruleset_take(const struct nlmsghdr *message, void *ruleset);
int ruleset_take_elements(const struct nlmsghdr *message, void *set);
bool ruleset_sort(struct ruleset *ruleset);

/* ruleset_find_chain - NULL where there is none */
const struct ruleset_chain *ruleset_find_chain(const struct ruleset *ruleset, uint32_t family, const char *table,
					       const char *name);

/* ruleset_find_set - a set with its elements; NULL where it can't be read */
const struct nftnl_set *ruleset_find_set(const struct ruleset *ruleset, uint32_t family, const char *table,
					 const char *name);

#endif

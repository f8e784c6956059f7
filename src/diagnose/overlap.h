/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OVERLAP_H
#define OVERLAP_H

#include "sessions/cover.h"

/*
 * Subnets of clients that hold what this host needs for itself. All that is from such a subnet is routed to the gateway,
 * and nothing but tunnels is found within it: the host would lose its own network.
 */

struct overlaps {
	struct lines cut;	/* this host's own addresses, networks, next hops and resolvers that it would lose, a sentence each */
	struct prefix *subnet;	/* of each of these, to which of the clients' subnets */
	struct lines shared;	/* what overlaps, and goes on */
};

/*
 * overlap_find - look at the addresses, the routes of all tables and the resolvers of this host
 *
 * What belongs to tunnels of clients is left out, as are routes of our own. Its cost grows with the number of routes.
 * Returns 0, or -1 with the reason in @report. overlaps_free() in either case.
 */
int overlap_find(struct overlaps *overlaps, const struct config *config, const struct host *host, struct netlink *route,
		 struct report *report);

void overlaps_free(struct overlaps *overlaps);

/*
 * overlap_refuse - refuse subnets that would cut this host off
 * @doer: a hook looks only where the plan adds a policy rule, since else the host has what it has already
 *
 * Refused is a subnet that is new: no rule of ours is about it yet, and no live session is in it. Whoever gives this host an
 * address or a route later, such as a DHCP server, keeps nobody from repairing what live sessions need: that is a warning.
 * Returns 0, or -1 with the reasons in @report (EX_CONFIG).
 */
int overlap_refuse(const struct config *config, const struct situation *situation, enum doer doer, struct netlink *route,
		   struct report *report);

#endif

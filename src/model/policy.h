/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_H
#define POLICY_H

#include "config/config.h"
#include "model/guard.h"
#include "model/host.h"
#include "model/routing.h"

/* Where the kernel reaches a gateway; see gateway.h. */
struct gateway_path {
	unsigned int interface;			/* index */
	char interface_name[IFNAMSIZ];
};

/* The state that the configuration asks of the kernel. */
struct policy {
	struct rule *rule;	/* in the order of installation: the rules to the gateway are the last of a family */
	size_t rules;
	struct route *route;
	size_t routes;
	struct neighbour neighbour[FAMILIES];	/* of gateways with a hardware address */
	size_t neighbours;
	struct address former[FAMILIES];	/* the gateways' at the run before; AF_UNSPEC where none is known */
	struct guard guard;	/* no chains where nothing is governed */
};

/*
 * policy_make - the desired policy rules, routes and kill switch
 * @path: of each family whose mode is GATEWAY_ADDRESS; where the kernel knows no way, the name alone
 *
 * The code of the kill switch's rules is not set: see nftables_compile(). policy_free() when done.
 */
void policy_make(struct policy *policy, const struct config *config, const struct gateway_path path[FAMILIES],
		 const struct host *host);

/* killswitch_make - the desired kill switch alone; guard_free() when done */
void killswitch_make(struct guard *guard, const struct config *config, const struct gateway_path path[FAMILIES],
		     const struct host *host);
void policy_free(struct policy *policy);

/* policy_find_route - to the gateway of a family, NULL where none; its interface is 0 where the kernel knows no way */
const struct route *policy_find_route(const struct policy *policy, int family);

#endif

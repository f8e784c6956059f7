/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "kernel/netlink.h"
#include "model/choice.h"

/*
 * gateway_find - on which interface each gateway is
 * @route: a NETLINK_ROUTE socket
 * @chosen: what is remembered; NULL to choose anew, whatever the kernel has of ours
 * @exits: their interfaces are set, except where there is no route, or one that was not chosen; those without a next hop are
 *	there, up, and have an address to masquerade with, or that is a reason too
 *
 * Where nothing is remembered, a route of ours to the very gateway tells what was chosen. Looks at one interface alone
 * where one is remembered or named, else at all.
 * Of several gateways each has its reasons for itself, in its exit's `missing`, and none is in @report. What is `apart` is
 * passed over.
 * Returns how many reasons there are, each in @report, for which a gateway was not found (EX_CONFIG where it is not on a
 * network of this host, or on another interface than it was): one that both have, [gateway] interface, counts once. Needs
 * no privileges.
 */
unsigned int gateway_find(struct netlink *route, const struct config *config, const struct choices *chosen,
			  struct exits *exits, struct report *report);

/* gateway_advise - warn where no interface is named and more than one could be the gateway's; looks at all interfaces */
void gateway_advise(struct netlink *route, const struct config *config, const struct exits *exits, struct report *report);

/* gateway_is_local - whether @address is one of this host's own; false too where the kernel can't say */
bool gateway_is_local(struct netlink *route, const struct address *address);

/*
 * gateway_host_route - whether a route of this host's own, other than a default one, leads to @address
 * @network: set to where it leads
 * @interface: set to the interface by which it leads there
 */
bool gateway_host_route(struct netlink *netlink, const struct address *address, struct prefix *network,
			char interface[IFNAMSIZ]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "netlink.h"
#include "policy.h"

/*
 * gateway_find - by which interface the kernel reaches each gateway
 * @route: a NETLINK_ROUTE socket
 * @path: set; zero where there is no way
 *
 * Returns 0, or -1 with the reasons in @report (EX_CONFIG where a gateway is not on a network of this
 * host). Needs no privileges.
 */
int gateway_find(struct netlink *route, const struct config *config, struct gateway_path path[FAMILIES],
		 struct report *report);

/* gateway_is_local - whether @address is one of this host's own; false too where the kernel can't say */
bool gateway_is_local(struct netlink *route, const struct address *address);

#endif

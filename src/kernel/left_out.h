/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LEFT_OUT_H
#define LEFT_OUT_H

#include "config/config.h"
#include "kernel/netlink.h"
#include "model/host.h"

/*
 * left_out_find - look which interfaces are left out
 * @route: a NETLINK_ROUTE socket
 *
 * An interface is left out where it has addresses, and all of them lie outside the clients' subnets of families that
 * are covered. One without an address is a client's, lest a tunnel is left out that is about to get its own.
 * Its cost grows with the number of interfaces. No more than GUARD_LEFT_OUT are left out; of further ones is warned. Returns 0, or
 * -1 with the reason in @report (EX_CONFIG where it is the one that [clients] interface names).
 */
int left_out_find(struct host *host, const struct config *config, struct netlink *route, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CAPACITY_H
#define CAPACITY_H

#include "config/config.h"
#include "kernel/netlink.h"

#define CAPACITY_NEAR 80	/* percent of what there is, above which is warned */

/*
 * capacity_advise - warn of what this host runs out of, and of what of it is in the way of [gateway] ports
 * @nft: a NETLINK_NETFILTER socket
 *
 * The table of tracked flows nearly full, or of a size that one client may fill; the ports that clients get toward one
 * far end nearly used up; programs that listen on such a port. Its cost grows with the number of sockets, and of flows
 * where there are many: for `up`, `status` and `check`.
 */
void capacity_advise(const struct config *config, struct netlink *nft, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

#include "base/address.h"
#include "kernel/netlink.h"

/*
 * neighbour_answers - whether a neighbour answers ARP or ND, as far as the kernel knows
 * @route: a NETLINK_ROUTE socket
 * @interface: index
 *
 * Where the kernel knows nothing yet it is told to ask, which needs CAP_NET_ADMIN, and given NEIGHBOUR_PATIENCE_MS.
 */
bool neighbour_answers(struct netlink *route, const struct address *address, unsigned int interface);

#define NEIGHBOUR_PATIENCE_MS 100

#endif

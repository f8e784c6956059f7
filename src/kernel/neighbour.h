/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

#include "base/address.h"
#include "kernel/netlink.h"

/* A neighbour that is asked for. */
struct asked {
	const struct address *address;
	unsigned int interface;		/* index */
	bool answers;			/* what came of it */
	bool open;			/* none yet */
};

/*
 * neighbours_answer - whether neighbours answer ARP or ND, as far as the kernel knows
 * @route: a NETLINK_ROUTE socket
 *
 * Where the kernel knows nothing yet it is told to ask, which needs CAP_NET_ADMIN, and given NEIGHBOUR_PATIENCE_MS for all.
 */
void neighbours_answer(struct netlink *route, struct asked *asked, size_t count);

#define NEIGHBOUR_PATIENCE_MS 100

#endif

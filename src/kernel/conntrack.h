/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "base/address.h"
#include "kernel/netlink.h"

/*
 * conntrack_check - asked when flows are listed, and before any is deleted: @ends, which is true for all, is to be false
 *	for those of the list whose flows are not to end any more
 */
typedef void (*conntrack_check)(bool *ends, void *data);

/*
 * conntrack_end - delete the flows from and to each of @whose: an address, or of IPv6 a network
 * @netfilter: a NETLINK_NETFILTER socket
 * @check: NULL where nothing can have changed meanwhile
 *
 * The kernel has no index for this, and looks at all flows there are. Those of up to three IPv4 addresses it selects; of more, and
 * of IPv6, all are listed once, however many @whose are: its selection takes any IPv6 address but the one that is named
 * (seen up to 6.18). What is listed is deleted by its tuple, in whatever conntrack zone, and by its number, which spares
 * a newer flow with the same tuple; many in one datagram. With 100,000 flows of others 50 ms for an IPv4 address and
 * 200 ms for any number; 4 us more for each flow that is deleted.
 *
 * Returns 0, or -1 with what the kernel said: it needs nf_conntrack_netlink.
 */
int conntrack_end(struct netlink *netfilter, const struct prefix *whose, size_t count, conntrack_check check, void *data,
		  struct netlink_error *error);

/* conntrack_warn - that it has failed, and what to do */
void conntrack_warn(const struct prefix *whose, size_t count, const struct netlink_error *error, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "base/address.h"
#include "kernel/netlink.h"

/*
 * conntrack_forget - delete the flows from and to @network, which is one address, or in IPv6 more
 * @netfilter: a NETLINK_NETFILTER socket
 *
 * Linux 6.11 and later select IPv4 flows by themselves. Earlier ones list them, and IPv6 flows are listed by all: the
 * kernel's selection takes any IPv6 address but the one that is named (seen up to 6.18). What is listed is deleted by
 * its tuple, in whatever conntrack zone, many flows in one datagram. The time grows with all flows there are: with
 * 100,000 of others 50 ms for an IPv4 address and 190 ms for an IPv6 one, and 0.5 s for 120,000 of @network itself.
 * Needs nf_conntrack_netlink. Warns in @report where the kernel refuses: the next holder of the address may get packets
 * of the former one's flows then.
 */
void conntrack_forget(struct netlink *netfilter, const struct prefix *network, struct report *report);

#endif

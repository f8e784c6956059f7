/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "base/address.h"
#include "kernel/netlink.h"

/*
 * conntrack_forget - delete the flows from and to clients' addresses
 * @netfilter: a NETLINK_NETFILTER socket
 * @network: @count of either family, in IPv4 addresses; they are put in order
 *
 * All flows of a family are listed once, however many the addresses are. Of one IPv4 address Linux 6.11 and later select
 * the flows by themselves, and earlier ones list them. In IPv6 the kernel's selection takes any address but the one that
 * is named (seen up to 6.18). What is listed is deleted by its tuple, in whatever conntrack zone, many flows in one datagram. The time grows with all flows there are: with
 * 100,000 of others 50 ms for an IPv4 address and 190 ms for an IPv6 one, and 0.5 s for 120,000 of the address itself.
 * Needs nf_conntrack_netlink. Warns in @report where the kernel refuses: the next holder of the address may get packets
 * of the former one's flows then.
 */
void conntrack_forget(struct netlink *netfilter, struct prefix *network, size_t count, struct report *report);

#endif

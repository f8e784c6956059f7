/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "address.h"
#include "netlink.h"

/*
 * conntrack_forget - delete the flows from and to @address
 * @netfilter: a NETLINK_NETFILTER socket
 *
 * IPv4 flows are selected by the kernel (Linux 5.8, nf_conntrack_netlink), in a time that grows with all
 * flows there are: 50 ms with 100,000 of them. IPv6 flows are dumped and deleted one by one: the kernel's
 * selection takes all addresses but the one that is named (seen on 6.18). Warns in @report where the kernel
 * refuses: the next holder of the address may get packets of the former one's flows then.
 */
void conntrack_forget(struct netlink *netfilter, const struct address *address, struct report *report);

#endif

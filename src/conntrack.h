/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include "address.h"
#include "netlink.h"

/* The two ways in which a flow can be a client's. */
enum flow_side { FLOW_FROM_CLIENT, FLOW_TO_CLIENT };

/* conntrack_delete - a request to delete the flows of @address, in @buffer of NETLINK_MESSAGE_SIZE bytes */
struct nlmsghdr *conntrack_delete(void *buffer, const struct address *address, enum flow_side side);

/*
 * conntrack_forget - delete the flows from and to @address
 * @netfilter: a NETLINK_NETFILTER socket
 *
 * The kernel selects them (Linux 5.8, nf_conntrack_netlink). Warns in @report where it can't: the next
 * holder of the address may get packets of the former one's flows then.
 */
void conntrack_forget(struct netlink *netfilter, const struct address *address, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DEVICE_H
#define DEVICE_H

#include "kernel/netlink.h"

/*
 * What a tunnel has carried since it was made, in bytes of packets, as ocserv counts for STATS_BYTES_IN and
 * STATS_BYTES_OUT.
 */
struct device_bytes {
	uint64_t in;	/* from the client: what ocserv has written to the device, so the kernel has received it */
	uint64_t out;	/* to the client */
};

/*
 * device_read_bytes - by RTM_GETLINK
 * @route: a NETLINK_ROUTE socket
 * @name: of the device
 *
 * Returns false where there is no such device, or the kernel does not tell.
 */
bool device_read_bytes(struct netlink *route, const char *name, struct device_bytes *bytes);

/* device_take_bytes - a netlink_handler of RTM_NEWLINK; @data: struct device_bytes */
int device_take_bytes(const struct nlmsghdr *message, void *data);

#endif

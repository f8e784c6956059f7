/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DEVICE_H
#define DEVICE_H

#include "kernel/netlink.h"

/*
 * What a device has carried since it was made, in bytes of packets: those of a tunnel as ocserv counts for STATS_BYTES_IN
 * and STATS_BYTES_OUT.
 */
struct device_traffic {
	uint64_t in;	/* from the client: what ocserv has written to the device, so the kernel has received it */
	uint64_t out;	/* to the client */
	uint64_t packets_in, packets_out;
};

/*
 * device_read_traffic - by RTM_GETLINK
 * @route: a NETLINK_ROUTE socket
 * @name: of the device
 *
 * Returns false where there is no such device, or the kernel does not tell.
 */
bool device_read_traffic(struct netlink *route, const char *name, struct device_traffic *bytes);

/* device_take_traffic - a netlink_handler of RTM_NEWLINK; @data: struct device_traffic */
int device_take_traffic(const struct nlmsghdr *message, void *data);

/* Where a device stands among others; indices, 0 where there is none in this network namespace. */
struct device_place {
	unsigned int lower;	/* the device whose packets it unpacks: a VLAN's */
	unsigned int master;	/* the bridge, bond or VRF that has it */
};

/* device_read_place - by RTM_GETLINK; false where there is no such device, or the kernel does not tell */
bool device_read_place(struct netlink *route, unsigned int index, struct device_place *place);

/* device_take_place - a netlink_handler of RTM_NEWLINK; @data: struct device_place */
int device_take_place(const struct nlmsghdr *message, void *data);

#endif

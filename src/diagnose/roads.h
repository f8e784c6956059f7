/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ROADS_H
#define ROADS_H

#include "diagnose/registers.h"
#include "kernel/netlink.h"
#include "model/present.h"

/* The kernel's own answers to where packets go and come from. */

struct roads {
	struct netlink *route;		/* a NETLINK_ROUTE socket; NULL: nothing is known */
	const struct present *present;	/* with all policy rules */
};

/* A packet that comes in. */
struct way_question {
	struct address source, destination;
	unsigned int incoming;		/* index */
	uint32_t mark;
	uint16_t port;			/* of TCP, that it goes to; 0: rules about protocols are not asked */
};

/*
 * roads_way - where the kernel sends such a packet
 *
 * Returns 0 with @route, which is to be freed, or -1 with what the kernel says.
 */
int roads_way(const struct roads *roads, const struct way_question *question, struct route *route,
	      struct netlink_error *error);

/* roads_depend - whether a policy rule of @family has a selector of this name, such as "fwmark" */
bool roads_depend(const struct roads *roads, uint8_t family, const char *selector);

struct way_back {
	bool known, found;
	unsigned int interface;		/* index, where it is found */
};

/*
 * roads_way_back - what the expression fib, and the match rpfilter, find for an address
 * @other: the packet's other address, which policy rules may be about
 * @interface: index that it must lead to; 0 for any
 *
 * They look up as if the packet were this host's own.
 */
struct way_back roads_way_back(const struct roads *roads, const struct address *address, const struct address *other,
			       unsigned int interface, uint32_t mark);

/* roads_type - RTN_UNICAST, RTN_LOCAL ... of an address, as table local has it; RTN_UNSPEC where that is not known */
uint8_t roads_type(const struct roads *roads, const struct address *address);

/* roads_have_policies - whether IPsec policies are in the kernel; true where it does not say */
bool roads_have_policies(void);

/*
 * roads_own_address - this host's own address, as masquerading takes it; false where it has none. No packet is sent.
 * @nexthop: AF_UNSPEC: none; then it is that of @interface, of its several the one in the network of @destination
 */
bool roads_own_address(const struct address *nexthop, const struct address *destination, const char *interface,
		       struct address *own);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RTNETLINK_H
#define RTNETLINK_H

#include "model/routing.h"

#include <libmnl/libmnl.h>

/* Routing as rtnetlink messages. All of it is pure: sending is netlink.h's. */

#define RTNETLINK_OBJECT_SIZE 4096	/* of a rule or route as a message; the kernel's have some 100 bytes */

/* Requests, written to @buffer of NETLINK_MESSAGE_SIZE bytes. */
struct nlmsghdr *rtnetlink_dump_rules(void *buffer);
struct nlmsghdr *rtnetlink_dump_routes(void *buffer, uint32_t table);	/* of both families */
struct nlmsghdr *rtnetlink_add_rule(void *buffer, const struct rule *rule);
struct nlmsghdr *rtnetlink_delete_rule(void *buffer, const struct rule *rule);
struct nlmsghdr *rtnetlink_add_route(void *buffer, const struct route *route);
struct nlmsghdr *rtnetlink_delete_route(void *buffer, const struct route *route);

/* Of one family; @interface: index, 0 for all. Older kernels dump all in any case. */
struct nlmsghdr *rtnetlink_dump_addresses(void *buffer, uint8_t family, unsigned int interface);
struct nlmsghdr *rtnetlink_dump_neighbours(void *buffer, uint8_t family);
struct nlmsghdr *rtnetlink_get_neighbour(void *buffer, const struct address *address, unsigned int interface);
struct nlmsghdr *rtnetlink_replace_neighbour(void *buffer, const struct neighbour *neighbour);
struct nlmsghdr *rtnetlink_delete_neighbour(void *buffer, const struct neighbour *neighbour);

/*
 * rtnetlink_get_route - ask for the route to @destination
 * @interface: index that it must leave via; 0 for any. The answer then shows the matching entry of the
 *	table, since the kernel takes every destination for on-link on an interface that is named.
 */
struct nlmsghdr *rtnetlink_get_route(void *buffer, const struct address *destination, unsigned int interface);

/* rtnetlink_get_client_route - ask for the route of a packet that comes in on the interface with this index, marked so */
struct nlmsghdr *rtnetlink_get_client_route(void *buffer, const struct address *source,
					    const struct address *destination, unsigned int incoming, uint32_t mark);

/*
 * rtnetlink_parse_rule, rtnetlink_parse_route - an RTM_NEWRULE, RTM_NEWROUTE as the kernel sent it
 *
 * Return false for another message, and for what is not of IPv4 or IPv6 (multicast routing rules are dumped along), is
 * larger than RTNETLINK_OBJECT_SIZE or makes no sense. rule_free() or route_free() what was parsed.
 */
bool rtnetlink_parse_rule(const struct nlmsghdr *message, struct rule *rule);
bool rtnetlink_parse_route(const struct nlmsghdr *message, struct route *route);

/* An address of an interface. Whether it can be used already, or has a route, does not matter. */
struct interface_address {
	unsigned int interface;	/* index */
	bool link_local;	/* of the scope of a link */
	uint8_t length;		/* of the prefix that it makes on-link: that of the peer */
	struct address own;	/* AF_UNSPEC where it is of neither IPv4 nor IPv6 */
	struct address peer;	/* on a point-to-point link that of the other end, which may have none; else the same */
};

/* rtnetlink_parse_address - an RTM_NEWADDR; false for another message, and for what makes no sense */
bool rtnetlink_parse_address(const struct nlmsghdr *message, struct interface_address *address);

/*
 * rtnetlink_parse_neighbour - an RTM_NEWNEIGH; one without a hardware address of Ethernet has none known
 *
 * Returns false for what is not of IPv4 or IPv6 or makes no sense.
 */
bool rtnetlink_parse_neighbour(const struct nlmsghdr *message, struct neighbour *neighbour);

/* rtnetlink_take_route - a netlink_handler for the answer to a question: @data is its struct route, zero before */
int rtnetlink_take_route(const struct nlmsghdr *message, void *data);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RTNETLINK_H
#define RTNETLINK_H

#include "routing.h"

#include <libmnl/libmnl.h>

/* Routing as rtnetlink messages. All of it is pure: sending is netlink.h's. */

#define RTNETLINK_OBJECT_SIZE 4096	/* of a rule or route as a message; the kernel's have some 100 bytes */

/* Requests, written to @buffer of NETLINK_MESSAGE_SIZE bytes. */
struct nlmsghdr *rtnetlink_dump_rules(void *buffer);
struct nlmsghdr *rtnetlink_dump_routes(void *buffer, uint32_t table);	/* of both families */
struct nlmsghdr *rtnetlink_dump_addresses(void *buffer);		/* of all interfaces, of both families */
struct nlmsghdr *rtnetlink_add_rule(void *buffer, const struct rule *rule);
struct nlmsghdr *rtnetlink_delete_rule(void *buffer, const struct rule *rule);
struct nlmsghdr *rtnetlink_add_route(void *buffer, const struct route *route);
struct nlmsghdr *rtnetlink_delete_route(void *buffer, const struct route *route);

/*
 * rtnetlink_get_route - ask for the way to @destination
 * @interface: index that it must leave by; 0 for any. The answer then shows the matching entry of the
 *	table, since the kernel takes every destination for on-link on an interface that is named.
 */
struct nlmsghdr *rtnetlink_get_route(void *buffer, const struct address *destination, unsigned int interface);

/* rtnetlink_get_client_route - ask for the way of a packet that comes in by the interface with this index */
struct nlmsghdr *rtnetlink_get_client_route(void *buffer, const struct address *source,
					    const struct address *destination, unsigned int incoming);

/*
 * rtnetlink_parse_rule, rtnetlink_parse_route - an RTM_NEWRULE, RTM_NEWROUTE as the kernel sent it
 *
 * Return false for what is not of IPv4 or IPv6 (multicast routing rules are dumped along), is larger than
 * RTNETLINK_OBJECT_SIZE or makes no sense. rule_free() or route_free() what was parsed.
 */
bool rtnetlink_parse_rule(const struct nlmsghdr *message, struct rule *rule);
bool rtnetlink_parse_route(const struct nlmsghdr *message, struct route *route);

/* rtnetlink_take_route - a netlink_handler for the answer to a question: @data is its struct route, zero before */
int rtnetlink_take_route(const struct nlmsghdr *message, void *data);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ROUTING_H
#define ROUTING_H

#include "base/address.h"
#include "base/text.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* Policy rules and routes: as they are wanted, and as the kernel has them. */

/* Who made a rule or route (RTA_PROTOCOL); etc/rt_protos.d names it for ip(8). */
#define ROUTING_PROTOCOL 111

struct rule {
	uint8_t family;
	uint32_t priority;
	struct prefix source;		/* AF_UNSPEC: from all */
	struct prefix destination;	/* AF_UNSPEC: to all */
	char incoming[IFNAMSIZ];	/* the interface that its packets come in by; "" for any; lo: sent by this host */
	bool inverted;			/* matches what the above do not */
	uint8_t action;			/* FR_ACT_TO_TBL, FR_ACT_PROHIBIT, ... (linux/fib_rules.h) */
	uint32_t table;			/* with FR_ACT_TO_TBL; with FR_ACT_GOTO the priority to go on at */
	int suppress_prefixlength;	/* -1 where the rule has none */
	uint8_t protocol;
	uint32_t mark, mask;		/* of packets with this mark in these bits; mask 0: whichever; in `other` too */
	char *other;			/* what it has beyond the above, as ip(8) writes it; NULL where nothing */

	/* Of a rule read from the kernel alone. */
	bool shadows;		/* the kernel takes it for equal to one without what is in `other` */
	bool local_only;	/* about packets that this host sends, marked ones, or those of a VRF: never those of clients */
	bool by_mark_alone;	/* that is so for its mark, which clients' packets may have where there are several gateways */
	struct text message;	/* the payload of its RTM_NEWRULE, to delete exactly this one */
};

struct route {
	uint8_t family;
	uint32_t table;
	uint8_t destination_length;	/* bits; 0 is the default route, all that we ever install */
	struct address destination;
	struct address gateway;		/* AF_UNSPEC: none */
	unsigned int interface;		/* index; 0: none */
	char interface_name[IFNAMSIZ];	/* "" in a route that was read; asked for where it is printed */
	uint32_t metric;
	uint8_t type;			/* RTN_UNICAST, ... (linux/rtnetlink.h) */
	uint8_t protocol;

	/* Of a route that is to be added alone. */
	bool onlink;			/* the kernel does not ask the policy rules whether the gateway is a neighbour */

	/* Of a route read from the kernel alone. */
	uint8_t tos;
	struct prefix source;		/* AF_UNSPEC: from all */
	char *other;			/* what it has beyond the above, in words; NULL where nothing */
	bool indirect;			/* its route is not, or not only, `gateway` on `interface` */
	struct text message;		/* the payload of its RTM_NEWROUTE, to delete exactly this one */
};

/* A permanent entry for the gateway: what answers ARP or ND for it is not asked. */
struct neighbour {
	struct address address;
	unsigned int interface;		/* index; 0: not known */
	char interface_name[IFNAMSIZ];	/* "" in one that was read; asked for where it is printed */
	struct mac mac;
	uint8_t protocol;		/* NDA_PROTOCOL, Linux 5.0 */
	uint16_t state;			/* NUD_PERMANENT, ... (linux/neighbour.h) */
};

/* IPv6 routes without a metric get this one (IP6_RT_PRIO_USER). */
#define ROUTE_METRIC_IPV6 1024

/* rule_equal, route_equal - the same but for who made it */
bool rule_equal(const struct rule *a, const struct rule *b);
bool route_equal(const struct route *a, const struct route *b);

/* route_is_known - whether it says of itself where it leads: an interface alone, if it is not there, does not */
bool route_is_known(const struct route *wanted);

/* route_same_way - whether @present, read from the kernel, takes packets just where @wanted does; its interface may be 0 */
bool route_same_way(const struct route *present, const struct route *wanted);

/* route_denies - whether what it matches goes nowhere */
bool route_denies(const struct route *route);

/* rule_is_local - whether it looks up table local for every packet, as the kernel's own at priority 0 */
bool rule_is_local(const struct rule *rule);

/* rule_add_text - as the arguments of `ip rule add`, without the protocol */
void rule_add_text(struct text *text, const struct rule *rule);

/* route_add_text - as the arguments of `ip route add`, without the protocol */
void route_add_text(struct text *text, const struct route *route);

/*
 * neighbour_add_text - as the arguments of `ip neigh replace`, without the protocol
 * neighbour_add_interface - the name of its interface, as sh reads it
 */
void neighbour_add_text(struct text *text, const struct neighbour *neighbour);
void neighbour_add_interface(struct text *text, const struct neighbour *neighbour);

void rule_free(struct rule *rule);
void route_free(struct route *route);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PACKET_H
#define PACKET_H

#include "base/address.h"
#include "diagnose/registers.h"

#include <net/if.h>

#define USUAL_PORT 443U		/* what a usual packet is: the first one of a TCP connection to this port */

/* A packet on its path through this host, as far as it is known. */
struct packet {
	int family;			/* IPV4, IPV6 */
	char incoming[IFNAMSIZ], outgoing[IFNAMSIZ];	/* "" where it has none yet, or no more */
	bool on_wire;			/* the interface that it came by has link-layer headers */
	struct address source, destination;	/* AF_UNSPEC: any */
	uint32_t source_open, destination_open;	/* OPEN_ADDRESS where NAT may have changed it */
	bool routed;
	struct address nexthop;		/* AF_UNSPEC: not known */
	bool local;			/* it is for this host */
	uint32_t mark, mark_open;

	/* Of its flow. */
	bool reply;
	bool later;			/* not the first one: the flow has been answered */
	struct address behind_nat;	/* the destination of a reply once NAT is undone; AF_UNSPEC where there was none */
	struct address first_source, first_destination;	/* of the flow's first packet */
	bool untracked;
	uint32_t flow_mark, flow_mark_open;
	uint32_t flow_open;		/* whether it is tracked, or NAT has changed it, may not be known */

	/* A session is taken for live whatever routes say: this address is behind this tunnel. */
	struct address assumed;
	char assumed_tunnel[IFNAMSIZ];
};

/* Where it is looked at. */
struct place {
	uint32_t family;		/* of the table: NFPROTO_INET, ... */
	uint32_t hook;			/* NF_INET_PRE_ROUTING, ... */
	int32_t priority;
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DATAGRAM_H
#define DATAGRAM_H

#include "base/address.h"

#include <stddef.h>

/* IP packets with ICMP echo and TCP in them, as bytes. All of it is pure. */

#define DATAGRAM_MOST 1400	/* bytes of what is made here */

/* A segment of TCP, or where `protocol` is ICMP's a message. */
struct datagram {
	struct address source, destination;
	uint8_t protocol;		/* IPPROTO_TCP; IPPROTO_ICMP or IPPROTO_ICMPV6, by family */

	uint16_t from, to;		/* TCP: ports; host byte order */
	uint32_t sequence, acknowledged;
	uint8_t flags;			/* TH_SYN, ... (netinet/tcp.h) */

	uint8_t type, code;		/* ICMP */
	uint16_t id;			/* of an echo */
	struct address quoted;		/* the destination of the packet that an ICMP error quotes; else AF_UNSPEC */

	const void *data;
	size_t size;
};

/* datagram_make - to @bytes; returns how many */
size_t datagram_make(uint8_t bytes[DATAGRAM_MOST], const struct datagram *datagram);

/* datagram_parse - @datagram points into @bytes; false for anything else */
bool datagram_parse(struct datagram *datagram, const uint8_t *bytes, size_t size);

#endif

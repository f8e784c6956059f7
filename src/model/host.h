/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HOST_H
#define HOST_H

#include "model/guard.h"

#define HOST_LENGTHS 8

/* What of this host the kill switch depends on, besides the configuration and the routes to the gateways. */
struct host {
	bool ipsec;		/* setting_ipsec() */
	bool fast;		/* flows that the kill switch has let through go by a flow table; see fast_path.h */
	/* Interfaces that [clients] interface matches, but that are no tunnels of clients: the host's other VPN. */
	char left_out[GUARD_LEFT_OUT][IFNAMSIZ];
	unsigned int left_outs;
	/* With several gateways: how many bits of an IPv6 address sessions have of their own (ocserv's ipv6-subnet-prefix), but 128. */
	uint8_t length[HOST_LENGTHS];
	unsigned int lengths;
};

/* host_leaves_out - whether the interface with this name is left out */
bool host_leaves_out(const struct host *host, const char *name);

/*
 * host_read_lengths - of a text such as "64 80"
 * host_add_length - one more; false where there is no room for it
 */
void host_read_lengths(struct host *host, const char *text);
bool host_add_length(struct host *host, uint8_t length);

/* host_lengths_text - the text that host_read_lengths() reads */
#define HOST_LENGTHS_TEXT (4 * HOST_LENGTHS + 1)
const char *host_lengths_text(const struct host *host, char text[HOST_LENGTHS_TEXT]);

#endif

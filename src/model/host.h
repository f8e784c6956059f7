/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HOST_H
#define HOST_H

#include "model/guard.h"

/* What of this host the kill switch depends on, besides the configuration and the routes to the gateways. */
struct host {
	bool ipsec;		/* setting_ipsec() */
	/* Interfaces that [clients] interface matches, but that are no tunnels of clients: the host's other VPN. */
	char left_out[GUARD_LEFT_OUT][IFNAMSIZ];
	unsigned int left_outs;
};

/* host_leaves_out - whether the interface with this name is left out */
bool host_leaves_out(const struct host *host, const char *name);

#endif

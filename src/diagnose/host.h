/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HOST_H
#define HOST_H

#include "config/config.h"
#include "kernel/netlink.h"
#include "model/guard.h"

/* What of this host the kill switch depends on, beside the configuration and the ways to the gateways. */
struct host {
	bool ipsec;		/* host_has_ipsec() */
	/* Interfaces that [clients] interface matches, but that are no tunnels of clients: the host's other VPN. */
	char left_out[GUARD_LEFT_OUT][IFNAMSIZ];
	unsigned int left_outs;
};

/*
 * host_find_left_out - look which interfaces are left out
 * @route: a NETLINK_ROUTE socket
 *
 * An interface is left out where it has addresses, and all of them lie outside the clients' subnets of families that
 * are governed. One without an address is a client's, lest a tunnel is left out that is about to get its own.
 * Its cost grows with the number of interfaces. No more than GUARD_LEFT_OUT are left out; of further ones is warned. Returns 0, or
 * -1 with the reason in @report (EX_CONFIG where it is the one that [clients] interface names).
 */
int host_find_left_out(struct host *host, const struct config *config, struct netlink *route, struct report *report);

/* host_has_ipsec - whether the kernel knows IPsec policies (XFRM) */
bool host_has_ipsec(void);

/* host_setting - the digit in a file of /proc/sys/net, of which @name is the rest of the path; -1 where there is none */
int host_setting(const char *name);

/* host_leaves_out - whether the interface with this name is left out */
bool host_leaves_out(const struct host *host, const char *name);

#endif

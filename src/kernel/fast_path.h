/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAST_PATH_H
#define FAST_PATH_H

#include "kernel/observe.h"
#include "model/exit.h"
#include "model/host.h"
#include "model/wanted.h"

/*
 * The fast path ([gateway] fast_path): a flow that the kill switch has let through to a gateway goes on by a flow table, past
 * all chains. Each packet is still looked up by its interface and addresses, and the route that the flow was judged with is
 * still asked whether it holds: where it does not, the packet goes by the chains, and the flow with it.
 *
 * That question is not asked where the kernel sends a flow straight to the port of a bridge. So an interface that is a port, or
 * stands on another one of the flow table, is not fit.
 */

/* An interface of this host. */
struct link {
	unsigned int index;
	unsigned int master;	/* the bridge, bond or VRF that has it; 0: none */
	unsigned int lower;	/* what it is built on, such as a VLAN; 0: nothing in this network namespace */
	char name[IFNAMSIZ];
};

struct links {
	struct link *link;
	size_t count;
};

/*
 * fast_path_read - all interfaces of this host, or with @name that one, if it is there
 *
 * Returns 0, or -1 with the reason in @report. free() what `link` is.
 */
int fast_path_read(struct links *links, const char *name, struct netlink *route, struct report *report);

/* fast_path_take_link - a netlink_handler of RTM_NEWLINK; @data: struct links */
int fast_path_take_link(const struct nlmsghdr *message, void *data);

/*
 * fast_path_unfit - whether an interface that leads to a gateway is not fit
 * @why: a part of a sentence that says which, and why; nothing where all are
 */
bool fast_path_unfit(const struct exits *exits, const struct links *links, struct text *why);

/*
 * fast_path_refused - whether this kernel has no flow tables as they are needed: one transaction that is never committed
 * @why: as that of fast_path_unfit()
 *
 * Its modules are loaded, nothing else changes.
 */
bool fast_path_refused(struct netlink *nft, struct text *why);

/* fast_path_add_devices - to the flow table of @guard: gateways' interfaces, and of @links tunnels */
void fast_path_add_devices(struct guard *guard, const struct config *config, const struct exits *exits, const struct host *host,
			   const struct links *links);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLES_H
#define FLOWTABLES_H

#include "config/config.h"
#include "diagnose/ruleset.h"
#include "kernel/converge.h"

/*
 * Flow tables of nf_tables (nft `flowtable`). A rule of a forward chain adds a flow (`flow add @NAME`), for both of its ways.
 * From then on what comes in on a device of the flow table leaves as the flow once did, past all forward chains, those of the
 * kill switch among them.
 */

struct flowtable {
	uint32_t family;			/* of its table: NFPROTO_INET, ... */
	char *table, *name;
	struct interface_pattern *device;	/* a name, or of Linux 6.17 the beginning of several */
	size_t devices;
};

struct flowtables {
	struct flowtable *flowtable;
	size_t count;
};

/* flowtables_take - a netlink_handler for one message of a dump of flow tables; @flowtables: struct flowtables */
int flowtables_take(const struct nlmsghdr *message, void *flowtables);
void flowtables_free(struct flowtables *flowtables);

/*
 * flowtables_judge - warn of each flow table that has a client's tunnel, a gateway's interface or what that is built on
 *	among its devices, and to which a rule adds clients' flows; a note where a rule may, depending on what is not known
 * @ruleset: the rules of others
 * @route: for questions about routes, which some rules ask; NULL where there are none
 */
void flowtables_judge(const struct flowtables *flowtables, const struct config *config, const struct situation *situation,
		      const struct ruleset *ruleset, struct netlink *route, struct report *report);

/*
 * flowtables_check - the same of this host
 * @ruleset: NULL: read where a flow table has such a device, and not at all else
 *
 * What can't be read is a warning.
 */
void flowtables_check(const struct config *config, const struct situation *situation, struct sockets *sockets,
		      const struct ruleset *ruleset, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WANTED_H
#define WANTED_H

#include "model/exit.h"
#include "model/guard.h"
#include "model/host.h"
#include "model/routing.h"

/* The state that the configuration asks of the kernel. */
struct wanted {
	struct rule *rule;	/* in the order of installation: the rules to the gateway are the last of a family */
	size_t rules;
	struct route *route;
	size_t routes;
	struct neighbour neighbour[EXITS];	/* of gateways with a hardware address */
	size_t neighbours;
	struct address former[EXITS];	/* the gateways' at the run before */
	size_t formers;
	struct guard guard;	/* no chains where nothing is covered */
};

/*
 * wanted_make - the desired policy rules, routes and kill switch
 *
 * The code of the kill switch's rules is not set: see nftables_compile(). wanted_free() when done.
 */
void wanted_make(struct wanted *wanted, const struct config *config, const struct exits *exits, const struct host *host);

/* wanted_guard_make - the desired kill switch alone; guard_free() when done. Its comments have parts in @config and @exits. */
void wanted_guard_make(struct guard *guard, const struct config *config, const struct exits *exits, const struct host *host);
void wanted_free(struct wanted *wanted);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PLAN_H
#define PLAN_H

#include "base/report.h"
#include "model/present.h"
#include "model/wanted.h"

/*
 * The steps from the present state of the kernel to the wanted one. Nothing else changes the kernel,
 * and a step can be printed (script.h) as well as applied (apply.h).
 *
 * Installing goes from what denies to what permits: kill switch, neighbours, routes, rules, of which the wanted state
 * rule is the last. Removing goes the other way. So no packet of a client leaks between any two steps,
 * and a run may end at every point.
 */

enum step_kind {
	STEP_GUARD_LOAD,	/* the whole table in one transaction, in place of the old one */
	STEP_GUARD_REMOVE,
	STEP_SESSIONS,		/* the changes of the map of sessions and of the flow table's tunnels, in one transaction */
	STEP_SETTING,		/* a file of /proc/sys/net; it stays when all else is removed */
	STEP_NEIGHBOUR_REPLACE, STEP_NEIGHBOUR_REMOVE,
	STEP_ROUTE_ADD, STEP_ROUTE_REMOVE,
	STEP_RULE_ADD, STEP_RULE_REMOVE,
};

/* Points into the wanted and the present state that the plan was made from. */
struct step {
	enum step_kind kind;
	bool replace;			/* with STEP_GUARD_LOAD: the table exists */
	const struct guard *guard;		/* with STEP_SESSIONS the one whose map they are of */
	const struct guard_change *change;	/* with STEP_SESSIONS, so many */
	size_t changes;
	const struct guard_device *device;	/* the same */
	size_t devices;
	const struct route *route;
	const struct rule *rule;
	const struct neighbour *neighbour;
	const struct setting_step *setting;
};

/* The two that fail closed, each by itself. */
enum layer { LAYER_ROUTING, LAYER_KILLSWITCH, LAYERS };

struct plan {
	struct step *step;
	size_t steps;
	struct guard_change *change;	/* what becomes of sessions, be it by STEP_SESSIONS or with the whole table */
	size_t changes;
	struct guard_device *device;	/* what comes to the flow table, or goes, by STEP_SESSIONS */
	size_t devices;
	struct lines problems;		/* what differs from the wanted state, a sentence each */
	size_t wrong[LAYERS];		/* how many of them each layer has, and of the conflicts */
	size_t conflicts;		/* foreign objects that are in the way */

	/* What is as wanted already. */
	const struct guard *intact_guard;	/* NULL where it is not, but for its sessions */
	const struct route **intact_route;
	size_t intact_routes;
	const struct neighbour **intact_neighbour;
	size_t intact_neighbours;
	const struct rule **intact_rule;
	size_t intact_rules;
	bool anything_present;		/* something of ours, intact or not */
};

/*
 * plan_install - to the state of @wanted
 *
 * Of a route or neighbour without an interface it is not known where the gateway is: one by any interface serves, and
 * that there is none is no problem of its own. Such a plan is to be looked at, not to be applied.
 * Returns 0, or -1 with foreign objects in conflict in @report (EX_CONFIG); the plan is of no use then
 * but for its problems. plan_free() when done.
 */
int plan_install(struct plan *plan, const struct config *config, const struct wanted *wanted,
		 const struct present *present, struct report *report);

/* plan_remove - to a state without anything of ours. Returns as plan_install(). */
int plan_remove(struct plan *plan, const struct config *config, const struct wanted *wanted,
		const struct present *present, struct report *report);

/* plan_sessions - to the sessions of @wanted, whatever else is there */
void plan_sessions(struct plan *plan, const struct wanted *wanted, const struct present *present);

void plan_free(struct plan *plan);

/*
 * plan_lacks_local - whether packets to this host itself would meet our rules before a rule that looks up table local
 *
 * The kernel's own stands at priority 0; hosts with VRFs move it behind the rule of these. Of a covered family alone.
 */
bool plan_lacks_local(const struct config *config, const struct wanted *wanted, const struct present *present, int family);

/*
 * plan_find_owned - which policy rules are ours
 * @owned: of @count elements, set
 *
 * Ours are those of our protocol that have one of our priorities, look up our table, or are about our
 * subnets; and those about the same addresses as one of these. So what an earlier configuration left
 * is found, and a second server with priorities, table and subnets of its own is left alone.
 */
void plan_find_owned(const struct config *config, const struct rule *rule, size_t count, bool *owned);

#endif

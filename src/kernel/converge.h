/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONVERGE_H
#define CONVERGE_H

#include "kernel/gateway.h"
#include "kernel/observe.h"
#include "model/plan.h"

/* One look at the kernel and what it means, and the steps from there to the wanted state. */

enum goal { GOAL_INSTALL, GOAL_REMOVE };

/* What is known from earlier runs, and how far to look. */
struct remembered {
	char checkpoint[CHECKPOINT_TEXT];	/* of a kill switch that was found complete, and then is not read again; "" for none */
	bool distrusts;		/* it is read again, whatever the checkpoint */
	struct choices choices;
	struct host known;	/* of this host: the lengths of IPv6 networks */
	const char *device;	/* the tunnel of the session that a hook is of, as it begins; NULL: none */
	bool decides;		/* with fast_path = auto it is found out anew whether there can be one */
	bool move;		/* the gateways' interfaces are to be chosen anew */
	const struct placements *own;	/* as a hook looks: of its session and its gateway alone; NULL: of all */
	/* Adds those of all other sessions, which are asked for then, and where anything is amiss. */
	int (*place_all)(struct placements *all, void *data, struct report *report);
	void *place_data;
	bool quick;		/* as a hook looks: what an earlier configuration left of neighbours may stay */
};

struct situation {
	enum goal goal;		/* that it was read for */
	struct host host;
	struct text slow;		/* with fast_path = auto: why there is no fast path, a sentence; else nothing */
	struct exits exits;	/* with the goal to install they are looked for */
	unsigned int wrong_routes;	/* reasons for which the kernel has no route to a gateway: see gateway_find() */
	struct placements placements;	/* of several gateways: the sessions that are looked at */
	bool partial;			/* they are not all */
	struct wanted wanted;
	struct present present;
	struct plan plan;
	bool planned;		/* the kernel could be read, and compared */
	char checkpoint[CHECKPOINT_TEXT];	/* of the kill switch, where the plan finds nothing wrong with it */
};

/*
 * situation_read - resolve the gateways, observe the kernel, plan toward @goal
 *
 * Of several gateways each is looked for by itself: see struct exit. With @remembered->own of others only the policy rules
 * and the kill switch are, unless anything is found amiss: then all is looked at.
 * Without CAP_NET_ADMIN the plan is that for an empty kernel. Returns 0, or -1 with the reasons in
 * @report; what could be read is there all the same, and compared but for the interface of a gateway to which the
 * kernel has no route.
 * situation_free() in either case.
 */
int situation_read(struct situation *situation, const struct config *config, enum goal goal,
		   const struct remembered *remembered, struct sockets *sockets, struct report *report);
void situation_free(struct situation *situation);

/* situation_of_placements - what of sessions is to be put into the maps of several gateways, or taken out, and nothing else; returns as situation_read() */
int situation_of_placements(struct situation *situation, const struct placements *placements, const struct config *config,
			    struct sockets *sockets, struct report *report);

/* situation_only_begins - whether there is nothing to do but to let a hook's session in: nothing is amiss then */
bool situation_only_begins(const struct situation *situation);

/* goal_of - what the configuration asks for: nothing of ours where no family is covered */
enum goal goal_of(const struct config *config);

enum change { CHANGE_NONE, CHANGE_INSTALLED, CHANGE_REPAIRED, CHANGE_REMOVED };

/*
 * converge - bring the kernel from @situation to the goal that it was read for
 * @change: what was done
 *
 * Reads the kernel again after every change, into @situation, and returns 0 only once nothing is left
 * to do; else -1 with the reason in @report. What was repaired is a warning each there. The caller holds the lock.
 */
int converge(struct situation *situation, const struct config *config, const struct remembered *remembered,
	     struct sockets *sockets, enum change *change, struct report *report);

/*
 * converge_placements - put sessions into the maps of several gateways, or take those that have ended out of them
 * @placements: those that have ended without a gateway
 * @checkpoint: kept true where it was
 *
 * Returns as converge(). The caller holds the lock; the socket is best closed without it, since that waits until the kernel
 * has cleared them away.
 */
int converge_placements(const struct placements *placements, const struct config *config, char checkpoint[CHECKPOINT_TEXT],
		       struct sockets *sockets, struct report *report);

const char *change_text(enum change change);

#endif

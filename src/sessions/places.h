/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PLACES_H
#define PLACES_H

#include "config/maps.h"
#include "model/plan.h"
#include "sessions/session.h"

/* Of several gateways: by which each session leaves. */

/*
 * places_check_maps - that all lines of the files of [maps] are good, where they are not known to be; without the lock this is not
 *	kept for later runs
 * @anew: even then
 *
 * Returns 0, or -1 with the reasons in @report.
 */
int places_check_maps(const struct config *config, const struct state *state, bool anew, struct report *report);

/*
 * places_length - how many bits of its IPv6 address a session has to itself; 128 where it says nothing
 * places_hold_length - that the kill switch is to know it, in @host and, under the lock, for later runs
 *
 * The second returns 0, or -1 with the reason in @report.
 */
uint8_t places_length(const struct session *session);
int places_hold_length(struct host *host, const struct session *session, const struct state *state, struct report *report);

/*
 * places_network - all addresses of a session, of which @text is one: that alone, or in IPv6 as many as IPV6_PREFIX says
 *
 * The kill switch looks for the first of them. False where @text is no address.
 */
bool places_network(struct prefix *network, const struct session *session, const char *text);

/* places_gateway - that of a session; NULL with the reason in @report */
const struct gateway *places_gateway(const struct config *config, const struct session *session, struct report *report);

/* places_held_gateway - the same by maps that are held, for many sessions */
const struct gateway *places_held_gateway(const struct maps_held *maps, const struct session *session, struct report *report);

/* By which gateway a live session leaves. */
struct departure {
	const struct gateway *next;	/* as the configuration says, and so after the next `up` */
	char now[GATEWAY_NAME];		/* as the kernel's maps say, the name of `next` where they are as wanted */
	bool moves;			/* the two differ */
	bool recorded;			/* its connect hook gave it `now` */
	bool lacks[FAMILIES];		/* no map has its address, so that what it sends is dropped */
};

/* What becomes of all sessions, to be found by their addresses. */
struct changes {
	const struct guard_change **change;
	size_t count;
};

/* changes_make - of a plan, which is to last; changes_free() when done */
void changes_make(struct changes *changes, const struct plan *plan);
void changes_free(struct changes *changes);

/* changes_find - of an address of a session; NULL where it has none of the family, or nothing becomes of it */
const struct guard_change *changes_find(const struct changes *changes, const struct session *session, int family);

/* places_departure - where a session leaves, and will; 0, or -1 with the reason in @report */
int places_departure(struct departure *departure, const struct config *config, const struct session *session,
		     const struct changes *changes, struct report *report);

/* places_gateway_of_chain - to_nl: nl; all of a name that is none of ours */
const char *places_gateway_of_chain(const char *chain);

/*
 * places_has_device - whether a session has its device still. A tunnel is one session's at a time: the last that got it. Where
 *	nobody is known to have it or he has gone, such as after a change from one gateway to several, any session may. What can't be read is
 *	told in @report.
 */
bool places_has_device(const struct state *state, const struct session *session, struct report *report);

/*
 * places_all - those of all live sessions that have their devices; what is in @all stays, and its own tunnel is nobody else's
 *
 * Returns 0, or -1 with the reason in @report: a record that can't be read, too.
 */
int places_all(struct placements *all, const struct config *config, const struct state *state, struct report *report);

/*
 * places_own - those of a session that begins, and what of its device's former sessions has to go; without the lock too
 * places_hold - its device is the session's; @placed: what was of former ones has gone
 * places_gone - those of a session that has ended, where nobody else has its device; whether there are any; without the lock too
 *
 * Under the lock, places_hold() before and behind the change of the kernel. The others return 0, or -1 with the reason in @report.
 */
bool places_gone(struct placements *gone, const struct session *session, const struct state *state, struct report *report);
int places_own(struct placements *own, const struct session *session, const struct gateway *gateway, const struct state *state,
	       struct report *report);
int places_hold(const struct placements *own, const struct session *session, bool placed, const struct state *state,
		struct report *report);

/*
 * places_hold_all - the devices of live sessions of which nobody is known to have them, such as after a change from one gateway
 *	to several, are theirs: what the kernel has of a session goes with it only so; under the lock, behind the change
 *
 * Returns 0, or -1 with the reason in @report.
 */
int places_hold_all(const struct state *state, struct report *report);

#endif

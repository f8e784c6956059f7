/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PLACES_H
#define PLACES_H

#include "model/wanted.h"
#include "sessions/session.h"

/* Of several gateways: by which each session leaves. */

/*
 * places_check_maps - that all lines of the files of [maps] are good, where they are not known to be; under the lock
 * @anew: even then
 *
 * Returns 0, or -1 with the reasons in @report.
 */
int places_check_maps(const struct config *config, const struct state *state, bool anew, struct report *report);

/* places_gateway - that of a session; NULL with the reason in @report */
const struct gateway *places_gateway(const struct config *config, const struct session *session, struct report *report);

/*
 * places_has_device - whether a session has its device still. A tunnel is one session's at a time: the last that got it. Where
 *	nobody is known to have it or he has gone, such as after a change from one gateway to several, any session may. What can't be read is
 *	told in @report.
 */
bool places_has_device(const struct state *state, const struct session *session, struct report *report);

/*
 * places_all - those of all live sessions that have their devices
 *
 * Returns 0, or -1 with the reason in @report: a record that can't be read, too.
 */
int places_all(struct placements *all, const struct config *config, const struct state *state, struct report *report);

/*
 * places_own - those of a session that begins, and what of its device's former sessions has to go
 * places_hold - its device is the session's; @placed: what was of former ones has gone
 * places_gone - those of a session that has ended, where nobody else has its device; whether there are any
 *
 * All under the lock, places_hold() before and behind the change of the kernel. The others return 0, or -1 with the reason in @report.
 */
bool places_gone(struct placements *gone, const struct session *session, const struct state *state, struct report *report);
int places_own(struct placements *own, const struct session *session, const struct gateway *gateway, const struct state *state,
	       struct report *report);
int places_hold(const struct placements *own, const struct session *session, bool placed, const struct state *state,
		struct report *report);

#endif

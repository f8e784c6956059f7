/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COVER_H
#define COVER_H

#include "kernel/converge.h"
#include "sessions/session.h"

/*
 * Nothing opens by accident. Before steps are applied it is asked what they would take away: a configuration that has
 * lost something is otherwise indistinguishable from one that never had it.
 */

enum doer {
	BY_HOOK,	/* never removes what denies to an entire family, to others, or at all */
	BY_ADMIN,	/* `up`: removes what the configuration says is to be direct */
	BY_REMOVAL,	/* `down`, or the last session's end: may take all away */
};

/*
 * cover_check - whether the steps of @situation may be applied
 * @state: the records of live sessions, under the lock; NULL: not to be read
 * @own: the session that connects, which is looked at elsewhere; NULL: none
 *
 * Each live session must be covered by the configuration: its interface, and each address by a subnet or a family that
 * is direct. Reads no record where there are no steps. Returns 0, or -1 with the reasons in @report (EX_CONFIG).
 */
int cover_check(const struct config *config, const struct situation *situation, enum doer doer,
		const struct state *state, const struct session *own, struct report *report);

/*
 * cover_unrecorded - a tunnel whose session has no record, where the state directory says that there may be some
 * @own: the session that connects or ends; NULL: none
 * @name: set where there is one
 *
 * Under the lock. Where records can't be read, all tunnels are taken to have one: that is told by others.
 */
bool cover_unrecorded(const struct config *config, const struct state *state, const struct session *own,
		      char name[IFNAMSIZ]);

/*
 * cover_left - what of our protocol is in the kernel, but not of this configuration: nothing was found of it, or it is
 * another server's
 *
 * Adds a sentence for each policy rule to @lines.
 */
void cover_left(const struct config *config, const struct present *present, struct lines *lines);

#endif

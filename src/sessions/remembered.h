/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REMEMBERED_H
#define REMEMBERED_H

#include "kernel/converge.h"
#include "sessions/session.h"

/* What earlier runs left in the state directory for later ones, beside the sessions. */

/*
 * remembered_read - the gateways, from the state directory; @quick is set before
 * remembered_look - the same, without a lock, and where the directory can't be read as if nothing was known
 * remembered_free - after either, of which another takes the place of the former one
 * remembered_keep - what of @situation is to be known to later runs; under the lock
 *
 * Return 0, or -1 with the reason in @report.
 */
int remembered_read(struct remembered *remembered, const struct config *config, const struct state *state,
		    struct report *report);
void remembered_look(struct remembered *remembered, const struct config *config);
void remembered_free(struct remembered *remembered);
int remembered_keep(const struct remembered *remembered, const struct config *config, const struct situation *situation,
		    const struct state *state, struct report *report);

#define LENGTHS "lengths6"	/* of struct host */

/*
 * checkpoint_load - the checkpoint in the state directory; "" where there is none
 * checkpoint_keep - put it there, in place of another; under the lock. Without one the next run reads all, so no error.
 */
void checkpoint_load(const struct state *state, char checkpoint[CHECKPOINT_TEXT]);
void checkpoint_keep(const struct state *state, const char *checkpoint);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ENDINGS_H
#define ENDINGS_H

#include "sessions/session.h"

/*
 * Whose flows are to end: of sessions that have ended or that leave by another gateway, and of who had an address before.
 * To end those of one costs the kernel about as much as those of a thousand, so each run notes what is to end in the state
 * directory, and who holds the lock of `flows/` ends all that is noted. Who has that lock waits for no other, but in the end
 * takes that of the state directory to cross off what has ended; so nobody waits for it who holds that one.
 *
 * A note is a symbolic link in `flows/`, named as the address is in `addresses/`. Its target is another one each time,
 * 1732731788.123456789/64: when it was noted, and how much of the address is meant. It goes when the flows have ended, and
 * then the address is nobody's any more. A run that is killed leaves its notes to the next one.
 */

#define ENDING_STAMP 40

struct ending {
	struct prefix whose;
	char name[ADDRESS_TEXT];
	char stamp[ENDING_STAMP];
	bool left;	/* its flows were not ended, since it was not noted any more, or can't be read */
};

struct endings {
	struct ending *ending;
	size_t count;
};

/* endings_matter - whether flows of this family end: in one that is blocked nothing comes to a client from beyond the VPN */
bool endings_matter(const struct config *config, int family);

/*
 * endings_note - the flows of a session's address, of IPv6 of its network, are to end; under the lock
 * @own: has the note afterwards, too; NULL where nobody waits for it
 *
 * Returns 0, or -1 with the reason in @report; 0 where the session has no address of the family, too.
 */
int endings_note(struct endings *own, const struct state *state, const struct session *session, int family,
		 struct report *report);
void endings_free(struct endings *endings);

/* endings_has - whether the flows of an address are still to end */
bool endings_has(const struct state *state, const char *address);

/*
 * endings_end - end what is noted, or leave it to a run that is about to; without the lock
 *
 * One run ends them, the next one waits for it, and any other leaves its notes to that one. What can't be ended is
 * told in @report, and stays noted.
 */
void endings_end(struct state *state, const struct config *config, struct report *report);

/*
 * endings_await - the same of what is to have ended before a session begins, and is this run's own; without the lock
 *
 * It waits for others, and ends what is its own alone where that takes too long. What the kernel can't end is warned of.
 * Returns 0 with none of it noted any more, or -1 with the reason in @report.
 */
int endings_await(struct endings *own, struct state *state, const struct config *config, struct report *report);

/* endings_any - whether anything is noted, or that can't be read; what is so later is for who notes it */
bool endings_any(const struct state *state);

/* endings_look - what is noted, without a lock, as far as it can be read: how many, and @since when the first is */
size_t endings_look(const char *path, unsigned long long *since);

#endif

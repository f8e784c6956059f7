/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DEADLINE_H
#define DEADLINE_H

/* A run is bounded, since ocserv's main process can wait for it: five seconds in all, three for the lock. */
#define DEADLINE_SECONDS 5
#define DEADLINE_EXAMINE_SECONDS 10	/* of verbs that read all that others may have, and hold up nobody */
#define DEADLINE_MODULES_SECONDS 60	/* of an installation by hand or at boot, since the kernel may load its modules for it */
#define DEADLINE_TEST_SECONDS 30	/* of a test, which waits for what is beyond the gateway */
#define DEADLINE_LOCK_SECONDS 3
#define DEADLINE_FLOWS_SECONDS 2	/* of the lock under which flows end, without which they end too */

/* deadline_start - from now on the program ends with EX_TEMPFAIL when the time is over, at any point */
void deadline_start(unsigned int seconds);

/* deadline_stop - no limit from here on: what follows is not ours */
void deadline_stop(void);

/*
 * deadline_lock - take an exclusive flock(2), within so many seconds
 *
 * Returns 0, or -1 with errno; EWOULDBLOCK when the time for the lock is over.
 */
int deadline_lock(int fd, unsigned int seconds);

#endif

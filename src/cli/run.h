/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUN_H
#define RUN_H

#include "cli/options.h"
#include "sessions/cover.h"
#include "sessions/places.h"
#include "sessions/remembered.h"

/* What every run of the program begins and ends with, be it a hook or a verb. */

enum runner {
	RUN_HOOK,	/* by ocserv: the log is the system's, too; with next_script it keeps its privileges */
	RUN_VERB,	/* by an admin */
	RUN_EXAMINE,	/* the same, where all is read that others have: it has DEADLINE_EXAMINE_SECONDS */
	RUN_CHECK,	/* the same, but it keeps its privileges until it drops them itself */
};

struct run {
	const struct options *options;
	struct report report;
	enum runner runner;
	bool shown;	/* the report is, so that it is not for the log */
	bool harmless;	/* errors are said, but none counts: what they are about ends, is let in, or is bad news instead */
	bool bad_news;	/* see struct result */
	struct config config;
	struct state state;	/* closed until run_lock() */
	struct sockets sockets;	/* the same, sockets_open() */
	struct remembered remembered;
	size_t moved;	/* addresses of sessions that leave by another gateway now */
};

/*
 * run_begin - deadline, log and configuration; then all privileges go but what the rest needs, before anything is read
 *	that the kernel or others say
 *
 * Returns 0, or -1 with the reasons in @run->report. run_end() in either case.
 */
int run_begin(struct run *run, const struct options *options, enum runner runner);

/* run_lock - the state directory, made where it is missing, and its lock; -1 with the reason in @run->report */
int run_lock(struct run *run);

/*
 * run_permits - whether the steps of @situation may be applied: they cut off neither this host nor a live session
 * @own: as cover_check() has it
 *
 * Returns 0, or -1 with the reasons in @run->report.
 */
int run_permits(struct run *run, const struct situation *situation, enum doer doer, const struct session *own);

/* run_apply - apply them, under the lock, and keep what later runs are to know; as converge() */
int run_apply(struct run *run, struct situation *situation, enum change *change);

/* run_end_moved - end the flows of the sessions that run_apply() has moved to another gateway; without the lock */
void run_end_moved(struct run *run);

/* run_peek - the state directory for a dry run, as far as it can be read; without the lock, and closed where there is none */
void run_peek(struct run *run);

/*
 * run_look - read the kernel for the dry run of a verb, and refuse what the real run refuses
 *
 * Returns 0, or -1 with the reasons in @run->report. situation_free() in either case.
 */
int run_look(struct run *run, struct situation *situation, enum goal goal, enum doer doer);

/* run_end - let go of the lock, log the report, and close what is open; of a hook the process does that, which ends */
struct result run_end(struct run *run);

#endif

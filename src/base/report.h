/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REPORT_H
#define REPORT_H

#include "base/text.h"

/*
 * What went wrong, said where the fact is known and printed once, by the caller that began the work.
 * A message names the object, the value, what the kernel said and what to do. What is said already is not said again.
 */
struct report {
	int status;		/* exit status of the first error (sysexits.h), 0 while there is none */
	struct lines errors;
	struct lines warnings;	/* the work goes on, but an admin wants to know */
	struct lines notes;	/* nothing is wrong, but it may be, or could be better */
};

/* report_error - add an error; @status is kept when it is the first. Returns -1. */
int report_error(struct report *report, int status, const char *format, ...) PRINTF(3, 4);

void report_warning(struct report *report, const char *format, ...) PRINTF(2, 3);
void report_note(struct report *report, const char *format, ...) PRINTF(2, 3);
void report_free(struct report *report);

/* report_add_summary - `ok`, or how many of each there are, in a line; green, yellow or red with @colour */
void report_add_summary(struct text *text, const struct report *report, bool colour);

/* report_add_findings - errors, warnings, notes: each with a line below it for each remedy */
void report_add_findings(struct text *text, const struct report *report, bool colour);

/* report_add_json - "errors", "warnings" and "notes" as members of an object that goes on behind them */
void report_add_json(struct text *json, const struct report *report);

/* report_take_errors - the errors go to @lines: what they are about is looked at there, and none of them is one of this run's */
void report_take_errors(struct report *report, struct lines *lines);

/* report_add_errors - those of @other, too, which keeps them; returns -1 where it has any */
int report_add_errors(struct report *report, const struct report *other);

/* report_move - all of @other goes to @report */
void report_move(struct report *report, struct report *other);

/* report_log - the notes, warnings and errors, as lines of the log; it is empty afterwards */
void report_log(struct report *report);

#endif

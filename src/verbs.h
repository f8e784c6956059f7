/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VERBS_H
#define VERBS_H

#include "converge.h"
#include "options.h"

/* What an admin types. Each returns the exit status. */

int verb_check(const struct options *options);
int verb_up(const struct options *options);
int verb_down(const struct options *options);
int verb_explain(const struct options *options);	/* in explain.c */
int verb_status(const struct options *options);	/* in status.c */

/*
 * print_dry_run - the plan toward @goal on stdout: as a shell script, or for people with --diff and on a terminal
 * @doing: what would be run
 */
int print_dry_run(const struct config *config, const struct options *options, enum goal goal, const char *doing,
		  struct report *report);

#endif

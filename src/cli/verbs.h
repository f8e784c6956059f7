/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VERBS_H
#define VERBS_H

#include "cli/run.h"

/* What an admin types. */

struct result verb_check(const struct options *options);	/* in check.c */
struct result verb_init(const struct options *options);	/* in init.c */
struct result verb_up(const struct options *options);
struct result verb_down(const struct options *options);
struct result verb_explain(const struct options *options);	/* in explain.c */
struct result verb_test(const struct options *options);	/* in test.c */
struct result verb_status(const struct options *options);	/* in status.c */

/*
 * print_plan - the plan of @situation on stdout: as a shell script, or for people with --diff and on a terminal
 * print_dry_run - that toward @goal, for which it looks; refuses what the real run refuses
 * @doing: what would be run
 */
void print_plan(const struct run *run, const struct situation *situation, const char *doing);
int print_dry_run(struct run *run, enum goal goal, enum doer doer, const char *doing);

/* plain_text - a warning of a configuration by which nothing is to be installed */
const char *plain_text(const struct config *config);

#endif

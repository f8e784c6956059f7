/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "model/plan.h"

/* script_add_step - a step as shell commands: one line of ip(8), or nft(8) with a here-document */
void script_add_step(struct text *script, const struct step *step);

/* script_add_change - what becomes of an element of that table as commands of nft(8), added to @commands: one, or two */
void script_add_change(struct lines *commands, const char *table, const struct guard_change *change);

/*
 * script_add_plan - a plan as a script for `sh -e`
 * @heading: its first comment, one line
 *
 * What differs and what is intact stand in comments.
 */
void script_add_plan(struct text *script, const char *heading, const struct plan *plan);

/*
 * script_add_diff - a plan for people: what is there, what would go (-) and what would come (+), and why
 * @colour: as a terminal shows it, after ECMA-48
 */
void script_add_diff(struct text *diff, const char *heading, const struct plan *plan, bool colour);

#endif

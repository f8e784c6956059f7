/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WHERETO_H
#define WHERETO_H

#include "cli/options.h"
#include "config/config.h"

/* Who leaves by which gateway, as the configuration has it: for check. */

/* whereto_add - each gateway with what it is, and how many names are sent to one; nothing where all leave by the only one */
void whereto_add(struct text *screen, const struct config *config);

/* whereto_add_json - the same as members of an object that goes on behind them */
void whereto_add_json(struct text *json, const struct config *config);

/* whereto_explain - where the session that the options name would leave; -1 with the reason in @report */
int whereto_explain(struct text *screen, const struct config *config, const struct options *options, struct report *report);

/* whereto_explain_json - the same as the member "session" */
int whereto_explain_json(struct text *json, const struct config *config, const struct options *options, struct report *report);

#endif

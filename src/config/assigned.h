/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASSIGNED_H
#define ASSIGNED_H

#include "config/config.h"
#include "config/names.h"

/* The lines of [users], [groups] and [vhosts], which send somebody somewhere. */

/* assigned_section - "users" and so on; assigned_find - the reverse, -1 for any other section */
const char *assigned_section(enum whose whose);
int assigned_find(const char *section);

/*
 * assigned_add - a line
 * @written: the name, as name_read() takes it
 *
 * Returns false with the reason in @wrong.
 */
bool assigned_add(struct config *config, enum whose whose, const char *written, const char *value, unsigned int line,
		  struct text *wrong);

/* assigned_add_plain - a part of VPN_USER_GATEWAY, in which no name is quoted */
void assigned_add_plain(struct config *config, enum whose whose, const char *name, const char *value);

/*
 * assigned_check - to which gateways they send, and that no name stands twice
 *
 * Returns 0, or -1 with all that is wrong in @report.
 */
int assigned_check(struct config *config, struct report *report);

/* assigned_names - the names of the file's lines, which are borrowed; name_set_free() when done */
void assigned_names(const struct config *config, enum whose whose, struct name_set *names);

/* assigned_add_origin - "FILE:LINE: [users] alice = nl" */
void assigned_add_origin(struct text *text, const struct config *config, enum whose whose, const struct assignment *assignment);

/* assigned_add_gateways - "; there are nl, us, default, direct and block", behind a word that is none of them */
void assigned_add_gateways(struct text *text, const struct config *config);

void assigned_free(struct config *config);

#endif

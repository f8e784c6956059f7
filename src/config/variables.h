/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VARIABLES_H
#define VARIABLES_H

#include <stdbool.h>

/* Variables of the environment that were meant for this program, as it seems, and that it does not read. */

struct strange_variable {
	const char *name;	/* with "=" and its value behind it */
	int length;		/* of the name alone, in bytes */
	const char *meant;	/* what it may be a slip of; NULL where it is one of the image azinchen/ocserv-server */
	bool harmless;		/* it is one of the image that says how, and not where to */
	bool asks;		/* for a gateway: it does not say the clients' network or interface alone */
};

typedef void (*variable_visitor)(const struct strange_variable *variable, void *data);

/*
 * variables_visit_strange - each of them: another case of letters, one or two characters more, less or others than in
 * a variable of ours; and what that image has beyond this program
 */
void variables_visit_strange(variable_visitor visit, void *data);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef INI_H
#define INI_H

#include <stdbool.h>
#include <stddef.h>

/* The lines of an INI file: [SECTION], NAME = VALUE, and comments behind # at their start or ; behind a blank. */
struct ini_visitor {
	/* Whether its lines begin with names of users and such, which may be quoted: see names.h. */
	bool (*section)(unsigned int line, const char *section, void *data);
	/* @section: "" before the first one; @name: with its quotes */
	void (*pair)(unsigned int line, const char *section, const char *name, const char *value, void *data);
	void (*fault)(unsigned int line, const char *message, void *data);
};

/*
 * ini_read - visit what is in @file, in its order
 * @file: with a byte behind its @length, which may be written; it is cut into the strings that the visitor gets, and
 *	which last as long as it does
 */
void ini_read(char *file, size_t length, const struct ini_visitor *visitor, void *data);

#endif

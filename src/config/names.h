/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NAMES_H
#define NAMES_H

#include "base/text.h"

#include <stdint.h>

/*
 * Names of users, groups and virtual hosts as lines have them: plain, where * and ? make a pattern of it, or in double
 * quotes, between which \" is a quote, \\ a backslash, and all else is itself.
 */

/* What has_controls() finds makes no line of text: a carriage return ends one of DOS, and is none of it. */
bool has_controls(const char *line, size_t length);

/* name_quoted_length - of the quoted name that @line begins with, with both quotes; 0 where the second one is missing */
size_t name_quoted_length(const char *line, size_t length);

/*
 * name_read - what a line has as a name
 * @name: set; @pattern: the same
 *
 * Returns false with the reason in @wrong, as the end of "LINE: ".
 */
bool name_read(struct text *name, bool *pattern, const char *written, size_t length, struct text *wrong);

/* name_add - @name as a line has it, in quotes where it needs them */
void name_add(struct text *text, const char *name, bool pattern);

/* name_add_quoted - in quotes in any case */
void name_add_quoted(struct text *text, const char *name);

/* name_fits - whether @pattern, of @length bytes, means @name: * any characters or none, ? one, be it several bytes of UTF-8 */
bool name_fits(const char *pattern, size_t length, const char *name);

/* name_digest - for tables of names */
uint32_t name_digest(const char *name);

/* Which names there are, and where. */
struct name_set {
	struct name_place {
		const char *name;	/* borrowed */
		const char *path;	/* the same */
		bool pattern;
		unsigned int line;
	} *place;
	size_t count, slots;
	uint32_t *slot;
};

/* name_set_add - returns where the same name is already, and does not add it; else NULL */
const struct name_place *name_set_add(struct name_set *set, const struct name_place *place);

/* name_set_find - where a name is that is no pattern; NULL where it is not */
const struct name_place *name_set_find(const struct name_set *set, const char *name);

void name_set_free(struct name_set *set);

#endif

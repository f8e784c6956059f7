/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MAP_INDEX_H
#define MAP_INDEX_H

#include "base/text.h"
#include "config/config.h"

#include <sys/stat.h>

/*
 * Where in a file of [maps] the line of a name begins: a table by the names' digests, in the state directory, with what
 * stat(2) said of the file. It tells where to look, not what is there; the line is read from the file.
 */

/* The index of a file that is as it was when this was made. */
struct map_index {
	int map, fd;			/* the file and the index, open */
	struct stat status;		/* of the file */
	uint32_t slots, patterns;
};

/*
 * map_index_open - of the file for @whose; map_index_close() when done
 *
 * Returns false where there is none that holds, or the file is not to be trusted: then the file is to be read.
 */
bool map_index_open(struct map_index *index, const struct config *config, enum whose whose);

/*
 * map_index_visit - the lines that may be about a name, or with @name NULL those of all patterns, in the file's order
 * @visit: gets each from its name on, without its line break, which lasts until it returns; true ends it
 *
 * Returns false where not all could be read, or the file has changed: then it says nothing.
 */
bool map_index_visit(const struct map_index *index, const char *name,
		     bool (*visit)(const char *line, const char *end, void *data), void *data);

void map_index_close(struct map_index *index);

/* An index in the making. */
struct map_index_draft {
	struct map_index_name { const char *name; uint32_t offset; } *name;	/* borrowed */
	size_t names;
	uint32_t *pattern;
	size_t patterns;
};

/* map_index_add - a name, which is borrowed, or with NULL a pattern, which stands behind @offset bytes of the file */
void map_index_add(struct map_index_draft *draft, const char *name, size_t offset);

/* map_index_write - where the state directory is there and @status, of before the file was read, is still that of the file */
void map_index_write(const struct map_index_draft *draft, const struct config *config, enum whose whose,
		     const struct stat *status);

void map_index_free(struct map_index_draft *draft);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TABLE_H
#define TABLE_H

#include "base/text.h"

/* Aligned columns for people, each as wide as its widest cell. */

struct column {
	const char *title;
	size_t most;		/* characters of a cell, what is longer is cut off; 0: any */
	bool right;		/* aligned, as numbers are */
};

struct table {
	const struct column *column;
	size_t columns;
	struct lines cells;	/* row by row */
};

/* table_add - the next cell, as it is; it is to be printable ASCII */
void table_add(struct table *table, const char *cell);

/*
 * table_add_value - the next cell, a value of somebody else: as text_add_pair() writes it, in the room of its column
 *
 * What is cut off ends with "...", and nothing is "-".
 */
void table_add_value(struct table *table, const char *value);

/* table_add_text - the titles, @bold where a terminal shows them, and the rows, each behind two blanks */
void table_add_text(struct text *text, const struct table *table, bool bold);

void table_free(struct table *table);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TABLE_H
#define TABLE_H

#include "base/text.h"

/* Aligned columns for people, each as wide as its widest cell. */

struct column {
	const char *title;
	size_t most;		/* characters of a cell, what is longer is cut off; 0: any */
	bool right;		/* aligned, as numbers are */
	unsigned int leave_out;	/* where the table is too wide: 1 is the first to go; 0: stays */
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

/*
 * table_add_text - the titles, @bold where a terminal shows them, and the rows, each behind two blanks
 * @room: columns of the window; 0: any
 *
 * A column of words in which every cell is "-" is left out. Where the rest is too wide, so are those that may be, and the
 * last one is wrapped, if it holds words. Where that does not do, each row is a block of lines, with the title before
 * each cell.
 */
void table_add_text(struct text *text, const struct table *table, size_t room, bool bold);

void table_free(struct table *table);

#endif

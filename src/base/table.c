/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/table.h"
#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>

#define CUT "..."
#define GAP 2			/* before each column */
#define WRAPPED_LEAST 16	/* columns of the last one, where its words are wrapped */
#define BLOCK_INDENT 4

void table_add(struct table *table, const char *cell)
{
	lines_add(&table->cells, "%s", cell);
}

void table_add_value(struct table *table, const char *value)
{
	size_t most = table->column[table->cells.count % table->columns].most;
	struct text cell CLEANUP(text_free) = { 0 };

	if (!value[0]) {
		table_add(table, "-");
		return;
	}
	text_add_value(&cell, value, strlen(value));
	if (most && cell.length > most)
		memcpy(cell.data + most - strlen(CUT), CUT, sizeof(CUT));
	table_add(table, text_string(&cell));
}

/* Of words: that a number is not known is worth a column. */
static bool is_empty(const struct table *table, size_t column)
{
	if (column == 0 || table->column[column].right || table->cells.count == 0)
		return false;
	for (size_t i = column; i < table->cells.count; i += table->columns)
		if (strcmp(table->cells.line[i], "-") != 0)
			return false;
	return true;
}

static size_t width_of(const struct table *table, size_t column)
{
	size_t width = strlen(table->column[column].title);

	for (size_t i = column; i < table->cells.count; i += table->columns) {
		size_t length = strlen(table->cells.line[i]);

		width = length > width ? length : width;
	}
	return width;
}

/* What the table needs at least, where those columns are left out that have no width. */
static size_t least_width(const struct table *table, const size_t *width)
{
	size_t last = table->columns - 1, sum = 0;

	for (size_t i = 0; i < table->columns; i++)
		sum += width[i] ? GAP + width[i] : 0;
	if (!table->column[last].right && width[last] > WRAPPED_LEAST)
		sum -= width[last] - WRAPPED_LEAST;
	return sum;
}

/* The column that is the next to go, else how many there are. */
static size_t next_to_go(const struct table *table, const size_t *width)
{
	size_t found = table->columns;

	for (size_t i = 0; i < table->columns; i++)
		if (width[i] && table->column[i].leave_out &&
		    (found == table->columns || table->column[i].leave_out < table->column[found].leave_out))
			found = i;
	return found;
}

/* Whether it fits then. */
static bool make_fit(const struct table *table, size_t *width, size_t room)
{
	size_t next;

	while (room && least_width(table, width) > room) {
		next = next_to_go(table, width);
		if (next == table->columns)
			return false;
		width[next] = 0;
	}
	return true;
}

/* The last column is not filled up, lest a line ends with blanks. Returns the column of the window that is reached. */
static size_t add_cell(struct text *text, const struct table *table, size_t column, size_t width, const char *cell)
{
	if (width == 0)
		return 0;
	if (table->column[column].right)
		text_add(text, "  %*s", (int)width, cell);
	else if (column + 1 < table->columns)
		text_add(text, "  %-*s", (int)width, cell);
	return GAP + width;
}

static void add_row(struct text *text, const struct table *table, const size_t *width, size_t room, char *const *cell)
{
	size_t last = table->columns - 1, at = 0;

	for (size_t i = 0; i < last; i++)
		at += add_cell(text, table, i, width[i], cell[i]);
	if (table->column[last].right) {
		add_cell(text, table, last, width[last], cell[last]);
	} else {
		text_add_string(text, "  ");
		text_add_wrapped(text, cell[last], room, at + GAP, at + GAP);
	}
	text_add_string(text, "\n");
}

static void add_rows(struct text *text, const struct table *table, const size_t *width, size_t room, bool bold)
{
	char **title = allocate(table->columns, sizeof(*title));

	for (size_t i = 0; i < table->columns; i++)
		title[i] = (char *)table->column[i].title;
	text_add_string(text, bold ? TERMINAL_BOLD : "");
	add_row(text, table, width, room, title);
	free(title);
	/* Before the end of the line. */
	if (bold) {
		text->length--;
		text_add_string(text, TERMINAL_PLAIN "\n");
	}
	for (size_t row = 0; row < table->cells.count; row += table->columns)
		add_row(text, table, width, room, table->cells.line + row);
}

/* A cell with its title, in this line or the next. Returns the column that is reached. */
static size_t add_titled(struct text *text, const char *title, const char *cell, size_t room, size_t at)
{
	struct text both CLEANUP(text_free) = { 0 };

	text_add(&both, "%s %s", title, cell);
	if (at + GAP + both.length > room) {
		text_add(text, "\n%*s", BLOCK_INDENT, "");
		at = BLOCK_INDENT;
	} else {
		text_add_string(text, "  ");
		at += GAP;
	}
	text_add_wrapped(text, text_string(&both), room, at, BLOCK_INDENT);
	return at + both.length;
}

static void add_block(struct text *text, const struct table *table, size_t room, bool bold, char *const *cell)
{
	size_t at = GAP + strlen(cell[0]);

	text_add(text, "  %s", bold ? TERMINAL_BOLD : "");
	text_add_wrapped(text, cell[0], room, GAP, BLOCK_INDENT);
	text_add_string(text, bold ? TERMINAL_PLAIN : "");
	for (size_t i = 1; i < table->columns; i++)
		if (strcmp(cell[i], "-") != 0)
			at = add_titled(text, table->column[i].title, cell[i], room, at);
	text_add_string(text, "\n");
}

void table_add_text(struct text *text, const struct table *table, size_t room, bool bold)
{
	size_t *width = allocate(table->columns, sizeof(*width));

	for (size_t i = 0; i < table->columns; i++)
		width[i] = is_empty(table, i) ? 0 : width_of(table, i);
	if (make_fit(table, width, room))
		add_rows(text, table, width, room, bold);
	else
		for (size_t row = 0; row < table->cells.count; row += table->columns)
			add_block(text, table, room, bold, table->cells.line + row);
	free(width);
}

void table_free(struct table *table)
{
	lines_free(&table->cells);
}

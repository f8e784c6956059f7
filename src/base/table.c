/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/table.h"
#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>

#define CUT "..."

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

static size_t width_of(const struct table *table, size_t column)
{
	size_t width = strlen(table->column[column].title);

	for (size_t i = column; i < table->cells.count; i += table->columns) {
		size_t length = strlen(table->cells.line[i]);

		width = length > width ? length : width;
	}
	return width;
}

/* The last column is not filled up, lest a line ends with blanks. */
static void add_cell(struct text *text, const struct table *table, size_t column, size_t width, const char *cell)
{
	if (table->column[column].right)
		text_add(text, "  %*s", (int)width, cell);
	else if (column + 1 < table->columns)
		text_add(text, "  %-*s", (int)width, cell);
	else
		text_add(text, "  %s", cell);
}

void table_add_text(struct text *text, const struct table *table, bool bold)
{
	size_t *width = allocate(table->columns, sizeof(*width));

	text_add_string(text, bold ? TERMINAL_BOLD : "");
	for (size_t i = 0; i < table->columns; i++) {
		width[i] = width_of(table, i);
		add_cell(text, table, i, width[i], table->column[i].title);
	}
	text_add(text, "%s\n", bold ? TERMINAL_PLAIN : "");
	for (size_t row = 0; row < table->cells.count; row += table->columns) {
		for (size_t i = 0; i < table->columns; i++)
			add_cell(text, table, i, width[i], table->cells.line[row + i]);
		text_add_string(text, "\n");
	}
	free(width);
}

void table_free(struct table *table)
{
	lines_free(&table->cells);
}

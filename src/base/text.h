/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEXT_H
#define TEXT_H

#include "base/attributes.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Growing strings and lists of strings. They do not fail: see memory.h. */

struct text {
	char *data;	/* NUL-terminated once something was added, else NULL */
	size_t length;
	size_t size;
};

struct lines {
	char **line;
	size_t count;
};

void text_add(struct text *text, const char *format, ...) PRINTF(2, 3);
void text_add_formatted(struct text *text, const char *format, va_list args) PRINTF(2, 0);
void text_add_string(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_free(struct text *text);

bool text_equal(const struct text *a, const struct text *b);

/* text_string - what was added so far, "" when nothing was */
const char *text_string(const struct text *text);

void lines_add(struct lines *lines, const char *format, ...) PRINTF(2, 3);
void lines_free(struct lines *lines);

/*
 * text_add_pair - add `key=value`, after a space unless it is the first
 *
 * A value is quoted where it is empty or holds a blank, `"`, `\` or `=`. Bytes outside printable ASCII become
 * \xNN, so that a hostile value stays in its pair and the pair in its line. @limit is the number of
 * bytes of @value that are kept, "..." follows where there were more.
 */
void text_add_pair(struct text *text, const char *key, const char *value, size_t limit);

/* text_add_value - the same without a key, and without a space before it */
void text_add_value(struct text *text, const char *value, size_t limit);

/*
 * text_next_pair - take the next pair off a line written by text_add_pair
 * @cursor: where to read, moved behind the pair
 *
 * Splits in place: returns the key and sets @value, both inside the line; NULL at its end or where
 * it is no such pair.
 */
char *text_next_pair(char **cursor, char **value);

/* text_add_escaped - \xNN for each byte outside printable ASCII */
void text_add_escaped(struct text *text, const char *bytes, size_t length);

/* text_add_printable - a line as it is, but "?" for each byte outside printable ASCII: names in the kernel may hold any */
void text_add_printable(struct text *text, const char *line);

/* text_add_size - bytes for people: `12 B`, `3.4 KiB`, and so on, never more than there are */
void text_add_size(struct text *text, unsigned long long bytes);

/* text_add_age - seconds for people, in the two units that tell most: `12 s`, `5 min`, `2 h 5 min`, `3 d 4 h` */
void text_add_age(struct text *text, unsigned long long seconds);

/*
 * text_add_wrapped - add words that stay within @width columns
 * @width: of the window; 0: any
 * @begin: the column that is reached already
 * @indent: where each further line begins
 *
 * A word that no line has room for is cut in two.
 */
void text_add_wrapped(struct text *text, const char *words, size_t width, size_t begin, size_t indent);

/* text_add_shell - add a word as the shell reads it, in single quotes where it needs them */
void text_add_shell(struct text *text, const char *word);

/* text_add_json - add a JSON string with its quotes; what is not UTF-8 becomes U+FFFD, and NULL null */
void text_add_json(struct text *text, const char *string);

/* text_add_json_list - @lines as the member @name, in a line each, of an object that goes on behind it */
void text_add_json_list(struct text *json, const char *name, const struct lines *lines);

/*
 * text_distance - edits from @a to @b: characters more, less, or in place of others; SIZE_MAX where @b is longer than
 * any name of ours
 */
size_t text_distance(const char *a, const char *b);

/*
 * number_parse - a decimal number without sign or blanks
 *
 * Returns false where @string is anything else or is outside @least..@most.
 */
bool number_parse(const char *string, unsigned long long least, unsigned long long most,
		  unsigned long long *number);

#endif

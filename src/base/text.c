/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for @length more bytes and a NUL. */
static void make_room(struct text *text, size_t length)
{
	if (text->size - text->length > length)
		return;
	text->size = (text->length + length + 1) * 2;
	text->data = reallocate(text->data, text->size, 1);
}

void text_add_formatted(struct text *text, const char *format, va_list args)
{
	va_list again;
	int length;

	make_room(text, 64);
	va_copy(again, args);
	length = vsnprintf(text->data + text->length, text->size - text->length, format, again);
	va_end(again);
	if (length < 0)
		out_of_memory();
	if ((size_t)length >= text->size - text->length) {
		make_room(text, (size_t)length);
		vsnprintf(text->data + text->length, text->size - text->length, format, args);
	}
	text->length += (size_t)length;
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
	make_room(text, length);
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_add_string(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_add(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_add_formatted(text, format, args);
	va_end(args);
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){ 0 };
}

bool text_equal(const struct text *a, const struct text *b)
{
	return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

const char *text_string(const struct text *text)
{
	return text->data ? text->data : "";
}

void lines_add(struct lines *lines, const char *format, ...)
{
	struct text text = { 0 };
	va_list args;

	va_start(args, format);
	text_add_formatted(&text, format, args);
	va_end(args);

	lines->line = make_room_for_one(lines->line, lines->count, sizeof(*lines->line));
	lines->line[lines->count++] = text.data;
}

void lines_free(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->line[i]);
	free(lines->line);
	*lines = (struct lines){ 0 };
}

static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

void text_add_escaped(struct text *text, const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)bytes[i];

		text_add(text, c < ' ' || c >= 0x7f ? "\\x%02x" : "%c", c);
	}
}

void text_add_value(struct text *text, const char *value, size_t limit)
{
	size_t length = strnlen(value, limit);
	bool quoted = length == 0 || value[length] != '\0';

	for (size_t i = 0; i < length && !quoted; i++)
		quoted = !is_plain((unsigned char)value[i]);

	if (!quoted) {
		text_add_bytes(text, value, length);
		return;
	}
	text_add_string(text, "\"");
	for (size_t i = 0; i < length; i++) {
		if (value[i] == '"' || value[i] == '\\')
			text_add_string(text, "\\");
		text_add_escaped(text, &value[i], 1);
	}
	if (value[length] != '\0')
		text_add_string(text, "...");
	text_add_string(text, "\"");
}

void text_add_pair(struct text *text, const char *key, const char *value, size_t limit)
{
	if (text->length)
		text_add_string(text, " ");
	text_add_string(text, key);
	text_add_string(text, "=");
	text_add_value(text, value, limit);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Reads up to the closing quote and writes the plain value over it; returns what follows, NULL if malformed. */
static char *unquote(char *in)
{
	char *out = in;

	for (; *in && *in != '"'; in++) {
		int high, low;

		if (*in != '\\') {
			*out++ = *in;
			continue;
		}
		in++;
		if (*in == '"' || *in == '\\') {
			*out++ = *in;
			continue;
		}
		if (*in != 'x' || (high = hex_digit(in[1])) < 0 || (low = hex_digit(in[2])) < 0)
			return NULL;
		*out++ = (char)(high << 4 | low);
		in += 2;
	}
	if (*in != '"')
		return NULL;
	*out = '\0';
	return in + 1;
}

char *text_next_pair(char **cursor, char **value)
{
	char *key = *cursor + strspn(*cursor, " ");
	char *end = strchr(key, '=');

	if (!end || end == key)
		return NULL;
	*end++ = '\0';
	*value = end;
	if (*end == '"') {
		*value = end + 1;
		end = unquote(end + 1);
		if (!end)
			return NULL;
	} else {
		end += strcspn(end, " ");
	}
	if (*end)
		*end++ = '\0';
	*cursor = end;
	return key;
}

void text_add_printable(struct text *text, const char *line)
{
	for (; *line; line++)
		text_add(text, "%c", (unsigned char)*line < ' ' || (unsigned char)*line >= 0x7f ? '?' : *line);
}

void text_add_size(struct text *text, unsigned long long bytes)
{
	static const char units[] = "KMGTPE";
	unsigned long long rest = 0;
	int unit = -1;

	for (; bytes >= 1024; unit++) {
		rest = bytes % 1024;
		bytes /= 1024;
	}
	if (unit < 0)
		text_add(text, "%llu B", bytes);
	else
		text_add(text, "%llu.%llu %ciB", bytes, rest * 10 / 1024, units[unit]);
}

void text_add_age(struct text *text, unsigned long long seconds)
{
	static const struct { unsigned long long seconds; const char *name; } units[] = {
		{ 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" },
	};
	unsigned long long rest = 0;
	size_t i = 0;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	text_add(text, "%llu %s", seconds / units[i].seconds, units[i].name);
	if (i < 2)
		rest = seconds % units[i].seconds / units[i + 1].seconds;
	if (rest)
		text_add(text, " %llu %s", rest, units[i + 1].name);
}

/* What every line has room for, however narrow the window is. */
#define ROOM_LEAST 8

static size_t room_from(size_t column, size_t width)
{
	return width > column + ROOM_LEAST ? width - column : ROOM_LEAST;
}

static size_t length_that_fits(const char *words, size_t room)
{
	for (size_t i = room; i > 0; i--)
		if (words[i] == ' ')
			return i;
	return room;
}

void text_add_wrapped(struct text *text, const char *words, size_t width, size_t begin, size_t indent)
{
	size_t room = room_from(begin, width);

	while (width && strlen(words) > room) {
		size_t length = length_that_fits(words, room);

		text_add_bytes(text, words, length);
		text_add(text, "\n%*s", (int)indent, "");
		words += length + strspn(words + length, " ");
		room = room_from(indent, width);
	}
	text_add_string(text, words);
}

void text_add_shell(struct text *text, const char *word)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@%+,-";

	if (word[0] && word[strspn(word, safe)] == '\0') {
		text_add(text, "%s", word);
		return;
	}
	text_add(text, "'");
	for (; *word; word++)
		text_add(text, *word == '\'' ? "'\\''" : "%c", *word);
	text_add(text, "'");
}

/* Returns the length of the UTF-8 sequence (RFC 3629) at @s, 0 where there is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

void text_add_json_list(struct text *json, const char *name, const struct lines *lines)
{
	text_add(json, "  \"%s\": [", name);
	for (size_t i = 0; i < lines->count; i++) {
		text_add(json, "%s\n    ", i ? "," : "");
		text_add_json(json, lines->line[i]);
	}
	text_add(json, "%s],\n", lines->count ? "\n  " : "");
}

void text_add_json(struct text *text, const char *string)
{
	if (!string) {
		text_add_string(text, "null");
		return;
	}
	text_add(text, "\"");
	while (*string) {
		size_t length = utf8_length((const unsigned char *)string);

		if (length == 0)
			text_add(text, "\\ufffd");
		else if (*string == '"' || *string == '\\')
			text_add(text, "\\%c", *string);
		else if (length == 1 && ((unsigned char)*string < ' ' || *string == 0x7f))
			text_add(text, "\\u%04x", (unsigned char)*string);
		else
			text_add(text, "%.*s", (int)length, string);
		string += length ? length : 1;
	}
	text_add(text, "\"");
}

bool number_parse(const char *string, unsigned long long least, unsigned long long most,
		  unsigned long long *number)
{
	unsigned long long value = 0;

	if (!*string)
		return false;
	for (; *string; string++) {
		unsigned int digit = (unsigned int)(*string - '0');

		if (digit > 9 || digit > most || value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value < least)
		return false;
	*number = value;
	return true;
}

size_t text_distance(const char *a, const char *b)
{
	size_t row[64], length = strlen(b);

	if (length >= sizeof(row) / sizeof(*row))
		return SIZE_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
			size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = replaced < least ? replaced : least;
		}
	}
	return row[length];
}

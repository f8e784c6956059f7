/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/ini.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE_MAX 65536	/* without blanks around it and comments */

/* The file in memory, which is cut into strings as it is read. */
struct stream {
	const struct ini_visitor *visitor;
	void *data;
	char *next, *end;
	const char *section;
	unsigned int line;
};

static void line_error(const struct stream *stream, const char *message)
{
	stream->visitor->fault(stream->line, message, stream->data);
}

/* A carriage return ends a line of DOS; where it stands alone it would make one comment of all lines. */
static bool has_controls(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t' && !(line[i] == '\r' && i + 1 == length)) || line[i] == 0x7f)
			return true;
	return false;
}

/* The length of a line without blanks at its end and without a comment: a ; at its start or after a blank. */
static size_t content_length(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] == ';' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t'))
			length = i;
	while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r'))
		length--;
	return length;
}

static const char *line_fault(const char *line, size_t length)
{
	const char *bracket;

	if (length == 0 || line[0] == '#')
		return NULL;
	bracket = memchr(line, ']', length);
	if (line[0] == '[' && !bracket)
		return "the section has no closing ]";
	if (line[0] == '[' && bracket != line + length - 1)
		return "there is something after the ]; a key needs a line of its own";
	if (line[0] == '[')
		return NULL;
	if (!memchr(line, '=', length))
		return "is neither [section] nor key = value";
	return NULL;
}

/* What is between @start and @end without the blanks around it, as a string in its place. */
static char *trimmed(char *start, char *end)
{
	while (end > start && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return start + strspn(start, " \t\r");
}

static void take_content(struct stream *stream, char *line, size_t length)
{
	char *equals = memchr(line, '=', length), *value;

	if (length == 0 || line[0] == '#')
		return;
	if (line[0] == '[') {
		line[length - 1] = '\0';
		stream->section = line + 1;
		return;
	}
	value = trimmed(equals + 1, line + length);
	stream->visitor->pair(stream->line, stream->section, trimmed(line, equals), value, stream->data);
}

static void take_line(struct stream *stream, char *start, size_t length)
{
	const char *fault;
	char message[128];

	if (stream->line == 1 && length >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) {
		start += 3;
		length -= 3;
	}
	while (length > 0 && (*start == ' ' || *start == '\t')) {
		start++;
		length--;
	}
	if (has_controls(start, length)) {
		line_error(stream, "the line contains control characters; is this a text file?");
		/* One such line is enough to know. */
		if (memchr(start, '\0', length))
			stream->next = stream->end;
		return;
	}
	length = content_length(start, length);
	fault = line_fault(start, length);
	if (length > LINE_SIZE_MAX) {
		snprintf(message, sizeof(message), "the line has %zu bytes, at most %d are allowed; is a line break missing?", length,
			 LINE_SIZE_MAX);
		fault = message;
	}
	if (fault)
		line_error(stream, fault);
	else
		take_content(stream, start, length);
}

/* The byte behind each line becomes its NUL. */
void ini_read(char *file, size_t length, const struct ini_visitor *visitor, void *data)
{
	struct stream stream = {
		.visitor = visitor, .data = data, .next = file, .end = file + length, .section = "",
	};

	while (stream.next < stream.end) {
		char *start = stream.next, *newline = memchr(start, '\n', (size_t)(stream.end - start));
		char *end = newline ? newline : stream.end;

		stream.line++;
		stream.next = newline ? newline + 1 : end;
		take_line(&stream, start, (size_t)(end - start));
	}
}

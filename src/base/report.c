/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/report.h"
#include "base/log.h"
#include "base/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void PRINTF(2, 0) add(struct lines *lines, const char *format, va_list args)
{
	char message[2048];

	if (vsnprintf(message, sizeof(message), format, args) >= (int)sizeof(message))
		memcpy(message + sizeof(message) - sizeof("..."), "...", sizeof("..."));
	for (size_t i = 0; i < lines->count; i++)
		if (strcmp(lines->line[i], message) == 0)
			return;
	lines_add(lines, "%s", message);
}

int report_error(struct report *report, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(&report->errors, format, args);
	va_end(args);
	if (report->status == 0)
		report->status = status;
	return -1;
}

void report_warning(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(&report->warnings, format, args);
	va_end(args);
}

void report_note(struct report *report, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(&report->notes, format, args);
	va_end(args);
}

void report_free(struct report *report)
{
	lines_free(&report->errors);
	lines_free(&report->warnings);
	lines_free(&report->notes);
	report->status = 0;
}

static void add_count(struct text *text, size_t count, const char *what)
{
	if (count)
		text_add(text, "%s%zu %s%s", text->length ? ", " : "", count, what, count == 1 ? "" : "s");
}

void report_add_summary(struct text *text, const struct report *report, bool colour)
{
	struct text counts CLEANUP(text_free) = { 0 };
	bool ok = report->errors.count + report->warnings.count == 0;

	if (ok)
		text_add_string(&counts, "ok");
	add_count(&counts, report->errors.count, "error");
	add_count(&counts, report->warnings.count, "warning");
	add_count(&counts, report->notes.count, "note");
	text_add(text, "%s%s%s\n", !colour ? "" : ok ? TERMINAL_GREEN : report->errors.count ? TERMINAL_RED : TERMINAL_YELLOW,
		 text_string(&counts), colour ? TERMINAL_PLAIN : "");
}

/* The length of a quotation at the start of @line, of a value (text_add_value()) or a command; 0 where there is none. */
static size_t quotation_length(const char *line)
{
	if (*line != '"' && *line != '`')
		return 0;
	for (size_t i = 1; line[i]; i++) {
		if (line[i] == *line)
			return i + 1;
		if (line[i] == '\\' && line[i + 1])
			i++;
	}
	return 0;
}

/* The length of what stands before a "; " outside of quotations: each of our remedies comes behind one. */
static size_t part_length(const char *line)
{
	size_t i = 0;

	while (line[i] && strncmp(line + i, "; ", 2) != 0) {
		size_t quotation = quotation_length(line + i);

		i += quotation ? quotation : 1;
	}
	return i;
}

static void add_finding(struct text *text, const char *kind, const char *tone, const char *line, bool colour)
{
	const char *separator = "";

	text_add(text, "%s%s%s: ", colour ? tone : "", kind, colour ? TERMINAL_PLAIN : "");
	while (*line) {
		size_t length = part_length(line);

		text_add_string(text, separator);
		text_add_escaped(text, line, length);
		separator = "\n    ";
		line += length + (line[length] ? 2 : 0);
	}
	text_add_string(text, "\n");
}

void report_add_findings(struct text *text, const struct report *report, bool colour)
{
	for (size_t i = 0; i < report->errors.count; i++)
		add_finding(text, "error", TERMINAL_RED, report->errors.line[i], colour);
	for (size_t i = 0; i < report->warnings.count; i++)
		add_finding(text, "warning", TERMINAL_YELLOW, report->warnings.line[i], colour);
	for (size_t i = 0; i < report->notes.count; i++)
		add_finding(text, "note", TERMINAL_BOLD, report->notes.line[i], colour);
}

void report_add_json(struct text *json, const struct report *report)
{
	text_add_json_list(json, "errors", &report->errors);
	text_add_json_list(json, "warnings", &report->warnings);
	text_add_json_list(json, "notes", &report->notes);
}

int report_add_errors(struct report *report, const struct report *other)
{
	for (size_t i = 0; i < other->errors.count; i++)
		report_error(report, other->status, "%s", other->errors.line[i]);
	return other->errors.count ? -1 : 0;
}

void report_move(struct report *report, struct report *other)
{
	report_add_errors(report, other);
	for (size_t i = 0; i < other->warnings.count; i++)
		report_warning(report, "%s", other->warnings.line[i]);
	for (size_t i = 0; i < other->notes.count; i++)
		report_note(report, "%s", other->notes.line[i]);
	report_free(other);
}

void report_take_errors(struct report *report, struct lines *lines)
{
	for (size_t i = 0; i < report->errors.count; i++)
		lines_add(lines, "%s", report->errors.line[i]);
	lines_free(&report->errors);
	report->status = 0;
}

void report_log(struct report *report)
{
	for (size_t i = 0; i < report->notes.count; i++)
		log_line(LOG_LEVEL_INFO, "note: %s", report->notes.line[i]);
	for (size_t i = 0; i < report->warnings.count; i++)
		log_line(LOG_LEVEL_WARNING, "%s", report->warnings.line[i]);
	for (size_t i = 0; i < report->errors.count; i++)
		log_line(LOG_LEVEL_ERROR, "%s", report->errors.line[i]);
	report_free(report);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void PRINTF(2, 0) add(struct lines *lines, const char *format, va_list args)
{
	char message[2048];

	vsnprintf(message, sizeof(message), format, args);
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

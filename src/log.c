/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_SIZE 4096

static enum log_level threshold = LOG_LEVEL_INFO;
static bool syslog_too;

void log_open(enum log_level level, bool to_syslog)
{
	threshold = level;
	if (to_syslog && !syslog_too)
		openlog("ocserv-gateway", LOG_PID, LOG_DAEMON);
	syslog_too = to_syslog;
}

static void make_printable(char line[LINE_SIZE], const char *raw)
{
	size_t length = 0;

	for (; *raw && length < LINE_SIZE - 5; raw++) {
		unsigned char c = (unsigned char)*raw;

		if (c >= ' ' && c < 0x7f)
			line[length++] = (char)c;
		else
			length += (size_t)snprintf(line + length, 5, "\\x%02x", c);
	}
	line[length] = '\0';
}

void log_line(enum log_level level, const char *format, ...)
{
	static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	static const char *const name[] = { "error: ", "warning: ", "", "debug: " };
	char raw[LINE_SIZE], line[LINE_SIZE];
	va_list args;

	if (level > threshold)
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	make_printable(line, raw);

	dprintf(STDERR_FILENO, "ocserv-gateway: %s%s\n", name[level], line);
	if (syslog_too)
		syslog(priority[level], "%s%s", name[level], line);
}

int log_report(struct report *report)
{
	int status = report->status;

	for (size_t i = 0; i < report->warnings.count; i++)
		log_line(LOG_LEVEL_WARNING, "%s", report->warnings.line[i]);
	for (size_t i = 0; i < report->errors.count; i++)
		log_line(LOG_LEVEL_ERROR, "%s", report->errors.line[i]);
	report_free(report);
	return status;
}

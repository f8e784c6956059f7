/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_syslog.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>

/* The linker's names for what stands in for NAME: __wrap_NAME. */
void __wrap_openlog(const char *identity, int option, int facility);
void __wrap_syslog(int priority, const char *format, ...) PRINTF(2, 3);
void __wrap___syslog_chk(int priority, int flag, const char *format, ...) PRINTF(3, 4);

static struct text lines;

static void PRINTF(2, 0) add_line(int priority, const char *format, va_list args)
{
	char line[8192];

	vsnprintf(line, sizeof(line), format, args);
	text_add(&lines, "%d: %s\n", priority, line);
}

void __wrap_openlog(const char *identity, int option, int facility)
{
	(void)option;
	text_add(&lines, "open %s %d\n", identity, facility);
}

void __wrap_syslog(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_line(priority, format, args);
	va_end(args);
}

void __wrap___syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	add_line(priority, format, args);
	va_end(args);
}

const char *syslog_text(void)
{
	return text_string(&lines);
}

void syslog_clear(void)
{
	text_free(&lines);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_SIZE 4096

const char *log_path = _PATH_LOG;

static enum log_level threshold = LOG_LEVEL_INFO;
static int system_log = -1;
static bool tried;	/* to reach it: once in a run */

static void close_system_log(void)
{
	if (system_log >= 0)
		close(system_log);
	system_log = -1;
}

static void open_system_log(void)
{
	const struct timeval patience = { .tv_usec = LOG_PATIENCE_MS * 1000L };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	tried = true;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", log_path);
	system_log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (system_log < 0)
		return;
	if (setsockopt(system_log, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    connect(system_log, (const struct sockaddr *)&address, sizeof(address)) < 0)
		close_system_log();
}

void log_open(enum log_level level, bool to_syslog)
{
	threshold = level;
	if (!to_syslog) {
		close_system_log();
		tried = false;
	} else if (!tried) {
		open_system_log();
	}
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

/* In one write, so that lines of other runs don't come between; dprintf(3) of newer glibc makes several. */
static ssize_t PRINTF(2, 3) send_line(int fd, const char *format, ...)
{
	char line[LINE_SIZE + 64];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	return write(fd, line, (size_t)length);
}

bool log_wants(enum log_level level)
{
	return level <= threshold;
}

void log_line(enum log_level level, const char *format, ...)
{
	static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	static const char *const name[] = { "error: ", "warning: ", "", "debug: " };
	char raw[LINE_SIZE], line[LINE_SIZE];
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	make_printable(line, raw);

	send_line(STDERR_FILENO, "ocserv-gateway: %s%s\n", name[level], line);
	if (system_log >= 0 && send_line(system_log, "<%d>ocserv-gateway[%d]: %s%s", LOG_DAEMON | priority[level],
					 (int)getpid(), name[level], line) < 0)
		close_system_log();
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_SIZE 4096
#define BEFORE 64	/* bytes for what goes before it */

const char *log_path = _PATH_LOG;

static enum log_level threshold = LOG_LEVEL_INFO;
static int system_log = -1;
static bool tried;	/* to reach it: once in a run */
static bool journal;	/* systemd's is what stderr leads to */

static void close_system_log(void)
{
	if (system_log >= 0)
		close(system_log);
	system_log = -1;
}

/* As $JOURNAL_STREAM is to be read by systemd.exec(5). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[sizeof("18446744073709551615:18446744073709551615")];
	struct stat status;

	if (!stream || fstat(STDERR_FILENO, &status) < 0)
		return false;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
	return strcmp(stream, own) == 0;
}

void log_open(enum log_level level, bool to_syslog)
{
	threshold = level;
	journal = stderr_is_journal();
	if (to_syslog && !journal && !tried) {
		tried = true;
		system_log = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	} else if (!to_syslog) {
		close_system_log();
		tried = false;
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

/* Puts words right before @line, where there is room for them; where they begin. */
static char *PRINTF(2, 3) begin_line(char *line, const char *format, ...)
{
	char words[BEFORE];
	va_list args;
	size_t length;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	length = strlen(words);
	return memcpy(line - length, words, length);
}

/* A daemon that takes nothing is waited for, but once and not for long. */
static void send_to_system_log(const char *line, size_t length)
{
	const struct timeval patience = { .tv_usec = LOG_PATIENCE_MS * 1000L };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct sockaddr *to = (const struct sockaddr *)&address;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", log_path);
	if (sendto(system_log, line, length, MSG_DONTWAIT, to, sizeof(address)) >= 0)
		return;
	if (errno != EAGAIN ||
	    setsockopt(system_log, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
	    sendto(system_log, line, length, 0, to, sizeof(address)) < 0)
		close_system_log();
}

bool log_wants(enum log_level level)
{
	return level <= threshold;
}

void log_line(enum log_level level, const char *format, ...)
{
	static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
	static const char *const name[] = { "error: ", "warning: ", "", "debug: " };
	char raw[LINE_SIZE], buffer[BEFORE + LINE_SIZE + 1], before[sizeof("<7>")] = "", *line = buffer + BEFORE, *end, *begin;
	va_list args;

	if (!log_wants(level))
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	make_printable(line, raw);

	/* Each in one write, so that lines of other runs don't come between. */
	if (journal)
		snprintf(before, sizeof(before), "<%d>", priority[level]);
	end = line + strlen(line);
	*end = '\n';
	begin = begin_line(line, "%socserv-gateway: %s", before, name[level]);
	(void)!write(STDERR_FILENO, begin, (size_t)(end + 1 - begin));
	if (system_log < 0)
		return;
	begin = begin_line(line, "<%d>ocserv-gateway[%d]: %s", LOG_DAEMON | priority[level], (int)getpid(), name[level]);
	send_to_system_log(begin, (size_t)(end - begin));
}

void log_last_words(const char *message)
{
	char head[] = "<27>ocserv-gateway: error: ", end[] = "\n";	/* LOG_DAEMON | LOG_ERR */
	const size_t priority = sizeof("<27>") - 1;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct iovec line[] = {
		{ head, sizeof(head) - 1 }, { (char *)message, strlen(message) }, { end, 1 },
	};
	struct msghdr datagram = {
		.msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = line, .msg_iovlen = 2,
	};

	strncpy(address.sun_path, log_path, sizeof(address.sun_path) - 1);
	if (system_log >= 0)
		sendmsg(system_log, &datagram, MSG_DONTWAIT | MSG_NOSIGNAL);
	line[0].iov_base = head + priority;
	line[0].iov_len -= priority;
	(void)!writev(STDERR_FILENO, line, sizeof(line) / sizeof(*line));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOG_H
#define LOG_H

#include "base/attributes.h"

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * log_open - where lines go: stderr, and with @to_syslog the system's log, as a daemon's
 *
 * syslog(3) waits for a log daemon that takes no more lines, without end. Here it gets LOG_PATIENCE_MS, once in a
 * run, and then the rest is on stderr alone. The daemon adds the time.
 * Where stderr leads to systemd's journal, which is the system's log then, a line goes there alone, with its priority
 * before it: of a line by syslog the journal may not find the unit any more, since a hook is short.
 */
void log_open(enum log_level level, bool to_syslog);

#define LOG_PATIENCE_MS 200

/* Where the system's log listens: _PATH_LOG. Tests have one of their own. */
extern const char *log_path;

/* log_wants - whether a line of this level goes anywhere, where it takes work to make */
bool log_wants(enum log_level level);

/* log_line - one line, whatever it holds: bytes outside printable ASCII become \xNN */
void log_line(enum log_level level, const char *format, ...) PRINTF(2, 3);

/* log_last_words - an error of this text alone, from where nothing else is safe: signal handlers, or without memory */
void log_last_words(const char *message);

#endif

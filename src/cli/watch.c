/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/watch.h"

#include "base/terminal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t ended;

static void on_end(int number)
{
	(void)number;
	ended = 1;
}

static sigset_t ends(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	return signals;
}

/* What ends it, and what makes the next screen come at once. */
static sigset_t waited_for(void)
{
	sigset_t signals = ends();

	sigaddset(&signals, SIGWINCH);
	return signals;
}

void watch_begin(void)
{
	/* Without SA_RESTART: a terminal that is stopped holds up a write. */
	const struct sigaction action = { .sa_handler = on_end };
	const sigset_t signals = waited_for();

	/* One that is ignored by default waits, too, as long as it is blocked. */
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	while ((text = strchr(text, '\n'))) {
		count++;
		text++;
	}
	return count;
}

/* Where the line with this number begins, from 0 on. */
static size_t beginning_of(const char *text, size_t line)
{
	const char *at = text;

	while (line--)
		at = strchr(at, '\n') + 1;
	return (size_t)(at - text);
}

void watch_cut(struct text *text, size_t rows)
{
	size_t count = count_lines(text_string(text));
	/* The cursor stands in the last row, and what is left out is told in the one before. */
	size_t kept = rows > 3 ? rows - 2 : 1;

	if (rows == 0 || count <= kept + 1)
		return;
	text->length = beginning_of(text->data, kept);
	text_add(text, TERMINAL_PLAIN "... %zu more lines\n", count - kept);
}

bool watch_print(const struct text *text)
{
	const sigset_t signals = ends();
	size_t done = 0;
	ssize_t written = 0;

	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	while (done < text->length && !ended && (written >= 0 || errno == EINTR)) {
		written = write(STDOUT_FILENO, text->data + done, text->length - done);
		done += written > 0 ? (size_t)written : 0;
	}
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return done == text->length && !ended;
}

bool watch_wait(unsigned int seconds)
{
	const struct timespec interval = { .tv_sec = seconds };
	const sigset_t signals = waited_for();
	int number = sigtimedwait(&signals, NULL, &interval);

	return number < 0 || number == SIGWINCH;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/watch.h"

#include <errno.h>
#include <signal.h>
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

void watch_begin(void)
{
	/* Without SA_RESTART: a terminal that is stopped holds up a write. */
	const struct sigaction action = { .sa_handler = on_end };
	const sigset_t signals = ends();

	sigprocmask(SIG_BLOCK, &signals, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
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
	const sigset_t signals = ends();

	return sigtimedwait(&signals, NULL, &interval) < 0;
}

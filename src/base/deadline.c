/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/deadline.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t waiting_for_lock;
static struct timespec started;
static unsigned int most;	/* seconds */
static char message[64];

static void on_alarm(int number)
{
	(void)number;
	if (waiting_for_lock)
		return;
	log_last_words(message);
	_exit(EX_TEMPFAIL);
}

/* Repeats every 50 ms, lest a signal that comes just before a blocking call is lost. */
static void set_timer(time_t seconds, suseconds_t microseconds)
{
	const struct itimerval timer = {
		.it_value = { .tv_sec = seconds, .tv_usec = microseconds },
		.it_interval = { .tv_usec = seconds || microseconds ? 50000 : 0 },
	};

	setitimer(ITIMER_REAL, &timer, NULL);
}

void deadline_start(unsigned int seconds)
{
	struct sigaction action = { .sa_handler = on_alarm };
	sigset_t alarm_only;

	most = seconds;
	snprintf(message, sizeof(message), "gave up after %u seconds; run it again", seconds);
	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarm_only, NULL);
	clock_gettime(CLOCK_MONOTONIC, &started);
	set_timer((time_t)seconds, 0);
}

void deadline_stop(void)
{
	set_timer(0, 0);
}

/* The rest of the time, at least a millisecond. */
static void resume(void)
{
	struct timespec now;
	long long left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left = (started.tv_sec + (time_t)most - now.tv_sec) * 1000000LL + (started.tv_nsec - now.tv_nsec) / 1000;
	if (left < 1000)
		left = 1000;
	set_timer((time_t)(left / 1000000), (suseconds_t)(left % 1000000));
}

int deadline_lock(int fd, unsigned int seconds)
{
	int result = flock(fd, LOCK_EX | LOCK_NB), error;

	if (result == 0 || errno != EWOULDBLOCK)
		return result;
	waiting_for_lock = 1;
	set_timer((time_t)seconds, 0);
	result = flock(fd, LOCK_EX);
	error = errno == EINTR ? EWOULDBLOCK : errno;
	waiting_for_lock = 0;
	resume();
	errno = error;
	return result;
}

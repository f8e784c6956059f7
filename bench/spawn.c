/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/*
 * spawn [-n COUNT] [-j PARALLEL] [-e FILE] COMMAND [ARGUMENT...]
 *
 * Runs COMMAND, an absolute path, COUNT times, PARALLEL at a time. From before posix_spawn(3) until it is
 * reaped is what a server waits for its hook. Prints for each run: nanoseconds, those on a CPU (to a
 * microsecond), peak memory in KiB, exit status (negative: a signal); and at the end `total` and the
 * nanoseconds for all. Each run gets the next line of FILE, of NAME=VALUE words, into its environment.
 *
 * This program stays small: the kernel counts its memory as that of the child, until that has executed COMMAND.
 */

#define MOST_PARALLEL 1024
#define SECONDS 120		/* after which all ends, whatever hangs */

struct run {
	pid_t pid;		/* 0 where the place is free */
	long long begun;
};

static void die(const char *what)
{
	dprintf(STDERR_FILENO, "spawn: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* The standard files of the commands are /dev/null; the results go to the descriptor returned. */
static FILE *silence(void)
{
	int results = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10), null = open("/dev/null", O_RDWR);

	if (results < 0 || null < 0)
		die("/dev/null");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!getenv("SPAWN_STDERR"))
		dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	return fdopen(results, "w");
}

static void next_environment(FILE *lines)
{
	char line[256], *save = NULL;

	if (!fgets(line, sizeof(line), lines))
		die("the file of environments is too short");
	for (char *word = strtok_r(line, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		char *value = strchr(word, '=');

		if (!value)
			die(word);
		*value = '\0';
		setenv(word, value + 1, 1);
	}
}

static void start(struct run *run, char **command)
{
	run->begun = now();
	errno = posix_spawn(&run->pid, command[0], NULL, NULL, command, environ);
	if (errno)
		die(command[0]);
}

static long long nanoseconds(const struct timeval *time)
{
	return time->tv_sec * 1000000000LL + time->tv_usec * 1000LL;
}

static void reap(struct run *runs, int parallel, FILE *results)
{
	struct rusage usage;
	int status, place;
	pid_t pid = wait4(-1, &status, 0, &usage);
	long long ended = now();

	if (pid < 0)
		die("wait4");
	for (place = 0; place < parallel && runs[place].pid != pid; place++)
		;
	if (place == parallel)
		return;
	fprintf(results, "%lld %lld %ld %d\n", ended - runs[place].begun,
		nanoseconds(&usage.ru_utime) + nanoseconds(&usage.ru_stime), usage.ru_maxrss,
		WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	runs[place].pid = 0;
}

static void run_all(char **command, int count, int parallel, FILE *lines, FILE *results)
{
	static struct run runs[MOST_PARALLEL];
	int started = 0, ended = 0;

	while (ended < count) {
		for (int place = 0; place < parallel && started < count; place++) {
			if (runs[place].pid)
				continue;
			if (lines)
				next_environment(lines);
			start(&runs[place], command);
			started++;
		}
		reap(runs, parallel, results);
		ended++;
	}
}

static int number(const char *text, int most)
{
	int value = atoi(text);

	if (value >= 1 && value <= most)
		return value;
	errno = EINVAL;
	die(text);
	return 0;
}

int main(int argc, char **argv)
{
	int count = 1, parallel = 1, option;
	FILE *lines = NULL, *results;
	long long begun;

	while ((option = getopt(argc, argv, "+n:j:e:")) >= 0) {
		if (option == 'n')
			count = number(optarg, 1000000);
		else if (option == 'j')
			parallel = number(optarg, MOST_PARALLEL);
		else if (option != 'e' || !(lines = fopen(optarg, "re")))
			die("usage: spawn [-n COUNT] [-j PARALLEL] [-e FILE] COMMAND [ARGUMENT...]");
	}
	if (optind == argc)
		die("no command");
	alarm(SECONDS);
	results = silence();
	begun = now();
	run_all(argv + optind, count, parallel, lines, results);
	fprintf(results, "total %lld\n", now() - begun);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill_at N SIGNAL PROGRAM ARGUMENT... - run a program and send it a signal at its Nth system call
 *
 * The program's own execve is number 0. SIGKILL (9) strikes before the call is done, any other signal after
 * it. What strace has for this (-e inject=all:signal=KILL:when=N) counts each name of a call by itself.
 * Exit status: the program's, 128 + SIGNAL where a signal ended it, 125 where this went wrong.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int give_up(const char *what)
{
	perror(what);
	exit(125);
}

static pid_t start(char **command)
{
	pid_t child = fork();

	if (child < 0)
		give_up("fork");
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			give_up("ptrace");
		raise(SIGSTOP);
		execv(command[0], command);
		give_up(command[0]);
	}
	return child;
}

static void trace(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
		give_up("waitpid");
	if (ptrace(PTRACE_SETOPTIONS, child, NULL,
		   (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) < 0)
		give_up("ptrace");
}

/* Goes on to the next stop that @stop tells apart, with other signals passed on; false where it ended. */
static int next_stop(pid_t child, int stop, int *status)
{
	int pass = 0;

	do {
		if (ptrace(PTRACE_SYSCALL, child, NULL, (void *)(long)pass) < 0 || waitpid(child, status, 0) < 0)
			give_up("ptrace");
		if (!WIFSTOPPED(*status))
			return 0;
		pass = WSTOPSIG(*status) & 0x80 || *status >> 16 ? 0 : WSTOPSIG(*status);
	} while (*status >> 8 != stop);
	return 1;
}

int main(int argc, char **argv)
{
	const int exec_stop = SIGTRAP | PTRACE_EVENT_EXEC << 8, call_stop = SIGTRAP | 0x80;
	long number, left;
	int signal, status;
	pid_t child;

	if (argc < 4)
		return 125;
	number = atol(argv[1]);
	signal = atoi(argv[2]);
	child = start(argv + 3);
	trace(child);
	if (!next_stop(child, exec_stop, &status))
		return 125;
	/* The end of execve, then the beginning and the end of each call. */
	for (left = 2 * number; left > 0; left--)
		if (!next_stop(child, call_stop, &status))
			break;
	if (left == 0) {
		if (signal == SIGKILL)
			kill(child, SIGKILL);
		else if (ptrace(PTRACE_DETACH, child, NULL, (void *)(long)signal) < 0)
			give_up("ptrace");
		if (waitpid(child, &status, 0) < 0)
			give_up("waitpid");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * traps COMMAND [ARGUMENT...]
 *
 * Runs COMMAND, an absolute path, step by step, and prints how many CPUID instructions it executes: a virtual machine
 * leaves the processor for each, and what it does meanwhile is no instruction that anybody counts. 0 on other processors.
 */

#define CPUID 0xa20fL		/* 0f a2 */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int is_cpuid(pid_t child)
{
#ifdef __x86_64__
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, child, NULL, &registers) < 0)
		die("PTRACE_GETREGS");
	return (ptrace(PTRACE_PEEKTEXT, child, (void *)registers.rip, NULL) & 0xffff) == CPUID;
#else
	(void)child;
	return 0;
#endif
}

int main(int argc, char **argv)
{
	int status, count = 0;
	pid_t child;

	if (argc < 2)
		return 1;
	child = fork();
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[1], argv + 1);
		_exit(127);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		count += is_cpuid(child);
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) < 0)
			die("PTRACE_SINGLESTEP");
	}
	printf("%d\n", count);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

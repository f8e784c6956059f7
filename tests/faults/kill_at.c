/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill_at [-c] N SIGNAL PROGRAM ARGUMENT... - run a program and send it a signal at its Nth system call
 *
 * -c: at the Nth of those that may change what others see. Between two of these it is all the same when it dies.
 *
 * The program's own execve is number 0. SIGKILL (9) strikes before the call is done, any other signal after
 * it. What strace has for this (-e inject=all:signal=KILL:when=N) counts each name of a call by itself.
 * Exit status: the program's, 128 + SIGNAL where a signal ended it, 125 where this went wrong.
 */
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
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

/* Calls that read, or are about the process alone. Whatever is not here counts. */
static const long harmless[] = {
	SYS_read, SYS_pread64, SYS_recvmsg, SYS_recvmmsg, SYS_recvfrom, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_readlinkat,
	SYS_getdents64, SYS_lseek, SYS_faccessat, SYS_getsockname, SYS_getsockopt, SYS_ppoll, SYS_pselect6, SYS_uname,
	SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk, SYS_getrandom, SYS_prlimit64,
	SYS_set_tid_address, SYS_set_robust_list, SYS_rseq, SYS_futex, SYS_socket, SYS_setsockopt, SYS_close, SYS_fcntl,
	SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_capget, SYS_capset,
	SYS_prctl, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_setitimer, SYS_clock_gettime,
#ifdef __x86_64__
	SYS_access, SYS_arch_prctl, SYS_poll, SYS_readlink, SYS_stat,
#endif
};

/* Whether the call at whose beginning the child stands may change what others see. */
static int may_change(pid_t child)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof(info), &info) <= 0)
		give_up("ptrace");
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
		fputs("not at the beginning of a call\n", stderr);
		exit(125);
	}
	if (info.entry.nr == SYS_openat)
		return (info.entry.args[2] & O_CREAT) != 0;
	if (info.entry.nr == SYS_ioctl)
		return info.entry.args[1] != SIOCGIFNAME;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (info.entry.nr == (unsigned long long)harmless[i])
			return 0;
	return 1;
}

/* Goes on to the beginning of the Nth call; false where it ended before. */
static int reach(pid_t child, long number, int changes, int *status)
{
	const int call_stop = SIGTRAP | 0x80;

	/* The end of execve, then the beginning and the end of each call. */
	while (next_stop(child, call_stop, status) && next_stop(child, call_stop, status))
		if ((!changes || may_change(child)) && --number == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	const int exec_stop = SIGTRAP | PTRACE_EVENT_EXEC << 8;
	int signal, status, changes = argc > 1 && strcmp(argv[1], "-c") == 0;
	char **arguments = argv + changes;
	pid_t child;

	if (argc - changes < 4)
		return 125;
	signal = atoi(arguments[2]);
	child = start(arguments + 3);
	trace(child);
	if (!next_stop(child, exec_stop, &status))
		return 125;
	if (reach(child, atol(arguments[1]), changes, &status)) {
		if (signal == SIGKILL)
			kill(child, SIGKILL);
		else if (ptrace(PTRACE_DETACH, child, NULL, (void *)(long)signal) < 0)
			give_up("ptrace");
		if (waitpid(child, &status, 0) < 0)
			give_up("waitpid");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

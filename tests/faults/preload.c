/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults that no system call can have, for LD_PRELOAD:
 *
 *   FAULT_ALLOCATION=N    the Nth allocation fails; N+ and all after it
 *   FAULT_REPLY=N:KIND    the Nth netlink message received is spoilt, see spoil()
 *   FAULT_CLOCK=SECONDS   time(2) is this much later, or earlier
 *   FAULT_COUNTS=FILE     where the number of messages is written in the end
 *   FAULT_SITES=FILE      where each allocation is written in the end: its number, and a number of its callers
 */
#define _GNU_SOURCE
#include <errno.h>
#include <execinfo.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

#define SITES 16384
#define CALLERS 5	/* that make a site, with two functions of this file */

static unsigned long allocation, failing, reply, spoilt;
static unsigned long long site[SITES];
static int all_after, with_sites, busy;
static const char *kind = "";
static long clock_offset;

static const char *setting(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

__attribute__((constructor)) static void read_settings(void)
{
	char *rest;

	failing = strtoul(setting("FAULT_ALLOCATION"), &rest, 10);
	all_after = *rest == '+';
	spoilt = strtoul(setting("FAULT_REPLY"), &rest, 10);
	if (*rest == ':')
		kind = rest + 1;
	clock_offset = atol(setting("FAULT_CLOCK"));
	with_sites = *setting("FAULT_SITES") != '\0';
	allocation = 0;
}

static void write_sites(FILE *file, unsigned long allocations)
{
	for (unsigned long i = 1; i <= allocations && i < SITES; i++)
		fprintf(file, "%lu %llx\n", i, site[i]);
}

static void write_count(FILE *file, unsigned long count)
{
	fprintf(file, "%lu\n", count);
}

static void write_to(const char *path, void (*write_it)(FILE *file, unsigned long count), unsigned long count)
{
	FILE *file = *path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	write_it(file, count);
	fclose(file);
}

__attribute__((destructor)) static void write_counts(void)
{
	unsigned long allocations = allocation;

	busy = 1;
	write_to(setting("FAULT_SITES"), write_sites, allocations);
	write_to(setting("FAULT_COUNTS"), write_count, reply);
}

/* A number of the last return addresses, which are the same in each run without address randomization. */
static unsigned long long site_here(void)
{
	unsigned long long number = 14695981039346656037ULL;
	void *address[CALLERS];
	int depth;

	busy = 1;	/* the first backtrace() loads a library */
	depth = backtrace(address, CALLERS);
	busy = 0;
	for (int i = 0; i < depth; i++)
		number = (number ^ (unsigned long)address[i]) * 1099511628211ULL;
	return number;
}

static int fails(void)
{
	if (busy)
		return 0;
	allocation++;
	if (with_sites && allocation < SITES)
		site[allocation] = site_here();
	if (!failing || allocation < failing || (allocation > failing && !all_after))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails() ? NULL : __libc_realloc(old, size);
}

time_t time(time_t *result)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += clock_offset;
	if (result)
		*result = now.tv_sec;
	return now.tv_sec;
}

static void make_error(struct nlmsghdr *header, int error)
{
	header->nlmsg_type = NLMSG_ERROR;
	header->nlmsg_flags = 0;
	memcpy((char *)header + NLMSG_HDRLEN, &error, sizeof(error));
}

/* Spoils @length bytes of a netlink message, of which the first header is @header; the new length. */
static ssize_t spoil(struct nlmsghdr *header, ssize_t length, int *flags)
{
	if (strcmp(kind, "empty") == 0)
		return 0;
	if (strcmp(kind, "short") == 0)
		return 8;
	if (strcmp(kind, "half") == 0)
		return length / 2;
	if (strcmp(kind, "cut") == 0)
		return length - 4;
	if (strcmp(kind, "type") == 0)
		header->nlmsg_type = 0x7fff;
	if (strcmp(kind, "noop") == 0)
		header->nlmsg_type = NLMSG_NOOP;
	if (strcmp(kind, "overrun") == 0)
		header->nlmsg_type = NLMSG_OVERRUN;
	if (strcmp(kind, "tiny") == 0)
		header->nlmsg_len = 4;
	if (strcmp(kind, "huge") == 0)
		header->nlmsg_len = 0x7fffffff;
	if (strcmp(kind, "bare") == 0)
		header->nlmsg_len = NLMSG_HDRLEN;
	if (strcmp(kind, "sequence") == 0)
		header->nlmsg_seq += 100000;
	if (strcmp(kind, "interrupted") == 0)
		header->nlmsg_flags |= NLM_F_DUMP_INTR;
	if (strcmp(kind, "truncated") == 0)
		*flags |= MSG_TRUNC;
	if (strcmp(kind, "exists") == 0)
		make_error(header, -EEXIST);
	if (strcmp(kind, "busy") == 0)
		make_error(header, -EBUSY);
	if (strcmp(kind, "absent") == 0)
		make_error(header, -ENOENT);
	return length;
}

int recvmmsg(int fd, struct mmsghdr *parts, unsigned int count, int flags, struct timespec *timeout)
{
	int got = (int)syscall(SYS_recvmmsg, fd, parts, count, flags, timeout);

	for (int i = 0; i < got; i++) {
		struct msghdr *message = &parts[i].msg_hdr;

		if (parts[i].msg_len >= NLMSG_HDRLEN + sizeof(int) && ++reply == spoilt)
			parts[i].msg_len = (unsigned int)spoil(message->msg_iov->iov_base, parts[i].msg_len, &message->msg_flags);
	}
	return got;
}

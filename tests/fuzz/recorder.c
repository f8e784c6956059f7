/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be preloaded: appends what the kernel answers the program to the file OGW_RECORD, in the form
 * of stand_in.h. What differs between two runs alike, numbers and ports, is taken out.
 */
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t first_sequence;

ssize_t send(int socket, const void *request, size_t size, int flags)
{
	const struct nlmsghdr *message = request;

	first_sequence = message->nlmsg_seq + (message->nlmsg_type == NFNL_MSG_BATCH_BEGIN);
	return syscall(SYS_sendto, socket, request, size, flags, NULL, 0);
}

static void record(const char *answer, size_t size)
{
	const uint8_t length[2] = { (uint8_t)size, (uint8_t)(size >> 8) };
	int file = open(getenv("OGW_RECORD"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), left = (int)size;
	struct nlmsghdr *copy = malloc(size);

	if (!copy)
		abort();
	memcpy(copy, answer, size);
	for (struct nlmsghdr *message = copy; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		message->nlmsg_seq -= first_sequence - 1;
		message->nlmsg_pid = 0;
	}
	if (write(file, length, sizeof(length)) < 0 || write(file, copy, size) < 0)
		abort();
	free(copy);
	close(file);
}

int recvmmsg(int socket, struct mmsghdr *parts, unsigned int count, int flags, struct timespec *timeout)
{
	int got = (int)syscall(SYS_recvmmsg, socket, parts, count, flags, timeout);

	for (int i = 0; i < got; i++)
		record(parts[i].msg_hdr.msg_iov->iov_base, parts[i].msg_len);
	return got;
}

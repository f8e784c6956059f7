/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To be preloaded: appends what the kernel answers a program that uses libmnl to the file OGW_RECORD, in the form
 * of stand_in.h. What differs between two runs alike, numbers and ports, is taken out.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t first_sequence;

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t size)
{
	ssize_t (*real)(const struct mnl_socket *, const void *, size_t);
	const struct nlmsghdr *message = request;

	first_sequence = message->nlmsg_seq + (message->nlmsg_type == NFNL_MSG_BATCH_BEGIN);
	*(void **)&real = dlsym(RTLD_NEXT, "mnl_socket_sendto");
	return real(socket, request, size);
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

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t size)
{
	ssize_t (*real)(const struct mnl_socket *, void *, size_t), got;

	*(void **)&real = dlsym(RTLD_NEXT, "mnl_socket_recvfrom");
	got = real(socket, buffer, size);
	if (got > 0)
		record(buffer, (size_t)got);
	return got;
}

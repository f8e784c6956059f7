/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>

#define RECEIVE_SIZE 32768	/* what the kernel fills at most for one part of a dump */
#define SEND_SIZE 65536		/* what fits in every send buffer */
#define ATTEMPTS 20		/* to read what others keep changing */

static void set_option(const struct netlink *netlink, int option)
{
	int on = 1;

	/* Older kernels lack some; then answers are longer, unfiltered or without a sentence, which we bear. */
	mnl_socket_setsockopt(netlink->socket, option, &on, sizeof(on));
}

static const char *family_text(int family)
{
	return family == NETLINK_ROUTE ? "routes (NETLINK_ROUTE)" : "nf_tables (NETLINK_NETFILTER)";
}

int netlink_open(struct netlink *netlink, int family, struct report *report)
{
	const struct timeval timeout = { .tv_sec = 1 };

	netlink->sequence = (uint32_t)time(NULL);
	netlink->buffer = NULL;
	netlink->socket = mnl_socket_open2(family, SOCK_CLOEXEC);
	if (!netlink->socket)
		return report_error(report, EX_OSERR, "can't open a netlink socket for %s: %s", family_text(family),
				    strerror(errno));
	if (mnl_socket_bind(netlink->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
		report_error(report, EX_OSERR, "can't bind a netlink socket for %s: %s", family_text(family),
			     strerror(errno));
		netlink_close(netlink);
		return -1;
	}
	netlink->buffer = reallocate(NULL, RECEIVE_SIZE, 1);
	set_option(netlink, NETLINK_EXT_ACK);
	if (family == NETLINK_ROUTE)
		set_option(netlink, NETLINK_GET_STRICT_CHK);
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		mnl_socket_close(netlink->socket);
	free(netlink->buffer);
	*netlink = (struct netlink){ 0 };
}

static int fail(struct netlink_error *error, int number, uint32_t sequence)
{
	*error = (struct netlink_error){ .number = number, .sequence = sequence };
	return -1;
}

/* The extended acknowledgement behind an error, which may be that of an older kernel without one. */
static void read_extended_ack(const struct nlmsghdr *message, struct netlink_error *error)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
	size_t skip = sizeof(*answer);
	const struct nlattr *attribute;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		skip += MNL_ALIGN(answer->msg.nlmsg_len) - MNL_NLMSG_HDRLEN;
	if (skip >= mnl_nlmsg_get_payload_len(message))
		return;
	mnl_attr_for_each(attribute, message, (unsigned int)skip) {
		if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			snprintf(error->message, sizeof(error->message), "%s", mnl_attr_get_str(attribute));
		if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_OFFS &&
		    mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			error->offset = mnl_attr_get_u32(attribute);
	}
}

/* Whether a whole message is there; libmnl's own check takes a length above INT_MAX for negative. */
static bool message_ok(const struct nlmsghdr *message, int left)
{
	return left >= (int)sizeof(*message) && message->nlmsg_len <= (uint32_t)left && mnl_nlmsg_ok(message, left);
}

/* An errno as answers have it, negative; EBADMSG for what is none. */
static int errno_of(int number)
{
	return number < 0 && number >= -4095 ? -number : EBADMSG;
}

/* Reads an NLMSG_ERROR: 0 where it acknowledges, -1 with @error where it refuses. */
static int read_answer(const struct nlmsghdr *message, struct netlink_error *error)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*answer))
		return fail(error, EBADMSG, message->nlmsg_seq);
	if (answer->error == 0)
		return 0;
	fail(error, errno_of(answer->error), message->nlmsg_seq);
	read_extended_ack(message, error);
	return -1;
}

static ssize_t receive(const struct netlink *netlink)
{
	ssize_t length;

	do
		length = mnl_socket_recvfrom(netlink->socket, netlink->buffer, RECEIVE_SIZE);
	while (length < 0 && errno == EINTR);
	if (length < 0 && errno == EAGAIN)
		errno = ETIMEDOUT;
	return length;
}

/* What one message does to a request: 1 where it is complete, 0 to go on, -1 with @error. */
static int take_message(const struct nlmsghdr *message, netlink_handler handle, void *data, bool *interrupted,
			struct netlink_error *error)
{
	int number;

	*interrupted = *interrupted || message->nlmsg_flags & NLM_F_DUMP_INTR;
	switch (message->nlmsg_type) {
	case NLMSG_NOOP:
		return 0;
	case NLMSG_ERROR:
		return read_answer(message, error) < 0 ? -1 : 1;
	case NLMSG_DONE:
		/* A dump may end with an error of its own, as a negative int. */
		if (mnl_nlmsg_get_payload_len(message) >= sizeof(int)) {
			memcpy(&number, mnl_nlmsg_get_payload(message), sizeof(number));
			if (number < 0)
				return fail(error, errno_of(number), message->nlmsg_seq);
		}
		return 1;
	case NLMSG_OVERRUN:
		return fail(error, ENOBUFS, message->nlmsg_seq);
	}
	number = handle ? handle(message, data) : 0;
	if (number)
		return fail(error, number, message->nlmsg_seq);
	return message->nlmsg_flags & NLM_F_MULTI ? 0 : 1;
}

int netlink_request(struct netlink *netlink, struct nlmsghdr *request, netlink_handler handle, void *data,
		    struct netlink_error *error)
{
	uint32_t sequence = ++netlink->sequence;
	bool interrupted = false;

	request->nlmsg_seq = sequence;
	request->nlmsg_flags |= NLM_F_REQUEST;
	if (!handle)
		request->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(netlink->socket, request, request->nlmsg_len) < 0)
		return fail(error, errno, sequence);

	for (;;) {
		ssize_t got = receive(netlink);
		const struct nlmsghdr *message = (const struct nlmsghdr *)netlink->buffer;
		int left = (int)got;

		if (got < 0)
			return fail(error, errno, sequence);
		if (!message_ok(message, left))
			return fail(error, EBADMSG, sequence);
		for (; message_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			int result = 0;

			/* Late answers to an earlier request that timed out are passed over. */
			if (message->nlmsg_seq == sequence)
				result = take_message(message, handle, data, &interrupted, error);
			if (result < 0)
				return -1;
			if (result > 0)
				return interrupted ? fail(error, EINTR, sequence) : 0;
		}
	}
}

/*
 * A datagram must fit in the send buffer, of 200 KiB by default. The kernel takes more from CAP_NET_ADMIN of its first user
 * namespace; in a rootless container net.core.wmem_max, which is the host's, bounds it to twice that.
 */
static void make_room_to_send(const struct netlink *netlink, size_t size)
{
	int room = (int)size * 2, fd = mnl_socket_get_fd(netlink->socket);

	if (size > SEND_SIZE && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

/* Messages that are sent as one. The kernel answers those that it refuses, and the last. */
struct datagram {
	const void *messages;
	size_t size;
	uint32_t first;
	uint32_t last;
	bool has_begin;		/* one stands before the first, and an answer to it speaks for all */
	int harmless;		/* an errno that is no failure, 0 for none */
};

static bool is_answer_to(const struct nlmsghdr *message, const struct datagram *sent, uint32_t next)
{
	if (message->nlmsg_type != NLMSG_ERROR)
		return false;
	return (message->nlmsg_seq >= next && message->nlmsg_seq <= sent->last) ||
	       (sent->has_begin && message->nlmsg_seq == sent->first - 1);
}

static int exchange(struct netlink *netlink, const struct datagram *sent, struct netlink_error *error)
{
	uint32_t next = sent->first;	/* the kernel answers in the order of the messages */
	bool failed = false;

	make_room_to_send(netlink, sent->size);
	if (mnl_socket_sendto(netlink->socket, sent->messages, sent->size) < 0)
		return fail(error, errno, sent->first);

	while (next <= sent->last) {
		ssize_t got = receive(netlink);
		const struct nlmsghdr *message = (const struct nlmsghdr *)netlink->buffer;
		int left = (int)got;

		if (got < 0)
			return failed ? -1 : fail(error, errno, sent->first);
		if (!message_ok(message, left))
			return fail(error, EBADMSG, sent->first);
		for (; message_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
			struct netlink_error own;

			if (!is_answer_to(message, sent, next))
				continue;
			if (read_answer(message, &own) < 0 && own.number != sent->harmless && !failed) {
				*error = own;
				failed = true;
			}
			if (message->nlmsg_seq < sent->first)
				return failed ? -1 : fail(error, EBADMSG, sent->first);
			next = message->nlmsg_seq + 1;
		}
	}
	return failed ? -1 : 0;
}

bool netlink_again(int result, const struct netlink_error *error, int *attempts)
{
	return result < 0 && error->number == EINTR && ++*attempts < ATTEMPTS;
}

int netlink_dump(struct netlink *netlink, struct nlmsghdr *request, void (*begin)(void *data), netlink_handler handle,
		 void *data, struct netlink_error *error)
{
	int result, attempts = 0;

	do {
		if (begin)
			begin(data);
		result = netlink_request(netlink, request, handle, data, error);
	} while (netlink_again(result, error, &attempts));
	return result;
}

int netlink_send_batch(struct netlink *netlink, const void *messages, size_t size, uint32_t first, uint32_t last,
		       struct netlink_error *error)
{
	const struct datagram batch = { .messages = messages, .size = size, .first = first, .last = last,
					.has_begin = true };

	return exchange(netlink, &batch, error);
}

int netlink_send_deletions(struct netlink *netlink, const void *messages, size_t size, uint32_t first, uint32_t last,
			   struct netlink_error *error)
{
	const struct datagram deletions = { .messages = messages, .size = size, .first = first, .last = last,
					    .harmless = ENOENT };

	return exchange(netlink, &deletions, error);
}

const struct nlattr *netlink_find_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest)
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	return NULL;
}

bool netlink_interface_name(const struct netlink *netlink, unsigned int index, char name[IFNAMSIZ])
{
	struct ifreq request = { .ifr_ifindex = (int)index };

	if (ioctl(mnl_socket_get_fd(netlink->socket), SIOCGIFNAME, &request) < 0)
		return false;
	memcpy(name, request.ifr_name, IFNAMSIZ);
	return true;
}

const char *netlink_error_text(const struct netlink_error *error)
{
	if (error->message[0])
		return error->message;
	return error->number == ETIMEDOUT ? "no answer within a second" : strerror(error->number);
}

int netlink_error_status(const struct netlink_error *error)
{
	switch (error->number) {
	case EPERM:
		return EX_NOPERM;
	case ETIMEDOUT:
		return EX_TEMPFAIL;
	}
	return EX_OSERR;
}

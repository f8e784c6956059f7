/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_SIZE 32768	/* what the kernel fills at most for one part of a dump */
#define PARTS 2			/* datagrams that are received at once */
#define PATIENCE_MS 1000
#define SEND_SIZE 65536		/* what fits in every send buffer */
#define ATTEMPTS 20		/* to read what others keep changing */

/* Of one answer at a time: no handler asks for another. The end of a dump comes in a datagram of its own, mostly the second. */
static char received[PARTS][RECEIVE_SIZE];

static void set_option(const struct netlink *netlink, int option)
{
	int on = 1;

	/* Older kernels lack some; then answers are longer, unfiltered or without a sentence, which we bear. */
	setsockopt(netlink->socket, SOL_NETLINK, option, &on, sizeof(on));
}

static const char *family_text(int family)
{
	return family == NETLINK_ROUTE ? "routes (NETLINK_ROUTE)" : "nf_tables (NETLINK_NETFILTER)";
}

int netlink_open(struct netlink *netlink, int family, struct report *report)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, family);

	/* The kernel binds it with the first request. */
	*netlink = (struct netlink){ .socket = fd < 0 ? 0 : fd, .sequence = (uint32_t)time(NULL) };
	if (fd < 0)
		return report_error(report, EX_OSERR, "can't open a netlink socket for %s: %s", family_text(family),
				    strerror(errno));
	if (family == NETLINK_ROUTE)
		set_option(netlink, NETLINK_GET_STRICT_CHK);
	return 0;
}

/* Before the first change: of a question an errno tells enough. */
static void have_errors_explained(struct netlink *netlink)
{
	if (!netlink->explains)
		set_option(netlink, NETLINK_EXT_ACK);
	netlink->explains = true;
}

void netlink_close(struct netlink *netlink)
{
	if (netlink->socket)
		close(netlink->socket);
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

/* Whether there is an answer within a second. The kernel has answered before a request returns; nothing promises that it does. */
static bool wait_for_answer(const struct netlink *netlink)
{
	struct pollfd answer = { .fd = netlink->socket, .events = POLLIN };
	int result;

	do
		result = poll(&answer, 1, PATIENCE_MS);
	while (result < 0 && errno == EINTR);
	if (result == 0)
		errno = ETIMEDOUT;
	return result > 0;
}

/* What came of the kernel: the number of datagrams and the bytes of each; -1 with errno. */
static int receive(const struct netlink *netlink, size_t length[PARTS])
{
	struct iovec room[PARTS];
	struct mmsghdr part[PARTS] = { 0 };
	int parts;

	for (int i = 0; i < PARTS; i++) {
		room[i] = (struct iovec){ received[i], sizeof(received[i]) };
		part[i].msg_hdr = (struct msghdr){ .msg_iov = &room[i], .msg_iovlen = 1 };
	}
	do
		parts = recvmmsg(netlink->socket, part, PARTS, 0, NULL);
	while (parts < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_answer(netlink))));
	for (int i = 0; i < parts; i++) {
		length[i] = part[i].msg_len;
		if (part[i].msg_hdr.msg_flags & MSG_TRUNC) {
			errno = ENOSPC;
			return -1;
		}
	}
	return parts;
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

struct question {
	uint32_t sequence;
	netlink_handler handle;
	void *data;
	bool interrupted;
	struct netlink_error *error;
};

/* What a datagram does to a request, as take_message(). Late answers to an earlier one that timed out are passed over. */
static int take_datagram(struct question *question, const char *datagram, size_t length)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)datagram;
	int left = (int)length, result = 0;

	if (!message_ok(message, left))
		return fail(question->error, EBADMSG, question->sequence);
	for (; result == 0 && message_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_seq == question->sequence)
			result = take_message(message, question->handle, question->data, &question->interrupted, question->error);
	/* The last one was cut off. */
	return result == 0 && left > 0 ? fail(question->error, EBADMSG, question->sequence) : result;
}

/* One answer after the other, be they in one datagram or in two. */
static int take_both(struct netlink *netlink, struct question question[2])
{
	int parts = 0, part = 0, result;
	size_t length[PARTS];

	for (int i = 0; i < 2; i++) {
		while ((result = part < parts ? take_datagram(&question[i], received[part], length[part]) : 0) == 0) {
			if (++part < parts)
				continue;
			parts = receive(netlink, length);
			part = 0;
			if (parts < 0)
				return fail(question[i].error, errno, question[i].sequence);
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

int netlink_request_both(struct netlink *netlink, struct nlmsghdr *const request[2], const netlink_handler handle[2], void *data,
			 struct netlink_error *error)
{
	char both[2 * NETLINK_MESSAGE_SIZE];
	struct question question[2];
	size_t length = 0;

	for (int i = 0; i < 2; i++) {
		question[i] = (struct question){ .sequence = ++netlink->sequence, .handle = handle[i], .data = data, .error = error };
		request[i]->nlmsg_seq = question[i].sequence;
		request[i]->nlmsg_flags |= NLM_F_REQUEST;
		memcpy(both + length, request[i], request[i]->nlmsg_len);
		length += request[i]->nlmsg_len;
	}
	if (send(netlink->socket, both, length, 0) < 0)
		return fail(error, errno, question[0].sequence);
	return take_both(netlink, question);
}

int netlink_request(struct netlink *netlink, struct nlmsghdr *request, netlink_handler handle, void *data,
		    struct netlink_error *error)
{
	struct question question = { .sequence = ++netlink->sequence, .handle = handle, .data = data, .error = error };
	size_t length[PARTS];
	int result = 0;

	request->nlmsg_seq = question.sequence;
	request->nlmsg_flags |= NLM_F_REQUEST;
	if (!handle) {
		request->nlmsg_flags |= NLM_F_ACK;
		have_errors_explained(netlink);
	}
	if (send(netlink->socket, request, request->nlmsg_len, 0) < 0)
		return fail(error, errno, question.sequence);
	while (result == 0) {
		int parts = receive(netlink, length);

		if (parts < 0)
			return fail(error, errno, question.sequence);
		for (int i = 0; i < parts && result == 0; i++)
			result = take_datagram(&question, received[i], length[i]);
	}
	return result < 0 ? -1 : question.interrupted ? fail(error, EINTR, question.sequence) : 0;
}

/*
 * A datagram must fit in the send buffer, of 200 KiB by default. The kernel takes more from CAP_NET_ADMIN of its first user
 * namespace; in a rootless container net.core.wmem_max, which is the host's, bounds it to twice that.
 */
static void make_room_to_send(const struct netlink *netlink, size_t size)
{
	int room = (int)size * 2, fd = netlink->socket;

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

/* How far the answers to a datagram are. */
struct exchange {
	const struct datagram *sent;
	uint32_t next;			/* the kernel answers in the order of the messages */
	bool failed;
	struct netlink_error *error;	/* the first one */
};

/* 0 to go on, -1 where nothing more is to be said. */
static int take_answers(struct exchange *exchange, const char *datagram, size_t length)
{
	const struct datagram *sent = exchange->sent;
	const struct nlmsghdr *message = (const struct nlmsghdr *)datagram;
	int left = (int)length;

	if (!message_ok(message, left))
		return fail(exchange->error, EBADMSG, sent->first);
	for (; message_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		struct netlink_error own;

		if (!is_answer_to(message, sent, exchange->next))
			continue;
		if (read_answer(message, &own) < 0 && own.number != sent->harmless && !exchange->failed) {
			*exchange->error = own;
			exchange->failed = true;
		}
		if (message->nlmsg_seq < sent->first)
			return exchange->failed ? -1 : fail(exchange->error, EBADMSG, sent->first);
		exchange->next = message->nlmsg_seq + 1;
	}
	return left > 0 ? fail(exchange->error, EBADMSG, sent->first) : 0;
}

static int exchange(struct netlink *netlink, const struct datagram *sent, struct netlink_error *error)
{
	struct exchange exchange = { .sent = sent, .next = sent->first, .error = error };
	size_t length[PARTS];

	have_errors_explained(netlink);
	make_room_to_send(netlink, sent->size);
	if (send(netlink->socket, sent->messages, sent->size, 0) < 0)
		return fail(error, errno, sent->first);

	while (exchange.next <= sent->last) {
		int parts = receive(netlink, length);

		if (parts < 0)
			return exchange.failed ? -1 : fail(error, errno, sent->first);
		for (int i = 0; i < parts && exchange.next <= sent->last; i++)
			if (take_answers(&exchange, received[i], length[i]) < 0)
				return -1;
	}
	return exchange.failed ? -1 : 0;
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

	if (ioctl(netlink->socket, SIOCGIFNAME, &request) < 0)
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

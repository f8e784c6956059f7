/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETLINK_H
#define NETLINK_H

#include "base/report.h"

#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* Requests and their answers, on one socket of one netlink family. */

#define NETLINK_MESSAGE_SIZE 2048	/* room for any one request of ours, but those that make rules */

struct netlink {
	int socket;			/* 0: none, since that is a standard file */
	uint32_t sequence;		/* of the last message sent */
	bool explains;			/* the kernel adds a sentence to its errors */
};

/* What the kernel said against a request. */
struct netlink_error {
	int number;		/* errno; EINTR for a dump that a change interrupted, ETIMEDOUT for silence */
	char message[160];	/* its own sentence (extended ack); "" where it gave none */
	uint32_t sequence;	/* of the message that it is about */
	uint32_t offset;	/* of the attribute that it is about, from the message's start; 0: unknown */
};

/* netlink_handler - takes one message of an answer; returns 0, or an errno that ends the request */
typedef int (*netlink_handler)(const struct nlmsghdr *message, void *data);

/* netlink_open - connect to a family (NETLINK_ROUTE, NETLINK_NETFILTER); -1 with the reason in @report */
int netlink_open(struct netlink *netlink, int family, struct report *report);

/* netlink_close - safe on one that is zeroed */
void netlink_close(struct netlink *netlink);

/*
 * netlink_request - send one request and read its whole answer
 * @handle: for each message of the answer; NULL where none is expected
 *
 * Numbers the request and sets NLM_F_REQUEST, and NLM_F_ACK where no answer is expected. Returns 0 once it
 * is answered, the dump complete, or acknowledged, else -1 with @error filled. No receive waits more than a
 * second.
 */
int netlink_request(struct netlink *netlink, struct nlmsghdr *request, netlink_handler handle, void *data,
		    struct netlink_error *error);

/*
 * netlink_request_both - the same of two requests for one answer each, which are sent as one; the kernel takes the first first
 *
 * Returns -1 with the first @error.
 */
int netlink_request_both(struct netlink *netlink, struct nlmsghdr *const request[2], const netlink_handler handle[2], void *data,
			 struct netlink_error *error);

/*
 * netlink_again - whether a reading is to begin anew: a change interrupted it, up to twenty times
 * @result: of the reading, with @error where it is below 0
 * @attempts: 0 before the first
 */
bool netlink_again(int result, const struct netlink_error *error, int *attempts);

/*
 * netlink_dump - the same of a dump, which begins anew where a change interrupted it
 * @begin: forgets what @handle has taken; NULL where that does no harm
 */
int netlink_dump(struct netlink *netlink, struct nlmsghdr *request, void (*begin)(void *data), netlink_handler handle,
		 void *data, struct netlink_error *error);

/*
 * netlink_send_batch - send messages as one and read what the kernel says against them
 * @first, @last: their sequence numbers, without a gap; the last one has NLM_F_ACK
 *
 * An answer to the number before them, of the begin of the batch, speaks for all. Returns 0 or -1 with the
 * first @error.
 */
int netlink_send_batch(struct netlink *netlink, const void *messages, size_t size, uint32_t first, uint32_t last,
		       struct netlink_error *error);

/*
 * netlink_send_deletions - send messages as one, of which the last alone has NLM_F_ACK
 * @first, @last: their sequence numbers, without a gap
 *
 * What is not there any more (ENOENT) is as good as deleted. Returns 0 or -1 with the first @error; the others of
 * the messages are done. An answer to each must fit into the socket's buffer.
 */
int netlink_send_deletions(struct netlink *netlink, const void *messages, size_t size, uint32_t first, uint32_t last,
			   struct netlink_error *error);

/* netlink_find_nested - the first attribute of that type within @nest, NULL where there is none */
const struct nlattr *netlink_find_nested(const struct nlattr *nest, uint16_t type);

/* netlink_interface_name - that of an index, as if_indextoname(3), without a socket more; false where there is none */
bool netlink_interface_name(const struct netlink *netlink, unsigned int index, char name[IFNAMSIZ]);

/* netlink_error_text - the kernel's sentence, or that of the errno */
const char *netlink_error_text(const struct netlink_error *error);

/* netlink_error_status - the exit status that fits: EX_NOPERM, EX_TEMPFAIL or EX_OSERR */
int netlink_error_status(const struct netlink_error *error);

#endif

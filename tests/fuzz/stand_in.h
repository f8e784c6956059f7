/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STAND_IN_H
#define STAND_IN_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Stands in for the kernel, in place of libmnl's sockets and the names of interfaces, and for deadline.c and
 * privileges.c: a fuzzer is fast with it, its runs repeat, and nothing reaches the machine's own network. lo is
 * interface 1, eth0 2, vpns0 3.
 */

/*
 * present_answer - the answers of the kernel are these bytes
 *
 * They are datagrams: a length in two bytes, the low one first, and so many bytes. Each receive takes the
 * next one; a length of 0, and the end, is a timeout. Messages are numbered from the request on: 1 answers
 * the first message of the last request, 2 the second of its batch, 0 the begin of that.
 */
void present_answer(const uint8_t *data, size_t size);

/*
 * present_keep - be a small kernel, with nothing in it yet
 *
 * It keeps the rules, routes, neighbours and nft objects that it is told and dumps them as they came. Every
 * destination is in a network of eth0, and an address of this host where its last byte is 1.
 */
void present_keep(void);

/* message_ok - whether a whole message is at the begin of @left bytes; that of libmnl takes 2 GB for less than nothing */
static inline bool message_ok(const struct nlmsghdr *message, int left)
{
	return left >= (int)MNL_NLMSG_HDRLEN && message->nlmsg_len >= (uint32_t)MNL_NLMSG_HDRLEN &&
	       message->nlmsg_len <= (uint32_t)left;
}

/* present_kept - how many of the kept messages have this type */
size_t present_kept(uint16_t type);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_H
#define NFTABLES_H

#include "model/guard.h"
#include "model/present.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

/* The kill switch as nf_tables messages, by libnftnl. All of it is pure: sending is netlink.h's. */

/* Raised with each change of what the kernel is told of the same values; see tests/unit/test_nftables.c. */
#define NFTABLES_ENCODING 1

#define NFTABLES_MESSAGE_SIZE 8192	/* more than any message of a batch: of a rule, which has up to 512 beside its matches */

/*
 * nftables_compile - set the code of every rule, to be compared with what the kernel has
 *
 * It is made of each expression's name and netlink attributes. One that is unset is the same as one that
 * is zero, since the kernel tells some that nobody set; counter values are left out.
 */
void nftables_compile(struct guard *guard);

/* Requests, written to @buffer of NETLINK_MESSAGE_SIZE bytes. */
struct nlmsghdr *nftables_get_generation(void *buffer);
struct nlmsghdr *nftables_get_table(void *buffer, const char *table);
struct nlmsghdr *nftables_dump_chains(void *buffer);		/* of all inet tables */
struct nlmsghdr *nftables_dump_rules(void *buffer, const char *table);
struct nlmsghdr *nftables_dump_sets(void *buffer, const char *table);
struct nlmsghdr *nftables_dump_elements(void *buffer, const char *table, const char *set);
struct nlmsghdr *nftables_get_element(void *buffer, const char *table, const struct guard_set *set,
				      const uint8_t key[GUARD_KEY]);

/*
 * Readers of the answers, for @present of the table @name. They return 0, or the errno of a message
 * that makes no sense. Chains come before rules, sets before elements.
 */
int nftables_parse_generation(const struct nlmsghdr *message, struct present_guard *present);
int nftables_parse_table(const struct nlmsghdr *message, struct present_guard *present);
int nftables_parse_chain(const struct nlmsghdr *message, const char *name, struct present_guard *present);
int nftables_parse_rule(const struct nlmsghdr *message, const char *name, struct present_guard *present);
int nftables_parse_set(const struct nlmsghdr *message, const char *name, struct present_guard *present);
int nftables_parse_elements(const struct nlmsghdr *message, const char *name, struct present_guard *present);

/* nftables_comment - the comment in a rule's user data, which may be NULL; "" where there is none */
const char *nftables_comment(const void *userdata, size_t size);

struct nftables_batch {
	char *buffer;
	size_t size, room;
	uint32_t first, last;	/* sequence numbers of the messages between begin and end; the last is acknowledged */
};

/*
 * nftables_make_batch - one transaction: remove the table where @remove, then make it where @make
 * @generation: of nf_tables, as the kernel was seen; with another one the kernel refuses (ERESTART). 0: whichever it is
 * @sequence: the last number used; advanced
 *
 * Free the buffer when done.
 */
void nftables_make_batch(struct nftables_batch *batch, const struct guard *guard, bool remove, bool make,
			 uint32_t generation, uint32_t *sequence);

/* nftables_make_session_batch - one transaction: the changes of elements of MAP_SESSIONS; as nftables_make_batch() */
void nftables_make_session_batch(struct nftables_batch *batch, const char *table, const struct guard_change *change,
				 size_t changes, uint32_t generation, uint32_t *sequence);

/* nftables_leave_open - a batch without its end: the kernel answers each message, and takes all of it back */
void nftables_leave_open(struct nftables_batch *batch);

/*
 * nftables_describe - the object of the batch's message with @sequence, in words
 * @offset: of the attribute at fault, 0 where the kernel did not say; names the expression then
 */
void nftables_describe(struct text *text, const struct nftables_batch *batch, uint32_t sequence, uint32_t offset);

#endif

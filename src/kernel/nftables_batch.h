/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_BATCH_H
#define NFTABLES_BATCH_H

#include "model/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The changes of the kill switch, each one transaction of nf_tables. All of it is pure: sending is netlink.h's. */

/* Raised with each change of what the kernel is told of the same values; see tests/unit/test_nftables.c. */
#define NFTABLES_ENCODING 2

#define NFTABLES_MESSAGE_SIZE 8192	/* more than any message of a batch: of a rule, which has up to 512 beside its matches */

struct nftables_batch {
	char *buffer;
	size_t size, room;	/* bytes */
	uint32_t first, last;	/* sequence numbers of the messages between begin and end; the last is acknowledged */
};

/*
 * nftables_make_batch - remove the table where @remove, then make it where @make
 * @generation: of nf_tables, as the kernel was seen; with another one the kernel refuses (ERESTART). 0: whichever it is
 * @sequence: the last number used; advanced
 *
 * Free the buffer when done.
 */
void nftables_make_batch(struct nftables_batch *batch, const struct guard *guard, bool remove, bool make,
			 uint32_t generation, uint32_t *sequence);

/* nftables_make_session_batch - of STEP_SESSIONS; as nftables_make_batch() */
void nftables_make_session_batch(struct nftables_batch *batch, const char *table, const struct step *step,
				 uint32_t generation, uint32_t *sequence);

/* nftables_leave_open - a batch without its end: the kernel answers each message, and takes all of it back */
void nftables_leave_open(struct nftables_batch *batch);

#endif

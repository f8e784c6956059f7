/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEAL_H
#define SEAL_H

#include "guard.h"
#include "session.h"

/*
 * To read the kill switch back, rule by rule, is most of what a hook costs. nf_tables numbers its transactions (the
 * generation, NFT_MSG_GETGEN), and each table that we make carries random bytes that tell it from any other
 * (the instance, NFTA_TABLE_USERDATA, Linux 5.10). So what was found whole once is whole as long as both
 * are the same: a seal says what was wanted then, and which ones they were.
 */
struct seal {
	uint8_t instance[GUARD_INSTANCE];	/* all zero: the table has none, and nothing is sealed */
	uint32_t generation;
	uint64_t wanted;			/* seal_digest() */
};

/* seal_digest - of the kill switch, with the version of the program that makes rules of it (FNV-1a, 64 bits) */
uint64_t seal_digest(const struct guard *guard);

/*
 * seal_load - the seal in the state directory; all zero where there is none, or none that can be read
 * seal_keep - put it there, in place of another; under the lock. Without one the next run reads all, so no error.
 */
void seal_load(const struct state *state, struct seal *seal);
void seal_keep(const struct state *state, const struct seal *seal);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "model/guard.h"
#include "model/host.h"
#include "model/present.h"

/*
 * To read the kill switch back, rule by rule, is most of what a hook costs. nf_tables numbers its transactions (the
 * generation, NFT_MSG_GETGEN), and each table that we make carries random bytes that tell it from any other
 * (the instance, NFTA_TABLE_USERDATA, Linux 5.10). So what was found complete once is complete as long as both
 * are the same: a checkpoint says what was wanted then, and which ones they were.
 */

/*
 * The instance, the generation and the digest of what is wanted, in hexadecimal, a + where it has a flow table, and behind a /
 * each the interfaces that are left out; "" for none.
 */
#define CHECKPOINT_TEXT (2 * GUARD_INSTANCE + 1 + 8 + 1 + 16 + 1 + GUARD_LEFT_OUT * IFNAMSIZ + 1)

/* checkpoint_digest - of the table that is wanted, and of how this program tells it the kernel */
uint64_t checkpoint_digest(const struct guard *wanted);

/* checkpoint_make - that of @present; "" where the kernel tells no instance or generation of it */
void checkpoint_make(char checkpoint[CHECKPOINT_TEXT], const struct present_guard *present, uint64_t wanted,
		     const struct host *host);

/* checkpoint_fits - whether @checkpoint is that of @present, which is as @wanted */
bool checkpoint_fits(const char *checkpoint, const struct present_guard *present, uint64_t wanted);

/*
 * checkpoint_read_left_out - the interfaces that were left out of what @checkpoint was made of: to find them again, all
 * would be asked
 */
void checkpoint_read_left_out(const char *checkpoint, struct host *host);

/* checkpoint_is_fast - whether it is of a kill switch with a flow table: with fast_path = auto, hooks go on as that says */
bool checkpoint_is_fast(const char *checkpoint);

/* checkpoint_is_of - whether it was taken of @present as it is, whatever was wanted then */
bool checkpoint_is_of(const char *checkpoint, const struct present_guard *present);

/* checkpoint_advance - of the same kill switch, behind one more transaction, which was ours */
void checkpoint_advance(char checkpoint[CHECKPOINT_TEXT]);

#endif

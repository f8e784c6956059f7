/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SEAL_H
#define SEAL_H

#include "model/kernel.h"
#include "model/policy.h"

/*
 * To read the kill switch back, rule by rule, is most of what a hook costs. nf_tables numbers its transactions (the
 * generation, NFT_MSG_GETGEN), and each table that we make carries random bytes that tell it from any other
 * (the instance, NFTA_TABLE_USERDATA, Linux 5.10). So what was found whole once is whole as long as both
 * are the same: a seal says what was wanted then, and which ones they were.
 */

/*
 * The instance, the generation and the digest of what is wanted, in hexadecimal, and behind a / each the interfaces that
 * are left out; "" for none.
 */
#define SEAL_TEXT (2 * GUARD_INSTANCE + 1 + 8 + 1 + 16 + GUARD_LEFT_OUT * IFNAMSIZ + 1)

/*
 * seal_digest - of all that policy_add_guard() and nftables_compile() make a kill switch from: these sources, the value
 * of every key, the way to the gateways, and what they depend on of the host (after FNV-1a)
 */
uint64_t seal_digest(const struct config *config, const struct exits *exits, const struct host *host);

/* seal_make - that of @present; "" where the kernel tells no instance or generation of it */
void seal_make(char seal[SEAL_TEXT], const struct present_guard *present, uint64_t wanted, const struct host *host);

/* seal_fits - whether @seal is that of @present, which is as @wanted */
bool seal_fits(const char *seal, const struct present_guard *present, uint64_t wanted);

/* seal_read_left_out - the interfaces that were left out of what @seal was made of: to find them again, all would be asked */
void seal_read_left_out(const char *seal, struct host *host);

#endif

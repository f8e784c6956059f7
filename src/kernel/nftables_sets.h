/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_SETS_H
#define NFTABLES_SETS_H

#include "model/guard.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of ours as the kernel has it, less its elements. */
struct set_form {
	const char *name;
	enum guard_set_kind kind;
	uint8_t family;
	uint32_t flags, key_type;	/* NFT_SET_; by nft(8)'s numbers */
	uint32_t key_length;		/* bytes */
	uint32_t size;			/* elements that it may have; 0: not set */
	uint32_t order;			/* kept in user data, in the byte order of the host */
};

/* set_form_find - NULL where no set of ours has that name; set_form_of - of one that is wanted, which always is */
const struct set_form *set_form_find(const char *name);
const struct set_form *set_form_of(const char *name);

/* nftables_put_set - to a message of NFT_MSG_NEWSET; @id: its number in the transaction */
void nftables_put_set(struct nlmsghdr *message, const char *table, const char *set, uint32_t id);

/*
 * nftables_put_prefixes - as many of a SET_PREFIXES as a message of NFT_MSG_NEWSETELEM takes, from number @first on
 *
 * Returns the number of the one behind them.
 */
size_t nftables_put_prefixes(struct nlmsghdr *message, const char *table, const struct guard_set *set, size_t first);

/*
 * nftables_put_elements - as many of another set or a map, to a message of NFT_MSG_NEWSETELEM
 * @gone: their keys alone, for NFT_MSG_DELSETELEM and NFT_MSG_GETSETELEM; else those of a map that lead to a chain
 *
 * Returns how many of @elements are done.
 */
size_t nftables_put_elements(struct nlmsghdr *message, const char *table, const char *set,
			     const struct guard_element *element, size_t elements, bool gone);

/*
 * nftables_put_fast - the flow table, or more interfaces of it, to a message of NFT_MSG_NEWFLOWTABLE or NFT_MSG_DELFLOWTABLE
 * @gone: which of @device, those that are to go or those that are to come; none that are optional
 *
 * As many from number @first on as a message takes. Returns the number of the one behind them.
 */
size_t nftables_put_fast(struct nlmsghdr *message, const char *table, const struct guard_device *device, size_t devices,
			 size_t first, bool gone);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_REQUESTS_H
#define NFTABLES_REQUESTS_H

#include "model/guard.h"

#include <libmnl/libmnl.h>
#include <stdint.h>

/* Questions about the kill switch, written to @buffer of NETLINK_MESSAGE_SIZE bytes; nftables_decode.h reads the answers. */

struct nlmsghdr *nftables_get_generation(void *buffer);
struct nlmsghdr *nftables_get_table(void *buffer, const char *table);
struct nlmsghdr *nftables_dump_chains(void *buffer);		/* of all inet tables */
struct nlmsghdr *nftables_dump_rules(void *buffer, const char *table);
struct nlmsghdr *nftables_dump_sets(void *buffer, const char *table);
struct nlmsghdr *nftables_dump_flowtables(void *buffer, const char *table);
struct nlmsghdr *nftables_dump_elements(void *buffer, const char *table, const char *set);
struct nlmsghdr *nftables_get_element(void *buffer, const char *table, const struct guard_set *set,
				      const uint8_t key[GUARD_KEY]);

#endif

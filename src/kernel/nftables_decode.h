/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_DECODE_H
#define NFTABLES_DECODE_H

#include "model/present.h"

#include <libmnl/libmnl.h>

/*
 * What the kernel lists of the kill switch, to @present of the table @name. Each reader takes one message, of another table,
 * too, and returns 0, or the errno of a message that makes no sense. Chains come before rules (EINTR for a rule of
 * none of them: read all again), sets before elements.
 */
int nftables_parse_generation(const struct nlmsghdr *message, struct present_guard *present);
int nftables_parse_table(const struct nlmsghdr *message, struct present_guard *present);
int nftables_parse_chain(const struct nlmsghdr *message, const char *name, struct present_guard *present);
int nftables_parse_rule(const struct nlmsghdr *message, const char *name, struct present_guard *present);
int nftables_parse_set(const struct nlmsghdr *message, const char *name, struct present_guard *present);
int nftables_parse_flowtable(const struct nlmsghdr *message, const char *name, struct present_guard *present);
int nftables_parse_elements(const struct nlmsghdr *message, const char *name, struct present_guard *present);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MARKS_H
#define MARKS_H

#include "config/config.h"

#define MARK_GROUP 16	/* values that have all but their lowest bits in common */
#define MARK_GROUPS (CONFIG_GATEWAYS / MARK_GROUP + 1)

/*
 * The values that marks of packets and flows have in the bits of [gateway] mark_mask. Gateways count from 1 in the order of
 * the configuration; the highest values are of what is no gateway.
 */

/* mark_of - of what a client sends that leaves by @gateway, which is one of @config */
uint32_t mark_of(const struct config *config, const struct gateway *gateway);

/* gateway_for - what it is for the clients of one family: itself where they leave via it, else &config->direct or block */
const struct gateway *gateway_for(const struct config *config, const struct gateway *gateway, int family);

/*
 * mark_to_server - of what a client has sent to this host, so that it is known where a tunnel of this host unpacks it and
 *	hands what was inside to be forwarded
 */
uint32_t mark_to_server(const struct config *config);

/*
 * mark_group - of gateways with a policy rule in a tree: which group of MARK_GROUP this one is in, from 0 on
 * mark_of_group - the value that the marks of a group have in these bits; that of group 0 is 0, as is that of nobody's mark
 */
unsigned int mark_group(const struct config *config, const struct gateway *gateway);
uint32_t mark_of_group(const struct config *config, unsigned int group);
uint32_t mark_group_mask(const struct config *config);

/* mark_text - what has a value in our bits, in a word: the name of a gateway */
const char *mark_text(const struct config *config, uint32_t mark);

/* marks_meet - whether clients' packets, by the bits that are ours, may be those that a policy rule with this mark is about */
bool marks_meet(const struct config *config, uint32_t mark, uint32_t mask);

#endif

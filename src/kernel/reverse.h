/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REVERSE_H
#define REVERSE_H

#include "kernel/netlink.h"
#include "model/wanted.h"

/*
 * reverse_find - what the kernel needs to find the way back of replies to clients of several gateways
 *
 * Its check of the source (rp_filter, 1 and 2 alike, of IPv4 alone) looks for a route back to it from the client, whose
 * packets have the mark of their gateway; without the mark it finds that they go nowhere, and drops the reply. With
 * src_valid_mark it takes the mark that the kill switch has given to the reply. So that is wanted on each interface where
 * replies come in and are checked, of gateways and, where anybody is direct, of the default route.
 */
void reverse_find(struct netlink *route, const struct config *config, const struct exits *exits, struct wanted *wanted);

#endif

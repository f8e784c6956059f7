/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FACTS_H
#define FACTS_H

#include "diagnose/expressions.h"

/* What is known of a packet at a place, for expressions of nft and for extensions of iptables alike. */

/* facts_flow_state - bits of CT_ (guard.h) */
uint32_t facts_flow_state(const struct packet *packet, const struct place *place);

/* facts_is_tracked - whether the kernel has looked for the packet's flow already */
bool facts_is_tracked(const struct packet *packet, const struct place *place);

/* facts_way_back - whether its source is reached via the interface that it came in on; any interface with @loose */
struct answer facts_way_back(const struct evaluation *evaluation, bool loose, bool by_mark);

/* facts_type - RTN_UNICAST, ... of an address; RTN_UNSPEC where that is not known */
uint8_t facts_type(const struct evaluation *evaluation, bool destination);

/* facts_queue - a program that reads this queue of netfilter decides of the packet, or there is none */
struct move facts_queue(unsigned int first, unsigned int count, bool bypass);

/* facts_socket - a listening socket of this host on @port gets the packet; 0: on its own port */
struct move facts_socket(const struct evaluation *evaluation, uint16_t port);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FATE_H
#define FATE_H

#include "address.h"
#include "ruleset.h"

#include <net/if.h>
#include <stdbool.h>

/* What becomes of a packet in a chain of nf_tables, told without sending one. */

struct packet {
	const char *what;				/* in words, for messages */
	int family;
	char incoming[IFNAMSIZ], outgoing[IFNAMSIZ];	/* "" where any, as that on which it leaves before routing */
	struct address source, destination;		/* AF_UNSPEC: any */
	uint32_t ct_state;				/* CT_NEW or CT_ESTABLISHED (guard.h) */
};

/* Bits, of all that may be. */
enum fate {
	GOES_ON = 1,	/* to the next rule */
	RETURNS = 2,	/* to the chain before, or the policy */
	ACCEPTED = 4,
	DROPPED = 8,
	REWRITTEN = 16,	/* what follows sees another packet */
};

/* A packet's way through a chain and those that it jumps to. */
struct walk {
	const struct ruleset *ruleset;
	const struct packet *packet;
	uint32_t family;
	const char *table;
	uint64_t dropped_by, rewritten_by;	/* handles of the first rules that may; 0: none */
	int jumps;				/* so far; 0 to begin with */
};

/*
 * fate_in_chain - what may become of the packet in a chain of the walk's table, and where that leads
 *
 * Each rule matches, does not, or may: sets of ranges, ports and whatever else is not known of the packet are left
 * open. GOES_ON: the end of the chain may be reached, where the policy of a base chain decides.
 */
unsigned int fate_in_chain(struct walk *walk, const char *chain);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIMULATE_H
#define SIMULATE_H

#include "diagnose/expressions.h"
#include "kernel/netlink.h"

/*
 * What happens to a packet on its path through this host, told without sending one: through all chains of nf_tables in
 * the order in which the kernel asks them, and by the kernel's own answer to where it is routed.
 */

/* What a rule, or a chain's policy, does to it. */
struct effect {
	enum deed deed;
	uint32_t verdict;			/* with DEED_VERDICT: NF_ACCEPT, NF_DROP */
	struct answer answer;			/* whether it comes to this */
	const struct nftnl_chain *chain;
	const struct nftnl_rule *rule;		/* NULL: the policy */
	const struct nftnl_rule *base_rule;	/* that of the base chain which leads there; NULL: the policy */
	struct address address;			/* of NAT; AF_UNSPEC: not known */
	uint32_t mark;				/* with DEED_MARK and DEED_FLOW_MARK */
	char detail[64];			/* in words; "" where there are none */
};

#define NO_EFFECT SIZE_MAX

/* Its path through a base chain. */
struct passage {
	const struct nftnl_chain *chain;
	struct place place;
	enum truth ended;		/* it goes no further */
	enum truth rewritten;		/* its addresses change */
	bool cut_off;			/* it leads through more rules than were looked at */
	size_t cause;			/* the effect that ends it, that of the usual packet first; NO_EFFECT where none may */
	size_t first, effects;		/* all effects */
};

enum arrival {
	ARRIVES_OUT,		/* leaves via an interface */
	ARRIVES_HERE,		/* for this host */
	ARRIVES_NOT,		/* a chain ends its path: see `cause` */
	HAS_NO_WAY,		/* routing does: see `error` */
	HAS_A_SOCKET,		/* TPROXY gave it to a socket, but it is not routed to this host, which the kernel drops */
	DOES_NOT_FORWARD,	/* IPv6 forwarding is off */
};

struct simulation {
	/* Set before. */
	const struct ruleset *ruleset;
	struct roads roads;
	struct packet packet;		/* as it comes in; then as it leaves. With an outgoing interface routing is not asked */
	const char *left_out;		/* a table of family inet that is passed over; NULL for none */
	bool left_source_nat;		/* NAT of sources is passed over, too */
	bool every_chain;		/* even those behind one that drops all */

	/* Set by it. */
	enum arrival arrival;		/* of a usual packet */
	bool certain;			/* of every such packet */
	uint32_t open;			/* what it depends on, where it is not certain */
	size_t cause;			/* an effect; NO_EFFECT where none is */
	size_t source, destination, socket;	/* the effects that rewrote it, or gave it to a socket; NO_EFFECT for none */
	struct route route;
	struct netlink_error error;	/* with HAS_NO_WAY; number 0: such a route */
	struct effect *effect;
	size_t effects;
	struct passage *passage;
	size_t passages;

	/* Its own. */
	unsigned int budget;		/* rules and elements that are still looked at in this base chain */
	unsigned int depth;		/* of jumps */
	const struct nftnl_rule *base_rule;
	bool accepted, ended;		/* in this base chain some packets are, or may be */
	bool dropped;			/* some may have been before */
};

/* simulate - once; simulation_free() when done */
void simulate(struct simulation *simulation);
void simulation_free(struct simulation *simulation);

/* simulation_find - the first effect of a kind in a passage that may be; NULL where there is none */
const struct effect *simulation_find(const struct simulation *simulation, const struct passage *passage, enum deed deed);

/* simulation_hook_name - as nft(8) writes it */
const char *simulation_hook_name(const struct passage *passage);

#endif

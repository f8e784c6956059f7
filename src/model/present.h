/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PRESENT_H
#define PRESENT_H

#include "model/guard.h"
#include "model/ranges.h"
#include "model/routing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The present state of the kernel, as far as it is about us. Read by observe.h, plain data here. */

/* What becomes of the packets that a rule matches: by its verdict. */
enum rule_end { RULE_GOES_ON, RULE_ACCEPTS, RULE_STOPS };

struct present_rule {
	struct text code;	/* its expressions, as nftables_compile() writes them */
	char *comment;		/* "" where it has none */
	uint64_t handle;	/* as `nft -a list table` shows it */
	enum rule_end end;
	bool counted;
	uint64_t packets, bytes;	/* of its counter */
};

struct present_chain {
	char *name;
	char *type;		/* NULL where it is no base chain */
	uint32_t hook;
	int32_t priority;
	uint32_t policy;	/* NF_ACCEPT, NF_DROP */
	struct present_rule *rule;
	size_t rules;
};

/* One of the kill switch's sets, of the kind that we make. */
struct present_set {
	const char *name;	/* GUARD_FLOWS_SET, ... */
	enum guard_set_kind kind;	/* of SET_FLOWS the elements are not read */
	uint8_t family;
	struct bound *bound;
	size_t bounds;
	struct guard_element *element;
	size_t elements;
	bool odd;		/* elements expire, count, or are otherwise none of ours */
};

/* The flow table of ours. */
struct present_fast {
	bool there;
	bool odd;		/* with other flags, or at another hook or priority */
	struct guard_device *device;
	size_t devices;
};

struct present_guard {
	bool exists;
	bool dormant;		/* the kernel keeps the table but does not ask it */
	bool owned;		/* a running process keeps everybody else from changing it */
	uint8_t instance[GUARD_INSTANCE];	/* all zero where it has none */
	uint32_t generation;	/* of all nf_tables, read before the rest; 0: unknown */
	bool unchanged;		/* unchanged since it was found complete (checkpoint.h): chains, sets and rules were not read */
	struct present_set *set;
	size_t sets;
	struct present_fast fast;
	uint32_t others;	/* sets but these, maps, other flow tables and named objects in it */
	struct present_chain *chain;
	size_t chains;
	size_t recent;		/* the chain of the rule that was read last: rules come chain by chain */
};

struct present {
	bool unprivileged;	/* nf_tables is not ours to read: `guard` is unknown */
	struct rule *rule;	/* all policy rules, in the order of the kernel */
	size_t rules;
	struct route *route;	/* of our table, and of tables that rules of ours look up */
	size_t routes;
	struct neighbour *neighbour;	/* that of each gateway with a hardware address; of others see observe.h */
	size_t neighbours;
	struct present_guard guard;
};

/* present_add_set - one without elements, as @wanted is */
void present_add_set(struct present_guard *present, const struct guard_set *wanted);

void present_free(struct present *present);

#endif

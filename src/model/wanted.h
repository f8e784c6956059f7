/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WANTED_H
#define WANTED_H

#include "model/exit.h"
#include "model/guard.h"
#include "model/host.h"
#include "model/routing.h"

#define SETTING_NAME 64		/* bytes of a name with its NUL */

/* A file of /proc/sys/net that is to hold a digit. */
struct setting_step {
	char name[SETTING_NAME];	/* ipv4/conf/eth0/src_valid_mark */
	int value;
	bool is_set;			/* it holds it */
};

/* The state that the configuration asks of the kernel. */
struct wanted {
	struct rule *rule;	/* in the order of installation: the rules to the gateway are the last of a family */
	size_t rules;
	struct route *route;
	size_t routes;
	struct neighbour *neighbour;	/* of gateways with a hardware address */
	size_t neighbours;
	struct address *former;	/* the gateways' at the run before */
	size_t formers;
	struct setting_step *setting;	/* see reverse.h */
	size_t settings;
	struct guard guard;	/* no chains where nothing is covered */
};

/* One address of a session, and by which gateway its packets leave. */
struct placement {
	char device[IFNAMSIZ];
	struct address address;
	const struct gateway *gateway;	/* NULL: it is not to be there */
};

struct placements {
	struct placement *placement;
	size_t count;
	char own[IFNAMSIZ];	/* the tunnel of the session that a hook is about, which has it; "" for none */
};

/* placements_add - one more; placements_free() when done */
void placements_add(struct placements *placements, const char *device, const struct address *address,
		    const struct gateway *gateway);
void placements_free(struct placements *placements);

/*
 * wanted_make - the desired policy rules, routes and kill switch; of exits that are `apart` no routes and neighbours
 *
 * The code of the kill switch's rules is not set: see nftables_compile(). wanted_free() when done.
 */
void wanted_make(struct wanted *wanted, const struct config *config, const struct exits *exits, const struct host *host);

/* wanted_add_rules - the desired policy rules of one family, in the order of installation */
void wanted_add_rules(struct wanted *wanted, const struct config *config, const struct exits *exits, int family);

/* wanted_guard_make - the desired kill switch alone; guard_free() when done. Its comments have parts in @config and @exits. */
void wanted_guard_make(struct guard *guard, const struct config *config, const struct exits *exits, const struct host *host);

/*
 * wanted_place - the sessions of the kill switch's maps, where it has any
 * @partial: whatever else they hold may be there too
 */
void wanted_place(struct wanted *wanted, const struct config *config, const struct placements *placements, bool partial);

/* wanted_session_chain - in which a session's packets of this family are marked that leaves by @gateway: to_nl, to_block */
void wanted_session_chain(char chain[GUARD_CHAIN_NAME], const struct config *config, const struct gateway *gateway, int family);

/* wanted_add_setting - once */
void wanted_add_setting(struct wanted *wanted, const struct setting_step *setting);

/* wanted_guard_sessions - the maps of sessions alone, of several gateways */
void wanted_guard_sessions(struct guard *guard, const struct config *config);

void wanted_free(struct wanted *wanted);

#endif

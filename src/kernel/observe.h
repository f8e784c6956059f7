/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OBSERVE_H
#define OBSERVE_H

#include "config/config.h"
#include "kernel/netlink.h"
#include "kernel/checkpoint.h"
#include "model/present.h"

/* The two sockets on which the kernel is asked and told. */
struct sockets {
	struct netlink route;
	struct netlink nft;
};

/* sockets_open - -1 with the reason in @report; sockets_close() is safe in either case */
int sockets_open(struct sockets *sockets, struct report *report);
void sockets_close(struct sockets *sockets);

/* What is looked at, and how closely. */
struct view {
	const struct config *config;
	const struct wanted *wanted;	/* of whose neighbours each is asked for */
	const char *checkpoint;		/* a kill switch that has it, of the digest @wanted, is not read again */
	uint64_t digest;
	bool partial;			/* of gateways the tables of the routes of @wanted alone */
	bool thorough;			/* all permanent neighbours, too, lest one stays that an earlier configuration asked for */
};

/*
 * observe - read the present state of the kernel
 *
 * Dumps that a change interrupted are read again. Without CAP_NET_ADMIN the kill switch can't be read:
 * `unprivileged` is set then. Returns 0 or -1 with the reason in @report. present_free() in either case.
 */
int observe(struct present *present, const struct view *view, struct sockets *sockets, struct report *report);

/*
 * observe_sessions - the sessions of @view->wanted alone, in its maps that are there, its flow table, and the table's instance
 *	and generation; as observe()
 */
int observe_sessions(struct present *present, const struct view *view, struct sockets *sockets, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ADVICE_H
#define ADVICE_H

#include "kernel/converge.h"

/*
 * advise - warn of what the kill switch survives but clients would suffer from
 *
 * Forwarding that is off, no rule that looks up table local before ours, and policy rules of others that take clients
 * elsewhere before ours do, but for those that @known, which may be NULL, tells of already.
 */
void advise(const struct config *config, const struct situation *situation, const struct lines *known,
	    struct report *report);

/*
 * advise_bypasses - warn of what bypass_find() finds, beside what advise() says; no run of a hook can wait for it
 *
 * An error where it can't be found out.
 */
void advise_bypasses(const struct config *config, const struct situation *situation, struct netlink *route,
		     struct report *report);

/*
 * examine - what else of this host may keep clients from the gateway, or could be better; it takes its time
 *
 * Gateways that do not answer, a kernel that would not take the kill switch (an error), nft chains of others, and
 * sources that the kernel does not check. Needs CAP_NET_ADMIN.
 */
void examine(const struct config *config, const struct situation *situation, struct sockets *sockets,
	     struct report *report);

#endif

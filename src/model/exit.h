/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXIT_H
#define EXIT_H

#include "config/config.h"

/* An interface of this host. */
struct interface {
	unsigned int index;	/* 0 where it is not known, or not there */
	char name[IFNAMSIZ];
};

#define EXIT_TEXT (ADDRESS_TEXT + 16)

/* A gateway in one family, as the kernel reaches it. */
struct exit {
	const struct gateway *gateway;
	int family;			/* IPV4, IPV6 */
	struct address nexthop;		/* AF_UNSPEC: none, the interface itself leads there (link) */
	struct interface interface;	/* its index is 0 where the kernel has no route to the next hop, or it does not exist */
	bool apart;			/* not looked for: a hook's session leaves via another, and the interface's name is known */
	struct report missing;		/* of several gateways: for which reasons it is not there; see gateway_find() */
	char text[EXIT_TEXT];		/* `the gateway 172.28.0.2`, `the interface wg0` */
};

struct exits {
	struct exit *exit;
	unsigned int count;
};

/* exit_is_link - whether the interface itself leads there */
bool exit_is_link(const struct exit *exit);

/* exit_goes - the word in front of its text: `to` the gateway, `via` the interface */
const char *exit_goes(const struct exit *exit);

/* exits_make - of all gateways, before their interfaces are looked for: see gateway.h; exits_free() when done */
void exits_make(struct exits *exits, const struct config *config);
void exits_free(struct exits *exits);

/* exits_find - that of @gateway in @family; NULL where nobody leaves via it */
const struct exit *exits_find(const struct exits *exits, const struct gateway *gateway, int family);

/* exits_index - which of them it is */
unsigned int exits_index(const struct exits *exits, const struct exit *exit);

/* exits_default - that of [gateway]: whom nothing else sends elsewhere leaves via it */
const struct exit *exits_default(const struct exits *exits, const struct config *config, int family);

#endif

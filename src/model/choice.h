/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CHOICE_H
#define CHOICE_H

#include "model/exit.h"
#include "model/routing.h"

/*
 * Which interface is the gateway's. The one that [gateway] interface names; else the one that has an address in the
 * gateway's network, and that the kernel leads to it by. Whoever adds a route moves what the kernel says, so a route alone
 * makes no interface the gateway's; and whoever adds an address may move it, so what was once chosen stays, until the
 * configuration changes or the admin says so. All of it is pure: gateway.h asks the kernel.
 */

/* What is remembered of a choice, in the state directory: `172.28.0.2 eth0`. */
struct gateway_choice {
	const struct gateway *gateway;
	int family;
	struct address address;		/* the gateway's then; AF_UNSPEC where nothing is remembered */
	char interface[IFNAMSIZ];	/* "" where [gateway] interface named it */
};

struct choices {
	struct gateway_choice *choice;
	unsigned int count;
};

#define CHOICE_TEXT (ADDRESS_TEXT + IFNAMSIZ)	/* bytes of one in words with its NUL */

void choices_free(struct choices *choices);

/*
 * choices_find - what is remembered of a gateway in a family; NULL where nothing was asked for
 * @near: the number of the one that is looked at first; any
 */
const struct gateway_choice *choices_find(const struct choices *choices, const struct gateway *gateway, int family,
					  unsigned int near);

/* choice_parse - what is no choice remembers nothing; of which gateway stays as it is */
void choice_parse(struct gateway_choice *choice, const char *text);
void choice_text(const struct gateway_choice *choice, char text[CHOICE_TEXT]);

/* What is known of one gateway. */
struct gateway_sight {
	int error;			/* errno of the kernel's lookup; 0 where it found a route */
	const char *said;		/* what the kernel said with it */
	struct route route;		/* the route that it found */
	char interface[IFNAMSIZ];	/* the name of its interface; "" where it has none */
	const char *remembered;		/* the interface that was chosen before; "" for none */
	/*
	 * The interfaces with an address in its network, each once: of one that was chosen before and that the kernel leads to
	 * it by, that one alone. Unused where [gateway] interface is set.
	 */
	struct interface *holder;
	size_t holders;
};

/*
 * choice_make - the interface of a gateway, or why none can be taken
 * @exit: it is set there, where there is one
 *
 * Returns 0, or -1 with the reason in @report (EX_CONFIG).
 */
int choice_make(const struct config *config, struct exit *exit, const struct gateway_sight *sight, struct report *report);

/* choice_can_hold - whether an address with this prefix on-link makes its interface one with the gateway's network */
bool choice_can_hold(const struct prefix *prefix, const struct address *gateway);

/*
 * choice_candidates - those of the interfaces in @sight that could be the gateway's: no tunnel of clients, not lo
 *
 * Returns their number, and their names in @names: `eth0 and eth1`.
 */
size_t choice_candidates(const struct config *config, const struct gateway_sight *sight, struct text *names);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "kernel/contact.h"
#include "kernel/converge.h"
#include "sessions/places.h"

/* What becomes of what clients send to the internet now: the question behind all that is installed. */

/* From the best to the worst. */
enum have {
	HAVE_DIRECT = 0,	/* this host's own route, as the configuration says */
	HAVE_BLOCKED,		/* nothing, as it says */
	HAVE_GATEWAY,
	HAVE_NOTHING,		/* they should reach the gateway, and do not; nothing leaks */
	HAVE_UNKNOWN,		/* the kernel could not be read */
	HAVE_LEAK,		/* they leave by another route */
	HAVES
};

extern const char *const have_names[HAVES];	/* for programs */

struct lot {
	enum have have;
	struct text why;	/* of HAVE_NOTHING: the reason; of HAVE_LEAK: by what; else empty */
	size_t looked_at, without;	/* of several gateways: how many clients, and of these with HAVE_NOTHING */
};

struct clients {
	bool connected;		/* else it is what they would have: a connect repairs what it can */
	bool mapped;		/* there are several gateways */
	struct lot lot[FAMILIES];
};

/* A client to look for: an address of AF_UNSPEC is one that it has not. */
struct client {
	struct address address[FAMILIES];
	char device[IFNAMSIZ];

	/* Of several gateways; see struct departure. */
	const struct gateway *gateway;	/* by which it leaves; NULL: it is not known */
	bool lacks[FAMILIES];		/* its address is in no map */
	const char *instead_of;		/* the name of the gateway that it was given, where that is another; else NULL */
};

/* client_make - one that may be: an address of each subnet's, and a tunnel that nobody has */
void client_make(struct client *client, const struct config *config);

/* client_place - it leaves as its session does; what it points to is to last */
void client_place(struct client *client, const struct config *config, const struct departure *departure);

/* client_take - as a record of a session has it */
void client_take(struct client *client, const char *ip4, const char *ip6, const char *device);

/*
 * clients_look - what those clients have, the worst of it
 * @client, @count: who is connected
 * @contact: whether each exit of @situation is there
 *
 * Asks the kernel for the route of each one's packets, so its cost grows with their number; chains of others are walked for
 * some of them. clients_free() when done.
 */
void clients_look(struct clients *clients, const struct config *config, const struct situation *situation,
		  const struct client *client, size_t count, const struct contact *contact,
		  struct sockets *sockets);

/* clients_expect - the same of one who would leave by a gateway of several */
void clients_expect(struct clients *clients, const struct config *config, const struct situation *situation,
		    const struct gateway *gateway, const struct contact *contact, struct sockets *sockets);

void clients_free(struct clients *clients);

/* clients_worst - of both families */
enum have clients_worst(const struct clients *clients);

/* clients_add_text - what `status` says of them: `reach the gateway` */
void clients_add_text(struct text *text, const struct clients *clients);

#endif

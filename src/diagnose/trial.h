/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRIAL_H
#define TRIAL_H

#include "config/config.h"
#include "kernel/observe.h"

/*
 * A client of our own: a tunnel as ocserv makes them, with an address that no client has. What is written to it comes in
 * as a client's packets do, so that it meets the same rules, of others too, and so do the answers. The tunnel belongs
 * to this process: however that ends, the kernel removes tunnel and route.
 */

#define TRIAL_PATIENCE_MS 2000		/* for all that is asked in one go */
#define TRIAL_FETCH_PATIENCE_MS 3000
#define TRIAL_WHY 128
#define TRIAL_PAGE 4096			/* bytes of an answer by HTTP that are read */

struct trial {
	int tunnel;			/* a descriptor; -1 where closed */
	char name[IFNAMSIZ];
	unsigned int interface;		/* index */
	struct address source[FAMILIES];	/* AF_UNSPEC where there is none */
};

/*
 * trial_open - make the tunnel
 *
 * Returns 0, or -1 with the reason in @report. Needs CAP_NET_ADMIN and /dev/net/tun. trial_close() in either case.
 */
int trial_open(struct trial *trial, const struct config *config, struct report *report);

/* trial_add_source - take an address of the family, and have it led to the tunnel; -1 with the reason in @report */
int trial_add_source(struct trial *trial, const struct config *config, int family, struct netlink *route,
		     struct report *report);

/* trial_close - end the tunnel, and delete the flows of its addresses */
void trial_close(struct trial *trial, struct sockets *sockets, struct report *report);

/* What became of a probe. */
struct echo {
	const struct probe *probe;
	bool answered;
	long long took_us;
	char why[TRIAL_WHY];		/* where it was refused; "" where nothing came */
};

/* trial_probe - send the probes of one family, and wait until all are answered, at most TRIAL_PATIENCE_MS */
void trial_probe(struct trial *trial, struct echo *echo, size_t count);

/*
 * trial_fetch - GET a page by HTTP
 * @server: its address
 * @page: what came, with the header
 *
 * Returns 0, or -1 with the reason in @why.
 */
int trial_fetch(struct trial *trial, const struct http *http, const struct address *server, struct text *page,
		char why[TRIAL_WHY]);

#endif

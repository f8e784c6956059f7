/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POOLS_H
#define POOLS_H

#include "config/config.h"
#include "config/ocserv_conf.h"

/*
 * The pools of clients that ocserv's configuration names, as the few subnets that rules can be about. Of files for
 * groups and users there may be thousands, which a hook has no time to read: what was found in each is kept in the
 * state directory (`pools`), for as long as stat(2) says the same of it.
 */

#define POOLS_FILES 16384	/* for groups and users, that are looked at */

/*
 * pools_find - the pools of @conf, and of the files that it names
 * @wanted: the families that are asked for
 * @list: to be freed; of each family its pools, comma-separated, adjacent ones joined. Those of @conf itself come first.
 *
 * What no pool can be is an error, if it stands in @conf: -1, with each in @report. In another file it is left out, as is
 * what can't be read, and a pool with the gateway in it: a warning of @report names each.
 */
int pools_find(const struct config *config, const struct ocserv_conf *conf, const bool wanted[FAMILIES],
	       struct text list[FAMILIES], struct report *report);

/* The cache, for tests and pools.c. */

struct pools_entry {
	const char *directory, *name;
	uint64_t digest;		/* of what stat(2) says */
	const struct prefix *pool;
	size_t pools;
};

typedef void (*pools_visitor)(const struct pools_entry *entry, void *data);

/*
 * pools_parse_cache - the entries of a cache, in their order: directories, and in each names in that of strcmp(3)
 * @text: is changed
 *
 * Returns false where anything at all is not as pools_add_cached() writes it; what was visited is of no use then.
 */
bool pools_parse_cache(char *text, size_t length, pools_visitor visit, void *data);

/* pools_add_cached - an entry, behind those of the same directory; the first one begins the text */
void pools_add_cached(struct text *text, const char *directory_before, const struct pools_entry *entry);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCSERV_CONF_H
#define OCSERV_CONF_H

#include "base/address.h"

#include <stddef.h>

/* ocserv's own configuration, as far as it is about clients' addresses and hooks. */

#define OCSERV_CONF SYSCONFDIR "/ocserv/ocserv.conf"

/* The lengths of networks that stand without one, of each family; 0: none is known. */
struct ocserv_lengths {
	unsigned int length[FAMILIES];
};

/* A value: of a line `name = value`, or of one that begins with a blank and goes on with the name before it. */
struct ocserv_entry {
	char *section, *name, *value;	/* section: "" or "vhost:NAME" */
	unsigned int line;
	bool continued;
};

struct ocserv_conf {
	const char *path;
	const struct ocserv_lengths *outer;	/* of a file for a group or user; NULL for ocserv.conf itself */
	struct ocserv_entry *entry;
	size_t entries;
	unsigned int fault;			/* the line at which ocserv stops reading; 0: none */
	unsigned int too_long;			/* the first line that is cut in two; 0: none */
};

/*
 * ocserv_conf_read - read one file, as ocserv does with its own inih; -1 with errno where there is none
 * @outer: for a file for a group or user the lengths that networks in it may lack, to outlive @conf; else NULL
 *
 * A line that is neither pair nor section ends the file: ocserv.conf itself is refused by ocserv then. Values of
 * sections that ocserv passes over are none. ocserv_conf_free() in either case.
 */
int ocserv_conf_read(struct ocserv_conf *conf, const char *path, const struct ocserv_lengths *outer);
void ocserv_conf_free(struct ocserv_conf *conf);

/* ocserv_conf_find - the last entry of that name, which counts; NULL where there is none. ocserv knows lower case alone. */
const struct ocserv_entry *ocserv_conf_find(const struct ocserv_conf *conf, const char *section, const char *name);

/* ocserv_conf_new_section - whether an entry is the first of its section */
bool ocserv_conf_new_section(const struct ocserv_conf *conf, size_t index);

/* A file for a group or user, or a directory of them, that ocserv.conf names. */
struct ocserv_named {
	const char *path;
	bool directory;
	struct ocserv_lengths lengths;	/* what networks in it lack */
};

/* ocserv_conf_named - whether the entry at @index names any; files for those who have none count with a directory alone */
bool ocserv_conf_named(const struct ocserv_conf *conf, size_t index, struct ocserv_named *named);

/* ocserv_conf_visit_named - the files for groups and users that @conf names, each as one without named ones */
void ocserv_conf_visit_named(const struct ocserv_conf *conf,
			     void (*visit)(const struct ocserv_conf *conf, void *data), void *data);

typedef void (*ocserv_prefix_visitor)(const struct ocserv_conf *conf, const struct ocserv_entry *entry,
				      const struct prefix *prefix, void *data);

/* ocserv_conf_visit_pools - what clients of any section of this file may get: networks, and addresses of single users */
void ocserv_conf_visit_pools(const struct ocserv_conf *conf, ocserv_prefix_visitor visit, void *data);

/* ocserv_conf_visit_lans - the networks behind clients of this file: iroute */
void ocserv_conf_visit_lans(const struct ocserv_conf *conf, ocserv_prefix_visitor visit, void *data);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCSERV_CONF_H
#define OCSERV_CONF_H

#include "address.h"

#include <stddef.h>

/* ocserv's own configuration, as far as it is about clients' addresses and hooks. */

#define OCSERV_CONF SYSCONFDIR "/ocserv/ocserv.conf"

/* A line of a file: `name = value`, in a section that is "" or that of a virtual host. */
struct ocserv_entry {
	char *section, *name, *value;
	unsigned int line;
};

struct ocserv_conf {
	const char *path;
	struct ocserv_entry *entry;
	size_t entries;
};

/*
 * ocserv_conf_read - read one file; -1 with errno where there is none
 *
 * What is no pair is passed over: that is ocserv's to complain of. ocserv_conf_free() in either case.
 */
int ocserv_conf_read(struct ocserv_conf *conf, const char *path);
void ocserv_conf_free(struct ocserv_conf *conf);

/* ocserv_conf_find - the last entry of that name, which counts; NULL where there is none */
const struct ocserv_entry *ocserv_conf_find(const struct ocserv_conf *conf, const char *section, const char *name);

/* ocserv_conf_new_section - whether an entry is the first of its section */
bool ocserv_conf_new_section(const struct ocserv_conf *conf, size_t index);

/* ocserv_conf_visit_named - the files for groups and users that @conf names, each as one without named ones */
void ocserv_conf_visit_named(const struct ocserv_conf *conf,
			     void (*visit)(const struct ocserv_conf *conf, void *data), void *data);

/* ocserv_conf_visit_pools - what clients of any section of this file may get: networks, and addresses of single users */
void ocserv_conf_visit_pools(const struct ocserv_conf *conf,
			     void (*visit)(const struct ocserv_conf *conf, const struct ocserv_entry *entry,
					   const struct prefix *pool, void *data),
			     void *data);

#endif

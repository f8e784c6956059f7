/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCSERV_H
#define OCSERV_H

#include "config/config.h"
#include "config/ocserv_conf.h"
#include "diagnose/ocserv_place.h"
#include "kernel/netlink.h"

/* Its configuration: where it is, and what it says. */
struct ocserv {
	struct ocserv_place place;	/* where nobody has named the file */
	struct ocserv_conf conf;
	int error;			/* errno of reading it; 0 */
};

/*
 * ocserv_find - read the file that is named, or that of the ocserv that runs here
 *
 * While this process may look into those of others: see ocserv_place_find(). ocserv_free() when done.
 */
void ocserv_find(struct ocserv *ocserv, const struct config *config);

/*
 * ocserv_check - what of it does not fit ours
 * @route: a NETLINK_ROUTE socket, to tell this host's addresses
 *
 * With its virtual hosts, and the files for groups and users that it names; the file may be missing where
 * nobody has named it. What keeps sessions or
 * names from working, or the kill switch from them, is an error in @report (EX_CONFIG), with file, line, key and
 * value; what works, but not as an admin may think, a warning. Returns whether there was a file to read.
 */
bool ocserv_check(const struct ocserv *ocserv, const struct config *config, struct netlink *route, struct report *report);

/* ocserv_script - what connect-script and disconnect-script are to name: this program, or the shim where a shell runs it */
void ocserv_script(const struct ocserv_conf *conf, struct text *path);

void ocserv_free(struct ocserv *ocserv);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCSERV_H
#define OCSERV_H

#include "config.h"
#include "netlink.h"

/*
 * ocserv_check - what of ocserv's own configuration does not fit ours
 * @route: a NETLINK_ROUTE socket, to tell this host's addresses
 *
 * Reads the file with its virtual hosts, and the files for groups and users that it names; it may be missing where
 * nobody has named it. What keeps sessions or
 * names from working, or the kill switch from them, is an error in @report (EX_CONFIG), with file, line, key and
 * value; what works, but not as an admin may think, a warning. Returns whether there was a file to read.
 */
bool ocserv_check(const struct config *config, struct netlink *route, struct report *report);

#endif

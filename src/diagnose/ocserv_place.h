/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OCSERV_PLACE_H
#define OCSERV_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

/* Where ocserv's configuration is, if nobody has said it. */

struct ocserv_place {
	char *path;		/* NULL where none was found */
	pid_t process;		/* the ocserv that runs with it; 0: it was found at a place that is common elsewhere */
	bool copy;		/* it is the copy that this process keeps of what it has read: its file is not known */
};

/*
 * ocserv_place_find - the configuration of the ocserv that runs in this network namespace, if it is not @usual; else, with
 * no @usual there, a file at a place where others have it
 *
 * ocserv wipes its command line where it can, but keeps a copy of the file as it has read it. Needs to see into root's processes
 * (CAP_SYS_PTRACE). free() the path.
 */
void ocserv_place_find(struct ocserv_place *place, const char *usual);

#endif

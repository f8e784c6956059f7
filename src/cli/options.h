/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

/* The options of the command line. */
struct options {
	const char *config;	/* NULL where not given */
	const char *ocserv_conf;	/* the same */
	const char *argument[2];	/* of explain, init and test; NULL where not given */
	const char *user, *group, *vhost;	/* of check; the same */
	bool dry_run;
	bool move;		/* of up */
	unsigned int wait;	/* the same: seconds for the gateway's interface; 0 where not given */
	bool diff;
	bool verbose;
	bool json;
	bool brief;		/* of status */
	const char *format;	/* of status; NULL where not given */
	unsigned int watch;	/* the same: seconds from one screen to the next; 0 where not given */
};

/* What came of them: main() makes the exit status from it. */
struct result {
	int error;	/* what kind the first error was (sysexits.h); 0: there was none that counts */
	bool bad_news;	/* what was asked for could be found out, and is not as it should be */
};

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef READING_H
#define READING_H

#include "config/config.h"

/* File and environment as they are read. */
struct reading {
	struct config *config;
	struct report *report;
	struct gateway *gateway;		/* whose section it is, [gateway NAME]; NULL in others */
	bool refused;				/* that section is: what stands in it is not looked at */
	unsigned int seen[CONFIG_KEYS];		/* the line in which each key stands */
	unsigned int seen_here[CONFIG_KEYS];	/* the same within [gateway NAME] */
	bool faulty;
};

/* reading_take - a value of @gateway, or of all of them where the key is none of theirs, in place of one from a weaker origin */
void reading_take(struct reading *reading, struct gateway *gateway, enum config_key key, struct setting setting);

/* reading_error - what is wrong; @origin says where it stands */
void reading_error(struct reading *reading, const char *origin, const char *format, ...) PRINTF(3, 4);

#endif

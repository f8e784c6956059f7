/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MAPS_H
#define MAPS_H

#include "config/config.h"

/*
 * The files of [maps]: a line `NAME GATEWAY` or `NAME = GATEWAY` for each name, as names.h has them, and comments behind #
 * at the start of a line or behind the gateway.
 *
 * Whether all lines are good, and no name stands twice, maps_check() says, which reads them all: it is for `check`, `up`, and
 * for a hook where the stamp is another than the one with which it was done last. It leaves an index in the state directory
 * (map_index.h), by which config_gateway_of() reads one line alone; where that is of another file, it reads all.
 */

#define MAPS_STAMP 512	/* bytes with the NUL */

/*
 * maps_stamp - changes with what maps_check() looks at: the files, the names of gateways, and those of the other lines
 * @stamp: a line of printable ASCII, to be taken before maps_check() and kept when that has found nothing wrong; "" where it
 *	is not to be trusted, and maps_check() is to be called in any case
 *
 * It holds what stat(2) says of each file. A file can be changed with none of this being another, but for its ctime, which
 * is the kernel's clock, and that goes by ticks (of a second or two in some file systems). So "" is the stamp where a ctime is
 * not at least MAPS_SETTLED seconds before now: then a later change has another one. So it is where a file is not there.
 */
void maps_stamp(const struct config *config, char stamp[MAPS_STAMP]);

/* maps_check - all lines of all files; -1 with all that is wrong, but for what goes beyond 20 of a file, in @report */
int maps_check(const struct config *config, struct report *report);

/* The files in memory, for the names of many sessions. */
struct maps_held {
	const struct config *config;
	struct held_map *map[WHOSE];	/* NULL where none is named */
};

/*
 * maps_hold - read them all; maps_release() in either case
 * maps_gateway_of - as config_gateway_of(), by what is held
 *
 * The first returns 0, or -1 with the reason in @report.
 */
int maps_hold(struct maps_held *held, const struct config *config, struct report *report);
const struct gateway *maps_gateway_of(const struct maps_held *held, const struct who *who, struct report *report);
void maps_release(struct maps_held *held);

/* maps_count - the lines that send somebody somewhere; for people: a file that can't be read has none */
unsigned int maps_count(const struct config *config, enum whose whose);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RANGES_H
#define RANGES_H

#include "base/address.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Which addresses a set holds, however its elements say it: ranges of one family, in order, none of which touches another. */

struct range {
	struct address first, last;
};

struct ranges {
	struct range *range;
	size_t count;
};

/* Where a range begins (@end: false), or the address behind its last one, as nf_tables keeps them. */
struct bound {
	struct address address;
	bool end;
};

/* ranges_of_prefixes - of prefixes in the order of their addresses, which may overlap; ranges_free() when done */
void ranges_of_prefixes(struct ranges *ranges, const struct prefix *prefix, size_t prefixes);

/* ranges_of_bounds - of bounds in any order, which are sorted: an address is in where the last bound up to it begins one */
void ranges_of_bounds(struct ranges *ranges, struct bound *bound, size_t bounds);

void ranges_free(struct ranges *ranges);

/* ranges_hold - whether all addresses of @range are in it */
bool ranges_hold(const struct ranges *ranges, const struct range *range);

/* prefix_range - the addresses of a prefix */
struct range prefix_range(const struct prefix *prefix);

/* range_next - the address behind the last one of a range; false where there is none */
bool range_next(const struct range *range, struct address *next);

/* range_add_text - 10.20.0.0-10.20.0.255, or one address alone */
void range_add_text(struct text *text, const struct range *range);

#endif

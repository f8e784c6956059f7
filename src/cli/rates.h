/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RATES_H
#define RATES_H

#include "kernel/device.h"

/* How fast counters grow from one screen of `status --watch` to the next. */

struct reading {
	unsigned long long at;	/* in milliseconds of the monotonic clock */
	struct counted {
		char name[64];
		struct device_traffic traffic;
	} *counted;
	size_t count;
};

/* From all zero on. @before is what is compared with: a screen that comes soon after the last one leaves it. */
struct rates {
	struct reading before, last, now;
};

/* rates_begin - a screen is made */
void rates_begin(struct rates *rates);

/*
 * rates_take - keep a counter, and say how much it grows in a second
 * @name: of what is counted, the same each time
 *
 * Returns false where there is nothing to compare with: on the first screen, and where it was made anew meanwhile.
 */
bool rates_take(struct rates *rates, const char *name, const struct device_traffic *traffic,
		struct device_traffic *each_second);

/* rates_end - the screen is made */
void rates_end(struct rates *rates);

void rates_free(struct rates *rates);

#endif

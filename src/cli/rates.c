/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/rates.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOON 500	/* milliseconds, in which too little is counted to tell a rate */

static void reading_free(struct reading *reading)
{
	free(reading->counted);
	*reading = (struct reading){ 0 };
}

void rates_begin(struct rates *rates)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	rates->now.at = (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
	if (rates->last.at && rates->now.at - rates->last.at >= SOON) {
		reading_free(&rates->before);
		rates->before = rates->last;
		rates->last = (struct reading){ 0 };
	}
}

static const struct device_traffic *find(const struct reading *reading, const char *name)
{
	for (size_t i = 0; i < reading->count; i++)
		if (strcmp(reading->counted[i].name, name) == 0)
			return &reading->counted[i].traffic;
	return NULL;
}

static void keep(struct reading *reading, const char *name, const struct device_traffic *traffic)
{
	struct counted *counted;

	reading->counted = make_room_for_one(reading->counted, reading->count, sizeof(*reading->counted));
	counted = &reading->counted[reading->count++];
	snprintf(counted->name, sizeof(counted->name), "%s", name);
	counted->traffic = *traffic;
}

static uint64_t grown(uint64_t now, uint64_t then, unsigned long long milliseconds)
{
	return (now - then) * 1000 / milliseconds;
}

bool rates_take(struct rates *rates, const char *name, const struct device_traffic *traffic,
		struct device_traffic *each_second)
{
	const struct device_traffic *then = find(&rates->before, name);
	unsigned long long passed = rates->now.at - rates->before.at;

	keep(&rates->now, name, traffic);
	if (!then || traffic->in < then->in || traffic->out < then->out)
		return false;
	*each_second = (struct device_traffic){
		.in = grown(traffic->in, then->in, passed), .out = grown(traffic->out, then->out, passed),
		.packets_in = grown(traffic->packets_in, then->packets_in, passed),
		.packets_out = grown(traffic->packets_out, then->packets_out, passed),
	};
	return true;
}

/* What came soon after the last one takes not its place, lest many of them together are never compared. */
void rates_end(struct rates *rates)
{
	if (rates->last.at)
		reading_free(&rates->now);
	else
		rates->last = rates->now;
	rates->now = (struct reading){ 0 };
}

void rates_free(struct rates *rates)
{
	reading_free(&rates->before);
	reading_free(&rates->last);
	reading_free(&rates->now);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/ranges.h"

#include <stdlib.h>
#include <string.h>

static int compare(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* One more, or with @by 255 one less; false where it would wrap. */
static bool step(struct address *address, uint8_t by, uint8_t wrapped)
{
	unsigned int i = address_size(address->family);

	while (i-- > 0) {
		address->bytes[i] = (uint8_t)(address->bytes[i] + by);
		if (address->bytes[i] != wrapped)
			return true;
	}
	return false;
}

bool range_next(const struct range *range, struct address *next)
{
	*next = range->last;
	return step(next, 1, 0);
}

struct range prefix_range(const struct prefix *prefix)
{
	struct range range = { prefix->address, prefix->address };

	for (unsigned int bit = prefix->length; bit < address_size(prefix->address.family) * 8U; bit++)
		range.last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return range;
}

static bool touches(const struct range *range, const struct address *first)
{
	struct address next;

	return !range_next(range, &next) || compare(first, &next) <= 0;
}

/* A range behind all others, or one that goes on where the last one ends, or lies in it. */
static void add(struct ranges *ranges, const struct range *range)
{
	struct range *last = ranges->count ? &ranges->range[ranges->count - 1] : NULL;

	if (last && touches(last, &range->first)) {
		if (compare(&range->last, &last->last) > 0)
			last->last = range->last;
		return;
	}
	ranges->range = make_room_for_one(ranges->range, ranges->count, sizeof(*ranges->range));
	ranges->range[ranges->count++] = *range;
}

void ranges_of_prefixes(struct ranges *ranges, const struct prefix *prefix, size_t prefixes)
{
	*ranges = (struct ranges){ 0 };
	for (size_t i = 0; i < prefixes; i++) {
		struct range range = prefix_range(&prefix[i]);

		add(ranges, &range);
	}
}

/* Of two at the same address the one that begins a range decides. */
static int compare_bounds(const void *a, const void *b)
{
	const struct bound *one = a, *other = b;
	int order = compare(&one->address, &other->address);

	return order ? order : other->end - one->end;
}

void ranges_of_bounds(struct ranges *ranges, struct bound *bound, size_t bounds)
{
	struct range range;

	*ranges = (struct ranges){ 0 };
	if (bounds > 1)
		qsort(bound, bounds, sizeof(*bound), compare_bounds);
	for (size_t i = 0; i < bounds; i++) {
		if (bound[i].end)
			continue;
		range.first = range.last = bound[i].address;
		if (i + 1 < bounds)
			range.last = bound[i + 1].address;
		else
			memset(range.last.bytes, 0xff, address_size(range.last.family));
		/* Another that begins at the same address says the same again. */
		if (i + 1 < bounds && (compare(&range.first, &range.last) == 0 || !step(&range.last, 0xff, 0xff)))
			continue;
		add(ranges, &range);
	}
}

void ranges_free(struct ranges *ranges)
{
	free(ranges->range);
	*ranges = (struct ranges){ 0 };
}

/* The last range that begins at an address, or before it. */
static const struct range *find_range(const struct ranges *ranges, const struct address *address)
{
	size_t first = 0, behind = ranges->count;

	while (first < behind) {
		size_t middle = first + (behind - first) / 2;

		if (compare(&ranges->range[middle].first, address) <= 0)
			first = middle + 1;
		else
			behind = middle;
	}
	return first ? &ranges->range[first - 1] : NULL;
}

bool ranges_hold(const struct ranges *ranges, const struct range *range)
{
	const struct range *found = find_range(ranges, &range->first);

	return found && compare(&range->last, &found->last) <= 0;
}

void range_add_text(struct text *text, const struct range *range)
{
	char buffer[ADDRESS_TEXT];

	text_add_string(text, address_text(&range->first, buffer));
	if (compare(&range->first, &range->last) != 0)
		text_add(text, "-%s", address_text(&range->last, buffer));
}

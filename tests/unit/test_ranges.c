/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/ranges.h"
#include "support.h"

#include <string.h>

/* A sequence that is the same in every run. */
static uint32_t next_random(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state >> 8;
}

static void check_text(const struct ranges *ranges, const char *expected)
{
	struct text text CLEANUP(text_free) = { 0 };

	for (size_t i = 0; i < ranges->count; i++) {
		text_add_string(&text, i ? ", " : "");
		range_add_text(&text, &ranges->range[i]);
	}
	assert_string_equal(text_string(&text), expected);
}

static void prefixes_that_touch_are_one_range(void **state)
{
	static const struct { const char *prefix[3]; const char *ranges; } cases[] = {
		{ { "10.20.0.0/24" }, "10.20.0.0-10.20.0.255" },
		{ { "10.20.0.0/24", "10.20.1.0/24", "10.20.3.0/24" }, "10.20.0.0-10.20.1.255, 10.20.3.0-10.20.3.255" },
		{ { "10.20.0.7/32", "10.20.0.9/32" }, "10.20.0.7, 10.20.0.9" },
		{ { "10.255.255.255/32", "11.0.0.0/31" }, "10.255.255.255-11.0.0.1" },
		{ { "0.0.0.0/1", "128.0.0.0/1" }, "0.0.0.0-255.255.255.255" },
		{ { "fd20::/64", "fd20:0:0:1::/64", "fd20:0:0:3::1/128" },
		  "fd20::-fd20::1:ffff:ffff:ffff:ffff, fd20:0:0:3::1" },
		{ { "fd20::/64", "fd20::5/128", "fd20::7/128" }, "fd20::-fd20::ffff:ffff:ffff:ffff" },
		{ { "fd20::/96", "fd20::/64", "fd20::7/128" }, "fd20::-fd20::ffff:ffff:ffff:ffff" },
		{ { "8000::/1" }, "8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ { "::/0" }, "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix[3];
		struct ranges ranges;
		size_t count = 0;

		for (; count < 3 && cases[i].prefix[count]; count++)
			prefix[count] = prefix_of(cases[i].prefix[count]);
		ranges_of_prefixes(&ranges, prefix, count);
		check_text(&ranges, cases[i].ranges);
		ranges_free(&ranges);
	}
}

static void behind_the_last_address_is_none(void **state)
{
	static const struct { const char *prefix, *next; } cases[] = {
		{ "10.20.0.0/24", "10.20.1.0" }, { "10.255.255.255/32", "11.0.0.0" }, { "255.255.255.0/24", NULL },
		{ "0.0.0.0/0", NULL }, { "fd20::ffff/128", "fd20::1:0" }, { "ff00::/8", NULL }, { "::/1", "8000::" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix = prefix_of(cases[i].prefix);
		struct range range = prefix_range(&prefix);
		struct address next;

		assert_int_equal(range_next(&range, &next), cases[i].next != NULL);
		if (cases[i].next)
			assert_string_equal(address_text(&next, (char[ADDRESS_TEXT]){ 0 }), cases[i].next);
	}
}

/* What the kernel says of an address: the last bound up to it, of two at one address the one that begins. */
static bool is_in(const struct bound *bound, size_t bounds, const struct address *address)
{
	const struct bound *last = NULL;

	for (size_t i = 0; i < bounds; i++) {
		int order = last ? memcmp(bound[i].address.bytes, last->address.bytes, 4) : 1;

		if (memcmp(bound[i].address.bytes, address->bytes, 4) <= 0 && (order > 0 || (order == 0 && last->end)))
			last = &bound[i];
	}
	return last && !last->end;
}

/* Any bounds among the last 32 addresses and the first 16. */
static void ranges_hold_what_the_kernel_finds(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		struct bound bound[8];
		size_t bounds = next_random() % (COUNT(bound) + 1);
		struct ranges ranges;

		for (size_t j = 0; j < bounds; j++) {
			bound[j] = (struct bound){ .address.family = AF_INET, .end = next_random() % 2 };
			memset(bound[j].address.bytes, next_random() % 3 ? 0xff : 0, 4);
			bound[j].address.bytes[3] ^= next_random() % 16;
		}
		ranges_of_bounds(&ranges, bound, bounds);
		for (unsigned int j = 0; j < 512; j++) {
			struct range one = { .first.family = AF_INET };

			memset(one.first.bytes, j < 256 ? 0 : 0xff, 4);
			one.first.bytes[3] = (uint8_t)j;
			one.last = one.first;
			assert_int_equal(ranges_hold(&ranges, &one), is_in(bound, bounds, &one.first));
		}
		for (size_t j = 1; j < ranges.count; j++) {
			struct address next;

			assert_true(range_next(&ranges.range[j - 1], &next));
			assert_true(memcmp(next.bytes, ranges.range[j].first.bytes, 4) < 0);
		}
		ranges_free(&ranges);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes_that_touch_are_one_range),
		cmocka_unit_test(behind_the_last_address_is_none),
		cmocka_unit_test(ranges_hold_what_the_kernel_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

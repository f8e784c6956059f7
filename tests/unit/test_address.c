/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <string.h>

static void addresses_are_read_and_written(void **state)
{
	static const struct { const char *text, *shown; uint8_t family; } cases[] = {
		{ "172.28.0.2", "172.28.0.2", AF_INET },
		{ "0.0.0.0", "0.0.0.0", AF_INET },
		{ "255.255.255.255", "255.255.255.255", AF_INET },
		{ "fd20::1", "fd20::1", AF_INET6 },
		{ "FD20:0:0:0:0:0:0:1", "fd20::1", AF_INET6 },
		{ "::", "::", AF_INET6 },
		{ "::ffff:10.0.0.1", "::ffff:10.0.0.1", AF_INET6 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address address;
		char text[ADDRESS_TEXT];

		assert_true(address_parse(&address, cases[i].text));
		assert_int_equal(address.family, cases[i].family);
		assert_string_equal(address_text(&address, text), cases[i].shown);
	}
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "x", "172.28.0", "172.28.0.2.1", "172.28.0.256", " 172.28.0.2", "172.28.0.2 ", "172.28.0.2/24",
		"fd20::1/64", "fe80::1%eth0", "fd20:::1", ":", "fd20::1::2", "12345::", "gateway.example",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct address address;

		if (address_parse(&address, texts[i]))
			fail_msg("'%s' was taken for an address", texts[i]);
	}
}

static void no_address_is_written_as_nothing(void **state)
{
	const struct address none = { .family = AF_UNSPEC };
	char text[ADDRESS_TEXT] = "before";

	(void)state;
	assert_string_equal(address_text(&none, text), "");
}

static void prefixes_keep_their_host_bits(void **state)
{
	static const struct { const char *text, *shown, *masked; } cases[] = {
		{ "10.20.0.0/24", "10.20.0.0/24", "10.20.0.0/24" },
		{ "10.20.0.77/24", "10.20.0.77/24", "10.20.0.0/24" },
		{ "10.20.255.255/12", "10.20.255.255/12", "10.16.0.0/12" },
		{ "10.20.0.77/32", "10.20.0.77/32", "10.20.0.77/32" },
		{ "10.20.0.77/31", "10.20.0.77/31", "10.20.0.76/31" },
		{ "10.20.0.77/0", "10.20.0.77/0", "0.0.0.0/0" },
		{ "fd20::1/64", "fd20::1/64", "fd20::/64" },
		{ "fd20:0:0:ffff::/61", "fd20:0:0:ffff::/61", "fd20:0:0:fff8::/61" },
		{ "fd20::ffff/128", "fd20::ffff/128", "fd20::ffff/128" },
		{ "fd20::/0", "fd20::/0", "::/0" },
		{ "1111:2222:3333:4444:5555:6666:7777:8888/128", "1111:2222:3333:4444:5555:6666:7777:8888/128",
		  "1111:2222:3333:4444:5555:6666:7777:8888/128" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix = prefix_of(cases[i].text), masked = prefix_mask(&prefix);
		char text[PREFIX_TEXT];

		assert_string_equal(prefix_text(&prefix, text), cases[i].shown);
		assert_string_equal(prefix_text(&masked, text), cases[i].masked);
	}
}

static void what_is_no_prefix_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "/", "10.20.0.0", "10.20.0.0/", "/24", "10.20.0.0/33", "10.20.0.0/-1", "10.20.0.0/24/24",
		"10.20.0.0/ 24", "10.20.0.0 /24", "10.20.0.0/255.255.255.0", "fd20::/129", "fd20::", "fd20::%1/64",
		"10.20.0.0/4294967320", "10.20.0.0/24x",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/64",
		"1111:1111:1111:1111:1111:1111:1111:1111:111111/64",	/* one more than fits */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct prefix prefix;

		if (prefix_parse(&prefix, texts[i]))
			fail_msg("'%s' was taken for a prefix", texts[i]);
	}
}

static void a_prefix_contains_its_addresses_alone(void **state)
{
	static const struct { const char *prefix, *address; bool contains; } cases[] = {
		{ "10.20.0.0/24", "10.20.0.0", true },
		{ "10.20.0.0/24", "10.20.0.255", true },
		{ "10.20.0.0/24", "10.20.1.0", false },
		{ "10.20.0.0/24", "10.19.255.255", false },
		{ "10.20.0.0/32", "10.20.0.0", true },
		{ "10.20.0.0/32", "10.20.0.1", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::", false },
		{ "::/0", "0.0.0.0", false },
		{ "fd20::/61", "fd20:0:0:7::1", true },
		{ "fd20::/61", "fd20:0:0:8::1", false },
		{ "a14::/24", "10.20.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix prefix = prefix_of(cases[i].prefix);
		struct address address = address_of(cases[i].address);

		if (prefix_contains(&prefix, &address) != cases[i].contains)
			fail_msg("%s in %s", cases[i].address, cases[i].prefix);
	}
}

static void prefixes_overlap_where_one_contains_the_other(void **state)
{
	static const struct { const char *a, *b; bool overlap; } cases[] = {
		{ "10.20.0.0/24", "10.20.0.0/24", true },
		{ "10.20.0.0/16", "10.20.7.0/24", true },
		{ "10.20.0.0/24", "10.20.0.9/32", true },
		{ "0.0.0.0/0", "10.20.0.0/24", true },
		{ "10.20.0.0/24", "10.20.1.0/24", false },
		{ "10.20.0.0/16", "10.21.0.0/24", false },
		{ "fd20::/48", "fd20:0:0:1::/64", true },
		{ "fd20::/64", "fd20:0:0:1::/64", false },
		{ "0.0.0.0/0", "::/0", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix a = prefix_of(cases[i].a), b = prefix_of(cases[i].b);

		if (prefix_overlaps(&a, &b) != cases[i].overlap || prefix_overlaps(&b, &a) != cases[i].overlap)
			fail_msg("%s and %s", cases[i].a, cases[i].b);
	}
}

static void equal_is_the_same_family_bytes_and_length(void **state)
{
	struct address four = address_of("0.0.0.0"), six = address_of("::");
	struct prefix a = prefix_of("10.20.0.0/24"), longer = prefix_of("10.20.0.0/25");
	struct prefix other = prefix_of("10.21.0.0/24");

	(void)state;
	assert_true(address_equal(&four, &four));
	assert_false(address_equal(&four, &six));
	assert_true(prefix_equal(&a, &a));
	assert_false(prefix_equal(&a, &longer));
	assert_false(prefix_equal(&a, &other));
}

static void link_local_is_fe80_to_febf(void **state)
{
	static const struct { const char *text; bool link_local; } cases[] = {
		{ "fe80::1", true }, { "febf:ffff::1", true }, { "fec0::1", false }, { "fe7f::1", false },
		{ "fd20::1", false }, { "ff80::1", false }, { "169.254.0.1", false }, { "254.128.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address address = address_of(cases[i].text);

		if (address_is_link_local(&address) != cases[i].link_local)
			fail_msg("%s", cases[i].text);
	}
}

static void usable_addresses_can_be_a_host(void **state)
{
	static const struct { const char *text; bool usable; } cases[] = {
		{ "10.20.0.1", true }, { "223.255.255.255", true }, { "128.0.0.0", true }, { "1.0.0.0", true },
		{ "0.0.0.0", false }, { "0.1.2.3", false }, { "127.0.0.1", false }, { "224.0.0.1", false },
		{ "255.255.255.255", false }, { "fd20::1", true }, { "fe80::1", true }, { "::2", true },
		{ "::1", false }, { "::", false }, { "ff02::1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address address = address_of(cases[i].text);

		if (address_is_usable(&address) != cases[i].usable)
			fail_msg("%s", cases[i].text);
	}
}

static void families_have_their_names_and_sizes(void **state)
{
	(void)state;
	assert_int_equal(family_of(IPV4), AF_INET);
	assert_int_equal(family_of(IPV6), AF_INET6);
	assert_string_equal(family_name(IPV4), "IPv4");
	assert_string_equal(family_name(IPV6), "IPv6");
	assert_int_equal(address_size(AF_INET), 4);
	assert_int_equal(address_size(AF_INET6), 16);
}

static void a_scope_is_left_out(void **state)
{
	struct address address, plain;

	(void)state;
	assert_true(address_parse_unscoped(&address, "fd20::1%3318224896"));
	assert_true(address_parse(&plain, "fd20::1"));
	assert_true(address_equal(&address, &plain));
	assert_true(address_parse_unscoped(&address, "10.20.0.1"));
	assert_false(address_parse_unscoped(&address, "%eth0"));
	assert_false(address_parse_unscoped(&address, ""));
	assert_false(address_parse_unscoped(&address, "fd20:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001%eth0"));
}

static void hardware_addresses_are_read_and_written(void **state)
{
	static const struct { const char *text, *written; } cases[] = {
		{ "02:00:00:00:00:02", "02:00:00:00:00:02" }, { "AA-bb-0C-dd-Ee-0f", "aa:bb:0c:dd:ee:0f" },
	};
	static const char *const wrong[] = {
		"", "02:00:00:00:00", "02:00:00:00:00:02:", "02:00:00:00:00:2", "02:00:00:00:00:0g", "0200.0000.0002", "02 00:00:00:00:02",
		"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "\x10\x10:00:00:00:00:02", "02:00:00:00:00:02x", ":::::::::::::::::",
	};
	struct mac mac;
	char text[MAC_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_true(mac_parse(&mac, cases[i].text));
		assert_true(mac.known);
		assert_string_equal(mac_text(&mac, text), cases[i].written);
	}
	for (size_t i = 0; i < COUNT(wrong); i++)
		assert_false(mac_parse(&mac, wrong[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_scope_is_left_out),
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(no_address_is_written_as_nothing),
		cmocka_unit_test(prefixes_keep_their_host_bits),
		cmocka_unit_test(what_is_no_prefix_is_refused),
		cmocka_unit_test(a_prefix_contains_its_addresses_alone),
		cmocka_unit_test(prefixes_overlap_where_one_contains_the_other),
		cmocka_unit_test(equal_is_the_same_family_bytes_and_length),
		cmocka_unit_test(link_local_is_fe80_to_febf),
		cmocka_unit_test(usable_addresses_can_be_a_host),
		cmocka_unit_test(families_have_their_names_and_sizes),
		cmocka_unit_test(hardware_addresses_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

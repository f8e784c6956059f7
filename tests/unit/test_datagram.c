/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/checksum.h"
#include "kernel/datagram.h"
#include "support.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdlib.h>

static const struct { const char *source, *destination; size_t header; } families[FAMILIES] = {
	{ "10.20.0.0", "198.51.100.80", 20 }, { "fd20::ffff", "2001:db8:100::80", 40 },
};

static struct datagram make(int family, uint8_t protocol)
{
	struct datagram datagram = {
		.protocol = protocol, .from = 40000, .to = 80, .sequence = 0xfedcba98, .acknowledged = 7,
		.flags = TH_SYN | TH_ACK, .id = 0xabcd, .data = "hello", .size = 5,
		.type = family == IPV4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
	};

	address_parse(&datagram.source, families[family].source);
	address_parse(&datagram.destination, families[family].destination);
	return datagram;
}

static uint8_t icmp_of(int family)
{
	return family == IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static void assert_addresses(const struct datagram *got, const struct datagram *wanted)
{
	assert_true(address_equal(&got->source, &wanted->source));
	assert_true(address_equal(&got->destination, &wanted->destination));
	assert_int_equal(got->protocol, wanted->protocol);
}

static void a_segment_is_read_as_it_was_made(void **state)
{
	(void)state;
	for (int family = 0; family < FAMILIES; family++) {
		struct datagram made = make(family, IPPROTO_TCP), read;
		uint8_t bytes[DATAGRAM_MOST];
		size_t size = datagram_make(bytes, &made);

		assert_true(datagram_parse(&read, bytes, size));
		assert_addresses(&read, &made);
		assert_int_equal(read.from, 40000);
		assert_int_equal(read.to, 80);
		assert_int_equal(read.sequence, 0xfedcba98);
		assert_int_equal(read.acknowledged, 7);
		assert_int_equal(read.flags, TH_SYN | TH_ACK);
		assert_int_equal(read.size, 5);
		assert_memory_equal(read.data, "hello", 5);
	}
}

static void an_echo_is_read_as_it_was_made(void **state)
{
	(void)state;
	for (int family = 0; family < FAMILIES; family++) {
		struct datagram made = make(family, icmp_of(family)), read;
		uint8_t bytes[DATAGRAM_MOST];

		assert_true(datagram_parse(&read, bytes, datagram_make(bytes, &made)));
		assert_addresses(&read, &made);
		assert_int_equal(read.id, 0xabcd);
		assert_int_equal(read.type, made.type);
		assert_int_equal(read.quoted.family, AF_UNSPEC);
	}
}

/* Over what has a right one in it, a checksum is 0. */
static void checksums_are_right(void **state)
{
	(void)state;
	for (int family = 0; family < FAMILIES; family++) {
		struct datagram made = make(family, IPPROTO_TCP);
		uint8_t bytes[DATAGRAM_MOST];
		size_t size = datagram_make(bytes, &made), header = families[family].header;

		assert_int_equal(checksum_transport(family_of(family), made.source.bytes, made.destination.bytes, IPPROTO_TCP,
						    bytes + header, size - header), 0);
		assert_true(family == IPV6 || checksum(bytes, header) == 0);
		made.protocol = icmp_of(family);
		size = datagram_make(bytes, &made);
		assert_int_equal(family == IPV4 ? checksum(bytes + header, size - header) :
				 checksum_transport(AF_INET6, made.source.bytes, made.destination.bytes, IPPROTO_ICMPV6,
						    bytes + header, size - header), 0);
	}
	/* RFC 1071, section 3: the sum there is ddf2. */
	assert_int_equal(checksum("\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 8), htons((uint16_t)~0xddf2));
}

/* An ICMP error that quotes what was sent, cut short as routers do. */
static size_t make_error(int family, uint8_t bytes[DATAGRAM_MOST], size_t quoted)
{
	struct datagram sent = make(family, IPPROTO_TCP), error = make(family, icmp_of(family));
	uint8_t quote[DATAGRAM_MOST];

	datagram_make(quote, &sent);
	error.type = family == IPV4 ? ICMP_DEST_UNREACH : ICMP6_DST_UNREACH;
	error.code = 13;
	error.data = quote;
	error.size = quoted;
	return datagram_make(bytes, &error);
}

static void an_error_says_what_it_is_about(void **state)
{
	(void)state;
	for (int family = 0; family < FAMILIES; family++) {
		uint8_t bytes[DATAGRAM_MOST];
		struct datagram read, sent = make(family, IPPROTO_TCP);

		assert_true(datagram_parse(&read, bytes, make_error(family, bytes, families[family].header + 8)));
		assert_int_equal(read.code, 13);
		assert_true(address_equal(&read.quoted, &sent.destination));
		assert_true(datagram_parse(&read, bytes, make_error(family, bytes, families[family].header - 1)));
		assert_int_equal(read.quoted.family, AF_UNSPEC);
	}
}

/* Each in memory of its own, so that a byte too many that is read is noticed by valgrind and sanitizers. */
static void what_is_cut_short_is_nothing_else(void **state)
{
	(void)state;
	for (int family = 0; family < FAMILIES; family++) {
		struct datagram made = make(family, IPPROTO_TCP), read;
		uint8_t bytes[DATAGRAM_MOST];
		size_t size = datagram_make(bytes, &made);

		for (size_t cut = 0; cut < size; cut++) {
			uint8_t *copy = allocate(cut ? cut : 1, 1);

			memcpy(copy, bytes, cut);
			/* What is of the data is data, as far as it is there. */
			assert_int_equal(datagram_parse(&read, copy, cut), cut >= families[family].header + 24);
			free(copy);
		}
	}
}

static void nonsense_is_refused(void **state)
{
	struct datagram made = make(IPV4, IPPROTO_TCP), read;
	uint8_t bytes[DATAGRAM_MOST];
	size_t size = datagram_make(bytes, &made);

	(void)state;
	bytes[0] = 0x44;	/* a header of 16 bytes */
	assert_false(datagram_parse(&read, bytes, size));
	bytes[0] = 0x95;	/* IP version 9 */
	assert_false(datagram_parse(&read, bytes, size));
	bytes[0] = 0x45;
	bytes[6] = 0x20;	/* a fragment */
	assert_false(datagram_parse(&read, bytes, size));
	bytes[6] = 0;
	bytes[32] = 0xf0;	/* options longer than the segment */
	assert_false(datagram_parse(&read, bytes, size));
	bytes[9] = IPPROTO_UDP;
	assert_false(datagram_parse(&read, bytes, size));
}

static void what_is_too_long_is_not_made(void **state)
{
	struct datagram made = make(IPV4, IPPROTO_TCP);
	char data[DATAGRAM_MOST] = { 0 };
	uint8_t bytes[DATAGRAM_MOST];

	(void)state;
	made.data = data;
	made.size = DATAGRAM_MOST - 44;
	assert_int_equal(datagram_make(bytes, &made), DATAGRAM_MOST);
	made.size++;
	assert_int_equal(datagram_make(bytes, &made), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_is_read_as_it_was_made),
		cmocka_unit_test(an_echo_is_read_as_it_was_made),
		cmocka_unit_test(checksums_are_right),
		cmocka_unit_test(an_error_says_what_it_is_about),
		cmocka_unit_test(what_is_cut_short_is_nothing_else),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(what_is_too_long_is_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/routing.h"
#include "support.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct rule a_rule(void)
{
	return (struct rule){
		.family = AF_INET,
		.priority = 1000,
		.source = prefix_of("10.20.0.0/24"),
		.action = FR_ACT_TO_TBL,
		.table = 100,
		.suppress_prefixlength = -1,
		.protocol = ROUTING_PROTOCOL,
	};
}

static struct route a_route(void)
{
	return (struct route){
		.family = AF_INET,
		.table = 100,
		.destination.family = AF_INET,
		.gateway = address_of("172.28.0.2"),
		.interface = 2,
		.interface_name = "eth0",
		.type = RTN_UNICAST,
		.protocol = ROUTING_PROTOCOL,
	};
}

static void rules_are_equal_where_the_kernel_does_the_same(void **state)
{
	struct rule a = a_rule(), b = a_rule();

	(void)state;
	assert_true(rule_equal(&a, &b));
	b.protocol = RTPROT_BOOT;
	b.local_only = true;
	assert_true(rule_equal(&a, &b));
	b.other = (char *)"";
	assert_true(rule_equal(&a, &b));
	a.action = b.action = FR_ACT_PROHIBIT;
	b.table = 7;
	assert_true(rule_equal(&a, &b));
}

static void rules_differ_in_each_field(void **state)
{
	struct rule a = a_rule(), b[11];

	(void)state;
	for (size_t i = 0; i < COUNT(b); i++)
		b[i] = a;
	b[0].family = AF_INET6;
	b[1].priority = 999;
	b[2].source.length = 25;
	b[3].source.address = address_of("10.21.0.0");
	b[4].destination = prefix_of("10.20.0.0/24");
	b[5].action = FR_ACT_BLACKHOLE;
	b[6].table = 101;
	b[7].suppress_prefixlength = 0;
	b[8].other = (char *)"fwmark 0x1/0xffffffff";
	strcpy(b[9].incoming, "lo");
	b[10].inverted = true;
	for (size_t i = 0; i < COUNT(b); i++)
		if (rule_equal(&a, &b[i]) || rule_equal(&b[i], &a))
			fail_msg("difference %zu is not seen", i);
}

static void routes_are_equal_but_for_who_made_them(void **state)
{
	struct route a = a_route(), b = a_route();

	(void)state;
	b.protocol = RTPROT_BOOT;
	b.interface_name[0] = '\0';
	b.onlink = true;
	assert_true(route_equal(&a, &b));
}

static void routes_differ_in_each_field(void **state)
{
	struct route a = a_route(), b[11];

	(void)state;
	for (size_t i = 0; i < COUNT(b); i++)
		b[i] = a;
	b[0].family = AF_INET6;
	b[1].table = 101;
	b[2].destination_length = 1;
	b[3].destination = address_of("128.0.0.0");
	b[4].gateway = address_of("172.28.0.3");
	b[5].interface = 3;
	b[6].metric = 1;
	b[7].type = RTN_PROHIBIT;
	b[8].tos = 0x10;
	b[9].source = prefix_of("10.20.0.0/24");
	b[10].other = (char *)"several next hops";
	for (size_t i = 0; i < COUNT(b); i++)
		if (route_equal(&a, &b[i]) || route_equal(&b[i], &a))
			fail_msg("difference %zu is not seen", i);
}

static void rules_read_as_ip_writes_them(void **state)
{
	struct rule rule[13];
	static const char *const texts[] = {
		"priority 1000 from 10.20.0.0/24 lookup 100",
		"priority 1000 from 10.20.0.0/24 lookup main",
		"priority 1000 from all to 10.20.0.0/24 lookup main suppress_prefixlength 24",
		"priority 1000 from 10.20.0.0/24 prohibit",
		"priority 1000 from 10.20.0.0/24 blackhole",
		"priority 1000 from 10.20.0.0/24 unreachable",
		"priority 1000 from 10.20.0.0/24 goto 2000",
		"priority 0 from all lookup 255",
		"priority 1000 from 10.20.0.0/24 iif eth1 fwmark 0x1/0xff lookup 100",
		"priority 4294967295 from fd20::/64 unknown",
		"priority 1000 from 10.20.0.0/24 lookup 100 suppress_prefixlength 0",
		"priority 1000 not from all iif lo blackhole",
		"priority 1000 from 10.20.0.0/24 to 10.20.0.0/24 iif '$(id)' lookup 100",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rule); i++)
		rule[i] = a_rule();
	rule[1].table = RT_TABLE_MAIN;
	rule[2] = rule[1];
	rule[2].source = (struct prefix){ .length = 0 };
	rule[2].destination = prefix_of("10.20.0.0/24");
	rule[2].suppress_prefixlength = 24;
	rule[3].action = FR_ACT_PROHIBIT;
	rule[4].action = FR_ACT_BLACKHOLE;
	rule[5].action = FR_ACT_UNREACHABLE;
	rule[6].action = FR_ACT_GOTO;
	rule[6].table = 2000;
	rule[7].priority = 0;
	rule[7].source = (struct prefix){ .length = 0 };
	rule[7].table = RT_TABLE_LOCAL;
	strcpy(rule[8].incoming, "eth1");
	rule[8].other = (char *)"fwmark 0x1/0xff";
	rule[9].priority = UINT32_MAX;
	rule[9].source = prefix_of("fd20::/64");
	rule[9].action = 200;
	rule[10].suppress_prefixlength = 0;
	rule[11].source = (struct prefix){ .length = 0 };
	strcpy(rule[11].incoming, "lo");
	rule[11].inverted = true;
	rule[11].action = FR_ACT_BLACKHOLE;
	rule[12].destination = rule[12].source;
	strcpy(rule[12].incoming, "$(id)");
	for (size_t i = 0; i < COUNT(rule); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		rule_add_text(&text, &rule[i]);
		assert_string_equal(text_string(&text), texts[i]);
	}
}

static void routes_read_as_ip_writes_them(void **state)
{
	struct route route[10];
	static const char *const texts[] = {
		"default via 172.28.0.2 dev eth0 table 100",
		"default via 172.28.0.2 dev eth0 table 100 metric 50",
		"default via fe80::1 dev eth0 table 100",
		"default via fe80::1 dev eth0 table 100 metric 0",
		"10.0.0.0/8 via 172.28.0.2 dev eth0 table 4294967295",
		"default dev '$(id)' table 100",
		"prohibit default table 100",
		"default from 10.20.0.0/24 tos 0x10 via 172.28.0.2 dev eth0 table 100",
		"default dev lo table 100",
		"default via fd28::2 dev eth0 onlink table 100",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(route); i++)
		route[i] = a_route();
	route[1].metric = 50;
	route[2].family = AF_INET6;
	route[2].gateway = address_of("fe80::1");
	route[2].metric = ROUTE_METRIC_IPV6;
	route[3] = route[2];
	route[3].metric = 0;
	route[4].destination = address_of("10.0.0.0");
	route[4].destination_length = 8;
	route[4].table = UINT32_MAX;
	route[5].gateway = (struct address){ .family = AF_UNSPEC };
	strcpy(route[5].interface_name, "$(id)");
	route[6].gateway = (struct address){ .family = AF_UNSPEC };
	route[6].interface = 0;
	route[6].type = RTN_PROHIBIT;
	route[7].source = prefix_of("10.20.0.0/24");
	route[7].tos = 0x10;
	/* One that was read from the kernel: its interface has a number alone. */
	route[8].gateway = (struct address){ .family = AF_UNSPEC };
	route[8].interface = if_nametoindex("lo");
	route[8].interface_name[0] = '\0';
	route[9] = route[2];
	route[9].gateway = address_of("fd28::2");
	route[9].onlink = true;
	for (size_t i = 0; i < COUNT(route); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		route_add_text(&text, &route[i]);
		assert_string_equal(text_string(&text), texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_are_equal_where_the_kernel_does_the_same),
		cmocka_unit_test(rules_differ_in_each_field),
		cmocka_unit_test(routes_are_equal_but_for_who_made_them),
		cmocka_unit_test(routes_differ_in_each_field),
		cmocka_unit_test(rules_read_as_ip_writes_them),
		cmocka_unit_test(routes_read_as_ip_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

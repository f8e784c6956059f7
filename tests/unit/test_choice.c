/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which interface is a gateway's: from addresses, what is remembered and what the kernel says, without a kernel. */
#include "model/choice.h"
#include "support.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

/* Interfaces by their index: the names of the tests. */
static const char *const interfaces[] = { "", "lo", "eth0", "eth1", "vpns0", "ppp0" };

static unsigned int index_of(const char *name)
{
	for (unsigned int i = 1; i < COUNT(interfaces); i++)
		if (strcmp(interfaces[i], name) == 0)
			return i;
	return 0;
}

struct trial {
	const char *said;		/* the interface that the kernel names */
	const char *via;		/* the next hop that it names; NULL for none */
	const char *remembered;
	const char *addresses[3];	/* NAME PREFIX */
	const char *chosen;		/* the interface; NULL where none is */
	const char *wrong[2];		/* what the error holds */
};

/* The interfaces with an address in the gateway's network, each once, as gateway_find() finds them. */
static void find_holders(struct gateway_sight *sight, struct interface *holder, const struct trial *trial,
			 const struct address *gateway)
{
	sight->holder = holder;
	for (size_t i = 0; i < COUNT(trial->addresses) && trial->addresses[i]; i++) {
		const char *space = strchr(trial->addresses[i], ' ');
		struct prefix prefix = prefix_of(space + 1);
		struct interface *next = &holder[sight->holders];

		if (!choice_can_hold(&prefix, gateway))
			continue;
		snprintf(next->name, IFNAMSIZ, "%.*s", (int)(space - trial->addresses[i]), trial->addresses[i]);
		next->index = index_of(next->name);
		sight->holders++;
	}
}

static void check_trial(const struct config *config, int family, const struct trial *trial)
{
	struct interface holder[COUNT(trial->addresses)] = { 0 };
	struct exits exits;
	struct exit *exit = &exits.exit[family];
	struct gateway_sight sight = {
		.route = { .family = family_of(family), .type = RTN_UNICAST, .interface = index_of(trial->said) },
		.remembered = trial->remembered,
	};
	struct report report = { 0 };
	int result;

	if (trial->via)
		sight.route.gateway = address_of(trial->via);
	snprintf(sight.interface, sizeof(sight.interface), "%s", trial->said);
	exits_make(&exits, config);
	find_holders(&sight, holder, trial, &exit->nexthop);
	result = choice_make(config, exit, &sight, &report);
	assert_int_equal(result, trial->chosen ? 0 : -1);
	assert_string_equal(exit->interface.name, trial->chosen ? trial->chosen : "");
	assert_int_equal(exit->interface.index, trial->chosen ? index_of(trial->chosen) : 0);
	assert_int_equal(report.status, trial->chosen ? 0 : EX_CONFIG);
	for (size_t i = 0; i < COUNT(trial->wrong) && trial->wrong[i]; i++)
		assert_line(&report.errors, trial->wrong[i]);
	report_free(&report);
}

static void check_trials(const char *key, int family, const struct trial *trial, size_t count)
{
	char text[256];
	struct config config;

	snprintf(text, sizeof(text), "[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n[gateway]\n"
		 "address4 = 172.28.0.2\naddress6 = fd28::2\n%s", key);
	load_valid(&config, text);
	for (size_t i = 0; i < count; i++)
		check_trial(&config, family, &trial[i]);
	config_free(&config);
}

static void the_one_with_an_address_in_its_network_is_chosen(void **state)
{
	static const struct trial trials[] = {
		{ "eth0", NULL, "", { "eth0 172.28.0.3/24", "eth1 192.0.2.2/24" }, "eth0", { NULL } },
		{ "eth0", "172.28.0.2", "", { "eth0 172.28.0.3/24" }, "eth0", { NULL } },
		{ "eth0", NULL, "", { "eth0 172.28.0.2/32" }, "eth0", { NULL } },
		{ "eth0", NULL, "", { "eth0 172.28.0.3/24", "lo 172.28.0.3/24", "vpns0 172.28.0.3/24" }, "eth0", { NULL } },
		{ "ppp0", NULL, "", { "eth1 192.0.2.2/24" }, NULL,
		  { "is not on a network of this host: no interface has", "via ppp0; set [gateway] interface = ppp0" } },
		{ "eth1", NULL, "", { "eth1 0.0.0.0/0" }, NULL, { "no interface has an address" } },
		{ "lo", NULL, "", { "lo 172.28.0.3/24" }, NULL, { "no interface has an address" } },
		{ "ppp0", NULL, "", { "eth0 172.28.0.3/24" }, NULL,
		  { "is seen on ppp0, but eth0 has an address", "say which with [gateway] interface = eth0" } },
		{ "eth0", NULL, "", { "eth0 172.28.0.3/24", "eth1 172.28.0.66/25" }, NULL,
		  { "may be on eth0 and eth1, which", "with [gateway] interface = eth0" } },
		{ "eth1", NULL, "", { "eth0 172.28.0.3/24", "eth1 172.28.0.66/25", "ppp0 172.28.0.2/32" }, NULL,
		  { "may be on eth0, eth1 and ppp0, which" } },
		{ "vpns0", NULL, "", { "vpns0 172.28.0.2/32" }, NULL, { "which is a tunnel of the clients" } },
		{ "eth1", "192.0.2.1", "", { "eth0 172.28.0.3/24" }, NULL, { "reached via 192.0.2.1 on eth1" } },
	};

	(void)state;
	check_trials("", IPV4, trials, COUNT(trials));
}

static void what_was_chosen_stays(void **state)
{
	static const struct trial trials[] = {
		{ "eth0", NULL, "eth0", { "eth0 fd28::3/64" }, "eth0", { NULL } },
		{ "eth0", NULL, "eth0", { "eth0 2001:db8::3/64" }, NULL,
		  { "eth0, which it was on, has no address in its network any more" } },
		{ "eth1", NULL, "eth0", { "eth1 fd28::66/120" }, NULL,
		  { "address6 = fd28::2: the gateway is now seen on eth1, it was on eth0: nothing is changed",
		    "set [gateway] interface = eth0; if the gateway has really moved to eth1, run `ocserv-gateway up --move`" } },
		{ "eth1", NULL, "eth0", { NULL }, NULL, { "the gateway is now seen on eth1, it was on eth0" } },
		{ "eth0", NULL, "eth9", { "eth0 fd28::3/64" }, NULL, { "the gateway is now seen on eth0, it was on eth9" } },
		{ "vpns0", NULL, "eth0", { NULL }, NULL, { "a tunnel of the clients; it was on eth0" } },
		{ "eth1", "2001:db8::1", "eth0", { NULL }, NULL, { "via 2001:db8::1 on eth1;", "; it was on eth0" } },
	};

	(void)state;
	check_trials("", IPV6, trials, COUNT(trials));
}

static void one_that_is_named_needs_no_address(void **state)
{
	static const struct trial trials[] = {
		{ "ppp0", NULL, "", { NULL }, "ppp0", { NULL } },
		{ "ppp0", "192.0.2.1", "", { NULL }, NULL, { "reached via 192.0.2.1 on ppp0" } },
	};

	(void)state;
	check_trials("interface = ppp0\n", IPV4, trials, COUNT(trials));
}

static void where_there_is_no_way_none_is_chosen(void **state)
{
	static const struct { int error; uint8_t type; const char *interface, *remembered, *said; } cases[] = {
		{ ENETUNREACH, 0, "", "", "is not on a network of this host (the kernel says: unreachable)" },
		{ ENETUNREACH, 0, "", "eth0", "(the kernel says: unreachable); it was on eth0: is that interface up, and does it have its address?" },
		{ 0, RTN_LOCAL, "lo", "eth0", "is an address of this host; write the gateway's; it was on eth0" },
		{ 0, RTN_UNREACHABLE, "eth0", "", "is not on a network of this host" },
		{ 0, RTN_UNICAST, "", "", "is not on a network of this host" },
		{ 0, RTN_UNICAST, "a b", "", "is reached via 'a b', an interface name that can't be used" },
	};
	struct config config;

	(void)state;
	load_valid(&config, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct exits exits;
		struct report report = { 0 };
		struct gateway_sight sight = {
			.error = cases[i].error, .said = "unreachable", .route.type = cases[i].type,
			.remembered = cases[i].remembered,
		};

		snprintf(sight.interface, sizeof(sight.interface), "%s", cases[i].interface);
		exits_make(&exits, &config);
		assert_int_equal(choice_make(&config, &exits.exit[0], &sight, &report), -1);
		assert_line(&report.errors, cases[i].said);
		assert_int_equal(exits.exit[0].interface.index, 0);
		report_free(&report);
	}
	config_free(&config);
}

static void a_choice_is_read_as_it_was_written(void **state)
{
	static const char *const texts[] = { "172.28.0.2 eth0", "fd28::2 eth0.7", "172.28.0.2", "" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct gateway_choice choice;
		char text[CHOICE_TEXT];

		choice_parse(&choice, texts[i]);
		choice_text(&choice, text);
		assert_string_equal(text, texts[i]);
	}
}

static void what_is_no_choice_remembers_nothing(void **state)
{
	static const char *const texts[] = {
		"eth0", "172.28.0.2 ../x", "172.28.0.2 eth0 eth1", "172.28.0.2 a012345678901234", " eth0", "172.28.0 eth0",
		"1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111 eth0",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct gateway_choice choice;

		choice_parse(&choice, texts[i]);
		assert_int_equal(choice.address.family, AF_UNSPEC);
		assert_string_equal(choice.interface, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(the_one_with_an_address_in_its_network_is_chosen),
		in_directory(what_was_chosen_stays),
		in_directory(one_that_is_named_needs_no_address),
		in_directory(where_there_is_no_way_none_is_chosen),
		cmocka_unit_test(a_choice_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_choice_remembers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

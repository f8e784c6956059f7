/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct policy_case policy_cases[POLICY_CASES] = {
	{ "seed",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n" },
	{ "both-families",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20:aaaa:bbbb:1::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = fd28::2\n" },
	{ "no-subnet6",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n" },
	{ "both-blocked",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = block\n"
	  "address6 = block\n" },
	{ "blocked-drop",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "[killswitch]\n"
	  "blocked = drop\n" },
	{ "direct4",
	  "[clients]\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = direct\n"
	  "address6 = fd28::2\n" },
	{ "direct6",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = direct\n" },
	{ "link",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = link\n"
	  "address6 = link\n"
	  "interface = wg0\n"
	  "[killswitch]\n"
	  "forward_others = no\n" },
	{ "several-subnets",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24, 10.21.0.0/16, 192.168.9.0/24\n"
	  "subnet6 = fd20::/64, fd21::/48\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = fd28::2\n" },
	{ "inbound-any",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "[killswitch]\n"
	  "inbound = any\n" },
	{ "no-client-to-client",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "[killswitch]\n"
	  "client_to_client = no\n" },
	{ "no-masquerade",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "masquerade = no\n" },
	{ "other-names",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "interface = tun7\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "table = 4294967295\n"
	  "priority = 32764\n"
	  "[killswitch]\n"
	  "table = site_guard\n" },
	{ "odd-prefixes",
	  "[clients]\n"
	  "subnet4 = 10.20.240.0/20, 172.20.0.0/14\n"
	  "subnet6 = fd20:0:0:8::/61, fd00:8000::/17\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = fe80::1\n"
	  "interface = eth1\n" },
	{ "single-addresses",
	  "[clients]\n"
	  "subnet4 = 10.20.0.7/32\n"
	  "subnet6 = fd20::7/128\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = fd28::2\n" },
	{ "dns-block",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = direct\n"
	  "[killswitch]\n"
	  "dns = block\n" },
	{ "no-others",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24, 10.21.0.0/16\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = fd28::2\n"
	  "[killswitch]\n"
	  "forward_others = no\n" },
	{ "no-others-no-subnet6",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "[gateway]\n"
	  "address4 = direct\n"
	  "address6 = block\n"
	  "[killswitch]\n"
	  "forward_others = no\n" },
	{ "services",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "flows = no\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "ports = 40000-50000\n"
	  "[killswitch]\n"
	  "server = services\n"
	  "services_ports = tcp 443, udp 5353\n" },
	{ "no-server",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "flows = 77\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "[killswitch]\n"
	  "dns = block\n"
	  "server = none\n" },
	{ "plain",
	  "[log]\n"
	  "level = warning\n" },
};

void case_tests(struct CMUnitTest tests[POLICY_CASES], const char *what, CMUnitTestFunction test)
{
	static struct lines names;	/* cmocka keeps pointers to them */

	for (size_t i = 0; i < POLICY_CASES; i++) {
		lines_add(&names, "%s %s", what, policy_cases[i].name);
		tests[i] = (struct CMUnitTest){
			.name = names.line[names.count - 1],
			.test_func = test,
			.setup_func = enter_directory,
			.teardown_func = leave_directory,
			.initial_state = (void *)(uintptr_t)&policy_cases[i],
		};
	}
}

const char *case_text(const char *name)
{
	for (size_t i = 0; i < POLICY_CASES; i++)
		if (strcmp(policy_cases[i].name, name) == 0)
			return policy_cases[i].text;
	fail_msg("there is no case %s", name);
	return "";
}

void wanted_make_largest(struct wanted *wanted)
{
	static const struct host host = {
		.ipsec = true, .left_outs = GUARD_LEFT_OUT,
		.left_out = { "vpns-aaaaaaaaa1", "vpns-aaaaaaaaa2", "vpns-aaaaaaaaa3", "vpns-aaaaaaaaa4" },
	};
	struct text list4 CLEANUP(text_free) = { 0 }, list6 CLEANUP(text_free) = { 0 };
	struct text services CLEANUP(text_free) = { 0 }, file CLEANUP(text_free) = { 0 };

	for (unsigned int i = 0; i < CONFIG_SUBNETS; i++) {
		text_add(&list4, "192.168.255.%u/31,", 100 + 2 * i);
		text_add(&list6, "fd20:aaaa:bbbb:cccc:dddd:eeee:ffff:ff%02x/127,", 128 + 2 * i);
	}
	setenv("VPN_SUBNET", text_string(&list4), 1);
	setenv("IPV6_SUBNET", text_string(&list6), 1);
	for (unsigned int i = 0; i < CONFIG_SERVICES; i++)
		text_add(&services, "%s%s %u", i ? ", " : "", i % 2 ? "tcp" : "udp", 65500 + i);
	text_add(&file, "[clients]\nflows = 2147483647\n[gateway]\naddress4 = 172.28.0.2\naddress6 = fd28::2\n[killswitch]\n"
		 "client_to_client = no\ndns = block\nserver = services\nservices_ports = %s\n", text_string(&services));
	wanted_make_on(wanted, text_string(&file), &host);
}

void check_case_golden(const char *kind, const struct policy_case *one, const char *text, const char *file, int line)
{
	struct text golden CLEANUP(text_free) = { 0 };
	char name[64];

	snprintf(name, sizeof(name), "%s-%s.txt", kind, one->name);
	text_add(&golden, "%s\n%s", one->text, text);
	check_golden(name, text_string(&golden), file, line);
}

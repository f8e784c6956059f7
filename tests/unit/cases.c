/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct config_case config_cases[CONFIG_CASES] = {
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
	{ "block4",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = block\n"
	  "address6 = fd28::2\n" },
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
	{ "interface-pattern",
	  "[clients]\n"
	  "subnet4 = 10.40.0.0/24\n"
	  "subnet6 = fd40::/64\n"
	  "interface = oc-tun+\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "interface = eth0\n" },
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
	{ "many",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "[gateway nl]\n"
	  "address4 = 172.28.0.4\n"
	  "address6 = fd28::4\n"
	  "[gateway us]\n"
	  "address4 = link\n"
	  "interface = wg0\n"
	  "masquerade = no\n"
	  "[users]\n"
	  "alice = nl\n" },
	{ "many-drop",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24, 10.30.0.0/16\n"
	  "[gateway]\n"
	  "mark_mask = 0x00f00000\n"
	  "[gateway nl]\n"
	  "address4 = 172.28.0.4\n"
	  "[killswitch]\n"
	  "blocked = drop\n"
	  "forward_others = no\n" },
	{ "tree",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = fd28::2\n"
	  "mark_mask = 0x0003e000\n"
	  "[gateway g3]\n"
	  "address4 = 172.28.0.3\n"
	  "[gateway g4]\n"
	  "address4 = 172.28.0.4\n"
	  "[gateway g5]\n"
	  "address4 = 172.28.0.5\n"
	  "[gateway g6]\n"
	  "address4 = 172.28.0.6\n"
	  "[gateway g7]\n"
	  "address4 = 172.28.0.7\n"
	  "[gateway g8]\n"
	  "address4 = 172.28.0.8\n"
	  "[gateway g9]\n"
	  "address4 = 172.28.0.9\n"
	  "[gateway g10]\n"
	  "address4 = 172.28.0.10\n"
	  "[gateway g11]\n"
	  "address4 = 172.28.0.11\n"
	  "[gateway g12]\n"
	  "address4 = 172.28.0.12\n"
	  "[gateway g13]\n"
	  "address4 = 172.28.0.13\n"
	  "[gateway g14]\n"
	  "address4 = 172.28.0.14\n"
	  "[gateway g15]\n"
	  "address4 = 172.28.0.15\n"
	  "[gateway g16]\n"
	  "address4 = 172.28.0.16\n"
	  "[gateway g17]\n"
	  "address4 = 172.28.0.17\n"
	  "[gateway g18]\n"
	  "address4 = 172.28.0.18\n"
	  "[gateway g19]\n"
	  "address4 = 172.28.0.19\n"
	},
	{ "fast",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "subnet6 = fd20::/64\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "address6 = fd28::2\n"
	  "fast_path = yes\n" },
	{ "many-fast",
	  "[clients]\n"
	  "subnet4 = 10.20.0.0/24\n"
	  "[gateway]\n"
	  "address4 = 172.28.0.2\n"
	  "fast_path = yes\n"
	  "[gateway nl]\n"
	  "address4 = 172.28.0.4\n"
	  "[gateway us]\n"
	  "address4 = link\n"
	  "interface = wg0\n"
	  "[users]\n"
	  "alice = direct\n" },
	{ "plain",
	  "[log]\n"
	  "level = warning\n" },
};

void case_tests(struct CMUnitTest tests[CONFIG_CASES], const char *what, CMUnitTestFunction test)
{
	static struct lines names;	/* cmocka keeps pointers to them */

	for (size_t i = 0; i < CONFIG_CASES; i++) {
		lines_add(&names, "%s %s", what, config_cases[i].name);
		tests[i] = (struct CMUnitTest){
			.name = names.line[names.count - 1],
			.test_func = test,
			.setup_func = enter_directory,
			.teardown_func = leave_directory,
			.initial_state = (void *)(uintptr_t)&config_cases[i],
		};
	}
}

const char *case_text(const char *name)
{
	for (size_t i = 0; i < CONFIG_CASES; i++)
		if (strcmp(config_cases[i].name, name) == 0)
			return config_cases[i].text;
	fail_msg("there is no case %s", name);
	return "";
}

void example_make_largest(struct example *example)
{
	static const struct host host = {
		.ipsec = true, .left_outs = GUARD_LEFT_OUT,
		.left_out = { "vpns-aaaaaaaaa1", "vpns-aaaaaaaaa2", "vpns-aaaaaaaaa3", "vpns-aaaaaaaaa4" },
	};
	struct text list4 CLEANUP(text_free) = { 0 }, list6 CLEANUP(text_free) = { 0 };
	struct text services CLEANUP(text_free) = { 0 }, file CLEANUP(text_free) = { 0 };

	for (unsigned int i = 0; i < CASE_SUBNETS; i++) {
		text_add(&list4, "192.168.255.%u/31,", 2 * i + 2);
		text_add(&list6, "fd20:aaaa:bbbb:cccc:dddd:eeee:ffff:ff%02x/127,", 2 * i + 2);
	}
	setenv("VPN_SUBNET", text_string(&list4), 1);
	setenv("IPV6_SUBNET", text_string(&list6), 1);
	for (unsigned int i = 0; i < CONFIG_SERVICES; i++)
		text_add(&services, "%s%s %u", i ? ", " : "", i % 2 ? "tcp" : "udp", 65500 + i);
	text_add(&file, "[clients]\nflows = 2147483647\n[gateway]\naddress4 = 172.28.0.2\naddress6 = fd28::2\n[killswitch]\n"
		 "client_to_client = no\ndns = block\nserver = services\nservices_ports = %s\n", text_string(&services));
	example_make_on(example, text_string(&file), &host);
}

/* Differences */

#define MOST_LINES 1024

struct text_lines {
	const char *line[MOST_LINES];
	size_t count;
};

static size_t line_length(const char *line)
{
	return strcspn(line, "\n");
}

static void split_lines(struct text_lines *lines, const char *text)
{
	for (lines->count = 0; *text; text += line_length(text) + (text[line_length(text)] == '\n')) {
		assert_true(lines->count < MOST_LINES);
		lines->line[lines->count++] = text;
	}
}

static bool lines_equal(const char *a, const char *b)
{
	return line_length(a) == line_length(b) && strncmp(a, b, line_length(a)) == 0;
}

static void add_line(struct text *text, const char *mark, const char *line)
{
	text_add(text, "%s%.*s\n", mark, (int)line_length(line), line);
}

static unsigned short more(unsigned short a, unsigned short b)
{
	return a > b ? a : b;
}

/* The lines that two texts have in common, as many as there can be: of their ends, from line i and j on. */
static void count_common(unsigned short (*common)[MOST_LINES + 1],
			 const struct text_lines *old, const struct text_lines *new)
{
	for (size_t i = old->count; i-- > 0;)
		for (size_t j = new->count; j-- > 0;)
			if (lines_equal(old->line[i], new->line[j]))
				common[i][j] = (unsigned short)(common[i + 1][j + 1] + 1);
			else
				common[i][j] = more(common[i + 1][j], common[i][j + 1]);
}

/* Before lines that differ: the last line that opens a block, and the one they stand behind. */
static void add_place(struct text *text, const struct text_lines *lines, size_t i)
{
	size_t block = i;

	while (block > 0 && lines->line[block - 1][line_length(lines->line[block - 1]) - 1] != '{')
		block--;
	if (block > 0 && block != i)
		add_line(text, "@", lines->line[block - 1]);
	if (i > 0)
		add_line(text, " ", lines->line[i - 1]);
}

void text_add_difference(struct text *text, const char *old_text, const char *new_text)
{
	static unsigned short common[MOST_LINES + 1][MOST_LINES + 1];
	struct text_lines old, new;
	bool differs = false;

	split_lines(&old, old_text);
	split_lines(&new, new_text);
	memset(common, 0, sizeof(common));
	count_common(common, &old, &new);
	for (size_t i = 0, j = 0; i < old.count || j < new.count;) {
		if (i < old.count && j < new.count && lines_equal(old.line[i], new.line[j])) {
			differs = false;
			i++;
			j++;
			continue;
		}
		if (!differs)
			add_place(text, &old, i);
		differs = true;
		if (i < old.count && (j == new.count || common[i + 1][j] >= common[i][j + 1]))
			add_line(text, "-", old.line[i++]);
		else
			add_line(text, "+", new.line[j++]);
	}
}

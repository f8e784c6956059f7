/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"
#include "model/script.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* The plan toward @wanted as a script. */
static void make_script(struct text *script, struct example *example, const struct present *present, bool remove)
{
	struct report report = { 0 };
	struct plan plan;
	int (*make_plan)(struct plan *, const struct config *, const struct wanted *, const struct present *,
			 struct report *) = remove ? plan_remove : plan_install;

	assert_int_equal(make_plan(&plan, &example->config, &example->wanted, present, &report), 0);
	script_add_plan(script, remove ? "how to remove it" : "how to install it", &plan);
	plan_free(&plan);
}

/* The scripts that are kept in a golden file, each under a heading. */
static struct text golden;

/* The kill switch of @wanted is in wanted.txt already. */
static void golden_add(const char *heading, const struct example *example, const struct text *script)
{
	struct text guard CLEANUP(text_free) = { 0 };
	const char *string = text_string(script), *found;

	guard_add_text(&guard, &example->wanted.guard);
	found = strstr(string, text_string(&guard));
	if (found)
		text_add(&golden, "\n==== %s\n%.*s(the kill switch)\n%s", heading, (int)(found - string), string,
			 found + guard.length);
	else
		text_add(&golden, "\n==== %s\n%s", heading, string);
}

static const char *const scripted_cases[] = { "seed", "direct4", "several-subnets", "other-names", "no-others" };

static void add_script(const char *name, bool remove)
{
	struct text script CLEANUP(text_free) = { 0 }, heading CLEANUP(text_free) = { 0 };
	struct example example;
	struct present present;

	example_make(&example, case_text(name));
	if (remove)
		present_as_wanted(&present, &example.wanted);
	else
		present_fresh(&present);
	make_script(&script, &example, &present, remove);
	text_add(&heading, "%s, %s", name, remove ? "removed" : "installed from nothing");
	golden_add(text_string(&heading), &example, &script);
	present_free(&present);
	example_free(&example);
}

static size_t find_priority(const struct present *present, uint32_t priority)
{
	for (size_t i = 0; i < present->rules; i++)
		if (present->rule[i].priority == priority)
			return i;
	fail_msg("no rule of priority %u", priority);
	return 0;
}

static void add_repair(void)
{
	struct text script CLEANUP(text_free) = { 0 };
	struct example example;
	struct present present;
	struct rule extra;

	example_make(&example, case_text("both-families"));
	present_as_wanted(&present, &example.wanted);
	extra = present.rule[find_priority(&present, 1000)];
	strcpy(extra.incoming, "eth7");
	extra.other = (char *)"fwmark 0x1/0xff";
	present_add_rule(&present, &extra);
	present_drop_rule(&present, find_priority(&present, 999));
	present.route[0].metric = 7;
	present.guard.dormant = true;
	make_script(&script, &example, &present, false);
	golden_add("both-families, damaged, repaired", &example, &script);
	present_free(&present);
	example_free(&example);
}

static void scripts_are_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(scripted_cases); i++)
		add_script(scripted_cases[i], false);
	for (size_t i = 0; i < COUNT(scripted_cases); i++)
		add_script(scripted_cases[i], true);
	add_repair();
	assert_golden("scripts.txt", text_string(&golden) + 1);
	text_free(&golden);
}

static void what_is_intact_is_said_in_comments_alone(void **state)
{
	struct text script CLEANUP(text_free) = { 0 };
	struct example example;
	struct present present;
	size_t intact = 0;

	(void)state;
	example_make(&example, case_text("seed"));
	present_as_wanted(&present, &example.wanted);
	make_script(&script, &example, &present, false);
	for (const char *line = text_string(&script); *line; line = strchr(line, '\n') + 1) {
		assert_int_equal(*line, '#');
		intact += strncmp(line, "# intact: ", 10) == 0;
	}
	assert_int_equal(intact, 1 + example.wanted.rules + example.wanted.routes);
	assert_contains(text_string(&script), "\n# intact: nft table inet ocserv_gw\n");
	assert_contains(text_string(&script), "\n# intact: ip -4 route default via 172.28.0.2 dev eth0 table 100\n");
	assert_contains(text_string(&script), "\n# intact: ip -4 rule priority 1001 from 10.20.0.0/24 prohibit\n");
	assert_contains(text_string(&script), "\n# nothing to do\n");
	present_free(&present);
	example_free(&example);
}

static void a_step_is_a_command(void **state)
{
	struct rule rule = {
		.family = AF_INET6, .priority = 1000, .source = prefix_of("fd20::/64"), .action = FR_ACT_TO_TBL,
		.table = 100, .suppress_prefixlength = -1, .protocol = ROUTING_PROTOCOL,
	};
	struct route route = {
		.family = AF_INET6, .table = 100, .destination.family = AF_INET6, .gateway = address_of("fe80::1"),
		.interface = 2, .interface_name = "eth0", .metric = ROUTE_METRIC_IPV6, .type = RTN_UNICAST,
		.protocol = ROUTING_PROTOCOL,
	};
	struct neighbour neighbour = {
		.address = address_of("172.28.0.2"), .interface = 2, .interface_name = "eth0",
		.mac = { true, { 2, 0, 0, 0, 0, 0x2a } }, .protocol = ROUTING_PROTOCOL,
	};
	struct guard guard = { .table = "ocserv_gw" };
	const struct step steps[] = {
		{ .kind = STEP_NEIGHBOUR_REPLACE, .neighbour = &neighbour },
		{ .kind = STEP_NEIGHBOUR_REMOVE, .neighbour = &neighbour },
		{ .kind = STEP_RULE_ADD, .rule = &rule },
		{ .kind = STEP_RULE_REMOVE, .rule = &rule },
		{ .kind = STEP_ROUTE_ADD, .route = &route },
		{ .kind = STEP_ROUTE_REMOVE, .route = &route },
		{ .kind = STEP_GUARD_REMOVE, .guard = &guard },
		{ .kind = STEP_GUARD_LOAD, .guard = &guard },
		{ .kind = STEP_GUARD_LOAD, .guard = &guard, .replace = true },
	};
	static const char *const commands[] = {
		"ip -4 neigh replace 172.28.0.2 lladdr 02:00:00:00:00:2a dev eth0 nud permanent protocol 111",
		"ip -4 neigh del 172.28.0.2 dev eth0",
		"ip -6 rule add priority 1000 from fd20::/64 lookup 100 protocol 111",
		"ip -6 rule del priority 1000 from fd20::/64 lookup 100 protocol 111",
		"ip -6 route add default via fe80::1 dev eth0 table 100 protocol 111",
		"ip -6 route del default via fe80::1 dev eth0 table 100 protocol 111",
		"nft delete table inet ocserv_gw",
		"nft -f - <<'END'\ntable inet ocserv_gw {\n}\nEND",
		"nft -f - <<'END'\ndelete table inet ocserv_gw\ntable inet ocserv_gw {\n}\nEND",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct text script CLEANUP(text_free) = { 0 };

		script_add_step(&script, &steps[i]);
		assert_string_equal(text_string(&script), commands[i]);
	}
}

static void hostile_names_of_interfaces_are_words(void **state)
{
	static const struct { const char *name, *word; } cases[] = {
		{ "$(reboot)", "dev '$(reboot)' table" },
		{ "a;reboot", "dev 'a;reboot' table" },
		{ "a'b", "dev 'a'\\''b' table" },
		{ "`x`", "dev '`x`' table" },
		{ "a|b>c&d", "dev 'a|b>c&d' table" },
		{ "\\", "dev '\\' table" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text script CLEANUP(text_free) = { 0 };
		struct route route = {
			.family = AF_INET, .table = 100, .interface = 2, .type = RTN_UNICAST,
			.protocol = ROUTING_PROTOCOL,
		};

		strcpy(route.interface_name, cases[i].name);
		script_add_step(&script, &(struct step){ .kind = STEP_ROUTE_REMOVE, .route = &route });
		assert_contains(text_string(&script), cases[i].word);
	}
}

/* Names in the kernel may hold anything: here as a comment of a rule that somebody added. */
static void comments_stay_one_line(void **state)
{
	static const char comment[] = "x\nreboot\r\n$(reboot)\x1b[2J\xff";
	struct text script CLEANUP(text_free) = { 0 };
	struct present_chain *chain;
	struct example example;
	struct present present;
	const char *heredoc;

	(void)state;
	example_make(&example, case_text("seed"));
	present_as_wanted(&present, &example.wanted);
	chain = &present.guard.chain[0];
	free(chain->rule[0].comment);
	chain->rule[0].comment = duplicate(comment);
	make_script(&script, &example, &present, false);

	heredoc = strstr(text_string(&script), "nft -f -");
	assert_non_null(heredoc);
	for (const char *line = text_string(&script); line < heredoc; line = strchr(line, '\n') + 1)
		assert_int_equal(*line, '#');
	assert_contains(text_string(&script), "# to do: chain prerouting: rule \"x?reboot??$(reboot)?[2J?\"");
	present_free(&present);
	example_free(&example);
}

static void the_heading_is_one_line(void **state)
{
	struct text script CLEANUP(text_free) = { 0 };
	const struct plan plan = { .steps = 0 };

	(void)state;
	script_add_plan(&script, "with /etc/a\nreboot", &plan);
	assert_string_equal(text_string(&script), "# with /etc/a?reboot\n# nothing to do\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(scripts_are_golden),
		in_directory(what_is_intact_is_said_in_comments_alone),
		in_directory(a_step_is_a_command),
		in_directory(hostile_names_of_interfaces_are_words),
		in_directory(comments_stay_one_line),
		in_directory(the_heading_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

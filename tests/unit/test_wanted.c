/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the kernel that each configuration asks for, as golden text: the one place where it is written down. */
#include "cases.h"

#include <linux/fib_rules.h>
#include <string.h>

static const char *family_text(uint8_t family)
{
	return family_name(family_index(family));
}

static void add_rules(struct text *text, const struct wanted *wanted)
{
	text_add(text, "policy rules\n");
	for (size_t i = 0; i < wanted->rules; i++) {
		text_add(text, "\t%s ", family_text(wanted->rule[i].family));
		rule_add_text(text, &wanted->rule[i]);
		text_add(text, "\n");
	}
}

static void add_routes(struct text *text, const struct wanted *wanted)
{
	text_add(text, "routes\n");
	for (size_t i = 0; i < wanted->routes; i++) {
		text_add(text, "\t%s ", family_text(wanted->route[i].family));
		route_add_text(text, &wanted->route[i]);
		text_add(text, "\n");
	}
}

/* The case's configuration, and what it asks for. */
static void add_case(struct text *text, const struct config_case *one)
{
	struct example example;

	example_make(&example, one->text);
	text_add(text, "%s\n", one->text);
	add_rules(text, &example.wanted);
	add_routes(text, &example.wanted);
	guard_add_text(text, &example.wanted.guard);
	example_free(&example);
}

/* Of those before it, the one that differs least. */
static void add_least_difference(struct text *all, const struct text *cases, size_t number)
{
	struct text least CLEANUP(text_free) = { 0 };
	size_t other = 0;

	for (size_t i = 0; i < number; i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_difference(&text, text_string(&cases[i]), text_string(&cases[number]));
		if (i > 0 && text.length >= least.length)
			continue;
		text_free(&least);
		least = text;
		text = (struct text){ 0 };
		other = i;
	}
	text_add(all, "\n==== %s differs from %s\n%s", config_cases[number].name, config_cases[other].name,
		 text_string(&least));
}

/* The first as a whole, of each other one what differs: a rule stands where it is news. */
static void wanted_states_are_golden(void **state)
{
	struct text all CLEANUP(text_free) = { 0 }, cases[CONFIG_CASES] = { { 0 } };

	(void)state;
	for (size_t i = 0; i < CONFIG_CASES; i++)
		add_case(&cases[i], &config_cases[i]);
	text_add(&all, "==== %s\n%s", config_cases[0].name, text_string(&cases[0]));
	for (size_t i = 1; i < CONFIG_CASES; i++)
		add_least_difference(&all, cases, i);
	assert_golden("wanted.txt", text_string(&all));
	for (size_t i = 0; i < CONFIG_CASES; i++)
		text_free(&cases[i]);
}

static void differences_are_told(void **state)
{
	static const struct { const char *old, *new, *difference; } cases[] = {
		{ "a\nb\n", "a\nb\n", "" },
		{ "a\nb\nc\n", "a\nc\n", " a\n-b\n" },
		{ "a\nc\n", "a\nb\nc\n", " a\n+b\n" },
		{ "a\nb\n", "b\na\n", "-a\n b\n+a\n" },
		{ "x {\na\nb\n}\n", "x {\na\nc\n}\n", "@x {\n a\n-b\n+c\n" },
		{ "x {\n}\ny {\n}\n", "x {\n}\ny {\na\n}\n", " y {\n+a\n" },
		{ "", "a\n", "+a\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_difference(&text, cases[i].old, cases[i].new);
		assert_string_equal(text_string(&text), cases[i].difference);
	}
}

static void comments_are_whole_in_the_largest_table(void **state)
{
	struct example example;
	char comment[GUARD_COMMENT];
	unsigned int rules = 0;

	(void)state;
	example_make_largest(&example);
	for (size_t i = 0; i < example.wanted.guard.chains; i++) {
		const struct guard_chain *chain = &example.wanted.guard.chain[i];

		for (size_t j = 0; j < chain->rules; j++, rules++)
			assert_true(strlen(guard_comment(&chain->rule[j], comment)) < GUARD_COMMENT - 1);
	}
	assert_true(rules > 2 * CASE_SUBNETS);
	example_free(&example);
}

/* Rules that ask the set of IPv4 subnets in a chain whose other packets are let through. */
static size_t rules_by_set(unsigned int subnets)
{
	struct text list CLEANUP(text_free) = { 0 }, file CLEANUP(text_free) = { 0 };
	struct example example;
	size_t count = 0;

	for (unsigned int i = 0; i < subnets; i++)
		text_add(&list, "%s10.20.%u.0/24", i ? ", " : "", i);
	text_add(&file, "[clients]\nsubnet4 = %s\n[gateway]\naddress4 = 172.28.0.2\n", text_string(&list));
	example_make(&example, text_string(&file));
	for (size_t i = 0; i < example.wanted.guard.chains; i++) {
		const struct guard_chain *chain = &example.wanted.guard.chain[i];

		for (size_t j = 0; j < chain->rules && chain->type; j++)
			for (unsigned int k = 0; k < chain->rule[j].matches; k++)
				count += chain->rule[j].match[k].kind == MATCH_SADDR_IN || chain->rule[j].match[k].kind == MATCH_DADDR_IN;
	}
	example_free(&example);
	return count;
}

/* A new set is empty for an instant: see SUBNETS_APART. */
static void up_to_sixteen_subnets_nothing_is_let_through_by_a_set(void **state)
{
	(void)state;
	assert_int_equal(rules_by_set(1), 0);
	assert_int_equal(rules_by_set(16), 0);
	assert_int_equal(rules_by_set(17), 4);
}

static void everything_of_ours_carries_our_protocol(void **state)
{
	struct example example;

	(void)state;
	example_make(&example, case_text("several-subnets"));
	for (size_t i = 0; i < example.wanted.rules; i++)
		assert_int_equal(example.wanted.rule[i].protocol, ROUTING_PROTOCOL);
	for (size_t i = 0; i < example.wanted.routes; i++)
		assert_int_equal(example.wanted.route[i].protocol, ROUTING_PROTOCOL);
	example_free(&example);
}

static bool permits(const struct rule *rule)
{
	return rule->action == FR_ACT_TO_TBL && rule->source.address.family;
}

static void rules_to_the_gateway_come_last_of_a_family(void **state)
{
	struct example example;

	(void)state;
	example_make(&example, case_text("several-subnets"));
	for (size_t i = 1; i < example.wanted.rules; i++) {
		const struct rule *before = &example.wanted.rule[i - 1], *rule = &example.wanted.rule[i];

		assert_true(before->family != rule->family || !permits(before) || permits(rule));
	}
	example_free(&example);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(wanted_states_are_golden),
		in_directory(differences_are_told),
		in_directory(up_to_sixteen_subnets_nothing_is_let_through_by_a_set),
		in_directory(everything_of_ours_carries_our_protocol),
		in_directory(rules_to_the_gateway_come_last_of_a_family),
		in_directory(comments_are_whole_in_the_largest_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

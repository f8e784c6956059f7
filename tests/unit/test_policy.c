/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the kernel that each configuration asks for, as golden text. */
#include "cases.h"

#include <linux/fib_rules.h>
#include <string.h>

static const char *family_text(uint8_t family)
{
	return family_name(family_index(family));
}

static void add_rules(struct text *text, const struct policy *policy)
{
	text_add(text, "policy rules\n");
	for (size_t i = 0; i < policy->rules; i++) {
		text_add(text, "\t%s ", family_text(policy->rule[i].family));
		rule_add_text(text, &policy->rule[i]);
		text_add(text, "\n");
	}
}

static void add_routes(struct text *text, const struct policy *policy)
{
	text_add(text, "routes\n");
	for (size_t i = 0; i < policy->routes; i++) {
		text_add(text, "\t%s ", family_text(policy->route[i].family));
		route_add_text(text, &policy->route[i]);
		text_add(text, "\n");
	}
}

static void wanted_state_is_golden(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct wanted wanted;

	wanted_make(&wanted, ((const struct policy_case *)*state)->text);
	add_rules(&text, &wanted.policy);
	add_routes(&text, &wanted.policy);
	guard_add_text(&text, &wanted.policy.guard);
	assert_case_golden("policy", *state, text_string(&text));
	wanted_free(&wanted);
}

static void comments_are_whole_in_the_largest_policy(void **state)
{
	struct wanted wanted;
	unsigned int rules = 0;

	(void)state;
	wanted_make_largest(&wanted);
	for (size_t i = 0; i < wanted.policy.guard.chains; i++) {
		const struct guard_chain *chain = &wanted.policy.guard.chain[i];

		for (size_t j = 0; j < chain->rules; j++, rules++)
			assert_true(strlen(chain->rule[j].comment) < GUARD_COMMENT - 1);
	}
	assert_true(rules > 2 * CASE_SUBNETS);
	wanted_free(&wanted);
}

static void everything_of_ours_carries_our_protocol(void **state)
{
	struct wanted wanted;

	(void)state;
	wanted_make(&wanted, case_text("several-subnets"));
	for (size_t i = 0; i < wanted.policy.rules; i++)
		assert_int_equal(wanted.policy.rule[i].protocol, ROUTING_PROTOCOL);
	for (size_t i = 0; i < wanted.policy.routes; i++)
		assert_int_equal(wanted.policy.route[i].protocol, ROUTING_PROTOCOL);
	wanted_free(&wanted);
}

static bool permits(const struct rule *rule)
{
	return rule->action == FR_ACT_TO_TBL && rule->source.address.family;
}

static void rules_to_the_gateway_come_last_of_a_family(void **state)
{
	struct wanted wanted;

	(void)state;
	wanted_make(&wanted, case_text("several-subnets"));
	for (size_t i = 1; i < wanted.policy.rules; i++) {
		const struct rule *before = &wanted.policy.rule[i - 1], *rule = &wanted.policy.rule[i];

		assert_true(before->family != rule->family || !permits(before) || permits(rule));
	}
	wanted_free(&wanted);
}

int main(void)
{
	struct CMUnitTest tests[POLICY_CASES + 3] = {
		in_directory(everything_of_ours_carries_our_protocol),
		in_directory(rules_to_the_gateway_come_last_of_a_family),
		in_directory(comments_are_whole_in_the_largest_policy),
	};

	case_tests(tests + COUNT(tests) - POLICY_CASES, "wanted state of", wanted_state_is_golden);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

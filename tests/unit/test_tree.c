/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy rules of many gateways: where packets come out of them, whatever is lost, and between any two steps. */
#include "support.h"

#include "model/marks.h"
#include "model/plan.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT "10.20.0.50"
#define OTHER "192.0.2.7"
#define DENIED 0		/* for a table, which is none */
#define NOBODYS_MARK 0x00000007	/* in bits that are not ours */

/* A kernel, and what is wanted of it. */
struct trial {
	struct example example;
	struct present present;
	struct plan plan;
	struct report report;
	int result;
};

/* A configuration with so many gateways in IPv4, of which the first two lead in IPv6, too. */
static void make_text(struct text *text, unsigned int gateways, const char *more)
{
	text_free(text);
	text_add(text, "[clients]\nsubnet4 = 10.20.0.0/24, 10.30.0.0/16\nsubnet6 = fd20::/64\n[gateway]\naddress4 = 172.28.0.2\n"
		 "address6 = fd28::2\n%s", more);
	for (unsigned int i = 1; i < gateways; i++)
		text_add(text, "[gateway g%u]\naddress4 = 172.28.%u.%u\n%s", i, 1 + i / 200, 1 + i % 200,
			 i == 1 ? "address6 = fd28::3\n" : "");
}

static void wants(struct trial *trial, unsigned int gateways, const char *more)
{
	struct text text CLEANUP(text_free) = { 0 };

	make_text(&text, gateways, more);
	plan_free(&trial->plan);
	example_free(&trial->example);
	example_make(&trial->example, text_string(&text));
}

/* A kernel as it is wanted with so many gateways. */
static void begin(struct trial *trial, unsigned int gateways, const char *more)
{
	*trial = (struct trial){ 0 };
	wants(trial, gateways, more);
	present_as_wanted(&trial->present, &trial->example.wanted);
}

static void end(struct trial *trial)
{
	plan_free(&trial->plan);
	report_free(&trial->report);
	present_free(&trial->present);
	example_free(&trial->example);
}

static void install(struct trial *trial)
{
	plan_free(&trial->plan);
	report_free(&trial->report);
	trial->result = plan_install(&trial->plan, &trial->example.config, &trial->example.wanted, &trial->present, &trial->report);
}

/* The kernel's walk */

struct walk {
	const struct present *present;
	struct address source;
	uint32_t mark;
	bool empty;		/* the gateways' tables have no route */
	unsigned int asked;	/* rules, but for the kernel's own */
};

static bool matches(const struct walk *walk, const struct rule *rule)
{
	bool same = (!rule->source.address.family || prefix_contains(&rule->source, &walk->source)) &&
		    !rule->destination.address.family && (walk->mark & rule->mask) == rule->mark;

	return same != rule->inverted;
}

/* The first rule at the priority that a goto leads to; @from where there is none. */
static size_t target_of(const struct present *present, size_t from)
{
	for (size_t i = from + 1; i < present->rules; i++)
		if (present->rule[i].family == present->rule[from].family && present->rule[i].priority == present->rule[from].table)
			return i;
	return from;
}

/* The table that a packet to nowhere near is looked up in at last, or DENIED. */
static uint32_t walk_rules(struct walk *walk)
{
	const struct present *present = walk->present;

	for (size_t i = 0; i < present->rules; i++) {
		const struct rule *rule = &present->rule[i];

		if (rule->family != walk->source.family || rule_is_local(rule))
			continue;
		walk->asked += rule->protocol == ROUTING_PROTOCOL;
		if (!matches(walk, rule))
			continue;
		if (rule->action == FR_ACT_GOTO)
			i = target_of(present, i) > i ? target_of(present, i) - 1 : i;
		else if (rule->action != FR_ACT_TO_TBL)
			return DENIED;
		else if (rule->table == RT_TABLE_MAIN || !walk->empty)
			return rule->table;
	}
	return RT_TABLE_MAIN;
}

static uint32_t ask(const struct present *present, const char *source, uint32_t mark, bool empty)
{
	struct walk walk = { .present = present, .source = address_of(source), .mark = mark | NOBODYS_MARK, .empty = empty };

	return walk_rules(&walk);
}

static uint32_t marked(const struct trial *trial, const struct gateway *gateway)
{
	return mark_of(&trial->example.config, gateway);
}

/* What is to deny clients, whatever has become of the rules. */
static void nobody_leaves(const struct trial *trial, const struct present *present)
{
	const struct config *config = &trial->example.config;

	assert_int_equal(ask(present, CLIENT, 0, false), DENIED);
	assert_int_equal(ask(present, CLIENT, marked(trial, &config->block), false), DENIED);
	assert_int_equal(ask(present, CLIENT, mark_to_server(config), false), DENIED);
	assert_int_equal(ask(present, OTHER, 0, false), RT_TABLE_MAIN);
	assert_int_equal(ask(present, OTHER, marked(trial, &config->gateway[0]), false), RT_TABLE_MAIN);
	for (unsigned int i = 0; i < config->gateways; i++)
		assert_int_equal(ask(present, CLIENT, marked(trial, &config->gateway[i]), true), DENIED);
}

/* Each by its own gateway or not at all; with @all, nobody not at all. */
static void nobody_leaves_by_another(const struct trial *trial, const struct present *present, bool all)
{
	const struct config *config = &trial->example.config;
	uint32_t direct = ask(present, CLIENT, marked(trial, &config->direct), false);

	nobody_leaves(trial, present);
	assert_true(direct == RT_TABLE_MAIN || (!all && direct == DENIED));
	for (unsigned int i = 0; i < config->gateways; i++) {
		uint32_t table = ask(present, CLIENT, marked(trial, &config->gateway[i]), false);

		assert_true(table == config->gateway[i].table || (!all && table == DENIED));
	}
}

/* Where they are a tree */

/* The first one of IPv4; zero where there is none. */
static struct rule at(const struct trial *trial, uint32_t priority)
{
	for (size_t i = 0; i < trial->present.rules; i++)
		if (trial->present.rule[i].family == AF_INET && trial->present.rule[i].priority == priority)
			return trial->present.rule[i];
	return (struct rule){ .action = 0 };
}

static void more_than_sixteen_are_a_tree(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, 16, "");
	assert_false(config_has_tree(&trial.example.config, IPV4));
	assert_int_equal(config_last_priority(&trial.example.config, IPV4), 1001);
	assert_int_equal(at(&trial, 1002).priority, 0);
	assert_int_equal(at(&trial, 1000).action, FR_ACT_TO_TBL);
	end(&trial);
	begin(&trial, 17, "");
	assert_true(config_has_tree(&trial.example.config, IPV4));
	assert_int_equal(config_last_priority(&trial.example.config, IPV4), 1020);
	assert_int_equal(at(&trial, 1000).action, FR_ACT_GOTO);
	assert_int_equal(at(&trial, 1002).table, 1020);
	assert_false(config_has_tree(&trial.example.config, IPV6));
	for (size_t i = 0; i < trial.example.wanted.rules; i++)
		assert_true(trial.example.wanted.rule[i].family == AF_INET || trial.example.wanted.rule[i].action != FR_ACT_GOTO);
	end(&trial);
}

static void everybody_leaves_by_his_own(void **state)
{
	static const struct { unsigned int gateways; const char *more; } cases[] = {
		{ 1, "" }, { 2, "" }, { 16, "" }, { 17, "" }, { 31, "" }, { 32, "" }, { 33, "" }, { 40, "" }, { 251, "" },
		{ 17, "mark_mask = 0x0000f800\n" }, { 28, "mark_mask = 0x0000f800\n" }, { 251, "mark_mask = 0x0007fff8\n" },
		{ 251, "mark_mask = 0xfffffff0\n" },
	};

	(void)state;
	for (size_t i = 1; i < COUNT(cases); i++) {
		struct trial trial;

		begin(&trial, cases[i].gateways, cases[i].more);
		nobody_leaves_by_another(&trial, &trial.present, true);
		end(&trial);
	}
}

static unsigned int cost(const struct trial *trial, const char *source, uint32_t mark)
{
	struct walk walk = { .present = &trial->present, .source = address_of(source), .mark = mark };

	walk_rules(&walk);
	return walk.asked;
}

/* In rules that a packet meets; there is one subnet. */
static void a_packet_meets_few_rules(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct trial trial = { 0 };
	unsigned int most = 0;

	(void)state;
	text_add(&text, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n");
	for (unsigned int i = 1; i < CONFIG_GATEWAYS; i++)
		text_add(&text, "[gateway g%u]\naddress4 = 172.28.%u.%u\n", i, 1 + i / 200, 1 + i % 200);
	example_make(&trial.example, text_string(&text));
	present_as_wanted(&trial.present, &trial.example.wanted);
	for (unsigned int i = 0; i < CONFIG_GATEWAYS; i++) {
		unsigned int one = cost(&trial, CLIENT, marked(&trial, &trial.example.config.gateway[i]));

		most = one > most ? one : most;
	}
	assert_int_equal(cost(&trial, OTHER, 0), 6);
	assert_int_equal(cost(&trial, CLIENT, marked(&trial, &trial.example.config.direct)), 3);
	assert_int_equal(most, 33);
	assert_int_equal(cost(&trial, CLIENT, 0), 34);
	end(&trial);
}

/* Something is wrong */

static void copy_rules(struct present *copy, const struct present *present)
{
	*copy = (struct present){ 0 };
	for (size_t i = 0; i < present->rules; i++)
		present_add_rule(copy, &present->rule[i]);
}

static void do_step(struct present *present, const struct step *step)
{
	size_t i = 0;

	if (step->kind == STEP_RULE_ADD)
		present_add_rule(present, step->rule);
	if (step->kind != STEP_RULE_REMOVE)
		return;
	while (i < present->rules && (!rule_equal(&present->rule[i], step->rule) ||
				      present->rule[i].protocol != ROUTING_PROTOCOL))
		i++;
	present_drop_rule(present, i);
}

/* Does what the plan says to the rules; @closed: between any two steps nobody leaves by another gateway than his own. */
static void do_plan(struct trial *trial, bool closed)
{
	struct present after;

	copy_rules(&after, &trial->present);
	for (size_t i = 0; i < trial->plan.steps; i++) {
		do_step(&after, &trial->plan.step[i]);
		if (closed)
			nobody_leaves_by_another(trial, &after, false);
	}
	plan_free(&trial->plan);
	after.guard = trial->present.guard;
	after.route = trial->present.route;
	after.routes = trial->present.routes;
	trial->present.guard = (struct present_guard){ 0 };
	trial->present.route = NULL;
	trial->present.routes = 0;
	present_free(&trial->present);
	trial->present = after;
}

static size_t rule_steps(const struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->steps; i++)
		count += plan->step[i].rule != NULL;
	return count;
}

static void is_repaired(struct trial *trial)
{
	install(trial);
	assert_int_equal(trial->result, 0);
	assert_true(rule_steps(&trial->plan) > 0);
	do_plan(trial, true);
	nobody_leaves_by_another(trial, &trial->present, true);
	install(trial);
	assert_int_equal(rule_steps(&trial->plan), 0);
}

static bool is_ours(const struct present *present, size_t i)
{
	return present->rule[i].protocol == ROUTING_PROTOCOL && present->rule[i].family == AF_INET;
}

/* Each rule in turn is damaged so. */
static void opens_nothing(void (*damage)(struct present *present, size_t place))
{
	struct trial trial;

	begin(&trial, 40, "");
	for (size_t i = 0; i < trial.present.rules; i++) {
		if (!is_ours(&trial.present, i))
			continue;
		damage(&trial.present, i);
		nobody_leaves_by_another(&trial, &trial.present, false);
		is_repaired(&trial);
	}
	end(&trial);
}

static void a_rule_that_is_lost_opens_nothing(void **state)
{
	(void)state;
	opens_nothing(present_drop_rule);
}

static void make_twice(struct present *present, size_t place)
{
	struct rule rule = present->rule[place];

	present_add_rule(present, &rule);
}

static void a_rule_that_is_there_twice_opens_nothing(void **state)
{
	(void)state;
	opens_nothing(make_twice);
}

/* Behind those of its priority, so that others there come to stand before it. */
static void a_rule_in_another_order_opens_nothing(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, 40, "");
	for (size_t i = 0; i + 1 < trial.present.rules; i++) {
		struct rule rule = trial.present.rule[i];

		if (!is_ours(&trial.present, i) || rule.priority != trial.present.rule[i + 1].priority)
			continue;
		rule.other = rule.other ? duplicate(rule.other) : NULL;
		rule.message = (struct text){ 0 };
		present_drop_rule(&trial.present, i);
		present_add_rule(&trial.present, &rule);
		free(rule.other);
		nobody_leaves_by_another(&trial, &trial.present, false);
		is_repaired(&trial);
	}
	end(&trial);
}

/* A goto to elsewhere in the tree, behind it, or to nowhere. */
static void a_goto_to_elsewhere_is_repaired(void **state)
{
	static const uint32_t targets[] = { 1001, 1004, 1005, 1006, 1019, 1020, 9999 };
	struct trial trial;

	(void)state;
	begin(&trial, 40, "");
	for (size_t i = 0; i < trial.present.rules; i++) {
		for (size_t j = 0; j < COUNT(targets); j++) {
			struct rule *rule = &trial.present.rule[i];

			if (!is_ours(&trial.present, i) || rule->action != FR_ACT_GOTO || rule->table == targets[j])
				continue;
			rule->table = targets[j];
			if (targets[j] > rule->priority)
				nobody_leaves(&trial, &trial.present);
			is_repaired(&trial);
		}
	}
	end(&trial);
}

/* Another lookup, which only the kill switch stops as long as nobody repairs it. */
static void a_rule_with_another_table_is_repaired(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, 40, "");
	for (size_t i = 0; i < trial.present.rules; i++) {
		struct rule *rule = &trial.present.rule[i];

		if (!is_ours(&trial.present, i))
			continue;
		rule->table = rule->action == FR_ACT_TO_TBL ? 7 : RT_TABLE_MAIN;
		rule->action = FR_ACT_TO_TBL;
		install(&trial);
		assert_int_equal(trial.result, 0);
		assert_true(trial.plan.steps > 0);
		do_plan(&trial, false);
		install(&trial);
		assert_int_equal(trial.plan.steps, 0);
	}
	end(&trial);
}

/* From one number of gateways to another, under sessions that live. */
static void moves_open_nothing(void **state)
{
	static const unsigned int numbers[] = { 16, 17, 16, 40, 17, 251, 250, 33, 32, 2, 251, 16 };
	struct trial trial;

	(void)state;
	begin(&trial, 2, "");
	for (size_t i = 0; i < COUNT(numbers); i++) {
		wants(&trial, numbers[i], "");
		is_repaired(&trial);
	}
	end(&trial);
}

/* Of the number of gateways that stay no packet is prohibited for longer than the rules of a priority are made anew. */
static void the_tree_stands_before_clients_come_to_it(void **state)
{
	struct trial trial;
	size_t removal;

	(void)state;
	begin(&trial, 16, "");
	wants(&trial, 40, "");
	install(&trial);
	for (removal = 0; trial.plan.step[removal].kind != STEP_RULE_REMOVE; removal++)
		;
	for (size_t i = removal; i < trial.plan.steps; i++)
		assert_true(trial.plan.step[i].kind == STEP_RULE_REMOVE || trial.plan.step[i].rule->priority == 1000);
	end(&trial);
}

static void all_of_it_is_removed(void **state)
{
	static const char *const texts[] = {
		"[clients]\nsubnet4 = 10.20.0.0/24, 10.30.0.0/16\nsubnet6 = fd20::/64\n[gateway]\naddress4 = 172.28.0.2\n",
		"[clients]\nsubnet4 = 10.99.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n",
		"[clients]\nsubnet4 = 10.20.0.0/24, 10.30.0.0/16\nsubnet6 = fd20::/64\n[gateway]\naddress4 = 172.28.0.2\npriority = 5000\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct trial trial;

		begin(&trial, 40, "");
		example_free(&trial.example);
		example_make(&trial.example, texts[i]);
		plan_remove(&trial.plan, &trial.example.config, &trial.example.wanted, &trial.present, &trial.report);
		do_plan(&trial, false);
		for (size_t j = 0; j < trial.present.rules; j++)
			assert_int_not_equal(trial.present.rule[j].protocol, ROUTING_PROTOCOL);
		end(&trial);
	}
}

/* Others */

static struct rule foreign_rule(uint32_t priority)
{
	return (struct rule){ .family = AF_INET, .priority = priority, .source = prefix_of("192.0.2.0/24"), .action = FR_ACT_TO_TBL,
			      .table = 77, .suppress_prefixlength = -1, .protocol = RTPROT_STATIC };
}

static void another_rule_in_the_tree_is_a_conflict(void **state)
{
	static const struct { uint32_t priority; unsigned int gateways; uint8_t protocol; bool conflict; } cases[] = {
		{ 1001, 40, RTPROT_STATIC, false }, { 1002, 40, RTPROT_STATIC, true }, { 1003, 40, RTPROT_STATIC, true },
		{ 1012, 17, RTPROT_STATIC, true }, { 1019, 251, 0, true }, { 1010, 40, ROUTING_PROTOCOL, true },
		{ 1020, 40, RTPROT_STATIC, false }, { 1021, 40, RTPROT_STATIC, false }, { 1002, 16, RTPROT_STATIC, false },
		{ 1010, 16, ROUTING_PROTOCOL, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule rule = foreign_rule(cases[i].priority);
		struct trial trial;

		rule.protocol = cases[i].protocol;
		begin(&trial, cases[i].gateways, "");
		present_add_rule(&trial.present, &rule);
		install(&trial);
		if ((trial.result < 0) != cases[i].conflict)
			fail_msg("case %zu", i);
		assert_int_equal(trial.plan.steps, 0);
		if (cases[i].conflict)
			assert_non_null(strstr(trial.report.errors.line[0], "another IPv4 policy rule has one of the priorities 1002 to "
					       "1019, which the rules for more than 16 gateways need for themselves"));
		end(&trial);
	}
}

static void the_other_family_has_its_own(void **state)
{
	struct rule rule = foreign_rule(1010);
	struct trial trial;

	(void)state;
	rule.family = AF_INET6;
	rule.source = prefix_of("2001:db8::/32");
	begin(&trial, 40, "");
	present_add_rule(&trial.present, &rule);
	install(&trial);
	assert_int_equal(trial.result, 0);
	end(&trial);
}

static void another_server_with_a_tree_is_left_alone(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct example other;
	struct trial trial;

	(void)state;
	text_add(&text, "[clients]\nsubnet4 = 10.99.0.0/24\n[gateway]\naddress4 = 172.28.0.2\npriority = 2000\ntable = 1000\n");
	for (unsigned int i = 1; i < 40; i++)
		text_add(&text, "[gateway h%u]\naddress4 = 172.28.0.%u\ntable = %u\n", i, i + 2, 1000 + i);
	example_make(&other, text_string(&text));
	begin(&trial, 40, "");
	for (size_t i = 0; i < other.wanted.rules; i++)
		present_add_rule(&trial.present, &other.wanted.rule[i]);
	install(&trial);
	assert_int_equal(trial.result, 0);
	assert_int_equal(trial.plan.steps, 0);
	example_free(&other);
	end(&trial);
}

static void all_of_it_comes_before_main(void **state)
{
	static const struct { unsigned int gateways; const char *more; bool good; } cases[] = {
		{ 16, "priority = 32764\n", true }, { 17, "priority = 32745\n", true }, { 17, "priority = 32746\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };
		struct report report = { 0 };
		struct config config;

		make_text(&text, cases[i].gateways, cases[i].more);
		if ((load_text(&config, text_string(&text), &report) == 0) != cases[i].good)
			fail_msg("case %zu", i);
		if (!cases[i].good)
			assert_non_null(strstr(report.errors.line[0], "[gateway] priority = 32746: must be a number from 2 to 32745, "
					       "since more than 16 IPv4 gateways use the 20 priorities after it too"));
		report_free(&report);
		config_free(&config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(more_than_sixteen_are_a_tree),
		in_directory(everybody_leaves_by_his_own),
		in_directory(a_packet_meets_few_rules),
		in_directory(a_rule_that_is_lost_opens_nothing),
		in_directory(a_rule_in_another_order_opens_nothing),
		in_directory(a_rule_that_is_there_twice_opens_nothing),
		in_directory(a_goto_to_elsewhere_is_repaired),
		in_directory(a_rule_with_another_table_is_repaired),
		in_directory(moves_open_nothing),
		in_directory(the_tree_stands_before_clients_come_to_it),
		in_directory(all_of_it_is_removed),
		in_directory(another_rule_in_the_tree_is_a_conflict),
		in_directory(the_other_family_has_its_own),
		in_directory(another_server_with_a_tree_is_left_alone),
		in_directory(all_of_it_comes_before_main),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

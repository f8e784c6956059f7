/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"
#include "diagnose/bypass.h"
#include "model/plan.h"

#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What a plan is made of and the plan. */
struct trial {
	struct example example;
	struct present present;
	struct plan plan;
	struct report report;
	int result;
};

/* Begins with a kernel as @text wants it. */
static void trial_begin(struct trial *trial, const char *text)
{
	*trial = (struct trial){ 0 };
	example_make(&trial->example, text);
	present_as_wanted(&trial->present, &trial->example.wanted);
}

static void trial_install(struct trial *trial)
{
	plan_free(&trial->plan);
	report_free(&trial->report);
	trial->result = plan_install(&trial->plan, &trial->example.config, &trial->example.wanted, &trial->present,
				     &trial->report);
}

static void trial_remove(struct trial *trial)
{
	plan_free(&trial->plan);
	report_free(&trial->report);
	trial->result = plan_remove(&trial->plan, &trial->example.config, &trial->example.wanted, &trial->present,
				    &trial->report);
}

static void trial_end(struct trial *trial)
{
	plan_free(&trial->plan);
	report_free(&trial->report);
	present_free(&trial->present);
	example_free(&trial->example);
}

static void add_family(struct text *text, uint8_t family)
{
	text_add(text, "IPv%c ", family == AF_INET ? '4' : '6');
}

/* A step as a line. */
static void add_step_text(struct text *text, const struct step *step)
{
	static const char *const names[] = {
		[STEP_GUARD_LOAD] = "load", [STEP_GUARD_REMOVE] = "remove guard",
		[STEP_SESSIONS] = "sessions", [STEP_SETTING] = "setting",
		[STEP_NEIGHBOUR_REPLACE] = "set ", [STEP_NEIGHBOUR_REMOVE] = "remove ",
		[STEP_ROUTE_ADD] = "add ", [STEP_ROUTE_REMOVE] = "remove ",
		[STEP_RULE_ADD] = "add ", [STEP_RULE_REMOVE] = "remove ",
	};

	text_add(text, "%s", names[step->kind]);
	if (step->kind == STEP_GUARD_LOAD)
		text_add(text, " guard%s", step->replace ? " in place of another" : "");
	if (step->route) {
		add_family(text, step->route->family);
		route_add_text(text, step->route);
	}
	if (step->neighbour) {
		add_family(text, step->neighbour->address.family);
		neighbour_add_text(text, step->neighbour);
	}
	if (step->rule) {
		add_family(text, step->rule->family);
		rule_add_text(text, step->rule);
	}
	text_add(text, "\n");
}

static void check_steps(const struct trial *trial, const char *expected)
{
	struct text text CLEANUP(text_free) = { 0 };

	for (size_t i = 0; i < trial->plan.steps; i++)
		add_step_text(&text, &trial->plan.step[i]);
	assert_string_equal(text_string(&text), expected);
}

/* The place of the rule that reads so. */
static size_t find_rule(const struct present *present, const char *one)
{
	for (size_t i = 0; i < present->rules; i++) {
		struct text text CLEANUP(text_free) = { 0 };

		rule_add_text(&text, &present->rule[i]);
		if (strcmp(text_string(&text), one) == 0)
			return i;
	}
	fail_msg("there is no rule %s", one);
	return 0;
}

static struct rule *rule_of(struct present *present, const char *one)
{
	return &present->rule[find_rule(present, one)];
}

#define LOCAL_RULE "priority 999 from all to 10.20.0.0/24 lookup main suppress_prefixlength 24"
#define GATEWAY_RULE "priority 1000 from 10.20.0.0/24 lookup 100"
#define STOP_RULE "priority 1001 from 10.20.0.0/24 prohibit"
#define NOBODY_RULE "priority 1001 from all to 10.20.0.0/24 blackhole"
#define LOCAL_RULE6 "priority 999 from all to fd20::/64 lookup main suppress_prefixlength 64"
#define STOP_RULE6 "priority 1001 from fd20::/64 prohibit"
#define NOBODY_RULE6 "priority 1001 from all to fd20::/64 blackhole"
#define OTHERS_RULE "priority 1001 not from all iif lo blackhole"
#define DEFAULT_ROUTE "default via 172.28.0.2 dev eth0 table 100"

static struct rule a_rule(uint32_t priority, const char *source, uint32_t table)
{
	return (struct rule){
		.family = AF_INET,
		.priority = priority,
		.source = prefix_of(source),
		.action = FR_ACT_TO_TBL,
		.table = table,
		.suppress_prefixlength = -1,
		.protocol = ROUTING_PROTOCOL,
	};
}

static struct route a_route(const char *gateway, uint32_t table)
{
	return (struct route){
		.family = AF_INET,
		.table = table,
		.destination.family = AF_INET,
		.gateway = address_of(gateway),
		.interface = 2,
		.interface_name = "eth0",
		.type = RTN_UNICAST,
		.protocol = ROUTING_PROTOCOL,
	};
}

/* The whole */

static void from_nothing_all_is_made_guard_first_gateway_last(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	present_free(&trial.present);
	present_fresh(&trial.present);
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial,
		    "load guard\n"
		    "add IPv4 " DEFAULT_ROUTE "\n"
		    "add IPv4 " LOCAL_RULE "\n"
		    "add IPv4 " STOP_RULE "\n"
		    "add IPv4 " NOBODY_RULE "\n"
		    "add IPv4 " GATEWAY_RULE "\n"
		    "add IPv6 " LOCAL_RULE6 "\n"
		    "add IPv6 " STOP_RULE6 "\n"
		    "add IPv6 " NOBODY_RULE6 "\n");
	assert_int_equal(trial.plan.problems.count, trial.plan.steps);
	assert_line(&trial.plan.problems, "kill switch: table inet ocserv_gw is missing");
	assert_line(&trial.plan.problems, "IPv4 route `" DEFAULT_ROUTE "` is missing");
	assert_line(&trial.plan.problems, "IPv4 policy rule `" GATEWAY_RULE "` is missing");
	assert_false(trial.plan.anything_present);
	assert_null(trial.plan.intact_guard);
	assert_int_equal(trial.plan.intact_routes + trial.plan.intact_rules, 0);
	trial_end(&trial);
}

static void what_is_intact_needs_no_step(void **state)
{
	struct trial trial;

	trial_begin(&trial, ((const struct config_case *)*state)->text);
	if (trial.example.wanted.guard.chains == 0)
		present_set_guard(&trial.present, &trial.example.wanted.guard);
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	assert_int_equal(trial.plan.problems.count, 0);
	assert_true(trial.plan.anything_present);
	assert_ptr_equal(trial.plan.intact_guard, &trial.example.wanted.guard);
	assert_int_equal(trial.plan.intact_routes, trial.example.wanted.routes);
	assert_int_equal(trial.plan.intact_rules, trial.example.wanted.rules);
	trial_end(&trial);
}

static void what_is_intact_is_removed_guard_last(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	trial_remove(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial,
		    "remove IPv4 " GATEWAY_RULE "\n"
		    "remove IPv6 " NOBODY_RULE6 "\n"
		    "remove IPv6 " STOP_RULE6 "\n"
		    "remove IPv4 " NOBODY_RULE "\n"
		    "remove IPv4 " STOP_RULE "\n"
		    "remove IPv6 " LOCAL_RULE6 "\n"
		    "remove IPv4 " LOCAL_RULE "\n"
		    "remove IPv4 " DEFAULT_ROUTE "\n"
		    "remove guard\n");
	assert_line(&trial.plan.problems, "kill switch: table inet ocserv_gw is there");
	assert_line(&trial.plan.problems, "IPv4 policy rule `" GATEWAY_RULE "` is there");
	assert_line(&trial.plan.problems, "IPv4 route `" DEFAULT_ROUTE "` is there");
	trial_end(&trial);
}

static void nothing_is_removed_where_nothing_is(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	present_free(&trial.present);
	present_fresh(&trial.present);
	trial_remove(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	assert_int_equal(trial.plan.problems.count, 0);
	trial_end(&trial);
}

/* Clients come to those of a tree by that which leads there. */
static bool permits(const struct trial *trial, const struct step *step)
{
	return step->rule && (step->rule->action == FR_ACT_TO_TBL || step->rule->action == FR_ACT_GOTO) &&
	       step->rule->source.address.family && step->rule->priority == trial->example.config.priority;
}

static bool denies(const struct step *step)
{
	return step->rule && step->rule->action != FR_ACT_TO_TBL && step->rule->action != FR_ACT_GOTO;
}

static void denials_come_before_and_go_after_what_permits(void **state)
{
	struct trial trial;
	size_t last;

	trial_begin(&trial, ((const struct config_case *)*state)->text);
	if (trial.example.wanted.guard.chains == 0) {
		trial_end(&trial);
		return;
	}
	trial_remove(&trial);
	last = trial.plan.steps - 1;
	assert_int_equal(trial.plan.step[last].kind, STEP_GUARD_REMOVE);
	for (size_t i = 0; i < last; i++)
		for (size_t j = 0; j < i; j++)
			assert_false(permits(&trial, &trial.plan.step[i]) && denies(&trial.plan.step[j]));

	present_free(&trial.present);
	present_fresh(&trial.present);
	trial_install(&trial);
	assert_int_equal(trial.plan.step[0].kind, STEP_GUARD_LOAD);
	for (size_t i = 1; i < trial.plan.steps; i++)
		for (size_t j = 0; j < i; j++)
			assert_false(denies(&trial.plan.step[i]) && permits(&trial, &trial.plan.step[j]) &&
				     trial.plan.step[i].rule->family == trial.plan.step[j].rule->family);
	trial_end(&trial);
}

static void both_families_are_planned_alike(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("both-families"));
	present_drop_route(&trial.present, 1);
	trial_install(&trial);
	check_steps(&trial, "add IPv6 default via fd28::2 dev eth1 table 100\n");
	assert_line(&trial.plan.problems, "IPv6 route `default via fd28::2 dev eth1 table 100` is missing");
	trial_end(&trial);
}

/* The kill switch: each difference is one step, and a sentence */

static struct present_chain *forward(struct present *present)
{
	return &present->guard.chain[2];
}

static void drop_table(struct present *present)
{
	present_drop_guard(present);
}

static void make_dormant(struct present *present)
{
	present->guard.dormant = true;
}

static void add_sets(struct present *present)
{
	present->guard.others = 2;
}

static void drop_rule(struct present *present)
{
	struct present_chain *chain = forward(present);
	struct present_rule *last = &chain->rule[--chain->rules];

	text_free(&last->code);
	free(last->comment);
}

static void drop_chain(struct present *present)
{
	while (forward(present)->rules > 0)
		drop_rule(present);
	free(forward(present)->rule);
	free(forward(present)->name);
	free(forward(present)->type);
	present->guard.chains--;
	memmove(&present->guard.chain[2], &present->guard.chain[3],
		(present->guard.chains - 2) * sizeof(*present->guard.chain));
}

static void add_chain(struct present *present)
{
	struct present_guard *guard = &present->guard;

	guard->chain = reallocate(guard->chain, guard->chains + 1, sizeof(*guard->chain));
	guard->chain[guard->chains++] = (struct present_chain){ .name = duplicate("backdoor") };
}

static void add_rule_like(struct present *present, size_t which, const char *comment)
{
	struct present_chain *chain = forward(present);
	struct present_rule *added;

	chain->rule = reallocate(chain->rule, chain->rules + 1, sizeof(*chain->rule));
	added = &chain->rule[chain->rules++];
	*added = (struct present_rule){ .comment = duplicate(comment), .handle = 77 };
	text_add_bytes(&added->code, chain->rule[which].code.data, chain->rule[which].code.length);
}

static void add_others_rule(struct present *present)
{
	add_rule_like(present, 0, "mine");
}

static void add_nameless_rule(struct present *present)
{
	add_rule_like(present, 0, "");
}

static void add_copy(struct present *present)
{
	add_rule_like(present, 1, forward(present)->rule[1].comment);
}

static void alter_rule(struct present *present)
{
	text_add(&forward(present)->rule[1].code, "x");
}

static void alter_comment(struct present *present)
{
	free(forward(present)->rule[1].comment);
	forward(present)->rule[1].comment = duplicate("let all through");
}

static void swap_rules(struct present *present)
{
	struct present_chain *chain = forward(present);
	struct present_rule first = chain->rule[0];

	chain->rule[0] = chain->rule[chain->rules - 1];
	chain->rule[chain->rules - 1] = first;
}

static void alter_hook(struct present *present)
{
	forward(present)->hook = NF_INET_POST_ROUTING;
}

static void alter_priority(struct present *present)
{
	forward(present)->priority = 300;
}

static void alter_policy(struct present *present)
{
	forward(present)->policy = NF_DROP;
}

static void alter_type(struct present *present)
{
	free(forward(present)->type);
	forward(present)->type = duplicate("route");
}

static void unhook_chain(struct present *present)
{
	free(forward(present)->type);
	forward(present)->type = NULL;
}

static void drop_set(struct present *present)
{
	if (present->guard.sets > 0) {
		present->guard.sets--;
		free(present->guard.set[present->guard.sets].bound);
		free(present->guard.set[present->guard.sets].element);
	}
}

static void add_set(struct present *present)
{
	present->guard.set = reallocate(present->guard.set, present->guard.sets + 1, sizeof(*present->guard.set));
	present->guard.set[present->guard.sets++] = (struct present_set){ .name = "clients7", .family = AF_INET6 };
}

/* The bounds of clients4, 10.20.0.0 and 10.20.1.0, and room for two more. */
static struct bound *bounds_of_clients(struct present *present, size_t more)
{
	struct present_set *set = &present->guard.set[1];

	assert_string_equal(set->name, GUARD_CLIENTS4_SET);
	set->bound = reallocate(set->bound, set->bounds + more, sizeof(*set->bound));
	set->bounds += more;
	return set->bound;
}

static void drop_elements(struct present *present)
{
	present->guard.set[1].bounds = 0;
}

static void narrow_element(struct present *present)
{
	bounds_of_clients(present, 0)[1].address = address_of("10.20.0.128");
}

static void widen_element(struct present *present)
{
	bounds_of_clients(present, 0)[1].address = address_of("10.20.2.0");
}

static void open_element(struct present *present)
{
	bounds_of_clients(present, 0);
	present->guard.set[1].bounds = 1;
}

static void add_element(struct present *present)
{
	struct bound *bound = bounds_of_clients(present, 2);

	bound[2] = (struct bound){ address_of("1.1.1.1"), false };
	bound[3] = (struct bound){ address_of("1.1.1.2"), true };
}

static void let_element_expire(struct present *present)
{
	present->guard.set[1].odd = true;
}

static void hook_regular_chain(struct present *present)
{
	present->guard.chain[3].type = duplicate("filter");
}

#define SAYS_BASE "chain forward has another type, hook, priority or policy"
#define SAYS_LAST "rule \"to a client: see to_client\""
#define SAYS_SECOND "rule \"from a client, unpacked by a tunnel that ends at this host: dropped\""

static void every_difference_of_the_guard_is_repaired_in_one_step(void **state)
{
	static const struct {
		void (*damage)(struct present *present);
		bool gone;
		const char *says[3];
	} cases[] = {
		{ drop_table, true, { "kill switch: table inet ocserv_gw is missing" } },
		{ make_dormant, false, { "kill switch: table inet ocserv_gw is dormant" } },
		{ add_sets, false, { "table inet ocserv_gw holds 2 sets or other objects that don't belong there" } },
		{ drop_set, false, { "kill switch: set clients6 is missing or altered" } },
		{ add_set, false, { "kill switch: set clients7 does not belong there" } },
		{ drop_elements, false, { "kill switch: set clients4 does not hold 10.20.0.0/24, or not all of it" } },
		{ narrow_element, false, { "kill switch: set clients4 does not hold 10.20.0.0/24, or not all of it" } },
		{ widen_element, false, { "set clients4 holds 10.20.0.0-10.20.1.255, which are not all client addresses" } },
		{ open_element, false, { "holds 10.20.0.0-255.255.255.255, which are not all client addresses" } },
		{ add_element, false, { "set clients4 holds 1.1.1.1, which is not a client address" } },
		{ let_element_expire, false, { "set clients4 has an element with a timeout, a counter or another expression" } },
		{ drop_chain, false, { "chain forward is missing" } },
		{ add_chain, false, { "chain backdoor does not belong in table inet ocserv_gw" } },
		{ drop_rule, false, { "chain forward: " SAYS_LAST " is missing" } },
		{ add_others_rule, false, { "chain forward: rule \"mine\" (handle 77) does not belong there" } },
		{ add_nameless_rule, false, { "chain forward: rule \"\" (handle 77) does not belong there" } },
		{ add_copy, false, { "chain forward: " SAYS_SECOND " (handle 77) is altered or duplicated" } },
		{ alter_rule, false, { "chain forward: " SAYS_SECOND " is missing",
				       "chain forward: " SAYS_SECOND " (handle 2) is altered or duplicated" } },
		{ alter_comment, false, { "chain forward: " SAYS_SECOND " is missing",
					  "rule \"let all through\" (handle 2) does not belong there" } },
		{ swap_rules, false, { "chain forward: its rules are in another order" } },
		{ alter_hook, false, { SAYS_BASE } },
		{ alter_priority, false, { SAYS_BASE } },
		{ alter_policy, false, { SAYS_BASE } },
		{ alter_type, false, { SAYS_BASE } },
		{ unhook_chain, false, { SAYS_BASE } },
		{ hook_regular_chain, false, { "chain from_client has another type, hook, priority or policy" } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trial trial;
		size_t sentences = 0;

		trial_begin(&trial, case_text("seed"));
		cases[i].damage(&trial.present);
		trial_install(&trial);
		assert_int_equal(trial.result, 0);
		check_steps(&trial, cases[i].gone ? "load guard\n" : "load guard in place of another\n");
		for (; sentences < COUNT(cases[i].says) && cases[i].says[sentences]; sentences++)
			assert_line(&trial.plan.problems, cases[i].says[sentences]);
		assert_int_equal(trial.plan.problems.count, sentences);
		assert_null(trial.plan.intact_guard);
		assert_true(trial.plan.anything_present);
		trial_end(&trial);
	}
}

/* What holds the same addresses is the same set. */
static void elements_may_be_cut_otherwise(void **state)
{
	struct bound *bound;
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	bound = bounds_of_clients(&trial.present, 3);
	bound[2] = (struct bound){ address_of("10.20.0.128"), false };
	bound[3] = (struct bound){ address_of("10.20.0.128"), true };
	bound[4] = (struct bound){ address_of("0.0.0.0"), true };
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	assert_int_equal(trial.plan.problems.count, 0);
	trial_end(&trial);
}

/* It was not read, and was complete when it was. */
static void a_guard_that_is_unchanged_is_intact(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("other-names"));
	drop_table(&trial.present);
	trial.present.guard.exists = trial.present.guard.unchanged = true;
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	assert_ptr_equal(trial.plan.intact_guard, &trial.example.wanted.guard);
	trial_end(&trial);
}

static void counters_are_no_difference(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	forward(&trial.present)->rule[0].packets = 7;
	forward(&trial.present)->rule[0].handle = 4711;
	trial_install(&trial);
	check_steps(&trial, "");
	trial_end(&trial);
}

static void a_table_that_a_process_owns_is_an_error(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	trial.present.guard.owned = true;
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	assert_int_equal(trial.report.status, EX_OSERR);
	assert_line(&trial.report.errors, "table inet ocserv_gw: it has the flag owner");
	trial_remove(&trial);
	assert_int_equal(trial.result, -1);
	trial_end(&trial);
}

static void a_table_of_somebody_else_is_left_alone(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("other-names"));
	present_drop_guard(&trial.present);
	trial.present.guard.exists = true;
	add_chain(&trial.present);
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	assert_int_equal(trial.report.status, EX_CONFIG);
	assert_line(&trial.report.errors,
		    "gateway.ini:9: [killswitch] table = site_guard: this nft table exists and is not ours, since it "
		    "has no chain from_client; choose another name, or remove it with `nft delete table inet "
		    "site_guard`");
	trial_remove(&trial);
	assert_int_equal(trial.result, -1);
	assert_line(&trial.report.errors, "this nft table exists and is not ours");
	trial_end(&trial);
}

static void a_table_of_another_name_is_ours_by_its_chain_or_emptiness(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("other-names"));
	add_chain(&trial.present);
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "load guard in place of another\n");

	present_drop_guard(&trial.present);
	trial.present.guard.exists = true;
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	trial.present.guard.others = 1;
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	trial_end(&trial);
}

static void a_table_of_the_default_name_is_ours(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	present_drop_guard(&trial.present);
	trial.present.guard.exists = true;
	add_chain(&trial.present);
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "load guard in place of another\n");
	trial_end(&trial);
}

/* Routes */

static void a_missing_route_is_added(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	present_drop_route(&trial.present, 0);
	trial_install(&trial);
	check_steps(&trial, "add IPv4 " DEFAULT_ROUTE "\n");
	assert_line(&trial.plan.problems, "IPv4 route `" DEFAULT_ROUTE "` is missing");
	assert_true(trial.plan.anything_present);
	trial_end(&trial);
}

static void an_altered_route_is_replaced_without_the_old_way(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	trial.present.route[0].gateway = address_of("172.28.0.99");
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 default via 172.28.0.99 dev eth0 table 100\n"
		    "add IPv4 " DEFAULT_ROUTE "\n");
	assert_line(&trial.plan.problems,
		    "IPv4 route `default via 172.28.0.99 dev eth0 table 100` does not belong there");
	assert_line(&trial.plan.problems, "IPv4 route `" DEFAULT_ROUTE "` is missing");
	trial_end(&trial);
}

/* A route by another interface has no next hop either. */
static void a_link_is_its_interface_alone(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("link"));
	trial.present.route[0].interface = 9;
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial,
		    "remove IPv4 default dev wg0 table 100\n"
		    "add IPv4 default dev wg0 table 100\n");
	/* Where it is not there, no route serves. */
	trial.example.wanted.route[0].interface = 0;
	trial_install(&trial);
	check_steps(&trial, "remove IPv4 default dev wg0 table 100\n");
	trial_end(&trial);
}

static void what_leads_past_a_link_is_a_conflict(void **state)
{
	struct trial trial;
	struct route foreign;

	(void)state;
	trial_begin(&trial, case_text("link"));
	foreign = trial.present.route[0];
	foreign.protocol = 4;
	foreign.destination_length = 1;
	present_add_route(&trial.present, &foreign);
	trial_install(&trial);
	assert_int_equal(trial.result, 0);	/* goes the same way */
	trial.present.route[2].interface = 9;
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	assert_line(&trial.report.errors, "takes clients' packets past the gateway");
	trial.present.route[2].interface = trial.example.wanted.route[0].interface;
	trial.example.wanted.route[0].interface = 0;
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	trial_end(&trial);
}

static void routes_of_ours_that_are_not_wanted_are_removed(void **state)
{
	struct route more[] = {
		a_route("172.28.0.2", 100), a_route("172.28.0.2", 100), a_route("172.28.0.2", 100),
		a_route("172.28.0.2", 100), a_route("172.28.0.2", 100),
	};
	struct trial trial;

	(void)state;
	more[0].metric = 50;
	more[1].destination = address_of("10.0.0.0");
	more[1].destination_length = 8;
	more[2].interface = 7;
	strcpy(more[2].interface_name, "eth7");
	more[3].type = RTN_PROHIBIT;
	more[4].other = (char *)"several next hops";
	trial_begin(&trial, case_text("seed"));
	for (size_t i = 0; i < COUNT(more); i++)
		present_add_route(&trial.present, &more[i]);
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 " DEFAULT_ROUTE " metric 50\n"
		    "remove IPv4 10.0.0.0/8 via 172.28.0.2 dev eth0 table 100\n"
		    "remove IPv4 default via 172.28.0.2 dev eth7 table 100\n"
		    "remove IPv4 prohibit " DEFAULT_ROUTE "\n"
		    "remove IPv4 " DEFAULT_ROUTE "\n");
	assert_line(&trial.plan.problems,
		    "IPv4 route `" DEFAULT_ROUTE "` with several next hops does not belong there");
	trial_end(&trial);
}

static void an_equal_others_route_serves_whatever_its_metric(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	trial.present.route[0].protocol = RTPROT_STATIC;
	trial.present.route[0].metric = 77;
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	trial_remove(&trial);
	for (size_t i = 0; i < trial.plan.steps; i++)
		assert_null(trial.plan.step[i].route);
	trial_end(&trial);
}

static void another_default_route_in_our_table_is_a_conflict(void **state)
{
	struct route foreign = a_route("172.28.0.99", 100);
	struct trial trial;

	(void)state;
	foreign.protocol = RTPROT_BOOT;
	foreign.metric = 5;
	trial_begin(&trial, case_text("seed"));
	present_drop_route(&trial.present, 0);
	present_add_route(&trial.present, &foreign);
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	assert_int_equal(trial.report.status, EX_CONFIG);
	assert_line(&trial.report.errors,
		    "[gateway] table = 100: this routing table already has another default route: "
		    "`ip -4 route show table 100` has `default via 172.28.0.99 dev eth0 table 100 metric 5` "
		    "(protocol 3); remove it, or choose another table");
	trial_end(&trial);
}

/* To 192.0.2.0/24. */
static struct route a_longer_route(const char *gateway)
{
	struct route route = a_route(gateway, 100);

	route.destination = address_of("192.0.2.0");
	route.destination_length = 24;
	route.protocol = RTPROT_STATIC;
	return route;
}

static struct route a_longer_route6(const char *gateway)
{
	struct route route = a_longer_route("172.28.0.99");

	route.family = AF_INET6;
	route.destination = address_of("2001:db8::");
	route.destination_length = 32;
	route.gateway = address_of(gateway);
	route.interface = 3;
	route.metric = ROUTE_METRIC_IPV6;
	return route;
}

static int install_beside(const struct route *foreign, const char *name, const char *error)
{
	struct trial trial;
	int result;

	trial_begin(&trial, case_text(name));
	present_add_route(&trial.present, foreign);
	trial_install(&trial);
	result = trial.result;
	if (result < 0)
		assert_line(&trial.report.errors, error);
	else
		check_steps(&trial, "");
	assert_int_equal(trial.plan.conflicts, result < 0);
	trial_end(&trial);
	return result;
}

static void a_others_route_past_the_gateway_in_our_table_is_a_conflict(void **state)
{
	struct route foreign[9];

	(void)state;
	for (size_t i = 0; i < COUNT(foreign); i++)
		foreign[i] = a_longer_route("172.28.0.99");
	foreign[1] = a_longer_route("172.28.0.2");
	foreign[1].interface = 3;
	foreign[2].gateway = (struct address){ 0 };
	foreign[3].destination = address_of("128.0.0.0");
	foreign[3].destination_length = 1;
	foreign[4].tos = 0x10;
	foreign[5] = a_longer_route("172.28.0.2");
	foreign[5].indirect = true;
	foreign[5].other = (char *)"an encapsulation";
	foreign[6].type = RTN_LOCAL;
	foreign[7] = a_longer_route6("fd28::9");
	foreign[8] = a_longer_route6("fd28::9");
	foreign[8].source = prefix_of("fd20:aaaa:bbbb:1::50/128");
	for (size_t i = 0; i < COUNT(foreign); i++)
		assert_int_equal(install_beside(&foreign[i], "both-families", "[gateway] table = 100: this routing table has another program's "
						"route, which takes clients' packets past the gateway: `ip -"), -1);
	install_beside(&foreign[0], "both-families", "`ip -4 route show table 100` has `192.0.2.0/24 via 172.28.0.99 dev eth0 table "
		       "100` (protocol 4); remove it, or choose another table");
	install_beside(&foreign[5], "both-families", "via 172.28.0.2 dev eth0 table 100 with an encapsulation` (protocol 4)");
}

static void other_others_routes_are_left_alone(void **state)
{
	static const uint8_t types[] = { RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW };
	struct route foreign[COUNT(types) + 6];

	(void)state;
	for (size_t i = 0; i < COUNT(types); i++) {
		foreign[i] = a_longer_route("172.28.0.99");
		foreign[i].type = types[i];
	}
	foreign[4] = a_route("172.28.0.99", 101);
	foreign[4].protocol = RTPROT_STATIC;
	foreign[5] = a_longer_route("172.28.0.2");
	foreign[6] = a_longer_route("172.28.0.2");
	foreign[6].other = (char *)"metrics";
	foreign[7] = a_longer_route6("fd28::2");
	foreign[8] = a_longer_route6("fd28::9");
	foreign[8].source = prefix_of("2001:db8:1::/48");
	foreign[9] = foreign[8];
	foreign[9].destination = address_of("::");
	foreign[9].destination_length = 0;
	for (size_t i = 0; i < COUNT(foreign); i++)
		assert_int_equal(install_beside(&foreign[i], "both-families", ""), 0);
}

static void others_routes_of_a_family_without_a_gateway_are_left_alone(void **state)
{
	struct route foreign = a_longer_route6("fd28::9");

	(void)state;
	assert_int_equal(install_beside(&foreign, "seed", ""), 0);
	assert_int_equal(install_beside(&foreign, "direct6", ""), 0);
}

/* The kernel's own rule for what is for this host itself, at another place or gone; for IPv6 it stays. */
static int install_with_local_rule(const char *name, uint32_t priority, const char *selector)
{
	struct trial trial;
	struct rule local;
	int result;

	trial_begin(&trial, case_text(name));
	local = trial.present.rule[0];
	assert_int_equal(local.table, RT_TABLE_LOCAL);
	present_drop_rule(&trial.present, 0);
	local.priority = priority;
	if (selector)
		strcpy(local.incoming, selector);
	if (priority)
		present_add_rule(&trial.present, &local);
	trial_install(&trial);
	result = trial.result;
	if (result < 0)
		assert_line(&trial.report.errors, "[killswitch] forward_others = no: no IPv4 policy rule before priority 999 looks "
			    "up table local, so this host would drop what is sent to itself, and lose its network; "
			    "ip -4 rule add priority 998 lookup local");
	assert_true(plan_lacks_local(&trial.example.config, &trial.example.wanted, &trial.present, IPV4) ==
		    (priority == 0 || priority >= 999 || selector));
	assert_false(plan_lacks_local(&trial.example.config, &trial.example.wanted, &trial.present, IPV6));
	trial_end(&trial);
	return result;
}

static void a_host_that_would_lose_its_network_is_a_conflict(void **state)
{
	(void)state;
	assert_int_equal(install_with_local_rule("no-others", 0, NULL), -1);
	assert_int_equal(install_with_local_rule("no-others", 32765, NULL), -1);
	assert_int_equal(install_with_local_rule("no-others", 1000, NULL), -1);
	assert_int_equal(install_with_local_rule("no-others", 999, NULL), -1);
	assert_int_equal(install_with_local_rule("no-others", 1, "eth7"), -1);
	assert_int_equal(install_with_local_rule("no-others", 998, NULL), 0);
	assert_int_equal(install_with_local_rule("no-others", 1, NULL), 0);
	assert_int_equal(install_with_local_rule("seed", 32765, NULL), 0);
}

static void a_host_that_would_lose_its_network_is_found_before_the_first_rule(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("no-others"));
	present_free(&trial.present);
	present_fresh(&trial.present);
	trial.present.rule[0].priority = 1001;
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	assert_int_equal(trial.plan.conflicts, 1);
	trial_end(&trial);
}

/* Whether a rule of others that is added to what we have counts as one before ours; where @first, it was there before. */
static bool bypasses(const struct rule *foreign, bool first)
{
	struct present present;
	struct example example;
	size_t index = 0;
	bool result;

	example_make(&example, case_text("no-others"));
	present_fresh(&present);
	if (first)
		present_add_rule(&present, foreign);
	for (size_t i = 0; i < example.wanted.rules; i++)
		present_add_rule(&present, &example.wanted.rule[i]);
	if (!first)
		present_add_rule(&present, foreign);
	while (!rule_equal(&present.rule[index], foreign))
		index++;
	result = bypass_rule(&example.config, &example.wanted, &present, index);
	for (size_t i = 0; i < present.rules; i++)
		if (i != index)
			assert_false(bypass_rule(&example.config, &example.wanted, &present, i));
	present_free(&present);
	example_free(&example);
	return result;
}

static struct rule a_others_rule(uint32_t priority, uint8_t action, uint32_t table)
{
	return (struct rule){
		.family = AF_INET, .priority = priority, .action = action, .table = table, .suppress_prefixlength = -1,
	};
}

/* The kernel keeps rules of one priority in the order in which they were added. */
static void a_rule_of_others_counts_until_the_last_of_ours(void **state)
{
	static const struct { uint32_t priority; bool when_first, when_last; } cases[] = {
		{ 500, true, true }, { 998, true, true }, { 999, true, true }, { 1000, true, true }, { 1001, true, false },
		{ 1002, false, false }, { 32766, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule rule = a_others_rule(cases[i].priority, FR_ACT_TO_TBL, 200);

		assert_int_equal(bypasses(&rule, true), cases[i].when_first);
		assert_int_equal(bypasses(&rule, false), cases[i].when_last);
		rule.family = AF_INET6;
		assert_int_equal(bypasses(&rule, true), cases[i].when_first);
		assert_int_equal(bypasses(&rule, false), cases[i].when_last);
	}
}

static void a_rule_of_others_counts_where_it_takes_a_client(void **state)
{
	static const struct { uint8_t action; uint32_t table; int suppressed; uint32_t priority; bool counts; } cases[] = {
		{ FR_ACT_NOP, 0, -1, 500, false },
		{ FR_ACT_TO_TBL, RT_TABLE_LOCAL, -1, 500, false },
		{ FR_ACT_TO_TBL, RT_TABLE_MAIN, -1, 1001, true },
		{ FR_ACT_TO_TBL, RT_TABLE_MAIN, 0, 500, true },
		{ FR_ACT_TO_TBL, RT_TABLE_MAIN, 31, 500, true },
		{ FR_ACT_TO_TBL, RT_TABLE_MAIN, 32, 500, false },
		{ FR_ACT_BLACKHOLE, 0, -1, 500, true },
		{ FR_ACT_PROHIBIT, 0, -1, 1001, false },
		{ FR_ACT_UNREACHABLE, 0, -1, 1001, false },
		{ FR_ACT_GOTO, 32766, -1, 500, true },
		{ FR_ACT_GOTO, 32766, -1, 1001, true },
		{ FR_ACT_GOTO, 1000, -1, 500, true },
		{ FR_ACT_GOTO, 1001, -1, 1000, true },
		{ FR_ACT_GOTO, 999, -1, 500, false },
		{ FR_ACT_GOTO, 5000, -1, 500, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule rule = a_others_rule(cases[i].priority, cases[i].action, cases[i].table);

		rule.suppress_prefixlength = cases[i].suppressed;
		assert_int_equal(bypasses(&rule, true), cases[i].counts);
	}
}

static void a_rule_of_others_counts_where_it_matches_a_client(void **state)
{
	static const struct { const char *source, *destination, *incoming; bool inverted, local_only, counts; } cases[] = {
		{ NULL, NULL, "", false, false, true },
		{ "10.20.0.128/25", NULL, "", false, false, true },
		{ "10.22.0.0/24", NULL, "", false, false, false },
		{ "10.22.0.0/24", NULL, "", true, false, true },
		{ NULL, "198.51.100.0/24", "", false, false, true },
		{ "198.51.100.0/24", "10.20.0.0/24", "", false, false, true },
		{ "198.51.100.0/24", "10.22.0.0/24", "", false, false, false },
		{ NULL, NULL, "vpns7", false, false, true },
		{ NULL, NULL, "eth7", false, false, false },
		{ NULL, NULL, "lo", false, false, false },
		{ NULL, NULL, "eth0", false, false, true },
		{ NULL, "10.20.0.0/16", "eth0", false, false, true },
		{ NULL, "10.22.0.0/16", "eth0", false, false, false },
		{ NULL, "10.20.0.0/16", "eth7", false, false, false },
		{ NULL, NULL, "", false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule rule = a_others_rule(500, FR_ACT_TO_TBL, 200);

		if (cases[i].source)
			rule.source = prefix_of(cases[i].source);
		if (cases[i].destination)
			rule.destination = prefix_of(cases[i].destination);
		strcpy(rule.incoming, cases[i].incoming);
		rule.inverted = cases[i].inverted;
		rule.local_only = cases[i].local_only;
		if (bypasses(&rule, true) != cases[i].counts)
			fail_msg("case %zu", i);
	}
}

/* Policy rules */

static void a_missing_rule_is_added(void **state)
{
	static const struct { const char *rule, *family; } cases[] = {
		{ LOCAL_RULE, "4" }, { GATEWAY_RULE, "4" }, { NOBODY_RULE, "4" }, { LOCAL_RULE6, "6" },
		{ NOBODY_RULE6, "6" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text step CLEANUP(text_free) = { 0 }, sentence CLEANUP(text_free) = { 0 };
		struct trial trial;

		trial_begin(&trial, case_text("seed"));
		present_drop_rule(&trial.present, find_rule(&trial.present, cases[i].rule));
		trial_install(&trial);
		text_add(&step, "add IPv%s %s\n", cases[i].family, cases[i].rule);
		check_steps(&trial, text_string(&step));
		text_add(&sentence, "IPv%s policy rule `%s` is missing", cases[i].family, cases[i].rule);
		assert_line(&trial.plan.problems, text_string(&sentence));
		assert_int_equal(trial.plan.problems.count, 1);
		trial_end(&trial);
	}
}

/* A rule is added behind those of its priority, so what is to come behind it is made anew. */
static void a_rule_missing_before_another_of_its_priority_comes_before_it_again(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	present_drop_rule(&trial.present, find_rule(&trial.present, STOP_RULE));
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 " NOBODY_RULE "\n"
		    "add IPv4 " STOP_RULE "\n"
		    "add IPv4 " NOBODY_RULE "\n");
	trial_end(&trial);
}

static void rules_in_another_order_are_put_in_order(void **state)
{
	struct rule *first, *second, kept;
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	first = rule_of(&trial.present, STOP_RULE);
	second = rule_of(&trial.present, NOBODY_RULE);
	kept = *first;
	*first = *second;
	*second = kept;
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 " NOBODY_RULE "\n"
		    "add IPv4 " NOBODY_RULE "\n");
	assert_line(&trial.plan.problems,
		    "IPv4 policy rule `" NOBODY_RULE "` does not belong there, or not in this order");
	trial_end(&trial);
}

static void a_rule_that_is_there_twice_is_made_anew(void **state)
{
	struct trial trial;
	struct rule copy;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	copy = *rule_of(&trial.present, GATEWAY_RULE);
	present_add_rule(&trial.present, &copy);
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 " GATEWAY_RULE "\n"
		    "remove IPv4 " GATEWAY_RULE "\n"
		    "add IPv4 " GATEWAY_RULE "\n");
	trial_end(&trial);
}

static void an_altered_rule_is_replaced(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	rule_of(&trial.present, GATEWAY_RULE)->table = RT_TABLE_MAIN;
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 priority 1000 from 10.20.0.0/24 lookup main\n"
		    "add IPv4 " GATEWAY_RULE "\n");
	trial_end(&trial);
}

/* The kernel removes the first rule that has all that is named: what names more goes first. */
static void extra_rules_of_ours_are_removed_with_most_selectors_first(void **state)
{
	struct rule more[] = {
		a_rule(1000, "10.20.0.0/24", 100), a_rule(1000, "10.20.0.0/25", 100), a_rule(1, "10.20.0.0/24", 7),
	};
	struct trial trial;

	(void)state;
	more[0].other = (char *)"fwmark 0x1/0xffffffff";
	more[2].destination = prefix_of("10.0.0.0/8");
	trial_begin(&trial, case_text("seed"));
	for (size_t i = 0; i < COUNT(more); i++)
		present_add_rule(&trial.present, &more[i]);
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial,
		    "remove IPv4 priority 1000 from 10.20.0.0/24 fwmark 0x1/0xffffffff lookup 100\n"
		    "remove IPv4 priority 1000 from 10.20.0.0/25 lookup 100\n"
		    "remove IPv4 priority 1 from 10.20.0.0/24 to 10.0.0.0/8 lookup 7\n");
	trial_end(&trial);
}

/* Asked to remove "from all lookup 100" the kernel takes the rule of the gateway, which comes before it. */
static void a_rule_that_a_removal_would_take_is_made_anew(void **state)
{
	struct rule extra = a_rule(1000, "10.20.0.0/24", 100);
	struct trial trial;

	(void)state;
	extra.source = (struct prefix){ .length = 0 };
	trial_begin(&trial, case_text("seed"));
	present_add_rule(&trial.present, &extra);
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 " GATEWAY_RULE "\n"
		    "remove IPv4 priority 1000 from all lookup 100\n"
		    "add IPv4 " GATEWAY_RULE "\n");
	trial_end(&trial);
}

static void an_equal_others_rule_serves_and_stays(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	rule_of(&trial.present, GATEWAY_RULE)->protocol = RTPROT_BOOT;
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	trial_remove(&trial);
	for (size_t i = 0; i < trial.plan.steps; i++)
		assert_false(permits(&trial, &trial.plan.step[i]));
	trial_end(&trial);
}

static void ours_is_kept_beside_an_equal_others_rule(void **state)
{
	struct trial trial;
	struct rule copy;

	(void)state;
	for (int ours_first = 0; ours_first < 2; ours_first++) {
		trial_begin(&trial, case_text("seed"));
		copy = *rule_of(&trial.present, GATEWAY_RULE);
		copy.protocol = ours_first ? RTPROT_STATIC : ROUTING_PROTOCOL;
		rule_of(&trial.present, GATEWAY_RULE)->protocol = ours_first ? ROUTING_PROTOCOL : RTPROT_STATIC;
		present_add_rule(&trial.present, &copy);
		trial_install(&trial);
		assert_int_equal(trial.result, 0);
		check_steps(&trial, "");
		trial_end(&trial);
	}
}

static void a_others_rule_with_our_selector_and_priority_is_a_conflict(void **state)
{
	struct rule foreign[] = {
		a_rule(1000, "10.20.0.0/24", 7), a_rule(1001, "10.20.0.0/24", 7), a_rule(1000, "10.20.0.0/24", 7),
		a_rule(1000, "10.20.0.0/24", 100),
	};
	static const char *const texts[] = {
		"`priority 1000 from 10.20.0.0/24 lookup 7`",
		"`priority 1001 from 10.20.0.0/24 unreachable`",
		"`priority 1000 not from 10.20.0.0/24 lookup 7`",
		"`priority 1000 from 10.20.0.0/24 iif eth7 lookup 100`",
	};

	(void)state;
	foreign[1].action = FR_ACT_UNREACHABLE;
	foreign[2].inverted = foreign[2].shadows = true;
	strcpy(foreign[3].incoming, "eth7");
	for (size_t i = 0; i < COUNT(foreign); i++) {
		struct trial trial;

		foreign[i].protocol = RTPROT_BOOT;
		trial_begin(&trial, case_text("seed"));
		present_add_rule(&trial.present, &foreign[i]);
		trial_install(&trial);
		assert_int_equal(trial.result, -1);
		assert_int_equal(trial.report.status, EX_CONFIG);
		assert_line(&trial.report.errors,
			    "[gateway] priority = 1000: another IPv4 policy rule for clients already has one of our priorities");
		assert_line(&trial.report.errors, texts[i]);
		assert_line(&trial.report.errors, "(protocol 3); remove it, or choose another priority");
		trial_end(&trial);
	}
}

static struct rule an_others_rule(uint8_t protocol)
{
	struct rule rule = {
		.family = AF_INET, .priority = 1001, .incoming = "lo", .inverted = true, .action = FR_ACT_BLACKHOLE,
		.suppress_prefixlength = -1, .protocol = protocol, .shadows = true,
	};

	return rule;
}

/* With forward_others = no: the first three are in the way, the others are not. */
static void a_others_rule_about_others_is_a_conflict_where_it_selects_the_same(void **state)
{
	static const char *const texts[] = {
		"`priority 1001 not from all iif lo prohibit`",
		"`priority 1001 from all iif lo blackhole`",
		"`priority 1001 not from all iif lo tos 0x10 blackhole`",
		NULL, NULL, NULL, NULL,
	};
	struct rule foreign[7];

	(void)state;
	for (size_t i = 0; i < COUNT(foreign); i++)
		foreign[i] = an_others_rule(RTPROT_STATIC);
	foreign[0].action = FR_ACT_PROHIBIT;
	foreign[1].inverted = foreign[1].shadows = false;
	foreign[2].other = (char *)"tos 0x10";
	foreign[3] = foreign[1];
	foreign[3].action = FR_ACT_TO_TBL;
	foreign[3].table = 7;
	strcpy(foreign[4].incoming, "eth7");
	foreign[5] = foreign[4];
	foreign[5].inverted = foreign[5].shadows = false;
	foreign[6].priority = 1000;
	for (size_t i = 0; i < COUNT(foreign); i++) {
		struct trial trial;

		trial_begin(&trial, case_text("no-others"));
		present_add_rule(&trial.present, &foreign[i]);
		trial_install(&trial);
		assert_int_equal(trial.result, texts[i] ? -1 : 0);
		if (texts[i])
			assert_line(&trial.report.errors, texts[i]);
		else
			check_steps(&trial, "");
		trial_end(&trial);
	}
}

static void a_rule_about_others_is_made_anew_behind_its_neighbours(void **state)
{
	struct trial trial;

	(void)state;
	trial_begin(&trial, case_text("no-others"));
	present_drop_rule(&trial.present, find_rule(&trial.present, NOBODY_RULE));
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 " OTHERS_RULE "\n"
		    "remove IPv4 priority 1001 from all to 10.21.0.0/16 blackhole\n"
		    "remove IPv4 priority 1001 from 10.21.0.0/16 prohibit\n"
		    "add IPv4 " NOBODY_RULE "\n"
		    "add IPv4 priority 1001 from 10.21.0.0/16 prohibit\n"
		    "add IPv4 priority 1001 from all to 10.21.0.0/16 blackhole\n"
		    "add IPv4 " OTHERS_RULE "\n");
	trial_end(&trial);
}

/* The kernel does not look at `not`, and takes any rule with all that is named for the one that is to go. */
static void a_removal_does_not_take_the_rule_about_others(void **state)
{
	struct rule extra[] = {
		an_others_rule(ROUTING_PROTOCOL), an_others_rule(ROUTING_PROTOCOL), an_others_rule(ROUTING_PROTOCOL),
		an_others_rule(ROUTING_PROTOCOL), an_others_rule(ROUTING_PROTOCOL),
	};
	static const struct { const char *rule; bool takes; } cases[] = {
		{ "priority 1001 from all iif lo blackhole", true },
		{ "priority 1001 from all blackhole", true },
		{ "priority 1001 from all iif eth7 blackhole", false },
		{ "priority 1001 from 10.99.0.0/16 iif lo blackhole", false },
		{ "priority 1001 from all iif lo fwmark 0x1/0xff blackhole", false },
	};

	(void)state;
	extra[0].inverted = false;
	extra[1].inverted = false;
	extra[1].incoming[0] = '\0';
	extra[2].inverted = false;
	strcpy(extra[2].incoming, "eth7");
	extra[3].inverted = false;
	extra[3].source = prefix_of("10.99.0.0/16");
	extra[4].inverted = false;
	extra[4].other = (char *)"fwmark 0x1/0xff";
	for (size_t i = 0; i < COUNT(extra); i++) {
		struct text line CLEANUP(text_free) = { 0 };
		struct trial trial;
		bool taken = false;

		trial_begin(&trial, case_text("no-others"));
		present_add_rule(&trial.present, &extra[i]);
		trial_install(&trial);
		text_add(&line, "IPv4 policy rule `%s` does not belong there", cases[i].rule);
		assert_line(&trial.plan.problems, text_string(&line));
		for (size_t j = 0; j < trial.plan.steps; j++)
			taken = taken || (trial.plan.step[j].kind == STEP_RULE_REMOVE &&
					  rule_equal(trial.plan.step[j].rule, rule_of(&trial.present, OTHERS_RULE)));
		assert_int_equal(taken, cases[i].takes);
		trial_end(&trial);
	}
}

static void other_others_rules_are_left_alone(void **state)
{
	struct rule foreign[] = {
		a_rule(1000, "10.99.0.0/24", 7), a_rule(1000, "10.20.0.0/25", 7), a_rule(998, "10.20.0.0/24", 7),
		a_rule(1002, "10.20.0.0/24", 7), a_rule(1000, "10.20.0.0/24", 7), a_rule(1, "10.20.0.0/24", 100),
		a_rule(1000, "10.20.0.0/24", 100), a_rule(1000, "10.20.0.0/24", 7),
	};
	struct trial trial;

	(void)state;
	strcpy(foreign[7].incoming, "eth7");
	foreign[4].other = (char *)"fwmark 0x1/0xffffffff";
	foreign[6].destination = prefix_of("192.0.2.0/24");
	trial_begin(&trial, case_text("seed"));
	for (size_t i = 0; i < COUNT(foreign); i++) {
		foreign[i].protocol = RTPROT_STATIC;
		present_add_rule(&trial.present, &foreign[i]);
	}
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	trial_remove(&trial);
	for (size_t i = 0; i < trial.plan.steps; i++)
		assert_true(!trial.plan.step[i].rule || trial.plan.step[i].rule->protocol == ROUTING_PROTOCOL);
	trial_end(&trial);
}

/* Ownership */

/* What an earlier configuration installed, under the one of "seed". */
static void check_leftovers(const char *before, const char *steps)
{
	struct trial earlier, trial;

	trial_begin(&earlier, before);
	trial_begin(&trial, case_text("seed"));
	present_free(&trial.present);
	trial.present = earlier.present;
	earlier.present = (struct present){ 0 };
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, steps);
	trial_end(&trial);
	trial_end(&earlier);
}

#define SEED "[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n[gateway]\naddress4 = 172.28.0.2\n"

static void leftovers_of_another_priority_are_found(void **state)
{
	(void)state;
	check_leftovers(SEED "priority = 3000\n",
			"add IPv4 " LOCAL_RULE "\n"
			"add IPv4 " STOP_RULE "\n"
			"add IPv4 " NOBODY_RULE "\n"
			"add IPv4 " GATEWAY_RULE "\n"
			"add IPv6 " LOCAL_RULE6 "\n"
			"add IPv6 " STOP_RULE6 "\n"
			"add IPv6 " NOBODY_RULE6 "\n"
			"remove IPv6 priority 2999 from all to fd20::/64 lookup main suppress_prefixlength 64\n"
			"remove IPv4 priority 2999 from all to 10.20.0.0/24 lookup main suppress_prefixlength 24\n"
			"remove IPv6 priority 3001 from all to fd20::/64 blackhole\n"
			"remove IPv6 priority 3001 from fd20::/64 prohibit\n"
			"remove IPv4 priority 3001 from all to 10.20.0.0/24 blackhole\n"
			"remove IPv4 priority 3001 from 10.20.0.0/24 prohibit\n"
			"remove IPv4 priority 3000 from 10.20.0.0/24 lookup 100\n");
}

static void leftovers_of_another_table_are_found(void **state)
{
	(void)state;
	check_leftovers(SEED "table = 200\n",
			"remove IPv4 default via 172.28.0.2 dev eth0 table 200\n"
			"add IPv4 " DEFAULT_ROUTE "\n"
			"remove IPv4 priority 1000 from 10.20.0.0/24 lookup 200\n"
			"add IPv4 " GATEWAY_RULE "\n");
}

static void leftovers_of_another_subnet_are_found(void **state)
{
	struct trial trial;
	struct rule old[] = {
		a_rule(4000, "10.77.0.0/24", 100),	/* our table */
		a_rule(1001, "10.77.0.0/24", 0),	/* our priority */
		a_rule(3999, "10.77.0.0/24", RT_TABLE_MAIN),	/* about the addresses of the others */
	};

	(void)state;
	old[1].action = FR_ACT_PROHIBIT;
	old[2].destination = old[2].source;
	old[2].source = (struct prefix){ .length = 0 };
	trial_begin(&trial, case_text("seed"));
	for (size_t i = 0; i < COUNT(old); i++)
		present_add_rule(&trial.present, &old[i]);
	trial_install(&trial);
	check_steps(&trial,
		    "remove IPv4 priority 1001 from 10.77.0.0/24 prohibit\n"
		    "remove IPv4 priority 4000 from 10.77.0.0/24 lookup 100\n"
		    "remove IPv4 priority 3999 from all to 10.77.0.0/24 lookup main\n");
	trial_end(&trial);
}

static void check_another_server(const char *more)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct trial other, trial;

	text_add(&text, "[clients]\nsubnet4 = 10.99.0.0/24\nsubnet6 = fd99::/64\n"
			"[gateway]\naddress4 = 172.28.0.9\naddress6 = fd28::9\ntable = 500\n"
			"priority = 5000\n%s", more);
	trial_begin(&other, text_string(&text));
	trial_begin(&trial, case_text("both-families"));
	for (size_t i = 0; i < other.example.wanted.rules; i++)
		present_add_rule(&trial.present, &other.example.wanted.rule[i]);
	for (size_t i = 0; i < other.example.wanted.routes; i++)
		present_add_route(&trial.present, &other.example.wanted.route[i]);
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	trial_remove(&trial);
	assert_int_equal(trial.plan.steps, trial.example.wanted.rules + trial.example.wanted.routes + 1);
	trial_end(&trial);
	trial_end(&other);
}

static void another_server_of_ours_is_left_alone(void **state)
{
	(void)state;
	check_another_server("");
	check_another_server("[killswitch]\nforward_others = no\n");
}

static void rules_are_ours_by_priority_table_or_subnet(void **state)
{
	const struct { struct rule rule; bool owned; } cases[] = {
		{ a_rule(999, "10.99.0.0/24", 7), true }, { a_rule(1000, "10.99.0.0/24", 7), true },
		{ a_rule(1001, "10.99.0.0/24", 7), true }, { a_rule(998, "10.99.0.0/24", 7), false },
		{ a_rule(1002, "10.99.0.0/24", 7), false }, { a_rule(UINT32_MAX, "10.99.0.0/24", 7), false },
		{ a_rule(5000, "10.99.0.0/24", 100), true }, { a_rule(5000, "10.99.0.0/24", 101), false },
		{ a_rule(5000, "10.20.0.0/24", 7), true }, { a_rule(5000, "10.20.0.128/25", 7), true },
		{ a_rule(5000, "10.0.0.0/8", 7), true }, { a_rule(5000, "fd20::7/128", 7), true },
		{ a_rule(5000, "fd21::/64", 7), false },
	};
	struct example example;

	(void)state;
	example_make(&example, case_text("seed"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rule rule = cases[i].rule;
		bool owned;

		plan_find_owned(&example.config, &rule, 1, &owned);
		if (owned != cases[i].owned)
			fail_msg("case %zu", i);
		rule.destination = rule.source;
		rule.source = (struct prefix){ .length = 0 };
		plan_find_owned(&example.config, &rule, 1, &owned);
		if (owned != cases[i].owned)
			fail_msg("case %zu, as destination", i);
		rule.protocol = RTPROT_STATIC;
		plan_find_owned(&example.config, &rule, 1, &owned);
		assert_false(owned);
	}
	example_free(&example);
}

#define NO_OTHERS "[killswitch]\nforward_others = no\n"

static void leftovers_of_a_rule_about_others_are_found(void **state)
{
	struct trial trial;
	struct rule old;

	(void)state;
	check_leftovers(SEED NO_OTHERS, "remove IPv4 " OTHERS_RULE "\nremove IPv6 " OTHERS_RULE "\n");
	check_leftovers(SEED "priority = 3000\n" NO_OTHERS,
			"add IPv4 " LOCAL_RULE "\n"
			"add IPv4 " STOP_RULE "\n"
			"add IPv4 " NOBODY_RULE "\n"
			"add IPv4 " GATEWAY_RULE "\n"
			"add IPv6 " LOCAL_RULE6 "\n"
			"add IPv6 " STOP_RULE6 "\n"
			"add IPv6 " NOBODY_RULE6 "\n"
			"remove IPv6 priority 2999 from all to fd20::/64 lookup main suppress_prefixlength 64\n"
			"remove IPv4 priority 2999 from all to 10.20.0.0/24 lookup main suppress_prefixlength 24\n"
			"remove IPv6 priority 3001 not from all iif lo blackhole\n"
			"remove IPv6 priority 3001 from all to fd20::/64 blackhole\n"
			"remove IPv6 priority 3001 from fd20::/64 prohibit\n"
			"remove IPv4 priority 3001 not from all iif lo blackhole\n"
			"remove IPv4 priority 3001 from all to 10.20.0.0/24 blackhole\n"
			"remove IPv4 priority 3001 from 10.20.0.0/24 prohibit\n"
			"remove IPv4 priority 3000 from 10.20.0.0/24 lookup 100\n");

	/* In a family without subnets it belongs to those of the other. */
	trial_begin(&trial, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\npriority = 3000\n"
		    NO_OTHERS);
	trial_remove(&trial);
	assert_int_equal(trial.plan.steps, trial.example.wanted.rules + trial.example.wanted.routes + 1);
	example_free(&trial.example);
	example_make(&trial.example, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n");
	trial_remove(&trial);
	assert_int_equal(trial.plan.steps, 8);
	trial_end(&trial);

	/* One that is alone is nobody's else. */
	old = an_others_rule(ROUTING_PROTOCOL);
	old.priority = 3001;
	trial_begin(&trial, case_text("seed"));
	present_add_rule(&trial.present, &old);
	trial_install(&trial);
	check_steps(&trial, "remove IPv4 priority 3001 not from all iif lo blackhole\n");
	trial_remove(&trial);
	assert_int_equal(trial.plan.steps, trial.example.wanted.rules + trial.example.wanted.routes + 2);
	rule_of(&trial.present, "priority 3001 not from all iif lo blackhole")->protocol = RTPROT_STATIC;
	trial_install(&trial);
	check_steps(&trial, "");
	trial_end(&trial);
}

static void plain_ocserv_removes_what_is_left(void **state)
{
	struct trial earlier, trial;

	(void)state;
	trial_begin(&earlier, case_text("seed"));
	trial_begin(&trial, case_text("plain"));
	present_free(&trial.present);
	trial.present = earlier.present;
	earlier.present = (struct present){ 0 };
	trial_remove(&trial);
	assert_int_equal(trial.plan.steps, 9);
	assert_int_equal(trial.plan.step[8].kind, STEP_GUARD_REMOVE);
	trial_end(&trial);
	trial_end(&earlier);
}

/* All kinds of damage together, and the steps done */

/* A sequence that is the same in every run. */
static uint32_t next_random(void)
{
	static uint32_t number = 1;

	number = number * 1664525 + 1013904223;
	return number >> 8;
}

/* What is nobody's stays, and is no damage. */
static void add_if_ours(struct present *present, const struct config *config, const struct rule *rule)
{
	bool owned;

	plan_find_owned(config, rule, 1, &owned);
	if (owned)
		present_add_rule(present, rule);
}

static void damage_rules(struct present *present, const struct config *config)
{
	size_t place = next_random() % present->rules;
	struct rule *rule = &present->rule[place], copy = *rule;

	if (rule->protocol != ROUTING_PROTOCOL)
		return;
	copy.other = NULL;
	switch (next_random() % 10) {
	case 0:
		present_drop_rule(present, place);
		break;
	case 1:
		add_if_ours(present, config, &copy);
		break;
	case 2:
		copy.table = 7;
		add_if_ours(present, config, &copy);
		break;
	case 3:
		copy.priority += next_random() % 3;
		add_if_ours(present, config, &copy);
		break;
	case 4:
		present_drop_rule(present, place);
		add_if_ours(present, config, &copy);
		break;
	case 5:
		copy.other = (char *)"fwmark 0x1/0xff";
		add_if_ours(present, config, &copy);
		break;
	case 6:
		copy.source = (struct prefix){ .length = 0 };
		add_if_ours(present, config, &copy);
		break;
	case 7:
		copy.suppress_prefixlength = -1;
		copy.destination = (struct prefix){ .length = 0 };
		add_if_ours(present, config, &copy);
		break;
	case 8:
		copy.inverted = !copy.inverted;
		add_if_ours(present, config, &copy);
		break;
	case 9:
		strcpy(copy.incoming, copy.incoming[0] ? "" : "lo");
		add_if_ours(present, config, &copy);
		break;
	}
}

static void damage_routes(struct present *present)
{
	struct route copy;
	size_t place;

	if (present->routes == 0)
		return;
	place = next_random() % present->routes;
	copy = present->route[place];
	switch (next_random() % 3) {
	case 0:
		present_drop_route(present, place);
		break;
	case 1:
		present->route[place].interface++;
		break;
	case 2:
		copy.metric++;
		present_add_route(present, &copy);
		break;
	}
}

static void damage_guard(struct present *present)
{
	static void (*const damages[])(struct present *present) = {
		drop_table, make_dormant, add_sets, drop_chain, add_chain, drop_rule, add_others_rule, alter_rule,
		swap_rules, alter_hook, drop_set, add_set,
	};

	if (next_random() % 4 == 0)
		damages[next_random() % COUNT(damages)](present);
}

/* Whether the kernel takes @rule for what is named by the prefixes of @named, of which one that is not set is any. */
static bool prefixes_fit(const struct rule *named, const struct rule *rule)
{
	return named->family == rule->family &&
	       (!named->source.address.family || prefix_equal(&named->source, &rule->source)) &&
	       (!named->destination.address.family || prefix_equal(&named->destination, &rule->destination));
}

/* It does not look where a goto leads. */
static bool same_target(const struct rule *named, const struct rule *rule)
{
	return named->table == rule->table || named->action == FR_ACT_GOTO;
}

/* The rule that the kernel removes when asked to: the first that has all that is named. */
static size_t index_of_rule(const struct present *present, const struct rule *named)
{
	for (size_t i = 0; i < present->rules; i++) {
		const struct rule *rule = &present->rule[i];

		if (prefixes_fit(named, rule) && named->priority == rule->priority && named->action == rule->action &&
		    same_target(named, rule) && named->protocol == rule->protocol &&
		    (!named->incoming[0] || strcmp(named->incoming, rule->incoming) == 0) &&
		    (!named->other || (rule->other && strcmp(named->other, rule->other) == 0)) &&
		    (named->suppress_prefixlength < 0 || named->suppress_prefixlength == rule->suppress_prefixlength))
			return i;
	}
	fail_msg("a rule is removed that is not there");
	return 0;
}

/* The kernel refuses to add a rule that it takes for one that is there (NLM_F_EXCL). */
static void check_addition(const struct present *present, const struct rule *named)
{
	for (size_t i = 0; i < present->rules; i++) {
		const struct rule *rule = &present->rule[i];

		assert_false(prefixes_fit(named, rule) && named->priority == rule->priority &&
			     named->action == rule->action && same_target(named, rule) &&
			     (!rule->other || (named->other && strcmp(named->other, rule->other) == 0)) &&
			     strcmp(named->incoming, rule->incoming) == 0 &&
			     named->suppress_prefixlength == rule->suppress_prefixlength);
	}
}

static size_t index_of_route(const struct present *present, const struct route *route)
{
	for (size_t i = 0; i < present->routes; i++)
		if (present->route[i].protocol == ROUTING_PROTOCOL && route_equal(&present->route[i], route))
			return i;
	fail_msg("a route is removed that is not there");
	return 0;
}

/* Neighbours */

#define MAC "mac4 = 02:00:00:00:00:02\n"
#define SET_MAC "set IPv4 172.28.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent\n"
#define REMOVE_MAC "remove IPv4 172.28.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent\n"

static void a_neighbour_comes_before_the_route_and_goes_after_it(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct trial trial;
	size_t place = SIZE_MAX;

	(void)state;
	text_add(&text, "%s" MAC, case_text("both-families"));
	trial_begin(&trial, text_string(&text));
	trial_install(&trial);
	check_steps(&trial, "");
	assert_int_equal(trial.plan.intact_neighbours, 1);
	present_free(&trial.present);
	present_fresh(&trial.present);
	trial_install(&trial);
	assert_int_equal(trial.plan.step[0].kind, STEP_GUARD_LOAD);
	assert_int_equal(trial.plan.step[1].kind, STEP_NEIGHBOUR_REPLACE);
	assert_int_equal(trial.plan.step[2].kind, STEP_ROUTE_ADD);
	present_free(&trial.present);
	present_as_wanted(&trial.present, &trial.example.wanted);
	trial_remove(&trial);
	for (size_t i = 0; i < trial.plan.steps; i++) {
		assert_true(trial.plan.step[i].kind != STEP_ROUTE_REMOVE || place == SIZE_MAX);
		if (trial.plan.step[i].kind == STEP_NEIGHBOUR_REMOVE)
			place = i;
	}
	assert_int_equal(place, trial.plan.steps - 2);
	assert_int_equal(trial.plan.step[place + 1].kind, STEP_GUARD_REMOVE);
	trial_end(&trial);
}

/* The seed with a hardware address, and the neighbour of the kernel to be changed. */
static struct neighbour *begin_with_neighbour(struct trial *trial)
{
	struct text text CLEANUP(text_free) = { 0 };

	text_add(&text, "%s" MAC, case_text("seed"));
	trial_begin(trial, text_string(&text));
	assert_int_equal(trial->present.neighbours, 1);
	strcpy(trial->present.neighbour->interface_name, "eth0");
	return trial->present.neighbour;
}

static void a_neighbour_that_is_missing_or_altered_is_set(void **state)
{
	struct trial trial;
	struct neighbour *neighbour = begin_with_neighbour(&trial);

	(void)state;
	neighbour->mac.bytes[5] = 9;
	trial_install(&trial);
	check_steps(&trial, SET_MAC);
	assert_line(&trial.plan.problems, "IPv4 neighbour `172.28.0.2 lladdr 02:00:00:00:00:09 dev eth0 nud permanent` has another");
	neighbour->protocol = 0;
	neighbour->state = NUD_REACHABLE;
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, SET_MAC);
	assert_line(&trial.plan.problems, "IPv4 neighbour `172.28.0.2 lladdr 02:00:00:00:00:02 dev eth0 nud permanent` is missing");
	trial_end(&trial);
}

static void a_neighbour_of_somebody_else_serves_or_is_a_conflict(void **state)
{
	struct trial trial;
	struct neighbour *neighbour = begin_with_neighbour(&trial);

	(void)state;
	neighbour->protocol = 3;
	trial_install(&trial);
	assert_int_equal(trial.result, 0);
	check_steps(&trial, "");
	trial_remove(&trial);
	for (size_t i = 0; i < trial.plan.steps; i++)
		assert_null(trial.plan.step[i].neighbour);
	neighbour->mac.bytes[5] = 9;
	trial_install(&trial);
	assert_int_equal(trial.result, -1);
	assert_int_equal(trial.plan.conflicts, 1);
	assert_line(&trial.report.errors, "mac4 = 02:00:00:00:00:02: another program has set 02:00:00:00:00:09 as the hardware address");
	neighbour->mac.known = false;
	trial_install(&trial);
	assert_line(&trial.report.errors, "another program has set another as the hardware address");
	trial_end(&trial);
}

/* Neighbours that no key asks for any more go; those of other machines, and of somebody else, stay. */
static void what_is_left_of_neighbours_goes(void **state)
{
	static const struct { const char *address; uint8_t protocol; uint16_t state; bool goes; } cases[] = {
		{ "172.28.0.2", ROUTING_PROTOCOL, NUD_PERMANENT, true },
		{ "172.28.0.2", ROUTING_PROTOCOL, NUD_FAILED, false },
		{ "172.28.0.2", 0, NUD_PERMANENT, false },
		{ "172.28.0.9", ROUTING_PROTOCOL, NUD_PERMANENT, false },
		{ "172.28.0.77", ROUTING_PROTOCOL, NUD_PERMANENT, true },	/* the run before had it */
		{ "172.28.0.88", ROUTING_PROTOCOL, NUD_PERMANENT, true },	/* a route of ours has it */
		{ "fd28::2", ROUTING_PROTOCOL, NUD_PERMANENT, false },
	};
	struct trial trial;
	struct route route;

	(void)state;
	trial_begin(&trial, case_text("seed"));
	trial.example.wanted.former = allocate(1, sizeof(struct address));
	trial.example.wanted.former[trial.example.wanted.formers++] = address_of("172.28.0.77");
	route = trial.present.route[0];
	route.gateway = address_of("172.28.0.88");
	present_add_route(&trial.present, &route);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct step *last;

		present_set_neighbour(&trial.present, &(struct neighbour){
			.address = address_of(cases[i].address), .interface = 2, .interface_name = "eth0",
			.mac = { true, { 2, 0, 0, 0, 0, 2 } }, .protocol = cases[i].protocol, .state = cases[i].state,
		});
		trial_install(&trial);
		assert_int_equal(trial.result, 0);
		last = &trial.plan.step[trial.plan.steps - 1];
		assert_int_equal(last->kind == STEP_NEIGHBOUR_REMOVE, cases[i].goes);
		trial_remove(&trial);
		last = &trial.plan.step[trial.plan.steps - 2];
		assert_int_equal(last->kind == STEP_NEIGHBOUR_REMOVE, cases[i].goes);
		present_drop_neighbour(&trial.present, trial.present.neighbour);
	}
	trial_end(&trial);
}

static void a_neighbour_on_another_interface_goes(void **state)
{
	struct trial trial;
	struct neighbour *neighbour = begin_with_neighbour(&trial);

	(void)state;
	neighbour->interface = 3;
	trial_install(&trial);
	check_steps(&trial, SET_MAC REMOVE_MAC);
	/* Where it is not known which is the gateway's, any may be right. */
	trial.example.wanted.neighbour[0].interface = 0;
	trial_install(&trial);
	check_steps(&trial, "");
	present_drop_neighbour(&trial.present, neighbour);
	trial_install(&trial);
	check_steps(&trial, "");
	trial_end(&trial);
}

/* Does a step in @present, which is another than the one that the plan points into. */
static void do_step(struct present *present, const struct step *step)
{
	switch (step->kind) {
	case STEP_GUARD_LOAD:
		assert_int_equal(step->replace, present->guard.exists);
		present_set_guard(present, step->guard);
		break;
	case STEP_GUARD_REMOVE:
		present_drop_guard(present);
		break;
	case STEP_SESSIONS:
	case STEP_SETTING:
		break;
	case STEP_NEIGHBOUR_REPLACE:
		present_set_neighbour(present, step->neighbour);
		break;
	case STEP_NEIGHBOUR_REMOVE:
		present_drop_neighbour(present, step->neighbour);
		break;
	case STEP_ROUTE_ADD:
		present_add_route(present, step->route);
		break;
	case STEP_ROUTE_REMOVE:
		present_drop_route(present, index_of_route(present, step->route));
		break;
	case STEP_RULE_ADD:
		check_addition(present, step->rule);
		present_add_rule(present, step->rule);
		break;
	case STEP_RULE_REMOVE:
		present_drop_rule(present, index_of_rule(present, step->rule));
		break;
	}
}

/* A copy of rules and routes, without the guard. */
static void copy_routing(struct present *copy, const struct present *present)
{
	*copy = (struct present){ 0 };
	for (size_t i = 0; i < present->rules; i++)
		present_add_rule(copy, &present->rule[i]);
	for (size_t i = 0; i < present->routes; i++)
		present_add_route(copy, &present->route[i]);
}

static void do_plan(struct trial *trial)
{
	struct present after;

	copy_routing(&after, &trial->present);
	after.guard = trial->present.guard;
	trial->present.guard = (struct present_guard){ 0 };
	for (size_t i = 0; i < trial->plan.steps; i++)
		do_step(&after, &trial->plan.step[i]);
	plan_free(&trial->plan);
	present_free(&trial->present);
	trial->present = after;
}

/*
 * A rule that is made anew since a removal would take it may come behind those of its priority; then the
 * second round puts them in order. converge() does three.
 */
#define ROUNDS 1

static void any_damage_is_repaired(void **state)
{
	struct trial trial;

	trial_begin(&trial, ((const struct config_case *)*state)->text);
	for (unsigned int i = 0; i < 200 && trial.example.wanted.guard.chains > 0; i++) {
		for (uint32_t j = next_random() % 6; j > 0; j--) {
			damage_rules(&trial.present, &trial.example.config);
			damage_routes(&trial.present);
		}
		damage_guard(&trial.present);
		for (int round = 0; round < ROUNDS; round++) {
			trial_install(&trial);
			assert_int_equal(trial.plan.steps == 0, trial.plan.problems.count == 0);
			do_plan(&trial);
		}
		trial_install(&trial);
		check_steps(&trial, "");
	}
	trial_end(&trial);
}

static void any_damage_is_removed_in_one_round(void **state)
{
	struct trial trial;

	for (unsigned int i = 0; i < 20; i++) {
		trial_begin(&trial, ((const struct config_case *)*state)->text);
		for (uint32_t j = next_random() % 6; j > 0 && trial.example.wanted.guard.chains > 0; j--) {
			damage_rules(&trial.present, &trial.example.config);
			damage_routes(&trial.present);
		}
		trial_remove(&trial);
		do_plan(&trial);
		trial_remove(&trial);
		check_steps(&trial, "");
		assert_int_equal(trial.present.rules, 6);
		assert_int_equal(trial.present.routes, 0);
		assert_false(trial.present.guard.exists);
		trial_end(&trial);
	}
}

int main(void)
{
	struct CMUnitTest tests[4 * CONFIG_CASES + 52] = {
		in_directory(from_nothing_all_is_made_guard_first_gateway_last),
		in_directory(what_is_intact_is_removed_guard_last),
		in_directory(nothing_is_removed_where_nothing_is),
		in_directory(both_families_are_planned_alike),
		in_directory(every_difference_of_the_guard_is_repaired_in_one_step),
		in_directory(elements_may_be_cut_otherwise),
		in_directory(a_guard_that_is_unchanged_is_intact),
		in_directory(counters_are_no_difference),
		in_directory(a_table_that_a_process_owns_is_an_error),
		in_directory(a_table_of_somebody_else_is_left_alone),
		in_directory(a_table_of_another_name_is_ours_by_its_chain_or_emptiness),
		in_directory(a_table_of_the_default_name_is_ours),
		in_directory(a_missing_route_is_added),
		in_directory(an_altered_route_is_replaced_without_the_old_way),
		in_directory(a_link_is_its_interface_alone),
		in_directory(what_leads_past_a_link_is_a_conflict),
		in_directory(routes_of_ours_that_are_not_wanted_are_removed),
		in_directory(an_equal_others_route_serves_whatever_its_metric),
		in_directory(another_default_route_in_our_table_is_a_conflict),
		in_directory(a_others_route_past_the_gateway_in_our_table_is_a_conflict),
		in_directory(other_others_routes_are_left_alone),
		in_directory(others_routes_of_a_family_without_a_gateway_are_left_alone),
		in_directory(a_host_that_would_lose_its_network_is_a_conflict),
		in_directory(a_host_that_would_lose_its_network_is_found_before_the_first_rule),
		in_directory(a_rule_of_others_counts_until_the_last_of_ours),
		in_directory(a_rule_of_others_counts_where_it_takes_a_client),
		in_directory(a_rule_of_others_counts_where_it_matches_a_client),
		in_directory(a_missing_rule_is_added),
		in_directory(a_rule_missing_before_another_of_its_priority_comes_before_it_again),
		in_directory(rules_in_another_order_are_put_in_order),
		in_directory(a_rule_that_is_there_twice_is_made_anew),
		in_directory(an_altered_rule_is_replaced),
		in_directory(extra_rules_of_ours_are_removed_with_most_selectors_first),
		in_directory(a_rule_that_a_removal_would_take_is_made_anew),
		in_directory(an_equal_others_rule_serves_and_stays),
		in_directory(ours_is_kept_beside_an_equal_others_rule),
		in_directory(a_others_rule_with_our_selector_and_priority_is_a_conflict),
		in_directory(a_others_rule_about_others_is_a_conflict_where_it_selects_the_same),
		in_directory(a_rule_about_others_is_made_anew_behind_its_neighbours),
		in_directory(a_removal_does_not_take_the_rule_about_others),
		in_directory(other_others_rules_are_left_alone),
		in_directory(leftovers_of_another_priority_are_found),
		in_directory(leftovers_of_another_table_are_found),
		in_directory(leftovers_of_another_subnet_are_found),
		in_directory(leftovers_of_a_rule_about_others_are_found),
		in_directory(another_server_of_ours_is_left_alone),
		in_directory(rules_are_ours_by_priority_table_or_subnet),
		in_directory(plain_ocserv_removes_what_is_left),
		in_directory(a_neighbour_comes_before_the_route_and_goes_after_it),
		in_directory(a_neighbour_that_is_missing_or_altered_is_set),
		in_directory(a_neighbour_of_somebody_else_serves_or_is_a_conflict),
		in_directory(what_is_left_of_neighbours_goes),
		in_directory(a_neighbour_on_another_interface_goes),
	};
	struct CMUnitTest *cases = tests + COUNT(tests) - 4 * CONFIG_CASES;

	case_tests(cases, "nothing is to be done when intact:", what_is_intact_needs_no_step);
	case_tests(cases + CONFIG_CASES, "what denies comes first and goes last:",
		   denials_come_before_and_go_after_what_permits);
	case_tests(cases + 2 * CONFIG_CASES, "any damage is repaired:", any_damage_is_repaired);
	case_tests(cases + 3 * CONFIG_CASES, "any damage is removed in one round:", any_damage_is_removed_in_one_round);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several gateways: their marks, where sessions are placed, and what is planned for them. */
#include "cases.h"

#include "kernel/checkpoint.h"
#include "model/marks.h"
#include "model/plan.h"
#include "model/script.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *chain_of(const struct config *config, const char *gateway, int family, char chain[GUARD_CHAIN_NAME])
{
	wanted_session_chain(chain, config, config_gateway_named(config, gateway), family);
	return chain;
}

static void place(struct placements *placements, const struct config *config, const char *device, const char *address,
		  const char *gateway)
{
	struct address value = address_of(address);

	placements_add(placements, device, &value, gateway ? config_gateway_named(config, gateway) : NULL);
}

static void each_gateway_has_its_mark(void **state)
{
	static const struct { const char *gateway; uint32_t mark, narrow; } cases[] = {
		{ "default", 0x01000000, 0x00100000 }, { "nl", 0x02000000, 0x00200000 },
		{ "block", 0xfe000000, 0x00e00000 }, { "direct", 0xfd000000, 0x00d00000 },
	};
	struct config wide, narrow;

	(void)state;
	load_valid(&wide, case_text("many"));
	load_valid(&narrow, case_text("many-drop"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(mark_of(&wide, config_gateway_named(&wide, cases[i].gateway)), cases[i].mark);
		assert_int_equal(mark_of(&narrow, config_gateway_named(&narrow, cases[i].gateway)), cases[i].narrow);
	}
	assert_int_equal(mark_to_server(&wide), 0xff000000);
	assert_int_equal(mark_to_server(&narrow), 0x00f00000);
	config_free(&wide);
	config_free(&narrow);
}

/* By family: a gateway that does not lead in one is blocked there. */
static void a_session_goes_where_its_gateway_leads(void **state)
{
	static const struct { const char *gateway, *chain[FAMILIES]; } cases[] = {
		{ "default", { "to_default", "to_block" } }, { "nl", { "to_nl", "to_nl" } }, { "us", { "to_us", "to_block" } },
		{ "direct", { "to_direct", "to_direct" } }, { "block", { "to_block", "to_block" } },
	};
	char chain[GUARD_CHAIN_NAME];
	struct config config;

	(void)state;
	load_valid(&config, case_text("many"));
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int family = 0; family < FAMILIES; family++)
			assert_string_equal(chain_of(&config, cases[i].gateway, family, chain), cases[i].chain[family]);
	config_free(&config);
}

/* A trial: what is wanted of sessions, and what the kernel has. */
struct trial {
	struct example example;
	struct placements wanted;
	struct present present;
	struct plan plan;
};

static void begin(struct trial *trial)
{
	*trial = (struct trial){ 0 };
	example_make(&trial->example, case_text("many"));
}

/* The kernel has what is placed now. */
static void is_there(struct trial *trial)
{
	wanted_place(&trial->example.wanted, &trial->example.config, &trial->wanted, false);
	present_as_wanted(&trial->present, &trial->example.wanted);
	placements_free(&trial->wanted);
}

static void plan_it(struct trial *trial, bool partial)
{
	struct report report = { 0 };

	plan_free(&trial->plan);
	wanted_place(&trial->example.wanted, &trial->example.config, &trial->wanted, partial);
	assert_int_equal(plan_install(&trial->plan, &trial->example.config, &trial->example.wanted, &trial->present, &report), 0);
	report_free(&report);
}

static void end(struct trial *trial)
{
	plan_free(&trial->plan);
	placements_free(&trial->wanted);
	present_free(&trial->present);
	example_free(&trial->example);
}

static void script_is(const struct trial *trial, const char *wanted)
{
	struct text script CLEANUP(text_free) = { 0 };

	for (size_t i = 0; i < trial->plan.steps; i++)
		script_add_step(&script, &trial->plan.step[i]);
	assert_string_equal(text_string(&script), wanted);
}

static void a_session_that_begins_is_no_problem(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", "nl");
	is_there(&trial);
	place(&trial.wanted, &trial.example.config, "vpns1", "10.20.0.51", "us");
	place(&trial.wanted, &trial.example.config, "vpns1", "fd20::51", "us");
	plan_it(&trial, true);
	script_is(&trial, "nft -f - <<'END'\n"
		  "add element inet ocserv_gw session4 { \"vpns1\" . 10.20.0.51 : goto to_us }\n"
		  "add element inet ocserv_gw session6 { \"vpns1\" . fd20::51 : goto to_block }\n"
		  "END");
	assert_int_equal(trial.plan.problems.count, 0);
	end(&trial);
}

/* Nor where all is looked at, since others lack what they should have. */
static void one_that_begins_is_no_problem_beside_others(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial);
	place(&trial.wanted, &trial.example.config, "vpns1", "10.20.0.59", "nl");
	is_there(&trial);
	memcpy(trial.wanted.own, "vpns1", sizeof("vpns1"));
	place(&trial.wanted, &trial.example.config, "vpns1", "10.20.0.51", "us");
	place(&trial.wanted, &trial.example.config, "vpns10", "10.20.0.50", "nl");
	plan_it(&trial, false);
	assert_line(&trial.plan.problems, "kill switch: map session4: \"vpns10\" . 10.20.0.50 is missing");
	assert_int_equal(trial.plan.problems.count, 1);
	script_is(&trial, "nft -f - <<'END'\n"
		  "add element inet ocserv_gw session4 { \"vpns1\" . 10.20.0.51 : goto to_us }\n"
		  "add element inet ocserv_gw session4 { \"vpns10\" . 10.20.0.50 : goto to_nl }\n"
		  "delete element inet ocserv_gw session4 { \"vpns1\" . 10.20.0.59 }\n"
		  "END");
	end(&trial);
}

static void what_others_have_is_not_looked_at_then(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", "nl");
	place(&trial.wanted, &trial.example.config, "vpns7", "10.20.0.57", "us");
	is_there(&trial);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", "nl");
	plan_it(&trial, true);
	assert_int_equal(trial.plan.steps, 0);
	end(&trial);
}

/* The former address of a tunnel that another session has got. */
static void what_is_not_to_be_there_goes(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", "nl");
	is_there(&trial);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.51", "us");
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", NULL);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.52", NULL);
	plan_it(&trial, true);
	script_is(&trial, "nft -f - <<'END'\n"
		  "delete element inet ocserv_gw session4 { \"vpns0\" . 10.20.0.50 }\n"
		  "add element inet ocserv_gw session4 { \"vpns0\" . 10.20.0.51 : goto to_us }\n"
		  "END");
	end(&trial);
}

static void all_that_differs_is_told_and_mended(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", "us");
	place(&trial.wanted, &trial.example.config, "vpns9", "10.20.0.59", "us");
	is_there(&trial);
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", "nl");
	place(&trial.wanted, &trial.example.config, "vpns1", "fd20::51", "nl");
	plan_it(&trial, false);
	assert_line(&trial.plan.problems, "kill switch: map session4: \"vpns0\" . 10.20.0.50 leads elsewhere");
	assert_line(&trial.plan.problems, "kill switch: map session4: \"vpns9\" . 10.20.0.59 is of no live session");
	assert_line(&trial.plan.problems, "kill switch: map session6: \"vpns1\" . fd20::51 is missing");
	assert_int_equal(trial.plan.problems.count, 3);
	script_is(&trial, "nft -f - <<'END'\n"
		  "delete element inet ocserv_gw session4 { \"vpns0\" . 10.20.0.50 }\n"
		  "add element inet ocserv_gw session4 { \"vpns0\" . 10.20.0.50 : goto to_nl }\n"
		  "delete element inet ocserv_gw session4 { \"vpns9\" . 10.20.0.59 }\n"
		  "add element inet ocserv_gw session6 { \"vpns1\" . fd20::51 : goto to_nl }\n"
		  "END");
	end(&trial);
}

/* In one transaction, in which the sessions are, too. */
static void a_table_comes_with_all_sessions(void **state)
{
	struct text script CLEANUP(text_free) = { 0 };
	struct trial trial;

	(void)state;
	begin(&trial);
	place(&trial.wanted, &trial.example.config, "vpns1", "10.20.0.51", "us");
	place(&trial.wanted, &trial.example.config, "vpns0", "10.20.0.50", "nl");
	plan_it(&trial, false);
	assert_int_equal(trial.plan.step[0].kind, STEP_GUARD_LOAD);
	for (size_t i = 1; i < trial.plan.steps; i++)
		assert_int_not_equal(trial.plan.step[i].kind, STEP_SESSIONS);
	script_add_step(&script, &trial.plan.step[0]);
	assert_non_null(strstr(text_string(&script), "elements = { \"vpns0\" . 10.20.0.50 : goto to_nl,\n"
						    "\t\t\t     \"vpns1\" . 10.20.0.51 : goto to_us }\n"));
	end(&trial);
}

static void altered_maps_of_marks_are_told(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial);
	is_there(&trial);
	for (size_t i = 0; i < trial.present.guard.sets; i++) {
		struct present_set *map = &trial.present.guard.set[i];

		if (strcmp(map->name, GUARD_GATEWAYS_MAP) != 0)
			continue;
		strcpy(map->element[0].chain, "by_nl");
		map->elements--;
	}
	plan_it(&trial, false);
	assert_line(&trial.plan.problems, "kill switch: map gateways: 0x01000000 leads elsewhere");
	assert_line(&trial.plan.problems, "kill switch: map gateways: 0xfd000000 is missing");
	assert_int_equal(trial.plan.step[0].kind, STEP_GUARD_LOAD);
	end(&trial);
}

/* Sessions come and go without another digest of the table. */
static void the_digest_is_not_that_of_sessions(void **state)
{
	struct placements placements = { 0 };
	struct example example;
	uint64_t before;

	(void)state;
	example_make(&example, case_text("many"));
	before = checkpoint_digest(&example.wanted.guard);
	place(&placements, &example.config, "vpns0", "10.20.0.50", "nl");
	wanted_place(&example.wanted, &example.config, &placements, true);
	assert_true(checkpoint_digest(&example.wanted.guard) == before);
	placements_free(&placements);
	example_free(&example);
}

static void a_checkpoint_goes_on_by_one(void **state)
{
	static const struct { uint32_t before, after; } cases[] = { { 7, 8 }, { 0x0fffffff, 0x10000000 }, { UINT32_MAX, 1 } };
	static const struct host host = { .left_out = { "tun9" }, .left_outs = 1 };
	char checkpoint[CHECKPOINT_TEXT], wanted[CHECKPOINT_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct present_guard present = { .instance = { 1, 2 }, .generation = cases[i].before };

		checkpoint_make(checkpoint, &present, 42, &host);
		assert_true(checkpoint_is_of(checkpoint, &present));
		checkpoint_advance(checkpoint);
		assert_false(checkpoint_is_of(checkpoint, &present));
		present.generation = cases[i].after;
		checkpoint_make(wanted, &present, 42, &host);
		assert_string_equal(checkpoint, wanted);
	}
	checkpoint[0] = '\0';
	checkpoint_advance(checkpoint);
	assert_string_equal(checkpoint, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(each_gateway_has_its_mark),
		in_directory(a_session_goes_where_its_gateway_leads),
		in_directory(a_session_that_begins_is_no_problem),
		in_directory(one_that_begins_is_no_problem_beside_others),
		in_directory(what_others_have_is_not_looked_at_then),
		in_directory(what_is_not_to_be_there_goes),
		in_directory(all_that_differs_is_told_and_mended),
		in_directory(a_table_comes_with_all_sessions),
		in_directory(altered_maps_of_marks_are_told),
		in_directory(the_digest_is_not_that_of_sessions),
		in_directory(a_checkpoint_goes_on_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a checkpoint is of, and that nothing but the very same one counts. */
#include "cases.h"
#include "kernel/checkpoint.h"
#include "sessions/remembered.h"
#include "sessions/session.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct host this_host = { .ipsec = true };
static const struct host host_with_others = { .ipsec = true, .left_out = { "tun9", "vpns.office" }, .left_outs = 2 };

/* What it is of */

struct seen {
	uint64_t digest;
	char *text;		/* of the table, for nft(8) */
};

/* @others: the gateways are on other interfaces */
static struct seen see(const char *text, bool others, const struct host *host)
{
	struct text table CLEANUP(text_free) = { 0 };
	struct config config;
	struct guard guard;
	struct exits exits;
	struct seen seen;

	load_valid(&config, text);
	exits_found(&exits, &config);
	for (unsigned int i = 0; others && i < exits.count; i++)
		exits.exit[i].interface = (struct interface){ 9, "eth9" };
	wanted_guard_make(&guard, &config, &exits, host);
	guard_add_text(&table, &guard);
	seen = (struct seen){ checkpoint_digest(&guard), duplicate(text_string(&table)) };
	guard_free(&guard);
	exits_free(&exits);
	config_free(&config);
	return seen;
}

/* What is another table for nft(8) has another digest, and what is the same one has the same. */
static void the_digest_is_that_of_the_table(void **state)
{
	static const struct host hosts[] = {
		{ .ipsec = false }, { .ipsec = true }, { .ipsec = true, .left_out = { "tun9" }, .left_outs = 1 },
	};
	struct seen seen[CONFIG_CASES * 2 * COUNT(hosts)];
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < CONFIG_CASES; i++) {
		for (size_t j = 0; j < COUNT(hosts); j++) {
			seen[count++] = see(config_cases[i].text, false, &hosts[j]);
			seen[count++] = see(config_cases[i].text, true, &hosts[j]);
		}
	}
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if ((strcmp(seen[i].text, seen[j].text) == 0) != (seen[i].digest == seen[j].digest))
				fail_msg("cases %zu and %zu", j, i);
	for (size_t i = 0; i < count; i++)
		free(seen[i].text);
}

/* Each bit of what a rule is made of counts. */
static void each_bit_of_a_match_counts(void **state)
{
	struct example example;
	struct guard_rule *rule;
	uint64_t digest;

	(void)state;
	example_make_largest(&example);
	digest = checkpoint_digest(&example.wanted.guard);
	rule = &example.wanted.guard.chain[0].rule[1];
	assert_true(rule->matches > 1);
	for (size_t bit = 0; bit < 8 * rule->matches * sizeof(*rule->match); bit++) {
		((uint8_t *)rule->match)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(checkpoint_digest(&example.wanted.guard) != digest);
		((uint8_t *)rule->match)[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(checkpoint_digest(&example.wanted.guard) == digest);
	example_free(&example);
}

/* Its text */

static struct present_guard a_guard(void)
{
	struct present_guard present = { .exists = true, .generation = 7, .instance = "\x01\xfe" };

	return present;
}

static void a_checkpoint_names_instance_generation_and_digest(void **state)
{
	struct present_guard present = a_guard();
	char checkpoint[CHECKPOINT_TEXT];

	(void)state;
	checkpoint_make(checkpoint, &present, 0xdeadbeef, &this_host);
	assert_string_equal(checkpoint, "01fe0000000000000000000000000000.00000007.00000000deadbeef");
	memset(present.instance, 0xff, sizeof(present.instance));
	present.generation = ~0U;
	checkpoint_make(checkpoint, &present, ~0ULL, &this_host);
	assert_string_equal(checkpoint, "ffffffffffffffffffffffffffffffff.ffffffff.ffffffffffffffff");
}

static void without_instance_or_generation_there_is_no_checkpoint(void **state)
{
	struct present_guard present = a_guard();
	char checkpoint[CHECKPOINT_TEXT] = "x";

	(void)state;
	present.generation = 0;
	checkpoint_make(checkpoint, &present, 1, &this_host);
	assert_string_equal(checkpoint, "");
	present = (struct present_guard){ .generation = 7 };
	checkpoint_make(checkpoint, &present, 1, &this_host);
	assert_string_equal(checkpoint, "");
}

static void a_checkpoint_tells_what_is_left_out(void **state)
{
	struct present_guard present = a_guard();
	struct host host = this_host;
	char checkpoint[CHECKPOINT_TEXT];

	(void)state;
	checkpoint_make(checkpoint, &present, 5, &host_with_others);
	assert_string_equal(checkpoint, "01fe0000000000000000000000000000.00000007.0000000000000005/tun9/vpns.office");
	checkpoint_read_left_out(checkpoint, &host);
	assert_int_equal(host.left_outs, 2);
	assert_true(host_leaves_out(&host, "tun9") && host_leaves_out(&host, "vpns.office"));
	assert_false(host_leaves_out(&host, "tun") || host_leaves_out(&host, "vpns"));
	checkpoint_read_left_out("", &host);
	assert_int_equal(host.left_outs, 0);
	checkpoint_read_left_out("x/1/2/3/4/5/6", &host);
	assert_int_equal(host.left_outs, GUARD_LEFT_OUT);
	checkpoint_read_left_out("x/a name that is too long for an interface", &host);
	assert_int_equal(host.left_outs, 0);
}

static void a_checkpoint_fits_what_it_was_made_of(void **state)
{
	struct present_guard present = a_guard();
	char checkpoint[CHECKPOINT_TEXT];

	(void)state;
	checkpoint_make(checkpoint, &present, 5, &host_with_others);
	assert_true(checkpoint_fits(checkpoint, &present, 5));
	assert_false(checkpoint_fits(checkpoint, &present, 6));
	assert_false(checkpoint_fits("", &present, 5));
	checkpoint_make(checkpoint, &present, 5, &this_host);
	assert_true(checkpoint_fits(checkpoint, &present, 5));
	checkpoint[strlen(checkpoint) - 1] = '\0';
	assert_false(checkpoint_fits(checkpoint, &present, 5));
	present.generation = 8;
	assert_false(checkpoint_fits(checkpoint, &present, 5));
	present.generation = 0;
	assert_false(checkpoint_fits("", &present, 5));
}

/* Where it is kept */

static void open_state(struct state *state)
{
	struct text path CLEANUP(text_free) = { 0 };
	struct report report = { 0 };

	text_add(&path, "%s/state", directory_path());
	assert_int_equal(state_open(state, text_string(&path), true, &report), 0);
}

static void assert_checkpoint(const struct state *state, const char *expected)
{
	char checkpoint[CHECKPOINT_TEXT] = "something else";

	checkpoint_load(state, checkpoint);
	assert_string_equal(checkpoint, expected);
}

static void a_checkpoint_is_kept(void **unused)
{
	struct present_guard present = a_guard();
	char checkpoint[CHECKPOINT_TEXT];
	struct state state;

	(void)unused;
	open_state(&state);
	assert_checkpoint(&state, "");
	checkpoint_make(checkpoint, &present, 1, &this_host);
	checkpoint_keep(&state, checkpoint);
	assert_checkpoint(&state, checkpoint);
	checkpoint_make(checkpoint, &present, 2, &this_host);
	checkpoint_keep(&state, checkpoint);
	assert_checkpoint(&state, checkpoint);
	checkpoint_keep(&state, "");
	assert_checkpoint(&state, "");
	state_close(&state);
}

static void what_is_no_checkpoint_counts_as_none(void **unused)
{
	char longer[2 * CHECKPOINT_TEXT];
	struct state state;
	char checkpoint[CHECKPOINT_TEXT];

	(void)unused;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	open_state(&state);
	write_file("state/checkpoint", longer);
	assert_checkpoint(&state, "");
	unlink("state/checkpoint");
	assert_int_equal(symlink(longer, "state/checkpoint"), 0);
	checkpoint_load(&state, checkpoint);
	assert_int_equal(strlen(checkpoint), CHECKPOINT_TEXT - 1);
	unlink("state/checkpoint");
	assert_int_equal(mkdir("state/checkpoint", 0700), 0);
	checkpoint_keep(&state, "x");
	assert_checkpoint(&state, "");
	state_close(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(the_digest_is_that_of_the_table),
		in_directory(each_bit_of_a_match_counts),
		in_directory(a_checkpoint_names_instance_generation_and_digest),
		in_directory(without_instance_or_generation_there_is_no_checkpoint),
		in_directory(a_checkpoint_tells_what_is_left_out),
		in_directory(a_checkpoint_fits_what_it_was_made_of),
		in_directory(a_checkpoint_is_kept),
		in_directory(what_is_no_checkpoint_counts_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

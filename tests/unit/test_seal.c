/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a seal is of, and that nothing but the very same one counts. */
#include "cases.h"
#include "kernel/seal.h"
#include "sessions/remembered.h"
#include "sessions/session.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct host this_host = { .ipsec = true };
static const struct host host_with_others = { .ipsec = true, .left_out = { "tun9", "vpns.office" }, .left_outs = 2 };

static uint64_t digest_of_case(const char *text)
{
	struct config config;
	struct exits exits;
	uint64_t digest;

	load_valid(&config, text);
	exits_found(&exits, &config);
	digest = seal_digest(&config, &exits, &this_host);
	config_free(&config);
	return digest;
}

static void the_same_configuration_has_the_same_digest(void **state)
{
	(void)state;
	assert_true(digest_of_case(case_text("seed")) == digest_of_case(case_text("seed")));
	assert_true(digest_of_case(case_text("seed")) != digest_of_case(case_text("several-subnets")));
}

static void expect_new(uint64_t digest, const uint64_t *seen, size_t count, const char *what, int which)
{
	for (size_t i = 0; i < count; i++)
		if (seen[i] == digest)
			fail_msg("%s %d does not count", what, which);
}

static void each_key_and_each_gateway_count(void **state)
{
	uint64_t seen[1 + CONFIG_KEYS + 2 * FAMILIES + 2];
	struct exits exits, others;
	struct config config;
	size_t count = 0;

	(void)state;
	load_valid(&config, case_text("both-families"));
	exits_found(&exits, &config);
	seen[count++] = seal_digest(&config, &exits, &this_host);
	for (int key = 0; key < CONFIG_KEYS; key++) {
		char *kept = config.setting[key].value;

		config.setting[key].value = (char *)"another";
		seen[count] = seal_digest(&config, &exits, &this_host);
		expect_new(seen[count], seen, count, "key", key);
		count++;
		config.setting[key].value = kept;
	}
	for (int family = 0; family < FAMILIES; family++) {
		others = exits;
		others.exit[family].interface.index = 9;
		seen[count] = seal_digest(&config, &others, &this_host);
		expect_new(seen[count], seen, count, "index of the interface of family", family);
		count++;
		others = exits;
		strcpy(others.exit[family].interface.name, "eth9");
		seen[count] = seal_digest(&config, &others, &this_host);
		expect_new(seen[count], seen, count, "name of the interface of family", family);
		count++;
	}
	seen[count] = seal_digest(&config, &exits, &(struct host){ .ipsec = false });
	expect_new(seen[count], seen, count, "IPsec", 0);
	count++;
	expect_new(seal_digest(&config, &exits, &host_with_others), seen, count, "what is left out", 0);
	config_free(&config);
}

/* Its text */

static struct present_guard a_guard(void)
{
	struct present_guard present = { .exists = true, .generation = 7, .instance = "\x01\xfe" };

	return present;
}

static void a_seal_names_instance_generation_and_digest(void **state)
{
	struct present_guard present = a_guard();
	char seal[SEAL_TEXT];

	(void)state;
	seal_make(seal, &present, 0xdeadbeef, &this_host);
	assert_string_equal(seal, "01fe0000000000000000000000000000.00000007.00000000deadbeef");
	memset(present.instance, 0xff, sizeof(present.instance));
	present.generation = ~0U;
	seal_make(seal, &present, ~0ULL, &this_host);
	assert_string_equal(seal, "ffffffffffffffffffffffffffffffff.ffffffff.ffffffffffffffff");
}

static void without_instance_or_generation_there_is_no_seal(void **state)
{
	struct present_guard present = a_guard();
	char seal[SEAL_TEXT] = "x";

	(void)state;
	present.generation = 0;
	seal_make(seal, &present, 1, &this_host);
	assert_string_equal(seal, "");
	present = (struct present_guard){ .generation = 7 };
	seal_make(seal, &present, 1, &this_host);
	assert_string_equal(seal, "");
}

static void a_seal_tells_what_is_left_out(void **state)
{
	struct present_guard present = a_guard();
	struct host host = this_host;
	char seal[SEAL_TEXT];

	(void)state;
	seal_make(seal, &present, 5, &host_with_others);
	assert_string_equal(seal, "01fe0000000000000000000000000000.00000007.0000000000000005/tun9/vpns.office");
	seal_read_left_out(seal, &host);
	assert_int_equal(host.left_outs, 2);
	assert_true(host_leaves_out(&host, "tun9") && host_leaves_out(&host, "vpns.office"));
	assert_false(host_leaves_out(&host, "tun") || host_leaves_out(&host, "vpns"));
	seal_read_left_out("", &host);
	assert_int_equal(host.left_outs, 0);
	seal_read_left_out("x/1/2/3/4/5/6", &host);
	assert_int_equal(host.left_outs, GUARD_LEFT_OUT);
	seal_read_left_out("x/a name that is too long for an interface", &host);
	assert_int_equal(host.left_outs, 0);
}

static void a_seal_fits_what_it_was_made_of(void **state)
{
	struct present_guard present = a_guard();
	char seal[SEAL_TEXT];

	(void)state;
	seal_make(seal, &present, 5, &host_with_others);
	assert_true(seal_fits(seal, &present, 5));
	assert_false(seal_fits(seal, &present, 6));
	assert_false(seal_fits("", &present, 5));
	seal_make(seal, &present, 5, &this_host);
	assert_true(seal_fits(seal, &present, 5));
	seal[strlen(seal) - 1] = '\0';
	assert_false(seal_fits(seal, &present, 5));
	present.generation = 8;
	assert_false(seal_fits(seal, &present, 5));
	present.generation = 0;
	assert_false(seal_fits("", &present, 5));
}

/* Where it is kept */

static void open_state(struct state *state)
{
	struct text path CLEANUP(text_free) = { 0 };
	struct report report = { 0 };

	text_add(&path, "%s/state", directory_path());
	assert_int_equal(state_open(state, text_string(&path), true, &report), 0);
}

static void assert_seal(const struct state *state, const char *expected)
{
	char seal[SEAL_TEXT] = "something else";

	seal_load(state, seal);
	assert_string_equal(seal, expected);
}

static void a_seal_is_kept(void **unused)
{
	struct present_guard present = a_guard();
	char seal[SEAL_TEXT];
	struct state state;

	(void)unused;
	open_state(&state);
	assert_seal(&state, "");
	seal_make(seal, &present, 1, &this_host);
	seal_keep(&state, seal);
	assert_seal(&state, seal);
	seal_make(seal, &present, 2, &this_host);
	seal_keep(&state, seal);
	assert_seal(&state, seal);
	seal_keep(&state, "");
	assert_seal(&state, "");
	state_close(&state);
}

static void what_is_no_seal_counts_as_none(void **unused)
{
	char longer[2 * SEAL_TEXT];
	struct state state;
	char seal[SEAL_TEXT];

	(void)unused;
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	open_state(&state);
	write_file("state/seal", longer);
	assert_seal(&state, "");
	unlink("state/seal");
	assert_int_equal(symlink(longer, "state/seal"), 0);
	seal_load(&state, seal);
	assert_int_equal(strlen(seal), SEAL_TEXT - 1);
	unlink("state/seal");
	assert_int_equal(mkdir("state/seal", 0700), 0);
	seal_keep(&state, "x");
	assert_seal(&state, "");
	state_close(&state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(the_same_configuration_has_the_same_digest),
		in_directory(each_key_and_each_gateway_count),
		in_directory(a_seal_names_instance_generation_and_digest),
		in_directory(without_instance_or_generation_there_is_no_seal),
		in_directory(a_seal_tells_what_is_left_out),
		in_directory(a_seal_fits_what_it_was_made_of),
		in_directory(a_seal_is_kept),
		in_directory(what_is_no_seal_counts_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

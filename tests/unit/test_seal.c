/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a seal is of, and that nothing but the very same one counts. */
#include "cases.h"
#include "seal.h"
#include "session.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t digest_of_case(const char *text)
{
	struct wanted wanted;
	uint64_t digest;

	wanted_make(&wanted, text);
	digest = seal_digest(&wanted.policy.guard);
	wanted_free(&wanted);
	return digest;
}

static void the_same_configuration_has_the_same_digest(void **state)
{
	(void)state;
	assert_true(digest_of_case(case_text("seed")) == digest_of_case(case_text("seed")));
	assert_true(digest_of_case(case_text("seed")) != digest_of_case(case_text("several-subnets")));
}

static void change_table(struct guard *guard) { guard->table[0]++; }
static void change_chain_name(struct guard *guard) { guard->chain[1].name = "forwarded"; }
static void change_chain_type(struct guard *guard) { guard->chain[1].type = "nat"; }
static void unhook_chain(struct guard *guard) { guard->chain[1].type = NULL; }
static void change_hook(struct guard *guard) { guard->chain[1].hook++; }
static void change_priority(struct guard *guard) { guard->chain[1].priority++; }
static void drop_chain(struct guard *guard) { guard->chains--; }
static void drop_rule(struct guard *guard) { guard->chain[0].rules--; }
static void drop_match(struct guard *guard) { guard->chain[0].rule[0].matches--; }
static void change_kind(struct guard *guard) { guard->chain[0].rule[0].match[0].kind = MATCH_OIFNAME; }
static void negate_match(struct guard *guard) { guard->chain[0].rule[0].match[0].negated = true; }
static void change_interface(struct guard *guard) { guard->chain[0].rule[0].match[0].interface.name[3]++; }
static void change_wildcard(struct guard *guard) { guard->chain[0].rule[0].match[0].interface.wildcard = false; }
static void change_prefix(struct guard *guard) { guard->chain[0].rule[1].match[1].prefix.length--; }
static void change_counter(struct guard *guard) { guard->chain[0].rule[0].counter = false; }
static void change_verdict(struct guard *guard) { guard->chain[0].rule[0].verdict = VERDICT_ACCEPT; }
static void change_reject(struct guard *guard) { guard->chain[0].rule[0].reject_family = AF_INET6; }
static void change_goto(struct guard *guard) { guard->chain[1].rule[0].chain = "from_gateway"; }
static void change_comment(struct guard *guard) { guard->chain[0].rule[0].comment[0] = 'x'; }

static void each_value_of_the_guard_counts(void **state)
{
	void (*const change[])(struct guard *) = {
		change_table, change_chain_name, change_chain_type, unhook_chain, change_hook, change_priority, drop_chain,
		drop_rule, drop_match, change_kind, negate_match, change_interface, change_wildcard, change_prefix,
		change_counter, change_verdict, change_reject, change_goto, change_comment,
	};
	uint64_t digest[COUNT(change) + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(digest); i++) {
		struct wanted wanted;
		size_t chains, rules;

		wanted_make(&wanted, case_text("seed"));
		chains = wanted.policy.guard.chains;
		rules = wanted.policy.guard.chain[0].rules;
		if (i > 0)
			change[i - 1](&wanted.policy.guard);
		digest[i] = seal_digest(&wanted.policy.guard);
		for (size_t j = 0; j < i; j++)
			if (digest[i] == digest[j])
				fail_msg("changes %zu and %zu have the same digest", i, j);
		wanted.policy.guard.chains = chains;
		wanted.policy.guard.chain[0].rules = rules;
		wanted_free(&wanted);
	}
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
	seal_make(seal, &present, 0xdeadbeef);
	assert_string_equal(seal, "01fe0000000000000000000000000000.00000007.00000000deadbeef");
	assert_int_equal(strlen(seal), SEAL_TEXT - 1);
	memset(present.instance, 0xff, sizeof(present.instance));
	present.generation = ~0U;
	seal_make(seal, &present, ~0ULL);
	assert_string_equal(seal, "ffffffffffffffffffffffffffffffff.ffffffff.ffffffffffffffff");
}

static void without_instance_or_generation_there_is_no_seal(void **state)
{
	struct present_guard present = a_guard();
	char seal[SEAL_TEXT] = "x";

	(void)state;
	present.generation = 0;
	seal_make(seal, &present, 1);
	assert_string_equal(seal, "");
	present = (struct present_guard){ .generation = 7 };
	seal_make(seal, &present, 1);
	assert_string_equal(seal, "");
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
	seal_make(seal, &present, 1);
	seal_keep(&state, seal);
	assert_seal(&state, seal);
	seal_make(seal, &present, 2);
	seal_keep(&state, seal);
	assert_seal(&state, seal);
	seal_keep(&state, "");
	assert_seal(&state, "");
	state_close(&state);
}

static void what_is_no_seal_counts_as_none(void **unused)
{
	char longer[] = "0123456789abcdef0123456789abcdef.00000007.0123456789abcdef and more";
	struct state state;
	char seal[SEAL_TEXT];

	(void)unused;
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
		in_directory(each_value_of_the_guard_counts),
		in_directory(a_seal_names_instance_generation_and_digest),
		in_directory(without_instance_or_generation_there_is_no_seal),
		in_directory(a_seal_is_kept),
		in_directory(what_is_no_seal_counts_as_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

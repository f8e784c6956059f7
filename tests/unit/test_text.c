/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static void text_grows_and_ends_with_a_nul(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };

	(void)state;
	assert_string_equal(text_string(&text), "");
	for (size_t i = 0; i < 1000; i++) {
		text_add(&text, "%s", "12345");
		assert_int_equal(text.length, (i + 1) * 5);
		assert_int_equal(strlen(text_string(&text)), text.length);
	}
}

static void one_addition_may_be_longer_than_all_before(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };
	char word[5000];

	(void)state;
	memset(word, 'w', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	text_add(&text, "%s", "a");
	text_add(&text, "%s%s", word, "z");
	assert_int_equal(text.length, 1 + sizeof(word) - 1 + 1);
	assert_int_equal(text.data[0], 'a');
	assert_int_equal(text.data[text.length - 1], 'z');
}

static void bytes_may_hold_nuls(void **state)
{
	struct text a CLEANUP(text_free) = { 0 }, b CLEANUP(text_free) = { 0 };

	(void)state;
	text_add_bytes(&a, "x\0y", 3);
	text_add_bytes(&b, "x\0z", 3);
	assert_int_equal(a.length, 3);
	assert_memory_equal(a.data, "x\0y", 4);
	assert_false(text_equal(&a, &b));
	b.data[2] = 'y';
	assert_true(text_equal(&a, &b));
	text_add_bytes(&b, "", 1);
	assert_false(text_equal(&a, &b));
}

static void empty_texts_are_equal(void **state)
{
	struct text untouched = { 0 }, emptied CLEANUP(text_free) = { 0 };

	(void)state;
	text_add(&emptied, "%s", "");
	assert_true(text_equal(&untouched, &emptied));
	assert_true(text_equal(&untouched, &untouched));
}

static void no_memory_ends_the_program(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		close(STDERR_FILENO);
		/* More bytes than a size_t counts. */
		free(allocate(SIZE_MAX / 2, 4));
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_OSERR);
}

static void lines_are_kept_in_order(void **state)
{
	struct lines lines CLEANUP(lines_free) = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		lines_add(&lines, "line %d", i);
	assert_int_equal(lines.count, 100);
	assert_string_equal(lines.line[0], "line 0");
	assert_string_equal(lines.line[99], "line 99");
}

static void pairs_are_quoted_where_they_need_it(void **state)
{
	static const struct { const char *value, *pair; } cases[] = {
		{ "alice", "k=alice" },
		{ "", "k=\"\"" },
		{ "a b", "k=\"a b\"" },
		{ "a=b", "k=\"a=b\"" },
		{ "a\"b", "k=\"a\\\"b\"" },
		{ "a\\b", "k=\"a\\\\b\"" },
		{ "\"", "k=\"\\\"\"" },
		{ "a\nb", "k=\"a\\x0ab\"" },
		{ "\r\n\t\x1b[2J", "k=\"\\x0d\\x0a\\x09\\x1b[2J\"" },
		{ "\x7f", "k=\"\\x7f\"" },
		{ "\xff\x80", "k=\"\\xff\\x80\"" },
		{ "\xc3\xbc", "k=\"\\xc3\\xbc\"" },
		{ "`id` $(id) %s %n", "k=\"`id` $(id) %s %n\"" },
		{ "%s%n", "k=%s%n" },
		{ "10.20.0.50,fd20::1", "k=10.20.0.50,fd20::1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_pair(&text, "k", cases[i].value, 256);
		assert_string_equal(text_string(&text), cases[i].pair);
	}
}

static void a_blank_stands_between_pairs(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };

	(void)state;
	text_add_pair(&text, "a", "1", 256);
	text_add_pair(&text, "b", "", 256);
	text_add_pair(&text, "c", "3", 256);
	assert_string_equal(text_string(&text), "a=1 b=\"\" c=3");
}

static void long_values_are_cut_and_say_so(void **state)
{
	static const struct { const char *value; size_t limit; const char *pair; } cases[] = {
		{ "abcd", 4, "k=abcd" },
		{ "abcde", 4, "k=\"abcd...\"" },
		{ "abcde", 0, "k=\"...\"" },
		{ "ab\n\n\n", 3, "k=\"ab\\x0a...\"" },
		{ "\xc3\xbc\xc3\xbc", 3, "k=\"\\xc3\\xbc\\xc3...\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_pair(&text, "k", cases[i].value, cases[i].limit);
		assert_string_equal(text_string(&text), cases[i].pair);
	}
}

/* Writes and reads back a pair between two others. */
static void check_round_trip(const char *value)
{
	struct text text CLEANUP(text_free) = { 0 };
	char *cursor, *read = NULL;

	text_add_pair(&text, "before", "1", 256);
	text_add_pair(&text, "key", value, 256);
	text_add_pair(&text, "after", "2", 256);
	for (size_t i = 0; i < text.length; i++)
		assert_in_range((unsigned char)text.data[i], ' ', '~');

	cursor = text.data;
	assert_string_equal(text_next_pair(&cursor, &read), "before");
	assert_string_equal(text_next_pair(&cursor, &read), "key");
	assert_string_equal(read, value);
	assert_string_equal(text_next_pair(&cursor, &read), "after");
	assert_string_equal(read, "2");
	assert_null(text_next_pair(&cursor, &read));
}

static void every_byte_survives_the_round_trip(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		const char alone[] = { (char)c, '\0' }, between[] = { 'a', (char)c, (char)c, 'b', '\0' };

		check_round_trip(alone);
		check_round_trip(between);
	}
}

static void hostile_values_survive_the_round_trip(void **state)
{
	static const char *const values[] = {
		"", " ", "  x  ", "\" key=\"forged", "x\" forged=1 y=\"", "x\nid=1", "\\", "\\\"", "\\x41", "\\\\x0a",
		"key=value", "=", "==", "\"\"", "...",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++)
		check_round_trip(values[i]);
}

static void malformed_pairs_end_the_reading(void **state)
{
	static const char *const lines[] = {
		"", "   ", "word", "=value", "key=\"open", "key=\"bad \\q escape\"", "key=\"\\x4\"", "key=\"\\x\"",
		"key=\"\\xg1\"", "key=\"\\", "key=\"\\x0A\"",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		char line[64], *cursor = line, *value;

		strcpy(line, lines[i]);
		assert_null(text_next_pair(&cursor, &value));
	}
}

static void blanks_before_a_pair_are_passed_over(void **state)
{
	char line[] = "   a=1    b=2   ", *cursor = line, *value;

	(void)state;
	assert_string_equal(text_next_pair(&cursor, &value), "a");
	assert_string_equal(value, "1");
	assert_string_equal(text_next_pair(&cursor, &value), "b");
	assert_string_equal(value, "2");
	assert_null(text_next_pair(&cursor, &value));
}

static void shell_words_are_quoted_where_they_need_it(void **state)
{
	static const struct { const char *word, *quoted; } cases[] = {
		{ "eth0", "eth0" },
		{ "eth0.100@if3", "eth0.100@if3" },
		{ "/run/x-y_z:1%2+3,4", "/run/x-y_z:1%2+3,4" },
		{ "", "''" },
		{ "a b", "'a b'" },
		{ "$(id)", "'$(id)'" },
		{ "`id`", "'`id`'" },
		{ "a;b", "'a;b'" },
		{ "a'b", "'a'\\''b'" },
		{ "'", "''\\'''" },
		{ "a\nb", "'a\nb'" },
		{ "a\\", "'a\\'" },
		{ "*", "'*'" },
		{ "~", "'~'" },
		{ "#", "'#'" },
		{ "a=b", "'a=b'" },
		{ "\xc3\xbc", "'\xc3\xbc'" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_shell(&text, cases[i].word);
		assert_string_equal(text_string(&text), cases[i].quoted);
	}
}

static void json_strings_are_valid_whatever_they_hold(void **state)
{
	static const struct { const char *string, *json; } cases[] = {
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "a\"b\\c/d", "\"a\\\"b\\\\c/d\"" },
		{ "\b\f\n\r\t\x01\x1f\x7f", "\"\\u0008\\u000c\\u000a\\u000d\\u0009\\u0001\\u001f\\u007f\"" },
		/* UTF-8 of two, three and four bytes, each with its least and its greatest. */
		{ "\xc3\xbc", "\"\xc3\xbc\"" },
		{ "\xc2\x80\xdf\xbf", "\"\xc2\x80\xdf\xbf\"" },
		{ "\xe0\xa0\x80\xef\xbf\xbf", "\"\xe0\xa0\x80\xef\xbf\xbf\"" },
		{ "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"" },
		{ "\xed\x9f\xbf\xee\x80\x80", "\"\xed\x9f\xbf\xee\x80\x80\"" },
		/* Bytes that begin nothing. */
		{ "\x80", "\"\\ufffd\"" },
		{ "\xbf\xfe\xff", "\"\\ufffd\\ufffd\\ufffd\"" },
		/* Cut off, at the end and before something else. */
		{ "\xc3", "\"\\ufffd\"" },
		{ "\xe2\x82", "\"\\ufffd\\ufffd\"" },
		{ "\xf0\x9f\x92", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xc3" "a", "\"\\ufffda\"" },
		{ "\xe2\x82\xc3\xbc", "\"\\ufffd\\ufffd\xc3\xbc\"" },
		{ "\xe2\"", "\"\\ufffd\\\"\"" },
		/* Overlong forms of '/', of two, three and four bytes. */
		{ "\xc0\xaf", "\"\\ufffd\\ufffd\"" },
		{ "\xc1\xbf", "\"\\ufffd\\ufffd\"" },
		{ "\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xe0\x9f\xbf", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf0\x80\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf0\x8f\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		/* Surrogates, and what lies above U+10FFFF. */
		{ "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xed\xbf\xbf", "\"\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
		{ "\xf5\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_json(&text, cases[i].string);
		assert_string_equal(text_string(&text), cases[i].json);
	}
}

static void numbers_are_digits_in_their_range(void **state)
{
	static const unsigned long long most = ~0ULL;
	static const struct {
		const char *string;
		unsigned long long least, most;
		bool valid;
		unsigned long long number;
	} cases[] = {
		{ "0", 0, 10, true, 0 },
		{ "10", 0, 10, true, 10 },
		{ "007", 0, 10, true, 7 },
		{ "11", 0, 10, false, 0 },
		{ "5", 0, 3, false, 0 },
		{ "1", 2, 10, false, 0 },
		{ "2", 2, 10, true, 2 },
		{ "", 0, 10, false, 0 },
		{ " 1", 0, 10, false, 0 },
		{ "1 ", 0, 10, false, 0 },
		{ "+1", 0, 10, false, 0 },
		{ "-1", 0, 10, false, 0 },
		{ "-0", 0, 10, false, 0 },
		{ "1.0", 0, 10, false, 0 },
		{ "0x1", 0, 10, false, 0 },
		{ "1\n", 0, 10, false, 0 },
		{ "\xb1", 0, 10, false, 0 },
		{ "4294967295", 0, 4294967295, true, 4294967295 },
		{ "4294967296", 0, 4294967295, false, 0 },
		{ "18446744073709551615", 0, most, true, most },
		{ "18446744073709551616", 0, most, false, 0 },
		{ "18446744073709551625", 0, most, false, 0 },
		{ "100000000000000000000", 0, most, false, 0 },
		{ "0", 0, 0, true, 0 },
		{ "1", 0, 0, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned long long number = 4711;

		if (number_parse(cases[i].string, cases[i].least, cases[i].most, &number) != cases[i].valid)
			fail_msg("'%s' in %llu..%llu", cases[i].string, cases[i].least, cases[i].most);
		assert_int_equal(number, cases[i].valid ? cases[i].number : 4711);
	}
}

static void sizes_are_rounded_down(void **state)
{
	static const struct { unsigned long long bytes; const char *wanted; } cases[] = {
		{ 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" }, { 1535, "1.4 KiB" },
		{ 1536, "1.5 KiB" }, { 1048575, "1023.9 KiB" }, { 1048576, "1.0 MiB" }, { 12898303, "12.2 MiB" },
		{ 12898304, "12.3 MiB" }, { 1ULL << 30, "1.0 GiB" }, { 1ULL << 40, "1.0 TiB" },
		{ 1ULL << 50, "1.0 PiB" }, { 1ULL << 60, "1.0 EiB" }, { ~0ULL, "15.9 EiB" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text = { 0 };

		text_add_size(&text, cases[i].bytes);
		assert_string_equal(text_string(&text), cases[i].wanted);
		text_free(&text);
	}
}

static void an_age_has_two_units(void **state)
{
	static const struct { unsigned long long seconds; const char *wanted; } cases[] = {
		{ 0, "0 s" }, { 59, "59 s" }, { 60, "1 min" }, { 359, "5 min" }, { 3600, "1 h" }, { 7500, "2 h 5 min" },
		{ 86399, "23 h 59 min" }, { 86400, "1 d" }, { 86400 * 3 + 3600 * 4 + 60, "3 d 4 h" }, { 86400 * 400, "400 d" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_age(&text, cases[i].seconds);
		assert_string_equal(text_string(&text), cases[i].wanted);
	}
}

static void words_are_wrapped_at_blanks(void **state)
{
	static const struct { const char *words; size_t width, begin, indent; const char *wanted; } cases[] = {
		{ "one two three", 0, 5, 2, "one two three" },
		{ "one two three", 18, 5, 2, "one two three" },
		{ "one two three", 17, 5, 2, "one two\n  three" },
		{ "one two three", 12, 4, 0, "one two\nthree" },
		{ "0123456789 two", 11, 1, 1, "0123456789\n two" },
		{ "0123456789abcdef two", 11, 1, 1, "0123456789\n abcdef two" },
		{ "too narrow", 3, 20, 1, "too\n narrow" },
		{ "", 10, 1, 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text text CLEANUP(text_free) = { 0 };

		text_add_wrapped(&text, cases[i].words, cases[i].width, cases[i].begin, cases[i].indent);
		assert_string_equal(text_string(&text), cases[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_grows_and_ends_with_a_nul),
		cmocka_unit_test(one_addition_may_be_longer_than_all_before),
		cmocka_unit_test(bytes_may_hold_nuls),
		cmocka_unit_test(empty_texts_are_equal),
		cmocka_unit_test(no_memory_ends_the_program),
		cmocka_unit_test(lines_are_kept_in_order),
		cmocka_unit_test(pairs_are_quoted_where_they_need_it),
		cmocka_unit_test(a_blank_stands_between_pairs),
		cmocka_unit_test(long_values_are_cut_and_say_so),
		cmocka_unit_test(every_byte_survives_the_round_trip),
		cmocka_unit_test(hostile_values_survive_the_round_trip),
		cmocka_unit_test(malformed_pairs_end_the_reading),
		cmocka_unit_test(blanks_before_a_pair_are_passed_over),
		cmocka_unit_test(shell_words_are_quoted_where_they_need_it),
		cmocka_unit_test(json_strings_are_valid_whatever_they_hold),
		cmocka_unit_test(numbers_are_digits_in_their_range),
		cmocka_unit_test(sizes_are_rounded_down),
		cmocka_unit_test(an_age_has_two_units),
		cmocka_unit_test(words_are_wrapped_at_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

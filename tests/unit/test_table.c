/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/table.h"
#include "support.h"

static const struct column columns[] = { { "user", 8, false, 0 }, { "bytes", 0, true, 0 }, { "why", 0, false, 0 } };

static void table_is(struct table *table, bool bold, const char *wanted)
{
	struct text text = { 0 };

	table_add_text(&text, table, 0, bold);
	assert_string_equal(text_string(&text), wanted);
	text_free(&text);
	table_free(table);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct table table = { columns, COUNT(columns), { 0 } };

	(void)state;
	table_add_value(&table, "al");
	table_add(&table, "123456");
	table_add(&table, "no reason");
	table_add_value(&table, "bertram");
	table_add(&table, "7");
	table_add(&table, "-");
	table_is(&table, false,
		 "  user      bytes  why\n"
		 "  al       123456  no reason\n"
		 "  bertram       7  -\n");
}

static void without_rows_there_are_titles(void **state)
{
	struct table table = { columns, COUNT(columns), { 0 } };

	(void)state;
	table_is(&table, false, "  user  bytes  why\n");
}

static void titles_may_be_bold(void **state)
{
	struct table table = { columns, COUNT(columns), { 0 } };

	(void)state;
	table_is(&table, true, "\033[1m  user  bytes  why\033[0m\n");
}

static void value_is(const char *value, const char *wanted)
{
	struct table table = { columns, COUNT(columns), { 0 } };

	table_add_value(&table, value);
	assert_string_equal(table.cells.line[0], wanted);
	table_free(&table);
}

static void values_of_others_are_escaped_and_cut(void **state)
{
	(void)state;
	value_is("", "-");
	value_is("12345678", "12345678");
	value_is("123456789", "12345...");
	value_is("a b", "\"a b\"");
	value_is("\033[31m", "\"\\x1b...");
	value_is("a\nb", "\"a\\x0ab\"");
	value_is("\xc3\xa9", "\"\\xc3...");
	value_is("\xc3\xa9\xc3\xa9\xc3\xa9", "\"\\xc3...");
}

static void a_column_may_have_no_limit(void **state)
{
	struct table table = { columns, COUNT(columns), { 0 } };

	(void)state;
	table_add(&table, "-");
	table_add_value(&table, "12345678901234567890");
	assert_string_equal(table.cells.line[1], "12345678901234567890");
	table_free(&table);
}

static void fits(size_t room, const char *wanted)
{
	static const struct column some[] = {
		{ "user", 0, false, 0 }, { "group", 0, false, 1 }, { "none", 0, false, 0 }, { "real", 0, false, 2 },
		{ "in", 0, true, 0 },
	};
	static const char *const cells[] = { "alice", "staff", "-", "198.51.100.11", "1 B", "bob", "-", "-", "-", "-" };
	struct table table CLEANUP(table_free) = { some, COUNT(some), { 0 } };
	struct text text CLEANUP(text_free) = { 0 };

	for (size_t i = 0; i < COUNT(cells); i++)
		table_add(&table, cells[i]);
	table_add_text(&text, &table, room, false);
	assert_string_equal(text_string(&text), wanted);
}

static void columns_are_left_out_until_it_fits(void **state)
{
	(void)state;
	fits(34, "  user   group  real            in\n  alice  staff  198.51.100.11  1 B\n  bob    -      -                -\n");
	fits(33, "  user   real            in\n  alice  198.51.100.11  1 B\n  bob    -                -\n");
	fits(26, "  user    in\n  alice  1 B\n  bob      -\n");
}

static void where_that_does_not_do_a_row_is_a_block(void **state)
{
	(void)state;
	fits(11, "  alice\n    group\n    staff\n    real\n    198.51.1\n    00.11\n    in 1 B\n  bob\n");
}

static void the_last_words_are_wrapped(void **state)
{
	struct table table = { columns, COUNT(columns), { 0 } };
	struct text text CLEANUP(text_free) = { 0 };

	(void)state;
	table_add(&table, "al");
	table_add(&table, "1");
	table_add(&table, "some words of which there are many");
	table_add_text(&text, &table, 32, true);
	assert_string_equal(text_string(&text), "\033[1m  user  bytes  why\033[0m\n  al        1  some words of\n"
						"               which there are\n               many\n");
	table_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(without_rows_there_are_titles),
		cmocka_unit_test(titles_may_be_bold),
		cmocka_unit_test(values_of_others_are_escaped_and_cut),
		cmocka_unit_test(a_column_may_have_no_limit),
		cmocka_unit_test(columns_are_left_out_until_it_fits),
		cmocka_unit_test(where_that_does_not_do_a_row_is_a_block),
		cmocka_unit_test(the_last_words_are_wrapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CASES_H
#define CASES_H

#include "support.h"

/*
 * The configurations whose results are kept as golden files: wanted.txt has what each asks for, expressions.txt what
 * libnftnl makes of each rule, scripts.txt how some are installed and removed.
 */

#define CONFIG_CASES 28

struct config_case {
	const char *name;
	const char *text;	/* of the file */
};

extern const struct config_case config_cases[CONFIG_CASES];

/*
 * case_tests - a test for each of the cases, which it gets as its state
 * @what: what it tests; the name of the case follows
 */
void case_tests(struct CMUnitTest tests[CONFIG_CASES], const char *what, CMUnitTestFunction test);

/* case_text - the configuration of the case with this name */
const char *case_text(const char *name);

#define CASE_SUBNETS 100	/* of each family in the largest */

/* example_make_largest - many subnets, as many services and other interfaces as there can be, with the longest text */
void example_make_largest(struct example *example);

/*
 * text_add_difference - the lines of @old_text that are not in @new_text, with `-`, and the other way round, with `+`
 *
 * Before each group of them the line that they stand behind, and the line that opens its block, with `@`.
 */
void text_add_difference(struct text *text, const char *old_text, const char *new_text);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CASES_H
#define CASES_H

#include "support.h"

/* The configurations whose results are kept as golden files. */

#define POLICY_CASES 21

struct policy_case {
	const char *name;
	const char *text;	/* of the file */
};

extern const struct policy_case policy_cases[POLICY_CASES];

/*
 * case_tests - a test for each of the cases, which it gets as its state
 * @what: what it tests; the name of the case follows
 */
void case_tests(struct CMUnitTest tests[POLICY_CASES], const char *what, CMUnitTestFunction test);

/* case_text - the configuration of the case with this name */
const char *case_text(const char *name);

/* wanted_make_largest - as many subnets, services and other interfaces as there can be, with the longest text */
void wanted_make_largest(struct wanted *wanted);

/* assert_case_golden - the golden file KIND-NAME.txt holds the case's configuration and @text */
#define assert_case_golden(kind, one, text) check_case_golden(kind, one, text, __FILE__, __LINE__)
void check_case_golden(const char *kind, const struct policy_case *one, const char *text, const char *file, int line);

#endif

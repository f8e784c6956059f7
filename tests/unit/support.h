/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "base/report.h"
#include "base/text.h"
#include "config/config.h"
#include "model/present.h"
#include "model/wanted.h"

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

/* What the unit tests share. Where a helper can't do its part, the test that called it fails. */

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/*
 * enter_directory - as setup: a new directory is the working directory, and no variable of
 * ocserv or of ours is in the environment
 */
int enter_directory(void **state);

/* leave_directory - as teardown: the directory is gone with all that is in it */
int leave_directory(void **state);

/* in_directory - a test with these two around it */
#define in_directory(test) cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)

/* directory_path - absolute, of the directory that was entered */
const char *directory_path(void);

/* write_bytes, write_file - a file of mode 0600 in the working directory, in place of an earlier one */
void write_bytes(const char *name, const void *bytes, size_t length);
void write_file(const char *name, const char *content);

/* read_file - the whole file, to be freed; NULL where there is none */
char *read_file(const char *name);

/*
 * run_as_nobody - call @function without root's privileges
 *
 * The working directory is that user's meanwhile. Without root it is called as it is.
 */
void run_as_nobody(void (*function)(void));

/* A worker of ocserv: a process that does nothing until it is ended. */
struct worker {
	pid_t pid;
	char id[16];	/* the same in decimal, as ocserv has it in ID */
};

/* begin_worker - @name is that of the process */
struct worker begin_worker(const char *name);
void end_worker(const struct worker *worker);

/* load_text - config_load() of a file with this content; returns its result */
int load_text(struct config *config, const char *text, struct report *report);

/* load_valid - a configuration without errors */
void load_valid(struct config *config, const char *text);

/* The state that a configuration asks for, with IPv4 gateways on eth0 and IPv6 gateways on eth1. */
struct example {
	struct config config;
	struct exits exits;
	struct wanted wanted;
};

/* exits_found - on the interfaces of the cases: eth0 with the index 2, and for IPv6 eth1 with 3; a link has 4 */
void exits_found(struct exits *exits, const struct config *config);

/* example_make - with its guard compiled; example_free() when done */
void example_make(struct example *example, const char *text);
void example_make_on(struct example *example, const char *text, const struct host *host);
void example_free(struct example *example);

/* present_fresh - a kernel with its own three policy rules of each family and nothing else */
void present_fresh(struct present *present);

/* present_as_wanted - a fresh kernel with all of @wanted */
void present_as_wanted(struct present *present, const struct wanted *wanted);

/* present_add_rule - behind those of its priority, as the kernel does it */
struct rule *present_add_rule(struct present *present, const struct rule *rule);

/* present_add_route - a last one */
struct route *present_add_route(struct present *present, const struct route *route);

/* present_set_neighbour - in place of what its interface had for that address; present_drop_neighbour - that one goes */
struct neighbour *present_set_neighbour(struct present *present, const struct neighbour *neighbour);
void present_drop_neighbour(struct present *present, const struct neighbour *neighbour);

/* present_set_guard - the kill switch of a policy in place of what is there */
void present_set_guard(struct present *present, const struct guard *guard);
void present_drop_guard(struct present *present);

/* present_drop_rule, present_drop_route - without the one at @index */
void present_drop_rule(struct present *present, size_t index);
void present_drop_route(struct present *present, size_t index);

struct prefix prefix_of(const char *text);
struct address address_of(const char *text);

/* lines_hold - whether one of the lines has @fragment in it */
bool lines_hold(const struct lines *lines, const char *fragment);

/* assert_line - one of the lines has @fragment in it; says which there are where none has */
#define assert_line(lines, fragment) check_line(lines, fragment, __FILE__, __LINE__)
void check_line(const struct lines *lines, const char *fragment, const char *file, int line);

/* assert_contains - as assert_line, of one string */
#define assert_contains(string, fragment) check_contains(string, fragment, __FILE__, __LINE__)
void check_contains(const char *string, const char *fragment, const char *file, int line);

/*
 * assert_golden - @text is what the file @name in tests/unit/golden holds
 *
 * With UPDATE_GOLDEN in the environment the file is written instead: read the difference.
 */
#define assert_golden(name, text) check_golden(name, text, __FILE__, __LINE__)
void check_golden(const char *name, const char *text, const char *file, int line);

#endif

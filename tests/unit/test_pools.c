/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pools of ocserv's configuration and of many files for users: which of them count, and what is kept of them. */
#include "config/pools.h"
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static struct report report;

/* What subnet4 and subnet6 become, "4|6"; the first error where there is one. */
static char *found(void)
{
	struct text said = { 0 }, ini CLEANUP(text_free) = { 0 };
	struct config config;

	report_free(&report);
	text_add(&ini, "[clients]\nsubnet4 = auto\nsubnet6 = auto\n[gateway]\naddress4 = 172.28.0.2\n"
		 "[session]\nstate_dir = %s/state\n", directory_path());
	write_file("gateway.ini", text_string(&ini));
	if (config_load(&config, "gateway.ini", "ocserv.conf", &report) < 0) {
		text_add(&said, "%s", report.errors.line[0]);
	} else {
		for (int key = KEY_SUBNET4; key <= KEY_SUBNET6; key++)
			text_add(&said, "%s%s", key == KEY_SUBNET4 ? "" : "|",
				 config.setting[key].value ? config.setting[key].value : "");
	}
	config_free(&config);
	return said.data;
}

static void check_found(const char *wanted, const char *warning, int line)
{
	char *said = found();

	if (strcmp(said, wanted) != 0)
		fail_msg("line %d: '%s', not '%s'", line, said, wanted);
	if (!warning && report.warnings.count)
		fail_msg("line %d: warning: %s", line, report.warnings.line[0]);
	if (warning)
		check_line(&report.warnings, warning, __FILE__, line);
	free(said);
}

#define becomes(wanted) check_found(wanted, NULL, __LINE__)
#define warns(wanted, warning) check_found(wanted, warning, __LINE__)

#define MAIN "device = vpns\nipv4-network = 10.20.0.0/24\nconfig-per-user = users\nconfig-per-group = groups/\n"

static void begin(void)
{
	write_file("ocserv.conf", MAIN);
	assert_int_equal(mkdir("users", 0755), 0);
	assert_int_equal(mkdir("groups", 0755), 0);
	assert_int_equal(mkdir("state", 0700), 0);
}

static void write_user(const char *name, const char *text)
{
	struct text path CLEANUP(text_free) = { 0 };

	text_add(&path, "users/%s", name);
	write_file(text_string(&path), text);
}

/* What was written so long ago that a change would have another time. */
static void settle(const char *path)
{
	const struct timespec past[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

	assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
}

static void what_no_pool_is_counts_for_nobody_else(void **state)
{
	static const struct { const char *line, *warning; } cases[] = {
		{ "ipv4-network = 198.0.0.0/8", "users/eve: the pool 198.0.0.0/8 is not a private network, and is wider than /16: it is" },
		{ "ipv4-network = 198.51.0.0/15", "the pool 198.50.0.0/15 is not a private network, and is wider than /16" },
		{ "ipv4-network = 0.0.0.0/1", "the pool 0.0.0.0/1 is wider than /8" },
		{ "ipv4-network = 0.0.0.0/0", "the pool 0.0.0.0/24 can't be addresses of clients" },
		{ "ipv4-network = 10.0.0.0/7", "the pool 10.0.0.0/7 is wider than /8" },
		{ "ipv4-network = 127.0.0.0/24", "the pool 127.0.0.0/24 can't be addresses of clients" },
		{ "explicit-ipv4 = 224.0.0.1", "the pool 224.0.0.1/32 can't be addresses of clients" },
		{ "ipv4-network = 172.28.0.0/24", "the pool 172.28.0.0/24 holds the gateway" },
		{ "explicit-ipv4 = 172.28.0.2", "the pool 172.28.0.2/32 holds the gateway" },
		{ "ipv6-network = 2001:db8::/31", "the pool 2001:db8::/31 is not a private network, and is wider than /32" },
		{ "ipv6-network = ::/1", "the pool ::/1 is wider than /16" },
		{ "ipv6-network = fc00::/7", "the pool fc00::/7 is wider than /16" },
		{ "ipv6-network = ff02::/64", "the pool ff02::/64 can't be addresses of clients" },
	};

	(void)state;
	begin();
	write_user("bob", "explicit-ipv4 = 10.30.0.1\n");
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_user("eve", cases[i].line);
		warns("10.20.0.0/24, 10.30.0.1/32|", cases[i].warning);
		assert_int_equal(report.warnings.count, 1);
	}
}

static void what_a_pool_may_be_counts(void **state)
{
	static const struct { const char *line, *list; } cases[] = {
		{ "ipv4-network = 10.0.0.0/8", "10.0.0.0/8|" },
		{ "ipv4-network = 100.64.0.0/10", "10.20.0.0/24, 100.64.0.0/10|" },
		{ "ipv4-network = 198.51.0.0/16", "10.20.0.0/24, 198.51.0.0/16|" },
		{ "ipv6-network = fd00::/16", "10.20.0.0/24|fd00::/16" },
		{ "ipv6-network = 2001:db8::/32", "10.20.0.0/24|2001:db8::/32" },
	};

	(void)state;
	begin();
	becomes("10.20.0.0/24|");
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_user("bob", cases[i].line);
		becomes(cases[i].list);
	}
}

/* Its own pools are everybody's: what is wrong with one is an error. */
static void ocserv_conf_itself_may_be_wider_but_not_wrong(void **state)
{
	(void)state;
	begin();
	write_file("ocserv.conf", "ipv4-network = 198.0.0.0/8\nipv6-network = 2001::/16\n");
	becomes("198.0.0.0/8|2001::/16");
	write_file("ocserv.conf", "ipv4-network = 198.0.0.0/7\n");
	becomes("gateway.ini:2: [clients] subnet4 = auto: ocserv.conf:1: ipv4-network = 198.0.0.0/7: is wider than /8: not a client "
		"pool; correct it, or write the subnets here");
	write_file("ocserv.conf", MAIN "[vhost:x]\nipv6-network = 2001::/15\n");
	becomes("gateway.ini:3: [clients] subnet6 = auto: ocserv.conf:6: ipv6-network = 2001::/15: is wider than /16: not a client "
		"pool; correct it, or write the subnets here");
}

static void pools_side_by_side_are_one(void **state)
{
	(void)state;
	begin();
	write_user("a", "explicit-ipv4 = 10.30.0.0\n");
	write_user("b", "explicit-ipv4 = 10.30.0.1\n");
	write_user("c", "explicit-ipv4 = 10.30.0.3\n");
	becomes("10.20.0.0/24, 10.30.0.0/31, 10.30.0.3/32|");
	write_user("d", "explicit-ipv4 = 10.30.0.2\n");
	becomes("10.20.0.0/24, 10.30.0.0/30|");
	write_user("e", "ipv4-network = 10.20.1.0/24\n");
	becomes("10.20.0.0/23, 10.30.0.0/30|");
	write_user("f", "ipv4-network = 10.20.0.0/16\nipv6-network = fd20::/65\n");
	write_user("g", "ipv6-network = fd20::8000:0:0:0/65\nexplicit-ipv6 = fd20::5\n");
	becomes("10.20.0.0/16, 10.30.0.0/30|fd20::/64");
	/* Nothing wider than one may be. */
	write_file("ocserv.conf", "ipv4-network = 10.0.0.0/8\n[vhost:x]\nipv4-network = 11.0.0.0/8\n");
	becomes("10.0.0.0/8, 11.0.0.0/8|");
}

/* What a network lacks stands in ocserv.conf: an edit there counts for files that are as they were. */
static void what_a_network_lacks_is_of_the_section_that_names_its_file(void **state)
{
	(void)state;
	begin();
	write_user("bob", "ipv4-network = 10.51.0.200\n");
	settle("users/bob");
	becomes("10.20.0.0/24, 10.51.0.0/24|");
	becomes("10.20.0.0/24, 10.51.0.0/24|");
	write_file("ocserv.conf", MAIN "ipv4-netmask = 255.255.255.192\n");
	becomes("10.20.0.0/26, 10.51.0.192/26|");
	becomes("10.20.0.0/26, 10.51.0.192/26|");
	write_file("ocserv.conf", MAIN "[vhost:x]\nipv4-network = 10.61.0.0/28\nconfig-per-user = users\n");
	for (int i = 0; i < 2; i++)
		becomes("10.20.0.0/24, 10.61.0.0/28, 10.51.0.0/24|");
	write_file("ocserv.conf", MAIN "[vhost:x]\nipv4-network = 10.61.0.0\nipv4-netmask = 255.255.0.0\nconfig-per-user = users\n");
	for (int i = 0; i < 2; i++)
		becomes("10.20.0.0/24, 10.61.0.0/16, 10.51.0.0/16|");
	write_user("bob", "ipv4-network = 10.51.0.200\nipv4-netmask = 255.255.255.252\n");
	becomes("10.20.0.0/24, 10.61.0.0/16, 10.51.0.200/30|");
}

static void write_users(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		char name[16], line[64];

		snprintf(name, sizeof(name), "u%05u", i);
		snprintf(line, sizeof(line), "explicit-ipv4 = 10.%u.%u.%u\n", 100 + (2 * i >> 16), 2 * i >> 8 & 255, 2 * i & 255);
		write_user(name, line);
	}
}

static void all_pools_are_taken(void **state)
{
	char *list;

	(void)state;
	begin();
	write_users(300);
	list = found();
	assert_int_equal(report.warnings.count, 0);
	assert_contains(list, "10.20.0.0/24, 10.100.0.0/32, 10.100.0.2/32, ");
	assert_contains(list, ", 10.100.2.86/32|");
	free(list);
}

static void what_can_not_be_read_is_named(void **state)
{
	struct text many CLEANUP(text_free) = { 0 };

	(void)state;
	begin();
	assert_int_equal(symlink("/nowhere", "users/link"), 0);
	warns("10.20.0.0/24|", "users/link: No such file or directory; its pools are left out");
	unlink("users/link");
	assert_int_equal(mkfifo("users/fifo", 0600), 0);
	warns("10.20.0.0/24|", "users/fifo: Invalid argument; its pools are left out");
	unlink("users/fifo");
	write_user("huge", "ipv4-network = 10.30.0.0/24\n");
	assert_int_equal(truncate("users/huge", 2 << 20), 0);
	warns("10.20.0.0/24|", "users/huge: File too large; its pools are left out");
	for (int i = 0; i < 5000; i++)
		text_add(&many, "a=b\n");
	write_user("huge", text_string(&many));
	warns("10.20.0.0/24|", "users/huge: has more than 4096 lines; its pools are left out");
	unlink("users/huge");
	rmdir("groups");
	warns("10.20.0.0/24|", "groups/: No such file or directory; the pools in it are left out");
}

static void the_number_of_files_is_bounded(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < POOLS_FILES + 3; i++) {
		char name[32];

		snprintf(name, sizeof(name), "users/u%05d", i);
		assert_int_equal(link("ocserv.conf", name), 0);
	}
	warns("10.20.0.0/24|", "ocserv.conf: names more than 16384 files for groups and users; 3 of them are not read");
}

/* The cache. A file that can't have been looked at shows that its pools come from there. */

/* utimensat() sets the time of the change to now: wait until that is past. */
static void wait_until_settled(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	while (time(NULL) <= status.st_ctim.tv_sec + 2)
		usleep(20000);
}

/* Says something else of the file that is cached, as only root could. */
static void forge_cache(const char *before, const char *after)
{
	char *cache = read_file("state/pools"), *place;

	assert_non_null(cache);
	place = strstr(cache, before);
	assert_non_null(place);
	assert_int_equal(strlen(before), strlen(after));
	memcpy(place, after, strlen(after));
	write_file("state/pools", cache);
	free(cache);
}

static void what_was_read_is_kept_until_the_file_changes(void **state)
{
	(void)state;
	begin();
	write_user("alice", "ipv4-network = 10.30.0.0/24\n");
	write_user("bob", "ipv4-network = 10.40.0.0/24\n");
	settle("users/alice");
	becomes("10.20.0.0/24, 10.30.0.0/24, 10.40.0.0/24|");
	assert_int_equal(access("state/pools", F_OK), -1);
	wait_until_settled("users/alice");
	becomes("10.20.0.0/24, 10.30.0.0/24, 10.40.0.0/24|");
	assert_int_equal(access("state/pools", F_OK), 0);
	/* It is believed. */
	forge_cache("10.30.0.0/24", "10.31.0.0/24");
	becomes("10.20.0.0/24, 10.31.0.0/24, 10.40.0.0/24|");
	/* Until something is changed, added, replaced or removed. */
	write_user("carol", "ipv4-network = 10.50.0.0/24\n");
	becomes("10.20.0.0/24, 10.31.0.0/24, 10.40.0.0/24, 10.50.0.0/24|");
	write_user("bob", "ipv4-network = 10.41.0.0/24\n");
	becomes("10.20.0.0/24, 10.31.0.0/24, 10.41.0.0/24, 10.50.0.0/24|");
	write_user("bob", "ipv4-network = 10.42.0.0/24\n");
	becomes("10.20.0.0/24, 10.31.0.0/24, 10.42.0.0/24, 10.50.0.0/24|");
	unlink("users/carol");
	becomes("10.20.0.0/24, 10.31.0.0/24, 10.42.0.0/24|");
	settle("users/alice");
	becomes("10.20.0.0/24, 10.30.0.0/24, 10.42.0.0/24|");
	assert_int_equal(rename("users/bob", "users/alice"), 0);
	becomes("10.20.0.0/24, 10.42.0.0/24|");
	unlink("users/alice");
	becomes("10.20.0.0/24|");
	assert_int_equal(access("state/pools", F_OK), -1);
}

/* However long ago: nobody has looked since. */
static void what_was_changed_long_ago_is_read_again(void **state)
{
	(void)state;
	begin();
	write_user("alice", "ipv4-network = 10.30.0.0/24\n");
	wait_until_settled("users/alice");
	becomes("10.20.0.0/24, 10.30.0.0/24|");
	forge_cache("10.30.0.0/24", "10.31.0.0/24");
	becomes("10.20.0.0/24, 10.31.0.0/24|");
	write_user("alice", "ipv4-network = 10.32.0.0/24\n");
	settle("users/alice");
	wait_until_settled("users/alice");
	becomes("10.20.0.0/24, 10.32.0.0/24|");
	becomes("10.20.0.0/24, 10.32.0.0/24|");
}

static void a_cache_that_is_not_ours_is_passed_over(void **state)
{
	(void)state;
	begin();
	write_user("alice", "ipv4-network = 10.30.0.0/24\n");
	wait_until_settled("users/alice");
	free(found());
	forge_cache("10.30.0.0/24", "10.31.0.0/24");
	assert_int_equal(chmod("state/pools", 0622), 0);
	becomes("10.20.0.0/24, 10.30.0.0/24|");
	forge_cache("10.30.0.0/24", "10.31.0.0/24");
	assert_int_equal(chmod("state", 0777), 0);
	becomes("10.20.0.0/24, 10.30.0.0/24|");
	assert_int_equal(chmod("state", 0700), 0);
	becomes("10.20.0.0/24, 10.31.0.0/24|");
	assert_int_equal(rename("state/pools", "state/elsewhere"), 0);
	assert_int_equal(symlink("elsewhere", "state/pools"), 0);
	becomes("10.20.0.0/24, 10.30.0.0/24|");
	/* Nor can it bring what a file could not. */
	forge_cache("10.30.0.0/24", "127.0.0.0/24");
	warns("10.20.0.0/24|", "users/alice: the pool 127.0.0.0/24 can't be addresses of clients");
	assert_int_equal(unlink("state/pools"), 0);
	assert_int_equal(mkdir("state/pools", 0700), 0);
	becomes("10.20.0.0/24, 10.30.0.0/24|");
}

static void count_entry(const struct pools_entry *entry, void *data)
{
	(void)entry;
	++*(unsigned int *)data;
}

static void add_entry(const struct pools_entry *entry, void *data)
{
	static const char *before;
	struct text *text = data;

	if (!text->length)
		before = NULL;
	pools_add_cached(text, before, entry);
	before = entry->directory;
}

#define ENTRY "F 00000000000000ff 10.30.0.0/24 fd30::/64 =alice\n"

/* A cache of these lines behind its heading; how many entries there are, or -1. */
static int entries_of(const char *lines)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct pools_entry entry = { "d", "n", 0, NULL, 0 };
	unsigned int count = 0;

	pools_add_cached(&text, NULL, &entry);
	text.length = (size_t)(strchr(text.data, '\n') + 1 - text.data);
	text_add_string(&text, lines);
	return pools_parse_cache(text.data, text.length, count_entry, &count) ? (int)count : -1;
}

static void a_cache_is_read_strictly(void **state)
{
	static const char *const wrong[] = {
		"x", ENTRY, "D /d\nF\n", "D /d\nF 00000000000000ff\n", "D /d\nF 00000000000000FF =alice\n",
		"D /d\nF 00000000000000f =alice\n", "D /d\nF 00000000000000ff 10.30.0.1/24 =alice\n",
		"D /d\nF 00000000000000ff 10.030.0.0/24 =alice\n", "D /d\nF 00000000000000ff 10.30.0.0 =alice\n",
		"D /d\nF 00000000000000ff 10.30.0.0/24=alice\n", "D /d\nF 00000000000000ff  =alice\n",
		"D /d\nF 00000000000000ff =\n", "D /d\nF 00000000000000ff =alice",
		"D /d\n" ENTRY ENTRY, "D /d\nF 0000000000000000 =b\nF 0000000000000000 =a\n", "D /d\n" ENTRY "\n",
		"D /d\n" ENTRY "G 1\n", "D /d\n", "D /d\nD /e\n" ENTRY, "D /d\n" ENTRY "D /d\n" ENTRY, "D /d\n" ENTRY "D /e\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		if (entries_of(wrong[i]) >= 0)
			fail_msg("read: %s", wrong[i]);
	assert_int_equal(entries_of(""), 0);
	assert_int_equal(entries_of("D /d\n" ENTRY), 1);
	assert_int_equal(entries_of("D /d\n" ENTRY "D /e\n" ENTRY "F 0000000000000001 =bob = x\n"), 3);
}

static void a_cache_is_written_as_it_is_read(void **state)
{
	static const struct pools_entry entries[] = {
		{ "/d", "a", 1, NULL, 0 }, { "/d", "b =c", ~0ULL, NULL, 0 }, { "/e/", "=", 0, NULL, 0 },
	};
	struct text text CLEANUP(text_free) = { 0 }, again CLEANUP(text_free) = { 0 };
	struct prefix pools[] = { prefix_of("10.30.0.0/24"), prefix_of("fd30::/64") };
	char *copy;

	(void)state;
	for (size_t i = 0; i < COUNT(entries); i++) {
		struct pools_entry entry = entries[i];

		entry.pool = pools;
		entry.pools = i;
		add_entry(&entry, &text);
	}
	copy = duplicate(text.data);
	assert_true(pools_parse_cache(text.data, text.length, add_entry, &again));
	assert_string_equal(again.data, copy);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(what_no_pool_is_counts_for_nobody_else),
		in_directory(what_a_pool_may_be_counts),
		in_directory(ocserv_conf_itself_may_be_wider_but_not_wrong),
		in_directory(pools_side_by_side_are_one),
		in_directory(what_a_network_lacks_is_of_the_section_that_names_its_file),
		in_directory(all_pools_are_taken),
		in_directory(what_can_not_be_read_is_named),
		in_directory(the_number_of_files_is_bounded),
		in_directory(what_was_read_is_kept_until_the_file_changes),
		in_directory(what_was_changed_long_ago_is_read_again),
		in_directory(a_cache_that_is_not_ours_is_passed_over),
		in_directory(a_cache_is_read_strictly),
		in_directory(a_cache_is_written_as_it_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

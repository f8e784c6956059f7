/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/trust.h"
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHER 4711

/* What is said of the file at this path of the test's directory; "" where it is trusted. */
static void check_path(const char *name, const char *said, int line)
{
	struct text path CLEANUP(text_free) = { 0 }, wrong CLEANUP(text_free) = { 0 };
	struct stat status;
	bool trusted;

	text_add(&path, "%s/%s", directory_path(), name);
	trusted = path_is_trusted(text_string(&path), &status, &wrong);
	if (trusted != !said[0] || !strstr(text_string(&wrong), said))
		fail_msg("line %d: %s: '%s', not '%s'", line, name, text_string(&wrong), said);
}

#define says(name, said) check_path(name, said, __LINE__)

static void make_directories(void)
{
	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(mkdir("a/b", 0755), 0);
	write_file("a/b/file", "");
}

static void a_file_in_directories_of_root_is_trusted(void **state)
{
	(void)state;
	make_directories();
	says("a/b/file", "");
	says("a//b/./file", "");
	says("a/../a/b/file", "");
	says("a/b/gone", "No such file or directory");
	says("a/b/file/x", "Not a directory");
	says("a/b", "is not a regular file");
}

static void each_directory_on_the_way_counts(void **state)
{
	static const char *const directories[] = { "a", "a/b" };

	(void)state;
	make_directories();
	for (size_t i = 0; i < COUNT(directories); i++) {
		struct text said CLEANUP(text_free) = { 0 };

		text_add(&said, "is in %s/%s, a directory that others can write to", directory_path(), directories[i]);
		assert_int_equal(chmod(directories[i], 0757), 0);
		says("a/b/file", text_string(&said));
		assert_int_equal(chmod(directories[i], 0755), 0);
		if (geteuid() != 0)
			continue;
		assert_int_equal(chown(directories[i], OTHER, 0), 0);
		says("a/b/file", text_string(&said));
		assert_int_equal(chown(directories[i], 0, OTHER), 0);
		says("a/b/file", "");
		assert_int_equal(chmod(directories[i], 0775), 0);
		says("a/b/file", text_string(&said));
		assert_int_equal(chown(directories[i], 0, 0), 0);
		says("a/b/file", "");
		assert_int_equal(chmod(directories[i], 0755), 0);
	}
}

/* In a sticky one nobody can take away what is another's; but what is gone can be made anew. */
static void a_sticky_directory_may_be_on_the_way_but_not_the_last(void **state)
{
	(void)state;
	make_directories();
	assert_int_equal(chmod("a", 01777), 0);
	says("a/b/file", "");
	assert_int_equal(chmod("a/b", 01777), 0);
	says("a/b/file", "(user ");
}

static void links_are_followed(void **state)
{
	struct text target CLEANUP(text_free) = { 0 };

	(void)state;
	make_directories();
	assert_int_equal(mkdir("links", 0755), 0);
	text_add(&target, "%s/a/b/file", directory_path());
	assert_int_equal(symlink(text_string(&target), "links/absolute"), 0);
	assert_int_equal(symlink("../a/b/file", "links/relative"), 0);
	assert_int_equal(symlink("../a", "links/directory"), 0);
	assert_int_equal(symlink("relative", "links/link"), 0);
	assert_int_equal(symlink("loop", "links/loop"), 0);
	assert_int_equal(symlink("gone", "links/nowhere"), 0);
	says("links/absolute", "");
	says("links/relative", "");
	says("links/link", "");
	says("links/directory/b/file", "");
	says("links/loop", strerror(ELOOP));
	says("links/nowhere", "No such file or directory");
	/* Where the file is, and where the link is. */
	assert_int_equal(chmod("a", 0777), 0);
	says("links/absolute", "/a, a directory that others can write to");
	says("links/relative", "/a, a directory that others can write to");
	says("links/directory/b/file", "/a, a directory that others can write to");
	assert_int_equal(chmod("a", 0755), 0);
	assert_int_equal(chmod("links", 0777), 0);
	says("links/link", "/links, a directory that others can write to");
}

static void a_name_of_any_length_is_looked_at(void **state)
{
	struct text path CLEANUP(text_free) = { 0 };

	(void)state;
	for (int i = 0; i < 2000; i++)
		text_add(&path, "x/./");
	says(text_string(&path), strerror(ENAMETOOLONG));
	make_directories();
	text_free(&path);
	text_add(&path, "a");
	while (path.length < 3500)
		text_add(&path, "/./b/..");
	text_add(&path, "/b/file");
	says(text_string(&path), "");
	/* A link whose target makes it longer than any path. */
	assert_int_equal(symlink("a/b/../b/../b/../b/../b/../b/../b/../b/../b/../b/../b/..", "long"), 0);
	text_free(&path);
	text_add(&path, "long");
	while (path.length + strlen(directory_path()) < 4050)
		text_add(&path, "/.");
	says(text_string(&path), strerror(ENAMETOOLONG));
}

static void the_file_itself_is_nobody_elses(void **state)
{
	(void)state;
	make_directories();
	assert_int_equal(chmod("a/b/file", 0602), 0);
	says("a/b/file", "others can write to it (mode 0602); chmod go-w it");
	if (geteuid() != 0)
		return;
	assert_int_equal(chmod("a/b/file", 0660), 0);
	says("a/b/file", "");
	assert_int_equal(chown("a/b/file", 0, OTHER), 0);
	says("a/b/file", "others can write to it (mode 0660); chmod go-w it");
	assert_int_equal(chmod("a/b/file", 0600), 0);
	says("a/b/file", "");
	assert_int_equal(chown("a/b/file", OTHER, 0), 0);
	says("a/b/file", "belongs to user 4711; chown root it");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(a_file_in_directories_of_root_is_trusted),
		in_directory(each_directory_on_the_way_counts),
		in_directory(a_sticky_directory_may_be_on_the_way_but_not_the_last),
		in_directory(links_are_followed),
		in_directory(a_name_of_any_length_is_looked_at),
		in_directory(the_file_itself_is_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

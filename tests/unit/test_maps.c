/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/maps.h"
#include "config/names.h"
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define SETTLED 4	/* seconds after which a file's time is its own */
#define GATEWAYS "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n" \
		 "[gateway nl]\naddress4 = 172.28.0.4\n[gateway us]\naddress4 = link\ninterface = wg0\n"

/* What the program takes for the time: a file's own can't be set back. */
static time_t later;

time_t time(time_t *now)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	if (now)
		*now = real.tv_sec + later;
	return real.tv_sec + later;
}

static void settle(void)
{
	later += SETTLED;
}

static void change_just_now(void)
{
	later = 0;
}

/* GATEWAYS, with files of [maps] in the test's directory: each of "users", "groups" and "vhosts" that is there. */
static void load_with_maps(struct config *config, const char *more)
{
	static const char *const names[] = { "users", "groups", "vhosts" };
	struct text text CLEANUP(text_free) = { 0 };

	text_add(&text, GATEWAYS "%s[session]\nstate_dir = %s\n[maps]\n", more, directory_path());
	for (size_t i = 0; i < COUNT(names); i++)
		if (access(names[i], F_OK) == 0)
			text_add(&text, "%s = %s/%s\n", names[i], directory_path(), names[i]);
	load_valid(config, text_string(&text));
}

static const struct gateway *gateway_held(const struct config *config, const struct who *who)
{
	const struct gateway *gateway = NULL;
	struct report report = { 0 };
	struct maps_held held;

	if (maps_hold(&held, config, &report) == 0)
		gateway = maps_gateway_of(&held, who, &report);
	maps_release(&held);
	report_free(&report);
	return gateway;
}

/* The gateway of a user, with what says so; the same by the files in memory. */
static const char *gateway_of(const struct config *config, const struct who *who, struct text *line)
{
	struct report report = { 0 };
	const struct gateway *gateway = config_gateway_of(config, who, line, &report), *again;
	const char *name = gateway ? gateway->name : "refused";

	again = config_gateway_of(config, who, NULL, &report);
	assert_ptr_equal(gateway, again);
	assert_ptr_equal(gateway, gateway_held(config, who));
	assert_int_equal(report.errors.count, gateway ? 0 : 1);
	report_free(&report);
	return name;
}

static const char *gateway_of_user(const struct config *config, const char *user)
{
	return gateway_of(config, &(struct who){ .user = user }, NULL);
}

static void expect(const struct config *config, const struct who *who, const char *gateway, const char *said)
{
	struct text line CLEANUP(text_free) = { 0 };

	assert_string_equal(gateway_of(config, who, &line), gateway);
	assert_contains(text_string(&line), said);
}

/* What a file of [maps] for users gets from maps_check(). */
static void check_map(const char *content, struct report *report)
{
	struct config config;
	int result;

	write_file("users", content);
	load_with_maps(&config, "[users]\nalice = nl\n\"x*\" = us\n");
	result = maps_check(&config, report);
	assert_int_equal(result, report->errors.count ? -1 : 0);
	config_free(&config);
}

static void refused_map(const char *content, const char *said)
{
	struct report report = { 0 };

	check_map(content, &report);
	assert_int_equal(report.errors.count, 1);
	assert_int_equal(report.status, EX_CONFIG);
	assert_line(&report.errors, said);
	report_free(&report);
}

/* Who goes where */

static void user_before_group_before_vhost(void **state)
{
	struct config config;

	(void)state;
	write_file("groups", "staff us\n");
	load_with_maps(&config, "[users]\nalice = nl\n[groups]\nguests = block\n[vhosts]\nexample.org = direct\n");
	expect(&config, &(struct who){ "alice", "staff", "example.org" }, "nl", "gateway.ini:11: [users] alice = nl");
	expect(&config, &(struct who){ "bob", "staff", "example.org" }, "us", "/groups:1: staff us");
	expect(&config, &(struct who){ "bob", "guests", "example.org" }, "block", "gateway.ini:13: [groups] guests = block");
	expect(&config, &(struct who){ "bob", "", "example.org" }, "direct", "gateway.ini:15: [vhosts] example.org = direct");
	expect(&config, &(struct who){ "bob", NULL, "" }, "default", "no line");
	config_free(&config);
}

static void a_name_before_patterns_and_these_in_order(void **state)
{
	struct config config;

	(void)state;
	write_file("users", "z* nl\nzoe us\n?ob-tv block\n\"c*\" nl\n");
	load_with_maps(&config, "[users]\na*=us\n*-tv = nl\nann-tv = direct\n");
	assert_string_equal(gateway_of_user(&config, "ann-tv"), "direct");
	assert_string_equal(gateway_of_user(&config, "abe-tv"), "us");
	assert_string_equal(gateway_of_user(&config, "bob-tv"), "nl");
	assert_string_equal(gateway_of_user(&config, "zoe"), "us");
	assert_string_equal(gateway_of_user(&config, "zoo"), "nl");
	assert_string_equal(gateway_of_user(&config, "c*"), "nl");
	assert_string_equal(gateway_of_user(&config, "cat"), "default");
	config_free(&config);
}

static void patterns_fit(void **state)
{
	static const struct { const char *pattern, *name; bool fits; } cases[] = {
		{ "*", "a", true }, { "a", "a", true }, { "a", "ab", false }, { "a?", "ab", true }, { "a?", "a", false },
		{ "*-tv", "a-tv", true }, { "*-tv", "-tv", true }, { "*-tv", "a-tvx", false }, { "*-tv", "a-tv-tv", true },
		{ "a*b*c", "a1b2b3c", true }, { "a*b*c", "a1c", false }, { "?", "\xc3\xa9", true }, { "??", "\xc3\xa9", false },
		{ "m?ller", "m\xc3\xbcller", true }, { "**", "x", true }, { "*?", "x", true }, { "?*?", "x", false },
		{ "a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (name_fits(cases[i].pattern, strlen(cases[i].pattern), cases[i].name) != cases[i].fits)
			fail_msg("%s and %s", cases[i].pattern, cases[i].name);
}

/* In the configuration, and in a file. */
static void names_are_exact_bytes(void **state)
{
	static const struct { const char *written, *name; } cases[] = {
		{ "7", "7" }, { "007", "007" }, { "DOM\\alice", "DOM\\alice" }, { "\"DOM\\\\bob\"", "DOM\\bob" },
		{ "\"a b\"", "a b" }, { "a@example.org", "a@example.org" }, { "\"a:b\"", "a:b" }, { "\"#x\"", "#x" },
		{ "\"a=b\"", "a=b" }, { "\"a;b\"", "a;b" }, { "\"x ; y\"", "x ; y" }, { "\"[x]\"", "[x]" }, { "m\xc3\xbcller", "m\xc3\xbcller" },
		{ "\"*\"", "*" }, { "\"a?\"", "a?" }, { "\"say \\\"hi\\\"\"", "say \"hi\"" }, { "Alice", "Alice" }, { "\" \"", " " },
	};
	static const char *const others[] = { "07", "alice", "a", "DOMalice", "b", "x", "aa", "M\xc3\xbcller", "\"a b\"", "" };

	(void)state;
	for (int in_file = 0; in_file < 2; in_file++) {
		struct text lines CLEANUP(text_free) = { 0 };
		struct config config;

		text_add_string(&lines, in_file ? "" : "[users]\n");
		for (size_t i = 0; i < COUNT(cases); i++)
			text_add(&lines, "%s = %s\n", cases[i].written, i % 2 ? "nl" : "us");
		if (in_file)
			write_file("users", text_string(&lines));
		load_with_maps(&config, in_file ? "" : text_string(&lines));
		for (size_t i = 0; i < COUNT(cases); i++)
			if (strcmp(gateway_of_user(&config, cases[i].name), i % 2 ? "nl" : "us") != 0)
				fail_msg("%s", cases[i].name);
		for (size_t i = 0; i < COUNT(others); i++)
			if (strcmp(gateway_of_user(&config, others[i]), "default") != 0)
				fail_msg("%s", others[i]);
		config_free(&config);
	}
}

static void lines_of_a_file(void **state)
{
	struct config config;

	(void)state;
	write_file("users", "\xef\xbb\xbf" "first nl\n# c us\n  #d us\n\n  in=us\r\n\ttab\t=\tblock # a comment\n\"q\"nl\nlast drop");
	load_with_maps(&config, "");
	assert_string_equal(gateway_of_user(&config, "first"), "nl");
	assert_string_equal(gateway_of_user(&config, "in"), "us");
	assert_string_equal(gateway_of_user(&config, "tab"), "block");
	assert_string_equal(gateway_of_user(&config, "q"), "nl");
	assert_string_equal(gateway_of_user(&config, "last"), "block");
	assert_string_equal(gateway_of_user(&config, "c"), "default");
	assert_string_equal(gateway_of_user(&config, "d"), "default");
	assert_string_equal(gateway_of_user(&config, "nl"), "default");
	assert_int_equal(maps_count(&config, OF_USER), 5);
	config_free(&config);
}

static void an_edit_counts_at_once(void **state)
{
	struct config config;

	(void)state;
	write_file("users", "alice nl\n");
	load_with_maps(&config, "");
	assert_string_equal(gateway_of_user(&config, "alice"), "nl");
	write_file("users", "alice us\n");
	assert_string_equal(gateway_of_user(&config, "alice"), "us");
	unlink("users");
	assert_string_equal(gateway_of_user(&config, "bob"), "refused");
	write_file("users", "alice uk\n");
	assert_string_equal(gateway_of_user(&config, "alice"), "refused");
	assert_string_equal(gateway_of_user(&config, "bob"), "default");
	config_free(&config);
}

/* What is wrong */

static void what_is_wrong_with_a_file_is_said(void **state)
{
	struct report report = { 0 };

	(void)state;
	check_map("bob nl\n\"bob \" us\n\"bob*\" us\nbob* default\n\n# nothing\n", &report);
	assert_int_equal(report.errors.count, 0);
	refused_map("bob nl\n\nbob = us\n", "users:3: bob is already in ");
	refused_map("bob nl\n\"bob\" us\n", "users:2: bob is already in ");
	refused_map("b*b nl\nb*b nl\n", "users:2: b*b is already in ");
	refused_map("alice us\n", "users:1: alice is already in gateway.ini:11; keep one of them");
	refused_map("\"x*\" us\n", "users:1: \"x*\" is already in gateway.ini:12");
	refused_map("bob uk\n", "users:1: there is no gateway 'uk'; there are nl, us, default, direct and block");
	refused_map("bob averyveryverylongname\n", "there is no gateway 'averyveryverylongname'");
	refused_map("\n\nbob\n", "users:3: names no gateway");
	refused_map("bob =\n", "users:1: names no gateway");
	refused_map("bob # nl\n", "users:1: names no gateway");
	refused_map("bob b nl\n", "users:1: something stands behind the gateway");
	refused_map("= nl\n", "users:1: the name is empty");
	refused_map("\"\" nl\n", "users:1: the name is empty");
	refused_map("\"bob nl\n", "users:1: the name has no quote at its end");
	refused_map("\"b\\ob\" nl\n", "users:1: inside of quotes a backslash");
	refused_map("b:ob nl\n", "users:1: a name with a : needs double quotes");
	refused_map("bo#b nl\n", "users:1: a name with a # needs double quotes");
	refused_map(";bob nl\n", "users:1: a name with a ; needs double quotes");
	refused_map("b\x01ob nl\n", "users:1: the line holds control characters");
	report_free(&report);
}

static void all_that_is_wrong_is_said(void **state)
{
	struct text content CLEANUP(text_free) = { 0 };
	struct report report = { 0 };

	(void)state;
	for (int i = 0; i < 30; i++)
		text_add(&content, "u%d uk\n", i);
	check_map(text_string(&content), &report);
	assert_int_equal(report.errors.count, 21);
	assert_line(&report.errors, "users:20: ");
	assert_line(&report.errors, "users: and 10 more errors");
	report_free(&report);
}

static void a_file_that_others_can_write_is_refused(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	write_file("users", "alice nl\n");
	load_with_maps(&config, "");
	assert_int_equal(chmod("users", 0666), 0);
	assert_int_equal(maps_check(&config, &report), -1);
	assert_line(&report.errors, "/users: others can write to it (mode 0666)");
	assert_string_equal(gateway_of_user(&config, "alice"), "refused");
	assert_int_equal(chmod("users", 0600), 0);
	assert_string_equal(gateway_of_user(&config, "alice"), "nl");
	config_free(&config);
	report_free(&report);
}

/* The stamp */

static void stamp_of(const char *more, char stamp[MAPS_STAMP])
{
	struct config config;

	load_with_maps(&config, more);
	maps_stamp(&config, stamp);
	config_free(&config);
}

static void a_stamp_changes_with_what_was_checked(void **state)
{
	char stamp[MAPS_STAMP], other[MAPS_STAMP];
	struct timespec times[2];
	struct stat status;
	int fd;

	(void)state;
	change_just_now();
	write_file("users", "alice nl\n");
	stamp_of("", stamp);
	assert_string_equal(stamp, "");
	settle();
	stamp_of("", stamp);
	assert_string_not_equal(stamp, "");
	stamp_of("", other);
	assert_string_equal(stamp, other);
	stamp_of("[gateway de]\naddress4 = 172.28.0.9\n", other);
	assert_string_not_equal(stamp, other);
	stamp_of("[users]\nbob = nl\n", other);
	assert_string_not_equal(stamp, other);

	/* Of the same size, and with the same time, by whoever wants to. */
	change_just_now();
	assert_int_equal(stat("users", &status), 0);
	fd = open("users", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "alice us\n", 9, 0), 9);
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	stamp_of("", other);
	assert_string_equal(other, "");
	settle();
	stamp_of("", other);
	assert_string_not_equal(other, "");
	assert_string_not_equal(stamp, other);
}

/* The second opinion: all lines, one by one, in another way. */

static bool naive_fits(const char *pattern, const char *name)
{
	if (*pattern == '*')
		return naive_fits(pattern + 1, name) || (*name && naive_fits(pattern, name + 1));
	if (!*name)
		return !*pattern;
	return (*pattern == '?' || *pattern == *name) && naive_fits(pattern + 1, name + 1);
}

/* Takes a line to pieces; false where it is a comment or blank. */
static bool naive_read(char *line, char *name, bool *pattern, char **gateway)
{
	char *out = name;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return false;
	*pattern = *line != '"' && strpbrk(line, "*?") && strpbrk(line, "*?") < line + strcspn(line, " \t=");
	if (*line == '"') {
		for (line++; *line != '"'; *out++ = *line++)
			line += *line == '\\';
		line++;
	} else {
		while (!strchr(" \t=", *line))
			*out++ = *line++;
	}
	*out = '\0';
	line += strspn(line, " \t");
	line += *line == '=';
	*gateway = line + strspn(line, " \t");
	(*gateway)[strcspn(*gateway, " \t#")] = '\0';
	return true;
}

static const char *naive_gateway_of(const char *content, const char *user)
{
	static char found[2][32];

	found[0][0] = found[1][0] = '\0';
	for (char *copy = strdup(content), *rest = copy, *line; ; ) {
		char name[8192], *gateway;
		bool pattern;

		line = strsep(&rest, "\n");
		if (!line) {
			free(copy);
			return found[0][0] ? found[0] : found[1][0] ? found[1] : "default";
		}
		if (!naive_read(line, name, &pattern, &gateway))
			continue;
		if (!pattern && !found[0][0] && strcmp(name, user) == 0)
			strcpy(found[0], gateway);
		if (pattern && !found[1][0] && naive_fits(name, user))
			strcpy(found[1], gateway);
	}
}

/* Few characters, so that names are often parts of each other, of comments and of gateways. */
static void add_random_name(struct text *text, const char *characters, size_t most)
{
	for (size_t length = 1 + (size_t)random() % most; length; length--)
		text_add_bytes(text, &characters[(size_t)random() % strlen(characters)], 1);
}

static void add_random_line(struct text *content)
{
	static const char *const before[] = { "", "", "", " ", "\t " }, *const between[] = { " ", "=", "\t=  ", "  " };
	static const char *const gateways[] = { "nl", "us", "direct", "default" }, *const behind[] = { "", "", " ", " # nl" };
	struct text name CLEANUP(text_free) = { 0 };

	switch (random() % 6) {
	case 0:
		text_add(content, "%s# nl us \"n *?\n", before[random() % 5]);
		return;
	case 1:
		text_add_string(content, "\n");
		return;
	case 2:
		add_random_name(&name, "nlu \"\\*?=#", 4);
		text_add_string(content, before[random() % 5]);
		name_add_quoted(content, text_string(&name));
		break;
	default:
		text_add_string(content, before[random() % 5]);
		add_random_name(content, random() % 4 ? "nlus\\" : "nl*?", 4);
	}
	text_add(content, "%s%s%s\n", between[random() % 4], gateways[random() % 4], behind[random() % 4]);
}

static void a_look_up_is_what_reading_all_lines_gives(void **state)
{
	struct config config;

	(void)state;
	srandom(4711);
	write_file("users", "");
	load_with_maps(&config, "");
	for (int round = 0; round < 400; round++) {
		struct text content CLEANUP(text_free) = { 0 };

		for (long lines = random() % 30; lines; lines--)
			add_random_line(&content);
		if (content.length && random() % 2)
			content.data[--content.length] = '\0';
		if (!content.length)
			text_add_string(&content, "\n");
		write_file("users", text_string(&content));
		for (int i = 0; i < 40; i++) {
			struct text user CLEANUP(text_free) = { 0 };
			const char *found, *wanted;

			add_random_name(&user, random() % 2 ? "nlus\\" : "nlu \"\\*?=#", 4);
			found = gateway_of_user(&config, text_string(&user));
			wanted = naive_gateway_of(text_string(&content), text_string(&user));
			if (strcmp(found, wanted) != 0)
				fail_msg("'%s' by %s, not %s, in\n%s", text_string(&user), found, wanted, text_string(&content));
		}
	}
	config_free(&config);
}

/* The index */

/* A name at random, or one that is in the file. */
static void add_any_name(struct text *user, int i)
{
	if (i % 2)
		add_random_name(user, "nlu \"\\*?=#", 4);
	else
		text_add(user, "user %d", (int)(random() % 1200));
}

/* gateway_of() looks in both ways. */
static void look_up_many(const struct config *config, const char *content)
{
	for (int i = 0; i < 1000; i++) {
		struct text user CLEANUP(text_free) = { 0 }, line CLEANUP(text_free) = { 0 };

		add_any_name(&user, i);
		assert_string_equal(gateway_of(config, &(struct who){ .user = text_string(&user) }, &line),
				    naive_gateway_of(content, text_string(&user)));
	}
}

static void make_large_map(struct text *content, int patterns)
{
	static const char *const gateways[] = { "nl", "us", "direct", "default" };
	struct text longer CLEANUP(text_free) = { 0 };

	for (int i = 0; i < 5000; i++)
		text_add_string(&longer, "l");
	text_add_string(content, "\xef\xbb\xbf");
	for (int i = 0; i < 1000; i++)
		text_add(content, "%s\"user %d\"%s%s\n", i % 3 ? "" : "  ", i, i % 5 ? " = " : "\t", gateways[i % 4]);
	text_add_string(content, "# n*\nl nl\nll us\nnl us\n\"nl*\" direct\n\\ block\n");
	for (int i = 0; i < patterns; i++)
		text_add(content, "%.*s?l* us\n", i, "lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll");
	/* Longer than what is read at once. */
	text_add(content, "l*%s us", text_string(&longer));
}

/* What is in the state directory changes nothing that is found. */
static void check_index(int patterns)
{
	struct text content CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct config config;
	char *index;

	change_just_now();
	make_large_map(&content, patterns);
	write_file("users", text_string(&content));
	load_with_maps(&config, "");
	/* Behind the mark of its bytes' order. */
	assert_int_equal(maps_check(&config, &report), 0);
	assert_null(read_file("map.users"));
	look_up_many(&config, content.data + 3);
	settle();
	assert_int_equal(maps_check(&config, &report), 0);
	index = read_file("map.users");
	assert_non_null(index);
	look_up_many(&config, content.data + 3);

	/* Cut off, and of another file. */
	assert_int_equal(truncate("map.users", 1000), 0);
	look_up_many(&config, content.data + 3);
	assert_int_equal(maps_check(&config, &report), 0);
	write_file("users", "alice us\n");
	assert_string_equal(gateway_of_user(&config, "alice"), "us");
	assert_string_equal(gateway_of_user(&config, "user 1"), "default");
	assert_int_equal(unlink("map.users"), 0);
	free(index);
	config_free(&config);
}

static void an_index_changes_nothing(void **state)
{
	(void)state;
	srandom(815);
	check_index(3);
	check_index(70);
}

/* A line that is another meanwhile, of the same size and with the same time of its last change. */
static void an_index_of_what_was_there_before_is_noticed(void **state)
{
	struct report report = { 0 };
	struct config config;
	struct timespec times[2];
	struct stat status;
	int fd;

	(void)state;
	change_just_now();
	write_file("users", "alice nl\nbob us\n");
	load_with_maps(&config, "");
	settle();
	assert_int_equal(maps_check(&config, &report), 0);
	assert_int_equal(access("map.users", F_OK), 0);
	assert_string_equal(gateway_of_user(&config, "bob"), "us");
	assert_int_equal(stat("users", &status), 0);
	fd = open("users", O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "bob nl\nalice us\n", 16, 0), 16);
	times[0] = status.st_atim;
	times[1] = status.st_mtim;
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	assert_string_equal(gateway_of_user(&config, "bob"), "nl");
	assert_string_equal(gateway_of_user(&config, "alice"), "us");
	config_free(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(user_before_group_before_vhost),
		in_directory(a_name_before_patterns_and_these_in_order),
		in_directory(patterns_fit),
		in_directory(names_are_exact_bytes),
		in_directory(lines_of_a_file),
		in_directory(an_edit_counts_at_once),
		in_directory(what_is_wrong_with_a_file_is_said),
		in_directory(all_that_is_wrong_is_said),
		in_directory(a_file_that_others_can_write_is_refused),
		in_directory(a_stamp_changes_with_what_was_checked),
		in_directory(an_index_changes_nothing),
		in_directory(an_index_of_what_was_there_before_is_noticed),
		in_directory(a_look_up_is_what_reading_all_lines_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

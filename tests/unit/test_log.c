/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"
#include "fake_syslog.h"
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int stderr_kept;

/* From here on stderr is the file "stderr" of the test's directory. */
static int enter_with_stderr(void **state)
{
	int fd, result = enter_directory(state);

	if (result < 0)
		return result;
	fd = open("stderr", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	stderr_kept = dup(STDERR_FILENO);
	result = dup2(fd, STDERR_FILENO);
	close(fd);
	syslog_listen();
	return result < 0 ? -1 : 0;
}

static int leave_with_stderr(void **state)
{
	dup2(stderr_kept, STDERR_FILENO);
	close(stderr_kept);
	unsetenv("JOURNAL_STREAM");
	log_open(LOG_LEVEL_INFO, false);
	syslog_close();
	return leave_directory(state);
}

#define with_stderr(test) cmocka_unit_test_setup_teardown(test, enter_with_stderr, leave_with_stderr)

/* What came to stderr since the last call; holds until the next. */
static const char *take_stderr(void)
{
	static char buffer[16384];
	ssize_t length = pread(STDERR_FILENO, buffer, sizeof(buffer) - 1, 0);

	buffer[length > 0 ? length : 0] = '\0';
	assert_int_equal(ftruncate(STDERR_FILENO, 0), 0);
	return buffer;
}

/* What came to syslog; the expected text has a @ for each "ocserv-gateway[PID]: ". */
static void check_syslog(const char *expected, const char *file, int line)
{
	struct text tag CLEANUP(text_free) = { 0 }, whole CLEANUP(text_free) = { 0 };

	text_add(&tag, "ocserv-gateway[%d]: ", (int)getpid());
	for (const char *next = expected; *next; next++)
		if (*next == '@')
			text_add(&whole, "%s", text_string(&tag));
		else
			text_add_bytes(&whole, next, 1);
	_assert_string_equal(syslog_text(), text_string(&whole), file, line);
}

#define assert_syslog(expected) check_syslog(expected, __FILE__, __LINE__)

static void a_line_says_its_level(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_DEBUG, false);
	log_line(LOG_LEVEL_ERROR, "no %s", "way");
	assert_string_equal(take_stderr(), "ocserv-gateway: error: no way\n");
	log_line(LOG_LEVEL_WARNING, "take care");
	assert_string_equal(take_stderr(), "ocserv-gateway: warning: take care\n");
	log_line(LOG_LEVEL_INFO, "done");
	assert_string_equal(take_stderr(), "ocserv-gateway: done\n");
	log_line(LOG_LEVEL_DEBUG, "by the way");
	assert_string_equal(take_stderr(), "ocserv-gateway: debug: by the way\n");
}

static void last_words_are_an_error(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_ERROR, false);
	log_last_words("no time; 100 %");
	assert_string_equal(take_stderr(), "ocserv-gateway: error: no time; 100 %\n");
	assert_string_equal(syslog_text(), "");
	log_open(LOG_LEVEL_ERROR, true);
	log_last_words("no time; 100 %");
	assert_string_equal(take_stderr(), "ocserv-gateway: error: no time; 100 %\n");
	assert_string_equal(syslog_text(), "<27>ocserv-gateway: error: no time; 100 %\n");
}

static void lines_below_the_level_are_left_out(void **state)
{
	(void)state;
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		log_open((enum log_level)level, false);
		for (int of = LOG_LEVEL_ERROR; of <= LOG_LEVEL_DEBUG; of++) {
			log_line((enum log_level)of, "x");
			assert_int_equal(take_stderr()[0] != '\0', of <= level);
		}
	}
}

static void a_line_stays_one_line(void **state)
{
	static const struct { const char *message, *line; } cases[] = {
		{ "a\nb\r\n", "ocserv-gateway: a\\x0ab\\x0d\\x0a\n" },
		{ "\x1b[31mred", "ocserv-gateway: \\x1b[31mred\n" },
		{ "\xff\xc3\xbc\x7f", "ocserv-gateway: \\xff\\xc3\\xbc\\x7f\n" },
		{ "%s%n%d", "ocserv-gateway: %s%n%d\n" },
		{ "", "ocserv-gateway: \n" },
	};

	(void)state;
	log_open(LOG_LEVEL_INFO, false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		log_line(LOG_LEVEL_INFO, "%s", cases[i].message);
		assert_string_equal(take_stderr(), cases[i].line);
	}
}

static void the_longest_line_is_cut(void **state)
{
	static const char bytes[] = { 'x', '\n', '\x7f', '\x80' };

	(void)state;
	log_open(LOG_LEVEL_INFO, true);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		char message[10000];
		const char *line;

		memset(message, bytes[i], sizeof(message));
		message[sizeof(message) - 1] = '\0';
		log_line(LOG_LEVEL_INFO, "%s", message);
		line = take_stderr();
		assert_in_range(strlen(line), 4000, 4200);
		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	}
}

static void syslog_gets_the_same_line_with_its_priority(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_DEBUG, true);
	log_line(LOG_LEVEL_ERROR, "a\nb");
	log_line(LOG_LEVEL_WARNING, "w");
	log_line(LOG_LEVEL_INFO, "%%s %s", "%n");
	log_line(LOG_LEVEL_DEBUG, "d");
	assert_string_equal(take_stderr(),
			    "ocserv-gateway: error: a\\x0ab\nocserv-gateway: warning: w\n"
			    "ocserv-gateway: %s %n\nocserv-gateway: debug: d\n");
	assert_syslog("<27>@error: a\\x0ab\n<28>@warning: w\n<30>@%s %n\n<31>@debug: d\n");
}

static void syslog_is_opened_once(void **state)
{
	int before, after;

	(void)state;
	log_open(LOG_LEVEL_INFO, true);
	before = dup(STDERR_FILENO);
	log_open(LOG_LEVEL_DEBUG, true);
	after = dup(STDERR_FILENO);
	assert_int_equal(after, before + 1);
	close(before);
	close(after);
}

/* The queue of a socket is finite, and nobody reads from this one. */
static void a_syslog_that_hangs_loses_lines_and_no_time(void **state)
{
	const int lines = 10000;

	(void)state;
	log_open(LOG_LEVEL_INFO, true);
	for (int i = 0; i < lines; i++)
		log_line(LOG_LEVEL_INFO, "x");
	assert_non_null(strstr(syslog_text(), "x\n"));
	log_line(LOG_LEVEL_INFO, "y");
	assert_null(strstr(syslog_text(), "y\n"));
	assert_non_null(strstr(take_stderr(), "x\n"));
}

static void without_a_syslog_lines_go_to_stderr(void **state)
{
	(void)state;
	log_path = "nobody-listens";
	log_open(LOG_LEVEL_INFO, true);
	log_line(LOG_LEVEL_INFO, "x");
	assert_string_equal(take_stderr(), "ocserv-gateway: x\n");
}

/* $JOURNAL_STREAM, as systemd sets it where stderr leads to its journal; @off: of another file. */
static void set_journal_stream(unsigned int off)
{
	struct stat status;
	char stream[64];

	assert_int_equal(fstat(STDERR_FILENO, &status), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino + off);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
}

static void the_journal_gets_a_line_once(void **state)
{
	(void)state;
	set_journal_stream(0);
	for (int to_syslog = false; to_syslog <= true; to_syslog++) {
		log_open(LOG_LEVEL_DEBUG, to_syslog);
		log_line(LOG_LEVEL_ERROR, "e");
		log_line(LOG_LEVEL_WARNING, "w");
		log_line(LOG_LEVEL_INFO, "i");
		log_line(LOG_LEVEL_DEBUG, "d");
		log_last_words("the end");
		assert_string_equal(take_stderr(), "<3>ocserv-gateway: error: e\n<4>ocserv-gateway: warning: w\n"
				    "<6>ocserv-gateway: i\n<7>ocserv-gateway: debug: d\n"
				    "ocserv-gateway: error: the end\n");
	}
	assert_syslog("");
}

/* The variable is inherited by those whose stderr is another: they are not in the journal. */
static void another_file_is_no_journal(void **state)
{
	(void)state;
	set_journal_stream(1);
	log_open(LOG_LEVEL_INFO, true);
	log_line(LOG_LEVEL_INFO, "x");
	assert_string_equal(take_stderr(), "ocserv-gateway: x\n");
	assert_int_equal(setenv("JOURNAL_STREAM", "x:y", 1), 0);
	log_open(LOG_LEVEL_INFO, true);
	log_line(LOG_LEVEL_INFO, "x");
	assert_string_equal(take_stderr(), "ocserv-gateway: x\n");
	assert_syslog("<30>@x\n<30>@x\n");
}

static void syslog_hears_nothing_unless_asked_for(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_DEBUG, false);
	log_line(LOG_LEVEL_ERROR, "x");
	assert_string_equal(syslog_text(), "");
}

static void a_report_is_logged_with_its_first_status(void **state)
{
	struct report report = { 0 };

	(void)state;
	log_open(LOG_LEVEL_INFO, false);
	assert_int_equal(report_error(&report, 78, "first %d", 1), -1);
	report_warning(&report, "%s", "beware");
	assert_int_equal(report_error(&report, 71, "second"), -1);

	assert_int_equal(report.status, 78);
	report_log(&report);
	assert_string_equal(take_stderr(), "ocserv-gateway: warning: beware\nocserv-gateway: error: first 1\n"
					   "ocserv-gateway: error: second\n");
	assert_int_equal(report.errors.count + report.warnings.count, 0);
	assert_int_equal(report.status, 0);
	report_log(&report);
	assert_string_equal(take_stderr(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_stderr(a_line_says_its_level),
		with_stderr(last_words_are_an_error),
		with_stderr(lines_below_the_level_are_left_out),
		with_stderr(a_line_stays_one_line),
		with_stderr(the_longest_line_is_cut),
		with_stderr(syslog_gets_the_same_line_with_its_priority),
		with_stderr(syslog_is_opened_once),
		with_stderr(a_syslog_that_hangs_loses_lines_and_no_time),
		with_stderr(without_a_syslog_lines_go_to_stderr),
		with_stderr(the_journal_gets_a_line_once),
		with_stderr(another_file_is_no_journal),
		with_stderr(syslog_hears_nothing_unless_asked_for),
		with_stderr(a_report_is_logged_with_its_first_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

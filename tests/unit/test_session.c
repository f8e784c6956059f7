/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/deadline.h"
#include "sessions/session.h"
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* The directory "state" in that of the test, open. */
static void open_state(struct state *state)
{
	struct report report = { 0 };

	if (state_open(state, "state", true, &report) < 0)
		fail_msg("%s", report.errors.line[0]);
}

static struct session a_session(const char *id, const char *user)
{
	return (struct session){
		.id = id, .user = user, .group = "staff", .vhost = "default", .device = "vpns0", .real = "198.51.100.7",
		.ip4 = "10.20.0.50", .ip6 = "fd20::50", .gateway = "", .length6 = "", .since = 1700000000,
	};
}

static void record(const struct state *state, const struct session *session)
{
	struct report report = { 0 };

	if (state_record(state, session, &report) < 0)
		fail_msg("%s", report.errors.line[0]);
}

static bool add_session_text(const struct session *session, void *data)
{
	text_add(data, "%s|%s|%s|%s|%s|%s|%s|%s|%llu\n", session->id, session->user, session->group, session->vhost,
		 session->device, session->real, session->ip4, session->ip6, session->since);
	return true;
}

/* The live sessions are these; %s in @expected is @id. */
static void check_sessions(const struct state *state, bool prune, const char *expected, const char *id)
{
	struct text text CLEANUP(text_free) = { 0 }, wanted CLEANUP(text_free) = { 0 };
	struct report report = { 0 };

	assert_int_equal(state_visit(state, prune, add_session_text, &text, &report), 0);
	assert_int_equal(report.errors.count, 0);
	if (expected)
		text_add(&wanted, "%s|%s\n", id, expected);
	assert_string_equal(text_string(&text), text_string(&wanted));
}

#define ALICE "alice|staff|default|vpns0|198.51.100.7|10.20.0.50|fd20::50|1700000000"

/* Records */

static void a_session_is_recorded_listed_and_forgotten(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct report report = { 0 };
	struct state state;

	(void)unused;
	open_state(&state);
	check_sessions(&state, false, NULL, NULL);
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	assert_int_equal(state_forget(&state, worker.id, &report), 0);
	check_sessions(&state, false, NULL, NULL);
	assert_int_equal(state_forget(&state, worker.id, &report), 0);
	state_close(&state);
	end_worker(&worker);
}

static void a_record_takes_the_place_of_an_earlier_one(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "bob");
	struct state state;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	session.user = "alice";
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	state_close(&state);
	end_worker(&worker);
}

static void every_live_session_is_visited_until_it_is_enough(void **unused)
{
	struct worker workers[3];
	struct text text CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct state state;

	(void)unused;
	open_state(&state);
	for (size_t i = 0; i < COUNT(workers); i++) {
		struct session session;

		workers[i] = begin_worker("worker");
		session = a_session(workers[i].id, "alice");
		record(&state, &session);
	}
	assert_int_equal(state_visit(&state, false, add_session_text, &text, &report), 0);
	for (size_t i = 0; i < COUNT(workers); i++)
		assert_contains(text_string(&text), workers[i].id);
	state_close(&state);
	for (size_t i = 0; i < COUNT(workers); i++)
		end_worker(&workers[i]);
}

static bool count_and_stop(const struct session *session, void *data)
{
	(void)session;
	return ++*(unsigned int *)data < 2;
}

static void a_visit_ends_when_the_visitor_says_so(void **unused)
{
	struct worker workers[3];
	struct report report = { 0 };
	struct state state;
	unsigned int count = 0;

	(void)unused;
	open_state(&state);
	for (size_t i = 0; i < COUNT(workers); i++) {
		struct session session;

		workers[i] = begin_worker("worker");
		session = a_session(workers[i].id, "alice");
		record(&state, &session);
	}
	assert_int_equal(state_visit(&state, false, count_and_stop, &count, &report), 0);
	assert_int_equal(count, 2);
	state_close(&state);
	for (size_t i = 0; i < COUNT(workers); i++)
		end_worker(&workers[i]);
}

static void records_are_read_once_under_the_lock(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct report report = { 0 };
	unsigned int count = 0;
	struct state state;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	assert_int_equal(state_lock(&state, &report), 0);
	assert_int_equal(state_visit(&state, false, count_and_stop, &count, &report), 0);
	check_sessions(&state, false, ALICE, worker.id);
	end_worker(&worker);
	check_sessions(&state, false, ALICE, worker.id);
	check_sessions(&state, true, NULL, NULL);
	check_sessions(&state, false, NULL, NULL);
	state_close(&state);
}

static bool record_for_carol(const struct session *session, void *data)
{
	struct session changed = *session;

	changed.user = "carol";
	record(data, &changed);
	return true;
}

/* Be they read from the directory or kept. */
static void a_visitor_may_change_records(void **unused)
{
	struct worker workers[3];
	struct report report = { 0 };
	struct text text CLEANUP(text_free) = { 0 };
	struct state state;

	(void)unused;
	open_state(&state);
	assert_int_equal(state_lock(&state, &report), 0);
	for (size_t i = 0; i < COUNT(workers); i++) {
		struct session session;

		workers[i] = begin_worker("worker");
		session = a_session(workers[i].id, "alice");
		record(&state, &session);
	}
	assert_int_equal(state_visit(&state, false, record_for_carol, &state, &report), 0);
	assert_int_equal(state_visit(&state, false, add_session_text, &text, &report), 0);
	assert_int_equal(state_visit(&state, false, record_for_carol, &state, &report), 0);
	assert_int_equal(state_visit(&state, false, add_session_text, &text, &report), 0);
	assert_null(strstr(text_string(&text), "alice"));
	for (size_t i = 0; i < COUNT(workers); i++)
		assert_contains(text_string(&text), workers[i].id);
	state_close(&state);
	for (size_t i = 0; i < COUNT(workers); i++)
		end_worker(&workers[i]);
}

static void what_a_run_changes_is_read_again(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "bob");
	struct report report = { 0 };
	struct state state;

	(void)unused;
	open_state(&state);
	assert_int_equal(state_lock(&state, &report), 0);
	check_sessions(&state, false, NULL, NULL);
	record(&state, &session);
	session.user = "alice";
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	assert_int_equal(state_forget(&state, worker.id, &report), 0);
	check_sessions(&state, false, NULL, NULL);
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	state_unlock(&state);
	end_worker(&worker);
	check_sessions(&state, false, NULL, NULL);
	state_close(&state);
}

static void a_session_ends_with_its_worker(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct text path CLEANUP(text_free) = { 0 };
	struct state state;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	end_worker(&worker);
	text_add(&path, "state/sessions/%s", worker.id);

	check_sessions(&state, false, NULL, NULL);
	assert_int_equal(access(text_string(&path), F_OK), 0);
	check_sessions(&state, true, NULL, NULL);
	assert_int_equal(access(text_string(&path), F_OK), -1);
	state_close(&state);
}

static void a_session_ends_with_a_worker_that_nobody_waits_for(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	siginfo_t info;
	struct state state;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	assert_int_equal(kill(worker.pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)worker.pid, &info, WEXITED | WNOWAIT), 0);
	check_sessions(&state, true, NULL, NULL);
	state_close(&state);
	end_worker(&worker);
}

static void a_session_without_a_worker_is_not_recorded(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct report report = { 0 };
	struct state state;

	(void)unused;
	end_worker(&worker);
	open_state(&state);
	assert_int_equal(state_record(&state, &session, &report), -1);
	assert_int_equal(report.status, EX_CANTCREAT);
	assert_line(&report.errors, "can't record the session: /proc/");
	report_free(&report);
	state_close(&state);
}

/* Writes a record by hand, of alice and the start of the worker plus @more. */
static void write_record(const struct worker *worker, int more)
{
	struct text path CLEANUP(text_free) = { 0 }, line CLEANUP(text_free) = { 0 };
	struct session session = a_session(worker->id, "alice");
	struct state state;
	char *written, *start;

	open_state(&state);
	record(&state, &session);
	state_close(&state);
	text_add(&path, "state/sessions/%s", worker->id);
	written = read_file(text_string(&path));
	start = written ? strstr(written, "start=") : NULL;
	assert_non_null(start);
	text_add(&line, "start=%llu user=alice\n", strtoull(start ? start + 6 : "0", NULL, 10) + (unsigned int)more);
	write_file(text_string(&path), text_string(&line));
	free(written);
}

/* In clock ticks since boot, by another reading of proc_pid_stat(5). */
static unsigned long long start_of(const struct worker *worker)
{
	struct text path CLEANUP(text_free) = { 0 };
	unsigned long long start = 0;
	char *stat;

	text_add(&path, "/proc/%s/stat", worker->id);
	stat = read_file(text_string(&path));
	assert_non_null(stat);
	assert_int_equal(sscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
				      "%*d %*d %*d %llu", &start), 1);
	free(stat);
	return start;
}

static void the_start_of_a_worker_is_recorded(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct text path CLEANUP(text_free) = { 0 }, start CLEANUP(text_free) = { 0 };
	struct state state;
	char *written;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	state_close(&state);
	text_add(&path, "state/sessions/%s", worker.id);
	text_add(&start, " start=%llu ", start_of(&worker));
	written = read_file(text_string(&path));
	assert_contains(written, text_string(&start));
	free(written);
	end_worker(&worker);
}

static void a_pid_that_another_process_got_is_another(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct state state;

	(void)unused;
	write_record(&worker, 0);
	open_state(&state);
	check_sessions(&state, false, "alice|||||||0", worker.id);
	write_record(&worker, 1);
	check_sessions(&state, false, NULL, NULL);
	write_record(&worker, -1);
	check_sessions(&state, false, NULL, NULL);
	state_close(&state);
	end_worker(&worker);
}

static void the_name_of_a_process_may_hold_anything(void **unused)
{
	struct worker worker = begin_worker(") S 1 (a) b");
	struct session session = a_session(worker.id, "alice");
	struct state state;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	state_close(&state);
	end_worker(&worker);
}

static void hostile_values_stay_in_their_pair(void **unused)
{
	static const char *const values[] = {
		"", " ", "a b", "x user=root", "x\" user=\"root", "x\nid=1", "\\", "\xff\xfe", "`id`", "%s%n",
		"../../etc",
	};
	struct worker worker = begin_worker("worker");
	struct state state;

	(void)unused;
	open_state(&state);
	for (size_t i = 0; i < COUNT(values); i++) {
		struct session session = a_session(worker.id, values[i]);
		struct text expected CLEANUP(text_free) = { 0 };

		session.group = session.vhost = session.device = session.real = values[i];
		record(&state, &session);
		text_add(&expected, "%s|%s|%s|%s|%s|10.20.0.50|fd20::50|1700000000", values[i], values[i], values[i],
			 values[i], values[i]);
		check_sessions(&state, false, text_string(&expected), worker.id);
	}
	state_close(&state);
	end_worker(&worker);
}

static bool check_lengths(const struct session *session, void *data)
{
	const char *const values[] = { session->user, session->group, session->vhost, session->device, session->real,
				       session->ip4, session->ip6 };

	for (size_t i = 0; i < COUNT(values); i++)
		assert_int_equal(strlen(values[i]), 256 + strlen("..."));
	*(bool *)data = true;
	return true;
}

static void endless_values_are_cut(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session;
	struct report report = { 0 };
	struct state state;
	char value[2000];
	bool seen = false;

	(void)unused;
	memset(value, '\n', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	session = (struct session){ worker.id, value, value, value, value, value, value, value, "", "", 0, false };
	open_state(&state);
	record(&state, &session);
	assert_int_equal(state_visit(&state, false, check_lengths, &seen, &report), 0);
	assert_true(seen);
	state_close(&state);
	end_worker(&worker);
}

static void a_record_is_one_line_for_root_alone(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice\nbob");
	struct text path CLEANUP(text_free) = { 0 }, begin CLEANUP(text_free) = { 0 };
	struct state state;
	struct stat status;
	mode_t mask = umask(0);
	char *written;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	umask(mask);
	text_add(&path, "state/sessions/%s", worker.id);
	assert_int_equal(stat(text_string(&path), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	written = read_file(text_string(&path));
	assert_non_null(written);
	assert_ptr_equal(strchr(written, '\n'), written + strlen(written) - 1);
	text_add(&begin, "id=%s start=", worker.id);
	assert_int_equal(strncmp(written, text_string(&begin), begin.length), 0);
	free(written);
	state_close(&state);
	end_worker(&worker);
}

static void what_is_no_record_is_passed_over(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct text path CLEANUP(text_free) = { 0 };
	struct state state;

	(void)unused;
	open_state(&state);
	text_add(&path, "state/sessions/%s", worker.id);
	write_file(text_string(&path), "");
	write_file("state/sessions/hello", "start=1\n");
	write_file("state/sessions/0", "start=1\n");
	write_file("state/sessions/new", "start=1\n");
	check_sessions(&state, false, NULL, NULL);

	write_bytes(text_string(&path), "\0\xff\0=", 4);
	check_sessions(&state, false, NULL, NULL);
	unlink(text_string(&path));
	assert_int_equal(symlink("/etc/passwd", text_string(&path)), 0);
	check_sessions(&state, false, NULL, NULL);
	unlink(text_string(&path));
	assert_int_equal(mkdir(text_string(&path), 0700), 0);
	check_sessions(&state, true, NULL, NULL);
	assert_int_equal(access("state/sessions/hello", F_OK), 0);
	state_close(&state);
	end_worker(&worker);
}

static bool count_unread(const struct session *session, void *data)
{
	*(unsigned int *)data += session->unread;
	return true;
}

static void an_unreadable_record_counts_as_live(void)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct text path CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct state state;
	unsigned int unread = 0;

	open_state(&state);
	record(&state, &session);
	text_add(&path, "state/sessions/%s", worker.id);
	assert_int_equal(state_visit(&state, true, count_unread, &unread, &report), 0);
	assert_int_equal(unread, 0);
	assert_int_equal(chmod(text_string(&path), 0), 0);
	assert_int_equal(state_visit(&state, true, count_unread, &unread, &report), 0);
	assert_int_equal(unread, 1);
	assert_line(&report.errors, "Permission denied");
	assert_int_equal(access(text_string(&path), F_OK), 0);
	report_free(&report);
	state_close(&state);
	end_worker(&worker);
}

static void a_record_that_can_not_be_read_counts_as_live(void **unused)
{
	(void)unused;
	run_as_nobody(an_unreadable_record_counts_as_live);
}

static void ids_are_the_numbers_of_processes(void **unused)
{
	static const struct { const char *id; bool valid; } cases[] = {
		{ "1", true }, { "4", true }, { "19813", true }, { "4194304", true }, { "4294967295", true },
		{ "", false }, { "0", false }, { "01", false }, { "-1", false }, { "+1", false }, { " 1", false },
		{ "1 ", false }, { "1\n", false }, { "1a", false }, { "0x1", false }, { "4294967296", false },
		{ "11111111111", false }, { ".", false }, { "..", false }, { "../1", false }, { "1/2", false },
		{ "new", false },
	};

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (session_id_valid(cases[i].id) != cases[i].valid)
			fail_msg("'%s'", cases[i].id);
}

/* Addresses */

static void an_address_has_a_holder(void **unused)
{
	struct worker first = begin_worker("worker"), second = begin_worker("worker");
	struct session alice = a_session(first.id, "alice"), again = a_session(second.id, "alice");
	struct session bob = a_session(second.id, "bob"), elsewhere = a_session(second.id, "alice");
	struct report report = { 0 };
	struct state state;

	(void)unused;
	elsewhere.vhost = "other.example";
	open_state(&state);
	assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_NONE);
	record(&state, &alice);
	assert_int_equal(state_claim(&state, &alice, "10.20.0.50", &report), 0);
	assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_SELF);
	assert_int_equal(state_claim(&state, &bob, "10.20.0.50", &report), 1);
	assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_SELF);
	assert_int_equal(state_holder(&state, &again, "10.20.0.50"), HOLDER_SAME_USER);
	assert_int_equal(state_holder(&state, &bob, "10.20.0.50"), HOLDER_OTHER);
	assert_int_equal(state_holder(&state, &elsewhere, "10.20.0.50"), HOLDER_OTHER);
	assert_int_equal(state_holder(&state, &alice, "10.20.0.51"), HOLDER_NONE);

	assert_int_equal(state_hold(&state, &again, "10.20.0.50", &report), 0);
	record(&state, &again);
	assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_SAME_USER);
	assert_int_equal(state_holder(&state, &again, "10.20.0.50"), HOLDER_SELF);

	end_worker(&second);
	assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_ENDED);
	state_release(&state, "10.20.0.50");
	assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_NONE);
	state_release(&state, "10.20.0.50");
	state_close(&state);
	end_worker(&first);
}

static void a_session_that_was_forgotten_holds_nothing(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session alice = a_session(worker.id, "alice");
	struct report report = { 0 };
	struct state state;

	(void)unused;
	open_state(&state);
	record(&state, &alice);
	assert_int_equal(state_hold(&state, &alice, "fd20::50", &report), 0);
	assert_int_equal(state_forget(&state, worker.id, &report), 0);
	assert_int_equal(state_holder(&state, &alice, "fd20::50"), HOLDER_ENDED);
	state_close(&state);
	end_worker(&worker);
}

static void what_a_killed_run_left_of_an_address_is_no_obstacle(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session alice = a_session(worker.id, "alice");
	struct report report = { 0 };
	struct state state;
	struct stat status;

	(void)unused;
	open_state(&state);
	record(&state, &alice);
	assert_int_equal(symlink("4711", "state/addresses/new"), 0);
	assert_int_equal(symlink("4712", "state/addresses/10.20.0.50"), 0);
	assert_int_equal(state_hold(&state, &alice, "10.20.0.50", &report), 0);
	assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_SELF);
	assert_int_equal(lstat("state/addresses/new", &status), -1);
	state_close(&state);
	end_worker(&worker);
}

static void a_holder_that_is_no_session_has_ended(void **unused)
{
	static const char *const targets[] = { "../../etc/passwd", "0", "hello", "123456789012345678901234567890" };
	struct session alice = a_session("1", "alice");
	struct state state;

	(void)unused;
	open_state(&state);
	for (size_t i = 0; i < COUNT(targets); i++) {
		assert_int_equal(symlink(targets[i], "state/addresses/10.20.0.50"), 0);
		assert_int_equal(state_holder(&state, &alice, "10.20.0.50"), HOLDER_ENDED);
		state_release(&state, "10.20.0.50");
	}
	state_close(&state);
}

/* The directory */

static void check_refused(const char *path, bool create, const char *said)
{
	struct report report = { 0 };
	struct state state;

	assert_int_equal(state_open(&state, path, create, &report), -1);
	assert_int_equal(report.status, EX_CANTCREAT);
	assert_int_equal(report.errors.count, 1);
	assert_line(&report.errors, "state directory: ");
	assert_line(&report.errors, path);
	assert_line(&report.errors, said);
	state_close(&state);
	report_free(&report);
}

static void the_directory_is_made_for_root_alone(void **unused)
{
	static const char *const names[] = { "state", "state/sessions", "state/addresses" };
	mode_t mask = umask(0);
	struct state state;
	struct stat status;

	(void)unused;
	open_state(&state);
	umask(mask);
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(stat(names[i], &status), 0);
		assert_int_equal(status.st_mode, S_IFDIR | 0700);
	}
	state_close(&state);
	open_state(&state);
	state_close(&state);
}

static void a_missing_directory_is_made_on_demand_alone(void **unused)
{
	(void)unused;
	check_refused("state", false, "state directory: state: No such file or directory");
	assert_int_equal(access("state", F_OK), -1);
	check_refused("missing/state", true, "state directory: missing/state: No such file or directory");
}

static void what_is_no_directory_is_refused(void **unused)
{
	(void)unused;
	write_file("file", "");
	check_refused("file", true, "state directory: file: Not a directory");
	assert_int_equal(mkdir("real", 0700), 0);
	assert_int_equal(symlink("real", "link"), 0);
	check_refused("link", true, "state directory: link: ");
	assert_int_equal(symlink("missing", "dangling"), 0);
	check_refused("dangling", true, "state directory: dangling: ");
	assert_int_equal(access("missing", F_OK), -1);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	check_refused("fifo", true, "state directory: fifo: ");
}

static void what_is_no_directory_inside_is_refused(void **unused)
{
	static const char *const names[] = { "sessions", "addresses" };

	(void)unused;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct text path CLEANUP(text_free) = { 0 }, said CLEANUP(text_free) = { 0 };
		struct state state;

		open_state(&state);
		state_close(&state);
		text_add(&path, "state/%s", names[i]);
		assert_int_equal(rmdir(text_string(&path)), 0);
		assert_int_equal(symlink("/tmp", text_string(&path)), 0);
		text_add(&said, "state directory: state/%s: ", names[i]);
		check_refused("state", true, text_string(&said));
		assert_int_equal(unlink(text_string(&path)), 0);
	}
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

/* What others can write to is refused; what they can read, and so open and lock, is closed to them. */
static void a_directory_that_others_can_write_is_refused(void **unused)
{
	static const struct { mode_t mode; bool refused; } cases[] = {
		{ 0700, false }, { 0755, false }, { 0750, false }, { 0701, false }, { 0704, false }, { 0770, true },
		{ 0702, true }, { 0777, true }, { 01777, true },
	};
	static const char *const names[] = { "state", "state/sessions", "state/addresses" };

	(void)unused;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t j = 0; j < COUNT(names); j++) {
			struct text said CLEANUP(text_free) = { 0 };
			struct report report = { 0 };
			struct state state;

			open_state(&state);
			state_close(&state);
			assert_int_equal(chmod(names[j], cases[i].mode), 0);
			text_add(&said, "%s must belong to user", names[j]);
			if (cases[i].refused) {
				check_refused("state", true, text_string(&said));
				check_refused("state", false, text_string(&said));
				assert_int_equal(mode_of(names[j]), cases[i].mode);
			} else {
				/* To look at it is to leave it as it is. */
				assert_int_equal(state_open(&state, "state", false, &report), 0);
				state_close(&state);
				assert_int_equal(mode_of(names[j]), cases[i].mode);
				open_state(&state);
				state_close(&state);
				assert_int_equal(mode_of(names[j]), 0700);
			}
			assert_int_equal(chmod(names[j], 0700), 0);
		}
	}
}

static void a_directory_that_others_can_take_away_is_refused(void **unused)
{
	struct state state;

	(void)unused;
	assert_int_equal(mkdir("parent", 0755), 0);
	assert_int_equal(chmod("parent", 0777), 0);
	check_refused("parent/state", true, "parent/state is in a directory that others can write to (user ");
	/* In a sticky one they can't. */
	assert_int_equal(chmod("parent", 01777), 0);
	assert_int_equal(state_open(&state, "parent/state", true, &(struct report){ 0 }), 0);
	state_close(&state);
	if (geteuid() != 0)
		return;
	assert_int_equal(chmod("parent", 0755), 0);
	assert_int_equal(chown("parent", 4711, 0), 0);
	check_refused("parent/state", true, "is in a directory that others can write to (user 4711, mode 0755)");
}

static void a_directory_of_another_user_is_refused(void **unused)
{
	struct state state;

	(void)unused;
	if (geteuid() != 0)
		skip();
	open_state(&state);
	state_close(&state);
	assert_int_equal(chown("state", 4711, 0), 0);
	check_refused("state", true, "state must belong to user 0 and be writable by nobody else; remove it");
}

static void use_read_only_directory(void)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct report report = { 0 };
	struct state state;

	open_state(&state);
	record(&state, &session);
	assert_int_equal(chmod("state/sessions", 0500), 0);
	assert_int_equal(chmod("state/addresses", 0500), 0);
	assert_int_equal(chmod("state", 0500), 0);
	assert_int_equal(state_record(&state, &session, &report), -1);
	assert_int_equal(report.status, EX_CANTCREAT);
	assert_line(&report.errors, "state directory: state/sessions/");
	assert_line(&report.errors, "Permission denied");
	report_free(&report);
	assert_int_equal(state_forget(&state, worker.id, &report), -1);
	assert_line(&report.errors, "Permission denied");
	report_free(&report);
	assert_int_equal(state_hold(&state, &session, "10.20.0.50", &report), -1);
	assert_line(&report.errors, "state directory: state/addresses/10.20.0.50: Permission denied");
	report_free(&report);
	assert_int_equal(state_claim(&state, &session, "10.20.0.51", &report), -1);
	assert_line(&report.errors, "state directory: state/addresses/10.20.0.51: Permission denied");
	report_free(&report);
	check_sessions(&state, true, ALICE, worker.id);
	state_close(&state);
	check_refused("state/inner", true, "state directory: state/inner: Permission denied");

	chmod("state", 0700);
	chmod("state/sessions", 0700);
	chmod("state/addresses", 0700);
	end_worker(&worker);
}

static void a_read_only_directory_gets_a_sentence(void **unused)
{
	(void)unused;
	run_as_nobody(use_read_only_directory);
}

static void a_full_disk_leaves_the_earlier_record(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice"), later = a_session(worker.id, "bob");
	struct rlimit unlimited, none;
	struct report report = { 0 };
	struct state state;
	int result;

	(void)unused;
	open_state(&state);
	record(&state, &session);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &unlimited);
	none = unlimited;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_FSIZE, &none);
	result = state_record(&state, &later, &report);
	setrlimit(RLIMIT_FSIZE, &unlimited);

	assert_int_equal(result, -1);
	assert_int_equal(report.status, EX_CANTCREAT);
	assert_line(&report.errors, "File too large");
	check_sessions(&state, false, ALICE, worker.id);
	assert_int_equal(access("state/sessions/new", F_OK), -1);
	report_free(&report);
	state_close(&state);
	end_worker(&worker);
}

static void what_a_killed_run_left_of_a_record_is_no_obstacle(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session session = a_session(worker.id, "alice");
	struct text path CLEANUP(text_free) = { 0 };
	struct state state;
	struct stat status;

	(void)unused;
	open_state(&state);
	text_add(&path, "state/sessions/%s", worker.id);
	write_file(text_string(&path), "id=half of a rec");
	check_sessions(&state, false, NULL, NULL);
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	write_file("state/sessions/new", "id=half of a rec");
	record(&state, &session);
	check_sessions(&state, false, ALICE, worker.id);
	assert_int_equal(access("state/sessions/new", F_OK), -1);

	write_file("state/sessions/new", "id=half of a rec");
	assert_int_equal(symlink("4711", "state/addresses/new"), 0);
	check_sessions(&state, false, ALICE, worker.id);
	assert_int_equal(access("state/sessions/new", F_OK), 0);
	check_sessions(&state, true, ALICE, worker.id);
	assert_int_equal(access("state/sessions/new", F_OK), -1);
	assert_int_equal(lstat("state/addresses/new", &status), -1);
	state_close(&state);
	end_worker(&worker);
}

/* The lock */

static int leave_without_deadline(void **state)
{
	deadline_stop();
	return leave_directory(state);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void the_lock_is_taken_and_given_back(void **unused)
{
	struct report report = { 0 };
	struct state first, second;

	(void)unused;
	open_state(&first);
	open_state(&second);
	assert_int_equal(state_lock(&first, &report), 0);
	state_unlock(&first);
	state_unlock(&first);
	assert_int_equal(state_lock(&second, &report), 0);
	state_close(&second);
	assert_int_equal(state_lock(&first, &report), 0);
	state_close(&first);
}

static void the_lock_is_waited_for_three_seconds(void **unused)
{
	struct report report = { 0 };
	struct state holder, state;
	double begun, waited;

	(void)unused;
	open_state(&holder);
	open_state(&state);
	assert_int_equal(state_lock(&holder, &report), 0);
	deadline_start(DEADLINE_SECONDS);
	begun = seconds_now();
	assert_int_equal(state_lock(&state, &report), -1);
	waited = seconds_now() - begun;
	deadline_stop();

	assert_true(waited > 2.9 && waited < 4.5);
	assert_int_equal(report.status, EX_TEMPFAIL);
	assert_line(&report.errors,
		    "state: another run has held its lock for 3 seconds; see who with `fuser state/sessions`");
	assert_false(state.locked);
	report_free(&report);
	state_close(&holder);
	assert_int_equal(state_lock(&state, &report), 0);
	state_close(&state);
}

static void what_is_remembered_is_recalled(void **state)
{
	struct report report = { 0 };
	struct state there;
	char text[32], small[6];

	(void)state;
	assert_int_equal(state_open(&there, "state", true, &report), 0);
	assert_int_equal(state_recall(&there, "gateway4", text, sizeof(text), &report), 0);
	assert_string_equal(text, "");
	assert_int_equal(state_remember(&there, "gateway4", "172.28.0.2 eth0", &report), 0);
	assert_int_equal(symlink("left", "state/new"), 0);
	assert_int_equal(state_remember(&there, "gateway4", "172.28.0.2 eth1", &report), 0);
	assert_int_equal(state_recall(&there, "gateway4", text, sizeof(text), &report), 0);
	assert_string_equal(text, "172.28.0.2 eth1");
	assert_int_equal(state_recall(&there, "gateway4", small, sizeof(small), &report), 0);
	assert_string_equal(small, "172.2");
	assert_int_equal(state_recall(&there, "gateway6", text, sizeof(text), &report), 0);
	assert_string_equal(text, "");
	assert_int_equal(access("state/new", F_OK), -1);
	assert_int_equal(mkdir("state/new", 0700), 0);
	assert_int_equal(state_remember(&there, "gateway4", "172.28.0.2 eth2", &report), -1);
	assert_line(&report.errors, "state directory: state/gateway4: ");
	report_free(&report);
	state_close(&there);
}

static void what_is_written_is_read(void **state)
{
	struct text text CLEANUP(text_free) = { 0 }, read CLEANUP(text_free) = { 0 };
	struct report report = { 0 };
	struct state there;

	(void)state;
	open_state(&there);
	assert_int_equal(state_read(&there, "gateways", &read, &report), 0);
	assert_int_equal(read.length, 0);
	for (int i = 0; i < 5000; i++)
		text_add(&text, "g%d 4 172.28.0.4 eth0\n", i);
	assert_int_equal(state_write(&there, "gateways", &(struct text){ .data = (char *)"g", .length = 1 }, &report), 0);
	assert_int_equal(state_write(&there, "gateways", &text, &report), 0);
	assert_int_equal(state_read(&there, "gateways", &read, &report), 0);
	assert_true(text_equal(&read, &text));
	assert_int_equal(unlink("state/gateways"), 0);
	assert_int_equal(symlink("/etc/passwd", "state/gateways"), 0);
	assert_int_equal(state_read(&there, "gateways", &read, &report), -1);
	assert_line(&report.errors, "state directory: state/gateways: ");
	report_free(&report);
	state_close(&there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(a_session_is_recorded_listed_and_forgotten),
		in_directory(a_record_takes_the_place_of_an_earlier_one),
		in_directory(every_live_session_is_visited_until_it_is_enough),
		in_directory(a_visit_ends_when_the_visitor_says_so),
		in_directory(records_are_read_once_under_the_lock),
		in_directory(a_visitor_may_change_records),
		in_directory(what_a_run_changes_is_read_again),
		in_directory(a_session_ends_with_its_worker),
		in_directory(a_session_ends_with_a_worker_that_nobody_waits_for),
		in_directory(a_session_without_a_worker_is_not_recorded),
		in_directory(the_start_of_a_worker_is_recorded),
		in_directory(a_pid_that_another_process_got_is_another),
		in_directory(the_name_of_a_process_may_hold_anything),
		in_directory(hostile_values_stay_in_their_pair),
		in_directory(endless_values_are_cut),
		in_directory(a_record_is_one_line_for_root_alone),
		in_directory(what_is_no_record_is_passed_over),
		in_directory(a_record_that_can_not_be_read_counts_as_live),
		in_directory(ids_are_the_numbers_of_processes),
		in_directory(an_address_has_a_holder),
		in_directory(a_session_that_was_forgotten_holds_nothing),
		in_directory(what_a_killed_run_left_of_an_address_is_no_obstacle),
		in_directory(a_holder_that_is_no_session_has_ended),
		in_directory(the_directory_is_made_for_root_alone),
		in_directory(a_missing_directory_is_made_on_demand_alone),
		in_directory(what_is_no_directory_is_refused),
		in_directory(what_is_no_directory_inside_is_refused),
		in_directory(a_directory_that_others_can_write_is_refused),
		in_directory(a_directory_that_others_can_take_away_is_refused),
		in_directory(a_directory_of_another_user_is_refused),
		in_directory(a_read_only_directory_gets_a_sentence),
		in_directory(a_full_disk_leaves_the_earlier_record),
		in_directory(what_a_killed_run_left_of_a_record_is_no_obstacle),
		in_directory(what_is_remembered_is_recalled),
		in_directory(what_is_written_is_read),
		in_directory(the_lock_is_taken_and_given_back),
		cmocka_unit_test_setup_teardown(the_lock_is_waited_for_three_seconds, enter_directory,
						leave_without_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the hook needs no kernel. It runs in a child without CAP_NET_ADMIN, so that no mistake here or
 * there reaches the network of the machine.
 */
#include "cli/hook.h"
#include "fake_syslog.h"
#include "sessions/session.h"
#include "support.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct outcome {
	int status;
	char *out, *err, *syslog;
};

/* A configuration that is complete without a look at the network. */
#define BLOCK "[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n[gateway]\naddress4 = block\n"

static void drop_network_rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const unsigned int index = CAP_TO_INDEX(CAP_NET_ADMIN);

	if (syscall(SYS_capget, &header, data) < 0)
		_exit(99);
	data[index].permitted &= ~CAP_TO_MASK(CAP_NET_ADMIN);
	data[index].effective &= ~CAP_TO_MASK(CAP_NET_ADMIN);
	data[index].inheritable &= ~CAP_TO_MASK(CAP_NET_ADMIN);
	if (syscall(SYS_capset, &header, data) < 0)
		_exit(99);
}

static void redirect(int descriptor, const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || dup2(fd, descriptor) < 0)
		_exit(99);
}

static void run_in_child(const struct options *options)
{
	int status;

	drop_network_rights();
	redirect(STDOUT_FILENO, "stdout");
	redirect(STDERR_FILENO, "stderr");
	syslog_listen();
	status = hook_run(options).error;
	write_file("syslog", syslog_text());
	syslog_close();
	exit(status);
}

/* Each line on stderr is ours, and without --dry-run in syslog too. */
static void check_lines(const struct outcome *outcome, bool dry_run)
{
	static const char name[] = "ocserv-gateway: ";
	char *copy = duplicate(outcome->err), *save = NULL;

	for (const char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_int_equal(strncmp(line, name, strlen(name)), 0);
		if (dry_run)
			assert_null(strstr(outcome->syslog, line + strlen(name)));
		else
			assert_contains(outcome->syslog, line + strlen(name));
	}
	free(copy);
}

static struct outcome run_with(const struct options *options)
{
	struct outcome outcome;
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	if (child == 0)
		run_in_child(options);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	outcome.status = WEXITSTATUS(status);
	outcome.out = read_file("stdout");
	outcome.err = read_file("stderr");
	outcome.syslog = read_file("syslog");
	assert_non_null(outcome.syslog);
	check_lines(&outcome, options->dry_run);
	return outcome;
}

static struct outcome run(void)
{
	return run_with(&(struct options){ .config = "gateway.ini" });
}

static void outcome_free(struct outcome *outcome)
{
	free(outcome->out);
	free(outcome->err);
	free(outcome->syslog);
}

/* A run that ends with @status and says this on stderr. */
static void check_run(int status, const char *said)
{
	struct outcome outcome = run();

	if (outcome.status != status)
		print_error("%s", outcome.err);
	assert_int_equal(outcome.status, status);
	assert_contains(outcome.err, said);
	outcome_free(&outcome);
}

/* A file with @text and the state directory "state". */
static void write_config(const char *text)
{
	struct text file CLEANUP(text_free) = { 0 };

	text_add(&file, "%s[session]\nstate_dir = %s/state\nforget_flows = no\n", text, directory_path());
	write_file("gateway.ini", text_string(&file));
}

static char own_id[16];
static char endless[1000];

/* As ocserv calls it, for this process as worker. */
static int enter_session(void **state)
{
	int result = enter_directory(state);

	if (result < 0)
		return result;
	memset(endless, 'x', sizeof(endless) - 1);
	snprintf(own_id, sizeof(own_id), "%d", (int)getpid());
	setenv("REASON", "connect", 1);
	setenv("ID", own_id, 1);
	setenv("USERNAME", "alice", 1);
	setenv("GROUPNAME", "staff", 1);
	setenv("VHOST", "default", 1);
	setenv("DEVICE", "vpns0", 1);
	setenv("IP_REAL", "198.51.100.7", 1);
	setenv("IP_REMOTE", "10.20.0.50", 1);
	write_config(BLOCK);
	return 0;
}

#define in_session(test) cmocka_unit_test_setup_teardown(test, enter_session, leave_directory)

static bool recorded(void)
{
	struct text path CLEANUP(text_free) = { 0 };

	text_add(&path, "state/sessions/%s", own_id);
	return access(text_string(&path), F_OK) == 0;
}

/* The environment */

static void a_connect_is_refused_where_a_variable_makes_no_sense(void **state)
{
	static const struct { const char *name, *value; int status; const char *said; } cases[] = {
		{ "REASON", NULL, EX_USAGE, "REASON=\"\": must be connect, disconnect or host-update" },
		{ "REASON", "Connect", EX_USAGE, "REASON=Connect: must be" },
		{ "REASON", "connect\n", EX_USAGE, "REASON=\"connect\\x0a\": must be" },
		{ "REASON", "\xff;`id`", EX_USAGE, "REASON=\"\\xff;`id`\": must be" },
		{ "REASON", endless, EX_USAGE, "xxx...\": must be" },
		{ "ID", NULL, EX_USAGE, "ID=\"\": is not a session number; is this run by ocserv?" },
		{ "ID", "0", EX_USAGE, "ID=0: is not a session number" },
		{ "ID", "-1", EX_USAGE, "ID=-1: is not a session number" },
		{ "ID", "../1", EX_USAGE, "ID=../1: is not a session number" },
		{ "ID", "99999999999", EX_USAGE, "ID=99999999999: is not a session number" },
		{ "DEVICE", NULL, EX_USAGE, "DEVICE=\"\": is not the name of an interface" },
		{ "DEVICE", "vpns0123456789012", EX_USAGE, "DEVICE=vpns0123456789012: is not the name of an" },
		{ "DEVICE", "vpns0\nvpns1", EX_USAGE, "DEVICE=\"vpns0\\x0avpns1\": is not the name of an interface" },
		{ "DEVICE", "vpns/0", EX_USAGE, "DEVICE=vpns/0: is not the name of an interface" },
		{ "DEVICE", "tun0", EX_CONFIG, "DEVICE=tun0: does not match [clients] interface, so no rule would" },
		{ "IP_REMOTE", NULL, EX_USAGE, "neither IP_REMOTE nor IPV6_REMOTE is set" },
		{ "IP_REMOTE", "", EX_USAGE, "neither IP_REMOTE nor IPV6_REMOTE is set" },
		{ "IP_REMOTE", "10.20.0", EX_USAGE, "IP_REMOTE=10.20.0: is not an address of its family" },
		{ "IP_REMOTE", "10.20.0.50 ", EX_USAGE, "IP_REMOTE=\"10.20.0.50 \": is not an address of its family" },
		{ "IP_REMOTE", "fd20::50", EX_USAGE, "IP_REMOTE=fd20::50: is not an address of its family" },
		{ "IP_REMOTE", endless, EX_USAGE, "is not an address of its family" },
		{ "IP_REMOTE", "10.20.1.1", EX_CONFIG, "IP_REMOTE=10.20.1.1: is outside [clients] subnet4" },
		{ "IPV6_REMOTE", "10.20.0.50", EX_USAGE, "IPV6_REMOTE=10.20.0.50: is not an address of its family" },
		{ "IPV6_REMOTE", "%1", EX_USAGE, "IPV6_REMOTE=%1: is not an address of its family" },
		{ "IPV6_REMOTE", "fd21::1", EX_CONFIG, "IPV6_REMOTE=fd21::1: is outside [clients] subnet6" },
		{ "IPV6_REMOTE", "fd21::1%3318224896", EX_CONFIG, "is outside [clients] subnet6" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *before = getenv(cases[i].name);
		char *kept = before ? duplicate(before) : NULL;

		if (cases[i].value)
			setenv(cases[i].name, cases[i].value, 1);
		else
			unsetenv(cases[i].name);
		check_run(cases[i].status, cases[i].said);
		assert_int_equal(access("state", F_OK), -1);
		if (kept)
			setenv(cases[i].name, kept, 1);
		else
			unsetenv(cases[i].name);
		free(kept);
	}
}

static void a_refusal_says_whose_session_it_was(void **state)
{
	struct text said CLEANUP(text_free) = { 0 };

	(void)state;
	setenv("DEVICE", "tun0", 1);
	text_add(&said, "ocserv-gateway: error: session refused: user=alice id=%s device=tun0 real=198.51.100.7 "
			"status=78 reason=\"DEVICE=tun0: does not match [clients] interface", own_id);
	check_run(EX_CONFIG, text_string(&said));
}

static void without_net_admin_a_session_is_refused_and_not_recorded(void **state)
{
	(void)state;
	check_run(EX_NOPERM, "error: this needs CAP_NET_ADMIN");
	assert_false(recorded());
}

static void sessions_that_the_rules_cover_come_to_the_kernel(void **state)
{
	static const struct { const char *ip4, *ip6, *config; } cases[] = {
		{ "10.20.0.50", "fd20::50", BLOCK },
		{ "10.20.0.50", "fd20::50%3318224896", BLOCK },
		{ "", "fd20::50", BLOCK },
		/* A blocked family without a subnet has no client addresses. */
		{ "10.20.0.50", "fd99::50", "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = block\n" },
		/* A direct family is none of our business. */
		{ "10.99.0.50", "",
		  "[clients]\nsubnet6 = fd20::/64\n[gateway]\naddress4 = direct\naddress6 = block\n" },
		{ "10.21.3.4", "", "[clients]\nsubnet4 = 10.20.0.0/24 10.21.0.0/16\n[gateway]\naddress4 = block\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_config(cases[i].config);
		setenv("IP_REMOTE", cases[i].ip4, 1);
		setenv("IPV6_REMOTE", cases[i].ip6, 1);
		check_run(EX_NOPERM, "this needs CAP_NET_ADMIN");
	}
}

/* Configuration and state directory */

static void a_wrong_configuration_refuses_whatever_is_asked_for(void **state)
{
	static const char *const reasons[] = { "connect", "disconnect", "host-update", "nonsense" };

	(void)state;
	for (size_t i = 0; i < COUNT(reasons); i++) {
		setenv("REASON", reasons[i], 1);
		write_config(BLOCK "prioritty = 7\n");
		check_run(EX_CONFIG, "gateway.ini:6: unknown key 'prioritty' in [gateway]; the nearest is priority");
		unlink("gateway.ini");
		check_run(EX_CONFIG, "configuration gateway.ini: No such file or directory");
		assert_int_equal(access("state", F_OK), -1);
	}
}

static void a_connect_needs_its_state_directory(void **state)
{
	(void)state;
	write_file("state", "");
	check_run(EX_CANTCREAT, "/state: Not a directory");
}

static void a_connect_waits_three_seconds_for_the_lock(void **unused)
{
	struct report report = { 0 };
	struct state state;

	(void)unused;
	assert_int_equal(state_open(&state, "state", true, &report), 0);
	assert_int_equal(state_lock(&state, &report), 0);
	check_run(EX_TEMPFAIL, "/state: another run has held its lock for 3 seconds");
	assert_false(recorded());
	state_close(&state);
}

/* Disconnect */

static void record_own_session(void)
{
	struct session session = { own_id, "alice", "", "", "vpns0", "", "10.20.0.50", "", "", "", 0, false };
	struct report report = { 0 };
	struct state state;

	assert_int_equal(state_open(&state, "state", true, &report), 0);
	assert_int_equal(state_record(&state, &session, &report), 0);
	state_close(&state);
	assert_true(recorded());
}

static void a_disconnect_forgets_the_session_and_logs_it(void **state)
{
	(void)state;
	record_own_session();
	setenv("REASON", "disconnect", 1);
	setenv("STATS_DURATION", "20", 1);
	setenv("STATS_BYTES_IN", "123", 1);
	setenv("STATS_BYTES_OUT", "4567", 1);
	check_run(0, "device=vpns0 real=198.51.100.7 ip4=10.20.0.50 ip6=\"\" gateway=block gateway6=block routing=kept "
		     "duration_s=20 bytes_in=123 bytes_out=4567\n");
	assert_false(recorded());
}

/* What becomes of an address at the end of the session that had it last. */
static void an_address_is_released_by_its_last_holder(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session own = { own_id, "alice", "", "", "vpns0", "", "10.20.0.50", "", "", "", 0, false }, again = own;
	struct report report = { 0 };
	struct state state;

	(void)unused;
	setenv("REASON", "disconnect", 1);
	record_own_session();
	assert_int_equal(state_open(&state, "state", true, &report), 0);
	assert_int_equal(state_hold(&state, &own, "10.20.0.50", &report), 0);
	check_run(0, "disconnect user=alice");
	assert_int_equal(state_holder(&state, &own, "10.20.0.50"), HOLDER_NONE);

	/* Another session of the user has it meanwhile. */
	again.id = worker.id;
	assert_int_equal(state_record(&state, &again, &report), 0);
	assert_int_equal(state_hold(&state, &again, "10.20.0.50", &report), 0);
	check_run(0, "disconnect user=alice");
	assert_int_equal(state_holder(&state, &again, "10.20.0.50"), HOLDER_SELF);
	state_close(&state);
	end_worker(&worker);
}

static void all_is_removed_after_the_last_session_alone(void **unused)
{
	struct worker worker = begin_worker("worker");
	struct session other = { worker.id, "bob", "", "", "vpns1", "", "10.20.0.51", "", "", "", 0, false };
	struct report report = { 0 };
	struct outcome outcome;
	struct state state;

	(void)unused;
	setenv("REASON", "disconnect", 1);
	write_config(BLOCK "[session]\nremove_after_last = yes\n");
	check_run(0, "error: this needs CAP_NET_ADMIN");

	assert_int_equal(state_open(&state, "state", true, &report), 0);
	assert_int_equal(state_record(&state, &other, &report), 0);
	state_close(&state);
	outcome = run();
	assert_int_equal(outcome.status, 0);
	assert_null(strstr(outcome.err, "error"));
	assert_contains(outcome.err, "routing=kept");
	outcome_free(&outcome);
	end_worker(&worker);
}

static void a_disconnect_of_no_session_is_refused(void **state)
{
	(void)state;
	record_own_session();
	setenv("REASON", "disconnect", 1);
	setenv("ID", "../lock", 1);
	check_run(EX_USAGE, "ID=../lock: is not a session number");
	assert_true(recorded());
}

static void what_goes_wrong_at_disconnect_is_said_and_passes(void **state)
{
	(void)state;
	setenv("REASON", "disconnect", 1);
	write_file("state", "");
	check_run(0, "error: state directory: ");
}

static void a_host_update_is_logged(void **state)
{
	(void)state;
	setenv("REASON", "host-update", 1);
	setenv("REMOTE_HOSTNAME", "laptop\"\n", 1);
	check_run(0, "gateway6=block hostname=\"laptop\\\"\\x0a\"\n");
	assert_int_equal(access("state", F_OK), -1);
}

static void hostile_values_stay_in_their_line(void **state)
{
	static const char *const names[] = { "USERNAME", "GROUPNAME", "VHOST", "IP_REAL", "REMOTE_HOSTNAME" };
	struct outcome outcome;

	(void)state;
	setenv("REASON", "host-update", 1);
	for (size_t i = 0; i < COUNT(names); i++)
		setenv(names[i], "x\" user=root\n\x1b[2J\xff%s%n`reboot`", 1);
	outcome = run();
	assert_int_equal(outcome.status, 0);
	assert_contains(outcome.err, "host-update user=\"x\\\" user=root\\x0a\\x1b[2J\\xff%s%n`reboot`\" group=");
	assert_ptr_equal(strchr(outcome.err, '\n'), outcome.err + strlen(outcome.err) - 1);
	outcome_free(&outcome);
}

/* Dry runs */

static void a_dry_run_prints_a_script_for_an_empty_kernel(void **state)
{
	struct outcome outcome = run_with(&(struct options){ .config = "gateway.ini", .dry_run = true });

	(void)state;
	assert_int_equal(outcome.status, 0);
	assert_contains(outcome.out, "# ocserv-gateway connect would do this, with gateway.ini, to an EMPTY kernel");
	assert_contains(outcome.out, "\nnft -f - <<'END'\ntable inet ocserv_gw {\n");
	assert_contains(outcome.out, "\nip -4 rule add priority 1001 from 10.20.0.0/24 prohibit protocol 111\n");
	assert_int_equal(access("state", F_OK), -1);
	outcome_free(&outcome);
}

static void a_dry_run_of_a_disconnect_does_nothing(void **state)
{
	struct outcome outcome;

	(void)state;
	record_own_session();
	setenv("REASON", "disconnect", 1);
	outcome = run_with(&(struct options){ .config = "gateway.ini", .dry_run = true });
	assert_int_equal(outcome.status, 0);
	assert_string_equal(outcome.out,
			    "# ocserv-gateway disconnect: nothing to do, [session] remove_after_last is no\n");
	assert_true(recorded());
	outcome_free(&outcome);
}

static void a_dry_run_refuses_what_the_hook_refuses(void **state)
{
	struct outcome outcome;

	(void)state;
	setenv("DEVICE", "tun0", 1);
	outcome = run_with(&(struct options){ .config = "gateway.ini", .dry_run = true });
	assert_int_equal(outcome.status, EX_CONFIG);
	assert_string_equal(outcome.out, "");
	outcome_free(&outcome);
}

static void a_dry_run_by_configuration_accepts_and_only_logs(void **state)
{
	struct outcome outcome;

	(void)state;
	write_config(BLOCK "[log]\ndry_run = yes\n");
	outcome = run();
	assert_int_equal(outcome.status, 0);
	assert_contains(outcome.err, "dry run: would repair: kill switch: table inet ocserv_gw is missing\n");
	assert_contains(outcome.err, "connect user=alice group=staff vhost=default id=");
	assert_contains(outcome.err, " routing=dry-run took_us=");
	assert_int_equal(access("state", F_OK), -1);
	outcome_free(&outcome);
}

static void the_level_of_the_configuration_holds(void **state)
{
	struct outcome outcome;

	(void)state;
	setenv("REASON", "host-update", 1);
	write_config(BLOCK "[log]\nlevel = warning\n");
	outcome = run();
	assert_int_equal(outcome.status, 0);
	assert_string_equal(outcome.err, "");
	outcome_free(&outcome);
}

/* The admin's own script */

static void write_script(const char *text)
{
	struct text file CLEANUP(text_free) = { 0 };

	write_file("script", text);
	assert_int_equal(chmod("script", 0700), 0);
	text_add(&file, BLOCK "[session]\nnext_script = %s/script\n", directory_path());
	write_config(text_string(&file));
}

static void the_next_script_gets_ocservs_variables_alone(void **state)
{
	char *environment;

	(void)state;
	write_script("#!/bin/sh\nenv >script.out\necho \"$0 $#\" >>script.out\n");
	setenv("REASON", "disconnect", 1);
	setenv("STATS_DURATION", "20", 1);
	setenv("SECRET", "password", 1);
	setenv("VPN_GATEWAY", "block", 1);
	setenv("LD_PRELOAD", "", 1);
	check_run(0, "disconnect user=alice");
	unsetenv("SECRET");
	unsetenv("LD_PRELOAD");

	environment = read_file("script.out");
	assert_contains(environment, "USERNAME=alice\n");
	assert_contains(environment, "IP_REMOTE=10.20.0.50\n");
	assert_contains(environment, "STATS_DURATION=20\n");
	assert_contains(environment, "PATH=/usr/local/sbin:");
	assert_contains(environment, "/script 0\n");
	assert_null(strstr(environment, "SECRET"));
	assert_null(strstr(environment, "VPN_GATEWAY"));
	assert_null(strstr(environment, "LD_PRELOAD"));
	free(environment);
}

static void a_next_script_that_fails_is_told(void **state)
{
	(void)state;
	setenv("REASON", "disconnect", 1);
	write_script("#!/bin/sh\nexit 7\n");
	check_run(0, "/script: exit status 7\n");
	write_script("#!/bin/sh\nkill -9 $$\n");
	check_run(0, "/script: killed by signal 9\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_session(a_connect_is_refused_where_a_variable_makes_no_sense),
		in_session(a_refusal_says_whose_session_it_was),
		in_session(without_net_admin_a_session_is_refused_and_not_recorded),
		in_session(sessions_that_the_rules_cover_come_to_the_kernel),
		in_session(a_wrong_configuration_refuses_whatever_is_asked_for),
		in_session(a_connect_needs_its_state_directory),
		in_session(a_connect_waits_three_seconds_for_the_lock),
		in_session(a_disconnect_forgets_the_session_and_logs_it),
		in_session(an_address_is_released_by_its_last_holder),
		in_session(all_is_removed_after_the_last_session_alone),
		in_session(a_disconnect_of_no_session_is_refused),
		in_session(what_goes_wrong_at_disconnect_is_said_and_passes),
		in_session(a_host_update_is_logged),
		in_session(hostile_values_stay_in_their_line),
		in_session(a_dry_run_prints_a_script_for_an_empty_kernel),
		in_session(a_dry_run_of_a_disconnect_does_nothing),
		in_session(a_dry_run_refuses_what_the_hook_refuses),
		in_session(a_dry_run_by_configuration_accepts_and_only_logs),
		in_session(the_level_of_the_configuration_holds),
		in_session(the_next_script_gets_ocservs_variables_alone),
		in_session(a_next_script_that_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

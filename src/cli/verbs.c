/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"
#include "base/deadline.h"
#include "base/terminal.h"
#include "diagnose/advice.h"
#include "diagnose/capacity.h"
#include "diagnose/flowtables.h"
#include "kernel/await.h"
#include "model/script.h"
#include "sessions/endings.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define TIMER "ocserv-gateway.timer"

const char *plain_text(const struct config *config)
{
	return !config_is_plain(config) ?
	       "both families are direct: clients leave via this host's own route, without a kill switch" :
	       config->file_read ?
	       "neither [gateway] address4 nor address6 is set: clients leave via this host's own route, without a kill "
	       "switch" :
	       "no gateway is configured, and there is no " SYSCONFDIR "/ocserv/gateway.ini: clients leave via this host's own "
	       "route, without a kill switch";
}

void print_plan(const struct run *run, const struct situation *situation, const char *doing)
{
	struct text script CLEANUP(text_free) = { 0 }, heading CLEANUP(text_free) = { 0 };
	const struct config *config = &run->config;

	text_add(&heading, "ocserv-gateway %s would do this, with %s%s", doing,
		 config->file_read ? config->path : "the environment alone",
		 situation->present.unprivileged ? ", to an EMPTY kernel: reading the present state needs "
						  "CAP_NET_ADMIN" : "");
	if (run->options->diff || terminal_is_there())
		script_add_diff(&script, text_string(&heading), &situation->plan, terminal_wants_colour());
	else
		script_add_plan(&script, text_string(&heading), &situation->plan);
	fputs(text_string(&script), stdout);
}

int print_dry_run(struct run *run, enum goal goal, enum doer doer, const char *doing)
{
	struct situation situation;
	int result = run_look(run, &situation, goal, doer);

	if (result == 0)
		print_plan(run, &situation, doing);
	situation_free(&situation);
	return result;
}

/* What another configuration has made, and this one does not know. */
static void warn_of_left(const struct config *config, const struct present *present, struct report *report)
{
	struct lines left CLEANUP(lines_free) = { 0 };

	if (config_is_plain(config))
		cover_left(config, present, &left);
	for (size_t i = 0; i < left.count; i++)
		report_warning(report, "%s, of another configuration: name that one with --config to remove it", left.line[i]);
}

/* Of several gateways: whose clients are refused until they are there. */
static void warn_of_missing(const struct situation *situation, struct report *report)
{
	for (unsigned int i = 0; i < situation->exits.count; i++)
		for (size_t j = 0; j < situation->exits.exit[i].missing.errors.count; j++)
			report_warning(report, "%s", situation->exits.exit[i].missing.errors.line[j]);
}

static int change_locked(struct run *run, enum goal goal, enum doer doer)
{
	struct remembered *remembered = &run->remembered;
	const struct config *config = &run->config;
	const struct state *state = &run->state;
	struct sockets *sockets = &run->sockets;
	struct report *report = &run->report;
	struct situation situation;
	enum change change;
	int result = remembered_read(remembered, config, state, report);

	if (result == 0 && goal == GOAL_INSTALL)
		result = places_check_maps(config, state, true, report);
	if (result < 0)
		return -1;
	remembered->move = run->options->move;
	remembered->decides = true;
	result = situation_read(&situation, config, goal, remembered, sockets, report);
	if (result == 0)
		result = run_permits(run, &situation, doer, NULL);
	/* The kernel loads the modules for the kill switch, which can take a slow machine longer than a hook may last. */
	if (result == 0 && goal == GOAL_INSTALL && !situation.present.guard.exists)
		deadline_start(DEADLINE_MODULES_SECONDS);
	if (result == 0)
		result = run_apply(run, &situation, &change);
	if (result == 0) {
		puts(change == CHANGE_NONE && goal == GOAL_REMOVE ? "nothing of ours is there" : change_text(change));
		if (goal == GOAL_INSTALL) {
			warn_of_missing(&situation, report);
			advise_bypasses(config, &situation, &sockets->route, report);
			advise(config, &situation, NULL, report);
			flowtables_check(config, &situation, sockets, NULL, report);
			capacity_advise(config, &sockets->nft, report);
		} else {
			warn_of_left(config, &situation.present, report);
		}
	}
	situation_free(&situation);
	return result;
}

static bool count_session(const struct session *session, void *data)
{
	(void)session;
	++*(unsigned int *)data;
	return true;
}

static void warn_of_sessions(const struct state *state, struct report *report)
{
	unsigned int live = 0;

	if (state_visit(state, true, count_session, &live, report) == 0 && live > 0)
		report_warning(report, live == 1 ?
			       "%u live session now leaves via this host's own route; `ocserv-gateway up` brings the kill switch back" :
			       "%u live sessions now leave via this host's own route; `ocserv-gateway up` brings the kill switch back",
			       live);
}

/* By systemctl, where systemd runs: see sd_booted(3). */
static bool timer_is_active(void)
{
	char *const command[] = { (char[]){ "systemctl" }, (char[]){ "is-active" }, (char[]){ "--quiet" }, (char[]){ TIMER },
				  NULL };
	posix_spawn_file_actions_t silence;
	int status = -1;
	pid_t child;

	if (access("/run/systemd/system", F_OK) < 0)
		return false;
	posix_spawn_file_actions_init(&silence);
	posix_spawn_file_actions_addopen(&silence, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&child, command[0], &silence, NULL, command, environ) == 0)
		waitpid(child, &status, 0);
	posix_spawn_file_actions_destroy(&silence);
	return status == 0;
}

static void warn_of_timer(struct report *report)
{
	if (timer_is_active())
		report_warning(report, TIMER " is active: it installs everything again within a minute; systemctl stop " TIMER);
}

static int change_kernel(struct run *run, enum goal goal, enum doer doer)
{
	int result = run_lock(run);

	if (result == 0)
		result = sockets_open(&run->sockets, &run->report);
	if (result == 0)
		result = change_locked(run, goal, doer);
	if (result == 0 && goal == GOAL_REMOVE)
		warn_of_sessions(&run->state, &run->report);
	state_unlock(&run->state);
	/* Also what runs that were killed have left. */
	if ((result == 0 || run->moved) && endings_any(&run->state))
		endings_end(&run->state, &run->config, &run->report);
	if (result == 0 && doer == BY_REMOVAL)
		warn_of_timer(&run->report);
	return result;
}

/* Before the lock, lest hooks wait too. */
static void wait_for_gateway(struct run *run)
{
	remembered_look(&run->remembered, &run->config);
	deadline_stop();
	await_gateway(&run->config, run->options->move ? NULL : &run->remembered.choices, run->options->wait);
	deadline_start(DEADLINE_SECONDS);
}

struct result verb_up(const struct options *options)
{
	struct run run;

	if (run_begin(&run, options, RUN_VERB) == 0) {
		enum goal goal = goal_of(&run.config);

		if (goal == GOAL_REMOVE)
			report_warning(&run.report, "%s", plain_text(&run.config));
		if (goal == GOAL_INSTALL && options->wait)
			wait_for_gateway(&run);
		if (options->dry_run)
			print_dry_run(&run, goal, BY_ADMIN, "up");
		else
			change_kernel(&run, goal, BY_ADMIN);
	}
	return run_end(&run);
}

struct result verb_down(const struct options *options)
{
	struct run run;

	if (run_begin(&run, options, RUN_VERB) == 0) {
		if (options->dry_run)
			print_dry_run(&run, GOAL_REMOVE, BY_REMOVAL, "down");
		else
			change_kernel(&run, GOAL_REMOVE, BY_REMOVAL);
	}
	return run_end(&run);
}

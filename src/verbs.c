/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verbs.h"
#include "advice.h"
#include "deadline.h"
#include "capacity.h"
#include "ocserv.h"
#include "overlap.h"
#include "privileges.h"
#include "script.h"
#include "session.h"
#include "terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int load(struct config *config, const struct options *options, struct report *report)
{
	log_open(options->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, false);
	return config_load(config, options->config, options->ocserv_conf, report);
}

const char *plain_text(const struct config *config)
{
	return !config_is_plain(config) ?
	       "both families are direct: clients leave by this host's own route, without a kill switch" :
	       config->file_read ?
	       "neither [gateway] address4 nor address6 is set: clients leave by this host's own route, without a kill "
	       "switch" :
	       "no gateway is configured, and there is no " SYSCONFDIR "/ocserv/gateway.ini: clients leave by this host's own "
	       "route, without a kill switch";
}

/* The records of live sessions, where there are any. */
static int cover_check_dry(const struct config *config, const struct situation *situation, enum doer doer,
			   struct report *report)
{
	struct report unread = { 0 };
	struct state state;
	bool readable = state_open(&state, config->state_dir, false, &unread) == 0;
	struct session own = { .id = getenv("ID"), .device = getenv("DEVICE") };
	int result = cover_check(config, situation, doer, readable ? &state : NULL, doer == BY_HOOK ? &own : NULL, report);

	state_close(&state);
	report_free(&unread);
	return result;
}

int print_dry_run(const struct config *config, const struct options *options, enum goal goal, enum doer doer,
		  const char *doing, struct report *report)
{
	struct text script CLEANUP(text_free) = { 0 }, heading CLEANUP(text_free) = { 0 };
	struct situation situation = { 0 };
	struct remembered remembered;
	struct sockets sockets;
	int result = sockets_open(&sockets, report);

	remembered_look(&remembered, config);
	remembered.move = options->move;
	if (result == 0)
		result = situation_read(&situation, config, goal, &remembered, &sockets, report);
	if (result == 0 && goal == GOAL_INSTALL)
		result = overlap_refuse(config, &situation, doer == BY_HOOK, &sockets.route, report);
	if (result == 0)
		result = cover_check_dry(config, &situation, doer, report);
	if (result == 0) {
		text_add(&heading, "ocserv-gateway %s would do this, with %s%s", doing,
			 config->file_read ? config->path : "the environment alone",
			 situation.kernel.unprivileged ? ", to an EMPTY kernel: reading the present state needs "
							 "CAP_NET_ADMIN" : "");
		if (options->diff || terminal_is_there())
			script_add_diff(&script, text_string(&heading), &situation.plan, terminal_wants_colour());
		else
			script_add_plan(&script, text_string(&heading), &situation.plan);
		fputs(text_string(&script), stdout);
	}
	situation_free(&situation);
	sockets_close(&sockets);
	return result;
}

static void print_change(enum change change, enum goal goal, const struct lines *was)
{
	if (change == CHANGE_NONE && goal == GOAL_REMOVE)
		puts("nothing of ours is there");
	else
		puts(change_text(change));
	for (size_t i = 0; i < was->count && change == CHANGE_REPAIRED; i++)
		printf("  %s\n", was->line[i]);
}

/* Takes the plan's problems, which converge() replaces. */
static struct lines take_problems(struct situation *situation)
{
	struct lines problems = situation->plan.problems;

	situation->plan.problems = (struct lines){ 0 };
	for (size_t i = 0; i < problems.count; i++)
		lines_add(&situation->plan.problems, "%s", problems.line[i]);
	return problems;
}

/* What another configuration has made, and this one does not know. */
static void warn_of_left(const struct config *config, const struct kernel *kernel, struct report *report)
{
	struct lines left CLEANUP(lines_free) = { 0 };

	if (config_is_plain(config))
		cover_left(config, kernel, &left);
	for (size_t i = 0; i < left.count; i++)
		report_warning(report, "%s, of another configuration: name that with --config to remove it", left.line[i]);
}

static int change_kernel(const struct config *config, enum goal goal, enum doer doer, bool move,
			 const struct state *state, struct sockets *sockets, struct report *report)
{
	struct remembered remembered = { .move = move };
	struct lines was CLEANUP(lines_free) = { 0 };
	struct situation situation;
	enum change change;
	int result = remembered_read(&remembered, config, state, report);

	if (result < 0)
		return -1;
	result = situation_read(&situation, config, goal, &remembered, sockets, report);
	if (result == 0 && goal == GOAL_INSTALL)
		result = overlap_refuse(config, &situation, false, &sockets->route, report);
	if (result == 0)
		result = cover_check(config, &situation, doer, state, NULL, report);
	if (result == 0) {
		if (goal == GOAL_REMOVE || !situation.plan.anything_present)
			state_trust(state);
		was = take_problems(&situation);
		result = converge(&situation, config, goal, &remembered, sockets, &change, report);
	}
	if (result == 0)
		result = remembered_keep(&remembered, config, &situation, state, report);
	if (result == 0) {
		print_change(change, goal, &was);
		if (change != CHANGE_NONE)
			state_note_change(state, change_text(change));
		if (goal == GOAL_INSTALL) {
			advise_bypasses(config, &situation, &sockets->route, report);
			advise(config, &situation, NULL, report);
			capacity_advise(config, &sockets->nft, report);
		} else {
			warn_of_left(config, &situation.kernel, report);
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
			       "%u live session now leaves by this host's own route; `ocserv-gateway up` brings the kill switch back" :
			       "%u live sessions now leave by this host's own route; `ocserv-gateway up` brings the kill switch back",
			       live);
}

static int run(const struct config *config, enum goal goal, enum doer doer, bool move, struct report *report)
{
	struct sockets sockets = { 0 };
	struct state state;
	int result = state_open(&state, config->state_dir, true, report);

	if (result == 0)
		result = state_lock(&state, report);
	if (result == 0)
		result = sockets_open(&sockets, report);
	if (result == 0)
		result = change_kernel(config, goal, doer, move, &state, &sockets, report);
	if (result == 0 && goal == GOAL_REMOVE)
		warn_of_sessions(&state, report);
	state_close(&state);
	sockets_close(&sockets);
	return result;
}

int verb_up(const struct options *options)
{
	struct report report = { 0 };
	struct config config;
	int status;

	deadline_start();
	if (load(&config, options, &report) == 0) {
		privileges_drop();
		if (goal_of(&config) == GOAL_REMOVE)
			report_warning(&report, "%s", plain_text(&config));
		if (options->dry_run)
			print_dry_run(&config, options, goal_of(&config), BY_ADMIN, "up", &report);
		else
			run(&config, goal_of(&config), BY_ADMIN, options->move, &report);
	}
	status = log_report(&report);
	config_free(&config);
	return status;
}

int verb_down(const struct options *options)
{
	struct report report = { 0 };
	struct config config;
	int status;

	deadline_start();
	if (load(&config, options, &report) == 0) {
		privileges_drop();
		if (options->dry_run)
			print_dry_run(&config, options, GOAL_REMOVE, BY_REMOVAL, "down", &report);
		else
			run(&config, GOAL_REMOVE, BY_REMOVAL, false, &report);
	}
	status = log_report(&report);
	config_free(&config);
	return status;
}

static void print_origin(const struct config *config, const struct key_description *key,
			 const struct setting *setting)
{
	switch (setting->origin) {
	case FROM_FILE:
		printf("%s:%u", config->path, setting->line);
		break;
	case FROM_ENVIRONMENT:
		printf("environment, %s", key->environment);
		break;
	case FROM_OPTION:
		printf("--ocserv-conf");
		break;
	case FROM_DEFAULT:
		printf("%s", setting->value ? "default" : "not set");
		break;
	}
	if (setting->automatic)
		printf(", auto: %s", config->ocserv_conf);
	putchar('\n');
}

static void print_settings(const struct config *config)
{
	const char *section = "";

	for (int i = 0; i < CONFIG_KEYS; i++) {
		const struct setting *setting = &config->setting[i];
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (strcmp(section, key.section) != 0)
			printf("%s[%s]\n", section[0] ? "\n" : "", key.section);
		section = key.section;
		printf("%-18s = %-24s ; ", key.name, setting->value ? setting->value : "");
		print_origin(config, &key, setting);
	}
}

static void print_gateway(const struct config *config, const struct situation *situation, int family)
{
	char address[ADDRESS_TEXT];
	const char *interface = "";

	for (size_t i = 0; i < situation->policy.routes; i++)
		if (situation->policy.route[i].family == family_of(family))
			interface = situation->policy.route[i].interface_name;
	switch (config->gateway[family].mode) {
	case GATEWAY_UNSET:
	case GATEWAY_DIRECT:
		printf("%s of clients: leaves by this host's own route, without a kill switch\n", family_name(family));
		break;
	case GATEWAY_BLOCK:
		printf("%s of clients: blocked\n", family_name(family));
		break;
	case GATEWAY_ADDRESS:
		printf("%s of clients: leaves by the gateway %s on %s\n", family_name(family),
		       address_text(&config->gateway[family].address, address), interface);
		break;
	}
}

static void check_host(const struct config *config, struct report *report)
{
	struct situation situation = { 0 };
	struct remembered remembered;
	struct sockets sockets;

	remembered_look(&remembered, config);
	if (sockets_open(&sockets, report) == 0 && !config_is_plain(config))
		ocserv_check(config, &sockets.route, report);
	if (sockets.nft.socket &&
	    situation_read(&situation, config, goal_of(config), &remembered, &sockets, report) == 0) {
		putchar('\n');
		print_gateway(config, &situation, IPV4);
		print_gateway(config, &situation, IPV6);
		gateway_advise(&sockets.route, config, situation.path, report);
		if (goal_of(config) == GOAL_INSTALL) {
			overlap_refuse(config, &situation, false, &sockets.route, report);
			advise_bypasses(config, &situation, &sockets.route, report);
			advise(config, &situation, NULL, report);
			capacity_advise(config, &sockets.nft, report);
		}
		if (goal_of(config) == GOAL_INSTALL && !situation.kernel.unprivileged)
			examine(config, &situation, &sockets, report);
	}
	situation_free(&situation);
	sockets_close(&sockets);
}

int verb_check(const struct options *options)
{
	struct report report = { 0 };
	struct config config;
	int status;

	if (load(&config, options, &report) == 0) {
		print_settings(&config);
		if (goal_of(&config) == GOAL_REMOVE)
			report_warning(&report, "%s", plain_text(&config));
		if (config.log_dry_run)
			report_warning(&report, "[log] dry_run = yes: hooks install nothing, there is NO kill switch");
		check_host(&config, &report);
		if (report.status == 0 && report.warnings.count > 0)
			report.status = 1;
	}
	fflush(stdout);
	status = log_report(&report);
	config_free(&config);
	return status;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/deadline.h"
#include "base/privileges.h"
#include "base/terminal.h"
#include "cli/verbs.h"
#include "cli/whereto.h"
#include "config/maps.h"
#include "config/variables.h"
#include "diagnose/advice.h"
#include "diagnose/capacity.h"
#include "diagnose/ocserv.h"
#include "diagnose/overlap.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *origin_text(const struct config *config, const struct key_description *key,
			       const struct setting *setting, struct text *text)
{
	switch (setting->origin) {
	case FROM_FILE:
		text_add(text, "%s:%u", setting->place ? setting->place : config->path, setting->line);
		break;
	case FROM_ENVIRONMENT:
		text_add(text, "environment, %s", setting->place ? setting->place : key->environment);
		break;
	case FROM_OPTION:
		text_add_string(text, "--ocserv-conf");
		break;
	case FROM_DEFAULT:
		text_add_string(text, setting->value ? "default" : "not set");
		break;
	}
	return text_string(text);
}

static void add_setting(struct text *screen, const struct config *config, const struct key_description *key,
			const struct setting *setting)
{
	struct text origin CLEANUP(text_free) = { 0 };

	text_add(screen, "%-18s = ", key->name);
	text_add(screen, "%-24s ; %s%s%s\n", setting->value ? setting->value : "",
		 origin_text(config, key, setting, &origin), setting->automatic ? ", auto: " : "",
		 setting->automatic ? config->ocserv_conf : "");
}

/* Whether somebody has said it. */
static bool is_said(const struct setting *setting)
{
	return setting->origin != FROM_DEFAULT || setting->automatic;
}

/* With @all, what nobody has said of it, too. */
static void add_named_gateway(struct text *screen, const struct config *config, const struct gateway *gateway, bool all)
{
	char section[GATEWAY_SECTION];

	text_add(screen, "\n%s\n", gateway_section(gateway, section));
	for (int i = 0; i < CONFIG_KEYS; i++) {
		const struct setting *setting = &gateway->setting[i];
		struct key_description key;

		config_describe_key((enum config_key)i, &key);
		if (is_said(setting) || (all && setting->value))
			add_setting(screen, config, &key, setting);
	}
}

static void add_said(struct text *screen, const struct config *config, enum config_key i, const char **section)
{
	struct key_description key;

	config_describe_key(i, &key);
	if (strcmp(*section, key.section) != 0)
		text_add(screen, "\n[%s]\n", key.section);
	*section = key.section;
	add_setting(screen, config, &key, &config->setting[i]);
}

/* What somebody has said; with @all, what nobody has said, too. Gateways with names stand behind the one without. */
static void add_settings(struct text *screen, const struct config *config, bool all)
{
	const char *section = "";

	for (enum config_key i = 0; i < CONFIG_KEYS; i++) {
		if (i == KEY_MAP_USERS)
			for (unsigned int j = 1; j < config->gateways; j++)
				add_named_gateway(screen, config, &config->gateway[j], all);
		if (is_said(&config->setting[i]) || all)
			add_said(screen, config, i, &section);
	}
}

/* Of the families that are covered. */
static uint32_t last_priority(const struct config *config)
{
	uint32_t last = config->priority + 1;

	for (int family = 0; family < FAMILIES; family++)
		if (config_covers(config, family) && config_has_tree(config, family))
			last = config_last_priority(config, family);
	return last;
}

static void add_gateway(struct text *screen, const struct config *config, const struct situation *situation, int family)
{
	const struct exit *exit = exits_default(&situation->exits, config, family);

	text_add(screen, "%s of clients: ", family_name(family));
	switch (config_default(config)->to[family].mode) {
	case GATEWAY_UNSET:
	case GATEWAY_DIRECT:
		text_add_string(screen, "leaves via this host's own route, without a kill switch\n");
		break;
	case GATEWAY_BLOCK:
		text_add_string(screen, "blocked\n");
		break;
	case GATEWAY_LINK:
		text_add(screen, "leaves via %s\n", exit->text);
		break;
	case GATEWAY_ADDRESS:
		text_add(screen, "leaves via %s on %s\n", exit->text, exit->interface.name);
		break;
	}
}

/* Which of them others are to leave alone, where that is more than three. */
static void add_priorities(struct text *screen, const struct config *config)
{
	uint32_t last = last_priority(config);

	if (last > config->priority + 1)
		text_add(screen, "policy rules: priorities %u to %u, as there are more than %d gateways\n", config->priority - 1,
			 last, CONFIG_FLAT_GATEWAYS);
}

static void add_fast_path(struct text *screen, const struct config *config, const struct situation *situation)
{
	if (config->fast_path == FAST_PATH_NO || situation->present.unprivileged)
		return;
	text_add(screen, "fast path: %s", situation->host.fast ? "on" : "off");
	if (situation->slow.length)
		text_add(screen, "%s%s", situation->host.fast ? "; " : ": ", text_string(&situation->slow));
	text_add_string(screen, "\n");
}

static void check_host(struct run *run, const struct ocserv *ocserv, struct text *screen)
{
	const struct config *config = &run->config;
	struct sockets *sockets = &run->sockets;
	struct report *report = &run->report;
	struct situation situation = { 0 };

	remembered_look(&run->remembered, config);
	if (sockets_open(sockets, report) == 0 && !config_is_plain(config))
		ocserv_check(ocserv, config, &sockets->route, report);
	if (sockets->nft.socket &&
	    situation_read(&situation, config, goal_of(config), &run->remembered, sockets, report) == 0) {
		text_add_string(screen, "\n");
		add_gateway(screen, config, &situation, IPV4);
		add_gateway(screen, config, &situation, IPV6);
		add_priorities(screen, config);
		add_fast_path(screen, config, &situation);
		gateway_advise(&sockets->route, config, &situation.exits, report);
		if (goal_of(config) == GOAL_INSTALL) {
			overlap_refuse(config, &situation, BY_ADMIN, &sockets->route, report);
			advise_bypasses(config, &situation, &sockets->route, report);
			advise(config, &situation, NULL, report);
			capacity_advise(config, &sockets->nft, report);
		}
		if (situation.present.unprivileged)
			report_warning(report, "the kill switch and other nft chains were not checked: that needs CAP_NET_ADMIN; "
				       "run it as root");
		else if (goal_of(config) == GOAL_INSTALL)
			examine(config, &situation, sockets, report);
	}
	situation_free(&situation);
}

static void add_json_value(struct text *json, const struct config *config, const struct key_description *key,
			   const struct setting *setting)
{
	struct text origin CLEANUP(text_free) = { 0 };

	text_add(json, "      \"%s\": { \"value\": ", key->name);
	text_add_json(json, setting->value);
	text_add_string(json, ", \"from\": ");
	text_add_json(json, origin_text(config, key, setting, &origin));
	text_add(json, ", \"auto\": %s }", setting->automatic ? "true" : "false");
}

/* { "clients": { "subnet4": { "value": "10.20.0.0/24", "from": "/etc/ocserv/gateway.ini:2", "auto": false }, ... }, ... } */
static void add_json_values(struct text *json, const struct config *config)
{
	const char *section = "";

	whereto_add_json(json, config);
	text_add(json, "  \"priorities\": { \"first\": %u, \"last\": %u },\n", config->priority - 1, last_priority(config));
	text_add_string(json, "  \"values\": {");
	for (int i = 0; i < CONFIG_KEYS; i++) {
		struct key_description key;
		bool begins;

		config_describe_key((enum config_key)i, &key);
		begins = strcmp(section, key.section) != 0;
		if (begins)
			text_add(json, "%s\n    \"%s\": {", section[0] ? "\n    }," : "", key.section);
		section = key.section;
		text_add_string(json, begins ? "\n" : ",\n");
		add_json_value(json, config, &key, &config->setting[i]);
	}
	text_add_string(json, "\n    }\n  }\n");
}

static void print_json(const struct run *run)
{
	struct text json CLEANUP(text_free) = { 0 };

	text_add_string(&json, "{\n");
	report_add_json(&json, &run->report);
	add_json_values(&json, &run->config);
	text_add_string(&json, "}\n");
	fputs(text_string(&json), stdout);
}

/* What was found is for stderr, as of any verb, and stands between the two on a terminal. */
static void print_screen(const struct run *run, const struct text *screen)
{
	struct text summary CLEANUP(text_free) = { 0 }, findings CLEANUP(text_free) = { 0 };

	report_add_summary(&summary, &run->report, terminal_wants_colour());
	report_add_findings(&findings, &run->report, terminal_wants_colour_on(STDERR_FILENO));
	fputs(text_string(&summary), stdout);
	fflush(stdout);
	fputs(text_string(&findings), stderr);
	fputs(text_string(screen), stdout);
}

/* What the image has that is of no use here, and does no harm. */
static void note_variable(const struct strange_variable *variable, void *data)
{
	if (variable->harmless)
		report_note(data, "environment: %.*s: is not read by this program; unset it", variable->length, variable->name);
}

/* All that there is to say of a configuration that is good. */
static void check_config(struct run *run, struct text *screen)
{
	struct report *report = &run->report;
	struct ocserv ocserv;

	ocserv_find(&ocserv, &run->config);
	privileges_drop();
	maps_check(&run->config, report);
	variables_visit_strange(note_variable, report);
	if (goal_of(&run->config) == GOAL_REMOVE)
		report_warning(report, "%s", plain_text(&run->config));
	if (run->config.log_dry_run)
		report_warning(report, "[log] dry_run = yes: hooks install nothing, there is NO kill switch");
	check_host(run, &ocserv, screen);
	ocserv_free(&ocserv);
	whereto_add(screen, &run->config);
	add_settings(screen, &run->config, run->options->verbose);
}

/* --user: nothing is said but that. */
static void check_user(struct run *run, struct text *screen)
{
	struct text json CLEANUP(text_free) = { 0 };

	privileges_drop();
	if (!run->options->json) {
		whereto_explain(screen, &run->config, run->options, &run->report);
		return;
	}
	whereto_explain_json(&json, &run->config, run->options, &run->report);
	text_add_string(screen, "{\n");
	report_add_json(screen, &run->report);
	text_add_string(screen, json.length ? text_string(&json) : "  \"session\": null\n");
	text_add_string(screen, "}\n");
}

/* What was found is for the log then. */
static struct result explain_user(struct run *run, bool good)
{
	struct text screen CLEANUP(text_free) = { 0 };

	if (good)
		check_user(run, &screen);
	deadline_stop();
	fputs(text_string(&screen), stdout);
	run->shown = run->options->json;
	return run_end(run);
}

struct result verb_check(const struct options *options)
{
	struct text screen CLEANUP(text_free) = { 0 };
	struct run run;
	bool good = run_begin(&run, options, RUN_CHECK) == 0;

	if (options->user)
		return explain_user(&run, good);
	if (good)
		check_config(&run, &screen);
	/* Whoever reads it may take any time. */
	deadline_stop();
	if (options->json)
		print_json(&run);
	else
		print_screen(&run, &screen);
	run.shown = true;
	run.bad_news = run.report.warnings.count > 0;
	return run_end(&run);
}

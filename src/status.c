/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advice.h"
#include "neighbour.h"
#include "session.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum verdict { OFF, INSTALLED, ABSENT, DEGRADED };

static const char *const verdict_names[] = { "off", "installed", "absent", "degraded" };

/* Live sessions, copied: a visitor sees each during its call alone. */
struct sessions {
	struct session *session;
	size_t count;
};

struct status {
	const struct config *config;
	const struct situation *situation;
	enum verdict verdict;
	struct lines problems;
	struct sessions sessions;
	unsigned long long changed;	/* when, in seconds since the epoch; 0 where unknown */
	char change[STATE_CHANGE];
	bool answers[FAMILIES];		/* the gateway, where there is one */
};

static bool copy_session(const struct session *session, void *data)
{
	struct sessions *sessions = data;

	sessions->session = make_room_for_one(sessions->session, sessions->count, sizeof(*sessions->session));
	sessions->session[sessions->count++] = (struct session){
		.id = duplicate(session->id), .user = duplicate(session->user), .group = duplicate(session->group),
		.vhost = duplicate(session->vhost), .device = duplicate(session->device),
		.real = duplicate(session->real), .ip4 = duplicate(session->ip4), .ip6 = duplicate(session->ip6),
		.since = session->since,
	};
	return true;
}

static void free_sessions(struct sessions *sessions)
{
	for (size_t i = 0; i < sessions->count; i++) {
		struct session *session = &sessions->session[i];
		const char *const fields[] = { session->id, session->user, session->group, session->vhost,
					       session->device, session->real, session->ip4, session->ip6 };

		for (size_t j = 0; j < sizeof(fields) / sizeof(*fields); j++)
			free((char *)fields[j]);
	}
	free(sessions->session);
}

/* No directory means no session: the hook makes it at the first connect. */
static void read_state(struct status *status)
{
	struct report ignored = { 0 };
	struct state state;

	if (state_open(&state, status->config->state_dir, false, &ignored) == 0) {
		state_visit(&state, false, copy_session, &status->sessions, &ignored);
		status->changed = state_last_change(&state, status->change);
	}
	state_close(&state);
	report_free(&ignored);
}

static enum verdict judge(const struct config *config, const struct situation *situation, const struct report *report)
{
	if (report->status)
		return DEGRADED;
	if (goal_of(config) == GOAL_REMOVE)
		return situation->plan.steps ? DEGRADED : OFF;
	if (situation->plan.steps == 0)
		return INSTALLED;
	return situation->plan.anything_present ? DEGRADED : ABSENT;
}

static void take_problems(struct status *status, const struct report *report)
{
	for (size_t i = 0; i < report->errors.count; i++)
		lines_add(&status->problems, "%s", report->errors.line[i]);
	for (size_t i = 0; i < status->situation->plan.problems.count; i++)
		lines_add(&status->problems, "%s", status->situation->plan.problems.line[i]);
}

static const struct route *find_route(const struct status *status, int family)
{
	for (size_t i = 0; i < status->situation->policy.routes; i++)
		if (status->situation->policy.route[i].family == family_of(family))
			return &status->situation->policy.route[i];
	return NULL;
}

static const char *mode_text(enum gateway_mode mode)
{
	static const char *const names[] = {
		[GATEWAY_UNSET] = "unset", [GATEWAY_ADDRESS] = "gateway", [GATEWAY_BLOCK] = "block",
		[GATEWAY_DIRECT] = "direct",
	};

	return names[mode];
}

static void add_json_lines(struct text *json, const char *name, const struct lines *lines)
{
	text_add(json, "  \"%s\": [", name);
	for (size_t i = 0; i < lines->count; i++) {
		text_add(json, "%s\n    ", i ? "," : "");
		text_add_json(json, lines->line[i]);
	}
	text_add(json, "%s],\n", lines->count ? "\n  " : "");
}

static void add_json_pair(struct text *json, const char *name, const char *value)
{
	text_add(json, "\"%s\": ", name);
	text_add_json(json, value);
	text_add(json, ", ");
}

static void add_json_gateway(struct text *json, const struct status *status)
{
	char address[ADDRESS_TEXT];

	text_add(json, "  \"gateway\": {\n");
	for (int family = 0; family < FAMILIES; family++) {
		const struct gateway *gateway = &status->config->gateway[family];
		const struct route *route = find_route(status, family);

		text_add(json, "    \"%s\": { \"mode\": \"%s\"", family == IPV4 ? "ipv4" : "ipv6",
			 mode_text(gateway->mode));
		if (gateway->mode == GATEWAY_ADDRESS)
			text_add(json, ", \"address\": \"%s\", \"interface\": \"%s\", \"answers\": %s",
				 address_text(&gateway->address, address), route ? route->interface_name : "",
				 status->answers[family] ? "true" : "false");
		text_add(json, " }%s\n", family == IPV4 ? "," : "");
	}
	text_add(json, "  },\n");
}

static void add_json_sessions(struct text *json, const struct sessions *sessions)
{
	text_add(json, "  \"sessions\": [");
	for (size_t i = 0; i < sessions->count; i++) {
		const struct session *session = &sessions->session[i];

		text_add(json, "%s\n    { \"id\": %s, ", i ? "," : "", session->id);
		add_json_pair(json, "user", session->user);
		add_json_pair(json, "group", session->group);
		add_json_pair(json, "vhost", session->vhost);
		add_json_pair(json, "device", session->device);
		add_json_pair(json, "ip4", session->ip4);
		add_json_pair(json, "ip6", session->ip6);
		add_json_pair(json, "real", session->real);
		text_add(json, "\"since\": %llu }", session->since);
	}
	text_add(json, "%s],\n", sessions->count ? "\n  " : "");
}

/* The first rule with each comment, which are different where the kill switch is as we make it. */
static bool comment_seen(const struct present_guard *guard, size_t chain, size_t rule)
{
	const char *comment = guard->chain[chain].rule[rule].comment;

	for (size_t i = 0; i <= chain; i++)
		for (size_t j = 0; j < (i < chain ? guard->chain[i].rules : rule); j++)
			if (strcmp(guard->chain[i].rule[j].comment, comment) == 0)
				return true;
	return false;
}

static void add_json_counters(struct text *json, const struct present_guard *guard)
{
	bool first = true;

	text_add(json, "  \"counters\": {");
	for (size_t i = 0; i < guard->chains; i++) {
		for (size_t j = 0; j < guard->chain[i].rules; j++) {
			const struct present_rule *rule = &guard->chain[i].rule[j];

			if (!rule->comment[0] || comment_seen(guard, i, j) || !rule->counted)
				continue;
			text_add(json, "%s\n    ", first ? "" : ",");
			text_add_json(json, rule->comment);
			text_add(json, ": { \"packets\": %llu, \"bytes\": %llu }", (unsigned long long)rule->packets,
				 (unsigned long long)rule->bytes);
			first = false;
		}
	}
	text_add(json, "%s}\n", first ? "" : "\n  ");
}

/* Whether each gateway is alive, as far as its network tells. */
static void ask_gateways(struct status *status, struct netlink *route)
{
	for (int family = 0; family < FAMILIES; family++) {
		const struct route *way = find_route(status, family);

		if (way && way->interface)
			status->answers[family] = neighbour_answers(route, &way->gateway, way->interface);
	}
}

/* For the textfile collector of Prometheus' node_exporter. */
static void add_gauge(struct text *text, const char *name, const char *help)
{
	text_add(text, "# HELP ocserv_gateway_%s %s\n# TYPE ocserv_gateway_%s gauge\n", name, help, name);
}

static void add_prometheus_gateways(struct text *text, const struct status *status)
{
	char address[ADDRESS_TEXT];

	add_gauge(text, "gateway_answers", "Whether the gateway answers ARP or ND.");
	for (int family = 0; family < FAMILIES; family++)
		if (status->config->gateway[family].mode == GATEWAY_ADDRESS)
			text_add(text, "ocserv_gateway_gateway_answers{family=\"%s\",address=\"%s\"} %d\n",
				 family == IPV4 ? "ipv4" : "ipv6",
				 address_text(&status->config->gateway[family].address, address), status->answers[family]);
}

static void add_prometheus_counters(struct text *text, const struct present_guard *guard, bool bytes)
{
	const char *unit = bytes ? "bytes" : "packets";

	text_add(text, "# HELP ocserv_gateway_rule_%s_total What each rule of the kill switch has let through or "
		 "stopped.\n# TYPE ocserv_gateway_rule_%s_total counter\n", unit, unit);
	for (size_t i = 0; i < guard->chains; i++) {
		for (size_t j = 0; j < guard->chain[i].rules; j++) {
			const struct present_rule *rule = &guard->chain[i].rule[j];

			if (!rule->comment[0] || comment_seen(guard, i, j) || !rule->counted)
				continue;
			text_add(text, "ocserv_gateway_rule_%s_total{chain=", unit);
			text_add_json(text, guard->chain[i].name);
			text_add(text, ",rule=");
			text_add_json(text, rule->comment);
			text_add(text, "} %llu\n", (unsigned long long)(bytes ? rule->bytes : rule->packets));
		}
	}
}

static void print_prometheus(const struct status *status, const struct report *report)
{
	struct text text CLEANUP(text_free) = { 0 };

	add_gauge(&text, "state", "Which state this host is in: of these, one is 1.");
	for (size_t i = 0; i < sizeof(verdict_names) / sizeof(*verdict_names); i++)
		text_add(&text, "ocserv_gateway_state{state=\"%s\"} %d\n", verdict_names[i], i == status->verdict);
	add_gauge(&text, "problems", "What is missing or wrong in routes, rules and kill switch.");
	text_add(&text, "ocserv_gateway_problems %zu\n", status->problems.count);
	add_gauge(&text, "warnings", "What of this host does not fit.");
	text_add(&text, "ocserv_gateway_warnings %zu\n", report->warnings.count);
	add_gauge(&text, "sessions", "Live sessions of clients.");
	text_add(&text, "ocserv_gateway_sessions %zu\n", status->sessions.count);
	if (status->changed) {
		add_gauge(&text, "changed_timestamp_seconds", "When the kernel was last changed, and what was done then.");
		text_add(&text, "ocserv_gateway_changed_timestamp_seconds{what=");
		text_add_json(&text, status->change);
		text_add(&text, "} %llu\n", status->changed);
	}
	add_prometheus_gateways(&text, status);
	add_prometheus_counters(&text, &status->situation->kernel.guard, false);
	add_prometheus_counters(&text, &status->situation->kernel.guard, true);
	fputs(text_string(&text), stdout);
}

static void print_json(const struct status *status, const struct report *report)
{
	struct text json CLEANUP(text_free) = { 0 };

	text_add(&json, "{\n  \"state\": \"%s\",\n", verdict_names[status->verdict]);
	add_json_lines(&json, "problems", &status->problems);
	add_json_lines(&json, "warnings", &report->warnings);
	if (status->changed) {
		text_add(&json, "  \"changed\": { \"at\": %llu, \"what\": ", status->changed);
		text_add_json(&json, status->change);
		text_add(&json, " },\n");
	}
	add_json_gateway(&json, status);
	add_json_sessions(&json, &status->sessions);
	add_json_counters(&json, &status->situation->kernel.guard);
	text_add(&json, "}\n");
	fputs(text_string(&json), stdout);
}

static void print_gateway(const struct status *status, int family)
{
	const struct gateway *gateway = &status->config->gateway[family];
	const struct route *route = find_route(status, family);
	char address[ADDRESS_TEXT];

	printf("%-10s ", family_name(family));
	if (gateway->mode == GATEWAY_ADDRESS)
		printf("gateway %s on %s, %s\n", address_text(&gateway->address, address),
		       route && route->interface_name[0] ? route->interface_name : "?",
		       status->answers[family] ? "answers" : family == IPV4 ? "does NOT answer ARP" : "does NOT answer ND");
	else
		printf("%s\n", mode_text(gateway->mode));
}

#define TIME_TEXT 32

static const char *time_text(unsigned long long seconds, char text[TIME_TEXT])
{
	time_t when = (time_t)seconds;
	struct tm broken_down;

	text[0] = '\0';
	if (gmtime_r(&when, &broken_down))
		strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &broken_down);
	return text;
}

static void print_sessions(const struct sessions *sessions)
{
	printf("sessions   %zu live\n", sessions->count);
	for (size_t i = 0; i < sessions->count; i++) {
		const struct session *session = &sessions->session[i];
		struct text line CLEANUP(text_free) = { 0 };
		char when[TIME_TEXT];

		text_add_pair(&line, "id", session->id, 16);
		text_add_pair(&line, "user", session->user, 64);
		text_add_pair(&line, "group", session->group, 64);
		text_add_pair(&line, "device", session->device, 16);
		text_add_pair(&line, "ip4", session->ip4, 64);
		text_add_pair(&line, "ip6", session->ip6, 64);
		text_add_pair(&line, "real", session->real, 64);
		text_add_pair(&line, "since", time_text(session->since, when), TIME_TEXT);
		printf("  %s\n", text_string(&line));
	}
}

static void print_counters(const struct present_guard *guard)
{
	printf("counters   packets / bytes\n");
	for (size_t i = 0; i < guard->chains; i++) {
		for (size_t j = 0; j < guard->chain[i].rules; j++) {
			const struct present_rule *rule = &guard->chain[i].rule[j];

			if (rule->counted)
				printf("  %10llu / %-12llu %s: %s\n", (unsigned long long)rule->packets,
				       (unsigned long long)rule->bytes, guard->chain[i].name, rule->comment);
		}
	}
}

static void print_text(const struct status *status)
{
	char when[TIME_TEXT];

	printf("state      %s\n", verdict_names[status->verdict]);
	print_gateway(status, IPV4);
	print_gateway(status, IPV6);
	for (size_t i = 0; i < status->problems.count; i++)
		printf("problem    %s\n", status->problems.line[i]);
	if (status->changed)
		printf("changed    %s, %s\n", time_text(status->changed, when), status->change);
	print_sessions(&status->sessions);
	if (status->situation->kernel.guard.exists)
		print_counters(&status->situation->kernel.guard);
}

/* Absence is as it should be before the first session where the last one removes all. */
static bool is_wrong(const struct status *status)
{
	if (status->verdict == ABSENT)
		return !status->config->remove_after_last || status->sessions.count > 0;
	return status->verdict == DEGRADED;
}

/* What was found wrong with the host is a problem to show, not an error of this run. */
static int show(const struct config *config, const struct options *options, struct sockets *sockets,
		struct report *report)
{
	struct situation situation;
	struct status status = { .config = config, .situation = &situation };
	int result;

	situation_read(&situation, config, goal_of(config), "", sockets, report);
	if (situation.kernel.unprivileged) {
		situation_free(&situation);
		return report_error(report, EX_NOPERM, "reading the kill switch needs CAP_NET_ADMIN; run it as root");
	}
	status.verdict = judge(config, &situation, report);
	take_problems(&status, report);
	read_state(&status);
	lines_free(&report->errors);
	if (goal_of(config) == GOAL_INSTALL)
		advise(config, &situation, report);
	ask_gateways(&status, &sockets->route);
	if (options->format && strcmp(options->format, "prometheus") == 0)
		print_prometheus(&status, report);
	else if (options->json || options->format)
		print_json(&status, report);
	else
		print_text(&status);
	result = is_wrong(&status) ? 1 : 0;
	lines_free(&status.problems);
	free_sessions(&status.sessions);
	situation_free(&situation);
	return result;
}

int verb_status(const struct options *options)
{
	struct report report = { 0 };
	struct sockets sockets = { 0 };
	struct config config;
	int wrong = 0, status;

	log_open(options->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, false);
	if (config_load(&config, options->config, NULL, &report) == 0 && sockets_open(&sockets, &report) == 0)
		wrong = show(&config, options, &sockets, &report);
	if (wrong >= 0 && report.errors.count == 0)
		report.status = wrong;
	fflush(stdout);
	status = log_report(&report);
	sockets_close(&sockets);
	config_free(&config);
	return status;
}

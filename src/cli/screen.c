/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/table.h"
#include "base/terminal.h"
#include "cli/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIME_TEXT 32
#define LABEL_WIDTH 12
#define INDENT (LABEL_WIDTH + 1)
#define COLUMNS_ELSE 80		/* of tables, where nobody says */

static const char *time_text(unsigned long long seconds, char text[TIME_TEXT])
{
	time_t when = (time_t)seconds;
	struct tm broken_down;

	text[0] = '\0';
	if (gmtime_r(&when, &broken_down))
		strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &broken_down);
	return text;
}

/* Clocks may be set back. */
static void add_age_of(struct text *text, unsigned long long when)
{
	time_t now = time(NULL);

	text_add_age(text, now > 0 && (unsigned long long)now > when ? (unsigned long long)now - when : 0);
}

enum tone { NEUTRAL, GOOD, BAD };

/* A line with its label, of which the rest is in colour. */
static void add_line(struct text *screen, const char *label, const char *rest, enum tone tone, const struct display *display)
{
	bool coloured = display->colour && tone != NEUTRAL;
	struct text printable CLEANUP(text_free) = { 0 };

	text_add_printable(&printable, rest);
	text_add(screen, "%-*s %s", LABEL_WIDTH, label, !coloured ? "" : tone == GOOD ? TERMINAL_GREEN : TERMINAL_RED);
	text_add_wrapped(screen, text_string(&printable), display->window.columns, INDENT, INDENT);
	text_add(screen, "%s\n", coloured ? TERMINAL_PLAIN : "");
}

static void add_state(struct text *screen, const struct status *status, const struct display *display)
{
	add_line(screen, "state", verdict_names[status->verdict],
		 status->verdict == INSTALLED ? GOOD : status->wrong ? BAD : NEUTRAL, display);
}

/* Red: they leave by another route, or have nothing, or nothing of ours is there. */
static void add_clients(struct text *screen, const struct status *status, const struct display *display)
{
	enum have worst = clients_worst(&status->clients);
	bool bare = status->verdict == ABSENT && status->clients.connected;
	struct text line CLEANUP(text_free) = { 0 };

	clients_add_text(&line, &status->clients);
	add_line(screen, "clients", text_string(&line),
		 worst >= HAVE_NOTHING || bare ? BAD : worst == HAVE_GATEWAY ? GOOD : NEUTRAL, display);
}

static void add_contact(struct text *line, const struct contact *contact, int family)
{
	if (contact->asked && !contact->there)
		text_add(line, "does NOT answer %s", family == IPV4 ? "ARP" : "ND");
	else if (contact->asked)
		text_add_string(line, "answers");
	else if (contact->there)
		text_add_string(line, "up; can't be asked (point-to-point)");
	else
		text_add_string(line, contact->why);
}

static void add_next_hop(struct text *line, const struct exit *exit, const struct contact *contact)
{
	char address[ADDRESS_TEXT];

	text_add(line, "gateway %s", address_text(&exit->nexthop, address));
	if (!exit->interface.index) {
		text_add_string(line, " is unreachable (no route)");
	} else {
		text_add(line, " on %s, ", exit->interface.name);
		add_contact(line, contact, exit->family);
	}
}

static void add_gateway(struct text *screen, const struct status *status, int family, const struct display *display)
{
	const struct exit *exit = exits_default(&status->situation->exits, status->config, family);
	const struct contact *contact = status_contact(status, exit);
	struct text line CLEANUP(text_free) = { 0 };

	if (!exit) {
		add_line(screen, family_name(family), mode_text(config_default(status->config)->to[family].mode), NEUTRAL, display);
		return;
	}
	if (exit_is_link(exit))
		text_add(&line, "interface %s %s", exit->interface.name, contact->there ? "is up" : contact->why);
	else
		add_next_hop(&line, exit, contact);
	add_line(screen, family_name(family), text_string(&line), contact->there ? GOOD : BAD, display);
}

/* Of one gateway for all; several are in a table. */
static void add_only_gateway(struct text *screen, const struct status *status, const struct display *display)
{
	if (config_is_mapped(status->config))
		return;
	add_gateway(screen, status, IPV4, display);
	add_gateway(screen, status, IPV6, display);
}

static const char *many(size_t count)
{
	return count == 1 ? "" : "s";
}

/* Without a route to the gateway ours can't be complete, whatever else is. */
static void add_layer(struct text *screen, const struct status *status, enum layer layer, const struct display *display)
{
	static const char *const label[LAYERS] = { "routing", "kill switch" };
	enum layer_verdict verdict = status->layer[layer];
	size_t wrong = status_wrong(status, layer);
	struct text line CLEANUP(text_free) = { 0 };

	if (verdict == LAYER_COMPLETE && layer == LAYER_ROUTING)
		text_add(&line, "policy rules and routes complete");
	else if (verdict == LAYER_ALTERED && layer == LAYER_ROUTING)
		text_add(&line, "%zu problem%s in policy rules and routes", wrong, many(wrong));
	else if (verdict == LAYER_ALTERED)
		text_add(&line, "altered, %zu problem%s", wrong, many(wrong));
	else
		text_add_string(&line, layer_names[verdict]);
	add_line(screen, label[layer], text_string(&line),
		 verdict == LAYER_COMPLETE ? GOOD : verdict == LAYER_NONE || !status->wrong ? NEUTRAL : BAD, display);
}

/* What goes by it is in no counter of a rule, which the other numbers of this screen are made of. */
static void add_fast_path(struct text *screen, const struct status *status, const struct display *display)
{
	const struct situation *situation = status->situation;
	struct text line CLEANUP(text_free) = { 0 };

	if (status->config->fast_path == FAST_PATH_NO || !situation->planned)
		return;
	text_add(&line, "%s", situation->host.fast ? "on: rules count the first packets of a flow alone" : "off");
	if (situation->slow.length)
		text_add(&line, "%s%s", situation->host.fast ? "; " : ": ", text_string(&situation->slow));
	add_line(screen, "fast path", text_string(&line), NEUTRAL, display);
}

static void add_changed(struct text *screen, const struct status *status, const struct display *display)
{
	struct text line CLEANUP(text_free) = { 0 };
	char when[TIME_TEXT];

	if (!status->changed)
		return;
	text_add(&line, "%s ", status->change);
	add_age_of(&line, status->changed);
	text_add(&line, " ago (%s)", time_text(status->changed, when));
	add_line(screen, "last change", text_string(&line), NEUTRAL, display);
}

static void add_way(struct text *line, const char *name, uint64_t bytes, uint64_t packets)
{
	text_add(line, "%s ", name);
	text_add_size(line, bytes);
	text_add(line, "/s, %llu packets/s", (unsigned long long)packets);
}

static void add_paces(struct text *screen, const struct status *status, const struct display *display)
{
	const struct exits *exits = &status->situation->exits;

	for (unsigned int i = 0; i < exits->count; i++) {
		const struct device_traffic *pace = &status->pace[i].each_second;
		struct text line CLEANUP(text_free) = { 0 };

		if (!status->pace[i].known)
			continue;
		text_add(&line, "%s: ", exits->exit[i].interface.name);
		add_way(&line, "in", pace->in, pace->packets_in);
		add_way(&line, "; out", pace->out, pace->packets_out);
		add_line(screen, "traffic", text_string(&line), NEUTRAL, display);
	}
}

/* Where nothing is there, that each single thing is missing says no more. */
static const struct lines *told_problems(const struct status *status)
{
	return status->verdict == ABSENT ? &status->errors : &status->problems;
}

static void add_problems(struct text *screen, const struct status *status, const struct display *display)
{
	const struct lines *lines = told_problems(status);

	for (size_t i = 0; i < lines->count; i++)
		add_line(screen, "problem", lines->line[i], BAD, display);
}

static void add_size_cell(struct table *table, bool known, unsigned long long bytes)
{
	struct text cell CLEANUP(text_free) = { 0 };

	if (known)
		text_add_size(&cell, bytes);
	table_add(table, known ? text_string(&cell) : "-");
}

/* Without the scope that ocserv may append, which says nothing. */
static void add_address_cell(struct table *table, const char *value)
{
	char *address = duplicate(value);

	address[strcspn(address, "%")] = '\0';
	table_add_value(table, address);
	free(address);
}

static size_t table_room(const struct display *display)
{
	return display->window.columns ? display->window.columns : COLUMNS_ELSE;
}

static void add_pace_cell(struct table *table, bool known, uint64_t bytes)
{
	struct text cell CLEANUP(text_free) = { 0 };

	text_add_size(&cell, bytes);
	text_add_string(&cell, "/s");
	table_add(table, known ? text_string(&cell) : "-");
}

static void add_traffic_cells(struct table *table, const struct live_session *live, bool watched)
{
	const struct device_traffic *pace = &live->each_second;
	struct text packets CLEANUP(text_free) = { 0 };

	if (!watched) {
		add_size_cell(table, live->counted, live->bytes.in);
		add_size_cell(table, live->counted, live->bytes.out);
		return;
	}
	text_add(&packets, "%llu", (unsigned long long)pace->packets_in + pace->packets_out);
	add_pace_cell(table, live->paced, pace->in);
	add_pace_cell(table, live->paced, pace->out);
	table_add(table, live->paced ? text_string(&packets) : "-");
}

static void add_exit_cells(struct table *table, const struct exit *exit, const struct contact *contact)
{
	struct text said CLEANUP(text_free) = { 0 };
	char address[ADDRESS_TEXT];

	table_add(table, exit_is_link(exit) ? "link" : address_text(&exit->nexthop, address));
	table_add(table, exit->interface.index || exit_is_link(exit) ? exit->interface.name : "-");
	if (exit_is_link(exit) && contact->there)
		text_add_string(&said, "up");
	else
		add_contact(&said, contact, exit->family);
	table_add(table, text_string(&said));
}

/* By what is no gateway, or none of this family, nothing is sent; it is told where somebody has it. */
static void add_gateway_row(struct table *table, const struct status *status, const struct gateway *gateway, int family)
{
	const struct exit *exit = exits_find(&status->situation->exits, gateway, family);
	struct usage usage = status_usage(status, gateway, family);
	struct text sessions CLEANUP(text_free) = { 0 };

	if (!exit && !usage.sessions)
		return;
	text_add(&sessions, "%zu", usage.sessions);
	table_add(table, gateway->name);
	table_add(table, family_name(family));
	if (exit) {
		add_exit_cells(table, exit, status_contact(status, exit));
	} else {
		table_add(table, gateway->to[family].mode == GATEWAY_DIRECT ? "direct" : "block");
		table_add(table, "-");
		table_add(table, "-");
	}
	table_add(table, text_string(&sessions));
	add_size_cell(table, exit, usage.bytes);
}

static void add_gateway_rows(struct table *table, const struct status *status, const struct gateway *gateway)
{
	for (int family = 0; family < FAMILIES; family++)
		add_gateway_row(table, status, gateway, family);
}

/* Of several, with what each family's clients have sent since the kill switch was made. */
static void add_gateways_table(struct text *screen, const struct status *status, const struct display *display)
{
	static const struct column columns[] = {
		{ "gateway", 0, false, 0 }, { "family", 0, false, 1 }, { "address", 0, false, 0 }, { "on", 0, false, 0 },
		{ "answers", 0, false, 0 }, { "sessions", 0, true, 0 }, { "sent", 0, true, 0 },
	};
	struct table table CLEANUP(table_free) = { columns, sizeof(columns) / sizeof(*columns), { 0 } };
	const struct config *config = status->config;

	if (!config_is_mapped(config))
		return;
	for (unsigned int i = 0; i < config->gateways; i++)
		add_gateway_rows(&table, status, &config->gateway[i]);
	add_gateway_rows(&table, status, &config->direct);
	add_gateway_rows(&table, status, &config->block);
	text_add_string(screen, "\n");
	table_add_text(screen, &table, table_room(display), display->colour);
}

static void add_move(struct text *line, const struct live_session *live)
{
	text_add_value(line, live->session.user, 32);
	text_add(line, " on %s leaves via %s; at the next `ocserv-gateway up` via %s", live->session.device, live->departure.now,
		 live->departure.next->name);
}

#define MOVES_TOLD 10	/* one by one */

/* Who leaves elsewhere than the configuration says by now. */
static void add_moves(struct text *screen, const struct status *status, const struct display *display)
{
	const struct sessions *sessions = &status->sessions;
	size_t moves = 0;

	for (size_t i = 0; i < sessions->count; i++) {
		struct text line CLEANUP(text_free) = { 0 };

		if (!sessions->live[i].departure.moves || moves++ >= MOVES_TOLD)
			continue;
		add_move(&line, &sessions->live[i]);
		add_line(screen, "moves", text_string(&line), NEUTRAL, display);
	}
	if (moves > MOVES_TOLD) {
		struct text line CLEANUP(text_free) = { 0 };

		text_add(&line, "%zu more", moves - MOVES_TOLD);
		add_line(screen, "moves", text_string(&line), NEUTRAL, display);
	}
}

static void add_session(struct table *table, const struct live_session *live, bool watched)
{
	const struct session *session = &live->session;
	struct text age CLEANUP(text_free) = { 0 };

	add_age_of(&age, session->since);
	table_add_value(table, session->user);
	table_add_value(table, session->group);
	table_add_value(table, live->departure.now);
	add_address_cell(table, session->ip4);
	add_address_cell(table, session->ip6);
	table_add_value(table, session->device);
	add_address_cell(table, session->real);
	table_add(table, text_string(&age));
	add_traffic_cells(table, live, watched);
}

static bool all_have_ip4(const struct sessions *sessions)
{
	for (size_t i = 0; i < sessions->count; i++)
		if (!sessions->live[i].session.ip4[0])
			return false;
	return true;
}

static void add_sessions(struct text *screen, const struct status *status, const struct display *display)
{
	const struct sessions *sessions = &status->sessions;
	const struct column columns[] = {
		{ "user", 24, false, 0 }, { "group", 16, false, 1 },
		{ "gateway", GATEWAY_NAME, false, 0 }, { "IPv4", ADDRESS_TEXT, false, 0 },
		{ "IPv6", ADDRESS_TEXT, false, all_have_ip4(sessions) ? 3 : 0 }, { "device", IFNAMSIZ, false, 2 },
		{ "real address", ADDRESS_TEXT, false, 5 }, { "connected", 0, false, 4 },
		{ "from client", 0, true, 0 }, { "to client", 0, true, 0 }, { "packets/s", 0, true, 0 },
	};
	size_t count = sizeof(columns) / sizeof(*columns) - (status->watched ? 0 : 1);
	struct table table CLEANUP(table_free) = { columns, count, { 0 } };

	if (!sessions->count)
		return;
	text_add(screen, "\n%zu live session%s\n", sessions->count, many(sessions->count));
	for (size_t i = 0; i < sessions->count; i++)
		add_session(&table, &sessions->live[i], status->watched);
	table_add_text(screen, &table, table_room(display), display->colour);
}

static void add_counter(struct table *table, const struct present_chain *chain, const struct present_rule *rule)
{
	struct text packets CLEANUP(text_free) = { 0 }, name CLEANUP(text_free) = { 0 }, why CLEANUP(text_free) = { 0 };

	text_add(&packets, "%llu", (unsigned long long)rule->packets);
	text_add_printable(&name, chain->name);
	text_add_printable(&why, rule->comment[0] ? rule->comment : "without a comment");
	table_add(table, text_string(&packets));
	add_size_cell(table, true, rule->bytes);
	table_add(table, text_string(&name));
	table_add(table, text_string(&why));
}

static bool is_shown(const struct present_rule *rule, enum rule_end end, const struct display *display)
{
	return rule->counted && rule->end == end && (rule->packets || display->all);
}

/* Of several gateways rules of several chains may have the same comment. */
static void add_counters(struct text *screen, const struct status *status, enum rule_end end, const struct display *display)
{
	const struct present_guard *guard = &status->situation->present.guard;
	static const char *const titles[] = {
		[RULE_STOPS] = "stopped", [RULE_ACCEPTS] = "let through", [RULE_GOES_ON] = "other rules",
	};
	const struct column columns[] = {
		{ "packets", 0, true, 0 }, { "bytes", 0, true, 0 }, { "chain", 0, false, config_is_mapped(status->config) ? 0 : 1 },
		{ titles[end], 0, false, 0 },
	};
	struct table table CLEANUP(table_free) = { columns, sizeof(columns) / sizeof(*columns), { 0 } };

	for (size_t i = 0; i < guard->chains; i++)
		for (size_t j = 0; j < guard->chain[i].rules; j++)
			if (is_shown(&guard->chain[i].rule[j], end, display))
				add_counter(&table, &guard->chain[i], &guard->chain[i].rule[j]);
	if (table.cells.count == 0)
		return;
	text_add_string(screen, "\n");
	table_add_text(screen, &table, table_room(display), display->colour);
}

void screen_add(struct text *screen, const struct status *status, const struct display *display)
{
	add_clients(screen, status, display);
	add_state(screen, status, display);
	add_only_gateway(screen, status, display);
	add_layer(screen, status, LAYER_ROUTING, display);
	add_layer(screen, status, LAYER_KILLSWITCH, display);
	add_fast_path(screen, status, display);
	add_changed(screen, status, display);
	add_paces(screen, status, display);
	add_problems(screen, status, display);
	add_moves(screen, status, display);
	add_gateways_table(screen, status, display);
	add_sessions(screen, status, display);
	add_counters(screen, status, RULE_STOPS, display);
	add_counters(screen, status, RULE_ACCEPTS, display);
	add_counters(screen, status, RULE_GOES_ON, display);
}

/* Whether what clients have is said with "the gateway" at its end. */
static bool ends_with_gateway(const struct clients *clients)
{
	enum have first = clients->lot[IPV4].have, second = clients->lot[IPV6].have;

	return second == HAVE_GATEWAY || (first == HAVE_GATEWAY && second == HAVE_BLOCKED);
}

static bool is_same_link(const struct exit *exit, const struct exit *before)
{
	return before && exit_is_link(exit) && exit_is_link(before) && exit->interface.index == before->interface.index;
}

/* ` 172.28.0.2 via eth0`, or ` via wg0`. */
static void add_gateways(struct text *screen, const struct status *status)
{
	const struct exit *before = NULL;
	char address[ADDRESS_TEXT];

	for (int family = 0; family < FAMILIES && !config_is_mapped(status->config); family++) {
		const struct exit *exit = exits_default(&status->situation->exits, status->config, family);

		if (!exit || status->clients.lot[family].have != HAVE_GATEWAY || is_same_link(exit, before))
			continue;
		text_add_string(screen, before ? " and" : "");
		before = exit;
		if (!exit_is_link(exit))
			text_add(screen, " %s", address_text(&exit->nexthop, address));
		text_add(screen, " via %s", exit->interface.name);
	}
}

static void add_short_clients(struct text *screen, const struct status *status)
{
	struct text said CLEANUP(text_free) = { 0 };

	clients_add_text(&said, &status->clients);
	text_add_string(screen, status->clients.connected ? "clients " : "");
	text_add_printable(screen, text_string(&said));
	if (ends_with_gateway(&status->clients))
		add_gateways(screen, status);
}

#define SHARES_TOLD 5	/* gateways by their names */

static size_t count_by(const struct status *status, const struct gateway *gateway)
{
	size_t count = 0;

	for (size_t i = 0; i < status->sessions.count; i++)
		count += strcmp(status->sessions.live[i].departure.now, gateway->name) == 0;
	return count;
}

/* ` (2 via nl, 1 direct)` */
static void add_shares(struct text *screen, const struct status *status)
{
	const struct config *config = status->config;
	size_t told = 0, more = 0;

	text_add_string(screen, " (");
	for (unsigned int i = 0; i < config->gateways + 2; i++) {
		bool own = i < config->gateways;
		const struct gateway *gateway = own ? &config->gateway[i] : i == config->gateways ? &config->direct : &config->block;
		size_t count = count_by(status, gateway);

		if (count && told == SHARES_TOLD)
			more += count;
		else if (count)
			text_add(screen, "%s%zu %s%s", told++ ? ", " : "", count, own ? "via " : "", gateway->name);
	}
	if (more)
		text_add(screen, ", %zu more", more);
	text_add_string(screen, ")");
}

void screen_add_short(struct text *screen, const struct status *status)
{
	size_t problems = told_problems(status)->count;

	text_add_string(screen, "ocserv-gateway: ");
	add_short_clients(screen, status);
	if (status->sessions.count)
		text_add(screen, "; %zu session%s", status->sessions.count, many(status->sessions.count));
	if (status->sessions.count && config_is_mapped(status->config))
		add_shares(screen, status);
	if (status->layer[LAYER_KILLSWITCH] != LAYER_NONE)
		text_add(screen, "; kill switch %s", layer_names[status->layer[LAYER_KILLSWITCH]]);
	if (problems)
		text_add(screen, "; %zu problem%s", problems, many(problems));
	text_add_string(screen, "\n");
}

void screen_add_report(struct text *screen, const struct report *report, const struct display *display)
{
	struct text findings CLEANUP(text_free) = { 0 };
	char *rest, *line;

	report_add_findings(&findings, report, false);
	if (!findings.length)
		return;
	text_add_string(screen, "\n");
	for (rest = findings.data; (line = strsep(&rest, "\n")) && (*line || rest);) {
		size_t blanks = strspn(line, " ");

		text_add(screen, "%*s", (int)blanks, "");
		text_add_wrapped(screen, line + blanks, display->window.columns, blanks, blanks + 4);
		text_add_string(screen, "\n");
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/table.h"
#include "base/terminal.h"
#include "cli/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIME_TEXT 32
#define LABEL "%-12s "

static const char *time_text(unsigned long long seconds, char text[TIME_TEXT])
{
	time_t when = (time_t)seconds;
	struct tm broken_down;

	text[0] = '\0';
	if (gmtime_r(&when, &broken_down))
		strftime(text, TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &broken_down);
	return text;
}

enum tone { NEUTRAL, GOOD, BAD };

/* A line with its label, of which the rest is in colour. */
static void add_line(struct text *screen, const char *label, const char *rest, enum tone tone, bool colour)
{
	bool coloured = colour && tone != NEUTRAL;

	text_add(screen, LABEL "%s", label, !coloured ? "" : tone == GOOD ? TERMINAL_GREEN : TERMINAL_RED);
	text_add_printable(screen, rest);
	text_add(screen, "%s\n", coloured ? TERMINAL_PLAIN : "");
}

static void add_state(struct text *screen, const struct status *status, bool colour)
{
	add_line(screen, "state", verdict_names[status->verdict],
		 status->verdict == INSTALLED ? GOOD : status->wrong ? BAD : NEUTRAL, colour);
}

/* Red comes first: those who are connected leave by another way, or nothing of ours is there. */
static bool clients_come_first(const struct status *status)
{
	return clients_worst(&status->clients) == HAVE_LEAK || (status->verdict == ABSENT && status->clients.connected);
}

static void add_clients(struct text *screen, const struct status *status, bool colour)
{
	enum have worst = clients_worst(&status->clients);
	struct text line CLEANUP(text_free) = { 0 };

	clients_add_text(&line, &status->clients);
	add_line(screen, "clients", text_string(&line),
		 worst >= HAVE_NOTHING || clients_come_first(status) ? BAD : worst == HAVE_GATEWAY ? GOOD : NEUTRAL, colour);
}

static void add_contact(struct text *line, const struct contact *contact, int family)
{
	if (contact->asked && !contact->there)
		text_add(line, "does NOT answer %s", family == IPV4 ? "ARP" : "ND");
	else if (contact->asked)
		text_add_string(line, "answers");
	else if (contact->there)
		text_add_string(line, "up; nobody to ask there (point-to-point)");
	else
		text_add_string(line, contact->why);
}

static void add_next_hop(struct text *line, const struct exit *exit, const struct contact *contact)
{
	char address[ADDRESS_TEXT];

	text_add(line, "gateway %s", address_text(&exit->nexthop, address));
	if (!exit->interface.index) {
		text_add_string(line, ", to which there is NO way");
	} else {
		text_add(line, " on %s, ", exit->interface.name);
		add_contact(line, contact, exit->family);
	}
}

static void add_gateway(struct text *screen, const struct status *status, int family, bool colour)
{
	const struct exit *exit = exits_default(&status->situation->exits, status->config, family);
	const struct contact *contact = &status->contact[family];
	struct text line CLEANUP(text_free) = { 0 };

	if (!exit) {
		add_line(screen, family_name(family), mode_text(config_default(status->config)->to[family].mode), NEUTRAL, colour);
		return;
	}
	if (exit_is_link(exit))
		text_add(&line, "interface %s %s", exit->interface.name, contact->there ? "is up" : contact->why);
	else
		add_next_hop(&line, exit, contact);
	add_line(screen, family_name(family), text_string(&line), contact->there ? GOOD : BAD, colour);
}

static const char *many(size_t count)
{
	return count == 1 ? "" : "s";
}

/* Without a way to the gateway its route can't be whole, whatever else is. */
static void add_layer(struct text *screen, const struct status *status, enum layer layer, bool colour)
{
	static const char *const label[LAYERS] = { "routing", "kill switch" };
	enum layer_verdict verdict = status->layer[layer];
	size_t wrong = status_wrong(status, layer);
	struct text line CLEANUP(text_free) = { 0 };

	if (verdict == LAYER_WHOLE && layer == LAYER_ROUTING)
		text_add(&line, "rules and routes whole");
	else if (verdict == LAYER_ALTERED && layer == LAYER_ROUTING)
		text_add(&line, "%zu problem%s in rules and routes", wrong, many(wrong));
	else if (verdict == LAYER_ALTERED)
		text_add(&line, "altered, %zu problem%s", wrong, many(wrong));
	else
		text_add_string(&line, layer_names[verdict]);
	add_line(screen, label[layer], text_string(&line),
		 verdict == LAYER_WHOLE ? GOOD : verdict == LAYER_NONE || !status->wrong ? NEUTRAL : BAD, colour);
}

static void add_changed(struct text *screen, const struct status *status, bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };
	char when[TIME_TEXT];

	if (!status->changed)
		return;
	text_add(&line, "%s, %s", time_text(status->changed, when), status->change);
	add_line(screen, "changed", text_string(&line), NEUTRAL, colour);
}

/* Where nothing is there, that each single thing is missing says no more. */
static void add_problems(struct text *screen, const struct status *status, bool colour)
{
	const struct lines *lines = status->verdict == ABSENT ? &status->errors : &status->problems;

	for (size_t i = 0; i < lines->count; i++)
		add_line(screen, "problem", lines->line[i], BAD, colour);
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

static void add_sessions(struct text *screen, const struct sessions *sessions, bool colour)
{
	static const struct column columns[] = {
		{ "user", 24, false }, { "group", 16, false }, { "IPv4", ADDRESS_TEXT, false },
		{ "IPv6", ADDRESS_TEXT, false }, { "device", IFNAMSIZ, false }, { "real address", ADDRESS_TEXT, false },
		{ "since", TIME_TEXT, false }, { "from client", 0, true }, { "to client", 0, true },
	};
	struct table table CLEANUP(table_free) = { columns, sizeof(columns) / sizeof(*columns), { 0 } };
	char when[TIME_TEXT];

	text_add(screen, "\n%zu live session%s\n", sessions->count, many(sessions->count));
	for (size_t i = 0; i < sessions->count; i++) {
		const struct live_session *live = &sessions->live[i];
		const struct session *session = &live->session;

		table_add_value(&table, session->user);
		table_add_value(&table, session->group);
		add_address_cell(&table, session->ip4);
		add_address_cell(&table, session->ip6);
		table_add_value(&table, session->device);
		add_address_cell(&table, session->real);
		table_add_value(&table, time_text(session->since, when));
		add_size_cell(&table, live->counted, live->bytes.in);
		add_size_cell(&table, live->counted, live->bytes.out);
	}
	if (sessions->count)
		table_add_text(screen, &table, colour);
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

static void add_counters(struct text *screen, const struct present_guard *guard, enum rule_end end, bool colour)
{
	static const char *const titles[] = {
		[RULE_STOPS] = "stopped", [RULE_ACCEPTS] = "let through", [RULE_GOES_ON] = "other rules",
	};
	const struct column columns[] = {
		{ "packets", 0, true }, { "bytes", 0, true }, { "chain", 0, false }, { titles[end], 0, false },
	};
	struct table table CLEANUP(table_free) = { columns, sizeof(columns) / sizeof(*columns), { 0 } };

	for (size_t i = 0; i < guard->chains; i++)
		for (size_t j = 0; j < guard->chain[i].rules; j++)
			if (guard->chain[i].rule[j].counted && guard->chain[i].rule[j].end == end)
				add_counter(&table, &guard->chain[i], &guard->chain[i].rule[j]);
	if (table.cells.count == 0)
		return;
	text_add_string(screen, "\n");
	table_add_text(screen, &table, colour);
}

void screen_add(struct text *screen, const struct status *status, bool colour)
{
	bool first = clients_come_first(status);

	if (first)
		add_clients(screen, status, colour);
	add_state(screen, status, colour);
	if (!first)
		add_clients(screen, status, colour);
	add_gateway(screen, status, IPV4, colour);
	add_gateway(screen, status, IPV6, colour);
	add_layer(screen, status, LAYER_ROUTING, colour);
	add_layer(screen, status, LAYER_KILLSWITCH, colour);
	add_changed(screen, status, colour);
	add_problems(screen, status, colour);
	add_sessions(screen, &status->sessions, colour);
	add_counters(screen, &status->situation->present.guard, RULE_STOPS, colour);
	add_counters(screen, &status->situation->present.guard, RULE_ACCEPTS, colour);
	add_counters(screen, &status->situation->present.guard, RULE_GOES_ON, colour);
}

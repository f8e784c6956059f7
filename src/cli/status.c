/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/status.h"
#include "base/deadline.h"
#include "base/terminal.h"
#include "cli/rates.h"
#include "cli/verbs.h"
#include "cli/watch.h"
#include "diagnose/advice.h"
#include "diagnose/bypass.h"
#include "diagnose/capacity.h"
#include "diagnose/flowtables.h"
#include "diagnose/overlap.h"
#include "model/marks.h"
#include "sessions/endings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define ENDINGS_LAST 10	/* seconds */

const char *const verdict_names[] = { "off", "installed", "absent", "degraded" };
const char *const layer_names[] = { "none", "complete", "missing", "altered", "unknown" };

/* A visitor sees each during its call alone. */
static bool copy_session(const struct session *session, void *data)
{
	struct sessions *sessions = data;

	sessions->live = make_room_for_one(sessions->live, sessions->count, sizeof(*sessions->live));
	sessions->live[sessions->count++] = (struct live_session){ .session = {
		.id = duplicate(session->id), .user = duplicate(session->user), .group = duplicate(session->group),
		.vhost = duplicate(session->vhost), .device = duplicate(session->device),
		.real = duplicate(session->real), .ip4 = duplicate(session->ip4), .ip6 = duplicate(session->ip6),
		.length6 = duplicate(session->length6), .gateway = duplicate(session->gateway), .since = session->since,
	} };
	return true;
}

static void free_sessions(struct sessions *sessions)
{
	for (size_t i = 0; i < sessions->count; i++) {
		struct session *session = &sessions->live[i].session;
		const char *const fields[] = { session->id, session->user, session->group, session->vhost,
					       session->device, session->real, session->ip4, session->ip6, session->length6,
					       session->gateway };

		for (size_t j = 0; j < sizeof(fields) / sizeof(*fields); j++)
			free((char *)fields[j]);
	}
	free(sessions->live);
}

/* The oldest first. */
static int compare_sessions(const void *a, const void *b)
{
	const struct session *one = &((const struct live_session *)a)->session;
	const struct session *other = &((const struct live_session *)b)->session;

	if (one->since != other->since)
		return one->since < other->since ? -1 : 1;
	return strcmp(one->id, other->id);
}

/* No directory means no session: the hook makes it at the first connect. */
static void read_state(struct status *status)
{
	struct report ignored = { 0 };
	struct state state;

	if (state_open(&state, status->config->state_dir, false, &ignored) == 0) {
		state_visit(&state, false, copy_session, &status->sessions, &ignored);
		if (status->sessions.count)
			qsort(status->sessions.live, status->sessions.count, sizeof(*status->sessions.live),
			      compare_sessions);
		status->changed = state_last_change(&state, status->change);
		status->doubt = state_doubts(&state);
	}
	state_close(&state);
	report_free(&ignored);
}

static enum verdict judge(const struct status *status)
{
	const struct plan *plan = &status->situation->plan;

	if (!status->situation->planned || plan->conflicts)
		return DEGRADED;
	if (goal_of(status->config) == GOAL_REMOVE)
		return plan->steps ? DEGRADED : OFF;
	if (plan->steps == 0 && status->situation->wrong_routes == 0 && status->bypasses.count == 0 && status->overlaps.cut.count == 0)
		return INSTALLED;
	return plan->anything_present ? DEGRADED : ABSENT;
}

/* Whether there is any rule or route of ours, wanted or not. */
static bool any_routing(const struct plan *plan)
{
	for (size_t i = 0; i < plan->steps; i++)
		if (plan->step[i].kind == STEP_RULE_REMOVE || plan->step[i].kind == STEP_ROUTE_REMOVE)
			return true;
	return plan->intact_rules || plan->intact_routes;
}

size_t status_wrong(const struct status *status, enum layer layer)
{
	const struct situation *situation = status->situation;

	return situation->plan.wrong[layer] +
	       (layer == LAYER_ROUTING ? situation->wrong_routes + status->bypasses.count + status->overlaps.cut.count : 0);
}

static enum layer_verdict judge_layer(const struct status *status, enum layer layer)
{
	const struct situation *situation = status->situation;
	size_t wrong = status_wrong(status, layer);

	if (!situation->planned)
		return LAYER_UNKNOWN;
	if (wrong == 0)
		return goal_of(status->config) == GOAL_REMOVE ? LAYER_NONE : LAYER_COMPLETE;
	if (layer == LAYER_ROUTING ? any_routing(&situation->plan) : situation->present.guard.exists)
		return LAYER_ALTERED;
	return LAYER_MISSING;
}

/* Whether a connect would not install what is absent. */
static bool is_in_the_way(const struct status *status)
{
	return status->situation->wrong_routes || status->overlaps.cut.count;
}

/*
 * Absence is as it should be before the first session where the last one removes all. Whatever is installed, clients
 * must have what the configuration says.
 */
static bool is_wrong(const struct status *status)
{
	if (clients_worst(&status->clients) >= HAVE_NOTHING || status->gone)
		return true;
	if (status->verdict == ABSENT)
		return !status->config->remove_after_last || status->clients.connected || is_in_the_way(status);
	return status->verdict == DEGRADED;
}

static void take_problems(struct status *status, struct report *report)
{
	const struct lines *missing = &status->situation->plan.problems;

	report_take_errors(report, &status->errors);
	for (size_t i = 0; i < status->overlaps.cut.count; i++)
		lines_add(&status->errors, "%s: this host is cut off from there", status->overlaps.cut.line[i]);
	for (size_t i = 0; i < status->errors.count; i++)
		lines_add(&status->problems, "%s", status->errors.line[i]);
	for (size_t i = 0; i < missing->count; i++)
		lines_add(&status->problems, "%s", missing->line[i]);
	for (size_t i = 0; i < status->bypasses.count; i++)
		lines_add(&status->problems, "%s", status->bypasses.line[i]);
}

const char *mode_text(enum gateway_mode mode)
{
	static const char *const names[] = {
		[GATEWAY_UNSET] = "unset", [GATEWAY_ADDRESS] = "gateway", [GATEWAY_LINK] = "link", [GATEWAY_BLOCK] = "block",
		[GATEWAY_DIRECT] = "direct",
	};

	return names[mode];
}

const struct contact *status_contact(const struct status *status, const struct exit *exit)
{
	static const struct contact nobody;

	return exit ? &status->contact[exits_index(&status->situation->exits, exit)] : &nobody;
}

static bool leaves_by(const struct live_session *live, const struct gateway *gateway, int family)
{
	const char *address = family == IPV4 ? live->session.ip4 : live->session.ip6;

	return address[0] && strcmp(live->departure.now, gateway->name) == 0;
}

/* The rules of a gateway's chain that let through begin their comments with the family; @name is "" for both. */
static void count_chain(struct usage *usage, const struct present_chain *chain, const char *name)
{
	for (size_t i = 0; i < chain->rules; i++) {
		const struct present_rule *rule = &chain->rule[i];

		if (rule->end != RULE_ACCEPTS || strncmp(rule->comment, name, strlen(name)) != 0)
			continue;
		usage->packets += rule->packets;
		usage->bytes += rule->bytes;
	}
}

static struct usage count_sent(const struct status *status, const struct gateway *gateway, const char *family)
{
	const struct present_guard *guard = &status->situation->present.guard;
	struct usage usage = { 0 };
	char name[GUARD_CHAIN_NAME];

	snprintf(name, sizeof(name), "by_%s", gateway->name);
	for (size_t i = 0; i < guard->chains; i++)
		if (strcmp(guard->chain[i].name, name) == 0)
			count_chain(&usage, &guard->chain[i], family);
	/* Both forward and leaving ask it, so that each packet is counted twice. */
	usage.packets /= 2;
	usage.bytes /= 2;
	return usage;
}

struct usage status_usage(const struct status *status, const struct gateway *gateway, int family)
{
	struct usage usage = count_sent(status, gateway, family_name(family));

	for (size_t i = 0; i < status->sessions.count; i++)
		usage.sessions += leaves_by(&status->sessions.live[i], gateway, family);
	return usage;
}

static const char *family_key(int family)
{
	return family == IPV4 ? "ipv4" : "ipv6";
}

static void add_json_pair(struct text *json, const char *name, const char *value)
{
	text_add(json, "\"%s\": ", name);
	text_add_json(json, value);
	text_add(json, ", ");
}

static void add_json_clients(struct text *json, const struct clients *clients)
{
	struct text said CLEANUP(text_free) = { 0 };

	clients_add_text(&said, clients);
	text_add(json, "  \"clients\": {\n    \"connected\": %s,\n    \"text\": ", clients->connected ? "true" : "false");
	text_add_json(json, text_string(&said));
	for (int family = 0; family < FAMILIES; family++) {
		text_add(json, ",\n    \"%s\": { \"have\": \"%s\", \"why\": ", family_key(family),
			 have_names[clients->lot[family].have]);
		text_add_json(json, text_string(&clients->lot[family].why));
		text_add_string(json, " }");
	}
	text_add_string(json, "\n  },\n");
}

/* "ipv4": { "mode": "gateway", "address": ... of one family; more is to be added behind it */
static void add_json_exit(struct text *json, const struct status *status, const struct gateway *gateway, int family)
{
	const struct exit *exit = exits_find(&status->situation->exits, gateway, family);
	const struct contact *contact = status_contact(status, exit);
	char address[ADDRESS_TEXT];

	text_add(json, "\"%s\": { \"mode\": \"%s\"", family_key(family), mode_text(gateway->to[family].mode));
	if (exit)
		text_add(json, ", \"address\": \"%s\", \"interface\": \"%s\", \"answers\": %s, \"there\": %s",
			 exit_is_link(exit) ? "link" : address_text(&exit->nexthop, address),
			 exit->interface.index || exit_is_link(exit) ? exit->interface.name : "",
			 !contact->asked ? "null" : contact->there ? "true" : "false",
			 contact->there ? "true" : "false");
}

static void add_json_gateway(struct text *json, const struct status *status)
{
	text_add(json, "  \"gateway\": {\n");
	for (int family = 0; family < FAMILIES; family++) {
		text_add_string(json, "    ");
		add_json_exit(json, status, config_default(status->config), family);
		text_add(json, " }%s\n", family == IPV4 ? "," : "");
	}
	text_add(json, "  },\n");
}

static void add_json_usage(struct text *json, const struct usage *usage)
{
	text_add(json, ", \"sessions\": %zu, \"packets\": %llu, \"bytes\": %llu", usage->sessions,
		 (unsigned long long)usage->packets, (unsigned long long)usage->bytes);
}

/* Live sessions, each once, and bytes of both families. */
static struct usage usage_of_both(const struct status *status, const struct gateway *gateway)
{
	struct usage both = count_sent(status, gateway, "");

	for (size_t i = 0; i < status->sessions.count; i++)
		both.sessions += strcmp(status->sessions.live[i].departure.now, gateway->name) == 0;
	return both;
}

static void add_json_one_gateway(struct text *json, const struct status *status, const struct gateway *gateway, bool first)
{
	struct usage both = usage_of_both(status, gateway);
	bool own = gateway != &status->config->direct && gateway != &status->config->block;

	text_add(json, "%s\n    { \"name\": \"%s\", \"mark\": %u, ", first ? "" : ",", gateway->name,
		 mark_of(status->config, gateway));
	if (own)
		text_add(json, "\"table\": %u", gateway->table);
	else
		text_add_string(json, "\"table\": null");
	add_json_usage(json, &both);
	for (int family = 0; own && family < FAMILIES; family++) {
		struct usage usage = status_usage(status, gateway, family);

		text_add_string(json, ",\n      ");
		add_json_exit(json, status, gateway, family);
		add_json_usage(json, &usage);
		text_add_string(json, " }");
	}
	text_add_string(json, " }");
}

static void add_json_gateways(struct text *json, const struct status *status)
{
	const struct config *config = status->config;

	text_add(json, "  \"mark_mask\": %u,\n  \"gateways\": [", config->mark_mask);
	for (unsigned int i = 0; i < config->gateways; i++)
		add_json_one_gateway(json, status, &config->gateway[i], i == 0);
	add_json_one_gateway(json, status, &config->direct, false);
	add_json_one_gateway(json, status, &config->block, false);
	text_add_string(json, "\n  ],\n");
}

static void add_json_fast_path(struct text *json, const struct status *status)
{
	const struct situation *situation = status->situation;

	text_add(json, "  \"fast_path\": { \"on\": %s, \"why\": ",
		 situation->host.fast && status->config->fast_path != FAST_PATH_NO ? "true" : "false");
	if (situation->slow.length)
		text_add_json(json, text_string(&situation->slow));
	else
		text_add_string(json, "null");
	text_add_string(json, " },\n");
}

/* In the words of ocserv: in is from the client. */
static void add_json_bytes(struct text *json, const struct live_session *live)
{
	if (live->counted)
		text_add(json, ", \"bytes_in\": %llu, \"bytes_out\": %llu", (unsigned long long)live->bytes.in,
			 (unsigned long long)live->bytes.out);
	else
		text_add(json, ", \"bytes_in\": null, \"bytes_out\": null");
}

/* By which of several, and to which the next `up` moves it. */
static void add_json_departure(struct text *json, const struct departure *departure)
{
	add_json_pair(json, "gateway", departure->now);
	text_add_string(json, "\"moves_to\": ");
	text_add_json(json, departure->moves ? departure->next->name : NULL);
	text_add_string(json, ", ");
}

static void add_json_sessions(struct text *json, const struct sessions *sessions)
{
	text_add(json, "  \"sessions\": [");
	for (size_t i = 0; i < sessions->count; i++) {
		const struct session *session = &sessions->live[i].session;

		text_add(json, "%s\n    { \"id\": %s, ", i ? "," : "", session->id);
		add_json_pair(json, "user", session->user);
		add_json_pair(json, "group", session->group);
		add_json_pair(json, "vhost", session->vhost);
		add_json_pair(json, "device", session->device);
		add_json_pair(json, "ip4", session->ip4);
		add_json_pair(json, "ip6", session->ip6);
		add_json_pair(json, "real", session->real);
		if (sessions->live[i].departure.next)
			add_json_departure(json, &sessions->live[i].departure);
		text_add(json, "\"since\": %llu", session->since);
		add_json_bytes(json, &sessions->live[i]);
		text_add_string(json, " }");
	}
	text_add(json, "%s],\n", sessions->count ? "\n  " : "");
}

/*
 * The first rule with each comment, which are different where the kill switch is as we make it; of several gateways the
 * first of its chain.
 */
static bool comment_seen(const struct present_guard *guard, size_t chain, size_t rule, bool mapped)
{
	const char *comment = guard->chain[chain].rule[rule].comment;

	for (size_t i = mapped ? chain : 0; i <= chain; i++)
		for (size_t j = 0; j < (i < chain ? guard->chain[i].rules : rule); j++)
			if (strcmp(guard->chain[i].rule[j].comment, comment) == 0)
				return true;
	return false;
}

/* Of several gateways in front of the comment: "by_nl: IPv4 to the gateway 172.28.0.4: let through" */
static void add_json_rule_name(struct text *json, const struct present_chain *chain, const struct present_rule *rule,
			       bool mapped)
{
	struct text name CLEANUP(text_free) = { 0 };

	if (mapped)
		text_add(&name, "%s: ", chain->name);
	text_add_string(&name, rule->comment);
	text_add_json(json, text_string(&name));
}

static void add_json_counters(struct text *json, const struct present_guard *guard, bool mapped)
{
	bool first = true;

	text_add(json, "  \"counters\": {");
	for (size_t i = 0; i < guard->chains; i++) {
		for (size_t j = 0; j < guard->chain[i].rules; j++) {
			const struct present_rule *rule = &guard->chain[i].rule[j];

			if (!rule->comment[0] || comment_seen(guard, i, j, mapped) || !rule->counted)
				continue;
			text_add(json, "%s\n    ", first ? "" : ",");
			add_json_rule_name(json, &guard->chain[i], rule, mapped);
			text_add(json, ": { \"packets\": %llu, \"bytes\": %llu }", (unsigned long long)rule->packets,
				 (unsigned long long)rule->bytes);
			first = false;
		}
	}
	text_add(json, "%s}\n", first ? "" : "\n  ");
}

/* Of several gateways: one that is not there is a problem of who is to leave via it, and else one to come. */
static void judge_exit(struct status *status, const struct exit *exit, struct report *report)
{
	const struct contact *contact = status_contact(status, exit);
	struct lines reasons CLEANUP(lines_free) = { 0 };
	bool used = status_usage(status, exit->gateway, exit->family).sessions > 0;

	for (size_t i = 0; i < exit->missing.errors.count; i++)
		lines_add(&reasons, "%s", exit->missing.errors.line[i]);
	if (!exit->missing.errors.count && !contact->there)
		lines_add(&reasons, "gateway %s: %s %s", exit->gateway->name, exit->text, contact->why);
	for (size_t i = 0; i < reasons.count; i++)
		if (used)
			lines_add(&status->problems, "%s", reasons.line[i]);
		else
			report_warning(report, "%s", reasons.line[i]);
	status->gone = status->gone || (used && reasons.count);
}

static void look_for_gateways(struct status *status, struct netlink *route, struct report *report)
{
	const struct exits *exits = &status->situation->exits;

	status->contact = allocate(exits->count, sizeof(*status->contact));
	contacts_make(status->contact, route, exits);
	for (unsigned int i = 0; i < exits->count && config_is_mapped(status->config); i++)
		judge_exit(status, &exits->exit[i], report);
}

/* Where there may be sessions without a record, each tunnel is taken for that of one. */
static void add_unrecorded(const struct status *status, struct client **clients, size_t *count)
{
	const struct config *config = status->config;
	const struct departure nowhere = { .now = "block", .lacks = { true, true } };
	struct if_nameindex *all = if_nameindex();

	for (const struct if_nameindex *each = all; each && each->if_index; each++) {
		if (!interface_matches(&config->clients, each->if_name) ||
		    host_leaves_out(&status->situation->host, each->if_name))
			continue;
		*clients = make_room_for_one(*clients, *count, sizeof(**clients));
		client_make(&(*clients)[*count], config);
		if (config_is_mapped(config))
			client_place(&(*clients)[*count], config, &nowhere);
		snprintf((*clients)[(*count)++].device, IFNAMSIZ, "%s", each->if_name);
	}
	if_freenameindex(all);
}

static void look_for_clients(struct status *status, struct sockets *sockets)
{
	struct client *client = NULL;
	size_t count = 0;

	for (size_t i = 0; i < status->sessions.count; i++) {
		const struct session *session = &status->sessions.live[i].session;

		client = make_room_for_one(client, count, sizeof(*client));
		client_take(&client[count], session->ip4, session->ip6, session->device);
		if (status->sessions.live[i].departure.next)
			client_place(&client[count], status->config, &status->sessions.live[i].departure);
		count++;
	}
	if (status->doubt)
		add_unrecorded(status, &client, &count);
	clients_look(&status->clients, status->config, status->situation, client, count, status->contact, sockets);
	free(client);
}

/* @rates is NULL where nobody watches. */
static void count_bytes(struct sessions *sessions, struct netlink *route, struct rates *rates)
{
	for (size_t i = 0; i < sessions->count; i++) {
		struct live_session *live = &sessions->live[i];
		char name[64];

		live->counted = device_read_traffic(route, live->session.device, &live->bytes);
		snprintf(name, sizeof(name), "session %.50s", live->session.id);
		if (rates && live->counted)
			live->paced = rates_take(rates, name, &live->bytes, &live->each_second);
	}
}

/* Two gateways on one interface are one. */
static bool has_own_interface(const struct exits *exits, unsigned int index)
{
	for (unsigned int i = 0; i < index; i++)
		if (exits->exit[i].interface.index == exits->exit[index].interface.index)
			return false;
	return exits->exit[index].interface.index;
}

static void pace_gateways(struct status *status, struct netlink *route, struct rates *rates)
{
	const struct exits *exits = &status->situation->exits;
	struct device_traffic traffic;

	for (unsigned int i = 0; i < exits->count; i++) {
		const char *interface = exits->exit[i].interface.name;
		struct pace *pace = &status->pace[i];

		if (has_own_interface(exits, i) && device_read_traffic(route, interface, &traffic))
			pace->known = rates_take(rates, interface, &traffic, &pace->each_second);
	}
}

static void pace(struct status *status, struct netlink *route, struct rates *rates)
{
	status->watched = rates;
	status->pace = allocate(status->situation->exits.count, sizeof(*status->pace));
	if (rates)
		rates_begin(rates);
	count_bytes(&status->sessions, route, rates);
	if (rates) {
		pace_gateways(status, route, rates);
		rates_end(rates);
	}
}

/* For the textfile collector of Prometheus' node_exporter. */
static void add_gauge(struct text *text, const char *name, const char *help)
{
	text_add(text, "# HELP ocserv_gateway_%s %s\n# TYPE ocserv_gateway_%s gauge\n", name, help, name);
}

static void add_prometheus_gateway(struct text *text, const struct status *status, const char *name, const struct exit *exit,
				   bool value)
{
	char address[ADDRESS_TEXT];

	text_add(text, "ocserv_gateway_%s{", name);
	if (config_is_mapped(status->config))
		text_add(text, "gateway=\"%s\",", exit->gateway->name);
	text_add(text, "family=\"%s\",", family_key(exit->family));
	if (exit_is_link(exit))
		text_add(text, "address=\"link\",interface=\"%s\"} %d\n", exit->interface.name, value);
	else
		text_add(text, "address=\"%s\"} %d\n", address_text(&exit->nexthop, address), value);
}

static void add_prometheus_gateways(struct text *text, const struct status *status)
{
	const struct exits *exits = &status->situation->exits;
	const struct contact *contact = status->contact;

	add_gauge(text, "gateway_there", "Whether the gateway answers ARP or ND, or the interface that leads there is up.");
	for (unsigned int i = 0; i < exits->count; i++)
		add_prometheus_gateway(text, status, "gateway_there", &exits->exit[i], contact[i].there);
	add_gauge(text, "gateway_answers", "Whether the gateway answers ARP or ND, where it can be asked.");
	for (unsigned int i = 0; i < exits->count; i++)
		if (contact[i].asked)
			add_prometheus_gateway(text, status, "gateway_answers", &exits->exit[i], contact[i].there);
}

/* Of several gateways. */

struct measure {
	const char *name, *help;
	bool counter;
	unsigned long long (*value)(const struct usage *usage);
};

static unsigned long long sessions_of(const struct usage *usage)
{
	return usage->sessions;
}

static unsigned long long packets_of(const struct usage *usage)
{
	return usage->packets;
}

static unsigned long long bytes_of(const struct usage *usage)
{
	return usage->bytes;
}

static void add_prometheus_use(struct text *text, const struct status *status, const struct measure *measure,
			       const struct gateway *gateway)
{
	for (int family = 0; family < FAMILIES; family++) {
		struct usage usage = status_usage(status, gateway, family);

		text_add(text, "ocserv_gateway_%s{gateway=\"%s\",family=\"%s\"} %llu\n", measure->name, gateway->name,
			 family_key(family), measure->value(&usage));
	}
}

static void add_prometheus_usage(struct text *text, const struct status *status)
{
	static const struct measure measures[] = {
		{ "gateway_sessions", "Live sessions with an address of the family that leave via the gateway.", false, sessions_of },
		{ "gateway_sent_packets_total", "What clients have sent via the gateway.", true, packets_of },
		{ "gateway_sent_bytes_total", "What clients have sent via the gateway.", true, bytes_of },
	};
	const struct config *config = status->config;

	for (size_t i = 0; i < sizeof(measures) / sizeof(*measures); i++) {
		text_add(text, "# HELP ocserv_gateway_%s %s\n# TYPE ocserv_gateway_%s %s\n", measures[i].name, measures[i].help,
			 measures[i].name, measures[i].counter ? "counter" : "gauge");
		for (unsigned int j = 0; j < config->gateways; j++)
			add_prometheus_use(text, status, &measures[i], &config->gateway[j]);
		/* What leaves by none is in the counters of rules. */
		if (!measures[i].counter) {
			add_prometheus_use(text, status, &measures[i], &config->direct);
			add_prometheus_use(text, status, &measures[i], &config->block);
		}
	}
}

static void add_prometheus_clients(struct text *text, const struct clients *clients)
{
	add_gauge(text, "clients", "What clients have, or would have: in each family, exactly one is 1.");
	for (int family = 0; family < FAMILIES; family++)
		for (int have = 0; have < HAVES; have++)
			text_add(text, "ocserv_gateway_clients{family=\"%s\",have=\"%s\"} %d\n", family_key(family),
				 have_names[have], clients->lot[family].have == (enum have)have);
}

static void add_prometheus_counters(struct text *text, const struct present_guard *guard, bool mapped, bool bytes)
{
	const char *unit = bytes ? "bytes" : "packets";

	text_add(text, "# HELP ocserv_gateway_rule_%s_total What each rule of the kill switch has let through or "
		 "stopped.\n# TYPE ocserv_gateway_rule_%s_total counter\n", unit, unit);
	for (size_t i = 0; i < guard->chains; i++) {
		for (size_t j = 0; j < guard->chain[i].rules; j++) {
			const struct present_rule *rule = &guard->chain[i].rule[j];

			if (!rule->comment[0] || comment_seen(guard, i, j, mapped) || !rule->counted)
				continue;
			text_add(text, "ocserv_gateway_rule_%s_total{chain=", unit);
			text_add_json(text, guard->chain[i].name);
			text_add(text, ",rule=");
			text_add_json(text, rule->comment);
			text_add(text, "} %llu\n", (unsigned long long)(bytes ? rule->bytes : rule->packets));
		}
	}
}

static void add_prometheus(struct text *text, const struct status *status, const struct report *report)
{
	bool mapped = config_is_mapped(status->config);

	add_gauge(text, "state", "Which state this host is in: exactly one is 1.");
	for (size_t i = 0; i < sizeof(verdict_names) / sizeof(*verdict_names); i++)
		text_add(text, "ocserv_gateway_state{state=\"%s\"} %d\n", verdict_names[i], i == status->verdict);
	add_prometheus_clients(text, &status->clients);
	add_gauge(text, "problems", "What is missing or wrong in routes, rules and kill switch.");
	text_add(text, "ocserv_gateway_problems %zu\n", status->problems.count);
	add_gauge(text, "warnings", "Warnings about this host.");
	text_add(text, "ocserv_gateway_warnings %zu\n", report->warnings.count);
	add_gauge(text, "sessions", "Live sessions of clients.");
	text_add(text, "ocserv_gateway_sessions %zu\n", status->sessions.count);
	if (status->changed) {
		add_gauge(text, "changed_timestamp_seconds", "When the kernel was last changed, and what was done then.");
		text_add(text, "ocserv_gateway_changed_timestamp_seconds{what=");
		text_add_json(text, status->change);
		text_add(text, "} %llu\n", status->changed);
	}
	add_prometheus_gateways(text, status);
	if (mapped)
		add_prometheus_usage(text, status);
	add_prometheus_counters(text, &status->situation->present.guard, mapped, false);
	add_prometheus_counters(text, &status->situation->present.guard, mapped, true);
}

static void add_json(struct text *json, const struct status *status, const struct report *report)
{
	text_add(json, "{\n  \"state\": \"%s\",\n", verdict_names[status->verdict]);
	add_json_clients(json, &status->clients);
	text_add(json, "  \"layers\": { \"routing\": \"%s\", \"kill_switch\": \"%s\" },\n",
		 layer_names[status->layer[LAYER_ROUTING]], layer_names[status->layer[LAYER_KILLSWITCH]]);
	text_add_json_list(json, "problems", &status->problems);
	text_add_json_list(json, "warnings", &report->warnings);
	if (status->changed) {
		text_add(json, "  \"changed\": { \"at\": %llu, \"what\": ", status->changed);
		text_add_json(json, status->change);
		text_add(json, " },\n");
	}
	(config_is_mapped(status->config) ? add_json_gateways : add_json_gateway)(json, status);
	add_json_fast_path(json, status);
	add_json_sessions(json, &status->sessions);
	add_json_counters(json, &status->situation->present.guard, config_is_mapped(status->config));
	text_add(json, "}\n");
}

static void status_free(struct status *status)
{
	lines_free(&status->bypasses);
	overlaps_free(&status->overlaps);
	lines_free(&status->errors);
	lines_free(&status->problems);
	clients_free(&status->clients);
	free_sessions(&status->sessions);
	free(status->contact);
	free(status->pace);
}

/* That a table can't be read is as bad as what it may hold. */
static void find_bypasses(struct status *status, struct netlink *route)
{
	struct report report = { 0 };

	if (goal_of(status->config) == GOAL_INSTALL && status->situation->planned) {
		bypass_find(&status->bypasses, status->config, status->situation, route, &report);
		overlap_find(&status->overlaps, status->config, &status->situation->host, route, &report);
	}
	report_take_errors(&report, &status->bypasses);
	report_free(&report);
}

/* What is wrong with the maps is told where all sessions are placed. */
static void find_departures(struct status *status)
{
	struct report ignored = { 0 };
	struct changes changes;

	changes_make(&changes, &status->situation->plan);
	for (size_t i = 0; i < status->sessions.count && config_is_mapped(status->config); i++)
		places_departure(&status->sessions.live[i].departure, status->config, &status->sessions.live[i].session,
				 &changes, &ignored);
	changes_free(&changes);
	report_free(&ignored);
}

static void find_out(struct status *status, struct sockets *sockets, struct rates *rates, struct report *report)
{
	find_bypasses(status, &sockets->route);
	status->verdict = judge(status);
	for (int layer = 0; layer < LAYERS; layer++)
		status->layer[layer] = judge_layer(status, (enum layer)layer);
	take_problems(status, report);
	read_state(status);
	find_departures(status);
	pace(status, &sockets->route, rates);
	look_for_gateways(status, &sockets->route, report);
	look_for_clients(status, sockets);
	status->wrong = is_wrong(status);
}

static struct display display_of(const struct options *options)
{
	return (struct display){ terminal_window(), terminal_wants_colour(), options->verbose };
}

static void add_status(struct text *text, const struct status *status, const struct options *options,
		       const struct report *report)
{
	const struct display display = display_of(options);

	if (options->format && strcmp(options->format, "prometheus") == 0)
		add_prometheus(text, status, report);
	else if (options->json || options->format)
		add_json(text, status, report);
	else if (options->brief)
		screen_add_short(text, status);
	else
		screen_add(text, status, &display);
}

/* Noted flows that have not ended, though a run needs a few seconds for that at most. */
static void advise_endings(struct run *run)
{
	unsigned long long since, now = (unsigned long long)time(NULL);
	size_t count = endings_look(run->config.state_dir, &since);
	struct text age CLEANUP(text_free) = { 0 };

	if (!count || now < since + ENDINGS_LAST)
		return;
	text_add_age(&age, now - since);
	report_warning(&run->report, count == 1 ?
		       "the flows of %zu address of a session that has ended or moved were to end %s ago, but the run that was to do it was "
		       "killed or failed; run `ocserv-gateway up`" :
		       "the flows of %zu addresses of sessions that have ended or moved were to end %s ago, but the run that was to do it "
		       "was killed or failed; run `ocserv-gateway up`", count, text_string(&age));
}

/* What is said of the host, beside what is wrong with what is installed. */
static void add_advice(const struct status *status, struct run *run)
{
	if (!run->options->brief)
		advise_endings(run);
	if (goal_of(&run->config) == GOAL_REMOVE || run->options->brief)
		return;
	advise(&run->config, status->situation, &status->bypasses, &run->report);
	flowtables_check(&run->config, status->situation, &run->sockets, NULL, &run->report);
	capacity_advise(&run->config, &run->sockets.nft, &run->report);
}

#define LOOKS 3		/* at sessions that come and go meanwhile */
#define LOOK_AGAIN_MS 50

/*
 * No lock is taken, so that a session which begins or ends just now may have its record, and not yet, or still, its entries
 * in the kill switch: what is wrong there is believed once it lasts.
 */
static void read_settled(struct situation *situation, struct run *run)
{
	const struct timespec pause = { .tv_nsec = LOOK_AGAIN_MS * 1000000L };

	for (int look = 1;; look++) {
		struct report report = { 0 };

		situation_read(situation, &run->config, goal_of(&run->config), &run->remembered, &run->sockets, &report);
		if (look == LOOKS || !situation->plan.changes || !situation->plan.intact_guard) {
			report_move(&run->report, &report);
			return;
		}
		report_free(&report);
		situation_free(situation);
		nanosleep(&pause, NULL);
	}
}

/* What was found wrong with the host is a problem to show, not an error of this run. */
static void show(struct text *text, struct run *run, struct rates *rates)
{
	const struct config *config = &run->config;
	struct sockets *sockets = &run->sockets;
	struct report *report = &run->report;
	struct situation situation;
	struct status status = { .config = config, .situation = &situation };

	remembered_look(&run->remembered, config);
	read_settled(&situation, run);
	if (situation.present.unprivileged) {
		situation_free(&situation);
		report_error(report, EX_NOPERM, "reading the kill switch needs CAP_NET_ADMIN; run it as root");
		return;
	}
	find_out(&status, sockets, rates, report);
	add_advice(&status, run);
	add_status(text, &status, run->options, report);
	run->bad_news = status.wrong;
	status_free(&status);
	situation_free(&situation);
}

/* run_end() when the text is shown, which may take any time. */
static void look(struct text *text, const struct options *options, struct run *run, struct rates *rates)
{
	if (run_begin(run, options, RUN_VERB) == 0 && sockets_open(&run->sockets, &run->report) == 0)
		show(text, run, rates);
	deadline_stop();
	/* One line is promised, so that a wrong configuration alone has another. */
	if (options->brief)
		lines_free(&run->report.warnings);
}

/* On a terminal what is warned of stands below, lest it pushes the screen out of the window. */
static void add_screen(struct text *text, const struct options *options, struct run *run, struct rates *rates)
{
	const struct display display = display_of(options);

	look(text, options, run, rates);
	if (!terminal_is_there())
		return;
	screen_add_report(text, &run->report, &display);
	run->shown = true;
}

static struct result watch(const struct options *options)
{
	bool terminal = terminal_is_there(), first = true, goes_on;
	struct rates rates = { 0 };
	struct result result;

	watch_begin();
	do {
		struct text text CLEANUP(text_free) = { 0 };
		struct run run;

		text_add_string(&text, terminal ? TERMINAL_CLEAR : first ? "" : "\n");
		add_screen(&text, options, &run, &rates);
		watch_cut(&text, terminal_window().rows);
		goes_on = watch_print(&text);
		result = run_end(&run);
		first = false;
	} while (goes_on && watch_wait(options->watch));
	rates_free(&rates);
	return result;
}

struct result verb_status(const struct options *options)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct run run;

	if (options->watch)
		return watch(options);
	look(&text, options, &run, NULL);
	fputs(text_string(&text), stdout);
	fflush(stdout);
	return run_end(&run);
}

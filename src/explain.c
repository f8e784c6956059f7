/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fate.h"
#include "foreign.h"
#include "guard.h"
#include "rtnetlink.h"
#include "session.h"
#include "verbs.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Somewhere on the internet, only looked up. */
static const char *const far_away[FAMILIES] = { [IPV4] = "1.1.1.1", [IPV6] = "2606:4700:4700::1111" };

/* A packet of a client. */
struct question {
	struct address source, destination;
	int family;		/* IPV4, IPV6 */
	char device[IFNAMSIZ];	/* the tunnel that it comes from */
	char *user;		/* of the live session with this address; NULL where there is none */
};

static bool take_session(const struct session *session, void *data)
{
	struct question *question = data;
	struct address own;

	if (!address_parse_unscoped(&own, question->family == IPV4 ? session->ip4 : session->ip6) ||
	    !address_equal(&own, &question->source))
		return true;
	free(question->user);
	question->user = duplicate(session->user);
	snprintf(question->device, sizeof(question->device), "%s", session->device);
	return if_nametoindex(session->device) == 0;	/* a later one of a reconnect may have it */
}

/* The tunnel of the session with this address, or else any: for the way it makes no difference. */
static int find_tunnel(const struct config *config, struct question *question, struct report *report)
{
	struct report ignored = { 0 };
	struct if_nameindex *all;
	struct state state;

	if (state_open(&state, config->state_dir, false, &ignored) == 0)
		state_visit(&state, false, take_session, question, &ignored);
	state_close(&state);
	report_free(&ignored);
	if (question->device[0] && if_nametoindex(question->device))
		return 0;
	question->device[0] = '\0';
	all = if_nameindex();
	for (const struct if_nameindex *each = all; each && each->if_index; each++)
		if (!question->device[0] && interface_matches(&config->clients, each->if_name))
			snprintf(question->device, sizeof(question->device), "%s", each->if_name);
	if_freenameindex(all);
	if (question->device[0])
		return 0;
	return report_error(report, EX_UNAVAILABLE, "no tunnel of the clients is there, so the kernel can't be asked for "
			    "the way of their packets; connect a client first");
}

static int parse_packet(const struct config *config, const struct options *options, struct question *question,
			struct report *report)
{
	if (!options->argument[0] || !address_parse(&question->source, options->argument[0]))
		return report_error(report, EX_USAGE, "explain: '%s' is not an address; name a client's: explain ADDRESS "
				    "[DESTINATION]", options->argument[0] ? options->argument[0] : "");
	question->family = question->source.family == AF_INET ? IPV4 : IPV6;
	if (!address_parse(&question->destination, options->argument[1] ? options->argument[1] : far_away[question->family]) ||
	    question->destination.family != question->source.family)
		return report_error(report, EX_USAGE, "explain: '%s' is not an %s address", options->argument[1],
				    family_name(question->family));
	if (config_governs(config, question->family) && !config_is_client(config, &question->source))
		return report_error(report, EX_USAGE, "explain: %s is not within [clients] subnet%d: with this source a "
				    "client's packets are dropped where they come in", options->argument[0],
				    question->family == IPV4 ? 4 : 6);
	return 0;
}

/* What an error of a lookup means (ip-rule(8), ip-route(8)). */
static const char *no_way_text(const struct netlink_error *error)
{
	if (error->message[0])
		return error->message;
	switch (error->number) {
	case EACCES:
		return "a policy rule or route prohibits it";
	case EINVAL:
		return "a policy rule or route blackholes it, or its source can't come from there";
	case EXDEV:
		return "rp_filter: its source would not be answered by that tunnel";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "there is no route, or forwarding is off";
	}
	return strerror(error->number);
}

static const struct route *gateway_route(const struct situation *situation, int family)
{
	for (size_t i = 0; i < situation->policy.routes; i++)
		if (situation->policy.route[i].family == family_of(family))
			return &situation->policy.route[i];
	return NULL;
}

enum way { NOWHERE, TO_HOST, TO_CLIENT, TO_GATEWAY, ELSEWHERE };

/* To a client is to an address of theirs by a tunnel of theirs; where nothing is governed, by a tunnel. */
static bool is_to_client(const struct config *config, const struct situation *situation, const struct question *question,
			 const char *interface)
{
	return interface_matches(&config->clients, interface) && !host_leaves_out(&situation->host, interface) &&
	       (!config_governs(config, question->family) || config_is_client(config, &question->destination));
}

static enum way way_of(const struct config *config, const struct situation *situation, const struct question *question,
		       const struct route *route, const char *interface)
{
	const struct route *gateway = gateway_route(situation, question->family);

	if (route->type == RTN_LOCAL || route->type == RTN_BROADCAST || route->type == RTN_MULTICAST)
		return TO_HOST;
	if (route->type != RTN_UNICAST)
		return NOWHERE;
	if (is_to_client(config, situation, question, interface))
		return TO_CLIENT;
	if (gateway && route->interface == gateway->interface && address_equal(&route->gateway, &gateway->gateway))
		return TO_GATEWAY;
	return ELSEWHERE;
}

static bool matches(const struct rule *rule, const struct question *question)
{
	bool same = (!rule->source.address.family || prefix_contains(&rule->source, &question->source)) &&
		    (!rule->destination.address.family || prefix_contains(&rule->destination, &question->destination)) &&
		    (!rule->incoming[0] || strcmp(rule->incoming, question->device) == 0);

	return rule->family == question->source.family && !rule->other && same != rule->inverted;
}

/* The first policy rule that says what the kernel said; one about more than addresses is not taken for it. */
static void print_rule(const struct kernel *kernel, const struct question *question, uint8_t action, uint32_t table)
{
	for (size_t i = 0; i < kernel->rules; i++) {
		const struct rule *rule = &kernel->rule[i];
		struct text text CLEANUP(text_free) = { 0 };

		if (rule->action != action || (action == FR_ACT_TO_TBL && rule->table != table) || !matches(rule, question))
			continue;
		rule_add_text(&text, rule);
		printf("rule         %s\n", text_string(&text));
		return;
	}
}

static void print_route(const struct route *route, const char *interface, enum way way)
{
	char address[ADDRESS_TEXT];

	printf("route        ");
	if (way == TO_HOST)
		printf("this host itself");
	else if (route->gateway.family)
		printf("via %s on %s", address_text(&route->gateway, address), interface);
	else
		printf("on %s", interface);
	if (route->table == RT_TABLE_MAIN)
		puts(", by table main");
	else if (route->table == RT_TABLE_LOCAL)
		puts(", by table local");
	else
		printf(", by table %u\n", route->table);
}

static const struct guard_match *find_match(const struct guard_rule *rule, enum guard_match_kind kind)
{
	for (unsigned int i = 0; i < rule->matches; i++)
		if (rule->match[i].kind == kind)
			return &rule->match[i];
	return NULL;
}

/* Whether a rule of from_client is the one for this way: to the gateway of the family, to clients, or none of these. */
static bool decides(const struct guard_rule *rule, const struct config *config, const struct question *question,
		    enum way way)
{
	const struct guard_match *nexthop = find_match(rule, MATCH_NEXTHOP), *client = find_match(rule, MATCH_DADDR);

	if (way == TO_GATEWAY)
		return nexthop && nexthop->nexthop.family == question->source.family;
	if (way == TO_CLIENT && config->client_to_client)
		return client && prefix_contains(&client->prefix, &question->destination);
	return rule->verdict == VERDICT_DROP && rule->matches == 0;
}

/* The rule of an intact kill switch that decides, and the one that gives the packet another source. */
static void print_guard_rules(const struct config *config, const struct guard *guard, const struct question *question,
			      enum way way)
{
	for (size_t i = 0; i < guard->chains; i++) {
		const struct guard_chain *chain = &guard->chain[i];

		for (size_t j = 0; j < chain->rules; j++) {
			const struct guard_rule *rule = &chain->rule[j];
			const struct guard_match *source = find_match(rule, MATCH_SADDR);

			if (strcmp(chain->name, "from_client") == 0 && decides(rule, config, question, way))
				printf("guard rule   %s: %s\n", chain->name, rule->comment);
			if (strcmp(chain->name, "postrouting") == 0 && way == TO_GATEWAY && source &&
			    prefix_contains(&source->prefix, &question->source))
				printf("NAT          %s: %s\n", chain->name, rule->comment);
		}
	}
}

static void print_guard(const struct config *config, const struct situation *situation, int family)
{
	if (!config_governs(config, family))
		puts("kill switch  none: the family is left alone");
	else if (situation->plan.intact_guard)
		printf("kill switch  whole, table inet %s\n", config->killswitch_table);
	else
		printf("kill switch  %s\n", situation->kernel.guard.exists ? "DAMAGED" : "MISSING");
	for (size_t i = 0; i < situation->plan.problems.count; i++)
		printf("problem      %s\n", situation->plan.problems.line[i]);
}

/* What firewalls of others do to it. Returns whether one surely drops it. */
static bool print_others(const struct config *config, const struct question *question, const char *interface,
			 struct netlink *nft, struct report *report)
{
	struct packet packet = {
		.what = "this packet", .family = question->family, .source = question->source,
		.destination = question->destination, .ct_state = CT_NEW,
	};
	struct report findings = { 0 };
	bool dropped;

	snprintf(packet.incoming, sizeof(packet.incoming), "%s", question->device);
	snprintf(packet.outgoing, sizeof(packet.outgoing), "%s", interface);
	dropped = foreign_check_packet(config, &packet, nft, &findings, report);
	for (size_t i = 0; i < findings.warnings.count; i++)
		printf("others       %s\n", findings.warnings.line[i]);
	for (size_t i = 0; i < findings.notes.count; i++)
		printf("others       %s\n", findings.notes.line[i]);
	report_free(&findings);
	return dropped;
}

/* The last line, and the exit status: 0 where the packet arrives as it should. */
static int print_verdict(const struct config *config, const struct situation *situation, const struct question *question,
			 const struct route *route, const char *interface, enum way way)
{
	bool whole = situation->plan.intact_guard, governed = config_governs(config, question->family);
	char address[ADDRESS_TEXT];

	switch (way) {
	case NOWHERE:
		puts("dropped by routing");
		return 1;
	case TO_HOST:
		puts("reaches this host");
		return 0;
	case TO_CLIENT:
		if (governed && whole && !config->client_to_client) {
			puts("dropped by the kill switch: client_to_client = no");
			return 1;
		}
		printf("reaches a client by %s\n", interface);
		return 0;
	case TO_GATEWAY:
		if (whole && config->masquerade)
			printf("reaches the gateway, with this host's address on %s\n", interface);
		else if (whole || !config->masquerade)
			puts("reaches the gateway, with the client's own address");
		else
			puts("reaches the gateway, perhaps with the client's own address: run `ocserv-gateway up`");
		return whole ? 0 : 1;
	case ELSEWHERE:
		break;
	}
	if (!governed) {
		printf("leaves by this host's own route, on %s\n", interface);
		return 0;
	}
	if (whole) {
		printf("dropped by the kill switch: from_client lets nothing through to %s on %s\n",
		       address_text(route->gateway.family ? &route->gateway : &question->destination, address), interface);
		return 1;
	}
	printf("LEAKS by %s, unless what is left of the kill switch stops it: run `ocserv-gateway up`\n", interface);
	return 1;
}

static int explain_packet(const struct config *config, const struct question *question, struct sockets *sockets,
			  const struct situation *situation, struct report *report)
{
	char buffer[NETLINK_MESSAGE_SIZE], source[ADDRESS_TEXT], destination[ADDRESS_TEXT], interface[IFNAMSIZ] = "?";
	struct netlink_error error;
	struct route route = { 0 };
	enum way way = NOWHERE;
	int result;

	printf("from         %s by %s%s%s\n", address_text(&question->source, source), question->device,
	       question->user ? ", session of " : ", which no live session has", question->user ? question->user : "");
	printf("to           %s\n", address_text(&question->destination, destination));
	if (netlink_request(&sockets->route, rtnetlink_get_client_route(buffer, &question->source, &question->destination,
									if_nametoindex(question->device)),
			    rtnetlink_take_route, &route, &error) == 0) {
		if (route.interface && !netlink_interface_name(&sockets->route, route.interface, interface))
			snprintf(interface, sizeof(interface), "?");
		way = way_of(config, situation, question, &route, interface);
		if (route.table != RT_TABLE_LOCAL)
			print_rule(&situation->kernel, question, FR_ACT_TO_TBL, route.table);
		print_route(&route, interface, way);
	} else if (error.number == EPERM || error.number == ETIMEDOUT) {
		route_free(&route);
		return report_error(report, netlink_error_status(&error), "asking for the way: %s", netlink_error_text(&error));
	} else {
		if (error.number == EACCES || error.number == EINVAL)
			print_rule(&situation->kernel, question, error.number == EACCES ? FR_ACT_PROHIBIT : FR_ACT_BLACKHOLE, 0);
		printf("route        none: %s\n", no_way_text(&error));
	}
	print_guard(config, situation, question->family);
	if (situation->plan.intact_guard && config_governs(config, question->family) && way != NOWHERE && way != TO_HOST)
		print_guard_rules(config, &situation->policy.guard, question, way);
	if (way != NOWHERE && way != TO_HOST && print_others(config, question, interface, &sockets->nft, report)) {
		puts("dropped by a firewall of others");
		result = 1;
	} else {
		result = print_verdict(config, situation, question, &route, interface, way);
	}
	route_free(&route);
	return result;
}

static int explain_situation(const struct config *config, const struct question *question, struct sockets *sockets,
			     const struct situation *situation, struct report *report)
{
	if (situation->kernel.unprivileged)
		return report_error(report, EX_NOPERM, "reading the kill switch needs CAP_NET_ADMIN; run it as root");
	return explain_packet(config, question, sockets, situation, report);
}

int verb_explain(const struct options *options)
{
	struct question question = { 0 };
	struct situation situation = { 0 };
	struct remembered remembered;
	struct run run;
	const struct config *config = &run.config;
	struct report *report = &run.report;
	int result = -1;

	if (run_begin(&run, options, RUN_EXAMINE) == 0 && parse_packet(config, options, &question, report) == 0 &&
	    find_tunnel(config, &question, report) == 0 && sockets_open(&run.sockets, report) == 0) {
		remembered_look(&remembered, config);
		if (situation_read(&situation, config, goal_of(config), &remembered, &run.sockets, report) == 0)
			result = explain_situation(config, &question, &run.sockets, &situation, report);
	}
	if (result >= 0 && report->status == 0)
		report->status = result;
	fflush(stdout);
	situation_free(&situation);
	free(question.user);
	return run_end(&run);
}

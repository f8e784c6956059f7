/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/deadline.h"
#include "cli/verbs.h"
#include "diagnose/clients.h"
#include "diagnose/trial.h"
#include "kernel/ask.h"
#include "kernel/rtnetlink.h"
#include "model/marks.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* A client asks: whether its gateway answers, and what is beyond. */

/* What came of one family. */
struct findings {
	bool asked;			/* it has a gateway, and the client an address */
	struct lot lot;			/* what the client has, as far as rules and routes tell */
	bool there;
	struct text gateway;		/* in words */
	long long took_us;		/* 0: not by us */
	struct echo echo[CONFIG_PROBES];
	size_t echoes;
	bool fetched;			/* a page was asked for */
	struct address world;		/* what it says of us; AF_UNSPEC where nothing */
	long long world_us;
	char world_why[TRIAL_WHY];
	struct text not_asked;		/* why nothing beyond the gateway was asked; "" where it was, or is not wanted */
};

struct test {
	struct run *run;
	const struct config *config;	/* of the run */
	struct situation situation;
	int asking;			/* from ask_open() */
	const char *name;		/* whose test it is; NULL: any client's */
	char *user;			/* of the session; NULL where there is none */
	struct client client;
	const struct gateway *gateway;	/* by which it leaves */
	struct findings family[FAMILIES];
	bool failed;

	/* Of several gateways. */
	bool mapped;
	struct departure departure;	/* of the session */
	struct placements placements;	/* of the client that we are, in the kernel's maps */
};

static bool take_session(const struct session *session, void *data)
{
	struct test *test = data;
	struct address named;
	struct client client;

	client_take(&client, session->ip4, session->ip6, session->device);
	if (address_parse(&named, test->name) ? !address_equal(&named, &client.address[IPV4]) &&
						!address_equal(&named, &client.address[IPV6]) :
						strcmp(session->user, test->name) != 0)
		return true;
	free(test->user);
	test->user = duplicate(session->user);
	test->client = client;
	return if_nametoindex(session->device) == 0;	/* a later one of a reconnect may be it */
}

/* The session of whom is named. */
static int find_client(struct test *test, struct report *report)
{
	struct address address;

	client_make(&test->client, test->config);
	if (!test->name)
		return 0;
	if (address_parse(&address, test->name) && !config_is_client(test->config, &address))
		return report_error(report, EX_USAGE, "test: %s is not within the clients' subnets", test->name);
	state_look(test->config->state_dir, take_session, test);
	if (!test->user)
		return report_error(report, 1, "test: no live session belongs to '%s'; ocserv-gateway status lists them", test->name);
	if (!if_nametoindex(test->client.device))
		return report_error(report, 1, "test: %s, the tunnel of %s, is not there", test->client.device, test->name);
	return 0;
}

static bool place_session(const struct session *session, void *data)
{
	struct test *test = data;
	struct report ignored = { 0 };
	struct changes changes;

	if (strcmp(session->user, test->user) != 0 || strcmp(session->device, test->client.device) != 0)
		return true;
	changes_make(&changes, &test->situation.plan);
	places_departure(&test->departure, test->config, session, &changes, &ignored);
	changes_free(&changes);
	report_free(&ignored);
	return false;
}

/* Of several gateways the one by which the kernel has the session leave now. */
static int find_gateway(struct test *test, struct report *report)
{
	test->gateway = config_default(test->config);
	if (!test->mapped || !test->user)
		return 0;
	state_look(test->config->state_dir, place_session, test);
	if (!test->departure.next)
		return report_error(report, 1, "test: the session of '%s' has ended", test->name);
	client_place(&test->client, test->config, &test->departure);
	test->gateway = test->client.gateway;
	if (!test->gateway)
		return report_error(report, 1, "test: %s leaves via %s, which the configuration no longer has; run ocserv-gateway up",
				    test->user, test->departure.now);
	return 0;
}

static const struct exit *exit_of(const struct test *test, int family)
{
	return exits_find(&test->situation.exits, test->gateway, family);
}

static void say_gateway(struct findings *findings, const struct exit *exit, const char *what)
{
	char address[ADDRESS_TEXT];

	if (exit_is_link(exit))
		text_add(&findings->gateway, "interface %s %s", exit->interface.name, what);
	else
		text_add(&findings->gateway, "%s on %s, %s", address_text(&exit->nexthop, address), exit->interface.name, what);
}

/* As far as the kernel knows: for what is no Ethernet, or where no packet socket is allowed. */
static void look_for_gateway(struct test *test, struct findings *findings, const struct exit *exit)
{
	struct contact contact;

	contact_make(&contact, &test->run->sockets.route, exit);
	findings->there = contact.there;
	say_gateway(findings, exit, !contact.there ? contact.why : contact.asked ? "answers" : exit_is_link(exit) ? "is up" :
		    "up; can't be asked (point-to-point)");
}

static void ask_for_gateway(struct test *test, struct findings *findings, const struct exit *exit)
{
	const char *how = exit->family == IPV4 ? "ARP" : "ND";
	char what[64];
	int answer = -1;

	if (!exit_is_link(exit) && contact_can_ask(&test->run->sockets.route, exit->interface.name) && test->asking >= 0)
		answer = ask_gateway(test->asking, exit, &findings->took_us);
	if (answer < 0) {
		look_for_gateway(test, findings, exit);
		return;
	}
	findings->there = answer;
	snprintf(what, sizeof(what), answer ? "answers %s" : "does NOT answer %s", how);
	say_gateway(findings, exit, what);
}

#define INCOMPLETE "policy rules, routes and kill switch are not complete: run ocserv-gateway up"

/* What it has by rules and routes; whether the gateway is there is asked apart. */
static void look_at_rules(struct test *test)
{
	unsigned int count = test->situation.exits.count;
	struct contact *there = allocate(count, sizeof(*there));
	struct sockets *sockets = &test->run->sockets;
	struct clients clients;

	for (unsigned int i = 0; i < count; i++)
		there[i].there = true;
	if (test->mapped && !test->user)
		clients_expect(&clients, test->config, &test->situation, test->gateway, there, sockets);
	else
		clients_look(&clients, test->config, &test->situation, &test->client, test->user ? 1 : 0, there, sockets);
	free(there);
	for (int family = 0; family < FAMILIES; family++)
		test->family[family].lot = clients.lot[family];
	/* Without a session that is what a connect would bring. */
	for (int family = 0; family < FAMILIES && !test->user && test->situation.plan.steps; family++) {
		struct lot *lot = &test->family[family].lot;

		text_free(&lot->why);
		*lot = (struct lot){ .have = HAVE_NOTHING };
		text_add_string(&lot->why, INCOMPLETE);
	}
}

static void try_gateway(struct test *test, int family)
{
	struct findings *findings = &test->family[family];
	const struct exit *exit = exit_of(test, family);
	char address[ADDRESS_TEXT];

	if (!exit->interface.index && exit_is_link(exit))
		say_gateway(findings, exit, "is NOT there");
	else if (!exit->interface.index)
		text_add(&findings->gateway, "%s is unreachable (no route)", address_text(&exit->nexthop, address));
	else if (test->config->probes.neighbour)
		ask_for_gateway(test, findings, exit);
	else
		findings->there = true;
	if (exit->interface.index && !test->config->probes.neighbour)
		say_gateway(findings, exit, exit_is_link(exit) ? "is not looked at (probe = no)" : "not asked (probe = no)");
}

static size_t collect_probes(const struct probes *probes, int family, struct echo echo[CONFIG_PROBES])
{
	size_t count = 0;

	for (unsigned int i = 0; i < probes->count; i++)
		if (probes->probe[i].address.family == family_of(family))
			echo[count++] = (struct echo){ .probe = &probes->probe[i] };
	return count;
}

/* Probes leave only via the gateway: the kill switch must be complete, and routing lead there at this moment. */
static bool leads_to_gateway(struct test *test, const struct trial *trial, int family, const struct address *destination)
{
	const struct exit *exit = exit_of(test, family);
	uint32_t mark = test->mapped ? mark_of(test->config, test->gateway) : 0;
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;
	struct route route = { 0 };
	bool leads = exit && netlink_request(&test->run->sockets.route,
				     rtnetlink_get_client_route(buffer, &trial->source[family], destination, trial->interface,
							mark),
				     rtnetlink_take_route, &route, &error) == 0 &&
		     route.interface == exit->interface.index && address_equal(&route.gateway, &exit->nexthop);

	route_free(&route);
	return leads;
}

/* The answer of a page that tells who asks: the first address in it, behind its header. */
static void find_address(const char *page, struct address *address)
{
	const char *body = strstr(page, "\r\n\r\n");
	char *words = duplicate(body ? body : ""), *save = NULL;

	for (char *word = strtok_r(words, " \t\r\n\"'=<>(){},;", &save); word;
	     word = strtok_r(NULL, " \t\r\n\"'=<>(){},;", &save))
		if (address_parse(address, word) && address_is_usable(address))
			break;
		else
			*address = (struct address){ 0 };
	free(words);
}

/* By this host's own resolver, unless it is an address. */
static bool resolve(const struct test *test, int family, struct address *address, char why[TRIAL_WHY])
{
	const struct addrinfo hints = { .ai_family = family_of(family), .ai_socktype = SOCK_STREAM };
	const char *host = test->config->probe_http.host;
	struct addrinfo *found = NULL;
	int error;

	if (address_parse(address, host))
		return address->family == family_of(family);
	error = getaddrinfo(host, NULL, &hints, &found);
	if (error) {
		snprintf(why, TRIAL_WHY, "%.60s: %s", host, gai_strerror(error));
		return false;
	}
	*address = (struct address){ .family = family_of(family) };
	memcpy(address->bytes, family == IPV4 ?
	       (const void *)&((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr :
	       (const void *)&((const struct sockaddr_in6 *)(const void *)found->ai_addr)->sin6_addr,
	       address_size(address->family));
	freeaddrinfo(found);
	return true;
}

static void try_fetch(struct test *test, struct trial *trial, int family)
{
	struct findings *findings = &test->family[family];
	struct text page CLEANUP(text_free) = { 0 };
	struct address server;
	long long started;

	if (!resolve(test, family, &server, findings->world_why)) {
		findings->fetched = findings->world_why[0];	/* else it is an address of the other family */
		return;
	}
	findings->fetched = true;
	if (!leads_to_gateway(test, trial, family, &server)) {
		snprintf(findings->world_why, TRIAL_WHY, "its address does not lead to the gateway");
		return;
	}
	started = clock_us();
	if (trial_fetch(trial, &test->config->probe_http, &server, &page, findings->world_why) < 0)
		return;
	findings->world_us = clock_us() - started;
	find_address(text_string(&page), &findings->world);
	if (!findings->world.family)
		snprintf(findings->world_why, TRIAL_WHY, "a page without an address: %.*s",
			 (int)strcspn(text_string(&page), "\r\n"), text_string(&page));
}

static void try_echoes(struct test *test, struct trial *trial, int family)
{
	struct findings *findings = &test->family[family];

	for (size_t i = 0; i < findings->echoes; i++)
		if (!leads_to_gateway(test, trial, family, &findings->echo[i].probe->address))
			snprintf(findings->echo[i].why, TRIAL_WHY, "does not lead to the gateway");
	trial_probe(trial, findings->echo, findings->echoes);
}

/* Why nothing may be sent; false where it may. */
static bool is_closed(const struct test *test, const struct findings *findings, struct text *why)
{
	if (test->situation.plan.steps || !test->situation.plan.intact_guard)
		text_add_string(why, INCOMPLETE);
	else if (findings->lot.have != HAVE_GATEWAY)
		text_add_string(why, text_string(&findings->lot.why));
	else if (!findings->there)
		text_add_string(why, "the gateway is not there");
	return why->length;
}

/* Puts what is there of test->placements into the kernel's maps, or takes it out. */
static int place(struct test *test, struct report *report)
{
	struct run *run = test->run;
	int result = run->state.locked ? 0 : run_lock(run);

	if (result == 0) {
		checkpoint_load(&run->state, run->remembered.checkpoint);
		result = converge_placements(&test->placements, test->config, run->remembered.checkpoint, &run->sockets, report);
	}
	if (result == 0)
		checkpoint_keep(&run->state, run->remembered.checkpoint);
	state_unlock(&run->state);
	return result;
}

/* Of several gateways our client has an entry as a session has. */
static int enter(struct test *test, const struct trial *trial, int family, struct report *report)
{
	if (!test->mapped)
		return 0;
	placements_add(&test->placements, trial->name, &trial->source[family], test->gateway);
	return place(test, report);
}

static void leave(struct test *test, struct report *report)
{
	for (size_t i = 0; i < test->placements.count; i++)
		test->placements.placement[i].gateway = NULL;
	if (test->placements.count)
		place(test, report);
	placements_free(&test->placements);
}

static int be_client(struct test *test, struct trial *trial, int family, struct text *why)
{
	struct report report = { 0 };
	int result = trial->interface ? 0 : trial_open(trial, test->config, &report);

	if (result == 0)
		result = trial_add_source(trial, test->config, family, &test->run->sockets.route, &report);
	if (result == 0)
		result = enter(test, trial, family, &report);
	if (result < 0)
		text_add_string(why, report.errors.line[0]);
	report_free(&report);
	return result;
}

static void try_beyond(struct test *test, struct trial *trial, int family)
{
	struct findings *findings = &test->family[family];
	bool wanted = findings->echoes || test->config->probe_http.host[0];

	if (!wanted || is_closed(test, findings, &findings->not_asked) ||
	    be_client(test, trial, family, &findings->not_asked) < 0)
		return;
	if (findings->echoes)
		try_echoes(test, trial, family);
	if (test->config->probe_http.host[0])
		try_fetch(test, trial, family);
}

static bool any_answered(const struct findings *findings)
{
	for (size_t i = 0; i < findings->echoes; i++)
		if (findings->echo[i].answered)
			return true;
	return findings->echoes == 0;
}

static bool is_good(const struct findings *findings)
{
	return findings->there && findings->lot.have == HAVE_GATEWAY && !findings->not_asked.length && any_answered(findings) &&
	       (!findings->fetched || findings->world.family);
}

static void try_all(struct test *test)
{
	struct report ignored = { 0 };
	struct trial trial = { .tunnel = -1 };
	bool asked = false;

	look_at_rules(test);
	deadline_start(DEADLINE_TEST_SECONDS);
	for (int family = 0; family < FAMILIES; family++) {
		struct findings *findings = &test->family[family];

		findings->asked = gateway_leads(test->gateway, family) &&
				  (!test->user || test->client.address[family].family);
		if (!findings->asked)
			continue;
		asked = true;
		findings->echoes = collect_probes(&test->config->probes, family, findings->echo);
		try_gateway(test, family);
		try_beyond(test, &trial, family);
		test->failed = test->failed || !is_good(findings);
	}
	leave(test, &ignored);
	trial_close(&trial, &test->run->sockets, &ignored);
	report_free(&ignored);
	test->failed = test->failed || !asked;
}

static void add_took(struct text *text, long long us)
{
	text_add(text, "%lld.%02lld ms", us / 1000, us % 1000 / 10);
}

static void add_probe(struct text *text, const struct probe *probe)
{
	char address[ADDRESS_TEXT];

	address_text(&probe->address, address);
	if (!probe->port)
		text_add_string(text, address);
	else
		text_add(text, probe->address.family == AF_INET ? "%s:%u" : "[%s]:%u", address, probe->port);
}

static void print_line(const char *label, int family, const struct text *text)
{
	struct text line CLEANUP(text_free) = { 0 };

	/* What others have named may hold anything. */
	text_add_printable(&line, text_string(text));
	printf("%s %-7s %s\n", family_name(family), label, text_string(&line));
}

static void print_echo(const struct echo *echo, int family)
{
	struct text line CLEANUP(text_free) = { 0 };

	add_probe(&line, echo->probe);
	if (echo->answered) {
		text_add_string(&line, " answers in ");
		add_took(&line, echo->took_us);
	} else {
		text_add(&line, " does NOT answer%s%s", echo->why[0] ? ": " : "", echo->why);
	}
	print_line("beyond", family, &line);
}

static void print_world(const struct findings *findings, int family)
{
	struct text line CLEANUP(text_free) = { 0 };
	char address[ADDRESS_TEXT];

	if (findings->world.family) {
		text_add(&line, "sees %s, in ", address_text(&findings->world, address));
		add_took(&line, findings->world_us);
	} else {
		text_add_string(&line, "NO answer: ");
		text_add_printable(&line, findings->world_why);
	}
	print_line("world", family, &line);
}

static void print_unasked(const struct test *test, int family)
{
	struct text line CLEANUP(text_free) = { 0 };

	switch (test->gateway->to[family].mode) {
	case GATEWAY_ADDRESS:
	case GATEWAY_LINK:
		text_add_string(&line, "the client has no address");
		break;
	case GATEWAY_BLOCK:
		text_add_string(&line, "blocked");
		break;
	case GATEWAY_UNSET:
	case GATEWAY_DIRECT:
		text_add_string(&line, "direct: leaves via this host's own route");
		break;
	}
	print_line("", family, &line);
}

static void add_rules(struct text *text, const struct findings *findings)
{
	const char *why = text_string(&findings->lot.why);

	if (findings->lot.have == HAVE_GATEWAY)
		text_add_string(text, "lead to the gateway, and let it through");
	else
		text_add(text, findings->lot.have == HAVE_LEAK ? "LEAK %s" : "NO internet: %s", why);
}

static void print_family(const struct test *test, int family)
{
	const struct findings *findings = &test->family[family];
	struct text gateway CLEANUP(text_free) = { 0 }, rules CLEANUP(text_free) = { 0 }, unasked CLEANUP(text_free) = { 0 };

	if (!findings->asked) {
		print_unasked(test, family);
		return;
	}
	text_add_string(&gateway, text_string(&findings->gateway));
	if (findings->took_us) {
		text_add_string(&gateway, " in ");
		add_took(&gateway, findings->took_us);
	}
	print_line("gateway", family, &gateway);
	add_rules(&rules, findings);
	print_line("rules", family, &rules);
	if (findings->not_asked.length) {
		text_add(&unasked, "not asked: %s", text_string(&findings->not_asked));
		print_line("beyond", family, &unasked);
		return;
	}
	for (size_t i = 0; i < findings->echoes; i++)
		print_echo(&findings->echo[i], family);
	if (findings->fetched)
		print_world(findings, family);
}

static void print_client(const struct test *test)
{
	char four[ADDRESS_TEXT] = "", six[ADDRESS_TEXT] = "";
	struct text user CLEANUP(text_free) = { 0 };

	if (test->client.address[IPV4].family)
		address_text(&test->client.address[IPV4], four);
	if (test->client.address[IPV6].family)
		address_text(&test->client.address[IPV6], six);
	text_add_value(&user, test->user ? test->user : "", 64);
	if (test->user)
		printf("client       %s, %s%s%s on %s\n", text_string(&user), four, four[0] && six[0] ? " and " : "", six,
		       test->client.device);
	else
		puts("client       any");
}

static void print_gateway(const struct test *test)
{
	if (test->mapped)
		printf("gateway      %s\n", test->gateway->name);
	for (int family = 0; family < FAMILIES; family++)
		print_family(test, family);
}

static void print_result(const struct test *test)
{
	puts(test->failed ? "result       something does NOT work" : "result       everything answered");
}

static void add_json_string(struct text *json, const char *name, const char *value)
{
	text_add(json, "\"%s\": ", name);
	text_add_json(json, value);
}

/* Milliseconds; null where nothing came. */
static void add_json_took(struct text *json, bool came, long long us)
{
	if (came)
		text_add(json, ", \"ms\": %lld.%03lld", us / 1000, us % 1000);
	else
		text_add_string(json, ", \"ms\": null");
}

static void add_json_echo(struct text *json, const struct echo *echo)
{
	struct text probe CLEANUP(text_free) = { 0 };

	add_probe(&probe, echo->probe);
	text_add_string(json, "{ ");
	add_json_string(json, "probe", text_string(&probe));
	text_add(json, ", \"answers\": %s", echo->answered ? "true" : "false");
	add_json_took(json, echo->answered, echo->took_us);
	text_add_string(json, ", ");
	add_json_string(json, "why", echo->why);
	text_add_string(json, " }");
}

static void add_json_world(struct text *json, const struct findings *findings)
{
	char address[ADDRESS_TEXT];
	bool seen = findings->world.family;

	if (!findings->fetched) {
		text_add_string(json, "null");
		return;
	}
	text_add_string(json, "{ ");
	add_json_string(json, "address", seen ? address_text(&findings->world, address) : NULL);
	add_json_took(json, seen, findings->world_us);
	text_add_string(json, ", ");
	add_json_string(json, "why", findings->world_why);
	text_add_string(json, " }");
}

static void add_json_family(struct text *json, const struct test *test, int family)
{
	const struct findings *findings = &test->family[family];

	text_add(json, ",\n  \"%s\": {\n    \"asked\": %s", family == IPV4 ? "ipv4" : "ipv6",
		 findings->asked ? "true" : "false");
	if (findings->asked) {
		text_add_string(json, ",\n    \"gateway\": { ");
		add_json_string(json, "text", text_string(&findings->gateway));
		text_add(json, ", \"there\": %s", findings->there ? "true" : "false");
		add_json_took(json, findings->took_us, findings->took_us);
		text_add(json, " },\n    \"rules\": { \"have\": \"%s\", ", have_names[findings->lot.have]);
		add_json_string(json, "why", text_string(&findings->lot.why));
		text_add_string(json, " },\n    ");
		add_json_string(json, "not_asked", text_string(&findings->not_asked));
		text_add_string(json, ",\n    \"beyond\": [");
		for (size_t i = 0; i < findings->echoes; i++) {
			text_add_string(json, i ? ", " : "");
			add_json_echo(json, &findings->echo[i]);
		}
		text_add_string(json, "],\n    \"world\": ");
		add_json_world(json, findings);
	}
	text_add_string(json, "\n  }");
}

/* Behind what is said of the client. */
static void add_json_gateway(struct text *json, const struct test *test)
{
	if (test->mapped) {
		text_add_string(json, ",\n  ");
		add_json_string(json, "gateway", test->gateway->name);
	}
	for (int family = 0; family < FAMILIES; family++)
		add_json_family(json, test, family);
}

static void print_json(const struct test *test, const struct text *gateways)
{
	struct text json CLEANUP(text_free) = { 0 };

	text_add(&json, "{\n  \"ok\": %s,\n  ", test->failed ? "false" : "true");
	add_json_string(&json, "user", test->user);
	text_add_string(&json, ",\n  ");
	add_json_string(&json, "device", test->user ? test->client.device : NULL);
	text_add(&json, "%s\n}\n", text_string(gateways));
	fputs(text_string(&json), stdout);
}

static void forget_findings(struct test *test)
{
	for (int family = 0; family < FAMILIES; family++) {
		struct findings *findings = &test->family[family];

		text_free(&findings->lot.why);
		text_free(&findings->gateway);
		text_free(&findings->not_asked);
		*findings = (struct findings){ 0 };
	}
}

/* A gateway, with what was said of the client before. */
static void try_one(struct test *test, struct text *json)
{
	try_all(test);
	if (test->run->options->json)
		add_json_gateway(json, test);
	else
		print_gateway(test);
}

/* Where nobody is named, each of several. */
static void try_each(struct test *test, struct text *json)
{
	const struct config *config = test->config;
	const char *separator = "";

	text_add_string(json, ",\n  \"gateways\": [");
	for (unsigned int i = 0; i < config->gateways; i++) {
		bool failed = test->failed;

		test->gateway = &config->gateway[i];
		if (!gateway_leads(test->gateway, IPV4) && !gateway_leads(test->gateway, IPV6))
			continue;
		test->failed = false;
		forget_findings(test);
		try_all(test);
		text_add(json, "%s\n  {\n  \"ok\": %s", separator, test->failed ? "false" : "true");
		add_json_gateway(json, test);
		text_add_string(json, "\n  }");
		separator = ",";
		if (!test->run->options->json)
			print_gateway(test);
		test->failed = test->failed || failed;
	}
	text_add_string(json, "\n  ]");
}

static void test_free(struct test *test)
{
	forget_findings(test);
	free(test->user);
	situation_free(&test->situation);
	if (test->asking >= 0)
		close(test->asking);
}

/* What was found wrong with the host shows in what does not answer. */
static void try_client(struct test *test)
{
	struct report *report = &test->run->report;
	struct text json CLEANUP(text_free) = { 0 };
	bool complete;

	if (goal_of(test->config) == GOAL_REMOVE) {
		report_error(report, EX_CONFIG, "test: there is no gateway to ask; %s", plain_text(test->config));
		return;
	}
	test->mapped = config_is_mapped(test->config);
	if (find_client(test, report) < 0 || sockets_open(&test->run->sockets, report) < 0)
		return;
	remembered_look(&test->run->remembered, test->config);
	complete = situation_read(&test->situation, test->config, GOAL_INSTALL, &test->run->remembered, &test->run->sockets, report) == 0;
	if (test->situation.present.unprivileged)
		report_error(report, EX_NOPERM, "a test needs CAP_NET_ADMIN; run it as root");
	if (test->situation.present.unprivileged || !test->situation.planned)
		return;
	if (find_gateway(test, report) < 0)
		return;
	if (!test->run->options->json)
		print_client(test);
	(test->mapped && !test->user ? try_each : try_one)(test, &json);
	if (test->run->options->json)
		print_json(test, &json);
	else
		print_result(test);
	fflush(stdout);
	test->run->harmless = true;
	test->run->bad_news = test->failed || !complete;
}

struct result verb_test(const struct options *options)
{
	struct run run;
	struct test test = { .run = &run, .config = &run.config, .name = options->argument[0] };

	/* While it is allowed: a run drops the privilege for raw packets. */
	test.asking = ask_open();
	if (run_begin(&run, options, RUN_EXAMINE) == 0)
		try_client(&test);
	test_free(&test);
	return run_end(&run);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rtnetlink.h"
#include "session.h"
#include "verbs.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* Somewhere on the internet, only looked up. */
static const char *const far_away[FAMILIES] = { [IPV4] = "1.1.1.1", [IPV6] = "2606:4700:4700::1111" };

struct packet {
	struct address source, destination;
	int family;		/* IPV4, IPV6 */
	char device[IFNAMSIZ];	/* the tunnel that it comes from */
	char *user;		/* of the live session with this address; NULL where there is none */
};

static bool take_session(const struct session *session, void *data)
{
	struct packet *packet = data;
	struct address own;

	if (!address_parse_unscoped(&own, packet->family == IPV4 ? session->ip4 : session->ip6) ||
	    !address_equal(&own, &packet->source))
		return true;
	free(packet->user);
	packet->user = duplicate(session->user);
	snprintf(packet->device, sizeof(packet->device), "%s", session->device);
	return if_nametoindex(session->device) == 0;	/* a later one of a reconnect may have it */
}

/* The tunnel of the session with this address, or else any: for the way it makes no difference. */
static int find_tunnel(const struct config *config, struct packet *packet, struct report *report)
{
	struct report ignored = { 0 };
	struct if_nameindex *all;
	struct state state;

	if (state_open(&state, config->state_dir, false, &ignored) == 0)
		state_visit(&state, false, take_session, packet, &ignored);
	state_close(&state);
	report_free(&ignored);
	if (packet->device[0] && if_nametoindex(packet->device))
		return 0;
	packet->device[0] = '\0';
	all = if_nameindex();
	for (const struct if_nameindex *each = all; each && each->if_index; each++)
		if (!packet->device[0] && interface_matches(&config->clients, each->if_name))
			snprintf(packet->device, sizeof(packet->device), "%s", each->if_name);
	if_freenameindex(all);
	if (packet->device[0])
		return 0;
	return report_error(report, EX_UNAVAILABLE, "no tunnel of the clients is there, so the kernel can't be asked for "
			    "the way of their packets; connect a client first");
}

static int parse_packet(const struct config *config, const struct options *options, struct packet *packet,
			struct report *report)
{
	const struct subnets *subnets;
	bool inside = false;

	if (!options->argument[0] || !address_parse(&packet->source, options->argument[0]))
		return report_error(report, EX_USAGE, "explain: '%s' is not an address; name a client's: explain ADDRESS "
				    "[DESTINATION]", options->argument[0] ? options->argument[0] : "");
	packet->family = packet->source.family == AF_INET ? IPV4 : IPV6;
	if (!address_parse(&packet->destination, options->argument[1] ? options->argument[1] : far_away[packet->family]) ||
	    packet->destination.family != packet->source.family)
		return report_error(report, EX_USAGE, "explain: '%s' is not an %s address", options->argument[1],
				    family_name(packet->family));
	subnets = &config->subnets[packet->family];
	for (unsigned int i = 0; i < subnets->count; i++)
		inside = inside || prefix_contains(&subnets->prefix[i], &packet->source);
	if (config_governs(config, packet->family) && !inside)
		return report_error(report, EX_USAGE, "explain: %s is not within [clients] subnet%d: with this source a "
				    "client's packets are dropped where they come in", options->argument[0],
				    packet->family == IPV4 ? 4 : 6);
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

static enum way way_of(const struct config *config, const struct situation *situation, int family,
		       const struct route *route, const char *interface)
{
	const struct route *gateway = gateway_route(situation, family);

	if (route->type == RTN_LOCAL || route->type == RTN_BROADCAST || route->type == RTN_MULTICAST)
		return TO_HOST;
	if (route->type != RTN_UNICAST)
		return NOWHERE;
	if (interface_matches(&config->clients, interface))
		return TO_CLIENT;
	if (gateway && route->interface == gateway->interface && address_equal(&route->gateway, &gateway->gateway))
		return TO_GATEWAY;
	return ELSEWHERE;
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

/* The last line, and the exit status: 0 where the packet arrives as it should. */
static int print_verdict(const struct config *config, const struct situation *situation, const struct packet *packet,
			 const struct route *route, const char *interface, enum way way)
{
	bool whole = situation->plan.intact_guard, governed = config_governs(config, packet->family);
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
		       address_text(route->gateway.family ? &route->gateway : &packet->destination, address), interface);
		return 1;
	}
	printf("LEAKS by %s, unless what is left of the kill switch stops it: run `ocserv-gateway up`\n", interface);
	return 1;
}

static int explain_packet(const struct config *config, const struct packet *packet, struct sockets *sockets,
			  const struct situation *situation, struct report *report)
{
	char buffer[NETLINK_MESSAGE_SIZE], source[ADDRESS_TEXT], destination[ADDRESS_TEXT], interface[IFNAMSIZ] = "?";
	struct netlink_error error;
	struct route route = { 0 };
	enum way way = NOWHERE;
	int result;

	printf("from         %s by %s%s%s\n", address_text(&packet->source, source), packet->device,
	       packet->user ? ", session of " : ", which no live session has", packet->user ? packet->user : "");
	printf("to           %s\n", address_text(&packet->destination, destination));
	if (netlink_request(&sockets->route, rtnetlink_get_client_route(buffer, &packet->source, &packet->destination,
									if_nametoindex(packet->device)),
			    rtnetlink_take_route, &route, &error) == 0) {
		if (route.interface && !netlink_interface_name(&sockets->route, route.interface, interface))
			snprintf(interface, sizeof(interface), "?");
		way = way_of(config, situation, packet->family, &route, interface);
		print_route(&route, interface, way);
	} else if (error.number == EPERM || error.number == ETIMEDOUT) {
		route_free(&route);
		return report_error(report, netlink_error_status(&error), "asking for the way: %s", netlink_error_text(&error));
	} else {
		printf("route        none: %s\n", no_way_text(&error));
	}
	print_guard(config, situation, packet->family);
	result = print_verdict(config, situation, packet, &route, interface, way);
	route_free(&route);
	return result;
}

int verb_explain(const struct options *options)
{
	struct packet packet = { 0 };
	struct situation situation = { 0 };
	struct sockets sockets = { 0 };
	struct report report = { 0 };
	struct config config;
	int result = -1, status;

	log_open(options->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, false);
	if (config_load(&config, options->config, NULL, &report) == 0 &&
	    parse_packet(&config, options, &packet, &report) == 0 && find_tunnel(&config, &packet, &report) == 0 &&
	    sockets_open(&sockets, &report) == 0 &&
	    situation_read(&situation, &config, goal_of(&config), "", &sockets, &report) == 0) {
		if (situation.kernel.unprivileged)
			report_error(&report, EX_NOPERM, "reading the kill switch needs CAP_NET_ADMIN; run it as root");
		else
			result = explain_packet(&config, &packet, &sockets, &situation, &report);
	}
	if (result >= 0 && report.status == 0)
		report.status = result;
	fflush(stdout);
	status = log_report(&report);
	situation_free(&situation);
	sockets_close(&sockets);
	free(packet.user);
	config_free(&config);
	return status;
}

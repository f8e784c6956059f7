/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/advice.h"
#include "base/memory.h"
#include "diagnose/bypass.h"
#include "diagnose/others.h"
#include "kernel/apply.h"
#include "kernel/contact.h"
#include "kernel/rtnetlink.h"
#include "kernel/setting.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void advise_forwarding(const struct config *config, struct report *report)
{
	if (config_leads(config, IPV4) && setting_read("ipv4/ip_forward") == 0)
		report_warning(report, "IPv4 forwarding is off: clients reach nothing; sysctl -w net.ipv4.ip_forward=1");
	if (config_leads(config, IPV6) &&
	    setting_read("ipv6/conf/all/forwarding") == 0)
		report_warning(report, "IPv6 forwarding is off: clients reach nothing; "
			       "sysctl -w net.ipv6.conf.all.forwarding=1");
}

static bool is_known(const struct lines *known, const char *line)
{
	for (size_t i = 0; known && i < known->count; i++)
		if (strcmp(known->line[i], line) == 0)
			return true;
	return false;
}

static void advise_rules(const struct config *config, const struct situation *situation, const struct lines *known,
			 struct report *report)
{
	const struct present *present = &situation->present;

	for (size_t i = 0; i < present->rules; i++) {
		struct text text CLEANUP(text_free) = { 0 };

		if (!bypass_rule(config, &situation->wanted, present, i))
			continue;
		bypass_rule_text(&text, config, &present->rule[i]);
		if (!is_known(known, text_string(&text)))
			report_warning(report, "%s", text_string(&text));
	}
}

/* With forward_others = no it is an error of the plan's. */
static void advise_local(const struct config *config, const struct situation *situation, struct report *report)
{
	for (int family = 0; family < FAMILIES; family++)
		if (config->forward_others &&
		    plan_lacks_local(config, &situation->wanted, &situation->present, family))
			report_warning(report, "no %s policy rule before priority %u looks up table local: what clients send to "
				       "this host itself goes to the gateway; ip -%c rule add priority %u lookup local",
				       family_name(family), config->priority - 1, family == IPV4 ? '4' : '6', config->priority - 2);
}

void advise(const struct config *config, const struct situation *situation, const struct lines *known,
	    struct report *report)
{
	advise_forwarding(config, report);
	advise_local(config, situation, report);
	advise_rules(config, situation, known, report);
}

void advise_bypasses(const struct config *config, const struct situation *situation, struct netlink *route,
		     struct report *report)
{
	struct lines found CLEANUP(lines_free) = { 0 };

	bypass_find(&found, config, situation, route, report);
	for (size_t i = 0; i < found.count; i++)
		report_warning(report, "%s", found.line[i]);
}

#define WHOSE_TEXT (GATEWAY_NAME + 16)

/* Who leaves by it: of several gateways not all. */
static const char *clients_of(const struct config *config, const struct exit *exit, char text[WHOSE_TEXT])
{
	snprintf(text, WHOSE_TEXT, config_is_mapped(config) ? "clients of %s" : "clients", exit->gateway->name);
	return text;
}

static void examine_exit(const struct config *config, const struct exit *exit, const struct contact *contact,
			 struct netlink *route, struct report *report)
{
	const char *interface = exit->interface.name;
	char section[GATEWAY_SECTION], clients[WHOSE_TEXT];

	clients_of(config, exit, clients);
	if (exit_is_link(exit) && contact->fault != CONTACT_GONE && contact_can_ask(route, interface))
		report_warning(report, "%s address%d = link, but %s asks by %s for each address that clients reach, "
			       "as an Ethernet does, and only a proxy would answer; name the next hop instead",
			       gateway_section(exit->gateway, section), exit->family == IPV4 ? 4 : 6, interface,
			       exit->family == IPV4 ? "ARP" : "ND");
	if (contact->there && exit_is_link(exit))
		report_note(report, "%s is up; whether its other end answers is not known%s", exit->text,
			    config->probes.count ? "" : "; set addresses in [gateway] probe, then run `ocserv-gateway test`");
	else if (contact->there && !contact->asked)
		report_note(report, "%s is on %s, which is up; it can't be asked there (point-to-point)", exit->text,
			    interface);
	else if (!contact->there && contact->asked)
		report_warning(report, "%s does not answer %s on %s: %s reach nothing until it does; is "
			       "it up, and is it in this network? ip neigh show dev %s", exit->text,
			       exit->family == IPV4 ? "ARP" : "ND", interface, clients, interface);
	else if (!contact->there)
		report_warning(report, "%s %s: %s reach nothing; ip addr show dev %s", exit->text, contact->why, clients,
			       interface);
}

/* Of several gateways one that is not there is an error of its clients' sessions alone. */
static void examine_gateways(const struct config *config, const struct situation *situation, struct netlink *route,
			     struct report *report)
{
	const struct exits *exits = &situation->exits;
	struct contact *contact = allocate(exits->count, sizeof(*contact));

	contacts_make(contact, route, exits);
	for (unsigned int i = 0; i < exits->count; i++) {
		const struct lines *missing = &exits->exit[i].missing.errors;

		for (size_t j = 0; j < missing->count; j++)
			report_warning(report, "%s", missing->line[j]);
		if (!missing->count)
			examine_exit(config, &exits->exit[i], &contact[i], route, report);
	}
	free(contact);
}

/* A tunnel gets the default; of that and the setting for all, the larger one counts (ip-sysctl.rst). */
static void examine_reverse_path(const struct config *config, struct report *report)
{
	int all = setting_read("ipv4/conf/all/rp_filter"), tunnels = setting_read("ipv4/conf/default/rp_filter");

	if (config_leads(config, IPV4) && (all > tunnels ? all : tunnels) != 1)
		report_note(report, "rp_filter is not 1 on new tunnels: while nftables is flushed, a client that forges its "
			    "source address could send via this host's own route; sysctl -w%s%s",
			    tunnels == 1 ? "" : " net.ipv4.conf.default.rp_filter=1",
			    all <= 1 ? "" : " net.ipv4.conf.all.rp_filter=0");
}

/* What a pattern that is too wide takes with it. */
static void examine_left_out(const struct config *config, const struct host *host, struct report *report)
{
	char pattern[IFNAMSIZ + 1];

	for (unsigned int i = 0; i < host->left_outs; i++)
		report_note(report, "[clients] interface = %s matches %s, which has no client address: it is taken for another "
			    "program's and left alone", interface_pattern_text(&config->clients, pattern),
			    host->left_out[i]);
}

/* Networks behind clients, by whatever source ocserv has them: files, RADIUS */

struct lans {
	const struct config *config;
	const struct host *host;
	const struct netlink *route;
	struct report *report;
};

static bool leads_to_lan(const struct lans *lans, const struct route *route, char interface[IFNAMSIZ])
{
	int family = family_index(route->family);

	return route->table == RT_TABLE_MAIN && route->type == RTN_UNICAST && config_covers(lans->config, family) &&
	       !address_is_link_local(&route->destination) && !config_is_client(lans->config, &route->destination) &&
	       netlink_interface_name(lans->route, route->interface, interface) &&
	       interface_matches(&lans->config->clients, interface) && !host_leaves_out(lans->host, interface);
}

static int take_lan(const struct nlmsghdr *message, void *data)
{
	const struct lans *lans = data;
	char interface[IFNAMSIZ], text[PREFIX_TEXT];
	struct route route;

	if (!rtnetlink_parse_route(message, &route))
		return 0;
	if (leads_to_lan(lans, &route, interface)) {
		prefix_text(&(struct prefix){ route.destination, route.destination_length }, text);
		report_warning(lans->report, "%s is behind the client of %s, but not within [clients] subnet%c, so what it sends is "
			       "dropped; add %s to it", text, interface, route.family == AF_INET ? '4' : '6', text);
	}
	route_free(&route);
	return 0;
}

/* ocserv adds these routes behind the connect hook, which can't see them. */
static void examine_lans(const struct config *config, const struct host *host, struct netlink *route,
			 struct report *report)
{
	struct lans lans = { config, host, route, report };
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;

	if (netlink_dump(route, rtnetlink_dump_routes(buffer, RT_TABLE_MAIN), NULL, take_lan, &lans, &error) < 0)
		report_error(report, netlink_error_status(&error), "can't look for networks behind clients: %s",
			     netlink_error_text(&error));
}

void examine(const struct config *config, const struct situation *situation, struct sockets *sockets,
	     struct report *report)
{
	examine_left_out(config, &situation->host, report);
	examine_lans(config, &situation->host, &sockets->route, report);
	examine_gateways(config, situation, &sockets->route, report);
	apply_rehearse(&situation->wanted.guard, situation->present.guard.exists, &sockets->nft, report);
	others_check(config, situation, sockets, report);
	examine_reverse_path(config, report);
}

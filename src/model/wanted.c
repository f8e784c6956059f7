/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/wanted.h"
#include "model/marks.h"

#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/*
 * Policy routing, for each covered family and subnet:
 *
 *   PRIORITY - 1: to SUBNET lookup main suppress_prefixlength N	the VPN's own addresses
 *   PRIORITY:     from SUBNET lookup TABLE				with a gateway; of several each has one:
 *   PRIORITY:     from SUBNET fwmark MARK/MASK lookup TABLE
 *   PRIORITY:     from SUBNET fwmark MARK/MASK lookup main		and who is direct
 *   PRIORITY + 1: from SUBNET prohibit					nothing falls through
 *   PRIORITY + 1: to SUBNET blackhole					nor to an address without a client
 *
 * and behind these, with forward_others = no, once for each family:
 *
 *   PRIORITY + 1: not iif lo blackhole					nor from anybody else
 *
 * N is the length of SUBNET: ocserv gives each client a longer route, and a shorter one, be it a half of
 * the default, goes elsewhere. Of several subnets each may be a LAN behind a client (iroute), to which ocserv has one route
 * just as long: N is one less then. Blackholes are silent, since an error would go to the sender via the main route.
 * What is for this host itself finds table local first, and what it sends comes in on lo.
 */

static struct rule *add_rule(struct wanted *wanted, uint8_t family, uint32_t priority)
{
	wanted->rule = make_room_for_one(wanted->rule, wanted->rules, sizeof(*wanted->rule));
	wanted->rule[wanted->rules] = (struct rule){
		.family = family,
		.priority = priority,
		.suppress_prefixlength = -1,
		.protocol = ROUTING_PROTOCOL,
	};
	return &wanted->rule[wanted->rules++];
}

static void add_local_rule(struct wanted *wanted, const struct config *config, const struct prefix *subnet,
			   bool may_be_lan)
{
	struct rule *rule = add_rule(wanted, subnet->address.family, config->priority - 1);

	rule->destination = *subnet;
	rule->action = FR_ACT_TO_TBL;
	rule->table = RT_TABLE_MAIN;
	rule->suppress_prefixlength = subnet->length;
	/* A subnet of a single address has no longer route than itself either. */
	if (may_be_lan || subnet->length == address_size(subnet->address.family) * 8)
		rule->suppress_prefixlength--;
}

/* Of several gateways each has its own packets, by the mark that the kill switch gives them. */
static void set_mark(struct rule *rule, const struct config *config, const struct gateway *gateway)
{
	struct text words = { 0 };

	rule->mark = mark_of(config, gateway);
	rule->mask = config->mark_mask;
	text_add(&words, "fwmark 0x%x/0x%x", rule->mark, rule->mask);
	rule->other = words.data;
}

static void add_gateway_rule(struct wanted *wanted, const struct config *config, const struct gateway *gateway,
			     const struct prefix *subnet)
{
	struct rule *rule = add_rule(wanted, subnet->address.family, config->priority);

	rule->source = *subnet;
	rule->action = FR_ACT_TO_TBL;
	rule->table = gateway == &config->direct ? RT_TABLE_MAIN : gateway->table;
	if (config_is_mapped(config))
		set_mark(rule, config, gateway);
}

static void add_stop_rules(struct wanted *wanted, const struct config *config, const struct prefix *subnet,
			   bool silent)
{
	struct rule *rule = add_rule(wanted, subnet->address.family, config->priority + 1);

	rule->source = *subnet;
	rule->action = silent ? FR_ACT_BLACKHOLE : FR_ACT_PROHIBIT;

	rule = add_rule(wanted, subnet->address.family, config->priority + 1);
	rule->destination = *subnet;
	rule->action = FR_ACT_BLACKHOLE;
}

static void add_others_rule(struct wanted *wanted, const struct config *config, int family)
{
	struct rule *rule = add_rule(wanted, family_of(family), config->priority + 1);

	memcpy(rule->incoming, "lo", sizeof("lo"));
	rule->inverted = true;
	rule->action = FR_ACT_BLACKHOLE;
}

static void add_gateway_rules(struct wanted *wanted, const struct config *config, const struct exits *exits, int family)
{
	const struct subnets *subnets = &config->subnets[family];

	for (unsigned int i = 0; i < exits->count; i++)
		for (unsigned int j = 0; exits->exit[i].family == family && j < subnets->count; j++)
			add_gateway_rule(wanted, config, exits->exit[i].gateway, &subnets->prefix[j]);
	for (unsigned int i = 0; config_is_mapped(config) && i < subnets->count; i++)
		add_gateway_rule(wanted, config, &config->direct, &subnets->prefix[i]);
}

static void add_rules(struct wanted *wanted, const struct config *config, const struct exits *exits, int family)
{
	const struct subnets *subnets = &config->subnets[family];
	bool silent = config_blocks(config, family) && config->blocked == BLOCKED_DROP;

	for (unsigned int i = 0; i < subnets->count; i++)
		add_local_rule(wanted, config, &subnets->prefix[i], subnets->count > 1);
	for (unsigned int i = 0; i < subnets->count; i++)
		add_stop_rules(wanted, config, &subnets->prefix[i], silent);
	if (!config->forward_others)
		add_others_rule(wanted, config, family);
	add_gateway_rules(wanted, config, exits, family);
}

static void add_route(struct wanted *wanted, const struct config *config, const struct exit *exit)
{
	struct route *route;

	wanted->route = make_room_for_one(wanted->route, wanted->routes, sizeof(*wanted->route));
	route = &wanted->route[wanted->routes++];
	*route = (struct route){
		.family = family_of(exit->family),
		.table = exit->gateway->table,
		.destination.family = family_of(exit->family),
		.gateway = exit->nexthop,
		.interface = exit->interface.index,
		.metric = exit->family == IPV6 ? ROUTE_METRIC_IPV6 : 0,
		.type = RTN_UNICAST,
		.protocol = ROUTING_PROTOCOL,
	};
	/* Adding an IPv6 route, the kernel asks the rules for its gateway as if that were somebody else's packet. */
	route->onlink = exit->family == IPV6 && !exit_is_link(exit) && !config->forward_others;
	memcpy(route->interface_name, exit->interface.name, sizeof(route->interface_name));
}

static void add_neighbour(struct wanted *wanted, const struct exit *exit)
{
	struct neighbour *neighbour;

	wanted->neighbour = make_room_for_one(wanted->neighbour, wanted->neighbours, sizeof(*wanted->neighbour));
	neighbour = &wanted->neighbour[wanted->neighbours++];
	*neighbour = (struct neighbour){
		.address = exit->nexthop,
		.interface = exit->interface.index,
		.mac = exit->gateway->to[exit->family].mac,
		.protocol = ROUTING_PROTOCOL,
		.state = NUD_PERMANENT,
	};
	memcpy(neighbour->interface_name, exit->interface.name, sizeof(neighbour->interface_name));
}

void wanted_make(struct wanted *wanted, const struct config *config, const struct exits *exits, const struct host *host)
{
	*wanted = (struct wanted){ 0 };
	for (unsigned int i = 0; i < exits->count; i++) {
		const struct exit *exit = &exits->exit[i];

		if (exit->apart)
			continue;
		add_route(wanted, config, exit);
		if (exit->gateway->to[exit->family].mac.known)
			add_neighbour(wanted, exit);
	}
	for (int family = 0; family < FAMILIES; family++)
		if (config_covers(config, family))
			add_rules(wanted, config, exits, family);
	wanted_guard_make(&wanted->guard, config, exits, host);
}

void wanted_add_setting(struct wanted *wanted, const struct setting_step *setting)
{
	for (size_t i = 0; i < wanted->settings; i++)
		if (strcmp(wanted->setting[i].name, setting->name) == 0)
			return;
	wanted->setting = make_room_for_one(wanted->setting, wanted->settings, sizeof(*wanted->setting));
	wanted->setting[wanted->settings++] = *setting;
}

void wanted_free(struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->rules; i++)
		rule_free(&wanted->rule[i]);
	for (size_t i = 0; i < wanted->routes; i++)
		route_free(&wanted->route[i]);
	free(wanted->rule);
	free(wanted->route);
	free(wanted->neighbour);
	free(wanted->former);
	free(wanted->setting);
	guard_free(&wanted->guard);
	*wanted = (struct wanted){ 0 };
}

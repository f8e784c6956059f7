/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/wanted.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

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
			wanted_add_rules(wanted, config, exits, family);
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

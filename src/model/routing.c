/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/routing.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static const char *const action_names[] = {
	[FR_ACT_GOTO] = "goto",
	[FR_ACT_NOP] = "nop",
	[FR_ACT_BLACKHOLE] = "blackhole",
	[FR_ACT_UNREACHABLE] = "unreachable",
	[FR_ACT_PROHIBIT] = "prohibit",
};

static const char *const type_names[] = {
	[RTN_LOCAL] = "local",
	[RTN_BROADCAST] = "broadcast",
	[RTN_ANYCAST] = "anycast",
	[RTN_MULTICAST] = "multicast",
	[RTN_BLACKHOLE] = "blackhole",
	[RTN_UNREACHABLE] = "unreachable",
	[RTN_PROHIBIT] = "prohibit",
	[RTN_THROW] = "throw",
};

static const char *name_in(const char *const *names, size_t count, uint8_t number)
{
	return number < count ? names[number] : NULL;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	return a->family == b->family && a->priority == b->priority && prefix_equal(&a->source, &b->source) &&
	       prefix_equal(&a->destination, &b->destination) && strcmp(a->incoming, b->incoming) == 0 &&
	       a->inverted == b->inverted && a->action == b->action &&
	       ((a->action != FR_ACT_TO_TBL && a->action != FR_ACT_GOTO) || a->table == b->table) &&
	       a->suppress_prefixlength == b->suppress_prefixlength && same_text(a->other, b->other);
}

bool route_equal(const struct route *a, const struct route *b)
{
	return a->family == b->family && a->table == b->table && a->destination_length == b->destination_length &&
	       address_equal(&a->destination, &b->destination) && address_equal(&a->gateway, &b->gateway) &&
	       a->interface == b->interface && a->metric == b->metric && a->type == b->type && a->tos == b->tos &&
	       prefix_equal(&a->source, &b->source) && same_text(a->other, b->other);
}

bool route_is_known(const struct route *wanted)
{
	return wanted->interface || wanted->gateway.family;
}

bool route_same_way(const struct route *present, const struct route *wanted)
{
	if (!route_is_known(wanted))
		return false;
	return present->family == wanted->family && present->type == wanted->type && !present->indirect &&
	       address_equal(&present->gateway, &wanted->gateway) &&
	       (!wanted->interface || present->interface == wanted->interface);
}

bool route_denies(const struct route *route)
{
	return route->type == RTN_BLACKHOLE || route->type == RTN_UNREACHABLE || route->type == RTN_PROHIBIT ||
	       route->type == RTN_THROW;
}

bool rule_is_local(const struct rule *rule)
{
	return rule->action == FR_ACT_TO_TBL && rule->table == RT_TABLE_LOCAL && !rule->inverted && !rule->other &&
	       !rule->incoming[0] && !rule->source.address.family && !rule->destination.address.family &&
	       rule->suppress_prefixlength < 0;
}

void rule_add_text(struct text *text, const struct rule *rule)
{
	const char *action = name_in(action_names, sizeof(action_names) / sizeof(*action_names), rule->action);
	char prefix[PREFIX_TEXT];

	text_add(text, "priority %u %sfrom %s", rule->priority, rule->inverted ? "not " : "",
		 rule->source.address.family ? prefix_text(&rule->source, prefix) : "all");
	if (rule->destination.address.family)
		text_add(text, " to %s", prefix_text(&rule->destination, prefix));
	if (rule->incoming[0]) {
		text_add(text, " iif ");
		text_add_shell(text, rule->incoming);
	}
	if (rule->other)
		text_add(text, " %s", rule->other);
	if (rule->action == FR_ACT_TO_TBL && rule->table == RT_TABLE_MAIN)
		text_add(text, " lookup main");
	else if (rule->action == FR_ACT_TO_TBL)
		text_add(text, " lookup %u", rule->table);
	else
		text_add(text, " %s", action ? action : "unknown");
	if (rule->action == FR_ACT_GOTO)
		text_add(text, " %u", rule->table);
	if (rule->suppress_prefixlength >= 0)
		text_add(text, " suppress_prefixlength %d", rule->suppress_prefixlength);
}

void route_add_text(struct text *text, const struct route *route)
{
	const char *type = name_in(type_names, sizeof(type_names) / sizeof(*type_names), route->type);
	uint32_t usual_metric = route->family == AF_INET6 ? ROUTE_METRIC_IPV6 : 0;
	char address[ADDRESS_TEXT], prefix[PREFIX_TEXT], interface[IFNAMSIZ] = "";

	if (type)
		text_add(text, "%s ", type);
	if (route->destination_length)
		text_add(text, "%s/%u", address_text(&route->destination, address), route->destination_length);
	else
		text_add(text, "default");
	if (route->source.address.family)
		text_add(text, " from %s", prefix_text(&route->source, prefix));
	if (route->tos)
		text_add(text, " tos 0x%02x", route->tos);
	if (route->gateway.family)
		text_add(text, " via %s", address_text(&route->gateway, address));
	if (route->interface) {
		if (!route->interface_name[0])
			if_indextoname(route->interface, interface);
		text_add(text, " dev ");
		text_add_shell(text, route->interface_name[0] ? route->interface_name : interface);
	}
	if (route->onlink)
		text_add(text, " onlink");
	text_add(text, " table %u", route->table);
	if (route->metric != usual_metric)
		text_add(text, " metric %u", route->metric);
}

void neighbour_add_interface(struct text *text, const struct neighbour *neighbour)
{
	char interface[IFNAMSIZ] = "";

	if (!neighbour->interface_name[0])
		if_indextoname(neighbour->interface, interface);
	text_add_shell(text, neighbour->interface_name[0] ? neighbour->interface_name : interface);
}

void neighbour_add_text(struct text *text, const struct neighbour *neighbour)
{
	char address[ADDRESS_TEXT], mac[MAC_TEXT];

	text_add(text, "%s lladdr %s dev ", address_text(&neighbour->address, address), mac_text(&neighbour->mac, mac));
	neighbour_add_interface(text, neighbour);
	text_add_string(text, " nud permanent");
}

void rule_free(struct rule *rule)
{
	free(rule->other);
	text_free(&rule->message);
}

void route_free(struct route *route)
{
	free(route->other);
	text_free(&route->message);
}

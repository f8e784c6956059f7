/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/bypass.h"
#include "kernel/rtnetlink.h"
#include "model/marks.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

static bool in_subnets(const struct config *config, const struct prefix *prefix)
{
	const struct subnets *subnets = &config->subnets[family_index(prefix->address.family)];

	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_overlaps(&subnets->prefix[i], prefix))
			return true;
	return false;
}

/* Policy rules */

static bool is_wanted(const struct wanted *wanted, const struct rule *rule)
{
	for (size_t i = 0; i < wanted->rules; i++)
		if (rule_equal(rule, &wanted->rule[i]))
			return true;
	return false;
}

static bool stands_before(const struct present *present, const struct rule *rule, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (rule_equal(&present->rule[i], rule))
			return true;
	return false;
}

/*
 * Whether the rule at @index is asked before the last of ours with this priority: the kernel keeps those of one priority
 * in the order in which they were added, and one of ours that is missing would come last.
 */
static bool is_asked_before(const struct wanted *wanted, const struct present *present, size_t index, uint32_t priority)
{
	const struct rule *rule = &present->rule[index];

	if (rule->priority != priority)
		return rule->priority < priority;
	for (size_t i = 0; i < wanted->rules; i++)
		if (wanted->rule[i].family == rule->family && wanted->rule[i].priority == priority &&
		    !stands_before(present, &wanted->rule[i], index))
			return true;
	return false;
}

/* By the interface that replies to clients come in by. */
static bool is_about_gateway(const struct wanted *wanted, const struct rule *rule)
{
	for (size_t i = 0; i < wanted->routes; i++)
		if (wanted->route[i].family == rule->family && strcmp(wanted->route[i].interface_name, rule->incoming) == 0)
			return true;
	return false;
}

static bool may_match_from(const struct config *config, const struct rule *rule)
{
	if (rule->incoming[0] && !interface_matches(&config->clients, rule->incoming))
		return false;
	return !rule->source.address.family || in_subnets(config, &rule->source);
}

/* From any sender: else each rule for the addresses of another network would be about replies from there. */
static bool may_match_to(const struct config *config, const struct wanted *wanted, const struct rule *rule)
{
	if (rule->incoming[0] && !is_about_gateway(wanted, rule))
		return false;
	if (rule->destination.address.family)
		return in_subnets(config, &rule->destination);
	return rule->incoming[0] && !rule->source.address.family;
}

static bool is_in_our_bits(const struct config *config, const struct rule *rule)
{
	return config_is_mapped(config) && (rule->mask & config->mark_mask) != 0;
}

/* Where clients' packets have marks of several gateways, another's rule may be about them. */
static bool may_have_mark(const struct config *config, const struct rule *rule)
{
	if (rule->local_only && !rule->by_mark_alone)
		return false;
	return is_in_our_bits(config, rule) ? marks_meet(config, rule->mark, rule->mask) : !rule->local_only;
}

static bool may_match(const struct config *config, const struct wanted *wanted, const struct rule *rule)
{
	if (rule->inverted)
		return true;
	return may_have_mark(config, rule) && (may_match_from(config, rule) || may_match_to(config, wanted, rule));
}

/* A target that is not there is passed over; none goes backwards. */
static bool skips_ours(const struct config *config, const struct present *present, const struct rule *rule)
{
	for (size_t i = 0; i < present->rules; i++)
		if (present->rule[i].family == rule->family && present->rule[i].priority == rule->table)
			return rule->table >= config->priority;
	return false;
}

static bool finds_nothing(const struct rule *rule)
{
	return rule->suppress_prefixlength >= (int)(address_size(rule->family) * 8);
}

static bool may_take(const struct config *config, const struct wanted *wanted, const struct present *present, size_t index)
{
	const struct rule *rule = &present->rule[index];

	switch (rule->action) {
	case FR_ACT_NOP:
		return false;
	case FR_ACT_GOTO:
		return skips_ours(config, present, rule);
	case FR_ACT_TO_TBL:
		return rule->table != RT_TABLE_LOCAL && !finds_nothing(rule);
	}
	return is_asked_before(wanted, present, index, config->priority);
}

bool bypass_rule(const struct config *config, const struct wanted *wanted, const struct present *present, size_t index)
{
	const struct rule *rule = &present->rule[index];

	return config_covers(config, family_index(rule->family)) && rule->protocol != ROUTING_PROTOCOL &&
	       !is_wanted(wanted, rule) && is_asked_before(wanted, present, index, config->priority + 1) &&
	       may_match(config, wanted, rule) && may_take(config, wanted, present, index);
}

void bypass_rule_text(struct text *wrong, const struct config *config, const struct rule *rule)
{
	struct text text CLEANUP(text_free) = { 0 };

	rule_add_text(&text, rule);
	if (is_in_our_bits(config, rule) && rule->mark && !rule->inverted) {
		text_add(wrong, "the %s policy rule `%s` uses bits of [gateway] mark_mask, by which our clients' packets are marked for "
			 "their gateways, and comes before ours: only the kill switch drops those that it sends elsewhere; choose "
			 "other bits for it or for mark_mask, or give it a priority above %u",
			 rule->family == AF_INET ? "IPv4" : "IPv6", text_string(&text), config->priority + 1);
		return;
	}
	text_add(wrong, "the %s policy rule `%s` comes before ours: only the kill switch drops the clients' packets that it "
		 "sends elsewhere; give it a priority above %u, or set [gateway] priority below %u",
		 rule->family == AF_INET ? "IPv4" : "IPv6", text_string(&text), config->priority + 1,
		 rule->priority > 1 ? rule->priority - 1 : 1);
}

/* Routes */

struct search {
	const struct config *config;
	const struct wanted *wanted;
	const struct present *present;
	const struct host *host;
	const struct netlink *netlink;
	const struct rule *rule;	/* that looks the table up; NULL for tables local and main */
	struct route *suspect;		/* of this table */
	size_t suspects;
	bool leads;			/* the rule's table leads elsewhere */
};

static struct prefix destination_of(const struct route *route)
{
	return (struct prefix){ .address = route->destination, .length = route->destination_length };
}

/* Into a tunnel or to the gateway is not elsewhere, nor is nowhere. */
static bool leads_elsewhere(const struct search *search, const struct route *route)
{
	char interface[IFNAMSIZ];

	if (route->type != RTN_UNICAST || !config_covers(search->config, family_index(route->family)) ||
	    (route->source.address.family && !in_subnets(search->config, &route->source)))
		return false;
	for (size_t i = 0; i < search->wanted->routes; i++)
		if (route_same_way(route, &search->wanted->route[i]))
			return false;
	return route->indirect || !route->interface ||
	       !netlink_interface_name(search->netlink, route->interface, interface) ||
	       !interface_matches(&search->config->clients, interface) || host_leaves_out(search->host, interface);
}

static bool look_at_local(const struct search *search, const struct route *route)
{
	return route->table == RT_TABLE_LOCAL && leads_elsewhere(search, route) &&
	       !plan_lacks_local(search->config, search->wanted, search->present, family_index(route->family));
}

/* Whether a rule of ours looks @route up in table main: one to the VPN's own addresses. */
static bool is_looked_up(const struct wanted *wanted, const struct route *route)
{
	for (size_t i = 0; i < wanted->rules; i++) {
		const struct rule *rule = &wanted->rule[i];

		if (rule->family == route->family && rule->suppress_prefixlength >= 0 &&
		    route->destination_length > rule->suppress_prefixlength &&
		    prefix_contains(&rule->destination, &route->destination))
			return true;
	}
	return false;
}

static bool look_at_main(const struct search *search, const struct route *route)
{
	return route->table == RT_TABLE_MAIN && is_looked_up(search->wanted, route) && leads_elsewhere(search, route);
}

static void look_at_other(struct search *search, const struct route *route)
{
	struct prefix destination = destination_of(route);

	if (route->family == search->rule->family && route->table == search->rule->table &&
	    route->destination_length > search->rule->suppress_prefixlength &&
	    (!search->rule->destination.address.family || prefix_overlaps(&search->rule->destination, &destination)))
		search->leads = search->leads || leads_elsewhere(search, route);
}

static int take_route(const struct nlmsghdr *message, void *data)
{
	struct search *search = data;
	struct route route;

	if (mnl_nlmsg_get_payload_len(message) > RTNETLINK_OBJECT_SIZE)
		return EBADMSG;
	if (!rtnetlink_parse_route(message, &route))
		return 0;
	if (search->rule)
		look_at_other(search, &route);
	if (search->rule || (!look_at_local(search, &route) && !look_at_main(search, &route))) {
		route_free(&route);
		return 0;
	}
	search->suspect = make_room_for_one(search->suspect, search->suspects, sizeof(*search->suspect));
	search->suspect[search->suspects++] = route;
	return 0;
}

static void forget_suspects(void *data)
{
	struct search *search = data;

	for (size_t i = 0; i < search->suspects; i++)
		route_free(&search->suspect[i]);
	free(search->suspect);
	search->suspect = NULL;
	search->suspects = 0;
	search->leads = false;
}

static int read_table(struct search *search, uint32_t table, struct netlink *route, struct report *report)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error = { 0 };

	/* A table that never had a route does not exist. */
	if (netlink_dump(route, rtnetlink_dump_routes(buffer, table), forget_suspects, take_route, search, &error) == 0 ||
	    error.number == ENOENT)
		return 0;
	return report_error(report, netlink_error_status(&error), "can't read the routes of table %u, which may take clients' "
			    "packets elsewhere: %s", table, netlink_error_text(&error));
}

/* Each IPv6 address of this host has a route in table main, too, which table local comes before. */
static bool is_own_address(const struct route *route, struct netlink *netlink)
{
	return route->destination_length == address_size(route->family) * 8 &&
	       gateway_is_local(netlink, &route->destination);
}

static void note_suspect(struct lines *found, const struct route *route)
{
	struct text text CLEANUP(text_free) = { 0 };

	route_add_text(&text, route);
	lines_add(found, route->table == RT_TABLE_LOCAL ?
		  "the %s route `%s%s%s` (protocol %u) is looked up before our policy rules, since it is in table local: only the "
		  "kill switch drops the clients' packets that it sends elsewhere; move it to table main" :
		  "the %s route `%s%s%s` (protocol %u) leads to clients' addresses, but not into a tunnel: only the kill switch drops "
		  "replies and other packets to clients there; remove it, or don't give these addresses to clients",
		  family_name(family_index(route->family)), text_string(&text), route->other ? " with " : "",
		  route->other ? route->other : "", route->protocol);
}

static int find_routes(struct lines *found, struct search *search, uint32_t table, struct netlink *route,
		       struct report *report)
{
	int result = read_table(search, table, route, report);

	for (size_t i = 0; i < search->suspects; i++)
		if (table == RT_TABLE_LOCAL || !is_own_address(&search->suspect[i], route))
			note_suspect(found, &search->suspect[i]);
	forget_suspects(search);
	return result;
}

static int find_rule(struct lines *found, struct search *search, const struct rule *rule, struct netlink *route,
		     struct report *report)
{
	int result = 0;

	search->rule = rule;
	search->leads = rule->action == FR_ACT_GOTO;
	if (rule->action == FR_ACT_TO_TBL)
		result = read_table(search, rule->table, route, report);
	if (search->leads) {
		struct text text CLEANUP(text_free) = { 0 };

		bypass_rule_text(&text, search->config, rule);
		lines_add(found, "%s", text_string(&text));
	}
	return result;
}

int bypass_find(struct lines *found, const struct config *config, const struct situation *situation,
		struct netlink *route, struct report *report)
{
	const struct present *present = &situation->present;
	struct search search = { .config = config, .wanted = &situation->wanted, .present = present,
				 .host = &situation->host, .netlink = route };
	int result = find_routes(found, &search, RT_TABLE_LOCAL, route, report);

	if (find_routes(found, &search, RT_TABLE_MAIN, route, report) < 0)
		result = -1;
	for (size_t i = 0; i < present->rules; i++)
		if (bypass_rule(config, &situation->wanted, present, i) &&
		    find_rule(found, &search, &present->rule[i], route, report) < 0)
			result = -1;
	return result;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/clients.h"
#include "base/memory.h"
#include "diagnose/others.h"
#include "kernel/rtnetlink.h"
#include "kernel/setting.h"
#include "model/guard.h"
#include "model/marks.h"

#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const have_names[HAVES] = { "direct", "blocked", "gateway", "nothing", "unknown", "leak" };

/* Somewhere on the internet, only looked up. */
static const char *const far_away[FAMILIES] = { [IPV4] = "1.1.1.1", [IPV6] = "2606:4700:4700::1111" };

/* Through which chains a packet is led. */
enum walk_kind { WALK_MARK, WALK_SENT, WALK_ANSWER, WALK_ELSEWHERE, WALK_OURS, WALKS };

#define WALKS_MOST 16	/* of a kind in a family: to read all chains takes its time, and most clients meet the same */

/* What is looked at, and for whom. */
struct look {
	const struct config *config;
	const struct situation *situation;
	struct sockets *sockets;
	const struct ruleset *ruleset;	/* of all nft tables; NULL: can't be read */
	const struct contact *contact;
	int family;
	struct address source, destination;
	char device[IFNAMSIZ];		/* the tunnel; one that nobody has where it is about a client to come */
	struct lot *lot;
	struct walked { unsigned int count; bool dropped; } (*walked)[WALKS];	/* of each exit, and behind these of what has none */

	/* Of several gateways. */
	const struct gateway *only;	/* the one that is asked for; NULL: all */
	const struct gateway *gateway;	/* by which it leaves; NULL where there is one, which all have */
	bool lacks;			/* its address is in no map */
	const char *instead_of;		/* see struct client */
};

static bool is_blocked(const struct look *look)
{
	return look->gateway ? gateway_for(look->config, look->gateway, look->family) == &look->config->block :
			       config_blocks(look->config, look->family);
}

/* Keeps the worst. A family that is to be blocked has nothing by right, whatever the reason. */
static void say(struct look *look, enum have have, const char *format, ...) PRINTF(3, 4);

static void say(struct look *look, enum have have, const char *format, ...)
{
	bool blocked = have == HAVE_NOTHING && is_blocked(look);
	char why[1024];
	va_list args;

	if (blocked)
		have = HAVE_BLOCKED;
	if (have <= look->lot->have)
		return;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	text_free(&look->lot->why);
	look->lot->have = have;
	if (look->gateway && why[0] && !blocked)
		text_add(&look->lot->why, "gateway %s: ", look->gateway->name);
	text_add_string(&look->lot->why, blocked ? "" : why);
}

static const struct exit *exit_of(const struct look *look)
{
	const struct exits *exits = &look->situation->exits;

	return look->gateway ? exits_find(exits, look->gateway, look->family) :
			       exits_default(exits, look->config, look->family);
}

static const struct contact *contact_of(const struct look *look, const struct exit *exit)
{
	return &look->contact[exits_index(&look->situation->exits, exit)];
}

/* IPv4 asks the interface that a packet comes in by, IPv6 the setting for all. */
static bool forwards(int family, const char *interface)
{
	char name[64];

	if (family == IPV6)
		return setting_read("ipv6/conf/all/forwarding") != 0;
	snprintf(name, sizeof(name), "ipv4/conf/%s/forwarding", interface);
	return setting_read(name) != 0;
}

/* @exit is NULL where there is no gateway, and so no answers from there. */
static bool forwarding_is_off(struct look *look, const struct exit *exit)
{
	const char *const interfaces[] = { look->device, exit && exit->interface.index ? exit->interface.name : "" };

	if (setting_read(look->family == IPV4 ? "ipv4/ip_forward" : "ipv6/conf/all/forwarding") == 0) {
		say(look, HAVE_NOTHING, "%s forwarding is off: sysctl -w net.%s=1", family_name(look->family),
		    look->family == IPV4 ? "ipv4.ip_forward" : "ipv6.conf.all.forwarding");
		return true;
	}
	for (size_t i = 0; i < 2; i++) {
		if (!interfaces[i][0] || forwards(look->family, interfaces[i]))
			continue;
		say(look, HAVE_NOTHING, "%s forwarding is off on %s: sysctl -w net.ipv4.conf.%s.forwarding=1",
		    family_name(look->family), interfaces[i], interfaces[i]);
		return true;
	}
	return false;
}

static struct walked *walked_of(const struct look *look, enum walk_kind kind)
{
	const struct exits *exits = &look->situation->exits;
	const struct exit *exit = exit_of(look);

	return &look->walked[exit ? exits_index(exits, exit) : exits->count][kind];
}

/* Whether nft rules of others surely drop a packet; with WALK_OURS, those of our table too. */
static bool is_dropped(struct look *look, const struct packet *packet, enum walk_kind kind, struct text *by)
{
	const struct roads roads = { &look->sockets->route, &look->situation->present };
	struct walked *walked = walked_of(look, kind);

	if (walked->count++ < WALKS_MOST)
		walked->dropped = others_drops(look->config, look->ruleset, &roads, packet, kind == WALK_OURS, by);
	return walked->dropped;
}

/* Of several gateways. */
static bool is_marked_by_others(struct look *look, const struct packet *packet, struct text *by)
{
	const struct roads roads = { &look->sockets->route, &look->situation->present };
	struct walked *walked = walked_of(look, WALK_MARK);
	struct packet marked = *packet;

	if (!look->gateway)
		return false;
	marked.mark = marked.flow_mark = mark_of(look->config, look->gateway);
	if (walked->count++ < WALKS_MOST)
		walked->dropped = others_marks(look->config, look->ruleset, &roads, &marked, by);
	return walked->dropped;
}

#define REPAIR "run ocserv-gateway up"
#define INSTEAD "in place of %s, by an altered entry of the kill switch: " REPAIR

/* What stands between clients and a gateway to which routing leads them. */
static void look_beyond_routing(struct look *look, const struct exit *exit)
{
	struct packet packet, answer;
	const struct contact *contact = contact_of(look, exit);
	struct text by CLEANUP(text_free) = { 0 };

	if (forwarding_is_off(look, exit))
		return;
	others_make_packet(&packet, &look->source, look->device, &look->destination, exit->interface.name, &exit->nexthop);
	others_make_answer(&answer, &packet, gateway_masquerades(exit->gateway, exit->family));
	if (is_marked_by_others(look, &packet, &by) || is_dropped(look, &packet, WALK_SENT, &by) ||
	    is_dropped(look, &answer, WALK_ANSWER, &by))
		say(look, HAVE_NOTHING, "%s", text_string(&by));
	else if (!contact->there)
		say(look, HAVE_NOTHING, "%s %s", exit->text, contact->why);
	else if (look->instead_of)
		say(look, HAVE_LEAK, INSTEAD, look->instead_of);
	else
		say(look, HAVE_GATEWAY, "%s", "");
}

static void look_to_gateway(struct look *look, const struct exit *exit)
{
	if (gateway_masquerades(exit->gateway, exit->family) && !look->situation->present.guard.exists)
		say(look, HAVE_NOTHING, "the kill switch is missing, which gives them this host's address: " REPAIR);
	else
		look_beyond_routing(look, exit);
}

/* Routing leads them past the gateway: what is there to stop them? */
static void look_for_stop(struct look *look, const char *interface)
{
	struct text by CLEANUP(text_free) = { 0 };
	const struct address unknown = { 0 };
	struct packet packet;

	others_make_packet(&packet, &look->source, look->device, &look->destination, interface, &unknown);
	if (look->situation->plan.intact_guard)
		say(look, HAVE_NOTHING, "routing leads to %s, where the kill switch drops them: " REPAIR, interface);
	else if (is_dropped(look, &packet, WALK_ELSEWHERE, &by))
		say(look, HAVE_NOTHING, "%s", text_string(&by));
	else if (is_dropped(look, &packet, WALK_OURS, &by))
		say(look, HAVE_NOTHING, "routing leads to %s, where what is left of the kill switch drops them: " REPAIR, interface);
	else
		say(look, HAVE_LEAK, "via %s: %s", interface, look->config->log_dry_run ?
		    "[log] dry_run = yes, so that hooks install nothing" : REPAIR);
}

static void look_elsewhere(struct look *look, const struct route *route, const struct exit *exit)
{
	char interface[IFNAMSIZ] = "?";

	if (!netlink_interface_name(&look->sockets->route, route->interface, interface))
		snprintf(interface, sizeof(interface), "?");
	if (!forwarding_is_off(look, exit))
		look_for_stop(look, interface);
}

/* Where there is no route at all. */
static void look_nowhere(struct look *look, const struct exit *exit)
{
	const struct situation *situation = look->situation;

	if (exit && exit_is_link(exit) && !contact_of(look, exit)->there)
		say(look, HAVE_NOTHING, "%s %s", exit->text, contact_of(look, exit)->why);
	else if (exit && exit_is_link(exit) && !exit->interface.index)
		say(look, HAVE_NOTHING, "%s is not there", exit->text);
	else if (exit && !exit->interface.index)
		say(look, HAVE_NOTHING, "there is no route to %s", exit->text);
	else if (forwarding_is_off(look, exit))
		return;
	else if (situation->plan.wrong[LAYER_ROUTING])
		say(look, HAVE_NOTHING, "policy rules and route are not complete: " REPAIR);
	else
		say(look, HAVE_NOTHING, "a policy rule or route of others stops them: ip rule");
}

/* Where the kernel has no route to the gateway any more, our route to it may be there still. */
static bool leads_to(const struct route *route, const struct exit *exit)
{
	bool moved = exit && !exit_is_link(exit) && !exit->interface.index;

	return exit && (route->interface == exit->interface.index || moved) && address_equal(&route->gateway, &exit->nexthop);
}

/* Of several gateways; else all packets are alike. */
static bool is_unmarked(const struct look *look)
{
	return look->gateway && (look->lacks || !look->situation->present.guard.exists);
}

static void look_unmarked(struct look *look)
{
	say(look, HAVE_NOTHING, look->situation->present.guard.exists ?
	    "the kill switch has no entry for the address of one of them, and drops what it sends: " REPAIR :
	    "the kill switch is missing, which tells for which gateway their packets are: " REPAIR);
}

static bool is_direct(const struct look *look)
{
	return look->gateway && !is_unmarked(look) &&
	       gateway_for(look->config, look->gateway, look->family) == &look->config->direct;
}

static void look_direct(struct look *look)
{
	if (look->instead_of)
		say(look, HAVE_LEAK, INSTEAD, look->instead_of);
	else
		forwarding_is_off(look, NULL);
}

static void look_for_way(struct look *look)
{
	const struct exit *exit = exit_of(look);
	uint32_t mark = !look->gateway || is_unmarked(look) ? 0 :
			mark_of(look->config, gateway_for(look->config, look->gateway, look->family));
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;
	struct route route = { 0 };

	/* Zero where it is an error. */
	netlink_request(&look->sockets->route,
			rtnetlink_get_client_route(buffer, &look->source, &look->destination, if_nametoindex(look->device), mark),
			rtnetlink_take_route, &route, &error);
	if (route.type != RTN_UNICAST && is_unmarked(look))
		look_unmarked(look);
	else if (route.type != RTN_UNICAST)
		look_nowhere(look, exit);
	else if (is_direct(look))
		look_direct(look);
	else if (leads_to(&route, exit))
		look_to_gateway(look, exit);
	else
		look_elsewhere(look, &route, exit);
	route_free(&route);
}

void client_make(struct client *client, const struct config *config)
{
	*client = (struct client){ 0 };
	for (int family = 0; family < FAMILIES; family++)
		if (config->subnets[family].count)
			client->address[family] = config->subnets[family].prefix[0].address;
	if (config->clients.wildcard)
		snprintf(client->device, IFNAMSIZ, "%.12s999", config->clients.name);
	else
		snprintf(client->device, IFNAMSIZ, "%s", config->clients.name);
}

void client_place(struct client *client, const struct config *config, const struct departure *departure)
{
	client->gateway = config_gateway_named(config, departure->now);
	client->instead_of = departure->moves && !departure->recorded ? departure->next->name : NULL;
	memcpy(client->lacks, departure->lacks, sizeof(client->lacks));
}

void client_take(struct client *client, const char *ip4, const char *ip6, const char *device)
{
	const char *const text[FAMILIES] = { [IPV4] = ip4, [IPV6] = ip6 };

	*client = (struct client){ 0 };
	for (int family = 0; family < FAMILIES; family++)
		if (!address_parse_unscoped(&client->address[family], text[family]) ||
		    client->address[family].family != family_of(family))
			client->address[family] = (struct address){ 0 };
	snprintf(client->device, sizeof(client->device), "%s", device);
}

static void take_client(struct look *look, const struct client *client)
{
	look->source = client->address[look->family];
	snprintf(look->device, sizeof(look->device), "%s", client->device);
	look->gateway = client->gateway;
	look->lacks = client->lacks[look->family];
	look->instead_of = client->instead_of;
}

/* A connect would make right what is ours, unless something is in its way. */
static void look_ahead_by(struct look *look, const struct gateway *gateway)
{
	const struct situation *situation = look->situation;
	const struct exit *exit;
	struct client client;

	client_make(&client, look->config);
	client.gateway = gateway;
	take_client(look, &client);
	exit = exit_of(look);
	if (look->config->log_dry_run && !situation->plan.anything_present)
		say(look, HAVE_LEAK, "via this host's own route: [log] dry_run = yes, so that hooks install nothing");
	else if (situation->plan.conflicts)
		say(look, HAVE_NOTHING, "sessions are refused: see the problems");
	else if (!exit || !exit->interface.index)
		look_nowhere(look, exit);
	else
		look_beyond_routing(look, exit);
}

/* Of several gateways: one that is not there is of its own clients alone, so the best is told. */
static void look_ahead_by_all(struct look *look)
{
	const struct exits *exits = &look->situation->exits;
	struct lot *lot = look->lot;
	bool first = true;

	for (unsigned int i = 0; i < exits->count; i++) {
		struct lot one = { .have = HAVE_DIRECT };

		if (exits->exit[i].family != look->family)
			continue;
		look->lot = &one;
		look_ahead_by(look, exits->exit[i].gateway);
		if (first || one.have < lot->have) {
			text_free(&lot->why);
			*lot = one;
		} else {
			text_free(&one.why);
		}
		first = false;
	}
	look->lot = lot;
	if (first && is_blocked(look))
		say(look, HAVE_BLOCKED, "%s", "");
}

static void look_ahead(struct look *look)
{
	look->gateway = NULL;
	if (config_is_mapped(look->config) && !look->only)
		look_ahead_by_all(look);
	else
		look_ahead_by(look, look->only);
}

/* Of several gateways each client is counted. */
static void look_at_client(struct look *look)
{
	struct lot *lot = look->lot, one = { .have = HAVE_DIRECT };

	if (!config_is_mapped(look->config)) {
		look_for_way(look);
		return;
	}
	look->lot = &one;
	if (look->gateway)
		look_for_way(look);
	else
		say(look, HAVE_UNKNOWN, "%s", "");
	look->lot = lot;
	lot->looked_at++;
	lot->without += one.have == HAVE_NOTHING;
	look->gateway = NULL;
	if (one.have > lot->have) {
		text_free(&lot->why);
		lot->have = one.have;
		lot->why = one.why;
	} else {
		text_free(&one.why);
	}
}

static void look_at_clients(struct look *look, const struct client *client, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		take_client(look, &client[i]);
		/* A blocked family without addresses of clients has packets of forged ones alone. */
		if (look->source.family && if_nametoindex(look->device))
			look_at_client(look);
	}
	if (look->lot->have == HAVE_DIRECT && !look->lot->looked_at)
		look_ahead(look);
}

static void look_at_family(struct look *look, const struct client *client, size_t count)
{
	address_parse(&look->destination, far_away[look->family]);
	if (!look->situation->planned || !look->ruleset)
		say(look, HAVE_UNKNOWN, "%s", "");
	else if (!config_covers(look->config, look->family))
		return;	/* HAVE_DIRECT */
	else if (count)
		look_at_clients(look, client, count);
	else
		look_ahead(look);
}

static void look_at_all(struct clients *clients, const struct look *wanted, const struct client *client, size_t count)
{
	const struct config *config = wanted->config;
	const struct situation *situation = wanted->situation;
	struct report unread = { 0 };
	struct ruleset ruleset;
	bool read;

	*clients = (struct clients){ .connected = count > 0, .mapped = config_is_mapped(config) };
	read = others_read(&ruleset, &wanted->sockets->nft, &unread) == 0;
	for (int family = 0; family < FAMILIES; family++) {
		struct look look = *wanted;

		look.ruleset = read ? &ruleset : NULL;
		look.family = family;
		look.lot = &clients->lot[family];
		look.walked = allocate(situation->exits.count + 1, sizeof(*look.walked));
		look_at_family(&look, client, count);
		free(look.walked);
	}
	ruleset_free(&ruleset);
	report_free(&unread);
}

void clients_look(struct clients *clients, const struct config *config, const struct situation *situation,
		  const struct client *client, size_t count, const struct contact *contact,
		  struct sockets *sockets)
{
	const struct look look = { .config = config, .situation = situation, .contact = contact, .sockets = sockets };

	look_at_all(clients, &look, client, count);
}

void clients_expect(struct clients *clients, const struct config *config, const struct situation *situation,
		    const struct gateway *gateway, const struct contact *contact, struct sockets *sockets)
{
	const struct look look = {
		.config = config, .situation = situation, .contact = contact, .sockets = sockets, .only = gateway,
	};

	look_at_all(clients, &look, NULL, 0);
}

void clients_free(struct clients *clients)
{
	for (int family = 0; family < FAMILIES; family++)
		text_free(&clients->lot[family].why);
}

enum have clients_worst(const struct clients *clients)
{
	enum have one = clients->lot[IPV4].have, other = clients->lot[IPV6].have;

	return one > other ? one : other;
}

/* What there is to say of a family; a blocked one beside a gateway goes without saying. */
static bool is_told(const struct clients *clients, int family)
{
	return clients->lot[family].have != HAVE_BLOCKED || clients->lot[!family].have == HAVE_BLOCKED;
}

static bool is_same(const struct clients *clients)
{
	const struct lot *one = &clients->lot[IPV4], *other = &clients->lot[IPV6];

	return one->have == other->have && text_equal(&one->why, &other->why) &&
	       (one->without < one->looked_at) == (other->without < other->looked_at) &&
	       (one->without == one->looked_at || one->without == other->without);
}

static void add_lot(struct text *text, const struct clients *clients, int family)
{
	const struct lot *lot = &clients->lot[family];

	switch (lot->have) {
	case HAVE_DIRECT:
		text_add_string(text, "leave via this host's own route");
		break;
	case HAVE_BLOCKED:
		text_add_string(text, "have no internet: blocked");
		break;
	case HAVE_GATEWAY:
		text_add_string(text, clients->mapped ? "reach their gateways" : "reach the gateway");
		break;
	case HAVE_NOTHING:
		if (lot->without < lot->looked_at)
			text_add(text, "%zu of %zu ", lot->without, lot->looked_at);
		text_add(text, "%s NO internet: %s%s", lot->without == 1 && lot->looked_at > 1 ? "has" : "have",
			 text_string(&lot->why), clients->connected ? "; nothing leaks" : "");
		break;
	case HAVE_UNKNOWN:
		text_add_string(text, "have an unknown state: see the problems");
		break;
	case HAVE_LEAK:
	case HAVES:
		text_add(text, "LEAK %s", text_string(&lot->why));
		break;
	}
}

static void add_family(struct text *text, const struct clients *clients, int family, bool both)
{
	if (!clients->connected)
		text_add(text, both ? "with %s they would " : "they would ", family_name(family));
	else if (both)
		text_add(text, "%s: ", family_name(family));
	add_lot(text, clients, family);
}

void clients_add_text(struct text *text, const struct clients *clients)
{
	bool first = is_told(clients, IPV4), second = is_told(clients, IPV6) && !(first && is_same(clients));

	if (!clients->connected)
		text_add_string(text, "nobody is connected; ");
	if (first)
		add_family(text, clients, IPV4, second);
	if (second)
		text_add_string(text, first ? "; " : "");
	if (second)
		add_family(text, clients, IPV6, first);
}

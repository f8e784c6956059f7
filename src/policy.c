/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy.h"

#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Policy routing, for each governed family and subnet:
 *
 *   PRIORITY - 1: to SUBNET lookup main suppress_prefixlength N	the VPN's own addresses
 *   PRIORITY:     from SUBNET lookup TABLE				with a gateway
 *   PRIORITY + 1: from SUBNET prohibit					nothing falls through
 *   PRIORITY + 1: to SUBNET blackhole					nor to an address without a client
 *
 * and behind these, with forward_others = no, once for each family:
 *
 *   PRIORITY + 1: not iif lo blackhole					nor from anybody else
 *
 * N is the length of SUBNET: ocserv gives each client a longer route, and a shorter one, be it a half of
 * the default, goes elsewhere. Blackholes are silent, since an error would go to the sender by the main route.
 * What is for this host itself finds table local first, and what it sends comes in by lo.
 */

static struct rule *add_rule(struct policy *policy, uint8_t family, uint32_t priority)
{
	policy->rule = make_room_for_one(policy->rule, policy->rules, sizeof(*policy->rule));
	policy->rule[policy->rules] = (struct rule){
		.family = family,
		.priority = priority,
		.suppress_prefixlength = -1,
		.protocol = ROUTING_PROTOCOL,
	};
	return &policy->rule[policy->rules++];
}

static void add_local_rule(struct policy *policy, const struct config *config, const struct prefix *subnet)
{
	struct rule *rule = add_rule(policy, subnet->address.family, config->priority - 1);

	rule->destination = *subnet;
	rule->action = FR_ACT_TO_TBL;
	rule->table = RT_TABLE_MAIN;
	rule->suppress_prefixlength = subnet->length;
	/* A subnet of a single address has no longer route than itself. */
	if (subnet->length == address_size(subnet->address.family) * 8)
		rule->suppress_prefixlength--;
}

static void add_gateway_rule(struct policy *policy, const struct config *config, const struct prefix *subnet)
{
	struct rule *rule = add_rule(policy, subnet->address.family, config->priority);

	rule->source = *subnet;
	rule->action = FR_ACT_TO_TBL;
	rule->table = config->table;
}

static void add_stop_rules(struct policy *policy, const struct config *config, const struct prefix *subnet,
			   bool silent)
{
	struct rule *rule = add_rule(policy, subnet->address.family, config->priority + 1);

	rule->source = *subnet;
	rule->action = silent ? FR_ACT_BLACKHOLE : FR_ACT_PROHIBIT;

	rule = add_rule(policy, subnet->address.family, config->priority + 1);
	rule->destination = *subnet;
	rule->action = FR_ACT_BLACKHOLE;
}

static void add_others_rule(struct policy *policy, const struct config *config, int family)
{
	struct rule *rule = add_rule(policy, family_of(family), config->priority + 1);

	memcpy(rule->incoming, "lo", sizeof("lo"));
	rule->inverted = true;
	rule->action = FR_ACT_BLACKHOLE;
}

static void add_rules(struct policy *policy, const struct config *config, int family)
{
	const struct subnets *subnets = &config->subnets[family];
	bool blocked = config->gateway[family].mode == GATEWAY_BLOCK;

	for (unsigned int i = 0; i < subnets->count; i++)
		add_local_rule(policy, config, &subnets->prefix[i]);
	for (unsigned int i = 0; i < subnets->count; i++)
		add_stop_rules(policy, config, &subnets->prefix[i], blocked && config->blocked == BLOCKED_DROP);
	if (!config->forward_others)
		add_others_rule(policy, config, family);
	for (unsigned int i = 0; i < subnets->count && !blocked; i++)
		add_gateway_rule(policy, config, &subnets->prefix[i]);
}

static void add_route(struct policy *policy, const struct config *config, int family, const struct gateway_path *path)
{
	struct route *route;

	policy->route = make_room_for_one(policy->route, policy->routes, sizeof(*policy->route));
	route = &policy->route[policy->routes++];
	*route = (struct route){
		.family = family_of(family),
		.table = config->table,
		.destination.family = family_of(family),
		.gateway = config->gateway[family].address,
		.interface = path->interface,
		.metric = family == IPV6 ? ROUTE_METRIC_IPV6 : 0,
		.type = RTN_UNICAST,
		.protocol = ROUTING_PROTOCOL,
	};
	/* Adding an IPv6 route, the kernel asks the rules for its gateway as if that were somebody else's packet. */
	route->onlink = family == IPV6 && !config->forward_others;
	memcpy(route->interface_name, path->interface_name, sizeof(route->interface_name));
}

static void add_neighbour(struct policy *policy, const struct config *config, int family, const struct gateway_path *path)
{
	struct neighbour *neighbour = &policy->neighbour[policy->neighbours++];

	*neighbour = (struct neighbour){
		.address = config->gateway[family].address,
		.interface = path->interface,
		.mac = config->mac[family],
		.protocol = ROUTING_PROTOCOL,
		.state = NUD_PERMANENT,
	};
	memcpy(neighbour->interface_name, path->interface_name, sizeof(neighbour->interface_name));
}

static struct interface_pattern exact(const char *name)
{
	struct interface_pattern pattern = { .wildcard = false };

	snprintf(pattern.name, sizeof(pattern.name), "%s", name);
	return pattern;
}

static void match_interface(struct guard_rule *rule, enum guard_match_kind kind, struct interface_pattern interface)
{
	guard_add_match(rule, kind)->interface = interface;
}

static void match_source(struct guard_rule *rule, const struct prefix *prefix, bool negated)
{
	struct guard_match *match = guard_add_match(rule, MATCH_SADDR);

	match->prefix = *prefix;
	match->negated = negated;
}

/* Where one family alone is governed, rules for both are confined to it. */
static void match_governed(struct guard_rule *rule, const struct config *config)
{
	if (!config_governs(config, IPV4))
		guard_add_match(rule, MATCH_FAMILY)->family = AF_INET6;
	else if (!config_governs(config, IPV6))
		guard_add_match(rule, MATCH_FAMILY)->family = AF_INET;
}

/* Whether clients of a family leave with an address of this host. */
static bool masquerades(const struct config *config, int family)
{
	return config->masquerade && config->gateway[family].mode == GATEWAY_ADDRESS;
}

static struct guard_rule *add_counted(struct guard_chain *chain, enum guard_verdict verdict)
{
	struct guard_rule *rule = guard_add_rule(chain);

	rule->counter = true;
	rule->verdict = verdict;
	return rule;
}

#define COMMENT(rule, ...) snprintf((rule)->comment, sizeof((rule)->comment), __VA_ARGS__)

/*
 * Sources are checked before routing, and before fragments are put together, which the kernel may answer:
 *   iifname "vpns*" ip hdrlength > 5 counter drop
 *   iifname "vpns*" ip saddr != 10.20.0.0/24 counter drop
 *   iifname "vpns*" fib saddr . iif oif missing counter drop
 * A family that is blocked and has no subnet gets:
 *   iifname "vpns*" meta nfproto ipv6 counter drop
 */
static void fill_prerouting(struct guard_chain *chain, const struct config *config)
{
	struct guard_rule *rule;

	if (config_governs(config, IPV4)) {
		rule = add_counted(chain, VERDICT_DROP);
		match_interface(rule, MATCH_IIFNAME, config->clients);
		guard_add_match(rule, MATCH_IP_OPTIONS);
		COMMENT(rule, "IPv4 from a client with options, such as a source route: dropped");
	}
	for (int family = 0; family < FAMILIES; family++) {
		const struct subnets *subnets = &config->subnets[family];

		if (!config_governs(config, family))
			continue;
		rule = add_counted(chain, VERDICT_DROP);
		match_interface(rule, MATCH_IIFNAME, config->clients);
		for (unsigned int i = 0; i < subnets->count; i++)
			match_source(rule, &subnets->prefix[i], true);
		if (subnets->count == 0) {
			guard_add_match(rule, MATCH_FAMILY)->family = family_of(family);
			COMMENT(rule, "%s from a client, which has none: dropped", family_name(family));
		} else {
			COMMENT(rule, "%s from a client with a source outside its subnet: dropped",
				family_name(family));
		}
	}
	rule = add_counted(chain, VERDICT_DROP);
	match_interface(rule, MATCH_IIFNAME, config->clients);
	match_governed(rule, config);
	guard_add_match(rule, MATCH_NO_WAY_BACK);
	COMMENT(rule, "from a client with an address of another client, or of none: dropped");
}

/*
 *   iifname "vpns*" goto from_client
 *   ip saddr 10.20.0.0/24 counter drop
 *   oifname "vpns*" ct state established,related counter accept
 *   oifname "vpns*" counter drop
 */
static void fill_forward(struct guard_chain *chain, const struct config *config)
{
	struct guard_rule *rule;

	rule = guard_add_rule(chain);
	rule->verdict = VERDICT_GOTO;
	rule->chain = "from_client";
	match_interface(rule, MATCH_IIFNAME, config->clients);
	match_governed(rule, config);
	COMMENT(rule, "from a client: leaves only as from_client allows");

	for (int family = 0; family < FAMILIES; family++) {
		const struct subnets *subnets = &config->subnets[family];

		for (unsigned int i = 0; config_governs(config, family) && i < subnets->count; i++) {
			rule = add_counted(chain, VERDICT_DROP);
			match_source(rule, &subnets->prefix[i], false);
			COMMENT(rule, "client address of %s, but not from a tunnel: dropped", subnets->text[i]);
		}
	}

	if (config->inbound == INBOUND_ANY) {
		rule = add_counted(chain, VERDICT_ACCEPT);
		match_interface(rule, MATCH_OIFNAME, config->clients);
		match_governed(rule, config);
		COMMENT(rule, "to a client, inbound = any: let through");
		return;
	}
	rule = add_counted(chain, VERDICT_ACCEPT);
	match_interface(rule, MATCH_OIFNAME, config->clients);
	match_governed(rule, config);
	guard_add_match(rule, MATCH_CT_STATE)->ct_states = CT_ESTABLISHED | CT_RELATED;
	COMMENT(rule, "replies to a client: let through");

	rule = add_counted(chain, VERDICT_DROP);
	match_interface(rule, MATCH_OIFNAME, config->clients);
	match_governed(rule, config);
	COMMENT(rule, "new connection to a client from elsewhere: dropped");
}

/*
 * An allow-list:
 *   oifname "vpns*" counter accept
 *   oifname "eth0" rt ip nexthop 172.28.0.2 counter accept
 *   meta nfproto ipv6 counter reject with icmpv6 admin-prohibited
 *   counter drop
 */
static void fill_from_client(struct guard_chain *chain, const struct config *config, const struct gateway_path *path)
{
	struct guard_rule *rule;
	char text[ADDRESS_TEXT];

	if (config->client_to_client) {
		rule = add_counted(chain, VERDICT_ACCEPT);
		match_interface(rule, MATCH_OIFNAME, config->clients);
		COMMENT(rule, "client to client: let through");
	}
	for (int family = 0; family < FAMILIES; family++) {
		if (config->gateway[family].mode != GATEWAY_ADDRESS)
			continue;
		rule = add_counted(chain, VERDICT_ACCEPT);
		match_interface(rule, MATCH_OIFNAME, exact(path[family].interface_name));
		guard_add_match(rule, MATCH_NEXTHOP)->nexthop = config->gateway[family].address;
		COMMENT(rule, "%s to the gateway %s: let through", family_name(family),
			address_text(&config->gateway[family].address, text));
	}
	for (int family = 0; family < FAMILIES && config->blocked == BLOCKED_REJECT; family++) {
		if (config->gateway[family].mode != GATEWAY_BLOCK)
			continue;
		rule = add_counted(chain, VERDICT_REJECT);
		rule->reject_family = family_of(family);
		guard_add_match(rule, MATCH_FAMILY)->family = family_of(family);
		COMMENT(rule, "%s of a client, which has no gateway: rejected", family_name(family));
	}
	rule = add_counted(chain, VERDICT_DROP);
	COMMENT(rule, "from a client by any other way: dropped");
}

/* ip daddr 10.20.0.0/24 counter drop */
static void drop_to(struct guard_chain *chain, const struct subnets *subnets, unsigned int i)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);

	guard_add_match(rule, MATCH_DADDR)->prefix = subnets->prefix[i];
	COMMENT(rule, "to an address of %s that no client has: dropped", subnets->text[i]);
}

/* ip saddr 10.20.0.0/24 oifname "eth0" rt ip nexthop 172.28.0.2 counter accept */
static void accept_to_gateway(struct guard_chain *chain, const struct subnets *subnets, unsigned int i,
			      const struct gateway *gateway, const struct gateway_path *path)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_ACCEPT);
	char text[ADDRESS_TEXT];

	match_source(rule, &subnets->prefix[i], false);
	match_interface(rule, MATCH_OIFNAME, exact(path->interface_name));
	guard_add_match(rule, MATCH_NEXTHOP)->nexthop = gateway->address;
	COMMENT(rule, "from %s to the gateway %s: let through", subnets->text[i],
		address_text(&gateway->address, text));
}

/* ip saddr 10.20.0.0/24 counter drop */
static void drop_from(struct guard_chain *chain, const struct subnets *subnets, unsigned int i)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);

	match_source(rule, &subnets->prefix[i], false);
	COMMENT(rule, "from an address of %s by any other way: dropped", subnets->text[i]);
}

/* icmp type != echo-reply icmp type != echo-request @th,192,24 0xa1400 counter drop */
static void drop_errors_about(struct guard_chain *chain, const struct subnets *subnets, unsigned int i)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);

	guard_add_match(rule, MATCH_ICMP_ERROR)->family = subnets->prefix[i].address.family;
	guard_add_match(rule, MATCH_QUOTED_DADDR)->prefix = subnets->prefix[i];
	COMMENT(rule, "an ICMP error about a packet to a client of %s: dropped", subnets->text[i]);
}

static void fill_leaving_family(struct guard_chain *chain, const struct config *config, int family,
				const struct gateway_path *path)
{
	const struct subnets *subnets = &config->subnets[family];
	const struct gateway *gateway = &config->gateway[family];

	for (unsigned int i = 0; i < subnets->count; i++)
		drop_to(chain, subnets, i);
	for (unsigned int i = 0; i < subnets->count; i++) {
		if (gateway->mode == GATEWAY_ADDRESS)
			accept_to_gateway(chain, subnets, i, gateway, path);
		drop_from(chain, subnets, i);
	}
	for (unsigned int i = 0; i < subnets->count; i++)
		drop_errors_about(chain, subnets, i);
}

static void drop_icmp(struct guard_chain *chain, uint8_t family, uint8_t type, uint8_t code, const char *what)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);
	struct guard_match *match = guard_add_match(rule, MATCH_ICMP);

	match->icmp.family = family;
	match->icmp.type = type;
	match->icmp.code = code;
	COMMENT(rule, "an ICMP%s error, which may be about a reply to a client, %s: dropped",
		family == AF_INET ? "" : "v6", what);
}

/*
 * What leaves, forwarded or sent by this host itself, with the interface and the route that it takes at last,
 * and with clients' own addresses:
 *   oifname "vpns*" accept
 *   oifname "lo" accept
 *   ip daddr 10.20.0.0/24 counter drop
 *   ip saddr 10.20.0.0/24 oifname "eth0" rt ip nexthop 172.28.0.2 counter accept
 *   ip saddr 10.20.0.0/24 counter drop
 *   icmp type != echo-reply icmp type != echo-request @th,192,24 0xa1400 counter drop
 * An ICMP error about a packet to a client would tell its far end where this host is. The kernel answers wrong
 * hop-by-hop options before any rule sees the packet, and what is wrong with a reply before its address is a
 * client's again:
 *   icmpv6 type parameter-problem @th,112,8 0x0 counter drop
 *   icmp type 3 icmp code 2 counter drop
 *   icmp type 11 icmp code 1 counter drop
 */
static void fill_leaving(struct guard_chain *chain, const struct config *config, const struct gateway_path *path)
{
	struct guard_rule *rule = guard_add_rule(chain);

	rule->verdict = VERDICT_ACCEPT;
	match_interface(rule, MATCH_OIFNAME, config->clients);
	COMMENT(rule, "into a tunnel: let through");
	rule = guard_add_rule(chain);
	rule->verdict = VERDICT_ACCEPT;
	match_interface(rule, MATCH_OIFNAME, exact("lo"));
	COMMENT(rule, "to this host itself: let through");

	for (int family = 0; family < FAMILIES; family++)
		if (config_governs(config, family))
			fill_leaving_family(chain, config, family, &path[family]);
	if (config_governs(config, IPV6)) {
		rule = add_counted(chain, VERDICT_DROP);
		guard_add_match(rule, MATCH_QUOTED_HOPBYHOP);
		COMMENT(rule, "an ICMPv6 error about hop-by-hop options: dropped");
	}
	if (masquerades(config, IPV4)) {
		drop_icmp(chain, AF_INET, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, "unknown protocol");
		drop_icmp(chain, AF_INET, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, "fragment missing");
	}
	if (masquerades(config, IPV6)) {
		drop_icmp(chain, AF_INET6, ICMP6_PARAM_PROB, ICMP6_PARAMPROB_NEXTHEADER, "unknown protocol");
		drop_icmp(chain, AF_INET6, ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_REASSEMBLY, "fragment missing");
	}
}

/* iifname "vpns*" udp dport 53 counter reject with icmpx admin-prohibited */
static void reject_dns(struct guard_chain *chain, const struct config *config)
{
	static const struct { uint8_t protocol; uint16_t port; } dns[] = {
		{ IPPROTO_UDP, 53 }, { IPPROTO_TCP, 53 }, { IPPROTO_TCP, 853 }, { IPPROTO_UDP, 853 },
	};

	for (size_t i = 0; i < sizeof(dns) / sizeof(*dns); i++) {
		struct guard_rule *rule = add_counted(chain, VERDICT_REJECT);
		struct guard_match *match;

		match_interface(rule, MATCH_IIFNAME, config->clients);
		match_governed(rule, config);
		match = guard_add_match(rule, MATCH_DPORT);
		match->protocol = dns[i].protocol;
		match->port = dns[i].port;
		COMMENT(rule, "a client's question to a DNS server on this host, %s port %u: rejected",
			dns[i].protocol == IPPROTO_TCP ? "TCP" : "UDP", dns[i].port);
	}
}

/*
 * Replies to clients come to this host's address, and where the kernel has forgotten the flow, or its check of
 * TCP's window fails, they are taken for this host's own:
 *   iifname "eth0" meta nfproto ipv4 ct state invalid,new goto from_gateway
 */
static void fill_input(struct guard_chain *chain, const struct config *config, const struct gateway_path *path)
{
	if (config->dns == DNS_BLOCK)
		reject_dns(chain, config);
	for (int family = 0; family < FAMILIES; family++) {
		struct guard_rule *rule;

		if (!masquerades(config, family))
			continue;
		rule = guard_add_rule(chain);
		rule->verdict = VERDICT_GOTO;
		rule->chain = "from_gateway";
		match_interface(rule, MATCH_IIFNAME, exact(path[family].interface_name));
		guard_add_match(rule, MATCH_FAMILY)->family = family_of(family);
		guard_add_match(rule, MATCH_CT_STATE)->ct_states = CT_INVALID | CT_NEW;
		COMMENT(rule, "%s by the gateway's interface, of no known flow: see from_gateway",
			family_name(family));
	}
}

/*
 * No answer to what no program here waits for, since it would go by the main route:
 *   socket transparent <= 1 accept
 *   meta l4proto tcp counter drop
 *   meta l4proto udp counter drop
 */
static void fill_from_gateway(struct guard_chain *chain)
{
	struct guard_rule *rule = guard_add_rule(chain);

	rule->verdict = VERDICT_ACCEPT;
	guard_add_match(rule, MATCH_SOCKET);
	COMMENT(rule, "for a program of this host: let through");
	for (size_t i = 0; i < 2; i++) {
		rule = add_counted(chain, VERDICT_DROP);
		guard_add_match(rule, MATCH_L4PROTO)->protocol = i == 0 ? IPPROTO_TCP : IPPROTO_UDP;
		COMMENT(rule, "%s for nobody here, may be a reply to a client that has gone: dropped",
			i == 0 ? "TCP" : "UDP");
	}
}

/* ip saddr 10.20.0.0/24 oifname "eth0" counter masquerade */
static void fill_postrouting(struct guard_chain *chain, const struct config *config, const struct gateway_path *path)
{

	for (int family = 0; family < FAMILIES; family++) {
		const struct subnets *subnets = &config->subnets[family];

		for (unsigned int i = 0; masquerades(config, family) && i < subnets->count; i++) {
			struct guard_rule *rule = add_counted(chain, VERDICT_MASQUERADE);

			match_source(rule, &subnets->prefix[i], false);
			match_interface(rule, MATCH_OIFNAME, exact(path[family].interface_name));
			COMMENT(rule, "clients of %s get our address toward the gateway", subnets->text[i]);
		}
	}
}

static const struct guard_chain prerouting_chain = {
	/* Before the kernel's defragmentation at -400 (NF_IP_PRI_CONNTRACK_DEFRAG). */
	"prerouting", "filter", NF_INET_PRE_ROUTING, -450, "prerouting", "-450", NULL, 0
};
static const struct guard_chain forward_chain = {
	"forward", "filter", NF_INET_FORWARD, -10, "forward", "filter - 10", NULL, 0
};
static const struct guard_chain from_client_chain = { .name = "from_client" };
static const struct guard_chain input_chain = {
	"input", "filter", NF_INET_LOCAL_IN, -10, "input", "filter - 10", NULL, 0
};
static const struct guard_chain from_gateway_chain = { .name = "from_gateway" };
static const struct guard_chain leaving_chain = {
	/* Before clients' addresses are masqueraded at 100 (NF_IP_PRI_NAT_SRC). */
	"leaving", "filter", NF_INET_POST_ROUTING, 90, "postrouting", "srcnat - 10", NULL, 0
};
static const struct guard_chain postrouting_chain = {
	"postrouting", "nat", NF_INET_POST_ROUTING, 100, "postrouting", "srcnat", NULL, 0
};

void policy_add_guard(struct policy *policy, const struct config *config, const struct gateway_path path[FAMILIES])
{
	bool masquerade = masquerades(config, IPV4) || masquerades(config, IPV6);
	struct guard *guard = &policy->guard;

	memcpy(guard->table, config->killswitch_table, sizeof(guard->table));
	if (!config_governs(config, IPV4) && !config_governs(config, IPV6))
		return;
	fill_prerouting(guard_add_chain(guard, &prerouting_chain), config);
	fill_forward(guard_add_chain(guard, &forward_chain), config);
	fill_from_client(guard_add_chain(guard, &from_client_chain), config, path);
	if (masquerade || config->dns == DNS_BLOCK)
		fill_input(guard_add_chain(guard, &input_chain), config, path);
	if (masquerade)
		fill_from_gateway(guard_add_chain(guard, &from_gateway_chain));
	fill_leaving(guard_add_chain(guard, &leaving_chain), config, path);
	if (masquerade)
		fill_postrouting(guard_add_chain(guard, &postrouting_chain), config, path);
}

void policy_make(struct policy *policy, const struct config *config, const struct gateway_path path[FAMILIES])
{
	*policy = (struct policy){ 0 };
	for (int family = 0; family < FAMILIES; family++) {
		if (config->gateway[family].mode == GATEWAY_ADDRESS)
			add_route(policy, config, family, &path[family]);
		if (config->gateway[family].mode == GATEWAY_ADDRESS && config->mac[family].known)
			add_neighbour(policy, config, family, &path[family]);
		if (config_governs(config, family))
			add_rules(policy, config, family);
	}
}

void policy_free(struct policy *policy)
{
	for (size_t i = 0; i < policy->rules; i++)
		rule_free(&policy->rule[i]);
	for (size_t i = 0; i < policy->routes; i++)
		route_free(&policy->route[i]);
	free(policy->rule);
	free(policy->route);
	guard_free(&policy->guard);
	*policy = (struct policy){ 0 };
}

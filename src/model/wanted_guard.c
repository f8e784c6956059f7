/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/marks.h"
#include "model/wanted.h"

#include <linux/netfilter.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

/* The kill switch that the configuration asks for: the nft table, chain by chain. */

/* What it follows from. */
struct terms {
	const struct config *config;
	const struct exits *exits;
	const struct host *host;
	struct guard *guard;		/* which keeps what its comments are made of */
};

static struct interface_pattern exact(const char *name)
{
	struct interface_pattern pattern = { .wildcard = false };

	memcpy(pattern.name, name, strnlen(name, sizeof(pattern.name) - 1));
	return pattern;
}

static void match_interface(struct guard_rule *rule, enum guard_match_kind kind, struct interface_pattern interface)
{
	guard_add_match(rule, kind)->interface = interface;
}

/* iifname "vpns*", but for what of that name is no tunnel of clients: iifname "vpns*" iifname != "vpns-office" */
static void match_tunnels(struct guard_rule *rule, enum guard_match_kind kind, const struct terms *of)
{
	match_interface(rule, kind, of->config->clients);
	for (unsigned int i = 0; i < of->host->left_outs; i++) {
		struct guard_match *match = guard_add_match(rule, kind);

		match->interface = exact(of->host->left_out[i]);
		match->negated = true;
	}
}

/* Clients' addresses of a family: ip saddr @clients4, where it has a subnet */
static struct guard_match *match_clients(struct guard_rule *rule, enum guard_match_kind kind, int family)
{
	struct guard_match *match = guard_add_match(rule, kind);

	memcpy(match->set.name, family == IPV4 ? GUARD_CLIENTS4_SET : GUARD_CLIENTS6_SET, sizeof(GUARD_CLIENTS4_SET));
	match->set.family = family_of(family);
	return match;
}

/*
 * The set of a new table is empty for an instant after the kernel has begun to ask the table. A rule that lets through what
 * is not in the set would let a client's packet through then. There each subnet has a rule of its own, for so many subnets.
 */
#define SUBNETS_APART 16

/* What one such rule is about. */
struct addresses {
	int family;
	const struct prefix *prefix;	/* NULL: all subnets of the family, by the set */
	const char *text;		/* 10.20.0.0/24, or IPv4 */
};

static unsigned int count_address_rules(const struct config *config, int family)
{
	unsigned int subnets = config->subnets[family].count;

	return subnets > SUBNETS_APART ? 1 : subnets;
}

static struct addresses addresses_at(const struct config *config, int family, unsigned int i)
{
	const struct subnets *subnets = &config->subnets[family];

	if (subnets->count > SUBNETS_APART)
		return (struct addresses){ family, NULL, family_name(family) };
	return (struct addresses){ family, &subnets->prefix[i], subnets->text[i] };
}

/* ip saddr 10.20.0.0/24, or ip saddr @clients4 */
static void match_addresses(struct guard_rule *rule, const struct addresses *addresses, bool source)
{
	if (addresses->prefix)
		guard_add_match(rule, source ? MATCH_SADDR : MATCH_DADDR)->prefix = *addresses->prefix;
	else
		match_clients(rule, source ? MATCH_SADDR_IN : MATCH_DADDR_IN, addresses->family);
}

static bool has_clients(const struct config *config, int family)
{
	return config_covers(config, family) && config->subnets[family].count > 0;
}

/* Where only one family is covered, rules for both are confined to it. */
static void match_covered(struct guard_rule *rule, const struct config *config)
{
	if (!config_covers(config, IPV4))
		guard_add_match(rule, MATCH_FAMILY)->family = AF_INET6;
	else if (!config_covers(config, IPV6))
		guard_add_match(rule, MATCH_FAMILY)->family = AF_INET;
}

/* What leaves via a gateway: oifname "eth0" rt ip nexthop 172.28.0.2, or oifname "wg0" */
static void match_exit(struct guard_rule *rule, const struct exit *exit)
{
	match_interface(rule, MATCH_OIFNAME, exact(exit->interface.name));
	if (!exit_is_link(exit))
		guard_add_match(rule, MATCH_NEXTHOP)->nexthop = exit->nexthop;
}

static void match_protocol(struct guard_rule *rule, uint8_t protocol, bool negated)
{
	struct guard_match *match = guard_add_match(rule, MATCH_L4PROTO);

	match->protocol = protocol;
	match->negated = negated;
}

/* meta mark & 0xff000000 == 0xff000000: what a client has sent to this host */
static void match_sent_to_host(struct guard_rule *rule, const struct config *config)
{
	struct mark_bits *mark = &guard_add_match(rule, MATCH_MARK)->mark;

	mark->value = mark_to_server(config);
	mark->mask = config->mark_mask;
}

/* Whether an ICMP error of a family may tell of clients. */
static bool stops_errors(const struct config *config, int family)
{
	return has_clients(config, family) || config_masquerades(config, family) ||
	       (family == IPV6 && config_covers(config, IPV6));
}

static struct guard_rule *add_counted(struct guard_chain *chain, enum guard_verdict verdict)
{
	struct guard_rule *rule = guard_add_rule(chain);

	rule->counter = true;
	rule->verdict = verdict;
	return rule;
}

static struct guard_rule *add_accept(struct guard_chain *chain)
{
	struct guard_rule *rule = guard_add_rule(chain);

	rule->verdict = VERDICT_ACCEPT;
	return rule;
}

/* In parts: most runs need but a digest of it. */
#define COMMENT(rule, ...) \
	memcpy((rule)->comment, (const char *const[GUARD_COMMENT_PARTS]){ __VA_ARGS__ }, sizeof((rule)->comment))

static void set_map(struct guard_rule *rule, const char *name, enum guard_subject subject)
{
	rule->verdict = VERDICT_MAP;
	snprintf(rule->map.name, sizeof(rule->map.name), "%s", name);
	rule->map.subject = subject;
}

/* meta mark & 0xff000000 vmap @gateways */
static struct guard_rule *add_mark_map(struct guard_chain *chain, const char *name, enum guard_subject subject,
				       const struct config *config)
{
	struct guard_rule *rule = guard_add_rule(chain);

	set_map(rule, name, subject);
	rule->mark.mask = config->mark_mask;
	return rule;
}

static void add_session_map(struct guard_chain *chain, int family, uint8_t length, const char *what)
{
	struct guard_rule *rule = guard_add_rule(chain);

	set_map(rule, family == IPV4 ? GUARD_SESSION4_MAP : GUARD_SESSION6_MAP, SUBJECT_SESSION);
	rule->map.family = family_of(family);
	rule->map.length = length;
	COMMENT(rule, family_name(family), what);
}

/*
 * iifname . ip saddr vmap @session4, where the family has clients; for each length of networks that sessions have:
 * iifname . ip6 saddr & ffff:ffff:ffff:ffff:: vmap @session6
 */
static void add_session_maps(struct guard_chain *chain, const struct terms *of, const char *what)
{
	for (int family = 0; family < FAMILIES; family++) {
		if (!has_clients(of->config, family))
			continue;
		add_session_map(chain, family, 0, what);
		for (unsigned int i = 0; family == IPV6 && i < of->host->lengths; i++)
			add_session_map(chain, family, of->host->length[i],
					guard_keep(of->guard, ", a network of /%u,%s", of->host->length[i], what));
	}
}

static struct guard_rule *add_goto(struct guard_chain *chain, const char *name)
{
	struct guard_rule *rule = guard_add_rule(chain);

	rule->verdict = VERDICT_GOTO;
	rule->chain = name;
	return rule;
}

/*
 * What a tunnel of this host has unpacked of a client's packet is dropped before routing, which may answer it:
 *   meta mark & 0xff000000 == 0xff000000 counter drop
 *   iifname "vpns*" goto from_tunnel
 */
static void fill_prerouting(struct guard_chain *chain, const struct terms *of)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);

	match_sent_to_host(rule, of->config);
	COMMENT(rule, "from a client, unpacked by a tunnel that ends at this host, before routing: dropped");
	rule = add_goto(chain, "from_tunnel");
	match_tunnels(rule, MATCH_IIFNAME, of);
	match_covered(rule, of->config);
	COMMENT(rule, "from a client: see from_tunnel");
}

/* One subnet is compared, which takes the kernel a fifth of the time that it needs for a set. */
static void drop_other_sources(struct guard_chain *chain, const struct config *config, int family)
{
	const struct subnets *subnets = &config->subnets[family];
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);

	if (!subnets->count) {
		guard_add_match(rule, MATCH_FAMILY)->family = family_of(family);
		COMMENT(rule, family_name(family), " from a client, but no such subnet is configured: dropped");
		return;
	}
	if (subnets->count == 1)
		guard_add_match(rule, MATCH_SADDR)->prefix = subnets->prefix[0];
	else
		match_clients(rule, MATCH_SADDR_IN, family);
	rule->match[0].negated = true;
	COMMENT(rule, family_name(family), " from a client with a source outside its subnet: dropped");
}

/*
 * Sources are checked before routing, and before fragments are put together, which the kernel may answer:
 *   ip hdrlength > 5 counter drop
 *   ip saddr != 10.20.0.0/24 counter drop, or ip saddr != @clients4
 *   fib saddr . iif oif missing counter drop
 * A family that is blocked and has no subnet gets:
 *   meta nfproto ipv6 counter drop
 * With several gateways the map of sessions knows who has which address, and marks packets for their gateway:
 *   iifname . ip saddr vmap @session4
 *   counter drop
 */
static void fill_from_tunnel(struct guard_chain *chain, const struct terms *of)
{
	const struct config *config = of->config;
	struct guard_rule *rule;

	if (config_covers(config, IPV4)) {
		rule = add_counted(chain, VERDICT_DROP);
		guard_add_match(rule, MATCH_IP_OPTIONS);
		COMMENT(rule, "IPv4 from a client with options, such as a source route: dropped");
	}
	if (config_is_mapped(config))
		add_session_maps(chain, of, " from a client: marked for the gateway of its session");
	for (int family = 0; family < FAMILIES && !config_is_mapped(config); family++)
		if (config_covers(config, family))
			drop_other_sources(chain, config, family);
	rule = add_counted(chain, VERDICT_DROP);
	if (!config_is_mapped(config))
		guard_add_match(rule, MATCH_NO_WAY_BACK);
	COMMENT(rule, "from a client with a source address that is not its own: dropped");
}

/*
 *   iifname "vpns*" goto from_client
 *   meta mark & 0xff000000 == 0xff000000 counter drop
 *   ip saddr 10.20.0.0/24 counter drop
 *   oifname "vpns*" goto to_client
 * or, with inbound = any:
 *   oifname "vpns*" counter accept
 */
static void fill_forward(struct guard_chain *chain, const struct terms *of)
{
	const struct config *config = of->config;
	bool any = config->inbound == INBOUND_ANY;
	struct guard_rule *rule = add_goto(chain, "from_client");

	match_tunnels(rule, MATCH_IIFNAME, of);
	match_covered(rule, config);
	COMMENT(rule, "from a client: leaves only as from_client allows");

	rule = add_counted(chain, VERDICT_DROP);
	match_sent_to_host(rule, config);
	COMMENT(rule, "from a client, unpacked by a tunnel that ends at this host: dropped");

	for (int family = 0; family < FAMILIES; family++) {
		for (unsigned int i = 0; config_covers(config, family) && i < count_address_rules(config, family); i++) {
			const struct addresses addresses = addresses_at(config, family, i);

			rule = add_counted(chain, VERDICT_DROP);
			match_addresses(rule, &addresses, true);
			COMMENT(rule, "client address in ", addresses.text, ", but not from a tunnel: dropped");
		}
	}

	rule = any ? add_counted(chain, VERDICT_ACCEPT) : add_goto(chain, "to_client");
	match_tunnels(rule, MATCH_OIFNAME, of);
	match_covered(rule, config);
	COMMENT(rule, any ? "to a client, inbound = any: let through" : "to a client: see to_client");
}

/*
 *   ct state established,related counter accept
 *   counter drop
 */
static void fill_to_client(struct guard_chain *chain)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_ACCEPT);

	guard_add_match(rule, MATCH_CT_STATE)->ct_states = CT_ESTABLISHED | CT_RELATED;
	COMMENT(rule, "replies to a client: let through");
	rule = add_counted(chain, VERDICT_DROP);
	COMMENT(rule, "new connection to a client from elsewhere: dropped");
}

/*
 * To count takes the kernel a walk through all flows of that client, at most one a tick of its clock. A flow that nobody
 * answers has the state new for long: so it is counted with its first packet alone.
 *   ct status ! confirmed add @flows { iif ct count over 20000 } counter drop
 */
static void limit_flows(struct guard_chain *chain, const struct terms *of, const char *where)
{
	struct guard_rule *rule;

	if (!of->config->flows)
		return;
	rule = add_counted(chain, VERDICT_DROP);
	guard_add_match(rule, MATCH_FIRST);
	guard_add_match(rule, MATCH_FLOWS_OVER)->flows = of->config->flows;
	COMMENT(rule, "new flow", where, " of a client that already has ", guard_keep(of->guard, "%u", of->config->flows),
		": dropped ([clients] flows)");
}

static void accept_exit(struct guard_chain *chain, const struct exit *exit)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_ACCEPT);

	/* A next hop is of its family, an interface of both. */
	if (exit_is_link(exit))
		guard_add_match(rule, MATCH_FAMILY)->family = family_of(exit->family);
	match_exit(rule, exit);
	COMMENT(rule, family_name(exit->family), " ", exit_goes(exit), " ", exit->text, ": let through");
}

/* What is of no flow yet, or against its direction, starts none: so a flow goes this way as the chains have judged it. */
static void offer_flows(struct guard_chain *chain)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };

	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		struct guard_rule *rule = add_goto(chain, GUARD_FAST_CHAIN);

		rule->verdict = VERDICT_JUMP;
		match_protocol(rule, protocols[i], false);
		guard_add_match(rule, MATCH_REPLY)->negated = true;
		guard_add_match(rule, MATCH_CT_STATE)->ct_states = CT_ESTABLISHED;
		COMMENT(rule, protocols[i] == IPPROTO_TCP ? "TCP" : "UDP", " from a client that is answered: see " GUARD_FAST_CHAIN);
	}
}

/* Whether another gateway is a next hop there, which its interface alone does not tell it from. */
static bool is_shared(const struct exits *exits, const struct exit *link)
{
	for (unsigned int i = 0; i < exits->count; i++)
		if (!exit_is_link(&exits->exit[i]) && strcmp(exits->exit[i].interface.name, link->interface.name) == 0)
			return true;
	return false;
}

/*
 * Only what the kill switch lets through to a gateway:
 *   oifname "eth0" rt ip nexthop 172.28.0.2 flow add @fast, or meta nfproto ipv4 oifname "wg0" flow add @fast
 * with several gateways, by the mark that the session has given it:
 *   meta mark & 0xff000000 == 0x02000000 oifname "eth0" rt ip nexthop 172.28.0.4 flow add @fast
 */
static void fill_fast_path(struct guard_chain *chain, const struct terms *of)
{
	for (unsigned int i = 0; i < of->exits->count; i++) {
		const struct exit *exit = &of->exits->exit[i];
		struct guard_rule *rule;

		if (exit_is_link(exit) && is_shared(of->exits, exit))
			continue;
		rule = guard_add_rule(chain);
		rule->verdict = VERDICT_FLOW;
		if (config_is_mapped(of->config))
			guard_add_match(rule, MATCH_MARK)->mark =
				(struct mark_bits){ mark_of(of->config, exit->gateway), of->config->mark_mask };
		if (exit_is_link(exit))
			guard_add_match(rule, MATCH_FAMILY)->family = family_of(exit->family);
		match_exit(rule, exit);
		COMMENT(rule, family_name(exit->family), " ", exit_goes(exit), " ", exit->text, ": the rest of the flow by the fast path");
	}
}

/* With several gateways, what is left in from_client is not to leave by any. */
static void refuse_blocked(struct guard_chain *chain, const struct config *config)
{
	struct guard_rule *rule = add_mark_map(chain, GUARD_GATEWAYS_MAP, SUBJECT_MARK, config);

	COMMENT(rule, "from a client: leaves only as its gateway's chain allows");
	if (config->blocked != BLOCKED_REJECT)
		return;
	rule = add_counted(chain, VERDICT_REJECT);
	rule->reject_family = AF_UNSPEC;
	COMMENT(rule, "from a client without a gateway: rejected");
}

/*
 * An allow-list. By a tunnel alone a packet is not to a client: another program's may have a name like theirs.
 *   rt ipsec exists counter drop
 *   ct status ! confirmed add @flows { iif ct count over 20000 } counter drop
 *   meta l4proto tcp ct direction original ct state established jump fast_path, and the same of UDP, with fast_path
 *   oifname "eth0" rt ip nexthop 172.28.0.2 counter accept, or meta nfproto ipv4 oifname "wg0" counter accept
 *   oifname "vpns*" ip daddr @clients4 counter accept
 *   meta nfproto ipv6 counter reject with icmpv6 admin-prohibited
 *   counter drop
 * With several gateways:
 *   jump whose
 *   oifname "vpns*" ip daddr @clients4 counter accept
 *   meta mark & 0xff000000 vmap @gateways
 *   counter reject with icmpx admin-prohibited
 *   counter drop
 */
static void fill_from_client(struct guard_chain *chain, const struct terms *of)
{
	const struct config *config = of->config;
	struct guard_rule *rule;

	if (of->host->ipsec) {
		rule = add_counted(chain, VERDICT_DROP);
		guard_add_match(rule, MATCH_IPSEC);
		COMMENT(rule, "from a client, which an IPsec policy of this host would take: dropped");
	}
	limit_flows(chain, of, "");
	if (config_is_mapped(config)) {
		rule = add_goto(chain, "whose");
		rule->verdict = VERDICT_JUMP;
		COMMENT(rule, "from a client: marked again for the gateway of its session, whoever else set marks");
	}
	if (of->host->fast)
		offer_flows(chain);
	for (unsigned int i = 0; i < of->exits->count && !config_is_mapped(config); i++)
		accept_exit(chain, &of->exits->exit[i]);
	for (int family = 0; family < FAMILIES && config->client_to_client; family++) {
		if (!has_clients(config, family))
			continue;
		rule = add_counted(chain, VERDICT_ACCEPT);
		match_tunnels(rule, MATCH_OIFNAME, of);
		match_clients(rule, MATCH_DADDR_IN, family);
		COMMENT(rule, family_name(family), " client to client: let through");
	}
	if (config_is_mapped(config))
		refuse_blocked(chain, config);
	for (int family = 0; family < FAMILIES && config->blocked == BLOCKED_REJECT && !config_is_mapped(config); family++) {
		if (!config_blocks(config, family))
			continue;
		rule = add_counted(chain, VERDICT_REJECT);
		rule->reject_family = family_of(family);
		guard_add_match(rule, MATCH_FAMILY)->family = family_of(family);
		COMMENT(rule, family_name(family), " of a client, for which there is no gateway: rejected");
	}
	rule = add_counted(chain, VERDICT_DROP);
	COMMENT(rule, "from a client by any other route: dropped");
}

/* The chains that packets which leave are sorted into, by their family. */
static const struct leaving_chains {
	const char *of_subnet, *to_subnet, *icmp_error;
} leaving_chains[FAMILIES] = {
	{ "of_subnet", "to_subnet", "icmp_error" }, { "of_subnet6", "to_subnet6", "icmp6_error" },
};

static void sort_addresses(struct guard_chain *chain, const struct config *config, int family, bool source)
{
	for (unsigned int i = 0; config_covers(config, family) && i < count_address_rules(config, family); i++) {
		const struct addresses addresses = addresses_at(config, family, i);
		struct guard_rule *rule = add_goto(chain, source ? leaving_chains[family].of_subnet :
							  leaving_chains[family].to_subnet);

		match_addresses(rule, &addresses, source);
		COMMENT(rule, source ? "from" : "to", " a client address in ", addresses.text, ": see ", rule->chain);
	}
}

/*
 * What leaves, forwarded or sent by this host itself, with the interface and the route that it takes at last, and with
 * clients' own addresses. Where it goes to is asked first: what is from one client to another belongs to to_subnet.
 *   ip daddr 10.20.0.0/24 goto to_subnet
 *   ip saddr 10.20.0.0/24 goto of_subnet
 *   icmp type != echo-reply icmp type != echo-request goto icmp_error
 */
static void fill_leaving(struct guard_chain *chain, const struct config *config)
{
	struct guard_rule *rule;

	for (int family = 0; family < FAMILIES; family++) {
		sort_addresses(chain, config, family, false);
		sort_addresses(chain, config, family, true);
		if (stops_errors(config, family)) {
			rule = add_goto(chain, leaving_chains[family].icmp_error);
			guard_add_match(rule, MATCH_ICMP_ERROR)->family = family_of(family);
			COMMENT(rule, "an ICMP", family == IPV4 ? "" : "v6", " error: see ", rule->chain);
		}
	}
}

/* oifname "lo" accept */
static void accept_to_host(struct guard_chain *chain)
{
	struct guard_rule *rule = add_accept(chain);

	match_interface(rule, MATCH_OIFNAME, exact("lo"));
	COMMENT(rule, "to this host itself, in ", chain->name, ": let through");
}

/* oifname "vpns*" ip daddr 224.0.0.0/4 accept: what this host sends to all clients, be it from its address of the VPN */
static void accept_multicast(struct guard_chain *chain, const struct terms *of, int family)
{
	struct guard_rule *rule = add_accept(chain);
	struct prefix multicast;

	prefix_parse(&multicast, family == IPV4 ? "224.0.0.0/4" : "ff00::/8");
	match_tunnels(rule, MATCH_OIFNAME, of);
	guard_add_match(rule, MATCH_DADDR)->prefix = multicast;
	COMMENT(rule, family_name(family), " multicast via a tunnel, in ", chain->name, ": let through");
}

/*
 *   oifname "eth0" rt ip nexthop 172.28.0.2 counter accept, or oifname "wg0" counter accept
 *   oifname "lo" accept
 *   oifname "vpns*" ip daddr 224.0.0.0/4 accept
 *   counter drop
 */
static void fill_of_subnet(struct guard_chain *chain, const struct terms *of, int family)
{
	struct guard_rule *rule;

	if (config_is_mapped(of->config)) {
		rule = add_mark_map(chain, GUARD_GATEWAYS_MAP, SUBJECT_MARK, of->config);
		COMMENT(rule, family_name(family), " from a client address: see its gateway's chain");
	}
	for (unsigned int i = 0; i < of->exits->count && !config_is_mapped(of->config); i++) {
		const struct exit *exit = &of->exits->exit[i];

		if (exit->family != family)
			continue;
		rule = add_counted(chain, VERDICT_ACCEPT);
		match_exit(rule, exit);
		COMMENT(rule, family_name(family), " from a client address ", exit_goes(exit), " ",
			exit->text, ": let through");
	}
	accept_to_host(chain);
	accept_multicast(chain, of, family);
	rule = add_counted(chain, VERDICT_DROP);
	COMMENT(rule, family_name(family), " from a client address by any other route: dropped");
}

/*
 *   oifname "vpns*" accept
 *   oifname "lo" accept
 *   counter drop
 */
static void fill_to_subnet(struct guard_chain *chain, const struct terms *of, int family)
{
	struct guard_rule *rule = add_accept(chain);

	match_tunnels(rule, MATCH_OIFNAME, of);
	COMMENT(rule, family_name(family), " to a client via a tunnel: let through");
	accept_to_host(chain);
	rule = add_counted(chain, VERDICT_DROP);
	COMMENT(rule, family_name(family), " to a client address that no client has: dropped");
}

/* @th,192,24 0xa1400 counter drop */
static void drop_errors_about(struct guard_chain *chain, const struct subnets *subnets, unsigned int i)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);

	guard_add_match(rule, MATCH_QUOTED_DADDR)->prefix = subnets->prefix[i];
	COMMENT(rule, "an ICMP error about a packet to a client in ", subnets->text[i], ": dropped");
}

static struct guard_rule *drop_icmp_error(struct guard_chain *chain, uint8_t family, uint8_t type, uint8_t code,
				    const char *what)
{
	struct guard_rule *rule = add_counted(chain, VERDICT_DROP);
	struct guard_match *match = guard_add_match(rule, MATCH_ICMP_CODE);

	match->icmp.family = family;
	match->icmp.type = type;
	match->icmp.code = code;
	COMMENT(rule, "an ICMP", family == AF_INET ? "" : "v6", " error, perhaps about a reply to a client, ", what,
		": dropped");
	return rule;
}

static void match_quoted_other(struct guard_rule *rule, uint8_t family, uint8_t protocol)
{
	struct guard_match *match = guard_add_match(rule, MATCH_QUOTED_PROTOCOL);

	match->quoted.family = family;
	match->quoted.protocol = protocol;
	match->negated = true;
}

/* icmp type 3 icmp code 3 @th,136,8 != 0x6 @th,136,8 != 0x11: a firewall may say so of TCP, and a program of UDP */
static void drop_port_unreachable(struct guard_chain *chain, uint8_t family, uint8_t type, uint8_t code)
{
	struct guard_rule *rule = drop_icmp_error(chain, family, type, code, "neither TCP nor UDP");

	match_quoted_other(rule, family, IPPROTO_TCP);
	match_quoted_other(rule, family, IPPROTO_UDP);
}

/* What the kernel says against a reply to a client that is taken for this host's own. */
static void drop_errors_about_replies(struct guard_chain *chain, int family)
{
	if (family == IPV4) {
		drop_icmp_error(chain, AF_INET, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, "unknown protocol");
		drop_port_unreachable(chain, AF_INET, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH);
		drop_icmp_error(chain, AF_INET, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, "fragment missing");
		drop_icmp_error(chain, AF_INET, ICMP_PARAMETERPROB, 0, "wrong header")->match[0].kind = MATCH_ICMP_TYPE;
	} else {
		drop_port_unreachable(chain, AF_INET6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT);
		drop_icmp_error(chain, AF_INET6, ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_REASSEMBLY, "fragment missing");
		drop_icmp_error(chain, AF_INET6, ICMP6_PARAM_PROB, 0, "wrong header")->match[0].kind = MATCH_ICMP_TYPE;
	}
}

/*
 * Neither from nor to a client's address. An ICMP error about a packet to a client would tell its far end where this
 * host is:
 *   oifname "lo" accept
 *   oifname "vpns*" ip daddr 224.0.0.0/4 accept
 *   @th,192,24 0xa1400 counter drop
 * The kernel answers wrong hop-by-hop options before any rule sees the packet, and what is wrong with a reply before its
 * address is a client's again:
 *   icmpv6 type parameter-problem @th,112,8 0x0 counter drop
 *   icmp type 3 icmp code 2 counter drop
 *   icmp type 3 icmp code 3 @th,136,8 != 0x6 @th,136,8 != 0x11 counter drop
 *   icmp type 11 icmp code 1 counter drop
 *   icmp type 12 counter drop
 */
static void fill_icmp_error(struct guard_chain *chain, const struct terms *of, int family)
{
	const struct subnets *subnets = &of->config->subnets[family];
	struct guard_rule *rule;

	accept_to_host(chain);
	accept_multicast(chain, of, family);
	for (unsigned int i = 0; i < subnets->count; i++)
		drop_errors_about(chain, subnets, i);
	if (config_masquerades(of->config, family)) {
		drop_errors_about_replies(chain, family);
	} else if (family == IPV6) {
		rule = add_counted(chain, VERDICT_DROP);
		guard_add_match(rule, MATCH_QUOTED_HOPBYHOP);
		COMMENT(rule, "an ICMPv6 error about hop-by-hop options: dropped");
	}
}

/* udp dport 53 counter reject with icmpx admin-prohibited */
static void reject_dns(struct guard_chain *chain, const struct config *config)
{
	static const struct { uint8_t protocol; uint16_t port; const char *text; } dns[] = {
		{ IPPROTO_UDP, 53, "UDP port 53" }, { IPPROTO_TCP, 53, "TCP port 53" },
		{ IPPROTO_TCP, 853, "TCP port 853" }, { IPPROTO_UDP, 853, "UDP port 853" },
	};

	for (size_t i = 0; i < sizeof(dns) / sizeof(*dns); i++) {
		struct guard_rule *rule = add_counted(chain, VERDICT_REJECT);
		struct guard_match *match;

		match_covered(rule, config);
		match = guard_add_match(rule, MATCH_DPORT);
		match->protocol = dns[i].protocol;
		match->port = dns[i].port;
		COMMENT(rule, "a client's query to a DNS server on this host, ", dns[i].text, ": rejected");
	}
}

static void accept_port(struct guard_chain *chain, const struct terms *of, uint8_t protocol, uint16_t port)
{
	struct guard_rule *rule = add_accept(chain);
	struct guard_match *match = guard_add_match(rule, MATCH_DPORT);

	match->protocol = protocol;
	match->port = port;
	COMMENT(rule, "a client's packet to this host, ",
		guard_keep(of->guard, "%s port %u", protocol == IPPROTO_TCP ? "TCP" : "UDP", port), ": let through");
}

/* With [killswitch] server = services or none. */
static void allow_services(struct guard_chain *chain, const struct terms *of)
{
	const struct config *config = of->config;
	const struct services *services = &config->services;
	struct guard_rule *rule = add_accept(chain);

	guard_add_match(rule, MATCH_REPLY);
	COMMENT(rule, "a client's reply to this host: let through");
	rule = add_accept(chain);
	match_protocol(rule, IPPROTO_ICMP, false);
	COMMENT(rule, "ICMP of a client to this host: let through");
	rule = add_accept(chain);
	match_protocol(rule, IPPROTO_ICMPV6, false);
	COMMENT(rule, "ICMPv6 of a client to this host: let through");
	if (config->server == SERVER_SERVICES) {
		accept_port(chain, of, IPPROTO_UDP, 53);
		accept_port(chain, of, IPPROTO_TCP, 53);
		for (unsigned int i = 0; i < services->count; i++)
			accept_port(chain, of, services->service[i].protocol, services->service[i].port);
	}
	rule = add_counted(chain, VERDICT_DROP);
	COMMENT(rule, "from a client to this host, not allowed by [killswitch] server: dropped");
}

/*
 * What clients send to this host itself. A tunnel that ends here, be it VXLAN in UDP, unpacks what is inside and hands
 * it on with the mark; most other kinds are protocols of their own.
 *   meta mark set meta mark | 0xff000000
 *   meta l4proto != tcp meta l4proto != udp meta l4proto != icmp meta l4proto != ipv6-icmp counter drop
 */
static void fill_to_server(struct guard_chain *chain, const struct terms *of)
{
	const struct config *config = of->config;
	static const uint8_t usual[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6 };
	struct guard_rule *rule = guard_add_rule(chain);

	rule->verdict = VERDICT_MARK;
	rule->mark = (struct mark_bits){ mark_to_server(config), config->mark_mask };
	COMMENT(rule, "marked, so that forward recognises it if a tunnel of this host unpacks it");
	limit_flows(chain, of, " to this host");
	if (config->dns == DNS_BLOCK)
		reject_dns(chain, config);
	if (config->server != SERVER_ANY) {
		allow_services(chain, of);
		return;
	}
	rule = add_counted(chain, VERDICT_DROP);
	for (size_t i = 0; i < sizeof(usual); i++)
		match_protocol(rule, usual[i], true);
	COMMENT(rule, "from a client to this host, neither TCP, UDP nor ICMP: dropped");
}

/* By the interface of one gateway, or of any. */
static void match_late(struct guard_rule *rule, int family, const struct exit *exit)
{
	if (exit)
		match_interface(rule, MATCH_IIFNAME, exact(exit->interface.name));
	else
		snprintf(guard_add_match(rule, MATCH_IIFNAME_IN)->set.name, GUARD_SET_NAME, "%s",
			 family == IPV4 ? GUARD_UPLINKS4_SET : GUARD_UPLINKS6_SET);
	guard_add_match(rule, MATCH_FAMILY)->family = family_of(family);
	guard_add_match(rule, MATCH_CT_STATE)->ct_states = CT_INVALID | CT_NEW | CT_UNTRACKED;
	COMMENT(rule, family_name(family), " from the gateway's interface, of no known flow: see from_gateway");
}

/*
 * Replies to clients come to this host's address, and where the kernel has forgotten the flow or never tracked it, or its
 * check of TCP's window fails, they are taken for this host's own:
 *   iifname "vpns*" goto to_server
 *   iifname "eth0" meta nfproto ipv4 ct state invalid,new,untracked goto from_gateway, or iifname @uplinks4
 */
static void fill_input(struct guard_chain *chain, const struct terms *of)
{
	struct guard_rule *tunnels = add_goto(chain, "to_server");

	match_tunnels(tunnels, MATCH_IIFNAME, of);
	COMMENT(tunnels, "from a client to this host: see to_server");
	for (int family = 0; family < FAMILIES && config_is_mapped(of->config); family++)
		if (config_masquerades(of->config, family))
			match_late(add_goto(chain, "from_gateway"), family, NULL);
	for (unsigned int i = 0; i < of->exits->count && !config_is_mapped(of->config); i++) {
		const struct exit *exit = &of->exits->exit[i];

		if (gateway_masquerades(exit->gateway, exit->family))
			match_late(add_goto(chain, "from_gateway"), exit->family, exit);
	}
}

/* The protocols whose source port NAT may change. */
static const struct { uint8_t protocol; const char *name; } with_ports[] = {
	{ IPPROTO_TCP, "TCP" }, { IPPROTO_UDP, "UDP" }, { IPPROTO_UDPLITE, "UDP-Lite" }, { IPPROTO_SCTP, "SCTP" },
	{ IPPROTO_DCCP, "DCCP" },
};

/*
 * No answer to what no program here waits for, since it would go via the main route:
 *   socket transparent <= 1 accept
 *   meta l4proto tcp counter drop
 *   ... udp, udplite, sctp, dccp
 */
static void fill_from_gateway(struct guard_chain *chain)
{
	struct guard_rule *rule = add_accept(chain);

	guard_add_match(rule, MATCH_SOCKET);
	COMMENT(rule, "for a program on this host: let through");
	for (size_t i = 0; i < sizeof(with_ports) / sizeof(*with_ports); i++) {
		rule = add_counted(chain, VERDICT_DROP);
		match_protocol(rule, with_ports[i].protocol, false);
		COMMENT(rule, with_ports[i].name, " to a closed port, perhaps a reply to a client that has gone: dropped");
	}
}

/*
 * oifname "vpns*" accept
 * ip saddr 10.20.0.0/24 meta mark & 0xff000000 vmap @masqueraded
 */
static void masquerade_by_mark(struct guard_chain *chain, const struct terms *of)
{
	const struct config *config = of->config;
	struct guard_rule *to_client = add_accept(chain);

	match_tunnels(to_client, MATCH_OIFNAME, of);
	COMMENT(to_client, "client to client: keeps its address");
	for (int family = 0; family < FAMILIES; family++) {
		for (unsigned int i = 0; config_masquerades(config, family) && i < count_address_rules(config, family); i++) {
			const struct addresses addresses = addresses_at(config, family, i);
			struct guard_rule *rule = add_mark_map(chain, GUARD_MASQUERADED_MAP, SUBJECT_MARK, config);

			match_addresses(rule, &addresses, true);
			COMMENT(rule, "clients in ", addresses.text, " get this host's address toward their gateway");
		}
	}
}

/* ip saddr 10.20.0.0/24 oifname "eth0" counter goto our_address */
static void fill_postrouting(struct guard_chain *chain, const struct terms *of)
{
	if (config_is_mapped(of->config)) {
		masquerade_by_mark(chain, of);
		return;
	}
	for (unsigned int i = 0; i < of->exits->count; i++) {
		const struct exit *exit = &of->exits->exit[i];

		for (unsigned int j = 0; gateway_masquerades(exit->gateway, exit->family) &&
					 j < count_address_rules(of->config, exit->family); j++) {
			const struct addresses addresses = addresses_at(of->config, exit->family, j);
			struct guard_rule *rule = add_goto(chain, "our_address");

			rule->counter = true;
			match_addresses(rule, &addresses, true);
			match_interface(rule, MATCH_OIFNAME, exact(exit->interface.name));
			COMMENT(rule, "clients in ", addresses.text, " get this host's address toward the gateway");
		}
	}
}

/*
 * A client that keeps its source port, such as 443, would take what its far end sends to the program that listens on that
 * port of this host:
 *   meta l4proto tcp masquerade to :32768-60999
 *   masquerade
 */
static void fill_our_address(struct guard_chain *chain, const struct config *config)
{
	struct guard_rule *rule;

	for (size_t i = 0; i < sizeof(with_ports) / sizeof(*with_ports); i++) {
		rule = guard_add_rule(chain);
		rule->verdict = VERDICT_MASQUERADE;
		rule->ports = config->ports;
		match_protocol(rule, with_ports[i].protocol, false);
		COMMENT(rule, with_ports[i].name, " of a client gets a source port on which no program here listens");
	}
	rule = guard_add_rule(chain);
	rule->verdict = VERDICT_MASQUERADE;
	COMMENT(rule, "other protocols of a client");
}

/*
 * With its new source a packet may be one that an IPsec policy takes: NAT looks it up again, and behind that no other chain
 * of ours sees it.
 *   rt ipsec missing accept
 *   ct original ip saddr @clients4 counter drop
 */
static void fill_encrypted(struct guard_chain *chain, const struct config *config)
{
	struct guard_rule *rule = add_accept(chain);
	struct guard_match *match = guard_add_match(rule, MATCH_IPSEC);

	match->negated = true;
	COMMENT(rule, "no IPsec policy takes it: let through");
	for (int family = 0; family < FAMILIES; family++) {
		if (!has_clients(config, family))
			continue;
		rule = add_counted(chain, VERDICT_DROP);
		match_clients(rule, MATCH_FLOW_SADDR_IN, family);
		COMMENT(rule, family_name(family), " from a client, which an IPsec policy of this host takes: dropped");
	}
}

/* Of several gateways: chains and maps, of each by its name */

/* Where a map sends packets: to_nl */
static const char *gateway_chain(char chain[GUARD_CHAIN_NAME], const char *verb, const struct gateway *gateway)
{
	const char *const parts[] = { verb, "_", gateway->name };
	size_t end = 0;

	/* Not by snprintf(), which with 250 gateways is most of what a hook does. */
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		for (const char *next = parts[i]; *next && end < GUARD_CHAIN_NAME - 1; next++)
			chain[end++] = *next;
	chain[end] = '\0';
	return chain;
}

static struct guard_chain *add_gateway_chain(struct guard *guard, const char *verb, const struct gateway *gateway)
{
	struct guard_chain chain = { .name = guard_keep(guard, "%s_%s", verb, gateway->name) };

	return guard_add_chain(guard, &chain);
}

static bool leads_at_all(const struct gateway *gateway)
{
	return gateway_leads(gateway, IPV4) || gateway_leads(gateway, IPV6);
}

void wanted_session_chain(char chain[GUARD_CHAIN_NAME], const struct config *config, const struct gateway *gateway, int family)
{
	gateway_chain(chain, "to", gateway_for(config, gateway, family));
}

/* meta mark set meta mark & 0x00ffffff | 0x02000000 */
static void fill_mark(struct guard_chain *chain, const struct config *config, const struct gateway *gateway,
		      enum guard_verdict verdict)
{
	struct guard_rule *rule = guard_add_rule(chain);

	rule->verdict = verdict;
	rule->mark = (struct mark_bits){ mark_of(config, gateway), config->mark_mask };
	if (verdict == VERDICT_CT_MARK)
		COMMENT(rule, "flow via ", gateway->name, ", so that its replies get its mark");
	else
		COMMENT(rule, "of a client ", gateway == &config->block ? "that has no gateway" :
			gateway == &config->direct ? "that is " : "of ", gateway == &config->block ? NULL : gateway->name);
}

/* By its interface alone a packet to another gateway there would be one to this one. */
static void refuse_neighbours(struct guard_chain *chain, const struct exits *exits, const struct exit *link)
{
	for (unsigned int i = 0; i < exits->count; i++) {
		const struct exit *other = &exits->exit[i];
		struct guard_rule *rule;

		if (other->family != link->family || exit_is_link(other) ||
		    strcmp(other->interface.name, link->interface.name) != 0)
			continue;
		rule = add_counted(chain, VERDICT_DROP);
		match_exit(rule, other);
		COMMENT(rule, family_name(other->family), " via another gateway, ", other->text, ": dropped");
	}
}

/* What is seldom so is asked first. */
static void keep_mark(struct guard_chain *chain, const struct terms *of, const struct gateway *gateway)
{
	struct guard_rule *rule = add_goto(chain, guard_keep(of->guard, "kept_%s", gateway->name));
	struct guard_match *match = guard_add_match(rule, MATCH_CT_MARK);

	rule->verdict = VERDICT_JUMP;
	match->mark = (struct mark_bits){ mark_of(of->config, gateway), of->config->mark_mask };
	match->negated = true;
	guard_add_match(rule, MATCH_REPLY)->negated = true;
	COMMENT(rule, "flow of a client of ", gateway->name, " that has another mark: see ", rule->chain);
}

/*
 *   ct mark & 0xff000000 != 0x02000000 ct direction original jump kept_nl
 * Who is direct reaches no other client but as from_client allows:
 *   oifname "vpns*" counter drop
 *   counter accept
 * All others:
 *   oifname "eth0" rt ip nexthop 172.28.0.4 counter accept
 *   counter drop
 */
static void fill_by(struct guard_chain *chain, const struct terms *of, const struct gateway *gateway)
{
	struct guard_rule *rule;

	keep_mark(chain, of, gateway);
	if (gateway == &of->config->direct) {
		rule = add_counted(chain, VERDICT_DROP);
		match_tunnels(rule, MATCH_OIFNAME, of);
		COMMENT(rule, "a direct client, to another client: dropped");
		rule = add_counted(chain, VERDICT_ACCEPT);
		COMMENT(rule, "a direct client, via this host's own route: let through");
		return;
	}
	for (unsigned int i = 0; i < of->exits->count; i++) {
		if (of->exits->exit[i].gateway != gateway)
			continue;
		if (exit_is_link(&of->exits->exit[i]))
			refuse_neighbours(chain, of->exits, &of->exits->exit[i]);
		accept_exit(chain, &of->exits->exit[i]);
	}
	rule = add_counted(chain, VERDICT_DROP);
	COMMENT(rule, "from a client of ", gateway->name, " by any other route: dropped");
}

static void add_mark_element(struct guard_set *map, const struct config *config, const struct gateway *gateway,
			     const char *verb)
{
	char name[GUARD_CHAIN_NAME];
	const char *chain = strcmp(verb, "our") == 0 ? "our_address" : gateway_chain(name, verb, gateway);

	guard_mark_key(guard_add_element(map, chain)->key, mark_of(config, gateway));
}

/* What is no gateway comes last: direct, and where @blocked is set block. */
static unsigned int all_gateways(const struct config *config, const struct gateway *gateway[CONFIG_GATEWAYS + 2], bool blocked)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < config->gateways; i++)
		if (leads_at_all(&config->gateway[i]))
			gateway[count++] = &config->gateway[i];
	gateway[count++] = &config->direct;
	if (blocked)
		gateway[count++] = &config->block;
	return count;
}

static bool masquerades(const struct config *config, const struct gateway *gateway)
{
	return gateway == &config->direct ? config_default(config)->masquerade :
	       gateway_masquerades(gateway, IPV4) || gateway_masquerades(gateway, IPV6);
}

static void add_mark_maps(struct guard *guard, const struct config *config)
{
	static const struct { const char *name, *verb; } maps[] = {
		{ GUARD_GATEWAYS_MAP, "by" }, { GUARD_REPLIES_MAP, "to" }, { GUARD_MASQUERADED_MAP, "our" },
	};
	const struct gateway *gateway[CONFIG_GATEWAYS + 2];
	unsigned int count = all_gateways(config, gateway, false);

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		struct guard_set *map;

		if (strcmp(maps[i].verb, "our") == 0 && !config_masquerades(config, IPV4) && !config_masquerades(config, IPV6))
			continue;
		map = guard_add_elements(guard, maps[i].name, MAP_MARKS, AF_UNSPEC);
		for (unsigned int j = 0; j < count; j++)
			if (strcmp(maps[i].verb, "our") != 0 || masquerades(config, gateway[j]))
				add_mark_element(map, config, gateway[j], maps[i].verb);
		guard_sort_elements(map);
	}
}

static bool has_key(const struct guard_set *set, const char *key)
{
	for (size_t i = 0; i < set->elements; i++)
		if (strcmp((const char *)set->element[i].key, key) == 0)
			return true;
	return false;
}

static void add_uplinks(struct guard *guard, const struct terms *of, int family)
{
	struct guard_set *set;

	if (!config_masquerades(of->config, family))
		return;
	set = guard_add_elements(guard, family == IPV4 ? GUARD_UPLINKS4_SET : GUARD_UPLINKS6_SET, SET_INTERFACES,
				 family_of(family));
	for (unsigned int i = 0; i < of->exits->count; i++) {
		const struct exit *exit = &of->exits->exit[i];

		if (exit->family == family && gateway_masquerades(exit->gateway, family) && exit->interface.name[0] &&
		    !has_key(set, exit->interface.name))
			memcpy(guard_add_element(set, "")->key, exit->interface.name, IFNAMSIZ);
	}
	guard_sort_elements(set);
}

static void add_session_sets(struct guard *guard, const struct config *config)
{
	for (int family = 0; family < FAMILIES; family++)
		if (has_clients(config, family))
			guard_add_elements(guard, family == IPV4 ? GUARD_SESSION4_MAP : GUARD_SESSION6_MAP, MAP_SESSIONS,
					   family_of(family));
}

void wanted_guard_sessions(struct guard *guard, const struct config *config)
{
	*guard = (struct guard){ 0 };
	memcpy(guard->table, config->killswitch_table, sizeof(guard->table));
	if (config_is_mapped(config))
		add_session_sets(guard, config);
}

static void add_gateway_sets(struct guard *guard, const struct terms *of)
{
	for (int family = 0; family < FAMILIES; family++)
		add_uplinks(guard, of, family);
	add_session_sets(guard, of->config);
	add_mark_maps(guard, of->config);
}

/*
 * Replies get the mark of their flow, by which the kernel's check of their way back (rp_filter, with src_valid_mark) finds
 * the gateway's route:
 *   ct direction reply ct mark & 0xff000000 vmap @replies
 */
static void fill_keep(struct guard_chain *chain, const struct config *config)
{
	struct guard_rule *rule = add_mark_map(chain, GUARD_REPLIES_MAP, SUBJECT_CT_MARK, config);

	guard_add_match(rule, MATCH_REPLY);
	COMMENT(rule, "reply to a client: gets the mark of its flow");
}

static const struct guard_chain keep_chain = {
	/* Behind the kernel's tracking of flows at -200, before routing. */
	"keep", "filter", NF_INET_PRE_ROUTING, -150, "prerouting", "mangle", NULL, 0, NULL
};

static void add_gateway_chains(struct guard *guard, const struct terms *of)
{
	const struct config *config = of->config;
	const struct gateway *gateway[CONFIG_GATEWAYS + 2];
	unsigned int count = all_gateways(config, gateway, true);

	fill_keep(guard_add_chain(guard, &keep_chain), config);
	add_session_maps(guard_add_chain(guard, &(struct guard_chain){ .name = "whose" }), of,
			 " of a client: marked for the gateway of its session");
	COMMENT(add_counted(&guard->chain[guard->chains - 1], VERDICT_DROP), "from a client without a session: dropped");
	for (unsigned int i = 0; i < count; i++) {
		fill_mark(add_gateway_chain(guard, "to", gateway[i]), config, gateway[i], VERDICT_MARK);
		if (gateway[i] == &config->block)
			continue;
		fill_mark(add_gateway_chain(guard, "kept", gateway[i]), config, gateway[i], VERDICT_CT_MARK);
		fill_by(add_gateway_chain(guard, "by", gateway[i]), of, gateway[i]);
	}
}

static const struct guard_chain prerouting_chain = {
	/* Before the kernel's defragmentation at -400 (NF_IP_PRI_CONNTRACK_DEFRAG). */
	"prerouting", "filter", NF_INET_PRE_ROUTING, -450, "prerouting", "-450", NULL, 0, NULL
};
static const struct guard_chain from_tunnel_chain = { .name = "from_tunnel" };
static const struct guard_chain forward_chain = {
	"forward", "filter", NF_INET_FORWARD, -10, "forward", "filter - 10", NULL, 0, NULL
};
static const struct guard_chain from_client_chain = { .name = "from_client" };
static const struct guard_chain fast_path_chain = { .name = GUARD_FAST_CHAIN };
static const struct guard_chain to_client_chain = { .name = "to_client" };
static const struct guard_chain input_chain = {
	"input", "filter", NF_INET_LOCAL_IN, -10, "input", "filter - 10", NULL, 0, NULL
};
static const struct guard_chain to_server_chain = { .name = "to_server" };
static const struct guard_chain from_gateway_chain = { .name = "from_gateway" };
static const struct guard_chain leaving_chain = {
	/* Before clients' addresses are masqueraded at 100 (NF_IP_PRI_NAT_SRC). */
	"leaving", "filter", NF_INET_POST_ROUTING, 90, "postrouting", "srcnat - 10", NULL, 0, NULL
};
static const struct guard_chain postrouting_chain = {
	"postrouting", "nat", NF_INET_POST_ROUTING, 100, "postrouting", "srcnat", NULL, 0, NULL
};

static const struct guard_chain our_address_chain = { .name = "our_address" };
static const struct guard_chain encrypted_chain = {
	/* Behind NAT. */
	"encrypted", "filter", NF_INET_POST_ROUTING, 110, "postrouting", "srcnat + 10", NULL, 0, NULL
};

static void add_leaving_chains(struct guard *guard, const struct terms *of, int family)
{
	const struct leaving_chains *names = &leaving_chains[family];

	if (has_clients(of->config, family)) {
		fill_of_subnet(guard_add_chain(guard, &(struct guard_chain){ .name = names->of_subnet }), of, family);
		fill_to_subnet(guard_add_chain(guard, &(struct guard_chain){ .name = names->to_subnet }), of, family);
	}
	if (stops_errors(of->config, family))
		fill_icmp_error(guard_add_chain(guard, &(struct guard_chain){ .name = names->icmp_error }), of, family);
}

static void add_sets(struct guard *guard, const struct config *config)
{
	if (config->flows)
		guard_add_set(guard, GUARD_FLOWS_SET, AF_UNSPEC, NULL, 0);
	if (has_clients(config, IPV4))
		guard_add_set(guard, GUARD_CLIENTS4_SET, AF_INET, config->subnets[IPV4].prefix, config->subnets[IPV4].count);
	if (has_clients(config, IPV6))
		guard_add_set(guard, GUARD_CLIENTS6_SET, AF_INET6, config->subnets[IPV6].prefix, config->subnets[IPV6].count);
}

void wanted_guard_make(struct guard *guard, const struct config *config, const struct exits *exits, const struct host *host)
{
	const struct terms of = { config, exits, host, guard };
	bool masquerade = config_masquerades(config, IPV4) || config_masquerades(config, IPV6);

	*guard = (struct guard){ 0 };
	memcpy(guard->table, config->killswitch_table, sizeof(guard->table));
	if (!config_covers(config, IPV4) && !config_covers(config, IPV6))
		return;
	add_sets(guard, config);
	if (config_is_mapped(config))
		add_gateway_sets(guard, &of);
	fill_prerouting(guard_add_chain(guard, &prerouting_chain), &of);
	fill_from_tunnel(guard_add_chain(guard, &from_tunnel_chain), &of);
	fill_forward(guard_add_chain(guard, &forward_chain), &of);
	fill_from_client(guard_add_chain(guard, &from_client_chain), &of);
	guard->fast.on = host->fast;
	if (host->fast)
		fill_fast_path(guard_add_chain(guard, &fast_path_chain), &of);
	if (config->inbound != INBOUND_ANY)
		fill_to_client(guard_add_chain(guard, &to_client_chain));
	fill_input(guard_add_chain(guard, &input_chain), &of);
	fill_to_server(guard_add_chain(guard, &to_server_chain), &of);
	if (masquerade)
		fill_from_gateway(guard_add_chain(guard, &from_gateway_chain));
	fill_leaving(guard_add_chain(guard, &leaving_chain), config);
	for (int family = 0; family < FAMILIES; family++)
		add_leaving_chains(guard, &of, family);
	if (masquerade) {
		fill_postrouting(guard_add_chain(guard, &postrouting_chain), &of);
		fill_our_address(guard_add_chain(guard, &our_address_chain), config);
	}
	if (config_is_mapped(config))
		add_gateway_chains(guard, &of);
	if (host->ipsec)
		fill_encrypted(guard_add_chain(guard, &encrypted_chain), config);
}

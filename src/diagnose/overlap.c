/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/overlap.h"
#include "kernel/rtnetlink.h"
#include "kernel/setting.h"
#include "sessions/session.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sysexits.h>

/* An address that packets are sent to, and by which interface. */
struct next_hop {
	struct address address;
	unsigned int interface;
};

struct search {
	const struct config *config;
	const struct host *host;
	struct netlink *netlink;
	struct overlaps *found;
	struct prefix *route;		/* of table main, longer than a subnet that holds it: they go on */
	size_t routes;
	struct next_hop *hop;		/* within subnets */
	size_t hops;
	struct address *own;		/* addresses of this host, tunnels included */
	size_t owns;
};

/* The subnet that holds an address, of a family that is covered; NULL where none does. */
static const struct prefix *subnet_of(const struct config *config, const struct address *address)
{
	int family = family_index(address->family);
	const struct subnets *subnets = &config->subnets[family];

	for (unsigned int i = 0; i < subnets->count && config_covers(config, family); i++)
		if (prefix_contains(&subnets->prefix[i], address))
			return &subnets->prefix[i];
	return NULL;
}

/* The name of an interface; false for a tunnel of clients, and for one that has gone. */
static bool is_others(const struct search *search, unsigned int interface, char name[IFNAMSIZ])
{
	return netlink_interface_name(search->netlink, interface, name) &&
	       (!interface_matches(&search->config->clients, name) || host_leaves_out(search->host, name));
}

/* What this host would lose to a subnet. */
static void PRINTF(3, 4) add_cut(struct search *search, const struct prefix *subnet, const char *format, ...)
{
	struct overlaps *found = search->found;
	struct text line CLEANUP(text_free) = { 0 };
	va_list args;

	va_start(args, format);
	text_add_formatted(&line, format, args);
	va_end(args);
	found->subnet = make_room_for_one(found->subnet, found->cut.count, sizeof(*found->subnet));
	found->subnet[found->cut.count] = *subnet;
	lines_add(&found->cut, "%s", text_string(&line));
}

static void free_search(struct search *search)
{
	free(search->route);
	free(search->hop);
	free(search->own);
	search->route = NULL;
	search->hop = NULL;
	search->own = NULL;
	search->routes = search->hops = search->owns = 0;
}

/* Addresses */

/* An interface that leads nowhere: lo, or a dummy, on which an address of its own harms no network. */
static bool leads_nowhere(const struct search *search, const char *name)
{
	struct ifreq request = { 0 };
	int fd = search->netlink->socket;

	snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return false;
	return request.ifr_flags & IFF_LOOPBACK ||
	       (request.ifr_flags & IFF_NOARP && !(request.ifr_flags & IFF_POINTOPOINT));
}

/* Whether the hosts there are told that this one leads to clients: by proxy ARP, or proxy NDP. */
static bool is_proxy(const char *family, const char *interface, const char *setting)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/conf/%s/%s", family, interface, setting);
	return setting_read(name) > 0;
}

static void judge_network(struct search *search, const struct prefix *network, const char *interface)
{
	const char *setting = network->address.family == AF_INET ? "proxy_arp" : "proxy_ndp";
	const char *family = network->address.family == AF_INET ? "ipv4" : "ipv6";
	const struct subnets *subnets = &search->config->subnets[family_index(network->address.family)];
	char own[PREFIX_TEXT], held[PREFIX_TEXT];

	if (!config_covers(search->config, family_index(network->address.family)))
		return;
	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_contains(network, &subnets->prefix[i].address) && network->length < subnets->prefix[i].length &&
		    !is_proxy(family, interface, setting))
			lines_add(&search->found->shared, "the client subnet %s is a part of the network %s on %s: this host no longer reaches "
				  "other hosts there with an address in it, nor do they reach clients; if that is intended, "
				  "sysctl -w net.%s.conf.%s.%s=1", prefix_text(&subnets->prefix[i], held),
				  prefix_text(network, own), interface, family, interface, setting);
}

static void judge_address(struct search *search, const struct prefix *prefix, const char *interface)
{
	const struct prefix *subnet = subnet_of(search->config, &prefix->address);
	struct prefix network = prefix_mask(prefix);
	char own[PREFIX_TEXT], held[PREFIX_TEXT];

	if (!subnet)
		judge_network(search, &network, interface);
	else if (leads_nowhere(search, interface))
		lines_add(&search->found->shared, "the client subnet %s holds this host's own address %s on %s: what this host sends "
			  "from that address to anyone but clients leaves via the gateway", prefix_text(subnet, held),
			  prefix_text(prefix, own), interface);
	else
		add_cut(search, subnet, "the client subnet %s holds this host's own address %s on %s", prefix_text(subnet, held),
			  prefix_text(prefix, own), interface);
}

static int take_address(const struct nlmsghdr *message, void *data)
{
	struct interface_address address;
	struct search *search = data;
	char name[IFNAMSIZ];

	if (!rtnetlink_parse_address(message, &address))
		return EBADMSG;
	if (!address.own.family || address.link_local)
		return 0;
	search->own = make_room_for_one(search->own, search->owns, sizeof(*search->own));
	search->own[search->owns++] = address.own;
	if (is_others(search, address.interface, name))
		judge_address(search, &(struct prefix){ address.own, address.length }, name);
	return 0;
}

/* Routes */

static void take_hop(struct search *search, const void *bytes, size_t size, uint8_t family, unsigned int interface)
{
	struct next_hop hop = { .address.family = family, .interface = interface };

	if ((family != AF_INET && family != AF_INET6) || size != address_size(family))
		return;
	memcpy(hop.address.bytes, bytes, size);
	for (size_t i = 0; i < search->hops; i++)
		if (address_equal(&search->hop[i].address, &hop.address))
			return;
	if (!subnet_of(search->config, &hop.address))
		return;
	search->hop = make_room_for_one(search->hop, search->hops, sizeof(*search->hop));
	search->hop[search->hops++] = hop;
}

/* RTA_GATEWAY, or RTA_VIA, which has its family in front. */
static void take_gateway(struct search *search, const struct nlattr *attribute, uint8_t family, unsigned int interface)
{
	const char *payload = mnl_attr_get_payload(attribute);
	size_t size = mnl_attr_get_payload_len(attribute);
	uint16_t via;

	if (mnl_attr_get_type(attribute) == RTA_GATEWAY) {
		take_hop(search, payload, size, family, interface);
	} else if (mnl_attr_get_type(attribute) == RTA_VIA && size > sizeof(via)) {
		memcpy(&via, payload, sizeof(via));
		take_hop(search, payload + sizeof(via), size - sizeof(via), (uint8_t)via, interface);
	}
}

static void take_next_hops(struct search *search, const struct nlattr *several, uint8_t family)
{
	const struct rtnexthop *next = mnl_attr_get_payload(several);
	int left = mnl_attr_get_payload_len(several);

	for (; left >= (int)sizeof(*next) && RTNH_OK(next, left); next = RTNH_NEXT(next)) {
		const struct nlattr *attribute = (const struct nlattr *)RTNH_DATA(next);

		left -= RTNH_ALIGN(next->rtnh_len);
		while (mnl_attr_ok(attribute, (int)((const char *)next + next->rtnh_len - (const char *)attribute))) {
			take_gateway(search, attribute, family, (unsigned int)next->rtnh_ifindex);
			attribute = mnl_attr_next(attribute);
		}
	}
}

/* A route of table main within the subnets. */
static void judge_route(struct search *search, const struct route *route)
{
	struct prefix destination = { .address = route->destination, .length = route->destination_length };
	const struct prefix *subnet = subnet_of(search->config, &destination.address);
	char held[PREFIX_TEXT], interface[IFNAMSIZ] = "several ways";

	if (!subnet || destination.length < subnet->length ||
	    (route->interface && !is_others(search, route->interface, interface)))
		return;
	if (destination.length > subnet->length) {
		search->route = make_room_for_one(search->route, search->routes, sizeof(*search->route));
		search->route[search->routes++] = destination;
	} else if (route->gateway.family || route->indirect) {
		lines_add(&search->found->shared, "the client subnet %s is also that of a route via %s, which this host may lose: "
			  "remove the route, or give clients another subnet", prefix_text(subnet, held), interface);
	} else {
		add_cut(search, subnet, "the client subnet %s is also the network on %s", prefix_text(subnet, held), interface);
	}
}

static int take_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct search *search = data;
	struct route route;

	if (!rtnetlink_parse_route(message, &route))
		return 0;
	if (route.type == RTN_UNICAST && route.protocol != ROUTING_PROTOCOL && !(header->rtm_flags & RTM_F_CLONED)) {
		mnl_attr_for_each(attribute, message, sizeof(*header)) {
			take_gateway(search, attribute, route.family, route.interface);
			if (mnl_attr_get_type(attribute) == RTA_MULTIPATH)
				take_next_hops(search, attribute, route.family);
		}
		if (route.table == RT_TABLE_MAIN)
			judge_route(search, &route);
	}
	route_free(&route);
	return 0;
}

static bool is_reached(const struct search *search, const struct address *address)
{
	for (size_t i = 0; i < search->routes; i++)
		if (prefix_contains(&search->route[i], address))
			return true;
	return false;
}

static void judge_hops(struct search *search)
{
	char held[PREFIX_TEXT], address[ADDRESS_TEXT], interface[IFNAMSIZ];

	for (size_t i = 0; i < search->hops; i++) {
		const struct prefix *subnet = subnet_of(search->config, &search->hop[i].address);

		if (subnet && !is_reached(search, &search->hop[i].address) &&
		    is_others(search, search->hop[i].interface, interface))
			add_cut(search, subnet, "the client subnet %s holds %s, a next hop of this host's routes on %s",
				prefix_text(subnet, held), address_text(&search->hop[i].address, address), interface);
	}
}

/* Resolvers */

/* ocserv gives itself the first address of the pool, where a resolver of this host may listen once a client is there. */
static bool is_servers_own(const struct search *search, const struct prefix *subnet, const struct address *address)
{
	struct address first = prefix_mask(subnet).address;

	first.bytes[address_size(first.family) - 1]++;
	for (size_t i = 0; i < search->owns; i++)
		if (address_equal(&search->own[i], address))
			return true;
	return address_equal(&first, address);
}

static void judge_resolver(struct search *search, const char *text, const char *path)
{
	struct address address;
	const struct prefix *subnet;
	char held[PREFIX_TEXT];

	if (!address_parse_unscoped(&address, text))
		return;
	subnet = subnet_of(search->config, &address);
	if (subnet && !is_servers_own(search, subnet, &address) && !is_reached(search, &address))
		add_cut(search, subnet, "the client subnet %s holds %s, a resolver of this host (%s)", prefix_text(subnet, held),
			  text, path);
}

static void read_resolvers(struct search *search, const char *path)
{
	struct stat status;
	FILE *file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "re") : NULL;
	char line[256], address[ADDRESS_TEXT + IFNAMSIZ];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " nameserver %61s", address) == 1)
			judge_resolver(search, address, path);
	if (file)
		fclose(file);
}

void overlaps_free(struct overlaps *overlaps)
{
	lines_free(&overlaps->cut);
	lines_free(&overlaps->shared);
	free(overlaps->subnet);
	*overlaps = (struct overlaps){ 0 };
}

static int read_kernel(struct search *search, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	if (netlink_request(search->netlink, rtnetlink_dump_addresses(buffer, AF_UNSPEC, 0), take_address, search, error) < 0)
		return -1;
	return netlink_request(search->netlink, rtnetlink_dump_routes(buffer, RT_TABLE_UNSPEC), take_route, search, error);
}

static void forget(struct search *search)
{
	free_search(search);
	overlaps_free(search->found);
}

int overlap_find(struct overlaps *overlaps, const struct config *config, const struct host *host, struct netlink *route,
		 struct report *report)
{
	struct search search = { .config = config, .host = host, .netlink = route, .found = overlaps };
	struct netlink_error error;
	int result, attempts = 0;

	*overlaps = (struct overlaps){ 0 };
	do {
		forget(&search);
		result = read_kernel(&search, &error);
	} while (netlink_again(result, &error, &attempts));
	if (result == 0) {
		judge_hops(&search);
		read_resolvers(&search, "/etc/resolv.conf");
		read_resolvers(&search, "/run/systemd/resolve/resolv.conf");
	} else {
		report_error(report, netlink_error_status(&error), "can't read the addresses and routes of this host: %s",
			     netlink_error_text(&error));
	}
	free_search(&search);
	return result;
}

static bool adds_rule(const struct plan *plan)
{
	for (size_t i = 0; i < plan->steps; i++)
		if (plan->step[i].kind == STEP_RULE_ADD)
			return true;
	return false;
}

static bool is_about(const struct rule *rule, const struct prefix *subnet)
{
	return prefix_equal(&rule->source, subnet) || prefix_equal(&rule->destination, subnet);
}

struct lives {
	const struct prefix *subnet;
	bool any;
};

static bool note_within(const struct session *session, void *data)
{
	struct lives *lives = data;
	struct address address;

	lives->any = (address_parse_unscoped(&address, session->ip4) && prefix_contains(lives->subnet, &address)) ||
		     (address_parse_unscoped(&address, session->ip6) && prefix_contains(lives->subnet, &address));
	return !lives->any;
}

static bool has_sessions(const struct config *config, const struct prefix *subnet)
{
	struct lives lives = { .subnet = subnet };

	state_look(config->state_dir, note_within, &lives);
	return lives.any;
}

/* Whether the plan makes a subnet one of the clients' that was none before. */
static bool is_new(const struct config *config, const struct plan *plan, const struct prefix *subnet)
{
	bool added = false;

	for (size_t i = 0; i < plan->intact_rules; i++)
		if (is_about(plan->intact_rule[i], subnet))
			return false;
	for (size_t i = 0; i < plan->steps; i++)
		added = added || (plan->step[i].kind == STEP_RULE_ADD && is_about(plan->step[i].rule, subnet));
	return added && !has_sessions(config, subnet);
}

int overlap_refuse(const struct config *config, const struct situation *situation, enum doer doer, struct netlink *route,
		   struct report *report)
{
	struct overlaps found;
	int result;

	if (doer == BY_HOOK && !adds_rule(&situation->plan))
		return 0;
	result = overlap_find(&found, config, &situation->host, route, report);
	for (size_t i = 0; i < found.cut.count; i++) {
		if (is_new(config, &situation->plan, &found.subnet[i]))
			result = report_error(report, EX_CONFIG, "%s: with our policy rules this host would be cut off from there, so "
					      "nothing is changed; give clients a subnet that nothing else uses, here and in ocserv.conf",
					      found.cut.line[i]);
		else
			report_warning(report, "%s: this host is cut off from there; give clients a subnet that nothing else uses, here "
				       "and in ocserv.conf, or `ocserv-gateway down`", found.cut.line[i]);
	}
	for (size_t i = 0; i < found.shared.count; i++)
		report_warning(report, "%s", found.shared.line[i]);
	overlaps_free(&found);
	return result;
}

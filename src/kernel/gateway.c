/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/gateway.h"
#include "kernel/contact.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int look_up(struct netlink *netlink, const struct address *address, unsigned int interface,
		   struct route *route, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	*route = (struct route){ 0 };
	return netlink_request(netlink, rtnetlink_get_route(buffer, address, interface), rtnetlink_take_route, route, error);
}

/* What a lookup says where there is no route, or where a rule or route denies. */
static bool is_unreachable(int number)
{
	return number == ENETUNREACH || number == EHOSTUNREACH || number == ENETDOWN || number == ENODEV ||
	       number == EACCES || number == EINVAL;
}

static int fail(struct report *report, const struct netlink_error *error, int family, const char *doing)
{
	return report_error(report, netlink_error_status(error), "%s the %s gateway: %s", doing, family_name(family),
			    netlink_error_text(error));
}

struct search {
	const struct address *gateway;
	uint32_t table;
	unsigned int interface;		/* 0 for all */
	struct gateway_sight *sight;
	unsigned int found;		/* the interface of a route of ours; 0 for none */
};

static int take_address(const struct nlmsghdr *message, void *data)
{
	const struct search *search = data;
	struct gateway_sight *sight = search->sight;
	struct interface_address address;

	if (!rtnetlink_parse_address(message, &address) || !address.peer.family ||
	    (search->interface && address.interface != search->interface) ||
	    !choice_can_hold(&(struct prefix){ address.peer, address.length }, search->gateway))
		return 0;
	for (size_t i = 0; i < sight->holders; i++)
		if (sight->holder[i].index == address.interface)
			return 0;
	sight->holder = make_room_for_one(sight->holder, sight->holders, sizeof(*sight->holder));
	sight->holder[sight->holders++] = (struct interface){ .index = address.interface };
	return 0;
}

static void clear_holders(void *data)
{
	((struct search *)data)->sight->holders = 0;
}

static void sight_free(struct gateway_sight *sight)
{
	route_free(&sight->route);
	free(sight->holder);
}

/* That of the route has its name already. */
static bool name_holder(const struct netlink *netlink, const struct gateway_sight *sight, struct interface *holder)
{
	if (holder->index != sight->route.interface || !sight->interface[0])
		return netlink_interface_name(netlink, holder->index, holder->name);
	memcpy(holder->name, sight->interface, IFNAMSIZ);
	return true;
}

/* Which interfaces have an address in the gateway's network; with @interface, whether that one has. */
static int find_holders(struct netlink *netlink, const struct address *gateway, unsigned int interface,
			struct gateway_sight *sight, struct netlink_error *error)
{
	struct search search = { .gateway = gateway, .interface = interface, .sight = sight };
	char buffer[NETLINK_MESSAGE_SIZE];
	size_t named = 0;

	if (netlink_dump(netlink, rtnetlink_dump_addresses(buffer, gateway->family, interface), clear_holders, take_address,
			 &search, error) < 0 && error->number != ENODEV)
		return -1;
	/* One that has gone meanwhile is none. */
	for (size_t i = 0; i < sight->holders; i++) {
		sight->holder[named].index = sight->holder[i].index;
		named += name_holder(netlink, sight, &sight->holder[named]);
	}
	sight->holders = named;
	return 0;
}

static int take_own_route(const struct nlmsghdr *message, void *data)
{
	struct search *search = data;
	struct route route = { 0 };

	if (!rtnetlink_parse_route(message, &route))
		return 0;
	if (route.protocol == ROUTING_PROTOCOL && route.table == search->table && route.type == RTN_UNICAST &&
	    route.destination_length == 0 && address_equal(&route.gateway, search->gateway))
		search->found = route.interface;
	route_free(&route);
	return 0;
}

static void clear_found(void *data)
{
	((struct search *)data)->found = 0;
}

/* The interface by which our own route goes to the gateway; "" where there is none. */
static int find_own_route(struct netlink *netlink, const struct exit *exit, char interface[IFNAMSIZ],
			  struct netlink_error *error)
{
	struct search search = { .gateway = &exit->nexthop, .table = exit->gateway->table };
	char buffer[NETLINK_MESSAGE_SIZE];

	interface[0] = '\0';
	/* A table that never had a route does not exist. */
	if (netlink_dump(netlink, rtnetlink_dump_routes(buffer, search.table), clear_found, take_own_route, &search,
			 error) < 0 && error->number != ENOENT)
		return -1;
	if (search.found && !netlink_interface_name(netlink, search.found, interface))
		interface[0] = '\0';
	return 0;
}

/* What the choice is made from, except for the route itself. */
static int look_around(struct netlink *netlink, const struct exit *exit, const struct choices *chosen,
		       struct gateway_sight *sight, char remembered[IFNAMSIZ], struct netlink_error *error)
{
	const struct gateway_choice *choice = chosen ? choices_find(chosen, exit->gateway, exit->family, 0) : NULL;
	const struct address *gateway = &exit->nexthop;

	remembered[0] = '\0';
	if (exit->gateway->interface[0])
		return 0;
	if (choice && choice->interface[0] && address_equal(&choice->address, gateway))
		memcpy(remembered, choice->interface, IFNAMSIZ);
	else if (chosen && find_own_route(netlink, exit, remembered, error) < 0)
		return -1;
	if (!remembered[0])
		return find_holders(netlink, gateway, 0, sight, error);
	return sight->error || strcmp(remembered, sight->interface) != 0 ? 0 :
	       find_holders(netlink, gateway, sight->route.interface, sight, error);
}

/* Whether an entry with a hardware address is of use there. */
static int check_mac(const struct netlink *netlink, const struct config *config, const struct exit *exit,
		     struct report *report)
{
	enum config_key key = exit->family == IPV4 ? KEY_MAC4 : KEY_MAC6;
	const char *name = exit->interface.name;
	int fd = netlink->socket;
	struct ifreq flags = { 0 }, hardware = { 0 };

	memcpy(flags.ifr_name, name, IFNAMSIZ);
	memcpy(hardware.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, SIOCGIFFLAGS, &flags) < 0 || ioctl(fd, SIOCGIFHWADDR, &hardware) < 0)
		return gateway_error(config, exit->gateway, report, key, "%s: %s", name, strerror(errno));
	if (flags.ifr_flags & (IFF_NOARP | IFF_POINTOPOINT | IFF_LOOPBACK))
		return gateway_error(config, exit->gateway, report, key, "%s uses no hardware addresses (it is point-to-point, or NOARP): "
				    "what leaves there reaches its other end; remove this", name);
	if (hardware.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return gateway_error(config, exit->gateway, report, key, "%s is not an Ethernet interface (type %u of linux/if_arp.h), and its neighbours "
				    "have another kind of address; remove this", name,
				    hardware.ifr_hwaddr.sa_family);
	return 0;
}

/* The kill switch knows interfaces by their own name alone. */
static bool refuse_other_name(struct netlink *netlink, const struct config *config, const struct exit *exit, unsigned int index,
			      const char *name, struct report *report)
{
	char own[IFNAMSIZ];

	if (!netlink_interface_name(netlink, index, own) || strcmp(own, name) == 0)
		return false;
	gateway_error(config, exit->gateway, report, KEY_GATEWAY_INTERFACE, "is an alternative name of %s; write that", own);
	return true;
}

enum found { FOUND, NO_INTERFACE, NO_WAY };

static enum found find_one(struct netlink *netlink, const struct config *config, const struct choices *chosen,
			   struct exit *exit, struct report *report)
{
	const struct gateway *gateway = exit->gateway;
	struct gateway_sight sight = { 0 };
	struct netlink_error error, other;
	char remembered[IFNAMSIZ];
	unsigned int interface = 0;
	int result;

	if (gateway->interface[0]) {
		interface = if_nametoindex(gateway->interface);
		if (!interface) {
			gateway_error(config, exit->gateway, report, KEY_GATEWAY_INTERFACE, "there is no such interface");
			return NO_INTERFACE;
		}
		if (refuse_other_name(netlink, config, exit, interface, gateway->interface, report))
			return NO_INTERFACE;
	}
	if (look_up(netlink, &exit->nexthop, interface, &sight.route, &error) < 0) {
		sight.error = error.number;
		sight.said = netlink_error_text(&error);
	}
	if (sight.route.interface && !netlink_interface_name(netlink, sight.route.interface, sight.interface))
		sight.interface[0] = '\0';
	sight.remembered = remembered;
	if (sight.error && !is_unreachable(sight.error))
		result = fail(report, &error, exit->family, "looking up the route to");
	else if (look_around(netlink, exit, chosen, &sight, remembered, &other) < 0)
		result = fail(report, &other, exit->family, "looking for the network of");
	else
		result = choice_make(config, exit, &sight, report);
	sight_free(&sight);
	if (result == 0 && gateway->to[exit->family].mac.known && check_mac(netlink, config, exit, report) < 0) {
		exit->interface = (struct interface){ 0 };
		result = -1;
	}
	return result < 0 ? NO_WAY : FOUND;
}

/* An interface that leads there itself. Whether it has a carrier may change at any time, and the route needs none. */
static enum found find_link(struct netlink *netlink, const struct config *config, struct exit *exit, struct report *report)
{
	const char *name = exit->interface.name, *family = family_name(exit->family);
	struct contact contact;

	exit->interface.index = if_nametoindex(name);
	contact_make(&contact, netlink, exit);
	if (!exit->interface.index) {
		gateway_error(config, exit->gateway, report, KEY_GATEWAY_INTERFACE, "there is no such interface, and clients leave only via "
			     "it: sessions are refused until it exists; start what creates it, such as wg-quick up %s", name);
		return NO_INTERFACE;
	}
	if (refuse_other_name(netlink, config, exit, exit->interface.index, name, report))
		return NO_INTERFACE;
	if (contact.fault == CONTACT_DOWN) {
		gateway_error(config, exit->gateway, report, KEY_GATEWAY_INTERFACE, "it is down, and clients leave only via it: sessions "
			     "are refused until it is up; ip link set %s up", name);
		return NO_INTERFACE;
	}
	if (contact.fault != CONTACT_NO_ADDRESS)
		return FOUND;
	gateway_error(config, exit->gateway, report, config_address_key(exit->family), "%s has no %s address to give clients, so "
		     "they would leave with another address of this host: sessions are refused until it has one; ip addr "
		     "show dev %s, or set address%d = block, or masquerade = no if what is behind %s has a route "
		     "to the clients", name, family, name, exit->family == IPV4 ? 4 : 6, name);
	return NO_WAY;
}

unsigned int gateway_find(struct netlink *route, const struct config *config, const struct choices *chosen,
			  struct exits *exits, struct report *report)
{
	unsigned int of_its_own = 0, of_all = 0;

	for (unsigned int i = 0; i < exits->count; i++) {
		struct exit *exit = &exits->exit[i];
		struct report *reasons = config_is_mapped(config) ? &exit->missing : report;
		enum found found;

		if (exit->apart)
			continue;
		found = exit_is_link(exit) ? find_link(route, config, exit, reasons) :
					     find_one(route, config, chosen, exit, reasons);
		if (config_is_mapped(config)) {
			exit->interface.index = found == FOUND ? exit->interface.index : 0;
			continue;
		}
		of_its_own += found == NO_WAY;
		if (found == NO_INTERFACE)
			of_all = 1;
	}
	return of_its_own + of_all;
}

static void advise_exit(struct netlink *route, const struct config *config, const struct exit *exit, struct report *report)
{
	struct text names CLEANUP(text_free) = { 0 };
	struct gateway_sight sight = { 0 };
	struct netlink_error error;
	char address[ADDRESS_TEXT], section[GATEWAY_SECTION];

	address_text(&exit->nexthop, address);
	if (find_holders(route, &exit->nexthop, 0, &sight, &error) < 0)
		report_error(report, netlink_error_status(&error), "can't see which interfaces have an address in the "
			     "network of the gateway %s: %s", address, netlink_error_text(&error));
	else if (choice_candidates(config, &sight, &names) > 1)
		report_warning(report, "the gateway %s is assumed to be on %s, but %s have an address in its network: once "
			       "that choice is forgotten, sessions are refused; set %s interface = %s", address,
			       exit->interface.name, text_string(&names), gateway_section(exit->gateway, section),
			       exit->interface.name);
	sight_free(&sight);
}

void gateway_advise(struct netlink *route, const struct config *config, const struct exits *exits, struct report *report)
{
	for (unsigned int i = 0; i < exits->count; i++)
		if (!exits->exit[i].gateway->interface[0] && exits->exit[i].interface.index)
			advise_exit(route, config, &exits->exit[i], report);
}

bool gateway_is_local(struct netlink *netlink, const struct address *address)
{
	struct netlink_error error;
	struct route route;
	bool local = look_up(netlink, address, 0, &route, &error) == 0 && route.type == RTN_LOCAL;

	route_free(&route);
	return local;
}

bool gateway_host_route(struct netlink *netlink, const struct address *address, struct prefix *network,
			char interface[IFNAMSIZ])
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *request = rtnetlink_get_route(buffer, address, 0);
	struct netlink_error error;
	struct route route = { 0 };
	bool found;

	((struct rtmsg *)mnl_nlmsg_get_payload(request))->rtm_flags = RTM_F_FIB_MATCH;
	found = netlink_request(netlink, request, rtnetlink_take_route, &route, &error) == 0 && route.type == RTN_UNICAST &&
		route.destination_length > 1 && netlink_interface_name(netlink, route.interface, interface);
	*network = (struct prefix){ .address = route.destination, .length = route.destination_length };
	route_free(&route);
	return found;
}

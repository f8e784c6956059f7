/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway.h"
#include "rtnetlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

static int look_up(struct netlink *netlink, const struct address *address, unsigned int interface,
		   struct route *route, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	*route = (struct route){ 0 };
	return netlink_request(netlink, rtnetlink_get_route(buffer, address, interface), rtnetlink_take_route, route, error);
}

static int check_route(const struct config *config, enum config_key key, const struct address *gateway,
		       const struct route *route, const char *interface, struct report *report)
{
	char address[ADDRESS_TEXT];

	if (route->type == RTN_LOCAL)
		return config_error(config, report, key, "is an address of this host; name the gateway's");
	if (route->type != RTN_UNICAST || !interface[0])
		return config_error(config, report, key, "is not on a network of this host");
	/* Through itself: by a default route to it, which a rule may prefer to that of its network. */
	if (route->gateway.family && !address_equal(&route->gateway, gateway))
		return config_error(config, report, key, "is not on a network of this host, but reached through "
				    "%s on %s; clients need a gateway that is on-link",
				    address_text(&route->gateway, address), interface);
	if (!interface_name_valid(interface))
		return config_error(config, report, key, "is reached through '%s', a name that can't be written in a rule of "
				    "the kill switch; rename the interface", interface);
	if (interface_matches(&config->clients, interface))
		return config_error(config, report, key, "is reached through %s, which is a tunnel of the clients",
				    interface);
	return 0;
}

/* What a lookup says where there is no way: by the routes, or by a rule or route that denies. */
static bool is_unreachable(int number)
{
	return number == ENETUNREACH || number == EHOSTUNREACH || number == ENETDOWN || number == ENODEV ||
	       number == EACCES || number == EINVAL;
}

static int find_one(struct netlink *netlink, const struct config *config, int family, struct gateway_path *path,
		    struct report *report)
{
	enum config_key key = family == IPV4 ? KEY_ADDRESS4 : KEY_ADDRESS6;
	unsigned int interface = 0;
	struct netlink_error error;
	struct route route;
	int result;

	if (config->gateway_interface[0]) {
		interface = if_nametoindex(config->gateway_interface);
		if (!interface)
			return config_error(config, report, KEY_GATEWAY_INTERFACE, "there is no such interface");
	}
	if (look_up(netlink, &config->gateway[family].address, interface, &route, &error) < 0) {
		route_free(&route);
		if (!is_unreachable(error.number))
			return report_error(report, netlink_error_status(&error), "asking for the way to the %s "
					    "gateway: %s", family_name(family), netlink_error_text(&error));
		return config_error(config, report, key, "is not on a network of this host%s%s (the kernel says: %s)",
				    interface ? " on " : "", config->gateway_interface, netlink_error_text(&error));
	}
	path->interface = route.interface;
	if (!route.interface || !netlink_interface_name(netlink, route.interface, path->interface_name))
		path->interface_name[0] = '\0';
	result = check_route(config, key, &config->gateway[family].address, &route, path->interface_name,
			     report);
	route_free(&route);
	if (result < 0)
		*path = (struct gateway_path){ 0 };
	return result;
}

int gateway_find(struct netlink *route, const struct config *config, struct gateway_path path[FAMILIES],
		 struct report *report)
{
	int result = 0;

	memset(path, 0, FAMILIES * sizeof(*path));
	for (int family = 0; family < FAMILIES; family++)
		if (config->gateway[family].mode == GATEWAY_ADDRESS &&
		    find_one(route, config, family, &path[family], report) < 0)
			result = -1;
	return result;
}

bool gateway_is_local(struct netlink *netlink, const struct address *address)
{
	struct netlink_error error;
	struct route route;
	bool local = look_up(netlink, address, 0, &route, &error) == 0 && route.type == RTN_LOCAL;

	route_free(&route);
	return local;
}

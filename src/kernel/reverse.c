/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/reverse.h"
#include "kernel/rtnetlink.h"
#include "kernel/setting.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

/* Of no network anywhere (RFC 7600), so that the default route leads there. */
#define ANYWHERE "192.0.0.8"

struct search {
	struct wanted *wanted;
	int checks, takes_marks;	/* of all interfaces: rp_filter, src_valid_mark */
	const char *last;		/* the interface that was looked at last: most gateways are on one */
};

static int of_interface(const char *interface, const char *name)
{
	char path[SETTING_NAME];

	snprintf(path, sizeof(path), "ipv4/conf/%s/%s", interface, name);
	return setting_read(path);
}

/* Of both values the greater one counts. */
static void look_at(struct search *search, const char *interface)
{
	struct setting_step setting = { .value = 1 };

	if (search->takes_marks > 0 || !interface[0] || strchr(interface, '/') || strcmp(interface, search->last) == 0)
		return;
	search->last = interface;
	if (search->checks <= 0 && of_interface(interface, "rp_filter") <= 0)
		return;
	snprintf(setting.name, sizeof(setting.name), "ipv4/conf/%s/src_valid_mark", interface);
	setting.is_set = setting_read(setting.name) > 0;
	wanted_add_setting(search->wanted, &setting);
}

static bool is_anybody_direct(const struct config *config)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (config->gateway[i].to[IPV4].mode == GATEWAY_DIRECT)
			return true;
	return config_may_send(config, &config->direct);
}

/* "" where there is none. */
static void find_default_interface(struct netlink *netlink, char interface[IFNAMSIZ])
{
	struct netlink_error error;
	struct route route = { 0 };
	char buffer[NETLINK_MESSAGE_SIZE];
	struct address anywhere;

	interface[0] = '\0';
	address_parse(&anywhere, ANYWHERE);
	if (netlink_request(netlink, rtnetlink_get_route(buffer, &anywhere, 0), rtnetlink_take_route, &route, &error) == 0 &&
	    route.interface && !netlink_interface_name(netlink, route.interface, interface))
		interface[0] = '\0';
	route_free(&route);
}

void reverse_find(struct netlink *route, const struct config *config, const struct exits *exits, struct wanted *wanted)
{
	struct search search = { .wanted = wanted, .last = "" };
	char interface[IFNAMSIZ];

	if (!config_is_mapped(config) || !config_covers(config, IPV4))
		return;
	search.checks = setting_read("ipv4/conf/all/rp_filter");
	search.takes_marks = setting_read("ipv4/conf/all/src_valid_mark");
	for (unsigned int i = 0; i < exits->count; i++)
		if (exits->exit[i].family == IPV4 && exits->exit[i].interface.index)
			look_at(&search, exits->exit[i].interface.name);
	if (is_anybody_direct(config)) {
		find_default_interface(route, interface);
		look_at(&search, interface);
	}
}

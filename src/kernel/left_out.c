/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/left_out.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* What the addresses of an interface say of it. */
struct seen {
	unsigned int index;
	bool clients;	/* one is a client's, or may be */
};

struct look {
	const struct config *config;
	struct seen *seen;	/* of each address */
	size_t count;
};

/* Whether an address may stand at a tunnel of clients: in their subnets, or in a family about which nothing is known. */
static bool may_be_of_clients(const struct config *config, const struct address *address)
{
	int family = family_index(address->family);

	return !config_covers(config, family) || config->subnets[family].count == 0 || config_is_client(config, address);
}

static int take_address(const struct nlmsghdr *message, void *data)
{
	struct interface_address address;
	struct look *look = data;

	if (!rtnetlink_parse_address(message, &address))
		return EBADMSG;
	if (!address.own.family || address.link_local)
		return 0;
	look->seen = make_room_for_one(look->seen, look->count, sizeof(*look->seen));
	look->seen[look->count++] = (struct seen){
		.index = address.interface, .clients = may_be_of_clients(look->config, &address.own) ||
			 (address.peer.family && may_be_of_clients(look->config, &address.peer)),
	};
	return 0;
}

/* By interface, of each what makes it the clients' first. */
static int compare_seen(const void *a, const void *b)
{
	const struct seen *one = a, *other = b;

	if (one->index != other->index)
		return one->index < other->index ? -1 : 1;
	return other->clients - one->clients;
}

/* What can't be left out counts as a tunnel of clients, which denies. */
static int leave_out(struct host *host, const struct config *config, const char *name, struct report *report)
{
	if (!config->clients.wildcard)
		return config_error(config, report, KEY_CLIENT_INTERFACE, "has no client address, so it is not one of "
				    "their tunnels; set it to ocserv's `device` followed by *");
	if (!interface_name_valid(name))
		report_warning(report, "[clients] interface matches '%s', which is not a client tunnel, but its name can't "
			       "be used in a kill switch rule: what comes in there is dropped; rename it", name);
	else if (host->left_outs == GUARD_LEFT_OUT)
		report_warning(report, "[clients] interface matches %s and %d other interfaces that are not client tunnels, and no more "
			       "can be left out: what comes in there is dropped; set it, and ocserv's `device`, to a name that nothing "
			       "else has", name, GUARD_LEFT_OUT);
	else
		snprintf(host->left_out[host->left_outs++], IFNAMSIZ, "%s", name);
	return 0;
}

/* The first address of an interface of which none may be a client's. */
static bool is_anothers(const struct look *look, size_t i)
{
	return !look->seen[i].clients && (i == 0 || look->seen[i].index != look->seen[i - 1].index);
}

static void forget_seen(void *data)
{
	((struct look *)data)->count = 0;
}

int left_out_find(struct host *host, const struct config *config, struct netlink *route, struct report *report)
{
	struct look look = { .config = config };
	char buffer[NETLINK_MESSAGE_SIZE], name[IFNAMSIZ];
	struct netlink_error error;
	int result = netlink_dump(route, rtnetlink_dump_addresses(buffer, AF_UNSPEC, 0), forget_seen, take_address, &look,
				  &error);

	if (look.count)
		qsort(look.seen, look.count, sizeof(*look.seen), compare_seen);
	host->left_outs = 0;
	if (result < 0)
		report_error(report, netlink_error_status(&error), "can't read the addresses of this host: %s",
			     netlink_error_text(&error));
	for (size_t i = 0; i < look.count && result == 0; i++)
		if (is_anothers(&look, i) && netlink_interface_name(route, look.seen[i].index, name) &&
		    interface_matches(&config->clients, name))
			result = leave_out(host, config, name, report);
	free(look.seen);
	return result;
}

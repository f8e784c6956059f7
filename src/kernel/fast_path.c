/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/fast_path.h"
#include "kernel/nftables_batch.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/*
 * The first that asks for each packet whether the route of its flow still holds: an older one sends it on where a policy rule has
 * gone, and drops it for as long as the flow lasts where the route has.
 */
#define LINUX_MAJOR 5
#define LINUX_MINOR 13

static uint32_t number_of(const struct nlattr *attribute)
{
	return mnl_attr_validate(attribute, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(attribute);
}

int fast_path_take_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct link link = { 0 };
	struct links *links = data;
	bool elsewhere = false;

	if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return EBADMSG;
	link.index = (unsigned int)header->ifi_index;
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		switch (mnl_attr_get_type(attribute)) {
		case IFLA_IFNAME:
			snprintf(link.name, sizeof(link.name), "%.*s", (int)mnl_attr_get_payload_len(attribute),
				 mnl_attr_get_str(attribute));
			break;
		case IFLA_MASTER:
			link.master = number_of(attribute);
			break;
		case IFLA_LINK:
			link.lower = number_of(attribute);
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		}
	}
	if (elsewhere || link.lower == link.index)
		link.lower = 0;
	links->link = make_room_for_one(links->link, links->count, sizeof(*links->link));
	links->link[links->count++] = link;
	return 0;
}

static void forget_links(void *data)
{
	((struct links *)data)->count = 0;
}

int fast_path_read(struct links *links, const char *name, struct netlink *route, struct report *report)
{
	char buffer[NETLINK_MESSAGE_SIZE], padded_name[IFNAMSIZ] = { 0 };
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct netlink_error error;

	*links = (struct links){ 0 };
	message->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	if (name) {
		snprintf(padded_name, sizeof(padded_name), "%s", name);
		mnl_attr_put(message, IFLA_IFNAME, sizeof(padded_name), padded_name);
	} else {
		message->nlmsg_flags = NLM_F_DUMP;
	}
	mnl_attr_put_u32(message, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (netlink_dump(route, message, forget_links, fast_path_take_link, links, &error) == 0 || (name && error.number == ENODEV))
		return 0;
	return report_error(report, netlink_error_status(&error), "can't read the interfaces of this host: %s",
			    netlink_error_text(&error));
}

static const struct link *find_link(const struct links *links, unsigned int index)
{
	for (size_t i = 0; index && i < links->count; i++)
		if (links->link[i].index == index)
			return &links->link[i];
	return NULL;
}

static bool leads_to_gateway(const struct exits *exits, unsigned int index)
{
	for (unsigned int i = 0; i < exits->count; i++)
		if (exits->exit[i].interface.index == index)
			return true;
	return false;
}

bool fast_path_unfit(const struct exits *exits, const struct links *links, struct text *why)
{
	for (unsigned int i = 0; i < exits->count && !why->length; i++) {
		const struct link *link = find_link(links, exits->exit[i].interface.index), *other;

		if (!link)
			continue;
		other = find_link(links, link->master);
		if (link->master)
			text_add(why, "the interface %s is a part of %s, a bridge, bond or VRF, where the kernel may not check a flow "
				 "against the routing table any more", link->name, other ? other->name : "another one");
		else if (link->lower && leads_to_gateway(exits, link->lower))
			text_add(why, "the interface %s is built on %s, which leads to a gateway too, and the kernel may not check a "
				 "flow from one to the other against the routing table any more", link->name,
				 find_link(links, link->lower) ? find_link(links, link->lower)->name : "another one");
	}
	return why->length > 0;
}

static bool is_old(struct text *why)
{
	struct utsname name;
	unsigned long major, minor;
	char *end;

	if (uname(&name) < 0)
		return false;
	major = strtoul(name.release, &end, 10);
	if (end == name.release || *end != '.')
		return false;
	minor = strtoul(end + 1, NULL, 10);
	if (major > LINUX_MAJOR || (major == LINUX_MAJOR && minor >= LINUX_MINOR))
		return false;
	text_add(why, "from Linux %d.%d on a flow is checked against the routing table, and this is %s", LINUX_MAJOR, LINUX_MINOR, name.release);
	return true;
}

/* A table with a flow table and a rule that adds flows to it. */
static void make_trial(struct guard *guard)
{
	static const struct guard_chain chain = { "forward", "filter", NF_INET_FORWARD, 0, "forward", "filter", NULL, 0, NULL };

	*guard = (struct guard){ .table = "ocserv_gw_trial", .fast.on = true };
	guard_add_rule(guard_add_chain(guard, &chain))->verdict = VERDICT_FLOW;
}

bool fast_path_refused(struct netlink *nft, struct text *why)
{
	struct nftables_batch batch;
	struct netlink_error error;
	struct guard guard;
	int result;

	if (is_old(why))
		return true;
	make_trial(&guard);
	nftables_make_batch(&batch, &guard, false, true, 0, &nft->sequence);
	nftables_leave_open(&batch);
	result = netlink_send_batch(nft, batch.buffer, batch.size, batch.first, batch.last, &error);
	if (result < 0)
		text_add(why, "this kernel has no flow tables for rules of inet tables (nf_flow_table_inet, nft_flow_offload): it says: %s",
			 netlink_error_text(&error));
	free(batch.buffer);
	guard_free(&guard);
	return result < 0;
}

static bool is_tunnel(const struct config *config, const struct host *host, const struct link *link)
{
	return interface_matches(&config->clients, link->name) && !host_leaves_out(host, link->name) && !link->master;
}

void fast_path_add_devices(struct guard *guard, const struct config *config, const struct exits *exits, const struct host *host,
			   const struct links *links)
{
	guard->fast.tunnels = config->clients;
	for (unsigned int i = 0; i < exits->count; i++)
		if (exits->exit[i].interface.name[0])
			guard_add_device(guard, exits->exit[i].interface.name, !exits->exit[i].interface.index);
	for (size_t i = 0; i < links->count && guard->fast.devices < GUARD_FAST_DEVICES; i++)
		if (is_tunnel(config, host, &links->link[i]))
			guard_add_device(guard, links->link[i].name, false);
}

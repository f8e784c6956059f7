/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/device.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

int device_take_traffic(const struct nlmsghdr *message, void *data)
{
	struct rtnl_link_stats64 counted;
	struct device_traffic *bytes = data;
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(struct ifinfomsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg)) {
		if (mnl_attr_get_type(attribute) != IFLA_STATS64)
			continue;
		/* Newer kernels tell more behind what they have always told. */
		if (mnl_attr_get_payload_len(attribute) < offsetof(struct rtnl_link_stats64, rx_errors))
			return EBADMSG;
		memcpy(&counted, mnl_attr_get_payload(attribute), offsetof(struct rtnl_link_stats64, rx_errors));
		*bytes = (struct device_traffic){
			.in = counted.rx_bytes, .out = counted.tx_bytes,
			.packets_in = counted.rx_packets, .packets_out = counted.tx_packets,
		};
		return 0;
	}
	return EBADMSG;
}

bool device_read_traffic(struct netlink *route, const char *name, struct device_traffic *bytes)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	char padded_name[IFNAMSIZ] = { 0 };
	struct netlink_error error;

	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return false;
	*bytes = (struct device_traffic){ 0 };
	snprintf(padded_name, sizeof(padded_name), "%s", name);
	message->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put(message, IFLA_IFNAME, sizeof(padded_name), padded_name);
	return netlink_request(route, message, device_take_traffic, bytes, &error) == 0;
}

int device_take_place(const struct nlmsghdr *message, void *data)
{
	struct device_place *place = data;
	const struct nlattr *attribute;
	bool elsewhere = false;

	if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(struct ifinfomsg))
		return EBADMSG;
	*place = (struct device_place){ 0 };
	mnl_attr_for_each(attribute, message, sizeof(struct ifinfomsg)) {
		elsewhere = elsewhere || mnl_attr_get_type(attribute) == IFLA_LINK_NETNSID;
		if (mnl_attr_get_type(attribute) == IFLA_LINK && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			place->lower = mnl_attr_get_u32(attribute);
		if (mnl_attr_get_type(attribute) == IFLA_MASTER && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			place->master = mnl_attr_get_u32(attribute);
	}
	if (elsewhere)
		place->lower = 0;
	return 0;
}

bool device_read_place(struct netlink *route, unsigned int index, struct device_place *place)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct netlink_error error;

	message->nlmsg_type = RTM_GETLINK;
	header->ifi_index = (int)index;
	return index && netlink_request(route, message, device_take_place, place, &error) == 0;
}

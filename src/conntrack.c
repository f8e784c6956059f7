/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

/* What of a tuple the kernel is to compare: the source address alone (CTA_FILTER_F_CTA_IP_SRC there). */
#define COMPARE_SOURCE 1U

/* A flow from a client has its address in the first packet's tuple, one to a client in the answer's. */
static const uint16_t sides[] = { CTA_TUPLE_ORIG, CTA_TUPLE_REPLY };

static struct nlmsghdr *put_request(void *buffer, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	message->nlmsg_flags = flags;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = family;
	header->version = 1;	/* with 0 the kernel takes any family */
	return message;
}

static struct nlmsghdr *put_selective_deletion(void *buffer, const struct address *address, uint16_t side)
{
	struct nlmsghdr *message = put_request(buffer, IPCTNL_MSG_CT_DELETE, 0, address->family);
	struct nlattr *tuple = mnl_attr_nest_start(message, side), *ip, *filter;

	ip = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, CTA_IP_V4_SRC, address_size(address->family), address->bytes);
	mnl_attr_nest_end(message, ip);
	mnl_attr_nest_end(message, tuple);

	filter = mnl_attr_nest_start(message, CTA_FILTER);
	mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, side == CTA_TUPLE_ORIG ? COMPARE_SOURCE : 0);
	mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, side == CTA_TUPLE_REPLY ? COMPARE_SOURCE : 0);
	mnl_attr_nest_end(message, filter);
	return message;
}

static int forget_ipv4(struct netlink *netfilter, const struct address *address, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	for (size_t i = 0; i < sizeof(sides) / sizeof(*sides); i++)
		if (netlink_request(netfilter, put_selective_deletion(buffer, address, sides[i]), NULL, NULL, error) < 0)
			return -1;
	return 0;
}

/* The flows that are to be deleted, each as the attribute of its first tuple. */
struct flows {
	const struct address *address;
	struct text attributes;
};

static void flows_free(struct flows *flows)
{
	text_free(&flows->attributes);
}

static const struct nlattr *find_attribute(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest)
		if (mnl_attr_get_type(attribute) == type)
			return attribute;
	return NULL;
}

static bool comes_from(const struct nlattr *tuple, const struct address *address)
{
	const struct nlattr *ip = find_attribute(tuple, CTA_TUPLE_IP);
	const struct nlattr *source = ip ? find_attribute(ip, CTA_IP_V6_SRC) : NULL;

	return source && mnl_attr_get_payload_len(source) == sizeof(address->bytes) &&
	       memcmp(mnl_attr_get_payload(source), address->bytes, sizeof(address->bytes)) == 0;
}

static int take_flow(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute, *first = NULL;
	struct flows *flows = data;
	bool theirs = false;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type == CTA_TUPLE_ORIG)
			first = attribute;
		if (type == CTA_TUPLE_ORIG || type == CTA_TUPLE_REPLY)
			theirs = theirs || comes_from(attribute, flows->address);
	}
	if (first && theirs && first->nla_len < NETLINK_MESSAGE_SIZE / 2)
		text_add_bytes(&flows->attributes, first, MNL_ALIGN(first->nla_len));
	return 0;
}

static struct nlmsghdr *put_deletion(void *buffer, const struct nlattr *tuple)
{
	struct nlmsghdr *message = put_request(buffer, IPCTNL_MSG_CT_DELETE, 0, AF_INET6);

	memcpy(mnl_nlmsg_get_payload_tail(message), tuple, MNL_ALIGN(tuple->nla_len));
	message->nlmsg_len += MNL_ALIGN(tuple->nla_len);
	return message;
}

static int forget_ipv6(struct netlink *netfilter, const struct address *address, struct netlink_error *error)
{
	struct flows flows CLEANUP(flows_free) = { .address = address };
	char buffer[NETLINK_MESSAGE_SIZE];
	size_t done = 0;

	if (netlink_request(netfilter, put_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_INET6), take_flow, &flows,
			    error) < 0)
		return -1;
	while (done < flows.attributes.length) {
		const struct nlattr *tuple = (const struct nlattr *)(flows.attributes.data + done);

		/* One that is gone by itself meanwhile is as good. */
		if (netlink_request(netfilter, put_deletion(buffer, tuple), NULL, NULL, error) < 0 &&
		    error->number != ENOENT)
			return -1;
		done += MNL_ALIGN(tuple->nla_len);
	}
	return 0;
}

void conntrack_forget(struct netlink *netfilter, const struct address *address, struct report *report)
{
	struct netlink_error error = { 0 };
	char text[ADDRESS_TEXT];

	if ((address->family == AF_INET ? forget_ipv4 : forget_ipv6)(netfilter, address, &error) == 0)
		return;
	report_warning(report, "can't delete the flows of %s, so its next holder may get their packets: the kernel says: "
		       "%s; it needs Linux 5.8 and nf_conntrack_netlink, or [session] forget_flows = no",
		       address_text(address, text), netlink_error_text(&error));
}

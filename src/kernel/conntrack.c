/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/conntrack.h"
#include "model/ranges.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

/* What of a tuple the kernel is to compare: the source address alone (CTA_FILTER_F_CTA_IP_SRC there). */
#define COMPARE_SOURCE 1U

#define ROUNDS 3		/* of a list that changes of the table itself cut short, such as a resize */
#define DATAGRAM_SIZE 8192	/* about 80 deletions */

/* A flow from a client has its address as source of the first packet's tuple, one to a client of the answer's. */
static const uint16_t sides[] = { CTA_TUPLE_ORIG, CTA_TUPLE_REPLY };
#define SIDES (sizeof(sides) / sizeof(*sides))

static struct nlmsghdr *put_request(void *buffer, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	message->nlmsg_flags = flags;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = family;
	header->version = 1;	/* with 0 the kernel deletes any family */
	return message;
}

/* A request about the flows that have the address as source of one side, whatever their zone. */
static struct nlmsghdr *put_selective_request(void *buffer, uint16_t type, uint16_t flags,
					      const struct address *address, uint16_t side)
{
	struct nlmsghdr *message = put_request(buffer, type, flags, address->family);
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

static int delete_selected(struct netlink *netfilter, const struct address *address, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	for (size_t i = 0; i < SIDES; i++)
		if (netlink_request(netfilter, put_selective_request(buffer, IPCTNL_MSG_CT_DELETE, 0, address,
								     sides[i]), NULL, NULL, error) < 0)
			return -1;
	return 0;
}

/* What a kernel says that takes no filter in a deletion: it misses the rest of the tuple, or says so. */
static bool takes_no_filter(const struct netlink_error *error)
{
	return error->number == EINVAL || error->number == EOPNOTSUPP;
}

/* The flows of clients' addresses, each as the request that deletes it. */
struct flows {
	const struct ranges *clients;
	struct text deletions;
};

static void flows_free(struct flows *flows)
{
	text_free(&flows->deletions);
}

static uint8_t family_of_clients(const struct ranges *clients)
{
	return clients->range[0].first.family;
}

static bool comes_from(const struct nlattr *tuple, const struct ranges *clients)
{
	struct address address = { .family = family_of_clients(clients) };
	struct range one;
	uint16_t type = address.family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
	const struct nlattr *ip = tuple ? netlink_find_nested(tuple, CTA_TUPLE_IP) : NULL;
	const struct nlattr *source = ip ? netlink_find_nested(ip, type) : NULL;
	unsigned int size = address_size(address.family);

	if (!source || mnl_attr_get_payload_len(source) != size)
		return false;
	memcpy(address.bytes, mnl_attr_get_payload(source), size);
	one = (struct range){ address, address };
	return ranges_hold(clients, &one);
}

static void put_copy(struct nlmsghdr *message, const struct nlattr *attribute)
{
	if (attribute)
		mnl_attr_put(message, attribute->nla_type, mnl_attr_get_payload_len(attribute),
			     mnl_attr_get_payload(attribute));
}

/* The tuple holds the zone of its direction, if there is one; the id spares a newer flow with the same tuple. */
static void add_deletion(struct flows *flows, const struct nlattr *const attributes[])
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = put_request(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST, family_of_clients(flows->clients));

	put_copy(message, attributes[CTA_TUPLE_ORIG]);
	put_copy(message, attributes[CTA_ZONE]);
	put_copy(message, attributes[CTA_ID]);
	text_add_bytes(&flows->deletions, buffer, message->nlmsg_len);
}

static int take_flow(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute, *attributes[CTA_MAX + 1] = { NULL };
	struct flows *flows = data;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type <= CTA_MAX && attribute->nla_len < NETLINK_MESSAGE_SIZE / 4)
			attributes[type] = attribute;
	}
	if (attributes[CTA_TUPLE_ORIG] && (comes_from(attributes[CTA_TUPLE_ORIG], flows->clients) ||
					   comes_from(attributes[CTA_TUPLE_REPLY], flows->clients)))
		add_deletion(flows, attributes);
	return 0;
}

static int list(struct netlink *netfilter, struct nlmsghdr *request, struct flows *flows, struct netlink_error *error)
{
	return netlink_request(netfilter, request, take_flow, flows, error);
}

/* An IPv4 address alone, whose flows the kernel can select. */
static const struct address *one_address(const struct ranges *clients)
{
	const struct range *only = &clients->range[0];

	return clients->count == 1 && only->first.family == AF_INET && address_equal(&only->first, &only->last) ? &only->first : NULL;
}

/* All of the family, or of one IPv4 address what the kernel selects: fewer to read. One that does not know how sends all. */
static int list_flows(struct netlink *netfilter, struct flows *flows, struct netlink_error *error)
{
	const struct address *address = one_address(flows->clients);
	char buffer[NETLINK_MESSAGE_SIZE];
	int result = 0;

	if (!address)
		return list(netfilter, put_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family_of_clients(flows->clients)),
			    flows, error);
	for (size_t i = 0; i < SIDES && result == 0; i++)
		result = list(netfilter, put_selective_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, address,
							       sides[i]), flows, error);
	return result;
}

/* Numbers as many as one datagram takes, so that the answers fit into the socket's buffer, should all fail. */
static size_t number_some(struct netlink *netfilter, char *deletions, size_t length)
{
	struct nlmsghdr *message;
	size_t size = 0;

	do {
		message = (struct nlmsghdr *)(deletions + size);
		message->nlmsg_seq = ++netfilter->sequence;
		size += message->nlmsg_len;
	} while (size < length && size <= DATAGRAM_SIZE);
	message->nlmsg_flags |= NLM_F_ACK;
	return size;
}

static int delete_flows(struct netlink *netfilter, struct flows *flows, struct netlink_error *error)
{
	struct netlink_error later;
	size_t done = 0, size;
	int result = 0;

	for (; done < flows->deletions.length; done += size) {
		char *deletions = flows->deletions.data + done;
		uint32_t first = netfilter->sequence + 1;

		size = number_some(netfilter, deletions, flows->deletions.length - done);
		if (netlink_send_deletions(netfilter, deletions, size, first, netfilter->sequence,
					   result == 0 ? error : &later) < 0)
			result = -1;
	}
	return result;
}

/* What a list that was cut short has is worth deleting; then it is made again. */
static int delete_listed(struct netlink *netfilter, const struct ranges *clients, struct netlink_error *error)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct flows flows CLEANUP(flows_free) = { .clients = clients };
		bool complete = list_flows(netfilter, &flows, error) == 0;

		if (!complete && error->number != EINTR)
			return -1;
		if (delete_flows(netfilter, &flows, error) < 0)
			return -1;
		if (complete)
			return 0;
	}
	return -1;
}

static int forget(struct netlink *netfilter, const struct ranges *clients, struct netlink_error *error)
{
	const struct address *address = one_address(clients);

	if (address) {
		if (delete_selected(netfilter, address, error) == 0)
			return 0;
		if (!takes_no_filter(error))
			return -1;
	}
	return delete_listed(netfilter, clients, error);
}

static int compare_networks(const void *a, const void *b)
{
	const struct prefix *one = a, *other = b;

	if (one->address.family != other->address.family)
		return one->address.family < other->address.family ? -1 : 1;
	return memcmp(one->address.bytes, other->address.bytes, sizeof(one->address.bytes));
}

static void forget_family(struct netlink *netfilter, const struct prefix *network, size_t count, struct report *report)
{
	struct ranges clients CLEANUP(ranges_free);
	struct netlink_error error = { 0 };
	char text[ADDRESS_TEXT];

	ranges_of_prefixes(&clients, network, count);
	if (forget(netfilter, &clients, &error) == 0)
		return;
	address_text(&network->address, text);
	report_warning(report, "can't delete the flows of %s%s, so the next client with this address may get their packets: the kernel says: "
		       "%s; `modprobe nf_conntrack_netlink` if it is missing, or set [session] forget_flows = no",
		       text, count > 1 ? " and others" : "", netlink_error_text(&error));
}

void conntrack_forget(struct netlink *netfilter, struct prefix *network, size_t count, struct report *report)
{
	size_t begin = 0, end;

	if (count > 1)
		qsort(network, count, sizeof(*network), compare_networks);
	for (; begin < count; begin = end) {
		for (end = begin; end < count && network[end].address.family == network[begin].address.family;)
			end++;
		forget_family(netfilter, &network[begin], end - begin, report);
	}
}

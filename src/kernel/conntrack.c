/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/conntrack.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What of a tuple the kernel is to compare: the source address alone (CTA_FILTER_F_CTA_IP_SRC there). */
#define COMPARE_SOURCE 1U

#define FEW 3			/* IPv4 addresses whose flows the kernel selects in less time than it lists all */
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

/* Whose flows are sought: in the order of their bytes, so that an address is found among many. */
struct sought {
	uint8_t key[2 + 16];	/* family, length, address */
	uint32_t which;		/* of the caller's list */
};

/* The flows that are to end, each as the request that deletes it, which is numbered by whose it is. */
struct flows {
	struct sought *sought;
	size_t count;
	unsigned int addresses[FAMILIES];
	uint8_t length[FAMILIES][129];	/* each that occurs, once */
	unsigned int lengths[FAMILIES];
	bool *ends;		/* whose, by the caller's list */
	bool deleted;		/* those of IPv4 are, by the kernel's own selection */
	struct text deletions;
};

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(((struct sought *)0)->key));
}

static void make_key(struct sought *sought, const struct address *address, uint8_t length)
{
	struct prefix masked = prefix_mask(&(struct prefix){ *address, length });

	sought->key[0] = address->family;
	sought->key[1] = length;
	memcpy(sought->key + 2, masked.address.bytes, sizeof(masked.address.bytes));
}

static void note_length(struct flows *flows, const struct prefix *prefix)
{
	int family = family_index(prefix->address.family);

	flows->addresses[family]++;
	if (!memchr(flows->length[family], prefix->length, flows->lengths[family]))
		flows->length[family][flows->lengths[family]++] = prefix->length;
}

static void flows_make(struct flows *flows, const struct prefix *whose, size_t count)
{
	*flows = (struct flows){ .sought = allocate(count, sizeof(*flows->sought)), .count = count,
				 .ends = allocate(count, sizeof(*flows->ends)) };
	memset(flows->ends, true, count * sizeof(*flows->ends));
	for (size_t i = 0; i < count; i++) {
		make_key(&flows->sought[i], &whose[i].address, whose[i].length);
		flows->sought[i].which = (uint32_t)i;
		note_length(flows, &whose[i]);
	}
	qsort(flows->sought, count, sizeof(*flows->sought), compare_keys);
}

static void flows_free(struct flows *flows)
{
	free(flows->sought);
	free(flows->ends);
	text_free(&flows->deletions);
}

static bool read_source(const struct nlattr *tuple, struct address *address)
{
	uint16_t type = address->family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
	const struct nlattr *ip = tuple ? netlink_find_nested(tuple, CTA_TUPLE_IP) : NULL;
	const struct nlattr *source = ip ? netlink_find_nested(ip, type) : NULL;

	if (!source || mnl_attr_get_payload_len(source) != address_size(address->family))
		return false;
	memcpy(address->bytes, mnl_attr_get_payload(source), address_size(address->family));
	return true;
}

/* Whose the source of the tuple is; NULL where it is nobody's whose flows are to end. */
static const struct sought *find_source(const struct flows *flows, const struct nlattr *tuple, uint8_t family)
{
	struct address address = { .family = family };
	const struct sought *found = NULL;
	int index = family_index(family);
	struct sought sought;

	if (!read_source(tuple, &address))
		return NULL;
	for (unsigned int i = 0; i < flows->lengths[index] && !found; i++) {
		make_key(&sought, &address, flows->length[index][i]);
		found = bsearch(&sought, flows->sought, flows->count, sizeof(*flows->sought), compare_keys);
	}
	return found;
}

static void put_copy(struct nlmsghdr *message, const struct nlattr *attribute)
{
	if (attribute)
		mnl_attr_put(message, attribute->nla_type, mnl_attr_get_payload_len(attribute),
			     mnl_attr_get_payload(attribute));
}

/* The tuple holds the zone of its direction, if there is one; the id spares a newer flow with the same tuple. */
static void add_deletion(struct flows *flows, const struct nlattr *const attributes[], uint8_t family, uint32_t which)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = put_request(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST, family);

	message->nlmsg_seq = which;
	put_copy(message, attributes[CTA_TUPLE_ORIG]);
	put_copy(message, attributes[CTA_ZONE]);
	put_copy(message, attributes[CTA_ID]);
	text_add_bytes(&flows->deletions, buffer, message->nlmsg_len);
}

static int take_flow(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute, *attributes[CTA_MAX + 1] = { NULL };
	const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);
	const struct sought *found = NULL;
	struct flows *flows = data;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return EBADMSG;
	if (header->nfgen_family != AF_INET && header->nfgen_family != AF_INET6)
		return 0;
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		uint16_t type = mnl_attr_get_type(attribute);

		if (type <= CTA_MAX && attribute->nla_len < NETLINK_MESSAGE_SIZE / 4)
			attributes[type] = attribute;
	}
	for (size_t i = 0; i < SIDES && attributes[CTA_TUPLE_ORIG] && !found; i++)
		found = find_source(flows, attributes[sides[i]], header->nfgen_family);
	if (found)
		add_deletion(flows, attributes, header->nfgen_family, found->which);
	return 0;
}

static int list(struct netlink *netfilter, struct nlmsghdr *request, struct flows *flows, struct netlink_error *error)
{
	return netlink_request(netfilter, request, take_flow, flows, error);
}

static int list_all(struct netlink *netfilter, uint8_t family, struct flows *flows, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	return list(netfilter, put_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family), flows, error);
}

/* What the kernel selects: fewer to read. One that does not know how sends all. */
static int list_selected(struct netlink *netfilter, const struct prefix *whose, struct flows *flows,
			 struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	int result = 0;

	for (size_t i = 0; i < SIDES && result == 0; i++)
		result = list(netfilter, put_selective_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, &whose->address,
							       sides[i]), flows, error);
	return result;
}

/* What the kernel does not select by itself. */
static int list_flows(struct netlink *netfilter, const struct prefix *whose, struct flows *flows, struct netlink_error *error)
{
	int result = 0;

	if (flows->addresses[IPV4] > FEW)
		return list_all(netfilter, flows->addresses[IPV6] ? AF_UNSPEC : AF_INET, flows, error);
	for (size_t i = 0; i < flows->count && !flows->deleted && result == 0; i++)
		if (whose[i].address.family == AF_INET)
			result = list_selected(netfilter, &whose[i], flows, error);
	return result == 0 && flows->addresses[IPV6] ? list_all(netfilter, AF_INET6, flows, error) : result;
}

/* Leaves out the flows of who is not to lose them any more. */
static void keep_ending(struct flows *flows)
{
	size_t kept = 0, length;

	for (size_t done = 0; done < flows->deletions.length; done += length) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(flows->deletions.data + done);

		length = message->nlmsg_len;
		if (!flows->ends[message->nlmsg_seq])
			continue;
		memmove(flows->deletions.data + kept, message, length);
		kept += length;
	}
	flows->deletions.length = kept;
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

/* A few IPv4 addresses the kernel itself looks for, in less time than it lists all, if it can. */
static int delete_few(struct netlink *netfilter, const struct prefix *whose, struct flows *flows, conntrack_check check,
		      void *data, struct netlink_error *error)
{
	if (flows->addresses[IPV4] > FEW)
		return 0;
	for (size_t i = 0; i < flows->count; i++) {
		if (check)
			check(flows->ends, data);
		if (whose[i].address.family != AF_INET || !flows->ends[i])
			continue;
		if (delete_selected(netfilter, &whose[i].address, error) < 0)
			return takes_no_filter(error) ? 0 : -1;
	}
	flows->deleted = true;
	return 0;
}

static int end_once(struct netlink *netfilter, const struct prefix *whose, struct flows *flows, conntrack_check check, void *data,
		    struct netlink_error *error)
{
	int result;

	if (delete_few(netfilter, whose, flows, check, data, error) < 0)
		return -1;
	result = list_flows(netfilter, whose, flows, error);
	if (result < 0 && error->number != EINTR)
		return -1;
	if (check && flows->deletions.length)
		check(flows->ends, data);
	keep_ending(flows);
	return delete_flows(netfilter, flows, error) < 0 ? -1 : result;
}

/* What a list that was cut short has is worth deleting; then it is made again. */
int conntrack_end(struct netlink *netfilter, const struct prefix *whose, size_t count, conntrack_check check, void *data,
		  struct netlink_error *error)
{
	int result = 0;

	for (int round = 0; round < ROUNDS && count; round++) {
		struct flows flows CLEANUP(flows_free) = { 0 };

		flows_make(&flows, whose, count);
		result = end_once(netfilter, whose, &flows, check, data, error);
		if (result == 0 || error->number != EINTR)
			break;
	}
	return result;
}

void conntrack_warn(const struct prefix *whose, size_t count, const struct netlink_error *error, struct report *report)
{
	char text[ADDRESS_TEXT], others[40] = "";

	if (count > 1)
		snprintf(others, sizeof(others), " and %zu more", count - 1);
	report_warning(report, "can't delete the flows of %s%s, so the next client with such an address may get their packets: the "
		       "kernel says: %s; `modprobe nf_conntrack_netlink` if it is missing, or set [session] forget_flows = no",
		       address_text(&whose->address, text), others, netlink_error_text(error));
}

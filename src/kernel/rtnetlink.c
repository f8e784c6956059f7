/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/rtnetlink.h"

#include <endian.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct nlmsghdr *put_header(void *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = flags;
	return message;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct address *address)
{
	mnl_attr_put(message, type, address_size(address->family), address->bytes);
}

static struct address get_address(const struct nlattr *attribute, uint8_t family)
{
	struct address address = { .family = family };

	if (mnl_attr_get_payload_len(attribute) != address_size(family))
		return (struct address){ .family = AF_UNSPEC };
	memcpy(address.bytes, mnl_attr_get_payload(attribute), address_size(family));
	return address;
}

static uint32_t get_u32(const struct nlattr *attribute)
{
	return mnl_attr_get_payload_len(attribute) >= sizeof(uint32_t) ? mnl_attr_get_u32(attribute) : 0;
}

struct nlmsghdr *rtnetlink_dump_rules(void *buffer)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETRULE, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(message, sizeof(struct fib_rule_hdr));
	return message;
}

struct nlmsghdr *rtnetlink_dump_routes(void *buffer, uint32_t table)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETROUTE, NLM_F_DUMP);

	mnl_nlmsg_put_extra_header(message, sizeof(struct rtmsg));
	mnl_attr_put_u32(message, RTA_TABLE, table);
	return message;
}

struct nlmsghdr *rtnetlink_dump_addresses(void *buffer, uint8_t family, unsigned int interface)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ifa_family = family;
	header->ifa_index = interface;
	return message;
}

static struct nlmsghdr *put_neighbour(void *buffer, uint16_t type, uint16_t flags, const struct address *address,
				      unsigned int interface)
{
	struct nlmsghdr *message = put_header(buffer, type, flags);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ndm_family = address->family;
	header->ndm_ifindex = (int)interface;
	put_address(message, NDA_DST, address);
	return message;
}

struct nlmsghdr *rtnetlink_dump_neighbours(void *buffer, uint8_t family)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->ndm_family = family;
	return message;
}

struct nlmsghdr *rtnetlink_get_neighbour(void *buffer, const struct address *address, unsigned int interface)
{
	return put_neighbour(buffer, RTM_GETNEIGH, 0, address, interface);
}

struct nlmsghdr *rtnetlink_replace_neighbour(void *buffer, const struct neighbour *neighbour)
{
	struct nlmsghdr *message = put_neighbour(buffer, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &neighbour->address,
						 neighbour->interface);
	struct ndmsg *header = mnl_nlmsg_get_payload(message);

	header->ndm_state = NUD_PERMANENT;
	mnl_attr_put(message, NDA_LLADDR, sizeof(neighbour->mac.bytes), neighbour->mac.bytes);
	mnl_attr_put_u8(message, NDA_PROTOCOL, neighbour->protocol);
	return message;
}

struct nlmsghdr *rtnetlink_delete_neighbour(void *buffer, const struct neighbour *neighbour)
{
	return put_neighbour(buffer, RTM_DELNEIGH, 0, &neighbour->address, neighbour->interface);
}

struct nlmsghdr *rtnetlink_get_route(void *buffer, const struct address *destination, unsigned int interface)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETROUTE, 0);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->rtm_family = destination->family;
	header->rtm_dst_len = (uint8_t)(address_size(destination->family) * 8);
	put_address(message, RTA_DST, destination);
	if (interface) {
		header->rtm_flags = RTM_F_FIB_MATCH;
		mnl_attr_put_u32(message, RTA_OIF, interface);
	}
	return message;
}

struct nlmsghdr *rtnetlink_get_client_route(void *buffer, const struct address *source,
					    const struct address *destination, unsigned int incoming, uint32_t mark)
{
	struct nlmsghdr *message = put_header(buffer, RTM_GETROUTE, 0);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->rtm_family = destination->family;
	header->rtm_dst_len = (uint8_t)(address_size(destination->family) * 8);
	header->rtm_src_len = header->rtm_dst_len;
	/* Of IPv6 the table is told in any case, and to ask for it is an error. */
	header->rtm_flags = destination->family == AF_INET ? RTM_F_LOOKUP_TABLE : 0;
	put_address(message, RTA_DST, destination);
	put_address(message, RTA_SRC, source);
	mnl_attr_put_u32(message, RTA_IIF, incoming);
	if (mark)
		mnl_attr_put_u32(message, RTA_MARK, mark);
	return message;
}

struct nlmsghdr *rtnetlink_add_rule(void *buffer, const struct rule *rule)
{
	struct nlmsghdr *message = put_header(buffer, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
	struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->family = rule->family;
	header->action = rule->action;
	header->flags = rule->inverted ? FIB_RULE_INVERT : 0;
	mnl_attr_put_u32(message, FRA_PRIORITY, rule->priority);
	mnl_attr_put_u8(message, FRA_PROTOCOL, rule->protocol);
	if (rule->source.address.family) {
		header->src_len = rule->source.length;
		put_address(message, FRA_SRC, &rule->source.address);
	}
	if (rule->destination.address.family) {
		header->dst_len = rule->destination.length;
		put_address(message, FRA_DST, &rule->destination.address);
	}
	if (rule->incoming[0])
		mnl_attr_put_strz(message, FRA_IIFNAME, rule->incoming);
	if (rule->mask) {
		mnl_attr_put_u32(message, FRA_FWMARK, rule->mark);
		mnl_attr_put_u32(message, FRA_FWMASK, rule->mask);
	}
	if (rule->action == FR_ACT_TO_TBL)
		mnl_attr_put_u32(message, FRA_TABLE, rule->table);
	if (rule->action == FR_ACT_GOTO)
		mnl_attr_put_u32(message, FRA_GOTO, rule->table);
	if (rule->suppress_prefixlength >= 0)
		mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, (uint32_t)rule->suppress_prefixlength);
	return message;
}

/* What the kernel told of an object names exactly this one. */
static struct nlmsghdr *put_deletion(void *buffer, uint16_t type, const struct text *payload)
{
	struct nlmsghdr *message = put_header(buffer, type, 0);

	memcpy(mnl_nlmsg_put_extra_header(message, payload->length), payload->data, payload->length);
	return message;
}

struct nlmsghdr *rtnetlink_delete_rule(void *buffer, const struct rule *rule)
{
	return put_deletion(buffer, RTM_DELRULE, &rule->message);
}

struct nlmsghdr *rtnetlink_delete_route(void *buffer, const struct route *route)
{
	return put_deletion(buffer, RTM_DELROUTE, &route->message);
}

struct nlmsghdr *rtnetlink_add_route(void *buffer, const struct route *route)
{
	struct nlmsghdr *message = put_header(buffer, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	header->rtm_family = route->family;
	header->rtm_dst_len = route->destination_length;
	header->rtm_protocol = route->protocol;
	header->rtm_type = route->type;
	/* As ip(8) has it; IPv6 knows none. */
	header->rtm_scope = route->family == AF_INET && !route->gateway.family && route->type == RTN_UNICAST ? RT_SCOPE_LINK :
			    RT_SCOPE_UNIVERSE;
	header->rtm_flags = route->onlink ? RTNH_F_ONLINK : 0;
	mnl_attr_put_u32(message, RTA_TABLE, route->table);
	if (route->destination_length)
		put_address(message, RTA_DST, &route->destination);
	if (route->gateway.family)
		put_address(message, RTA_GATEWAY, &route->gateway);
	if (route->interface)
		mnl_attr_put_u32(message, RTA_OIF, route->interface);
	if (route->metric)
		mnl_attr_put_u32(message, RTA_PRIORITY, route->metric);
	return message;
}

static uint8_t get_u8(const struct nlattr *attribute)
{
	return mnl_attr_get_payload_len(attribute) >= sizeof(uint8_t) ? mnl_attr_get_u8(attribute) : 0;
}

static void add_word(struct text *text, const char *word)
{
	text_add(text, "%s%s", text->length ? " " : "", word);
}

static void get_interface(const struct nlattr *attribute, char name[IFNAMSIZ])
{
	size_t length = mnl_attr_get_payload_len(attribute);

	memset(name, 0, IFNAMSIZ);
	memcpy(name, mnl_attr_get_payload(attribute), length < IFNAMSIZ ? length : IFNAMSIZ - 1);
}

static void add_outgoing(struct text *text, const struct nlattr *attribute)
{
	char name[IFNAMSIZ];

	get_interface(attribute, name);
	add_word(text, "oif ");
	text_add_shell(text, name);
}

static void add_range(struct text *text, const char *word, const struct nlattr *attribute)
{
	const struct fib_rule_port_range *range = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) < sizeof(*range))
		return;
	add_word(text, word);
	text_add(text, range->start == range->end ? " %u" : " %u-%u", range->start, range->end);
}

static void add_uid_range(struct text *text, const struct nlattr *attribute)
{
	const struct fib_rule_uid_range *range = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_payload_len(attribute) < sizeof(*range) || (range->start == 0 && range->end == UINT32_MAX))
		return;
	add_word(text, "uidrange");
	text_add(text, " %u-%u", range->start, range->end);
}

static void add_unknown(struct text *text, const struct nlattr *attribute)
{
	add_word(text, "attribute");
	text_add(text, " %u", mnl_attr_get_type(attribute));
}

/* FRA_SPORT_MASK and FRA_DPORT_MASK of Linux 6.15, which come with every port. */
enum { RULE_SPORT_MASK = 28, RULE_DPORT_MASK = 29 };

/* The selectors of a rule that we never use, in the words of ip-rule(8). */
struct selectors {
	struct text text;
	uint32_t mark, mask;
	bool has_mark;
};

static void parse_selector(const struct nlattr *attribute, struct rule *rule, struct selectors *other)
{
	struct text *text = &other->text;

	switch (mnl_attr_get_type(attribute)) {
	case FRA_SRC:
		rule->source.address = get_address(attribute, rule->family);
		break;
	case FRA_DST:
		rule->destination.address = get_address(attribute, rule->family);
		break;
	case FRA_PRIORITY:
		rule->priority = get_u32(attribute);
		break;
	case FRA_TABLE:
		rule->table = get_u32(attribute);
		break;
	case FRA_SUPPRESS_PREFIXLEN:
		rule->suppress_prefixlength = (int)get_u32(attribute);
		break;
	case FRA_PROTOCOL:
		rule->protocol = get_u8(attribute);
		break;
	case FRA_IIFNAME:
		get_interface(attribute, rule->incoming);
		break;
	case FRA_OIFNAME:
		add_outgoing(text, attribute);
		rule->local_only = true;
		break;
	case FRA_FWMARK:
		other->mark = get_u32(attribute);
		other->has_mark = true;
		break;
	case FRA_FWMASK:
		other->mask = get_u32(attribute);
		other->has_mark = true;
		break;
	case FRA_UID_RANGE:
		add_uid_range(text, attribute);
		break;
	case FRA_IP_PROTO:
		add_word(text, "ipproto");
		text_add(text, " %u", get_u8(attribute));
		break;
	case FRA_SPORT_RANGE:
		add_range(text, "sport", attribute);
		break;
	case FRA_DPORT_RANGE:
		add_range(text, "dport", attribute);
		break;
	case FRA_L3MDEV:
		if (get_u8(attribute)) {
			add_word(text, "l3mdev");
			rule->local_only = true;
		}
		break;
	case FRA_SUPPRESS_IFGROUP:
		if (get_u32(attribute) != UINT32_MAX) {
			add_word(text, "suppress_ifgroup");
			text_add(text, " %u", get_u32(attribute));
		}
		break;
	case FRA_TUN_ID:
		add_word(text, "tun_id");
		if (mnl_attr_get_payload_len(attribute) >= sizeof(uint64_t))
			text_add(text, " %llu", (unsigned long long)be64toh(mnl_attr_get_u64(attribute)));
		break;
	case FRA_GOTO:
		rule->table = get_u32(attribute);
		break;
	case FRA_FLOW:
	case FRA_PAD:
		break;
	case RULE_SPORT_MASK:
	case RULE_DPORT_MASK:
		if (mnl_attr_get_payload_len(attribute) >= sizeof(uint16_t) && mnl_attr_get_u16(attribute) != UINT16_MAX)
			add_unknown(text, attribute);
		break;
	default:
		add_unknown(text, attribute);
	}
}

bool rtnetlink_parse_rule(const struct nlmsghdr *message, struct rule *rule)
{
	const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
	struct selectors other = { .mask = UINT32_MAX };
	const struct nlattr *attribute;

	if (message->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
	    mnl_nlmsg_get_payload_len(message) > RTNETLINK_OBJECT_SIZE ||
	    (header->family != AF_INET && header->family != AF_INET6))
		return false;
	*rule = (struct rule){
		.family = header->family,
		.action = header->action,
		.table = header->table,
		.suppress_prefixlength = -1,
		.source.length = header->src_len,
		.destination.length = header->dst_len,
		.inverted = header->flags & FIB_RULE_INVERT,
	};
	if (header->tos) {
		add_word(&other.text, "tos");
		text_add(&other.text, " 0x%02x", header->tos);
	}
	mnl_attr_for_each(attribute, message, sizeof(*header))
		parse_selector(attribute, rule, &other);
	if (other.has_mark && (other.mark || other.mask != UINT32_MAX)) {
		add_word(&other.text, "fwmark");
		text_add(&other.text, " 0x%x/0x%x", other.mark, other.mask);
		rule->mark = other.mark;
		rule->mask = other.mask;
	}

	/* Its comparison for NLM_F_EXCL passes over these. */
	rule->shadows = rule->inverted || header->tos;
	rule->other = other.text.data;
	rule->by_mark_alone = !rule->local_only && other.has_mark && other.mark;
	rule->local_only = rule->local_only || (other.has_mark && other.mark);
	text_add_bytes(&rule->message, mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message));
	return true;
}

static bool expires(const struct nlattr *attribute)
{
	const struct rta_cacheinfo *info = mnl_attr_get_payload(attribute);

	return mnl_attr_get_payload_len(attribute) >= sizeof(*info) && info->rta_expires != 0;
}

bool rtnetlink_parse_route(const struct nlmsghdr *message, struct route *route)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct text other = { 0 };
	const struct nlattr *attribute;
	uint32_t nexthop = 0;

	if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
	    mnl_nlmsg_get_payload_len(message) > RTNETLINK_OBJECT_SIZE ||
	    (header->rtm_family != AF_INET && header->rtm_family != AF_INET6))
		return false;
	*route = (struct route){
		.family = header->rtm_family,
		.table = header->rtm_table,
		.destination_length = header->rtm_dst_len,
		.destination.family = header->rtm_family,
		.type = header->rtm_type,
		.protocol = header->rtm_protocol,
		.tos = header->rtm_tos,
		.source.length = header->rtm_src_len,
	};

	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		switch (mnl_attr_get_type(attribute)) {
		case RTA_DST:
			route->destination = get_address(attribute, route->family);
			break;
		case RTA_SRC:
			route->source.address = get_address(attribute, route->family);
			break;
		case RTA_CACHEINFO:
			if (expires(attribute))
				add_word(&other, "an expiry");
			break;
		case RTA_GATEWAY:
			route->gateway = get_address(attribute, route->family);
			break;
		case RTA_OIF:
			route->interface = get_u32(attribute);
			break;
		case RTA_PRIORITY:
			route->metric = get_u32(attribute);
			break;
		case RTA_TABLE:
			route->table = get_u32(attribute);
			break;
		case RTA_MULTIPATH:
			add_word(&other, "several next hops");
			route->indirect = true;
			break;
		case RTA_VIA:
			add_word(&other, "a next hop of another family");
			route->indirect = true;
			break;
		case RTA_NH_ID:
			nexthop = get_u32(attribute);
			break;
		case RTA_METRICS:
			add_word(&other, "metrics");
			break;
		case RTA_PREFSRC:
			add_word(&other, "a preferred source");
			break;
		case RTA_ENCAP:
			add_word(&other, "an encapsulation");
			route->indirect = true;
			break;
		}
	}
	/* The kernel tells the route of a nexthop object along with it, unless net.ipv4.nexthop_compat_mode = 0. */
	if (nexthop && !route->interface && !route->indirect && route->type == RTN_UNICAST) {
		add_word(&other, "nexthop object");
		text_add(&other, " %u", nexthop);
		route->indirect = true;
	}
	route->other = other.data;
	text_add_bytes(&route->message, mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message));
	return true;
}

bool rtnetlink_parse_address(const struct nlmsghdr *message, struct interface_address *address)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute, *own = NULL, *peer = NULL;

	if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return false;
	*address = (struct interface_address){
		.interface = header->ifa_index, .link_local = header->ifa_scope == RT_SCOPE_LINK, .length = header->ifa_prefixlen,
	};
	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return true;
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		if (mnl_attr_get_type(attribute) == IFA_LOCAL)
			own = attribute;
		if (mnl_attr_get_type(attribute) == IFA_ADDRESS)
			peer = attribute;
	}
	if (own || peer)
		address->own = get_address(own ? own : peer, header->ifa_family);
	if (peer)
		address->peer = get_address(peer, header->ifa_family);
	return address->own.family && (!peer || address->peer.family) &&
	       address->length <= address_size(header->ifa_family) * 8;
}

bool rtnetlink_parse_neighbour(const struct nlmsghdr *message, struct neighbour *neighbour)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
	    (header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
		return false;
	*neighbour = (struct neighbour){ .interface = (unsigned int)header->ndm_ifindex, .state = header->ndm_state };
	mnl_attr_for_each(attribute, message, sizeof(*header)) {
		switch (mnl_attr_get_type(attribute)) {
		case NDA_DST:
			neighbour->address = get_address(attribute, header->ndm_family);
			break;
		case NDA_LLADDR:
			neighbour->mac.known = mnl_attr_get_payload_len(attribute) == sizeof(neighbour->mac.bytes);
			if (neighbour->mac.known)
				memcpy(neighbour->mac.bytes, mnl_attr_get_payload(attribute), sizeof(neighbour->mac.bytes));
			break;
		case NDA_PROTOCOL:
			neighbour->protocol = get_u8(attribute);
			break;
		}
	}
	return neighbour->address.family != AF_UNSPEC;
}

int rtnetlink_take_route(const struct nlmsghdr *message, void *data)
{
	struct route *route = data;

	route_free(route);
	*route = (struct route){ 0 };
	return message->nlmsg_type == RTM_NEWROUTE && !rtnetlink_parse_route(message, route) ? EBADMSG : 0;
}

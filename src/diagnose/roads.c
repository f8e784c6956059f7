/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/roads.h"
#include "kernel/gateway.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(const struct roads *roads, struct nlmsghdr *question, struct route *route, struct netlink_error *error)
{
	*route = (struct route){ 0 };
	if (roads->route)
		return netlink_request(roads->route, question, rtnetlink_take_route, route, error);
	*error = (struct netlink_error){ .number = EOPNOTSUPP };
	return -1;
}

int roads_way(const struct roads *roads, const struct way_question *question, struct route *route,
	      struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = rtnetlink_get_client_route(buffer, &question->source, &question->destination,
							      question->incoming, question->mark);

	if (question->port && roads_depend(roads, question->source.family, "port")) {
		mnl_attr_put_u8(message, RTA_IP_PROTO, IPPROTO_TCP);
		mnl_attr_put_u16(message, RTA_DPORT, htons(question->port));
	} else if (question->port && roads_depend(roads, question->source.family, "ipproto")) {
		mnl_attr_put_u8(message, RTA_IP_PROTO, IPPROTO_TCP);
	}
	return ask(roads, message, route, error);
}

bool roads_depend(const struct roads *roads, uint8_t family, const char *selector)
{
	for (size_t i = 0; roads->present && i < roads->present->rules; i++) {
		const struct rule *rule = &roads->present->rule[i];

		if (rule->family == family && rule->other && strstr(rule->other, selector))
			return true;
	}
	return false;
}

/* Whether a rule takes packets with this source otherwise than those without one, which the kernel can be asked for. */
static bool source_counts(const struct roads *roads, const struct address *source)
{
	for (size_t i = 0; roads->present && i < roads->present->rules; i++) {
		const struct rule *rule = &roads->present->rule[i];

		if (rule->family == source->family && rule->source.address.family && rule->source.length > 0 &&
		    prefix_contains(&rule->source, source))
			return true;
	}
	return false;
}

static bool has_no_way(int number)
{
	return number == ENETUNREACH || number == EHOSTUNREACH || number == EACCES || number == EINVAL || number == ENOENT;
}

/* For IPv6 the kernel looks for a route by that very interface, for IPv4 where the best one leads. */
static struct nlmsghdr *question_back(void *buffer, const struct address *address, unsigned int interface)
{
	return rtnetlink_get_route(buffer, address, address->family == AF_INET6 ? interface : 0);
}

static void put_source(struct nlmsghdr *question, const struct address *source)
{
	struct rtmsg *header = mnl_nlmsg_get_payload(question);

	header->rtm_src_len = (uint8_t)(address_size(source->family) * 8);
	mnl_attr_put(question, RTA_SRC, address_size(source->family), source->bytes);
}

/* What is asked as if the packet came in by some interface would meet the same rules. */
static bool interfaces_count(const struct roads *roads, uint8_t family)
{
	for (size_t i = 0; roads->present && i < roads->present->rules; i++) {
		const struct rule *rule = &roads->present->rule[i];

		if (rule->family == family && rule->incoming[0] && rule->protocol != ROUTING_PROTOCOL)
			return true;
	}
	return false;
}

static struct way_back answered(const struct roads *roads, struct nlmsghdr *question, unsigned int interface)
{
	struct way_back back = { .known = false };
	struct netlink_error error;
	struct route route;

	if (ask(roads, question, &route, &error) < 0) {
		back.known = has_no_way(error.number);
		return back;
	}
	back.known = !route.indirect;
	back.interface = route.interface;
	back.found = route.type == RTN_UNICAST && (!interface || route.interface == interface);
	route_free(&route);
	return back;
}

static struct way_back answered_by(const struct roads *roads, const struct address *address, const struct address *source,
				   unsigned int incoming, unsigned int interface, uint32_t mark)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	return answered(roads, rtnetlink_get_client_route(buffer, source, address, incoming, mark), interface);
}

/*
 * An IPv4 source that is not this host's own can be asked for only as one that comes in: by lo, as those look up that are
 * to be foretold; where the kernel says no, it may be that it checks sources there, so by where the source is.
 */
static struct way_back answered_from(const struct roads *roads, const struct address *address, const struct address *source,
				     unsigned int interface, uint32_t mark)
{
	struct way_back back = answered_by(roads, address, source, if_nametoindex("lo"), interface, mark);
	char buffer[NETLINK_MESSAGE_SIZE];
	struct way_back of_source = { .found = false };

	if (back.known && back.interface)
		return back;
	if (!interfaces_count(roads, source->family))
		of_source = answered(roads, rtnetlink_get_route(buffer, source, 0), 0);
	if (of_source.found)
		return answered_by(roads, address, source, of_source.interface, interface, mark);
	return (struct way_back){ .known = false };
}

struct way_back roads_way_back(const struct roads *roads, const struct address *address, const struct address *other,
			       unsigned int interface, uint32_t mark)
{
	bool source = other->family != AF_UNSPEC && source_counts(roads, other);
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *question;

	if (!roads->route || address->family == AF_UNSPEC || (source && other->family == AF_INET6 && interface))
		return (struct way_back){ .known = false };
	if (source && other->family == AF_INET && !gateway_is_local(roads->route, other))
		return answered_from(roads, address, other, interface, mark);
	question = question_back(buffer, address, interface);
	if (source)
		put_source(question, other);
	if (mark)
		mnl_attr_put_u32(question, RTA_MARK, mark);
	return answered(roads, question, interface);
}

static bool is_multicast(const struct address *address)
{
	return address->family == AF_INET ? address->bytes[0] >> 4 == 0xe : address->bytes[0] == 0xff;
}

uint8_t roads_type(const struct roads *roads, const struct address *address)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;
	struct route route;
	uint8_t type = RTN_UNICAST;

	if (address->family == AF_UNSPEC || !roads->route)
		return RTN_UNSPEC;
	if (is_multicast(address))
		return RTN_MULTICAST;
	if (ask(roads, rtnetlink_get_route(buffer, address, 0), &route, &error) < 0)
		return has_no_way(error.number) ? RTN_UNICAST : RTN_UNSPEC;
	if (route.type == RTN_LOCAL || route.type == RTN_BROADCAST || route.type == RTN_ANYCAST)
		type = route.type;
	route_free(&route);
	return type;
}

/* Those about what comes in, goes out, and is forwarded; not those that sockets have. */
static int take_policies(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute;
	bool *found = data;

	mnl_attr_for_each(attribute, message, sizeof(uint32_t)) {
		const struct xfrmu_spdinfo *info = mnl_attr_get_payload(attribute);

		if (mnl_attr_get_type(attribute) == XFRMA_SPD_INFO && mnl_attr_get_payload_len(attribute) >= sizeof(*info))
			*found = info->outcnt > 0 || info->fwdcnt > 0;
	}
	return 0;
}

bool roads_have_policies(void)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct netlink netlink = { 0 };
	struct netlink_error error;
	struct report ignored = { 0 };
	bool found = true;

	message->nlmsg_type = XFRM_MSG_GETSPDINFO;
	*(uint32_t *)mnl_nlmsg_put_extra_header(message, sizeof(uint32_t)) = 0;
	if (netlink_open(&netlink, NETLINK_XFRM, &ignored) < 0)
		found = false;	/* it knows of no such thing */
	else
		netlink_request(&netlink, message, take_policies, &found, &error);
	netlink_close(&netlink);
	report_free(&ignored);
	return found;
}

union socket_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static union socket_address to_socket_address(const struct address *address, socklen_t *length)
{
	union socket_address to = { .any.sa_family = address->family };

	*length = address->family == AF_INET ? sizeof(to.ipv4) : sizeof(to.ipv6);
	if (address->family == AF_INET) {
		memcpy(&to.ipv4.sin_addr, address->bytes, 4);
		to.ipv4.sin_port = htons(53);
	} else {
		memcpy(&to.ipv6.sin6_addr, address->bytes, 16);
		to.ipv6.sin6_port = htons(53);
	}
	return to;
}

static bool own_toward(const struct address *peer, const char *interface, struct address *own)
{
	socklen_t length;
	union socket_address address = to_socket_address(peer, &length);
	int fd = socket(peer->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	address.ipv6.sin6_scope_id = peer->family == AF_INET6 && address_is_link_local(peer) ? if_nametoindex(interface) :
				     address.ipv6.sin6_scope_id;
	found = fd >= 0 && connect(fd, &address.any, length) == 0 && getsockname(fd, &address.any, &length) == 0;
	if (fd >= 0)
		close(fd);
	*own = (struct address){ .family = found ? peer->family : AF_UNSPEC };
	if (found)
		memcpy(own->bytes, peer->family == AF_INET ? (const void *)&address.ipv4.sin_addr :
		       (const void *)&address.ipv6.sin6_addr, address_size(peer->family));
	return found;
}

static struct address from_socket_address(const struct sockaddr *from)
{
	struct address address = { .family = (uint8_t)from->sa_family };

	if (from->sa_family == AF_INET)
		memcpy(address.bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	else
		memcpy(address.bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
	return address;
}

static bool same_network(const struct address *one, const struct address *other, const struct address *mask)
{
	for (unsigned int i = 0; i < address_size(one->family); i++)
		if ((one->bytes[i] ^ other->bytes[i]) & mask->bytes[i])
			return false;
	return true;
}

/* The first that is not of the link alone, but one in the network of @destination before it. */
static bool own_of_interface(const char *interface, const struct address *destination, struct address *own)
{
	struct ifaddrs *all = NULL;

	*own = (struct address){ .family = AF_UNSPEC };
	if (getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *each = all; each; each = each->ifa_next) {
		struct address address, mask;

		if (!each->ifa_addr || !each->ifa_netmask || each->ifa_addr->sa_family != destination->family ||
		    strcmp(each->ifa_name, interface) != 0)
			continue;
		address = from_socket_address(each->ifa_addr);
		mask = from_socket_address(each->ifa_netmask);
		if (!address_is_link_local(&address) && (!own->family || same_network(&address, destination, &mask)))
			*own = address;
	}
	freeifaddrs(all);
	return own->family;
}

bool roads_own_address(const struct address *nexthop, const struct address *destination, const char *interface,
		       struct address *own)
{
	return nexthop->family ? own_toward(nexthop, interface, own) : own_of_interface(interface, destination, own);
}

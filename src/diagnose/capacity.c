/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/capacity.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOWS "/proc/sys/net/netfilter/nf_conntrack_count"
#define FLOWS_MAX "/proc/sys/net/netfilter/nf_conntrack_max"
#define LISTENERS_NAMED 5	/* in one message */

/* Reads up to two numbers of a line. Returns how many there are. */
static int read_numbers(const char *path, unsigned long numbers[2])
{
	FILE *file = fopen(path, "re");
	char line[64] = "", *next = line;
	int count = 0;

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	for (; count < 2; count++) {
		char *end;
		unsigned long number = strtoul(next, &end, 10);

		if (end == next)
			break;
		numbers[count] = number;
		next = end;
	}
	return count;
}

static bool masquerades(const struct config *config)
{
	return config_masquerades(config, IPV4) || config_masquerades(config, IPV6);
}

static bool is_near(unsigned long used, unsigned long most)
{
	return used * 100 > most * CAPACITY_NEAR;
}

static void advise_tracking(const struct config *config, unsigned long flows, unsigned long most, struct report *report)
{
	if (is_near(flows, most))
		report_warning(report, "the kernel tracks %lu of at most %lu flows: when that table is full, nobody can connect any more, "
			       "not even to ocserv; sysctl -w net.netfilter.nf_conntrack_max=%lu, or lower [clients] flows",
			       flows, most, most * 4);
	if (config->flows >= most)
		report_warning(report, "[clients] flows = %u, but the kernel tracks at most %lu flows, so one client can use them all "
			       "up; lower it, or sysctl -w net.netfilter.nf_conntrack_max=%lu", config->flows, most,
			       config->flows * 8UL);
}

/* Ports toward one far end */

/* Flows of clients that have the same one need a port each. */
struct far_end {
	uint8_t protocol, family;
	uint16_t port;			/* network byte order */
	uint8_t bytes[16];
};

struct census {
	const struct config *config;
	struct far_end *far_end;	/* of each flow */
	size_t flows;
};

static bool get_address(struct address *address, const struct nlattr *ip, uint16_t type4, uint16_t type6)
{
	const struct nlattr *attribute = netlink_find_nested(ip, type4);

	*address = (struct address){ .family = attribute ? AF_INET : AF_INET6 };
	if (!attribute)
		attribute = netlink_find_nested(ip, type6);
	if (!attribute || mnl_attr_get_payload_len(attribute) != address_size(address->family))
		return false;
	memcpy(address->bytes, mnl_attr_get_payload(attribute), address_size(address->family));
	return true;
}

/* The far end of a flow's first packet; false where that is no client's, or has no ports. */
static bool read_far_end(const struct config *config, const struct nlattr *tuple, struct far_end *far_end)
{
	const struct nlattr *ip = netlink_find_nested(tuple, CTA_TUPLE_IP), *protocol = netlink_find_nested(tuple, CTA_TUPLE_PROTO);
	const struct nlattr *number = protocol ? netlink_find_nested(protocol, CTA_PROTO_NUM) : NULL;
	const struct nlattr *port = protocol ? netlink_find_nested(protocol, CTA_PROTO_DST_PORT) : NULL;
	struct address source, destination;

	if (!ip || !number || !port || mnl_attr_get_payload_len(number) < 1 || mnl_attr_get_payload_len(port) < 2 ||
	    !get_address(&source, ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC) ||
	    !get_address(&destination, ip, CTA_IP_V4_DST, CTA_IP_V6_DST) || !config_is_client(config, &source) ||
	    config_is_client(config, &destination))
		return false;
	*far_end = (struct far_end){
		.protocol = mnl_attr_get_u8(number), .family = destination.family, .port = mnl_attr_get_u16(port),
	};
	memcpy(far_end->bytes, destination.bytes, sizeof(far_end->bytes));
	return true;
}

static int take_flow(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *attribute;
	struct census *census = data;
	struct far_end far_end;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attribute) != CTA_TUPLE_ORIG || !read_far_end(census->config, attribute, &far_end))
			continue;
		census->far_end = make_room_for_one(census->far_end, census->flows, sizeof(*census->far_end));
		census->far_end[census->flows++] = far_end;
	}
	return 0;
}

static int compare_far_ends(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct far_end));
}

/* The far end that most flows have. */
static const struct far_end *find_busiest(struct census *census, size_t *most)
{
	const struct far_end *busiest = NULL;
	size_t run = 0;

	*most = 0;
	if (census->flows)
		qsort(census->far_end, census->flows, sizeof(*census->far_end), compare_far_ends);
	for (size_t i = 0; i < census->flows; i++) {
		run = i > 0 && compare_far_ends(&census->far_end[i], &census->far_end[i - 1]) == 0 ? run + 1 : 1;
		if (run <= *most)
			continue;
		*most = run;
		busiest = &census->far_end[i];
	}
	return busiest;
}

static void say_short_of_ports(const struct config *config, const struct far_end *far_end, size_t used, size_t ports,
			       struct report *report)
{
	struct address address = { .family = far_end->family };
	char text[ADDRESS_TEXT];

	memcpy(address.bytes, far_end->bytes, sizeof(address.bytes));
	report_warning(report, "clients use %zu of the %zu ports of [gateway] ports = %u-%u toward %s port %u (protocol %u): "
		       "when all are in use, no more clients reach it; choose a wider range", used, ports, config->ports.first,
		       config->ports.last, address_text(&address, text), ntohs(far_end->port), far_end->protocol);
}

static void advise_ports(const struct config *config, unsigned long flows, struct netlink *nft, struct report *report)
{
	size_t ports = config->ports.last - config->ports.first + 1U, used;
	struct census census = { .config = config };
	const struct far_end *busiest;
	struct netlink_error error;
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	if (!is_near(flows, ports))
		return;
	message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	message->nlmsg_flags = NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
	/* What comes and goes while it is read matters little. */
	if (netlink_request(nft, message, take_flow, &census, &error) == 0 || error.number == EINTR) {
		busiest = find_busiest(&census, &used);
		if (busiest && is_near(used, ports))
			say_short_of_ports(config, busiest, used, ports, report);
	}
	free(census.far_end);
}

/* Listeners */

/* A word of an address as the kernel's tables have it, in its own byte order: 8 hexadecimal digits from the @place-th on. */
static uint32_t word_at(const char *address, size_t place)
{
	char digits[9] = "";

	memcpy(digits, address + place, 8);
	return ntohl((uint32_t)strtoul(digits, NULL, 16));
}

static bool is_loopback(const char *address, size_t length)
{
	if (length == 32 && strncmp(address, "000000000000000000000000", 24) == 0)
		return word_at(address, 24) == 1;
	return word_at(address, length - 8) >> 24 == IN_LOOPBACKNET &&
	       (length == 8 || strncmp(address, "0000000000000000FFFF0000", 24) == 0);
}

/* A port on which a program of this host waits for what others begin. */
struct listener {
	uint8_t protocol;	/* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t port;
	bool certain;		/* false: of UDP, and of a port that the kernel gives to clients' sockets too */
};

/*
 * A line of /proc/net/tcp, tcp6, udp or udp6 (proc_pid_net(5)); false where it is no listener, or one on a loopback
 * address, which nothing from outside reaches. @ephemeral: the ports that the kernel gives on its own.
 */
static bool parse_listener(const char *line, uint8_t protocol, const struct port_range *ephemeral,
			   struct listener *listener)
{
	enum { LOCAL = 1, STATE = 3, INODE = 9, FIELDS };
	char *copy = duplicate(line), *field[FIELDS], *save = NULL, *colon;
	size_t length;
	bool is_one;
	int count = 0;

	while (count < FIELDS && (field[count] = strtok_r(count ? NULL : copy, " \n", &save)))
		count++;
	colon = count == FIELDS ? strchr(field[LOCAL], ':') : NULL;
	length = colon ? (size_t)(colon - field[LOCAL]) : 0;
	/* TCP_LISTEN; of UDP TCP_CLOSE, which is a socket that talks to anybody (net/tcp_states.h). */
	is_one = (length == 8 || length == 32) && strtoul(field[STATE], NULL, 16) == (protocol == IPPROTO_TCP ? 10 : 7) &&
		 !is_loopback(field[LOCAL], length);
	if (is_one) {
		unsigned long port = strtoul(colon + 1, NULL, 16);

		*listener = (struct listener){
			.protocol = protocol,
			.port = (uint16_t)port,
			/* Those of the kernel itself, such as WireGuard's, have no inode. */
			.certain = protocol == IPPROTO_TCP || strcmp(field[INODE], "0") == 0 || port < ephemeral->first ||
				   port > ephemeral->last,
		};
	}
	free(copy);
	return is_one;
}

struct listeners {
	struct text certain, possible;	/* "TCP 443, UDP 53" */
	unsigned int count[2];
};

static void add_listener(struct listeners *listeners, const struct listener *listener)
{
	struct text *text = listener->certain ? &listeners->certain : &listeners->possible;
	unsigned int number = listeners->count[listener->certain]++;
	char name[16];

	snprintf(name, sizeof(name), "%s %u", listener->protocol == IPPROTO_TCP ? "TCP" : "UDP", listener->port);
	/* Of both families, as a program mostly has them. */
	if (strstr(text_string(text), name))
		return;
	if (number < LISTENERS_NAMED)
		text_add(text, "%s%s", number ? ", " : "", name);
	else if (number == LISTENERS_NAMED)
		text_add(text, " and more");
}

static void read_listeners(const struct config *config, const char *path, uint8_t protocol,
			   const struct port_range *ephemeral, struct listeners *listeners)
{
	FILE *file = fopen(path, "re");
	struct listener listener;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (parse_listener(line, protocol, ephemeral, &listener) && listener.port >= config->ports.first &&
		    listener.port <= config->ports.last)
			add_listener(listeners, &listener);
	if (file)
		fclose(file);
}

static void advise_listeners(const struct config *config, struct report *report)
{
	struct listeners listeners = { 0 };
	unsigned long ports[2] = { 32768, 60999 };
	struct port_range ephemeral;

	read_numbers("/proc/sys/net/ipv4/ip_local_port_range", ports);
	ephemeral = (struct port_range){ (uint16_t)ports[0], (uint16_t)ports[1] };
	read_listeners(config, "/proc/net/tcp", IPPROTO_TCP, &ephemeral, &listeners);
	read_listeners(config, "/proc/net/tcp6", IPPROTO_TCP, &ephemeral, &listeners);
	read_listeners(config, "/proc/net/udp", IPPROTO_UDP, &ephemeral, &listeners);
	read_listeners(config, "/proc/net/udp6", IPPROTO_UDP, &ephemeral, &listeners);
	if (listeners.certain.length)
		report_warning(report, "this host listens on %s, within [gateway] ports = %u-%u: a client may receive what others send "
			       "to it; choose a range without these ports", text_string(&listeners.certain), config->ports.first,
			       config->ports.last);
	if (listeners.possible.length)
		report_note(report, "sockets of %s are within [gateway] ports = %u-%u: if they belong to a server, a client may receive "
			    "what others send to it; choose a range without these ports", text_string(&listeners.possible),
			    config->ports.first, config->ports.last);
	text_free(&listeners.certain);
	text_free(&listeners.possible);
}

void capacity_advise(const struct config *config, struct netlink *nft, struct report *report)
{
	unsigned long flows[2] = { 0 }, most[2] = { 0 };

	if (read_numbers(FLOWS, flows) && read_numbers(FLOWS_MAX, most) && most[0])
		advise_tracking(config, flows[0], most[0], report);
	if (!masquerades(config))
		return;
	advise_ports(config, flows[0], nft, report);
	advise_listeners(config, report);
}

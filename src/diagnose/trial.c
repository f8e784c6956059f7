/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/trial.h"
#include "kernel/ask.h"
#include "kernel/conntrack.h"
#include "kernel/datagram.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#define AGAIN_US 500000LL		/* from one packet to the next of the same kind */
#define FIRST_PORT 32768U
#define PORTS 28232U

static void name_tunnel(struct trial *trial, const struct interface_pattern *pattern)
{
	snprintf(trial->name, sizeof(trial->name), pattern->wildcard ? "%s-test" : "%s", pattern->name);
}

static int bring_up(const struct trial *trial)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = -1, error;

	memcpy(request.ifr_name, trial->name, IFNAMSIZ);
	if (fd >= 0)
		result = ioctl(fd, SIOCGIFFLAGS, &request);
	request.ifr_flags |= IFF_UP;
	if (result == 0)
		result = ioctl(fd, SIOCSIFFLAGS, &request);
	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return result;
}

int trial_open(struct trial *trial, const struct config *config, struct report *report)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL) };

	*trial = (struct trial){ .tunnel = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK) };
	if (trial->tunnel < 0)
		return report_error(report, EX_OSERR, "/dev/net/tun: %s: nothing can be sent as a client does", strerror(errno));
	name_tunnel(trial, &config->clients);
	memcpy(request.ifr_name, trial->name, IFNAMSIZ);
	if (ioctl(trial->tunnel, TUNSETIFF, &request) < 0)
		return report_error(report, errno == EBUSY ? EX_TEMPFAIL : EX_OSERR, "the tunnel %s can't be created: %s", trial->name,
				    errno == EBUSY ? "it already exists; is another test running?" : strerror(errno));
	trial->interface = if_nametoindex(trial->name);
	if (bring_up(trial) < 0)
		return report_error(report, EX_OSERR, "the tunnel %s can't be brought up: %s", trial->name, strerror(errno));
	return 0;
}

static struct route make_route(const struct trial *trial, const struct address *address)
{
	return (struct route){
		.family = address->family, .table = RT_TABLE_MAIN, .type = RTN_UNICAST, .protocol = ROUTING_PROTOCOL,
		.destination = *address, .destination_length = (uint8_t)(address_size(address->family) * 8),
		.interface = trial->interface,
	};
}

/* Whether this host or a client has it: it is led to a tunnel, or is local. */
static bool is_taken(const struct config *config, const struct address *address, struct netlink *netlink)
{
	char buffer[NETLINK_MESSAGE_SIZE], name[IFNAMSIZ];
	struct netlink_error error;
	struct route route = { 0 };
	bool taken = netlink_request(netlink, rtnetlink_get_route(buffer, address, 0), rtnetlink_take_route, &route,
				     &error) == 0 &&
		     (route.type != RTN_UNICAST || (netlink_interface_name(netlink, route.interface, name) &&
						    interface_matches(&config->clients, name)));

	route_free(&route);
	return taken;
}

/* The last address of a subnet, or its first: ocserv gives neither to a client. */
static struct address end_of(const struct prefix *prefix, bool last)
{
	struct address address = prefix_mask(prefix).address;
	unsigned int bits = address_size(address.family) * 8;

	for (unsigned int i = prefix->length; last && i < bits; i++)
		address.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return address;
}

int trial_add_source(struct trial *trial, const struct config *config, int family, struct netlink *netlink,
		     struct report *report)
{
	const struct subnets *subnets = &config->subnets[family];
	char buffer[NETLINK_MESSAGE_SIZE], text[ADDRESS_TEXT];
	struct netlink_error error;
	struct address address;
	struct route route;

	for (unsigned int i = 0; i < 2 * subnets->count; i++) {
		/* Of one or two addresses each may be a client's. */
		if (subnets->prefix[i / 2].length + 2U > address_size(family_of(family)) * 8)
			continue;
		address = end_of(&subnets->prefix[i / 2], (i % 2 != 0) == (family == IPV4));
		if (is_taken(config, &address, netlink))
			continue;
		route = make_route(trial, &address);
		if (netlink_request(netlink, rtnetlink_add_route(buffer, &route), NULL, NULL, &error) < 0)
			return report_error(report, netlink_error_status(&error), "%s can't be routed into the tunnel %s: %s",
					    address_text(&address, text), trial->name, netlink_error_text(&error));
		trial->source[family] = address;
		return 0;
	}
	return report_error(report, EX_UNAVAILABLE, "no address of [clients] subnet%d is free for a test",
			    family == IPV4 ? 4 : 6);
}

void trial_close(struct trial *trial, struct sockets *sockets, struct report *report)
{
	struct prefix whose[FAMILIES];
	struct netlink_error error = { 0 };
	size_t count = 0;

	if (trial->tunnel < 0)
		return;
	close(trial->tunnel);
	trial->tunnel = -1;
	for (int family = 0; family < FAMILIES; family++)
		if (trial->source[family].family)
			whose[count++] = (struct prefix){ trial->source[family], family == IPV4 ? 32 : 128 };
	if (conntrack_end(&sockets->nft, whose, count, NULL, NULL, &error) < 0)
		conntrack_warn(whose, count, &error, report);
}

static void send_datagram(const struct trial *trial, const struct datagram *datagram)
{
	uint8_t bytes[DATAGRAM_MOST];
	size_t size = datagram_make(bytes, datagram);

	/* One that is lost is sent again. */
	if (size && write(trial->tunnel, bytes, size) < 0)
		return;
}

/* Waits until @until at most for the next packet to an address of ours. */
static bool receive(const struct trial *trial, struct datagram *datagram, uint8_t *bytes, size_t room, long long until)
{
	struct pollfd ready = { .fd = trial->tunnel, .events = POLLIN };
	long long left;

	while ((left = until - clock_us()) > 0) {
		ssize_t size = poll(&ready, 1, (int)(left / 1000) + 1) > 0 ? read(trial->tunnel, bytes, room) : -1;

		if (size > 0 && datagram_parse(datagram, bytes, (size_t)size) &&
		    address_equal(&datagram->destination,
				  &trial->source[family_index(datagram->source.family)]))
			return true;
	}
	return false;
}

/* What a question and its answer have in common: ports, numbers. */
struct call {
	struct address source, destination;
	uint16_t port, own;
	uint32_t sequence;
};

static void call_make(struct call *call, const struct trial *trial, const struct address *destination, uint16_t port)
{
	struct { uint16_t own; uint32_t sequence; } random = { 0 };

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random.sequence = (uint32_t)clock_us();
	*call = (struct call){
		.source = trial->source[family_index(destination->family)], .destination = *destination,
		.port = port, .own = (uint16_t)(FIRST_PORT + random.own % PORTS), .sequence = random.sequence,
	};
}

static struct datagram make_segment(const struct call *call, uint8_t flags)
{
	return (struct datagram){
		.source = call->source, .destination = call->destination, .protocol = IPPROTO_TCP,
		.from = call->own, .to = call->port, .sequence = call->sequence, .flags = flags,
	};
}

static void ask_again(const struct trial *trial, const struct call *call)
{
	bool four = call->source.family == AF_INET;
	struct datagram echo = {
		.source = call->source, .destination = call->destination, .id = call->own,
		.protocol = four ? IPPROTO_ICMP : IPPROTO_ICMPV6, .type = four ? ICMP_ECHO : ICMP6_ECHO_REQUEST,
	};
	struct datagram syn = make_segment(call, TH_SYN);

	send_datagram(trial, call->port ? &syn : &echo);
}

static bool is_segment_of(const struct call *call, const struct datagram *datagram)
{
	return datagram->protocol == IPPROTO_TCP && datagram->from == call->port && datagram->to == call->own &&
	       address_equal(&datagram->source, &call->destination);
}

static bool is_echo_of(const struct call *call, const struct datagram *datagram)
{
	return datagram->protocol != IPPROTO_TCP && datagram->id == call->own &&
	       datagram->type == (call->source.family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) &&
	       address_equal(&datagram->source, &call->destination);
}

/* An ICMP error about it, in words; false where it is none. */
static bool is_refused(const struct call *call, const struct datagram *datagram, char why[TRIAL_WHY])
{
	char text[ADDRESS_TEXT];

	if (!datagram->quoted.family || !address_equal(&datagram->quoted, &call->destination))
		return false;
	snprintf(why, TRIAL_WHY, "refused by %s (ICMP type %u, code %u)", address_text(&datagram->source, text),
		 datagram->type, datagram->code);
	return true;
}

/* The other end is left with nothing open. */
static void hang_up(const struct trial *trial, const struct call *call, const struct datagram *last)
{
	struct datagram reset = make_segment(call, TH_RST);

	reset.sequence = last->acknowledged;
	send_datagram(trial, &reset);
}

static void take_answer(const struct trial *trial, const struct call *call, struct echo *echo,
			const struct datagram *datagram)
{
	bool segment = call->port && is_segment_of(call, datagram);

	if (is_refused(call, datagram, echo->why))
		return;
	if (segment && datagram->flags & TH_RST)
		snprintf(echo->why, TRIAL_WHY, "refused (TCP reset)");
	else
		echo->answered = segment ? (datagram->flags & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK) :
					   !call->port && is_echo_of(call, datagram);
	if (segment && echo->answered)
		hang_up(trial, call, datagram);
}

static bool is_open(const struct echo *echo)
{
	return !echo->answered && !echo->why[0];
}

static size_t count_open(const struct echo *echo, size_t count)
{
	size_t open = 0;

	for (size_t i = 0; i < count; i++)
		open += is_open(&echo[i]);
	return open;
}

/* Until all are answered, or it is time to ask again. */
static void take_answers(const struct trial *trial, const struct call *call, struct echo *echo, size_t count,
			 long long started, long long until)
{
	uint8_t bytes[2048];
	struct datagram datagram;

	while (count_open(echo, count) && receive(trial, &datagram, bytes, sizeof(bytes), until)) {
		for (size_t i = 0; i < count; i++) {
			if (!is_open(&echo[i]))
				continue;
			take_answer(trial, &call[i], &echo[i], &datagram);
			echo[i].took_us = clock_us() - started;
		}
	}
}

void trial_probe(struct trial *trial, struct echo *echo, size_t count)
{
	struct call call[CONFIG_PROBES];
	long long started = clock_us();

	for (size_t i = 0; i < count; i++)
		call_make(&call[i], trial, &echo[i].probe->address, echo[i].probe->port);
	for (long long at = 0; at < TRIAL_PATIENCE_MS * 1000LL && count_open(echo, count); at += AGAIN_US) {
		for (size_t i = 0; i < count; i++)
			if (is_open(&echo[i]))
				ask_again(trial, &call[i]);
		take_answers(trial, call, echo, count, started, started + at + AGAIN_US);
	}
}

/* A connection by which a page comes. */
struct fetch {
	struct trial *trial;
	struct call call;
	const char *request;
	struct text *page;
	char *why;
	uint32_t next;		/* of the other end's bytes */
	bool connected, ended;
};

static void send_request(const struct fetch *fetch, bool with_data)
{
	struct datagram segment = make_segment(&fetch->call, (uint8_t)(TH_ACK | (with_data ? TH_PUSH : 0)));

	segment.acknowledged = fetch->next;
	segment.sequence = fetch->call.sequence + 1 + (with_data ? 0 : (uint32_t)strlen(fetch->request));
	segment.data = fetch->request;
	segment.size = with_data ? strlen(fetch->request) : 0;
	send_datagram(fetch->trial, &segment);
}

static void take_data(struct fetch *fetch, const struct datagram *segment)
{
	size_t room = TRIAL_PAGE - fetch->page->length;

	if (segment->sequence == fetch->next) {
		text_add_bytes(fetch->page, segment->data, segment->size < room ? segment->size : room);
		fetch->next += (uint32_t)segment->size;
		fetch->ended = segment->flags & TH_FIN || fetch->page->length == TRIAL_PAGE;
	}
	if (segment->size)
		send_request(fetch, false);
}

static void take_segment(struct fetch *fetch, const struct datagram *segment)
{
	if (segment->flags & TH_RST) {
		if (!fetch->page->length)
			snprintf(fetch->why, TRIAL_WHY, "refused (TCP reset)");
		fetch->ended = true;
	} else if (segment->flags & TH_SYN && segment->acknowledged == fetch->call.sequence + 1) {
		fetch->connected = true;
		fetch->next = segment->sequence + 1;
		send_request(fetch, true);
	} else if (fetch->connected) {
		take_data(fetch, segment);
	}
}

static void await_page(struct fetch *fetch, long long until)
{
	uint8_t bytes[2048];
	struct datagram datagram;

	while (!fetch->ended && receive(fetch->trial, &datagram, bytes, sizeof(bytes), until)) {
		if (is_refused(&fetch->call, &datagram, fetch->why))
			fetch->ended = true;
		else if (is_segment_of(&fetch->call, &datagram))
			take_segment(fetch, &datagram);
	}
}

static void end_fetch(const struct fetch *fetch)
{
	struct datagram reset = make_segment(&fetch->call, TH_RST);

	reset.sequence = fetch->call.sequence + 1 + (uint32_t)strlen(fetch->request);
	if (fetch->connected)
		send_datagram(fetch->trial, &reset);
}

int trial_fetch(struct trial *trial, const struct http *http, const struct address *server, struct text *page,
		char why[TRIAL_WHY])
{
	struct text request CLEANUP(text_free) = { 0 };
	struct fetch fetch = { .trial = trial, .page = page, .why = why };
	long long started = clock_us();

	why[0] = '\0';
	text_add(&request, "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: curl/ocserv-gateway\r\nConnection: close\r\n\r\n",
		 http->path, http->host);
	fetch.request = text_string(&request);
	call_make(&fetch.call, trial, server, http->port);
	for (long long at = 0; at < TRIAL_FETCH_PATIENCE_MS * 1000LL && !fetch.ended; at += AGAIN_US) {
		if (!fetch.connected)
			ask_again(trial, &fetch.call);
		else if (!page->length)
			send_request(&fetch, true);
		await_page(&fetch, started + at + AGAIN_US);
	}
	end_fetch(&fetch);
	if (page->length)
		return 0;
	if (!why[0])
		snprintf(why, TRIAL_WHY, fetch.connected ? "connects, and sends nothing" : "no answer");
	return -1;
}

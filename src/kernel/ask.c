/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/ask.h"
#include "base/checksum.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip6.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define AGAIN_US 250000LL	/* from one question to the next */

long long clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int ask_open(void)
{
	return socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A question and who asks it. */
struct question {
	const struct exit *exit;
	struct mac own;
	struct address source;
	struct sockaddr_ll to;
	uint8_t packet[sizeof(struct ip6_hdr) + sizeof(struct nd_neighbor_solicit) + 8];
	size_t size;
};

static int find_own_mac(const struct exit *exit, int fd, struct mac *mac)
{
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, exit->interface.name, IFNAMSIZ);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -1;
	if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
		errno = EOPNOTSUPP;
		return -1;
	}
	memcpy(mac->bytes, request.ifr_hwaddr.sa_data, sizeof(mac->bytes));
	return 0;
}

/* The address that this host has toward the gateway, as the kernel chooses it for a socket of that interface. */
static int find_own_address(const struct exit *exit, struct address *address)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_scope_id = exit->interface.index };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(9) };
	bool is_four = exit->family == IPV4;
	struct sockaddr *name = is_four ? (struct sockaddr *)&four : (struct sockaddr *)&six;
	socklen_t size = is_four ? sizeof(four) : sizeof(six);
	int fd = socket(family_of(exit->family), SOCK_DGRAM | SOCK_CLOEXEC, 0), result, error;

	memcpy(is_four ? (void *)&four.sin_addr : (void *)&six.sin6_addr, exit->nexthop.bytes, address_size(exit->nexthop.family));
	result = fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, exit->interface.name,
					  (socklen_t)strlen(exit->interface.name));
	if (result == 0)
		result = connect(fd, name, size);
	if (result == 0)
		result = getsockname(fd, name, &size);
	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	*address = (struct address){ .family = exit->nexthop.family };
	memcpy(address->bytes, is_four ? (void *)&four.sin_addr : (void *)&six.sin6_addr, address_size(address->family));
	return result;
}

static void make_arp(struct question *question)
{
	struct ether_arp arp = {
		.ea_hdr = { htons(ARPHRD_ETHER), htons(ETHERTYPE_IP), ETH_ALEN, 4, htons(ARPOP_REQUEST) },
	};

	memcpy(arp.arp_sha, question->own.bytes, ETH_ALEN);
	memcpy(arp.arp_spa, question->source.bytes, 4);
	memcpy(arp.arp_tpa, question->exit->nexthop.bytes, 4);
	memcpy(question->packet, &arp, sizeof(arp));
	question->size = sizeof(arp);
	question->to.sll_protocol = htons(ETHERTYPE_ARP);
	memset(question->to.sll_addr, 0xff, ETH_ALEN);
}

/* RFC 4861, 4.3, to the gateway's solicited-node address. */
static void make_solicitation(struct question *question)
{
	static const uint8_t nodes[13] = { 0xff, 0x02, [11] = 0x01, [12] = 0xff };
	struct nd_neighbor_solicit solicit = { .nd_ns_hdr = { .icmp6_type = ND_NEIGHBOR_SOLICIT } };
	struct nd_opt_hdr option = { ND_OPT_SOURCE_LINKADDR, 1 };
	struct ip6_hdr header = { 0 };
	uint8_t *body = question->packet + sizeof(header);
	size_t size = sizeof(solicit) + 8;
	uint16_t sum;

	header.ip6_flow = htonl(6U << 28);
	header.ip6_plen = htons((uint16_t)size);
	header.ip6_nxt = IPPROTO_ICMPV6;
	header.ip6_hlim = 255;
	memcpy(&header.ip6_src, question->source.bytes, 16);
	memcpy(&header.ip6_dst, question->exit->nexthop.bytes, 16);
	memcpy(&header.ip6_dst, nodes, sizeof(nodes));
	memcpy(&solicit.nd_ns_target, question->exit->nexthop.bytes, 16);
	memcpy(question->packet, &header, sizeof(header));
	memcpy(body, &solicit, sizeof(solicit));
	memcpy(body + sizeof(solicit), &option, sizeof(option));
	memcpy(body + sizeof(solicit) + sizeof(option), question->own.bytes, ETH_ALEN);
	sum = checksum_transport(AF_INET6, &header.ip6_src, &header.ip6_dst, IPPROTO_ICMPV6, body, size);
	memcpy(body + offsetof(struct icmp6_hdr, icmp6_cksum), &sum, sizeof(sum));
	question->size = sizeof(header) + size;
	question->to.sll_protocol = htons(ETHERTYPE_IPV6);
	memcpy(question->to.sll_addr, (const uint8_t[]){ 0x33, 0x33 }, 2);
	memcpy(question->to.sll_addr + 2, (const uint8_t *)&header.ip6_dst + 12, 4);
}

static int make_question(struct question *question, const struct exit *exit, int fd)
{
	*question = (struct question){
		.exit = exit,
		.to = { .sll_family = AF_PACKET, .sll_ifindex = (int)exit->interface.index, .sll_halen = ETH_ALEN },
	};
	if (find_own_mac(exit, fd, &question->own) < 0 || find_own_address(exit, &question->source) < 0)
		return -1;
	if (exit->family == IPV4)
		make_arp(question);
	else
		make_solicitation(question);
	return 0;
}

static bool is_arp_answer(const struct question *question, const uint8_t *packet, size_t size)
{
	struct ether_arp arp;

	if (size < sizeof(arp))
		return false;
	memcpy(&arp, packet, sizeof(arp));
	return arp.ea_hdr.ar_op == htons(ARPOP_REPLY) && memcmp(arp.arp_spa, question->exit->nexthop.bytes, 4) == 0;
}

static bool is_advertisement(const struct question *question, const uint8_t *packet, size_t size)
{
	struct nd_neighbor_advert advert;
	struct ip6_hdr header;

	if (size < sizeof(header) + sizeof(advert))
		return false;
	memcpy(&header, packet, sizeof(header));
	memcpy(&advert, packet + sizeof(header), sizeof(advert));
	return header.ip6_nxt == IPPROTO_ICMPV6 && advert.nd_na_hdr.icmp6_type == ND_NEIGHBOR_ADVERT &&
	       memcmp(&advert.nd_na_target, question->exit->nexthop.bytes, 16) == 0;
}

/* What has come: the answer, from the station that it is to come from. */
static bool take(const struct question *question, int fd, const struct mac *mac)
{
	struct sockaddr_ll from = { 0 };
	socklen_t from_size = sizeof(from);
	uint8_t packet[2048];
	ssize_t size = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &from_size);

	if (size < 0 || from.sll_pkttype == PACKET_OUTGOING || from.sll_ifindex != question->to.sll_ifindex ||
	    (mac->known && memcmp(from.sll_addr, mac->bytes, ETH_ALEN) != 0))
		return false;
	return question->exit->family == IPV4 ? is_arp_answer(question, packet, (size_t)size) :
						  is_advertisement(question, packet, (size_t)size);
}

/* Waits until @until, or for an answer. */
static bool await(const struct question *question, int fd, const struct mac *mac, long long until)
{
	struct pollfd ready = { .fd = fd, .events = POLLIN };
	long long left;

	while ((left = until - clock_us()) > 0)
		if (poll(&ready, 1, (int)(left / 1000) + 1) > 0 && take(question, fd, mac))
			return true;
	return false;
}

int ask_gateway(int fd, const struct exit *exit, long long *took_us)
{
	const struct mac *mac = &exit->gateway->to[exit->family].mac;
	long long started = clock_us();
	struct question question;

	if (make_question(&question, exit, fd) < 0 ||
	    bind(fd, (struct sockaddr *)&question.to, sizeof(question.to)) < 0)
		return -1;
	for (long long until = AGAIN_US; until <= ASK_PATIENCE_MS * 1000LL; until += AGAIN_US) {
		if (sendto(fd, question.packet, question.size, 0, (struct sockaddr *)&question.to, sizeof(question.to)) < 0)
			return -1;
		if (await(&question, fd, mac, started + until)) {
			*took_us = clock_us() - started;
			return 1;
		}
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * flood INTERFACE MAC DESTINATION FIRST STEP CLIENTS MILLISECONDS
 *
 * Sends UDP packets of 60 bytes by INTERFACE to the next hop MAC, as fast as it can, for so long but at most
 * two seconds. Their sources are FIRST, FIRST + STEP, ... in turn, CLIENTS of them, and have FLOWS flows in all, however
 * many clients there are. Prints how many were sent, and in how many nanoseconds. For the namespaces of bench/run: it refuses an interface other than vpns0.
 */

#define FLOWS 1000
#define FIRST_PORT 40000
#define BATCH 64
#define MOST_MILLISECONDS 2000
#define PAYLOAD 18

struct packet {
	struct ether_header ethernet;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[PAYLOAD];
} __attribute__((__packed__));

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long number(const char *text, unsigned long most)
{
	unsigned long value = strtoul(text, NULL, 10);

	if (value < 1 || value > most) {
		errno = EINVAL;
		die(text);
	}
	return value;
}

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static uint32_t address(const char *text)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1) {
		errno = EINVAL;
		die(text);
	}
	return ntohl(address.s_addr);
}

static uint16_t checksum(const struct iphdr *header)
{
	const uint8_t *byte = (const uint8_t *)header;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*header); i += 2)
		sum += (uint32_t)(byte[i] << 8 | byte[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return htons((uint16_t)~sum);
}

static struct iphdr make_header(uint32_t source, uint32_t destination)
{
	struct iphdr header = {
		.version = 4, .ihl = sizeof(header) / 4, .ttl = 64, .protocol = IPPROTO_UDP,
		.tot_len = htons(sizeof(struct packet) - sizeof(struct ether_header)),
		.saddr = htonl(source), .daddr = htonl(destination),
	};

	header.check = checksum(&header);
	return header;
}

static struct packet make_packet(const struct ether_addr *mac, uint32_t source, uint16_t port, uint32_t destination)
{
	struct packet packet = {
		.ethernet = { .ether_shost = { 2 }, .ether_type = htons(ETHERTYPE_IP) },
		.ip = make_header(source, destination),
		/* No checksum: 0 says so, in IPv4. */
		.udp = {
			.source = htons(port), .dest = htons(9),
			.len = htons(sizeof(packet.udp) + sizeof(packet.payload)),
		},
	};

	memcpy(packet.ethernet.ether_dhost, mac, sizeof(packet.ethernet.ether_dhost));
	return packet;
}

static struct ether_addr parse_mac(const char *text)
{
	struct ether_addr mac;
	uint8_t *byte = mac.ether_addr_octet;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4],
		   &byte[5]) != 6) {
		errno = EINVAL;
		die(text);
	}
	return mac;
}

static int open_link(const char *interface)
{
	struct sockaddr_ll link = { .sll_family = AF_PACKET };
	int fd, on = 1;

	if (strcmp(interface, "vpns0") != 0) {
		errno = EPERM;
		die(interface);
	}
	link.sll_ifindex = (int)if_nametoindex(interface);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (!link.sll_ifindex || fd < 0 || bind(fd, (struct sockaddr *)&link, sizeof(link)) < 0)
		die(interface);
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return fd;
}

/* Sends BATCH packets, from @next on in turn; how many the kernel took. */
static unsigned int send_batch(int fd, struct packet *packets, unsigned long next)
{
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec parts[BATCH];
	int sent;

	for (unsigned int i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){ &packets[(next + i) % FLOWS], sizeof(*packets) };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(fd, messages, BATCH, 0);
	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		die("sendmmsg");
	return sent < 0 ? 0 : (unsigned int)sent;
}

int main(int argc, char **argv)
{
	static struct packet packets[FLOWS];
	unsigned long clients, step, sent = 0;
	struct ether_addr mac;
	long long begun, length;
	int fd;

	if (argc != 8) {
		errno = EINVAL;
		die("usage: flood INTERFACE MAC DESTINATION FIRST STEP CLIENTS MILLISECONDS");
	}
	mac = parse_mac(argv[2]);
	step = number(argv[5], 1 << 20);
	clients = number(argv[6], FLOWS);
	length = (long long)number(argv[7], MOST_MILLISECONDS) * 1000000;
	for (unsigned long i = 0; i < FLOWS; i++)
		packets[i] = make_packet(&mac, address(argv[4]) + (uint32_t)(i % clients * step), (uint16_t)(FIRST_PORT + i),
					 address(argv[3]));
	fd = open_link(argv[1]);
	begun = now();
	while (now() - begun < length)
		sent += send_batch(fd, packets, sent);
	printf("%lu %lld\n", sent, now() - begun);
	return 0;
}

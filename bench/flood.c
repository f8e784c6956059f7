/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * flood SOCKET FILE SIZE MILLISECONDS
 *
 * Sends the packets of FILE, Ethernet frames of SIZE bytes each, one after the other and again from the first, as fast as
 * it can, for so long but at most two seconds. SOCKET is a descriptor that bench/flood.py has opened in a namespace of
 * bench/run: a packet socket, or a UDP socket, which gets the payload of each frame and sends it to the frame's
 * destination. Prints how many were sent, and in how many nanoseconds.
 *
 * In these namespaces a packet is forwarded and delivered before send returns, by this process. It asks for real time,
 * so that nobody else gets its processor meanwhile: the time is that of one processor.
 */

#define MOST_PACKETS 1024
#define MOST_BYTES 1514
#define BATCH 64
#define MOST_MILLISECONDS 2000
#define PRIORITY 50

struct packets {
	uint8_t frame[MOST_PACKETS][MOST_BYTES];
	size_t size;
	unsigned int count;
};

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long number(const char *text, unsigned long least, unsigned long most)
{
	unsigned long value = strtoul(text, NULL, 10);

	if (value < least || value > most) {
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

static void read_packets(struct packets *packets, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		die(path);
	while (packets->count < MOST_PACKETS && fread(packets->frame[packets->count], packets->size, 1, file) == 1)
		packets->count++;
	fclose(file);
	if (!packets->count) {
		errno = ENODATA;
		die(path);
	}
}

static int is_packet_socket(int fd)
{
	int domain = 0;
	socklen_t length = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0)
		die("SOCKET");
	return domain == AF_PACKET;
}

static struct sockaddr_in destination_of(const uint8_t *frame)
{
	struct sockaddr_in destination = { .sin_family = AF_INET };
	struct iphdr ip;
	struct udphdr udp;

	memcpy(&ip, frame + sizeof(struct ether_header), sizeof(ip));
	memcpy(&udp, frame + sizeof(struct ether_header) + sizeof(ip), sizeof(udp));
	destination.sin_addr.s_addr = ip.daddr;
	destination.sin_port = udp.dest;
	return destination;
}

/* All messages, and then as many of the first as make the last batch complete. */
static void make_messages(struct packets *packets, int whole, struct mmsghdr *messages)
{
	static struct iovec parts[MOST_PACKETS];
	static struct sockaddr_in destinations[MOST_PACKETS];
	const size_t headers = sizeof(struct ether_header) + sizeof(struct iphdr) + sizeof(struct udphdr);

	for (unsigned int i = 0; i < packets->count; i++) {
		size_t skipped = whole ? 0 : headers;

		parts[i] = (struct iovec){ packets->frame[i] + skipped, packets->size - skipped };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
		if (whole)
			continue;
		destinations[i] = destination_of(packets->frame[i]);
		messages[i].msg_hdr.msg_name = &destinations[i];
		messages[i].msg_hdr.msg_namelen = sizeof(destinations[i]);
	}
	for (unsigned int i = packets->count; i < packets->count + BATCH; i++)
		messages[i] = messages[i - packets->count];
}

/* Sends BATCH packets; how many the kernel took. */
static unsigned int send_batch(int fd, struct mmsghdr *messages)
{
	int sent = sendmmsg(fd, messages, BATCH, 0);

	if (sent < 0 && errno != ENOBUFS && errno != EAGAIN)
		die("sendmmsg");
	return sent < 0 ? 0 : (unsigned int)sent;
}

static void ask_for_real_time(void)
{
	struct sched_param param = { .sched_priority = PRIORITY };

	if (sched_setscheduler(0, SCHED_FIFO, &param) < 0)
		fprintf(stderr, "flood: no real time: %s\n", strerror(errno));
}

int main(int argc, char **argv)
{
	static struct packets packets;
	static struct mmsghdr messages[MOST_PACKETS + BATCH];
	long long begun, length;
	unsigned long sent = 0;
	int fd;

	if (argc != 5) {
		errno = EINVAL;
		die("usage: flood SOCKET FILE SIZE MILLISECONDS");
	}
	fd = (int)number(argv[1], 0, 1 << 20);
	packets.size = number(argv[3], ETHER_HDR_LEN + sizeof(struct iphdr) + sizeof(struct udphdr), MOST_BYTES);
	length = (long long)number(argv[4], 1, MOST_MILLISECONDS) * 1000000;
	read_packets(&packets, argv[2]);
	make_messages(&packets, is_packet_socket(fd), messages);
	ask_for_real_time();
	begun = now();
	while (now() - begun < length)
		sent += send_batch(fd, &messages[sent % packets.count]);
	printf("%lu %lld\n", sent, now() - begun);
	return 0;
}

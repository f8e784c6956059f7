/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/datagram.h"
#include "base/checksum.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#define TTL 64
#define WINDOW 16384
#define MSS 1220	/* fits into what IPv6 carries everywhere */

static size_t put_tcp(uint8_t *bytes, const struct datagram *datagram)
{
	const uint8_t mss[] = { TCPOPT_MAXSEG, TCPOLEN_MAXSEG, MSS >> 8, MSS & 0xff };
	size_t options = datagram->flags & TH_SYN ? sizeof(mss) : 0;
	struct tcphdr header = { 0 };

	header.th_sport = htons(datagram->from);
	header.th_dport = htons(datagram->to);
	header.th_seq = htonl(datagram->sequence);
	header.th_ack = htonl(datagram->acknowledged);
	header.th_off = (uint8_t)((sizeof(header) + options) / 4) & 0xf;
	header.th_flags = datagram->flags;
	header.th_win = htons(WINDOW);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), mss, options);
	return sizeof(header) + options;
}

static size_t put_echo(uint8_t *bytes, const struct datagram *datagram)
{
	struct icmphdr header = { .type = datagram->type, .code = datagram->code };

	header.un.echo.id = htons(datagram->id);
	memcpy(bytes, &header, sizeof(header));
	return sizeof(header);
}

static void put_checksum(uint8_t *body, size_t size, const struct datagram *datagram)
{
	uint16_t sum = datagram->protocol == IPPROTO_ICMP ? checksum(body, size) :
		       checksum_transport(datagram->source.family, datagram->source.bytes, datagram->destination.bytes,
					  datagram->protocol, body, size);

	memcpy(body + (datagram->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, th_sum) :
							   offsetof(struct icmphdr, checksum)), &sum, sizeof(sum));
}

static void put_ipv4(uint8_t *bytes, size_t size, const struct datagram *datagram)
{
	struct iphdr header = { .version = 4, .ihl = 5, .ttl = TTL, .protocol = datagram->protocol };

	header.tot_len = htons((uint16_t)size);
	header.frag_off = htons(IP_DF);
	memcpy(&header.saddr, datagram->source.bytes, 4);
	memcpy(&header.daddr, datagram->destination.bytes, 4);
	header.check = checksum(&header, sizeof(header));
	memcpy(bytes, &header, sizeof(header));
}

static void put_ipv6(uint8_t *bytes, size_t size, const struct datagram *datagram)
{
	struct ip6_hdr header = { 0 };

	header.ip6_flow = htonl(6U << 28);
	header.ip6_plen = htons((uint16_t)(size - sizeof(header)));
	header.ip6_nxt = datagram->protocol;
	header.ip6_hlim = TTL;
	memcpy(&header.ip6_src, datagram->source.bytes, 16);
	memcpy(&header.ip6_dst, datagram->destination.bytes, 16);
	memcpy(bytes, &header, sizeof(header));
}

static size_t header_size(uint8_t family)
{
	return family == AF_INET ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
}

size_t datagram_make(uint8_t bytes[DATAGRAM_MOST], const struct datagram *datagram)
{
	size_t before = header_size(datagram->source.family), size;
	uint8_t *body = bytes + before;

	size = datagram->protocol == IPPROTO_TCP ? put_tcp(body, datagram) : put_echo(body, datagram);
	if (datagram->size > DATAGRAM_MOST - before - size)
		return 0;
	if (datagram->size)
		memcpy(body + size, datagram->data, datagram->size);
	size += datagram->size;
	put_checksum(body, size, datagram);
	if (datagram->source.family == AF_INET)
		put_ipv4(bytes, before + size, datagram);
	else
		put_ipv6(bytes, before + size, datagram);
	return before + size;
}

static bool get_ipv4(struct datagram *datagram, const uint8_t *bytes, size_t size, size_t *before, size_t *end)
{
	struct iphdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, bytes, sizeof(header));
	*before = (size_t)header.ihl * 4;
	*end = ntohs(header.tot_len);
	datagram->protocol = header.protocol;
	datagram->source.family = datagram->destination.family = AF_INET;
	memcpy(datagram->source.bytes, &header.saddr, 4);
	memcpy(datagram->destination.bytes, &header.daddr, 4);
	return *before >= sizeof(header) && !(header.frag_off & htons(IP_MF | IP_OFFMASK));
}

static bool get_ipv6(struct datagram *datagram, const uint8_t *bytes, size_t size, size_t *before, size_t *end)
{
	struct ip6_hdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, bytes, sizeof(header));
	*before = sizeof(header);
	*end = sizeof(header) + ntohs(header.ip6_plen);
	datagram->protocol = header.ip6_nxt;
	datagram->source.family = datagram->destination.family = AF_INET6;
	memcpy(datagram->source.bytes, &header.ip6_src, 16);
	memcpy(datagram->destination.bytes, &header.ip6_dst, 16);
	return true;
}

/* @end: of what is known to be there; a quoted packet is cut short. */
static bool get_ip(struct datagram *datagram, const uint8_t *bytes, size_t size, size_t *before, size_t *end)
{
	*datagram = (struct datagram){ 0 };
	if (size == 0 || (bytes[0] >> 4 == 4 ? !get_ipv4(datagram, bytes, size, before, end) :
					       bytes[0] >> 4 != 6 || !get_ipv6(datagram, bytes, size, before, end)))
		return false;
	if (*end > size)
		*end = size;
	return *before <= *end;
}

static bool get_tcp(struct datagram *datagram, const uint8_t *body, size_t size)
{
	struct tcphdr header;
	size_t before;

	if (size < sizeof(header))
		return false;
	memcpy(&header, body, sizeof(header));
	before = (size_t)header.th_off * 4;
	if (before < sizeof(header) || before > size)
		return false;
	datagram->from = ntohs(header.th_sport);
	datagram->to = ntohs(header.th_dport);
	datagram->sequence = ntohl(header.th_seq);
	datagram->acknowledged = ntohl(header.th_ack);
	datagram->flags = header.th_flags;
	datagram->data = body + before;
	datagram->size = size - before;
	return true;
}

static bool is_error(const struct datagram *datagram)
{
	if (datagram->protocol == IPPROTO_ICMPV6)
		return datagram->type < ICMP6_INFOMSG_MASK;
	return datagram->type == ICMP_DEST_UNREACH || datagram->type == ICMP_TIME_EXCEEDED ||
	       datagram->type == ICMP_PARAMETERPROB;
}

static bool get_icmp(struct datagram *datagram, const uint8_t *body, size_t size)
{
	struct datagram quoted;
	struct icmphdr header;
	size_t before, end;

	if (size < sizeof(header))
		return false;
	memcpy(&header, body, sizeof(header));
	datagram->type = header.type;
	datagram->code = header.code;
	datagram->id = ntohs(header.un.echo.id);
	if (is_error(datagram) && get_ip(&quoted, body + sizeof(header), size - sizeof(header), &before, &end))
		datagram->quoted = quoted.destination;
	return true;
}

bool datagram_parse(struct datagram *datagram, const uint8_t *bytes, size_t size)
{
	size_t before, end;

	if (!get_ip(datagram, bytes, size, &before, &end))
		return false;
	if (datagram->protocol == IPPROTO_TCP)
		return get_tcp(datagram, bytes + before, end - before);
	return datagram->protocol == (datagram->source.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6) &&
	       get_icmp(datagram, bytes + before, end - before);
}

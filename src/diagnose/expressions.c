/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/expressions.h"
#include "diagnose/facts.h"
#include "diagnose/xtables.h"
#include "kernel/nftables_attributes.h"
#include "model/guard.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define USUAL_SOURCE_PORT 50000
#define TRANSPORT_HEADER 20

static const struct move goes_on = { .matches = { YES, true, 0 } };

static struct move matching(struct answer answer)
{
	return (struct move){ .matches = answer };
}

static struct move not_known(uint32_t open)
{
	return matching(answer_maybe(false, open));
}

static uint32_t get(const struct nftnl_expr *expression, uint16_t attribute)
{
	return nftnl_expr_is_set(expression, attribute) ? nftnl_expr_get_u32(expression, attribute) : 0;
}

static uint8_t get_byte(const struct nftnl_expr *expression, uint16_t attribute)
{
	return nftnl_expr_is_set(expression, attribute) ? nftnl_expr_get_u8(expression, attribute) : 0;
}

static struct move loaded(struct evaluation *evaluation, uint32_t number, struct value value)
{
	registers_load(&evaluation->registers, number, &value);
	return goes_on;
}

static struct move load_word(struct evaluation *evaluation, uint32_t number, uint32_t word, uint32_t open)
{
	return loaded(evaluation, number, value_make(&word, sizeof(word), open));
}

static struct move load_byte(struct evaluation *evaluation, uint32_t number, uint8_t byte, uint32_t open)
{
	return loaded(evaluation, number, value_make(&byte, sizeof(byte), open));
}

/* meta */

static struct move load_name(struct evaluation *evaluation, uint32_t number, const char *name)
{
	char padded[IFNAMSIZ] = "";

	snprintf(padded, sizeof(padded), "%s", name);
	return loaded(evaluation, number, value_make(padded, sizeof(padded), 0));
}

static struct move load_index(struct evaluation *evaluation, uint32_t number, const char *name)
{
	uint32_t index = name[0] ? if_nametoindex(name) : 0;

	if (name[0] && !index)
		index = UINT32_MAX;	/* one that no interface has */
	return load_word(evaluation, number, index, 0);
}

/* In UTC, as the kernel counts. */
static struct move load_time(struct evaluation *evaluation, uint32_t number, uint32_t key)
{
	struct timespec now;
	uint64_t nanoseconds;
	struct tm day;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &day);
	nanoseconds = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (key == NFT_META_TIME_NS)
		return loaded(evaluation, number, value_make(&nanoseconds, sizeof(nanoseconds), 0));
	if (key == NFT_META_TIME_DAY)
		return load_byte(evaluation, number, (uint8_t)day.tm_wday, 0);
	return load_word(evaluation, number, (uint32_t)(now.tv_sec % 86400), 0);
}

static struct move load_meta(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	const struct packet *packet = evaluation->packet;
	uint32_t number = get(expression, NFTNL_EXPR_META_DREG), key = get(expression, NFTNL_EXPR_META_KEY);
	uint16_t protocol = htons(packet->family == IPV4 ? ETH_P_IP : ETH_P_IPV6);

	switch (key) {
	case NFT_META_IIFNAME:
		return load_name(evaluation, number, packet->incoming);
	case NFT_META_OIFNAME:
		return load_name(evaluation, number, packet->outgoing);
	case NFT_META_IIF:
		return load_index(evaluation, number, packet->incoming);
	case NFT_META_OIF:
		return load_index(evaluation, number, packet->outgoing);
	case NFT_META_NFPROTO:
		return load_byte(evaluation, number, packet->family == IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6, 0);
	case NFT_META_PROTOCOL:
		return loaded(evaluation, number, value_make(&protocol, sizeof(protocol), 0));
	case NFT_META_L4PROTO:
		evaluation->protocol_register = number;
		return load_byte(evaluation, number, IPPROTO_TCP, OPEN_PROTOCOL);
	case NFT_META_MARK:
		return load_word(evaluation, number, packet->mark, packet->mark_open);
	case NFT_META_PKTTYPE:
	case NFT_META_SECPATH:
		return load_byte(evaluation, number, 0, 0);
	case NFT_META_LEN:
	case NFT_META_PRIORITY:
		return load_word(evaluation, number, key == NFT_META_LEN ? 60 : 0, OPEN_HEADER);
	case NFT_META_TIME_NS:
	case NFT_META_TIME_DAY:
	case NFT_META_TIME_HOUR:
		return load_time(evaluation, number, key);
	case NFT_META_PRANDOM:
	case NFT_META_CPU:
		return loaded(evaluation, number, value_open(4, OPEN_CHANCE));
	/* Of a socket of this host, or of a bridge: a packet that is forwarded has none, which ends the rule. */
	case NFT_META_SKUID:
	case NFT_META_SKGID:
	case NFT_META_CGROUP:
	case NFT_META_BRI_IIFNAME:
	case NFT_META_BRI_OIFNAME:
		return matching(ANSWER(false));
	}
	return loaded(evaluation, number, value_open(IFNAMSIZ, OPEN_INTERFACE));
}

static struct move take_meta(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move = goes_on;
	struct value value;

	if (!nftnl_expr_is_set(expression, NFTNL_EXPR_META_SREG))
		return load_meta(evaluation, expression);
	if (get(expression, NFTNL_EXPR_META_KEY) != NFT_META_MARK)
		return move;
	value = registers_value(&evaluation->registers, get(expression, NFTNL_EXPR_META_SREG), sizeof(move.mark));
	move.deed = DEED_MARK;
	memcpy(&move.mark, value.byte, sizeof(move.mark));
	move.mark_open = value.open;
	return move;
}

/* payload */

/* A header of which some bits are known. */
struct header {
	uint8_t byte[REGISTER_BYTES], known[REGISTER_BYTES];
	uint32_t open;
};

static void put(struct header *header, size_t at, const void *bytes, size_t length)
{
	memcpy(header->byte + at, bytes, length);
	memset(header->known + at, 0xff, length);
}

static void put_address(struct header *header, size_t at, const struct address *address, uint32_t open, int family)
{
	size_t size = address_size(family_of(family));

	memcpy(header->byte + at, address->bytes, size);
	memset(header->known + at, open || address->family == AF_UNSPEC ? 0 : 0xff, size);
	header->open |= open;
}

/* No options, no fragment. */
static struct header ipv4_header(const struct packet *packet)
{
	static const uint8_t version = 0x45, no_fragment[2] = { 0, 0 }, ttl = 64, protocol = IPPROTO_TCP;
	struct header header = { .open = OPEN_HEADER };

	put(&header, 0, &version, 1);
	put(&header, 6, no_fragment, sizeof(no_fragment));
	header.known[6] = 0xbf;		/* it may not be to be fragmented */
	header.byte[8] = ttl;
	header.byte[IPV4_PROTOCOL_OFFSET] = protocol;
	put_address(&header, IPV4_DADDR_OFFSET - 4, &packet->source, packet->source_open, IPV4);
	put_address(&header, IPV4_DADDR_OFFSET, &packet->destination, packet->destination_open, IPV4);
	return header;
}

static struct header ipv6_header(const struct packet *packet)
{
	struct header header = { .open = OPEN_HEADER };

	header.byte[0] = 0x60;
	header.known[0] = 0xf0;
	header.byte[IPV6_NEXT_HEADER_OFFSET] = IPPROTO_TCP;
	header.byte[7] = 64;
	put_address(&header, IPV6_DADDR_OFFSET - 16, &packet->source, packet->source_open, IPV6);
	put_address(&header, IPV6_DADDR_OFFSET, &packet->destination, packet->destination_open, IPV6);
	return header;
}

static struct header transport_header(const struct evaluation *evaluation)
{
	const uint8_t usual[TRANSPORT_HEADER] = { USUAL_SOURCE_PORT >> 8, USUAL_SOURCE_PORT & 0xff, USUAL_PORT >> 8,
						  USUAL_PORT & 0xff, [12] = 5 << 4, [13] = 2 };
	struct header header = { .open = OPEN_HEADER };

	memcpy(header.byte, usual, sizeof(usual));
	if (evaluation->icmpv6)
		header.open = OPEN_NDP;
	return header;
}

static uint32_t open_of(const struct header *header, uint32_t base, uint32_t offset, uint32_t length,
			const struct packet *packet)
{
	uint32_t protocol = packet->family == IPV4 ? IPV4_PROTOCOL_OFFSET : IPV6_NEXT_HEADER_OFFSET;

	if (base == NFT_PAYLOAD_TRANSPORT_HEADER)
		return header->open & OPEN_NDP ? OPEN_NDP : offset < 4 ? OPEN_PORTS : header->open;
	if (offset == protocol && length == 1)
		return OPEN_PROTOCOL;
	return header->open & OPEN_ADDRESS && offset + length > protocol + 2 ? OPEN_ADDRESS : OPEN_HEADER;
}

static struct value part_of(const struct header *header, uint32_t offset, uint32_t length, uint32_t open)
{
	struct value value = value_open(length, open);

	for (size_t i = 0; i < value.length && offset + i < REGISTER_BYTES; i++) {
		value.byte[i] = header->byte[offset + i];
		value.known[i] = header->known[offset + i];
	}
	return value;
}

static struct move load_payload(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	const struct packet *packet = evaluation->packet;
	uint32_t base = get(expression, NFTNL_EXPR_PAYLOAD_BASE), offset = get(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t length = get(expression, NFTNL_EXPR_PAYLOAD_LEN), number = get(expression, NFTNL_EXPR_PAYLOAD_DREG);
	struct header header;

	if (base == NFT_PAYLOAD_LL_HEADER && !packet->on_wire)
		return matching(ANSWER(false));
	if (base != NFT_PAYLOAD_NETWORK_HEADER && base != NFT_PAYLOAD_TRANSPORT_HEADER)
		return loaded(evaluation, number, value_open(length, base == NFT_PAYLOAD_LL_HEADER ? OPEN_LINK : OPEN_HEADER));
	header = base == NFT_PAYLOAD_TRANSPORT_HEADER ? transport_header(evaluation) :
		 packet->family == IPV4 ? ipv4_header(packet) : ipv6_header(packet);
	if (base == NFT_PAYLOAD_NETWORK_HEADER && packet->family == IPV6 && offset == IPV6_NEXT_HEADER_OFFSET)
		evaluation->protocol_register = number;
	return loaded(evaluation, number, part_of(&header, offset, length, open_of(&header, base, offset, length, packet)));
}

/* The packet is written to: of that, addresses count. */
static struct move store_payload(const struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	const struct packet *packet = evaluation->packet;
	uint32_t size = packet->family == IPV4 ? 4 : 16, offset = get(expression, NFTNL_EXPR_PAYLOAD_OFFSET);
	uint32_t destination = packet->family == IPV4 ? IPV4_DADDR_OFFSET : IPV6_DADDR_OFFSET;
	uint32_t length = get(expression, NFTNL_EXPR_PAYLOAD_LEN);
	struct move move = goes_on;
	struct value value;

	if (get(expression, NFTNL_EXPR_PAYLOAD_BASE) != NFT_PAYLOAD_NETWORK_HEADER || offset + length <= destination - size ||
	    offset >= destination + size)
		return move;
	move.deed = offset + length > destination ? DEED_DESTINATION : DEED_SOURCE;
	value = registers_value(&evaluation->registers, get(expression, NFTNL_EXPR_PAYLOAD_SREG), size);
	if (length == size && !value.open && (offset == destination || offset == destination - size)) {
		move.address.family = family_of(packet->family);
		memcpy(move.address.bytes, value.byte, size);
	}
	return move;
}

static struct move take_payload(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	if (nftnl_expr_is_set(expression, NFTNL_EXPR_PAYLOAD_SREG))
		return store_payload(evaluation, expression);
	return load_payload(evaluation, expression);
}

/* ct */

static struct move load_flow_address(struct evaluation *evaluation, const struct nftnl_expr *expression, bool source)
{
	const struct packet *packet = evaluation->packet;
	bool original = get_byte(expression, NFTNL_EXPR_CT_DIR) == IP_CT_DIR_ORIGINAL;
	const struct address *address = source ? &packet->first_source : &packet->first_destination;
	uint32_t number = get(expression, NFTNL_EXPR_CT_DREG), size = address_size(family_of(packet->family));

	if (!original || address->family == AF_UNSPEC)
		return loaded(evaluation, number, value_open(size, OPEN_FLOW));
	return loaded(evaluation, number, value_make(address->bytes, size, packet->flow_open));
}

static struct move load_flow_status(struct evaluation *evaluation, uint32_t number)
{
	const struct packet *packet = evaluation->packet;
	uint32_t status = packet->reply || packet->later ? IPS_CONFIRMED | IPS_SEEN_REPLY : 0;
	uint32_t known = packet->flow_open ? 0 : IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_EXPECTED | IPS_DYING | IPS_TEMPLATE;
	struct value value = value_make(&status, sizeof(status), OPEN_FLOW);

	memcpy(value.known, &known, sizeof(known));
	return loaded(evaluation, number, value);
}

static struct move load_flow(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	const struct packet *packet = evaluation->packet;
	uint32_t key = get(expression, NFTNL_EXPR_CT_KEY), number = get(expression, NFTNL_EXPR_CT_DREG);

	if (key == NFT_CT_STATE)
		return load_word(evaluation, number, facts_flow_state(packet, evaluation->place), packet->flow_open);
	/* Without a flow, what is asked of it ends the rule. */
	if (!facts_is_tracked(packet, evaluation->place))
		return matching(packet->flow_open ? answer_maybe(false, packet->flow_open) : ANSWER(false));
	switch (key) {
	case NFT_CT_DIRECTION:
		return load_byte(evaluation, number, packet->reply, packet->flow_open);
	case NFT_CT_STATUS:
		return load_flow_status(evaluation, number);
	case NFT_CT_MARK:
		return load_word(evaluation, number, packet->flow_mark, packet->flow_mark_open);
	case NFT_CT_L3PROTOCOL:
		return load_byte(evaluation, number, packet->family == IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6, 0);
	case NFT_CT_PROTOCOL:
		return load_byte(evaluation, number, IPPROTO_TCP, OPEN_PROTOCOL);
	case NFT_CT_SRC:
	case NFT_CT_SRC_IP:
	case NFT_CT_SRC_IP6:
		return load_flow_address(evaluation, expression, true);
	case NFT_CT_DST:
	case NFT_CT_DST_IP:
	case NFT_CT_DST_IP6:
		return load_flow_address(evaluation, expression, false);
	}
	return loaded(evaluation, number, value_open(16, OPEN_FLOW));
}

static struct move take_flow(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move = goes_on;
	struct value value;

	if (!nftnl_expr_is_set(expression, NFTNL_EXPR_CT_SREG))
		return load_flow(evaluation, expression);
	if (get(expression, NFTNL_EXPR_CT_KEY) != NFT_CT_MARK)
		return move;
	value = registers_value(&evaluation->registers, get(expression, NFTNL_EXPR_CT_SREG), sizeof(move.mark));
	move.deed = DEED_FLOW_MARK;
	memcpy(&move.mark, value.byte, sizeof(move.mark));
	move.mark_open = value.open;
	return move;
}

/* fib, rt and sockets */

static struct move load_present(struct evaluation *evaluation, uint32_t number, struct answer present)
{
	return load_byte(evaluation, number, present.usual, present.truth == MAYBE ? present.open : 0);
}

static struct move load_type(struct evaluation *evaluation, uint32_t number, uint32_t flags)
{
	uint32_t type = facts_type(evaluation, flags & NFTA_FIB_F_DADDR);
	bool any = !(flags & (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF)) || type == RTN_UNICAST || type == RTN_MULTICAST;

	return load_word(evaluation, number, type == RTN_UNSPEC ? RTN_UNICAST : type,
			 type == RTN_UNSPEC ? OPEN_ADDRESS : any ? 0 : OPEN_ROUTE);
}

static struct move load_way(struct evaluation *evaluation, uint32_t number, uint32_t flags, bool name)
{
	const struct packet *packet = evaluation->packet;
	bool destination = flags & NFTA_FIB_F_DADDR;
	struct way_back back = { .known = false };
	char interface[IFNAMSIZ] = "";

	if (!packet->source_open && !packet->destination_open && !(flags & (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF)))
		back = roads_way_back(evaluation->roads, destination ? &packet->destination : &packet->source,
				      destination ? &packet->source : &packet->destination, 0,
				      flags & NFTA_FIB_F_MARK ? packet->mark : 0);
	if (!back.known)
		return loaded(evaluation, number, value_open(name ? IFNAMSIZ : 4, OPEN_ROUTE));
	if (flags & NFTA_FIB_F_PRESENT)
		return load_present(evaluation, number, ANSWER(back.found));
	if (back.found)
		if_indextoname(back.interface, interface);
	return name ? load_name(evaluation, number, interface) : load_index(evaluation, number, interface);
}

static struct move take_fib(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	uint32_t flags = get(expression, NFTNL_EXPR_FIB_FLAGS), number = get(expression, NFTNL_EXPR_FIB_DREG);
	uint32_t result = get(expression, NFTNL_EXPR_FIB_RESULT);
	const uint32_t by_interface = NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF;
	struct answer back;

	if (result == NFT_FIB_RESULT_ADDRTYPE)
		return load_type(evaluation, number, flags);
	if ((flags & by_interface) != by_interface)
		return load_way(evaluation, number, flags, result == NFT_FIB_RESULT_OIFNAME);
	back = facts_way_back(evaluation, false, flags & NFTA_FIB_F_MARK);
	if (flags & NFTA_FIB_F_PRESENT)
		return load_present(evaluation, number, back);
	if (back.truth == MAYBE)
		return loaded(evaluation, number, value_open(IFNAMSIZ, back.open));
	if (result == NFT_FIB_RESULT_OIFNAME)
		return load_name(evaluation, number, back.usual ? evaluation->packet->incoming : "");
	return load_index(evaluation, number, back.usual ? evaluation->packet->incoming : "");
}

static struct move take_rt(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	const struct packet *packet = evaluation->packet;
	uint32_t key = get(expression, NFTNL_EXPR_RT_KEY), number = get(expression, NFTNL_EXPR_RT_DREG);
	const struct address *nexthop = packet->nexthop.family ? &packet->nexthop : &packet->destination;

	if (!packet->routed)
		return matching(ANSWER(false));
	switch (key) {
	case NFT_RT_NEXTHOP4:
	case NFT_RT_NEXTHOP6:
		if ((key == NFT_RT_NEXTHOP4) != (packet->family == IPV4))
			return matching(ANSWER(false));
		return loaded(evaluation, number, value_make(nexthop->bytes, address_size(family_of(packet->family)),
							     nexthop->family ? 0 : OPEN_ROUTE));
	case NFT_RT_XFRM:
		return load_byte(evaluation, number, 0, roads_have_policies() ? OPEN_ROUTE : 0);
	}
	return loaded(evaluation, number, value_open(4, OPEN_ROUTE));
}

static struct move take_socket(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	if (!evaluation->packet->local)
		return matching(ANSWER(false));
	registers_load(&evaluation->registers, get(expression, NFTNL_EXPR_SOCKET_DREG),
		       &(struct value){ .length = 4, .open = OPEN_PROGRAM });
	return not_known(OPEN_PROGRAM);
}

/* Values */

static struct move take_bool(struct evaluation *evaluation, const struct nftnl_expr *expression, struct value value)
{
	uint32_t masks = 0, flips = 0;
	const uint8_t *mask = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_MASK, &masks);
	const uint8_t *flip = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_XOR, &flips);

	for (size_t i = 0; i < value.length; i++) {
		value.byte[i] = (uint8_t)((value.byte[i] & (i < masks ? mask[i] : 0)) ^ (i < flips ? flip[i] : 0));
		value.known[i] |= (uint8_t)~(i < masks ? mask[i] : 0);
	}
	return loaded(evaluation, get(expression, NFTNL_EXPR_BITWISE_DREG), value);
}

static uint32_t shifted(uint32_t word, bool left, uint32_t bits)
{
	return bits > 31 ? 0 : left ? word << bits : word >> bits;
}

/* Of one word, which is what nft makes; bits that move in are zero. */
static struct move take_shift(struct evaluation *evaluation, const struct nftnl_expr *expression, struct value value,
			      bool left)
{
	uint32_t length = 0, word, known, bits = 0;
	const void *data = nftnl_expr_get(expression, NFTNL_EXPR_BITWISE_DATA, &length);

	if (data && length == sizeof(bits))
		memcpy(&bits, data, sizeof(bits));
	memcpy(&word, value.byte, sizeof(word));
	memcpy(&known, value.known, sizeof(known));
	if (value.length != sizeof(word))
		return loaded(evaluation, get(expression, NFTNL_EXPR_BITWISE_DREG), value_open(value.length, OPEN_EXPRESSION));
	word = shifted(word, left, bits);
	known = ~shifted(~known, left, bits);
	memcpy(value.byte, &word, sizeof(word));
	memcpy(value.known, &known, sizeof(known));
	return loaded(evaluation, get(expression, NFTNL_EXPR_BITWISE_DREG), value);
}

static struct move take_bitwise(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct value value = registers_value(&evaluation->registers, get(expression, NFTNL_EXPR_BITWISE_SREG),
					     get(expression, NFTNL_EXPR_BITWISE_LEN));

	switch (get(expression, NFTNL_EXPR_BITWISE_OP)) {
	case NFT_BITWISE_BOOL:
		return take_bool(evaluation, expression, value);
	case NFT_BITWISE_LSHIFT:
	case NFT_BITWISE_RSHIFT:
		return take_shift(evaluation, expression, value,
				  get(expression, NFTNL_EXPR_BITWISE_OP) == NFT_BITWISE_LSHIFT);
	}
	return loaded(evaluation, get(expression, NFTNL_EXPR_BITWISE_DREG), value_open(value.length, OPEN_EXPRESSION));
}

/* This host counts from the other end, or does not: either way both directions do the same. */
static struct move take_byteorder(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	static const uint16_t probe = 1;
	struct value from = registers_value(&evaluation->registers, get(expression, NFTNL_EXPR_BYTEORDER_SREG),
					    get(expression, NFTNL_EXPR_BYTEORDER_LEN)), to = from;
	size_t size = get(expression, NFTNL_EXPR_BYTEORDER_SIZE);
	bool swaps = *(const uint8_t *)&probe == 1 && (size == 2 || size == 4 || size == 8);

	for (size_t i = 0; swaps && i + size <= from.length; i += size) {
		for (size_t j = 0; j < size; j++) {
			to.byte[i + j] = from.byte[i + size - 1 - j];
			to.known[i + j] = from.known[i + size - 1 - j];
		}
	}
	return loaded(evaluation, get(expression, NFTNL_EXPR_BYTEORDER_DREG), to);
}

static struct move take_cmp(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	uint32_t number = get(expression, NFTNL_EXPR_CMP_SREG), length = 0, operation = get(expression, NFTNL_EXPR_CMP_OP);
	const uint8_t *data = nftnl_expr_get(expression, NFTNL_EXPR_CMP_DATA, &length);

	if (!data)
		return not_known(OPEN_EXPRESSION);
	if (number == evaluation->protocol_register && operation == NFT_CMP_EQ && length == 1)
		evaluation->icmpv6 = data[0] == IPPROTO_ICMPV6;
	return matching(registers_compare(&evaluation->registers, number, operation, data, length));
}

static struct move take_range(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	uint32_t lows = 0, highs = 0;
	const uint8_t *low = nftnl_expr_get(expression, NFTNL_EXPR_RANGE_FROM_DATA, &lows);
	const uint8_t *high = nftnl_expr_get(expression, NFTNL_EXPR_RANGE_TO_DATA, &highs);
	struct answer within;

	if (!low || !high || lows != highs)
		return not_known(OPEN_EXPRESSION);
	within = registers_within(&evaluation->registers, get(expression, NFTNL_EXPR_RANGE_SREG), 0, low, high, lows);
	return matching(get(expression, NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ ? answer_not(within) : within);
}

static struct move take_immediate(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	uint32_t number = get(expression, NFTNL_EXPR_IMM_DREG), length = 0;
	const void *data;

	if (number == NFT_REG_VERDICT) {
		struct move move = { .matches = ANSWER(true), .deed = DEED_VERDICT, .outcomes = 1 };

		move.outcome[0] = (struct outcome){ get(expression, NFTNL_EXPR_IMM_VERDICT), NULL, ANSWER(true) };
		if (nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_CHAIN))
			move.outcome[0].chain = nftnl_expr_get_str(expression, NFTNL_EXPR_IMM_CHAIN);
		return move;
	}
	data = nftnl_expr_get(expression, NFTNL_EXPR_IMM_DATA, &length);
	return loaded(evaluation, number, data ? value_make(data, length, 0) : value_open(4, OPEN_EXPRESSION));
}

/* Sets and maps */

static struct move verdicts_of(const struct found *found)
{
	struct move move = { .matches = ANSWER(true), .deed = DEED_VERDICT, .more = found->more };

	for (size_t i = 0; i < found->elements; i++) {
		struct nftnl_set_elem *element = found->element[i].element;
		struct outcome *outcome = &move.outcome[move.outcomes];

		if (!nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_VERDICT))
			continue;
		move.outcomes++;
		outcome->verdict = nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_VERDICT);
		if (nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_CHAIN))
			outcome->chain = nftnl_set_elem_get_str(element, NFTNL_SET_ELEM_CHAIN);
		outcome->answer = found->element[i].answer;
	}
	return move;
}

static struct move load_data(struct evaluation *evaluation, uint32_t number, const struct nftnl_set *set,
			     const struct found *found)
{
	struct move move = matching(found->any);
	uint32_t length = 0;
	const void *data = NULL;

	if (found->elements == 1 && !found->more && nftnl_set_elem_is_set(found->element[0].element, NFTNL_SET_ELEM_DATA))
		data = nftnl_set_elem_get(found->element[0].element, NFTNL_SET_ELEM_DATA, &length);
	if (data)
		loaded(evaluation, number, value_make(data, length, 0));
	else
		loaded(evaluation, number, value_open(nftnl_set_get_u32(set, NFTNL_SET_DATA_LEN), OPEN_SET | found->any.open));
	return move;
}

static struct move take_lookup(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	bool map = nftnl_expr_is_set(expression, NFTNL_EXPR_LOOKUP_DREG);
	uint32_t target = get(expression, NFTNL_EXPR_LOOKUP_DREG);
	const struct nftnl_set *set = ruleset_find_set(evaluation->ruleset, evaluation->place->family, evaluation->table,
						       nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET));
	struct found found = { .any = answer_maybe(false, OPEN_SET), .more = true };

	budget_spend(evaluation->budget, evaluation->ruleset->sets / FOUND_AT_ONCE);
	if (set)
		elements_find(&found, set, &evaluation->registers, get(expression, NFTNL_EXPR_LOOKUP_SREG), evaluation->budget);
	if (map && target == NFT_REG_VERDICT)
		return found.any.truth == NO ? matching(found.any) : verdicts_of(&found);
	if (map && set)
		return load_data(evaluation, target, set, &found);
	if (map)
		loaded(evaluation, target, value_open(REGISTER_BYTES, OPEN_SET));
	return matching(get(expression, NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV ? answer_not(found.any) : found.any);
}

/* What counts. A usual packet is below its limits. */

static struct answer rate(bool over)
{
	return answer_maybe(!over, OPEN_RATE);
}

static struct move take_limit(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation;
	return matching(rate(get(expression, NFTNL_EXPR_LIMIT_FLAGS) & NFT_LIMIT_F_INV));
}

static struct move take_connlimit(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation;
	return matching(rate(get(expression, NFTNL_EXPR_CONNLIMIT_FLAGS) & NFT_CONNLIMIT_F_INV));
}

static uint64_t get_long(const struct nftnl_expr *expression, uint16_t attribute)
{
	return nftnl_expr_is_set(expression, attribute) ? nftnl_expr_get_u64(expression, attribute) : 0;
}

static struct move take_quota(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	bool over = get_long(expression, NFTNL_EXPR_QUOTA_CONSUMED) >= get_long(expression, NFTNL_EXPR_QUOTA_BYTES);

	(void)evaluation;
	return matching(ANSWER(over == ((get(expression, NFTNL_EXPR_QUOTA_FLAGS) & NFT_QUOTA_F_INV) != 0)));
}

static struct move take_object(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation;
	switch (get(expression, NFTNL_EXPR_OBJREF_IMM_TYPE)) {
	case NFT_OBJECT_QUOTA:
	case NFT_OBJECT_LIMIT:
		return matching(rate(false));
	case NFT_OBJECT_SYNPROXY:
		return (struct move){ .matches = answer_maybe(true, OPEN_PROTOCOL | OPEN_PORTS), .deed = DEED_TAKE };
	}
	return goes_on;
}

static int find_limit(struct nftnl_expr *expression, void *data)
{
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
	struct answer *answer = data;

	if (strcmp(name, "limit") == 0)
		*answer = answer_and(*answer, take_limit(NULL, expression).matches);
	else if (strcmp(name, "connlimit") == 0)
		*answer = answer_and(*answer, take_connlimit(NULL, expression).matches);
	else if (strcmp(name, "quota") == 0)
		*answer = answer_and(*answer, rate(false));
	return 0;
}

/* Goes on once the element is in the set, which it is unless that is full; and as its limit says. */
static struct move take_dynset(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct answer answer = ANSWER(true);

	(void)evaluation;
	if (nftnl_expr_is_set(expression, NFTNL_EXPR_DYNSET_EXPR))
		find_limit((struct nftnl_expr *)nftnl_expr_get(expression, NFTNL_EXPR_DYNSET_EXPR, &(uint32_t){ 0 }), &answer);
	else if (nftnl_expr_is_set(expression, NFTNL_EXPR_DYNSET_EXPRESSIONS))
		nftnl_expr_expr_foreach(expression, find_limit, &answer);
	return matching(answer);
}

/* What ends the rule, or the path */

static struct address address_in(const struct evaluation *evaluation, const struct nftnl_expr *expression, uint16_t from,
				 uint16_t to)
{
	uint8_t family = family_of(evaluation->packet->family);
	struct address address = { .family = AF_UNSPEC };
	struct value value, last;

	if (!nftnl_expr_is_set(expression, from))
		return address;
	value = registers_value(&evaluation->registers, get(expression, from), address_size(family));
	last = to && nftnl_expr_is_set(expression, to) ?
	       registers_value(&evaluation->registers, get(expression, to), address_size(family)) : value;
	if (value.open || last.open || memcmp(value.byte, last.byte, value.length) != 0)
		return address;
	address.family = family;
	memcpy(address.bytes, value.byte, value.length);
	return address;
}

static struct move take_nat(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move = { .matches = ANSWER(true) };

	move.deed = get(expression, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_SNAT ? DEED_SOURCE : DEED_DESTINATION;
	/* Where ports alone change, addresses stay. */
	if (!nftnl_expr_is_set(expression, NFTNL_EXPR_NAT_REG_ADDR_MIN))
		move.address = move.deed == DEED_SOURCE ? evaluation->packet->source : evaluation->packet->destination;
	else
		move.address = address_in(evaluation, expression, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFTNL_EXPR_NAT_REG_ADDR_MAX);
	return move;
}

static struct move take_redir(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move = { .matches = ANSWER(true), .deed = DEED_REDIRECT };
	struct value port;

	if (!nftnl_expr_is_set(expression, NFTNL_EXPR_REDIR_REG_PROTO_MIN))
		return move;
	port = registers_value(&evaluation->registers, get(expression, NFTNL_EXPR_REDIR_REG_PROTO_MIN), 2);
	if (!port.open)
		snprintf(move.detail, sizeof(move.detail), "port %d", port.byte[0] << 8 | port.byte[1]);
	return move;
}

static struct move take_tproxy(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	uint32_t number = get(expression, NFTNL_EXPR_TPROXY_REG_PORT);
	struct value port = registers_value(&evaluation->registers, number, 2);

	return facts_socket(evaluation, number && !port.open ? (uint16_t)(port.byte[0] << 8 | port.byte[1]) : 0);
}

static struct move take_queue(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move;

	(void)evaluation;
	if (nftnl_expr_is_set(expression, NFTNL_EXPR_QUEUE_SREG_QNUM)) {
		move = (struct move){ .matches = answer_maybe(true, OPEN_PROGRAM), .deed = DEED_QUEUE };
		return move;
	}
	return facts_queue(nftnl_expr_get_u16(expression, NFTNL_EXPR_QUEUE_NUM),
			   nftnl_expr_get_u16(expression, NFTNL_EXPR_QUEUE_TOTAL),
			   nftnl_expr_get_u16(expression, NFTNL_EXPR_QUEUE_FLAGS) & NFT_QUEUE_FLAG_BYPASS);
}

static void describe_device(const struct evaluation *evaluation, uint32_t number, struct move *move)
{
	struct value value = registers_value(&evaluation->registers, number, 4);
	char name[IFNAMSIZ];
	uint32_t index;

	memcpy(&index, value.byte, sizeof(index));
	if (!value.open && if_indextoname(index, name))
		snprintf(move->detail, sizeof(move->detail), "%s", name);
}

static struct move take_dup(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move = { .matches = ANSWER(true), .deed = DEED_COPY };
	char text[ADDRESS_TEXT];

	move.address = address_in(evaluation, expression, NFTNL_EXPR_DUP_SREG_ADDR, 0);
	if (move.address.family)
		snprintf(move.detail, sizeof(move.detail), "%s", address_text(&move.address, text));
	else if (nftnl_expr_is_set(expression, NFTNL_EXPR_DUP_SREG_DEV))
		describe_device(evaluation, get(expression, NFTNL_EXPR_DUP_SREG_DEV), &move);
	return move;
}

static struct move take_fwd(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move = { .matches = ANSWER(true), .deed = DEED_SEND };

	describe_device(evaluation, get(expression, NFTNL_EXPR_FWD_SREG_DEV), &move);
	return move;
}

static struct move take_reject(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation, (void)expression;
	return (struct move){ .matches = ANSWER(true), .deed = DEED_REJECT };
}

static struct move take_masquerade(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation, (void)expression;
	return (struct move){ .matches = ANSWER(true), .deed = DEED_MASQUERADE };
}

static struct move take_notrack(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)expression;
	return facts_is_tracked(evaluation->packet, evaluation->place) ? goes_on :
	       (struct move){ .matches = ANSWER(true), .deed = DEED_UNTRACK };
}

/* Of flows that it can't take, it ends the rule. */
static struct move take_flow_offload(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation, (void)expression;
	return (struct move){ .matches = ANSWER(true), .deed = DEED_OFFLOAD };
}

static struct move take_synproxy(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation, (void)expression;
	return (struct move){ .matches = answer_maybe(true, OPEN_PROTOCOL), .deed = DEED_TAKE };
}

/* Options of TCP are not known; extension headers and options of IP are not there. */
static struct move take_exthdr(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	uint32_t operation = get(expression, NFTNL_EXPR_EXTHDR_OP), number = get(expression, NFTNL_EXPR_EXTHDR_DREG);
	bool of_ip = operation == NFT_EXTHDR_OP_IPV6 || operation == NFT_EXTHDR_OP_IPV4;

	if (!nftnl_expr_is_set(expression, NFTNL_EXPR_EXTHDR_DREG))
		return goes_on;
	if (of_ip && get(expression, NFTNL_EXPR_EXTHDR_FLAGS) & NFT_EXTHDR_F_PRESENT)
		return load_byte(evaluation, number, 0, 0);
	if (of_ip)
		return matching(ANSWER(false));
	loaded(evaluation, number, value_open(get(expression, NFTNL_EXPR_EXTHDR_LEN), OPEN_HEADER));
	return not_known(OPEN_HEADER);
}

static struct move take_hash(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	return loaded(evaluation, get(expression, NFTNL_EXPR_HASH_DREG), value_open(4, OPEN_CHANCE));
}

static struct move take_numgen(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	return loaded(evaluation, get(expression, NFTNL_EXPR_NG_DREG), value_open(4, OPEN_CHANCE));
}

static struct move take_match(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	return xtables_match(evaluation, expression);
}

static struct move take_target(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	return xtables_target(evaluation, expression);
}

static struct move take_nothing(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	(void)evaluation, (void)expression;
	return goes_on;
}

static const struct {
	const char *name;
	struct move (*take)(struct evaluation *evaluation, const struct nftnl_expr *expression);
} kinds[] = {
	{ "meta", take_meta }, { "payload", take_payload }, { "ct", take_flow }, { "fib", take_fib }, { "rt", take_rt },
	{ "socket", take_socket }, { "bitwise", take_bitwise }, { "byteorder", take_byteorder }, { "cmp", take_cmp },
	{ "range", take_range }, { "immediate", take_immediate }, { "lookup", take_lookup }, { "limit", take_limit },
	{ "connlimit", take_connlimit }, { "quota", take_quota }, { "objref", take_object }, { "dynset", take_dynset },
	{ "nat", take_nat }, { "masq", take_masquerade }, { "redir", take_redir }, { "tproxy", take_tproxy },
	{ "queue", take_queue }, { "dup", take_dup }, { "fwd", take_fwd }, { "reject", take_reject },
	{ "notrack", take_notrack }, { "synproxy", take_synproxy }, { "exthdr", take_exthdr }, { "hash", take_hash },
	{ "numgen", take_numgen }, { "match", take_match }, { "target", take_target }, { "counter", take_nothing },
	{ "log", take_nothing }, { "last", take_nothing }, { "flow_offload", take_flow_offload },
};

static void forget(struct registers *registers)
{
	struct value value = value_open(REGISTER_BYTES, OPEN_EXPRESSION);

	registers_load(registers, NFT_REG32_00, &value);
}

struct move expressions_take(struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].take(evaluation, expression);
	forget(&evaluation->registers);
	return not_known(OPEN_EXPRESSION);
}

struct comment {
	char *text;
	size_t size;
};

static int take_comment(struct nftnl_expr *expression, void *data)
{
	uint32_t length = 0;
	const char *comment = xtables_comment(expression, &length);
	struct comment *to = data;

	if (comment)
		snprintf(to->text, to->size, "%.*s", (int)length, comment);
	return 0;
}

void expressions_comment(const struct nftnl_rule *rule, char *text, size_t size)
{
	struct comment comment = { text, size };
	uint32_t length = 0;
	const void *data = nftnl_rule_is_set(rule, NFTNL_RULE_USERDATA) ?
			   nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length) : NULL;

	snprintf(text, size, "%s", nftables_comment(data, length));
	if (!text[0])
		nftnl_expr_foreach((struct nftnl_rule *)rule, take_comment, &comment);
}

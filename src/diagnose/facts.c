/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/facts.h"
#include "model/guard.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TCP_LISTENING 0x0a	/* TCP_LISTEN of the kernel's, in /proc/net/tcp */

bool facts_is_tracked(const struct packet *packet, const struct place *place)
{
	if (place->family == NFPROTO_NETDEV || (place->family == NFPROTO_INET && place->hook == NF_INET_INGRESS))
		return false;
	return !packet->untracked && (place->hook != NF_INET_PRE_ROUTING || place->priority >= NF_IP_PRI_CONNTRACK);
}

uint32_t facts_flow_state(const struct packet *packet, const struct place *place)
{
	if (packet->untracked)
		return CT_UNTRACKED;
	if (!facts_is_tracked(packet, place))
		return CT_INVALID;
	return packet->reply || packet->later ? CT_ESTABLISHED : CT_NEW;
}

static bool is_assumed(const struct packet *packet, const struct address *address)
{
	return packet->assumed.family != AF_UNSPEC && address_equal(&packet->assumed, address);
}

static struct answer found_back(const struct way_back *back)
{
	return back->known ? ANSWER(back->found) : answer_maybe(true, OPEN_ROUTE);
}

struct answer facts_way_back(const struct evaluation *evaluation, bool loose, bool by_mark)
{
	const struct packet *packet = evaluation->packet;
	unsigned int interface = if_nametoindex(packet->incoming);
	struct way_back back;

	if (is_assumed(packet, &packet->source))
		return ANSWER(loose || strcmp(packet->incoming, packet->assumed_tunnel) == 0);
	if (packet->source_open || packet->source.family == AF_UNSPEC)
		return answer_maybe(true, OPEN_ADDRESS);
	if (by_mark && packet->mark_open)
		return answer_maybe(true, packet->mark_open);
	if (!interface)
		return answer_maybe(true, OPEN_INTERFACE);
	back = roads_way_back(evaluation->roads, &packet->source, &packet->destination, loose ? 0 : interface,
			      by_mark ? packet->mark : 0);
	return found_back(&back);
}

uint8_t facts_type(const struct evaluation *evaluation, bool destination)
{
	const struct packet *packet = evaluation->packet;
	const struct address *address = destination ? &packet->destination : &packet->source;

	if (destination ? packet->destination_open : packet->source_open)
		return RTN_UNSPEC;
	return is_assumed(packet, address) ? RTN_UNICAST : roads_type(evaluation->roads, address);
}

typedef bool (*line_test)(const char *line, unsigned int first, unsigned int last);

/* Whether a line of @path passes @test. */
static bool is_listed(const char *path, line_test test, unsigned int first, unsigned int last)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool listed = false;

	while (file && !listed && fgets(line, sizeof(line), file))
		listed = test(line, first, last);
	if (file)
		fclose(file);
	return listed;
}

static bool is_queue(const char *line, unsigned int first, unsigned int last)
{
	unsigned long number = strtoul(line, NULL, 10);

	return number >= first && number <= last;
}

struct move facts_queue(unsigned int first, unsigned int count, bool bypass)
{
	struct move move = { .matches = ANSWER(true), .deed = DEED_QUEUE };
	bool read = is_listed("/proc/net/netfilter/nfnetlink_queue", is_queue, first, first + (count ? count - 1 : 0));

	if (read)
		move.matches = answer_maybe(true, OPEN_PROGRAM);
	snprintf(move.detail, sizeof(move.detail), "%s program reads queue %u", read ? "a" : "no", first);
	/* Then no rule of the chain is asked that follows. */
	if (!read && bypass) {
		move.deed = DEED_VERDICT;
		move.outcomes = 1;
		move.outcome[0] = (struct outcome){ .verdict = NF_ACCEPT, .answer = ANSWER(true) };
	}
	return move;
}

static bool is_listening(const char *line, unsigned int first, unsigned int last)
{
	const char *own = strchr(line, ':'), *at = own ? strchr(own + 1, ':') : NULL, *peer, *state;
	unsigned long port = at ? strtoul(at + 1, NULL, 16) : 0;

	/* SL: LOCAL:PORT REMOTE:PORT STATE, in hexadecimal */
	peer = at ? strchr(at, ' ') : NULL;
	state = peer ? strchr(peer + 1, ' ') : NULL;
	return state && strtoul(state, NULL, 16) == TCP_LISTENING && port >= first && port <= last;
}

static bool listens(unsigned int port)
{
	return is_listed("/proc/net/tcp", is_listening, port, port) || is_listed("/proc/net/tcp6", is_listening, port, port);
}

struct move facts_socket(const struct evaluation *evaluation, uint16_t port)
{
	const struct packet *packet = evaluation->packet;
	struct move move = { .deed = DEED_SOCKET, .mark = packet->mark, .mark_open = packet->mark_open };
	unsigned int number = port ? port : USUAL_PORT;

	move.matches = answer_maybe(listens(number), OPEN_PROTOCOL | OPEN_PROGRAM);
	snprintf(move.detail, sizeof(move.detail), "port %u", number);
	return move;
}

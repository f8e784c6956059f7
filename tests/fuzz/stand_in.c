/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/deadline.h"
#include "base/privileges.h"
#include "base/text.h"
#include "stand_in.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define NFT(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))
#define KEPT_MAX 256
#define DATAGRAM 16384	/* bytes that a kernel of ours puts in one part of a dump, about */

static bool keeping;

/* The bytes to answer with, and the number of the first message of the last request. */
static const uint8_t *script;
static size_t script_size;
static uint32_t first_sequence;

/* What was kept, and what is to be answered. */
static struct nlmsghdr *kept[KEPT_MAX];
static size_t kept_count;
static uint32_t generation;	/* of nf_tables */
static struct text answers;
static size_t answered;

static void drop(size_t index)
{
	free(kept[index]);
	kept[index] = kept[--kept_count];
}

static void clear(void)
{
	while (kept_count > 0)
		drop(kept_count - 1);
	text_free(&answers);
	answered = 0;
}

void present_answer(const uint8_t *data, size_t size)
{
	clear();
	keeping = false;
	script = data;
	script_size = size;
}

void present_keep(void)
{
	clear();
	keeping = true;
}

size_t present_kept(uint16_t type)
{
	size_t count = 0;

	for (size_t i = 0; i < kept_count; i++)
		count += kept[i]->nlmsg_type == type;
	return count;
}

/* Takes the next datagram off the script; -1 with errno. */
static ssize_t next_datagram(uint8_t *buffer, size_t size)
{
	size_t length;

	if (script_size < 2 || (script[0] == 0 && script[1] == 0)) {
		script += script_size < 2 ? script_size : 2;
		script_size -= script_size < 2 ? script_size : 2;
		errno = EAGAIN;
		return -1;
	}
	length = (size_t)script[0] | (size_t)script[1] << 8;
	script += 2;
	script_size -= 2;
	if (length > script_size)
		length = script_size;
	if (length > size) {
		errno = ENOSPC;
		return -1;
	}
	memcpy(buffer, script, length);
	script += length;
	script_size -= length;
	return (ssize_t)length;
}

static void number_messages(void *buffer, size_t size)
{
	struct nlmsghdr *message = buffer;
	int left = (int)size;

	for (; message_ok(message, left); message = mnl_nlmsg_next(message, &left))
		message->nlmsg_seq += first_sequence - 1;
}

/* Adds a message of this type to the answers, with room for a payload of @size bytes, zeroed; returns it. */
static struct nlmsghdr *answer(const struct nlmsghdr *request, uint16_t type, uint16_t flags, size_t size)
{
	static const uint8_t zero[1024];
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(MNL_NLMSG_HDRLEN + size),
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = request->nlmsg_seq,
	};
	size_t start = answers.length;

	text_add_bytes(&answers, &header, sizeof(header));
	text_add_bytes(&answers, zero, MNL_ALIGN(size));
	return (struct nlmsghdr *)(answers.data + start);
}

static void answer_error(const struct nlmsghdr *request, int number)
{
	struct nlmsghdr *message = answer(request, NLMSG_ERROR, NLM_F_CAPPED, sizeof(struct nlmsgerr));
	struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

	error->error = -number;
	error->msg = *request;
}

static void answer_kept(const struct nlmsghdr *request, uint16_t type, uint16_t flags)
{
	for (size_t i = 0; i < kept_count; i++) {
		size_t size = mnl_nlmsg_get_payload_len(kept[i]);

		if (kept[i]->nlmsg_type == type)
			memcpy(mnl_nlmsg_get_payload(answer(request, type, flags, size)),
			       mnl_nlmsg_get_payload(kept[i]), size);
	}
}

static void answer_route(const struct nlmsghdr *request)
{
	const struct rtmsg *asked = mnl_nlmsg_get_payload(request);
	const struct nlattr *attribute;
	struct nlmsghdr *message = answer(request, RTM_NEWROUTE, 0, sizeof(struct rtmsg) + 8);
	struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct nlattr *out = (struct nlattr *)(header + 1);
	uint32_t interface = 2;
	bool local = false;

	mnl_attr_for_each(attribute, request, sizeof(*asked))
		if (mnl_attr_get_type(attribute) == RTA_DST)
			local = ((const uint8_t *)mnl_attr_get_payload(attribute))[
				mnl_attr_get_payload_len(attribute) - 1] == 1;
	header->rtm_family = asked->rtm_family;
	header->rtm_dst_len = asked->rtm_dst_len;
	header->rtm_type = local ? RTN_LOCAL : RTN_UNICAST;
	*out = (struct nlattr){ .nla_type = RTA_OIF, .nla_len = 8 };
	memcpy(out + 1, &interface, sizeof(interface));
}

/* Two on eth0 that hold all others of their family. */
static void answer_addresses(const struct nlmsghdr *request)
{
	const struct ifaddrmsg *asked = mnl_nlmsg_get_payload(request);
	size_t size = asked->ifa_family == AF_INET ? 4 : 16;

	for (int half = 0; half < 2; half++) {
		struct nlmsghdr *message = answer(request, RTM_NEWADDR, NLM_F_MULTI, sizeof(*asked) + sizeof(struct nlattr) + size);
		struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
		struct nlattr *address = (struct nlattr *)(header + 1);

		*header = (struct ifaddrmsg){ .ifa_family = asked->ifa_family, .ifa_prefixlen = 1, .ifa_index = 2 };
		*address = (struct nlattr){ .nla_type = IFA_ADDRESS, .nla_len = (uint16_t)(sizeof(*address) + size) };
		*(uint8_t *)(address + 1) = half ? 0x80 : 0;
	}
}

/* One more with each request to change something is enough: in truth a transaction counts as one. */
static void answer_generation(const struct nlmsghdr *request)
{
	struct nlmsghdr *message = answer(request, NFT(NFT_MSG_NEWGEN), 0, sizeof(struct nfgenmsg) + 8);
	struct nlattr *attribute = mnl_nlmsg_get_payload_offset(message, sizeof(struct nfgenmsg));
	uint32_t number = htonl(generation);

	*attribute = (struct nlattr){ .nla_type = NFTA_GEN_ID, .nla_len = 8 };
	memcpy(attribute + 1, &number, sizeof(number));
}

static void keep(const struct nlmsghdr *message)
{
	if (kept_count == KEPT_MAX)
		abort();
	kept[kept_count] = malloc(message->nlmsg_len);
	if (!kept[kept_count])
		abort();
	memcpy(kept[kept_count++], message, message->nlmsg_len);
}

/* A route or rule is deleted by what comes first of its kind, which is enough here. */
static void forget(uint16_t type, bool all_nft)
{
	for (size_t i = kept_count; i-- > 0;) {
		if (all_nft && kept[i]->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES) {
			drop(i);
		} else if (!all_nft && kept[i]->nlmsg_type == type) {
			drop(i);
			return;
		}
	}
}

static void take_request(const struct nlmsghdr *request)
{
	generation += request->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES && !(request->nlmsg_flags & NLM_F_DUMP) &&
		      request->nlmsg_type != NFT(NFT_MSG_GETTABLE) && request->nlmsg_type != NFT(NFT_MSG_GETGEN);
	switch (request->nlmsg_type) {
	case RTM_NEWRULE:
	case RTM_NEWROUTE:
	case RTM_NEWNEIGH:
	case NFT(NFT_MSG_NEWTABLE):
	case NFT(NFT_MSG_NEWCHAIN):
	case NFT(NFT_MSG_NEWRULE):
		keep(request);
		break;
	case RTM_DELRULE:
		forget(RTM_NEWRULE, false);
		break;
	case RTM_DELROUTE:
		forget(RTM_NEWROUTE, false);
		break;
	case NFT(NFT_MSG_DELTABLE):
		forget(0, true);
		break;
	case RTM_DELNEIGH:
		forget(RTM_NEWNEIGH, false);
		break;
	case RTM_GETADDR:
		answer_addresses(request);
		break;
	case RTM_GETNEIGH:
		if (!(request->nlmsg_flags & NLM_F_DUMP) && !present_kept(RTM_NEWNEIGH))
			answer_error(request, ENOENT);
		else if (!(request->nlmsg_flags & NLM_F_DUMP))
			answer_kept(request, RTM_NEWNEIGH, 0);
		break;
	case RTM_GETROUTE:
		if (!(request->nlmsg_flags & NLM_F_DUMP))
			answer_route(request);
		break;
	case NFT(NFT_MSG_GETGEN):
		answer_generation(request);
		break;
	case NFT(NFT_MSG_GETTABLE):
		if (present_kept(NFT(NFT_MSG_NEWTABLE)))
			answer_kept(request, NFT(NFT_MSG_NEWTABLE), 0);
		else
			answer_error(request, ENOENT);
		break;
	}
	if (request->nlmsg_flags & NLM_F_DUMP) {
		/* What is new of a kind has the number before the one that gets it, but in nf_tables. */
		bool nft = request->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES;

		answer_kept(request, (uint16_t)(request->nlmsg_type - (nft ? 1 : 2)), NLM_F_MULTI);
		answer(request, NLMSG_DONE, NLM_F_MULTI, sizeof(int));
	}
	if (request->nlmsg_flags & NLM_F_ACK)
		answer_error(request, 0);
}

/* Of the C library, what a netlink socket is used by. Nothing comes late. */

int poll(struct pollfd *files, nfds_t count, int timeout)
{
	(void)files, (void)count, (void)timeout;
	return 0;
}


ssize_t send(int socket, const void *request, size_t size, int flags)
{
	const struct nlmsghdr *message = request;
	int left = (int)size;

	(void)socket, (void)flags;
	first_sequence = message->nlmsg_seq;
	/* The begin of a batch is not acknowledged: the first number is that of the message behind it. */
	if (message->nlmsg_type == NFNL_MSG_BATCH_BEGIN)
		first_sequence++;
	text_free(&answers);
	answered = 0;
	for (; keeping && message_ok(message, left); message = mnl_nlmsg_next(message, &left))
		take_request(message);
	return (ssize_t)size;
}

static ssize_t receive(void *buffer, size_t size)
{
	size_t length = 0;
	ssize_t got;

	if (!keeping) {
		got = next_datagram(buffer, size);
		if (got > 0)
			number_messages(buffer, (size_t)got);
		return got;
	}
	while (answered + length < answers.length && length < DATAGRAM)
		length += MNL_ALIGN(((const struct nlmsghdr *)(answers.data + answered + length))->nlmsg_len);
	if (length == 0) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(buffer, answers.data + answered, length);
	answered += length;
	return (ssize_t)length;
}

int recvmmsg(int socket, struct mmsghdr *parts, unsigned int count, int flags, struct timespec *timeout)
{
	const struct iovec *room = parts->msg_hdr.msg_iov;
	ssize_t got = receive(room->iov_base, room->iov_len);

	(void)socket, (void)count, (void)flags, (void)timeout;
	parts->msg_len = got < 0 ? 0 : (unsigned int)got;
	parts->msg_hdr.msg_flags = 0;
	return got < 0 ? -1 : 1;
}

/* deadline.h: a fuzzer has timeouts of its own, by the same signal. */

void deadline_start(unsigned int seconds)
{
	(void)seconds;
}

void deadline_stop(void)
{
}

int deadline_lock(int fd, unsigned int seconds)
{
	(void)fd;
	(void)seconds;
	return 0;
}

/* privileges.h: the fuzzer needs its own. */

void privileges_drop(void)
{
}

const char *privileges_remedy(int error, const char *other)
{
	(void)error;
	return other;
}

/* The C library's. */

static const char *const interfaces[] = { NULL, "lo", "eth0", "vpns0" };

#define INTERFACES (sizeof(interfaces) / sizeof(*interfaces))

char *if_indextoname(unsigned int index, char *name)
{
	if (index == 0 || index >= INTERFACES) {
		errno = ENXIO;
		return NULL;
	}
	return strcpy(name, interfaces[index]);
}

/* What of interfaces is asked for; all are of Ethernet. */
int ioctl(int fd, unsigned long request, ...)
{
	struct ifreq *asked;
	va_list args;

	(void)fd;
	va_start(args, request);
	asked = va_arg(args, struct ifreq *);
	va_end(args);
	if (request == SIOCGIFFLAGS || request == SIOCGIFHWADDR) {
		memset(&asked->ifr_ifru, 0, sizeof(asked->ifr_ifru));
		if (request == SIOCGIFHWADDR)
			asked->ifr_hwaddr.sa_family = ARPHRD_ETHER;
		return if_nametoindex(asked->ifr_name) ? 0 : -1;
	}
	if (request != SIOCGIFNAME)
		abort();
	return if_indextoname((unsigned int)asked->ifr_ifindex, asked->ifr_name) ? 0 : -1;
}

struct if_nameindex *if_nameindex(void)
{
	struct if_nameindex *all = calloc(INTERFACES, sizeof(*all));

	for (unsigned int i = 1; all && i < INTERFACES; i++)
		all[i - 1] = (struct if_nameindex){ .if_index = i, .if_name = (char *)interfaces[i] };
	return all;
}

void if_freenameindex(struct if_nameindex *all)
{
	free(all);
}

/* Nobody is there. */
int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	(void)fd, (void)address, (void)length;
	errno = ENETUNREACH;
	return -1;
}

unsigned int if_nametoindex(const char *name)
{
	for (unsigned int i = 1; i < INTERFACES; i++)
		if (strcmp(interfaces[i], name) == 0)
			return i;
	errno = ENODEV;
	return 0;
}

/* A neighbour that does not answer is not waited for. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)time, (void)left;
	return 0;
}

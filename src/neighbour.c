/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <time.h>

#define STEP_MS 5
/* An address of its interface is known: from an answer, be it an older one, or set by hand. */
#define KNOWN (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

static struct nlmsghdr *put_request(void *buffer, uint16_t type, const struct address *address, unsigned int interface)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ndmsg *header;

	message->nlmsg_type = type;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->ndm_family = address->family;
	header->ndm_ifindex = (int)interface;
	mnl_attr_put(message, NDA_DST, address_size(address->family), address->bytes);
	return message;
}

static int take_state(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *header = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return EBADMSG;
	*(uint16_t *)data = header->ndm_state;
	return 0;
}

static bool is_known(struct netlink *route, const struct address *address, unsigned int interface)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;
	uint16_t state = 0;

	return netlink_request(route, put_request(buffer, RTM_GETNEIGH, address, interface), take_state, &state,
			       &error) == 0 && state & KNOWN;
}

static bool ask(struct netlink *route, const struct address *address, unsigned int interface)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = put_request(buffer, RTM_NEWNEIGH, address, interface);
	struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct netlink_error error;

	message->nlmsg_flags = NLM_F_CREATE;
	header->ndm_flags = NTF_USE;
	return netlink_request(route, message, NULL, NULL, &error) == 0;
}

bool neighbour_answers(struct netlink *route, const struct address *address, unsigned int interface)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };
	bool known = is_known(route, address, interface);

	if (known || !ask(route, address, interface))
		return known;
	for (int waited = 0; waited < NEIGHBOUR_PATIENCE_MS && !known; waited += STEP_MS) {
		nanosleep(&step, NULL);
		known = is_known(route, address, interface);
	}
	return known;
}

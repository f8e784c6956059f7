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

/* Sets @state to 0 where there is none; -1 where the kernel can't say. */
static int get_state(struct netlink *route, const struct address *address, unsigned int interface, uint16_t *state)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;

	*state = 0;
	if (netlink_request(route, put_request(buffer, RTM_GETNEIGH, address, interface), take_state, state, &error) < 0)
		return error.number == ENOENT ? 0 : -1;
	return 0;
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
	uint16_t state;

	/* To be asked about makes the kernel forget an address that was set by hand. */
	if (get_state(route, address, interface, &state) < 0 || state & KNOWN)
		return state & KNOWN;
	if (!ask(route, address, interface))
		return false;
	for (int waited = 0; waited < NEIGHBOUR_PATIENCE_MS && !(state & KNOWN); waited += STEP_MS) {
		nanosleep(&step, NULL);
		if (get_state(route, address, interface, &state) < 0)
			return false;
	}
	return state & KNOWN;
}

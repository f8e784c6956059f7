/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/neighbour.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <time.h>

#define STEP_MS 5
/* An address of its interface is known: from an answer, be it an older one, or set by hand. */
#define KNOWN (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

static int take_state(const struct nlmsghdr *message, void *data)
{
	struct neighbour neighbour;

	if (message->nlmsg_type != RTM_NEWNEIGH || !rtnetlink_parse_neighbour(message, &neighbour))
		return EBADMSG;
	*(uint16_t *)data = neighbour.state;
	return 0;
}

/* Sets @state to 0 where there is none; -1 where the kernel can't say. */
static int get_state(struct netlink *route, const struct address *address, unsigned int interface, uint16_t *state)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;

	*state = 0;
	if (netlink_request(route, rtnetlink_get_neighbour(buffer, address, interface), take_state, state, &error) < 0)
		return error.number == ENOENT ? 0 : -1;
	return 0;
}

static bool ask(struct netlink *route, const struct address *address, unsigned int interface)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = rtnetlink_get_neighbour(buffer, address, interface);
	struct ndmsg *header = mnl_nlmsg_get_payload(message);
	struct netlink_error error;

	message->nlmsg_type = RTM_NEWNEIGH;
	message->nlmsg_flags = NLM_F_CREATE;
	header->ndm_flags = NTF_USE;
	return netlink_request(route, message, NULL, NULL, &error) == 0;
}

/* To be asked about makes the kernel forget an address that was set by hand. */
static void begin(struct netlink *route, struct asked *asked)
{
	uint16_t state;

	asked->open = false;
	asked->answers = false;
	if (get_state(route, asked->address, asked->interface, &state) < 0)
		return;
	asked->answers = state & KNOWN;
	asked->open = !asked->answers && ask(route, asked->address, asked->interface);
}

static void look_again(struct netlink *route, struct asked *asked)
{
	uint16_t state;

	if (get_state(route, asked->address, asked->interface, &state) < 0)
		asked->open = false;
	else if (state & KNOWN)
		*asked = (struct asked){ asked->address, asked->interface, true, false };
}

static bool any_open(const struct asked *asked, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (asked[i].open)
			return true;
	return false;
}

void neighbours_answer(struct netlink *route, struct asked *asked, size_t count)
{
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000L };

	for (size_t i = 0; i < count; i++)
		begin(route, &asked[i]);
	for (int waited = 0; waited < NEIGHBOUR_PATIENCE_MS && any_open(asked, count); waited += STEP_MS) {
		nanosleep(&step, NULL);
		for (size_t i = 0; i < count; i++)
			if (asked[i].open)
				look_again(route, &asked[i]);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/contact.h"
#include "base/memory.h"
#include "kernel/neighbour.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

/* IFF_... of linux/if.h; 0 where there is no such interface. */
static unsigned int read_flags(const struct netlink *route, const char *interface)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(route->socket, SIOCGIFFLAGS, &request) < 0 ? 0 : (unsigned short)request.ifr_flags;
}

bool contact_can_ask(const struct netlink *route, const char *interface)
{
	return !(read_flags(route, interface) & (IFF_NOARP | IFF_POINTOPOINT | IFF_LOOPBACK));
}

/* An address that the kernel gives to what it masquerades: those of a narrower scope, and deprecated ones, it passes over. */
static int take_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	unsigned int *interface = data;

	if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return EBADMSG;
	/* Older kernels tell of all interfaces. */
	if (header->ifa_index == *interface && header->ifa_scope == RT_SCOPE_UNIVERSE &&
	    !(header->ifa_flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)))
		*interface = 0;
	return 0;
}

/* True too where the kernel can't say. */
static bool has_address(struct netlink *route, const struct exit *exit)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct netlink_error error;
	unsigned int interface = exit->interface.index;

	return netlink_request(route, rtnetlink_dump_addresses(buffer, family_of(exit->family), interface), take_address,
			       &interface, &error) < 0 ||
	       interface == 0;
}

static enum contact_fault find_fault(struct netlink *route, const struct exit *exit)
{
	unsigned int flags = read_flags(route, exit->interface.name);

	if (!flags)
		return CONTACT_GONE;
	if (!(flags & IFF_UP))
		return CONTACT_DOWN;
	if (gateway_masquerades(exit->gateway, exit->family) && !has_address(route, exit))
		return CONTACT_NO_ADDRESS;
	return flags & IFF_RUNNING ? CONTACT_FINE : CONTACT_NO_CARRIER;
}

static void look_at_interface(struct contact *contact, struct netlink *route, const struct exit *exit)
{
	static const char *const words[FAMILIES][CONTACT_SILENT] = {
		[IPV4] = { "", "is not there", "is down", "has no IPv4 address to give clients", "has no carrier" },
		[IPV6] = { "", "is not there", "is down", "has no IPv6 address to give clients", "has no carrier" },
	};
	char where[IFNAMSIZ + 16] = "";

	contact->fault = find_fault(route, exit);
	contact->there = contact->fault == CONTACT_FINE;
	if (!contact->there && !exit_is_link(exit))
		snprintf(where, sizeof(where), "is on %s, which ", exit->interface.name);
	snprintf(contact->why, sizeof(contact->why), "%s%s", where, words[exit->family][contact->fault]);
}

static bool is_on_no_network(const struct exit *exit)
{
	return !exit_is_link(exit) && !exit->interface.index;
}

static void look_at(struct contact *contact, struct netlink *route, const struct exit *exit)
{
	*contact = (struct contact){ 0 };
	if (is_on_no_network(exit)) {
		contact->fault = CONTACT_GONE;
		snprintf(contact->why, sizeof(contact->why), "is on no network of this host");
	} else if (exit_is_link(exit) || !contact_can_ask(route, exit->interface.name)) {
		look_at_interface(contact, route, exit);
	} else {
		contact->asked = true;
	}
}

static void take_answer(struct contact *contact, bool answers)
{
	contact->there = answers;
	contact->fault = answers ? CONTACT_FINE : CONTACT_SILENT;
	if (!answers)
		snprintf(contact->why, sizeof(contact->why), "does not answer");
}

static void make_all(struct contact *contact, struct netlink *route, const struct exit *exit, unsigned int count)
{
	struct asked *asked = allocate(count, sizeof(*asked));
	size_t questions = 0;

	for (unsigned int i = 0; i < count; i++) {
		look_at(&contact[i], route, &exit[i]);
		if (contact[i].asked)
			asked[questions++] = (struct asked){ .address = &exit[i].nexthop, .interface = exit[i].interface.index };
	}
	neighbours_answer(route, asked, questions);
	questions = 0;
	for (unsigned int i = 0; i < count; i++)
		if (contact[i].asked)
			take_answer(&contact[i], asked[questions++].answers);
	free(asked);
}

void contact_make(struct contact *contact, struct netlink *route, const struct exit *exit)
{
	make_all(contact, route, exit, 1);
}

void contacts_make(struct contact *contact, struct netlink *route, const struct exits *exits)
{
	make_all(contact, route, exits->exit, exits->count);
}

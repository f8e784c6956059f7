/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/contact.h"
#include "kernel/neighbour.h"
#include "kernel/rtnetlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

/* IFF_... of linux/if.h; 0 where there is no such interface. */
static unsigned int read_flags(const struct netlink *route, const char *interface)
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(mnl_socket_get_fd(route->socket), SIOCGIFFLAGS, &request) < 0 ? 0 : (unsigned short)request.ifr_flags;
}

bool contact_can_ask(const struct netlink *route, const char *interface)
{
	return !(read_flags(route, interface) & (IFF_NOARP | IFF_POINTOPOINT | IFF_LOOPBACK));
}

/* An address that others than neighbours know. */
static int take_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
	unsigned int *interface = data;

	if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
		return EBADMSG;
	/* Found: older kernels tell of all interfaces. */
	if (header->ifa_index == *interface && header->ifa_scope < RT_SCOPE_LINK)
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

static void look_at_interface(struct contact *contact, struct netlink *route, const struct exit *exit)
{
	const char *name = exit->interface.name;
	unsigned int flags = read_flags(route, name);

	if (!flags)
		snprintf(contact->why, sizeof(contact->why), "is on %s, which has gone", name);
	else if (!(flags & IFF_UP))
		snprintf(contact->why, sizeof(contact->why), "is on %s, which is down", name);
	else if (!(flags & IFF_RUNNING))
		snprintf(contact->why, sizeof(contact->why), "is on %s, which has no carrier", name);
	else if (gateway_masquerades(exit->gateway, exit->family) && !has_address(route, exit))
		snprintf(contact->why, sizeof(contact->why), "is on %s, which has no %s address to give clients", name,
			 family_name(exit->family));
	contact->there = !contact->why[0];
}

void contact_make(struct contact *contact, struct netlink *route, const struct exit *exit)
{
	*contact = (struct contact){ 0 };
	if (!exit->interface.index) {
		snprintf(contact->why, sizeof(contact->why), "is on no network of this host");
	} else if (!contact_can_ask(route, exit->interface.name)) {
		look_at_interface(contact, route, exit);
	} else {
		contact->asked = true;
		contact->there = neighbour_answers(route, &exit->nexthop, exit->interface.index);
		if (!contact->there)
			snprintf(contact->why, sizeof(contact->why), "does not answer");
	}
}

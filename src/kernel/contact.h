/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONTACT_H
#define CONTACT_H

#include "kernel/netlink.h"
#include "model/exit.h"

#define CONTACT_WHY 96

enum contact_fault { CONTACT_FINE, CONTACT_GONE, CONTACT_DOWN, CONTACT_NO_ADDRESS, CONTACT_NO_CARRIER, CONTACT_SILENT };

/*
 * Whether a gateway is there, as far as its network tells. On a point-to-point or NOARP interface (WireGuard, tun, ppp)
 * nobody is asked for a hardware address, so that nobody answers: there the interface itself is looked at, as it is where
 * there is no next hop.
 */
struct contact {
	bool asked;		/* ARP or ND; false where nothing can be asked, or there is no route */
	bool there;		/* it answers, or its interface is fit to carry what clients send */
	enum contact_fault fault;
	char why[CONTACT_WHY];	/* where not, behind the exit's text: `does not answer`; else "" */
};

/*
 * contact_make - look whether a gateway is there
 * contacts_make - the same of all, which are asked at once; @contact has as many as @exits
 * @route: a NETLINK_ROUTE socket
 *
 * Where it masquerades, its interface needs an address of that family.
 */
void contact_make(struct contact *contact, struct netlink *route, const struct exit *exit);
void contacts_make(struct contact *contact, struct netlink *route, const struct exits *exits);

/* contact_can_ask - whether neighbours on the interface are asked for a hardware address; true too where it has gone */
bool contact_can_ask(const struct netlink *route, const char *interface);

#endif

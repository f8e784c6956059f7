/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/choice.h"

#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAS_TEXT 64

void choices_free(struct choices *choices)
{
	free(choices->choice);
	*choices = (struct choices){ 0 };
}

const struct gateway_choice *choices_find(const struct choices *choices, const struct gateway *gateway, int family,
					  unsigned int near)
{
	for (unsigned int i = 0; i < choices->count; i++) {
		const struct gateway_choice *choice = &choices->choice[(near + i) % choices->count];

		if (choice->gateway == gateway && choice->family == family)
			return choice;
	}
	return NULL;
}

void choice_parse(struct gateway_choice *choice, const char *text)
{
	char address[CHOICE_TEXT];
	size_t length = strcspn(text, " ");
	const char *interface = text[length] ? text + length + 1 : "";

	choice->address = (struct address){ .family = AF_UNSPEC };
	choice->interface[0] = '\0';
	if (length >= sizeof(address) || (interface[0] && !interface_name_valid(interface)))
		return;
	memcpy(address, text, length);
	address[length] = '\0';
	if (address_parse(&choice->address, address))
		memcpy(choice->interface, interface, strlen(interface) + 1);
	else
		choice->address = (struct address){ .family = AF_UNSPEC };
}

void choice_text(const struct gateway_choice *choice, char text[CHOICE_TEXT])
{
	char address[ADDRESS_TEXT];

	snprintf(text, CHOICE_TEXT, "%s%s%s", address_text(&choice->address, address), choice->interface[0] ? " " : "",
		 choice->interface);
}

bool choice_can_hold(const struct prefix *prefix, const struct address *gateway)
{
	/* One of /0 is no network, but a default route. */
	return prefix->length > 0 && prefix_contains(prefix, gateway);
}

static bool is_candidate(const struct config *config, const struct interface *holder)
{
	return strcmp(holder->name, "lo") != 0 && !interface_matches(&config->clients, holder->name);
}

size_t choice_candidates(const struct config *config, const struct gateway_sight *sight, struct text *names)
{
	size_t count = 0, added = 0;

	for (size_t i = 0; i < sight->holders; i++)
		count += is_candidate(config, &sight->holder[i]);
	for (size_t i = 0; i < sight->holders; i++) {
		if (!is_candidate(config, &sight->holder[i]))
			continue;
		text_add(names, "%s%s", added == 0 ? "" : added + 1 == count ? " and " : ", ", sight->holder[i].name);
		added++;
	}
	return count;
}

static const char *first_candidate(const struct config *config, const struct gateway_sight *sight)
{
	for (size_t i = 0; i < sight->holders; i++)
		if (is_candidate(config, &sight->holder[i]))
			return sight->holder[i].name;
	return "";
}

static bool could_be(const struct config *config, const struct gateway_sight *sight, unsigned int interface)
{
	for (size_t i = 0; i < sight->holders; i++)
		if (sight->holder[i].index == interface && is_candidate(config, &sight->holder[i]))
			return true;
	return false;
}

/* The end of a sentence about a gateway that was somewhere before. */
static const char *was_text(const struct gateway_sight *sight, char text[WAS_TEXT])
{
	snprintf(text, WAS_TEXT, "%s%s", sight->remembered[0] ? "; it was on " : "", sight->remembered);
	return text;
}

/* An error about the address of a gateway. */
static int PRINTF(4, 5) refuse(const struct config *config, const struct exit *exit, struct report *report, const char *format, ...)
{
	struct text message CLEANUP(text_free) = { 0 };
	va_list args;

	va_start(args, format);
	text_add_formatted(&message, format, args);
	va_end(args);
	return gateway_error(config, exit->gateway, report, config_address_key(exit->family), "%s", text_string(&message));
}

static int check_route(const struct config *config, const struct exit *exit, const struct gateway_sight *sight,
		       struct report *report)
{
	const struct route *route = &sight->route;
	const char *interface = sight->interface;
	char address[ADDRESS_TEXT], was[WAS_TEXT];

	was_text(sight, was);
	if (sight->error)
		return refuse(config, exit, report, "is not on a network of this host%s%s (the kernel says: %s)%s%s",
				    exit->gateway->interface[0] ? " on " : "", exit->gateway->interface, sight->said, was,
				    was[0] ? ": is that interface up, and does it have its address?" : "");
	if (route->type == RTN_LOCAL)
		return refuse(config, exit, report, "is an address of this host; write the gateway's%s", was);
	if (route->type != RTN_UNICAST || !interface[0])
		return refuse(config, exit, report, "is not on a network of this host%s", was);
	/* Through itself: by a default route to it, which a rule may prefer to that of its network. */
	if (route->gateway.family && !address_equal(&route->gateway, &exit->nexthop))
		return refuse(config, exit, report, "is not on a network of this host, but reached via "
				    "%s on %s; clients need an on-link gateway%s",
				    address_text(&route->gateway, address), interface, was);
	if (!interface_name_valid(interface))
		return refuse(config, exit, report, "is reached via '%s', an interface name that can't be used in a "
				    "kill switch rule; rename the interface%s", interface, was);
	if (interface_matches(&config->clients, interface))
		return refuse(config, exit, report, "is reached via %s, which is a tunnel of the clients%s",
				    interface, was);
	return 0;
}

static int refuse_move(const struct config *config, const struct exit *exit, const struct gateway_sight *sight,
		       struct report *report)
{
	const char *was = sight->remembered, *now = sight->interface;
	char address[ADDRESS_TEXT], section[GATEWAY_SECTION];

	return refuse(config, exit, report, "the gateway is now seen on %s, it was on %s: nothing is changed and new sessions "
			    "are refused, while live clients leave via %s or not at all; find what leads there (ip route get %s) and "
			    "remove it, or set %s interface = %s; if the gateway has really moved to %s, run "
			    "`ocserv-gateway up --move`", now, was, was, address_text(&exit->nexthop, address),
			    gateway_section(exit->gateway, section), was, now);
}

/* One that is chosen already, and that the kernel leads to the gateway by. */
static int check_chosen(const struct config *config, const struct exit *exit, const struct gateway_sight *sight,
			struct report *report)
{
	char section[GATEWAY_SECTION];

	if (could_be(config, sight, sight->route.interface))
		return 0;
	return refuse(config, exit, report, "is not on a network of this host: %s, which it was on, has no address in its "
			    "network any more, only a route leads there; give it one, or set %s interface = %s",
			    sight->remembered, gateway_section(exit->gateway, section), sight->remembered);
}

static int choose(const struct config *config, const struct exit *exit, const struct gateway_sight *sight,
		  struct report *report)
{
	struct text names CLEANUP(text_free) = { 0 };
	size_t candidates = choice_candidates(config, sight, &names);
	const char *first = first_candidate(config, sight), *seen = sight->interface, *section;
	char address[ADDRESS_TEXT], buffer[GATEWAY_SECTION];

	section = gateway_section(exit->gateway, buffer);

	if (candidates == 0)
		return refuse(config, exit, report, "is not on a network of this host: no interface has an address in its "
				    "network, only a route leads there, via %s; set %s interface = %s if that is intended",
				    seen, section, seen);
	if (candidates > 1)
		return refuse(config, exit, report, "may be on %s, which each have an address in its network; say which "
				    "with %s interface = %s", text_string(&names), section, first);
	if (could_be(config, sight, sight->route.interface))
		return 0;
	return refuse(config, exit, report, "is seen on %s, but %s has an address in its network; remove what "
			    "leads to %s (ip route get %s), or say which with %s interface = %s", seen, first, seen,
			    address_text(&exit->nexthop, address), section, first);
}

int choice_make(const struct config *config, struct exit *exit, const struct gateway_sight *sight, struct report *report)
{
	int result = check_route(config, exit, sight, report);

	if (result == 0 && !exit->gateway->interface[0]) {
		if (!sight->remembered[0])
			result = choose(config, exit, sight, report);
		else if (strcmp(sight->remembered, sight->interface) != 0)
			result = refuse_move(config, exit, sight, report);
		else
			result = check_chosen(config, exit, sight, report);
	}
	if (result < 0)
		return -1;
	exit->interface.index = sight->route.interface;
	memcpy(exit->interface.name, sight->interface, IFNAMSIZ);
	return 0;
}

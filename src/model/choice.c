/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/choice.h"

#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define WAS_TEXT 64

const struct gateway_choice *choices_find(const struct choices *choices, const struct gateway *gateway, int family)
{
	for (unsigned int i = 0; i < choices->count; i++)
		if (choices->choice[i].gateway == gateway && choices->choice[i].family == family)
			return &choices->choice[i];
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

static int check_way(const struct config *config, enum config_key key, const struct exit *exit,
		     const struct gateway_sight *sight, struct report *report)
{
	const struct route *route = &sight->route;
	const char *interface = sight->interface;
	char address[ADDRESS_TEXT], was[WAS_TEXT];

	was_text(sight, was);
	if (sight->error)
		return config_error(config, report, key, "is not on a network of this host%s%s (the kernel says: %s)%s%s",
				    exit->gateway->interface[0] ? " on " : "", exit->gateway->interface, sight->said, was,
				    was[0] ? ": is that interface up, and does it have its address?" : "");
	if (route->type == RTN_LOCAL)
		return config_error(config, report, key, "is an address of this host; write the gateway's%s", was);
	if (route->type != RTN_UNICAST || !interface[0])
		return config_error(config, report, key, "is not on a network of this host%s", was);
	/* Through itself: by a default route to it, which a rule may prefer to that of its network. */
	if (route->gateway.family && !address_equal(&route->gateway, &exit->nexthop))
		return config_error(config, report, key, "is not on a network of this host, but reached via "
				    "%s on %s; clients need an on-link gateway%s",
				    address_text(&route->gateway, address), interface, was);
	if (!interface_name_valid(interface))
		return config_error(config, report, key, "is reached via '%s', an interface name that can't be used in a "
				    "kill switch rule; rename the interface%s", interface, was);
	if (interface_matches(&config->clients, interface))
		return config_error(config, report, key, "is reached via %s, which is a tunnel of the clients%s",
				    interface, was);
	return 0;
}

static int refuse_move(const struct config *config, enum config_key key, const struct address *gateway,
		       const struct gateway_sight *sight, struct report *report)
{
	const char *was = sight->remembered, *now = sight->interface;
	char address[ADDRESS_TEXT];

	return config_error(config, report, key, "the gateway is now seen on %s, it was on %s: nothing is changed and new sessions "
			    "are refused, while live clients leave via %s or not at all; find what leads there (ip route get %s) and "
			    "remove it, or set [gateway] interface = %s; if the gateway has really moved to %s, run "
			    "`ocserv-gateway up --move`", now, was, was, address_text(gateway, address), was, now);
}

/* One that is chosen already, and that the kernel leads to the gateway by. */
static int check_chosen(const struct config *config, enum config_key key, const struct gateway_sight *sight,
			struct report *report)
{
	if (could_be(config, sight, sight->route.interface))
		return 0;
	return config_error(config, report, key, "is not on a network of this host: %s, which it was on, has no address in its "
			    "network any more, only a route leads there; give it one, or set [gateway] interface = %s",
			    sight->remembered, sight->remembered);
}

static int choose(const struct config *config, enum config_key key, const struct address *gateway,
		  const struct gateway_sight *sight, struct report *report)
{
	struct text names CLEANUP(text_free) = { 0 };
	size_t candidates = choice_candidates(config, sight, &names);
	const char *first = first_candidate(config, sight), *seen = sight->interface;
	char address[ADDRESS_TEXT];

	if (candidates == 0)
		return config_error(config, report, key, "is not on a network of this host: no interface has an address in its "
				    "network, only a route leads there, via %s; set [gateway] interface = %s if that is intended",
				    seen, seen);
	if (candidates > 1)
		return config_error(config, report, key, "may be on %s, which each have an address in its network; say which "
				    "with [gateway] interface = %s", text_string(&names), first);
	if (could_be(config, sight, sight->route.interface))
		return 0;
	return config_error(config, report, key, "is seen on %s, but %s has an address in its network; remove what "
			    "leads to %s (ip route get %s), or say which with [gateway] interface = %s", seen, first, seen,
			    address_text(gateway, address), first);
}

int choice_make(const struct config *config, struct exit *exit, const struct gateway_sight *sight, struct report *report)
{
	enum config_key key = config_address_key(exit->family);
	const struct address *gateway = &exit->nexthop;
	int result = check_way(config, key, exit, sight, report);

	if (result == 0 && !exit->gateway->interface[0]) {
		if (!sight->remembered[0])
			result = choose(config, key, gateway, sight, report);
		else if (strcmp(sight->remembered, sight->interface) != 0)
			result = refuse_move(config, key, gateway, sight, report);
		else
			result = check_chosen(config, key, sight, report);
	}
	if (result < 0)
		return -1;
	exit->interface.index = sight->route.interface;
	memcpy(exit->interface.name, sight->interface, IFNAMSIZ);
	return 0;
}

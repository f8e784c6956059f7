/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/exit.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool exit_is_link(const struct exit *exit)
{
	return exit->nexthop.family == AF_UNSPEC;
}

const char *exit_goes(const struct exit *exit)
{
	return exit_is_link(exit) ? "via" : "to";
}

static void set_text(struct exit *exit)
{
	char address[ADDRESS_TEXT];

	if (exit_is_link(exit))
		snprintf(exit->text, EXIT_TEXT, "the interface %s", exit->gateway->interface);
	else
		snprintf(exit->text, EXIT_TEXT, "the gateway %s", address_text(&exit->nexthop, address));
}

static void add_exit(struct exits *exits, const struct gateway *gateway, int family)
{
	struct exit *exit;

	exits->exit = make_room_for_one(exits->exit, exits->count, sizeof(*exits->exit));
	exit = &exits->exit[exits->count++];
	*exit = (struct exit){ .gateway = gateway, .family = family, .nexthop = gateway->to[family].address };
	if (exit_is_link(exit))
		memcpy(exit->interface.name, gateway->interface, IFNAMSIZ);
	set_text(exit);
}

void exits_make(struct exits *exits, const struct config *config)
{
	*exits = (struct exits){ 0 };
	for (unsigned int i = 0; i < config->gateways; i++)
		for (int family = 0; family < FAMILIES; family++)
			if (gateway_leads(&config->gateway[i], family))
				add_exit(exits, &config->gateway[i], family);
}

void exits_free(struct exits *exits)
{
	for (unsigned int i = 0; i < exits->count; i++)
		report_free(&exits->exit[i].missing);
	free(exits->exit);
	*exits = (struct exits){ 0 };
}

const struct exit *exits_find(const struct exits *exits, const struct gateway *gateway, int family)
{
	for (unsigned int i = 0; i < exits->count; i++)
		if (exits->exit[i].gateway == gateway && exits->exit[i].family == family)
			return &exits->exit[i];
	return NULL;
}

unsigned int exits_index(const struct exits *exits, const struct exit *exit)
{
	return (unsigned int)(exit - exits->exit);
}

const struct exit *exits_default(const struct exits *exits, const struct config *config, int family)
{
	return exits_find(exits, config_default(config), family);
}

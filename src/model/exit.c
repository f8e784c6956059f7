/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/exit.h"

#include <stdio.h>

const char *exit_text(const struct exit *exit, char text[EXIT_TEXT])
{
	char address[ADDRESS_TEXT];

	snprintf(text, EXIT_TEXT, "the gateway %s", address_text(&exit->nexthop, address));
	return text;
}

void exits_make(struct exits *exits, const struct config *config)
{
	*exits = (struct exits){ 0 };
	for (unsigned int i = 0; i < config->gateways; i++)
		for (int family = 0; family < FAMILIES; family++)
			if (gateway_leads(&config->gateway[i], family))
				exits->exit[exits->count++] = (struct exit){
					.gateway = &config->gateway[i], .family = family,
					.nexthop = config->gateway[i].to[family].address,
				};
}

const struct exit *exits_find(const struct exits *exits, const struct gateway *gateway, int family)
{
	for (unsigned int i = 0; i < exits->count; i++)
		if (exits->exit[i].gateway == gateway && exits->exit[i].family == family)
			return &exits->exit[i];
	return NULL;
}

const struct exit *exits_default(const struct exits *exits, const struct config *config, int family)
{
	return exits_find(exits, config_default(config), family);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/marks.h"

#define BESIDE 3	/* values that are of no gateway: to this host, block and direct; 0 is of nobody */

static uint32_t lowest_bit(const struct config *config)
{
	return config->mark_mask & -config->mark_mask;
}

uint32_t mark_to_server(const struct config *config)
{
	return config->mark_mask;
}

uint32_t mark_of(const struct config *config, const struct gateway *gateway)
{
	if (gateway == &config->block)
		return config->mark_mask - lowest_bit(config);
	if (gateway == &config->direct)
		return config->mark_mask - 2 * lowest_bit(config);
	return (uint32_t)(gateway - config->gateway + 1) * lowest_bit(config);
}

unsigned int mark_group(const struct config *config, const struct gateway *gateway)
{
	return mark_of(config, gateway) / lowest_bit(config) / MARK_GROUP;
}

uint32_t mark_of_group(const struct config *config, unsigned int group)
{
	return group * MARK_GROUP * lowest_bit(config);
}

uint32_t mark_group_mask(const struct config *config)
{
	return config->mark_mask - (MARK_GROUP - 1) * lowest_bit(config);
}

const struct gateway *gateway_for(const struct config *config, const struct gateway *gateway, int family)
{
	if (gateway_leads(gateway, family))
		return gateway;
	return gateway->to[family].mode == GATEWAY_DIRECT ? &config->direct : &config->block;
}

const char *mark_text(const struct config *config, uint32_t mark)
{
	uint32_t index = mark / lowest_bit(config);

	if (mark == mark_to_server(config))
		return "to this host";
	if (mark == mark_of(config, &config->block))
		return config->block.name;
	if (mark == mark_of(config, &config->direct))
		return config->direct.name;
	return index == 0 ? "none" : index <= config->gateways ? config->gateway[index - 1].name : "no gateway's";
}

bool marks_meet(const struct config *config, uint32_t mark, uint32_t mask)
{
	uint32_t bits = mask & config->mark_mask;

	for (unsigned int i = 0; i < config->gateways; i++)
		if (((mark_of(config, &config->gateway[i]) ^ mark) & bits) == 0)
			return true;
	return ((mark_of(config, &config->direct) ^ mark) & bits) == 0 || ((mark_of(config, &config->block) ^ mark) & bits) == 0;
}


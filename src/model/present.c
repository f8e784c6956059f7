/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/present.h"

#include <stdlib.h>

static void chain_free(struct present_chain *chain)
{
	for (size_t i = 0; i < chain->rules; i++) {
		text_free(&chain->rule[i].code);
		free(chain->rule[i].comment);
	}
	free(chain->rule);
	free(chain->name);
	free(chain->type);
}

void present_add_set(struct present_guard *present, const struct guard_set *wanted)
{
	present->set = make_room_for_one(present->set, present->sets, sizeof(*present->set));
	present->set[present->sets++] = (struct present_set){ .name = wanted->name, .kind = wanted->kind, .family = wanted->family };
}

void present_free(struct present *present)
{
	for (size_t i = 0; i < present->rules; i++)
		rule_free(&present->rule[i]);
	for (size_t i = 0; i < present->routes; i++)
		route_free(&present->route[i]);
	for (size_t i = 0; i < present->guard.chains; i++)
		chain_free(&present->guard.chain[i]);
	free(present->rule);
	free(present->route);
	free(present->neighbour);
	for (size_t i = 0; i < present->guard.sets; i++) {
		free(present->guard.set[i].bound);
		free(present->guard.set[i].element);
	}
	free(present->guard.fast.device);
	free(present->guard.chain);
	free(present->guard.set);
	*present = (struct present){ 0 };
}

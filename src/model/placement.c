/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/memory.h"
#include "model/wanted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void placements_add(struct placements *placements, const char *device, const struct address *address,
		    const struct gateway *gateway)
{
	struct placement *placement;

	placements->placement = make_room_for_one(placements->placement, placements->count, sizeof(*placement));
	placement = &placements->placement[placements->count++];
	*placement = (struct placement){ .address = *address, .gateway = gateway };
	snprintf(placement->device, sizeof(placement->device), "%s", device);
}

void placements_free(struct placements *placements)
{
	free(placements->placement);
	*placements = (struct placements){ 0 };
}

static void place(struct guard_set *map, const struct config *config, const struct placement *placement)
{
	struct guard_element *element = guard_add_element(map, "");

	guard_session_key(element->key, placement->device, &placement->address);
	if (placement->gateway)
		wanted_session_chain(element->chain, config, placement->gateway, family_index(placement->address.family));
}

/* Two sessions with a tunnel and an address, and nobody knows who has it: by one gateway both leave, by two neither. */
static void merge_equals(struct guard_set *map, const struct config *config)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->elements; i++) {
		struct guard_element *last = kept ? &map->element[kept - 1] : NULL;

		if (!last || memcmp(last->key, map->element[i].key, sizeof(last->key)) != 0)
			map->element[kept++] = map->element[i];
		else if (strcmp(last->chain, map->element[i].chain) != 0)
			wanted_session_chain(last->chain, config, &config->block, family_index(map->family));
	}
	map->elements = kept;
}

void wanted_place(struct wanted *wanted, const struct config *config, const struct placements *placements, bool partial)
{
	memcpy(wanted->guard.own, placements->own, IFNAMSIZ);
	for (size_t i = 0; i < wanted->guard.sets; i++) {
		struct guard_set *map = &wanted->guard.set[i];

		if (map->kind != MAP_SESSIONS)
			continue;
		map->partial = partial;
		map->elements = 0;
		for (size_t j = 0; j < placements->count; j++)
			if (placements->placement[j].address.family == map->family)
				place(map, config, &placements->placement[j]);
		guard_sort_elements(map);
		merge_equals(map, config);
	}
}

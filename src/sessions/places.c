/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/places.h"
#include "config/maps.h"

#include <stdlib.h>
#include <string.h>

#define STAMP "maps"

static bool has_maps(const struct config *config)
{
	for (int i = 0; i < WHOSE; i++)
		if (config->map[i])
			return true;
	return false;
}

int places_check_maps(const struct config *config, const struct state *state, bool anew, struct report *report)
{
	char stamp[MAPS_STAMP], known[MAPS_STAMP];

	if (!has_maps(config))
		return 0;
	maps_stamp(config, stamp);
	if (state_recall(state, STAMP, known, sizeof(known), report) < 0)
		return -1;
	if (!anew && stamp[0] && strcmp(stamp, known) == 0)
		return 0;
	if (maps_check(config, report) < 0)
		return -1;
	return stamp[0] && strcmp(stamp, known) != 0 ? state_remember(state, STAMP, stamp, report) : 0;
}

const struct gateway *places_gateway(const struct config *config, const struct session *session, struct report *report)
{
	const struct who who = { session->user, session->group, session->vhost };

	return config_gateway_of(config, &who, NULL, report);
}

bool places_has_device(const struct state *state, const struct session *session, struct report *report)
{
	char id[DEVICE_TEXT];

	return state_device(state, session->device, id, report) &&
	       (!id[0] || strcmp(id, session->id) == 0 || session_is_over(id));
}

struct visit {
	struct placements *all;
	const struct config *config;
	const struct state *state;
	struct report *report;
	int result;
};

static void add_address(struct placements *placements, const char *device, const char *text, const struct gateway *gateway)
{
	struct address address;

	if (address_parse_unscoped(&address, text))
		placements_add(placements, device, &address, gateway);
}

static bool add_session(const struct session *session, void *data)
{
	struct visit *visit = data;
	const struct gateway *gateway = session->unread ? NULL : places_gateway(visit->config, session, visit->report);

	if (!gateway)
		visit->result = -1;
	else if (session->device[0] && places_has_device(visit->state, session, visit->report)) {
		add_address(visit->all, session->device, session->ip4, gateway);
		add_address(visit->all, session->device, session->ip6, gateway);
	}
	return true;
}

int places_all(struct placements *all, const struct config *config, const struct state *state, struct report *report)
{
	struct visit visit = { all, config, state, report, 0 };
	size_t errors = report->errors.count;

	if (state_visit(state, false, add_session, &visit, report) < 0 || report->errors.count > errors)
		return -1;
	return visit.result;
}

static bool has_address(const struct placements *placements, const struct address *address)
{
	for (size_t i = 0; i < placements->count; i++)
		if (address_equal(&placements->placement[i].address, address))
			return true;
	return false;
}

/* The addresses of a list, but for those that are there. */
static void add_gone(struct placements *placements, const char *device, const char *addresses)
{
	char *list = duplicate(addresses), *save = NULL;
	struct address address;

	for (char *item = strtok_r(list, " ", &save); item; item = strtok_r(NULL, " ", &save))
		if (address_parse(&address, item) && !has_address(placements, &address))
			placements_add(placements, device, &address, NULL);
	free(list);
}

bool places_gone(struct placements *gone, const struct session *session, const struct state *state, struct report *report)
{
	char id[DEVICE_TEXT];
	const char *addresses = interface_name_valid(session->device) ? state_device(state, session->device, id, report) : "";

	if (addresses && addresses[0] && strcmp(id, session->id) == 0)
		add_gone(gone, session->device, addresses);
	return gone->count > 0;
}

int places_own(struct placements *own, const struct session *session, const struct gateway *gateway, const struct state *state,
	       struct report *report)
{
	char id[DEVICE_TEXT];
	const char *former = state_device(state, session->device, id, report);

	if (!former)
		return -1;
	add_address(own, session->device, session->ip4, gateway);
	add_address(own, session->device, session->ip6, gateway);
	add_gone(own, session->device, former);
	return 0;
}

int places_hold(const struct placements *own, const struct session *session, bool placed, const struct state *state,
		struct report *report)
{
	struct text addresses CLEANUP(text_free) = { 0 };
	char text[ADDRESS_TEXT];
	bool any_former = false;

	for (size_t i = 0; i < own->count; i++) {
		const struct placement *placement = &own->placement[i];

		any_former = any_former || !placement->gateway;
		if (placement->gateway || !placed)
			text_add(&addresses, "%s%s", addresses.length ? " " : "", address_text(&placement->address, text));
	}
	return placed && !any_former ? 0 : state_hold_device(state, session, text_string(&addresses), report);
}

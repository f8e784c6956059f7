/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/places.h"
#include "base/memory.h"
#include "sessions/remembered.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

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
	return state->locked && stamp[0] && strcmp(stamp, known) != 0 ? state_remember(state, STAMP, stamp, report) : 0;
}

const struct gateway *places_gateway(const struct config *config, const struct session *session, struct report *report)
{
	const struct who who = { session->user, session->group, session->vhost };

	return config_gateway_of(config, &who, NULL, report);
}

const struct gateway *places_held_gateway(const struct maps_held *maps, const struct session *session, struct report *report)
{
	const struct who who = { session->user, session->group, session->vhost };

	return maps_gateway_of(maps, &who, report);
}

bool places_has_device(const struct state *state, const struct session *session, struct report *report)
{
	char id[DEVICE_TEXT];

	return state_device(state, session->device, id, report) &&
	       (!id[0] || strcmp(id, session->id) == 0 || session_is_over(id));
}

const char *places_gateway_of_chain(const char *chain)
{
	const char *name = strchr(chain, '_');

	return name ? name + 1 : chain;
}

/* A family that has no gateway is blocked by its name, so the one that has counts. */
static void take_change(struct departure *departure, const struct guard_change *change)
{
	const char *was = change->was[0] ? places_gateway_of_chain(change->was) : NULL;

	departure->lacks[family_index(change->set->family)] = !was;
	if (!was || (departure->moves && strcmp(was, "block") == 0))
		return;
	departure->moves = true;
	snprintf(departure->now, sizeof(departure->now), "%.16s", was);
}

static int compare_changes(const void *a, const void *b)
{
	const struct guard_change *one = *(const struct guard_change *const *)a, *other = *(const struct guard_change *const *)b;

	if (one->set->family != other->set->family)
		return one->set->family < other->set->family ? -1 : 1;
	return memcmp(one->element.key, other->element.key, GUARD_KEY);
}

/* What is of no live session is left out. */
void changes_make(struct changes *changes, const struct plan *plan)
{
	*changes = (struct changes){ allocate(plan->changes, sizeof(const struct guard_change *)), 0 };
	for (size_t i = 0; i < plan->changes; i++)
		if (plan->change[i].element.chain[0])
			changes->change[changes->count++] = &plan->change[i];
	if (changes->count)
		qsort(changes->change, changes->count, sizeof(const struct guard_change *), compare_changes);
}

void changes_free(struct changes *changes)
{
	free(changes->change);
	*changes = (struct changes){ 0 };
}

uint8_t places_length(const struct session *session)
{
	unsigned long long length;

	return number_parse(session->length6, 1, 128, &length) ? (uint8_t)length : 128;
}

bool places_network(struct prefix *network, const struct session *session, const char *text)
{
	struct prefix whose;

	if (!address_parse_unscoped(&whose.address, text))
		return false;
	whose.length = whose.address.family == AF_INET6 ? places_length(session) : 32;
	*network = prefix_mask(&whose);
	return true;
}

const struct guard_change *changes_find(const struct changes *changes, const struct session *session, int family)
{
	struct guard_set set = { 0 };
	struct guard_change change = { .set = &set };
	const struct guard_change *key = &change, *const *found;
	struct prefix network;

	if (!changes->count || !places_network(&network, session, family == IPV4 ? session->ip4 : session->ip6))
		return NULL;
	set.family = network.address.family;
	guard_session_key(change.element.key, session->device, &network.address);
	found = bsearch(&key, changes->change, changes->count, sizeof(const struct guard_change *), compare_changes);
	return found ? *found : NULL;
}

int places_departure(struct departure *departure, const struct config *config, const struct session *session,
		     const struct changes *changes, struct report *report)
{
	const struct gateway *gateway = places_gateway(config, session, report);

	*departure = (struct departure){ .next = gateway };
	if (!gateway)
		return -1;
	memcpy(departure->now, gateway->name, sizeof(departure->now));
	for (int family = 0; family < FAMILIES; family++) {
		const struct guard_change *change = changes_find(changes, session, family);

		if (change)
			take_change(departure, change);
	}
	departure->recorded = strcmp(session->gateway, departure->now) == 0;
	return 0;
}

struct visit {
	struct placements *all;
	struct maps_held maps;
	const struct state *state;
	struct report *report;
	int result;
};

int places_hold_length(struct host *host, const struct session *session, const struct state *state, struct report *report)
{
	uint8_t length = places_length(session);
	unsigned int before = host->lengths;
	char text[HOST_LENGTHS_TEXT];

	if (!session->ip6[0] || length == 128)
		return 0;
	if (!host_add_length(host, length))
		return report_error(report, EX_CONFIG, "IPV6_PREFIX: /%u is one length of clients' IPv6 networks too many, beside %s: "
				    "give all groups and virtual hosts the same ipv6-subnet-prefix in ocserv.conf", length,
				    host_lengths_text(host, text));
	return !state->locked || host->lengths == before ? 0 : state_remember(state, LENGTHS, host_lengths_text(host, text), report);
}

static void add_address(struct placements *placements, const struct session *session, const char *text,
			const struct gateway *gateway)
{
	struct prefix network;

	if (places_network(&network, session, text))
		placements_add(placements, session->device, &network.address, gateway);
}

static bool add_session(const struct session *session, void *data)
{
	struct visit *visit = data;
	const struct gateway *gateway = session->unread ? NULL : places_held_gateway(&visit->maps, session, visit->report);

	if (!gateway)
		visit->result = -1;
	else if (session->device[0] && strcmp(session->device, visit->all->own) != 0 && places_has_device(visit->state, session, visit->report)) {
		add_address(visit->all, session, session->ip4, gateway);
		add_address(visit->all, session, session->ip6, gateway);
	}
	return true;
}

int places_all(struct placements *all, const struct config *config, const struct state *state, struct report *report)
{
	struct visit visit = { .all = all, .state = state, .report = report };
	size_t errors = report->errors.count;
	int result = maps_hold(&visit.maps, config, report);

	if (result == 0)
		result = state_visit(state, false, add_session, &visit, report);
	maps_release(&visit.maps);
	return result < 0 || report->errors.count > errors ? -1 : visit.result;
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

	snprintf(gone->own, sizeof(gone->own), "%s", session->device);
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
	snprintf(own->own, sizeof(own->own), "%s", session->device);
	add_address(own, session, session->ip4, gateway);
	add_address(own, session, session->ip6, gateway);
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

/* Of several sessions with a device the one whose its address is: who connected last has that. */
static bool is_holder(const struct session *session, const struct state *state)
{
	const char *const written[] = { session->ip4, session->ip6 };
	struct address address;
	char text[ADDRESS_TEXT];

	for (int family = 0; family < FAMILIES; family++)
		if (address_parse_unscoped(&address, written[family]) &&
		    state_holder(state, session, address_text(&address, text)) != HOLDER_SELF)
			return false;
	return true;
}

static bool hold_unheld(const struct session *session, void *data)
{
	struct visit *visit = data;
	struct placements own CLEANUP(placements_free) = { 0 };
	char id[DEVICE_TEXT];

	if (session->unread || !session->device[0] || !state_device(visit->state, session->device, id, visit->report) ||
	    (id[0] && !session_is_over(id)) || !is_holder(session, visit->state))
		return true;
	add_address(&own, session, session->ip4, NULL);
	add_address(&own, session, session->ip6, NULL);
	if (places_hold(&own, session, false, visit->state, visit->report) < 0)
		visit->result = -1;
	return true;
}

int places_hold_all(const struct state *state, struct report *report)
{
	struct visit visit = { .state = state, .report = report };

	return state_visit(state, false, hold_unheld, &visit, report) < 0 ? -1 : visit.result;
}

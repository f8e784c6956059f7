/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/variables.h"
#include "base/text.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NAME_MOST 24	/* bytes of the longest that is near one of ours */
#define SLIPS 2
#define IMAGES "VPN_"		/* as those of the image do */
#define BYPASS IMAGES "BYPASS_"	/* several begin so */

static const struct known { const char *name; bool ours, asks; } known[] = {
	{ "VPN_GATEWAY", true, true }, { "VPN_GATEWAY6", true, true }, { "WAN_IF", true, true },
	{ "VPN_GATEWAY_TABLE", true, true }, { "VPN_GATEWAY_RULE_PRIO", true, true },
	{ "OCSERV_GATEWAY_CONFIG", true, true },
	{ "VPN_SUBNET", true, false }, { "IPV6_SUBNET", true, false }, { "VPN_IF", true, false },
	{ "VPN_GATEWAYS", true, true }, { "VPN_GATEWAYS6", true, true }, { "VPN_GATEWAYS_FILE", true, true },
	{ "VPN_USER_GATEWAY", true, true }, { "VPN_USER_GATEWAY_FILE", true, true },
	{ "VPN_GATEWAY_BYPASS", false, true }, { "VPN_GATEWAYS_BYPASS", false, true },
	{ "VPN_USER_BYPASS", false, true }, { "VPN_USER_BYPASS_FILE", false, true },
};
#define KNOWN (sizeof(known) / sizeof(*known))

/* Of the image, and about its own doings. */
static const char *const harmless[] = {
	"VPN_GATEWAYS_RESOLVE_INTERVAL", "VPN_USER_GATEWAY_WATCH", "VPN_GATEWAY_USER_RULE_PRIO", "VPN_USER_BYPASS_WATCH",
	BYPASS "WATCH", BYPASS "UPDATE_INTERVAL", BYPASS "RULE_PRIO", BYPASS "MARK",
};

/* Near one of ours, and words of their own. */
static const char *const others[] = { "LAN_IF", "LAN_IP", "WAN_IP", "WAN_ID", "VPN_IP", "VPN_ID" };

/* What tells most names from each other at once. */
struct gist {
	size_t length;
	uint32_t letters;	/* as bits, of which one slip changes at most two */
};

static struct gist gist_of(const char *name, size_t length)
{
	struct gist gist = { .length = length };

	for (size_t i = 0; i < length; i++)
		gist.letters |= 1U << ((unsigned char)name[i] & 31);
	return gist;
}

static bool may_be_near(const struct gist *a, const struct gist *b)
{
	uint32_t different = a->letters ^ b->letters;

	if (a->length > b->length + SLIPS || b->length > a->length + SLIPS)
		return false;
	for (int i = 0; i < 2 * SLIPS && different; i++)
		different &= different - 1;
	return !different;
}

/* In capitals. */
static size_t slips(const char *known_name, const char *name, size_t length)
{
	char upper[NAME_MOST + 1];

	for (size_t i = 0; i < length; i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	upper[length] = '\0';
	return text_distance(upper, known_name);
}

static bool is_name(const char *name, size_t length, const char *other)
{
	return strncmp(name, other, length) == 0 && other[length] == '\0';
}

static bool is_among(const char *name, size_t length, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_name(name, length, list[i]))
			return true;
	return false;
}

#define IS_AMONG(name, length, list) is_among(name, length, list, sizeof(list) / sizeof(*(list)))

/* The known one that is nearest; NULL where none is near. @distance: twice its slips; 0: the very name. */
static const struct known *nearest(const struct gist gists[KNOWN], const char *name, size_t length, size_t *distance)
{
	struct gist gist = gist_of(name, length);
	const struct known *near = NULL;

	*distance = 2 * SLIPS + 1;
	for (size_t i = 0; i < KNOWN; i++) {
		size_t away;

		if (!may_be_near(&gists[i], &gist))
			continue;
		if (is_name(name, length, known[i].name)) {
			*distance = 0;
			return &known[i];
		}
		/* With no slip but the case of letters it is nearer still. */
		away = slips(known[i].name, name, length);
		away = away ? 2 * away : 1;
		if (away < *distance) {
			*distance = away;
			near = &known[i];
		}
	}
	return near;
}

static void look_at(const struct gist gists[KNOWN], const char *entry, size_t length, variable_visitor visit, void *data)
{
	struct strange_variable found = { .name = entry, .length = (int)length, .asks = true };
	const struct known *near = NULL;
	size_t distance = 0;

	if (strncmp(entry, IMAGES, strlen(IMAGES)) == 0 && IS_AMONG(entry, length, harmless)) {
		found.harmless = true;
		found.asks = false;
	} else if (strncmp(entry, BYPASS, strlen(BYPASS)) != 0) {
		near = length <= NAME_MOST ? nearest(gists, entry, length, &distance) : NULL;
		if (!near || (distance == 0 && near->ours) || IS_AMONG(entry, length, others))
			return;
		found.asks = near->asks;
		found.meant = distance ? near->name : NULL;
	}
	visit(&found, data);
}

void variables_visit_strange(variable_visitor visit, void *data)
{
	struct gist gists[KNOWN];

	for (size_t i = 0; i < KNOWN; i++)
		gists[i] = gist_of(known[i].name, strlen(known[i].name));
	for (char **entry = environ; entry && *entry; entry++) {
		const char *end = strchr(*entry, '=');

		if (end)
			look_at(gists, *entry, (size_t)(end - *entry), visit, data);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "variables.h"
#include "text.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NAME_MOST 24	/* bytes of the longest that is near one of ours */
#define SLIPS 2

static const struct known { const char *name; bool ours, asks; } known[] = {
	{ "VPN_GATEWAY", true, true }, { "VPN_GATEWAY6", true, true }, { "WAN_IF", true, true },
	{ "VPN_GATEWAY_TABLE", true, true }, { "VPN_GATEWAY_RULE_PRIO", true, true },
	{ "OCSERV_GATEWAY_CONFIG", true, true },
	{ "VPN_SUBNET", true, false }, { "IPV6_SUBNET", true, false }, { "VPN_IF", true, false },
	{ "VPN_GATEWAYS", false, true }, { "VPN_GATEWAYS6", false, true }, { "VPN_GATEWAYS_FILE", false, true },
	{ "VPN_USER_GATEWAY", false, true }, { "VPN_USER_GATEWAY_FILE", false, true },
	{ "VPN_GATEWAY_BYPASS", false, true }, { "VPN_GATEWAYS_BYPASS", false, true },
	{ "VPN_USER_BYPASS", false, true }, { "VPN_BYPASS_", false, true },	/* the beginning of several */
};
#define KNOWN (sizeof(known) / sizeof(*known))

/* Near one of ours, and words of their own. */
static const char *const others[] = { "LAN_IF", "LAN_IP", "WAN_IP", "WAN_ID", "VPN_IP", "VPN_ID" };

/* The letters and digits of a name, as bits: one slip changes at most two of them. */
static uint64_t letters(const char *name, size_t length)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < length; i++)
		mask |= 1ULL << ((unsigned char)name[i] & 31);
	return mask;
}

static bool is_name(const char *name, size_t length, const char *other)
{
	return strncmp(name, other, length) == 0 && other[length] == '\0';
}

static bool is_the_images(const struct known *it, const char *name, size_t length)
{
	if (it->ours)
		return false;
	return is_name(name, length, it->name) ||
	       (it->name[strlen(it->name) - 1] == '_' && strncmp(name, it->name, strlen(it->name)) == 0);
}

/* How many slips @name is from a known one; more than SLIPS where that is too many to tell. */
static size_t slips(const struct known *it, const char *name, size_t length)
{
	char upper[NAME_MOST + 1];
	size_t known_length = strlen(it->name);

	if (length > known_length + SLIPS || known_length > length + SLIPS ||
	    __builtin_popcountll(letters(it->name, known_length) ^ letters(name, length)) > 2 * SLIPS)
		return SLIPS + 1;
	for (size_t i = 0; i < length; i++)
		upper[i] = (char)toupper((unsigned char)name[i]);
	upper[length] = '\0';
	return text_distance(upper, it->name);
}

static void look_at(const char *entry, size_t length, variable_visitor visit, void *data)
{
	struct strange_variable found = { .name = entry, .length = (int)length };
	const struct known *near = NULL;
	size_t least = SLIPS + 1;

	for (size_t i = 0; i < KNOWN; i++) {
		if (known[i].ours && is_name(entry, length, known[i].name))
			return;
		if (is_the_images(&known[i], entry, length)) {
			found.asks = true;
			visit(&found, data);
			return;
		}
		if (length <= NAME_MOST) {
			size_t distance = slips(&known[i], entry, length);

			if (distance < least) {
				least = distance;
				near = &known[i];
			}
		}
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others) && near; i++)
		if (is_name(entry, length, others[i]))
			near = NULL;
	if (!near)
		return;
	found.meant = near->name;
	found.asks = near->asks;
	visit(&found, data);
}

void variables_visit_strange(variable_visitor visit, void *data)
{
	for (char **entry = environ; entry && *entry; entry++) {
		const char *end = strchr(*entry, '=');

		if (end)
			look_at(*entry, (size_t)(end - *entry), visit, data);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/whereto.h"
#include "config/assigned.h"
#include "config/maps.h"

#include <stdio.h>

#define NAME_SHOWN 64

/* What clients of a family have there. */
static void add_family(struct text *text, const struct gateway *gateway, int family)
{
	char address[ADDRESS_TEXT];

	switch (gateway->to[family].mode) {
	case GATEWAY_ADDRESS:
		text_add(text, "via %s", address_text(&gateway->to[family].address, address));
		break;
	case GATEWAY_LINK:
		text_add(text, "via %s", gateway->interface);
		break;
	case GATEWAY_BLOCK:
		text_add_string(text, "blocked");
		break;
	case GATEWAY_UNSET:
	case GATEWAY_DIRECT:
		text_add_string(text, "direct, without a kill switch");
		break;
	}
}

static void add_families(struct text *text, const struct gateway *gateway)
{
	for (int family = 0; family < FAMILIES; family++) {
		text_add(text, "%s%s ", family ? ", " : "", family_name(family));
		add_family(text, gateway, family);
	}
}

/* users: 3 names in [users], 1000 in /etc/ocserv/users.map */
static void add_names(struct text *screen, const struct config *config, enum whose whose)
{
	const char *section = assigned_section(whose);

	if (!config->assigned[whose].count && !config->map[whose])
		return;
	text_add(screen, "%s: %u in [%s]", section, config->assigned[whose].count, section);
	if (config->map[whose])
		text_add(screen, ", %u in %s", maps_count(config, whose), config->map[whose]);
	text_add_string(screen, "\n");
}

void whereto_add(struct text *screen, const struct config *config)
{
	if (!config_is_mapped(config))
		return;
	for (unsigned int i = 0; i < config->gateways; i++) {
		text_add(screen, "%sgateway %s: ", i ? "" : "\n", config->gateway[i].name);
		add_families(screen, &config->gateway[i]);
		text_add(screen, "; table %u\n", config->gateway[i].table);
	}
	for (enum whose whose = 0; whose < WHOSE; whose++)
		add_names(screen, config, whose);
}

static void add_families_json(struct text *json, const struct gateway *gateway)
{
	for (int family = 0; family < FAMILIES; family++) {
		struct text text CLEANUP(text_free) = { 0 };

		add_family(&text, gateway, family);
		text_add(json, ", \"ipv%d\": ", family == IPV4 ? 4 : 6);
		text_add_json(json, text_string(&text));
	}
}

void whereto_add_json(struct text *json, const struct config *config)
{
	text_add_string(json, "  \"gateways\": [");
	for (unsigned int i = 0; i < config->gateways && !config_is_plain(config); i++) {
		text_add(json, "%s\n    { \"name\": \"%s\"", i ? "," : "", config->gateway[i].name);
		add_families_json(json, &config->gateway[i]);
		text_add(json, ", \"table\": %u, \"masquerade\": %s }", config->gateway[i].table,
			 config->gateway[i].masquerade ? "true" : "false");
	}
	text_add_string(json, "\n  ],\n  \"names\": {");
	for (enum whose whose = 0; whose < WHOSE; whose++)
		text_add(json, "%s \"%s\": %u", whose ? "," : "", assigned_section(whose), config->assigned[whose].count +
			 (config->map[whose] ? maps_count(config, whose) : 0));
	text_add_string(json, " },\n");
}

/* A configuration with a wrong map has no answer: a session would be refused. */
static const struct gateway *find(const struct config *config, const struct options *options, struct text *line,
				  struct report *report)
{
	const struct who who = { options->user, options->group, options->vhost };

	if (maps_check(config, report) < 0)
		return NULL;
	return config_gateway_of(config, &who, line, report);
}

/* leaves via gateway nl: IPv4 via 172.28.0.4, IPv6 blocked */
static void add_fate(struct text *screen, const struct config *config, const struct gateway *gateway)
{
	if (gateway == &config->block) {
		text_add_string(screen, " is blocked");
	} else if (gateway == &config->direct) {
		text_add_string(screen, " leaves via this host's own route, without a kill switch");
	} else {
		text_add(screen, " leaves via gateway %s: ", gateway->name);
		add_families(screen, gateway);
	}
}

int whereto_explain(struct text *screen, const struct config *config, const struct options *options, struct report *report)
{
	struct text line CLEANUP(text_free) = { 0 };
	const struct gateway *gateway = find(config, options, &line, report);

	if (!gateway)
		return -1;
	text_add_pair(screen, "user", options->user, NAME_SHOWN);
	if (options->group)
		text_add_pair(screen, "group", options->group, NAME_SHOWN);
	if (options->vhost)
		text_add_pair(screen, "vhost", options->vhost, NAME_SHOWN);
	add_fate(screen, config, gateway);
	text_add_string(screen, "\n");
	text_add_escaped(screen, text_string(&line), line.length);
	text_add_string(screen, "\n");
	return 0;
}

static void add_name_json(struct text *json, const char *member, const char *name)
{
	text_add(json, "\"%s\": ", member);
	text_add_json(json, name);
	text_add_string(json, ", ");
}

int whereto_explain_json(struct text *json, const struct config *config, const struct options *options, struct report *report)
{
	struct text line CLEANUP(text_free) = { 0 };
	const struct gateway *gateway = find(config, options, &line, report);

	if (!gateway)
		return -1;
	text_add_string(json, "  \"session\": { ");
	add_name_json(json, "user", options->user);
	add_name_json(json, "group", options->group);
	add_name_json(json, "vhost", options->vhost);
	text_add(json, "\"gateway\": \"%s\"", gateway->name);
	add_families_json(json, gateway);
	text_add_string(json, ", \"because\": ");
	text_add_json(json, text_string(&line));
	text_add_string(json, " }\n");
	return 0;
}

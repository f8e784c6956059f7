/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/assigned.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define GATEWAYS_SHOWN 20

static const char *const sections[WHOSE] = { "users", "groups", "vhosts" };

const char *assigned_section(enum whose whose)
{
	return sections[whose];
}

int assigned_find(const char *section)
{
	for (int whose = 0; whose < WHOSE; whose++)
		if (strcmp(section, sections[whose]) == 0)
			return whose;
	return -1;
}

static void add(struct assignments *assigned, const struct assignment *assignment)
{
	assigned->each = make_room_for_one(assigned->each, assigned->count, sizeof(*assigned->each));
	assigned->each[assigned->count++] = *assignment;
}

bool assigned_add(struct config *config, enum whose whose, const char *written, const char *value, unsigned int line,
		  struct text *wrong)
{
	struct text name CLEANUP(text_free) = { 0 };
	struct assignment assignment = { .line = line };

	if (!name_read(&name, &assignment.pattern, written, strlen(written), wrong))
		return false;
	assignment.name = duplicate(text_string(&name));
	assignment.value = duplicate(value);
	add(&config->assigned[whose], &assignment);
	return true;
}

void assigned_add_plain(struct config *config, enum whose whose, const char *name, const char *value)
{
	const struct assignment assignment = { .name = duplicate(name), .value = duplicate(value),
					       .pattern = strpbrk(name, "*?") != NULL };

	add(&config->assigned[whose], &assignment);
}

void assigned_add_origin(struct text *text, const struct config *config, enum whose whose, const struct assignment *assignment)
{
	if (assignment->line)
		text_add(text, "%s:%u: [%s] ", config->path, assignment->line, sections[whose]);
	else
		text_add_string(text, "environment: VPN_USER_GATEWAY: ");
	name_add(text, assignment->name, assignment->pattern);
	text_add(text, assignment->line ? " = %s" : "=%s", assignment->value);
}

void assigned_add_gateways(struct text *text, const struct config *config)
{
	text_add_string(text, "; there are ");
	for (unsigned int i = 1; i < config->gateways && i <= GATEWAYS_SHOWN; i++)
		text_add(text, "%s, ", config->gateway[i].name);
	if (config->gateways > GATEWAYS_SHOWN + 1)
		text_add(text, "%u more, ", config->gateways - 1 - GATEWAYS_SHOWN);
	text_add_string(text, "default, direct and block");
}

static int find_gateway(const struct config *config, enum whose whose, struct assignment *assignment, struct report *report)
{
	struct text origin CLEANUP(text_free) = { 0 };

	assignment->gateway = config_gateway_named(config, assignment->value);
	if (assignment->gateway)
		return 0;
	assigned_add_origin(&origin, config, whose, assignment);
	text_add_string(&origin, ": there is no such gateway");
	assigned_add_gateways(&origin, config);
	return report_error(report, EX_CONFIG, "%s", text_string(&origin));
}

static struct name_place place_of(const struct config *config, const struct assignment *assignment)
{
	return (struct name_place){ assignment->name, assignment->line ? config->path : NULL, assignment->pattern, assignment->line };
}

static int check_once(const struct config *config, enum whose whose, const struct assignment *assignment,
		      struct name_set *names, struct report *report)
{
	const struct name_place place = place_of(config, assignment), *other = name_set_add(names, &place);
	struct text origin CLEANUP(text_free) = { 0 };

	if (!other)
		return 0;
	assigned_add_origin(&origin, config, whose, assignment);
	if (other->line)
		return report_error(report, EX_CONFIG, "%s: that name is already in line %u; keep one of them",
				    text_string(&origin), other->line);
	return report_error(report, EX_CONFIG, "%s: that name stands there twice; keep one of them", text_string(&origin));
}

/* A name of the environment may stand in the file, too. */
static int check_all_once(const struct config *config, enum whose whose, struct report *report)
{
	const struct assignments *assigned = &config->assigned[whose];
	struct name_set names = { 0 };
	int result = 0;

	for (unsigned int i = 0; i < assigned->count; i++) {
		if (i > 0 && assigned->each[i].line && !assigned->each[i - 1].line)
			name_set_free(&names);
		if (check_once(config, whose, &assigned->each[i], &names, report) < 0)
			result = -1;
	}
	name_set_free(&names);
	return result;
}

int assigned_check(struct config *config, struct report *report)
{
	int result = 0;

	for (enum whose whose = 0; whose < WHOSE; whose++) {
		for (unsigned int i = 0; i < config->assigned[whose].count; i++)
			if (find_gateway(config, whose, &config->assigned[whose].each[i], report) < 0)
				result = -1;
		if (check_all_once(config, whose, report) < 0)
			result = -1;
	}
	return result;
}

void assigned_names(const struct config *config, enum whose whose, struct name_set *names)
{
	const struct assignments *assigned = &config->assigned[whose];

	for (unsigned int i = 0; i < assigned->count; i++) {
		const struct name_place place = place_of(config, &assigned->each[i]);

		if (place.line)
			name_set_add(names, &place);
	}
}

void assigned_free(struct config *config)
{
	for (int whose = 0; whose < WHOSE; whose++) {
		for (unsigned int i = 0; i < config->assigned[whose].count; i++) {
			free(config->assigned[whose].each[i].name);
			free(config->assigned[whose].each[i].value);
		}
		free(config->assigned[whose].each);
	}
}

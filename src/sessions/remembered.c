/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/remembered.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT "checkpoint"

/* The gateways: [gateway] as gateway4 and gateway6, a system call each, and all that have a name in one file. */

#define NAMED "gateways"

static const char *choice_name(int family)
{
	return family == IPV4 ? "gateway4" : "gateway6";
}

static struct gateway_choice *add_choice(struct choices *choices, const struct gateway *gateway, int family)
{
	struct gateway_choice *choice;

	choices->choice = make_room_for_one(choices->choice, choices->count, sizeof(*choices->choice));
	choice = &choices->choice[choices->count++];
	*choice = (struct gateway_choice){ .gateway = gateway, .family = family };
	return choice;
}

static int read_choice(struct choices *choices, const struct gateway *gateway, int family, const struct state *state,
		       struct report *report)
{
	char text[CHOICE_TEXT];

	if (state_recall(state, choice_name(family), text, sizeof(text), report) < 0)
		return -1;
	choice_parse(add_choice(choices, gateway, family), text);
	return 0;
}

static int read_lengths(struct host *known, const struct state *state, struct report *report)
{
	char text[HOST_LENGTHS_TEXT];

	if (state_recall(state, LENGTHS, text, sizeof(text), report) < 0)
		return -1;
	host_read_lengths(known, text);
	return 0;
}

/* Of a family without a next hop there is but what an earlier configuration left. */
static int read_default(struct remembered *remembered, const struct config *config, const struct state *state,
			struct report *report)
{
	const struct gateway *gateway = config_default(config);

	for (int family = 0; family < FAMILIES; family++)
		if ((!remembered->quick || gateway->to[family].mode == GATEWAY_ADDRESS) &&
		    read_choice(&remembered->choices, gateway, family, state, report) < 0)
			return -1;
	return 0;
}

/* The gateway of a name from @near on, which is moved there: they stand in the order of the configuration. */
static const struct gateway *find_named(const struct config *config, const char *name, unsigned int *near)
{
	for (unsigned int i = 0; i < config->gateways; i++) {
		unsigned int place = (*near + i) % config->gateways;
		const struct gateway *gateway = &config->gateway[place];

		if (gateway == config_default(config) || strcmp(gateway->name, name) != 0)
			continue;
		*near = place;
		return gateway;
	}
	return NULL;
}

/* nl 4 172.28.0.4 eth0: nothing where there is no such gateway any more */
static void take_named(struct choices *choices, const struct config *config, char *line, unsigned int *near)
{
	char *family = strchr(line, ' ');
	const struct gateway *gateway;

	if (!family || (family[1] != '4' && family[1] != '6') || family[2] != ' ')
		return;
	*family++ = '\0';
	gateway = find_named(config, line, near);
	if (gateway)
		choice_parse(add_choice(choices, gateway, *family == '4' ? IPV4 : IPV6), family + 2);
}

static int read_named(struct choices *choices, const struct config *config, const struct state *state, struct report *report)
{
	struct text text CLEANUP(text_free) = { 0 };
	unsigned int near = 0;
	char *save = NULL;

	if (config->gateways < 2)
		return 0;
	if (state_read(state, NAMED, &text, report) < 0)
		return -1;
	for (char *line = text.length ? strtok_r(text.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save))
		take_named(choices, config, line, &near);
	return 0;
}

int remembered_read(struct remembered *remembered, const struct config *config, const struct state *state,
		    struct report *report)
{
	choices_free(&remembered->choices);
	if (config_is_mapped(config) && read_lengths(&remembered->known, state, report) < 0)
		return -1;
	if (read_default(remembered, config, state, report) < 0)
		return -1;
	return read_named(&remembered->choices, config, state, report);
}

void remembered_look(struct remembered *remembered, const struct config *config)
{
	struct report ignored = { 0 };
	struct state state;

	if (state_open(&state, config->state_dir, false, &ignored) == 0)
		remembered_read(remembered, config, &state, &ignored);
	state_close(&state);
	report_free(&ignored);
}

void remembered_free(struct remembered *remembered)
{
	choices_free(&remembered->choices);
}

/* Whether there is anything new about a gateway, and what. */
static bool is_new(const struct choices *choices, const struct exits *exits, unsigned int i, struct gateway_choice *choice)
{
	const struct exit *exit = &exits->exit[i];
	const struct gateway_choice *known = choices_find(choices, exit->gateway, exit->family, i);

	*choice = (struct gateway_choice){ .gateway = exit->gateway, .family = exit->family, .address = exit->nexthop };
	if (!exit->interface.index || exit_is_link(exit))
		return false;
	if (!exit->gateway->interface[0])
		memcpy(choice->interface, exit->interface.name, IFNAMSIZ);
	return !known || !address_equal(&choice->address, &known->address) || strcmp(choice->interface, known->interface) != 0;
}

static void add_line(struct text *text, const struct gateway_choice *choice)
{
	char words[CHOICE_TEXT];

	choice_text(choice, words);
	text_add(text, "%s %c %s\n", choice->gateway->name, choice->family == IPV4 ? '4' : '6', words);
}

static int write_named(const struct choices *known, const struct choices *new, const struct config *config,
		       const struct state *state, struct report *report)
{
	struct text text CLEANUP(text_free) = { 0 };

	for (unsigned int i = 0; i < known->count; i++) {
		const struct gateway_choice *choice = &known->choice[i];

		if (choice->gateway != config_default(config) && choice->address.family &&
		    !choices_find(new, choice->gateway, choice->family, i))
			add_line(&text, choice);
	}
	for (unsigned int i = 0; i < new->count; i++)
		add_line(&text, &new->choice[i]);
	return state_write(state, NAMED, &text, report);
}

int remembered_keep(const struct remembered *remembered, const struct config *config, const struct situation *situation,
		    const struct state *state, struct report *report)
{
	struct choices new = { 0 };
	int result = 0;

	for (unsigned int i = 0; i < situation->exits.count && result == 0; i++) {
		struct gateway_choice choice;
		char text[CHOICE_TEXT];

		if (!is_new(&remembered->choices, &situation->exits, i, &choice))
			continue;
		choice_text(&choice, text);
		if (choice.gateway == config_default(config))
			result = state_remember(state, choice_name(choice.family), text, report);
		else
			*add_choice(&new, choice.gateway, choice.family) = choice;
	}
	if (result == 0 && new.count)
		result = write_named(&remembered->choices, &new, config, state, report);
	choices_free(&new);
	return result;
}

/* Kept as the target of a symbolic link, which is read by one system call. */

void checkpoint_load(const struct state *state, char checkpoint[CHECKPOINT_TEXT])
{
	ssize_t length = readlinkat(state->directory, CHECKPOINT, checkpoint, CHECKPOINT_TEXT - 1);

	checkpoint[length > 0 ? length : 0] = '\0';
}

void checkpoint_keep(const struct state *state, const char *checkpoint)
{
	unlinkat(state->directory, CHECKPOINT, 0);
	if (checkpoint[0])
		(void)!symlinkat(checkpoint, state->directory, CHECKPOINT);
}

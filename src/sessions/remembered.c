/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/remembered.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT "checkpoint"

#define CHOICE_NAME (sizeof("gateway4.") + GATEWAY_NAME)

/* gateway4, and of another gateway than [gateway] gateway4.NAME */
static const char *choice_name(const struct config *config, const struct gateway *gateway, int family, char name[CHOICE_NAME])
{
	bool first = gateway == config_default(config);

	snprintf(name, CHOICE_NAME, "gateway%c%s%s", family == IPV4 ? '4' : '6', first ? "" : ".", first ? "" : gateway->name);
	return name;
}

static int read_choice(struct choices *choices, const struct config *config, const struct gateway *gateway, int family,
		       const struct state *state, struct report *report)
{
	struct gateway_choice *choice;
	char text[CHOICE_TEXT], name[CHOICE_NAME];

	if (state_recall(state, choice_name(config, gateway, family, name), text, sizeof(text), report) < 0)
		return -1;
	choices->choice = make_room_for_one(choices->choice, choices->count, sizeof(*choices->choice));
	choice = &choices->choice[choices->count++];
	*choice = (struct gateway_choice){ .gateway = gateway, .family = family };
	choice_parse(choice, text);
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
int remembered_read(struct remembered *remembered, const struct config *config, const struct state *state,
		    struct report *report)
{
	choices_free(&remembered->choices);
	if (config_is_mapped(config) && read_lengths(&remembered->known, state, report) < 0)
		return -1;
	for (unsigned int i = 0; i < config->gateways; i++) {
		const struct gateway *gateway = &config->gateway[i];

		for (int family = 0; family < FAMILIES; family++)
			if ((!remembered->quick || gateway->to[family].mode == GATEWAY_ADDRESS) &&
			    read_choice(&remembered->choices, config, gateway, family, state, report) < 0)
				return -1;
	}
	return 0;
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

static int keep_choice(const struct choices *choices, const struct config *config, const struct exit *exit,
		       const struct state *state, struct report *report)
{
	const struct gateway_choice *known = choices_find(choices, exit->gateway, exit->family);
	struct gateway_choice choice = { .address = exit->nexthop };
	char text[CHOICE_TEXT], name[CHOICE_NAME];

	if (!exit->gateway->interface[0])
		memcpy(choice.interface, exit->interface.name, IFNAMSIZ);
	if (known && address_equal(&choice.address, &known->address) && strcmp(choice.interface, known->interface) == 0)
		return 0;
	choice_text(&choice, text);
	return state_remember(state, choice_name(config, exit->gateway, exit->family, name), text, report);
}

int remembered_keep(const struct remembered *remembered, const struct config *config, const struct situation *situation,
		    const struct state *state, struct report *report)
{
	for (unsigned int i = 0; i < situation->exits.count; i++)
		if (situation->exits.exit[i].interface.index && !exit_is_link(&situation->exits.exit[i]) &&
		    keep_choice(&remembered->choices, config, &situation->exits.exit[i], state, report) < 0)
			return -1;
	return 0;
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

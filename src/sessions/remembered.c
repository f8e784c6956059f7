/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/remembered.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CHECKPOINT "checkpoint"

static const char *const choice_names[FAMILIES] = { [IPV4] = "gateway4", [IPV6] = "gateway6" };

/* Of a family without a gateway there is but what an earlier configuration left. */
int remembered_read(struct remembered *remembered, const struct config *config, const struct state *state,
		    struct report *report)
{
	char text[CHOICE_TEXT];

	for (int family = 0; family < FAMILIES; family++) {
		if (remembered->quick && config->gateway[family].mode != GATEWAY_ADDRESS)
			continue;
		if (state_recall(state, choice_names[family], text, sizeof(text), report) < 0)
			return -1;
		choice_parse(&remembered->gateway[family], text);
	}
	return 0;
}

void remembered_look(struct remembered *remembered, const struct config *config)
{
	struct report ignored = { 0 };
	struct state state;

	*remembered = (struct remembered){ 0 };
	if (state_open(&state, config->state_dir, false, &ignored) == 0)
		remembered_read(remembered, config, &state, &ignored);
	state_close(&state);
	report_free(&ignored);
}

int remembered_keep(const struct remembered *remembered, const struct config *config, const struct situation *situation,
		    const struct state *state, struct report *report)
{
	for (int family = 0; family < FAMILIES; family++) {
		struct gateway_choice choice = { .address = config->gateway[family].address };
		const struct gateway_choice *known = &remembered->gateway[family];
		char text[CHOICE_TEXT];

		if (!situation->path[family].interface)
			continue;
		if (!config->gateway_interface[0])
			memcpy(choice.interface, situation->path[family].interface_name, IFNAMSIZ);
		if (address_equal(&choice.address, &known->address) && strcmp(choice.interface, known->interface) == 0)
			continue;
		choice_text(&choice, text);
		if (state_remember(state, choice_names[family], text, report) < 0)
			return -1;
	}
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

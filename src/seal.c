/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "seal"
#define FNV_BASIS 0xcbf29ce484222325U
#define FNV_PRIME 0x100000001b3U

static void add(uint64_t *digest, const void *data, size_t length)
{
	for (const uint8_t *byte = data; length > 0; byte++, length--)
		*digest = (*digest ^ *byte) * FNV_PRIME;
}

static void add_string(uint64_t *digest, const char *string)
{
	add(digest, string ? string : "", string ? strlen(string) + 1 : 1);
}

uint64_t seal_digest(const struct guard *guard)
{
	uint64_t digest = FNV_BASIS;

	add_string(&digest, PACKAGE_VERSION);
	add_string(&digest, guard->table);
	for (size_t i = 0; i < guard->chains; i++) {
		const struct guard_chain *chain = &guard->chain[i];

		add_string(&digest, chain->name);
		add_string(&digest, chain->type);
		add(&digest, &chain->hook, sizeof(chain->hook));
		add(&digest, &chain->priority, sizeof(chain->priority));
		for (size_t j = 0; j < chain->rules; j++) {
			const struct guard_rule *rule = &chain->rule[j];

			add(&digest, rule->match, rule->matches * sizeof(*rule->match));
			add(&digest, &rule->counter, sizeof(rule->counter));
			add(&digest, &rule->verdict, sizeof(rule->verdict));
			add(&digest, &rule->reject_family, sizeof(rule->reject_family));
			add_string(&digest, rule->chain);
			add_string(&digest, rule->comment);
		}
	}
	return digest;
}

void seal_load(const struct state *state, struct seal *seal)
{
	int fd = openat(state->directory, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || read(fd, seal, sizeof(*seal)) != sizeof(*seal))
		*seal = (struct seal){ 0 };
	if (fd >= 0)
		close(fd);
}

void seal_keep(const struct state *state, const struct seal *seal)
{
	int fd = openat(state->directory, FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	/* Half of one is none. */
	if (write(fd, seal, sizeof(*seal)) != sizeof(*seal))
		unlinkat(state->directory, FILE_NAME, 0);
	close(fd);
}

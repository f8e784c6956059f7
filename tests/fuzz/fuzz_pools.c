/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the state directory keeps of files for users, of any bytes behind its heading. */
#include "config/pools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

struct written {
	struct text text;
	char *directory;
};

static void write_again(const struct pools_entry *entry, void *data)
{
	struct written *written = data;

	require(entry->name[0] != '\0' && !strchr(entry->name, '\n'), "a name is a name");
	for (size_t i = 0; i < entry->pools; i++) {
		struct prefix masked = prefix_mask(&entry->pool[i]);

		require(prefix_equal(&masked, &entry->pool[i]), "a pool is a network");
	}
	pools_add_cached(&written->text, written->directory, entry);
	free(written->directory);
	written->directory = duplicate(entry->directory);
}

static bool parse(const struct text *cache, struct written *written)
{
	char *copy = malloc(cache->length + 1);
	bool good;

	if (!copy)
		abort();
	memcpy(copy, cache->data, cache->length);
	copy[cache->length] = '\0';
	good = pools_parse_cache(copy, cache->length, write_again, written);
	free(written->directory);
	free(copy);
	return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pools_entry entry = { "d", "n", 0, NULL, 0 };
	struct text cache = { 0 };
	struct written once = { 0 }, twice = { 0 };

	pools_add_cached(&cache, NULL, &entry);
	cache.length = (size_t)((char *)memchr(cache.data, '\n', cache.length) + 1 - cache.data);
	text_add_bytes(&cache, data, size);
	if (parse(&cache, &once) && once.text.length) {
		require(parse(&once.text, &twice), "what was read can be written");
		require(text_equal(&once.text, &twice.text), "and is read again alike");
	}
	text_free(&cache);
	text_free(&once.text);
	text_free(&twice.text);
	return 0;
}

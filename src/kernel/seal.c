/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FNV_BASIS 0xcbf29ce484222325U
#define FNV_PRIME 0x100000001b3U

/* Eight bytes at a time, the last with zeros behind them, and the length. */
static void add(uint64_t *digest, const void *data, size_t length)
{
	const uint8_t *bytes = data;

	*digest = (*digest ^ length) * FNV_PRIME;
	for (size_t done = 0; done < length; done += sizeof(uint64_t)) {
		uint64_t word = 0;

		memcpy(&word, bytes + done, length - done < sizeof(word) ? length - done : sizeof(word));
		*digest = (*digest ^ word) * FNV_PRIME;
		*digest ^= *digest >> 32;	/* high bytes reach low ones, as they do byte by byte */
	}
}

static void add_string(uint64_t *digest, const char *string)
{
	add(digest, string ? string : "", string ? strlen(string) + 1 : 0);
}

uint64_t seal_digest(const struct config *config, const struct exits *exits, const struct host *host)
{
	uint64_t digest = FNV_BASIS;

	add_string(&digest, PACKAGE_VERSION " " SOURCES_CHECKSUM);
	for (int key = 0; key < CONFIG_KEYS; key++)
		add_string(&digest, config->setting[key].value);
	for (unsigned int i = 0; i < exits->count; i++) {
		const struct interface *interface = &exits->exit[i].interface;

		add(&digest, &interface->index, sizeof(interface->index));
		add_string(&digest, interface->name);
	}
	add(&digest, &host->ipsec, sizeof(host->ipsec));
	for (unsigned int i = 0; i < host->left_outs; i++)
		add_string(&digest, host->left_out[i]);
	return digest;
}

void seal_make(char seal[SEAL_TEXT], const struct present_guard *present, uint64_t wanted, const struct host *host)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t any = 0;
	char *end = seal;

	for (size_t i = 0; i < sizeof(present->instance); i++) {
		any |= present->instance[i];
		*end++ = digits[present->instance[i] >> 4];
		*end++ = digits[present->instance[i] & 15];
	}
	end += snprintf(end, (size_t)(seal + SEAL_TEXT - end), ".%08" PRIx32 ".%016" PRIx64, present->generation, wanted);
	for (unsigned int i = 0; i < host->left_outs; i++)
		end += snprintf(end, (size_t)(seal + SEAL_TEXT - end), "/%s", host->left_out[i]);
	if (!any || !present->generation)
		seal[0] = '\0';
}

/* What is left out is part of what is wanted. */
bool seal_fits(const char *seal, const struct present_guard *present, uint64_t wanted)
{
	static const struct host nothing_left_out;
	char made[SEAL_TEXT];
	size_t length;

	seal_make(made, present, wanted, &nothing_left_out);
	length = strlen(made);
	return length > 0 && strncmp(seal, made, length) == 0 && (seal[length] == '\0' || seal[length] == '/');
}

void seal_read_left_out(const char *seal, struct host *host)
{
	host->left_outs = 0;
	for (seal = strchr(seal, '/'); seal && host->left_outs < GUARD_LEFT_OUT; seal = strchr(seal, '/')) {
		size_t length = strcspn(++seal, "/");

		if (length < IFNAMSIZ)
			snprintf(host->left_out[host->left_outs++], IFNAMSIZ, "%.*s", (int)length, seal);
	}
}

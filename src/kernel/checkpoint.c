/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/checkpoint.h"
#include "base/digest.h"
#include "kernel/nftables_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GENERATION_DIGITS 8
#define CHECKPOINT_NUMBERS (2 * GUARD_INSTANCE + 1 + GENERATION_DIGITS + 1 + 16)

uint64_t checkpoint_digest(const struct guard *wanted)
{
	static const uint32_t encoding = NFTABLES_ENCODING;
	uint64_t digest = guard_digest(wanted);

	digest_add_string(&digest, PACKAGE_VERSION);
	digest_add(&digest, &encoding, sizeof(encoding));
	return digest;
}

void checkpoint_make(char checkpoint[CHECKPOINT_TEXT], const struct present_guard *present, uint64_t wanted, const struct host *host)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t any = 0;
	char *end = checkpoint;

	for (size_t i = 0; i < sizeof(present->instance); i++) {
		any |= present->instance[i];
		*end++ = digits[present->instance[i] >> 4];
		*end++ = digits[present->instance[i] & 15];
	}
	end += snprintf(end, (size_t)(checkpoint + CHECKPOINT_TEXT - end), ".%08" PRIx32 ".%016" PRIx64 "%s", present->generation, wanted,
			host->fast ? "+" : "");
	for (unsigned int i = 0; i < host->left_outs; i++)
		end += snprintf(end, (size_t)(checkpoint + CHECKPOINT_TEXT - end), "/%s", host->left_out[i]);
	if (!any || !present->generation)
		checkpoint[0] = '\0';
}

bool checkpoint_is_of(const char *checkpoint, const struct present_guard *present)
{
	static const struct host nothing_left_out;
	char made[CHECKPOINT_TEXT];

	checkpoint_make(made, present, 0, &nothing_left_out);
	return made[0] && strncmp(checkpoint, made, 2 * GUARD_INSTANCE + 1 + GENERATION_DIGITS) == 0;
}

/* The kernel passes over 0. */
void checkpoint_advance(char checkpoint[CHECKPOINT_TEXT])
{
	char *number = strchr(checkpoint, '.'), digits[GENERATION_DIGITS + 1];
	uint32_t generation;

	if (!number)
		return;
	generation = (uint32_t)strtoul(++number, NULL, 16) + 1;
	snprintf(digits, sizeof(digits), "%08" PRIx32, generation ? generation : 1);
	memcpy(number, digits, GENERATION_DIGITS);
}

/* What is left out is part of what is wanted. */
bool checkpoint_fits(const char *checkpoint, const struct present_guard *present, uint64_t wanted)
{
	static const struct host nothing_left_out;
	char made[CHECKPOINT_TEXT];
	size_t length;

	checkpoint_make(made, present, wanted, &nothing_left_out);
	length = strlen(made);
	return length > 0 && strncmp(checkpoint, made, length) == 0 &&
	       (checkpoint[length] == '\0' || checkpoint[length] == '/' || checkpoint[length] == '+');
}

bool checkpoint_is_fast(const char *checkpoint)
{
	return strlen(checkpoint) > CHECKPOINT_NUMBERS && checkpoint[CHECKPOINT_NUMBERS] == '+';
}

void checkpoint_read_left_out(const char *checkpoint, struct host *host)
{
	host->left_outs = 0;
	for (checkpoint = strchr(checkpoint, '/'); checkpoint && host->left_outs < GUARD_LEFT_OUT; checkpoint = strchr(checkpoint, '/')) {
		size_t length = strcspn(++checkpoint, "/");

		if (length < IFNAMSIZ)
			snprintf(host->left_out[host->left_outs++], IFNAMSIZ, "%.*s", (int)length, checkpoint);
	}
}

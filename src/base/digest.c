/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/digest.h"

#include <string.h>

#define FNV_PRIME 0x100000001b3U

static uint64_t add_word(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) * FNV_PRIME;
	return digest ^ digest >> 32;	/* high bytes reach low ones, as they do byte by byte */
}

/* The last word has zeros behind the bytes. */
void digest_add(uint64_t *digest, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t sum = add_word(*digest, length), word;

	for (; length >= sizeof(word); length -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum = add_word(sum, word);
	}
	if (length) {
		word = 0;
		memcpy(&word, bytes, length);
		sum = add_word(sum, word);
	}
	*digest = sum;
}

void digest_add_string(uint64_t *digest, const char *string)
{
	digest_add(digest, string ? string : "", string ? strlen(string) + 1 : 0);
}

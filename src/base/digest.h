/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

/* A digest of values that nobody chooses in order to collide (after FNV-1a, eight bytes at a time). */

#define DIGEST_NOTHING 0xcbf29ce484222325U	/* where each begins */

/* digest_add - bytes and their number; digest_add_string - a string, of which NULL is none */
void digest_add(uint64_t *digest, const void *data, size_t length);
void digest_add_string(uint64_t *digest, const char *string);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/memory.h"
#include "base/log.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define FEW 8	/* elements of most arrays: a power of two */

void out_of_memory(void)
{
	log_last_words("out of memory; run it again");
	_exit(EX_OSERR);
}

void *reallocate(void *old, size_t count, size_t size)
{
	void *new = NULL;

	if (size == 0 || count <= SIZE_MAX / size)
		new = realloc(old, count * size + 1);
	if (!new)
		out_of_memory();
	return new;
}

void *make_room_for_one(void *array, size_t count, size_t size)
{
	if (count == 0)
		return reallocate(array, FEW, size);
	return count >= FEW && (count & (count - 1)) == 0 ? reallocate(array, count * 2, size) : array;
}

void *allocate(size_t count, size_t size)
{
	void *new = reallocate(NULL, count, size);

	memset(new, 0, count * size);
	return new;
}

char *duplicate(const char *string)
{
	size_t size = strlen(string) + 1;

	return memcpy(allocate(size, 1), string, size);
}

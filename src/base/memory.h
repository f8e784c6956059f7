/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/*
 * Memory does not fail: where it ends, the program ends with EX_OSERR, which is safe at every point (see plan.h).
 */

/* out_of_memory - end the program */
void out_of_memory(void) __attribute__((noreturn));

void *allocate(size_t count, size_t size);
void *reallocate(void *old, size_t count, size_t size);

/* make_room_for_one - for one element more than the @count in an array that was made by this alone, from NULL */
void *make_room_for_one(void *array, size_t count, size_t size);

char *duplicate(const char *string);

#endif

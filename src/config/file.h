/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FILE_H
#define FILE_H

#include "base/text.h"

/*
 * file_read_open - all of an open file that is ours to trust: see trust.h
 * @most: bytes
 * @file: it is added to this
 *
 * Returns false with the reason in @wrong, as the end of "PATH: ".
 */
bool file_read_open(int fd, size_t most, struct text *file, struct text *wrong);

/* file_read - the same of the file at @path */
bool file_read(const char *path, size_t most, struct text *file, struct text *wrong);

#endif

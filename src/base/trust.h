/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRUST_H
#define TRUST_H

#include "base/text.h"

#include <sys/stat.h>

/* Whether somebody else than root, or than who runs the program, has a hand in a file. */

/*
 * file_is_trusted - a regular file that nobody else owns or can write to
 *
 * Returns false with the reason and what to do in @wrong, as the end of "PATH: ".
 */
bool file_is_trusted(const struct stat *status, struct text *wrong);

/* directory_is_trusted - nobody else can take away or rename what lies in it: as in /tmp, by the sticky bit */
bool directory_is_trusted(const struct stat *status);

/*
 * path_is_trusted - @path, an absolute one, leads to a trusted file by no directory in which somebody else can put
 * another in its place, nor in any of its symbolic links' targets; none but trusted users can write to the last one
 * @status: of the file, set
 *
 * So it is the same file when it is opened or run later, or one that a trusted user has put there.
 * Returns false with the reason in @wrong.
 */
bool path_is_trusted(const char *path, struct stat *status, struct text *wrong);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KEPT_H
#define KEPT_H

#include "base/text.h"

#include <sys/stat.h>
#include <time.h>

/* Files in the state directory that hold what was found in others, as long as these do not change. */

/* kept_directory - the state directory, open; -1 where there is none to be trusted, or @path is NULL */
int kept_directory(const char *path);

/* kept_open - a file in it of at most @most bytes, with its @status; -1 where there is none to be trusted */
int kept_open(int directory, const char *name, size_t most, struct stat *status);

/* kept_write - all of it at once; where that can't be done nothing is there, as before */
void kept_write(int directory, const char *name, const struct text *text);

/*
 * kept_is_settled - whether a later change of a file gets another time than its @status has
 *
 * File systems count it in steps, of up to two seconds: what was changed just now may be changed again within the same.
 */
bool kept_is_settled(const struct stat *status, time_t now);

#endif

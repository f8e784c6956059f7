/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WATCH_H
#define WATCH_H

#include "base/text.h"

/* A screen that is made anew until SIGINT or SIGTERM. Between these calls both wait. */

/* watch_begin - from now on the two signals end the program no more */
void watch_begin(void);

/*
 * watch_cut - leave as many lines of @text as a window has room for, the first ones, and say how many more there are
 * @rows: of the window; 0: any
 */
void watch_cut(struct text *text, size_t rows);

/* watch_print - @text on standard output: false where one of them has come, or nobody reads */
bool watch_print(const struct text *text);

/* watch_wait - false where one of them has come, true after @seconds or where the window has another size */
bool watch_wait(unsigned int seconds);

#endif

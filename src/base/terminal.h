/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

/* terminal_is_there - whether standard output is a terminal, so that somebody looks at it */
bool terminal_is_there(void);

/* terminal_wants_colour - the same, and NO_COLOR is not in the environment */
bool terminal_wants_colour(void);

/* terminal_wants_colour_on - the same of another descriptor */
bool terminal_wants_colour_on(int fd);

/* What is written is to fit in there; 0 is any number. */
struct window {
	unsigned int columns;
	unsigned int rows;
};

/*
 * terminal_window - the size of the terminal that standard output is, 80 x 24 where it does not tell; elsewhere COLUMNS
 * of the environment, and any number of rows
 */
struct window terminal_window(void);

/* As ECMA-48 has them (SGR, CUP, ED). */
#define TERMINAL_PLAIN "\033[0m"
#define TERMINAL_BOLD "\033[1m"
#define TERMINAL_RED "\033[31m"
#define TERMINAL_GREEN "\033[32m"
#define TERMINAL_YELLOW "\033[33m"
#define TERMINAL_CLEAR "\033[H\033[J"	/* to the upper left corner, and nothing behind it */

#endif

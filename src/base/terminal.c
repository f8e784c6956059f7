/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/terminal.h"

#include "base/text.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_LEAST 20
#define COLUMNS_MOST 1000

bool terminal_is_there(void)
{
	return isatty(STDOUT_FILENO);
}

bool terminal_wants_colour_on(int fd)
{
	return isatty(fd) && !getenv("NO_COLOR");
}

bool terminal_wants_colour(void)
{
	return terminal_wants_colour_on(STDOUT_FILENO);
}

static struct window window_of_environment(void)
{
	const char *columns = getenv("COLUMNS");
	unsigned long long number = 0;

	if (!columns || !number_parse(columns, COLUMNS_LEAST, COLUMNS_MOST, &number))
		number = 0;
	return (struct window){ .columns = (unsigned int)number };
}

struct window terminal_window(void)
{
	struct winsize size;

	if (!terminal_is_there())
		return window_of_environment();
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		return (struct window){ 80, 24 };
	return (struct window){ size.ws_col, size.ws_row };
}

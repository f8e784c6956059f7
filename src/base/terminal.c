/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/terminal.h"

#include <stdlib.h>
#include <unistd.h>

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

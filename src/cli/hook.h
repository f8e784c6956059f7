/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HOOK_H
#define HOOK_H

#include "cli/options.h"

/*
 * hook_run - what ocserv asks for in the environment (REASON)
 *
 * Returns the exit status. 0 after `connect` means that routing and kill switch are complete; with
 * anything else ocserv refuses the session.
 */
int hook_run(const struct options *options);

#endif

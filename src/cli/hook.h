/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HOOK_H
#define HOOK_H

#include "cli/options.h"

/*
 * hook_run - what ocserv asks for in the environment (REASON)
 *
 * No error after `connect` means that routing and kill switch are complete; with one ocserv refuses the session.
 */
struct result hook_run(const struct options *options);

#endif

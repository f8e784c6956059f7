/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AWAIT_H
#define AWAIT_H

#include "model/choice.h"

/*
 * await_gateway - wait until each gateway is on a network of this host
 * @chosen: as gateway_find() has it
 * @seconds: at most
 *
 * Returns at once where they are, or as soon as the kernel's news of interfaces, addresses and routes make it so. It
 * logs once what it waits for. Whether they are is for the run that comes after it to find, so nothing is returned: an
 * error here is one there. Has no deadline of its own. Needs no privileges.
 */
void await_gateway(const struct config *config, const struct choices *chosen, unsigned int seconds);

#endif

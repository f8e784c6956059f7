/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ADVICE_H
#define ADVICE_H

#include "converge.h"

/*
 * advise - warn of what the kill switch survives but clients would suffer from
 *
 * Forwarding that is off, and policy rules of others that take clients elsewhere before ours do.
 */
void advise(const struct config *config, const struct situation *situation, struct report *report);

#endif

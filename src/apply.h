/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef APPLY_H
#define APPLY_H

#include "observe.h"
#include "plan.h"

/*
 * apply_plan - do the steps, in order, until one fails
 *
 * Returns 0, or -1 with the object and the kernel's sentence in @report (EX_OSERR, EX_NOPERM,
 * EX_TEMPFAIL). What was done until then stays; it is safe.
 */
int apply_plan(const struct plan *plan, struct sockets *sockets, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef APPLY_H
#define APPLY_H

#include "kernel/observe.h"
#include "model/plan.h"

#define APPLY_OUTDATED 1

/*
 * apply_plan - do the steps, in order, until one fails
 * @generation: of nf_tables, when the state was read that the plan is for; 0: the kill switch is changed whichever it is
 *
 * Returns 0; APPLY_OUTDATED where somebody has changed nf_tables since, so that a new plan is needed; or -1 with the
 * object and the kernel's sentence in @report (EX_OSERR, EX_NOPERM, EX_TEMPFAIL). What was done until then stays; it is
 * safe.
 */
int apply_plan(const struct plan *plan, uint32_t generation, struct sockets *sockets, struct report *report);

/*
 * apply_rehearse - whether the kernel would take the kill switch: one transaction that is never committed
 * @present: whether there is a table of that name, which it would take the place of
 *
 * Returns 0, or -1 with what the kernel lacks in @report, as apply_plan(). Its modules are loaded, nothing else changes.
 */
int apply_rehearse(const struct guard *guard, bool present, struct netlink *nft, struct report *report);

#endif

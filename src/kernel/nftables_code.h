/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_CODE_H
#define NFTABLES_CODE_H

#include "base/text.h"
#include "model/guard.h"
#include "model/present.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A rule's code, which is compared: whether the kernel has the rule that is wanted. It is made of each expression's name and
 * netlink attributes. One that is unset is the same as one that is zero, since the kernel tells some that nobody set;
 * counter values are left out.
 */

/* nftables_compile - set the code of every rule, as the kernel would tell it */
void nftables_compile(struct guard *guard);

/* What a rule says of itself beside its code. */
struct readings {
	bool counted;
	uint64_t packets, bytes;	/* of all its counters */
	enum rule_end end;
};

/*
 * code_read - the code of a rule's expressions, ours or the kernel's, and what they say beside it
 * @expressions: NFTA_RULE_EXPRESSIONS
 * @code: which it is added to
 */
void code_read(const struct nlattr *expressions, struct text *code, struct readings *readings);

#endif

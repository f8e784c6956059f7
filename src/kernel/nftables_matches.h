/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NFTABLES_MATCHES_H
#define NFTABLES_MATCHES_H

#include "model/guard.h"

#include <libnftnl/rule.h>

/* matches_add - the expressions of all matches of a rule, each family's matches behind one of the family itself */
void matches_add(struct nftnl_rule *rule, const struct guard_rule *value);

#endif

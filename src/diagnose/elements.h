/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ELEMENTS_H
#define ELEMENTS_H

#include "diagnose/registers.h"

#include <libnftnl/set.h>

/* What a set or map says of a value that may not be wholly known. */

#define ELEMENTS_FOUND 16

struct found_element {
	struct nftnl_set_elem *element;
	struct answer answer;
};

struct found {
	struct answer any;			/* whether any element matches */
	struct found_element element[ELEMENTS_FOUND];	/* those that may, of different data; one alone where it is certain */
	size_t elements;
	bool more;				/* there are further ones */
};

/* To find a chain or a set by its name among so many costs as much as to look at a rule. */
#define FOUND_AT_ONCE 16U

/* budget_spend - so much less may be looked at from here on */
void budget_spend(unsigned int *budget, size_t looked_at);

/*
 * elements_find - look the register with this number up in @set, with its elements
 * @budget: how many elements may be looked at; less those that were
 *
 * Sets of single values, of ranges, and of either joined (concatenations).
 */
void elements_find(struct found *found, const struct nftnl_set *set, const struct registers *registers, uint32_t number,
		   unsigned int *budget);

#endif

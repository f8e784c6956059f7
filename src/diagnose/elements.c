/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/elements.h"
#include "base/text.h"

#include <linux/netfilter/nf_tables.h>
#include <string.h>

void budget_spend(unsigned int *budget, size_t looked_at)
{
	*budget -= looked_at < *budget ? (unsigned int)looked_at : *budget;
}

/* A look at one set. */
struct search {
	const struct registers *registers;
	uint32_t number;
	bool ranges, joined;
	uint8_t field[REGISTER_BYTES];	/* lengths of what is joined */
	size_t fields;
	struct found *found;
	bool certain;			/* it is in there */
	/* Of ranges, which begin with one element and end before another. */
	struct nftnl_set_elem *begin;
	struct nftnl_set_elem *other;	/* for what no other element holds */
};

static const uint8_t *bytes_of(struct nftnl_set_elem *element, uint16_t attribute, uint32_t *length)
{
	*length = 0;
	return nftnl_set_elem_is_set(element, attribute) ? nftnl_set_elem_get(element, attribute, length) : NULL;
}

static uint32_t flags_of(struct nftnl_set_elem *element)
{
	return nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_FLAGS) ? nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_FLAGS) : 0;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Whether both lead to the same. */
static bool same_data(struct nftnl_set_elem *a, struct nftnl_set_elem *b)
{
	uint32_t of_a, of_b;
	const uint8_t *data_a = bytes_of(a, NFTNL_SET_ELEM_DATA, &of_a), *data_b = bytes_of(b, NFTNL_SET_ELEM_DATA, &of_b);

	if (nftnl_set_elem_is_set(a, NFTNL_SET_ELEM_VERDICT))
		return nftnl_set_elem_is_set(b, NFTNL_SET_ELEM_VERDICT) &&
		       nftnl_set_elem_get_u32(a, NFTNL_SET_ELEM_VERDICT) == nftnl_set_elem_get_u32(b, NFTNL_SET_ELEM_VERDICT) &&
		       same_text(nftnl_set_elem_get_str(a, NFTNL_SET_ELEM_CHAIN),
				 nftnl_set_elem_get_str(b, NFTNL_SET_ELEM_CHAIN));
	return of_a == of_b && (of_a == 0 || (data_a && data_b && memcmp(data_a, data_b, of_a) == 0));
}

static void add(struct search *search, struct nftnl_set_elem *element, struct answer answer)
{
	struct found *found = search->found;

	for (size_t i = 0; i < found->elements; i++) {
		struct found_element *known = &found->element[i];

		if (!same_data(known->element, element))
			continue;
		known->answer.usual = known->answer.usual || answer.usual;
		known->answer.open |= answer.open;
		return;
	}
	if (found->elements == ELEMENTS_FOUND)
		found->more = true;
	else
		found->element[found->elements++] = (struct found_element){ element, answer };
}

static void take(struct search *search, struct nftnl_set_elem *element, struct answer answer)
{
	struct found *found = search->found;

	if (answer.truth == NO || search->certain)
		return;
	if (answer.truth == YES) {
		search->certain = true;
		found->elements = 0;
		found->any = answer;
	} else {
		found->any = answer_maybe(found->any.usual || answer.usual, found->any.open | answer.open);
	}
	add(search, element, answer);
}

/* Each part of what is joined is to be in its range. */
static struct answer match_joined(const struct search *search, const uint8_t *low, const uint8_t *high, size_t length)
{
	struct answer answer = ANSWER(true);
	size_t at = 0;

	for (size_t i = 0; i < search->fields && at + search->field[i] <= length; i++) {
		answer = answer_and(answer, registers_within(search->registers, search->number, at, low + at, high + at,
							     search->field[i]));
		at += ((size_t)search->field[i] + 3) / 4 * 4;
	}
	return answer;
}

static struct answer match_single(const struct search *search, struct nftnl_set_elem *element)
{
	uint32_t length, end;
	const uint8_t *low = bytes_of(element, NFTNL_SET_ELEM_KEY, &length);
	const uint8_t *high = bytes_of(element, NFTNL_SET_ELEM_KEY_END, &end);

	if (!low || length == 0 || length > REGISTER_BYTES)
		return answer_maybe(false, OPEN_SET);
	if (!high || end != length)
		high = low;
	if (search->joined && search->fields > 0)
		return match_joined(search, low, high, length);
	return registers_within(search->registers, search->number, 0, low, high, length);
}

static const uint8_t *key_of(struct nftnl_set_elem *element, uint32_t *length)
{
	const uint8_t *key = bytes_of(element, NFTNL_SET_ELEM_KEY, length);

	return *length <= REGISTER_BYTES ? key : NULL;
}

/* The last one that begins at or before the usual value decides; of two at the same place the one that begins. */
static void take_bound(struct search *search, struct nftnl_set_elem *element)
{
	uint32_t length, best_length = 0;
	const uint8_t *key = key_of(element, &length), *best = NULL;
	struct value value;

	if (!key)
		return;
	value = registers_value(search->registers, search->number, length);
	if (memcmp(key, value.byte, length) > 0)
		return;
	if (search->begin)
		best = key_of(search->begin, &best_length);
	if (best && best_length == length) {
		int order = memcmp(key, best, length);

		if (order < 0 || (order == 0 && flags_of(element) & NFT_SET_ELEM_INTERVAL_END))
			return;
	}
	search->begin = element;
}

/* Where the value is not wholly known, any of the ranges may hold it. */
static void take_range(struct search *search, struct nftnl_set_elem *element)
{
	uint32_t length;
	const uint8_t *key = key_of(element, &length);
	struct value value = registers_value(search->registers, search->number, key ? length : 0);

	if (flags_of(element) & NFT_SET_ELEM_INTERVAL_END)
		return;
	if (!key || value.open)
		take(search, element, answer_maybe(element == search->begin, key ? value.open : OPEN_SET));
	else if (element == search->begin)
		take(search, element, ANSWER(true));
}

typedef void (*visitor)(struct search *search, struct nftnl_set_elem *element);

static void take_single(struct search *search, struct nftnl_set_elem *element)
{
	take(search, element, match_single(search, element));
}

static bool visit(struct search *search, const struct nftnl_set *set, visitor take_one, unsigned int *budget)
{
	struct nftnl_set_elems_iter *iterator = nftnl_set_elems_iter_create(set);
	struct nftnl_set_elem *element;

	if (!iterator)
		out_of_memory();
	while (*budget > 0 && (element = nftnl_set_elems_iter_next(iterator))) {
		--*budget;
		if (flags_of(element) & NFT_SET_ELEM_CATCHALL)
			search->other = element;
		else
			take_one(search, element);
	}
	nftnl_set_elems_iter_destroy(iterator);
	return *budget > 0;
}

static void describe(struct search *search, const struct nftnl_set *set)
{
	uint32_t flags = nftnl_set_get_u32(set, NFTNL_SET_FLAGS), fields = 0;
	const uint8_t *field = nftnl_set_is_set(set, NFTNL_SET_DESC_CONCAT) ?
			       nftnl_set_get_data(set, NFTNL_SET_DESC_CONCAT, &fields) : NULL;

	for (search->fields = 0; field && search->fields < fields && search->fields < NFT_REG32_COUNT; search->fields++)
		if (!(search->field[search->fields] = field[search->fields]))
			break;
	search->joined = search->fields > 1;
	search->ranges = flags & NFT_SET_INTERVAL && !search->joined;
}

void elements_find(struct found *found, const struct nftnl_set *set, const struct registers *registers, uint32_t number,
		   unsigned int *budget)
{
	struct search search = { .registers = registers, .number = number, .found = found };
	bool whole;

	memset(found, 0, sizeof(*found));
	describe(&search, set);
	whole = visit(&search, set, search.ranges ? take_bound : take_single, budget);
	if (search.ranges && whole)
		whole = visit(&search, set, take_range, budget);
	if (search.other && found->any.truth == MAYBE)
		add(&search, search.other, answer_maybe(!found->any.usual, found->any.open));
	else if (search.other && found->any.truth == NO)
		add(&search, search.other, ANSWER(true));
	if (search.other && found->any.truth != YES)
		found->any = ANSWER(true);
	if (!whole) {
		found->any = answer_maybe(found->any.usual, found->any.open | OPEN_SIZE);
		found->more = true;
	}
}

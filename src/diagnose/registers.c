/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/registers.h"
#include "base/text.h"

#include <linux/netfilter/nf_tables.h>
#include <netinet/icmp6.h>
#include <string.h>

static const struct { uint32_t open; const char *words; } open_words[] = {
	{ OPEN_PROTOCOL, "its protocol" },
	{ OPEN_PORTS, "its ports" },
	{ OPEN_HEADER | OPEN_NDP, "the rest of its header" },
	{ OPEN_LINK, "its link-layer header" },
	{ OPEN_ADDRESS, "its address behind NAT" },
	{ OPEN_MARK, "its mark" },
	{ OPEN_FLOW, "what the kernel knows of its flow" },
	{ OPEN_RATE, "what came before it" },
	{ OPEN_CHANCE, "chance" },
	{ OPEN_ROUTE, "what the kernel finds in its routes" },
	{ OPEN_SET, "what a set holds" },
	{ OPEN_PROGRAM, "what a program does with it" },
	{ OPEN_XTABLES, "what an extension of iptables finds" },
	{ OPEN_EXPRESSION, "an expression that ocserv-gateway does not know" },
	{ OPEN_SIZE, "rules beyond those that are looked at" },
	{ OPEN_INTERFACE, "what its interface is" },
};

void open_add_text(struct text *text, uint32_t open)
{
	const char *between = "";

	for (size_t i = 0; i < sizeof(open_words) / sizeof(*open_words); i++) {
		if (!(open & open_words[i].open))
			continue;
		open &= ~open_words[i].open;
		text_add(text, "%s%s", !between[0] ? "" : open ? ", " : " and ", open_words[i].words);
		between = ", ";
	}
}

struct answer answer_maybe(bool usual, uint32_t open)
{
	return (struct answer){ MAYBE, usual, open };
}

struct answer answer_not(struct answer answer)
{
	return (struct answer){ answer.truth == YES ? NO : answer.truth == NO ? YES : MAYBE, !answer.usual, answer.open };
}

struct answer answer_and(struct answer a, struct answer b)
{
	if (a.truth == NO || b.truth == NO)
		return ANSWER(false);
	return (struct answer){ a.truth < b.truth ? a.truth : b.truth, a.usual && b.usual, a.open | b.open };
}

struct value value_make(const void *data, size_t length, uint32_t open)
{
	struct value value = { .length = length < REGISTER_BYTES ? length : REGISTER_BYTES, .open = open };

	memcpy(value.byte, data, value.length);
	memset(value.known, open ? 0 : 0xff, value.length);
	return value;
}

struct value value_open(size_t length, uint32_t open)
{
	static const uint8_t zero[REGISTER_BYTES];

	return value_make(zero, length < REGISTER_BYTES ? length : REGISTER_BYTES, open);
}

/* NFT_REG_1 to 4 are 16 bytes each, the 32-bit ones share their room. */
static size_t register_offset(uint32_t number)
{
	size_t offset = REGISTER_BYTES;

	if (number >= NFT_REG32_00)
		offset = (size_t)(number - NFT_REG32_00) * sizeof(uint32_t);
	else if (number >= NFT_REG_1)
		offset = (size_t)(number - NFT_REG_1) * 16;
	return offset < REGISTER_BYTES ? offset : REGISTER_BYTES;
}

/* The last word that it fills is filled up with zero. */
void registers_load(struct registers *registers, uint32_t number, const struct value *value)
{
	size_t offset = register_offset(number), padded = (value->length + 3) / 4 * 4;

	for (size_t i = 0; i < padded && offset + i < REGISTER_BYTES; i++) {
		registers->byte[offset + i] = i < value->length ? value->byte[i] : 0;
		registers->known[offset + i] = i < value->length ? value->known[i] : 0xff;
		registers->open[offset + i] = value->open;
	}
}

struct value registers_value(const struct registers *registers, uint32_t number, size_t length)
{
	size_t offset = register_offset(number);
	struct value value = value_open(length, 0);

	memset(value.known, 0, sizeof(value.known));
	if (offset + value.length > REGISTER_BYTES)
		value.open = OPEN_EXPRESSION;
	for (size_t i = 0; i < value.length && offset + i < REGISTER_BYTES; i++) {
		value.byte[i] = registers->byte[offset + i];
		value.known[i] = registers->known[offset + i];
		if (value.known[i] != 0xff)
			value.open |= registers->open[offset + i] ? registers->open[offset + i] : OPEN_EXPRESSION;
	}
	return value;
}

/* The least, the usual and the greatest that it may be, and what @value can't be equal to. */
struct span {
	uint8_t least[REGISTER_BYTES], greatest[REGISTER_BYTES];
	bool certain;
};

static struct span span_of(const struct value *value)
{
	struct span span = { .certain = true };

	for (size_t i = 0; i < value->length; i++) {
		span.least[i] = value->byte[i] & value->known[i];
		span.greatest[i] = (uint8_t)(value->byte[i] | (uint8_t)~value->known[i]);
		span.certain = span.certain && value->known[i] == 0xff;
	}
	return span;
}

static bool can_equal(const struct value *value, const uint8_t *data)
{
	if (value->open & OPEN_NDP && value->length == 1 && data[0] >= ND_ROUTER_SOLICIT && data[0] <= ND_REDIRECT)
		return false;
	for (size_t i = 0; i < value->length; i++)
		if ((value->byte[i] ^ data[i]) & value->known[i])
			return false;
	return true;
}

static struct answer value_within(const struct value *value, const uint8_t *low, const uint8_t *high)
{
	struct span span = span_of(value);
	size_t length = value->length;
	bool usual = memcmp(value->byte, low, length) >= 0 && memcmp(value->byte, high, length) <= 0;

	if (span.certain)
		return ANSWER(usual);
	if (memcmp(span.greatest, low, length) < 0 || memcmp(span.least, high, length) > 0)
		return ANSWER(false);
	if (memcmp(low, high, length) == 0 && !can_equal(value, low))
		return ANSWER(false);
	if (memcmp(span.least, low, length) >= 0 && memcmp(span.greatest, high, length) <= 0)
		return ANSWER(true);
	return answer_maybe(usual, value->open);
}

struct answer registers_within(const struct registers *registers, uint32_t number, size_t skip, const uint8_t *low,
			       const uint8_t *high, size_t length)
{
	struct value whole = registers_value(registers, number, skip + length), value;

	if (skip + length > REGISTER_BYTES)
		return answer_maybe(false, OPEN_EXPRESSION);
	value = value_open(length, 0);
	memcpy(value.byte, whole.byte + skip, length);
	memcpy(value.known, whole.known + skip, length);
	value.open = whole.open ? whole.open : OPEN_EXPRESSION;
	return value_within(&value, low, high);
}

struct answer registers_compare(const struct registers *registers, uint32_t number, uint32_t operation,
				const uint8_t *data, size_t length)
{
	static const uint8_t least[REGISTER_BYTES];
	uint8_t greatest[REGISTER_BYTES];
	struct answer same;

	if (length > REGISTER_BYTES)
		return answer_maybe(false, OPEN_EXPRESSION);
	memset(greatest, 0xff, sizeof(greatest));
	same = registers_within(registers, number, 0, data, data, length);
	switch (operation) {
	case NFT_CMP_EQ:
		return same;
	case NFT_CMP_NEQ:
		return answer_not(same);
	case NFT_CMP_LTE:
		return registers_within(registers, number, 0, least, data, length);
	case NFT_CMP_GT:
		return answer_not(registers_within(registers, number, 0, least, data, length));
	case NFT_CMP_GTE:
		return registers_within(registers, number, 0, data, greatest, length);
	case NFT_CMP_LT:
		return answer_not(registers_within(registers, number, 0, data, greatest, length));
	}
	return answer_maybe(false, OPEN_EXPRESSION);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Values of which some bits are known and others are not, as registers of nf_tables hold them. What is not known has the
 * bits that a usual packet has there, so that it can be told what happens to that one.
 */

#define REGISTER_BYTES 64

enum truth { NO, MAYBE, YES };

/* What is not known of a packet: see open_text(). */
enum open {
	OPEN_PROTOCOL = 1 << 0,
	OPEN_PORTS = 1 << 1,
	OPEN_HEADER = 1 << 2,		/* TTL, DSCP, flags, options, length */
	OPEN_NDP = 1 << 3,		/* the type of ICMPv6, which is none of neighbour discovery: that is never forwarded */
	OPEN_LINK = 1 << 4,
	OPEN_ADDRESS = 1 << 5,
	OPEN_MARK = 1 << 6,
	OPEN_FLOW = 1 << 7,
	OPEN_RATE = 1 << 8,
	OPEN_CHANCE = 1 << 9,
	OPEN_ROUTE = 1 << 10,
	OPEN_SET = 1 << 11,
	OPEN_PROGRAM = 1 << 12,
	OPEN_XTABLES = 1 << 13,
	OPEN_EXPRESSION = 1 << 14,
	OPEN_SIZE = 1 << 15,		/* more rules than are looked at */
	OPEN_INTERFACE = 1 << 16,
};

/* What differs from one packet of a client to the next. */
#define OPEN_KIND ((uint32_t)(OPEN_PROTOCOL | OPEN_PORTS | OPEN_HEADER | OPEN_NDP))

/* open_add_text - "its protocol and its ports" */
struct text;
void open_add_text(struct text *text, uint32_t open);

/* Whether something is so. */
struct answer {
	enum truth truth;
	bool usual;		/* it is with a usual packet; the same as @truth where that is certain */
	uint32_t open;		/* what it depends on, where it is not certain */
};

#define ANSWER(fact) ((struct answer){ (fact) ? YES : NO, (fact), 0 })

struct answer answer_maybe(bool usual, uint32_t open);
struct answer answer_not(struct answer answer);
struct answer answer_and(struct answer a, struct answer b);

struct value {
	uint8_t byte[REGISTER_BYTES];
	uint8_t known[REGISTER_BYTES];	/* bits */
	uint32_t open;			/* why the others are not */
	size_t length;
};

/* value_make - known but for what @open says, 0 for all; value_open - of zero bits, none of them known */
struct value value_make(const void *data, size_t length, uint32_t open);
struct value value_open(size_t length, uint32_t open);

struct registers {
	uint8_t byte[REGISTER_BYTES];
	uint8_t known[REGISTER_BYTES];
	uint32_t open[REGISTER_BYTES];
};

/* Both take numbers as nf_tables has them (NFT_REG_1, NFT_REG32_00); those that are none hold nothing. */
void registers_load(struct registers *registers, uint32_t number, const struct value *value);
struct value registers_value(const struct registers *registers, uint32_t number, size_t length);

/* registers_within - whether @length bytes, behind @skip others, are from @low to @high, as numbers of network byte order */
struct answer registers_within(const struct registers *registers, uint32_t number, size_t skip, const uint8_t *low,
			       const uint8_t *high, size_t length);

/* registers_compare - as an expression cmp (NFT_CMP_EQ, ...) */
struct answer registers_compare(const struct registers *registers, uint32_t number, uint32_t operation,
				const uint8_t *data, size_t length);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of packets, by rules that not every kernel has; those that it has are tried in tests/ns/explain.sh. */
#include "diagnose/simulate.h"
#include "support.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

/* One chain, of the forward hook, whose policy is accept. */
struct chain {
	struct ruleset ruleset;
	struct simulation simulation;
};

static void chain_make(struct chain *of)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();

	memset(of, 0, sizeof(*of));
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, "others");
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, "forward");
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, NF_INET_FORWARD);
	nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, 0);
	nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	of->ruleset.chain = make_room_for_one(NULL, 0, sizeof(*of->ruleset.chain));
	of->ruleset.chain[0] = (struct ruleset_chain){ .chain = chain };
	of->ruleset.chains = 1;
}

static struct nftnl_rule *add_rule(struct chain *of)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	of->ruleset.rule = make_room_for_one(of->ruleset.rule, of->ruleset.rules, sizeof(struct nftnl_rule *));
	of->ruleset.rule[of->ruleset.rules++] = rule;
	of->ruleset.chain[0].rules = of->ruleset.rules;
	return rule;
}

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expression = nftnl_expr_alloc(name);

	assert_non_null(expression);
	nftnl_rule_add_expr(rule, expression);
	return expression;
}

static void add_verdict(struct nftnl_rule *rule, uint32_t verdict)
{
	struct nftnl_expr *expression = add(rule, "immediate");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_VERDICT, verdict);
}

static struct simulation *send_packet(struct chain *of)
{
	struct simulation *simulation = &of->simulation;

	simulation->ruleset = &of->ruleset;
	simulation->packet = (struct packet){ .family = IPV4, .incoming = "vpns0", .outgoing = "eth0" };
	address_parse(&simulation->packet.source, "10.20.0.50");
	address_parse(&simulation->packet.destination, "1.1.1.1");
	simulate(simulation);
	return simulation;
}

static void assert_arrival(struct chain *of, enum arrival arrival, bool certain)
{
	struct simulation *simulation = send_packet(of);

	assert_int_equal(simulation->arrival, arrival);
	assert_int_equal(simulation->certain, certain);
	simulation_free(simulation);
	ruleset_free(&of->ruleset);
}

/* [ queue num 60000 FLAGS ], which nobody reads */
static void add_queue(struct chain *of, uint16_t flags)
{
	struct nftnl_expr *expression = add(add_rule(of), "queue");

	nftnl_expr_set_u16(expression, NFTNL_EXPR_QUEUE_NUM, 60000);
	nftnl_expr_set_u16(expression, NFTNL_EXPR_QUEUE_TOTAL, 1);
	nftnl_expr_set_u16(expression, NFTNL_EXPR_QUEUE_FLAGS, flags);
}

static void a_queue_that_nobody_reads_drops(void **state)
{
	struct chain of;

	(void)state;
	chain_make(&of);
	add_queue(&of, 0);
	assert_arrival(&of, ARRIVES_NOT, true);
	chain_make(&of);
	add_queue(&of, NFT_QUEUE_FLAG_BYPASS);
	assert_arrival(&of, ARRIVES_OUT, true);
}

/* [ synproxy ]: this host answers in place of the destination, if it is TCP. */
static void a_proxy_of_connections_answers(void **state)
{
	struct chain of;
	struct simulation *simulation;

	(void)state;
	chain_make(&of);
	add(add_rule(&of), "synproxy");
	simulation = send_packet(&of);
	assert_int_equal(simulation->arrival, ARRIVES_NOT);
	assert_int_equal(simulation->effect[simulation->cause].deed, DEED_TAKE);
	assert_false(simulation->certain);
	assert_int_equal(simulation->open, OPEN_PROTOCOL);
	simulation_free(simulation);
	ruleset_free(&of.ruleset);
}

/* [ osf ] and what may come: of nothing behind it is more known than that it may be. */
static void what_is_not_known_may_be(void **state)
{
	struct chain of;

	(void)state;
	chain_make(&of);
	add(add_rule(&of), "osf");
	add_verdict(of.ruleset.rule[0], NF_DROP);
	assert_arrival(&of, ARRIVES_OUT, false);
	chain_make(&of);
	add(add_rule(&of), "osf");
	add_verdict(of.ruleset.rule[0], NF_DROP);
	add_verdict(add_rule(&of), NF_DROP);
	assert_arrival(&of, ARRIVES_NOT, true);
}

/* Registers that nothing was loaded to, and numbers that are none. */
static void what_was_not_loaded_is_not_known(void **state)
{
	static const uint32_t numbers[] = { 0, NFT_REG_1, NFT_REG_4, NFT_REG32_00, NFT_REG32_15, NFT_REG32_15 + 1, UINT32_MAX };
	static const uint8_t data[NFT_DATA_VALUE_MAXLEN];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		struct nftnl_expr *expression;
		struct chain of;

		chain_make(&of);
		expression = add(add_rule(&of), "cmp");
		nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, numbers[i]);
		nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, NFT_CMP_GT);
		nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, sizeof(data));
		add_verdict(of.ruleset.rule[0], NF_DROP);
		assert_arrival(&of, ARRIVES_OUT, false);
	}
}

/* A value of which some bits are known. */
static struct registers with_nibble(uint8_t high)
{
	struct value value = value_open(1, OPEN_HEADER);
	struct registers registers;

	memset(&registers, 0, sizeof(registers));
	value.byte[0] = (uint8_t)(high << 4);
	value.known[0] = 0xf0;
	registers_load(&registers, NFT_REG_1, &value);
	return registers;
}

static void assert_compared(uint32_t operation, uint8_t with, enum truth truth)
{
	struct registers registers = with_nibble(4);

	assert_int_equal(registers_compare(&registers, NFT_REG_1, operation, &with, 1).truth, truth);
}

static void some_bits_may_be_enough(void **state)
{
	(void)state;
	assert_compared(NFT_CMP_EQ, 0x45, MAYBE);
	assert_compared(NFT_CMP_EQ, 0x55, NO);
	assert_compared(NFT_CMP_NEQ, 0x55, YES);
	assert_compared(NFT_CMP_LT, 0x50, YES);
	assert_compared(NFT_CMP_LT, 0x40, NO);
	assert_compared(NFT_CMP_LTE, 0x4f, YES);
	assert_compared(NFT_CMP_LTE, 0x44, MAYBE);
	assert_compared(NFT_CMP_GT, 0x3f, YES);
	assert_compared(NFT_CMP_GT, 0x4f, NO);
	assert_compared(NFT_CMP_GTE, 0x40, YES);
	assert_compared(NFT_CMP_GTE, 0x41, MAYBE);
	assert_compared(UINT32_MAX, 0x41, MAYBE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_queue_that_nobody_reads_drops),
		cmocka_unit_test(a_proxy_of_connections_answers),
		cmocka_unit_test(what_is_not_known_may_be),
		cmocka_unit_test(what_was_not_loaded_is_not_known),
		cmocka_unit_test(some_bits_may_be_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

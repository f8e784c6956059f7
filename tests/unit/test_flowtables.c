/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flow tables, which the kernel of these tests may not have: what a kernel listed; tests/vm/flow-tables.sh tries them. */
#include "diagnose/flowtables.h"
#include "support.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * As Linux 6.12 lists it:
 *
 *	table inet fast {
 *		flowtable ft { hook ingress priority filter; devices = { eth0, vpns0 }; }
 *		chain forward {
 *			type filter hook forward priority filter; policy accept;
 *			ct state established iifname != "lo" flow add @ft
 *		}
 *	}
 */
static const char listed_table[] =
	"3c000000000a020007000000ab0000000100000209000100666173740000000008000300000000020c000400000000000000"
	"00010800020000000000";
static const char listed_chain[] =
	"70000000030a020007000000ab000000010000020900010066617374000000000c000300666f7277617264000c0002000000"
	"000000000001140004000800010000000002080002000000000008000500000000010b00070066696c746572000008000a00"
	"000000010800060000000001";
static const char listed_rule[] =
	"54010000060a020807000000ab000000010000020900010066617374000000000c000200666f7277617264000c0003000000"
	"0000000000031c01040020000100070001006374000014000200080001000000000108000200000000004c0001000c000100"
	"62697477697365003c00020008000100000000010800020000000001080003000000000408000600000000000c0004000800"
	"0100020000000c00050008000100000000002c00010008000100636d70002000020008000100000000010800020000000001"
	"0c000300080001000000000024000100090001006d6574610000000014000200080002000000000608000100000000013800"
	"010008000100636d70002c0002000800010000000001080002000000000118000300140001006c6f00000000000000000000"
	"000000002400010011000100666c6f775f6f66666c6f6164000000000c0002000700010066740000";
static const char listed_flowtable[] =
	"74000000160a020807000000ab0000000100000209000100666173740000000007000200667400000c000500000000000000"
	"00020800040000000001080007000000000030000300080001000000000008000200000000001c0003000a00010076706e73"
	"30000000090001006574683000000000";

static union {
	struct nlmsghdr header;
	char bytes[NETLINK_MESSAGE_SIZE];
} buffer;

static const struct nlmsghdr *listed(const char *hex)
{
	size_t length = strlen(hex) / 2;

	for (size_t i = 0; i < length; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		buffer.bytes[i] = (char)byte;
	}
	assert_int_equal(buffer.header.nlmsg_len, length);
	return &buffer.header;
}

static struct flowtable *take_listed(struct flowtables *flowtables)
{
	*flowtables = (struct flowtables){ 0 };
	assert_int_equal(flowtables_take(listed(listed_flowtable), flowtables), 0);
	assert_int_equal(flowtables->count, 1);
	return &flowtables->flowtable[0];
}

static void set_device(struct flowtable *flowtable, const char *name, bool wildcard)
{
	flowtable->devices = 1;
	flowtable->device[0] = (struct interface_pattern){ .wildcard = wildcard };
	snprintf(flowtable->device[0].name, IFNAMSIZ, "%s", name);
}

static void what_is_listed_is_taken(void **state)
{
	struct flowtables flowtables;
	const struct flowtable *taken = take_listed(&flowtables);

	(void)state;
	assert_int_equal(taken->family, NFPROTO_INET);
	assert_string_equal(taken->table, "fast");
	assert_string_equal(taken->name, "ft");
	assert_int_equal(taken->devices, 2);
	assert_string_equal(taken->device[0].name, "vpns0");
	assert_string_equal(taken->device[1].name, "eth0");
	assert_false(taken->device[0].wildcard);
	flowtables_free(&flowtables);
}

/* Of Linux 6.17: the beginning of a name, NFTA_DEVICE_PREFIX. */
static void a_beginning_of_names_is_taken(void **state)
{
	struct flowtables flowtables = { 0 };
	struct nlmsghdr *message = mnl_nlmsg_put_header(&buffer);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct nlattr *hook, *devices;

	(void)state;
	header->nfgen_family = NFPROTO_IPV4;
	mnl_attr_put_strz(message, NFTA_FLOWTABLE_TABLE, "t");
	assert_int_equal(flowtables_take(message, &flowtables), EBADMSG);
	mnl_attr_put_strz(message, NFTA_FLOWTABLE_NAME, "f");
	hook = mnl_attr_nest_start(message, NFTA_FLOWTABLE_HOOK);
	devices = mnl_attr_nest_start(message, NFTA_FLOWTABLE_HOOK_DEVS);
	mnl_attr_put_strz(message, NFTA_DEVICE_NAME + 1, "vpn");
	mnl_attr_put_strz(message, NFTA_DEVICE_NAME, "longer-than-a-name-may-be");
	mnl_attr_nest_end(message, devices);
	mnl_attr_nest_end(message, hook);
	assert_int_equal(flowtables_take(message, &flowtables), 0);
	assert_int_equal(flowtables.flowtable[0].devices, 1);
	assert_string_equal(flowtables.flowtable[0].device[0].name, "vpn");
	assert_true(flowtables.flowtable[0].device[0].wildcard);
	flowtables_free(&flowtables);
}

/* What is said of flow tables by rules, with 172.28.0.2 on eth0 and vpns* of clients. */
struct trial {
	struct flowtables flowtables;
	struct flowtable *flowtable;
	struct ruleset ruleset;
	struct example example;
	struct report report;
};

static void begin(struct trial *trial)
{
	memset(trial, 0, sizeof(*trial));
	trial->flowtable = take_listed(&trial->flowtables);
	assert_int_equal(ruleset_take(listed(listed_table), &trial->ruleset), 0);
	assert_int_equal(ruleset_take(listed(listed_chain), &trial->ruleset), 0);
	example_make(&trial->example, "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n");
}

static void judge(struct trial *trial)
{
	const struct situation situation = { .goal = GOAL_INSTALL, .exits = trial->example.exits };

	assert_true(ruleset_sort(&trial->ruleset));
	report_free(&trial->report);
	flowtables_judge(&trial->flowtables, &trial->example.config, &situation, &trial->ruleset, NULL, &trial->report);
}

static void end(struct trial *trial)
{
	report_free(&trial->report);
	ruleset_free(&trial->ruleset);
	flowtables_free(&trial->flowtables);
	example_free(&trial->example);
}

static void assert_said(struct trial *trial, size_t warnings, size_t notes, const char *what)
{
	judge(trial);
	if (trial->report.warnings.count != warnings || trial->report.notes.count != notes)
		fail_msg("%s: %zu warnings and %zu notes", what, trial->report.warnings.count, trial->report.notes.count);
}

static void a_rule_that_adds_clients_flows_is_named(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial);
	assert_said(&trial, 0, 0, "no rule");
	assert_int_equal(ruleset_take(listed(listed_rule), &trial.ruleset), 0);
	assert_said(&trial, 1, 0, "the rule");
	assert_string_equal(trial.report.warnings.line[0], "the flow table ft of nft table `inet fast` has the devices vpns0, eth0, and "
			    "the nft chain `inet fast forward` adds clients' flows to it, by its rule with handle 3: their packets "
			    "then bypass the kill switch, and routing alone keeps them to the gateway; put `iifname != \"vpns*\" "
			    "oifname != \"vpns*\"` in front of `flow add @ft` there; see nft -a list chain inet fast forward");
	free(trial.flowtable->name);
	trial.flowtable->name = duplicate("another");
	assert_said(&trial, 0, 0, "to another flow table");
	end(&trial);
}

static void devices_that_matter_are_told(void **state)
{
	static const struct {
		const char *name;
		bool wildcard, matters;
	} cases[] = {
		{ "vpns0", false, true }, { "vpns", true, true }, { "v", true, true }, { "vpns12", true, true }, { "", true, true },
		{ "eth0", false, true }, { "eth", true, true }, { "eth1", false, false }, { "eth01", true, false }, { "wg", true, false },
	};
	struct trial trial;

	(void)state;
	begin(&trial);
	assert_int_equal(ruleset_take(listed(listed_rule), &trial.ruleset), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		set_device(trial.flowtable, cases[i].name, cases[i].wildcard);
		assert_said(&trial, cases[i].matters, 0, cases[i].name);
	}
	end(&trial);
}

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expression = nftnl_expr_alloc(name);

	assert_non_null(expression);
	nftnl_rule_add_expr(rule, expression);
	return expression;
}

static struct nftnl_rule *add_rule(struct trial *trial)
{
	struct ruleset *ruleset = &trial->ruleset;
	struct nftnl_rule *rule = nftnl_rule_alloc();

	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, "fast");
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, "forward");
	nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, 7);
	ruleset->rule = make_room_for_one(ruleset->rule, ruleset->rules, sizeof(*ruleset->rule));
	ruleset->rule[ruleset->rules++] = rule;
	return rule;
}

static void add_compared(struct nftnl_rule *rule, bool negated, const void *data, size_t length)
{
	struct nftnl_expr *expression = add(rule, "cmp");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, negated ? NFT_CMP_NEQ : NFT_CMP_EQ);
	nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, (uint32_t)length);
}

static void add_meta(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *expression = add(rule, "meta");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

/* iifname != "vpns*" */
static void add_name(struct nftnl_rule *rule, uint32_t key, bool negated, const char *beginning)
{
	add_meta(rule, key);
	add_compared(rule, negated, beginning, strlen(beginning));
}

static void add_ct(struct nftnl_rule *rule, uint32_t key, const void *data, size_t length)
{
	struct nftnl_expr *expression = add(rule, "ct");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	add_compared(rule, false, data, length);
}

static void add_flow(struct nftnl_rule *rule)
{
	nftnl_expr_set_str(add(rule, "flow_offload"), NFTNL_EXPR_FLOW_TABLE_NAME, "ft");
}

static void add_accept(struct nftnl_rule *rule)
{
	struct nftnl_expr *expression = add(rule, "immediate");

	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT);
}

/* One of both is not enough: an answer adds the flow, too. */
static void both_ways_are_to_be_taken_out(void **state)
{
	for (int which = 0; which < 4; which++) {
		struct trial trial;
		struct nftnl_rule *rule;

		(void)state;
		begin(&trial);
		rule = add_rule(&trial);
		if (which & 1)
			add_name(rule, NFT_META_IIFNAME, true, "vpns");
		if (which & 2)
			add_name(rule, NFT_META_OIFNAME, true, "vpns");
		add_flow(rule);
		assert_said(&trial, which != 3, 0, "by interfaces");
		end(&trial);
	}
}

static void accepted_before_is_taken_out(void **state)
{
	struct trial trial;
	struct nftnl_rule *rule;

	(void)state;
	begin(&trial);
	rule = add_rule(&trial);
	add_name(rule, NFT_META_IIFNAME, false, "vpns");
	add_accept(rule);
	rule = add_rule(&trial);
	add_name(rule, NFT_META_OIFNAME, false, "vpns");
	add_accept(rule);
	add_flow(add_rule(&trial));
	assert_said(&trial, 0, 0, "accepted before");
	end(&trial);
}

/* Clients send all kinds of packets; which flow has a mark of others is not known here. */
static void some_flows_may_be_added(void **state)
{
	static const uint8_t udp = IPPROTO_UDP, original = 0, reply = 1;
	static const uint32_t mark = 1;
	struct trial trial;
	struct nftnl_rule *rule;

	(void)state;
	begin(&trial);
	rule = add_rule(&trial);
	add_meta(rule, NFT_META_L4PROTO);
	add_compared(rule, false, &udp, sizeof(udp));
	add_flow(rule);
	assert_said(&trial, 1, 0, "UDP alone");
	end(&trial);

	for (int way = 0; way < 2; way++) {
		begin(&trial);
		rule = add_rule(&trial);
		add_ct(rule, NFT_CT_DIRECTION, way ? &reply : &original, 1);
		add_flow(rule);
		assert_said(&trial, 1, 0, "one way");
		end(&trial);
	}

	begin(&trial);
	rule = add_rule(&trial);
	add_ct(rule, NFT_CT_MARK, &mark, sizeof(mark));
	add_flow(rule);
	assert_said(&trial, 0, 1, "a mark");
	assert_line(&trial.report.notes, "may add clients' flows to it, by its rule with handle 7, depending on ");
	end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_listed_is_taken),
		cmocka_unit_test(a_beginning_of_names_is_taken),
		in_directory(a_rule_that_adds_clients_flows_is_named),
		in_directory(devices_that_matter_are_told),
		in_directory(both_ways_are_to_be_taken_out),
		in_directory(accepted_before_is_taken_out),
		in_directory(some_flows_may_be_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

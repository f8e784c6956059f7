/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"
#include "base/digest.h"
#include "kernel/netlink.h"
#include "kernel/nftables_batch.h"
#include "kernel/nftables_code.h"
#include "kernel/nftables_decode.h"
#include "kernel/nftables_describe.h"
#include "kernel/nftables_requests.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>


/* Whether libnftnl prints numbers as the golden files have them: other versions and machines do not. */
static bool prints_as_the_golden_files(void)
{
	struct nftnl_expr *expression = nftnl_expr_alloc("cmp");
	char text[128];

	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, "vpns", 4);
	nftnl_expr_snprintf(text, sizeof(text), expression, NFTNL_OUTPUT_DEFAULT, 0);
	nftnl_expr_free(expression);
	return strcmp(text, "eq reg 1 0x736e7076 ") == 0;
}

/* Messages */

static const struct nlmsghdr *next_message(const struct nftables_batch *batch, const struct nlmsghdr *message)
{
	int left = (int)batch->size;

	if (!message)
		return (const struct nlmsghdr *)batch->buffer;
	left -= (int)((const char *)message - batch->buffer);
	message = mnl_nlmsg_next(message, &left);
	return mnl_nlmsg_ok(message, left) ? message : NULL;
}

static uint8_t message_type(const struct nlmsghdr *message)
{
	return (uint8_t)message->nlmsg_type;
}

/* The next message of this type, NULL where there is none. */
static const struct nlmsghdr *find_message(const struct nftables_batch *batch, const struct nlmsghdr *message,
					   uint8_t type)
{
	do
		message = next_message(batch, message);
	while (message && message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | type));
	return message;
}

/* A rule of a batch as libnftnl prints it, a line for each expression. */
static void add_expressions(struct text *text, const struct nlmsghdr *message)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	char printed[16384], *save = NULL;

	assert_int_equal(nftnl_rule_nlmsg_parse(message, rule), 0);
	nftnl_rule_snprintf(printed, sizeof(printed), rule, NFTNL_OUTPUT_DEFAULT, 0);
	nftnl_rule_free(rule);
	for (char *line = strtok_r(printed, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, "[ "))
			text_add(text, "%s\n", line);
}

/* What is made of each rule, in any configuration, and of each chain, once: lines of text, and their expressions. */
struct made {
	struct lines text;
	struct lines expressions;
};

static void made_add(struct made *made, const char *text, const char *expressions)
{
	for (size_t i = 0; i < made->text.count; i++)
		if (strcmp(made->text.line[i], text) == 0) {
			assert_string_equal(made->expressions.line[i], expressions);
			return;
		}
	lines_add(&made->text, "%s", text);
	lines_add(&made->expressions, "%s", expressions);
}

static void made_add_chain(struct made *made, const struct guard_chain *chain)
{
	struct text type CLEANUP(text_free) = { 0 };

	if (chain->type)
		text_add(&type, "  type %s, hook %u, priority %d\n", chain->type, chain->hook, chain->priority);
	made_add(made, chain->name, text_string(&type));
}

/* Without its comment, which is data of the user's. */
static void made_add_rule(struct made *made, const struct guard_rule *rule, const struct nlmsghdr *message)
{
	struct text text CLEANUP(text_free) = { 0 }, expressions CLEANUP(text_free) = { 0 };
	char *comment;

	guard_rule_add_text(&text, rule);
	comment = strstr(text.data, " comment \"");
	assert_non_null(comment);
	*comment = '\0';
	add_expressions(&expressions, message);
	made_add(made, text.data, text_string(&expressions));
}

static void made_add_case(struct made *made, const struct config_case *one)
{
	const struct nlmsghdr *message = NULL;
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 0;

	example_make(&example, one->text);
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	for (size_t i = 0; i < example.wanted.guard.chains; i++) {
		const struct guard_chain *chain = &example.wanted.guard.chain[i];

		made_add_chain(made, chain);
		for (size_t j = 0; j < chain->rules; j++) {
			message = find_message(&batch, message, NFT_MSG_NEWRULE);
			made_add_rule(made, &chain->rule[j], message);
		}
	}
	assert_null(find_message(&batch, message, NFT_MSG_NEWRULE));
	free(batch.buffer);
	example_free(&example);
}

/* Each message of a type, but for its number. */
static void digest_messages(uint64_t *digest, const struct nftables_batch *batch, uint8_t type)
{
	const struct nlmsghdr *message = NULL;

	while ((message = find_message(batch, message, type)))
		digest_add(digest, mnl_nlmsg_get_payload(message), mnl_nlmsg_get_payload_len(message));
}

/*
 * A checkpoint of another program version must not fit where that told the kernel something else for the same values.
 * The number here is that of all kinds of matches, verdicts and sets: where it is another one, raise NFTABLES_ENCODING and
 * write it here.
 */
static void what_the_kernel_is_told_has_its_number(void **state)
{
	static const struct guard_chain base = { .name = "chain" };
	const struct prefix prefix[FAMILIES] = { prefix_of("10.20.0.0/24"), prefix_of("fd20::/64") };
	uint64_t digest = DIGEST_NOTHING;
	struct guard guard = { .table = "table" };
	struct guard_chain *chain = guard_add_chain(&guard, &base);
	struct nftables_batch batch;
	uint32_t sequence = 0;

	(void)state;
	if (!prints_as_the_golden_files())
		skip();
	guard_add_set(&guard, GUARD_FLOWS_SET, AF_UNSPEC, NULL, 0);
	guard_add_set(&guard, GUARD_CLIENTS4_SET, AF_INET, &prefix[IPV4], 1);
	guard_add_set(&guard, GUARD_CLIENTS6_SET, AF_INET6, &prefix[IPV6], 1);
	guard_add_element(guard_add_elements(&guard, GUARD_UPLINKS4_SET, SET_INTERFACES, AF_INET), "")->key[0] = 'e';
	guard_add_element(guard_add_elements(&guard, GUARD_SESSION6_MAP, MAP_SESSIONS, AF_INET6), "to_nl")->key[0] = 'v';
	guard_add_element(guard_add_elements(&guard, GUARD_GATEWAYS_MAP, MAP_MARKS, AF_UNSPEC), "by_nl")->key[3] = 2;
	for (int kind = MATCH_IIFNAME; kind <= MATCH_FLOWS_OVER; kind++) {
		struct guard_match *match = guard_add_match(guard_add_rule(chain), (enum guard_match_kind)kind);

		memset(&match->prefix, AF_INET, sizeof(match->prefix));
		if (kind == MATCH_IIFNAME || kind == MATCH_OIFNAME)
			match->interface = (struct interface_pattern){ "eth", true };
	}
	for (int verdict = VERDICT_ACCEPT; verdict <= VERDICT_MAP; verdict++) {
		struct guard_rule *rule = guard_add_rule(chain);

		rule->verdict = (enum guard_verdict)verdict;
		rule->chain = "chain";
		rule->ports = (struct port_range){ 1, 2 };
		rule->mark = (struct mark_bits){ 0x02000000, 0xff000000 };
	}
	for (int subject = SUBJECT_SESSION; subject <= SUBJECT_CT_MARK; subject++) {
		struct guard_rule *rule = guard_add_rule(chain);

		rule->verdict = VERDICT_MAP;
		rule->map.subject = (enum guard_subject)subject;
		rule->map.family = AF_INET6;
		rule->map.length = 60;
		rule->mark.mask = 0xff000000;
	}
	nftables_compile(&guard);
	for (size_t i = 0; i < chain->rules; i++)
		digest_add(&digest, text_string(&chain->rule[i].code), chain->rule[i].code.length);
	nftables_make_batch(&batch, &guard, false, true, 0, &sequence);
	digest_messages(&digest, &batch, NFT_MSG_NEWSET);
	digest_messages(&digest, &batch, NFT_MSG_NEWSETELEM);
	free(batch.buffer);
	guard_free(&guard);
	if (digest != 0x9748227f56f903cf)
		fail_msg("encoding %d has 0x%" PRIx64, NFTABLES_ENCODING, digest);
}

static void expressions_are_golden(void **state)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct made made = { 0 };

	(void)state;
	if (!prints_as_the_golden_files())
		skip();
	for (size_t i = 0; i < CONFIG_CASES; i++)
		made_add_case(&made, &config_cases[i]);
	for (size_t i = 0; i < made.text.count; i++)
		text_add(&text, "%s\n%s", made.text.line[i], made.expressions.line[i]);
	assert_golden("expressions.txt", text_string(&text));
	lines_free(&made.text);
	lines_free(&made.expressions);
}

/* Batches */

/* The messages of a batch as a word each, with one word for several of a kind in a row. */
static void add_words(struct text *words, const struct nftables_batch *batch)
{
	const struct nlmsghdr *message = NULL;
	const char *before = "";

	while ((message = next_message(batch, message))) {
		const char *word = "?";

		switch (message->nlmsg_type) {
		case NFNL_MSG_BATCH_BEGIN:
			word = "begin";
			break;
		case NFNL_MSG_BATCH_END:
			word = "end";
			break;
		case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE:
			word = "delete-table";
			break;
		case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE:
			word = "table";
			break;
		case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET:
			word = "set";
			break;
		case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM:
			word = "elements";
			break;
		case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN:
			word = "chain";
			break;
		case NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE:
			word = "rule";
			break;
		}
		if (strcmp(word, before) != 0)
			text_add(words, "%s%s", words->length ? " " : "", word);
		before = word;
	}
}

static void a_batch_is_one_transaction(void **state)
{
	static const struct { bool remove, make; const char *words; } cases[] = {
		{ false, true, "begin table set elements set elements chain rule end" },
		{ true, true, "begin delete-table table set elements set elements chain rule end" },
		{ true, false, "begin delete-table end" },
		{ false, false, "begin end" },
	};
	struct example example;

	(void)state;
	example_make(&example, case_text("seed"));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct text words CLEANUP(text_free) = { 0 };
		struct nftables_batch batch;
		uint32_t sequence = 1;

		nftables_make_batch(&batch, &example.wanted.guard, cases[i].remove, cases[i].make, 0, &sequence);
		add_words(&words, &batch);
		assert_string_equal(text_string(&words), cases[i].words);
		free(batch.buffer);
	}
	example_free(&example);
}

static void every_message_is_numbered_and_the_last_acknowledged(void **state)
{
	const struct nlmsghdr *message = NULL;
	struct nftables_batch batch;
	uint32_t sequence = 4711, expected = 4711;
	struct example example;

	(void)state;
	example_make(&example, case_text("both-families"));
	nftables_make_batch(&batch, &example.wanted.guard, true, true, 0, &sequence);
	assert_int_equal(batch.first, 4713);
	while ((message = next_message(&batch, message))) {
		bool bracket = message->nlmsg_type == NFNL_MSG_BATCH_BEGIN || message->nlmsg_type == NFNL_MSG_BATCH_END;
		const struct nfgenmsg *header = mnl_nlmsg_get_payload(message);

		assert_int_equal(message->nlmsg_seq, ++expected);
		assert_true(message->nlmsg_flags & NLM_F_REQUEST);
		assert_int_equal(!(message->nlmsg_flags & NLM_F_ACK), message->nlmsg_seq != batch.last);
		assert_int_equal(header->nfgen_family, bracket ? AF_UNSPEC : NFPROTO_INET);
		if (bracket)
			assert_int_equal(ntohs(header->res_id), NFNL_SUBSYS_NFTABLES);
	}
	assert_int_equal(batch.last, expected - 1);
	assert_int_equal(sequence, expected);
	free(batch.buffer);
	example_free(&example);
}

/* Makes nothing that exists already into ours: the table is new, or removed in the same transaction. */
static void a_table_is_made_exclusively(void **state)
{
	const struct nlmsghdr *message = NULL;
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 0;

	(void)state;
	example_make(&example, case_text("seed"));
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	while ((message = find_message(&batch, message, NFT_MSG_NEWTABLE)))
		assert_int_equal(message->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL), NLM_F_CREATE | NLM_F_EXCL);
	while ((message = find_message(&batch, message, NFT_MSG_NEWRULE)))
		assert_int_equal(message->nlmsg_flags & (NLM_F_CREATE | NLM_F_APPEND), NLM_F_CREATE | NLM_F_APPEND);
	free(batch.buffer);
	example_free(&example);
}

static void check_table_of(const struct nftables_batch *batch, uint8_t type, const char *table)
{
	const struct nlmsghdr *message = NULL;
	unsigned int messages = 0;

	for (; (message = find_message(batch, message, type)); messages++) {
		const struct nlattr *name = mnl_nlmsg_get_payload_offset(message, sizeof(struct nfgenmsg));

		/* NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_SET_ELEM_LIST_TABLE and so on are the same number. */
		assert_int_equal(mnl_attr_get_type(name), NFTA_TABLE_NAME);
		assert_string_equal(mnl_attr_get_str(name), table);
	}
	assert_true(messages > 0);
}

static void every_message_is_about_our_table(void **state)
{
	static const uint8_t types[] = { NFT_MSG_DELTABLE, NFT_MSG_NEWTABLE, NFT_MSG_NEWSET, NFT_MSG_NEWSETELEM, NFT_MSG_NEWCHAIN,
					 NFT_MSG_NEWRULE };
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 0;

	(void)state;
	example_make(&example, case_text("other-names"));
	nftables_make_batch(&batch, &example.wanted.guard, true, true, 0, &sequence);
	for (size_t i = 0; i < COUNT(types); i++)
		check_table_of(&batch, types[i], "site_guard");
	free(batch.buffer);
	example_free(&example);
}

static unsigned int count_expressions(const struct nlmsghdr *message)
{
	const struct nlattr *attribute, *element;
	unsigned int count = 0;

	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) == NFTA_RULE_EXPRESSIONS)
			mnl_attr_for_each_nested(element, attribute)
				count++;
	return count;
}

/* The kernel takes 128 expressions (NFT_RULE_MAXEXPRS), and put_rule() has room for 300 bytes a match. */
static void rules_are_bounded_in_the_largest_table(void **state)
{
	const struct nlmsghdr *message = NULL;
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 0;
	unsigned int most = 0;

	(void)state;
	example_make_largest(&example);
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	for (size_t i = 0; i < example.wanted.guard.chains; i++) {
		for (size_t j = 0; j < example.wanted.guard.chain[i].rules; j++) {
			unsigned int matches = example.wanted.guard.chain[i].rule[j].matches;

			message = find_message(&batch, message, NFT_MSG_NEWRULE);
			assert_in_range(count_expressions(message), 1, 128);
			assert_in_range(message->nlmsg_len, 1, 512 + 300 * matches);
			most = matches > most ? matches : most;
		}
	}
	assert_in_range(most, GUARD_LEFT_OUT + 2, GUARD_MATCHES);
	free(batch.buffer);
	example_free(&example);
}

/* Its buffer grows, and none of its messages is near the room that is kept for one. */
static void the_largest_batch_has_room(void **state)
{
	const struct nlmsghdr *message = NULL;
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 0;

	(void)state;
	example_make_largest(&example);
	nftables_make_batch(&batch, &example.wanted.guard, true, true, 0, &sequence);
	assert_in_range(batch.size, 64 * 1024, batch.room);
	while ((message = next_message(&batch, message)))
		assert_in_range(message->nlmsg_len, MNL_NLMSG_HDRLEN, NFTABLES_MESSAGE_SIZE / 2);
	free(batch.buffer);
	example_free(&example);
}

/* Words for what the kernel refuses */

static uint32_t find_sequence(const struct nftables_batch *batch, uint8_t type, unsigned int number)
{
	const struct nlmsghdr *message = NULL;

	do
		message = find_message(batch, message, type);
	while (message && number-- > 0);
	assert_non_null(message);
	return message ? message->nlmsg_seq : 0;
}

static void check_description(const struct nftables_batch *batch, uint32_t sequence, const char *expected)
{
	struct text text CLEANUP(text_free) = { 0 };

	nftables_describe(&text, batch, sequence, 0);
	assert_string_equal(text_string(&text), expected);
}

static void objects_of_a_batch_are_described(void **state)
{
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 100;

	(void)state;
	example_make(&example, case_text("seed"));
	nftables_make_batch(&batch, &example.wanted.guard, true, true, 0, &sequence);
	check_description(&batch, find_sequence(&batch, NFT_MSG_DELTABLE, 0), "the removal of the table");
	check_description(&batch, find_sequence(&batch, NFT_MSG_NEWTABLE, 0), "the table");
	check_description(&batch, find_sequence(&batch, NFT_MSG_NEWSET, 0), "the set flows");
	check_description(&batch, find_sequence(&batch, NFT_MSG_NEWSET, 1), "the set clients4");
	check_description(&batch, find_sequence(&batch, NFT_MSG_NEWSETELEM, 0), "the elements of set clients4");
	check_description(&batch, find_sequence(&batch, NFT_MSG_NEWCHAIN, 0), "chain prerouting");
	check_description(&batch, find_sequence(&batch, NFT_MSG_NEWCHAIN, 15),
			  "chain postrouting (needs nft_chain_nat, of Linux 5.2)");
	check_description(&batch, find_sequence(&batch, NFT_MSG_NEWRULE, 3),
			  "rule \"IPv4 from a client with a source outside its subnet: dropped\" of chain from_tunnel");
	check_description(&batch, 101, "the transaction");
	check_description(&batch, sequence, "the transaction");
	check_description(&batch, 7, "the transaction");
	free(batch.buffer);
	example_free(&example);
}

/* Adds "NAME, ..." of the expressions that the offsets of a message lie in, each once in a row. */
static void add_expressions_at(struct text *text, const struct nftables_batch *batch, uint32_t sequence,
			       uint32_t length)
{
	struct text before CLEANUP(text_free) = { 0 };

	for (uint32_t offset = 0; offset < length; offset++) {
		struct text here CLEANUP(text_free) = { 0 };
		const char *expression;

		nftables_describe(&here, batch, sequence, offset);
		expression = strstr(text_string(&here), ", expression ");
		if (expression && strcmp(expression, text_string(&before)) != 0)
			text_add(text, "%s", expression);
		text_free(&before);
		if (expression)
			text_add(&before, "%s", expression);
	}
}

static void check_expressions(const struct nftables_batch *batch, const char *comment, const char *expected)
{
	const struct nlmsghdr *message = NULL;
	struct text text CLEANUP(text_free) = { 0 };

	while ((message = next_message(batch, message))) {
		struct text here CLEANUP(text_free) = { 0 };

		nftables_describe(&here, batch, message->nlmsg_seq, 0);
		if (strstr(text_string(&here), comment))
			add_expressions_at(&text, batch, message->nlmsg_seq, message->nlmsg_len + 8);
	}
	assert_string_equal(text_string(&text), expected);
}

static void the_expression_at_fault_is_named_with_its_module(void **state)
{
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 100;

	(void)state;
	example_make(&example, case_text("seed"));
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	check_expressions(&batch, "IPv4 to the gateway",
			  ", expression meta, expression cmp, expression rt (needs nf_tables of Linux 4.10)"
			  ", expression cmp, expression counter, expression immediate");
	check_expressions(&batch, "replies to a client",
			  ", expression ct (needs nft_ct), expression bitwise"
			  ", expression cmp, expression counter, expression immediate");
	check_expressions(&batch, "IPv4 client to client",
			  ", expression meta, expression cmp, expression meta, expression cmp, expression payload, expression lookup, expression counter"
			  ", expression immediate");
	check_expressions(&batch, "IPv6 of a client, for which there is no gateway",
			  ", expression meta, expression cmp, expression counter"
			  ", expression reject (needs nft_reject_inet)");
	check_expressions(&batch, "TCP of a client gets",
			  ", expression meta, expression cmp, expression immediate, expression masq (needs nft_masq)");
	check_expressions(&batch, "new flow of a client",
			  ", expression ct (needs nft_ct), expression bitwise, expression cmp, expression meta, expression dynset "
			  "(needs nft_connlimit, of Linux 4.19; or [clients] flows = no), expression counter, expression immediate");
	free(batch.buffer);
	example_free(&example);
}

/* Reading */

/* Reads a batch as if its messages were the kernel's answers. */
static void parse_batch(const struct nftables_batch *batch, const char *table, struct present *present)
{
	const struct nlmsghdr *message = NULL;

	*present = (struct present){ 0 };
	while ((message = next_message(batch, message))) {
		if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
			continue;
		if (message_type(message) == NFT_MSG_NEWTABLE)
			assert_int_equal(nftables_parse_table(message, &present->guard), 0);
		if (message_type(message) == NFT_MSG_NEWSET)
			assert_int_equal(nftables_parse_set(message, table, &present->guard), 0);
		if (message_type(message) == NFT_MSG_NEWFLOWTABLE)
			assert_int_equal(nftables_parse_flowtable(message, table, &present->guard), 0);
		if (message_type(message) == NFT_MSG_NEWSETELEM)
			assert_int_equal(nftables_parse_elements(message, table, &present->guard), 0);
		if (message_type(message) == NFT_MSG_NEWCHAIN)
			assert_int_equal(nftables_parse_chain(message, table, &present->guard), 0);
		if (message_type(message) == NFT_MSG_NEWRULE)
			assert_int_equal(nftables_parse_rule(message, table, &present->guard), 0);
	}
}

static void check_same_chain(const struct present_chain *present, const struct guard_chain *wanted)
{
	assert_string_equal(present->name, wanted->name);
	assert_int_equal(!present->type, !wanted->type);
	if (wanted->type) {
		assert_string_equal(present->type, wanted->type);
		assert_int_equal(present->hook, wanted->hook);
		assert_int_equal(present->priority, wanted->priority);
		assert_int_equal(present->policy, NF_ACCEPT);
	}
	assert_int_equal(present->rules, wanted->rules);
	for (size_t i = 0; i < wanted->rules; i++) {
		assert_true(wanted->rule[i].code.length > 0);
		assert_true(text_equal(&present->rule[i].code, &wanted->rule[i].code));
		assert_true(guard_comment_is(&wanted->rule[i], present->rule[i].comment));
		assert_int_equal(present->rule[i].counted, wanted->rule[i].counter);
	}
}

static void check_same_set(struct present_set *present, const struct guard_set *wanted)
{
	struct ranges ranges, expected;

	assert_string_equal(present->name, wanted->name);
	assert_int_equal(present->family, wanted->family);
	assert_false(present->odd);
	ranges_of_bounds(&ranges, present->bound, present->bounds);
	ranges_of_prefixes(&expected, wanted->prefix, wanted->prefixes);
	assert_int_equal(ranges.count, expected.count);
	for (size_t i = 0; i < ranges.count; i++)
		assert_memory_equal(&ranges.range[i], &expected.range[i], sizeof(*ranges.range));
	ranges_free(&ranges);
	ranges_free(&expected);
}

static void check_same_guard(const struct present_guard *present, const struct guard *wanted)
{
	assert_int_equal(present->chains, wanted->chains);
	for (size_t i = 0; i < wanted->chains; i++)
		check_same_chain(&present->chain[i], &wanted->chain[i]);
	assert_int_equal(present->fast.there, wanted->fast.on);
	assert_false(present->fast.odd);
	assert_int_equal(present->fast.devices, wanted->fast.devices);
	for (size_t i = 0; i < wanted->fast.devices; i++)
		assert_string_equal(present->fast.device[i].name, wanted->fast.device[i].name);
	assert_int_equal(present->sets, wanted->sets);
	for (size_t i = 0; i < wanted->sets; i++)
		check_same_set(&present->set[i], &wanted->set[i]);
}

static void what_was_built_is_read_back(void **state)
{
	struct nftables_batch batch;
	struct example example;
	struct present present;
	uint32_t sequence = 0;

	example_make(&example, ((const struct config_case *)*state)->text);
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	parse_batch(&batch, example.wanted.guard.table, &present);
	assert_true(present.guard.exists);
	assert_false(present.guard.dormant);
	check_same_guard(&present.guard, &example.wanted.guard);
	present_free(&present);
	free(batch.buffer);
	example_free(&example);
}

/* Its sets have more elements than one message has room for. */
static void the_largest_is_read_back(void **state)
{
	struct nftables_batch batch;
	struct example example;
	struct present present;
	uint32_t sequence = 0;

	(void)state;
	example_make_largest(&example);
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	parse_batch(&batch, example.wanted.guard.table, &present);
	check_same_guard(&present.guard, &example.wanted.guard);
	present_free(&present);
	free(batch.buffer);
	example_free(&example);
}

static void tables_of_others_are_passed_over(void **state)
{
	struct nftables_batch batch;
	struct example example;
	struct present present;
	uint32_t sequence = 0;

	(void)state;
	example_make(&example, case_text("seed"));
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	parse_batch(&batch, "ocserv_g", &present);
	assert_int_equal(present.guard.chains, 0);
	assert_int_equal(present.guard.sets, 0);
	present_free(&present);
	free(batch.buffer);
	example_free(&example);
}

static void a_rule_of_a_chain_not_seen_asks_for_another_reading(void **state)
{
	struct present_guard present = { 0 };
	struct nftables_batch batch;
	struct example example;
	const struct nlmsghdr *message = NULL;
	uint32_t sequence = 0;

	(void)state;
	example_make(&example, case_text("seed"));
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	while ((message = find_message(&batch, message, NFT_MSG_NEWRULE)))
		assert_int_equal(nftables_parse_rule(message, "ocserv_gw", &present), EINTR);
	free(batch.buffer);
	example_free(&example);
}

/* The code of a rule whose first match is altered. */
static void take_code(struct text *code, const struct guard_match *match, enum guard_verdict verdict, bool counter)
{
	struct guard_rule rule = { .match[0] = *match, .matches = 1, .verdict = verdict, .counter = counter,
				   .chain = "from_client" };
	struct guard_chain chain = { .name = "forward", .rule = &rule, .rules = 1 };
	struct guard guard = { .table = "ocserv_gw", .chain = &chain, .chains = 1 };

	nftables_compile(&guard);
	*code = rule.code;
}

static void different_rules_have_different_code(void **state)
{
	struct guard_match match[46] = {
		{ .kind = MATCH_IIFNAME, .interface = { "vpns", true } },
		{ .kind = MATCH_IIFNAME, .interface = { "vpns", false } },
		{ .kind = MATCH_IIFNAME, .interface = { "vpns0", true } },
		{ .kind = MATCH_IIFNAME, .interface = { "vpns", true }, .negated = true },
		{ .kind = MATCH_OIFNAME, .interface = { "vpns", true } },
		{ .kind = MATCH_FAMILY, .family = AF_INET },
		{ .kind = MATCH_FAMILY, .family = AF_INET6 },
		{ .kind = MATCH_SADDR, .prefix = prefix_of("10.20.0.0/24") },
		{ .kind = MATCH_DADDR, .prefix = prefix_of("10.20.0.0/24") },
		{ .kind = MATCH_DADDR, .prefix = prefix_of("10.20.0.0/23") },
		{ .kind = MATCH_DADDR, .prefix = prefix_of("10.20.0.0/16") },
		{ .kind = MATCH_DADDR, .prefix = prefix_of("10.20.0.0/24"), .negated = true },
		{ .kind = MATCH_SADDR_IN, .set = { "clients4", AF_INET } },
		{ .kind = MATCH_SADDR_IN, .set = { "clients6", AF_INET } },
		{ .kind = MATCH_SADDR_IN, .set = { "clients6", AF_INET6 } },
		{ .kind = MATCH_SADDR_IN, .set = { "clients4", AF_INET }, .negated = true },
		{ .kind = MATCH_DADDR_IN, .set = { "clients4", AF_INET } },
		{ .kind = MATCH_QUOTED_DADDR, .prefix = prefix_of("10.20.0.0/24") },
		{ .kind = MATCH_NEXTHOP, .nexthop = address_of("172.28.0.2") },
		{ .kind = MATCH_NEXTHOP, .nexthop = address_of("172.28.0.3") },
		{ .kind = MATCH_NEXTHOP, .nexthop = address_of("::ac1c:2") },
		{ .kind = MATCH_CT_STATE, .ct_states = CT_ESTABLISHED | CT_RELATED },
		{ .kind = MATCH_CT_STATE, .ct_states = CT_ESTABLISHED | CT_RELATED, .negated = true },
		{ .kind = MATCH_CT_STATE, .ct_states = CT_INVALID | CT_NEW },
		{ .kind = MATCH_NO_WAY_BACK },
		{ .kind = MATCH_SOCKET },
		{ .kind = MATCH_L4PROTO, .protocol = IPPROTO_TCP },
		{ .kind = MATCH_L4PROTO, .protocol = IPPROTO_UDP },
		{ .kind = MATCH_ICMP_CODE, .icmp = { AF_INET, 11, 1 } },
		{ .kind = MATCH_ICMP_CODE, .icmp = { AF_INET6, 11, 1 } },
		{ .kind = MATCH_ICMP_CODE, .icmp = { AF_INET, 11, 0 } },
		{ .kind = MATCH_ICMP_TYPE, .icmp = { AF_INET, 11, 0 } },
		{ .kind = MATCH_L4PROTO, .protocol = IPPROTO_TCP, .negated = true },
		{ .kind = MATCH_QUOTED_PROTOCOL, .quoted = { AF_INET, IPPROTO_TCP } },
		{ .kind = MATCH_QUOTED_PROTOCOL, .quoted = { AF_INET6, IPPROTO_TCP } },
		{ .kind = MATCH_QUOTED_PROTOCOL, .quoted = { AF_INET, IPPROTO_UDP } },
		{ .kind = MATCH_MARK },
		{ .kind = MATCH_IPSEC },
		{ .kind = MATCH_IPSEC, .negated = true },
		{ .kind = MATCH_FLOW_SADDR_IN, .set = { "clients4", AF_INET } },
		{ .kind = MATCH_FLOW_SADDR_IN, .set = { "clients6", AF_INET6 } },
		{ .kind = MATCH_REPLY },
		{ .kind = MATCH_FIRST },
		{ .kind = MATCH_FLOWS_OVER, .flows = 20000 },
		{ .kind = MATCH_FLOWS_OVER, .flows = 20001 },
		{ .kind = MATCH_CT_STATE, .ct_states = CT_INVALID | CT_NEW | CT_UNTRACKED },
	};
	struct text code[COUNT(match) + 3];

	(void)state;
	for (size_t i = 0; i < COUNT(match); i++)
		take_code(&code[i], &match[i], VERDICT_DROP, true);
	take_code(&code[COUNT(match)], &match[0], VERDICT_ACCEPT, true);
	take_code(&code[COUNT(match) + 1], &match[0], VERDICT_GOTO, true);
	take_code(&code[COUNT(match) + 2], &match[0], VERDICT_DROP, false);
	for (size_t i = 0; i < COUNT(code); i++)
		for (size_t j = 0; j < i; j++)
			if (text_equal(&code[i], &code[j]))
				fail_msg("%zu and %zu have the same code", j, i);
	for (size_t i = 0; i < COUNT(code); i++)
		text_free(&code[i]);
}

/* Messages of the kernel's own shape, made by hand */

static union {
	struct nlmsghdr header;
	char bytes[NFTABLES_MESSAGE_SIZE];
} buffer;

static struct nlmsghdr *begin(uint16_t type)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(&buffer);
	struct nfgenmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	header->nfgen_family = NFPROTO_INET;
	return message;
}

static struct nlmsghdr *begin_rule(void)
{
	struct nlmsghdr *message = begin(NFT_MSG_NEWRULE);

	mnl_attr_put_strz(message, NFTA_RULE_TABLE, "ocserv_gw");
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, "forward");
	mnl_attr_put_u64(message, NFTA_RULE_HANDLE, htobe64(42));
	return message;
}

/* A guard with the empty chain "forward". */
static void begin_guard(struct present_guard *present)
{
	struct nlmsghdr *message = begin(NFT_MSG_NEWCHAIN);

	*present = (struct present_guard){ 0 };
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, "ocserv_gw");
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, "forward");
	assert_int_equal(nftables_parse_chain(message, "ocserv_gw", present), 0);
	assert_int_equal(present->chains, 1);
}

static void free_guard(const struct present_guard *found)
{
	struct present present = { .guard = *found };

	present_free(&present);
}

static void put_counter(struct nlmsghdr *message, uint64_t packets, uint64_t bytes)
{
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM), *data;

	mnl_attr_put_strz(message, NFTA_EXPR_NAME, "counter");
	data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
	mnl_attr_put_u64(message, NFTA_COUNTER_PACKETS, htobe64(packets));
	mnl_attr_put_u64(message, NFTA_COUNTER_BYTES, htobe64(bytes));
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, element);
}

static void put_unknown_expression(struct nlmsghdr *message)
{
	struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM), *data;

	mnl_attr_put_strz(message, NFTA_EXPR_NAME, "of-the-future");
	data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, element);
}

static void counters_are_read_and_do_not_alter_a_rule(void **state)
{
	struct present_guard present;
	const struct present_rule *rule;

	(void)state;
	begin_guard(&present);
	for (uint64_t i = 0; i < 2; i++) {
		struct nlmsghdr *message = begin_rule();
		struct nlattr *list = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);

		put_counter(message, 5000000000 * i, 77 * i);
		mnl_attr_nest_end(message, list);
		assert_int_equal(nftables_parse_rule(message, "ocserv_gw", &present), 0);
	}
	rule = present.chain[0].rule;
	assert_int_equal(present.chain[0].rules, 2);
	assert_true(rule[1].counted);
	assert_int_equal(rule[1].packets, 5000000000);
	assert_int_equal(rule[1].bytes, 77);
	assert_int_equal(rule[1].handle, 42);
	assert_string_equal(rule[1].comment, "");
	assert_true(text_equal(&rule[0].code, &rule[1].code));
	free_guard(&present);
}

static void expressions_of_others_are_part_of_the_code(void **state)
{
	struct present_guard present;

	(void)state;
	begin_guard(&present);
	for (unsigned int i = 0; i < 2; i++) {
		struct nlmsghdr *message = begin_rule();
		struct nlattr *list = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);

		put_counter(message, 0, 0);
		if (i == 1)
			put_unknown_expression(message);
		mnl_attr_nest_end(message, list);
		assert_int_equal(nftables_parse_rule(message, "ocserv_gw", &present), 0);
	}
	assert_int_equal(present.chain[0].rules, 2);
	assert_false(text_equal(&present.chain[0].rule[0].code, &present.chain[0].rule[1].code));
	free_guard(&present);
}

static void malformed_comments_are_none(void **state)
{
	static const struct { const char *bytes; size_t length; const char *comment; } cases[] = {
		{ "\0\x03" "ab\0", 5, "ab" },
		{ "\x02\x01x\0\x02y\0", 7, "y" },	/* behind data of another type */
		{ "\0\x02" "ab", 4, "" },		/* without its NUL */
		{ "\0\0", 2, "" },
		{ "\0\x20" "ab\0", 5, "" },		/* longer than there is */
		{ "\0", 1, "" },
		{ "", 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nlmsghdr *message;
		struct present_guard present;

		begin_guard(&present);
		message = begin_rule();
		mnl_attr_put(message, NFTA_RULE_USERDATA, cases[i].length, cases[i].bytes);
		assert_int_equal(nftables_parse_rule(message, "ocserv_gw", &present), 0);
		assert_int_equal(present.chain[0].rules, 1);
		assert_string_equal(present.chain[0].rule[0].comment, cases[i].comment);
		free_guard(&present);
	}
}

static struct present_guard parse_table(uint32_t flags, uint32_t use)
{
	struct nlmsghdr *message = begin(NFT_MSG_NEWTABLE);
	struct present_guard present = { 0 };

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, "ocserv_gw");
	mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(flags));
	mnl_attr_put_u32(message, NFTA_TABLE_USE, htonl(use));
	assert_int_equal(nftables_parse_table(message, &present), 0);
	assert_true(present.exists);
	return present;
}

static void flags_of_a_table_are_read(void **state)
{
	struct present_guard present;

	(void)state;
	present = parse_table(0, 0);
	assert_false(present.dormant || present.owned);
	present = parse_table(NFT_TABLE_F_DORMANT, 0);
	assert_true(present.dormant && !present.owned);
	present = parse_table(2, 0);
	assert_true(present.owned && !present.dormant);
}

static void an_instance_is_read_as_it_was_made(void **state)
{
	struct present_guard present = { 0 };
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 0;

	(void)state;
	example_make(&example, case_text("seed"));
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	assert_int_equal(nftables_parse_table(find_message(&batch, NULL, NFT_MSG_NEWTABLE), &present), 0);
	assert_memory_equal(present.instance, example.wanted.guard.instance, GUARD_INSTANCE);
	free(batch.buffer);

	memcpy(example.wanted.guard.instance, "sixteen letters.", GUARD_INSTANCE);
	nftables_make_batch(&batch, &example.wanted.guard, true, true, 0, &sequence);
	assert_int_equal(nftables_parse_table(find_message(&batch, NULL, NFT_MSG_NEWTABLE), &present), 0);
	assert_memory_equal(present.instance, "sixteen letters.", GUARD_INSTANCE);
	free(batch.buffer);
	example_free(&example);
}

/* Of nft(8), or cut off */
static void other_user_data_of_a_table_is_no_instance(void **state)
{
	static const struct { const char *data; uint16_t length; } cases[] = {
		{ "", 0 }, { "\x6f", 1 }, { "\x6f\x10", 2 }, { "\x6f\x10sixteen letters", 17 },
		{ "\x6f\x0f" "fifteen letters", 17 }, { "\x6f\x11" "seventeen letters", 19 },
		{ "\x00\x10sixteen letters.", 18 }, { "\x00\x05" "comm\x6f\x10sixteen letters.", 23 },
	};
	static const uint8_t none[GUARD_INSTANCE];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nlmsghdr *message = begin(NFT_MSG_NEWTABLE);
		struct present_guard present = { 0 };

		mnl_attr_put_strz(message, NFTA_TABLE_NAME, "ocserv_gw");
		mnl_attr_put(message, NFTA_TABLE_USERDATA, cases[i].length, cases[i].data);
		assert_int_equal(nftables_parse_table(message, &present), 0);
		assert_memory_equal(present.instance, none, sizeof(none));
	}
}

static void the_generation_is_read(void **state)
{
	struct present_guard present = { 0 };
	struct nlmsghdr *message = begin(NFT_MSG_NEWGEN);

	(void)state;
	assert_int_equal(nftables_parse_generation(message, &present), 0);
	assert_int_equal(present.generation, 0);
	mnl_attr_put_u16(message, NFTA_GEN_ID, htons(7));
	assert_int_equal(nftables_parse_generation(message, &present), 0);
	assert_int_equal(present.generation, 0);
	mnl_attr_put_u32(message, NFTA_GEN_ID, htonl(0x12345678));
	assert_int_equal(nftables_parse_generation(message, &present), 0);
	assert_int_equal(present.generation, 0x12345678);
	message->nlmsg_len = MNL_NLMSG_HDRLEN + 2;
	assert_int_equal(nftables_parse_generation(message, &present), EBADMSG);
}

static void what_a_table_holds_beyond_chains_is_counted(void **state)
{
	struct present_guard present = parse_table(0, 3);

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct nlmsghdr *message = begin(NFT_MSG_NEWCHAIN);

		mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, i ? "ocserv_gw" : "another");
		mnl_attr_put_strz(message, NFTA_CHAIN_NAME, "forward");
		assert_int_equal(nftables_parse_chain(message, "ocserv_gw", &present), 0);
	}
	assert_int_equal(present.chains, 1);
	assert_int_equal(present.others, 2);
	free_guard(&present);
}

static struct nlmsghdr *begin_set(const char *name, uint32_t flags, uint32_t type, uint32_t length)
{
	struct nlmsghdr *message = begin(NFT_MSG_NEWSET);

	mnl_attr_put_strz(message, NFTA_SET_TABLE, "ocserv_gw");
	mnl_attr_put_strz(message, NFTA_SET_NAME, name);
	mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(flags));
	mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(type));
	mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(length));
	return message;
}

static void sets_of_another_form_are_none_of_ours(void **state)
{
	static const struct { const char *name; uint32_t flags, type, length; bool expires, ours; } cases[] = {
		{ "clients4", NFT_SET_INTERVAL, 7, 4, false, true },
		{ "clients6", NFT_SET_INTERVAL, 8, 16, false, true },
		{ "clients5", NFT_SET_INTERVAL, 7, 4, false, false },
		{ "clients4", 0, 7, 4, false, false },
		{ "clients4", NFT_SET_INTERVAL | NFT_SET_MAP, 7, 4, false, false },
		{ "clients4", NFT_SET_INTERVAL | NFT_SET_TIMEOUT, 7, 4, false, false },
		{ "clients4", NFT_SET_INTERVAL, 7, 4, true, false },
		{ "clients4", NFT_SET_INTERVAL, 8, 16, false, false },
		{ "clients4", NFT_SET_INTERVAL, 19, 4, false, false },
		{ "clients6", NFT_SET_INTERVAL, 8, 4, false, false },
		{ "flows", 0x20, 20, 4, false, false },		/* without its size */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nlmsghdr *message = begin_set(cases[i].name, cases[i].flags, cases[i].type, cases[i].length);
		struct present_guard present = { .others = 3 };

		if (cases[i].expires)
			mnl_attr_put_u64(message, NFTA_SET_TIMEOUT, htobe64(1000));
		assert_int_equal(nftables_parse_set(message, "ocserv_gw", &present), 0);
		assert_int_equal(present.sets, cases[i].ours);
		assert_int_equal(present.others, cases[i].ours ? 2 : 3);
		free_guard(&present);
	}
}

/* An element of clients4 with an attribute beside its key. */
static bool is_odd_with(uint16_t type, const void *data, size_t length)
{
	struct nlmsghdr *message = begin_set("clients4", NFT_SET_INTERVAL, 7, 4);
	struct present_guard present = { 0 };
	struct nlattr *list, *element, *key;
	bool odd;

	assert_int_equal(nftables_parse_set(message, "ocserv_gw", &present), 0);
	message = begin(NFT_MSG_NEWSETELEM);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, "ocserv_gw");
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, "clients4");
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, 4, "\x0a\x14\0\0");
	mnl_attr_nest_end(message, key);
	if (type)
		mnl_attr_put(message, type, length, data);
	mnl_attr_nest_end(message, element);
	mnl_attr_nest_end(message, list);
	assert_int_equal(nftables_parse_elements(message, "ocserv_gw", &present), 0);
	assert_int_equal(present.set[0].bounds, 1);
	odd = present.set[0].odd;
	assert_int_equal(present.set[0].bound[0].end, type == NFTA_SET_ELEM_FLAGS && !odd);
	free_guard(&present);
	return odd;
}

static void elements_that_do_more_are_told(void **state)
{
	(void)state;
	assert_false(is_odd_with(NFTA_SET_ELEM_UNSPEC, "", 0));
	assert_false(is_odd_with(NFTA_SET_ELEM_FLAGS, "\0\0\0\1", 4));
	assert_false(is_odd_with(NFTA_SET_ELEM_USERDATA, "\0\2x", 4));
	assert_true(is_odd_with(NFTA_SET_ELEM_FLAGS, "\0\0\0\2", 4));
	assert_true(is_odd_with(NFTA_SET_ELEM_TIMEOUT, "\0\0\0\0\0\0\0\1", 8));
	assert_true(is_odd_with(NFTA_SET_ELEM_EXPIRATION, "\0\0\0\0\0\0\0\1", 8));
	assert_true(is_odd_with(NFTA_SET_ELEM_EXPR, "", 0));
	assert_true(is_odd_with(NFTA_SET_ELEM_EXPRESSIONS, "", 0));
	assert_true(is_odd_with(NFTA_SET_ELEM_DATA, "", 0));
	assert_true(is_odd_with(NFTA_SET_ELEM_KEY_END, "", 0));
}

static void base_chains_are_read(void **state)
{
	struct nlmsghdr *message = begin(NFT_MSG_NEWCHAIN);
	struct present_guard present = { 0 };
	struct nlattr *hook;

	(void)state;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, "ocserv_gw");
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, "forward");
	mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
	mnl_attr_put_u32(message, NFTA_CHAIN_POLICY, htonl(NF_DROP));
	hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(NF_INET_FORWARD));
	mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)-10));
	mnl_attr_nest_end(message, hook);
	assert_int_equal(nftables_parse_chain(message, "ocserv_gw", &present), 0);
	assert_string_equal(present.chain[0].type, "filter");
	assert_int_equal(present.chain[0].hook, NF_INET_FORWARD);
	assert_int_equal(present.chain[0].priority, -10);
	assert_int_equal(present.chain[0].policy, NF_DROP);
	free_guard(&present);
}

/* Garbage */

/* A sequence that is the same in every run. */
static uint32_t next_random(void)
{
	static uint32_t state = 1;

	state = state * 1664525 + 1013904223;
	return state >> 8;
}

/* What the readers say of a message is of no interest, but that they come back. */
static void parse_rule(const struct nlmsghdr *message)
{
	struct present_guard present;

	present = (struct present_guard){ .chain = allocate(1, sizeof(*present.chain)), .chains = 1 };
	present.chain[0].name = duplicate("forward");
	nftables_parse_rule(message, "ocserv_gw", &present);
	free_guard(&present);
}

static void parse_elements(const struct nlmsghdr *message)
{
	struct present_guard present = { .set = make_room_for_one(NULL, 0, sizeof(*present.set)), .sets = 1 };

	present.set[0] = (struct present_set){ .name = GUARD_CLIENTS6_SET, .family = AF_INET6 };
	nftables_parse_set(message, "ocserv_gw", &present);
	nftables_parse_elements(message, "ocserv_gw", &present);
	free_guard(&present);
}

/* libnftnl ends the program where it can't read a table or a chain. That is as well, but nothing else is. */
static void parse_in_child(const struct nlmsghdr *message)
{
	struct present_guard present = { 0 };
	pid_t child = fork();
	int status;

	if (child == 0) {
		int fd = open("stderr", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		dup2(fd, STDERR_FILENO);
		nftables_parse_table(message, &present);
		nftables_parse_chain(message, "ocserv_gw", &present);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		char *said = read_file("stderr");

		assert_contains(said, "ABI is broken");
		free(said);
	}
}

/* Spoils each message of a batch, with room behind it as in a buffer that was read into. */
static void spoil_messages(void (*spoil)(struct nlmsghdr *message))
{
	const struct nlmsghdr *message = NULL;
	struct nftables_batch batch;
	struct example example;
	uint32_t sequence = 0;

	example_make(&example, case_text("both-families"));
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	while ((message = next_message(&batch, message))) {
		uint8_t type = message_type(message);
		void (*parse)(const struct nlmsghdr *spoilt) = type == NFT_MSG_NEWRULE ? parse_rule :
			type == NFT_MSG_NEWSET || type == NFT_MSG_NEWSETELEM ? parse_elements : parse_in_child;

		for (unsigned int i = 0; i < (parse == parse_in_child ? 10 : 100); i++) {
			memset(&buffer, 0, sizeof(buffer));
			memcpy(&buffer, message, message->nlmsg_len);
			spoil(&buffer.header);
			parse(&buffer.header);
		}
	}
	free(batch.buffer);
	example_free(&example);
}

static void cut_off(struct nlmsghdr *message)
{
	const uint32_t least = MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg);

	message->nlmsg_len = least + next_random() % (message->nlmsg_len - least + 1);
}

static void flip_bits(struct nlmsghdr *message)
{
	char *bytes = mnl_nlmsg_get_payload_offset(message, sizeof(struct nfgenmsg));
	size_t length = mnl_nlmsg_get_payload_len(message) - sizeof(struct nfgenmsg);

	for (uint32_t i = next_random() % 8; i > 0 && length > 0; i--)
		bytes[next_random() % length] ^= (char)(1 << next_random() % 8);
}

static void make_noise(struct nlmsghdr *message)
{
	message->nlmsg_len = MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg) + next_random() % 512;
	for (size_t i = MNL_NLMSG_HDRLEN; i < message->nlmsg_len; i++)
		buffer.bytes[i] = (char)next_random();
}

static void messages_cut_off_are_harmless(void **state)
{
	(void)state;
	spoil_messages(cut_off);
}

static void messages_with_flipped_bits_are_harmless(void **state)
{
	(void)state;
	spoil_messages(flip_bits);
}

static void noise_is_harmless(void **state)
{
	(void)state;
	spoil_messages(make_noise);
}

static void a_chain_without_a_name_is_refused(void **state)
{
	struct nlmsghdr *message = begin(NFT_MSG_NEWCHAIN);
	struct present_guard present = { 0 };

	(void)state;
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, "ocserv_gw");
	assert_int_equal(nftables_parse_chain(message, "ocserv_gw", &present), EBADMSG);
	assert_int_equal(present.chains, 0);
}

/* Requests */

static void requests_ask_for_our_table(void **state)
{
	const struct nlmsghdr *message = nftables_get_table(&buffer, "ocserv_gw");
	const struct nlattr *attribute = mnl_nlmsg_get_payload_offset(message, sizeof(struct nfgenmsg));

	(void)state;
	assert_int_equal(message->nlmsg_type, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE);
	assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST);
	assert_string_equal(mnl_attr_get_str(attribute), "ocserv_gw");

	message = nftables_dump_chains(&buffer);
	assert_int_equal(message->nlmsg_type, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN);
	assert_true(message->nlmsg_flags & NLM_F_DUMP);

	message = nftables_dump_rules(&buffer, "ocserv_gw");
	assert_int_equal(message->nlmsg_type, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE);
	assert_true(message->nlmsg_flags & NLM_F_DUMP);
	assert_int_equal(mnl_attr_get_type(attribute), NFTA_RULE_TABLE);
	assert_string_equal(mnl_attr_get_str(attribute), "ocserv_gw");
}

int main(void)
{
	struct CMUnitTest tests[CONFIG_CASES + 30] = {
		in_directory(expressions_are_golden),
		in_directory(a_batch_is_one_transaction),
		in_directory(every_message_is_numbered_and_the_last_acknowledged),
		in_directory(what_the_kernel_is_told_has_its_number),
		in_directory(a_table_is_made_exclusively),
		in_directory(every_message_is_about_our_table),
		in_directory(rules_are_bounded_in_the_largest_table),
		in_directory(the_largest_batch_has_room),
		in_directory(objects_of_a_batch_are_described),
		in_directory(the_expression_at_fault_is_named_with_its_module),
		in_directory(tables_of_others_are_passed_over),
		in_directory(a_rule_of_a_chain_not_seen_asks_for_another_reading),
		in_directory(different_rules_have_different_code),
		in_directory(counters_are_read_and_do_not_alter_a_rule),
		in_directory(expressions_of_others_are_part_of_the_code),
		in_directory(malformed_comments_are_none),
		in_directory(flags_of_a_table_are_read),
		in_directory(an_instance_is_read_as_it_was_made),
		in_directory(other_user_data_of_a_table_is_no_instance),
		in_directory(the_generation_is_read),
		in_directory(what_a_table_holds_beyond_chains_is_counted),
		in_directory(sets_of_another_form_are_none_of_ours),
		in_directory(elements_that_do_more_are_told),
		in_directory(the_largest_is_read_back),
		in_directory(base_chains_are_read),
		in_directory(messages_cut_off_are_harmless),
		in_directory(messages_with_flipped_bits_are_harmless),
		in_directory(noise_is_harmless),
		in_directory(a_chain_without_a_name_is_refused),
		in_directory(requests_ask_for_our_table),
	};
	struct CMUnitTest *cases = tests + COUNT(tests) - CONFIG_CASES;

	case_tests(cases, "what was built is read back of", what_was_built_is_read_back);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/fast_path.h"
#include "cases.h"
#include "kernel/nftables_batch.h"
#include "kernel/nftables_decode.h"
#include "model/plan.h"
#include "model/script.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* Interfaces */

struct answer {
	unsigned int index, master, lower;
	bool elsewhere;
};

static struct link take(const struct answer *answer)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	struct links links = { 0 };
	struct link link;

	message->nlmsg_type = RTM_NEWLINK;
	header->ifi_index = (int)answer->index;
	mnl_attr_put_strz(message, IFLA_IFNAME, "eth0");
	if (answer->master)
		mnl_attr_put_u32(message, IFLA_MASTER, answer->master);
	if (answer->lower)
		mnl_attr_put_u32(message, IFLA_LINK, answer->lower);
	if (answer->elsewhere)
		mnl_attr_put_u32(message, IFLA_LINK_NETNSID, 0);
	assert_int_equal(fast_path_take_link(message, &links), 0);
	assert_int_equal(links.count, 1);
	link = links.link[0];
	free(links.link);
	return link;
}

static void interfaces_are_read(void **state)
{
	static const struct { struct answer answer; unsigned int master, lower; } cases[] = {
		{ { 2, 0, 0, false }, 0, 0 }, { { 2, 9, 0, false }, 9, 0 }, { { 2, 0, 3, false }, 0, 3 },
		{ { 2, 0, 3, true }, 0, 0 },	/* the other end of a veth, in another namespace */
		{ { 2, 0, 2, false }, 0, 0 },
	};
	struct nlmsghdr empty = { .nlmsg_len = sizeof(empty), .nlmsg_type = RTM_NEWLINK };
	struct links links = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct link link = take(&cases[i].answer);

		assert_string_equal(link.name, "eth0");
		assert_int_equal(link.index, 2);
		assert_int_equal(link.master, cases[i].master);
		assert_int_equal(link.lower, cases[i].lower);
	}
	assert_int_equal(fast_path_take_link(&empty, &links), EBADMSG);
}

#define ONE "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\nfast_path = yes\n"
#define TWO ONE "[gateway nl]\naddress4 = 172.28.0.4\n"

static void what_is_not_checked_again_is_not_fit(void **state)
{
	static const struct { struct link link; const char *why; } cases[] = {
		{ { 2, 0, 0, "eth0" }, NULL },
		{ { 2, 9, 0, "eth0" }, "the interface eth0 is a part of br0, a bridge, bond or VRF, where" },
		{ { 2, 99, 0, "eth0" }, "the interface eth0 is a part of another one, a bridge" },
		{ { 2, 0, 3, "eth0" }, "the interface eth0 is built on eth1, which leads to a gateway too" },
		{ { 2, 0, 9, "eth0" }, NULL },
		{ { 7, 9, 3, "eth7" }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct link link[] = { cases[i].link, { .index = 3, .name = "eth1" }, { .index = 9, .name = "br0" } };
		const struct links links = { link, COUNT(link) };
		struct text why CLEANUP(text_free) = { 0 };
		struct example example;

		example_make(&example, TWO);
		example.exits.exit[0].interface.index = 2;
		example.exits.exit[1].interface.index = 3;
		assert_int_equal(fast_path_unfit(&example.exits, &links, &why), cases[i].why != NULL);
		if (cases[i].why)
			assert_contains(text_string(&why), cases[i].why);
		example_free(&example);
	}
}

static void tunnels_of_clients_are_added(void **state)
{
	struct link link[] = {
		{ .index = 2, .name = "eth0" }, { .index = 3, .name = "vpns0" }, { .index = 4, .name = "vpns-office" },
		{ .index = 5, .name = "vpns1", .master = 9 }, { .index = 6, .name = "eth5" }, { .index = 8, .name = "vpns12" },
	};
	static const struct host host = { .fast = true, .left_outs = 1, .left_out = { "vpns-office" } };
	const struct links links = { link, COUNT(link) };
	struct guard guard = { 0 };
	struct example example;

	(void)state;
	example_make(&example, ONE);
	fast_path_add_devices(&guard, &example.config, &example.exits, &host, &links);
	assert_int_equal(guard.fast.devices, 3);
	assert_string_equal(guard.fast.device[0].name, "eth0");
	assert_string_equal(guard.fast.device[1].name, "vpns0");
	assert_string_equal(guard.fast.device[2].name, "vpns12");
	guard_free(&guard);
	example_free(&example);
}

static void there_are_only_so_many(void **state)
{
	struct link *link = allocate(3000, sizeof(*link));
	const struct links links = { link, 3000 };
	struct nftables_batch batch;
	struct present present = { 0 };
	struct example example;
	const struct nlmsghdr *message;
	uint32_t sequence = 0;
	int left;

	(void)state;
	for (unsigned int i = 0; i < links.count; i++) {
		link[i] = (struct link){ .index = i + 10 };
		snprintf(link[i].name, IFNAMSIZ, "vpns%u", i);
	}
	example_make(&example, ONE);
	fast_path_add_devices(&example.wanted.guard, &example.config, &example.exits, &(struct host){ .fast = true }, &links);
	assert_int_equal(example.wanted.guard.fast.devices, GUARD_FAST_DEVICES);
	nftables_make_batch(&batch, &example.wanted.guard, false, true, 0, &sequence);
	message = (const struct nlmsghdr *)batch.buffer;
	left = (int)batch.size;
	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if ((message->nlmsg_type & 0xff) == NFT_MSG_NEWFLOWTABLE && message->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES)
			assert_int_equal(nftables_parse_flowtable(message, "ocserv_gw", &present.guard), 0);
	assert_true(present.guard.fast.there);
	assert_int_equal(present.guard.fast.devices, GUARD_FAST_DEVICES);
	free(batch.buffer);
	present_free(&present);
	example_free(&example);
	free(link);
}

/* Flow tables as the kernel lists them. */

static void another_flow_table_is_not_ours(void **state)
{
	static const struct {
		const char *table, *name;
		uint32_t hook, priority, flags;
		bool there, odd;
	} cases[] = {
		{ "ocserv_gw", "fast", 0, 0, 0, true, false },
		{ "ocserv_gw", "fast", 0, 10, 0, true, true },
		{ "ocserv_gw", "fast", 1, 0, 0, true, true },
		{ "ocserv_gw", "fast", 0, 0, 1, true, true },	/* NFT_FLOWTABLE_HW_OFFLOAD */
		{ "ocserv_gw", "other", 0, 0, 0, false, false },
		{ "other", "fast", 0, 0, 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char buffer[NETLINK_MESSAGE_SIZE];
		struct nlmsghdr *message = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_NEWFLOWTABLE, NFPROTO_INET, 0, 0);
		struct present_guard present = { .others = 2 };
		struct nlattr *hook;

		mnl_attr_put_strz(message, NFTA_FLOWTABLE_TABLE, cases[i].table);
		mnl_attr_put_strz(message, NFTA_FLOWTABLE_NAME, cases[i].name);
		mnl_attr_put_u32(message, NFTA_FLOWTABLE_FLAGS, htonl(cases[i].flags));
		hook = mnl_attr_nest_start(message, NFTA_FLOWTABLE_HOOK);
		mnl_attr_put_u32(message, NFTA_FLOWTABLE_HOOK_NUM, htonl(cases[i].hook));
		mnl_attr_put_u32(message, NFTA_FLOWTABLE_HOOK_PRIORITY, htonl(cases[i].priority));
		mnl_attr_nest_end(message, hook);
		assert_int_equal(nftables_parse_flowtable(message, "ocserv_gw", &present), 0);
		assert_int_equal(present.fast.there, cases[i].there);
		assert_int_equal(present.fast.odd, cases[i].odd);
		assert_int_equal(present.others, cases[i].there ? 1 : 2);
	}
}

/* Plans */

struct trial {
	struct example example;
	struct present present;
	struct plan plan;
	struct report report;
};

static void begin(struct trial *trial, const char *text)
{
	*trial = (struct trial){ 0 };
	example_make(&trial->example, text);
	present_as_wanted(&trial->present, &trial->example.wanted);
}

static void end(struct trial *trial)
{
	plan_free(&trial->plan);
	report_free(&trial->report);
	present_free(&trial->present);
	example_free(&trial->example);
}

static void install(struct trial *trial)
{
	assert_int_equal(plan_install(&trial->plan, &trial->example.config, &trial->example.wanted, &trial->present, &trial->report), 0);
}

static void rename_device(struct trial *trial, size_t i, const char *name)
{
	snprintf(trial->present.guard.fast.device[i].name, IFNAMSIZ, "%s", name);
}

static void check_script(const struct trial *trial, const char *lines)
{
	struct text script CLEANUP(text_free) = { 0 };

	assert_int_equal(trial->plan.steps, 1);
	script_add_step(&script, &trial->plan.step[0]);
	assert_string_equal(text_string(&script), lines);
}

static void interfaces_are_changed_one_by_one(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, ONE);
	rename_device(&trial, 0, "eth9");
	install(&trial);
	check_script(&trial, "nft -f - <<'END'\n"
		     "delete flowtable inet ocserv_gw fast { hook ingress priority filter; devices = { \"eth9\" }; }\n"
		     "add flowtable inet ocserv_gw fast { hook ingress priority filter; devices = { \"eth0\" }; }\n"
		     "END");
	assert_line(&trial.plan.problems, "flow table fast: eth9 does not belong there");
	assert_line(&trial.plan.problems, "flow table fast: eth0 is missing");
	end(&trial);
}

/* The kernel may list a tunnel that has gone; and what the session that begins lacks is nothing wrong. */
static void tunnels_come_and_go(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, ONE);
	rename_device(&trial, 1, "vpns9");
	trial.example.wanted.guard.fast.own = "vpns0";
	install(&trial);
	check_script(&trial, "nft -f - <<'END'\n"
		     "add flowtable inet ocserv_gw fast { hook ingress priority filter; devices = { \"vpns0\" }; }\n"
		     "END");
	assert_int_equal(trial.plan.problems.count, 0);
	end(&trial);
}

static void a_flow_table_is_made_with_the_table(void **state)
{
	static const struct { const char *text; bool there, odd; const char *problem; } cases[] = {
		{ "fast", false, false, "flow table fast is missing" },
		{ "fast", true, true, "flow table fast has another hook, priority or flags" },
		{ "many-fast", false, false, "flow table fast is missing" },
		{ "four", true, false, "flow table fast does not belong there" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trial trial;

		begin(&trial, strcmp(cases[i].text, "four") == 0 ?
		      "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n" : case_text(cases[i].text));
		trial.present.guard.fast.there = cases[i].there;
		trial.present.guard.fast.odd = cases[i].odd;
		install(&trial);
		assert_int_equal(trial.plan.steps, 1);
		assert_int_equal(trial.plan.step[0].kind, STEP_GUARD_LOAD);
		assert_line(&trial.plan.problems, cases[i].problem);
		end(&trial);
	}
}

/* What one session's connect does not look at stays. */
static void a_full_flow_table_takes_no_more(void **state)
{
	struct trial trial;

	(void)state;
	begin(&trial, ONE);
	trial.present.guard.fast.device = reallocate(trial.present.guard.fast.device, GUARD_FAST_DEVICES, sizeof(struct guard_device));
	trial.present.guard.fast.devices = GUARD_FAST_DEVICES;
	for (size_t i = 1; i < GUARD_FAST_DEVICES; i++)
		snprintf(trial.present.guard.fast.device[i].name, IFNAMSIZ, "vpns%zu", i);
	trial.example.wanted.guard.fast.own = "vpns0";
	install(&trial);
	assert_int_equal(trial.plan.steps, 0);
	end(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_directory(interfaces_are_read),
		in_directory(what_is_not_checked_again_is_not_fit),
		in_directory(tunnels_of_clients_are_added),
		in_directory(there_are_only_so_many),
		in_directory(another_flow_table_is_not_ours),
		in_directory(interfaces_are_changed_one_by_one),
		in_directory(tunnels_come_and_go),
		in_directory(a_flow_table_is_made_with_the_table),
		in_directory(a_full_flow_table_takes_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

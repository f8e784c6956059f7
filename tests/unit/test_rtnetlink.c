/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cases.h"
#include "kernel/netlink.h"
#include "kernel/rtnetlink.h"

#include <endian.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* The buffer of one message, aligned as those of libmnl. */
static union {
	struct nlmsghdr header;
	char bytes[NETLINK_MESSAGE_SIZE];
} buffer;

/* An RTM_NEWRULE as the kernel sends it: attributes follow. */
static struct nlmsghdr *begin_rule(uint8_t family, uint8_t action)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(&buffer);
	struct fib_rule_hdr *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = RTM_NEWRULE;
	header->family = family;
	header->action = action;
	return message;
}

static struct nlmsghdr *begin_route(uint8_t family, uint8_t type)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(&buffer);
	struct rtmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = RTM_NEWROUTE;
	header->rtm_family = family;
	header->rtm_type = type;
	return message;
}

static struct fib_rule_hdr *rule_header(void)
{
	return mnl_nlmsg_get_payload(&buffer.header);
}

static struct rtmsg *route_header(void)
{
	return mnl_nlmsg_get_payload(&buffer.header);
}

/* What we send */

static void rules_and_routes_are_read_back_as_sent(void **state)
{
	struct example example;

	example_make(&example, ((const struct config_case *)*state)->text);
	for (size_t i = 0; i < example.wanted.rules; i++) {
		const struct rule *sent = &example.wanted.rule[i];
		struct nlmsghdr *message = rtnetlink_add_rule(&buffer, sent);
		struct rule read;

		assert_int_equal(message->nlmsg_type, RTM_NEWRULE);
		assert_int_equal(message->nlmsg_flags, NLM_F_CREATE | NLM_F_EXCL);
		assert_true(rtnetlink_parse_rule(message, &read));
		assert_true(rule_equal(&read, sent));
		assert_false(read.shadows && !sent->inverted);
		assert_int_equal(read.protocol, ROUTING_PROTOCOL);
		assert_int_equal(read.mark, sent->mark);
		assert_int_equal(read.mask, sent->mask);
		rule_free(&read);
	}
	for (size_t i = 0; i < example.wanted.routes; i++) {
		const struct route *sent = &example.wanted.route[i];
		struct nlmsghdr *message = rtnetlink_add_route(&buffer, sent);
		struct route read;

		assert_int_equal(message->nlmsg_type, RTM_NEWROUTE);
		assert_int_equal(message->nlmsg_flags, NLM_F_CREATE | NLM_F_EXCL);
		assert_true(rtnetlink_parse_route(message, &read));
		assert_true(route_equal(&read, sent));
		assert_int_equal(route_header()->rtm_flags, sent->onlink ? RTNH_F_ONLINK : 0);
		assert_int_equal(read.protocol, ROUTING_PROTOCOL);
		assert_null(read.other);
		route_free(&read);
	}
	example_free(&example);
}

static void a_rule_is_deleted_by_what_the_kernel_told_of_it(void **state)
{
	struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
	struct rule rule;
	char payload[512];
	size_t length;

	(void)state;
	mnl_attr_put_u32(message, FRA_PRIORITY, 1000);
	mnl_attr_put_u32(message, FRA_FWMARK, 7);
	mnl_attr_put_strz(message, FRA_IIFNAME, "eth1");
	mnl_attr_put(message, 4711, 3, "abc");
	length = mnl_nlmsg_get_payload_len(message);
	memcpy(payload, mnl_nlmsg_get_payload(message), length);
	assert_true(rtnetlink_parse_rule(message, &rule));

	message = rtnetlink_delete_rule(&buffer, &rule);
	assert_int_equal(message->nlmsg_type, RTM_DELRULE);
	assert_int_equal(mnl_nlmsg_get_payload_len(message), length);
	assert_memory_equal(mnl_nlmsg_get_payload(message), payload, length);
	rule_free(&rule);
}

static void a_route_is_deleted_by_what_the_kernel_told_of_it(void **state)
{
	struct nlmsghdr *message = begin_route(AF_INET6, RTN_UNICAST);
	struct route route;
	char payload[512];
	size_t length;

	(void)state;
	mnl_attr_put_u32(message, RTA_TABLE, 100);
	mnl_attr_put_u32(message, RTA_PRIORITY, 512);
	mnl_attr_put(message, 4711, 3, "abc");
	length = mnl_nlmsg_get_payload_len(message);
	memcpy(payload, mnl_nlmsg_get_payload(message), length);
	assert_true(rtnetlink_parse_route(message, &route));

	message = rtnetlink_delete_route(&buffer, &route);
	assert_int_equal(message->nlmsg_type, RTM_DELROUTE);
	assert_int_equal(mnl_nlmsg_get_payload_len(message), length);
	assert_memory_equal(mnl_nlmsg_get_payload(message), payload, length);
	route_free(&route);
}

static void dumps_ask_for_both_families(void **state)
{
	const struct nlmsghdr *message = rtnetlink_dump_rules(&buffer);
	const struct nlattr *attribute;

	(void)state;
	assert_int_equal(message->nlmsg_type, RTM_GETRULE);
	assert_int_equal(message->nlmsg_flags, NLM_F_DUMP);
	assert_int_equal(rule_header()->family, AF_UNSPEC);

	message = rtnetlink_dump_routes(&buffer, 4294967295);
	assert_int_equal(message->nlmsg_type, RTM_GETROUTE);
	assert_int_equal(message->nlmsg_flags, NLM_F_DUMP);
	assert_int_equal(route_header()->rtm_family, AF_UNSPEC);
	attribute = mnl_nlmsg_get_payload_offset(message, sizeof(struct rtmsg));
	assert_int_equal(mnl_attr_get_type(attribute), RTA_TABLE);
	assert_int_equal(mnl_attr_get_u32(attribute), 4294967295);
}

static void the_way_to_an_address_is_asked_for(void **state)
{
	const struct address destination = address_of("fd28::2");
	struct route asked;

	(void)state;
	rtnetlink_get_route(&buffer, &destination, 0);
	assert_int_equal(buffer.header.nlmsg_type, RTM_GETROUTE);
	assert_int_equal(buffer.header.nlmsg_flags, 0);
	buffer.header.nlmsg_type = RTM_NEWROUTE;	/* to be parsed */
	assert_true(rtnetlink_parse_route(&buffer.header, &asked));
	assert_int_equal(asked.family, AF_INET6);
	assert_int_equal(asked.destination_length, 128);
	assert_true(address_equal(&asked.destination, &destination));
	assert_int_equal(asked.interface, 0);
	assert_int_equal(route_header()->rtm_flags, 0);
	route_free(&asked);

	rtnetlink_get_route(&buffer, &destination, 7)->nlmsg_type = RTM_NEWROUTE;
	assert_true(rtnetlink_parse_route(&buffer.header, &asked));
	assert_int_equal(asked.interface, 7);
	assert_int_equal(route_header()->rtm_flags, RTM_F_FIB_MATCH);
	route_free(&asked);
}

/* What the kernel tells of rules of others */

static void put_mark(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, FRA_FWMARK, 1);
}

static void put_masked_mark(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, FRA_FWMARK, 0x10);
	mnl_attr_put_u32(message, FRA_FWMASK, 0xf0);
}

static void put_zero_mark(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, FRA_FWMARK, 0);
	mnl_attr_put_u32(message, FRA_FWMASK, 0xffffffff);
}

static void put_zero_of_mask(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, FRA_FWMARK, 0);
	mnl_attr_put_u32(message, FRA_FWMASK, 0xff);
}

static void put_incoming(struct nlmsghdr *message)
{
	mnl_attr_put_strz(message, FRA_IIFNAME, "eth1");
}

static void put_hostile_incoming(struct nlmsghdr *message)
{
	mnl_attr_put_strz(message, FRA_IIFNAME, "`id`;$x'y");
}

static void put_endless_incoming(struct nlmsghdr *message)
{
	mnl_attr_put_strz(message, FRA_IIFNAME, "abcdefghijklmnopqrstuvwxyz");
}

static void put_outgoing(struct nlmsghdr *message)
{
	mnl_attr_put_strz(message, FRA_OIFNAME, "eth2");
}

static void put_hostile_outgoing(struct nlmsghdr *message)
{
	mnl_attr_put_strz(message, FRA_OIFNAME, "`id`;$x'y");
}

static void put_uid_range(struct nlmsghdr *message)
{
	const struct fib_rule_uid_range range = { 1000, 2000 };

	mnl_attr_put(message, FRA_UID_RANGE, sizeof(range), &range);
}

static void put_low_uids(struct nlmsghdr *message)
{
	const struct fib_rule_uid_range range = { 0, 999 };

	mnl_attr_put(message, FRA_UID_RANGE, sizeof(range), &range);
}

static void put_any_uid(struct nlmsghdr *message)
{
	const struct fib_rule_uid_range range = { 0, UINT32_MAX };

	mnl_attr_put(message, FRA_UID_RANGE, sizeof(range), &range);
}

static void put_protocol(struct nlmsghdr *message)
{
	mnl_attr_put_u8(message, FRA_IP_PROTO, IPPROTO_TCP);
}

static void put_ports(struct nlmsghdr *message)
{
	const struct fib_rule_port_range source = { 1024, 65535 }, destination = { 443, 443 };

	mnl_attr_put(message, FRA_SPORT_RANGE, sizeof(source), &source);
	mnl_attr_put(message, FRA_DPORT_RANGE, sizeof(destination), &destination);
}

/* The masks of Linux 6.15, 28 and 29: one of all bits comes with every port. */
static void put_port_with_mask(struct nlmsghdr *message)
{
	const struct fib_rule_port_range range = { 53, 53 };

	mnl_attr_put(message, FRA_DPORT_RANGE, sizeof(range), &range);
	mnl_attr_put_u16(message, 28, 0xffff);
	mnl_attr_put_u16(message, 29, 0xffff);
}

static void put_masked_port(struct nlmsghdr *message)
{
	mnl_attr_put_u16(message, 28, 0xfff0);
	mnl_attr_put_u16(message, 29, 0xff00);
}

static void put_l3mdev(struct nlmsghdr *message)
{
	mnl_attr_put_u8(message, FRA_L3MDEV, 1);
}

static void put_group(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, FRA_SUPPRESS_IFGROUP, 5);
}

static void put_no_group(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, FRA_SUPPRESS_IFGROUP, UINT32_MAX);
	mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
	mnl_attr_put_u32(message, FRA_FLOW, 0);
	mnl_attr_put_u8(message, FRA_L3MDEV, 0);
}

static void put_tunnel(struct nlmsghdr *message)
{
	mnl_attr_put_u64(message, FRA_TUN_ID, htobe64(77));
}

static void put_tos(struct nlmsghdr *message)
{
	(void)message;
	rule_header()->tos = 0x10;
}

static void put_inversion(struct nlmsghdr *message)
{
	rule_header()->flags |= FIB_RULE_INVERT;
	put_incoming(message);
}

static void put_unknown(struct nlmsghdr *message)
{
	mnl_attr_put_u32(message, 99, 1);
}

static void put_nothing(struct nlmsghdr *message)
{
	(void)message;
}

static void selectors_that_we_never_use_are_told(void **state)
{
	static const struct {
		void (*put)(struct nlmsghdr *message);
		const char *other, *incoming;
		bool local_only, inverted, shadows;
	} cases[] = {
		{ put_nothing, NULL, "", false, false, false },
		{ put_mark, "fwmark 0x1/0xffffffff", "", true, false, false },
		{ put_masked_mark, "fwmark 0x10/0xf0", "", true, false, false },
		{ put_zero_mark, NULL, "", false, false, false },
		{ put_zero_of_mask, "fwmark 0x0/0xff", "", false, false, false },
		{ put_incoming, NULL, "eth1", false, false, false },
		{ put_hostile_incoming, NULL, "`id`;$x'y", false, false, false },
		{ put_endless_incoming, NULL, "abcdefghijklmno", false, false, false },
		{ put_outgoing, "oif eth2", "", true, false, false },
		{ put_hostile_outgoing, "oif '`id`;$x'\\''y'", "", true, false, false },
		{ put_uid_range, "uidrange 1000-2000", "", false, false, false },
		{ put_low_uids, "uidrange 0-999", "", false, false, false },
		{ put_any_uid, NULL, "", false, false, false },
		{ put_protocol, "ipproto 6", "", false, false, false },
		{ put_ports, "sport 1024-65535 dport 443", "", false, false, false },
		{ put_port_with_mask, "dport 53", "", false, false, false },
		{ put_masked_port, "attribute 28 attribute 29", "", false, false, false },
		{ put_l3mdev, "l3mdev", "", true, false, false },
		{ put_group, "suppress_ifgroup 5", "", false, false, false },
		{ put_no_group, NULL, "", false, false, false },
		{ put_tunnel, "tun_id 77", "", false, false, false },
		{ put_tos, "tos 0x10", "", false, false, true },
		{ put_inversion, NULL, "eth1", false, true, true },
		{ put_unknown, "attribute 99", "", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
		struct rule rule;

		cases[i].put(message);
		assert_true(rtnetlink_parse_rule(message, &rule));
		assert_string_equal(rule.other ? rule.other : "", cases[i].other ? cases[i].other : "");
		assert_int_equal(rule.other == NULL, cases[i].other == NULL);
		assert_string_equal(rule.incoming, cases[i].incoming);
		assert_int_equal(rule.local_only, cases[i].local_only);
		assert_int_equal(rule.inverted, cases[i].inverted);
		assert_int_equal(rule.shadows, cases[i].shadows);
		rule_free(&rule);
	}
}

static void the_goal_of_a_goto_is_its_table(void **state)
{
	struct nlmsghdr *message = begin_rule(AF_INET6, FR_ACT_GOTO);
	struct rule rule;

	(void)state;
	mnl_attr_put_u32(message, FRA_TABLE, 0);
	mnl_attr_put_u32(message, FRA_GOTO, 3000);
	assert_true(rtnetlink_parse_rule(message, &rule));
	assert_int_equal(rule.table, 3000);
	assert_null(rule.other);
	rule_free(&rule);
}

static void a_table_above_255_comes_as_attribute(void **state)
{
	struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
	struct route route;
	struct rule rule;

	(void)state;
	rule_header()->table = 77;
	assert_true(rtnetlink_parse_rule(message, &rule));
	assert_int_equal(rule.table, 77);
	rule_free(&rule);
	mnl_attr_put_u32(message, FRA_TABLE, 4711);
	assert_true(rtnetlink_parse_rule(message, &rule));
	assert_int_equal(rule.table, 4711);
	rule_free(&rule);

	message = begin_route(AF_INET, RTN_UNICAST);
	route_header()->rtm_table = 77;
	mnl_attr_put_u32(message, RTA_TABLE, 4711);
	assert_true(rtnetlink_parse_route(message, &route));
	assert_int_equal(route.table, 4711);
	route_free(&route);
}

static void routes_of_others_are_told(void **state)
{
	static const struct { uint16_t type; size_t length; const char *other; bool indirect; } cases[] = {
		{ RTA_MULTIPATH, 8, "several next hops", true },
		{ RTA_VIA, 18, "a next hop of another family", true },
		{ RTA_METRICS, 8, "metrics", false },
		{ RTA_PREFSRC, 4, "a preferred source", false },
		{ RTA_ENCAP, 8, "an encapsulation", true },
	};
	static const char zeros[32];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nlmsghdr *message = begin_route(AF_INET, RTN_UNICAST);
		struct route route;

		mnl_attr_put(message, cases[i].type, cases[i].length, zeros);
		assert_true(rtnetlink_parse_route(message, &route));
		assert_string_equal(route.other, cases[i].other);
		assert_int_equal(route.indirect, cases[i].indirect);
		route_free(&route);
	}
}

/* With its way beside it, it is as good as a route without one. */
static void a_nexthop_object_is_told_where_its_way_is_not(void **state)
{
	static const struct { bool way; uint8_t type; const char *other; } cases[] = {
		{ false, RTN_UNICAST, "nexthop object 7" }, { true, RTN_UNICAST, "" }, { false, RTN_BLACKHOLE, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nlmsghdr *message = begin_route(AF_INET, cases[i].type);
		struct route route;

		mnl_attr_put_u32(message, RTA_NH_ID, 7);
		if (cases[i].way)
			mnl_attr_put_u32(message, RTA_OIF, 2);
		assert_true(rtnetlink_parse_route(message, &route));
		assert_string_equal(route.other ? route.other : "", cases[i].other);
		assert_int_equal(route.indirect, cases[i].other[0] != 0);
		route_free(&route);
	}
}

static void several_differences_of_a_route_are_told(void **state)
{
	struct nlmsghdr *message = begin_route(AF_INET6, RTN_UNICAST);
	const struct rta_cacheinfo info = { .rta_expires = 300 };
	struct route route;
	char text[PREFIX_TEXT];

	(void)state;
	route_header()->rtm_tos = 0x10;
	route_header()->rtm_src_len = 64;
	mnl_attr_put(message, RTA_SRC, 16, address_of("fd20::").bytes);
	mnl_attr_put(message, RTA_CACHEINFO, sizeof(info), &info);
	mnl_attr_put_u32(message, RTA_METRICS, 0);
	assert_true(rtnetlink_parse_route(message, &route));
	assert_string_equal(route.other, "an expiry metrics");
	assert_int_equal(route.tos, 0x10);
	assert_string_equal(prefix_text(&route.source, text), "fd20::/64");
	route_free(&route);
}

static void what_the_kernel_adds_to_every_route_is_no_difference(void **state)
{
	struct nlmsghdr *message = begin_route(AF_INET6, RTN_UNICAST);
	const struct rta_cacheinfo info = { .rta_error = 1 };
	struct route route;

	(void)state;
	mnl_attr_put(message, RTA_CACHEINFO, sizeof(info), &info);
	mnl_attr_put_u8(message, RTA_PREF, 0);
	assert_true(rtnetlink_parse_route(message, &route));
	assert_null(route.other);
	route_free(&route);
}

/* What makes no sense */

static void other_families_are_passed_over(void **state)
{
	static const uint8_t families[] = { AF_UNSPEC, 128, 129, AF_BRIDGE };	/* 128, 129: multicast routing */

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct route route;
		struct rule rule;

		assert_false(rtnetlink_parse_rule(begin_rule(families[i], FR_ACT_TO_TBL), &rule));
		assert_false(rtnetlink_parse_route(begin_route(families[i], RTN_UNICAST), &route));
	}
}

static void a_header_alone_is_an_object(void **state)
{
	struct route route;
	struct rule rule;

	(void)state;
	assert_true(rtnetlink_parse_rule(begin_rule(AF_INET, FR_ACT_PROHIBIT), &rule));
	assert_int_equal(rule.action, FR_ACT_PROHIBIT);
	assert_int_equal(rule.suppress_prefixlength, -1);
	rule_free(&rule);
	assert_true(rtnetlink_parse_route(begin_route(AF_INET, RTN_PROHIBIT), &route));
	assert_int_equal(route.type, RTN_PROHIBIT);
	route_free(&route);
}

static void a_number_cut_short_is_zero(void **state)
{
	struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
	struct rule rule;

	(void)state;
	mnl_attr_put(message, FRA_PRIORITY, 3, "\xff\xff\xff");
	mnl_attr_put(message, FRA_PROTOCOL, 0, "");
	assert_true(rtnetlink_parse_rule(message, &rule));
	assert_int_equal(rule.priority, 0);
	assert_int_equal(rule.protocol, 0);
	assert_int_equal(rule.table, 0);
	rule_free(&rule);
}

static void short_messages_are_refused(void **state)
{
	struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
	struct route route;
	struct rule rule;

	(void)state;
	for (; message->nlmsg_len > MNL_NLMSG_HDRLEN; ) {
		message->nlmsg_len--;
		assert_false(rtnetlink_parse_rule(message, &rule));
		assert_false(rtnetlink_parse_route(message, &route));
	}
}

static void short_attributes_are_harmless(void **state)
{
	(void)state;
	for (uint16_t type = 0; type < 64; type++) {
		for (size_t length = 0; length < 24; length++) {
			struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
			struct text text CLEANUP(text_free) = { 0 };
			struct route route;
			struct rule rule;

			mnl_attr_put(message, type, length, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d"
							    "\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18");
			assert_true(rtnetlink_parse_rule(message, &rule));
			rule_add_text(&text, &rule);
			rule_free(&rule);
			assert_false(rtnetlink_parse_route(message, &route));
			message->nlmsg_type = RTM_NEWROUTE;
			assert_true(rtnetlink_parse_route(message, &route));
			route_add_text(&text, &route);
			route_free(&route);
		}
	}
}

static void an_address_of_the_wrong_size_is_none(void **state)
{
	struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
	struct route route;
	struct rule rule;

	(void)state;
	mnl_attr_put(message, FRA_SRC, 16, address_of("fd20::1").bytes);
	assert_true(rtnetlink_parse_rule(message, &rule));
	assert_int_equal(rule.source.address.family, AF_UNSPEC);
	rule_free(&rule);

	message = begin_route(AF_INET6, RTN_UNICAST);
	mnl_attr_put(message, RTA_GATEWAY, 4, address_of("172.28.0.2").bytes);
	assert_true(rtnetlink_parse_route(message, &route));
	assert_int_equal(route.gateway.family, AF_UNSPEC);
	route_free(&route);
}

/* An attribute whose length reaches beyond its message ends the reading. */
static void attributes_that_lie_about_their_length_are_passed_over(void **state)
{
	static const uint16_t lengths[] = { 0, 1, 3, 9, 200, 0xffff };

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct nlmsghdr *message = begin_rule(AF_INET, FR_ACT_TO_TBL);
		struct nlattr *attribute = mnl_nlmsg_get_payload_tail(message);
		struct rule rule;

		mnl_attr_put_u32(message, FRA_FWMARK, 1);
		attribute->nla_len = lengths[i];
		assert_true(rtnetlink_parse_rule(message, &rule));
		assert_null(rule.other);
		rule_free(&rule);
	}
}

static struct nlmsghdr *begin_address(uint8_t family, uint8_t length)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(&buffer);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));

	message->nlmsg_type = RTM_NEWADDR;
	*header = (struct ifaddrmsg){ .ifa_family = family, .ifa_prefixlen = length, .ifa_index = 7 };
	return message;
}

static void an_address_has_the_prefix_of_its_peer(void **state)
{
	struct nlmsghdr *message = begin_address(AF_INET, 30);
	const struct address own = address_of("10.0.0.1"), peer = address_of("172.28.0.2");
	struct interface_address address;

	(void)state;
	mnl_attr_put(message, IFA_ADDRESS, 4, peer.bytes);
	mnl_attr_put(message, IFA_LOCAL, 4, own.bytes);
	assert_true(rtnetlink_parse_address(message, &address));
	assert_true(address_equal(&address.own, &own));
	assert_true(address_equal(&address.peer, &peer));
	assert_int_equal(address.length, 30);
	assert_int_equal(address.interface, 7);
	assert_false(address.link_local);
}

/* IPv6 tells it in one attribute, and so does IPv4 of a peer that is 0.0.0.0, in the other one. */
static void an_address_without_a_peer_is_its_own(void **state)
{
	static const struct { uint16_t type; bool has_peer; } cases[] = { { IFA_ADDRESS, true }, { IFA_LOCAL, false } };
	const struct address own = address_of("10.0.0.1");
	struct interface_address address;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct nlmsghdr *message = begin_address(AF_INET, 30);

		((struct ifaddrmsg *)mnl_nlmsg_get_payload(message))->ifa_scope = RT_SCOPE_LINK;
		mnl_attr_put(message, cases[i].type, 4, own.bytes);
		assert_true(rtnetlink_parse_address(message, &address));
		assert_true(address_equal(&address.own, &own));
		assert_int_equal(address_equal(&address.peer, &own), cases[i].has_peer);
		assert_true(address.link_local);
	}
}

static void what_is_no_address_is_passed_over(void **state)
{
	struct nlmsghdr *message = begin_address(AF_INET, 33);
	struct interface_address address;

	(void)state;
	mnl_attr_put(message, IFA_ADDRESS, 4, address_of("172.28.0.2").bytes);
	assert_false(rtnetlink_parse_address(message, &address));
	message = begin_address(AF_BRIDGE, 24);
	assert_true(rtnetlink_parse_address(message, &address));
	assert_int_equal(address.own.family, AF_UNSPEC);
	message = begin_address(AF_INET6, 64);
	assert_false(rtnetlink_parse_address(message, &address));
	mnl_attr_put(message, IFA_ADDRESS, 4, address_of("172.28.0.2").bytes);
	assert_false(rtnetlink_parse_address(message, &address));
	message = begin_address(AF_INET, 24);
	mnl_attr_put(message, IFA_LOCAL, 4, address_of("172.28.0.2").bytes);
	mnl_attr_put(message, IFA_ADDRESS, 16, address_of("fd28::2").bytes);
	assert_false(rtnetlink_parse_address(message, &address));
	message->nlmsg_type = RTM_DELADDR;
	assert_false(rtnetlink_parse_address(message, &address));
	mnl_nlmsg_put_header(&buffer)->nlmsg_type = RTM_NEWADDR;
	assert_false(rtnetlink_parse_address(message, &address));
}

static void addresses_of_one_interface_are_asked_for(void **state)
{
	struct nlmsghdr *message = rtnetlink_dump_addresses(&buffer, AF_INET6, 7);
	const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);

	(void)state;
	assert_int_equal(message->nlmsg_type, RTM_GETADDR);
	assert_int_equal(message->nlmsg_flags, NLM_F_DUMP);
	assert_int_equal(header->ifa_family, AF_INET6);
	assert_int_equal(header->ifa_index, 7);
	assert_int_equal(header->ifa_prefixlen + header->ifa_flags + header->ifa_scope, 0);
}

static void neighbours_are_read_back_as_sent(void **state)
{
	static const char *const gateways[] = { "172.28.0.2", "fe80::2" };

	(void)state;
	for (size_t i = 0; i < COUNT(gateways); i++) {
		struct neighbour sent = {
			.address = address_of(gateways[i]), .interface = 7, .mac = { true, { 2, 0, 0, 0, 0, 9 } },
			.protocol = ROUTING_PROTOCOL, .state = NUD_PERMANENT,
		}, read;
		struct nlmsghdr *message = rtnetlink_replace_neighbour(&buffer, &sent);

		assert_int_equal(message->nlmsg_type, RTM_NEWNEIGH);
		assert_int_equal(message->nlmsg_flags, NLM_F_CREATE | NLM_F_REPLACE);
		assert_true(rtnetlink_parse_neighbour(message, &read));
		assert_memory_equal(&read, &sent, sizeof(sent));
		message = rtnetlink_delete_neighbour(&buffer, &sent);
		assert_int_equal(message->nlmsg_type, RTM_DELNEIGH);
		assert_true(rtnetlink_parse_neighbour(message, &read));
		assert_true(address_equal(&read.address, &sent.address));
		assert_int_equal(read.interface, 7);
		message = rtnetlink_get_neighbour(&buffer, &sent.address, 7);
		assert_int_equal(message->nlmsg_type, RTM_GETNEIGH);
		assert_int_equal(message->nlmsg_flags, 0);
		message = rtnetlink_dump_neighbours(&buffer, sent.address.family);
		assert_int_equal(message->nlmsg_flags, NLM_F_DUMP);
		assert_false(rtnetlink_parse_neighbour(message, &read));
	}
}

static void a_neighbour_with_another_kind_of_address_has_none_known(void **state)
{
	struct neighbour neighbour = { .address = address_of("172.28.0.2"), .interface = 7 };
	struct nlmsghdr *message = rtnetlink_get_neighbour(&buffer, &neighbour.address, 7);

	(void)state;
	mnl_attr_put(message, NDA_LLADDR, 20, "an Infiniband address");
	assert_true(rtnetlink_parse_neighbour(message, &neighbour));
	assert_false(neighbour.mac.known);
}

int main(void)
{
	struct CMUnitTest tests[CONFIG_CASES + 22] = {
		in_directory(an_address_has_the_prefix_of_its_peer),
		in_directory(an_address_without_a_peer_is_its_own),
		in_directory(what_is_no_address_is_passed_over),
		in_directory(addresses_of_one_interface_are_asked_for),
		in_directory(neighbours_are_read_back_as_sent),
		in_directory(a_neighbour_with_another_kind_of_address_has_none_known),
		in_directory(a_rule_is_deleted_by_what_the_kernel_told_of_it),
		in_directory(a_route_is_deleted_by_what_the_kernel_told_of_it),
		in_directory(dumps_ask_for_both_families),
		in_directory(the_way_to_an_address_is_asked_for),
		in_directory(selectors_that_we_never_use_are_told),
		in_directory(the_goal_of_a_goto_is_its_table),
		in_directory(a_table_above_255_comes_as_attribute),
		in_directory(routes_of_others_are_told),
		in_directory(a_nexthop_object_is_told_where_its_way_is_not),
		in_directory(several_differences_of_a_route_are_told),
		in_directory(what_the_kernel_adds_to_every_route_is_no_difference),
		in_directory(other_families_are_passed_over),
		in_directory(a_header_alone_is_an_object),
		in_directory(a_number_cut_short_is_zero),
		in_directory(short_messages_are_refused),
		in_directory(short_attributes_are_harmless),
		in_directory(an_address_of_the_wrong_size_is_none),
		in_directory(attributes_that_lie_about_their_length_are_passed_over),
	};

	case_tests(tests + COUNT(tests) - CONFIG_CASES, "rules and routes are read back of",
		   rules_and_routes_are_read_back_as_sent);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

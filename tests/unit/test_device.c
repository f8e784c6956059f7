/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/device.h"
#include "support.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#define OLDEST_SIZE offsetof(struct rtnl_link_stats64, rx_errors)

/* An answer with as much of the counters as @size; without them where it is 0. */
static int take(uint16_t type, size_t size, struct device_traffic *bytes)
{
	const struct rtnl_link_stats64 counted = { .rx_packets = 1, .tx_packets = 2, .rx_bytes = 3, .tx_bytes = 1ULL << 40 };
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(message, IFLA_MTU, 1434);
	if (size)
		mnl_attr_put(message, IFLA_STATS64, size, &counted);
	return device_take_traffic(message, bytes);
}

static void what_the_kernel_receives_comes_from_the_client(void **state)
{
	struct device_traffic bytes = { 0 };

	(void)state;
	assert_int_equal(take(RTM_NEWLINK, sizeof(struct rtnl_link_stats64), &bytes), 0);
	assert_int_equal(bytes.in, 3);
	assert_int_equal(bytes.out, 1ULL << 40);
	assert_int_equal(bytes.packets_in, 1);
	assert_int_equal(bytes.packets_out, 2);
}

static void older_kernels_tell_less(void **state)
{
	struct device_traffic bytes = { 0 };

	(void)state;
	assert_int_equal(take(RTM_NEWLINK, OLDEST_SIZE, &bytes), 0);
	assert_int_equal(bytes.in, 3);
}

static void answers_that_make_no_sense_are_refused(void **state)
{
	struct device_traffic bytes = { 0 };
	struct nlmsghdr empty = { .nlmsg_len = sizeof(empty), .nlmsg_type = RTM_NEWLINK };

	(void)state;
	assert_int_equal(take(RTM_NEWLINK, OLDEST_SIZE - 8, &bytes), EBADMSG);
	assert_int_equal(take(RTM_NEWLINK, 0, &bytes), EBADMSG);
	assert_int_equal(take(RTM_DELLINK, OLDEST_SIZE, &bytes), EBADMSG);
	assert_int_equal(device_take_traffic(&empty, &bytes), EBADMSG);
	assert_int_equal(bytes.in, 0);
}

/* A VLAN, a port of a bridge, and a veth, whose other end may be in another network namespace. */
static void places_are_told(void **state)
{
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		struct device_place place = { 7, 7 };
		char buffer[NETLINK_MESSAGE_SIZE];
		struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

		(void)state;
		assert_int_equal(device_take_place(message, &place), EBADMSG);
		message->nlmsg_type = RTM_NEWLINK;
		mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
		assert_int_equal(device_take_place(message, &place), 0);
		assert_int_equal(place.lower + place.master, 0);
		mnl_attr_put_u32(message, IFLA_LINK, 2);
		mnl_attr_put_u32(message, IFLA_MASTER, 3);
		if (elsewhere)
			mnl_attr_put_u32(message, IFLA_LINK_NETNSID, 0);
		assert_int_equal(device_take_place(message, &place), 0);
		assert_int_equal(place.lower, elsewhere ? 0 : 2);
		assert_int_equal(place.master, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_kernel_receives_comes_from_the_client),
		cmocka_unit_test(older_kernels_tell_less),
		cmocka_unit_test(answers_that_make_no_sense_are_refused),
		cmocka_unit_test(places_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/netlink.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers that wait on one end of a pair of sockets, in place of the kernel, for a request on the other. */

#define OWN 8U			/* the number of the request */
#define EARLIER (OWN - 1)	/* one that was not answered in time */
#define TYPE 20			/* of a message that a handler takes */

struct answers {
	struct netlink netlink;
	int kernel;
	char datagram[256];
	size_t length;
};

static void begin(struct answers *answers)
{
	int ends[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), errno);
	*answers = (struct answers){ .netlink = { .socket = ends[0], .sequence = EARLIER }, .kernel = ends[1] };
}

static void end(struct answers *answers)
{
	netlink_close(&answers->netlink);
	close(answers->kernel);
}

static void add(struct answers *answers, uint16_t type, uint32_t sequence)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(answers->datagram + answers->length);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_MULTI;
	message->nlmsg_seq = sequence;
	mnl_attr_put_u32(message, 1, 0);
	answers->length += message->nlmsg_len;
}

/* @cut: bytes that its end lacks */
static void deliver(struct answers *answers, size_t cut)
{
	assert_int_equal(send(answers->kernel, answers->datagram, answers->length - cut, 0), answers->length - cut);
	answers->length = 0;
}

static int count(const struct nlmsghdr *message, void *data)
{
	(void)message;
	++*(int *)data;
	return 0;
}

/* The messages that were taken, or less than 0: the errno. */
static int ask(struct answers *answers)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct netlink_error error;
	int taken = 0;

	return netlink_request(&answers->netlink, request, count, &taken, &error) < 0 ? -error.number : taken;
}

static void a_dump_ends_with_its_end(void **state)
{
	struct answers answers;

	(void)state;
	begin(&answers);
	add(&answers, TYPE, OWN);
	add(&answers, TYPE, OWN);
	deliver(&answers, 0);
	add(&answers, TYPE, OWN);
	deliver(&answers, 0);
	add(&answers, NLMSG_DONE, OWN);
	deliver(&answers, 0);
	assert_int_equal(ask(&answers), 3);
	end(&answers);
}

static void what_answers_an_earlier_request_is_passed_over(void **state)
{
	struct answers answers;

	(void)state;
	begin(&answers);
	add(&answers, TYPE, EARLIER);
	add(&answers, NLMSG_DONE, EARLIER);
	deliver(&answers, 0);
	add(&answers, TYPE, OWN);
	deliver(&answers, 0);
	add(&answers, NLMSG_DONE, OWN);
	deliver(&answers, 0);
	assert_int_equal(ask(&answers), 1);
	end(&answers);
}

/* As the last of several, as the only one, and where its header is cut. */
static void a_message_that_is_cut_off_ends_the_request(void **state)
{
	static const struct { unsigned int messages; size_t cut; } cases[] = { { 2, 4 }, { 1, 4 }, { 2, 16 }, { 2, 23 } };
	struct answers answers;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&answers);
		for (unsigned int j = 0; j < cases[i].messages; j++)
			add(&answers, TYPE, OWN);
		deliver(&answers, cases[i].cut);
		add(&answers, NLMSG_DONE, OWN);
		deliver(&answers, 0);
		assert_int_equal(ask(&answers), -EBADMSG);
		end(&answers);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_ends_with_its_end),
		cmocka_unit_test(what_answers_an_earlier_request_is_passed_over),
		cmocka_unit_test(a_message_that_is_cut_off_ends_the_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

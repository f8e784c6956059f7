/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/await.h"
#include "base/log.h"
#include "kernel/gateway.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* An address is told before the route to its network is there, so routes as well. */
static int listen_to(struct netlink *news, struct report *report)
{
	static const int groups[] = {
		RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
	};
	const struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	int result = netlink_open(news, NETLINK_ROUTE, report);

	/* One that has no number is not told: 0 is the kernel's own. */
	if (result == 0)
		result = bind(news->socket, (const struct sockaddr *)&own, sizeof(own));
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups) && result == 0; i++) {
		int group = groups[i];

		result = setsockopt(news->socket, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
	}
	return result;
}

/* Waits for news until @end, and takes all there is: what they say is asked anew. False once the time is over. */
static bool take_news(const struct netlink *news, long long end)
{
	struct pollfd socket = { .fd = news->socket, .events = POLLIN };
	long long left = end - now_ms();
	char ignored[1];

	if (left <= 0 || poll(&socket, 1, (int)left) <= 0)
		return false;
	/* ENOBUFS: there was more than it could keep. */
	while (recv(socket.fd, ignored, sizeof(ignored), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	return true;
}

static bool is_there(struct netlink *route, const struct config *config, const struct choices *chosen,
		     struct report *report)
{
	struct exits exits;
	bool there;

	report_free(report);
	exits_make(&exits, config);
	there = gateway_find(route, config, chosen, &exits, report) == 0;
	exits_free(&exits);
	return there;
}

void await_gateway(const struct config *config, const struct choices *chosen, unsigned int seconds)
{
	long long end = now_ms() + seconds * 1000LL;
	struct netlink news = { 0 }, route = { 0 };
	struct report report = { 0 };

	if (listen_to(&news, &report) == 0 && netlink_open(&route, NETLINK_ROUTE, &report) == 0 &&
	    !is_there(&route, config, chosen, &report)) {
		log_line(LOG_LEVEL_INFO, "waiting up to %u seconds for the gateway: %s", seconds, report.errors.line[0]);
		while (take_news(&news, end) && !is_there(&route, config, chosen, &report))
			;
	}
	netlink_close(&route);
	netlink_close(&news);
	report_free(&report);
}

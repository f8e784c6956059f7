/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "advice.h"
#include "apply.h"
#include "foreign.h"
#include "neighbour.h"

#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <unistd.h>

/* A number from /proc/sys/net; -1 where there is none. */
static int read_setting(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char digit = '\0';
	ssize_t got = fd < 0 ? -1 : read(fd, &digit, 1);

	if (fd >= 0)
		close(fd);
	return got == 1 ? digit - '0' : -1;
}

static void advise_forwarding(const struct config *config, struct report *report)
{
	if (config->gateway[IPV4].mode == GATEWAY_ADDRESS && read_setting("/proc/sys/net/ipv4/ip_forward") == 0)
		report_warning(report, "IPv4 forwarding is off: clients reach nothing; sysctl -w net.ipv4.ip_forward=1");
	if (config->gateway[IPV6].mode == GATEWAY_ADDRESS &&
	    read_setting("/proc/sys/net/ipv6/conf/all/forwarding") == 0)
		report_warning(report, "IPv6 forwarding is off: clients reach nothing; "
			       "sysctl -w net.ipv6.conf.all.forwarding=1");
}

/* Whether a rule is about a client's packets: its source may be one's, and nothing else keeps them out. */
static bool may_match(const struct config *config, const struct rule *rule)
{
	int family = rule->family == AF_INET ? IPV4 : IPV6;
	const struct subnets *subnets = &config->subnets[family];

	if (rule->inverted)
		return true;
	if (rule->local_only || (rule->incoming[0] && !interface_matches(&config->clients, rule->incoming)))
		return false;
	if (rule->source.address.family == AF_UNSPEC)
		return true;
	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_overlaps(&subnets->prefix[i], &rule->source))
			return true;
	return false;
}

static void advise_rules(const struct config *config, const struct situation *situation, struct report *report)
{
	for (size_t i = 0; i < situation->kernel.rules; i++) {
		const struct rule *rule = &situation->kernel.rule[i];
		struct text text CLEANUP(text_free) = { 0 };
		bool wanted = rule->protocol == ROUTING_PROTOCOL;

		for (size_t j = 0; j < situation->policy.rules; j++)
			wanted = wanted || rule_equal(rule, &situation->policy.rule[j]);
		if (wanted || rule->priority > config->priority ||
		    !config_governs(config, rule->family == AF_INET ? IPV4 : IPV6) ||
		    (rule->priority == 0 && rule->table == RT_TABLE_LOCAL) || !may_match(config, rule))
			continue;
		rule_add_text(&text, rule);
		report_warning(report, "the %s policy rule `%s` comes before ours: what it takes of the clients' packets "
			       "elsewhere is dropped; give it a priority above %u, or set [gateway] priority below %u",
			       rule->family == AF_INET ? "IPv4" : "IPv6", text.data, config->priority + 1,
			       rule->priority > 1 ? rule->priority - 1 : 1);
	}
}

void advise(const struct config *config, const struct situation *situation, struct report *report)
{
	advise_forwarding(config, report);
	advise_rules(config, situation, report);
}

static void examine_gateways(const struct situation *situation, struct netlink *route, struct report *report)
{
	char address[ADDRESS_TEXT];

	for (size_t i = 0; i < situation->policy.routes; i++) {
		const struct route *way = &situation->policy.route[i];

		if (!neighbour_answers(route, &way->gateway, way->interface))
			report_warning(report, "the gateway %s does not answer %s on %s: clients reach nothing until it does; is "
				       "it up, and is it in this network? ip neigh show dev %s",
				       address_text(&way->gateway, address), way->family == AF_INET ? "ARP" : "ND",
				       way->interface_name, way->interface_name);
	}
}

/* A tunnel gets the default; of that and the setting for all, the larger one counts (ip-sysctl.rst). */
static void examine_reverse_path(const struct config *config, struct report *report)
{
	int all = read_setting("/proc/sys/net/ipv4/conf/all/rp_filter");
	int tunnels = read_setting("/proc/sys/net/ipv4/conf/default/rp_filter");

	if (config->gateway[IPV4].mode == GATEWAY_ADDRESS && (all > tunnels ? all : tunnels) != 1)
		report_note(report, "rp_filter is not 1 on new tunnels: while nftables is flushed, a client that forges its "
			    "source address could send by this host's own route; sysctl -w net.ipv4.conf.default.rp_filter=1 "
			    "net.ipv4.conf.all.rp_filter=0");
}

/* What a pattern that is too wide takes with it. */
static void examine_left_out(const struct config *config, const struct host *host, struct report *report)
{
	char pattern[IFNAMSIZ + 1];

	for (unsigned int i = 0; i < host->left_outs; i++)
		report_note(report, "[clients] interface = %s matches %s, which has no address of the clients: it is taken for "
			    "another program's and left alone", interface_pattern_text(&config->clients, pattern),
			    host->left_out[i]);
}

void examine(const struct config *config, const struct situation *situation, struct sockets *sockets,
	     struct report *report)
{
	examine_left_out(config, &situation->host, report);
	examine_gateways(situation, &sockets->route, report);
	apply_rehearse(&situation->policy.guard, situation->kernel.guard.exists, &sockets->nft, report);
	foreign_check(config, &situation->policy, &sockets->nft, report);
	examine_reverse_path(config, report);
}

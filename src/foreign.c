/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "foreign.h"
#include "fate.h"
#include "guard.h"

#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

static const char *family_word(uint32_t family)
{
	return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

/* How to let the packet through a chain of the forward hook; another is to be looked at first. */
static void add_remedy(struct text *text, const struct config *config, const struct packet *packet,
		       const char *chain, uint32_t hook)
{
	const bool answer = packet->ct_state == CT_ESTABLISHED;
	char pattern[IFNAMSIZ + 1];

	if (hook == NF_INET_FORWARD)
		text_add(text, "nft 'insert rule %s %s \"%s\"%s accept'", chain, answer ? "oifname" : "iifname",
			 interface_pattern_text(&config->clients, pattern), answer ? " ct state established,related" : "");
	else
		text_add(text, "see nft -a list chain %s", chain);
}

static void add_cause(struct text *text, uint64_t handle)
{
	if (handle)
		text_add(text, "its rule with handle %llu", (unsigned long long)handle);
	else
		text_add(text, "its policy");
}

static void report_chain(const struct config *config, const struct walk *walk, const struct nftnl_chain *chain,
			 unsigned int fate, struct report *report)
{
	struct text name CLEANUP(text_free) = { 0 }, cause CLEANUP(text_free) = { 0 }, remedy CLEANUP(text_free) = { 0 };
	uint32_t hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
	const struct packet *packet = walk->packet;

	text_add(&name, "%s %s %s", family_word(walk->family), walk->table, nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
	add_remedy(&remedy, config, packet, text_string(&name), hook);
	add_cause(&cause, fate & DROPPED ? walk->dropped_by : walk->rewritten_by);
	if (fate == DROPPED)
		report_warning(report, "the nft chain `%s` drops %s, by %s; %s", text_string(&name), packet->what,
			       text_string(&cause), text_string(&remedy));
	else if (fate & DROPPED)
		report_note(report, "the nft chain `%s` may drop some of %s, by %s; if it does: %s", text_string(&name),
			    packet->what, text_string(&cause), text_string(&remedy));
	else if (fate == REWRITTEN)
		report_warning(report, "the nft chain `%s` rewrites %s, by %s, so that they reach another host, or the gateway "
			       "from another address; see nft -a list chain %s", text_string(&name), packet->what,
			       text_string(&cause), text_string(&name));
	else if (fate & REWRITTEN)
		report_note(report, "the nft chain `%s` may rewrite some of %s, by %s; see nft -a list chain %s",
			    text_string(&name), packet->what, text_string(&cause), text_string(&name));
}

/* Whether such packets come through a chain, and ours leave them to it. */
static bool is_on_the_way(const struct config *config, const struct nftnl_chain *chain, const struct packet *packet)
{
	uint32_t family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY);
	uint32_t hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
	const char *type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);
	bool nat = type && strcmp(type, "nat") == 0;

	if (!nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM) ||
	    (family == NFPROTO_INET &&
	     strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), config->killswitch_table) == 0) ||
	    (family != NFPROTO_INET && family != (packet->family == IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6)))
		return false;
	/* Addresses are rewritten once, with a flow's first packet; ours may be the same as those of others. */
	if (nat && (packet->ct_state != CT_NEW || (hook == NF_INET_POST_ROUTING && config->masquerade)))
		return false;
	return hook == NF_INET_PRE_ROUTING || hook == NF_INET_FORWARD || hook == NF_INET_POST_ROUTING;
}

/* Returns whether a chain drops it for sure. */
static bool check_packet(const struct ruleset *ruleset, const struct config *config, const struct packet *packet,
			 struct report *report)
{
	bool dropped = false;

	for (size_t i = 0; i < ruleset->chains; i++) {
		const struct nftnl_chain *chain = ruleset->chain[i];
		struct packet here = *packet;
		struct walk walk = {
			.ruleset = ruleset, .packet = &here,
			.family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY),
			.table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE),
		};
		unsigned int fate;

		if (!is_on_the_way(config, chain, packet))
			continue;
		if (nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) == NF_INET_PRE_ROUTING) {
			here.outgoing[0] = '\0';
			if (packet->ct_state != CT_NEW)		/* ours, until SNAT is undone */
				here.destination.family = AF_UNSPEC;
		}
		fate = fate_in_chain(&walk, nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
		if (fate & GOES_ON)
			fate = (fate & ~(unsigned int)GOES_ON) |
			       (nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP ? DROPPED : ACCEPTED);
		report_chain(config, &walk, chain, fate, report);
		dropped = dropped || fate == DROPPED;
	}
	return dropped;
}

/* An address of the clients, and a tunnel that none may be named after. */
static void make_client(const struct config *config, int family, struct address *address, char tunnel[IFNAMSIZ])
{
	const struct subnets *subnets = &config->subnets[family];

	*address = subnets->count ? subnets->prefix[0].address : (struct address){ 0 };
	if (subnets->count && subnets->prefix[0].length + 2U <= address_size(address->family) * 8)
		address->bytes[address_size(address->family) - 1] |= 2;
	if (config->clients.wildcard)
		snprintf(tunnel, IFNAMSIZ, "%.12s999", config->clients.name);
	else
		snprintf(tunnel, IFNAMSIZ, "%s", config->clients.name);
}

static void check_route(const struct ruleset *ruleset, const struct config *config, const struct route *route,
			struct report *report)
{
	int family = route->family == AF_INET ? IPV4 : IPV6;
	struct packet packet = { .what = "what clients send", .family = family, .ct_state = CT_NEW };
	struct packet answer = { .what = "the answers to clients", .family = family, .ct_state = CT_ESTABLISHED };

	/* Some host that everybody may reach. */
	address_parse(&packet.destination, family == IPV4 ? "1.1.1.1" : "2606:4700:4700::1111");
	answer.source = packet.destination;
	make_client(config, family, &packet.source, packet.incoming);
	make_client(config, family, &answer.destination, answer.outgoing);
	snprintf(packet.outgoing, sizeof(packet.outgoing), "%s", route->interface_name);
	snprintf(answer.incoming, sizeof(answer.incoming), "%s", route->interface_name);
	check_packet(ruleset, config, &packet, report);
	check_packet(ruleset, config, &answer, report);
}

static int read_ruleset(struct ruleset *ruleset, struct netlink *nft, struct report *report)
{
	struct netlink_error error;

	if (ruleset_read(ruleset, nft, &error) == 0)
		return 0;
	return report_error(report, netlink_error_status(&error), "can't read the nft chains of others: %s",
			    netlink_error_text(&error));
}

void foreign_check(const struct config *config, const struct policy *policy, struct netlink *nft,
		   struct report *report)
{
	struct ruleset ruleset;

	if (read_ruleset(&ruleset, nft, report) == 0)
		for (size_t i = 0; i < policy->routes; i++)
			check_route(&ruleset, config, &policy->route[i], report);
	ruleset_free(&ruleset);
}

bool foreign_check_packet(const struct config *config, const struct packet *packet, struct netlink *nft,
			  struct report *findings, struct report *report)
{
	struct ruleset ruleset;
	bool dropped = read_ruleset(&ruleset, nft, report) == 0 && check_packet(&ruleset, config, packet, findings);

	ruleset_free(&ruleset);
	return dropped;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/marks.h"
#include "model/wanted.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>

/*
 * Policy routing, for each covered family and subnet:
 *
 *   PRIORITY - 1: to SUBNET lookup main suppress_prefixlength N	the VPN's own addresses
 *   PRIORITY:     from SUBNET lookup TABLE				with a gateway; of several each has one:
 *   PRIORITY:     from SUBNET fwmark MARK/MASK lookup TABLE
 *   PRIORITY:     from SUBNET fwmark MARK/MASK lookup main		and who is direct
 *   PRIORITY + 1: from SUBNET prohibit					nothing falls through
 *   PRIORITY + 1: to SUBNET blackhole					nor to an address without a client
 *
 * and behind these, with forward_others = no, once for each family:
 *
 *   PRIORITY + 1: not iif lo blackhole					nor from anybody else
 *
 * N is the length of SUBNET: ocserv gives each client a longer route, and a shorter one, be it a half of
 * the default, goes elsewhere. Of several subnets each may be a LAN behind a client (iroute), to which ocserv has one route
 * just as long: N is one less then. Blackholes are silent, since an error would go to the sender via the main route.
 * What is for this host itself finds table local first, and what it sends comes in on lo.
 *
 * Of more than CONFIG_FLAT_GATEWAYS gateways, lest each packet meets one rule after the other, the rules to them are a tree, by
 * the upper bits of their marks and then by all of them. In place of those at PRIORITY:
 *
 *   PRIORITY:     from SUBNET goto PRIORITY + 3			clients go into it
 *   PRIORITY + 2: from all goto PRIORITY + 20				and everybody else around it
 *   PRIORITY + 3: from SUBNET fwmark MARK/MASK lookup main		who is direct
 *   PRIORITY + 3: from SUBNET fwmark GROUP/UPPER goto PRIORITY + 4 + N	for each group N; what is of none goes on into group 0
 *   PRIORITY + 4 + N: from SUBNET fwmark MARK/MASK lookup TABLE	for each gateway of group N
 *   PRIORITY + 4 + N: from SUBNET prohibit				nothing falls through
 *   PRIORITY + 20: from SUBNET prohibit				nor where that rule of a group is lost
 *
 * So a rule of the tree may be lost, and its packets are prohibited: a goto whose target is lost is passed over. There is none
 * for group 0, since its mark would be 0, which the kernel leaves out of account when it looks for the rule to delete.
 */

static struct rule *add_rule(struct wanted *wanted, uint8_t family, uint32_t priority)
{
	wanted->rule = make_room_for_one(wanted->rule, wanted->rules, sizeof(*wanted->rule));
	wanted->rule[wanted->rules] = (struct rule){
		.family = family,
		.priority = priority,
		.suppress_prefixlength = -1,
		.protocol = ROUTING_PROTOCOL,
	};
	return &wanted->rule[wanted->rules++];
}

static void add_local_rule(struct wanted *wanted, const struct config *config, const struct prefix *subnet,
			   bool may_be_lan)
{
	struct rule *rule = add_rule(wanted, subnet->address.family, config->priority - 1);

	rule->destination = *subnet;
	rule->action = FR_ACT_TO_TBL;
	rule->table = RT_TABLE_MAIN;
	rule->suppress_prefixlength = subnet->length;
	/* A subnet of a single address has no longer route than itself either. */
	if (may_be_lan || subnet->length == address_size(subnet->address.family) * 8)
		rule->suppress_prefixlength--;
}

/* Of several gateways each has its own packets, by the mark that the kill switch gives them. */
static void set_mark(struct rule *rule, uint32_t mark, uint32_t mask)
{
	struct text words = { 0 };

	rule->mark = mark;
	rule->mask = mask;
	text_add(&words, "fwmark 0x%x/0x%x", mark, mask);
	rule->other = words.data;
}

static struct rule *add_client_rule(struct wanted *wanted, const struct prefix *subnet, uint32_t priority, uint8_t action,
				    uint32_t table)
{
	struct rule *rule = add_rule(wanted, subnet->address.family, priority);

	rule->source = *subnet;
	rule->action = action;
	rule->table = table;
	return rule;
}

static void add_gateway_rule(struct wanted *wanted, const struct config *config, const struct gateway *gateway,
			     const struct prefix *subnet, uint32_t priority)
{
	uint32_t table = gateway == &config->direct ? RT_TABLE_MAIN : gateway->table;
	struct rule *rule = add_client_rule(wanted, subnet, priority, FR_ACT_TO_TBL, table);

	if (config_is_mapped(config))
		set_mark(rule, mark_of(config, gateway), config->mark_mask);
}

static void add_stop_rules(struct wanted *wanted, const struct config *config, const struct prefix *subnet,
			   bool silent)
{
	struct rule *rule;

	add_client_rule(wanted, subnet, config->priority + 1, silent ? FR_ACT_BLACKHOLE : FR_ACT_PROHIBIT, 0);
	rule = add_rule(wanted, subnet->address.family, config->priority + 1);
	rule->destination = *subnet;
	rule->action = FR_ACT_BLACKHOLE;
}

static void add_others_rule(struct wanted *wanted, const struct config *config, int family)
{
	struct rule *rule = add_rule(wanted, family_of(family), config->priority + 1);

	memcpy(rule->incoming, "lo", sizeof("lo"));
	rule->inverted = true;
	rule->action = FR_ACT_BLACKHOLE;
}

/* Side by side. */
static void add_gateway_rules(struct wanted *wanted, const struct config *config, const struct exits *exits, int family)
{
	const struct subnets *subnets = &config->subnets[family];

	for (unsigned int i = 0; i < exits->count; i++)
		for (unsigned int j = 0; exits->exit[i].family == family && j < subnets->count; j++)
			add_gateway_rule(wanted, config, exits->exit[i].gateway, &subnets->prefix[j], config->priority);
	for (unsigned int i = 0; config_is_mapped(config) && i < subnets->count; i++)
		add_gateway_rule(wanted, config, &config->direct, &subnets->prefix[i], config->priority);
}

/* The tree */

enum { AROUND = 2, FORK, GROUPS };	/* how far these priorities are above that of the configuration */

_Static_assert(GROUPS + MARK_GROUPS == CONFIG_TREE_SPAN, "the last priority of a tree");

static void add_prohibitions(struct wanted *wanted, const struct subnets *subnets, uint32_t priority)
{
	for (unsigned int i = 0; i < subnets->count; i++)
		add_client_rule(wanted, &subnets->prefix[i], priority, FR_ACT_PROHIBIT, 0);
}

static bool is_in_group(const struct config *config, const struct exit *exit, int family, unsigned int group)
{
	return exit->family == family && mark_group(config, exit->gateway) == group;
}

static bool has_any(const struct config *config, const struct exits *exits, int family, unsigned int group)
{
	for (unsigned int i = 0; i < exits->count; i++)
		if (is_in_group(config, &exits->exit[i], family, group))
			return true;
	return false;
}

static void add_group(struct wanted *wanted, const struct config *config, const struct exits *exits, int family,
		      unsigned int group)
{
	const struct subnets *subnets = &config->subnets[family];
	uint32_t priority = config->priority + GROUPS + group;

	for (unsigned int i = 0; i < exits->count; i++)
		for (unsigned int j = 0; is_in_group(config, &exits->exit[i], family, group) && j < subnets->count; j++)
			add_gateway_rule(wanted, config, exits->exit[i].gateway, &subnets->prefix[j], priority);
	add_prohibitions(wanted, subnets, priority);
}

/* To a group, at the fork. */
static void add_branch(struct wanted *wanted, const struct config *config, const struct subnets *subnets, unsigned int group)
{
	for (unsigned int i = 0; i < subnets->count; i++)
		set_mark(add_client_rule(wanted, &subnets->prefix[i], config->priority + FORK, FR_ACT_GOTO,
					 config->priority + GROUPS + group),
			 mark_of_group(config, group), mark_group_mask(config));
}

static void add_way_around(struct wanted *wanted, const struct config *config, int family)
{
	struct rule *rule = add_rule(wanted, family_of(family), config->priority + AROUND);

	rule->action = FR_ACT_GOTO;
	rule->table = config_last_priority(config, family);
}

/* Each before what leads to it: nobody is in the tree before it is complete. */
static void add_tree(struct wanted *wanted, const struct config *config, const struct exits *exits, int family)
{
	const struct subnets *subnets = &config->subnets[family];

	add_prohibitions(wanted, subnets, config_last_priority(config, family));
	for (unsigned int group = 0; group < MARK_GROUPS; group++)
		if (group == 0 || has_any(config, exits, family, group))
			add_group(wanted, config, exits, family, group);
	for (unsigned int i = 0; i < subnets->count; i++)
		add_gateway_rule(wanted, config, &config->direct, &subnets->prefix[i], config->priority + FORK);
	for (unsigned int group = 1; group < MARK_GROUPS; group++)
		if (has_any(config, exits, family, group))
			add_branch(wanted, config, subnets, group);
	add_way_around(wanted, config, family);
	for (unsigned int i = 0; i < subnets->count; i++)
		add_client_rule(wanted, &subnets->prefix[i], config->priority, FR_ACT_GOTO, config->priority + FORK);
}

void wanted_add_rules(struct wanted *wanted, const struct config *config, const struct exits *exits, int family)
{
	const struct subnets *subnets = &config->subnets[family];
	bool silent = config_blocks(config, family) && config->blocked == BLOCKED_DROP;

	for (unsigned int i = 0; i < subnets->count; i++)
		add_local_rule(wanted, config, &subnets->prefix[i], subnets->count > 1);
	for (unsigned int i = 0; i < subnets->count; i++)
		add_stop_rules(wanted, config, &subnets->prefix[i], silent);
	if (!config->forward_others)
		add_others_rule(wanted, config, family);
	if (config_has_tree(config, family))
		add_tree(wanted, config, exits, family);
	else
		add_gateway_rules(wanted, config, exits, family);
}

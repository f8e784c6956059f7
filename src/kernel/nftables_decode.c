/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_decode.h"
#include "base/memory.h"
#include "kernel/netlink.h"
#include "kernel/nftables_attributes.h"
#include "kernel/nftables_code.h"
#include "kernel/nftables_sets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define TABLE_OWNER 2U			/* NFT_TABLE_F_OWNER, of Linux 5.12 */

int nftables_parse_generation(const struct nlmsghdr *message, struct present_guard *present)
{
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
		return EBADMSG;
	mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attribute) == NFTA_GEN_ID && mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
			present->generation = ntohl(mnl_attr_get_u32(attribute));
	return 0;
}

static void take_instance(const struct nftnl_table *table, struct present_guard *present)
{
	uint32_t size = 0;
	const uint8_t *data = nftnl_table_get_data(table, NFTNL_TABLE_USERDATA, &size), *instance;
	uint8_t length = 0;

	instance = data ? userdata_find(data, size, NFTABLES_INSTANCE, &length) : NULL;
	if (instance && length == sizeof(present->instance))
		memcpy(present->instance, instance, length);
}

int nftables_parse_table(const struct nlmsghdr *message, struct present_guard *present)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table)
		out_of_memory();
	if (nftnl_table_nlmsg_parse(message, table) < 0) {
		nftnl_table_free(table);
		return EBADMSG;
	}
	present->exists = true;
	present->dormant = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
	present->owned = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS) & TABLE_OWNER;
	present->others = nftnl_table_get_u32(table, NFTNL_TABLE_USE);
	take_instance(table, present);
	nftnl_table_free(table);
	return 0;
}

static char *duplicate_or_null(const char *string)
{
	return string ? duplicate(string) : NULL;
}

static void take_chain(const struct nftnl_chain *chain, struct present_guard *present)
{
	present->chain = make_room_for_one(present->chain, present->chains, sizeof(*present->chain));
	present->chain[present->chains++] = (struct present_chain){
		.name = duplicate_or_null(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME)),
		.type = duplicate_or_null(nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE)),
		.hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM),
		.priority = nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO),
		.policy = nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY),
	};
	/* A table's use count is of all that it holds: what is left over is no chain. */
	if (present->others > 0)
		present->others--;
}

int nftables_parse_chain(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	const char *table;
	int error = 0;

	if (!chain)
		out_of_memory();
	if (nftnl_chain_nlmsg_parse(message, chain) < 0 || !nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME))
		error = EBADMSG;
	table = error ? NULL : nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
	if (table && strcmp(table, name) == 0)
		take_chain(chain, present);
	nftnl_chain_free(chain);
	return error;
}

static struct present_chain *find_chain(struct present_guard *present, const char *name)
{
	for (size_t i = 0; i < present->chains; i++) {
		size_t place = (present->recent + i) % present->chains;

		if (strcmp(present->chain[place].name, name) != 0)
			continue;
		present->recent = place;
		return &present->chain[place];
	}
	return NULL;
}

/* By libmnl alone: to make and free libnftnl's objects of all rules takes longer than all else of a hook. */
int nftables_parse_rule(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	const struct nlattr *of[NFTA_RULE_MAX + 1] = { NULL };
	struct present_chain *chain;
	struct present_rule *rule;
	struct readings readings = { 0 };

	if (attributes_of(message, of, NFTA_RULE_MAX) || !attribute_string(of[NFTA_RULE_TABLE]) ||
	    !attribute_string(of[NFTA_RULE_CHAIN]))
		return EBADMSG;
	if (strcmp(attribute_string(of[NFTA_RULE_TABLE]), name) != 0)
		return 0;
	chain = find_chain(present, attribute_string(of[NFTA_RULE_CHAIN]));
	if (!chain)
		return EINTR;	/* it was added meanwhile: read all again */

	chain->rule = make_room_for_one(chain->rule, chain->rules, sizeof(*chain->rule));
	rule = &chain->rule[chain->rules++];
	*rule = (struct present_rule){
		.comment = duplicate(attribute_comment(of[NFTA_RULE_USERDATA])),
		.handle = attribute_u64(of[NFTA_RULE_HANDLE]),
	};
	if (of[NFTA_RULE_EXPRESSIONS])
		code_read(of[NFTA_RULE_EXPRESSIONS], &rule->code, &readings);
	rule->end = readings.end;
	rule->counted = readings.counted;
	rule->packets = readings.packets;
	rule->bytes = readings.bytes;
	return 0;
}

static uint32_t get_size(const struct nlattr *description)
{
	return description ? attribute_u32(netlink_find_nested(description, NFTA_SET_DESC_SIZE)) : 0;
}

static bool has_form(const struct nlattr *const of[], const struct set_form *form)
{
	return attribute_u32(of[NFTA_SET_FLAGS]) == form->flags && attribute_u32(of[NFTA_SET_KEY_TYPE]) == form->key_type &&
	       attribute_u32(of[NFTA_SET_KEY_LEN]) == form->key_length && get_size(of[NFTA_SET_DESC]) == form->size &&
	       (!(form->flags & NFT_SET_MAP) || attribute_u32(of[NFTA_SET_DATA_TYPE]) == NFT_DATA_VERDICT) &&
	       !of[NFTA_SET_TIMEOUT] && !of[NFTA_SET_EXPR] && !of[NFTA_SET_EXPRESSIONS];
}

int nftables_parse_set(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	const struct nlattr *of[NFTA_SET_MAX + 1] = { NULL };
	const struct set_form *form;

	if (attributes_of(message, of, NFTA_SET_MAX) || !attribute_string(of[NFTA_SET_TABLE]) ||
	    !attribute_string(of[NFTA_SET_NAME]))
		return EBADMSG;
	if (strcmp(attribute_string(of[NFTA_SET_TABLE]), name) != 0)
		return 0;
	form = set_form_find(attribute_string(of[NFTA_SET_NAME]));
	if (!form || !has_form(of, form))
		return 0;
	present->set = make_room_for_one(present->set, present->sets, sizeof(*present->set));
	present->set[present->sets++] = (struct present_set){ .name = form->name, .kind = form->kind, .family = form->family };
	if (present->others > 0)
		present->others--;
	return 0;
}

static void take_devices(const struct nlattr *list, struct present_fast *fast)
{
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, list) {
		const char *name = mnl_attr_get_type(attribute) == NFTA_DEVICE_NAME ? attribute_string(attribute) : NULL;

		if (!name || strlen(name) >= IFNAMSIZ) {
			fast->odd = true;
			continue;
		}
		fast->device = make_room_for_one(fast->device, fast->devices, sizeof(*fast->device));
		fast->device[fast->devices] = (struct guard_device){ 0 };
		memcpy(fast->device[fast->devices++].name, name, strlen(name) + 1);
	}
}

/* Of another name it is one of those that don't belong there. */
int nftables_parse_flowtable(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	const struct nlattr *of[NFTA_FLOWTABLE_MAX + 1] = { NULL }, *hook, *list;
	struct present_fast *fast = &present->fast;

	if (attributes_of(message, of, NFTA_FLOWTABLE_MAX) || !attribute_string(of[NFTA_FLOWTABLE_TABLE]) ||
	    !attribute_string(of[NFTA_FLOWTABLE_NAME]))
		return EBADMSG;
	if (strcmp(attribute_string(of[NFTA_FLOWTABLE_TABLE]), name) != 0 ||
	    strcmp(attribute_string(of[NFTA_FLOWTABLE_NAME]), GUARD_FAST_TABLE) != 0)
		return 0;
	hook = of[NFTA_FLOWTABLE_HOOK];
	fast->there = true;
	fast->odd = attribute_u32(of[NFTA_FLOWTABLE_FLAGS]) != 0 || !hook ||
		    attribute_u32(netlink_find_nested(hook, NFTA_FLOWTABLE_HOOK_NUM)) != NF_NETDEV_INGRESS ||
		    attribute_u32(netlink_find_nested(hook, NFTA_FLOWTABLE_HOOK_PRIORITY)) != GUARD_FAST_PRIORITY;
	list = hook ? netlink_find_nested(hook, NFTA_FLOWTABLE_HOOK_DEVS) : NULL;
	if (list)
		take_devices(list, fast);
	if (present->others > 0)
		present->others--;
	return 0;
}

static struct present_set *find_set(const struct present_guard *present, const char *name)
{
	for (size_t i = 0; i < present->sets; i++)
		if (strcmp(present->set[i].name, name) == 0)
			return &present->set[i];
	return NULL;
}

/* What an element may have beside its key; a comment does nothing. */
static bool is_odd(const struct present_set *set, const struct nlattr *attribute)
{
	switch (mnl_attr_get_type(attribute)) {
	case NFTA_SET_ELEM_DATA:
		return set->kind != MAP_SESSIONS && set->kind != MAP_MARKS;
	case NFTA_SET_ELEM_KEY:
	case NFTA_SET_ELEM_USERDATA:
	case NFTA_SET_ELEM_PAD:
		return false;
	case NFTA_SET_ELEM_FLAGS:
		return attribute_u32(attribute) & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END;
	}
	return true;
}

/* The chain that an element goes to; "" where it does anything else. */
static void take_goto(struct guard_element *taken, const struct nlattr *element)
{
	const struct nlattr *data = netlink_find_nested(element, NFTA_SET_ELEM_DATA);
	const struct nlattr *verdict = data ? netlink_find_nested(data, NFTA_DATA_VERDICT) : NULL;
	const struct nlattr *code = verdict ? netlink_find_nested(verdict, NFTA_VERDICT_CODE) : NULL;
	const char *chain = verdict ? attribute_string(netlink_find_nested(verdict, NFTA_VERDICT_CHAIN)) : NULL;

	if (chain && code && (int32_t)attribute_u32(code) == NFT_GOTO && strlen(chain) < sizeof(taken->chain))
		memcpy(taken->chain, chain, strlen(chain) + 1);
}

static void take_keyed_element(struct present_set *set, const struct nlattr *element, const struct nlattr *value)
{
	struct guard_element *taken;

	set->element = make_room_for_one(set->element, set->elements, sizeof(*set->element));
	taken = &set->element[set->elements++];
	*taken = (struct guard_element){ 0 };
	if (value && mnl_attr_get_payload_len(value) <= sizeof(taken->key))
		memcpy(taken->key, mnl_attr_get_payload(value), mnl_attr_get_payload_len(value));
	take_goto(taken, element);
	set->odd = set->odd || !value || (set->kind != SET_INTERFACES && !taken->chain[0]);
}

static void take_element(struct present_set *set, const struct nlattr *element)
{
	const struct nlattr *attribute, *key = netlink_find_nested(element, NFTA_SET_ELEM_KEY);
	const struct nlattr *value = key ? netlink_find_nested(key, NFTA_DATA_VALUE) : NULL;
	const struct nlattr *flags = netlink_find_nested(element, NFTA_SET_ELEM_FLAGS);
	struct bound bound = { .address.family = set->family, .end = attribute_u32(flags) & NFT_SET_ELEM_INTERVAL_END };

	mnl_attr_for_each_nested(attribute, element)
		set->odd = set->odd || is_odd(set, attribute);
	if (set->kind != SET_PREFIXES) {
		take_keyed_element(set, element, value);
		return;
	}
	if (!value || mnl_attr_get_payload_len(value) != address_size(set->family)) {
		set->odd = true;
		return;
	}
	memcpy(bound.address.bytes, mnl_attr_get_payload(value), address_size(set->family));
	set->bound = make_room_for_one(set->bound, set->bounds, sizeof(*set->bound));
	set->bound[set->bounds++] = bound;
}

int nftables_parse_elements(const struct nlmsghdr *message, const char *name, struct present_guard *present)
{
	const struct nlattr *of[NFTA_SET_ELEM_LIST_MAX + 1] = { NULL }, *element;
	struct present_set *set;

	if (attributes_of(message, of, NFTA_SET_ELEM_LIST_MAX) || !attribute_string(of[NFTA_SET_ELEM_LIST_TABLE]) ||
	    !attribute_string(of[NFTA_SET_ELEM_LIST_SET]))
		return EBADMSG;
	if (strcmp(attribute_string(of[NFTA_SET_ELEM_LIST_TABLE]), name) != 0)
		return 0;
	set = find_set(present, attribute_string(of[NFTA_SET_ELEM_LIST_SET]));
	if (set && set->kind != SET_FLOWS && of[NFTA_SET_ELEM_LIST_ELEMENTS])
		mnl_attr_for_each_nested(element, of[NFTA_SET_ELEM_LIST_ELEMENTS])
			take_element(set, element);
	return 0;
}

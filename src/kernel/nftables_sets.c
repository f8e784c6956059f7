/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_sets.h"
#include "kernel/nftables_attributes.h"
#include "model/ranges.h"

#include <arpa/inet.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#define SET_EVAL 0x20U			/* NFT_SET_EVAL: rules add elements */
#define ELEMENTS_AT_ONCE 64		/* in a message, of another set or a map: each with up to 100 bytes */
#define DEVICES_AT_ONCE 200		/* in a message: each with up to 20 bytes; the kernel takes 256 */
#define PREFIXES_AT_ONCE 40		/* in a message: each of two elements with up to 36 bytes */

/* Types of keys by the numbers of nft(8) (its datatype.h), which lists sets by them. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_MARK = 19, TYPE_IFINDEX = 20, TYPE_IFNAME = 41 };
/* Of several parts in one key. */
#define TYPE_AND(one, other) ((one) << 6 | (other))
/* Their byte order, the same (enum byteorder). */
enum { HOST_ENDIAN = 1, BIG_ENDIAN_KEY = 2 };

static const struct set_form forms[] = {
	{ GUARD_FLOWS_SET, SET_FLOWS, AF_UNSPEC, SET_EVAL, TYPE_IFINDEX, sizeof(uint32_t), GUARD_FLOWS_SIZE, HOST_ENDIAN },
	{ GUARD_CLIENTS4_SET, SET_PREFIXES, AF_INET, NFT_SET_INTERVAL, TYPE_IPADDR, 4, 0, BIG_ENDIAN_KEY },
	{ GUARD_CLIENTS6_SET, SET_PREFIXES, AF_INET6, NFT_SET_INTERVAL, TYPE_IP6ADDR, 16, 0, BIG_ENDIAN_KEY },
	{ GUARD_UPLINKS4_SET, SET_INTERFACES, AF_INET, 0, TYPE_IFNAME, IFNAMSIZ, 0, HOST_ENDIAN },
	{ GUARD_UPLINKS6_SET, SET_INTERFACES, AF_INET6, 0, TYPE_IFNAME, IFNAMSIZ, 0, HOST_ENDIAN },
	{ GUARD_SESSION4_MAP, MAP_SESSIONS, AF_INET, NFT_SET_MAP, TYPE_AND(TYPE_IFNAME, TYPE_IPADDR), IFNAMSIZ + 4, 0, 0 },
	{ GUARD_SESSION6_MAP, MAP_SESSIONS, AF_INET6, NFT_SET_MAP, TYPE_AND(TYPE_IFNAME, TYPE_IP6ADDR), IFNAMSIZ + 16, 0, 0 },
	{ GUARD_GATEWAYS_MAP, MAP_MARKS, AF_UNSPEC, NFT_SET_MAP, TYPE_MARK, sizeof(uint32_t), GUARD_MARKS_SIZE, HOST_ENDIAN },
	{ GUARD_REPLIES_MAP, MAP_MARKS, AF_UNSPEC, NFT_SET_MAP, TYPE_MARK, sizeof(uint32_t), GUARD_MARKS_SIZE, HOST_ENDIAN },
	{ GUARD_MASQUERADED_MAP, MAP_MARKS, AF_UNSPEC, NFT_SET_MAP, TYPE_MARK, sizeof(uint32_t), GUARD_MARKS_SIZE, HOST_ENDIAN },
};

#define FORMS (sizeof(forms) / sizeof(*forms))

const struct set_form *set_form_find(const char *name)
{
	for (size_t i = 0; i < FORMS; i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return NULL;
}

const struct set_form *set_form_of(const char *name)
{
	const struct set_form *form = set_form_find(name);

	if (!form)
		abort();	/* wanted_guard.c makes no other */
	return form;
}

/* "vpns0" . 10.20.0.50 : goto to_nl; less where it is to go */
static void put_element(struct nlmsghdr *message, uint16_t number, const struct set_form *form,
			const struct guard_element *element, bool gone)
{
	struct nlattr *nest = mnl_attr_nest_start(message, number), *data, *verdict;

	data = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, form->key_length, element->key);
	mnl_attr_nest_end(message, data);
	if (form->flags & NFT_SET_MAP && !gone) {
		data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
		verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);
		mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_GOTO));
		attribute_put_name(message, NFTA_VERDICT_CHAIN, element->chain);
		mnl_attr_nest_end(message, verdict);
		mnl_attr_nest_end(message, data);
	}
	mnl_attr_nest_end(message, nest);
}

/* set flows { type iface_index; size 65535; flags dynamic; } */
void nftables_put_set(struct nlmsghdr *message, const char *table, const char *set, uint32_t id)
{
	const struct set_form *form = set_form_of(set);
	uint8_t data[2 + sizeof(form->order)] = { NFTNL_UDATA_SET_KEYBYTEORDER, sizeof(form->order) };
	struct nlattr *description;

	memcpy(data + 2, &form->order, sizeof(form->order));
	mnl_attr_put_strz(message, NFTA_SET_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_NAME, set);
	mnl_attr_put_u32(message, NFTA_SET_ID, htonl(id));
	mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(form->flags));
	mnl_attr_put_u32(message, NFTA_SET_KEY_TYPE, htonl(form->key_type));
	mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(form->key_length));
	if (form->flags & NFT_SET_MAP)
		mnl_attr_put_u32(message, NFTA_SET_DATA_TYPE, htonl(NFT_DATA_VERDICT));
	if (form->size) {
		description = mnl_attr_nest_start(message, NFTA_SET_DESC);
		mnl_attr_put_u32(message, NFTA_SET_DESC_SIZE, htonl(form->size));
		mnl_attr_nest_end(message, description);
	}
	mnl_attr_put(message, NFTA_SET_USERDATA, sizeof(data), data);
}

/* @open: there is no end behind it, which nft(8) notes so */
static void put_bound(struct nlmsghdr *message, uint16_t number, const struct address *address, bool end, bool open)
{
	static const uint8_t data[] = { NFTNL_UDATA_SET_ELEM_FLAGS, sizeof(uint32_t), NFTNL_SET_ELEM_F_INTERVAL_OPEN, 0, 0, 0 };
	struct nlattr *element = mnl_attr_nest_start(message, number), *key;

	if (end)
		mnl_attr_put_u32(message, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, address_size(address->family), address->bytes);
	mnl_attr_nest_end(message, key);
	if (open)
		mnl_attr_put(message, NFTA_SET_ELEM_USERDATA, sizeof(data), data);
	mnl_attr_nest_end(message, element);
}

static void put_prefix(struct nlmsghdr *message, uint16_t number, const struct prefix *prefix)
{
	struct range range = prefix_range(prefix);
	struct address behind;
	bool ends = range_next(&range, &behind);

	put_bound(message, number, &range.first, false, !ends);
	if (ends)
		put_bound(message, (uint16_t)(number + 1), &behind, true, false);
}

static struct nlattr *begin_elements(struct nlmsghdr *message, const char *table, const char *set)
{
	attribute_put_name(message, NFTA_SET_ELEM_LIST_TABLE, table);
	attribute_put_name(message, NFTA_SET_ELEM_LIST_SET, set);
	return mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
}

/* The first of all, as nft(8) has it, says that there is nothing before the first prefix. */
size_t nftables_put_prefixes(struct nlmsghdr *message, const char *table, const struct guard_set *set, size_t first)
{
	const struct address lowest = { .family = set->family };
	struct nlattr *list = begin_elements(message, table, set->name);
	uint16_t number = 1;
	size_t i;

	if (first == 0)
		put_bound(message, number++, &lowest, true, false);
	for (i = first; i < set->prefixes && i < first + PREFIXES_AT_ONCE; i++, number = (uint16_t)(number + 2))
		put_prefix(message, number, &set->prefix[i]);
	mnl_attr_nest_end(message, list);
	return i;
}

size_t nftables_put_elements(struct nlmsghdr *message, const char *table, const char *set,
			     const struct guard_element *element, size_t elements, bool gone)
{
	const struct set_form *form = set_form_of(set);
	struct nlattr *list = begin_elements(message, table, set);
	size_t i = 0;

	for (uint16_t number = 1; i < elements && number <= ELEMENTS_AT_ONCE; i++)
		if (gone || !(form->flags & NFT_SET_MAP) || element[i].chain[0])
			put_element(message, number++, form, &element[i], gone);
	mnl_attr_nest_end(message, list);
	return i;
}

size_t nftables_put_fast(struct nlmsghdr *message, const char *table, const struct guard_device *device, size_t devices,
			 size_t first, bool gone)
{
	struct nlattr *hook, *list;
	size_t i, count = 0;

	attribute_put_name(message, NFTA_FLOWTABLE_TABLE, table);
	attribute_put_name(message, NFTA_FLOWTABLE_NAME, GUARD_FAST_TABLE);
	hook = mnl_attr_nest_start(message, NFTA_FLOWTABLE_HOOK);
	mnl_attr_put_u32(message, NFTA_FLOWTABLE_HOOK_NUM, htonl(NF_NETDEV_INGRESS));
	mnl_attr_put_u32(message, NFTA_FLOWTABLE_HOOK_PRIORITY, htonl(GUARD_FAST_PRIORITY));
	list = mnl_attr_nest_start(message, NFTA_FLOWTABLE_HOOK_DEVS);
	for (i = first; i < devices && count < DEVICES_AT_ONCE; i++) {
		if (device[i].optional || device[i].gone != gone)
			continue;
		attribute_put_name(message, NFTA_DEVICE_NAME, device[i].name);
		count++;
	}
	mnl_attr_nest_end(message, list);
	mnl_attr_nest_end(message, hook);
	return i;
}

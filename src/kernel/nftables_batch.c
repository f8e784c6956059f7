/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/nftables_batch.h"
#include "base/memory.h"
#include "kernel/nftables_attributes.h"
#include "kernel/nftables_rule.h"
#include "kernel/nftables_sets.h"

#include <arpa/inet.h>
#include <libnftnl/batch.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

#define MATCH_ROOM 300			/* more than the expressions of any match */

_Static_assert(GUARD_MATCHES * MATCH_ROOM + 512 <= NFTABLES_MESSAGE_SIZE, "put_rule() has room for the longest rule");

/* The next message; the buffer always has room for it. */
static struct nlmsghdr *put_next(struct nftables_batch *batch, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(batch->buffer + batch->size, type, NFPROTO_INET, flags, ++batch->last);
}

/* Closes what put_next() began. */
static void take_next(struct nftables_batch *batch, const struct nlmsghdr *message)
{
	batch->size += message->nlmsg_len;
	if (batch->size + NFTABLES_MESSAGE_SIZE <= batch->room)
		return;
	batch->buffer = reallocate(batch->buffer, 2 * batch->room, 1);
	/* The padding of attributes goes to the kernel too. */
	memset(batch->buffer + batch->room, 0, batch->room);
	batch->room *= 2;
}

static struct nlmsghdr *put_table(struct nftables_batch *batch, const struct guard *guard, uint16_t type,
				  uint16_t flags)
{
	struct nlmsghdr *message = put_next(batch, type, flags);

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, guard->table);
	return message;
}

static void put_table_removal(struct nftables_batch *batch, const struct guard *guard)
{
	take_next(batch, put_table(batch, guard, NFT_MSG_DELTABLE, 0));
}

static void put_new_table(struct nftables_batch *batch, const struct guard *guard)
{
	struct nlmsghdr *message = put_table(batch, guard, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	static const uint8_t none[GUARD_INSTANCE];
	uint8_t data[2 + GUARD_INSTANCE] = { NFTABLES_INSTANCE, GUARD_INSTANCE };

	if (memcmp(guard->instance, none, sizeof(none)) != 0) {
		memcpy(data + 2, guard->instance, sizeof(guard->instance));
		mnl_attr_put(message, NFTA_TABLE_USERDATA, sizeof(data), data);
	}
	take_next(batch, message);
}

/* What of @elements is to be there, or with @gone all of it; in as many messages as it takes. */
static void put_elements(struct nftables_batch *batch, const char *table, const char *set,
			 const struct guard_element *element, size_t elements, bool gone)
{
	for (size_t i = 0; i < elements;) {
		struct nlmsghdr *message = put_next(batch, gone ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
						    gone ? 0 : NLM_F_CREATE | NLM_F_EXCL);

		i += nftables_put_elements(message, table, set, element + i, elements - i, gone);
		take_next(batch, message);
	}
}

static void put_prefixes(struct nftables_batch *batch, const char *table, const struct guard_set *set)
{
	for (size_t i = 0; i < set->prefixes;) {
		struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL);

		i = nftables_put_prefixes(message, table, set, i);
		take_next(batch, message);
	}
}

static void put_sets(struct nftables_batch *batch, const struct guard *guard)
{
	for (size_t i = 0; i < guard->sets; i++) {
		struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWSET, NLM_F_CREATE);

		nftables_put_set(message, guard->table, guard->set[i].name, (uint32_t)i + 1);
		take_next(batch, message);
		put_prefixes(batch, guard->table, &guard->set[i]);
	}
}

/* Those that are to go, or to come; at least one message, where the flow table itself is to come. */
static void put_devices(struct nftables_batch *batch, const char *table, const struct guard_device *device, size_t devices,
			bool gone)
{
	size_t i = 0;

	do {
		struct nlmsghdr *message = put_next(batch, gone ? NFT_MSG_DELFLOWTABLE : NFT_MSG_NEWFLOWTABLE, gone ? 0 : NLM_F_CREATE);

		i = nftables_put_fast(message, table, device, devices, i, gone);
		take_next(batch, message);
	} while (i < devices);
}

/* Behind the chains that they lead to. */
static void put_all_elements(struct nftables_batch *batch, const struct guard *guard)
{
	for (size_t i = 0; i < guard->sets; i++)
		put_elements(batch, guard->table, guard->set[i].name, guard->set[i].element, guard->set[i].elements, false);
}

static void put_chain(struct nftables_batch *batch, const struct guard *guard, const struct guard_chain *value)
{
	struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nftnl_chain *chain = nftnl_chain_alloc();

	if (!chain)
		out_of_memory();
	attribute_copied(nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, guard->table));
	attribute_copied(nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, value->name));
	if (value->type) {
		attribute_copied(nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, value->type));
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, value->hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, value->priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(message, chain);
	nftnl_chain_free(chain);
	take_next(batch, message);
}

static void put_rule(struct nftables_batch *batch, const struct guard *guard, const struct guard_chain *chain,
		     const struct guard_rule *value)
{
	struct nlmsghdr *message = put_next(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	nftables_put_rule(message, guard->table, chain->name, value);
	take_next(batch, message);
}

/* The kernel answers what it refuses, and of the rest what asks for it: one more answer tells that all is read. */
static void acknowledge_last(struct nftables_batch *batch)
{
	struct nlmsghdr *message = (struct nlmsghdr *)batch->buffer;
	int left = (int)batch->size;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		if (message->nlmsg_seq == batch->last)
			message->nlmsg_flags |= NLM_F_ACK;
}

static void put_begin(struct nftables_batch *batch, uint32_t generation, uint32_t sequence)
{
	struct nlmsghdr *begin = nftnl_batch_begin(batch->buffer, sequence);

	if (generation)
		mnl_attr_put_u32(begin, NFNL_BATCH_GENID, htonl(generation));
	batch->size += begin->nlmsg_len;
}

void nftables_make_batch(struct nftables_batch *batch, const struct guard *guard, bool remove, bool make,
			 uint32_t generation, uint32_t *sequence)
{
	*batch = (struct nftables_batch){ .buffer = allocate(2, NFTABLES_MESSAGE_SIZE), .room = 2 * (size_t)NFTABLES_MESSAGE_SIZE };

	put_begin(batch, generation, ++*sequence);
	batch->first = *sequence + 1;
	batch->last = *sequence;
	if (remove)
		put_table_removal(batch, guard);
	if (make)
		put_new_table(batch, guard);
	if (make)
		put_sets(batch, guard);
	if (make && guard->fast.on)
		put_devices(batch, guard->table, guard->fast.device, guard->fast.devices, false);
	/* All chains first, since rules go to them by name. */
	for (size_t i = 0; make && i < guard->chains; i++)
		put_chain(batch, guard, &guard->chain[i]);
	if (make)
		put_all_elements(batch, guard);
	for (size_t i = 0; make && i < guard->chains; i++)
		for (size_t j = 0; j < guard->chain[i].rules; j++)
			put_rule(batch, guard, &guard->chain[i], &guard->chain[i].rule[j]);
	acknowledge_last(batch);
	*sequence = batch->last + 1;
	batch->size += nftnl_batch_end(batch->buffer + batch->size, *sequence)->nlmsg_len;
}

static bool has_device(const struct step *step, bool gone)
{
	for (size_t i = 0; i < step->devices; i++)
		if (step->device[i].gone == gone)
			return true;
	return false;
}

/* An element that goes elsewhere is taken out and put in again, at once for packets. */
void nftables_make_session_batch(struct nftables_batch *batch, const char *table, const struct step *step,
				 uint32_t generation, uint32_t *sequence)
{
	const struct guard_change *change = step->change;

	*batch = (struct nftables_batch){ .buffer = allocate(2, NFTABLES_MESSAGE_SIZE), .room = 2 * (size_t)NFTABLES_MESSAGE_SIZE };

	put_begin(batch, generation, ++*sequence);
	batch->first = *sequence + 1;
	batch->last = *sequence;
	if (has_device(step, true))
		put_devices(batch, table, step->device, step->devices, true);
	if (has_device(step, false))
		put_devices(batch, table, step->device, step->devices, false);
	for (size_t i = 0; i < step->changes; i++) {
		if (change[i].was[0])
			put_elements(batch, table, change[i].set->name, &change[i].element, 1, true);
		if (change[i].element.chain[0])
			put_elements(batch, table, change[i].set->name, &change[i].element, 1, false);
	}
	acknowledge_last(batch);
	*sequence = batch->last + 1;
	batch->size += nftnl_batch_end(batch->buffer + batch->size, *sequence)->nlmsg_len;
}

void nftables_leave_open(struct nftables_batch *batch)
{
	batch->size -= MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct nfgenmsg));
}

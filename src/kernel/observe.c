/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/observe.h"
#include "kernel/nftables_decode.h"
#include "kernel/nftables_requests.h"
#include "kernel/rtnetlink.h"
#include "model/plan.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

int sockets_open(struct sockets *sockets, struct report *report)
{
	*sockets = (struct sockets){ 0 };
	if (netlink_open(&sockets->route, NETLINK_ROUTE, report) < 0)
		return -1;
	return netlink_open(&sockets->nft, NETLINK_NETFILTER, report);
}

void sockets_close(struct sockets *sockets)
{
	netlink_close(&sockets->route);
	netlink_close(&sockets->nft);
}

struct context {
	struct present *present;
	const struct view *view;
};

static int take_rule(const struct nlmsghdr *message, void *data)
{
	struct present *present = ((struct context *)data)->present;
	struct rule rule;

	if (mnl_nlmsg_get_payload_len(message) > RTNETLINK_OBJECT_SIZE)
		return EBADMSG;
	if (!rtnetlink_parse_rule(message, &rule))
		return 0;
	present->rule = make_room_for_one(present->rule, present->rules, sizeof(*present->rule));
	present->rule[present->rules++] = rule;
	return 0;
}

static int take_route(const struct nlmsghdr *message, void *data)
{
	struct present *present = ((struct context *)data)->present;
	struct route route;

	if (mnl_nlmsg_get_payload_len(message) > RTNETLINK_OBJECT_SIZE)
		return EBADMSG;
	if (!rtnetlink_parse_route(message, &route))
		return 0;
	present->route = make_room_for_one(present->route, present->routes, sizeof(*present->route));
	present->route[present->routes++] = route;
	return 0;
}

static int take_neighbour(const struct nlmsghdr *message, void *data)
{
	struct present *present = ((struct context *)data)->present;
	struct neighbour neighbour;

	if (message->nlmsg_type != RTM_NEWNEIGH || !rtnetlink_parse_neighbour(message, &neighbour) ||
	    !(neighbour.state & NUD_PERMANENT))
		return 0;
	present->neighbour = make_room_for_one(present->neighbour, present->neighbours, sizeof(*present->neighbour));
	present->neighbour[present->neighbours++] = neighbour;
	return 0;
}

static int take_generation(const struct nlmsghdr *message, void *data)
{
	return nftables_parse_generation(message, &((struct context *)data)->present->guard);
}

static int take_table(const struct nlmsghdr *message, void *data)
{
	return nftables_parse_table(message, &((struct context *)data)->present->guard);
}

static int take_chain(const struct nlmsghdr *message, void *data)
{
	struct context *context = data;

	return nftables_parse_chain(message, context->view->config->killswitch_table, &context->present->guard);
}

static int take_guard_rule(const struct nlmsghdr *message, void *data)
{
	struct context *context = data;

	return nftables_parse_rule(message, context->view->config->killswitch_table, &context->present->guard);
}

static int take_set(const struct nlmsghdr *message, void *data)
{
	struct context *context = data;

	return nftables_parse_set(message, context->view->config->killswitch_table, &context->present->guard);
}

static int take_flowtable(const struct nlmsghdr *message, void *data)
{
	struct context *context = data;

	return nftables_parse_flowtable(message, context->view->config->killswitch_table, &context->present->guard);
}

static int take_elements(const struct nlmsghdr *message, void *data)
{
	struct context *context = data;

	return nftables_parse_elements(message, context->view->config->killswitch_table, &context->present->guard);
}

static int dump_routes(struct context *context, struct sockets *sockets, uint32_t table, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	if (netlink_request(&sockets->route, rtnetlink_dump_routes(buffer, table), take_route, context, error) == 0)
		return 0;
	/* A table that never had a route does not exist. */
	return error->number == ENOENT ? 0 : -1;
}

/* Whether the table of an owned rule is to be dumped: not ours, nor the kernel's, nor an earlier rule's. */
static bool is_another_table(const struct context *context, const bool *owned, size_t index)
{
	const struct present *present = context->present;
	uint32_t table = present->rule[index].table;

	if (!owned[index] || present->rule[index].action != FR_ACT_TO_TBL || config_has_table(context->view->config, table) ||
	    table == RT_TABLE_UNSPEC || (table >= RT_TABLE_DEFAULT && table <= RT_TABLE_LOCAL))
		return false;
	for (size_t i = 0; i < index; i++)
		if (owned[i] && present->rule[i].action == FR_ACT_TO_TBL && present->rule[i].table == table)
			return false;
	return true;
}

/* Each once: those of both families of a gateway come one behind the other. */
static int dump_wanted_tables(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	const struct wanted *wanted = context->view->wanted;

	for (size_t i = 0; i < wanted->routes; i++)
		if ((i == 0 || wanted->route[i].table != wanted->route[i - 1].table) &&
		    dump_routes(context, sockets, wanted->route[i].table, error) < 0)
			return -1;
	return 0;
}

static int dump_all_tables(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	const struct config *config = context->view->config;

	for (unsigned int i = 0; i < config->gateways; i++)
		if (dump_routes(context, sockets, config->gateway[i].table, error) < 0)
			return -1;
	return 0;
}

/* The gateways' tables, and those that an earlier configuration of ours may have used. */
static int observe_routes(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	const struct present *present = context->present;
	bool *owned = allocate(present->rules, sizeof(*owned));
	int result = (context->view->partial ? dump_wanted_tables : dump_all_tables)(context, sockets, error);

	plan_find_owned(context->view->config, present->rule, present->rules, owned);
	for (size_t i = 0; i < present->rules && result == 0; i++)
		if (is_another_table(context, owned, i))
			result = dump_routes(context, sockets, present->rule[i].table, error);
	free(owned);
	return result;
}

static int dump_neighbours(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	for (int family = 0; family < FAMILIES; family++)
		if (netlink_request(&sockets->route, rtnetlink_dump_neighbours(buffer, family_of(family)), take_neighbour,
				    context, error) < 0)
			return -1;
	return 0;
}

static int observe_neighbours(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	if (context->view->thorough)
		return dump_neighbours(context, sockets, error);
	for (size_t i = 0; i < context->view->wanted->neighbours; i++) {
		const struct neighbour *wanted = &context->view->wanted->neighbour[i];

		if (wanted->interface &&
		    netlink_request(&sockets->route, rtnetlink_get_neighbour(buffer, &wanted->address, wanted->interface),
				    take_neighbour, context, error) < 0 &&
		    error->number != ENOENT)
			return -1;
	}
	return 0;
}

static bool is_unchanged(const struct context *context)
{
	return checkpoint_fits(context->view->checkpoint, &context->present->guard, context->view->digest);
}

static int observe_elements(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	const struct present_guard *guard = &context->present->guard;
	char buffer[NETLINK_MESSAGE_SIZE];

	for (size_t i = 0; i < guard->sets; i++) {
		struct nlmsghdr *request = nftables_dump_elements(buffer, context->view->config->killswitch_table,
								  guard->set[i].name);

		if (guard->set[i].kind == SET_FLOWS || guard->set[i].kind == MAP_SESSIONS ||
		    netlink_request(&sockets->nft, request, take_elements, context, error) == 0)
			continue;
		/* It has gone meanwhile: read all again. */
		error->number = error->number == ENOENT ? EINTR : error->number;
		return -1;
	}
	return 0;
}

static bool has_set(const struct present_guard *guard, const char *name)
{
	for (size_t i = 0; i < guard->sets; i++)
		if (strcmp(guard->set[i].name, name) == 0)
			return true;
	return false;
}

/* Those sessions of a map that are asked for, each by its key. */
static int read_some_sessions(struct context *context, const struct guard_set *wanted, struct sockets *sockets,
				 struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	for (size_t i = 0; i < wanted->elements; i++) {
		struct nlmsghdr *request = nftables_get_element(buffer, context->view->config->killswitch_table, wanted,
								wanted->element[i].key);

		if (netlink_request(&sockets->nft, request, take_elements, context, error) < 0 && error->number != ENOENT)
			return -1;
	}
	return 0;
}

/* Without a checkpoint the state directory is new: of a tunnel's former sessions it knows nothing, and the kernel may. */
static bool knows_formers(const struct view *view)
{
	return !view->checkpoint || view->checkpoint[0];
}

static int read_sessions(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	const struct guard *wanted = &context->view->wanted->guard;
	struct present_guard *guard = &context->present->guard;
	char buffer[NETLINK_MESSAGE_SIZE];

	for (size_t i = 0; i < wanted->sets; i++) {
		const struct guard_set *set = &wanted->set[i];

		if (set->kind != MAP_SESSIONS)
			continue;
		/* Of a table that is not read again, as it is known to be. */
		if (guard->unchanged)
			present_add_set(guard, set);
		if (!has_set(guard, set->name))
			continue;
		if (set->partial && knows_formers(context->view) ? read_some_sessions(context, set, sockets, error) < 0 :
		    netlink_request(&sockets->nft, nftables_dump_elements(buffer, wanted->table, set->name), take_elements, context,
				    error) < 0)
			return -1;
	}
	return 0;
}

/* The generation first, so that a change while the rest is read belongs to a later one. 1: there is no such table. */
static int look_at_table(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	static const netlink_handler handlers[] = { take_generation, take_table };
	char generation[NETLINK_MESSAGE_SIZE], table[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *const requests[] = {
		nftables_get_generation(generation), nftables_get_table(table, context->view->config->killswitch_table),
	};

	if (netlink_request_both(&sockets->nft, requests, handlers, context, error) == 0)
		return 0;
	return error->number == ENOENT ? 1 : -1;
}

/* Of each look, since the kernel takes out interfaces that vanish; else only where the table has something that is no set. */
static int read_fast(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	const struct guard *wanted = &context->view->wanted->guard;
	char buffer[NETLINK_MESSAGE_SIZE];

	if (!wanted->fast.on && (context->present->guard.unchanged || !context->present->guard.others))
		return 0;
	return netlink_request(&sockets->nft, nftables_dump_flowtables(buffer, wanted->table), take_flowtable, context, error);
}

static int observe_guard(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	const char *table = context->view->config->killswitch_table;
	char buffer[NETLINK_MESSAGE_SIZE];
	int result = look_at_table(context, sockets, error);

	if (result != 0)
		return result < 0 ? -1 : 0;
	context->present->guard.unchanged = is_unchanged(context);
	if (context->present->guard.unchanged)
		return read_sessions(context, sockets, error) < 0 ? -1 : read_fast(context, sockets, error);
	if (netlink_request(&sockets->nft, nftables_dump_chains(buffer), take_chain, context, error) < 0)
		return -1;
	if (netlink_request(&sockets->nft, nftables_dump_sets(buffer, table), take_set, context, error) < 0 ||
	    observe_elements(context, sockets, error) < 0 || read_sessions(context, sockets, error) < 0 ||
	    read_fast(context, sockets, error) < 0)
		return -1;
	return netlink_request(&sockets->nft, nftables_dump_rules(buffer, table), take_guard_rule, context, error);
}

/* One reading. @object says what failed. */
static int observe_once(struct context *context, struct sockets *sockets, const char **object,
			struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];

	*object = "the policy rules";
	if (netlink_request(&sockets->route, rtnetlink_dump_rules(buffer), take_rule, context, error) < 0)
		return -1;
	*object = "the routes";
	if (observe_routes(context, sockets, error) < 0)
		return -1;
	*object = "the hardware address of the gateway";
	if (observe_neighbours(context, sockets, error) < 0)
		return -1;
	*object = "the kill switch (nf_tables)";
	return observe_guard(context, sockets, error);
}

static int observe_sessions_once(struct context *context, struct sockets *sockets, struct netlink_error *error)
{
	int result = look_at_table(context, sockets, error);

	if (result != 0)
		return result < 0 ? -1 : 0;
	context->present->guard.unchanged = true;
	return read_sessions(context, sockets, error) < 0 ? -1 : read_fast(context, sockets, error);
}

int observe_sessions(struct present *present, const struct view *view, struct sockets *sockets, struct report *report)
{
	struct context context = { present, view };
	struct netlink_error error;
	int result, attempts = 0;

	*present = (struct present){ 0 };
	do {
		present_free(present);
		result = observe_sessions_once(&context, sockets, &error);
	} while (netlink_again(result, &error, &attempts));
	if (result == 0)
		return 0;
	return report_error(report, netlink_error_status(&error), "can't read the sessions of the kill switch: %s",
			    netlink_error_text(&error));
}

int observe(struct present *present, const struct view *view, struct sockets *sockets, struct report *report)
{
	struct context context = { present, view };
	struct netlink_error error;
	int result, attempts = 0;
	const char *object;

	*present = (struct present){ 0 };
	do {
		present_free(present);
		result = observe_once(&context, sockets, &object, &error);
	} while (netlink_again(result, &error, &attempts));
	present->unprivileged = result < 0 && error.number == EPERM;
	if (result == 0 || present->unprivileged)
		return 0;
	return report_error(report, netlink_error_status(&error), "can't read %s: %s", object,
			    netlink_error_text(&error));
}

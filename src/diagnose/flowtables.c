/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/flowtables.h"
#include "base/memory.h"
#include "diagnose/others.h"
#include "kernel/device.h"
#include "kernel/nftables_attributes.h"
#include "model/marks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 4			/* of devices upon each other */
#define DEVICE_PREFIX 2		/* NFTA_DEVICE_PREFIX, of Linux 6.17 */

static void take_device(struct flowtable *flowtable, const struct nlattr *device)
{
	const char *name = attribute_string(device);
	struct interface_pattern *pattern;

	if (!name || strlen(name) >= IFNAMSIZ)
		return;
	flowtable->device = make_room_for_one(flowtable->device, flowtable->devices, sizeof(*flowtable->device));
	pattern = &flowtable->device[flowtable->devices++];
	*pattern = (struct interface_pattern){ .wildcard = mnl_attr_get_type(device) == DEVICE_PREFIX };
	snprintf(pattern->name, sizeof(pattern->name), "%s", name);
}

int flowtables_take(const struct nlmsghdr *message, void *data)
{
	const struct nlattr *of[NFTA_FLOWTABLE_MAX + 1] = { NULL }, *devices, *device;
	struct flowtables *flowtables = data;
	struct flowtable *taken;

	if (attributes_of(message, of, NFTA_FLOWTABLE_MAX) || !attribute_string(of[NFTA_FLOWTABLE_TABLE]) ||
	    !attribute_string(of[NFTA_FLOWTABLE_NAME]))
		return EBADMSG;
	flowtables->flowtable = make_room_for_one(flowtables->flowtable, flowtables->count, sizeof(*flowtables->flowtable));
	taken = &flowtables->flowtable[flowtables->count++];
	*taken = (struct flowtable){
		.family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family,
		.table = duplicate(attribute_string(of[NFTA_FLOWTABLE_TABLE])),
		.name = duplicate(attribute_string(of[NFTA_FLOWTABLE_NAME])),
	};
	devices = of[NFTA_FLOWTABLE_HOOK] ? netlink_find_nested(of[NFTA_FLOWTABLE_HOOK], NFTA_FLOWTABLE_HOOK_DEVS) : NULL;
	if (devices)
		mnl_attr_for_each_nested(device, devices)
			take_device(taken, device);
	return 0;
}

void flowtables_free(struct flowtables *flowtables)
{
	for (size_t i = 0; i < flowtables->count; i++) {
		free(flowtables->flowtable[i].table);
		free(flowtables->flowtable[i].name);
		free(flowtables->flowtable[i].device);
	}
	free(flowtables->flowtable);
	*flowtables = (struct flowtables){ 0 };
}

/* Devices that matter */

/* Whether an interface may have a name of both. */
static bool overlap(const struct interface_pattern *one, const struct interface_pattern *other)
{
	return interface_matches(one, other->name) || interface_matches(other, one->name);
}

static bool is_tunnel(const struct config *config, const struct host *host, const struct interface_pattern *device)
{
	return overlap(&config->clients, device) && (device->wildcard || !host_leaves_out(host, device->name));
}

/* A device with its masters, or with those that it is built on; returns how many they are. */
static unsigned int list_devices(struct netlink *route, unsigned int index, bool masters, unsigned int list[DEPTH])
{
	struct device_place place;
	unsigned int count = 0;

	while (index && count < DEPTH) {
		list[count++] = index;
		index = !device_read_place(route, index, &place) ? 0 : masters ? place.master : place.lower;
	}
	return count;
}

/* Whether what comes in on @above may come in on @device first: a bridge's port, what a VLAN is on, a port of that. */
static bool is_below(struct netlink *route, unsigned int device, unsigned int above)
{
	unsigned int up[DEPTH], down[DEPTH];
	unsigned int ups = list_devices(route, device, true, up), downs = list_devices(route, above, false, down);

	for (unsigned int i = 0; i < ups; i++)
		for (unsigned int j = 0; j < downs; j++)
			if (up[i] == down[j])
				return true;
	return false;
}

static bool is_gateways(const struct exits *exits, const struct interface_pattern *device, struct netlink *route)
{
	unsigned int index = device->wildcard || !route ? 0 : if_nametoindex(device->name), last = 0;

	for (unsigned int i = 0; i < exits->count; i++) {
		const struct interface *interface = &exits->exit[i].interface;

		if (interface->name[0] && interface_matches(device, interface->name))
			return true;
		if (index && interface->index && interface->index != last && is_below(route, index, interface->index))
			return true;
		last = interface->index;
	}
	return false;
}

static bool is_ours(const struct flowtable *flowtable, const struct config *config)
{
	return flowtable->family == NFPROTO_INET && strcmp(flowtable->table, config->killswitch_table) == 0;
}

/* `vpns*, eth0`; false where there are none, and of our own fast path. */
static bool add_devices(struct text *text, const struct flowtable *flowtable, const struct config *config,
			const struct situation *situation, struct netlink *route)
{
	char name[IFNAMSIZ + 1];

	for (size_t i = 0; i < flowtable->devices && !is_ours(flowtable, config); i++) {
		const struct interface_pattern *device = &flowtable->device[i];

		if (is_tunnel(config, &situation->host, device) || is_gateways(&situation->exits, device, route))
			text_add(text, "%s%s", text->length ? ", " : "", interface_pattern_text(device, name));
	}
	return text->length > 0;
}

static bool any_matters(const struct flowtables *flowtables, const struct config *config, const struct situation *situation,
			struct netlink *route)
{
	bool matters = false;

	for (size_t i = 0; i < flowtables->count && !matters; i++) {
		struct text ignored CLEANUP(text_free) = { 0 };

		matters = add_devices(&ignored, &flowtables->flowtable[i], config, situation, route);
	}
	return matters;
}

/* Rules that add clients' flows */

static int take_name(struct nftnl_expr *expression, void *data)
{
	const char **name = data;

	if (strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME), "flow_offload") == 0)
		*name = nftnl_expr_get_str(expression, NFTNL_EXPR_FLOW_TABLE_NAME);
	return 0;
}

static bool is_of(const struct effect *effect, const struct flowtable *flowtable)
{
	const char *name = NULL;

	if (effect->deed != DEED_OFFLOAD || nftnl_rule_get_u32(effect->rule, NFTNL_RULE_FAMILY) != flowtable->family ||
	    strcmp(nftnl_rule_get_str(effect->rule, NFTNL_RULE_TABLE), flowtable->table) != 0)
		return false;
	nftnl_expr_foreach((struct nftnl_rule *)effect->rule, take_name, &name);
	return name && strcmp(name, flowtable->name) == 0;
}

/* That it depends on what kind of packet it is makes no difference: clients send all kinds. */
static bool is_certain(const struct answer *answer)
{
	return answer->truth == YES || answer->usual || !(answer->open & ~(uint32_t)OPEN_KIND);
}

/* What is looked for: the certain one first. */
struct finding {
	const struct flowtable *flowtable;
	struct effect effect;
	const struct nftnl_chain *base;
	bool found, certain;
};

static void take_effect(struct finding *finding, const struct effect *effect, const struct nftnl_chain *base)
{
	if (!is_of(effect, finding->flowtable) || finding->certain || (finding->found && !is_certain(&effect->answer)))
		return;
	finding->effect = *effect;
	finding->base = base;
	finding->found = true;
	finding->certain = is_certain(&effect->answer);
}

/* A later packet of a flow: the first one has none yet that could be added. */
static void try_packet(struct finding *finding, const struct config *config, const struct ruleset *ruleset,
		       const struct roads *roads, const struct packet *packet)
{
	struct simulation simulation = {
		.ruleset = ruleset, .roads = *roads, .packet = *packet, .every_chain = true,
		.left_out = config->killswitch_table, .left_source_nat = true,
	};

	simulation.packet.later = true;
	simulate(&simulation);
	for (size_t i = 0; i < simulation.passages; i++) {
		const struct passage *passage = &simulation.passage[i];

		for (size_t j = passage->first; j < passage->first + passage->effects; j++)
			take_effect(finding, &simulation.effect[j], passage->chain);
	}
	simulation_free(&simulation);
}

/* A tunnel that the flow table names, since the rules may do so, too. */
static const char *tunnel_of(const struct flowtable *flowtable, const struct config *config, const struct host *host)
{
	for (size_t i = 0; i < flowtable->devices; i++)
		if (!flowtable->device[i].wildcard && is_tunnel(config, host, &flowtable->device[i]))
			return flowtable->device[i].name;
	return NULL;
}

/* Both ways of a flow via each gateway. */
static void find_rule(struct finding *finding, const struct config *config, const struct situation *situation,
		      const struct ruleset *ruleset, struct netlink *route)
{
	const struct roads roads = { route, &situation->present };
	const char *tunnel = tunnel_of(finding->flowtable, config, &situation->host);

	for (unsigned int i = 0; i < situation->exits.count && !finding->certain; i++) {
		const struct exit *exit = &situation->exits.exit[i];
		struct packet packet, answer;

		others_suppose(config, exit, tunnel, &packet, &answer);
		if (config_is_mapped(config))
			packet.mark = packet.flow_mark = mark_of(config, exit->gateway);
		try_packet(finding, config, ruleset, &roads, &packet);
		try_packet(finding, config, ruleset, &roads, &answer);
	}
}

static void add_finding(struct text *wrong, const struct finding *finding, const struct config *config,
			const struct text *devices)
{
	struct text chain CLEANUP(text_free) = { 0 }, cause CLEANUP(text_free) = { 0 }, look CLEANUP(text_free) = { 0 };
	const struct flowtable *flowtable = finding->flowtable;
	char pattern[IFNAMSIZ + 1];

	others_chain_text(&chain, finding->base);
	others_cause_text(&cause, &finding->effect, finding->base);
	others_look_text(&look, finding->effect.chain);
	if (!finding->certain) {
		text_add_string(&cause, ", depending on ");
		open_add_text(&cause, finding->effect.answer.open);
	}
	interface_pattern_text(&config->clients, pattern);
	text_add(wrong, "the flow table %s of nft table `%s %s` has the device%s %s, and the nft chain `%s` %s clients' flows to it, by "
		 "%s: their packets then bypass the kill switch, and routing alone keeps them to the gateway; put `iifname != "
		 "\"%s\" oifname != \"%s\"` in front of `flow add @%s` there; see %s", flowtable->name,
		 others_family_word(flowtable->family), flowtable->table, strchr(text_string(devices), ',') ? "s" : "",
		 text_string(devices), text_string(&chain), finding->certain ? "adds" : "may add", text_string(&cause), pattern,
		 pattern, flowtable->name, text_string(&look));
}

void flowtables_judge(const struct flowtables *flowtables, const struct config *config, const struct situation *situation,
		      const struct ruleset *ruleset, struct netlink *route, struct report *report)
{
	for (size_t i = 0; i < flowtables->count; i++) {
		struct finding finding = { .flowtable = &flowtables->flowtable[i] };
		struct text devices CLEANUP(text_free) = { 0 }, wrong CLEANUP(text_free) = { 0 };

		if (!add_devices(&devices, finding.flowtable, config, situation, route))
			continue;
		find_rule(&finding, config, situation, ruleset, route);
		if (!finding.found)
			continue;
		add_finding(&wrong, &finding, config, &devices);
		(finding.certain ? report_warning : report_note)(report, "%s", text_string(&wrong));
	}
}

static void forget(void *flowtables)
{
	flowtables_free(flowtables);
}

/* A kernel before Linux 4.16 knows none, and so not the question. */
static bool read_flowtables(struct flowtables *flowtables, struct netlink *nft, struct netlink_error *error)
{
	char buffer[NETLINK_MESSAGE_SIZE];
	struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETFLOWTABLE, NFPROTO_UNSPEC, NLM_F_DUMP, 0);

	return netlink_dump(nft, request, forget, flowtables_take, flowtables, error) == 0 || error->number == EINVAL ||
	       error->number == EOPNOTSUPP;
}

static void read_and_judge(const struct flowtables *flowtables, const struct config *config,
			   const struct situation *situation, struct sockets *sockets, struct report *report)
{
	struct netlink_error error;
	struct ruleset ruleset;

	if (ruleset_read(&ruleset, &sockets->nft, &error) == 0)
		flowtables_judge(flowtables, config, situation, &ruleset, &sockets->route, report);
	else
		report_warning(report, "flow tables have devices of clients or gateways, but the nft rules that add flows to them can't be "
			       "read: %s", netlink_error_text(&error));
	ruleset_free(&ruleset);
}

void flowtables_check(const struct config *config, const struct situation *situation, struct sockets *sockets,
		      const struct ruleset *ruleset, struct report *report)
{
	struct flowtables flowtables = { 0 };
	struct netlink_error error;

	if (!read_flowtables(&flowtables, &sockets->nft, &error))
		report_warning(report, "can't read the flow tables of nft: %s", netlink_error_text(&error));
	else if (ruleset)
		flowtables_judge(&flowtables, config, situation, ruleset, &sockets->route, report);
	else if (any_matters(&flowtables, config, situation, &sockets->route))
		read_and_judge(&flowtables, config, situation, sockets, report);
	flowtables_free(&flowtables);
}

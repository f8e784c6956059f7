/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/xtables.h"
#include "diagnose/facts.h"
#include "model/guard.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_CT.h>
#include <linux/netfilter/xt_MARK.h>
#include <linux/netfilter/xt_NFQUEUE.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter/xt_TPROXY.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define UNTRACKED_STATE (1U << 6)	/* XT_STATE_UNTRACKED, and XT_CONNTRACK_STATE_UNTRACKED with two more bits between */
#define UNTRACKED_CONNTRACK XT_CONNTRACK_STATE_UNTRACKED

/* What an extension was told, and that it is of this size. */
struct told {
	const char *name;
	uint32_t revision;
	const void *info;
	uint32_t length;
};

/* The kernel pads what it was told. */
#define TOLD(told, type) ((told)->info && (told)->length >= sizeof(type) ? (const type *)(told)->info : NULL)

static struct answer of_state(const struct evaluation *evaluation, uint32_t mask, uint32_t untracked, bool inverted)
{
	uint32_t state = facts_flow_state(evaluation->packet, evaluation->place);

	if (state == CT_UNTRACKED)
		state = untracked;
	if (evaluation->packet->flow_open)
		return answer_maybe(((state & mask) != 0) != inverted, evaluation->packet->flow_open);
	return ANSWER(((state & mask) != 0) != inverted);
}

static struct answer match_conntrack(const struct evaluation *evaluation, const struct told *told)
{
	const struct xt_conntrack_mtinfo3 *info = TOLD(told, struct xt_conntrack_mtinfo3);
	const uint32_t nat = XT_CONNTRACK_STATE_SNAT | XT_CONNTRACK_STATE_DNAT;

	if (!info || told->revision != 3 || (info->match_flags & ~XT_CONNTRACK_STATE_ALIAS) != XT_CONNTRACK_STATE ||
	    info->state_mask & nat)
		return answer_maybe(false, OPEN_FLOW);
	return of_state(evaluation, info->state_mask, UNTRACKED_CONNTRACK, info->invert_flags & XT_CONNTRACK_STATE);
}

static struct answer match_state(const struct evaluation *evaluation, const struct told *told)
{
	const struct xt_state_info *info = TOLD(told, struct xt_state_info);

	return info ? of_state(evaluation, info->statemask, UNTRACKED_STATE, false) : answer_maybe(false, OPEN_FLOW);
}

static struct answer match_mark(const struct evaluation *evaluation, const struct told *told)
{
	const struct xt_mark_mtinfo1 *info = TOLD(told, struct xt_mark_mtinfo1);
	const struct packet *packet = evaluation->packet;
	bool same;

	if (!info)
		return answer_maybe(false, OPEN_MARK);
	same = ((packet->mark & info->mask) == info->mark) != info->invert;
	return packet->mark_open ? answer_maybe(same, packet->mark_open) : ANSWER(same);
}

static struct answer match_rpfilter(const struct evaluation *evaluation, const struct told *told)
{
	const struct xt_rpfilter_info *info = TOLD(told, struct xt_rpfilter_info);
	struct answer found;

	if (!info)
		return answer_maybe(false, OPEN_ROUTE);
	found = facts_way_back(evaluation, info->flags & XT_RPFILTER_LOOSE, info->flags & XT_RPFILTER_VALID_MARK);
	return info->flags & XT_RPFILTER_INVERT ? answer_not(found) : found;
}

static struct answer of_type(const struct evaluation *evaluation, bool destination, uint16_t types, bool inverted)
{
	uint8_t type = facts_type(evaluation, destination);

	if (!types)
		return ANSWER(true);
	if (type == RTN_UNSPEC)
		return answer_maybe(((types >> RTN_UNICAST) & 1U) != inverted, OPEN_ADDRESS);
	return ANSWER(((types >> type) & 1U) != inverted);
}

static struct answer match_addrtype(const struct evaluation *evaluation, const struct told *told)
{
	const struct xt_addrtype_info_v1 *info = TOLD(told, struct xt_addrtype_info_v1);

	if (!info || told->revision != 1 || info->flags & (XT_ADDRTYPE_LIMIT_IFACE_IN | XT_ADDRTYPE_LIMIT_IFACE_OUT))
		return answer_maybe(false, OPEN_ADDRESS);
	return answer_and(of_type(evaluation, false, info->source, info->flags & XT_ADDRTYPE_INVERT_SOURCE),
			  of_type(evaluation, true, info->dest, info->flags & XT_ADDRTYPE_INVERT_DEST));
}

static bool has_usual_port(const uint16_t port[2], bool inverted)
{
	return (USUAL_PORT >= port[0] && USUAL_PORT <= port[1]) != inverted;
}

static struct answer match_tcp(const struct evaluation *evaluation, const struct told *told)
{
	const struct xt_tcp *info = TOLD(told, struct xt_tcp);

	(void)evaluation;
	return answer_maybe(info && has_usual_port(info->dpts, info->invflags & XT_TCP_INV_DSTPT), OPEN_PORTS | OPEN_HEADER);
}

static struct answer match_multiport(const struct evaluation *evaluation, const struct told *told)
{
	const struct xt_multiport_v1 *info = TOLD(told, struct xt_multiport_v1);
	bool usual = false;

	(void)evaluation;
	for (unsigned int i = 0; info && i < info->count && i < XT_MULTI_PORTS; i++) {
		bool range = info->pflags[i] && i + 1U < XT_MULTI_PORTS;
		uint16_t port[2] = { info->ports[i], info->ports[range ? i + 1 : i] };

		usual = usual || has_usual_port(port, false);
		i += range;
	}
	return answer_maybe(info && info->flags != XT_MULTIPORT_SOURCE && usual != info->invert, OPEN_PORTS);
}

static struct answer match_udp(const struct evaluation *evaluation, const struct told *told)
{
	(void)evaluation, (void)told;
	return answer_maybe(false, OPEN_PORTS);
}

static struct answer match_always(const struct evaluation *evaluation, const struct told *told)
{
	(void)evaluation, (void)told;
	return ANSWER(true);
}

static struct answer match_never(const struct evaluation *evaluation, const struct told *told)
{
	(void)evaluation, (void)told;
	return ANSWER(false);
}

static struct answer match_rate(const struct evaluation *evaluation, const struct told *told)
{
	(void)evaluation, (void)told;
	return answer_maybe(true, OPEN_RATE);
}

static struct answer match_chance(const struct evaluation *evaluation, const struct told *told)
{
	(void)evaluation, (void)told;
	return answer_maybe(false, OPEN_CHANCE);
}

static const struct {
	const char *name;
	struct answer (*find)(const struct evaluation *evaluation, const struct told *told);
} matches[] = {
	{ "comment", match_always }, { "conntrack", match_conntrack }, { "state", match_state }, { "mark", match_mark },
	{ "rpfilter", match_rpfilter }, { "addrtype", match_addrtype }, { "tcp", match_tcp }, { "udp", match_udp },
	{ "multiport", match_multiport }, { "limit", match_rate }, { "owner", match_never }, { "statistic", match_chance },
};

/* Matches and targets have names of the same kinds in libnftnl, with other numbers. */
struct attributes {
	uint16_t name, revision, info;
};

static const struct attributes of_match = { NFTNL_EXPR_MT_NAME, NFTNL_EXPR_MT_REV, NFTNL_EXPR_MT_INFO };
static const struct attributes of_target = { NFTNL_EXPR_TG_NAME, NFTNL_EXPR_TG_REV, NFTNL_EXPR_TG_INFO };

static struct told told_of(const struct nftnl_expr *expression, const struct attributes *of)
{
	struct told told = { .name = NULL };

	told.name = nftnl_expr_get_str(expression, of->name);
	told.revision = nftnl_expr_get_u32(expression, of->revision);
	if (nftnl_expr_is_set(expression, of->info))
		told.info = nftnl_expr_get(expression, of->info, &told.length);
	return told;
}

struct move xtables_match(const struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct move move = { .matches = answer_maybe(false, OPEN_XTABLES) };
	struct told told = told_of(expression, &of_match);

	for (size_t i = 0; told.name && i < sizeof(matches) / sizeof(*matches); i++)
		if (strcmp(matches[i].name, told.name) == 0)
			move.matches = matches[i].find(evaluation, &told);
	return move;
}

const char *xtables_comment(const struct nftnl_expr *expression, uint32_t *length)
{
	struct told told;

	if (strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME), "match") != 0)
		return NULL;
	told = told_of(expression, &of_match);
	*length = told.length;
	return told.name && strcmp(told.name, "comment") == 0 ? told.info : NULL;
}

/* Targets */

static struct address address_of(const struct evaluation *evaluation, const void *bytes)
{
	struct address address = { .family = family_of(evaluation->packet->family) };

	memcpy(address.bytes, bytes, address_size(address.family));
	return address;
}

/* The one address, where it is one. */
static struct address new_address(const struct evaluation *evaluation, const struct told *told)
{
	const struct nf_nat_ipv4_multi_range_compat *old = TOLD(told, struct nf_nat_ipv4_multi_range_compat);
	const struct nf_nat_range *range = TOLD(told, struct nf_nat_range);

	if (told->revision == 0 && evaluation->packet->family == IPV4 && old && old->rangesize == 1 &&
	    old->range[0].flags & NF_NAT_RANGE_MAP_IPS && old->range[0].min_ip == old->range[0].max_ip)
		return address_of(evaluation, &old->range[0].min_ip);
	if (told->revision > 0 && range && range->flags & NF_NAT_RANGE_MAP_IPS &&
	    memcmp(range->min_addr.all, range->max_addr.all, sizeof(range->min_addr.all)) == 0)
		return address_of(evaluation, &range->min_addr);
	return (struct address){ .family = AF_UNSPEC };
}

static void to_another(const struct evaluation *evaluation, const struct told *told, struct move *move)
{
	move->deed = strcmp(told->name, "SNAT") == 0 ? DEED_SOURCE : DEED_DESTINATION;
	move->address = new_address(evaluation, told);
}

static void to_any_other(const struct evaluation *evaluation, const struct told *told, struct move *move)
{
	(void)told;
	move->deed = evaluation->place->hook == NF_INET_POST_ROUTING ? DEED_SOURCE : DEED_DESTINATION;
}

static void to_mark(const struct evaluation *evaluation, const struct told *told, struct move *move)
{
	const struct xt_mark_tginfo2 *info = TOLD(told, struct xt_mark_tginfo2);

	move->deed = DEED_MARK;
	move->mark_open = info && told->revision == 2 ? evaluation->packet->mark_open : OPEN_MARK;
	if (info)
		move->mark = (evaluation->packet->mark & ~info->mask) ^ info->mark;
}

/* Marks of a flow are kept and given back by one target: what was kept is not followed. */
static void to_flow_mark(const struct evaluation *evaluation, const struct told *told, struct move *move)
{
	(void)told;
	move->deed = DEED_MARK;
	move->mark = evaluation->packet->mark;
	move->mark_open = OPEN_MARK;
}

static void to_queue(const struct evaluation *evaluation, const struct told *told, struct move *move)
{
	const struct xt_NFQ_info_v3 *info = TOLD(told, struct xt_NFQ_info_v3);
	const struct xt_NFQ_info *first = TOLD(told, struct xt_NFQ_info);

	(void)evaluation;
	if (info && told->revision == 3)
		*move = facts_queue(info->queuenum, info->queues_total, info->flags & NFQ_FLAG_BYPASS);
	else
		*move = facts_queue(first ? first->queuenum : 0, 1, false);
}

static void to_socket(const struct evaluation *evaluation, const struct told *told, struct move *move)
{
	const struct xt_tproxy_target_info_v1 *info = TOLD(told, struct xt_tproxy_target_info_v1);
	const struct xt_tproxy_target_info *first = TOLD(told, struct xt_tproxy_target_info);
	uint32_t mask = 0, value = 0;
	uint16_t port = 0;

	if (told->revision == 1 && info) {
		port = ntohs(info->lport);
		mask = info->mark_mask;
		value = info->mark_value;
	} else if (told->revision == 0 && first) {
		port = ntohs(first->lport);
		mask = first->mark_mask;
		value = first->mark_value;
	}
	*move = facts_socket(evaluation, port);
	move->mark = (evaluation->packet->mark & ~mask) ^ value;
	/* This one accepts what a socket takes, and drops what none does. */
	move->deed = move->matches.usual ? DEED_SOCKET : DEED_VERDICT;
	move->outcomes = 1;
	move->outcome[0] = (struct outcome){
		.verdict = move->matches.usual ? NF_ACCEPT : NF_DROP, .answer = answer_maybe(true, move->matches.open),
	};
	move->matches = ANSWER(true);
}

static void to_no_flow(const struct evaluation *evaluation, const struct told *told, struct move *move)
{
	const struct xt_ct_target_info_v1 *info = TOLD(told, struct xt_ct_target_info_v1);

	(void)evaluation;
	if (strcmp(told->name, "NOTRACK") == 0 || (info && info->flags & XT_CT_NOTRACK))
		move->deed = DEED_UNTRACK;
}

static const struct target {
	const char *name;
	enum deed deed;
	void (*find)(const struct evaluation *evaluation, const struct told *told, struct move *move);
} targets[] = {
	{ "REJECT", DEED_REJECT, NULL }, { "MASQUERADE", DEED_MASQUERADE, NULL }, { "REDIRECT", DEED_REDIRECT, NULL },
	{ "DNAT", DEED_NONE, to_another }, { "SNAT", DEED_NONE, to_another }, { "NETMAP", DEED_NONE, to_any_other },
	{ "MARK", DEED_NONE, to_mark }, { "CONNMARK", DEED_NONE, to_flow_mark }, { "TEE", DEED_COPY, NULL },
	{ "NFQUEUE", DEED_NONE, to_queue }, { "TPROXY", DEED_NONE, to_socket }, { "CT", DEED_NONE, to_no_flow },
	{ "NOTRACK", DEED_NONE, to_no_flow }, { "SYNPROXY", DEED_TAKE, NULL }, { "LOG", DEED_NONE, NULL },
	{ "NFLOG", DEED_NONE, NULL }, { "TCPMSS", DEED_NONE, NULL }, { "TCPOPTSTRIP", DEED_NONE, NULL },
	{ "DSCP", DEED_NONE, NULL }, { "TOS", DEED_NONE, NULL }, { "TTL", DEED_NONE, NULL }, { "HL", DEED_NONE, NULL },
	{ "CLASSIFY", DEED_NONE, NULL }, { "AUDIT", DEED_NONE, NULL }, { "CHECKSUM", DEED_NONE, NULL },
	{ "SECMARK", DEED_NONE, NULL }, { "CONNSECMARK", DEED_NONE, NULL }, { "IDLETIMER", DEED_NONE, NULL },
	{ "LED", DEED_NONE, NULL }, { "RATEEST", DEED_NONE, NULL }, { "SET", DEED_NONE, NULL }, { "TRACE", DEED_NONE, NULL },
	{ "ECN", DEED_NONE, NULL },
};

struct move xtables_target(const struct evaluation *evaluation, const struct nftnl_expr *expression)
{
	struct told told = told_of(expression, &of_target);
	struct move move = { .matches = ANSWER(true), .deed = DEED_NONE };

	for (size_t i = 0; told.name && i < sizeof(targets) / sizeof(*targets); i++) {
		if (strcmp(targets[i].name, told.name) != 0)
			continue;
		move.deed = targets[i].deed;
		if (targets[i].find)
			targets[i].find(evaluation, &told, &move);
		return move;
	}
	move.matches = answer_maybe(false, OPEN_XTABLES);
	move.deed = DEED_UNKNOWN;
	return move;
}

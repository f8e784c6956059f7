/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/simulate.h"
#include "kernel/setting.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JUMPS_MAX 16		/* NFT_JUMP_STACK_SIZE of the kernel */
#define BUDGET 1000000U		/* of a base chain: a second's work; a chain that many rules jump to counts as often */
#define UNKNOWN_VERDICT UINT32_MAX

/* Which of the packets that enter a chain or rule go on behind it. */
struct rest {
	enum truth all;		/* YES: each; NO: none */
	bool usual;		/* the usual one does */
	uint32_t open;
};

static const struct rest all_go_on = { YES, true, 0 };

static struct answer answer_of(struct rest rest)
{
	return (struct answer){ rest.all, rest.usual, rest.open };
}

/* @answer of the packets do not go on. */
static void take_away(struct rest *rest, struct answer answer)
{
	if (answer.truth == NO)
		return;
	rest->all = answer.truth == YES ? NO : rest->all == NO ? NO : MAYBE;
	rest->usual = rest->usual && !answer.usual;
	rest->open |= answer.open;
}

/* A rule that is walked through, in a chain that is. */
struct walk {
	struct simulation *simulation;
	const struct nftnl_chain *chain;
	const struct nftnl_rule *rule;
	const struct place *place;
	struct evaluation evaluation;
	struct answer enters;		/* whether a packet comes to this rule */
	struct answer matches;		/* and whether the rule goes on */
	struct rest *rest;		/* of the chain */
	struct rest returned;		/* those that did not return */
};

static size_t add_effect(struct simulation *simulation, const struct effect *effect)
{
	if (effect->answer.truth == NO)
		return NO_EFFECT;
	simulation->effect = make_room_for_one(simulation->effect, simulation->effects, sizeof(*simulation->effect));
	simulation->effect[simulation->effects] = *effect;
	return simulation->effects++;
}

static size_t add_of_rule(struct walk *walk, enum deed deed, uint32_t verdict, struct answer answer, const struct move *move)
{
	struct effect effect = {
		.deed = deed, .verdict = verdict, .answer = answer_and(walk->enters, answer), .chain = walk->chain,
		.rule = walk->rule, .base_rule = walk->simulation->base_rule,
	};

	if (move) {
		effect.address = move->address;
		effect.mark = move->mark;
		memcpy(effect.detail, move->detail, sizeof(effect.detail));
	}
	return add_effect(walk->simulation, &effect);
}

static void accept_some(struct walk *walk, struct answer answer, const struct move *move)
{
	add_of_rule(walk, DEED_VERDICT, NF_ACCEPT, answer, move);
	walk->simulation->accepted = true;
	take_away(walk->rest, answer);
}

static void end_some(struct walk *walk, enum deed deed, struct answer answer, const struct move *move)
{
	add_of_rule(walk, deed, NF_DROP, answer, move);
	walk->simulation->ended = true;
	take_away(walk->rest, answer);
}

static struct rest run_chain(struct simulation *simulation, const struct ruleset_chain *chain, const struct place *place,
			     struct answer enters);

/* @answer of those that are still in the chain leave it, and go on behind what led there. */
static void go_back(struct walk *walk, struct answer answer)
{
	answer.usual = answer.usual && walk->rest->usual;
	take_away(&walk->returned, answer);
}

/* @answer of the packets go to another chain, and come back from it but for what that ends. */
static void jump(struct walk *walk, const char *name, struct answer answer, bool come_back)
{
	struct simulation *simulation = walk->simulation;
	const struct ruleset_chain *chain = name ?
		ruleset_find_chain(simulation->ruleset, walk->place->family, walk->evaluation.table, name) : NULL;
	struct rest rest = all_go_on;

	budget_spend(&simulation->budget, simulation->ruleset->chains / FOUND_AT_ONCE);
	if (chain && simulation->depth < JUMPS_MAX)
		rest = run_chain(simulation, chain, walk->place, answer_and(walk->enters, answer));
	if (come_back) {
		take_away(walk->rest, answer_and(answer, (struct answer){ rest.all == YES ? NO : rest.all == NO ? YES : MAYBE,
									  !rest.usual, rest.open }));
		return;
	}
	go_back(walk, answer_and(answer, answer_of(rest)));
	take_away(walk->rest, answer);
}

static void follow(struct walk *walk, const struct outcome *outcome)
{
	struct answer answer = answer_and(walk->matches, outcome->answer);

	switch ((int)outcome->verdict) {
	case NF_ACCEPT:
		return accept_some(walk, answer, NULL);
	case NF_DROP:
		return end_some(walk, DEED_VERDICT, answer, NULL);
	case NFT_RETURN:
		go_back(walk, answer);
		return take_away(walk->rest, answer);
	case NFT_JUMP:
		return jump(walk, outcome->chain, answer, true);
	case NFT_GOTO:
		return jump(walk, outcome->chain, answer, false);
	}
}

/* What is between outcomes of which one is so is not asked again. */
static void follow_all(struct walk *walk, const struct move *move)
{
	const struct answer open = answer_and(walk->matches, answer_maybe(false, OPEN_SET | OPEN_SIZE));

	for (size_t i = 0; i < move->outcomes; i++)
		follow(walk, &move->outcome[i]);
	if (!move->more)
		return;
	accept_some(walk, open, move);
	end_some(walk, DEED_VERDICT, open, move);
}

/* Changes of the packet */

/*
 * To those that have the value already it makes no difference whether they get it. What is beyond a limit is no doubt about
 * what is not.
 */
static void set_word(uint32_t *word, uint32_t *open, const struct move *move, struct answer answer)
{
	bool surely = answer.truth == YES || (answer.usual && answer.open == OPEN_RATE);

	if (*word == move->mark && !*open && !move->mark_open)
		return;
	if (answer.usual)
		*word = move->mark;
	*open = surely ? move->mark_open : *open | move->mark_open | answer.open;
}

static void set_address(struct address *address, uint32_t *open, const struct address *new, struct answer answer)
{
	if (answer.usual && new->family != AF_UNSPEC)
		*address = *new;
	if (new->family == AF_UNSPEC || answer.truth != YES)
		*open |= OPEN_ADDRESS;
	else
		*open = 0;
}

static void note(size_t *of, size_t effect, struct answer answer)
{
	if (answer.usual && effect != NO_EFFECT)
		*of = effect;
}

/* What happens to some, but not to all, may make a difference in the end. */
static void doubt(struct simulation *simulation, struct answer answer)
{
	if (answer.truth == MAYBE) {
		simulation->certain = false;
		simulation->open |= answer.open;
	}
}

static void rewrite(struct walk *walk, const struct move *move, struct answer answer)
{
	struct simulation *simulation = walk->simulation;
	struct packet *packet = &simulation->packet;
	struct answer whole = answer_and(walk->enters, answer);
	struct move known = *move;
	size_t effect;

	if (move->deed == DEED_MASQUERADE && packet->outgoing[0] && simulation->roads.route)
		roads_own_address(&packet->nexthop, &packet->destination, packet->outgoing, &known.address);
	effect = add_of_rule(walk, move->deed, NF_ACCEPT, answer, &known);
	if (move->deed == DEED_SOURCE || move->deed == DEED_MASQUERADE) {
		set_address(&packet->source, &packet->source_open, &known.address, whole);
		note(&simulation->source, effect, whole);
	} else {
		set_address(&packet->destination, &packet->destination_open, &move->address, whole);
		note(&simulation->destination, effect, whole);
		if (move->deed == DEED_REDIRECT && whole.usual)
			packet->local = true;
	}
}

static bool is_nat(const struct nftnl_chain *chain)
{
	const char *type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);

	return type && strcmp(type, "nat") == 0;
}

/* In a chain of type nat its rule decides; elsewhere the header was written to, and the rule goes on. */
static void take_rewriting(struct walk *walk, const struct move *move, struct answer answer)
{
	const struct passage *passage = &walk->simulation->passage[walk->simulation->passages - 1];

	rewrite(walk, move, answer);
	if (!is_nat(passage->chain)) {
		doubt(walk->simulation, answer_and(walk->enters, answer));
		return;
	}
	walk->simulation->accepted = true;
	take_away(walk->rest, answer);
}

static void take_socket(struct walk *walk, const struct move *move, struct answer answer)
{
	struct simulation *simulation = walk->simulation;
	struct answer whole = answer_and(walk->enters, answer);

	note(&simulation->socket, add_of_rule(walk, DEED_SOCKET, NF_ACCEPT, answer, move), whole);
	set_word(&simulation->packet.mark, &simulation->packet.mark_open, move, whole);
	doubt(simulation, whole);
	for (size_t i = 0; i < move->outcomes; i++)
		follow(walk, &move->outcome[i]);
}

static void untrack(struct walk *walk, struct answer answer)
{
	struct packet *packet = &walk->simulation->packet;
	struct answer whole = answer_and(walk->enters, answer);

	packet->untracked = packet->untracked || whole.usual;
	if (whole.truth == MAYBE)
		packet->flow_open |= whole.open;
}

static void take_queue(struct walk *walk, const struct move *move, struct answer answer)
{
	if (move->matches.truth == YES)
		return end_some(walk, DEED_QUEUE, answer, move);
	add_of_rule(walk, DEED_QUEUE, NF_QUEUE, answer, move);
	walk->simulation->accepted = walk->simulation->ended = true;
	doubt(walk->simulation, answer);
	take_away(walk->rest, (struct answer){ YES, answer.usual, answer.open });
}

static void take_unknown(struct walk *walk, const struct move *move, struct answer answer)
{
	accept_some(walk, answer, move);
	end_some(walk, DEED_UNKNOWN, answer, move);
}

static void take_move(struct walk *walk, const struct move *move)
{
	struct packet *packet = &walk->simulation->packet;
	struct answer answer = walk->matches;

	switch (move->deed) {
	case DEED_NONE:
		return;
	case DEED_VERDICT:
		return follow_all(walk, move);
	case DEED_REJECT:
	case DEED_SEND:
	case DEED_TAKE:
		return end_some(walk, move->deed, answer, move);
	case DEED_QUEUE:
		return take_queue(walk, move, answer);
	case DEED_DESTINATION:
	case DEED_REDIRECT:
	case DEED_SOURCE:
	case DEED_MASQUERADE:
		return take_rewriting(walk, move, answer);
	case DEED_SOCKET:
		return take_socket(walk, move, answer);
	case DEED_COPY:
		add_of_rule(walk, DEED_COPY, NF_ACCEPT, answer, move);
		return;
	case DEED_MARK:
		add_of_rule(walk, DEED_MARK, NF_ACCEPT, answer, move);
		return set_word(&packet->mark, &packet->mark_open, move, answer_and(walk->enters, answer));
	case DEED_FLOW_MARK:
		add_of_rule(walk, DEED_FLOW_MARK, NF_ACCEPT, answer, move);
		return set_word(&packet->flow_mark, &packet->flow_mark_open, move, answer_and(walk->enters, answer));
	case DEED_OFFLOAD:
		add_of_rule(walk, DEED_OFFLOAD, NF_ACCEPT, answer, move);
		return;
	case DEED_UNTRACK:
		return untrack(walk, answer);
	case DEED_UNKNOWN:
		return take_unknown(walk, move, answer);
	}
}

/* Chains */

static int take_expression(struct nftnl_expr *expression, void *data)
{
	struct walk *walk = data;
	struct move move = expressions_take(&walk->evaluation, expression);

	walk->matches = answer_and(walk->matches, move.matches);
	if (walk->matches.truth == NO)
		return -1;
	take_move(walk, &move);
	return walk->rest->all == NO ? -1 : 0;
}

static void run_rule(struct simulation *simulation, const struct nftnl_chain *chain, struct nftnl_rule *rule,
		     const struct place *place, struct answer enters, struct rest *rest, struct rest *returned)
{
	struct walk walk = {
		.simulation = simulation, .chain = chain, .rule = rule, .place = place,
		.enters = answer_and(enters, answer_of(*rest)), .matches = ANSWER(true), .rest = rest, .returned = all_go_on,
		.evaluation = {
			.ruleset = simulation->ruleset, .roads = &simulation->roads, .packet = &simulation->packet,
			.place = place, .table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), .budget = &simulation->budget,
		},
	};

	if (simulation->depth == 1)
		simulation->base_rule = rule;
	nftnl_expr_foreach(rule, take_expression, &walk);
	if (walk.returned.all != YES)
		take_away(returned, (struct answer){ walk.returned.all == NO ? YES : MAYBE, !walk.returned.usual,
						     walk.returned.open });
}

/* Those that return from a chain go on behind the rule that led there, as those do that come to its end. */
static struct rest join(struct rest rest, struct rest returned, bool ended)
{
	struct rest joined = { .usual = rest.usual || !returned.usual, .open = rest.open | returned.open };

	joined.all = !ended ? YES : rest.all == NO && returned.all == YES ? NO : MAYBE;
	return joined;
}

static struct rest run_chain(struct simulation *simulation, const struct ruleset_chain *chain, const struct place *place,
			     struct answer enters)
{
	struct rest rest = all_go_on, returned = all_go_on;
	bool accepted = simulation->accepted, ended = simulation->ended, some;

	simulation->accepted = simulation->ended = false;
	simulation->depth++;
	for (size_t i = 0; i < chain->rules && rest.all != NO; i++) {
		if (simulation->budget == 0) {
			rest = (struct rest){ MAYBE, rest.usual, rest.open | OPEN_SIZE };
			simulation->accepted = simulation->ended = true;
			doubt(simulation, answer_maybe(true, OPEN_SIZE));
			break;
		}
		simulation->budget--;
		run_rule(simulation, chain->chain, simulation->ruleset->rule[chain->first + i], place, enters, &rest, &returned);
	}
	simulation->depth--;
	some = simulation->accepted || simulation->ended;
	simulation->accepted = simulation->accepted || accepted;
	simulation->ended = simulation->ended || ended;
	return join(rest, returned, some);
}

static bool ends_way(const struct effect *effect)
{
	return effect->deed == DEED_REJECT || effect->deed == DEED_SEND || effect->deed == DEED_TAKE ||
	       effect->deed == DEED_UNKNOWN || effect->deed == DEED_QUEUE ||
	       (effect->deed == DEED_VERDICT && effect->verdict == NF_DROP);
}

/* The effect that ends the path of the usual packet; where none does, the first that may end another's. */
static size_t find_cause(const struct simulation *simulation, const struct passage *passage)
{
	size_t may = NO_EFFECT;

	for (size_t i = passage->first; i < simulation->effects; i++) {
		const struct effect *effect = &simulation->effect[i];

		if (!ends_way(effect))
			continue;
		if (effect->answer.usual && effect->verdict != NF_QUEUE)
			return i;
		if (may == NO_EFFECT)
			may = i;
	}
	return may;
}

static void apply_policy(struct simulation *simulation, const struct nftnl_chain *chain, struct rest rest,
			 struct answer enters)
{
	struct effect effect = { .deed = DEED_VERDICT, .verdict = NF_DROP, .chain = chain };

	if (rest.all == NO)
		return;
	if (nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) != NF_DROP) {
		simulation->accepted = true;
		return;
	}
	effect.answer = answer_and(enters, answer_of(rest));
	add_effect(simulation, &effect);
	simulation->ended = true;
}

static struct answer is_here(const struct simulation *simulation)
{
	return simulation->every_chain || (simulation->certain && !simulation->dropped) ? ANSWER(true) :
	       answer_maybe(true, simulation->open);
}

/* What may end the path of some. That of what is beyond a limit is no doubt about what is not. */
static void note_ends(struct simulation *simulation, const struct passage *passage)
{
	for (size_t i = passage->first; i < simulation->effects; i++) {
		const struct effect *effect = &simulation->effect[i];

		if (!ends_way(effect) || (!effect->answer.usual && effect->answer.open & OPEN_RATE))
			continue;
		simulation->open |= effect->answer.open;
		if (effect->deed == DEED_SEND || effect->deed == DEED_TAKE || effect->deed == DEED_UNKNOWN)
			simulation->certain = false;
		simulation->dropped = true;
	}
}

/* Whether the usual packet goes on behind the base chain that was passed. */
static bool survives(struct simulation *simulation, struct passage *passage)
{
	const struct effect *cause;

	passage->effects = simulation->effects - passage->first;
	passage->cause = find_cause(simulation, passage);
	passage->ended = !simulation->ended ? NO : simulation->accepted ? MAYBE : YES;
	if (passage->cause == NO_EFFECT)
		return true;
	cause = &simulation->effect[passage->cause];
	if (!cause->answer.usual || cause->verdict == NF_QUEUE) {
		note_ends(simulation, passage);
		return true;
	}
	/* That others may have been dropped before makes no difference then. */
	if (passage->ended != YES) {
		note_ends(simulation, passage);
		simulation->certain = false;
	}
	simulation->cause = passage->cause;
	return simulation->every_chain;
}

static bool is_rewriting(const struct effect *effect)
{
	return effect->deed >= DEED_DESTINATION && effect->deed <= DEED_MASQUERADE;
}

/* All that a chain may rewrite it to is one and the same address. */
static bool rewrites_alike(const struct simulation *simulation, const struct passage *passage)
{
	const struct effect *first = NULL;

	for (size_t i = passage->first; i < simulation->effects; i++) {
		const struct effect *effect = &simulation->effect[i];

		if (!is_rewriting(effect))
			continue;
		if (first && (effect->deed != first->deed || !address_equal(&effect->address, &first->address)))
			return false;
		first = effect;
	}
	return first && first->address.family != AF_UNSPEC;
}

static void settle_address(struct simulation *simulation, const struct passage *passage)
{
	if (!rewrites_alike(simulation, passage))
		return;
	if (passage->place.hook == NF_INET_POST_ROUTING)
		simulation->packet.source_open = 0;
	else
		simulation->packet.destination_open = 0;
}

/* One answer for the whole chain, as far as its rules agree. */
static void note_rewriting(struct simulation *simulation, struct passage *passage, struct rest rest)
{
	bool plain = rest.all != NO;

	for (size_t i = passage->first; i < simulation->effects; i++) {
		const struct effect *effect = &simulation->effect[i];

		plain = plain || (effect->deed == DEED_VERDICT && effect->verdict == NF_ACCEPT);
		if (is_rewriting(effect) && effect->answer.truth > passage->rewritten)
			passage->rewritten = effect->answer.truth;
		rest.open |= effect->answer.open;
	}
	if (passage->rewritten == NO || !is_nat(passage->chain))
		return;
	if (!plain) {
		passage->rewritten = YES;
		settle_address(simulation, passage);
	} else if (passage->rewritten == MAYBE) {
		doubt(simulation, answer_maybe(true, rest.open));
	}
}

static bool run_base(struct simulation *simulation, const struct ruleset_chain *chain, const struct place *place)
{
	struct passage passage = { .chain = chain->chain, .place = *place, .cause = NO_EFFECT, .first = simulation->effects };
	struct answer enters = is_here(simulation);
	size_t at = simulation->passages;
	struct rest rest;

	simulation->passage = make_room_for_one(simulation->passage, at, sizeof(passage));
	simulation->passage[simulation->passages++] = passage;
	simulation->accepted = simulation->ended = false;
	simulation->base_rule = NULL;
	simulation->budget = BUDGET;
	rest = run_chain(simulation, chain, place, enters);
	simulation->passage[at].cut_off = simulation->budget == 0;
	note_rewriting(simulation, &simulation->passage[at], rest);
	apply_policy(simulation, chain->chain, rest, enters);
	return survives(simulation, &simulation->passage[at]);
}

/* Hooks */

/* One of the chains that a hook asks. */
struct turn {
	const struct ruleset_chain *chain;
	struct place place;
	int32_t own_priority;
};

static int compare_turns(const void *a, const void *b)
{
	const struct turn *first = a, *second = b;

	if (first->place.priority != second->place.priority)
		return first->place.priority < second->place.priority ? -1 : 1;
	if (first->own_priority != second->own_priority)
		return first->own_priority < second->own_priority ? -1 : 1;
	/* Of two with the same priority the kernel asks that first which came last. */
	return first->chain < second->chain ? 1 : -1;
}

static bool names(const char *pattern, const char *interface)
{
	size_t length = strlen(pattern);

	if (length > 0 && pattern[length - 1] == '*')
		return strncmp(pattern, interface, length - 1) == 0;
	return strcmp(pattern, interface) == 0;
}

static bool is_on_device(const struct nftnl_chain *chain, const char *interface)
{
	const char *const *device = nftnl_chain_is_set(chain, NFTNL_CHAIN_DEVICES) ?
				    (const char *const *)nftnl_chain_get(chain, NFTNL_CHAIN_DEVICES) : NULL;

	if (nftnl_chain_is_set(chain, NFTNL_CHAIN_DEV))
		return names(nftnl_chain_get_str(chain, NFTNL_CHAIN_DEV), interface);
	for (; device && *device; device++)
		if (names(*device, interface))
			return true;
	return false;
}

/* The hooks of interfaces have numbers of their own. */
enum { INGRESS = NF_INET_INGRESS, EGRESS = NF_INET_INGRESS + 1 };

static uint32_t hook_of(const struct nftnl_chain *chain)
{
	uint32_t hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);

	if (nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) == NFPROTO_NETDEV)
		return hook == NF_NETDEV_INGRESS ? INGRESS : EGRESS;
	return hook;
}

static bool is_asked(const struct simulation *simulation, const struct ruleset_chain *chain, uint32_t hook)
{
	uint32_t family = nftnl_chain_get_u32(chain->chain, NFTNL_CHAIN_FAMILY);
	const struct packet *packet = &simulation->packet;
	bool for_family = family == (packet->family == IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6) || family == NFPROTO_INET;

	if (chain->dormant || !nftnl_chain_is_set(chain->chain, NFTNL_CHAIN_HOOKNUM) || hook_of(chain->chain) != hook ||
	    (family == NFPROTO_INET && simulation->left_out &&
	     strcmp(nftnl_chain_get_str(chain->chain, NFTNL_CHAIN_TABLE), simulation->left_out) == 0))
		return false;
	if (hook == INGRESS || hook == EGRESS)
		return (family == NFPROTO_NETDEV || family == NFPROTO_INET) &&
		       is_on_device(chain->chain, hook == INGRESS ? packet->incoming : packet->outgoing);
	/* NAT is for the first packet of a flow. */
	return for_family && !(is_nat(chain->chain) && (packet->reply || packet->later || packet->untracked ||
							(hook == NF_INET_POST_ROUTING && simulation->left_source_nat)));
}

/* Chains of type nat are asked one after the other, where NAT has its place. */
static struct turn turn_of(const struct ruleset_chain *chain, uint32_t hook)
{
	struct turn turn = { .chain = chain, .place = { .family = nftnl_chain_get_u32(chain->chain, NFTNL_CHAIN_FAMILY),
							.hook = hook } };

	turn.own_priority = nftnl_chain_get_s32(chain->chain, NFTNL_CHAIN_PRIO);
	turn.place.priority = turn.own_priority;
	if (is_nat(chain->chain))
		turn.place.priority = hook == NF_INET_PRE_ROUTING ? NF_IP_PRI_NAT_DST : NF_IP_PRI_NAT_SRC;
	return turn;
}

/* Of NAT, one chain decides. */
static bool has_nat(const struct simulation *simulation, size_t since)
{
	for (size_t i = since; i < simulation->effects; i++) {
		const struct effect *effect = &simulation->effect[i];

		if (effect->answer.usual && (effect->deed == DEED_SOURCE || effect->deed == DEED_MASQUERADE ||
					     effect->deed == DEED_DESTINATION || effect->deed == DEED_REDIRECT))
			return true;
	}
	return false;
}

/* NAT is undone where it has its place, before other chains of the same. */
static void undo_nat(struct packet *packet, const struct place *place)
{
	if (packet->reply && packet->behind_nat.family != AF_UNSPEC &&
	    (place->hook != NF_INET_PRE_ROUTING || place->priority >= NF_IP_PRI_NAT_DST))
		packet->destination = packet->behind_nat;
}

static bool asks(const struct simulation *simulation, const struct turn *turn, size_t since)
{
	return !is_nat(turn->chain->chain) || (!has_nat(simulation, since) && !simulation->packet.untracked);
}

/* The usual packet goes on behind the hook. */
static bool run_hook(struct simulation *simulation, uint32_t hook)
{
	const struct ruleset *ruleset = simulation->ruleset;
	size_t turns = 0, since = simulation->effects;
	struct turn *turn = NULL;
	bool goes_on = true;

	for (size_t i = 0; i < ruleset->chains; i++) {
		if (!is_asked(simulation, &ruleset->chain[i], hook))
			continue;
		turn = make_room_for_one(turn, turns, sizeof(*turn));
		turn[turns++] = turn_of(&ruleset->chain[i], hook);
	}
	if (turns > 1)
		qsort(turn, turns, sizeof(*turn), compare_turns);
	for (size_t i = 0; i < turns && goes_on; i++) {
		undo_nat(&simulation->packet, &turn[i].place);
		if (asks(simulation, &turn[i], since))
			goes_on = run_base(simulation, turn[i].chain, &turn[i].place);
	}
	free(turn);
	return goes_on;
}

/* Routing */

static bool is_here_type(uint8_t type)
{
	return type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_MULTICAST || type == RTN_ANYCAST;
}

/* A tunnel that is not there is stood in for by lo. */
static unsigned int index_of(const char *interface)
{
	unsigned int index = if_nametoindex(interface);

	return index ? index : if_nametoindex("lo");
}

static void doubt_route(struct simulation *simulation)
{
	const struct packet *packet = &simulation->packet;
	uint8_t family = family_of(packet->family);
	uint32_t open = packet->destination_open;

	if (packet->mark_open && roads_depend(&simulation->roads, family, "fwmark"))
		open |= packet->mark_open;
	if (roads_depend(&simulation->roads, family, "ipproto") || roads_depend(&simulation->roads, family, "port"))
		open |= OPEN_PROTOCOL | OPEN_PORTS;
	if (open)
		doubt(simulation, answer_maybe(true, open));
}

static bool find_way(struct simulation *simulation)
{
	struct packet *packet = &simulation->packet;
	const struct way_question question = {
		.source = packet->source, .destination = packet->destination, .incoming = index_of(packet->incoming),
		.mark = packet->mark, .port = USUAL_PORT,
	};
	struct route *route = &simulation->route;

	packet->routed = true;
	if (packet->local || packet->outgoing[0])
		return true;
	if (roads_way(&simulation->roads, &question, route, &simulation->error) < 0)
		return false;
	simulation->error.number = 0;
	packet->local = is_here_type(route->type);
	if (!packet->local && route->type != RTN_UNICAST)
		return false;
	packet->nexthop = route->gateway;
	if (!packet->local && !netlink_interface_name(simulation->roads.route, route->interface, packet->outgoing))
		snprintf(packet->outgoing, sizeof(packet->outgoing), "?");
	return true;
}

static enum arrival arrive_here(struct simulation *simulation)
{
	simulation->packet.outgoing[0] = '\0';
	return run_hook(simulation, NF_INET_LOCAL_IN) ? ARRIVES_HERE : ARRIVES_NOT;
}

static enum arrival arrive_out(struct simulation *simulation)
{
	if (simulation->socket != NO_EFFECT)
		return HAS_A_SOCKET;
	if (simulation->packet.family == IPV6 && simulation->roads.route && setting_read("ipv6/conf/all/forwarding") == 0)
		return DOES_NOT_FORWARD;
	return run_hook(simulation, NF_INET_FORWARD) && run_hook(simulation, NF_INET_POST_ROUTING) &&
	       run_hook(simulation, EGRESS) ? ARRIVES_OUT : ARRIVES_NOT;
}

/* Where the outgoing interface is known before, routing has to come all the same. */
static bool arrive_in(struct simulation *simulation)
{
	char outgoing[IFNAMSIZ];
	bool goes_on;

	memcpy(outgoing, simulation->packet.outgoing, sizeof(outgoing));
	simulation->packet.outgoing[0] = '\0';
	goes_on = run_hook(simulation, INGRESS) && run_hook(simulation, NF_INET_PRE_ROUTING);
	memcpy(simulation->packet.outgoing, outgoing, sizeof(outgoing));
	return goes_on;
}

static enum arrival arrive(struct simulation *simulation)
{
	if (!arrive_in(simulation))
		return ARRIVES_NOT;
	if (!find_way(simulation))
		return HAS_NO_WAY;
	doubt_route(simulation);
	return simulation->packet.local ? arrive_here(simulation) : arrive_out(simulation);
}

void simulate(struct simulation *simulation)
{
	struct packet *packet = &simulation->packet;

	simulation->certain = true;
	simulation->cause = simulation->source = simulation->destination = simulation->socket = NO_EFFECT;
	if (!packet->reply) {
		packet->first_source = packet->source;
		packet->first_destination = packet->destination;
	}
	simulation->arrival = arrive(simulation);
	if (simulation->dropped && (simulation->arrival == ARRIVES_OUT || simulation->arrival == ARRIVES_HERE))
		simulation->certain = false;
}

void simulation_free(struct simulation *simulation)
{
	route_free(&simulation->route);
	free(simulation->effect);
	free(simulation->passage);
}

const struct effect *simulation_find(const struct simulation *simulation, const struct passage *passage, enum deed deed)
{
	for (size_t i = passage->first; i < passage->first + passage->effects; i++)
		if (simulation->effect[i].deed == deed)
			return &simulation->effect[i];
	return NULL;
}

const char *simulation_hook_name(const struct passage *passage)
{
	static const char *const names_of_hooks[] = { "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress" };

	return passage->place.hook <= EGRESS ? names_of_hooks[passage->place.hook] : "?";
}

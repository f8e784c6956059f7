/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/cover.h"

#include <linux/fib_rules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define SHOWN 4		/* of what is there, in a message */
#define VALUE_LIMIT 256

/* What is there although nothing should be */

void cover_left(const struct config *config, const struct present *present, struct lines *lines)
{
	bool *owned = allocate(present->rules, sizeof(*owned));

	plan_find_owned(config, present->rule, present->rules, owned);
	for (size_t i = 0; i < present->rules; i++) {
		struct text rule CLEANUP(text_free) = { 0 };

		if (owned[i] || present->rule[i].protocol != ROUTING_PROTOCOL)
			continue;
		rule_add_text(&rule, &present->rule[i]);
		lines_add(lines, "%s policy rule `%s` is there", present->rule[i].family == AF_INET ? "IPv4" : "IPv6",
			  text_string(&rule));
	}
	free(owned);
}

static void add_some(struct text *text, const struct lines *lines, size_t *shown)
{
	for (size_t i = 0; i < lines->count; i++) {
		if (++*shown <= SHOWN)
			text_add(text, "%s%s", text->length ? "; " : "", lines->line[i]);
	}
}

/* Whether anything of ours is there that is to stay, and what. */
static int refuse_removal(const struct config *config, const struct situation *situation, enum doer doer,
			  struct report *report)
{
	struct lines left CLEANUP(lines_free) = { 0 };
	struct text what CLEANUP(text_free) = { 0 };
	bool plain = config_is_plain(config);
	size_t count = 0;

	if (plain)
		cover_left(config, &situation->present, &left);
	add_some(&what, &situation->plan.problems, &count);
	add_some(&what, &left, &count);
	if (count == 0 || (!plain && doer == BY_ADMIN))
		return 0;
	if (count > SHOWN)
		text_add(&what, "; and %zu more", count - SHOWN);
	if (plain)
		return report_error(report, EX_CONFIG, "no gateway is configured, but something from an earlier configuration is left "
				    "in place: %s; write [gateway] address4 = ADDRESS, or run `ocserv-gateway down` to remove it", text_string(&what));
	return report_error(report, EX_CONFIG, "both families are direct, but a hook removes nothing: %s; run `ocserv-gateway up` "
			    "to remove it", text_string(&what));
}

/* What a hook would take away from an entire family */

static bool denies(const struct rule *rule)
{
	return rule->action != FR_ACT_TO_TBL && rule->action != FR_ACT_GOTO && rule->action != FR_ACT_NOP;
}

static const struct prefix *subject(const struct rule *rule)
{
	return rule->source.address.family ? &rule->source : &rule->destination;
}

/* Whether the configuration has nothing any more that would deny in its place. */
static bool is_lost(const struct config *config, const struct rule *rule)
{
	int family = family_index(rule->family);

	if (!config_covers(config, family))
		return true;
	return subject(rule)->address.family ? config->subnets[family].count == 0 : config->forward_others;
}

static const char *loss(const struct config *config, const struct rule *rule)
{
	int family = family_index(rule->family);

	if (!config_covers(config, family))
		return family == IPV4 ? "[gateway] address4 is direct" : "[gateway] address6 is direct";
	if (subject(rule)->address.family)
		return family == IPV4 ? "[clients] subnet4 names no subnet" : "[clients] subnet6 names no subnet";
	return "[killswitch] forward_others is yes";
}

static int refuse_lost_rules(const struct config *config, const struct plan *plan, struct report *report)
{
	for (size_t i = 0; i < plan->steps; i++) {
		const struct rule *rule = plan->step[i].rule;
		struct text text CLEANUP(text_free) = { 0 };

		if (plan->step[i].kind != STEP_RULE_REMOVE || !denies(rule) || !is_lost(config, rule))
			continue;
		rule_add_text(&text, rule);
		return report_error(report, EX_CONFIG, "%s, but the %s policy rule `%s` still denies, and a hook removes nothing "
				    "that denies: run `ocserv-gateway up` if that is intended, else correct the configuration",
				    loss(config, rule), family_name(family_index(rule->family)), text_string(&text));
	}
	return 0;
}

static bool has_comment(const struct guard *guard, const char *comment)
{
	for (size_t i = 0; i < guard->chains; i++)
		for (size_t j = 0; j < guard->chain[i].rules; j++)
			if (guard_comment_is(&guard->chain[i].rule[j], comment))
				return true;
	return false;
}

static const char *find_common(const struct guard *blocking, const struct guard *wanted,
			       const struct present_guard *present)
{
	for (size_t i = 0; i < present->chains; i++) {
		for (size_t j = 0; j < present->chain[i].rules; j++) {
			const char *comment = present->chain[i].rule[j].comment;

			if (comment[0] && has_comment(blocking, comment) && !has_comment(wanted, comment))
				return comment;
		}
	}
	return NULL;
}

/* A rule of the kill switch that is there, and that it has only where the family is covered; NULL where there is none. */
static const char *find_denial(const struct config *config, const struct situation *situation, int family)
{
	static const struct exits none;
	struct prefix any = { .address.family = family_of(family) };
	char text[1][PREFIX_TEXT] = { "" };
	const char *found = NULL;

	for (int i = 0; i < 2 && !found; i++) {
		struct config other = *config;
		struct guard blocking = { 0 };

		other.gateway = allocate(config->gateways, sizeof(*other.gateway));
		memcpy(other.gateway, config->gateway, config->gateways * sizeof(*other.gateway));
		/* Neither its gateway nor its subnets may be the same any more. */
		for (unsigned int j = 0; j < other.gateways; j++)
			other.gateway[j].to[family].mode = GATEWAY_BLOCK;
		other.subnets[family] = (struct subnets){ &any, text, (unsigned int)i };
		wanted_guard_make(&blocking, &other, &none, &situation->host);
		found = find_common(&blocking, &situation->wanted.guard, &situation->present.guard);
		guard_free(&blocking);
		free(other.gateway);
	}
	return found;
}

static int refuse_lost_guard(const struct config *config, const struct situation *situation, struct report *report)
{
	for (int family = 0; family < FAMILIES; family++) {
		const char *denial = config_covers(config, family) ? NULL : find_denial(config, situation, family);

		if (denial)
			return report_error(report, EX_CONFIG, "[gateway] address%d is direct, but the kill switch still has \"%s\", "
					    "and a hook removes nothing that denies: run `ocserv-gateway up` if that is intended, "
					    "else correct the configuration", family == IPV4 ? 4 : 6, denial);
	}
	return 0;
}

/* Live sessions */

struct cover {
	const struct config *config;
	const struct plan *plan;
	const struct host *host;
	const struct session *own;
	struct report *report;
	int result;
};

static int refuse_session(const struct cover *cover, const struct session *session, const char *key, const char *value,
			  const char *what)
{
	struct text who CLEANUP(text_free) = { 0 };

	text_add_pair(&who, "user", session->user, VALUE_LIMIT);
	text_add_pair(&who, "id", session->id, VALUE_LIMIT);
	text_add_pair(&who, "device", session->device, VALUE_LIMIT);
	text_add_pair(&who, key, value, VALUE_LIMIT);
	return report_error(cover->report, EX_CONFIG, "live session %s: %s, so nothing is changed; correct the configuration, or "
			    "end that session first", text_string(&who), what);
}

/* Whether steps would take away a rule that denies to this very address, which has no subnet any more. */
static bool is_uncovered(const struct plan *plan, const struct address *address)
{
	for (size_t i = 0; i < plan->steps; i++) {
		const struct rule *rule = plan->step[i].rule;

		if (plan->step[i].kind == STEP_RULE_REMOVE && denies(rule) && subject(rule)->address.family &&
		    prefix_contains(subject(rule), address))
			return true;
	}
	return false;
}

static bool is_covered(const struct cover *cover, int family, const struct address *address)
{
	const struct subnets *subnets = &cover->config->subnets[family];

	if (!config_covers(cover->config, family))
		return !config_is_plain(cover->config);
	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_contains(&subnets->prefix[i], address))
			return true;
	/* Without a subnet the kill switch holds it, and policy rules never did. */
	return subnets->count == 0 && !is_uncovered(cover->plan, address);
}

static int check_address(const struct cover *cover, const struct session *session, int family, const char *value)
{
	struct address address;

	if (!value[0])
		return 0;
	if (address_parse_unscoped(&address, value) && address.family == family_of(family) &&
	    is_covered(cover, family, &address))
		return 0;
	return refuse_session(cover, session, family == IPV4 ? "ip4" : "ip6", value, family == IPV4 ?
			      "its address is not within [clients] subnet4 any more" :
			      "its address is not within [clients] subnet6 any more");
}

static bool check_session(const struct session *session, void *data)
{
	struct cover *cover = data;

	/* That one can't be read is told by state_visit(). */
	if (session->unread)
		cover->result = -1;
	if ((cover->own && strcmp(session->id, cover->own->id) == 0) || !session->device[0])
		return true;
	if (!interface_matches(&cover->config->clients, session->device))
		cover->result = refuse_session(cover, session, "ip4", session->ip4,
					       "its device does not match [clients] interface any more");
	if (host_leaves_out(cover->host, session->device))
		cover->result = refuse_session(cover, session, "ip4", session->ip4, "its tunnel no longer has a client "
					       "address, and would be taken for another program's; give it its address back");
	if (check_address(cover, session, IPV4, session->ip4) < 0 || check_address(cover, session, IPV6, session->ip6) < 0)
		cover->result = -1;
	return true;
}

/* Sessions without a record */

static bool take_device(const struct session *session, void *data)
{
	lines_add(data, "%s", session->device);
	return true;
}

static bool is_listed(const struct lines *lines, const char *line)
{
	for (size_t i = 0; i < lines->count; i++)
		if (strcmp(lines->line[i], line) == 0)
			return true;
	return false;
}

bool cover_unrecorded(const struct config *config, const struct state *state, const struct session *own,
		      char name[IFNAMSIZ])
{
	struct lines recorded CLEANUP(lines_free) = { 0 };
	struct report unread = { 0 };
	struct if_nameindex *interfaces;

	if (!state_doubts(state))
		return false;
	state_visit(state, false, take_device, &recorded, &unread);
	report_free(&unread);
	interfaces = if_nameindex();
	name[0] = '\0';
	for (size_t i = 0; interfaces && interfaces[i].if_name && !name[0]; i++)
		if (interface_matches(&config->clients, interfaces[i].if_name) && !is_listed(&recorded, interfaces[i].if_name) &&
		    !(own && strcmp(own->device, interfaces[i].if_name) == 0))
			snprintf(name, IFNAMSIZ, "%s", interfaces[i].if_name);
	if (interfaces)
		if_freenameindex(interfaces);
	return name[0] != '\0';
}

static bool is_within(const struct config *config, const struct prefix *prefix)
{
	const struct subnets *subnets = &config->subnets[family_index(prefix->address.family)];

	for (unsigned int i = 0; i < subnets->count; i++)
		if (subnets->prefix[i].length <= prefix->length && prefix_contains(&subnets->prefix[i], &prefix->address))
			return true;
	return false;
}

/* What would deny no more to addresses that a session without a record may have. */
static int check_unrecorded(const struct config *config, const struct plan *plan, const struct state *state,
			    const struct session *own, struct report *report)
{
	for (size_t i = 0; i < plan->steps; i++) {
		const struct rule *rule = plan->step[i].rule;
		struct text text CLEANUP(text_free) = { 0 };
		char name[IFNAMSIZ];

		if (plan->step[i].kind != STEP_RULE_REMOVE || !denies(rule) || !subject(rule)->address.family ||
		    is_within(config, subject(rule)))
			continue;
		if (!cover_unrecorded(config, state, own, name))
			return 0;
		rule_add_text(&text, rule);
		return report_error(report, EX_CONFIG, "tunnel %s has no record in %s, so `%s`, which would be removed, may be "
				    "what protects its client: nothing is changed; set [session] state_dir back to what it was, or end "
				    "that session first", name, state->path, text_string(&text));
	}
	return 0;
}

static int check_sessions(const struct config *config, const struct situation *situation, const struct state *state,
			  const struct session *own, struct report *report)
{
	const struct plan *plan = &situation->plan;
	struct cover cover = { config, plan, &situation->host, own, report, 0 };

	if (state_visit(state, false, check_session, &cover, report) < 0 || cover.result < 0)
		return -1;
	return check_unrecorded(config, plan, state, own, report);
}

int cover_check(const struct config *config, const struct situation *situation, enum doer doer,
		const struct state *state, const struct session *own, struct report *report)
{
	const struct plan *plan = &situation->plan;

	if (doer == BY_REMOVAL)
		return 0;
	if (goal_of(config) == GOAL_REMOVE)
		return refuse_removal(config, situation, doer, report);
	if (plan->steps == 0 || situation_only_begins(situation) || situation->present.unprivileged)
		return 0;
	if (doer == BY_HOOK && (refuse_lost_rules(config, plan, report) < 0 ||
				refuse_lost_guard(config, situation, report) < 0))
		return -1;
	return state ? check_sessions(config, situation, state, own, report) : 0;
}

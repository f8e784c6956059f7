/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/plan.h"

#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static struct step *add_step(struct plan *plan, enum step_kind kind)
{
	plan->step = make_room_for_one(plan->step, plan->steps, sizeof(*plan->step));
	plan->step[plan->steps] = (struct step){ .kind = kind };
	return &plan->step[plan->steps++];
}

static void add_rule_step(struct plan *plan, enum step_kind kind, const struct rule *rule)
{
	add_step(plan, kind)->rule = rule;
}

static void add_route_step(struct plan *plan, enum step_kind kind, const struct route *route)
{
	add_step(plan, kind)->route = route;
}

static void note_rule(struct lines *lines, const struct rule *rule, const char *what)
{
	struct text text CLEANUP(text_free) = { 0 };

	rule_add_text(&text, rule);
	lines_add(lines, "%s policy rule `%s`%s", rule->family == AF_INET ? "IPv4" : "IPv6", text.data, what);
}

static void note_route(struct lines *lines, const struct route *route, const char *what)
{
	struct text text CLEANUP(text_free) = { 0 };

	route_add_text(&text, route);
	lines_add(lines, "%s route `%s`%s%s%s", route->family == AF_INET ? "IPv4" : "IPv6", text.data,
		  route->other ? " with " : "", route->other ? route->other : "", what);
}

static void note_neighbour(struct lines *lines, const struct neighbour *neighbour, const char *what)
{
	struct text text CLEANUP(text_free) = { 0 };

	neighbour_add_text(&text, neighbour);
	lines_add(lines, "%s neighbour `%s`%s", neighbour->address.family == AF_INET ? "IPv4" : "IPv6", text.data, what);
}

/* Ownership */

static bool in_subnets(const struct config *config, const struct prefix *prefix)
{
	for (int family = 0; family < FAMILIES && prefix->address.family; family++)
		for (unsigned int i = 0; i < config->subnets[family].count; i++)
			if (prefix_overlaps(&config->subnets[family].prefix[i], prefix))
				return true;
	return false;
}

/* Further up, within a tree, there may be those of another server. */
static bool is_our_priority(const struct config *config, uint32_t priority)
{
	return priority + 1 >= config->priority && priority <= config->priority + 1;
}

static bool is_in_tree(const struct config *config, const struct rule *rule)
{
	int family = family_index(rule->family);

	return rule->priority > config->priority + 1 && rule->priority <= config->priority + CONFIG_TREE_SPAN &&
	       config_covers(config, family) && config_has_tree(config, family);
}

static bool looks_up(const struct rule *rule, uint32_t table)
{
	return rule->action == FR_ACT_TO_TBL && rule->table == table;
}

/* Whether it looks up the table of a gateway. */
static bool looks_up_ours(const struct config *config, const struct rule *rule)
{
	return rule->action == FR_ACT_TO_TBL && config_has_table(config, rule->table);
}

static const struct prefix *rule_subject(const struct rule *rule)
{
	return rule->source.address.family ? &rule->source : &rule->destination;
}

/* The rule of forward_others = no, and that which leads others around a tree. */
static bool names_no_subnet(const struct rule *rule)
{
	return !rule_subject(rule)->address.family &&
	       (rule->action == FR_ACT_GOTO || (rule->inverted && strcmp(rule->incoming, "lo") == 0));
}

/* Where a rule without a subnet belongs to what stands there: that of its own, or that which it goes on at. */
static uint32_t place_of(const struct rule *rule)
{
	return rule->action == FR_ACT_GOTO ? rule->table : rule->priority;
}

/* Whether nothing of our protocol that names a subnet stands at its priority: the rest of it has gone. */
static bool is_alone(const struct rule *rule, size_t count, uint32_t priority)
{
	for (size_t i = 0; i < count; i++)
		if (rule[i].priority == priority && rule[i].protocol == ROUTING_PROTOCOL &&
		    rule_subject(&rule[i])->address.family)
			return false;
	return true;
}

static bool belongs_to(const struct rule *rule, const struct rule *owned)
{
	if (names_no_subnet(rule))
		return place_of(rule) == owned->priority;
	return rule_subject(rule)->address.family && prefix_equal(rule_subject(rule), rule_subject(owned));
}

void plan_find_owned(const struct config *config, const struct rule *rule, size_t count, bool *owned)
{
	bool changed = false;

	for (size_t i = 0; i < count; i++)
		owned[i] = rule[i].protocol == ROUTING_PROTOCOL &&
			   (is_our_priority(config, rule[i].priority) || in_subnets(config, &rule[i].source) ||
			    in_subnets(config, &rule[i].destination) || looks_up_ours(config, &rule[i]) ||
			    (!rule_subject(&rule[i])->address.family && is_in_tree(config, &rule[i])) ||
			    (names_no_subnet(&rule[i]) && is_alone(rule, count, place_of(&rule[i]))));
	do {
		changed = false;
		for (size_t i = 0; i < count; i++)
			for (size_t j = 0; j < count && !owned[i] && rule[i].protocol == ROUTING_PROTOCOL; j++)
				if (owned[j] && belongs_to(&rule[i], &rule[j]))
					owned[i] = changed = true;
	} while (changed);
}

/* A route of our protocol in our table, or in one that a rule of ours looks up. */
static bool owns_route(const struct config *config, const struct present *present, const bool *owned_rules,
		       const struct route *route)
{
	if (route->protocol != ROUTING_PROTOCOL)
		return false;
	if (config_has_table(config, route->table))
		return true;
	for (size_t i = 0; i < present->rules; i++)
		if (owned_rules[i] && looks_up(&present->rule[i], route->table))
			return true;
	return false;
}

static bool any_route_by(const struct config *config, const struct present *present, const bool *owned_rules,
			 const struct address *gateway)
{
	for (size_t i = 0; i < present->routes; i++)
		if (address_equal(&present->route[i].gateway, gateway) &&
		    owns_route(config, present, owned_rules, &present->route[i]))
			return true;
	return false;
}

/* An entry of our protocol for a gateway of ours: of now, of a route of ours, or of the run before. */
static bool owns_neighbour(const struct config *config, const struct wanted *wanted, const struct present *present,
			   const bool *owned_rules, const struct neighbour *neighbour)
{
	if (neighbour->protocol != ROUTING_PROTOCOL || !(neighbour->state & NUD_PERMANENT))
		return false;
	for (size_t i = 0; i < wanted->routes; i++)
		if (address_equal(&neighbour->address, &wanted->route[i].gateway))
			return true;
	for (size_t i = 0; i < wanted->formers; i++)
		if (address_equal(&neighbour->address, &wanted->former[i]))
			return true;
	return any_route_by(config, present, owned_rules, &neighbour->address);
}

/* The kill switch */

static bool rules_match(const struct guard_rule *wanted, const struct present_rule *present)
{
	return text_equal(&wanted->code, &present->code) && guard_comment_is(wanted, present->comment);
}

/* The place of @wanted in @chain from @start on, or chain->rules where it is not there. */
static size_t find_rule(const struct present_chain *chain, const struct guard_rule *wanted, size_t start)
{
	while (start < chain->rules && !rules_match(wanted, &chain->rule[start]))
		start++;
	return start;
}

static bool comment_wanted(const struct guard_chain *wanted, const char *comment)
{
	for (size_t i = 0; i < wanted->rules; i++)
		if (guard_comment_is(&wanted->rule[i], comment))
			return true;
	return false;
}

static void note_others_rule(struct lines *problems, const struct present_chain *chain,
			      const struct present_rule *rule, bool altered)
{
	lines_add(problems, "chain %s: rule \"%s\" (handle %llu) %s", chain->name, rule->comment,
		  (unsigned long long)rule->handle, altered ? "is altered or duplicated" : "does not belong there");
}

static void compare_rules(const struct guard_chain *wanted, const struct present_chain *present,
			  struct lines *problems)
{
	size_t before = problems->count, next = 0;
	bool ordered = wanted->rules == present->rules;
	bool *known = allocate(present->rules, sizeof(*known));
	char comment[GUARD_COMMENT];

	for (size_t i = 0; i < wanted->rules; i++) {
		size_t place = find_rule(present, &wanted->rule[i], 0);

		ordered = ordered && place == next++;
		if (place < present->rules)
			known[place] = true;
		else
			lines_add(problems, "chain %s: rule \"%s\" is missing", wanted->name,
				  guard_comment(&wanted->rule[i], comment));
	}
	for (size_t i = 0; i < present->rules; i++)
		if (!known[i])
			note_others_rule(problems, present, &present->rule[i],
					  comment_wanted(wanted, present->rule[i].comment));
	if (problems->count == before && !ordered)
		lines_add(problems, "chain %s: its rules are in another order", wanted->name);
	free(known);
}

/* Of things that should stand in one order the place of a thing is most often the one behind that of the thing before. */
static size_t from(size_t near, size_t i, size_t count)
{
	return near + i < count ? near + i : near + i - count;
}

/* @near: where it is looked for first, below their number or 0 */
static const struct present_chain *find_present(const struct present_guard *present, const char *name, size_t near)
{
	for (size_t i = 0; i < present->chains; i++) {
		const struct present_chain *chain = &present->chain[from(near, i, present->chains)];

		if (strcmp(chain->name, name) == 0)
			return chain;
	}
	return NULL;
}

static bool chain_wanted(const struct guard *wanted, const char *name, size_t near)
{
	for (size_t i = 0; i < wanted->chains; i++)
		if (strcmp(wanted->chain[from(near, i, wanted->chains)].name, name) == 0)
			return true;
	return false;
}

static bool hooks_match(const struct guard_chain *wanted, const struct present_chain *present)
{
	if (!wanted->type || !present->type)
		return !wanted->type && !present->type;
	return strcmp(wanted->type, present->type) == 0 && wanted->hook == present->hook &&
	       wanted->priority == present->priority && present->policy == NF_ACCEPT;
}

static void note_range(struct lines *problems, const char *set, const struct range *range)
{
	struct text text CLEANUP(text_free) = { 0 };

	range_add_text(&text, range);
	lines_add(problems, "kill switch: set %s holds %s, which %s", set, text.data,
		  address_equal(&range->first, &range->last) ? "is not a client address" : "are not all client addresses");
}

static void compare_elements(const struct guard_set *wanted, const struct present_set *present, struct lines *problems)
{
	struct ranges ours, theirs;
	char text[PREFIX_TEXT];

	ranges_of_prefixes(&ours, wanted->prefix, wanted->prefixes);
	ranges_of_bounds(&theirs, present->bound, present->bounds);
	for (size_t i = 0; i < wanted->prefixes; i++) {
		struct range range = prefix_range(&wanted->prefix[i]);

		if (!ranges_hold(&theirs, &range))
			lines_add(problems, "kill switch: set %s does not hold %s, or not all of it", wanted->name,
				  prefix_text(&wanted->prefix[i], text));
	}
	for (size_t i = 0; i < theirs.count; i++)
		if (!ranges_hold(&ours, &theirs.range[i]))
			note_range(problems, wanted->name, &theirs.range[i]);
	if (present->odd)
		lines_add(problems, "kill switch: set %s has an element with a timeout, a counter or another expression", wanted->name);
	ranges_free(&ours);
	ranges_free(&theirs);
}

/* Elements by their keys */

static int compare_keys(const void *a, const void *b)
{
	const struct guard_element *one = a, *other = b;

	return memcmp(one->key, other->key, sizeof(one->key));
}

static const struct guard_element *find_element(const struct guard_element *element, size_t elements, const struct guard_element *like)
{
	return elements ? bsearch(like, element, elements, sizeof(*element), compare_keys) : NULL;
}

static void note_element(struct lines *problems, const struct guard_set *set, const struct guard_element *element,
			 const char *what)
{
	struct text key CLEANUP(text_free) = { 0 };

	guard_add_key_text(&key, set, element->key);
	lines_add(problems, "kill switch: %s %s: %s %s", guard_set_is_map(set) ? "map" : "set", set->name, key.data, what);
}

static void compare_keyed_elements(const struct guard_set *wanted, struct present_set *present, struct lines *problems)
{
	if (present->elements)
		qsort(present->element, present->elements, sizeof(*present->element), compare_keys);
	for (size_t i = 0; i < wanted->elements; i++) {
		const struct guard_element *found = find_element(present->element, present->elements, &wanted->element[i]);

		if (!found)
			note_element(problems, wanted, &wanted->element[i], "is missing");
		else if (strcmp(found->chain, wanted->element[i].chain) != 0)
			note_element(problems, wanted, found, "leads elsewhere");
	}
	for (size_t i = 0; i < present->elements; i++)
		if (!find_element(wanted->element, wanted->elements, &present->element[i]))
			note_element(problems, wanted, &present->element[i], "does not belong there");
	if (present->odd)
		lines_add(problems, "kill switch: %s has an element with a timeout, a counter or another expression", wanted->name);
}

static struct present_set *find_set(const struct present_guard *present, const char *name)
{
	for (size_t i = 0; i < present->sets; i++)
		if (strcmp(present->set[i].name, name) == 0)
			return &present->set[i];
	return NULL;
}

static bool set_wanted(const struct guard *wanted, const char *name)
{
	for (size_t i = 0; i < wanted->sets; i++)
		if (strcmp(wanted->set[i].name, name) == 0)
			return true;
	return false;
}

static void compare_sets(const struct guard *wanted, const struct present_guard *present, struct lines *problems)
{
	for (size_t i = 0; i < wanted->sets; i++) {
		struct present_set *set = find_set(present, wanted->set[i].name);

		if (!set)
			lines_add(problems, "kill switch: set %s is missing or altered", wanted->set[i].name);
		else if (wanted->set[i].kind == SET_PREFIXES)
			compare_elements(&wanted->set[i], set, problems);
		else if (wanted->set[i].kind != MAP_SESSIONS)
			compare_keyed_elements(&wanted->set[i], set, problems);
	}
	for (size_t i = 0; i < present->sets; i++)
		if (!set_wanted(wanted, present->set[i].name))
			lines_add(problems, "kill switch: set %s does not belong there", present->set[i].name);
}

/* The interfaces of one that is there are changed as sessions are: see plan_devices(). */
static void compare_fast(const struct guard *wanted, const struct present_guard *present, struct lines *problems)
{
	if (wanted->fast.on && !present->fast.there)
		lines_add(problems, "kill switch: flow table " GUARD_FAST_TABLE " is missing");
	if (!wanted->fast.on && present->fast.there)
		lines_add(problems, "kill switch: flow table " GUARD_FAST_TABLE " does not belong there");
	if (wanted->fast.on && present->fast.odd)
		lines_add(problems, "kill switch: flow table " GUARD_FAST_TABLE " has another hook, priority or flags");
}

static void compare_guard(const struct guard *wanted, const struct present_guard *present, struct lines *problems)
{
	if (!present->exists) {
		lines_add(problems, "kill switch: table inet %s is missing", wanted->table);
		return;
	}
	if (present->dormant)
		lines_add(problems, "kill switch: table inet %s is dormant", wanted->table);
	if (present->others)
		lines_add(problems, "kill switch: table inet %s holds %u sets or other objects that don't belong there",
			  wanted->table, present->others);
	compare_sets(wanted, present, problems);
	compare_fast(wanted, present, problems);
	for (size_t i = 0; i < wanted->chains; i++) {
		const struct present_chain *chain = find_present(present, wanted->chain[i].name, i < present->chains ? i : 0);

		if (!chain) {
			lines_add(problems, "chain %s is missing", wanted->chain[i].name);
			continue;
		}
		if (!hooks_match(&wanted->chain[i], chain))
			lines_add(problems, "chain %s has another type, hook, priority or policy", chain->name);
		compare_rules(&wanted->chain[i], chain, problems);
	}
	for (size_t i = 0; i < present->chains; i++)
		if (!chain_wanted(wanted, present->chain[i].name, i < wanted->chains ? i : 0))
			lines_add(problems, "chain %s does not belong in table inet %s", present->chain[i].name,
				  wanted->table);
}

/*
 * A table of the default name is ours. One that an admin named is ours where it is empty or has the chain that
 * nobody else makes, lest a table of somebody else, named by mistake, is replaced.
 */
static int check_guard(const struct config *config, const struct present_guard *present, struct report *report)
{
	struct key_description key;

	if (present->owned)
		return report_error(report, EX_OSERR, "the kernel lets no other process change the kill switch, table inet %s: it "
				    "has the flag owner and belongs to a running process (nft -i?); end that process", config->killswitch_table);
	config_describe_key(KEY_KILLSWITCH_TABLE, &key);
	if (present->unchanged || strcmp(config->killswitch_table, key.fallback) == 0 || (present->chains == 0 && present->others == 0) ||
	    find_present(present, "from_client", 0))
		return 0;
	return config_error(config, report, KEY_KILLSWITCH_TABLE, "this nft table exists and is not ours, since it has no "
			    "chain from_client; choose another name, or remove it with `nft delete table inet %s`",
			    config->killswitch_table);
}

/*
 * What the session that a hook is about lacks, with the name of whose tunnel the key begins, is no damage; of a map that is
 * not looked at completely, nothing is.
 */
static bool is_damage(const struct guard *guard, const struct guard_set *set, const struct guard_element *element)
{
	return !set->partial && strncmp((const char *)element->key, guard->own, IFNAMSIZ) != 0;
}

static void add_change(struct plan *plan, const struct guard *guard, const struct guard_set *set, const struct guard_element *element,
		       const char *was, const char *problem)
{
	struct guard_change *change;

	plan->change = make_room_for_one(plan->change, plan->changes, sizeof(*plan->change));
	change = &plan->change[plan->changes++];
	*change = (struct guard_change){ .set = set, .element = *element, .told = is_damage(guard, set, element) };
	snprintf(change->was, sizeof(change->was), "%s", was);
	if (change->told)
		note_element(&plan->problems, set, element, problem);
}

/* Whether anything is wanted of the tunnel of an element, with whose name its key begins, be it of the other family. */
static bool wants_tunnel(const struct guard *wanted, const struct guard_element *element)
{
	for (size_t i = 0; i < wanted->sets; i++)
		for (size_t j = 0; wanted->set[i].kind == MAP_SESSIONS && j < wanted->set[i].elements; j++)
			if (memcmp(wanted->set[i].element[j].key, element->key, IFNAMSIZ) == 0)
				return true;
	return false;
}

static void plan_sessions_of(struct plan *plan, const struct guard *guard, const struct guard_set *wanted,
			     struct present_set *present)
{
	static struct present_set nothing;
	struct present_set *there = present ? present : &nothing;

	if (there->elements)
		qsort(there->element, there->elements, sizeof(*there->element), compare_keys);
	for (size_t i = 0; i < wanted->elements; i++) {
		const struct guard_element *element = &wanted->element[i];
		const struct guard_element *found = find_element(there->element, there->elements, element);
		const char *was = found ? found->chain : "";

		if (strcmp(was, element->chain) != 0)
			add_change(plan, guard, wanted, element, was, was[0] ? "leads elsewhere" : "is missing");
	}
	for (size_t i = 0; i < there->elements; i++) {
		struct guard_element gone = there->element[i];

		if (find_element(wanted->element, wanted->elements, &gone) || (wanted->partial && !wants_tunnel(guard, &gone)))
			continue;
		gone.chain[0] = '\0';
		add_change(plan, guard, wanted, &gone, there->element[i].chain, "is of no live session");
	}
}

/* A table that is missing comes with its sessions, of which the hook's own is no damage. */
static void plan_sessions_of_missing(struct plan *plan, const struct guard *guard, const struct guard_set *wanted)
{
	for (size_t i = 0; i < wanted->elements; i++)
		if (wanted->element[i].chain[0] && !is_damage(guard, wanted, &wanted->element[i]))
			add_change(plan, guard, wanted, &wanted->element[i], "", NULL);
}

static void add_device(struct plan *plan, const char *name, bool gone)
{
	struct guard_device *device;

	plan->device = make_room_for_one(plan->device, plan->devices, sizeof(*plan->device));
	device = &plan->device[plan->devices++];
	*device = (struct guard_device){ .gone = gone };
	memcpy(device->name, name, strnlen(name, IFNAMSIZ - 1));
}

static bool is_full(const struct plan *plan, const struct present_fast *present)
{
	return present->devices + plan->devices >= GUARD_FAST_DEVICES;
}

/* The kernel takes an interface that vanishes out by itself. */
static void plan_devices(struct plan *plan, const struct guard_fast *wanted, const struct present_fast *present)
{
	for (size_t i = 0; i < present->devices; i++) {
		const char *name = present->device[i].name;

		if (interface_matches(&wanted->tunnels, name) || guard_find_device(wanted->device, wanted->devices, name))
			continue;
		add_device(plan, name, true);
		lines_add(&plan->problems, "kill switch: flow table " GUARD_FAST_TABLE ": %s does not belong there", name);
	}
	for (size_t i = 0; i < wanted->devices && !is_full(plan, present); i++) {
		const char *name = wanted->device[i].name;

		if (wanted->device[i].optional || guard_find_device(present->device, present->devices, name))
			continue;
		add_device(plan, name, false);
		if (!wanted->own || strcmp(wanted->own, name) != 0)
			lines_add(&plan->problems, "kill switch: flow table " GUARD_FAST_TABLE ": %s is missing", name);
	}
}

/* A table that is missing comes with its sessions. */
void plan_sessions(struct plan *plan, const struct wanted *wanted, const struct present *present)
{
	struct step *step;

	for (size_t i = 0; i < wanted->guard.sets; i++) {
		const struct guard_set *set = &wanted->guard.set[i];

		if (set->kind == MAP_SESSIONS && present->guard.exists)
			plan_sessions_of(plan, &wanted->guard, set, find_set(&present->guard, set->name));
		else if (set->kind == MAP_SESSIONS)
			plan_sessions_of_missing(plan, &wanted->guard, set);
	}
	if (wanted->guard.fast.on && present->guard.fast.there && !plan->steps)
		plan_devices(plan, &wanted->guard.fast, &present->guard.fast);
	if ((!plan->changes && !plan->devices) || plan->steps || !present->guard.exists)
		return;
	step = add_step(plan, STEP_SESSIONS);
	step->guard = &wanted->guard;
	step->change = plan->change;
	step->changes = plan->changes;
	step->device = plan->device;
	step->devices = plan->devices;
}

static void plan_guard(struct plan *plan, const struct wanted *wanted, const struct present *present)
{
	size_t before = plan->problems.count;
	struct step *step;

	plan->anything_present = plan->anything_present || present->guard.exists;
	if (!present->guard.unchanged)
		compare_guard(&wanted->guard, &present->guard, &plan->problems);
	if (plan->problems.count == before) {
		plan->intact_guard = &wanted->guard;
		return;
	}
	step = add_step(plan, STEP_GUARD_LOAD);
	step->guard = &wanted->guard;
	step->replace = present->guard.exists;
}

/* Routes */

/* An equal foreign route serves, and may have any metric. */
static bool route_serves(const struct route *present, const struct route *wanted)
{
	struct route like = *present;

	if (present->protocol != ROUTING_PROTOCOL)
		like.metric = wanted->metric;
	if (!wanted->interface)
		like.interface = 0;
	return route_is_known(wanted) && route_equal(&like, wanted);
}

/* @near: as that of find_present() */
static bool route_wanted(const struct wanted *wanted, const struct route *present, size_t near)
{
	for (size_t i = 0; i < wanted->routes; i++)
		if (route_serves(present, &wanted->route[from(near, i, wanted->routes)]))
			return true;
	return false;
}

static bool table_has(const struct present *present, const struct route *one, size_t near)
{
	for (size_t i = 0; i < present->routes; i++)
		if (route_serves(&present->route[from(near, i, present->routes)], one))
			return true;
	return false;
}

static bool goes_to_gateway(const struct wanted *wanted, const struct route *route)
{
	for (size_t i = 0; i < wanted->routes; i++)
		if (route_same_way(route, &wanted->route[i]))
			return true;
	return false;
}

/* Whether clients' packets to some addresses would go elsewhere: neither nowhere nor to the gateway. */
static bool takes_clients(const struct config *config, const struct wanted *wanted, const struct route *route)
{
	if (route->source.address.family && !in_subnets(config, &route->source))
		return false;
	return route->destination_length == 0 || (!route_denies(route) && !goes_to_gateway(wanted, route));
}

/* Whether clients of that family leave via what the table says. */
static bool is_gateways_table(const struct wanted *wanted, uint8_t family, uint32_t table)
{
	for (size_t i = 0; i < wanted->routes; i++)
		if (wanted->route[i].family == family && wanted->route[i].table == table)
			return true;
	return false;
}

static const struct gateway *gateway_of_table(const struct config *config, uint32_t table)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (config->gateway[i].table == table)
			return &config->gateway[i];
	return config_default(config);
}

static int check_others_route(const struct config *config, const struct wanted *wanted, const struct route *route,
			       struct report *report)
{
	struct text text CLEANUP(text_free) = { 0 };

	if (!is_gateways_table(wanted, route->family, route->table) || route->protocol == ROUTING_PROTOCOL ||
	    route_wanted(wanted, route, 0) || !takes_clients(config, wanted, route))
		return 0;
	route_add_text(&text, route);
	if (route->destination_length == 0)
		return gateway_error(config, gateway_of_table(config, route->table), report, KEY_TABLE, "this routing table already has another default route: "
				    "`ip -%c route show table %u` has `%s` (protocol %u); remove it, or choose another table",
				    route->family == AF_INET ? '4' : '6', route->table, text.data, route->protocol);
	return gateway_error(config, gateway_of_table(config, route->table), report, KEY_TABLE, "this routing table has another program's route, which takes clients' packets "
			    "past the gateway: `ip -%c route show table %u` has `%s%s%s` (protocol %u); remove it, "
			    "or choose another table", route->family == AF_INET ? '4' : '6', route->table, text.data,
			    route->other ? " with " : "", route->other ? route->other : "", route->protocol);
}

static void plan_routes(struct plan *plan, const struct config *config, const struct wanted *wanted,
			const struct present *present, const bool *owned_rules)
{
	for (size_t i = 0; i < present->routes; i++) {
		const struct route *route = &present->route[i];

		if (owns_route(config, present, owned_rules, route) && !route_wanted(wanted, route, i < wanted->routes ? i : 0)) {
			note_route(&plan->problems, route, " does not belong there");
			add_route_step(plan, STEP_ROUTE_REMOVE, route);
		}
	}
	plan->intact_route = allocate(wanted->routes, sizeof(const struct route *));
	for (size_t i = 0; i < wanted->routes; i++) {
		if (table_has(present, &wanted->route[i], i < present->routes ? i : 0)) {
			plan->intact_route[plan->intact_routes++] = &wanted->route[i];
			plan->anything_present = true;
		} else if (wanted->route[i].interface) {
			note_route(&plan->problems, &wanted->route[i], " is missing");
			add_route_step(plan, STEP_ROUTE_ADD, &wanted->route[i]);
		}
	}
}

/* Neighbours */

static bool same_neighbour(const struct neighbour *present, const struct neighbour *wanted)
{
	return address_equal(&present->address, &wanted->address) &&
	       (!wanted->interface || present->interface == wanted->interface);
}

/* An equal one of somebody else serves. */
static bool neighbour_serves(const struct neighbour *present, const struct neighbour *wanted)
{
	return same_neighbour(present, wanted) && present->state & NUD_PERMANENT && mac_equal(&present->mac, &wanted->mac);
}

static bool neighbour_wanted(const struct wanted *wanted, const struct neighbour *present)
{
	for (size_t i = 0; i < wanted->neighbours; i++)
		if (same_neighbour(present, &wanted->neighbour[i]))
			return true;
	return false;
}

static void plan_neighbour(struct plan *plan, const struct neighbour *one, const struct present *present)
{
	const struct neighbour *another = NULL;

	for (size_t i = 0; i < present->neighbours; i++) {
		if (neighbour_serves(&present->neighbour[i], one)) {
			plan->intact_neighbour[plan->intact_neighbours++] = one;
			plan->anything_present = true;
			return;
		}
		if (same_neighbour(&present->neighbour[i], one) && present->neighbour[i].state & NUD_PERMANENT)
			another = &present->neighbour[i];
	}
	if (another)
		note_neighbour(&plan->problems, another, " has another hardware address");
	else if (one->interface)
		note_neighbour(&plan->problems, one, " is missing");
	if (one->interface)
		add_step(plan, STEP_NEIGHBOUR_REPLACE)->neighbour = one;
}

static void plan_settings(struct plan *plan, const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->settings; i++) {
		const struct setting_step *setting = &wanted->setting[i];

		if (setting->is_set)
			continue;
		lines_add(&plan->problems, "%s is not %d: rp_filter drops replies to clients there", setting->name, setting->value);
		add_step(plan, STEP_SETTING)->setting = setting;
	}
}

static void plan_neighbours(struct plan *plan, const struct wanted *wanted, const struct present *present)
{
	plan->intact_neighbour = allocate(wanted->neighbours, sizeof(const struct neighbour *));
	for (size_t i = 0; i < wanted->neighbours; i++)
		plan_neighbour(plan, &wanted->neighbour[i], present);
}

/* @all: those that are wanted, too */
static void remove_neighbours(struct plan *plan, const struct config *config, const struct wanted *wanted,
			      const struct present *present, const bool *owned_rules, bool all)
{
	for (size_t i = 0; i < present->neighbours; i++) {
		const struct neighbour *neighbour = &present->neighbour[i];

		if ((!all && neighbour_wanted(wanted, neighbour)) ||
		    !owns_neighbour(config, wanted, present, owned_rules, neighbour))
			continue;
		note_neighbour(&plan->problems, neighbour, all ? " is there" : " does not belong there");
		add_step(plan, STEP_NEIGHBOUR_REMOVE)->neighbour = neighbour;
	}
}

static const struct gateway *gateway_of_address(const struct config *config, const struct address *address)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (address_equal(&config->gateway[i].to[family_index(address->family)].address, address))
			return &config->gateway[i];
	return config_default(config);
}

static int check_others_neighbour(const struct config *config, const struct neighbour *wanted,
				   const struct neighbour *present, struct report *report)
{
	enum config_key key = wanted->address.family == AF_INET ? KEY_MAC4 : KEY_MAC6;
	char mac[MAC_TEXT], address[ADDRESS_TEXT];

	if (!same_neighbour(present, wanted) || !(present->state & NUD_PERMANENT) ||
	    present->protocol == ROUTING_PROTOCOL || mac_equal(&present->mac, &wanted->mac))
		return 0;
	address_text(&wanted->address, address);
	return gateway_error(config, gateway_of_address(config, &wanted->address), report, key, "another program has set %s as the hardware address of %s on %s (a permanent "
			    "neighbour of protocol %u); correct this key, or remove that: ip neigh del %s dev %s",
			    present->mac.known ? mac_text(&present->mac, mac) : "another", address, wanted->interface_name,
			    present->protocol, address, wanted->interface_name);
}

/* Policy rules */

/* Whether @rule stands where @wanted is to be. */
static bool same_selector(const struct rule *rule, const struct rule *wanted)
{
	bool same_incoming = strcmp(rule->incoming, wanted->incoming) == 0;
	bool same_mark = rule->mark == wanted->mark && rule->mask == wanted->mask;
	bool same = (!rule->other || (wanted->mask && same_mark)) && same_incoming && rule->inverted == wanted->inverted;
	bool same_action = (same_mark || !wanted->mask) && rule->action == wanted->action && rule->table == wanted->table &&
			   rule->suppress_prefixlength == wanted->suppress_prefixlength;

	/* With more selectors and the same action, the kernel takes @rule for what we want to add (NLM_F_EXCL). */
	return rule->family == wanted->family && rule->priority == wanted->priority &&
	       prefix_equal(&rule->source, &wanted->source) &&
	       prefix_equal(&rule->destination, &wanted->destination) && (!wanted->incoming[0] || same_incoming) &&
	       (same || rule->shadows || same_action);
}

static int check_others_rule(const struct config *config, const struct wanted *wanted, const struct rule *rule,
			      struct report *report)
{
	struct text text CLEANUP(text_free) = { 0 };
	bool selects_ours = false;

	if (rule->protocol == ROUTING_PROTOCOL)
		return 0;
	for (size_t i = 0; i < wanted->rules; i++) {
		if (rule_equal(rule, &wanted->rule[i]))
			return 0;
		selects_ours = selects_ours || same_selector(rule, &wanted->rule[i]);
	}
	if (!selects_ours)
		return 0;
	rule_add_text(&text, rule);
	return config_error(config, report, KEY_PRIORITY, "another %s policy rule for clients already has one of our "
			    "priorities: `%s` (protocol %u); remove it, or choose another priority",
			    rule->family == AF_INET ? "IPv4" : "IPv6", text.data, rule->protocol);
}

static bool same_place(const struct rule *a, const struct rule *b)
{
	return a->family == b->family && a->priority == b->priority;
}

/* Within a tree: what is not of clients passes it over, and what is may meet it. */
static int check_rule_in_tree(const struct config *config, const struct wanted *wanted, const struct rule *rule,
			      struct report *report)
{
	uint32_t last = config->priority + CONFIG_TREE_SPAN - 1;
	struct text text CLEANUP(text_free) = { 0 };

	if (rule->priority > last || !is_in_tree(config, rule))
		return 0;
	for (size_t i = 0; i < wanted->rules; i++)
		if (rule_equal(rule, &wanted->rule[i]))
			return 0;
	rule_add_text(&text, rule);
	return config_error(config, report, KEY_PRIORITY, "another %s policy rule has one of the priorities %u to %u, which the rules "
			    "for more than %d gateways need for themselves: `%s` (protocol %u), which would no longer apply to packets of "
			    "others; remove it, or choose another priority", family_name(family_index(rule->family)),
			    config->priority + 2, last, CONFIG_FLAT_GATEWAYS, text.data, rule->protocol);
}

/* What becomes of a rule that the kernel has and of one that is wanted. */
struct rules_plan {
	bool *keep;	/* of each in the kernel */
	bool *add;	/* of each that is wanted */
};

/* The place of the rule that serves as @one: ours before another; present->rules where there is none. */
static size_t find_serving(const struct present *present, const bool *owned, const struct rule *one, size_t *copies)
{
	size_t found = present->rules;

	*copies = 0;
	for (size_t i = 0; i < present->rules; i++) {
		if (!rule_equal(&present->rule[i], one))
			continue;
		*copies += owned[i];
		if (found == present->rules || (owned[i] && !owned[found]))
			found = i;
	}
	return found;
}

/*
 * A rule is added behind those of its priority. So where one is missing, there twice (the kernel removes the
 * first) or out of order, those that are to come behind it are made anew.
 */
static void choose_rules(struct rules_plan *choice, const struct wanted *wanted, const struct present *present,
			 const bool *owned)
{
	const struct rule *before = NULL;
	size_t last = 0;
	bool anew = false;

	for (size_t i = 0; i < wanted->rules; i++) {
		const struct rule *one = &wanted->rule[i];
		size_t copies, place = find_serving(present, owned, one, &copies);

		if (!before || !same_place(before, one)) {
			anew = false;
			last = 0;
		}
		before = one;
		if (place == present->rules || copies > 1 || (copies == 1 && place < last))
			anew = true;
		if (place < present->rules && (!anew || copies == 0))
			choice->keep[place] = true;
		else
			choice->add[i] = true;
		if (copies == 1)
			last = place;
	}
}

/*
 * Whether the kernel, asked to remove @rule, would take @other for it: it removes the first rule that has all
 * that is named, whatever else it has, and does not look at `not`, nor where a goto leads.
 */
static bool removal_fits(const struct rule *rule, const struct rule *other)
{
	return rule->family == other->family && rule->priority == other->priority && rule->action == other->action &&
	       (rule->table == other->table || rule->action == FR_ACT_GOTO) &&
	       (!rule->other || (other->other && strcmp(rule->other, other->other) == 0)) &&
	       (!rule->incoming[0] || strcmp(rule->incoming, other->incoming) == 0) &&
	       (!rule->source.address.family || prefix_equal(&rule->source, &other->source)) &&
	       (!rule->destination.address.family || prefix_equal(&rule->destination, &other->destination)) &&
	       (rule->suppress_prefixlength < 0 || rule->suppress_prefixlength == other->suppress_prefixlength);
}

/* Makes anew what would go in place of a rule that is to be removed. */
static void protect_rules(struct rules_plan *choice, const struct wanted *wanted, const struct present *present,
			  const bool *owned)
{
	for (size_t i = 0; i < present->rules; i++) {
		for (size_t j = 0; j < i && owned[i] && !choice->keep[i]; j++) {
			if (!owned[j] || !choice->keep[j] || !removal_fits(&present->rule[i], &present->rule[j]))
				continue;
			choice->keep[j] = false;
			for (size_t k = 0; k < wanted->rules; k++)
				if (rule_equal(&wanted->rule[k], &present->rule[j]))
					choice->add[k] = true;
		}
	}
}

/* Makes anew what stood behind such a rule at its priority. */
static void remake_behind(struct rules_plan *choice, const struct wanted *wanted, const struct present *present,
			  const bool *owned)
{
	bool anew = false;

	for (size_t i = 0; i < wanted->rules; i++) {
		const struct rule *one = &wanted->rule[i];

		if (i > 0 && !same_place(one, &one[-1]))
			anew = false;
		anew = anew || choice->add[i];
		for (size_t j = 0; j < present->rules && anew && !choice->add[i]; j++) {
			if (!owned[j] || !choice->keep[j] || !rule_equal(&present->rule[j], one))
				continue;
			choice->keep[j] = false;
			choice->add[i] = true;
		}
	}
}

/* How much of a rule is named when it is removed; what names more goes first. */
static int selectors(const struct rule *rule)
{
	return (rule->other != NULL) * 4 + (rule->source.address.family != AF_UNSPEC) +
	       (rule->destination.address.family != AF_UNSPEC) + (rule->incoming[0] != '\0') +
	       (rule->suppress_prefixlength >= 0);
}

#define SELECTORS_MOST 8

/* With @wanted, those at its priority alone. What was removed is kept from then on, lest it is removed twice. */
static void remove_rules(struct plan *plan, struct rules_plan *choice, const struct present *present, const bool *owned,
			 const struct rule *wanted)
{
	for (int count = SELECTORS_MOST; count >= 0; count--) {
		for (size_t i = present->rules; i-- > 0; ) {
			const struct rule *rule = &present->rule[i];

			if (!owned[i] || choice->keep[i] || selectors(rule) != count || (wanted && !same_place(rule, wanted)))
				continue;
			note_rule(&plan->problems, rule, " does not belong there, or not in this order");
			add_rule_step(plan, STEP_RULE_REMOVE, rule);
			choice->keep[i] = true;
		}
	}
}

static size_t first_of(const struct present *present, const struct rule *like)
{
	size_t i = 0;

	while (i < present->rules && !same_place(&present->rule[i], like))
		i++;
	return i;
}

/* Whether those of ours are the wanted ones, each once, and nothing else stands between those of a priority. */
static bool stand_as_wanted(const struct wanted *wanted, const struct present *present, const bool *owned)
{
	size_t place = 0, left = 0;

	for (size_t i = 0; i < wanted->rules; i++, place++) {
		const struct rule *one = &wanted->rule[i];

		if (i == 0 || !same_place(one, &one[-1]))
			place = first_of(present, one);
		if (place >= present->rules || !owned[place] || !rule_equal(&present->rule[place], one))
			return false;
	}
	for (size_t i = 0; i < present->rules; i++)
		left += owned[i];
	return left == wanted->rules;
}

static void keep_rules(struct plan *plan, const struct wanted *wanted)
{
	plan->intact_rule = allocate(wanted->rules, sizeof(const struct rule *));
	for (size_t i = 0; i < wanted->rules; i++)
		plan->intact_rule[plan->intact_rules++] = &wanted->rule[i];
	plan->anything_present = plan->anything_present || wanted->rules;
}

static bool any_equal(const struct present *present, const struct rule *one)
{
	for (size_t i = 0; i < present->rules; i++)
		if (rule_equal(&present->rule[i], one))
			return true;
	return false;
}

static void repair_rules(struct plan *plan, const struct wanted *wanted, const struct present *present,
			 const bool *owned)
{
	struct rules_plan choice = {
		.keep = allocate(present->rules, sizeof(bool)),
		.add = allocate(wanted->rules, sizeof(bool)),
	};

	choose_rules(&choice, wanted, present, owned);
	protect_rules(&choice, wanted, present, owned);
	remake_behind(&choice, wanted, present, owned);
	plan->intact_rule = allocate(wanted->rules, sizeof(const struct rule *));
	for (size_t i = 0; i < wanted->rules; i++) {
		bool there = any_equal(present, &wanted->rule[i]);

		if (i == 0 || !same_place(&wanted->rule[i], &wanted->rule[i - 1]))
			remove_rules(plan, &choice, present, owned, &wanted->rule[i]);
		plan->anything_present = plan->anything_present || there;
		if (!choice.add[i]) {
			plan->intact_rule[plan->intact_rules++] = &wanted->rule[i];
			continue;
		}
		if (!there)
			note_rule(&plan->problems, &wanted->rule[i], " is missing");
		add_rule_step(plan, STEP_RULE_ADD, &wanted->rule[i]);
	}
	remove_rules(plan, &choice, present, owned, NULL);
	free(choice.keep);
	free(choice.add);
}

static void plan_rules(struct plan *plan, const struct wanted *wanted, const struct present *present,
		       const bool *owned)
{
	if (stand_as_wanted(wanted, present, owned))
		keep_rules(plan, wanted);
	else
		repair_rules(plan, wanted, present, owned);
}

bool plan_lacks_local(const struct config *config, const struct wanted *wanted, const struct present *present, int family)
{
	bool any = false;

	for (size_t i = 0; i < present->rules; i++) {
		const struct rule *rule = &present->rule[i];

		if (rule->family != family_of(family))
			continue;
		any = true;
		if (rule->priority >= config->priority)
			break;
		if (rule_is_local(rule))
			return false;
		for (size_t j = 0; j < wanted->rules; j++)
			if (rule_equal(rule, &wanted->rule[j]))
				return config_covers(config, family);
	}
	/* A kernel without this family has no rule at all. */
	return any && config_covers(config, family);
}

/* What is for this host itself would meet the rule about others before it is found to be for this host. */
static int check_local_rule(const struct config *config, const struct wanted *wanted, const struct present *present,
			    int family, struct report *report)
{
	if (config->forward_others || !plan_lacks_local(config, wanted, present, family))
		return 0;
	return config_error(config, report, KEY_FORWARD_OTHERS, "no %s policy rule before priority %u looks up table local, "
			    "so this host would drop what is sent to itself, and lose its network; "
			    "ip -%c rule add priority %u lookup local", family_name(family), config->priority - 1,
			    family == IPV4 ? '4' : '6', config->priority - 2);
}

static int note_conflict(struct plan *plan, enum layer layer, int result)
{
	if (result < 0) {
		plan->wrong[layer]++;
		plan->conflicts++;
	}
	return plan->conflicts ? -1 : 0;
}

static int check_conflicts(struct plan *plan, const struct config *config, const struct wanted *wanted,
			   const struct present *present, const bool *owned, struct report *report)
{
	int result = note_conflict(plan, LAYER_KILLSWITCH, check_guard(config, &present->guard, report));

	for (size_t i = 0; i < present->routes; i++)
		result = note_conflict(plan, LAYER_ROUTING,
				       check_others_route(config, wanted, &present->route[i], report));
	for (size_t i = 0; i < present->rules; i++)
		result = note_conflict(plan, LAYER_ROUTING,
				       check_others_rule(config, wanted, &present->rule[i], report));
	for (size_t i = 0; i < present->rules; i++)
		if (!owned[i])
			result = note_conflict(plan, LAYER_ROUTING,
					       check_rule_in_tree(config, wanted, &present->rule[i], report));
	for (size_t i = 0; i < present->neighbours; i++)
		for (size_t j = 0; j < wanted->neighbours; j++)
			result = note_conflict(plan, LAYER_ROUTING,
					       check_others_neighbour(config, &wanted->neighbour[j],
								       &present->neighbour[i], report));
	for (int family = 0; family < FAMILIES; family++)
		result = note_conflict(plan, LAYER_ROUTING, check_local_rule(config, wanted, present, family, report));
	return result;
}

int plan_install(struct plan *plan, const struct config *config, const struct wanted *wanted,
		 const struct present *present, struct report *report)
{
	bool *owned = allocate(present->rules, sizeof(*owned));
	int result;

	*plan = (struct plan){ 0 };
	plan_find_owned(config, present->rule, present->rules, owned);
	plan_guard(plan, wanted, present);
	plan_sessions(plan, wanted, present);
	plan->wrong[LAYER_KILLSWITCH] = plan->problems.count;
	plan_settings(plan, wanted);
	plan_neighbours(plan, wanted, present);
	plan_routes(plan, config, wanted, present, owned);
	plan_rules(plan, wanted, present, owned);
	remove_neighbours(plan, config, wanted, present, owned, false);
	plan->wrong[LAYER_ROUTING] = plan->problems.count - plan->wrong[LAYER_KILLSWITCH];
	result = check_conflicts(plan, config, wanted, present, owned, report);
	free(owned);
	return result;
}

static void plan_guard_removal(struct plan *plan, const struct wanted *wanted, const struct present *present)
{
	if (!present->guard.exists)
		return;
	lines_add(&plan->problems, "kill switch: table inet %s is there", wanted->guard.table);
	add_step(plan, STEP_GUARD_REMOVE)->guard = &wanted->guard;
}

/*
 * What permits goes first, then what denies, then the route to the VPN's own addresses, and the way around a tree; of each,
 * what names more goes first.
 */
static int removal_rank(const struct rule *rule)
{
	bool leads = rule->action == FR_ACT_TO_TBL || rule->action == FR_ACT_GOTO;
	int kind = !leads ? 1 : rule->source.address.family ? 0 : 2;

	return kind * (SELECTORS_MOST + 1) + SELECTORS_MOST - selectors(rule);
}

static void plan_rule_removal(struct plan *plan, const struct present *present, const bool *owned)
{
	for (int rank = 0; rank < 3 * (SELECTORS_MOST + 1); rank++) {
		for (size_t i = present->rules; i-- > 0; ) {
			const struct rule *rule = &present->rule[i];

			if (!owned[i] || removal_rank(rule) != rank)
				continue;
			note_rule(&plan->problems, rule, " is there");
			add_rule_step(plan, STEP_RULE_REMOVE, rule);
		}
	}
}

int plan_remove(struct plan *plan, const struct config *config, const struct wanted *wanted,
		const struct present *present, struct report *report)
{
	bool *owned = allocate(present->rules, sizeof(*owned));

	*plan = (struct plan){ 0 };
	plan_find_owned(config, present->rule, present->rules, owned);
	plan_rule_removal(plan, present, owned);
	for (size_t i = 0; i < present->routes; i++) {
		if (!owns_route(config, present, owned, &present->route[i]))
			continue;
		note_route(&plan->problems, &present->route[i], " is there");
		add_route_step(plan, STEP_ROUTE_REMOVE, &present->route[i]);
	}
	remove_neighbours(plan, config, wanted, present, owned, true);
	plan->wrong[LAYER_ROUTING] = plan->problems.count;
	plan_guard_removal(plan, wanted, present);
	plan->wrong[LAYER_KILLSWITCH] = plan->problems.count - plan->wrong[LAYER_ROUTING];
	free(owned);
	return note_conflict(plan, LAYER_KILLSWITCH, check_guard(config, &present->guard, report));
}

void plan_free(struct plan *plan)
{
	free(plan->step);
	free(plan->change);
	free(plan->device);
	lines_free(&plan->problems);
	free(plan->intact_route);
	free(plan->intact_neighbour);
	free(plan->intact_rule);
	*plan = (struct plan){ 0 };
}

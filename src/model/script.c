/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/script.h"
#include "base/terminal.h"

static void add_route(struct text *script, const struct route *route, const char *action)
{
	text_add(script, "ip -%c route %s ", route->family == AF_INET ? '4' : '6', action);
	route_add_text(script, route);
	text_add(script, " protocol %u", route->protocol);
}

static void add_rule(struct text *script, const struct rule *rule, const char *action)
{
	text_add(script, "ip -%c rule %s ", rule->family == AF_INET ? '4' : '6', action);
	rule_add_text(script, rule);
	text_add(script, " protocol %u", rule->protocol);
}

static void add_neighbour(struct text *script, const struct neighbour *neighbour, bool remove)
{
	char family = neighbour->address.family == AF_INET ? '4' : '6', address[ADDRESS_TEXT];

	if (remove) {
		text_add(script, "ip -%c neigh del %s dev ", family, address_text(&neighbour->address, address));
		neighbour_add_interface(script, neighbour);
		return;
	}
	text_add(script, "ip -%c neigh replace ", family);
	neighbour_add_text(script, neighbour);
	text_add(script, " protocol %u", neighbour->protocol);
}

static void add_guard(struct text *script, const struct step *step)
{
	text_add(script, "nft -f - <<'END'\n");
	/* Both in one transaction: at no instant is there no kill switch. */
	if (step->replace)
		text_add(script, "delete table inet %s\n", step->guard->table);
	guard_add_text(script, step->guard);
	text_add(script, "END");
}

/* What leads elsewhere is taken out first: nft(8) leaves an element as it is. */
void script_add_change(struct lines *commands, const char *table, const struct guard_change *change)
{
	struct text key CLEANUP(text_free) = { 0 };

	guard_add_key_text(&key, change->set, change->element.key);
	if (change->was[0])
		lines_add(commands, "delete element inet %s %s { %s }", table, change->set->name, text_string(&key));
	if (change->element.chain[0])
		lines_add(commands, "add element inet %s %s { %s : goto %s }", table, change->set->name, text_string(&key),
			  change->element.chain);
}

/* add flowtable inet ocserv_gw fast { hook ingress priority filter; devices = { "vpns0" }; } */
static void add_device(struct text *script, const struct step *step, const struct guard_device *device)
{
	text_add(script, "%s flowtable inet %s " GUARD_FAST_TABLE " { hook ingress priority filter; devices = { \"%s\" }; }\n",
		 device->gone ? "delete" : "add", step->guard->table, device->name);
}

static void add_sessions(struct text *script, const struct step *step)
{
	struct lines commands CLEANUP(lines_free) = { 0 };

	for (size_t i = 0; i < step->changes; i++)
		script_add_change(&commands, step->guard->table, &step->change[i]);
	text_add_string(script, "nft -f - <<'END'\n");
	for (size_t i = 0; i < step->devices; i++)
		add_device(script, step, &step->device[i]);
	for (size_t i = 0; i < commands.count; i++)
		text_add(script, "%s\n", commands.line[i]);
	text_add_string(script, "END");
}

static void add_setting(struct text *script, const struct setting_step *setting)
{
	text_add(script, "sysctl -q -w net/%s=%d", setting->name, setting->value);
}

void script_add_step(struct text *script, const struct step *step)
{
	switch (step->kind) {
	case STEP_GUARD_LOAD:
		add_guard(script, step);
		break;
	case STEP_GUARD_REMOVE:
		text_add(script, "nft delete table inet %s", step->guard->table);
		break;
	case STEP_SESSIONS:
		add_sessions(script, step);
		break;
	case STEP_SETTING:
		add_setting(script, step->setting);
		break;
	case STEP_NEIGHBOUR_REPLACE:
	case STEP_NEIGHBOUR_REMOVE:
		add_neighbour(script, step->neighbour, step->kind == STEP_NEIGHBOUR_REMOVE);
		break;
	case STEP_ROUTE_ADD:
		add_route(script, step->route, "add");
		break;
	case STEP_ROUTE_REMOVE:
		add_route(script, step->route, "del");
		break;
	case STEP_RULE_ADD:
		add_rule(script, step->rule, "add");
		break;
	case STEP_RULE_REMOVE:
		add_rule(script, step->rule, "del");
		break;
	}
}

static void add_comment(struct text *script, const char *prefix, const char *line)
{
	text_add(script, "# %s", prefix);
	text_add_printable(script, line);
	text_add(script, "\n");
}

static void add_intact(struct text *script, const struct plan *plan)
{
	if (plan->intact_guard)
		text_add(script, "# intact: nft table inet %s\n", plan->intact_guard->table);
	for (size_t i = 0; i < plan->intact_neighbours; i++) {
		text_add(script, "# intact: ip -%c neigh ", plan->intact_neighbour[i]->address.family == AF_INET ? '4' : '6');
		neighbour_add_text(script, plan->intact_neighbour[i]);
		text_add(script, "\n");
	}
	for (size_t i = 0; i < plan->intact_routes; i++) {
		text_add(script, "# intact: ip -%c route ", plan->intact_route[i]->family == AF_INET ? '4' : '6');
		route_add_text(script, plan->intact_route[i]);
		text_add(script, "\n");
	}
	for (size_t i = 0; i < plan->intact_rules; i++) {
		text_add(script, "# intact: ip -%c rule ", plan->intact_rule[i]->family == AF_INET ? '4' : '6');
		rule_add_text(script, plan->intact_rule[i]);
		text_add(script, "\n");
	}
}

void script_add_plan(struct text *script, const char *heading, const struct plan *plan)
{
	add_comment(script, "", heading);
	add_intact(script, plan);
	for (size_t i = 0; i < plan->problems.count; i++)
		add_comment(script, "to do: ", plan->problems.line[i]);
	if (plan->steps == 0)
		add_comment(script, "", "nothing to do");
	for (size_t i = 0; i < plan->steps; i++) {
		script_add_step(script, &plan->step[i]);
		text_add(script, "\n");
	}
}

/* A line for people: its mark, and in which colour. */
enum mark { MARK_THERE, MARK_GONE, MARK_NEW, MARK_WHY };

static void add_marked(struct text *diff, enum mark mark, const char *line, bool colour)
{
	static const struct { const char *sign, *colour; } marks[] = {
		[MARK_THERE] = { "  ", NULL }, [MARK_GONE] = { "- ", TERMINAL_RED }, [MARK_NEW] = { "+ ", TERMINAL_GREEN },
		[MARK_WHY] = { "! ", TERMINAL_YELLOW },
	};
	bool coloured = colour && marks[mark].colour;

	text_add(diff, "%s%s", coloured ? marks[mark].colour : "", marks[mark].sign);
	text_add_printable(diff, line);
	text_add(diff, "%s\n", coloured ? TERMINAL_PLAIN : "");
}

static void add_marked_rule(struct text *diff, enum mark mark, const struct rule *rule, bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };

	text_add(&line, "ip -%c rule ", rule->family == AF_INET ? '4' : '6');
	rule_add_text(&line, rule);
	add_marked(diff, mark, text_string(&line), colour);
}

static void add_marked_route(struct text *diff, enum mark mark, const struct route *route, bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };

	text_add(&line, "ip -%c route ", route->family == AF_INET ? '4' : '6');
	route_add_text(&line, route);
	add_marked(diff, mark, text_string(&line), colour);
}

static void add_marked_neighbour(struct text *diff, enum mark mark, const struct neighbour *neighbour, bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };

	text_add(&line, "ip -%c neigh ", neighbour->address.family == AF_INET ? '4' : '6');
	neighbour_add_text(&line, neighbour);
	add_marked(diff, mark, text_string(&line), colour);
}

static void add_marked_guard(struct text *diff, enum mark mark, const struct guard *guard, const char *what,
			     bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };

	text_add(&line, "nft table inet %s%s", guard->table, what);
	add_marked(diff, mark, text_string(&line), colour);
}

static void add_marked_session(struct text *diff, enum mark mark, const struct step *step, const struct guard_change *change,
			       const char *chain, bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };

	if (!chain[0])
		return;
	text_add(&line, "nft element inet %s %s ", step->guard->table, change->set->name);
	guard_add_key_text(&line, change->set, change->element.key);
	text_add(&line, " : goto %s", chain);
	add_marked(diff, mark, text_string(&line), colour);
}

static void add_marked_device(struct text *diff, const struct step *step, const struct guard_device *device, bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };

	text_add(&line, "nft flowtable inet %s " GUARD_FAST_TABLE " device %s", step->guard->table, device->name);
	add_marked(diff, device->gone ? MARK_GONE : MARK_NEW, text_string(&line), colour);
}

static void add_marked_sessions(struct text *diff, const struct step *step, bool colour)
{
	for (size_t i = 0; i < step->devices; i++)
		add_marked_device(diff, step, &step->device[i], colour);
	for (size_t i = 0; i < step->changes; i++) {
		add_marked_session(diff, MARK_GONE, step, &step->change[i], step->change[i].was, colour);
		add_marked_session(diff, MARK_NEW, step, &step->change[i], step->change[i].element.chain, colour);
	}
}

static void add_marked_setting(struct text *diff, const struct setting_step *setting, bool colour)
{
	struct text line CLEANUP(text_free) = { 0 };

	add_setting(&line, setting);
	add_marked(diff, MARK_NEW, text_string(&line), colour);
}

static void add_marked_step(struct text *diff, const struct step *step, bool colour)
{
	switch (step->kind) {
	case STEP_GUARD_LOAD:
		if (step->replace)
			add_marked_guard(diff, MARK_GONE, step->guard, ", as it is now", colour);
		add_marked_guard(diff, MARK_NEW, step->guard, step->replace ? ", complete, in the same transaction" : "",
				 colour);
		break;
	case STEP_GUARD_REMOVE:
		add_marked_guard(diff, MARK_GONE, step->guard, "", colour);
		break;
	case STEP_SESSIONS:
		add_marked_sessions(diff, step, colour);
		break;
	case STEP_SETTING:
		add_marked_setting(diff, step->setting, colour);
		break;
	case STEP_NEIGHBOUR_REPLACE:
	case STEP_NEIGHBOUR_REMOVE:
		add_marked_neighbour(diff, step->kind == STEP_NEIGHBOUR_REPLACE ? MARK_NEW : MARK_GONE, step->neighbour,
				     colour);
		break;
	case STEP_ROUTE_ADD:
	case STEP_ROUTE_REMOVE:
		add_marked_route(diff, step->kind == STEP_ROUTE_ADD ? MARK_NEW : MARK_GONE, step->route, colour);
		break;
	case STEP_RULE_ADD:
	case STEP_RULE_REMOVE:
		add_marked_rule(diff, step->kind == STEP_RULE_ADD ? MARK_NEW : MARK_GONE, step->rule, colour);
		break;
	}
}

void script_add_diff(struct text *diff, const char *heading, const struct plan *plan, bool colour)
{
	add_comment(diff, "", heading);
	if (plan->intact_guard)
		add_marked_guard(diff, MARK_THERE, plan->intact_guard, "", colour);
	for (size_t i = 0; i < plan->intact_neighbours; i++)
		add_marked_neighbour(diff, MARK_THERE, plan->intact_neighbour[i], colour);
	for (size_t i = 0; i < plan->intact_routes; i++)
		add_marked_route(diff, MARK_THERE, plan->intact_route[i], colour);
	for (size_t i = 0; i < plan->intact_rules; i++)
		add_marked_rule(diff, MARK_THERE, plan->intact_rule[i], colour);
	for (size_t i = 0; i < plan->problems.count && plan->anything_present; i++)
		add_marked(diff, MARK_WHY, plan->problems.line[i], colour);
	for (size_t i = 0; i < plan->steps; i++)
		add_marked_step(diff, &plan->step[i], colour);
	if (plan->steps == 0)
		add_comment(diff, "", "nothing to do");
}

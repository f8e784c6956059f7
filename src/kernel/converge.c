/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/converge.h"
#include "kernel/apply.h"
#include "kernel/fast_path.h"
#include "kernel/left_out.h"
#include "kernel/nftables_code.h"
#include "kernel/reverse.h"
#include "kernel/setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define ROUNDS 3	/* against others who change the same objects meanwhile */
#define OUTDATED 20	/* looks anew, since others changed nf_tables between look and change; then it is changed all the same */
#define REPAIRS_TOLD 10	/* one by one */

/* The interface that a gateway is known to be on, before anybody asks the kernel; "" where it is not. */
static const char *known_interface(const struct choices *was, const struct exits *exits, unsigned int i)
{
	const struct exit *exit = &exits->exit[i];
	const struct gateway_choice *choice = exit_is_link(exit) ? NULL : choices_find(was, exit->gateway, exit->family, i);

	if (choice && choice->interface[0] && address_equal(&choice->address, &exit->nexthop))
		return choice->interface;
	return exit->gateway->interface;
}

/*
 * Where the kernel has no route to a gateway, its interface is taken to be the one that it was, so that all else can be
 * compared. Where that is not known either, no rule of the kill switch is as wanted.
 */
static void name_interfaces(const struct choices *was, struct exits *exits)
{
	for (unsigned int i = 0; i < exits->count; i++) {
		struct exit *exit = &exits->exit[i];
		const char *name;

		if (exit->interface.index || exit->apart || exit_is_link(exit))
			continue;
		name = known_interface(was, exits, i);
		snprintf(exit->interface.name, IFNAMSIZ, "%s", name[0] ? name : "?");
	}
}

static bool leaves_via(const struct placements *own, const struct gateway *gateway)
{
	for (size_t i = 0; i < own->count; i++)
		if (own->placement[i].gateway == gateway)
			return true;
	return false;
}

/* A hook has to do with its session's gateway, and with that of whom no line names. */
static void set_apart(struct exits *exits, const struct config *config, const struct remembered *remembered)
{
	for (unsigned int i = 0; i < exits->count; i++) {
		struct exit *exit = &exits->exit[i];
		const char *name = known_interface(&remembered->choices, exits, i);

		if (!name[0] || exit->gateway == config_default(config) || leaves_via(remembered->own, exit->gateway))
			continue;
		exit->apart = true;
		memcpy(exit->interface.name, name, IFNAMSIZ);
	}
}

/* The neighbours of gateways that the configuration had before may be there. */
static bool is_thorough(const struct remembered *remembered)
{
	for (unsigned int i = 0; i < remembered->choices.count; i++) {
		const struct gateway_choice *choice = &remembered->choices.choice[i];

		if (choice->address.family && choice->gateway->to[choice->family].mode == GATEWAY_ADDRESS &&
		    !address_equal(&choice->address, &choice->gateway->to[choice->family].address))
			return true;
	}
	return !remembered->quick;
}

static void add_formers(struct wanted *wanted, const struct choices *choices)
{
	wanted->former = allocate(choices->count, sizeof(*wanted->former));
	for (unsigned int i = 0; i < choices->count; i++)
		if (choices->choice[i].address.family)
			wanted->former[wanted->formers++] = choices->choice[i].address;
}

/* What is wanted as far as it is known now; returns its digest. */
static uint64_t make_wanted(struct situation *situation, const struct config *config,
			    const struct remembered *remembered, struct netlink *route)
{
	wanted_free(&situation->wanted);
	wanted_make(&situation->wanted, config, &situation->exits, &situation->host);
	wanted_place(&situation->wanted, config, &situation->placements, situation->partial);
	add_formers(&situation->wanted, &remembered->choices);
	reverse_find(route, config, &situation->exits, &situation->wanted);
	return checkpoint_digest(&situation->wanted.guard);
}

static int place(struct situation *situation, const struct config *config, const struct remembered *remembered,
		 struct report *report)
{
	const struct placements *own = remembered->own;

	if (situation->goal != GOAL_INSTALL || !config_is_mapped(config))
		return 0;
	if (own)
		memcpy(situation->placements.own, own->own, IFNAMSIZ);
	for (size_t i = 0; own && i < own->count; i++)
		placements_add(&situation->placements, own->placement[i].device, &own->placement[i].address,
			       own->placement[i].gateway);
	if (situation->partial || !remembered->place_all)
		return 0;
	return remembered->place_all(&situation->placements, remembered->place_data, report);
}

/* Whether anything speaks against a fast path, and what. */
static bool is_slow(struct situation *situation, const struct links *links, struct sockets *sockets)
{
	if (fast_path_unfit(&situation->exits, links, &situation->slow))
		return true;
	return !situation->present.guard.fast.there && fast_path_refused(&sockets->nft, &situation->slow);
}

/* With fast_path = auto a kill switch that is there stays as it is until `up` decides anew: all runs find the same. */
static bool is_settled(const struct situation *situation, const struct config *config, const struct remembered *remembered)
{
	return config->fast_path == FAST_PATH_AUTO && situation->present.guard.exists && !remembered->decides;
}

static int decide_fast_path(struct situation *situation, const struct config *config, bool settled, const struct links *links,
			    struct sockets *sockets, struct report *report)
{
	bool slow = is_slow(situation, links, sockets);

	if (slow && config->fast_path == FAST_PATH_YES)
		return config_error(config, report, KEY_FAST_PATH, "%s; so clients are refused: correct that, or set fast_path = no, or "
				    "auto, which does without", text_string(&situation->slow));
	if (settled && situation->host.fast == slow)
		text_add(&situation->slow, "%s`ocserv-gateway up` turns it %s", slow ? "; " : "it can be now; ", slow ? "off" : "on");
	if (!settled)
		situation->host.fast = !slow;
	return 0;
}

/* A hook of a kill switch that is as it was looks for the tunnel of its session alone. */
static int read_links(struct links *links, const struct situation *situation, const struct remembered *remembered,
		      struct netlink *route, struct report *report)
{
	bool all = !situation->present.guard.unchanged || !remembered->quick;

	*links = (struct links){ 0 };
	if (!all && !remembered->device)
		return 0;
	return fast_path_read(links, all ? NULL : remembered->device, route, report);
}

/* What is wanted of the fast path, and its part of the kill switch. Returns 0, or -1 with the reason in @report. */
static int find_fast_path(struct situation *situation, const struct config *config, const struct remembered *remembered,
			  struct view *view, struct sockets *sockets, struct report *report)
{
	const struct present_guard *guard = &situation->present.guard;
	bool settled = is_settled(situation, config, remembered);
	struct links links;
	int result;

	if (situation->goal != GOAL_INSTALL || config->fast_path == FAST_PATH_NO || situation->present.unprivileged)
		return 0;
	if (settled && !guard->unchanged)
		situation->host.fast = guard->fast.there;
	result = read_links(&links, situation, remembered, &sockets->route, report);
	if (result == 0 && (!remembered->quick || (!guard->unchanged && !settled)))
		result = decide_fast_path(situation, config, settled, &links, sockets, report);
	if (!guard->unchanged)
		view->digest = make_wanted(situation, config, remembered, &sockets->route);
	if (situation->host.fast)
		fast_path_add_devices(&situation->wanted.guard, config, &situation->exits, &situation->host, &links);
	situation->wanted.guard.fast.own = remembered->device;
	free(links.link);
	return result;
}

/* @partial: of sessions those of @remembered->own alone, and of gateways theirs */
static int read_once(struct situation *situation, const struct config *config, enum goal goal,
		     const struct remembered *remembered, bool partial, struct sockets *sockets, struct report *report)
{
	static const struct present empty;
	bool anew = remembered->distrusts || (remembered->decides && config->fast_path == FAST_PATH_AUTO);
	const char *checkpoint = anew ? "" : remembered->checkpoint;
	struct exits *exits = &situation->exits;
	struct view view = {
		.config = config, .wanted = &situation->wanted, .checkpoint = checkpoint,
		.thorough = is_thorough(remembered), .partial = partial && config_is_mapped(config),
	};
	const struct present *present;
	int wrong;

	*situation = (struct situation){ .goal = goal, .partial = partial };
	if (place(situation, config, remembered, report) < 0)
		return -1;
	exits_make(exits, config);
	if (view.partial)
		set_apart(exits, config, remembered);
	if (goal == GOAL_INSTALL)
		situation->wrong_routes = gateway_find(&sockets->route, config, remembered->move ? NULL : &remembered->choices,
						     exits, report);
	if (situation->wrong_routes || config_is_mapped(config))
		name_interfaces(&remembered->choices, exits);
	situation->host = remembered->known;
	situation->host.ipsec = setting_ipsec();
	situation->host.fast = config->fast_path == FAST_PATH_YES ||
			       (config->fast_path == FAST_PATH_AUTO && checkpoint_is_fast(checkpoint));
	checkpoint_read_left_out(checkpoint, &situation->host);
	view.digest = make_wanted(situation, config, remembered, &sockets->route);
	if (observe(&situation->present, &view, sockets, report) < 0)
		return -1;
	if (!situation->present.guard.unchanged) {
		if (goal == GOAL_INSTALL && left_out_find(&situation->host, config, &sockets->route, report) < 0)
			return -1;
		view.digest = make_wanted(situation, config, remembered, &sockets->route);
	}
	wrong = find_fast_path(situation, config, remembered, &view, sockets, report);
	if (!situation->present.guard.unchanged)
		nftables_compile(&situation->wanted.guard);
	checkpoint_make(situation->checkpoint, &situation->present.guard, view.digest, &situation->host);
	situation->planned = true;
	present = situation->present.unprivileged ? &empty : &situation->present;
	if ((goal == GOAL_INSTALL ? plan_install : plan_remove)(&situation->plan, config, &situation->wanted, present,
								report) < 0)
		return -1;
	return situation->wrong_routes ? -1 : wrong;
}

bool situation_only_begins(const struct situation *situation)
{
	return situation->plan.steps == 1 && situation->plan.step[0].kind == STEP_SESSIONS && situation->plan.problems.count == 0;
}

/* Where anything is amiss all is looked at: a table is loaded with all its sessions, and others may lack what this one does. */
int situation_read(struct situation *situation, const struct config *config, enum goal goal,
		   const struct remembered *remembered, struct sockets *sockets, struct report *report)
{
	bool partial = remembered->own != NULL;
	int result = read_once(situation, config, goal, remembered, partial, sockets, report);

	if (result < 0 || !partial || !config_is_mapped(config) || situation->plan.steps == 0 ||
	    situation_only_begins(situation))
		return result;
	situation_free(situation);
	return read_once(situation, config, goal, remembered, false, sockets, report);
}

enum goal goal_of(const struct config *config)
{
	return config_covers(config, IPV4) || config_covers(config, IPV6) ? GOAL_INSTALL : GOAL_REMOVE;
}

void situation_free(struct situation *situation)
{
	text_free(&situation->slow);
	plan_free(&situation->plan);
	present_free(&situation->present);
	wanted_free(&situation->wanted);
	exits_free(&situation->exits);
	placements_free(&situation->placements);
}

static enum change change_of(const struct situation *situation)
{
	if (situation->plan.steps == 0 || situation_only_begins(situation))
		return CHANGE_NONE;
	if (situation->goal == GOAL_REMOVE)
		return CHANGE_REMOVED;
	return situation->plan.anything_present ? CHANGE_REPAIRED : CHANGE_INSTALLED;
}

/* Somebody else has taken it away: that is to be found in the log. */
static void warn_of_repair(const struct lines *was, struct report *report)
{
	for (size_t i = 0; i < was->count && i < REPAIRS_TOLD; i++)
		report_warning(report, "repaired: %s", was->line[i]);
	if (was->count > REPAIRS_TOLD)
		report_warning(report, "repaired: %zu more differences", was->count - REPAIRS_TOLD);
}

/*
 * What is known of the kill switch behind our own transaction: where nothing but sessions changed, and nobody else came
 * between, the kernel refuses it else, that all the rest of it is as it was.
 */
static void expect(struct remembered *again, const struct situation *situation)
{
	bool sessions = false;

	for (size_t i = 0; i < situation->plan.steps; i++)
		sessions = sessions || situation->plan.step[i].kind == STEP_SESSIONS;
	again->distrusts = !sessions;
	if (!sessions)
		return;
	memcpy(again->checkpoint, situation->checkpoint, sizeof(again->checkpoint));
	checkpoint_advance(again->checkpoint);
}

/*
 * Whether the kernel has the session that begins, and nobody else changed nf_tables: then all that was seen before holds, and
 * need not be read again. 1 or 0, or -1 with the reason in @report.
 */
static int has_begun(struct situation *situation, const struct config *config, const struct remembered *again,
		     struct sockets *sockets, struct report *report)
{
	const struct view view = { .config = config, .wanted = &situation->wanted };
	struct present present = { 0 };
	struct plan plan = { 0 };
	int result = observe_sessions(&present, &view, sockets, report);

	if (result == 0) {
		plan_sessions(&plan, &situation->wanted, &present);
		result = plan.changes == 0 && plan.devices == 0 && checkpoint_is_of(again->checkpoint, &present.guard);
	}
	if (result == 1) {
		memcpy(situation->checkpoint, again->checkpoint, sizeof(situation->checkpoint));
		situation->plan.steps = 0;
	}
	plan_free(&plan);
	present_free(&present);
	return result;
}

/* Behind a change: what there is to do still. */
static int look_again(struct situation *situation, const struct config *config, const struct remembered *again,
		      struct sockets *sockets, struct report *report)
{
	const enum goal goal = situation->goal;
	int begun = 0;

	if (!again->distrusts && situation_only_begins(situation))
		begun = has_begun(situation, config, again, sockets, report);
	if (begun)
		return begun < 0 ? -1 : 0;
	situation_free(situation);
	return situation_read(situation, config, goal, again, sockets, report);
}

/* The plan's problems, which the next plan replaces. */
static struct lines take_problems(struct plan *plan)
{
	struct lines problems = plan->problems;

	plan->problems = (struct lines){ 0 };
	return problems;
}

int converge(struct situation *situation, const struct config *config, const struct remembered *remembered,
	     struct sockets *sockets, enum change *change, struct report *report)
{
	struct lines was CLEANUP(lines_free) = { 0 };
	struct remembered again = *remembered;
	int outdated = 0;

	*change = change_of(situation);
	if (situation->present.unprivileged)
		return report_error(report, EX_NOPERM, "this needs CAP_NET_ADMIN; run it as root, or give the container "
				    "NET_ADMIN");
	if (*change == CHANGE_REPAIRED)
		was = take_problems(&situation->plan);
	for (int round = 0; situation->plan.steps > 0;) {
		int result;

		if (round == ROUNDS)
			return report_error(report, EX_OSERR, "the kernel does not keep what was set: %s; is another program "
					    "changing it?", situation->plan.problems.line[0]);
		result = apply_plan(&situation->plan, outdated < OUTDATED ? situation->present.guard.generation : 0, sockets, report);
		if (result < 0)
			return -1;
		again.distrusts = true;
		if (result == APPLY_OUTDATED)
			outdated++;
		else
			round++;
		if (result == 0 && outdated < OUTDATED)
			expect(&again, situation);
		if (look_again(situation, config, &again, sockets, report) < 0)
			return -1;
	}
	warn_of_repair(&was, report);
	return 0;
}

int situation_of_placements(struct situation *situation, const struct placements *placements, const struct config *config,
			    struct sockets *sockets, struct report *report)
{
	const struct view view = { .config = config, .wanted = &situation->wanted };

	*situation = (struct situation){ .goal = GOAL_INSTALL, .partial = true };
	wanted_guard_sessions(&situation->wanted.guard, config);
	wanted_place(&situation->wanted, config, placements, true);
	if (observe_sessions(&situation->present, &view, sockets, report) < 0)
		return -1;
	plan_sessions(&situation->plan, &situation->wanted, &situation->present);
	return 0;
}

static int place_some(const struct placements *placements, const struct config *config, bool conditional,
		      char checkpoint[CHECKPOINT_TEXT], struct sockets *sockets, struct report *report)
{
	struct situation situation;
	const struct present_guard *guard = &situation.present.guard;
	int result = situation_of_placements(&situation, placements, config, sockets, report);

	if (result == 0)
		result = apply_plan(&situation.plan, conditional ? guard->generation : 0, sockets, report);
	if (result == 0 && situation.plan.steps && conditional && checkpoint_is_of(checkpoint, guard))
		checkpoint_advance(checkpoint);
	situation_free(&situation);
	return result;
}

int converge_placements(const struct placements *placements, const struct config *config, char checkpoint[CHECKPOINT_TEXT],
		       struct sockets *sockets, struct report *report)
{
	int result = APPLY_OUTDATED;

	for (int i = 0; i <= OUTDATED && result == APPLY_OUTDATED; i++)
		result = place_some(placements, config, i < OUTDATED, checkpoint, sockets, report);
	return result;
}

const char *change_text(enum change change)
{
	static const char *const names[] = { "intact", "installed", "repaired", "removed" };

	return names[change];
}

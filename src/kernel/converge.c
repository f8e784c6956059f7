/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/converge.h"
#include "kernel/apply.h"
#include "kernel/left_out.h"
#include "kernel/nftables.h"
#include "kernel/setting.h"

#include <stdio.h>
#include <sysexits.h>

#define ROUNDS 3	/* against others who change the same objects meanwhile */
#define OUTDATED 20	/* looks anew, since others changed nf_tables between look and change; then it is changed all the same */
#define REPAIRS_TOLD 10	/* one by one */

/*
 * Where the kernel has no route to a gateway, its interface is taken to be the one that it was, so that all else can be
 * compared. Where that is not known either, no rule of the kill switch is as wanted.
 */
static void name_interfaces(const struct choices *was, struct exits *exits)
{
	for (unsigned int i = 0; i < exits->count; i++) {
		struct exit *exit = &exits->exit[i];
		const struct gateway_choice *choice = choices_find(was, exit->gateway, exit->family);
		const char *name = exit->gateway->interface;

		if (exit->interface.index || exit_is_link(exit))
			continue;
		if (choice && choice->interface[0] && address_equal(&choice->address, &exit->nexthop))
			name = choice->interface;
		snprintf(exit->interface.name, IFNAMSIZ, "%s", name[0] ? name : "?");
	}
}

/* The neighbours of gateways that the configuration had before may be there. */
static bool is_thorough(const struct remembered *remembered)
{
	for (unsigned int i = 0; i < remembered->choices.count; i++) {
		const struct gateway_choice *choice = &remembered->choices.choice[i];

		if (choice->address.family &&
		    !address_equal(&choice->address, &choice->gateway->to[choice->family].address))
			return true;
	}
	return !remembered->quick;
}

static void add_formers(struct wanted *wanted, const struct choices *choices)
{
	for (unsigned int i = 0; i < choices->count; i++)
		if (choices->choice[i].address.family)
			wanted->former[wanted->formers++] = choices->choice[i].address;
}

/* What is wanted as far as it is known now; returns its digest. */
static uint64_t make_wanted(struct situation *situation, const struct config *config,
			    const struct remembered *remembered)
{
	wanted_free(&situation->wanted);
	wanted_make(&situation->wanted, config, &situation->exits, &situation->host);
	add_formers(&situation->wanted, &remembered->choices);
	return checkpoint_digest(&situation->wanted.guard);
}

int situation_read(struct situation *situation, const struct config *config, enum goal goal,
		   const struct remembered *remembered, struct sockets *sockets, struct report *report)
{
	static const struct present empty;
	const char *checkpoint = remembered->distrusts ? "" : remembered->checkpoint;
	struct exits *exits = &situation->exits;
	struct view view = {
		.config = config, .wanted = &situation->wanted, .checkpoint = checkpoint,
		.thorough = is_thorough(remembered),
	};
	const struct present *present;

	*situation = (struct situation){ .goal = goal };
	exits_make(exits, config);
	if (goal == GOAL_INSTALL)
		situation->wrong_routes = gateway_find(&sockets->route, config, remembered->move ? NULL : &remembered->choices,
						     exits, report);
	if (situation->wrong_routes)
		name_interfaces(&remembered->choices, exits);
	situation->host.ipsec = setting_ipsec();
	checkpoint_read_left_out(checkpoint, &situation->host);
	view.digest = make_wanted(situation, config, remembered);
	if (observe(&situation->present, &view, sockets, report) < 0)
		return -1;
	if (!situation->present.guard.unchanged) {
		if (goal == GOAL_INSTALL && left_out_find(&situation->host, config, &sockets->route, report) < 0)
			return -1;
		view.digest = make_wanted(situation, config, remembered);
		nftables_compile(&situation->wanted.guard);
	}
	checkpoint_make(situation->checkpoint, &situation->present.guard, view.digest, &situation->host);
	situation->planned = true;
	present = situation->present.unprivileged ? &empty : &situation->present;
	if ((goal == GOAL_INSTALL ? plan_install : plan_remove)(&situation->plan, config, &situation->wanted, present,
								report) < 0)
		return -1;
	return situation->wrong_routes ? -1 : 0;
}

enum goal goal_of(const struct config *config)
{
	return config_covers(config, IPV4) || config_covers(config, IPV6) ? GOAL_INSTALL : GOAL_REMOVE;
}

void situation_free(struct situation *situation)
{
	plan_free(&situation->plan);
	present_free(&situation->present);
	wanted_free(&situation->wanted);
}

static enum change change_of(const struct situation *situation)
{
	if (situation->plan.steps == 0)
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
	const enum goal goal = situation->goal;
	struct remembered again = *remembered;
	int outdated = 0;

	again.distrusts = true;
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
		if (result == APPLY_OUTDATED)
			outdated++;
		else
			round++;
		situation_free(situation);
		if (situation_read(situation, config, goal, &again, sockets, report) < 0)
			return -1;
	}
	warn_of_repair(&was, report);
	return 0;
}

const char *change_text(enum change change)
{
	static const char *const names[] = { "intact", "installed", "repaired", "removed" };

	return names[change];
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/converge.h"
#include "kernel/apply.h"
#include "kernel/left_out.h"
#include "kernel/nftables.h"
#include "kernel/setting.h"

#include <stdio.h>
#include <sysexits.h>

#define ROUNDS 3	/* against others who change the same objects meanwhile */

/*
 * Where the kernel knows no way to a gateway, its interface is taken to be the one that it was, so that all else can be
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

static void add_formers(struct policy *policy, const struct choices *choices)
{
	for (unsigned int i = 0; i < choices->count; i++)
		if (choices->choice[i].address.family)
			policy->former[policy->formers++] = choices->choice[i].address;
}

int situation_read(struct situation *situation, const struct config *config, enum goal goal,
		   const struct remembered *remembered, struct sockets *sockets, struct report *report)
{
	static const struct kernel empty;
	struct exits *exits = &situation->exits;
	struct host *host = &situation->host;
	struct view view = {
		.config = config, .policy = &situation->policy, .seal = remembered->seal,
		.thorough = is_thorough(remembered),
	};
	const struct kernel *kernel;
	uint64_t wanted;
	int found = 0;

	*situation = (struct situation){ 0 };
	exits_make(exits, config);
	if (goal == GOAL_INSTALL)
		found = gateway_find(&sockets->route, config, remembered->move ? NULL : &remembered->choices, exits, report);
	policy_make(&situation->policy, config, exits);
	if (found < 0)
		name_interfaces(&remembered->choices, exits);
	add_formers(&situation->policy, &remembered->choices);
	host->ipsec = setting_ipsec();
	seal_read_left_out(remembered->seal, host);
	view.wanted = wanted = seal_digest(config, exits, host);
	if (observe(&situation->kernel, &view, sockets, report) < 0)
		return -1;
	if (!situation->kernel.guard.sealed && goal == GOAL_INSTALL) {
		if (left_out_find(host, config, &sockets->route, report) < 0)
			return -1;
		wanted = seal_digest(config, exits, host);
	}
	if (!situation->kernel.guard.sealed) {
		policy_add_guard(&situation->policy, config, exits, host);
		nftables_compile(&situation->policy.guard);
	}
	seal_make(situation->seal, &situation->kernel.guard, wanted, host);
	situation->planned = true;
	kernel = situation->kernel.unprivileged ? &empty : &situation->kernel;
	if ((goal == GOAL_INSTALL ? plan_install : plan_remove)(&situation->plan, config, &situation->policy, kernel,
								report) < 0)
		return -1;
	return found;
}

enum goal goal_of(const struct config *config)
{
	return config_governs(config, IPV4) || config_governs(config, IPV6) ? GOAL_INSTALL : GOAL_REMOVE;
}

void situation_free(struct situation *situation)
{
	plan_free(&situation->plan);
	kernel_free(&situation->kernel);
	policy_free(&situation->policy);
}

static enum change change_of(const struct plan *plan, enum goal goal)
{
	if (plan->steps == 0)
		return CHANGE_NONE;
	if (goal == GOAL_REMOVE)
		return CHANGE_REMOVED;
	return plan->anything_present ? CHANGE_REPAIRED : CHANGE_INSTALLED;
}

int converge(struct situation *situation, const struct config *config, enum goal goal,
	     const struct remembered *remembered, struct sockets *sockets, enum change *change, struct report *report)
{
	struct remembered unsealed = *remembered;

	unsealed.seal[0] = '\0';
	*change = change_of(&situation->plan, goal);
	if (situation->kernel.unprivileged)
		return report_error(report, EX_NOPERM, "this needs CAP_NET_ADMIN; run it as root, or give the container "
				    "NET_ADMIN");
	for (int round = 0; situation->plan.steps > 0; round++) {
		if (round == ROUNDS)
			return report_error(report, EX_OSERR, "the kernel is not as it was told: %s; is another program "
					    "changing it?", situation->plan.problems.line[0]);
		if (apply_plan(&situation->plan, sockets, report) < 0)
			return -1;
		situation_free(situation);
		if (situation_read(situation, config, goal, &unsealed, sockets, report) < 0)
			return -1;
	}
	return 0;
}

const char *change_text(enum change change)
{
	static const char *const names[] = { "intact", "installed", "repaired", "removed" };

	return names[change];
}

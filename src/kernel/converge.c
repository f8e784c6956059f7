/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/converge.h"
#include "kernel/apply.h"
#include "kernel/left_out.h"
#include "kernel/nftables.h"
#include "kernel/setting.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ROUNDS 3	/* against others who change the same objects meanwhile */
#define REPAIRS_TOLD 10	/* one by one */

/*
 * Where the kernel knows no way to a gateway, its interface is taken to be the one that it was, so that all else can be
 * compared. Where that is not known either, no rule of the kill switch is as wanted.
 */
static void name_interfaces(const struct config *config, const struct gateway_choice was[FAMILIES],
			    struct gateway_path path[FAMILIES])
{
	for (int family = 0; family < FAMILIES; family++) {
		const char *name = was[family].interface;

		if (path[family].interface)
			continue;
		if (!name[0] || !address_equal(&was[family].address, &config->gateway[family].address))
			name = config->gateway_interface;
		snprintf(path[family].interface_name, IFNAMSIZ, "%s", name[0] ? name : "?");
	}
}

/* The neighbours of gateways that the configuration had before may be there. */
static bool is_thorough(const struct remembered *remembered, const struct config *config)
{
	for (int family = 0; family < FAMILIES; family++)
		if (remembered->gateway[family].address.family &&
		    !address_equal(&remembered->gateway[family].address, &config->gateway[family].address))
			return true;
	return !remembered->quick;
}

int situation_read(struct situation *situation, const struct config *config, enum goal goal,
		   const struct remembered *remembered, struct sockets *sockets, struct report *report)
{
	static const struct kernel empty;
	struct gateway_path path[FAMILIES];
	struct host *host = &situation->host;
	struct view view = {
		.config = config, .policy = &situation->policy, .seal = remembered->seal,
		.thorough = is_thorough(remembered, config),
	};
	const struct kernel *kernel;
	uint64_t wanted;
	int found = 0;

	*situation = (struct situation){ 0 };
	if (goal == GOAL_INSTALL)
		found = gateway_find(&sockets->route, config, remembered->move ? NULL : remembered->gateway,
				     situation->path, report);
	memcpy(path, situation->path, sizeof(path));
	policy_make(&situation->policy, config, path);
	for (int family = 0; family < FAMILIES; family++)
		situation->policy.former[family] = remembered->gateway[family].address;
	host->ipsec = setting_ipsec();
	seal_read_left_out(remembered->seal, host);
	view.wanted = wanted = seal_digest(config, path, host);
	if (observe(&situation->kernel, &view, sockets, report) < 0)
		return -1;
	if (!situation->kernel.guard.sealed && goal == GOAL_INSTALL) {
		if (left_out_find(host, config, &sockets->route, report) < 0)
			return -1;
		wanted = seal_digest(config, path, host);
	}
	if (found < 0)
		name_interfaces(config, remembered->gateway, path);
	if (!situation->kernel.guard.sealed) {
		policy_add_guard(&situation->policy, config, path, host);
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

int converge(struct situation *situation, const struct config *config, enum goal goal,
	     const struct remembered *remembered, struct sockets *sockets, enum change *change, struct report *report)
{
	struct lines was CLEANUP(lines_free) = { 0 };
	struct remembered unsealed = *remembered;

	unsealed.seal[0] = '\0';
	*change = change_of(&situation->plan, goal);
	if (situation->kernel.unprivileged)
		return report_error(report, EX_NOPERM, "this needs CAP_NET_ADMIN; run it as root, or give the container "
				    "NET_ADMIN");
	if (*change == CHANGE_REPAIRED)
		was = take_problems(&situation->plan);
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
	warn_of_repair(&was, report);
	return 0;
}

const char *change_text(enum change change)
{
	static const char *const names[] = { "intact", "installed", "repaired", "removed" };

	return names[change];
}

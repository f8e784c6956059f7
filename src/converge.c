/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "converge.h"
#include "apply.h"
#include "nftables.h"

#include <sysexits.h>

#define ROUNDS 3	/* against others who change the same objects meanwhile */

int situation_read(struct situation *situation, const struct config *config, enum goal goal,
		   const char *seal, struct sockets *sockets, struct report *report)
{
	static const struct kernel empty;
	struct gateway_path path[FAMILIES] = { 0 };
	const struct kernel *kernel;
	uint64_t wanted;
	int found = 0;

	*situation = (struct situation){ 0 };
	if (goal == GOAL_INSTALL)
		found = gateway_find(&sockets->route, config, path, report);
	policy_make(&situation->policy, config, path);
	wanted = seal_digest(config, path);
	if (observe(&situation->kernel, config, seal, wanted, sockets, report) < 0)
		return -1;
	if (!situation->kernel.guard.sealed) {
		policy_add_guard(&situation->policy, config, path);
		nftables_compile(&situation->policy.guard);
	}
	seal_make(situation->seal, &situation->kernel.guard, wanted);
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

int converge(struct situation *situation, const struct config *config, enum goal goal, struct sockets *sockets,
	     enum change *change, struct report *report)
{
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
		if (situation_read(situation, config, goal, "", sockets, report) < 0)
			return -1;
	}
	return 0;
}

const char *change_text(enum change change)
{
	static const char *const names[] = { "intact", "installed", "repaired", "removed" };

	return names[change];
}

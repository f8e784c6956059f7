/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/run.h"
#include "base/deadline.h"
#include "base/privileges.h"

static void open_log(const struct run *run, enum runner runner, enum log_level level)
{
	log_open(run->options->verbose ? LOG_LEVEL_DEBUG : level, runner == RUN_HOOK && !run->options->dry_run);
}

int run_begin(struct run *run, const struct options *options, enum runner runner)
{
	*run = (struct run){ .options = options, .state = { .directory = -1, .sessions = -1 } };
	deadline_start(runner == RUN_EXAMINE || runner == RUN_CHECK ? DEADLINE_EXAMINE_SECONDS : DEADLINE_SECONDS);
	open_log(run, runner, LOG_LEVEL_INFO);
	if (config_load(&run->config, options->config, options->ocserv_conf, &run->report) < 0)
		return -1;
	if (runner == RUN_HOOK)
		open_log(run, runner, run->config.log_level);
	/* The admin's script is root's, and gets what root has. */
	if (runner != RUN_CHECK && (runner != RUN_HOOK || !run->config.next_script))
		privileges_drop();
	return 0;
}

int run_lock(struct run *run)
{
	if (state_open(&run->state, run->config.state_dir, true, &run->report) < 0)
		return -1;
	return state_lock(&run->state, &run->report);
}

struct result run_end(struct run *run)
{
	struct result result = { .error = run->harmless ? 0 : run->report.status, .bad_news = run->bad_news };

	state_close(&run->state);
	sockets_close(&run->sockets);
	(run->shown ? report_free : report_log)(&run->report);
	config_free(&run->config);
	return result;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/run.h"
#include "base/deadline.h"
#include "base/privileges.h"
#include "diagnose/overlap.h"
#include "sessions/endings.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_LIMIT 256	/* bytes of a client's value that reach the log */

static void open_log(const struct run *run, enum runner runner, enum log_level level)
{
	log_open(run->options->verbose ? LOG_LEVEL_DEBUG : level, runner == RUN_HOOK && !run->options->dry_run);
}

/* Of all live sessions, where there are several gateways. */
static int place_all(struct placements *all, void *data, struct report *report)
{
	struct run *run = data;
	int result;

	if (run->state.sessions >= 0)
		return places_all(all, &run->config, &run->state, report);
	run_peek(run);
	/* Without a directory there was no session. */
	result = run->state.sessions >= 0 ? places_all(all, &run->config, &run->state, report) : 0;
	state_close(&run->state);
	return result;
}

int run_begin(struct run *run, const struct options *options, enum runner runner)
{
	*run = (struct run){ .options = options, .runner = runner, .state = { .directory = -1, .sessions = -1 },
			     .remembered = { .place_all = place_all, .place_data = run } };
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

int run_permits(struct run *run, const struct situation *situation, enum doer doer, const struct session *own)
{
	const struct state *state = run->state.sessions >= 0 ? &run->state : NULL;
	const struct config *config = &run->config;

	if (situation->goal == GOAL_INSTALL && overlap_refuse(config, situation, doer, &run->sockets.route, &run->report) < 0)
		return -1;
	return cover_check(config, situation, doer, state, own, &run->report);
}

struct moves {
	struct run *run;
	struct changes changes;
	struct maps_held maps;
};

/* The note stands before the kernel is changed, so that a run that is killed then leaves it to the next one. */
static void note_move(struct run *run, const struct session *session, int family, const char *from, const char *to)
{
	struct text line CLEANUP(text_free) = { 0 };
	char address[ADDRESS_TEXT];

	if (!session_address(session, family, address))
		return;
	run->moved++;
	if (endings_matter(&run->config, family))
		endings_note(NULL, &run->state, session, family, &run->report);
	text_add_pair(&line, "user", session->user, VALUE_LIMIT);
	text_add_pair(&line, "id", session->id, VALUE_LIMIT);
	text_add_pair(&line, "device", session->device, VALUE_LIMIT);
	text_add_pair(&line, family == IPV4 ? "ip4" : "ip6", address, VALUE_LIMIT);
	text_add_pair(&line, "from", from, VALUE_LIMIT);
	text_add_pair(&line, "to", to, VALUE_LIMIT);
	log_line(LOG_LEVEL_INFO, "moved %s", text_string(&line));
}

/* Another gateway than its record says, where the map tells nothing: from one gateway to several, and back. */
static void note_other_gateway(const struct moves *moves, const struct session *session)
{
	struct run *run = moves->run;
	const struct gateway *gateway = session->unread ? NULL : places_held_gateway(&moves->maps, session, &run->report);
	const char *former = session->gateway[0] ? session->gateway : config_default(&run->config)->name;

	for (int family = 0; gateway && strcmp(former, gateway->name) != 0 && family < FAMILIES; family++)
		note_move(run, session, family, former, gateway->name);
}

static bool note_moves(const struct session *session, void *data)
{
	const struct moves *moves = data;
	struct run *run = moves->run;
	size_t before = run->moved;

	for (int family = 0; family < FAMILIES; family++) {
		const struct guard_change *change = changes_find(&moves->changes, session, family);

		if (change && change->was[0] && places_has_device(&run->state, session, &run->report))
			note_move(run, session, family, places_gateway_of_chain(change->was),
				  places_gateway_of_chain(change->element.chain));
	}
	if (run->moved == before)
		note_other_gateway(moves, session);
	return true;
}

/* The records say by which gateway each session leaves, and so whether one that leaves otherwise does so by an edit. */
static bool record_move(const struct session *session, void *data)
{
	struct run *run = data;
	const struct gateway *gateway = session->unread ? NULL : places_gateway(&run->config, session, &run->report);
	struct session moved = *session;

	if (!gateway)
		return true;
	moved.gateway = config_is_mapped(&run->config) ? gateway->name : "";
	if (strcmp(session->gateway, moved.gateway) != 0)
		state_record(&run->state, &moved, &run->report);
	return true;
}

/*
 * Says who moves where, and notes whose flows are to end: where any of that fails nobody is moved, since they would go on via
 * the former gateway. A session that begins moves nobody.
 */
static int tell_moves(struct run *run, const struct situation *situation)
{
	struct moves moves = { .run = run };
	int result;

	if (situation->partial || situation->goal != GOAL_INSTALL || situation->plan.steps == 0 || situation_only_begins(situation))
		return 0;
	changes_make(&moves.changes, &situation->plan);
	result = maps_hold(&moves.maps, &run->config, &run->report);
	if (result == 0)
		result = state_visit(&run->state, false, note_moves, &moves, &run->report);
	maps_release(&moves.maps);
	changes_free(&moves.changes);
	return run->report.status ? -1 : result;
}

void run_end_moved(struct run *run)
{
	if (run->moved)
		endings_end(&run->state, &run->config, &run->report);
}

int run_apply(struct run *run, struct situation *situation, enum change *change)
{
	const struct remembered *remembered = &run->remembered;
	bool all = config_is_mapped(&run->config) && situation->goal == GOAL_INSTALL && !situation->partial;

	if (situation->goal == GOAL_REMOVE || !situation->plan.anything_present)
		state_trust(&run->state);
	/* Without a kill switch nobody leaves, and it comes first. */
	if (tell_moves(run, situation) < 0 && situation->present.guard.exists)
		return -1;
	if (converge(situation, &run->config, remembered, &run->sockets, change, &run->report) < 0 ||
	    remembered_keep(remembered, &run->config, situation, &run->state, &run->report) < 0 ||
	    (run->moved && state_visit(&run->state, false, record_move, run, &run->report) < 0) ||
	    (all && places_hold_all(&run->state, &run->report) < 0))
		return -1;
	if (*change != CHANGE_NONE)
		state_note_change(&run->state, change_text(*change));
	return 0;
}

void run_peek(struct run *run)
{
	struct report unread = { 0 };

	if (state_open(&run->state, run->config.state_dir, false, &unread) < 0)
		state_close(&run->state);
	report_free(&unread);
}

int run_look(struct run *run, struct situation *situation, enum goal goal, enum doer doer)
{
	*situation = (struct situation){ 0 };
	if (sockets_open(&run->sockets, &run->report) < 0)
		return -1;
	remembered_look(&run->remembered, &run->config);
	run->remembered.move = run->options->move;
	run_peek(run);
	run->remembered.decides = doer == BY_ADMIN;
	if (situation_read(situation, &run->config, goal, &run->remembered, &run->sockets, &run->report) < 0)
		return -1;
	return run_permits(run, situation, doer, NULL);
}

struct result run_end(struct run *run)
{
	struct result result = { .error = run->harmless ? 0 : run->report.status, .bad_news = run->bad_news };

	state_unlock(&run->state);
	if (run->runner != RUN_HOOK) {
		state_close(&run->state);
		sockets_close(&run->sockets);
	}
	remembered_free(&run->remembered);
	(run->shown ? report_free : report_log)(&run->report);
	config_free(&run->config);
	return result;
}

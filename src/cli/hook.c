/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/hook.h"
#include "base/deadline.h"
#include "base/trust.h"
#include "cli/run.h"
#include "cli/verbs.h"
#include "diagnose/advice.h"
#include "diagnose/flowtables.h"
#include "model/script.h"
#include "sessions/endings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define VALUE_LIMIT 256		/* bytes of a client's value that reach the log */
#define REASON_LIMIT 1024	/* the same of the error for which a session is refused */

/* A variable of the environment; "" where it is unset. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static struct session read_session(void)
{
	return (struct session){
		.id = variable("ID"),
		.user = variable("USERNAME"),
		.group = variable("GROUPNAME"),
		.vhost = variable("VHOST"),
		.device = variable("DEVICE"),
		.real = variable("IP_REAL"),
		.ip4 = variable("IP_REMOTE"),
		.ip6 = variable("IPV6_REMOTE"),
		.length6 = variable("IPV6_PREFIX"),
		.gateway = "",
		.since = (unsigned long long)time(NULL),
	};
}

/* An error about a variable of ocserv's; its value is shown as the log shows all of a client's. */
static int refuse_variable(struct report *report, int status, const char *name, const char *what)
{
	struct text shown CLEANUP(text_free) = { 0 };

	text_add_pair(&shown, name, variable(name), VALUE_LIMIT);
	return report_error(report, status, "%s: %s", text_string(&shown), what);
}

static int check_id(const struct session *session, struct report *report)
{
	if (session_id_valid(session->id))
		return 0;
	return refuse_variable(report, EX_USAGE, "ID", "is not a session number; is this run by ocserv?");
}

/* Of several gateways a client may send from any address of its network, so that all of it is to be covered. */
static int check_network(const struct config *config, const struct address *address, struct report *report)
{
	const struct session session = read_session();
	const struct subnets *subnets = &config->subnets[IPV6];
	uint8_t length = places_length(&session);

	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_contains(&subnets->prefix[i], address) && subnets->prefix[i].length <= length)
			return 0;
	return refuse_variable(report, EX_CONFIG, "IPV6_PREFIX", "is a network larger than [clients] subnet6, which would be this "
			       "client's alone; correct ipv6-subnet-prefix in ocserv.conf");
}

/* Whether the rules would cover the address of this family. */
static int check_address(const struct config *config, int family, const char *name, struct report *report)
{
	struct address address;

	if (!variable(name)[0])
		return 0;
	if (!address_parse_unscoped(&address, variable(name)) || address.family != family_of(family))
		return refuse_variable(report, EX_USAGE, name, "is not an address of its family");
	if (!config_covers(config, family) || config->subnets[family].count == 0)
		return 0;
	if (config_is_client(config, &address))
		return family == IPV6 && config_is_mapped(config) ? check_network(config, &address, report) : 0;
	return refuse_variable(report, EX_CONFIG, name, family == IPV4 ?
			       "is outside [clients] subnet4, so no rule would cover it; add the pool to subnet4" :
			       "is outside [clients] subnet6, so no rule would cover it; add the pool to subnet6");
}

/* By a record that is cut off a session would move to another gateway. */
static int check_names(const struct config *config, struct report *report)
{
	static const char *const names[] = { "USERNAME", "GROUPNAME", "VHOST" };

	for (size_t i = 0; config_is_mapped(config) && i < sizeof(names) / sizeof(*names); i++)
		if (strlen(variable(names[i])) > SESSION_VALUE)
			return refuse_variable(report, EX_CONFIG, names[i], "is longer than what is recorded of a session, by which "
					       "its gateway is found again");
	return 0;
}

static int check_session(const struct config *config, const struct session *session, struct report *report)
{
	if (check_id(session, report) < 0 || check_names(config, report) < 0)
		return -1;
	if (!session->ip4[0] && !session->ip6[0])
		return report_error(report, EX_USAGE, "neither IP_REMOTE nor IPV6_REMOTE is set; is this run by ocserv?");
	if (!interface_name_valid(session->device))
		return refuse_variable(report, EX_USAGE, "DEVICE", "is not the name of an interface");
	if (check_address(config, IPV4, "IP_REMOTE", report) < 0 ||
	    check_address(config, IPV6, "IPV6_REMOTE", report) < 0)
		return -1;
	if (!config_is_plain(config) && !interface_matches(&config->clients, session->device))
		return refuse_variable(report, EX_CONFIG, "DEVICE", "does not match [clients] interface, so no rule would "
				       "cover it; set that to ocserv's `device` followed by *");
	return 0;
}

/* A DNS server that is this host asks via the main route, not via the gateway. */
static void advise_dns(struct sockets *sockets, struct report *report)
{
	char *list = duplicate(variable("OCSERV_DNS")), *save = NULL;
	struct address address;

	for (char *item = strtok_r(list, " ", &save); item; item = strtok_r(NULL, " ", &save))
		if (address_parse_unscoped(&address, item) && gateway_is_local(&sockets->route, &address))
			report_warning(report, "the DNS server %s that clients get is this host: it asks via the host's own "
				       "route, not via the gateway", item);
	free(list);
}

static void join(struct text *text, const struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		text_add(text, "%s%s", i ? "; " : "", lines->line[i]);
}

/* 172.28.0.2, link:wg0, block */
static const char *gateway_text(const struct gateway *gateway, int family, char text[ADDRESS_TEXT])
{
	static const char *const names[] = {
		[GATEWAY_UNSET] = "none", [GATEWAY_BLOCK] = "block", [GATEWAY_DIRECT] = "direct",
	};
	const struct gateway_to *to = &gateway->to[family];

	if (to->mode == GATEWAY_LINK) {
		snprintf(text, ADDRESS_TEXT, "link:%s", gateway->interface);
		return text;
	}
	return to->mode == GATEWAY_ADDRESS ? address_text(&to->address, text) : names[to->mode];
}

/* The line of a session: who, where, through what. */
static void add_session(struct text *line, const struct config *config, const struct session *session)
{
	const struct gateway *gateway = config_is_mapped(config) ? config_gateway_named(config, session->gateway) :
				       config_default(config);
	char address[ADDRESS_TEXT];

	text_add_pair(line, "user", session->user, VALUE_LIMIT);
	text_add_pair(line, "group", session->group, VALUE_LIMIT);
	text_add_pair(line, "vhost", session->vhost, VALUE_LIMIT);
	text_add_pair(line, "id", session->id, VALUE_LIMIT);
	text_add_pair(line, "device", session->device, VALUE_LIMIT);
	text_add_pair(line, "real", session->real, VALUE_LIMIT);
	text_add_pair(line, "ip4", session->ip4, VALUE_LIMIT);
	text_add_pair(line, "ip6", session->ip6, VALUE_LIMIT);
	if (session->gateway[0])
		text_add_pair(line, "gateway", session->gateway, VALUE_LIMIT);
	if (!gateway)
		return;
	text_add_pair(line, session->gateway[0] ? "gateway4" : "gateway", gateway_text(gateway, IPV4, address), VALUE_LIMIT);
	text_add_pair(line, "gateway6", gateway_text(gateway, IPV6, address), VALUE_LIMIT);
}

/* Whether ocserv set it; all else of its environment is none of a script's business. */
static bool is_ocservs(const char *entry)
{
	static const char *const names[] = {
		"REASON=", "ID=", "USERNAME=", "GROUPNAME=", "VHOST=", "DEVICE=", "IP_", "IPV6_", "HOSTNAME=",
		"REMOTE_HOSTNAME=", "USER_AGENT=", "DEVICE_TYPE=", "DEVICE_PLATFORM=", "OCSERV_", "STATS_",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(entry, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* The environment of the admin's script: ocserv's variables and a PATH. */
static char **script_environment(void)
{
	size_t count = 0, kept = 0;
	char **environment;

	while (environ[count])
		count++;
	environment = allocate(count + 2, sizeof(*environment));
	for (size_t i = 0; i < count; i++)
		if (is_ocservs(environ[i]))
			environment[kept++] = environ[i];
	environment[kept] = (char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	return environment;
}

/*
 * Whether the admin's script is still nobody else's. It is the same file when it is run, or one of root's: nobody else
 * can put another in its place.
 */
static int check_next(const struct config *config, struct report *report)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	struct stat status;

	if (path_is_trusted(config->next_script, &status, &wrong))
		return 0;
	return report_error(report, EX_CONFIG, "[session] next_script %s: %s", config->next_script, text_string(&wrong));
}

/* Runs the admin's script. */
static int run_next(const struct config *config, struct report *report)
{
	char *const arguments[] = { config->next_script, NULL };
	char **environment = script_environment();
	pid_t parent = getpid(), child = fork();
	int status;

	if (child == 0) {
		/* ocserv's SIGTERM ends us; the script is not to outlive its hook. */
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent)
			execve(config->next_script, arguments, environment);
		log_line(LOG_LEVEL_ERROR, "can't run %s: %s", config->next_script, strerror(errno));
		_exit(126);
	}
	free(environment);
	if (child < 0)
		return report_error(report, EX_OSERR, "can't run %s: %s", config->next_script, strerror(errno));
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return report_error(report, EX_OSERR, "can't wait for %s: %s", config->next_script,
					    strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return report_error(report, EX_UNAVAILABLE, "[session] next_script %s: %s %d", config->next_script,
			    WIFEXITED(status) ? "exit status" : "killed by signal",
			    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* Takes an address over from who had it, or from a run for this session that was killed. */
static int take_over(const struct config *config, const struct session *session, int family, const char *address,
		     const struct state *state, struct endings *stale, struct report *report)
{
	enum holder holder = state_holder(state, session, address);
	bool others = holder == HOLDER_ENDED || holder == HOLDER_OTHER || endings_has(state, address);

	if (endings_matter(config, family) && others && endings_note(stale, state, session, family, report) < 0)
		return -1;
	return holder == HOLDER_SELF ? 0 : state_hold(state, session, address, report);
}

/* @stale: those that another client had, whose flows are to end before this one gets them */
static int take_addresses(const struct config *config, const struct session *session, const struct state *state,
			  struct endings *stale, struct report *report)
{
	char address[ADDRESS_TEXT];
	int result = 0;

	for (int family = 0; family < FAMILIES && result == 0; family++) {
		if (!session_address(session, family, address))
			continue;
		result = state_claim(state, session, address, report);
		if (result > 0)
			result = take_over(config, session, family, address, state, stale, report);
	}
	return result;
}

/* Whether the kill switch knows the tunnel of the session: one of its name may have been left out, which it is not now. */
static int check_tunnel(const struct situation *situation, const struct session *session, struct report *report)
{
	if (!host_leaves_out(&situation->host, session->device))
		return 0;
	return refuse_variable(report, EX_CONFIG, "DEVICE", "has no address within [clients] subnet4 or subnet6, so the kill "
			       "switch takes it for another program's; add the server's own address to the subnets");
}

/* Whether the gateway of the session is there; others may be missing. */
static int check_gateway(const struct situation *situation, const struct gateway *gateway, struct report *report)
{
	int result = 0;

	for (unsigned int i = 0; i < situation->exits.count; i++)
		if (situation->exits.exit[i].gateway == gateway &&
		    report_add_errors(report, &situation->exits.exit[i].missing) < 0)
			result = -1;
	return result;
}

/* Via which of several gateways the session leaves, and what it has in their maps. */
static int choose_gateway(struct run *run, struct session *session, struct placements *own, const struct gateway **gateway)
{
	const struct config *config = &run->config;
	struct report *report = &run->report;

	*gateway = config_default(config);
	if (!config_is_mapped(config))
		return 0;
	*gateway = places_check_maps(config, &run->state, false, report) < 0 ? NULL : places_gateway(config, session, report);
	if (!*gateway)
		return -1;
	session->gateway = (*gateway)->name;
	if (places_own(own, session, *gateway, &run->state, report) < 0)
		return -1;
	run->remembered.own = own;
	return places_hold_length(&run->remembered.known, session, &run->state, report);
}

static int remember(struct run *run, const struct session *session)
{
	struct remembered *remembered = &run->remembered;
	const struct state *state = &run->state;
	struct host host;

	remembered->quick = true;
	remembered->device = session->device;
	checkpoint_load(state, remembered->checkpoint);
	checkpoint_read_left_out(remembered->checkpoint, &host);
	remembered->distrusts = host_leaves_out(&host, session->device);
	return remembered_read(remembered, &run->config, state, &run->report);
}

/*
 * What is to be done before a session begins, be it done or printed; -1 where it is refused. @situation is to be freed in either
 * case, before @own.
 */
static int look(struct run *run, struct session *session, struct placements *own, struct situation *situation)
{
	const struct config *config = &run->config;
	struct report *report = &run->report;
	const struct gateway *gateway;

	*situation = (struct situation){ 0 };
	if (remember(run, session) < 0 || choose_gateway(run, session, own, &gateway) < 0 ||
	    situation_read(situation, config, goal_of(config), &run->remembered, &run->sockets, report) < 0 ||
	    (situation->goal == GOAL_INSTALL && check_tunnel(situation, session, report) < 0) ||
	    check_gateway(situation, gateway, report) < 0)
		return -1;
	return run_permits(run, situation, BY_HOOK, session);
}

/* Routing and kill switch, and the record of the session, under the lock. */
static int connect_locked(struct run *run, struct session *session, struct endings *stale, enum change *change,
			  struct text *wrong)
{
	const struct config *config = &run->config;
	struct sockets *sockets = &run->sockets;
	struct report *report = &run->report;
	struct state *state = &run->state;
	struct remembered *remembered = &run->remembered;
	struct placements own CLEANUP(placements_free) = { 0 };
	struct situation situation;
	int result = look(run, session, &own, &situation);

	if (result == 0 && config_is_mapped(config))
		result = places_hold(&own, session, false, state, report);
	if (result == 0) {
		join(wrong, &situation.plan.problems);
		result = run_apply(run, &situation, change);
	}
	if (result == 0 && situation.goal == GOAL_INSTALL && strcmp(situation.checkpoint, remembered->checkpoint) != 0)
		checkpoint_keep(state, situation.checkpoint);
	if (result == 0 && config_is_mapped(config))
		result = places_hold(&own, session, true, state, report);
	if (result == 0)
		result = take_addresses(config, session, state, stale, report);
	if (result == 0)
		result = state_record(state, session, report);
	if (result == 0 && situation.goal == GOAL_INSTALL) {
		advise(config, &situation, NULL, report);
		/* Since the table was found complete, nobody has changed nf_tables else: it was said then. */
		if (!situation.present.guard.unchanged)
			flowtables_check(config, &situation, sockets, NULL, report);
		if (config->dns == DNS_WARN)
			advise_dns(sockets, report);
	}
	situation_free(&situation);
	remembered->own = NULL;
	return result;
}

/* [log] dry_run: what would be done, in the log. */
static void log_plan(const struct config *config, const struct plan *plan)
{
	struct lines commands CLEANUP(lines_free) = { 0 };

	for (size_t i = 0; i < plan->problems.count; i++)
		log_line(LOG_LEVEL_INFO, "dry run: would repair: %s", plan->problems.line[i]);
	for (size_t i = 0; i < plan->changes; i++)
		if (!plan->change[i].told)
			script_add_change(&commands, config->killswitch_table, &plan->change[i]);
	for (size_t i = 0; i < commands.count; i++)
		log_line(LOG_LEVEL_INFO, "dry run: would do: nft %s", commands.line[i]);
}

static int connect_dry_run(struct run *run, struct session *session)
{
	struct placements own CLEANUP(placements_free) = { 0 };
	struct situation situation = { 0 };
	int result = sockets_open(&run->sockets, &run->report);

	run_peek(run);
	if (result == 0)
		result = look(run, session, &own, &situation);
	if (result == 0 && run->options->dry_run)
		print_plan(run, &situation, "connect");
	else if (result == 0)
		log_plan(&run->config, &situation.plan);
	situation_free(&situation);
	run->remembered.own = NULL;
	return result;
}

static long elapsed_us(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000000L + (now.tv_nsec - since->tv_nsec) / 1000;
}

static void log_connect(const struct config *config, const struct session *session, const char *routing,
			const struct text *wrong, const struct timespec *begun)
{
	struct text line CLEANUP(text_free) = { 0 };

	add_session(&line, config, session);
	text_add_pair(&line, "routing", routing, VALUE_LIMIT);
	if (wrong && wrong->length && strcmp(routing, "repaired") == 0)
		text_add_pair(&line, "was", text_string(wrong), 1024);
	text_add(&line, " took_us=%ld", elapsed_us(begun));
	log_line(LOG_LEVEL_INFO, "connect %s", text_string(&line));
}

/* Without a gateway all is as without this program, which an admin should know. */
static void warn_plain(const struct config *config, struct report *report)
{
	if (config_is_plain(config))
		report_warning(report, "%s", plain_text(config));
}

static int hook_connect(struct run *run, const struct timespec *begun)
{
	const struct config *config = &run->config;
	struct session session = read_session();
	struct text wrong CLEANUP(text_free) = { 0 };
	struct report *report = &run->report;
	struct endings stale CLEANUP(endings_free) = { 0 };
	enum change change;
	int result;

	warn_plain(config, report);
	if (check_session(config, &session, report) < 0)
		return -1;
	if (run->options->dry_run)
		return connect_dry_run(run, &session);
	if (config->log_dry_run) {
		/* What is found wrong is said, and the session accepted. */
		run->harmless = true;
		report_warning(report, "[log] dry_run = yes: this session is accepted without checking its kill switch");
		connect_dry_run(run, &session);
		log_connect(config, &session, "dry-run", NULL, begun);
		return 0;
	}

	result = run_lock(run);
	if (result == 0)
		result = sockets_open(&run->sockets, report);
	if (result == 0)
		result = connect_locked(run, &session, &stale, &change, &wrong);
	state_unlock(&run->state);
	/*
	 * Without the lock, since the kernel looks at all flows. They end before the session begins. A run that is killed
	 * here is refused, and the next holder finds that this one has ended.
	 */
	if (result == 0 && endings_await(&stale, &run->state, config, report) < 0) {
		state_forget(&run->state, session.id, report);
		result = -1;
	}
	run_end_moved(run);
	if (result == 0 && config->next_script) {
		deadline_stop();
		result = check_next(config, report);
		if (result == 0)
			result = run_next(config, report);
		if (result < 0)
			state_forget(&run->state, session.id, report);
	}
	if (result == 0)
		log_connect(config, &session, config_is_plain(config) ? "plain" : change_text(change), &wrong, begun);
	return result;
}

static bool note_live(const struct session *session, void *data)
{
	(void)session;
	*(bool *)data = true;
	return false;
}

/* Removes all when no session is left. What goes wrong here is said, but must not be refused: it has ended. */
static void remove_after_last(struct run *run, const struct session *session, enum change *change)
{
	const struct config *config = &run->config;
	struct sockets *sockets = &run->sockets;
	struct report *report = &run->report;
	struct state *state = &run->state;
	struct situation situation = { 0 };
	struct remembered *remembered = &run->remembered;
	char tunnel[IFNAMSIZ];
	bool any_live = false;

	if (state_visit(state, true, note_live, &any_live, report) < 0 || any_live)
		return;
	if (cover_unrecorded(config, state, session, tunnel)) {
		report_warning(report, "tunnel %s has no record in %s, so its session may still be live: nothing is removed after the "
			       "last one; run `ocserv-gateway down` if that is intended", tunnel, state->path);
		return;
	}
	state_trust(state);
	if (remembered_read(remembered, config, state, report) == 0 && sockets_open(sockets, report) == 0 &&
	    situation_read(&situation, config, GOAL_REMOVE, remembered, sockets, report) == 0 &&
	    converge(&situation, config, remembered, sockets, change, report) == 0 && *change != CHANGE_NONE)
		state_note_change(state, change_text(*change));
	situation_free(&situation);
}

static bool is_last_holder(const struct state *state, const struct session *session, const char *address)
{
	enum holder holder = state_holds(state, session, address) ? HOLDER_SELF : state_holder(state, session, address);

	return holder != HOLDER_SAME_USER && holder != HOLDER_OTHER;
}

/*
 * The flows of a session's addresses that no other live session has are to end, and then the addresses are nobody's.
 * Before its record goes: a run that is killed behind that leaves the note. Returns whether there is one.
 */
static bool release_addresses(const struct config *config, const struct session *session, const struct state *state,
			      struct report *report)
{
	char address[ADDRESS_TEXT];
	bool noted = false;

	for (int family = 0; family < FAMILIES; family++) {
		if (!session_address(session, family, address) || !is_last_holder(state, session, address))
			continue;
		if (endings_matter(config, family))
			noted = endings_note(NULL, state, session, family, report) == 0 || noted;
		else
			state_release(state, address);
	}
	return noted;
}

static void log_disconnect(const struct config *config, const struct session *session, enum change change)
{
	struct text line CLEANUP(text_free) = { 0 };

	add_session(&line, config, session);
	text_add_pair(&line, "routing", config_is_plain(config) ? "plain" :
		      change == CHANGE_NONE ? "kept" : change_text(change), VALUE_LIMIT);
	text_add_pair(&line, "duration_s", variable("STATS_DURATION"), VALUE_LIMIT);
	text_add_pair(&line, "bytes_in", variable("STATS_BYTES_IN"), VALUE_LIMIT);
	text_add_pair(&line, "bytes_out", variable("STATS_BYTES_OUT"), VALUE_LIMIT);
	log_line(LOG_LEVEL_INFO, "disconnect %s", text_string(&line));
}

/* Where the configuration has lost its gateway, what is left of it stays. */
static bool removes_after_last(const struct config *config)
{
	return config->remove_after_last && !config_is_plain(config);
}

static bool note_other(const struct session *session, void *data)
{
	const char **id = data;

	if (strcmp(session->id, *id) == 0)
		return true;
	*id = NULL;
	return false;
}

static bool is_last(const struct config *config, const char *id)
{
	const char *alone = id;	/* NULL once another live session was seen */

	state_look(config->state_dir, note_other, &alone);
	return alone;
}

/* What of the session is in the maps of several gateways, in @situation. */
static int look_at_departure(struct run *run, const struct session *session, struct situation *situation)
{
	struct placements gone CLEANUP(placements_free) = { 0 };
	struct report *report = &run->report;
	int result = 0;

	*situation = (struct situation){ 0 };
	run_peek(run);
	if (config_is_mapped(&run->config) && places_gone(&gone, session, &run->state, report)) {
		result = sockets_open(&run->sockets, report);
		if (result == 0)
			result = situation_of_placements(situation, &gone, &run->config, &run->sockets, report);
	}
	return result;
}

static int disconnect_dry_run(struct run *run, const struct session *session)
{
	const struct config *config = &run->config;
	struct situation situation;
	int result;

	if (removes_after_last(config) && is_last(config, session->id))
		return print_dry_run(run, GOAL_REMOVE, BY_REMOVAL, "disconnect of the last session");
	result = look_at_departure(run, session, &situation);
	if (result == 0 && situation.plan.steps)
		print_plan(run, &situation, "disconnect");
	else if (result == 0)
		printf("# ocserv-gateway disconnect: nothing to do, %s\n", config_is_plain(config) ? "no gateway is configured" :
		       config->remove_after_last ? "other sessions are live" : "[session] remove_after_last is no");
	situation_free(&situation);
	return result;
}

/* [log] dry_run: the same in the log. */
static void log_departure(struct run *run, const struct session *session)
{
	const struct config *config = &run->config;
	struct situation situation;

	if (removes_after_last(config) && is_last(config, session->id)) {
		log_line(LOG_LEVEL_INFO, "dry run: would remove all, as no other session is live");
		return;
	}
	if (look_at_departure(run, session, &situation) == 0)
		log_plan(config, &situation.plan);
	situation_free(&situation);
}

/* Takes the session's addresses out of the maps of several gateways, unless somebody has got its device meanwhile. */
static void depart(struct run *run, const struct session *session)
{
	struct placements gone CLEANUP(placements_free) = { 0 };
	struct remembered *remembered = &run->remembered;
	struct report *report = &run->report;

	if (!config_is_mapped(&run->config) || !places_gone(&gone, session, &run->state, report))
		return;
	checkpoint_load(&run->state, remembered->checkpoint);
	if (sockets_open(&run->sockets, report) < 0 ||
	    converge_placements(&gone, &run->config, remembered->checkpoint, &run->sockets, report) < 0)
		return;
	checkpoint_keep(&run->state, remembered->checkpoint);
	state_release_device(&run->state, session->device);
}

static int hook_disconnect(struct run *run)
{
	const struct config *config = &run->config;
	struct session session = read_session();
	char gateway[GATEWAY_NAME];
	enum change change = CHANGE_NONE;
	bool noted;
	struct report *report = &run->report;

	if (check_id(&session, report) < 0)
		return -1;
	if (run->options->dry_run)
		return disconnect_dry_run(run, &session);
	/* Whatever goes wrong, it has ended. */
	run->harmless = true;
	if (config->log_dry_run) {
		log_departure(run, &session);
	} else if (run_lock(run) == 0) {
		session.gateway = state_gateway(&run->state, session.id, gateway);
		noted = release_addresses(config, &session, &run->state, report);
		if (state_forget(&run->state, session.id, report) == 0 && removes_after_last(config))
			remove_after_last(run, &session, &change);
		if (change == CHANGE_NONE)
			depart(run, &session);
		/* Before the sockets: to close one waits until the kernel has cleared a table away. */
		state_unlock(&run->state);
		sockets_close(&run->sockets);
		/* Without the lock: with many flows the kernel needs a while to find them, and no other run has to wait. */
		if (noted || endings_any(&run->state))
			endings_end(&run->state, config, report);
	}
	log_disconnect(config, &session, change);
	if (config->next_script) {
		deadline_stop();
		if (check_next(config, report) == 0)
			run_next(config, report);
	}
	return 0;
}

static int hook_host_update(const struct config *config)
{
	struct session session = read_session();
	struct text line CLEANUP(text_free) = { 0 };

	add_session(&line, config, &session);
	text_add_pair(&line, "hostname", variable("REMOTE_HOSTNAME"), VALUE_LIMIT);
	log_line(LOG_LEVEL_INFO, "host-update %s", text_string(&line));
	return 0;
}

static int run_reason(struct run *run, const struct timespec *begun)
{
	const char *reason = variable("REASON");

	if (strcmp(reason, "connect") == 0)
		return hook_connect(run, begun);
	if (strcmp(reason, "disconnect") == 0)
		return hook_disconnect(run);
	if (strcmp(reason, "host-update") == 0)
		return hook_host_update(&run->config);
	return refuse_variable(&run->report, EX_USAGE, "REASON", "must be connect, disconnect or host-update");
}

/* Who was refused, or whose end went wrong, which errors alone do not say, and by which of them: the first. */
static void log_failure(int status, const char *reason)
{
	struct text line CLEANUP(text_free) = { 0 };
	bool refused = strcmp(variable("REASON"), "connect") == 0;

	text_add_pair(&line, "user", variable("USERNAME"), VALUE_LIMIT);
	text_add_pair(&line, "id", variable("ID"), VALUE_LIMIT);
	text_add_pair(&line, "device", variable("DEVICE"), VALUE_LIMIT);
	text_add_pair(&line, "real", variable("IP_REAL"), VALUE_LIMIT);
	text_add(&line, " status=%d", status);
	text_add_pair(&line, "reason", reason, REASON_LIMIT);
	log_line(LOG_LEVEL_ERROR, "%s %s", refused ? "session refused:" : "hook failed:", text_string(&line));
}

struct result hook_run(const struct options *options)
{
	struct timespec begun;
	struct result result;
	struct run run;
	char *reason;

	clock_gettime(CLOCK_MONOTONIC, &begun);
	signal(SIGTERM, SIG_DFL);
	if (run_begin(&run, options, RUN_HOOK) == 0)
		run_reason(&run, &begun);
	reason = run.report.errors.count ? duplicate(run.report.errors.line[0]) : NULL;
	result = run_end(&run);
	if (result.error)
		log_failure(result.error, reason);
	free(reason);
	return result;
}

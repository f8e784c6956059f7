/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/verbs.h"
#include "diagnose/flowtables.h"
#include "diagnose/others.h"
#include "diagnose/simulate.h"
#include "kernel/rtnetlink.h"
#include "model/marks.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#define COMMENT_ROOM 128	/* bytes of a rule's comment that are shown */

/* Somewhere on the internet, only looked up. */
static const char *const far_away[FAMILIES] = { [IPV4] = "1.1.1.1", [IPV6] = "2606:4700:4700::1111" };

/* A packet of a client. */
struct question {
	struct address source, destination;
	int family;		/* IPV4, IPV6; that of the destination, where a user is asked for */
	const char *name;	/* of a user; NULL where an address is asked for */
	char device[IFNAMSIZ];	/* the tunnel that it comes from */
	char *user;		/* of the live session with this address; NULL where there is none */
	bool supposed;		/* no tunnel is there: it is answered as if one was the client's */

	/* Of several gateways. */
	char *id;		/* of the session; NULL where there is none */
	struct departure departure;
	struct text line;	/* what in the configuration says where it leaves */
};

enum conclusion { TO_GATEWAY, TO_CLIENT, TO_HOST, TO_PROGRAM, DIRECT, DROPPED, LEAKS };

static const char *const fate_names[] = { "gateway", "client", "host", "program", "direct", "dropped", "leak" };

struct findings {
	const struct config *config;
	const struct situation *situation;
	const struct question *question;
	struct simulation simulation;
	enum conclusion conclusion;
	bool arrives;		/* where it should, and with the source that it should have */
	struct text verdict;
	struct lines problems;	/* what differs from the wanted state, or is in its way */
	struct report others;	/* warnings and notes about chains of others */
	struct lines unseen;
};

/* Whose packet it is */

static bool is_asked_for(const struct question *question, const struct session *session, const struct address *own)
{
	return question->name ? strcmp(session->user, question->name) == 0 : address_equal(own, &question->source);
}

static bool take_session(const struct session *session, void *data)
{
	struct question *question = data;
	struct address own;

	if (!address_parse_unscoped(&own, question->family == IPV4 ? session->ip4 : session->ip6) ||
	    !is_asked_for(question, session, &own))
		return true;
	free(question->user);
	free(question->id);
	question->user = duplicate(session->user);
	question->id = duplicate(session->id);
	question->source = own;
	snprintf(question->device, sizeof(question->device), "%s", session->device);
	return if_nametoindex(session->device) == 0;	/* a later one of a reconnect may have it */
}

struct departing {
	struct question *question;
	const struct config *config;
	const struct situation *situation;
	struct report *report;
};

static bool take_departure(const struct session *session, void *data)
{
	const struct departing *departing = data;
	struct question *question = departing->question;
	const struct who who = { session->user, session->group, session->vhost };
	struct changes changes;

	if (strcmp(session->id, question->id) != 0)
		return true;
	changes_make(&changes, &departing->situation->plan);
	places_departure(&question->departure, departing->config, session, &changes, departing->report);
	changes_free(&changes);
	config_gateway_of(departing->config, &who, &question->line, departing->report);
	return false;
}

/* Of several gateways: by which the session leaves. */
static void find_departure(const struct config *config, const struct situation *situation, struct question *question,
			   struct report *report)
{
	struct departing departing = { question, config, situation, report };

	if (question->id && config_is_mapped(config))
		state_look(config->state_dir, take_departure, &departing);
}

/* The tunnel that the address is routed to, or else any; the name of one where none is there. */
static void find_tunnel(const struct config *config, const struct roads *roads, const struct host *host,
			struct question *question)
{
	const struct address none = { .family = AF_UNSPEC };
	struct way_back back = roads_way_back(roads, &question->source, &none, 0, 0);
	struct if_nameindex *all;

	if (question->device[0] && if_nametoindex(question->device))
		return;
	question->device[0] = '\0';
	if (back.found && netlink_interface_name(roads->route, back.interface, question->device) &&
	    interface_matches(&config->clients, question->device) && !host_leaves_out(host, question->device))
		return;
	question->device[0] = '\0';
	all = if_nameindex();
	for (const struct if_nameindex *each = all; each && each->if_index; each++)
		if (!question->device[0] && interface_matches(&config->clients, each->if_name) &&
		    !host_leaves_out(host, each->if_name))
			snprintf(question->device, sizeof(question->device), "%s", each->if_name);
	if_freenameindex(all);
	question->supposed = !question->device[0];
	if (question->supposed)
		snprintf(question->device, sizeof(question->device), "%.14s%s", config->clients.name,
			 config->clients.wildcard ? "0" : "");
}

static int parse_destination(const struct options *options, struct question *question, struct report *report)
{
	const char *text = options->argument[1] ? options->argument[1] : far_away[question->family];

	if (address_parse(&question->destination, text) &&
	    (question->name || question->destination.family == question->source.family)) {
		question->family = family_index(question->destination.family);
		return 0;
	}
	return report_error(report, EX_USAGE, question->name ? "explain: '%s' is not an address" :
			    question->family == IPV4 ? "explain: '%s' is not an IPv4 address" :
			    "explain: '%s' is not an IPv6 address", text);
}

static int parse_question(const struct config *config, const struct options *options, struct question *question,
			  struct report *report)
{
	const char *whose = options->argument[0];

	if (!whose || !whose[0])
		return report_error(report, EX_USAGE, "explain: name a client's address, or a user: explain ADDRESS|USER "
				    "[DESTINATION]");
	if (!address_parse(&question->source, whose))
		question->name = whose;
	else
		question->family = family_index(question->source.family);
	if (parse_destination(options, question, report) < 0)
		return -1;
	state_look(config->state_dir, take_session, question);
	if (question->name && !question->user)
		return report_error(report, EX_USAGE, "explain: '%s' is not an address, and no user of that name has a live session "
				    "with an %s address; see ocserv-gateway status", whose, family_name(question->family));
	return 0;
}

/* The path */

/* What an error of a lookup means (ip-rule(8), ip-route(8)). */
static const char *no_way_text(const struct netlink_error *error)
{
	if (error->message[0])
		return error->message;
	switch (error->number) {
	case 0:
		return "a route denies it";
	case EACCES:
		return "a policy rule or route prohibits it";
	case EINVAL:
		return "a policy rule or route blackholes it, or its source can't come from there";
	case EXDEV:
		return "rp_filter: its source would not be answered by that tunnel";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "there is no route, or forwarding is off";
	}
	return strerror(error->number);
}

/*
 * By which it should leave: of several gateways the one that the configuration gives the session, or has given it until it
 * was edited; NULL: no session has it.
 */
static const struct gateway *gateway_of(const struct findings *findings)
{
	const struct departure *departure = &findings->question->departure;

	if (!config_is_mapped(findings->config))
		return config_default(findings->config);
	return departure->moves && departure->recorded ? config_gateway_named(findings->config, departure->now) : departure->next;
}

/* The same for this family, be it direct or block. */
static const struct gateway *wanted_of(const struct findings *findings)
{
	const struct gateway *gateway = gateway_of(findings);

	return gateway ? gateway_for(findings->config, gateway, findings->question->family) : NULL;
}

static const struct exit *exit_of(const struct findings *findings)
{
	const struct gateway *gateway = gateway_of(findings);

	return gateway ? exits_find(&findings->situation->exits, gateway, findings->question->family) : NULL;
}

/* The gateway of several that it reaches; NULL where it is none. */
static const struct exit *reached_of(const struct findings *findings)
{
	const struct exits *exits = &findings->situation->exits;
	const struct packet *packet = &findings->simulation.packet;
	unsigned int index = if_nametoindex(packet->outgoing);

	for (unsigned int i = 0; i < exits->count; i++)
		if (exits->exit[i].family == findings->question->family && exits->exit[i].interface.index == index &&
		    address_equal(&exits->exit[i].nexthop, &packet->nexthop))
			return &exits->exit[i];
	return NULL;
}

static bool is_direct(const struct findings *findings)
{
	return config_is_mapped(findings->config) ? wanted_of(findings) == &findings->config->direct :
						    !config_covers(findings->config, findings->question->family);
}

/* To a client is to an address of theirs via a tunnel of theirs; where no family is covered, via a tunnel. */
static bool is_to_client(const struct findings *findings)
{
	const struct config *config = findings->config;
	const char *interface = findings->simulation.packet.outgoing;

	return interface_matches(&config->clients, interface) && !host_leaves_out(&findings->situation->host, interface) &&
	       (!config_covers(config, findings->question->family) ||
		config_is_client(config, &findings->simulation.packet.destination));
}

static bool is_to_gateway(const struct findings *findings, const struct exit *exit)
{
	const struct packet *packet = &findings->simulation.packet;

	return if_nametoindex(packet->outgoing) == exit->interface.index && address_equal(&packet->nexthop, &exit->nexthop);
}

static bool is_ours(const struct findings *findings, const struct nftnl_chain *chain)
{
	return nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) == NFPROTO_INET &&
	       strcmp(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), findings->config->killswitch_table) == 0;
}

/* What it is dropped by, or sent away: "ip filter FORWARD, its policy". */
static void add_cause(struct text *text, const struct findings *findings, size_t index)
{
	const struct effect *effect = &findings->simulation.effect[index];
	char comment[COMMENT_ROOM];

	if (is_ours(findings, effect->chain) && effect->rule) {
		expressions_comment(effect->rule, comment, sizeof(comment));
		text_add(text, "the kill switch, chain %s: %s", nftnl_chain_get_str(effect->chain, NFTNL_CHAIN_NAME), comment);
		return;
	}
	if (others_is_ocserv(effect))
		text_add_string(text, "ocserv's own restriction of this session (restrict-user-to-routes or "
				"restrict-user-to-ports), ");
	others_chain_text(text, effect->chain);
	text_add_string(text, ", ");
	others_cause_text(text, effect, effect->chain);
}

static void judge_end(struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;
	const struct effect *effect = &simulation->effect[simulation->cause];
	struct text *verdict = &findings->verdict;

	findings->conclusion = effect->deed == DEED_SEND ? LEAKS : effect->deed == DEED_TAKE ? TO_PROGRAM : DROPPED;
	if (effect->deed == DEED_SEND)
		text_add(verdict, "LEAKS via %s, sent there by ", effect->detail[0] ? effect->detail : "another interface");
	else
		text_add_string(verdict, effect->deed == DEED_TAKE ? "answered in place of its destination by " :
				effect->deed == DEED_REJECT ? "rejected by " : "dropped by ");
	add_cause(verdict, findings, simulation->cause);
	if (effect->deed == DEED_QUEUE)
		text_add(verdict, ": %s", effect->detail);
	if (is_ours(findings, effect->chain) && is_to_client(findings) && !findings->config->client_to_client)
		text_add_string(verdict, " (client_to_client = no)");
}

/* Whether clients have, toward the gateway, the source that the configuration asks for. */
static bool has_wanted_source(const struct findings *findings, const struct exit *exit, const struct effect *source)
{
	struct address own;

	if (!gateway_masquerades(exit->gateway, exit->family) || (source && source->deed == DEED_MASQUERADE))
		return true;
	return source && source->address.family && roads_own_address(&exit->nexthop, &findings->simulation.packet.destination, exit->interface.name, &own) &&
	       address_equal(&own, &source->address);
}

static void judge_gateway(struct findings *findings, const struct exit *exit)
{
	const struct simulation *simulation = &findings->simulation;
	const struct effect *source = simulation->source == NO_EFFECT ? NULL : &simulation->effect[simulation->source];
	bool masquerades = gateway_masquerades(exit->gateway, findings->question->family);
	struct text *verdict = &findings->verdict;
	char address[ADDRESS_TEXT];

	findings->conclusion = TO_GATEWAY;
	findings->arrives = has_wanted_source(findings, exit, source);
	if (exit_is_link(exit))
		text_add(verdict, "leaves via %s", exit->text);
	else
		text_add_string(verdict, "reaches the gateway");
	if (config_is_mapped(findings->config))
		text_add(verdict, exit_is_link(exit) ? ", gateway %s" : " %s", exit->gateway->name);
	if (simulation->destination != NO_EFFECT) {
		text_add(verdict, ", but for %s, by ", address_text(&simulation->packet.destination, address));
		add_cause(verdict, findings, simulation->destination);
	}
	if (source && (source->deed == DEED_MASQUERADE || (findings->arrives && masquerades)))
		text_add(verdict, ", with this host's address on %s", simulation->packet.outgoing);
	else if (source && source->address.family)
		text_add(verdict, ", with the source %s", address_text(&source->address, address));
	else
		text_add_string(verdict, source ? ", with another source" : ", with the client's own address");
	if (findings->arrives)
		return;
	if (source) {
		text_add_string(verdict, ", by ");
		add_cause(verdict, findings, simulation->source);
	}
	text_add_string(verdict, ": it gets no answer");
	text_add_string(verdict, findings->situation->plan.intact_guard ? "" : "; run `ocserv-gateway up`");
}

/* By another client's gateway is a leak, too. */
static void add_others_gateway(struct findings *findings)
{
	const struct exit *reached = config_is_mapped(findings->config) ? reached_of(findings) : NULL;
	const struct gateway *wanted = wanted_of(findings);

	if (reached)
		text_add(&findings->verdict, " to the gateway %s%s%s", reached->gateway->name,
			 wanted ? " in place of " : "", wanted ? wanted->name : "");
}

static void judge_out(struct findings *findings)
{
	const char *interface = findings->simulation.packet.outgoing;
	const struct exit *exit = exit_of(findings);

	if (is_to_client(findings)) {
		findings->conclusion = TO_CLIENT;
		findings->arrives = true;
		text_add(&findings->verdict, "reaches a client via %s", interface);
	} else if (exit && is_to_gateway(findings, exit)) {
		judge_gateway(findings, exit);
	} else if (is_direct(findings)) {
		findings->conclusion = DIRECT;
		findings->arrives = true;
		text_add(&findings->verdict, "leaves via this host's own route, on %s", interface);
	} else {
		findings->conclusion = LEAKS;
		text_add(&findings->verdict, "LEAKS via %s", interface);
		add_others_gateway(findings);
		text_add_string(&findings->verdict, ": run `ocserv-gateway up`");
	}
}

static void judge_here(struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;
	size_t by = simulation->socket != NO_EFFECT ? simulation->socket : simulation->destination;

	findings->conclusion = by == NO_EFFECT ? TO_HOST : TO_PROGRAM;
	findings->arrives = by == NO_EFFECT;
	if (by == NO_EFFECT) {
		text_add_string(&findings->verdict, "reaches this host");
		return;
	}
	text_add(&findings->verdict, "handed to this host itself%s%s in place of its destination, by ",
		 simulation->effect[by].detail[0] ? ", " : "", simulation->effect[by].detail);
	add_cause(&findings->verdict, findings, by);
}

static void judge(struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;
	struct text *verdict = &findings->verdict;

	findings->conclusion = DROPPED;
	switch (simulation->arrival) {
	case ARRIVES_OUT:
		judge_out(findings);
		break;
	case ARRIVES_HERE:
		judge_here(findings);
		break;
	case ARRIVES_NOT:
		judge_end(findings);
		break;
	case HAS_NO_WAY:
		text_add(verdict, "dropped by routing: %s", no_way_text(&simulation->error));
		if (config_is_mapped(findings->config) && wanted_of(findings) == &findings->config->block)
			text_add_string(verdict, ", as the configuration says");
		break;
	case HAS_A_SOCKET:
		text_add_string(verdict, "dropped by the kernel: no policy rule delivers to this host what is handed to a program "
				"by ");
		add_cause(verdict, findings, simulation->socket);
		break;
	case DOES_NOT_FORWARD:
		text_add_string(verdict, "dropped by the kernel: IPv6 forwarding is off; sysctl -w net.ipv6.conf.all.forwarding=1");
		break;
	}
	if (!simulation->certain)
		text_add(verdict, simulation->open & ~OPEN_KIND ? " (or not, as said above)" :
			 " (TCP to port %u; what else is sent may not fare so, as said above)", USUAL_PORT);
}

static void find_others(struct findings *findings, struct sockets *sockets)
{
	const struct simulation *simulation = &findings->simulation;

	for (size_t i = 0; i < simulation->passages; i++)
		if (!is_ours(findings, simulation->passage[i].chain))
			others_report(findings->config, simulation, &simulation->passage[i], "this packet", &findings->others);
	if (findings->situation->goal == GOAL_INSTALL)
		flowtables_check(findings->config, findings->situation, sockets, simulation->ruleset, &findings->others);
	others_unseen(findings->config, &findings->unseen);
}

/* In words */

/* That is told as another selector, too. */
static bool is_of_mark_alone(const struct rule *rule)
{
	return rule->mask && rule->other && strncmp(rule->other, "fwmark ", 7) == 0 && !strchr(rule->other + 7, ' ');
}

static bool matches(const struct rule *rule, const struct question *question, const struct packet *packet)
{
	bool same = (!rule->source.address.family || prefix_contains(&rule->source, &question->source)) &&
		    (!rule->destination.address.family || prefix_contains(&rule->destination, &packet->destination)) &&
		    (!rule->incoming[0] || strcmp(rule->incoming, question->device) == 0) &&
		    (packet->mark & rule->mask) == rule->mark;

	return rule->family == question->source.family && (!rule->other || is_of_mark_alone(rule)) && same != rule->inverted;
}

/* Which rule the kernel asks behind the one at @index, which had no answer: a goto leads on, unless there is nothing there. */
static size_t next_asked(const struct present *present, size_t index, const struct question *question,
			 const struct packet *packet)
{
	const struct rule *rule = &present->rule[index];

	if (rule->action != FR_ACT_GOTO || !matches(rule, question, packet))
		return index + 1;
	for (size_t i = index + 1; i < present->rules; i++)
		if (present->rule[i].family == rule->family && present->rule[i].priority == rule->table)
			return i;
	return index + 1;
}

/* The first policy rule that says what the kernel said; one about more than addresses is not taken for it. */
static void add_rule(struct text *text, const struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;
	const struct present *present = &findings->situation->present;
	uint8_t action = simulation->arrival != HAS_NO_WAY || simulation->error.number == 0 ? FR_ACT_TO_TBL :
			 simulation->error.number == EACCES ? FR_ACT_PROHIBIT : FR_ACT_BLACKHOLE;

	for (size_t i = 0; i < present->rules; i = next_asked(present, i, findings->question, &simulation->packet)) {
		const struct rule *rule = &present->rule[i];

		if (rule->action != action || (action == FR_ACT_TO_TBL && rule->table != simulation->route.table) ||
		    !matches(rule, findings->question, &simulation->packet))
			continue;
		rule_add_text(text, rule);
		return;
	}
}

static bool is_routed(const struct findings *findings)
{
	return findings->simulation.packet.routed;
}

static void add_table(struct text *text, uint32_t table)
{
	if (table == RT_TABLE_MAIN)
		text_add_string(text, ", in table main");
	else if (table == RT_TABLE_LOCAL)
		text_add_string(text, ", in table local");
	else
		text_add(text, ", in table %u", table);
}

static void add_route(struct text *text, const struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;
	char address[ADDRESS_TEXT];

	if (simulation->arrival == HAS_NO_WAY) {
		text_add(text, "none: %s", no_way_text(&simulation->error));
		return;
	}
	if (simulation->packet.local)
		text_add_string(text, "this host itself");
	else if (simulation->packet.nexthop.family)
		text_add(text, "via %s on %s", address_text(&simulation->packet.nexthop, address), simulation->packet.outgoing);
	else
		text_add(text, "on %s", simulation->packet.outgoing);
	if (simulation->route.family)
		add_table(text, simulation->route.table);
}

/* What others have named may hold anything. */
static void print_printable(const char *line)
{
	struct text text CLEANUP(text_free) = { 0 };

	text_add_printable(&text, line);
	puts(text_string(&text));
}

static void print_line(const char *name, const struct text *text)
{
	if (!text->length)
		return;
	printf("%-12s ", name);
	print_printable(text_string(text));
}

static void print_way(const struct findings *findings)
{
	struct text rule CLEANUP(text_free) = { 0 }, route CLEANUP(text_free) = { 0 };

	if (!is_routed(findings))
		return;
	if (findings->simulation.route.table != RT_TABLE_LOCAL)
		add_rule(&rule, findings);
	add_route(&route, findings);
	print_line("rule", &rule);
	print_line("route", &route);
}

static void print_lines(const char *name, const struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		printf("%-12s ", name);
		print_printable(lines->line[i]);
	}
}

static void print_guard(const struct findings *findings)
{
	const struct plan *plan = &findings->situation->plan;

	if (!config_covers(findings->config, findings->question->family))
		puts("kill switch  none: the family is left alone");
	else if (plan->intact_guard)
		printf("kill switch  complete, table inet %s\n", findings->config->killswitch_table);
	else
		printf("kill switch  %s\n", findings->situation->present.guard.exists ? "DAMAGED" : "MISSING");
	print_lines("problem", &findings->problems);
}

/* Of several gateways: to which its packets are to go, and what says so. */
static void print_gateway(const struct findings *findings)
{
	const struct question *question = findings->question;
	const struct departure *departure = &question->departure;
	const struct gateway *wanted = wanted_of(findings);
	struct text line CLEANUP(text_free) = { 0 };

	if (!config_is_mapped(findings->config))
		return;
	text_add(&line, !departure->next ? "none, as no live session has this address" : "%s",
		 departure->next ? departure->next->name : "");
	if (wanted && !departure->moves && wanted != departure->next)
		text_add(&line, ", which is %s for %s", wanted->name, family_name(question->family));
	if (question->line.length)
		text_add(&line, " (%s)", text_string(&question->line));
	if (departure->moves)
		text_add(&line, "; until the next `ocserv-gateway up` %s", departure->now);
	print_line("gateway", &line);
}

/* Each time that its mark changes in our bits: by whom, and whose gateway that is. */
static void print_marks(const struct findings *findings)
{
	const struct config *config = findings->config;
	const struct simulation *simulation = &findings->simulation;
	uint32_t before = 0;

	for (size_t i = 0; i < simulation->effects && config_is_mapped(config); i++) {
		const struct effect *effect = &simulation->effect[i];
		struct text line CLEANUP(text_free) = { 0 };

		if (effect->deed != DEED_MARK || !effect->answer.usual || (effect->mark & config->mark_mask) == before)
			continue;
		before = effect->mark & config->mark_mask;
		text_add(&line, "0x%x", effect->mark);
		text_add(&line, " (%s), by ", mark_text(config, before));
		add_cause(&line, findings, i);
		print_line("mark", &line);
	}
}

/* What decides of the usual packet in a chain of ours, and where another source begins. */
static void print_guard_rule(const struct effect *effect)
{
	bool nat = effect->deed == DEED_MASQUERADE || effect->deed == DEED_SOURCE;
	const struct nftnl_rule *rule = nat ? effect->base_rule : effect->rule;
	struct text line CLEANUP(text_free) = { 0 };
	char comment[COMMENT_ROOM];

	if (!rule || !effect->answer.usual || effect->deed == DEED_MARK || effect->deed == DEED_FLOW_MARK)
		return;
	expressions_comment(rule, comment, sizeof(comment));
	text_add(&line, "%s: %s", nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN), comment);
	print_line(nat ? "NAT" : "guard rule", &line);
}

/* Of several gateways two hooks ask the chain of one. */
static bool is_told(const struct simulation *simulation, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (simulation->effect[i].rule == simulation->effect[index].rule && simulation->effect[i].answer.usual &&
		    simulation->effect[i].base_rule != simulation->effect[index].base_rule && simulation->effect[i].rule)
			return true;
	return false;
}

static void print_guard_rules(const struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;

	for (size_t i = 0; i < simulation->effects; i++)
		if (is_ours(findings, simulation->effect[i].chain) && !is_told(simulation, i))
			print_guard_rule(&simulation->effect[i]);
}

static void print_passages(const struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;

	for (size_t i = 0; i < simulation->passages; i++) {
		const struct passage *passage = &simulation->passage[i];
		struct text chain CLEANUP(text_free) = { 0 };

		text_add(&chain, "%s %d: ", simulation_hook_name(passage), passage->place.priority);
		others_chain_text(&chain, passage->chain);
		print_line("passes", &chain);
	}
}

static void print_findings(const struct findings *findings, bool verbose)
{
	const struct question *question = findings->question;
	struct text open CLEANUP(text_free) = { 0 }, from CLEANUP(text_free) = { 0 };
	char source[ADDRESS_TEXT], destination[ADDRESS_TEXT];

	text_add(&from, "%s on %s%s%s", address_text(&question->source, source), question->device,
		 question->user ? ", session of " : ", which no live session has", question->user ? question->user : "");
	print_line("from", &from);
	if (question->supposed)
		printf("session      no client is connected: as if one had this address, behind %s\n", question->device);
	printf("to           %s\n", address_text(&question->destination, destination));
	print_gateway(findings);
	print_marks(findings);
	print_way(findings);
	print_guard(findings);
	print_guard_rules(findings);
	if (verbose)
		print_passages(findings);
	print_lines("others", &findings->others.warnings);
	print_lines("others", &findings->others.notes);
	print_lines("not seen", &findings->unseen);
	if (!findings->simulation.certain)
		open_add_text(&open, findings->simulation.open);
	print_line("depends on", &open);
	print_printable(text_string(&findings->verdict));
}

/* As JSON */

static void add_json_string(struct text *json, const char *name, const char *value)
{
	text_add(json, "  \"%s\": ", name);
	text_add_json(json, value);
	text_add_string(json, ",\n");
}

/* The names and the handle of what decides; a policy has no handle. */
static void add_json_cause(struct text *json, const struct findings *findings)
{
	const struct simulation *simulation = &findings->simulation;
	size_t index = simulation->arrival == ARRIVES_NOT ? simulation->cause : simulation->socket != NO_EFFECT ?
		       simulation->socket : simulation->destination;
	const struct effect *effect = index == NO_EFFECT ? NULL : &simulation->effect[index];
	struct text chain CLEANUP(text_free) = { 0 };
	char comment[COMMENT_ROOM] = "";

	if (!effect) {
		text_add_string(json, "  \"cause\": null,\n");
		return;
	}
	others_chain_text(&chain, effect->chain);
	text_add_string(json, "  \"cause\": { \"chain\": ");
	text_add_json(json, text_string(&chain));
	if (effect->rule) {
		expressions_comment(effect->rule, comment, sizeof(comment));
		text_add(json, ", \"handle\": %llu, \"comment\": ",
			 (unsigned long long)nftnl_rule_get_u64(effect->rule, NFTNL_RULE_HANDLE));
		text_add_json(json, comment);
	} else {
		text_add_string(json, ", \"handle\": null, \"comment\": \"\"");
	}
	text_add(json, ", \"ocserv\": %s },\n", others_is_ocserv(effect) ? "true" : "false");
}

static void add_json_path(struct text *json, const struct findings *findings)
{
	static const char *const words[] = { [NO] = "passes", [MAYBE] = "may end", [YES] = "ends" };
	const struct simulation *simulation = &findings->simulation;

	text_add_string(json, "  \"path\": [");
	for (size_t i = 0; i < simulation->passages; i++) {
		const struct passage *passage = &simulation->passage[i];
		struct text chain CLEANUP(text_free) = { 0 };

		others_chain_text(&chain, passage->chain);
		text_add(json, "%s\n    { \"chain\": ", i ? "," : "");
		text_add_json(json, text_string(&chain));
		text_add(json, ", \"hook\": \"%s\", \"priority\": %d, \"result\": \"%s\" }", simulation_hook_name(passage),
			 passage->place.priority, words[passage->ended]);
	}
	text_add(json, "%s],\n", simulation->passages ? "\n  " : "");
}

/* Behind others where @follow. */
static void add_json_lines(struct text *json, const struct lines *lines, bool follow)
{
	for (size_t i = 0; i < lines->count; i++) {
		text_add(json, "%s\n    ", follow || i ? "," : "");
		text_add_json(json, lines->line[i]);
	}
}

/* Of several: as configured, what says so, and as it is now. */
static void add_json_gateway(struct text *json, const struct findings *findings)
{
	const struct question *question = findings->question;
	const struct gateway *next = question->departure.next;

	add_json_string(json, "gateway", next ? next->name : NULL);
	add_json_string(json, "gateway_line", question->line.length ? text_string(&question->line) : NULL);
	add_json_string(json, "gateway_now", next ? question->departure.now : NULL);
	text_add(json, "  \"mark\": %u,\n", findings->simulation.packet.mark);
}

static void print_json(const struct findings *findings)
{
	const struct question *question = findings->question;
	struct text json CLEANUP(text_free) = { 0 }, route CLEANUP(text_free) = { 0 }, open CLEANUP(text_free) = { 0 };
	char source[ADDRESS_TEXT], destination[ADDRESS_TEXT];

	if (is_routed(findings))
		add_route(&route, findings);
	open_add_text(&open, findings->simulation.certain ? 0 : findings->simulation.open);
	text_add_string(&json, "{\n");
	add_json_string(&json, "state", fate_names[findings->conclusion]);
	text_add(&json, "  \"arrives\": %s,\n  \"certain\": %s,\n", findings->arrives ? "true" : "false",
		 findings->simulation.certain ? "true" : "false");
	add_json_string(&json, "reason", text_string(&findings->verdict));
	add_json_string(&json, "depends_on", open.length ? text_string(&open) : NULL);
	add_json_string(&json, "source", address_text(&question->source, source));
	add_json_string(&json, "destination", address_text(&question->destination, destination));
	add_json_string(&json, "device", question->device);
	add_json_string(&json, "user", question->user);
	if (config_is_mapped(findings->config))
		add_json_gateway(&json, findings);
	text_add(&json, "  \"supposed\": %s,\n", question->supposed ? "true" : "false");
	add_json_string(&json, "route", route.length ? text_string(&route) : NULL);
	add_json_cause(&json, findings);
	add_json_path(&json, findings);
	text_add_string(&json, "  \"problems\": [");
	add_json_lines(&json, &findings->problems, false);
	text_add_string(&json, "],\n  \"others\": [");
	add_json_lines(&json, &findings->others.warnings, false);
	add_json_lines(&json, &findings->others.notes, findings->others.warnings.count > 0);
	text_add_string(&json, "],\n  \"unseen\": [");
	add_json_lines(&json, &findings->unseen, false);
	text_add_string(&json, "]\n}\n");
	fputs(text_string(&json), stdout);
}

/* Whether frames of the interface have a header of their own; those of a tunnel have none. */
static bool is_on_wire(const char *interface)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };
	bool wire;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	wire = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	if (fd >= 0)
		close(fd);
	return wire;
}

static void ask(struct findings *findings, const struct ruleset *ruleset, struct sockets *sockets)
{
	const struct question *question = findings->question;
	struct simulation *simulation = &findings->simulation;
	struct packet *packet = &simulation->packet;

	simulation->ruleset = ruleset;
	simulation->roads = (struct roads){ &sockets->route, &findings->situation->present };
	packet->family = question->family;
	packet->source = question->source;
	packet->destination = question->destination;
	snprintf(packet->incoming, sizeof(packet->incoming), "%s", question->device);
	packet->on_wire = is_on_wire(question->device);
	if (question->supposed) {
		packet->assumed = question->source;
		memcpy(packet->assumed_tunnel, packet->incoming, sizeof(packet->assumed_tunnel));
	}
	simulate(simulation);
}

static bool can_ask(const struct netlink_error *error)
{
	return error->number != EPERM && error->number != ETIMEDOUT && error->number != EOPNOTSUPP;
}

static void explain_packet(struct findings *findings, struct run *run)
{
	struct ruleset ruleset;
	int result = others_read(&ruleset, &run->sockets.nft, &run->report);

	if (result == 0) {
		ask(findings, &ruleset, &run->sockets);
		if (findings->simulation.arrival == HAS_NO_WAY && !can_ask(&findings->simulation.error))
			result = report_error(&run->report, netlink_error_status(&findings->simulation.error),
					      "looking up the route: %s", netlink_error_text(&findings->simulation.error));
	}
	if (result == 0) {
		find_others(findings, &run->sockets);
		judge(findings);
		run->bad_news = !findings->arrives;
		if (run->options->json)
			print_json(findings);
		else
			print_findings(findings, run->options->verbose);
	}
	simulation_free(&findings->simulation);
	ruleset_free(&ruleset);
}

static void explain(struct run *run, struct question *question)
{
	const struct config *config = &run->config;
	struct sockets *sockets = &run->sockets;
	struct report *report = &run->report;
	struct situation situation = { 0 };
	struct findings findings = { .config = config, .situation = &situation, .question = question };
	struct roads roads = { &sockets->route, &situation.present };
	struct report wrong = { 0 };

	remembered_look(&run->remembered, config);
	situation_read(&situation, config, goal_of(config), &run->remembered, sockets, &wrong);
	/* A packet has its path even where we can't make it the wanted one. */
	for (size_t i = 0; i < situation.plan.problems.count; i++)
		lines_add(&findings.problems, "%s", situation.plan.problems.line[i]);
	for (size_t i = 0; !situation.planned && i < wrong.errors.count; i++)
		report_error(report, wrong.status, "%s", wrong.errors.line[i]);
	report_take_errors(&wrong, &findings.problems);
	if (situation.planned && situation.present.unprivileged) {
		report_error(report, EX_NOPERM, "reading the kill switch needs CAP_NET_ADMIN; run it as root");
	} else if (situation.planned) {
		find_departure(config, &situation, question, report);
		find_tunnel(config, &roads, &situation.host, question);
		explain_packet(&findings, run);
	}
	report_free(&wrong);
	text_free(&findings.verdict);
	lines_free(&findings.problems);
	report_free(&findings.others);
	lines_free(&findings.unseen);
	situation_free(&situation);
}

struct result verb_explain(const struct options *options)
{
	struct question question = { 0 };
	struct run run;

	if (run_begin(&run, options, RUN_EXAMINE) == 0 &&
	    parse_question(&run.config, options, &question, &run.report) == 0 && sockets_open(&run.sockets, &run.report) == 0)
		explain(&run, &question);
	fflush(stdout);
	free(question.user);
	free(question.id);
	text_free(&question.line);
	return run_end(&run);
}

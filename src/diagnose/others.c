/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/others.h"
#include "diagnose/flowtables.h"
#include "model/guard.h"
#include "model/marks.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#define COMMENT_ROOM 80		/* bytes of a comment that are shown */

const char *others_family_word(uint32_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_NETDEV:
		return "netdev";
	}
	return "inet";
}

void others_chain_text(struct text *text, const struct nftnl_chain *chain)
{
	text_add(text, "%s %s %s", others_family_word(nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY)),
		 nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE), nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
}

/* As nft(8) writes it without quotes; others may hold anything, also what a shell would run. */
static bool is_identifier(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789./-";

	return strspn(name, letters) == strlen(name) && strcspn(name, "0123456789./-") > 0;
}

static bool has_plain_names(const struct nftnl_chain *chain)
{
	return is_identifier(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE)) &&
	       is_identifier(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
}

void others_look_text(struct text *text, const struct nftnl_chain *chain)
{
	text_add_string(text, has_plain_names(chain) ? "nft -a list chain " : "nft -a list ruleset");
	if (has_plain_names(chain))
		others_chain_text(text, chain);
}

void others_cause_text(struct text *text, const struct effect *effect, const struct nftnl_chain *base)
{
	char comment[COMMENT_ROOM];

	if (!effect->rule) {
		text_add_string(text, "its policy");
		return;
	}
	text_add(text, "its rule with handle %llu", (unsigned long long)nftnl_rule_get_u64(effect->rule, NFTNL_RULE_HANDLE));
	if (effect->chain != base)
		text_add(text, " in chain %s", nftnl_chain_get_str(effect->chain, NFTNL_CHAIN_NAME));
	expressions_comment(effect->rule, comment, sizeof(comment));
	if (comment[0])
		text_add(text, " (%s)", comment);
}

/* Its firewall script makes a table for each session, or rules of iptables that all bear its name as a comment. */
bool others_is_ocserv(const struct effect *effect)
{
	char comment[COMMENT_ROOM] = "";

	if (effect->rule)
		expressions_comment(effect->rule, comment, sizeof(comment));
	return strcmp(comment, "ocserv-fw") == 0 ||
	       (strncmp(nftnl_chain_get_str(effect->chain, NFTNL_CHAIN_TABLE), "ocserv_", 7) == 0 &&
		strcmp(nftnl_chain_get_str(effect->chain, NFTNL_CHAIN_NAME), "ocserv_fwd") == 0);
}

/* How to let the packet through a chain of the forward hook; another is to be looked at first. */
static void add_remedy(struct text *text, const struct config *config, const struct simulation *simulation,
		       const struct passage *passage, const char *chain)
{
	const bool answer = simulation->packet.reply;
	char pattern[IFNAMSIZ + 1];

	if (passage->cause != NO_EFFECT && others_is_ocserv(&simulation->effect[passage->cause]))
		text_add_string(text, "ocserv has made it for this session (restrict-user-to-routes or restrict-user-to-ports "
				"in ocserv.conf)");
	else if (passage->place.hook == NF_INET_FORWARD && has_plain_names(passage->chain))
		text_add(text, "nft 'insert rule %s %s \"%s\"%s accept'", chain, answer ? "oifname" : "iifname",
			 interface_pattern_text(&config->clients, pattern), answer ? " ct state established,related" : "");
	else {
		text_add_string(text, "see ");
		others_look_text(text, passage->chain);
	}
}

static const char *ending(const struct effect *effect)
{
	return effect->deed == DEED_SEND ? "sends away" : effect->deed == DEED_TAKE ? "answers" : "drops";
}

/* What ends the path of each such packet, where @passage has ended, and otherwise perhaps that of some. */
static void add_end(struct text *wrong, const struct config *config, const struct simulation *simulation,
		    const struct passage *passage, const char *what)
{
	struct text name CLEANUP(text_free) = { 0 }, cause CLEANUP(text_free) = { 0 }, remedy CLEANUP(text_free) = { 0 };
	const struct effect *effect = &simulation->effect[passage->cause];
	struct text open CLEANUP(text_free) = { 0 };

	others_chain_text(&name, passage->chain);
	others_cause_text(&cause, effect, passage->chain);
	if (effect->detail[0])
		text_add(&cause, ", %s", effect->detail);
	add_remedy(&remedy, config, simulation, passage, text_string(&name));
	if (passage->ended == YES) {
		text_add(wrong, "the nft chain `%s` %s %s, by %s; %s", text_string(&name), ending(effect), what,
			 text_string(&cause), text_string(&remedy));
		return;
	}
	open_add_text(&open, effect->answer.open ? effect->answer.open : (uint32_t)OPEN_KIND);
	text_add(wrong, "the nft chain `%s` may %s some of %s, by %s; that depends on %s; if it does: %s", text_string(&name),
		 effect->deed == DEED_SEND ? "send away" : effect->deed == DEED_TAKE ? "answer" : "drop", what,
		 text_string(&cause), text_string(&open), text_string(&remedy));
}

static void report_end(const struct config *config, const struct simulation *simulation, const struct passage *passage,
		       const char *what, struct report *report)
{
	struct text end CLEANUP(text_free) = { 0 };

	add_end(&end, config, simulation, passage, what);
	(passage->ended == YES ? report_warning : report_note)(report, "%s", text_string(&end));
}

static bool rewrites(const struct effect *effect)
{
	return effect->deed >= DEED_DESTINATION && effect->deed <= DEED_SOCKET;
}

/* The usual packet's first. */
static const struct effect *find_rewriting(const struct simulation *simulation, const struct passage *passage)
{
	const struct effect *found = NULL;

	for (size_t i = passage->first; i < passage->first + passage->effects; i++) {
		const struct effect *effect = &simulation->effect[i];

		if (rewrites(effect) && (!found || (effect->answer.usual && !found->answer.usual)))
			found = effect;
	}
	return found;
}

static const char *rewriting(const struct effect *effect)
{
	return effect->deed == DEED_REDIRECT || effect->deed == DEED_SOCKET ?
	       "so that a program of this host gets them in place of their destination" :
	       "so that they reach another host, or the gateway from another address";
}

static void report_rewriting(const struct simulation *simulation, const struct passage *passage, const char *what,
			     struct report *report)
{
	struct text name CLEANUP(text_free) = { 0 }, cause CLEANUP(text_free) = { 0 }, look CLEANUP(text_free) = { 0 };
	const struct effect *effect = find_rewriting(simulation, passage);

	if (!effect)
		return;
	others_chain_text(&name, passage->chain);
	others_cause_text(&cause, effect, passage->chain);
	others_look_text(&look, passage->chain);
	if (effect->detail[0])
		text_add(&cause, ", to %s", effect->detail);
	if (passage->rewritten == YES)
		report_warning(report, "the nft chain `%s` rewrites %s, by %s, %s; see %s", text_string(&name),
			       what, text_string(&cause), rewriting(effect), text_string(&look));
	else
		report_note(report, "the nft chain `%s` may rewrite some of %s, by %s, %s; see %s",
			    text_string(&name), what, text_string(&cause), rewriting(effect), text_string(&look));
}

static void report_copy(const struct simulation *simulation, const struct passage *passage, const char *what,
			struct report *report)
{
	struct text name CLEANUP(text_free) = { 0 }, cause CLEANUP(text_free) = { 0 }, look CLEANUP(text_free) = { 0 };
	const struct effect *effect = simulation_find(simulation, passage, DEED_COPY);

	if (!effect)
		return;
	others_chain_text(&name, passage->chain);
	others_cause_text(&cause, effect, passage->chain);
	others_look_text(&look, passage->chain);
	report_warning(report, "the nft chain `%s` %s %s to %s, by %s: whoever gets the copies can read what clients send; see "
		       "%s", text_string(&name),
		       effect->answer.truth == YES ? "copies" : "may copy some of", what,
		       effect->detail[0] ? effect->detail : "another host", text_string(&cause), text_string(&look));
}

static void report_cut_off(const struct passage *passage, const char *what, struct report *report)
{
	struct text name CLEANUP(text_free) = { 0 };

	others_chain_text(&name, passage->chain);
	report_note(report, "the nft chain `%s` leads %s through more rules and set elements than are examined: what the rest of "
		    "them do is not known", text_string(&name), what);
}

void others_report(const struct config *config, const struct simulation *simulation, const struct passage *passage,
		    const char *what, struct report *report)
{
	if (passage->cut_off)
		report_cut_off(passage, what, report);
	if (passage->cause != NO_EFFECT)
		report_end(config, simulation, passage, what, report);
	else
		report_rewriting(simulation, passage, what, report);
	report_copy(simulation, passage, what, report);
}

/* What can't be seen */

static void add_tables(const struct config *config, int family, const char *path, struct lines *unseen)
{
	struct text tables CLEANUP(text_free) = { 0 };
	const char *tool = family == IPV4 ? "iptables" : "ip6tables";
	FILE *file = fopen(path, "re");
	char line[64];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		text_add(&tables, "%s%s", tables.length ? ", " : "", line);
	}
	if (file)
		fclose(file);
	if (tables.length && config_covers(config, family))
		lines_add(unseen, "%s has legacy tables (%s), which can't be read from here: what their rules do to "
			  "clients' packets is not known; %s-legacy-save", tool, text_string(&tables), tool);
}

void others_unseen(const struct config *config, struct lines *unseen)
{
	add_tables(config, IPV4, "/proc/net/ip_tables_names", unseen);
	add_tables(config, IPV6, "/proc/net/ip6_tables_names", unseen);
}

/* A client's packets */

void others_make_packet(struct packet *packet, const struct address *client, const char *tunnel,
			 const struct address *destination, const char *outgoing, const struct address *nexthop)
{
	*packet = (struct packet){
		.family = family_index(client->family), .source = *client, .destination = *destination,
		.nexthop = *nexthop, .assumed = *client,
	};
	snprintf(packet->incoming, IFNAMSIZ, "%s", tunnel);
	snprintf(packet->outgoing, IFNAMSIZ, "%s", outgoing);
	memcpy(packet->assumed_tunnel, packet->incoming, IFNAMSIZ);
}

void others_make_answer(struct packet *answer, const struct packet *packet, bool masquerade)
{
	struct address own;

	*answer = (struct packet){
		.family = packet->family, .reply = true, .on_wire = true, .source = packet->destination,
		.destination = packet->source, .first_source = packet->source, .first_destination = packet->destination,
		.flow_mark_open = OPEN_FLOW, .assumed = packet->assumed,
	};
	memcpy(answer->incoming, packet->outgoing, IFNAMSIZ);
	memcpy(answer->outgoing, packet->incoming, IFNAMSIZ);
	memcpy(answer->assumed_tunnel, packet->incoming, IFNAMSIZ);
	if (masquerade && roads_own_address(&packet->nexthop, &packet->destination, packet->outgoing, &own)) {
		answer->behind_nat = answer->destination;
		answer->destination = own;
	}
}

/* What ocserv itself has made confines one session; others go on. */
static const struct passage *find_end(const struct simulation *simulation)
{
	for (size_t i = 0; i < simulation->passages; i++) {
		const struct passage *passage = &simulation->passage[i];

		if (passage->ended == YES && passage->cause != NO_EFFECT &&
		    !others_is_ocserv(&simulation->effect[passage->cause]))
			return passage;
	}
	return NULL;
}

bool others_drops(const struct config *config, const struct ruleset *ruleset, const struct roads *roads,
		   const struct packet *packet, bool ours, struct text *by)
{
	struct simulation simulation = {
		.ruleset = ruleset, .roads = *roads, .packet = *packet,
		.left_out = ours ? NULL : config->killswitch_table,
		.left_source_nat = !ours && config_masquerades(config, packet->family),
	};
	const struct passage *passage;

	simulate(&simulation);
	passage = find_end(&simulation);
	if (passage)
		add_end(by, config, &simulation, passage, packet->reply ? "the answers to clients" : "what clients send");
	simulation_free(&simulation);
	return passage;
}

/* Marks */

#define OUR_MARKING (-450)	/* the priorities of our chains by which packets get their marks */
#define OUR_MARKING_AGAIN (-10)

/* What is marked before we do is marked anew. */
static bool is_marked_anew(const struct passage *passage)
{
	return (passage->place.hook == NF_INET_PRE_ROUTING && passage->place.priority <= OUR_MARKING) ||
	       (passage->place.hook == NF_INET_FORWARD && passage->place.priority < OUR_MARKING_AGAIN) ||
	       passage->place.hook > NF_INET_POST_ROUTING;
}

static bool changes_mark(const struct config *config, const struct effect *effect, uint32_t mark)
{
	return (effect->deed == DEED_MARK || effect->deed == DEED_FLOW_MARK) && effect->answer.usual &&
	       ((effect->mark ^ mark) & config->mark_mask) != 0;
}

static const struct effect *find_mark(const struct config *config, const struct simulation *simulation, uint32_t mark,
				      const struct passage **where)
{
	for (size_t i = 0; i < simulation->passages; i++) {
		const struct passage *passage = &simulation->passage[i];

		*where = passage;
		for (size_t j = passage->first; j < passage->first + passage->effects && !is_marked_anew(passage); j++)
			if (changes_mark(config, &simulation->effect[j], mark))
				return &simulation->effect[j];
	}
	return NULL;
}

static void add_marking(struct text *by, const struct config *config, const struct passage *passage,
			const struct effect *effect)
{
	struct text name CLEANUP(text_free) = { 0 }, cause CLEANUP(text_free) = { 0 }, look CLEANUP(text_free) = { 0 };

	others_chain_text(&name, passage->chain);
	others_cause_text(&cause, effect, passage->chain);
	others_look_text(&look, passage->chain);
	text_add(by, "the nft chain `%s` changes the mark of %s in bits of [gateway] mark_mask (0x%x), by which they are "
		 "known for their gateway, by %s: %s; choose other bits there or for mark_mask; see %s", text_string(&name),
		 effect->deed == DEED_MARK ? "what clients send" : "clients' flows", config->mark_mask, text_string(&cause),
		 effect->deed == DEED_MARK ? "it goes nowhere" : "where rp_filter is on, replies are dropped", text_string(&look));
}

bool others_marks(const struct config *config, const struct ruleset *ruleset, const struct roads *roads,
		  const struct packet *packet, struct text *by)
{
	struct simulation simulation = {
		.ruleset = ruleset, .roads = *roads, .packet = *packet, .every_chain = true,
		.left_out = config->killswitch_table, .left_source_nat = true,
	};
	const struct passage *passage;
	const struct effect *effect;

	simulate(&simulation);
	effect = find_mark(config, &simulation, packet->mark, &passage);
	if (effect)
		add_marking(by, config, passage, effect);
	simulation_free(&simulation);
	return effect;
}

/* check */

/* An address of the clients. */
static void make_address(const struct config *config, int family, struct address *address)
{
	const struct subnets *subnets = &config->subnets[family];

	*address = subnets->count ? subnets->prefix[0].address : (struct address){ .family = family_of(family) };
	if (subnets->count && subnets->prefix[0].length + 2U <= address_size(address->family) * 8)
		address->bytes[address_size(address->family) - 1] |= 2;
}

/* A tunnel that none may be named after. */
static void make_tunnel(const struct config *config, char tunnel[IFNAMSIZ])
{
	if (config->clients.wildcard)
		snprintf(tunnel, IFNAMSIZ, "%.12s999", config->clients.name);
	else
		snprintf(tunnel, IFNAMSIZ, "%s", config->clients.name);
}

void others_suppose(const struct config *config, const struct exit *exit, const char *tunnel, struct packet *packet,
		    struct packet *answer)
{
	struct address client, far;
	char invented[IFNAMSIZ];

	/* Some host that everybody may reach. */
	address_parse(&far, exit->family == IPV4 ? "1.1.1.1" : "2606:4700:4700::1111");
	make_address(config, exit->family, &client);
	make_tunnel(config, invented);
	others_make_packet(packet, &client, tunnel ? tunnel : invented, &far, exit->interface.name, &exit->nexthop);
	others_make_answer(answer, packet, gateway_masquerades(exit->gateway, exit->family));
}

struct check {
	const struct config *config;
	const struct ruleset *ruleset;
	struct roads roads;
	struct report *report;
};

static void check_packet(const struct check *check, const struct packet *packet, const char *what)
{
	struct simulation simulation = {
		.ruleset = check->ruleset, .roads = check->roads, .packet = *packet, .every_chain = true,
		/* Addresses are rewritten once, with a flow's first packet; ours may be the same as those of others. */
		.left_out = check->config->killswitch_table, .left_source_nat = config_masquerades(check->config, packet->family),
	};

	simulate(&simulation);
	for (size_t i = 0; i < simulation.passages; i++)
		others_report(check->config, &simulation, &simulation.passage[i], what, check->report);
	simulation_free(&simulation);
}

/* The same sentence for several gateways is told once. */
static void check_marks(const struct check *check, const struct packet *packet, const struct exit *exit)
{
	struct packet marked = *packet;
	struct text by CLEANUP(text_free) = { 0 };

	if (!config_is_mapped(check->config))
		return;
	marked.mark = marked.flow_mark = mark_of(check->config, exit->gateway);
	if (others_marks(check->config, check->ruleset, &check->roads, &marked, &by))
		report_warning(check->report, "%s", text_string(&by));
}

static void check_exit(const struct check *check, const struct exit *exit)
{
	struct packet packet, answer;

	others_suppose(check->config, exit, NULL, &packet, &answer);
	check_packet(check, &packet, "what clients send");
	check_marks(check, &packet, exit);
	check_packet(check, &answer, "the answers to clients");
}

int others_read(struct ruleset *ruleset, struct netlink *nft, struct report *report)
{
	struct netlink_error error;

	if (ruleset_read(ruleset, nft, &error) == 0)
		return 0;
	return report_error(report, netlink_error_status(&error), "can't read the nft chains of others: %s",
			    netlink_error_text(&error));
}

void others_check(const struct config *config, const struct situation *situation, struct sockets *sockets,
		   struct report *report)
{
	struct lines unseen CLEANUP(lines_free) = { 0 };
	struct ruleset ruleset;
	const struct check check = {
		.config = config, .ruleset = &ruleset, .report = report,
		.roads = { &sockets->route, &situation->present },
	};

	if (others_read(&ruleset, &sockets->nft, report) == 0) {
		for (unsigned int i = 0; i < situation->exits.count; i++)
			check_exit(&check, &situation->exits.exit[i]);
		flowtables_check(config, situation, sockets, &ruleset, report);
	}
	ruleset_free(&ruleset);
	others_unseen(config, &unseen);
	for (size_t i = 0; i < unseen.count; i++)
		report_note(report, "%s", unseen.line[i]);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef OTHERS_H
#define OTHERS_H

#include "config/config.h"
#include "diagnose/simulate.h"
#include "kernel/converge.h"

/*
 * others_check - what nft chains of others, and the kernel's check of sources, do to clients' packets
 * @situation: with the routes to the gateways, and all policy rules
 *
 * A client's packet to the internet and its answer go through each chain where they pass. What drops, rewrites or copies
 * all such packets is a warning in @report; what depends on things that are left open here, such as ports, is a note.
 */
void others_check(const struct config *config, const struct situation *situation, struct sockets *sockets,
		   struct report *report);

/*
 * others_make_packet, others_make_answer - a packet that a client sends, and the answer to it
 * @nexthop: that it leaves via; AF_UNSPEC: not known
 */
void others_make_packet(struct packet *packet, const struct address *client, const char *tunnel,
			 const struct address *destination, const char *outgoing, const struct address *nexthop);
void others_make_answer(struct packet *answer, const struct packet *packet, bool masquerade);

/*
 * others_suppose - a packet of a client that leaves via @exit, to some host, and the answer to it
 * @tunnel: that it comes in on; NULL for one that does not exist
 */
void others_suppose(const struct config *config, const struct exit *exit, const char *tunnel, struct packet *packet,
		    struct packet *answer);

/*
 * others_drops - whether nft chains of others surely end the path of each such packet, and with @ours those of our table, too
 * @by: a sentence that says which
 */
bool others_drops(const struct config *config, const struct ruleset *ruleset, const struct roads *roads,
		   const struct packet *packet, bool ours, struct text *by);

/*
 * others_marks - whether an nft chain of others changes the mark of such a packet in our bits, where that leads it elsewhere
 * @packet: of several gateways a client's, with the mark that our kill switch gives it
 * @by: a sentence that says which
 */
bool others_marks(const struct config *config, const struct ruleset *ruleset, const struct roads *roads,
		  const struct packet *packet, struct text *by);

/* others_report - the same of one passage of a packet, which is @what in words */
void others_report(const struct config *config, const struct simulation *simulation, const struct passage *passage,
		    const char *what, struct report *report);

/* others_unseen - a sentence for each kind of rules of this host that can't be looked at */
void others_unseen(const struct config *config, struct lines *unseen);

/* others_family_word - NFPROTO_INET, ... as nft(8) writes it */
const char *others_family_word(uint32_t family);

/* others_look_text - the command that shows a chain with the handles of its rules */
void others_look_text(struct text *text, const struct nftnl_chain *chain);

/* others_chain_text - such as `inet filter forward` */
void others_chain_text(struct text *text, const struct nftnl_chain *chain);

/* others_cause_text - what of its chain it is: its policy, or which rule; @base: the chain that the reader knows of */
void others_cause_text(struct text *text, const struct effect *effect, const struct nftnl_chain *base);

/* others_is_ocserv - whether ocserv itself has made the rule, to confine a session to its routes or ports */
bool others_is_ocserv(const struct effect *effect);

/* others_read - all nft tables; -1 with the reason in @report. ruleset_free() in either case. */
int others_read(struct ruleset *ruleset, struct netlink *nft, struct report *report);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "config/config.h"
#include "diagnose/simulate.h"
#include "kernel/converge.h"

/*
 * foreign_check - what nft chains of others, and the kernel's check of sources, do to clients' packets
 * @situation: with the routes to the gateways, and all policy rules
 *
 * A client's packet to the internet and its answer go through each chain where they pass. What drops, rewrites or copies
 * all such packets is a warning in @report; what depends on things that are left open here, such as ports, is a note.
 */
void foreign_check(const struct config *config, const struct situation *situation, struct sockets *sockets,
		   struct report *report);

/*
 * foreign_make_packet, foreign_make_answer - a packet that a client sends, and the answer to it
 * @nexthop: that it leaves by; AF_UNSPEC: not known
 */
void foreign_make_packet(struct packet *packet, const struct address *client, const char *tunnel,
			 const struct address *destination, const char *outgoing, const struct address *nexthop);
void foreign_make_answer(struct packet *answer, const struct packet *packet, bool masquerade);

/*
 * foreign_drops - whether nft chains of others surely end the way of each such packet, and with @ours those of our table, too
 * @by: a sentence that says which
 */
bool foreign_drops(const struct config *config, const struct ruleset *ruleset, const struct roads *roads,
		   const struct packet *packet, bool ours, struct text *by);

/* foreign_report - the same of one passage of a packet, which is @what in words */
void foreign_report(const struct config *config, const struct simulation *simulation, const struct passage *passage,
		    const char *what, struct report *report);

/* foreign_unseen - a sentence for each kind of rules of this host that can't be looked at */
void foreign_unseen(const struct config *config, struct lines *unseen);

/* foreign_chain_text - such as `inet filter forward` */
void foreign_chain_text(struct text *text, const struct nftnl_chain *chain);

/* foreign_cause_text - what of its chain it is: its policy, or which rule; @base: the chain that the reader knows of */
void foreign_cause_text(struct text *text, const struct effect *effect, const struct nftnl_chain *base);

/* foreign_is_ocserv - whether ocserv itself has made the rule, to confine a session to its routes or ports */
bool foreign_is_ocserv(const struct effect *effect);

/* foreign_read - all nft tables; -1 with the reason in @report. ruleset_free() in either case. */
int foreign_read(struct ruleset *ruleset, struct netlink *nft, struct report *report);

#endif

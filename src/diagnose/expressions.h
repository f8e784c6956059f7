/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXPRESSIONS_H
#define EXPRESSIONS_H

#include "diagnose/elements.h"
#include "diagnose/packet.h"
#include "diagnose/roads.h"
#include "diagnose/ruleset.h"

#include <libnftnl/expr.h>

/* What one expression of a rule does: whether the rule goes on behind it, and what becomes of the packet. */

enum deed {
	DEED_NONE,
	DEED_VERDICT,		/* one of `outcome` */
	DEED_REJECT,
	DEED_QUEUE,		/* a program decides; or none is there, see `detail` */
	DEED_DESTINATION,	/* another one: `address`, where it is known */
	DEED_REDIRECT,		/* to this host itself */
	DEED_SOURCE,		/* another one, the same */
	DEED_MASQUERADE,	/* the source is an address of this host */
	DEED_SOCKET,		/* a socket of this host gets it, if it is routed there (TPROXY) */
	DEED_COPY,		/* goes on, and a copy goes elsewhere */
	DEED_SEND,		/* leaves via another interface, past all that follows */
	DEED_TAKE,		/* this host answers in place of the destination (synproxy) */
	DEED_MARK,		/* gets `mark` */
	DEED_FLOW_MARK,
	DEED_OFFLOAD,		/* its flow is added to a flow table (flowtables.h) */
	DEED_UNTRACK,
	DEED_UNKNOWN,		/* may be anything */
};

struct outcome {
	uint32_t verdict;	/* NF_ACCEPT, NFT_JUMP, ... */
	const char *chain;
	struct answer answer;
};

struct move {
	struct answer matches;
	enum deed deed;
	struct outcome outcome[ELEMENTS_FOUND];
	size_t outcomes;
	bool more;		/* there are further ones */
	struct address address;	/* AF_UNSPEC: not known */
	uint32_t mark, mark_open;
	char detail[64];	/* in words, for messages; "" where there are none */
};

/* A rule that is looked at. */
struct evaluation {
	const struct ruleset *ruleset;
	const struct roads *roads;
	const struct packet *packet;
	const struct place *place;
	const char *table;
	struct registers registers;
	unsigned int *budget;
	uint32_t protocol_register;	/* holds the transport protocol; 0: none does */
	bool icmpv6;			/* the rule is about that alone */
};

/* expressions_take - the next one of the rule */
struct move expressions_take(struct evaluation *evaluation, const struct nftnl_expr *expression);

/* expressions_comment - that of a rule, of nft or of iptables; cut at @size bytes, "" where there is none */
void expressions_comment(const struct nftnl_rule *rule, char *comment, size_t size);

#endif

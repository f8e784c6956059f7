/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GUARD_H
#define GUARD_H

#include "base/address.h"
#include "base/text.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The kill switch as values: a table of chains of rules, each rule some matches and a verdict. The
 * text for nft is made here, the expressions for the kernel in nftables_rule.c, both from the same value.
 */

#define GUARD_LEFT_OUT 4	/* interfaces that clients' pattern matches, but that are none of theirs; see host.h */
#define GUARD_MATCHES (GUARD_LEFT_OUT + 3)
/* Where ICMP quotes a packet: behind its own header; and the destination address in an IP header (bytes). */
#define ICMP_QUOTE_OFFSET 8U
#define IPV4_DADDR_OFFSET 16U
#define IPV4_PROTOCOL_OFFSET 9U
#define IPV6_DADDR_OFFSET 24U
#define IPV6_NEXT_HEADER_OFFSET 6U

#define GUARD_INSTANCE 16	/* bytes; see checkpoint.h */
#define GUARD_COMMENT_PARTS 8
#define GUARD_COMMENT 128	/* NFTNL_UDATA_COMMENT_MAXLEN of nft(8), with its NUL */

enum guard_match_kind {
	MATCH_IIFNAME,
	MATCH_OIFNAME,
	MATCH_FAMILY,
	MATCH_IIFNAME_IN,	/* a set */
	MATCH_SADDR_IN,
	MATCH_DADDR_IN,
	MATCH_SADDR,		/* a prefix */
	MATCH_DADDR,
	MATCH_NEXTHOP,		/* the gateway that the packet's route has */
	MATCH_NO_WAY_BACK,	/* no route to the source via the interface that the packet came from */
	MATCH_CT_STATE,		/* CT_... */
	MATCH_FIRST,		/* the first packet of its flow: with every other one the kernel has the flow in its table */
	MATCH_IP_OPTIONS,	/* an IPv4 header with options */
	MATCH_ICMP_ERROR,	/* ICMP of a family but echo; what else there is quotes a packet */
	MATCH_QUOTED_DADDR,	/* the destination of the packet that an ICMP error quotes */
	MATCH_ICMP_CODE,	/* a type and code of a family */
	MATCH_ICMP_TYPE,	/* a type of a family, with any code */
	MATCH_QUOTED_PROTOCOL,	/* the transport protocol, or next header, of the packet that an ICMP error quotes */
	MATCH_L4PROTO,
	MATCH_DPORT,
	MATCH_SOCKET,		/* a socket of this host takes the packet */
	MATCH_QUOTED_HOPBYHOP,	/* an ICMPv6 parameter problem of a packet with hop-by-hop options */
	MATCH_MARK,		/* of the packet, in the bits of its mask */
	MATCH_CT_MARK,		/* of its flow */
	MATCH_IPSEC,		/* an IPsec policy takes the packet (XFRM) */
	MATCH_FLOW_SADDR_IN,	/* a set: the source of its flow's first packet, before any NAT */
	MATCH_REPLY,		/* goes against the direction of its flow; negated: along with it */
	MATCH_FLOWS_OVER,	/* with it, more flows than that come in by its interface; counted in GUARD_FLOWS_SET */
};

#define GUARD_SET_NAME 16	/* bytes of the longest name of a set here with its NUL */

/* As NF_CT_STATE_BIT() of linux/netfilter/nf_conntrack_common.h has them. */
enum { CT_INVALID = 1, CT_ESTABLISHED = 2, CT_RELATED = 4, CT_NEW = 8, CT_UNTRACKED = 64 };

/* Of a packet or a flow, in the bits of @mask. */
struct mark_bits {
	uint32_t value, mask;
};

/* No pointers: guard_digest() takes its bytes. */
struct guard_match {
	enum guard_match_kind kind;
	bool negated;
	union {					/* by kind */
		struct interface_pattern interface;
		uint8_t family;
		struct prefix prefix;
		struct { char name[GUARD_SET_NAME]; uint8_t family; } set;
		struct address nexthop;
		uint32_t ct_states;
		struct { uint8_t family, type, code; } icmp;
		struct { uint8_t protocol; uint16_t port; };	/* IPPROTO_TCP, IPPROTO_UDP; host byte order */
		struct { uint8_t family, protocol; } quoted;
		uint32_t flows;
		struct mark_bits mark;
	};
};

enum guard_verdict {
	VERDICT_ACCEPT, VERDICT_DROP, VERDICT_GOTO, VERDICT_JUMP, VERDICT_REJECT, VERDICT_MASQUERADE,
	VERDICT_MARK,			/* none: the packet gets a mark and goes on */
	VERDICT_CT_MARK,		/* the same of its flow */
	VERDICT_MAP,			/* that of a map; none where it has none */
	VERDICT_FLOW,			/* none: the flow goes on by the flow table, past all chains */
};

/* What a map is asked for. */
enum guard_subject {
	SUBJECT_SESSION,		/* interface and source: of which session it is */
	SUBJECT_MARK, SUBJECT_CT_MARK,	/* of the packet or the flow, in the bits of [gateway] mark_mask */
};

struct guard_rule {
	struct guard_match match[GUARD_MATCHES];
	unsigned int matches;
	bool counter;
	enum guard_verdict verdict;
	uint8_t reject_family;		/* with VERDICT_REJECT; AF_UNSPEC: either */
	const char *chain;		/* with VERDICT_GOTO, VERDICT_JUMP */
	struct mark_bits mark;		/* with VERDICT_MARK, VERDICT_CT_MARK; with VERDICT_MAP its mask alone */
	/* With VERDICT_MAP; of SUBJECT_SESSION the first bits of the source alone, 0: all. */
	struct { char name[GUARD_SET_NAME]; enum guard_subject subject; uint8_t family, length; } map;
	struct port_range ports;	/* with VERDICT_MASQUERADE; last = 0: any */
	const char *comment[GUARD_COMMENT_PARTS];	/* guard_comment() joins them; NULL behind the last */
	struct text code;		/* its expressions, to compare; set by nftables_compile() */
};

struct guard_chain {
	const char *name;
	const char *type;		/* "filter" or "nat"; NULL where it is no base chain */
	uint32_t hook;			/* NF_INET_... (linux/netfilter.h) */
	int32_t priority;
	const char *hook_text, *priority_text;	/* the same for nft(8) */
	struct guard_rule *rule;
	size_t rules;
	struct guard_blocks *blocks;	/* where they are */
};

/* The set in which the kernel counts flows by the interface (its index) that they come in on. */
#define GUARD_FLOWS_SET "flows"
#define GUARD_FLOWS_SIZE 65535	/* interfaces; more are not counted, and not limited */
/* The sets of clients' subnets. */
#define GUARD_CLIENTS4_SET "clients4"
#define GUARD_CLIENTS6_SET "clients6"

/* Of a map of marks: the kernel finds what is in one of a fixed size faster. */
#define GUARD_MARKS_SIZE 256

/* Interfaces where late replies to clients come in, of each family. */
#define GUARD_UPLINKS4_SET "uplinks4"
#define GUARD_UPLINKS6_SET "uplinks6"
/* Maps: of each session's device and address to the chain of its gateway; and of marks. */
#define GUARD_SESSION4_MAP "session4"
#define GUARD_SESSION6_MAP "session6"
#define GUARD_GATEWAYS_MAP "gateways"		/* by which gateway a packet may leave */
#define GUARD_REPLIES_MAP "replies"		/* what replies get of it */
#define GUARD_MASQUERADED_MAP "masqueraded"	/* with which marks packets get an address of this host */

enum guard_set_kind {
	SET_FLOWS,
	SET_PREFIXES,
	SET_INTERFACES,
	MAP_SESSIONS,
	MAP_MARKS,
};

/* The flow table, and the chain that says whose flows it takes. */
#define GUARD_FAST_TABLE "fast"
#define GUARD_FAST_CHAIN "fast_path"
#define GUARD_FAST_PRIORITY 0	/* `filter` of nft(8) */
#define GUARD_FAST_DEVICES 1024	/* as many as one part of a dump has room for; tunnels beyond it go by the chains alone */

#define GUARD_KEY 32		/* bytes of the longest key: name of an interface, IPv6 address */
#define GUARD_CHAIN_NAME 24	/* bytes of the longest name of a chain that a map leads to, with its NUL */

/* As the kernel has it. The rest of a key that is shorter is zero. */
struct guard_element {
	uint8_t key[GUARD_KEY];
	char chain[GUARD_CHAIN_NAME];	/* "" in a set; in MAP_SESSIONS: it is not to be there */
};

struct guard_set {
	const char *name;
	enum guard_set_kind kind;
	uint8_t family;			/* of SET_PREFIXES and MAP_SESSIONS */
	struct prefix *prefix;		/* in the order of their addresses; none overlaps another */
	size_t prefixes;
	struct guard_element *element;	/* of the others, in the order of their keys */
	size_t elements;
	bool partial;			/* of MAP_SESSIONS: whatever else it holds may be there too */
};

/* What becomes of an element of MAP_SESSIONS: where its chain is "", it goes. */
struct guard_change {
	const struct guard_set *set;
	struct guard_element element;
	char was[GUARD_CHAIN_NAME];	/* its chain until then; "" where there is none */
	bool told;			/* as a problem of the plan */
};

/* An interface that the flow table is to have. */
struct guard_device {
	char name[IFNAMSIZ];
	bool optional;			/* it may be missing there */
	bool gone;			/* as a change: it goes */
};

struct guard_fast {
	bool on;
	struct guard_device *device;	/* gateways' interfaces and tunnels, of those that exist */
	size_t devices;
	const char *own;		/* the tunnel of the session that begins: nothing is amiss while it is missing; or NULL */
	struct interface_pattern tunnels;	/* others of them may be there */
};

struct guard {
	char table[CONFIG_TABLE_NAME];
	uint8_t instance[GUARD_INSTANCE];	/* of the table that is to be made; all zero: without one */
	struct guard_set *set;
	size_t sets;
	char own[IFNAMSIZ];			/* the tunnel of the session that a hook is about; "" for none */
	struct guard_fast fast;
	struct guard_chain *chain;
	size_t chains;
	struct guard_blocks *blocks;		/* of the chains' rules */
	struct lines kept;			/* by guard_keep() */
};

/* guard_add_set - with a copy of the prefixes */
void guard_add_set(struct guard *guard, const char *name, uint8_t family, const struct prefix *prefix, size_t prefixes);

/* guard_set_is_map - whether its elements lead to chains */
bool guard_set_is_map(const struct guard_set *set);

/* guard_add_elements - another set without prefixes; the pointer holds until the next is added */
struct guard_set *guard_add_elements(struct guard *guard, const char *name, enum guard_set_kind kind, uint8_t family);

/* guard_add_element - with room for its key, zeroed; guard_sort_elements() behind the last */
struct guard_element *guard_add_element(struct guard_set *set, const char *chain);
void guard_sort_elements(struct guard_set *set);

/*
 * guard_session_key - of a session's device and one of its addresses
 * guard_mark_key - of a mark
 */
void guard_session_key(uint8_t key[GUARD_KEY], const char *device, const struct address *address);
void guard_mark_key(uint8_t key[GUARD_KEY], uint32_t mark);

/* guard_add_key_text - "vpns0" . 10.20.0.50, 0x01000000, "eth0": as nft(8) reads it */
void guard_add_key_text(struct text *text, const struct guard_set *set, const uint8_t key[GUARD_KEY]);

/* guard_add_device - to the flow table, once; guard_find_device - NULL where it has none of that name */
void guard_add_device(struct guard *guard, const char *name, bool optional);
const struct guard_device *guard_find_device(const struct guard_device *device, size_t devices, const char *name);

/*
 * guard_add_chain - a new last one
 * guard_add_rule - the same of the last chain, zeroed
 *
 * The pointer holds until the next is added.
 */
struct guard_chain *guard_add_chain(struct guard *guard, const struct guard_chain *chain);
struct guard_rule *guard_add_rule(struct guard_chain *chain);
struct guard_match *guard_add_match(struct guard_rule *rule, enum guard_match_kind kind);

/* guard_keep - a string that lasts as long as the guard, for comments */
const char *guard_keep(struct guard *guard, const char *format, ...) PRINTF(2, 3);

/* guard_comment - of the rule, as the kernel keeps it */
const char *guard_comment(const struct guard_rule *rule, char comment[GUARD_COMMENT]);
bool guard_comment_is(const struct guard_rule *rule, const char *comment);

/* guard_rule_text - as nft(8) lists the rule, without counter values */
void guard_rule_add_text(struct text *text, const struct guard_rule *rule);

/* guard_add_text - the table as nft(8) reads it */
void guard_add_text(struct text *text, const struct guard *guard);

/* guard_digest - of all that is wanted of the table but sessions: each value here but the instance and the rules' code */
uint64_t guard_digest(const struct guard *guard);

void guard_free(struct guard *guard);

#endif

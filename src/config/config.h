/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/address.h"
#include "base/log.h"
#include "base/report.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_SERVICES 16	/* ports in [killswitch] services_ports */
#define CONFIG_PROBES 8		/* addresses in [gateway] probe */
#define CONFIG_GATEWAYS 251	/* [gateway], and 250 with names */
#define CONFIG_FLAT_GATEWAYS 16	/* so many have their policy rules side by side, more have a tree of them */
#define CONFIG_TREE_SPAN 20	/* the priority of the last rule of a tree, above [gateway] priority */
#define CONFIG_URL 256		/* bytes of the host name or the path in [gateway] probe_http with its NUL */
#define CONFIG_TABLE_NAME 64	/* bytes of an nft table name with its NUL; the kernel takes 256 */
#define GATEWAY_NAME 17		/* bytes of a gateway's name with its NUL */
#define GATEWAY_SECTION 32	/* the same of its section */

enum gateway_mode {
	GATEWAY_UNSET,
	GATEWAY_ADDRESS,	/* clients leave via this next hop */
	GATEWAY_LINK,		/* they leave via the interface, whatever is at its other end */
	GATEWAY_BLOCK,		/* clients do not leave */
	GATEWAY_DIRECT,		/* the family is left alone */
};

enum blocked { BLOCKED_REJECT, BLOCKED_DROP };
enum inbound { INBOUND_ESTABLISHED, INBOUND_ANY };
enum dns { DNS_WARN, DNS_BLOCK, DNS_ANY };
enum server { SERVER_ANY, SERVER_SERVICES, SERVER_NONE };
enum fast_path { FAST_PATH_NO, FAST_PATH_YES, FAST_PATH_AUTO };

enum config_key {
	KEY_SUBNET4, KEY_SUBNET6, KEY_CLIENT_INTERFACE, KEY_OCSERV_CONF, KEY_FLOWS,
	KEY_ADDRESS4, KEY_ADDRESS6, KEY_GATEWAY_INTERFACE, KEY_MAC4, KEY_MAC6, KEY_TABLE, KEY_PRIORITY, KEY_MASQUERADE,
	KEY_PORTS, KEY_PROBE, KEY_PROBE_HTTP, KEY_MARK_MASK, KEY_FAST_PATH,
	KEY_MAP_USERS, KEY_MAP_GROUPS, KEY_MAP_VHOSTS,
	KEY_KILLSWITCH_TABLE, KEY_BLOCKED, KEY_CLIENT_TO_CLIENT, KEY_INBOUND, KEY_DNS,
	KEY_FORWARD_OTHERS, KEY_SERVER, KEY_SERVICES_PORTS,
	KEY_REMOVE_AFTER_LAST, KEY_FORGET_FLOWS, KEY_NEXT_SCRIPT, KEY_STATE_DIR,
	KEY_LOG_LEVEL, KEY_LOG_DRY_RUN,
	CONFIG_KEYS
};

struct subnets {
	struct prefix *prefix;
	char (*text)[PREFIX_TEXT];	/* the same in words */
	unsigned int count;
};

/* Tunnel interfaces: a name, or the beginning that they share. */
struct interface_pattern {
	char name[IFNAMSIZ];
	bool wildcard;
};

/* Both included; 0 and 0 where there is none. */
struct port_range {
	uint16_t first, last;
};

/* What clients may reach on this host with [killswitch] server = services, beside DNS and ICMP. */
struct services {
	struct { uint8_t protocol; uint16_t port; } service[CONFIG_SERVICES];	/* IPPROTO_TCP, IPPROTO_UDP */
	unsigned int count;
};

/* What is asked to see whether what clients send arrives. */
struct probe {
	struct address address;
	uint16_t port;		/* TCP; 0: ICMP echo */
};

struct probes {
	bool neighbour;		/* the gateway is asked by ARP or ND */
	struct probe probe[CONFIG_PROBES];
	unsigned int count;	/* beyond it */
};

/* http://HOST:PORT/PATH */
struct http {
	char host[CONFIG_URL];	/* a name or an address; "" where there is none */
	uint16_t port;
	char path[CONFIG_URL];
};

/* Where a gateway sends the clients of one family. */
struct gateway_to {
	enum gateway_mode mode;
	struct address address;		/* with GATEWAY_ADDRESS */
	struct mac mac;			/* unknown where that is asked for it */
};

/* What a value was read as, and where. */
struct setting {
	char *value;		/* NULL where unset */
	enum { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_OPTION } origin;
	const char *place;	/* the variable or the file, where that is another than the key has and than the configuration */
	unsigned int line;
	bool automatic;		/* it was "auto", and is what ocserv.conf says */
};

/* What clients leave via. */
struct gateway {
	char name[GATEWAY_NAME];	/* "default" of [gateway] */
	struct gateway_to to[FAMILIES];
	char interface[IFNAMSIZ];	/* "" where none is named, as only a next hop needs none: see choice.h */
	uint32_t table;
	bool masquerade;
	struct setting *setting;	/* its own, by enum config_key; NULL of [gateway], whose are those of the configuration */
	unsigned int line;		/* of [gateway NAME]; 0 where the environment alone names it */
};

/* What a line that sends somebody somewhere is about. */
enum whose { OF_USER, OF_GROUP, OF_VHOST, WHOSE };

/* Who a session is, in ocserv's words; "" where it says nothing. */
struct who {
	const char *user, *group, *vhost;
};

/* A line of [users], [groups] or [vhosts], or a part of VPN_USER_GATEWAY. */
struct assignment {
	char *name;
	bool pattern;			/* * and ? in it stand for what else may be there */
	char *value;			/* as it stands there */
	const struct gateway *gateway;	/* one of the list, &config->direct or &config->block */
	unsigned int line;		/* 0: of the environment */
};

struct assignments {
	struct assignment *each;	/* those of the environment first, then in the order of the file */
	unsigned int count;
};

struct config {
	char *path;		/* the file */
	bool file_read;		/* false where the environment alone configures */
	bool lines_refused;	/* one or more of the file: what is missing may have been meant there */
	unsigned int asking_line;	/* of the first key about gateway, kill switch or clients; 0: none */
	struct setting setting[CONFIG_KEYS];

	struct subnets subnets[FAMILIES];
	struct interface_pattern clients;
	char *ocserv_conf;
	uint32_t flows;				/* that one client may have open; 0: any number */
	struct gateway *gateway;		/* the first is [gateway] */
	unsigned int gateways;
	uint8_t gateway_order[CONFIG_GATEWAYS];	/* their indices, by name */
	struct gateway direct, block;		/* by which nobody leaves by a gateway: what lines say in place of one */
	struct assignments assigned[WHOSE];
	char *map[WHOSE];			/* files of more of them; NULL where unset */
	enum fast_path fast_path;
	uint32_t mark_mask;			/* the bits of packets' and flows' marks that are ours; see marks.h */
	uint32_t priority;
	struct port_range ports;		/* the source ports of clients that are masqueraded */
	struct probes probes;
	struct http probe_http;

	char killswitch_table[CONFIG_TABLE_NAME];
	enum blocked blocked;
	bool client_to_client;
	enum inbound inbound;
	enum dns dns;
	bool forward_others;
	enum server server;
	struct services services;

	bool remove_after_last;
	bool forget_flows;
	char *next_script;			/* NULL where unset */
	char *state_dir;

	enum log_level log_level;
	bool log_dry_run;
};

/* A key, for the documents and `check`; the parser works from the same table. */
struct key_description {
	const char *section;
	const char *name;
	const char *environment;	/* NULL where none */
	const char *fallback;		/* NULL where none */
	const char *help;
};

/*
 * config_load - read file and environment
 * @path: the file; NULL for OCSERV_GATEWAY_CONFIG or $sysconfdir/ocserv/gateway.ini
 * @ocserv_conf: ocserv's, before what the file says; NULL: as that says
 *
 * Values that are `auto` become those of ocserv's configuration.
 * Returns 0, or -1 with every error of file and environment in @report (EX_CONFIG). Looks at no
 * network: see gateway.h. config_free() is needed in either case.
 */
int config_load(struct config *config, const char *path, const char *ocserv_conf, struct report *report);

/* config_path - the file that config_load() reads for @path */
const char *config_path(const char *path);

/* config_try - as config_load(), as if @file were the complete file at @path, which is not read */
int config_try(struct config *config, const char *path, const struct text *file, struct report *report);

void config_free(struct config *config);
void subnets_free(struct subnets *subnets);

/*
 * config_is_plain - nothing is said about a gateway at all: nothing is to be installed, and nothing removed
 *
 * An address that is missing where anything else asks for one is an error of config_load().
 */
bool config_is_plain(const struct config *config);

/*
 * gateway_leads - whether clients of this family leave via the gateway, be it there or not
 * gateway_masquerades - whether they leave via it with an address of this host
 */
bool gateway_leads(const struct gateway *gateway, int family);
bool gateway_masquerades(const struct gateway *gateway, int family);

/*
 * config_covers - whether the rules of either layer are about this family
 * config_leads, config_masquerades - whether any gateway does, as above
 * config_blocks - whether clients of this family do not leave at all
 */
bool config_covers(const struct config *config, int family);
bool config_leads(const struct config *config, int family);
bool config_masquerades(const struct config *config, int family);
bool config_blocks(const struct config *config, int family);

/* config_may_send - whether a line sends anybody to @gateway, or may in a file of [maps] */
bool config_may_send(const struct config *config, const struct gateway *gateway);

/* config_default - what [gateway] says; by it leaves whom nothing else sends elsewhere */
const struct gateway *config_default(const struct config *config);

/* config_is_mapped - whether there is a second gateway, or anybody is sent anywhere by name */
bool config_is_mapped(const struct config *config);

/*
 * config_gateway_named - what lines call @word: a gateway, or default, direct, block or drop
 *
 * Returns one of the list, or &config->direct or &config->block; NULL where there is none.
 */
const struct gateway *config_gateway_named(const struct config *config, const char *word);

/*
 * config_gateway_of - by which gateway a session leaves: user, then group, then vhost, then the default one
 * @line: what says so is added, as "FILE:LINE: [users] alice = nl"; NULL where nobody asks
 *
 * Returns one of the list, or &config->direct or &config->block; NULL with the reason in @report, where a file of [maps]
 * can't be read or sends that one to a gateway that is not there.
 */
const struct gateway *config_gateway_of(const struct config *config, const struct who *who, struct text *line,
					struct report *report);

/*
 * config_has_tree - whether so many gateways lead in this family that their policy rules are a tree (CONFIG_FLAT_GATEWAYS)
 * config_last_priority - the highest priority of the policy rules of a family; the lowest is priority - 1
 */
bool config_has_tree(const struct config *config, int family);
uint32_t config_last_priority(const struct config *config, int family);

/* config_has_table - whether a gateway's route is in this routing table */
bool config_has_table(const struct config *config, uint32_t table);

/* config_address_key - KEY_ADDRESS4 or KEY_ADDRESS6 */
enum config_key config_address_key(int family);

/* config_is_client - whether @address lies in the subnets of clients */
bool config_is_client(const struct config *config, const struct address *address);

/*
 * config_error - an error about the value of @key, with its origin in front of the message
 *
 * Returns -1; the status is EX_CONFIG.
 */
int config_error(const struct config *config, struct report *report, enum config_key key,
		 const char *format, ...) PRINTF(4, 5);

/* gateway_section - where its keys stand: "[gateway nl]" */
const char *gateway_section(const struct gateway *gateway, char text[GATEWAY_SECTION]);

/* gateway_setting - of a key of @gateway */
const struct setting *gateway_setting(const struct config *config, const struct gateway *gateway, enum config_key key);

/* gateway_error - the same about the value of a key of [gateway] or [gateway NAME] */
int gateway_error(const struct config *config, const struct gateway *gateway, struct report *report, enum config_key key,
		  const char *format, ...) PRINTF(5, 6);

void config_describe_key(enum config_key key, struct key_description *description);

bool interface_matches(const struct interface_pattern *pattern, const char *name);

/* interface_name_valid - 1 to 15 characters of A-Z a-z 0-9 _ . @ -, as we write them to nft and sh */
bool interface_name_valid(const char *name);

/* interface_pattern_text - as nft writes it, without quotes: vpns* */
const char *interface_pattern_text(const struct interface_pattern *pattern, char text[IFNAMSIZ + 1]);

#endif

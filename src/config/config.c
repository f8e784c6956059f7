/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"
#include "base/trust.h"
#include "config/ocserv_conf.h"
#include "config/pools.h"
#include "config/variables.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_PATH SYSCONFDIR "/ocserv/gateway.ini"
#define FILE_SIZE_MAX 1048576
#define LINE_SIZE_MAX 65536	/* without blanks around it and comments */
#define VALUE_SHOWN 200		/* bytes of a bad value that a message quotes */

/*
 * The keys. A parser reads @value into @field and says in @wrong what is wrong with it, as the end of
 * "KEY = VALUE: ".
 */
struct key {
	struct key_description is;
	bool (*parse)(const struct key *key, void *field, const char *value, struct text *wrong);
	size_t field;
	int family;
	const char *const *choices;
};

static bool complain(struct text *wrong, const char *message)
{
	text_add(wrong, "%s", message);
	return false;
}

static bool parse_choice(const struct key *key, void *field, const char *value, struct text *wrong)
{
	for (int i = 0; key->choices[i]; i++) {
		if (strcasecmp(key->choices[i], value) == 0) {
			*(int *)field = i;
			return true;
		}
	}
	text_add(wrong, "must be one of");
	for (int i = 0; key->choices[i]; i++)
		text_add(wrong, "%s %s", i ? "," : "", key->choices[i]);
	return false;
}

static bool parse_boolean(const struct key *key, void *field, const char *value, struct text *wrong)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	(void)key;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcasecmp(words[i], value) == 0) {
			*(bool *)field = i % 2;
			return true;
		}
	}
	return complain(wrong, "must be yes or no");
}

static bool parse_subnet(const struct key *key, struct subnets *subnets, const char *value, struct text *wrong)
{
	const char *separator = wrong->length ? "; " : "";
	const char *family = family_name(key->family);
	const char *example = key->family == IPV4 ? "10.20.0.0/24" : "fd20::/64";
	struct prefix prefix, masked;
	char text[PREFIX_TEXT];

	if (!prefix_parse(&prefix, value)) {
		text_add(wrong, "%s'%.60s' is not an %s subnet; write it like %s", separator, value, family, example);
		return false;
	}
	if (prefix.address.family != family_of(key->family)) {
		text_add(wrong, "%s'%s' is not %s; it belongs in subnet%d", separator, value, family,
			 key->family == IPV4 ? 6 : 4);
		return false;
	}
	masked = prefix_mask(&prefix);
	if (!prefix_equal(&masked, &prefix)) {
		text_add(wrong, "%s'%s' has host bits set; the subnet is %s", separator, value,
			 prefix_text(&masked, text));
		return false;
	}
	if (prefix.length == 0 || !address_is_usable(&prefix.address)) {
		text_add(wrong, "%s'%s' can't be a subnet of clients; write it like %s", separator, value, example);
		return false;
	}
	for (unsigned int i = 0; i < subnets->count; i++) {
		if (prefix_overlaps(&subnets->prefix[i], &prefix)) {
			text_add(wrong, "%s'%s' overlaps %s; keep one of them", separator, value, subnets->text[i]);
			return false;
		}
	}
	subnets->prefix = make_room_for_one(subnets->prefix, subnets->count, sizeof(*subnets->prefix));
	subnets->text = make_room_for_one(subnets->text, subnets->count, sizeof(*subnets->text));
	subnets->prefix[subnets->count] = prefix;
	prefix_text(&prefix, subnets->text[subnets->count++]);
	return true;
}

static void subnets_free(struct subnets *subnets)
{
	free(subnets->prefix);
	free(subnets->text);
	*subnets = (struct subnets){ 0 };
}

static bool parse_subnets(const struct key *key, void *field, const char *value, struct text *wrong)
{
	struct subnets subnets = { 0 };
	char *list = duplicate(value), *save = NULL;
	bool ok = true;

	for (char *item = strtok_r(list, ", \t", &save); item; item = strtok_r(NULL, ", \t", &save))
		if (!parse_subnet(key, &subnets, item, wrong))
			ok = false;
	if (ok && subnets.count == 0)
		ok = complain(wrong, "names no subnet");
	subnets_free(ok ? field : &subnets);
	if (ok)
		*(struct subnets *)field = subnets;
	free(list);
	return ok;
}

static bool parse_gateway(const struct key *key, void *field, const char *value, struct text *wrong)
{
	struct gateway gateway = { .mode = GATEWAY_ADDRESS };

	if (strcasecmp(value, "block") == 0) {
		gateway.mode = GATEWAY_BLOCK;
	} else if (strcasecmp(value, "direct") == 0) {
		gateway.mode = GATEWAY_DIRECT;
	} else if (!address_parse(&gateway.address, value)) {
		text_add(wrong, "must be an %s address, block or direct", family_name(key->family));
		return false;
	} else if (gateway.address.family != family_of(key->family)) {
		text_add(wrong, "is not %s; it belongs in address%d", family_name(key->family),
			 key->family == IPV4 ? 6 : 4);
		return false;
	} else if (!address_is_usable(&gateway.address)) {
		return complain(wrong, "can't be the address of a gateway");
	}
	*(struct gateway *)field = gateway;
	return true;
}

static bool parse_pattern(const struct key *key, void *field, const char *value, struct text *wrong)
{
	struct interface_pattern pattern = { 0 };
	size_t length = strlen(value);

	(void)key;
	pattern.wildcard = length > 0 && (value[length - 1] == '*' || value[length - 1] == '+');
	length -= pattern.wildcard;
	if (length < sizeof(pattern.name))
		memcpy(pattern.name, value, length);
	if (length >= sizeof(pattern.name) || !interface_name_valid(pattern.name))
		return complain(wrong, "must be an interface name of 1 to 15 characters (A-Z a-z 0-9 _ . @ -), "
				       "or its beginning and *, like vpns*");
	*(struct interface_pattern *)field = pattern;
	return true;
}

static bool parse_interface(const struct key *key, void *field, const char *value, struct text *wrong)
{
	(void)key;
	if (!interface_name_valid(value))
		return complain(wrong, "must be an interface name of 1 to 15 characters (A-Z a-z 0-9 _ . @ -)");
	memcpy(field, value, strlen(value) + 1);
	return true;
}

static bool parse_mac(const struct key *key, void *field, const char *value, struct text *wrong)
{
	struct mac mac;

	(void)key;
	if (!mac_parse(&mac, value))
		return complain(wrong, "must be the hardware address of one machine, like 02:00:00:00:00:02");
	*(struct mac *)field = mac;
	return true;
}

static bool parse_table(const struct key *key, void *field, const char *value, struct text *wrong)
{
	unsigned long long number;

	(void)key;
	if (!number_parse(value, 1, UINT32_MAX, &number) || (number >= 253 && number <= 255))
		return complain(wrong, "must be a number from 1 to 4294967295 but 253, 254 and 255, "
				       "which are the kernel's own tables default, main and local");
	*(uint32_t *)field = (uint32_t)number;
	return true;
}

static bool parse_priority(const struct key *key, void *field, const char *value, struct text *wrong)
{
	unsigned long long number;

	(void)key;
	/* One below and one above are used too, all before the main table's rule at 32766. */
	if (!number_parse(value, 2, 32764, &number))
		return complain(wrong, "must be a number from 2 to 32764");
	*(uint32_t *)field = (uint32_t)number;
	return true;
}

static bool parse_flows(const struct key *key, void *field, const char *value, struct text *wrong)
{
	unsigned long long number = 0;

	(void)key;
	if (strcasecmp(value, "no") != 0 && !number_parse(value, 1, INT32_MAX, &number))
		return complain(wrong, "must be a number from 1 to 2147483647, or no for any number");
	*(uint32_t *)field = (uint32_t)number;
	return true;
}

static bool parse_ports(const struct key *key, void *field, const char *value, struct text *wrong)
{
	unsigned long long first, last;
	const char *dash = strchr(value, '-');
	char low[8] = "";

	(void)key;
	if (dash && (size_t)(dash - value) < sizeof(low))
		memcpy(low, value, (size_t)(dash - value));
	if (!dash || !number_parse(low, 1, UINT16_MAX, &first) || !number_parse(dash + 1, first, UINT16_MAX, &last))
		return complain(wrong, "must be a range of ports like 32768-60999");
	*(struct port_range *)field = (struct port_range){ (uint16_t)first, (uint16_t)last };
	return true;
}

/* tcp 443 */
static bool parse_service(struct services *services, char *value, struct text *wrong)
{
	char *save = NULL, *name = strtok_r(value, " \t", &save), *number = strtok_r(NULL, " \t", &save);
	unsigned long long port;
	bool tcp;

	if (!name || !number || strtok_r(NULL, " \t", &save) || !number_parse(number, 1, UINT16_MAX, &port) ||
	    (strcasecmp(name, "tcp") != 0 && strcasecmp(name, "udp") != 0))
		return complain(wrong, "must be protocols and ports, like tcp 443, udp 5353");
	if (services->count == CONFIG_SERVICES) {
		text_add(wrong, "names more than %d ports", CONFIG_SERVICES);
		return false;
	}
	tcp = strcasecmp(name, "tcp") == 0;
	services->service[services->count].protocol = tcp ? IPPROTO_TCP : IPPROTO_UDP;
	services->service[services->count++].port = (uint16_t)port;
	return true;
}

static bool parse_services(const struct key *key, void *field, const char *value, struct text *wrong)
{
	struct services services = { 0 };
	char *list = duplicate(value), *save = NULL;
	bool ok = true;

	(void)key;
	for (char *item = strtok_r(list, ",", &save); item && ok; item = strtok_r(NULL, ",", &save))
		ok = parse_service(&services, item, wrong);
	if (ok)
		*(struct services *)field = services;
	free(list);
	return ok;
}

/* 1.1.1.1, 1.1.1.1:443, 2606:4700::1111, [2606:4700::1111]:443 */
static bool parse_probe(struct probes *probes, char *value, struct text *wrong)
{
	bool bracket = value[0] == '[';
	char *colon = bracket ? strstr(value, "]:") : strchr(value, ':'), *address = value + bracket;
	struct probe probe = { 0 };
	unsigned long long port = 0;

	if (colon && (bracket || strchr(colon + 1, ':') == NULL)) {
		if (!number_parse(colon + 1 + bracket, 1, UINT16_MAX, &port))
			return complain(wrong, "has no port behind its :, which is a number from 1 to 65535");
		*colon = '\0';
	}
	if ((bracket && !colon) || !address_parse(&probe.address, address) || !address_is_usable(&probe.address))
		return complain(wrong, "must be neighbour, no, or addresses like 1.1.1.1, 1.1.1.1:443 or [2606:4700:4700::1111]:443");
	if (probes->count == CONFIG_PROBES) {
		text_add(wrong, "names more than %d addresses", CONFIG_PROBES);
		return false;
	}
	probe.port = (uint16_t)port;
	probes->probe[probes->count++] = probe;
	return true;
}

static bool parse_probes(const struct key *key, void *field, const char *value, struct text *wrong)
{
	struct probes probes = { .neighbour = strcasecmp(value, "no") != 0 };
	char *list = duplicate(value), *save = NULL;
	bool ok = true;

	(void)key;
	if (probes.neighbour && strcasecmp(value, "neighbour") != 0)
		for (char *item = strtok_r(list, ", \t", &save); item && ok; item = strtok_r(NULL, ", \t", &save))
			ok = parse_probe(&probes, item, wrong);
	if (ok && probes.neighbour && strcasecmp(value, "neighbour") != 0 && !probes.count)
		ok = complain(wrong, "names no address");
	if (ok)
		*(struct probes *)field = probes;
	free(list);
	return ok;
}

/* A part of an URL: printable ASCII without blanks. */
static bool take_part(char part[CONFIG_URL], const char *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (from[i] <= ' ' || from[i] > '~')
			return false;
	if (length >= CONFIG_URL)
		return false;
	memcpy(part, from, length);
	part[length] = '\0';
	return true;
}

/* http://ifconfig.me/ip, http://198.51.100.80:8080, http://[2001:db8::80]/ */
static bool parse_http(const struct key *key, void *field, const char *value, struct text *wrong)
{
	static const char scheme[] = "http://";
	struct http http = { .port = 80, .path = "/" };
	const char *host = value + sizeof(scheme) - 1, *end, *path;
	unsigned long long port = 80;
	char number[8] = "";
	bool bracket;

	(void)key;
	if (strncasecmp(value, scheme, sizeof(scheme) - 1) != 0)
		return complain(wrong, "must begin with http://; what clients see by TLS can't be asked for here");
	bracket = host[0] == '[';
	path = host + strcspn(host, "/");
	host += bracket;
	end = host + strcspn(host, bracket ? "]/" : ":/");
	if (bracket && *end != ']')
		return complain(wrong, "has a [ without a ]");
	if (end + bracket != path && (end[bracket] != ':' || (size_t)(path - end) - bracket > sizeof(number)))
		return complain(wrong, "must be like http://ifconfig.me/ip");
	if (end + bracket != path) {
		memcpy(number, end + bracket + 1, (size_t)(path - end) - bracket - 1);
		if (!number_parse(number, 1, UINT16_MAX, &port))
			return complain(wrong, "has no port behind its :, which is a number from 1 to 65535");
	}
	http.port = (uint16_t)port;
	if (end == host || !take_part(http.host, host, (size_t)(end - host)) ||
	    (*path && !take_part(http.path, path, strlen(path))))
		return complain(wrong, "must be like http://ifconfig.me/ip, each part of at most 255 characters");
	*(struct http *)field = http;
	return true;
}

static bool parse_killswitch_table(const struct key *key, void *field, const char *value, struct text *wrong)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
	size_t length = strlen(value);

	(void)key;
	if (length >= CONFIG_TABLE_NAME || strspn(value, letters) == 0 || strspn(value, allowed) != length ||
	    !strchr(value, '_'))
		return complain(wrong, "must be 1 to 63 letters, digits and _, begin with a letter and hold a _, "
				       "so that it is no word of nft's language");
	memcpy(field, value, length + 1);
	return true;
}

static bool parse_path(const struct key *key, void *field, const char *value, struct text *wrong)
{
	(void)key;
	if (value[0] != '/')
		return complain(wrong, "must be an absolute path, beginning with /");
	free(*(char **)field);
	*(char **)field = duplicate(value);
	return true;
}

static bool parse_script(const struct key *key, void *field, const char *value, struct text *wrong)
{
	struct stat status;

	if (!parse_path(key, field, value, wrong))
		return false;
	if (stat(value, &status) < 0) {
		text_add(wrong, "%s; ocserv's hooks would fail", strerror(errno));
		return false;
	}
	if (!S_ISREG(status.st_mode) || !(status.st_mode & S_IXUSR))
		return complain(wrong, "is not an executable file; chmod +x it");
	return path_is_trusted(value, &status, wrong);
}

static const char *const blocked_choices[] = { "reject", "drop", NULL };
static const char *const inbound_choices[] = { "established", "any", NULL };
static const char *const dns_choices[] = { "warn", "block", "any", NULL };
static const char *const server_choices[] = { "any", "services", "none", NULL };
static const char *const level_choices[] = { "error", "warning", "info", "debug", NULL };

#define FIELD(member) .field = offsetof(struct config, member)

static const struct key keys[CONFIG_KEYS] = {
	[KEY_SUBNET4] = {
		{ "clients", "subnet4", "VPN_SUBNET", NULL,
		  "IPv4 subnets of the clients, comma-separated, or auto: as in ocserv.conf; needed unless address4 is direct" },
		parse_subnets, FIELD(subnets[IPV4]), .family = IPV4 },
	[KEY_SUBNET6] = {
		{ "clients", "subnet6", "IPV6_SUBNET", NULL,
		  "IPv6 subnets of the clients, or auto; needed when address6 is a gateway" },
		parse_subnets, FIELD(subnets[IPV6]), .family = IPV6 },
	[KEY_CLIENT_INTERFACE] = {
		{ "clients", "interface", "VPN_IF", "vpns*",
		  "tunnel interfaces: ocserv's `device` and a *, or auto" },
		parse_pattern, FIELD(clients) },
	[KEY_OCSERV_CONF] = {
		{ "clients", "ocserv_conf", NULL, OCSERV_CONF,
		  "ocserv's configuration, for `check` and for the values that are auto" },
		parse_path, FIELD(ocserv_conf) },
	[KEY_FLOWS] = {
		{ "clients", "flows", NULL, "20000",
		  "flows (connections) that one client may have open, or no for any number" },
		parse_flows, FIELD(flows) },
	[KEY_ADDRESS4] = {
		{ "gateway", "address4", "VPN_GATEWAY", NULL,
		  "IPv4 next hop of the clients, or block, or direct (leave IPv4 alone)" },
		parse_gateway, FIELD(gateway[IPV4]), .family = IPV4 },
	[KEY_ADDRESS6] = {
		{ "gateway", "address6", "VPN_GATEWAY6", NULL,
		  "the same for IPv6" },
		parse_gateway, FIELD(gateway[IPV6]), .family = IPV6 },
	[KEY_GATEWAY_INTERFACE] = {
		{ "gateway", "interface", "WAN_IF", NULL,
		  "interface on which the gateway is reached; unset: the one with an address in its network, kept once chosen" },
		parse_interface, FIELD(gateway_interface) },
	[KEY_MAC4] = {
		{ "gateway", "mac4", NULL, NULL,
		  "hardware address of the IPv4 gateway: nobody else gets its packets by answering ARP for it" },
		parse_mac, FIELD(mac[IPV4]), .family = IPV4 },
	[KEY_MAC6] = {
		{ "gateway", "mac6", NULL, NULL,
		  "the same for IPv6, and ND" },
		parse_mac, FIELD(mac[IPV6]), .family = IPV6 },
	[KEY_TABLE] = {
		{ "gateway", "table", "VPN_GATEWAY_TABLE", "100",
		  "routing table of the gateway's default route" },
		parse_table, FIELD(table) },
	[KEY_PRIORITY] = {
		{ "gateway", "priority", "VPN_GATEWAY_RULE_PRIO", "1000",
		  "priority of the policy rule; one less and one more are used too" },
		parse_priority, FIELD(priority) },
	[KEY_MASQUERADE] = {
		{ "gateway", "masquerade", NULL, "yes",
		  "give clients our address toward the gateway (SNAT)" },
		parse_boolean, FIELD(masquerade) },
	[KEY_PORTS] = {
		{ "gateway", "ports", NULL, "32768-60999",
		  "source ports that clients get where they are masqueraded: a range in which this host listens on none" },
		parse_ports, FIELD(ports) },
	[KEY_PROBE] = {
		{ "gateway", "probe", NULL, "neighbour",
		  "what `test` asks: neighbour (ARP, ND), addresses beyond too (1.1.1.1: ICMP echo; 1.1.1.1:443: TCP), or no" },
		parse_probes, FIELD(probes) },
	[KEY_PROBE_HTTP] = {
		{ "gateway", "probe_http", NULL, NULL,
		  "a page that tells who asks, such as http://ifconfig.me/ip: `test` says which address the world sees" },
		parse_http, FIELD(probe_http) },
	[KEY_KILLSWITCH_TABLE] = {
		{ "killswitch", "table", NULL, "ocserv_gw",
		  "name of the inet table of the kill switch" },
		parse_killswitch_table, FIELD(killswitch_table) },
	[KEY_BLOCKED] = {
		{ "killswitch", "blocked", NULL, "reject",
		  "what a blocked family gets: reject (an answer at once) or drop (silence)" },
		parse_choice, FIELD(blocked), .choices = blocked_choices },
	[KEY_CLIENT_TO_CLIENT] = {
		{ "killswitch", "client_to_client", NULL, "yes",
		  "may clients reach each other" },
		parse_boolean, FIELD(client_to_client) },
	[KEY_INBOUND] = {
		{ "killswitch", "inbound", NULL, "established",
		  "what may be forwarded to clients from elsewhere: established (replies) or any" },
		parse_choice, FIELD(inbound), .choices = inbound_choices },
	[KEY_DNS] = {
		{ "killswitch", "dns", NULL, "warn",
		  "clients' questions to a DNS server on this host, which asks by its own route: warn, block or any" },
		parse_choice, FIELD(dns), .choices = dns_choices },
	[KEY_FORWARD_OTHERS] = {
		{ "killswitch", "forward_others", NULL, "yes",
		  "may this host forward packets of others than clients; no ends it, for Docker bridges and LANs too" },
		parse_boolean, FIELD(forward_others) },
	[KEY_SERVER] = {
		{ "killswitch", "server", NULL, "any",
		  "what clients may reach on this host: any (TCP, UDP, ICMP), services (DNS, ICMP, services_ports) or none (ICMP)" },
		parse_choice, FIELD(server), .choices = server_choices },
	[KEY_SERVICES_PORTS] = {
		{ "killswitch", "services_ports", NULL, NULL,
		  "with server = services: what clients may reach beside DNS and ICMP, such as tcp 443, udp 5353" },
		parse_services, FIELD(services) },
	[KEY_REMOVE_AFTER_LAST] = {
		{ "session", "remove_after_last", NULL, "no",
		  "remove rules, route and kill switch when the last session ends" },
		parse_boolean, FIELD(remove_after_last) },
	[KEY_FORGET_FLOWS] = {
		{ "session", "forget_flows", NULL, "yes",
		  "end the flows of an address with its session, so that its next holder gets no packets of them" },
		parse_boolean, FIELD(forget_flows) },
	[KEY_NEXT_SCRIPT] = {
		{ "session", "next_script", NULL, NULL,
		  "a script of your own, run after each hook with ocserv's variables" },
		parse_script, FIELD(next_script) },
	[KEY_STATE_DIR] = {
		{ "session", "state_dir", NULL, "/run/ocserv-gateway",
		  "directory of session records and lock" },
		parse_path, FIELD(state_dir) },
	[KEY_LOG_LEVEL] = {
		{ "log", "level", NULL, "info",
		  "error, warning, info, or debug, which shows each change of the kernel as a command" },
		parse_choice, FIELD(log_level), .choices = level_choices },
	[KEY_LOG_DRY_RUN] = {
		{ "log", "dry_run", NULL, "no",
		  "hooks only log what they would do, and accept the session: NO kill switch" },
		parse_boolean, FIELD(log_dry_run) },
};

void config_describe_key(enum config_key key, struct key_description *description)
{
	*description = keys[key].is;
}

bool interface_name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.@-";
	size_t length = strlen(name);

	return length > 0 && length < IFNAMSIZ && strspn(name, allowed) == length && name[0] != '-' &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

bool interface_matches(const struct interface_pattern *pattern, const char *name)
{
	if (pattern->wildcard)
		return strncmp(name, pattern->name, strlen(pattern->name)) == 0;
	return strcmp(name, pattern->name) == 0;
}

const char *interface_pattern_text(const struct interface_pattern *pattern, char text[IFNAMSIZ + 1])
{
	snprintf(text, IFNAMSIZ + 1, "%s%s", pattern->name, pattern->wildcard ? "*" : "");
	return text;
}

bool config_is_plain(const struct config *config)
{
	return config->gateway[IPV4].mode == GATEWAY_UNSET && config->gateway[IPV6].mode == GATEWAY_UNSET;
}

bool config_governs(const struct config *config, int family)
{
	enum gateway_mode mode = config->gateway[family].mode;

	return mode == GATEWAY_ADDRESS || mode == GATEWAY_BLOCK;
}

bool config_is_client(const struct config *config, const struct address *address)
{
	const struct subnets *subnets = &config->subnets[family_index(address->family)];

	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_contains(&subnets->prefix[i], address))
			return true;
	return false;
}

/* "FILE:LINE: [SECTION] KEY = VALUE", or the same of an environment variable or a default */
static void add_origin(struct text *text, const struct config *config, const struct key_description *key,
		       const struct setting *setting)
{
	switch (setting->origin) {
	case FROM_FILE:
		text_add(text, "%s:%u: [%s] %s = %s%.*s%s", config->path, setting->line, key->section, key->name,
			 setting->automatic ? "auto (" : "", VALUE_SHOWN, setting->value, setting->automatic ? ")" : "");
		break;
	case FROM_ENVIRONMENT:
		text_add(text, "environment: %s=%.*s", key->environment, VALUE_SHOWN, setting->value);
		break;
	case FROM_OPTION:
		text_add(text, "--ocserv-conf %.*s", VALUE_SHOWN, setting->value);
		break;
	case FROM_DEFAULT:
		text_add(text, "%s: [%s] %s%s%s", config->path, key->section, key->name,
			 setting->value ? " = " : " is not set", setting->value ? setting->value : "");
		break;
	}
}

int config_error(const struct config *config, struct report *report, enum config_key key, const char *format, ...)
{
	struct text message CLEANUP(text_free) = { 0 };
	va_list args;

	add_origin(&message, config, &keys[key].is, &config->setting[key]);
	text_add_string(&message, ": ");
	va_start(args, format);
	text_add_formatted(&message, format, args);
	va_end(args);
	return report_error(report, EX_CONFIG, "%s", text_string(&message));
}

/* Whether the value is still to be found in ocserv.conf. */
static bool is_automatic(enum config_key key, const struct setting *setting)
{
	bool known_there = keys[key].parse == parse_subnets || keys[key].parse == parse_pattern;

	return known_there && setting->value && strcasecmp(setting->value, "auto") == 0;
}

/* Takes a value as the setting of @key, in place of one from a weaker origin. */
static void set(struct config *config, struct report *report, enum config_key key, struct setting setting)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	struct setting *kept = &config->setting[key];

	setting.value = duplicate(setting.value);
	free(kept->value);
	*kept = setting;
	if (is_automatic(key, kept))
		return;
	if (!keys[key].parse(&keys[key], (char *)config + keys[key].field, setting.value, &wrong))
		config_error(config, report, key, "%s", text_string(&wrong));
}

/* The key whose name, or with @by_section whose section, is nearest to @name; ties go to @section. */
static const struct key_description *nearest(const char *section, const char *name, bool by_section)
{
	const struct key_description *best = &keys[0].is;
	size_t least = SIZE_MAX;

	for (int i = 0; i < CONFIG_KEYS; i++) {
		const struct key_description *key = &keys[i].is;
		size_t distance = text_distance(name, by_section ? key->section : key->name) * 2;

		distance += strcmp(section, key->section) != 0;
		if (distance < least) {
			least = distance;
			best = key;
		}
	}
	return best;
}

static int find_key(const char *section, const char *name)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (strcmp(keys[i].is.section, section) == 0 && strcmp(keys[i].is.name, name) == 0)
			return i;
	return -1;
}

static bool section_known(const char *section)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (strcmp(keys[i].is.section, section) == 0)
			return true;
	return false;
}

/* The file in memory, which is cut into strings as it is read. */
struct stream {
	struct config *config;
	struct report *report;
	char *next, *end;
	const char *section;
	unsigned int line;
	unsigned int seen[CONFIG_KEYS];		/* the line in which each key stands */
};

static void line_error(struct stream *stream, const char *message)
{
	report_error(stream->report, EX_CONFIG, "%s:%u: %s", stream->config->path, stream->line, message);
	stream->config->lines_refused = true;
}

/* A carriage return ends a line of DOS; where it stands alone it would make one comment of all lines. */
static bool has_controls(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t' && !(line[i] == '\r' && i + 1 == length)) || line[i] == 0x7f)
			return true;
	return false;
}

/* The length of a line without blanks at its end and without a comment: a ; at its start or after a blank. */
static size_t content_length(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] == ';' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t'))
			length = i;
	while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r'))
		length--;
	return length;
}

static const char *line_fault(const char *line, size_t length)
{
	const char *bracket;

	if (length == 0 || line[0] == '#')
		return NULL;
	bracket = memchr(line, ']', length);
	if (line[0] == '[' && !bracket)
		return "the section has no closing ]";
	if (line[0] == '[' && bracket != line + length - 1)
		return "something stands behind the ]; a key needs a line of its own";
	if (line[0] == '[')
		return NULL;
	if (!memchr(line, '=', length))
		return "is neither [section] nor key = value";
	return NULL;
}

/* Whether a key is about gateway, kill switch or clients, and so is not there without one of them being meant. */
static bool asks_in_file(const struct key_description *key)
{
	return strcmp(key->section, "session") != 0 && strcmp(key->section, "log") != 0;
}

static void take_pair(struct stream *stream, const char *name, const char *value)
{
	struct config *config = stream->config;
	const char *section = stream->section;
	int key = find_key(section, name);
	char message[512];

	if (key < 0) {
		const struct key_description *near;

		if (!section[0]) {
			near = nearest(section, name, false);
			snprintf(message, sizeof(message), "'%.60s' stands before any [section]; the nearest key is %s in [%s]",
				 name, near->name, near->section);
		} else if (section_known(section)) {
			near = nearest(section, name, false);
			snprintf(message, sizeof(message), "unknown key '%.60s' in [%s]; the nearest is %s in [%s]",
				 name, section, near->name, near->section);
		} else {
			near = nearest(section, section, true);
			snprintf(message, sizeof(message), "'%.60s' stands in the unknown section [%.60s]; "
				 "the nearest is [%s]", name, section, near->section);
		}
		line_error(stream, message);
		return;
	}
	if (stream->seen[key]) {
		snprintf(message, sizeof(message), "[%s] %s stands already in line %u; keep one of them",
			 section, name, stream->seen[key]);
		line_error(stream, message);
		return;
	}
	stream->seen[key] = stream->line;
	if (!value[0]) {
		snprintf(message, sizeof(message), "[%s] %s is empty; write a value or delete the line", section, name);
		line_error(stream, message);
		return;
	}
	if (!config->asking_line && asks_in_file(&keys[key].is))
		config->asking_line = stream->line;
	set(config, stream->report, (enum config_key)key,
	    (struct setting){ .value = (char *)value, .origin = FROM_FILE, .line = stream->line });
}

/* What is between @start and @end without the blanks around it, as a string in its place. */
static char *trimmed(char *start, char *end)
{
	while (end > start && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return start + strspn(start, " \t\r");
}

static void take_content(struct stream *stream, char *line, size_t length)
{
	char *equals = memchr(line, '=', length), *value;

	if (length == 0 || line[0] == '#')
		return;
	if (line[0] == '[') {
		line[length - 1] = '\0';
		stream->section = line + 1;
		return;
	}
	value = trimmed(equals + 1, line + length);
	take_pair(stream, trimmed(line, equals), value);
}

static void take_line(struct stream *stream, char *start, size_t length)
{
	const char *fault;
	char message[128];

	if (stream->line == 1 && length >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) {
		start += 3;
		length -= 3;
	}
	while (length > 0 && (*start == ' ' || *start == '\t')) {
		start++;
		length--;
	}
	if (has_controls(start, length)) {
		line_error(stream, "the line holds control characters; is this a text file?");
		/* One such line is enough to know. */
		if (memchr(start, '\0', length))
			stream->next = stream->end;
		return;
	}
	length = content_length(start, length);
	fault = line_fault(start, length);
	if (length > LINE_SIZE_MAX) {
		snprintf(message, sizeof(message), "the line has %zu bytes, and %d is the most; does it lack a line break?", length,
			 LINE_SIZE_MAX);
		fault = message;
	}
	if (fault)
		line_error(stream, fault);
	else
		take_content(stream, start, length);
}

/* The byte behind each line becomes its NUL. */
static void take_lines(struct stream *stream)
{
	while (stream->next < stream->end) {
		char *start = stream->next, *newline = memchr(start, '\n', (size_t)(stream->end - start));
		char *end = newline ? newline : stream->end;

		stream->line++;
		stream->next = newline ? newline + 1 : end;
		take_line(stream, start, (size_t)(end - start));
	}
}

/* Whether to trust what is in an open configuration file; -1 with the reason in @report. */
static int check_file(const struct config *config, int fd, struct report *report)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	struct stat status;

	if (fstat(fd, &status) < 0)
		return report_error(report, EX_CONFIG, "%s: %s", config->path, strerror(errno));
	if (!file_is_trusted(&status, &wrong))
		return report_error(report, EX_CONFIG, "%s: %s", config->path, text_string(&wrong));
	if (status.st_size > FILE_SIZE_MAX)
		return report_error(report, EX_CONFIG, "%s: is larger than %d bytes", config->path, FILE_SIZE_MAX);
	return 0;
}

static int read_all(const struct config *config, int fd, struct text *file, struct report *report)
{
	char part[4096];
	ssize_t got;

	do {
		got = read(fd, part, sizeof(part));
		if (got < 0 && errno != EINTR)
			return report_error(report, EX_CONFIG, "%s: %s", config->path, strerror(errno));
		if (got > 0)
			text_add_bytes(file, part, (size_t)got);
	} while (got != 0 && file->length <= FILE_SIZE_MAX);
	return 0;
}

static bool is_blank(const struct text *file)
{
	const char *content = text_string(file);

	if (file->length >= 3 && memcmp(content, "\xef\xbb\xbf", 3) == 0)
		content += 3;
	content += strspn(content, " \t\r\n");
	return content == text_string(file) + file->length;
}

static int parse_file(struct config *config, int fd, struct report *report)
{
	struct stream stream = { .config = config, .report = report, .section = "" };
	struct text file CLEANUP(text_free) = { 0 };

	if (check_file(config, fd, report) < 0 || read_all(config, fd, &file, report) < 0)
		return -1;
	if (is_blank(&file))
		return report_error(report, EX_CONFIG, "%s: is empty, as a full disk leaves it; write [gateway] address4 = "
				    "ADDRESS, or remove the file if no gateway is meant", config->path);
	stream.next = file.data;
	stream.end = stream.next + file.length;
	take_lines(&stream);
	config->file_read = true;
	return 0;
}

static bool is_there(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 || errno != ENOENT;
}

/* A file that nobody named may be missing: the environment may configure, as in a container. */
static int read_file(struct config *config, bool named, struct report *report)
{
	int fd = open(config->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = errno, result;

	if (fd < 0 && error == ENOENT && !named && !is_there(config->path))
		return 0;
	if (fd < 0)
		return report_error(report, EX_CONFIG, "configuration %s: %s; write it (see the sample), or name "
				    "another with -c or OCSERV_GATEWAY_CONFIG", config->path, strerror(error));
	result = parse_file(config, fd, report);
	close(fd);
	return result;
}

static void read_environment(struct config *config, struct report *report)
{
	for (int i = 0; i < CONFIG_KEYS; i++) {
		const char *value = keys[i].is.environment ? getenv(keys[i].is.environment) : NULL;

		if (value && value[0])
			set(config, report, (enum config_key)i,
			    (struct setting){ .value = (char *)value, .origin = FROM_ENVIRONMENT });
	}
}

static void add_tunnels(struct text *text, const struct ocserv_conf *conf)
{
	const struct ocserv_entry *device = ocserv_conf_find(conf, "", "device");

	if (device && device->value[0])
		text_add(text, "%s*", device->value);
}

/* What ocserv.conf says in place of "auto"; where it says nothing the key is unset, if it may be. */
static void find_automatic(struct config *config, enum config_key key, const struct ocserv_conf *conf,
			   struct text pools[FAMILIES], struct report *report)
{
	struct setting setting = config->setting[key];
	struct text tunnels CLEANUP(text_free) = { 0 };
	const struct text *found = key == KEY_CLIENT_INTERFACE ? &tunnels : &pools[keys[key].family];

	add_tunnels(&tunnels, conf);
	if (found->length == 0 && key == KEY_SUBNET6 && config->gateway[IPV6].mode != GATEWAY_ADDRESS) {
		free(setting.value);
		config->setting[key] = (struct setting){ 0 };
	} else if (found->length == 0) {
		config_error(config, report, key, "%s has no %s", conf->path,
			     key == KEY_CLIENT_INTERFACE ? "device" : key == KEY_SUBNET4 ? "ipv4-network" : "ipv6-network");
	} else {
		setting.value = found->data;
		setting.automatic = true;
		set(config, report, key, setting);
	}
}

/* What stands behind a line that ends the file is not said: ocserv does not start with it. */
static int read_ocserv_conf(const struct config *config, enum config_key key, struct ocserv_conf *conf,
			    struct report *report)
{
	if (ocserv_conf_read(conf, config->ocserv_conf, NULL) < 0)
		return config_error(config, report, key, "can't read %s: %s; name ocserv's configuration in "
				    "[clients] ocserv_conf", config->ocserv_conf, strerror(errno));
	if (!conf->fault)
		return 0;
	config_error(config, report, key, "%s:%u: is neither `name = value` nor [vhost:NAME]: ocserv does not start with it; "
		     "correct that line", conf->path, conf->fault);
	ocserv_conf_free(conf);
	return -1;
}

static void find_all_automatic(struct config *config, struct report *report)
{
	const bool wanted[FAMILIES] = {
		is_automatic(KEY_SUBNET4, &config->setting[KEY_SUBNET4]),
		is_automatic(KEY_SUBNET6, &config->setting[KEY_SUBNET6]),
	};
	struct text pools[FAMILIES] = { 0 };
	struct ocserv_conf conf = { 0 };
	int before = report->status;
	bool read = false;

	for (int key = 0; key < CONFIG_KEYS; key++) {
		if (!is_automatic((enum config_key)key, &config->setting[key]))
			continue;
		if (!read && read_ocserv_conf(config, (enum config_key)key, &conf, report) < 0)
			continue;
		if (!read && (wanted[IPV4] || wanted[IPV6]))
			pools_find(config, &conf, wanted, pools, report);
		read = true;
		if (report->status == before)
			find_automatic(config, (enum config_key)key, &conf, pools, report);
	}
	for (int family = 0; family < FAMILIES; family++)
		text_free(&pools[family]);
	ocserv_conf_free(&conf);
}

static void check_gateway(const struct config *config, int family, struct report *report)
{
	const struct gateway *gateway = &config->gateway[family];
	enum config_key address = family == IPV4 ? KEY_ADDRESS4 : KEY_ADDRESS6;
	enum config_key subnet = family == IPV4 ? KEY_SUBNET4 : KEY_SUBNET6;
	bool needed = gateway->mode == GATEWAY_ADDRESS || (gateway->mode == GATEWAY_BLOCK && family == IPV4);
	const struct subnets *subnets = &config->subnets[family];

	if (needed && !config->setting[subnet].value && !config->lines_refused)
		config_error(config, report, subnet, "it is needed, the %s subnet of the clients as in ocserv.conf",
			     family_name(family));
	if (gateway->mode != GATEWAY_ADDRESS)
		return;
	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_contains(&subnets->prefix[i], &gateway->address))
			config_error(config, report, address, "lies inside the client subnet %s; the gateway must be "
				     "another host", subnets->text[i]);
	if (address_is_link_local(&gateway->address) && !config->gateway_interface[0])
		config_error(config, report, address, "is link-local; set [gateway] interface to the interface "
			     "that it is on");
}

static void check_mac(const struct config *config, int family, struct report *report)
{
	if (config->gateway[family].mode != GATEWAY_ADDRESS && config->mac[family].known)
		config_error(config, report, family == IPV4 ? KEY_MAC4 : KEY_MAC6, "there is no %s gateway that could have it; "
			     "set [gateway] address%d to its address, or take this out", family_name(family),
			     family == IPV4 ? 4 : 6);
}

/* Variables that ask for a gateway when they are there, even empty; those of the clients an image may set for itself. */
static const enum config_key asking_variables[] = {
	KEY_ADDRESS4, KEY_ADDRESS6, KEY_GATEWAY_INTERFACE, KEY_TABLE, KEY_PRIORITY,
};

#define WRITE_AN_ADDRESS "write [gateway] address4 = ADDRESS, or direct for both address4 and address6 if clients are to " \
			 "leave by this host's own route"

struct strange_variables {
	const struct config *config;
	struct report *report;
};

static void complain_of_variable(const struct strange_variable *variable, void *data)
{
	const struct strange_variables *strange = data;
	bool plain = config_is_plain(strange->config);
	const char *equals = variable->name + variable->length;
	char what[256];

	if (!plain && !equals[1])
		return;
	if (variable->meant)
		snprintf(what, sizeof(what), "environment: %.*s: is not read, and may be a slip of %s", variable->length, variable->name,
			 variable->meant);
	else
		snprintf(what, sizeof(what), "environment: %.*s: is not understood by this program", variable->length,
			 variable->name);
	if (plain && variable->asks)
		report_error(strange->report, EX_CONFIG, "%s; no gateway is configured: " WRITE_AN_ADDRESS, what);
	else
		report_warning(strange->report, "%s; unset it if it is not for this program", what);
}

/* Plain ocserv is what nobody has asked to be anything else: a gateway that was lost is not that. */
static void check_plain(const struct config *config, struct report *report)
{
	if (config->asking_line)
		report_error(report, EX_CONFIG, "%s:%u: asks for a gateway, but neither address4 nor address6 is set; "
			     WRITE_AN_ADDRESS, config->path, config->asking_line);
	for (size_t i = 0; i < sizeof(asking_variables) / sizeof(*asking_variables) && report->status == 0; i++) {
		const char *name = keys[asking_variables[i]].is.environment, *value = getenv(name);

		if (value)
			report_error(report, EX_CONFIG, "environment: %s=%.*s: %s; " WRITE_AN_ADDRESS, name, VALUE_SHOWN, value,
				     value[0] ? "asks for a gateway, but neither address4 nor address6 is set" :
				     "is empty, and no gateway is configured");
	}
}

static void check_together(struct config *config, struct report *report)
{
	struct strange_variables strange = { config, report };
	struct gateway *gateway = config->gateway;

	if (config_is_plain(config) && report->status)
		return;
	variables_visit_strange(complain_of_variable, &strange);
	if (config_is_plain(config)) {
		check_plain(config, report);
		return;
	}
	for (int family = 0; family < FAMILIES; family++)
		if (gateway[family].mode == GATEWAY_UNSET)
			gateway[family].mode = GATEWAY_BLOCK;
	find_all_automatic(config, report);
	for (int family = 0; family < FAMILIES; family++) {
		check_gateway(config, family, report);
		check_mac(config, family, report);
	}
	if (config->services.count && config->server != SERVER_SERVICES)
		config_error(config, report, KEY_SERVICES_PORTS, "counts with [killswitch] server = services alone; set that, "
			     "or remove the line");
	if (config->gateway_interface[0] && interface_matches(&config->clients, config->gateway_interface))
		config_error(config, report, KEY_GATEWAY_INTERFACE, "is a tunnel interface of the clients "
			     "([clients] interface); the gateway must be elsewhere");
}

/* By an option, which may be a path from here. */
static void set_ocserv_conf(struct config *config, const char *path)
{
	free(config->ocserv_conf);
	free(config->setting[KEY_OCSERV_CONF].value);
	config->ocserv_conf = duplicate(path);
	config->setting[KEY_OCSERV_CONF] = (struct setting){ .value = duplicate(path), .origin = FROM_OPTION };
}

int config_load(struct config *config, const char *path, const char *ocserv_conf, struct report *report)
{
	const char *from_environment = getenv("OCSERV_GATEWAY_CONFIG");
	int before = report->status;

	*config = (struct config){ 0 };
	if (!path && from_environment)
		path = from_environment;
	config->path = duplicate(path ? path : DEFAULT_PATH);
	if (path && !path[0])
		return report_error(report, EX_CONFIG, "%s is empty; name the configuration there, or unset it for "
				    DEFAULT_PATH, path == from_environment ? "OCSERV_GATEWAY_CONFIG" : "--config");

	for (int i = 0; i < CONFIG_KEYS; i++)
		if (keys[i].is.fallback)
			set(config, report, (enum config_key)i,
			    (struct setting){ .value = (char *)keys[i].is.fallback, .origin = FROM_DEFAULT });
	if (read_file(config, path != NULL, report) == 0) {
		read_environment(config, report);
		if (ocserv_conf)
			set_ocserv_conf(config, ocserv_conf);
		check_together(config, report);
	}
	return report->status == before ? 0 : -1;
}

void config_free(struct config *config)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		free(config->setting[i].value);
	for (int family = 0; family < FAMILIES; family++)
		subnets_free(&config->subnets[family]);
	free(config->path);
	free(config->ocserv_conf);
	free(config->next_script);
	free(config->state_dir);
	*config = (struct config){ 0 };
}

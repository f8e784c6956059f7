/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/keys.h"
#include "base/trust.h"
#include "config/ocserv_conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static bool complain(struct text *wrong, const char *message)
{
	text_add(wrong, "%s", message);
	return false;
}

/* Bits without a gap: gateways are numbered in them. */
static bool parse_mark_mask(const struct key *key, void *field, const char *value, struct text *wrong)
{
	uint32_t *mask = field;
	unsigned long number;
	char *end;

	(void)key;
	errno = 0;
	number = strtoul(value, &end, 0);
	if (errno || *end || !isdigit((unsigned char)value[0]) || number > UINT32_MAX || !number)
		return complain(wrong, "must be bits of a mark, such as 0xff000000");
	*mask = (uint32_t)number;
	number /= number & -number;
	if (number & (number + 1))
		return complain(wrong, "must be bits without a gap, such as 0xff000000");
	if (number < 7)
		return complain(wrong, "must be three bits or more, such as 0xff000000");
	return true;
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

	if (!prefix_parse_written(&prefix, value)) {
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
	struct gateway_to *to = field;
	enum gateway_mode mode = GATEWAY_ADDRESS;
	struct address address = { .family = AF_UNSPEC };

	if (strcasecmp(value, "link") == 0) {
		mode = GATEWAY_LINK;
	} else if (strcasecmp(value, "block") == 0 || strcasecmp(value, "drop") == 0) {
		mode = GATEWAY_BLOCK;
	} else if (strcasecmp(value, "direct") == 0) {
		mode = GATEWAY_DIRECT;
	} else if (!address_parse(&address, value)) {
		text_add(wrong, "must be an %s address, link, block or direct", family_name(key->family));
		return false;
	} else if (address.family != family_of(key->family)) {
		text_add(wrong, "is not %s; it belongs in address%d", family_name(key->family),
			 key->family == IPV4 ? 6 : 4);
		return false;
	} else if (!address_is_usable(&address)) {
		return complain(wrong, "can't be the address of a gateway");
	}
	to->mode = mode;
	to->address = address;
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
				       "or the beginning of one and *, like vpns*");
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
		return complain(wrong, "must be a number from 1 to 4294967295 except 253, 254 and 255, "
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
		return complain(wrong, "must be a number from 1 to 2147483647, or no for no limit");
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
			return complain(wrong, "has no port after its :, a number from 1 to 65535");
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
		return complain(wrong, "must begin with http://; https is not supported here");
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
			return complain(wrong, "has no port after its :, a number from 1 to 65535");
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
		return complain(wrong, "must be 1 to 63 letters, digits and _, begin with a letter and contain a _, "
				       "so that it is not an nft keyword");
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
static const char *const fast_path_choices[] = { "no", "yes", "auto", NULL };
static const char *const inbound_choices[] = { "established", "any", NULL };
static const char *const dns_choices[] = { "warn", "block", "any", NULL };
static const char *const server_choices[] = { "any", "services", "none", NULL };
static const char *const level_choices[] = { "error", "warning", "info", "debug", NULL };

#define FIELD(member) .field = offsetof(struct config, member)
#define OF_EACH(member) .field = offsetof(struct gateway, member), .of_each = true

const struct key keys[CONFIG_KEYS] = {
	[KEY_SUBNET4] = {
		{ "clients", "subnet4", "VPN_SUBNET", NULL,
		  "IPv4 subnets of the clients, comma-separated, or auto: as in ocserv.conf; needed unless address4 is direct" },
		parse_subnets, FIELD(subnets[IPV4]), .family = IPV4, .in_ocserv_conf = true },
	[KEY_SUBNET6] = {
		{ "clients", "subnet6", "IPV6_SUBNET", NULL,
		  "IPv6 subnets of the clients, or auto; needed when address6 is a gateway" },
		parse_subnets, FIELD(subnets[IPV6]), .family = IPV6, .in_ocserv_conf = true },
	[KEY_CLIENT_INTERFACE] = {
		{ "clients", "interface", "VPN_IF", "vpns*",
		  "tunnel interfaces: ocserv's `device` followed by *, or auto" },
		parse_pattern, FIELD(clients), .in_ocserv_conf = true },
	[KEY_OCSERV_CONF] = {
		{ "clients", "ocserv_conf", NULL, OCSERV_CONF,
		  "ocserv's configuration, for `check` and for the values that are auto" },
		parse_path, FIELD(ocserv_conf) },
	[KEY_FLOWS] = {
		{ "clients", "flows", NULL, "20000",
		  "flows (connections) that one client may have open, or no for no limit" },
		parse_flows, FIELD(flows) },
	[KEY_ADDRESS4] = {
		{ "gateway", "address4", "VPN_GATEWAY", NULL,
		  "IPv4 next hop of the clients, or link (interface leads there), or block, or direct (leave IPv4 alone)" },
		parse_gateway, OF_EACH(to[IPV4]), .family = IPV4 },
	[KEY_ADDRESS6] = {
		{ "gateway", "address6", "VPN_GATEWAY6", NULL,
		  "the same for IPv6" },
		parse_gateway, OF_EACH(to[IPV6]), .family = IPV6 },
	[KEY_GATEWAY_INTERFACE] = {
		{ "gateway", "interface", "WAN_IF", NULL,
		  "interface of the gateway, needed for link; unset: the one with an address in its network, kept once chosen" },
		parse_interface, OF_EACH(interface) },
	[KEY_MAC4] = {
		{ "gateway", "mac4", NULL, NULL,
		  "hardware address of the IPv4 gateway: nobody else gets its packets by answering ARP in its place" },
		parse_mac, OF_EACH(to[IPV4].mac), .family = IPV4 },
	[KEY_MAC6] = {
		{ "gateway", "mac6", NULL, NULL,
		  "the same for IPv6 (ND)" },
		parse_mac, OF_EACH(to[IPV6].mac), .family = IPV6 },
	[KEY_TABLE] = {
		{ "gateway", "table", "VPN_GATEWAY_TABLE", "100",
		  "routing table of the gateway's default route" },
		parse_table, OF_EACH(table) },
	[KEY_PRIORITY] = {
		{ "gateway", "priority", "VPN_GATEWAY_RULE_PRIO", "1000",
		  "priority of the policy rule; the numbers before and after it are used too, with more than 16 gateways the 20 after it" },
		parse_priority, FIELD(priority) },
	[KEY_MASQUERADE] = {
		{ "gateway", "masquerade", NULL, "yes",
		  "give clients our address toward the gateway (SNAT)" },
		parse_boolean, OF_EACH(masquerade) },
	[KEY_PORTS] = {
		{ "gateway", "ports", NULL, "32768-60999",
		  "source ports for masqueraded clients: a range in which nothing on this host listens" },
		parse_ports, FIELD(ports) },
	[KEY_PROBE] = {
		{ "gateway", "probe", NULL, "neighbour",
		  "what `test` asks: neighbour (ARP, ND), addresses beyond too (1.1.1.1: ICMP echo; 1.1.1.1:443: TCP), or no" },
		parse_probes, FIELD(probes) },
	[KEY_PROBE_HTTP] = {
		{ "gateway", "probe_http", NULL, NULL,
		  "a page that shows the caller's address, such as http://ifconfig.me/ip: `test` says which address the world sees" },
		parse_http, FIELD(probe_http) },
	[KEY_MARK_MASK] = {
		{ "gateway", "mark_mask", NULL, "0xff000000",
		  "the bits of packets' and flows' marks that are ours; no other program may use them" },
		parse_mark_mask, FIELD(mark_mask) },
	[KEY_FAST_PATH] = {
		{ "gateway", "fast_path", NULL, "no",
		  "a flow table for TCP and UDP that the kill switch has let through to the gateway: no, yes, or auto (where it can be)" },
		parse_choice, FIELD(fast_path), .choices = fast_path_choices },
	[KEY_MAP_USERS] = {
		{ "maps", "users", "VPN_USER_GATEWAY_FILE", NULL,
		  "a file of lines like those of [users]: `NAME GATEWAY` or `NAME = GATEWAY`" },
		parse_path, FIELD(map[OF_USER]) },
	[KEY_MAP_GROUPS] = {
		{ "maps", "groups", NULL, NULL,
		  "the same of [groups]" },
		parse_path, FIELD(map[OF_GROUP]) },
	[KEY_MAP_VHOSTS] = {
		{ "maps", "vhosts", NULL, NULL,
		  "the same of [vhosts]" },
		parse_path, FIELD(map[OF_VHOST]) },
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
		  "clients' queries to a DNS server on this host, which asks via its own route: warn, block or any" },
		parse_choice, FIELD(dns), .choices = dns_choices },
	[KEY_FORWARD_OTHERS] = {
		{ "killswitch", "forward_others", NULL, "yes",
		  "may this host forward packets that are not clients'; no stops it, for Docker bridges and LANs too" },
		parse_boolean, FIELD(forward_others) },
	[KEY_SERVER] = {
		{ "killswitch", "server", NULL, "any",
		  "what clients may reach on this host: any (TCP, UDP, ICMP), services (DNS, ICMP, services_ports) or none (ICMP)" },
		parse_choice, FIELD(server), .choices = server_choices },
	[KEY_SERVICES_PORTS] = {
		{ "killswitch", "services_ports", NULL, NULL,
		  "with server = services: what clients may reach besides DNS and ICMP, such as tcp 443, udp 5353" },
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
		  "hooks only log what they would do and accept the session: NO kill switch" },
		parse_boolean, FIELD(log_dry_run) },
};

void config_describe_key(enum config_key key, struct key_description *description)
{
	*description = keys[key].is;
}

const struct key_description *keys_nearest(const char *section, const char *name, bool by_section)
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

const struct key_description *keys_nearest_of_each(const char *name)
{
	const struct key_description *best = NULL;

	for (int i = 0; i < CONFIG_KEYS; i++)
		if (keys[i].of_each && (!best || text_distance(name, keys[i].is.name) < text_distance(name, best->name)))
			best = &keys[i].is;
	return best;
}

int keys_find(const char *section, const char *name)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (strcmp(keys[i].is.section, section) == 0 && strcmp(keys[i].is.name, name) == 0)
			return i;
	return -1;
}

bool keys_section_known(const char *section)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (strcmp(keys[i].is.section, section) == 0)
			return true;
	return false;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/ocserv.h"
#include "base/privileges.h"
#include "config/ocserv_conf.h"
#include "diagnose/ocserv_place.h"
#include "kernel/gateway.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#define VALUE_SHOWN 200		/* bytes of a value */
#define PROGRAM "ocserv-gateway"
#define SHIM "ocserv-gateway-hook"
#define SHIM_PATH PKGLIBEXECDIR "/" SHIM

struct check {
	const struct config *config;
	struct netlink *route;
	struct report *report;
	const char *script;	/* what connect-script is to name */
	bool adds_routes;	/* to LANs behind clients: there is a route-add-cmd */
	bool by_shell;		/* ocserv's firewall script comes first, and runs connect-script with sh */
};

/* Findings */

enum severity { NOTE, WARNING, ERROR };

static void PRINTF(5, 6) finding(const struct check *check, const struct ocserv_conf *conf,
				 const struct ocserv_entry *entry, enum severity severity, const char *format, ...)
{
	struct text where CLEANUP(text_free) = { 0 };
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	text_add(&where, "%s", conf->path);
	if (entry)
		text_add(&where, ":%u: %s = ", entry->line, entry->name);
	/* A remedy comes behind a semicolon. */
	if (entry && strstr(entry->value, "; "))
		text_add_value(&where, entry->value, VALUE_SHOWN);
	else if (entry)
		text_add(&where, "%.*s", VALUE_SHOWN, entry->value);
	if (severity == ERROR)
		report_error(check->report, EX_CONFIG, "%s: %s", text_string(&where), what);
	else if (severity == WARNING)
		report_warning(check->report, "%s: %s", text_string(&where), what);
	else
		report_note(check->report, "%s: %s", text_string(&where), what);
}

static bool is_true(const struct ocserv_entry *entry)
{
	return entry && (strcasecmp(entry->value, "true") == 0 || strcasecmp(entry->value, "yes") == 0);
}

/* What is read but is not what it looks like */

static const char *const known_keys[] = {
	"connect-script", "disconnect-script", "device", "ipv4-network", "ipv4-netmask", "ipv6-network", "ipv6-prefix",
	"explicit-ipv4", "explicit-ipv6", "iroute", "dns", "ipv4-dns", "ipv6-dns", "restrict-user-to-routes",
	"restrict-user-to-ports", "config-per-group", "config-per-user", "default-group-config", "default-user-config",
	"route-add-cmd",
};

/* The key that the @length bytes of @name are, in whatever case; NULL where none. */
static const char *known_key(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(known_keys) / sizeof(*known_keys); i++)
		if (strncasecmp(known_keys[i], name, length) == 0 && !known_keys[i][length])
			return known_keys[i];
	return NULL;
}

/* The key of what looks like a pair. */
static const char *key_in(const char *value)
{
	size_t length = strcspn(value, " \t=:");

	return value[length] && strchr("=:", value[length + strspn(value + length, " \t")]) ? known_key(value, length) : NULL;
}

/* A `;` is no comment there, and harms but behind a length. */
static bool is_spoilt(const struct ocserv_entry *entry)
{
	const char *semicolon = strchr(entry->value, ';'), *slash = strchr(entry->value, '/');

	if (!semicolon || semicolon == entry->value || !strchr(" \t", semicolon[-1]))
		return false;
	return !strstr(entry->name, "-network") || !slash || slash > semicolon;
}

static void check_writing(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry)
{
	const char *key = known_key(entry->name, strlen(entry->name)), *meant = key_in(entry->value);

	if (entry->continued && meant)
		finding(check, conf, entry, WARNING, "the line begins with a blank, so ocserv takes it for another value of %s; "
			"write %s at the start of its line", entry->name, meant);
	else if (key && strcmp(key, entry->name) != 0)
		finding(check, conf, entry, WARNING, "ocserv ignores it, since it only knows keys in lower case; write %s",
			key);
	else if (key && is_spoilt(entry))
		finding(check, conf, entry, WARNING, "after a value, `;` starts no comment but is part of the value; write #");
}

static void check_lines(const struct check *check, const struct ocserv_conf *conf)
{
	if (conf->too_long)
		report_warning(check->report, "%s:%u: is longer than 2,047 bytes: ocserv 1.5 does not start with it, earlier versions take "
			       "the rest for another line; shorten it", conf->path, conf->too_long);
	if (conf->fault && conf->outer)
		report_warning(check->report, "%s:%u: is neither `name = value` nor a comment: ocserv stops reading here, or refuses the "
			       "user of this file; correct that line", conf->path, conf->fault);
	else if (conf->fault)
		report_error(check->report, EX_CONFIG, "%s:%u: is neither `name = value` nor [vhost:NAME]: ocserv does not start "
			     "with it; correct that line", conf->path, conf->fault);
}

/* Addresses */

static bool is_covered(const struct config *config, const struct prefix *pool, int family)
{
	const struct subnets *subnets = &config->subnets[family];

	for (unsigned int i = 0; i < subnets->count; i++)
		if (subnets->prefix[i].length <= pool->length && prefix_contains(&subnets->prefix[i], &pool->address))
			return true;
	return false;
}

static void check_pool(const struct ocserv_conf *conf, const struct ocserv_entry *entry, const struct prefix *pool,
		       void *data)
{
	const struct check *check = data;
	int family = family_index(pool->address.family);
	char text[PREFIX_TEXT];

	/* What of its pools auto leaves out is told where it is read. */
	if (!config_covers(check->config, family) || is_covered(check->config, pool, family) ||
	    check->config->setting[family == IPV4 ? KEY_SUBNET4 : KEY_SUBNET6].automatic)
		return;
	prefix_text(pool, text);
	if (family == IPV6 && check->config->subnets[IPV6].count == 0)
		finding(check, conf, entry, WARNING, "no policy rule covers clients' IPv6, only the kill switch stops it; "
			"set [clients] subnet6 = %s", text);
	else
		finding(check, conf, entry, ERROR, "is not within [clients] subnet%c, so sessions with these addresses are "
			"refused; add %s to it", family == IPV4 ? '4' : '6', text);
}

/* A LAN behind a client: ocserv adds a route to it via that tunnel, once the hook has succeeded. */
static void check_lan(const struct ocserv_conf *conf, const struct ocserv_entry *entry, const struct prefix *lan,
		      void *data)
{
	const struct check *check = data;
	int family = family_index(lan->address.family);
	char text[PREFIX_TEXT];

	if (!check->adds_routes)
		finding(check, conf, entry, WARNING, "ocserv adds no route to this network behind a client, and nothing reaches it: "
			"write route-add-cmd = \"ip route add %%{R} dev %%{D}\", and route-del-cmd, into ocserv.conf");
	if (config_is_mapped(check->config) && config_covers(check->config, family)) {
		finding(check, conf, entry, WARNING, "with several gateways what this network behind a client sends is dropped, since "
			"only the client's own address has one; let the client masquerade it");
		return;
	}
	if (!config_covers(check->config, family) || is_covered(check->config, lan, family) ||
	    check->config->setting[family == IPV4 ? KEY_SUBNET4 : KEY_SUBNET6].automatic)
		return;
	finding(check, conf, entry, WARNING, "is not within [clients] subnet%c, so what this network behind a client sends is "
		"dropped; add %s to it", family == IPV4 ? '4' : '6', prefix_text(lan, text));
}

/* ocserv itself takes the first address of a pool, once there is a session. */
static bool is_servers(const struct check *check, const struct address *address)
{
	for (int family = 0; family < FAMILIES; family++) {
		const struct subnets *subnets = &check->config->subnets[family];

		for (unsigned int i = 0; i < subnets->count; i++) {
			struct address first = subnets->prefix[i].address;

			first.bytes[address_size(first.family) - 1]++;
			if (address_equal(&first, address))
				return true;
		}
	}
	return gateway_is_local(check->route, address);
}

static void check_own_dns(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry)
{
	if (check->config->dns == DNS_BLOCK)
		finding(check, conf, entry, ERROR, "is this host, but [killswitch] dns = block rejects clients' queries to it, "
			"so they can't resolve names; push a DNS server beyond the gateway");
	else if (check->config->dns != DNS_ANY)
		finding(check, conf, entry, WARNING, "is this host: it asks via the host's own route, not via the gateway; push "
			"a DNS server beyond the gateway, or set [killswitch] dns = any if that is intended");
}

/* The gateway itself may well answer, and another client; and by an interface that leads there itself, what is beyond. */
static bool may_answer(const struct check *check, const struct exit *exit, const struct address *address,
		       const char *interface)
{
	if (config_is_client(check->config, address))
		return true;
	return exit_is_link(exit) ? strcmp(exit->interface.name, interface) == 0 : address_equal(&exit->nexthop, address);
}

static void note_private_dns(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry,
			     const struct address *address)
{
	struct prefix single = { *address, (uint8_t)(address_size(address->family) * 8) }, network;
	char text[PREFIX_TEXT], interface[IFNAMSIZ];
	bool mapped = config_is_mapped(check->config);
	const struct exit *exit = NULL;
	struct exits exits;

	if (!prefix_is_private(&single) || !gateway_host_route(check->route, address, &network, interface))
		return;
	exits_make(&exits, check->config);
	for (unsigned int i = 0; i < exits.count && !exit; i++)
		if (exits.exit[i].family == family_index(address->family) &&
		    !may_answer(check, &exits.exit[i], address, interface))
			exit = &exits.exit[i];
	if (exit)
		finding(check, conf, entry, NOTE, "is in the private network %s, to which this host has a route via %s, but "
			"clients%s%s ask it via %s: unless it is beyond that too, they can't resolve names; push a DNS server that is",
			prefix_text(&network, text), interface, mapped ? " of " : "", mapped ? exit->gateway->name : "",
			exit->text);
	exits_free(&exits);
}

static void check_dns(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry)
{
	struct address address;

	if ((strcmp(entry->name, "dns") != 0 && strcmp(entry->name, "ipv4-dns") != 0 && strcmp(entry->name, "ipv6-dns") != 0) ||
	    !address_parse(&address, entry->value))
		return;
	if (is_servers(check, &address))
		check_own_dns(check, conf, entry);
	else
		note_private_dns(check, conf, entry, &address);
}

/* Scripts */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void check_script(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry)
{
	const char *name = base_name(entry->value);

	if (access(entry->value, check->by_shell ? R_OK : X_OK) < 0)
		finding(check, conf, entry, ERROR, "%s; ocserv %s", strerror(errno),
			entry->name[0] == 'c' ? "refuses every session" : "runs nothing when a session ends");
	else if (strcmp(name, PROGRAM) == 0 && check->by_shell)
		finding(check, conf, entry, ERROR, "with restrict-user-to-routes or restrict-user-to-ports, ocserv's firewall "
			"script runs this with sh, which fails; write %s = %s", entry->name, check->script);
	else if (strcmp(name, PROGRAM) != 0 && strcmp(name, SHIM) != 0)
		finding(check, conf, entry, WARNING, "is another program: sessions have no kill switch unless it runs "
			PROGRAM " and exits with its status; write %s = %s, and that program in [session] "
			"next_script", entry->name, check->script);
}

static void check_scripts(const struct check *check, const struct ocserv_conf *conf)
{
	const struct ocserv_entry *connect = ocserv_conf_find(conf, "", "connect-script");
	const struct ocserv_entry *disconnect = ocserv_conf_find(conf, "", "disconnect-script");

	if (connect)
		check_script(check, conf, connect);
	else
		finding(check, conf, NULL, ERROR, "has no connect-script: sessions have no kill switch until `up` is "
			"run, and nothing repairs it; write connect-script = %s", check->script);
	if (disconnect)
		check_script(check, conf, disconnect);
	else
		finding(check, conf, NULL, WARNING, "has no disconnect-script: the next client with an address gets what is left "
			"of the last one's flows; write disconnect-script = %s", check->script);
}

/* What counts for all of ocserv stands above the virtual hosts. */
static void check_host_entry(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry)
{
	if (entry->section[0] && (strcmp(entry->name, "connect-script") == 0 || strcmp(entry->name, "disconnect-script") == 0 ||
				  strcmp(entry->name, "device") == 0))
		finding(check, conf, entry, ERROR, "is in [%s]: ocserv 1.4.2 and later do not start with that, and earlier "
			"versions ignore it; write it above the first section", entry->section);
}

static void check_device(const struct check *check, const struct ocserv_conf *conf)
{
	const struct ocserv_entry *device = ocserv_conf_find(conf, "", "device");
	char name[2 * IFNAMSIZ], pattern[IFNAMSIZ + 1];

	if (!device || strlen(device->value) >= IFNAMSIZ)
		return;
	snprintf(name, sizeof(name), "%s0", device->value);
	if (!interface_matches(&check->config->clients, name))
		finding(check, conf, device, ERROR, "makes tunnels like %s, which [clients] interface = %s does not match, so "
			"every session is refused; set interface = %s*", name,
			interface_pattern_text(&check->config->clients, pattern), device->value);
}

static bool restricts(const struct ocserv_conf *conf)
{
	for (size_t i = 0; i < conf->entries; i++) {
		const struct ocserv_entry *entry = &conf->entry[i];

		if (strcmp(entry->name, "restrict-user-to-ports") == 0 ||
		    (strcmp(entry->name, "restrict-user-to-routes") == 0 &&
		     is_true(ocserv_conf_find(conf, entry->section, entry->name))))
			return true;
	}
	return false;
}

static void note_restriction(const struct ocserv_conf *conf, void *data)
{
	struct check *check = data;

	check->by_shell = check->by_shell || restricts(conf);
}

static void check_values(const struct ocserv_conf *conf, void *data)
{
	check_lines(data, conf);
	ocserv_conf_visit_pools(conf, check_pool, data);
	ocserv_conf_visit_lans(conf, check_lan, data);
	for (size_t i = 0; i < conf->entries; i++) {
		check_writing(data, conf, &conf->entry[i]);
		check_host_entry(data, conf, &conf->entry[i]);
		check_dns(data, conf, &conf->entry[i]);
	}
}

static void note_restrictions(struct check *check, const struct ocserv_conf *conf)
{
	note_restriction(conf, check);
	ocserv_conf_visit_named(conf, note_restriction, check);
}

static void add_script(struct text *path, bool by_shell)
{
	char own[PATH_MAX];
	ssize_t length = by_shell ? 0 : readlink("/proc/self/exe", own, sizeof(own));

	if (length > 0)
		text_add_bytes(path, own, (size_t)length);
	else
		text_add_string(path, by_shell ? SHIM_PATH : "/usr/sbin/" PROGRAM);
}

void ocserv_script(const struct ocserv_conf *conf, struct text *path)
{
	struct check check = { .by_shell = false };

	note_restrictions(&check, conf);
	add_script(path, check.by_shell);
}

static void check_all(struct check *check, const struct ocserv_conf *conf)
{
	struct text script CLEANUP(text_free) = { 0 };

	note_restrictions(check, conf);
	add_script(&script, check->by_shell);
	check->script = text_string(&script);
	check->adds_routes = ocserv_conf_find(conf, "", "route-add-cmd") != NULL;
	check_device(check, conf);
	check_scripts(check, conf);
	check_values(conf, check);
	ocserv_conf_visit_named(conf, check_values, check);
}

/* Where nobody has named the file, that of the ocserv that runs here counts. */
static bool looks_for_file(const struct config *config)
{
	return config->setting[KEY_OCSERV_CONF].origin == FROM_DEFAULT;
}

static bool is_automatic(const struct config *config)
{
	return config->setting[KEY_SUBNET4].automatic || config->setting[KEY_SUBNET6].automatic ||
	       config->setting[KEY_CLIENT_INTERFACE].automatic;
}

static void tell_place(const struct config *config, const struct ocserv_place *place, struct report *report)
{
	const char *usual = config->ocserv_conf;

	if (!place->path)
		report_note(report, "there is no %s, and no ocserv is running here: its configuration is not checked; name "
			    "its file with --ocserv-conf, or [clients] ocserv_conf", usual);
	else if (place->copy)
		report_note(report, "there is no %s: checking %s instead, the copy that ocserv (process %d) keeps of its file; name that file "
			    "with --ocserv-conf, or [clients] ocserv_conf", usual, place->path, (int)place->process);
	else if (!place->process)
		report_note(report, "there is no %s: checking %s instead; set [clients] ocserv_conf = %s", usual, place->path, place->path);
	else if (is_automatic(config))
		report_warning(report, "ocserv (process %d) runs with %s, but auto values come from %s; set [clients] "
			       "ocserv_conf = %s", (int)place->process, place->path, usual, place->path);
	else
		report_note(report, "ocserv (process %d) runs with %s: that is checked, not %s; set [clients] ocserv_conf = %s",
			    (int)place->process, place->path, usual, place->path);
}

void ocserv_find(struct ocserv *ocserv, const struct config *config)
{
	const char *path;

	*ocserv = (struct ocserv){ 0 };
	if (looks_for_file(config))
		ocserv_place_find(&ocserv->place, config->ocserv_conf);
	path = ocserv->place.path ? ocserv->place.path : config->ocserv_conf;
	ocserv->error = ocserv_conf_read(&ocserv->conf, path, NULL) == 0 ? 0 : errno;
}

bool ocserv_check(const struct ocserv *ocserv, const struct config *config, struct netlink *route, struct report *report)
{
	struct check check = { .config = config, .route = route, .report = report };
	bool missing = ocserv->error == ENOENT;

	if (!ocserv->error)
		check_all(&check, &ocserv->conf);
	else if (!looks_for_file(config) || !missing)
		config_error(config, report, KEY_OCSERV_CONF, "%s; %s", strerror(ocserv->error),
			     privileges_remedy(ocserv->error, "name ocserv's configuration there or with --ocserv-conf"));
	if (looks_for_file(config) && (ocserv->place.path || missing))
		tell_place(config, &ocserv->place, report);
	return !ocserv->error;
}

void ocserv_free(struct ocserv *ocserv)
{
	ocserv_conf_free(&ocserv->conf);
	free(ocserv->place.path);
	*ocserv = (struct ocserv){ 0 };
}

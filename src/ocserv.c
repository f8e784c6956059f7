/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ocserv.h"
#include "gateway.h"
#include "ocserv_conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#define PROGRAM "ocserv-gateway"
#define SHIM "ocserv-gateway-hook"
#define SHIM_PATH PKGLIBEXECDIR "/" SHIM

struct check {
	const struct config *config;
	struct netlink *route;
	struct report *report;
	const char *script;	/* what connect-script is to name */
	bool by_shell;		/* ocserv's firewall script comes first, and runs connect-script with sh */
};

/* Findings */

enum severity { WARNING, ERROR };

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
		text_add(&where, ":%u: %s = %.200s", entry->line, entry->name, entry->value);
	if (severity == ERROR)
		report_error(check->report, EX_CONFIG, "%s: %s", text_string(&where), what);
	else
		report_warning(check->report, "%s: %s", text_string(&where), what);
}

static bool is_true(const struct ocserv_entry *entry)
{
	return entry && (strcasecmp(entry->value, "true") == 0 || strcasecmp(entry->value, "yes") == 0);
}

static bool is_governed(const struct config *config, const struct prefix *pool, int family)
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
	int family = pool->address.family == AF_INET ? IPV4 : IPV6;
	char text[PREFIX_TEXT];

	/* What of its pools auto leaves out is told where it is read. */
	if (!config_governs(check->config, family) || is_governed(check->config, pool, family) ||
	    check->config->setting[family == IPV4 ? KEY_SUBNET4 : KEY_SUBNET6].automatic)
		return;
	prefix_text(pool, text);
	if (family == IPV6 && check->config->subnets[IPV6].count == 0)
		finding(check, conf, entry, WARNING, "no policy rule is about clients' IPv6, the kill switch alone stops it; "
			"set [clients] subnet6 = %s", text);
	else
		finding(check, conf, entry, ERROR, "is not within [clients] subnet%c, so sessions with these addresses are "
			"refused; add %s to it", family == IPV4 ? '4' : '6', text);
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

static bool is_dns(const struct ocserv_entry *entry)
{
	return strcasecmp(entry->name, "dns") == 0 || strcasecmp(entry->name, "ipv4-dns") == 0 ||
	       strcasecmp(entry->name, "ipv6-dns") == 0;
}

static void check_dns(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry)
{
	struct address address;

	if (!is_dns(entry) || check->config->dns == DNS_ANY || !address_parse(&address, entry->value) ||
	    !is_servers(check, &address))
		return;
	if (check->config->dns == DNS_BLOCK)
		finding(check, conf, entry, ERROR, "is this host, to which [killswitch] dns = block rejects clients' questions, "
			"so they resolve no name; push a DNS server beyond the gateway");
	else
		finding(check, conf, entry, WARNING, "is this host: it asks by the host's own route, not by the gateway; push "
			"a DNS server beyond the gateway, or set [killswitch] dns = any if that is meant");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void check_script(const struct check *check, const struct ocserv_conf *conf, const struct ocserv_entry *entry)
{
	const char *name = base_name(entry->value);

	if (strcmp(name, PROGRAM) == 0 && check->by_shell)
		finding(check, conf, entry, ERROR, "with restrict-user-to-routes or restrict-user-to-ports, ocserv's firewall "
			"script runs this with sh, which can't; write %s = %s", entry->name, check->script);
	else if (strcmp(name, PROGRAM) != 0 && strcmp(name, SHIM) != 0)
		finding(check, conf, entry, WARNING, "is another program: sessions are without a kill switch, unless it runs "
			PROGRAM " and ends with its exit status; write %s = %s, and that program into [session] "
			"next_script", entry->name, check->script);
	else if (access(entry->value, X_OK) < 0)
		finding(check, conf, entry, ERROR, "%s; ocserv refuses every session", strerror(errno));
}

static void check_scripts(const struct check *check, const struct ocserv_conf *conf, const char *section)
{
	const struct ocserv_entry *connect = ocserv_conf_find(conf, section, "connect-script");
	const struct ocserv_entry *disconnect = ocserv_conf_find(conf, section, "disconnect-script");

	if (connect)
		check_script(check, conf, connect);
	else if (!section[0])
		finding(check, conf, NULL, ERROR, "has no connect-script: sessions are without a kill switch until `up` is "
			"run, and nothing repairs it; write connect-script = %s", check->script);
	if (disconnect)
		check_script(check, conf, disconnect);
	else if (!section[0])
		finding(check, conf, NULL, WARNING, "has no disconnect-script: the next holder of an address gets what is left "
			"of the last one's flows; write disconnect-script = %s", check->script);
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
	for (size_t i = 0; i < conf->entries; i++)
		if ((strcasecmp(conf->entry[i].name, "restrict-user-to-routes") == 0 && is_true(&conf->entry[i])) ||
		    strcasecmp(conf->entry[i].name, "restrict-user-to-ports") == 0)
			return true;
	return false;
}

static void note_restriction(const struct ocserv_conf *conf, void *data)
{
	struct check *check = data;

	check->by_shell = check->by_shell || restricts(conf);
}

static void check_values(const struct ocserv_conf *conf, void *data)
{
	ocserv_conf_visit_pools(conf, check_pool, data);
	for (size_t i = 0; i < conf->entries; i++)
		check_dns(data, conf, &conf->entry[i]);
}

static void check_all(struct check *check, const struct ocserv_conf *conf)
{
	note_restriction(conf, check);
	ocserv_conf_visit_named(conf, note_restriction, check);
	if (check->by_shell)
		check->script = SHIM_PATH;
	check_device(check, conf);
	check_scripts(check, conf, "");
	for (size_t i = 0; i < conf->entries; i++)
		if (conf->entry[i].section[0] && ocserv_conf_new_section(conf, i))
			check_scripts(check, conf, conf->entry[i].section);
	check_values(conf, check);
	ocserv_conf_visit_named(conf, check_values, check);
}

bool ocserv_check(const struct config *config, struct netlink *route, struct report *report)
{
	char own[4096] = "";
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	struct check check = { config, route, report, length > 0 ? own : "/usr/sbin/" PROGRAM, false };
	struct ocserv_conf conf;
	bool read = ocserv_conf_read(&conf, config->ocserv_conf) == 0;

	if (read)
		check_all(&check, &conf);
	else if (config->setting[KEY_OCSERV_CONF].origin != FROM_DEFAULT || errno != ENOENT)
		config_error(config, report, KEY_OCSERV_CONF, "%s; name ocserv's configuration there or with --ocserv-conf",
			     strerror(errno));
	ocserv_conf_free(&conf);
	return read;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"
#include "base/privileges.h"
#include "base/trust.h"
#include "config/ini.h"
#include "config/keys.h"
#include "config/ocserv_conf.h"
#include "config/pools.h"
#include "config/variables.h"

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
#define VALUE_SHOWN 200		/* bytes of a bad value that a message quotes */

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
	for (unsigned int i = 0; i < config->gateways; i++)
		for (int family = 0; family < FAMILIES; family++)
			if (config->gateway[i].to[family].mode != GATEWAY_UNSET)
				return false;
	return true;
}

bool gateway_leads(const struct gateway *gateway, int family)
{
	return gateway->to[family].mode == GATEWAY_ADDRESS || gateway->to[family].mode == GATEWAY_LINK;
}

bool gateway_masquerades(const struct gateway *gateway, int family)
{
	return gateway->masquerade && gateway_leads(gateway, family);
}

bool config_leads(const struct config *config, int family)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (gateway_leads(&config->gateway[i], family))
			return true;
	return false;
}

bool config_masquerades(const struct config *config, int family)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (gateway_masquerades(&config->gateway[i], family))
			return true;
	return false;
}

bool config_covers(const struct config *config, int family)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (gateway_leads(&config->gateway[i], family) || config->gateway[i].to[family].mode == GATEWAY_BLOCK)
			return true;
	return false;
}

bool config_blocks(const struct config *config, int family)
{
	return config_covers(config, family) && !config_leads(config, family);
}

const struct gateway *config_default(const struct config *config)
{
	return &config->gateway[0];
}

bool config_has_table(const struct config *config, uint32_t table)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (config->gateway[i].table == table)
			return true;
	return false;
}

enum config_key config_address_key(int family)
{
	return family == IPV4 ? KEY_ADDRESS4 : KEY_ADDRESS6;
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
	return keys[key].in_ocserv_conf && setting->value && strcasecmp(setting->value, "auto") == 0;
}

/* Where a # behind a blank begins what other files have as a comment; the end of @value where none does. */
static size_t length_before_comment(const char *value)
{
	size_t length = strcspn(value, "#");

	while (value[length] && length > 0 && !strchr(" \t", value[length - 1]))
		length += 1 + strcspn(value + length + 1, "#");
	return length;
}

static bool is_quote(char byte)
{
	return byte == '"' || byte == '\'';
}

/* @value as it was meant where it is written as in a shell or in ocserv.conf: quoted, or with a comment behind it. */
static void add_plain(struct text *plain, const char *value, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_quote(value[i]))
			text_add_bytes(plain, &value[i], 1);
	while (plain->length > 0 && strchr(" \t", plain->data[plain->length - 1]))
		plain->data[--plain->length] = '\0';
}

/* Whether a value is none of these; else @wrong says what it is, and how to write it. */
static bool is_written_plainly(const struct key_description *key, const struct setting *setting, struct text *wrong)
{
	struct text plain CLEANUP(text_free) = { 0 };
	const char *value = setting->value;
	size_t length = length_before_comment(value);
	bool commented = value[length], file = setting->origin == FROM_FILE;

	if (!commented && !strchr(value, '"') && !is_quote(value[0]) && !is_quote(value[length - 1]))
		return true;
	add_plain(&plain, value, length);
	text_add(wrong, "%s; write %s%s%.*s%s", commented ? "after a value, # starts no comment but is part of the value" :
		 "quotes are taken as part of the value", file ? key->name : key->environment, file ? " = " : "=", VALUE_SHOWN,
		 plain.length ? text_string(&plain) : "VALUE", commented && file ? ", and the comment on a line of its own" : "");
	return false;
}

/* Takes a value as the setting of @key, in place of one from a weaker origin. */
static int set(struct config *config, struct report *report, enum config_key key, struct setting setting)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	struct setting *kept = &config->setting[key];

	setting.value = duplicate(setting.value);
	free(kept->value);
	*kept = setting;
	if ((kept->origin == FROM_FILE || kept->origin == FROM_ENVIRONMENT) && !kept->automatic &&
	    !is_written_plainly(&keys[key].is, kept, &wrong))
		return config_error(config, report, key, "%s", text_string(&wrong));
	if (is_automatic(key, kept) || keys[key].parse(&keys[key], (char *)config + keys[key].field, setting.value, &wrong))
		return 0;
	return config_error(config, report, key, "%s", text_string(&wrong));
}

/* File and environment as they are read. */
struct reading {
	struct config *config;
	struct report *report;
	unsigned int seen[CONFIG_KEYS];		/* the line in which each key stands */
	bool faulty;
};

static void take_value(struct reading *reading, enum config_key key, struct setting setting)
{
	if (set(reading->config, reading->report, key, setting) < 0)
		reading->faulty = true;
}

static void take_fault(unsigned int line, const char *message, void *data)
{
	struct reading *reading = data;

	report_error(reading->report, EX_CONFIG, "%s:%u: %s", reading->config->path, line, message);
	reading->config->lines_refused = true;
	reading->faulty = true;
}

/* Whether a key is about gateway, kill switch or clients, and so is not there without one of them being meant. */
static bool asks_in_file(const struct key_description *key)
{
	return strcmp(key->section, "session") != 0 && strcmp(key->section, "log") != 0;
}

static void take_pair(unsigned int line, const char *section, const char *name, const char *value, void *data)
{
	struct reading *reading = data;
	struct config *config = reading->config;
	int key = keys_find(section, name);
	char message[512];

	if (key < 0) {
		const struct key_description *near;

		if (!section[0]) {
			near = keys_nearest(section, name, false);
			snprintf(message, sizeof(message), "'%.60s' is before any [section]; the nearest key is %s in [%s]",
				 name, near->name, near->section);
		} else if (keys_section_known(section)) {
			near = keys_nearest(section, name, false);
			snprintf(message, sizeof(message), "unknown key '%.60s' in [%s]; the nearest is %s in [%s]",
				 name, section, near->name, near->section);
		} else {
			near = keys_nearest(section, section, true);
			snprintf(message, sizeof(message), "'%.60s' is in the unknown section [%.60s]; "
				 "the nearest is [%s]", name, section, near->section);
		}
		take_fault(line, message, reading);
		return;
	}
	if (reading->seen[key]) {
		snprintf(message, sizeof(message), "[%s] %s is already set in line %u; keep one of them",
			 section, name, reading->seen[key]);
		take_fault(line, message, reading);
		return;
	}
	reading->seen[key] = line;
	if (!value[0]) {
		snprintf(message, sizeof(message), "[%s] %s is empty; write a value or delete the line", section, name);
		take_fault(line, message, reading);
		return;
	}
	if (!config->asking_line && asks_in_file(&keys[key].is))
		config->asking_line = line;
	take_value(reading, (enum config_key)key,
		   (struct setting){ .value = (char *)value, .origin = FROM_FILE, .line = line });
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

static void parse_text(struct reading *reading, struct text *file)
{
	static const struct ini_visitor visitor = { take_pair, take_fault };

	ini_read(file->data, file->length, &visitor, reading);
	reading->config->file_read = true;
}

static int parse_file(struct reading *reading, int fd)
{
	const struct config *config = reading->config;
	struct report *report = reading->report;
	struct text file CLEANUP(text_free) = { 0 };

	if (check_file(config, fd, report) < 0 || read_all(config, fd, &file, report) < 0)
		return -1;
	if (is_blank(&file))
		return report_error(report, EX_CONFIG, "%s: is empty, perhaps because the disk was full; write [gateway] address4 = "
				    "ADDRESS, or remove the file if no gateway is wanted", config->path);
	parse_text(reading, &file);
	return 0;
}

static bool is_there(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 || errno != ENOENT;
}

/* A file that nobody named may be missing: the environment may configure, as in a container. */
static int read_file(struct reading *reading, bool named)
{
	const struct config *config = reading->config;
	int fd = open(config->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = errno, result;

	if (fd < 0 && error == ENOENT && !named && !is_there(config->path))
		return 0;
	if (fd < 0)
		return report_error(reading->report, EX_CONFIG, "configuration %s: %s; %s", config->path, strerror(error),
				    privileges_remedy(error, error == ENOENT ?
						      "create it (see the sample), or name another with -c or "
						      "OCSERV_GATEWAY_CONFIG" :
						      "correct that, or name another with -c or OCSERV_GATEWAY_CONFIG"));
	result = parse_file(reading, fd);
	close(fd);
	return result;
}

static void read_defaults(struct reading *reading)
{
	for (int i = 0; i < CONFIG_KEYS; i++)
		if (keys[i].is.fallback)
			take_value(reading, (enum config_key)i,
				   (struct setting){ .value = (char *)keys[i].is.fallback, .origin = FROM_DEFAULT });
}

static void read_environment(struct reading *reading)
{
	for (int i = 0; i < CONFIG_KEYS; i++) {
		const char *value = keys[i].is.environment ? getenv(keys[i].is.environment) : NULL;

		if (value && value[0])
			take_value(reading, (enum config_key)i,
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
static int find_automatic(struct config *config, enum config_key key, const struct ocserv_conf *conf,
			  struct text pools[FAMILIES], struct report *report)
{
	struct setting setting = config->setting[key];
	struct text tunnels CLEANUP(text_free) = { 0 };
	const struct text *found = key == KEY_CLIENT_INTERFACE ? &tunnels : &pools[keys[key].family];

	add_tunnels(&tunnels, conf);
	if (found->length == 0 && key == KEY_SUBNET6 && !config_leads(config, IPV6)) {
		free(setting.value);
		config->setting[key] = (struct setting){ 0 };
		return 0;
	}
	if (found->length == 0)
		return config_error(config, report, key, "%s has no %s", conf->path, key == KEY_CLIENT_INTERFACE ? "device" :
				    key == KEY_SUBNET4 ? "ipv4-network" : "ipv6-network");
	setting.value = found->data;
	setting.automatic = true;
	return set(config, report, key, setting);
}

/* What stands behind a line that ends the file is not said: ocserv does not start with it. */
static int read_ocserv_conf(const struct config *config, enum config_key key, struct ocserv_conf *conf,
			    struct report *report)
{
	if (ocserv_conf_read(conf, config->ocserv_conf, NULL) < 0)
		return config_error(config, report, key, "can't read %s: %s; %s", config->ocserv_conf, strerror(errno),
				    privileges_remedy(errno, "name ocserv's configuration in [clients] ocserv_conf"));
	if (!conf->fault)
		return 0;
	config_error(config, report, key, "%s:%u: is neither `name = value` nor [vhost:NAME]: ocserv does not start with it; "
		     "correct that line", conf->path, conf->fault);
	ocserv_conf_free(conf);
	return -1;
}

static int find_all_automatic(struct config *config, struct report *report)
{
	const bool wanted[FAMILIES] = {
		is_automatic(KEY_SUBNET4, &config->setting[KEY_SUBNET4]),
		is_automatic(KEY_SUBNET6, &config->setting[KEY_SUBNET6]),
	};
	struct text pools[FAMILIES] = { 0 };
	struct ocserv_conf conf = { 0 };
	bool read = false, usable = true;
	int result = 0;

	for (int key = 0; key < CONFIG_KEYS; key++) {
		if (!is_automatic((enum config_key)key, &config->setting[key]))
			continue;
		if (!read && read_ocserv_conf(config, (enum config_key)key, &conf, report) < 0) {
			result = -1;
			continue;
		}
		if (!read && (wanted[IPV4] || wanted[IPV6]))
			usable = pools_find(config, &conf, wanted, pools, report) == 0;
		read = true;
		if (!usable || find_automatic(config, (enum config_key)key, &conf, pools, report) < 0)
			result = -1;
	}
	for (int family = 0; family < FAMILIES; family++)
		text_free(&pools[family]);
	ocserv_conf_free(&conf);
	return result;
}

static int check_subnet(const struct config *config, int family, struct report *report)
{
	enum config_key subnet = family == IPV4 ? KEY_SUBNET4 : KEY_SUBNET6;
	bool needed = config_leads(config, family) || (config_blocks(config, family) && family == IPV4);

	if (needed && !config->setting[subnet].value && !config->lines_refused)
		return config_error(config, report, subnet, "write the %s subnet of the clients, as in ocserv.conf",
				    family_name(family));
	return 0;
}

static int check_next_hop(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	const struct subnets *subnets = &config->subnets[family];
	const struct address *address = &gateway->to[family].address;
	int result = 0;

	for (unsigned int i = 0; i < subnets->count; i++)
		if (prefix_contains(&subnets->prefix[i], address))
			result = config_error(config, report, config_address_key(family), "is inside the client subnet %s; the "
					      "gateway must be another host", subnets->text[i]);
	if (address_is_link_local(address) && !gateway->interface[0])
		result = config_error(config, report, config_address_key(family), "is link-local; set [gateway] interface to the "
				      "interface it is on");
	return result;
}

static int check_link(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	if (!gateway->interface[0])
		return config_error(config, report, config_address_key(family), "needs the interface that leads to it; write "
				    "[gateway] interface = NAME, such as wg0");
	if (strcmp(gateway->interface, "lo") == 0)
		return config_error(config, report, KEY_GATEWAY_INTERFACE, "leads only to this host itself; name the one via "
				    "which clients are to leave, such as wg0");
	return 0;
}

static int check_mac(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	enum config_key key = family == IPV4 ? KEY_MAC4 : KEY_MAC6;

	if (!gateway->to[family].mac.known || gateway->to[family].mode == GATEWAY_ADDRESS)
		return 0;
	if (gateway->to[family].mode == GATEWAY_LINK)
		return config_error(config, report, key, "address%d = link has no next hop to have a hardware address; remove this",
				    family == IPV4 ? 4 : 6);
	return config_error(config, report, key, "there is no %s gateway to have this hardware address; set [gateway] address%d to its "
			    "address, or remove this", family_name(family), family == IPV4 ? 4 : 6);
}

static int check_exit(const struct config *config, const struct gateway *gateway, int family, struct report *report)
{
	if (gateway->to[family].mode == GATEWAY_ADDRESS)
		return check_next_hop(config, gateway, family, report);
	return gateway->to[family].mode == GATEWAY_LINK ? check_link(config, gateway, family, report) : 0;
}

static int check_gateway(const struct config *config, const struct gateway *gateway, struct report *report)
{
	int result = 0;

	for (int family = 0; family < FAMILIES; family++)
		if (check_exit(config, gateway, family, report) < 0 || check_mac(config, gateway, family, report) < 0)
			result = -1;
	if (gateway->interface[0] && interface_matches(&config->clients, gateway->interface))
		result = config_error(config, report, KEY_GATEWAY_INTERFACE, "is a tunnel interface of the clients "
				      "([clients] interface); the gateway must be elsewhere");
	return result;
}

/* What a gateway says nothing of is blocked. */
static void block_unset(struct gateway *gateway)
{
	for (int family = 0; family < FAMILIES; family++)
		if (gateway->to[family].mode == GATEWAY_UNSET)
			gateway->to[family].mode = GATEWAY_BLOCK;
}

/* Variables that ask for a gateway when they are there, even empty; those of the clients an image may set for itself. */
static const enum config_key asking_variables[] = {
	KEY_ADDRESS4, KEY_ADDRESS6, KEY_GATEWAY_INTERFACE, KEY_TABLE, KEY_PRIORITY,
};

#define WRITE_AN_ADDRESS "write [gateway] address4 = ADDRESS, or direct for both address4 and address6 if clients are to " \
			 "leave via this host's own route"

struct strange_variables {
	const struct config *config;
	struct report *report;
	int result;
};

static void complain_of_variable(const struct strange_variable *variable, void *data)
{
	struct strange_variables *strange = data;
	bool plain = config_is_plain(strange->config);
	const char *equals = variable->name + variable->length;
	char what[256];

	if (!plain && !equals[1])
		return;
	if (variable->meant)
		snprintf(what, sizeof(what), "environment: %.*s: is not read; perhaps it is a misspelt %s", variable->length, variable->name,
			 variable->meant);
	else
		snprintf(what, sizeof(what), "environment: %.*s: is not understood by this program", variable->length,
			 variable->name);
	if (plain && variable->asks)
		strange->result = report_error(strange->report, EX_CONFIG, "%s; no gateway is configured: " WRITE_AN_ADDRESS, what);
	else
		report_warning(strange->report, "%s; unset it if it is not for this program", what);
}

/* Plain ocserv is what nobody has asked to be anything else: a gateway that was lost is not that. */
static int check_plain(const struct config *config, struct report *report)
{
	struct strange_variables strange = { config, report, 0 };

	variables_visit_strange(complain_of_variable, &strange);
	if (config->asking_line)
		return report_error(report, EX_CONFIG, "%s:%u: asks for a gateway, but neither address4 nor address6 is set; "
				    WRITE_AN_ADDRESS, config->path, config->asking_line);
	for (size_t i = 0; i < sizeof(asking_variables) / sizeof(*asking_variables) && strange.result == 0; i++) {
		const char *name = keys[asking_variables[i]].is.environment, *value = getenv(name);

		if (value)
			return report_error(report, EX_CONFIG, "environment: %s=%.*s: %s; " WRITE_AN_ADDRESS, name, VALUE_SHOWN,
					    value, value[0] ? "asks for a gateway, but neither address4 nor address6 is set" :
					    "is empty, and no gateway is configured");
	}
	return strange.result;
}

static int check_together(struct config *config, struct report *report)
{
	struct strange_variables strange = { config, report, 0 };
	int result;

	variables_visit_strange(complain_of_variable, &strange);
	for (unsigned int i = 0; i < config->gateways; i++)
		block_unset(&config->gateway[i]);
	result = find_all_automatic(config, report);
	for (int family = 0; family < FAMILIES; family++)
		if (check_subnet(config, family, report) < 0)
			result = -1;
	for (unsigned int i = 0; i < config->gateways; i++)
		if (check_gateway(config, &config->gateway[i], report) < 0)
			result = -1;
	if (config->services.count && config->server != SERVER_SERVICES)
		result = config_error(config, report, KEY_SERVICES_PORTS, "takes effect only with [killswitch] server = services; set that, "
				      "or remove the line");
	return result;
}

/* By an option, which may be a path from here. */
static void set_ocserv_conf(struct config *config, const char *path)
{
	free(config->ocserv_conf);
	free(config->setting[KEY_OCSERV_CONF].value);
	config->ocserv_conf = duplicate(path);
	config->setting[KEY_OCSERV_CONF] = (struct setting){ .value = duplicate(path), .origin = FROM_OPTION };
}

const char *config_path(const char *path)
{
	const char *from_environment = getenv("OCSERV_GATEWAY_CONFIG");

	return path ? path : from_environment ? from_environment : DEFAULT_PATH;
}

static int begin(struct reading *reading, const char *path)
{
	struct config *config = reading->config;

	*config = (struct config){ .gateway[0].name = "default", .gateways = 1, .path = duplicate(config_path(path)) };
	if (!config->path[0])
		return report_error(reading->report, EX_CONFIG, "%s is empty; name the configuration there, or unset it for "
				    DEFAULT_PATH, path ? "--config" : "OCSERV_GATEWAY_CONFIG");
	read_defaults(reading);
	return 0;
}

/* What is not in the file, and whether all goes together. */
static int complete(struct reading *reading, const char *ocserv_conf)
{
	struct config *config = reading->config;
	struct report *report = reading->report;

	read_environment(reading);
	if (ocserv_conf)
		set_ocserv_conf(config, ocserv_conf);
	/* What was refused may have been the gateway. */
	if (config_is_plain(config))
		return reading->faulty ? -1 : check_plain(config, report);
	return check_together(config, report) < 0 || reading->faulty ? -1 : 0;
}

int config_load(struct config *config, const char *path, const char *ocserv_conf, struct report *report)
{
	struct reading reading = { .config = config, .report = report };

	if (begin(&reading, path) < 0 || read_file(&reading, path || getenv("OCSERV_GATEWAY_CONFIG")) < 0)
		return -1;
	return complete(&reading, ocserv_conf);
}

int config_try(struct config *config, const char *path, const struct text *file, struct report *report)
{
	struct reading reading = { .config = config, .report = report };
	struct text copy CLEANUP(text_free) = { 0 };

	if (begin(&reading, path) < 0)
		return -1;
	text_add_bytes(&copy, file->data, file->length);
	parse_text(&reading, &copy);
	return complete(&reading, NULL);
}

void subnets_free(struct subnets *subnets)
{
	free(subnets->prefix);
	free(subnets->text);
	*subnets = (struct subnets){ 0 };
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

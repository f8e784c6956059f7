/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/config.h"
#include "base/privileges.h"
#include "config/assigned.h"
#include "config/file.h"
#include "config/gateways.h"
#include "config/image.h"
#include "config/ini.h"
#include "config/keys.h"
#include "config/ocserv_conf.h"
#include "config/pools.h"
#include "config/reading.h"
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

/* Of a file of [maps] it is not known whom it sends where: it is read when somebody connects. */
static bool is_mapped_by_name(const struct config *config)
{
	for (int whose = 0; whose < WHOSE; whose++)
		if (config->assigned[whose].count || config->map[whose])
			return true;
	return false;
}

bool config_is_mapped(const struct config *config)
{
	return config->gateways > 1 || is_mapped_by_name(config);
}

bool config_may_send(const struct config *config, const struct gateway *gateway)
{
	for (int whose = 0; whose < WHOSE; whose++) {
		if (config->map[whose])
			return true;
		for (unsigned int i = 0; i < config->assigned[whose].count; i++)
			if (config->assigned[whose].each[i].gateway == gateway)
				return true;
	}
	return gateway == config_default(config);
}

bool config_is_plain(const struct config *config)
{
	return !config_is_mapped(config) && config->gateway[0].to[IPV4].mode == GATEWAY_UNSET &&
	       config->gateway[0].to[IPV6].mode == GATEWAY_UNSET;
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

static bool any_gateway_is(const struct config *config, int family, enum gateway_mode mode)
{
	for (unsigned int i = 0; i < config->gateways; i++)
		if (config->gateway[i].to[family].mode == mode)
			return true;
	return false;
}

bool config_covers(const struct config *config, int family)
{
	return config_leads(config, family) || any_gateway_is(config, family, GATEWAY_BLOCK) ||
	       config_may_send(config, &config->block);
}

bool config_blocks(const struct config *config, int family)
{
	return config_covers(config, family) && !config_leads(config, family) &&
	       !any_gateway_is(config, family, GATEWAY_DIRECT) && !config_may_send(config, &config->direct);
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

const char *gateway_section(const struct gateway *gateway, char text[GATEWAY_SECTION])
{
	snprintf(text, GATEWAY_SECTION, gateway->setting ? "[gateway %s]" : "[gateway]", gateway->name);
	return text;
}

/* "FILE:LINE: [SECTION] KEY = VALUE", or the same of an environment variable or a default */
static void add_origin(struct text *text, const struct config *config, const struct gateway *gateway,
		       const struct key_description *key, const struct setting *setting)
{
	char section[GATEWAY_SECTION];

	if (gateway->setting)
		gateway_section(gateway, section);
	else
		snprintf(section, sizeof(section), "[%s]", key->section);
	switch (setting->origin) {
	case FROM_FILE:
		text_add(text, "%s:%u: %s %s = %s%.*s%s", setting->place ? setting->place : config->path, setting->line, section,
			 key->name, setting->automatic ? "auto (" : "", VALUE_SHOWN, setting->value,
			 setting->automatic ? ")" : "");
		break;
	case FROM_ENVIRONMENT:
		text_add(text, setting->place ? "environment: %s: %s=%.*s" : "environment: %s%s=%.*s",
			 setting->place ? setting->place : key->environment, setting->place ? gateway->name : "", VALUE_SHOWN,
			 setting->value);
		break;
	case FROM_OPTION:
		text_add(text, "--ocserv-conf %.*s", VALUE_SHOWN, setting->value);
		break;
	case FROM_DEFAULT:
		text_add(text, "%s: %s %s%s%s", config->path, section, key->name, setting->value ? " = " : " is not set",
			 setting->value ? setting->value : "");
		break;
	}
}

static int PRINTF(5, 0) add_error(const struct config *config, const struct gateway *gateway, struct report *report,
				  enum config_key key, const char *format, va_list args)
{
	struct text message CLEANUP(text_free) = { 0 };

	add_origin(&message, config, gateway, &keys[key].is, gateway_setting(config, gateway, key));
	text_add_string(&message, ": ");
	text_add_formatted(&message, format, args);
	return report_error(report, EX_CONFIG, "%s", text_string(&message));
}

int config_error(const struct config *config, struct report *report, enum config_key key, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_error(config, config_default(config), report, key, format, args);
	va_end(args);
	return -1;
}

int gateway_error(const struct config *config, const struct gateway *gateway, struct report *report, enum config_key key,
		  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_error(config, gateway, report, key, format, args);
	va_end(args);
	return -1;
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

static void *field_of(struct config *config, struct gateway *gateway, enum config_key key)
{
	return (keys[key].of_each ? (char *)gateway : (char *)config) + keys[key].field;
}

/* Takes a value as the setting of @key, in place of one from a weaker origin. */
static int set(struct config *config, struct gateway *gateway, struct report *report, enum config_key key,
	       struct setting setting)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	struct setting *kept = gateway->setting ? &gateway->setting[key] : &config->setting[key];

	setting.value = duplicate(setting.value);
	free(kept->value);
	*kept = setting;
	if ((kept->origin == FROM_FILE || kept->origin == FROM_ENVIRONMENT) && !kept->automatic &&
	    !is_written_plainly(&keys[key].is, kept, &wrong))
		return gateway_error(config, gateway, report, key, "%s", text_string(&wrong));
	if (is_automatic(key, kept) || keys[key].parse(&keys[key], field_of(config, gateway, key), setting.value, &wrong))
		return 0;
	return gateway_error(config, gateway, report, key, "%s", text_string(&wrong));
}

void reading_take(struct reading *reading, struct gateway *gateway, enum config_key key, struct setting setting)
{
	if (set(reading->config, gateway, reading->report, key, setting) < 0)
		reading->faulty = true;
}

static void take_value(struct reading *reading, enum config_key key, struct setting setting)
{
	reading_take(reading, &reading->config->gateway[0], key, setting);
}

void reading_error(struct reading *reading, const char *origin, const char *format, ...)
{
	struct text message CLEANUP(text_free) = { 0 };
	va_list args;

	va_start(args, format);
	text_add_formatted(&message, format, args);
	va_end(args);
	report_error(reading->report, EX_CONFIG, "%s: %s", origin, text_string(&message));
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

/* It is the first one. */
static void note_asking(const struct reading *reading, unsigned int line)
{
	if (!reading->config->asking_line)
		reading->config->asking_line = line;
}

static void PRINTF(3, 4) fault(struct reading *reading, unsigned int line, const char *format, ...)
{
	struct text message CLEANUP(text_free) = { 0 };
	va_list args;

	va_start(args, format);
	text_add_formatted(&message, format, args);
	va_end(args);
	take_fault(line, text_string(&message), reading);
}

/* One section for each name, and none for none. */
static struct gateway *begin_gateway(struct reading *reading, unsigned int line, const char *written)
{
	struct config *config = reading->config;
	struct text wrong CLEANUP(text_free) = { 0 };
	char name[GATEWAY_NAME];
	struct gateway *gateway;

	if (!gateway_name_read(name, written, &wrong)) {
		fault(reading, line, "[gateway %.60s]: %s", written, text_string(&wrong));
		return NULL;
	}
	gateway = gateways_find(config, name);
	if (gateway) {
		fault(reading, line, "[gateway %s] is already in line %u; keep one of them", name, gateway->line);
		return NULL;
	}
	gateway = gateways_add(config, name, line);
	if (!gateway)
		fault(reading, line, "[gateway %s] is one too many: at most %d gateways may have names", name, CONFIG_GATEWAYS - 1);
	return gateway;
}

static bool take_section(unsigned int line, const char *section, void *data)
{
	static const char gateway[] = "gateway";
	struct reading *reading = data;
	const char *name = section + sizeof(gateway) - 1;
	int whose = assigned_find(section);

	reading->refused = false;
	reading->gateway = NULL;
	if (strncmp(section, gateway, sizeof(gateway) - 1) == 0 && (*name == ' ' || *name == '\t')) {
		memset(reading->seen_here, 0, sizeof(reading->seen_here));
		reading->gateway = begin_gateway(reading, line, name + strspn(name, " \t"));
		reading->refused = !reading->gateway;
		note_asking(reading, line);
	}
	return whose >= 0;
}

/* The section whose name is nearest, of those with keys and those with names. */
static const char *nearest_section(const char *section)
{
	const char *near = keys_nearest(section, section, true)->section;

	for (enum whose whose = 0; whose < WHOSE; whose++)
		if (text_distance(section, assigned_section(whose)) < text_distance(section, near))
			near = assigned_section(whose);
	return near;
}

static void take_unknown(struct reading *reading, unsigned int line, const char *section, const char *name)
{
	const struct key_description *near = keys_nearest(section, name, false);

	if (!section[0])
		fault(reading, line, "'%.60s' is before any [section]; the nearest key is %s in [%s]", name, near->name,
		      near->section);
	else if (keys_section_known(section))
		fault(reading, line, "unknown key '%.60s' in [%s]; the nearest is %s in [%s]", name, section, near->name,
		      near->section);
	else
		fault(reading, line, "'%.60s' is in the unknown section [%.60s]; the nearest is [%s]", name, section,
		      nearest_section(section));
}

/* alice = nl */
static void take_assignment(struct reading *reading, enum whose whose, unsigned int line, const char *name, const char *value)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	const char *section = assigned_section(whose);

	note_asking(reading, line);
	if (!value[0])
		fault(reading, line, "[%s] %.60s is empty; write a gateway, or delete the line", section, name);
	else if (!assigned_add(reading->config, whose, name, value, line, &wrong))
		fault(reading, line, "[%s] %.60s: %s", section, name, text_string(&wrong));
}

/* A key of [gateway NAME]; -1 where it has none such, which is said. */
static int find_key_of_each(struct reading *reading, unsigned int line, const char *name)
{
	int key = keys_find("gateway", name);
	char section[GATEWAY_SECTION];

	gateway_section(reading->gateway, section);
	if (key >= 0 && keys[key].of_each)
		return key;
	if (key >= 0)
		fault(reading, line, "%s %s: belongs in [gateway], and is for all gateways", section, name);
	else
		fault(reading, line, "unknown key '%.60s' in %s; the nearest is %s", name, section,
		      keys_nearest_of_each(name)->name);
	return -1;
}

/* Whether a key stands there for the first time, and with a value. */
static bool is_good_pair(struct reading *reading, unsigned int *seen, unsigned int line, const char *section, const char *name,
			 const char *value)
{
	unsigned int before = *seen;

	if (!before)
		*seen = line;
	if (before)
		fault(reading, line, "[%s] %s is already set in line %u; keep one of them", section, name, before);
	else if (!value[0])
		fault(reading, line, "[%s] %s is empty; write a value or delete the line", section, name);
	return !before && value[0];
}

static void take_pair(unsigned int line, const char *section, const char *name, const char *value, void *data)
{
	struct reading *reading = data;
	struct gateway *gateway = reading->gateway ? reading->gateway : &reading->config->gateway[0];
	int whose = assigned_find(section);
	int key;

	if (reading->refused)
		return;
	if (whose >= 0) {
		take_assignment(reading, (enum whose)whose, line, name, value);
		return;
	}
	key = reading->gateway ? find_key_of_each(reading, line, name) : keys_find(section, name);
	if (key < 0 && !reading->gateway)
		take_unknown(reading, line, section, name);
	if (key < 0 || !is_good_pair(reading, &(reading->gateway ? reading->seen_here : reading->seen)[key], line, section, name,
				     value))
		return;
	if (asks_in_file(&keys[key].is))
		note_asking(reading, line);
	reading_take(reading, gateway, (enum config_key)key,
		     (struct setting){ .value = (char *)value, .origin = FROM_FILE, .line = line });
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
	static const struct ini_visitor visitor = { take_section, take_pair, take_fault };

	ini_read(file->data, file->length, &visitor, reading);
	reading->config->file_read = true;
}

static int parse_file(struct reading *reading, int fd)
{
	const struct config *config = reading->config;
	struct report *report = reading->report;
	struct text file CLEANUP(text_free) = { 0 }, wrong CLEANUP(text_free) = { 0 };

	if (!file_read_open(fd, FILE_SIZE_MAX, &file, &wrong))
		return report_error(report, EX_CONFIG, "%s: %s", config->path, text_string(&wrong));
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
	return set(config, config->gateway, report, key, setting);
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
	bool needed = config_leads(config, family) || (config_covers(config, family) && family == IPV4);

	if (needed && !config->setting[subnet].value && !config->lines_refused)
		return config_error(config, report, subnet, "write the %s subnet of the clients, as in ocserv.conf",
				    family_name(family));
	return 0;
}

/* Variables that ask for a gateway when they are there, even empty; those of the clients an image may set for itself. */
static const char *const asking_variables[] = {
	"VPN_GATEWAY", "VPN_GATEWAY6", "WAN_IF", "VPN_GATEWAY_TABLE", "VPN_GATEWAY_RULE_PRIO", "VPN_GATEWAYS", "VPN_GATEWAYS6",
	"VPN_GATEWAYS_FILE", "VPN_USER_GATEWAY", "VPN_USER_GATEWAY_FILE",
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

	if (variable->harmless || (!plain && !equals[1]))
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
		const char *name = asking_variables[i], *value = getenv(name);

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
	gateways_settle(config);
	result = find_all_automatic(config, report);
	if (assigned_check(config, report) < 0)
		result = -1;
	for (int family = 0; family < FAMILIES; family++)
		if (check_subnet(config, family, report) < 0)
			result = -1;
	if (gateways_check(config, report) < 0)
		result = -1;
	if (config->services.count && config->server != SERVER_SERVICES)
		result = config_error(config, report, KEY_SERVICES_PORTS, "takes effect only with [killswitch] server = services; set that, "
				      "or remove the line");
	/* What has ended, or moved to another gateway, would go on there. */
	if (config->fast_path != FAST_PATH_NO && !config->forget_flows)
		result = config_error(config, report, KEY_FAST_PATH, "needs [session] forget_flows = yes, which takes flows out of the "
				      "flow table when their session ends or leaves via another gateway; set that, or fast_path = no");
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

	*config = (struct config){ .gateway = allocate(1, sizeof(*config->gateway)), .gateways = 1,
				     .direct = { .name = "direct", .to = { { .mode = GATEWAY_DIRECT }, { .mode = GATEWAY_DIRECT } } },
				     .block = { .name = "block", .to = { { .mode = GATEWAY_BLOCK }, { .mode = GATEWAY_BLOCK } } },
				     .path = duplicate(config_path(path)) };
	memcpy(config->gateway->name, "default", sizeof("default"));
	if (!config->path[0])
		return report_error(reading->report, EX_CONFIG, "%s is empty; name the configuration there, or unset it for "
				    DEFAULT_PATH, path ? "--config" : "OCSERV_GATEWAY_CONFIG");
	read_defaults(reading);
	image_read_users(reading);
	return 0;
}

/* What is not in the file, and whether all goes together. */
static int complete(struct reading *reading, const char *ocserv_conf)
{
	struct config *config = reading->config;
	struct report *report = reading->report;

	read_environment(reading);
	image_read_gateways(reading);
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
	for (int whose = 0; whose < WHOSE; whose++)
		free(config->map[whose]);
	assigned_free(config);
	gateways_free(config);
	*config = (struct config){ 0 };
}

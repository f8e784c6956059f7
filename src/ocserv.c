/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ocserv.h"
#include "gateway.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_PATH SYSCONFDIR "/ocserv/ocserv.conf"
#define PROGRAM "ocserv-gateway"
#define SHIM "ocserv-gateway-hook"
#define SHIM_PATH PKGLIBEXECDIR "/" SHIM

/* A line of a file: `name = value`, in a section that is "" or that of a virtual host. */
struct entry {
	char *section, *name, *value;
	unsigned int line;
};

struct file {
	const char *path;
	struct entry *entry;
	size_t entries;
};

struct check {
	const struct config *config;
	struct netlink *route;
	struct report *report;
	const char *script;	/* what connect-script is to name */
	bool by_shell;		/* ocserv's firewall script comes first, and runs connect-script with sh */
};

/* Reading */

struct reader {
	FILE *stream;
	struct file *file;
	unsigned int line;
};

/*
 * For ini_parse_stream(): without the blanks before a line, which would make it go on with the value before, and
 * without what is too long for a buffer, which is no key of interest here.
 */
static char *read_line(char *buffer, int size, void *user)
{
	struct reader *reader = user;
	size_t skipped, length;
	int c = 0;

	if (!fgets(buffer, size, reader->stream))
		return NULL;
	reader->line++;
	length = strlen(buffer);
	if (length > 0 && buffer[length - 1] != '\n')
		while (c != EOF && c != '\n')
			c = getc(reader->stream);
	skipped = strspn(buffer, " \t");
	memmove(buffer, buffer + skipped, length - skipped + 1);
	return buffer;
}

static int take_entry(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;
	struct file *file = reader->file;
	size_t length = strlen(value);
	bool quoted = length >= 2 && value[0] == '"' && value[length - 1] == '"';
	struct entry *entry;

	file->entry = make_room_for_one(file->entry, file->entries, sizeof(*file->entry));
	entry = &file->entry[file->entries++];
	*entry = (struct entry){
		duplicate(section), duplicate(name), duplicate(value + quoted), reader->line
	};
	if (quoted)
		entry->value[length - 2] = '\0';
	return 1;
}

static void free_file(struct file *file)
{
	for (size_t i = 0; i < file->entries; i++) {
		free(file->entry[i].section);
		free(file->entry[i].name);
		free(file->entry[i].value);
	}
	free(file->entry);
	*file = (struct file){ 0 };
}

/* What is no pair is ocserv's to complain of. */
static int read_file(struct file *file, const char *path)
{
	struct reader reader = { .stream = fopen(path, "re"), .file = file };

	*file = (struct file){ .path = path };
	if (!reader.stream)
		return -1;
	ini_parse_stream(read_line, &reader, take_entry, &reader);
	fclose(reader.stream);
	return 0;
}

/* The last entry of that name, which counts; NULL where there is none. */
static const struct entry *find(const struct file *file, const char *section, const char *name)
{
	for (size_t i = file->entries; i-- > 0; )
		if (strcmp(file->entry[i].section, section) == 0 && strcasecmp(file->entry[i].name, name) == 0)
			return &file->entry[i];
	return NULL;
}

/* Findings */

enum severity { WARNING, ERROR };

static void PRINTF(5, 6) finding(const struct check *check, const struct file *file, const struct entry *entry,
				 enum severity severity, const char *format, ...)
{
	struct text where CLEANUP(text_free) = { 0 };
	char what[512];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	text_add(&where, "%s", file->path);
	if (entry)
		text_add(&where, ":%u: %s = %.200s", entry->line, entry->name, entry->value);
	if (severity == ERROR)
		report_error(check->report, EX_CONFIG, "%s: %s", text_string(&where), what);
	else
		report_warning(check->report, "%s: %s", text_string(&where), what);
}

static bool is_true(const struct entry *entry)
{
	return entry && (strcasecmp(entry->value, "true") == 0 || strcasecmp(entry->value, "yes") == 0);
}

/* The length of a dotted netmask; false where it is none. */
static bool parse_netmask(const char *text, uint8_t *length)
{
	struct prefix ones = { .address.family = AF_INET, .address.bytes = { 255, 255, 255, 255 } }, masked;
	struct address mask;

	if (!address_parse(&mask, text) || mask.family != AF_INET)
		return false;
	for (ones.length = 0; ones.length <= 32; ones.length++) {
		masked = prefix_mask(&ones);
		if (address_equal(&masked.address, &mask)) {
			*length = ones.length;
			return true;
		}
	}
	return false;
}

/* A pool as ocserv has it: ADDRESS/LENGTH, or its length in an entry of its own. False where it is none. */
static bool parse_pool(const struct file *file, const char *section, const struct entry *entry, int family,
		       struct prefix *pool)
{
	const struct entry *length = find(file, section, family == IPV4 ? "ipv4-netmask" : "ipv6-prefix");
	unsigned long long number;

	if (!prefix_parse(pool, entry->value)) {
		if (!length || !address_parse(&pool->address, entry->value))
			return false;
		if (family == IPV4 && !parse_netmask(length->value, &pool->length))
			return false;
		if (family == IPV6 && !number_parse(length->value, 1, 128, &number))
			return false;
		if (family == IPV6)
			pool->length = (uint8_t)number;
	}
	*pool = prefix_mask(pool);
	return pool->address.family == family_of(family);
}

static bool is_governed(const struct config *config, const struct prefix *pool, int family)
{
	const struct subnets *subnets = &config->subnets[family];

	for (unsigned int i = 0; i < subnets->count; i++)
		if (subnets->prefix[i].length <= pool->length && prefix_contains(&subnets->prefix[i], &pool->address))
			return true;
	return false;
}

static void check_pool(const struct check *check, const struct file *file, const struct entry *entry,
		       const struct prefix *pool, int family)
{
	const char digit = family == IPV4 ? '4' : '6';
	char text[PREFIX_TEXT];

	if (!config_governs(check->config, family) || is_governed(check->config, pool, family))
		return;
	prefix_text(pool, text);
	if (family == IPV6 && check->config->subnets[IPV6].count == 0)
		finding(check, file, entry, WARNING, "no policy rule is about clients' IPv6, the kill switch alone stops it; "
			"set [clients] subnet6 = %s", text);
	else
		finding(check, file, entry, ERROR, "is not within [clients] subnet%c, so sessions with these addresses are "
			"refused; add %s to it", digit, text);
}

static void check_pools(const struct check *check, const struct file *file, const char *section)
{
	static const struct { const char *name; int family; bool single; } keys[] = {
		{ "ipv4-network", IPV4, false }, { "ipv6-network", IPV6, false },
		{ "explicit-ipv4", IPV4, true }, { "explicit-ipv6", IPV6, true },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		const struct entry *entry = find(file, section, keys[i].name);
		struct prefix pool;

		if (!entry)
			continue;
		pool.length = keys[i].family == IPV4 ? 32 : 128;
		if (keys[i].single ? address_parse(&pool.address, entry->value) &&
				     pool.address.family == family_of(keys[i].family) :
				     parse_pool(file, section, entry, keys[i].family, &pool))
			check_pool(check, file, entry, &pool, keys[i].family);
	}
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

static bool is_dns(const struct entry *entry)
{
	return strcasecmp(entry->name, "dns") == 0 || strcasecmp(entry->name, "ipv4-dns") == 0 ||
	       strcasecmp(entry->name, "ipv6-dns") == 0;
}

static void check_dns(const struct check *check, const struct file *file, const struct entry *entry)
{
	struct address address;

	if (!is_dns(entry) || check->config->dns == DNS_ANY || !address_parse(&address, entry->value) ||
	    !is_servers(check, &address))
		return;
	if (check->config->dns == DNS_BLOCK)
		finding(check, file, entry, ERROR, "is this host, to which [killswitch] dns = block rejects clients' questions, "
			"so they resolve no name; push a DNS server beyond the gateway");
	else
		finding(check, file, entry, WARNING, "is this host: it asks by the host's own route, not by the gateway; push "
			"a DNS server beyond the gateway, or set [killswitch] dns = any if that is meant");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void check_script(const struct check *check, const struct file *file, const struct entry *entry)
{
	const char *name = base_name(entry->value);

	if (strcmp(name, PROGRAM) == 0 && check->by_shell)
		finding(check, file, entry, ERROR, "with restrict-user-to-routes or restrict-user-to-ports, ocserv's firewall "
			"script runs this with sh, which can't; write %s = %s", entry->name, check->script);
	else if (strcmp(name, PROGRAM) != 0 && strcmp(name, SHIM) != 0)
		finding(check, file, entry, WARNING, "is another program: sessions are without a kill switch, unless it runs "
			PROGRAM " and ends with its exit status; write %s = %s, and that program into [session] "
			"next_script", entry->name, check->script);
	else if (access(entry->value, X_OK) < 0)
		finding(check, file, entry, ERROR, "%s; ocserv refuses every session", strerror(errno));
}

static void check_scripts(const struct check *check, const struct file *file, const char *section)
{
	const struct entry *connect = find(file, section, "connect-script");
	const struct entry *disconnect = find(file, section, "disconnect-script");

	if (connect)
		check_script(check, file, connect);
	else if (!section[0])
		finding(check, file, NULL, ERROR, "has no connect-script: sessions are without a kill switch until `up` is "
			"run, and nothing repairs it; write connect-script = %s", check->script);
	if (disconnect)
		check_script(check, file, disconnect);
	else if (!section[0])
		finding(check, file, NULL, WARNING, "has no disconnect-script: the next holder of an address gets what is left "
			"of the last one's flows; write disconnect-script = %s", check->script);
}

static void check_device(const struct check *check, const struct file *file)
{
	const struct entry *device = find(file, "", "device");
	char name[2 * IFNAMSIZ], pattern[IFNAMSIZ + 1];

	if (!device || strlen(device->value) >= IFNAMSIZ)
		return;
	snprintf(name, sizeof(name), "%s0", device->value);
	if (!interface_matches(&check->config->clients, name))
		finding(check, file, device, ERROR, "makes tunnels like %s, which [clients] interface = %s does not match, so "
			"every session is refused; set interface = %s*", name,
			interface_pattern_text(&check->config->clients, pattern), device->value);
}

static bool restricts(const struct file *file)
{
	for (size_t i = 0; i < file->entries; i++)
		if ((strcasecmp(file->entry[i].name, "restrict-user-to-routes") == 0 && is_true(&file->entry[i])) ||
		    strcasecmp(file->entry[i].name, "restrict-user-to-ports") == 0)
			return true;
	return false;
}

static bool is_new_section(const struct file *file, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(file->entry[i].section, file->entry[index].section) == 0)
			return false;
	return true;
}

/* The files for groups and users */

typedef void (*file_visitor)(struct check *check, const struct file *file);

static void visit_file(struct check *check, const char *path, file_visitor visit)
{
	struct file file;

	if (read_file(&file, path) == 0)
		visit(check, &file);
	free_file(&file);
}

static void visit_directory(struct check *check, const char *path, file_visitor visit)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		struct text name CLEANUP(text_free) = { 0 };

		text_add(&name, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", entry->d_name);
		if (entry->d_name[0] != '.')
			visit_file(check, text_string(&name), visit);
	}
	if (directory)
		closedir(directory);
}

static void visit_named_files(struct check *check, const struct file *file, file_visitor visit)
{
	for (size_t i = 0; i < file->entries; i++) {
		const struct entry *entry = &file->entry[i];

		if (!entry->value[0])
			continue;
		if (strcasecmp(entry->name, "config-per-group") == 0 || strcasecmp(entry->name, "config-per-user") == 0)
			visit_directory(check, entry->value, visit);
		if (strcasecmp(entry->name, "default-group-config") == 0 ||
		    strcasecmp(entry->name, "default-user-config") == 0)
			visit_file(check, entry->value, visit);
	}
}

static void note_restriction(struct check *check, const struct file *file)
{
	check->by_shell = check->by_shell || restricts(file);
}

static void check_values(struct check *check, const struct file *file)
{
	for (size_t i = 0; i < file->entries; i++) {
		if (is_new_section(file, i))
			check_pools(check, file, file->entry[i].section);
		check_dns(check, file, &file->entry[i]);
	}
}

static void check_main_file(struct check *check, const struct file *file)
{
	note_restriction(check, file);
	visit_named_files(check, file, note_restriction);
	if (check->by_shell)
		check->script = SHIM_PATH;
	check_device(check, file);
	check_scripts(check, file, "");
	for (size_t i = 0; i < file->entries; i++)
		if (file->entry[i].section[0] && is_new_section(file, i))
			check_scripts(check, file, file->entry[i].section);
	check_values(check, file);
	visit_named_files(check, file, check_values);
}

bool ocserv_check(const char *path, const struct config *config, struct netlink *route, struct report *report)
{
	char own[4096] = "";
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	struct check check = { config, route, report, length > 0 ? own : "/usr/sbin/" PROGRAM, false };
	struct file file;
	bool read = read_file(&file, path ? path : DEFAULT_PATH) == 0;

	if (read)
		check_main_file(&check, &file);
	else if (path || errno != ENOENT)
		report_error(report, EX_CONFIG, "%s: %s; name ocserv's configuration with --ocserv-conf",
			     path ? path : DEFAULT_PATH, strerror(errno));
	free_file(&file);
	return read;
}

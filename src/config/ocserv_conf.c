/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/ocserv_conf.h"
#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (1 << 20)

/*
 * As ocserv builds its inih (configure.ac: INI_MAX_LINE, INI_INLINE_COMMENT_PREFIXES, INI_ALLOW_MULTILINE,
 * INI_STOP_ON_FIRST_ERROR), and as its own code then takes quotes off values. libinih has other settings, built in.
 */
#define LINE_SIZE 2048		/* with its NUL: what is longer goes on as another line */
#define SECTION_SIZE 50

struct reader {
	struct ocserv_conf *conf;
	char section[SECTION_SIZE];
	const char *name;	/* of the last pair in this section: what an indented line goes on with; NULL: none */
	unsigned int line;
};

/* Blanks in the "C" locale, as everywhere in ocserv. */
static bool is_blank(char byte)
{
	return isspace((unsigned char)byte);
}

/* Where one of @ends is, or a comment, which has a blank before it; else the end of the text. */
static char *find_end(char *text, const char *ends)
{
	bool blank = false;

	for (; *text && !strchr(ends, *text) && !(blank && *text == '#'); text++)
		blank = is_blank(*text);
	return text;
}

static void cut_blanks(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && is_blank(text[length - 1]))
		text[--length] = '\0';
}

static char *skip_blanks(char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

static bool is_wrapping(char byte)
{
	return byte == '"' || is_blank(byte);
}

/* A value without what wraps it. Of nothing but that ocserv makes no value; of nothing at all an empty one. */
static char *unwrap(char *value)
{
	size_t length = strlen(value);
	bool empty = length == 0;

	while (length > 0 && is_wrapping(value[length - 1]))
		value[--length] = '\0';
	while (is_wrapping(*value))
		value++;
	return *value || empty ? value : NULL;
}

static bool is_read(const struct reader *reader)
{
	return !reader->section[0] || (!reader->conf->outer && strncmp(reader->section, "vhost:", 6) == 0);
}

static void take_value(struct reader *reader, const char *name, char *value, bool continued)
{
	struct ocserv_conf *conf = reader->conf;

	*find_end(value, "") = '\0';
	value = unwrap(value);
	if (!value || !is_read(reader))
		return;
	conf->entry = make_room_for_one(conf->entry, conf->entries, sizeof(*conf->entry));
	conf->entry[conf->entries++] = (struct ocserv_entry){
		duplicate(reader->section), duplicate(name), duplicate(value), reader->line, continued
	};
}

static bool take_section(struct reader *reader, char *name)
{
	char *end = find_end(name, "]");

	if (*end != ']')
		return false;
	*end = '\0';
	snprintf(reader->section, sizeof(reader->section), "%s", name);
	reader->name = NULL;
	return true;
}

static bool take_pair(struct reader *reader, char *name, char last[LINE_SIZE])
{
	char *end = find_end(name, "=:");

	if (*end != '=' && *end != ':')
		return false;
	*end = '\0';
	cut_blanks(name);
	memmove(last, name, strlen(name) + 1);
	reader->name = last[0] ? last : NULL;
	take_value(reader, last, end + 1, false);
	return true;
}

/* Returns false where ocserv reads no further. */
static bool take_line(struct reader *reader, char *line, char last[LINE_SIZE])
{
	char *text;

	if (reader->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	cut_blanks(line);
	text = skip_blanks(line);
	if (!*text || *text == '#' || *text == ';')
		return true;
	if (reader->name && text > line) {
		take_value(reader, reader->name, text, true);
		return true;
	}
	return *text == '[' ? take_section(reader, text + 1) : take_pair(reader, text, last);
}

static void read_lines(struct reader *reader, FILE *stream)
{
	char line[LINE_SIZE], last[LINE_SIZE];

	while (fgets(line, sizeof(line), stream)) {
		reader->line++;
		if (strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n' && !reader->conf->too_long)
			reader->conf->too_long = reader->line;
		if (!take_line(reader, line, last)) {
			reader->conf->fault = reader->line;
			return;
		}
	}
}

/* A regular file alone, since others can be endless. */
static FILE *open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status = { 0 };

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX) {
		close(fd);
		errno = status.st_size > FILE_SIZE_MAX ? EFBIG : EINVAL;
		return NULL;
	}
	return fdopen(fd, "r");
}

int ocserv_conf_read(struct ocserv_conf *conf, const char *path, const struct ocserv_lengths *outer)
{
	struct reader reader = { .conf = conf };
	FILE *stream = open_file(path);

	*conf = (struct ocserv_conf){ .path = path, .outer = outer };
	if (!stream)
		return -1;
	read_lines(&reader, stream);
	fclose(stream);
	return 0;
}

void ocserv_conf_free(struct ocserv_conf *conf)
{
	for (size_t i = 0; i < conf->entries; i++) {
		free(conf->entry[i].section);
		free(conf->entry[i].name);
		free(conf->entry[i].value);
	}
	free(conf->entry);
	*conf = (struct ocserv_conf){ 0 };
}

const struct ocserv_entry *ocserv_conf_find(const struct ocserv_conf *conf, const char *section, const char *name)
{
	for (size_t i = conf->entries; i-- > 0; )
		if (strcmp(conf->entry[i].section, section) == 0 && strcmp(conf->entry[i].name, name) == 0)
			return &conf->entry[i];
	return NULL;
}

bool ocserv_conf_new_section(const struct ocserv_conf *conf, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(conf->entry[i].section, conf->entry[index].section) == 0)
			return false;
	return true;
}

/* Networks, as ocserv reads them: an address, and behind a slash a length, behind which anything may stand */

struct network {
	const struct ocserv_entry *entry;	/* NULL where there is none */
	unsigned int length;			/* 0 where none is known */
};

static unsigned int length_in(const char *value)
{
	const char *slash = strchr(value, '/');
	long length = slash ? strtol(slash + 1, NULL, 10) : 0;

	/* One that is too long is no length either, but not none. */
	return length < 0 || length > UINT8_MAX ? UINT8_MAX : (unsigned int)length;
}

static const struct { const char *network, *length, *single; } names[FAMILIES] = {
	{ "ipv4-network", "ipv4-netmask", "explicit-ipv4" }, { "ipv6-network", "ipv6-prefix", "explicit-ipv6" },
};

static void take_length(const struct ocserv_entry *entry, int family, struct network *network)
{
	unsigned long long number;

	if (family == IPV4)
		network->length = netmask_length(entry->value);
	else if (number_parse(entry->value, 1, 128, &number))
		network->length = (unsigned int)number;
}

/* In the order of the lines: the last length counts, wherever it stands. */
static struct network find_network(const struct ocserv_conf *conf, const char *section, int family)
{
	struct network network = { 0 };

	for (size_t i = 0; i < conf->entries; i++) {
		const struct ocserv_entry *entry = &conf->entry[i];

		if (strcmp(entry->section, section) != 0)
			continue;
		if (strcmp(entry->name, names[family].network) == 0) {
			network.entry = entry;
			network.length = length_in(entry->value) ? length_in(entry->value) : network.length;
		} else if (strcmp(entry->name, names[family].length) == 0 && !(conf->outer && family == IPV6)) {
			/* In a file for a group or user there is no ipv6-prefix. */
			take_length(entry, family, &network);
		}
	}
	return network;
}

/* What a network in @section, or in the files that it names, lacks. A virtual host has it of the main section. */
static struct ocserv_lengths lengths_of(const struct ocserv_conf *conf, const char *section)
{
	struct ocserv_lengths lengths = { 0 };

	for (int family = 0; family < FAMILIES; family++) {
		unsigned int length = find_network(conf, section, family).length;

		lengths.length[family] = length ? length : find_network(conf, "", family).length;
	}
	return lengths;
}

static bool parse_network(const char *value, unsigned int length, int family, struct prefix *prefix)
{
	size_t size = strcspn(value, "/");
	char text[ADDRESS_TEXT];

	if (size >= sizeof(text) || length == 0 || length > address_size(family_of(family)) * 8)
		return false;
	memcpy(text, value, size);
	text[size] = '\0';
	if (!address_parse(&prefix->address, text) || prefix->address.family != family_of(family))
		return false;
	prefix->length = (uint8_t)length;
	*prefix = prefix_mask(prefix);
	return true;
}

static void visit_network(const struct ocserv_conf *conf, const char *section, int family, ocserv_prefix_visitor visit,
			  void *data)
{
	struct network network = find_network(conf, section, family);
	struct ocserv_lengths outer = conf->outer ? *conf->outer : lengths_of(conf, section);
	struct prefix pool;

	if (network.entry && parse_network(network.entry->value, network.length ? network.length : outer.length[family],
					   family, &pool))
		visit(conf, network.entry, &pool, data);
}

static void visit_single(const struct ocserv_conf *conf, int family, ocserv_prefix_visitor visit, void *data)
{
	const struct ocserv_entry *entry = ocserv_conf_find(conf, "", names[family].single);
	struct prefix pool = { .length = (uint8_t)(address_size(family_of(family)) * 8) };

	if (entry && address_parse(&pool.address, entry->value) && pool.address.family == family_of(family))
		visit(conf, entry, &pool, data);
}

void ocserv_conf_visit_pools(const struct ocserv_conf *conf, ocserv_prefix_visitor visit, void *data)
{
	for (size_t i = 0; i < conf->entries; i++)
		for (int family = 0; ocserv_conf_new_section(conf, i) && family < FAMILIES; family++)
			visit_network(conf, conf->entry[i].section, family, visit, data);
	for (int family = 0; conf->outer && family < FAMILIES; family++)
		visit_single(conf, family, visit, data);
}

/* ADDRESS/LENGTH, or of IPv4 ADDRESS/NETMASK */
static bool parse_route(const char *value, struct prefix *prefix)
{
	const char *slash = strchr(value, '/');
	int family = strchr(value, ':') ? IPV6 : IPV4;
	unsigned int length = slash && strchr(slash, '.') ? netmask_length(slash + 1) : length_in(value);

	return parse_network(value, length, family, prefix);
}

void ocserv_conf_visit_lans(const struct ocserv_conf *conf, ocserv_prefix_visitor visit, void *data)
{
	struct prefix lan;

	for (size_t i = 0; conf->outer && i < conf->entries; i++)
		if (strcmp(conf->entry[i].name, "iroute") == 0 && parse_route(conf->entry[i].value, &lan))
			visit(conf, &conf->entry[i], &lan, data);
}

/* Files for groups and users */

bool ocserv_conf_named(const struct ocserv_conf *conf, size_t index, struct ocserv_named *named)
{
	static const struct { const char *directory, *single; } kinds[] = {
		{ "config-per-group", "default-group-config" }, { "config-per-user", "default-user-config" },
	};
	const struct ocserv_entry *entry = &conf->entry[index];

	if (!entry->value[0] || ocserv_conf_find(conf, entry->section, entry->name) != entry)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		bool directory = strcmp(entry->name, kinds[i].directory) == 0;

		if (!directory && (strcmp(entry->name, kinds[i].single) != 0 ||
				   !ocserv_conf_find(conf, entry->section, kinds[i].directory)))
			continue;
		*named = (struct ocserv_named){ entry->value, directory, lengths_of(conf, entry->section) };
		return true;
	}
	return false;
}

typedef void (*visitor)(const struct ocserv_conf *conf, void *data);

static void visit_file(const char *path, const struct ocserv_lengths *lengths, visitor visit, void *data)
{
	struct ocserv_conf conf;

	if (ocserv_conf_read(&conf, path, lengths) == 0)
		visit(&conf, data);
	ocserv_conf_free(&conf);
}

static void visit_directory(const struct ocserv_named *named, visitor visit, void *data)
{
	DIR *directory = opendir(named->path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		struct text name CLEANUP(text_free) = { 0 };

		text_add(&name, "%s%s%s", named->path, named->path[strlen(named->path) - 1] == '/' ? "" : "/",
			 entry->d_name);
		if (entry->d_name[0] != '.')
			visit_file(text_string(&name), &named->lengths, visit, data);
	}
	if (directory)
		closedir(directory);
}

void ocserv_conf_visit_named(const struct ocserv_conf *conf, visitor visit, void *data)
{
	for (size_t i = 0; i < conf->entries; i++) {
		struct ocserv_named named;

		if (!ocserv_conf_named(conf, i, &named))
			continue;
		if (named.directory)
			visit_directory(&named, visit, data);
		else
			visit_file(named.path, &named.lengths, visit, data);
	}
}

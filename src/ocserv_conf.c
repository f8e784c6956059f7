/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ocserv_conf.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE_MAX (1 << 20)

struct reader {
	FILE *stream;
	struct ocserv_conf *conf;
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
	struct ocserv_conf *conf = reader->conf;
	size_t length = strlen(value);
	bool quoted = length >= 2 && value[0] == '"' && value[length - 1] == '"';
	struct ocserv_entry *entry;

	conf->entry = make_room_for_one(conf->entry, conf->entries, sizeof(*conf->entry));
	entry = &conf->entry[conf->entries++];
	*entry = (struct ocserv_entry){
		duplicate(section), duplicate(name), duplicate(value + quoted), reader->line
	};
	if (quoted)
		entry->value[length - 2] = '\0';
	return 1;
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

int ocserv_conf_read(struct ocserv_conf *conf, const char *path)
{
	struct reader reader = { .stream = open_file(path), .conf = conf };

	*conf = (struct ocserv_conf){ .path = path };
	if (!reader.stream)
		return -1;
	ini_parse_stream(read_line, &reader, take_entry, &reader);
	fclose(reader.stream);
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
		if (strcmp(conf->entry[i].section, section) == 0 && strcasecmp(conf->entry[i].name, name) == 0)
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

/* Files for groups and users */

typedef void (*visitor)(const struct ocserv_conf *conf, void *data);

static void visit_file(const char *path, visitor visit, void *data)
{
	struct ocserv_conf conf;

	if (ocserv_conf_read(&conf, path) == 0)
		visit(&conf, data);
	ocserv_conf_free(&conf);
}

static void visit_directory(const char *path, visitor visit, void *data)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		struct text name CLEANUP(text_free) = { 0 };

		text_add(&name, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", entry->d_name);
		if (entry->d_name[0] != '.')
			visit_file(text_string(&name), visit, data);
	}
	if (directory)
		closedir(directory);
}

void ocserv_conf_visit_named(const struct ocserv_conf *conf, visitor visit, void *data)
{
	for (size_t i = 0; i < conf->entries; i++) {
		const struct ocserv_entry *entry = &conf->entry[i];

		if (!entry->value[0])
			continue;
		if (strcasecmp(entry->name, "config-per-group") == 0 || strcasecmp(entry->name, "config-per-user") == 0)
			visit_directory(entry->value, visit, data);
		if (strcasecmp(entry->name, "default-group-config") == 0 ||
		    strcasecmp(entry->name, "default-user-config") == 0)
			visit_file(entry->value, visit, data);
	}
}

/* Pools */

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
static bool parse_pool(const struct ocserv_conf *conf, const char *section, const struct ocserv_entry *entry,
		       int family, struct prefix *pool)
{
	const struct ocserv_entry *length;
	unsigned long long number;

	length = ocserv_conf_find(conf, section, family == IPV4 ? "ipv4-netmask" : "ipv6-prefix");
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

static bool parse_single(const struct ocserv_entry *entry, int family, struct prefix *pool)
{
	pool->length = family == IPV4 ? 32 : 128;
	return address_parse(&pool->address, entry->value) && pool->address.family == family_of(family);
}

void ocserv_conf_visit_pools(const struct ocserv_conf *conf,
			     void (*visit)(const struct ocserv_conf *conf, const struct ocserv_entry *entry,
					   const struct prefix *pool, void *data),
			     void *data)
{
	static const struct { const char *name; int family; bool single; } keys[] = {
		{ "ipv4-network", IPV4, false }, { "ipv6-network", IPV6, false },
		{ "explicit-ipv4", IPV4, true }, { "explicit-ipv6", IPV6, true },
	};

	for (size_t i = 0; i < conf->entries; i++) {
		const char *section = conf->entry[i].section;

		for (size_t j = 0; ocserv_conf_new_section(conf, i) && j < sizeof(keys) / sizeof(*keys); j++) {
			const struct ocserv_entry *entry = ocserv_conf_find(conf, section, keys[j].name);
			struct prefix pool;

			if (entry && (keys[j].single ? parse_single(entry, keys[j].family, &pool) :
						       parse_pool(conf, section, entry, keys[j].family, &pool)))
				visit(conf, entry, &pool, data);
		}
	}
}

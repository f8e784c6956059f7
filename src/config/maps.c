/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/maps.h"
#include "base/digest.h"
#include "config/assigned.h"
#include "config/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#define MAP_SIZE_MAX 67108864
#define ERRORS_SHOWN 20
#define VALUE_SHOWN 200

static enum config_key key_of(enum whose whose)
{
	return (enum config_key)(KEY_MAP_USERS + whose);
}

static const char *name_of(const struct who *who, enum whose whose)
{
	const char *name = whose == OF_USER ? who->user : whose == OF_GROUP ? who->group : who->vhost;

	return name ? name : "";
}

/* Lines */

/* What stands in a line; the name with its quotes. */
struct map_line {
	const char *name, *value;
	size_t name_length, value_length;	/* both 0 where it says nothing */
};

static size_t blanks(const char *at, const char *end)
{
	const char *start = at;

	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return (size_t)(at - start);
}

/* Up to a blank, or to a = in a name. */
static size_t word_length(const char *at, const char *end, bool name)
{
	const char *start = at;

	while (at < end && *at != ' ' && *at != '\t' && *at != '\r' && !(name && *at == '='))
		at++;
	return (size_t)(at - start);
}

/* Returns what is wrong with it; NULL where nothing is. */
static const char *read_line(struct map_line *line, const char *at, const char *end)
{
	*line = (struct map_line){ 0 };
	at += blanks(at, end);
	if (at == end || *at == '#')
		return NULL;
	line->name = at;
	line->name_length = *at == '"' ? name_quoted_length(at, (size_t)(end - at)) : word_length(at, end, true);
	if (*at == '"' && !line->name_length)
		return "the name has no quote at its end";
	at += line->name_length;
	at += blanks(at, end);
	if (at < end && *at == '=')
		at += 1 + blanks(at + 1, end);
	line->value = at;
	line->value_length = word_length(at, end, false);
	at += line->value_length;
	at += blanks(at, end);
	if (!line->value_length || *line->value == '#')
		return "names no gateway; write NAME GATEWAY";
	if (at < end && *at != '#')
		return "something stands behind the gateway; a name with blanks needs double quotes around it";
	return NULL;
}

static const struct gateway *find_gateway(const struct config *config, const struct map_line *line)
{
	char word[GATEWAY_NAME + 1];

	if (line->value_length >= sizeof(word))
		return NULL;
	memcpy(word, line->value, line->value_length);
	word[line->value_length] = '\0';
	return config_gateway_named(config, word);
}

/* The file in memory: between two line breaks, so that each line has one before and one behind it. */
struct map {
	struct text text;
	const char *first, *end;	/* of its lines */
};

static int map_read(struct map *map, const struct config *config, enum whose whose, struct report *report)
{
	struct text wrong CLEANUP(text_free) = { 0 };

	*map = (struct map){ 0 };
	text_add_string(&map->text, "\n");
	if (!file_read(config->map[whose], MAP_SIZE_MAX, &map->text, &wrong))
		return config_error(config, report, key_of(whose), "%s", text_string(&wrong));
	text_add_string(&map->text, "\n");
	if (strncmp(map->text.data + 1, "\xef\xbb\xbf", 3) == 0)
		memset(map->text.data + 1, ' ', 3);
	map->first = map->text.data + 1;
	map->end = map->text.data + map->text.length;
	return 0;
}

/* The end of the line that begins at @line or holds it. */
static const char *line_end(const struct map *map, const char *line)
{
	return memchr(line, '\n', (size_t)(map->end - line));
}

static const char *line_start(const char *within)
{
	while (within[-1] != '\n')
		within--;
	return within;
}

static unsigned int line_number(const struct map *map, const char *line)
{
	unsigned int number = 1;

	for (const char *at = map->first; at < line; at = line_end(map, at) + 1)
		number++;
	return number;
}

/* Looking a name up */

struct search {
	const struct config *config;
	enum whose whose;
	const char *name;
	struct map map;			/* empty where no file is named */
	const struct assignment *assignment;	/* found in the configuration, else NULL */
	const char *found;		/* the line of the file, and what stands in it */
	struct map_line line;
};

/* Whether the name of a line is this one, or a pattern that means it. */
static bool line_is_about(const struct search *search, const struct map_line *line, bool pattern)
{
	struct text name CLEANUP(text_free) = { 0 }, wrong CLEANUP(text_free) = { 0 };
	bool quoted = line->name_length && line->name[0] == '"', is_pattern;

	/* Most are another at the first look. */
	if (!quoted && !pattern && line->name_length != strlen(search->name))
		return false;
	if (!name_read(&name, &is_pattern, line->name, line->name_length, &wrong) || is_pattern != pattern)
		return false;
	return pattern ? name_fits(text_string(&name), name.length, search->name) :
	       strcmp(text_string(&name), search->name) == 0;
}

/* Looks at the line that holds @within, and keeps it if it is about the name. */
static bool look_at(struct search *search, const char *within, bool pattern)
{
	const char *start = line_start(within);
	struct map_line line;

	if (read_line(&line, start, line_end(&search->map, start)) || !line.name_length || !line_is_about(search, &line, pattern))
		return false;
	search->found = start;
	search->line = line;
	return true;
}

/* What is to be looked through: the first one counts. */
static const char *search_end(const struct search *search)
{
	return search->found ? search->found : search->map.end;
}

/* A line that begins with these bytes. */
static void find_beginning(struct search *search, const char *beginning, size_t length)
{
	const char *at = search->map.text.data, *end = search_end(search);

	for (; at < end && (at = memmem(at, (size_t)(end - at), beginning, length)); at++)
		if (look_at(search, at + 1, false))
			return;
}

static void find_plain(struct search *search)
{
	struct text beginning CLEANUP(text_free) = { 0 };

	text_add(&beginning, "\n%s", search->name);
	find_beginning(search, beginning.data, beginning.length);
}

/* A name has one form in quotes. */
static void find_quoted(struct search *search)
{
	struct text beginning CLEANUP(text_free) = { 0 };

	if (!memchr(search->map.first, '"', (size_t)(search_end(search) - search->map.first)))
		return;
	text_add_string(&beginning, "\n");
	name_add_quoted(&beginning, search->name);
	find_beginning(search, beginning.data, beginning.length);
}

/* A line with this byte that is a pattern which means the name. */
static void find_with(struct search *search, char byte)
{
	const char *at = search->map.first, *end = search_end(search);

	while (at < end && (at = memchr(at, byte, (size_t)(end - at)))) {
		if (look_at(search, at, true))
			return;
		at = line_end(&search->map, at);
	}
}

/* Each looks before what the last one has found. */
static bool find_in_map(struct search *search, bool pattern)
{
	if (!search->map.first)
		return false;
	if (pattern) {
		find_with(search, '*');
		find_with(search, '?');
	} else {
		find_plain(search);
		find_quoted(search);
		find_beginning(search, "\n ", 2);
		find_beginning(search, "\n\t", 2);
	}
	return search->found;
}

static bool find_in_lines(struct search *search, bool pattern)
{
	const struct assignments *assigned = &search->config->assigned[search->whose];

	for (unsigned int i = 0; i < assigned->count; i++) {
		const struct assignment *each = &assigned->each[i];

		if (each->pattern != pattern || !(pattern ? name_fits(each->name, strlen(each->name), search->name) :
						  strcmp(each->name, search->name) == 0))
			continue;
		search->assignment = each;
		return true;
	}
	return false;
}

/* A file that the environment names comes before what it says itself, as in the image; one of [maps] behind [users]. */
static bool find_by(struct search *search, bool pattern)
{
	bool map_first = search->config->setting[key_of(search->whose)].origin == FROM_ENVIRONMENT;

	if (map_first)
		return find_in_map(search, pattern) || find_in_lines(search, pattern);
	return find_in_lines(search, pattern) || find_in_map(search, pattern);
}

static void add_line_origin(struct text *text, const struct search *search)
{
	const struct map_line *line = &search->line;

	text_add(text, "%s:%u: %.*s %.*s", search->config->map[search->whose], line_number(&search->map, search->found),
		 (int)(line->name_length < VALUE_SHOWN ? line->name_length : VALUE_SHOWN), line->name,
		 (int)(line->value_length < VALUE_SHOWN ? line->value_length : VALUE_SHOWN), line->value);
}

static const struct gateway *gateway_of_line(const struct search *search, struct text *text, struct report *report)
{
	const struct gateway *gateway = find_gateway(search->config, &search->line);
	struct text origin CLEANUP(text_free) = { 0 };

	if (gateway && !text)
		return gateway;
	add_line_origin(gateway ? text : &origin, search);
	if (gateway)
		return gateway;
	text_add_string(&origin, ": there is no such gateway");
	assigned_add_gateways(&origin, search->config);
	report_error(report, EX_CONFIG, "%s", text_string(&origin));
	return NULL;
}

/* Sets @gateway where a line is about this name, and leaves it NULL where none is; -1 with the reason in @report. */
static int look_up(struct search *search, const struct gateway **gateway, struct text *line, struct report *report)
{
	if (search->config->map[search->whose] && map_read(&search->map, search->config, search->whose, report) < 0)
		return -1;
	if (!find_by(search, false) && !find_by(search, true))
		return 0;
	if (search->assignment) {
		*gateway = search->assignment->gateway;
		if (line)
			assigned_add_origin(line, search->config, search->whose, search->assignment);
		return 0;
	}
	*gateway = gateway_of_line(search, line, report);
	return *gateway ? 0 : -1;
}

const struct gateway *config_gateway_of(const struct config *config, const struct who *who, struct text *line,
					struct report *report)
{
	const struct gateway *gateway = NULL;

	for (enum whose whose = 0; whose < WHOSE && !gateway; whose++) {
		struct search search = { .config = config, .whose = whose, .name = name_of(who, whose) };
		int result;

		if (!search.name[0])
			continue;
		result = look_up(&search, &gateway, line, report);
		text_free(&search.map.text);
		if (result < 0)
			return NULL;
	}
	if (!gateway && line)
		text_add_string(line, "no line names that one");
	return gateway ? gateway : config_default(config);
}

/* Looking at all */

struct validation {
	const struct config *config;
	enum whose whose;
	struct report *report;
	struct name_set names;
	char *room;			/* for names as they are meant */
	unsigned int errors;
};

static void PRINTF(3, 4) complain(struct validation *validation, unsigned int number, const char *format, ...)
{
	struct text message CLEANUP(text_free) = { 0 };
	va_list args;

	if (validation->errors++ >= ERRORS_SHOWN)
		return;
	text_add(&message, "%s:%u: ", validation->config->map[validation->whose], number);
	va_start(args, format);
	text_add_formatted(&message, format, args);
	va_end(args);
	report_error(validation->report, EX_CONFIG, "%s", text_string(&message));
}

/* A name that stands already, in this file or in the configuration. */
static void check_once(struct validation *validation, const struct name_place *place)
{
	const struct name_place *other = name_set_add(&validation->names, place);
	struct text name CLEANUP(text_free) = { 0 };

	if (!other)
		return;
	name_add(&name, place->name, place->pattern);
	complain(validation, place->line, "%.*s stands already in %s:%u; keep one of them", VALUE_SHOWN, text_string(&name),
		 other->path, other->line);
}

static void check_name(struct validation *validation, const struct map_line *line, unsigned int number)
{
	struct text name CLEANUP(text_free) = { 0 }, wrong CLEANUP(text_free) = { 0 };
	struct name_place place = { .path = validation->config->map[validation->whose], .line = number };
	char *kept = validation->room;

	if (!name_read(&name, &place.pattern, line->name, line->name_length, &wrong)) {
		complain(validation, number, "%s", text_string(&wrong));
		return;
	}
	/* No name is longer than it is written. */
	memcpy(kept, text_string(&name), name.length + 1);
	validation->room += name.length + 1;
	place.name = kept;
	check_once(validation, &place);
}

static void check_gateway(struct validation *validation, const struct map_line *line, unsigned int number)
{
	struct text there CLEANUP(text_free) = { 0 };

	if (find_gateway(validation->config, line))
		return;
	assigned_add_gateways(&there, validation->config);
	complain(validation, number, "there is no gateway '%.*s'%s",
		 (int)(line->value_length < VALUE_SHOWN ? line->value_length : VALUE_SHOWN), line->value, text_string(&there));
}

static void check_line(struct validation *validation, const char *start, const char *end, unsigned int number)
{
	struct map_line line;
	const char *wrong = has_controls(start, (size_t)(end - start)) ? "the line holds control characters; is this a text file?" :
			    read_line(&line, start, end);

	if (wrong) {
		complain(validation, number, "%s", wrong);
	} else if (line.value_length) {
		check_name(validation, &line, number);
		check_gateway(validation, &line, number);
	}
}

static int check_map(const struct config *config, enum whose whose, struct report *report)
{
	struct validation validation = { .config = config, .whose = whose, .report = report };
	unsigned int number = 0;
	struct map map;
	char *names;

	if (map_read(&map, config, whose, report) < 0) {
		text_free(&map.text);
		return -1;
	}
	names = validation.room = allocate(map.text.length + 1, 1);
	/* What the environment says may stand in a file of its own, too. */
	if (config->setting[key_of(whose)].origin != FROM_ENVIRONMENT)
		assigned_names(config, whose, &validation.names);
	for (const char *line = map.first; line < map.end; line = line_end(&map, line) + 1)
		check_line(&validation, line, line_end(&map, line), ++number);
	if (validation.errors > ERRORS_SHOWN)
		report_error(report, EX_CONFIG, "%s: and %u more errors", config->map[whose], validation.errors - ERRORS_SHOWN);
	name_set_free(&validation.names);
	text_free(&map.text);
	free(names);
	return validation.errors ? -1 : 0;
}

int maps_check(const struct config *config, struct report *report)
{
	int result = 0;

	for (enum whose whose = 0; whose < WHOSE; whose++)
		if (config->map[whose] && check_map(config, whose, report) < 0)
			result = -1;
	return result;
}

unsigned int maps_count(const struct config *config, enum whose whose)
{
	struct report unread = { 0 };
	struct map_line line;
	unsigned int count = 0;
	struct map map;

	if (map_read(&map, config, whose, &unread) == 0)
		for (const char *at = map.first; at < map.end; at = line_end(&map, at) + 1)
			count += !read_line(&line, at, line_end(&map, at)) && line.value_length;
	text_free(&map.text);
	report_free(&unread);
	return count;
}

/* The stamp */

static bool is_settled(const struct timespec *change)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return change->tv_sec <= now.tv_sec - MAPS_SETTLED;
}

/* Returns false where it says nothing for sure. */
static bool add_file(struct text *stamp, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0 || !is_settled(&status.st_ctim))
		return false;
	text_add(stamp, "%jx:%jx:%jx:%jx.%jx:%jx.%jx,", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino,
		 (uintmax_t)status.st_size, (uintmax_t)status.st_mtim.tv_sec, (uintmax_t)status.st_mtim.tv_nsec,
		 (uintmax_t)status.st_ctim.tv_sec, (uintmax_t)status.st_ctim.tv_nsec);
	return true;
}

/* What the check of a file depends on besides. */
static uint64_t digest_of(const struct config *config)
{
	uint64_t digest = DIGEST_NOTHING;

	for (unsigned int i = 0; i < config->gateways; i++)
		digest_add_string(&digest, config->gateway[i].name);
	for (enum whose whose = 0; whose < WHOSE; whose++) {
		const struct assignments *assigned = &config->assigned[whose];

		digest_add_string(&digest, config->map[whose]);
		digest_add(&digest, &config->setting[key_of(whose)].origin, sizeof(config->setting[key_of(whose)].origin));
		for (unsigned int i = 0; i < assigned->count; i++) {
			digest_add_string(&digest, assigned->each[i].line ? assigned->each[i].name : NULL);
			digest_add(&digest, &assigned->each[i].pattern, sizeof(bool));
		}
	}
	return digest;
}

void maps_stamp(const struct config *config, char stamp[MAPS_STAMP])
{
	struct text text CLEANUP(text_free) = { 0 };
	bool trusted = true;

	for (enum whose whose = 0; whose < WHOSE; whose++)
		if (config->map[whose] && !add_file(&text, config->map[whose]))
			trusted = false;
	text_add(&text, "%jx", (uintmax_t)digest_of(config));
	snprintf(stamp, MAPS_STAMP, "%s", trusted ? text_string(&text) : "");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/maps.h"
#include "base/digest.h"
#include "config/assigned.h"
#include "config/file.h"
#include "config/kept.h"
#include "config/map_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#define MAP_SIZE_MAX 67108864
#define ERRORS_SHOWN 20
#define VALUE_SHOWN 200
#define NAMES_NOBODY "names nobody, so all would leave as the other lines say; was it lost? Write NAME GATEWAY, or remove this"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

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

/* The file in memory, with a line break behind it, so that each line has one. */
struct map {
	struct text text;
	const char *first, *end;	/* of its lines */
};

static int map_read(struct map *map, const struct config *config, enum whose whose, struct report *report)
{
	struct text wrong CLEANUP(text_free) = { 0 };

	*map = (struct map){ 0 };
	if (!file_read(config->map[whose], MAP_SIZE_MAX, &map->text, &wrong))
		return config_error(config, report, key_of(whose), "%s", text_string(&wrong));
	/* Who writes in place, or onto a full disk, leaves it so. */
	if (!map->text.length)
		return config_error(config, report, key_of(whose), NAMES_NOBODY);
	text_add_string(&map->text, "\n");
	if (strncmp(map->text.data, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
		memset(map->text.data, ' ', strlen(BYTE_ORDER_MARK));
	map->first = map->text.data;
	map->end = map->text.data + map->text.length;
	return 0;
}

/* The end of the line that begins at @line. */
static const char *line_end(const struct map *map, const char *line)
{
	return memchr(line, '\n', (size_t)(map->end - line));
}

/* A file in memory in which names are looked for by a table. */
struct held_map {
	struct map map;
	struct name_set names;		/* each with the offset of its line as its line */
	char *room;			/* for names as they are meant */
	size_t used;
	unsigned int *pattern;		/* offsets of the lines of patterns, in the file's order */
	size_t patterns;
};

static const char *keep_name(struct held_map *held, const struct text *name)
{
	char *kept = held->room + held->used;

	/* No name is longer than it is written. */
	memcpy(kept, text_string(name), name->length + 1);
	held->used += name->length + 1;
	return kept;
}

static void hold_line(struct held_map *held, const char *start)
{
	struct text name CLEANUP(text_free) = { 0 }, wrong CLEANUP(text_free) = { 0 };
	struct name_place place = { .line = (unsigned int)(start - held->map.first) };
	struct map_line line;

	if (read_line(&line, start, line_end(&held->map, start)) || !line.value_length ||
	    !name_read(&name, &place.pattern, line.name, line.name_length, &wrong))
		return;
	if (place.pattern) {
		held->pattern = make_room_for_one(held->pattern, held->patterns, sizeof(*held->pattern));
		held->pattern[held->patterns++] = place.line;
		return;
	}
	place.name = keep_name(held, &name);
	name_set_add(&held->names, &place);
}

static int hold_map(struct held_map *held, const struct config *config, enum whose whose, struct report *report)
{
	if (map_read(&held->map, config, whose, report) < 0)
		return -1;
	held->room = allocate(held->map.text.length + 1, 1);
	for (const char *at = held->map.first; at < held->map.end; at = line_end(&held->map, at) + 1)
		hold_line(held, at);
	return 0;
}

/* Looking a name up */

struct search {
	const struct config *config;
	enum whose whose;
	const char *name;
	bool pattern;			/* it is looked for among these now */
	struct map map;			/* the file in memory; empty where none is named, or its index serves */
	struct map_index *index;	/* else NULL */
	const struct held_map *held;	/* the same */
	bool unusable;			/* it turned out to be */
	const struct assignment *assignment;	/* found in the configuration, else NULL */
	const struct gateway *gateway;	/* found in the file, else NULL */
	struct text line;		/* what is there, in words */
	bool found;
};

/* Most lines are such ones. */
static bool plain_is_about(const struct search *search, const char *name, size_t length)
{
	bool pattern = memchr(name, '*', length) || memchr(name, '?', length);

	if (pattern != search->pattern)
		return false;
	return pattern ? name_fits(name, length, search->name) :
	       strlen(search->name) == length && memcmp(name, search->name, length) == 0;
}

static bool quoted_is_about(const struct search *search, const char *written, size_t length)
{
	struct text name CLEANUP(text_free) = { 0 }, wrong CLEANUP(text_free) = { 0 };
	bool pattern;

	return !search->pattern && name_read(&name, &pattern, written, length, &wrong) &&
	       strcmp(text_string(&name), search->name) == 0;
}

/* Whether the name of a line is this one, or a pattern that means it. */
static bool line_is_about(const struct search *search, const struct map_line *line)
{
	if (!line->name_length)
		return false;
	return (line->name[0] == '"' ? quoted_is_about : plain_is_about)(search, line->name, line->name_length);
}

static void add_part(struct text *text, const char *part, size_t length)
{
	text_add(text, " %.*s", (int)(length < VALUE_SHOWN ? length : VALUE_SHOWN), part);
}

static bool look_at(const char *start, const char *end, void *data)
{
	struct search *search = data;
	struct map_line line;

	if (read_line(&line, start, end) || !line_is_about(search, &line))
		return false;
	search->found = true;
	search->gateway = find_gateway(search->config, &line);
	add_part(&search->line, line.name, line.name_length);
	add_part(&search->line, line.value, line.value_length);
	return true;
}

/* With the number of the line in front. */
static void look_through(struct search *search)
{
	const struct map *map = &search->map;
	unsigned int number = 1;

	for (const char *at = map->first; at < map->end; at = line_end(map, at) + 1, number++) {
		struct text rest CLEANUP(text_free) = { 0 };

		if (!look_at(at, line_end(map, at), search))
			continue;
		rest = search->line;
		search->line = (struct text){ 0 };
		text_add(&search->line, "%s:%u:%s", search->config->map[search->whose], number, text_string(&rest));
		return;
	}
}

static void look_at_held(struct search *search, unsigned int offset)
{
	const struct map *map = &search->held->map;
	const char *start = map->first + offset;

	look_at(start, line_end(map, start), search);
}

static bool find_in_held(struct search *search)
{
	const struct held_map *held = search->held;
	const struct name_place *place = search->pattern ? NULL : name_set_find(&held->names, search->name);

	if (place)
		look_at_held(search, place->line);
	for (size_t i = 0; i < held->patterns && search->pattern && !search->found; i++)
		look_at_held(search, held->pattern[i]);
	return search->found;
}

static bool find_in_map(struct search *search)
{
	if (search->held)
		return find_in_held(search);
	if (search->index)
		search->unusable |= !map_index_visit(search->index, search->pattern ? NULL : search->name, look_at, search);
	else if (search->map.first)
		look_through(search);
	return search->found;
}

static bool find_in_lines(struct search *search)
{
	const struct assignments *assigned = &search->config->assigned[search->whose];

	for (unsigned int i = 0; i < assigned->count; i++) {
		const struct assignment *each = &assigned->each[i];

		if (each->pattern != search->pattern ||
		    !(each->pattern ? name_fits(each->name, strlen(each->name), search->name) :
		      strcmp(each->name, search->name) == 0))
			continue;
		search->assignment = each;
		search->found = true;
		break;
	}
	return search->found;
}

/* A file that the environment names comes before what it says itself, as in the image; one of [maps] behind [users]. */
static bool find_by(struct search *search, bool pattern)
{
	search->pattern = pattern;
	if (search->config->setting[key_of(search->whose)].origin == FROM_ENVIRONMENT)
		return find_in_map(search) || find_in_lines(search);
	return find_in_lines(search) || find_in_map(search);
}

static void find(struct search *search)
{
	if (!find_by(search, false))
		find_by(search, true);
}

/* False where there is no index, or it was of no use: then nothing was found. */
static bool find_with_index(struct search *search)
{
	struct map_index index;

	if (!map_index_open(&index, search->config, search->whose))
		return false;
	search->index = &index;
	find(search);
	search->index = NULL;
	map_index_close(&index);
	return !search->unusable;
}

static void begin_anew(struct search *search)
{
	text_free(&search->line);
	*search = (struct search){ .config = search->config, .whose = search->whose, .name = search->name };
}

/* The index does not know the numbers of lines, for which people ask. */
static int find_anywhere(struct search *search, bool numbers, struct report *report)
{
	const char *path = search->held ? NULL : search->config->map[search->whose];

	if (path && !numbers && find_with_index(search))
		return 0;
	if (path)
		begin_anew(search);
	if (path && map_read(&search->map, search->config, search->whose, report) < 0)
		return -1;
	find(search);
	return 0;
}

/* Sets @gateway where a line is about this name, and leaves it NULL where none is; -1 with the reason in @report. */
static int look_up(struct search *search, const struct gateway **gateway, struct text *line, struct report *report)
{
	struct text there CLEANUP(text_free) = { 0 };

	if (find_anywhere(search, line, report) < 0)
		return -1;
	if (!search->found)
		return 0;
	*gateway = search->assignment ? search->assignment->gateway : search->gateway;
	if (!*gateway) {
		assigned_add_gateways(&there, search->config);
		return report_error(report, EX_CONFIG, "%s%s: there is no such gateway%s", search->map.first ? "" :
				    search->config->map[search->whose], text_string(&search->line), text_string(&there));
	}
	if (line && search->assignment)
		assigned_add_origin(line, search->config, search->whose, search->assignment);
	else if (line)
		text_add_string(line, text_string(&search->line));
	return 0;
}

static const struct gateway *gateway_of(const struct config *config, const struct maps_held *held, const struct who *who,
					struct text *line, struct report *report)
{
	const struct gateway *gateway = NULL;

	for (enum whose whose = 0; whose < WHOSE && !gateway; whose++) {
		struct search search = {
			.config = config, .whose = whose, .name = name_of(who, whose), .held = held ? held->map[whose] : NULL,
		};
		int result;

		if (!search.name[0])
			continue;
		result = look_up(&search, &gateway, line, report);
		text_free(&search.map.text);
		text_free(&search.line);
		if (result < 0)
			return NULL;
	}
	if (!gateway && line)
		text_add_string(line, "no line of [users], [groups], [vhosts] and [maps] names it, so it leaves as [gateway] says");
	return gateway ? gateway : config_default(config);
}

const struct gateway *config_gateway_of(const struct config *config, const struct who *who, struct text *line,
					struct report *report)
{
	return gateway_of(config, NULL, who, line, report);
}

int maps_hold(struct maps_held *held, const struct config *config, struct report *report)
{
	*held = (struct maps_held){ .config = config };
	for (enum whose whose = 0; whose < WHOSE; whose++) {
		if (!config->map[whose])
			continue;
		held->map[whose] = allocate(1, sizeof(*held->map[whose]));
		if (hold_map(held->map[whose], config, whose, report) < 0)
			return -1;
	}
	return 0;
}

const struct gateway *maps_gateway_of(const struct maps_held *held, const struct who *who, struct report *report)
{
	return gateway_of(held->config, held, who, NULL, report);
}

void maps_release(struct maps_held *held)
{
	for (enum whose whose = 0; whose < WHOSE; whose++) {
		struct held_map *map = held->map[whose];

		if (!map)
			continue;
		text_free(&map->map.text);
		name_set_free(&map->names);
		free(map->pattern);
		free(map->room);
		free(map);
	}
	*held = (struct maps_held){ 0 };
}

/* Looking at all */

struct validation {
	const struct config *config;
	enum whose whose;
	struct report *report;
	struct name_set names;
	char *room;			/* for names as they are meant */
	struct map_index_draft index;
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
	complain(validation, place->line, "%.*s is already in %s:%u; keep one of them", VALUE_SHOWN, text_string(&name),
		 other->path, other->line);
}

/* @offset: of the name in the file */
static void check_name(struct validation *validation, const struct map_line *line, unsigned int number, size_t offset)
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
	map_index_add(&validation->index, place.pattern ? NULL : kept, offset);
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

static void check_line(struct validation *validation, const struct map *map, const char *start, unsigned int number)
{
	const char *end = line_end(map, start);
	struct map_line line;
	const char *wrong = has_controls(start, (size_t)(end - start)) ? "the line holds control characters; is this a text file?" :
			    read_line(&line, start, end);

	if (wrong) {
		complain(validation, number, "%s", wrong);
	} else if (line.value_length) {
		check_name(validation, &line, number, (size_t)(line.name - map->first));
		check_gateway(validation, &line, number);
	}
}

static int check_map(const struct config *config, enum whose whose, struct report *report)
{
	struct validation validation = { .config = config, .whose = whose, .report = report };
	unsigned int number = 0;
	struct stat status;
	bool known = stat(config->map[whose], &status) == 0;
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
		check_line(&validation, &map, line, ++number);
	if (!validation.errors && !validation.index.names && !validation.index.patterns) {
		config_error(config, report, key_of(whose), NAMES_NOBODY);
		validation.errors++;
	}
	if (!validation.errors && known)
		map_index_write(&validation.index, config, whose, &status);
	if (validation.errors > ERRORS_SHOWN)
		report_error(report, EX_CONFIG, "%s: and %u more errors", config->map[whose], validation.errors - ERRORS_SHOWN);
	name_set_free(&validation.names);
	map_index_free(&validation.index);
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

/* Returns false where it says nothing for sure. */
static bool add_file(struct text *stamp, const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0 || !kept_is_settled(&status, time(NULL)))
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

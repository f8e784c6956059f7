/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/names.h"
#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

#define TO_BE_QUOTED " \t=:;#\""	/* what no plain name has */

bool has_controls(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t' && !(line[i] == '\r' && i + 1 == length)) || line[i] == 0x7f)
			return true;
	return false;
}

size_t name_quoted_length(const char *line, size_t length)
{
	for (size_t i = 1; i < length; i++) {
		if (line[i] == '"')
			return i + 1;
		if (line[i] == '\\')
			i++;
	}
	return 0;
}

static bool read_quoted(struct text *name, const char *written, size_t length, struct text *wrong)
{
	if (name_quoted_length(written, length) != length) {
		text_add_string(wrong, "the name has no quote at its end, or something behind it; inside of quotes write \\\" for a quote");
		return false;
	}
	for (size_t i = 1; i < length - 1; i++) {
		if (written[i] == '\\' && written[++i] != '\\' && written[i] != '"') {
			text_add_string(wrong, "inside of quotes a backslash stands before \" or another backslash alone; write two of them");
			return false;
		}
		text_add_bytes(name, written + i, 1);
	}
	return true;
}

static bool read_plain(struct text *name, bool *pattern, const char *written, size_t length, struct text *wrong)
{
	for (size_t i = 0; i < length; i++) {
		if (strchr(TO_BE_QUOTED, written[i])) {
			text_add(wrong, "a name with a %s needs double quotes around it", strchr(" \t", written[i]) ? "blank" :
				 (char[]){ written[i], '\0' });
			return false;
		}
		*pattern |= written[i] == '*' || written[i] == '?';
	}
	text_add_bytes(name, written, length);
	return true;
}

bool name_read(struct text *name, bool *pattern, const char *written, size_t length, struct text *wrong)
{
	bool quoted = length > 0 && written[0] == '"';

	*pattern = false;
	if (!(quoted ? read_quoted(name, written, length, wrong) : read_plain(name, pattern, written, length, wrong)))
		return false;
	if (name->length == 0)
		text_add_string(wrong, "the name is empty");
	return name->length > 0;
}

void name_add(struct text *text, const char *name, bool pattern)
{
	if (pattern || (name[0] != '[' && !strpbrk(name, TO_BE_QUOTED "*?")))
		text_add_string(text, name);
	else
		name_add_quoted(text, name);
}

void name_add_quoted(struct text *text, const char *name)
{
	text_add_string(text, "\"");
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			text_add_string(text, "\\");
		text_add_bytes(text, name, 1);
	}
	text_add_string(text, "\"");
}

/* Behind the character that @name begins with. */
static const char *next_character(const char *name)
{
	if (*name)
		name++;
	while (((unsigned char)*name & 0xc0) == 0x80)
		name++;
	return name;
}

/* After a * the rest is tried further and further behind; the last * alone needs that. */
bool name_fits(const char *pattern, size_t length, const char *name)
{
	const char *end = pattern + length, *star = NULL, *tried = NULL;

	while (*name) {
		if (pattern < end && *pattern == '*') {
			star = ++pattern;
			tried = name;
		} else if (pattern < end && *pattern == '?') {
			pattern++;
			name = next_character(name);
		} else if (pattern < end && *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star;
			name = ++tried;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

/* Names are much alike: each bit is to reach all others. */
uint32_t name_digest(const char *name)
{
	uint64_t digest = DIGEST_NOTHING;

	digest_add_string(&digest, name);
	digest = (digest ^ digest >> 32) * 0x9e3779b97f4a7c15U;
	digest = (digest ^ digest >> 29) * 0x9e3779b97f4a7c15U;
	return (uint32_t)(digest >> 32);
}

/* The slot of this name, or the one that it is to get. */
static uint32_t *find_slot(const struct name_set *set, const struct name_place *place)
{
	size_t i = (name_digest(place->name) + place->pattern) & (set->slots - 1);

	for (; set->slot[i]; i = (i + 1) & (set->slots - 1)) {
		const struct name_place *other = &set->place[set->slot[i] - 1];

		if (other->pattern == place->pattern && strcmp(other->name, place->name) == 0)
			break;
	}
	return &set->slot[i];
}

/* At most half of the slots are taken. */
static void grow(struct name_set *set)
{
	free(set->slot);
	set->slots = set->slots ? 4 * set->slots : 64;
	set->slot = allocate(set->slots, sizeof(*set->slot));
	for (size_t i = 0; i < set->count; i++)
		*find_slot(set, &set->place[i]) = (uint32_t)i + 1;
}

const struct name_place *name_set_add(struct name_set *set, const struct name_place *place)
{
	uint32_t *slot;

	if (2 * (set->count + 1) > set->slots)
		grow(set);
	slot = find_slot(set, place);
	if (*slot)
		return &set->place[*slot - 1];
	set->place = make_room_for_one(set->place, set->count, sizeof(*set->place));
	set->place[set->count++] = *place;
	*slot = (uint32_t)set->count;
	return NULL;
}

const struct name_place *name_set_find(const struct name_set *set, const char *name)
{
	const uint32_t *slot = set->slots ? find_slot(set, &(struct name_place){ .name = name }) : NULL;

	return slot && *slot ? &set->place[*slot - 1] : NULL;
}

void name_set_free(struct name_set *set)
{
	free(set->place);
	free(set->slot);
	*set = (struct name_set){ 0 };
}

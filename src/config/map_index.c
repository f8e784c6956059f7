/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/map_index.h"
#include "base/trust.h"
#include "config/assigned.h"
#include "config/kept.h"
#include "config/names.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT 1		/* of the file; another one is none */
#define INDEX_SIZE_MAX 268435456
#define PATTERNS_MOST 64	/* of which each is read by itself */
#define LINE_MOST 4096		/* bytes of a line that are read at once */
#define SLOTS_AT_ONCE 32

/* What the index begins with; the offsets of patterns follow, then the slots: the offset + 1 of a name's line, 0 for none. */
struct head {
	uint64_t format, device, inode, size;
	int64_t modified, modified_ns, changed, changed_ns;
	uint32_t slots, patterns;
};

static struct head head_of(const struct stat *status)
{
	return (struct head){
		.format = FORMAT, .device = (uint64_t)status->st_dev, .inode = (uint64_t)status->st_ino,
		.size = (uint64_t)status->st_size, .modified = status->st_mtim.tv_sec, .modified_ns = status->st_mtim.tv_nsec,
		.changed = status->st_ctim.tv_sec, .changed_ns = status->st_ctim.tv_nsec,
	};
}

static void name_index(char name[16], enum whose whose)
{
	snprintf(name, 16, "map.%s", assigned_section(whose));
}

/* Reading */

/* Whether all that it says is possible: it is ours, but may be cut off. */
static bool read_head(struct map_index *index, const struct stat *own)
{
	struct head wanted = head_of(&index->status), found;

	if (pread(index->fd, &found, sizeof(found), 0) != sizeof(found))
		return false;
	wanted.slots = index->slots = found.slots;
	wanted.patterns = index->patterns = found.patterns;
	return memcmp(&found, &wanted, sizeof(found)) == 0 && found.slots && (found.slots & (found.slots - 1)) == 0 &&
	       (uint64_t)own->st_size == sizeof(found) + 4 * ((uint64_t)found.slots + found.patterns);
}

bool map_index_open(struct map_index *index, const struct config *config, enum whose whose)
{
	struct text wrong CLEANUP(text_free) = { 0 };
	int directory = kept_directory(config->state_dir);
	char name[16];
	struct stat own;

	name_index(name, whose);
	index->fd = kept_open(directory, name, INDEX_SIZE_MAX, &own);
	index->map = index->fd < 0 ? -1 : open(config->map[whose], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (directory >= 0)
		close(directory);
	if (index->map >= 0 && fstat(index->map, &index->status) == 0 && file_is_trusted(&index->status, &wrong) &&
	    read_head(index, &own) && index->patterns <= PATTERNS_MOST)
		return true;
	map_index_close(index);
	return false;
}

void map_index_close(struct map_index *index)
{
	if (index->fd >= 0)
		close(index->fd);
	if (index->map >= 0)
		close(index->map);
}

struct visit {
	const struct map_index *index;
	bool (*visit)(const char *line, const char *end, void *data);
	void *data;
	bool over;
};

/* Returns false where the line can't be read, or is longer than lines are. */
static bool visit_line(struct visit *visit, uint32_t offset)
{
	char line[LINE_MOST];
	ssize_t got = pread(visit->index->map, line, sizeof(line), offset);
	const char *end = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;

	if (!end && got > 0 && (uint64_t)offset + (uint64_t)got == (uint64_t)visit->index->status.st_size)
		end = line + got;
	if (end)
		visit->over = visit->visit(line, end, visit->data);
	return end;
}

static bool visit_patterns(struct visit *visit)
{
	uint32_t offset[PATTERNS_MOST];
	size_t size = sizeof(*offset) * visit->index->patterns;
	bool read = pread(visit->index->fd, offset, size, sizeof(struct head)) == (ssize_t)size;

	for (uint32_t i = 0; i < visit->index->patterns && read && !visit->over; i++)
		read = visit_line(visit, offset[i]);
	return read;
}

/* Slots from @first on; how many were read. */
static uint32_t read_slots(const struct map_index *index, uint32_t first, uint32_t slot[SLOTS_AT_ONCE])
{
	uint32_t count = index->slots - first < SLOTS_AT_ONCE ? index->slots - first : SLOTS_AT_ONCE;
	size_t size = count * sizeof(*slot);
	off_t begin = (off_t)(sizeof(struct head) + 4 * ((uint64_t)index->patterns + first));

	return pread(index->fd, slot, size, begin) == (ssize_t)size ? count : 0;
}

/* From the slot of the digest on until an empty one; at most half of them are taken. */
static bool visit_name(struct visit *visit, const char *name)
{
	const struct map_index *index = visit->index;
	uint32_t slot[SLOTS_AT_ONCE], at = name_digest(name) & (index->slots - 1);

	for (uint32_t seen = 0; seen < index->slots; ) {
		uint32_t count = read_slots(index, at, slot);

		if (!count)
			return false;
		for (uint32_t i = 0; i < count; i++) {
			if (!slot[i] || visit->over)
				return true;
			if (!visit_line(visit, slot[i] - 1))
				return false;
		}
		seen += count;
		at = (at + count) & (index->slots - 1);
	}
	return false;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	struct head first = head_of(a), second = head_of(b);

	return memcmp(&first, &second, sizeof(first)) == 0;
}

bool map_index_visit(const struct map_index *index, const char *name,
		     bool (*visit)(const char *line, const char *end, void *data), void *data)
{
	struct visit own = { .index = index, .visit = visit, .data = data };
	struct stat now;

	if (!(name ? visit_name(&own, name) : visit_patterns(&own)))
		return false;
	return fstat(index->map, &now) == 0 && is_same(&now, &index->status);
}

/* Writing */

void map_index_add(struct map_index_draft *draft, const char *name, size_t offset)
{
	if (name) {
		draft->name = make_room_for_one(draft->name, draft->names, sizeof(*draft->name));
		draft->name[draft->names++] = (struct map_index_name){ name, (uint32_t)offset };
	} else {
		draft->pattern = make_room_for_one(draft->pattern, draft->patterns, sizeof(*draft->pattern));
		draft->pattern[draft->patterns++] = (uint32_t)offset;
	}
}

static uint32_t *make_slots(const struct map_index_draft *draft, uint32_t *slots)
{
	uint32_t *slot;

	for (*slots = SLOTS_AT_ONCE; *slots < 2 * draft->names; )
		*slots *= 2;
	slot = allocate(*slots, sizeof(*slot));
	for (size_t i = 0; i < draft->names; i++) {
		uint32_t at = name_digest(draft->name[i].name) & (*slots - 1);

		while (slot[at])
			at = (at + 1) & (*slots - 1);
		slot[at] = draft->name[i].offset + 1;
	}
	return slot;
}

void map_index_write(const struct map_index_draft *draft, const struct config *config, enum whose whose,
		     const struct stat *status)
{
	struct text text CLEANUP(text_free) = { 0 };
	struct head head = head_of(status);
	int directory = kept_directory(config->state_dir);
	struct stat now;
	uint32_t *slot;
	char name[16];

	if (directory < 0)
		return;
	if (stat(config->map[whose], &now) == 0 && is_same(&now, status) && kept_is_settled(status, time(NULL))) {
		slot = make_slots(draft, &head.slots);
		head.patterns = (uint32_t)draft->patterns;
		text_add_bytes(&text, &head, sizeof(head));
		if (draft->patterns)
			text_add_bytes(&text, draft->pattern, draft->patterns * sizeof(*draft->pattern));
		text_add_bytes(&text, slot, head.slots * sizeof(*slot));
		free(slot);
		name_index(name, whose);
		kept_write(directory, name, &text);
	}
	close(directory);
}

void map_index_free(struct map_index_draft *draft)
{
	free(draft->name);
	free(draft->pattern);
	*draft = (struct map_index_draft){ 0 };
}

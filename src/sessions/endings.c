/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/endings.h"
#include "base/deadline.h"
#include "kernel/conntrack.h"
#include "sessions/places.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define FLOWS "flows"
#define NEW_NOTE FLOWS "/new"
#define NAME_SIZE 64
#define GATHER_MS 500
#define FLOWS_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

bool endings_matter(const struct config *config, int family)
{
	return config->forget_flows && !config_blocks(config, family);
}

void endings_free(struct endings *endings)
{
	free(endings->ending);
	*endings = (struct endings){ 0 };
}

static void add_ending(struct endings *endings, const struct ending *ending)
{
	endings->ending = make_room_for_one(endings->ending, endings->count, sizeof(*ending));
	endings->ending[endings->count++] = *ending;
}

static void note_name(char name[NAME_SIZE], const struct ending *ending)
{
	snprintf(name, NAME_SIZE, FLOWS "/%s", ending->name);
}

static bool make_ending(struct ending *ending, const struct session *session, int family)
{
	struct timespec now;

	*ending = (struct ending){ .whose.length = family == IPV4 ? 32 : places_length(session) };
	if (!address_parse_unscoped(&ending->whose.address, family == IPV4 ? session->ip4 : session->ip6))
		return false;
	address_text(&ending->whose.address, ending->name);
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(ending->stamp, sizeof(ending->stamp), "%lld.%09ld/%u", (long long)now.tv_sec, now.tv_nsec, ending->whose.length);
	return true;
}

/* Reads the note @name of the directory @flows; false where it is none. */
static bool read_ending(int flows, const char *name, struct ending *ending)
{
	ssize_t length = readlinkat(flows, name, ending->stamp, sizeof(ending->stamp) - 1);
	unsigned long long bits;
	const char *slash;

	ending->stamp[length > 0 ? length : 0] = '\0';
	slash = strchr(ending->stamp, '/');
	if (!slash || !address_parse(&ending->whose.address, name) ||
	    !number_parse(slash + 1, 1, address_size(ending->whose.address.family) * 8ULL, &bits))
		return false;
	ending->left = false;
	ending->whose.length = (uint8_t)bits;
	address_text(&ending->whose.address, ending->name);
	return true;
}

int endings_note(struct endings *own, const struct state *state, const struct session *session, int family,
		 struct report *report)
{
	struct ending ending;
	char name[NAME_SIZE];

	if (!make_ending(&ending, session, family))
		return 0;
	note_name(name, &ending);
	if (symlinkat(ending.stamp, state->directory, name) < 0) {
		int flows = state_open_part(state, FLOWS, report);

		if (flows < 0)
			return -1;
		close(flows);
		if (state_put_link(state, ending.stamp, NEW_NOTE, name, report) < 0)
			return -1;
	}
	if (own)
		add_ending(own, &ending);
	return 0;
}

bool endings_has(const struct state *state, const char *address)
{
	char name[NAME_SIZE], first;

	snprintf(name, sizeof(name), FLOWS "/%s", address);
	return readlinkat(state->directory, name, &first, 1) >= 0;
}

/* Whether it was noted since by nobody else, and not crossed off. */
static bool is_noted(const struct state *state, const struct ending *ending, struct report *report)
{
	char name[NAME_SIZE], stamp[ENDING_STAMP];
	ssize_t length;

	note_name(name, ending);
	length = readlinkat(state->directory, name, stamp, sizeof(stamp));
	if (length < 0 && errno != ENOENT && errno != EINVAL)
		state_complain(state, name, report);
	return length == (ssize_t)strlen(ending->stamp) && memcmp(stamp, ending->stamp, (size_t)length) == 0;
}

/*
 * The note goes first: who gets the address between the two ends its flows once more, but a note of an address that is
 * nobody's would end those of the next one who has it.
 */
static int cross_off(const struct state *state, const struct ending *ending, struct report *report)
{
	const struct session nobody = { .id = "", .user = "", .vhost = "", .gateway = "" };
	char name[NAME_SIZE];

	if (!is_noted(state, ending, report))
		return 0;
	note_name(name, ending);
	if (state_drop(state, name, report) < 0)
		return -1;
	if (state_holder(state, &nobody, ending->name) == HOLDER_ENDED)
		state_release(state, ending->name);
	return 0;
}

static int cross_off_all(const struct endings *endings, struct state *state, struct report *report)
{
	int result = state_lock(state, report);

	for (size_t i = 0; i < endings->count && result == 0; i++)
		if (!endings->ending[i].left)
			result = cross_off(state, &endings->ending[i], report);
	state_unlock(state);
	return result;
}

typedef void (*note_visitor)(const struct ending *ending, void *data);

/* All that is noted; takes the descriptor of `flows/`. Returns how much else is there, and the last errno in @error. */
static size_t visit_notes(int flows, note_visitor visit, void *data, int *error)
{
	DIR *directory = fdopendir(flows);
	const struct dirent *entry;
	struct ending ending;
	size_t others = 0;

	*error = directory ? 0 : errno;
	if (!directory) {
		close(flows);
		return 0;
	}
	for (errno = 0; (entry = readdir(directory)); errno = 0) {
		if (entry->d_name[0] == '.')
			continue;
		if (read_ending(flows, entry->d_name, &ending)) {
			visit(&ending, data);
			continue;
		}
		others++;
		if (errno && errno != EINVAL && errno != ENOENT)
			*error = errno;
	}
	*error = errno ? errno : *error;
	closedir(directory);
	return others;
}

struct take {
	struct endings *all;
	const struct state *state;
	const struct config *config;
	struct report *report;
};

static void take_note(const struct ending *ending, void *data)
{
	const struct take *take = data;

	if (endings_matter(take->config, family_index(ending->whose.address.family)))
		add_ending(take->all, ending);
	else
		cross_off(take->state, ending, take->report);
}

/* Under the lock, since what is noted there may not have come to its end yet. */
static int take_all(struct endings *all, struct state *state, const struct config *config, struct report *report)
{
	struct take take = { all, state, config, report };
	int result = state_lock(state, report), flows = result == 0 ? state_open_part(state, FLOWS, report) : -1;

	int error = 0;

	/* Among what else is there may be a note that was not made when its run was killed. */
	if (flows >= 0 && visit_notes(flows, take_note, &take, &error))
		unlinkat(state->directory, NEW_NOTE, 0);
	errno = error;
	if (error)
		state_complain(state, FLOWS, report);
	state_unlock(state);
	return flows < 0 ? -1 : 0;
}

struct check {
	struct endings *endings;
	const struct state *state;
	struct report *report;
};

/* Whoever got an address meanwhile has ended the flows himself, and what is there may be his. */
static void check_notes(bool *ends, void *data)
{
	const struct check *check = data;

	for (size_t i = 0; i < check->endings->count; i++) {
		ends[i] = is_noted(check->state, &check->endings->ending[i], check->report);
		check->endings->ending[i].left = check->endings->ending[i].left || !ends[i];
	}
}

/* Ends their flows and crosses them off. */
static int end_all(struct endings *endings, struct state *state, struct report *report)
{
	struct prefix *whose = allocate(endings->count, sizeof(*whose));
	struct check check = { endings, state, report };
	struct netlink netfilter = { 0 };
	struct netlink_error error = { 0 };
	int result = netlink_open(&netfilter, NETLINK_NETFILTER, report);

	for (size_t i = 0; i < endings->count; i++)
		whose[i] = endings->ending[i].whose;
	if (result == 0) {
		result = conntrack_end(&netfilter, whose, endings->count, check_notes, &check, &error);
		if (result < 0)
			conntrack_warn(whose, endings->count, &error, report);
	}
	netlink_close(&netfilter);
	free(whose);
	return result == 0 ? cross_off_all(endings, state, report) : -1;
}

static void end_noted(struct state *state, const struct config *config, struct report *report)
{
	struct endings all CLEANUP(endings_free) = { 0 };

	if (take_all(&all, state, config, report) == 0 && all.count)
		end_all(&all, state, report);
}

/*
 * Whether this run is to end what is noted, and not another that is about to. Where one is at it already it waits, a little
 * longer than for that, since where two sessions end others do. It reads the notes only after it has let go of the
 * directory's own lock, so whoever finds that held can leave his note. Two that end the same at a time do no harm.
 */
static bool is_next(const struct state *state, int flows)
{
	const struct timespec pause = { .tv_nsec = GATHER_MS * 1000000L };

	if (flock(state->directory, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return false;
	if (flock(flows, LOCK_EX | LOCK_NB) < 0) {
		nanosleep(&pause, NULL);
		deadline_lock(flows, DEADLINE_FLOWS_SECONDS);
	}
	flock(state->directory, LOCK_UN);
	return true;
}

void endings_end(struct state *state, const struct config *config, struct report *report)
{
	int flows = state_open_part(state, FLOWS, report);

	if (flows < 0)
		return;
	if (is_next(state, flows))
		end_noted(state, config, report);
	close(flows);
}

static bool any_noted(const struct endings *endings, const struct state *state, struct report *report)
{
	for (size_t i = 0; i < endings->count; i++)
		if (is_noted(state, &endings->ending[i], report))
			return true;
	return false;
}

int endings_await(struct endings *own, struct state *state, const struct config *config, struct report *report)
{
	int flows = own->count ? state_open_part(state, FLOWS, report) : -1;

	if (flows < 0)
		return own->count ? -1 : 0;
	if (deadline_lock(flows, DEADLINE_FLOWS_SECONDS) < 0)
		end_all(own, state, report);
	else if (any_noted(own, state, report))
		end_noted(state, config, report);
	close(flows);
	/* What can't be ended is warned of; a note that stays would end the flows of the session that begins. */
	for (size_t i = 0; i < own->count; i++)
		own->ending[i].left = false;
	return any_noted(own, state, report) ? cross_off_all(own, state, report) : 0;
}

struct look {
	size_t count;
	unsigned long long first;
};

static void look_at(const struct ending *ending, void *data)
{
	struct look *look = data;
	unsigned long long since = strtoull(ending->stamp, NULL, 10);

	look->first = !look->count || since < look->first ? since : look->first;
	look->count++;
}

/* Returns what speaks against it, as an errno; 0 where nothing does. */
static int look(const struct state *state, struct look *look)
{
	int flows = openat(state->directory, FLOWS, FLOWS_FLAGS), error = errno;

	if (flows < 0)
		return error == ENOENT ? 0 : error;
	visit_notes(flows, look_at, look, &error);
	return error;
}

bool endings_any(const struct state *state)
{
	struct look found = { 0 };

	return look(state, &found) != 0 || found.count > 0;
}

size_t endings_look(const char *path, unsigned long long *since)
{
	struct report ignored = { 0 };
	struct look found = { 0 };
	struct state state;

	if (state_open(&state, path, false, &ignored) == 0)
		look(&state, &found);
	state_close(&state);
	report_free(&ignored);
	*since = found.first;
	return found.count;
}

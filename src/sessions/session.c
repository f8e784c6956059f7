/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sessions/session.h"
#include "base/deadline.h"
#include "base/privileges.h"
#include "base/trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define NAME_SIZE 64		/* in the state directory */
#define RECORD_SIZE 16384	/* of ten values, of which each byte may take four */
#define NEVER (~0ULL)	/* the start of a worker in a record that has none */
/* What is written before it gets its name; under the lock there is one. */
#define NEW_SESSION "sessions/new"
#define NEW_ADDRESS "addresses/new"
#define NEW_MEMORY "new"
#define DEVICES "devices"
#define NEW_DEVICE DEVICES "/new one"	/* no device has a blank in its name */
#define CHANGE "change"
#define DOUBT "doubt"

bool session_id_valid(const char *id)
{
	unsigned long long number;

	return id[0] != '0' && strlen(id) <= 10 && number_parse(id, 1, 0xffffffff, &number);
}

/*
 * The records of live sessions as they were read once, for all visits under one lock: whoever else changes one waits for it,
 * and what this run changes drops them, but not under a visitor.
 */
struct records {
	struct record {
		char id[12];
		char *line;		/* in pieces, which the session has */
		struct session session;	/* its ID is that above */
	} *record;
	size_t count;
	bool complete;
	bool visited;	/* now */
};

static void drop_records(const struct state *state)
{
	struct records *records = state->records;

	if (!records)
		return;
	records->complete = false;
	if (records->visited)
		return;
	for (size_t i = 0; i < records->count; i++)
		free(records->record[i].line);
	free(records->record);
	*records = (struct records){ 0 };
}

static struct record *add_record(struct records *records, const char *id, const char *line)
{
	struct record *record;

	records->record = make_room_for_one(records->record, records->count, sizeof(*records->record));
	record = &records->record[records->count++];
	*record = (struct record){ .line = duplicate(line) };
	snprintf(record->id, sizeof(record->id), "%s", id);
	return record;
}

int state_complain(const struct state *state, const char *name, struct report *report)
{
	const char *remedy = privileges_remedy(errno, NULL);

	return report_error(report, EX_CANTCREAT, "state directory: %s%s%s: %s%s%s", state->path, name[0] ? "/" : "", name,
			    strerror(errno), remedy ? "; " : "", remedy ? remedy : "");
}

static int refuse_owner(const struct state *state, const char *name, struct report *report)
{
	return report_error(report, EX_CANTCREAT, "state directory: %s%s%s must belong to user %u and be writable by "
			    "nobody else; remove it, and it will be created anew", state->path, name[0] ? "/" : "", name,
			    (unsigned int)state->user);
}

/* The directory that it lies in: who can write there can put another in its place. */
static int check_parent(const struct state *state, struct report *report)
{
	struct stat status;

	if (fstatat(state->directory, "..", &status, 0) < 0)
		return state_complain(state, "..", report);
	if (directory_is_trusted(&status))
		return 0;
	return report_error(report, EX_CANTCREAT, "state directory: %s is in a directory that others can write to (user %u, "
			    "mode %04o), so it could be replaced; name another in [session] state_dir", state->path,
			    (unsigned int)status.st_uid, (unsigned int)status.st_mode & 07777);
}

/* Whether others can write to it, and with @create nobody but its owner sees into it. */
static int check_private(const struct state *state, const char *name, int fd, const struct stat *status, bool create,
			 struct report *report)
{
	if (status->st_uid != state->user || status->st_mode & (S_IWGRP | S_IWOTH))
		return refuse_owner(state, name, report);
	if (!(status->st_mode & (S_IRWXG | S_IRWXO)) || !create)
		return 0;
	if ((fd >= 0 ? fchmod(fd, 0700) : fchmodat(state->directory, name, 0700, 0)) == 0)
		return 0;
	return report_error(report, EX_CANTCREAT, "state directory: %s%s%s: others can read it (mode %04o), and so hold its "
			    "lock: %s; chmod 700 it", state->path, name[0] ? "/" : "", name,
			    (unsigned int)status->st_mode & 07777, strerror(errno));
}

#define DIRECTORY_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Opens a directory, which is made with @create; in one that is private nobody else can put another in its place. */
static int open_directory(const struct state *state, int parent, const char *path, const char *name, bool create,
			  struct report *report)
{
	struct stat status;
	int fd = openat(parent, path, DIRECTORY_FLAGS);

	if (fd < 0 && errno == ENOENT && create) {
		/* First, lest a run that is killed here leaves a directory without. */
		if (parent != AT_FDCWD)
			(void)!symlinkat("records", parent, DOUBT);
		if (mkdirat(parent, path, 0700) < 0 && errno != EEXIST)
			return state_complain(state, name, report);
		fd = openat(parent, path, DIRECTORY_FLAGS);
	}
	if (fd >= 0 && fstat(fd, &status) == 0) {
		if (check_private(state, name, fd, &status, create, report) == 0)
			return fd;
	} else {
		state_complain(state, name, report);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The same of one that need not be open. */
static int check_directory(const struct state *state, const char *name, bool create, struct report *report)
{
	struct stat status;
	int result = fstatat(state->directory, name, &status, AT_SYMLINK_NOFOLLOW);

	if (result < 0 && errno == ENOENT && create) {
		if (mkdirat(state->directory, name, 0700) < 0 && errno != EEXIST)
			return state_complain(state, name, report);
		result = fstatat(state->directory, name, &status, AT_SYMLINK_NOFOLLOW);
	}
	if (result == 0 && !S_ISDIR(status.st_mode)) {
		errno = ENOTDIR;
		result = -1;
	}
	if (result < 0)
		return state_complain(state, name, report);
	return check_private(state, name, -1, &status, create, report);
}

bool session_address(const struct session *session, int family, char text[ADDRESS_TEXT])
{
	struct address address;

	if (!address_parse_unscoped(&address, family == IPV4 ? session->ip4 : session->ip6))
		return false;
	address_text(&address, text);
	return true;
}

int state_open_part(const struct state *state, const char *name, struct report *report)
{
	int fd;

	if (check_directory(state, name, true, report) < 0)
		return -1;
	fd = openat(state->directory, name, DIRECTORY_FLAGS);
	return fd >= 0 ? fd : state_complain(state, name, report);
}

int state_open(struct state *state, const char *path, bool create, struct report *report)
{
	*state = (struct state){ .directory = -1, .sessions = -1, .user = geteuid(), .path = path };
	state->directory = open_directory(state, AT_FDCWD, path, "", create, report);
	if (state->directory < 0 || check_parent(state, report) < 0)
		return -1;
	state->sessions = open_directory(state, state->directory, "sessions", "sessions", create, report);
	if (state->sessions < 0)
		return -1;
	return check_directory(state, "addresses", create, report);
}

void state_close(struct state *state)
{
	if (state->sessions >= 0)
		close(state->sessions);		/* and unlock it */
	if (state->directory >= 0)
		close(state->directory);
	state->directory = state->sessions = -1;
	state->locked = false;
	drop_records(state);
	free(state->records);
	state->records = NULL;
}

int state_lock(struct state *state, struct report *report)
{
	state->locked = deadline_lock(state->sessions, DEADLINE_LOCK_SECONDS) == 0;
	if (state->locked && !state->records)
		state->records = allocate(1, sizeof(*state->records));
	if (state->locked)
		return 0;
	if (errno != EWOULDBLOCK)
		return state_complain(state, "sessions", report);
	return report_error(report, EX_TEMPFAIL, "state directory: %s: another run has held its lock for %d seconds; see "
			    "who with `fuser %s/sessions`", state->path, DEADLINE_LOCK_SECONDS, state->path);
}

void state_unlock(struct state *state)
{
	if (state->locked)
		flock(state->sessions, LOCK_UN);
	state->locked = false;
	drop_records(state);
	free(state->records);
	state->records = NULL;
}

bool state_doubts(const struct state *state)
{
	char target[8];

	return readlinkat(state->directory, DOUBT, target, sizeof(target)) >= 0;
}

void state_trust(const struct state *state)
{
	unlinkat(state->directory, DOUBT, 0);
}

/* Reads a small file completely, with a NUL behind it; its length, or -1. */
static ssize_t read_file(int directory, const char *name, char *buffer, size_t size)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	ssize_t length;
	int error;

	if (fd < 0)
		return -1;
	do
		length = read(fd, buffer, size - 1);
	while (length < 0 && errno == EINTR);
	error = errno;
	close(fd);
	errno = error;
	buffer[length > 0 ? length : 0] = '\0';
	return length;
}

/* Whether a process that /proc does not show is there all the same: it may hide those of others (hidepid). */
static bool is_hidden(const char *pid)
{
	return kill((pid_t)strtol(pid, NULL, 10), 0) == 0 || errno != ESRCH;
}

/*
 * When a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)); 0 where /proc hides it.
 * Returns 0, or -1 with errno, which is ENOENT where there is no such process.
 *
 * A process without memory (field 23) has ended, and runs nothing more: a zombie, which stays where nobody waits
 * for it, as in a container without an init, or a killed worker that waits for the kernel to take down its tunnel.
 */
static int start_of(const char *pid, unsigned long long *start)
{
	char path[32], buffer[1024], *field, *end;
	unsigned long long memory;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	length = read_file(AT_FDCWD, path, buffer, sizeof(buffer));
	if (length < 0 && (errno == ENOENT || errno == EPERM || errno == EACCES) && is_hidden(pid)) {
		*start = 0;
		return 0;
	}
	if (length < 0) {
		if (errno == ESRCH)	/* it ended between open and read, or it was not there to be hidden */
			errno = ENOENT;
		return -1;
	}
	field = strrchr(buffer, ')');	/* the name before it may hold anything */
	for (int i = 2; field && i < 22; i++)
		field = strchr(field + 1, ' ');
	if (!field) {
		errno = EBADMSG;
		return -1;
	}
	*start = strtoull(field, &field, 10);
	memory = strtoull(field, &end, 10);
	if (end != field && memory > 0)
		return 0;
	errno = end == field ? EBADMSG : ENOENT;
	return -1;
}

static void session_name(char name[NAME_SIZE], const char *id)
{
	snprintf(name, NAME_SIZE, "sessions/%.20s", id);
}

static void address_name(char name[NAME_SIZE], const char *address)
{
	snprintf(name, NAME_SIZE, "addresses/%s", address);
}

static int write_all(int fd, const struct text *text)
{
	size_t done = 0;

	while (done < text->length) {
		ssize_t wrote = write(fd, text->data + done, text->length - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -1;
		done += (size_t)wrote;
	}
	return 0;
}

static void make_record(struct text *record, const struct session *session, unsigned long long start)
{
	char number[24];

	text_add_pair(record, "id", session->id, SESSION_VALUE);
	snprintf(number, sizeof(number), "%llu", start);
	text_add_pair(record, "start", number, SESSION_VALUE);
	snprintf(number, sizeof(number), "%llu", session->since);
	text_add_pair(record, "since", number, SESSION_VALUE);
	text_add_pair(record, "user", session->user, SESSION_VALUE);
	text_add_pair(record, "group", session->group, SESSION_VALUE);
	text_add_pair(record, "vhost", session->vhost, SESSION_VALUE);
	text_add_pair(record, "device", session->device, SESSION_VALUE);
	text_add_pair(record, "real", session->real, SESSION_VALUE);
	text_add_pair(record, "ip4", session->ip4, SESSION_VALUE);
	text_add_pair(record, "ip6", session->ip6, SESSION_VALUE);
	if (session->length6[0])
		text_add_pair(record, "length6", session->length6, SESSION_VALUE);
	if (session->gateway[0])
		text_add_pair(record, "gateway", session->gateway, SESSION_VALUE);
	text_add(record, "\n");
}

/* A file with this name, in place of another; made as NEW_SESSION, and renamed. */
static int put_file(const struct state *state, const struct text *text, const char *name, struct report *report)
{
	int fd = openat(state->directory, NEW_SESSION, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool written;

	if (fd < 0)
		return state_complain(state, name, report);
	written = write_all(fd, text) == 0;
	if (!written)
		state_complain(state, name, report);
	close(fd);
	if (written && renameat(state->directory, NEW_SESSION, state->directory, name) == 0)
		return 0;
	if (written)
		state_complain(state, name, report);
	unlinkat(state->directory, NEW_SESSION, 0);
	return -1;
}

/* The same of one that is not there yet: 1 where it is. Half of it is nothing: its session begins when it is complete. */
static int put_new_file(const struct state *state, const struct text *text, const char *name, struct report *report)
{
	int fd = openat(state->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), result;

	if (fd < 0 && errno == EEXIST)
		return 1;
	if (fd < 0)
		return state_complain(state, name, report);
	result = write_all(fd, text) < 0 ? state_complain(state, name, report) : 0;
	close(fd);
	if (result < 0)
		unlinkat(state->directory, name, 0);
	return result;
}

int state_record(const struct state *state, const struct session *session, struct report *report)
{
	struct text record CLEANUP(text_free) = { 0 };
	unsigned long long start;
	char name[NAME_SIZE];
	int result;

	drop_records(state);
	session_name(name, session->id);
	if (start_of(session->id, &start) < 0)
		return report_error(report, EX_CANTCREAT, "can't record the session: /proc/%s/stat, of its worker: %s",
				    session->id, strerror(errno));
	make_record(&record, session, start);
	result = put_new_file(state, &record, name, report);
	return result > 0 ? put_file(state, &record, name, report) : result;
}

static int remove_record(const struct state *state, const char *id)
{
	char name[NAME_SIZE];

	drop_records(state);
	session_name(name, id);
	return unlinkat(state->directory, name, 0);
}

int state_forget(const struct state *state, const char *id, struct report *report)
{
	char name[NAME_SIZE];

	if (remove_record(state, id) == 0 || errno == ENOENT)
		return 0;
	session_name(name, id);
	return state_complain(state, name, report);
}

static void set_field(struct session *session, unsigned long long *start, const char *key, const char *value)
{
	const struct { const char *key, **field; } fields[] = {
		{ "user", &session->user }, { "group", &session->group }, { "vhost", &session->vhost },
		{ "device", &session->device }, { "real", &session->real }, { "ip4", &session->ip4 },
		{ "ip6", &session->ip6 }, { "gateway", &session->gateway },
		{ "length6", &session->length6 },
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strcmp(fields[i].key, key) == 0)
			*fields[i].field = value;
	if (strcmp(key, "start") == 0)
		number_parse(value, 0, NEVER - 1, start);
	if (strcmp(key, "since") == 0)
		number_parse(value, 0, ~0ULL, &session->since);
}

enum life { LIVE, ENDED, UNKNOWN };

static struct session no_session(const char *id)
{
	return (struct session){ id, "", "", "", "", "", "", "", "", "", 0, false };
}

static ssize_t read_line(const struct state *state, const char *id, char *buffer, size_t size)
{
	char name[NAME_SIZE];

	session_name(name, id);
	return read_file(state->directory, name, buffer, size);
}

/* What the errno of reading one says: a directory or a symbolic link is no record of ours. */
static enum life without_record(void)
{
	return errno == ENOENT || errno == EISDIR || errno == ELOOP ? ENDED : UNKNOWN;
}

/* The record @id, which is a line that can be cut into pieces, as @session. */
static enum life take_record(const char *id, char *line, struct session *session)
{
	unsigned long long recorded = NEVER, start;
	char *cursor = line, *key, *value;

	*session = no_session(id);
	line[strcspn(line, "\n")] = '\0';
	while ((key = text_next_pair(&cursor, &value)))
		set_field(session, &recorded, key, value);
	if (start_of(id, &start) < 0)
		return errno == ENOENT ? ENDED : UNKNOWN;
	/* Of a hidden worker no more is known than that a process has its pid. */
	if (recorded != NEVER && (start == 0 || recorded == 0))
		return LIVE;
	return start == recorded ? LIVE : ENDED;
}

/* Reads the record @id into @buffer and @session. What can't be read says nothing of its session. */
static enum life read_record(const struct state *state, const char *id, char *buffer, size_t size, struct session *session)
{
	*session = no_session(id);
	return read_line(state, id, buffer, size) < 0 ? without_record() : take_record(id, buffer, session);
}

const char *state_gateway(const struct state *state, const char *id, char gateway[GATEWAY_NAME])
{
	char buffer[RECORD_SIZE];
	struct session session;

	read_record(state, id, buffer, sizeof(buffer), &session);
	snprintf(gateway, GATEWAY_NAME, "%s", session.gateway);
	return gateway;
}

bool session_is_over(const char *id)
{
	unsigned long long start;

	return session_id_valid(id) && start_of(id, &start) < 0 && errno == ENOENT;
}

enum holder state_holder(const struct state *state, const struct session *session, const char *address)
{
	char id[24], name[NAME_SIZE], buffer[RECORD_SIZE];
	struct session holder;
	ssize_t length;

	address_name(name, address);
	length = readlinkat(state->directory, name, id, sizeof(id) - 1);
	if (length < 0)
		return errno == ENOENT ? HOLDER_NONE : HOLDER_OTHER;
	id[length] = '\0';
	if (!session_id_valid(id))
		return HOLDER_ENDED;
	switch (read_record(state, id, buffer, sizeof(buffer), &holder)) {
	case ENDED:
		return HOLDER_ENDED;
	case UNKNOWN:
		return HOLDER_OTHER;
	case LIVE:
		break;
	}
	if (strcmp(id, session->id) == 0)
		return HOLDER_SELF;
	return strcmp(holder.user, session->user) == 0 && strcmp(holder.vhost, session->vhost) == 0 &&
	       strcmp(holder.gateway, session->gateway) == 0 ?
	       HOLDER_SAME_USER : HOLDER_OTHER;
}

bool state_holds(const struct state *state, const struct session *session, const char *address)
{
	char id[24], name[NAME_SIZE];
	ssize_t length;

	address_name(name, address);
	length = readlinkat(state->directory, name, id, sizeof(id));
	return length == (ssize_t)strlen(session->id) && memcmp(id, session->id, (size_t)length) == 0;
}

int state_claim(const struct state *state, const struct session *session, const char *address, struct report *report)
{
	char name[NAME_SIZE];

	address_name(name, address);
	if (symlinkat(session->id, state->directory, name) == 0)
		return 0;
	return errno == EEXIST ? 1 : state_complain(state, name, report);
}

int state_put_link(const struct state *state, const char *target, const char *new, const char *name,
		   struct report *report)
{
	int result = symlinkat(target, state->directory, new);

	/* A run that was killed may have left it. */
	if (result < 0 && errno == EEXIST && unlinkat(state->directory, new, 0) == 0)
		result = symlinkat(target, state->directory, new);
	if (result == 0 && renameat(state->directory, new, state->directory, name) == 0)
		return 0;
	return state_complain(state, name, report);
}

int state_hold(const struct state *state, const struct session *session, const char *address,
		  struct report *report)
{
	char name[NAME_SIZE];

	address_name(name, address);
	return state_put_link(state, session->id, NEW_ADDRESS, name, report);
}

/* What was asked for is not there, or is no link, or the directory is closed. */
static bool is_nothing(int number)
{
	return number == ENOENT || number == EINVAL || number == EBADF;
}

static void device_name(char name[NAME_SIZE], const char *device)
{
	snprintf(name, NAME_SIZE, DEVICES "/%s", device);
}

int state_hold_device(const struct state *state, const struct session *session, const char *addresses, struct report *report)
{
	char name[NAME_SIZE], target[DEVICE_TEXT];

	device_name(name, session->device);
	snprintf(target, sizeof(target), "%s %s", session->id, addresses);
	if (mkdirat(state->directory, DEVICES, 0700) < 0 && errno != EEXIST)
		return state_complain(state, DEVICES, report);
	return state_put_link(state, target, NEW_DEVICE, name, report);
}

const char *state_device(const struct state *state, const char *device, char id[DEVICE_TEXT], struct report *report)
{
	char name[NAME_SIZE], *blank;
	ssize_t length;

	device_name(name, device);
	length = readlinkat(state->directory, name, id, DEVICE_TEXT - 1);
	id[length > 0 ? length : 0] = '\0';
	if (length < 0 && !is_nothing(errno)) {
		state_complain(state, name, report);
		return NULL;
	}
	blank = strchr(id, ' ');
	if (!blank)
		return "";
	*blank = '\0';
	return blank + 1;
}

void state_release_device(const struct state *state, const char *device)
{
	char name[NAME_SIZE];

	device_name(name, device);
	unlinkat(state->directory, name, 0);
}

int state_remember(const struct state *state, const char *name, const char *text, struct report *report)
{
	return state_put_link(state, text, NEW_MEMORY, name, report);
}

int state_recall(const struct state *state, const char *name, char *text, size_t size, struct report *report)
{
	ssize_t length = readlinkat(state->directory, name, text, size - 1);

	text[length > 0 ? length : 0] = '\0';
	return length >= 0 || is_nothing(errno) ? 0 : state_complain(state, name, report);
}

int state_write(const struct state *state, const char *name, const struct text *text, struct report *report)
{
	return put_file(state, text, name, report);
}

int state_read(const struct state *state, const char *name, struct text *text, struct report *report)
{
	int fd = openat(state->directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	char buffer[RECORD_SIZE];
	ssize_t length = -1;

	if (fd < 0)
		return is_nothing(errno) ? 0 : state_complain(state, name, report);
	do {
		length = read(fd, buffer, sizeof(buffer));
		if (length > 0)
			text_add_bytes(text, buffer, (size_t)length);
	} while (length > 0 || (length < 0 && errno == EINTR));
	if (length < 0)
		state_complain(state, name, report);
	close(fd);
	return length < 0 ? -1 : 0;
}

void state_release(const struct state *state, const char *address)
{
	char name[NAME_SIZE];

	address_name(name, address);
	unlinkat(state->directory, name, 0);
}

int state_drop(const struct state *state, const char *name, struct report *report)
{
	return unlinkat(state->directory, name, 0) == 0 || errno == ENOENT ? 0 : state_complain(state, name, report);
}

void state_note_change(const struct state *state, const char *what)
{
	char target[64];

	snprintf(target, sizeof(target), "%llu.%s", (unsigned long long)time(NULL), what);
	unlinkat(state->directory, CHANGE, 0);
	(void)!symlinkat(target, state->directory, CHANGE);
}

unsigned long long state_last_change(const struct state *state, char what[STATE_CHANGE])
{
	char target[64], *word;
	ssize_t length = readlinkat(state->directory, CHANGE, target, sizeof(target) - 1);
	unsigned long long when;

	target[length > 0 ? length : 0] = '\0';
	word = strchr(target, '.');
	if (!word)
		return 0;
	*word++ = '\0';
	snprintf(what, STATE_CHANGE, "%s", word);
	return number_parse(target, 1, ~0ULL, &when) ? when : 0;
}

struct round {
	const struct state *state;
	bool prune;
	struct records *keep;		/* NULL where they are not to be kept */
	session_visitor visit;
	void *data;
	struct report *report;
};

static enum life look_at_record(const struct round *round, const char *id, char *buffer, struct session *session)
{
	struct record *record;
	enum life life;

	*session = no_session(id);
	if (read_line(round->state, id, buffer, RECORD_SIZE) < 0)
		return without_record();
	if (!round->keep)
		return take_record(id, buffer, session);
	record = add_record(round->keep, id, buffer);
	life = take_record(id, record->line, session);
	record->session = *session;
	if (life == LIVE)
		return life;
	free(record->line);
	round->keep->count--;
	return life;
}

static bool visit_entry(const struct round *round, const char *id)
{
	char buffer[RECORD_SIZE], name[NAME_SIZE];
	struct session session;

	switch (look_at_record(round, id, buffer, &session)) {
	case UNKNOWN:
		session_name(name, id);
		state_complain(round->state, name, round->report);
		session = no_session(id);
		session.unread = true;
		break;
	case ENDED:
		if (round->prune)
			remove_record(round->state, id);
		return true;
	case LIVE:
		break;
	}
	return round->visit(&session, round->data);
}

static void visit_kept(const struct round *round)
{
	const struct records *records = round->state->records;

	for (size_t i = 0; i < records->count; i++) {
		struct session session = records->record[i].session;

		session.id = records->record[i].id;
		if (!round->visit(&session, round->data))
			break;
	}
}

/* 1 where all were visited, 0 where the visitor had seen enough, -1 where it can't be read. */
static int visit_directory(const struct round *round, DIR *directory)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(directory);
		if (!entry)
			return errno ? state_complain(round->state, "sessions", round->report) : 1;
	} while (!session_id_valid(entry->d_name) || visit_entry(round, entry->d_name));
	return 0;
}

static int visit_all(const struct round *round)
{
	int fd = openat(round->state->directory, "sessions", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), result;
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);

	if (!directory) {
		state_complain(round->state, "sessions", round->report);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	result = visit_directory(round, directory);
	closedir(directory);
	return result;
}

/* With what is kept of them, which the visitor may change. */
static int visit_keeping(const struct round *round)
{
	struct records *keep = round->keep;
	size_t before = round->report->errors.count;
	bool known = keep->complete;
	int result = 1;

	keep->visited = true;
	if (known) {
		visit_kept(round);
	} else {
		keep->complete = true;
		result = visit_all(round);
	}
	keep->visited = false;
	if (!keep->complete || result < 1 || (!known && round->report->errors.count != before))
		drop_records(round->state);
	return result;
}

int state_visit(const struct state *state, bool prune, session_visitor visit, void *data, struct report *report)
{
	struct records *keep = prune || !state->records || state->records->visited ? NULL : state->records;
	const struct round round = { state, prune, keep, visit, data, report };
	int result;

	if (!keep || !keep->complete)
		drop_records(state);
	result = keep ? visit_keeping(&round) : visit_all(&round);
	if (prune) {
		unlinkat(state->directory, NEW_SESSION, 0);
		unlinkat(state->directory, NEW_ADDRESS, 0);
	}
	return result < 0 ? -1 : 0;
}

void state_look(const char *path, session_visitor visit, void *data)
{
	struct report unread = { 0 };
	struct state state;

	if (state_open(&state, path, false, &unread) == 0)
		state_visit(&state, false, visit, data, &unread);
	state_close(&state);
	report_free(&unread);
}

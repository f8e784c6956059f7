/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session's record of any bytes. In them START stands for the time at which this process started, without
 * which a record is one of a worker that is gone. What is read is shown, and written and read again.
 */
#include "base/text.h"
#include "sessions/session.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fcntl.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEPT 256	/* bytes of a value that a record keeps */

static char directory[512], id[12], start[24], name[48];
static struct state state;

static void require(bool fact, const char *what)
{
	if (fact)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* The 22nd field of /proc/PID/stat, by another way than the program's. */
static void read_start(void)
{
	FILE *file = fopen("/proc/self/stat", "r");

	if (!file || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
				  "%23s", start) != 1)
		abort();
	fclose(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *parent = getenv("TMPDIR");
	struct report report = { 0 };

	(void)argc, (void)argv;
	snprintf(directory, sizeof(directory), "%s/fuzz_session.XXXXXX", parent ? parent : "/tmp");
	snprintf(id, sizeof(id), "%d", (int)getpid());
	snprintf(name, sizeof(name), "sessions/%s", id);
	read_start();
	if (!mkdtemp(directory) || state_open(&state, directory, true, &report) < 0)
		abort();
	return 0;
}

static void write_record(const uint8_t *data, size_t size)
{
	int fd = openat(state.directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct text record CLEANUP(text_free) = { 0 };

	for (size_t i = 0; i < size; i++) {
		if (size - i >= 5 && memcmp(data + i, "START", 5) == 0) {
			text_add(&record, "%s", start);
			i += 4;
		} else {
			text_add_bytes(&record, data + i, 1);
		}
	}
	if (fd < 0 || (record.length && write(fd, record.data, record.length) != (ssize_t)record.length))
		abort();
	close(fd);
}

/* A JSON string: in quotes, on one line, and every escape a known one. */
static void check_json(const char *json)
{
	require(*json++ == '"', "a JSON string begins with a quote");
	for (; *json && *json != '"'; json++) {
		require((unsigned char)*json >= ' ', "a JSON string holds no control characters");
		if (*json != '\\')
			continue;
		json++;
		require(*json && strchr("\"\\u", *json), "an escape of JSON is a known one");
		if (*json == 'u') {
			require(strspn(json + 1, "0123456789abcdef") >= 4, "an escape of JSON has four digits");
			json += 4;
		}
	}
	require(strcmp(json, "\"") == 0, "a JSON string ends with a quote");
}

/* A value in the log is on one line, and its pair reads back. */
static void check_pair(const char *value)
{
	struct text text CLEANUP(text_free) = { 0 };
	char *cursor, *key, *again;

	text_add_pair(&text, "key", value, strlen(value));
	text_add_pair(&text, "next", "1", 1);
	for (size_t i = 0; i < text.length; i++)
		require(text.data[i] >= ' ' && text.data[i] < 0x7f, "a pair is printable ASCII");
	cursor = text.data;
	key = text_next_pair(&cursor, &again);
	require(key && strcmp(key, "key") == 0 && strcmp(again, value) == 0, "a value reads back as it was");
	key = text_next_pair(&cursor, &again);
	require(key && strcmp(key, "next") == 0 && strcmp(again, "1") == 0, "the pair behind it is complete");
	require(!text_next_pair(&cursor, &again), "there are as many pairs as were written");
}

#define VALUES 7

static void values_of(const struct session *session, const char *value[VALUES])
{
	value[0] = session->user;
	value[1] = session->group;
	value[2] = session->vhost;
	value[3] = session->device;
	value[4] = session->real;
	value[5] = session->ip4;
	value[6] = session->ip6;
}

/* What is read of a session that was written. */
static bool compare(const struct session *session, void *data)
{
	const struct session *written = data;
	const char *wrote[VALUES], *got[VALUES];

	values_of(written, wrote);
	values_of(session, got);
	for (int i = 0; i < VALUES; i++)
		require(strlen(wrote[i]) > KEPT ? strncmp(wrote[i], got[i], KEPT) == 0 && strcmp(got[i] + KEPT, "...") == 0 :
						  strcmp(wrote[i], got[i]) == 0, "a value is kept as it was");
	require(session->since == written->since, "a session keeps when it began");
	return true;
}

static bool visit(const struct session *session, void *data)
{
	const char *value[VALUES];
	struct report report = { 0 };
	bool *found = data;

	require(strcmp(session->id, id) == 0, "a session has its file's name as ID");
	values_of(session, value);
	for (int i = 0; i < VALUES; i++) {
		struct text json CLEANUP(text_free) = { 0 };

		text_add_json(&json, value[i]);
		check_json(text_string(&json));
		check_pair(value[i]);
	}
	if (*found)
		return true;
	*found = true;
	/* Over the very file that is read; the session is in memory. */
	require(state_record(&state, session, &report) == 0, "a session can be written");
	require(state_visit(&state, true, compare, (void *)session, &report) == 0, "the directory can be read");
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report report = { 0 };
	bool found = false;

	write_record(data, size);
	require(state_visit(&state, true, visit, &found, &report) == 0, "the directory can be read");
	require(report.errors.count == 0, "a bad record is no error");
	require(found || faccessat(state.directory, name, F_OK, 0) < 0, "the record of an ended session goes");
	state_forget(&state, id, &report);
	report_free(&report);
	return 0;
}

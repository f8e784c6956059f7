/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnose/ocserv_place.h"
#include "base/text.h"
#include "config/ocserv_conf.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_LINE_MAX 4096
#define FILE_MAX (1 << 20)	/* bytes that are compared */
#define DESCRIPTORS 16		/* among which the copy is: it is made before anything is served */

/* ocserv's own second choice, OpenWrt, VyOS. */
static const char *const places[] = { "/etc/ocserv.conf", "/var/etc/ocserv.conf", "/run/ocserv/ocserv.conf" };

static bool same_file(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* As much as there is of a file, to be freed; NULL where it can't be read. */
static char *read_all(const char *path, size_t most, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text;
	ssize_t got;

	if (fd < 0)
		return NULL;
	text = allocate(most + 1, 1);
	*length = 0;
	while (*length < most && (got = read(fd, text + *length, most - *length)) > 0)
		*length += (size_t)got;
	close(fd);
	return text;
}

static bool has_same_text(const char *one, const char *other)
{
	size_t length = 0, other_length = 0;
	char *text = read_all(one, FILE_MAX, &length), *other_text = read_all(other, FILE_MAX, &other_length);
	bool same = text && other_text && length == other_length && memcmp(text, other_text, length) == 0;

	free(text);
	free(other_text);
	return same;
}

/* ocserv's main process, root's, in this network namespace. */
static bool is_ocserv(pid_t process)
{
	char path[64], *name;
	struct stat status;
	size_t length;
	bool is;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)process);
	name = read_all(path, 64, &length);
	if (!name)
		return false;
	name[strcspn(name, "\n")] = '\0';
	/* The directory is that of the process's user; files of it are root's where it is not dumpable. */
	snprintf(path, sizeof(path), "/proc/%d", (int)process);
	is = (strcmp(name, "ocserv-main") == 0 || strcmp(name, "ocserv") == 0) && stat(path, &status) == 0 &&
	     status.st_uid == 0;
	free(name);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)process);
	return is && same_file(path, "/proc/self/ns/net");
}

/* The value that an argument has with it: of -cFILE, --config=FILE; "" where it is the next one; NULL: it is another. */
static const char *value_of_option(const char *argument)
{
	size_t flags = strspn(argument, "-fex");

	if (strncmp(argument, "--config", 8) == 0 && (argument[8] == '=' || !argument[8]))
		return argument[8] ? argument + 9 : "";
	return argument[0] == '-' && argument[1] != '-' && argument[flags] == 'c' ? argument + flags + 1 : NULL;
}

/* What a process was told with --config; NULL where it has wiped that, or was told nothing. */
static const char *option_in(const char *line, size_t length)
{
	const char *end = line + length, *value = NULL;

	for (const char *argument = line; argument < end && !value; argument += strlen(argument) + 1) {
		value = value_of_option(argument);
		if (value && !value[0])
			value = argument + strlen(argument) + 1;
	}
	return value && value < end && value[0] ? value : NULL;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* The name by which we see what the process sees as @path. */
static char *seen_from_here(pid_t process, const char *path)
{
	struct text there CLEANUP(text_free) = { 0 };

	text_add(&there, "/proc/%d/%s%s%s", (int)process, path[0] == '/' ? "root" : "cwd", path[0] == '/' ? "" : "/", path);
	if (path[0] == '/' && (same_file(text_string(&there), path) || !exists(text_string(&there))))
		return duplicate(path);
	return duplicate(text_string(&there));
}

static char *find_option(pid_t process)
{
	char path[64], *line, *found = NULL;
	const char *value;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)process);
	line = read_all(path, COMMAND_LINE_MAX, &length);
	value = line ? option_in(line, length) : NULL;
	if (value)
		found = seen_from_here(process, value);
	free(line);
	return found;
}

/* A file without a name, with the keys that ocserv does not start without. */
static bool is_copy(const char *path)
{
	struct ocserv_conf conf;
	struct stat status;
	bool is;

	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink > 0)
		return false;
	is = ocserv_conf_read(&conf, path, NULL) == 0 && ocserv_conf_find(&conf, "", "auth") &&
	     ocserv_conf_find(&conf, "", "device");
	ocserv_conf_free(&conf);
	return is;
}

static char *find_copy(pid_t process)
{
	for (int i = 0; i < DESCRIPTORS; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)process, i);
		if (is_copy(path))
			return duplicate(path);
	}
	return NULL;
}

/* The file of which @copy is one, or else @copy; what is at the usual place may have been edited since it was read. */
static void take_copy(struct ocserv_place *place, char *copy, const char *usual)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !place->path && !exists(usual); i++)
		if (has_same_text(copy, places[i]))
			place->path = duplicate(places[i]);
	if (!place->path && !exists(usual)) {
		place->path = copy;
		place->copy = true;
		return;
	}
	free(copy);
}

static void look_at_process(struct ocserv_place *place, pid_t process, const char *usual)
{
	char *option = find_option(process), *copy = option ? NULL : find_copy(process);

	if (!option && !copy)
		return;
	place->process = process;
	if (copy)
		take_copy(place, copy, usual);
	else if (strcmp(option, usual) != 0 && !same_file(option, usual))
		place->path = option;
	else
		free(option);
}

static void look_at_places(struct ocserv_place *place)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && !place->path; i++)
		if (exists(places[i]))
			place->path = duplicate(places[i]);
}

void ocserv_place_find(struct ocserv_place *place, const char *usual)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;

	*place = (struct ocserv_place){ .path = NULL };
	while (directory && !place->process && (entry = readdir(directory))) {
		unsigned long long process;

		if (number_parse(entry->d_name, 1, INT32_MAX, &process) && is_ocserv((pid_t)process))
			look_at_process(place, (pid_t)process, usual);
	}
	if (directory)
		closedir(directory);
	if (!place->process && !exists(usual))
		look_at_places(place);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/trust.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MOST 40	/* as the kernel */

static bool is_owner(const struct stat *status)
{
	return status->st_uid == 0 || status->st_uid == geteuid();
}

static bool others_can_write(const struct stat *status)
{
	return status->st_mode & S_IWOTH || (status->st_mode & S_IWGRP && status->st_gid != 0);
}

bool file_is_trusted(const struct stat *status, struct text *wrong)
{
	if (!S_ISREG(status->st_mode))
		text_add(wrong, "is not a regular file");
	else if (others_can_write(status))
		text_add(wrong, "others can write to it (mode %04o); chmod go-w it", (unsigned int)status->st_mode & 07777);
	else if (!is_owner(status))
		text_add(wrong, "belongs to user %u; chown root it", (unsigned int)status->st_uid);
	else
		return true;
	return false;
}

bool directory_is_trusted(const struct stat *status)
{
	return is_owner(status) && (!others_can_write(status) || status->st_mode & S_ISVTX);
}

static bool complain(struct text *wrong)
{
	text_add(wrong, "%s", strerror(errno));
	return false;
}

/* The directory of @path, which holds what is about to be looked at; the last one must not even be sticky. */
static bool is_directory_trusted(const char *path, size_t length, bool last, struct text *wrong)
{
	char directory[PATH_MAX];
	struct stat status;

	memcpy(directory, path, length);
	directory[length] = '\0';
	if (stat(length ? directory : "/", &status) < 0)
		return complain(wrong);
	if (directory_is_trusted(&status) && !(last && others_can_write(&status)))
		return true;
	text_add(wrong, "is in %.200s, a directory that others can write to (user %u, mode %04o); chown root and chmod go-w "
		 "that, or move it elsewhere", length ? directory : "/", (unsigned int)status.st_uid,
		 (unsigned int)status.st_mode & 07777);
	return false;
}

/* Puts what a symbolic link says in place of the first @length bytes of @path; 0 where it is none. */
static int follow(char path[PATH_MAX], size_t start, size_t length, struct text *wrong)
{
	char target[PATH_MAX], rest[PATH_MAX], name[PATH_MAX];
	size_t kept;
	ssize_t got;

	memcpy(name, path, length);
	name[length] = '\0';
	got = readlink(name, target, sizeof(target) - 1);
	if (got < 0 && errno == EINVAL)
		return 0;
	if (got < 0)
		return complain(wrong) ? 0 : -1;
	target[got] = '\0';
	memcpy(rest, path + length, strlen(path + length) + 1);
	kept = target[0] == '/' ? 0 : start;
	if (kept + (size_t)got + strlen(rest) >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return complain(wrong) ? 0 : -1;
	}
	memcpy(path + kept, target, (size_t)got);
	memcpy(path + kept + got, rest, strlen(rest) + 1);
	return 1;
}

bool path_is_trusted(const char *given, struct stat *status, struct text *wrong)
{
	char path[PATH_MAX];
	size_t start = 1;
	int links = 0;

	if (strlen(given) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return complain(wrong);
	}
	memcpy(path, given, strlen(given) + 1);
	for (;;) {
		size_t length = strcspn(path + start, "/");
		int followed;

		if (length == 0 && !path[start])
			break;
		if (length == 0) {
			start++;
			continue;
		}
		if (!is_directory_trusted(path, start > 1 ? start - 1 : 0, path[start + length] == '\0', wrong))
			return false;
		followed = follow(path, start, start + length, wrong);
		if (followed < 0)
			return false;
		if (followed && ++links > LINKS_MOST) {
			errno = ELOOP;
			return complain(wrong);
		}
		if (followed && path[0] == '/')
			start = 1;
		else if (!followed)
			start += length;
	}
	if (stat(path, status) < 0)
		return complain(wrong);
	return file_is_trusted(status, wrong);
}

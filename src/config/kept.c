/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/kept.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SETTLED_SECONDS 2

/* Root's alone, as all in the state directory. */
static bool is_private(int fd, mode_t type, struct stat *status)
{
	return fd >= 0 && fstat(fd, status) == 0 && (status->st_mode & S_IFMT) == type && status->st_uid == geteuid() &&
	       !(status->st_mode & (S_IWGRP | S_IWOTH));
}

int kept_directory(const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct stat status;

	if (is_private(fd, S_IFDIR, &status))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int kept_open(int directory, const char *name, size_t most, struct stat *status)
{
	int fd = directory < 0 ? -1 : openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (is_private(fd, S_IFREG, status) && status->st_size >= 0 && (size_t)status->st_size <= most)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Under a name of its own, since runs read the configuration without the lock. */
void kept_write(int directory, const char *name, const struct text *text)
{
	char own[64];
	int fd;

	snprintf(own, sizeof(own), "%s.%d", name, (int)getpid());
	unlinkat(directory, own, 0);
	fd = openat(directory, own, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, text->data, text->length) != (ssize_t)text->length || renameat(directory, own, directory, name) < 0)
		unlinkat(directory, own, 0);
	close(fd);
}

bool kept_is_settled(const struct stat *status, time_t now)
{
	time_t last = status->st_mtim.tv_sec > status->st_ctim.tv_sec ? status->st_mtim.tv_sec : status->st_ctim.tv_sec;

	return last + SETTLED_SECONDS < now;
}

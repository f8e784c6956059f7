/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int setting_read(const char *name)
{
	char path[128], digit = '\0';
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, &digit, 1);
		close(fd);
	}
	return got == 1 ? digit - '0' : -1;
}

int setting_write(const char *name, int value)
{
	char path[128], digit = (char)('0' + value);
	int fd, error = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (write(fd, &digit, 1) != 1)
		error = errno ? errno : EIO;
	close(fd);
	return error;
}

/* Either is there where the kernel has XFRM, whatever of it a container may see; the first is found sooner. */
bool setting_ipsec(void)
{
	return access("/proc/sys/net/core/xfrm_larval_drop", F_OK) == 0 || access("/proc/net/xfrm_stat", F_OK) == 0;
}

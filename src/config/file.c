/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/file.h"
#include "base/privileges.h"
#include "base/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool complain(struct text *wrong, const char *message)
{
	text_add_string(wrong, message);
	return false;
}

/* Room for what the file is said to have, and more, since it may grow meanwhile. */
static void make_room(struct text *file, size_t size)
{
	file->size = file->length + size + 2;
	file->data = reallocate(file->data, file->size, 1);
}

/* Short of what there was room for, and all that it was said to have: a file system may return less before its end. */
static bool is_end(size_t got, size_t room, size_t length, size_t size)
{
	return got == 0 || (got < room && length == size);
}

/* @size: as fstat() says */
static bool read_all(int fd, size_t size, size_t most, struct text *file, struct text *wrong)
{
	size_t begin = file->length, room;
	ssize_t got;

	do {
		if (file->size - file->length < 2)
			make_room(file, file->length);
		room = file->size - file->length - 1;
		got = read(fd, file->data + file->length, room);
		if (got < 0 && errno != EINTR)
			return complain(wrong, strerror(errno));
		file->length += got > 0 ? (size_t)got : 0;
		file->data[file->length] = '\0';
	} while (got < 0 || (!is_end((size_t)got, room, file->length - begin, size) && file->length - begin <= most));
	return true;
}

bool file_read_open(int fd, size_t most, struct text *file, struct text *wrong)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return complain(wrong, strerror(errno));
	if (!file_is_trusted(&status, wrong))
		return false;
	if (status.st_size < 0 || (size_t)status.st_size > most) {
		text_add(wrong, "is larger than %zu bytes", most);
		return false;
	}
	make_room(file, (size_t)status.st_size);
	return read_all(fd, (size_t)status.st_size, most, file, wrong);
}

bool file_read(const char *path, size_t most, struct text *file, struct text *wrong)
{
	int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool done;

	if (fd < 0) {
		text_add(wrong, "%s; %s", strerror(errno), privileges_remedy(errno, "write that file, or name another one"));
		return false;
	}
	done = file_read_open(fd, most, file, wrong);
	close(fd);
	return done;
}

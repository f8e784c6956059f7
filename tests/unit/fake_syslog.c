/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"
#include "base/text.h"
#include "fake_syslog.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct text lines;
static int listening = -1;

void syslog_listen(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "syslog-socket" };

	listening = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listening < 0 || bind(listening, (const struct sockaddr *)&address, sizeof(address)) < 0)
		abort();
	log_path = "syslog-socket";
}

const char *syslog_text(void)
{
	char line[8192];
	ssize_t length;

	while ((length = recv(listening, line, sizeof(line), 0)) >= 0) {
		text_add_bytes(&lines, line, (size_t)length);
		text_add(&lines, "\n");
	}
	return text_string(&lines);
}

void syslog_close(void)
{
	close(listening);
	unlink("syslog-socket");
	text_free(&lines);
}

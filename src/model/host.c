/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool host_leaves_out(const struct host *host, const char *name)
{
	for (unsigned int i = 0; i < host->left_outs; i++)
		if (strcmp(host->left_out[i], name) == 0)
			return true;
	return false;
}

bool host_add_length(struct host *host, uint8_t length)
{
	for (unsigned int i = 0; i < host->lengths; i++)
		if (host->length[i] == length)
			return true;
	if (host->lengths == HOST_LENGTHS)
		return false;
	host->length[host->lengths++] = length;
	return true;
}

void host_read_lengths(struct host *host, const char *text)
{
	char *end;

	host->lengths = 0;
	for (; *text; text = end) {
		unsigned long length = strtoul(text, &end, 10);

		if (end == text || length == 0 || length >= 128 || !host_add_length(host, (uint8_t)length))
			return;
	}
}

const char *host_lengths_text(const struct host *host, char text[HOST_LENGTHS_TEXT])
{
	char *end = text;

	text[0] = '\0';
	for (unsigned int i = 0; i < host->lengths; i++)
		end += snprintf(end, (size_t)(text + HOST_LENGTHS_TEXT - end), "%s%u", i ? " " : "", host->length[i]);
	return text;
}

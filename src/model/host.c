/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/host.h"

#include <string.h>

bool host_leaves_out(const struct host *host, const char *name)
{
	for (unsigned int i = 0; i < host->left_outs; i++)
		if (strcmp(host->left_out[i], name) == 0)
			return true;
	return false;
}

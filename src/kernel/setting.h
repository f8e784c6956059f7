/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SETTING_H
#define SETTING_H

#include <stdbool.h>

/* What the kernel says of itself in /proc. */

/* setting_read - the digit in a file of /proc/sys/net, of which @name is the rest of the path; -1 where there is none */
int setting_read(const char *name);

/* setting_write - put a digit there; returns 0, or an errno */
int setting_write(const char *name, int value);

/* setting_ipsec - whether the kernel knows IPsec policies (XFRM) */
bool setting_ipsec(void);

#endif

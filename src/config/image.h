/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IMAGE_H
#define IMAGE_H

#include "config/reading.h"

/*
 * What the image azinchen/ocserv-server calls its gateways by name, in variables and a file:
 *
 *	VPN_GATEWAYS=nl=172.28.0.4,us=172.28.0.5	VPN_GATEWAYS6=nl=fd00:28::4
 *	VPN_GATEWAYS_FILE, of lines NAME IPV4 [IPV6]	VPN_USER_GATEWAY=alice=nl,bob=us
 */

/* image_read_users - VPN_USER_GATEWAY, before the configuration is read: its lines come first */
void image_read_users(struct reading *reading);

/* image_read_gateways - the others, after it: what they say counts in place of that, and the file's before the variables' */
void image_read_gateways(struct reading *reading);

#endif

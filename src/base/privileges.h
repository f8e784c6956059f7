/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

/*
 * privileges_drop - keep CAP_NET_ADMIN alone, for good; no core files
 *
 * Files of root's can still be opened as their owner. Where the kernel refuses, nothing changes: the
 * program works with what it had.
 */
void privileges_drop(void);

/* privileges_remedy - what to do about a file for which the kernel says @error: be root where we are not, else @other */
const char *privileges_remedy(int error, const char *other);

#endif

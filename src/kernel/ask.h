/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ASK_H
#define ASK_H

#include "model/exit.h"

#define ASK_PATIENCE_MS 1000

/*
 * Ask a gateway by ARP or ND itself, not the kernel, which may know an older answer. The question leaves via the gateway's
 * interface and no other, and the kernel's table of neighbours stays as it is, but for what the answer refreshes.
 */

/* ask_open - a packet socket, which needs CAP_NET_RAW; -1 with errno. close(2) it. */
int ask_open(void);

/*
 * ask_gateway - whether a gateway answers within ASK_PATIENCE_MS
 * @fd: from ask_open()
 * @took_us: microseconds to the answer
 *
 * Its interface is an Ethernet. Where its hardware address is known, it must have that. Returns 1, 0 where it is silent, -1 with errno where it can't be asked.
 */
int ask_gateway(int fd, const struct exit *exit, long long *took_us);

/* clock_us - microseconds of a clock that never goes back */
long long clock_us(void);

#endif

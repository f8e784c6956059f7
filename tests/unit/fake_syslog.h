/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_SYSLOG_H
#define FAKE_SYSLOG_H

/*
 * A syslog of the test's own. Programs that link it have -Wl,--wrap for its three functions, so that
 * the machine's syslog hears nothing.
 */

/* syslog_text - all lines so far, as "PRIORITY: LINE\n" */
const char *syslog_text(void);
void syslog_clear(void);

#endif

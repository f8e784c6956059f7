/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAKE_SYSLOG_H
#define FAKE_SYSLOG_H

/*
 * A system log of the test's own, so that the machine's hears nothing.
 */

/* syslog_listen - in the working directory, from now on */
void syslog_listen(void);

/* syslog_text - all messages so far, as they came, a line each */
const char *syslog_text(void);
void syslog_close(void);

#endif

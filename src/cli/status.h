/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef STATUS_H
#define STATUS_H

#include "base/terminal.h"
#include "diagnose/clients.h"
#include "diagnose/overlap.h"
#include "kernel/device.h"
#include "sessions/session.h"

/* What is known of this host when `status` is asked. */

enum verdict { OFF, INSTALLED, ABSENT, DEGRADED };

enum layer_verdict { LAYER_NONE, LAYER_COMPLETE, LAYER_MISSING, LAYER_ALTERED, LAYER_UNKNOWN };

/* A live session, copied, and what its tunnel has carried. */
struct live_session {
	struct session session;
	bool counted;		/* false where the device is gone */
	struct device_traffic bytes;
	bool paced;		/* false where it is not watched, or not yet for long enough */
	struct device_traffic each_second;
};

/* An interface that a gateway is on, where it is watched. */
struct pace {
	bool known;
	struct device_traffic each_second;
};

struct sessions {
	struct live_session *live;
	size_t count;
};

struct status {
	const struct config *config;
	const struct situation *situation;
	enum verdict verdict;
	bool wrong;			/* not as it should be: exit status 1 */
	enum layer_verdict layer[LAYERS];
	struct lines bypasses;		/* what takes clients' packets past the policy rules */
	struct overlaps overlaps;	/* of clients' subnets with what this host has */
	struct lines errors, problems;	/* what is in the way; the same, and what is missing or wrong */
	struct sessions sessions;
	unsigned long long changed;	/* when, in seconds since the epoch; 0 where unknown */
	char change[STATE_CHANGE];
	bool doubt;			/* there may be sessions without a record */
	struct contact contact[FAMILIES];	/* with the gateway, where there is one */
	bool watched;
	struct pace pace[FAMILIES];	/* of each gateway's interface */
	struct clients clients;
};

/* How a screen is to look. */
struct display {
	struct window window;
	bool colour;
	bool all;	/* what is zero, too */
};

extern const char *const verdict_names[], *const layer_names[];

/* status_wrong - how much is wrong with a layer, or in its way */
size_t status_wrong(const struct status *status, enum layer layer);

/* The word of the configuration. */
const char *mode_text(enum gateway_mode mode);

/* screen_add - all of it for people; in screen.c */
void screen_add(struct text *screen, const struct status *status, const struct display *display);

/* screen_add_short - the same in one line */
void screen_add_short(struct text *screen, const struct status *status);

/* screen_add_report - what there is to warn of, where a screen is in place of the log */
void screen_add_report(struct text *screen, const struct report *report, const struct display *display);

#endif

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
	struct departure departure;	/* of several gateways */
	bool paced;		/* false where it is not watched, or not yet for long enough */
	struct device_traffic each_second;
};

/* An interface that an exit is on, where it is watched. */
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
	bool gone;			/* of several gateways: one is not there, and has live sessions */
	bool doubt;			/* there may be sessions without a record */
	struct contact *contact;	/* with each exit of the situation */
	bool watched;
	struct pace *pace;		/* the same; of two with the same interface that of the first */
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

/* status_contact - whether the gateway is there; @exit may be NULL, which nobody has looked for */
const struct contact *status_contact(const struct status *status, const struct exit *exit);

/* What has left via a gateway of several in one family, and who does. */
struct usage {
	size_t sessions;
	uint64_t packets, bytes;	/* sent by clients, since the kill switch was made */
};

/* status_usage - of one of the configuration's; of direct and block, whose rules know no family, the sessions alone */
struct usage status_usage(const struct status *status, const struct gateway *gateway, int family);

/* screen_add - all of it for people; in screen.c */
void screen_add(struct text *screen, const struct status *status, const struct display *display);

/* screen_add_short - the same in one line */
void screen_add_short(struct text *screen, const struct status *status);

/* screen_add_report - what there is to warn of, where a screen is in place of the log */
void screen_add_report(struct text *screen, const struct report *report, const struct display *display);

#endif

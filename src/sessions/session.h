/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SESSION_H
#define SESSION_H

#include "base/report.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The state directory is root's, of mode 0700 like all that is in it, so that nobody else can open what is locked:
 * `sessions/`. That has a file for each session,
 * named after ocserv's ID, the pid of its worker; `addresses/` has a symbolic link for each address, named after it,
 * to the ID that had it last; of several gateways `devices/` has one for each tunnel, to the ID and the addresses that it had. A record is one line of key=value pairs; one that takes the place of another is written under another name and
 * renamed. It holds when the worker started, so a worker that is gone, or whose pid another process got, is noticed: ocserv may
 * die without calling a disconnect hook. `gateways` is a file of the gateways that have a name and where they are. `change`,
 * `checkpoint`, `gateway4` and `gateway6` are symbolic links too, whose
 * targets are what they tell.
 */

struct session {
	const char *id;		/* a pid in decimal */
	const char *user, *group, *vhost;
	const char *device;
	const char *real;	/* the client's own address */
	const char *ip4, *ip6;	/* its addresses in the VPN; "" where it has none */
	const char *length6;	/* of the IPv6 network that it has, in bits: ocserv's IPV6_PREFIX; "" for one address */
	const char *gateway;	/* of several the name of the one that it was given; "" where there is one */
	unsigned long long since;	/* seconds since the epoch */
	bool unread;		/* its record or worker can't be read: the rest may be missing */
};

struct state {
	int directory;			/* a descriptor, -1 where closed */
	int sessions;			/* the same, of what is locked in it */
	bool locked;			/* by flock(2) */
	uid_t user;			/* whose all of it is: ours */
	struct records *records;	/* under the lock: what was read of sessions */
	const char *path;
};

/*
 * state_open - open the directory, and make it where it is missing and @create is set
 *
 * With @create, what others can read is closed to them; what they can write to is refused, since it may be theirs.
 * Returns 0, or -1 with the reason in @report (EX_CANTCREAT). state_close() in either case.
 */
int state_open(struct state *state, const char *path, bool create, struct report *report);
void state_close(struct state *state);

/* session_address - the one of a family as others know it: without scope, in its shortest form; false where there is none */
bool session_address(const struct session *session, int family, char text[ADDRESS_TEXT]);

/* state_complain - that something in it can't be used, as errno says; "" for itself. Returns -1. */
int state_complain(const struct state *state, const char *name, struct report *report);

/*
 * state_open_part - a directory in it, which is made where it is missing, as private as the others
 *
 * Returns a descriptor, or -1 with the reason in @report.
 */
int state_open_part(const struct state *state, const char *name, struct report *report);

/* state_lock - one run at a time; -1 with EX_TEMPFAIL in @report after 3 s. state_unlock() is safe always. */
int state_lock(struct state *state, struct report *report);
void state_unlock(struct state *state);

/*
 * state_doubts - whether there may be live sessions without a record: the directory was made when something of ours was
 *	in the kernel already, as after a change of state_dir; state_trust - there are none
 */
bool state_doubts(const struct state *state);
void state_trust(const struct state *state);

/*
 * state_record - keep a session, in place of an earlier one with its ID; under the lock
 *
 * Returns 0, or -1 with the reason in @report, also where its worker is gone.
 */
int state_record(const struct state *state, const struct session *session, struct report *report);

/* state_gateway - of which gateway its record says that a session leaves by it; "" where none does */
const char *state_gateway(const struct state *state, const char *id, char gateway[GATEWAY_NAME]);

/* state_forget - drop a session; 0 where there was none, too */
int state_forget(const struct state *state, const char *id, struct report *report);

/* Who had an address last. On a reconnect the sessions of a user overlap, with the same address. */
enum holder {
	HOLDER_NONE,		/* nobody, or what was of it is gone */
	HOLDER_ENDED,		/* a session that has ended */
	HOLDER_SELF,		/* this very session */
	HOLDER_SAME_USER,	/* another live session of the same user, by the same gateway */
	HOLDER_OTHER,		/* a live session of another user or by another gateway, or one that can't be read */
};

enum holder state_holder(const struct state *state, const struct session *session, const char *address);

/* state_holds - whether @address is that of a session, which need not have a record */
bool state_holds(const struct state *state, const struct session *session, const char *address);

/*
 * state_claim - @address is the session's from now on, unless somebody had it; under the lock
 *
 * Returns 1 where somebody had it, and so has it still; -1 with the reason in @report.
 */
int state_claim(const struct state *state, const struct session *session, const char *address, struct report *report);

/* state_hold - @address is the session's, whoever had it; under the lock */
int state_hold(const struct state *state, const struct session *session, const char *address, struct report *report);

/* state_release - nobody has @address any more, and nothing of it is left; under the lock */
void state_release(const struct state *state, const char *address);

#define SESSION_VALUE 256	/* bytes of a value that are recorded */
#define DEVICE_TEXT 256	/* bytes of what is kept of a device with its NUL */

/*
 * state_hold_device - a device is the session's, and had these addresses: "10.20.0.50 fd20::50"; under the lock
 * state_device - the ID of the session that had it last, and the addresses; "" where nobody had, or @state is closed
 * state_release_device - nobody has it any more; under the lock
 *
 * The first returns 0, or -1 with the reason in @report; the second NULL with the reason.
 */
int state_hold_device(const struct state *state, const struct session *session, const char *addresses, struct report *report);
const char *state_device(const struct state *state, const char *device, char id[DEVICE_TEXT], struct report *report);
void state_release_device(const struct state *state, const char *device);

/*
 * state_remember - keep @text under @name, a file name that nothing else in the directory has, until another one; under
 *	the lock. It is the target of a symbolic link, renamed into its place: read by one system call, never half-written.
 * state_recall - what is kept under @name, cut at @size bytes with its NUL; "" where nothing is, or no such link, or @state is closed
 *
 * Return 0, or -1 with the reason in @report.
 */
int state_remember(const struct state *state, const char *name, const char *text, struct report *report);
int state_recall(const struct state *state, const char *name, char *text, size_t size, struct report *report);

/*
 * state_put_link - a symbolic link to @target with this name, in place of another; made as @new, and renamed; under the lock
 *
 * Returns 0, or -1 with the reason in @report.
 */
int state_put_link(const struct state *state, const char *target, const char *new, const char *name, struct report *report);

/*
 * state_write - keep @text in a file of its own, renamed into its place, for what no link holds; under the lock
 * state_read - what is there, added to @text; nothing where nothing is, or @state is closed
 *
 * Return 0, or -1 with the reason in @report.
 */
int state_write(const struct state *state, const char *name, const struct text *text, struct report *report);
int state_read(const struct state *state, const char *name, struct text *text, struct report *report);

/* state_drop - remove a link or file; 0 where there is none, too, or -1 with the reason in @report */
int state_drop(const struct state *state, const char *name, struct report *report);

#define STATE_CHANGE 16		/* bytes of a word of change_text() with its NUL */

/*
 * state_note_change - remember what a run has done to the kernel, and when; under the lock. It is for `status` alone,
 *	so that it can't be written is no error.
 * state_last_change - the same: seconds since the epoch, and @what in a word; 0 where nothing is known
 */
void state_note_change(const struct state *state, const char *what);
unsigned long long state_last_change(const struct state *state, char what[STATE_CHANGE]);

/*
 * session_visitor - takes a live session, valid during the call
 *
 * Returns whether to go on.
 */
typedef bool (*session_visitor)(const struct session *session, void *data);

/*
 * state_visit - every live session, in no order, until @visit returns false
 *
 * With @prune, under the lock, ended ones are removed, and what a killed run has left. One whose record or worker
 * can't be read counts as live, and is `unread`, with an error in @report: lest the kill switch goes under it. Returns -1
 * where the directory can't be read. Under the lock each is read once, however often they are visited.
 */
int state_visit(const struct state *state, bool prune, session_visitor visit, void *data, struct report *report);

/*
 * state_look - the same without a lock, as far as it can be read: no directory means no session
 * @path: of the state directory
 */
void state_look(const char *path, session_visitor visit, void *data);

/* session_id_valid - 1 to 10 digits, without a leading 0 */
bool session_id_valid(const char *id);

/* session_is_over - no process has the ID of a session, whether that has a record or not */
bool session_is_over(const char *id);

#endif

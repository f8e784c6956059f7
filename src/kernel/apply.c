/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/apply.h"
#include "base/log.h"
#include "kernel/nftables_batch.h"
#include "kernel/nftables_describe.h"
#include "kernel/rtnetlink.h"
#include "kernel/setting.h"
#include "model/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

static int refuse(const struct netlink_error *error, struct report *report, const char *object, const char *doing)
{
	if (error->number == EPERM)
		return report_error(report, EX_NOPERM, "%s: %s: this needs CAP_NET_ADMIN; run it as root, or give the "
				    "container NET_ADMIN", doing, netlink_error_text(error));
	return report_error(report, netlink_error_status(error), "%s%s%s: the kernel says: %s", doing,
			    object[0] ? ": " : "", object, netlink_error_text(error));
}

/* See make_room_to_send() in netlink.c. */
static int refuse_size(size_t size, struct report *report, const char *doing)
{
	return report_error(report, EX_OSERR, "%s: it is one transaction of %zu bytes, which is more than a container with a user "
			    "namespace of its own may send at once, so sessions are refused; on the host, sysctl -w "
			    "net.core.wmem_max=%zu", doing, size, size);
}

/*
 * What is to be made is there already, or what is to go has gone: the answer to a batch that was sent before was lost, so
 * this one was sent again
 */
static bool is_done(const struct netlink_error *error)
{
	return error->number == EEXIST || error->number == ENOENT;
}

/* @doing: for an error, the beginning of the sentence; @outdated: whether it means that all is to be looked at again */
static int send_guard(struct nftables_batch *batch, const struct guard *guard, struct netlink *nft, const char *doing,
		      bool (*outdated)(const struct netlink_error *error), struct report *report)
{
	struct text object CLEANUP(text_free) = { 0 }, what CLEANUP(text_free) = { 0 };
	struct netlink_error error;
	int result = netlink_send_batch(nft, batch->buffer, batch->size, batch->first, batch->last, &error);

	if (result < 0 && (error.number == ERESTART || (outdated && outdated(&error)))) {
		result = APPLY_OUTDATED;
	} else if (result < 0) {
		text_add(&what, "%s the kill switch, table inet %s", doing, guard->table);
		nftables_describe(&object, batch, error.sequence, error.offset);
		if (error.number == EMSGSIZE)
			refuse_size(batch->size, report, text_string(&what));
		else
			refuse(&error, report, text_string(&object), text_string(&what));
	}
	free(batch->buffer);
	return result;
}

static int apply_guard(const struct step *step, uint32_t generation, struct netlink *nft, struct report *report)
{
	bool make = step->kind == STEP_GUARD_LOAD;
	struct guard guard = *step->guard;
	struct nftables_batch batch;

	if (step->kind == STEP_SESSIONS) {
		nftables_make_session_batch(&batch, guard.table, step, generation, &nft->sequence);
		return send_guard(&batch, &guard, nft, "can't change the sessions of", generation ? is_done : NULL,
				  report);
	}
	/* Without one no checkpoint can name the table, and it is read each time. */
	if (make && getrandom(guard.instance, sizeof(guard.instance), GRND_NONBLOCK) != sizeof(guard.instance))
		memset(guard.instance, 0, sizeof(guard.instance));
	nftables_make_batch(&batch, &guard, step->replace || !make, make, generation, &nft->sequence);
	/* An interface of the flow table may have vanished since it was seen. */
	return send_guard(&batch, &guard, nft, make ? "can't load" : "can't remove",
			  make && guard.fast.devices && generation ? is_done : NULL, report);
}

int apply_rehearse(const struct guard *guard, bool present, struct netlink *nft, struct report *report)
{
	struct nftables_batch batch;

	nftables_make_batch(&batch, guard, present, true, 0, &nft->sequence);
	nftables_leave_open(&batch);
	return send_guard(&batch, guard, nft, "this kernel would not load", NULL, report);
}

static int apply_setting(const struct setting_step *setting, struct report *report)
{
	int error = setting_write(setting->name, setting->value);

	if (error == 0)
		return 0;
	return report_error(report, EX_OSERR, "can't write %d to /proc/sys/net/%s: %s: rp_filter would drop replies to clients "
			    "there, so sessions are refused; run sysctl -w net/%s=%d, or start the container with it (compose: "
			    "sysctls), or set rp_filter to 0", setting->value, setting->name, strerror(error), setting->name,
			    setting->value);
}

static int apply_routing(const struct step *step, struct netlink *route, struct report *report)
{
	struct text command CLEANUP(text_free) = { 0 };
	char buffer[NETLINK_MESSAGE_SIZE] = { 0 };	/* the padding of attributes too */
	struct nlmsghdr *message = NULL;
	struct netlink_error error;

	switch (step->kind) {
	case STEP_NEIGHBOUR_REPLACE:
		message = rtnetlink_replace_neighbour(buffer, step->neighbour);
		break;
	case STEP_NEIGHBOUR_REMOVE:
		message = rtnetlink_delete_neighbour(buffer, step->neighbour);
		break;
	case STEP_ROUTE_ADD:
		message = rtnetlink_add_route(buffer, step->route);
		break;
	case STEP_ROUTE_REMOVE:
		message = rtnetlink_delete_route(buffer, step->route);
		break;
	case STEP_RULE_ADD:
		message = rtnetlink_add_rule(buffer, step->rule);
		break;
	case STEP_RULE_REMOVE:
		message = rtnetlink_delete_rule(buffer, step->rule);
		break;
	case STEP_SETTING:
		return apply_setting(step->setting, report);
	case STEP_GUARD_LOAD:
	case STEP_GUARD_REMOVE:
	case STEP_SESSIONS:
		return 0;
	}
	if (netlink_request(route, message, NULL, NULL, &error) == 0)
		return 0;
	script_add_step(&command, step);
	return refuse(&error, report, "", text_string(&command));
}

static void log_step(const struct step *step)
{
	struct text command CLEANUP(text_free) = { 0 };

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	if (step->guard && step->kind != STEP_SESSIONS) {
		log_line(LOG_LEVEL_DEBUG, "nft: %s table inet %s", step->kind == STEP_GUARD_REMOVE ? "delete" :
			 step->replace ? "replace" : "add", step->guard->table);
		return;
	}
	script_add_step(&command, step);
	log_line(LOG_LEVEL_DEBUG, "%s", text_string(&command));
}

int apply_plan(const struct plan *plan, uint32_t generation, struct sockets *sockets, struct report *report)
{
	int result = 0;

	for (size_t i = 0; i < plan->steps && result == 0; i++) {
		const struct step *step = &plan->step[i];
		bool guard = step->guard != NULL;

		log_step(step);
		result = guard ? apply_guard(step, generation, &sockets->nft, report) :
				 apply_routing(step, &sockets->route, report);
	}
	return result;
}

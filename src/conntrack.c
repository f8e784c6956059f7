/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conntrack.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

/* What of a tuple is compared: the source address alone (CTA_FILTER_F_CTA_IP_SRC of the kernel). */
#define COMPARE_SOURCE 1U

struct nlmsghdr *conntrack_delete(void *buffer, const struct address *address, enum flow_side side)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;
	struct nlattr *outer, *inner;

	message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = address->family;
	header->version = 1;	/* with 0 the kernel takes any family */

	/* To a client means: the answers come from it. */
	outer = mnl_attr_nest_start(message, side == FLOW_FROM_CLIENT ? CTA_TUPLE_ORIG : CTA_TUPLE_REPLY);
	inner = mnl_attr_nest_start(message, CTA_TUPLE_IP);
	mnl_attr_put(message, address->family == AF_INET ? CTA_IP_V4_SRC : CTA_IP_V6_SRC,
		     address_size(address->family), address->bytes);
	mnl_attr_nest_end(message, inner);
	mnl_attr_nest_end(message, outer);

	outer = mnl_attr_nest_start(message, CTA_FILTER);
	mnl_attr_put_u32(message, CTA_FILTER_ORIG_FLAGS, side == FLOW_FROM_CLIENT ? COMPARE_SOURCE : 0);
	mnl_attr_put_u32(message, CTA_FILTER_REPLY_FLAGS, side == FLOW_TO_CLIENT ? COMPARE_SOURCE : 0);
	mnl_attr_nest_end(message, outer);
	return message;
}

void conntrack_forget(struct netlink *netfilter, const struct address *address, struct report *report)
{
	char buffer[NETLINK_MESSAGE_SIZE], text[ADDRESS_TEXT];
	struct netlink_error error;

	for (int side = FLOW_FROM_CLIENT; side <= FLOW_TO_CLIENT; side++) {
		if (netlink_request(netfilter, conntrack_delete(buffer, address, (enum flow_side)side), NULL, NULL,
				    &error) == 0)
			continue;
		report_warning(report, "can't delete the flows of %s, so its next holder may get their packets: the kernel "
			       "says: %s; it needs Linux 5.8 and nf_conntrack_netlink, or [session] forget_flows = no",
			       address_text(address, text), netlink_error_text(&error));
		return;
	}
}

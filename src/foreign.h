/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "config.h"
#include "fate.h"
#include "netlink.h"
#include "policy.h"

/*
 * foreign_check - what nft chains of others do to clients' packets
 * @policy: with the routes to the gateways
 * @nft: a NETLINK_NETFILTER socket
 *
 * A client's packet to the internet and its answer go through each chain at the hooks where they pass. What drops or
 * rewrites all such packets is a warning in @report; what depends on things that are left open here, such as ports, is
 * a note. Rules of legacy iptables are no nft chains, and not seen.
 */
void foreign_check(const struct config *config, const struct policy *policy, struct netlink *nft,
		   struct report *report);

/*
 * foreign_check_packet - the same for one packet
 * @findings: warnings and notes about it
 *
 * Returns whether a chain drops it for sure. What can't be read is an error in @report.
 */
bool foreign_check_packet(const struct config *config, const struct packet *packet, struct netlink *nft,
			  struct report *findings, struct report *report);

#endif

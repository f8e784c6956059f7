#!/bin/bash
# A kill switch that was found complete is not read again until nf_tables counts a change; a change is always seen.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# connects WHAT TIMES ROUTING: a session; it reads the kill switch so many times and finds this
connects() {
	WRAP=(strace -f -qq -e trace=sendto -o "$OGW_WORK/trace")
	ok "$1: a session connects" hook connect
	WRAP=()
	is "$(grep -c NFT_MSG_GETRULE "$OGW_WORK/trace")" "$2" "$1: the kill switch is read $2 times"
	is "$(grep -c NFT_MSG_GETFLOWTABLE "$OGW_WORK/trace")" "$(($2 > 0))" "$1: with it, once, flow tables of others"
	is "$(field routing)" "$3" "$1: routing is $3"
}

test_changes() {
	connects "at first" 1 installed
	connects "again" 0 intact
	connects "and again" 0 intact
	ok "somebody adds a table" nft add table inet somebody
	connects "after somebody's change" 1 intact
	connects "after that" 0 intact
	ok "a chain of ours is flushed" nft flush chain inet ocserv_gw from_client
	connects "after a change of ours" 2 repaired
	connects "after the repair" 0 intact
	ok "nftables are flushed" nft flush ruleset
	connects "after a flush" 1 repaired
	connects "after that repair" 0 intact
}

test_other_wishes() {
	ini killswitch.client_to_client=no
	connects "another configuration" 2 repaired
	connects "the same again" 0 intact
	ok "up, where all is intact" program up
	connects "after up" 0 intact
	ok "a policy rule is removed" ip rule del priority 1000
	connects "after a change of routing" 1 repaired
	connects "after its repair" 0 intact
}

# restored SED-EXPRESSION: our table as nft makes it of its own listing, changed, in one transaction
restored() {
	local listing
	listing=$(nft -s list table inet ocserv_gw | sed "$1")
	nft -f - <<<"delete table inet ocserv_gw"$'\n'"$listing"
}

# What nft restores from a file is not the table that was checkpointed.
test_restored() {
	ok "the table is restored from a file" restored ''
	connects "restored" 1 intact
	connects "restored, again" 1 intact
	ok "up takes it as it is" program up
	is "$out" intact "and says so"
	ok "nftables are flushed" nft flush ruleset
	connects "flushed" 1 repaired
}

# The number of changes that the checkpoint names, one more
count_one() {
	local instance generation wanted
	IFS=. read -r instance generation wanted < <(readlink "$STATE_DIR/checkpoint")
	ln -sfn "$(printf '%s.%08x.%s' "$instance" $((16#$generation + 1)) "$wanted")" "$STATE_DIR/checkpoint"
}

# A state directory that comes from another host or an earlier boot, where nf_tables had counted as far.
test_same_count() {
	connects "before" 0 intact
	ok "a table of the same name and count, without a chain's rules" restored '/chain from_client/,/^\t}/{/accept/d}'
	ok "its count is in the checkpoint" count_one
	connects "another table" 2 repaired
	connects "after the repair" 0 intact
	ok "control: a rule is removed from the checkpointed table itself" nft flush chain inet ocserv_gw from_client
	ok "control: its count is in the checkpoint" count_one
	connects "control: the forged checkpoint is believed" 0 intact
	rm "$STATE_DIR/checkpoint"
	connects "without the forged checkpoint" 2 repaired
}

test_broken_checkpoint() {
	connects "a whole checkpoint" 0 intact
	ok "the checkpoint is cut off" ln -sfn "$(readlink "$STATE_DIR/checkpoint" | cut -c1-50)" "$STATE_DIR/checkpoint"
	connects "a checkpoint cut off" 1 intact
	connects "a new one" 0 intact
	ok "the checkpoint is gone" rm "$STATE_DIR/checkpoint"
	ok "a directory is in its place" mkdir "$STATE_DIR/checkpoint"
	connects "no checkpoint can be kept" 1 intact
	connects "nor now" 1 intact
	rmdir "$STATE_DIR/checkpoint"
}

# interpose: $OGW_WORK/meddle.so, which runs a command right before the kill switch is sent, as often as $OGW_WORK/meddle has
# lines
interpose() {
	cat >"$OGW_WORK/meddle.c" <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <linux/netfilter/nfnetlink.h>
		#include <linux/netlink.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <sys/socket.h>

		ssize_t send(int fd, const void *data, size_t size, int flags)
		{
			static FILE *commands;
			char command[512];
			ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

			if (size >= sizeof(struct nlmsghdr) && ((const struct nlmsghdr *)data)->nlmsg_type == NFNL_MSG_BATCH_BEGIN) {
				if (!commands)
					commands = fopen(getenv("MEDDLE"), "re");
				if (commands && fgets(command, sizeof(command), commands))
					system(command);
			}
			return real(fd, data, size, flags);
		}
	END
	cc -shared -fPIC -w -o "$OGW_WORK/meddle.so" "$OGW_WORK/meddle.c"
}

# meddled TIMES: connects while somebody changes nf_tables that often between its look and its change; its own changes are in $sent
meddled() {
	for ((i = 0; i < $1; i++)); do
		echo "env -u LD_PRELOAD nft 'add table inet meddler; add chain inet meddler c$i'"
	done >"$OGW_WORK/meddle"
	local WRAP=(strace -f -qq -e trace=sendto -o "$OGW_WORK/trace" -E "LD_PRELOAD=$OGW_WORK/meddle.so" -E "MEDDLE=$OGW_WORK/meddle")
	ok "$1 times: a session connects" hook connect
	sent=$(grep -c "NFNL_MSG_BATCH_BEGIN" "$OGW_WORK/trace")
}

# The kernel takes a new kill switch only if nobody has changed nf_tables since the program has looked.
test_outdated() {
	ok "what makes a change at the wrong moment is built" interpose
	for times in 0 1 3; do
		nft flush ruleset
		meddled "$times"
		is "$sent" $((times + 1)) "$times times: it looks again, and makes its change $((times + 1)) times"
		is "$(field routing)" repaired "$times times: routing is repaired"
		connects "$times times, and then" 0 intact
	done
	nft flush ruleset
	meddled 100
	is "$sent" 21 "without end: it makes its change all the same"
	is "$(field routing)" repaired "without end: routing is repaired"
}

# Into another program no library gets; the code is the same.
is_dynamic() {
	readelf -l "$OGW_PROGRAM" | grep -q INTERP
}

begin strace cc readelf
ENVIRONMENT+=(ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0)
ini
test_changes
test_other_wishes
test_restored
test_same_count
test_broken_checkpoint
if is_dynamic; then test_outdated; fi
done_testing

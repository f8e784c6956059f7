#!/bin/bash
# The table of an earlier version, under a live session: the next connect makes it the present one, in one transaction, so
# that nothing leaves meanwhile.
#
# former/NAME.nft is what `nft -s list table inet ocserv_gw` said of an earlier version with the configuration that
# test_upgrade gets.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/faults.sh"

# As it stands in its file, in place of the present one: in one transaction.
former_loaded() {
	nft -f - <<<"delete table inet ocserv_gw
$(<"$1")"
}

# The same in two: what the test would see of a gap.
former_loaded_late() {
	nft delete table inet ocserv_gw
	look
	nft -f - <<<"$(<"$1")"
}

# test_upgrade NAME SETTING...
test_upgrade() {
	local file=${0%/*}/former/$1.nft installed
	ini "${@:2}"
	ok "$1: a session" hook connect ID="$worker"
	installed=$(state)
	traffic begin all
	ok "$1: an earlier version's table" former_loaded "$file"
	look
	is "$history" gateway "$1: it lets nothing by elsewhere"
	program status
	is "$status" 1 "$1: status sees that it is not the present one"
	like "$out" $'\n'"problem +kill switch: set clients4 is missing" "$1: and says what is missing"
	WRAP=(strace -f -qq -s 100000 -e "trace=sendto,sendmsg" -o "$OGW_WORK/trace")
	worker_start
	ok "$1: the next session connects" hook connect ID="$worker" IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51 DEVICE=vpns1
	WRAP=()
	is "$(field routing)" repaired "$1: it has repaired the table"
	is "$(grep -c NFNL_MSG_BATCH_BEGIN "$OGW_WORK/trace")" 1 "$1: in one transaction"
	ok "$1: which has the old one go" grep -q "NFNL_MSG_BATCH_BEGIN.*NFT_MSG_DELTABLE.*NFT_MSG_NEWTABLE.*NFNL_MSG_BATCH_END" \
		"$OGW_WORK/trace"
	look
	is "$history" gateway "$1: meanwhile nothing has left but by the gateway"
	ok "$1: the state is as if it had been installed" state_is "$installed"
	ok "$1: status" program status
	like "$out" $'\n''state +installed'$'\n' "$1: it is complete"
	like "$out" $'\n'"2 live sessions" "$1: both sessions live"
	program up
	is "$out" intact "$1: and nothing is to be done"
	traffic begin all
	former_loaded_late "$file"
	look
	like "$history" open "$1: control: a gap would be seen"
	program up
}

begin strace
must "the neighbours are known" neighbours_up
must "a tunnel of another client" ip addr add 10.20.0.1 peer 10.20.0.51/32 dev vpns1
worker_start
must "a client sends" client_up "$GATEWAY_MAC" "$OTHER_MAC"
test_upgrade one-rule-a-subnet clients.subnet4="10.20.0.0/24, 10.21.128.0/17" gateway.address6=fd28::2
done_testing

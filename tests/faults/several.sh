#!/bin/bash
# A thousand sessions over 20 gateways come and go, 32 hooks at a time: every hook succeeds, everybody's entry is that
# of his gateway, and nothing is left in the end.
#
#   OGW_SEED=N    the order that a run has printed
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/storm.sh"

GATEWAYS=20
AT_ONCE=32

# A sanitizer makes each run so slow that not all get the lock in time.
if grep -qa __asan_init "$OGW_PROGRAM"; then sessions=100; else sessions=1000; fi

# Every other gateway has no IPv6.
several_ini() {
	local i
	{
		printf '%s\n' "[clients]" "subnet4 = 10.20.0.0/22" "subnet6 = fd20::/64" "[session]" "remove_after_last = yes"
		for ((i = 0; i < GATEWAYS; i++)); do
			echo "[gateway$( ((i == 0)) || echo " g$i")]"
			echo "address4 = 172.28.0.$((i + 10))"
			((i % 2)) || echo "address6 = fd28::$((i + 10))"
		done
		echo "[users]"
		for ((i = 0; i < sessions; i++)); do
			((i % GATEWAYS == 0)) || echo "user$i = g$((i % GATEWAYS))"
		done
	} >"$INI"
	chmod 600 "$INI"
}

# wanted FIRST COUNT: the entries of these sessions
wanted() {
	local i gateway
	for ((i = $1; i < $1 + $2; i++)); do
		gateway=$((i % GATEWAYS))
		((gateway)) && gateway=g$gateway || gateway=default
		echo "vpns$i $(session_address "$i") $gateway"
		((i % 2)) && gateway=block
		echo "vpns$i $(session_address6 "$i") $gateway"
	done | sort
}

entries_are() {	# FIRST COUNT
	same "$(wanted "$1" "$2")" "$(entries)"
}

test_storm() {
	local half=$((sessions / 2)) quarter=$((sessions / 4))
	ok "the first half connects" all_at_once "$(hooks connect 0 "$half" | in_any_order)"
	ok "each has the entry of its gateway" entries_are 0 "$half"
	ok "the other half connects while half of the first leaves" all_at_once \
		"$({ hooks connect "$half" "$half"; hooks disconnect 0 "$quarter"; } | in_any_order)"
	ok "each that is left has its entry, and no other is there" entries_are "$quarter" "$((sessions - quarter))"
	ok "up finds all as it should be" program up
	is "$out" intact "up changes nothing"
	nft flush ruleset
	ok "after a flush one connects" all_at_once "$(hooks connect 0 1)"
	ok "everybody's entry is back" same "$( { wanted 0 1; wanted "$quarter" "$((sessions - quarter))"; } | sort)" "$(entries)"
	ok "everybody leaves" all_at_once "$({ hooks disconnect 0 1; hooks disconnect "$quarter" "$((sessions - quarter))"; } | in_any_order)"
	ok "nothing is left in the kernel" state_is "$empty_state"
	is "$(find "$STATE_DIR/sessions" "$STATE_DIR/addresses" -mindepth 1)" "" "nor a session in the books"
	is "$(grep -c 'error:' "$log")" 0 "no hook has said that anything is wrong"
}

begin xargs shuf
must "the gateways answer" gateways_known
several_ini
: >"$log"
must "there are $sessions workers" workers_start "$sessions"
test_storm
done_testing

#!/bin/bash
# `up --wait`: the gateway's interface comes late, in each of the ways in which one comes.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# In the background, as at boot; its exit status is in $OGW_WORK/ended as soon as it has ended.
waits() {	# OPTION...
	rm -f "$OGW_WORK"/{ended,waiting}
	(
		env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" up "$@" >"$OGW_WORK/waiting" 2>&1
		echo $? >"$OGW_WORK/ended.new"
		mv "$OGW_WORK/ended.new" "$OGW_WORK/ended"
	) &
	wait_for 10 grep -q "waiting" "$OGW_WORK/waiting"
}

ended_with() {	# STATUS
	wait_for 20 test -e "$OGW_WORK/ended" && [ "$(<"$OGW_WORK/ended")" = "$1" ] && return
	cat "$OGW_WORK/waiting"
	return 1
}

complete() {
	program up && [ "$out" = intact ]
}

interface_goes() {
	ip link del eth0
}

interface_comes() {
	ip link add eth0 type veth peer name eth0 netns outside && ip -n outside link set eth0 up &&
		ip link set eth0 up && ip addr add 172.28.0.3/24 dev eth0 && ip addr add fd28::3/64 dev eth0 nodad
}

address_goes() {
	ip addr del 172.28.0.3/24 dev eth0
}

address_comes() {
	ip addr add 172.28.0.3/24 dev eth0
}

link_goes() {
	ip link set eth0 down
}

# Down, it keeps its IPv4 address and loses the other.
link_comes() {
	ip link set eth0 up && ip addr replace fd28::3/64 dev eth0 nodad
}

name_goes() {
	ip link set eth0 down && ip link set eth0 name later
}

name_comes() {
	ip link set later name eth0 && link_comes
}

address6_goes() {
	ip addr del fd28::3/64 dev eth0
}

address6_comes() {
	ip addr add fd28::3/64 dev eth0
}

# test_late NAME: what goes before `up --wait`, and comes while it waits
test_late() {
	clear_state >/dev/null 2>&1
	"$1_goes"
	waits --wait=600
	like "$(<"$OGW_WORK/waiting")" "waiting up to 600 seconds .*(is not on a network of this host|no such interface)" "$1: it says what it waits for"
	not_ok "$1: it goes on waiting" test -e "$OGW_WORK/ended"
	ok "$1: a hook meanwhile does not wait for the lock" test "$(hook connect; echo "$status")" = 78
	"$1_comes"
	ok "$1: it ends well" ended_with 0
	ok "$1: all is installed" complete
}

# Other news than those it waits for.
test_others() {
	clear_state >/dev/null 2>&1
	interface_goes
	waits --wait=600
	ip link add other type veth peer name another && ip addr add 192.168.77.1/24 dev other && ip link set other up
	ip route add 192.168.78.0/24 dev other
	ip link del other
	not_ok "others: it goes on waiting" test -e "$OGW_WORK/ended"
	interface_comes
	ok "others: it ends well" ended_with 0
}

test_never() {
	clear_state >/dev/null 2>&1
	address_goes
	program up --wait=1
	is "$status" 78 "never: the exit status is that of up"
	like "$err" "waiting up to 1 seconds" "never: it has waited"
	like "$err" "error: .*172.28.0.2: is not on a network of this host" "never: and says what is missing"
	# More than the deadline of all other runs.
	waits --wait=6
	ok "never: its time is its own" ended_with 78
	unlike "$(<"$OGW_WORK/waiting")" "given up" "never: no deadline ends it"
	address_comes
}

test_there() {
	clear_state >/dev/null 2>&1
	ok "there: up --wait" program up --wait=600
	is "$err" "" "there: nothing is said"
	ok "there: all is installed" complete
}

test_usage() {
	program up --wait=0
	is "$status" 64 "usage: no time"
	like "$err" "wait takes seconds, 1 to 86400, not 0" "usage: says what it takes"
	program up --wait
	is "$status" 64 "usage: without a number"
	program up --wait=5 --dry-run
	is "$status" 64 "usage: with --dry-run"
	program status --wait=5
	is "$status" 64 "usage: of another verb"
	program up -t
	like "$err" "unknown option -t" "usage: it has no short form"
}

begin
ini gateway.address6=fd28::2
for way in interface address address6; do
	test_late "$way"
done
ini gateway.address6=fd28::2 gateway.interface=eth0
for way in link name; do
	test_late "$way"
done
test_others
test_never
test_there
test_usage
done_testing

#!/bin/bash
# forget_flows: the flows of an address end with its session, and before somebody else gets the address.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# flow FROM TO: an established flow, as one that has been answered
flow() {
	conntrack -I -p udp -s "$1" -d "$2" --sport 5000 --dport 53 -t 600 -u SEEN_REPLY >/dev/null 2>&1
}

# The addresses of all flows, a line each: FROM TO of the first packet.
flows() {
	{ conntrack -L -f ipv4; conntrack -L -f ipv6; } 2>/dev/null |
		sed -n 's/.*src=\([^ ]*\) dst=\([^ ]*\) .*src=.*/\1 \2/p' | sort
}

fill() {
	conntrack -F >/dev/null 2>&1
	flow 10.20.0.50 198.51.100.80 && flow 10.20.0.51 198.51.100.80 && flow 10.20.0.51 10.20.0.50 &&
		flow 172.28.0.3 198.51.100.80 && flow fd20::50 2001:db8::80 && flow fd20::51 2001:db8::80
}
others=$'10.20.0.51 198.51.100.80\n172.28.0.3 198.51.100.80\nfd20::51 2001:db8::80'

all=$(sort <<'END'
10.20.0.50 198.51.100.80
10.20.0.51 10.20.0.50
10.20.0.51 198.51.100.80
172.28.0.3 198.51.100.80
fd20::50 2001:db8::80
fd20::51 2001:db8::80
END
)

fresh() {
	rm -rf "$STATE_DIR"
	ini gateway.address6=fd28::2 "$@"
	conntrack -F >/dev/null 2>&1
}

test_disconnect() {
	fresh
	ok "a session connects" hook connect
	ok "there are flows" fill
	is "$(flows)" "$all" "of two clients and of the server"
	ok "it disconnects" hook disconnect
	is "$(flows)" "$others" "its flows are gone, to it and from it, and no others"
}

test_off() {
	fresh session.forget_flows=no
	hook connect
	fill
	ok "forget_flows = no: a session disconnects" hook disconnect
	is "$(flows)" "$all" "and all flows stay"
}

test_killed_server() {
	fresh
	worker_start
	hook connect ID="$worker"
	fill
	worker_stop "$worker"
	ok "no disconnect was called: another user gets the address" hook connect USERNAME=mallory
	is "$(flows)" "$others" "without the flows of the one before"
}

# Order: the lock is given back before the kernel is asked for what takes long.
without_lock() {
	awk '/flock\(.*LOCK_EX/ { held = 1 } /flock\(.*LOCK_UN/ { held = 0 }
	     /CTNETLINK/ && /CT_DELETE/ { asked++; wrong += held } END { exit !(asked > 0 && wrong == 0) }' "$OGW_WORK/trace"
}

test_lock() {
	local WRAP=(strace -f -e "trace=flock,sendto" -o "$OGW_WORK/trace")
	fresh
	worker_start
	# LeakSanitizer can't work under a tracer.
	hook connect ID="$worker" ASAN_OPTIONS=detect_leaks=0
	worker_stop "$worker"
	ok "an address changes hands" hook connect USERNAME=mallory ASAN_OPTIONS=detect_leaks=0
	ok "flows are looked for without the lock" without_lock
	hook disconnect USERNAME=mallory ASAN_OPTIONS=detect_leaks=0
	ok "at a disconnect, too" without_lock
}

# The old session and the new one of a user overlap, with the same address, in either order.
test_reconnect() {
	fresh
	worker_start
	hook connect ID="$worker"
	fill
	ok "a reconnect of the same user" hook connect DEVICE=vpns1
	is "$(flows)" "$all" "keeps the flows"
	ok "the old session's end" hook disconnect ID="$worker"
	is "$(flows)" "$all" "keeps them too"
	worker_stop "$worker"
	ok "the new session's end" hook disconnect DEVICE=vpns1
	is "$(flows)" "$others" "ends them"
}

test_other_user_live() {
	fresh
	worker_start
	hook connect ID="$worker"
	fill
	ok "another user gets the address while the session before is not over" hook connect USERNAME=mallory
	is "$(flows)" "$others" "without its flows"
	fill
	ok "the session before ends late" hook disconnect ID="$worker"
	is "$(flows)" "$all" "and the flows of the new one stay"
	worker_stop "$worker"
	hook disconnect USERNAME=mallory
}

test_connect_keeps_others() {
	fresh
	fill
	ok "a session connects with an address that nobody had" hook connect
	is "$(flows)" "$all" "no flow is touched"
	hook disconnect
}

begin conntrack strace
# Without a rule that asks for it, the kernel tracks nothing.
ini
program up
test_disconnect
test_off
test_killed_server
test_lock
test_reconnect
test_other_user_live
test_connect_keeps_others
done_testing

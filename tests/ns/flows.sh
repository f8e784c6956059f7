#!/bin/bash
# forget_flows: the flows of an address end with its session, and before somebody else gets the address.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/flows.sh"

fill() {
	conntrack -F >/dev/null 2>&1
	make_flows <<<"$all"
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
	     /CTNETLINK/ { asked++; wrong += held } END { exit !(asked > 0 && wrong == 0) }' "$OGW_WORK/trace"
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

# ocserv may give each client a network of its own: all of it goes from client to client.
test_networks() {
	local with=(IPV6_REMOTE=fd20::1:0:0:50 IPV6_PREFIX=80)
	all=$(sort <<-'END'
		2001:db8::80 fd20::1:0:0:50
		fd20::1:0:0:50 2001:db8::80
		fd20::1:ffff:ffff:ffff 2001:db8::80
		fd20::2:0:0:50 2001:db8::80
	END
	)
	fresh
	hook connect "${with[@]}"
	fill
	ok "a client with a network disconnects" hook disconnect "${with[@]}"
	is "$(flows)" "fd20::2:0:0:50 2001:db8::80" "the flows of all its addresses are gone"
	worker_start
	hook connect ID="$worker" "${with[@]}"
	worker_stop "$worker"
	fill
	ok "another gets the network of a client of whose end nobody knows" hook connect "${with[@]}" USERNAME=mallory
	is "$(flows)" "fd20::2:0:0:50 2001:db8::80" "without its flows"
	hook disconnect "${with[@]}" USERNAME=mallory
}

# A foreign rule may give flows a conntrack zone, in both directions or in one.
zones() {	# ADDRESS OTHER OTHER OTHER OTHER
	cat <<-END
		$1 $2
		$1 $2 --zone 7
		$1 $3 --orig-zone 7
		$1 $4 --reply-zone 7
		$5 $1 --zone 7
	END
}

fill_zones() {
	conntrack -F >/dev/null 2>&1
	for client in 50 51; do
		zones "10.20.0.$client" 198.51.100.80 198.51.100.81 198.51.100.82 198.51.100.83
		zones "fd20::$client" 2001:db8::80 2001:db8::81 2001:db8::82 2001:db8::83
	done | make_flows
}

test_zones() {
	fresh
	hook connect
	must "two clients have flows in a zone and in none" fill_zones
	is "$(flows | wc -l)" 20 "ten each"
	hook disconnect
	is "$(flows | grep -cE '(10\.20\.0\.|fd20::)50')" 0 "one disconnects: its flows are gone, in whatever zone"
	is "$(flows | wc -l)" 10 "all of the other stay"
}

# make_many COUNT FROM TO: from as many ports
make_many() {
	awk -v count="$1" -v from="$2" -v to="$3" 'BEGIN {
		for (i = 0; i < count; i++)
			printf "-I -p udp --sport %d --dport %d -t 600 -u SEEN_REPLY -s %s -d %s\n",
				1 + i % 60000, 1 + i / 60000, from, to
	}' | conntrack -R -
}

# More than a client has with any program. A hook ends within five seconds, or fails.
many=${OGW_SLOW:+3000}
many=${many:-120000}
test_many() {	# CLIENT OTHER-CLIENT TO
	fresh
	hook connect
	must "another client has 100 flows" make_many 100 "$2" "$3"
	must "one has $many" make_many "$many" "$1" "$3"
	ok "it disconnects" hook disconnect
	is "$(wc -l <<<"$err")" 1 "and nothing is said but that"
	is "$(conntrack -C)" 100 "all its flows are gone, and no other's"
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
test_zones
test_networks
test_many 10.20.0.50 10.20.0.51 198.51.100.80
test_many fd20::50 fd20::51 2001:db8::80
done_testing

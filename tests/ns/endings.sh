#!/bin/bash
# Flows that are to end: noted in the state directory, and ended by one run for many. Who gets an address before that
# ends them himself, whoever holds a lock.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/flows.sh"
. "$lib/storm.sh"

SESSIONS=${OGW_SLOW:+20}
SESSIONS=${SESSIONS:-100}
AT_ONCE=64

fresh() {
	program down
	rm -rf "$STATE_DIR"
	ini clients.subnet4=10.20.0.0/22 gateway.address6=fd28::2 "$@"
	conntrack -F >/dev/null 2>&1
}

# A run of another that holds the lock of flows/ or of the state directory, and comes to no end; stopped, too.
hold() {
	[ -d "$STATE_DIR/flows" ] || mkdir -m 700 "$STATE_DIR/flows"
	flock "$1" sh -c "echo >$OGW_WORK/holds; exec sleep infinity" &
	holder=$!
	wait_for 10 test -e "$OGW_WORK/holds" && rm "$OGW_WORK/holds" && kill -STOP "$holder"
}

let_go() {
	pkill -KILL -P "$holder"
	kill -KILL "$holder"
	wait "$holder" 2>/dev/null
}

# leaves NAME [VARIABLE=VALUE...]: its end while another run is about to end flows, so that its own stay
leaves() {
	hold "$STATE_DIR" && disconnect "$@"
	local result=$?
	let_go
	return "$result"
}

# The addresses that somebody has, in a line.
held() {
	find "$STATE_DIR/addresses" -mindepth 1 -printf '%f\n' | sort | paste -sd' '
}

BOB=(USERNAME=bob DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51)
alices=$'10.20.0.50 198.51.100.80\nfd20::50 2001:db8::80'
bobs=$'10.20.0.51 198.51.100.80\nfd20::51 2001:db8::80'

all=$(sort <<<"$alices"$'\n'"$bobs")

# Sessions of alice and bob, with flows.
both() {
	connect A && connect B "${BOB[@]}" && make_flows <<<"$all"
}

# asked FILE...: how often the kernel was to look at all flows
asked() {
	cat "$@" | grep -c 'IPCTNL_MSG_CT_GET.*NLM_F_DUMP\|IPCTNL_MSG_CT_DELETE.*NLM_F_REQUEST|NLM_F_ACK, .*nlmsg_pid=0}.*nfgen_family'
}

all_noted() {
	[ "$(noted | wc -w)" = $((2 * SESSIONS)) ]
}

traced() {
	cat >"$OGW_WORK/traced" <<-END
		#!/bin/sh
		ASAN_OPTIONS=detect_leaks=0 exec strace -f -qq -e trace=sendto -o "$OGW_WORK/traces/\$ID" "$OGW_PROGRAM"
	END
	chmod +x "$OGW_WORK/traced"
	mkdir -p "$OGW_WORK/traces"
	sed "s|$OGW_PROGRAM\$|$OGW_WORK/traced|"
}

storm_flows() {
	local i
	for ((i = 0; i < SESSIONS; i++)); do
		echo "$(session_address "$i") 198.51.100.80"
		echo "$(session_address "$i") 198.51.100.81"
		echo "198.51.100.82 $(session_address "$i")"
		echo "$(session_address6 "$i") 2001:db8::80"
	done
	echo "$others"
}

test_storm() {
	local pid others=$'10.20.3.1 198.51.100.80\nfd20::ffff 2001:db8::80'
	fresh
	ok "storm: sessions connect" all_at_once "$(hooks connect 0 "$SESSIONS")"
	storm_flows | make_flows
	is "$(flows | wc -l)" $((4 * SESSIONS + 2)) "storm: they have flows, and so have others"
	mkdir -m 700 "$STATE_DIR/flows"
	exec {lock}<"$STATE_DIR/flows"
	flock "$lock"
	all_at_once "$(hooks disconnect 0 "$SESSIONS" | traced)" &
	pid=$!
	ok "storm: they all leave, while another run ends flows" wait_for 60 all_noted
	exec {lock}<&-
	ok "storm: each hook ends well" wait "$pid"
	is "$(flows)" "$others" "storm: all their flows are gone, and no others"
	is "$(noted)$(held)" "" "storm: nothing is noted any more, and no address anybody's"
	asked=$(asked "$OGW_WORK"/traces/*)
	ok "storm: one run or a few have asked for all" test "$asked" -ge 1
	ok "storm: by far not each ($asked)" test "$asked" -lt $((SESSIONS / 5))
}

test_reuse() {
	fresh
	start A B C
	ok "reuse: two sessions" both
	ok "reuse: bob leaves, another run is to end his flows" leaves B "${BOB[@]}"
	ok "reuse: so does alice" leaves A
	is "$(flows)" "$all" "reuse: that has not come to it"
	is "$(noted)" "10.20.0.50 10.20.0.51 fd20::50 fd20::51" "reuse: they are noted"
	ok "reuse: somebody gets his address" connect C "${BOB[@]}" USERNAME=mallory
	is "$(flows)" "" "reuse: his flows are gone before that, and hers with them"
	is "$(noted)" "" "reuse: nothing is noted any more"
	is "$(held)" "10.20.0.51 fd20::51" "reuse: and her addresses are nobody's"
	make_flows <<<"$bobs"
	ok "reuse: up" program up
	is "$(flows)" "$bobs" "reuse: the flows of who has the address now stay"
	disconnect C "${BOB[@]}"
	stop A B C
}

test_stopped() {
	fresh
	start A B C
	ok "stopped: two sessions" both
	leaves A
	leaves B "${BOB[@]}"
	must "stopped: a run that ends flows is stopped" hold "$STATE_DIR/flows"
	ok "stopped: somebody gets an address" connect C "${BOB[@]}" USERNAME=mallory
	is "$(flows)" "$alices" "stopped: without the flows of the one before"
	is "$(noted)" "10.20.0.50 fd20::50" "stopped: the others are left"
	make_flows <<<"$bobs"
	ok "stopped: he leaves" disconnect C "${BOB[@]}"
	is "$(flows)" "" "stopped: and has ended them all"
	is "$(noted)" "" "stopped: nothing is noted any more"
	let_go
	stop A B C
}

# The hook is that strace traces.
is_stopped() {
	tracee=$(pgrep -P "$tracer") && grep -q '^State:[[:space:]]*[Tt]' "/proc/$tracee/status" && [ -s "$OGW_WORK/stopped" ] &&
		grep -q 'stopped by SIGSTOP' "$OGW_WORK/stopped"
}

# stopped_run CALL: alice leaves, and her run is stopped at this call
stopped_run() {
	both
	env -i "${ENVIRONMENT[@]}" "${SESSION[@]}" REASON=disconnect ID="$A" ASAN_OPTIONS=detect_leaks=0 \
		strace -f -e trace=sendto -e "inject=sendto:signal=SIGSTOP:when=$1" -o "$OGW_WORK/stopped" "$OGW_PROGRAM" \
		2>/dev/null &
	tracer=$!
	wait_for 10 is_stopped
}

goes_on() {
	kill -CONT "$tracee"
	wait "$tracer"
}

new=$'10.20.0.50 203.0.113.9\nfd20::50 2001:db8::9'

# It goes on when somebody has the address.
test_stopped_run() {	# CALL WHAT
	local tracer tracee
	fresh
	start A B C
	ok "stopped $2: a run is" stopped_run "$1"
	ok "stopped $2: somebody gets the address" connect C USERNAME=mallory
	is "$(flows)" "$bobs" "stopped $2: without the flows of the one before"
	make_flows <<<"$new"
	ok "stopped $2: it goes on" goes_on
	is "$(flows)" "$(sort <<<"$new"$'\n'"$bobs")" "stopped $2: his flows stay"
	is "$(held | wc -w)" 4 "stopped $2: and his addresses are his"
	is "$(noted)" "" "stopped $2: nothing is noted"
	disconnect C
	disconnect B "${BOB[@]}"
	stop A B C
}

# It goes on when he has left, too, and what is noted is not what it has seen.
test_stopped_long() {
	local tracer tracee
	fresh
	start A B C
	ok "stopped for long: a run is" stopped_run 3
	ok "stopped for long: somebody gets the address" connect C USERNAME=mallory
	make_flows <<<"$new"
	ok "stopped for long: and leaves, while a third one is to end his flows" leaves C
	ok "stopped for long: it goes on" goes_on
	is "$(noted)" "10.20.0.50 fd20::50" "stopped for long: what is noted stays so"
	ok "stopped for long: up" program up
	is "$(flows)" "$bobs" "stopped for long: his flows are gone"
	disconnect B "${BOB[@]}"
	stop A B C
}

# test_network WHAT: a client has a network to itself, and may send from any address of it
test_network() {
	local client=(IPV6_REMOTE=fd20::5:50 IPV6_PREFIX=112) others=$'fd20::6:1 2001:db8::80\nfd20::50 2001:db8::80'
	start A
	ok "network, $1: a session connects" connect A "${client[@]}"
	make_flows <<-FLOWS
		fd20::5:50 2001:db8::80
		fd20::5:1 2001:db8::80
		fd20::5:ffff 2001:db8::80
		2001:db8::81 fd20::5:2
		$others
	FLOWS
	ok "network, $1: it leaves" leaves A "${client[@]}"
	ok "network, $1: up" program up
	is "$(flows)" "$(sort <<<"$others")" "network, $1: the flows of all its addresses are gone, and of no other"
	stop A
}

several() {
	cat >>"$INI" <<-GATEWAYS
		[gateway nl]
		address4 = 172.28.0.4
		address6 = fd28::4
		[users]
		alice = ${1:-nl}
	GATEWAYS
}

# Sessions that leave by another gateway after an edit, and have an IPv6 network each.
test_moved() {
	local network=(IPV6_REMOTE=fd20::5:50 IPV6_PREFIX=112) others=$'10.20.0.51 198.51.100.80\nfd20::6:1 2001:db8::80'
	fresh
	several
	start A
	ok "moved: a session connects" connect A "${network[@]}"
	make_flows <<<$'10.20.0.50 198.51.100.80\nfd20::5:50 2001:db8::80\nfd20::5:1 2001:db8::80\n'"$others"
	ini clients.subnet4=10.20.0.0/22 gateway.address6=fd28::2
	several default
	ok "moved: an edit moves it" program up
	is "$(flows)" "$others" "moved: its flows have ended, and no other"
	is "$(noted)" "" "moved: nothing is noted"
	disconnect A "${network[@]}"
	stop A
}

test_verbs() {	# VERB
	fresh
	start A B
	both
	leaves A
	ok "$1: $1" program "$1"
	is "$(flows)" "$bobs" "$1: ends the flows that a run has left"
	is "$(noted)" "" "$1: nothing is noted any more"
	disconnect B "${BOB[@]}"
	stop A B
}

test_not_any_more() {	# WHAT KEY=VALUE FLOWS...
	fresh
	start A B
	both
	leaves A
	ini clients.subnet4=10.20.0.0/22 gateway.address6=fd28::2 "$2"
	ok "$1: another session leaves" disconnect B "${BOB[@]}"
	is "$(flows)" "$3" "$1: what is not to end stays"
	is "$(noted)$(held)" "" "$1: and nothing is noted any more"
	stop A B
}

test_strangers() {
	fresh
	start A B
	both
	leaves A
	mkdir "$STATE_DIR/flows/10.20.0.60"
	echo 1.1/32 >"$STATE_DIR/flows/10.20.0.61"
	ln -s 1.1/33 "$STATE_DIR/flows/10.20.0.51"
	ln -s 1.1/0 "$STATE_DIR/flows/fd20::51"
	ln -s 1.1/32 "$STATE_DIR/flows/nobody"
	ln -s 1.1 "$STATE_DIR/flows/new"
	ok "strangers: up" program up
	is "$(flows)" "$bobs" "strangers: what is no note is none"
	is "$(noted)" "10.20.0.51 10.20.0.60 10.20.0.61 fd20::51 nobody" "strangers: it stays, less what a killed run left"
	ok "strangers: bob leaves" disconnect B "${BOB[@]}"
	is "$(flows)" "" "strangers: his flows are noted all the same"
	stop A B
}

# Where others could write, a note may be anybody's.
test_private() {
	fresh
	start A B
	both
	mkdir "$STATE_DIR/flows"
	chmod 755 "$STATE_DIR/flows"
	ok "private: alice leaves" disconnect A
	is "$(stat -c %a "$STATE_DIR/flows")" 700 "private: nobody else can read what is noted"
	connect A
	make_flows <<<"$alices"
	leaves A
	chmod 777 "$STATE_DIR/flows"
	not_ok "private: up does not do all" program up
	like "$err" "state directory: $STATE_DIR/flows must belong to user 0 and be writable by nobody else" "private: and says what others can write to"
	is "$(flows)" "$all" "private: what is noted there is not believed"
	not_ok "private: nobody gets an address with flows" connect A USERNAME=mallory
	rm -r "$STATE_DIR/flows"
	ok "private: once it is removed" connect A USERNAME=mallory
	is "$(flows)" "$bobs" "private: they end before that"
	disconnect A
	disconnect B "${BOB[@]}"
	stop A B
}

test_status() {
	local last='the flows of 1 address of a session that has ended or moved were to end '
	fresh
	start A B
	both
	leaves A
	program status
	unlike "$out$err" "were to end" "status: what has just been noted is to end in a moment"
	ln -snf "$(($(date +%s) - 120)).5/32" "$STATE_DIR/flows/10.20.0.50"
	rm "$STATE_DIR/flows/fd20::50"
	program status
	like "$err" "$last"'2 min ago.*run .ocserv-gateway up.' "status: what lasts it says, and what to do"
	program status --json
	like "$out" "\"$last" "status: in JSON, too"
	leaves B "${BOB[@]}"
	program status
	like "$err" "the flows of 3 addresses" "status: how many"
	ok "status: up" program up
	program status
	unlike "$out$err" "were to end" "status: nothing more"
	stop A B
}

begin conntrack strace flock pgrep pkill xargs
must "the gateways answer" gateways_known
: >"$log"
must "there are workers" workers_start "$SESSIONS"
ini
program up
test_storm
test_reuse
test_stopped
test_stopped_run 1 "at the first deletion"
test_stopped_run 3 "when it asks for all"
test_stopped_run 4 "at the deletion of what is listed"
test_stopped_long
fresh
test_network "one gateway"
fresh
several
test_network "several gateways"
test_moved
test_verbs up
test_verbs down
test_not_any_more "forget_flows = no" session.forget_flows=no "$all"
test_not_any_more "IPv6 is blocked" gateway.address6=block $'fd20::50 2001:db8::80\nfd20::51 2001:db8::80'
test_strangers
test_private
test_status
done_testing

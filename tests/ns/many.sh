#!/bin/bash
# Several gateways: which entry each session has in the maps of sessions, from its connect to its disconnect, and what
# brings them back. Sessions are workers of this test that do nothing.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# The configuration of all tests; lines of it may be changed by edit().
many() {
	cat >"$INI" <<-'END'
		[clients]
		subnet4 = 10.20.0.0/24
		subnet6 = fd20::/64
		[gateway]
		address4 = 172.28.0.2
		[gateway nl]
		address4 = 172.28.0.4
		address6 = fd28::4
		[gateway us]
		address4 = 172.28.0.5
		[users]
		alice = nl
		bob = us
		eve = block
		dan = direct
	END
	chmod 600 "$INI"
}

fresh_start() {
	clear_state >/dev/null
	ip route flush table 101 2>/dev/null
	ip route flush table 102 2>/dev/null
	ip -6 route flush table 101 2>/dev/null
	rm -rf "$STATE_DIR"
	many
}

edit() {
	sed -i "$1" "$INI"
}

entries_are() {
	same "$(printf '%s\n' "$@")" "$(entries)"
}

start() {
	local name
	for name; do
		worker_start
		printf -v "$name" %s "$worker"
	done
}

stop() {
	local name
	for name; do
		worker_stop "${!name}"
	done
}

ALICE=(USERNAME=alice DEVICE=vpns0 IP_REMOTE=10.20.0.50 IPV6_REMOTE=fd20::50)
BOB=(USERNAME=bob DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51)
EVE=(USERNAME=eve DEVICE=vpns2 IP_REMOTE=10.20.0.52 IPV6_REMOTE=)
DAN=(USERNAME=dan DEVICE=vpns3 IP_REMOTE=10.20.0.53 IPV6_REMOTE=)
TOM=(USERNAME=tom DEVICE=vpns4 IP_REMOTE=10.20.0.54 IPV6_REMOTE=)

# connect/disconnect NAME VARIABLE=VALUE...
connect() {
	hook connect ID="${!1}" "${@:2}"
}

disconnect() {
	hook disconnect ID="${!1}" "${@:2}"
}

test_everybody_has_an_entry() {
	fresh_start
	start A B C D E
	ok "entries: alice connects" connect A "${ALICE[@]}"
	is "$(field routing) $(field gateway) $(field gateway4) $(field gateway6)" "installed nl 172.28.0.4 fd28::4" \
		"entries: the log names her gateway"
	ok "entries: hers are there" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl"
	ok "entries: bob connects" connect B "${BOB[@]}"
	is "$(field routing)" intact "entries: to begin a session is no repair"
	ok "entries: his are there, IPv6 blocked" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl" "vpns1 10.20.0.51 us" \
		"vpns1 fd20::51 block"
	ok "entries: eve connects" connect C "${EVE[@]}"
	ok "entries: dan connects" connect D "${DAN[@]}"
	ok "entries: tom connects" connect E "${TOM[@]}"
	ok "entries: blocked, direct, and by default" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl" "vpns1 10.20.0.51 us" \
		"vpns1 fd20::51 block" "vpns2 10.20.0.52 block" "vpns3 10.20.0.53 direct" "vpns4 10.20.0.54 default"
	ok "entries: up finds all as it should be" program up
	is "$out" intact "entries: up changes nothing"
	disconnect B "${BOB[@]}"
	is "$(field gateway)" us "entries: the end of a session names its gateway"
	ok "entries: bob's have gone" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl" "vpns2 10.20.0.52 block" \
		"vpns3 10.20.0.53 direct" "vpns4 10.20.0.54 default"
	ok "entries: down takes all away" program down
	ok "entries: nothing is left" state_is "$empty_state"
	stop A B C D E
}

# What a connect and a disconnect write beside their entries.
test_nothing_else_is_written() {
	fresh_start
	start A B C
	connect A "${ALICE[@]}"
	ok "writes: a second connect" events_of connect B "${BOB[@]}"
	is "$(grep -c "^create element" <<<"$events") $(grep -vc '^create element\|^# new generation\|^$' <<<"$events")" "2 0" \
		"writes: a connect adds an entry for each address, and nothing else"
	ok "writes: the same session once more" events_of connect B "${BOB[@]}"
	is "$events" "" "writes: nothing where all is there"
	ok "writes: a disconnect" events_of disconnect B "${BOB[@]}"
	is "$(grep -c '^delete element' <<<"$events") $(grep -vc '^delete element\|^# new generation\|^$' <<<"$events")" "2 0" \
		"writes: a disconnect deletes these"
	ok "writes: a disconnect again" events_of disconnect B "${BOB[@]}"
	is "$events" "" "writes: nothing where nothing is there"
	stop A B C
}

# The kill switch is not read again between our own changes, and is where somebody else changed nf_tables.
test_the_checkpoint_lasts() {
	local before after
	fresh_start
	start A B C
	connect A "${ALICE[@]}"
	connect B "${BOB[@]}"
	before=$(readlink "$STATE_DIR/checkpoint")
	WRAP=(strace -f -e "trace=sendto,sendmsg" -o "$OGW_WORK/trace")
	connect C "${TOM[@]}"
	WRAP=()
	after=$(readlink "$STATE_DIR/checkpoint")
	differs "$after" "$before" "checkpoint: it goes on with our own change"
	not_ok "checkpoint: no rule of the kill switch was read" grep -q NFT_MSG_GETRULE "$OGW_WORK/trace"
	disconnect C "${TOM[@]}"
	differs "$(readlink "$STATE_DIR/checkpoint")" "$after" "checkpoint: and with a disconnect's"
	WRAP=(strace -f -e "trace=sendto,sendmsg" -o "$OGW_WORK/trace")
	connect C "${TOM[@]}"
	not_ok "checkpoint: nor after that" grep -q NFT_MSG_GETRULE "$OGW_WORK/trace"
	nft add table ip foreign
	connect B "${BOB[@]}"
	WRAP=()
	ok "checkpoint: all is read where somebody else changed nf_tables" grep -q NFT_MSG_GETRULE "$OGW_WORK/trace"
	stop A B C
}

# On a reconnect ocserv gives the same address, by the same tunnel or by another, and either hook may come first.
test_reconnects() {
	local order
	for order in "connect disconnect" "disconnect connect"; do
		fresh_start
		start A B
		connect A "${ALICE[@]}"
		for each in $order; do
			case $each in
			connect)	connect B "${ALICE[@]}" ;;
			disconnect)	disconnect A "${ALICE[@]}" ;;
			esac
		done
		ok "$order: by the same tunnel the entry stays" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl"
		disconnect B "${ALICE[@]}"
		is "$(entries)" "" "$order: until the last of them ends"
		connect A "${ALICE[@]}"
		for each in $order; do
			case $each in
			connect)	connect B "${ALICE[@]}" DEVICE=vpns7 ;;
			disconnect)	disconnect A "${ALICE[@]}" ;;
			esac
		done
		ok "$order: by another tunnel its entry is there alone" entries_are "vpns7 10.20.0.50 nl" "vpns7 fd20::50 nl"
		stop A B
	done
}

# A server that was killed calls no hook: the next one with that tunnel is not to have the addresses of the former.
test_a_tunnel_that_another_gets() {
	fresh_start
	start A B
	connect A "${ALICE[@]}"
	stop A
	ok "tunnel: bob gets it" connect B "${BOB[@]}" DEVICE=vpns0
	ok "tunnel: with his addresses alone" entries_are "vpns0 10.20.0.51 us" "vpns0 fd20::51 block"
	stop B
	ok "tunnel: up takes out who has gone" program up
	is "$(entries)" "" "tunnel: nobody is left"
}

# The former one's hook may be late, and its worker still there.
test_a_tunnel_that_is_taken_over() {
	local his=("vpns0 10.20.0.50 us" "vpns0 fd20::50 block") hers=("vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl")
	fresh_start
	start A B
	connect A "${ALICE[@]}"
	ok "taken over: bob connects with tunnel and addresses of alice" connect B "${ALICE[@]}" USERNAME=bob
	unlike "$err" 'moved user=alice' "taken over: nobody says that she has moved"
	ok "taken over: the entries are his" entries_are "${his[@]}"
	ok "taken over: up changes nothing" program up
	is "$out" intact "taken over: up says so"
	ok "taken over: the entries are his" entries_are "${his[@]}"
	nft flush ruleset
	ok "taken over: after a flush, up" program up
	ok "taken over: the entries are his" entries_are "${his[@]}"
	disconnect A "${ALICE[@]}"
	ok "taken over: when her session ends his entries stay" entries_are "${his[@]}"
	disconnect B "${ALICE[@]}" USERNAME=bob
	is "$(entries)" "" "taken over: and go with his"
	connect A "${ALICE[@]}"
	connect B "${ALICE[@]}"
	nft flush ruleset
	ok "taken over: up, after a reconnect and a flush" program up
	ok "taken over: the entries are there once" entries_are "${hers[@]}"
	rm "$STATE_DIR/devices/vpns0"
	nft flush ruleset
	ok "taken over: up, where nobody knows whose the tunnel is" program up
	ok "taken over: both sessions leave via one gateway" entries_are "${hers[@]}"
	ln -sfn "4194304 10.20.0.50" "$STATE_DIR/devices/vpns0"
	nft flush ruleset
	ok "taken over: up, where it was that of a session that is no more" program up
	ok "taken over: both sessions leave via one gateway" entries_are "${hers[@]}"
	connect B "${ALICE[@]}" USERNAME=bob
	rm "$STATE_DIR/devices/vpns0"
	ok "taken over: up, where it may be of two gateways" program up
	ok "taken over: neither leaves" entries_are "vpns0 10.20.0.50 block" "vpns0 fd20::50 block"
	stop A B
}

test_what_is_lost_comes_back() {
	local all=("vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl" "vpns1 10.20.0.51 us" "vpns1 fd20::51 block")
	fresh_start
	start A B C
	connect A "${ALICE[@]}"
	connect B "${BOB[@]}"
	nft flush ruleset
	ok "lost: after a flush the next connect succeeds" connect C "${EVE[@]}"
	ok "lost: all entries are back" entries_are "${all[@]}" "vpns2 10.20.0.52 block"
	nft flush ruleset
	ok "lost: after a flush, up" program up
	is "$out" repaired "lost: up says so"
	ok "lost: up brings all back" entries_are "${all[@]}" "vpns2 10.20.0.52 block"
	nft flush map inet ocserv_gw session4
	nft 'delete element inet ocserv_gw session6 { "vpns1" . fd20::51 }'
	nft 'add element inet ocserv_gw session6 { "vpns1" . fd20::51 : goto to_nl, "vpns9" . fd20::99 : goto to_us }'
	program status
	like "$out" 'session4: "vpns0" . 10.20.0.50 is missing' "lost: status names an entry that is missing"
	like "$out" 'session6: "vpns1" . fd20::51 leads elsewhere' "lost: and one that leads elsewhere"
	like "$out" 'session6: "vpns9" . fd20::99 is of no live session' "lost: and one of nobody"
	ok "lost: up after damage of entries" program up
	is "$out" repaired "lost: a repair"
	ok "lost: all is as it was" entries_are "${all[@]}" "vpns2 10.20.0.52 block"
	stop A B C
}

# A table that is not there at the first look may be there at the second.
test_a_table_that_comes_back() {
	local first
	fresh_start
	start A B
	connect A "${ALICE[@]}"
	WRAP=(strace -f -e trace=sendto -o "$OGW_WORK/trace")
	connect B "${BOB[@]}"
	WRAP=()
	disconnect B "${BOB[@]}"
	first=$(grep sendto "$OGW_WORK/trace" | grep -n GETSETELEM | head -n 1)
	WRAP=(strace -f -o /dev/null -e trace=sendto -e "inject=sendto:error=EPERM:when=${first%%:*}")
	ok "back: bob connects, who could not look first" connect B "${BOB[@]}"
	WRAP=()
	ok "back: he has his entries" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl" "vpns1 10.20.0.51 us" "vpns1 fd20::51 block"
	stop A B
}

test_moves() {
	fresh_start
	start A B
	connect A "${ALICE[@]}"
	connect B "${BOB[@]}"
	edit 's/^alice = .*/alice = us/'
	ok "moves: up after an edit" program up
	like "$err" "moved user=alice id=$A device=vpns0 ip4=10.20.0.50 from=nl to=us" "moves: it says who moved where"
	ok "moves: her entry has changed" entries_are "vpns0 10.20.0.50 us" "vpns0 fd20::50 block" "vpns1 10.20.0.51 us" "vpns1 fd20::51 block"
	edit 's/^alice = .*/alice = nowhere/'
	before=$(state)
	not_ok "moves: a wrong line refuses" program up
	like "$err" "nowhere" "moves: and says which"
	ok "moves: and changes nothing" state_is "$before"
	stop A B
}

# A gateway that is not there is of its own users alone.
test_a_gateway_that_is_not_there() {
	fresh_start
	edit 's/^address4 = 172.28.0.5/address4 = 192.168.77.5/'
	start A B
	ok "missing: alice connects, by another" connect A "${ALICE[@]}"
	not_ok "missing: bob is refused" connect B "${BOB[@]}"
	is "$status" 78 "missing: with 78"
	like "$err" 'gateway us\].*192.168.77.5' "missing: and the reason"
	ok "missing: he has no entry" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl"
	ok "missing: up goes on without it" program up
	like "$err" 'gateway us\].*192.168.77.5' "missing: and warns"
	stop A B
}

differs() {
	ok "$3" [ "$1" != "$2" ]
}

begin strace
test_everybody_has_an_entry
test_nothing_else_is_written
test_the_checkpoint_lasts
test_reconnects
test_a_tunnel_that_another_gets
test_a_tunnel_that_is_taken_over
test_what_is_lost_comes_back
test_a_table_that_comes_back
test_moves
test_a_gateway_that_is_not_there
done_testing

#!/bin/bash
# Several gateways: which entry each session has in the maps of sessions, from its connect to its disconnect, and what
# brings them back. Sessions are workers of this test that do nothing.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/flows.sh"
. "$lib/many.sh"

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
	WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -e "trace=sendto,sendmsg" -o "$OGW_WORK/trace")
	connect C "${TOM[@]}"
	WRAP=()
	after=$(readlink "$STATE_DIR/checkpoint")
	differs "$after" "$before" "checkpoint: it goes on with our own change"
	not_ok "checkpoint: no rule of the kill switch was read" grep -q NFT_MSG_GETRULE "$OGW_WORK/trace"
	disconnect C "${TOM[@]}"
	differs "$(readlink "$STATE_DIR/checkpoint")" "$after" "checkpoint: and with a disconnect's"
	WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -e "trace=sendto,sendmsg" -o "$OGW_WORK/trace")
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
	WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=sendto -o "$OGW_WORK/trace")
	connect B "${BOB[@]}"
	WRAP=()
	disconnect B "${BOB[@]}"
	first=$(grep sendto "$OGW_WORK/trace" | grep -n GETSETELEM | head -n 1)
	WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -o /dev/null -e trace=sendto -e "inject=sendto:error=EPERM:when=${first%%:*}")
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

# A user before a group before a virtual host before the default, each by its exact name.
test_vhosts() {
	local who group vhost gateway each
	fresh_start
	printf '%s\n' '[groups]' 'sales = us' '[vhosts]' 'example.org = nl' 'shut.example = block' '*.example.org = us' >>"$INI"
	start A B
	while read -r who group vhost gateway; do
		each="vhosts: $who, group $group, of $vhost,"
		[ "$vhost" != none ] || vhost=
		[ "$group" != none ] || group=
		connect A "${TOM[@]}" USERNAME="$who" GROUPNAME="$group" VHOST="$vhost"
		is "$status $(field gateway) $(entries)" "0 $gateway vpns4 10.20.0.54 $gateway" "$each leaves via $gateway"
		program check --json --user "$who" ${group:+--group "$group"} ${vhost:+--vhost "$vhost"}
		is "$(jq -r .session.gateway <<<"$out")" "$gateway" "$each says check"
		disconnect A "${TOM[@]}" USERNAME="$who" GROUPNAME="$group" VHOST="$vhost"
	done <<-'END'
		alice sales shut.example nl
		eve sales example.org block
		dan sales shut.example direct
		tom sales example.org us
		tom staff example.org nl
		tom none example.org nl
		tom staff vpn.example.org us
		tom staff shut.example block
		tom staff EXAMPLE.ORG default
		tom staff default default
		tom none none default
	END
	connect A "${TOM[@]}" VHOST=example.org
	connect B "${TOM[@]}" DEVICE=vpns5 IP_REMOTE=10.20.0.55 VHOST=shut.example
	nft flush ruleset
	ok "vhosts: after a flush, up" program up
	ok "vhosts: each has its own again" entries_are "vpns4 10.20.0.54 nl" "vpns5 10.20.0.55 block"
	edit 's/^shut.example = .*/shut.example = us/; /^example.org/d'
	ok "vhosts: edited, up" program up
	ok "vhosts: who moves" entries_are "vpns4 10.20.0.54 default" "vpns5 10.20.0.55 us"
	stop A B
}

# All flows of a session that moves end, of whatever address of its network, and nobody else's.
test_flows_of_who_moves() {
	local with=(IPV6_REMOTE=fd20::1:0:0:50 IPV6_PREFIX=80)
	fresh_start
	edit '/^address6/d; s/^address4 = 172.28.0.[24]/&\naddress6 = fd28::2/'
	start A B
	connect A "${ALICE[@]}" "${with[@]}"
	connect B "${BOB[@]}" IPV6_REMOTE=fd20::2:0:0:50 IPV6_PREFIX=80
	make_flows <<-'END' 2>/dev/null
		10.20.0.50 198.51.100.80
		10.20.0.51 198.51.100.80
		2001:db8::80 fd20::1:0:0:7
		fd20::1:0:0:50 2001:db8::80
		fd20::1:ffff:0:1 2001:db8::80
		fd20::2:0:0:50 2001:db8::80
	END
	is "$(flows | wc -l)" 6 "flows: of both, and to alice"
	edit '/^alice/d'
	ok "flows: up moves alice" program up
	like "$err" "moved user=alice id=$A device=vpns0 ip6=fd20::1:0:0:50 from=nl to=default" "flows: it says so, by her own address"
	is "$(flows)" $'10.20.0.51 198.51.100.80\nfd20::2:0:0:50 2001:db8::80' "flows: hers have ended, and no others"
	edit 's/^bob = us/bob = nl/'
	make_flows <<<$'10.20.0.50 198.51.100.80\nfd20::1:ffff:0:1 2001:db8::80' 2>/dev/null
	echo 'alice = us' >>"$INI"
	WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=sendto -o "$OGW_WORK/trace")
	ok "flows: up moves both" captured env -i "${ENVIRONMENT[@]}" "${WRAP[@]}" "$OGW_PROGRAM" up
	WRAP=()
	is "$(flows)" "" "flows: all have ended"
	is "$(grep -c 'CTNETLINK.*NLM_F_DUMP' "$OGW_WORK/trace")" 1 "flows: listed once, however many move"
	ini clients.subnet6=fd20::/64 gateway.address6=fd28::2
	make_flows <<<$'fd20::1:0:0:7 2001:db8::80\nfd20::2:0:0:7 2001:db8::80' 2>/dev/null
	ok "flows: to one gateway" program up
	is "$(flows)" "" "flows: theirs have ended, who have moved again"
	stop A B
}

# From one gateway to several and back, with sessions that live on.
test_one_gateway_and_several() {
	fresh_start
	start A B
	ini clients.subnet6=fd20::/64
	connect A "${ALICE[@]}"
	connect B USERNAME=tom DEVICE=vpns4 IP_REMOTE=10.20.0.54 IPV6_REMOTE=
	many
	ok "several: up" program up
	like "$err" "moved user=alice id=$A device=vpns0 ip4=10.20.0.50 from=default to=nl" "several: who leaves via another gateway now"
	unlike "$err" "moved user=tom" "several: and not who stays"
	ok "several: their entries" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl" "vpns4 10.20.0.54 default"
	ok "several: up again" program up
	unlike "$err" moved "several: nobody moves twice"
	ini clients.subnet6=fd20::/64
	ok "one again: up" program up
	like "$err" "moved user=alice id=$A device=vpns0 ip4=10.20.0.50 from=nl to=default" "one again: who leaves via another gateway now"
	ok "one again: up again" program up
	unlike "$err" moved "one again: nobody moves twice"
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

# calls_of COMMAND...: how many calls it makes that ask the kernel or read files
calls_of() {
	WRAP=(env ASAN_OPTIONS=detect_leaks=0 strace -f -e "trace=sendto,sendmsg,recvmmsg,openat,readlinkat,getdents64" -o "$OGW_WORK/trace")
	"$@" || return
	WRAP=()
	calls=$(grep -c '^[0-9]* *[a-z]' "$OGW_WORK/trace")
}

# crowd NUMBER: entries and records of so many sessions, whose workers are nobody's concern
crowd() {
	local i
	for ((i = 0; i < $1; i++)); do
		printf 'add element inet ocserv_gw session4 { "vpns%d" . 10.20.%d.%d : goto to_nl }\n' $((i + 100)) $((i / 250 + 1)) $((i % 250))
		echo "id=$((5000000 + i)) start=1 since=1 user=u$i device=vpns$((i + 100)) ip4=10.20.$((i / 250 + 1)).$((i % 250))" \
			>"$STATE_DIR/sessions/$((5000000 + i))"
		ln -s "$((5000000 + i)) 10.20.$((i / 250 + 1)).$((i % 250))" "$STATE_DIR/devices/vpns$((i + 100))"
	done | nft -f -
}

test_a_session_costs_what_the_first_does() {
	local calls alone first
	fresh_start
	edit 's|10.20.0.0/24|10.20.0.0/16|'
	start A B C
	connect A "${ALICE[@]}"
	connect B "${BOB[@]}"
	disconnect B "${BOB[@]}"
	ok "cost: a connect" calls_of connect B "${BOB[@]}"
	first=$calls
	ok "cost: once more" calls_of connect B "${BOB[@]}"
	alone=$calls
	ok "cost: 2,000 sessions" crowd 2000
	connect C "${TOM[@]}"
	ok "cost: among them a connect where all is there" calls_of connect B "${BOB[@]}"
	is "$calls" "$alone" "cost: asks and reads what it did alone"
	disconnect B "${BOB[@]}"
	ok "cost: and one that adds its entries" calls_of connect B "${BOB[@]}"
	is "$calls" "$first" "cost: too"
	not_ok "cost: no other's record is read" grep -q sessions/5000 "$OGW_WORK/trace"
	stop A B C
}

requests() {
	grep -c '^[0-9]* *sendto' "$OGW_WORK/trace"
}

test_gateways_cost_nothing() {
	local calls few i
	fresh_start
	start A B
	connect A "${ALICE[@]}"
	connect B "${BOB[@]}"
	ok "gateways: a connect with three" calls_of connect B "${BOB[@]}"
	few=$(requests)
	for ((i = 0; i < 40; i++)); do
		printf '[gateway g%d]\naddress4 = 172.28.0.%d\n' "$i" $((i + 100))
	done >>"$INI"
	ok "gateways: up, with 43" program up
	connect B "${BOB[@]}"
	ok "gateways: a connect with 43" calls_of connect B "${BOB[@]}"
	is "$(requests)" "$few" "gateways: asks the kernel as often"
	ok "gateways: their interfaces are in one file" same "$(printf '%s\n' 'nl 4 172.28.0.4 eth0' 'nl 6 fd28::4 eth0' 'us 4 172.28.0.5 eth0')" \
		"$(head -n 3 "$STATE_DIR/gateways")"
	stop A B
}

# Others' routes are none of a session's business, unless its own are amiss.
test_a_hook_looks_at_its_own_gateway() {
	fresh_start
	start A B C
	connect A "${ALICE[@]}"
	connect B "${BOB[@]}"
	ip route del default table 101
	ok "own: tom connects, by default" connect C "${TOM[@]}"
	is "$(field routing)" intact "own: he finds nothing wrong"
	ok "own: alice connects" connect A "${ALICE[@]}"
	is "$(field routing)" repaired "own: and has the route of her gateway back"
	like "$(ip route show table 101)" 172.28.0.4 "own: it is there"
	ip route del default table 101
	ip route del default table 102
	ok "own: bob connects" connect B "${BOB[@]}"
	like "$(ip route show table 101) $(ip route show table 102)" "172.28.0.4.*172.28.0.5" "own: where his is missing, all come back"
	ip route del default table 101
	ok "own: up" program up
	like "$(ip route show table 101)" 172.28.0.4 "own: looks at all"
	stop A B C
}

# Nobody knows whose a tunnel was, but the kernel has its entries.
test_a_lost_state_directory() {
	fresh_start
	start A B C
	connect A "${ALICE[@]}"
	connect C "${TOM[@]}"
	stop A
	rm -rf "$STATE_DIR"
	ok "lost directory: bob gets the tunnel of alice" connect B "${BOB[@]}" DEVICE=vpns0 IPV6_REMOTE=
	ok "lost directory: with his address alone, and tom stays" entries_are "vpns0 10.20.0.51 us" "vpns4 10.20.0.54 default"
	stop B C
}

# A link on the interface of another gateway's next hop lets nothing through to that.
test_a_link_beside_others() {
	local chain
	fresh_start
	edit 's/^address4 = 172.28.0.5/address4 = link\ninterface = eth0/'
	start B
	ok "beside: bob connects" connect B "${BOB[@]}"
	chain=$(nft -s list chain inet ocserv_gw by_us | tr '\n' ' ')
	like "$chain" 'nexthop 172.28.0.2 counter drop.*nexthop 172.28.0.4 counter drop.*oifname "eth0" counter accept' \
		"beside: neither of the others' next hops is his gateway"
	ok "beside: up finds all as it should be" program up
	is "$out" intact "beside: and changes nothing"
	stop B
}

# What a record could not keep, or no subnet covers.
test_what_is_too_large() {
	local name
	fresh_start
	name=$(printf 'a%.0s' {1..257})
	edit "s/^alice = .*/$name = nl/"
	start A
	not_ok "too large: a name that a record can't hold is refused" connect A "${ALICE[@]}" USERNAME="$name"
	like "$status $err" "^78 .*USERNAME=.*is longer than" "too large: and the reason"
	not_ok "too large: so is a network that is larger than subnet6" connect A "${TOM[@]}" IPV6_REMOTE=fd20::50 IPV6_PREFIX=32
	like "$status $err" "^78 .*IPV6_PREFIX=32.*larger than" "too large: and the reason"
	ok "too large: one as large as that is not" connect A "${TOM[@]}" IPV6_REMOTE=fd20::50 IPV6_PREFIX=64
	stop A
}

# An editor that writes in place, or a full disk, leaves less of a file than there was.
test_a_map_that_is_cut_off() {
	local map=$OGW_WORK/users.map before
	fresh_start
	edit '/^alice\|^bob/d'
	printf '[maps]\nusers = %s\n' "$map" >>"$INI"
	printf 'alice nl\nbob us\n' >"$map"
	chmod 600 "$map"
	start A B
	ok "cut off: alice connects" connect A "${ALICE[@]}"
	before=$(state)
	: >"$map"
	not_ok "cut off: with an empty file bob is refused" connect B "${BOB[@]}"
	like "$status $err" "^78 .*users.map: names nobody" "cut off: and the reason"
	not_ok "cut off: up too" program up
	printf '# all users\n' >"$map"
	not_ok "cut off: one of comments alone" program up
	like "$status $err" "^78 .*users.map: names nobody" "cut off: and the reason"
	printf 'alice nl\nbob u' >"$map"
	not_ok "cut off: a line that names no gateway" program up
	printf 'alice nl\nbo' >"$map"
	not_ok "cut off: one that is no line" program up
	ok "cut off: nothing has changed" state_is "$before"
	printf 'alice nl\nbob us\n' >"$map"
	ok "cut off: bob connects when it is complete" connect B "${BOB[@]}"
	stop A B
}

# A record of the single gateway says nothing of tunnels.
test_from_one_gateway_to_several() {
	fresh_start
	ini
	start A B C
	connect A "${ALICE[@]}"
	connect C "${TOM[@]}"
	many
	ok "to several: up" program up
	ok "to several: live sessions have their entries" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl" "vpns4 10.20.0.54 default"
	disconnect C "${TOM[@]}"
	ok "to several: they go with their session" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::50 nl"
	stop A
	ok "to several: bob gets the tunnel of alice, of whose end nobody knows" connect B "${BOB[@]}" DEVICE=vpns0
	ok "to several: with his addresses alone" entries_are "vpns0 10.20.0.51 us" "vpns0 fd20::51 block"
	stop B C
}

# Who is direct has no kill switch, but other clients have theirs.
test_direct_reaches_no_client() {
	local chain
	fresh_start
	printf '[killswitch]\nclient_to_client = no\n' >>"$INI"
	start D
	ok "direct: dan connects" connect D "${DAN[@]}"
	chain=$(nft -s list chain inet ocserv_gw by_direct)
	like "$(tr '\n' ' ' <<<"$chain")" 'oifname "vpns\*" counter drop.*counter accept' "direct: to other tunnels nothing leaves"
	stop D
}

differs() {
	ok "$3" [ "$1" != "$2" ]
}

# ocserv may give each client a network of its own: any address of it is the client's, and no other.
test_networks() {
	fresh_start
	start A B C
	connect A "${ALICE[@]}" IPV6_REMOTE=fd20::1:0:0:50 IPV6_PREFIX=80
	ok "networks: the first address of it is in the map" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::1:0:0:0 nl"
	ok "networks: it is looked for" eval 'nft list chain inet ocserv_gw from_tunnel | grep -q "ip6 saddr & ffff:ffff:ffff:ffff:ffff:: vmap @session6"'
	ok "networks: a second one of that length" connect B "${BOB[@]}" IPV6_REMOTE=fd20::2:0:0:50 IPV6_PREFIX=80
	is "$(field routing)" intact "networks: needs no other table"
	ok "networks: one of another length" connect C "${TOM[@]}" IPV6_REMOTE=fd20::1234 IPV6_PREFIX=112
	is "$(field routing)" repaired "networks: needs one"
	ok "networks: with all sessions" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::1:0:0:0 nl" "vpns1 10.20.0.51 us" \
		"vpns1 fd20::2:0:0:0 block" "vpns4 10.20.0.54 default" "vpns4 fd20:: block"
	ok "networks: up finds all as it should be" program up
	is "$out" intact "networks: and changes nothing"
	disconnect C "${TOM[@]}" IPV6_REMOTE=fd20::1234 IPV6_PREFIX=112
	ok "networks: hers goes with the session" entries_are "vpns0 10.20.0.50 nl" "vpns0 fd20::1:0:0:0 nl" "vpns1 10.20.0.51 us" \
		"vpns1 fd20::2:0:0:0 block"
	stop A B C
}

# What a dry run is made from: nobody is there, or alice and what has become of her.
nobody() {
	fresh_start
}

alice() {
	fresh_start && connect A "${ALICE[@]}"
}

alice_flushed() {
	alice && nft flush ruleset
}

alice_without_route() {
	alice && ip route del default table 101
}

alice_without_entries() {
	alice && nft flush map inet ocserv_gw session4
}

both() {
	alice && connect B "${BOB[@]}"
}

all_of_it() {
	state
	entries
}

# same_as_real START REASON NAME [VARIABLE=VALUE...]: what the hook's dry run prints does what the hook does; $script
same_as_real() {
	local before wanted
	"$1" || return
	before=$(all_of_it)
	hook "$2" ID="${!3}" "${@:4}" -- --dry-run && script=$out || return
	same "$before" "$(all_of_it)" && "$2" "$3" "${@:4}" || return
	wanted=$(all_of_it)
	"$1" && env -i PATH="$PATH" sh -e -u <<<"$script" && same "$wanted" "$(all_of_it)"
}

test_dry_runs() {
	local script each
	start A B
	for each in nobody alice alice_flushed alice_without_route alice_without_entries; do
		ok "dry run: bob connects, $each" same_as_real "$each" connect B "${BOB[@]}"
		like "$script" '"vpns1" . 10.20.0.51 : goto to_us' "dry run: his entry is printed"
	done
	ok "dry run: with the tunnel of alice, who lives" same_as_real alice connect B "${BOB[@]}" DEVICE=vpns0
	like "$script" 'delete element inet ocserv_gw session4 \{ "vpns0" . 10.20.0.50 \}' "dry run: hers go"
	ok "dry run: the same after a flush" same_as_real alice_flushed connect B "${BOB[@]}" DEVICE=vpns0
	unlike "$script" 10.20.0.50 "dry run: hers do not come back"
	ok "dry run: with her address, too" same_as_real alice connect B "${ALICE[@]}" USERNAME=bob
	ok "dry run: with a network of IPv6" same_as_real alice connect B "${BOB[@]}" IPV6_PREFIX=80
	ok "dry run: once more" same_as_real both connect B "${BOB[@]}"
	is "$(grep -v '^#' <<<"$script")" "" "dry run: nothing to do"
	ok "dry run: bob disconnects" same_as_real both disconnect B "${BOB[@]}"
	like "$script" 'delete element inet ocserv_gw session6 \{ "vpns1" . fd20::51 \}' "dry run: his entries go"
	ok "dry run: a session that nobody knows" same_as_real alice disconnect B "${BOB[@]}"
	is "$(grep -v '^#' <<<"$script")" "" "dry run: nothing to do"
	edit 's/^address4 = 172.28.0.5/address4 = 192.168.77.5/'
	not_ok "dry run: where his gateway is not there" hook connect ID="$B" "${BOB[@]}" -- --dry-run
	like "$status $out $err" '^78  .*gateway us\].*192.168.77.5' "dry run: he is refused"
	stop A B
}

test_dry_runs_in_the_log() {
	local before
	start A B C
	both
	before=$(all_of_it)
	printf '[log]\ndry_run = yes\n' >>"$INI"
	ok "log only: eve connects" connect C "${EVE[@]}"
	is "$(sed -n 's/.*dry run: //p' <<<"$err")" 'would do: nft add element inet ocserv_gw session4 { "vpns2" . 10.20.0.52 : goto to_block }' \
		"log only: it says what it would do"
	is "$(field gateway)" block "log only: and via which gateway she would leave"
	disconnect B "${BOB[@]}"
	is "$(sed -n 's/.*dry run: //p' <<<"$err")" "$(printf 'would do: nft delete element inet ocserv_gw %s }\n' \
		'session4 { "vpns1" . 10.20.0.51' 'session6 { "vpns1" . fd20::51')" "log only: a disconnect"
	printf '[session]\nremove_after_last = yes\n' >>"$INI"
	stop A
	disconnect B "${BOB[@]}"
	is "$(sed -n 's/.*dry run: //p' <<<"$err")" "would remove all, as no other session is live" "log only: the last one's"
	ok "log only: nothing is done" same "$before" "$(all_of_it)"
	nft flush ruleset
	connect B "${BOB[@]}"
	like "$err" 'would repair: kill switch: table inet ocserv_gw is missing.*would do: nft add element inet ocserv_gw session4 \{ "vpns1"' \
		"log only: where the table is missing, too"
	stop B C
}

begin strace conntrack
test_everybody_has_an_entry
test_dry_runs
test_dry_runs_in_the_log
test_nothing_else_is_written
test_the_checkpoint_lasts
test_reconnects
test_a_tunnel_that_another_gets
test_a_tunnel_that_is_taken_over
test_what_is_lost_comes_back
test_a_table_that_comes_back
test_moves
test_vhosts
test_flows_of_who_moves
test_one_gateway_and_several
test_a_gateway_that_is_not_there
test_a_session_costs_what_the_first_does
test_gateways_cost_nothing
test_a_hook_looks_at_its_own_gateway
test_networks
test_a_lost_state_directory
test_a_link_beside_others
test_what_is_too_large
test_a_map_that_is_cut_off
test_from_one_gateway_to_several
test_direct_reaches_no_client
done_testing

#!/bin/bash
# Several gateways: status, explain, test and check know them by name. Bob's is a tunnel of this host, the others are next
# hops in `outside`.
# shellcheck source-path=SCRIPTDIR/../lib
# Variables of host.sh and many.sh; situations are run by eval.
# shellcheck disable=SC2154,SC2016
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/many.sh"

# A device for each session, and the tunnel wg0, whose far end is in `outside`.
devices_up() {
	local number
	for number in 2 3 4; do
		ip link add "vpns$number" type veth peer name "vpns$number" netns outside &&
			ip link set "vpns$number" up && ip -n outside link set "vpns$number" up || return
	done
	: >"$OGW_WORK/tunnel"
	python3 "$lib/tunnel.py" . wg0 outside wg0 >"$OGW_WORK/tunnel" &
	wait_for 10 grep -q ready "$OGW_WORK/tunnel" && ip -n outside link set wg0 up && ip link set wg0 up &&
		ip addr replace 10.8.0.2/32 dev wg0
}

# The gateways answer, and 198.51.100.80 beyond them.
outside_up() {
	# shellcheck disable=SC2016
	ip netns exec outside sh -c 'for conf in eth0 lo; do echo 0 >/proc/sys/net/ipv6/conf/$conf/disable_ipv6; done
		echo 1 >/proc/sys/net/ipv4/ip_forward' && ip -n outside link set lo up && ip -n outside -batch - <<-END
			addr add 172.28.0.2/24 dev eth0
			addr add 172.28.0.4/24 dev eth0
			addr add fd28::4/64 dev eth0 nodad
			addr add 198.51.100.80/32 dev lo
			route add 10.8.0.2/32 dev wg0
		END
}

link_to_us() {
	sed -i 's/^address4 = 172.28.0.5/address4 = link\ninterface = wg0/' "$INI"
}

# All five are connected.
begin_sessions() {
	fresh_start
	link_to_us
	ip neigh flush dev eth0 nud all
	start A B C D E
	connect A "${ALICE[@]}" && connect B "${BOB[@]}" && connect C "${EVE[@]}" && connect D "${DAN[@]}" && connect E "${TOM[@]}"
}

end_sessions() {
	stop A B C D E
	nft delete table ip foreign 2>/dev/null
	return 0
}

# row NAME FAMILY: of the table of gateways
row() {
	awk -v name="$1" -v family="$2" '$1 == name && $2 == family { $1 = $2 = ""; sub(/^ +/, ""); $1 = $1; print }' <<<"$out"
}

said() {	# LABEL: of status
	sed -n "s/^$1  *//p" <<<"$out"
}

json() {
	jq -c "$1" <<<"$out"
}

test_status() {
	ok "status: five sessions" begin_sessions
	ok "status: all is well" program status
	is "$(said clients)" "reach their gateways" "status: what clients have"
	is "$(said IPv4)$(said IPv6)" "" "status: no single gateway is told"
	is "$(row default IPv4)" "172.28.0.2 eth0 answers 1 0 B" "status: the default gateway"
	is "$(row default IPv6)" "" "status: where nobody has no gateway, there is no row"
	is "$(row nl IPv4)" "172.28.0.4 eth0 answers 1 0 B" "status: nl"
	is "$(row nl IPv6)" "fd28::4 eth0 answers 1 0 B" "status: the same in IPv6"
	is "$(row us IPv4)" "link wg0 up 1 0 B" "status: an interface"
	is "$(row us IPv6)" "block - - 1 -" "status: a family that it has not"
	is "$(row direct IPv4)" "direct - - 1 -" "status: direct"
	is "$(row block IPv4)" "block - - 1 -" "status: block"
	is "$(wide_status; sed -n 's/^  \(alice\|bob\|eve\|dan\|tom\)  *staff  *\([a-z]*\) .*/\1 \2/p' <<<"$out" | xargs)" \
		"alice nl bob us eve block dan direct tom default" "status: each session's gateway"
	program status --short
	is "$out" "ocserv-gateway: clients reach their gateways; 5 sessions (1 via default, 1 via nl, 1 via us, 1 direct, 1 block); kill \
switch complete" "status --short"
	captured env -i "${ENVIRONMENT[@]}" COLUMNS=40 "$OGW_PROGRAM" status
	is "$(awk 'length > 40' <<<"$out")" "" "status: it fits 40 columns"
	captured env -i "${ENVIRONMENT[@]}" COLUMNS=80 "$OGW_PROGRAM" status
	is "$(awk 'length > 80' <<<"$out")" "" "status: and 80"
	end_sessions
}

test_status_for_programs() {
	begin_sessions
	program status --json
	is "$status $(json '[.gateways[].name]')" '0 ["default","nl","us","direct","block"]' "--json: all gateways"
	is "$(json '.gateways[1] | [.mark, .table, .sessions, .bytes, .ipv4.address, .ipv4.interface, .ipv4.there, .ipv4.answers,
		.ipv6.sessions]')" '[33554432,101,1,0,"172.28.0.4","eth0",true,true,1]' "--json: nl"
	is "$(json '.gateways[2] | [.ipv4.mode, .ipv4.address, .ipv4.interface, .ipv4.answers, .ipv6.mode]')" \
		'["link","link","wg0",null,"block"]' "--json: us"
	is "$(json '[.sessions[] | [.user, .gateway, .moves_to]]')" \
		'[["alice","nl",null],["bob","us",null],["eve","block",null],["dan","direct",null],["tom","default",null]]' \
		"--json: by which each session leaves"
	is "$(json '.gateway')" null "--json: there is no single gateway"
	is "$(json '.counters | keys | map(select(endswith("172.28.0.4: let through")))')" \
		'["by_nl: IPv4 to the gateway 172.28.0.4: let through"]' "--json: counters by chain"
	program status --format=prometheus
	is "$(grep -c '^ocserv_gateway_gateway_there{gateway="nl",family="ipv4",address="172.28.0.4"} 1$' <<<"$out")" 1 \
		"prometheus: gateways by name"
	is "$(grep '^ocserv_gateway_gateway_sessions{gateway="us"' <<<"$out" | xargs -d '\n')" \
		'ocserv_gateway_gateway_sessions{gateway="us",family="ipv4"} 1 ocserv_gateway_gateway_sessions{gateway="us",family="ipv6"} 1' \
		"prometheus: and sessions"
	is "$(grep -v '^#' <<<"$out" | sed 's/ [0-9]*$//' | sort | uniq -d)" "" "prometheus: nothing stands twice"
	end_sessions
}

# What leaves by a gateway is counted there: a ping of the device of alice's tunnel.
test_bytes() {
	begin_sessions
	ip -n outside addr add 10.20.0.50/32 dev vpns0
	ip -n outside route add 198.51.100.99/32 via 10.20.0.1 dev vpns0 onlink
	ip netns exec outside ping -c 1 -W 1 -I 10.20.0.50 198.51.100.99 >/dev/null
	program status
	is "$(row nl IPv4)" "172.28.0.4 eth0 answers 1 84 B" "bytes: what has left by it"
	is "$(row us IPv4)" "link wg0 up 1 0 B" "bytes: and by no other"
	ip -n outside route del 198.51.100.99/32 dev vpns0
	ip -n outside addr del 10.20.0.50/32 dev vpns0
	end_sessions
}

test_a_gateway_is_not_there() {
	begin_sessions
	ip link set wg0 down
	ok "not there: it is bad news" eval '! program status'
	is "$status" 1 "not there: status 1"
	like "$(said clients)" "1 of 5 has NO internet: gateway us: .*wg0 is down; nothing leaks" "not there: whose clients"
	like "$(said problem)" "gateway us\] interface = wg0: it is down" "not there: a problem"
	like "$(row us IPv4)" "^link wg0 is down 1" "not there: in the table"
	program check
	like "$err" "warning: .*gateway us\] interface = wg0: it is down" "not there: check warns"
	disconnect B "${BOB[@]}"
	ok "not there: without sessions it is none" program status
	is "$(said clients)" "reach their gateways" "not there: the others do"
	like "$err" "warning: .*gateway us\] interface = wg0: it is down" "not there: a warning"
	ip link set wg0 up
	end_sessions
}

# Nobody answers at an address.
test_a_silent_gateway() {
	begin_sessions
	ip -n outside addr del 172.28.0.4/24 dev eth0
	ip neigh flush dev eth0 nud all
	ok "silent: it is bad news" eval '! program status'
	like "$(said clients)" "1 of 5 has NO internet: gateway nl: the gateway 172.28.0.4 does not answer" "silent: whose clients"
	is "$(row nl IPv4)" "172.28.0.4 eth0 does NOT answer ARP 1 0 B" "silent: in the table"
	is "$(said problem)" "gateway nl: the gateway 172.28.0.4 does not answer" "silent: a problem"
	program check
	like "$err" "warning: the gateway 172.28.0.4 does not answer ARP on eth0: clients of nl reach nothing" "silent: check says whose"
	disconnect A "${ALICE[@]}"
	ok "silent: without sessions it is none" program status
	like "$err" "warning: gateway nl: the gateway 172.28.0.4 does not answer" "silent: a warning"
	ip -n outside addr add 172.28.0.4/24 dev eth0
	end_sessions
}

test_nobody_is_connected() {
	begin_sessions
	end_sessions
	program up
	ok "nobody: all is well" program status
	is "$(said clients)" "nobody is connected; they would reach their gateways" "nobody: what clients would have"
	is "$(row nl IPv4)" "172.28.0.4 eth0 answers 0 0 B" "nobody: the table is there"
}

test_an_edit() {
	begin_sessions
	edit 's/^alice = .*/alice = default/'
	ok "edit: until the next up it is not as it should be" eval '! program status'
	is "$(said clients)" "reach their gateways" "edit: nothing leaks"
	is "$(said moves)" 'alice on vpns0 leaves via nl; at the next `ocserv-gateway up` via default' "edit: who moves"
	program status --json
	is "$(json '.sessions[0] | [.gateway, .moves_to]')" '["nl","default"]' "edit: --json"
	program explain alice
	like "$(said gateway)" '^default \(.*/gateway.ini:13: \[users\] alice = default\); until the next `ocserv-gateway up` nl$' \
		"edit: explain says so"
	like "$(tail -n 1 <<<"$out")" "^reaches the gateway nl," "edit: and that is no leak"
	program up
	ok "edit: behind it all is well" program status
	edit 's/^alice = .*/alice = nl/'
	program explain alice
	like "$(tail -n 1 <<<"$out")" "^reaches the gateway default," "edit: nor once she has been moved and is to be moved back"
	end_sessions
}

test_an_altered_entry() {
	begin_sessions
	nft 'delete element inet ocserv_gw session4 { "vpns0" . 10.20.0.50 }'
	program status
	like "$status $(said clients)" "^1 IPv4: 1 of 5 has NO internet: gateway nl: the kill switch has no entry" "altered: one is missing"
	program explain alice
	like "$status $(tail -n 1 <<<"$out")" "^1 dropped by the kill switch, chain from_tunnel" "altered: explain, one is missing"
	nft 'add element inet ocserv_gw session4 { "vpns0" . 10.20.0.50 : goto to_default }'
	program status
	like "$status $(said clients)" "^1 LEAK gateway default: in place of nl, by an altered entry" "altered: by another's gateway"
	program explain alice
	like "$status $(tail -n 1 <<<"$out")" "^1 LEAKS via eth0 to the gateway default in place of nl" "altered: explain says that, too"
	nft 'delete element inet ocserv_gw session4 { "vpns0" . 10.20.0.50 }'
	nft 'add element inet ocserv_gw session4 { "vpns0" . 10.20.0.50 : goto to_client }'
	program status
	like "$status $(said clients)" "^1 have an unknown state" "altered: to a chain that is no gateway's"
	end_sessions
}

# explains STATUS REGEX WHAT ARGUMENT...: the exit status and the last line
explains() {
	local wanted=$1 regex=$2 what=$3
	shift 3
	program explain "$@"
	is "$status" "$wanted" "$what: status $wanted"
	like "$(tail -n 1 <<<"$out")" "$regex" "$what: verdict"
}

test_explain() {
	begin_sessions
	explains 0 "^reaches the gateway nl, with this host's address on eth0$" "alice" alice
	is "$(sed '1,2d; $d; s/   */ /' <<<"$out")" "gateway nl ($INI:13: [users] alice = nl)
mark 0x2000000 (nl), by the kill switch, chain to_nl: of a client of nl
rule priority 1000 from 10.20.0.0/24 fwmark 0x2000000/0xff000000 lookup 101
route via 172.28.0.4 on eth0, in table 101
kill switch complete, table inet ocserv_gw
guard rule by_nl: IPv4 to the gateway 172.28.0.4: let through
NAT postrouting: $(nft list chain inet ocserv_gw postrouting | sed -n 's/.*ip saddr.*comment "\(.*\)"/\1/p')
guard rule encrypted: no IPsec policy takes it: let through" "alice: each step"
	explains 0 "^reaches the gateway nl, with" "alice, by IPv6" alice 2001:db8::9
	explains 0 "^leaves via the interface wg0, gateway us, with this host's address on wg0$" "bob" bob
	explains 1 "^dropped by routing: .* prohibits it, as the configuration says$" "bob, by IPv6" bob 2001:db8::9
	like "$(said gateway)" "^us, which is block for IPv6 \(" "bob, by IPv6: why"
	explains 1 "^dropped by routing: .* prohibits it, as the configuration says$" "eve" eve
	explains 0 "^leaves via this host's own route, on eth0$" "dan" dan
	explains 0 "^reaches the gateway default, with" "tom" tom
	explains 1 "^dropped by the kill switch, chain from_tunnel" "nobody" 10.20.0.99
	like "$(said gateway)" "^none, as no live session has this address$" "nobody: has no gateway"
	explains 0 "^reaches a client via vpns0$" "bob to alice" bob 10.20.0.50
	explains 0 "^reaches this host$" "alice to this host" alice 10.20.0.1
	program explain --json alice
	is "$status $(json '[.state, .certain, .gateway, .gateway_now, .mark]')" '0 ["gateway",true,"nl","nl",33554432]' "explain --json"
	ip rule del priority 1000 from 10.20.0.0/24 fwmark 0x2000000/0xff000000
	explains 1 "^dropped by routing: a policy rule or route prohibits it$" "without her policy rule" alice
	like "$out" "problem +IPv4 policy rule .*fwmark 0x2000000/0xff000000 lookup 101. is missing" "without her policy rule: what is wrong"
	explains 0 "^leaves via the interface wg0" "bob, who has his" bob
	end_sessions
}

# foreign RULE: in a chain between our marking and routing
foreign() {
	nft delete table ip foreign 2>/dev/null
	nft -f - <<-END
		table ip foreign {
			chain marks {
				type filter hook prerouting priority -140
				$1 comment "theirs"
			}
		}
	END
}

test_marks_of_others() {
	begin_sessions
	ok "marks: of other bits" foreign 'meta mark set meta mark | 0x7'
	ok "marks: they do no harm" program status
	ok "marks: of ours" foreign 'iifname "vpns0" meta mark set 0x01000000'
	ok "marks: they do" eval '! program status'
	like "$(said clients)" "1 of 5 has NO internet: gateway nl: the nft chain .ip foreign marks. changes the mark .*\(theirs\)" \
		"marks: it says which chain"
	explains 1 "^dropped by the kill switch, chain by_nl: from a client of nl by any other route: dropped$" "marks" alice
	is "$(said mark | sed 's/handle [0-9]*/handle N/')" "0x2000000 (nl), by the kill switch, chain to_nl: of a client of nl
0x1000000 (default), by ip foreign marks, its rule with handle N (theirs)
0x2000000 (nl), by the kill switch, chain to_nl: of a client of nl" "marks: explain shows each change"
	foreign 'meta mark set 0x01000000'
	program check
	like "$err" "warning: the nft chain .ip foreign marks. changes the mark of what clients send in bits of \[gateway\] mark_mask" \
		"marks: check warns"
	foreign 'ct mark set 0x7'
	program check
	like "$err" "warning: the nft chain .ip foreign marks. changes the mark of clients' flows" "marks: of flows, too"
	nft delete table ip foreign
	end_sessions
}

test_policy_rules_of_others() {
	local mark
	begin_sessions
	ip route add default via 192.0.2.7 table 77
	for mark in 0x2000000/0xff000000 0x2000007 0xfd000000/0xff000000 0x0/0xfc000000; do
		ip rule add priority 900 from 10.20.0.0/24 fwmark "$mark" lookup 77
		program status
		like "$status $(said problem)" "^1 the IPv4 policy rule .*fwmark .* lookup 77. .*comes before ours" "rules: $mark"
		ip rule del priority 900
	done
	for mark in 0x9000000/0xff000000 0x7/0xff; do
		ip rule add priority 900 from 10.20.0.0/24 fwmark "$mark" lookup 77
		ok "rules: $mark is of none of our clients" program status
		ip rule del priority 900
	done
	ip rule add priority 900 from 10.20.0.0/24 fwmark 0x2000000/0xff000000 lookup 77
	program up
	like "$err" "warning: .*uses bits of \[gateway\] mark_mask" "rules: up warns"
	ip rule del priority 900
	ip route flush table 77
	end_sessions
}

test_trial() {
	local before
	begin_sessions
	sed -i 's/^address4 = 172.28.0.2/&\nprobe = 198.51.100.80/' "$INI"
	program up
	ip -n outside route add 10.20.0.0/24 via 172.28.0.3
	before=$(entries)
	program test
	is "$(sed -n 's/^gateway *//p' <<<"$out" | xargs)" "default nl us" "test: each gateway"
	like "$out" "gateway +nl
IPv4 gateway 172\.28\.0\.4 on eth0, answers ARP in [0-9.]+ ms
IPv4 rules   lead to the gateway, and let it through
IPv4 beyond  198\.51\.100\.80 answers in [0-9.]+ ms" "test: beyond nl"
	same "$before" "$(entries)" >"$OGW_WORK/remains"
	is "$(<"$OGW_WORK/remains")" "" "test: its client has no entry any more"
	ok "test: alice's" program test alice
	is "$(sed -n 's/^gateway *//p' <<<"$out")" nl "test: by hers"
	ok "test: --json" program test --json alice
	is "$(json '[.ok, .gateway, .ipv4.beyond[0].answers]')" '[true,"nl",true]' "test: hers for programs"
	program test --json
	is "$(json '[.gateways[].gateway]')" '["default","nl","us"]' "test: all for programs"
	program test eve
	is "$status $(sed -n 's/^IPv4  *//p' <<<"$out")" "1 blocked" "test: who is blocked"
	ip -n outside route del 10.20.0.0/24 via 172.28.0.3
	end_sessions
}

# A record whose entry comes a moment later: what is between the two is no problem.
test_a_session_that_begins() {
	begin_sessions
	nft 'delete element inet ocserv_gw session4 { "vpns0" . 10.20.0.50 }'
	WRAP=()
	captured env -i "${ENVIRONMENT[@]}" strace -f -e trace=clock_nanosleep,nanosleep -e inject=clock_nanosleep:delay_enter=300000:when=1 \
		-o "$OGW_WORK/trace" "$OGW_PROGRAM" status &
	wait_for 10 grep -q nanosleep "$OGW_WORK/trace"
	nft 'add element inet ocserv_gw session4 { "vpns0" . 10.20.0.50 : goto to_nl }'
	wait $!
	out=$(<"$OGW_WORK/stdout")
	is "$(said problem)$(said clients)" "reach their gateways" "begins: it is looked at again"
	end_sessions
}

begin strace
must "devices and gateways" eval 'devices_up && outside_up'
empty_state=$(state)
test_status
test_status_for_programs
test_bytes
test_a_gateway_is_not_there
test_a_silent_gateway
test_nobody_is_connected
test_an_edit
test_an_altered_entry
test_explain
test_marks_of_others
test_policy_rules_of_others
test_trial
test_a_session_that_begins
done_testing

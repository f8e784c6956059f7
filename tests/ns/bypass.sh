#!/bin/bash
# Rules and routes of others that take clients' packets past our policy rules: what status names leaks once the kill
# switch has gone, what it does not name does not, and while the kill switch is there nothing does.
# shellcheck source-path=SCRIPTDIR/../lib
# Variables of host.sh and faults.sh.
# shellcheck disable=SC2154
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"
. "$lib/faults.sh"

# What the client sends goes to 203.0.113.9, to 2001:db8:ffff::9, and to neighbours of this host.
# NAME|TOOL|COMMANDS: before ours are installed
RULES='a rule for all clients|ip4|rule add priority 500 from 10.20.0.0/24 lookup main
a rule for the tunnel|ip4|rule add priority 500 iif vpns0 lookup main
a rule for a destination|ip4|rule add priority 500 to 203.0.113.0/24 lookup main
a rule for others than some|ip4|rule add priority 500 from 192.0.2.0/24 not lookup main
a rule for some routes|ip4|rule add priority 500 lookup main suppress_prefixlength 0
a rule that goes behind ours|ip4|rule add priority 500 iif vpns0 goto 32766
an IPv6 rule|ip6|rule add priority 998 from fd20::50 lookup main'
# The gateway has gone from table 100 then.
LAST_RULES='a rule of the last priority|ip4|rule add priority 1001 iif vpns0 lookup main
a rule of the last priority that goes behind ours|ip4|rule add priority 1001 iif vpns0 goto 32766
an IPv6 rule of the last priority|ip6|rule add priority 1001 iif vpns0 lookup main'
# And after it.
ROUTES='a route in table 100|ip4|route add 203.0.113.0/24 via 192.0.2.7 table 100
half of the default route in table 100|ip4|route add 128.0.0.0/1 via 192.0.2.7 table 100
a route by another next hop in table 100|ip4|route add 203.0.113.0/24 via 172.28.0.7 table 100
a route of two in table 100|ip4|route add 203.0.113.0/24 table 100 nexthop via 192.0.2.7 nexthop via 172.28.0.7
a route by a nexthop object in table 100|ip4|nexthop add id 7 via 192.0.2.7 dev eth1;;route add 203.0.113.0/24 nhid 7 table 100
a route by the other family in table 100|ip4|route add 203.0.113.0/24 via inet6 fd28::7 dev eth0 table 100
a route to a neighbour in table 100|ip4|route add 192.0.2.0/24 dev eth1 table 100
an IPv6 route in table 100|ip6|route add 2001:db8:ffff::/48 via 2001:db8:192::7 table 100
an IPv6 route for the client in table 100|ip6|route add 2001:db8:ffff::/48 from fd20::50 via 2001:db8:192::7 table 100
a route in table local|ip4|route add 203.0.113.0/24 via 192.0.2.7 table local
a route to a neighbour in table local|ip4|route add 192.0.2.7 dev eth1 table local
a route by a nexthop object in table local|ip4|nexthop add id 7 via 192.0.2.7 dev eth1;;route add 203.0.113.0/24 nhid 7 table local
an IPv6 route in table local|ip6|route add 2001:db8:ffff::/48 via 2001:db8:192::7 table local'
HARMLESS='a rule for table local|ip4|rule add priority 500 lookup local
a rule that does nothing|ip4|rule add priority 500 nop
a rule that goes to none|ip4|rule add priority 500 goto 600
a rule that goes before ours|ip4|rule add priority 500 goto 600;;rule add priority 600 nop
a rule that finds nothing|ip4|rule add priority 500 lookup main suppress_prefixlength 32
an IPv6 rule that finds nothing|ip6|rule add priority 500 lookup main suppress_prefixlength 128
a rule for VRFs|ip4|rule add priority 500 l3mdev
an IPv6 rule for VRFs|ip6|rule add priority 500 l3mdev
a rule for another network|ip4|rule add priority 500 from 10.21.0.0/24 lookup main
a rule of the last priority that denies|ip4|rule add priority 1001 iif vpns0 prohibit
a rule of the last priority, behind ours|ip4|rule add priority 1001 iif vpns0 lookup main
a route that denies|ip4|route add throw 203.0.113.0/24 table 100;;route add blackhole 128.0.0.0/1 table 100
a route by the gateway|ip4|route add 203.0.113.0/24 via 172.28.0.2 table 100
an IPv6 route for others|ip6|route add 2001:db8:ffff::/48 from 2001:db8:8::/48 via 2001:db8:192::7 table 100
a route by the gateway in table local|ip4|route add 203.0.113.0/24 via 172.28.0.2 table local
a route in table main|ip4|route add 203.0.113.0/24 via 192.0.2.7
a rule for a table that leads to the gateway|ip4|rule add priority 500 iif vpns0 lookup 200;;route add default via 172.28.0.2 table 200'

without_gateway() {
	ip -4 route flush table 100 && ip -6 route flush table 100
}

named() {
	program status
	[ "$status" = 1 ] && [[ $out == *"problem "*"route "* || $out == *"problem "*"rule "* ]]
}

# Where the gateway has gone from table 100, what else is wrong does not matter.
named_beside() {
	named && [[ $out == *"comes before ours"* ]]
}

not_named() {
	program status
	[ "$status" = 0 ] && [[ $out != *"problem "* ]]
}

# meets NAME WORDS: of traffic.py
meets() {
	look
	like "$now" "^($2)$" "$1"
}

# judge NAME HOW WORDS: with the kill switch, and without
judge() {
	ok "$1: status" "$2"
	traffic begin honest
	meets "$1: with the kill switch, nothing goes elsewhere" "gateway|closed"
	nft flush ruleset
	meets "$1: without it, what status says is so" "$3"
}

ends() {
	damage "$1" "${2// add / del }" 2>/dev/null
	clear_state
}

# each_of FUNCTION LINES
each_of() {
	local name tool commands
	while IFS='|' read -r -u 3 name tool commands; do
		"$1"
		ok "$name: is gone" ends "$tool" "$commands"
	done 3<<<"$2"
}

before() {
	ok "$name: is there before ours" damage "$tool" "$commands"
	ok "$name: up" program up
	judge "$name" named open
}

before_last() {
	ok "$name: is there before ours" damage "$tool" "$commands"
	ok "$name: up" program up
	ok "$name: table 100 loses its route" without_gateway
	judge "$name" named_beside open
}

after() {
	ok "$name: up" program up
	ok "$name: is there, after ours" damage "$tool" "$commands"
	judge "$name" named open
}

harmless() {
	ok "$name: up" program up
	ok "$name: is there, after ours" damage "$tool" "$commands"
	judge "$name" not_named "gateway|closed"
	[[ $commands != *1001* ]] || without_gateway
	meets "$name: nor without the gateway" "gateway|closed"
}

# to_client SOURCE CLIENT NEIGHBOUR: prints whether a packet to a client, that comes in from the gateway, leaves via eth1.
# One to a neighbour there is sent after it, and leaves after it.
to_client() {
	ip netns exec outside python3 - "$FAULTS/../leaks" "$@" <<-'END'
		import os, socket, sys
		sys.path.insert(0, sys.argv[1])
		import wire

		os.sched_setaffinity(0, {0})
		source, client, neighbour = sys.argv[2:]
		kind = b"\x86\xdd" if ":" in client else b"\x08\x00"
		uplink, eth1 = (socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) for _ in range(2))
		uplink.bind(("eth0", 0))
		eth1.bind(("eth1", 3))
		eth1.settimeout(10)
		host = bytes.fromhex("020000000001")
		for number, target in enumerate((client, neighbour)):
		    payload = wire.udp(source, target, 4000, 4000, b"number %d" % number)
		    uplink.send(host + bytes.fromhex("020000280002") + kind + wire.ip(source, target, wire.UDP, payload))
		seen = b""
		while b"number 0" not in seen and b"number 1" not in seen:
		    seen = eth1.recv(2048)
		print("leaves" if b"number 0" in seen else "held")
	END
}

# test_replies FAMILY CLIENT SOURCE NEIGHBOUR: a route of table main within clients' addresses
test_replies() {
	local family=$1 client=$2
	ok "IPv$family replies: up" program up
	ok "IPv$family replies: status has nothing to say" not_named
	nft flush ruleset
	is "$(to_client "$3" "$client" "$4")" held "IPv$family replies: to where no client is, nothing goes"
	ok "IPv$family replies: a route of others for a client" ip "-$family" route add "$client" dev eth1
	ok "IPv$family replies: up, with the kill switch again" program up
	ok "IPv$family replies: status names it" named
	like "$out" "leads to clients. addresses, but not into a tunnel" "IPv$family replies: for what it is"
	is "$(to_client "$3" "$client" "$4")" held "IPv$family replies: the kill switch holds them"
	nft flush ruleset
	is "$(to_client "$3" "$client" "$4")" leaves "IPv$family replies: without it they go there"
	ok "IPv$family replies: it is gone" ip "-$family" route del "$client" dev eth1
	clear_state >/dev/null
}

begin_faults
start_nothing
each_of before "$RULES"
each_of before_last "$LAST_RULES"
each_of after "$ROUTES"
each_of harmless "$HARMLESS"
ip neigh replace 10.20.0.60 lladdr 02:00:00:29:00:07 dev eth1 nud permanent
ip neigh replace fd20::60 lladdr 02:00:00:29:00:07 dev eth1 nud permanent
test_replies 4 10.20.0.60 203.0.113.9 192.0.2.7
test_replies 6 fd20::60 2001:db8:ffff::9 2001:db8:192::7
done_testing

#!/bin/bash
# Interfaces that have a name like a tunnel's but are another program's: the kill switch leaves them out by name, and
# never one that is a client's.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# The interfaces that a rule of the kill switch excepts, in each chain the same.
left_out() {
	nft -s list table inet ocserv_gw | sed -n 's/.*\(iifname "vpns\*" iifname != .*\) goto from_client.*/\1/p' |
		grep -o '!= "[^"]*"' | cut -d'"' -f2 | sort | xargs
}

# Each rule about packets from tunnels, or to clients, has the same exception.
excepted_everywhere() {	# NAME
	local about
	about=$(nft -s list table inet ocserv_gw |
		grep -E '[io]ifname "vpns\*"' | grep -v "!= \"$1\"")
	[ -z "$about" ] || { echo "$about"; return 1; }
}

add_other() {	# NAME ADDRESS[,PEER]...
	local name=$1 address
	shift
	ip link add "$name" type veth peer name "far-${name#vpns}" && ip link set "$name" up || return
	for address; do
		# shellcheck disable=SC2086 # an address and its peer
		ip addr add ${address/,/ peer } dev "$name" || return
	done
}

test_left_out() {
	ini
	ok "another program's interface, with a name like a tunnel's" add_other vpns-office 10.8.0.1/24
	ok "up" program up
	is "$(left_out)" vpns-office "it is left out by its name"
	ok "in each rule about tunnels" excepted_everywhere vpns-office
	ok "up again" program up
	is "$out" intact "nothing is to be done"
	program check
	like "$err" "note: \[clients\] interface = vpns\* matches vpns-office, which has no client address" \
		"check says so"
	ok "connect" hook connect
	is "$(field routing)" intact "a session finds it as it is"
	ok "connect again, by what was remembered" hook connect
	is "$(field routing)" intact "and so does the next"
	is "$(left_out)" vpns-office "it is still left out"
	ok "its address is gone: it may be a tunnel in the making" ip addr flush dev vpns-office
	ok "up" program up
	like "$out" "repaired" "the kill switch is made anew"
	is "$(left_out)" "" "it is not left out any more"
	ip link del vpns-office
}

# Whatever may be a client's is not left out.
MAY_BE_OF_CLIENTS='no address|
an address of the clients|10.20.0.9/32
an address of the clients beside others|10.8.0.1/24 10.20.0.9/32
an IPv6 address of the clients|fd20::9/128
a client as its peer|10.8.0.1,10.20.0.77/32
a link-local address alone|fe80::7/64'

test_of_clients() {
	local name addresses
	while IFS='|' read -r name addresses; do
		ini
		clear_state >/dev/null
		ip link del vpns7 2>/dev/null
		# shellcheck disable=SC2086
		ok "$name: an interface" add_other vpns7 $addresses
		ok "$name: up" program up
		is "$(left_out)" "" "$name: it is not left out"
	done <<<"$MAY_BE_OF_CLIENTS"
	ip link del vpns7
	# Where IPv6 has no subnet, nothing is known of its addresses.
	ini clients.subnet6=
	clear_state >/dev/null
	ok "IPv6 without subnet6: an interface" add_other vpns7 2001:db8:7::1/64
	ok "IPv6 without subnet6: up" program up
	is "$(left_out)" "" "IPv6 without subnet6: it is not left out"
	ip link del vpns7
}

# A session may get the name that another program's interface had.
test_name_of_a_session() {
	ini
	clear_state >/dev/null
	ip addr add 10.8.0.1/24 dev vpns1
	ok "up" program up
	is "$(left_out)" vpns1 "an interface without a client is left out"
	ok "connect of somebody else" hook connect
	is "$(left_out)" vpns1 "and stays so"
	refused "connect" "DEVICE=vpns1: has no address within \[clients\] subnet4" DEVICE=vpns1 IP_REMOTE=10.20.0.51
	ip addr flush dev vpns1
	ip addr add 10.20.0.1 peer 10.20.0.51/32 dev vpns1
	ok "connect, with a client's address at that interface" hook connect DEVICE=vpns1 IP_REMOTE=10.20.0.51
	is "$(left_out)" "" "it is not left out any more"
	is "$(field routing)" repaired "the kill switch was made anew"
	ip addr flush dev vpns1
}

fails_with() {	# STATUS NAME COMMAND...
	local wanted=$1 name=$2
	shift 2
	"$@"
	is "$status" "$wanted" "$name: exit status"
}

refused() {	# NAME REGEX VARIABLE=VALUE...
	local name=$1 words=$2
	shift 2
	hook connect "$@"
	is "$status" 78 "$name is refused"
	like "$err" "$words" "$name: it says why"
}

# The tunnel of a live session is never left out, whatever becomes of its addresses.
test_live_session() {
	local before
	ini gateway.address6=block
	clear_state >/dev/null
	ok "alice connects" hook connect
	before=$(state)
	ip addr flush dev vpns0
	ip addr add 192.168.77.1/24 dev vpns0
	ok "her tunnel has another address, and somebody changes nftables" nft add table ip other
	worker_start
	refused "the next one" "live session user=alice .*device=vpns0 .*: its tunnel no longer has a client address" \
		ID="$worker" DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=
	fails_with 78 "up" program up
	is "$(left_out)" "" "her tunnel is not left out"
	nft delete table ip other
	ip addr flush dev vpns0
	ip addr add 10.20.0.1 peer 10.20.0.50/32 dev vpns0
	ip addr add fd20::1/128 dev vpns0 nodad
	ok "all is as it was" state_is "$before"
	ok "the next one connects" hook connect ID="$worker" DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=
	worker_stop "$worker"
	hook disconnect
}

# What is left out is no way to clients, whatever is routed there.
test_route_to_clients() {
	ini
	clear_state >/dev/null
	add_other vpns-office 10.8.0.1/24
	ok "another program's interface has a route to clients' addresses" ip route add 10.20.0.128/25 dev vpns-office
	ok "up" program up
	is "$(left_out)" vpns-office "it is left out"
	ok "also where packets go to clients" excepted_everywhere vpns-office
	fails_with 1 "status" program status
	like "$out" "10.20.0.128/25 dev vpns-office" "it names the route"
	ip link del vpns-office
}

test_too_many() {
	local number
	ini
	clear_state >/dev/null
	for number in 1 2 3 4 5; do
		ok "interface $number" add_other "vpns-x$number" "10.8.$number.1/24"
	done
	ok "up with five of them" program up
	like "$err" "matches vpns-x5 and 4 other interfaces that are not client tunnels, and no more can be left out" \
		"it warns of the fifth"
	is "$(left_out)" "vpns-x1 vpns-x2 vpns-x3 vpns-x4" "four are left out"
	ok "connect" hook connect
	ip link del vpns-x5
	ok "up with four" program up
	is "$(left_out)" "vpns-x1 vpns-x2 vpns-x3 vpns-x4" "all are left out"
	for number in 1 2 3 4; do
		ip link del "vpns-x$number"
	done
	ini clients.interface=eth1
	clear_state >/dev/null
	fails_with 78 "a name without a *, of the host's own interface" program up
	like "$err" "interface = eth1: has no client address, so it is not one of their tunnels" "it says so"
}

begin
test_left_out
test_of_clients
test_name_of_a_session
test_live_session
test_route_to_clients
test_too_many
done_testing

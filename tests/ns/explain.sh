#!/bin/bash
# explain: which way a client's packet would take now, as the kernel says and as the packet then goes.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# explains STATUS REGEX WHAT ARGUMENT...: the exit status and the last line
explains() {
	local wanted=$1 regex=$2 what=$3
	shift 3
	program explain "$@"
	is "$status" "$wanted" "$what: status $wanted"
	like "$(tail -n 1 <<<"$out")" "$regex" "$what: verdict"
}

steps() {	# of the last run, one by one
	sed '1,2d; $d; s/   */ /' <<<"$out"
}

shows() {	# REGEX WHAT: of the last run
	like "$out" "$1" "$2"
}

test_whole() {
	ini
	hook connect
	explains 0 "^reaches the gateway, with this host's address on eth0$" "far away" 10.20.0.50
	shows "from +10\.20\.0\.50 by vpns0, session of alice" "it names the session"
	shows "to +1\.1\.1\.1" "a far destination is taken"
	is "$(steps)" "rule priority 1000 from 10.20.0.0/24 lookup 100
route via 172.28.0.2 on eth0, by table 100
kill switch whole, table inet ocserv_gw
guard rule from_client: IPv4 to the gateway 172.28.0.2: let through
NAT postrouting: clients of 10.20.0.0/24 get our address toward the gateway" "it shows each step"
	explains 0 "^reaches the gateway" "a neighbour" 10.20.0.50 172.28.0.9
	explains 0 "^reaches this host$" "the server's VPN address" 10.20.0.50 10.20.0.1
	explains 0 "^reaches a client by vpns0$" "a client" 10.20.0.51 10.20.0.50
	shows "from +10\.20\.0\.51 by vpns[0-9]+, which no live session has" "it says that nobody has the address"
	is "$(steps)" "rule priority 999 from all to 10.20.0.0/24 lookup main suppress_prefixlength 24
route on vpns0, by table main
kill switch whole, table inet ocserv_gw
guard rule from_client: client to client of 10.20.0.0/24: let through" "it shows each step there"
	explains 1 "^dropped by routing$" "a blocked family" fd20::50
	is "$(steps | head -n 2)" "rule priority 1001 from fd20::/64 prohibit
route none: a policy rule or route prohibits it" "it says by what"
}

test_options() {
	ini gateway.address6=fd28::2 killswitch.client_to_client=no gateway.masquerade=no
	hook connect
	explains 0 "^reaches the gateway, with the client's own address$" "masquerade = no" 10.20.0.50
	explains 0 "^reaches the gateway" "IPv6" fd20::50
	shows "route +via fd28::2 on eth0, by table 100" "it shows the route"
	explains 1 "^dropped by the kill switch: client_to_client = no$" "client_to_client = no" 10.20.0.51 10.20.0.50
	shows "guard rule +from_client: from a client by any other way: dropped" "it shows the rule"
	explains 0 "^reaches the gateway" "masquerade = no" 10.20.0.50
	unlike "$out" "NAT " "there is no NAT"
	ini gateway.address6=direct
	program up
	explains 0 "^leaves by this host's own route, on eth0$" "direct" fd20::50
}

test_damage() {
	ini
	program up
	nft flush ruleset
	explains 1 "^reaches the gateway, perhaps with the client's own address: run .ocserv-gateway up.$" \
		"nft flushed" 10.20.0.50
	shows "kill switch +MISSING" "it says so"
	ip rule flush protocol 111
	explains 1 "^LEAKS by eth0.*ocserv-gateway up" "nothing left" 10.20.0.50
	shows "route +via 172\.28\.0\.1 on eth0, by table main" "by the main route"
	program up
	ip rule flush protocol 111
	explains 1 "^dropped by the kill switch: from_client lets nothing through to 172\.28\.0\.1 on eth0$" \
		"rules gone" 10.20.0.50
	shows "problem +IPv4 policy rule .* is missing" "it names what is missing"
	shows "guard rule +from_client: from a client by any other way: dropped" "and what drops it"
	nft flush chain inet ocserv_gw from_client
	explains 1 "^LEAKS by eth0, unless what is left of the kill switch stops it" "a chain emptied, too" 10.20.0.50
	shows "kill switch +DAMAGED" "it says so"
	program up
	ip route flush table 100
	explains 1 "^dropped by routing$" "route gone" 10.20.0.50
}

# What firewalls of others do to it.
test_others() {
	ini
	program up
	nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
	explains 1 "^dropped by a firewall of others$" "another firewall" 10.20.0.50
	shows "others +the nft chain .ip filter FORWARD. drops this packet, by its policy; nft .insert rule ip filter FORWARD \
iifname .vpns\*. accept." "it says which, and what to do"
	nft 'add rule ip filter FORWARD ip daddr 198.51.100.0/24 accept'
	explains 0 "^reaches the gateway" "another firewall lets it through" 10.20.0.50 198.51.100.7
	unlike "$out" "others " "it is not named then"
	nft 'insert rule ip filter FORWARD tcp dport 25 drop'
	explains 0 "^reaches the gateway" "another firewall may drop it" 10.20.0.50 198.51.100.7
	shows "others +the nft chain .ip filter FORWARD. may drop some of this packet|others +.*may drop" "it says so"
	explains 0 "^reaches this host$" "what does not pass there" 10.20.0.50 10.20.0.1
	nft delete table ip filter
}

# refused STATUS REGEX WHAT ARGUMENT...
refused() {
	local wanted=$1 regex=$2 what=$3
	shift 3
	program explain "$@"
	is "$status" "$wanted" "$what: status $wanted"
	like "$err" "$regex" "$what: why"
}

test_refused() {
	ini
	program up
	refused 64 "'' is not an address" "no address"
	refused 64 "'alice' is not an address; name a client's" "a name" alice
	refused 64 "'::1' is not an IPv4 address" "two families" 10.20.0.50 ::1
	refused 64 "10\.99\.0\.1 is not within \[clients\] subnet4" "another network" 10.99.0.1
	refused 64 "unexpected argument 'more'" "too much" 10.20.0.50 1.1.1.1 more
	ip link set vpns0 name tun0
	ip link set vpns1 name tun1
	refused 69 "no tunnel of the clients is there" "no tunnel" 10.20.0.50
	ip link set tun0 name vpns0
	local WRAP=(setpriv --bounding-set -net_admin --inh-caps -net_admin)
	captured env -i "${ENVIRONMENT[@]}" "${WRAP[@]}" "$OGW_PROGRAM" explain 10.20.0.50
	is "$status" 77 "without privileges: status 77"
	like "$err" "needs CAP_NET_ADMIN" "without privileges: why"
}

begin
test_whole
test_options
clear_state >/dev/null
test_damage
clear_state >/dev/null
test_others
clear_state >/dev/null
test_refused
done_testing

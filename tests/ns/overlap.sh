#!/bin/bash
# Subnets of clients that hold what this host needs for itself: refused before
# anything is changed. What only overlaps is told, and goes on.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"

says_problem() {
	program status
	[ "$status" = 1 ] && [[ $out =~ problem\ +[^$nl]*$1 ]]
}

undo() {
	case $1 in
	ip?)	damage "$1" "${2// add / del }" 2>/dev/null ;;
	sysctl)	sysctl "${2%=*}=0" ;;
	esac
	: >/run/resolv.conf
	rm -rf /run/systemd
	clear_state
}

# NAME|SUBNETS|REGEX|TOOL|COMMANDS
CUT='the own network|192.0.2.0/24|192\.0\.2\.0/24 holds this host.s own address 192\.0\.2\.2/24 on eth1||
one that holds it|192.0.0.0/8|192\.0\.0\.0/8 holds .*192\.0\.2\.2/24 on eth1||
a part that holds the own address|192.0.2.0/29|192\.0\.2\.0/29 holds .*192\.0\.2\.2/24 on eth1||
the own IPv6 network|2001:db8:192::/64|2001:db8:192::/64 holds .*2001:db8:192::2/64 on eth1||
the network of a bridge that is down|10.20.0.0/24|holds .*10\.20\.0\.1/24 on docker0|ip4|link add docker0 type bridge;;addr add 10.20.0.1/24 dev docker0
an address as some clouds give them|10.20.0.0/24|holds .*10\.20\.0\.9/32 on eth1|ip4|addr add 10.20.0.9/32 dev eth1
the network behind another tunnel|10.20.0.0/24|10\.20\.0\.0/24 is also the network on eth1|ip4|route add 10.20.0.0/24 dev eth1
an IPv6 network without an own address|fd20::/64|fd20::/64 is also the network on eth1|ip6|route add fd20::/64 dev eth1
a next hop|192.0.2.128/25|192\.0\.2\.128/25 holds 192\.0\.2\.129, a next hop of this host.s routes on eth1|ip4|route add 203.0.113.0/24 via 192.0.2.129
a next hop of another table|192.0.2.128/25|holds 192\.0\.2\.129, a next hop|ip4|route add default via 192.0.2.129 table 300
one of two next hops|192.0.2.128/25|holds 192\.0\.2\.129, a next hop .*on eth1|ip4|route add 203.0.113.0/24 nexthop via 172.28.0.1 nexthop via 192.0.2.129
a next hop of the other family|2001:db8:192:0:8000::/65|holds 2001:db8:192:0:8000::1, a next hop|ip4|route add 203.0.113.0/24 via inet6 2001:db8:192:0:8000::1 dev eth1
an IPv6 next hop|2001:db8:192:0:8000::/65|holds 2001:db8:192:0:8000::1, a next hop|ip6|route add 2001:db8:9::/48 via 2001:db8:192:0:8000::1
a next hop by a nexthop object|192.0.2.128/25|holds 192\.0\.2\.129, a next hop|ip4|nexthop add id 7 via 192.0.2.129 dev eth1;;route add 203.0.113.0/24 nhid 7
a resolver|203.0.113.0/24|203\.0\.113\.0/24 holds 203\.0\.113\.53, a resolver of this host|resolver|203.0.113.53
an IPv6 resolver|2001:db8:9::/48|holds 2001:db8:9::53, a resolver|resolver|2001:db8:9::53'

# NAME|SUBNETS|WORDS OF A WARNING, if any|TOOL|COMMANDS
SHARED='nothing at all|10.20.0.0/24||ip4|route add 10.0.0.0/8 via 192.0.2.1
a part of the own network|192.0.2.128/26|192\.0\.2\.128/26 is a part of the network 192\.0\.2\.0/24 on eth1.*proxy_arp=1||
a part of the own network, with proxy ARP|192.0.2.128/26||sysctl|ipv4/conf/eth1/proxy_arp=1
a part of the own IPv6 network|2001:db8:192:0:8000::/65|is a part of the network 2001:db8:192::/64 on eth1.*proxy_ndp=1||
an address on lo|10.20.0.0/24|holds this host.s own address 10\.20\.0\.53/32 on lo|ip4|addr add 10.20.0.53/32 dev lo
the same network by a next hop|10.20.0.0/24|also that of a route via eth1|ip4|route add 10.20.0.0/24 via 192.0.2.1
a resolver at the server.s own address|10.20.0.0/24||resolver|10.20.0.1
a resolver elsewhere|10.20.0.0/24||resolver|192.0.2.1
a route that denies|10.20.0.0/24||ip4|route add blackhole 10.20.0.0/24'

# The session is of the usual subnets, beside which the others stand.
of_clients() {
	if [[ $1 == *:* ]]; then
		ini clients.subnet6="$(beside fd20::/64 "$1")" gateway.address6=fd28::2
	else
		ini clients.subnet4="$(beside 10.20.0.0/24 "$1")"
	fi
}

beside() {
	[ "$1" = "$2" ] && echo "$1" || echo "$1,$2"
}

# An IPv4 one as the C library reads it, an IPv6 one as systemd-resolved keeps it.
resolver() {
	local file=/run/systemd/resolve/resolv.conf
	[[ $1 == *:* ]] || [ ! -f /etc/resolv.conf ] || file=/etc/resolv.conf
	mkdir -p "${file%/*}" && printf '# of DHCP\nsearch example.net\nnameserver %s\n' "$1" >"$file"
}

sysctl() {
	echo "${1#*=}" >"/proc/sys/net/${1%%=*}"
}

there() {
	[ -z "$1" ] || damage "$1" "$2"
}

test_cut() {
	local name subnets words tool commands
	while IFS='|' read -r -u 3 name subnets words tool commands; do
		of_clients "$subnets"
		ok "$name: it is there" there "$tool" "$commands"
		ok "$name: check refuses" refuses "$words" program check
		ok "$name: up refuses, and nothing is changed" refuses "$words" program up
		ok "$name: so does its dry run" refuses "$words" program up --dry-run
		ok "$name: a connect is refused, and nothing is changed" refuses "$words" hook connect
		ok "$name: status says so" says_problem "$words"
		ok "$name: is gone" undo "$tool" "$commands"
	done 3<<<"$CUT"
}

test_shared() {
	local name subnets words tool commands
	while IFS='|' read -r -u 3 name subnets words tool commands; do
		of_clients "$subnets"
		ok "$name: it is there" there "$tool" "$commands"
		program check
		[ -z "$words" ] || like "$err" "$words" "$name: check tells of it"
		[ -n "$words" ] || unlike "$err" "client subnet" "$name: check does not tell of it"
		ok "$name: up" program up
		ok "$name: status finds no fault in that" program status
		ok "$name: is gone" undo "$tool" "$commands"
	done 3<<<"$SHARED"
}

# What has a longer route goes on, though clients can't have its address.
test_reached() {
	of_clients 192.0.2.128/25
	ok "a next hop among the clients has a route of its own" damage ip4 \
		'route add 192.0.2.129 dev eth1;;route add 203.0.113.0/24 via 192.0.2.129'
	ok "up" program up
	like "$err" "192\.0\.2\.129/32 dev eth1 .*leads to clients' addresses" "which tells that no client can have its address"
	is "$(ip -o route get 192.0.2.129 | cut -d' ' -f1-3)" "192.0.2.129 dev eth1" "it is reached"
	ok "all is gone" undo ip4 'route add 192.0.2.129 dev eth1;;route add 203.0.113.0/24 via 192.0.2.129'
}

# An address that comes while clients are there: they stay covered, what is lost of it is mended, and it is told.
test_later() {
	ini
	ok "a session" hook connect
	ok "the host gets an address among the clients" ip addr add 10.20.0.9/24 dev eth1
	ok "the next session finds all in place" hook connect
	is "$(field routing)" intact "and changes nothing"
	ok "status says so" says_problem 'holds this host.s own address 10\.20\.0\.9/24 on eth1'
	ok "up" program up
	like "$err" 'warning: .*10\.20\.0\.9/24 on eth1: this host is cut off' "up tells of it"
	ok "the kill switch is flushed" nft flush ruleset
	ok "up mends it all the same" program up
	like "$out" "repaired" "up says so"
	ok "a policy rule is lost" ip rule del priority 1000
	ok "a connect mends it" hook connect
	ok "all is lost while a client is there" everything_gone
	ok "a resolver is among the clients, too" resolver 10.20.0.99
	ok "a connect mends all of it" hook connect
	is "$(field routing)" installed "and says so"
	ok "a new subnet that would cut the host off is refused while that is so" new_subnet
	hook disconnect
	ok "down" program down
	ok "with nobody there a connect is refused" refuses '10\.20\.0\.9/24 on eth1' hook connect
	ok "the address goes" ip addr del 10.20.0.9/24 dev eth1
	clear_state
}

new_subnet() {
	of_clients 192.0.2.0/24
	refuses '192\.0\.2\.0/24 holds this host.s own address 192\.0\.2\.2/24' hook connect &&
		refuses '192\.0\.2\.0/24 holds' program up
	local result=$?
	ini
	return "$result"
}

nl=$'\n'
begin
must "the gateways are known" gateways_known
test_cut
test_shared
test_reached
test_later
done_testing

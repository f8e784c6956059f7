#!/bin/bash
# What belongs to others: it is never touched; where it is in the way, that is
# an error; where it is what we want, it serves. And what belonged to an earlier
# configuration of ours: it goes.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"

# test_conflict NAME REGEX TOOL COMMANDS
test_conflict() {
	clear_state >/dev/null
	ok "$1: it is there" damage "$3" "$4" || return
	ok "$1: up refuses, and nothing is changed" refuses "$2" program up
	ok "$1: so does its dry run" refuses "$2" program up --dry-run
	is "$out" "" "$1: which prints no script"
	ok "$1: a connect is refused, and nothing is changed" refuses "$2" hook connect
	not_ok "$1: there is no record of it" test -e "$STATE_DIR/sessions/$$"
	test_conflict_status "$1" "$2"
	clear_state >/dev/null
	program up
	ok "$1: it comes later" damage "$3" "$4"
	ok "$1: a connect is refused, and nothing is changed" refuses "$2" hook connect
}

test_conflict_status() {
	program status
	is "$status $(grep -m 1 ^state <<<"$out")" "1 state        degraded" "$1: status calls it degraded"
	like "$out" "problem +[^$nl]*$2" "$1: and says what is in the way"
}

# NAME|REGEX|TOOL|COMMANDS
CONFLICTS='an IPv4 default route|172\.28\.0\.9|ip4|route add default via 172.28.0.9 metric 7 table 100
an IPv4 default route of a routing daemon|172\.28\.0\.9|ip4|route add default via 172.28.0.9 metric 7 table 100 proto bgp
a blackhole in our table|blackhole|ip4|route add blackhole default metric 7 table 100
an IPv4 default route with a tos|172\.28\.0\.9|ip4|route add default via 172.28.0.9 tos 0x10 table 100
a route past the gateway|198\.51\.100\.0/24 dev eth1 table 100|ip4|route add 198.51.100.0/24 dev eth1 table 100
half of the default route|128\.0\.0\.0/1 via 192\.0\.2\.1 dev eth1|ip4|route add 128.0.0.0/1 via 192.0.2.1 table 100
a route by another next hop|198\.51\.100\.0/24 via 172\.28\.0\.9|ip4|route add 198.51.100.0/24 via 172.28.0.9 table 100
a route by two next hops|several next hops|ip4|route add 198.51.100.0/24 table 100 nexthop via 172.28.0.2 nexthop via 172.28.0.9
a route by a nexthop object|198\.51\.100\.0/24 via 192\.0\.2\.1 dev eth1|ip4|nexthop add id 7 via 192.0.2.1 dev eth1;;route add 198.51.100.0/24 nhid 7 table 100
a route by the other family|another family|ip4|route add 198.51.100.0/24 via inet6 fd28::9 dev eth0 table 100
a route with a tos|198\.51\.100\.0/24 tos 0x10|ip4|route add 198.51.100.0/24 tos 0x10 via 172.28.0.9 table 100
a route to this host|local 198\.51\.100\.0/24|ip4|route add local 198.51.100.0/24 dev lo table 100
an IPv6 route past the gateway|2001:db8:9::/48 dev eth1|ip6|route add 2001:db8:9::/48 dev eth1 table 100
half of the IPv6 default route|8000::/1 via 2001:db8:192::1|ip6|route add 8000::/1 via 2001:db8:192::1 table 100
an IPv6 route for some clients|2001:db8:9::/48 from fd20::50/128|ip6|route add 2001:db8:9::/48 from fd20::50 via 2001:db8:192::1 table 100
an IPv6 route by an encapsulation|an encapsulation|ip6|route add 2001:db8:9::/48 encap seg6 mode encap segs fd28::9 dev eth0 table 100
an IPv6 default route|fd28::9|ip6|route add default via fd28::9 metric 7 table 100
an IPv6 blackhole in our table|blackhole|ip6|route add blackhole default metric 7 table 100
a rule at 999|priority 999 .*lookup 200|ip4|rule add priority 999 to 10.20.0.0/24 lookup 200
a rule at 1000|priority 1000 .*lookup 200|ip4|rule add priority 1000 from 10.20.0.0/24 lookup 200
a rule at 1000 for the main table|priority 1000 .*lookup main|ip4|rule add priority 1000 from 10.20.0.0/24 lookup main
a rule at 1000 that stops|priority 1000 .*blackhole|ip4|rule add priority 1000 from 10.20.0.0/24 blackhole
a rule at 1001|priority 1001 .*lookup main|ip4|rule add priority 1001 from 10.20.0.0/24 lookup main
another rule at 1001|priority 1001 .*lookup main|ip4|rule add priority 1001 to 10.20.0.0/24 lookup main
a rule at 1000 with a tos|priority 1000 .*tos 0x10|ip4|rule add priority 1000 from 10.20.0.0/24 tos 0x10 lookup 100
a rule at 1000 for all others|priority 1000 .*not|ip4|rule add priority 1000 from 10.20.0.0/24 not lookup 100
an IPv6 rule at 999|priority 999 .*lookup 200|ip6|rule add priority 999 to fd20::/64 lookup 200
an IPv6 rule at 1000|priority 1000 .*lookup 200|ip6|rule add priority 1000 from fd20::/64 lookup 200
an IPv6 rule at 1001|priority 1001 .*lookup main|ip6|rule add priority 1001 from fd20::/64 lookup main'

# With forward_others = no.
OTHERS_CONFLICTS='a rule about others that answers|priority 1001 not from all iif lo prohibit|ip4|rule add priority 1001 not iif lo prohibit
a rule about others that does not stop them|priority 1001 not from all iif lo lookup main|ip4|rule add priority 1001 not iif lo lookup main
a rule about others with a tos|priority 1001 .*tos 0x10|ip4|rule add priority 1001 not iif lo tos 0x10 blackhole
an IPv6 rule about others that answers|priority 1001 not from all iif lo unreachable|ip6|rule add priority 1001 not iif lo unreachable'

# With forward_others = no, which would drop what is for this host itself.
LOCAL_CONFLICTS='no rule for table local|no IPv4 policy rule before priority 999 .*rule add priority 998 lookup local|ip4|rule del priority 0
a rule for table local behind ours|no IPv4 policy rule before priority 999|ip4|rule add priority 32765 lookup local;;rule del priority 0
a rule for table local that is not for all|no IPv4 policy rule before priority 999|ip4|rule add priority 1 iif eth0 lookup local;;rule del priority 0
no IPv6 rule for table local|no IPv6 policy rule before priority 999|ip6|rule del priority 0'

# test_conflicts LINES
test_conflicts() {
	local name words tool commands
	while IFS='|' read -r name words tool commands; do
		test_conflict "$name" "$words" "$tool" "$commands"
	done <<<"$1"
}

# The state without who made it, and when.
without_origin() {
	state | sed 's/ proto [a-z0-9]*//g; s/ onlink//' | sort
}

# test_serves NAME TOOL COMMANDS: what is there already is not added again, and
# stays when we go
test_serves() {
	local before
	clear_state >/dev/null
	ok "$1: it is there" damage "$2" "$3"
	before=$(state)
	ok "$1: up" program up
	ok "$1: it is all there, once" same "$installed" "$(without_origin)"
	ok "$1: up again" program up
	is "$out" intact "$1: finds nothing to do"
	ok "$1: status" program status
	ok "$1: down" program down
	ok "$1: it is still there, alone" state_is "$before"
}

SERVES='an equal route|ip4|route add default via 172.28.0.2 dev eth0 table 100
an equal route of a daemon|ip4|route add default via 172.28.0.2 dev eth0 proto static table 100
an equal IPv6 route|ip6|route add default via fd28::2 dev eth0 table 100
an equal rule at 999|ip4|rule add priority 999 to 10.20.0.0/24 lookup main suppress_prefixlength 24
an equal rule at 1000|ip4|rule add priority 1000 from 10.20.0.0/24 lookup 100
an equal rule at 1001|ip4|rule add priority 1001 from 10.20.0.0/24 prohibit
an equal IPv6 rule at 1000|ip6|rule add priority 1000 from fd20::/64 lookup 100
rule and route|ip4|rule add priority 1000 from 10.20.0.0/24 lookup 100;;route add default via 172.28.0.2 dev eth0 table 100'

OTHERS_SERVES='an equal rule about others|ip4|rule add priority 1001 not iif lo blackhole
an equal IPv6 rule about others|ip6|rule add priority 1001 not iif lo blackhole
an equal IPv6 route|ip6|route add default via fd28::2 dev eth0 table 100'

other_gateways_known() {
	local gateway
	for gateway in 172.28.0.7 172.28.0.8 172.28.0.9 fd28::7 fd28::8 fd28::9; do
		ip neigh replace "$gateway" lladdr 02:00:00:00:01:02 dev eth0 nud permanent || return
	done
}

# test_all_serves LINES
test_all_serves() {
	local name tool commands
	clear_state >/dev/null
	program up
	installed=$(without_origin)
	while IFS='|' read -r name tool commands; do
		test_serves "$name" "$tool" "$commands"
	done <<<"$1"
}

FOREIGN4='rule add priority 1000 from 10.77.0.0/16 lookup 200
rule add priority 999 to 10.77.0.0/16 lookup 300
rule add priority 1001 iif eth1 blackhole
rule add priority 1500 from 10.20.0.0/24 lookup 200
route add 198.51.100.0/24 via 172.28.0.2 table 100
route add 198.18.0.0/24 via 172.28.0.2 mtu 1280 table 100
route add blackhole 203.0.113.0/24 table 100
route add throw 203.0.114.0/24 table 100
route add default via 192.0.2.1 table 200
route add 198.18.0.0/15 via 172.28.0.9 table 200 proto 111'
FOREIGN_NFT='table ip ocserv_gw { chain forward { type filter hook forward priority 0; accept; }; }
table ip6 ocserv_gw { set s { type ipv6_addr; }; }
table inet ocserv_vpns0 { chain forward { type filter hook forward priority 0; ip saddr 10.20.0.51 drop; }; }
table inet filter { chain input { type filter hook input priority 0; policy accept; tcp dport 443 accept; }; }'

# The state without what is ours, when nothing of others' is in the way.
foreign_state() {
	state | grep -v 'proto 111' | awk '/^table inet ocserv_gw /, /^}/ { next } { print }'
	ip route show table 200
}

foreign_is() {
	same "$1" "$(foreign_state)"
}

test_left_alone() {
	local foreign
	clear_state >/dev/null
	ok "foreign routes and rules" damage ip4 "${FOREIGN4//$'\n'/;;}"
	ok "foreign tables" damage nft "$FOREIGN_NFT"
	foreign=$(foreign_state)
	ok "up" program up
	ok "what is foreign is untouched" foreign_is "$foreign"
	ok "status is content" program status
	ok "our rules go" ip rule flush protocol 111
	ok "our table is damaged" nft flush table inet ocserv_gw
	ok "a connect repairs it" hook connect
	ok "what is foreign is untouched" foreign_is "$foreign"
	ok "down" program down
	ok "what is foreign is untouched" foreign_is "$foreign"
}

# test_table NAME NFT-COMMANDS: [killswitch] table names a table of somebody else's
test_table() {
	clear_state >/dev/null
	ini killswitch.table=site_filter
	ok "$1: it is there" damage nft "$2"
	ok "$1: up refuses, and nothing is changed" refuses 'table = site_filter' program up
	ok "$1: down refuses, and nothing is changed" refuses 'table = site_filter' program down
	ok "$1: a connect is refused, and nothing is changed" refuses 'table = site_filter' hook connect
}

test_tables() {
	test_table "a table with other chains" 'table inet site_filter {
		chain input { type filter hook input priority 0; tcp dport 22 accept; }; }'
	test_table "a table with one chain of a name like ours" 'table inet site_filter {
		chain forward { type filter hook forward priority 0; ct state established accept; }; }'
	test_table "a table with a set" 'table inet site_filter { set friends { type ipv4_addr; }; }'
	clear_state >/dev/null
	ini killswitch.table=site_filter
	ok "a table of that name in another family" nft add table ip site_filter
	ok "is none of our business" program up
	ok "and ours is ours" program down
	ok "it is left" nft list table ip site_filter
}

# second COMMAND...: with the second server's configuration
second() {
	local INI=$OGW_WORK/second.ini
	local ENVIRONMENT=("${ENVIRONMENT[@]}" OCSERV_GATEWAY_CONFIG="$INI")
	"$@"
}

second_ini() {
	ini clients.subnet4=10.30.0.0/24 clients.subnet6=fd30::/64 clients.interface='oc2-*' \
		gateway.address4=172.28.0.7 gateway.address6=fd28::7 gateway.table=200 \
		gateway.priority=2000 killswitch.table=second_gw session.state_dir=/run/second \
		session.remove_after_last=yes
}

SECOND_SESSION=(DEVICE=oc2-0 IP_REMOTE=10.30.0.9 IPV6_REMOTE=fd30::9)

test_two_servers() {
	local first both
	clear_state >/dev/null
	ini gateway.address6=fd28::2 session.remove_after_last=yes
	second second_ini
	ok "first up" program up
	first=$(state)
	ok "second up" second program up
	both=$(state)
	ok "first is content" program status
	ok "second is content" second program status
	ok "first up again" program up
	is "$out" intact "finds nothing to do"
	ok "second down" second program down
	ok "first is as it was" state_is "$first"
	ok "second's first session" second hook connect "${SECOND_SESSION[@]}"
	is "$(field routing)" installed "installs it"
	ok "both are there" state_is "$both"
	ok "first's session" hook connect
	is "$(field routing)" intact "finds all in place"
	ok "second's last session goes" second hook disconnect "${SECOND_SESSION[@]}"
	ok "first is as it was" state_is "$first"
	ok "first's last session goes" hook disconnect
	ok "nothing is left" state_is "$empty_state"
	rm "$OGW_WORK/second.ini"
}

# test_change NAME FROM... -- TO...: the state is that of the new configuration alone
test_change() {
	local name=$1 from=() wanted
	shift
	while [ "$1" != -- ]; do
		from+=("$1")
		shift
	done
	shift
	clear_state >/dev/null
	ini "$@"
	program up
	wanted=$(state)
	clear_state >/dev/null
	ini "${from[@]}"
	ok "$name: before" program up
	ini "$@"
	if [ -n "${opens:-}" ]; then
		ok "$name: a connect after it" refuses "ocserv-gateway up" hook connect
		hook disconnect
		ok "$name: up" program up
		like "$out" "repaired|removed" "$name: does something"
	else
		ok "$name: a connect after it" hook connect
		is "$(field routing)" repaired "$name: does something"
	fi
	# A route of ours serves with this flag as without it.
	ok "$name: nothing of before is left" same "${wanted// onlink/}" "$(state | sed 's/ onlink//')"
	ok "$name: status" program status
	ok "$name: down" program down
	ok "$name: nothing is left" state_is "$empty_state"
}

# test_opening ...: the same of one that denies less, which a hook does not do
test_opening() {
	local opens=yes
	test_change "$@"
}

BOTH='gateway.address6=fd28::2'

test_changes() {
	test_change "another gateway" $BOTH -- gateway.address4=172.28.0.8 gateway.address6=fd28::8
	test_change "another table" $BOTH -- $BOTH gateway.table=200
	test_change "another priority" $BOTH -- $BOTH gateway.priority=3000
	test_change "the next priority" $BOTH -- $BOTH gateway.priority=1001
	test_change "another subnet" $BOTH -- $BOTH clients.subnet4=10.20.0.0/16 clients.subnet6=fd20::/60
	test_change "other subnets" $BOTH -- $BOTH clients.subnet4=10.20.0.0/25,10.20.0.128/26 clients.subnet6=fd20::/65
	test_change "another table and priority" $BOTH -- $BOTH gateway.table=200 gateway.priority=3000
	test_change "another priority and subnet" $BOTH -- $BOTH gateway.priority=3000 \
		clients.subnet4=10.20.0.0/25 clients.subnet6=fd20::/65
	test_change "no IPv6 gateway" $BOTH -- gateway.address6=
	test_opening "no IPv6 subnet" -- clients.subnet6=
	test_opening "IPv6 left alone" $BOTH -- gateway.address6=direct
	test_change "no masquerading" $BOTH -- $BOTH gateway.masquerade=no
	test_change "another way to block" -- killswitch.blocked=drop
	test_change "other tunnels" -- clients.interface=vpns0
	test_change "others are not forwarded" $BOTH -- $BOTH killswitch.forward_others=no
	test_opening "others are forwarded" $BOTH killswitch.forward_others=no -- $BOTH
	test_opening "others are forwarded, another priority" $BOTH killswitch.forward_others=no -- $BOTH gateway.priority=3000
	test_change "others are not forwarded, the next priority" $BOTH killswitch.forward_others=no -- \
		$BOTH killswitch.forward_others=no gateway.priority=1001
	test_opening "others are not forwarded, IPv6 left alone" $BOTH killswitch.forward_others=no -- \
		killswitch.forward_others=no gateway.address6=direct
	test_opening "all left alone" $BOTH -- gateway.address4=direct gateway.address6=direct
}

nl=$'\n'
begin
must "the gateways answer" gateways_known
must "so do others" other_gateways_known
ini $BOTH
test_conflicts "$CONFLICTS"
ini $BOTH killswitch.forward_others=no
test_conflicts "$OTHERS_CONFLICTS"
test_conflicts "$LOCAL_CONFLICTS"
ini $BOTH
test_all_serves "$SERVES"
ini $BOTH killswitch.forward_others=no
test_all_serves "$OTHERS_SERVES"
test_left_alone
ini $BOTH
test_left_alone
test_tables
test_two_servers
test_changes
done_testing

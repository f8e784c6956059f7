#!/bin/bash
# address4 = link, address6 = link: the interface itself leads there. Its far end, in `outside`, sees what comes out.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

BOTH=(gateway.address4=link gateway.address6=link gateway.interface=wg0)
FOUR=(gateway.address4=link gateway.interface=wg0)
GONE='interface = wg0: there is no such interface, and clients leave only via it: sessions are refused.*wg-quick up wg0'
DOWN='interface = wg0: it is down, and clients leave only via it: sessions are refused.*ip link set wg0 up'

tunnel_pid=

# A tun whose far end is in `outside`, without addresses.
tunnel_start() {
	: >"$OGW_WORK/tunnel"
	python3 "$lib/tunnel.py" . wg0 outside wg0 >"$OGW_WORK/tunnel" &
	tunnel_pid=$!
	wait_for 10 grep -q ready "$OGW_WORK/tunnel" && ip -n outside link set wg0 up && ip link set wg0 up
}

tunnel_addresses() {
	ip addr replace 10.8.0.2/32 dev wg0 && ip addr replace fd08::2/128 dev wg0 nodad
}

tunnel_up() {
	tunnel_start && tunnel_addresses
}

tunnel_down() {
	kill "$tunnel_pid" && wait "$tunnel_pid"
	wait_for 10 eval '! ip link show wg0'
}

tunnel_index() {
	ip -o link show wg0 | sed 's/:.*//'
}

# The hosts behind the far end answer, and clients have a device.
beyond_up() {
	# shellcheck disable=SC2016
	ip netns exec outside sh -c 'for conf in wg0 lo; do echo 0 >/proc/sys/net/ipv6/conf/$conf/disable_ipv6; done' &&
		ip -n outside link set lo up && ip -n outside -batch - <<-END
			addr replace 198.51.100.80/32 dev lo
			addr replace 2001:db8:100::80/128 dev lo nodad
			route replace 10.8.0.2/32 dev wg0
			route replace fd08::2/128 dev wg0
		END
}

routes() {
	{ ip route show table 100; ip -6 route show table 100; } 2>/dev/null | routing_numbers
}

guard_rules() {	# WORDS
	nft -s list table inet ocserv_gw | grep -F "$1" | sed 's/^[[:space:]]*//'
}

line() {	# LABEL
	sed -n "s/^$1  *//p" <<<"$out" | head -n 1
}

start() {	# [SECTION.KEY=VALUE...]
	clear_state >/dev/null
	rm -rf "$STATE_DIR"
	ini "$@"
}

# What the dry run prints is what a run does.
installed_by_hand() {
	local script=$1 before
	before=$(state)
	sh -e <<<"$script" && state_is "$2" || return
	[ "$before" != "$2" ]
}

test_installed() {
	local script wanted
	start "${BOTH[@]}"
	program up --dry-run
	script=$out
	ok "up" program up
	is "$out $err" "installed " "it says no more"
	is "$(routes)" "default dev wg0 proto 111 scope link
default dev wg0 proto 111 metric 1024 pref medium" "the routes are by the interface alone"
	is "$(guard_rules 'via the interface')" \
		'meta nfproto ipv4 oifname "wg0" counter accept comment "IPv4 via the interface wg0: let through"
meta nfproto ipv6 oifname "wg0" counter accept comment "IPv6 via the interface wg0: let through"
oifname "wg0" counter accept comment "IPv4 from a client address via the interface wg0: let through"
oifname "wg0" counter accept comment "IPv6 from a client address via the interface wg0: let through"' \
		"so are the rules of the kill switch, in words"
	wanted=$(state)
	ok "up again" program up
	is "$out" intact "finds all intact"
	program up --dry-run
	like "$out" "nothing to do" "a dry run plans nothing"
	like "$out" "intact: ip -4 route default dev wg0 table 100" "and names the route"
	clear_state >/dev/null
	ok "the commands of a dry run do the same" installed_by_hand "$script" "$wanted"
	program up
	is "$out" intact "as a run sees it"
	ok "down" program down
	ok "down leaves nothing" state_is "$empty_state"
}

test_verbs() {
	start "${BOTH[@]}"
	ok "a connect" hook connect
	is "$(field gateway) $(field gateway6) $(field routing)" "link:wg0 link:wg0 installed" "its line names the interface"
	hook connect
	is "$(field routing)" intact "the next one writes nothing"
	ok "status" program status
	is "$(line clients)" "reach the gateway" "clients reach it"
	is "$(line IPv4); $(line IPv6)" "interface wg0 is up; interface wg0 is up" "status looks at the interface"
	program status --json
	is "$(jq -c '.gateway.ipv4, .gateway.ipv6' <<<"$out" | sort -u)" \
		'{"mode":"link","address":"link","interface":"wg0","answers":null,"there":true}' "so does JSON"
	program status --format prometheus
	is "$(grep '^ocserv_gateway_gateway' <<<"$out")" \
		'ocserv_gateway_gateway_there{family="ipv4",address="link",interface="wg0"} 1
ocserv_gateway_gateway_there{family="ipv6",address="link",interface="wg0"} 1' "and Prometheus"
	program check
	is "$status" 0 "check has nothing to warn of"
	like "$out" "IPv4 of clients: leaves via the interface wg0" "check says where clients leave"
	like "$err" "the interface wg0 is up; whether its other end answers is not known" "and what it can't know"
	unlike "$err" "silent|does not answer|ARP" "nobody is said to be silent"
	program explain 10.20.0.50 198.51.100.80
	is "$status $(tail -n 1 <<<"$out")" "0 leaves via the interface wg0, with this host's address on wg0" "explain"
	is "$(line route)" "on wg0, in table 100" "explain names the route"
	program explain 10.20.0.50 198.51.100.80 --json
	is "$(jq -r .state <<<"$out")" gateway "explain, for programs"
}

test_probe() {
	start "${BOTH[@]}"
	must "beyond is up" beyond_up
	ok "up" program up
	ok "test" program test
	is "$(line 'IPv4 gateway'); $(line 'IPv6 gateway')" "interface wg0 is up; interface wg0 is up" \
		"probe = neighbour looks at the interface"
	start "${BOTH[@]}" gateway.probe="198.51.100.80, 2001:db8:100::80"
	ok "up" program up
	ok "test, with addresses" program test
	like "$(line 'IPv4 beyond')" "198.51.100.80 answers" "asks them through it"
	like "$(line 'IPv6 beyond')" "2001:db8:100::80 answers" "by IPv6, too"
	ok "with strict rp_filter" eval "echo 1 >/proc/sys/net/ipv4/conf/wg0/rp_filter"
	ok "the answers pass" program test
	start "${BOTH[@]}" gateway.probe=no
	ok "up, probe = no" program up
	ok "test" program test
	is "$(line 'IPv4 gateway')" "interface wg0 is not looked at (probe = no)" "says that it did not look"
}

# refused DESCRIPTION WORDS WHY: nothing is changed, and each verb says it
refused() {
	local before
	before=$(state)
	hook connect
	is "$status" 78 "$1: a connect is refused"
	like "$err" "$2" "$1: with these words"
	ok "$1: all is as it was" state_is "$before"
	program up
	is "$status" 78 "$1: up is refused"
	ok "$1: nothing is changed" state_is "$before"
	program status
	is "$status $(line state) $(line 'kill switch')" "1 degraded complete" "$1: status, the kill switch is complete"
	like "$out" "problem +.*$2" "$1: the problem is shown"
	like "$(line clients)" "have NO internet: the interface wg0 $3; nothing leaks" "$1: what clients have"
	is "$(line IPv4)" "interface wg0 $3" "$1: the interface"
	program status --json
	is "$(jq -c '.gateway.ipv4 | .interface, .there' <<<"$out" | tr '\n' ' ')" '"wg0" false ' "$1: in JSON"
	program check
	is "$status" 78 "$1: check"
	like "$err" "$2" "$1: check says it"
	not_ok "$1: test" program test
	like "$(line 'IPv4 gateway')" "interface wg0 (is NOT there|$3)" "$1: test looks, too"
	program up --dry-run
	is "$status $out" "78 " "$1: a dry run plans nothing"
}

test_troubles() {
	local index
	start "${BOTH[@]}"
	ok "up" program up
	hook connect
	ip link set wg0 down
	refused "down" "$DOWN" "is down"
	ip link set wg0 up && tunnel_addresses
	hook connect
	is "$status $(field routing)" "0 repaired" "up again: the next connect repairs it"
	is "$(routes | wc -l)" 2 "with both routes"

	index=$(tunnel_index)
	tunnel_down
	refused "gone" "$GONE" "is not there"
	program explain 10.20.0.50
	is "$status $(tail -n 1 <<<"$out")" "1 dropped by routing: a policy rule or route prohibits it" "gone: explain"
	like "$out" "problem +.*$GONE" "gone: explain says why"
	ok "it is made again" tunnel_up
	not_ok "another interface of its name has another index" test "$(tunnel_index)" = "$index"
	hook connect
	is "$status $(field routing)" "0 repaired" "which the next connect repairs"
	program status
	is "$(line clients)" "reach the gateway" "clients reach it again"

	ip addr flush dev wg0
	refused "without an address" "wg0 has no IPv4 address to give clients.*masquerade = no" "has no IPv4 address to give clients"
	ip addr add 10.8.0.2/32 dev wg0
	hook connect
	is "$status" 78 "with one of IPv4 alone it is refused, too"
	like "$err" "address6 = link: wg0 has no IPv6 address to give clients.*set address6 = block" "which says what to set"
	ip addr add fd08::2/128 dev wg0 nodad preferred_lft 0
	hook connect
	is "$status" 78 "nor is a deprecated address one: the kernel gives clients another"
	ini "${FOUR[@]}"
	hook connect
	is "$status" 0 "with IPv6 blocked a connect is not"
	ip addr flush dev wg0
	ip addr add 10.8.0.2/32 dev wg0 scope site
	hook connect
	is "$status" 78 "an address of a narrower scope is none"
	ip addr flush dev wg0
	ini "${FOUR[@]}" gateway.masquerade=no
	hook connect
	is "$status" 0 "nor without an address where clients keep their own"
	tunnel_down
}

# One that leads to nobody has no carrier: its route stands.
test_carrier() {
	start "${FOUR[@]}"
	ip tuntap add wg0 mode tun && ip link set wg0 up && ip addr add 10.8.0.2/32 dev wg0
	# The kernel notices it later.
	ok "without a carrier: it is seen" wait_for 10 eval "ip link show wg0 | grep NO-CARRIER"
	hook connect
	is "$status" 0 "without a carrier: a connect"
	program status
	is "$status $(line state) $(line IPv4)" "1 installed interface wg0 has no carrier" "without a carrier: status says it"
	is "$(line clients)" "have NO internet: the interface wg0 has no carrier; nothing leaks" "and what clients have"
	program check
	is "$status" 1 "check warns"
	like "$err" "the interface wg0 has no carrier: clients reach nothing" "and says it"
	ip link del wg0
}

# The kill switch knows an interface by its own name alone.
test_other_name() {
	ip link property add dev wg0 altname vpn-exit
	start gateway.address4=link gateway.interface=vpn-exit
	hook connect
	is "$status" 78 "another name of the interface: a connect is refused"
	like "$err" "interface = vpn-exit: is an alternative name of wg0; write that" "and says which name to write"
	ip link property add dev eth0 altname uplink
	start gateway.interface=uplink
	program up
	is "$status" 78 "also for a next hop"
	like "$err" "interface = uplink: is an alternative name of eth0; write that" "with the same words"
	ip link property del dev eth0 altname uplink
	ip link property del dev wg0 altname vpn-exit
}

test_ownership() {
	start "${FOUR[@]}"
	ok "up" program up
	ip route replace default dev eth1 table 100 proto 111
	program status
	like "$out" "problem +IPv4 route .default dev eth1 table 100. does not belong there" \
		"a route by another interface is another one"
	hook connect
	is "$status $(field routing)" "0 repaired" "and is replaced"
	is "$(routes)" "default dev wg0 proto 111 scope link" "by ours"
	ip route del default dev wg0 table 100 && ip route add default dev wg0 table 100 proto static
	program up
	is "$status $out" "0 intact" "one of somebody else that is the same serves"
	ip route replace default dev eth1 table 100 proto static
	program up
	is "$status" 78 "another one is a conflict"
	like "$err" "this routing table already has another default route" "which is said"
	ip route flush table 100
	ip route add 198.51.0.0/16 dev eth1 table 100
	program up
	is "$status" 78 "one past the interface, too"
	ip route flush table 100
}

# From a next hop to a link, and back: nothing of the one stays.
test_changed() {
	start gateway.mac4=02:00:00:00:01:01
	ok "by a next hop: up" program up
	is "$(ip neigh show nud permanent dev eth0 | grep -c 172.28.0.2)" 1 "with its hardware address"
	ini "${FOUR[@]}"
	ok "by a link: up" program up
	is "$out" repaired "it says what it did"
	is "$(routes)" "default dev wg0 proto 111 scope link" "the route is another"
	is "$(ip neigh show nud permanent dev eth0 | grep -c 172.28.0.2)" 0 "the neighbour has gone"
	ini
	ok "by a next hop again: a connect" hook connect
	is "$(routes)" "default via 172.28.0.2 dev eth0 proto 111" "the route is that to it"
}

# One of each kind, with others' packets refused: an IPv6 route to a next hop needs onlink then, one by a link must not have it.
test_kinds() {
	start gateway.address4=link gateway.address6=fd28::2 gateway.interface=eth0 killswitch.forward_others=no
	ok "IPv4 by a link, IPv6 by a next hop: up" program up
	is "$(routes)" "default dev eth0 proto 111 scope link
default via fd28::2 dev eth0 proto 111 metric 1024 onlink pref medium" "each has its route"
	program check
	is "$status" 1 "an Ethernet"
	like "$err" "address4 = link, but eth0 asks by ARP for each address that clients reach" "is warned of"
	start gateway.address4=block gateway.address6=link gateway.interface=wg0 killswitch.forward_others=no
	ok "IPv4 blocked, IPv6 by a link: up" program up
	is "$(routes)" "default dev wg0 proto 111 metric 1024 pref medium" "IPv6 alone has a route"
	is "$(guard_rules 'via the interface wg0' | wc -l)" 2 "and is let through"
	unlike "$(guard_rules 'via the interface wg0')" "ipv4|ip saddr" "IPv4 is not"
	program up --dry-run
	like "$out" "nothing to do" "all is intact"
}

test_environment() {
	clear_state >/dev/null
	rm -f "$INI"
	ok "by the environment alone: up" captured env -i PATH="$PATH" ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
		UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" VPN_GATEWAY=link WAN_IF=wg0 VPN_SUBNET=10.20.0.0/24 "$OGW_PROGRAM" up
	is "$(routes)" "default dev wg0 proto 111 scope link" "VPN_GATEWAY=link and WAN_IF"
	captured env -i PATH="$PATH" ASAN_OPTIONS="${ASAN_OPTIONS:-}" UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" VPN_GATEWAY=link \
		VPN_SUBNET=10.20.0.0/24 "$OGW_PROGRAM" up
	is "$status" 78 "without WAN_IF"
	like "$err" "environment: VPN_GATEWAY=link: needs the interface that leads to it; write \[gateway\] interface = NAME" \
		"it says what is missing"
}

begin
must "there is a tunnel" tunnel_up
empty_state=$(state)
test_installed
test_verbs
test_probe
test_troubles
test_carrier
must "there is a tunnel again" tunnel_up
test_other_name
test_ownership
test_changed
test_kinds
test_environment
done_testing

#!/bin/bash
# forward_others = no: the server forwards for nobody but clients, and a forged source is held by routing alone.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

# A host of the second uplink takes the server for its router to the internet.
forwarded() {
	in_namespace uplink2 ping -n -c 1 -W "$1" -I "$UPLINK2_4" "$ROUTER4"
}

# forge FAMILY: alice's packets to the internet, with a source that nobody gave her
forge() {
	local source=FORGED$1 target=INTERNET$1 length=32 answered
	[ "$1" = 4 ] || length=128
	ip -n client1 addr add "${!source}/$length" dev tun0 nodad || return
	client_exec client1 ping -n -c 2 -i 0.2 -W 1 -I "${!source}" "${!target}"
	answered=$?
	# Else her own packets may take it for their source.
	ip -n client1 addr del "${!source}/$length" dev tun0
	return "$answered"
}

# forged_left FAMILY: they leave, by any way
forged_left() {
	capture_start server eth0 "host $FORGED4 or host $FORGED6" || return
	forge "$1" >/dev/null
	capture_stop server eth0 && [ -n "$(capture_read server eth0)" ]
}

begin
ok "the router knows the second uplink's network" \
	ip -n router route add 192.0.2.0/24 via "$SERVER4"
ok "the second uplink knows the router's" ip -n uplink2 route add "$ROUTER4/32" via "$SERVER_ETH1_4"

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6"
ok "a client connects" client_connect client1 alice
ok "the server forwards for others" forwarded 5
server_exec nft flush ruleset
ok "without the kill switch, a forged source leaves" forged_left 4
ok "of IPv6 as well" forged_left 6

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6" killswitch.forward_others=no
syslog_clear
ok "the key is changed while she is there: another client connects" client_connect client2 bob
ok "which repairs" wait_for 5 logged "connect .*user=bob.*routing=repaired"
not_ok "the server forwards for others no more" forwarded 1
for family in 4 6; do
	exit=UPSTREAM_EXIT$family router=ROUTER_EXIT$family vpn=SERVER_VPN$family server=SERVER$family
	is "$(exit_address client1 "$family")" "${!exit}" "IPv$family of the first leaves via the upstream"
	is "$(exit_address client2 "$family")" "${!exit}" "that of the second, too"
	is "$(exit_address server "$family")" "${!router}" "the server's own by its router"
	ok "the clients reach each other" pings client1 "$(client_address client2 "$family")"
	ok "and the server's VPN address" pings client1 "${!vpn}"
	ok "its neighbours reach the server" in_namespace router ping -n -c 1 -W 5 "${!server}"
done

must "captures run" leak_captures_start
server_exec nft flush ruleset
not_ok "without the kill switch: a forged source gets no answer" forge 4
not_ok "nor by IPv6" forge 6
not_ok "honest packets neither, without the SNAT" has_internet client1 4
ok "no packet left another way" no_leak

# Adding an IPv6 route, the kernel asks the policy rules, of which one stops all others.
ip -n server -6 route flush table 100
ip -n server rule del priority 1000
ok "the next session finds the IPv6 route gone, under the rule" client_reconnect client2
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "and puts it back"
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "with all else"
for client in client1 client2; do
	client_disconnect "$client"
done

done_testing

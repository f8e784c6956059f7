#!/bin/bash
# A LAN behind a client (iroute): it leaves via the gateway where its network is among the clients' subnets, as part of that
# client alone. Elsewhere it gets nowhere.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

LAN4=192.168.50.0/24 LAN6=fd50::/64
HOST4=192.168.50.9 HOST6=fd50::9
LAN_PACKETS="net $LAN4 or net $LAN6"

# The LAN is behind client1: one host in a namespace of its own.
lan_up() {
	namespace_add lan && link client1 lan0 lan eth0 && namespace_forwards client1 &&
	address client1 lan0 192.168.50.1/24 fd50::1/64 && address lan eth0 "$HOST4/24" "$HOST6/64" &&
	ip -n lan route add default via 192.168.50.1 && ip -n lan route add default via fd50::1
}

lan_captures_start() {
	leak_captures_start && capture_start router vpnnet "$LAN_PACKETS"
}

# Nothing of the LAN on the server's networks, as itself or masqueraded, but on the way to the gateway.
lan_captures_stop() {
	no_leak && capture_stop router vpnnet && ! capture_read router vpnnet | grep .
}

# from ADDRESS CLIENT DESTINATION: what a client sends with an address that is not its own is answered
from() {
	ip -n "$2" addr add "$1/$([[ $1 == *:* ]] && echo 128 || echo 32)" dev tun0 nodad 2>/dev/null
	in_namespace "$2" ping -n -c 1 -W 1 -I "$1" "$3"
	local status=$?
	ip -n "$2" addr del "$1" dev tun0
	return "$status"
}

routed() {
	ip -n server route show "$LAN4" dev vpns0 | grep . && ip -n server -6 route show "$LAN6" dev vpns0 | grep .
}

not_routed() {
	! routed
}

connect_alice() {
	client_connect client1 alice && wait_for 5 routed
}

mkdir -p /etc/ocserv/users
printf 'iroute = %s\niroute = %s\n' "$LAN4" "$LAN6" >/etc/ocserv/users/alice
begin config-per-user=/etc/ocserv/users route-add-cmd="ip route add %{R} dev %{D}" route-del-cmd="ip route del %{R} dev %{D}"
must "a LAN is behind client1" lan_up

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6"
ok "alice connects, her LAN is no client's subnet" connect_alice
is "$(exit_address client1 4) $(exit_address client1 6)" "$UPSTREAM_EXIT4 $UPSTREAM_EXIT6" "she leaves via the upstream"
must "captures run" lan_captures_start
not_ok "her LAN has no internet" has_internet lan 4
not_ok "of IPv6 either" has_internet lan 6
ok "nothing of it left" lan_captures_stop
said=$(server_exec "$OGW_PROGRAM" check 2>&1)
like "$said" "users/alice:1: iroute = $LAN4: is not within .*add $LAN4 to it" "check says so"
like "$said" "users/alice:2: iroute = $LAN6: is not within .*add $LAN6 to it" "of IPv6 too"
like "$said" "warning: $LAN4 is behind the client of vpns0, but not within .*add $LAN4 to it" "and of the routes that there are"
like "$said" "warning: $LAN6 is behind the client of vpns0, but not within .*add $LAN6 to it" "of IPv6 too"
client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6" clients.subnet4="$CLIENTS4, $LAN4" \
	clients.subnet6="$CLIENTS6, $LAN6"
ok "alice connects, with her LAN in subnet4 and subnet6" connect_alice
ok "bob connects" client_connect client2 bob
is "$(exit_address lan 4) $(exit_address lan 6)" "$UPSTREAM_EXIT4 $UPSTREAM_EXIT6" "the LAN leaves via the upstream"
is "$(exit_address client1 4) $(exit_address client1 6)" "$UPSTREAM_EXIT4 $UPSTREAM_EXIT6" "so does alice"
is "$(exit_address client2 4) $(exit_address client2 6)" "$UPSTREAM_EXIT4 $UPSTREAM_EXIT6" "so does bob"
ok "bob reaches the LAN" pings client2 "$HOST4"
ok "by IPv6 too" pings client2 "$HOST6"
ok "the LAN reaches bob" pings lan "$(client_address client2 4)"
unlike "$({ server_exec "$OGW_PROGRAM" check >/dev/null; } 2>&1)" 'iroute|192\.168\.50|fd50' "check has nothing to say of it"

must "captures run" lan_captures_start
for destination in "$INTERNET4" "$(client_address client1 4)" "$UPSTREAM4"; do
	not_ok "bob gets no answer from $destination with an address of alice's LAN" from 192.168.50.77 client2 "$destination"
done
not_ok "nor with one of IPv6" from fd50::77 client2 "$INTERNET6"
not_ok "alice gets none with bob's address" from "$(client_address client2 4)" client1 "$INTERNET4"
not_ok "nor with one of another LAN" from 192.168.51.9 client1 "$INTERNET4"
ok "nothing of that left" lan_captures_stop

must "captures run" lan_captures_start
server_exec nft flush ruleset
not_ok "without the kill switch the LAN has no internet, since nobody masquerades it" has_internet lan 4
not_ok "of IPv6 either" has_internet lan 6
ok "and it leaves via no other way" no_leak
capture_stop router vpnnet
ok "all is put back" server_exec "$OGW_PROGRAM" up
is "$(exit_address lan 4) $(exit_address lan 6)" "$UPSTREAM_EXIT4 $UPSTREAM_EXIT6" "the LAN leaves via the upstream"

must "captures run" lan_captures_start
ip -n server rule flush protocol 111
ip -n server -6 rule flush protocol 111
not_ok "without policy rules the LAN has no internet" has_internet lan 4
not_ok "of IPv6 either" has_internet lan 6
ok "and it leaves via no other way" lan_captures_stop
ok "all is put back" server_exec "$OGW_PROGRAM" up

must "captures run" lan_captures_start
client_disconnect client1
ok "alice has gone, and the routes to her LAN" wait_for 5 not_routed
not_ok "bob does not reach the LAN" pings client2 "$HOST4"
not_ok "nor by IPv6" pings client2 "$HOST6"
not_ok "nobody else has an address of it" from "$HOST4" client2 "$INTERNET4"
not_ok "the server does not reach it" in_namespace server ping -n -c 1 -W 1 "$HOST4"
ok "nothing left for where it was" lan_captures_stop

ip -n server route add "$LAN4" via "$UPLINK2_4"
like "$(server_exec "$OGW_PROGRAM" check 2>&1)" "$LAN4 via $UPLINK2_4" "check names a route of others to the LAN"
must "captures run" lan_captures_start
not_ok "bob does not reach the LAN by it" pings client2 "$HOST4"
ok "nothing left via it" lan_captures_stop
ip -n server route del "$LAN4" via "$UPLINK2_4"

# With auto, no file of a user makes a network one of the clients'.
client_disconnect client2
server_exec "$OGW_PROGRAM" down >/dev/null
gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6" clients.subnet4=auto clients.subnet6=auto
ok "alice connects, with auto" connect_alice
must "captures run" lan_captures_start
not_ok "the LAN has no internet" has_internet lan 4
ok "and leaves via no other way" lan_captures_stop
like "$(server_exec "$OGW_PROGRAM" check 2>&1)" "is behind the client of .*not within .clients. subnet4" "check says so"

done_testing

#!/bin/bash
# The VPN's own addresses are reached inside it, not via the gateway.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

gateway_ini gateway.address4="$UPSTREAM4"
ok "alice connects" client_connect client1 alice
ok "bob connects" client_connect client2 bob
ok "the server's VPN address answers" pings client1 "$SERVER_VPN4"
ok "by IPv6 as well" pings client1 "$SERVER_VPN6"
ok "alice reaches bob" pings client1 "$(client_address client2 4)"
ok "by IPv6 as well" pings client1 "$(client_address client2 6)"
ok "bob reaches alice" pings client2 "$(client_address client1 4)"
client_disconnect client1
client_disconnect client2

gateway_ini gateway.address4="$UPSTREAM4" killswitch.client_to_client=no
ok "client_to_client = no: alice connects" client_connect client1 alice
ok "bob connects" client_connect client2 bob
not_ok "alice does not reach bob" pings client1 "$(client_address client2 4)"
not_ok "nor by IPv6" pings client1 "$(client_address client2 6)"
ok "the server's VPN address answers" pings client1 "$SERVER_VPN4"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice leaves via the upstream"
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "so does bob"

ip -n router route replace "$CLIENTS4" via "$SERVER4"
not_ok "nobody on the server's network reaches alice" \
	in_namespace router ping -n -c 1 -W 1 "$(client_address client1 4)"
client_disconnect client1
client_disconnect client2

gateway_ini gateway.address4="$UPSTREAM4" gateway.masquerade=no killswitch.inbound=any
ip -n upstream route add "$CLIENTS4" via "$SERVER4"
in_namespace upstream nft insert rule inet forward forward \
	ip saddr "$CLIENTS4" oifname tun0 accept
ok "inbound = any, masquerade = no: alice connects" client_connect client1 alice
ok "the upstream reaches alice" \
	in_namespace upstream ping -n -c 1 -W 2 "$(client_address client1 4)"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"

done_testing

#!/bin/bash
# The environment of ocserv, as in a container, wins over the file or replaces it.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin
ocserv_stop

ok "ocserv starts with the variables of a container" \
	ocserv_start -u OCSERV_GATEWAY_CONFIG VPN_GATEWAY="$UPSTREAM4" \
	VPN_SUBNET="$CLIENTS4" IPV6_SUBNET="$CLIENTS6"
ok "there is no file: alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"
is "$(connect_error client1 "$INTERNET6")" "Permission denied" "her IPv6 is told at once"
client_disconnect client1

gateway_ini gateway.address4="$ROUTER4" gateway.address6="$UPSTREAM6"
ok "there is a file with another gateway: alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the one in the environment"
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "and by the file's where the environment has none"
client_disconnect client1
ocserv_stop

ok "ocserv starts with variables that are empty" \
	ocserv_start VPN_SUBNET= IPV6_SUBNET= VPN_GATEWAY=
gateway_ini gateway.address4="$UPSTREAM4"
ok "alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the file's gateway"
client_disconnect client1
ocserv_stop

ok "ocserv starts with a name of the file that is empty" ocserv_start OCSERV_GATEWAY_CONFIG= VPN_GATEWAY="$UPSTREAM4"
not_ok "alice is refused" client_connect client1 alice
ok "the log says why" wait_for 5 logged "OCSERV_GATEWAY_CONFIG is empty"
ocserv_stop

ok "ocserv starts with a variable that is wrong" ocserv_start VPN_GATEWAY=nordvpn.example
not_ok "alice is refused" client_connect client1 alice
ok "the log says why" wait_for 5 logged "VPN_GATEWAY.*nordvpn\.example"

done_testing

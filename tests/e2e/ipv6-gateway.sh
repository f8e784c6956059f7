#!/bin/bash
# IPv6 through an IPv6 gateway, with and without IPv4.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6"
ok "both families have a gateway: a client connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "IPv4 leaves via the upstream"
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "so does IPv6"
is "$(exit_address server 6)" "$ROUTER_EXIT6" "the server's own IPv6 leaves via its router"
ok "the server's VPN address answers" pings client1 "$SERVER_VPN4"
ok "by IPv6 as well" pings client1 "$SERVER_VPN6"
ok "a second client connects" client_connect client2 bob
is "$(exit_address client2 6)" "$UPSTREAM_EXIT6" "its IPv6 leaves via the upstream"
ok "the clients reach each other by IPv6" pings client1 "$(client_address client2 6)"
client_disconnect client2

must "captures run" leak_captures_start
upstream_tunnel down
not_ok "the upstream's tunnel is down: IPv6 has no way out" has_internet client1 6
upstream_tunnel up
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "it comes back with the tunnel"
ip -n server -6 route flush table 100
is "$(connect_error client1 "$INTERNET6")" "Permission denied" \
	"the route is gone: the client is told at once"
ip -n server -6 rule del priority 1000
ip -n server -6 rule del priority 1001
not_ok "the rules are gone: IPv6 has no way out" has_internet client1 6
ok "no packet left another way" no_leak
ok "the next client connects" client_connect client2 bob
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "with that, the first has its way out again"
client_disconnect client1
client_disconnect client2

gateway_ini gateway.address4=block gateway.address6="$UPSTREAM6"
ok "IPv4 is blocked: a client connects" client_connect client1 alice
must "captures run" leak_captures_start
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "IPv6 leaves via the upstream"
is "$(connect_error client1 "$INTERNET4")" "No route to host" "IPv4 is told at once"
ok "the server's VPN address answers by IPv4" pings client1 "$SERVER_VPN4"
ok "no packet left another way" no_leak
client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6=direct
ok "IPv6 is left alone: up" server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" up
ok "a client connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "IPv4 leaves via the upstream"
is "$(exit_address client1 6)" "$ROUTER_EXIT6" "IPv6 leaves via the server's router"

done_testing

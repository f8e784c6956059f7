#!/bin/bash
# The upstream has no IPv6: clients are told at once, and nothing leaks.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

gateway_ini gateway.address4="$UPSTREAM4"
ok "a client connects" client_connect client1 alice
must "captures run" leak_captures_start
is "$(connect_error client1 "$INTERNET6")" "Permission denied" \
	"a program that uses IPv6 is told: permission denied"
like "$(pings client1 "$INTERNET6")" "From $SERVER_VPN6 .*Administratively prohibited" \
	"ping is told: administratively prohibited"
ok "the server's VPN address answers by IPv6" pings client1 "$SERVER_VPN6"

ip -n server -6 rule del priority 1001
is "$(connect_error client1 "$INTERNET6")" "Permission denied" \
	"told the same by the kill switch when the routing rule is gone"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "IPv4 leaves via the upstream"
ok "no packet left another way" no_leak
client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4" killswitch.blocked=drop
ok "blocked = drop: a client connects" client_connect client1 alice
must "captures run" leak_captures_start
is "$(connect_error client1 "$INTERNET6")" "silence" "IPv6 is met with silence"
ok "the server's VPN address answers by IPv6" pings client1 "$SERVER_VPN6"
ok "no packet left another way" no_leak
client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4" clients.subnet6=
ok "subnet6 is not configured: up" server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" up
ok "a client connects" client_connect client1 alice
must "captures run" leak_captures_start
not_ok "IPv6 has no way out" has_internet client1 6
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "IPv4 leaves via the upstream"
ok "no packet left another way" no_leak

done_testing

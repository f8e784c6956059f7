#!/bin/bash
# Clients with an IPv6 address only.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin ipv4-network=

gateway_ini gateway.address6="$UPSTREAM6"
ok "a client connects" client_connect client1 alice
is "$(client_address client1 4)" "" "it has no IPv4 address"
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "IPv6 leaves via the upstream"
ok "the server's VPN address answers" pings client1 "$SERVER_VPN6"
ok "a line of the log is hers" wait_for 5 logged "connect .*user=alice"
is "$(field "$(logged "connect .*user=alice")" ip6)" "$(client_address client1 6)" \
	"it has her address"
ok "she leaves" client_disconnect client1
ok "the log tells" wait_for 5 logged "disconnect .*user=alice"

gateway_ini gateway.address4="$UPSTREAM4"
ok "IPv6 has no gateway: a client connects" client_connect client1 alice
must "captures run" leak_captures_start
is "$(connect_error client1 "$INTERNET6")" "Permission denied" "it is told at once"
ok "no packet left another way" no_leak

done_testing

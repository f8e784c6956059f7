#!/bin/bash
# The upstream fails: clients lose the internet, and nothing leaks.
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
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice leaves via the upstream"
must "captures run" leak_captures_start

upstream_tunnel down
not_ok "its tunnel is down: alice has no way out" has_internet client1 4
not_ok "nor has bob" has_internet client2 4
ok "the server's VPN address answers" pings client1 "$SERVER_VPN4"
ok "alice reaches bob" pings client1 "$(client_address client2 4)"
upstream_tunnel up
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice comes back with the tunnel"

upstream_link down
not_ok "it is absent: alice has no way out" has_internet client1 4
ip -n server neigh flush dev eth0
not_ok "nor when the server has forgotten its hardware address" has_internet client1 4
client_disconnect client2
client_connect client2 bob
not_ok "nor has one who connects now" has_internet client2 4
upstream_link up
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice comes back with it"

ip -n router link set to-server down
not_ok "the server's cable is pulled: no way out" has_internet client1 4
ip -n router link set to-server up
server_link up
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice comes back with it"

client_disconnect client2
server_link down
not_ok "the link is down, the default route is by the second uplink: no way out" \
	has_internet client1 4
server_link up
ok "the link is up again: bob connects" client_connect client2 bob
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "he leaves via the upstream"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "so does alice"
ok "no packet left another way" no_leak

done_testing

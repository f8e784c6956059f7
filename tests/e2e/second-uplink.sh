#!/bin/bash
# The gateway is on another interface than the default route, and rp_filter is strict.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin
strict() {
	local interface
	for interface in all default eth0 eth1; do
		namespace_sysctl server "ipv4/conf/$interface/rp_filter=1"
	done
}

strict
gateway_ini gateway.address4="$UPLINK2_4" gateway.address6="$UPLINK2_6"
ok "alice connects" client_connect client1 alice
is "$(server_exec cat /proc/sys/net/ipv4/conf/vpns0/rp_filter)" 1 "her tunnel filters strictly"
is "$(exit_address client1 4)" "$UPLINK2_EXIT4" "she leaves via the second uplink"
is "$(exit_address client1 6)" "$UPLINK2_EXIT6" "by IPv6 as well"
is "$(exit_address server 4)" "$ROUTER_EXIT4" "the server's own traffic leaves via its router"
unlike "$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" check 2>&1)" "rp_filter on" "check does not say that answers are dropped"
ok "the server's VPN address answers" pings client1 "$SERVER_VPN4"
ok "bob connects" client_connect client2 bob
ok "alice reaches bob" pings client1 "$(client_address client2 4)"
client_disconnect client2

must "a capture runs" capture_start router wan0 "$CLIENT_PACKETS"
must "another runs" capture_start server eth0 "$CLIENT_PACKETS"
ip -n server link set eth1 down
not_ok "that uplink is down: no way out" has_internet client1 4
not_ok "nor by IPv6" has_internet client1 6
not_ok "and nobody can connect" client_connect client2 bob
must "the capture ends" capture_stop router wan0
must "so does the other" capture_stop server eth0
is "$(capture_read router wan0; capture_read server eth0)" "" \
	"no packet left via the first uplink"

done_testing

#!/bin/bash
# Clients leave with the gateway's address, the server itself as before.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

# counted "IN OUT" LINE: no more than the log's line tells at the end
counted() {
	[ "${1% *}" -gt 0 ] && [ "${1% *}" -le "$(field "$2" bytes_in)" ] && [ "${1#* }" -le "$(field "$2" bytes_out)" ]
}

begin

install -m 600 /dev/null "$GATEWAY_INI"
echo "; nothing is configured yet" >"$GATEWAY_INI"
ok "no gateway is configured: a client connects" client_connect client1 alice
must "captures run" leak_captures_start
is "$(exit_address client1 4)" "$ROUTER_EXIT4" "it leaves via the server's own router"
is "$(exit_address client1 6)" "$ROUTER_EXIT6" "by IPv6 as well"
must "the captures end" leak_captures_stop
like "$(leaked)" "on router wan0: .*$INTERNET4" "they saw it: such a packet would be found"
ok "the log warns of it" wait_for 5 logged "warning: .*own route"
ok "nothing is installed" nothing_installed
ok "it leaves" client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4"
syslog_clear
ok "the gateway is configured: alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice leaves with the upstream's address"
ok "a line of the log is hers" wait_for 5 logged "connect .*user=alice"
line=$(logged "connect .*user=alice")
like "$(field "$line" id)" '^[0-9]+$' "it has the session's id"
is "$(field "$line" device)" vpns0 "the device"
is "$(field "$line" real)" "$CLIENT1_4" "the client's own address"
is "$(field "$line" ip4)" "$(client_address client1 4)" "its address in the VPN"
is "$(field "$line" ip6)" "$(client_address client1 6)" "and by IPv6"
is "$(field "$line" gateway)" "$UPSTREAM4" "the gateway"
is "$(field "$line" routing)" installed "and that routing was installed"

ok "bob connects" client_connect client2 bob
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "bob leaves with the upstream's address"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "so does alice still"
ok "a line of the log is bob's" wait_for 5 logged "connect .*user=bob"
line=$(logged "connect .*user=bob")
is "$(field "$line" routing)" intact "it says that routing was intact"
is "$(field "$line" device)" vpns1 "it has his device"

is "$(exit_address server 4)" "$ROUTER_EXIT4" "the server's own traffic leaves via its router"
is "$(exit_address server 6)" "$ROUTER_EXIT6" "by IPv6 as well"
like "$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" status 2>&1)" alice "status knows alice"
is "$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" status --json |
	jq -r '.state, (.sessions | map(.user) | sort | join(" "))' | tr '\n' ' ')" \
	"installed alice bob " "status --json knows both"

bytes=$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" status --json |
	jq -r '.sessions[] | select(.user == "alice") | "\(.bytes_in) \(.bytes_out)"')
ok "alice leaves" client_disconnect client1
ok "the log tells" wait_for 5 logged "disconnect .*user=alice"
line=$(logged "disconnect .*user=alice")
like "$line" "duration[a-z_]*=[0-9]" "for how long she was there"
like "$line" "bytes_in=[0-9]" "how much came in"
like "$line" "bytes_out=[0-9]" "how much went out"
ok "status counted in the same sense, while she was there: $bytes" counted "$bytes" "$line"
ok "bob leaves" client_disconnect client2

gateway_ini gateway.address4=direct gateway.address6=direct
ok "the gateway is taken out: up" server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" up
ok "alice connects" client_connect client1 alice
ok "nothing is left of it" nothing_installed
is "$(exit_address client1 4)" "$ROUTER_EXIT4" "she leaves via the server's own router"

done_testing

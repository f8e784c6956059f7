#!/bin/bash
# Pools of groups: each is covered that is listed in subnet4, or found by itself.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin config-per-group=/etc/ocserv/groups/
ocserv_user carol staff
mkdir /etc/ocserv/groups
echo "ipv4-network = 10.30.0.0/24" >/etc/ocserv/groups/staff

gateway_ini gateway.address4="$UPSTREAM4" clients.subnet4="$CLIENTS4, 10.30.0.0/24"
ok "alice connects" client_connect client1 alice
ok "carol connects" client_connect client2 carol
like "$(client_address client2 4)" '^10\.30\.0\.' "her address is of her group's pool"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice leaves via the upstream"
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "so does carol"
ok "the log has carol" wait_for 5 logged "connect .*user=carol"
is "$(field "$(logged "connect .*user=carol")" group)" staff "with her group"
ok "alice reaches carol" pings client1 "$(client_address client2 4)"

must "captures run" leak_captures_start
must "another runs" capture_start router vpnnet "net 10.30.0.0/24"
ip -n server route flush table 100
is "$(connect_error client2 "$INTERNET4")" "No route to host" \
	"the route is gone: carol is told at once"
for priority in 999 1000 1001; do
	while ip -n server rule del priority "$priority" 2>/dev/null; do
		:
	done
done
not_ok "the rules are gone: carol has no way out" has_internet client2 4
ok "no packet left another way" no_leak
must "the other ends" capture_stop router vpnnet
is "$(capture_read router vpnnet)" "" "nor one with carol's address"

# What the configuration says itself may come from ocserv's, which is at its usual place here.
client_disconnect client1
client_disconnect client2
gateway_ini gateway.address4="$UPSTREAM4" clients.subnet4=auto clients.subnet6=auto clients.interface=auto
like "$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" check 2>/dev/null)" \
	"subnet4 += $CLIENTS4, 10\.30\.0\.0/24 +; $GATEWAY_INI:[0-9]+, auto" "auto finds both pools"
syslog_clear
ok "alice connects" client_connect client1 alice
ok "carol connects" client_connect client2 carol
ok "all was put back" wait_for 5 logged "connect .*user=alice.*routing=repaired"
is "$(exit_address client1 4) $(exit_address client2 4)" "$UPSTREAM_EXIT4 $UPSTREAM_EXIT4" "both leave via the upstream"
is "$(server_exec ip rule show priority 1000 | sed 's/.*from \([^ ]*\) .*/\1/' | xargs)" "$CLIENTS4 10.30.0.0/24" \
	"a rule for each pool"
echo "ipv4-network = 10.31.0.0/24" >/etc/ocserv/groups/staff
client_disconnect client2
ok "carol connects again" client_connect client2 carol
is "$(server_exec ip rule show priority 1000 | sed 's/.*from \([^ ]*\) .*/\1/' | xargs)" "$CLIENTS4 10.31.0.0/24" \
	"an edit counts from the next session on"
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"

done_testing

#!/bin/bash
# Pools of groups: each is governed that is listed in subnet4.
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
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice leaves by the upstream"
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
ok "no packet left by another way" no_leak
must "the other ends" capture_stop router vpnnet
is "$(capture_read router vpnnet)" "" "nor one with carol's address"

done_testing

#!/bin/bash
# ocserv is killed: no disconnect hook runs, and its records are stale.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

live_sessions() {
	server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" status --json |
		jq -r '.sessions | map(.user) | sort | join(" ")'
}

gateway_ini gateway.address4="$UPSTREAM4" session.remove_after_last=yes
ok "alice connects" client_connect client1 alice
ok "bob connects" client_connect client2 bob
is "$(live_sessions)" "alice bob" "status knows both"
syslog_clear
must "captures run" leak_captures_start
ok "ocserv is killed" ocserv_kill
not_ok "no hook ran" logged "disconnect"
ok "what is installed stays complete" whole
is "$(live_sessions)" "" "status counts no session any more"
client_disconnect client1
client_disconnect client2

ok "ocserv starts again" ocserv_start
ok "alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"
ok "she found all intact" wait_for 5 logged "connect .*user=alice.*routing=intact"
is "$(live_sessions)" "alice" "status knows her alone"
ok "she leaves" client_disconnect client1
ok "all is gone: the stale records do not count" wait_for 5 nothing_installed
ok "no packet left another way" no_leak

done_testing

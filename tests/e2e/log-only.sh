#!/bin/bash
# [log] dry_run: the hook says what it would do, and lets the client in.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

gateway_ini gateway.address4="$UPSTREAM4" log.dry_run=yes
ok "alice connects" client_connect client1 alice
ok "nothing is installed" nothing_installed
is "$(exit_address client1 4)" "$ROUTER_EXIT4" "she leaves via the server's own router"
ok "the log says what would be done" wait_for 5 logged "dry.run"
ok "she leaves" client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4"
ok "dry_run is off: alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"

done_testing

#!/bin/bash
# One client leaves, the last one leaves.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

gateway_ini gateway.address4="$UPSTREAM4" session.remove_after_last=yes
ok "alice connects" client_connect client1 alice
ok "bob connects" client_connect client2 bob
ok "alice leaves" client_disconnect client1
ok "the log tells" wait_for 5 logged "disconnect .*user=alice"
ok "all is complete" whole
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "bob leaves via the upstream as before"
must "captures run" leak_captures_start
ok "bob leaves" client_disconnect client2
ok "the log tells" wait_for 5 logged "disconnect .*user=bob"
ok "rules, routes and table are gone" wait_for 5 nothing_installed
ok "no packet left another way" no_leak
ok "alice connects again" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"
ok "alice leaves" client_disconnect client1
ok "all is gone again" wait_for 5 nothing_installed

gateway_ini gateway.address4="$UPSTREAM4"
syslog_clear
ok "remove_after_last is off: bob connects" client_connect client2 bob
ok "bob leaves" client_disconnect client2
ok "the log tells" wait_for 5 logged "disconnect .*user=bob"
ok "all stays complete" whole
syslog_clear
ok "alice connects" client_connect client1 alice
ok "she found all intact" wait_for 5 logged "connect .*user=alice.*routing=intact"

gateway_ini gateway.address4="$UPSTREAM4" session.remove_after_last=yes
syslog_clear
ocserv_stop
ok "ocserv ends with alice in it: the log tells" \
	wait_for 10 logged "disconnect .*user=alice"
ok "all is gone" wait_for 5 nothing_installed

done_testing

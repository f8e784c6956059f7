#!/bin/bash
# The admin's own script runs after the hook, and can refuse.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

cat >"$OGW_WORK/next" <<END
#!/bin/sh
env >"$OGW_WORK/next.\$REASON"
exit "\$(cat "$OGW_WORK/next.status")"
END
chmod 755 "$OGW_WORK/next"
echo 0 >"$OGW_WORK/next.status"
gateway_ini gateway.address4="$UPSTREAM4" session.next_script="$OGW_WORK/next" \
	session.remove_after_last=yes

ok "alice connects" client_connect client1 alice
like "$(<"$OGW_WORK/next.connect")" "USERNAME=alice" "the script knows who"
like "$(<"$OGW_WORK/next.connect")" "IP_REMOTE=$(client_address client1 4)" "and the address"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"
ok "she leaves" client_disconnect client1
ok "the script has run for that, too" wait_for 5 grep -q USERNAME=alice "$OGW_WORK/next.disconnect"
ok "all is gone" wait_for 5 nothing_installed

ok "bob connects" client_connect client2 bob
echo 3 >"$OGW_WORK/next.status"
syslog_clear
not_ok "the script fails: alice is refused" client_connect client1 alice
ok "the log says why" wait_for 5 logged "next"
is "$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" status --json |
	jq -r '.sessions | map(.user) | join(" ")')" "bob" "she is not counted as a session"
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "bob leaves via the upstream as before"
ok "bob leaves" client_disconnect client2
ok "all is gone, whatever the script says" wait_for 5 nothing_installed

gateway_ini gateway.address4="$UPSTREAM4" session.next_script="$OGW_WORK/absent"
not_ok "the script does not exist: alice is refused" client_connect client1 alice

done_testing

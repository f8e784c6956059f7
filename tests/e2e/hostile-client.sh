#!/bin/bash
# What a client says of itself is data: nothing runs it, and a log line stays one line.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin
export TRAP=$OGW_WORK/trapped
# shellcheck disable=SC2016
name='eve"routing=`touch$IFS$TRAP`$(touch$IFS$TRAP);%n%s'
# shellcheck disable=SC2016
said='"$(touch $TRAP)`touch $TRAP`;|&%n%s'$'\t'

gateway_ini gateway.address4="$UPSTREAM4"
must "there is a user with a strange name" ocserv_user "$name"
ok "it connects" client_connect client1 "$name" --useragent "$said" \
	--local-hostname "$said" --os=android --version-string "$said"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "it leaves via the upstream"
ok "the log has a line of it" wait_for 5 logged "connect .*eve"
is "$(logged "connect .*eve" | wc -l)" 1 "and only one"
is "$(field "$(logged "connect .*eve")" routing)" installed "in which it cannot write fields"
ok "status knows it" server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" status
is "$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" status --json | jq -r '.sessions[0].user')" \
	"$name" "status --json gives its name as it is"
ok "it leaves" client_disconnect client1
ok "the log tells" wait_for 5 logged "disconnect .*eve"
not_ok "nothing of it has been run" test -e "$TRAP"
is "$(grep -acv '^<' "$SYSLOG")" 0 "every line of the log is a whole one"

done_testing

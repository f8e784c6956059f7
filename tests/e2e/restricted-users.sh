#!/bin/bash
# restrict-user-to-routes: ocserv's own firewall script, of iptables or of nft, runs the hook as /bin/sh FILE.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

shim=$OGW_WORK/ocserv-gateway-hook
sed "s|@sbindir@|${OGW_PROGRAM%/*}|" "$OGW_TOP/hooks/ocserv-gateway-hook.in" >"$shim"
chmod 755 "$shim"

begin connect-script="$shim" disconnect-script="$shim"

gateway_ini gateway.address4="$UPSTREAM4" session.remove_after_last=yes
ok "alice connects, unrestricted" client_connect client1 alice
ok "she gets anywhere" pings client1 203.0.113.254
ok "she leaves" client_disconnect client1
ok "the hook has run" wait_for 5 logged "disconnect .*user=alice"

ocserv_stop
syslog_clear
ocserv_conf restrict-user-to-routes=true route="$INTERNET4/32" connect-script="$shim" disconnect-script="$shim"
must "ocserv listens, with restrict-user-to-routes" ocserv_start
ok "check finds nothing to say" server_exec "$OGW_PROGRAM" check
ok "alice connects" client_connect client1 alice
ok "the hook has run" wait_for 5 logged "connect .*user=alice.*routing=installed"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "where alice may go, she leaves via the upstream"
not_ok "where she may not, she does not get: ocserv's own firewall script has run, too" pings client1 203.0.113.254
# The rules of that script are known as ocserv's, and nothing is proposed that undoes them.
ok "explain: where alice may go, she gets to the gateway" server_exec "$OGW_PROGRAM" explain alice "$INTERNET4"
explained=$(server_exec "$OGW_PROGRAM" explain alice 203.0.113.254)
is "$?" 1 "explain: where she may not, she does not"
like "$explained" $'\n'"rejected by ocserv's own restriction of this session .*its rule with handle [0-9]+" "explain: it says by what"
unlike "$explained" "insert rule" "explain: no rule is proposed that lets everybody through"
ok "she leaves" client_disconnect client1
ok "the hook has run" wait_for 5 logged "disconnect .*user=alice"
ok "all is gone" wait_for 5 nothing_installed

gateway_ini gateway.adress4="$UPSTREAM4"
not_ok "a key is misspelt: the session is refused" client_connect client1 alice
ok "nothing is installed" nothing_installed

done_testing

#!/bin/bash
# With real clients: status and test say what these have, and a test disturbs nobody.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

gateway() {	# VERB...: sets $out and $status
	out=$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" "$@" 2>&1)
	status=$?
}

line() {	# LABEL
	sed -n "s/^$1  *//p" <<<"$out" | head -n 1
}

have() {	# "STATUS REGEX" DESCRIPTION
	gateway status
	like "$status $(line clients)" "$1" "$2"
}

has_gone() {	# USER
	gateway test "$1"
	[[ $out == *"no live session belongs to '$1'"* ]]
}

begin

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6" \
	gateway.probe="$INTERNET4, [$INTERNET6]:80" gateway.probe_http="http://$INTERNET4/"
ok "alice connects" client_connect client1 alice
ok "bob connects" client_connect client2 bob
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice leaves via the upstream"
have '^0 reach the gateway$' "status says so"
must "captures run" leak_captures_start
gateway test alice
is "$status" 0 "a test of alice"
like "$(line client)" "^alice, $(client_address client1 4) and $(client_address client1 6) on vpns[0-9]+$" "it is hers"
like "$(line 'IPv4 beyond')" "^$INTERNET4 answers in " "the internet answers"
like "$(line 'IPv6 beyond')" "^\[$INTERNET6\]:80 answers in " "by IPv6"
like "$(line 'IPv4 world')" "^sees $UPSTREAM_EXIT4, in " "it sees the upstream's address, as of her"
gateway test bob --json
is "$(jq -c '[.ok, .user, .ipv4.world.address]' <<<"$out")" "[true,\"bob\",\"$UPSTREAM_EXIT4\"]" "a test of bob"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice goes on"
is "$(exit_address client2 6)" "$UPSTREAM_EXIT6" "so does bob"

upstream_tunnel down
have '^0 reach the gateway$' "its tunnel is down, which the server can't know"
gateway test
is "$status" 1 "a test can"
like "$(line 'IPv4 gateway')" "^$UPSTREAM4 on eth0, answers ARP" "the gateway answers"
like "$(line 'IPv4 beyond')" "^$INTERNET4 does NOT answer" "what is beyond does not"
upstream_tunnel up
upstream_link down
ip -n server neigh flush dev eth0
have "^1 IPv4: have NO internet: the gateway $UPSTREAM4 does not answer; nothing leaks; IPv6: have NO internet" "the upstream is gone"
upstream_link up
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice comes back with it"
ok "no packet left another way" no_leak
gateway down
gateway status
like "$status $(head -n 1 <<<"$out")" '^1 clients +LEAK via eth0: run ocserv-gateway up$' "after down, status says at first that they leak"
is "$(exit_address client1 4)" "$ROUTER_EXIT4" "and so they do"
gateway up
have '^0 reach the gateway$' "up ends it"
client_disconnect client1
client_disconnect client2
ok "alice's session ends" wait_for 10 has_gone alice
have '^0 nobody is connected; they would reach the gateway$' "nobody is connected"

done_testing

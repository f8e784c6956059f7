#!/bin/bash
# The gateway's address is lost while a client is connected: the next client is refused, and the one that is there leaves via
# the gateway as before, or not at all.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

server_state() {
	local family
	for family in 4 6; do
		ip -n server "-$family" rule
		ip -n server "-$family" route show table 100 2>/dev/null
	done
	# Without what packets have put into sets.
	server_exec nft -s list ruleset | sed -e '/^\t\telements = {.*}$/d' -e '/^\t\telements = {/,/}$/d'
}

# still_held WHAT REGEX: bob is refused with this in the log, and alice is held as before
still_held() {
	syslog_clear
	not_ok "$1: bob is refused" client_connect client2 bob
	ok "$1: the log says why" wait_for 5 logged "$2"
	ok "$1: and who" wait_for 5 logged "session refused: user=bob .*status=78"
	is "$(server_state)" "$installed" "$1: rules, routes and kill switch are as before"
	is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "$1: alice leaves via the upstream"
	not_ok "$1: her IPv6 by no way" has_internet client1 6
	server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" up >/dev/null 2>&1
	is "$?" 78 "$1: up is refused, too"
	is "$(server_state)" "$installed" "$1: and changes nothing"
}

begin
gateway_ini gateway.address4="$UPSTREAM4"
ok "alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"
installed=$(server_state)
must "captures run" leak_captures_start

gateway_ini
still_held "without address4" "asks for a gateway, but neither address4 nor address6 is set"
gateway_ini gateway.interface=eth0
still_held "with the interface alone" "asks for a gateway, but neither address4"
(umask 077; printf '; all gone\n' >"$GATEWAY_INI")
still_held "with comments alone" "no gateway is configured, but something from an earlier configuration is left in place"
: >"$GATEWAY_INI"
still_held "with an empty file" "is empty, perhaps because the disk was full"
gateway_ini gateway.address4="$UPSTREAM4" clients.subnet4=10.77.0.0/24
still_held "with another pool" "is outside \[clients\] subnet4"
gateway_ini gateway.address4=direct gateway.address6=direct
syslog_clear
not_ok "with both families direct: bob is refused" client_connect client2 bob
ok "with both families direct: the log says what to do" wait_for 5 logged "a hook removes nothing: .*ocserv-gateway up"
is "$(server_state)" "$installed" "with both families direct: all is as before"

# Neither way out is open to her when the gateway's route goes, too.
gateway_ini
ip -n server route flush table 100
not_ok "without the route: alice has no internet" has_internet client1 4
syslog_clear
not_ok "without the route: bob is refused" client_connect client2 bob
not_ok "without the route: alice still has none" has_internet client1 4
ok "no packet of hers left another way" no_leak

gateway_ini gateway.address4="$UPSTREAM4"
syslog_clear
ok "the address is back: bob connects" client_connect client2 bob
ok "which repairs" wait_for 5 logged "connect .*user=bob .*routing=repaired"
is "$(exit_address client1 4) $(exit_address client2 4)" "$UPSTREAM_EXIT4 $UPSTREAM_EXIT4" "both leave via the upstream"
client_disconnect client1
client_disconnect client2

# In a container: VPN_GATEWAY= of a compose file without its .env.
ocserv_stop
rm "$GATEWAY_INI"
ok "ocserv starts with an empty VPN_GATEWAY" ocserv_start -u OCSERV_GATEWAY_CONFIG VPN_SUBNET="$CLIENTS4" VPN_GATEWAY=
syslog_clear
not_ok "alice is refused" client_connect client1 alice
ok "the log says why" wait_for 5 logged "environment: VPN_GATEWAY=: is empty, and no gateway is configured"
ocserv_stop
ok "what is left is removed" server_exec "$OGW_PROGRAM" down
ok "ocserv starts with the clients' subnet alone" ocserv_start -u OCSERV_GATEWAY_CONFIG VPN_SUBNET="$CLIENTS4"
syslog_clear
ok "alice connects, as to plain ocserv" client_connect client1 alice
ok "the log says so" wait_for 5 logged "connect .*user=alice .*routing=plain"
ok "nothing is installed" nothing_installed

done_testing

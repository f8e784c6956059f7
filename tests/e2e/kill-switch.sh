#!/bin/bash
# Somebody removes rules, routes or tables by hand: nothing leaks.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin

gateway_ini gateway.address4="$UPSTREAM4"

# stays_shut DESCRIPTION COMMAND [COMMAND]: the first command damages what is
# installed; alice has no way out, and nothing leaks. The second undoes what
# would keep anyone from connecting. The next to connect repairs the rest.
stays_shut() {
	must "captures run" leak_captures_start
	"$2"
	alice_pings >/dev/null &
	not_ok "$1: no way out" has_internet client1 4
	not_ok "nor by IPv6" has_internet client1 6
	wait $!
	ok "no packet left another way" no_leak
	"${3:-:}"
	repaired_by_bob
}

alice_pings() {
	reaches client1 "$INTERNET4"
	reaches client1 "$INTERNET6"
}

repaired_by_bob() {
	syslog_clear
	ok "bob connects" client_connect client2 bob
	ok "the log says that he found damage" \
		wait_for 5 logged "connect .*user=bob.*routing=(installed|repaired)"
	is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "alice has her way out"
	ok "all is complete" whole
	client_disconnect client2
}

no_default_route() {
	ip -n server route flush table 100
}

# rules_gone PRIORITY...: all of these, of both families
rules_gone() {
	local family priority
	for family in -4 -6; do
		for priority; do
			while ip -n server "$family" rule del priority "$priority"; do
				:
			done 2>/dev/null
		done
	done
}

no_policy_rule() {
	rules_gone 1000
}

no_rule_behind() {
	rules_gone 1001
}

no_rules() {
	rules_gone 999 1000 1001
}

no_guard() {
	server_exec nft delete table inet ocserv_gw
}

flushed() {
	server_exec nft flush ruleset
}

flushed_without_route() {
	flushed
	no_default_route
}

no_rules_no_route() {
	no_rules
	no_default_route
}

flushed_and_flapped() {
	flushed
	server_link down
	server_link up
}

flushed_and_down() {
	flushed
	server_link down
}

link_up() {
	server_link up
}

second_uplink_is_main() {
	no_rules
	ip -n server route add default via "$UPLINK2_4" metric 50
	ip -n server route add default via "$UPLINK2_6" metric 50
}

second_uplink_is_second() {
	ip -n server route del default metric 50
	ip -n server -6 route del default metric 50
}

another_router() {
	ip -n server route replace default via "$ROUTER4" dev eth0 table 100
}

ok "alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"

stays_shut "the default route is gone" no_default_route
stays_shut "the policy rule is gone" no_policy_rule
stays_shut "all rules are gone" no_rules
stays_shut "rules and route are gone" no_rules_no_route
stays_shut "rules are gone, the host's default route is by the second uplink" \
	second_uplink_is_main second_uplink_is_second
stays_shut "the route is by another router" another_router no_default_route
stays_shut "all tables are flushed" flushed
stays_shut "all tables are flushed, the route is gone" flushed_without_route
stays_shut "all tables are flushed, the link flaps" flushed_and_flapped
stays_shut "all tables are flushed, the link is down" flushed_and_down link_up

no_rule_behind
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" \
	"the rules behind the policy rule are gone: alice leaves via the upstream"
repaired_by_bob
no_guard
repaired_by_bob

ip -n client1 addr add "$FORGED4/32" dev tun0
ip -n client1 addr add "$FORGED6/128" dev tun0 nodad
forged="host $FORGED4 or host $FORGED6"
must "a capture runs" capture_start server eth0 "$forged"
must "another runs" capture_start server eth1 "$forged"
not_ok "from a forged source: no answer" \
	client_exec client1 ping -n -c 2 -i 0.2 -W 1 -I "$FORGED4" "$INTERNET4"
not_ok "nor by IPv6" \
	client_exec client1 ping -n -c 2 -i 0.2 -W 1 -I "$FORGED6" "$INTERNET6"
not_ok "nor from the gateway itself" \
	client_exec client1 ping -n -c 2 -i 0.2 -W 1 -I "$FORGED4" "$UPSTREAM4"
must "the capture ends" capture_stop server eth0
must "so does the other" capture_stop server eth1
is "$(capture_read server eth0; capture_read server eth1)" "" \
	"no packet left, not via the gateway either"

done_testing

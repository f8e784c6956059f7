#!/bin/bash
# The way out is a tunnel of this very host: real clients, by an interface without a next hop.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"


# A tunnel between server and upstream, which lets out what comes from this end's addresses and nothing else.
upstream_serves() {
	in_namespace upstream nft -f - <<-END
		table inet forward {
			chain forward {
				ip saddr $TUNNEL4 oifname "tun0" accept
				ip6 saddr $TUNNEL6 oifname "tun0" accept
			}
		}
	END
}

# By no Ethernet at all, not even to the upstream.
captures_start() {
	leak_captures_start && capture_start upstream eth0 "$CLIENT_PACKETS"
}

nothing_leaked() {
	capture_stop upstream eth0 && [ -z "$(capture_read upstream eth0)" ] && no_leak
}

gateway() {	# VERB...: sets $out and $status
	out=$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" "$@" 2>&1)
	status=$?
}

line() {	# LABEL
	sed -n "s/^$1  *//p" <<<"$out" | head -n 1
}

begin
must "there is a tunnel" tunnel_up upstream
must "the upstream lets out what comes by it" upstream_serves

gateway_ini gateway.address4=link gateway.address6=link gateway.interface=wg0 gateway.probe="$INTERNET4, $INTERNET6" \
	gateway.probe_http="http://$INTERNET4/"
gateway up
is "$(exit_address server 4)" "$ROUTER_EXIT4" "the server's own IPv4 leaves via its router"
must "captures run" captures_start
ok "a client connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "IPv4 leaves via the tunnel"
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "so does IPv6"
gateway status
is "$status $(line clients)" "0 reach the gateway" "status"
gateway test alice
is "$status" 0 "a test of hers"
like "$(line 'IPv4 world')" "^sees $UPSTREAM_EXIT4, in " "it sees the upstream's address"
namespace_sysctl server ipv4/conf/all/rp_filter=1 ipv4/conf/wg0/rp_filter=1
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "replies pass a strict rp_filter"
namespace_sysctl server ipv4/conf/all/rp_filter=0
ok "a second client connects" client_connect client2 bob
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "it leaves via the tunnel, too"
client_disconnect client2

tunnel_down
not_ok "the tunnel is gone: no way out" has_internet client1 4
not_ok "nor by IPv6" has_internet client1 6
is "$(connect_error client1 "$INTERNET4")" "No route to host" "the client is told at once"
syslog_clear
not_ok "nobody else connects" client_connect client2 bob
ok "the log says why" wait_for 5 logged "interface = wg0: there is no such interface, and clients leave only via it"
gateway status
is "$status $(line 'kill switch')" "1 complete" "the kill switch is complete"
server_exec ip rule del priority 1000
server_exec ip rule del priority 1001
server_exec ip rule del priority 1001
not_ok "without the policy rules, too: no way out" has_internet client1 4
must "there is a tunnel again, with another index" tunnel_up upstream
ok "the next client connects" client_connect client2 bob
ok "the log says that it repaired" wait_for 5 logged "connect .*user=bob.*routing=repaired"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "the first one has its way out again"
is "$(exit_address client1 6)" "$UPSTREAM_EXIT6" "by IPv6 as well"
server_exec nft flush ruleset
not_ok "the kill switch is flushed: the far end of the tunnel knows no client" has_internet client1 4
ok "nothing left another way" nothing_leaked
gateway up
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "up repairs it"
client_disconnect client1
client_disconnect client2

gateway_ini gateway.address4=link gateway.address6=block gateway.interface=wg0 killswitch.forward_others=no
must "captures run" captures_start
gateway up
ok "with IPv6 blocked: a client connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "IPv4 leaves via the tunnel"
not_ok "IPv6 does not" has_internet client1 6
server_exec ip -6 rule del priority 1001
server_exec ip -6 rule del priority 1001
server_exec ip -6 rule del priority 1001
server_exec ip -6 route replace default dev wg0 metric 1
not_ok "not even where all rules are gone and IPv6 leads there" has_internet client1 6
ok "nothing left another way" nothing_leaked
client_disconnect client1
done_testing

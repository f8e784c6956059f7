#!/bin/bash
# Several gateways of both kinds, and real clients: each leaves via its own, whatever becomes of the others.
#
#   default  172.28.0.2 on eth0   exit 203.0.113.2
#   nl       192.0.2.1 on eth1    exit 203.0.113.3
#   us       wg0, a tunnel        exit 203.0.113.4
#   direct   the host's own route exit 203.0.113.1
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

TUNNEL_EXIT4=203.0.113.4 TUNNEL_EXIT6=2001:db8:113::4

# What comes out of the tunnel has another address than what comes from eth1.
tunnel_exit() {
	ip -n uplink2 addr add "$TUNNEL_EXIT4/24" dev wan0 &&
		ip -n uplink2 addr add "$TUNNEL_EXIT6/64" dev wan0 nodad preferred_lft 0 &&
		in_namespace uplink2 nft -f - <<-END
			table inet tunnel {
				chain postrouting {
					type nat hook postrouting priority srcnat - 1
					ip saddr $TUNNEL4 oifname "wan0" snat ip to $TUNNEL_EXIT4
					ip6 saddr $TUNNEL6 oifname "wan0" snat ip6 to $TUNNEL_EXIT6
				}
			}
		END
}

users() {
	local user
	for user in carol dan eve tom; do
		ocserv_user "$user" || return
	done
	ocserv_user sue staff
}

# many [LINE...]: the configuration, with these lines of [users]
many() {
	(
		umask 077
		cat >"$GATEWAY_INI" <<-END
			[clients]
			subnet4 = $CLIENTS4
			subnet6 = $CLIENTS6
			[gateway]
			address4 = $UPSTREAM4
			address6 = $UPSTREAM6
			[gateway nl]
			address4 = $UPLINK2_4
			address6 = $UPLINK2_6
			[gateway us]
			address4 = link
			address6 = link
			interface = wg0
			[groups]
			staff = us
			[vhosts]
			nl.example.org = nl
			*.shut.example = block
			[users]
			$(printf '%s\n' "$@")
		END
	)
}

# By the server's router, where nobody is to leave who is not direct, and with clients' own addresses anywhere.
captures_start() {
	capture_start router wan0 "$CLIENT_PACKETS" &&
		capture_start server eth0 "net $CLIENTS4 or net $CLIENTS6" &&
		capture_start server eth1 "net $CLIENTS4 or net $CLIENTS6"
}

nothing_leaked() {
	local rest
	capture_stop router wan0 && capture_stop server eth0 && capture_stop server eth1 || return
	rest=$(capture_read router wan0; capture_read server eth0; capture_read server eth1)
	[ -z "$rest" ] && return
	echo "$rest"
	return 1
}

gateway() {	# VERB...: sets $out and $status
	out=$(server_exec "$OGW_PROGRAM" -c "$GATEWAY_INI" "$@" 2>&1)
	status=$?
}

exits() {	# CLIENT: its addresses in the world
	echo "$(exit_address "$1" 4) $(exit_address "$1" 6)"
}

USERS=("alice = nl" "bob = us" "dan = direct" "eve = block")
DEFAULT="$UPSTREAM_EXIT4 $UPSTREAM_EXIT6"
NL="$UPLINK2_EXIT4 $UPLINK2_EXIT6"
US="$TUNNEL_EXIT4 $TUNNEL_EXIT6"
DIRECT="$ROUTER_EXIT4 $ROUTER_EXIT6"

# each USER WANTED
each() {
	ok "$1 connects" client_connect client1 "$1"
	is "$(exits client1)" "$2" "$1 leaves via his gateway"
	client_disconnect client1
}

of_vhost() {	# VHOST USER EXITS WHOSE: the name that the client asks for says which it is
	ok "$2 connects to $1" eval "VPN_HOST=$1 client_connect client1 $2 --resolve $1:$SERVER4"
	is "$(exits client1 2>/dev/null)" "$3" "$2 of $1 leaves via $4"
	client_disconnect client1
}

begin
must "there are users" users
must "there is a tunnel" tunnel_up uplink2
must "with an exit of its own" tunnel_exit
many "${USERS[@]}"
gateway up
is "$status" 0 "up"

each alice "$NL"
each bob "$US"
each carol "$DEFAULT"
each dan "$DIRECT"
ok "sue connects, of the group staff" client_connect client1 sue
is "$(exits client1)" "$US" "sue leaves via her group's gateway"
client_disconnect client1
ok "eve connects" client_connect client1 eve
not_ok "eve, blocked, has no internet" has_internet client1 4
not_ok "nor by IPv6" has_internet client1 6
is "$(connect_error client1 "$INTERNET4")" "No route to host" "she is told at once"
ok "she reaches the server" pings client1 "$SERVER_VPN4"
ok "alice connects beside her" client_connect client2 alice
ok "they reach each other" pings client1 "$(client_address client2 4)"
ok "in both directions" pings client2 "$(client_address client1 6)"
client_disconnect client1

for mode in 1 2; do
	namespace_sysctl server ipv4/conf/all/rp_filter=0 "ipv4/conf/eth0/rp_filter=$mode" "ipv4/conf/eth1/rp_filter=$mode" \
		"ipv4/conf/wg0/rp_filter=$mode" ipv4/conf/eth{0,1}/src_valid_mark=0 ipv4/conf/wg0/src_valid_mark=0
	not_ok "rp_filter $mode drops replies" has_internet client2 4
	gateway up
	like "$out" "src_valid_mark is not 1" "rp_filter $mode: up says what it mends"
	is "$(exits client2)" "$NL" "rp_filter $mode: replies by a next hop come back"
	each bob "$US"
	each dan "$DIRECT"
done

# The same ICMP flow goes on, since the kernel tells them by their number.
flow_goes_on() {
	client_exec client2 ping -q -e 4242 -c 1 -W 2 "$INTERNET4"
}

namespace_sysctl server ipv4/conf/eth{0,1}/rp_filter=1
ok "alice has a flow" flow_goes_on
sed -i "s/^\[gateway nl\]/[gateway first]\naddress4 = $UPSTREAM4\n&/" "$GATEWAY_INI"
gateway up
is "$status" 0 "another gateway comes in front of hers, which gets another mark"
ok "her flow goes on, with the new mark" flow_goes_on
namespace_sysctl server ipv4/conf/eth{0,1}/rp_filter=0 ipv4/conf/wg0/rp_filter=0

client_disconnect client2
for name in nl.example.org vpn.shut.example; do
	printf '%s\n' "[vhost:$name]" "auth = plain[passwd=/etc/ocserv/passwd]" "server-cert = /etc/ocserv/cert.pem" \
		"server-key = /etc/ocserv/key.pem" "device = vpns" "ipv4-network = $CLIENTS4" "ipv6-network = $CLIENTS6" "route = default"
done >>"$OCSERV_CONF"
ocserv_stop
must "ocserv has virtual hosts" ocserv_start
of_vhost nl.example.org tom "$NL" "the virtual host's"
of_vhost nl.example.org sue "$US" "her group's"
of_vhost nl.example.org dan "$DIRECT" "his own"
of_vhost vpn.shut.example sue "$US" "her group's"
of_vhost vpn.shut.example alice "$NL" "her own"
of_vhost vpn.shut.example tom " " "none, since the virtual host is blocked"
of_vhost "$SERVER4" tom "$DEFAULT" "the default gateway, as by the server's address there is none"
must "alice is there" client_connect client2 alice
must "captures run" captures_start
ok "bob connects" client_connect client1 bob
many "alice = us" "bob = nl"
gateway up
is "$status" 0 "a map edited under live sessions: up"
like "$out" "moved user=alice .* from=nl to=us" "it says who moved"
is "$(exits client2)" "$US" "alice has moved"
is "$(exits client1)" "$NL" "so has bob"
many "${USERS[@]}" "zoe = nowhere"
gateway up
is "$status" 78 "a wrong line"
is "$(exits client2) $(exits client1)" "$US $NL" "changes nothing"
many "${USERS[@]}"
gateway up
is "$(exits client2) $(exits client1)" "$NL $US" "and back"

client_reconnect client1
is "$(exits client1)" "$US" "after a reconnect bob leaves via his"
server_exec nft flush ruleset
not_ok "the table is flushed: no way out" has_internet client1 4
ok "carol connects" eval 'client_disconnect client2; client_connect client2 carol'
is "$(exits client1) $(exits client2)" "$US $DEFAULT" "each has his own again"

tunnel_down
not_ok "the tunnel is gone: bob has no internet" has_internet client1 4
is "$(exits client2)" "$DEFAULT" "carol has"
client_disconnect client2
ok "alice connects: her gateway is there" client_connect client2 alice
is "$(exits client2)" "$NL" "she leaves via it"
client_disconnect client1
syslog_clear
not_ok "bob does not" client_connect client1 bob
ok "the log says why" wait_for 5 logged "gateway us\\] interface = wg0: there is no such interface"
must "there is a tunnel again" tunnel_up uplink2
ok "bob connects again" client_connect client1 bob
is "$(exits client1)" "$US" "and leaves via it"

ok "nobody left another way" nothing_leaked
client_disconnect client1
client_disconnect client2
done_testing

#!/bin/bash
# A DNS server on the server itself asks via the main route: it is warned of, and closed with dns = block.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"
. "$lib/questions.sh"

# each_question REGEX WORDS: what every way to ask this server gets
each_question() {
	local protocol address port
	for protocol in udp tcp; do
		for port in 53 853; do
			for address in "${addresses[@]}"; do
				like "$(ask "$protocol" "$address" "$port")" "$1" "$2: $protocol $address port $port"
			done
		done
	done
}

# checks STATUS [REGEX]: what `check` says of ocserv.conf
checks() {
	local said result
	said=$(server_exec "$OGW_PROGRAM" check 2>&1 >/dev/null)
	result=$?
	said=$(awk '/^[^ ]/ { note = /^note: / } !note' <<<"$said")
	is "$result" "$1" "check: status $1"
	if [ -n "${2:-}" ]; then
		like "$said" "$2" "check: says it"
	else
		is "$said" "" "check: has nothing to say"
	fi
}

begin dns="$SERVER_VPN4"
resolver 53 &
resolver 853 &
must "a resolver listens" wait_for 10 in_namespace server bash -c ': </dev/tcp/127.0.0.1/853'
must "on both ports" wait_for 10 in_namespace server bash -c ': </dev/tcp/127.0.0.1/53'

gateway_ini gateway.address4="$UPSTREAM4"
ok "clients get a resolver that is the server: alice connects" client_connect client1 alice
ok "the log warns of it" wait_for 5 logged "warning: the DNS server $SERVER_VPN4 that clients get is this host"
each_question '^answer$' "it answers"
checks 1 "warning: /etc/ocserv/ocserv.conf:[0-9]+: dns = $SERVER_VPN4: is this host"
client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4" killswitch.dns=any
syslog_clear
checks 0
ok "dns = any: alice connects" client_connect client1 alice
ok "the log has her" wait_for 5 logged "connect .*user=alice"
is "$(logged "warning")" "" "and no warning"
client_disconnect client1

gateway_ini gateway.address4="$UPSTREAM4" killswitch.dns=block
syslog_clear
checks 78 "error: /etc/ocserv/ocserv.conf:[0-9]+: dns = $SERVER_VPN4: is this host.*can't resolve names"
ok "dns = block: alice connects" client_connect client1 alice
each_question '^refused' "it can't be asked"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"
is "$(in_namespace server bash -c "head -n 1 </dev/tcp/127.0.0.1/53")" answer \
	"the server itself can ask"
client_disconnect client1

# What is private and on this host's networks is hardly beyond the gateway; what only a default route leads to may be.
notes() {	# ADDRESS
	ocserv_conf dns="$1"
	server_exec "$OGW_PROGRAM" check 2>&1 | as_logged | sed -n 's/^ocserv-gateway: note: .*: dns = //p'
}

gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6"
for address in "$ROUTER4" "$ROUTER6"; do
	like "$(notes "$address")" "^$address: is in the private network [^ ]*, to which this host has a route via eth0, but clients \
ask it via the gateway [^ ]*: unless" "check notes a private resolver on this host's network: $address"
done
ip -n server route add 192.168.7.0/24 via "$UPLINK2_4"
like "$(notes 192.168.7.53)" "^192.168.7.53: is in the private network 192.168.7.0/24, to which this host has a route via eth1" \
	"and one behind a router"
for address in "$UPSTREAM4" 10.99.0.53 fd99::53 "${CLIENTS4%0/24}77" 9.9.9.9 "$UPLINK2_4"; do
	is "$(notes "$address")" "" "none of $address"
done

done_testing

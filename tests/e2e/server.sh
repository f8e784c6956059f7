#!/bin/bash
# What clients reach on the server itself: any, services, none. It is the server's own business whom it asks.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"
. "$lib/questions.sh"

# answered PROTOCOL PORT: at each address of the server
answered() {
	local address
	for address in "${addresses[@]}"; do
		is "$(ask "$1" "$address" "$2")" answer "$mode: $1 port $2 at $address answers"
	done
}

silent() {	# PROTOCOL PORT
	is "$(ask "$1" "$SERVER_VPN4" "$2")" silence "$mode: $1 port $2 does not answer"
}

heard_of_client() {
	[ "$(in_namespace server bash -c "head -n 1 </dev/tcp/$(client_address client1 4)/7777" 2>/dev/null)" = hello ]
}

# An answer of the client's is no question of its.
asks_client() {
	client_exec client1 python3 - "$(client_address client1 4)" <<-'END' &
		import socket, sys
		s = socket.create_server((sys.argv[1], 7777))
		s.accept()[0].sendall(b"hello\n")
	END
	ok "$mode: the server reaches a program of the client's" wait_for 10 heard_of_client
}

always() {
	local address
	for address in "${addresses[@]}"; do
		ok "$mode: $address answers echo" pings client1 "$address"
	done
	is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "$mode: the client leaves via the upstream"
	asks_client
}

connected() {	# MODE KEY=VALUE...
	mode=$1
	shift
	gateway_ini gateway.address4="$UPSTREAM4" gateway.address6="$UPSTREAM6" "$@"
	ok "$mode: alice connects" client_connect client1 alice
}

begin
for port in 53 4000 5353; do
	resolver "$port" &
	must "a program listens on port $port" wait_for 10 in_namespace server bash -c ": </dev/tcp/127.0.0.1/$port"
done

connected "server = any"
always
for port in 53 4000 5353; do
	answered tcp "$port"
	answered udp "$port"
done
client_disconnect client1

connected "server = services" killswitch.server=services killswitch.services_ports="tcp 4000, udp 5353"
always
answered tcp 53
answered udp 53
answered tcp 4000
answered udp 5353
silent udp 4000
silent tcp 5353
client_disconnect client1

connected "server = none" killswitch.server=none
always
silent tcp 53
silent udp 53
silent tcp 4000
client_disconnect client1

done_testing

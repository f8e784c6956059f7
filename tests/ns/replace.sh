#!/bin/bash
# While the nft table is replaced, by nft or by a repair, it alone stops what it has to stop: no packet finds a table that is
# not complete.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# flood SOURCE DESTINATION: UDP to port 9 until it is ended, as fast as it can
flood() {
	exec python3 - "$@" <<-'END'
		import socket, sys
		source, destination = sys.argv[1:]
		sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		sender.bind((source, 0))
		print("begun", flush=True)
		while True:
		    try:
		        sender.sendto(b"x", (destination, 9))
		    except OSError:
		        pass
	END
}

# left: how many of these have left via eth0, but not to the gateway, of which a table of the test counts each
left() {
	nft list chain inet watch leaves | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'
}

any_left() {
	[ "$(left)" -gt 0 ]
}

replaced_by_nft() {
	nft -f "$OGW_WORK/reload"
}

replaced_by_repair() {
	nft flush chain inet ocserv_gw from_client && program up && without_routing
}

without_routing() {
	local family priority
	for family in -4 -6; do
		for priority in 999 1000 1001 1001; do
			ip "$family" rule del priority "$priority"
		done
	done
}

# begin_flood SOURCE DESTINATION: the kill switch alone is left
begin_flood() {
	ini clients.flows=no
	must "up" program up
	must "the policy rules are gone" without_routing
	{ echo "delete table inet ocserv_gw"; nft -s list table inet ocserv_gw; } >"$OGW_WORK/reload"
	must "what leaves is counted" nft "add table inet watch; add chain inet watch leaves { type filter hook postrouting priority 300; }
		add rule inet watch leaves oifname eth0 udp dport 9 rt ip nexthop != 172.28.0.2 counter"
	flood "$@" >"$OGW_WORK/flood" &
	flooder=$!
	must "packets are sent" wait_for 10 grep -q begun "$OGW_WORK/flood"
}

end_flood() {
	kill "$flooder"
	wait "$flooder" 2>/dev/null
	nft delete table inet watch
	program down >/dev/null
}

# test_replacements NAME SOURCE DESTINATION
test_replacements() {
	local how i
	begin_flood "$2" "$3"
	for how in replaced_by_nft replaced_by_repair; do
		for ((i = 0; i < 60; i++)); do
			"$how" >/dev/null 2>&1 || break
		done
		is "$i" 60 "$1: 60 times $how"
		is "$(left)" 0 "$1: nothing has left"
	done
	nft delete table inet ocserv_gw
	ok "$1: control: without the table it leaves" wait_for 10 any_left
	end_flood
}

begin python3
must "there is a way to everywhere" ip route replace default via 172.28.0.1 dev eth0
ip neigh replace 172.28.0.1 lladdr 02:00:00:00:01:31 dev eth0 nud permanent
test_replacements "the server's address in the VPN" 10.20.0.1 198.51.100.80
test_replacements "an address that no client has" 172.28.0.3 10.20.0.99
done_testing

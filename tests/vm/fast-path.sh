#!/bin/bash
# The fast path on a kernel that has it: what goes by it, and that nothing leaves by another way once something goes wrong.
# Run by tests/vm.sh. See fast_path.py.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

modules() {
	modprobe -a veth sch_netem nf_tables nft_ct nft_fib_inet nft_reject_inet nft_connlimit nft_chain_nat nft_masq nft_socket \
		nf_flow_table_inet nft_flow_offload nf_conntrack_netlink
}

# A client at the far end of its tunnel; the gateway, with what clients want behind it. What it sends takes 50 ms. Routers
# and the other gateway are known by their hardware addresses alone.
peers_up() {
	# shellcheck disable=SC2016
	ip netns add client && ip netns exec client "$OGW_FRESH_NETWORK" && ip -n outside link set vpns0 netns client &&
		ip netns exec outside sh -c 'for conf in default lo eth0; do echo 0 >/proc/sys/net/ipv6/conf/$conf/disable_ipv6; done' &&
		ip -n client -batch - <<-END && ip -n outside -batch - <<-END && ip -batch - <<-END &&
			link set vpns0 address 02:00:00:00:03:03 up
			addr add 10.20.0.50/32 dev vpns0
			addr add fd20::50/128 dev vpns0 nodad
			route add 10.20.0.1 dev vpns0
			route add default via 10.20.0.1 dev vpns0
			route add fd20::1 dev vpns0
			route add default via fd20::1 dev vpns0
			neigh replace 10.20.0.1 lladdr 02:00:00:00:00:03 dev vpns0
			neigh replace fd20::1 lladdr 02:00:00:00:00:03 dev vpns0
		END
			link set lo up
			link set eth0 address 02:00:00:00:01:01
			addr add 172.28.0.2/24 dev eth0
			addr add fd28::2/64 dev eth0 nodad
			addr add 198.51.100.80/32 dev lo
			addr add 2001:db8:100::80/128 dev lo nodad
			neigh replace 172.28.0.3 lladdr 02:00:00:00:00:01 dev eth0
			neigh replace fd28::3 lladdr 02:00:00:00:00:01 dev eth0
		END
			neigh replace 172.28.0.1 lladdr 02:00:00:00:01:09 dev eth0
			neigh replace fd28::1 lladdr 02:00:00:00:01:09 dev eth0
			neigh replace 172.28.0.2 lladdr 02:00:00:00:01:01 dev eth0
			neigh replace fd28::2 lladdr 02:00:00:00:01:01 dev eth0
			neigh replace 172.28.0.4 lladdr 02:00:00:00:01:04 dev eth0
			neigh replace 192.0.2.1 lladdr 02:00:00:00:01:09 dev eth1
			neigh replace 2001:db8:192::1 lladdr 02:00:00:00:01:09 dev eth1
			neigh replace 10.20.0.50 lladdr 02:00:00:00:03:03 dev vpns0
			neigh replace fd20::50 lladdr 02:00:00:00:03:03 dev vpns0
			route add default via 192.0.2.1 dev eth1 metric 500
			route add fd20::50 dev vpns0
			route add default via 2001:db8:192::1 dev eth1 metric 2000
		END
		tc -n outside qdisc add dev eth0 root netem delay 50ms
}

if ! modules || ! host_up || ! peers_up; then
	echo "Bail out! cannot set up the host"
	exit 1
fi
export OGW_PROGRAM PYTHONDONTWRITEBYTECODE=1
exec python3 "$lib/../vm/fast_path.py" "$INI"

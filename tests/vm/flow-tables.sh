#!/bin/bash
# Flow tables of others, by which packets bypass the kill switch's forward chain: what is said of them, what they do to a
# client's flow, and that what is advised mends it. On a kernel that has them: see tests/vm.sh.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
here=${0%/*}
lib=$here/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

BEYOND4=198.51.100.80 BEYOND6=2001:db8:100::80

modules() {
	modprobe -a veth nf_tables nft_ct nft_fib_inet nft_reject_inet nft_connlimit nft_chain_nat nft_masq nf_flow_table_inet \
		nft_flow_offload
}

# A client at the far end of its tunnel; the gateway, with what clients want behind it, and the router of the host's own route.
peers_up() {
	# shellcheck disable=SC2016
	client_end_up client vpns0 50 && ip netns exec outside sh -c 'for conf in default lo eth0; do echo 0 >/proc/sys/net/ipv6/conf/$conf/disable_ipv6; done' &&
		ip -n outside -batch - <<-END && ip -batch - <<-END
			link set lo up
			link set eth0 address 02:00:00:00:01:01
			addr add 172.28.0.2/24 dev eth0
			addr add fd28::2/64 dev eth0 nodad
			addr add $BEYOND4/32 dev lo
			addr add $BEYOND6/128 dev lo nodad
		END
			neigh replace 172.28.0.1 lladdr 02:00:00:00:01:09 dev eth0
			neigh replace fd28::1 lladdr 02:00:00:00:01:09 dev eth0
			neigh replace 172.28.0.2 lladdr 02:00:00:00:01:01 dev eth0
			neigh replace fd28::2 lladdr 02:00:00:00:01:01 dev eth0
		END
}

# fast DEVICES CONDITION: a firewall that adds flows
fast() {
	nft -f - <<-END
		table inet fast
		delete table inet fast
		table inet fast {
			flowtable ft { hook ingress priority 0; $1 }
			chain forward { type filter hook forward priority 0; $2 flow add @ft; }
		}
	END
}

# shellcheck disable=SC2016 # for a shell of its own
no_rules='for family in 4 6; do
	ip -$family rule show | sed -n "s/^\([0-9]*\):.*proto 111.*/rule del priority \1/p" | ip -$family -batch - || exit
done'

# flow 4|6: see there
flow() {
	python3 -B "$here/flow_tables.py" "$1" "$no_rules"
}

both='(eth0, vpns0|vpns0, eth0)'

# said DEVICES: the warning
said() {
	echo "the flow table ft of nft table .inet fast. has $1, and the nft chain .inet fast forward. adds clients' flows to it, by its rule \
with handle [0-9]+: .* put .iifname != \"vpns\*\" oifname != \"vpns\*\". in front of .flow add @ft. there; see nft -a list chain \
inet fast forward"
}

# goes_on 4|6 WHERE NAME: then the host has its rules again
goes_on() {
	is "$(flow "$1" 2>"$OGW_WORK/flow.err")" "$2" "IPv$1, $3: what the client sends without rules" || diag "$(<"$OGW_WORK/flow.err")"
	ok "the rules are back" program up
}

begin
must "the modules" modules
must "there are a client and a gateway" peers_up
ini gateway.address6=fd28::2
ok "up" program up
goes_on 4 kept "no flow table"

ok "a firewall with a flow table" fast 'devices = { eth0, vpns0 };' ''
hook connect
is "$status" 0 "connect"
like "$err" "$(said "the devices $both")" "warns"
for verb in up status check "explain 10.20.0.50 $BEYOND4"; do
	# shellcheck disable=SC2086 # words
	program $verb
	like "$out $err" "$(said "the devices $both")" "$verb warns"
done
goes_on 4 leaked "a flow table"
goes_on 6 leaked "a flow table"

ok "half of what is advised" fast 'devices = { eth0, vpns0 };' 'iifname != "vpns*"'
goes_on 4 leaked "half of it: the answer adds the flow"
program check
like "$err" "$(said "the devices $both")" "half of it: check warns still"

# shellcheck disable=SC2016 # the message's own marks
advice=$(sed -n 's/.*put `\(iifname.*\)` in front of.*/\1/p' <<<"$err")
ok "what is advised: $advice" fast 'devices = { eth0, vpns0 };' "$advice"
goes_on 4 kept "all of it"
goes_on 6 kept "all of it"
for verb in up status check "explain 10.20.0.50 $BEYOND4"; do
	# shellcheck disable=SC2086 # words
	program $verb
	unlike "$out $err" "flow table" "all of it: $verb has nothing to say"
done

ok "the gateway's interface alone" fast 'devices = { eth0 };' 'meta l4proto { tcp, udp } ct direction reply'
program check
like "$err" "$(said "the device eth0")" "check warns"
# A VLAN's packets are taken where they come in, too.
ok "the gateway is in a VLAN" eval "modprobe 8021q && ip link add link eth0 name eth0.7 type vlan id 7 && ip link set eth0.7 up &&
	ip addr add 172.29.0.3/24 dev eth0.7"
ini gateway.address4=172.29.0.2
ok "up" program up
like "$err" "$(said "the device eth0")" "warns of the device below it"
ini gateway.address6=fd28::2
ok "up" program up

ok "another's" fast 'devices = { eth1 };' ''
program check
unlike "$err" "flow table" "check has nothing to say of devices of others"
done_testing

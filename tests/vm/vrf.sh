#!/bin/bash
# A host with a VRF, which moves the rule for table local behind that of the VRFs, as the kernel's documentation says.
# On a kernel that has them: see tests/vm.sh.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

vrf_up() {
	modprobe -a vrf nf_tables nft_ct nft_fib_inet nft_reject_inet nft_connlimit nft_chain_nat nft_masq && ip -batch - <<-END && ip -6 -batch - <<-END
		link add blue type vrf table 300
		link set blue up
		link set eth1 vrf blue
		rule add priority 32765 lookup local
		rule del priority 0
	END
		rule add priority 32765 lookup local
		rule del priority 0
		addr add 2001:db8:192::2/64 dev eth1 nodad
	END
}

outside_up() {
	ip -n outside -batch - <<-END
		addr add 172.28.0.2/24 dev eth0
		addr add 192.0.2.1/24 dev eth1
	END
}

# reaches NAMESPACE-WORDS... : the far end of a link is answered by this host
answered() {
	ip netns exec outside ping -c 1 -W 5 "$1"
}

host_is_reached() {
	ok "$1: this host is reached" answered 172.28.0.3
	ok "$1: and in its VRF" answered 192.0.2.2
	ok "$1: and reaches its network" ping -c 1 -W 5 172.28.0.2
}

begin
must "the host has a VRF" vrf_up
must "there are others in its networks" outside_up
host_is_reached "before"
ini killswitch.forward_others=no
program up
is "$status" 78 "with forward_others = no, up is refused"
like "$err" "no IPv4 policy rule before priority 999 looks up table local.*ip -4 rule add priority 998 lookup local" \
	"since this host would lose its network; and says what helps"
host_is_reached "refused"
ok "what helps, for IPv4" ip -4 rule add priority 998 lookup local
ok "and for IPv6" ip -6 rule add priority 998 lookup local
ok "up" program up
unlike "$err" "table local|l3mdev" "has nothing to say of the rules"
host_is_reached "installed"
ok "status" program status
unlike "$out" "l3mdev" "does not take the rule of the VRFs for a way of clients"
done_testing

#!/bin/bash
# The table of all flows fills up. Its size belongs to the whole machine, so that this runs in a virtual one.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
if [ -z "${OGW_SANDBOX:-}" ]; then
	modprobe nf_conntrack && echo 1000 >/proc/sys/net/netfilter/nf_conntrack_max || exit
fi
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# flows FROM TO: so many more of this host
flows() {
	local port
	for ((port = $1; port <= $2; port++)); do
		echo "-I -p udp -s 192.0.2.2 -d 192.0.2.1 --sport $port --dport 53 -t 600"
	done | conntrack -R - >/dev/null
}

says_full() {
	program "$1"
	[[ $out$err == *"the kernel tracks"* ]]
}

begin conntrack
modprobe -a nf_tables nft_ct nft_fib_inet nft_reject_inet nft_connlimit nft_chain_nat nft_masq
ini clients.flows=500
ok "up" program up
ok "700 flows of 1,000" flows 1001 1700
for verb in up check status; do
	not_ok "$verb has nothing to say of them" says_full "$verb"
done
ok "850 flows" flows 1701 1850
for verb in up check status; do
	ok "$verb warns" says_full "$verb"
	like "$out$err" "tracks 8[5-9][0-9] of at most 1000 flows" "with how many there are"
done
ok "the flows end" conntrack -F
not_ok "check has nothing to say any more" says_full check
done_testing

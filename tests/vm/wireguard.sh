#!/bin/bash
# The way out is WireGuard on this very host, brought up by wg-quick with the lines of README.md: of all clients, and then of
# one of two. On a kernel that has it: see tests/vm.sh.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/readme.sh"

BEYOND4=198.51.100.80 BEYOND6=2001:db8:100::80

modules() {
	modprobe -a wireguard veth nf_tables nft_ct nft_fib_inet nft_reject_inet nft_connlimit nft_chain_nat nft_masq
}

# A client, and the peer beyond eth0, with what clients want behind it.
peers_up() {
	# shellcheck disable=SC2016
	client_end_up client vpns0 50 &&
		ip netns exec outside sh -c 'for conf in default lo; do echo 0 >/proc/sys/net/ipv6/conf/$conf/disable_ipv6; done' &&
		ip -n outside -batch - <<-END
			link set lo up
			addr add 172.28.0.2/24 dev eth0
			addr add $BEYOND4/32 dev lo
			addr add $BEYOND6/128 dev lo nodad
		END
}

wireguard_peer() {
	ip -n outside link add wg1 type wireguard &&
		ip netns exec outside wg set wg1 listen-port 51820 private-key <(echo "$their_key") \
			peer "$(wg pubkey <<<"$our_key")" allowed-ips 10.8.0.2/32,fd08::2/128 &&
		ip -n outside -batch - <<-END
			link set wg1 up
			route add 10.8.0.2/32 dev wg1
			route add fd08::2/128 dev wg1
		END
}

wireguard_conf() {
	cat >"$OGW_WORK/wg0.conf" <<-END
		[Interface]
		PrivateKey = $our_key
		Address = 10.8.0.2/32, fd08::2/128
		ListenPort = 7000
		$(readme_block wireguard | grep ^Table)
		[Peer]
		PublicKey = $(wg pubkey <<<"$their_key")
		Endpoint = 172.28.0.2:51820
		AllowedIPs = 0.0.0.0/0, ::/0
	END
	chmod 600 "$OGW_WORK/wg0.conf"
}

wg_quick() {
	wg-quick "$1" "$OGW_WORK/wg0.conf"
}

client_reaches() {
	reaches client "$@"
}

reaches() {	# CLIENT ADDRESS [SECONDS]
	ip netns exec "$1" ping -n -c 1 -W "${3:-20}" "$2"
}

# All that the host sends and gets by eth0 but WireGuard's own packets.
capture_begin() {
	ip netns exec outside tcpdump -i eth0 -n -l -U "not (udp port 51820) and (ip or ip6)" >"$OGW_WORK/frames" \
		2>"$OGW_WORK/tcpdump.err" &
	capturing=$!
	wait_for 20 grep -q listening "$OGW_WORK/tcpdump.err"
}

# What was sent before is in it once this is.
capture_end() {
	ping -n -c 1 -W 20 -p a5 172.28.0.2 >/dev/null
	wait_for 20 grep -q '172.28.0.2 > 172.28.0.3: ICMP echo reply' "$OGW_WORK/frames"
	kill "$capturing"
	wait "$capturing" 2>/dev/null
	frames=$(grep -Ev '172\.28\.0\.[23] > 172\.28\.0\.[23]: ICMP|ICMP6, (neighbor|router)|HBH ICMP6' "$OGW_WORK/frames")
}

begin wg wg-quick
must "the modules" modules
our_key=$(wg genkey) their_key=$(wg genkey)
must "there are a client and a peer" peers_up
must "the peer has WireGuard" wireguard_peer
wireguard_conf
must "wg-quick up" wg_quick up

# As README.md says, with IPv6 too.
{ readme_block ini | sed '/^\[gateway\]/,$d'; readme_block wireguard-ini; } | sed -e 's/^subnet4.*/&\nsubnet6 = fd20::\/64/' -e 's/^address4.*/&\naddress6 = link/' \
	-e "s/^probe.*/probe = $BEYOND4/" | install -m 600 /dev/stdin "$INI"
ok "up" program up
is "$out $err" "installed " "with nothing to warn of"
capture_begin
ok "IPv4 of a client is answered" client_reaches $BEYOND4
ok "so is IPv6" client_reaches $BEYOND6
is "$(nft list chain inet ocserv_gw from_client | grep -c 'counter packets [1-9].* via the interface wg0')" 2 "both by wg0"
ok "strict rp_filter" eval "echo 1 >/proc/sys/net/ipv4/conf/wg0/rp_filter"
ok "lets replies pass" client_reaches $BEYOND4
hook connect
is "$status $(field routing)" "0 intact" "a connect finds all intact"
ok "status" program status
like "$out" "IPv4 +interface wg0 is up" "which takes WireGuard's unknown state for up"
ok "test" program test
ok "check" program check
program explain 10.20.0.50 $BEYOND4
is "$status $(tail -n 1 <<<"$out")" "0 leaves via the interface wg0, with this host's address on wg0" "explain"

ok "ip link del wg0" ip link del wg0
not_ok "nothing of a client gets out" client_reaches $BEYOND4 2
not_ok "nor by IPv6" client_reaches $BEYOND6 2
hook connect
is "$status" 78 "the next connect is refused"
like "$err" "interface = wg0: there is no such interface, and clients leave only via it.*wg-quick up wg0" "and says so"
ok "wg-quick up again" wg_quick up
not_ok "which makes another interface: still nothing" client_reaches $BEYOND4 2
hook connect
is "$status $(field routing)" "0 repaired" "the next connect repairs it"
ok "IPv4 is answered again" client_reaches $BEYOND4
ok "and IPv6" client_reaches $BEYOND6
ok "wg-quick down" wg_quick down
post_up=$(readme_block wireguard | sed -n "s|^PostUp = ocserv-gateway|PostUp = env -i PATH=$PATH OCSERV_GATEWAY_CONFIG=$INI $OGW_PROGRAM|p")
sed -i "/^Table/a$post_up" "$OGW_WORK/wg0.conf"
ok "with PostUp = ocserv-gateway up: wg-quick up" wg_quick up
ok "a client goes on at once, without a connect" client_reaches $BEYOND4
ok "by IPv6, too" client_reaches $BEYOND6
capture_end
is "$frames" "" "by eth0 there was nothing but WireGuard"

# Of two clients one leaves via wg0, the other via a next hop on eth1. The host's own router is on eth0, and answers too.
several_up() {
	client_end_up client2 vpns1 51 && ip -n outside -batch - <<-END && ip netns exec outside nft -f - <<-END
		addr add 172.28.0.1/24 dev eth0
		addr add 192.0.2.1/24 dev eth1
	END
		table inet seen {
			set ways { typeof iifname . ip saddr; flags dynamic; size 64; }
			set ways6 { typeof iifname . ip6 saddr; flags dynamic; size 64; }
			chain input {
				type filter hook input priority 0
				ip daddr $BEYOND4 add @ways { iifname . ip saddr }
				ip6 daddr $BEYOND6 add @ways6 { iifname . ip6 saddr }
			}
		}
	END
}

several_ini() {
	install -m 600 /dev/stdin "$INI" <<-END
		[clients]
		subnet4 = 10.20.0.0/24
		subnet6 = fd20::/64
		[gateway]
		address4 = 192.0.2.1
		[gateway us]
		address4 = link
		address6 = link
		interface = wg0
		[users]
		bob = us
	END
}

# ways: by which the other side has been reached, and from whom, since it was asked last
ways() {
	ip netns exec outside nft list table inet seen | sed -n 's/[",]//g; s/ \. / /g; s/.*elements = { \(.*\) }/\1/p' | xargs
	ip netns exec outside nft 'flush set inet seen ways; flush set inet seen ways6'
}

each_has_his_own() {	# WHEN
	ok "$1: alice is answered" client_reaches $BEYOND4
	is "$(ways)" "eth1 192.0.2.2" "$1: via her next hop"
	ok "$1: bob is answered" reaches client2 $BEYOND4
	is "$(ways)" "wg1 10.8.0.2" "$1: via his tunnel"
	ok "$1: by IPv6, too" reaches client2 $BEYOND6
	is "$(ways)" "wg1 fd08::2" "$1: via his tunnel"
}

bob_has_none() {	# WHEN
	not_ok "$1: bob has no way out" reaches client2 $BEYOND4 2
	not_ok "$1: nor by IPv6" reaches client2 $BEYOND6 2
	is "$(ways)" "" "$1: nothing of his gets out"
}

rp_filter() {	# MODE
	local conf
	for conf in default eth0 eth1 wg0; do
		echo "$1" >"/proc/sys/net/ipv4/conf/$conf/rp_filter" || return
	done
}

ALICE=(USERNAME=alice) BOB=(USERNAME=bob DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51)
must "there are two clients" several_up
program down
several_ini
start A B
must "strict rp_filter" rp_filter 1
ok "alice connects" connect A "${ALICE[@]}"
ok "bob connects" connect B "${BOB[@]}"
each_has_his_own "rp_filter 1"
must "loose rp_filter" rp_filter 2
each_has_his_own "rp_filter 2"
ok "ip link set wg0 down" ip link set wg0 down
bob_has_none "wg0 is down"
ok "alice has hers" client_reaches $BEYOND4
is "$(ways)" "eth1 192.0.2.2" "via her next hop"
ok "wg-quick down" wg_quick down
bob_has_none "wg0 is gone"
ok "wg-quick up" wg_quick up
each_has_his_own "wg0 is another one"
ok "nft flush ruleset" nft flush ruleset
not_ok "nobody has a way out" client_reaches $BEYOND4 2
bob_has_none "flushed"
ok "alice connects again" connect A "${ALICE[@]}"
each_has_his_own "restored"
done_testing

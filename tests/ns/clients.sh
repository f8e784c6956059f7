#!/bin/bash
# What status says that clients have: the line, the exit status, JSON and metrics; and gateways whom nobody can ask.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

line() {	# LABEL: the line of status with it
	sed -n "s/^$1  *//p" <<<"$out" | head -n 1
}

# have WANTED STATUS DESCRIPTION: what clients have now, and the exit status
have() {
	program status
	is "$status $(line clients)" "$2 $1" "$3"
}

# have_json WANTED DESCRIPTION: of both families
have_json() {
	program status --json
	is "$(jq -c '[.clients.ipv4.have, .clients.ipv6.have]' <<<"$out")" "$1" "$2: JSON"
	program status --format=prometheus
	is "[$(sed -n 's/^ocserv_gateway_clients{family="ipv.",have="\(.*\)"} 1$/"\1"/p' <<<"$out" | paste -sd ,)]" "$1" \
		"$2: metrics"
}

start() {	# [SECTION.KEY=VALUE...]: alice is connected, all is well
	clear_state >/dev/null
	rm -rf "$STATE_DIR"
	gateways_known
	ini "$@"
	hook connect
}

REACH='reach the gateway'
NOTHING='have NO internet: '
SAFE='; nothing leaks'
UP='run ocserv-gateway up'

test_gateway() {
	start
	have "$REACH" 0 "all is well"
	have_json '["gateway","blocked"]' "all is well"
	is "$(sed -n 1p <<<"$(program status; echo "$out")")" "clients      $REACH" "the line is the first"
	hook disconnect
	have "nobody is connected; they would $REACH" 0 "nobody is connected"
	hook connect
	ip neigh del 172.28.0.2 dev eth0
	have "${NOTHING}the gateway 172.28.0.2 does not answer$SAFE" 1 "the gateway is silent"
	is "$(line state)" installed "what is installed is as it should be"
	have_json '["nothing","blocked"]' "the gateway is silent"
	program status --json
	is "$(jq -r '.clients | .text, .connected, .ipv4.why' <<<"$out" | paste -sd '|')" \
		"${NOTHING}the gateway 172.28.0.2 does not answer$SAFE|true|the gateway 172.28.0.2 does not answer" "JSON says why"
	hook disconnect
	have "nobody is connected; they would ${NOTHING}the gateway 172.28.0.2 does not answer" 1 "nobody is there to see it"
	start
	ip link set eth0 down
	have "${NOTHING}there is no route to the gateway 172.28.0.2$SAFE" 1 "its interface is down"
	hook disconnect
	have "nobody is connected; they would ${NOTHING}there is no route to the gateway 172.28.0.2" 1 "and nobody is connected"
	ip link set eth0 up
	ip addr add fd28::3/64 dev eth0 nodad
	ip addr add fe80::3/64 dev eth0 nodad
	ip route add default via 172.28.0.1
	ip route add default via fd28::1
	ok "it is up again" wait_for 10 carriers_seen
}

# setting PATH=VALUE...: below /proc/sys/net
setting() {
	local each
	for each; do
		echo "${each#*=}" >"/proc/sys/net/${each%%=*}"
	done
}

test_forwarding() {
	start gateway.address6=fd28::2
	have "$REACH" 0 "both families"
	have_json '["gateway","gateway"]' "both families"
	setting ipv4/ip_forward=0
	have "IPv4: ${NOTHING}IPv4 forwarding is off: sysctl -w net.ipv4.ip_forward=1$SAFE; IPv6: $REACH" 1 "IPv4 forwarding is off"
	have_json '["nothing","gateway"]' "IPv4 forwarding is off"
	setting ipv4/ip_forward=1 ipv6/conf/all/forwarding=0
	have "IPv4: $REACH; IPv6: ${NOTHING}IPv6 forwarding is off: sysctl -w net.ipv6.conf.all.forwarding=1$SAFE" 1 \
		"IPv6 forwarding is off"
	setting ipv6/conf/all/forwarding=1 ipv4/conf/vpns0/forwarding=0
	ip route add default via fd28::1 2>/dev/null
	have "IPv4: ${NOTHING}IPv4 forwarding is off on vpns0: sysctl -w net.ipv4.conf.vpns0.forwarding=1$SAFE; IPv6: $REACH" 1 \
		"off on the tunnel alone"
	setting ipv4/conf/vpns0/forwarding=1 ipv4/conf/eth0/forwarding=0
	have "IPv4: ${NOTHING}IPv4 forwarding is off on eth0: sysctl -w net.ipv4.conf.eth0.forwarding=1$SAFE; IPv6: $REACH" 1 \
		"off for the answers alone"
	hook disconnect
	have "nobody is connected; with IPv4 they would ${NOTHING}IPv4 forwarding is off on eth0: sysctl -w \
net.ipv4.conf.eth0.forwarding=1; with IPv6 they would $REACH" 1 "nobody is connected, and it is told all the same"
	setting ipv4/conf/eth0/forwarding=1
}

test_foreign_chains() {
	start gateway.address6=fd28::2
	hook disconnect
	hook connect IPV6_REMOTE=
	have "$REACH" 0 "a session without IPv6"
	start
	nft 'add table inet other; add chain inet other forward { type filter hook forward priority 0; policy drop; }'
	program status
	like "$status $(line clients)" "^1 ${NOTHING}the nft chain .inet other forward. drops what clients send, by its policy" \
		"a foreign chain drops all"
	nft 'add rule inet other forward iifname "vpns*" accept'
	program status
	like "$status $(line clients)" "^1 ${NOTHING}the nft chain .inet other forward. drops the answers to clients" \
		"a foreign chain drops the answers"
	nft 'add rule inet other forward oifname "vpns*" accept'
	have "$REACH" 0 "it lets them through"
}

test_layers() {
	start
	ip rule del priority 1000
	have "${NOTHING}policy rules and route are not complete: $UP$SAFE" 1 "rule 1000 is missing"
	program up
	ip rule flush protocol 111
	ip -6 rule flush protocol 111
	have "${NOTHING}routing leads to eth0, where the kill switch drops them: $UP$SAFE" 1 "routing is gone, the kill switch is complete"
	have_json '["nothing","blocked"]' "routing is gone"
	nft add rule inet ocserv_gw forward counter
	ip route replace default via 192.0.2.1
	have "${NOTHING}routing leads to eth1, where what is left of the kill switch drops them: $UP$SAFE" 1 \
		"what is left of the kill switch drops them"
	nft flush ruleset
	have "IPv4: LEAK via eth1: $UP; IPv6: LEAK via eth0: $UP" 1 "both are gone"
	is "$(head -c 7 <<<"$out")" clients "which is the first line"
	have_json '["leak","leak"]' "both are gone"
	setting ipv6/conf/all/forwarding=0
	have "LEAK via eth1: $UP" 1 "IPv6 is not forwarded, and does not leak"
	setting ipv6/conf/all/forwarding=1
	ip -6 route replace default via fd28::1
	ip route replace default via 172.28.0.1
	start
	nft flush ruleset
	have "${NOTHING}the kill switch is missing, which gives them this host's address: $UP$SAFE" 1 "nft is flushed"
	start gateway.masquerade=no
	nft flush ruleset
	have "$REACH" 1 "they do not need it, but it is missing"
	start
	ip addr del 10.20.0.1 peer 10.20.0.50/32 dev vpns0
	ip addr del fd20::1/128 dev vpns0
	renamed vpns0 gone
	have "$REACH" 0 "a session whose tunnel is gone sends nothing"
	renamed gone vpns0
	ip addr replace 10.20.0.1 peer 10.20.0.50/32 dev vpns0
	ip addr replace fd20::1/128 dev vpns0 nodad
}

test_down() {
	start
	program down
	have "LEAK via eth0: $UP" 1 "after down"
	is "$(sed -n '1s/ .*//p; 2s/  */ /p' <<<"$out" | paste -sd ' ')" "clients state absent" "that comes first"
	nft 'add table inet other; add chain inet other forward { type filter hook forward priority 0; policy drop; }'
	program status
	like "$status $(head -n 1 <<<"$out")" "^1 clients +${NOTHING}the nft chain .inet other forward. drops" \
		"or they are dropped: that comes first, too"
	nft flush ruleset
	ip route replace prohibit default metric 1
	ip -6 route replace prohibit default metric 1
	ip route del default via 172.28.0.1
	ip -6 route del default via fd28::1
	program status
	like "$status $(line clients)" "^1 ${NOTHING}policy rules and route are not complete: $UP" "there is no way out"
	ip route del prohibit default metric 1
	ip -6 route del prohibit default metric 1
	ip route add default via 172.28.0.1
	ip -6 route add default via fd28::1
	hook disconnect
	have "nobody is connected; they would $REACH" 1 "absent, and nobody is connected"
	ini session.remove_after_last=yes
	have "nobody is connected; they would $REACH" 0 "which is right where the last session removes all"
}

# As with a state directory that was lost.
test_doubt() {
	start
	rm -rf "$STATE_DIR"
	program up
	program down
	mkdir -p "$STATE_DIR/sessions"
	chmod -R 700 "$STATE_DIR"
	ln -sf yes "$STATE_DIR/doubt"
	program status
	like "$status $(line clients)" "^1 .*LEAK via eth0: $UP" "a tunnel without a record counts where there may be such sessions"
}

test_other_modes() {
	start gateway.address4=block gateway.address6=fd28::2
	have "$REACH" 0 "IPv4 is blocked"
	have_json '["blocked","gateway"]' "IPv4 is blocked"
	start gateway.address4=block gateway.address6=block
	have "have no internet: blocked" 0 "all is blocked"
	start gateway.address6=direct clients.subnet6=
	have "IPv4: $REACH; IPv6: leave via this host's own route" 0 "IPv6 is direct"
	have_json '["gateway","direct"]' "IPv6 is direct"
	start
	program down
	echo '; nothing' >"$INI"
	have "leave via this host's own route" 0 "plain"
	have_json '["direct","direct"]' "plain"
	start log.dry_run=yes
	have "nobody is connected; they would LEAK via this host's own route: [log] dry_run = yes, so that hooks install nothing" 1 \
		"hooks only log"
	ini
	hook connect
	program down
	ini log.dry_run=yes
	program status
	like "$(line clients)" "LEAK via eth0: \[log\] dry_run = yes, so that hooks install nothing" "and somebody is connected"
	program up
	have "$REACH" 0 "but up has installed all"
}

test_unknown() {
	start
	captured env "${ENVIRONMENT[@]}" strace -o /dev/null -e inject=sendto:error=ENOBUFS:when=3 "$OGW_PROGRAM" status
	is "$status $(line clients)" "1 have an unknown state: see the problems" "the kernel does not tell"
}

# tun_up NAME ADDRESS...: a point-to-point interface, as OpenVPN's, that a process carries
tun_up() {
	local address
	python3 - "$1" <<-'END' &
		import fcntl, signal, struct, sys
		tun = open("/dev/net/tun", "r+b", buffering=0)
		fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", sys.argv[1].encode(), 0x1001))
		signal.pause()
	END
	carrier=$!
	wait_for 10 ip link show "$1" || return
	for address in "${@:2}"; do
		# shellcheck disable=SC2086
		ip addr add $address dev "$1" || return
	done
	ip link set "$1" up
}

test_point_to_point() {
	local each
	ok "a tunnel of this host" tun_up tun7 '10.9.0.2 peer 10.9.0.1/32' 'fd09::2/64 nodad'
	start gateway.address4=10.9.0.1 gateway.interface=tun7 gateway.address6=fd09::1
	is "$status" 0 "a client connects"
	have "$REACH" 0 "the gateway is at the far end of a tunnel"
	is "$(line IPv4)" "gateway 10.9.0.1 on tun7, up; can't be asked (point-to-point)" "IPv4 says so"
	is "$(line IPv6)" "gateway fd09::1 on tun7, up; can't be asked (point-to-point)" "IPv6 says so"
	program status --json
	is "$(jq -c '.gateway[] | [.answers, .there]' <<<"$out" | paste -sd ' ')" "[null,true] [null,true]" "JSON says so"
	program status --format=prometheus
	unlike "$out" 'gateway_gateway_answers\{' "there is no metric about answers"
	like "$out" 'gateway_gateway_there\{family="ipv4",address="10.9.0.1"\} 1' "but one that it is there"
	program check
	unlike "$err" "does not answer" "check does not call it silent"
	like "$err" "note: the gateway 10.9.0.1 is on tun7, which is up; it can't be asked there" "it says so, too"
	ip addr del fd09::2/64 dev tun7
	program status
	like "$status $(line clients)" "^1 IPv4: $REACH; IPv6: ${NOTHING}the gateway fd09::1 is on no network of this host" \
		"its network is gone"
	ip -6 route add fd09::1/128 dev tun7
	have "IPv4: $REACH; IPv6: ${NOTHING}the gateway fd09::1 is on tun7, which has no IPv6 address to give clients$SAFE" 1 \
		"it has no IPv6 address"
	like "$(line IPv6)" "tun7, which has no IPv6 address to give clients" "the gateway's line says so"
	program check
	like "$err" "warning: the gateway fd09::1 is on tun7, which has no IPv6 address" "check warns of it"
	ini gateway.address4=10.9.0.1 gateway.interface=tun7 gateway.address6=fd09::1 gateway.masquerade=no
	program up
	have "$REACH" 0 "nor does it need one where nobody is masqueraded"
	ip tuntap add tun8 mode tun
	ip addr add 10.9.1.2 peer 10.9.1.1/32 dev tun8
	ip link set tun8 up
	start gateway.address4=10.9.1.1 gateway.interface=tun8
	have "${NOTHING}the gateway 10.9.1.1 is on tun8, which has no carrier$SAFE" 1 "nobody carries its packets"
	ip link set tun8 down
	program status
	like "$status $(line clients)" "^1 ${NOTHING}there is no route to the gateway 10.9.1.1" "it is down"
	kill "$carrier"
	for each in 'dummy7 type dummy' 'sit7 type sit local 172.28.0.3 remote 172.28.0.9'; do
		# shellcheck disable=SC2086
		ip link add $each 2>/dev/null || continue
		ip addr add 10.9.2.2/24 dev "${each%% *}"
		ip link set "${each%% *}" up
		start gateway.address4=10.9.2.1 gateway.interface="${each%% *}"
		have "$REACH" 0 "${each%% *}, where nobody is asked either"
		ip link del "${each%% *}"
	done
	ip link set eth0 arp off
	start
	ip neigh flush dev eth0 nud permanent
	have "$REACH" 0 "Ethernet without ARP"
	ip link set eth0 arp on
	gateways_known
}

begin strace
test_gateway
test_forwarding
test_foreign_chains
test_layers
test_down
test_doubt
test_other_modes
test_unknown
test_point_to_point
done_testing

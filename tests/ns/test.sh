#!/bin/bash
# test: what a client of our own meets, sent by the very way of clients; and that nothing of it stays behind.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# The gateway, in `outside`, and what is beyond it: 198.51.100.80 and 2001:db8:100::80 answer there, with a page that
# tells who asks.
gateway_up() {
	# shellcheck disable=SC2016
	ip netns exec outside sh -c 'for conf in eth0 eth1 lo; do echo 0 >/proc/sys/net/ipv6/conf/$conf/disable_ipv6; done
		echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding' &&
		ip -n outside link set lo up && ip -n outside -batch - <<-END && page_up
			addr add 172.28.0.2/24 dev eth0
			addr add fd28::2/64 dev eth0 nodad
			addr add 192.0.2.1/24 dev eth1
			addr add 198.51.100.80/32 dev lo
			addr add 2001:db8:100::80/128 dev lo nodad
			route add 10.20.0.0/24 via 172.28.0.3
			route add fd20::/64 via fd28::3
		END
}

page_up() {
	ip netns exec outside python3 - <<-'END' &
		import http.server, socket
		class Server(http.server.ThreadingHTTPServer):
		    address_family = socket.AF_INET6
		class Page(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        body = {"/ip": "ip=" + self.client_address[0].removeprefix("::ffff:") + "\n",
		                "/long": "x" * 3000 + "\n203.0.113.7\n"}.get(self.path, "nobody here\n")
		        self.send_response(200)
		        self.end_headers()
		        self.wfile.write(body.encode())
		    def log_message(self, *args):
		        pass
		Server(("::", 80), Page).serve_forever()
	END
	wait_for 10 ip netns exec outside python3 -c 'import socket; socket.create_connection(("198.51.100.80", 80))'
}

# All that a test could leave behind.
remains() {
	state
	ip -o link show | sed 's/ qlen.*//'
	ip neigh show nud permanent
	ip -6 neigh show nud permanent
	ip rule; ip -6 rule; ip route show table all; ip -6 route show table all
	ss -aneH 2>/dev/null | wc -l
	find "$STATE_DIR" | sort
	grep -v 127.0.0.1 /proc/net/nf_conntrack
}

# capture_begin, capture_end: frames with an address of clients, and all that the other interfaces carry, in $frames
capture_begin() {
	tcpdump -i any -n -l -U not ip6 multicast >"$OGW_WORK/frames" 2>"$OGW_WORK/tcpdump.err" &
	capturing=$!
	wait_for 10 grep -q listening "$OGW_WORK/tcpdump.err"
}

capture_end() {
	# What was sent before is in it once this is.
	ping -c 1 -W 1 -s 7 127.0.0.1 >/dev/null
	wait_for 10 grep -q '127.0.0.1 > 127.0.0.1: ICMP echo reply' "$OGW_WORK/frames"
	kill "$capturing"
	wait "$capturing" 2>/dev/null
	frames=$(grep -v '127.0.0.1 > 127.0.0.1' "$OGW_WORK/frames")
}

line() {	# LABEL
	sed -n "s/^$1  *//p" <<<"$out" | head -n 1
}

start() {	# [SECTION.KEY=VALUE...]
	clear_state >/dev/null
	rm -rf "$STATE_DIR"
	ini "$@"
	hook connect
	ip neigh flush dev eth0 nud all
}

ALL=(gateway.address6=fd28::2 'gateway.probe=198.51.100.80, 198.51.100.80:80, 2001:db8:100::80, [2001:db8:100::80]:80'
	gateway.probe_http=http://198.51.100.80/ip)
TOOK='[0-9]+\.[0-9][0-9] ms'

test_all_fine() {
	local before
	start "${ALL[@]}"
	before=$(remains)
	capture_begin
	program test
	capture_end
	is "$status" 0 "all answers"
	is "$(line client)" any "for any client"
	like "$(line 'IPv4 gateway')" "^172\.28\.0\.2 on eth0, answers ARP in $TOOK$" "ARP"
	like "$(line 'IPv6 gateway')" "^fd28::2 on eth0, answers ND in $TOOK$" "ND"
	is "$(line 'IPv4 rules')" "lead to the gateway, and let it through" "rules"
	like "$(line 'IPv4 beyond')" "^198\.51\.100\.80 answers in $TOOK$" "ICMP echo beyond it"
	like "$out" "IPv4 beyond  198\.51\.100\.80:80 answers in $TOOK" "TCP, too"
	like "$(line 'IPv6 beyond')" "^2001:db8:100::80 answers in $TOOK$" "by IPv6"
	like "$out" "IPv6 beyond  \[2001:db8:100::80\]:80 answers in $TOOK" "TCP, too"
	like "$(line 'IPv4 world')" "^sees 172\.28\.0\.3, in $TOOK$" "the world sees the masqueraded address"
	is "$(line result)" "everything answered" "the result"
	is "$err" "" "without a word of error"
	same "$before" "$(remains)" >"$OGW_WORK/remains"
	is "$(cat "$OGW_WORK/remains")" "" "nothing stays behind"
	like "$frames" ' (vpns-test|\?) +In +IP 10\.20\.0\.0' "what was sent came in by a tunnel of clients"
	is "$(grep -vE ' (eth0|vpns-test|\?) ' <<<"$frames")" "" "no frame went by another interface"
	is "$(grep -E ' eth0 +Out ' <<<"$frames" | grep -vE 'ARP|172\.28\.0\.3|fd28::3|neighbor')" "" "nor by eth0 without masquerade"
}

test_json() {
	start "${ALL[@]}"
	program test alice --json
	is "$status" 0 "JSON"
	is "$(jq -c '[.ok, .user, .device, .ipv4.gateway.there, (.ipv4.gateway.ms > 0), .ipv4.rules.have]' <<<"$out")" \
		'[true,"alice","vpns0",true,true,"gateway"]' "JSON: whose, and the gateway"
	is "$(jq -c '[.ipv6.beyond[] | .probe, .answers, (.ms > 0)]' <<<"$out")" \
		'["2001:db8:100::80",true,true,"[2001:db8:100::80]:80",true,true]' "JSON: beyond"
	is "$(jq -c '[.ipv4.world.address, .ipv6.world]' <<<"$out")" '["172.28.0.3",null]' "JSON: what the world sees"
}

test_who() {
	start "${ALL[@]}"
	program test alice
	is "$status $(line client)" "0 alice, 10.20.0.50 and fd20::50 on vpns0" "a user"
	program test fd20::50
	is "$status $(line client)" "0 alice, 10.20.0.50 and fd20::50 on vpns0" "an address"
	program test bob
	is "$status $out" "1 " "a user without a session"
	like "$err" "no live session belongs to 'bob'" "why"
	program test 10.20.0.51
	is "$status $out" "1 " "an address without one"
	program test 192.0.2.9
	is "$status" 64 "an address of no client"
	like "$err" "192.0.2.9 is not within the clients' subnets" "why"
	program test alice 10.20.0.50
	is "$status" 64 "too many words"
	hook disconnect
	program test
	is "$status" 0 "without any session"
	program test alice
	is "$status" 1 "she has gone"
	hook connect IPV6_REMOTE=
	program test alice
	is "$status $(grep IPv6 <<<"$out")" "0 IPv6         the client has no address" "one without IPv6"
	# By her own rules, not only by those of all.
	ip rule add priority 500 from 10.20.0.50 prohibit
	program test alice
	like "$status $(line 'IPv4 rules')" "^1 NO internet: a policy rule or route of others stops them" "a rule that stops her alone"
	program test
	is "$status" 0 "others are not stopped"
	ip rule del priority 500
}

test_silence() {
	start "${ALL[@]}" gateway.address6=
	ip -n outside addr del 172.28.0.2/24 dev eth0
	program test
	is "$status $(line 'IPv4 gateway')" "1 172.28.0.2 on eth0, does NOT answer ARP" "the gateway is silent"
	is "$(line 'IPv4 beyond')" "not asked: the gateway is not there" "nothing beyond it is asked"
	is "$(line 'IPv6')" "blocked" "IPv6 is blocked"
	ok "a stale answer is none" ip neigh replace 172.28.0.2 lladdr 02:00:00:00:01:01 dev eth0 nud stale
	program test
	is "$status $(line 'IPv4 gateway')" "1 172.28.0.2 on eth0, does NOT answer ARP" "the gateway is silent still"
	ip neigh flush dev eth0 nud all
	ip -n outside addr add 172.28.0.2/24 dev eth0
	ip -n outside route add 10.20.0.0/24 via 172.28.0.3
	ip -n outside addr del 198.51.100.80/32 dev lo
	ip -n outside route add blackhole 198.51.100.80
	program test
	like "$status $(line 'IPv4 gateway')" "^1 172\.28\.0\.2 on eth0, answers ARP" "the gateway answers"
	is "$(line 'IPv4 beyond')" "198.51.100.80 does NOT answer" "what is beyond does not"
	is "$(line 'IPv4 world')" "NO answer: no answer" "nor does the page"
	is "$(line result)" "something does NOT work" "the result"
	program test --json
	is "$status $(jq -c '[.ok, .ipv4.gateway.there, .ipv4.beyond[0].answers, .ipv4.beyond[0].ms]' <<<"$out")" \
		"1 [false,true,false,null]" "JSON says so"
	ip -n outside route del blackhole 198.51.100.80
	ip -n outside route add prohibit 198.51.100.80
	program test
	like "$(line 'IPv4 beyond')" "^198\.51\.100\.80 does NOT answer: refused by 172\.28\.0\.2 \(ICMP type 3, code 13\)$" \
		"what the gateway refuses is said"
	ip -n outside route del prohibit 198.51.100.80
	ip -n outside addr add 198.51.100.80/32 dev lo
	start "${ALL[@]}" 'gateway.probe=198.51.100.80:81'
	program test
	is "$status $(line 'IPv4 beyond')" "1 198.51.100.80:81 does NOT answer: refused (TCP reset)" "nobody listens there"
	start "${ALL[@]}" 'gateway.probe=198.51.100.81, 198.51.100.80'
	program test
	is "$status" 0 "one of several answers"
	start gateway.mac4=02:00:00:00:09:09
	program test
	is "$status $(line 'IPv4 gateway')" "1 172.28.0.2 on eth0, does NOT answer ARP" "another station answers than mac4 says"
}

test_keys() {
	start
	program test
	is "$status" 0 "by default the neighbour is asked"
	unlike "$out" "beyond|world" "and nobody else"
	start gateway.probe=no
	ip -n outside addr del 172.28.0.2/24 dev eth0
	program test
	is "$status $(line 'IPv4 gateway')" "0 172.28.0.2 on eth0, not asked (probe = no)" "nor that one"
	ip -n outside addr add 172.28.0.2/24 dev eth0
	ip -n outside route add 10.20.0.0/24 via 172.28.0.3
	start gateway.probe_http=http://198.51.100.80:80/long
	program test
	like "$status $(line 'IPv4 world')" "^0 sees 203\.0\.113\.7, in" "a page of several segments"
	start gateway.probe_http=http://198.51.100.80/other
	program test
	is "$status $(line 'IPv4 world')" "1 NO answer: a page without an address: HTTP/1.0 200 OK" "a page without an address"
	start gateway.address6=fd28::2 'gateway.probe_http=http://[2001:db8:100::80]/ip'
	program test
	like "$status $(line 'IPv6 world')" "^0 sees fd28::3, in" "by IPv6"
	echo '198.51.100.80 page.example' >"$OGW_WORK/hosts"
	mount --bind "$OGW_WORK/hosts" /etc/hosts
	start gateway.probe_http=http://page.example/ip
	program test
	like "$status $(line 'IPv4 world')" "^0 sees 172\.28\.0\.3, in" "a page by name"
	umount /etc/hosts
	start gateway.masquerade=no 'gateway.probe=198.51.100.80' gateway.probe_http=http://198.51.100.80/ip
	program test
	like "$status $(line 'IPv4 world')" "^0 sees 10\.20\.0\.0, in" "without masquerade the gateway sees an address of clients"
}

# Nothing is sent where it could leave another way.
test_damage() {
	local each
	for each in 'nft flush ruleset' 'nft flush chain inet ocserv_gw leaving' 'ip rule del priority 1000' \
		'ip route flush table 100'; do
		start "${ALL[@]}"
		ok "$each" eval "$each"
		capture_begin
		program test
		like "$status $(line 'IPv4 beyond')" "^1 not asked: " "$each: nothing is asked beyond"
		program test alice
		capture_end
		like "$status $(line 'IPv4 beyond')" "^1 not asked: " "$each: nor for alice"
		is "$(grep -vE 'ARP|neighbor' <<<"$frames")" "" "$each: nothing is sent"
	done
	start "${ALL[@]}" gateway.address6=
	ip rule add priority 500 from 10.20.0.0/32 lookup main
	capture_begin
	program test
	capture_end
	like "$status $(line 'IPv4 beyond')" "^1 198\.51\.100\.80 does NOT answer: does not lead to the gateway$" \
		"a rule of others leads this very client elsewhere"
	is "$(grep -vE 'ARP|neighbor' <<<"$frames")" "" "nothing is sent then"
	ip rule del priority 500
	start "${ALL[@]}"
	echo 0 >/proc/sys/net/ipv4/ip_forward
	program test
	like "$status $(line 'IPv4 beyond')" "^1 not asked: IPv4 forwarding is off" "forwarding is off"
	echo 1 >/proc/sys/net/ipv4/ip_forward
	start "${ALL[@]}" gateway.address6=
	nft 'add table inet other; add chain inet other f { type filter hook forward priority 0; }
		add rule inet other f meta l4proto tcp drop'
	program test
	is "$status $(grep -c 'answers in' <<<"$out") $(line 'IPv4 world')" "1 1 NO answer: no answer" \
		"what a foreign chain does to some shows in what comes back"
	start
	ini
	program down
	echo '; nothing' >"$INI"
	program test
	is "$status" 78 "without a gateway there is nothing to ask"
	like "$err" "there is no gateway to ask" "it says so"
	start clients.interface=vpns0
	program test
	is "$status" 0 "one tunnel for all, by name: the neighbour"
	start clients.interface=vpns0 gateway.probe=198.51.100.80
	program test
	like "$status $(line 'IPv4 beyond')" "^1 not asked: the tunnel vpns0 can't be created" "and nothing beyond, since there is no room"
	start gateway.probe=198.51.100.80
	captured setpriv --bounding-set=-net_admin --inh-caps=-net_admin env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" test
	is "$status" 77 "without CAP_NET_ADMIN"
	captured setpriv --bounding-set=-net_raw --inh-caps=-net_raw env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" test
	is "$status $(line 'IPv4 gateway')" "0 172.28.0.2 on eth0, answers" "without CAP_NET_RAW the kernel is asked"
}

# Killed while it waits: what is its own goes with it
test_killed() {
	start "gateway.probe=198.51.100.99"
	ip -n outside route add blackhole 198.51.100.99
	env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" test >/dev/null &
	ok "its tunnel is there" wait_for 10 ip link show vpns-test
	program test
	like "$status $out" "^1 .*the tunnel vpns-test can't be created: it already exists; is another test running\?" "another one says so"
	kill -KILL $!
	wait $! 2>/dev/null
	ok "it goes with the process" wait_for 10 eval '! ip link show vpns-test'
	is "$(ip route | grep -c '^10.20.0.0 ')" 0 "and so does its route"
}

begin tcpdump ss
must "the gateway is there" gateway_up
test_all_fine
test_json
test_who
test_silence
test_keys
test_damage
test_killed
done_testing

# shellcheck shell=bash
# The network that the end-to-end tests and the demo use, in namespaces.
#
#                      internet  198.51.100.80  2001:db8:100::80
#                      (answers with the address that it sees)
#         ________________|_______________________________________
#        |                |               |               |       |
#    tun0 203.0.113.2  203.0.113.1   203.0.113.3     client1  client2
#    +---+------+     +---+----+     +----+----+      .100.11  .100.12
#    | upstream |     | router |     | uplink2 |
#    +---+------+     +---+----+     +----+----+
#   eth0 | 172.28.0.2     | 172.28.0.1    | 192.0.2.1
#        +-----vpnnet-----+               |
#                         | 172.28.0.3    | 192.0.2.2
#                         | eth0     eth1 |
#                      +--+---------------+--+
#                      |       server        |
#                      +---------------------+
#
# IPv6 is the same: fd28::1..3 on vpnnet, 2001:db8:192::1 and ::2 on the second
# uplink, 2001:db8:113::1..3 as exits. The server's main default route is by
# router, a second one with a higher metric by uplink2. Router and uplink2
# carry whatever the server sends them, clients' addresses too, and masquerade
# it: a packet that leaks reaches the internet and is answered. The upstream
# forwards only what comes from vpnnet's addresses and goes out by tun0.
# Outside the VPN, clients can reach nothing but the server.

# The addresses are for those who source this file.
# shellcheck disable=SC2034
{
	NAMESPACES="internet router upstream uplink2 server client1 client2"
	SERVER4=172.28.0.3   SERVER6=fd28::3
	UPSTREAM4=172.28.0.2 UPSTREAM6=fd28::2
	ROUTER4=172.28.0.1   ROUTER6=fd28::1
	SERVER_ETH1_4=192.0.2.2 SERVER_ETH1_6=2001:db8:192::2
	UPLINK2_4=192.0.2.1     UPLINK2_6=2001:db8:192::1
	INTERNET4=198.51.100.80 INTERNET6=2001:db8:100::80
	UPSTREAM_EXIT4=203.0.113.2 UPSTREAM_EXIT6=2001:db8:113::2
	ROUTER_EXIT4=203.0.113.1   ROUTER_EXIT6=2001:db8:113::1
	UPLINK2_EXIT4=203.0.113.3  UPLINK2_EXIT6=2001:db8:113::3
	CLIENT1_4=198.51.100.11 CLIENT2_4=198.51.100.12
	CLIENTS4=10.20.0.0/24 CLIENTS6=fd20:aaaa:bbbb:1::/64
	FORGED4=10.99.0.9       FORGED6=fd99::9
	UPSTREAM_MAC=02:00:5e:00:53:02
	TUNNEL4=10.8.0.2 TUNNEL6=fd08::2
}

in_namespace() {
	ip netns exec "$@"
}

server_exec() {
	in_namespace server "$@"
}

# client_exec CLIENT COMMAND...
client_exec() {
	in_namespace "$@"
}

# namespace_sysctl NAMESPACE PATH=VALUE...: those that the kernel does not
# have are left out
namespace_sysctl() {
	local namespace=$1
	shift
	# shellcheck disable=SC2016
	in_namespace "$namespace" sh -c '
		for setting; do
			file=/proc/sys/net/${setting%%=*}
			[ ! -e "$file" ] || echo "${setting#*=}" >"$file"
		done' sh "$@"
}

# No duplicate address detection, no autoconfiguration, nothing of the
# machine's own settings, and each error is answered, not one in a second.
namespace_add() {
	ip netns add "$1" && in_namespace "$1" "$OGW_FRESH_NETWORK" || return
	namespace_sysctl "$1" \
		ipv6/conf/all/accept_dad=0 ipv6/conf/default/accept_dad=0 \
		ipv6/conf/default/dad_transmits=0 \
		ipv6/conf/default/router_solicitation_delay=0 \
		ipv6/conf/all/accept_ra=0 ipv6/conf/default/accept_ra=0 \
		ipv4/icmp_ratelimit=0 ipv6/icmp/ratelimit=0 \
		bridge/bridge-nf-call-iptables=0 \
		bridge/bridge-nf-call-ip6tables=0 || return
	ip -n "$1" link set lo up
}

namespace_forwards() {
	namespace_sysctl "$1" ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 \
		ipv6/conf/all/keep_addr_on_down=1
}

# link NAMESPACE INTERFACE NAMESPACE INTERFACE: a cable between the two
link() {
	ip -n "$1" link add "$2" type veth peer name "$4" netns "$3" || return
	ip -n "$1" link set "$2" up || return
	ip -n "$3" link set "$4" up
}

# address NAMESPACE INTERFACE ADDRESS/LENGTH...
address() {
	local namespace=$1 interface=$2 each
	shift 2
	for each in "$@"; do
		case $each in
		*:*)	ip -n "$namespace" addr add "$each" dev "$interface" nodad ;;
		*)	ip -n "$namespace" addr add "$each" dev "$interface" ;;
		esac || return
	done
}

# bridge NAMESPACE BRIDGE PORT...
bridge() {
	local namespace=$1 bridge=$2 port
	shift 2
	ip -n "$namespace" link add "$bridge" type bridge forward_delay 0 || return
	for port in "$@"; do
		ip -n "$namespace" link set "$port" master "$bridge" || return
	done
	ip -n "$namespace" link set "$bridge" up
}

# masquerade NAMESPACE INTERFACE: what is routed out there gets its address
masquerade() {
	in_namespace "$1" nft -f - <<-END
		table inet exit {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname "$2" masquerade
			}
		}
	END
}

cables() {
	link internet to-router router wan0 &&
	link internet to-upstream upstream tun0 &&
	link internet to-uplink2 uplink2 wan0 &&
	link internet to-client1 client1 eth0 &&
	link internet to-client2 client2 eth0 &&
	link router to-upstream upstream eth0 &&
	link router to-server server eth0 &&
	link uplink2 lan0 server eth1 &&
	bridge internet isp to-router to-upstream to-uplink2 &&
	bridge internet public to-client1 to-client2 &&
	bridge router vpnnet to-upstream to-server
}

internet_up() {
	address internet isp 203.0.113.254/24 2001:db8:113::fe/64 &&
	address internet public 198.51.100.1/24 &&
	address internet lo "$INTERNET4/32" "$INTERNET6/128" &&
	ip -n internet route add "$SERVER4" via "$ROUTER_EXIT4" &&
	namespace_forwards internet
}

# What the server sends to router and uplink2 is carried, and answered.
host_router_up() {
	address router wan0 "$ROUTER_EXIT4/24" "$ROUTER_EXIT6/64" &&
	address router vpnnet "$ROUTER4/24" "$ROUTER6/64" &&
	ip -n router route add default via 203.0.113.254 &&
	ip -n router route add default via 2001:db8:113::fe &&
	ip -n router route add "$CLIENTS4" via "$SERVER4" &&
	ip -n router route add "$CLIENTS6" via "$SERVER6" &&
	masquerade router wan0 &&
	namespace_forwards router
}

uplink2_up() {
	address uplink2 wan0 "$UPLINK2_EXIT4/24" "$UPLINK2_EXIT6/64" &&
	address uplink2 lan0 "$UPLINK2_4/24" "$UPLINK2_6/64" &&
	ip -n uplink2 route add default via 203.0.113.254 &&
	ip -n uplink2 route add default via 2001:db8:113::fe &&
	ip -n uplink2 route add "$CLIENTS4" via "$SERVER_ETH1_4" &&
	ip -n uplink2 route add "$CLIENTS6" via "$SERVER_ETH1_6" &&
	masquerade uplink2 wan0 &&
	namespace_forwards uplink2
}

upstream_up() {
	ip -n upstream link set eth0 address "$UPSTREAM_MAC" &&
	address upstream eth0 "$UPSTREAM4/24" "$UPSTREAM6/64" &&
	address upstream tun0 "$UPSTREAM_EXIT4/24" "$UPSTREAM_EXIT6/64" &&
	ip -n upstream route add default via "$ROUTER4" metric 1000 &&
	ip -n upstream route add default via "$ROUTER6" metric 2000 &&
	upstream_tunnel up &&
	masquerade upstream tun0 &&
	namespace_forwards upstream &&
	in_namespace upstream nft -f - <<-END
		table inet forward {
			chain forward {
				type filter hook forward priority filter; policy drop
				ct state established,related accept
				ip saddr 172.28.0.0/24 oifname "tun0" accept
				ip6 saddr fd28::/64 oifname "tun0" accept
			}
		}
	END
}

# upstream_tunnel up|down: the commercial VPN that the upstream sends into.
# While it is down, the upstream's own default route is by router.
upstream_tunnel() {
	ip -n upstream link set tun0 "$1" || return
	[ "$1" = up ] || return 0
	ip -n upstream route replace default via 203.0.113.254 dev tun0 metric 10 &&
	ip -n upstream route replace default via 2001:db8:113::fe dev tun0 metric 10
}

reaches() {
	in_namespace "$1" ping -n -c 1 -W 1 "$2"
}

# upstream_link up|down: the upstream itself, there or absent
upstream_link() {
	ip -n router link set to-upstream "$1" || return
	[ "$1" = up ] || return 0
	wait_for 10 reaches server "$UPSTREAM4" &&
		wait_for 10 reaches server "$UPSTREAM6"
}

server_up() {
	address server eth0 "$SERVER4/24" "$SERVER6/64" &&
	address server eth1 "$SERVER_ETH1_4/24" "$SERVER_ETH1_6/64" &&
	server_default_routes &&
	namespace_forwards server
}

server_default_routes() {
	ip -n server route replace default via "$ROUTER4" metric 100 &&
	ip -n server route replace default via "$ROUTER6" metric 100 &&
	ip -n server route replace default via "$UPLINK2_4" metric 500 &&
	ip -n server route replace default via "$UPLINK2_6" metric 500
}

# server_link up|down: the cable of the server's eth0, and what hangs on it
server_link() {
	ip -n server link set eth0 "$1" || return
	[ "$1" = up ] || return 0
	server_default_routes && wait_for 10 reaches server "$ROUTER4" &&
		wait_for 10 reaches server "$ROUTER6" &&
		wait_for 10 reaches server "$UPSTREAM4"
}

# client_up CLIENT ADDRESS
client_up() {
	address "$1" eth0 "$2/32" &&
	ip -n "$1" route replace 198.51.100.1 dev eth0 src "$2" &&
	ip -n "$1" route replace "$SERVER4" via 198.51.100.1 src "$2"
}

# client_moves CLIENT ADDRESS: it has another address now, and only that
client_moves() {
	ip -n "$1" addr flush dev eth0 scope global &&
	client_up "$1" "$2"
}

# An HTTP server on IPv4 and IPv6 that answers "ip=ADDRESS" with the address
# that it sees, as the pages do with which people check their VPN.
internet_host() {
	exec ip netns exec internet python3 - <<-'END'
		import http.server, socket

		class Teller(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        seen = self.client_address[0].removeprefix("::ffff:")
		        answer = f"ip={seen}\n".encode()
		        self.send_response(200)
		        self.send_header("Content-Length", str(len(answer)))
		        self.end_headers()
		        self.wfile.write(answer)

		    def log_message(self, *words):
		        pass

		class Host(http.server.ThreadingHTTPServer):
		    address_family = socket.AF_INET6

		    def server_bind(self):
		        self.socket.setsockopt(socket.IPPROTO_IPV6,
		                               socket.IPV6_V6ONLY, 0)
		        self.socket.bind(self.server_address)

		Host(("::", 80), Teller).serve_forever()
	END
}

# listens NAMESPACE PORT
listens() {
	in_namespace "$1" ss -Hltn "sport = :$2" | grep -q LISTEN
}

topology_up() {
	local namespace
	for namespace in $NAMESPACES; do
		namespace_add "$namespace" || return
	done
	cables && internet_up && host_router_up && uplink2_up &&
	upstream_up && server_up &&
	client_up client1 "$CLIENT1_4" && client_up client2 "$CLIENT2_4" ||
		return
	internet_host >"$OGW_WORK/internet.log" 2>&1 &
	wait_for 20 listens internet 80
}

# tunnel_up NAMESPACE: a tunnel of the server without next hops, wg0, whose other end is there; this end has $TUNNEL4 and $TUNNEL6
tunnel_up() {
	: >"$OGW_WORK/tunnel"
	python3 "${BASH_SOURCE[0]%/*}/tunnel.py" server wg0 "$1" wg0 >"$OGW_WORK/tunnel" &
	tunnel_pid=$!
	wait_for 10 grep -q ready "$OGW_WORK/tunnel" &&
		address server wg0 "$TUNNEL4/32" "$TUNNEL6/128" && ip -n server link set wg0 up &&
		ip -n "$1" link set wg0 up && ip -n "$1" route add "$TUNNEL4" dev wg0 &&
		ip -n "$1" route add "$TUNNEL6" dev wg0
}

tunnel_down() {
	kill "$tunnel_pid" && wait "$tunnel_pid"
	wait_for 10 eval '! ip -n server link show wg0 >/dev/null 2>&1'
}

# exit_address CLIENT 4|6 [SECONDS]: the address by which the internet host
# sees it, within SECONDS (10)
exit_address() {
	local host=$INTERNET4
	[ "$2" = 4 ] || host="[$INTERNET6]"
	client_exec "$1" curl -q -s -S --noproxy '*' -m "${3:-10}" \
		"http://$host/" | sed -n 's/^ip=//p'
}

# has_internet CLIENT 4|6: asked with little patience, since most who ask
# expect silence
has_internet() {
	[ -n "$(exit_address "$1" "$2" 1 2>/dev/null)" ]
}

# connect_error CLIENT ADDRESS: what a program on the client is told when it
# opens a TCP connection ("silence" if it is told nothing)
connect_error() {
	local said
	# shellcheck disable=SC2016
	said=$(client_exec "$1" timeout 5 \
		bash -c ': <>"/dev/tcp/$1/80"' bash "$2" 2>&1)
	case $? in
	0)	echo "connected" ;;
	124)	echo "silence" ;;
	*)	sed -n 's/.*connect: //p' <<<"$said" ;;
	esac
}

# capture_start NAMESPACE INTERFACE FILTER: into $OGW_WORK/NAMESPACE.INTERFACE.pcap
# A frame of ethertype 0x88b5 (for local experiments) marks the end: all that
# passed before it is in the file then, with no need to wait for a while.
capture_start() {
	local base=$OGW_WORK/$1.$2
	rm -f "$base".{pcap,log,pid}
	ip netns exec "$1" tcpdump -Z root -n -U --immediate-mode -i "$2" \
		-w "$base.pcap" "($3) or ether proto 0x88b5" >"$base.log" 2>&1 &
	echo $! >"$base.pid"
	wait_for 10 grep -q 'listening on' "$base.log"
}

capture_mark() {
	in_namespace "$1" python3 - "$2" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind((sys.argv[1], 0))
		s.send(b"\xff" * 6 + b"\x02" + b"\0" * 5 + b"\x88\xb5" + b"end")
	END
}

# capture_read NAMESPACE INTERFACE [FILTER]: packets so far, a line each
capture_read() {
	tcpdump -n -r "$OGW_WORK/$1.$2.pcap" "${3:-not ether proto 0x88b5}" \
		2>/dev/null
}

capture_marked() {
	[ -n "$(capture_read "$1" "$2" 'ether proto 0x88b5')" ]
}

ethernet_is_up() {
	ip -n "$1" link show "$2" up | grep -q link/ether
}

# A link that is down passes no mark, and nothing else. A tunnel gets none:
# ocserv ends a session that sends it what is not IP.
capture_stop() {
	local pid
	pid=$(<"$OGW_WORK/$1.$2.pid") || return
	if ethernet_is_up "$1" "$2"; then
		capture_mark "$1" "$2" &&
			wait_for 10 capture_marked "$1" "$2" || return
	fi
	kill "$pid" || return
	wait "$pid"
	rm "$OGW_WORK/$1.$2.pid"
}

# Packets of clients: with their addresses, with forged ones, or masqueraded;
# the server and the routers never talk to the internet host themselves.
CLIENT_PACKETS="net $CLIENTS4 or net $CLIENTS6 or host $FORGED4 or host $FORGED6 \
or host $INTERNET4 or host $INTERNET6"

# Watch every place but the way to the upstream.
leak_captures_start() {
	capture_start server eth0 \
		"($CLIENT_PACKETS) and not ether host $UPSTREAM_MAC" &&
	capture_start server eth1 "$CLIENT_PACKETS" &&
	capture_start router wan0 "$CLIENT_PACKETS" &&
	capture_start uplink2 wan0 "$CLIENT_PACKETS"
}

leak_captures_stop() {
	capture_stop server eth0 && capture_stop server eth1 &&
	capture_stop router wan0 && capture_stop uplink2 wan0
}

# leaked: the packets seen where none may be, a line each
leaked() {
	local point
	for point in "server eth0" "server eth1" "router wan0" "uplink2 wan0"; do
		# shellcheck disable=SC2086
		capture_read $point | sed "s/^/on $point: /"
	done
}

# no_leak: to be asserted; shows what leaked
no_leak() {
	local packets
	leak_captures_stop || return
	packets=$(leaked)
	[ -z "$packets" ] && return
	echo "$packets"
	return 1
}

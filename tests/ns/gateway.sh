#!/bin/bash
# Which interface is the gateway's: not the one that a route leads to it by, nor one that has got an address of its
# network; and who gets its packets there. Each attack is played against `up` and a connect, with real packets.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# Neighbours at each end are known, so that what is sent is seen where it arrives.
network_up() {
	ip link add ppp0 address 02:00:00:00:00:05 type veth peer name ppp0 netns outside &&
		ip link set ppp0 arp off up && ip -n outside link set ppp0 up &&
		ip addr add 203.0.113.9 peer 203.0.113.1/32 dev ppp0 && ip addr add 2001:db8:5::9/128 dev ppp0 nodad &&
		ip route add fd20::50 dev vpns0 &&
		neighbours_up && wait_for 10 carriers_seen
}

neighbours_up() {
	local each
	for each in "172.28.0.2 02:00:00:00:01:01 eth0" "fd28::2 02:00:00:00:01:01 eth0" \
		"172.28.0.2 02:00:00:00:02:02 eth1" "fd28::2 02:00:00:00:02:02 eth1" \
		"10.20.0.50 02:00:00:00:03:03 vpns0" "fd20::50 02:00:00:00:03:03 vpns0"; do
		# shellcheck disable=SC2086 # words
		set -- $each
		ip neigh replace "$1" lladdr "$2" dev "$3" nud permanent || return
	done
}

# ways [NAMESPACE:INTERFACE...]: where a client's packet of each family arrives, as lines `IPv4 eth0`. Each is
# followed by a question to the server itself: its answer says that what came before has been forwarded, or dropped.
ways() {
	python3 - "${@:-outside:eth0 outside:eth1 outside:ppp0}" <<-'END'
		import ctypes, os, select, socket, struct, sys
		os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
		libc = ctypes.CDLL(None, use_errno=True)

		def packets_of(place):
		    namespace, interface = place.split(":")
		    home = os.open("/proc/self/ns/net", os.O_RDONLY)
		    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
		    assert libc.setns(there, 0) == 0
		    try:
		        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
		        s.bind((interface, 0))
		    except OSError:
		        s = None
		    assert libc.setns(home, 0) == 0
		    return s

		def total(data):
		    data += bytes(len(data) % 2)
		    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
		    while value >> 16:
		        value = (value & 0xffff) + (value >> 16)
		    return ~value & 0xffff

		def packet4(destination, protocol, payload):
		    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0,
		                         socket.inet_aton("10.20.0.50"), socket.inet_aton(destination))
		    return b"\x08\x00" + header[:10] + struct.pack("!H", total(header)) + header[12:] + payload

		def packet6(destination, protocol, payload):
		    ends = socket.inet_pton(10, "fd20::50") + socket.inet_pton(10, destination)
		    if protocol == 58:
		        check = total(ends + struct.pack("!II", len(payload), 58) + payload)
		        payload = payload[:2] + struct.pack("!H", check) + payload[4:]
		    return b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload

		def echo(kind):
		    data = struct.pack("!BBHHH", kind, 0, 0, 5, 6) + b"are you there"
		    return data if kind == 128 else data[:2] + struct.pack("!H", total(data)) + data[4:]

		def udp(check=0):
		    return struct.pack("!HHHH", 4000, 4000, 8 + 10, 1) + b"of-client!"

		places = " ".join(sys.argv[1:]).split()
		sockets = {place: packets_of(place) for place in places}
		tunnel = packets_of("outside:vpns0")
		link = bytes.fromhex("020000000003020000000303")

		def ask(family, question, destination, kind, answer):
		    for attempt in range(30):
		        tunnel.send(link + destination)
		        tunnel.send(link + question(echo(kind)))
		        if answered(answer):
		            break
		    else:
		        print(family, "NO ANSWER")
		    for place, s in sockets.items():
		        if s and seen(s):
		            print(family, place.split(":")[place.startswith("outside")])

		def answered(answer):
		    while select.select([tunnel], [], [], 1)[0]:
		        frame = tunnel.recv(2048)
		        if b"are you there" in frame and answer(frame):
		            return True
		    return False

		def seen(s):
		    count = 0
		    while select.select([s], [], [], 0)[0]:
		        count += b"of-client!" in s.recv(2048)
		    return count

		ask("IPv4", lambda data: packet4("10.20.0.1", 1, data), packet4("198.51.100.7", 17, udp()), 8,
		    lambda frame: frame[12:14] == b"\x08\x00" and frame[34] == 0)
		ask("IPv6", lambda data: packet6("fd20::1", 58, data), packet6("2001:db8:7::7", 17, udp()), 128,
		    lambda frame: frame[12:14] == b"\x86\xdd" and frame[54] == 129)
	END
}

# What a client may see: its packets at the gateway, or nowhere.
no_leak() {
	local seen
	seen=$(ways)
	[[ $seen != *eth1* && $seen != *ppp0* && $seen != *ANSWER* ]] || { echo "$seen"; return 1; }
}

# Each attack is a line: which words tell of it, what is done, what undoes it.
DOWN='ip link set eth0 down'
UP='ip link set eth0 up; ip addr replace fd28::3/64 dev eth0 nodad; ip addr replace fe80::3/64 dev eth0 nodad;
	ip route replace default via 172.28.0.1; ip -6 route replace default via fd28::1; neighbours_up; wait_for 10 carriers_seen'
BY_PPP='ip route replace default dev ppp0; ip -6 route replace default dev ppp0 metric 1'
NO_PPP='ip route del default dev ppp0; ip -6 route del default dev ppp0 metric 1'
MOVED='the gateway is now seen on eth1, it was on eth0'
attack() {
	local name=$1 words=$2
	ok "$name: it happens" eval "$3"
	before=$(state)
	ok "$name: nothing leaks before a run" no_leak
	hook connect
	is "$status" 78 "$name: a connect is refused"
	like "$err" "$words" "$name: it says both interfaces, or why"
	program up
	is "$status" 78 "$name: up fails"
	like "$err" "$words" "$name: up says the same"
	ok "$name: rules, routes and kill switch are as they were" state_is "$before"
	ok "$name: nothing leaks" no_leak
	program status
	is "$status $(grep -m 1 ^state <<<"$out")" "1 state        degraded" "$name: status is degraded"
	like "$out" "problem +.*$words" "$name: and says it"
	program check
	is "$status" 78 "$name: check"
	like "$err" "$words" "$name: check says it"
	program up --dry-run
	is "$status $out" "78 " "$name: a dry run plans nothing"
	like "$err" "$words" "$name: a dry run says it"
	program explain 10.20.0.50
	ok "$name: explain still answers" test "$status" -le 1
	like "$out" "problem +.*$words" "$name: explain says it"
	ok "$name: it ends" eval "$4"
	ok "$name: up" program up
	is "$(ways)" "$both" "$name: clients go to the gateway"
}

test_attacks() {
	attack "a default route without next hop, the interface down" "is now seen on ppp0, it was on eth0" \
		"$BY_PPP; $DOWN" "$NO_PPP; $UP"
	attack "a default route without next hop, the interface gone" "is now seen on ppp0, it was on eth0" \
		"ip link add spare type dummy; $BY_PPP; ip link set eth0 down; ip link set eth0 name gone" \
		"ip link del spare; $NO_PPP; ip link set gone name eth0; $UP"
	attack "a route of DHCP option 121" "$MOVED" "ip route add 172.28.0.2/32 dev eth1" "ip route del 172.28.0.2/32"
	attack "a rogue lease of half of the network" "$MOVED" "ip addr add 172.28.0.66/25 dev eth1" \
		"ip addr del 172.28.0.66/25 dev eth1"
	attack "a lease of the host's address alone" "$MOVED" "ip addr add 172.28.0.66 peer 172.28.0.2/32 dev eth1" \
		"ip addr del 172.28.0.66 peer 172.28.0.2/32 dev eth1"
	attack "a router advertisement's prefix" "$MOVED" "ip route add fd28::2/128 dev eth1 proto ra" \
		"ip route del fd28::2/128"
	attack "a router advertisement's address" "$MOVED" "ip addr add fd28::66/120 dev eth1 nodad" \
		"ip addr del fd28::66/120 dev eth1"
	attack "a route in table local" "$MOVED" "ip route add 172.28.0.2 dev eth1 table local" \
		"ip route del 172.28.0.2 dev eth1 table local"
	attack "an address of this host" "is an address of this host.*; it was on eth0" \
		"ip addr add 172.28.0.2/32 dev eth1" "ip addr del 172.28.0.2/32 dev eth1"
	attack "a policy rule" "$MOVED" "ip rule add priority 5 to 172.28.0.2 lookup 77; ip route add default dev eth1 table 77" \
		"ip rule del priority 5; ip route flush table 77"
	attack "an IPv6 policy rule" "$MOVED" \
		"ip -6 rule add priority 5 to fd28::2 lookup 77; ip -6 route add default dev eth1 table 77" \
		"ip -6 rule del priority 5; ip -6 route flush table 77"
	attack "another router before it" "reached via 192.0.2.1 on eth1.*; it was on eth0" \
		"ip route add 172.28.0.2 via 192.0.2.1" "ip route del 172.28.0.2"
	attack "its route prohibited" "is not on a network of this host.*; it was on eth0" \
		"ip route add prohibit 172.28.0.2; ip route add prohibit fd28::2" "ip route del 172.28.0.2; ip route del fd28::2"
	attack "a client's tunnel that leads there" "vpns0, which is a tunnel of the clients; it was on eth0" \
		"ip route add 172.28.0.2 dev vpns0" "ip route del 172.28.0.2"
	attack "its address on another interface" "$MOVED" \
		"ip addr del 172.28.0.3/24 dev eth0; ip addr add 172.28.0.3/24 dev eth1" \
		"ip addr del 172.28.0.3/24 dev eth1; ip addr add 172.28.0.3/24 dev eth0; $UP"
	attack "the address gone, a route left" "eth0, which it was on, has no address in its network" \
		"ip addr del 172.28.0.3/24 dev eth0; ip addr add 172.29.0.3/32 dev eth0; ip route add 172.28.0.0/24 dev eth0" \
		"ip route del 172.28.0.0/24; ip addr del 172.29.0.3/32 dev eth0; ip addr add 172.28.0.3/24 dev eth0; $UP"
	attack "another interface with its name" "is now seen on was0, it was on eth0" \
		"ip link set eth0 down; ip link set eth0 name was0; ip link set eth1 down; ip link set eth1 name eth0;
		 ip link set was0 up; ip link set eth0 up; ip addr replace fd28::3/64 dev was0 nodad; wait_for 10 carriers_seen" \
		"ip link set eth0 down; ip link set eth0 name eth1; ip link set was0 down; ip link set was0 name eth0;
		 ip link set eth1 up; ip link set eth0 up; ip addr replace fd28::3/64 dev eth0 nodad;
		 ip addr replace 2001:db8:192::2/64 dev eth1 nodad; $UP"
}

# The same address on two interfaces, as without a VRF: the one that was first has it.
test_duplicates() {
	ip addr add 172.28.0.3/24 dev eth1
	ip addr add fd28::3/64 dev eth1 nodad
	hook connect
	is "$status $(field routing)" "0 intact" "the same addresses on two: the chosen one stays"
	gateways_known
	program check
	is "$status" 1 "the same addresses on two: check warns"
	like "$err" "gateway 172.28.0.2 is assumed to be on eth0, but eth0 and eth1 have" "the same addresses on two: IPv4"
	like "$err" "gateway fd28::2 is assumed to be on eth0, but eth0 and eth1 have" "the same addresses on two: IPv6"
	ip addr del 172.28.0.3/24 dev eth1
	ip addr del fd28::3/64 dev eth1
}

# By the kernel's hash of the packet it is either; nothing moves.
test_several_hops() {
	local before
	attack "a route of several next hops that leaves it out" "is now seen on (eth1|ppp0), it was on eth0" \
		"ip route add 172.28.0.2 nexthop dev eth1 nexthop dev ppp0" "ip route del 172.28.0.2"
	ip route add 172.28.0.2 nexthop dev eth0 nexthop dev eth1
	before=$(state)
	hook connect
	like "$status $err" "^(0 .*routing=intact|78 .*$MOVED)" "a route of several next hops that has it: intact, or refused"
	program up
	ok "a route of several next hops that has it: all is as it was" state_is "$before"
	ok "a route of several next hops that has it: nothing leaks" no_leak
	ip route del 172.28.0.2
}

# forgotten: nothing of ours is there, and nothing is known
forgotten() {
	program down
	rm -rf "$STATE_DIR"
	clear_state >/dev/null
	ip route replace default via 172.28.0.1
	ip -6 route replace default via fd28::1
	neighbours_up
}

# first NAME WORDS COMMANDS UNDO: the first run ever refuses
first() {
	local name="first run: $1" words=$2
	forgotten
	ok "$name: it is so" eval "$3"
	before=$(state)
	hook connect
	is "$status" 78 "$name: a connect is refused"
	like "$err" "$words" "$name: it says why"
	program up
	is "$status" 78 "$name: up fails"
	like "$err" "$words" "$name: up says the same"
	program up --move
	is "$status" 78 "$name: up --move takes no other one"
	ok "$name: nothing is done" state_is "$before"
	ok "$name: it ends" eval "$4"
}

test_first() {
	first "a default route without next hop, the interface down" \
		"seen on ppp0, but eth0 has an address in its network.*interface = eth0" "$BY_PPP; $DOWN" "$NO_PPP; $UP"
	like "$err" "address6 = fd28::2: is not on a network.*only a route leads there, via ppp0; set .gateway. interface = ppp0" \
		"first run: IPv6 loses its address with the interface"
	first "a default route without next hop, the interface gone" "only a route leads there, via ppp0" \
		"$BY_PPP; $DOWN; ip addr flush dev eth0" "$NO_PPP; ip addr add 172.28.0.3/24 dev eth0; $UP"
	first "a route alone" "seen on eth1, but eth0 has" "ip route add 172.28.0.2 dev eth1" "ip route del 172.28.0.2"
	first "a rogue lease" "address4 = 172.28.0.2: may be on eth0 and eth1, .*interface = eth0" \
		"ip addr add 172.28.0.66/25 dev eth1" "ip addr del 172.28.0.66/25 dev eth1"
	first "a rogue lease that comes first" "may be on eth1 and eth0, |may be on eth0 and eth1, " \
		"ip addr add 172.28.0.66/16 dev eth1" "ip addr del 172.28.0.66/16 dev eth1"
	first "a rogue address of IPv6" "address6 = fd28::2: may be on eth0 and eth1, " \
		"ip addr add fd28::66/64 dev eth1 nodad noprefixroute" "ip addr del fd28::66/64 dev eth1"
	first "an address of the whole internet" "only a route leads there, via eth1" \
		"ip addr del 172.28.0.3/24 dev eth0; ip addr add 9.9.9.9/0 dev eth1; ip route add 172.28.0.2 dev eth1" \
		"ip addr del 9.9.9.9/0 dev eth1; ip addr add 172.28.0.3/24 dev eth0; ip route del 172.28.0.2; $UP"
	forgotten
	ip addr add 172.28.0.3 peer 172.28.0.2/32 dev vpns1
	ip route del 172.28.0.2 dev vpns1
	ip addr add fd28::7/64 dev lo
	ip -6 route del fd28::/64 dev lo
	ok "first run: addresses of a tunnel and lo are none: up" program up
	ip addr del 172.28.0.3 peer 172.28.0.2/32 dev vpns1
	ip addr del fd28::7/64 dev lo
	is "$(readlink "$STATE_DIR/gateway4") $(readlink "$STATE_DIR/gateway6")" "172.28.0.2 eth0 fd28::2 eth0" \
		"first run: what was chosen is remembered"
	forgotten
	ini "${both_families[@]}" gateway.interface=eth0
	ip addr add 172.28.0.66/25 dev eth1
	ok "first run: interface = eth0: up" program up
	is "$(ways)" "$both" "first run: interface = eth0: clients go to the gateway"
	ip addr del 172.28.0.66/25 dev eth1
	ini "${both_families[@]}"
}

# What is remembered, and until when.
test_memory() {
	forgotten
	program up
	program down
	ip route add 172.28.0.2 dev eth1
	program up
	is "$status" 78 "remembered over down: up fails"
	like "$err" "$MOVED" "remembered over down: it says both"
	ip route del 172.28.0.2
	program up
	rm -rf "$STATE_DIR"
	ip addr add 172.28.0.66/25 dev eth1
	program up
	is "$status" 78 "the state directory gone: our route tells: up fails"
	like "$err" "$MOVED" "the state directory gone: it says both"
	ip addr del 172.28.0.66/25 dev eth1
	ok "the state directory gone: a connect" hook connect
	is "$(readlink "$STATE_DIR/gateway4")" "172.28.0.2 eth0" "the state directory gone: a connect remembers"
	ini "${both_families[@]}" session.remove_after_last=yes
	hook connect
	hook disconnect
	ip route add 172.28.0.2 dev eth1
	hook connect
	is "$status" 78 "remembered over the last session: a connect is refused"
	ip route del 172.28.0.2
	ini "${both_families[@]}" gateway.address4=192.0.2.1
	ok "another address: up" program up
	is "$(readlink "$STATE_DIR/gateway4")" "192.0.2.1 eth1" "another address: chosen anew"
	ini "${both_families[@]}"
	ok "the former address: up" program up
	is "$(readlink "$STATE_DIR/gateway4")" "172.28.0.2 eth0" "the former address: chosen anew"
	for bad in 'garbage' '172.28.0.2 ../../x' '172.28.0.2' "172.28.0.2 $(printf 'x%.0s' {1..300})"; do
		ln -sfn "$bad" "$STATE_DIR/gateway4"
		ok "'${bad:0:20}' remembers nothing: up" program up
		is "$(readlink "$STATE_DIR/gateway4")" "172.28.0.2 eth0" "'${bad:0:20}' is replaced"
	done
	ini "${both_families[@]}" gateway.interface=eth0
	ip addr add 172.28.0.66/25 dev eth1
	ok "interface = eth0: up" program up
	is "$(readlink "$STATE_DIR/gateway4")" "172.28.0.2" "interface = eth0: no choice is remembered"
	ip addr del 172.28.0.66/25 dev eth1
	ini "${both_families[@]}"
	program up
}

# It really moves: readdressed, as an admin does it.
test_move() {
	local moved
	ip addr del 172.28.0.3/24 dev eth0
	ip addr del fd28::3/64 dev eth0
	ip addr add 172.28.0.3/24 dev eth1
	ip addr add fd28::3/64 dev eth1 nodad
	program up
	is "$status" 78 "moved: up fails"
	like "$err" "$MOVED.*up --move" "moved: it says what to do"
	before=$(state)
	program up --move --dry-run
	is "$status" 0 "moved: a dry run of --move"
	like "$out" "ip -4 route add default via 172.28.0.2 dev eth1 table 100" "moved: shows the route"
	ok "moved: and does nothing" state_is "$before"
	ok "moved: up --move" program up --move
	moved=$(ways)
	is "$moved" "IPv4 eth1"$'\n'"IPv6 eth1" "moved: clients go there"
	ok "moved: a connect" hook connect
	is "$(field routing)" intact "moved: finds all in place"
	ip addr del 172.28.0.3/24 dev eth1
	ip addr del fd28::3/64 dev eth1
	ip addr add 172.28.0.3/24 dev eth0
	ip addr add fd28::3/64 dev eth0 nodad
	ip route replace default via 172.28.0.1
	ip -6 route replace default via fd28::1
	neighbours_up
	hook connect
	is "$status" 78 "moved back: a connect is refused"
	ok "moved back: up --move" program up --move
	is "$(ways)" "$both" "moved back: clients go there"
	for words in "down --move" "status --move" "check --move" "--move"; do
		# shellcheck disable=SC2086 # words
		program $words
		is "$status" 64 "$words: a usage error"
	done
}

# A network with two stations behind eth0: the gateway, and one that answers ARP and ND for it.
stations_up() {
	local name
	ip -n outside link add br0 type bridge && ip -n outside link set br0 up && ip -n outside link set eth0 master br0 || return
	for name in gw rogue; do
		ip netns add "$name" && ip netns exec "$name" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad;
			echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' &&
			ip -n outside link add "$name" type veth peer name eth0 netns "$name" &&
			ip -n outside link set "$name" master br0 up || return
	done
	ip -n gw link set eth0 address 02:00:00:00:0a:01 && ip -n gw link set eth0 up &&
		ip -n rogue link set eth0 address 02:00:00:00:0b:02 &&
		ip netns exec rogue sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6' && ip -n rogue link set eth0 up &&
		ip -n rogue addr add 172.28.0.2/24 dev eth0 && ip -n rogue addr add fd28::2/64 dev eth0 nodad &&
		bridge -n outside fdb replace 02:00:00:00:0a:01 dev gw master static &&
		bridge -n outside fdb replace 02:00:00:00:0b:02 dev rogue master static &&
		ip neigh flush dev eth0 nud permanent
}

# The kernel asks when there is something to send, and waits for the answer.
asked() {
	ip neigh flush dev eth0 nud all
	ping -c 1 -W 5 172.28.0.2 >"$OGW_WORK/ping" && ping -c 1 -W 5 fd28::2 >>"$OGW_WORK/ping"
}

neighbours() {
	ip -d neigh show dev eth0 | sed -n '/PERMANENT/s/proto ocserv-gateway/proto 111/; /PERMANENT/s/ *$//p' | sort
}

test_mac() {
	local mac=02:00:00:00:0a:01 wanted shown
	local keys=("${both_families[@]}" "gateway.mac4=$mac" "gateway.mac6=$mac")
	must "stations" stations_up
	program up
	ok "the rogue answers for the gateway" asked
	is "$(ways gw:eth0 rogue:eth0)" "IPv4 rogue"$'\n'"IPv6 rogue" "without mac: who answers gets all"

	ini "${keys[@]}"
	wanted="172.28.0.2 lladdr $mac PERMANENT proto 111"$'\n'"fd28::2 lladdr $mac PERMANENT proto 111"
	program up --dry-run
	like "$out" "ip -4 neigh replace 172.28.0.2 lladdr $mac dev eth0 nud permanent protocol 111" "mac: a dry run shows it"
	like "$out" "ip -6 neigh replace fd28::2 lladdr $mac dev eth0 nud permanent protocol 111" "mac: of IPv6 too"
	shown=$out
	program up --dry-run --diff
	like "$out" "\\+ ip -4 neigh 172.28.0.2 lladdr $mac dev eth0 nud permanent" "mac: and a diff"
	ok "mac: ip takes what the dry run says" sh -e -c "$shown"
	is "$(neighbours)" "$wanted" "mac: the neighbours are there"
	ok "mac: up" program up
	is "$out" intact "mac: finds what ip has made"
	ip neigh del 172.28.0.2 dev eth0
	ip neigh del fd28::2 dev eth0
	asked
	is "$(ways gw:eth0 rogue:eth0)" "IPv4 rogue"$'\n'"IPv6 rogue" "mac: deleted by hand: who answers gets all"
	program status
	is "$status" 1 "mac: deleted: status"
	like "$out" "problem +IPv4 neighbour .172.28.0.2 lladdr $mac dev eth0 nud permanent. is missing" "mac: deleted: status says it"
	ok "mac: deleted: a connect" hook connect
	is "$(field routing)" repaired "mac: deleted: is repaired"
	is "$(neighbours)" "$wanted" "mac: the neighbours are there again"
	is "$(ways gw:eth0 rogue:eth0)" "IPv4 gw"$'\n'"IPv6 gw" "mac: the gateway gets all, the rogue nothing"
	ip neigh change fd28::2 lladdr 02:00:00:00:0b:02 dev eth0 nud permanent
	hook connect
	like "$(field was)" "IPv6 neighbour .fd28::2 lladdr 02:00:00:00:0b:02 dev eth0 nud permanent. has another hardware address" \
		"mac: changed by hand: its log says so"
	is "$(neighbours)" "$wanted" "mac: changed by hand: is repaired"
	ip neigh add 172.28.0.9 lladdr 02:00:00:00:0b:09 dev eth0 nud permanent
	ip neigh add 172.28.0.10 lladdr 02:00:00:00:0b:09 dev eth0 nud permanent protocol 111
	ok "mac: down" program down
	is "$(neighbours)" "172.28.0.10 lladdr 02:00:00:00:0b:09 PERMANENT proto 111"$'\n'"172.28.0.9 lladdr 02:00:00:00:0b:09 PERMANENT" \
		"mac: down takes ours alone"
	ip neigh flush dev eth0 nud permanent
	ini "${keys[@]}"
	program up
	ini "${both_families[@]}"
	ok "mac: without the keys: a dry run" program up --dry-run
	like "$out" "ip -4 neigh del 172.28.0.2 dev eth0" "mac: without the keys: says what goes"
	ok "mac: without the keys: up" program up
	is "$(neighbours)" "" "mac: without the keys: they go"
	ini "${keys[@]}"
	program up
	ini "${keys[@]}" gateway.address4=172.28.0.7
	ok "mac: another address: a connect" hook connect
	is "$(neighbours)" "172.28.0.7 lladdr $mac PERMANENT proto 111"$'\n'"fd28::2 lladdr $mac PERMANENT proto 111" \
		"mac: another address: the former goes"
	program down
}

test_mac_conflicts() {
	local mac=02:00:00:00:0a:01
	local keys=("${both_families[@]}" "gateway.mac4=$mac")
	ini "${keys[@]}"
	ip neigh replace 172.28.0.2 lladdr $mac dev eth0 nud permanent
	ok "mac: somebody else's equal one serves: up" program up
	is "$(neighbours)" "172.28.0.2 lladdr $mac PERMANENT" "mac: somebody else's stays as it was"
	program down
	is "$(neighbours)" "172.28.0.2 lladdr $mac PERMANENT" "mac: and over down"
	ip neigh replace 172.28.0.2 lladdr 02:00:00:00:0b:02 dev eth0 nud permanent
	before=$(state)
	hook connect
	is "$status" 78 "mac: somebody else's other one: a connect is refused"
	like "$err" "mac4 = $mac: another program has set 02:00:00:00:0b:02 .*ip neigh del 172.28.0.2 dev eth0" "mac: it says which"
	ok "mac: nothing is done" state_is "$before"
	is "$(neighbours)" "172.28.0.2 lladdr 02:00:00:00:0b:02 PERMANENT" "mac: it stays"
	ip neigh del 172.28.0.2 dev eth0
	asked
	ok "mac: a learned one is replaced: up" program up
	is "$(neighbours)" "172.28.0.2 lladdr $mac PERMANENT proto 111" "mac: by ours"
	program down

	ini clients.subnet6= gateway.address4=203.0.113.1 gateway.interface=ppp0 gateway.mac4=$mac
	program up
	is "$status" 78 "mac: an interface without hardware addresses: up fails"
	like "$err" "mac4 = $mac: ppp0 uses no hardware addresses" "mac: it says why"
	ini gateway.mac6=$mac
	program up
	is "$status" 78 "mac6 without address6: up fails"
	like "$err" "mac6 = $mac: there is no IPv6 gateway" "mac6 without address6: it says why"
	ok "mac: nothing is done" state_is "$empty_state"
}

begin bridge ping taskset
both="IPv4 eth0"$'\n'"IPv6 eth0"
both_families=(gateway.address6=fd28::2)
must "the network" network_up
empty_state=$(state)
ini "${both_families[@]}"
must "up" program up
is "$(ways)" "$both" "clients go to the gateway"
test_attacks
test_duplicates
test_several_hops
test_first
test_memory
test_move
forgotten
program up
program down
test_mac
test_mac_conflicts
done_testing

#!/bin/bash
# What this host runs out of, or what is in the way of [gateway] ports: up, status and check say so.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# but for what an edit has changed
warnings() {
	sed -n '/warning: repaired: /d; s/^ocserv-gateway: warning: //p' <<<"$err"
}

# Sockets that wait for packets, until the test ends: PROTOCOL FAMILY ADDRESS PORT; a port of 0 is one of the kernel's.
listens() {
	local mark=$OGW_WORK/listens.$RANDOM
	python3 - "$@" "$mark" <<-'END' &
		import signal, socket, sys
		protocol, family, address, port, mark = sys.argv[1:]
		s = socket.socket(getattr(socket, family), {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[protocol])
		s.bind((address, int(port)))
		if protocol == "tcp":
		    s.listen()
		with open(mark, "w") as file:
		    file.write(str(s.getsockname()[1]))
		signal.pause()
	END
	listener=$!
	wait_for 10 test -s "$mark" && port=$(<"$mark")
}

stops() {
	kill "$listener"
	wait "$listener" 2>/dev/null
}

# each RUN says it, and none says it once the socket is closed.
LISTENERS='tcp AF_INET 0.0.0.0 40000
tcp AF_INET 172.28.0.3 32768
tcp AF_INET6 :: 60999
tcp AF_INET6 fd28::3 40001'
SILENT='tcp AF_INET 0.0.0.0 443
tcp AF_INET 0.0.0.0 32767
tcp AF_INET 0.0.0.0 61000
tcp AF_INET 127.0.0.1 40000
tcp AF_INET 127.9.9.9 40000
tcp AF_INET6 ::1 40000
tcp AF_INET6 ::ffff:127.0.0.1 40000
udp AF_INET 0.0.0.0 53'

test_listeners() {
	local socket run
	ini
	while read -r socket; do
		# shellcheck disable=SC2086
		ok "$socket: a program listens" listens $socket
		for run in up status check; do
			program $run
			is "$(warnings | grep -c "this host listens on TCP $port, within \[gateway\] ports = 32768-60999")" 1 \
				"$socket: $run warns"
		done
		stops
		program up
		is "$(warnings)" "" "$socket: nothing is said once it has ended"
	done <<<"$LISTENERS"
	while read -r socket; do
		# shellcheck disable=SC2086
		ok "$socket: a program listens" listens $socket
		program up
		is "$(warnings)" "" "$socket: nothing is said"
		stops
	done <<<"$SILENT"
}

# UDP knows no listening: a resolver's socket looks the same as a server's.
test_udp() {
	ini
	ok "a socket of UDP, on a port of the kernel's choice" listens udp AF_INET 0.0.0.0 0
	program check
	like "$err" "note: sockets of UDP $port are within" "check has a note"
	program up
	is "$(warnings)" "" "up says nothing"
	stops
	ini gateway.ports=1024-32767
	ok "a socket of UDP, on another port" listens udp AF_INET 0.0.0.0 5353
	program up
	like "$(warnings)" "this host listens on UDP 5353, within \[gateway\] ports = 1024-32767" "up warns"
	stops
	ini gateway.masquerade=no
	ok "without masquerading: a program listens" listens tcp AF_INET 0.0.0.0 40000
	program up
	is "$(warnings)" "" "without masquerading: nothing is said"
	stops
}

# Flows of a client toward one far end: SOURCE FAR-END NUMBER
flows() {
	local number
	for ((number = 1; number <= $3; number++)); do
		conntrack -I -p udp -s "$1" -d "$2" --sport "$((1000 + number))" --dport 53 -t 600 || return
	done >/dev/null 2>&1
}

test_ports() {
	ini gateway.ports=40000-40009
	# The kernel tracks nothing before somebody asks for it.
	ok "up" program up
	ok "8 flows of a client" flows 10.20.0.50 198.51.100.1 8
	ok "and of another one, toward another far end" flows 10.20.0.51 198.51.100.2 8
	program status
	is "$(warnings)" "" "8 of 10 ports: nothing is said"
	ok "one more, of another client" flows 10.20.0.52 198.51.100.1 1
	for run in up status check; do
		program "$run"
		like "$(warnings)" "clients use 9 of the 10 ports of \[gateway\] ports = 40000-40009 toward 198.51.100.1 port 53" \
			"9 of 10 ports: $run warns"
	done
	ok "flows of this host are not counted: they end" conntrack -F
	ok "9 of this host" flows 192.0.2.2 198.51.100.1 9
	program status
	is "$(warnings)" "" "nothing is said"
}

# What the kernel tracks at most belongs to the machine: it is read here, not set.
test_flows() {
	local most
	most=$(</proc/sys/net/netfilter/nf_conntrack_max)
	ini clients.flows="$most"
	program status
	like "$(warnings)" "\[clients\] flows = $most, but the kernel tracks at most $most flows, so one client can use them all up" \
		"as many flows for one client as the kernel tracks: status warns"
	ini clients.flows="$((most - 1))"
	program status
	is "$(warnings)" "" "less: nothing is said"
	ini clients.flows=no
	program status
	is "$(warnings)" "" "without a limit: nothing is said"
}

begin conntrack
test_listeners
test_udp
test_ports
test_flows
done_testing

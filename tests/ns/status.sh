#!/bin/bash
# status: what people see, once and again, and what programs read.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# A gateway that is there.
gateway_up() {
	ip netns exec outside sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6' &&
		ip -n outside addr add 172.28.0.2/24 dev eth0 &&
		ip -n outside addr add fd28::2/64 dev eth0 nodad
}

line() {	# WORD: the line of status that begins with it
	grep -m 1 "^$1 " <<<"$out"
}

metric() {	# NAME: its value
	sed -n "s/^$1 //p" <<<"$out"
}

test_gateway() {
	ini gateway.address6=fd28::2
	ok "the gateway is there" gateway_up
	hook connect
	program status
	is "$(line IPv4)" "IPv4         gateway 172.28.0.2 on eth0, answers" "the gateway answers"
	is "$(line IPv6)" "IPv6         gateway fd28::2 on eth0, answers" "by IPv6, too"
	program status --json
	is "$(jq -c '[.gateway[].answers]' <<<"$out")" "[true,true]" "status --json says so"
	program status --format=json
	is "$(jq -r .state <<<"$out")" installed "--format=json is the same"
	ip -n outside addr flush dev eth0
	ip neigh flush dev eth0
	program status
	is "$status $(line IPv4)" "1 IPv4         gateway 172.28.0.2 on eth0, does NOT answer ARP" "it is gone"
	is "$(line IPv6)" "IPv6         gateway fd28::2 on eth0, does NOT answer ND" "by IPv6, too"
	program status --json
	is "$(jq -c '[.gateway[].answers]' <<<"$out")" "[false,false]" "status --json says that, too"
}

# Each line is a comment or a metric, as the text format of Prometheus has them.
is_exposition() {
	! grep -vE '^# (HELP|TYPE) ocserv_gateway_[a-z_]+ .+$|^ocserv_gateway_[a-z_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="([^"\\]|\\.)*")*\})? [0-9]+$' \
		<<<"$out"
}

test_prometheus() {
	ini
	program up
	program status --format=prometheus
	is "$status" 1 "prometheus: status 1, for the gateway is silent"
	ok "prometheus: each line is as it must be" is_exposition
	is "$(metric 'ocserv_gateway_state{state="installed"}')" 1 "prometheus: installed"
	is "$(metric 'ocserv_gateway_state{state="degraded"}')" 0 "prometheus: not degraded"
	is "$(metric ocserv_gateway_sessions)" 1 "prometheus: a session"
	is "$(metric ocserv_gateway_problems)" 0 "prometheus: no problem"
	is "$(metric 'ocserv_gateway_gateway_answers{family="ipv4",address="172.28.0.2"}')" 0 "prometheus: no gateway"
	is "$(metric 'ocserv_gateway_rule_packets_total{chain="from_client",rule="from a client by any other route: dropped"}')" \
		0 "prometheus: no drop"
	ok "prometheus: no metric stands there twice" test -z "$(grep -v '^#' <<<"$out" | sort | uniq -d)"
	ip route flush table 100
	program status --format=prometheus
	is "$status" 1 "prometheus: with a damage status 1"
	is "$(metric 'ocserv_gateway_state{state="degraded"}')" 1 "prometheus: degraded"
	is "$(metric ocserv_gateway_problems)" 1 "prometheus: the problems are counted"
	program status --format=xml
	is "$status" 64 "another format: status 64"
	like "$err" "json or prometheus, not xml" "another format: why"
}

# What was last done to the kernel, and when.
test_changed() {
	program up
	program status
	like "$(line 'last change')" "^last change +repaired [0-9]+ (s|min) ago \(20[0-9-]+T[0-9:]+Z\)$" "a repair is told"
	program up
	program status
	like "$(line 'last change')" "repaired [0-9]" "and stays, when there is nothing to do"
	program status --json
	is "$(jq -r .changed.what <<<"$out")" repaired "status --json has it"
	ok "with its time" test "$(jq .changed.at <<<"$out")" -gt 1700000000
	program status --format=prometheus
	like "$(metric 'ocserv_gateway_changed_timestamp_seconds{what="repaired"}')" "^1[0-9]{9}$" "prometheus has it"
	ok "prometheus: each line is as it must be" is_exposition
	program down
	program status
	like "$(line 'last change')" "removed [0-9]" "so is a removal"
	rm "$STATE_DIR/change"
	program status
	is "$(line 'last change')" "" "without the file nothing is told"
	ln -s "nonsense" "$STATE_DIR/change"
	program status
	is "$(line 'last change')" "" "nor with nonsense in it"
}


problems() {	# of the screen, without the label
	sed -n 's/^problem  *//p' <<<"$out"
}

alone() {	# REGEX: the one problem of the screen
	[ "$(problems | grep -c .)" = 1 ] && problems | grep -q "$1"
}

# json FILTER: of status --json
json() {
	program status --json
	jq -c "$1" <<<"$out"
}

# Both layers, each by itself.
layers() {
	sed -n 's/^routing  *//p; s/^kill switch  *//p' <<<"$out" | paste -sd '|'
}

layers_are() {	# WANTED DESCRIPTION: now
	program status
	is "$(layers)" "$1" "$2"
}

start() {	# all is installed, without sessions, and the gateways are there
	clear_state >/dev/null
	gateways_known
	rm -rf "$STATE_DIR"
	ini "$@"
	program up
}

test_layers() {
	start
	layers_are "policy rules and routes complete|complete" "both layers are complete"
	is "$(json .layers)" '{"routing":"complete","kill_switch":"complete"}' "status --json says so"
	ip rule del priority 1000
	layers_are "1 problem in policy rules and routes|complete" "a rule is missing: the kill switch is complete"
	is "$(json .layers)" '{"routing":"altered","kill_switch":"complete"}' "status --json says so"
	ip rule del priority 999
	nft flush chain inet ocserv_gw postrouting
	layers_are "2 problems in policy rules and routes|altered, 1 problem" "both are damaged"
	is "$(json '.problems | length')" 3 "status --json has the problems of both"
	program up
	nft flush ruleset
	layers_are "policy rules and routes complete|missing" "nft is flushed: routing is complete"
	program up
	ip rule flush protocol 111
	ip -6 rule flush protocol 111
	ip route flush table 100
	layers_are "missing|complete" "routing is flushed: the kill switch is complete"
	is "$(json '.state, .layers.routing' | tr '\n' ' ')" '"degraded" "missing" ' "status --json says so"
	nft flush ruleset
	layers_are "missing|missing" "nothing is there"
	is "$status $(line state)" "1 state        absent" "which is called absent"
	is "$(problems)" "" "without a list of all that is missing"
	like "$(json '.problems | length')" '^[1-9]' "which status --json has"
	ini session.remove_after_last=yes
	program status
	is "$status" 0 "absence is right where the last session removes all"
	echo '; nothing' >"$INI"
	layers_are "none|none" "without a gateway nothing is wanted"
	is "$status $(line state)" "0 state        off" "which is called off"
	start
	echo '; nothing' >"$INI"
	program status
	like "$(layers)" '^[0-9]+ problems in policy rules and routes\|altered, 1 problem$' "but all is there"
	is "$status $(line state)" "1 state        degraded" "which is wrong"
	start
	ip route add default dev lo table 100 protocol static metric 7
	layers_are "1 problem in policy rules and routes|complete" "a foreign route is in conflict: that is routing's"
	is "$status $(line state)" "1 state        degraded" "and wrong"
	ip route del default dev lo table 100 metric 7
	WRAP=(strace -o /dev/null -e inject=sendto:error=ENOBUFS:when=3)
	captured env "${ENVIRONMENT[@]}" "${WRAP[@]}" "$OGW_PROGRAM" status
	WRAP=()
	is "$(layers)" "unknown|unknown" \
		"the kernel does not tell: both are unknown"
	like "$(problems)" "^can't read the policy rules: " "the problem says so"
}

# With the addresses and routes that it loses when it goes down.
gateway_interface_up() {
	ip link set eth0 up && ip addr add fd28::3/64 dev eth0 nodad && ip addr add fe80::3/64 dev eth0 nodad &&
		ip route add default via 172.28.0.1 && ip route add default via fd28::1 && wait_for 10 carriers_seen
}

# Without the gateway's interface the rest is compared all the same.
test_lost_gateway() {
	local why='is not on a network of this host'
	start
	ip link set eth0 down
	layers_are "1 problem in policy rules and routes|complete" "the gateway's interface is down: the kill switch is complete"
	ok "that is the one problem" alone "$why"
	is "$status $(line state)" "1 state        degraded" "the state is degraded"
	is "$(line IPv4)" "IPv4         gateway 172.28.0.2 is unreachable (no route)" "the gateway can't be reached"
	is "$(json '.problems | length')" 1 "status --json has one problem"
	program up
	is "$status" 78 "up refuses"
	like "$err" "$why" "and says why"
	hook connect
	is "$status" 78 "so does a connect hook"
	unlike "$err" "altered|missing" "it says nothing else"
	nft add rule inet ocserv_gw forward counter comment '"of somebody else"'
	ip rule del priority 999
	layers_are "2 problems in policy rules and routes|altered, 1 problem" "what else is wrong is told, too"
	like "$(problems)" "\"of somebody else\" \(handle [0-9]+\) does not belong there" "a foreign rule"
	like "$(problems)" "priority 999 .* is missing" "a missing one"
	ok "the interface is up again" gateway_interface_up
	start
	nft -a list chain inet ocserv_gw from_client >"$OGW_WORK/chain"
	nft replace rule inet ocserv_gw from_client \
		handle "$(sed -n 's/.*IPv4 to the gateway.*# handle //p' "$OGW_WORK/chain")" \
		oifname eth1 rt ip nexthop 172.28.0.2 counter accept comment '"IPv4 to the gateway 172.28.0.2: let through"'
	ip link set eth0 down
	program status
	like "$(layers)" "\|altered, [1-9]" "two interfaces in the kill switch can't both be the gateway's"
	nft flush ruleset
	ip rule flush protocol 111
	ip -6 rule flush protocol 111
	layers_are "missing|missing" "nothing is installed"
	is "$status $(line state)" "1 state        absent" "it is not called degraded"
	ok "there is the one problem" alone "$why"
	ini session.remove_after_last=yes
	program status
	is "$status" 1 "which stays one where absence is right"
	ok "the interface is up again" gateway_interface_up
	start gateway.address6=fd28::2
	ok "all is there again, by IPv6, too" program status
	ip -6 addr flush dev eth0 scope global
	ip -6 route del default
	layers_are "1 problem in policy rules and routes|complete" "the way to the IPv6 gateway alone is lost"
	ok "that is the one problem" alone "fd28::2: $why"
	ip addr add fd28::3/64 dev eth0 nodad
	ip route add default via fd28::1
	ini gateway.address6=fd28::2 gateway.interface=eth9
	layers_are "1 problem in policy rules and routes|complete" "both gateways are to be on an interface that is not there"
	ok "that is the one problem" alone "eth9: there is no such interface"
	start
	ini gateway.interface=eth9
	layers_are "1 problem in policy rules and routes|complete" "the configuration names another interface: the rest is complete"
	ok "that is the one problem" alone "eth9: there is no such interface"
	ini gateway.address4=172.28.0.3
	program status
	is "$(line IPv4)" "IPv4         gateway 172.28.0.3 is unreachable (no route)" "an address of this host is no gateway"
	ini gateway.interface=eth9
	ip route add default via 172.28.0.9 dev eth0 table 100 protocol 111 metric 9
	program status
	like "$(layers)" "^2 problems" "a route to another gateway is told"
}

# frames NUMBER: of 1000 bytes, from the far end of vpns0
frames() {
	ip netns exec outside python3 - "$1" <<-'END'
		import socket, sys
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind(("vpns0", 0))
		for i in range(int(sys.argv[1])):
		    s.send(b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5" + bytes(986))
	END
}

device_bytes() {	# of vpns0, as ip(8) tells
	ip -s -j link show vpns0 | jq -c '.[0].stats64 | [.rx.bytes, .tx.bytes]'
}

bytes_seen() {
	[ "$(json '.sessions[] | select(.user == "alice") | [.bytes_in, .bytes_out]')" = "$(device_bytes)" ] &&
		[ "$(device_bytes | jq '.[0]')" -ge 100000 ]
}

row() {	# WORD: the row of the sessions that begins with it
	grep -m 1 "^  $1" <<<"$out"
}

test_sessions() {
	local heading
	start
	program status
	unlike "$out" "live session" "without a session there is no table of them"
	like "$(head -n 1 <<<"$out")" "^clients +nobody is connected; they would " "the first line says so"
	ok "alice connects" hook connect
	program status
	like "$out" $'\n''1 live session'$'\n' "one is told as one"
	program down
	like "$err" "warning: 1 live session now leaves via this host's own route" "so it is by down"
	worker_start
	ok "somebody connects" hook connect ID="$worker" USERNAME=$'m\e[31m\n "x" \xc3\xa9' GROUPNAME= DEVICE=vpns1 \
		IP_REMOTE=10.20.0.51 IPV6_REMOTE=
	ok "many bytes come from alice" frames 200
	ok "status --json has them, and what went to her" wait_for 10 bytes_seen
	wide_status
	like "$out" $'\n''2 live sessions'$'\n' "two are counted"
	heading=$(grep -m 1 '^  user ' <<<"$out")
	like "$heading" '^  user +group  IPv4 +IPv6 +device  real address +connected +from client  to client$' "the table has a heading"
	like "$(row alice)" '^  alice +staff  10\.20\.0\.50  fd20::50  vpns0   198\.51\.100\.11  [0-9]+ (s|min) +19[0-9]\.[0-9] KiB +[0-9.]+ (K?i?B)$' \
		"alice's row"
	like "$(row '"m')" '^  "m\\x1b\[31m\\x0a \\"x\\" \.\.\.  -      10\.20\.0\.51  -         vpns1 ' \
		"a hostile name stays in its cell, and is cut; what is not there is a dash"
	is "$(awk '/^  user /{ on = 1; place = index($0, "device") } on && /^$/ { exit } on { print substr($0, place, 4) }' <<<"$out" |
		paste -sd ' ')" "devi vpns vpns" "the columns are aligned"
	is "$(grep -c $'\e' <<<"$out")" 0 "no escape sequence gets out"
	program down
	like "$err" "warning: 2 live sessions now leave via this host's own route" "down counts them"
	renamed vpns1 gone
	is "$(json '.sessions[] | select(.user != "alice") | [.bytes_in, .bytes_out]')" "[null,null]" "a device is gone: null"
	wide_status
	like "$(row '"m')" ' - +-$' "for people a dash"
	renamed gone vpns1
	ok "a record has a long name" sed -i 's/device=vpns1/device=vpns1234567890123456/' "$STATE_DIR/sessions/$worker"
	is "$(json '.sessions[] | select(.user != "alice") | [.device, .bytes_in]')" '["vpns1234567890123456",null]' \
		"which no device can have"
	worker_stop "$worker"
}

# section TITLE: the counters under it
section() {
	awk -v title="$1" '$0 ~ "^ +packets .*  " title "$" { on = 1; next } /^$/ { on = 0 } on' <<<"$out"
}

test_counters() {
	start
	nft add rule inet ocserv_gw forward counter comment '"of somebody else"'
	nft add rule inet ocserv_gw forward counter
	wide_status -v
	like "$(section stopped)" '^ +0 +0 B  prerouting +from a client, unpacked by a tunnel' "what stops has its place"
	like "$(section stopped)" ': rejected' "what rejects, too"
	unlike "$(section stopped)" 'let through|our address|somebody' "and nothing else is there"
	is "$(section 'let through' | grep -vc ': let through$')" 0 "what lets through has its own"
	like "$(section 'other rules')" "clients in 10.20.0.0/24 get this host's address" "so have others"
	like "$(section 'other rules')" 'forward +of somebody else'$'\n''.*forward +without a comment' "foreign ones, too"
	nft 'add rule inet ocserv_gw forward ip saddr 203.0.113.9 counter drop comment "of another: let through"'
	wide_status -v
	like "$(section stopped)" 'of another: let through' "a rule is told by its verdict, whatever its comment says"
	is "$(grep -c ' B  [a-z]' <<<"$out")" "$(nft list table inet ocserv_gw | grep -c 'counter packets')" "none is left out"
	program status
	is "$(section stopped)$(section 'other rules')" "" "what has counted nothing is shown with -v alone"
}

# on_terminal [VARIABLE=VALUE]: status, as a terminal shows it
on_terminal() {
	out=$(script -qec "stty cols 200 rows 50; env OCSERV_GATEWAY_CONFIG=$INI $* $OGW_PROGRAM status" /dev/null | tr -d '\r')
}

test_short() {
	local clients="clients reach the gateway 172.28.0.2 via eth0"
	start
	hook connect
	program status --short
	is "$status $out" "0 ocserv-gateway: $clients; 1 session; kill switch complete" "short: one line"
	gateways_known
	start gateway.address6=fd28::2
	hook connect
	program status -s
	is "$out" "ocserv-gateway: $clients and fd28::2 via eth0; 1 session; kill switch complete" "short: both families"
	nft flush chain inet ocserv_gw postrouting
	program status --short
	like "$status $out" "^1 ocserv-gateway: .*; 1 session; kill switch altered; 2 problems$" "short: a damage"
	echo 0 >/proc/sys/net/ipv4/ip_forward
	program up
	program status --short
	like "$status $out" "^1 ocserv-gateway: clients IPv4: have NO internet: IPv4 forwarding is off" "short: what clients have"
	is "$(wc -l <"$OGW_WORK/stdout") $err" "1 " "short: nothing beside the line"
	echo 1 >/proc/sys/net/ipv4/ip_forward
	program down
	program status --short
	like "$status $out" "^1 ocserv-gateway: clients LEAK .*; 1 session; kill switch missing$" "short: nothing is installed"
	echo '; nothing' >"$INI"
	program status --short
	unlike "$status $out" "kill switch" "short: none is wanted"
	ini gateway.address4=not-one
	program status --short
	is "$status $out" "78 " "short: a wrong configuration"
}

# status_at COLUMNS [OPTION...]
status_at() {
	captured env -i "${ENVIRONMENT[@]}" COLUMNS="$1" "$OGW_PROGRAM" status "${@:2}"
	is "$(awk -v most="$1" 'length > most' <<<"$out")" "" "$*: each line fits"
}

test_width() {
	start gateway.address6=fd28::2
	hook connect USERNAME=somebody.with.a.long.name
	ip route flush table 100
	nft flush chain inet ocserv_gw postrouting
	status_at 80 -v
	like "$out" $'\n''  user +IPv4 +' "at 80 columns a session is a row"
	status_at 40
	like "$out" $'\n''  somebody\.with\.a.*group staff'$'\n''    IPv4 .*'$'\n''.*to client [0-9]' \
		"at 40 columns a session is a block of lines"
	like "$out" $'\n''problem      IPv4 route .*'$'\n''             ' "a problem is wrapped"
	status_at 40 -v
	program status
	like "$out" $'\n''problem      IPv4 route [^'$'\n'']* is missing'$'\n' "where nobody says how wide, a problem is one line"
}

test_colours() {
	start
	hook connect
	on_terminal
	like "$out" $'\nstate        \e\\[32minstalled\e\\[0m\n' "a terminal gets colours: installed is green"
	like "$out" $'\n\e\\[1m  user +group ' "headings are bold"
	ip route flush table 100
	on_terminal
	like "$out" $'\nstate        \e\\[31mdegraded\e\\[0m\n' "degraded is red"
	like "$out" $'\nproblem      \e\\[31mIPv4 route .* is missing\e\\[0m\n' "so are problems"
	on_terminal NO_COLOR=1
	unlike "$out" $'\e' "not where colours are not wanted"
	program status
	unlike "$out" $'\e' "nor elsewhere"
}

# watched [OPTION...]: status --watch into $screens, in the background
watched() {
	screens=$OGW_WORK/screens
	: >"$screens"
	env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" status "${@:---watch=1}" >"$screens" 2>"$OGW_WORK/watch.err" &
	watching=$!
}

shown() {	# NUMBER PATTERN: screens with such a line
	[ "$(grep -cE "$2" "$screens")" -ge "$1" ]
}

ended() {	# SIGNAL: sets $status
	kill "-$1" "$watching"
	wait "$watching"
	status=$?
}

# Side by side, since each takes longer than a run may.
test_deadline() {
	local slow
	start
	watched --watch=6
	env -i "${ENVIRONMENT[@]}" strace -o /dev/null -e inject=recvmmsg:delay_enter=6000000:when=2 "$OGW_PROGRAM" status \
		>/dev/null 2>"$OGW_WORK/slow.err" &
	slow=$!
	ok "watch: time between two screens is not that of a run" wait_for 20 shown 2 '^state +installed'
	ended TERM
	is "$status" 0 "watch: it lives still"
	wait "$slow"
	is "$?" 75 "the kernel does not answer: the time of a run ends"
	like "$(<"$OGW_WORK/slow.err")" "gave up after 5 seconds" "and it says so"
}

test_watch() {
	start
	watched
	ok "watch: a screen" wait_for 10 shown 1 '^state +installed'
	ip route flush table 100
	ok "watch: another shows a damage" wait_for 10 shown 1 '^state +degraded'
	is "$(grep -B 1 '^clients' "$screens" | sed -n 3p)/$(head -n 1 "$screens" | cut -c1-8)" "/clients " "watch: an empty line stands between"
	is "$(grep -c $'\e' "$screens")" 0 "watch: without escape sequences where there is no terminal"
	ended TERM
	is "$status" 1 "watch: SIGTERM ends it with the status of the last screen"
	program up
	watched -w1
	ok "watch: a screen" wait_for 10 shown 1 '^state +installed'
	ini gateway.address4=not-one
	ok "watch: an error in the configuration is told" wait_for 10 grep -q 'address4 = not-one' "$OGW_WORK/watch.err"
	ini gateway.address4=172.28.0.7
	ok "watch: the next screen has the new configuration" wait_for 10 shown 1 '^IPv4 +gateway 172.28.0.7 '
	ini
	ok "watch: and again" wait_for 10 shown 2 '^state +installed'
	# More than the five seconds of a run.
	ok "watch: it has no end of its own" wait_for 20 shown 8 '^state +installed'
	ended INT
	is "$status" 0 "watch: SIGINT ends it, with 0 where all is well"
	watched --watch
	ok "watch: without a number" wait_for 10 shown 2 '^state +installed'
	ended TERM
}

# The program's exit status after Ctrl-C on a terminal, once it has shown two screens, and what it wrote.
watch_on_terminal() {
	env "${ENVIRONMENT[@]}" timeout "30${OGW_SLOW:+0}" python3 - "$OGW_PROGRAM" status --watch=1 <<-'END'
		import os, pty, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], sys.argv[1:])
		said = b""
		while said.count(b"state ") < 2:
		    said += os.read(fd, 65536)
		os.write(fd, b"\x03")
		try:
		    while more := os.read(fd, 65536):
		        said += more
		except OSError:
		    pass
		print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), repr(said))
	END
}

# The same after SIGTERM, while it writes to a pipe that is full.
watch_into_pipe() {
	env "${ENVIRONMENT[@]}" timeout "30${OGW_SLOW:+0}" python3 - "$OGW_PROGRAM" status --watch=1 <<-'END'
		import fcntl, os, subprocess, sys, time
		reader, writer = os.pipe()
		fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
		watch = subprocess.Popen(sys.argv[1:], stdout=writer)
		while "pipe" not in open(f"/proc/{watch.pid}/wchan").read():
		    time.sleep(0.05)
		watch.terminate()
		print("status", watch.wait())
	END
}

test_watch_output() {
	start
	ok "watch: on a terminal" captured watch_on_terminal
	like "$out" '^status 0 ' "watch: Ctrl-C ends it with the status of the last screen"
	like "$out" "x1b\\[H.x1b\\[Jclients .*x1b\\[H.x1b\\[Jclients " "watch: each screen is in place of the one before"
	ok "watch: into a full pipe" captured watch_into_pipe
	is "$out" "status 0" "watch: SIGTERM ends it"
	is "$(timeout "30${OGW_SLOW:+0}" env "${ENVIRONMENT[@]}" "$OGW_PROGRAM" status --watch=1 >/dev/full; echo $?)" 0 \
		"watch: it ends where it can't write"
}

# The screens of a window that gets other sizes: how many lines each has, its first word, and its last line.
watch_in_windows() {	# ROWSxCOLUMNS...
	env "${ENVIRONMENT[@]}" NO_COLOR=1 timeout "30${OGW_SLOW:+0}" python3 - "$@" "$OGW_PROGRAM" status --watch=3600 <<-'END'
		import fcntl, os, pty, struct, sys, termios
		sizes = [tuple(map(int, size.split("x"))) for size in sys.argv[1:-3]]
		def resize(fd, size):
		    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
		reader, writer = os.pipe()
		pid, fd = pty.fork()
		if pid == 0:
		    os.read(reader, 1)
		    os.execv(sys.argv[-3], sys.argv[-3:])
		resize(fd, sizes[0])
		os.write(writer, b"x")
		for i, size in enumerate(sizes):
		    if i:
		        resize(fd, size)
		    said = b""
		    while not said.endswith((b"more lines\r\n", b"the end\r\n")):
		        said += os.read(fd, 65536)
		    lines = said.decode().split("\x1b[H\x1b[J")[-1].replace("\x1b[0m", "").split("\r\n")[:-1]
		    print(len(lines), lines[0].split()[0], max(map(len, lines)) <= size[1], lines[-1])
		os.write(fd, b"\x03")
		print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
}

test_window() {
	start
	hook connect
	# A rule of somebody else, whose counter is the last line.
	nft add rule inet ocserv_gw forward ip saddr 10.99.0.0/24 counter packets 1 bytes 1 comment '"the end"'
	ok "window: it is watched" captured watch_in_windows 12x80 40x90 8x40
	is "$(sed -n 1p <<<"$out" | sed 's/[0-9]* more/N more/')" "11 clients True ... N more lines" "window: its top is shown, and what is left out is told"
	like "$(sed -n 2p <<<"$out")" "^[12][0-9] clients True .* forward +the end$" "window: a larger one has all at once"
	is "$(sed -n 3p <<<"$out" | sed 's/[0-9]* more/N more/')" "7 clients True ... N more lines" "window: a smaller one has less at once"
	is "$(tail -n 1 <<<"$out")" 1 "window: the exit status"
}

rates_shown() {
	frames 50
	shown 1 '^  alice .* [0-9.]+ KiB/s +[0-9.]+ K?i?B/s +[1-9][0-9]*$'
}

test_rates() {
	start
	hook connect
	watched
	ok "rates: of a session" wait_for 10 rates_shown
	ok "rates: of the gateway's interface" shown 1 '^traffic +eth0: in [0-9.]+ K?i?B/s, [0-9]+ packets/s; out [0-9.]+ K?i?B/s, '
	like "$(grep -m 1 '^  alice' "$screens")" " - +- +-$" "rates: none on the first screen"
	ended TERM
	program status
	unlike "$out" "/s" "rates: where it is watched alone"
}

test_watch_usage() {
	program status --watch --json
	is "$status" 64 "watch: with --json is wrong usage"
	like "$err" "watch can't be combined with --json" "watch: and why"
	program status --format=prometheus -w
	is "$status" 64 "watch: with --format, too"
	program status --watch=0
	is "$status" 64 "watch: 0 seconds is wrong usage"
	like "$err" "1 to 86400, not 0" "watch: and why"
}

begin script strace
test_gateway
test_prometheus
test_changed
test_layers
test_lost_gateway
test_sessions
test_counters
test_short
test_width
test_colours
test_deadline
test_watch
test_watch_output
test_window
test_rates
test_watch_usage
done_testing

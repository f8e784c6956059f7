# shellcheck shell=bash
# A host with two uplinks and two tunnels, for tests that run the program by
# hand, without ocserv. Needs sandbox.sh and tap.sh.
#
#   eth0          172.28.0.3/24  fd28::3/64  fe80::3/64   to the gateway, .2 and ::2
#   eth1          192.0.2.2/24   2001:db8:192::2/64       the second uplink
#   vpns0, vpns1  10.20.0.1      fd20::1                  tunnels, as ocserv makes them
#
# The host is the sandbox's own network namespace; the far ends of its links
# are in namespace `outside`.

. "${BASH_SOURCE[0]%/*}/check.sh"

OGW_TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
if [ -z "${OGW_PROGRAM:-}" ]; then
	OGW_PROGRAM=$OGW_TOP/_build/src/ocserv-gateway
fi
CONFIGURATIONS=$OGW_TOP/tests/ns/configurations
INI=$OGW_WORK/gateway.ini
# shellcheck disable=SC2034
STATE_DIR=/run/ocserv-gateway
SYSLOG=$OGW_WORK/syslog

# The program's own variables, of every run.
ENVIRONMENT=(PATH="$PATH" OCSERV_GATEWAY_CONFIG="$INI" ASAN_OPTIONS="${ASAN_OPTIONS:-}"
	UBSAN_OPTIONS="${UBSAN_OPTIONS:-}")
# What functions hand to their callers.
# shellcheck disable=SC2034
out='' err='' status='' events='' worker='' logged=''

tap_context() {
	diag "last run of the program: exit status $status"
	[ -z "$out" ] || diag "stdout:
$(head -n 40 <<<"$out")"
	[ -z "$err" ] || diag "stderr:
$(cut -c1-2000 <<<"$err" | head -n 40)"
}

begin() {
	local tool
	for tool in nft ip jq python3 setpriv "$@"; do
		command -v "$tool" >/dev/null || skip_all "needs $tool"
	done
	must "the program is built: $OGW_PROGRAM" test -x "$OGW_PROGRAM"
	must "the host is up" host_up
	empty_state=$(state)
}

# The settings of a machine on which nothing is wrong.
host_settings() {
	# shellcheck disable=SC2016
	sh -c 'for setting; do
		echo "${setting#*=}" >"/proc/sys/net/${setting%%=*}" || exit
	done' sh ipv6/conf/all/accept_dad=0 ipv6/conf/default/accept_dad=0 \
		ipv6/conf/default/accept_ra=0 ipv6/conf/default/addr_gen_mode=1 \
		ipv4/ip_forward=1 ipv6/conf/all/forwarding=1
}

# The far ends say nothing by themselves.
host_up() {
	ip netns add outside && ip netns exec outside "$OGW_FRESH_NETWORK" && ip netns exec outside \
		sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' &&
		host_settings && host_links && wait_for 10 carriers_seen
}

host_links() {
	local link number=0 commands=()
	for link in eth0 eth1 vpns0 vpns1; do
		number=$((number + 1))
		commands+=("link add $link address 02:00:00:00:00:0$number type veth peer name $link netns outside"
			"link set $link up")
	done
	ip -batch - <<-END || return
		$(printf '%s\n' "${commands[@]}")
		addr add 172.28.0.3/24 dev eth0
		addr add fd28::3/64 dev eth0 nodad
		addr add fe80::3/64 dev eth0 nodad
		addr add 192.0.2.2/24 dev eth1
		addr add 2001:db8:192::2/64 dev eth1 nodad
		addr add 10.20.0.1 peer 10.20.0.50/32 dev vpns0
		addr add fd20::1/128 dev vpns0 nodad
	END
	ip -n outside -batch - <<<"$(printf 'link set %s up\n' eth0 eth1 vpns0 vpns1)" &&
		ip route add default via 172.28.0.1 &&
		ip route add default via fd28::1
}

# client_end_up NAME TUNNEL NUMBER: the client's end of its tunnel, in a namespace of its own. A tunnel of ocserv's has no
# neighbours to ask.
client_end_up() {
	local own=02:00:00:00:00:03 its=02:00:00:00:03:03
	ip link set "$2" address "$own" && ip netns add "$1" && ip netns exec "$1" "$OGW_FRESH_NETWORK" &&
		ip -n outside link set "$2" netns "$1" && ip -n "$1" -batch - <<-END && ip -batch - <<-END
			link set $2 address $its up
			addr add 10.20.0.$3/32 dev $2
			addr add fd20::$3/128 dev $2 nodad
			route add 10.20.0.1 dev $2
			route add default via 10.20.0.1 dev $2
			route add fd20::1 dev $2
			route add default via fd20::1 dev $2
			neigh replace 10.20.0.1 lladdr $own dev $2 nud permanent
			neigh replace fd20::1 lladdr $own dev $2 nud permanent
		END
			addr replace 10.20.0.1 peer 10.20.0.$3/32 dev $2
			addr replace fd20::1/128 dev $2 nodad
			route add fd20::$3 dev $2
			neigh replace 10.20.0.$3 lladdr $its dev $2 nud permanent
			neigh replace fd20::$3 lladdr $its dev $2 nud permanent
		END
}

# As if the gateways had answered: their link-layer addresses are known.
gateways_known() {
	local gateway
	for gateway in 172.28.0.2 172.28.0.4 fd28::2 fd28::4 fe80::2; do
		ip neigh replace "$gateway" lladdr 02:00:00:00:01:01 dev eth0 nud permanent || return
	done
}

# Until a link's carrier is noticed, its routes are called linkdown.
carriers_seen() {
	local routes
	routes=$(ip route show table all; ip -6 route show table all)
	[[ $routes != *linkdown* ]]
}

# renamed INTERFACE NAME: with its addresses. Before Linux 6.2 only one that is down gets another name.
renamed() {
	echo 1 >"/proc/sys/net/ipv6/conf/$1/keep_addr_on_down" && ip link set "$1" down && ip link set "$1" name "$2" &&
		ip link set "$2" up && wait_for 10 carriers_seen
}

# configuration NAME: $INI is that of tests/ns/configurations/
configuration() {
	install -m 600 "$CONFIGURATIONS/$1.ini" "$INI"
}

# ini [SECTION.KEY=VALUE...]: $INI is the example of README.md with these
# changes; an empty value takes a key out
ini() {
	local each section
	local -A value=([clients.subnet4]=10.20.0.0/24
		[clients.subnet6]=fd20::/64 [gateway.address4]=172.28.0.2)
	for each; do
		value[${each%%=*}]=${each#*=}
	done
	rm -f "$INI"
	for section in clients gateway killswitch session log; do
		echo "[$section]"
		for each in "${!value[@]}"; do
			[ "${each%%.*}" != "$section" ] || [ -z "${value[$each]}" ] ||
				echo "${each#*.} = ${value[$each]}"
		done
	done >"$INI"
	chmod 600 "$INI"
}

# ini_value KEY DEFAULT: of $INI
ini_value() {
	local value
	value=$(sed -n "s/^$1 *= *//p" "$INI")
	echo "${value:-$2}"
}

# captured COMMAND...: sets $status, $out and $err
captured() {
	"$@" >"$OGW_WORK/stdout" 2>"$OGW_WORK/stderr" </dev/null
	status=$?
	out=$(<"$OGW_WORK/stdout")
	err=$(<"$OGW_WORK/stderr")
	return "$status"
}

# program [OPTION...] [VERB]; what check writes to stderr as_logged
program() {
	captured env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" "$@"
	[[ " $* " != *" check "* ]] || err=$(as_logged <<<"$err")
	return "$status"
}

wide_status() {	# [OPTION...]: with each column that it has
	captured env -i "${ENVIRONMENT[@]}" COLUMNS=200 "$OGW_PROGRAM" status "$@"
}

# What ocserv hands to a hook; a variable given again wins. The worker of this
# session is the test itself, which lives.
SESSION=(ID=$$ USERNAME=alice GROUPNAME=staff VHOST=default DEVICE=vpns0
	IP_REAL=198.51.100.11 IP_REAL_LOCAL=172.28.0.3 IP_LOCAL=10.20.0.1
	IP_REMOTE=10.20.0.50 IPV6_LOCAL=fd20::1 IPV6_REMOTE=fd20::50 IPV6_PREFIX=128
	HOSTNAME=phone REMOTE_HOSTNAME=phone USER_AGENT="AnyConnect compatible")
# Before the program, such as a tracer.
WRAP=()

# hook REASON [VARIABLE=VALUE...] [-- OPTION...]
hook() {
	local reason=$1 variables=()
	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		variables+=("$1")
		shift
	done
	captured env -i "${ENVIRONMENT[@]}" "${SESSION[@]}" REASON="$reason" \
		"${variables[@]}" "${WRAP[@]}" "$OGW_PROGRAM" "${@:2}"
}

# field KEY: of the last key=value line on stderr that has it
field() {
	local value
	value=$(sed -n "s/.* $1=\(\"[^\"]*\"\|[^ ]*\).*/\1/p" <<<"$err" | tail -n 1)
	value=${value#\"}
	echo "${value%\"}"
}

# nftables without counters, and without what packets have put into sets.
listed_ruleset() {
	nft -s list ruleset | sed -e '/^\tset clients[46] {/,/^\t}/b' -e '/^\t\telements = {.*}$/d' -e '/^\t\telements = {/,/}$/d'
}

# The kernel's state in one text, as far as we could have a hand in it.
state() {
	local family
	{
		for family in 4 6; do
			ip "-$family" -batch - <<<"rule show
route show table all"
		done
		listed_ruleset
	} | grep -v ' table local '
}

# A name for protocol 111, if the machine has one, is taken away.
routing_numbers() {
	sed 's/proto ocserv-gateway/proto 111/; s/ *$//'
}

# readable_state TABLE: what README and the seed page show of it
readable_state() {
	local family
	for family in 4 6; do
		echo "ip -$family rule"
		ip "-$family" rule | routing_numbers
		echo "ip -$family route show table $1"
		ip "-$family" route show table "$1" 2>/dev/null | routing_numbers
	done
	echo "nft list ruleset"
	nft -s list ruleset
}

# same WANTED GOT: else the difference
same() {
	[ "$1" = "$2" ] && return
	diff <(printf '%s\n' "$1") <(printf '%s\n' "$2")
	return 1
}

# state_is WANTED
state_is() {
	same "$1" "$(state)"
}

# refuses REGEX COMMAND...: with status 78 and one line that says it, untouched
refuses() {
	local words=$1 before
	shift
	before=$(state)
	"$@"
	[ "$status" = 78 ] && [[ $err =~ $words ]] && state_is "$before"
}

# Takes away whatever a test may have left but the host's own; says what else is
# there if that is not enough.
clear_state() {
	local family
	nft flush ruleset
	for family in 4 6; do
		ip "-$family" -force -batch - <<-END 2>/dev/null
			nexthop flush
			rule flush
			rule add priority 0 lookup local protocol kernel
			rule add priority 32766 lookup main protocol kernel
			$([ "$family" = 6 ] || echo "rule add priority 32767 lookup default protocol kernel")
			route flush table all proto 111
			route flush table 100
			route flush table 101
			route flush table 200
		END
	done
	state_is "$empty_state"
}

# entries: `vpns0 10.20.0.50 nl` of each session in the kernel, in order
entries() {
	nft -j list table inet ocserv_gw 2>/dev/null | jq -r '.nftables[].map | select(. != null and (.name | startswith("session"))) |
		.elem // [] | .[] | "\(.[0].concat[0]) \(.[0].concat[1]) \(.[1].goto.target | ltrimstr("to_"))"' | sort
}

# our_rules FAMILY: the policy rules of protocol 111 as words of `ip rule add`
our_rules() {
	ip "-$1" rule show | routing_numbers |
		sed -n 's/^\([0-9]*\):\t\(.* proto 111\)$/priority \1 \2/p'
}

# events_of COMMAND...: what ip and nft monitor report meanwhile in $events.
# An event of our own making before and after it says that they listen.
events_of() {
	local pids
	: >"$OGW_WORK/events"
	ip monitor rule route >"$OGW_WORK/ip.events" 2>&1 &
	pids=$!
	nft monitor >"$OGW_WORK/nft.events" 2>&1 &
	pids+=" $!"
	wait_for 10 events_marked 30001 || return
	# The other monitor may have seen more than one mark by now.
	wait_for 10 events_marked 30002 || return
	"$@"
	wait_for 10 events_marked 30003 || return
	# shellcheck disable=SC2086
	kill $pids && wait $pids
	# shellcheck disable=SC2034
	events=$(events_between ip.events; events_between nft.events)
}

events_mark() {
	ip rule add priority "$1" to 127.0.0.9 lookup main &&
		ip rule del priority "$1" &&
		nft "add table ip mark$1; delete table ip mark$1"
}

events_marked() {
	events_mark "$1" &&
		grep -q "^Deleted $1:" "$OGW_WORK/ip.events" &&
		grep -q "^delete table ip mark$1" "$OGW_WORK/nft.events"
}

# What lies between the marks, without what belongs to them.
events_between() {
	sed -e '1,/30002/d' -e '/30003/,$d' "$OGW_WORK/$1" | awk '
		/3000[123]/ { mark = 1; next }
		!/^# new generation/ || !mark { print }
		{ mark = 0 }'
}

# Sessions' workers: processes that do nothing.
worker_start() {
	sleep infinity &
	# shellcheck disable=SC2034
	worker=$!
}

worker_stop() {
	kill "$1"
	wait "$1" 2>/dev/null
	return 0
}

# Sessions A, B, ...: workers that live. `start A` sets $A to its pid.
start() {
	local name
	for name; do
		worker_start
		printf -v "$name" %s "$worker"
	done
}

stop() {
	local name
	for name; do
		worker_stop "${!name}"
	done
}

# connect/disconnect NAME [VARIABLE=VALUE...]
connect() {
	hook connect ID="${!1}" "${@:2}"
}

disconnect() {
	hook disconnect ID="${!1}" STATS_DURATION=3600 STATS_BYTES_IN=1000 STATS_BYTES_OUT=2000 "${@:2}"
}

# A syslog that appends each message to a file, as one line.
syslog_collector() {
	exec python3 - /dev/log "$SYSLOG" <<-'END'
		import os, socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		with open(sys.argv[2], "ab", buffering=0) as log:
		    while True:
		        log.write(s.recv(262144).rstrip(b"\0\n") + b"\n")
	END
}

syslog_up() {
	: >"$SYSLOG"
	syslog_collector &
	wait_for 10 test -S /dev/log
}

# syslog_lines: the messages of our program since the last call in $logged, the prefix taken off
syslog_lines() {
	local mark=mark-$RANDOM$RANDOM
	logger -u /dev/log -- "$mark" && wait_for 10 grep -q "$mark" "$SYSLOG" || return
	# shellcheck disable=SC2034
	logged=$(sed -n 's/^.*ocserv-gateway\[[0-9]*\]: //p' "$SYSLOG")
	: >"$SYSLOG"
}

#!/bin/bash
# What is said as a warning, where nothing is wrong that would refuse a session.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"

# but for what an edit has changed
warnings() {
	sed -n '/warning: repaired: /d; s/^ocserv-gateway: warning: //p' <<<"$err"
}

# runs: whatever gives advice, each with the status that it has when all is well
each_run() {
	"$@" program up
	"$@" program check
	"$@" program status
	"$@" program up --dry-run
	"$@" hook connect
}

# says_nothing NAME RUN...
says_nothing() {
	local name=$1
	shift
	"$@"
	is "$status $(warnings)" "0 " "$name: ${*: -1} has nothing to say"
}

# says NAME REGEX RUN...
says() {
	local name=$1 words=$2
	shift 2
	[ "${*: -1}" != --dry-run ] || return 0
	"$@"
	case ${*: -1} in
	check) is "$status" 1 "$name: check has something to warn of" ;;
	status) is "$status" "$(grep -c '^clients .*NO internet' <<<"$out")" "$name: status succeeds, unless clients have nothing" ;;
	*) is "$status" 0 "$name: ${*: -1} succeeds" ;;
	esac
	like "$(warnings)" "$words" "$name: ${*: -1} warns"
	is "$(warnings | wc -l)" 1 "$name: ${*: -1} warns once"
}

# says_void NAME REGEX RUN...: status has it among the problems
says_void() {
	local name=$1 words=$2
	shift 2
	case ${*: -1} in
	--dry-run) ;;
	status)
		"$@"
		is "$status $(grep -m 1 ^state <<<"$out")" "1 state        degraded" "$name: status"
		like "$out" $'\n'"problem +[^"$'\n'"]*$words" "$name: it says why"
		is "$(grep -c ^problem <<<"$out") $(warnings)" "1 " "$name: once"
		program status --json
		is "$status $(jq -r '[.state, .layers.routing, (.problems | length), (.warnings | length)] | @tsv' <<<"$out")" \
			"1 degraded	altered	1	0" "$name: so does status --json"
		;;
	connect)
		[ -n "${hooks_know:-}" ] || { says_nothing "$name" "$@"; return; }
		says "$name" "$words" "$@" ;;
	*)	says "$name" "$words" "$@" ;;
	esac
}

test_good() {
	local name
	for name in seed dual-stack several-subnets direct4 direct6 block-both link-local; do
		configuration "$name"
		clear_state >/dev/null
		each_run says_nothing "$name"
	done
}

setting() {
	echo "$2" >"/proc/sys/net/$1"
}

test_forwarding() {
	clear_state >/dev/null
	configuration dual-stack
	setting ipv4/ip_forward 0
	each_run says "IPv4 forwarding off" "IPv4 forwarding is off.*ip_forward=1"
	program status --json
	is "$(jq '.warnings | length' <<<"$out")" 1 "IPv4 forwarding off: status --json has it"
	setting ipv4/ip_forward 1
	setting ipv6/conf/all/forwarding 0
	each_run says "IPv6 forwarding off" "IPv6 forwarding is off.*forwarding=1"
	configuration seed
	each_run says_nothing "IPv6 forwarding off, IPv6 blocked"
	setting ipv6/conf/all/forwarding 1
	configuration block-both
	setting ipv4/ip_forward 0
	clear_state >/dev/null
	each_run says_nothing "IPv4 forwarding off, IPv4 blocked"
	setting ipv4/ip_forward 1
}

# Rules of others before ours: TOOL|COMMAND
IN_THE_WAY='ip4|rule add priority 500 from 10.20.0.0/24 lookup 200
ip4|rule add priority 500 from 10.0.0.0/8 lookup 200
ip4|rule add priority 500 lookup 200
ip4|rule add priority 500 from 172.28.0.0/24 not lookup 200
ip4|rule add priority 500 ipproto tcp dport 443 lookup 200
ip4|rule add priority 500 from 10.20.0.0/24 blackhole
ip4|rule add priority 500 to 10.20.0.0/24 lookup 200
ip4|rule add priority 500 iif eth0 lookup 200
ip6|rule add priority 500 from fd20::/64 lookup 200
ip4|rule add priority 500 lookup 200;;route add default via 172.28.0.2 table 200
ip4|rule add priority 500 from 10.20.0.0/24 lookup 200;;route add blackhole default table 200
ip4|rule add priority 500 lookup 200;;route add 10.20.0.0/28 dev vpns0 table 200
ip4|rule add priority 500 to 198.18.0.0/15 lookup 200;;route add 198.51.100.0/24 via 192.0.2.1 table 200
ip4|rule add priority 500 lookup 200 suppress_prefixlength 24;;route add 198.51.100.0/24 via 192.0.2.1 table 200'
# And such as lead elsewhere now: the routing layer is void for what they match.
TO_ELSEWHERE='ip4|rule add priority 500 from 10.20.0.128/25 lookup main
ip4|rule add priority 500 to 198.51.100.0/24 lookup main
ip4|rule add priority 500 iif vpns0 lookup main
ip4|rule add priority 998 from 10.20.0.7 lookup main
ip6|rule add priority 500 iif vpns1 lookup main
ip4|rule add priority 500 goto 32766
ip4|rule add priority 500 lookup main suppress_prefixlength 0
ip4|rule add priority 1001 lookup main
ip4|rule add priority 1001 goto 32766
ip6|rule add priority 1001 lookup main
ip4|rule add priority 500 from 10.20.0.7 lookup 200;;route add 198.51.100.0/24 via 192.0.2.1 table 200
ip4|rule add priority 500 to 198.51.100.0/25 lookup 200;;route add 198.51.100.0/24 via 192.0.2.1 table 200
ip6|rule add priority 500 lookup 200;;route add 2001:db8:9::/48 dev eth1 table 200'
# And such as are none of ours.
OUT_OF_THE_WAY='ip4|rule add priority 1500 from 10.20.0.0/24 lookup 200
ip4|rule add priority 500 from 10.21.0.0/24 lookup 200
ip4|rule add priority 500 from 172.28.0.3 lookup 200
ip4|rule add priority 500 iif eth1 lookup 200
ip4|rule add priority 500 iif lo lookup 200
ip4|rule add priority 500 oif eth1 lookup 200
ip4|rule add priority 500 fwmark 7 lookup 200
ip4|rule add priority 500 nop
ip4|rule add priority 500 goto 900
ip4|rule add priority 500 goto 600;;rule add priority 600 nop
ip4|rule add priority 500 lookup local
ip4|rule add priority 500 lookup main suppress_prefixlength 32
ip4|rule add priority 1001 iif vpns0 prohibit
ip4|rule add priority 500 l3mdev
ip6|rule add priority 500 l3mdev
ip4|rule add priority 32765 lookup local
ip6|rule add priority 500 from fd30::/64 lookup 200
ip6|rule add priority 40000 lookup 200'

test_rules() {
	local tool commands
	configuration dual-stack
	while IFS='|' read -r tool commands; do
		clear_state >/dev/null
		ok "$tool $commands" damage "$tool" "$commands"
		each_run says "$tool $commands" "policy rule .priority (500|998|1001) .*comes before ours"
	done <<<"$IN_THE_WAY"
	while IFS='|' read -r tool commands; do
		clear_state >/dev/null
		ok "$tool $commands" damage "$tool" "$commands"
		hooks_know=yes each_run says_void "$tool $commands" "policy rule .priority (500|998|1001) .*comes before ours"
	done <<<"$TO_ELSEWHERE"
	while IFS='|' read -r tool commands; do
		clear_state >/dev/null
		ok "$tool $commands" damage "$tool" "$commands"
		each_run says_nothing "$tool $commands"
	done <<<"$OUT_OF_THE_WAY"
	program up
	ok "one of our last priority, but behind ours" ip rule add priority 1001 lookup main
	each_run says_nothing "one of our last priority, but behind ours"
	configuration direct6
	clear_state >/dev/null
	ok "IPv6 is left alone" damage ip6 'rule add priority 500 from fd20::/64 lookup 200'
	each_run says_nothing "IPv6 is left alone"
	clear_state >/dev/null
}

# Routes of others that are asked before our rules, or by them: TOOL|COMMANDS
LEADING='ip4|route add 198.51.100.0/24 via 192.0.2.1 table local
ip4|route add 198.51.100.0/24 dev eth1 table local
ip4|route add 198.51.0.0/16 via 172.28.0.9 table local
ip4|route add 198.51.100.0/24 table local nexthop via 172.28.0.2 nexthop via 192.0.2.1
ip4|nexthop add id 7 via 192.0.2.1 dev eth1;;route add 198.51.100.0/24 nhid 7 table local
ip6|route add 2001:db8:9::/48 via 2001:db8:192::1 table local
ip6|route add 2001:db8:9::/48 from fd20::50 dev eth1 table local
ip4|route add 10.20.0.50 dev eth1 metric 9
ip4|route add 10.20.0.128/25 via 192.0.2.1
ip6|route add fd20::50 dev eth1
ip6|route add fd20::/96 via 2001:db8:192::1'
# And such as are not, or lead nowhere else.
NOT_LEADING='ip4|route add 198.51.100.0/24 via 172.28.0.2 table local
ip4|route add 198.51.100.0/24 dev vpns0 table local
ip4|route add blackhole 198.51.100.0/24 table local
ip4|route add local 198.51.100.0/24 dev lo table local
ip4|addr add 192.0.2.9/24 dev eth1
ip6|route add 2001:db8:9::/48 from 2001:db8:8::/48 dev eth1 table local
ip4|route add 198.51.100.0/24 via 192.0.2.1
ip4|route add 10.20.0.0/16 dev eth1
ip4|route add 10.20.0.51 dev vpns1
ip4|route add unreachable 10.20.0.52
ip6|route add fd20::51 dev vpns1'

# undone TOOL COMMANDS: of additions
undone() {
	damage "$1" "${2// add / del }" 2>/dev/null
	clear_state
}

test_routes() {
	local tool commands
	configuration dual-stack
	while IFS='|' read -r tool commands; do
		ok "$tool $commands" damage "$tool" "$commands"
		each_run says_void "$tool $commands" "route .*(is looked up before our policy rules|leads to clients. addresses)"
		ok "$tool $commands: is gone" undone "$tool" "$commands"
	done <<<"$LEADING"
	while IFS='|' read -r tool commands; do
		ok "$tool $commands" damage "$tool" "$commands"
		each_run says_nothing "$tool $commands"
		ok "$tool $commands: is gone" undone "$tool" "$commands"
	done <<<"$NOT_LEADING"
}

# With forward_others = no it would be an error, see conflicts.sh.
test_local() {
	configuration dual-stack
	ok "the rule for table local moves behind ours" damage ip4 'rule add priority 32765 lookup local;;rule del priority 0'
	each_run says "no rule for table local" "no IPv4 policy rule before priority 999 looks up table local.*rule add priority 998 lookup local"
	clear_state >/dev/null
	ok "all is as before" state_is "$empty_state"
}

# test_dns NUMBER VALUE: of warnings
test_dns() {
	hook connect OCSERV_DNS="$2"
	is "$status" 0 "DNS '$2': connect"
	is "$(warnings | grep -c .)" "$1" "DNS '$2': $1 warnings"
	[ "$1" = 0 ] || like "$(warnings)" "DNS server [0-9a-f.:%]+ .*this host" "DNS '$2': it says why"
}

test_all_dns() {
	ini
	program up
	test_dns 1 "10.20.0.1 "
	test_dns 1 "172.28.0.3 "
	test_dns 1 "fd20::1 "
	test_dns 1 "fd20::1%3318224896 "
	test_dns 1 "1.1.1.1 10.20.0.1 9.9.9.9 "
	test_dns 2 "10.20.0.1 fd20::1 "
	test_dns 0 "1.1.1.1 "
	test_dns 0 "1.1.1.1 2606:4700:4700::1111 "
	test_dns 0 "172.28.0.2 "
	test_dns 0 "10.20.0.2 "
	test_dns 0 ""
	test_dns 0 "   "
	test_dns 0 "garbage 10.20.0.1x 10.20.0.1/24"
	hook connect OCSERV_DNS="10.20.0.1 "
	like "$(warnings)" "10\.20\.0\.1" "DNS: the address is named"
	ini killswitch.dns=any
	test_dns 0 "10.20.0.1 "
	ini killswitch.dns=block
	test_dns 0 "10.20.0.1 "
	clear_state >/dev/null
}

# Without a gateway, or without effect: it is said wherever somebody may look.
test_open() {
	local run
	echo "; nothing" >"$INI"
	for run in "program up" "program check" "program up --dry-run"; do
		$run
		is "$status" "$([ "$run" = "program check" ] && echo 1 || echo 0)" "no gateway: $run"
		like "$(warnings)" "without a kill switch" "no gateway: $run says what that means"
	done
	hook connect
	is "$status $(field routing)" "0 plain" "no gateway: connect"
	like "$(warnings)" "without a kill switch" "no gateway: connect says what that means"
	program status
	is "$status $(grep ^state <<<"$out")" "0 state        off" "no gateway: status"
	ini log.dry_run=yes
	program check
	like "$(warnings)" "NO kill switch" "[log] dry_run: check says what that means"
	ok "nothing is installed" state_is "$empty_state"
}

test_silent_gateway() {
	configuration dual-stack
	ok "the gateway is not there" ip neigh flush dev eth0 nud permanent
	program check
	is "$status" 1 "no gateway there: check"
	like "$(warnings)" "the gateway 172\.28\.0\.2 does not answer ARP on eth0: .*ip neigh show dev eth0" "it says so"
	like "$(warnings)" "the gateway fd28::2 does not answer ND on eth0" "of both families"
	is "$(warnings | wc -l)" 2 "and no more"
	ok "the gateway is there" gateways_known
}

notes() {
	sed -n '/its configuration is not checked/d;s/^ocserv-gateway: note: //p' <<<"$err"
}

isnt_set() {
	ok "$3: $1" test "$(<"/proc/sys/net/$1")" != "$2"
}

test_reverse_path() {
	local values word path
	configuration dual-stack
	for values in 0,0 2,0 0,2 1,2 2,1; do
		setting ipv4/conf/all/rp_filter "${values%,*}"
		setting ipv4/conf/default/rp_filter "${values#*,}"
		program check
		is "$status $(warnings)" "0 " "rp_filter $values: nothing to warn of"
		like "$(notes)" "rp_filter is not 1 .*sysctl -w" "rp_filter $values: a note"
		for word in $(notes | grep -o '[a-z0-9_.]*\.rp_filter=[0-9]'); do
			word=${word#net.}
			path=${word%=*}
			isnt_set "${path//.//}" "${word#*=}" "rp_filter $values: what it proposes is not so yet"
			setting "${path//.//}" "${word#*=}"
		done
		program check
		is "$(notes)" "" "rp_filter $values: what it proposes is enough"
	done
	for values in 1,0 0,1 1,1; do
		setting ipv4/conf/all/rp_filter "${values%,*}"
		setting ipv4/conf/default/rp_filter "${values#*,}"
		program check
		is "$status $(notes)" "0 " "rp_filter $values: nothing to note"
	done
	setting ipv4/conf/all/rp_filter 0
	setting ipv4/conf/default/rp_filter 0
	configuration direct4
	program check
	is "$status $(notes)" "0 " "IPv4 is left alone: nothing to note"
}

# The kernel is asked whether it would take the kill switch, and is as before.
test_rehearsal() {
	local before
	configuration dual-stack
	clear_state >/dev/null
	ok "no table is there" state_is "$empty_state"
	program check
	is "$status" 0 "nothing there: check"
	ok "nothing there: it changed nothing" state_is "$empty_state"
	program up
	before=$(nft -a list ruleset)
	program check
	is "$status" 0 "installed: check"
	is "$(nft -a list ruleset)" "$before" "installed: it changed nothing"
}

# Each request of a check fails once: it says what it could not find out, and never that all is well.
test_requests_fail() {
	local requests number said=
	configuration dual-stack
	program up
	requests=$(env -i "${ENVIRONMENT[@]}" ASAN_OPTIONS=detect_leaks=0 strace -qq -e trace=sendto "$OGW_PROGRAM" check 2>&1 |
		grep -c '^sendto')
	ok "a check asks the kernel" test "$requests" -gt 10
	for ((number = 1; number <= requests; number++)); do
		err=$(env -i "${ENVIRONMENT[@]}" ASAN_OPTIONS=detect_leaks=0 strace -qq -o /dev/null -e trace=sendto \
			-e inject=sendto:error=ENOMEM:when="$number" "$OGW_PROGRAM" check 2>&1 >/dev/null)
		status=$?
		said+=$err$'\n'
		ok "request $number of a check fails" test "$status" != 0
	done
	like "$said" "this kernel would not load the kill switch, table inet ocserv_gw: .*(Cannot allocate|Out of) memory" \
		"the kill switch that the kernel would not take is an error"
	like "$said" "can't read the nft chains of others: (Cannot allocate|Out of) memory" "chains that can't be read are one, too"
	clear_state >/dev/null
}

begin strace
must "the gateways answer" gateways_known
test_good
test_silent_gateway
test_reverse_path
test_rehearsal
test_requests_fail
test_forwarding
test_rules
test_routes
test_local
test_all_dns
test_open
done_testing

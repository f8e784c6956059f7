#!/bin/bash
# The policy rules of many gateways, which are a tree: real packets leave by their own gateway or not at all, whatever is
# lost, altered or out of order there, and between any two steps from 16 gateways to 17 and back. It is found and repaired.
# shellcheck source-path=SCRIPTDIR/../lib
# Variables of host.sh and many.sh.
# shellcheck disable=SC2154
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"
. "$lib/many.sh"

FAR4=198.51.100.80 FAR6=2001:db8:100::80
CAROL=(USERNAME=carol DEVICE=vpns5 IP_REMOTE=10.20.0.55 IPV6_REMOTE=fd20::55)
SESSIONS=(A B C D E F)

# gateways NUMBER [LINE...]: $INI; the users leave by some of each group, of which some have no IPv6
gateways() {
	local i
	{
		printf '%s\n' "[clients]" "subnet4 = 10.20.0.0/24" "subnet6 = fd20::/64" "[gateway]" "address4 = 172.28.0.2" \
			"address6 = fd28::2" "${@:2}"
		for ((i = 1; i < $1; i++)); do
			printf '[gateway g%d]\naddress4 = 172.28.0.%d\naddress6 = fd28::1:%d\n' "$i" $((i + 100)) "$i"
		done
		printf '%s\n' "[users]" "alice = g5" "bob = g15" "carol = g$((${1} - 1))" "dan = direct" "eve = block"
	} >"$INI"
	chmod 600 "$INI"
}

# Each gateway has a hardware address of its own: 02:00:00:00:02:NUMBER.
neighbours_known() {
	local i
	{
		printf 'neigh replace %s lladdr 02:00:00:00:03:01 dev eth0 nud permanent\n' 172.28.0.1 fd28::1
		printf 'neigh replace %s lladdr 02:00:00:00:02:00 dev eth0 nud permanent\n' 172.28.0.2 fd28::2
		for ((i = 1; i < 50; i++)); do
			printf "neigh replace %s lladdr 02:00:00:00:02:$(printf %02x "$i") dev eth0 nud permanent\n" \
				172.28.0.$((i + 100)) "fd28::1:$i"
		done
	} | ip -batch -
}

# Each tunnel leads to its client, as ocserv says in table main.
devices_up() {
	local number
	for number in 0 1 2 3 4 5; do
		((number < 2)) || ip link add "vpns$number" type veth peer name "vpns$number" netns outside || return
		ip link set "vpns$number" up && ip -n outside link set "vpns$number" up && ip -batch - <<-END || return
			route replace 10.20.0.5$number dev vpns$number
			route replace fd20::5$number dev vpns$number
			neigh replace 10.20.0.5$number lladdr 02:00:00:00:77:00 dev vpns$number nud permanent
			neigh replace fd20::5$number lladdr 02:00:00:00:77:00 dev vpns$number nud permanent
		END
	done
	# Clients are told as often as they ask.
	# shellcheck disable=SC2016
	sh -c 'for each in ipv4/icmp_ratelimit ipv6/icmp/ratelimit; do echo 0 >/proc/sys/net/$each; done' &&
		wait_for 10 carriers_seen
}

begin_sessions() {
	rm -rf "$STATE_DIR"
	start "${SESSIONS[@]}"
	connect A "${ALICE[@]}" && connect B "${BOB[@]}" && connect C "${EVE[@]}" && connect D "${DAN[@]}" &&
		connect E "${TOM[@]}" && connect F "${CAROL[@]}"
}

end_sessions() {
	stop "${SESSIONS[@]}"
}

# fate DEVICE ADDRESS: what becomes of a packet
fate() {
	local answer mac
	mac=$(ip -o link show "$1" | sed 's/.*link.ether \([^ ]*\).*/\1/')
	echo "$1 $2 $mac" >&"${PROBE[1]}"
	read -r -u "${PROBE[0]}" answer
	case $answer in
	02:00:00:00:02:*)	echo "g$((16#${answer##*:}))" ;;
	02:00:00:00:03:01)	echo main ;;
	*)			echo "$answer" ;;
	esac
}

# fates: of everybody, by IPv4; of those with IPv6 by that, too
fates() {
	echo "$(fate vpns0 10.20.0.50) $(fate vpns1 10.20.0.51) $(fate vpns5 10.20.0.55) $(fate vpns4 10.20.0.54)" \
		"$(fate vpns3 10.20.0.53) $(fate vpns0 fd20::50) $(fate vpns5 fd20::55)"
}

# As it is to be with so many gateways; default has 0.
own_fates() {
	echo "g5 g15 g$(($1 - 1)) g0 main g5 g$(($1 - 1))"
}

# fates_are_closed NUMBER: everybody's is his own, or he is told that there is no way
fates_are_closed() {
	local got want each=0 wanted
	got=$(fates)
	read -ra wanted <<<"$(own_fates "$1")"
	for want in $got; do
		[ "$want" = "${wanted[each]}" ] || [ "$want" = prohibited ] || { echo "wanted ${wanted[*]}, got $got"; return 1; }
		each=$((each + 1))
	done
}

fates_are() {
	same "$1" "$(fates)"
}

# ways_of FAMILY CLIENT DESTINATION: of each mark that has one, where the kernel looks up a client's packet: MARK NEXT-HOP
ways_of() {
	local i mark failed
	for ((i = 0; i < 256; i++)); do
		mark=$((i << 24))
		echo "route get $3 from $2 iif vpns0 mark $mark"
	done | ip "-$1" -batch - -force 2>"$OGW_WORK/failed" | sed -n 's/.* via \([^ ]*\) dev .*/\1/p' >"$OGW_WORK/found"
	failed=$(sed -n 's/^Command failed -:\([0-9]*\)$/\1/p' "$OGW_WORK/failed")
	seq 256 | grep -vxF "$failed" | paste -d ' ' - "$OGW_WORK/found"
}

ways() {
	ways_of 4 10.20.0.50 "$FAR4"
	ways_of 6 fd20::50 "$FAR6"
}

# own_ways NUMBER: as it is to be
own_ways() {
	local i
	echo "2 172.28.0.2"
	for ((i = 1; i < $1; i++)); do echo "$((i + 2)) 172.28.0.$((i + 100))"; done
	echo "254 172.28.0.1"
	echo "2 fd28::2"
	for ((i = 1; i < $1; i++)); do echo "$((i + 2)) fd28::1:$i"; done
	echo "254 fd28::1"
}

# ways_are_closed NUMBER: none is another's
ways_are_closed() {
	local wrong
	wrong=$(ways | grep -vxF -f <(own_ways "$1"))
	[ -z "$wrong" ] || { echo "$wrong"; return 1; }
}

# The rules of IPv4 but for the lookups of gateways, of which there is one each.
TREE='priority 999 from all to 10.20.0.0/24 lookup main suppress_prefixlength 24 proto 111
priority 1000 from 10.20.0.0/24 goto 1003 proto 111
priority 1001 from 10.20.0.0/24 prohibit proto 111
priority 1001 from all to 10.20.0.0/24 blackhole proto 111
priority 1002 from all goto 1020 proto 111
priority 1003 from 10.20.0.0/24 fwmark 0xfd000000/0xff000000 lookup main proto 111
priority 1003 from 10.20.0.0/24 fwmark 0x10000000/0xf0000000 goto 1005 proto 111
priority 1003 from 10.20.0.0/24 fwmark 0x20000000/0xf0000000 goto 1006 proto 111
priority 1004 from 10.20.0.0/24 prohibit proto 111
priority 1005 from 10.20.0.0/24 prohibit proto 111
priority 1006 from 10.20.0.0/24 prohibit proto 111
priority 1020 from 10.20.0.0/24 prohibit proto 111'

test_tree() {
	local before
	gateways 40
	ok "tree: everybody connects" begin_sessions
	is "$(our_rules 4 | grep -v ' lookup 1[0-9][0-9] ')" "$TREE" "tree: its rules"
	is "$(our_rules 4 | grep -c ' lookup 1[0-9][0-9] ')" 40 "tree: each gateway has its own"
	is "$(our_rules 6 | sed 's,fd20::/64,10.20.0.0/24,g; s/length 64/length 24/')" "$(our_rules 4)" "tree: of IPv6, too"
	ok "tree: each mark has its gateway, and no other has any" same "$(own_ways 40)" "$(ways)"
	ok "tree: packets take it" fates_are "$(own_fates 40)"
	is "$(fate vpns2 10.20.0.52)" prohibited "tree: who is blocked is told"
	ok "tree: up changes nothing" program up
	is "$out" intact "tree: and says so"
	before=$(state)
	nft flush ruleset
	ok "tree: without the kill switch nobody leaves" fates_are "prohibited prohibited prohibited prohibited prohibited prohibited prohibited"
	ok "tree: up" program up
	ok "tree: all is as before" state_is "$before"
}

# test_damage NAME REGEX TOOL COMMANDS: with sessions of 40 gateways
test_damage() {
	if ! tap_run damage "$3" "$4"; then
		tap_fail "$1: done"
		tap_show damage "$3" "$4"
		return 1
	fi
	case $1 in
	# Here packets are led elsewhere, and the kill switch drops them.
	*"rule for another table"*|*"for less than"*|*inverted*) ;;
	*deleted*|*twice*|*"behind its neighbours"*|*"another target"*)
		ok "$1: nobody leaves by another gateway" fates_are_closed 40
		ok "$1: nor would with any mark" ways_are_closed 40
		;;
	esac
	program status
	ok "$1: status names it" grep -qE "^problem .*$2" <<<"$out"
	ok "$1: up" program up
	is "$out" repaired "$1: up repairs it"
	ok "$1: all is as it was" state_is "$installed" || reinstall
}

# Gateways have a rule each, and both families the same ones.
some_of_those_alike() {
	if [ -n "${OGW_MORE:-}" ]; then cat; else awk '(!/ lookup 1[0-9][0-9] / || ++n % 7 == 0) && (!/^IPv6/ || ++m % 5 == 0)'; fi
}

reinstall() {
	clear_state >/dev/null
	program up
}

test_damages() {
	local name words tool commands installed damages
	installed=$(state)
	damages=$({ rule_damages 4; rule_damages 6; } | grep -v '^all IPv' | some_of_those_alike | sampled)
	while IFS=$'\t' read -r name words tool commands; do
		test_damage "$name" "$words" "$tool" "$commands"
	done <<<"$damages"
	ok "damages: everybody leaves as before" fates_are "$(own_fates 40)"
}

# A table of a gateway without a route: its packets go nowhere, and not on through the tree.
test_a_table_without_a_route() {
	ip route del default table 105
	ok "no route: alice is told" fates_are "prohibited g15 g39 g0 main g5 g39"
	ip route flush table 139
	ok "no route: carol is" fates_are "prohibited g15 prohibited g0 main g5 g39"
	ok "no route: up" program up
	ok "no route: everybody leaves" fates_are "$(own_fates 40)"
	end_sessions
	ok "down" program down
	ok "nothing is left" state_is "$empty_state"
}

# script_by_steps NUMBER: what the dry run of up says, and after each change of a rule nobody has another's way
script_by_steps() {
	local dry
	gateways "$1"
	program up --dry-run || return
	dry=$out
	{
		declare -f ways_of ways own_ways ways_are_closed
		echo "FAR4=$FAR4 FAR6=$FAR6 OGW_WORK=$OGW_WORK"
		# shellcheck disable=SC2016
		echo 'ip() { command ip "$@" && { [ "$2" != rule ] || (set +e; unset -f ip; ways_are_closed '"$1"'); }; }'
		echo "$dry"
	} >"$OGW_WORK/steps"
	bash -e "$OGW_WORK/steps"
}

test_numbers() {
	local number flat
	local -a gotos=([16]=0 [17]=3 [33]=4)
	gateways 16
	ok "16: everybody connects" begin_sessions
	is "$(our_rules 4 | grep -c 'priority 1000 .*fwmark') $(our_rules 4 | wc -l)" "17 20" "16: the rules are side by side"
	ok "16: packets" fates_are "$(own_fates 16)"
	flat=$(state)
	for number in 17 16 33 17 16; do
		ok "to $number: in each step of the dry run everybody has his own way or none" script_by_steps "$number"
		ok "to $number: up finds nothing to do then" program up
		is "$out" intact "to $number: and says so"
		ok "to $number: packets" fates_are "$(own_fates "$number")"
		is "$(our_rules 4 | grep -c goto)" "${gotos[number]}" "to $number: a tree or none"
	done
	ok "16 again: all is as it was" state_is "$flat"
	gateways 17
	ok "to 17: up" program up
	ok "to 17: packets" fates_are "$(own_fates 17)"
	gateways 16
	ok "to 16: up" program up
	ok "to 16: all is as it was" state_is "$flat"
	ok "to 16: packets" fates_are "$(own_fates 16)"
	end_sessions
	program down
}

# With bits that are just enough, somewhere in the middle.
test_narrow_mask() {
	local before
	gateways 28 "mark_mask = 0x001f0000"
	ok "narrow: everybody connects" begin_sessions
	is "$(our_rules 4 | grep fwmark | sed 's/.*fwmark \([^ ]*\).*/\1/' | sed 's/.*\///' | sort | uniq -c | tr -s ' \n' ' ')" \
		" 1 0x100000 29 0x1f0000 " "narrow: its masks"
	ok "narrow: packets" fates_are "$(own_fates 28)"
	before=$(state)
	ip rule del priority 1005
	ok "narrow: nobody leaves by another gateway" fates_are_closed 28
	ok "narrow: up" program up
	ok "narrow: all is as it was" state_is "$before"
	end_sessions
	program down
}

# test_foreign NAME PRIORITY RULE: which would apply to others no more
test_foreign() {
	ok "$1: it is there" ip rule add priority "$2" to 192.0.2.0/24 lookup 200
	ok "$1: up refuses" refuses "another IPv4 policy rule has one of the priorities 1002 to 1019, which the rules for more than 16 gateways need for themselves: .priority $2 from all to 192.0.2.0/24 lookup 200. .protocol 0." program up
	program check
	like "$err" "one of the priorities 1002 to 1019" "$1: check says so"
	program status
	like "$out" "problem .*one of the priorities 1002 to 1019" "$1: and status"
	ip rule del priority "$2" to 192.0.2.0/24 lookup 200
}

test_others() {
	gateways 40
	test_foreign "another's rule within the tree" 1010
	ok "others: up" program up
	test_foreign "one that comes later" 1002
	for priority in 1001 1020 1021; do
		ip rule add priority $priority to 192.0.2.0/24 lookup 200
		ok "another's rule at $priority: up" program up
		is "$out" intact "another's rule at $priority: is none of ours"
		ip route add 192.0.2.0/24 via 172.28.0.99 table 200
		like "$(ip route get 192.0.2.9)" "via 172.28.0.99" "another's rule at $priority: applies to others"
		ip route flush table 200
		ip rule del priority $priority to 192.0.2.0/24 lookup 200
	done
	ok "others: down" program down
	ok "others: nothing is left" state_is "$empty_state"
	gateways 16
	ip rule add priority 1010 to 192.0.2.0/24 lookup 200
	ok "another's rule beside 16 gateways: up" program up
	ip rule del priority 1010
	gateways 17 "priority = 32746"
	ok "priority: the last ones are main's" refuses "priority = 32746: must be a number from 2 to 32745" program up
	gateways 17 "priority = 32745"
	ok "priority: just before them" program up
	like "$(ip rule)" "32765:.*prohibit" "priority: it is used"
	program down
}

test_words() {
	gateways 40
	program up
	program check
	like "$out" "policy rules: priorities 999 to 1020" "check: says which priorities are used"
	program check --json
	is "$(jq -c .priorities <<<"$out")" '{"first":999,"last":1020}' "check --json: too"
	gateways 16
	program up
	program check
	unlike "$out" "policy rules: priorities" "check: says nothing of the usual ones"
	program check --json
	is "$(jq -c .priorities <<<"$out")" '{"first":999,"last":1001}' "check --json: but here"
	program down
}

test_explain() {
	gateways 40
	begin_sessions
	program explain carol
	like "$out" "rule +priority 1006 from 10.20.0.0/24 fwmark 0x28000000/0xff000000 lookup 139" "explain: the rule of the gateway"
	ip route flush table 139
	program explain carol
	like "$out" "rule +priority 1006 from 10.20.0.0/24 prohibit" "explain: the rule that denies, which is that of the group"
	program explain eve
	like "$out" "rule +priority 1004 from 10.20.0.0/24 prohibit" "explain: of whom no rule is about"
	ip rule del priority 1000
	program explain carol
	like "$out" "rule +priority 1001 from 10.20.0.0/24 prohibit" "explain: where nothing leads into the tree"
	end_sessions
	program down
}

begin
must "there are tunnels" devices_up
must "the gateways are known" neighbours_known
empty_state=$(state)
coproc PROBE { exec ip netns exec outside python3 "$lib/probe.py"; }
test_tree
test_damages
test_a_table_without_a_route
test_numbers
test_narrow_mask
test_others
test_words
test_explain
done_testing

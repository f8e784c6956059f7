#!/bin/bash
# Whatever is damaged by hand: status says so, and the next connect repairs it.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"

degraded() {
	program status
	if [[ $status = 0 ]] && state_is "$installed"; then
		echo "THE DAMAGE CAN'T BE SEEN: the test is wrong"
	fi
	[ "$status" = 1 ] && grep -q "^state *degraded" <<<"$out" && grep -qE "^problem .*$1" <<<"$out"
}

repaired() {
	hook connect && [[ $err =~ routing=repaired ]] && [[ $err =~ was=.*$1 ]] &&
		grep -qE "warning: repaired: .*($1)" <<<"$err" && state_is "$installed"
}

# test_repair NAME REGEX TOOL COMMANDS: the damage is found, named and repaired
test_repair() {
	if ! tap_run damage "$3" "$4"; then
		tap_fail "$1: done"
		tap_show damage "$3" "$4"
		return 1
	fi
	ok "$1: status is degraded and names it" degraded "$2"
	ok "$1: a connect repairs it" repaired "$2" || reinstall
}

# So that what goes wrong with one damage is not taken for the next one's.
reinstall() {
	clear_state >/dev/null
	program up
}

install_configuration() {
	configuration "$1"
	reinstall
	installed=$(state)
}

test_all() {
	local name words tool commands
	while IFS=$'\t' read -r name words tool commands; do
		test_repair "$1: $name" "$words" "$tool" "$commands"
	done
}

# Each of these with each other one, as somebody does who tries things. The log
# line is long then, and may end before it names the second.
test_pairs() {
	local -a names words tools commands
	local i j name word tool command
	while IFS=$'\t' read -r name word tool command; do
		names+=("$name") words+=("$word") tools+=("$tool") commands+=("$command")
	done
	for ((i = 0; i < ${#names[@]}; i++)); do
		for ((j = i + 1; j < ${#names[@]}; j++)); do
			[ "${tools[i]}" != "${tools[j]}" ] || continue
			tap_run damage "${tools[i]}" "${commands[i]}"
			test_repair "${names[i]}, and ${names[j]}" "(${words[i]}|${words[j]})" "${tools[j]}" "${commands[j]}"
		done
	done
}

# The interface of the gateway goes and comes back, with its addresses and table main as they were.
flap() {
	ip link set eth0 down && ip link set eth0 up &&
		ip addr replace fd28::3/64 dev eth0 nodad && ip addr replace fe80::3/64 dev eth0 nodad &&
		ip route replace default via 172.28.0.1 && ip -6 route replace default via fd28::1 &&
		wait_for 10 carriers_seen
}

# Adding an IPv6 route, the kernel asks the rules for its gateway, of which one stops all others.
no_others_damages() {
	rule_damages 4
	rule_damages 6
	damage_line "IPv6 route deleted" "IPv6 route" ip6 "route del default table 100"
	damage_line "IPv6 route by another gateway, instead" "IPv6 route" ip6 \
		"route replace default via fd28::9 dev eth0 onlink table 100 proto 111"
	damage_line "interface down and up" "IPv6 route" flap
	damage_line "ruleset flushed" "is missing" nft "flush ruleset"
}

begin
must "the gateways answer" gateways_known
# With OGW_SLOW=1 (see wait_for) some of both layers must be enough.
if [ -n "${OGW_SLOW:-}" ] && [ -z "${OGW_MORE:-}" ]; then
	install_configuration seed
	damages=$({ rule_damages 4; route_damages 4; table_damages; } | sampled 9)
	test_all seed <<<"$damages"
	done_testing
fi
install_configuration dual-stack
damages=$(all_damages | sampled)
test_all dual-stack <<<"$damages"
everything_gone
program status
is "$status $(grep -m 1 ^state <<<"$out")" "1 state        absent" "everything gone: status says that nothing is there"
ok "everything gone: a connect installs all" hook connect
is "$(field routing)" installed "everything gone: its log says so"
ok "everything gone: the state is complete" state_is "$installed"
if [ -z "${OGW_SANITIZERS:-}" ]; then
	damages=$(some_damages | awk 'NR % 14 == 0')
	test_pairs <<<"$damages"
fi

install_configuration seed
damages=$(some_damages | sampled)
test_all seed <<<"$damages"

install_configuration no-others
like "$installed" $'\n1001:\tnot from all iif lo blackhole proto ' "no-others: the rule is there"
damages=$(no_others_damages | sampled)
test_all no-others <<<"$damages"
everything_gone
ok "no-others: everything gone: a connect installs all" hook connect
ok "no-others: everything gone: the state is complete" state_is "$installed"

# Its own route of yes serves, and the other way round.
configuration dual-stack
not_ok "forward_others = yes: a connect is refused" hook connect
like "$err" "run .ocserv-gateway up. if that is intended" "forward_others = yes: its log says what to do"
ok "forward_others = yes: up" program up
like "$err" "policy rule .*not from all iif lo blackhole. does not belong there" "forward_others = yes: says what went"
not_ok "forward_others = yes: the rule has gone" grep -q "not from all" <<<"$(state)"
reinstall
configuration no-others
ok "forward_others = no: a connect" hook connect
like "$(field was)" "policy rule .*not from all iif lo blackhole. is missing" "forward_others = no: its log says what came"
ok "forward_others = no: all else is the same" same "${installed/ onlink/}" "$(state)"
done_testing

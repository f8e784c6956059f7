#!/bin/bash
# The script that a dry run prints, fed to sh, does what the real run does; the
# dry run itself does nothing.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"

script='' real=''

# script_of VERB: it is printed. (That nothing changes is seen in test_events.)
script_of() {
	program --dry-run "$@" && script=$out
}

# The script runs in an environment that knows nothing of the program's.
run_script() {
	env -i PATH="$PATH" sh -e -u <<<"$script"
}

# really VERB: how the real run leaves the kernel, in $real
really() {
	program "$@" && real=$(state)
}

# same_as_real VERB SCRIPT: the kernel is in its start state
same_as_real() {
	run_script && state_is "$real"
}

# test_same NAME VERB START...: from the state that the command START makes
test_same() {
	local name=$1 verb=$2
	shift 2
	start "$@" || { tap_fail "$name: the start state"; return; }
	ok "$name: $verb --dry-run prints a script" script_of "$verb" || return
	ok "$name: $verb" really "$verb" || return
	start "$@"
	ok "$name: the script does the same" same_as_real
}

start() {
	clear_state >/dev/null && tap_run "$@"
}

intact() {
	program up
}

# damaged TOOL COMMANDS
damaged() {
	intact && damage "$@"
}

test_configuration() {
	configuration "$1"
	test_same "$1, empty" up true
	ok "$1: it says what it is" grep -q "^# .*up would do this" <<<"$script"
	test_same "$1, intact" up intact
	ok "$1: there is nothing to do" same '' "$(grep -v '^#' <<<"$script")"
	ok "$1: it says so" grep -q '^# nothing to do' <<<"$script"
	test_same "$1, intact" down intact
	is "$real" "$empty_state" "$1: nothing is left"
	test_same "$1, empty" down true
	test_same "$1, all but the guard gone" up routing_gone
	test_same "$1, guard gone" up guard_gone
	test_same "$1, guard gone" down guard_gone
}

routing_gone() {
	intact && ip rule flush protocol 111 && ip -6 rule flush protocol 111
}

guard_gone() {
	intact && nft flush ruleset
}

test_damages() {
	local name words tool commands
	while IFS=$'\t' read -r name words tool commands; do
		test_same "$name" up damaged "$tool" "$commands"
		# However the kill switch is damaged, it goes as a whole.
		[ "$tool" = nft ] || test_same "$name" down damaged "$tool" "$commands"
	done
}

# A changed configuration takes away what the one before installed.
test_change() {
	local name=$1 from=$2 to=$3
	start install_from "$from"
	configuration "$to"
	ok "$name: up --dry-run prints a script" script_of up || return
	ok "$name: up" really up || return
	start install_from "$from"
	configuration "$to"
	ok "$name: the script does the same" same_as_real
}

install_from() {
	configuration "$1" && program up
}

# The hook's dry run is that of up and down.
test_hooks() {
	ini session.remove_after_last=yes
	start true
	ok "hook: connect --dry-run" hook connect -- --dry-run
	script=$out
	ok "hook: up" really up
	start true
	ok "hook: connect's script does the same" same_as_real
	not_ok "hook: there is no state directory for it" test -e "$STATE_DIR/sessions/$$"
	ok "hook: disconnect --dry-run of the last session" hook disconnect -- --dry-run
	script=$out
	ok "hook: the script" run_script
	ok "hook: removes everything" state_is "$empty_state"
	start intact
	ok "hook: connect with all intact" hook connect -- --dry-run
	is "$(grep -v '^#' <<<"$out")" "" "hook: there is nothing to do"
	ini session.remove_after_last=no
	ok "hook: disconnect without remove_after_last" hook disconnect -- --dry-run
	is "$(grep -v '^#' <<<"$out")" "" "hook: there is nothing to do"
	ini session.remove_after_last=yes
	worker_start
	ok "hook: another session's connect" hook connect ID="$worker"
	ok "hook: disconnect while that one lives" hook disconnect -- --dry-run
	is "$(grep -v '^#' <<<"$out")" "" "hook: there is nothing to do"
	ok "hook: disconnect of that one" hook disconnect ID="$worker" -- --dry-run
	ok "hook: removes all" grep -q '^nft delete table inet ocserv_gw' <<<"$out"
	ok "hook: its record stays" test -e "$STATE_DIR/sessions/$worker"
	worker_stop "$worker"
}

dry_runs() {
	program up --dry-run
	program down --dry-run
	program -n up
	hook connect -- --dry-run
	hook disconnect -- --dry-run
	hook host-update -- --dry-run
	program status --json
	program check
}

# test_events NAME: nobody who listens hears anything
test_events() {
	local before
	before=$(state)
	ok "$1: all dry runs" events_of dry_runs
	is "$events" "" "$1: there is no event in the kernel"
	ok "$1: the state is as before" state_is "$before"
}

# without_privileges COMMAND...: neither root nor a capability
without_privileges() {
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all --no-new-privs "$@"
}

# root_without_network COMMAND...: root, but for CAP_NET_ADMIN
root_without_network() {
	setpriv --bounding-set -net_admin --inh-caps -net_admin "$@"
}

marked() {	# SIGN: how many lines
	grep -c "^$1 " <<<"$out"
}

# on_terminal [VARIABLE=VALUE]: up --dry-run, as a terminal shows it
on_terminal() {
	out=$(script -qec "env OCSERV_GATEWAY_CONFIG=$INI $* $OGW_PROGRAM up --dry-run" /dev/null)
}

test_diff() {
	start true
	ok "diff: of nothing" program up --dry-run --diff
	is "$(marked '+') $(marked '-') $(marked '!')" "9 0 0" "diff: all is new"
	start intact
	ok "diff: of what is intact" program up --dry-run --diff
	is "$(marked '+') $(marked '-') $(marked '!') $(marked ' ')" "0 0 0 9" "diff: all is there"
	like "$out" "# nothing to do" "diff: it says so"
	ip rule del priority 1000
	nft flush chain inet ocserv_gw postrouting
	ok "diff: of a damage" program up -dn
	like "$out" "! chain postrouting: rule \".*\" is missing" "diff: it says what is wrong"
	like "$out" $'\n'"- nft table inet ocserv_gw, as it is now"$'\n'"\+ nft table inet ocserv_gw, complete" "diff: and what it does"
	is "$(marked '+') $(marked '-') $(marked ' ')" "2 1 7" "diff: to the rule and the kill switch alone"
	on_terminal
	like "$out" $'\e\\[32m\\+ ip -4 rule priority 1000 ' "diff: a terminal gets it by itself, in colours"
	on_terminal NO_COLOR=1
	unlike "$out" $'\e' "diff: and without them where they are not wanted"
	start intact
	ok "diff: of down" program down --dry-run --diff
	is "$(marked '+') $(marked '-')" "0 9" "diff: all goes"
}

# Where there is no file, none is named.
test_heading() {
	start true
	ok "heading: up --dry-run" program up --dry-run
	is "$(head -n 1 <<<"$out")" "# ocserv-gateway up would do this, with $INI" "heading: it names the file"
	ok "heading: with the environment alone" captured env -i PATH="$PATH" VPN_SUBNET=10.20.0.0/24 \
		VPN_GATEWAY=172.28.0.2 "$OGW_PROGRAM" up --dry-run
	is "$(head -n 1 <<<"$out")" "# ocserv-gateway up would do this, with the environment alone" "heading: it says so"
}

# Whoever can't look is shown what would be done to an empty kernel.
test_unprivileged() {
	local name=$1 who=$2 empty
	start true
	ok "$name: up --dry-run of an empty kernel" script_of up
	empty=$(grep -v '^#' <<<"$script")
	start intact
	program_as "$who" check
	is "$status" 1 "$name: check warns of what it could not see"
	ok "$name: it shows the values" grep -q '^address4  *= 172\.28\.0\.2' <<<"$out"
	ok "$name: and the interface" grep -q '172\.28\.0\.2 on eth0' <<<"$out"
	ok "$name: up --dry-run" program_as "$who" up --dry-run
	is "$(grep -v '^#' <<<"$out")" "$empty" "$name: it prints all of the plan"
	ok "$name: a comment speaks of the empty kernel" grep -qi '^# .*empty kernel.*CAP_NET_ADMIN' <<<"$out"
	start true
	script=$out
	ok "$name: the script" run_script
	start intact
	not_ok "$name: up" program_as "$who" up
}

# program_as WHO [OPTION...] VERB
program_as() {
	captured "$1" env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" "${@:2}"
}

nl=$'\n'
begin
for file in "$CONFIGURATIONS"/*.ini; do
	name=${file##*/}
	test_configuration "${name%.ini}"
done
configuration dual-stack
start intact
# A plan is printed here that repair.sh sees done, for each damage.
damages=$(some_damages | awk '!/IPv6/ || ++n % 5 == 0' | sampled 4)
# Where the order matters in which a script does things:
damages+=$nl$(all_damages | grep -E '^IPv4 rule (twice|behind|without its suppression)')
test_damages <<<"$damages"
test_change "a gateway becomes block" dual-stack block4
test_change "a family is left alone" dual-stack direct6
test_change "another family is left alone" direct6 direct4
test_change "subnets are added" dual-stack several-subnets
test_change "subnets are taken away" several-subnets dual-stack
test_change "reject becomes drop" seed blocked-drop
test_change "masquerade ends" dual-stack no-masquerade
test_change "others are forwarded no more" dual-stack no-others
test_change "others are forwarded again" no-others dual-stack
test_change "gateways become many" many tree
test_change "and few again" tree many
configuration no-others
start intact
# Routes by another gateway need onlink here.
damages=$(all_damages | grep -E '^IPv[46] (rule|route (deleted|flushed))' | sampled 4)
test_damages <<<"$damages"
test_hooks
ini
start true
test_events "empty"
start intact
test_events "intact"
damage nft 'flush chain inet ocserv_gw forward'
damage ip4 'rule flush protocol 111'
test_events "damaged"
test_diff
test_heading
chmod 644 "$INI"
test_unprivileged "nobody" without_privileges
test_unprivileged "root without CAP_NET_ADMIN" root_without_network
done_testing

#!/bin/bash
# A flow table of ours where the kernel has none: `yes` is refused, `auto` does without. Where it has one: tests/vm/fast-path.sh.
# shellcheck source-path=SCRIPTDIR/../lib
# shellcheck disable=SC2154 # host.sh sets them
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# Not committed, so nothing is left of it.
has_flow_tables() {
	modprobe -q nft_flow_offload 2>/dev/null
	nft -c -f - 2>/dev/null <<-'END'
		table inet trial {
			flowtable fast { hook ingress priority filter; }
		}
	END
}

test_yes() {
	ini gateway.fast_path=yes
	program up
	is "$status" 78 "yes: up is refused"
	like "$err" "\[gateway\] fast_path = yes: this kernel has no flow tables for rules of inet tables .*: it says: .*; so clients are refused" \
		"yes: and says what the kernel lacks, and what that means"
	like "$err" "set fast_path = no, or auto" "yes: and what helps"
	hook connect
	is "$status" 78 "yes: a session is refused"
	is "$(state)" "$empty_state" "yes: nothing is left"
}

test_auto() {
	local reason="this kernel has no flow tables for rules of inet tables"
	ini gateway.fast_path=auto
	program --dry-run up
	unlike "$out" flowtable "auto: a dry run has no flow table"
	ok "auto: up" program up
	is "$out" installed "auto: installs the kill switch"
	unlike "$(nft list ruleset)" "flow add" "auto: without a flow table"
	program up
	is "$out" intact "auto: up finds all complete"
	hook connect
	is "$status $(field routing)" "0 intact" "auto: so does a session"
	program status
	like "$out" "fast path +off: $reason" "auto: status says why"
	program status --json
	is "$(jq -r '.fast_path | .on, (.why | test("no flow tables"))' <<<"$out" | tr '\n' ' ')" "false true " "auto: so does --json"
	program check
	like "$out" "fast path: off: $reason" "auto: and check"
	ini
	program up
	is "$out" intact "auto: it is what there is without"
	program down
}

# Said before the kernel is asked.
test_a_bridge() {
	ip link add br0 type bridge 2>/dev/null || return 0
	must "the gateway's interface is a port of a bridge" ip link set eth0 master br0
	ini gateway.fast_path=yes
	program up
	is "$status" 78 "bridge: up is refused"
	like "$err" "fast_path = yes: the interface eth0 is a part of br0, a bridge, bond or VRF, .*; so clients are refused" \
		"bridge: and says which interface"
	ini gateway.fast_path=auto
	ok "bridge: auto does without" program up
	program status
	like "$out" "fast path +off: the interface eth0 is a part of br0" "bridge: and status says why"
	program down
	ip link del br0
}

test_flows_that_stay() {
	ini gateway.fast_path=auto session.forget_flows=no
	program up
	is "$status" 78 "forget_flows = no: up is refused"
	like "$err" "\[gateway\] fast_path = auto: needs \[session\] forget_flows = yes" "forget_flows = no: and says so"
}

begin
if has_flow_tables; then
	skip_all "this kernel has flow tables: see tests/vm/fast-path.sh"
fi
test_yes
test_auto
test_a_bridge
test_flows_that_stay
done_testing

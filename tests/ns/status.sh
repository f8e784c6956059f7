#!/bin/bash
# status: whether the gateway answers, and what programs read.
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
	is "$(line IPv4)" "IPv4       gateway 172.28.0.2 on eth0, answers" "the gateway answers"
	is "$(line IPv6)" "IPv6       gateway fd28::2 on eth0, answers" "by IPv6, too"
	program status --json
	is "$(jq -c '[.gateway[].answers]' <<<"$out")" "[true,true]" "status --json says so"
	program status --format=json
	is "$(jq -r .state <<<"$out")" installed "--format=json is the same"
	ip -n outside addr flush dev eth0
	ip neigh flush dev eth0
	program status
	is "$status $(line IPv4)" "0 IPv4       gateway 172.28.0.2 on eth0, does NOT answer ARP" "it is gone"
	is "$(line IPv6)" "IPv6       gateway fd28::2 on eth0, does NOT answer ND" "by IPv6, too"
	program status --json
	is "$(jq -c '[.gateway[].answers]' <<<"$out")" "[false,false]" "status --json says that, too"
}

# Each line is a comment or a metric, as the text format of Prometheus has them.
is_exposition() {
	! grep -vE '^# (HELP|TYPE) ocserv_gateway_[a-z_]+ .+$|^ocserv_gateway_[a-z_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="([^"\\]|\\.)*")*\})? [0-9]+$' \
		<<<"$out"
}

test_prometheus() {
	program status --format=prometheus
	is "$status" 0 "prometheus: status 0"
	ok "prometheus: each line is as it must be" is_exposition
	is "$(metric 'ocserv_gateway_state{state="installed"}')" 1 "prometheus: installed"
	is "$(metric 'ocserv_gateway_state{state="degraded"}')" 0 "prometheus: not degraded"
	is "$(metric ocserv_gateway_sessions)" 1 "prometheus: a session"
	is "$(metric ocserv_gateway_problems)" 0 "prometheus: no problem"
	is "$(metric 'ocserv_gateway_gateway_answers{family="ipv4",address="172.28.0.2"}')" 0 "prometheus: no gateway"
	is "$(metric 'ocserv_gateway_rule_packets_total{chain="from_client",rule="from a client by any other way: dropped"}')" \
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
	like "$(line changed)" "^changed +20[0-9-]+T[0-9:]+Z, repaired$" "a repair is told"
	program up
	program status
	like "$(line changed)" ", repaired$" "and stays, when there is nothing to do"
	program status --json
	is "$(jq -r .changed.what <<<"$out")" repaired "status --json has it"
	ok "with its time" test "$(jq .changed.at <<<"$out")" -gt 1700000000
	program status --format=prometheus
	like "$(metric 'ocserv_gateway_changed_timestamp_seconds{what="repaired"}')" "^1[0-9]{9}$" "prometheus has it"
	ok "prometheus: each line is as it must be" is_exposition
	program down
	program status
	like "$(line changed)" ", removed$" "so is a removal"
	rm "$STATE_DIR/change"
	program status
	is "$(line changed)" "" "without the file nothing is told"
	ln -s "nonsense" "$STATE_DIR/change"
	program status
	is "$(line changed)" "" "nor with nonsense in it"
}

begin
test_gateway
test_prometheus
test_changed
done_testing

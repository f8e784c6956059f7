#!/bin/bash
# Each configuration, from an empty kernel: all of it is installed and well, and
# down leaves nothing. What the kernel lists then is written down for one of
# them, in configurations/seed.state; each other one has what its dry run says
# (see dry-run.sh), whose text is in tests/unit/golden/wanted.txt.
#
#   tests/ns/install.sh             test
#   tests/ns/install.sh --write     write seed.state anew, for review
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# Comments are checked by themselves.
installed() {
	readable_state "$(ini_value table 100)" | sed 's/ comment ".*"$//'
}

installed_rules() {
	nft -s list ruleset | sed -e :a -e '/,$/{N;s/,\n[[:space:]]*/, /;ta' -e '}' | grep -v '^[[:space:]]*elements = ' |
		grep -E '^[[:space:]]+(.* )?(accept|drop|goto .*|jump .*|vmap .*|reject.*|masquerade|masquerade to .*|(meta|ct) mark set .*)( comment .*)?$'
}

# Every rule of the kill switch says what it does, and no two say the same.
comments_good() {
	local rules comments
	rules=$(installed_rules)
	comments=$(sed -n 's/.* comment "\(..*\)"$/\1/p' <<<"$rules")
	if [ "$(wc -l <<<"$rules")" != "$(wc -l <<<"$comments")" ] ||
	   [ -n "$(sort <<<"$comments" | uniq -d)" ]; then
		echo "$rules"
		return 1
	fi
}

# json_is FILTER: true of what status --json prints
json_is() {
	jq -e "$1" <<<"$out"
}

json_good() {
	json_is '.state == "installed" and .problems == [] and .sessions == []
		and ((.gateway | type) == "object" or (.gateways | type) == "array") and (.counters | type) == "object"
		and (.counters | length) > 3
		and (.counters | all(.packets == 0 and .bytes == 0))'
}

# Each rule with a counter is found under its comment; with several gateways the chain comes first.
json_counts_all() {
	local counted
	counted=$(nft -s list ruleset | sed -n 's/.*[[:space:]]counter .*comment "\(.*\)"$/\1/p' | sort)
	same "$counted" "$(jq -r '.counters | keys[] | sub("^[a-z0-9_]+: "; "")' <<<"$out" | sort)"
}

test_configuration() {
	configuration "$1"
	ok "$1: up" program up
	is "$out" installed "$1: it says what it did"
	is "$err" "" "$1: there is no warning"
	[ "$1" != seed ] || ok "$1: the state is that of $1.state" same "$(<"$CONFIGURATIONS/$1.state")" "$(installed)"
	ok "$1: each rule has a comment of its own" comments_good
	ok "$1: status finds all in place" program status
	like "$out" $'\n''state +installed'$'\n' "$1: and says so"
	unlike "$out" 'problem' "$1: and no problem"
	ok "$1: status --json" program status --json
	ok "$1: it is as promised" json_good
	ok "$1: it counts by comment" json_counts_all
	ok "$1: up again" program up
	is "$out" intact "$1: there is nothing to do"
	ok "$1: down" program down
	is "$out" removed "$1: it says what it did"
	ok "$1: the state is as before" state_is "$empty_state"
	ok "$1: status with nothing installed" test "$(program status --json; echo "$status")" = 1
	ok "$1: down again" program down
	ok "$1: the state is as before" state_is "$empty_state" || clear_state
}

write_state() {
	configuration seed
	program up && installed >"$CONFIGURATIONS/seed.state"
}

# The seed page's variables alone configure, where no file is.
test_environment() {
	local ENVIRONMENT=("${ENVIRONMENT[@]/OCSERV_GATEWAY_CONFIG=*/VPN_SUBNET=10.20.0.0/24}"
		IPV6_SUBNET=fd20::/64 VPN_GATEWAY=172.28.0.2 VPN_IF=vpns+ VPN_GATEWAY6=)
	ok "environment alone: up" program up
	ok "environment alone: the state is that of seed.state" same "$(<"$CONFIGURATIONS/seed.state")" "$(installed)"
	ok "environment alone: the gateway answers" gateways_known
	ok "environment alone: check" program check
	like "$out" "subnet4 .*10\.20\.0\.0/24 .*environment, VPN_SUBNET" "environment alone: it tells where a value is from"
	ok "environment alone: down" program down
	ok "environment alone: the state is as before" state_is "$empty_state"
}

# They win over the file's.
test_environment_wins() {
	ini clients.subnet4=10.99.0.0/24 gateway.address4=172.28.0.99 gateway.address6=fd28::2 gateway.table=999 gateway.priority=9
	local ENVIRONMENT=("${ENVIRONMENT[@]}" VPN_SUBNET=10.20.0.0/24 VPN_GATEWAY=172.28.0.2
		VPN_GATEWAY6=block VPN_GATEWAY_TABLE=100 VPN_GATEWAY_RULE_PRIO=1000 WAN_IF=eth0)
	ok "environment over file: up" program up
	ini
	ok "environment over file: the state is that of seed.state" same "$(<"$CONFIGURATIONS/seed.state")" "$(installed)"
	ok "environment over file: down" program down
	ok "environment over file: the state is as before" state_is "$empty_state"
}

# test_open NAME KEY=VALUE...: nothing is to be installed, and what is goes
test_open() {
	local name=$1
	shift
	ini
	program up
	ini "$@"
	ok "$name: up" program up
	is "$out" removed "$name: takes away what an earlier configuration left"
	like "$err" "without a kill switch" "$name: and warns"
	ok "$name: nothing is left" state_is "$empty_state"
	ok "$name: status" program status
	like "$out" $'\n''state +off'$'\n' "$name: is off"
	ok "$name: status --json" program status --json
	ok "$name: is off" json_is '.state == "off" and .problems == []'
	ok "$name: up again" program up
	ok "$name: nothing is installed" state_is "$empty_state"
}

# send_from_client SOURCE: an IPv4 packet comes in by vpns0
send_from_client() {
	ip netns exec outside python3 - "$1" <<-'END'
		import socket, struct, sys
		header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0,
		                     socket.inet_aton(sys.argv[1]), socket.inet_aton("8.8.8.8"))
		total = sum(struct.unpack("!10H", header))
		total = (total & 0xffff) + (total >> 16)
		header = header[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + header[12:]
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind(("vpns0", 0))
		s.send(bytes.fromhex("020000000003" "020000000009" "0800") + header + struct.pack("!4H", 53, 53, 8, 0))
	END
}

# A packet that the kill switch drops is counted in status.
test_counters() {
	ini
	program up
	send_from_client 10.99.0.9
	ok "counters: a forged source is counted" wait_for 10 counted 'source outside its subnet' 1
	ok "counters: it is no damage" program status
	like "$out" $'\n +1 +[1-9][0-9]* B  from_tunnel +IPv4 from a client with a source outside' "counters: status shows it"
	ok "counters: a connect" hook connect
	is "$(field routing)" intact "counters: finds all in place"
	ok "counters: and leaves the count" counted 'source outside its subnet' 1
	program down
}

# counted REGEX PACKETS
counted() {
	program status --json
	json_is "[.counters | to_entries[] | select(.key | test(\"$1\")) | .value.packets] | add == $2"
}

begin
must "the gateways answer" gateways_known
if [ "${1:-}" = --write ]; then
	ok "write seed.state" write_state
	done_testing
fi
for file in "$CONFIGURATIONS"/*.ini; do
	name=${file##*/}
	# With OGW_SLOW=1 (see wait_for) those that need most of the kernel.
	[ -z "${OGW_SLOW:-}" ] || [ -n "${OGW_MORE:-}" ] || [[ $name == @(dual-stack|no-others|seed).ini ]] || continue
	test_configuration "${name%.ini}"
done
test_environment
test_environment_wins
test_open "both families direct" gateway.address4=direct gateway.address6=direct
test_counters
done_testing

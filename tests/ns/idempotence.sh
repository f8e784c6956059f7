#!/bin/bash
# Where all is as wanted, nothing is written: no message that changes anything
# goes to the kernel, and nobody who listens hears of it.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# connects: a session comes, a second one, one goes
connects() {
	local bob=(ID="$worker" IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51 DEVICE=vpns1)
	hook connect && hook connect "${bob[@]}" && hook connect && hook disconnect "${bob[@]}"
}

looks() {
	program up && program up --dry-run && program down --dry-run && program status &&
		program status --json && program check && hook connect -- --dry-run &&
		hook disconnect -- --dry-run && hook host-update
}

# silent NAME COMMAND...: it succeeds, without an event and with the same state
silent() {
	local name=$1 before
	shift
	before=$(state)
	ok "$name" events_of "$@"
	is "$events" "" "$name: no event"
	ok "$name: the state is the same" state_is "$before"
}

# heard NAME COMMAND...: so that silence means something
heard() {
	ok "$1" events_of "${@:2}"
	like "$events" 'proto (111|ocserv-gateway)' "$1: ip monitor hears of it"
	like "$events" 'table inet ocserv_gw' "$1: nft monitor hears of it"
}

# traced COMMAND...: with the calls that it makes in $trace
traced() {
	WRAP=(strace -f -qq -y -o "$OGW_WORK/trace" -e trace=all -e abbrev=none)
	ENVIRONMENT+=(ASAN_OPTIONS=detect_leaks=0)
	"$@"
	local result=$?
	WRAP=()
	trace=$(<"$OGW_WORK/trace")
	return "$result"
}

# calls REGEX: of the trace
calls() {
	grep -E "$1" <<<"$trace"
}

# The types of all messages that were sent, each once.
# By name. What a socket is of, strace does not know until the first request has bound it.
messages() {
	grep -E ' send(to|msg)\(' <<<"$trace" | grep -oE 'nlmsg_type=[^,]*' | sort -u |
		sed -e 's/nlmsg_type=//' -e 's/^0x1a .*/RTM_GETROUTE/' -e 's/^0x22 .*/RTM_GETRULE/' -e 's/^0x12 .*/RTM_GETLINK/' \
			-e 's/^0xa01 .*/NFNL_SUBSYS_NFTABLES<<8|NFT_MSG_GETTABLE/' -e 's/^0xa10 .*/NFNL_SUBSYS_NFTABLES<<8|NFT_MSG_GETGEN/'
}

# What may be asked, and nothing else.
ASKS='^(RTM_GETROUTE|RTM_GETRULE|RTM_GETLINK|RTM_GETADDR|RTM_GETNEIGH|NFNL_SUBSYS_NFTABLES<<8\|NFT_MSG_GET[A-Z]+)$'

only_asks() {
	messages | grep -vE "$ASKS" && return 1
	messages | grep -q NFT_MSG_GETGEN && messages | grep -q RTM_GETRULE
}

# A hook where all is intact asks, and does no more than write its record. (Of
# an address that another session had, it makes the kernel forget the flows.)
test_trace() {
	ok "$1: traced" traced hook connect ID="$worker" IP_REMOTE=10.20.0.53 IPV6_REMOTE=fd20::53
	is "$(field routing)" intact "$1: routing is intact"
	ok "$1: every message only asks" only_asks
	not_ok "$1: no process is started" calls ' (v?fork|clone3?|execveat)\('
	is "$(calls ' execve\(' | wc -l)" 1 "$1: no other program is run"
	not_ok "$1: no directory is read" calls ' getdents'
	not_ok "$1: nothing is synchronised" calls ' (f(data)?)?sync\('
	is "$(calls 'O_(WRONLY|RDWR)' | grep -E 'O_CREAT' | grep -vcE '"(lock|sessions/(new|'"$worker"'))"')" 0 \
		"$1: nothing is written but lock, record and checkpoint"
}

# The same, said by the program that is traced when there is something to do.
test_trace_repair() {
	ip rule del priority 1000
	nft delete table inet ocserv_gw
	ok "$1: a repair, traced" traced hook connect
	not_ok "$1: it does not only ask" only_asks
	like "$(messages)" RTM_NEWRULE "$1: the trace shows that it writes a policy rule"
	like "$(messages)" NFT_MSG_NEWRULE "$1: and the kill switch"
}

records() {
	local i
	for ((i = 0; i < 300; i++)); do
		echo "id=$((5000 + i)) start=1 since=1 user=x" >"$STATE_DIR/sessions/$((5000 + i))"
	done
}

test_configuration() {
	configuration "$1"
	heard "$1: the first connect" hook connect
	silent "$1: connects and a disconnect" connects
	silent "$1: up, status, check, dry runs" looks
	test_trace "$1"
	ok "$1: many records" records
	test_trace "$1, many records"
	heard "$1: down" program down
	silent "$1: down again" program down
	clear_state >/dev/null
	rm -rf "$STATE_DIR"
}

begin strace
worker_start
for name in seed dual-stack several-subnets no-subnet6 link-local no-others; do
	test_configuration "$name"
done
configuration seed
ok "a first connect" hook connect
test_trace_repair seed
done_testing

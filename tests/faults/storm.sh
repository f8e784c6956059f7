#!/bin/bash
# A thousand sessions come and go, 64 hooks at a time, in random order: every
# hook succeeds, all is installed once and removed once, the books are exact.
# Then so few at a time that the last one leaves again and again: whoever is
# connected is guarded.
#
#   OGW_SEED=N    the order that a run has printed
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/storm.sh"
. "$lib/flows.sh"

SESSIONS=1000
AT_ONCE=64

storm() {
	ok "the first half connects" all_at_once "$(hooks connect 0 500 | in_any_order)"
	is "$(sessions)" 500 "status knows them all"
	hooks connect 0 250 | to_flows | make_flows >/dev/null 2>&1
	ok "the other half connects while half of the first leaves" all_at_once \
		"$({ hooks connect 500 500; hooks disconnect 0 250; } | in_any_order)"
	is "$(sessions)" 750 "status knows who is left"
	is "$(flows)" "" "the flows of who has left are gone"
	hooks connect 250 750 | to_flows | make_flows >/dev/null 2>&1
	ok "all is installed" program status
	ok "everybody leaves" all_at_once "$(hooks disconnect 250 750 | in_any_order)"
}

# Of lines of hooks() a flow for each IPv4 address; IPv6 is blocked.
to_flows() {
	sed 's/.* IP_REMOTE=\([^ ]*\) .*/\1 198.51.100.80/'
}

sessions() {
	program status --json
	jq '.sessions | map(.id) | unique | length' <<<"$out"
}

# said WORDS: how many log lines have them
said() {
	grep -c -- "$1" "$log"
}

# seen REGEX: how many events in the kernel match it
seen() {
	grep -cE "$1" <<<"$events"
}

# no_file DIRECTORY: there is none in it
no_file() {
	[ -z "$(ls -A "$1")" ]
}

test_storm() {
	events_of storm
	is "$(said 'connect user=.*took_us=')" "$SESSIONS" "each connect is logged"
	is "$(said 'disconnect user=')" "$SESSIONS" "each disconnect is logged"
	is "$(said routing=installed)" 1 "all was installed once"
	is "$(said routing=removed)" 1 "all was removed once"
	is "$(said 'routing=\(intact\|kept\)')" $((2 * SESSIONS - 2)) "the other hooks changed nothing"
	is "$(seen '^(add|create) table inet ocserv_gw')" 1 "the kernel had the table added once"
	is "$(seen '^delete table inet ocserv_gw')" 1 "and deleted once"
	is "$(seen '^1000:')" "$(seen '^Deleted 1000:')" "each policy rule was deleted as often as added"
	is "$(seen '^Deleted 1000:')" 1 "which is once"
	ok "nothing is left in the kernel" state_is "$empty_state"
	ok "no session is left in the books" no_file "$STATE_DIR/sessions"
	ok "nor an address" no_file "$STATE_DIR/addresses"
	ok "nor what is to end" no_file "$STATE_DIR/flows"
	is "$(flows)" "" "nor a flow"
}

# flap LINES: each a session, which connects, is guarded and leaves
flap() {
	xargs -P 4 -L 1 env -i "${ENVIRONMENT[@]}" "${SESSION[@]}" <<<"$1" 2>>"$log"
}

# sessions_whole FIRST COUNT: a line for each, its whole life in a shell
sessions_whole() {
	hooks connect "$1" "$2" | sed "s|$OGW_PROGRAM\$|$OGW_WORK/session|"
}

session_script() {
	cat >"$OGW_WORK/session" <<-END
		#!/bin/sh -e
		$OGW_PROGRAM
		$OGW_PROGRAM up --dry-run | grep -q '^# nothing to do'
		REASON=disconnect exec $OGW_PROGRAM
	END
	chmod +x "$OGW_WORK/session"
}

test_flap() {
	local installed
	: >"$log"
	session_script
	ok "each session of a few at a time is guarded" flap "$(sessions_whole 0 250)"
	installed=$(said routing=installed)
	ok "all was installed several times" test "$installed" -gt 3
	is "$(said routing=removed)" "$installed" "and removed as often"
	ok "nothing is left in the kernel" state_is "$empty_state"
	ok "no session is left in the books" no_file "$STATE_DIR/sessions"
}

begin xargs shuf conntrack
must "the gateways answer" gateways_known
ini clients.subnet4=10.20.0.0/22 session.remove_after_last=yes
: >"$log"
must "there are $SESSIONS workers" workers_start "$SESSIONS"
test_storm
test_flap
done_testing

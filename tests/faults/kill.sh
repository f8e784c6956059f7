#!/bin/bash
# The program is killed at each of its system calls in turn, each time from the
# same state, while a client sends: nothing leaks, and the next run does all
# that was left to do.
#
#   tests/faults/kill.sh            test
#   tests/faults/kill.sh WORD       the runs whose name holds it
#
# That is, before each call that may change what others see, since until the next
# of them all is the same; the first connect at every call. SIGTERM comes after
# each second of them; with several gateways both at some. With OGW_MORE=1 (tests/run --more) both come at every call.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/faults.sh"

# Name, start state, run, packets, what the client may meet from begin to end
# (see traffic.py), and what holds in the end. Forged sources are stopped by the
# kill switch alone, so they are not sent where it is gone.
runs() {
	cat <<-'END'
		first connect|nothing|newcomer_connects|all|open (closed )?gateway|whole_for_newcomer
		connect, kill switch flushed|guard_gone|newcomer_connects|honest|gateway|whole_for_both
		connect, a rule deleted|rule_gone|newcomer_connects|all|closed gateway|whole_for_both
		connect, the route deleted|route_gone|newcomer_connects|all|closed gateway|whole_for_both
		connect, all gone|all_gone|newcomer_connects|all|open (closed )?gateway|whole_for_both
		connect, another gateway|other_gateway|newcomer_connects|all|former (closed )?gateway|whole_for_both
		connect, all intact|installed|newcomer_connects|all|gateway|whole_for_both
		connect, nobody left|installed|stranger_connects|all|gateway (closed )?open|all_over
		disconnect of one of two|two_sessions|newcomer_leaves|all|gateway|whole_for_live
		disconnect of the last|installed|live_leaves|all|gateway (closed )?open|all_over
		disconnect with flows|flows|bob_ends|all|gateway|flows_of_bob
		connect, flows of who had the address|flows_left|mallory_connects|all|gateway|flows_of_others
		up|nothing|up|all|open (closed )?gateway|whole_for_nobody
		down|installed|down|all|gateway (closed )?open|gone
		several gateways: first connect|several_nothing|alice_connects|all|open (closed )?gateway|several_for_alice
		several gateways: connect beside|several|bob_connects|all|gateway|several_for_both
		several gateways: connect beside, her own|several_others|alice_connects|all|closed gateway|several_for_both
		several gateways: connect, kill switch flushed|several_flushed|bob_connects|honest|closed gateway|several_for_both
		several gateways: connect, tunnel of another|several_taken|alice_connects|all|former (closed )?gateway|several_taken
		several gateways: up, moved|several_edited|up|all|former (closed )?gateway|several_moved
		several gateways: disconnect beside|several_beside|bob_leaves|all|gateway|several_for_alice
		several gateways: disconnect, her own|several_beside|live_leaves|all|gateway closed|several_for_bob
	END
}

# killed SIGNAL FIRST STEP: at calls, until the run gets through; sets $calls
killed() {
	local n=$2
	while killed_once "$1" "$n"; do
		n=$((n + $3))
		kills=$((kills + 1))
	done
	calls=$((n - 1))
	[ "$status" = 0 ] || complaint "undisturbed: exit status $status"
}

# first_call: of main(), or a little before. The loader's, which come first, are
# the same in each run.
first_call() {
	local n=1
	until "$OGW_WORK/kill_at" "$n" 9 "$OGW_PROGRAM" --version | grep -q .; do
		n=$((n + 1))
	done
	echo $((n - 8))
}

every_call() {
	local changes=''
	ok "$name: SIGKILL at every call" no_complaints killed 9 "$first" 1
	ok "$name: which are many" test "$calls" -gt 100
	diag "|$(printf '%-30s %4d system calls' "$name" "$calls")"
}

changing_calls() {
	local changes=-c
	ok "$name: SIGKILL at every call that changes something" no_complaints killed 9 1 1
	ok "$name: which are some" test "$calls" -gt 10
	diag "|$(printf '%-30s %4d system calls that change something' "$name" "$calls")"
	ok "$name: SIGTERM at each second" no_complaints killed 15 1 2
}

# Others at each run, so that of what runs have in common most is met.
some_changing_calls() {
	local changes=-c
	some=$((some % 5 + 1))
	ok "$name: SIGKILL at each fifth call that changes something" no_complaints killed 9 "$some" 5
	ok "$name: SIGTERM at some" no_complaints killed 15 "$((some + 2))" 10
}

test_run() {
	local calls=0 changes=''
	if [ -n "${OGW_MORE:-}" ]; then
		every_call
		ok "$name: SIGTERM at every call" no_complaints killed 15 "$first" 1
	elif [[ $name == several* ]]; then
		some_changing_calls
	else
		[ "$first" != 1 ] || every_call
		changing_calls
	fi
	first=$main
}

begin_faults
must "kill_at is compiled" compiled kill_at
# The loader's calls, which come first, once.
kills=0 some=0 first=1 main=$(first_call)
each_run test_run "${1:-}" < <(runs)
[ "$tap_failed" != 0 ] || diag "|$kills kills: none leaked, and the next run repaired each"
done_testing

#!/bin/bash
# System calls of a run fail, allocations fail, the kernel's answers are lost or
# spoilt, one fault at a time: the run says what is wrong, success only where all
# is well, nothing leaks, and the next run does all that was left to do.
#
#   tests/faults/errors.sh            test
#   tests/faults/errors.sh WORD       the runs whose name holds it
#
# Runs share code, and come again and again to the same site: a call with the same few callers. Each site is tried where
# a run comes there for the first time, calls the last time, too, with one of the errors that they may have; of the rest
# a few are. With OGW_MORE=1 (tests/run --more) all are, in every run and in every way: that takes hours.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/faults.sh"

runs() {
	cat <<-'END'
		connect|nothing|newcomer_connects|all|open (closed )?gateway|whole_for_newcomer
		up|nothing|up|all|open (closed )?gateway|whole_for_nobody
		disconnect with flows|flows|bob_ends|all|gateway|flows_of_bob
		repair|rule_gone|newcomer_connects|all|closed gateway|whole_for_both
		disconnect of the last|installed|live_leaves|all|gateway (closed )?open|all_over
		down|installed|down|all|gateway (closed )?open|gone
		several gateways: connect beside|several|bob_connects|all|gateway|several_for_both
		several gateways: up, moved|several_edited|up|all|former (closed )?gateway|several_moved
		several gateways: disconnect beside|several_beside|bob_leaves|all|gateway|several_for_alice
	END
	# The same sites as those of a disconnect with flows.
	! more || cat <<-'END'
		disconnect of one of two|two_sessions|newcomer_leaves|all|gateway|whole_for_live
		several gateways: first connect|several_nothing|alice_connects|all|open (closed )?gateway|several_for_alice
		several gateways: connect, kill switch flushed|several_flushed|bob_connects|honest|closed gateway|several_for_both
		several gateways: connect, tunnel of another|several_taken|alice_connects|all|former (closed )?gateway|several_taken
		several gateways: disconnect, her own|several_beside|live_leaves|all|gateway closed|several_for_bob
	END
}

# trace_calls: the run's calls in $OGW_WORK/trace, with those of the loader, and the stack of each below it
trace_calls() {
	"start_$from" >/dev/null
	with_fault strace -f -k -o "$OGW_WORK/trace"
}

# calls_of NAME: NUMBER SITE of those that main() makes, among all of this name. Of many in a row, which read the
# answers to many requests, some.
calls_of() {
	awk -v call="$1(" '
		function told() { if (number) print number, call site; number = 0 }
		/^ > / { if (depth++ < 5) site = site ">" $2; next }
		{ told(); sub(/^[0-9]+ +/, ""); site = ""; depth = 0 }
		index($0, "poll([{fd=0") == 1 { main = 1 }
		index($0, call) != 1 { row = 0; next }
		{ n++; row++ }
		main && (row < 4 || row % 8 == 0) { number = n }
		END { told() }
	' "$OGW_WORK/trace"
}

# chosen WHICH STEP: the numbers of lines NUMBER SITE: all; or of each site that no run before had the first, or with
# ends the last, too, and of the rest each STEPth. Of several gateways not of each such site.
chosen() {
	local each=1
	if more; then
		cut -d' ' -f1
		return
	fi
	[[ $name != several* ]] || each=4
	awk -v sites="$OGW_WORK/sites" -v which="$1" -v step="$2" -v each="$each" '
		BEGIN { while ((getline site <sites) > 0) known[site] }
		{ number[NR] = $1; at[NR] = $2; last[$2] = NR }
		END {
			for (i = 1; i <= NR; i++) {
				site = at[i]
				end = !met[site]++ || which == "ends" && last[site] == i
				if (!(site in known) && end && ++unknown % each == 0 || i % step == 0)
					print number[i]
			}
			for (site in met)
				print site >>sites
		}'
}

# failing_calls: lines of KIND CALL NUMBER ERROR
failing_calls() {
	local names errors kind name number error
	while IFS='|' read -r names errors kind; do
		for name in $names; do
			for number in $(calls_of "$name" | chosen ends 16); do
				for error in $(one_of "$number" "$errors"); do
					echo "$kind $name $number $error"
				done
			done
		done
	done < <(calls)
}

# count_preloaded: the run's allocations, NUMBER SITE, in $OGW_WORK/allocations, the messages that it gets in $replies
count_preloaded() {
	"start_$from" >/dev/null
	# With the same addresses in each run.
	with_fault setarch -R env LD_PRELOAD="$OGW_WORK/preload" FAULT_COUNTS="$OGW_WORK/counts" \
		FAULT_SITES="$OGW_WORK/allocations"
	read -r replies <"$OGW_WORK/counts"
}

allocations_fail() {
	local n=0 number
	while read -r -u 4 number; do
		n=$((n + 1))
		at="allocation $number"
		try memory env LD_PRELOAD="$OGW_WORK/preload" FAULT_ALLOCATION="$number"
		at="allocations from $number on"
		[ $((n % 3)) != 0 ] || try memory env LD_PRELOAD="$OGW_WORK/preload" FAULT_ALLOCATION="$number+"
	done 4< <(chosen first 128 <"$OGW_WORK/allocations")
}

# some_replies: their numbers, of many some
some_replies() {
	local n first=8 last=20
	more || [ "$name" = connect ] || first=3 last=3
	for ((n = 1; n <= replies; n++)); do
		[ "$n" -ge "$first" ] && [ "$n" -le $((replies - last)) ] && [ $((n % 8)) != 0 ] || echo "$n"
	done
}

# spoilt_replies: lines of NUMBER KIND, see preload.c
spoilt_replies() {
	local n kind
	for n in $(some_replies); do
		for kind in $(one_of "$n" "empty short half cut type overrun tiny huge bare interrupted truncated exists busy"); do
			echo "$n $kind"
		done
	done
	# These are waited for, a second each.
	echo "$((replies / 2)) sequence"
	if more || [ "$name" = connect ]; then
		printf '%s\n' "1 sequence" "$replies sequence" "2 noop"
	fi
}

replies_spoilt() {
	local number kind
	while read -r -u 4 number kind; do
		at="reply $number: $kind"
		try kernel env LD_PRELOAD="$OGW_WORK/preload" FAULT_REPLY="$number:$kind"
	done 4< <(spoilt_replies)
}

# test_faults WHAT FUNCTION
test_faults() {
	local tries=0
	ok "$name: $1" no_complaints "$2"
	ok "$name: $1: tried" test "$tries" -gt 0
	diag "|$(printf '%-24s %-20s %5d' "$name" "$1" "$tries")"
	all_tries=$((all_tries + tries))
}

test_run() {
	local replies
	trace_calls
	count_preloaded
	test_faults "system calls fail" calls_fail
	test_faults "allocations fail" allocations_fail
	test_faults "replies are spoilt" replies_spoilt
}

begin_faults strace setarch
must "the preloaded library is compiled" compiled preload -fPIC -shared
all_tries=0
: >"$OGW_WORK/sites"
each_run test_run "${1:-}" < <(runs)
[ -n "${1:-}" ] || ok "there are many" test "$all_tries" -gt 300
[ "$tap_failed" != 0 ] ||
	diag "|$all_tries faults: none leaked, each was told, and the next run repaired each"
done_testing

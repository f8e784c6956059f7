#!/bin/bash
# Thousands of sessions are restored after a flush, by a connect and by `up`, while the run is killed or its calls fail: nothing
# leaks, what is wrong is said, and the next run brings all of them back.
#
# Their number makes most calls the same: of each name one is tried, with OGW_MORE=1 (tests/run --more) many, from the first to
# the last.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/faults.sh"

# A sanitizer makes each run too slow for a hook.
if grep -qa __asan_init "$OGW_PROGRAM"; then sessions=200; else sessions=2000; fi
if more; then samples=50; else samples=1; fi

runs() {
	echo "restore by a connect|crowd_flushed|bob_connects|honest|closed gateway|crowd_and_both"
	! more || echo "restore by up|crowd_flushed|up|honest|closed gateway|crowd_and_alice"
}

crowd_up() {
	start_several_nothing
	several_ini $'alice = nl\n*1 = nl'
	sed -i 's|10.20.0.0/24|10.20.0.0/16|' "$INI"
	hook connect ID="$live" || return
	python3 "$OGW_TOP/tests/leaks/crowd.py" "$STATE_DIR" "$sessions" default nl >"$OGW_WORK/crowd" &
	wait_for 60 grep -q ready "$OGW_WORK/crowd" || return
	records=$(find "$STATE_DIR/sessions" -type f | sort)
	crowd=$(grep -v ready "$OGW_WORK/crowd")
	verb up
}

# Whatever a run has kept of bob, it is as if he had not connected.
start_crowd_flushed() {
	nft flush ruleset
	rm -f "$STATE_DIR/sessions/$newcomer" "$STATE_DIR"/addresses/{10.20.0.51,fd20::51} "$STATE_DIR/devices/vpns1"
}

# crowd_is ENTRIES [ID]: the crowd and these have their entries, and their records, and nobody else
crowd_is() {
	same "$(sort <<<"$crowd"$'\n'"$1")" "$(entries)" &&
		same "$(sort <<<"$records${2:+$'\n'$STATE_DIR/sessions/$2}")" "$(find "$STATE_DIR/sessions" -type f | sort)"
}

crowd_and_alice() {
	crowd_is "$ALICES"
}

crowd_and_both() {
	crowd_is "$ALICES"$'\n'"$BOBS" "$newcomer"
}

# some_of FIRST LAST: numbers between them, as many as there are samples
some_of() {
	awk -v first="$1" -v last="$2" -v samples="$samples" 'BEGIN {
		for (i = 0; i < samples; i++)
			print int(first + (last - first) * (i + 0.5) / samples)
	}' | uniq
}

# count_calls: the run's calls, with those of the loader, in $OGW_WORK/trace; $total is their number
count_calls() {
	"start_$from"
	with_fault strace -f -o "$OGW_WORK/trace"
	total=$(grep -c '^[0-9]* *[a-z0-9_]*(' "$OGW_WORK/trace")
}

# calls_of NAME: the numbers of some of those that main() makes, and of the one with most bytes, which has all the sessions
calls_of() {
	local first last largest
	read -r first last largest < <(awk -v call="$1(" '
		index($2, "poll([{fd=0") == 1 { main = 1 }
		index($2, call) != 1 { next }
		{ n++ }
		main && !first { first = n }
		$NF > most { most = $NF; largest = n }
		END { print first, n, largest }' "$OGW_WORK/trace")
	[ -z "$largest" ] || { some_of "$first" "$last"; [ "$1" != sendto ] || echo "$largest"; } | sort -nu
}

# failing_calls: lines of KIND CALL NUMBER ERROR; those that sessions make many, with more all
failing_calls() {
	local names errors kind call number error
	while IFS='|' read -r names errors kind; do
		for call in $names; do
			more || [[ " sendto recvmmsg openat readlinkat getdents64 mmap " == *" $call "* ]] || continue
			for number in $(calls_of "$call"); do
				for error in $(one_of "$number" "$errors"); do
					echo "$kind $call $number $error"
				done
			done
		done
	done < <(calls)
}

# killed_at NUMBER...
killed_at() {
	local n
	for n; do
		killed_once 9 "$n" && tries=$((tries + 1))
	done
}

test_run() {
	local tries=0 total changes=
	count_calls
	ok "$name: calls fail" no_complaints calls_fail
	# shellcheck disable=SC2046 # numbers
	ok "$name: killed" no_complaints killed_at $(some_of $((total / 10)) "$total")
	changes=-c
	# shellcheck disable=SC2046
	ok "$name: killed before what changes something" no_complaints killed_at $(if more; then seq 30; else echo 2 4; fi)
	ok "$name: there were some" test "$tries" -gt 6
	diag "|$name: $total calls, $tries faults"
}

begin_faults strace
must "kill_at is compiled" compiled kill_at
ok "there are $sessions sessions" crowd_up
ok "they are as they should be" crowd_and_alice
each_run test_run "${1:-}" < <(runs)
done_testing

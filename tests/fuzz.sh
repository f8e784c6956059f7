#!/bin/bash
# Fuzzes what reads the files, environments and messages of others, with clang's libFuzzer and sanitizers: first
# what once went wrong (tests/fuzz/crashes) and the seeds, then OGW_FUZZ_SECONDS of new inputs for each target: 10, or 60
# with OGW_MORE=1 (tests/run --more).
#
# tests/fuzz/README.md tells what a target does, how to run one alone and how to keep what it found.
# shellcheck source-path=SCRIPTDIR/lib
set -u
top=$(cd "${0%/*}/.." && pwd)
. "$top/tests/lib/tap.sh"
seconds=${OGW_FUZZ_SECONDS:-$([ -n "${OGW_MORE:-}" ] && echo 60 || echo 10)}
targets=(config hook session netlink ocserv pools maps)

[ -n "$(type -P clang)" ] || skip_all "needs clang"
work=$(mktemp -d)
# The targets work on many small files: in memory where that is a file system.
scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$work" "$scratch"' EXIT

# fuzz TARGET OPTION-OR-FILE...: a mistake, a leak, or an input that takes 20 seconds ends it with an error
fuzz() {
	local target=$1
	shift
	TMPDIR=$scratch timeout -k 5 $((seconds + 120)) "$work/fuzz_$target" -timeout=20 \
		-artifact_prefix="$work/found-$target-" "$@"
}

kept() {	# TARGET: files
	find "$top/tests/fuzz/crashes/$1" "$top/tests/fuzz/seeds/$1" -type f 2>/dev/null
}

repeat() {	# TARGET
	local -a inputs
	mapfile -t inputs < <(kept "$1")
	[ ${#inputs[@]} -gt 0 ] && fuzz "$1" "${inputs[@]}"
}

# In the background: its output and exit status in files.
search() {	# TARGET
	mkdir "$work/corpus-$1"
	fuzz "$1" -max_total_time="$seconds" -print_final_stats=1 "$work/corpus-$1" "$top/tests/fuzz/seeds/$1" \
		>"$work/$1.log" 2>&1
	echo $? >"$work/$1.status"
}

found_nothing() {	# TARGET
	local found
	[ "$(<"$work/$1.status")" = 0 ] && return
	grep -n -m 1 -A 40 -E 'ERROR|runtime error|^not so' "$work/$1.log" || tail -n 40 "$work/$1.log"
	for found in "$work/found-$1-"*; do
		[ ! -e "$found" ] || { echo "the input, for tests/fuzz/crashes/$1:"; base64 "$found"; }
	done
	return 1
}

figures() {	# TARGET: for the report of tests/run
	local log=$work/$1.log executions edges all
	executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
	all=$(sed -n 's/^INFO: Loaded 1 modules *(\([0-9]*\) .*/\1/p' "$log")
	printf '# | fuzz_%-8s %8s executions in %s s, %5s of %s branches seen\n' "$1" "${executions:-?}" "$seconds" \
		"${edges:-?}" "${all:-?}"
}

must "the targets build" "$top/tests/fuzz/build" "$work"
for target in "${targets[@]}"; do
	ok "$target: what once went wrong, and the seeds" repeat "$target"
done
running=0
for target in "${targets[@]}"; do
	[ "$running" -lt 2 ] || { wait -n; running=$((running - 1)); }
	search "$target" &
	running=$((running + 1))
done
wait
for target in "${targets[@]}"; do
	ok "$target: nothing goes wrong in $seconds seconds" found_nothing "$target"
	figures "$target"
done
done_testing

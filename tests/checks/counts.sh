#!/bin/bash
# No hook costs more instructions, system calls or netlink messages than bench/counts.tsv says, and a tenth.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root"

table=$top/bench/counts.tsv
counted=$(mktemp)
trap 'rm -f "$counted"' EXIT

count() {
	"$top/bench/counts" >"$counted"
}

rows() {	# FILE
	grep -v '^#' "$1"
}

tap_context() {
	diag "the table was made with: $(sed -n 's/^# Counted with //p' "$table")"
	diag "now there are:           $(sed -n 's/^# Counted with //p' "$counted")"
	diag "where the growth is meant: bench/counts --update"
}

within() {	# KNOWN NOW
	[ "$(($2 * 10))" -le "$(($1 * 11))" ]
}

compare_row() {	# NAME KNOWN-NUMBERS NOW-NUMBERS, of both tables the columns
	local name=$1 i
	local -a known now
	IFS=$'\t' read -ra known <<<"$2"
	IFS=$'\t' read -ra now <<<"$3"
	for i in "${!columns[@]}"; do
		ok "$name: ${columns[i]}: ${known[i]}, now ${now[i]}" within "${known[i]}" "${now[i]}"
	done
}

must "bench/counts counts" count
is "$(rows "$counted" | cut -f1)" "$(rows "$table" | cut -f1)" "the table has the hooks and columns that are counted"
IFS=$'\t' read -ra columns < <(rows "$table" | head -n 1 | cut -f2-)
while IFS=$'\t' read -r name known; do
	compare_row "$name" "$known" "$(rows "$counted" | grep -F "$name"$'\t' | cut -f2-)"
done < <(rows "$table" | tail -n +2)
diag "$(rows "$counted" | expand -t 44,59,74,89 | sed 's/^/| /')"

done_testing

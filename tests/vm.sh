#!/bin/bash
# Tests on Debian's own kernel, in one virtual machine: what this machine's kernel does otherwise, or has not.
# shellcheck source-path=SCRIPTDIR/lib
set -u
top=$(cd "${0%/*}/.." && pwd)
cd "$top" || exit 1
# The last one leaves a small table of flows.
tests=(tests/ns/flows.sh tests/vm/doors.sh tests/vm/vrf.sh tests/vm/wireguard.sh tests/vm/full-table.sh)
seconds=600

# Without KVM all is slow, and 2 GB of memory make room for 65,536 flows.
export OGW_FLOWS=3000

# shellcheck disable=SC2016 # for the virtual machine
run_all() {
	timeout "$seconds" tests/vm/run bash -c '
		echo "kernel $(uname -r)"
		for test; do
			echo "begin $test"
			"$test"
			echo "end $test $?"
		done' run "$@" 2>&1
}

# One TAP of all: each assertion with its test, and one for each test, that it came to its end.
join() {
	awk -v tests="$*" '
		function assert(good, text) { print (good ? "ok " : "not ok ") ++count " - " text; bad += !good }
		/^kernel / { kernel = $2; next }
		/^begin / { name = $2; sub("tests/", "", name); seen = planned = failed = 0; next }
		/^end / {
			assert(seen && seen == planned && (failed > 0) == ($3 != 0),
				name ": all of it was run, on Linux " kernel)
			ended[$2] = 1
			next
		}
		/^(not )?ok / {
			good = $1 == "ok" && !/# *[Ss][Kk][Ii][Pp]/
			seen++
			failed += !good
			sub(/^(not )?ok [0-9]+ - /, "")
			assert(good, name ": " $0)
			next
		}
		/^1\.\./ { planned = substr($0, 4) + 0; next }
		{ print (/^#/ ? "" : "# ") $0 }
		END {
			for (i = split(tests, all); i > 0; i--)
				if (!(all[i] in ended))
					assert(0, all[i] ": the virtual machine did not come so far")
			print "1.." count
			exit bad > 0
		}'
}

run_all "${tests[@]}" | join "${tests[@]}"

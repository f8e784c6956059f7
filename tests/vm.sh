#!/bin/bash
# Tests on other kernels than this machine's, each in a virtual machine, both at once: Debian's own, which has modules that
# this one has not, and the newest that apt has.
# shellcheck source-path=SCRIPTDIR/lib
set -u
top=$(cd "${0%/*}/.." && pwd)
cd "$top" || exit 1
# Each machine's kernel and its tests. The first finds no module loaded; full-table leaves a small table of flows.
machines=(
	"amd64 tests/vm/modules.sh tests/ns/install.sh tests/ns/flows.sh tests/ns/repair.sh tests/vm/doors.sh tests/vm/vrf.sh \
tests/vm/wireguard.sh tests/vm/fast-path.sh tests/vm/full-table.sh"
	"newest tests/vm/modules.sh tests/ns/flows.sh tests/ns/repair.sh tests/vm/flow-tables.sh tests/e2e/environment.sh tests/leaks.sh"
)
seconds=900

# Without KVM all is slow, and 2 GB of memory make room for 65,536 flows.
export OGW_SLOW=1 OGW_LEAKS="--quick --variant dual --only ruleset" OGW_CPUS=$((($(nproc) + 1) / 2))
if [ -n "${OGW_MORE:-}" ]; then
	everything=$(echo tests/ns/*.sh tests/e2e/*.sh tests/leaks.sh)
	seconds=36000 OGW_LEAKS=--quick
	machines=("amd64 $everything tests/vm/doors.sh tests/vm/vrf.sh tests/vm/wireguard.sh tests/vm/flow-tables.sh \
tests/vm/fast-path.sh tests/vm/full-table.sh"
		"newest tests/vm/modules.sh tests/vm/flow-tables.sh tests/vm/fast-path.sh $everything")
fi

# shellcheck disable=SC2016 # for the virtual machine
run_all() {	# KERNEL TEST...
	OGW_KERNEL=$1 exec setpriv --pdeathsig TERM -- timeout "$seconds" tests/vm/run bash -c '
		echo "kernel $(uname -r)"
		for test; do
			echo "begin $test"
			begun=$SECONDS
			"$test"
			echo "end $test $?"
			echo "# $test took $((SECONDS - begun)) s"
		done' run "${@:2}" 2>&1
}

# One TAP of all: each assertion with its test, and one for each test, that it came to its end.
join() {
	awk '
		function assert(good, text) { print (good ? "ok " : "not ok ") ++count " - " text; bad += !good }
		function missed(    i, all) {
			for (i = split(tests, all); i > 1; i--)
				if (!(all[i] in ended))
					assert(0, all[i] ": the virtual machine with linux-image-" all[1] " did not come so far")
			split("", ended)
		}
		/^machine / { missed(); tests = substr($0, 9); next }
		/^kernel / { kernel = $2; next }
		/^begin / { name = $2; sub("tests/", "", name); name = name " on " kernel; seen = planned = failed = 0; next }
		/^end / {
			assert(seen && seen == planned && (failed > 0) == ($3 != 0), name ": all of it was run")
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
			missed()
			print "1.." count
			exit bad > 0
		}'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for i in "${!machines[@]}"; do
	# shellcheck disable=SC2086 # words
	run_all ${machines[i]} >"$work/$i" &
done
wait
for i in "${!machines[@]}"; do
	echo "machine ${machines[i]}"
	cat "$work/$i"
done | join

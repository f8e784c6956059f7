#!/bin/bash
# README and sample configuration say what the program does.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
program=${OGW_PROGRAM:-$top/_build/src/ocserv-gateway}
keys=$top/_build/tests/print_keys

is "$(sed -n '/^<!-- keys -->$/,/^<!-- \/keys -->$/{//!p}' "$top/README.md")" "$("$keys")" \
	"the table of keys in README.md is that of the parser"

# Every key stands in the sample, in its section, with its default where it has one.
explained() {	# SECTION KEY DEFAULT
	sed -n "/^\[$1\]/,/^\[/p" "$top/etc/gateway.ini" | sed -n "s/^;\{0,1\}$2 = //p" |
		grep -qxF -- "$3" || { [ "$3" = unset ] && grep -q "^;\{0,1\}$2 = " "$top/etc/gateway.ini"; }
}
while IFS='|' read -r _ name _ fallback _; do
	read -r section key <<<"${name//[\`\[\]]/}"
	ok "etc/gateway.ini explains [$section] $key" explained "$section" "$key" "${fallback//[\` ]/}"
done < <("$keys" | tail -n +3)

sample=$(mktemp)
cp "$top/etc/gateway.ini" "$sample"
ok "the sample parses" test -n "$("$program" -c "$sample" check 2>/dev/null | grep 172.28.0.2)"
sed 's/^;\([a-z].*=\)/\1/; s|^next_script.*||; s|^interface = eth0||' "$sample" >"$sample.all"
is "$("$program" -c "$sample.all" check 2>&1 | grep -c "$sample.all.*\(unknown\|must\|stands\)")" 0 \
	"it parses with every key uncommented"
rm -f "$sample" "$sample.all"

help=$(mktemp)
"$program" --help >"$help"
for word in check up down status --dry-run --json --config --version; do
	ok "--help names $word" grep -qe "$word" "$help"
	ok "README.md names $word" grep -qe "$word" "$top/README.md"
done
rm -f "$help"

done_testing

#!/bin/bash
# Documents, man pages and sample configuration say what the program does.
#
#   tests/checks/documents.sh             test
#   tests/checks/documents.sh --write     write the keys of docs/configuration.md and gateway.ini(5) anew
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
program=${OGW_PROGRAM:-$top/_build/src/ocserv-gateway}
keys=$top/_build/tests/print_keys

# Between these lines, of the Markdown and of the mdoc, stands what print_keys makes.
markdown=('<!-- keys -->' '<!-- /keys -->')
mdoc=('.\" keys' '.\" /keys')

if [ ! -x "$keys" ] || ! "$keys" | grep -q '| .\/etc\/ocserv\/ocserv\.conf. |'; then
	echo "Bail out! $keys is not built, or not with --sysconfdir=/etc: make check TESTS="
	exit 1
fi

# Nothing here is about the machine's own network.
program_alone() {
	unshare --net "$program" "$@"
}

between() {	# FILE BEGIN END
	awk -v begin="${2//\\/\\\\}" -v end="${3//\\/\\\\}" '$0 == end { on = 0 } on; $0 == begin { on = 1 }' "$1"
}

write_between() {	# FILE BEGIN END TEXT
	local new
	new=$(text=$4 awk -v begin="${2//\\/\\\\}" -v end="${3//\\/\\\\}" '
		$0 == end { on = 0 }
		!on
		$0 == begin { on = 1; print ENVIRON["text"] }' "$1") && printf '%s\n' "$new" >"$1"
}

if [ "${1:-}" = --write ]; then
	ok "write configuration.md" write_between "$top/docs/configuration.md" "${markdown[@]}" "$("$keys")"
	ok "write gateway.ini.5" write_between "$top/docs/gateway.ini.5" "${mdoc[@]}" "$("$keys" mdoc)"
	done_testing
fi

is "$(between "$top/docs/configuration.md" "${markdown[@]}")" "$("$keys")" \
	"the table of keys in docs/configuration.md is that of the parser"
is "$(between "$top/docs/gateway.ini.5" "${mdoc[@]}")" "$("$keys" mdoc)" \
	"the keys in gateway.ini(5) are those of the parser"

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
ok "the sample parses" test -n "$(program_alone -c "$sample" check 2>/dev/null | grep 172.28.0.2)"
sed 's/^;\([a-z].*=\)/\1/; s|^next_script.*||; s|^interface = eth0||' "$sample" >"$sample.all"
is "$(program_alone -c "$sample.all" check 2>&1 | grep -c "$sample.all.*\(unknown\|must\|stands\)")" 0 \
	"it parses with every key uncommented"
rm -f "$sample" "$sample.all"

# The examples of gateway.ini(5), each a file of its own.
examples=$(mktemp -d)
awk -v name="$examples/" '/^\.Ed/ { on = 0 } on { print >name n } /^\.Bd/ { on = 1; n++ }' "$top/docs/gateway.ini.5"
for example in "$examples"/*; do
	chmod 600 "$example"
	like "$(program_alone -c "$example" check 2>&1)" "address4 .*$example:" \
		"example ${example##*/} of gateway.ini(5) parses"
done
rm -rf "$examples"

help=$(mktemp)
"$program" --help >"$help"
for word in init check up down status explain test --dry-run --json --config --ocserv-conf --version; do
	ok "--help names $word" grep -qe "$word" "$help"
	ok "docs/operation.md names $word" grep -qe "$word" "$top/docs/operation.md"
done
rm -f "$help"

# Verbs and exit statuses are tags of lists, options stand anywhere.
manual=$(mandoc -T ascii "$top/docs/ocserv-gateway.8" | sed 's/.\x08//g')
while read -r word; do
	tag=$'\n'" +$word  "
	[ "${word#--}" = "$word" ] || tag=" ${word}[^a-z-]"
	like "$manual" "$tag" "ocserv-gateway(8) explains $word"
done < <("$program" --help | grep -oE '^  [a-z]+|--[a-z-]+|[1-9][0-9]? ' | tr -d ' ' | sort -u)
while read -r variable; do
	like "$manual" "[^A-Z_]${variable}[^A-Z_]" "ocserv-gateway(8) names the variable $variable"
done < <(sed -n 's/.*\(getenv\|variable\)("\([A-Z0-9_]*\)").*/\2/p' "$top"/src/*.c "$top"/src/*/*.c | sort -u)

for page in "$top"/docs/*.[58]; do
	# But for manuals that are not installed here.
	is "$(mandoc -T lint "$page" 2>&1 | grep -v -e 'mandoc.db lacks' -e 'referenced manual not found')" "" \
		"mandoc finds no fault with ${page##*/}"
done

done_testing

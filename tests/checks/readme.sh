#!/bin/bash
# What README.md says can be checked without running it; tests/e2e/readme.sh runs its commands.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
. "$top/tests/lib/readme.sh"
debian=$top/debian

# The first of each dependency's alternatives that Debian 12 has, as debian/control says, and what dpkg-buildpackage itself needs.
needed() {
	sed -n '/^Build-Depends:/,/^[A-Z]/p' "$debian/control" | sed -e '1s/.*: //' -e '/^[A-Z]/d' | tr ',' '\n' |
		sed -e 's/<.*>//; s/(.*)//; s/.*| *//; s/-compat//' | xargs -n 1
	printf '%s\n' build-essential dpkg-dev
}

# yaml_is_part FILE: what standard input says is said by that file, too
yaml_is_part() {
	/usr/bin/python3 -c '
import sys, yaml
def part(some, whole, path=""):
    if isinstance(some, dict) and isinstance(whole, dict):
        return [line for key in some for line in part(some[key], whole.get(key), f"{path}.{key}")]
    return [] if some == whole else [f"{path}: {some!r} is {whole!r} there"]
wrong = part(yaml.safe_load(sys.stdin), yaml.safe_load(open(sys.argv[1])))
print("\n".join(wrong))
sys.exit(bool(wrong))' "$1"
}

# links: the files that README.md leads to
links() {
	grep -oE '\]\([^)#]+\)' "$README" | sed 's/^](//; s/)$//' | grep -v '^https:' | sort -u
}

is "$(readme_unmarked)" "" "each block of code says what a test does with it"
is "$(readme_blocks | grep -vE '^[a-z-]+ (run|run on the gateway|run from line [0-9]+ on: .+|(file|append) /[^ ]+|not run, .+)$')" "" \
	"in words that the test knows"
is "$(readme_blocks | cut -d ' ' -f 1 | sort | uniq -d)" "" "under a name of its own"
# Whoever adds one that is not run says here that this is meant.
is "$(readme_blocks | sed -n 's/ not run, .*//p' | xargs)" "network demo client wireguard wireguard-ini compose docker" \
	"these alone are not run"
for package in $(needed); do
	like "$(readme_block install | head -n 1)" " $package( |$)" "the line of dependencies has $package"
done
like "$(readme_block install)" "_$(dpkg-parsechangelog -l "$debian/changelog" -S Version)_" "the package has the version of debian/changelog"
ok "the container is that of compose.yaml" yaml_is_part "$top/packaging/container/compose.yaml" < <(readme_block compose)
for link in $(links); do
	ok "$link is there" test -e "$top/$link"
done
for command in $(readme_block demo | grep -o '^tests/[a-z]*'); do
	ok "$command is there" test -x "$top/$command"
done
lines=$(wc -l <"$README")
ok "it is a first page: $lines lines" test "$lines" -le 210
done_testing

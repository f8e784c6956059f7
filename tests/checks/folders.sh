#!/bin/bash
# The sources' folders: each includes only those before it, and no two headers include each other.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
cd "$top/src" || exit 1

# In the order in which they may include one another: docs/architecture.md.
folders="base config model kernel sessions diagnose cli"

# includes FOLDER: the files in it, each with a folder that it includes, and the header
includes() {
	grep -Ho '^#include "[^"]*"' "$1"/*.[ch] | sed 's/:#include "\([^/"]*\)\/\{0,1\}/ \1 /; s/"$//'
}

is "$(find . -mindepth 1 -maxdepth 1 | sort | tr -d './\n' )" "$(tr ' ' '\n' <<<"$folders mainc" | sort | tr -d '\n')" \
	"there are these folders, and main.c"
before=
for folder in $folders; do
	before+=" $folder "
	ok "$folder: its includes were found" test "$(includes "$folder" | wc -l)" -gt 5
	is "$(includes "$folder" | while read -r file other header; do
		[[ $before == *" $other "* ]] || echo "$file includes $other/$header"
	done)" "" "$folder includes nothing of a folder behind it"
done

# Each header with those that it includes, which tsort(1) can order unless they go in a circle.
headers() {
	grep -o '^#include "[^"]*"' ./*/*.h | sed 's/^\.\/\(.*\):#include "\(.*\)"$/\1 \2/'
}
ok "headers include others" test "$(headers | wc -l)" -gt 50
ok "and none itself, by whatever way" tsort <(headers)

# The same of the sources at the bottom, each with its header.
base_modules() {
	grep -o '^#include "base/[^"]*"' base/*.[ch] | sed 's/^\(.*\)\.[ch]:#include "\(.*\)\.h"$/\1 \2/' | awk '$1 != $2'
}
ok "sources of base/ include others" test "$(base_modules | wc -l)" -gt 10
ok "and none needs itself" tsort <(base_modules)
done_testing

#!/bin/bash
# No finding of clang-tidy; .clang-tidy says what it looks for, and what not and why. Its analyzer follows each function
# for 50,000 steps; as far as it can, which takes four times as long, with OGW_MORE=1 (tests/run --more).
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
cd "$top" || exit 1

steps=(-Xclang -analyzer-config -Xclang max-nodes=50000)
[ -z "${OGW_MORE:-}" ] || steps=()

tidy_file() {	# FILE OPTION...
	clang-tidy --quiet --config-file=.clang-tidy "$1" -- -std=gnu11 -D_GNU_SOURCE -DSYSCONFDIR='"/etc"' \
		-DPACKAGE_VERSION='"0"' -DPKGLIBEXECDIR='"/usr/libexec"' -I src "${@:2}" 2>&1
}

# One process for each file: version 14 takes every va_list for uninitialized in all but its first.
tidy() {
	export -f tidy_file
	# shellcheck disable=SC2016 # for the inner shell
	printf '%s\0' src/*.c src/*/*.c | xargs -0 -P "$(nproc)" -I FILE "$BASH" -c 'tidy_file "$@"' tidy FILE "${steps[@]}" |
		grep -v '^[0-9]* warnings\? generated' | grep . && return 1
	return 0
}

[ -n "$(type -P clang-tidy)" ] || skip_all "needs clang-tidy"
wrong=$(mktemp --suffix .c)
trap 'rm -f "$wrong"' EXIT
printf '#include <stdlib.h>\nint number(const char *text);\nint number(const char *text)\n{\n\treturn atoi(text);\n}\n' >"$wrong"
not_ok "clang-tidy finds what is wrong" tidy_file "$wrong" "${steps[@]}"
ok "and finds nothing in src/" tidy
done_testing

#!/bin/bash
# No finding of clang-tidy; .clang-tidy says what it looks for, and what not and why.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
cd "$top" || exit 1

# One process for each file: version 14 takes every va_list for uninitialized in all but its first.
tidy() {
	printf '%s\0' src/*.c | xargs -0 -n 1 -P "$(nproc)" sh -c 'clang-tidy --quiet "$1" -- -std=gnu11 -D_GNU_SOURCE \
		-DSYSCONFDIR=\"/etc\" -DPACKAGE_VERSION=\"0\"' sh
}

[ -n "$(type -P clang-tidy)" ] || skip_all "needs clang-tidy"
ok "the configuration of clang-tidy is one" clang-tidy --dump-config src/main.c
ok "clang-tidy" tidy
done_testing

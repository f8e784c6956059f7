#!/bin/bash
# No warning of gcc, of its analyzer, of clang, with musl's headers, nor of cppcheck; hardened as promised.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

build_with() {	# NAME TARGETS CONFIGURE-OPTION...
	local name=$1 targets=$2
	shift 2
	# shellcheck disable=SC2086 # several targets
	mkdir "$build/$name" && cd "$build/$name" &&
		"$top/configure" --quiet --enable-werror "$@" && make --quiet $targets TESTS=
}

analyze() {
	mkdir "$build/analyzer" && cd "$build/analyzer" && "$top/configure" --quiet --enable-werror &&
		make --quiet CFLAGS='-O2 -fanalyzer' src/libgateway.a
}

# The libraries' headers from Debian, the C library's from musl: what glibc alone has does not compile.
musl_headers() {
	local headers=$build/musl name
	mkdir "$headers"
	for name in linux asm-generic libmnl libnftnl; do
		ln -s "/usr/include/$name" "$headers/$name"
	done
	ln -s "/usr/include/$(gcc -print-multiarch)/asm" "$headers/asm"
	for name in "$top"/src/*.c "$top"/src/*/*.c; do
		musl-gcc -std=gnu11 -D_GNU_SOURCE -Wall -Werror -Werror=implicit-function-declaration -fsyntax-only \
			-DSYSCONFDIR='"/etc"' -DPACKAGE_VERSION='"0"' \
			-DPKGLIBEXECDIR='"/usr/libexec"' -I "$top/src" -idirafter "$headers" "$name" || return 1
	done
}

hardening() {	# what readelf says of the program
	readelf --dynamic --program-headers --file-header "$build/gcc/src/ocserv-gateway"
}

ok "gcc" build_with gcc src/ocserv-gateway
ok "clang, the tests, too" build_with clang "all check" CC=clang
ok "libraries inside" build_with static src/ocserv-gateway --enable-static-libraries
unlike "$(readelf --dynamic "$build/static/src/ocserv-gateway")" 'libnftnl' "libnftnl is not needed to run it"
is "$("$build/static/src/ocserv-gateway" --version)" "$("$build/gcc/src/ocserv-gateway" --version)" "it runs"
ok "gcc -fanalyzer" analyze
ok "musl's headers" musl_headers
ok "cppcheck" cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
	--suppress=missingIncludeSystem --include=/usr/include/libmnl/libmnl.h \
	-DSYSCONFDIR='"/etc"' -DPACKAGE_VERSION='"0"' -DPKGLIBEXECDIR='"/usr/libexec"' -I "$top/src" "$top/src"
program=$(hardening)
like "$program" 'DYN \(Position-Independent' "the program is position-independent"
like "$program" GNU_RELRO "its relocations are read-only"
like "$program" 'BIND_NOW|Flags: NOW' "it binds at once"
like "$(readelf --symbols --dyn-syms "$build/gcc/src/ocserv-gateway")" __stack_chk_fail "its stack is protected"
like "$(readelf --symbols --dyn-syms "$build/gcc/src/ocserv-gateway")" '__[a-z]+_chk@' "its copies are checked (FORTIFY)"

done_testing

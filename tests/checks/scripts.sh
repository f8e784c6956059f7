#!/bin/bash
# No warning of shellcheck; the Python compiles; the shim is for any POSIX shell.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
cd "$top" || exit 1

for script in tests/run tests/install-deps tests/musl/build tests/other-ocserv tests/demo .ci/run autogen.sh tests/*.sh \
	tests/*/*.sh tests/coverage tests/lib/fresh-network tests/vm/run tests/fuzz/{build,record} bench/{run,counts} \
	docs/pictures/make{,-demo} completion/ocserv-gateway.bash; do
	ok "shellcheck $script" shellcheck --external-sources "$script"
done
for script in hooks/ocserv-gateway-hook.in packaging/before-removal.in packaging/alpine/ocserv-gateway.* \
	packaging/container/before-ocserv packaging/container/s6-rc.d/*/run packaging/openwrt/files/*.init; do
	ok "shellcheck $script, as POSIX sh" shellcheck --shell=sh "$script"
done
ok "shellcheck of the hooks to compare with" shellcheck bench/shell-hook bench/session-hook
for script in tests/*/*.py bench/*.py docs/pictures/*.py; do
	ok "python compiles $script" python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' \
		"$script"
done

done_testing

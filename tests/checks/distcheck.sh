#!/bin/bash
# The distribution builds from its own archive, passes its unit tests, installs and uninstalls.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"

build=$(mktemp -d)
trap 'chmod -R u+w "$build"; rm -rf "$build"' EXIT
cd "$build" || exit 1

ok "configure" "$top/configure" --quiet
ok "make distcheck" make --quiet distcheck
ok "make install" make --quiet install DESTDIR="$build/root" prefix=/usr sysconfdir=/etc
for file in usr/sbin/ocserv-gateway usr/libexec/ocserv-gateway/ocserv-gateway-hook \
	usr/share/man/man8/ocserv-gateway.8 usr/share/man/man5/gateway.ini.5 \
	usr/share/bash-completion/completions/ocserv-gateway.bash usr/share/zsh/site-functions/_ocserv-gateway \
	usr/share/fish/vendor_completions.d/ocserv-gateway.fish \
	usr/share/doc/ocserv-gateway/README.md usr/share/doc/ocserv-gateway/examples/gateway.ini; do
	ok "it installs $file" test -f "$build/root/$file"
done
ok "the shim names the program's place" grep -q /usr/sbin/ocserv-gateway \
	"$build/root/usr/libexec/ocserv-gateway/ocserv-gateway-hook"
ok "the program runs from there" "$build/root/usr/sbin/ocserv-gateway" --version
is "$(PKG_CONFIG_LIBDIR=/nonexistent "$top/configure" --quiet 2>&1 | grep -o 'install libmnl-dev.*')" \
	"install libmnl-dev (Debian, Alpine)" "configure names the package of a library that is missing"

done_testing

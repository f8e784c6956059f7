#!/bin/bash
# What is under packaging/ for Alpine, Fedora and its kin, and OpenWrt: valid, of this version, and builds and installs what
# it shall. RPM is Debian's own; of abuild and of OpenWrt's build system, what they do with our files is done here.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
. "$top/tests/lib/package.sh"
alpine=$top/packaging/alpine/APKBUILD
spec=$top/packaging/rpm/ocserv-gateway.spec
openwrt=$top/packaging/openwrt/Makefile
version=$(sed -n 's/^AC_INIT(\[.*\], \[\(.*\)\])/\1/p' "$top/configure.ac")
# Nothing here is about speed.
export CFLAGS=-O0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

logged() {	# COMMAND...: shows the end of what it said only where it fails
	"$@" >"$work/log" 2>&1 && return
	tail -n 30 "$work/log"
	return 1
}

# As abuild does it.
alpine_build() {
	export CBUILD CHOST pkgdir=$work/alpine
	CBUILD=$(gcc -dumpmachine)
	CHOST=$CBUILD
	(
		copy_tree "$top" "$work/tree" && cd "$work/tree" && ./autogen.sh || exit
		# shellcheck source=/dev/null
		. "$alpine" && MAKEFLAGS=-j2 build && package
	)
}

rpm_build() {
	mkdir -p "$work/rpm/SOURCES" && make --quiet -C "$work/tree" dist && mv "$work/tree"/ocserv-gateway-*.tar.gz "$work/rpm/SOURCES" &&
		rpmbuild --define "_topdir $work/rpm" --define '_unitdir /usr/lib/systemd/system' \
			--define '_build_id_links none' --define '_docdir /usr/share/doc' \
			--define 'systemd_post() :' --define 'systemd_preun() :' --define 'systemd_postun() :' \
			--nodeps --nocheck -bb "$spec" && mv "$work"/rpm/RPMS/*/*.rpm "$work/package.rpm"
}

# rpmlint of Debian wants a tag of old; and there is no place yet from where the archive could be had.
rpm_lint() {
	local said
	said=$(rpmlint "$spec" | grep -E '^[^ ]+: [EW]:' | grep -vE 'no-buildroot-tag|invalid-url Source0')
	[ -z "$said" ] || { echo "$said"; return 1; }
}

# The file list of it, but documents, which `make install` installs everywhere.
rpm_files() {
	rpm -qp --queryformat '[%{FILEMODES:perms} %{FILENAMES}\n]' "$work/package.rpm" |
		awk '/^-/ && !/\/usr\/share\/doc\// { print $2 }' | LC_ALL=C sort
}

# OpenWrt's variables and its BuildPackage, as far as the Makefile needs them to install.
openwrt_install() {
	mkdir -p "$work/openwrt/include" && cat >"$work/openwrt/rules.mk" <<-'END' && : >"$work/openwrt/include/package.mk" || return
		INCLUDE_DIR := $(TOPDIR)/include
		INSTALL_DIR := install -d -m 755
		INSTALL_BIN := install -m 755
		INSTALL_DATA := install -m 644
		define BuildPackage
		installed: ; $(call Package/$(1)/install,$(TO))
		prerm: ; @: $(info $(Package/$(1)/prerm))
		version: ; @echo $(PKG_VERSION)
		endef
	END
	# A recipe is one line there.
	sed -i 's/^installed: ; /installed:\n/' "$work/openwrt/rules.mk"
	openwrt_make installed
}

openwrt_make() {
	make --silent --no-print-directory -C "${openwrt%/*}" TOPDIR="$work/openwrt" PKG_INSTALL_DIR="$work/alpine" TO="$work/router" "$@"
}

files_of() {
	(cd "$1" && find . ! -type d -printf '/%P\n' | LC_ALL=C sort)
}

alpine_files() {
	files_of "$work/alpine" | grep -v '^/usr/share/doc/'
}

everywhere="/etc/iproute2/rt_protos.d/ocserv-gateway.conf
/usr/libexec/ocserv-gateway/before-removal
/usr/libexec/ocserv-gateway/ocserv-gateway-hook
/usr/sbin/ocserv-gateway
/usr/share/bash-completion/completions/ocserv-gateway.bash
/usr/share/fish/vendor_completions.d/ocserv-gateway.fish
/usr/share/man/man5/gateway.ini.5
/usr/share/man/man8/ocserv-gateway.8
/usr/share/zsh/site-functions/_ocserv-gateway"
units=/usr/lib/systemd/system

sorted() {
	printf '%s\n' "$@" | LC_ALL=C sort
}

is "$(sed -n 's/^pkgver=//p' "$alpine")" "$version" "APKBUILD is of this version"
is "$(sed -n 's/^Version: *//p' "$spec")" "$version" "the .spec is"
is "$(sed -n 's/^PKG_VERSION:=//p' "$openwrt")" "$version" "and OpenWrt's Makefile"

ok "shellcheck APKBUILD" shellcheck --shell=dash --exclude=SC2034,SC2154 "$alpine"
ok "its functions build and install" logged alpine_build
is "$(alpine_files)" "$(sorted "$everywhere" /etc/init.d/ocserv-gateway)" "program, scripts, man pages, completions and service are there"
like "$("$work/alpine/usr/sbin/ocserv-gateway" --version)" "$version" "the program runs"

ok "rpmlint" rpm_lint
if ok "rpmbuild" logged rpm_build; then
	is "$(rpm_files)" "$(sorted "$everywhere" $units/ocserv-gateway{.service,-repair.service,.timer} \
		{$units/ocserv.service.d,$units/wg-quick@.service.d,/usr/lib/systemd/networkd.conf.d}/ocserv-gateway.conf \
		"/usr/share/licenses/ocserv-gateway-$version/LICENSE")" "it holds what it shall"
	is "$(rpm -qp --configfiles "$work/package.rpm")" /etc/iproute2/rt_protos.d/ocserv-gateway.conf "of an admin's files one"
	like "$(rpm -qp --scripts "$work/package.rpm")" before-removal "a removal warns of what it leaves"
fi

ok "OpenWrt: it installs" openwrt_install
is "$(files_of "$work/router")" "/etc/init.d/ocserv-gateway
/lib/upgrade/keep.d/ocserv-gateway
/usr/libexec/ocserv-gateway/before-removal
/usr/libexec/ocserv-gateway/ocserv-gateway-hook
/usr/sbin/ocserv-gateway" "program, scripts and service, and what an upgrade of the system keeps"
like "$(openwrt_make prerm)" before-removal "a removal warns of what it leaves"
done_testing

#!/bin/bash
# The Debian package: built, clean, whole, installed and purged; systemd's units are valid and confined.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
. "$top/tests/lib/package.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lint() {
	lintian --fail-on error,warning --tag-display-limit 0 "$work"/ocserv-gateway_*.changes
}

contents() {
	dpkg-deb --contents "$package" | awk '$1 !~ /^d/ { sub(/^\./, "", $6); print $6 }' | sort
}

units=$(pkg-config --variable=systemdsystemunitdir systemd)
expected="/etc/iproute2/rt_protos.d/ocserv-gateway.conf
${units%/*}/networkd.conf.d/ocserv-gateway.conf
$units/ocserv-gateway-repair.service
$units/ocserv-gateway.service
$units/ocserv-gateway.timer
$units/ocserv.service.d/ocserv-gateway.conf
$units/wg-quick@.service.d/ocserv-gateway.conf
/usr/libexec/ocserv-gateway/before-removal
/usr/libexec/ocserv-gateway/ocserv-gateway-hook
/usr/sbin/ocserv-gateway
/usr/share/bash-completion/completions/ocserv-gateway.bash
/usr/share/doc/ocserv-gateway/CONTRIBUTING.md.gz
/usr/share/doc/ocserv-gateway/NEWS.gz
/usr/share/doc/ocserv-gateway/README.md.gz
/usr/share/doc/ocserv-gateway/SECURITY.md.gz
/usr/share/doc/ocserv-gateway/changelog.gz
/usr/share/doc/ocserv-gateway/copyright
/usr/share/doc/ocserv-gateway/docs/architecture.md.gz
/usr/share/doc/ocserv-gateway/docs/configuration.md.gz
/usr/share/doc/ocserv-gateway/docs/containers.md.gz
/usr/share/doc/ocserv-gateway/docs/how-it-works.md.gz
/usr/share/doc/ocserv-gateway/docs/install.md
/usr/share/doc/ocserv-gateway/docs/latency.svg
/usr/share/doc/ocserv-gateway/docs/leak-battery.md
/usr/share/doc/ocserv-gateway/docs/ocserv-hooks.md.gz
/usr/share/doc/ocserv-gateway/docs/operation.md.gz
/usr/share/doc/ocserv-gateway/docs/packaging.md.gz
/usr/share/doc/ocserv-gateway/docs/performance.md.gz
/usr/share/doc/ocserv-gateway/docs/pictures/check.svg
/usr/share/doc/ocserv-gateway/docs/pictures/dry-run.svg
/usr/share/doc/ocserv-gateway/docs/pictures/explain.svg
/usr/share/doc/ocserv-gateway/docs/pictures/status.svg
/usr/share/doc/ocserv-gateway/docs/tested.md
/usr/share/doc/ocserv-gateway/docs/throughput.svg
/usr/share/doc/ocserv-gateway/docs/troubleshooting.md.gz
/usr/share/doc/ocserv-gateway/examples/gateway.ini
/usr/share/doc/ocserv-gateway/examples/ocserv.conf
/usr/share/fish/vendor_completions.d/ocserv-gateway.fish
/usr/share/man/man5/gateway.ini.5.gz
/usr/share/man/man8/ocserv-gateway.8.gz
/usr/share/zsh/vendor-completions/_ocserv-gateway"

# The root file system with the package over it, in a mount namespace and a network of its own. It is a machine that
# forwards, and knows neither this package nor an ocserv that is set up.
in_root() {
	# shellcheck disable=SC2016 # the shell inside expands it
	unshare -mn sh -ec '
		mount --make-rprivate /
		mount -t tmpfs none "$1"
		mkdir "$1/upper" "$1/work" "$1/root"
		mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
		mount -t proc proc "$1/root/proc"
		mkdir "$1/root/layer" "$1/root/lower"
		mount --bind "$1/upper" "$1/root/layer"
		mount --bind / "$1/root/lower"
		mount --rbind /dev "$1/root/dev"
		mount -t tmpfs none "$1/root/run"
		[ ! -d /etc/ocserv ] || mount -t tmpfs none "$1/root/etc/ocserv"
		cp "$2" "$1/root/root/package.deb"
		"$4"
		echo 1 >/proc/sys/net/ipv4/ip_forward
		ip link set lo up
		ip link add eth0 type veth peer name far
		ip addr add 172.28.0.3/24 dev eth0
		ip link set far up
		ip link set eth0 up
		export DEBIAN_FRONTEND=noninteractive
		exec chroot "$1/root" bash -c "$3"
	' sh "$work/root" "$package" "$1" "$top/tests/lib/fresh-network" 2>&1
}

# What an admin does, and what is seen of it.
# shellcheck disable=SC2016 # the shell inside expands it
session='
	set -e
	files() {
		layer_files /layer /lower /tmp /root /var/log /var/cache /var/lib/dpkg
		find /run -path /run/systemd -prune -o -print | sort
	}
	dpkg -P ocserv-gateway >/dev/null 2>&1 || :
	files >/root/before
	dpkg -i /root/package.deb >/dev/null 2>&1
	systemd-analyze verify ocserv-gateway.service ocserv-gateway-repair.service ocserv-gateway.timer && echo "units: valid"
	ocserv-gateway check >/dev/null 2>&1 || echo "without a configuration: exit status $?"
	mkdir -p /etc/ocserv
	printf "[clients]\nsubnet4 = 10.20.0.0/24\n[gateway]\naddress4 = 172.28.0.2\n" >/etc/ocserv/gateway.ini
	chmod 600 /etc/ocserv/gateway.ini
	ocserv-gateway up
	nft flush ruleset
	ocserv-gateway up | head -n 1
	dpkg -r ocserv-gateway >/dev/null 2>&1
	nft list tables
	ip rule show priority 1000
	dpkg -P ocserv-gateway >/dev/null 2>&1
	rm -r /etc/ocserv/gateway.ini
	files | diff /root/before - | grep "^[<>]" || :
	echo "purged: $(dpkg-query -W -f "\${db:Status-Status}" ocserv-gateway 2>&1)"
'
seen='units: valid
without a configuration: exit status 1
installed
ocserv-gateway: warning: repaired: kill switch: table inet ocserv_gw is missing
repaired
purged: dpkg-query: no packages found matching ocserv-gateway'

# exposure UNIT: by systemd-analyze, of 10
exposure() {
	systemd-analyze security --offline=true --root="$work/unpacked" "$1" 2>/dev/null |
		sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p'
}

mkdir "$work/root" "$work/unpacked"
if ok "the package is built" package_build "$top" "$work"; then
	ok "lintian finds nothing" lint
	is "$(contents)" "$expected" "it holds what it shall"
	ok "it is unpacked" dpkg-deb --extract "$package" "$work/unpacked"
	# systemd calls this OK; what is left is root with CAP_NET_ADMIN and netlink.
	for unit in ocserv-gateway ocserv-gateway-repair; do
		ok "$unit.service has an exposure of at most 2.3" \
			awk -v e="$(exposure $unit.service)" 'BEGIN { exit !(e != "" && e <= 2.3) }'
	done
	is "$(in_root "$(declare -f layer_files)$session")" "$seen" "installed, set up, repaired, removed, purged"
fi
done_testing

#!/bin/bash
# What a new admin does, from the package to its removal, with the lines that README.md says, on real ocserv.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"
. "$lib/package.sh"
. "$lib/readme.sh"

# Changes to the root file system are gone with this test's mount namespace.
cover_root() {
	local directory layers=$OGW_WORK/layers
	mkdir "$layers" && mount -t tmpfs ogw-layers "$layers" && mkdir "$layers/lower" && mount --bind / "$layers/lower" ||
		return
	for directory in etc usr var; do
		mkdir -p "$layers/$directory" "$layers/$directory.work" &&
			mount -t overlay overlay -o \
				"lowerdir=/$directory,upperdir=$layers/$directory,workdir=$layers/$directory.work" \
				"/$directory" || return
	done
	rm -rf /etc/ocserv/*
}

# Files written since, but dpkg's own books.
files() {
	layer_files "$OGW_WORK/layers/etc" "$OGW_WORK/layers/lower/etc"
	layer_files "$OGW_WORK/layers/usr" "$OGW_WORK/layers/lower/usr"
	layer_files "$OGW_WORK/layers/var" "$OGW_WORK/layers/lower/var" /lib/dpkg /log /cache
}

# As systemd runs it, at boot and each minute.
unit_runs() {
	local command
	command=$(sed -n 's/^ExecStart=//p' /lib/systemd/system/ocserv-gateway.service)
	[ -n "$command" ] || return
	# shellcheck disable=SC2086 # a command is words
	server_exec $command
}

# check_is STATUS [REGEX]: `check`, as the README says
check_is() {
	local said result
	said=$(server_exec ocserv-gateway check 2>&1 >/dev/null)
	result=$?
	said=$(awk '/^[^ ]/ { note = /^note: / } !note' <<<"$said")
	[[ $result = "$1" && $said =~ ${2:-^$} ]] && return
	echo "status $result: $said"
	return 1
}

# ocserv with the configuration that is there.
ocserv_starts() {
	ocserv_certificate && ocserv_user alice && syslog_up && tunnel_script && ocserv_start
}

status_is() {
	server_exec ocserv-gateway status | grep -q "$1"
}

must "the package is built" package_build "$OGW_TOP" "$OGW_WORK"
must "the root file system is covered" cover_root
must "a network with a gateway" topology_up
in_namespace server sysctl -qw net.ipv4.ip_forward=1

dpkg -P ocserv-gateway >/dev/null 2>&1
files >"$OGW_WORK/before"
ok "dpkg -i" dpkg -i "$package"
hash -r
OGW_PROGRAM=/usr/sbin/ocserv-gateway
ok "check misses gateway.ini" check_is 1 "no gateway is configured, and there is no /etc/ocserv/gateway.ini"

mkdir -p /etc/ocserv
(umask 077 && readme_block ini >/etc/ocserv/gateway.ini)
like "$(</etc/ocserv/gateway.ini)" "subnet4 = 10.20.0.0/24.*address4 = 172.28.0.2" "gateway.ini is README's"
must "ocserv is configured, without our lines" ocserv_conf connect-script= disconnect-script=
ok "check misses the hook" check_is 78 "has no connect-script.*write connect-script = $OGW_PROGRAM"
readme_block hooks >>/etc/ocserv/ocserv.conf
like "$(tail -n 3 /etc/ocserv/ocserv.conf)" "connect-script.*disconnect-script" "both lines of README are in ocserv.conf"
ok "check asks for subnet6" check_is 1 "set .clients. subnet6 = $CLIENTS6"
sed -i "s|^subnet4.*|&\nsubnet6 = $CLIENTS6|" /etc/ocserv/gateway.ini
ok "check is content" check_is 0

ok "the unit installs the kill switch at boot" unit_runs
ok "status says so" status_is "^state        installed"
GATEWAY_INI=/etc/ocserv/gateway.ini
must "ocserv starts" ocserv_starts
ok "alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves with the gateway's address"
ok "status shows her" status_is "^  alice "
ok "nft flush ruleset" server_exec nft flush ruleset
ok "status says what is wrong" status_is "^state        degraded"
like "$(exit_address client1 4)" "^$" "she does not leave via the server's own router"
ok "the timer repairs it" unit_runs
ok "status has nothing to say" status_is "^state        installed"
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves with the gateway's address again"
ok "alice leaves" client_disconnect client1
ok "the log has her end" wait_for 5 logged "disconnect .*user=alice"
ocserv_stop

ok "dpkg -P" server_exec dpkg -P ocserv-gateway
ok "nothing is left in the kernel" nothing_installed
ok "nor in /run" test ! -e /run/ocserv-gateway
rm -r /etc/ocserv/gateway.ini
is "$(files | diff "$OGW_WORK/before" - | grep -v '^[0-9]\|^> /ocserv/\|^> /\.pwd')" "" "nor among files, but ocserv's own"
done_testing

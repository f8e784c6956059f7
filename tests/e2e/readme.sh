#!/bin/bash
# README.md, followed literally by somebody who has nothing else, on a machine that systemd has booted, with real ocserv
# and a real client: its commands and files are taken from there.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"
. "$lib/package.sh"
. "$lib/readme.sh"
. "$lib/boot.sh"
followed=()

# shellcheck disable=SC2317
tap_context() {
	booted journalctl --boot --no-pager --lines=30 2>&1 | sed 's/^/#   /'
	diag_file "$OGW_WORK"/client?.log
}

# The tree from which README.md installs, with what it has built beside it, and an admin who says yes.
admin_has_the_sources() {
	local name
	name=ocserv-gateway_$(dpkg-deb -f "$package" Version)_$(dpkg-deb -f "$package" Architecture).deb
	mkdir "$BOOT_ROOT/root/ocserv-gateway" && cp "$package" "$BOOT_ROOT/root/$name" &&
		echo 'APT::Get::Assume-Yes "true";' >"$BOOT_ROOT/etc/apt/apt.conf.d/99yes"
}

# on_server COMMANDS, on_gateway COMMANDS: each of them must succeed
on_server() {
	booted bash -exc "cd /root/ocserv-gateway
$1"
}
on_gateway() {
	in_namespace upstream bash -exc "$1"
}

# follow NAME: does what README.md says of that block
follow() {
	local action
	action=$(readme_blocks | sed -n "s/^$1 //p")
	followed+=("$1")
	case $action in
	run)	on_server "$(readme_block "$1")" ;;
	"run on the gateway")	on_gateway "$(readme_block "$1")" ;;
	"run from line "*)
		action=${action#run from line }
		on_server "$(readme_block "$1" | tail -n "+${action%% *}")" ;;
	"file "*)
		(umask 077 && readme_block "$1" >"$BOOT_ROOT${action#file }") ;;
	"append "*)
		readme_block "$1" >>"$BOOT_ROOT${action#append }" ;;
	*)	false ;;
	esac
}

# The gateway machine as it comes: it neither forwards nor has rules.
plain_gateway() {
	in_namespace upstream nft flush ruleset && namespace_sysctl upstream ipv4/ip_forward=0
}

server_forwards() {
	server_exec sysctl -n net.ipv4.ip_forward
}

command -v systemd-nspawn >/dev/null || skip_all "needs systemd-nspawn"
must "the package is built" package_build "$OGW_TOP" "$OGW_WORK" nocheck
must "a network with a gateway" topology_up
must "a gateway and a server that forward nothing" eval 'plain_gateway && namespace_sysctl server ipv4/ip_forward=0'
must "a root file system" boot_root
must "the sources are there" admin_has_the_sources
must "it boots" boot_start
must "ocserv runs, without the package" boot_ocserv

must "the gateway is set up" follow gateway
must "the package is installed" follow install
like "$(booted dpkg-query --show ocserv-gateway)" "^ocserv-gateway" "it is there"
must "step 2: the server forwards" follow forward
is "$(server_forwards)" 1 "so it does"
must "step 3: init" follow init
like "$(<"$BOOT_ROOT/etc/ocserv/gateway.ini")" "address4 = 172.28.0.2" "it has written the gateway"
must "step 3, by hand" follow ini
# As it says there, since this ocserv hands out IPv6 addresses.
sed -i "s|^subnet4.*|&\nsubnet6 = $CLIENTS6|" "$BOOT_ROOT/etc/ocserv/gateway.ini"
must "step 4: ocserv.conf" follow hooks
must "step 5: check, look and start" follow start
like "$tap_output" "^ok|"$'\n'"ok" "check says ok"
is "$(booted systemctl is-active ocserv ocserv-gateway.timer | xargs)" "active active" "ocserv and the timer are active"

must "a client connects" connects
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "the world sees the gateway's exit address"
ok "verify: each command succeeds" follow verify
said=$tap_output
for line in "clients      reach the gateway" "999:" "1000:" "1001:" "default via 172.28.0.2 dev eth0" "table inet ocserv_gw"; do
	like "$said" "$line" "they say: $line"
done
ok "the gateway's tunnel goes down" upstream_tunnel down
not_ok "the client has no internet" has_internet client1 4
ok "the gateway's tunnel is back" upstream_tunnel up
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "so is the client"
client_disconnect client1

ok "undone" follow undo
ok "nothing is left in the kernel" nothing_installed
is "$(booted find /etc /run /usr/sbin /usr/lib/systemd /lib/systemd -path '*ocserv?gateway*')" "" "nor among files"
not_ok "nor of the package" booted dpkg-query --show ocserv-gateway
unlike "$(<"$BOOT_ROOT/etc/ocserv/ocserv.conf")" "gateway" "nor in ocserv.conf"
must "a client connects again" connects
is "$(exit_address client1 4)" "$ROUTER_EXIT4" "it leaves via the server's own router, as before"
client_disconnect client1

is "$(printf '%s\n' "${followed[@]}" | sort | xargs)" "$(readme_blocks | sed -n '/ not run, /!s/ .*//p' | sort | xargs)" \
	"each block that can be run was run"
boot_stop
done_testing

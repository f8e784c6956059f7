#!/bin/bash
# What a new admin does with the package where systemd runs, from dpkg -i to dpkg -P, with a real client throughout:
# nothing of it stops ocserv, and what goes wrong is in the journal.
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
program=/usr/sbin/ocserv-gateway

# shellcheck disable=SC2317
tap_context() {
	booted journalctl --boot --no-pager --lines=60 2>&1 | sed 's/^/#   /'
	diag_file "$OGW_WORK"/client?.log
}

# same_ocserv: its main process is the one that it was when `keep` was run
keep() {
	ocserv_was=$(main_pid ocserv.service)
	[ "${ocserv_was:-0}" != 0 ]
}
same_ocserv() {
	local now
	now=$(main_pid ocserv.service)
	[ "$now" = "$ocserv_was" ] && return
	echo "its main process was $ocserv_was, and is $now now"
	return 1
}

# In the root, gateway.ini's lines.
ini_lines() {
	(umask 077 && cat >>"$BOOT_ROOT/etc/ocserv/gateway.ini")
}

# alice_leaves_by_gateway DESCRIPTION
alice_leaves_by_gateway() {
	is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "$1"
}

# undisturbed AFTER: ocserv is the same, and its client's session is alive
undisturbed() {
	ok "$1: ocserv runs on" same_ocserv
	alice_leaves_by_gateway "$1: the client's session is alive"
}

# What the timer runs each minute, now.
timer_runs() {
	booted systemctl start "$(booted systemctl show --property=Unit --value ocserv-gateway.timer)"
}

# The server's network as at boot: nothing of what was installed in it is left.
server_network() {
	ip netns del server && wait_for 10 no_cable && namespace_add server && namespace_forwards server
}
no_cable() {
	! ip -n router link show to-server
}

plug_eth0() {
	link router to-server server eth0 && ip -n router link set to-server master vpnnet &&
		address server eth0 "$SERVER4/24" "$SERVER6/64" &&
		ip -n server route replace default via "$ROUTER4" metric 100 &&
		ip -n router neigh flush dev vpnnet && ip -n upstream neigh flush dev eth0
}

# journal_count REGEX [OPTION...]: lines of this boot that match
journal_count() {
	local regex=$1
	shift
	journal "$@" | grep -cE -- "$regex"
}

# journal_has REGEX [OPTION...]
journal_has() {
	[ "$(journal_count "$@")" -gt 0 ]
}

command -v systemd-nspawn >/dev/null || skip_all "needs systemd-nspawn"
must "the package is built" package_build "$OGW_TOP" "$OGW_WORK" nocheck
must "and its next version" package_next "$OGW_WORK"
must "a network with a gateway" topology_up
must "a root file system" boot_root
cp "$package" "$BOOT_ROOT/root/this.deb" && cp "$next" "$BOOT_ROOT/root/next.deb"
must "it boots" boot_start
must "ocserv runs, without the package" boot_ocserv
keep

# Installed: nothing acts until the admin says so.
must "dpkg -i" booted dpkg -i /root/this.deb
ok "installed: ocserv runs on" same_ocserv
for unit in ocserv-gateway.service ocserv-gateway.timer; do
	is "$(booted systemctl is-enabled "$unit")" disabled "installed: $unit is not enabled"
	ok "installed: $unit is not active" unit_is "$unit" inactive
done
ok "without gateway.ini ocserv restarts as ever" booted systemctl restart ocserv.service
like "$(booted systemctl show --property=ConditionResult --value ocserv-gateway.service)" no \
	"without gateway.ini the unit is skipped"
keep
readme_block ini | ini_lines
sed -i "s|^subnet4.*|&\nsubnet6 = $CLIENTS6|" "$BOOT_ROOT/etc/ocserv/gateway.ini"
readme_block hooks >>"$BOOT_ROOT/etc/ocserv/ocserv.conf"
ok "check is content" booted ocserv-gateway check
ok "gateway.ini alone does nothing: no kill switch" nothing_installed

# Set up as README.md says.
must "ocserv restarts" booted systemctl restart ocserv.service
ok "the kill switch is there before the first client" whole
must "a client connects" connects
alice_leaves_by_gateway "it leaves via the gateway"
keep
is "$(journal_count "connect user=alice")" 1 "its line is in the journal once"
is "$(journal_count "connect user=alice" --unit=ocserv.service)" 1 "among those of ocserv.service"
is "$(journal_count "connect user=alice" --priority=info..info)" 1 "with its priority"
ok "the timer is enabled with README's line" booted sh -c "$(readme_block start | grep ocserv-gateway.timer)"
ok "the timer runs" unit_is ocserv-gateway.timer active

# Restarted, stopped, edited.
for verb in restart stop start reload; do
	ok "$verb of the unit" booted systemctl "$verb" ocserv-gateway.service
	undisturbed "$verb"
	ok "$verb: the kill switch is there" whole
done
printf '%s\n' '[killswitch]' 'dns = block' | ini_lines
ok "reload after an edit" booted systemctl reload ocserv-gateway.service
like "$(guard)" "dport 53 .*reject" "it is in the kernel"
undisturbed "an edit"
echo 'blocked = maybe' | ini_lines
not_ok "reload after a mistake fails" booted systemctl reload ocserv-gateway.service
like "$(journal --unit=ocserv-gateway.service --priority=err)" "error: .*blocked.*maybe" "which its journal tells"
undisturbed "a mistake"
sed -i '/maybe/d' "$BOOT_ROOT/etc/ocserv/gateway.ini"
ok "reload after its correction" booted systemctl reload ocserv-gateway.service

# Repaired, and told.
server_exec nft flush ruleset
ok "the timer repairs what was flushed" timer_runs
ok "the kill switch is back" whole
is "$(journal_count "warning: repaired: kill switch: table inet ocserv_gw is missing" --priority=warning)" 1 \
	"its journal has one warning, with what was missing"
lines=$(journal_count .)
ok "the timer finds nothing to do" timer_runs
is "$(journal | tail -n +$((lines + 1)))" "" "which takes no line of the journal"
like "$(booted ocserv-gateway down 2>&1)" "ocserv-gateway.timer.*systemctl stop ocserv-gateway.timer" \
	"down says that the timer will undo it"
ok "the timer undoes it" timer_runs
ok "with the timer stopped" booted systemctl stop ocserv-gateway.timer
unlike "$(booted ocserv-gateway down 2>&1)" "ocserv-gateway.timer" "down does not say so"
booted systemctl start ocserv-gateway.timer
ok "restart puts all in place" booted systemctl restart ocserv-gateway.service
undisturbed "down and up"

# The gateway's interface is lost, and comes back.
server_link down
not_ok "the timer finds no gateway" timer_runs
like "$(journal --priority=err)" "ocserv-gateway: error: .*172.28.0.2.*is not on a network of this host" \
	"its journal says which"
ok "no gateway: ocserv runs on" same_ocserv
server_link up
ok "the timer finds it again" timer_runs
undisturbed "lost and found"

# Upgraded, with the session alive.
ok "dpkg -i of the next version" booted dpkg -i /root/next.deb
like "$(booted dpkg-query --show ocserv-gateway)" "next$" "it is the next one"
undisturbed "upgrade"
ok "upgrade: the timer runs on" unit_is ocserv-gateway.timer active
is "$(booted systemctl is-enabled ocserv-gateway.timer)" enabled "upgrade: the timer stays enabled"

# Booted again, with an interface that comes late.
client_disconnect client1
ok "the machine shuts down" boot_stop
must "its network is gone" server_network
must "it boots without the gateway's interface" boot_start
ok "the unit waits for it" wait_for 20 journal_has "waiting up to 30 seconds .*172.28.0.2" --unit=ocserv-gateway.service
ok "and ocserv for the unit" unit_is ocserv.service inactive
ok "the interface comes" plug_eth0
ok "ocserv starts" wait_for 20 listens server 443
ok "the kill switch is there" whole
ok "a client connects" connects
alice_leaves_by_gateway "it leaves via the gateway"
client_disconnect client1

# ocserv started without the gateway's interface: it comes up by itself, seconds after that.
ip -n server link set eth0 down
not_ok "ocserv does not start without the gateway's interface" booted systemctl restart ocserv.service
like "$(journal --unit=ocserv.service --priority=err)" "ocserv-gateway: error: .*172.28.0.2.*is not on a network of this host" \
	"its journal says why"
ip -n server link set eth0 up
ip -n server route replace default via "$ROUTER4" metric 100
ok "seconds after it is there, ocserv is, too" wait_for 20 listens server 443
must "a client connects again" connects
keep

# Removed, and purged: nobody is stopped, nothing is left.
said=$(booted dpkg -r ocserv-gateway 2>&1)
like "$said" "/etc/ocserv/ocserv.conf" "dpkg -r warns of ocserv.conf"
like "$said" "connect-script += $program"$'\n'".*disconnect-script += $program" "it names the lines"
like "$said" "stay" "and says what stays for the live session"
undisturbed "removal"
ok "the kill switch stays with it" whole
ok "dpkg -P" booted dpkg -P ocserv-gateway
undisturbed "purge"
is "$(booted find /run/ocserv-gateway /etc/iproute2/rt_protos.d /etc/systemd/system -name '*ocserv*gateway*' 2>/dev/null)" "" \
	"purge: nothing of ours is left in /etc and /run"
client_disconnect client1
boot_stop
done_testing

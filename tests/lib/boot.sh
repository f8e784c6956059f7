# shellcheck shell=bash
# A root file system with systemd as its first process, booted by systemd-nspawn(1) in the network namespace `server`.
# Needs sandbox.sh, tap.sh and topology.sh, and boot_ocserv ocserv.sh.
#
# It is this machine's own root, as its packages left it, under a layer in memory that takes each change, and outlives a
# reboot. Without units that others have enabled, it boots in seconds. With the sandbox all of it is gone; of a test
# that was killed an empty cgroup stays, which the next one removes.

BOOT=$OGW_WORK/boot
BOOT_ROOT=$BOOT/root	# its files, from outside

# Where the kernel shows cgroups of version 2, which systemd takes for its own.
boot_cgroups() {
	findmnt -n -o TARGET -t cgroup2 | head -n 1
}

boot_remove_cgroups() {
	local each
	for each in "$(boot_cgroups)"/ocserv-gateway-test.*; do
		! grep -qs 'populated 0' "$each/cgroup.events" || find "$each" -depth -type d -exec rmdir {} +
	done
}

# boot_root: makes the file system. Neither ocserv's configuration nor what else this machine runs is in it, nor the package.
boot_root() {
	mkdir "$BOOT" && mount -t tmpfs ogw-boot "$BOOT" && mkdir "$BOOT/upper" "$BOOT/work" "$BOOT_ROOT" &&
		mount -t overlay overlay -o "lowerdir=/,upperdir=$BOOT/upper,workdir=$BOOT/work" "$BOOT_ROOT" || return
	rm -rf "$BOOT_ROOT"/etc/{ocserv/*,systemd/system/*.wants,machine-id} "$BOOT_ROOT/usr/sbin/policy-rc.d"
	: >"$BOOT_ROOT/etc/machine-id"
	mkdir -p "$BOOT_ROOT/var/log/journal"
	chroot "$BOOT_ROOT" dpkg --purge ocserv-gateway
}

# Runs in a process of its own, which becomes systemd-nspawn.
boot_nspawn() {
	local cgroup
	cgroup=$(boot_cgroups)/ocserv-gateway-test.$(readlink /proc/self/ns/net | tr -dc 0-9)
	until mkdir -p "$cgroup" && echo "$BASHPID" >"$cgroup/cgroup.procs"; do
		sleep 0.05
	done 2>/dev/null
	exec env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network \
		systemd-nspawn --quiet --directory "$BOOT_ROOT" --boot --keep-unit --register=no --console=pipe \
		--resolv-conf=off --timezone=off --capability=CAP_NET_ADMIN --bind=/dev/net/tun \
		--network-namespace-path=/run/netns/server </dev/null
}

boot_first_process() {
	BOOT_FIRST=$(pgrep -P "$BOOT_PID" -x systemd)
}

# booted COMMAND...: runs it there, as a shell of root would
booted() {
	nsenter --target "$BOOT_FIRST" --all --root --wd -- \
		env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		DEBIAN_FRONTEND=noninteractive "$@"
}

# boot_start: boots, and returns as soon as systemd can be asked
boot_start() {
	boot_remove_cgroups
	boot_nspawn >"$OGW_WORK/nspawn.log" 2>&1 &
	BOOT_PID=$!
	wait_for 20 boot_first_process && boot_first_process && wait_for 20 booted systemctl --version &&
		wait_for 20 booted test -S /run/systemd/private && return
	cat "$OGW_WORK/nspawn.log"
	return 1
}

# boot_stop: the machine is shut down
boot_stop() {
	booted systemctl poweroff
	wait "$BOOT_PID"
	boot_remove_cgroups
}

# journal [OPTION...]: of this boot, the lines alone
journal() {
	booted journalctl --sync
	booted journalctl --quiet --boot --output=cat "$@"
}

# unit_is UNIT STATE: active, inactive, failed, ...
unit_is() {
	[ "$(booted systemctl is-active "$1")" = "$2" ]
}

# main_pid UNIT
main_pid() {
	booted systemctl show --property=MainPID --value "$1"
}

# boot_ocserv: there, ocserv as its package leaves it, with a user and a certificate, and without our lines
boot_ocserv() {
	ocserv_certificate && ocserv_user alice && tunnel_script &&
		ocserv_conf socket-file=/run/ocserv.socket occtl-socket-file=/run/occtl.socket \
			connect-script= disconnect-script= &&
		cp -r /etc/ocserv/. "$BOOT_ROOT/etc/ocserv/" && booted systemctl enable --now ocserv.service &&
		wait_for 10 listens server 443
}

# connects: the first client, as soon as ocserv has started for good: it listens before it can tell a password
connects() {
	wait_for 20 client_connect client1 alice
}

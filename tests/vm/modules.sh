#!/bin/bash
# The kernel loads the modules for the kill switch when it first needs them. Where that takes longer than a hook may last,
# `up` has the time, and the first session finds them there.
# In a virtual machine that has not loaded them: the first of tests/vm.sh.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
slow_modprobe=/tmp/slow-modprobe
if [ -z "${OGW_SANDBOX:-}" ]; then
	# For the kernel, which runs it outside of the sandbox.
	# shellcheck disable=SC2016
	printf '%s\n' '#!/bin/sh' '[ "${*%masq}" = "$*" ] || sleep 6' 'exec /sbin/modprobe "$@"' >$slow_modprobe &&
		chmod 755 $slow_modprobe || exit
fi
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# modprobe_is FILE: what the kernel runs
modprobe_is() {
	echo "$1" >/proc/sys/kernel/modprobe
}

begin
must "modules but that for masquerading are loaded" \
	modprobe -a nf_tables nft_ct nft_fib_inet nft_reject_inet nft_connlimit nft_chain_nat nft_socket nf_conntrack_netlink
not_ok "it is not" grep '^nft_masq' /proc/modules || done_testing
must "to load that takes longer than a hook may last" modprobe_is $slow_modprobe
ini
ok "up" program up
is "$out" "installed" "installs the kill switch"
ok "the module is there" grep '^nft_masq' /proc/modules
hook connect
is "$status $(field routing)" "0 intact" "the first session finds all complete"
ok "modprobe is the kernel's own" modprobe_is /sbin/modprobe
done_testing

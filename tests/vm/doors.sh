#!/bin/bash
# Doors that a kernel with all modules has: IPsec of the host, ends of tunnels on it, protocols without flows.
# Run by tests/vm.sh, on Debian's kernel. See doors.py.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# Who is asked for what is known, and answers nothing; all errors are sent at once.
neighbours() {
	ip -batch - <<-END || return
		neigh replace 172.28.0.2 lladdr 02:00:00:00:01:01 dev eth0 nud permanent
		neigh replace fd28::2 lladdr 02:00:00:00:01:01 dev eth0 nud permanent
		neigh replace 172.28.0.1 lladdr 02:00:00:00:01:02 dev eth0 nud permanent
		neigh replace fd28::1 lladdr 02:00:00:00:01:02 dev eth0 nud permanent
		neigh replace 172.28.0.7 lladdr 02:00:00:00:01:07 dev eth0 nud permanent
		neigh replace 10.20.0.50 lladdr 02:00:00:00:02:50 dev vpns0 nud permanent
		neigh replace fd20::50 lladdr 02:00:00:00:02:50 dev vpns0 nud permanent
		route replace fd20::50/128 dev vpns0
		link set vpns1 down
	END
	echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
	echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
}

if ! host_up || ! neighbours; then
	echo "Bail out! cannot set up the host"
	exit 1
fi
export OGW_PROGRAM PYTHONDONTWRITEBYTECODE=1
exec python3 "$lib/../vm/doors.py" "$INI" "$OGW_TOP/tests/leaks"

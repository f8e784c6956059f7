#!/bin/bash
# What the program keeps of root's power, and what it hands on.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# The /proc/PID/status of a run that waits for the lock: by then it has done all but its work.
waiting_status() {
	local holder hook_pid
	rm -rf "$STATE_DIR"
	mkdir -m 700 "$STATE_DIR" "$STATE_DIR/sessions"
	flock "$STATE_DIR/sessions" sleep infinity &
	holder=$!
	wait_for 10 lock_held
	env -i "${ENVIRONMENT[@]}" "${SESSION[@]}" REASON=connect "$OGW_PROGRAM" 2>"$OGW_WORK/stderr" &
	hook_pid=$!
	wait_for 10 waits_for_lock "$hook_pid"
	cat "/proc/$hook_pid/status"
	kill "$hook_pid" "$holder"
	wait "$hook_pid" "$holder" 2>/dev/null
	pkill -f 'sleep infinity'
}

lock_held() {
	! flock --nonblock "$STATE_DIR/sessions" true
}

waits_for_lock() {
	grep -q "FLOCK.* $1 " /proc/locks
}

of_status() {
	sed -n "s/^$1:[[:blank:]]*//p" <<<"$seen"
}

test_capabilities() {
	# CAP_NET_ADMIN is number 12.
	local net_admin=0000000000001000
	ini
	seen=$(waiting_status)
	is "$(of_status CapEff)" $net_admin "a hook keeps CAP_NET_ADMIN alone"
	is "$(of_status CapPrm)" $net_admin "and can take no other"
	is "$(of_status CapInh)" 0000000000000000 "and leaves none to others"
	is "$(of_status NoNewPrivs)" 1 "it can gain no privileges"

	ini session.next_script=/bin/true
	seen=$(waiting_status)
	is "$(of_status NoNewPrivs)" 0 "with next_script it keeps what it has, since the script is root's"
}

test_script_environment() {
	printf '#!/bin/sh\nenv | sort >%s\n' "$OGW_WORK/environment" >"$OGW_WORK/script"
	chmod 700 "$OGW_WORK/script"
	ini session.next_script="$OGW_WORK/script"
	ok "a script is run" hook connect SECRET=x LD_PRELOAD= PATH=/tmp VPN_GATEWAY= STATS_DURATION=7 \
		OCSERV_DNS="9.9.9.9 "
	is "$(grep -v '^\(PWD\|OLDPWD\|SHLVL\|_\)=' "$OGW_WORK/environment" | sed 's/=.*//' | tr '\n' ' ')" \
		"DEVICE GROUPNAME HOSTNAME ID IPV6_LOCAL IPV6_PREFIX IPV6_REMOTE IP_LOCAL IP_REAL IP_REAL_LOCAL \
IP_REMOTE OCSERV_DNS OCSERV_GATEWAY_CONFIG PATH REASON REMOTE_HOSTNAME STATS_DURATION USERNAME USER_AGENT VHOST " \
		"it gets what ocserv sets, and a PATH"
	is "$(sed -n 's/^PATH=//p' "$OGW_WORK/environment")" \
		/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "which is the usual one"
}

test_modes() {
	rm -rf "$STATE_DIR"
	ini
	ok "a session connects, with a loose umask" umask_hook
	is "$(stat -c %a "$STATE_DIR" "$STATE_DIR/sessions" "$STATE_DIR/addresses" | tr '\n' ' ')" "700 700 700 " \
		"directories are for root alone"
	is "$(stat -c %a "$STATE_DIR/sessions/$$")" 600 "and so are files"
}

umask_hook() {
	(umask 0 && hook connect)
}

begin flock pkill
test_capabilities
test_script_environment
test_modes
done_testing

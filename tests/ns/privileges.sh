#!/bin/bash
# What the program keeps of root's power, and what it hands on.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

RUNS=(check up down status explain "up --dry-run" "down --dry-run" connect disconnect)
# CAP_NET_ADMIN is number 12.
NET_ADMIN=0000000000001000

# arguments RUN: sets $arguments of the program and $variables of its environment
arguments() {
	variables=() arguments=()
	case $1 in
	connect | disconnect) variables=("${SESSION[@]}" REASON="$1") ;;
	explain) arguments=(explain 10.20.0.50) ;;
	*) read -ra arguments <<<"$1" ;;
	esac
}

# start RUN [TRACER...]: in the background, as $run_pid
start() {
	arguments "$1"
	env -i "${ENVIRONMENT[@]}" ASAN_OPTIONS=detect_leaks=0 "${variables[@]}" timeout --foreground 60 "${@:2}" \
		"$OGW_PROGRAM" "${arguments[@]}" >"$OGW_WORK/${1// /}.out" 2>"$OGW_WORK/${1// /}.err" &
	run_pid=$!
}

# The process of the program itself, below what began it.
program_of() {
	local pid=$1 child
	while child=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null) && [ -n "$child" ]; do
		pid=${child%% *}
	done
	echo "$pid"
}

# Number 7 is poll(2), 47 recvmsg(2), by which the C library itself waits, 45 recvfrom(2).
waits_for_answer() {
	[ "$(readlink "/proc/$(program_of "$1")/exe")" = "$(readlink -f "$OGW_PROGRAM")" ] &&
		grep -qE '^(7|45|47) ' "/proc/$(program_of "$1")/syscall"
}

of_status() {
	sed -n "s/^$1:[[:blank:]]*//p" <<<"$seen"
}

# kept RUN: what $seen says that it has
kept() {
	is "$(of_status CapEff)" $NET_ADMIN "$1: keeps CAP_NET_ADMIN alone"
	is "$(of_status CapPrm)" $NET_ADMIN "$1: and can take no other"
	is "$(of_status CapInh)" 0000000000000000 "$1: and leaves none to others"
	is "$(of_status NoNewPrivs)" 1 "$1: it can gain no privileges"
}

# The kernel never gets what it is asked, and no run waits for its answer without end.
test_silent_kernel() {
	local run index pids=()
	ini session.remove_after_last=yes
	for run in "${RUNS[@]}"; do
		rm -rf "$STATE_DIR"
		start "$run" strace -qq -o /dev/null -e trace=sendto -e inject=sendto:retval=4096
		pids+=("$run_pid")
		ok "$run: waits for the kernel" wait_for 10 waits_for_answer "$run_pid"
		seen=$(cat "/proc/$(program_of "$run_pid")/status")
		kept "$run"
	done
	for index in "${!RUNS[@]}"; do
		wait "${pids[index]}"
		ok "${RUNS[index]}: ends by itself" test $? != 124
	done
}

# The deadline is set before all else, and ends each run wherever it is.
test_deadlines() {
	local run seconds
	ini session.remove_after_last=yes
	for run in "${RUNS[@]}"; do
		rm -rf "$STATE_DIR"
		case $run in
		check | explain) seconds=10 ;;
		*) seconds=5 ;;
		esac
		start "$run" strace -qq -o "$OGW_WORK/trace" -e trace=setitimer,recvmmsg,recvfrom \
			-e inject=recvmmsg,recvfrom:signal=SIGALRM:when=1
		wait "$run_pid"
		is "$?" 75 "$run: the deadline: status 75"
		like "$(cat "$OGW_WORK/${run// /}.err")" "error: gave up after $seconds seconds; run it again" \
			"$run: the deadline: says so"
		like "$(grep -m 1 '' "$OGW_WORK/trace")" "^setitimer\(ITIMER_REAL, .*it_value=\{tv_sec=$seconds, tv_usec=0\}" \
			"$run: the deadline: it is set"
	done
}

# A file that nobody writes to.
test_silent_file() {
	local run index pids=()
	mkfifo -m 600 "$OGW_WORK/ocserv.conf"
	ini clients.subnet4=auto clients.ocserv_conf="$OGW_WORK/ocserv.conf"
	for run in "${RUNS[@]}"; do
		start "$run"
		pids+=("$run_pid")
	done
	for index in "${!RUNS[@]}"; do
		wait "${pids[index]}"
		status=$?
		like "$status" "^(75|78)$" "${RUNS[index]}: ocserv.conf without a writer ends it"
	done
}

# With a script of the admin's the hook keeps what it has, since that is root's; no verb runs it.
test_next_script() {
	local holder run
	ini session.next_script=/bin/true
	rm -rf "$STATE_DIR"
	mkdir -m 700 "$STATE_DIR" "$STATE_DIR/sessions"
	flock --no-fork "$STATE_DIR/sessions" sleep infinity &
	holder=$!
	wait_for 10 lock_held
	for run in connect up; do
		start "$run"
		ok "next_script: $run waits for the lock" wait_for 10 waits_for_lock "$run_pid"
		seen=$(cat "/proc/$(program_of "$run_pid")/status")
		is "$(of_status NoNewPrivs)" "$([ "$run" = up ] && echo 1 || echo 0)" "next_script: $run: no_new_privs"
		wait "$run_pid"
		is "$?" 75 "next_script: $run: ends by itself"
	done
	kill "$holder"
	wait "$holder" 2>/dev/null
}

lock_held() {
	! flock --nonblock "$STATE_DIR/sessions" true
}

waits_for_lock() {
	grep -q "FLOCK.* $(program_of "$1") " /proc/locks
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

begin flock strace
test_silent_kernel
test_deadlines
test_silent_file
test_next_script
test_script_environment
test_modes
done_testing

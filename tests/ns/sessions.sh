#!/bin/bash
# Sessions: what is recorded of them, which of them count as live, and what goes
# with the last one. A live session's ID is the pid of a process of this test.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

records() {
	find "$STATE_DIR/sessions" -mindepth 1 -printf '%f\n' 2>/dev/null | sort -n | paste -sd' '
}

fresh_start() {
	clear_state >/dev/null
	rm -rf "$STATE_DIR"
	ini "$@"
}

BOB=(USERNAME=bob DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51)

whole() {
	state_is "$installed"
}

gone() {
	state_is "$empty_state"
}

test_one() {
	fresh_start session.remove_after_last=yes
	start A
	ok "one session: connect" connect A
	is "$(field routing)" installed "one session: it installs"
	installed=$(state)
	ok "one session: something is installed" state_differs_from_empty
	is "$(records)" "$A" "one session: it is recorded"
	ok "one session: disconnect" disconnect A
	is "$(field routing)" removed "one session: it removes"
	is "$(field duration_s) $(field bytes_in) $(field bytes_out)" "3600 1000 2000" "one session: the log has its numbers"
	ok "one session: nothing is left" gone
	is "$(records)" "" "one session: no record is left"
	stop A
}

state_differs_from_empty() {
	! gone >/dev/null
}

# test_order NAME STEP...: in which the state is complete until the last is gone.
# A step is + or - and a session: +A -A +B -B
test_order() {
	local name=$1 step live='' variables
	shift
	fresh_start session.remove_after_last=yes
	start A B
	for step; do
		variables=()
		[ "${step#?}" = A ] || variables=("${BOB[@]}")
		if [ "${step%?}" = + ]; then
			ok "$name: $step" connect "${step#?}" "${variables[@]}"
			live+=${step#?}
		else
			ok "$name: $step" disconnect "${step#?}" "${variables[@]}"
			live=${live/${step#?}/}
		fi
		if [ -n "$live" ]; then
			ok "$name: $step: all is complete" whole
		else
			ok "$name: $step: all is gone" gone
		fi
		is "$(records | wc -w)" "${#live}" "$name: $step: as many records as sessions"
	done
	stop A B
}

test_orders() {
	test_order "first in first out" +A +B -A -B
	test_order "last in first out" +A +B -B -A
	test_order "one after the other" +A -A +B -B
	test_order "again and again" +A +B -A +A -B -A +B -B
	test_order "connect twice" +A -A -A +A -A
}

# A user comes back: the new session has the address of the old one and its own
# ID. The hooks of the two may run in either order.
test_reconnect() {
	local order=$1 device=$2
	fresh_start session.remove_after_last=yes
	start A B
	ok "reconnect, $order: the old connect" connect A
	if [ "$order" = "connect first" ]; then
		ok "reconnect, $order: the new connect" connect B DEVICE="$device"
		ok "reconnect, $order: the old disconnect" disconnect A
	else
		ok "reconnect, $order: the old disconnect" disconnect A
		ok "reconnect, $order: the new connect" connect B DEVICE="$device"
	fi
	ok "reconnect, $order, $device: all is complete" whole
	is "$(records)" "$B" "reconnect, $order, $device: the new one is recorded"
	ok "reconnect, $order, $device: status knows it" session_in_status "$B" "$device"
	ok "reconnect, $order, $device: the last disconnect" disconnect B DEVICE="$device"
	ok "reconnect, $order, $device: all is gone" gone
	stop A B
}

session_in_status() {
	program status --json
	jq -e --argjson id "$1" --arg device "$2" \
		'.sessions | length == 1 and (.[0] | .id == $id and .device == $device)' <<<"$out"
}

# Both hooks of a reconnect at once, many times: whoever wins, the new session stays.
test_reconnect_races() {
	local i bad=''
	fresh_start session.remove_after_last=yes
	start A
	ok "races: connect" connect A
	for ((i = 0; i < 20; i++)); do
		start B
		race || bad+=" $i"
		stop A
		A=$B
	done
	is "$bad" "" "races: each leaves the new session complete"
	ok "races: the last disconnect" disconnect A
	ok "races: all is gone" gone
	stop A
}

race() {
	(disconnect A) &
	local other=$!
	connect B || return
	wait "$other" && whole >/dev/null && [ "$(records)" = "$B" ]
}

# A worker that is gone without a disconnect, as when ocserv is killed.
test_dead_worker() {
	fresh_start session.remove_after_last=yes
	start A B
	ok "dead worker: connects" connect A
	ok "dead worker: connects" connect B "${BOB[@]}"
	stop A
	program status --json
	is "$(jq -c '[.sessions[].id]' <<<"$out")" "[$B]" "dead worker: status counts the live one"
	ok "dead worker: it is complete as long as one lives" whole
	ok "dead worker: the last one's disconnect" disconnect B "${BOB[@]}"
	ok "dead worker: all is gone" gone
	is "$(records)" "" "dead worker: its record too"
	stop B
}

# The pid of a worker that is gone belongs to somebody else now.
test_reused_pid() {
	local start_time
	fresh_start session.remove_after_last=yes
	start A B
	ok "reused pid: connects" connect A
	ok "reused pid: connects" connect B "${BOB[@]}"
	start_time=$(record_value "$A" start)
	like "$start_time" '^[1-9][0-9]*$' "reused pid: the record holds when its worker started"
	sed -i "s/ start=[0-9]*/ start=$((start_time - 1))/" "$STATE_DIR/sessions/$A"
	program status --json
	is "$(jq -c '[.sessions[].id]' <<<"$out")" "[$B]" "reused pid: status doesn't take it for the worker"
	ok "reused pid: the other's disconnect" disconnect B "${BOB[@]}"
	ok "reused pid: all is gone" gone
	stop A B
}

# process_with_pid N: a worker of just this pid
process_with_pid() {
	local tries
	for ((tries = 0; tries < 50; tries++)); do
		echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid || return
		sleep infinity &
		[ $! != "$1" ] || return 0
		worker_stop $!
	done
	return 1
}

# process_again N: another one, that started in another tick of the clock
process_again() {
	local before
	before=$(cut -d' ' -f22 "/proc/$1/stat")
	worker_stop "$1"
	process_with_pid "$1" || return
	[ "$(cut -d' ' -f22 "/proc/$1/stat")" != "$before" ] || process_again "$1"
}

# In a container each start has ID=4 as its first session.
test_container() {
	fresh_start session.remove_after_last=yes
	ok "container: a worker" process_with_pid 31004
	ok "container: its first session" hook connect ID=31004
	ok "container: after a restart another worker of that pid" process_again 31004
	program status --json
	is "$(jq -c '.sessions' <<<"$out")" "[]" "container: it is not taken for the old session"
	ok "container: all is complete" whole
	ok "container: its session" hook connect ID=31004 USERNAME=bob
	is "$(field routing)" intact "container: finds all in place"
	is "$(record_value 31004 user)" bob "container: the record is the new one's"
	program status --json
	is "$(jq -c '[.sessions[].user]' <<<"$out")" '["bob"]' "container: it lives"
	ok "container: disconnect" hook disconnect ID=31004
	ok "container: all is gone" gone
	worker_stop 31004
}

# record_value ID KEY
record_value() {
	sed -n "s/.*\(^\| \)$2=\([^ ]*\).*/\2/p" "$STATE_DIR/sessions/$1"
}

mode_of() {
	stat -c '%a %u' "$1"
}

test_record() {
	fresh_start
	start A
	(umask 0; connect A GROUPNAME='' IPV6_REMOTE='fd20::50%503226880')
	is "$(mode_of "$STATE_DIR")" "700 0" "record: the directory is root's alone, whatever the umask"
	is "$(mode_of "$STATE_DIR/sessions")" "700 0" "record: so is that of the sessions"
	is "$(mode_of "$STATE_DIR/sessions/$A")" "600 0" "record: and the record"
	is "$(wc -l <"$STATE_DIR/sessions/$A")" 1 "record: it is one line"
	local pair
	for pair in "id $A" "user alice" "vhost default" "device vpns0" "real 198.51.100.11" "ip4 10.20.0.50"; do
		is "$(record_value "$A" "${pair% *}")" "${pair#* }" "record: ${pair% *}"
	done
	like "$(record_value "$A" ip6)" '^fd20::50' "record: ip6"
	is "$(record_value "$A" start)" "$(cut -d' ' -f22 "/proc/$A/stat")" "record: start"
	like "$(record_value "$A" since)" '^[0-9]{10}$' "record: since"
	wide_status
	like "$out" "alice +10\.20\.0\.50 +fd20::50 +vpns0 +198\.51\.100\.11 " "record: status shows it"
	rm "$STATE_DIR/sessions/$A"
	ok "record: a connect again" connect A
	is "$(records)" "$A" "record: nothing but the record lies there"
	ok "record: disconnect" disconnect A
	ok "record: without remove_after_last all stays" whole
	is "$(field routing)" kept "record: the log says so"
	stop A
}

test_strangers() {
	fresh_start session.remove_after_last=yes
	start A B
	ok "strangers: a disconnect without a connect, without anything" disconnect A
	ok "strangers: nothing is there" gone
	ok "strangers: a connect" connect A
	ok "strangers: a disconnect without a connect" disconnect B
	ok "strangers: all is complete" whole
	echo rubbish >"$STATE_DIR/sessions/17"
	: >"$STATE_DIR/sessions/$B"
	mkdir "$STATE_DIR/sessions/18" "$STATE_DIR/sessions/x"
	ln -s /etc/passwd "$STATE_DIR/sessions/19"
	ok "strangers: status reads what is no record" program status --json
	is "$(jq -c '[.sessions[].id]' <<<"$out")" "[$A]" "strangers: and takes it for none"
	ok "strangers: the last disconnect" disconnect A
	ok "strangers: all is gone" gone
	ok "strangers: /etc/passwd is not" test -s /etc/passwd
	stop A B
}

# [session] next_script: a script that writes down what it gets.
next_script() {
	cat >"$OGW_WORK/next" <<-END
		#!/bin/bash
		env >"$OGW_WORK/next.env"
		echo \$# >"$OGW_WORK/next.args"
		$1
	END
	chmod 755 "$OGW_WORK/next"
}

next_variable() {
	sed -n "s/^$1=//p" "$OGW_WORK/next.env"
}

test_next_script() {
	# shellcheck disable=SC2016 # what clients send is no shell's business
	local agent='`id` $(id) "x"'
	fresh_start session.remove_after_last=yes session.next_script="$OGW_WORK/next"
	start A
	next_script "exit 0"
	ini session.remove_after_last=yes session.next_script="$OGW_WORK/next"
	ok "next script: connect" connect A USER_AGENT="$agent" OCSERV_ROUTES='10.0.0.0/255.0.0.0 '
	is "$(next_variable REASON)" connect "next script: it is told the reason"
	is "$(next_variable USER_AGENT)" "$agent" "next script: and all else as it was"
	is "$(next_variable OCSERV_ROUTES)" '10.0.0.0/255.0.0.0 ' "next script: to the blank at the end"
	is "$(next_variable ID)" "$A" "next script: and the session"
	is "$(<"$OGW_WORK/next.args")" 0 "next script: it has no arguments, as under ocserv"
	ok "next script: disconnect" disconnect A
	is "$(next_variable REASON) $(next_variable STATS_DURATION)" "disconnect 3600" "next script: it is told that too"
	next_script "kill -0 \$ID && [ -e $STATE_DIR/sessions/\$ID ] && nft list table inet ocserv_gw >/dev/null"
	ok "next script: it runs with all in place" connect A
	next_script "exit 3"
	test_next_fails "exit status" "exit status 3"
	next_script "kill -KILL \$\$"
	test_next_fails "killed" "killed by signal 9"
	next_script "exit 0"
	sed -i '1s|.*|#!/nowhere/bash|' "$OGW_WORK/next"
	test_next_fails "without its interpreter" "can't run $OGW_WORK/next: No such file or directory"
	next_script "exit 3"
	ok "next script: at a disconnect its failure is no refusal" disconnect A
	like "$err" "next_script.* 3" "next script: but it is said"
	ok "next script: all is gone" gone
	test_next_wrong missing "No such file"
	test_next_wrong not_executable "not an executable"
	test_next_wrong writable "others can write to it"
	test_next_wrong group_writable "others can write to it"
	test_next_wrong of_somebody "belongs to user 65534"
	test_next_wrong directory_writable "is in $OGW_WORK, a directory that others can write to"
	test_next_wrong directory_of_somebody "is in $OGW_WORK, a directory that others can write to"
	test_next_wrong link_of_somebody "is in /run/ogw-next, a directory"
	test_next_wrong directory "not an executable"
	stop A
}

# Each change that is made, as it is made.
test_verbose() {
	fresh_start
	ok "verbose: up" program -v up
	like "$err" 'debug: nft: add table inet ocserv_gw' "verbose: the kill switch is told"
	like "$err" 'debug: ip -4 route add default via 172.28.0.2 dev eth0 table 100' "verbose: the route too"
	like "$err" 'debug: ip -4 rule add priority 1000 from 10.20.0.0/24 lookup 100' "verbose: and each rule"
	ok "verbose: up again" program -v up
	is "$err" "" "verbose: nothing is changed, and nothing told"
	ok "verbose: down" program down
	is "$err" "" "without: nothing is told"
}

# test_next_fails NAME REGEX: the session is refused, and its record undone
test_next_fails() {
	disconnect A >/dev/null
	not_ok "next script, $1: connect is refused" connect A
	is "$status" 69 "next script, $1: with status 69"
	like "$err" "$2" "next script, $1: the log says why"
	is "$(records)" "" "next script, $1: there is no record"
}

# The script that is configured can't be run, or is not to be trusted.
next_missing() { rm "$OGW_WORK/next"; }
next_not_executable() { chmod 644 "$OGW_WORK/next"; }
next_writable() { chmod 757 "$OGW_WORK/next"; }
next_group_writable() { chmod 775 "$OGW_WORK/next"; chown 0:65534 "$OGW_WORK/next"; }
next_of_somebody() { chown 65534 "$OGW_WORK/next"; }
next_directory_writable() { chmod 1777 "$OGW_WORK"; }
next_directory_of_somebody() { chown 65534 "$OGW_WORK"; }
# What the script is, or one of its directories, lies where somebody else decides.
next_link_of_somebody() {
	mkdir /run/ogw-next
	mv "$OGW_WORK/next" /run/ogw-next/next
	ln -s /run/ogw-next/next "$OGW_WORK/next"
	chown 65534 /run/ogw-next
}
next_directory() { rm "$OGW_WORK/next" && mkdir "$OGW_WORK/next"; }

test_next_wrong() {
	local kind=$1
	next_script "exit 0"
	"next_$kind"
	not_ok "next script, $kind: connect is refused" connect A
	is "$status" 78 "next script, $kind: with status 78"
	like "$err" "next_script = $OGW_WORK/next: .*$2" "next script, $kind: the log says why"
	ok "next script, $kind: nothing is done" gone
	chown 0 "$OGW_WORK"
	chmod 755 "$OGW_WORK"
	rm -rf "$OGW_WORK/next" /run/ogw-next
}

# ocserv ends a connect hook by SIGTERM when its session goes away meanwhile.
test_sigterm() {
	fresh_start session.next_script="$OGW_WORK/next"
	mkfifo "$OGW_WORK/never"
	next_script "echo \$\$ >$OGW_WORK/next.pid; exec cat $OGW_WORK/never"
	ini session.next_script="$OGW_WORK/next"
	start A
	rm -f "$OGW_WORK/next.pid"
	hook_in_background
	ok "SIGTERM: the hook waits for a slow script" wait_for 10 test -s "$OGW_WORK/next.pid"
	terminate_hook
	is "$?" 143 "SIGTERM: the hook dies of it"
	ok "SIGTERM: so does the script" wait_for 10 process_gone "$(<"$OGW_WORK/next.pid")"
	ok "SIGTERM: all is complete" whole
	next_script "exit 0"
	ok "SIGTERM: the lock is free" connect A
	ok "SIGTERM: disconnect" disconnect A
	stop A
}

process_gone() {
	! grep -q '^State:[[:space:]]*[^Z]' "/proc/$1/status"
}

# terminate_hook: by SIGTERM, in the end by SIGKILL; its status
terminate_hook() {
	kill -TERM "$hook_pid"
	wait_for 10 process_gone "$hook_pid" >/dev/null
	kill -KILL "$hook_pid" 2>/dev/null
	wait "$hook_pid"
}

# Without another process between, so that the signal reaches the hook itself.
hook_in_background() {
	env -i "${ENVIRONMENT[@]}" "${SESSION[@]}" REASON="${1:-connect}" ID="$A" "$OGW_PROGRAM" \
		</dev/null >/dev/null 2>&1 &
	hook_pid=$!
}

# A hook that waits for the lock dies at once, too.
test_sigterm_waiting() {
	local holder
	fresh_start
	start A
	connect A
	flock "$STATE_DIR/sessions" sleep infinity &
	holder=$!
	wait_for 10 lock_held
	hook_in_background
	ok "SIGTERM: a hook waits for the lock" wait_for 10 waits_for_lock "$hook_pid"
	terminate_hook
	is "$?" 143 "SIGTERM: and dies of it"
	kill_tree "$holder"
	stop A
}

# What was trusted when the hook began is not when the script is to be run.
test_next_changed() {
	local reason=$1 wanted=$2 holder
	fresh_start session.next_script="$OGW_WORK/next"
	next_script "exit 0"
	ini session.next_script="$OGW_WORK/next"
	start A
	connect A
	rm -f "$OGW_WORK/next.env"
	flock "$STATE_DIR/sessions" sleep infinity &
	holder=$!
	wait_for 10 lock_held
	hook_in_background "$reason"
	ok "next script, $reason: the hook waits for the lock" wait_for 10 waits_for_lock "$hook_pid"
	chmod 757 "$OGW_WORK/next"
	kill_tree "$holder"
	wait "$hook_pid"
	is "$?" "$wanted" "next script, changed meanwhile, $reason: status $wanted"
	not_ok "next script, changed meanwhile, $reason: it is not run" test -e "$OGW_WORK/next.env"
	stop A
}

# A local user opens what is there, and locks it: nobody waits for that.
hold_all() {
	local path
	holders=()
	for path in "$STATE_DIR" "$STATE_DIR"/* "$STATE_DIR"/*/*; do
		setpriv --reuid 65534 --regid 65534 --clear-groups -- \
			flock --nonblock "$path" -c "echo \$\$ >>$OGW_WORK/held/pids; exec sleep infinity" 2>/dev/null &
		holders+=($!)
	done
}

held() {
	[ "$(wc -l <"$OGW_WORK"/held/pids)" -ge "$1" ]
}

# test_held WHAT NUMBER: a connect, with so many objects held by somebody else
test_held() {
	local pid holders
	mkdir -m 777 "$OGW_WORK"/held
	: >"$OGW_WORK"/held/pids
	chmod 666 "$OGW_WORK"/held/pids
	hold_all
	[ "$2" = 0 ] || ok "held, $1: somebody holds $2" wait_for 10 held "$2"
	[ "$2" != 0 ] || wait "${holders[@]}"
	is "$(wc -l <"$OGW_WORK"/held/pids)" "$2" "held, $1: and no more"
	ok "held, $1: a connect does not wait for that" connect A
	is "$(field routing)" "$3" "held, $1: and does what it is to do"
	ok "held, $1: nor does up" program up
	ok "held, $1: nor a disconnect" disconnect A
	unlike "$err" error "held, $1: which has nothing to complain of"
	is "$(mode_of "$STATE_DIR") $(mode_of "$STATE_DIR/sessions")" "700 0 700 0" "held, $1: from now on all is private"
	while read -r pid; do
		kill "$pid"
	done <"$OGW_WORK"/held/pids
	wait "${holders[@]}" 2>/dev/null
	rm -rf "$OGW_WORK"/held
}

test_held_by_others() {
	fresh_start
	start A
	mkdir -m 755 "$STATE_DIR"
	test_held "a volume of mode 0755" 1 installed
	test_held "all private" 0 intact
	chmod 755 "$STATE_DIR"
	test_held "opened again" 1 intact
	stop A
}

lock_held() {
	! flock -n "$STATE_DIR/sessions" true
}

# A waiting lock is an arrow in /proc/locks.
waits_for_lock() {
	grep -qE -- "-> +FLOCK .* $1 " /proc/locks
}

kill_tree() {
	pkill -KILL -P "$1"
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

test_log_dry_run() {
	fresh_start log.dry_run=yes session.remove_after_last=yes
	start A
	ok "[log] dry_run: connect" connect A
	is "$(field routing)" dry-run "[log] dry_run: the log says what it is"
	like "$err" "would .*table inet ocserv_gw" "[log] dry_run: and what it would do"
	ok "[log] dry_run: nothing is done" gone
	not_ok "[log] dry_run: not even a record" test -e "$STATE_DIR/sessions/$A"
	ok "[log] dry_run: disconnect" disconnect A
	ini gateway.address4=172.29.0.2 log.dry_run=yes
	ok "[log] dry_run: a wrong gateway is no refusal" connect A
	like "$err" "172\.29\.0\.2" "[log] dry_run: but it is said"
	ok "[log] dry_run: nothing is done" gone
	stop A
}

test_host_update() {
	fresh_start
	start A
	ok "host-update" hook host-update ID="$A" REMOTE_HOSTNAME="alice's phone"
	like "$err" "host-update .*user=alice .*hostname=\"?alice's phone" "host-update: it is logged"
	ok "host-update: nothing is done" gone
	stop A
}

# A sanitizer, or a virtual machine without KVM, makes each run so slow that not all get the lock in time.
sessions_at_once() {
	if [ -n "${OGW_SLOW:-}" ]; then echo 3; elif grep -qa __asan_init "$OGW_PROGRAM"; then echo 8; else echo 64; fi
}

# at_once REASON: hooks for all of $workers, at once; prints the statuses
at_once() {
	local i=0 pid jobs=()
	for pid in $workers; do
		i=$((i + 1))
		env -i "${ENVIRONMENT[@]}" "${SESSION[@]}" REASON="$1" ID="$pid" USERNAME="user$i" \
			IP_REMOTE="10.20.0.$((i + 1))" IPV6_REMOTE="fd20::$i" DEVICE="vpns$i" \
			"$OGW_PROGRAM" </dev/null >/dev/null 2>>"$OGW_WORK/at-once" &
		jobs+=($!)
	done
	statuses=
	for pid in "${jobs[@]}"; do
		wait "$pid"
		statuses+="$? "
	done
}

# count REGEX: of the events
count() {
	grep -cE "$1" <<<"$events"
}

test_parallel() {
	local many i workers='' zeros statuses=
	many=$(sessions_at_once)
	fresh_start session.remove_after_last=yes
	for ((i = 0; i < many; i++)); do
		worker_start
		workers+="$worker "
	done
	# shellcheck disable=SC2086
	zeros=$(printf '0 %.0s' $workers)
	: >"$OGW_WORK/at-once"
	ok "$many at once: connects" events_of at_once connect
	is "$statuses" "$zeros" "$many at once: all succeed" || diag_file "$OGW_WORK/at-once"
	is "$(count '^(add|create) table inet ocserv_gw')" 1 "$many at once: the kill switch is loaded once"
	is "$(count '^1000:')" 1 "$many at once: the rule is added once"
	is "$(count '[Dd]elete')" 0 "$many at once: nothing is taken away"
	is "$(grep -c routing=installed "$OGW_WORK/at-once")" 1 "$many at once: one says that it installed"
	is "$(grep -c routing=intact "$OGW_WORK/at-once")" "$((many - 1))" "$many at once: the others found it so"
	ok "$many at once: all is complete" whole
	program status --json
	is "$(jq '.sessions | length' <<<"$out")" "$many" "$many at once: all are recorded"
	ok "$many at once: disconnects" events_of at_once disconnect
	is "$statuses" "$zeros" "$many at once: all succeed" || diag_file "$OGW_WORK/at-once"
	is "$(count '^delete table inet ocserv_gw')" 1 "$many at once: the kill switch goes once"
	is "$(count '^Deleted 1000:')" 1 "$many at once: the rule goes once"
	is "$(count '^(add|create) table inet ocserv_gw')" 0 "$many at once: nothing comes back"
	is "$(grep -c routing=removed "$OGW_WORK/at-once")" 1 "$many at once: one says that it removed"
	ok "$many at once: all is gone" gone
	is "$(records)" "" "$many at once: no record is left"
	# shellcheck disable=SC2086
	kill $workers
	wait
}

begin flock
must "the gateways answer" gateways_known
test_one
test_orders
for device in vpns0 vpns1; do
	test_reconnect "connect first" "$device"
	test_reconnect "disconnect first" "$device"
done
test_reconnect_races
test_dead_worker
test_reused_pid
test_container
test_record
test_strangers
test_next_script
test_sigterm
test_sigterm_waiting
test_next_changed connect 78
test_next_changed disconnect 0
test_held_by_others
test_log_dry_run
test_host_update
test_verbose
test_parallel
done_testing

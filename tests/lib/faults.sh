# shellcheck shell=bash
# Variables of host.sh, which comes before it.
# shellcheck disable=SC2153,SC2154
# A live session that keeps sending while runs of the program meet faults, and
# the judge of what has left the host meanwhile. Needs sandbox.sh, tap.sh, host.sh.
#
# A test tries one run again and again, each time from the same state and with
# another fault. Its table says for each run:
#
#   name      for the test's output
#   from      the state to start from: start_FROM
#   run       the run: a function; the next run is the same or that of $NEXT
#   packets   all or honest: those with forged sources are stopped by the kill
#             switch alone, so they are not sent where it is gone
#   wanted    what the client may meet, from the start to the end of the next
#             run, as a regular expression of traffic.py's words
#   finally   what holds in the end: a function

. "${BASH_SOURCE[0]%/*}/flows.sh"

FAULTS=$OGW_TOP/tests/faults
GATEWAY_MAC=02:00:00:28:00:02
OTHER_MAC=02:00:00:28:00:09

# What functions hand to their callers.
now='' history='' live='' newcomer='' installed='' absent='' start=''
# A traffic.py for each client; the one that is spoken to.
declare -A client_in client_out
client=first
# The line of the table that is tried, and what is tried on it.
name='' from='' run='' packets='' wanted='' finally='' at=''

# Address, MAC and interface of everybody that a packet may be sent to.
neighbours() {
	cat <<-END
		172.28.0.1 02:00:00:28:00:01 eth0
		172.28.0.2 $GATEWAY_MAC eth0
		172.28.0.9 $OTHER_MAC eth0
		172.28.0.7 02:00:00:28:00:07 eth0
		fd28::1 02:00:00:28:00:01 eth0
		fd28::2 $GATEWAY_MAC eth0
		fd28::9 $OTHER_MAC eth0
		fd28::7 02:00:00:28:00:07 eth0
		192.0.2.7 02:00:00:29:00:07 eth1
		2001:db8:192::7 02:00:00:29:00:07 eth1
		10.20.0.50 02:00:00:00:00:99 vpns0
		fd20::50 02:00:00:00:00:99 vpns0
	END
}

neighbours_up() {
	neighbours | sed 's/^\(.*\) \(.*\) \(.*\)$/neigh add \1 lladdr \2 dev \3 nud permanent/' | ip -batch -
}

# compiled NAME [OPTION...]: $OGW_WORK/NAME from tests/faults/NAME.c
compiled() {
	cc -O1 -Wall -Wextra -Werror "${@:2}" -o "$OGW_WORK/$1" "$FAULTS/$1.c"
}

# begin_faults [TOOL...]: the host, two workers, and a client that sends
begin_faults() {
	begin cc conntrack "$@"
	must "the neighbours are known" neighbours_up
	configurations
	worker_start
	live=$worker
	worker_start
	newcomer=$worker
	must "a client sends" client_up "$GATEWAY_MAC" "$OTHER_MAC"
	absent=$empty_state
	traffic begin all
	look
	is "$now" open "with nothing installed, its packets leave via any way"
	start_installed
	installed=$(state)
	look
	is "$now" gateway "with all installed, they go to the gateway alone"
}

configurations() {
	ini gateway.address4=172.28.0.9 gateway.address6=fd28::9 session.remove_after_last=yes
	cp "$INI" "$OGW_WORK/other.ini"
	ini gateway.address6=fd28::2 session.remove_after_last=yes
	cp "$INI" "$OGW_WORK/usual.ini"
}

# client_up GATEWAY-MAC FORMER-MAC [ARGUMENT...]: the client $client, with traffic.py's arguments
client_up() {
	local in=$OGW_WORK/$client.in out=$OGW_WORK/$client.out fd
	mkfifo "$in" "$out"
	python3 "$FAULTS/traffic.py" "${@:3}" <"$in" >"$out" &
	exec {fd}>"$in"
	client_in[$client]=$fd
	exec {fd}<"$out"
	client_out[$client]=$fd
	traffic gateway "$1" "$2"
	[ "$reply" = ok ]
}

# traffic COMMAND...: the answer of $client in $reply
traffic() {
	reply=''
	echo "$*" >&"${client_in[$client]}" && read -r -t 30 reply <&"${client_out[$client]}"
}

# look: the word of now in $now, those since `traffic begin` in $history
look() {
	traffic look
	now=${reply%% *}
	history=${reply#* }
}

# verb VERB [OPTION...]: the program as an admin runs it, under $WRAP
verb() {
	captured env -i "${ENVIRONMENT[@]}" "${WRAP[@]}" "$OGW_PROGRAM" "$@"
}

# Start states

start_nothing() {
	program down || clear_state
	rm -rf "$STATE_DIR"
}

# One session is live. The directory stays: a new one beside what is installed
# says that there may be sessions without a record.
start_installed() {
	rm -rf "$STATE_DIR"/sessions/* "$STATE_DIR"/addresses/* "$STATE_DIR"/flows/*
	hook connect ID="$live"
}

start_two_sessions() {
	start_installed && hook connect ID="$newcomer"
}

# Flows to a far end that the client itself does not send to.
FAR=198.51.100.99 FAR6=2001:db8::99
OTHERS_FLOWS=$'10.20.0.50 198.51.100.99\nfd20::50 2001:db8::99'
BOBS_FLOWS=$'10.20.0.51 198.51.100.99\nfd20::51 2001:db8::99'

far_flows() {
	flows | grep " \($FAR\|$FAR6\)$"
}

# refill LINES: these flows to the far end alone
refill() {
	conntrack -D -d "$FAR" >/dev/null 2>&1
	conntrack -D -f ipv6 -d "$FAR6" >/dev/null 2>&1
	make_flows <<<"$1" >/dev/null 2>&1
}

# Bob is live beside, and both have flows.
start_flows() {
	start_installed && beside connect && refill "$OTHERS_FLOWS"$'\n'"$BOBS_FLOWS"
}

# He has gone, and nobody was told.
start_flows_left() {
	start_flows && rm "$STATE_DIR/sessions/$newcomer"
}

start_guard_gone() {
	start_installed && nft flush ruleset
}

start_rule_gone() {
	start_installed && ip rule del priority 1000 && ip -6 rule del priority 1000
}

start_route_gone() {
	start_installed && ip route flush table 100 && ip -6 route flush table 100
}

start_all_gone() {
	start_route_gone && nft flush ruleset && ip rule flush protocol 111 && ip -6 rule flush protocol 111
}

# It is live by another gateway than that of the configuration.
start_other_gateway() {
	cp "$OGW_WORK/other.ini" "$INI"
	start_installed
	cp "$OGW_WORK/usual.ini" "$INI"
}

# Runs

newcomer_connects() {
	hook connect ID="$newcomer"
}

# At once, even if the worker has only just been started.
worker_kill() {
	kill -KILL "$1"
	wait "$1" 2>/dev/null
	return 0
}

# Whose session goes away with its hook, as when ocserv kills it.
stranger_connects() {
	worker_start
	hook connect ID="$worker"
	worker_kill "$worker"
}

newcomer_leaves() {
	hook disconnect ID="$newcomer"
}

live_leaves() {
	hook disconnect ID="$live"
}

bob_ends() {
	beside disconnect
}

mallory_connects() {
	beside connect USERNAME=mallory
}

up() {
	verb up
}

down() {
	verb down
}

declare -A NEXT=([stranger_connects]=live_leaves [bob_ends]=up)

# What holds in the end

# sessions_are ID...: those that status knows, and no other
sessions_are() {
	local id rest=$out
	for id; do
		[[ $rest == *"{ \"id\": $id, "* ]] || return
		rest=${rest/"{ \"id\": $id, "/}
	done
	[[ $rest != *'{ "id": '* ]]
}

# nothing_noted: no flows are to end
nothing_noted() {
	no_file "$STATE_DIR/flows"
}

# Where his session has ended so have his flows.
flows_of_bob() {
	nothing_noted || return
	if [ -e "$STATE_DIR/sessions/$newcomer" ]; then
		whole "$live" "$newcomer"
	else
		whole "$live" && same "$OTHERS_FLOWS" "$(far_flows)"
	fi
}

flows_of_others() {
	nothing_noted && whole "$live" "$newcomer" && same "$OTHERS_FLOWS" "$(far_flows)"
}

# whole ID...: everything is installed, status says so, and these sessions are live
whole() {
	program status --json && [[ $out == *'"state": "installed"'* ]] && sessions_are "$@" &&
		state_is "$installed" && nothing_noted
}

whole_for_newcomer() {
	whole "$newcomer"
}

whole_for_both() {
	whole "$live" "$newcomer"
}

whole_for_live() {
	whole "$live"
}

whole_for_nobody() {
	whole
}

# Nothing of ours is left in the kernel, and status says so.
gone() {
	program status --json
	[[ $out == *'"state": "absent"'* ]] && state_is "$absent"
}

# Several gateways: alice's is the one whose MAC is the gateway's, and who is not named has the other one. So `former` is by
# another user's, wherever nobody moves.

# several_ini [LINE]: with this line of [users]
several_ini() {
	cat >"$INI" <<-END
		[clients]
		subnet4 = 10.20.0.0/24
		subnet6 = fd20::/64
		[gateway]
		address4 = 172.28.0.9
		address6 = fd28::9
		[gateway nl]
		address4 = 172.28.0.2
		address6 = fd28::2
		[session]
		remove_after_last = yes
		[users]
		${1-alice = nl}
	END
	chmod 600 "$INI"
}

# beside REASON [VARIABLE=VALUE...]: bob, by the other tunnel and the other gateway
beside() {
	hook "$1" ID="$newcomer" USERNAME=bob DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51 "${@:2}"
}

start_several_nothing() {
	several_ini
	clear_state 2>/dev/null
	rm -rf "$STATE_DIR"
}

start_several() {
	start_several_nothing
	hook connect ID="$live"
}

start_several_beside() {
	start_several && beside connect
}

start_several_others() {
	start_several_nothing
	beside connect
}

start_several_flushed() {
	start_several && nft flush ruleset
}

start_several_edited() {
	start_several_nothing
	several_ini ""
	hook connect ID="$live"
	several_ini
	refill "$OTHERS_FLOWS"$'\n'"$BOBS_FLOWS"
}

start_several_taken() {
	start_several_nothing
	hook connect ID="$newcomer" USERNAME=bob
}

bob_connects() {
	beside connect
}

bob_leaves() {
	beside disconnect
}

alice_connects() {
	hook connect ID="$live"
}

ALICES=$'vpns0 10.20.0.50 nl\nvpns0 fd20::50 nl'
BOBS=$'vpns1 10.20.0.51 default\nvpns1 fd20::51 default'

# several_whole ENTRIES ID...: all is installed, these sessions are live, and these entries are there
several_whole() {
	same "$1" "$(entries)" || return
	program status --json
	[[ $out == *'"state": "installed"'* ]] && sessions_are "${@:2}" && nothing_noted
}

several_for_alice() {
	several_whole "$ALICES" "$live"
}

# She has moved, and her flows have ended.
several_moved() {
	several_for_alice && same "$BOBS_FLOWS" "$(far_flows)"
}

several_for_bob() {
	several_whole "$BOBS" "$newcomer"
}

several_for_both() {
	several_whole "$ALICES"$'\n'"$BOBS" "$live" "$newcomer"
}

# His session is live still, but its tunnel is hers.
several_taken() {
	several_whole "$ALICES" "$live" "$newcomer"
}

# no_file DIRECTORY: there is none in it
no_file() {
	local each
	for each in "$1"/* "$1"/.[!.]*; do
		[ ! -e "$each" ] && [ ! -L "$each" ] || return
	done
}

all_over() {
	gone && no_file "$STATE_DIR/sessions" && no_file "$STATE_DIR/addresses" && nothing_noted
}

# Faults

complaint() {
	echo "$at: $*"
	[ -z "$err" ] || echo "  stderr: ${err//$'\n'/ | }"
}

# with_fault WORD...: the run, with these words before the program
with_fault() {
	WRAP=("$@")
	"$run"
	WRAP=()
}

try_begins() {
	"start_$from" >/dev/null || complaint "can't start"
	traffic begin "$packets"
}

# What the client meets while all is as the fault has left it. A leak is none
# where nothing of ours is there: nobody is connected yet, or any more.
check_left() {
	look
	case $now in
	open)	state_is "$absent" >/dev/null || leaked ;;
	former)	state_is "$start" >/dev/null || complaint "packets go to the former gateway" ;;
	esac
}

leaked() {
	traffic leak
	complaint "a leak: $reply"
}

# The next run does all that was left to do.
check_next() {
	"${NEXT[$run]:-$run}" || complaint "the next run: exit status $status"
	look
	[[ $history =~ ^($wanted)$ ]] || complaint "the client met: $history"
	"$finally" >/dev/null || complaint "in the end, not $finally: $(left)"
}

# Calls, the errors that they fail with, and what an error message names then. Of close(2) a tracer can't let the
# error be told alone: the kernel closes whatever it says, and a lock that stays held is another fault.
calls() {
	cat <<-'END'
		sendto|EPERM ENOMEM ENOBUFS EBUSY EINTR EAGAIN ETIMEDOUT|kernel
		recvmmsg|EPERM ENOMEM ENOBUFS EINTR EAGAIN|kernel
		socket bind getsockname setsockopt|EPERM ENOMEM ENOBUFS EBUSY EMFILE|kernel
		openat|ENOSPC EROFS EACCES EIO EMFILE ENFILE ENOMEM EINTR|file
		mkdirat renameat symlinkat unlinkat|ENOSPC EROFS EACCES EIO|file
		read write|ENOSPC EIO EINTR|file
		newfstatat fstat readlinkat getdents64|EIO EACCES ENOMEM|file
		flock|EIO ENOLCK|file
		ioctl connect|EPERM ENOMEM|any
		mmap|ENOMEM|memory
		prctl capget capset setitimer rt_sigaction rt_sigprocmask getrandom lseek|EPERM|any
	END
}

declare -A NAMED=(
	[kernel]='policy rules|routes|kill switch|netlink socket|ip (-[46] )?(route|rule) |gateway'
	[file]='state directory: /run/ocserv-gateway|/gateway\.ini|/proc/'
	[memory]='out of memory|state directory: /|/gateway\.ini|kill switch|netlink socket for'
	[any]='.'
)

# failure_said KIND: as an error that names an object
failure_said() {
	grep -E '^ocserv-gateway: (error: |out of memory)' <<<"$err" | grep -qE "${NAMED[$1]}" ||
		complaint "exit status $status, and no error names one of: ${NAMED[$1]}"
}

# success_said: all is well; a disconnect, which is never refused, may say what is not
success_said() {
	local said=$err
	# A name that is left in addresses/ is harmless, and flows that are still noted are ended by the next run.
	[[ $run == *_@(leaves|ends) && $err == *@(error|warning):* || $err == *"warning: can't delete the flows of"* ]] || "${finally/all_over/gone}" >/dev/null || {
		err=$said
		complaint "success, but not $finally"
	}
}

# Where a call is interrupted it is made again; without an answer in time, it is
# for the caller to try again.
status_wanted() {
	case $at in
	recvmmsg*EINTR|recvmmsg*EAGAIN|read*EINTR|write*EINTR)	echo 0 ;;
	*sequence)				echo '0|75' ;;
	allocation*)				echo '0|71|73' ;;
	*)					echo '0|64|71|73|75|77|78' ;;
	esac
}

# check_said KIND
check_said() {
	[[ $status =~ ^($(status_wanted))$ ]] || complaint "exit status $status"
	[[ $err != *"(null)"* ]] || complaint "an object without a name"
	if [ "$status" = 0 ]; then
		success_said
	else
		failure_said "$1"
	fi
}

# try KIND WORD...: the run, with these words before the program
try() {
	local kind=$1
	shift
	tries=$((tries + 1))
	try_begins
	with_fault "$@"
	check_said "$kind"
	check_left
	check_next
}

more() {
	[ -n "${OGW_MORE:-}" ]
}

# one_of NUMBER WORDS: a word, another one with the next number; or all of them
one_of() {
	local words
	read -ra words <<<"$2"
	if more; then
		echo "$2"
	else
		echo "${words[$1 % ${#words[@]}]}"
	fi
}

# killed_once SIGNAL N: false when the run got through; with $changes = -c, see kill_at.c
killed_once() {
	at="signal $1 at call $2${changes:+ that changes something}"
	try_begins
	with_fault "$OGW_WORK/kill_at" ${changes:+"$changes"} "$2" "$1"
	[ "$status" = $((128 + $1)) ] || return
	check_left
	check_next
}

# What the state directory holds, and what status says, on a line.
left() {
	(cd "$STATE_DIR" && echo */*)
	tr -s '\n ' ' ' <<<"; status: ${out:0:300}"
}

# no_complaints COMMAND...: it prints none; the first OGW_COMPLAINTS of its lines are shown
no_complaints() {
	local file=$OGW_WORK/complaints
	"$@" >"$file"
	if [ -s "$file" ]; then
		head -n "${OGW_COMPLAINTS:-20}" "$file"
		echo "$(grep -c '^[^ ]' "$file") complaints in all"
		return 1
	fi
}

# each_run FUNCTION WORD: FUNCTION for each line of the table on stdin whose name holds WORD
each_run() {
	while IFS='|' read -r -u 3 name from run packets wanted finally; do
		[[ $name == *"$2"* ]] || continue
		"start_$from" >/dev/null
		start=$(state)
		"$1"
	done 3<&0
}

# calls_fail: each line of failing_calls, KIND CALL NUMBER ERROR, in a run of its own
calls_fail() {
	local kind call number error
	while read -r -u 4 kind call number error; do
		at="$call $number: $error"
		try "$kind" strace -f -qq --seccomp-bpf -o /dev/null -e "trace=$call" \
			-e "inject=$call:error=$error:when=$number"
	done 4< <(failing_calls)
}

#!/bin/bash
# Two servers on one host; a container that is started again with its state
# directory; pids that are used again; clocks that are wrong; a run that hangs.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/faults.sh"

SECOND_INI=$OGW_WORK/second.ini
SECOND_STATE=/run/ocserv-gateway-second
SECOND_MAC=02:00:00:29:00:09

# second COMMAND...: as the second server's
second() {
	local client=second ENVIRONMENT=("${ENVIRONMENT[@]}" OCSERV_GATEWAY_CONFIG="$SECOND_INI")
	local SESSION=("${SESSION[@]}" DEVICE=vpnt0 IP_LOCAL=10.30.0.1 IP_REMOTE=10.30.0.50
		IPV6_LOCAL=fd30::1 IPV6_REMOTE=fd30::50)
	"$@"
}

# second_ini [SECTION.KEY=VALUE...]: of the second server, with these changes
second_ini() {
	INI=$SECOND_INI ini clients.subnet4=10.30.0.0/24 clients.subnet6=fd30::/64 'clients.interface=vpnt*' \
		gateway.address4=192.0.2.9 gateway.table=200 gateway.priority=2000 killswitch.table=ocserv_gw_second \
		session.remove_after_last=yes session.state_dir=$SECOND_STATE "$@"
}

second_tunnel() {
	ip -batch - <<-END
		link add vpnt0 type veth peer name vpnt0 netns outside
		link set vpnt0 up
		addr add 10.30.0.1 peer 10.30.0.50/32 dev vpnt0
		addr add fd30::1/128 dev vpnt0 nodad
		neigh add 10.30.0.50 lladdr 02:00:00:00:00:99 dev vpnt0 nud permanent
		neigh add fd30::50 lladdr 02:00:00:00:00:99 dev vpnt0 nud permanent
		neigh add 192.0.2.9 lladdr $SECOND_MAC dev eth1 nud permanent
	END
	ip -n outside link set vpnt0 up && wait_for 10 carriers_seen
}

# The second tunnel belongs to the host from now on.
second_up() {
	second_ini
	start_nothing
	second_tunnel && second client_up "$SECOND_MAC" '' vpnt0 eth1 10.30.0.50 fd30::50 2 || return
	absent=$(state)
	empty_state=$absent
	start_installed
	installed=$(state)
}

# met WORDS: that is all that the client met since it began
met() {
	look
	same "$1" "$history"
}

# The state, with the tables in an order that does not depend on who came first.
both_state() {
	state | sed '/^table inet/,$d'
	listed_ruleset | sed -n '/^table inet ocserv_gw {/,/^}/p'
	listed_ruleset | sed -n '/^table inet ocserv_gw_second {/,/^}/p'
}

# both_are WANTED
both_are() {
	same "$1" "$(both_state)"
}

test_side_by_side() {
	local first_alone second_alone both
	start_nothing
	second program up
	second_alone=$(both_state)
	second program down
	program up
	first_alone=$(both_state)
	ok "both are up" second program up
	both=$(both_state)
	traffic begin all
	ok "the first finds nothing wrong" program status
	ok "the second finds nothing wrong" second program status
	ok "the second goes down" second program down
	ok "the first is as it was" both_are "$first_alone"
	ok "the second comes up again" second program up
	ok "both are as they were" both_are "$both"
	ok "the first's client went to its gateway all the time" met gateway
	second traffic begin all
	test_first_alone
	ok "the second's client went to its gateway all the time" second met gateway
	ok "the second's session leaves" second hook disconnect ID="$live"
	ok "and takes all with it" state_is "$absent"
}

# The first comes and goes, and is damaged and repaired: the second's is untouched.
test_first_alone() {
	ok "the first goes down" program down
	ok "the second is as it was" both_are "$second_alone"
	ok "a session of the second" second hook connect ID="$live"
	ok "a session of the first, with the same ID" hook connect ID="$live"
	ok "both are installed" both_are "$both"
	nft delete table inet ocserv_gw
	ip rule del priority 1000
	ok "the first was damaged and is repaired" hook connect ID="$newcomer"
	is "$(field routing)" repaired "its log says so"
	ok "both are as they were" both_are "$both"
	ok "one of the first's sessions leaves" hook disconnect ID="$newcomer"
	ok "the last of them leaves" hook disconnect ID="$live"
	ok "the second stays" both_are "$second_alone"
	ok "with its session" test -e "$SECOND_STATE/sessions/$live"
}

# come_and_go: sessions of one server, one after the other; prints what went wrong
come_and_go() {
	local i OGW_WORK=$OGW_WORK/$1
	mkdir "$OGW_WORK"
	for ((i = 0; i < 40; i++)); do
		hook connect ID="$live" && [[ $err == *routing=installed* ]] || echo "connect $i: $status $err"
		program status && [[ $out == *$'\n''state '*installed* ]] || echo "status $i: $status $out $err"
		hook disconnect ID="$live" && [[ $err == *routing=removed* ]] || echo "disconnect $i: $status $err"
	done
}

both_come_and_go() {
	come_and_go one >"$OGW_WORK/one.said" &
	second come_and_go two >"$OGW_WORK/two.said"
	wait "$!"
	cat "$OGW_WORK/one.said" "$OGW_WORK/two.said"
	[ ! -s "$OGW_WORK/one.said" ] && [ ! -s "$OGW_WORK/two.said" ]
}

# They have locks of their own, so each reads what the other is changing.
test_at_once() {
	start_nothing
	second start_nothing
	ok "sessions of both come and go at once" both_come_and_go
	ok "nothing is left" state_is "$absent"
}

# What two servers must not share; whoever does loses the internet, and no more.
test_shared() {
	local shared
	while read -r shared; do
		second_ini "$shared"
		start_nothing
		start_installed
		traffic begin honest
		second program up
		look
		unlike "$history" open "$shared for both: the first's client does not leak"
		program up
		look
		unlike "$history" open "$shared for both: nor when the first comes up again"
		second program down
	done <<-END
		gateway.table=100
		gateway.priority=1000
		killswitch.table=ocserv_gw
		session.state_dir=$STATE_DIR
	END
	second_ini
	clear_state >/dev/null
}

# container: one life of a container, without an end of its sessions: pids begin
# anew, the network is empty, the state directory stays.
container() {
	unshare --net --pid --fork --kill-child --mount-proc bash -s -- "$OGW_PROGRAM" "$INI" "$STATE_DIR" <<-'END'
		program=$1 sessions=$3/sessions
		export OCSERV_GATEWAY_CONFIG=$2 DEVICE=vpns0 IP_REMOTE=10.20.0.50 USERNAME=alice
		"$OGW_FRESH_NETWORK"
		ip link set lo up
		ip link add eth0 type veth peer name far
		echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6
		ip addr add 172.28.0.3/24 dev eth0
		ip addr add fd28::3/64 dev eth0 nodad
		ip link set eth0 up
		ip link set far up
		sleep infinity &
		one=$!
		sleep infinity &
		two=$!
		echo "kept: $(cd "$sessions" 2>/dev/null && echo *)"
		"$program" status 2>/dev/null | grep -E '^(state|[0-9]+ live)'
		REASON=connect ID=$one "$program" 2>&1 | grep -o ' id=.* device\| routing=[a-z]*'
		"$program" status 2>/dev/null | grep -E '^(state|[0-9]+ live)'
		REASON=connect ID=$two "$program" 2>&1 | grep -o ' routing=[a-z]*'
		REASON=disconnect ID=$two "$program" 2>&1 | grep -o ' routing=[a-z]*'
		"$program" status 2>/dev/null | grep -E '^(state|[0-9]+ live)'
	END
}

# The sessions of the life before count as ended, whoever has their pids now.
test_container() {
	local before after
	start_nothing
	before=$(container)
	after=$(container)
	like "$before" '^kept:[^0-9]*
state +absent
 id=([0-9]+) device
 routing=installed
state +installed
1 live session
 routing=intact
 routing=kept
state +installed
1 live session$' "a container's first life"
	like "$after" "^kept: ${BASH_REMATCH[1]-}"$'\n' "its record is kept to the second"
	is "${after#*$'\n'}" "${before#*$'\n'}" "which is as the first, with the same IDs"
	rm -rf "$STATE_DIR"
}

start_of() {
	cut -d' ' -f22 "/proc/$1/stat"
}

# successor PID: another process gets the pid of the one that has it; sets $worker
successor() {
	local born
	born=$(start_of "$1")
	worker=$1
	until [ "$worker" = "$1" ] && [ "$(start_of "$1")" != "$born" ]; do
		worker_kill "$worker"
		echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid
		worker_start
	done
}

test_pids() {
	local again
	start_two_sessions
	worker_start
	again=$worker
	ok "a session" hook connect ID="$again"
	ok "whose pid another process gets" wait_for 30 successor "$again"
	program status --json
	ok "has ended" sessions_are "$live" "$newcomer"
	ok "a new session with that pid" hook connect ID="$again"
	program status --json
	ok "is live" sessions_are "$live" "$newcomer" "$again"
	successor "$again"
	ok "when that pid is used again" hook disconnect ID="$live"
	ok "the last that is live" hook disconnect ID="$newcomer"
	is "$(field routing)" removed "takes all with it"
	ok "nothing is left" state_is "$absent"
	ok "nor in the books" no_file "$STATE_DIR/sessions"
}

# at SECONDS COMMAND...: with a clock that is so much later
at() {
	local WRAP=(env LD_PRELOAD="$OGW_WORK/preload" FAULT_CLOCK="$1")
	"${@:2}"
}

test_clock() {
	local clock year=$((365 * 24 * 3600))
	while read -r clock; do
		start_installed
		traffic begin all
		ok "clock $clock: connect" at "$clock" hook connect ID="$newcomer"
		ok "clock $clock: both are live" whole_for_both
		ok "clock $clock: status is right, too" at "$clock" verb status --json
		ok "clock $clock: and JSON" jq -e '.sessions | length == 2' <<<"$out"
		ok "clock $clock: disconnect" at "$clock" hook disconnect ID="$live"
		ok "clock $clock: the other is live" whole "$newcomer"
		ok "clock $clock: nothing is noticed" met gateway
		ok "clock $clock: the last leaves" at "$clock" hook disconnect ID="$newcomer"
		ok "clock $clock: all is over" all_over
	done <<-END
		-60
		$((-10 * year))
		$((10 * year))
		-4000000000
		+4000000000
	END
}

lock_held() {
	! flock --nonblock "$STATE_DIR/sessions" true
}

# A hook that was stopped, and holds the lock for ever.
test_hanging() {
	local holder
	start_installed
	flock "$STATE_DIR/sessions" sleep infinity &
	holder=$!
	wait_for 10 lock_held
	traffic begin all
	not_ok "with the lock held, a connect is refused" hook connect ID="$newcomer"
	is "$status" 75 "as busy"
	like "$err" "error: state directory: $STATE_DIR: another run has held its lock" "it names the lock"
	ok "a disconnect passes" hook disconnect ID="$live"
	like "$err" "error: state directory: $STATE_DIR: another run" "it names the lock, too"
	ok "nothing is noticed" met gateway
	pkill -P "$holder"
	wait "$holder"
	ok "then the connect succeeds" hook connect ID="$newcomer"
}

# /proc as hardened hosts mount it shows a process to its own user alone, and to
# whoever may trace it. ocserv's workers run as nobody.
test_hidden() {
	local hidden
	kill "$live" "$newcomer"
	live=$(nobody_starts)
	newcomer=$(nobody_starts)
	for hidden in hidepid=1,gid=4 hidepid=2,gid=4 hidepid=4,gid=0; do
		start_installed
		mount -o "remount,$hidden" /proc
		ok "$hidden: connect" hook connect ID="$newcomer"
		ok "$hidden: both are live" whole_for_both
		ok "$hidden: one leaves" hook disconnect ID="$newcomer"
		is "$(field routing)" kept "$hidden: all is kept for the other"
		ok "$hidden: who is live" whole_for_live
		ok "$hidden: the other leaves" hook disconnect ID="$live"
		ok "$hidden: all is over" all_over
		mount -o remount,hidepid=0,gid=0 /proc
	done
}

nobody_starts() {
	setpriv --reuid 65534 --regid 65534 --clear-groups sleep infinity >/dev/null &
	echo $!
}

# A syslog that takes no message any more; there is room for some.
syslog_hangs() {
	python3 - "$OGW_WORK/full" <<-'END'
		import socket, sys, time
		log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		log.bind("/dev/log")
		sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
		sender.connect("/dev/log")
		try:
		    while True:
		        sender.send(b"full")
		except BlockingIOError:
		    open(sys.argv[1], "w").close()
		time.sleep(1e6)
	END
}

# What can't be logged is lost; the session is not.
test_syslog() {
	syslog_hangs &
	wait_for 10 test -e "$OGW_WORK/full"
	start_nothing
	ok "with a syslog that hangs, a connect succeeds" hook connect ID="$live"
	ok "all is installed" whole_for_live
	ok "a disconnect succeeds" hook disconnect ID="$live"
	ok "all is over" all_over
	rm /dev/log
}

begin_faults jq
must "the preloaded library is compiled" compiled preload -fPIC -shared
must "there is a second server" second_up
test_side_by_side
test_at_once
test_shared
test_container
test_pids
test_clock
test_hanging
test_syslog
test_hidden
done_testing

# shellcheck shell=bash
# Many sessions at once: for tests that let them come and go in random order. Needs host.sh; sets $seed, $log and
# $workers, and takes $AT_ONCE.
#
#   OGW_SEED=N    the order that a run has printed

seed=${OGW_SEED:-$RANDOM}
log=$OGW_WORK/storm.log
workers=()

tap_context() {
	diag "seed $seed; what the hooks said of errors, and how often:"
	grep -h 'error:\|warning:' "$log" | sed 's/user=.*device=[^ ]*//' | sort | uniq -c | sort -rn | head -n 10 |
		sed 's/^/# /'
}

# workers_start NUMBER: a process for each session, children of one that is not this shell
workers_start() {
	local number=$1
	(
		for ((i = 0; i < number; i++)); do
			sleep infinity &
			echo $!
		done
		echo all
		wait
	) >"$OGW_WORK/workers" &
	wait_for 60 grep -q all "$OGW_WORK/workers" &&
		mapfile -t -n "$number" workers <"$OGW_WORK/workers"
}

# session_address, session_address6 NUMBER
session_address() {
	echo "10.20.$(($1 / 250)).$(($1 % 250 + 2))"
}

session_address6() {
	printf 'fd20::%x\n' $(($1 + 2))
}

# hooks REASON FIRST COUNT: a line for each session from FIRST on, what its hook is given
hooks() {
	local i
	for ((i = $2; i < $2 + $3; i++)); do
		echo "REASON=$1 ID=${workers[i]} USERNAME=user$i DEVICE=vpns$i IP_REMOTE=$(session_address "$i")" \
			"IPV6_REMOTE=$(session_address6 "$i") $OGW_PROGRAM"
	done
}

in_any_order() {
	shuf --random-source=<(yes "$seed")
}

# all_at_once LINES: each a hook; they end well
all_at_once() {
	xargs -P "$AT_ONCE" -L 1 env -i "${ENVIRONMENT[@]}" "${SESSION[@]}" <<<"$1" 2>>"$log"
}

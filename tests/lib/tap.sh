# shellcheck shell=bash
# Assertions that speak TAP. A failing one shows what it looked at.

tap_count=0
tap_failed=0
tap_file=$(mktemp)

diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

diag_file() {
	local file
	for file in "$@"; do
		diag "--- $file (last lines):"
		if [ -e "$file" ]; then
			tail -n 40 "$file" | sed 's/^/#   /'
		else
			diag "    (does not exist)"
		fi
	done
}

plan() {
	tap_plan=$1
	echo "1..$1"
}

tap_pass() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

tap_fail() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
	return 1
}

# tap_run COMMAND...: run it in this very shell, so that it may set variables
# and start jobs; keep status and output for tap_show
tap_run() {
	"$@" >"$tap_file" 2>&1
	tap_status=$?
	tap_output=$(<"$tap_file")
	return "$tap_status"
}

tap_show() {
	diag "command: $*"
	diag "exit status: $tap_status"
	[ -z "$tap_output" ] || diag "output:
$tap_output"
	tap_context
}

# Called after each failure; libraries redefine it to show their logs.
tap_context() {
	:
}

# ok DESCRIPTION COMMAND...: the command must succeed
ok() {
	local description=$1
	shift
	if tap_run "$@"; then
		tap_pass "$description"
	else
		tap_fail "$description"
		tap_show "$@"
		return 1
	fi
}

# not_ok DESCRIPTION COMMAND...: the command must fail
not_ok() {
	local description=$1
	shift
	if tap_run "$@"; then
		tap_fail "$description"
		tap_show "$@"
		return 1
	else
		tap_pass "$description"
	fi
}

# must DESCRIPTION COMMAND...: like ok, but nothing after it makes sense without
must() {
	ok "$@" || done_testing
}

# is GOT WANTED DESCRIPTION
is() {
	if [ "$1" = "$2" ]; then
		tap_pass "$3"
	else
		tap_fail "$3"
		diag "     got: $1"
		diag "expected: $2"
		tap_context
		return 1
	fi
}

# like GOT REGEX DESCRIPTION: GOT matches the extended regular expression
like() {
	if [[ $1 =~ $2 ]]; then
		tap_pass "$3"
	else
		tap_fail "$3"
		diag "          got: $1"
		diag "does not match: $2"
		tap_context
		return 1
	fi
}

unlike() {
	if [[ $1 =~ $2 ]]; then
		tap_fail "$3"
		diag "    got: $1"
		diag "matches: $2"
		tap_context
		return 1
	else
		tap_pass "$3"
	fi
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails after SECONDS, or ten times as many with
# OGW_SLOW=1, which a virtual machine without KVM sets, see tests/vm.sh
wait_for() {
	local deadline=$((SECONDS + $1${OGW_SLOW:+0} + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "gave up waiting for: $*"
			return 1
		fi
		sleep 0.05
	done
}

# skip_all REASON: nothing here can run; where skipping is forbidden, a failure
skip_all() {
	if [ -n "${CI:-}${OGW_NO_SKIP:-}" ]; then
		echo "1..1"
		echo "not ok 1 - $1"
		diag "skipping is not allowed here (CI or OGW_NO_SKIP is set)"
		exit 1
	fi
	echo "1..0 # SKIP $1"
	exit 0
}

done_testing() {
	rm -f "$tap_file"
	[ -n "${tap_plan:-}" ] || echo "1..$tap_count"
	if [ -n "${tap_plan:-}" ] && [ "$tap_plan" != "$tap_count" ]; then
		diag "planned $tap_plan assertions, ran $tap_count"
		exit 1
	fi
	[ "$tap_failed" = 0 ]
	exit
}

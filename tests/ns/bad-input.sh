#!/bin/bash
# Whatever is wrong: its own exit status, one clear sentence on stderr and in
# syslog, nothing half-done; and what clients send is data.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

nl=$'\n'

# printable TEXT: lines of ASCII, of bearable length
printable() {
	local LC_ALL=C
	[[ $1 != *[^\ -~$'\n']* ]] && [ "$(wc -L <<<"$1")" -le 4200 ]
}

# Each line of stderr is ours.
lines_good() {
	printable "$err" && ! grep -nv '^ocserv-gateway: .' <<<"$err"
}

# syslog says the same as stderr.
syslog_same() {
	syslog_lines && same "$err" "ocserv-gateway: ${logged//$nl/${nl}ocserv-gateway: }"
}

errors() {
	sed -n 's/^ocserv-gateway: error: //p' <<<"$err"
}

# test_refused NAME STATUS REGEX COMMAND...: a hook fails as it should
test_refused() {
	local name=$1 wanted=$2 words=$3 before
	shift 3
	before=$(state)
	"$@" >/dev/null
	is "$status" "$wanted" "$name: status $wanted"
	like "$(errors | head -n 1)" "$words" "$name: the first line says why"
	is "$(errors | wc -l)" 2 "$name: one sentence, and one for who it is"
	like "$(errors | tail -n 1)" "(session refused|hook failed): .*status=$wanted reason=\".+\"$" "$name: which says who, and why"
	ok "$name: lines are lines" lines_good
	ok "$name: syslog has the same" syslog_same
	ok "$name: the kernel is as before" state_is "$before"
	not_ok "$name: there is no record" test -f "$STATE_DIR/sessions/$$"
}

# NAME|STATUS|REGEX|VARIABLE=VALUE...: hooks with one wrong variable
VARIABLES='no reason|64|REASON|REASON=
an unknown reason|64|REASON=reboot|REASON=reboot
a reason in capitals|64|REASON=CONNECT|REASON=CONNECT
a hostile reason|64|REASON=|REASON=connect%0a\nconnect
no id|64|ID=|ID=
an id that is none|64|ID=x|ID=x
a negative id|64|ID=-1|ID=-1
an id of zero|64|ID=0|ID=0
an id with a zero in front|64|ID=04|ID=04
an id that is a path|64|ID=../../etc/passwd|ID=../../etc/passwd
an id with a blank|64|ID="4 "|ID=4 
an id with a line behind|64|ID="4.x0a5"|ID=4\n5
a huge id|64|ID=99999999999999999999|ID=99999999999999999999
no device|64|DEVICE=|DEVICE=
a device outside the pattern|78|DEVICE=tun0.*interface|DEVICE=tun0
a device like the pattern|78|DEVICE=xvpns0|DEVICE=xvpns0
a device of the host|78|DEVICE=eth0|DEVICE=eth0
a device with a wildcard|64|DEVICE=vpns\*|DEVICE=vpns*
a device that is too long|64|DEVICE=vpns456789012345|DEVICE=vpns456789012345
a device with a slash|64|DEVICE=vpns0/../x|DEVICE=vpns0/../x
a device with a quote|64|DEVICE=|DEVICE=vpns0" accept; #
a device with a line behind|64|DEVICE=|DEVICE=vpns0\neth0
no address|64|IP_REMOTE|IP_REMOTE= IPV6_REMOTE=
an address outside the subnet|78|IP_REMOTE=10.30.0.5.*subnet4|IP_REMOTE=10.30.0.5
an address beside the subnet|78|IP_REMOTE=10.20.1.0|IP_REMOTE=10.20.1.0
an address that is none|64|IP_REMOTE=elsewhere|IP_REMOTE=elsewhere
an address with a length|64|IP_REMOTE=10.20.0.50/24|IP_REMOTE=10.20.0.50/24
an address with a zero in front|64|IP_REMOTE=10.20.0.050|IP_REMOTE=10.20.0.050
an address of the other family|64|IP_REMOTE=fd20::50|IP_REMOTE=fd20::50
two addresses|64|IP_REMOTE=|IP_REMOTE=10.20.0.50 10.30.0.5
a very long address|64|IP_REMOTE="?1|IP_REMOTE=LONG
an IPv6 address outside the subnet|78|IPV6_REMOTE=fd99::5.*subnet6|IPV6_REMOTE=fd99::5
an IPv6 address that is none|64|IPV6_REMOTE=fd20:::1|IPV6_REMOTE=fd20:::1
an IPv6 address that is IPv4|64|IPV6_REMOTE=10.20.0.50|IPV6_REMOTE=10.20.0.50
an IPv6 address of IPv4|78|IPV6_REMOTE=::ffff:10.20.0.50|IPV6_REMOTE=::ffff:10.20.0.50
an IPv6 address that is a scope|64|IPV6_REMOTE=%1|IPV6_REMOTE=%1'

# LONG stands for 5000 digits, \n for a newline.
test_variables() {
	local name wanted words value values
	while IFS='|' read -r name wanted words value; do
		value=${value//LONG/$(printf '1%.0s' {1..5000})}
		value=${value//\\n/$nl}
		values=("$value")
		[[ $value != *' IPV6_REMOTE='* ]] || values=("${value%% *}" "${value#* }")
		test_refused "$name" "$wanted" "$words" hook connect "${values[@]}"
	done <<<"$VARIABLES"
	test_refused "a disconnect without an id" 64 "ID=" hook disconnect ID=
	test_refused "a disconnect with a hostile id" 64 "ID=" hook disconnect ID=../lock
}

# Values that clients or ocserv may really send, and that do not matter.
# shellcheck disable=SC2016,SC1003
VALUES=("a${nl}b" "x${nl}ocserv-gateway: error: forged" '%n%s%x%99999d' '`touch PWNED`' '$(touch PWNED)' '; touch PWNED'
	$'\xff\xfe\x80' $'gr\xc3\xbc\xc3\x9fe' $'\e[31mred' $'tab\tcr\rbell\a' 'a=b "c" \d' "it's" '/../../etc/passwd'
	'alice id=99 device=tun0 routing=removed' '"' '\' ' ')
NAMES='USERNAME GROUPNAME VHOST IP_REAL HOSTNAME REMOTE_HOSTNAME USER_AGENT DEVICE_TYPE DEVICE_PLATFORM OCSERV_DNS
	OCSERV_ROUTES STATS_DURATION IP_LOCAL IPV6_LOCAL IPV6_PREFIX PATH LANG IFS'

one_line() {
	lines_good && [ "$(wc -l <<<"$err")" = 1 ]
}

# harmless NAME=VALUE...: connect, host-update and disconnect take it as data
harmless() {
	hook connect "$@" && one_line && [ "$(field routing)" = intact ] && record_good &&
		hook host-update "$@" && one_line &&
		hook disconnect "$@" && one_line && syslog_lines && [ "$(wc -l <<<"$logged")" = 3 ] &&
		printable "$logged" && [ ! -e PWNED ]
}

# An untampered record: one line, printable, the id first.
record_good() {
	local record
	record=$(<"$STATE_DIR/sessions/$$") && [ "$(wc -l <"$STATE_DIR/sessions/$$")" = 1 ] &&
		printable "$record" && [[ $record = "id=$$ "* ]]
}

test_values() {
	local name value shown all
	ini
	program up
	syslog_lines
	for value in "${VALUES[@]}"; do
		shown=$(printf %q "$value")
		all=()
		for name in $NAMES; do
			all+=("$name=$value")
		done
		ok "$shown is data" harmless "${all[@]}"
	done
	value=$(head -c 100000 /dev/zero | tr '\0' L)
	for name in $NAMES; do
		ok "100 kB in $name are data" harmless "$name=$value"
	done
	hook connect USERNAME='alice id=99 routing=removed' USER_AGENT=x
	like "$err" 'user="alice id=99 routing=removed" ' "what is no word is quoted"
	hook connect USERNAME=$'a\n"\xff'
	like "$err" 'user=[^ ]*a\\x0a[^ ]*\\xff' "and escaped"
	hook connect IPV6_REMOTE=fd20::50%3318224896
	is "$status" 0 "a scope behind an address is ocserv 1.1.6's"
	hook connect IP_REMOTE= IPV6_REMOTE=fd20::50
	is "$status" 0 "a session may have IPv6 alone"
	hook connect IPV6_REMOTE=
	is "$status" 0 "or IPv4"
	hook disconnect IP_REMOTE=garbage DEVICE= USERNAME=
	is "$status" 0 "a disconnect forgets by the id alone"
	program down
	rm -rf "$STATE_DIR"
	syslog_lines
}

# Command lines that are none: status 64 and a sentence, as ever on stderr.
test_usage() {
	local words
	while read -r words; do
		# shellcheck disable=SC2086
		program $words
		is "$status" 64 "usage: '$words': status 64"
		like "$err" "ocserv-gateway|option" "usage: '$words': it says so"
		is "$out" "" "usage: '$words': nothing on stdout"
	done <<-END

		install
		up down
		--frobnicate
		up --config
	END
	for words in --help --version -h -V; do
		program "$words"
		is "$status" 0 "usage: $words"
		like "$out" "ocserv-gateway" "usage: $words: on stdout"
	done
	ok "nothing is done" state_is "$empty_state"
}

# $INI is made wrong by one of these.
config_missing() { rm -f "$INI"; }
config_world_writable() { ini; chmod 666 "$INI"; }
config_group_writable() { ini; chown 0:65534 "$INI"; chmod 660 "$INI"; }
config_of_somebody() { ini; chown 65534 "$INI"; }
config_empty() { : >"$INI"; }
config_of_blanks() { printf '\n \t\n' >"$INI"; }
config_binary() { head -c 20000 /bin/bash >"$INI"; }
config_of_zeros() { head -c 3000 /dev/zero >"$INI"; }
config_huge() { ini; head -c 2000000 /dev/zero | tr '\0' ';' >>"$INI"; }
config_directory() { rm -f "$INI"; mkdir "$INI"; }
config_fifo() { mkfifo "$INI"; }
config_device() { ln -s /dev/zero "$INI"; }
config_dangling() { ln -s /nowhere "$INI"; }
config_loop() { ln -s gateway.ini "$INI"; }
gateways() { ini; printf '%b' "[gateway nl]\naddress4 = 172.28.0.4\n$1" >>"$INI"; }
config_gateway_twice() { gateways '[gateway nl]\naddress4 = 172.28.0.5\n'; }
config_gateway_nearly_twice() { gateways '[gateway a-b]\naddress4 = 172.28.0.5\n[gateway a_b]\n'; }
config_gateway_name() { gateways '[gateway ../../x]\naddress4 = 172.28.0.5\n'; }
config_gateway_long_name() { gateways '[gateway abcdefghijklmnopq]\naddress4 = 172.28.0.5\n'; }
config_gateway_reserved() { gateways '[gateway Direct]\naddress4 = 172.28.0.5\n'; }
config_gateway_blocked() { gateways '[gateway us]\nmasquerade = no\n'; }
config_gateway_key() { gateways 'priority = 7\n'; }
config_gateway_table() { gateways 'table = 100\n'; }
config_gateway_of_clients() { gateways '[gateway us]\naddress4 = 10.20.0.9\n'; }
config_gateways_many() { gateways "$(for i in {1..250}; do printf '[gateway g%s]\\naddress4 = 172.28.0.5\\n' "$i"; done)"; }
config_marks_few() { gateways '[gateway]\nmark_mask = 0x7\n[gateway a]\naddress4 = 172.28.0.5\n[gateway b]\naddress4 = 172.28.0.5\n[gateway c]\naddress4 = 172.28.0.5\n'; }
config_user_nowhere() { gateways '[users]\nalice = uk\n'; }
config_user_twice() { gateways '[users]\nalice = nl\nbob = nl\nalice = direct\n'; }
config_user_empty() { gateways '[users]\nalice =\n'; }
config_user_blank() { gateways '[groups]\na b = nl\n'; }
config_user_no_name() { gateways '[vhosts]\n= nl\n'; }
config_user_unquoted() { gateways '[users]\n"alice = nl\n'; }
config_user_comment() { gateways '[users]\nalice = nl # hers\n'; }
config_section_misspelt() { gateways '[user]\nalice = nl\n'; }
config_map_relative() { gateways '[maps]\nusers = users.map\n'; }

config_long_line() { ini; printf '[log]\nlevel = /%070000d\n' 1 >>"$INI"; }

CONFIGURATIONS_WRONG='missing|No such file
world_writable|others can write
group_writable|others can write
of_somebody|65534
empty|is empty
of_blanks|is empty
binary|control characters|text file
of_zeros|control characters|text file
huge|larger
directory|regular file
fifo|regular file
device|regular file
dangling|No such file
loop|[Ss]ymbolic link
long_line|10: the line has 70009 bytes
gateway_twice|11: \[gateway nl\] is already in line 9; keep one
gateway_nearly_twice|13: \[gateway a_b\] is already in line 11; keep one
gateway_name|11: \[gateway \.\./\.\./x\]: a gateway.s name is 1 to 16
gateway_long_name|11: \[gateway abcdefghijklmnopq\]: a gateway.s name is 1 to 16
gateway_reserved|11: \[gateway Direct\]: default, direct, block, drop, link, server
gateway_blocked|11: \[gateway us\]: leaves both families blocked
gateway_key|11: \[gateway nl\] priority: belongs in \[gateway\]
gateway_table|11: \[gateway nl\] table = 100: is already the routing table of gateway default
gateway_of_clients|12: \[gateway us\] address4 = 10\.20\.0\.9: is inside the client subnet
gateways_many|509: \[gateway g250\] is one too many: at most 250
marks_few|12: \[gateway\] mark_mask = 0x7: has values for 4 gateways, and there are 5
user_nowhere|12: \[users\] alice = uk: there is no such gateway
user_twice|14: \[users\] alice = direct: that name is already in line 12
user_empty|12: \[users\] alice is empty; write a gateway
user_blank|12: \[groups\] a b: a name with a blank needs double quotes
user_no_name|12: \[vhosts\] : the name is empty
user_unquoted|12: \[users\] .x22?alice|the name has no quote
user_comment|12: \[users\] alice = nl # hers: there is no such gateway
section_misspelt|12: .alice. is in the unknown section \[user\]; the nearest is \[users\]
map_relative|12: \[maps\] users = users\.map: must be an absolute path'

# test_configuration NAME REGEX: for a hook and for the verbs
test_configuration() {
	local verb
	rm -rf "$INI"
	"config_$1"
	test_refused "configuration ${1//_/ }" 78 "gateway\.ini.*($2)" hook connect
	for verb in check up down status "up --dry-run"; do
		# shellcheck disable=SC2086
		program $verb
		is "$status" 78 "configuration ${1//_/ }: $verb: status 78"
		like "$err" "gateway\.ini.*($2)" "configuration ${1//_/ }: $verb: it says why"
		is "$out" "$([ "$verb" != check ] || echo "1 error")" "configuration ${1//_/ }: $verb: nothing on stdout but a summary"
	done
	ok "configuration ${1//_/ }: nothing is done" state_is "$empty_state"
	rm -rf "$INI"
}

test_configurations() {
	local name words
	while IFS='|' read -r name words; do
		test_configuration "$name" "$words"
	done <<<"$CONFIGURATIONS_WRONG"
	ini
	chmod 600 "$INI"
	captured setpriv --reuid 65534 --regid 65534 --clear-groups env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" check
	is "$status" 78 "configuration unreadable: status 78"
	like "$err" "gateway\.ini: Permission denied${nl} *run it as root" "configuration unreadable: it says why, and what to do"
	chmod 644 "$INI"
	captured setpriv --reuid 65534 --regid 65534 --clear-groups env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" up
	is "$status" 73 "up as another user: status 73"
	like "$err" "state directory: .*: Permission denied; run it as root$" "up as another user: what to do"
	captured setpriv --reuid 65534 --regid 65534 --clear-groups env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" check
	like "$err" "not checked: that needs CAP_NET_ADMIN${nl} *run it as root" "check as another user: what it can't see"
	is "$status" 1 "check as another user is not all well"
	ini killswitch.client_to_client=maybe gateway.table=254 gateway.priority=1 clients.subnet4=10.20.0.7/24 \
		gateway.address6=172.28.0.2 killswitch.tabel=x
	program check
	is "$status" 78 "many errors: status 78"
	is "$(errors | wc -l)" 6 "many errors: each has its line"
	ok "many errors: lines are lines" lines_good
	like "$err" "10\.20\.0\.0/24" "many errors: the masked form is shown"
	like "$err" "tabel.*table" "many errors: the nearest key is shown"
}

# Files of [maps]: each fault has its line, of which the first ones are shown.
test_maps() {
	local map=/run/work/users.map
	gateways "[maps]\\nusers = $map\\n"
	program check
	is "$status" 78 "a map that is missing: status 78"
	like "$err" "\[maps\] users = $map: No such file" "a map that is missing: it says so"
	printf 'alice nl\nbob uk\nalice us\n"carol nl\n' >"$map"
	chmod 600 "$map"
	program check
	is "$status" 78 "a wrong map: status 78"
	like "$err" "$map:2: there is no gateway 'uk'" "a wrong map: a gateway that is not there"
	like "$err" "$map:3: alice is already in $map:1" "a wrong map: a name twice"
	like "$err" "$map:4: the name has no quote" "a wrong map: an open quote"
	ok "a wrong map: lines are lines" lines_good
	head -c 200000 /bin/bash >"$map"
	program check
	like "$err" "$map:[0-9]*: the line holds control characters" "a map that is none: status 78"
	like "$err" "$map: and [0-9]* more errors" "a map that is none: not all lines are shown"
	ok "a map that is none: lines are lines" lines_good
	printf 'alice nl\n' >"$map"
	chmod 666 "$map"
	program check
	like "$err" "users = $map: others can write to it" "a map that others can write"
	rm -f "$map"
	mkfifo "$map"
	program check
	like "$err" "users = $map: is not a regular file" "a map that is a pipe"
	rm -f "$map"
}

# What the configuration itself brings into a message stays in its line, too.
test_configured_bytes() {
	local ENVIRONMENT=("${ENVIRONMENT[@]}" VPN_GATEWAY="x${nl}ocserv-gateway: forged"$'\e[31m\xff')
	ini
	test_refused "hostile VPN_GATEWAY" 78 'VPN_GATEWAY=x.x0aocserv-gateway: forged.x1b\[31m.xff: ' hook connect
	ENVIRONMENT+=(VPN_GATEWAY=)
	ini gateway.address4=$'gr\xc3\xbc\xc3\x9fe'
	test_refused "configuration with UTF-8" 78 'address4 = gr.xc3.xbc.xc3.x9fe: ' hook connect
	ini
	program up
	nft add chain inet ocserv_gw forward2 '{ comment "x"; }'
	nft insert rule inet ocserv_gw forward counter comment $'"gr\xc3\xbc%n\x1b[31m"'
	hook connect
	is "$(field routing)" repaired "hostile comment of a rule: connect"
	ok "hostile comment of a rule: lines are lines" lines_good
	program down
	rm -rf "$STATE_DIR"
	syslog_lines
}

# The state directory is made wrong by one of these.
state_no_parent() { ini session.state_dir=/run/no/such/directory; }
state_file() { : >"$STATE_DIR"; }
state_link() { mkdir -m 700 /run/elsewhere; ln -s /run/elsewhere "$STATE_DIR"; }
state_dangling() { ln -s /run/nowhere "$STATE_DIR"; }
state_of_somebody() { mkdir -m 700 "$STATE_DIR"; chown 65534 "$STATE_DIR"; }
state_writable() { mkdir "$STATE_DIR"; chmod 777 "$STATE_DIR"; }
state_read_only() { mkdir -m 700 "$STATE_DIR"; mount -t tmpfs -o ro,mode=700 none "$STATE_DIR"; }
state_read_only_made() { state_made; mount -o remount,ro "$STATE_DIR"; }
state_full() { state_made; head -c 100000 /dev/zero >"$STATE_DIR/fill" 2>/dev/null; }
state_sessions_link() { mkdir -m 700 "$STATE_DIR" /run/elsewhere; ln -s /run/elsewhere "$STATE_DIR/sessions"; }
state_sessions_file() { mkdir -m 700 "$STATE_DIR"; : >"$STATE_DIR/sessions"; }
state_sessions_writable() { mkdir -m 700 "$STATE_DIR"; mkdir "$STATE_DIR/sessions"; chmod 777 "$STATE_DIR/sessions"; }
state_record_directory() { mkdir -m 700 "$STATE_DIR" "$STATE_DIR/sessions" "$STATE_DIR/sessions/$$"; }

# A file system of its own, with all that a first run makes.
state_made() {
	mkdir -m 700 "$STATE_DIR"
	mount -t tmpfs -o size=8k,mode=700 none "$STATE_DIR"
	program up
	program down
	[ -d "$STATE_DIR/addresses" ] || mkdir -m 700 "$STATE_DIR/addresses"
}

STATES='no_parent|/run/no/such/directory.*No such file
file|Not a directory
link|symbolic link|Not a directory
dangling|symbolic link|Not a directory
of_somebody|must belong to user 0|Permission denied
writable|must belong .*writable by nobody else
read_only|Read-only file system
read_only_made|Read-only file system
full|No space left
sessions_link|sessions: .*(symbolic link|Not a directory)
sessions_file|sessions: Not a directory
sessions_writable|sessions must belong
record_directory|sessions/[0-9]+: Is a directory'

# Either nothing is done, or all: a session is refused after its kill switch is there.
nothing_half_done() {
	state_is "$empty_state" >/dev/null || state_is "$installed"
}

# test_state NAME REGEX
test_state() {
	local name="state directory, ${1//_/ }"
	ini
	"state_$1"
	hook connect
	is "$status" 73 "$name: status 73"
	like "$(errors | head -n 1)" "state directory: .*($2)" "$name: it says why"
	is "$(errors | wc -l)" 2 "$name: in one sentence, and one for who it is"
	ok "$name: syslog has the same" syslog_same
	ok "$name: nothing is half-done" nothing_half_done
	not_ok "$name: there is no record" test -f "$STATE_DIR/sessions/$$"
	is "$(find /run/elsewhere -type f -size -1c -o -type f -newer "$INI" ! -size 5c 2>/dev/null)" "" \
		"$name: no file is made elsewhere"
	hook disconnect
	is "$status" 0 "$name: a disconnect has nobody to refuse"
	umount "$STATE_DIR" 2>/dev/null
	rm -rf "$STATE_DIR" /run/elsewhere
	clear_state >/dev/null
	syslog_lines
}

test_states() {
	local name words
	ini
	program up
	installed=$(state)
	clear_state >/dev/null
	rm -rf "$STATE_DIR"
	syslog_lines
	while IFS='|' read -r name words; do
		test_state "$name" "$words"
	done <<<"$STATES"
}

# Somebody holds the lock for longer than a hook waits.
test_busy() {
	local holder verb
	ini
	program up
	program down
	syslog_lines
	exec {holder}<"$STATE_DIR/sessions"
	flock "$holder"
	test_refused "busy" 75 "state directory: $STATE_DIR: another run has held its lock" hook connect
	program up
	is "$status" 75 "busy: up: status 75"
	like "$err" "another run has held its lock" "busy: up: it says why"
	for verb in status check "up --dry-run" "down --dry-run"; do
		# shellcheck disable=SC2086
		program $verb
		unlike "$status" 75 "busy: $verb needs no lock"
	done
	exec {holder}>&-
	ok "busy no more" hook connect
	program down
	rm -rf "$STATE_DIR"
	syslog_lines
}

test_privileges() {
	local WRAP=(setpriv --bounding-set -net_admin --inh-caps -net_admin)
	test_refused "no CAP_NET_ADMIN" 77 "CAP_NET_ADMIN" hook connect
	captured "${WRAP[@]}" env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" up
	is "$status" 77 "no CAP_NET_ADMIN: up: status 77"
	captured "${WRAP[@]}" env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" status
	is "$status" 77 "no CAP_NET_ADMIN: status: status 77"
	like "$err" "CAP_NET_ADMIN" "no CAP_NET_ADMIN: status: it says what is needed"
}

# Another process owns the table, and the kernel lets nobody else change it.
test_owned_table() {
	local owner
	coproc owner_nft { exec nft -i 2>&1; }
	# shellcheck disable=SC2154
	owner=$owner_nft_PID
	echo 'add table inet ocserv_gw { flags owner; }' >&"${owner_nft[1]}"
	ok "owned table: it is there" wait_for 10 nft list table inet ocserv_gw
	test_refused "owned table" 71 "table inet ocserv_gw" hook connect
	unlike "$err" "CAP_NET_ADMIN" "owned table: it is no question of privileges"
	program up
	is "$status" 71 "owned table: up: status 71"
	program down
	is "$status" 71 "owned table: down: status 71"
	program status
	is "$status" 1 "owned table: status finds it wrong"
	kill "$owner"
	wait "$owner" 2>/dev/null
	ok "owned table: gone with its owner" wait_for 10 state_is "$empty_state"
}

# inject FAULT: a hook in which the kernel's answers are tampered with
inject() {	# SYSCALL:FAULT...
	local WRAP=(strace -qq -o /dev/null -e "trace=$(printf '%s,' "${@%%:*}")" "${@/#/--inject=}")
	local ENVIRONMENT=("${ENVIRONMENT[@]}" ASAN_OPTIONS=detect_leaks=0)
	hook connect
}

# test_fault STATUS REGEX SYSCALL ERROR N [SYSCALL:FAULT]: at the Nth call. (tests/faults does it at all.)
test_fault() {
	inject "$3:error=$4:when=$5" "${@:6}"
	is "$status" "$1" "$4 at $3 $5: status $1"
	like "$(errors | head -n 1)" "$2" "$4 at $3 $5: it says why"
	ok "$4 at $3 $5: lines are lines" lines_good
	ok "$4 at $3 $5: the next connect" hook connect
	ok "$4 at $3 $5: makes it whole" state_is "$installed"
	clear_state >/dev/null
	rm -rf "$STATE_DIR"
	syslog_lines
}

# The time is over, at any moment: the log says so, too.
test_deadline() {
	local call
	: >"$SYSLOG"
	for call in sendto:1 sendto:9 flock:1; do
		inject "${call%:*}:signal=SIGALRM:when=${call#*:}"
		is "$status" 75 "deadline at $call: status 75"
		is "$err" "ocserv-gateway: error: gave up after 5 seconds; run it again" "deadline at $call: it says so"
		ok "deadline at $call: in the log" wait_for 5 grep -qF "<27>$err" "$SYSLOG"
		ok "deadline at $call: the next connect" hook connect
		ok "deadline at $call: makes it whole" state_is "$installed"
		clear_state >/dev/null
		rm -rf "$STATE_DIR"
		: >"$SYSLOG"
	done
}

test_interface_down() {
	ini
	ip link set eth0 down
	empty_state=$(state)
	test_refused "interface down" 78 "address4 = 172\.28\.0\.2: " hook connect
	program up
	is "$status" 78 "interface down: up: status 78"
	ip link set eth0 up
	ip route add default via 172.28.0.1
	ip -6 addr replace fd28::3/64 dev eth0 nodad
	ip -6 addr replace fe80::3/64 dev eth0 nodad
	wait_for 10 carriers_seen
	empty_state=$(state)
	ini gateway.address4=172.29.0.2
	test_refused "gateway behind a router" 78 "address4 = 172\.29\.0\.2: .*(on-link|network of this host)" hook connect
	ini gateway.address4=172.28.0.3
	test_refused "gateway is the host itself" 78 "address4 = 172\.28\.0\.3: .*this host" hook connect
	ini gateway.interface=eth7
	test_refused "interface is not there" 78 "interface = eth7: " hook connect
}

# closed NAME REDIRECTION: hooks run with descriptors missing, as under ocserv without occtl
test_closed() {
	local result
	hook disconnect
	syslog_lines
	eval "env -i \"\${ENVIRONMENT[@]}\" \"\${SESSION[@]}\" REASON=connect \"\$OGW_PROGRAM\" $2"
	result=$?
	is "$result" 0 "$1: connect"
	syslog_lines
	like "$logged" "^connect .*user=alice" "$1: syslog has it"
	is "$(wc -l <<<"$logged")" 1 "$1: as one line"
	ok "$1: the record is good" record_good
}

test_all_closed() {
	ini
	program up
	test_closed "stdin closed" "<&- >/dev/null 2>&1"
	test_closed "stdout closed" "</dev/null >&- 2>/dev/null"
	test_closed "stderr closed" "</dev/null >/dev/null 2>&-"
	test_closed "all closed" "<&- >&- 2>&-"
	test_closed "a full stderr" "</dev/null >/dev/full 2>/dev/full"
	program down
	captured eval "env -i \"\${ENVIRONMENT[@]}\" \"\$OGW_PROGRAM\" status --json >/dev/full"
	unlike "$status" '^0$' "status into a full disk doesn't claim success"
}

begin flock strace
must "syslog" syslog_up
ini
test_variables
test_values
test_usage
test_configurations
test_maps
test_configured_bytes
test_states
ini
test_busy
test_privileges
test_owned_table
for number in 1 2 4 7 9; do
	test_fault 71 "No buffer space" sendto ENOBUFS "$number"
	test_fault 75 "no answer" recvmmsg EAGAIN "$number" poll:retval=0
done
test_deadline
test_interface_down
test_all_closed
done_testing

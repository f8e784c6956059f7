#!/bin/bash
# What may stand on the command line, and what check says in which form.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# options_of [VERB]: the long options of its help
options_of() {
	"$OGW_PROGRAM" "$@" --help | grep -oE -- '--[a-z-]+' | sort -u
}

# usage WORDS REGEX: a usage error that changes nothing
usage() {
	# shellcheck disable=SC2086 # words
	program $1
	is "$status" 64 "'$1': status 64"
	like "$err" "^ocserv-gateway: error: $2" "'$1': why"
	is "$out" "" "'$1': nothing else"
}

# Each verb takes the options that its help names, and no other.
test_options() {
	local verb option verbs
	verbs=$("$OGW_PROGRAM" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
	for verb in $verbs; do
		for option in $(comm -23 <(options_of) <(options_of "$verb")); do
			case $option in
			--format) usage "$verb --format json" "--format is not an option of $verb; see" ;;
			--user | --group | --vhost) usage "$verb $option x" "$option is not an option of $verb; see" ;;
			--wait) usage "$verb $option 5" "$option is not an option of $verb; see" ;;
			--config | --ocserv-conf) usage "$verb $option /x" "$option is not an option of $verb; see" ;;
			*) usage "$verb $option" "$option is not an option of $verb; see" ;;
			esac
		done
		program "$verb" --config /nowhere
		unlike "$err" "option" "$verb --config is no usage error"
	done
	is "$(options_of status | tr '\n' ' ')" "--config --format --help --json --short --verbose --version --watch " "status: its help"
	is "$(options_of up | tr '\n' ' ')" "--config --diff --dry-run --help --move --verbose --version --wait " "up: its help"
	hook connect -- --json
	is "$status" 64 "a hook takes no --json"
	like "$err" "json is not an option of a hook" "a hook: why"
	ok "nothing is done" state_is "$empty_state"
}

test_misspelt() {
	local words said
	while IFS='|' read -r words said; do
		usage "$words" "$said"
	done <<-'END'
		statsu|unknown verb statsu; did you mean status\?$
		chekc|unknown verb chekc; did you mean check\?$
		dwon|unknown verb dwon; did you mean down\?$
		frobnicate|unknown verb frobnicate; see
		x|unknown verb x; see
		status --jsno|unknown option --jsno; did you mean --json\?$
		status --formt=json|unknown option --formt; did you mean --format\?$
		status --frobnicate|unknown option --frobnicate; see
		status -x|unknown option -x; see
		up -m|unknown option -m; see
		up 5|unexpected argument '5'; see
		up down|unexpected argument 'down'; see
		int|unknown verb int; did you mean init\?$
		init 172.28.0.2 172.28.0.3|unexpected argument '172.28.0.3'; see
		init|init: no gateway was given, and there is no terminal to ask on; write .ocserv-gateway init GATEWAY.
		init --dry-run 172.28.0.2|--dry-run is not an option of init; see
		explain 10.20.0.50 192.0.2.1 more|unexpected argument 'more'; see
		status --json=5|--json takes no argument; see
		check --group x|--group and --vhost need --user; see
		check --user|--user needs an argument; see
		check -U x|unknown option -U; see
		status --config|--config needs an argument; see
		status -c|--config needs an argument; see
		status --watch=x|--watch takes seconds, 1 to 86400, not x; see
		status -w 0|--watch takes seconds, 1 to 86400, not 0; see
		status -w 5 6|unexpected argument '6'; see
		up --diff|--diff needs --dry-run; see
		status --short --json|--short can't be combined with --watch, --json or --format; see
		status -s --watch|--short can't be combined with --watch, --json or --format; see
		status --short --format prometheus|--short can't be combined with --watch, --json or --format; see
		status --json --format prometheus|use either --json or --format prometheus, not both; see
	END
	ok "nothing is done" state_is "$empty_state"
}

# The number of --watch, as a word of its own and not: the second screen comes after it.
test_watch() {
	local words watching
	for words in "status -w 1" "-w 1 status" "status --watch 1" "status -w1" "--watch=1 status" "status -w"; do
		# shellcheck disable=SC2086 # words
		env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" $words >"$OGW_WORK/screens" 2>&1 &
		watching=$!
		ok "$words: two screens" wait_for 10 two_screens
		kill "$watching"
		wait "$watching" 2>/dev/null
	done
}

two_screens() {
	[ "$(grep -c '^state ' "$OGW_WORK/screens")" -ge 2 ]
}

# check WORDS...: $err as it is
check() {
	captured env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" check "$@"
}

test_check_summary() {
	ini gateway.address4=direct gateway.address6=block killswitch.forward_others=no
	check
	is "$status/$(head -n 1 <<<"$out")" "0/ok, 1 note" "check: ok; that there is no ocserv.conf is noted"
	ini
	gateways_known
	echo 0 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv4/conf/default/rp_filter
	echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
	check
	is "$status/$(head -n 1 <<<"$out")" "1/1 warning, 1 note" "check: a warning"
	is "${err%%$'\n'note:*}" "warning: IPv4 forwarding is off: clients reach nothing
    sysctl -w net.ipv4.ip_forward=1" "check: the remedy has a line"
	echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter
	ini gateway.address4=172.28.0.77 session.next_script=/bin/true
	printf 'device = vpns\nipv4-network = 10.99.0.0/24\n' >"$OGW_WORK/ocserv.conf"
	check --ocserv-conf "$OGW_WORK/ocserv.conf"
	like "$status/$(head -n 1 <<<"$out")" "^78/[1-9] errors?, [2-9] warnings, 1 note$" "check: errors, warnings and notes are counted"
	is "$(sed -n 's/^\([a-z]*\): .*/\1/p' <<<"$err" | uniq | tr '\n' ' ')" "error warning note " "check: errors first"
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

test_check_values() {
	ini gateway.table=200
	check
	like "$out" $'\n''table              = 200                      ; /run/work/gateway.ini:[0-9]+' "check: a value of the file"
	unlike "$out" "; default" "check: nothing that nobody has said"
	check -v
	like "$out" $'\n''priority           = 1000                     ; default' "check -v: every value"
}

test_check_json() {
	ini gateway.address4=172.28.0.77
	check --json
	is "$status" 1 "check --json: status 1 with warnings"
	is "$err" "" "check --json: nothing on stderr"
	is "$(jq -r '(.errors | length), (.warnings[0] | test("172.28.0.77 does not answer"))' <<<"$out" | tr '\n' ' ')" "0 true " \
		"check --json: errors and warnings"
	is "$(jq -c '.values.clients.subnet4, .values.gateway.address6, .values.gateway.table' <<<"$out" | sed 's/ini:[0-9]*/ini:N/')" \
		'{"value":"10.20.0.0/24","from":"/run/work/gateway.ini:N","auto":false}
{"value":null,"from":"not set","auto":false}
{"value":"100","from":"default","auto":false}' "check --json: values"
	ini gateway.table=main clients.subnet4=x
	check --json
	is "$status/$(jq '.errors | length' <<<"$out")" "78/2" "check --json: all errors of a wrong file"
	rm -f "$INI"
	check --json
	is "$status/$(jq -r '.errors[0]' <<<"$out" | cut -d: -f1)" "78/configuration $INI" "check --json: no file"
}

# Where a session would leave, and which line says so; what else is wrong with this host does not count.
test_check_user() {
	local map=$OGW_WORK/users.map
	ini
	printf '%s\n' '[gateway nl]' 'address4 = 172.28.0.4' '[users]' 'alice = nl' '"b b" = block' '[groups]' 'staff = direct' \
		'[vhosts]' 'example.org = nl' '[maps]' "users = $map" >>"$INI"
	printf '# hers\ncarol nl\n*-tv block\n' >"$map"
	chmod 600 "$map"
	check --user alice --group staff
	is "$status/$out" "0/user=alice group=staff leaves via gateway nl: IPv4 via 172.28.0.4, IPv6 blocked
$INI:12: [users] alice = nl" "check --user: a line of the user"
	check --user 'b b'
	is "$out" "user=\"b b\" is blocked
$INI:13: [users] \"b b\" = block" "check --user: a name in quotes"
	check --user carol
	like "$out" "$map:2: carol nl\$" "check --user: a line of a file"
	check --user x-tv
	like "$out" "is blocked.*$map:3: \*-tv block\$" "check --user: a pattern of a file"
	check --user bob --group staff
	like "$out" "leaves via this host's own route, without a kill switch.*\[groups\] staff = direct" "check --group"
	check --user bob --vhost example.org
	like "$out" "leaves via gateway nl: .*\[vhosts\] example.org = nl" "check --vhost"
	check --user bob
	like "$out" "leaves via gateway default: IPv4 via 172.28.0.2, IPv6 blocked.*no line of" "check --user: nobody"
	check --user alice --json
	is "$(jq -c .session <<<"$out")" '{"user":"alice","group":null,"vhost":null,"gateway":"nl","ipv4":"via 172.28.0.4","ipv6":"blocked","because":"'"$INI:12: [users] alice = nl"'"}' \
		"check --user --json"
	check
	like "$out" $'\n'"gateway nl: IPv4 via 172.28.0.4, IPv6 blocked; table 101"$'\n' "check: the gateways"
	like "$out" $'\n'"users: 2 in \[users\], 2 in $map"$'\n' "check: how many names"
	check --json
	is "$(jq -c '.names, [.gateways[].name]' <<<"$out" | tr '\n' ' ')" '{"users":4,"groups":1,"vhosts":1} ["default","nl"] ' \
		"check --json: gateways, and how many names"
	printf 'carol uk\n' >"$map"
	check --user alice
	is "$status/$out" "78/" "check --user: a wrong file is no answer"
	like "$err" "$map:1: there is no gateway 'uk'" "check --user: it says so"
	rm "$map"
}

# Colours on a terminal alone.
test_check_colours() {
	local escape=$'\e'
	ini gateway.address4=172.28.0.77
	captured env "${ENVIRONMENT[@]}" script -qec "$OGW_PROGRAM check" /dev/null
	like "$out" "${escape}\[33m[1-9] warning.*${escape}\[33mwarning${escape}\[0m: the gateway" "check: yellow on a terminal"
	captured env "${ENVIRONMENT[@]}" NO_COLOR=1 script -qec "$OGW_PROGRAM check" /dev/null
	unlike "$out" "$escape" "check: without colours where NO_COLOR is set"
	check
	unlike "$out$err" "$escape" "check: without colours where there is no terminal"
}

# Much more than anybody has: the kernel takes it, and it is found complete.
test_largest() {
	local i list4='' list6='' services='' link
	for i in {0..127}; do
		list4+=${list4:+, }10.20.$((i * 2)).0/24
		list6+=${list6:+, }fd20:1234:5678:9abc:def0:1234:5678:$(printf '%x00' $((i * 2)))/120
	done
	for i in {0..15}; do
		services+=${services:+, }tcp\ $((65000 + i))
	done
	for i in 1 2 3 4; do
		link=vpns-aaaaaaaaa$i
		ip link add "$link" type veth peer name "other$i" && ip addr add "203.0.113.$i/32" dev "$link" && ip link set "$link" up
	done
	ini clients.subnet4="$list4" clients.subnet6="$list6" gateway.address6=fd28::2 killswitch.server=services \
		killswitch.services_ports="$services" killswitch.dns=block killswitch.client_to_client=no killswitch.forward_others=no
	ok "the largest configuration: a session" hook connect IPV6_REMOTE=fd20:1234:5678:9abc:def0:1234:5678:a001
	program status
	like "$out" $'\n''state +installed'$'\n' "the largest configuration: it is complete"
	program up
	is "$out" "intact" "the largest configuration: nothing is to be done"
	ok "the largest configuration: down" program down
}

begin script comm
ini
test_options
test_misspelt
test_watch
test_check_summary
test_check_values
test_check_json
test_check_user
test_check_colours
test_largest
done_testing

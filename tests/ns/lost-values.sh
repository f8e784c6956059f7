#!/bin/bash
# Nothing opens by accident: a value, a variable or a file is lost while a session is live. The next session is refused, so
# is `up`, and rules, routes and kill switch stay as they are, byte for byte.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

BOB=(USERNAME=bob DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51)
DEFAULT_INI=/etc/ocserv/gateway.ini

# live [SECTION.KEY=VALUE...]: alice's session, with all installed for it
live() {
	clear_state >/dev/null
	rm -rf "$STATE_DIR" "$INI" "$DEFAULT_INI"
	ini "$@"
	worker_start
	alice=$worker
	hook connect ID="$alice" && installed=$(state) && ! state_is "$empty_state" >/dev/null
}

over() {
	worker_stop "$alice"
}

# The record of alice, and nobody else's
her_record_alone() {
	[ "$(ls "$STATE_DIR/sessions")" = "$alice" ]
}

# refused_by WHAT REGEX COMMAND...: with status 78 and this sentence, and nothing is changed
refused_by() {
	local what=$1 words=$2
	shift 2
	"$@"
	is "$status" 78 "$what: status 78"
	like "$(grep ' error: ' <<<"$err" | head -n 1)" "$words" "$what: it says why"
	is "$(grep -c ' error: ' <<<"$err")" "$([ "$1" = hook ] && echo 2 || echo 1)" "$what: in one sentence"
	ok "$what: nothing is changed" state_is "$installed"
	ok "$what: nor a record" her_record_alone
}

# test_lost NAME REGEX FUNCTION: what FUNCTION does to configuration or environment, while alice is connected
test_lost() {
	local name=$1 words=$2
	local ENVIRONMENT=("${ENVIRONMENT[@]}")
	ok "$name: alice is connected" live
	"$3"
	refused_by "$name: a connect" "$words" hook connect "${BOB[@]}"
	refused_by "$name: its dry run" "$words" hook connect "${BOB[@]}" -- --dry-run
	is "$out" "" "$name: which prints no script"
	refused_by "$name: up" "$words" program up
	refused_by "$name: its dry run" "$words" program up --dry-run
	over
}

with_environment() {
	ENVIRONMENT=("${ENVIRONMENT[@]/OCSERV_GATEWAY_CONFIG=*/VPN_SUBNET=10.20.0.0/24}" "$@")
}

no_address() { ini gateway.address4=; }
interface_alone() { printf '[gateway]\ninterface = eth0\n' >"$INI"; }
kill_switch_alone() { printf '[killswitch]\nforward_others = no\n' >"$INI"; }
address_empty() { sed -i 's/^address4 = .*/address4 =/' "$INI"; }
address_empty_other_direct() { sed -i 's/^address4 = .*/address4 =\naddress6 = direct/' "$INI"; }
file_empty() { : >"$INI"; }
file_blank() { printf ' \n\n' >"$INI"; }
file_missing() { rm "$INI"; }
file_unnamed() { ENVIRONMENT+=(OCSERV_GATEWAY_CONFIG=); }
file_of_comments() { printf '; all gone\n' >"$INI"; }
file_of_log() { printf '[log]\nlevel = info\n' >"$INI"; }
file_nowhere() { with_environment; }
file_dangling() { with_environment; ln -s /nowhere "$DEFAULT_INI"; }
variable_empty() { with_environment VPN_GATEWAY=; }
variable_misspelt() { with_environment VPN_GATWAY=172.28.0.2; }
variable_in_lower_case() { with_environment vpn_gateway=172.28.0.2; }
variable_of_the_image() { with_environment VPN_USER_BYPASS=alice=ru; }
variable_of_the_image_empty() { with_environment VPN_USER_BYPASS=; }
gateways_variable_empty() { with_environment VPN_GATEWAYS=; }
gateways_variable_no_list() { with_environment VPN_GATEWAYS=172.28.0.2; }
gateways_file_missing() { with_environment VPN_GATEWAYS_FILE=/nowhere; }
interface_variable() { with_environment WAN_IF=eth0; }

test_addresses() {
	local or="write \[gateway\] address4 = ADDRESS, or direct for both"
	test_lost "address4 is commented out" "gateway.ini:2: asks for a gateway, but neither .* $or" no_address
	test_lost "the interface alone is left" "gateway.ini:2: asks for a gateway.*$or" interface_alone
	test_lost "the kill switch alone is left" "gateway.ini:2: asks for a gateway.*$or" kill_switch_alone
	test_lost "address4 is empty" "gateway.ini:5: \[gateway\] address4 is empty; write a value" address_empty
	test_lost "address4 is empty, the other direct" "address4 is empty" address_empty_other_direct
	test_lost "the file is empty" "gateway.ini: is empty, perhaps because the disk was full" file_empty
	test_lost "the file is blank" "gateway.ini: is empty, perhaps because the disk was full" file_blank
	test_lost "the file is missing" "gateway.ini: No such file" file_missing
	test_lost "the file has no name" "OCSERV_GATEWAY_CONFIG is empty" file_unnamed
	test_lost "the file is a link to nowhere" "$DEFAULT_INI: No such file" file_dangling
	test_lost "VPN_GATEWAY is empty" "environment: VPN_GATEWAY=: is empty.*$or" variable_empty
	test_lost "VPN_GATEWAY is misspelt" "VPN_GATWAY: is not read; perhaps it is a misspelt VPN_GATEWAY.*$or" variable_misspelt
	test_lost "VPN_GATEWAY is in lower case" "vpn_gateway: is not read" variable_in_lower_case
	test_lost "VPN_USER_BYPASS is not understood" "VPN_USER_BYPASS: is not understood" variable_of_the_image
	test_lost "VPN_USER_BYPASS is not understood, nor empty" "VPN_USER_BYPASS: is not understood" variable_of_the_image_empty
	test_lost "VPN_GATEWAYS is empty" "environment: VPN_GATEWAYS=: is empty.*$or" gateways_variable_empty
	test_lost "VPN_GATEWAYS is no list" "environment: VPN_GATEWAYS: '172.28.0.2' is no NAME=GATEWAY" gateways_variable_no_list
	test_lost "VPN_GATEWAYS_FILE is missing" "environment: VPN_GATEWAYS_FILE: /nowhere: No such file" gateways_file_missing
	test_lost "WAN_IF alone is left" "WAN_IF=eth0: asks for a gateway" interface_variable
}

# Nothing asks for a gateway any more, but the kernel has one.
test_plain() {
	local each left='no gateway is configured, but something from an earlier configuration is left in place: .*; write .* or run .ocserv-gateway down'
	for each in of_comments of_log nowhere; do
		test_lost "the file, ${each//_/ }" "$left" "file_$each"
	done
	ok "plain: alice is connected" live session.remove_after_last=yes
	printf '[session]\nremove_after_last = yes\n' >"$INI"
	hook disconnect ID="$alice"
	ok "plain: the last disconnect leaves all" state_is "$installed"
	refused_by_plain "after it"
	ok "plain: the policy rules are gone" ip rule del priority 1000
	installed=$(state)
	refused_by_plain "with some left"
	ok "plain: down" program down
	ok "plain: removes all" state_is "$empty_state"
	ok "plain: then a connect" hook connect ID="$alice" "${BOB[@]}"
	is "$(field routing)" plain "plain: is as without this program"
	is "$(grep -c ' warning: ' <<<"$err")" 1 "plain: with one warning"
	ok "plain: up" program up
	like "$err" "warning: neither .* is set" "plain: which warns too"
	ok "plain: disconnect" hook disconnect ID="$alice"
	over
}

refused_by_plain() {
	hook connect ID="$alice" "${BOB[@]}"
	is "$status" 78 "plain: $1: a connect is refused"
	program up
	is "$status" 78 "plain: $1: so is up"
	ok "plain: $1: nothing is changed" state_is "$installed"
}

# An earlier configuration had other numbers, which nothing tells any more.
test_plain_of_others() {
	ok "other numbers: alice is connected" live gateway.priority=2000 gateway.table=200 killswitch.table=other_gw
	file_of_comments
	refused_by "other numbers: a connect" "IPv[46] policy rule .priority (1999|2000|2001) .* is there" hook connect "${BOB[@]}"
	refused_by "other numbers: up" "policy rule .priority 1999 " program up
	ok "other numbers: down" program down
	like "$err" "warning: IPv4 policy rule .priority 2000 .*, of another configuration" "other numbers: names what it leaves"
	ok "other numbers: down leaves it" state_is "$installed"
	over
}

# refused_hook NAME REGEX [SECTION.KEY=VALUE...]: the hook is refused, and asks for up, which does it
refused_hook() {
	local name=$1 words=$2
	shift 2
	ini "$@"
	refused_by "$name: a connect" "$words.*ocserv-gateway up" hook connect "${BOB[@]}"
	refused_by "$name: its dry run" "$words.*ocserv-gateway up" hook connect "${BOB[@]}" -- --dry-run
	ok "$name: up" program up
	not_ok "$name: does it" state_is "$installed"
	ok "$name: then a connect" hook connect "${BOB[@]}"
	over
}

# What the configuration says is done, but not by a hook.
test_direct() {
	ok "both direct: alice is connected" live
	refused_hook "both direct" "both families are direct, but a hook removes nothing: .*policy rule" \
		gateway.address4=direct gateway.address6=direct
	ok "both direct: nothing is left" state_is "$empty_state"
	ok "IPv6 direct: alice is connected" live
	refused_hook "IPv6 direct" "address6 is direct, but the IPv6 policy rule .priority 1001 .* still denies" gateway.address6=direct
	ok "IPv4 direct: alice is connected" live gateway.address6=fd28::2
	refused_hook "IPv4 direct" "address4 is direct, but the IPv4 policy rule" gateway.address6=fd28::2 gateway.address4=direct
	ok "IPv6 direct, without its rules: alice is connected" live
	ip -6 rule flush protocol 111
	installed=$(state)
	refused_hook "IPv6 direct, without its rules" "address6 is direct, but the kill switch still has \"IPv6 " \
		gateway.address6=direct
	ok "IPv6 direct, without subnet6: alice is connected" live clients.subnet6=
	refused_hook "IPv6 direct, without subnet6" "address6 is direct, but the kill switch still has \"IPv6 " \
		gateway.address6=direct
	ok "others: alice is connected" live killswitch.forward_others=no
	refused_hook "others" "forward_others is yes, but the IPv[46] policy rule .*not from all"
}

# One that is direct already is repaired by hooks.
test_direct_repaired() {
	ok "direct before: alice is connected" live gateway.address6=direct
	nft flush chain inet ocserv_gw leaving
	ok "direct before: a connect" hook connect "${BOB[@]}"
	is "$(field routing)" repaired "direct before: repairs the kill switch"
	ok "direct before: as it was" state_is "$installed"
	over
}

# test_uncovered NAME REGEX [SECTION.KEY=VALUE...]: an edit would leave alice without
test_uncovered() {
	local name=$1 words=$2
	shift 2
	ok "$name: alice is connected" live
	ini "$@"
	test_uncovered_refused "$name" "$words" "${BOB[@]}"
	worker_stop "$alice"
	ok "$name: after her end, up" program up
	not_ok "$name: does it" state_is "$installed"
}

# For somebody whom the edit suits.
test_uncovered_refused() {
	local name=$1 words="live session user=alice id=$alice device=vpns0 $2.*nothing is changed" suited
	shift 2
	suited=("$@" DEVICE=vpns1 IP_REMOTE=10.30.0.5 IPV6_REMOTE=)
	case $name in
	*IPv6*) suited=("$@" DEVICE=vpns1 IPV6_REMOTE=) ;;
	*interface*) suited=("$@" DEVICE=tun7) ;;
	esac
	refused_by "$name: a connect" "$words" hook connect "${suited[@]}"
	refused_by "$name: its dry run" "$words" hook connect "${suited[@]}" -- --dry-run
	refused_by "$name: up" "$words" program up
	refused_by "$name: its dry run" "$words" program up --dry-run
}

test_edits() {
	test_uncovered "another subnet4" "ip4=10.20.0.50: .*\[clients\] subnet4" clients.subnet4=10.30.0.0/24
	test_uncovered "a part of subnet4" "ip4=10.20.0.50: .*subnet4" clients.subnet4=10.20.0.0/27,10.30.0.0/24
	test_uncovered "another IPv6 subnet" "ip6=fd20::50: .*\[clients\] subnet6" clients.subnet6=fd30::/64
	test_uncovered "another interface" "ip4=10.20.0.50: .*\[clients\] interface" clients.interface='tun*'

	ok "IPv6 lost: alice is connected" live
	ini clients.subnet6=
	refused_by "IPv6 lost: a connect" "subnet6 names no subnet, but the IPv6 policy rule" hook connect "${BOB[@]}"
	refused_by "IPv6 lost: up" "live session user=alice .* ip6=fd20::50: .*subnet6" program up
	over
	ok "IPv6 lost: up, without her" program up
	not_ok "IPv6 lost: does it" state_is "$installed"

	ok "an edit that suits her: alice is connected" live
	ini clients.subnet4=10.20.0.0/16 gateway.table=200 gateway.priority=3000
	ok "an edit that suits her: a connect" hook connect "${BOB[@]}"
	is "$(field routing)" repaired "an edit that suits her: is made"
	ok "down is never refused" program down
	ini clients.subnet4=10.30.0.0/24
	ok "down, after an edit that does not suit her" program down
	over
}

# What suits nobody is not read where nothing is to be done.
test_nothing_to_do() {
	ok "nothing to do: alice is connected" live
	sed -i 's/ip4=[^ ]*/ip4=10.99.0.1/' "$STATE_DIR/sessions/$alice"
	ok "nothing to do: a connect" hook connect "${BOB[@]}"
	is "$(field routing)" intact "nothing to do: reads no record"
	hook disconnect "${BOB[@]}"
	ip rule del priority 1000
	installed=$(state)
	refused_by "something to do: a connect" "live session user=alice .* ip4=10.99.0.1: " hook connect "${BOB[@]}"
	over
}

# A record that can't be read is that of a session of which nothing is known: a device that no driver has.
test_unread() {
	local what
	ok "unread: alice is connected" live
	rm "$STATE_DIR/sessions/$alice"
	mknod "$STATE_DIR/sessions/$alice" c 4095 1
	ip rule del priority 1000
	installed=$(state)
	for what in "hook connect ${BOB[*]}" "program up"; do
		# shellcheck disable=SC2086 # words
		$what
		is "$status" 73 "unread: ${what%% U*}: status 73"
		like "$err" "sessions/$alice: No such device or address" "unread: ${what%% U*}: it says why"
		ok "unread: ${what%% U*}: nothing is changed" state_is "$installed"
	done
	over
}

# Sessions without subnet6 were never in policy rules: what was lost of the rest is repaired.
test_without_subnet6() {
	ok "no subnet6: alice is connected" live clients.subnet6=
	nft flush ruleset
	ip rule del priority 1000
	ok "no subnet6: a connect" hook connect "${BOB[@]}"
	is "$(field routing)" repaired "no subnet6: repairs"
	ok "no subnet6: as it was" state_is "$installed"
	over
}

auto() {
	ini clients.subnet4=auto clients.subnet6=auto clients.ocserv_conf="$OGW_WORK/ocserv.conf"
}

test_auto() {
	clear_state >/dev/null
	printf '%s\n' 'device = vpns' 'ipv4-network = 10.20.0.0/24' 'ipv6-network = fd20::/64' >"$OGW_WORK/ocserv.conf"
	ok "auto: alice is connected" live clients.subnet4=auto clients.subnet6=auto clients.ocserv_conf="$OGW_WORK/ocserv.conf"
	sed -i /ipv6-network/d "$OGW_WORK/ocserv.conf"
	refused_by "auto, without ipv6-network: a connect" "subnet6 names no subnet, but the IPv6 policy rule" \
		hook connect "${BOB[@]}"
	refused_by "auto, without ipv6-network: up" "live session .* ip6=fd20::50" program up
	sed -i /ipv4-network/d "$OGW_WORK/ocserv.conf"
	refused_by "auto, without ipv4-network: a connect" "has no ipv4-network" hook connect "${BOB[@]}"
	: >"$OGW_WORK/ocserv.conf"
	refused_by "auto, of an empty file: up" "has no ipv4-network" program up
	rm "$OGW_WORK/ocserv.conf"
	sed -i /subnet6/d "$INI"
	refused_by "auto, of no file: up" "can't read $OGW_WORK/ocserv.conf" program up
	over
}

# In another state directory there is no record of alice.
test_state_dir() {
	local elsewhere=(session.state_dir=/run/elsewhere session.remove_after_last=yes)
	rm -rf /run/elsewhere
	ok "another state_dir: alice is connected" live session.remove_after_last=yes
	worker_start
	bob=$worker
	ini "${elsewhere[@]}"
	ok "another state_dir: a connect" hook connect ID="$bob" "${BOB[@]}"
	is "$(field routing)" intact "another state_dir: finds all in place"
	ini "${elsewhere[@]}" clients.subnet4=10.20.0.51/32
	refused_by "another state_dir, less subnets: up" "tunnel vpns0 has no record in /run/elsewhere.*nothing is changed" program up
	ini "${elsewhere[@]}"
	ok "another state_dir: the last one's end" hook disconnect ID="$bob" "${BOB[@]}"
	like "$err" "warning: tunnel vpns0 has no record in /run/elsewhere.*nothing is removed" "another state_dir: the log says"
	ok "another state_dir: nothing is removed" state_is "$installed"
	over
	ok "another state_dir: her tunnel goes with her" ip link del vpns0
	installed=$(state)
	ok "another state_dir: a connect" hook connect ID="$bob" "${BOB[@]}"
	ok "another state_dir: the last one's end" hook disconnect ID="$bob" "${BOB[@]}"
	is "$(field routing)" removed "another state_dir: removes all"
	worker_stop "$bob"
}

# Pools of users: what is wrong with one is no loss for the others.
test_pools() {
	local i users=$OGW_WORK/users
	mkdir "$users"
	printf '%s\n' 'device = vpns' 'ipv4-network = 10.20.0.0/24' 'ipv6-network = fd20::/64' "config-per-user = $users" \
		>"$OGW_WORK/ocserv.conf"
	ok "pools: alice is connected" live clients.subnet4=auto clients.subnet6=auto clients.ocserv_conf="$OGW_WORK/ocserv.conf"
	echo 'ipv4-network = 198.0.0.0/8' >"$users/eve"
	ok "pools: with eve's a connect" hook connect "${BOB[@]}"
	like "$err" "warning: $users/eve: the pool 198.0.0.0/8 is not a private network.*left out" "pools: warns of hers"
	ok "pools: and leaves all as it is" state_is "$installed"
	hook connect DEVICE=vpns1 IP_REMOTE=198.1.2.3 IPV6_REMOTE=
	is "$status" 78 "pools: she herself is refused"
	program check
	like "$err" "warning: $users/eve: the pool 198.0.0.0/8" "pools: check warns, too"
	unlike "$err" "error: $users" "pools: and finds no fault with the rest"
	ok "pools: up" program up
	like "$err" "warning: $users/eve: the pool 198.0.0.0/8" "pools: up warns, too"
	rm "$users/eve"
	for ((i = 1; i <= 100; i++)); do
		echo "explicit-ipv4 = 10.30.$i.1" >"$users/user$i"
	done
	ok "pools: with 100 of users a connect" hook connect "${BOB[@]}"
	is "$(field routing)" repaired "pools: takes them in"
	is "$(ip rule show priority 1000 | wc -l)" 101 "pools: all of them"
	is "$(nft -j list set inet ocserv_gw clients4 | jq '.nftables[1].set.elem | length')" 101 "pools: in the kill switch, too"
	over
	rm -r "$users"
}

# What was read is not read again, until it changes.
test_pools_kept() {
	local i users=$OGW_WORK/users
	mkdir "$users"
	for ((i = 0; i < 200; i++)); do
		echo "explicit-ipv4 = 10.20.0.$i" >"$users/user$i"
	done
	sed -i "s|^config-per-user.*|config-per-user = $users|" "$OGW_WORK/ocserv.conf"
	ok "files: alice is connected" live clients.subnet4=auto clients.subnet6=auto clients.ocserv_conf="$OGW_WORK/ocserv.conf"
	ok "files: their times are past" wait_for 10 files_settled "$users"
	hook connect "${BOB[@]}"
	opens "files: unchanged" 0
	echo 'explicit-ipv4 = 10.40.0.1' >"$users/user7"
	opens "files: one changed" 1
	is "$(field routing)" repaired "files: which is noticed at once"
	opens "files: changed just now" 1
	over
	rm -r "$users"
}

files_settled() {
	[ -z "$(find "$1" -newermt '3 seconds ago')" ]
}

# opens WHAT NUMBER: a connect opens so many files of users
opens() {
	WRAP=(strace -f -qq -e "trace=open,openat" -o "$OGW_WORK/trace")
	ok "$1: a connect" hook connect "${BOB[@]}"
	WRAP=()
	is "$(grep -c '/users/user' "$OGW_WORK/trace")" "$2" "$1: opens $2"
}

# Other keys whose loss is none: the kernel keeps more than before, or as much.
test_harmless() {
	ok "another kill switch table: alice is connected" live
	ini killswitch.table=other_gw
	ok "another kill switch table: a connect" hook connect "${BOB[@]}"
	ok "another kill switch table: the old one is there, too" nft list table inet ocserv_gw
	ok "another kill switch table: as well as the new one" nft list table inet other_gw
	over
	ok "dry_run: alice is connected" live
	ini log.dry_run=yes
	ip rule del priority 1000
	installed=$(state)
	ok "dry_run: a connect is let in, as the key says" hook connect "${BOB[@]}"
	like "$err" "warning: \[log\] dry_run = yes: this session is accepted without checking its kill switch" \
		"dry_run: which the log warns of"
	ini log.dry_run=yes clients.subnet4=10.99.0.0/16
	ok "dry_run: a configuration that does not suit alice" hook connect "${BOB[@]}" IP_REMOTE=10.99.0.51
	like "$err" "error: live session user=alice .* ip4=10.20.0.50: " "dry_run: the log says what would be refused"
	is "$(field routing)" dry-run "dry_run: and that bob is let in"
	ok "dry_run: what denies to alice stays" state_is "$installed"
	hook disconnect ID="$alice"
	ok "dry_run: after her end, too" state_is "$installed"
	over
}

begin strace
ENVIRONMENT+=(ASAN_OPTIONS=detect_leaks=0)
mkdir -p /etc/ocserv
ini
test_addresses
test_plain
test_plain_of_others
test_direct
test_direct_repaired
test_edits
test_nothing_to_do
test_unread
test_without_subnet6
test_auto
test_harmless
test_pools
test_pools_kept
test_state_dir
done_testing

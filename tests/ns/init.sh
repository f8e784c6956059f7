#!/bin/bash
# `init` writes gateway.ini from ocserv.conf, or says why it can't and writes nothing. It asks on a terminal alone, and
# touches neither the kernel nor ocserv.conf.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

nl=$'\n'
DIRECTORY=$OGW_WORK/etc
INI=$DIRECTORY/gateway.ini
CONF=$OGW_WORK/ocserv.conf
ENVIRONMENT+=(OCSERV_GATEWAY_CONFIG="$INI")
SCRIPT=$(readlink -f "$OGW_PROGRAM")

# conf LINE...: ocserv.conf, and no gateway.ini
conf() {
	rm -rf "$DIRECTORY"
	mkdir -m 755 "$DIRECTORY"
	printf '%s\n' "$@" >"$CONF"
}

# init [WORD...]: with that ocserv.conf
init() {
	program init --ocserv-conf "$CONF" "$@"
}

# without_comments: what counts in the file that was written
without_comments() {
	sed -e '/^;/d' -e '/^$/d' "$INI"
}

# nothing_written DESCRIPTION: not even a file that was to become one
nothing_written() {
	is "$(ls -A "$DIRECTORY")" "" "$1: nothing is written"
	ok "$1: the kernel is as before" state_is "$empty_state"
}

# refused STATUS REGEX DESCRIPTION [WORD...]
refused() {
	local wanted=$1 words=$2 description=$3
	shift 3
	init "$@"
	is "$status" "$wanted" "$description: status $wanted"
	like "$err" "^ocserv-gateway: error: $words" "$description: it says why"
	is "$out" "" "$description: nothing else is said"
	nothing_written "$description"
}

POOLS=("device = vpns" "ipv4-network = 10.20.0.0/24" "ipv6-network = fd20::/64")

test_written() {
	local before
	conf "${POOLS[@]}"
	before=$(sha256sum "$CONF")
	(umask 0777 && init 172.28.0.2)
	is "$(stat -c '%a %u:%g' "$INI")" "600 0:0" "it is root's, whatever the umask"
	rm "$INI"
	init 172.28.0.2
	is "$status" 0 "written: status 0, although check has something to say"
	is "$(stat -c '%a %u:%g' "$INI")" "600 0:0" "written: root's, mode 0600"
	is "$(ls -A "$DIRECTORY")" gateway.ini "written: nothing else is left in its directory"
	is "$(without_comments)" "[clients]
subnet4 = auto
subnet6 = auto
interface = auto
ocserv_conf = $CONF
[gateway]
address4 = 172.28.0.2" "written: what counts in it"
	like "$(<"$INI")" "; [^$nl]*: 10.20.0.0/24${nl}subnet4 = auto" "written: what auto is now, IPv4"
	like "$(<"$INI")" "; [^$nl]*: fd20::/64${nl}subnet6 = auto" "written: IPv6"
	like "$(<"$INI")" "; [^$nl]*: vpns\*${nl}interface = auto" "written: tunnels"
	like "$out" "^$INI was written.*${nl}1 error" "written: it is said, with the summary of check"
	like "$err" "error: $CONF: has no connect-script" "written: with its findings"
	like "$out" "Next:.*into $CONF.*${nl} *connect-script = $SCRIPT${nl} *disconnect-script = $SCRIPT$nl.*ocserv-gateway check$nl" \
		"written: the lines for ocserv.conf, and what comes next"
	ok "written: the kernel is as before" state_is "$empty_state"
	is "$(sha256sum "$CONF")" "$before" "written: ocserv.conf is as before"
}

# Whoever does what it says has a kill switch.
test_followed() {
	sed -n 's/^ *\(.*connect-script = \)/\1/p' <<<"$out" >>"$CONF"
	program check
	is "$status/$(head -n 1 <<<"$out")" "0/ok" "the lines taken over: check says ok"
	ok "a session is let in" hook connect
	is "$(field routing)" installed "its connect installs"
	ok "and all is removed again" program down
	rm -f "$INI"
	init 172.28.0.2
	unlike "$out" "connect-script = " "ocserv.conf has the lines: they are not printed again"
	rm -f "$INI"
	sed -i "s,^connect-script = .*,connect-script = /bin/true," "$CONF"
	init 172.28.0.2
	like "$out" " connect-script = $SCRIPT$nl" "ocserv.conf has another program there: they are printed"
}

# GATEWAY|what the section has then
test_gateways() {
	local gateway section
	ip link add wg0 type veth peer name wg0-end && ip link set wg0-end up && ip link set wg0 up && ip addr add 10.64.0.2/32 dev wg0
	ip link property add dev wg0 altname vpn-exit
	empty_state=$(state)
	while IFS='|' read -r gateway section; do
		conf "${POOLS[@]}"
		init "$gateway"
		is "$status/$(without_comments | sed '1,/gateway/d' | tr '\n' ' ')" "0/$section " "gateway '$gateway'"
	done <<-'END'
		fd28::2|address6 = fd28::2
		172.28.0.2,fd28::2|address4 = 172.28.0.2 address6 = fd28::2
		fd28:0:0::2 , 172.28.0.2|address4 = 172.28.0.2 address6 = fd28::2
		wg0|address4 = link interface = wg0
		vpn-exit|address4 = link interface = wg0
	END
}

# What is no gateway, and what is not to get into the file or a line.
test_hostile() {
	local gateway
	conf "${POOLS[@]}"
	# shellcheck disable=SC2016 # none is to expand
	for gateway in '' ' ' ',' 172.28.0 172.28.0.2/24 172.28.0.300 vpn.example.com wg7 link direct 0.0.0.0 127.0.0.1 ::1 ff02::1 \
		172.28.0.2,172.28.0.3 172.28.0.2,eth0 eth0,172.28.0.2 eth0,eth1 fd28::2%eth0 ../eth0 "eth0 ; x" '%n%s%n' '$(id)' \
		"172.28.0.2${nl}[log]${nl}dry_run = yes" $'eth0\n' $'\e[31m' "$(printf 'x%.0s' {1..5000})"; do
		refused 64 "init: " "gateway '$(printf %q "${gateway:0:40}")'" "$gateway"
		ok "and its line is one" test "$(wc -l <<<"$err")/$(LC_ALL=C grep -c '[^ -~]' <<<"$err")" = 1/0
	done
	refused 78 ".*address4 = 10.20.0.9: is inside the client subnet" "a client as the gateway" 10.20.0.9
	refused 78 ".*interface = vpns0: is a tunnel interface of the clients" "a client's tunnel" vpns0
	refused 78 ".*interface = lo: leads only to this host" "the loopback" lo
	refused 78 ".*address6 = fe80::2: is link-local" "a link-local gateway" fe80::2
}

test_ocserv_conf() {
	conf "device = vpns" "dns = 9.9.9.9"
	refused 78 ".*ocserv.conf has no ipv4-network and no ipv6-network" "no pool" 172.28.0.2
	conf "ipv6-network = fd20::/64"
	refused 78 ".*subnet4 is not set: write the IPv4 subnet of the clients" "no pool of the gateway's family" 172.28.0.2
	conf "${POOLS[@]}" "this is no line"
	refused 78 "$CONF:4: is neither" "a line with which ocserv does not start" 172.28.0.2
	conf
	rm "$CONF"
	refused 78 "init: $CONF: No such file or directory; name ocserv's configuration with --ocserv-conf" "no file" 172.28.0.2
	program init 172.28.0.2
	is "$status" 78 "no file at the usual place: status 78"
	like "$err" "init: /etc/ocserv/ocserv.conf: No such file or directory; name" "no file at the usual place: it is said"
	nothing_written "no file at the usual place"
	conf "ipv4-network = 10.20.0.0/24"
	init 172.28.0.2
	is "$status/$(without_comments | sed '/ocserv_conf/,$d' | tr '\n' '|')" "0/[clients]|subnet4 = auto|" "no IPv6, no device: left out"
	conf "device = tun" "[vhost:a]" "ipv4-network = 10.20.0.0/24" "[vhost:b]" "ipv4-network = 10.30.0.0" "ipv4-netmask = 255.255.0.0"
	init 172.28.0.2
	like "$(<"$INI")" ": 10.20.0.0/24, 10.30.0.0/16${nl}subnet4 = auto" "two virtual hosts: the pools of both"
	like "$(<"$INI")" ": tun\*${nl}interface = auto" "another device"
	conf "${POOLS[@]}" "restrict-user-to-ports = tcp(443)"
	init 172.28.0.2
	like "$out" " connect-script = [^$nl]*/ocserv-gateway-hook$nl" "with ocserv's firewall script: the shim is named"
}

# Where ocserv's configuration is.
test_place() {
	conf "${POOLS[@]}"
	[ -d /etc/ocserv ] || mkdir /etc/ocserv
	mv "$CONF" /etc/ocserv/ocserv.conf
	program init 172.28.0.2
	is "$status/$(grep -c '^ocserv_conf' "$INI")" 0/0 "at the usual place: it is not named"
	rm "$INI"
	program init --config "$DIRECTORY/other.ini" 172.28.0.2
	is "$status/$(ls "$DIRECTORY")" 0/other.ini "another file, by --config"
	like "$out" "OCSERV_GATEWAY_CONFIG=$DIRECTORY/other.ini .*ocserv-gateway check -c $DIRECTORY/other.ini" "and what that needs"
	mv /etc/ocserv/ocserv.conf "$CONF"
	rm -f "$INI" "$DIRECTORY/other.ini"
	(cd "$OGW_WORK" && program init -o ocserv.conf -c etc/gateway.ini 172.28.0.2)
	is "$(grep '^ocserv_conf' "$INI")" "ocserv_conf = $CONF" "named from here: it is written completely"
	conf
	printf 'ipv4-network = 10.20.0.0/24\n' >"$OGW_WORK/a # b"
	program init -o "$OGW_WORK/a # b" 172.28.0.2
	is "$status" 78 "a name that would be cut: status 78"
	like "$err" "can't be named in gateway.ini" "a name that would be cut: it is said"
	nothing_written "a name that would be cut"
}

test_existing() {
	local kind before
	for kind in "echo x >" "ln -s /nowhere" "mkdir" "mkfifo"; do
		conf "${POOLS[@]}"
		eval "$kind $INI"
		before=$(stat -c '%i %F %y' "$INI")
		init 172.28.0.2
		is "$status" 73 "there already ($kind): status 73"
		is "$err" "ocserv-gateway: error: init: $INI already exists and is left as it is; edit it, or move it away first" \
			"there already ($kind): it is named"
		is "$(stat -c '%i %F %y' "$INI")/$(ls -A "$DIRECTORY")" "$before/gateway.ini" "there already ($kind): as it was"
	done
}

test_unwritable() {
	conf "${POOLS[@]}"
	mount -t tmpfs -o ro ogw-ro "$DIRECTORY"
	refused 73 "init: can't write $INI: Read-only file system" "a read-only directory" 172.28.0.2
	umount "$DIRECTORY"
	mount -t tmpfs -o size=4k ogw-full "$DIRECTORY"
	head -c 8192 /dev/zero >"$DIRECTORY/full" 2>/dev/null
	init 172.28.0.2
	is "$status/$(ls -A "$DIRECTORY")" 73/full "a full disk: status 73, and nothing is left"
	like "$err" "init: can't write $INI: No space left on device" "a full disk: it is said"
	umount "$DIRECTORY"
	rmdir "$DIRECTORY"
	init 172.28.0.2
	is "$status" 73 "no directory: status 73"
	like "$err" "No such file or directory; create its directory first" "no directory: what to do"
	conf "${POOLS[@]}"
	chmod 777 "$DIRECTORY"
	captured setpriv --reuid 65534 --regid 65534 --clear-groups env -i "${ENVIRONMENT[@]}" "$OGW_PROGRAM" init -o "$CONF" 172.28.0.2
	is "$status/$err" "77/ocserv-gateway: error: init: $INI must belong to root; run it as root" "another user"
	nothing_written "another user"
}

# on_terminal ANSWERS: what is typed, and then the end
on_terminal() {
	out=$(printf '%b' "$1" | env -i "${ENVIRONMENT[@]}" NO_COLOR=1 script -qec "$OGW_PROGRAM init -o $CONF" /dev/null)
	status=$?
}

# Somebody else writes the file while the question stands.
test_meanwhile() {
	local asking
	conf "${POOLS[@]}"
	mkfifo "$OGW_WORK/typed"
	env -i "${ENVIRONMENT[@]}" script -qec "$OGW_PROGRAM init -o $CONF" /dev/null <"$OGW_WORK/typed" >"$OGW_WORK/asked" 2>&1 &
	asking=$!
	exec 3>"$OGW_WORK/typed"
	ok "it asks" wait_for 10 grep -q "^gateway: " "$OGW_WORK/asked"
	echo theirs >"$INI"
	echo 172.28.0.2 >&3
	exec 3>&-
	wait "$asking"
	is "$?/$(<"$INI")/$(ls -A "$DIRECTORY")" "73/theirs/gateway.ini" "a file that came meanwhile stays as it is"
	like "$(<"$OGW_WORK/asked")" "$INI already exists" "a file that came meanwhile: it is named"
}

test_terminal() {
	conf "${POOLS[@]}"
	on_terminal '172.28.0.2\n'
	is "$status/$(without_comments | tail -n 1)" "0/address4 = 172.28.0.2" "asked on a terminal: the answer is written"
	like "$out" "gateway: .*was written.*1 error.*Next:" "asked on a terminal: and the rest is as without"
	conf "${POOLS[@]}"
	on_terminal 'nonsense\n\n%s\n fd28::2, 172.28.0.2 \n'
	like "$out" "'nonsense' is neither an address nor an interface.*the gateway is empty.*'%s' is neither an address nor an interface" "wrong answers: it is said what is wrong"
	is "$status/$(without_comments | tail -n 1)" "0/address6 = fd28::2" "wrong answers: it is asked again"
	conf "${POOLS[@]}"
	on_terminal 'nonsense\n'
	is "$status" 64 "no answer: status 64"
	like "$out" "no gateway was given, so nothing was written" "no answer: it is said"
	nothing_written "no answer"
	test_meanwhile
	conf "device = vpns"
	on_terminal '172.28.0.2\n'
	unlike "$out" "Where are clients to leave" "nobody is asked where ocserv.conf has no pool"
	conf "${POOLS[@]}"
	refused 64 "init: no gateway was given, and there is no terminal" "no terminal"
}

begin script sha256sum
gateways_known
echo 1 >/proc/sys/net/ipv4/conf/default/rp_filter
test_written
test_followed
test_gateways
test_hostile
test_ocserv_conf
test_place
test_existing
test_unwritable
test_terminal
done_testing

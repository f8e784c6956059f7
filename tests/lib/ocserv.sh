# shellcheck shell=bash
# A real ocserv in namespace server, and real openconnect clients of it.
# Needs sandbox.sh, tap.sh and topology.sh.
#
# OGW_OCSERV   a directory with sbin/ocserv and bin/ocpasswd of another ocserv than the machine's, see CONTRIBUTING.md
#
# Files, all in $OGW_WORK:
#   ocserv.log       what ocserv and the hooks print
#   syslog           what anybody sends to /dev/log
#   CLIENT.log       what openconnect prints
#   CLIENT.tunnel    the client's VPN addresses, while it is connected

. "${BASH_SOURCE[0]%/*}/check.sh"

OGW_TOP=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
if [ -z "${OGW_PROGRAM:-}" ]; then
	OGW_PROGRAM=$OGW_TOP/_build/src/ocserv-gateway
	[ -z "${top_builddir:-}" ] ||
		OGW_PROGRAM=$(cd "$top_builddir" && pwd)/src/ocserv-gateway
fi

if [ -n "${OGW_OCSERV:-}" ]; then
	PATH=$OGW_OCSERV/sbin:$OGW_OCSERV/bin:$PATH
	# A package looks for its firewall script there.
	[ ! -d "$OGW_OCSERV/libexec" ] ||
		mount -t overlay overlay -o "lowerdir=$(readlink -f "$OGW_OCSERV/libexec"):/usr/libexec" /usr/libexec
fi

SYSLOG=$OGW_WORK/syslog
OCSERV_LOG=$OGW_WORK/ocserv.log
OCSERV_CONF=/etc/ocserv/ocserv.conf
GATEWAY_INI=/etc/ocserv/gateway.ini
# shellcheck disable=SC2034
SERVER_VPN4=10.20.0.1 SERVER_VPN6=fd20:aaaa:bbbb:1::1
VPN_PASSWORD=secret

# shellcheck disable=SC2317
tap_context() {
	diag_file "$OCSERV_LOG" "$SYSLOG" "$OGW_WORK"/client?.log
}

# settings_replace DEFAULTS KEY=VALUE...: print the lines of DEFAULTS, with
# those of the given keys replaced; an empty value takes a key out
settings_replace() {
	local defaults=$1 line setting
	shift
	while IFS= read -r line; do
		for setting; do
			[ "${line%%=*}" != "${setting%%=*}" ] || continue 2
		done
		[ -z "$line" ] || printf '%s\n' "$line"
	done <<<"$defaults"
	for setting; do
		[ -z "${setting#*=}" ] || printf '%s\n' "$setting"
	done
}

# gateway_ini SECTION.KEY=VALUE...: write the hook's configuration: the
# clients' subnets, and what is given. A key given twice stands twice.
gateway_ini() {
	rm -f "$GATEWAY_INI"
	(
		umask 077
		settings_replace "clients.subnet4=$CLIENTS4
clients.subnet6=$CLIENTS6" "$@" | ini_text >"$GATEWAY_INI"
	)
}

# ini_text: of lines SECTION.KEY=VALUE
ini_text() {
	local line now=
	while IFS= read -r line; do
		if [ "$now" != "${line%%.*}" ]; then
			[ -z "$now" ] || echo
			now=${line%%.*}
			echo "[$now]"
		fi
		line=${line#*.}
		echo "${line%%=*} = ${line#*=}"
	done
}

# ocserv_conf KEY=VALUE...: write ocserv's configuration, with these changes
ocserv_conf() {
	settings_replace "auth=plain[passwd=/etc/ocserv/passwd]
tcp-port=443
run-as-user=nobody
run-as-group=nogroup
socket-file=$OGW_WORK/ocserv.socket
occtl-socket-file=$OGW_WORK/occtl.socket
server-cert=/etc/ocserv/cert.pem
server-key=/etc/ocserv/key.pem
isolate-workers=true
max-clients=16
max-same-clients=4
rate-limit-ms=0
max-ban-score=0
keepalive=60
dpd=60
cookie-timeout=300
device=vpns
predictable-ips=true
ipv4-network=$CLIENTS4
ipv6-network=$CLIENTS6
ping-leases=false
route=default
cisco-client-compat=true
log-level=2
connect-script=$OGW_PROGRAM
disconnect-script=$OGW_PROGRAM" "$@" | sed 's/=/ = /' >"$OCSERV_CONF"
}

# ocserv_user NAME [GROUP]
ocserv_user() {
	printf '%s\n%s\n' "$VPN_PASSWORD" "$VPN_PASSWORD" |
		ocpasswd -c /etc/ocserv/passwd ${2:+-g "$2"} "$1"
}

ocserv_certificate() {
	printf '%s\n' "cn = \"$SERVER4\"" expiration_days=2 tls_www_server \
		>"$OGW_WORK/cert.template"
	certtool --generate-privkey --key-type=ecdsa \
		--outfile /etc/ocserv/key.pem 2>/dev/null &&
	certtool --generate-self-signed --load-privkey /etc/ocserv/key.pem \
		--template "$OGW_WORK/cert.template" \
		--outfile /etc/ocserv/cert.pem 2>/dev/null
}

# By this openconnect knows the server.
ocserv_pin() {
	certtool --certificate-info --infile /etc/ocserv/cert.pem |
		grep -m 1 -o 'pin-sha256:[^ ]*'
}

# A syslog that appends each message to a file, as one line.
syslog_collector() {
	exec python3 - /dev/log "$SYSLOG" <<-'END'
		import os, socket, sys
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		s.bind(sys.argv[1])
		os.chmod(sys.argv[1], 0o666)
		with open(sys.argv[2], "ab", buffering=0) as log:
		    while True:
		        log.write(s.recv(65536).rstrip(b"\0\n") + b"\n")
	END
}

syslog_up() {
	: >"$SYSLOG"
	syslog_collector &
	wait_for 10 test -S /dev/log
}

syslog_clear() {
	: >"$SYSLOG"
}

# logged REGEX: print the lines of our program in syslog that match
logged() {
	grep -a 'ocserv-gateway' "$SYSLOG" | grep -aE -- "$1"
}

# What openconnect runs to set up a client's side: all of its traffic, of both
# families, goes into the tunnel; only the server is reached outside it.
tunnel_script() {
	cat >"$OGW_WORK/tunnel-script" <<-'END'
		#!/bin/sh
		state=$OGW_WORK/$OGW_CLIENT.tunnel
		case $reason in
		connect|reconnect)
			ip link set "$TUNDEV" up mtu "${INTERNAL_IP4_MTU:-1300}"
			if [ -n "$INTERNAL_IP4_ADDRESS" ]; then
				ip addr replace "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
				ip route replace default dev "$TUNDEV"
			fi
			address6=${INTERNAL_IP6_ADDRESS:-${INTERNAL_IP6_NETMASK%/*}}
			if [ -n "$address6" ]; then
				ip addr replace "$address6/128" dev "$TUNDEV" nodad
				ip route replace default dev "$TUNDEV"
				ip -6 route replace default dev "$TUNDEV"
			fi
			printf '%s\n' "4 $INTERNAL_IP4_ADDRESS" "6 $address6" >"$state.new"
			mv "$state.new" "$state"
			;;
		disconnect|attempt-reconnect)
			rm -f "$state"
			;;
		esac
	END
	chmod 755 "$OGW_WORK/tunnel-script"
}

# ocserv_up [KEY=VALUE...]: all that is needed once, and a running ocserv
ocserv_up() {
	ocserv_certificate && ocserv_user alice && ocserv_user bob &&
	syslog_up && tunnel_script && ocserv_conf "$@" && ocserv_start
}

# ocserv_start [VARIABLE=VALUE...]: with these in its environment, or other words of env(1). It has its own
# process group, so that it can be killed with all its workers.
ocserv_start() {
	rm -f "$OGW_WORK"/{ocserv,occtl}.socket*
	setsid ip netns exec server env OCSERV_GATEWAY_CONFIG="$GATEWAY_INI" env \
		"$@" ocserv -f -c "$OCSERV_CONF" >>"$OCSERV_LOG" 2>&1 &
	OCSERV_PID=$!
	wait_for 10 listens server 443 && return
	cat "$OCSERV_LOG"
	return 1
}

ocserv_stop() {
	kill "$OCSERV_PID"
	wait "$OCSERV_PID"
	return 0
}

no_tunnel_device() {
	! ip -n server -br link | grep -q '^vpns'
}

# The machine loses ocserv: no hook runs.
ocserv_kill() {
	kill -KILL -- "-$OCSERV_PID"
	wait "$OCSERV_PID" 2>/dev/null
	wait_for 10 no_tunnel_device
}

client_ended() {
	! kill -0 "$(<"$OGW_WORK/$1.pid")" 2>/dev/null
}

client_settled() {
	[ -e "$OGW_WORK/$1.tunnel" ] || client_ended "$1"
}

# client_connect CLIENT USER [OPTION...]: succeeds when the tunnel is up, fails
# when the server refuses; CLIENT.log tells the rest. VPN_HOST may name a virtual host.
client_connect() {
	local client=$1 user=$2
	shift 2
	rm -f "$OGW_WORK/$client.tunnel"
	OGW_CLIENT=$client ip netns exec "$client" openconnect \
		--no-dtls --user "$user" --passwd-on-stdin --non-inter \
		--servercert "$(ocserv_pin)" --interface tun0 \
		--script "$OGW_WORK/tunnel-script" "$@" "https://${VPN_HOST:-$SERVER4}" \
		<<<"$VPN_PASSWORD" >"$OGW_WORK/$client.log" 2>&1 &
	echo $! >"$OGW_WORK/$client.pid"
	wait_for 30 client_settled "$client"
	[ -e "$OGW_WORK/$client.tunnel" ] && return
	cat "$OGW_WORK/$client.log"
	return 1
}

# client_disconnect CLIENT: it logs out and ends
client_disconnect() {
	local pid
	pid=$(<"$OGW_WORK/$1.pid") || return
	kill -INT "$pid"
	wait "$pid"
	rm -f "$OGW_WORK/$1.tunnel"
	return 0
}

# client_reconnect CLIENT: it drops its connection and comes back with its cookie
client_reconnect() {
	rm -f "$OGW_WORK/$1.tunnel"
	kill -USR2 "$(<"$OGW_WORK/$1.pid")" &&
		wait_for 30 test -e "$OGW_WORK/$1.tunnel"
}

# client_address CLIENT 4|6: its address in the VPN
client_address() {
	sed -n "s/^$2 //p" "$OGW_WORK/$1.tunnel"
}

# pings CLIENT ADDRESS
pings() {
	client_exec "$1" ping -n -c 1 -W 2 "$2"
}

# begin [KEY=VALUE...]: the network and ocserv, without which there is no test
begin() {
	local tool
	for tool in ocserv openconnect ocpasswd nft ip tcpdump curl ping \
		    certtool python3 jq; do
		command -v "$tool" >/dev/null || skip_all "needs $tool"
	done
	[ -c /dev/net/tun ] || skip_all "needs /dev/net/tun"
	[ -z "${OGW_OCSERV:-}" ] || [ -x "$OGW_OCSERV/sbin/ocserv" ] || skip_all "no $OGW_OCSERV/sbin/ocserv"
	diag "$(ocserv --version 2>&1 | head -n 1)"
	must "the program is built: $OGW_PROGRAM" test -x "$OGW_PROGRAM"
	must "the network is up" topology_up
	must "ocserv listens" ocserv_up "$@"
}

# field LINE KEY: the value of key=value in a line of the log
field() {
	[[ " $1 " =~ \ $2=([^ ]*)\  ]] && echo "${BASH_REMATCH[1]}"
}

# policy FAMILY: our rules in the server's kernel, and our table's routes
policy() {
	ip -n server "-$1" rule show | grep -E '^(999|1000|1001):'
	ip -n server "-$1" route show table 100 2>/dev/null
}

guard() {
	server_exec nft list table inet ocserv_gw
}

# nothing_installed: no rule, route or table of ours in the server's kernel
nothing_installed() {
	local rest
	rest=$(policy 4; policy 6; guard 2>/dev/null)
	[ -z "$rest" ] && return
	echo "$rest"
	return 1
}

# whole: both layers are there for IPv4
whole() {
	guard && policy 4 | grep -q 'lookup 100' &&
		policy 4 | grep -q '^default via'
}

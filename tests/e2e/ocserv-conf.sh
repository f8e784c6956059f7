#!/bin/bash
# ocserv.conf means to us what it means to ocserv: each of these files is given to both, and what ocserv does with it is
# compared with what `check` says of it and what the hook makes of it where values are `auto`.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

files=/etc/ocserv/files
hook=$OGW_WORK/bin/ocserv-gateway
other_hook=$OGW_WORK/other/ocserv-gateway
dump=$OGW_WORK/dump

# A case is a line `== WHO | WHAT`, and what stands behind the usual lines. WHO is a user, or USER@VHOST.
# WHAT may begin with `from VERSION`, of ocserv. Lines `-KEY` take one of the usual lines out, `@NAME TEXT` adds TEXT to $files/NAME, \t is a tab, LONG(N) is N times x.
cases() {
	cat <<'END'
== alice | nothing but the usual
== alice | an indented line goes on with the key before it: no hook
-connect-script
  connect-script = HOOK
== alice | a tab is a blank too
-connect-script
\tconnect-script = HOOK
== alice | an indented line behind an empty line and a comment
ipv4-network = 10.40.0.0/24

# a comment
  10.41.0.0/24
== alice | an indented comment
  # ipv4-network = 10.41.0.0/24
  ; ipv4-network = 10.42.0.0/24
== alice | keys in capitals
-connect-script
Connect-Script = HOOK
IPv4-Network = 10.41.0.0/24
Device = tun
== alice | # behind a value
connect-script = HOOK # ours
ipv4-network = 10.41.0.0/24 # the pool
device = tun # theirs
dns = 127.0.0.1 # this host
== alice | # with no blank before it belongs to the value
connect-script = HOOK#ours
== alice | ; behind a value belongs to it
connect-script = HOOK ; ours
== alice | ; behind a network with a length
ipv4-network = 10.41.0.0/24 ; the pool
== alice | ; and # at the start of a line
;ipv4-network = 10.41.0.0/24
#ipv4-network = 10.42.0.0/24
== alice | restricted, with a comment
restrict-user-to-routes = true # x
route = 198.51.100.0/24
== alice | not restricted: a ; is no comment there
restrict-user-to-routes = true ; x
route = 198.51.100.0/24
== alice | the last value wins
restrict-user-to-routes = true
restrict-user-to-routes = false
ipv4-network = 10.41.0.0/24
ipv4-network = 10.42.0.0/24
connect-script = /nowhere
connect-script = HOOK
== alice | a colon in place of =
ipv4-network: 10.41.0.0/24
device: tun
== alice | quotes at either end, blanks around
connect-script = "HOOK"
ipv4-network   =   "10.41.0.0/24"
device = "tun
dns = 127.0.0.1"
== alice | quotes and blanks, several
device = " "tun" "
== alice | nothing in quotes is no value
device = ""
ipv4-network = " "
== alice | nothing is a value
dns =
connect-script =
== alice | a netmask of its own
-ipv4-network
ipv4-network = 10.41.0.200
ipv4-netmask = 255.255.255.192
== alice | a netmask behind a length wins
ipv4-network = 10.41.0.200/24
ipv4-netmask = 255.255.255.192
== alice | a length behind a netmask wins
ipv4-netmask = 255.255.255.192
ipv4-network = 10.41.0.200/24
== alice | the netmask of the network before
ipv4-network = 10.41.0.200
== alice | a netmask with a comment
ipv4-network = 10.41.0.200
ipv4-netmask = 255.255.255.192 # x
== alice | dns on two lines
dns = 9.9.9.9
  127.0.0.1
== alice | ipv4-dns, and dns of another case
DNS = 127.0.0.1
ipv4-dns = 9.9.9.9
== alice | what is longer than a line goes on with another key
# LONG(2046)ipv4-network = 10.41.0.0/24
device = tun
== alice | what is longer than a line is another line
# LONG(2045)ipv4-network = 10.41.0.0/24
== alice | a section that is no virtual host
[other]
ipv4-network = 10.41.0.0/24
device = tun
== alice | a line that is no pair
ipv4-network = 10.41.0.0/24
neither
== alice | a section without its end
[vhost:two.example
== carol | a file of a group, with a length
config-per-group = FILES
@staff ipv4-network = 10.51.0.200/26 # x
== carol | a file of a group, with the main netmask
config-per-group = FILES
@staff ipv4-network = 10.51.0.200
== carol | a file of a group, with a netmask of its own
config-per-group = FILES # x
@staff ipv4-network = 10.51.0.200
@staff ipv4-netmask = 255.255.255.192
== carol | a file of a group, with the main netmask that comes later
config-per-group = "FILES"
ipv4-network = 10.41.0.0/26
@staff ipv4-network = 10.51.0.200
== carol | a file of a group, in capitals, indented, with a section
config-per-group = FILES
@staff IPv4-Network = 10.51.0.0/24
@staff dns = 9.9.9.9
@staff   ipv4-network = 10.52.0.0/24
@staff [vhost:x]
@staff ipv4-network = 10.53.0.0/24
== carol | a file of a group with an error ends there
config-per-group = FILES
@staff ipv4-network = 10.51.0.0/24
@staff neither
@staff ipv4-network = 10.52.0.0/24
== alice | a group's file is not everybody's
config-per-group = FILES
@staff ipv4-network = 10.51.0.0/24
== alice | Config-Per-User is no key
Config-Per-User = FILES
@alice ipv4-network = 10.51.0.0/24
== alice | a file of a user
config-per-user = FILES
@alice ipv4-network = "10.51.0.200"
@alice dns = 127.0.0.1 # x
== alice | one address of a user
config-per-user = FILES
@alice explicit-ipv4 = 10.54.0.9 # hers
== alice | explicit-ipv4 is no key of ocserv.conf itself
explicit-ipv4 = 10.54.0.9
== alice | restricted by a user's file
config-per-user = FILES
@alice restrict-user-to-routes = true # x
@alice route = 198.51.100.0/24
== alice | the default for users
config-per-user = FILES
default-user-config = FILES/default # x
@default ipv4-network = 10.51.0.200
== carol | the default for groups
config-per-group = FILES
default-group-config = FILES/default
@default ipv4-network = 10.51.0.200/26
== alice | the default for users counts with config-per-user alone
default-user-config = FILES/default
@default ipv4-network = 10.51.0.200
== alice | a virtual host for others
VHOST
ipv4-network = 10.61.0.0/24
== alice@two.example | a virtual host's pool
VHOST
ipv4-network = 10.61.0.200/26 # x
== alice@two.example | a virtual host's netmask, quoted dns
VHOST
ipv4-network = 10.61.0.200
ipv4-netmask = 255.255.255.192
dns = "127.0.0.1"
== alice@two.example | from 1.5.0 the main netmask
VHOST
ipv4-network = 10.61.0.200
== alice@two.example | scripts in a virtual host
VHOST
ipv4-network = 10.61.0.0/24
connect-script = OTHER
== alice@two.example | a device in a virtual host
VHOST
ipv4-network = 10.61.0.0/24
device = tun
== alice@two.example | a user's file of a virtual host
VHOST
ipv4-network = 10.61.0.0/26
config-per-user = FILES
@alice ipv4-network = 10.51.0.200
END
}

# The files of one case, from standard input.
write_case() {
	local line file usual=()
	rm -rf "$files" && mkdir "$files"
	local lines=()
	while IFS= read -r line; do
		line=${line//HOOK/$hook}
		line=${line//OTHER/$other_hook}
		line=${line//FILES/$files}
		line=${line//\\t/$'\t'}
		[[ ! $line =~ LONG\(([0-9]+)\) ]] ||
			line=${line/"${BASH_REMATCH[0]}"/$(printf "%${BASH_REMATCH[1]}s" | tr ' ' x)}
		case $line in
		-*)	usual+=("${line#-}=") ;;
		@*)	file=${line%% *} && printf '%s\n' "${line#* }" >>"$files/${file#@}" ;;
		VHOST)	lines+=("[vhost:two.example]" "auth = plain[passwd=/etc/ocserv/passwd]"
				"server-cert = /etc/ocserv/cert.pem" "server-key = /etc/ocserv/key.pem") ;;
		*)	lines+=("$line") ;;
		esac
	done
	ocserv_conf ipv6-network= route= isolate-workers=false connect-script="$hook" disconnect-script="$hook" "${usual[@]}"
	# The last of the usual lines may be gone on with.
	printf '%s\n' "max-clients = 16" "${lines[@]}" >>"$OCSERV_CONF"
}

begin_again() {
	[ ! -e /proc/"${OCSERV_PID:-none}" ] || kill -KILL -- "-$OCSERV_PID"
	wait "${OCSERV_PID:-}" 2>/dev/null
	wait_for 10 no_tunnels || return
	server_exec "$OGW_PROGRAM" down >/dev/null 2>&1
	rm -rf "$dump" /run/ocserv-gateway "$OGW_WORK"/{ocserv,occtl}.socket*
}

no_tunnels() {
	! ip -n server -br link | grep -qE '^(vpns|tun)'
}

starts_or_ends() {
	[ ! -e /proc/"$OCSERV_PID" ] || ! jobs -pr | grep -qx "$OCSERV_PID" || listens server 443
}

ocserv_try() {
	setsid ip netns exec server env OCSERV_GATEWAY_CONFIG="$GATEWAY_INI" \
		ocserv -f -c "$OCSERV_CONF" >>"$OCSERV_LOG" 2>&1 &
	OCSERV_PID=$!
	wait_for 10 starts_or_ends
	listens server 443
}

variable() {
	sed -n "s/^$1=//p" "$dump" 2>/dev/null
}

# What ocserv does, into $ocserv.
facts_of_ocserv() {	# USER [VHOST]
	local hook_ran=no admitted=no resolve=()
	ocserv="starts=no"
	ocserv_try || return
	[ -z "${2:-}" ] || resolve=(--resolve "$2:$SERVER4")
	VPN_HOST=${2:-} client_connect client1 "$1" "${resolve[@]}" >/dev/null && admitted=yes
	[ "$admitted" = no ] || client_disconnect client1
	# It may refuse a client of a virtual host for reasons of its own, behind the hook.
	if [ -e "$dump" ]; then
		hook_ran=yes
		[ "$(variable STATUS)" != 0 ] || admitted=yes
	fi
	ocserv="starts=yes hook=$hook_ran admitted=$admitted device=$(variable DEVICE | tr -d 0-9)"
	ocserv+=" dns=$([[ " $(variable OCSERV_DNS)" == *" 127.0.0.1 "* ]] && echo this-host)"
	ocserv+=" restricted=$(variable OCSERV_RESTRICT_TO_ROUTES) local=$(variable IP_LOCAL)"
}

# first_addresses LIST: of each network the address after its own, which is what ocserv takes for itself
first_addresses() {
	python3 - "$1" <<-'END'
		import ipaddress, sys
		for network in sys.argv[1].split(", "):
		    network = ipaddress.ip_network(network)
		    print(network[1] if network.num_addresses > 1 else network[0])
	END
}

# The same, as `check` has it. Where ocserv runs no hook, it tells nothing of what is in its environment.
facts_of_check() {	# FACTS_OF_OCSERV
	local said subnets device own
	said=$(server_exec "$OGW_PROGRAM" check --verbose --ocserv-conf "$OCSERV_CONF" 2>&1 | as_logged)
	printf '%s\n' "$said" >"$OGW_WORK/said"
	if grep -q "ocserv does not start" <<<"$said" ||
	   { is_since 1.4.2 && grep -q "ocserv 1.4.2 and later do not start" <<<"$said"; } ||
	   { is_since 1.5.0 && grep -q "ocserv 1.5 does not start" <<<"$said"; }; then
		echo "starts=no"
		return
	fi
	if grep -q "has no connect-script" <<<"$said"; then
		echo "starts=yes hook=no admitted=yes device= dns= restricted= local="
		return
	fi
	if grep -q "connect-script = .*ocserv refuses every session" <<<"$said"; then
		echo "starts=yes hook=no admitted=no device= dns= restricted= local="
		return
	fi
	subnets=$(sed -n 's/^subnet4 *= \(.*[^ ]\) *; .*, auto: .*/\1/p' <<<"$said")
	device=$(sed -n 's/^interface *= \([^ ]*\)\* *; .*, auto: .*/\1/p' <<<"$said" | head -n 1)
	own=${1##* local=}
	first_addresses "$subnets" | grep -qxF "$own" || own="none of $subnets"
	echo "starts=yes hook=yes admitted=yes device=$device" \
		"dns=$(grep -q 'dns = .*is this host' <<<"$said" && echo this-host)" \
		"restricted=$(grep -q "runs this with sh" <<<"$said" && echo 1)" "local=$own"
}

begin
ocserv_kill
version=$(ocserv --version 2>&1 | sed -n '1s/.* \([0-9][0-9.]*\).*/\1/p')
must "there is a user of a group" ocserv_user carol staff
mkdir -p "${hook%/*}" "${other_hook%/*}"
cat >"$hook" <<-END
	#!/bin/sh
	[ "\$REASON" = connect ] || exec "$OGW_PROGRAM"
	env >$dump
	"$OGW_PROGRAM"
	status=\$?
	echo "STATUS=\$status" >>$dump
	exit "\$status"
END
sed "s|^status|echo DEVICE=other >>$dump; status|" "$hook" >"$other_hook"
chmod 755 "$hook" "$other_hook"
gateway_ini gateway.address4="$UPSTREAM4" clients.subnet4=auto clients.subnet6=auto clients.interface=auto

# is_since VERSION: whether this ocserv is of that version, or later
is_since() {
	printf '%s\n' "$1" "$version" | sort -C -V
}

compare() {	# WHO WHAT, and the case from standard input
	local ocserv ours user=${1%@*} vhost=
	[[ ! $2 =~ ^from\ ([0-9.]+) ]] || is_since "${BASH_REMATCH[1]}" || return
	[ "$1" = "$user" ] || vhost=${1#*@}
	write_case
	begin_again || return
	facts_of_ocserv "$user" "$vhost"
	ours=$(facts_of_check "$ocserv")
	is "$ours" "$ocserv" "$2" || diag_file "$OCSERV_CONF" "$OGW_WORK/said"
}

what=
while IFS= read -r line <&3; do
	if [[ $line != "== "* ]]; then
		body+=("$line")
		continue
	fi
	[ -z "$what" ] || compare "$who" "$what" < <([ ${#body[@]} = 0 ] || printf '%s\n' "${body[@]}")
	line=${line#== } who=${line%% | *} what=${line#* | } body=()
done 3< <(cases && echo "== end | end")

done_testing

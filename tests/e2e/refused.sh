#!/bin/bash
# What the rules would not cover is refused, and nothing is done.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

begin config-per-group=/etc/ocserv/groups/
ocserv_user carol staff
mkdir /etc/ocserv/groups
cat >/etc/ocserv/groups/staff <<-'END'
	ipv4-network = 10.30.0.0/24
END

# refused DESCRIPTION USER REGEX: the session is, with this in the log
refused() {
	syslog_clear
	not_ok "$1: the session is refused" client_connect client1 "$2"
	ok "the log says why" wait_for 5 logged "$3"
	ok "the log says who" wait_for 5 logged "user=$2"
}

# refused_untouched ...: and the kernel is as before
refused_untouched() {
	refused "$@"
	ok "nothing is installed" nothing_installed
}

gateway_ini gateway.address4=172.29.0.2
refused_untouched "the gateway is not on the link" alice "address4.*172\.29\.0\.2"

gateway_ini gateway.address4="$UPSTREAM4" killswitch.client_to_clients=no
refused_untouched "a key is misspelt" alice "client_to_clients.*client_to_client"

gateway_ini gateway.adress4="$UPSTREAM4"
refused_untouched "the gateway's key is misspelt" alice "adress4.*address4"

gateway_ini gateway.address4="$UPSTREAM4" gateway.table=254
refused_untouched "the table is the main one" alice "table.*254"

gateway_ini gateway.address4="$UPSTREAM4"
chmod 666 "$GATEWAY_INI"
refused_untouched "others may write the configuration" alice "gateway\.ini"

rm "$GATEWAY_INI"
refused_untouched "there is no configuration" alice "gateway\.ini"

gateway_ini gateway.address4="$UPSTREAM4"
refused_untouched "the client's pool is not in subnet4" carol "10\.30\.0\.[0-9]+"

gateway_ini gateway.address4="$UPSTREAM4" clients.interface=tun*
refused_untouched "the tunnel's name is not the configured one" alice "vpns0"

gateway_ini gateway.address4="$UPSTREAM4" clients.subnet6=fd77::/64
refused_untouched "the client's IPv6 is not in subnet6" alice "fd20:aaaa:bbbb:1:"

gateway_ini gateway.address4="$UPSTREAM4"
ok "all is right: bob connects" client_connect client2 bob
refused "carol's pool is still wrong" carol "10\.30\.0\.[0-9]+"
gateway_ini gateway.adress4="$UPSTREAM4"
refused "the key is misspelt again" alice "adress4.*address4"
ok "what is installed stays complete" whole
is "$(exit_address client2 4)" "$UPSTREAM_EXIT4" "bob leaves via the upstream as before"
gateway_ini gateway.address4="$UPSTREAM4"
ok "all is right again: alice connects" client_connect client1 alice
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"

done_testing

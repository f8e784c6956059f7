#!/bin/bash
# A client comes back with its cookie: the hooks of the two sessions overlap.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

# The disconnect hook of the test waits until it may run, so that the order of
# the two hooks is what the test says and not what the machine happens to do.
cat >"$OGW_WORK/held-disconnect" <<END
#!/bin/sh
while [ -e "$OGW_WORK/hold" ]; do sleep 0.05; done
exec "$OGW_PROGRAM"
END
chmod 755 "$OGW_WORK/held-disconnect"

begin disconnect-script="$OGW_WORK/held-disconnect"
gateway_ini gateway.address4="$UPSTREAM4" session.remove_after_last=yes

# What changes in the server's kernel is written down from here on. An event
# of our own making shows that the monitors listen, another that they are done.
monitors_start() {
	server_exec ip monitor rule route >"$OGW_WORK/ip.events" 2>&1 &
	server_exec nft monitor >"$OGW_WORK/nft.events" 2>&1 &
	wait_for 10 monitors_marked begun
}

monitors_mark() {
	ip -n server rule add priority 30000 to 127.0.0.9 lookup main
	ip -n server rule del priority 30000
	server_exec nft "add table ip $1; delete table ip $1"
}

# nothing_vanished: no rule, route or guard of ours was taken away meanwhile
nothing_vanished() {
	local events
	wait_for 10 monitors_marked ended || return
	events=$(grep -E '^Deleted .*(999|1000|1001):|^Deleted default' "$OGW_WORK/ip.events"
		grep -E 'delete (table|chain|rule) .*ocserv_gw' "$OGW_WORK/nft.events")
	[ -z "$events" ] && return
	echo "$events"
	return 1
}

monitors_marked() {
	monitors_mark "$1"
	grep -q 'priority 30000\|30000:' "$OGW_WORK/ip.events" &&
		grep -q "table ip $1" "$OGW_WORK/nft.events"
}

ok "alice connects" client_connect client1 alice
before=$(client_address client1 4)
first=$(field "$(logged "connect .*user=alice")" id)
must "the monitors run" monitors_start
must "captures run" leak_captures_start
touch "$OGW_WORK/hold"
syslog_clear
client_moves client1 198.51.100.21
ok "she moves to another network and comes back" client_reconnect client1
ok "the new session's connect is first" wait_for 5 logged "connect .*user=alice"
line=$(logged "connect .*user=alice")
is "$(field "$line" real)" 198.51.100.21 "it has her new address"
is "$(field "$line" ip4)" "$before" "her address in the VPN is the same"
unlike "$(field "$line" id)" "^$first\$" "its id is another"
is "$(field "$line" routing)" intact "routing was intact"
not_ok "the old session's disconnect has not run" logged "disconnect"
rm "$OGW_WORK/hold"
ok "now it runs" wait_for 5 logged "disconnect .*user=alice"
is "$(field "$(logged "disconnect .*user=alice")" id)" "$first" "for the old session"
is "$(field "$(logged "disconnect .*user=alice")" ip4)" "$before" "with the same address"
ok "nothing was taken away meanwhile" nothing_vanished
ok "all is complete" whole
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"

syslog_clear
ok "she drops her connection and comes back" client_reconnect client1
ok "the old session's disconnect runs" wait_for 10 logged "disconnect .*user=alice"
ok "so does the new one's connect" wait_for 10 logged "connect .*user=alice"
ok "all is complete" whole
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"

syslog_clear
client_moves client1 "$CLIENT1_4"
ok "she moves back, both hooks run at once" client_reconnect client1
ok "the old session's disconnect runs" wait_for 10 logged "disconnect .*user=alice"
ok "so does the new one's connect" wait_for 10 logged "connect .*user=alice"
ok "all is complete" whole
is "$(exit_address client1 4)" "$UPSTREAM_EXIT4" "she leaves via the upstream"
ok "no packet left another way" no_leak

ok "she leaves" client_disconnect client1
ok "all is gone with her" wait_for 5 nothing_installed

done_testing

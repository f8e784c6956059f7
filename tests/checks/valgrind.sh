#!/bin/bash
# No error and no leak that valgrind sees, in each verb and hook, against a real kernel.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

VALGRIND=(valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all
	--child-silent-after-fork=yes --log-file="$OGW_WORK/valgrind.%p")

# clean STATUS COMMAND...: the exit status is that, and valgrind has nothing to say
clean() {
	local wanted=$1
	shift
	rm -f "$OGW_WORK"/valgrind.*
	"$@"
	cat "$OGW_WORK"/valgrind.* || return
	[ "$status" = "$wanted" ] && [ ! -s "$(echo "$OGW_WORK"/valgrind.*)" ]
}

# verb OPTION-OR-VERB...
verb() {
	captured env -i "${ENVIRONMENT[@]}" "${VALGRIND[@]}" "$OGW_PROGRAM" "$@"
}

# routing HOW: of the last hook, by its log
routing() {
	[ "$(field routing)" = "$1" ]
}

begin valgrind
WRAP=("${VALGRIND[@]}")
worker_start
SESSION+=(ID="$worker")
ini gateway.address6=fd28::2 session.remove_after_last=yes
printf '#!/bin/sh\nexit 0\n' >"$OGW_WORK/next" && chmod +x "$OGW_WORK/next"

must "the gateways answer" gateways_known
ok "check" clean 0 verb check
nft -f - <<-'END'
	table inet other {
		set uplinks { type ifname; elements = { "eth1", "vpns0" }; }
		chain forward {
			type filter hook forward priority 0; policy drop;
			iifname @uplinks ip daddr { 192.0.2.0/24, 198.51.100.7 } jump further
			ct state vmap { established : accept, new : jump further }
		}
		chain further { tcp dport 25 reject; ip saddr & 255.255.255.0 == 10.20.0.0 counter return; }
	}
END
ok "check, with another firewall" clean 1 verb check
nft flush ruleset
ok "status, nothing installed" clean 0 verb status
ok "up --dry-run" clean 0 verb up --dry-run
ok "up" clean 0 verb up
ok "up again" clean 0 verb up
ok "connect" clean 0 hook connect OCSERV_DNS="172.28.0.3 1.1.1.1 "
ok "the connect found all intact" routing intact
ip rule del priority 1000
nft flush chain inet ocserv_gw forward
ok "status, damaged" clean 1 verb status
ok "connect" clean 0 hook connect
ok "the connect repaired" routing repaired
ok "status" clean 0 verb status
ok "status --json" clean 0 verb status --json
ok "status for Prometheus" clean 0 verb status --format prometheus
ok "test" clean 1 verb test
ok "test of a client" clean 1 verb test alice --json
ini gateway.address6=fd28::2 session.remove_after_last=yes gateway.probe='1.1.1.1, 1.1.1.1:443, 2606:4700::1111' gateway.probe_http=http://1.1.1.1/
ok "test, with probes that nobody answers" clean 1 verb test
ini gateway.address6=fd28::2 session.remove_after_last=yes
ok "host-update" clean 0 hook host-update
ok "a session outside of the subnets" clean 78 hook connect IP_REMOTE=10.99.0.1
ok "the last disconnect" clean 0 hook disconnect STATS_DURATION=5 STATS_BYTES_IN=1 STATS_BYTES_OUT=2
ok "the last disconnect removed all" routing removed
ini session.next_script="$OGW_WORK/next"
ok "connect, with a script of the admin's" clean 0 hook connect
ok "the connect installed all" routing installed
ok "disconnect, with a script of the admin's" clean 0 hook disconnect
ok "down --dry-run" clean 0 verb down --dry-run
ok "down" clean 0 verb down
ip route add default via 172.28.0.9 dev eth0 table 100
ok "up, with another's route in the way" clean 78 verb up
ini gateway.address4=172.28.0.999 gateway.adress6=fd28::2
ok "check of a wrong configuration" clean 78 verb check
done_testing

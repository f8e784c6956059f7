#!/bin/bash
# check: what nft chains of others do to clients' packets.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/damage.sh"

findings() {
	sed -n '/the nft chain/s/^ocserv-gateway: //p' <<<"$err"
}

foreign() {	# RULESET: the only one of others
	nft flush ruleset && sed 's/} }/}\n}/g; s/\(chain [^{]*{[^{}]*}\) /\1\n/g' <<<"$1" | nft -f -
}

# finds NAME NUMBER REGEX RULESET: so many findings, of which the first is like this; warnings make the status 1
finds() {
	local expected=0
	ok "$1: loads" foreign "$4"
	program check
	[[ $3 != warning* ]] || expected=1
	is "$status" "$expected" "$1: exit status"
	is "$(findings | wc -l)" "$2" "$1: findings"
	[ "$2" = 0 ] || like "$(findings | head -n 1)" "$3" "$1: the finding"
}

forward() {	# POLICY RULE...: a chain of a firewall
	local policy=$1
	shift
	echo "table inet filter { chain forward { type filter hook forward priority 0; policy $policy;"
	printf '%s\n' "$@"
	echo "} }"
}

test_drops() {
	finds "a policy" 2 "warning: the nft chain .inet filter forward. drops what clients send, by its policy; nft .insert \
rule inet filter forward iifname \"vpns\*\" accept.$" "$(forward drop)"
	like "$(findings | tail -n 1)" "drops the answers to clients, by its policy; nft .insert rule inet filter forward \
oifname \"vpns\*\" ct state established,related accept.$" "a policy: the other finding"
	# What they say mends it.
	local command
	while IFS= read -r command; do
		ok "a policy: $command" sh -c "$command"
	done < <(findings | sed 's/.*; nft /nft /')
	program check
	is "$status $(findings)" "0 " "a policy: and all is well"
	finds "answers alone pass" 1 "warning: .*drops what clients send" "$(forward drop 'ct state established accept')"
	finds "clients alone pass" 1 "warning: .*drops the answers to clients" "$(forward drop 'iifname "vpns*" accept')"
	finds "a rule" 1 "warning: .*drops what clients send, by its rule with handle [0-9]+; nft .insert" \
		"$(forward accept 'iifname "vpns*" drop')"
	finds "a reject" 2 "warning: .*drops what clients send" "$(forward accept 'iifname "vpns*" ip saddr 10.20.0.0/24 reject; iifname "vpns*" meta nfproto ipv6 reject')"
	finds "by index" 1 "warning: .*drops the answers to clients" "$(forward accept 'iif eth0 drop')"
	finds "IPv6" 2 "warning: .*drops what clients send" \
		"table ip6 filter { chain forward { type filter hook forward priority 0; policy drop; } }"
	finds "another hook" 1 "warning: the nft chain .ip raw pre. drops what clients send, by its rule with handle [0-9]+; see \
nft -a list chain ip raw pre$" \
		'table ip raw { chain pre { type filter hook prerouting priority raw; iifname "vpns*" drop; } }'
	finds "a chain behind" 2 "warning: .*inet filter forward. drops what clients send" \
		"table inet filter { chain stop { ip daddr != 10.20.0.0/24 drop; }
		chain forward { type filter hook forward priority 0; iifname \"vpns*\" ct state new goto last; }
		chain last { jump none; meta nfproto ipv4 goto end; drop; }
		chain end { counter log drop; }
		chain none { ct state established drop; return; } }"
	finds "a set" 1 "warning: .*drops what clients send" "$(forward accept 'iifname != { "eth0", "eth1" } drop')"
	finds "a set of ranges" 1 "warning: .*drops what clients send" \
		"$(forward accept 'iifname "vpns*" ip daddr { 1.0.0.0/8, 192.0.2.0/24 } drop')"
	finds "a map of ranges" 1 "warning: .*drops what clients send" \
		"$(forward accept 'ip saddr vmap { 10.0.0.0-10.127.255.255 : drop, 10.128.0.0/9 : accept }')"
	finds "a set of pairs" 1 "warning: .*drops the answers" \
		"$(forward accept 'iifname . ip saddr { "eth0" . 1.1.1.1, "eth1" . 1.1.1.1 } drop')"
	finds "a mark" 1 "warning: .*drops what clients send" "$(forward accept 'iifname "vpns*" meta mark set 7; meta mark 7 drop')"
	finds "a map" 1 "warning: .*drops what clients send" \
		"$(forward accept 'ct state vmap { established : accept, new : drop }')"
	finds "a map to chains" 1 "warning: .*drops the answers" \
		"table inet filter { chain stop { drop; }
		chain forward { type filter hook forward priority 0; iifname vmap { eth0 : jump stop, eth1 : accept }; } }"
}

test_passes() {
	local rules
	while IFS= read -r rules; do
		finds "$rules" 0 "" "$(forward drop "$rules")"
	done <<'END'
accept
iifname "vpns*" accept; oifname "vpns*" ct state established,related accept
ct state { established, related } accept; iifname "vpns*" accept
ct state vmap { established : accept, related : accept, invalid : drop }; iifname "vpns*" oifname "eth0" accept
meta nfproto ipv6 accept; ip saddr 10.20.0.0/16 accept; ip daddr 10.20.0.0/24 accept
ct state established counter accept; ip saddr & 255.255.255.0 == 10.20.0.0 counter log accept; ip6 saddr fd20::/64 accept
iifname vmap { eth0 : accept, eth1 : drop }; iifname "vpns*" accept
ct mark set 1; meta mark set 2; tcp option maxseg size set rt mtu; accept
END
	while IFS= read -r rules; do
		finds "$rules" 0 "" "$(forward accept "$rules")"
	done <<'END'
iifname "eth1" drop; iif eth1 drop; oifname "eth1" drop
ct state invalid drop
ip saddr 10.21.0.0/24 drop; ip6 saddr fd30::/64 drop; ip daddr 10.21.0.0/24 drop
iifname { "eth1", "docker0" } drop; iifname "vpns0" oifname "eth1" drop
meta nfproto ipv6 ip6 saddr ::1 drop; meta protocol arp drop
iifname "vpns*" ip daddr 192.168.0.0/16 reject; iifname "vpns*" ip6 daddr fc00::/7 reject
iifname "vpns*" ip daddr { 192.0.2.0/24, 198.51.100.0/24 } drop
meta mark 7 drop
END
	finds "not on the way" 0 "" "table inet filter { chain input { type filter hook input priority 0; policy drop; }
		chain output { type filter hook output priority 0; policy drop; } chain regular { drop; } }
		table arp filter { chain input { type filter hook input priority 0; policy drop; } }"
	configuration direct6
	finds "a family that is left alone" 0 "" \
		"table ip6 filter { chain forward { type filter hook forward priority 0; policy drop; } }"
	configuration dual-stack
}

# What depends on something else is not certain.
test_notes() {
	local rules
	while IFS= read -r rules; do
		finds "$rules" "${rules%% *}" "note: .*may drop some of" "$(forward accept "${rules#* }")"
	done <<'END'
2 tcp dport 25 drop
1 ct state new limit rate over 5/second drop
1 iifname "vpns*" meta l4proto vmap { tcp : drop, udp : accept }
END
}

test_rewrites() {
	finds "DNAT of all" 1 "warning: the nft chain .ip nat pre. rewrites what clients send, by its rule with handle [0-9]+" \
		'table ip nat { chain pre { type nat hook prerouting priority -100; iifname "vpns*" dnat to 192.0.2.9; } }'
	finds "a redirect of DNS" 1 "note: .*may rewrite some of what clients send" \
		'table ip nat { chain pre { type nat hook prerouting priority -100; iifname "vpns*" udp dport 53 redirect; } }'
	finds "ports of this host, as Docker has them" 0 "" \
		'table ip nat { chain pre { type nat hook prerouting priority -100; fib daddr type local jump docker; }
		chain docker { tcp dport 80 dnat to 172.17.0.2; } }'
	finds "a header" 1 "warning: .*rewrites what clients send" \
		'table ip mangle { chain f { type filter hook forward priority -150; iifname "vpns*" ip daddr set 192.0.2.9; } }'
	finds "another TTL" 0 "" \
		'table ip mangle { chain f { type filter hook forward priority -150; iifname "vpns*" ip ttl set 64; } }'
	finds "a masquerade beside ours" 0 "" \
		'table ip nat { chain post { type nat hook postrouting priority 100; oifname "eth0" masquerade; } }'
	configuration no-masquerade
	finds "a masquerade in place of none" 1 "warning: .*nat post. rewrites what clients send" \
		'table ip nat { chain post { type nat hook postrouting priority 100; oifname "eth0" masquerade; } }'
	configuration dual-stack
}

# iptables-nft hands its own matches and targets to the kernel.
test_iptables() {
	ok "iptables: a policy" iptables_only -P FORWARD DROP
	program check
	like "$(findings | head -n 1)" "warning: the nft chain .ip filter FORWARD. drops what clients send, by its policy" \
		"iptables: the policy is found"
	iptables-nft -A FORWARD -m comment --comment "the VPN" -i vpns+ -j ACCEPT
	iptables-nft -A FORWARD -o vpns+ -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
	program check
	is "$status $(findings)" "0 " "iptables: clients pass, and answers, and nothing is said"
	ok "iptables: a reject" iptables_only -A FORWARD -i vpns+ -j REJECT
	program check
	like "$(findings)" "warning: .*drops what clients send, by its rule" "iptables: REJECT is found"
	ok "iptables: a redirect" iptables_only -t nat -A PREROUTING -i vpns+ -j DNAT --to 192.0.2.9
	program check
	like "$(findings)" "warning: .*rewrites what clients send" "iptables: DNAT is found"
}

iptables_only() {
	nft flush ruleset && iptables-nft "$@"
}

# Answers come by another interface than that by which this host itself reaches where they come from.
by_another_way() {
	ip route replace default via 192.0.2.1 && ip -6 route replace default via 2001:db8:192::1
}

by_the_same_way() {
	ip route replace default via 172.28.0.1 && ip -6 route replace default via fd28::1
}

WAYS_BACK='a strict way back|fib saddr . iif oif missing drop
by name|fib saddr . iif oifname != "eth0" drop
by index|fib saddr . iif oif 0 drop
by mark|fib saddr . mark . iif oif missing drop
the other way round|fib saddr . iif oif exists accept; drop'

test_reverse_path() {
	local name rules
	# As firewalld has it, with what it lets through before.
	local firewalld='table inet firewalld { chain raw_PREROUTING { type filter hook prerouting priority raw + 10; policy accept;
		icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept; meta nfproto ipv6 fib saddr . iif oif missing drop; } }'
	finds "a strict way back, the same way" 0 "" "$firewalld"
	ok "the default route leads elsewhere" by_another_way
	finds "firewalld's strict way back" 1 "warning: the nft chain .inet firewalld raw_PREROUTING. drops the answers to clients, by \
its rule with handle [0-9]+; see" "$firewalld"
	while IFS='|' read -r name rules; do
		finds "$name" 1 "warning: .*ip raw pre. drops the answers to clients" \
			"table ip raw { chain pre { type filter hook prerouting priority raw; iifname != \"vpns*\" jump strict; }
			chain strict { $rules; } }"
	done <<<"$WAYS_BACK"
	finds "a loose way back" 0 "" \
		'table ip raw { chain pre { type filter hook prerouting priority raw; fib saddr oif missing drop; } }'
	ok "NixOS: rpfilter" iptables_only -t mangle -A PREROUTING -m rpfilter --validmark --invert -j DROP
	program check
	is "$status" 1 "NixOS: rpfilter: exit status"
	like "$(findings)" "^warning: .*ip mangle PREROUTING. drops the answers to clients, by its rule" "NixOS: rpfilter"
	ok "NixOS: loose" iptables_only -t mangle -A PREROUTING -m rpfilter --validmark --invert --loose -j DROP
	program check
	is "$status $(findings)" "0 " "NixOS: loose: nothing is said"
	# They come to clients' own addresses, from where these are sent by the gateway.
	configuration no-masquerade
	program up
	nft delete table inet ocserv_gw
	finds "clients' own addresses" 0 "" \
		'table ip raw { chain pre { type filter hook prerouting priority raw; fib saddr . iif oif missing drop; } }'
	clear_state >/dev/null
	by_another_way
	# The kernel's own check comes behind conntrack: it asks for the way of what that very client sends.
	configuration dual-stack
	nft flush ruleset
	echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter
	program check
	is "$status $(findings)" "0 " "rp_filter of the kernel: nothing is said"
	echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter
	ok "the default route is as before" by_the_same_way
}

test_copies() {
	finds "a copy" 1 "warning: the nft chain .ip mangle pre. copies what clients send to 192\.0\.2\.7, by its rule with handle" \
		'table ip mangle { chain pre { type filter hook prerouting priority -150; iifname "vpns*" dup to 192.0.2.7 device eth1; } }'
	finds "a copy of some" 1 "warning: .*may copy some of what clients send" \
		'table ip mangle { chain pre { type filter hook prerouting priority -150; iifname "vpns*" tcp dport 25 dup to 192.0.2.7; } }'
	finds "a copy of answers" 1 "warning: .*copies the answers to clients to eth1" \
		'table netdev span { chain in { type filter hook ingress device eth0 priority 0; dup to eth1; } }'
	finds "a copy of others" 0 "" \
		'table ip mangle { chain pre { type filter hook prerouting priority -150; iifname "eth1" dup to 192.0.2.7; } }'
	ok "iptables: a copy" iptables_only -t mangle -A PREROUTING -i vpns+ -j TEE --gateway 192.0.2.7
	program check
	like "$(findings)" "warning: .*ip mangle PREROUTING. copies what clients send to another host" "iptables: a copy is found"
}

# What iptables of the old kind has can't be looked at; that it is there can.
test_legacy() {
	nft flush ruleset
	program check
	unlike "$err" "legacy" "no table of the legacy kind: nothing is said"
	iptables-legacy -t filter -L -n >/dev/null 2>&1
	if ! grep -q . /proc/net/ip_tables_names; then
		tap_pass "a table of the legacy kind # SKIP the kernel has none"
		return
	fi
	program check
	is "$status" 0 "a table of the legacy kind: exit status"
	like "$err" "note: iptables has legacy tables \(filter\), .*iptables-legacy-save" "a table of the legacy kind"
	program explain 10.20.0.50
	like "$out" "not seen +iptables has legacy tables \(filter\)" "explain says so, too"
}

# jumps DEPTH WIDTH: chains that jump to the next one again and again, and nothing else
jumps() {
	local i j
	echo "table ip deep {"
	for ((i = $1; i > 0; i--)); do
		echo "chain c$i {"
		for ((j = 0; j < $2; j++)); do
			[ "$i" = "$1" ] && echo "tcp dport 77 counter" || echo "jump c$((i + 1))"
		done
		echo "}"
	done
	echo "chain f { type filter hook forward priority 0; jump c1; }"
	echo "}"
}

# What would take for ever is not looked at to its end.
test_size() {
	finds "more than is looked at" 2 "note: .*ip deep f. leads what clients send through more rules .*not known" "$(jumps 15 10)"
	program explain 10.20.0.50
	like "$out" "others +the nft chain .ip deep f. leads this packet through more rules" "explain says so"
	like "$(tail -n 1 <<<"$out")" "not as said above|or not, as said above" "and is not certain"
	finds "large, but looked at" 0 "" "$(forward accept "ip daddr { $(seq -s, -f '11.0.%g.0/25' 0 255) } drop")"
}

# Our own table, and copies under other names.
test_own() {
	clear_state >/dev/null
	program up
	program check
	is "$status $(findings)" "0 " "ours is no other's"
	nft list table inet ocserv_gw | sed 's/inet ocserv_gw/inet other_gw/' | nft -f -
	program check
	is "$status $(findings | grep -v note:)" "0 " "a copy lets clients pass"
	clear_state >/dev/null
}

begin iptables-nft
must "the gateways answer" gateways_known
configuration dual-stack
test_drops
test_passes
test_notes
test_rewrites
test_iptables
test_reverse_path
test_copies
test_size
test_own
test_legacy
nft flush ruleset
done_testing

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
2 meta mark 7 drop
1 ct state new limit rate over 5/second drop
1 iifname "vpns*" ip daddr { 192.0.2.0/24, 198.51.100.0/24 } drop
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
	is "$(findings)" "note: the nft chain \`ip filter FORWARD\` may drop some of the answers to clients, by its policy; if it \
does: nft 'insert rule ip filter FORWARD oifname \"vpns*\" ct state established,related accept'" \
		"iptables: clients pass, and answers where conntrack says so"
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
test_own
nft flush ruleset
done_testing

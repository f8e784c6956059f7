#!/bin/bash
# explain: what becomes of a client's packet, as it says and as the packet then goes.
# shellcheck source-path=SCRIPTDIR/../lib
# Variables of host.sh and faults.sh; situations are run by eval.
# shellcheck disable=SC2154,SC2016
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"
. "$lib/faults.sh"

# explains STATUS REGEX WHAT ARGUMENT...: the exit status and the last line
explains() {
	local wanted=$1 regex=$2 what=$3
	shift 3
	program explain "$@"
	is "$status" "$wanted" "$what: status $wanted"
	like "$(tail -n 1 <<<"$out")" "$regex" "$what: verdict"
}

steps() {	# of the last run, one by one
	sed '1,2d; $d; s/   */ /' <<<"$out"
}

shows() {	# REGEX WHAT: of the last run
	like "$out" "$1" "$2"
}

test_whole() {
	ini
	hook connect
	explains 0 "^reaches the gateway, with this host's address on eth0$" "far away" 10.20.0.50
	shows "from +10\.20\.0\.50 on vpns0, session of alice" "it names the session"
	shows "to +1\.1\.1\.1" "a far destination is taken"
	is "$(steps)" "rule priority 1000 from 10.20.0.0/24 lookup 100
route via 172.28.0.2 on eth0, in table 100
kill switch complete, table inet ocserv_gw
guard rule from_client: IPv4 to the gateway 172.28.0.2: let through
guard rule of_subnet: IPv4 from a client address to the gateway 172.28.0.2: let through
NAT postrouting: clients in 10.20.0.0/24 get this host's address toward the gateway
guard rule encrypted: no IPsec policy takes it: let through" "it shows each step"
	program explain -v 10.20.0.50
	is "$(sed -n 's/^passes *//p' <<<"$out")" "prerouting -450: inet ocserv_gw prerouting
forward -10: inet ocserv_gw forward
postrouting 90: inet ocserv_gw leaving
postrouting 100: inet ocserv_gw postrouting
postrouting 110: inet ocserv_gw encrypted" "with -v it shows each chain"
	explains 0 "^reaches this host$" "the server's VPN address" 10.20.0.50 10.20.0.1
	explains 0 "^reaches a client via vpns0$" "a client" 10.20.0.51 10.20.0.50
	shows "from +10\.20\.0\.51 on vpns1, which no live session has" "it says that nobody has the address"
	is "$(steps)" "rule priority 999 from all to 10.20.0.0/24 lookup main suppress_prefixlength 24
route on vpns0, in table main
kill switch complete, table inet ocserv_gw
guard rule from_client: IPv4 client to client: let through
guard rule to_subnet: IPv4 to a client via a tunnel: let through
guard rule encrypted: no IPsec policy takes it: let through" "it shows each step there"
	explains 1 "^dropped by routing: a policy rule or route prohibits it$" "a blocked family" fd20::50
	is "$(steps | head -n 2)" "rule priority 1001 from fd20::/64 prohibit
route none: a policy rule or route prohibits it" "it says by what"
}

test_users() {
	ini gateway.address6=fd28::2
	hook connect
	explains 0 "^reaches the gateway" "a user" alice
	shows "from +10\.20\.0\.50 on vpns0, session of alice" "it finds the address"
	explains 0 "^reaches the gateway" "a user, and a destination" alice 2001:db8:ffff::9
	shows "from +fd20::50 on vpns0, session of alice" "it finds the address of that family"
	refused 64 "'bob' is not an address, and no user of that name has a live session with an IPv4 address" "another user" bob
}

test_json() {
	ini
	hook connect
	program explain --json 10.20.0.50
	is "$status $(jq -c '[.state, .arrives, .certain, .user, .device, .cause, .supposed, (.path | length)]' <<<"$out")" \
		'0 ["gateway",true,true,"alice","vpns0",null,false,5]' "--json: it arrives"
	nft 'add table ip f; add chain ip f c { type filter hook forward priority 5; policy drop; }'
	nft 'add rule ip f c iifname "vpns*" tcp dport 443 drop comment "no 443"'
	program explain --json 10.20.0.50
	is "$status $(jq -c '[.state, .arrives, .certain, .cause.chain, .cause.comment, .cause.ocserv, .path[-1].hook,
		.path[-1].result, (.cause.handle > 0)]' <<<"$out")" \
		'1 ["dropped",false,true,"ip f c","no 443",false,"forward","ends",true]' "--json: it is dropped"
	is "$(jq -r .reason <<<"$out" | sed 's/handle [0-9]*/handle N/')" 'dropped by ip f c, its rule with handle N (no 443)' \
		"--json: and why"
	is "$(jq -c '[.others | length, (.[0] | type)]' <<<"$out")" '[1,"string"]' "--json: what others do"
	nft delete table ip f
	ip route add 203.0.113.0/24 via 192.0.2.7 table 100
	program explain --json 10.20.0.50
	is "$status $(jq -r '.state, (.problems | length > 0)' <<<"$out" | xargs)" "0 gateway true" "--json: what is in the way"
	ip route del 203.0.113.0/24 table 100
}

# Names and comments of others may hold anything.
test_hostile_names() {
	local name="x';touch\$IFS/run/pwned;'"
	ini
	hook connect
	ok "a chain of a hostile name, and a rule of such a comment" nft -j -f - <<-END
		{ "nftables": [
		{ "add": { "table": { "family": "ip", "name": "$name" } } },
		{ "add": { "chain": { "family": "ip", "table": "$name", "name": "c", "type": "filter", "hook": "forward",
			"prio": 5, "policy": "accept" } } },
		{ "add": { "rule": { "family": "ip", "table": "$name", "chain": "c", "comment": "x\u001b[31m\nverdict reaches the gateway",
			"expr": [ { "drop": null } ] } } } ] }
	END
	program explain 10.20.0.50
	is "$status $(grep -c '^verdict' <<<"$out")" "1 0" "explain prints no line of theirs"
	unlike "$out" $'\e' "and nothing that a terminal obeys"
	program check
	like "$err" "warning: the nft chain .ip x.*drops what clients send.*see nft -a list ruleset" "check proposes nothing with such a name"
	unlike "$err" "insert rule" "least of all a rule"
	nft flush ruleset
}

test_options() {
	ini gateway.address6=fd28::2 killswitch.client_to_client=no gateway.masquerade=no
	hook connect
	explains 0 "^reaches the gateway, with the client's own address$" "masquerade = no" 10.20.0.50
	unlike "$out" "NAT " "there is no NAT"
	explains 0 "^reaches the gateway" "IPv6" fd20::50
	shows "route +via fd28::2 on eth0, in table 100" "it shows the route"
	explains 1 "^dropped by the kill switch, chain from_client: .*client_to_client = no" "client_to_client = no" \
		10.20.0.51 10.20.0.50
	ini gateway.address6=direct
	program up
	explains 0 "^leaves via this host's own route, on eth0$" "direct" fd20::50
}

# refused STATUS REGEX WHAT ARGUMENT...
refused() {
	local wanted=$1 regex=$2 what=$3
	shift 3
	program explain "$@"
	is "$status" "$wanted" "$what: status $wanted"
	like "$err" "$regex" "$what: why"
}

test_refused() {
	ini
	program up
	refused 64 "name a client's address, or a user" "no address"
	refused 64 "'carol' is not an address, and no user of that name has a live session" "a name" carol
	refused 64 "'::1' is not an IPv4 address" "two families" 10.20.0.50 ::1
	refused 64 "'here' is not an IPv4 address" "no destination" 10.20.0.50 here
	refused 64 "unexpected argument 'more'" "too much" 10.20.0.50 1.1.1.1 more
	local WRAP=(setpriv --bounding-set -net_admin --inh-caps -net_admin)
	captured env -i "${ENVIRONMENT[@]}" "${WRAP[@]}" "$OGW_PROGRAM" explain 10.20.0.50
	is "$status" 77 "without privileges: status 77"
	like "$err" "needs CAP_NET_ADMIN" "without privileges: why"
}

# Nobody is connected, and no tunnel is there to ask for.
test_supposed() {
	ini gateway.address6=fd28::2
	program up
	renamed vpns0 tun0
	renamed vpns1 tun1
	explains 0 "^reaches the gateway, with this host's address on eth0$" "no tunnel" 10.20.0.50
	shows "session +no client is connected: as if one had this address, behind vpns0" "it says so"
	explains 0 "^reaches the gateway" "no tunnel, IPv6" fd20::50
	explains 1 "^dropped by the kill switch, chain to_subnet: .*that no client has" "no tunnel, to another" 10.20.0.50 10.20.0.77
	explains 1 "^dropped by the kill switch, chain from_tunnel: .*outside its subnet" "no tunnel, a forged source" 10.99.0.1
	nft flush ruleset
	ip rule flush protocol 111
	explains 1 "^LEAKS via eth0: run .ocserv-gateway up.$" "no tunnel, nothing installed" 10.20.0.50
	renamed tun0 vpns0
	renamed tun1 vpns1
}

# What is said of situations that can't be made here, or only by chance.
test_words() {
	ini
	hook connect
	nft 'add table ip f; add chain ip f c { type filter hook forward priority 0; }; add rule ip f c tcp dport 25 drop'
	explains 0 "^reaches the gateway, .* \(TCP to port 443; what else is sent may not fare so, as said above\)$" \
		"what is dropped of others" 10.20.0.50
	shows "others +the nft chain .ip f c. may drop some of this packet, by its rule with handle [0-9]+; that depends on its \
protocol and its ports" "it names the rule, and what is not known"
	shows "depends on +its protocol and its ports" "it says what it depends on"
	nft 'flush chain ip f c; add rule ip f c limit rate over 5/second drop'
	explains 0 "^reaches the gateway, with this host's address on eth0$" "a limit" 10.20.0.50
	shows "others +the nft chain .ip f c. may drop some of this packet, .*that depends on what came before it" "it is named"
	nft 'flush chain ip f c; add rule ip f c numgen random mod 2 0 drop'
	explains 1 "^dropped by ip f c, .* \(or not, as said above\)$" "chance" 10.20.0.50
	nft 'flush chain ip f c; add rule ip f c dup to 192.0.2.7 device eth1' &&
		explains 0 "^reaches the gateway" "a copy" 10.20.0.50 &&
		shows "others +the nft chain .ip f c. copies this packet to 192\.0\.2\.7, .*whoever gets the copies can read" "it is named"
	nft delete table ip f
	restricted
	explains 1 "^rejected by ocserv's own restriction of this session .*inet ocserv_vpns0 ocserv_fwd, its rule" \
		"a restricted user" 10.20.0.50
	shows "others +.*ocserv has made it for this session" "it says whose the rule is"
	unlike "$out" "insert rule" "and no rule is proposed that undoes it"
	program explain --json 10.20.0.50
	is "$(jq .cause.ocserv <<<"$out")" true "--json: it is ocserv's"
	nft delete table inet ocserv_vpns0
}

# Situations: NAME|REGEX|SETUP|ARGUMENTS. The words of the last line; shell code that makes it, of which the foreign tables
# are removed afterwards, and all else is repaired by `up`; what is asked, and then sent.

# chain FAMILY HOOK PRIORITY RULES [TYPE [POLICY]]: of others
chain() {
	nft -f - <<-END
		table $1 other {
			set some { type ipv4_addr; elements = { 203.0.113.1, 203.0.113.9 }; }
			set ranges { type ipv4_addr; flags interval; elements = { 203.0.112.0/23, 198.18.0.0/15 }; }
			set others { type ipv4_addr; flags interval; elements = { 203.0.112.0/24, 203.0.113.10-203.0.113.99 }; }
			set pairs { type ifname . ipv4_addr; flags interval; elements = { "vpns0" . 203.0.113.0/24 }; }
			map fates { type ipv4_addr : verdict; flags interval; elements = { 203.0.113.0/24 : drop, 0.0.0.0/1 : accept }; }
			map marks { type ipv4_addr : mark; elements = { 203.0.113.9 : 7, 203.0.113.8 : 8 }; }
			chain dropping { drop; }
			chain returning { return; }
			chain picky { ip daddr 203.0.113.9 return; drop; }
			chain mostly { tcp dport 443 accept; return; }
			chain accepting { ip daddr 203.0.113.9 accept; }
			chain c {
				type ${5:-filter} hook $2 priority $3; policy ${6:-accept};
				${4//;;/$'\n'}
			}
		}
	END
}

forward() {	# RULES [POLICY]
	chain ip forward 0 "$1" filter "${2:-accept}"
}

netdev() {	# HOOK DEVICE RULES
	nft -f - <<-END
		table netdev other {
			chain c {
				type filter hook $1 device $2 priority 0
				$3
			}
		}
	END
}

# As ocserv 1.4.2 and later do for a session with restrict-user-to-routes, and as they did before.
restricted() {
	nft -f - <<-END
		table inet ocserv_vpns0 {
			chain ocserv_fwd {
				type filter hook forward priority 0; policy accept
				iif "vpns0" ip daddr { 198.51.100.0/24 } accept
				iif "vpns0" reject
			}
		}
	END
}

restricted_before() {
	local chain=FORWARD-ocserv-fw-vpns0
	iptables-nft -N "$chain"
	iptables-nft -A FORWARD -i vpns0 -j "$chain" -m comment --comment ocserv-fw
	iptables-nft -A "$chain" -i vpns0 -d 198.51.100.0/24 -j ACCEPT --match comment --comment ocserv-fw
	iptables-nft -A FORWARD -i vpns0 -j REJECT --match comment --comment ocserv-fw
}

tables() {	# COMMAND...: of iptables-nft
	"${@/#iptables/iptables-nft}"
}

SITUATIONS='nothing of others|reaches the gateway||
another client|reaches a client||10.20.0.50 10.20.0.51
this host|reaches this host||10.20.0.50 10.20.0.1
an address that no client has|chain to_subnet||10.20.0.50 10.20.0.77
a source without a session|chain from_tunnel||10.20.0.78 203.0.113.9
another session|reaches the gateway||10.20.0.51 203.0.113.9
a session that has lost its route|chain from_tunnel|ip addr del 10.20.0.1 peer 10.20.0.51/32 dev vpns1|10.20.0.51 203.0.113.9
a source outside the subnet|chain from_tunnel||10.99.0.9 203.0.113.9
IPv6|reaches the gateway||fd20::50 2001:db8:ffff::9
IPv6, a source without a session|chain from_tunnel||fd20::78 2001:db8:ffff::9
IPv6, an address that no client has|chain to_subnet6||fd20::50 fd20::77
a neighbour|reaches the gateway||10.20.0.50 172.28.0.9
a policy|ip other c, its policy|forward "" drop|
a policy, and a rule for clients|reaches the gateway|forward "iifname vpns0 accept" drop|
a policy, and a rule for another|its policy|forward "iifname vpns1 accept" drop|
a rule|its rule|forward "iifname vpns0 drop"|
a rule with an index|its rule|forward "iif vpns0 oif eth0 drop"|
a reject|rejected by|forward "iifname \"vpns*\" reject"|
IPv6, a policy|ip6 other|nft "add table ip6 other; add chain ip6 other c { type filter hook forward priority 0; policy drop; }"|fd20::50 2001:db8:ffff::9
IPv4 is not IPv6|reaches the gateway|nft "add table ip6 other; add chain ip6 other c { type filter hook forward priority 0; policy drop; }"|
inet|inet other|nft "add table inet other; add chain inet other c { type filter hook forward priority 0; policy drop; }"|fd20::50 2001:db8:ffff::9
a table that sleeps|reaches the gateway|forward "" drop; nft "add table ip other { flags dormant; }"|
before conntrack|its rule|chain ip prerouting -300 "ip saddr 10.20.0.50 drop"|
before our own|its rule|chain ip prerouting -500 "ip daddr 203.0.113.0/24 drop"|
at mangle|its rule|chain ip prerouting -150 "meta mark 0 drop"|
behind our own|its rule|chain ip forward 100 "oifname eth0 drop"|
in postrouting|its rule|chain ip postrouting 50 "iifname vpns0 drop"|
behind NAT|its rule|chain ip postrouting 150 "ip saddr 172.28.0.3 drop"|
behind NAT, what is no more|reaches the gateway|chain ip postrouting 150 "ip saddr 10.20.0.50 drop"|
at input|reaches the gateway|chain ip input 0 "" filter drop|
at input, for this host|its policy|chain ip input 0 "" filter drop|10.20.0.50 10.20.0.1
a set|its rule|forward "ip daddr @some drop"|
not in a set|reaches the gateway|forward "ip daddr != @some drop"|
a set of ranges|its rule|forward "ip daddr @ranges drop"|
beside the ranges|reaches the gateway|forward "ip daddr @others drop"|
a set of pairs|its rule|forward "iifname . ip daddr @pairs drop"|
a set in the rule|its rule|forward "ip daddr { 192.0.2.0/24, 203.0.113.0/28 } drop"|
a map|its rule|forward "ip daddr vmap @fates"|
a map, another destination|reaches the gateway|forward "ip daddr vmap @fates"|10.20.0.50 198.51.100.7
a map of states|its rule|forward "ct state vmap { new : drop, established : accept }"|
a map of interfaces to chains|ip other dropping, its rule|forward "iifname vmap { vpns0 : jump dropping, eth0 : accept }"|
a map of marks|its rule|forward "meta mark set ip daddr map @marks;;meta mark 7 drop"|
a range|its rule|forward "ip daddr 203.0.113.5-203.0.113.20 drop"|
not a range|reaches the gateway|forward "ip daddr != 203.0.113.5-203.0.113.20 drop"|
more than|its rule|forward "ip daddr > 203.0.113.8 drop"|
a mask|its rule|forward "ip saddr & 255.255.255.128 == 10.20.0.0 drop"|
a mark|reaches the gateway|forward "meta mark 7 drop"|
a mark that is set|its rule|chain ip prerouting -150 "meta mark set 0x17";nft "add table ip another; add chain ip another c { type filter hook forward priority 0; }; add rule ip another c meta mark & 0xf == 7 drop"|
a mark that is routed elsewhere|chain from_client|chain ip prerouting -150 "meta mark set 7";ip rule add priority 500 fwmark 7 lookup 200;ip route add default via 192.0.2.7 table 200|
a mark that is routed to the gateway|reaches the gateway|chain ip prerouting -150 "meta mark set 7";ip rule add priority 500 fwmark 7 lookup 200;ip route add default via 172.28.0.2 table 200|
a mark of the flow|its rule|forward "ct mark set 5;;ct mark 5 drop"|
new ones|its rule|forward "ct state new drop"|
what is established|reaches the gateway|forward "ct state established,related,invalid drop"|
no state yet|its rule|chain ip prerouting -300 "ct state invalid drop"|
a direction|its rule|forward "ct direction original ct original ip saddr 10.20.0.50 drop"|
a jump|ip other dropping, its rule|forward "jump dropping"|
a jump that returns|reaches the gateway|forward "jump returning"|
a jump that lets some return|its policy|forward "jump picky" drop|
a jump that accepts|reaches the gateway|forward "jump accepting;;drop"|
a jump that does not|its rule|forward "jump accepting;;drop"|10.20.0.50 198.51.100.7
a jump that accepts, and else returns|reaches the gateway|forward "jump mostly;;drop"|
a goto that accepts|reaches the gateway|forward "goto mostly;;accept" drop|
a goto|its policy|forward "goto returning;;accept" drop|
a return|its policy|forward "iifname vpns0 return;;accept" drop|
a protocol|its rule|forward "tcp dport 443 drop"|
another protocol|reaches the gateway|forward "udp dport 443 drop;;tcp dport { 25, 445 } drop"|
a TTL|reaches the gateway|forward "ip ttl 1 drop"|
fragments|reaches the gateway|forward "ip frag-off & 0x1fff != 0 drop"|
a limit|reaches the gateway|forward "limit rate 5/second accept" drop|
beyond a limit|reaches the gateway|forward "limit rate over 5/second drop"|
a quota that is used up|its rule|forward "quota over 0 bytes drop"|
local ones|reaches the gateway|chain ip prerouting -150 "fib daddr type local drop"|
what is not local|its rule|chain ip prerouting -150 "fib daddr type != local drop"|
a strict way back|reaches the gateway|chain ip prerouting -300 "fib saddr . iif oif missing drop"|
the way of a destination|its rule|chain ip prerouting -150 "fib daddr oifname eth0 drop"|
a next hop|its rule|forward "rt nexthop 172.28.0.2 drop"|
another next hop|reaches the gateway|forward "rt nexthop 172.28.0.9 drop"|
a user of this host|reaches the gateway|forward "meta skuid 0 drop"|
logs and counters|reaches the gateway|forward "counter log;;ct state new counter accept" drop|
DNAT to a neighbour|chain from_client.*dropped$|chain ip prerouting -100 "iifname vpns0 dnat to 192.0.2.7" nat; ip route replace 192.0.2.7 dev eth1 table 100|
DNAT to another|reaches the gateway, but for 192.0.2.99|chain ip prerouting -100 "iifname vpns0 dnat to 192.0.2.99" nat|
DNAT to this host|handed to this host itself|chain ip prerouting -100 "iifname vpns0 dnat to 172.28.0.3" nat|
a redirect|handed to this host itself, port 3128|chain ip prerouting -100 "iifname vpns0 meta l4proto tcp redirect to :3128" nat|
a redirect of DNS|reaches the gateway|chain ip prerouting -100 "iifname vpns0 udp dport 53 redirect" nat|
SNAT before ours|with the source 172.28.0.77|chain ip postrouting 90 "oifname eth0 snat to 172.28.0.77" nat|
SNAT to our own|reaches the gateway|chain ip postrouting 90 "oifname eth0 snat to 172.28.0.3" nat|
a masquerade behind ours|reaches the gateway|chain ip postrouting 110 "oifname eth0 masquerade" nat|
no tracking|with the client.s own address|chain ip prerouting -300 "iifname vpns0 notrack"|
another destination in the header|reaches the gateway, but for 192.0.2.99|chain ip prerouting -150 "ip daddr set 192.0.2.99"|
TPROXY|handed to this host itself|chain ip prerouting -150 "meta l4proto tcp tproxy to :3129 meta mark set 1 accept";ip rule add priority 10 fwmark 1 lookup 200;ip route add local default dev lo table 200|
TPROXY without a listener|reaches the gateway|chain ip prerouting -150 "meta l4proto tcp tproxy to :3130 meta mark set 1 accept";ip rule add priority 10 fwmark 1 lookup 200;ip route add local default dev lo table 200|
TPROXY without a rule|dropped by the kernel|chain ip prerouting -150 "meta l4proto tcp tproxy to :3129 accept"|
ingress|its rule|netdev ingress vpns0 "ip daddr 203.0.113.9 drop"|
ingress of another|reaches the gateway|netdev ingress vpns1 "drop"|
egress|its rule|netdev egress eth0 "drop"|
sent away|LEAKS via eth1|netdev ingress vpns0 "ip daddr 203.0.113.9 fwd to eth1"|
restricted to routes|rejected by ocserv.s own restriction.*inet ocserv_vpns0|restricted|
restricted to routes, one of them|reaches the gateway|restricted|10.20.0.50 198.51.100.7
restricted to routes, another session|reaches the gateway|restricted|10.20.0.51 203.0.113.9
restricted to routes, with iptables|rejected by ocserv.s own restriction|restricted_before|
restricted to routes, with iptables, one of them|reaches the gateway|restricted_before|10.20.0.50 198.51.100.7
iptables: a policy|its policy|tables iptables -P FORWARD DROP|
iptables: clients pass|reaches the gateway|tables iptables -P FORWARD DROP;tables iptables -A FORWARD -i vpns+ -j ACCEPT|
iptables: a reject|rejected by|tables iptables -A FORWARD -i vpns+ -m comment --comment "no way" -j REJECT|
iptables: states|its rule|tables iptables -A FORWARD -m conntrack --ctstate NEW -j DROP|
iptables: other states|reaches the gateway|tables iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED,INVALID -j DROP|
iptables: not a state|its rule|tables iptables -A FORWARD -m conntrack ! --ctstate ESTABLISHED -j DROP|
iptables: the old name of states|its rule|tables iptables -A FORWARD -m state --state NEW -j DROP|
iptables: a mark|its rule|tables iptables -t mangle -A PREROUTING -i vpns0 -j MARK --set-mark 9;tables iptables -A FORWARD -m mark --mark 9 -j DROP|
iptables: another mark|reaches the gateway|tables iptables -A FORWARD -m mark ! --mark 0 -j DROP|
iptables: rpfilter|reaches the gateway|tables iptables -t raw -A PREROUTING -m rpfilter --invert -j DROP|
iptables: local ones|reaches the gateway|tables iptables -t mangle -A PREROUTING -m addrtype --dst-type LOCAL -j DROP|
iptables: what is not local|its rule|tables iptables -t mangle -A PREROUTING -m addrtype ! --dst-type LOCAL -j DROP|
iptables: ports|its rule|tables iptables -A FORWARD -p tcp -m multiport --dports 80,443 -j DROP|
iptables: other ports|reaches the gateway|tables iptables -A FORWARD -p tcp -m multiport --dports 25,135:139 -j DROP|
iptables: a chain|its rule .*in chain own\|own, its rule|tables iptables -N own;tables iptables -A own -d 203.0.113.9 -j DROP;tables iptables -A FORWARD -i vpns0 -j own|
iptables: DNAT|reaches the gateway, but for 192.0.2.99|tables iptables -t nat -A PREROUTING -i vpns0 -j DNAT --to 192.0.2.99|
iptables: REDIRECT|handed to this host itself|tables iptables -t nat -A PREROUTING -i vpns0 -p tcp -j REDIRECT --to-ports 3128|
iptables: no tracking|with the client.s own address|tables iptables -t raw -A PREROUTING -i vpns0 -j CT --notrack|
iptables: TPROXY|handed to this host itself|tables iptables -t mangle -A PREROUTING -p tcp -j TPROXY --on-port 3129 --tproxy-mark 1;ip rule add priority 10 fwmark 1 lookup 200;ip route add local default dev lo table 200|
iptables: a queue|no program reads|tables iptables -A FORWARD -j NFQUEUE --queue-num 4|
iptables: a queue that is passed over|reaches the gateway|tables iptables -A FORWARD -j NFQUEUE --queue-num 4 --queue-bypass;tables iptables -A FORWARD -j DROP|
ours flushed|with the client.s own address|nft flush table inet ocserv_gw|
ours gone|with the client.s own address|nft flush ruleset|
ours without its allow-list|reaches the gateway|nft flush chain inet ocserv_gw from_client|
ours without its masquerade|with the client.s own address|nft flush chain inet ocserv_gw our_address|
ours with a rule before it|ocserv_gw\|kill switch|nft "insert rule inet ocserv_gw leaving ip daddr 203.0.113.9 drop"|
our rules gone|chain from_client|ip rule flush protocol 111|
our rules and table gone|LEAKS via eth0|ip rule flush protocol 111;nft flush ruleset|
our route gone|dropped by routing|ip route flush table 100|
a route of others|chain from_client|ip route add 203.0.113.0/24 via 192.0.2.7 table 100|
a route of others, our table gone|LEAKS via eth1|ip route add 203.0.113.0/24 via 192.0.2.7 table 100;nft flush ruleset|
a route that denies|dropped by routing|ip route add blackhole 203.0.113.0/24 table 100|
forwarding off|dropped by routing|setting ipv4/ip_forward 0|
IPv6, forwarding off|IPv6 forwarding is off|setting ipv6/conf/all/forwarding 0|fd20::50 2001:db8:ffff::9
a blocked family|dropped by routing|blocked=yes;ini;program up|fd20::50 2001:db8:ffff::9'

setting() {
	echo "$2" >"/proc/sys/net/$1"
}

# As it was before a situation.
restore() {
	nft list tables | sed '/inet ocserv_gw$/d; s/^/delete /' | nft -f -
	[[ $1 == *nft* || $1 == *"ip "* || $1 == *setting* || $1 == *ini* ]] || return 0
	setting ipv4/ip_forward 1
	setting ipv6/conf/all/forwarding 1
	ip rule del priority 10 2>/dev/null
	ip rule del priority 500 2>/dev/null
	ip route flush table 200 2>/dev/null
	ip route flush table 100
	second_client
	ini gateway.address6=fd28::2
	program up
}

second_client() {
	ip addr replace 10.20.0.1 peer 10.20.0.51/32 dev vpns1
	ip -6 route replace fd20::50 dev vpns0
	ip -6 route replace fd20::51 dev vpns1
	setting ipv6/conf/all/forwarding 1
	neighbours_up
	ip neigh replace 10.20.0.51 lladdr 02:00:00:00:00:98 dev vpns1 nud permanent
}

# situation: explain, then the packet; what is said is what happens. What is to be seen at the gateway is what explain
# says with 0: or, to this host or a client, what it names.
situation() {
	local name=$1 regex=$2 setup=$3 asked=${4:-10.20.0.50 203.0.113.9} source target tunnel wanted
	eval "$setup" >"$OGW_WORK/setup" 2>&1 || { tap_fail "$name: it can be made"; diag "$(<"$OGW_WORK/setup")"; }
	read -r source target <<<"$asked"
	program explain "$source" "$target"
	tunnel=$(sed -n 's/^from .* on \([a-z0-9]*\).*/\1/p' <<<"$out")
	traffic send "$tunnel" "$source" "$target"
	wanted=$reply
	case "$(tail -n 1 <<<"$out")" in
	*"reaches a client via"*) wanted=$(sed -n 's/.*reaches a client via \([a-z0-9]*\).*/\1/p' <<<"$out") ;;
	*"reaches this host"*) wanted=nowhere ;;
	*"with the client's own address"* | *"with the source"*) wanted=misnamed ;;
	*"reaches the gateway"*) wanted=gateway ;;
	*"LEAKS via "*) wanted=$(sed -n 's/.*LEAKS via \([a-z0-9]*\).*/\1/p' <<<"$out") ;;
	*) wanted=nowhere ;;
	esac
	like "$(tail -n 1 <<<"$out")" "$regex" "$name: it says so"
	is "$reply" "$wanted" "$name: and so it is"
	[[ $wanted == nowhere && $(tail -n 1 <<<"$out") == *"reaches this host"* || $wanted == vpns* ]] ||
		is "$status" "$([ "$reply" = gateway ] && echo 0 || echo 1)" "$name: status 0 where it arrives"
	restore "$setup"
}

test_situations() {
	local name regex setup asked fd sender
	mkfifo "$OGW_WORK/first.in" "$OGW_WORK/first.out"
	python3 "$FAULTS/one_packet.py" <"$OGW_WORK/first.in" >"$OGW_WORK/first.out" 2>"$OGW_WORK/one_packet.log" &
	sender=$!
	exec {fd}>"$OGW_WORK/first.in"
	client_in[first]=$fd
	exec {fd}<"$OGW_WORK/first.out"
	client_out[first]=$fd
	traffic gateway "$GATEWAY_MAC" 172.28.0.3 fd28::3
	must "packets can be sent" test "$reply" = ok
	traffic listen 3129
	ini gateway.address6=fd28::2
	hook connect
	second_client
	while IFS=$'\t' read -r -u 3 name regex setup asked; do
		situation "$name" "${regex//\\/}" "${setup//\&/&}" "$asked"
	done 3< <(sed 's/\\|/\x01/g; s/|/\t/g; s/\x01/|/g' <<<"$SITUATIONS" | sed 's/\t\t/\t:\t/g')
	kill "$sender"
	wait "$sender" 2>/dev/null
	return 0
}

begin iptables-nft
second_client
test_whole
test_users
test_json
test_hostile_names
test_options
clear_state >/dev/null
second_client
test_words
clear_state >/dev/null
second_client
test_situations
clear_state >/dev/null
test_refused
clear_state >/dev/null
test_supposed
done_testing

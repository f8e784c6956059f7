# shellcheck shell=bash
# Ways to damage an installed state, for tests of repair. Needs host.sh.
#
# Each way is a line of four columns, separated by tabs:
#   what it is, for the test's output
#   a regular expression that the program's words about it must match
#   the tool that does it: ip4, ip6, nft, or a function of this file
#   what the tool is told, commands separated by ;;
# They are made from what the kernel has, so that nothing is left out.

# sampled [STEP]: of the damages each STEPth, or all with OGW_MORE=1 (tests/run --more). With sanitizers, which look at
# the program's memory alone, one of six is enough.
sampled() {
	local step=${1:-1}
	[ -z "${OGW_MORE:-}" ] || step=1
	[ -z "${OGW_SANITIZERS:-}" ] || step=6
	awk -v step="$step" '(NR - 1) % step == 0'
}

damage_line() {
	printf '%s\t%s\t%s\t%s\n' "$@"
}

# Each change is made to the first object that it fits, and each object gets at
# least one: fresh CHANGE OBJECT says whether this one is still to be made. The
# caller's `made` remembers.
fresh() {
	[ -z "${made[$1]:-}" ] || [ -z "${made[$2]:-}" ] || return 1
	made[$1]=1 made[$2]=1
}

# damage TOOL COMMANDS
damage() {
	local commands=${2//;;/$'\n'}
	case $1 in
	ip4)	ip -4 -batch - <<<"$commands" ;;
	ip6)	ip -6 -batch - <<<"$commands" ;;
	nft)	nft -f - <<<"$commands" ;;
	*)	"$1" "$2" ;;
	esac
}

# The kernel's own way to have the same rule twice, which ip(8) refuses:
# "FAMILY N", the Nth rule of protocol 111 in the family
duplicate_rule() {
	# shellcheck disable=SC2086
	python3 - $1 <<-'END'
		import socket, struct, sys
		family, wanted = int(sys.argv[1]), int(sys.argv[2])
		NEWRULE, GETRULE, REQUEST, ACK, DUMP, CREATE = 32, 34, 1, 4, 0x300, 0x400
		PROTOCOL = 21
		s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)

		def send(kind, flags, payload):
		    s.send(struct.pack("=IHHII", 16 + len(payload), kind, flags, 1, 0) + payload)

		def messages():
		    while True:
		        data = s.recv(65536)
		        while data:
		            length, kind = struct.unpack_from("=IH", data)
		            if kind == 3:
		                return
		            yield kind, data[16:length]
		            data = data[(length + 3) & ~3:]

		def protocol(rule):
		    at = 12
		    while at < len(rule):
		        length, kind = struct.unpack_from("=HH", rule, at)
		        if kind == PROTOCOL:
		            return rule[at + 4]
		        at += (length + 3) & ~3

		send(GETRULE, REQUEST | DUMP, struct.pack("=12B", socket.AF_INET if family == 4 else socket.AF_INET6, *[0] * 11))
		rules = [rule for kind, rule in messages() if kind == NEWRULE and protocol(rule) == 111]
		send(NEWRULE, REQUEST | ACK | CREATE, rules[wanted])
		sys.exit(struct.unpack_from("=i", s.recv(65536), 16)[0] != 0)
	END
}

# What a policy rule may be turned into: a sed expression on `ip rule add`'s words
RULE_CHANGES='for another table|s/lookup [a-z0-9]+/lookup 200/
with another action|s/(prohibit|blackhole)/unreachable/
that stops instead of looking up|s/lookup [a-z0-9]+( suppress_prefixlength [0-9]+)?/prohibit/
without its suppression|s/ suppress_prefixlength [0-9]+//
with another suppression|s/suppress_prefixlength [0-9]+/suppress_prefixlength 0/
at a later priority|/goto/!s/priority [0-9]+/priority 1500/
at an earlier priority|s/priority [0-9]+/priority 500/
for half of the subnet|s,(10\.20\.0\.0/2)4,\15,;s,(fd20::/6)4,\15,
for more than the subnet|s,(10\.20\.0\.0/2)4,\13,;s,(fd20::/6)4,\13,
to another target|s/goto [0-9]+/goto 1019/
to no target|s/goto [0-9]+/goto 1111/
with iif|s/ proto/ iif eth1 proto/
with oif|s/ proto/ oif eth1 proto/
with fwmark|s/ proto/ fwmark 0x7 proto/
with fwmark and mask|s/ proto/ fwmark 0x7\/0xff proto/
with tos|s/ proto/ tos 0x10 proto/
with ipproto|s/ proto/ ipproto tcp proto/
with ports|s/ proto/ ipproto udp sport 53 dport 1000-2000 proto/
with uidrange|s/ proto/ uidrange 1000-2000 proto/
for one interface, not for all others|s/not from all iif lo/from all iif eth1/
with suppress_ifgroup|s/(lookup.*) proto/\1 suppress_ifgroup 5 proto/'

rule_damages() {
	local family=$1 rule changed what change number=0
	local -A made=()
	while read -r rule; do
		damage_line "IPv$family rule deleted ($rule)" "${rule%% from*} " "ip$family" "rule del $rule"
		damage_line "IPv$family rule twice ($rule)" "${rule%% from*} " duplicate_rule "$family $number"
		number=$((number + 1))
		[ "$(our_rules "$family" | grep -n "^${rule%% from*} " | tail -n 1)" = "$number:$rule" ] ||
			damage_line "IPv$family rule behind its neighbours ($rule)" "${rule%% from*} " \
				"ip$family" "rule del $rule;;rule add $rule"
		while IFS='|' read -r what change; do
			changed=$(sed -E "$change" <<<"$rule")
			if [ "$changed" = "$rule" ] || ! fresh "$what" "$rule"; then
				continue
			fi
			damage_line "IPv$family rule $what, instead ($rule)" "${rule%% from*} " \
				"ip$family" "rule del $rule;;rule add $changed"
			# Nor does the kernel take two that lead to different places.
			[[ $what = *target ]] || damage_line "IPv$family rule $what, beside ($rule)" "${changed%% from*} " \
				"ip$family" "rule add $changed"
		done <<<"$RULE_CHANGES"
		# Beside the rule, the kernel would take it for the same. A stop
		# for all others would take the host off the net.
		[[ $rule != *lookup* ]] || damage_line "IPv$family rule inverted, instead ($rule)" "${rule%% from*} " \
			"ip$family" "rule del $rule;;rule add ${rule/ proto/ not proto}"
	done < <(our_rules "$family")
	damage_line "all IPv$family rules deleted" "policy rule" "ip$family" "rule flush protocol 111"
}

# The routes of table 100 may be turned into these. G stands for the gateway.
ROUTE_DAMAGES='deleted|del default table 100
flushed|flush table 100
by another gateway, instead|replace default via G9 dev eth0 table 100 proto 111
by another interface, instead|replace default dev eth1 table 100 proto 111
blackhole, instead|del default table 100;;route add blackhole default table 100 proto 111
unreachable, instead|del default table 100;;route add unreachable default table 100 proto 111
throw, instead|del default table 100;;route add throw default table 100 proto 111
with a metric, instead|del default table 100;;route add default via G2 dev eth0 metric 50 table 100 proto 111
with a metric, beside|add default via G2 dev eth0 metric 50 table 100 proto 111
by another gateway with a metric, beside|add default via G9 dev eth0 metric 50 table 100 proto 111
with an mtu, instead|replace default via G2 dev eth0 mtu 1280 table 100 proto 111
with a source, instead|replace default via G2 dev eth0 src G3 table 100 proto 111
more specific, beside|add H via G9 dev eth0 table 100 proto 111
more specific and blackhole, beside|add blackhole H table 100 proto 111'
# shellcheck disable=SC2034 # read by their number
ROUTE4_DAMAGES='appended by another gateway|append default via G9 dev eth0 table 100 proto 111
prepended by another gateway|prepend default via G9 dev eth0 table 100 proto 111
with a tos by another gateway, beside|add default via G9 dev eth0 tos 0x10 table 100 proto 111
with a tos by the gateway, beside|add default via G2 dev eth0 tos 0x10 table 100 proto 111
by two gateways, instead|replace default table 100 proto 111 nexthop via G2 dev eth0 nexthop via G9 dev eth0
by a gateway of the other family, instead|replace default via inet6 fd28::2 dev eth0 table 100 proto 111
with scope link, instead|replace default dev eth0 scope link table 100 proto 111'
# shellcheck disable=SC2034
ROUTE6_DAMAGES='appended by another gateway|append default via G9 dev eth0 table 100 proto 111
by two gateways, instead|replace default table 100 proto 111 nexthop via G2 dev eth0 nexthop via G9 dev eth0
from a source, beside|add default from 2001:db8::/32 via G2 dev eth0 table 100 proto 111
that expires, instead|replace default via G2 dev eth0 expires 1000 table 100 proto 111'

route_damages() {
	local family=$1 table=ROUTE${1}_DAMAGES network=172.28.0. host=198.51.100.0/24 what change
	[ "$family" = 4 ] || { network=fd28:: host=2001:db8:100::/48; }
	[ -n "$(ip "-$family" route show table 100 2>/dev/null)" ] || return 0
	while IFS='|' read -r what change; do
		change=${change//G/$network}
		damage_line "IPv$family route $what" "IPv$family route" "ip$family" "route ${change//H/$host}"
	done <<<"$ROUTE_DAMAGES
${!table}"
}

# Lines of the kill switch's rules: CHAIN HANDLE POSITION-FROM-END TEXT
guard_rules() {
	nft -a -s list table inet ocserv_gw | awk '
		/^\tchain / { chain = $2 }
		/^\t}/ { chain = "" }
		/^\t\ttype / || chain == "" { next }
		/^\t\t/ { handle = $NF; sub(/^\t\t/, ""); sub(/ # handle [0-9]+$/, "")
			  n++; chains[n] = chain; handles[n] = handle; texts[n] = $0; last[chain] = n }
		END { for (i = 1; i <= n; i++) print chains[i], handles[i], last[chains[i]] - i, texts[i] }'
}

guard_chains() {
	nft list table inet ocserv_gw | sed -n 's/^\tchain \(.*\) {$/\1/p'
}

# What a rule of the kill switch may be turned into: a sed expression on its text
GUARD_CHANGES='that accepts|s/ (drop|goto [a-z0-9_]+|reject with [a-z0-9]+ [a-z-]+) comment/ accept comment/
that drops|s/(accept|goto [a-z0-9_]+|masquerade) comment/drop comment/
that returns|s/(drop|accept|goto [a-z0-9_]+|masquerade) comment/return comment/
that jumps|s/goto /jump /
with another answer|s/admin-prohibited/port-unreachable/
with a flag|s/masquerade( to :[0-9-]+)?/masquerade\1 random/
with other ports|s/ to :[0-9-]+/ to :1024-65535/
with any port|s/ to :[0-9-]+//
with another mark|s,0xff000000/8,0xfe000000/8,;s/0xff000000/0x7f000000/
for more flows|s/count over 20000/count over 20001/
for less flows|s/count over 20000/count 20000/
for IPsec, or none|s/ipsec exists/ipsec MISSING/;s/ipsec missing/ipsec exists/;s/MISSING/missing/
for another quoted protocol|s/!= 0x11/!= 0x12/
without its counter|s/(^| )counter /\1/
without its comment|s/ comment ".*"$//
with another comment|s/comment "/comment "not /
for another interface|s/"(vpns\*|eth0)"/"vpnz*"/
for one interface|s/"vpns\*"/"vpns0"/
for all but the interface|s/(iifname|oifname) "/\1 != "/
for the interface|s/!= "vpns\*"/"vpns*"/
about other clients|s/0xa1400 /0xa1500 /;s/0xfd20000000000000 /0xfd21000000000000 /
about half of the clients|s/@th,192,24 0xa1400 /@th,192,32 \& 0xffffff80 == 0xa140080 /;s/@th,256,64 0xfd2/@th,256,72 0xfd200000000000007f /;s/7f .*0 counter/7f counter/
for the other addresses|s/addr @/addr != @/
for the addresses|s/addr != /addr /
for the other direction|s/saddr/daddr/
by another gateway|s/nexthop (172\.28\.0\.|fd28::)2/nexthop \19/
for more states|s/ct state /ct state untracked,/
for less states|s/ct state [a-z]+,/ct state /
where there is a way back|s/oif missing/oif exists/
for transparent sockets|s/transparent <= 1/transparent 1/
for another protocol|s/l4proto (tcp|udp)/l4proto sctp/
for other ICMP|s/(icmpv?6? code) [a-z-]+/\1 0/'

guard_rule_damages() {
	local chain handle behind text what change changed here inet='inet ocserv_gw'
	local -A made=()
	while read -r chain handle behind text; do
		here="in $chain ($text)"
		damage_line "rule deleted $here" "chain $chain" nft "delete rule $inet $chain handle $handle"
		damage_line "rule twice $here" "chain $chain" nft "insert rule $inet $chain handle $handle $text"
		damage_line "foreign rule before one $here" "chain $chain" nft "insert rule $inet $chain handle $handle counter"
		damage_line "foreign rule after one $here" "chain $chain" nft "add rule $inet $chain handle $handle ip ttl 7 accept"
		[ "$behind" = 0 ] || damage_line "rule moved to the end $here" "chain $chain" nft \
			"delete rule $inet $chain handle $handle;;add rule $inet $chain $text"
		while IFS='|' read -r what change; do
			changed=$(sed -E "$change" <<<"$text")
			[ "$changed" != "$text" ] && fresh "$what" "$text" &&
				damage_line "rule $what, instead $here" "chain $chain" nft "replace rule $inet $chain handle $handle $changed"
		done <<<"$GUARD_CHANGES"
	done < <(guard_rules)
}

# remade_chain CHAIN SED-EXPRESSION: nft commands that make it anew, changed
remade_chain() {
	local chain=$1 inet='inet ocserv_gw' listing
	listing=$(nft -s list chain inet ocserv_gw "$chain" | sed -E "$2")
	echo "flush chain $inet $chain;;delete chain $inet $chain;;${listing//$'\n'/;;}" | tr -d '\t'
}

CHAIN_CHANGES='at another priority|s/(priority) [^;]+;/\1 17;/
at another filter hook|s/filter hook (prerouting|forward)/filter hook input/;t;s/filter hook input/filter hook prerouting/;s/hook postrouting priority srcnat - 10/hook forward priority 90/
at another nat hook|/goto our_address/d;s/type nat hook postrouting priority srcnat/type nat hook input priority 100/
of type filter|/goto our_address/d;s/type nat hook postrouting/type filter hook postrouting/
without a hook|/type/d'

guard_chain_damages() {
	local chain change changed what inet='inet ocserv_gw' callers
	for chain in $(guard_chains); do
		damage_line "chain $chain flushed" "chain $chain" nft "flush chain $inet $chain"
		callers=$(guard_rules | sed -n "s/^\([a-z0-9_]*\) \([0-9]*\) .*goto $chain .*/delete rule $inet \1 handle \2;;/p")
		if [ -n "$callers" ]; then
			damage_line "chain $chain deleted" "chain $chain" nft \
				"${callers//$'\n'/}flush chain $inet $chain;;delete chain $inet $chain"
			continue
		fi
		damage_line "chain $chain deleted" "chain $chain" nft "flush chain $inet $chain;;delete chain $inet $chain"
		damage_line "chain $chain with policy drop" "chain $chain" nft "chain $inet $chain { policy drop; }"
		while IFS='|' read -r what change; do
			changed=$(remade_chain "$chain" "$change")
			[ "$changed" = "$(remade_chain "$chain" '')" ] ||
				damage_line "chain $chain $what" "chain $chain" nft "$changed"
		done <<<"$CHAIN_CHANGES"
	done
}

TABLE_DAMAGES='table deleted|is missing|delete table inet ocserv_gw
ruleset flushed|is missing|flush ruleset
table flushed|is missing|flush table inet ocserv_gw
table dormant|dormant|add table inet ocserv_gw { flags dormant; }
table empty|is missing|delete table inet ocserv_gw;;add table inet ocserv_gw
chain added|chain extra|add chain inet ocserv_gw extra
base chain added|chain extra|add chain inet ocserv_gw extra { type filter hook input priority 0; }
chain with a rule added|chain extra|add chain inet ocserv_gw extra;;add rule inet ocserv_gw extra counter accept
set added|belong|add set inet ocserv_gw extra { type ipv4_addr; }
map added|belong|add map inet ocserv_gw extra { type ipv4_addr : verdict; }
counter added|belong|add counter inet ocserv_gw extra
quota added|belong|add quota inet ocserv_gw extra { over 1 mbytes; }
limit added|belong|add limit inet ocserv_gw extra { rate 1/second; }
rule with a set of its own added|chain forward|insert rule inet ocserv_gw forward ip saddr { 10.20.0.7, 10.20.0.9 } accept
rule with a map of its own added|chain forward|insert rule inet ocserv_gw forward ip saddr vmap { 10.20.0.7 : accept }'

# remade_table SED-EXPRESSION: our table as nft makes it of its own listing, changed
remade_table() {
	local listing
	listing=$(nft -s list table inet ocserv_gw | sed -E "$1")
	nft -f - <<<"delete table inet ocserv_gw"$'\n'"$listing"
}

# What becomes of a set of clients' addresses, in the words of nft: ELEMENT is in it, OTHER and ONE are not.
SET_DAMAGES='without an element|does not hold|delete element SET { ELEMENT }
without any|does not hold|flush set SET
with one more|holds .*, which are not all|add element SET { OTHER }
with a single address more|holds .*, which is not a client address|add element SET { ONE }
with another one instead|does not hold|delete element SET { ELEMENT };;add element SET { OTHER }'
# The same set made anew: a sed expression on its lines of the listing
SET_CHANGES='that is wider|s,10\.20\.0\.0/24,10.20.0.0/23,;s,fd20::/64,fd20::/63,
that is narrower|s,10\.20\.0\.0/24,10.20.0.0/25,;s,fd20::/64,fd20::/65,
of single addresses|s,10\.20\.0\.0/24,10.20.0.50,;s,fd20::/64,fd20::50,;s/flags interval/size 4/
that expires|s/flags interval/flags interval,timeout; timeout 1h/
with an element that expires|s/flags interval/flags interval,timeout/;s,(10\.20\.0\.0/24|fd20::/64),\1 timeout 1h expires 50m,
that counts|s/flags interval/flags interval; counter/
that is limited|s/flags interval/flags interval; quota over 1 bytes/'

set_damages() {
	local family name element other one what words command change
	while read -r family element other one; do
		name=clients$family
		nft list set inet ocserv_gw "$name" 2>/dev/null | grep -q "$element" || continue
		while IFS='|' read -r what words command; do
			command=${command//SET/inet ocserv_gw $name} command=${command//ELEMENT/$element}
			command=${command//OTHER/$other}
			damage_line "set $name $what" "set $name $words" nft "${command//ONE/$one}"
		done <<<"$SET_DAMAGES"
		while IFS='|' read -r what change; do
			damage_line "set $name $what" "set $name" remade_table "/set $name \\{/,/^\\t\\}/{$change}"
		done <<<"$SET_CHANGES"
		damage_line "set $name by another name" "set $name is missing" remade_table "s/$name/kept$family/"
	done <<-'END'
		4 10.20.0.0/24 203.0.113.0/24 203.0.113.7
		6 fd20::/64 2001:db8:77::/64 2001:db8:77::7
	END
}

table_damages() {
	local what words commands
	while IFS='|' read -r what words commands; do
		damage_line "$what" "$words" nft "$commands"
	done <<<"$TABLE_DAMAGES"
	damage_line "set flows of another size" "set flows" remade_table 's/size 65535/size 1024/'
	damage_line "set flows by name" "set flows" remade_table 's/type iface_index/type ifname/;s/\{ iif ct/{ iifname ct/'
}

# Everything is gone, as when somebody sweeps up.
everything_gone() {
	ip -4 rule flush protocol 111
	ip -6 rule flush protocol 111
	ip -4 route flush table 100
	ip -6 route flush table 100
	nft flush ruleset
}

# all_damages: of the state that is installed now, with table 100 and ocserv_gw
all_damages() {
	rule_damages 4
	rule_damages 6
	route_damages 4
	route_damages 6
	guard_rule_damages
	guard_chain_damages
	set_damages
	table_damages
}

# some_damages: one of each kind
some_damages() {
	all_damages | awk -F'\t' '{ kind = $1; sub(/ \(.*/, "", kind); sub(/chain [a-z0-9_]+ /, "chain ", kind)
		sub(/set clients6/, "set clients4", kind) }
		!seen[kind]++'
}

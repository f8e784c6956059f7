# shellcheck shell=bash
# Several gateways, and who leaves by which: for tests that run the program by hand. Needs host.sh. Sessions are workers
# that do nothing.

# The configuration of all tests; lines of it may be changed by edit().
many() {
	cat >"$INI" <<-'END'
		[clients]
		subnet4 = 10.20.0.0/24
		subnet6 = fd20::/64
		[gateway]
		address4 = 172.28.0.2
		[gateway nl]
		address4 = 172.28.0.4
		address6 = fd28::4
		[gateway us]
		address4 = 172.28.0.5
		[users]
		alice = nl
		bob = us
		eve = block
		dan = direct
	END
	chmod 600 "$INI"
}

fresh_start() {
	clear_state >/dev/null
	ip route flush table 101 2>/dev/null
	ip route flush table 102 2>/dev/null
	ip -6 route flush table 101 2>/dev/null
	rm -rf "$STATE_DIR"
	many
}

edit() {
	sed -i "$1" "$INI"
}

entries_are() {
	same "$(printf '%s\n' "$@")" "$(entries)"
}

# The sessions are for those who source this file.
# shellcheck disable=SC2034
{
	ALICE=(USERNAME=alice DEVICE=vpns0 IP_REMOTE=10.20.0.50 IPV6_REMOTE=fd20::50)
	BOB=(USERNAME=bob DEVICE=vpns1 IP_REMOTE=10.20.0.51 IPV6_REMOTE=fd20::51)
	EVE=(USERNAME=eve DEVICE=vpns2 IP_REMOTE=10.20.0.52 IPV6_REMOTE=)
	DAN=(USERNAME=dan DEVICE=vpns3 IP_REMOTE=10.20.0.53 IPV6_REMOTE=)
	TOM=(USERNAME=tom DEVICE=vpns4 IP_REMOTE=10.20.0.54 IPV6_REMOTE=)
}

# shellcheck shell=bash
# Flows that the kernel tracks, made and looked at by conntrack(8), and what is noted of those that are to end. Needs host.sh.

# Makes flows of lines FROM TO [OPTION-OF-CONNTRACK...], each established, as one that has been answered.
make_flows() {
	sed 's/^\([^ ]*\) \([^ ]*\)/-I -p udp --sport 5000 --dport 53 -t 600 -u SEEN_REPLY -s \1 -d \2/' |
		conntrack -R -
}

# The addresses of all flows, a line each: FROM TO of the first packet.
flows() {
	conntrack -L 2>/dev/null | sed -n 's/.*src=\([^ ]*\) dst=\([^ ]*\) .*src=.*/\1 \2/p' | sort
}

# flows_from ADDRESS: how many there are
flows_from() {
	flows | grep -c "^$1 "
}

# The addresses whose flows are to end, in a line.
noted() {
	find "$STATE_DIR/flows" -mindepth 1 -printf '%f\n' 2>/dev/null | sort | paste -sd' '
}

#!/bin/bash
# A kill switch that was found whole is not read again until nf_tables counts a change; a change is always seen.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

# connects WHAT TIMES ROUTING: a session; it reads the kill switch so many times and finds this
connects() {
	WRAP=(strace -f -qq -e trace=sendto -o "$OGW_WORK/trace")
	ok "$1: a session connects" hook connect
	WRAP=()
	is "$(grep -c NFT_MSG_GETRULE "$OGW_WORK/trace")" "$2" "$1: the kill switch is read $2 times"
	is "$(field routing)" "$3" "$1: routing is $3"
}

test_changes() {
	connects "at first" 1 installed
	connects "again" 0 intact
	connects "and again" 0 intact
	ok "somebody adds a table" nft add table inet somebody
	connects "after somebody's change" 1 intact
	connects "after that" 0 intact
	ok "a chain of ours is flushed" nft flush chain inet ocserv_gw from_client
	connects "after a change of ours" 2 repaired
	connects "after the repair" 0 intact
	ok "nftables are flushed" nft flush ruleset
	connects "after a flush" 1 repaired
	connects "after that repair" 0 intact
}

test_other_wishes() {
	ini killswitch.client_to_client=no
	connects "another configuration" 2 repaired
	connects "the same again" 0 intact
	ok "up, where all is intact" program up
	connects "after up" 0 intact
	ok "a policy rule is removed" ip rule del priority 1000
	connects "after a change of routing" 1 repaired
	connects "after its repair" 0 intact
}

# restored SED-EXPRESSION: our table as nft makes it of its own listing, changed, in one transaction
restored() {
	local listing
	listing=$(nft -s list table inet ocserv_gw | sed "$1")
	nft -f - <<<"delete table inet ocserv_gw"$'\n'"$listing"
}

# What nft restores from a file is not the table that was sealed.
test_restored() {
	ok "the table is restored from a file" restored ''
	connects "restored" 1 intact
	connects "restored, again" 1 intact
	ok "up takes it as it is" program up
	is "$out" intact "and says so"
	ok "nftables are flushed" nft flush ruleset
	connects "flushed" 1 repaired
}

# The number of changes that the seal names, one more
count_one() {
	local instance generation wanted
	IFS=. read -r instance generation wanted < <(readlink "$STATE_DIR/seal")
	ln -sfn "$(printf '%s.%08x.%s' "$instance" $((16#$generation + 1)) "$wanted")" "$STATE_DIR/seal"
}

# A state directory that comes from another host or an earlier boot, where nf_tables had counted as far.
test_same_count() {
	connects "before" 0 intact
	ok "a table of the same name and count, without a chain's rules" restored '/chain from_client/,/^\t}/{/accept/d}'
	ok "its count is in the seal" count_one
	connects "another table" 2 repaired
	connects "after the repair" 0 intact
	ok "control: a rule is removed from the sealed table itself" nft flush chain inet ocserv_gw from_client
	ok "control: its count is in the seal" count_one
	connects "control: the forged seal is believed" 0 intact
	rm "$STATE_DIR/seal"
	connects "without the forged seal" 2 repaired
}

test_broken_seal() {
	connects "a whole seal" 0 intact
	ok "the seal is cut off" ln -sfn "$(readlink "$STATE_DIR/seal" | cut -c1-50)" "$STATE_DIR/seal"
	connects "a seal cut off" 1 intact
	connects "a new one" 0 intact
	ok "the seal is gone" rm "$STATE_DIR/seal"
	ok "a directory is in its place" mkdir "$STATE_DIR/seal"
	connects "no seal can be kept" 1 intact
	connects "nor now" 1 intact
	rmdir "$STATE_DIR/seal"
}

begin strace
ENVIRONMENT+=(ASAN_OPTIONS=detect_leaks=0)
ini
test_changes
test_other_wishes
test_restored
test_same_count
test_broken_seal
done_testing

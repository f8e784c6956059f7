#!/bin/bash
# check finds the configuration of the ocserv that runs here, and says where it looked.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/topology.sh"
. "$lib/ocserv.sh"

# What check finds, without the values.
check() {
	{ server_exec "$OGW_PROGRAM" check "$@" >/dev/null; } 2>&1 | as_logged
}

# An ocserv that does not wipe its command line.
stand_in() {
	sed "s|WHAT|$1|" >"$OGW_WORK/ocserv-main" <<-'END'
		#!/bin/sh
		# WHAT
		read -r line <"$0.hold"
	END
	chmod 755 "$OGW_WORK/ocserv-main"
	[ -p "$OGW_WORK/ocserv-main.hold" ] || mkfifo "$OGW_WORK/ocserv-main.hold"
	(cd "$OGW_WORK" && exec ip netns exec server "$OGW_WORK/ocserv-main" "$@") &
	STAND_IN=$!
	wait_for 5 grep -qx ocserv-main "/proc/$STAND_IN/comm"
}

stand_in_ends() {
	kill -KILL "$STAND_IN"
	wait "$STAND_IN" 2>/dev/null
}

begin
gateway_ini gateway.address4="$UPSTREAM4"
unlike "$(check)" "compared|no ocserv" "at its usual place nothing is said"
ocserv_kill

rm -f "$OCSERV_CONF"
like "$(check)" "note: there is no $OCSERV_CONF, and no ocserv is running here: its configuration is not checked" \
	"with no file and no ocserv check says so"
like "$(check --ocserv-conf /nowhere)" "ocserv-conf /nowhere: No such file" "a file that was named is to be there"
gateway_ini clients.subnet4=auto gateway.address4="$UPSTREAM4"
like "$(check)" "can't read $OCSERV_CONF: No such file" "auto looks nowhere else, and says where it looked"
gateway_ini gateway.address4="$UPSTREAM4"

usual=$OCSERV_CONF
OCSERV_CONF=/etc/ocserv/another.conf
ocserv_conf ipv4-network=10.77.0.0/24
must "ocserv runs with another file" ocserv_start
said=$(check)
like "$said" "note: there is no $usual: checking (/proc/[0-9]+/fd/[0-9]+) instead, the copy that ocserv \(process [0-9]+\) keeps" \
	"check finds what it has read"
like "$said" "/proc/$OCSERV_PID/fd/[0-9]+:[0-9]+: ipv4-network = 10.77.0.0/24: is not within" "and compares it"
mkdir /run/ocserv
cp "$OCSERV_CONF" /run/ocserv/ocserv.conf
like "$(check)" "ocserv \(process $OCSERV_PID\) runs with /run/ocserv/ocserv.conf: that is checked, not $usual" \
	"at a known place it finds its file"
mv /run/ocserv/ocserv.conf "$usual"
unlike "$(check)" "compared" "at the usual place there is nothing to say"
sed -i 's/10.77.0.0/10.20.0.0/' "$usual"
unlike "$(check)" "compared|10.77" "what was edited since is what is compared"
is "$(check --ocserv-conf "$OCSERV_CONF" | grep -c "another.conf:.*10.77.0.0/24: is not within")" 1 "a file that is named wins"
mv "$usual" /run/ocserv/ocserv.conf
OCSERV_CONF=$usual
ocserv_kill

like "$(check)" "there is no $usual: checking /run/ocserv/ocserv.conf instead; set .* ocserv_conf = /run/ocserv/ocserv.conf" \
	"without ocserv a file at a known place is compared"
mount -t tmpfs none /var && mkdir /var/etc && mv /run/ocserv/ocserv.conf /var/etc/
like "$(check)" "there is no $usual: checking /var/etc/ocserv.conf instead" "OpenWrt's place is one"

# Any local user can have a process of that name, of which the files in /proc are root's once it is not dumpable.
printf 'connect-script = /bin/true\n' >"$OGW_WORK/evil.conf"
mkdir "$OGW_WORK/evil"
install -m 755 /usr/bin/perl "$OGW_WORK/evil/ocserv-main"
prctl=157
[ "$(uname -m)" = x86_64 ] || prctl=167
ip netns exec server setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$OGW_WORK/evil/ocserv-main" -e "syscall($prctl, 4, 0, 0, 0, 0); sleep 3600" -- -c "$OGW_WORK/evil.conf" &
STAND_IN=$!
seems_root() {
	grep -qx ocserv-main "/proc/$STAND_IN/comm" && [ "$(stat -c %u "/proc/$STAND_IN/comm")" = 0 ] &&
		[ "$(stat -c %u "/proc/$STAND_IN")" = 65534 ]
}
must "a process of another user is called so, and seems to be root's" wait_for 5 seems_root
unlike "$(check)" "evil" "check does not take it for ocserv"
stand_in_ends

mv /etc/ocserv/another.conf "$OGW_WORK/there.conf"
for option in "-c $OGW_WORK/there.conf" "-c$OGW_WORK/there.conf" "--config $OGW_WORK/there.conf" \
	      "-f --config=$OGW_WORK/there.conf" "-fc $OGW_WORK/there.conf"; do
	# shellcheck disable=SC2086
	must "an ocserv runs with $option" stand_in $option
	like "$(check)" "ocserv \(process $STAND_IN\) runs with $OGW_WORK/there.conf: that is checked" "check finds it"
	stand_in_ends
done
must "an ocserv runs with a file from where it began" stand_in -c there.conf
like "$(check)" "ocserv \(process $STAND_IN\) runs with /proc/$STAND_IN/cwd/there.conf: that is checked" "check finds it"
cp "$OGW_WORK/there.conf" "$usual"
gateway_ini gateway.address4="$UPSTREAM4" clients.subnet4=auto
like "$(check)" "warning: ocserv .* runs with .*there.conf, but auto values come from $usual; set" \
	"auto of another file is a warning"
stand_in_ends

done_testing

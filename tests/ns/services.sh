#!/bin/bash
# What starts before ocserv where there is no systemd: s6's oneshot in a container, the service of OpenRC, the init script of
# OpenWrt. OpenRC is the real one; s6-rc and procd are not in Debian, so what they do with our files is done here.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
lib=${0%/*}/../lib
. "$lib/sandbox.sh"
. "$lib/tap.sh"
. "$lib/host.sh"

OCSERV_INI=/etc/ocserv/gateway.ini
STARTED=$OGW_WORK/started	# the services that were started, in order

# The program where packages install it, and OpenRC's service of ours, with an ocserv and a network that are none.
machine_up() {
	mkdir -p "$OGW_WORK"/{sbin,etc/{init.d,conf.d,ocserv},work} /run/openrc/{daemons,exclusive,failed,inactive,options,started,starting,stopping} &&
		touch /run/openrc/softlevel &&
		cp "$OGW_PROGRAM" "$OGW_WORK/sbin/ocserv-gateway" &&
		mount -t overlay overlay -o "lowerdir=$OGW_WORK/sbin:/usr/sbin" /usr/sbin &&
		mount -t overlay overlay -o "lowerdir=/etc,upperdir=$OGW_WORK/etc,workdir=$OGW_WORK/work" /etc &&
		mount -t tmpfs ogw-etc /etc/ocserv &&
		cp "$OGW_TOP/packaging/alpine/ocserv-gateway.initd" /etc/init.d/ocserv-gateway &&
		openrc_service net 'after nothing' && openrc_service ocserv 'need net'
}

openrc_service() {	# NAME DEPENDENCY
	cat >"/etc/init.d/$1" <<-END && chmod +x "/etc/init.d/$1"
		#!/sbin/openrc-run
		depend() { $2; }
		start() { echo $1 >>$STARTED; }
		stop() { :; }
	END
}

# openrc_order SERVICE KIND: what OpenRC has found it to come before, after, to need...
openrc_order() {
	local number
	number=$(sed -n "s/^depinfo_\([0-9]*\)_service='$1'$/\1/p" /run/openrc/deptree)
	sed -n "s/^depinfo_${number}_$2_[0-9]*='\(.*\)'$/\1/p" /run/openrc/deptree
}

openrc_restart() {
	rc-service --quiet ocserv zap && rc-service --quiet ocserv-gateway zap && rc-service ocserv start
}

# The services of azinchen/ocserv-server, with the dependencies that they have there, in the form that $1 is.
s6_image() {
	local form=$1 name dependency
	services=$OGW_WORK/s6-$form
	for name in init-nat init-config init-vpngw svc-ocserv; do
		mkdir -p "$services/$name"
		echo oneshot >"$services/$name/type"
		printf '#!/bin/sh\necho %s >>%s\n' "$name" "$STARTED" >"$services/$name/run"
		chmod +x "$services/$name/run"
	done
	echo longrun >"$services/svc-ocserv/type"
	for dependency in init-vpngw:init-nat init-vpngw:init-config svc-ocserv:init-nat svc-ocserv:init-vpngw; do
		name=$services/${dependency%:*}
		case $form in
		file)		[ ! -e "$name/dependencies" ] || echo >>"$name/dependencies"
				printf %s "${dependency#*:}" >>"$name/dependencies" ;;
		directory)	mkdir -p "$name/dependencies.d" && : >"$name/dependencies.d/${dependency#*:}" ;;
		esac
	done
}

s6_dependencies() {
	if [ -d "$services/$1/dependencies.d" ]; then
		ls "$services/$1/dependencies.d"
	elif [ -e "$services/$1/dependencies" ]; then
		grep -v '^ *\(#\|$\)' "$services/$1/dependencies"
	fi
}

# As s6-rc: what it depends on first, each once, and nothing where one of these has failed.
s6_start() {
	local dependency
	[[ " $up " != *" $1 "* ]] || return 0
	for dependency in $(s6_dependencies "$1"); do
		s6_start "$dependency" || return
	done
	up+=" $1"
	[ -e "$services/$1/type" ] || return
	# with-contenv, of its first line, sets the container's environment.
	env -i PATH="$PATH" "${container[@]}" sh "$services/$1/run"
}

s6_up() {
	up=''
	s6_start svc-ocserv
}

before_ocserv() {
	"$OGW_TOP/packaging/container/before-ocserv" "$@"
}

# openwrt_service ACTION: as rc.common, for a service of procd
openwrt_service() {
	OGW_ACTION=$1 sh -c '
		procd_add_raw_trigger() { echo "trigger $*"; }
		. "$0"
		case $OGW_ACTION in
		start)	start_service && service_triggers ;;
		reload)	reload_service ;;
		stop)	! command -v stop_service || stop_service ;;
		esac' "$OGW_TOP/packaging/openwrt/files/ocserv-gateway.init"
}

# Begins anew: nothing installed, this configuration, nothing started.
given() {	# [SECTION.KEY=VALUE...]
	clear_state >/dev/null 2>&1
	ini "$@"
	install -m 600 "$INI" $OCSERV_INI
	: >"$STARTED"
}

without_configuration() {
	given
	rm $OCSERV_INI
}

intact() {
	program up && [ "$out" = intact ]
}

begin openrc-run
must "the machine is up" machine_up
container=()

for form in file directory; do
	s6_image $form
	ok "s6, dependencies in a $form: ours comes before ocserv" before_ocserv svc-ocserv "$services"
	given
	ok "all is well: it starts" s6_up
	is "$up" " init-nat init-config init-vpngw init-ocserv-gateway svc-ocserv" "in this order"
	ok "the kill switch is there" intact
	given clients.subnet4=10.20.0.1/24
	not_ok "a configuration that is wrong: it does not" s6_up
	unlike "$(<"$STARTED")" ocserv "nor does ocserv"
done
is "$(<"$services/init-ocserv-gateway/up")" /etc/s6-overlay/s6-rc.d/init-ocserv-gateway/run "what s6-rc runs"
ok "is there to be run" test -x "$services/init-ocserv-gateway/run"
not_ok "a service that is not there is an error" before_ocserv svc-openconnect "$services"
without_configuration
not_ok "s6, no configuration: it does not start" s6_up
is "$(ip rule show priority 1000)" "" "and nothing is installed"
unlike "$(<"$STARTED")" ocserv "nor is ocserv started"
container=(VPN_SUBNET=10.20.0.0/24)
given clients.subnet4=
ok "the environment of the container counts" s6_up
container=()
given
printf 'ipv4-network = 10.99.0.0/24\n' >/etc/ocserv/ocserv.conf
not_ok "what check alone finds wrong" s6_up
unlike "$(<"$STARTED")" ocserv "keeps ocserv from being started, too"
ok "but not the kill switch" intact
rm /etc/ocserv/ocserv.conf

given
ok "OpenRC: it starts" rc-service ocserv-gateway start
ok "the kill switch is there" intact
is "$(<"$STARTED")" net "after the network"
like "$(openrc_order ocserv-gateway ibefore)" ocserv "at boot ocserv comes after it"
given gateway.table=200
ok "reload applies an edit" rc-service ocserv-gateway reload
ok "it does" intact
ok "stop" rc-service ocserv-gateway stop
ok "leaves all in place" intact
echo 'rc_need="ocserv-gateway"' >/etc/conf.d/ocserv
touch -d '1 minute' /etc/conf.d/ocserv
given
ok "ocserv that needs it: it starts" openrc_restart
ok "the kill switch is there" intact
is "$(<"$STARTED")" ocserv "and so is ocserv"
given clients.subnet4=10.20.0.1/24
not_ok "a configuration that is wrong: ocserv does not start" openrc_restart
is "$(<"$STARTED")" "" "it does not"
without_configuration
not_ok "no configuration: nor does it" openrc_restart

given
is "$(openwrt_service start)" "trigger interface.*.up 1000 /etc/init.d/ocserv-gateway reload" \
	"OpenWrt: it starts, and again when an interface comes up"
ok "the kill switch is there" intact
ok "stop" openwrt_service stop
ok "leaves all in place" intact
given gateway.table=200
ok "reload applies an edit" openwrt_service reload
ok "it does" intact
without_configuration
ok "no configuration: nothing is done" openwrt_service start
is "$(ip rule show priority 1000)" "" "nothing is installed"
given clients.subnet4=10.20.0.1/24
not_ok "a configuration that is wrong is told" openwrt_service start
done_testing

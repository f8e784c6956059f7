# shellcheck shell=bash
# Runs the calling script in namespaces of its own; source it first.
#
# The network, the processes, the mounts, /run, /etc/ocserv and /dev/log that
# the script sees from here on are private. No cleanup code is needed: when
# the script ends, even by SIGKILL, the kernel takes all of it away.
#
# OGW_WORK            directory for the files of this run, inside the private /run
# OGW_KEEP            if set by the user: a directory in which OGW_WORK is kept
# OGW_FRESH_NETWORK   the program to begin with in each further network namespace, see there

OGW_FRESH_NETWORK=$(readlink -f "${BASH_SOURCE[0]%/*}")/fresh-network
export OGW_FRESH_NETWORK

sandbox_outer() {
	if [ "$(id -u)" != 0 ]; then
		# shellcheck source=tap.sh
		. "${BASH_SOURCE[0]%/*}/tap.sh"
		skip_all "needs root"
	fi
	OGW_SANDBOX=$(readlink /proc/self/ns/net)
	export OGW_SANDBOX

	local child=
	trap 'kill -KILL $child 2>/dev/null; exit 129' HUP
	trap 'kill -KILL $child 2>/dev/null; exit 130' INT
	trap 'kill -KILL $child 2>/dev/null; exit 143' TERM
	# If this shell is killed, pdeathsig takes unshare, and unshare the rest.
	# The shell starts background jobs with SIGINT ignored: undo that.
	setpriv --pdeathsig KILL -- \
		env --default-signal=INT,QUIT -- \
		unshare --mount --net --pid --fork --kill-child --mount-proc \
		--ipc --uts -- "$BASH" "$0" "$@" <&0 &
	child=$!
	wait "$child"
	exit
}

sandbox_private_dev() {
	local new=/run/dev node
	mkdir "$new"
	mount -t tmpfs -o mode=755 ogw-dev "$new" || return
	mkdir "$new/net" "$new/pts" "$new/shm"
	for node in null zero full random urandom tty net/tun; do
		[ -e "/dev/$node" ] || continue
		: >"$new/$node"
		mount --bind "/dev/$node" "$new/$node" || return
	done
	ln -s /proc/self/fd "$new/fd"
	ln -s fd/0 "$new/stdin"
	ln -s fd/1 "$new/stdout"
	ln -s fd/2 "$new/stderr"
	ln -s pts/ptmx "$new/ptmx"
	mount -t devpts -o newinstance,ptmxmode=0666 ogw-pts "$new/pts" || return
	mount -t tmpfs -o mode=1777 ogw-shm "$new/shm" || return
	mount --move "$new" /dev && rmdir "$new"
}

sandbox_inner() {
	mount --make-rprivate / || return
	[ -z "${OGW_KEEP:-}" ] || mkdir -p "$OGW_KEEP" || return
	[ -z "${OGW_KEEP:-}" ] || exec {sandbox_keep}<"$OGW_KEEP" || return
	mount -t tmpfs -o mode=755 ogw-run /run || return
	mkdir -p /run/netns /run/lock /run/work
	sandbox_private_dev || return
	if [ -d /etc/ocserv ]; then
		mount -t tmpfs -o mode=755 ogw-etc /etc/ocserv || return
	fi
	# The machine's resolvers are none of the sandbox's host.
	: >/run/resolv.conf
	[ ! -f /etc/resolv.conf ] || mount --bind /run/resolv.conf /etc/resolv.conf || return
	OGW_WORK=/run/work
	TMPDIR=$OGW_WORK
	export OGW_WORK TMPDIR
	[ -z "${OGW_KEEP:-}" ] ||
		mount --bind "/proc/self/fd/$sandbox_keep" "$OGW_WORK" || return
	hostname sandbox 2>/dev/null
	"$OGW_FRESH_NETWORK" && ip link set lo up
}

if [ -z "${OGW_SANDBOX:-}" ] ||
   [ "$OGW_SANDBOX" = "$(readlink /proc/self/ns/net)" ]; then
	sandbox_outer "$@"
fi
if ! sandbox_inner; then
	echo "Bail out! cannot set up the sandbox"
	exit 1
fi

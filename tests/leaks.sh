#!/bin/bash
# The leak battery: forged packets from a client's side while things go wrong,
# every frame that leaves the server looked at. See tests/leaks/battery.py, and
# tests/leaks/attacks.py for what neighbours and other software add to it.
#
# OGW_PROGRAM     the program under test
# OGW_LEAKS       more arguments, such as "--quick" or "--only redirects"
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/lib/sandbox.sh
. "$here/lib/sandbox.sh"
# shellcheck source=tests/lib/tap.sh
. "$here/lib/tap.sh"

program=${OGW_PROGRAM:-$here/../_build/src/ocserv-gateway}

[ -c /dev/net/tun ] || skip_all "no /dev/net/tun"
command -v python3 >/dev/null || skip_all "no python3"
[ -x "$program" ] || skip_all "no program at $program"

export PYTHONDONTWRITEBYTECODE=1
# shellcheck disable=SC2086 # OGW_LEAKS holds several words
exec python3 "$here/leaks/battery.py" --program "$program" ${OGW_LEAKS:-}

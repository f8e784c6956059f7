#!/bin/bash
# Every message of the program stands in messages.txt, where one reads them all at once as an admin would.
#
#   tests/checks/messages.sh --write    writes that list anew: read what is new in it
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
list=$top/tests/checks/messages.txt
export PYTHONDONTWRITEBYTECODE=1

if [ "${1:-}" = --write ]; then
	python3 "$top/tests/checks/messages.py" "$top/src" >"$list"
	exit
fi
new=$(diff "$list" <(python3 "$top/tests/checks/messages.py" "$top/src") | sed -n 's/^[<>]/|&/p')
[ -z "$new" ] || diag "|what messages.txt has not yet (tests/checks/messages.sh --write):
$new"
ok "there are many" test "$(wc -l <"$list")" -gt 100
is "$(grep -nE '[.!] *$' "$list")" "" "none ends with a full stop: more may follow"
is "$(grep -niE '\b(invalid|illegal|bad|fatal|failure)\b' "$list")" "" "none judges without saying what is wrong"
is "$(cut -d' ' -f2- "$list" | grep -nE '^[A-Z][a-z]' | grep -v '[0-9]*:IPv[46] ')" "" "none begins like a sentence: a prefix comes first"
done_testing

#!/bin/bash
# The pictures of docs/pictures show what the program prints now, and the recording is of the demo as it is.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
pictures=$top/docs/pictures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

text_of() {
	"$pictures/terminal.py" --text <"$1"
}

# The demo's titles, as the recording shows them.
titles() {
	sed -n 's/^title "\(.*\)"$/\1/p' "$top/tests/demo"
}
recorded_titles() {
	jq -j 'select(type == "array")[2]' "$pictures/demo.cast" | sed -n 's/\r$//; s/^\x1b\[1m[0-9]*\. \(.*\)\x1b\[0m$/\1/p'
}

must "the pictures are made anew" "$pictures/make" "$work"
for picture in "$work"/*.svg; do
	name=${picture##*/}
	is "$(text_of "$pictures/$name")" "$(text_of "$picture")" "$name is what is printed now (else run docs/pictures/make)"
	ok "README.md or a document shows $name" grep -q "pictures/$name" "$top/README.md" "$top"/docs/*.md
done
is "$(cd "$pictures" && echo *.svg)" "$(cd "$work" && echo *.svg)" "there is no other picture"
is "$(recorded_titles)" "$(titles)" "demo.cast has the demo's titles (else run docs/pictures/make-demo)"
is "$(head -n 1 "$pictures/demo.cast" | jq '.version, .width' | xargs)" "2 100" "it is an asciicast of 100 columns"
ok "it is smaller than 60 KB" test "$(stat -c %s "$pictures/demo.cast")" -lt 60000
done_testing

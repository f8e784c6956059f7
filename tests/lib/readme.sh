# shellcheck shell=bash
# The blocks of code in README.md. Each comes behind a comment `<!-- NAME: ACTION -->`, which a reader does not see:
#
#   run                   commands, for the server
#   run on the gateway    commands, for that machine
#   run from line N on: REASON
#   file PATH             the whole content of that file
#   append PATH           the end of it
#   not run, REASON       anything else
README=${README:-${BASH_SOURCE[0]%/*}/../../README.md}

# readme_blocks: NAME ACTION of each, a line each, in order
readme_blocks() {
	sed -n 's/^ *<!-- \([a-z-]*\): \(.*\) -->$/\1 \2/p' "$README"
}

# readme_block NAME: its lines, without their indent
readme_block() {
	awk -v name="$1" '
		on && /^ *$/ { blank = blank "\n"; next }
		on && index($0, indent) != 1 { exit }
		on { printf "%s%s\n", blank, substr($0, length(indent) + 1); blank = "" }
		index($0, "<!-- " name ": ") { on = 1; indent = $0; sub(/<.*/, "    ", indent) }' "$README"
}

# readme_unmarked: lines of code without such a comment. Behind an empty line, what stands four columns further in than
# the text around it is code.
readme_unmarked() {
	awk '
		/^ *<!-- [a-z-]*: .* -->$/ { marked = 1; next }
		/^ *```/ { print NR ": " $0; next }
		/^ *$/ { empty = 1; next }
		{
			match($0, /^ */)
			if (RLENGTH >= text + 4 && (empty || marked)) { if (!marked) print NR ": " $0 }
			else { marked = 0; text = RLENGTH; if (/^[0-9]+\. /) text += 3 }
			empty = 0
		}' "$README"
}

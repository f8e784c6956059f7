#!/bin/bash
# The completions of bash, zsh and fish offer each verb and option that the program has, and files for --config.
# shellcheck source-path=SCRIPTDIR/../lib
set -u
top=$(cd "${0%/*}/../.." && pwd)
. "$top/tests/lib/tap.sh"
program=${OGW_PROGRAM:-$top/_build/src/ocserv-gateway}
bash_file=$top/completion/ocserv-gateway.bash
zsh_file=$top/completion/_ocserv-gateway
fish_file=$top/completion/ocserv-gateway.fish

home=$(mktemp -d)
export HOME=$home XDG_CONFIG_HOME=$home XDG_DATA_HOME=$home XDG_CACHE_HOME=$home
cd "$home" || exit 1
mkdir etc
touch etc/gateway.ini 'etc/of two words.ini'

words() {
	sort -u | tr '\n' ' '
}

# What each shell offers for a command line, the last argument being the word under the cursor.
in_bash() {
	bash -c '
		. "$1" || exit
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		$(complete -p ocserv-gateway | sed "s/.* -F \([^ ]*\) .*/\1/")
		[ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$bash_file" ocserv-gateway "$@"
}

in_fish() {
	# shellcheck disable=SC2016 # fish is to expand it
	fish --private -c 'source $argv[1]; complete -C "$argv[2]"' "$fish_file" "ocserv-gateway $*" | cut -f1
}

# zsh completes in its line editor alone: what it hands to _arguments, and the verbs to _describe.
in_zsh() {
	# shellcheck disable=SC2016 # zsh is to expand it
	zsh -f -c '
		_describe() { print -rl -- ${${(P)2}%%:*} }
		_arguments() {
			local argument
			for argument; do
				case $argument in
				[0-9]:*"{"*"}") eval "${${argument##*\{}%\}}" ;;
				*) print -r -- "$argument" ;;
				esac
			done
		}
		. $1' zsh "$zsh_file"
}

# What a verb takes beside --help and --version, which stand alone.
options_of() {
	"$program" "$1" --help | grep -oE -- '--[a-z-]+' | grep -vxE -- '--(help|version)'
}

help=$("$program" --help)
verbs=$(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' <<<"$help" | words)
options=$(grep -oE -- '--[a-z-]+' <<<"$help" | words)
like "$verbs" '^[a-z]+ [a-z ]+ $' "--help names verbs: $verbs"
like "$options" '^--[a-z-]+ --[a-z -]+ $' "--help names options: $options"

ok "bash -n" bash -n "$bash_file"
is "$(in_bash '' | words)" "$verbs" "bash offers each verb"
is "$(in_bash - | words)" "$options" "bash offers each long option"
is "$(in_bash -n s | words)" "status " "bash offers a verb by its beginning, after an option"
is "$(in_bash -v --config etc/gateway.ini d | words)" "down " "bash offers a verb after the file"
is "$(in_bash --config up '' | words)" "$verbs" "bash takes a file for no verb"
for verb in $verbs; do
	is "$(in_bash "$verb" -- | words)" "$(options_of "$verb" | words)" "bash offers the options of $verb"
done
is "$(in_bash status -f | words)" "" "bash takes -f for an option"
is "$(in_bash status --format p | words)" "prometheus " "bash offers formats"
is "$(in_bash status --j | words)" "--json " "bash offers --json to status"
is "$(in_bash status --w | words)" "--watch " "bash offers --watch to status"
is "$(in_bash status --s | words)" "--short " "bash offers --short to status"
is "$(in_bash status -sc etc/ | sort)" "$(printf 'etc/gateway.ini\netc/of two words.ini')" "bash offers files after -sc"
is "$(in_bash up --watc | words)" "" "bash does not offer it to up"
files=$'etc/gateway.ini\netc/of two words.ini'
for option in -c -nc --config; do
	is "$(in_bash $option etc/ | sort)" "$files" "bash offers files after $option"
done
is "$(in_bash up -c etc/g)" etc/gateway.ini "bash offers a file by its beginning, after a verb"
is "$(in_bash --config =)" etc "bash offers files after --config="
is "$(in_bash --config = etc/g)" etc/gateway.ini "bash offers a file by its beginning, after --config="
is "$(in_bash --config = etc/gateway.ini c)" check "bash offers a verb after --config=FILE"

ok "fish --no-execute" fish --no-execute "$fish_file"
is "$(in_fish '' | words)" "$verbs" "fish offers each verb"
is "$(in_fish -- | words)" "$options" "fish offers each long option"
for letter in $(grep -oE '^ +-[a-zA-Z],' <<<"$help" | tr -d ' ,-'); do
	like "$(in_fish -)" "(^|"$'\n'")-$letter("$'\n'"|\$)" "fish offers -$letter"
done
for verb in $verbs; do
	is "$(in_fish "$verb" -- | words)" "$(options_of "$verb" | words)" "fish offers the options of $verb"
done
is "$(in_fish status --j)" "--json" "fish offers --json to status"
is "$(in_fish test --j)" "--json" "fish offers it to test"
is "$(in_fish test --w)" "" "but not --watch"
is "$(in_fish up --j)" "" "fish does not offer it to up"
is "$(in_fish status --w)" "--watch" "fish offers --watch to status"
is "$(in_fish up --watc)" "" "fish does not offer it to up"
is "$(in_fish up --dr)" "--dry-run" "fish offers --dry-run to up"
is "$(in_fish check --d)" "" "fish does not offer it to check"
is "$(in_fish up '' | words)" "" "fish offers one verb, and no files"
is "$(in_fish -c etc/g)" etc/gateway.ini "fish offers files after -c"
is "$(in_fish --config etc/g)" etc/gateway.ini "fish offers files after --config"

ok "zsh -n" zsh -n "$zsh_file"
is "$(head -n 1 "$zsh_file")" "#compdef ocserv-gateway" "zsh knows what the file is for"
offered=$(in_zsh)
is "$(grep -xE '[a-z]+' <<<"$offered" | words)" "$verbs" "zsh offers each verb"
is "$(sed -n 's/^([^)]*)\(--[a-z-]*\).*/\1/p' <<<"$offered" | words)" "$options" "zsh offers each long option"
like "$offered" ')-c\+\[[^]]*\]:[a-z]*:_files'$'\n' "zsh offers files after -c"
like "$offered" ')--config=\[[^]]*\]:[a-z]*:_files'$'\n' "zsh offers files after --config="

cd / && rm -rf "$home"
done_testing

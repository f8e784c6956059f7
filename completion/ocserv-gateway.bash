# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for ocserv-gateway

_ocserv_gateway() {
	local word=${COMP_WORDS[COMP_CWORD]} before='' verb='' offer
	local i=1
	COMPREPLY=()

	# Up to the word under the cursor; --config=FILE comes as three words.
	for ((; i < COMP_CWORD; i++)); do
		case $before in
		-[cfo] | -[dnjsv]*[cfo] | --config | --format | --ocserv-conf | --wait | --user | --group | --vhost) [ "${COMP_WORDS[i]}" = = ] || before='' ;;
		*)
			before=${COMP_WORDS[i]}
			case $before in
			init | check | up | down | status | explain | test) verb=$before ;;
			esac
			;;
		esac
	done
	case $before in
	-f | -[dnjsv]*f | --format)
		[ "$word" != = ] || word=
		mapfile -t COMPREPLY < <(compgen -W 'json prometheus' -- "$word")
		return
		;;
	--wait | --user | --group | --vhost) return ;;
	-[co] | -[dnjsv]*[co] | --config | --ocserv-conf)
		compopt -o filenames 2>/dev/null
		[ "$word" != = ] || word=
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	esac

	case $verb in
	init) offer='--config --ocserv-conf' ;;
	explain) offer='--config --json --verbose' ;;
	check) offer='--config --group --json --ocserv-conf --user --verbose --vhost' ;;
	test) offer='--config --json --verbose' ;;
	up) offer='--config --diff --dry-run --move --verbose --wait' ;;
	down) offer='--config --diff --dry-run --verbose' ;;
	status) offer='--config --format --json --short --verbose --watch' ;;
	*)
		offer='init check up down status explain test'
		[[ $word != -* ]] || offer='--config --diff --dry-run --format --group --json --move --ocserv-conf --short --user --verbose --vhost --wait --watch --help --version'
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$word")
}

complete -F _ocserv_gateway ocserv-gateway

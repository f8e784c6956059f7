# shellcheck shell=bash
# What `check` finds, from its stderr: a line each with its remedies, as other verbs log it.
as_logged() {
	sed ':all; N; $!b all; s/\n    /; /g' | sed 's/^\(error\|warning\|note\): /ocserv-gateway: &/'
}

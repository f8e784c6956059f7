# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for ocserv-gateway

set -l verbs init check up down status explain test
set -l no_verb "not __fish_seen_subcommand_from $verbs"

complete -c ocserv-gateway -f
complete -c ocserv-gateway -n $no_verb -a init -d 'Write gateway.ini from ocserv.conf'
complete -c ocserv-gateway -n $no_verb -a check -d 'Check gateway.ini against ocserv.conf and this host'
complete -c ocserv-gateway -n $no_verb -a up -d 'Install or repair routing and kill switch now'
complete -c ocserv-gateway -n $no_verb -a down -d 'Remove our rules, routes and nft table'
complete -c ocserv-gateway -n $no_verb -a status -d 'What is installed, what is wrong, live sessions'
complete -c ocserv-gateway -n $no_verb -a explain -d 'What happens to a packet of a client now'
complete -c ocserv-gateway -n $no_verb -a test -d 'Ask the gateway, and what is beyond it'

complete -c ocserv-gateway -s c -l config -r -F -d 'Read this file as the configuration'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init check status explain test' -s n -l dry-run \
    -d 'Print what would be done, and do nothing'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init check status explain test' -s d -l diff -d 'With -n, as a diff'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init up down' -s j -l json -d 'For programs'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from up down status explain test' -s o -l ocserv-conf -r -F \
    -d "Read this file as ocserv's own"
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init check up down explain test' -s f -l format -x \
    -a 'json prometheus' -d 'Status for programs'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init check up down explain test' -s s -l short \
    -d 'Status in one line'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init check up down explain test' -s w -l watch \
    -d 'Status repeatedly'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init check down status explain test' -l move \
    -d "Choose the gateway's interface again"
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init check down status explain test' -l wait -x \
    -d "Wait for the gateway's interface, at most this many seconds"
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init up down status explain test' -l user -x -d 'Where a session of this user would leave'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init up down status explain test' -l group -x -d 'And of this group'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init up down status explain test' -l vhost -x -d 'And of this virtual host'
complete -c ocserv-gateway -n 'not __fish_seen_subcommand_from init' -s v -l verbose -d 'Log each change; with check, print each value; with status, counters that are 0'
complete -c ocserv-gateway -n $no_verb -s h -l help -d 'Print a summary'
complete -c ocserv-gateway -n $no_verb -s V -l version -d 'Print the version'

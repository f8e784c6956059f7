"""Instructions, system calls and netlink messages of each hook: exact, for one build on one machine."""

import re
import sys

import hooks
import hosts

TABLE = hooks.BENCH / "counts.tsv"
COLUMNS = ("hook", "instructions", "outside main", "system calls", "netlink messages")
HEADER = """\
# What each hook costs, in numbers that no load changes. Written by `bench/counts --update`, checked by
# tests/checks/counts.sh: none may grow by more than a tenth without this table being updated in the same change.
# instructions: of the program and its libraries, within main; outside: the dynamic loader's and libc's.
# Counted with {versions}.
"""


def versions():
    commands = ("gcc -dumpfullversion", "getconf GNU_LIBC_VERSION", "pkg-config --modversion libnftnl",
                "pkg-config --modversion libmnl", "valgrind --version", "uname -r")
    said = [hosts.run(command.split()).split("-")[-1 if "valgrind" in command else 0].split()[-1]
            for command in commands]
    return ", ".join(map(" ".join, zip(("gcc", "glibc", "libnftnl", "libmnl", "valgrind", "Linux"), said)))


def instructions(hook, *options):
    """Those that callgrind sees with these options."""
    hook.prepare()
    said = hook.once(["valgrind", "--tool=callgrind", "--vgdb=no", "--callgrind-out-file=/dev/null", *options])
    return int(re.search(r"Collected : (\d+)", said)[1])


def system_calls(hook):
    """How many there are, and how many netlink messages they send."""
    trace = hooks.WORK / "trace"
    hook.prepare()
    hook.once(["strace", "-f", "-v", "-s", "65536", "-o", str(trace)])
    calls = [line for line in trace.read_text(errors="replace").splitlines() if re.match(r"\d+ +\w+\(", line)]
    sent = [line for line in calls if re.match(r"\d+ +send(to|msg|mmsg)\(", line)]
    return len(calls), sum(line.count("{nlmsg_len=") for line in sent)


def count(host):
    """A row for each case, in the order of COLUMNS."""
    for case in hooks.CASES:
        hook = hooks.Hook(host, hooks.PROGRAM, case)
        main = instructions(hook, "--toggle-collect=main")
        yield case.name, main, instructions(hook) - main, *system_calls(hook)


def table(rows):
    lines = ["\t".join(map(str, row)) for row in (COLUMNS, *rows)]
    return HEADER.format(versions=versions()) + "\n".join(lines) + "\n"


def main():
    hooks.begin(hooks.PROGRAM, tools=("valgrind", "strace"))
    text = table(count(hosts.Host("counted")))
    if "--update" in sys.argv[1:]:
        TABLE.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()

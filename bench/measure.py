"""Measures the hooks; docs/performance.md tells how, and what came out."""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import socket
import statistics
import sys
import threading
import time

import counts
import flood
import hooks
import many
import packets
import report
from hooks import DISCONNECT, EMPTY, FIRST, FLOOD, INTACT, PROGRAM, SESSION_HOOK, SHELL_HOOK, WORK, Hook
from hosts import GATEWAY, Host, client, fail, run

AT_A_TIME = 64                          # connects of a storm
SELDOM = 3                              # rounds for one of the shell's hooks, which take long and vary little
WITH_OWN_RULES = 10_000                 # sessions, at most, that get rules of their own
DESTINATIONS = "203.0.113."             # of tracked flows; they end at the gateway
PORTS = 50_000                          # flows to one destination: each needs a port of our address
SESSION_GUARD = "ocserv_gw_session"     # session-hook's table


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much is measured."""
    rounds: int
    storms: int
    storm: int                          # connects of one
    shell_storm: int
    sessions: tuple
    session_rounds: int
    floods: int
    flood_ms: int
    flows: tuple
    many_sessions: tuple
    many_rounds: int
    restores: int
    packet_rounds: int
    packet_ms: int
    packets_short: bool = False


FULL = Scale(rounds=90, storms=5, storm=1000, shell_storm=64, sessions=(1, 10, 100, 1000, 10_000, 100_000),
             session_rounds=18, floods=5, flood_ms=250, flows=(0, 1000, 10_000, 100_000),
             many_sessions=(1, 100, 10_000, 100_000), many_rounds=9, restores=3,
             packet_rounds=30, packet_ms=25)
QUICK = Scale(rounds=6, storms=1, storm=128, shell_storm=64, sessions=(1, 100, 10_000),
              session_rounds=3, floods=1, flood_ms=100, flows=(0, 1000),
              many_sessions=(1, 1000), many_rounds=2, restores=1,
              packet_rounds=3, packet_ms=15)
SHORT = dataclasses.replace(FULL, packets_short=True, packet_rounds=20, packet_ms=50)


def take_precedence():
    """The highest priority, in a group of our own (sched(7)): other work on the machine disturbs less."""
    os.setsid()
    os.setpriority(os.PRIO_PROCESS, 0, -20)
    group = pathlib.Path("/proc/self/autogroup")
    if group.exists():
        group.write_text("-20")


def say(what):
    print(f"bench: {what}", file=sys.stderr, flush=True)


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else list(values) * 3


def interleaved(contenders, rounds):
    """Runs of each hook of a group, the groups in turn; None where a round left one out."""
    runs = {group: {name: [] for name in members} for group, members in contenders.items()}
    for turn in range(rounds):
        for group, members in contenders.items():
            for name, hook in members.items():
                left_out = hook.seldom and turn % SELDOM
                runs[group][name].append(None if left_out else hook.measure())
    return {group: {name: summary(own, members["empty"]) for name, own in members.items()}
            for group, members in runs.items()}


def summary(runs, base):
    """Of runs, and of their ratios to those of the empty program in the same round."""
    pairs = [(own, empty) for own, empty in zip(runs, base) if own]
    return {
        "us": quartiles([own.elapsed / 1000 for own, _ in pairs]),
        "cpu_us": statistics.median(own.cpu / 1000 for own, _ in pairs),
        "ratio": quartiles([own.elapsed / empty.elapsed for own, empty in pairs]),
        "more_us": quartiles([(own.elapsed - empty.elapsed) / 1000 for own, empty in pairs]),
        "cpu_ratio": statistics.median(own.cpu / empty.cpu for own, empty in pairs),
        "memory_kib": max(own.memory for own, _ in pairs),
    }


def measure_cases(ours, shell, scale):
    contenders = {}
    for case in hooks.CASES:
        contenders[case.name] = {"empty": Hook(ours, EMPTY, case), "ours": Hook(ours, PROGRAM, case)}
        if case.reason:
            contenders[case.name]["shell"] = Hook(shell, SHELL_HOOK, case)
    return interleaved(contenders, scale.rounds)


def other_builds():
    """Of the same sources, as OGW_BUILDS names them, a line each: NAME=PROGRAM."""
    return dict(line.split("=", 1) for line in os.environ.get("OGW_BUILDS", "").splitlines() if line)


def measure_builds(host, scale):
    """A connect that finds all intact, by each build."""
    members, programs = {"empty": Hook(host, EMPTY)}, {"as it is": PROGRAM, **other_builds()}
    for name, program in programs.items():
        members[name] = Hook(host, PROGRAM)
        members[name].command = [program]
    measured = interleaved({"": members}, scale.rounds)[""]
    for name, program in programs.items():
        measured[name]["calls"], _ = counts.system_calls(members[name])
        measured[name]["traps"] = traps(program, "--version")
    return measured


def crowd_of_sessions(count):
    """A file of sessions for spawn. Their workers are threads that live on: a hook looks for its own in /proc."""
    threading.stack_size(65536)
    threads = [threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    path = WORK / "crowd"
    path.write_text("".join(f"ID={thread.native_id} IP_REMOTE={client(number)} IPV6_REMOTE=fd20::1:{number:x}\n"
                            for number, thread in enumerate(threads)))
    return str(path)


def storm(hook, size, sessions):
    """Many at a time, after a restart: milliseconds for all, and for the slowest."""
    hook.host.sh(hooks.CLEAN)
    runs, total = hook.spawn("-n", str(size), "-j", str(AT_A_TIME), "-e", sessions)
    return total / 1e6, max(one.elapsed for one in runs) / 1e6


def measure_storms(ours, shell, scale):
    sessions = crowd_of_sessions(scale.storm)
    sizes = {"empty": scale.storm, "ours": scale.storm, "shell": scale.shell_storm}
    contenders = {"empty": Hook(ours, EMPTY), "ours": Hook(ours, PROGRAM), "shell": Hook(shell, SHELL_HOOK)}
    storms = {name: [] for name in contenders}
    for turn in range(scale.storms):
        for name, hook in contenders.items():
            if not (hook.seldom and turn % SELDOM):
                storms[name].append(storm(hook, sizes[name], sessions))
    return {
        "size": scale.storm, "at_a_time": AT_A_TIME, "shell_size": scale.shell_storm,
        "total_ms": {name: quartiles([total for total, _ in own]) for name, own in storms.items()},
        "slowest_ms": {name: quartiles([slowest for _, slowest in own]) for name, own in storms.items()},
        "ratio": quartiles([own[0] / empty[0] for own, empty in zip(storms["ours"], storms["empty"])]),
    }


def add_records(directory, numbers):
    """Records of sessions, as the one that is there."""
    sessions = pathlib.Path(directory, "sessions")
    own = hooks.SESSION["ID"]
    record = (sessions / own).read_text()
    addresses = pathlib.Path(directory, "addresses")
    for number in numbers:
        id = 5_000_000 + number         # beyond the largest pid, so that no worker is found
        (sessions / str(id)).write_text(record.replace(f"id={own} ", f"id={id} "))
        if addresses.exists():
            (addresses / client(number)).symlink_to(str(id))


def add_own_rules(host, numbers):
    """What session-hook makes for each session."""
    host.ip("".join(f"rule add from {client(number)} lookup 100 priority 1000\n" for number in numbers))
    run(host.within(["nft", "-f", "-"]), "".join(
        f"add rule inet {SESSION_GUARD} forward ip saddr {client(number)} oifname eth0 "
        f"rt ip nexthop != {GATEWAY} drop\n" for number in numbers))


class SessionHook(Hook):
    """session-hook connects and, not measured, disconnects."""

    def measure(self):
        runs, _ = self.spawn()
        Hook(self.host, SESSION_HOOK, DISCONNECT).once()
        return runs[0]


def measure_floods(crowd, sessions, scale):
    """Packets per second that reach the gateway, from clients all over the sessions."""
    streams = {name: flood.new_flows(host, packets.addresses(sessions)) for name, host in crowd.items()}
    found = {name: [] for name in crowd}
    for _ in range(scale.floods):
        for name, stream in streams.items():
            sample = stream.flood(scale.flood_ms)
            found[name].append(sample.arrived / sample.elapsed * 1e9)
    return {name: quartiles(rates) for name, rates in found.items()}


def grow(crowd, there, sessions):
    """Each host of the crowd gets sessions, up to this number."""
    if sessions > WITH_OWN_RULES:
        crowd.pop("session", None)
    for name, host in crowd.items():
        host.add_clients(range(there, sessions))
        if name == "session":
            add_own_rules(host, range(there, sessions))


def measure_latency(ours, shell, scale):
    """Of hooks, over the number of sessions."""
    crowd = {"ours": ours, "shell": shell, "session": Host("session")}
    programs = {"ours": PROGRAM, "shell": SHELL_HOOK}
    for name in programs:
        crowd[name].sh(hooks.CLEAN)
    contenders = {
        "empty": Hook(ours, EMPTY), "ours": Hook(ours, PROGRAM), "disconnect": Hook(ours, PROGRAM, DISCONNECT),
        "shell": Hook(shell, SHELL_HOOK), "session": SessionHook(crowd["session"], SESSION_HOOK),
    }
    contenders["session"].measure()
    latency, there = {}, 0
    for sessions in scale.sessions:
        grow(crowd, there, sessions)
        for name, program in programs.items():
            Hook(crowd[name], program).once()           # the session of number 0
            add_records(hooks.STATE[program], range(max(there, 1), sessions))
        there = sessions
        if "session" not in crowd:
            contenders.pop("session", None)
        latency[sessions] = interleaved({"": contenders}, scale.session_rounds)[""]
    return latency


def measure_throughput(scale):
    """Over the number of sessions."""
    crowd = {"masquerade": packets.by_hand("flooded-masquerade", packets.BY_HAND["masquerade"]),
             "ours": packets.configured("flooded-ours"), "session": Host("flooded-session")}
    crowd["session"].sh("rm -rf /run/session-hook")
    SessionHook(crowd["session"], SESSION_HOOK).measure()
    throughput, there = {}, 0
    for sessions in scale.sessions:
        grow(crowd, there, sessions)
        there = sessions
        throughput[sessions] = measure_floods(crowd, sessions, scale)
    return throughput


def measure_flows(scale):
    """Hooks over the number of flows that the kernel tracks, of other clients."""
    host, found, there = Host("tracking"), {}, 0
    contenders = {
        "empty": Hook(host, EMPTY), "ours": Hook(host, PROGRAM, config="any-flows"),
        "disconnect": Hook(host, PROGRAM, DISCONNECT, config="any-flows"),
    }
    contenders["ours"].once()
    wire = flood.Wire(host, "client", "vpns0")
    for flows in scale.flows:
        host.add_clients(range(there, flows))
        for first in range(there, flows, flood.FLOWS):
            wire.send_each(flood.to_far(DESTINATIONS + str(first // PORTS + 1),
                                        [socket.inet_aton(client(first + number)) for number in range(flood.FLOWS)]))
        there = flows
        if not flows <= tracked(host) < flows + flood.FLOWS:
            fail(f"{tracked(host)} flows are tracked, not {flows}")
        found[flows] = interleaved({"": contenders}, scale.session_rounds)[""]
    host.remove()                       # and its flows, which the kernel would look at again
    return found


def tracked(host):
    return int(run(host.within(["cat", "/proc/sys/net/netfilter/nf_conntrack_count"])))


def flows_to(number, first):
    """A frame for a flow of each of some clients, from this one on, to the destination of this number."""
    return flood.to_far(DESTINATIONS + str(number + 1),
                        [socket.inet_aton(client(first + each)) for each in range(flood.FLOWS)])


def fill(host, flows, first):
    """So many flows, of as many clients as a flood has. What a busy machine loses is sent again."""
    wire = flood.Wire(host, "client", "vpns0")
    for number in range(flows // flood.FLOWS):
        tries = 0
        while tracked(host) < (number + 1) * flood.FLOWS:
            wire.send_each(flows_to(number, first))
            tries += 1
            if tries == 10:
                fail(f"{tracked(host)} flows are tracked, not {flows}")


def all_leave(host, program, scale, sessions, first):
    """Many sessions that end, 64 at a time: seconds of the processor and for all, milliseconds of the slowest."""
    options = ("-n", str(scale.storm), "-j", str(AT_A_TIME), "-e", sessions)
    Hook(host, PROGRAM, config="any-flows").spawn(*options)
    if first is not None:
        fill(host, max(scale.flows), first)
    runs, total = Hook(host, program, DISCONNECT, config="any-flows").spawn(*options)
    return sum(one.cpu for one in runs) / 1e9, total / 1e9, max(one.elapsed for one in runs) / 1e6


def measure_endings(scale):
    """Over whose flows the kernel tracks."""
    sessions, found = crowd_of_sessions(scale.storm), {}
    for name, program, first in (("empty", EMPTY, None), ("none", PROGRAM, None), ("others", PROGRAM, 10_000),
                                 ("own", PROGRAM, 0)):
        host = Host(f"ending-{name}")
        host.add_clients(range(first or 0, (first or 0) + flood.FLOWS))
        rounds = [all_leave(host, program, scale, sessions, first) for _ in range(scale.storms)]
        found[name] = dict(zip(("cpu_s", "all_s", "slowest_ms"), map(quartiles, zip(*rounds))))
        host.remove()
    return {"size": scale.storm, "at_a_time": AT_A_TIME, "flows": max(scale.flows), "of": found}


def measure_many(scale):
    """Over the number of sessions and of gateways: hooks, and packets."""
    many.begin(max(scale.many_sessions))
    alone, several = Host("single"), {gateways: many.ManyHost(gateways, max(scale.many_sessions)) for gateways in many.GATEWAYS}
    Hook(alone, PROGRAM).once()
    single = {case.name: Hook(alone, PROGRAM, case) for case in (INTACT, DISCONNECT)}
    found, there = {}, 0
    for sessions in scale.many_sessions:
        say(f"gateways, {sessions} sessions")
        alone.add_clients(range(there, sessions))
        for host in several.values():
            host.add_clients(range(there, sessions))
            host.grow(sessions)
        there = sessions
        found[sessions] = {
            "packets": measure_floods({"single": alone, **several}, sessions, scale),
            "hooks": {gateways: many.hooks_of(host, scale) for gateways, host in several.items()},
            "single": {name: many.least([hook.measure() for _ in range(scale.many_rounds)])
                       for name, hook in single.items()},
        }
    return found


def lock_held(hook):
    """Microseconds from the moment when flock(2) returns until it is asked to let go, or the process ends."""
    trace = WORK / "trace"
    hook.prepare()
    hook.once(["strace", "-f", "--seccomp-bpf", "-ttt", "-T", "-e", "trace=flock,exit_group", "-o", str(trace)])
    taken = None
    for line in trace.read_text().splitlines():
        _, at, call = line.split(None, 2)
        if not taken and call.startswith("flock(") and " = 0 " in call:
            taken = float(at) + float(re.search(r"<([\d.]+)>$", call)[1])
        elif taken:
            return (float(at) - taken) * 1e6
    return 0.0


def measure_lock(ours, scale):
    held = {case.name: [] for case in (INTACT, FIRST, DISCONNECT)}
    for _ in range(scale.session_rounds):
        for case in (INTACT, FIRST, DISCONNECT):
            held[case.name].append(lock_held(Hook(ours, PROGRAM, case)))
    return {name: quartiles(values) for name, values in held.items()}


def traps(program, *arguments):
    """How many CPUID instructions it executes, all of them before main."""
    return int(run([hooks.TRAPS, program, *arguments]).split()[-1])


def program_size():
    stripped = WORK / "stripped"
    run(["strip", "-o", str(stripped), PROGRAM])
    return stripped.stat().st_size


def measure(scale):
    ours, shell = Host("ours"), Host("shell")
    results = {"machine": report.machine(), "counts": [counts.COLUMNS, *counts.count(ours)]}
    say("hooks")
    results["cases"] = measure_cases(ours, shell, scale)
    results["builds"] = measure_builds(ours, scale)
    say("storms")
    results["storm"] = measure_storms(ours, shell, scale)
    results["lock_us"] = measure_lock(ours, scale)
    say("sessions")
    results["latency"] = measure_latency(ours, shell, scale)
    results["flows"] = measure_flows(scale)
    results["endings"] = measure_endings(scale)
    results["throughput"] = measure_throughput(scale)
    results["many"] = measure_many(scale)
    results["packets"] = packets.measure(scale, say)
    results["size"] = program_size()
    results["traps"] = {"empty": traps(EMPTY), "ours": traps(PROGRAM, "--version")}
    return results


def measure_in_qemu():
    """
    The short form on a kernel of Debian's, which has flow tables. Before Linux 6.5 that would say little: there what
    comes in is left to ksoftirqd as soon as that is awake, which gets no processor while a flood has real time.
    """
    say("packets, in QEMU")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OGW_")}
    environment.update(OGW_PROGRAM=PROGRAM, OGW_BUILD=str(hooks.BUILD), OGW_KERNEL=os.environ.get("OGW_KERNEL", "newest"),
                       OGW_CPUS="1", OGW_CLOCK="instructions")
    command = [hooks.BENCH.parent / "tests/vm/run", hooks.BENCH / "run", "--packets", "--short", "--json"]
    return json.loads(run(command, env=environment, timeout=900))


def measure_part(options, scale):
    """What is asked for by its own name, with the machine it ran on."""
    results = {}
    if options.many:
        results = {"many": measure_many(scale), "many_machine": report.machine()}
    if options.packets:
        name = "packets_short" if options.short else "packets"
        results |= {name: packets.measure(scale, say), f"{name}_machine": report.machine()}
    if options.vm:
        results |= measure_in_qemu()
    return results


def read_options():
    parser = argparse.ArgumentParser(prog="bench/run")
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it works")
    parser.add_argument("--many", action="store_true", help="several gateways alone")
    parser.add_argument("--packets", action="store_true", help="what a packet costs, alone")
    parser.add_argument("--short", action="store_true", help="of --packets: to the gateway and back, for ratios")
    parser.add_argument("--vm", action="store_true", help="and of packets the short form on Debian's newest kernel, in QEMU")
    parser.add_argument("--json", action="store_true", help="print what was measured as JSON, not as tables")
    parser.add_argument("--update-docs", action="store_true", help="write docs/performance.md and its plots")
    return parser.parse_args()


def main():
    options = read_options()
    begun = time.monotonic()
    take_precedence()
    tools = () if options.packets else ("strace", "valgrind", "strip")
    hooks.begin(PROGRAM, EMPTY, hooks.SPAWN, hooks.TRAPS, FLOOD, tools=tools)
    scale = SHORT if options.short else QUICK if options.quick else FULL
    results = measure_part(options, scale)
    if not options.many and not options.packets:
        results |= measure(scale)
    results["seconds"] = time.monotonic() - begun
    results["rounds"] = scale.rounds
    results = json.loads(json.dumps(results))       # as it is read back
    (hooks.BUILD / "bench/results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results) if options.json else report.text(results))
    if options.update_docs:
        report.update(results)


if __name__ == "__main__":
    main()

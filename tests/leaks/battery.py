#!/usr/bin/env python3
"""The leak battery: every packet under every trouble, and attacks with what is beside, in TAP.

    battery.py --program PATH [--quick] [--only WORDS] [--variant WORDS]

Must run as root in a sandbox of its own (see ../leaks.sh).
"""

import argparse
import itertools
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from typing import Callable, Iterator, NamedTuple

import attacks
import bench as benches
import several
import troubles
import variants
import works

LINGER = 1.4  # longer than the kernel keeps fragments here
MORE = bool(os.environ.get("OGW_MORE"))  # tests/run --more: all cases; without it, of these groups some
STEPS = {  # each so many-th
    "pairs: guard": 43,
    "pairs: policy routing": 7,
    "pairs: network": 7,
    "pairs: policy routing and network": 7,
    "pairs: a layer gone and network": 3,
    "repair": 3,
    "several: one rule": 13,
    "several: one chain": 13,
    "several: maps": 11,
    "several: policy routing": 7,
    "several: others' marks": 17,
    "several: network": 3,
    "several: repair": 29,
    several.NOT_COUNTED: 9,
}
REPEATED = 4  # and each fourth of these, where a configuration before it went through the same
REPEATED_GROUPS = ("guard: one rule", "guard: one chain", "policy routing", "network")


class Case(NamedTuple):
    group: str
    name: str
    troubles: tuple[troubles.Trouble, ...]
    packets: str = "all"  # "all", "essence" or "ordinary"
    excuse: bool = False
    linger: float = 0
    passes: bool = False  # clients must still reach the gateway


def damaged(*names: troubles.Trouble) -> bool:
    return any(trouble.layer == troubles.GUARD for trouble in names)


def case(group: str, *chosen: troubles.Trouble, **more) -> Case:
    name = " + ".join(trouble.name for trouble in chosen)
    passes = len(chosen) == 1 and chosen[0].passes
    return Case(group, name, chosen, excuse=damaged(*chosen), passes=passes, **more)


def undisturbed(linger: float) -> list[Case]:
    nothing = troubles.NETWORK_TROUBLES[0]
    flush, gone = troubles.GUARD_GONE[2], troubles.ROUTING_GONE
    return [
        case("one layer gone or none", *what, linger=linger)
        for what in ((nothing,), (flush,), (gone,))
    ]


def singles(quick: bool) -> list[Case]:
    rules, chains = troubles.guard_troubles()
    deletions = troubles.rule_deletions()
    cases = undisturbed(0 if quick else LINGER)
    cases += [case("guard: one rule", trouble) for trouble in rules]
    cases += [case("guard: one chain", trouble) for trouble in chains]
    cases += [case("guard: all of it", trouble) for trouble in troubles.GUARD_GONE]
    cases += [
        case("policy routing", trouble) for trouble in (*deletions, *troubles.ROUTING_TROUBLES)
    ]
    cases += [case("network", trouble) for trouble in troubles.NETWORK_TROUBLES[1:]]
    return cases


def programs() -> list[Case]:
    rules, chains = troubles.guard_troubles()
    damages = [
        *rules,
        *chains,
        *troubles.GUARD_GONE,
        *troubles.rule_deletions(),
        *troubles.ROUTING_TROUBLES[:1],
    ]
    cases = [case("program at work", trouble) for trouble in troubles.PROGRAM_TROUBLES]
    cases += [
        case("repair", troubles.repaired(trouble)) for trouble in (*damages, troubles.ROUTING_GONE)
    ]
    return cases


def guard_pairs() -> Iterator[tuple[troubles.Trouble, ...]]:
    """Two rules removed, two altered, a chain and anything else."""
    rules, chains = troubles.guard_troubles()
    yield from itertools.combinations(rules[::2], 2)
    yield from itertools.combinations(rules[1::2], 2)
    yield from itertools.combinations(chains, 2)
    yield from itertools.product(rules, chains)


def pairs() -> list[Case]:
    routing = [*troubles.rule_deletions(), *troubles.ROUTING_TROUBLES]
    environment = troubles.NETWORK_TROUBLES[1:]
    layers = [troubles.GUARD_GONE[2], troubles.ROUTING_GONE]
    found = [
        ("pairs: guard", guard_pairs()),
        ("pairs: policy routing", itertools.combinations(routing, 2)),
        ("pairs: network", itertools.combinations(environment, 2)),
        ("pairs: policy routing and network", itertools.product(routing, environment)),
        ("pairs: a layer gone and network", itertools.product(layers, environment)),
    ]
    return [
        case(group, *chosen, packets="essence")
        for group, chosen_pairs in found
        for chosen in chosen_pairs
    ]


def controls(_: bool) -> list[Case]:
    """The troubles that mean something to rules that are not ours."""
    chosen = [
        *troubles.NETWORK_TROUBLES,
        troubles.GUARD_GONE[2],
        troubles.GUARD_GONE[3],
        *troubles.rule_deletions()[:1],
        *troubles.ROUTING_TROUBLES[:-1],
    ]
    return [
        case(f"{kind} packets", trouble, packets=choice)
        for kind, choice in (("ordinary", "ordinary"), ("hostile", "essence"))
        for trouble in chosen
    ]


def lone(_: bool) -> list[Case]:
    """The troubles that routing alone must stand, and those that take a rule of it."""
    flush, environment = troubles.GUARD_GONE[2], troubles.NETWORK_TROUBLES[1:]
    gone = [trouble for trouble in troubles.GUARD_GONE if trouble is not flush]
    return [
        *undisturbed(0),
        *(case("guard: all of it", trouble) for trouble in gone),
        *(case("policy routing", trouble) for trouble in troubles.rule_deletions()),
        *(case("network", trouble) for trouble in environment),
        *(case("pairs: guard gone and network", flush, trouble) for trouble in environment),
    ]


def struck(attack: attacks.Attack, control: bool) -> list[Case]:
    """An attack with each of the damages."""
    damages = [attacks.DAMAGES[name] for name in attack.damages[: 1 if control else None]]
    strike = troubles.Trouble("the attack", troubles.NETWORK, attack.strike)
    return [
        Case(
            attack.group,
            f"{attack.name}; {damage.name}",
            (damage, strike),
            packets=attack.packets,
            excuse=damaged(damage),
        )
        for damage in damages
    ]


def attackers(_: bool) -> list[Case]:
    """Every single trouble, with all that hostile packets could use at hand."""
    return [chosen._replace(packets="attackers") for chosen in singles(True)]


def cases_of(found: Iterator[tuple[str, troubles.Trouble]]) -> list[Case]:
    return [case(group, trouble, packets="several") for group, trouble in found]


class Plan(NamedTuple):
    """What is installed, and the part of the battery that it goes through."""

    title: str
    variant: variants.Variant
    make: Callable[[bool], list[Case]]
    rules: variants.Rules | None = None  # None: the program's
    prepare: Callable[[benches.Bench], None] | None = None  # what is there beside
    attack: attacks.Attack | None = None

    @property
    def control(self) -> bool:
        return self.rules is not None


def everything(quick: bool) -> list[Case]:
    return singles(quick) + programs() + ([] if quick else pairs())


def attack_plans(title: str, variant: variants.Variant, chosen, rules=None) -> Iterator[Plan]:
    for attack in chosen:
        yield Plan(
            title,
            variant._replace(settings=attacks.settings(attack, variant)),
            lambda _, a=attack: struck(a, rules is not None),
            rules,
            attack.prepare,
            attack,
        )


class Choice:
    """The cases to go through, the same ones each time and in each worker.

    Each trouble is met with its first configuration. Where others begin to count differs.
    """

    def __init__(self) -> None:
        self.met: set[tuple[str, str]] = set()

    def chosen(self, index: int, cases: list[Case]) -> list[Case]:
        found = [each for number, each in enumerate(cases) if MORE or self.takes(index + number, each)]
        self.met |= {(each.group, each.name) for each in cases}
        return found

    def takes(self, number: int, chosen: Case) -> bool:
        step = STEPS.get(chosen.group, 1)
        if chosen.group in REPEATED_GROUPS and (chosen.group, chosen.name) in self.met:
            step = REPEATED
        return number % step == 0


def several_control(_: bool) -> list[Case]:
    return [case("hostile packets", troubles.NETWORK_TROUBLES[0], packets="several")]


def plans() -> list[Plan]:
    (first, dual), second = variants.MAIN_VARIANTS, variants.SIDE_VARIANTS[1]
    return [
        Plan("control: a next-hop guard", first, controls, variants.NextHopGuard()),
        Plan("control: no rules", first, controls, variants.Nothing()),
        *(Plan(variant.name, variant, everything) for variant in (dual, first)),
        *(Plan(variant.name, variant, singles) for variant in variants.SIDE_VARIANTS),
        *(Plan(variant.name, variant, lone) for variant in variants.LONE_VARIANTS),
        *(
            Plan(variant.name, variant, lambda _: undisturbed(0))
            for variant in variants.OPTION_VARIANTS
        ),
        Plan("control: a rule for each session", several.MAIN, several_control, several.RuleForEach()),
        *(Plan(variant.name, variant, lambda _: cases_of(several.everything())) for variant in several.VARIANTS),
        Plan(several.TREE.name, several.TREE, lambda _: cases_of((*several.undisturbed(), *several.in_tree()))),
        Plan("several, sessions", several.MAIN, lambda _: cases_of(several.moves())),
        *(Plan(variant.name, variant, lambda _: cases_of(several.undisturbed())) for variant in several.OPTIONS),
        Plan("dual stack, others beside", dual, attackers, prepare=attacks.all_beside),
        *attack_plans("attacks, control", first, attacks.everyone(), variants.NextHopGuard()),
        *attack_plans("attacks", dual, attacks.everyone()),
        *attack_plans("attacks, IPv6 blocked", first, attacks.everyone()),
        *attack_plans("attacks, second uplink", second, attacks.of_replies()),
    ]


# One worker takes every JOBS-th case of each plan.


class Result(NamedTuple):
    plan: int
    group: str
    name: str
    row: benches.Row | None
    problem: str
    lost: int = 0


LOST = "clients no longer reach the gateway"


def measure(bench: benches.Bench, chosen: Case) -> tuple[benches.Row, str]:
    bench.dirty |= any(trouble.layer != troubles.GUARD for trouble in chosen.troubles)
    row = bench.measure(
        chosen.name,
        chosen.packets,
        [trouble.act for trouble in chosen.troubles],
        chosen.excuse,
        chosen.passes,
        chosen.linger,
    )
    if row.leaks and chosen.group == several.NOT_COUNTED:
        return row._replace(leaks=0, excused=row.excused + row.leaks), ""
    if row.leaks:
        return row, f"{row.leaks} leaks; the first: {row.first}"
    if bench.failures and len(chosen.troubles) == 1:
        return row, f"the trouble itself failed: {bench.failures[0]}"
    if chosen.passes and not row.honest:
        return row, LOST
    return row, ""


def measure_attack(bench: benches.Bench, attack: attacks.Attack, chosen: Case, control: bool) -> tuple:
    bench.dirty, bench.damage = True, chosen.troubles[0]
    row, problem = measure(bench, chosen)
    failed = [
        f"the attack itself failed: {failure}"
        for failure in bench.failures
        if not failure.startswith("ip neigh flush")  # it gives up where packets bring them back
    ]
    lost = list(bench.problems)
    if MORE or not (control and row.leaks):  # what leaks is enough of a control
        lost += attacks.spared(bench, attack)
    return row, "; ".join([*[problem] * bool(problem), *failed, *lost[: attacks.FINDINGS]]), len(lost)


def installed(bench: benches.Bench, plan: Plan) -> str:
    """Why the plan's rules are not installed, or nothing."""
    bench.answering = not plan.control
    try:
        bench.install(plan.variant, plan.rules or bench.program, plan.prepare)
    except RuntimeError as error:
        if not plan.attack:
            raise
        return f"not installed: {error}"
    return ""


def run_plan(index: int, plan: Plan, bench: benches.Bench, cases: list[Case], share: tuple) -> Iterator[Result]:
    """The cases of a plan, or those of them that are this worker's share."""
    (only, first, jobs) = share
    for number, chosen in enumerate(cases, 1):
        if number % jobs != first or only and only not in chosen.name:
            continue
        bench.reset()
        if plan.attack:
            bench.overlook()  # what left while the last case was looked at
            yield Result(index, chosen.group, chosen.name, *measure_attack(bench, plan.attack, chosen, plan.control))
        else:
            row, problem = measure(bench, chosen)
            yield Result(index, chosen.group, chosen.name, row, problem, problem == LOST)
    bench.verify_reset()


def work(worker: int, options: argparse.Namespace, results) -> None:
    directory = tempfile.mkdtemp(prefix="leaks-")
    bench = benches.Bench(variants.Program(options.program, directory))
    choice = Choice()
    for index, plan in enumerate(plans()):
        if options.variant and options.variant not in plan.title:
            continue
        share = options.only, worker, options.jobs
        if plan.attack:  # a worker does all of it
            if index % options.jobs != worker or options.only not in f"{plan.attack.group}: {plan.attack.name}":
                continue
            share = "", 0, 1
        problem = installed(bench, plan)
        if problem:
            results.put(Result(index, plan.attack.group, plan.attack.name, None, problem, 1))
            continue
        if not plan.control and not plan.attack and worker == 0:
            for name, problem in works.works(bench):
                results.put(Result(index, "it works", name, None, problem))
            bench.overlook()
        cases = plan.make(options.quick)
        if not plan.control and not plan.attack:
            cases = choice.chosen(index, cases)
        for result in run_plan(index, plan, bench, cases, share):
            results.put(result)


def worker_main(worker: int, options: argparse.Namespace, results) -> None:
    try:
        work(worker, options, results)
        results.put(None)
    except BaseException:  # whatever it is, the report needs it
        results.put(traceback.format_exc())


def collect(options: argparse.Namespace) -> tuple[list[Result], list[str]]:
    results = multiprocessing.SimpleQueue()
    workers = [
        multiprocessing.Process(target=worker_main, args=(number, options, results), daemon=True)
        for number in range(options.jobs)
    ]
    for process in workers:
        process.start()
    found, errors, running = [], [], len(workers)
    while running:
        item = results.get()
        if isinstance(item, Result):
            found.append(item)
            continue
        running -= 1
        if item:
            errors.append(item)
    return found, errors


# The report


class Tap:
    def __init__(self) -> None:
        self.count = self.failed = 0

    def check(self, passed: bool, text: str) -> None:
        self.count += 1
        self.failed += not passed
        print(f"{'ok' if passed else 'not ok'} {self.count} - {text}", flush=True)

    def say(self, *lines: str) -> None:
        for line in lines:
            print(*(f"# {part}" for part in line.splitlines()), sep="\n", flush=True)

    def show(self, *lines: str) -> None:
        """Lines that tests/run shows even where all has passed."""
        self.say(*(f"|{line}" for line in lines))


COLUMNS = "{:<56} {:>6} {:>9} {:>10} {:>6} {:>6} {:>8}"


def table_line(title: str, results: list[Result]) -> str:
    rows = [result.row for result in results if result.row]
    return COLUMNS.format(
        title,
        len(rows),
        sum(row.sent for row in rows),
        sum(row.delivered for row in rows),
        sum(row.leaks for row in rows),
        sum(result.lost for result in results),
        sum(row.excused for row in rows),
    )


def grouped(results: list[Result]) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    return groups


def same_titles(everyone: list[Plan]) -> dict[str, list[int]]:
    """Titles, and the indexes of their plans."""
    titles: dict[str, list[int]] = {}
    for index, plan in enumerate(everyone):
        titles.setdefault(plan.title, []).append(index)
    return titles


def report_plan(tap: Tap, plan: Plan, results: list[Result], most: int) -> None:
    for group, members in grouped(results).items():
        bad = [result for result in members if result.problem]
        title = f"{plan.title}: {group}"
        if plan.control:
            found = sum(bool(result.lost or result.row and result.row.leaks) for result in members)
            tap.check(found > 0, f"{title}: leaks are found ({found} of {len(members)} cases)")
        else:
            tap.check(
                not bad,
                f"{title}: no leak ({len(members)} cases)" if group != "it works" else title,
            )
            tap.say(*(f"{result.name}: {result.problem}" for result in bad[:most]))
            if len(bad) > most:
                tap.say(f"... and {len(bad) - most} more cases")


def report(tap: Tap, results: list[Result], errors: list[str], most: int) -> None:
    everyone = plans()
    tap.check(not errors, "the battery ran to its end")
    tap.say(*errors)
    lines = []
    for title, indexes in same_titles(everyone).items():
        mine = [result for index in indexes for result in results if result.plan == index]
        report_plan(tap, everyone[indexes[0]], mine, most)
        lines += [
            table_line(f"{title}: {group}", members) for group, members in grouped(mine).items()
        ]
    ours = [result for result in results if not everyone[result.plan].control and result.row]
    delivered = sum(result.row.delivered for result in ours)
    tap.check(delivered > 0, "packets reach the gateway where they should")
    tap.show(COLUMNS.format("", "cases", "sent", "delivered", "leaks", "lost", "limits"), *lines)
    tap.show(table_line("all that is ours", ours))
    tap.show(
        "lost: cases in which clients no longer reach the gateway, though they should; of",
        "attacks what else must go on and does not, such as the host's own traffic, or is",
        "let through without a frame that leaks",
        "limits: frames that only the damaged nft table could stop (forged sources from",
        "outside the pool, and the server's answers to others than clients; with",
        "forward_others = no the server's answers alone)",
    )


def write_rows(path: str, results: list[Result]) -> None:
    everyone = plans()
    with open(path, "w", encoding="utf-8") as file:
        for result in results:
            row = result.row._asdict() if result.row else {}
            json.dump(
                {
                    "plan": everyone[result.plan].title,
                    "group": result.group,
                    "case": result.name,
                    **row,
                    "problem": result.problem,
                },
                file,
            )
            file.write("\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="ocserv-gateway", help="the program under test")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--quick", action="store_true", help="no pairs, no waiting for fragments")
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--variant", default="", help="variants with this in their name")
    parser.add_argument(
        "--rows", default="", help="write every case's row to this file, as JSON lines"
    )
    parser.add_argument("--most", type=int, default=12, help="failing cases told of in each group")
    options = parser.parse_args()
    started = time.monotonic()
    results, errors = collect(options)
    tap = Tap()
    report(tap, results, errors, options.most)
    if options.rows:
        write_rows(options.rows, results)
    tap.say(f"{time.monotonic() - started:.0f} s")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())

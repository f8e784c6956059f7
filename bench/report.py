"""What was measured, as Markdown tables, and in docs/performance.md and its plots."""

import os
import pathlib
import platform
import re

import plot
from hooks import BENCH, CASES, FIRST, INTACT
from hosts import run
from packets import SHOWN as PACKETS_SHOWN

DOCS = BENCH.parent / "docs"
NAMES = {"empty": "empty program", "ours": "ocserv-gateway", "shell": "shell hook",
         "session": "rules for each session", "plain": "plain forwarding", "rule": "policy rules alone",
         "masquerade": "masquerade, one policy rule", "seed": "two kill switch rules of a script",
         "several": "ocserv-gateway, two gateways", "fast": "ocserv-gateway, `fast_path = yes`"}


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} cores"
                     f"{', virtual' if ' hypervisor' in flags else ''}",
        "memory": f"{memory:.0f} GiB",
        "kernel": f"Linux {platform.release()}",
        "system": f"{system[1] if system else '?'}, {run(['getconf', 'GNU_LIBC_VERSION']).strip()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def table(heading, rows):
    """Markdown; the first column is text, the others are numbers."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def digits(value):
    """Three that say something."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def milliseconds(us):
    low, middle, high = (value / 1000 for value in us)
    return f"{digits(middle)} ({digits(low)}-{digits(high)})"


def middle_and_spread(values):
    low, middle, high = values
    return f"{digits(middle)} ({digits(low)}-{digits(high)})"


def times_faster(group):
    return group["shell"]["us"][1] / group["ours"]["us"][1]


def goals(results):
    """What was asked for: sentence, what was measured, whether it is met."""
    cases, storm, latency = results["cases"], results["storm"], results["latency"]
    intact, first = cases[INTACT.name], cases[FIRST.name]
    few, many = latency[min(latency, key=int)], latency[max(latency, key=int)]
    growth = many["ours"]["cpu_ratio"] / few["ours"]["cpu_ratio"]
    memory = max(group["ours"]["memory_kib"] for group in cases.values()) / 1024
    rate = 1 / storm["ratio"][1]
    endings = results["endings"]
    ending_s = max(group["cpu_s"][1] for group in endings["of"].values())
    faster = times_faster(intact)
    judged = (
        ("connect when intact: at most 1.5 times the empty program",
         f"{intact['ours']['ratio'][1]:.2f} times", intact["ours"]["ratio"][1] <= 1.5),
        ("first connect: at most 3 times the empty program",
         f"{first['ours']['ratio'][1]:.2f} times", first["ours"]["ratio"][1] <= 3),
        ("connect when intact: at least 15 times faster than the shell hook", f"{faster:.1f} times", faster >= 15),
        (f"{storm['size']:,} connects, {storm['at_a_time']} at a time: at least half the rate of the empty program",
         f"{rate:.2f} of it", rate >= 0.5),
        (f"from 1 to {int(max(latency, key=int)):,} sessions: no growth (of processor time, within a tenth)",
         f"{100 * (growth - 1):+.0f} %", growth <= 1.1),
        (f"{endings['size']:,} disconnects with {endings['flows']:,} flows: at most 2 s of processor time",
         f"{ending_s:.2f} s", ending_s <= 2),
        ("less than 3 MiB of memory", f"{memory:.2f} MiB", memory < 3),
    )
    return table(("goal", "measured", "met"),
                 [(goal, measured, "yes" if met else "**no**") for goal, measured, met in judged])


def hooks_table(results):
    rows = []
    for case in CASES:
        group = results["cases"][case.name]
        shell = group.get("shell")
        rows.append((case.name, milliseconds(group["empty"]["us"]), milliseconds(group["ours"]["us"]),
                     middle_and_spread(group["ours"]["more_us"]), middle_and_spread(group["ours"]["ratio"]), f"{group['ours']['cpu_ratio']:.2f}",
                     milliseconds(shell["us"]) if shell else "-",
                     f"{times_faster(group):.0f}" if shell else "-"))
    said = table(("hook", "empty program, ms", "ocserv-gateway, ms", "more than it, µs", "ratio", "ratio of processor time",
                  "shell hook, ms", "times faster than it"), rows)
    return (f"{said}\n\nCPUID instructions before `main`: {results['traps']['empty']} of the empty program, "
            f"{results['traps']['ours']} of ocserv-gateway.")


def builds_table(results):
    rows = []
    for name, build in results["builds"].items():
        if name != "empty":
            rows.append((name, milliseconds(build["us"]), middle_and_spread(build["more_us"]),
                         middle_and_spread(build["ratio"]), build["calls"], build["traps"]))
    return table(("connect, all intact: build", "ms", "more than the empty program, µs", "ratio", "system calls",
                  "CPUID instructions"), rows)


def storm_table(results):
    storm = results["storm"]
    rows = []
    for name in ("empty", "ours", "shell"):
        size = storm["shell_size" if name == "shell" else "size"]
        total = [value * storm["size"] / size for value in storm["total_ms"][name]]
        said = f", from {size}" if size != storm["size"] else ""
        rows.append((NAMES[name] + said, middle_and_spread([value / 1000 for value in total]),
                     f"{storm['size'] / total[1] * 1000:,.0f}", middle_and_spread(storm["slowest_ms"][name])))
    return table((f"{storm['size']:,} connects, {storm['at_a_time']} at a time", "all, s", "per second",
                  "slowest one, ms"), rows)


def sessions_table(results):
    latency = results["latency"]
    shown = ("empty", "ours", "disconnect", "shell", "session")
    rows = [(f"{int(sessions):,}", *(milliseconds(group[name]["us"]) if name in group else "-" for name in shown))
            for sessions, group in latency.items()]
    return table(("sessions", "empty program, ms", "connect, ms", "disconnect, ms", "shell hook: connect, ms",
                  "rules for each session: connect, ms"), rows)


def flows_table(results):
    shown = ("empty", "ours", "disconnect")
    rows = [(f"{int(flows):,}", *(milliseconds(group[name]["us"]) for name in shown),
             f"{group['disconnect']['cpu_us'] / 1000:.2f}") for flows, group in results["flows"].items()]
    return table(("flows tracked", "empty program, ms", "connect, ms", "disconnect, ms",
                  "processor time of the disconnect, ms"), rows)


def endings_table(results):
    endings = results["endings"]
    whose = {"empty": "empty program", "none": "none", "others": f"{endings['flows']:,} of others",
             "own": f"{endings['flows']:,} of the clients that leave"}
    rows = [(said, *(middle_and_spread(endings["of"][name][key]) for key in ("cpu_s", "all_s", "slowest_ms")))
            for name, said in whose.items()]
    return table((f"{endings['size']:,} disconnects, {endings['at_a_time']} at a time; flows tracked", "processor time, s",
                  "all, s", "slowest one, ms"), rows)


def counts_table(results):
    heading, *rows = results["counts"]
    memory = {name: group["ours"]["memory_kib"] for name, group in results["cases"].items()}
    lock = results["lock_us"]
    return table((*heading, "peak memory, KiB", "lock held, µs"),
                 [(name, *(f"{number:,}" for number in numbers), f"{memory[name]:,}",
                   f"{lock[name][1]:,.0f}" if name in lock else "") for name, *numbers in rows])


def about(results):
    facts = {**results["machine"], "rounds": results["rounds"], "took": f"{results['seconds']:.0f} s",
             "the program, stripped": f"{results['size'] / 1024:.0f} KiB"}
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def many_hooks_table(results):
    rows = []
    for sessions, found in results["many"].items():
        for gateways, cases in found["hooks"].items():
            said = [f"{digits(case['ms'])} ({digits(case['cpu_ms'])})" if case else "-" for case in cases.values()]
            rows.append((f"{int(sessions):,}", gateways, *said))
        single = [f"{digits(case['ms'])} ({digits(case['cpu_ms'])})" for case in found["single"].values()]
        rows.append((f"{int(sessions):,}", "single", *single, "", ""))
    return table(("sessions", "gateways", "connect, ms", "disconnect, ms", "connect after a flush, ms", "`up` after a flush, ms"),
                 rows)


def many_packets_table(results):
    every = results["many"].values()
    shown = list(dict.fromkeys(name for found in every for name in found["packets"]))
    rows = [(f"{int(sessions):,}", *(digits(found["packets"][name][2] / 1000) for name in shown))
            for sessions, found in results["many"].items()]
    names = {"single": "the single gateway", "1": "of 1 gateway, mapped"}
    return table(("sessions", *(names.get(name, f"of {name} gateways") for name in shown)), rows)


def by_name(rows):
    """Rows of the same name one below the other."""
    order = list(dict.fromkeys(row["name"] for row in rows))
    return sorted(rows, key=lambda row: order.index(row["name"]))


def packet_cell(row, name):
    cell = row["cells"].get(name)
    if not cell:
        return "-"
    megabytes = f", {row['bytes'] * 1000 / cell:,.0f} MB/s" if row["bytes"] > 1000 else ""
    return f"{cell:,.0f} ({1e6 / cell:,.0f}{megabytes})"


def packets_table(results):
    rows = [(row["name"], f"{row['sessions']:,}", *(packet_cell(row, name) for name in PACKETS_SHOWN))
            for row in by_name(results["packets"])]
    return table(("nanoseconds a packet (thousand packets/s)", "sessions", *(NAMES[name] for name in PACKETS_SHOWN)), rows)


def ratio(row, name, base="masquerade"):
    """Packets for the same time of a processor, against those of the base; None where one was not measured."""
    cells = row["cells"]
    return cells[base] / cells[name] if cells.get(name) and cells.get(base) else None


def shown_ratio(row, name, base="masquerade"):
    value = ratio(row, name, base)
    return f"{value:.2f}" if value else "-"


def packet_ratios(results):
    shown = ("plain", "seed", "ours", "several", "fast")
    rows = [(row["name"], f"{row['sessions']:,}", *(shown_ratio(row, name) for name in shown))
            for row in by_name(results["packets"])]
    return table(("packets, against masquerade with one policy rule", "sessions", *(NAMES[name] for name in shown)), rows)


def of_flows(rows, name):
    """The row of this name with as many sessions as flows."""
    return next(row for row in rows if row["name"] == name and row["sessions"] == 1000)


def packet_goals(results):
    asked = (("to the gateway", 0.84), ("back", 0.88), ("others' traffic, out", 0.90), ("others' traffic, in", 0.90))
    rows = []
    for name, least in asked:
        value = ratio(of_flows(results["packets"], name), "ours")
        rows.append((f"{name}: at least {least:.2f} of masquerade with one policy rule", f"{value:.2f}",
                     "yes" if value >= least else "**no**"))
    return table(("goal", "measured", "met"), rows)


def first_rule(results):
    """What a policy rule costs that is there, and one that was there, of packets that have nothing to do with it."""
    said = []
    for name in ("to the gateway", "back", "others' traffic, out", "others' traffic, in"):
        ns = of_flows(results["packets"], name)["cells"]
        said.append((name, *(f"{ns[base]:,.0f}" for base in ("plain", "rule", "deleted")),
                     *(f"{ns[base] - ns['plain']:+,.0f}" for base in ("rule", "deleted")),
                     f"{ns['masquerade'] - ns['nat']:+,.0f}"))
    return table(("nanoseconds a packet, without nft", "no policy rule ever", "one rule", "after it was deleted", "the rule",
                  "the deleted rule", "the rule, beside masquerade"), said)


def short_table(results):
    """Ratios alone: what a packet takes in QEMU says nothing."""
    rows = [(row["name"], *(shown_ratio(row, name, base) for name, base in
                            (("ours", "masquerade"), ("fast", "masquerade"), ("fast", "nat"), ("fast", "ours"))))
            for row in results["packets_short"]]
    return table((f"packets, on {results['packets_short_machine']['kernel']}",
                  "ocserv-gateway / masquerade, one policy rule", "fast path / masquerade, one policy rule",
                  "fast path / masquerade, no policy rule", "fast path / ocserv-gateway without"), rows)


def facts_of(part):
    def about_part(results):
        facts = results.get(f"{part}_machine", results.get("machine"))
        return "\n".join(f"- {name}: {value}" for name, value in facts.items())
    return about_part


# Each with what it is made of.
BLOCKS = {
    "goals": ("cases", goals), "hooks": ("cases", hooks_table), "builds": ("cases", builds_table),
    "storm": ("cases", storm_table),
    "sessions": ("cases", sessions_table), "flows": ("cases", flows_table), "endings": ("cases", endings_table),
    "counts": ("cases", counts_table),
    "about": ("cases", about),
    "packets goals": ("packets", packet_goals), "packets": ("packets", packets_table),
    "packets ratios": ("packets", packet_ratios), "packets rule": ("packets", first_rule),
    "packets about": ("packets", facts_of("packets")), "packets short": ("packets_short", short_table),
    "many hooks": ("many", many_hooks_table), "many packets": ("many", many_packets_table),
    "many about": ("many", facts_of("many")),
}


def blocks(results):
    """What there are results for."""
    return {name: make for name, (part, make) in BLOCKS.items() if part in results}


def text(results):
    return "\n\n".join(make(results) for make in blocks(results).values())


def points(by_sessions, name, scale, field=None):
    return [(int(sessions), *(value / scale for value in (group[name][field] if field else group[name])))
            for sessions, group in by_sessions.items() if name in group]


def draw(results):
    latency, throughput = results["latency"], results["throughput"]
    plot.write(DOCS / "latency.svg", "Time of a connect hook", "sessions", "milliseconds", [
        (NAMES[name], name, points(latency, name, 1000, "us")) for name in ("session", "shell", "ours", "empty")])
    plot.write(DOCS / "throughput.svg", "Forwarded packets of 60 bytes", "sessions", "thousand packets per second", [
        (NAMES[name], name, points(throughput, name, 1000)) for name in ("masquerade", "ours", "session")])


def update(results):
    """Puts the tables between their markers in docs/performance.md, and draws the plots."""
    page = DOCS / "performance.md"
    content = page.read_text()
    for name, make in blocks(results).items():
        begin, end = f"<!-- bench: {name} -->\n", "<!-- /bench -->"
        before, after = content.split(begin)
        content = before + begin + make(results) + "\n" + end + after.split(end, 1)[1]
    page.write_text(content)
    if "cases" in results:
        draw(results)

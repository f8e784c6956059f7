"""Several gateways: who leaves by another user's has leaked, and so has whoever leaves with another's address.

    vpns0   alice   10.20.0.50   fd20::50
    vpns1   bob     10.20.0.51   fd20::51
    vpns7   carol   10.20.0.77   fd20::77   whose tunnel nobody here sends into: a live neighbour to pose as

Gateways are `default` 172.28.0.2, `nl` 172.28.0.9 on the same network, and `us` on the second uplink, a next hop or
the uplink itself.
"""

import itertools
import os
import shutil
import subprocess
import sys
from typing import Any, Callable, Iterator, NamedTuple

import kernel
import network
import troubles
import variants
from troubles import GUARD, NETWORK, PROGRAM, ROUTING, Trouble, commands, guard_text

DEFAULT, NL = {("eth0", variants.LAN_GATEWAY)}, {("eth0", variants.OTHER_GATEWAY)}
US = {("eth1", variants.UPLINK_ROUTER)}
LINK = {("eth1", each) for each in (variants.UPLINK_ROUTER, variants.UPLINK_HOST, "ff:ff:ff:ff:ff:ff")}
KNOWN = {"default": DEFAULT, "nl": NL, "us": US, "direct": None, "block": set()}
PEOPLE = {
    "alice": ("vpns0", *network.CLIENTS["vpns0"]),
    "bob": ("vpns1", *network.CLIENTS["vpns1"]),
    "carol": ("vpns7", "10.20.0.77", "fd20::77"),
}
SUBNETS = {4: "10.20.0.0/24", 6: "fd20::/64"}


# Configurations

GATEWAYS = {
    "clients subnet4": SUBNETS[4],
    "clients subnet6": SUBNETS[6],
    "gateway address4": "172.28.0.2",
    "gateway address6": "fd28::2",
    "gateway nl address4": "172.28.0.9",
    "gateway nl address6": "fd28::9",
}
US_BY_NEXT_HOP = {"gateway us address4": "192.0.2.1", "gateway us address6": "fd29::1"}
US_BY_LINK = {"gateway us address4": "link", "gateway us address6": "link", "gateway us interface": "eth1"}
US_WITHOUT_IPV6 = {"gateway us address4": "192.0.2.1"}


def several(name: str, more: dict[str, str], us: variants.Ways = US, **by: str) -> variants.Variant:
    """A configuration, and by which gateway each leaves."""
    known = KNOWN | {"us": us}
    sessions = tuple(
        variants.Session(user, *PEOPLE[user], {family: ways_of(more, known, gateway, family) for family in (4, 6)})
        for user, gateway in by.items()
    )
    settings = GATEWAYS | more | {f"users {user}": gateway for user, gateway in by.items() if gateway != "default"}
    proxies = {"lan1": variants.UPLINK_ROUTER} if us is LINK else None
    return variants.Variant(name, settings, DEFAULT | NL | us, (4, 6), proxies=proxies, sessions=sessions)


def ways_of(settings: dict[str, str], known: dict, gateway: str, family: int) -> variants.Ways | None:
    blocked = gateway == "us" and f"gateway us address{family}" not in settings
    return set() if blocked else known[gateway]


MAIN = several("several gateways", US_BY_NEXT_HOP, alice="nl", bob="us", carol="default")
VARIANTS = [
    MAIN,
    several("several, on one network", US_BY_NEXT_HOP, alice="nl", bob="default", carol="us"),
    several("several, an interface", US_BY_LINK, LINK, alice="us", bob="nl", carol="direct"),
    several("several, one direct", US_BY_NEXT_HOP, alice="nl", bob="direct", carol="us"),
    several("several, one blocked, one without IPv6", US_WITHOUT_IPV6, alice="block", bob="us", carol="direct"),
]
OPTIONS = [
    several(f"several, {key} = {value}", US_BY_NEXT_HOP | {key: value}, alice="nl", bob="us", carol="direct")
    for key, value in (
        ("gateway mark_mask", "0x0000ff00"),
        ("gateway nl masquerade", "no"),
        ("killswitch blocked", "drop"),
        ("killswitch inbound", "any"),
        ("killswitch forward_others", "no"),
        ("killswitch client_to_client", "no"),
    )
]
# So many that their policy rules are a tree, of which `nl` and `us` are in different groups.
OF_NOBODY = {
    key: value
    for number in range(1, 16)
    for key, value in {
        f"gateway f{number} address4": f"172.28.0.{200 + number}",
        f"gateway f{number} address6": f"fd28::2:{number}",
        f"gateway f{number} table": str(200 + number),
    }.items()
}
US_BEHIND_OTHERS = OF_NOBODY | US_BY_NEXT_HOP | {"gateway us table": "102"}
TREE = several("several, many gateways", US_BEHIND_OTHERS, alice="nl", bob="us", carol="default")


# The maps of the nft table


class Element(NamedTuple):
    map: str
    key: str  # as nft takes it
    chain: str

    def changes(self, chain: str = "") -> str:
        """Takes it out, and puts it back with another chain."""
        text = f"delete element inet ocserv_gw {self.map} {{ {self.key} }}\n"
        if chain:
            text += f"add element inet ocserv_gw {self.map} {{ {self.key} : goto {chain} }}\n"
        return text


def elements() -> list[Element]:
    return [
        Element(found["name"], troubles.key_text(key), verdict["goto"]["target"])
        for found in troubles.listed("map")
        for key, verdict in found.get("elem", [])
    ]


def removals(found: list[Element]) -> Iterator[Trouble]:
    for each in found:
        yield Trouble(f"{each.map} without {each.key}", GUARD, guard_text(each.changes()))
    for name in sorted({each.map for each in found}):
        yield Trouble(f"map {name} flushed", GUARD, guard_text(f"flush map inet ocserv_gw {name}"))


def alterations(found: list[Element]) -> Iterator[Trouble]:
    """An element leads to what another one leads to."""
    for each in found:
        for chain in sorted({other.chain for other in found if other.map.rstrip("46") == each.map.rstrip("46")}):
            if chain != each.chain:
                yield Trouble(f"{each.map}: {each.key} leads to {chain}", GUARD, guard_text(each.changes(chain)))


def reassigned(found: list[Element]) -> Iterator[Trouble]:
    """What root says of who leaves where, no less than an edited configuration does."""
    yield from alterations([each for each in found if each.map.startswith("session")])
    marks = {chain: text for chain, text in marking() if chain.startswith("to_")}
    for chain, other in itertools.permutations(sorted(marks), 2):
        text = f"flush chain inet ocserv_gw {chain}\nadd rule inet ocserv_gw {chain} {marks[other]}"
        yield Trouble(f"{chain} marks as {other} does", GUARD, guard_text(text))


def marking() -> Iterator[tuple[str, str]]:
    """Chains that mark, and the rule of each."""
    for line in kernel.run(["nft", "-s", "list", "table", "inet", "ocserv_gw"]).splitlines():
        words = line.split()
        if words[:1] == ["chain"]:
            chain = words[1]
        elif words[:3] in (["meta", "mark", "set"], ["ct", "mark", "set"]):
            yield chain, line.strip()


def in_maps() -> list[Trouble]:
    found = elements()
    of_marks = [each for each in found if not each.map.startswith("session")]
    marks = dict(marking())
    mistaken = [
        Trouble(
            f"{chain} marks as {other} does",
            GUARD,
            guard_text(f"flush chain inet ocserv_gw {chain}\nadd rule inet ocserv_gw {chain} {marks[other]}"),
        )
        for chain, other in itertools.permutations(sorted(marks), 2)
        if chain.startswith("kept_") and other.startswith("kept_")
    ]
    return [*removals(found), *alterations(of_marks), *mistaken]


# Policy rules and tables


def by(gateway: str) -> dict[int, str]:
    """Its route of each family."""
    ways = {"default": ("172.28.0.2", "fd28::2"), "nl": ("172.28.0.9", "fd28::9"), "router": ("172.28.0.1", "fd28::1")}
    if gateway == "us":
        return {4: "via 192.0.2.1 dev eth1", 6: "via fd29::1 dev eth1"}
    if gateway == "eth1":
        return {4: "dev eth1", 6: "dev eth1"}
    return {family: f"via {address} dev eth0" for family, address in zip((4, 6), ways[gateway])}


def table_troubles(table: str) -> Iterator[Trouble]:
    flush = [f"ip -{family} route flush table {table}" for family in (4, 6)]
    yield Trouble(f"table {table} flushed", ROUTING, commands(*flush))
    for gateway in ("default", "nl", "us", "router", "eth1"):
        routes = [f"ip -{family} route add default {route} table {table}" for family, route in by(gateway).items()]
        yield Trouble(f"table {table}: default by {gateway}", ROUTING, commands(*flush, *routes))
        halves = [
            f"ip -{family} route add {half} {by(gateway)[family]} table {table}"
            for family, half in ((4, "0.0.0.0/1"), (4, "128.0.0.0/1"), (6, "::/1"), (6, "8000::/1"))
        ]
        yield Trouble(f"table {table}: more specific routes by {gateway}", ROUTING, commands(*halves))


def foreign_rules() -> Iterator[Trouble]:
    """A policy rule of others before ours."""
    lookups = sorted({rule.split(" lookup ")[1].split()[0] for rule in troubles.our_rules(4) if " lookup " in rule})
    marks = sorted({rule.split("fwmark ")[1].split()[0] for rule in troubles.our_rules(4) if "fwmark" in rule})
    for lookup in lookups:
        for mark in ("", *marks):
            what = f"fwmark {mark} " * bool(mark) + f"lookup {lookup}"
            rules = [f"ip -{family} rule add priority 500 from {net} {what}" for family, net in SUBNETS.items()]
            yield Trouble(f"a foreign rule before ours: {what}", ROUTING, commands(*rules))
        rules = [f"ip -{family} rule add priority 500 iif vpns1 lookup {lookup}" for family in SUBNETS]
        yield Trouble(f"a foreign rule before ours: iif vpns1 lookup {lookup}", ROUTING, commands(*rules))


def rule_alterations() -> Iterator[Trouble]:
    """A rule leads elsewhere: to each other rule of a tree, to another gateway's table, or to table main."""
    for family in (4, 6):
        rules = troubles.our_rules(family)
        targets = sorted({rule.split()[1] for rule in rules} | {rule.split("goto ")[1].split()[0] for rule in rules if "goto" in rule})
        for rule in rules:
            before, word, after = rule.partition(" goto ") if " goto " in rule else rule.partition(" lookup ")
            if not word or "suppress" in rule:
                continue
            _, _, rest = after.partition(" ")
            others = [each for each in targets if int(each) > int(rule.split()[1])] if "goto" in word else ["main", "101", "102"]
            for other in others:
                changed = f"{before}{word}{other} {rest}".strip()
                if changed != rule:
                    acts = [f"ip -{family} rule delete {rule}", f"ip -{family} rule add {changed}"]
                    yield Trouble(f"{rule}: {word.strip()} {other}", ROUTING, commands(*acts))


def in_routing() -> list[Trouble]:
    chosen = [trouble for table in kernel.TABLES for trouble in table_troubles(table)]
    gone = troubles.ROUTING_GONE
    return [*troubles.rule_deletions(), gone, *chosen, *foreign_rules()]


# Tables of others that mark

PLACES = {
    "prerouting": (-500, -449, -300, -151, -149, -101, 10),
    "forward": (-225, -11, -9, 0, 10),
    "postrouting": (-300, 89),
}


def values() -> dict[str, str]:
    """The bits that mean something to us, in words."""
    found = {
        f"as {chain} does": text.split("|")[-1].strip().split()[0] for chain, text in marking() if chain.startswith("to_")
    }
    return {"away": "0", "as to_server does": "0xffffffff"} | found


def mark_table(marks: str, value: str, *places: tuple[str, int]) -> Trouble:
    text = "\n".join(
        f'chain at{number} {{ type filter hook {hook} priority {priority}; {marks} set {value}; }}'
        for number, (hook, priority) in enumerate(places)
    )
    where = ", ".join(f"{hook} {priority}" for hook, priority in places)
    return Trouble(f"{marks} {value} at {where}", NETWORK, guard_text(f"table inet of_others {{\n{text}\n}}"))


def of_others() -> list[Trouble]:
    places = [(hook, priority) for hook, priorities in PLACES.items() for priority in priorities]
    bits = sorted(set(values().values()))
    kinds = ("meta mark", "ct mark")
    found = [mark_table(kind, value, place) for kind in kinds for value in bits for place in places]
    found += [mark_table(kind, value, *places) for kind in kinds for value in bits]
    return found


# The network


def in_network() -> list[Trouble]:
    others = ("nothing", "eth0 renamed", "upstream's MAC changed")  # whose ways are others then
    kept = [
        trouble._replace(passes=trouble.passes and trouble.name != "main default deleted")  # that a direct one needs
        for trouble in troubles.NETWORK_TROUBLES
        if trouble.name not in others
    ]
    eth1 = [
        Trouble("eth1 down", NETWORK, troubles.forgotten("ip link set eth1 down")),
        Trouble("eth1 deleted", NETWORK, uplink_gone("eth1")),
        Trouble("eth0 deleted", NETWORK, uplink_gone("eth0")),
        Trouble(
            "gateways swapped their networks",
            NETWORK,
            troubles.unanswered(
                "ip address add 172.28.0.66/25 dev eth1", "ip address add fd28::66/65 dev eth1 nodad"
            ),
        ),
    ]
    return [*kept, *eth1]


def uplink_gone(name: str) -> Callable[[Any], None]:
    def act(bench) -> None:
        bench.server.tell_lan("drain")
        bench.capture.read()
        bench.server.remove_uplink(name)
        bench.send_all()

    return act


# Sessions that move, end, and hand their tunnels on

def session(bench, user: str) -> variants.Session:
    return next(each for each in bench.variant.sessions if each.user == user)


def look_again(bench) -> None:
    """What is still under way had the ways of before."""
    bench.server.tell_lan("drain")
    bench.capture.read()


def run_hook(bench, reason: str, who: variants.Session, name: str = "") -> None:
    bench.sessions_changed = True
    bench.send_while(bench.program.hook(reason, who, name))


def expect(bench, device: str, *gateways: str) -> None:
    for family in (4, 6):
        bench.expect(device, family, *(KNOWN[gateway] for gateway in gateways))


def edited(bench, **users: str) -> None:
    bench.program.configure(bench.variant.settings | {f"users {user}": gateway for user, gateway in users.items()})


def swapped(bench) -> None:
    """The file gives each of two users the other's gateway, and `up` is run under their traffic."""
    bench.sessions_changed = True
    for here, there in ((("nl", "us"), ("us", "nl")), (("us", "nl"), ("nl", "us"))):
        edited(bench, alice=there[0], bob=there[1])
        for device, *both in (("vpns0", here[0], there[0]), ("vpns1", here[1], there[1])):
            expect(bench, device, *both)
        bench.send_while(bench.program.command("up"))
        look_again(bench)
        expect(bench, "vpns0", there[0])
        expect(bench, "vpns1", there[1])
        bench.send_all()


def moved_to(gateway: str) -> Callable[[Any], None]:
    def act(bench) -> None:
        bench.sessions_changed = True
        edited(bench, bob=gateway)
        expect(bench, "vpns1", "us", gateway)
        bench.send_while(bench.program.command("up"))
        look_again(bench)
        expect(bench, "vpns1", gateway)
        bench.send_all()

    return act


def ended(bench) -> None:
    run_hook(bench, "disconnect", session(bench, "bob"))
    look_again(bench)
    expect(bench, "vpns1", "block")
    bench.send_all()


def handed_on(*order: str) -> Callable[[Any], None]:
    """Bob's tunnel and addresses are dave's, who has another gateway: his hooks run, and bob's, in this order."""

    def act(bench) -> None:
        bob = session(bench, "bob")
        dave = bob._replace(user="dave")
        edited(bench, dave="nl")
        expect(bench, "vpns1", "us", "nl")
        for reason in order:
            if reason == "disconnect":
                run_hook(bench, reason, bob)
            else:
                run_hook(bench, reason, dave, "dave")
                look_again(bench)
                expect(bench, "vpns1", "nl")
        look_again(bench)
        expect(bench, "vpns1", "nl")
        bench.send_all()

    return act


def roamed(*order: str) -> Callable[[Any], None]:
    """Bob reconnects by the same tunnel, and has another gateway since."""

    def act(bench) -> None:
        bob = session(bench, "bob")
        edited(bench, bob="default")
        expect(bench, "vpns1", "us", "default")
        for reason in order:
            if reason == "disconnect":
                run_hook(bench, reason, bob)
            else:
                run_hook(bench, reason, bob, "bob again")
        look_again(bench)
        expect(bench, "vpns1", "default")
        bench.send_all()

    return act


def flushed_between(bench) -> None:
    """The table is lost while bob's tunnel has been handed on, and comes back with a stranger's connect."""
    handed_on("connect")(bench)
    bench.send_while(["nft", "flush", "ruleset"])
    eve = variants.Session("eve", "vpns8", "10.20.0.88", "fd20::88", {})
    run_hook(bench, "connect", eve)
    bench.send_while(bench.program.command("up"))
    bench.send_all()


CROWD = 2000
ATTEMPTS = 5  # of a run that a machine with other things to do may not let end in time


def in_the_end(bench, command: list[str]) -> None:
    for _ in range(ATTEMPTS):
        failures = len(bench.failures)
        if bench.send_while(command) != 75:
            return
        last, bench.failures[failures:] = bench.failures[failures:], []
    bench.failures += last


def crowd_restored(bench) -> None:
    """Thousands are live when the table is lost, and come back with a stranger's connect, and with `up`."""
    bench.sessions_changed = True
    state, kept = bench.program.state, f"{bench.program.state}.kept"
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crowd.py")
    shutil.copytree(state, kept, symlinks=True)
    with subprocess.Popen(
        [sys.executable, script, state, str(CROWD), "default"], stdout=subprocess.PIPE, text=True
    ) as crowd:
        while crowd.stdout.readline() not in ("ready\n", ""):
            pass
        eve = variants.Session("eve", "vpns8", "10.20.0.88", "fd20::88", {})
        for command in (bench.program.hook("connect", eve), bench.program.command("up")):
            bench.send_while(["nft", "flush", "ruleset"])
            in_the_end(bench, command)
            all_there(bench)
            bench.send_all()
        crowd.kill()
    shutil.rmtree(state)
    os.rename(kept, state)


def all_there(bench) -> None:
    found = kernel.run(["nft", "list", "map", "inet", "ocserv_gw", "session6"]).count(" : goto ")
    if found != CROWD + len(bench.variant.sessions) + 1:
        bench.failures.append(f"{found} elements of session6 are there")


MOVES = [
    Trouble("up, where all is intact", PROGRAM, troubles.run_program("up", "up"), True),
    Trouble("two users swapped, and back", PROGRAM, swapped, True),
    Trouble("one made direct", PROGRAM, moved_to("direct"), True),
    Trouble("one made blocked", PROGRAM, moved_to("block"), True),
    Trouble("one moved to the default", PROGRAM, moved_to("default"), True),
    Trouble("a session ends", PROGRAM, ended, True),
    Trouble("a tunnel handed on, connect first", PROGRAM, handed_on("connect", "disconnect"), True),
    Trouble("a tunnel handed on, disconnect first", PROGRAM, handed_on("disconnect", "connect"), True),
    Trouble("a reconnect with an edited map, connect first", PROGRAM, roamed("connect", "disconnect"), True),
    Trouble("a reconnect with an edited map, disconnect first", PROGRAM, roamed("disconnect", "connect"), True),
    Trouble("a tunnel handed on, then the table flushed", GUARD, flushed_between, True),
    Trouble("thousands live, then the table flushed", GUARD, crowd_restored, True),
]


# What is tried

Found = Iterator[tuple[str, Trouble]]  # groups and their troubles
NOT_COUNTED = "several: reassigned by root"


def everything() -> Found:
    rules, chains = troubles.guard_troubles()
    kinds = {
        "several: nothing": troubles.NETWORK_TROUBLES[:1],
        "several: one rule": rules,
        "several: one chain": chains,
        "several: all of it": [*troubles.GUARD_GONE],
        "several: maps": in_maps(),
        "several: policy routing": in_routing(),
        "several: others' marks": of_others(),
        "several: network": in_network(),
        "several: repair": [troubles.repaired(each) for each in (*in_maps(), *rules, *troubles.GUARD_GONE)],
        NOT_COUNTED: list(reassigned(elements())),
    }
    for group, chosen in kinds.items():
        for trouble in chosen:
            yield group, trouble


def in_tree() -> Found:
    deletions = [each for each in troubles.rule_deletions() if " table 2" not in each.name and " lookup 2" not in each.name]
    for trouble in (*deletions, *(troubles.repaired(each) for each in deletions), *rule_alterations()):
        if " lookup 2" not in trouble.name:
            yield "several: the tree of policy rules", trouble


def moves() -> Found:
    return (("several: sessions that move and end", trouble) for trouble in MOVES)


def undisturbed() -> Found:
    for trouble in (troubles.NETWORK_TROUBLES[0], troubles.GUARD_GONE[2], troubles.ROUTING_GONE):
        yield "several: one layer gone or none", trouble


class RuleForEach:
    """What is commonly written by hand: a policy rule for each session."""

    def install(self, variant: variants.Variant) -> None:
        kernel.nft(variants.MASQUERADE.replace('oifname "eth0"', 'oifname { "eth0", "eth1" }'))
        for table, gateway in (("101", "nl"), ("102", "us")):
            for family, route in by(gateway).items():
                kernel.run(["ip", f"-{family}", "route", "add", "default", *route.split(), "table", table])
        for table, name in (("101", "alice"), ("102", "bob")):
            for family, address in zip((4, 6), PEOPLE[name][1:]):
                kernel.run(["ip", f"-{family}", "rule", "add", "from", address, "lookup", table, "priority", "1000"])
        del variant

"""What goes wrong on the server while clients send: the troubles, as tables."""

import json
import shlex
import time
from typing import Any, Callable, NamedTuple

import kernel
import lan
import network
import variants
import wire

GUARD, ROUTING, NETWORK, PROGRAM = "guard", "routing", "network", "program"
NEW_MAC = "02:00:00:28:00:22"


class Trouble(NamedTuple):
    name: str
    layer: str
    act: Callable[[Any], None]  # called with the Bench
    passes: bool = False  # clients still reach their gateway afterwards


def commands(*lines: str) -> Callable[[Any], None]:
    def act(bench) -> None:
        for line in lines:
            bench.send_while(shlex.split(line))

    return act


def guard_text(text: str) -> Callable[[Any], None]:
    return lambda bench: bench.send_while(["nft", "-f", "-"], text)


# The nft table, each chain and each rule of it


def listed(kind: str) -> list[dict]:
    done = kernel.run(["nft", "-j", "-a", "list", "table", "inet", "ocserv_gw"])
    return [item[kind] for item in json.loads(done)["nftables"] if kind in item]


def weakened(expressions: list[dict]) -> list[dict]:
    """The rule with its verdict turned into accept, or widened if it accepts."""
    stops = any(
        key in expression
        for expression in expressions
        for key in ("drop", "reject", "goto", "jump")
    )
    kept = [expression for expression in expressions if "match" in expression] if stops else []
    return [*kept, {"accept": None}]


def replaced(rule: dict) -> str:
    new = {key: rule[key] for key in ("family", "table", "chain", "handle")}
    new["expr"] = weakened(rule["expr"])
    return json.dumps({"nftables": [{"replace": {"rule": new}}]})


def in_short(rule: dict) -> str:
    return f"{rule['chain']} rule {rule['handle']} ({rule.get('comment', 'no comment')[:40]})"


def rule_removed(rule: dict) -> Trouble:
    line = f"delete rule inet ocserv_gw {rule['chain']} handle {rule['handle']}"
    return Trouble(f"{in_short(rule)} removed", GUARD, guard_text(line))


def rule_weakened(rule: dict) -> Trouble:
    text = replaced(rule)
    return Trouble(
        f"{in_short(rule)} altered",
        GUARD,
        lambda bench: bench.send_while(["nft", "-j", "-f", "-"], text),
    )


def elements_to(chain: str) -> list[str]:
    """Of maps, those that lead to a chain, as commands that take them out."""
    return [
        f"delete element inet ocserv_gw {found['name']} {{ {key_text(key)} }}"
        for found in listed("map")
        for key, verdict in found.get("elem", [])
        if verdict.get("goto", {}).get("target") == chain
    ]


def key_text(key) -> str:
    if isinstance(key, dict):
        device, address = key["concat"]
        return f'"{device}" . {address}'
    return str(key)


def chain_troubles(chain: dict, callers: list[dict]) -> list[Trouble]:
    name = chain["name"]
    gone = elements_to(name)
    gone += [
        f"delete rule inet ocserv_gw {rule['chain']} handle {rule['handle']}" for rule in callers
    ]
    gone += [f"flush chain inet ocserv_gw {name}", f"delete chain inet ocserv_gw {name}"]
    return [
        Trouble(f"chain {name} flushed", GUARD, guard_text(f"flush chain inet ocserv_gw {name}")),
        Trouble(f"chain {name} deleted", GUARD, guard_text("\n".join(gone))),
        Trouble(
            f"accept put first in {name}",
            GUARD,
            guard_text(f"insert rule inet ocserv_gw {name} accept"),
        ),
    ]


# Addresses of the internet and of the LAN
OTHERS = {"clients4": "128.0.0.0/1", "clients6": "2000::/3"}


def in_words(element) -> str:
    prefix = element["prefix"] if isinstance(element, dict) else {"addr": element, "len": ""}
    return f"{prefix['addr']}/{prefix['len']}".rstrip("/")


def set_troubles(name: str, elements: list[str]) -> list[Trouble]:
    """Of a set of clients' addresses."""
    of_ours = f"inet ocserv_gw {name}"
    add = f"add element {of_ours} {{ {OTHERS[name]} }}"
    changes = {"flushed": f"flush set {of_ours}", "has others' addresses, too": add}
    for element in elements:
        drop = f"delete element {of_ours} {{ {element} }}"
        changes |= {f"without {element}": drop, f"has others' for {element}": f"{drop}\n{add}"}
    return [
        Trouble(f"set {name} {what}", GUARD, guard_text(text)) for what, text in changes.items()
    ]


def calls(rule: dict, chain: str) -> bool:
    return any(
        expression.get(key, {}).get("target") == chain
        for expression in rule["expr"]
        for key in ("goto", "jump")
        if isinstance(expression.get(key), dict)
    )


REMOVE_ALL = """nft list tables | while read -r _ family name; do
case $name in ocserv_*) nft delete table "$family" "$name" ;; esac
done"""

GUARD_GONE = [
    Trouble("nft table deleted", GUARD, commands("nft delete table inet ocserv_gw")),
    Trouble("nft flush table", GUARD, commands("nft flush table inet ocserv_gw")),
    Trouble("nft flush ruleset", GUARD, commands("nft flush ruleset")),
    Trouble("all tables ocserv_* deleted", GUARD, commands(f"sh -c {shlex.quote(REMOVE_ALL)}")),
    Trouble("nft table dormant", GUARD, guard_text("add table inet ocserv_gw { flags dormant; }")),
]


def guard_troubles() -> tuple[list[Trouble], list[Trouble]]:
    """(troubles of single rules, troubles of chains and sets) of the table as it is now."""
    rules, chains = listed("rule"), listed("chain")
    single = [make(rule) for rule in rules for make in (rule_removed, rule_weakened)]
    whole = [
        trouble
        for chain in chains
        for trouble in chain_troubles(
            chain, [rule for rule in rules if calls(rule, chain["name"])]
        )
    ]
    whole += [
        trouble
        for addresses in listed("set")
        if addresses["name"] in OTHERS
        for trouble in set_troubles(addresses["name"], list(map(in_words, addresses["elem"])))
    ]
    return single, whole


# Policy rules and table 100


def our_rules(family: int) -> list[str]:
    """The policy rules that are not the kernel's own, to be added or deleted."""
    lines = kernel.rule_lines(family).splitlines()
    return [
        line.removeprefix("rule add ")
        for line in lines
        if not line.startswith("rule add priority 3276")
    ]


def rule_deletions() -> list[Trouble]:
    return [
        Trouble(f"rule deleted: {rule}", ROUTING, commands(f"ip -{family} rule delete {rule}"))
        for family in (4, 6)
        for rule in our_rules(family)
    ]


def all_rules_deleted(bench) -> None:
    for family in (4, 6):
        lines = [f"rule delete {rule}" for rule in our_rules(family)]
        bench.send_while(
            ["ip", f"-{family}", "-batch", "-"],
            "\n".join([*lines, *(f"route flush table {table}" for table in kernel.TABLES), ""]),
        )


BOTH = {"-4": "10.20.0.0/24", "-6": "fd20::/64"}
ROUTING_GONE = Trouble("all our rules deleted, all our tables flushed", ROUTING, all_rules_deleted)
ROUTING_TROUBLES = [
    Trouble(
        "table 100 flushed",
        ROUTING,
        commands("ip route flush table 100", "ip -6 route flush table 100"),
    ),
    Trouble(
        "table 100: another next hop",
        ROUTING,
        commands(
            "ip route replace default via 172.28.0.1 dev eth0 table 100",
            "ip -6 route flush table 100",
            "ip route add default via fd28::1 dev eth0 table 100",
        ),
    ),
    Trouble(
        "table 100: another interface",
        ROUTING,
        commands(
            "ip route replace default via 192.0.2.1 dev eth1 table 100",
            "ip -6 route flush table 100",
            "ip route add default via fd29::1 dev eth1 table 100",
        ),
    ),
    Trouble(
        "table 100: the gateway's address on the second uplink",
        ROUTING,
        commands("ip route replace default via 172.28.0.2 dev eth1 onlink table 100"),
    ),
    Trouble(
        "table 100: more specific routes by eth1",
        ROUTING,
        commands(
            "ip route add 198.51.100.0/24 via 192.0.2.1 table 100",
            "ip route add 2001:db8::/32 via fd29::1 table 100",
        ),
    ),
    Trouble(
        "table 100: 0.0.0.0/1 and 128.0.0.0/1 by eth1",
        ROUTING,
        commands(
            "ip route add 0.0.0.0/1 via 192.0.2.1 table 100",
            "ip route add 128.0.0.0/1 via 192.0.2.1 table 100",
            "ip route add ::/1 via fd29::1 table 100",
            "ip route add 8000::/1 via fd29::1 table 100",
        ),
    ),
    Trouble(
        "table 100: default without a next hop",
        ROUTING,
        commands(
            "ip route replace default dev eth1 table 100",
            "ip -6 route replace default dev eth1 table 100",
        ),
    ),
    Trouble(
        "table 100: two next hops",
        ROUTING,
        commands(
            "ip route replace default table 100"
            " nexthop via 172.28.0.2 dev eth0 nexthop via 192.0.2.1 dev eth1",
            "ip -6 route append default via fd28::1 dev eth0 table 100",
        ),
    ),
    Trouble(
        "a foreign rule before ours: from the pool, main",
        ROUTING,
        commands(
            *(
                f"ip {family} rule add priority 500 from {subnet} lookup main"
                for family, subnet in BOTH.items()
            )
        ),
    ),
    Trouble(
        "a foreign rule before ours: everything, main",
        ROUTING,
        commands(
            "ip rule add priority 500 lookup main", "ip -6 rule add priority 500 lookup main"
        ),
    ),
    Trouble(
        "a foreign rule before ours: table 200 by eth1",
        ROUTING,
        commands(
            "ip route replace default via 192.0.2.1 table 200",
            "ip -6 route replace default via fd29::1 table 200",
            "ip rule add priority 500 iif vpns0 lookup 200",
            "ip -6 rule add priority 500 iif vpns0 lookup 200",
        ),
    ),
    Trouble(
        "a part of the pool routed to eth1 in main",
        ROUTING,
        commands(
            "ip route add 10.20.0.64/26 via 192.0.2.1", "ip route add fd20::40/122 via fd29::1"
        ),
    ),
]


# Links, main routes, neighbours


def hosts_with(**changes: str | None) -> dict:
    """The LAN's hosts, those with these MACs having another one, or silent (None)."""
    return {
        link: {
            address: changes.get(mac, mac)
            for address, mac in hosts.items()
            if changes.get(mac, mac) is not None
        }
        for link, hosts in lan.HOSTS.items()
    }


def known_except(ways: set[tuple[str, str]]) -> str:
    """Every neighbour but the gateway made known, so that no packet waits for it."""
    return "".join(
        f"neigh replace {address} lladdr {mac} dev {link} nud permanent\n"
        for link, hosts in zip(network.UPLINKS, lan.HOSTS.values())
        for address, mac in hosts.items()
        if (link, mac) not in ways
    )


def upstream_stopped(bench) -> None:
    """Packets wait for the gateway's MAC until the kernel gives them up."""
    bench.server.tell_lan(
        "hosts", hosts=hosts_with(**{mac: None for _, mac in bench.variant.ways})
    )
    bench.send_while(["ip", "neigh", "flush", "all"])
    bench.send_while(["ip", "-force", "-batch", "-"], known_except(bench.variant.ways))
    bench.send_for(0.05)
    time.sleep(0.4)


def upstream_other_mac(bench) -> None:
    ways = bench.variant.ways
    bench.allow(ways | {(name, NEW_MAC) for name, _ in ways})
    bench.server.tell_lan("hosts", hosts=hosts_with(**{mac: NEW_MAC for _, mac in ways}))
    bench.send_while(["ip", "neigh", "flush", "all"])
    bench.send_for(0.03)


def upstream_silent(bench) -> None:
    bench.server.tell_lan("answering", yes=False)


def second_uplink_appears(bench) -> None:
    bench.server.tell_lan("drain")
    bench.capture.read()
    bench.server.remove_uplink("eth1")
    bench.send_all()
    bench.server.restore_links()
    commands(
        "ip link set eth1 up",
        "ip address add 192.0.2.2/24 dev eth1",
        "ip address add fd29::2/64 dev eth1 nodad",
        "ip route replace default via 192.0.2.1 metric 5",
        "ip route replace default via fd29::1 metric 5",
    )(bench)


def gateway_link_renamed(bench) -> None:
    bench.allow(bench.variant.ways | {("wan0", mac) for _, mac in bench.variant.ways})
    commands(
        "ip link set eth0 down",
        "ip link set eth0 name wan0",
        "ip link set wan0 up",
        "ip route replace default via 172.28.0.1",
    )(bench)


def redirected(bench) -> None:
    """The gateway tells the server of a better way: the host router."""
    server, gateway, target = "172.28.0.3", "172.28.0.2", "198.51.100.9"
    for number in (20000, 20001, 20002):
        quoted = wire.ip(server, target, wire.UDP, wire.udp(server, target, number, 33434, b""))
        body = wire.with_checksum(b"\x05\x01\0\0" + wire.raw("172.28.0.1") + quoted[:28], 2)
        frame = lan.mac("02:00:00:28:00:03") + lan.mac(variants.LAN_GATEWAY) + b"\x08\0"
        frame += wire.ip(gateway, server, wire.ICMP, body)
        bench.server.tell_lan("send", name="lan0", frame=frame.hex())
        bench.send(50)


def forgotten(*lines: str) -> Callable[[Any], None]:
    """Answers come when the server has forgotten their flows, which it does
    with the link or the address that they were masqueraded to."""

    def act(bench) -> None:
        bench.server.tell_lan("hold", yes=True)
        bench.send_all()
        bench.server.tell_lan("drain")
        if lines:
            commands(*lines)(bench)
        else:
            kernel.conntrack_flush()
        bench.server.tell_lan("hold", yes=False)

    return act


def unanswered(*lines: str) -> Callable[[Any], None]:
    """Without answers: one that comes to an address which the server has lost
    is for the server no client's, but the LAN's."""

    def act(bench) -> None:
        bench.server.tell_lan("answering", yes=False)
        bench.server.tell_lan("drain")
        commands(*lines)(bench)

    return act


TO_ETH1 = (
    "ip route replace default via 192.0.2.1",
    "ip route replace default via fd29::1 dev eth1",
)
DELETE_ROUTER = ("ip route delete default", "ip -6 route delete default")

NETWORK_TROUBLES = [
    Trouble("nothing", NETWORK, lambda bench: None, True),
    Trouble("main default moved to eth1", NETWORK, commands(*TO_ETH1), True),
    Trouble("main default deleted", NETWORK, commands(*DELETE_ROUTER), True),
    Trouble(
        "main: more specific routes by eth1",
        NETWORK,
        commands(
            "ip route add 198.51.100.0/24 via 192.0.2.1", "ip route add 2001:db8::/32 via fd29::1"
        ),
        True,
    ),
    Trouble(
        "main: 0.0.0.0/1 and 128.0.0.0/1 by eth1",
        NETWORK,
        commands(
            "ip route add 0.0.0.0/1 via 192.0.2.1",
            "ip route add 128.0.0.0/1 via 192.0.2.1",
            "ip route add ::/1 via fd29::1",
            "ip route add 8000::/1 via fd29::1",
        ),
        True,
    ),
    Trouble("flows forgotten", NETWORK, forgotten(), True),
    Trouble("eth0 down", NETWORK, forgotten("ip link set eth0 down")),
    Trouble(
        "eth0 down and up",
        NETWORK,
        forgotten(
            "ip link set eth0 down",
            "ip address replace fd28::3/64 dev eth0 nodad",
            "ip link set eth0 up",
            "ip route replace default via 172.28.0.1",
        ),
    ),
    Trouble("eth0 renamed", NETWORK, gateway_link_renamed),
    Trouble("eth0's address removed", NETWORK, unanswered("ip address flush dev eth0")),
    Trouble(
        "eth0's address changed",
        NETWORK,
        unanswered(
            f"ip address add {network.OTHER_ADDRESS} dev eth0",
            "ip address delete 172.28.0.3/24 dev eth0",
        ),
    ),
    Trouble("upstream stopped", NETWORK, upstream_stopped),
    Trouble("upstream's tunnel down", NETWORK, upstream_silent, True),
    Trouble("upstream's MAC changed", NETWORK, upstream_other_mac, True),
    Trouble("second uplink appears", NETWORK, second_uplink_appears),
    Trouble("gateway sends redirects", NETWORK, redirected),
    Trouble("neighbours forgotten", NETWORK, commands("ip neigh flush all"), True),
]


# The program at work


def run_program(*verbs: str) -> Callable[[Any], None]:
    def act(bench) -> None:
        for verb in verbs:
            bench.send_while(bench.program.command(verb))

    return act


def gateway_changed(bench) -> None:
    """The file names the other gateway, and `up` is run under live sessions."""
    old, new = bench.variant.ways, {("eth0", variants.OTHER_GATEWAY)}
    bench.allow(old | new)
    six = "fd28::9" if 6 in bench.variant.families else "block"
    settings = {"gateway address4": "172.28.0.9", "gateway address6": six}
    bench.program.configure(bench.variant.settings | settings)
    run_program("up")(bench)
    bench.capture.read()
    bench.allow(new)


def repaired(damage: Trouble) -> Trouble:
    def act(bench) -> None:
        damage.act(bench)
        run_program("up")(bench)

    return Trouble(f"{damage.name}, then up", damage.layer, act, True)


def reinstalled(bench) -> None:
    """down and up again; a packet may leave only while the guard is away."""
    bench.dirty = True
    bench.server.tell_lan("answering", yes=False)
    bench.server.tell_lan("drain")
    bench.send_while(["ip", "-batch", "-"], known_except(set()))
    bench.unguarded = True
    run_program("down", "up")(bench)
    bench.unguarded = False


PROGRAM_TROUBLES = [
    Trouble("up, where all is intact", PROGRAM, run_program("up", "up", "up"), True),
    Trouble("down, then up, twice", GUARD, lambda bench: [reinstalled(bench) for _ in "12"], True),
    Trouble("another gateway configured, then up", PROGRAM, gateway_changed, True),
]

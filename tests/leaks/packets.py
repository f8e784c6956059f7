"""What a hostile client sends: the packets, as tables.

The client is 10.20.0.50 / fd20::50 on vpns0. `crafted()` is the product of
the tables below; the essential part of it is sent while pairs of troubles are
tried. `BESIDE` is sent where something else is on the server that it is meant for.
"""

import contextlib
import itertools
from typing import Callable, Iterator, NamedTuple

import malformed
import wire

Addresses = dict[str, str]


class Packet(NamedTuple):
    number: int  # the fragments of a datagram have the same
    name: str
    family: int
    data: bytearray
    stamp: int  # where in it the case is written
    pooled: bool  # its source is an address of the clients' pool
    essential: bool
    own: bool  # its source is the client's own
    tunnel: str = "vpns0"


SOURCES4: Addresses = {
    "its own address": "10.20.0.50",
    "another client": "10.20.0.51",
    "an unassigned pool address": "10.20.0.77",
    "the pool's first address": "10.20.0.0",
    "the pool's last address": "10.20.0.255",
    "the server in the VPN": "10.20.0.1",
    "the server on the LAN": "172.28.0.3",
    "the server on the second uplink": "192.0.2.2",
    "the gateway": "172.28.0.2",
    "the host router": "172.28.0.1",
    "a LAN neighbour": "172.28.0.7",
    "the second uplink's neighbour": "192.0.2.7",
    "an internet host": "203.0.113.9",
    "0.0.0.0": "0.0.0.0",
    "loopback": "127.0.0.1",
    "link-local": "169.254.7.7",
    "multicast": "224.0.0.5",
    "limited broadcast": "255.255.255.255",
    "class E": "240.0.0.1",
}

DESTINATIONS4: Addresses = {
    "internet": "198.51.100.9",
    "the LAN neighbour": "172.28.0.7",
    "the host router": "172.28.0.1",
    "the second uplink's neighbour": "192.0.2.7",
    "the second uplink's router": "192.0.2.1",
    "limited broadcast": "255.255.255.255",
    "the LAN's broadcast": "172.28.0.255",
    "the second uplink's broadcast": "192.0.2.255",
    "the pool's broadcast": "10.20.0.255",
    "multicast, local": "224.0.0.251",
    "multicast, routed": "239.1.2.3",
    "an unassigned pool address": "10.20.0.77",
    "another client": "10.20.0.51",
    "the gateway": "172.28.0.2",
    "the server in the VPN": "10.20.0.1",
    "the server on the LAN": "172.28.0.3",
    "the server on the second uplink": "192.0.2.2",
    "loopback": "127.0.0.1",
    "link-local": "169.254.9.9",
}

SOURCES6: Addresses = {
    "its own address": "fd20::50",
    "another client": "fd20::51",
    "an unassigned pool address": "fd20::77",
    "the pool's anycast address": "fd20::",
    "the server in the VPN": "fd20::1",
    "the server on the LAN": "fd28::3",
    "the server on the second uplink": "fd29::2",
    "the gateway": "fd28::2",
    "the host router": "fd28::1",
    "a LAN neighbour": "fd28::7",
    "the second uplink's neighbour": "fd29::7",
    "an internet host": "2001:db8:203::9",
    "::": "::",
    "loopback": "::1",
    "link-local": "fe80::7",
    "multicast": "ff02::5",
    "IPv4-mapped": "::ffff:203.0.113.9",
}

DESTINATIONS6: Addresses = {
    "internet": "2001:db8:198::9",
    "the LAN neighbour": "fd28::7",
    "the host router": "fd28::1",
    "the second uplink's neighbour": "fd29::7",
    "the second uplink's router": "fd29::1",
    "all nodes": "ff02::1",
    "multicast, local": "ff02::fb",
    "multicast, routed": "ff0e::1234",
    "an unassigned pool address": "fd20::77",
    "another client": "fd20::51",
    "the gateway": "fd28::2",
    "the server in the VPN": "fd20::1",
    "the server on the LAN": "fd28::3",
    "the server on the second uplink": "fd29::2",
    "loopback": "::1",
    "link-local": "fe80::9",
}

SOURCES = {4: SOURCES4, 6: SOURCES6}
DESTINATIONS = {4: DESTINATIONS4, 6: DESTINATIONS6}

# The server listens here, so that it answers a SYN and reads a datagram.
OPEN_PORT = 443
CLOSED_PORT = 33434

Body = Callable[[str, str, int], tuple[int, bytes]]
Builder = Callable[[int], list[bytes]]


def port(number: int) -> int:
    return 20000 + number % 40000


def udp(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.UDP, wire.udp(src, dst, port(number), CLOSED_PORT, wire.marker(number))


def syn(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.TCP, wire.tcp(src, dst, port(number), OPEN_PORT, 0x02, wire.marker(number))


def ack(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.TCP, wire.tcp(src, dst, port(number), CLOSED_PORT, 0x10, wire.marker(number))


def echo(src: str, dst: str, number: int) -> tuple[int, bytes]:
    proto = wire.ICMPV6 if ":" in src else wire.ICMP
    return proto, wire.echo(src, dst, port(number), wire.marker(number))


def sctp(_src: str, _dst: str, number: int) -> tuple[int, bytes]:
    return wire.SCTP, wire.sctp_init(port(number), OPEN_PORT, wire.marker(number))


def esp(_src: str, _dst: str, number: int) -> tuple[int, bytes]:
    return wire.ESP, b"\0\0\x10\0" + number.to_bytes(4, "big") + wire.marker(number)


def udplite(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.UDPLITE, wire.udplite(src, dst, port(number), CLOSED_PORT, wire.marker(number))


def dccp(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.DCCP, wire.dccp_request(src, dst, port(number), OPEN_PORT, wire.marker(number))


def ah(_src: str, _dst: str, number: int) -> tuple[int, bytes]:
    return wire.AH, wire.authentication_header(wire.NO_NEXT, number) + wire.marker(number)


def tunnelled(src: str, dst: str, number: int, inner: int) -> bytes:
    """A datagram of family `inner` between the like-named addresses."""
    other = {"10.20.0.50": "fd20::50", "fd20::50": "10.20.0.50"}
    if (6 if ":" in src else 4) != inner:
        src = other.get(src, "2001:db8:203::9" if inner == 6 else "203.0.113.9")
        dst = "2001:db8:198::9" if inner == 6 else "198.51.100.9"
    return wire.ip(src, dst, *udp(src, dst, number))


def gre(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.GRE, b"\0\0\x08\0" + tunnelled(src, dst, number, 4)


def in4(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.IPIP, tunnelled(src, dst, number, 4)


def in6(src: str, dst: str, number: int) -> tuple[int, bytes]:
    return wire.SIXIN4, tunnelled(src, dst, number, 6)


# Sent from every source to every destination.
MAIN_PROTOCOLS: dict[str, Body] = {"UDP": udp, "TCP SYN": syn, "ICMP echo": echo}

# Sent from every source to FEW destinations, and honestly to every destination.
OTHER_PROTOCOLS: dict[str, Body] = {
    "TCP ACK": ack,
    "SCTP": sctp,
    "UDP-Lite": udplite,
    "DCCP": dccp,
    "ESP": esp,
    "AH": ah,
    "GRE": gre,
    "IPv4 in IP": in4,
    "IPv6 in IP": in6,
}

POOL = (
    "its own address",
    "another client",
    "an unassigned pool address",
    "the pool's first address",
    "the pool's last address",
    "the pool's anycast address",
    "the server in the VPN",
)
FEW = (
    "internet",
    "the second uplink's neighbour",
    "the server on the LAN",
    "an unassigned pool address",
)
FEW_SOURCES = (
    "its own address",
    "another client",
    "an unassigned pool address",
    "the server in the VPN",
    "the gateway",
    "an internet host",
)
HOPS = {4: "192.0.2.7", 6: "fd29::7"}

# name: (kind, pointer, hops); a pointer past the end is a route used up, which
# an answer follows backwards.
ROUTES = {
    "loose source route": (131, 4, ["192.0.2.7"]),
    "strict source route": (137, 4, ["192.0.2.7"]),
    "loose source route, used up": (131, 8, ["192.0.2.7"]),
    "strict source route, used up": (137, 8, ["192.0.2.7"]),
    "record route": (7, 4, ["0.0.0.0"] * 4),
    "loose source route, pointer astray": (131, 3, ["192.0.2.7"]),
}
OTHER_OPTIONS = {
    "timestamp": bytes([68, 12, 5, 1]) + b"\0" * 8,
    "router alert": bytes([148, 4, 0, 0]),
    "unknown option": bytes([222, 4, 0, 0]),
    "option too long": bytes([7, 39, 4, 0]),
}
OPTIONS4 = {name: wire.source_route(*route) for name, route in ROUTES.items()} | OTHER_OPTIONS

# name: (number of the first extension header, builder of the chain)
Chain = Callable[[int, list[str]], bytes]
CHAINS6: dict[str, tuple[int, Chain]] = {
    "hop-by-hop": (wire.HOPOPTS, lambda then, _: wire.extension(then, b"")),
    "hop-by-hop, router alert": (
        wire.HOPOPTS,
        lambda then, _: wire.extension(then, b"\x05\x02\0\0"),
    ),
    "hop-by-hop, unknown option 0x9e": (
        wire.HOPOPTS,
        lambda then, _: wire.extension(then, b"\x9e\x02\0\0"),
    ),
    "hop-by-hop, unknown option 0xde": (
        wire.HOPOPTS,
        lambda then, _: wire.extension(then, b"\xde\x02\0\0"),
    ),
    "hop-by-hop, false jumbo": (
        wire.HOPOPTS,
        lambda then, _: wire.extension(then, b"\xc2\x04\0\0\0\x08"),
    ),
    "destination options": (wire.DSTOPTS, lambda then, _: wire.extension(then, b"")),
    "destination options, unknown 0xde": (
        wire.DSTOPTS,
        lambda then, _: wire.extension(then, b"\xde\x02\0\0"),
    ),
    "destination options, home address": (
        wire.DSTOPTS,
        lambda then, hops: wire.extension(then, b"\x01\x02\0\0\xc9\x10" + wire.raw(hops[0])),
    ),
    "routing header 0": (wire.ROUTING, lambda then, hops: wire.routing_header(then, 0, 1, hops)),
    "routing header 2": (wire.ROUTING, lambda then, hops: wire.routing_header(then, 2, 1, hops)),
    "segment routing": (wire.ROUTING, lambda then, hops: wire.routing_header(then, 4, 1, hops)),
    "segment routing, used up": (
        wire.ROUTING,
        lambda then, hops: wire.routing_header(then, 4, 0, hops),
    ),
    "unknown routing header": (
        wire.ROUTING,
        lambda then, hops: wire.routing_header(then, 99, 1, hops),
    ),
    "fragment, the only one": (
        wire.FRAGMENT,
        lambda then, _: wire.fragment_header(then, 0, False, 1),
    ),
}


def padded(number: int, length: int) -> bytes:
    """Payload of that length, a marker in every sixteen bytes."""
    return wire.marker(number) * (length // wire.MARKER)


def pieces4(number: int, src: str, dst: str, ttl: int, parts: tuple[int, ...]) -> list[bytes]:
    """Those of a datagram's three fragments that are named, in that order."""
    whole = wire.udp(src, dst, port(number), CLOSED_PORT, padded(number, 72))
    return [
        wire.ipv4(
            src,
            dst,
            wire.UDP,
            whole[24 * part : 24 * part + 24],
            ttl,
            fragment=3 * part | (0 if part == 2 else wire.MORE_FRAGMENTS),
            ident=port(number),
        )
        for part in parts
    ]


def pieces6(number: int, src: str, dst: str, ttl: int, parts: tuple[int, ...]) -> list[bytes]:
    whole = wire.udp(src, dst, port(number), CLOSED_PORT, padded(number, 72))
    return [
        wire.ipv6(
            src,
            dst,
            wire.FRAGMENT,
            wire.fragment_header(wire.UDP, 24 * part, part != 2, number)
            + whole[24 * part : 24 * part + 24],
            ttl,
        )
        for part in parts
    ]


FRAGMENTS = {
    "fragments": (0, 1, 2),
    "fragments in reverse": (2, 1, 0),
    "first fragment alone": (0,),
    "last fragment alone": (2,),
}


class Crafted(NamedTuple):
    """A packet before it has a number: what to call it and how to build it."""

    name: str
    family: int
    source: str
    build: Builder
    essential: bool = False


def plain(family: int) -> Iterator[Crafted]:
    every = {**MAIN_PROTOCOLS, **OTHER_PROTOCOLS}
    for protocol, body in every.items():
        for source, src in SOURCES[family].items():
            for target, dst in DESTINATIONS[family].items():
                wanted = protocol in MAIN_PROTOCOLS or target in FEW or source == "its own address"
                essential = (
                    protocol == "UDP"
                    and (source in FEW_SOURCES or target in FEW)
                    or source == "its own address"
                    and target == "internet"
                )
                if not wanted:
                    continue
                for ttl in (64, 1):
                    yield Crafted(
                        f"{protocol} from {source} to {target}" + ", TTL 1" * (ttl == 1),
                        family,
                        source,
                        lambda n, b=body, s=src, d=dst, t=ttl: [wire.ip(s, d, *b(s, d, n), t)],
                        essential,
                    )


def some(family: int) -> Iterator[tuple[str, str, str, str, int, str]]:
    """Sources, destinations and TTLs that the odd packets are tried with."""
    targets = {
        name: DESTINATIONS[family][name] for name in (*FEW, "the server in the VPN", "the gateway")
    }
    for source in FEW_SOURCES:
        for target, dst in targets.items():
            for ttl in (64, 1):
                words = f"from {source} to {target}" + ", TTL 1" * (ttl == 1)
                yield source, SOURCES[family][source], target, dst, ttl, words


def optioned() -> Iterator[Crafted]:
    for option, octets in OPTIONS4.items():
        for source, src, _, dst, ttl, words in some(4):
            for protocol, body in MAIN_PROTOCOLS.items():
                yield Crafted(
                    f"{protocol} with {option} {words}",
                    4,
                    source,
                    lambda n, b=body, s=src, d=dst, t=ttl, o=octets: [
                        wire.ipv4(s, d, *b(s, d, n), t, o)
                    ],
                    protocol == "ICMP echo" and source == "its own address" and ttl == 64,
                )


def extended() -> Iterator[Crafted]:
    def build(number: int, body: Body, src: str, dst: str, ttl: int, chain: str) -> list[bytes]:
        first, make = CHAINS6[chain]
        proto, payload = body(src, dst, number)
        return [wire.ipv6(src, dst, first, make(proto, [HOPS[6]]) + payload, ttl)]

    for chain in CHAINS6:
        for source, src, _, dst, ttl, words in some(6):
            for protocol, body in MAIN_PROTOCOLS.items():
                yield Crafted(
                    f"{protocol} with {chain} {words}",
                    6,
                    source,
                    lambda n, b=body, s=src, d=dst, t=ttl, c=chain: build(n, b, s, d, t, c),
                    protocol == "ICMP echo" and source in FEW_SOURCES[:3] and ttl == 64,
                )


def fragmented(family: int) -> Iterator[Crafted]:
    pieces = pieces4 if family == 4 else pieces6
    for kind, parts in FRAGMENTS.items():
        for source, src, _, dst, ttl, words in some(family):
            yield Crafted(
                f"UDP {kind} {words}",
                family,
                source,
                lambda n, s=src, d=dst, t=ttl, p=parts: pieces(n, s, d, t, p),
                source == "its own address",
            )


def overlong(family: int) -> Iterator[Crafted]:
    """Longer than the uplinks' MTU: to be fragmented, or refused."""

    def build(number: int, src: str, dst: str, ttl: int, flag: int) -> list[bytes]:
        payload = wire.udp(src, dst, port(number), CLOSED_PORT, padded(number, 1600))
        if family == 6:
            return [wire.ipv6(src, dst, wire.UDP, payload, ttl)]
        return [wire.ipv4(src, dst, wire.UDP, payload, ttl, fragment=flag, ident=port(number))]

    flags = {"": 0, ", not to be fragmented": wire.DONT_FRAGMENT} if family == 4 else {"": 0}
    for source, src, _, dst, ttl, words in some(family):
        for flag, bits in flags.items():
            yield Crafted(
                f"over-long UDP{flag} {words}",
                family,
                source,
                lambda n, s=src, d=dst, t=ttl, f=bits: build(n, s, d, t, f),
                source == "its own address" and ttl == 64,
            )


def unknown_protocols(family: int) -> Iterator[Crafted]:
    for source, src, _, dst, ttl, words in some(family):
        for proto in (253, wire.NO_NEXT):
            yield Crafted(
                f"protocol {proto} {words}",
                family,
                source,
                lambda n, s=src, d=dst, t=ttl, p=proto: [wire.ip(s, d, p, wire.marker(n), t)],
            )


# Tunnels that end on the server; the frame inside is for this address of theirs.
VXLAN_MAC = "02:00:00:30:00:01"
VXLAN = {4: 7, 6: 8}  # network, by the family of what is outside
INSIDE = (
    "its own address",
    "another client",
    "the server in the VPN",
    "a LAN neighbour",
    "the gateway",
    "an internet host",
)
INSIDE_TO = (
    "internet",
    "the LAN neighbour",
    "the host router",
    "the second uplink's neighbour",
    "the gateway",
    "another client",
    "the server on the LAN",
    "the server in the VPN",
)


def encapsulated(client: str, server: str, inner: Builder) -> Builder:
    """A client's VXLAN to the server, with a packet in it."""
    mac = bytes.fromhex(VXLAN_MAC.replace(":", ""))
    network = VXLAN[6 if ":" in client else 4]

    def build(number: int) -> list[bytes]:
        frame = wire.ethernet(mac, b"\x02" + bytes(5), *inner(number))
        payload = wire.vxlan(network, frame)
        datagram = wire.udp(client, server, port(number), wire.VXLAN_PORT, payload)
        return [wire.ip(client, server, wire.UDP, datagram)]

    return build


def inside() -> Iterator[Crafted]:
    """What may be in it."""
    for family in (4, 6):
        for source, target in itertools.product(INSIDE, INSIDE_TO):
            src, dst = SOURCES[family][source], DESTINATIONS[family][target]
            words = f"from {source} to {target}, IPv{family}"
            for protocol, body in MAIN_PROTOCOLS.items():
                for ttl in (64, 1):
                    yield Crafted(
                        f"{protocol} {words}" + ", TTL 1" * (ttl == 1),
                        family,
                        source,
                        lambda n, b=body, s=src, d=dst, t=ttl: [wire.ip(s, d, *b(s, d, n), t)],
                    )
            yield Crafted(
                f"UDP with headers that are wrong {words}",
                family,
                source,
                lambda n, s=src, d=dst: [next(malformed.forms(s, d, *udp(s, d, n), 64))],
            )


def in_vxlan(family: int) -> Iterator[Crafted]:
    client = SOURCES[family]["its own address"]
    for server in ("the server in the VPN", "the server on the LAN"):
        for inner in inside():
            yield Crafted(
                f"VXLAN to {server}, in it {inner.name}",
                family,
                inner.source,
                encapsulated(client, DESTINATIONS[family][server], inner.build),
            )


OTHER_VPN = {4: "10.8.0.5", 6: "fd08::5"}


def to_other_vpn(family: int) -> Iterator[Crafted]:
    """To a host behind another VPN of the server's."""
    for source in FEW_SOURCES:
        src, dst = SOURCES[family][source], OTHER_VPN[family]
        for protocol, body in MAIN_PROTOCOLS.items():
            yield Crafted(
                f"{protocol} from {source} to another VPN",
                family,
                source,
                lambda n, b=body, s=src, d=dst: [wire.ip(s, d, *b(s, d, n))],
            )


BESIDE: dict[str, Callable[[int], Iterator[Crafted]]] = {
    "vxlan": in_vxlan,
    "another VPN": to_other_vpn,
}


def honest(protocol: str, target: str, family: int) -> str:
    """The name of an ordinary packet of the client."""
    return f"{protocol} from its own address to {target}" + " (IPv6)" * (family == 6)


def crafted(families: tuple[int, ...]) -> Iterator[Crafted]:
    for family in families:
        yield from plain(family)
        yield from optioned() if family == 4 else extended()
        yield from fragmented(family)
        yield from overlong(family)
        yield from unknown_protocols(family)


def numbered(crafts: Iterator[Crafted], first: int = 0) -> Iterator[Packet]:
    for number, craft in enumerate(crafts, first):
        for data in craft.build(number):
            yield Packet(
                number,
                craft.name + " (IPv6)" * (craft.family == 6),
                craft.family,
                bytearray(data),
                wire.stamp_offset(data),
                craft.source in POOL,
                craft.essential,
                craft.source == "its own address",
            )


def ordinary(family: int, tunnel: str = "vpns0") -> set[str]:
    """Names of what a client sends that does not attack: anything to the internet."""
    names = {honest(body, "internet", family) for body in (*MAIN_PROTOCOLS, *OTHER_PROTOCOLS)}
    return {SECOND + name for name in names} if tunnel == "vpns1" else names


# What the second client sends: it is the first one's "another client", and the other way round.
SECOND = "vpns1: "
ONES = ("its own address", "another client")
WHERE = ("internet", "the LAN neighbour", "the host router", "the second uplink's neighbour", "the gateway", *FEW[2:])


@contextlib.contextmanager
def the_other_way_round() -> Iterator[None]:
    def swap() -> None:
        for family, table in SOURCES.items():
            own, other = (table[name] for name in ONES)
            table |= zip(ONES, (other, own))
            DESTINATIONS[family][ONES[1]] = own

    swap()
    yield
    swap()


def of_second(first: int) -> list[Packet]:
    with the_other_way_round():
        crafts = [craft._replace(name=SECOND + craft.name) for craft in crafted((4, 6)) if craft.essential]
        return [packet._replace(tunnel="vpns1") for packet in numbered(iter(crafts), first)]


def to_the_point(packet: Packet) -> bool:
    """Where there are several gateways: what may leave by the wrong one."""
    target = packet.name.removesuffix(" (IPv6)").rpartition(" to ")[2].removesuffix(", TTL 1")
    return packet.essential and target in WHERE


class Catalogue:
    """All packets, and the choices from them that cases are tried with."""

    def __init__(self) -> None:
        everything = list(numbered(crafted((4, 6))))
        found = list(everything)
        names = ordinary(4) | ordinary(6)
        self.choices = {
            "all": everything,
            "essence": [packet for packet in everything if packet.essential],
            "ordinary": [packet for packet in everything if packet.name in names],
        }
        for kind, make in BESIDE.items():
            crafts = [craft for family in (4, 6) for craft in make(family)]
            self.choices[kind] = list(numbered(crafts, found[-1].number + 1))
            found += self.choices[kind]
        second = of_second(found[-1].number + 1)
        found += second
        self.choices["several"] = [
            packet
            for pair in itertools.zip_longest(*(filter(to_the_point, each) for each in (everything, second)))
            for packet in pair
            if packet
        ]
        self.choices["attackers"] = [
            packet for kind in ("essence", *BESIDE) for packet in self.choices[kind]
        ]
        self.by_name = {packet.name: packet for packet in found}
        self.by_number = {packet.number: packet for packet in found}

    def choose(self, kind: str, families: tuple[int, ...]) -> list[Packet]:
        return [packet for packet in self.choices[kind] if packet.family in families]

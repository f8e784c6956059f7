"""Headers with which the kernel finds fault, in ways that make it say so."""

from typing import Iterator

import wire

# IPv4 options; the kernel reads them before any rule for its own packets.
OPTIONS = {
    "record route, too short": bytes([7, 2, 4, 0]),
    "record route, pointer before the first hop": bytes([7, 7, 3]) + bytes(5),
    "record route, pointer astride the end": bytes([7, 7, 6]) + bytes(5),
    "timestamp, too short": bytes([68, 3, 5, 0]),
    "timestamp, pointer before the first": bytes([68, 8, 4, 0]) + bytes(4),
    "timestamp, pointer astride the end": bytes([68, 8, 7, 0]) + bytes(4),
    "timestamp, overflow": bytes([68, 4, 5, 0xF0]),
    "timestamp, unknown flag": bytes([68, 12, 5, 2]) + bytes(8),
    "source route, pointer before the first hop": bytes([131, 7, 3]) + bytes(5),
    "router alert, too short": bytes([148, 3, 0, 0]),
    "CIPSO, too short": bytes([134, 3, 0, 0]),
    "unknown, of no length": bytes([222, 0, 0, 0]),
    "unknown, longer than the header": bytes([222, 40, 0, 0]),
}

# (number of the first extension header, the chain for the header that follows it)
CHAINS = {
    "destination options, unknown 0x9e": (
        wire.DSTOPTS,
        lambda then: wire.extension(then, b"\x9e\x02\0\0"),
    ),
    "destination options, unknown 0xde": (
        wire.DSTOPTS,
        lambda then: wire.extension(then, b"\xde\x02\0\0"),
    ),
    "hop-by-hop, unknown 0x9e": (
        wire.HOPOPTS,
        lambda then: wire.extension(then, b"\x9e\x02\0\0"),
    ),
    "hop-by-hop, unknown 0xde": (
        wire.HOPOPTS,
        lambda then: wire.extension(then, b"\xde\x02\0\0"),
    ),
    "hop-by-hop, false jumbo": (
        wire.HOPOPTS,
        lambda then: wire.extension(then, b"\xc2\x04\0\0\0\x08"),
    ),
    "hop-by-hop behind another header": (
        wire.DSTOPTS,
        lambda then: wire.extension(wire.HOPOPTS, b"") + wire.extension(then, b""),
    ),
    "routing header 0": (
        wire.ROUTING,
        lambda then: wire.routing_header(then, 0, 1, ["2001:db8:198::1"]),
    ),
    "unknown routing header": (
        wire.ROUTING,
        lambda then: wire.routing_header(then, 99, 1, ["2001:db8:198::1"]),
    ),
    "segment routing": (
        wire.ROUTING,
        lambda then: wire.routing_header(then, 4, 1, ["2001:db8:198::1"]),
    ),
    "fragment of an odd length": (
        wire.FRAGMENT,
        lambda then: wire.fragment_header(then, 0, True, 77) + b"\0\0\0",
    ),
    "fragment past the end": (
        wire.FRAGMENT,
        lambda then: wire.fragment_header(then, 0xFFF8, False, 78),
    ),
    "unknown next header": (253, lambda _: b""),
}


def forms(src: str, dst: str, proto: int, payload: bytes, ttl: int) -> Iterator[bytes]:
    """The packet once with each of them."""
    if ":" not in src:
        for options in OPTIONS.values():
            yield wire.ipv4(src, dst, proto, payload, ttl, options)
        return
    for first, make in CHAINS.values():
        yield wire.ipv6(src, dst, first, make(proto) + payload, ttl)

"""What the guard must leave alone, tried with single packets."""

import os
import socket
import time
from typing import Iterator, NamedTuple

import capture
import decode
import kernel
import lan
import network
import packets
import variants
import wire
from bench import Bench

Found = tuple[str, str]  # what was tried, and the problem or nothing


class Words(NamedTuple):
    client: str
    other: str
    server: str
    internet: str
    echo: str
    neighbour: str
    lan: str


WORDS = {
    4: Words(
        "10.20.0.50",
        "10.20.0.51",
        "10.20.0.1",
        "198.51.100.9",
        "ICMP echo",
        "172.28.0.7",
        "172.28.0.3",
    ),
    6: Words(
        "fd20::50", "fd20::51", "fd20::1", "2001:db8:198::9", "ICMPv6 echo", "fd28::7", "fd28::3"
    ),
}
# From a LAN neighbour to one on the second uplink: the packet, and it in words.
OTHERS = {
    4: (
        wire.ip("172.28.0.7", "192.0.2.7", wire.UDP, wire.udp("172.28.0.7", "192.0.2.7", 7, 9, b"")),
        "172.28.0.7 > 192.0.2.7 UDP 7>9",
    ),
    6: (
        wire.ip("fd28::7", "fd29::7", wire.UDP, wire.udp("fd28::7", "fd29::7", 7, 9, b"")),
        "fd28::7 > fd29::7 UDP 7>9",
    ),
}
CLOSED_PORT = 4433
CASE = 0xFFF0  # of the packets below, so that what is left of others is not taken for one of them
SYN = 0x02


def received(bench: Bench, tunnel: str) -> list[bytes]:
    """What has come out of a tunnel, toward its client."""
    found = []
    try:
        while True:
            found.append(os.read(bench.server.tunnels[tunnel], 4096))
    except BlockingIOError:
        return found


def echo_to(bench: Bench, target: str, family: int, tunnel: str = "vpns0") -> list[str]:
    """The client sends one echo request; what a tunnel then brings, in words."""
    for name in bench.server.tunnels:
        received(bench, name)
    bench.capture.forget()
    bench.start(
        wire.NO_CASE, [bench.catalogue.by_name[packets.honest("ICMP echo", target, family)]]
    )
    bench.send(1)
    for _ in range(2):
        bench.server.tell_lan("drain")
        time.sleep(0.005)
    bench.capture.read()
    return [decode.packet(packet) for packet in received(bench, tunnel)]


def own_datagram(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.sendto(capture.OWN_TRAFFIC, (address, 9))


def server_reaches_client(bench: Bench, address: str) -> bool:
    received(bench, "vpns0")
    own_datagram(address)
    return any(capture.OWN_TRAFFIC in packet for packet in received(bench, "vpns0"))


def own_way(bench: Bench, address: str, forget: bool = True) -> bool:
    """The server's own traffic keeps to the main route."""
    if forget:
        bench.capture.forget()
    own_datagram(address)
    time.sleep(0.02)
    bench.capture.read()
    return len(bench.capture.own) == 1


def delivered(bench: Bench, packet: bytes) -> bool:
    """A packet of the client reaches the gateway."""
    bench.capture.forget()
    os.write(bench.client, packet)
    bench.server.tell_lan("drain")
    bench.capture.read()
    return CASE in bench.capture.delivered


def own_error(family: int) -> bytes:
    """The client says to an internet host that it has no such port."""
    words, at = WORDS[family], 28 if family == 4 else 48
    question = wire.udp(words.internet, words.client, 53, 5353, wire.marker(0, CASE))
    quoted = wire.ip(words.internet, words.client, wire.UDP, question)[: at + wire.MARKER]
    if family == 4:
        return wire.ip(
            words.client,
            words.internet,
            wire.ICMP,
            wire.with_checksum(b"\3\3\0\0\0\0\0\0" + quoted, 2),
        )
    body = b"\1\4\0\0\0\0\0\0" + quoted
    pseudo = wire.pseudo_header(words.client, words.internet, wire.ICMPV6, len(body))
    return wire.ip(
        words.client, words.internet, wire.ICMPV6, wire.with_checksum(body, 2, pseudo)
    )


def forged(bench: Bench, family: int) -> bytes:
    name = "UDP from another client to internet" + " (IPv6)" * (family == 6)
    packet = bench.catalogue.by_name[name]
    bench.start(CASE, [packet])
    return bytes(packet.data)


def lan_answer(bench: Bench, family: int, port: int) -> list[str]:
    """What the server answers to a LAN neighbour's SYN."""
    words = WORDS[family]
    segment = wire.tcp(words.neighbour, words.lan, 1024, port, SYN, b"")
    frame = lan.mac(network.UPLINKS["eth0"][1]) + lan.mac(lan.HOSTS["lan0"][words.neighbour])
    frame += b"\x08\x00" if family == 4 else b"\x86\xdd"
    frame += wire.ip(words.neighbour, words.lan, wire.TCP, segment)
    bench.capture.forget()
    bench.server.tell_lan("send", name="lan0", frame=frame.hex())
    for _ in range(20):
        time.sleep(0.005)
        bench.capture.read()
        packets_out = [leak.frame.data[14:] for leak in bench.capture.leaks]
        answers = [out for out in packets_out if capture.addresses(out)[1] == words.neighbour]
        if answers:
            break
    return [decode.packet(answer) for answer in answers]


def services(bench: Bench, family: int) -> Iterator[Found]:
    """What listens on the gateway's interface is reached; the rest of it is silent."""
    words = WORDS[family]
    answer = f"{words.lan} > {words.neighbour} TCP {{}}>1024 {{}}"
    seen = lan_answer(bench, family, packets.OPEN_PORT)
    yield result(
        f"{words.neighbour} reaches a program on {words.lan}",
        answer.format(packets.OPEN_PORT, "SYN+ACK") in seen,
        seen,
    )
    seen = lan_answer(bench, family, CLOSED_PORT)
    silent = (
        family in bench.variant.families
        and bench.variant.settings.get("gateway masquerade") != "no"
        and ("eth0", variants.LAN_GATEWAY) in bench.variant.ways
    )
    yield result(
        f"{words.neighbour} gets {'no' if silent else 'an'} answer from a closed port",
        seen == ([] if silent else [answer.format(CLOSED_PORT, "RST+ACK")]),
        seen,
    )


def forwarded(bench: Bench, family: int) -> Found:
    """A LAN neighbour's packet to the second uplink, which is none of ours."""
    packet, way = OTHERS[family]
    frame = lan.mac(network.UPLINKS["eth0"][1]) + lan.mac(lan.HOSTS["lan0"][WORDS[family].neighbour])
    frame += (b"\x08\x00" if family == 4 else b"\x86\xdd") + packet
    allowed = bench.variant.settings.get("killswitch forward_others") != "no"
    bench.capture.forget()
    bench.capture.allow(set())  # its way may be one of clients, too
    bench.server.tell_lan("send", name="lan0", frame=frame.hex())
    own_way(bench, WORDS[family].internet, forget=False)  # behind it, so that it has been seen to
    seen = [decode.packet(leak.frame.data[14:]) for leak in bench.capture.leaks]
    bench.allow(bench.variant.ways)
    return result(f"{way} is {'' if allowed else 'not '}forwarded", (way in seen) == allowed, seen)


def result(what: str, passed: bool, seen: object) -> Found:
    return what, "" if passed else f"does not work; seen instead: {seen}"


def internet(bench: Bench, family: int) -> Found:
    """The gateway answers, or the server says at once that there is none."""
    words, settings = WORDS[family], bench.variant.settings
    seen = echo_to(bench, "internet", family)
    if bench.variant.leads(family):
        answered = f"{words.internet} > {words.client} {words.echo} reply" in seen
        unmasked = settings.get("gateway masquerade") == "no"  # the answer finds no way back here
        return result(
            f"{words.client} asks {words.internet}",
            bool(bench.capture.delivered) and (answered or unmasked),
            seen,
        )
    wanted = settings.get("killswitch blocked") != "drop"
    for _ in range(20):  # the kernel answers so many a second and no more
        if any("unreachable" in line for line in seen) == wanted:
            break
        time.sleep(0.1)
        seen = echo_to(bench, "internet", family)
    verb = "is refused at once" if wanted else "is dropped in silence"
    return result(
        f"{words.client} to {words.internet} {verb}",
        any("unreachable" in line for line in seen) == wanted,
        seen,
    )


def works_in(bench: Bench, family: int) -> Iterator[Found]:
    words = WORDS[family]
    client, other, server, far, echo, *_ = words
    bench.reset()
    seen = echo_to(bench, "the server in the VPN", family)
    yield result(f"{client} asks {server}", f"{server} > {client} {echo} reply" in seen, seen)
    seen = echo_to(bench, "another client", family, "vpns1")
    allowed = bench.variant.settings.get("killswitch client_to_client") != "no"
    verb = "reaches" if allowed else "does not reach"
    yield result(
        f"{client} {verb} {other}", (f"{client} > {other} {echo}" in seen) == allowed, seen
    )
    yield internet(bench, family)
    gateway = bench.variant.leads(family)
    yield result(
        f"{client} {'can' if gateway else 'can not'} say that it has no such port",
        delivered(bench, own_error(family)) == gateway,
        bench.capture.delivered,
    )
    yield result(
        f"{client} can not send as {other}", not delivered(bench, forged(bench, family)), "a packet"
    )
    yield from services(bench, family)
    yield forwarded(bench, family)
    pinged = kernel.run(["ping", "-c1", "-W5", server], check=False)
    yield result(f"the server asks {server}", " 0 received" not in pinged, pinged)
    yield result(f"the server reaches {client}", server_reaches_client(bench, client), "nothing")
    yield result(f"the server's own way to {words.internet}", own_way(bench, far), "nothing")


def works(bench: Bench) -> list[Found]:
    return [found for family in bench.covered for found in works_in(bench, family)]

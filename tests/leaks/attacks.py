"""Attacks that need something beside the client: tables and interfaces of others on the server,
neighbours that lie, addresses that are elsewhere now. Each is tried with both layers complete and with
one of them gone, and the host's own traffic must go on beside it.
"""

import contextlib
import itertools
import os
import re
import socket
import time
from typing import Callable, Iterator, NamedTuple

import capture
import decode
import kernel
import lan
import network
import packets
import troubles
import variants
import wire
from bench import Bench
from works import WORDS, received

Finding = str  # what has gone wrong, in words
Look = Callable[[Bench, int], Iterator[Finding]]  # at what must go on in a family

NEIGHBOUR, ROUTER = "02:00:00:28:00:07", "02:00:00:28:00:01"
FAR = {4: "198.51.100.77", 6: "2001:db8:198::77"}  # on the internet; no client asks it
SYN = 0x02
OWN = capture.OWN_TRAFFIC


# What else is wrong while they strike.
DAMAGES = {
    "none": troubles.NETWORK_TROUBLES[0],
    "routing": troubles.ROUTING_GONE,
    "guard": troubles.GUARD_GONE[1],
    "gateway": troubles.Trouble("gateway silent", troubles.NETWORK, troubles.upstream_stopped),
}


class Attack(NamedTuple):
    group: str
    name: str
    strike: Callable[[Bench], None]  # after the damage, packets being under way
    spared: Look  # what the attack must not have ended
    prepare: Callable[[Bench], None] = lambda bench: None  # before the rules are installed
    settings: dict[str, str] = {}
    packets: str = "essence"
    damages: tuple[str, ...] = tuple(DAMAGES)  # that it is tried with


# Frames that come in, and what leaves for them


def arrive(bench: Bench, uplink: str, sender: str, *datagrams: bytes) -> None:
    """Packets come in by an uplink."""
    other, own, *_ = network.UPLINKS[uplink]
    frames = [wire.ethernet(lan.mac(own), lan.mac(sender), packet).hex() for packet in datagrams]
    bench.server.tell_lan("send", name=other, frame=" ".join(frames))


def patiently(act: Callable[[], None]) -> Iterator[None]:
    """Do it, and take turns at looking for what is under way then.

    Do it again where nothing comes: the kernel has one socket for all that it says by ICMP itself,
    and while much of that waits for a neighbour that is silent, it has no room for more.
    """
    for _ in range(4):
        act()
        for _ in range(80):
            yield
            time.sleep(0.005)


def in_words(frames: list[capture.Frame]) -> list[str]:
    return [decode.frame(frame.interface, frame.data) for frame in frames]


def leaves(bench: Bench, what: str, wanted: str, act: Callable[[], None]) -> Iterator[Finding]:
    """A finding, if no frame of the host's own leaves after the act that reads as wanted, a regular
    expression of the whole."""
    bench.capture.forget()
    for _ in patiently(act):
        bench.capture.read()
        if any(re.fullmatch(wanted, words) for words in in_words(bench.capture.own)):
            return
    seen = in_words(bench.capture.own + [leak.frame for leak in bench.capture.leaks])
    yield f"{what}: not seen; instead: {seen[:3]}"


def returned(bench: Bench, what: str, wanted: str, act: Callable[[], None]) -> Iterator[Finding]:
    """The same of packets that come out of the client's tunnel."""
    received(bench, "vpns0")
    seen: list[str] = []
    for _ in patiently(act):
        seen += [decode.packet(packet) for packet in received(bench, "vpns0")]
        if any(re.fullmatch(wanted, words) for words in seen):
            return
    yield f"{what}: not seen; instead: {seen[:3]}"


# The host's own traffic


class Uplink(NamedTuple):
    name: str
    neighbour: dict[int, str]
    mac: str
    words: str  # who has that MAC


UPLINKS = (
    Uplink("eth0", {4: "172.28.0.7", 6: "fd28::7"}, NEIGHBOUR, "a LAN neighbour"),
    Uplink(
        "eth1",
        {4: "192.0.2.7", 6: "fd29::7"},
        "02:00:00:29:00:07",
        "the second uplink's neighbour",
    ),
)
SERVER = {
    "eth0": {4: "172.28.0.3", 6: "fd28::3"},
    "eth1": {4: "192.0.2.2", 6: "fd29::2"},
}


def segment(src: str, dst: str, sport: int, dport: int) -> bytes:
    return wire.ip(src, dst, wire.TCP, wire.tcp(src, dst, sport, dport, SYN, b""))


def datagram(src: str, dst: str, sport: int, dport: int, payload: bytes = OWN) -> bytes:
    return wire.ip(src, dst, wire.UDP, wire.udp(src, dst, sport, dport, payload))


def neighbour_served(bench: Bench, family: int, uplink: Uplink) -> Iterator[Finding]:
    """A neighbour reaches ocserv's listener, and is answered when it pings."""
    here, there = SERVER[uplink.name][family], uplink.neighbour[family]
    way = f"{uplink.name} to {uplink.words}: {here} > {there}"
    yield from leaves(
        bench,
        f"{there} reaches the listener on {here}",
        f"{way} TCP 443>1025 SYN\\+ACK",
        lambda: arrive(bench, uplink.name, uplink.mac, segment(there, here, 1025, 443)),
    )
    proto = wire.ICMP if family == 4 else wire.ICMPV6
    request = wire.ip(there, here, proto, wire.echo(there, here, 77, OWN))
    yield from leaves(
        bench,
        f"{there} pings {here}",
        f"{way} {WORDS[family].echo} reply",
        lambda: arrive(bench, uplink.name, uplink.mac, request),
    )


def internet_served(bench: Bench, family: int) -> Iterator[Finding]:
    """A host on the internet reaches ocserv's listener."""
    here, far = SERVER["eth0"][family], FAR[family]
    yield from leaves(
        bench,
        f"{far} reaches the listener on {here}",
        f"eth0 to the host router: {here} > {far} TCP 443>1025 SYN\\+ACK",
        lambda: arrive(bench, "eth0", ROUTER, segment(far, here, 1025, 443)),
    )


def question_answered(bench: Bench, family: int) -> Iterator[Finding]:
    """What the host itself asks leaves via the main route, and the answer comes in."""
    here, far = SERVER["eth0"][family], FAR[family]
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    with socket.socket(kind, socket.SOCK_DGRAM) as asker:
        asker.connect((far, 53))
        asker.setblocking(False)
        port = asker.getsockname()[1]
        yield from leaves(
            bench,
            f"the host asks {far}",
            f"eth0 to the host router: {here} > {far} UDP {port}>53",
            lambda: asker.send(OWN),
        )
        for _ in patiently(lambda: arrive(bench, "eth0", ROUTER, datagram(far, here, 53, port))):
            with contextlib.suppress(OSError):
                asker.recv(64)
                return
        yield f"{far} answers the host: not received"


def others_forwarded(bench: Bench, family: int) -> Iterator[Finding]:
    """What a neighbour sends to one on the second uplink is forwarded."""
    source, target = (uplink.neighbour[family] for uplink in UPLINKS)
    yield from leaves(
        bench,
        f"{source} is forwarded to {target}",
        f"eth1 to the second uplink's neighbour: {source} > {target} UDP 7>9",
        lambda: arrive(bench, "eth0", NEIGHBOUR, datagram(source, target, 7, 9)),
    )


def host_goes_on(bench: Bench, family: int) -> Iterator[Finding]:
    for uplink in UPLINKS:
        yield from neighbour_served(bench, family, uplink)
    yield from internet_served(bench, family)
    yield from question_answered(bench, family)
    yield from others_forwarded(bench, family)


def second_uplink_served(bench: Bench, family: int) -> Iterator[Finding]:
    yield from neighbour_served(bench, family, UPLINKS[1])


@contextlib.contextmanager
def listening(kind: int, family: int, port: int, proto: int = 0) -> Iterator[socket.socket]:
    """A socket of the host's on that port of all its addresses."""
    domain, anywhere = (socket.AF_INET, "0.0.0.0") if family == 4 else (socket.AF_INET6, "::")
    with socket.socket(domain, kind, proto) as listener:
        if family == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((anywhere, port))
        if kind == socket.SOCK_STREAM:
            listener.listen(1024)
        else:
            listener.setblocking(False)
        yield listener


def all_datagrams(listener: socket.socket) -> list[tuple]:
    """(sender's address, datagram) of each that has come."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(listener.recvfrom(4096)[::-1])
    return found


def client_served(bench: Bench, family: int) -> Iterator[Finding]:
    """The client reaches the server: ICMP, TCP, a DNS server, and the word that nobody listens."""
    words = WORDS[family]
    way = f"{words.server} > {words.client}"
    proto = wire.ICMP if family == 4 else wire.ICMPV6
    echo = wire.echo(words.client, words.server, 79, OWN)
    yield from returned(
        bench,
        f"{words.client} pings {words.server}",
        f"{way} {words.echo} reply",
        lambda: os.write(bench.client, wire.ip(words.client, words.server, proto, echo)),
    )
    yield from returned(
        bench,
        f"{words.client} reaches TCP port 443 of {words.server}",
        f"{way} TCP 443>1026 SYN\\+ACK",
        lambda: os.write(bench.client, segment(words.client, words.server, 1026, 443)),
    )
    yield from returned(
        bench,
        f"{words.client} hears that {words.server} has no such UDP port",
        f"{way} ICMP(v6)? unreachable.*",
        lambda: os.write(bench.client, datagram(words.client, words.server, 1027, 33434)),
    )
    with listening(socket.SOCK_DGRAM, family, 53) as resolver:

        def ask() -> None:
            os.write(bench.client, datagram(words.client, words.server, 1028, 53))
            with contextlib.suppress(BlockingIOError):
                question, asker = resolver.recvfrom(64)
                resolver.sendto(question, asker)

        yield from returned(
            bench, f"{words.client} asks DNS on {words.server}", f"{way} UDP 53>1028", ask
        )


def host_and_client(bench: Bench, family: int) -> Iterator[Finding]:
    yield from host_goes_on(bench, family)
    yield from client_served(bench, family)


# The gateway's network turns up elsewhere, and the program runs


ROGUE = "02:00:00:29:00:66"


def with_rogue() -> dict[str, dict[str, str]]:
    """Somebody on the second uplink says that the gateway's addresses are his."""
    hosts = {name: dict(table) for name, table in lan.HOSTS.items()}
    hosts["lan1"] |= {"172.28.0.2": ROGUE, "fd28::2": ROGUE}
    return hosts


def ours() -> tuple[str, ...]:
    """What the program has made in the kernel."""
    return (
        *(kernel.rule_lines(family) for family in (4, 6)),
        *(kernel.route_lines(family, kernel.TABLE) for family in (4, 6)),
        kernel.run(["nft", "-s", "list", "ruleset"]),
    )


def refused(bench: Bench, command: list[str], what: str) -> None:
    before, known = ours(), len(bench.failures)
    status = bench.send_while(command)
    del bench.failures[known:]  # it is meant to fail
    if status != os.EX_CONFIG:
        bench.problems.append(f"{what} exits with {status}, not 78")
    if ours() != before:
        bench.problems.append(f"{what} has changed what is in the kernel")


def elsewhere(*lines: str, missing: bool = False) -> Callable[[Bench], None]:
    def strike(bench: Bench) -> None:
        bench.server.tell_lan("answering", yes=False)
        bench.server.tell_lan("hosts", hosts=with_rogue())
        bench.server.tell_lan("drain")
        if missing:
            bench.capture.read()
            bench.server.remove_uplink("eth0")
        troubles.commands(*lines)(bench)
        refused(bench, bench.program.command("up"), "up")
        refused(bench, bench.program.connect("vpns0", *network.CLIENTS["vpns0"]), "the hook")
        bench.send_all()
        bench.send_for(0.03)

    return strike


BY_ETH1 = ("ip route replace default dev eth1", "ip -6 route replace default dev eth1")
ELSEWHERE = {
    "eth0 down, main default by eth1": elsewhere("ip link set eth0 down", *BY_ETH1),
    "eth0 missing, main default by eth1": elsewhere(*BY_ETH1, missing=True),
    "routes to the gateway by eth1": elsewhere(
        "ip route add 172.28.0.2/32 dev eth1", "ip -6 route add fd28::2/128 dev eth1"
    ),
    "its network on eth1": elsewhere(
        "ip address add 172.28.0.66/25 dev eth1", "ip address add fd28::66/65 dev eth1 nodad"
    ),
    "its network on eth1, eth0 down": elsewhere(
        "ip address add 172.28.0.66/25 dev eth1",
        "ip address add fd28::66/65 dev eth1 nodad",
        "ip link set eth0 down",
    ),
}


# A neighbour poses as the gateway


MACS = {"gateway mac4": variants.LAN_GATEWAY, "gateway mac6": variants.LAN_GATEWAY}


def lies() -> Iterator[bytes]:
    """Nobody has asked for them: ARP reply, ARP request and neighbour advertisement."""
    server, liar = lan.mac(network.UPLINKS["eth0"][1]), lan.mac(NEIGHBOUR)
    said = liar + wire.raw("172.28.0.2")
    for operation, target in ((2, server + wire.raw("172.28.0.3")), (1, b"\0" * 6 + said[6:])):
        body = b"\0\1\x08\0\6\4" + operation.to_bytes(2, "big") + said + target
        yield server + liar + b"\x08\x06" + body
    advertised = b"\x88\0\0\0\x20\0\0\0" + wire.raw("fd28::2") + b"\2\1" + liar
    pseudo = wire.pseudo_header("fd28::2", "fd28::3", wire.ICMPV6, len(advertised))
    advertised = wire.with_checksum(advertised, 2, pseudo)
    packet = wire.ipv6("fd28::2", "fd28::3", wire.ICMPV6, advertised, 255)
    yield wire.ethernet(server, liar, packet)


def posed(bench: Bench) -> None:
    bench.server.tell_lan(
        "hosts", hosts=troubles.hosts_with(**{variants.LAN_GATEWAY: NEIGHBOUR})
    )
    for _ in range(2):
        frames = " ".join(frame.hex() for frame in lies())
        bench.server.tell_lan("send", name="lan0", frame=frames)
        bench.send_all()
        bench.send_while(["ip", "neigh", "flush", "all"])
    bench.send_for(0.05)


# Tunnels that end on the server


INNER = {4: ("10.30.0.7", "10.30.0.1", "vx0"), 6: ("fd31::7", "fd31::1", "vx6")}
PEER_MAC = "02:00:00:30:00:07"


def vxlan_there(bench: Bench) -> None:
    for family, name, addresses in (
        (4, "vx0", ("10.30.0.1/24", "fd30::1/64")),
        (6, "vx6", ("10.31.0.1/24", "fd31::1/64")),
    ):
        here, there = SERVER["eth0"][family], UPLINKS[0].neighbour[family]
        kind = f"address {packets.VXLAN_MAC} type vxlan id {packets.VXLAN[family]}"
        kind += f" local {here} remote {there} dstport {wire.VXLAN_PORT} nolearning"
        bench.server.add_other(name, kind, *addresses)
        for address in addresses:
            peer = address.split("/")[0][:-1] + "7"
            kernel.ip_batch(f"neigh replace {peer} lladdr {PEER_MAC} dev {name} nud permanent")


def from_peer(bench: Bench, family: int, inner: bytes) -> None:
    frame = wire.ethernet(lan.mac(packets.VXLAN_MAC), lan.mac(PEER_MAC), inner)
    payload = wire.vxlan(packets.VXLAN[family], frame)
    ends = UPLINKS[0].neighbour[family], SERVER["eth0"][family]
    arrive(bench, "eth0", NEIGHBOUR, datagram(*ends, 5555, wire.VXLAN_PORT, payload))


def vxlan_bridged(bench: Bench) -> None:
    """What comes out of the tunnel is no packet to be routed, but goes on to a cable."""
    bench.server.add_other("br9", "type bridge forward_delay 0")
    vxlan_there(bench)
    add_cable(bench, "port9")
    kernel.ip_batch("\n".join(f"link set {name} master br9" for name in ("vx0", "vx6", "port9")))


def bridge_goes_on(bench: Bench, family: int) -> Iterator[Finding]:
    """A true peer reaches what is behind the bridge."""
    behind, peer = packets.OTHER_VPN[family], INNER[family][0]
    frame = wire.ethernet(b"\xff" * 6, lan.mac(PEER_MAC), datagram(peer, behind, 7, 9))
    payload = wire.vxlan(packets.VXLAN[family], frame)
    ends = UPLINKS[0].neighbour[family], SERVER["eth0"][family]
    carried = datagram(*ends, 5555, wire.VXLAN_PORT, payload)
    yield from leaves(
        bench,
        f"{peer} behind VXLAN reaches the bridge",
        f"port9 to everybody: {peer} > {behind} UDP 7>9",
        lambda: arrive(bench, "eth0", NEIGHBOUR, carried),
    )
    yield from host_goes_on(bench, family)


def vxlan_goes_on(bench: Bench, family: int) -> Iterator[Finding]:
    """A true peer of the tunnel is forwarded and answered, and what is for it goes there."""
    peer, own, _ = INNER[family]
    far = FAR[family]
    outside = f"{SERVER['eth0'][family]} > {UPLINKS[0].neighbour[family]}"
    to_peer = f"eth0 to a LAN neighbour: {outside} UDP [0-9]+>{wire.VXLAN_PORT}"
    yield from leaves(
        bench,
        f"{peer} behind VXLAN is forwarded to {far}",
        f"eth0 to the host router: {peer} > {far} UDP 7>9",
        lambda: from_peer(bench, family, datagram(peer, far, 7, 9)),
    )
    yield from leaves(
        bench,
        f"{far} answers {peer} behind VXLAN",
        to_peer,
        lambda: arrive(bench, "eth0", ROUTER, datagram(far, peer, 9, 7)),
    )
    proto = wire.ICMP if family == 4 else wire.ICMPV6
    request = wire.ip(peer, own, proto, wire.echo(peer, own, 78, OWN))
    yield from leaves(
        bench,
        f"{peer} behind VXLAN pings {own}",
        to_peer,
        lambda: from_peer(bench, family, request),
    )
    yield from host_and_client(bench, family)


NO_SERVICE = {
    "GRE": wire.GRE,
    "ESP": wire.ESP,
    "AH": wire.AH,
    "SCTP": wire.SCTP,
    "DCCP": wire.DCCP,
    "UDP-Lite": wire.UDPLITE,
    "IPv4 in IP": wire.IPIP,
    "IPv6 in IP": wire.SIXIN4,
}


def delivered_to_server(bench: Bench, family: int, protocol: str) -> bool:
    """Whether what the client sends in that protocol gets past the rules to where a tunnel ends."""
    domain = socket.AF_INET if family == 4 else socket.AF_INET6
    with socket.socket(domain, socket.SOCK_RAW, NO_SERVICE[protocol]) as end:
        end.setblocking(False)
        for target in ("the server in the VPN", "the server on the LAN"):
            name = packets.honest(protocol, target, family)
            os.write(bench.client, bench.catalogue.by_name[name].data)
        return bool(all_datagrams(end))


def tunnels_reached(bench: Bench) -> None:
    bench.send_all()
    if bench.damage.layer == troubles.GUARD:
        return
    for family, protocol in itertools.product(bench.covered, NO_SERVICE):
        if delivered_to_server(bench, family, protocol):
            bench.problems.append(f"{protocol} of a client reaches the server, IPv{family}")


# Replies that the server does not know for what they are


def table_of_others(bench: Bench, rules: str) -> str:
    """As nft takes it; UPLINK stands for the gateway's interface."""
    ((uplink, _),) = bench.variant.ways
    return f"table inet of_others {{\n{rules.replace('UPLINK', uplink)}\n}}"


def of_others(rules: str) -> Callable[[Bench], None]:
    return lambda bench: kernel.nft(table_of_others(bench, rules))


COMING = "chain prerouting { type filter hook prerouting priority raw; %s; }\n"
GOING = "chain output { type filter hook output priority raw; %s; }\n"
UNTRACKED = {
    "from the gateway": COMING % 'iifname "UPLINK" notrack',
    "to the gateway": COMING % 'iifname "vpns*" notrack' + GOING % 'oifname "UPLINK" notrack',
    "both ways": COMING % "notrack" + GOING % "notrack",
}
ZONES = {
    "from the gateway": COMING % 'iifname "UPLINK" ct zone set 7',
    "from clients": COMING % 'iifname "vpns*" ct zone set 7',
    "by direction": COMING % "ct original zone set 3; ct reply zone set 4",
}
SYNPROXY = COMING % 'iifname "UPLINK" tcp dport != 443 tcp flags & (syn | ack) == syn notrack'
SYNPROXY += "\n".join(
    f"""  chain {hook} {{
    type filter hook {hook} priority filter
    iifname "UPLINK" tcp dport != 443 ct state invalid,untracked synproxy mss 1460 timestamp
  }}"""
    for hook in ("input", "forward")
)


def with_synproxy(bench: Bench) -> None:
    of_others(SYNPROXY)(bench)
    network.sysctl("net/netfilter/nf_conntrack_tcp_loose", 0)


def answered(bench: Bench) -> None:
    """Answers come at once, and once more when their flows have been forgotten."""
    bench.send_all()
    bench.server.tell_lan("drain")
    troubles.forgotten()(bench)


def answered_untracked(rules: str) -> Callable[[Bench], None]:
    """The table comes when the answers of flows that are known are under way."""

    def strike(bench: Bench) -> None:
        bench.server.tell_lan("hold", yes=True)
        bench.send_all()
        bench.server.tell_lan("drain")
        bench.send_while(["nft", "-f", "-"], table_of_others(bench, rules))
        bench.server.tell_lan("hold", yes=False)
        answered(bench)

    return strike


def flows_deleted(bench: Bench) -> None:
    for _ in range(20):
        bench.send(200)
        kernel.conntrack_flush()
        bench.capture.read()
    bench.send_all()
    kernel.conntrack_flush()


def answered_badly(bench: Bench) -> None:
    bench.server.tell_lan("malformed", yes=True)
    answered(bench)


# Interfaces that are called like the clients' tunnels


class Beside(NamedTuple):
    """The host's own other VPN or bridge, with a host behind it."""

    interface: str
    frames: bool  # what leaves via it has a link header

    def enter(self, bench: Bench, packet: bytes) -> None:
        """The host behind it sends a packet."""
        if self.frames:
            frame = wire.ethernet(lan.mac(BESIDE_MAC), lan.mac(lan.HOSTS["lan9"]["10.8.0.5"]), packet)
            bench.server.tell_lan("send", name="lan9", frame=frame.hex())
        else:
            os.write(bench.server.others[self.interface], packet)


BESIDE_MAC, BESIDE_ADDRESSES = "02:00:00:08:00:01", ("10.8.0.1/24", "fd08::1/64")


def add_tunnel(name: str) -> Callable[[Bench], None]:
    return lambda bench: bench.server.add_other(name, "tun", *BESIDE_ADDRESSES)


def add_cable(bench: Bench, name: str, *addresses: str) -> None:
    kind = f"address {BESIDE_MAC} type veth peer name lan9 netns {bench.server.lan_pid}"
    bench.server.add_other(name, kind, *addresses)
    bench.server.tell_lan("attach", name="lan9")


def add_bridge(bench: Bench) -> None:
    bench.server.add_other(
        "vpnsbr", f"address {BESIDE_MAC} type bridge forward_delay 0", *BESIDE_ADDRESSES
    )
    add_cable(bench, "port9")
    kernel.ip_batch("link set port9 master vpnsbr")


def main_default_there(beside: Beside) -> Callable[[Bench], None]:
    four, six = (" via 10.8.0.5", " via fd08::5") if beside.frames else ("", "")
    there, back = beside.interface, ("172.28.0.1", "fd28::1")

    def strike(bench: Bench) -> None:
        troubles.commands(
            f"ip route replace default{four} dev {there}",
            f"ip -6 route replace default{six} dev {there} metric 1",
        )(bench)
        bench.send_all()
        bench.send_for(0.03)
        troubles.commands(
            f"ip route replace default via {back[0]} dev eth0",
            f"ip -6 route delete default dev {there} metric 1",
        )(bench)

    return strike


def table_default_there(beside: Beside) -> Callable[[Bench], None]:
    def strike(bench: Bench) -> None:
        troubles.commands(
            f"ip route replace default dev {beside.interface} table 100",
            "ip -6 route flush table 100",
            f"ip -6 route replace default dev {beside.interface} table 100",
        )(bench)
        bench.send_all()

    return strike


def beside_goes_on(beside: Beside) -> Look:
    """What comes in by that interface is forwarded, and so is what is for the host behind it."""

    def look(bench: Bench, family: int) -> Iterator[Finding]:
        behind, near, far = packets.OTHER_VPN[family], UPLINKS[0].neighbour[family], FAR[family]
        here = BESIDE_ADDRESSES[family == 6].split("/")[0]
        toward = f"{beside.interface} to [^:]*(:..)*: "
        for target, words, mac in (
            (near, "a LAN neighbour", NEIGHBOUR),
            (far, "the host router", ROUTER),
        ):
            yield from leaves(
                bench,
                f"{behind} behind {beside.interface} is forwarded to {target}",
                f"eth0 to {words}: {behind} > {target} UDP 7>9",
                lambda: beside.enter(bench, datagram(behind, target, 7, 9)),
            )
            yield from leaves(
                bench,
                f"{target} answers {behind} behind {beside.interface}",
                f"{toward}{target} > {behind} UDP 9>7",
                lambda: arrive(bench, "eth0", mac, datagram(target, behind, 9, 7)),
            )
        yield from leaves(
            bench,
            f"{near} asks {behind} behind {beside.interface}",
            f"{toward}{near} > {behind} UDP 8>8",
            lambda: arrive(bench, "eth0", NEIGHBOUR, datagram(near, behind, 8, 8)),
        )
        yield from leaves(
            bench,
            f"{behind} behind {beside.interface} reaches the listener on {here}",
            f"{toward}{here} > {behind} TCP 443>1029 SYN\\+ACK",
            lambda: beside.enter(bench, segment(behind, here, 1029, 443)),
        )
        yield from host_and_client(bench, family)

    return look


TUN9, VETH9 = Beside("tun9", False), Beside("vpns-lan", True)
VPNS9, BRIDGE9 = Beside("vpns9", False), Beside("vpnsbr", True)


def tun_there(bench: Bench) -> None:
    bench.rename_tunnels("tun")
    add_tunnel("tun9")(bench)


# A client sends from the server's ports


SERVICES = (22, 53, 80, 443)
VICTIMS = range(40000, 40100)  # ports of FAR
Made = Callable[[str, str, int, int, bytes], bytes]
WITH_PORTS: dict[str, tuple[int, Made]] = {
    "TCP": (wire.TCP, lambda s, d, p, q, b: wire.tcp(s, d, p, q, SYN, b)),
    "UDP": (wire.UDP, wire.udp),
    "UDP-Lite": (wire.UDPLITE, wire.udplite),
}


def made(protocol: str, src: str, dst: str, sport: int, dport: int, payload: bytes) -> bytes:
    number, make = WITH_PORTS[protocol]
    return wire.ip(src, dst, number, make(src, dst, sport, dport, payload))


def shadowing(bench: Bench) -> None:
    """The client has flows to the far host that would take what that sends to the server."""
    bench.server.tell_lan("answering", yes=False)
    kernel.conntrack_flush()
    for family, protocol in itertools.product(bench.covered, WITH_PORTS):
        client = WORDS[family].client
        for port, victim in itertools.product(SERVICES, VICTIMS):
            payload = wire.marker(0, bench.case)
            packet = made(protocol, client, FAR[family], port, victim, payload)
            os.write(bench.client, packet)
        bench.capture.read()
    bench.server.tell_lan("drain")


def not_shadowed(bench: Bench, family: int, protocol: str, port: int) -> Iterator[Finding]:
    """The far host's packets reach the program that listens, each of them."""
    kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
    number = WITH_PORTS[protocol][0]
    far, here = FAR[family], SERVER["eth0"][family]
    payload = b"" if protocol == "TCP" else OWN
    asked = [made(protocol, far, here, victim, port, payload) for victim in VICTIMS]
    received(bench, "vpns0")
    bench.capture.forget()
    with contextlib.ExitStack() as opened:
        if (protocol, port) != ("TCP", packets.OPEN_PORT):
            listener = opened.enter_context(listening(kind, family, port, number))
        heard: set = set()
        for _ in patiently(lambda: arrive(bench, "eth0", ROUTER, *asked)):
            bench.capture.read()
            if protocol == "TCP":
                heard |= set(in_words(bench.capture.own))
            else:
                heard |= {asker[1] for asker, _ in all_datagrams(listener)}
            if len(heard) == len(asked) or protocol == "UDP-Lite":
                break
    came = [capture.addresses(packet)[0] for packet in received(bench, "vpns0")]
    shadowed = came.count(far)
    # Of sockets for UDP-Lite the kernel's rules do not know.
    if shadowed or protocol != "UDP-Lite" and len(heard) != len(asked):
        yield f"{protocol} port {port}: {len(heard)} of {len(asked)} heard, {shadowed} at the client"


def none_shadowed(bench: Bench, family: int) -> Iterator[Finding]:
    for protocol, port in itertools.product(WITH_PORTS, SERVICES):
        yield from not_shadowed(bench, family, protocol, port)
    yield from host_goes_on(bench, family)


# One client opens many flows


LIMIT = 50


def opened(bench: Bench, tunnel: str, source: str, count: int, first: int = 0) -> int:
    """How many of that many flows to the internet have a packet that reaches the gateway."""
    family = 6 if ":" in source else 4
    far = WORDS[family].internet
    numbers = range(FLOWS + first, FLOWS + first + count)
    bench.capture.read()
    bench.capture.forget()
    for number in numbers:
        payload = wire.marker(number, bench.case)
        packet = datagram(source, far, number % 0x10000, 8443, payload)
        os.write(bench.server.tunnels[tunnel], packet)
    bench.server.tell_lan("drain")
    bench.capture.read()
    return len(bench.capture.seen & set(numbers))


FLOWS = 0x10000 * 20 + 30000  # the first number of a packet of theirs; its port is the remainder


def too_many(bench: Bench) -> None:
    """One client opens them, the other does not suffer."""
    bench.send_all()
    bench.server.tell_lan("drain")
    if not bench.damage.passes:
        return
    greedy, modest = network.CLIENTS["vpns1"], network.CLIENTS["vpns0"]
    for what, wanted, tunnel, addresses, count, first in (
        (f"{LIMIT + 20} flows of one client", LIMIT, "vpns1", greedy[:1], LIMIT + 20, 0),
        ("more packets of those let through", LIMIT, "vpns1", greedy[:1], LIMIT, 0),
        ("more flows of that client", 0, "vpns1", greedy, 10, 1000),
        ("another client's flows", 10, "vpns0", modest, 10, 2000),
    ):
        for family, source in zip((4, 6), addresses):
            if family in bench.variant.families:
                seen = opened(bench, tunnel, source, count, first)
                if seen != wanted:
                    bench.problems.append(f"{what}, IPv{family}: {seen} let through, not {wanted}")


# The table of them


def of_neighbours() -> Iterator[Attack]:
    group = "the gateway's network elsewhere"
    for name, strike in ELSEWHERE.items():
        yield Attack(group, name, strike, second_uplink_served)
    group = "a neighbour poses as the gateway"
    yield Attack(group, group, posed, host_goes_on, settings=MACS)


def to_the_server() -> Iterator[Attack]:
    group = "tunnels that end on the server"
    yield Attack(
        group, "VXLAN", Bench.send_all, vxlan_goes_on, prepare=vxlan_there, packets="vxlan"
    )
    # Bridges are no business of an inet table; only what never reaches the tunnel is not bridged.
    yield Attack(
        group,
        "VXLAN in a bridge, server = services",
        Bench.send_all,
        bridge_goes_on,
        vxlan_bridged,
        {"killswitch server": "services"},
        "vxlan",
        ("none", "routing", "gateway"),
    )
    yield Attack(group, "tunnel protocols", tunnels_reached, host_and_client)
    group = "clients on the server's ports"
    yield Attack(group, group, shadowing, none_shadowed)
    group = "too many flows of a client"
    settings = {"clients flows": str(LIMIT)}
    yield Attack(group, group, too_many, host_goes_on, settings=settings, packets="ordinary")


def of_replies() -> Iterator[Attack]:
    group = "replies of unknown flows"
    for name, rules in UNTRACKED.items():
        yield Attack(group, f"notrack {name}", answered_untracked(rules), host_goes_on)
    for name, rules in ZONES.items():
        yield Attack(group, f"zones {name}", answered, host_goes_on, of_others(rules))
    yield Attack(group, "SYNPROXY", answered, host_goes_on, with_synproxy)
    yield Attack(group, "flows deleted under traffic", flows_deleted, host_goes_on)
    group = "malformed replies"
    yield Attack(group, group, answered_badly, host_and_client)


def of_interfaces() -> Iterator[Attack]:
    group = "links that are called like tunnels"
    tun = {"clients interface": "tun*"}
    for beside, prepare, settings in (
        (TUN9, tun_there, tun),
        (VPNS9, add_tunnel("vpns9"), {}),
        (VETH9, lambda bench: add_cable(bench, "vpns-lan", *BESIDE_ADDRESSES), {}),
        (BRIDGE9, add_bridge, {}),
    ):
        for name, strike, damages in (
            ("main default", main_default_there(beside), tuple(DAMAGES)),
            ("table 100", table_default_there(beside), ("none",)),
        ):
            yield Attack(
                group,
                f"{name} by {beside.interface}",
                strike,
                beside_goes_on(beside),
                prepare,
                settings,
                "attackers",
                damages,
            )


def everyone() -> list[Attack]:
    return [*of_neighbours(), *to_the_server(), *of_replies(), *of_interfaces()]


def all_beside(bench: Bench) -> None:
    """What hostile packets could use: tunnels that end here, another VPN, a table of others."""
    vxlan_there(bench)
    add_tunnel("vpns9")(bench)
    of_others(COMING % 'iifname "UPLINK" meta l4proto udp notrack')(bench)


def settings(attack: Attack, variant: variants.Variant) -> dict[str, str]:
    """The variant's, and the attack's for families that have a gateway."""
    chosen = {
        key: value
        for key, value in attack.settings.items()
        if key != "gateway mac6" or 6 in variant.families
    }
    return variant.settings | chosen


FINDINGS = 3  # of a case; the first of them tell enough


def spared(bench: Bench, attack: Attack) -> list[Finding]:
    """What the attack has ended, though it must go on."""
    bench.capture.peers = {
        address
        for ends in (FAR, packets.OTHER_VPN, *(uplink.neighbour for uplink in UPLINKS))
        for address in ends.values()
    }
    found = (finding for family in bench.covered for finding in attack.spared(bench, family))
    told = list(itertools.islice(found, FINDINGS))
    bench.capture.peers = set()
    return told

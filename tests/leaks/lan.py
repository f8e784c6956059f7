"""The other ends of the server's uplinks, played by a process of its own.

It answers ARP and neighbour solicitations for the hosts in its table, and the
gateway plays the internet: what it is sent comes back as an answer, and what
carries a UDP datagram or an ICMP echo comes back in other ways as well, which
make the server itself speak (TTL used up at the server, longer than the
tunnel's MTU, a fragment that stays alone, a segment outside of TCP's window)
or carry the client's bytes in an ICMP error. Answers can be held back until
the server has forgotten what they belong to.
"""

import json
import os
import select
import socket
import struct

import malformed
import wire

ETH_ALL = 0x0003
TUNNEL_MTU = 1400
ACK = 0x10
ANSWER_TTL = 32  # what arrives with no more has been answered already

# address: MAC. The server's own are in network.py.
HOSTS = {
    "lan0": {
        "172.28.0.1": "02:00:00:28:00:01",
        "172.28.0.2": "02:00:00:28:00:02",
        "172.28.0.7": "02:00:00:28:00:07",
        "172.28.0.9": "02:00:00:28:00:09",
        "fd28::1": "02:00:00:28:00:01",
        "fd28::2": "02:00:00:28:00:02",
        "fd28::7": "02:00:00:28:00:07",
        "fd28::9": "02:00:00:28:00:09",
    },
    "lan1": {
        "192.0.2.1": "02:00:00:29:00:01",
        "192.0.2.7": "02:00:00:29:00:07",
        "fd29::1": "02:00:00:29:00:01",
        "fd29::7": "02:00:00:29:00:07",
    },
    # What is behind an interface of others, where there is one.
    "lan9": {
        "10.8.0.5": "02:00:00:08:00:05",
        "fd08::5": "02:00:00:08:00:05",
    },
}


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def arp_answer(frame: bytes, hosts: dict[str, str], proxy: str | None) -> bytes | None:
    if len(frame) < 42 or frame[20:22] != b"\0\1":
        return None
    asked = hosts.get(socket.inet_ntop(socket.AF_INET, frame[38:42]), proxy)
    if not asked:
        return None
    own = mac(asked)
    return frame[6:12] + own + frame[12:20] + b"\0\2" + own + frame[38:42] + frame[22:32]


def neighbour_answer(frame: bytes, hosts: dict[str, str], proxy: str | None) -> bytes | None:
    target = socket.inet_ntop(socket.AF_INET6, frame[62:78])
    asked = hosts.get(target, proxy)
    asker = socket.inet_ntop(socket.AF_INET6, frame[22:38])
    if not asked or asker == "::":
        return None
    body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + frame[62:78] + b"\2\1" + mac(asked)
    body = wire.with_checksum(body, 2, wire.pseudo_header(target, asker, wire.ICMPV6, len(body)))
    packet = wire.ipv6(target, asker, wire.ICMPV6, body, 255)
    return frame[6:12] + mac(asked) + b"\x86\xdd" + packet


PORTLESS = (wire.ESP, wire.AH, wire.GRE, wire.IPIP, wire.SIXIN4)
# protocol: (request, reply, what the change adds to the checksum)
ECHO = {wire.ICMP: (8, 0, 0x0800), wire.ICMPV6: (128, 129, 0xFEFF)}


def turned_round(proto: int, body: bytes) -> bytes | None:
    """The same datagram or segment the other way round; echo becomes reply."""
    if proto in (wire.UDP, wire.TCP, wire.SCTP, wire.UDPLITE, wire.DCCP):
        return body[2:4] + body[:2] + body[4:]
    if proto in PORTLESS:
        return body
    if proto in ECHO and body[0] == ECHO[proto][0]:
        total = struct.unpack_from("!H", body, 2)[0] + ECHO[proto][2]
        total = (total & 0xFFFF) + (total >> 16)
        return bytes([ECHO[proto][1], 0]) + struct.pack("!H", total) + body[4:]
    return None


def parsed(packet: bytes) -> tuple[str, str, int, bytes] | None:
    """(source, destination, protocol, payload) of a packet that is no fragment."""
    if packet[0] >> 4 == 6:
        length = struct.unpack_from("!H", packet, 4)[0]
        ends = socket.inet_ntop(socket.AF_INET6, packet[8:24]), socket.inet_ntop(
            socket.AF_INET6, packet[24:40]
        )
        return *ends, packet[6], packet[40 : 40 + length]
    length, _, fragment = struct.unpack_from("!HHH", packet, 2)
    if fragment & 0x3FFF:
        return None
    ends = socket.inet_ntop(socket.AF_INET, packet[12:16]), socket.inet_ntop(
        socket.AF_INET, packet[16:20]
    )
    return *ends, packet[9], packet[(packet[0] & 15) * 4 : length]


def ttl(packet: bytes) -> int:
    return packet[7] if packet[0] >> 4 == 6 else packet[8]


def overlong(src: str, dst: str, body: bytes) -> bytes:
    """The datagram's answer, as large as the uplink carries and the tunnel does not."""
    sport, dport = struct.unpack_from("!HH", body)
    data = wire.udp(dst, src, dport, sport, body[8:] + b"\0" * (TUNNEL_MTU - len(body)))
    if ":" in src:
        return wire.ipv6(dst, src, wire.UDP, data, ANSWER_TTL)
    return wire.ipv4(dst, src, wire.UDP, data, ANSWER_TTL, fragment=wire.DONT_FRAGMENT)


def first_fragment(src: str, dst: str, body: bytes) -> bytes:
    """Of the datagram's answer, whose rest never comes."""
    sport, dport = struct.unpack_from("!HH", body)
    ident = sport ^ dport
    data = wire.udp(dst, src, dport, sport, body[8:] * 2)[:24]
    if ":" in src:
        data = wire.fragment_header(wire.UDP, 0, True, ident) + data
        return wire.ipv6(dst, src, wire.FRAGMENT, data, ANSWER_TTL)
    return wire.ipv4(
        dst, src, wire.UDP, data, ANSWER_TTL, fragment=wire.MORE_FRAGMENTS, ident=ident
    )


def stray_segment(src: str, dst: str, body: bytes) -> bytes:
    """A TCP segment of the flow with numbers that were never agreed upon."""
    sport, dport = struct.unpack_from("!HH", body)
    data = wire.tcp(dst, src, dport, sport, ACK, body[20:])
    return wire.ip(dst, src, wire.TCP, data, ANSWER_TTL)


def unreachable(src: str, packet: bytes) -> bytes:
    """A router on the internet says that it cannot deliver this packet."""
    if ":" in src:
        router, proto, body = "2001:db8:198::1", wire.ICMPV6, struct.pack("!BBHI", 1, 0, 0, 0)
        body += packet[:1200]
        pseudo = wire.pseudo_header(router, src, proto, len(body))
    else:
        router, proto, body, pseudo = (
            "198.51.100.1",
            wire.ICMP,
            struct.pack("!BBHI", 3, 1, 0, 0),
            b"",
        )
        body += packet[:520]
    return wire.ip(router, src, proto, wire.with_checksum(body, 2, pseudo), ANSWER_TTL)


def answers(packet: bytes, badly: bool) -> list[bytes]:
    """What comes back through the gateway for a packet that reached it; badly: with headers that are
    wrong, too."""
    fields = parsed(packet)
    if not fields or wire.MAGIC not in packet or ttl(packet) <= ANSWER_TTL:
        return []
    src, dst, proto, body = fields
    if len(body) < 8 or proto in ECHO and body[0] != ECHO[proto][0]:
        return []
    found = [unreachable(src, packet)]
    back = turned_round(proto, body)
    if back:
        found.append(wire.ip(dst, src, proto, back, ANSWER_TTL))
        found.append(wire.ip(dst, src, proto, back, 1))
    if back and badly:
        found += malformed.forms(dst, src, proto, back, ANSWER_TTL)
    if proto == wire.UDP and len(body) < TUNNEL_MTU:
        found += [overlong(src, dst, body), first_fragment(src, dst, body)]
    if proto == wire.TCP and len(body) >= 20:
        found.append(stray_segment(src, dst, body))
    return found


class Lan:
    def __init__(self, control: socket.socket):
        self.control = control
        self.hosts = {name: dict(table) for name, table in HOSTS.items()}
        self.proxies: dict[str, str] = {}  # who answers there for everybody
        self.gateways: set[bytes] = set()
        self.answering = True
        self.malformed = False
        self.held: list[tuple[socket.socket, bytes]] | None = None  # None: none are held back
        self.ports: dict[str, socket.socket] = {}
        self.poll = select.poll()
        self.poll.register(control, select.POLLIN)

    def attach(self, name: str) -> None:
        """Start playing the other end of an uplink that exists now."""
        with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")
        os.system(f"ip link set {name} up arp off")
        port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        port.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        port.bind((name, ETH_ALL))
        port.setblocking(False)
        self.ports[name] = port
        self.poll.register(port, select.POLLIN)

    def detach(self, name: str) -> None:
        port = self.ports.pop(name, None)
        if port:
            self.poll.unregister(port)
            port.close()

    def serve(self) -> None:
        while True:
            for descriptor, _ in self.poll.poll():
                if descriptor == self.control.fileno():
                    line = self.control.recv(65536)
                    if not line:
                        return
                    self.command(**json.loads(line))
                    self.control.send(b"done")
            self.drain()

    def drain(self) -> int:
        handled = 0
        for name, port in list(self.ports.items()):
            try:
                while True:
                    frame, origin = port.recvfrom(4096)
                    if origin[2] != socket.PACKET_OUTGOING:
                        self.receive(name, port, frame)
                        handled += 1
            except OSError:
                continue
        return handled

    def receive(self, name: str, port: socket.socket, frame: bytes) -> None:
        kind, replies, late = frame[12:14], [], []
        if kind == b"\x08\x06":
            replies = [arp_answer(frame, self.hosts[name], self.proxies.get(name))]
        elif kind == b"\x86\xdd" and frame[20] == wire.ICMPV6 and frame[54] == 135:
            replies = [neighbour_answer(frame, self.hosts[name], self.proxies.get(name))]
        elif self.answering and frame[:6] in self.gateways:
            late = [frame[6:12] + frame[:6] + kind + packet for packet in answers(frame[14:], self.malformed)]
        if self.held is not None:
            self.held += [(port, reply) for reply in late]
        else:
            replies += late
        for reply in replies:
            if reply:
                self.put(port, reply)

    def put(self, port: socket.socket, frame: bytes) -> None:
        try:
            port.send(frame)
        except OSError:
            pass  # the link is down

    def hold(self, yes: bool) -> None:
        held, self.held = self.held, [] if yes else None
        for port, reply in held or []:
            self.put(port, reply)

    def command(self, do: str, **what) -> None:
        if do == "attach":
            self.attach(what["name"])
        elif do == "detach":
            self.detach(what["name"])
        elif do == "hosts":
            self.hosts = what["hosts"]
        elif do == "proxies":
            self.proxies = what["proxies"]
        elif do == "gateways":
            self.gateways = {mac(text) for text in what["macs"]}
        elif do == "answering":
            self.answering = what["yes"]
        elif do == "malformed":
            self.malformed = what["yes"]
        elif do == "hold":
            self.hold(what["yes"])
        elif do == "send":
            for frame in what["frame"].split():
                self.put(self.ports[what["name"]], bytes.fromhex(frame))
        elif do == "drain":
            while self.drain():
                pass

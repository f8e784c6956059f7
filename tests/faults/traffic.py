#!/usr/bin/env python3
"""A client that never stops sending, and a judge of what leaves the host.

Sends from the far end of vpns0 in namespace `outside`, round after round of the
same packets, and looks at every frame that leaves the host by another interface
than a tunnel. One word says what a round has met:

    open      a frame left another way than the gateway's: a leak
    former    a frame went to the gateway of before, and none elsewhere
    gateway   a frame reached the gateway, and none went elsewhere
    closed    nothing left

Commands on stdin, each answered by a line:

    gateway MAC [FORMER-MAC]   how the gateway is reached
    begin honest|all           forget the rounds so far; with forged sources or without
    look                       the word of now, then those of all rounds since begin, each as
                               often as it changed
    leak                       the first frame that left another way since begin

Arguments, where it is another client: TUNNEL UPLINK ADDRESS ADDRESS6 NUMBER.
"""

import os
import select
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "leaks"))
# pylint: disable=wrong-import-position
import capture
import decode
import wire
from namespaces import socket_outside

CLIENT_MAC = "02:00:00:00:00:99"
FENCE = 0x88B5  # an EtherType for experiments
PAUSE = 0.002

DEFAULTS = ("vpns0", "eth0", "10.20.0.50", "fd20::50", "1")
INTERNET, INTERNET6 = "203.0.113.9", "2001:db8:ffff::9"
NEIGHBOURS = ("192.0.2.7", "172.28.0.7", "2001:db8:192::7", "fd28::7")
FORGED = (("10.99.0.9", INTERNET), ("fd99::9", INTERNET6))
NEXT_CLIENT = (("10.20.0.51", INTERNET), ("fd20::51", INTERNET6))


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def packets(client: str, client6: str, case: int) -> tuple[list[bytes], list[bytes]]:
    """Honest ones and forged ones."""
    numbers = iter(range(100))

    def udp(src: str, dst: str) -> bytes:
        return wire.ip(src, dst, wire.UDP, wire.udp(src, dst, 4000, 4000, wire.marker(next(numbers), case)))

    def echo(src: str, dst: str) -> bytes:
        proto = wire.ICMPV6 if ":" in src else wire.ICMP
        return wire.ip(src, dst, proto, wire.echo(src, dst, 1, wire.marker(next(numbers), case)))

    honest = [make(src, dst) for make in (udp, echo) for src, dst in ((client, INTERNET), (client6, INTERNET6))]
    honest += [udp(client6 if ":" in dst else client, dst) for dst in NEIGHBOURS]
    return honest, [udp(src, dst) for src, dst in (*FORGED, *NEXT_CLIENT)]


class Traffic:
    def __init__(self, tunnel: str, uplink: str, client: str, client6: str, number: str) -> None:
        # One processor: what is sent in order arrives and leaves in order.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        self.uplink, self.number = uplink, int(number)
        self.sender = socket_outside(tunnel)
        self.fence = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(FENCE))
        self.fence.bind((tunnel, FENCE))
        self.fence.settimeout(10)
        self.addresses = self.fence.getsockname()[4] + mac(CLIENT_MAC)
        honest, forged = packets(client, client6, self.number)
        self.honest = [self.framed(packet) for packet in honest]
        self.forged = [self.framed(packet) for packet in forged]
        inside = [name for _, name in socket.if_nameindex() if name == "lo" or name.startswith("vpn")]
        self.capture = capture.Capture([socket.if_nametoindex(name) for name in inside])
        self.capture.case = self.number
        self.former = b""
        self.begin("honest")

    def framed(self, packet: bytes) -> bytes:
        return self.addresses + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet

    def gateway(self, address: str, former: str = "") -> None:
        self.capture.allow({(self.uplink, mac(address))})
        self.former = mac(former)

    def begin(self, which: str) -> None:
        self.sending = self.honest + (self.forged if which == "all" else [])
        self.history: list[str] = []
        self.leak = "none"
        self.capture.read()
        self.capture.forget()
        self.round()

    def round(self) -> None:
        for frame in self.sending:
            self.sender.send(frame)
        # The kernel takes it from the tunnel after all that was sent before it has gone its way.
        self.sender.send(self.addresses + FENCE.to_bytes(2, "big") + bytes(46))
        self.fence.recv(64)
        self.capture.read()
        word = self.judged()
        if self.history[-1:] != [word]:
            self.history.append(word)
        self.capture.forget()

    def judged(self) -> str:
        if self.capture.lost():
            raise RuntimeError("the capture has lost frames")
        frames = [leak.frame for leak in self.capture.leaks if leak.case == self.number]
        open_frames = [frame for frame in frames if not self.is_former(frame)]
        if open_frames:
            if self.leak == "none":
                self.leak = decode.frame(open_frames[0].interface, open_frames[0].data)
            return "open"
        if frames:
            return "former"
        return "gateway" if self.number in self.capture.delivered else "closed"

    def is_former(self, frame: capture.Frame) -> bool:
        return frame.interface == self.uplink and frame.data[:6] == self.former

    def look(self) -> str:
        self.round()
        self.round()
        return " ".join([self.history[-1], *self.history])

    def answer(self, command: str, *arguments: str) -> str:
        if command == "look":
            return self.look()
        if command == "leak":
            return self.leak
        {"gateway": self.gateway, "begin": self.begin}[command](*arguments)
        return "ok"

    def serve(self) -> None:
        while True:
            if not select.select([sys.stdin], [], [], PAUSE)[0]:
                self.round()
                continue
            line = sys.stdin.readline()
            if not line:
                return
            print(self.answer(*line.split()), flush=True)


Traffic(*(sys.argv[1:] or DEFAULTS)).serve()

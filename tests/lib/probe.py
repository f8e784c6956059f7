#!/usr/bin/env python3
"""What becomes of clients' packets, for tests that run the program by hand: in the namespace `outside` (host.sh).

Reads lines `DEVICE ADDRESS MAC`: a packet that a client with this address sends into this tunnel, whose interface on the
host has this hardware address. Answers each with one line: the hardware address to which it left via eth0, the other interface via which it
left, `prohibited` where the client was told so, or `silence`.
"""

import ipaddress
import itertools
import selectors
import socket
import struct
import sys

FAR = {4: "198.51.100.80", 6: "2001:db8:100::80"}
OUTGOING = 4
ERROR = {4: 1, 6: 58}  # ICMP, ICMPv6
PATIENCE = 10  # seconds


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source: str, payload: bytes) -> tuple[int, bytes]:
    """Its EtherType, and the packet."""
    address = ipaddress.ip_address(source)
    far = ipaddress.ip_address(FAR[address.version])
    length = 8 + len(payload)
    pseudo = address.packed + far.packed + struct.pack("!II", length, 17)
    head = struct.pack("!HHH", 4000, 4000, length)
    udp = head + struct.pack("!H", checksum(pseudo + head + b"\0\0" + payload) or 0xFFFF) + payload
    if address.version == 6:
        return 0x86DD, struct.pack("!IHBB", 6 << 28, length, 17, 64) + address.packed + far.packed + udp
    start, end = struct.pack("!BBHHHBB", 0x45, 0, 20 + length, 0, 0, 64, 17), address.packed + far.packed
    return 0x0800, start + struct.pack("!H", checksum(start + b"\0\0" + end)) + end + udp


class Probe:
    def __init__(self) -> None:
        self.socket: dict[str, socket.socket] = {}
        self.waiting = selectors.DefaultSelector()
        for _, name in socket.if_nameindex():
            if name.startswith(("eth", "vpns")):
                self.listen(name)

    def listen(self, name: str) -> None:
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        one.bind((name, 3))
        one.setblocking(False)
        self.socket[name] = one
        self.waiting.register(one, selectors.EVENT_READ, name)

    def ask(self, number: int, device: str, source: str, mac: str) -> str:
        payload = b"probe %08d" % number
        kind, packet = datagram(source, payload)
        frame = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("020000007700") + struct.pack("!H", kind) + packet
        self.socket[device].send(frame)
        while ready := self.waiting.select(PATIENCE):
            for key, _ in ready:
                frame, (_, _, direction, _, _) = key.fileobj.recvfrom(65536)
                if direction != OUTGOING and payload in frame:
                    return self.meaning(key.data, device, frame, ipaddress.ip_address(source).version)
        return "silence"

    @staticmethod
    def meaning(name: str, device: str, frame: bytes, version: int) -> str:
        protocol = frame[23] if version == 4 else frame[20]
        if name == device and protocol == ERROR[version]:
            return "prohibited"
        return frame[:6].hex(":") if name == "eth0" else name


def main() -> None:
    probe = Probe()
    for number in itertools.count(1):
        words = sys.stdin.readline().split()
        if not words:
            break
        print(probe.ask(number, *words), flush=True)


main()

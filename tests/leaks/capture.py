"""Every frame that leaves the server by an uplink, judged.

A frame is delivered if it goes to the gateway's MAC on the gateway's interface.
Any other frame is a leak if it carries a marker, and also if it is an IP packet
at all: nothing else in the sandbox sends any, so it answers a client's packet.
The host's own traffic is told by the bytes that it carries, or by its far end.
"""

import ctypes
import socket
import struct
from typing import Callable, NamedTuple

import wire

ETH_P_ALL = 0x0003
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
AD_OFF = 0xFFFFF000
AD_PKTTYPE, AD_IFINDEX = 4, 8
LOAD_ABS, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
LINK_LOCAL_TALK = {130, 131, 132, 133, 134, 135, 136, 143}  # MLD and neighbour discovery
IGMP = 2
OWN_TRAFFIC = b"oWnTrAfFiC"
POOL = ("10.20.0.50", "10.20.0.51", "fd20::50", "fd20::51")  # what no far end is to see
NO_LINK_HEADER = 0xFFFE  # a tun device's frames are bare packets


Ways = set[tuple[str, bytes]]  # interfaces, and MACs there


class Frame(NamedTuple):
    interface: str
    data: bytes


class Leak(NamedTuple):
    case: int  # in which its packet was sent; it may come out later than that
    number: int | None
    frame: Frame


def filter_program(skipped: list[int]) -> bytes:
    """Outgoing frames, except those of the skipped interfaces."""
    last = len(skipped)
    code = [
        (LOAD_ABS, 0, 0, AD_OFF + AD_PKTTYPE),
        (JUMP_EQUAL, 0, last + 2, socket.PACKET_OUTGOING),
        (LOAD_ABS, 0, 0, AD_OFF + AD_IFINDEX),
        *((JUMP_EQUAL, last - at, 0, index) for at, index in enumerate(skipped)),
        (RETURN, 0, 0, 0xFFFF),
        (RETURN, 0, 0, 0),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in code)


def small_talk(data: bytes) -> bool:
    """ARP, neighbour discovery and group membership: the interface's own, in VXLAN, too."""
    kind = data[12:14]
    if kind == b"\x08\x00":
        return data[23] == IGMP or in_vxlan(data, data[23], 34)
    if kind == b"\x86\xdd":
        at, proto = 54, data[20]
        if in_vxlan(data, proto, at):
            return True
        if proto == wire.HOPOPTS:
            proto, at = data[54], 62
        return proto == wire.ICMPV6 and data[at] in LINK_LOCAL_TALK
    return True


def in_vxlan(data: bytes, proto: int, at: int) -> bool:
    """Small talk in VXLAN, the frame's payload being at that offset."""
    return (
        proto == wire.UDP
        and struct.unpack_from("!H", data, at + 2)[0] == wire.VXLAN_PORT
        and small_talk(data[at + 16 :])
    )


class Capture:
    def __init__(self, skipped: list[int]):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        program = filter_program(skipped)
        buffer = ctypes.create_string_buffer(program)
        self.socket.setsockopt(
            socket.SOL_SOCKET,
            SO_ATTACH_FILTER,
            struct.pack("HP", len(program) // 8, ctypes.addressof(buffer)),
        )
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 29)
        self.socket.setblocking(False)
        self.ways: set[tuple[str, bytes]] = set()
        self.case = wire.NO_CASE
        self.peers: set[str] = set()  # far ends that this host itself speaks with
        # Of several gateways: by which ways the packet of that number may leave; None: by any.
        self.ways_of: Callable[[int], Ways | None] | None = None
        self.masked: set[int] = set()  # numbers of packets that must have the address of the way that they leave by
        self.forget()

    def forget(self) -> None:
        self.delivered: dict[int, int] = {}
        self.seen: set[int] = set()
        self.leaks: list[Leak] = []
        self.own: list[Frame] = []

    def allow(self, ways: set[tuple[str, bytes]]) -> None:
        """Interfaces and MACs by which the gateway is reached."""
        self.ways = ways

    def lost(self) -> int:
        """Frames that the socket had no room for, since the last question."""
        return struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]

    def read(self) -> None:
        receive = self.socket.recvfrom
        try:
            while True:
                data, origin = receive(2048)
                if origin[3] == NO_LINK_HEADER:
                    data = bytes(12) + origin[1].to_bytes(2, "big") + data
                self.judge(Frame(origin[0], data))
        except BlockingIOError:
            pass

    def judge(self, frame: Frame) -> None:
        mark = wire.read_marker(frame.data)
        case = mark[1] or self.case if mark else self.case
        if self.may_leave(frame, mark) and not self.has_own_name(frame, mark):
            if mark:
                self.delivered[case] = self.delivered.get(case, 0) + 1
                self.seen.add(mark[0])
        elif OWN_TRAFFIC in frame.data or not mark and self.to_peer(frame.data):
            self.own.append(frame)
        elif mark or not small_talk(frame.data):
            self.leaks.append(Leak(case, mark[0] if mark else None, frame))

    def may_leave(self, frame: Frame, mark: tuple | None) -> bool:
        ways = self.ways_of(mark[0]) if mark and self.ways_of else self.ways
        return ways is None or (frame.interface, frame.data[:6]) in ways

    def has_own_name(self, frame: Frame, mark: tuple | None) -> bool:
        return bool(mark) and mark[0] in self.masked and addresses(frame.data[14:])[0] in POOL

    def is_misnamed(self, leak: Leak) -> bool:
        """By its gateway, but with the address that it has in the VPN."""
        mark = wire.read_marker(leak.frame.data)
        return self.may_leave(leak.frame, mark) and self.has_own_name(leak.frame, mark)

    def to_peer(self, data: bytes) -> bool:
        is_packet = data[12:14] in (b"\x08\x00", b"\x86\xdd")
        return bool(self.peers) and is_packet and addresses(data[14:])[1] in self.peers


def addresses(packet: bytes) -> tuple[str, str]:
    if packet[0] >> 4 == 6:
        return tuple(socket.inet_ntop(socket.AF_INET6, packet[at : at + 16]) for at in (8, 24))
    return tuple(socket.inet_ntop(socket.AF_INET, packet[at : at + 4]) for at in (12, 16))


def is_answer(packet: bytes) -> bool:
    """What no client sends here, but the server's own stack does."""
    if packet[0] >> 4 == 6:
        proto, body = packet[6], packet[40:]
    else:
        proto, body = packet[9], packet[(packet[0] & 15) * 4 :]
    if proto == wire.TCP:
        return bool(body[13] & 0x04) or body[13] & 0x12 == 0x12
    return proto == wire.ICMP and body[0] != 8 or proto == wire.ICMPV6 and body[0] != 128


def is_option_error(packet: bytes) -> bool:
    """An IPv4 ICMP error that says which octet is wrong."""
    return packet[9] == wire.ICMP and packet[(packet[0] & 15) * 4] == wire.PARAMETER_PROBLEM


def is_reset_of(packet: bytes, ports: tuple[int, ...]) -> bool:
    """An IPv4 TCP reset that goes to one of these ports."""
    segment = packet[(packet[0] & 15) * 4 :]
    return packet[9] == wire.TCP and struct.unpack_from("!H", segment, 2)[0] in ports

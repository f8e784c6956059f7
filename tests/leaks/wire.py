"""Bytes of packets: headers with right checksums, and the marker they carry.

Every packet carries MAGIC, its number, and the number of the case that it was
sent in, followed by that number's complement: whatever the case, those two
words add the same to a checksum, so a packet is built once and stamped often.
"""

import socket
import struct

MAGIC = b"OgWlEaK!"
MARKER = len(MAGIC) + 8
NO_CASE = 0

ICMP, IPIP, TCP, UDP, SIXIN4, ROUTING, FRAGMENT, GRE, ESP = 1, 4, 6, 17, 41, 43, 44, 47, 50
ICMPV6, NO_NEXT, DSTOPTS, SCTP, HOPOPTS = 58, 59, 60, 132, 0
DCCP, AH, UDPLITE = 33, 51, 136
VXLAN_PORT = 4789
PARAMETER_PROBLEM = 12  # of ICMP

MORE_FRAGMENTS, DONT_FRAGMENT = 0x2000, 0x4000


def marker(number: int, case: int = NO_CASE) -> bytes:
    return MAGIC + struct.pack("!IHH", number, case, case ^ 0xFFFF)


def stamp_offset(data: bytes) -> int:
    """Where stamp() puts the case, or -1 for a packet without a marker."""
    at = data.find(MAGIC)
    return at if at < 0 else at + len(MAGIC) + 4


def read_marker(data: bytes) -> tuple[int, int] | None:
    """(number, case) of the first whole marker in a frame."""
    at = data.find(MAGIC)
    if at < 0 or at + MARKER > len(data):
        return None
    number, case, inverse = struct.unpack_from("!IHH", data, at + len(MAGIC))
    return number, case if case ^ inverse == 0xFFFF else NO_CASE


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def raw(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def with_checksum(data: bytes, at: int, pseudo: bytes = b"") -> bytes:
    value = checksum(pseudo + data)
    return data[:at] + struct.pack("!H", value) + data[at + 2 :]


def pseudo_header(src: str, dst: str, proto: int, length: int) -> bytes:
    if ":" in src:
        return raw(src) + raw(dst) + struct.pack("!II", length, proto)
    return raw(src) + raw(dst) + struct.pack("!HH", proto, length)


def ipv4(
    src: str,
    dst: str,
    proto: int,
    payload: bytes,
    ttl: int = 64,
    options: bytes = b"",
    fragment: int = 0,
    ident: int = 0,
) -> bytes:
    options += b"\0" * (-len(options) % 4)
    header = struct.pack(
        "!BBHHHBBH",
        0x45 + len(options) // 4,
        0,
        20 + len(options) + len(payload),
        ident,
        fragment,
        ttl,
        proto,
        0,
    )
    header += raw(src) + raw(dst) + options
    return with_checksum(header, 10) + payload


def ipv6(src: str, dst: str, proto: int, payload: bytes, ttl: int = 64) -> bytes:
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, ttl) + raw(src) + raw(dst) + payload


def ip(src: str, dst: str, proto: int, payload: bytes, ttl: int = 64) -> bytes:
    return (ipv6 if ":" in src else ipv4)(src, dst, proto, payload, ttl)


def udp(src: str, dst: str, sport: int, dport: int, payload: bytes) -> bytes:
    data = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return with_checksum(data, 6, pseudo_header(src, dst, UDP, len(data)))


def udplite(src: str, dst: str, sport: int, dport: int, payload: bytes) -> bytes:
    """With a checksum over all of it."""
    data = struct.pack("!HHHH", sport, dport, 0, 0) + payload
    return with_checksum(data, 6, pseudo_header(src, dst, UDPLITE, len(data)))


def tcp(src: str, dst: str, sport: int, dport: int, flags: int, payload: bytes) -> bytes:
    data = struct.pack("!HHIIBBHHH", sport, dport, sport << 16, 1, 0x50, flags, 8192, 0, 0)
    data += payload
    return with_checksum(data, 16, pseudo_header(src, dst, TCP, len(data)))


def echo(src: str, dst: str, ident: int, payload: bytes) -> bytes:
    data = struct.pack("!BBHHH", 128 if ":" in src else 8, 0, 0, ident, 1) + payload
    pseudo = pseudo_header(src, dst, ICMPV6, len(data)) if ":" in src else b""
    return with_checksum(data, 2, pseudo)


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp_init(sport: int, dport: int, payload: bytes) -> bytes:
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20 + len(payload), sport, 65536, 1, 1, sport) + payload
    head = struct.pack("!HHI", sport, dport, 0)
    return head + struct.pack("<I", crc32c(head + b"\0" * 4 + chunk)) + chunk


def dccp_request(src: str, dst: str, sport: int, dport: int, payload: bytes) -> bytes:
    data = struct.pack("!HHBBHBBHII", sport, dport, 5, 0, 0, 1, 0, 0, sport, 0) + payload
    return with_checksum(data, 6, pseudo_header(src, dst, DCCP, len(data)))


def authentication_header(next_header: int, number: int) -> bytes:
    return struct.pack("!BBHII", next_header, 4, 0, 0x2000, number) + b"\0" * 12


def ethernet(target: bytes, source: bytes, packet: bytes) -> bytes:
    """A frame with an IP packet in it."""
    return target + source + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


def vxlan(network: int, frame: bytes) -> bytes:
    return struct.pack("!II", 0x08000000, network << 8) + frame


def source_route(kind: int, pointer: int, hops: list[str]) -> bytes:
    """Loose (131) or strict (137) source route, or record route (7)."""
    return bytes([kind, 3 + 4 * len(hops), pointer]) + b"".join(raw(hop) for hop in hops)


def extension(next_header: int, body: bytes) -> bytes:
    """An IPv6 extension header; the body is padded to a multiple of eight."""
    short = -(len(body) + 2) % 8
    padding = (
        b"" if not short else b"\0" if short == 1 else bytes([1, short - 2]) + b"\0" * (short - 2)
    )
    body += padding
    return bytes([next_header, (len(body) + 2) // 8 - 1]) + body


def routing_header(next_header: int, kind: int, left: int, hops: list[str]) -> bytes:
    """Routing header of any kind; kind 4 has the layout of segment routing."""
    word = struct.pack("!BBH", len(hops) - 1, 0, 0) if kind == 4 else b"\0" * 4
    return extension(next_header, bytes([kind, left]) + word + b"".join(raw(hop) for hop in hops))


def fragment_header(next_header: int, offset: int, more: bool, ident: int) -> bytes:
    return struct.pack("!BBHI", next_header, 0, offset | more, ident)

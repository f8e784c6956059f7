"""A frame in words."""

import socket
import struct

import wire

HOSTS = {
    "02:00:00:28:00:01": "the host router",
    "02:00:00:28:00:02": "the gateway",
    "02:00:00:28:00:07": "a LAN neighbour",
    "02:00:00:28:00:09": "the other gateway",
    "02:00:00:28:00:22": "the gateway's new MAC",
    "02:00:00:29:00:01": "the second uplink's router",
    "02:00:00:29:00:07": "the second uplink's neighbour",
    "ff:ff:ff:ff:ff:ff": "everybody",
}
PROTOCOLS = {
    2: "IGMP",
    4: "IPv4 in IP",
    41: "IPv6 in IP",
    47: "GRE",
    50: "ESP",
    33: "DCCP",
    51: "AH",
    132: "SCTP",
    136: "UDP-Lite",
    59: "no next header",
}
ERRORS = {
    (wire.ICMP, 3): "ICMP unreachable",
    (wire.ICMP, 5): "ICMP redirect",
    (wire.ICMP, 11): "ICMP time exceeded",
    (wire.ICMP, 12): "ICMP parameter problem",
    (wire.ICMPV6, 1): "ICMPv6 unreachable",
    (wire.ICMPV6, 2): "ICMPv6 packet too big",
    (wire.ICMPV6, 3): "ICMPv6 time exceeded",
    (wire.ICMPV6, 4): "ICMPv6 parameter problem",
    (wire.ICMPV6, 137): "ICMPv6 redirect",
}
ECHOES = {
    (wire.ICMP, 8): "ICMP echo",
    (wire.ICMP, 0): "ICMP echo reply",
    (wire.ICMPV6, 128): "ICMPv6 echo",
    (wire.ICMPV6, 129): "ICMPv6 echo reply",
}
HEADERS = {
    wire.HOPOPTS: "hop-by-hop",
    wire.ROUTING: "routing header",
    wire.DSTOPTS: "destination options",
}
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def frame(interface: str, data: bytes) -> str:
    mac = data[:6].hex(":")
    whom = HOSTS.get(mac, "a group" if data[0] & 1 else "an unknown MAC")
    if data[12:14] not in (b"\x08\x00", b"\x86\xdd"):
        return f"{interface} to {whom}: ethertype {data[12:14].hex()}"
    return f"{interface} to {whom}: {packet(data[14:])}"


def packet(data: bytes) -> str:
    try:
        return ipv6(data) if data[0] >> 4 == 6 else ipv4(data)
    except (IndexError, struct.error, ValueError):
        return f"broken packet {data[:40].hex()}"


def ipv4(data: bytes) -> str:
    src, dst = (socket.inet_ntop(socket.AF_INET, data[at : at + 4]) for at in (12, 16))
    offset = struct.unpack_from("!H", data, 6)[0] & 0x1FFF
    options = " with options" * (data[0] & 15 > 5)
    if offset:
        return f"{src} > {dst}{options} fragment at {offset * 8}"
    return f"{src} > {dst}{options} {transport(data[9], data[(data[0] & 15) * 4 :])}"


def ipv6(data: bytes) -> str:
    src, dst = (socket.inet_ntop(socket.AF_INET6, data[at : at + 16]) for at in (8, 24))
    proto, rest, chain = data[6], data[40:], ""
    while proto in HEADERS and len(rest) > 8:
        chain += f" {HEADERS[proto]},"
        proto, rest = rest[0], rest[8 + rest[1] * 8 :]
    if proto == wire.FRAGMENT:
        return f"{src} > {dst}{chain} fragment at {struct.unpack_from('!H', rest, 2)[0] & 0xFFF8}"
    return f"{src} > {dst}{chain} {transport(proto, rest)}"


def transport(proto: int, data: bytes) -> str:
    if proto in (wire.ICMP, wire.ICMPV6):
        kind = proto, data[0]
        if kind in ERRORS:
            return f"{ERRORS[kind]}, quoting ({packet(data[8:])})"
        return ECHOES.get(kind, f"ICMP type {data[0]}")
    if proto == wire.UDP:
        return "UDP {}>{}".format(*struct.unpack_from("!HH", data))
    if proto == wire.TCP:
        flags = "+".join(name for bit, name in enumerate(FLAGS) if data[13] >> bit & 1)
        return "TCP {}>{} {}".format(*struct.unpack_from("!HH", data), flags)
    return PROTOCOLS.get(proto, f"protocol {proto}")

#!/usr/bin/env python3
"""Sends one packet of a client into its tunnel, and tells where it leaves the host.

Commands on stdin, each answered by a line:

    gateway MAC ADDRESS...      how the gateway is reached on eth0, and this host's own addresses there
    listen PORT                 a transparent TCP server, as proxies have
    send TUNNEL SOURCE DESTINATION [udp PORT]
                                a TCP connection to port 443, or UDP

A packet that was sent is answered with where it, or a copy of it, was seen, in order, but for what says to its sender
that it was refused:

    gateway                     at the gateway, from this host's address there
    misnamed                    at the gateway, from another address
    NAME                        elsewhere by this interface
    nowhere
"""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "leaks"))
# pylint: disable=wrong-import-position
import wire
from namespaces import socket_outside

FENCE = 0x88B5  # an EtherType for experiments
CLIENT_MAC = bytes.fromhex("020000000099")
ETH_P_ALL = 3
IP_TRANSPARENT = 19
SYN = 2


class Host:
    def __init__(self) -> None:
        # One processor: what is sent in order arrives and leaves in order.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        self.all = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.all.setblocking(False)
        self.tunnels: dict[str, tuple[socket.socket, socket.socket]] = {}
        self.listeners: list[socket.socket] = []
        self.number = 0
        self.mac, self.addresses = b"", set()

    def tunnel(self, name: str) -> tuple[socket.socket, socket.socket]:
        if name not in self.tunnels:
            fence = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(FENCE))
            fence.bind((name, FENCE))
            fence.settimeout(10)
            self.tunnels[name] = (socket_outside(name), fence)
        return self.tunnels[name]

    def gateway(self, mac: str, *addresses: str) -> str:
        self.mac = bytes.fromhex(mac.replace(":", ""))
        self.addresses = {wire.raw(address) for address in addresses}
        return "ok"

    def listen(self, port: str) -> str:
        for family in (socket.AF_INET, socket.AF_INET6):
            server = socket.socket(family, socket.SOCK_STREAM)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            server.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
            server.bind(("", int(port)))
            server.listen()
            self.listeners.append(server)
        return "ok"

    def frames(self) -> list[tuple[str, int, bytes]]:
        found = []
        try:
            while True:
                data, origin = self.all.recvfrom(2048)
                found.append((origin[0], origin[2], data))
        except BlockingIOError:
            return found

    def where(self, interface: str, data: bytes) -> str:
        if interface != "eth0" or data[:6] != self.mac:
            return interface
        source = data[26:30] if data[12:14] == b"\x08\x00" else data[22:38]
        return "gateway" if source in self.addresses else "misnamed"

    def send(self, name: str, source: str, destination: str, protocol: str = "tcp", port: str = "443") -> str:
        sender, fence = self.tunnel(name)
        self.number += 1
        mark = wire.marker(self.number, 1)
        if protocol == "tcp":
            payload = wire.tcp(source, destination, 20000 + self.number, int(port), SYN, mark)
        else:
            payload = wire.udp(source, destination, 20000 + self.number, int(port), mark)
        packet = wire.ip(source, destination, getattr(wire, protocol.upper()), payload)
        self.frames()
        own = fence.getsockname()[4]
        sender.send(own + CLIENT_MAC + (b"\x86\xdd" if ":" in source else b"\x08\x00") + packet)
        # The kernel takes it from the tunnel after the packet has gone its way.
        sender.send(own + CLIENT_MAC + FENCE.to_bytes(2, "big") + bytes(46))
        fence.recv(64)
        left = [
            self.where(interface, data)
            for interface, kind, data in self.frames()
            if kind == socket.PACKET_OUTGOING and mark in data and interface != name
        ]
        return " ".join(left) or "nowhere"

    def serve(self) -> None:
        for line in sys.stdin:
            command, *arguments = line.split()
            answer = {"gateway": self.gateway, "listen": self.listen, "send": self.send}[command](*arguments)
            print(answer, flush=True)


Host().serve()

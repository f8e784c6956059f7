"""Packets: what they are, and what a host takes to forward one."""

import collections
import itertools
import socket
import struct
import subprocess

from hooks import FLOOD, WORK
from hosts import CLIENT_MAC, GATEWAY_MAC, HOST_MAC, TUNNEL_MAC, fail

FLOWS = 1000                            # of each flood
SMALL, LARGE = 60, 1514                 # bytes of a frame of UDP, and of TCP with a packet of 1,500
FIRST_PORT = 40_000
FAR, FAR_PORT = "198.51.100.1", 9       # whom all talk to, beyond the gateway
SYN, ACK = 2, 16
OURS, THEIRS = 1000, 2000               # where both ends of a connection begin to count
SOL_PACKET, PACKET_QDISC_BYPASS, PACKET_OUTGOING = 263, 20, 4
PATIENCE = 1                            # seconds, for a packet
ETH_P_ALL, ETH_P_IP = 0x0003, 0x0800
SO_RCVBUFFORCE = 33

Sample = collections.namedtuple("Sample", "arrived elapsed")     # packets, nanoseconds of one processor
files = itertools.count()


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def frame(macs, addresses, protocol, payload):
    """macs and addresses: of the source and of the destination, addresses as four bytes."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0, *addresses)
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return mac(macs[1]) + mac(macs[0]) + struct.pack("!H", ETH_P_IP) + header + payload


def udp(macs, addresses, ports):
    """60 bytes. No checksum: 0 says so, in IPv4."""
    payload = bytes(SMALL - 14 - 20 - 8)
    return frame(macs, addresses, socket.IPPROTO_UDP, struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload)


def tcp(macs, addresses, ports, flags, counts, length=0):
    """counts: sequence number and acknowledgement. What it carries is zeros."""
    def header(total):
        return struct.pack("!HHIIBBHHH", *ports, *counts, 0x50, flags, 0xffff, total, 0)
    pseudo = struct.pack("!4s4sBBH", *addresses, 0, socket.IPPROTO_TCP, 20 + length)
    return frame(macs, addresses, socket.IPPROTO_TCP, header(checksum(pseudo + header(0))) + bytes(length))


def ends(packet):
    """Addresses and ports of a frame."""
    return (packet[26:30], packet[30:34]), struct.unpack("!HH", packet[34:38])


def sources(clients, first_port):
    """An address and a port for each flow, where the flows are those of so many clients."""
    for number in range(FLOWS):
        yield clients[number % len(clients)], first_port + number


class Wire:
    """An interface of a host's gateway or clients: frames go into it, and what comes out is counted."""

    def __init__(self, host, end, interface):
        self.interface = interface
        with host.inside(end):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.socket.bind((interface, 0))
            self.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
            self.counters = open("/proc/thread-self/net/dev")
        self.host, self.end = host, end

    def count(self):
        """Packets that came in."""
        self.counters.seek(0)
        return next(int(line.split()[2]) for line in self.counters if line.split()[0] == self.interface + ":")

    def send_each(self, frames):
        for one in frames:
            self.socket.send(one)

    def heard(self, send, items):
        """The frames that come in while these are sent, one of each flow."""
        found = {}
        with self.host.inside(self.end), \
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as listener:
            listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 25)
            listener.bind((self.interface, ETH_P_ALL))     # of one protocol it would hear what nft has let through
            listener.settimeout(PATIENCE)
            for number, item in enumerate(items, 1):
                send(item)
                self.collect(listener, found, number)
        if len(found) != len(items):
            fail(f"{self.host.name}: {len(found)} of {len(items)} flows got through")
        return list(found.values())

    @staticmethod
    def collect(listener, found, number):
        """Until so many were found, or no more come."""
        while len(found) < number:
            try:
                packet, (*_, kind, _, _) = listener.recvfrom(2048)
            except TimeoutError:
                return
            if kind != PACKET_OUTGOING and packet[12:14] == struct.pack("!H", ETH_P_IP):
                found.setdefault(ends(packet), packet)


class Listener:
    """A UDP socket of the host itself that nobody reads: once it is full, what comes for it is counted as an error."""
    PORT = 4500

    def __init__(self, host, address):
        self.host = host
        with host.inside():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, self.PORT))
            self.counters = open("/proc/thread-self/net/snmp")

    def count(self):
        self.counters.seek(0)
        names, values = [line.split() for line in self.counters if line.startswith("Udp:")]
        found = dict(zip(names, values))
        return int(found["InDatagrams"]) + int(found["InErrors"])


class Stream:
    """Frames that a socket sends, and who counts those that arrive."""

    def __init__(self, sender, frames, receiver):
        if len({len(one) for one in frames}) != 1:
            fail("a flood of nothing, or of several sizes")
        self.socket, self.receiver, self.size = sender, receiver, len(frames[0])
        self.path = WORK / f"frames-{next(files)}"
        self.path.write_bytes(b"".join(frames))

    def flood(self, milliseconds):
        """A Sample of what arrives."""
        before, fd = self.receiver.count(), self.socket.fileno()
        done = subprocess.run([FLOOD, str(fd), str(self.path), str(self.size), str(milliseconds)], pass_fds=[fd],
                              text=True, capture_output=True)
        if done.returncode:
            fail(done.stderr)
        sent, elapsed = map(int, done.stdout.split())
        arrived = self.receiver.count() - before
        if arrived < sent / 2:
            fail(f"{self.receiver.host.name}: {arrived} of {sent} packets arrived")
        return Sample(arrived, elapsed)

    def close(self):
        self.path.unlink()


def answers(packets):
    """To frames that came to the gateway: UDP, as long as they."""
    for packet in packets:
        addresses, ports = ends(packet)
        yield udp((GATEWAY_MAC, HOST_MAC), addresses[::-1], ports[::-1])


def from_gateway(packets, flags, counts, length=0):
    """Answers in connections of TCP."""
    for packet in packets:
        addresses, ports = ends(packet)
        yield tcp((GATEWAY_MAC, HOST_MAC), addresses[::-1], ports[::-1], flags, counts, length)


def to_far(destination, addresses, first_port=FIRST_PORT):
    """A frame of each flow that clients begin."""
    return [udp((CLIENT_MAC, TUNNEL_MAC), (address, socket.inet_aton(destination)), (port, FAR_PORT))
            for address, port in sources(addresses, first_port)]


def new_flows(host, addresses):
    """A Stream of flows to the gateway that nobody answers."""
    return Stream(Wire(host, "client", "vpns0").socket, to_far(FAR, addresses), Wire(host, "gateway", "eth0"))


def talk(near, near_mac, addresses, first_port, far):
    """
    Flows of UDP from addresses behind the wire near, which the wire far has answered.
    Returns the frames of each way.
    """
    far_address = socket.inet_aton(FAR)
    out = [udp((CLIENT_MAC, near_mac), (address, far_address), (port, FAR_PORT))
           for address, port in sources(addresses, first_port)]
    back = list(answers(far.heard(near.socket.send, out)))
    far.send_each(back)
    near.send_each(out)                 # with which a flow gets on a fast path
    return out, back


def connect(near, near_mac, addresses, first_port, far):
    """As talk(), connections of TCP: the frames carry 1,460 bytes, always the same ones."""
    far_address = socket.inet_aton(FAR)

    def frames(flags, counts, length=0):
        return [tcp((CLIENT_MAC, near_mac), (address, far_address), (port, FAR_PORT), flags, counts, length)
                for address, port in sources(addresses, first_port)]
    arrived = far.heard(near.socket.send, frames(SYN, (OURS, 0)))
    far.send_each(from_gateway(arrived, SYN | ACK, (THEIRS, OURS + 1)))
    near.send_each(frames(ACK, (OURS + 1, THEIRS + 1)))
    length = LARGE - 14 - 20 - 20
    return (frames(ACK, (OURS + 1, THEIRS + 1), length),
            list(from_gateway(arrived, ACK, (THEIRS + 1, OURS + 1), length)))

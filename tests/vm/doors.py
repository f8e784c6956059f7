"""Packets at the doors of a host with IPsec, tunnels and more protocols than TCP and UDP.

doors.py INI DIRECTORY-OF-wire.py: in the namespaces of doors.sh. The far ends of the host's links are looked at in
namespace `outside`, and packets sent from there. Each case sends packets that carry its number. A leak is a frame on
an uplink that carries it, or goes to where it went, and is not for the gateway's hardware address.
"""

import ctypes
import os
import select
import socket
import struct
import subprocess
import sys
import time

INI = sys.argv[1]
sys.path.insert(0, sys.argv[2])
import wire

GATEWAY, ROUTER, PEER = (bytes.fromhex(f"0200000001{end}") for end in ("01", "02", "07"))
MACS = {name: bytes.fromhex(f"02000000000{number}") for number, name in enumerate(("eth0", "eth1", "vpns0"), 1)}
CLIENT, SERVER, HOST = {4: "10.20.0.50", 6: "fd20::50"}, {4: "10.20.0.1", 6: "fd20::1"}, {4: "172.28.0.3", 6: "fd28::3"}
FAR_NETWORK = {4: "198.51.100.0/24", 6: "2001:db8:9::/64"}      # what the IPsec policies hold
FAR = {4: "198.51.100.9", 6: "2001:db8:9::9"}                   # a host there
ELSEWHERE = {4: "203.0.113.50", 6: "2001:db8:50::50"}           # what they don't
IPSEC_PEER = {4: "203.0.113.7", 6: "2001:db8:7::7"}
IPIP, ICMP, TCP, UDP, SIXIN4, GRE, ICMPV6, DCCP, SCTP, UDPLITE = 4, 1, 6, 17, 41, 47, 58, 33, 132, 136
ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
SYN, ACK = 2, 16
GRE_TYPE = {4: 0x0800, 6: 0x86DD}
CLONE_NEWNET = 0x40000000
VXLAN, FOU_PORT = {4: 7, 6: 8}, 5555
VXLAN_MAC = bytes.fromhex("020000000301")
SECONDS = 30                                                    # after which what is awaited has not come


class Tap:
    count = failed = 0

    def check(self, good, text, *more):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}")
        for line in () if good else more:
            print(f"# {line}")

    def end(self):
        print(f"1..{self.count}")
        sys.exit(self.failed > 0)


def run(*words, lines="", env=None):
    done = subprocess.run(words, input=lines, capture_output=True, text=True, env=env)
    if done.returncode:
        print(f"Bail out! {' '.join(words)}: {done.stderr}{done.stdout}")
        sys.exit(1)


def ip(lines):
    run("ip", "-batch", "-", lines=lines)


def modules(*names):
    run("modprobe", "-a", *names)


def program(*words, **variables):
    run(os.environ["OGW_PROGRAM"], *words, env={
        "PATH": os.environ["PATH"], "OCSERV_GATEWAY_CONFIG": INI, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
        **variables})


def clients_connect(*settings):
    """The kill switch with these settings, and a session."""
    with open(INI, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        print("[clients]\nsubnet4 = 10.20.0.0/24\nsubnet6 = fd20::/64\n"
              "[gateway]\naddress4 = 172.28.0.2\naddress6 = fd28::2", *settings, sep="\n", file=file)
    program("up")
    program(ID=str(os.getpid()), REASON="connect", USERNAME="alice", GROUPNAME="", VHOST="default", DEVICE="vpns0",
            IP_REAL="198.51.100.11", IP_REMOTE=CLIENT[4], IPV6_REMOTE=CLIENT[6], IPV6_PREFIX="128")


def outside(function):
    """Calls it in the namespace of the links' far ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open("/run/netns/outside") as there:
        libc.setns(there.fileno(), CLONE_NEWNET)
        try:
            return function()
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


def family_of(packet):
    return packet[0] >> 4


def destination(packet):
    at, size = (16, 4) if family_of(packet) == 4 else (24, 16)
    return packet[at:at + size]


class Wire:
    """The far ends of the links. Packets queue in order: what was sent first has been dealt with when echoes return."""

    def __init__(self):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        self.sockets = outside(lambda: {name: self.open(name) for name in MACS})
        self.case = self.echoes = 0
        self.frames = []

    @staticmethod
    def open(name):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind((name, 0))
        return sock

    def begin(self):
        self.case += 1
        self.receive(0)
        self.frames = []

    def marker(self):
        return wire.marker(1, self.case)

    def send(self, packet, by="vpns0", source=bytes.fromhex("020000000250")):
        self.sockets[by].send(MACS[by] + source + ETHERTYPE[family_of(packet)] + packet)

    def receive(self, seconds):
        while True:
            ready, _, _ = select.select(self.sockets.values(), [], [], seconds)
            if not ready:
                return
            for name, sock in self.sockets.items():
                if sock in ready:
                    data, where = sock.recvfrom(65535)
                    if where[2] != socket.PACKET_OUTGOING and data[12:14] in ETHERTYPE.values():
                        self.frames.append((name, data))
            seconds = 0

    def wait(self, wanted):
        """The first frame (interface, bytes) that is wanted, or None."""
        end = time.monotonic() + SECONDS
        while True:
            for frame in self.frames:
                if wanted(*frame):
                    return frame
            if time.monotonic() > end:
                return None
            self.receive(0.2)

    def settle(self):
        """What comes out of a tunnel queues once more, behind an echo: so three of them."""
        for _ in range(3):
            self.echoes += 1
            text = b"settled %06d" % self.echoes
            self.send(echo(CLIENT[4], SERVER[4], text))
            if not self.wait(lambda name, data, text=text: name == "vpns0" and text in data):
                print("Bail out! the server does not answer its client")
                sys.exit(1)

    def left(self, ours=lambda data: False):
        """Frames of the case on the uplinks."""
        return [(name, data) for name, data in self.frames
                if name != "vpns0" and (self.marker() in data or ours(data))]


def echo(src, dst, payload):
    return wire.ip(src, dst, ICMPV6 if ":" in src else ICMP, wire.echo(src, dst, 1, payload))


def udp(src, dst, payload, sport=5000, dport=6000):
    return wire.ip(src, dst, UDP, wire.udp(src, dst, sport, dport, payload))


def gre(inner):
    return struct.pack("!HH", 0, GRE_TYPE[family_of(inner)]) + inner


def vxlan(number, inner):
    return struct.pack("!II", 8 << 24, number << 8) + VXLAN_MAC + PEER + ETHERTYPE[family_of(inner)] + inner


def told(frames):
    return [f"{name}: to {data[:6].hex(':')}: {data[14:].hex()}" for name, data in frames]


tap = Tap()
net = Wire()


def closed(text, packets, ours=lambda data: False, **how):
    """Nothing of these leaves the server, but to the gateway."""
    net.begin()
    for packet in packets(net.marker()):
        net.send(packet, **how)
    net.settle()
    leaks = [frame for frame in net.left(ours) if frame[1][:6] != GATEWAY]
    tap.check(not leaks, text, *told(leaks))


def answered(text, packet, wanted, **how):
    """It works: a frame comes that is wanted."""
    net.begin()
    net.send(packet(net.marker()), **how)
    found = net.wait(lambda name, data: wanted(name, data, net.marker()))
    tap.check(found is not None, text, *told(net.frames))


def ipsec(command, selectors):
    """IPsec without a cipher, so that one sees what is in it, for what comes from the selectors."""
    adds = command == "add"
    for family, source in selectors.items():
        ends = f"src {HOST[family]} dst {IPSEC_PEER[family]}"
        template = f"tmpl {ends} proto esp reqid 1 mode tunnel" if adds else ""
        keys = 'reqid 1 mode tunnel enc ecb(cipher_null) "" auth digest_null ""' if adds else ""
        ip(f"xfrm policy {command} src {source} dst {FAR_NETWORK[family]} dir out {template}\n"
           f"xfrm state {command} {ends} proto esp spi 0x10{family} {keys}\n")


def from_client(family, to=FAR):
    return lambda text: [udp(CLIENT[family], to[family], text), echo(CLIENT[family], to[family], text)]


def host_sends(family, text):
    with socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST[family], 0))
        sock.sendto(text, (FAR[family], 6000))


def test_ipsec(mode, host, selectors, whose):
    ipsec("add", selectors)
    for family in selectors:
        closed(f"{mode}, a policy for {whose}: no IPv{family} of a client leaves via IPsec", from_client(family))
        answered(f"{mode}, a policy for {whose}: IPv{family} to elsewhere goes to the gateway",
                 lambda text, f=family: udp(CLIENT[f], ELSEWHERE[f], text),
                 lambda name, data, text: data[:6] == GATEWAY and text in data)
        if host:
            net.begin()
            host_sends(family, net.marker())
            esp = net.wait(lambda name, data: net.marker() in data)
            tap.check(esp and esp[1][:6] == ROUTER and destination(esp[1][14:]) == wire.raw(IPSEC_PEER[family]),
                      f"{mode}: the host's own IPv{family} leaves via IPsec", *told(net.frames))
    ipsec("delete", selectors)


# Inner packets, whose source may be anything: the gateway is no way for them either.
INNER = {4: ("203.0.113.9", "172.28.0.9"), 6: ("2001:db8:99::9", "fd28::9")}


def by_protocol(number):
    return lambda src, dst, packet: wire.ip(src, dst, number, gre(packet) if number == GRE else packet)


def by_vxlan(src, dst, packet):
    return udp(src, dst, vxlan(VXLAN[6 if ":" in src else 4], packet), dport=4789)


def by_fou(src, dst, packet):
    return udp(src, dst, packet, dport=FOU_PORT)


def tunnelled(text, outer, kind, wrap):
    """What a client sends to each address of the server, with each source inside."""
    closed(f"{text}: what a client sends to the server in it does not leave",
           lambda marker: [wrap(CLIENT[outer], to, udp(source, FAR[kind], marker))
                           for to in (SERVER[outer], HOST[outer]) for source in INNER[kind]])


def tunnels_up():
    modules("ipip", "ip_gre", "sit", "ip6_tunnel", "ip6_gre", "fou", "vxlan")
    ip(f"""link set tunl0 up
link set gre0 up
link set sit0 up
link set ip6tnl0 up
link set ip6gre0 up
link add tunnel46 type ip6tnl mode any local {HOST[6]} remote ::
link set tunnel46 up
link add vxlan4 address {VXLAN_MAC.hex(':')} type vxlan id {VXLAN[4]} dstport 4789 remote 172.28.0.7
link add vxlan6 address {VXLAN_MAC.hex(':')} type vxlan id {VXLAN[6]} dstport 4789 remote fd28::7
addr add 10.77.0.1/24 dev vxlan4
link set vxlan4 up
link set vxlan6 up
neigh replace 10.77.0.2 lladdr {PEER.hex(':')} dev vxlan4 nud permanent
link add gre1 type gre local {HOST[4]} remote 172.28.0.7
addr add 10.78.0.1/24 dev gre1
link set gre1 up
""")
    run("ip", "fou", "add", "port", str(FOU_PORT), "ipproto", str(IPIP))


def test_tunnels():
    tunnels_up()
    tunnelled("IPIP, tunl0", 4, 4, by_protocol(IPIP))
    tunnelled("GRE, gre0", 4, 4, by_protocol(GRE))
    tunnelled("IPv6 in GRE, gre0", 4, 6, by_protocol(GRE))
    tunnelled("SIT, sit0", 4, 6, by_protocol(SIXIN4))
    tunnelled("IPIP in UDP (FOU)", 4, 4, by_fou)
    tunnelled("VXLAN", 4, 4, by_vxlan)
    tunnelled("IPv6 in VXLAN", 4, 6, by_vxlan)
    tunnelled("VXLAN over IPv6", 6, 4, by_vxlan)
    tunnelled("IPv6 in IPv6, ip6tnl0", 6, 6, by_protocol(SIXIN4))
    tunnelled("IPv4 in IPv6", 6, 4, by_protocol(IPIP))
    tunnelled("GRE over IPv6, ip6gre0", 6, 4, by_protocol(GRE))


def test_peers():
    """Who is no client has its tunnels, and what the host forwards for it."""
    peer = {"by": "eth0", "source": PEER}
    for text, wrap, mine, its in (("VXLAN", by_vxlan, "10.77.0.1", "10.77.0.2"),
                                  ("GRE", by_protocol(GRE), "10.78.0.1", "10.78.0.2")):
        answered(f"{text}: a peer of the host is answered",
                 lambda marker: wrap("172.28.0.7", HOST[4], echo(its, mine, marker)),
                 lambda name, data, marker: data[:6] == PEER and marker in data, **peer)
        answered(f"{text}: what a peer sends to elsewhere is forwarded",
                 lambda marker: wrap("172.28.0.7", HOST[4], udp(its, FAR[4], marker)),
                 lambda name, data, marker: data[:6] == ROUTER and marker in data, **peer)


def listen(family, kind):
    sock = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind)
    sock.bind((SERVER[family], 53))
    sock.settimeout(SECONDS)
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def ask(dns, family):
    net.begin()
    net.send(udp(CLIENT[family], SERVER[family], net.marker(), dport=53))
    try:
        question, whose = dns.recvfrom(2000)
    except TimeoutError:
        return None
    dns.sendto(b"answer" + question, whose)
    return net.wait(lambda name, data: name == "vpns0" and b"answer" + net.marker() in data)


def test_services():
    """What clients have of the server."""
    for family in (4, 6):
        client, server = CLIENT[family], SERVER[family]
        to_client = wire.raw(server) + wire.raw(client)
        with listen(family, socket.SOCK_DGRAM) as dns, listen(family, socket.SOCK_STREAM):
            tap.check(ask(dns, family), f"IPv{family}: a client's question to a DNS server on the host is answered")
            syn = wire.ip(client, server, TCP, wire.tcp(client, server, 4000, 53, SYN, b""))
            answered(f"IPv{family}: a TCP connection to the server is accepted", lambda _, syn=syn: syn,
                     lambda name, data, text: name == "vpns0" and to_client in data
                     and data[14 + (20 if family == 4 else 40) + 13] == SYN | ACK)
        answered(f"IPv{family}: an echo is answered", lambda text: echo(client, server, text),
                 lambda name, data, text: name == "vpns0" and text in data)


# What comes back from an internet host when the kernel knows no flow of it.
def udplite(src, dst, text):
    data = struct.pack("!HHHH", 6000, 5000, 0, 0) + text
    return wire.with_checksum(data, 6, wire.pseudo_header(src, dst, UDPLITE, len(data)))


def dccp(src, dst, text):
    """A DCCP-Request, of 20 bytes and a service code."""
    data = struct.pack("!HHBBHBBHII", 6000, 5000, 5, 0, 0, 1, 0, 0, 1, 7) + text
    return wire.with_checksum(data, 6, wire.pseudo_header(src, dst, DCCP, len(data)))


FORGOTTEN = {
    "UDP-Lite": (UDPLITE, udplite),
    "SCTP": (SCTP, lambda src, dst, text: wire.sctp_init(6000, 5000, text)),
    "DCCP": (DCCP, dccp),
    "GRE": (GRE, lambda src, dst, text: gre(udp(ELSEWHERE[4], CLIENT[4], text))),
    "IPIP": (IPIP, lambda src, dst, text: udp(ELSEWHERE[4], CLIENT[4], text)),
    "protocol 253": (253, lambda src, dst, text: text),
}


def test_forgotten(loaded):
    for family in (4, 6):
        far = FAR[family]
        for name, (number, body) in FORGOTTEN.items():
            closed(f"IPv{family}, {loaded}: {name} of a flow that is forgotten goes unanswered",
                   lambda text, f=family, n=number, b=body: [wire.ip(FAR[f], HOST[f], n, b(FAR[f], HOST[f], text))],
                   lambda data, far=far: destination(data[14:]) == wire.raw(far), by="eth0", source=GATEWAY)


def main():
    modules("nf_conntrack", "nft_ct", "nft_fib_inet", "nft_masq", "nft_reject_inet", "nft_socket", "nft_xfrm",
            "esp4", "esp6", "xfrm_user", "authenc", "crypto_null")
    clients_connect()
    test_forgotten("without modules")
    modules("sctp", "dccp_ipv4", "dccp_ipv6", "ip_gre", "ip6_gre", "ipip", "ip6_tunnel")
    test_forgotten("with modules")
    test_ipsec("masquerade = yes", True, {4: "172.28.0.0/24", 6: "fd28::/64"}, "the host's network")
    test_ipsec("masquerade = yes", False, {4: "10.20.0.0/24", 6: "fd20::/64"}, "clients")
    test_tunnels()
    test_peers()
    test_services()
    clients_connect("masquerade = no")
    test_ipsec("masquerade = no", False, {4: "10.20.0.0/24", 6: "fd20::/64"}, "clients")
    tap.end()


main()

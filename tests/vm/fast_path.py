"""Flows of clients by the fast path, and what becomes of them when something goes wrong.

fast_path.py INI: in the namespaces of fast-path.sh. A client sends to a server beyond the gateway, which answers. Once the
flow goes by the fast path, something goes wrong while an answer is on its way, and the client sends once more. That packet is
looked for where the host's uplinks end: it may not be there, or may be for the gateway's hardware address alone.
"""

import ctypes
import os
import re
import select
import socket
import subprocess
import sys

INI = sys.argv[1]
GATEWAY, OTHER = bytes.fromhex("020000000101"), bytes.fromhex("020000000104")
SERVER = {4: "198.51.100.80", 6: "2001:db8:100::80"}
CLIENT = {4: "10.20.0.50", 6: "fd20::50"}
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
CLONE_NEWNET, SECONDS = 0x40000000, 30
LAST, OWN_TYPE = b"THE-LAST-ONE", bytes.fromhex("88b5")
SESSION = {"ID": str(os.getpid()), "USERNAME": "alice", "DEVICE": "vpns0", "IP_REAL": "198.51.100.11", "IP_REMOTE": CLIENT[4],
           "IPV6_REMOTE": CLIENT[6], "IPV6_PREFIX": "128"}
libc = ctypes.CDLL(None, use_errno=True)


class Tap:
    count = failed = 0

    def check(self, good, text, *more):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}", flush=True)
        for line in () if good else more:
            print(f"# {line}", flush=True)

    def end(self):
        print(f"1..{self.count}")
        sys.exit(self.failed > 0)


tap = Tap()


def program(*words, **variables):
    return subprocess.run([os.environ["OGW_PROGRAM"], *words], capture_output=True, text=True, env={
        "PATH": os.environ["PATH"], "OCSERV_GATEWAY_CONFIG": INI, **variables})


def must(done):
    if done.returncode:
        print(f"Bail out! {done.args}: {done.stdout}{done.stderr}")
        sys.exit(1)
    return done


def run(*words):
    return must(subprocess.run(words, capture_output=True, text=True)).stdout


def shell(command):
    return run("sh", "-c", command)


def configure(text):
    with open(INI, "w") as file:
        file.write(text)
    must(program("up"))


def hook(reason, **variables):
    return program(REASON=reason, **{**SESSION, **variables})


host = open("/proc/self/ns/net", "rb")


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), namespace.name)


def make(namespace, *kind):
    """A socket of another network namespace."""
    with open(f"/run/netns/{namespace}", "rb") as other:
        enter(other)
    try:
        made = socket.socket(*kind)
    finally:
        enter(host)
    made.settimeout(SECONDS)
    return made


def uplink(name):
    made = make("outside", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.bind((name, 0))
    return made


uplinks = {name: uplink(name) for name in ("eth0", "eth1")}


class Udp:
    port = 5000

    def __init__(self, version):
        Udp.port += 1
        self.name, self.port = f"UDP over IPv{version}", Udp.port
        self.client = make("client", FAMILY[version], socket.SOCK_DGRAM)
        self.server = make("outside", FAMILY[version], socket.SOCK_DGRAM)
        self.server.bind((SERVER[version], self.port))
        self.client.connect((SERVER[version], self.port))

    def ask(self):
        self.client.send(b"question")
        self.source = self.server.recvfrom(100)[1]
        self.answer(b"answer")
        self.client.recv(100)

    def send(self, data):
        """The kernel tells what became of an earlier one."""
        for _ in range(2):
            try:
                return self.client.send(data)
            except OSError:
                pass

    def answer(self, data):
        self.server.sendto(data, self.source)

    def close(self):
        self.client.close()
        self.server.close()


class Tcp:
    port = 6000

    def __init__(self, version):
        Tcp.port += 1
        self.name, self.port = f"TCP over IPv{version}", Tcp.port
        listener = make("outside", FAMILY[version], socket.SOCK_STREAM)
        listener.bind((SERVER[version], self.port))
        listener.listen()
        self.client = make("client", FAMILY[version], socket.SOCK_STREAM)
        self.client.connect((SERVER[version], self.port))
        self.server = listener.accept()[0]
        self.server.settimeout(SECONDS)
        for end in (self.client, self.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.close()

    def ask(self):
        self.client.send(b"question")
        self.server.recv(100)
        self.answer(b"answer")
        self.client.recv(100)

    def send(self, data):
        self.client.send(data)

    def answer(self, data):
        self.server.send(data)

    def close(self):
        self.client.close()
        self.server.close()


def tracked(flow):
    """How the kernel tracks it: a line of conntrack(8)."""
    lines = run("conntrack", "-L", "-f", "ipv6") if "IPv6" in flow.name else run("conntrack", "-L")
    return next((line for line in lines.splitlines() if f"dport={flow.port} " in line), "")


def counted():
    """Packets that rules have counted which let clients' flows through, each way."""
    listed = run("nft", "list", "table", "inet", "ocserv_gw")
    return [int(number) for number in re.findall(r'counter packets (\d+) .*: let through"', listed)]


def is_fast(flow):
    """The flow is handed over."""
    for _ in range(2):
        flow.ask()
    return "[OFFLOAD]" in tracked(flow)


def is_unseen(flow):
    """The chains see nothing of it, either way."""
    before = counted()
    for _ in range(3):
        flow.ask()
    return counted() == before


def drain(on):
    while select.select([on], [], [], 0)[0]:
        on.recv(65536)


def left(data):
    """To which hardware addresses frames with this went; what this host itself sends behind it tells when all has come."""
    found = set()
    for name, on in uplinks.items():
        own = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        own.bind((name, 0))
        try:
            own.send(b"\xff" * 6 + b"\x02" + bytes(5) + OWN_TYPE + LAST)
        except OSError:
            continue    # it is down: what came before is there
        while True:
            frame = on.recv(65536)
            if data in frame:
                found.add(frame[:6])
            if LAST in frame:
                break
    return found


def after(flows, trouble):
    """Where packets go that clients send behind @trouble, and behind answers that were on their way meanwhile, of each flow."""
    for on in uplinks.values():
        drain(on)
    for flow in flows:
        flow.answer(b"ON-ITS-WAY")
    trouble()
    for _ in flows:
        while b"ON-ITS-WAY" not in uplinks["eth0"].recv(65536):
            pass
    found = []
    for flow in flows:
        for _ in range(3):
            flow.send(b"LOOK-FOR-ME")
        found.append(left(b"LOOK-FOR-ME"))
    return found


SINGLE = """[clients]
subnet4 = 10.20.0.0/24
subnet6 = fd20::/64
[gateway]
address4 = 172.28.0.2
address6 = fd28::2
fast_path = yes
"""
NO_RULES = """for family in 4 6; do
ip -$family rule show | sed -n "s/^\\([0-9]*\\):.*proto 111.*/rule del priority \\1/p" | ip -$family -batch - || exit
done"""

# What goes wrong: its name, commands, those that mend what `up` does not, and to whom the client's packets may go then.
TROUBLES = [
    ("the routes are gone", "ip route flush table 100; ip -6 route flush table 100", "", {4: set(), 6: set()}),
    ("the policy rules are gone", NO_RULES, "", {4: set(), 6: set()}),
    ("the table leads to another router",
     "ip route replace default via 172.28.0.1 dev eth0 table 100 && ip -6 route replace default via fd28::1 dev eth0 table 100 metric 1024"
     " && ip -6 route del default via fd28::2 table 100 2>/dev/null; true",
     "ip route flush table 100; ip -6 route flush table 100", {4: set(), 6: set()}),
    ("nftables is flushed", "nft flush ruleset", "", {4: {GATEWAY}, 6: {GATEWAY}}),
    ("the interface of the gateway is down", "echo 1 >/proc/sys/net/ipv6/conf/eth0/keep_addr_on_down; ip link set eth0 down",
     """ip link set eth0 up
     for each in 172.28.0.2=01 fd28::2=01 172.28.0.4=04; do
         ip neigh replace ${each%=*} lladdr 02:00:00:00:01:${each#*=} dev eth0
     done""",
     {4: set(), 6: set()}),
]


def test_flows():
    for kind in (Udp, Tcp):
        for version in (4, 6):
            flow = kind(version)
            tap.check(is_fast(flow) and is_unseen(flow), f"{flow.name}: goes by the fast path, both ways", tracked(flow), counted())
            flow.close()


def test_troubles():
    for name, commands, mending, allowed in TROUBLES:
        flows = [Udp(4), Udp(6)]
        fast = [is_fast(flow) for flow in flows]
        for flow, was_fast, went in zip(flows, fast, after(flows, lambda: shell(commands))):
            tap.check(was_fast and went <= allowed[4 if flow is flows[0] else 6],
                      f"{name}, {flow.name}: nothing leaves by another way",
                      f"by the fast path before: {was_fast}, then to: {[mac.hex(':') for mac in went]}", tracked(flow))
            flow.close()
        if mending:
            shell(mending)
        must(program("up"))


def test_next_client():
    flow = Udp(4)
    fast = is_fast(flow)
    hook("disconnect")
    tap.check(fast and not tracked(flow), "a session ends: so does its flow", tracked(flow))
    must(hook("connect", USERNAME="bob"))
    drain(flow.client)
    flow.answer(b"FOR-ALICE")
    flow.answer(b"FOR-ALICE")
    while b"FOR-ALICE" not in uplinks["eth0"].recv(65536):
        pass
    other = Udp(4)
    fast = is_fast(other)
    tap.check(fast and not select.select([flow.client], [], [], 0)[0], "who gets the tunnel and the address gets nothing of it")
    hook("disconnect")
    flow.close()
    other.close()


def test_several():
    configure(SINGLE + "[gateway nl]\naddress4 = 172.28.0.4\n[users]\n")
    must(hook("connect"))
    flow = Udp(4)
    fast = is_fast(flow)
    tap.check(fast, "several gateways: it goes by the fast path", tracked(flow), counted())
    [went] = after([flow], lambda: configure(SINGLE + "[gateway nl]\naddress4 = 172.28.0.4\n[users]\nalice = nl\n"))
    tap.check(went == {OTHER}, "several gateways: a session that moves sends to the other one alone", [mac.hex(":") for mac in went])
    hook("disconnect")
    flow.close()


def test_devices():
    run("ip", "link", "add", "vpns7", "type", "veth", "peer", "name", "vpns7", "netns", "outside")
    done = must(hook("connect", DEVICE="vpns7", IP_REMOTE="10.20.0.57", IPV6_REMOTE=""))
    tap.check("vpns7" in run("nft", "list", "flowtables") and "routing=intact" in done.stderr,
              "a session's tunnel is in the flow table before it begins", done.stderr, run("nft", "list", "flowtables"))
    run("ip", "link", "del", "vpns7")
    done = must(program("up"))
    tap.check(done.stdout == "intact\n", "it vanishes with the tunnel", done.stdout, done.stderr)


def test_change():
    flow = Udp(4)
    fast = is_fast(flow)
    [went] = after([flow], lambda: configure(SINGLE.replace("172.28.0.2", "172.28.0.4")))
    tap.check(fast and went == {OTHER}, "another gateway: what clients send goes to that one alone", [mac.hex(":") for mac in went])
    flow.close()
    configure(SINGLE)


configure(SINGLE)
must(hook("connect"))
test_flows()
test_devices()
test_troubles()
test_change()
test_next_client()
test_several()
tap.end()

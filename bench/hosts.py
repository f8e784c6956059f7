"""Hosts for measuring: a network namespace each, inside those of tests/lib/sandbox.sh.

    client --- vpns0 | host | eth0 --- gateway

No packet can leave them, since the sandbox itself is connected to nothing.
"""

import contextlib
import ctypes
import ipaddress
import os
import subprocess
import sys

CLIENTS = "10.16.0.0/12"        # room for the addresses of 100,000 sessions
FIRST_CLIENT = "10.17.0.1"
ADDRESS, GATEWAY, ROUTER = "172.28.0.3", "172.28.0.2", "172.28.0.1"
HOST_MAC, GATEWAY_MAC, TUNNEL_MAC, CLIENT_MAC = (f"02:00:00:00:00:0{number}" for number in range(1, 5))
BEYOND_TUNNEL = "10.16.0.2"     # all clients are behind it: the one neighbour that a tunnel has
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000

SETTINGS = {
    "ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, "ipv6/conf/all/accept_dad": 0,
    "ipv6/conf/default/accept_dad": 0,
}
HOST_SIDE = f"""
link set lo up
link add eth0 address {HOST_MAC} type veth peer name eth0 address {GATEWAY_MAC} netns gateway-NAME
link add vpns0 address {TUNNEL_MAC} type veth peer name vpns0 netns client-NAME
link set eth0 up
link set vpns0 up
addr add {ADDRESS}/24 dev eth0
addr add 10.16.0.1/32 dev vpns0
addr add fd20::1/128 dev vpns0 nodad
route add {CLIENTS} dev vpns0
route add default via {ROUTER}
neigh add {GATEWAY} lladdr {GATEWAY_MAC} dev eth0 nud permanent
neigh add {ROUTER} lladdr {GATEWAY_MAC} dev eth0 nud permanent
neigh add {BEYOND_TUNNEL} lladdr {CLIENT_MAC} dev vpns0 nud permanent
"""
# The gateway counts what arrives, and answers nothing.
GATEWAY_SIDE = f"""
link set eth0 up
addr add {GATEWAY}/24 dev eth0
"""
GATEWAY_DROPS = """
table netdev sink {
	chain ingress { type filter hook ingress device eth0 priority 0; policy drop; }
}
"""


def fail(message):
    sys.exit(f"bench: {message}")


def run(command, text=None, **options):
    """Runs a command that must succeed; returns its output."""
    done = subprocess.run(command, input=text, text=True, capture_output=True, **{"timeout": 120, **options})
    if done.returncode:
        fail(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stderr}")
    return done.stdout


def client(number):
    return str(ipaddress.IPv4Address(FIRST_CLIENT) + number)


def enter(namespace):
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET):
        fail(f"setns: {os.strerror(ctypes.get_errno())}")


class Host:
    """A host with its gateway and its clients."""

    def __init__(self, name):
        self.name = name
        for namespace in (name, f"gateway-{name}", f"client-{name}"):
            run(["ip", "netns", "add", namespace])
            run(["ip", "netns", "exec", namespace, os.environ["OGW_FRESH_NETWORK"]])
        for path, value in SETTINGS.items():
            self.sh(f"echo {value} >/proc/sys/net/{path}")
        for end in ("gateway", "client"):       # neither says anything by itself
            self.sh("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6", end)
        self.ip(HOST_SIDE.replace("NAME", name))
        self.ip(GATEWAY_SIDE, "gateway")
        self.ip("link set vpns0 up", "client")
        run(self.within(["nft", "-f", "-"], "gateway"), GATEWAY_DROPS)

    def remove(self):
        for namespace in (self.name, f"gateway-{self.name}", f"client-{self.name}"):
            run(["ip", "netns", "del", namespace])

    def namespace(self, end=None):
        return f"{end}-{self.name}" if end else self.name

    def within(self, command, end=None):
        return ["nsenter", f"--net=/run/netns/{self.namespace(end)}", *command]

    def sh(self, script, end=None):
        return run(self.within(["sh", "-ec", script], end), env=dict(os.environ))

    def ip(self, batch, end=None):
        return run(self.within(["ip", "-batch", "-"], end), batch)

    @contextlib.contextmanager
    def inside(self, end=None):
        """The network of this thread is the host's, or that of one of its ends: for what it opens meanwhile."""
        with open("/proc/thread-self/ns/net") as before, open(f"/run/netns/{self.namespace(end)}") as wanted:
            enter(wanted)
            try:
                yield
            finally:
                enter(before)

    def add_clients(self, numbers):
        """Routes to each, as ocserv's tunnels have them."""
        self.ip("".join(f"route add {client(number)} via {BEYOND_TUNNEL} dev vpns0 onlink\n" for number in numbers))

"""The server under test: a network namespace with two tunnels and two uplinks.

    vpns0, vpns1   tun devices as ocserv makes them, clients .50 and .51
    eth0           172.28.0.3, fd28::3; gateway .2, host router .1 (main default)
    eth1           192.0.2.2, fd29::2; second uplink, router .1

Whoever makes a Server moves into its namespace and stays there.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess

import lan
from kernel import TABLES, ip_batch

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
PR_SET_PDEATHSIG = 1

CLIENTS = {"vpns0": ("10.20.0.50", "fd20::50"), "vpns1": ("10.20.0.51", "fd20::51")}
# name: other end, MAC, addresses
UPLINKS = {
    "eth0": ("lan0", "02:00:00:28:00:03", "172.28.0.3/24", "fd28::3/64", "fe80::ff:fe28:3/64"),
    "eth1": ("lan1", "02:00:00:29:00:02", "192.0.2.2/24", "fd29::2/64", "fe80::ff:fe29:2/64"),
}
IN_VPN = {4: "10.20.0.1", 6: "fd20::1"}
OTHER_ADDRESS = "172.28.0.33/24"  # which eth0 gets in a trouble
ROGUE_ADDRESSES = ("172.28.0.66/25", "fd28::66/65")  # which eth1 gets in others
OWN = {
    address.split("/")[0]
    for _, _, *more in UPLINKS.values()
    for address in (*more, OTHER_ADDRESS, *ROGUE_ADDRESSES)
}

# What the kernel does for a client, it shall do at once and at any rate.
SYSCTLS = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_msgs_per_sec": 1000000,
    "net/ipv4/icmp_msgs_burst": 1000000,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv4/tcp_invalid_ratelimit": 0,
    "net/ipv4/tcp_syncookies": 2,  # each SYN is answered once and forgotten
    "net/ipv4/tcp_synack_retries": 0,
    "net/ipv4/ipfrag_time": 1,
    "net/ipv6/ip6frag_time": 1,
}
# A neighbour that does not answer is given up after 0.2 s.
NEIGHBOUR_SYSCTLS = {"retrans_time_ms": 20, "mcast_solicit": 10}
INTERFACES = ("all", "default", *CLIENTS, *UPLINKS)
# Off in any sane system; (when permissive, else)
LENIENCE = {
    "ipv4": {
        "accept_source_route": (1, 0),
        "accept_local": (1, 0),
        "accept_redirects": (1, 1),
        "secure_redirects": (0, 0),
        "route_localnet": (1, 0),
        "bc_forwarding": (1, 0),
    },
    "ipv6": {
        "seg6_enabled": (1, 0),
        "rpl_seg_enabled": (1, 0),
        "accept_source_route": (1, 0),
        "accept_redirects": (1, 1),
    },
}


def sysctl(key: str, value: int) -> None:
    with open(f"/proc/sys/{key}", "w", encoding="ascii") as file:
        file.write(str(value))


def conntrack_sysctls() -> None:
    """Those that exist once a rule has asked for connection tracking.

    Without checksums, since the kernel checks UDP-Lite as if it were UDP, and takes right ones for
    wrong, and since a stamp makes SCTP's wrong.
    """
    if os.path.exists("/proc/sys/net/netfilter/nf_conntrack_frag6_timeout"):
        sysctl("net/netfilter/nf_conntrack_frag6_timeout", 1)
        sysctl("net/netfilter/nf_conntrack_checksum", 0)


def lenience(permissive: bool) -> None:
    """Set LENIENCE one way or the other, if it is not so already."""
    if lenience.now == permissive:
        return
    lenience.now = permissive
    for family, keys in LENIENCE.items():
        for key, values in keys.items():
            for interface in INTERFACES:
                path = f"net/{family}/conf/{interface}/{key}"
                if os.path.exists(f"/proc/sys/{path}"):  # a kernel without it is not lenient
                    sysctl(path, values[0 if permissive else 1])


lenience.now = None


def reverse_path_filter(on: bool) -> None:
    """Whether the kernel drops IPv4 from a tunnel whose source it would not answer by that tunnel."""
    for interface in INTERFACES:
        if os.path.exists(f"/proc/sys/net/ipv4/conf/{interface}"):
            sysctl(f"net/ipv4/conf/{interface}/rp_filter", int(on and interface in CLIENTS))


def unshare_network() -> None:
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare network namespace")
    subprocess.run([os.environ["OGW_FRESH_NETWORK"]], check=True)


class Server:
    def __init__(self) -> None:
        unshare_network()
        self.lan = self.start_lan()
        unshare_network()
        for key, value in SYSCTLS.items():
            sysctl(key, value)
        self.tunnels = {name: self.make_tunnel(name) for name in CLIENTS}
        self.devices = {name: name for name in CLIENTS}  # what they are called now
        self.others: dict[str, int] = {}  # interfaces beside: descriptor of a tun device, or -1
        ip_batch("link set lo up")
        for name in UPLINKS:
            self.make_uplink(name)
        self.indexes = {name: socket.if_nametoindex(name) for name in (*CLIENTS, *UPLINKS, "lo")}
        self.listeners = [self.listen(address) for address in ("0.0.0.0", "::")]
        self.rebuild()
        self.main_routes()
        # The kernel flushes no table that it has never seen.
        for table in TABLES:
            for route in ("blackhole 203.0.113.0/24", "blackhole 2001:db8:113::/64"):
                ip_batch(f"route add {route} table {table}\nroute delete {route} table {table}")

    def start_lan(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.lan_pid = os.fork()
        if self.lan_pid == 0:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            ours.close()
            try:
                lan.Lan(theirs).serve()
            finally:
                os._exit(0)
        theirs.close()
        ours.settimeout(20)
        return ours

    def tell_lan(self, do: str, **what) -> None:
        self.lan.send(json.dumps({"do": do, **what}).encode())
        self.lan.recv(64)

    def make_tunnel(self, name: str) -> int:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(
            descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI)
        )
        return descriptor

    def name_tunnels(self, prefix: str) -> None:
        """Call the clients' tunnels PREFIX0 and PREFIX1; their routes and addresses go."""
        for number, name in enumerate(CLIENTS):
            old, new = self.devices[name], f"{prefix}{number}"
            if old != new:
                ip_batch(f"link set {old} down\nlink set {old} name {new}")
                self.devices[name] = new

    def add_other(self, name: str, kind: str, *addresses: str) -> None:
        """An interface beside those of clients and uplinks: "tun", or what `ip link add` takes."""
        self.others[name] = self.make_tunnel(name) if kind == "tun" else -1
        lines = [] if kind == "tun" else [f"link add name {name} {kind}"]
        lines.append(f"link set {name} up")
        lines += [
            f"address add {address} dev {name}" + " nodad" * (":" in address)
            for address in addresses
        ]
        ip_batch("\n".join(lines))

    def remove_others(self) -> None:
        for name, descriptor in self.others.items():
            if descriptor >= 0:
                os.close(descriptor)  # takes the device with it
            else:
                ip_batch(f"link delete {name}")
        self.others = {}

    def make_uplink(self, name: str) -> None:
        other, mac, *_ = UPLINKS[name]
        ip_batch(
            f"link add name {name} address {mac} type veth peer name {other} netns {self.lan_pid}"
        )
        for family in ("ipv4", "ipv6"):
            for key, value in NEIGHBOUR_SYSCTLS.items():
                sysctl(f"net/{family}/neigh/{name}/{key}", value)
        self.tell_lan("attach", name=other)

    def listen(self, address: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, 443))
        listener.listen(1024)
        return listener

    def rebuild(self) -> None:
        """Links and addresses as they were at first."""
        lines = [f"address flush dev eth0 to {OTHER_ADDRESS}"]
        lines += [f"address flush dev eth1 to {address}" for address in ROGUE_ADDRESSES]
        for client, (four, six) in CLIENTS.items():
            name = self.devices[client]
            lines += [
                f"link set {name} up mtu {lan.TUNNEL_MTU}",
                f"address replace 10.20.0.1 peer {four}/32 dev {name}",
                f"address replace fd20::1/128 dev {name} nodad",
            ]
        for name, (_, mac, four, six, link_local) in UPLINKS.items():
            lines += [
                f"link set {name} up address {mac}",
                f"address replace {four} brd + dev {name}",
                f"address replace {six} dev {name} nodad",
                f"address replace {link_local} dev {name} nodad",
            ]
        ip_batch("\n".join(lines))

    def main_routes(self) -> None:
        """What else is in table main: host routes to clients, and the default."""
        clients = [
            f"route replace {six}/128 dev {self.devices[name]}" for name, (_, six) in CLIENTS.items()
        ]
        defaults = [
            f"route replace default via {router} dev eth0" for router in ("172.28.0.1", "fd28::1")
        ]
        ip_batch("\n".join(clients + defaults))

    def restore_links(self) -> None:
        """Uplinks that were renamed, or came or went, are themselves again."""
        for name in UPLINKS:
            if not os.path.exists(f"/proc/sys/net/ipv4/conf/{name}"):
                self.restore_link(name)

    def restore_link(self, name: str) -> None:
        for index, other in socket.if_nameindex():
            if index == self.indexes[name]:
                ip_batch(f"link set {other} down\nlink set {other} name {name}")
                return
        self.make_uplink(name)
        self.indexes[name] = socket.if_nametoindex(name)

    def remove_uplink(self, name: str) -> None:
        self.tell_lan("detach", name=UPLINKS[name][0])
        ip_batch(f"link delete {name}")

    def restore_lan(self, answering: bool) -> None:
        self.tell_lan("hosts", hosts=lan.HOSTS)
        self.tell_lan("answering", yes=answering)
        self.tell_lan("malformed", yes=False)
        ip_batch("neigh flush all nud permanent\nneigh flush all")

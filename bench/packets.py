"""What a packet costs: to the gateway, back, and all others of a host, by each way to steer clients."""

import dataclasses
import functools
import random
import socket
import statistics
import subprocess

import flood
import hooks
import many
from flood import FLOWS, Listener, Stream, Wire
from hooks import PROGRAM, SHELL_HOOK, Hook
from hosts import ADDRESS, CLIENT_MAC, CLIENTS, GATEWAY, GATEWAY_MAC, HOST_MAC, TUNNEL_MAC, Host, client, run

LAN_MAC, NEIGHBOUR, STRANGER = "02:00:00:00:00:05", "192.0.2.1", "198.51.100.2"
# Others than clients are here: a network whose traffic the host forwards, too.
LAN = f"""
link add lan0 address {LAN_MAC} type veth peer name lan0 netns client-NAME
link set lan0 up
addr add 192.0.2.254/24 dev lan0
neigh add {NEIGHBOUR} lladdr {CLIENT_MAC} dev lan0 nud permanent
"""
CLIENT_DROPS = """
table netdev sink {
	chain ingress { type filter hook ingress devices = { vpns0, lan0 } priority 0; policy drop; }
}
"""
ROUTE = f"ip route add default via {GATEWAY} table 100"
RULE = f"ip rule add from {CLIENTS} lookup 100 priority 1000"
MASQUERADE = f"""nft -f - <<'END'
table ip nat {{
	chain postrouting {{ type nat hook postrouting priority srcnat; ip saddr {CLIENTS} oifname "eth0" masquerade; }}
}}
END"""
BY_HAND = {
    "plain": "",
    "deleted": f"{RULE}; {RULE.replace('add', 'del')}",
    "rule": f"{ROUTE}; {RULE}",
    "nat": MASQUERADE,
    "masquerade": f"{ROUTE}; {RULE}\n{MASQUERADE}",
}
# Loaded before they are needed, where the kernel has modules: that takes seconds in QEMU, and a hook has five.
MODULES = ("veth nf_tables nft_ct nft_fib_inet nft_reject_inet nft_connlimit nft_chain_nat nft_masq nft_socket nft_limit "
           "nf_flow_table_inet nft_flow_offload nf_conntrack_netlink")
SEVERAL = 2                             # gateways, of a configuration that maps users to them
SHOWN = ("plain", "rule", "masquerade", "seed", "ours", "several", "fast")
BASES = ("deleted", "nat")              # measured where a sentence of the report needs them
SHORT = ("plain", "nat", "masquerade", "ours", "fast")


@dataclasses.dataclass(frozen=True)
class Row:
    """What packets are sent; FLOWS flows of them each time."""
    name: str
    begin: object                       # makes the Stream of a Site, from its clients' addresses and a first port
    sessions: int = FLOWS
    bytes: int = flood.SMALL - 14       # of the IP packet
    bases: tuple = ()


class Site:
    """A host that is compared: its wires, and what comes to it."""

    def __init__(self, host):
        self.host = host
        host.ip(LAN.replace("NAME", host.name))
        host.ip("link set lan0 up", "client")
        run(host.within(["nft", "-f", "-"], "client"), CLIENT_DROPS)
        self.gateway = Wire(host, "gateway", "eth0")
        self.tunnel, self.lan = Wire(host, "client", "vpns0"), Wire(host, "client", "lan0")
        self.listener = Listener(host, ADDRESS)
        self.there = 0

    def grow(self, sessions):
        self.host.add_clients(range(self.there, sessions))
        if isinstance(self.host, many.ManyHost):
            self.host.grow(sessions)
        self.there = sessions


def to_gateway(begin, site, clients, port):
    """What clients send in flows that begin() has begun: talk() or connect() of flood."""
    out, _ = begin(site.tunnel, TUNNEL_MAC, clients, port, site.gateway)
    return Stream(site.tunnel.socket, out, site.gateway)


def unanswered(site, clients, port):
    return Stream(site.tunnel.socket, flood.to_far(flood.FAR, clients, port), site.gateway)


def back(begin, site, clients, port):
    _, answers = begin(site.tunnel, TUNNEL_MAC, clients, port, site.gateway)
    return Stream(site.gateway.socket, answers, site.tunnel)


def others_out(site, _, port):
    out, _ = flood.talk(site.lan, LAN_MAC, [socket.inet_aton(NEIGHBOUR)], port, site.gateway)
    return Stream(site.lan.socket, out, site.gateway)


def others_in(site, _, port):
    _, answers = flood.talk(site.lan, LAN_MAC, [socket.inet_aton(NEIGHBOUR)], port, site.gateway)
    return Stream(site.gateway.socket, answers, site.lan)


def own_frames(port):
    """What the host sends from its socket: to FLOWS ports beyond its router."""
    addresses = [socket.inet_aton(address) for address in (ADDRESS, flood.FAR)]
    return [flood.udp((HOST_MAC, GATEWAY_MAC), addresses, (Listener.PORT, port + number)) for number in range(FLOWS)]


def sent(site, _, port):
    return Stream(site.listener.socket, own_frames(port), site.gateway)


def received(site, _, port):
    """Answers to what it sent."""
    def send(number):
        site.listener.socket.sendto(bytes(18), (flood.FAR, port + number))
    answers = list(flood.answers(site.gateway.heard(send, range(FLOWS))))
    return Stream(site.gateway.socket, answers, site.listener)


def received_new(site, _, port):
    """As a server gets it: the host has not answered."""
    addresses = [socket.inet_aton(address) for address in (STRANGER, ADDRESS)]
    return Stream(site.gateway.socket, [flood.udp((GATEWAY_MAC, HOST_MAC), addresses, (port + number, Listener.PORT))
                                        for number in range(FLOWS)], site.listener)


MANY = 100_000
OUT, BACK = functools.partial(to_gateway, flood.talk), functools.partial(back, flood.talk)
ROWS = (
    Row("to the gateway", OUT, 1),
    Row("back", BACK, 1),
    Row("to the gateway", OUT, bases=BASES),
    Row("back", BACK, bases=BASES),
    Row("to the gateway, not answered yet", unanswered),
    Row("to the gateway, TCP of 1,500 bytes", functools.partial(to_gateway, flood.connect), bytes=1500),
    Row("back, TCP of 1,500 bytes", functools.partial(back, flood.connect), bytes=1500),
    Row("others' traffic, out", others_out, bases=BASES),
    Row("others' traffic, in", others_in, bases=BASES),
    Row("sent by this host", sent),
    Row("received by this host, answers", received),
    Row("received by this host, of new flows", received_new),
    Row("to the gateway", OUT, MANY),
    Row("back", BACK, MANY),
)
SHORT_ROWS = (Row("to the gateway", OUT, bases=("nat",)), Row("back", BACK, bases=("nat",)))


def configured(name, more=""):
    """A host of one gateway, with these further lines on it."""
    host = Host(name)
    hook = Hook(host, PROGRAM)
    hook.environment["OCSERV_GATEWAY_CONFIG"] = hooks.configure(
        name, f"{hooks.CONFIGURATION}{more}[session]\nstate_dir = /run/{name}\n")
    return host if many.attempt(hook.once) is not None else None


def with_fast_path(name):
    """None where the program has no such key, or the kernel no flow tables."""
    host = configured(name, "fast_path = yes\n")
    return host if host and run(host.within(["nft", "list", "flowtables"])).strip() else None


def with_several(sessions):
    many.begin(sessions)
    return many.ManyHost(SEVERAL, sessions)


def by_shell_hook(name):
    host = Host(name)
    Hook(host, SHELL_HOOK).once()
    return host


def by_hand(name, commands):
    host = Host(name)
    host.sh(commands)
    return host


def sites(names, sessions):
    """Of these names, those that can be had on this kernel, with room for so many sessions."""
    makers = {name: functools.partial(by_hand, f"packets-{name}", commands) for name, commands in BY_HAND.items()}
    makers |= {"seed": lambda: by_shell_hook("packets-seed"), "ours": lambda: configured("packets-ours"),
               "several": lambda: with_several(sessions), "fast": lambda: with_fast_path("packets-fast")}
    made = {name: makers[name]() for name in names}
    return {name: Site(host) for name, host in made.items() if host}


def addresses(sessions):
    """Of as many clients as there are flows, at most, all over the sessions."""
    clients = min(sessions, FLOWS)
    return [socket.inet_aton(client(number * (sessions // clients))) for number in range(clients)]


def measure_row(row, crowd, scale, port):
    """All in turn, in another order each time."""
    streams = {name: row.begin(site, addresses(row.sessions), port) for name, site in crowd.items()
               if name not in BASES or name in row.bases}
    found = {name: [] for name in streams}
    for stream in streams.values():
        stream.flood(scale.packet_ms)   # what a first flood makes, such as entries of a flow table, is there afterwards
    for _ in range(scale.packet_rounds):
        for name in random.sample(list(streams), len(streams)):
            found[name].append(streams[name].flood(scale.packet_ms))
    for stream in streams.values():
        stream.close()
    return {name: summary(samples) for name, samples in found.items()}


def summary(samples):
    """Nanoseconds a packet, the lower quartile: what disturbs a flood makes it slower, never faster."""
    return statistics.quantiles([sample.elapsed / sample.arrived for sample in samples], n=4, method="inclusive")[0]


def measure(scale, say):
    subprocess.run(["modprobe", "-qa", *MODULES.split()], stderr=subprocess.DEVNULL)
    rows, names = (SHORT_ROWS, SHORT) if scale.packets_short else (ROWS, (*SHOWN, *BASES))
    crowd, found = sites(names, max(row.sessions for row in rows)), []
    for number, row in enumerate(rows):
        say(f"packets {row.name}, {row.sessions} sessions")
        for site in crowd.values():
            if site.there < row.sessions:
                site.grow(row.sessions)
        cells = measure_row(row, crowd, scale, flood.FIRST_PORT + number * FLOWS)
        found.append({"name": row.name, "sessions": row.sessions, "bytes": row.bytes, "cells": cells})
    return found

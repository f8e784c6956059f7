"""Configurations under which the battery runs, and the controls without us."""

import os
import shutil
import subprocess
from typing import NamedTuple, Protocol

import kernel

LAN_GATEWAY, OTHER_GATEWAY = "02:00:00:28:00:02", "02:00:00:28:00:09"
UPLINK_ROUTER, UPLINK_HOST = "02:00:00:29:00:01", "02:00:00:29:00:07"


Ways = set[tuple[str, str]]  # (interface, MAC)


class Session(NamedTuple):
    """Of several gateways: who has which tunnel, and by which ways its packets may leave (None: by any)."""

    user: str
    device: str
    four: str
    six: str
    ways: dict[int, Ways | None]  # of each family


class Variant(NamedTuple):
    name: str
    settings: dict[str, str]  # "section key": value
    ways: Ways  # by which client packets may leave
    families: tuple[int, ...] = (4,)  # families that have a gateway
    watched: tuple[int, ...] = (4, 6)  # families that are not left alone
    reverse_path_filter: bool = False  # on tunnels
    proxies: dict[str, str] | None = None  # who answers ARP and ND for everybody, at the other end of an uplink
    sessions: tuple[Session, ...] = ()  # of several gateways; the first has vpns0

    def leads(self, family: int) -> bool:
        """Whether the first client has a gateway."""
        return self.sessions[0].ways[family] != set() if self.sessions else family in self.families


SEED = {
    "clients subnet4": "10.20.0.0/24",
    "clients subnet6": "fd20::/64",
    "gateway address4": "172.28.0.2",
}
LAN_WAY = {("eth0", LAN_GATEWAY)}

# With every trouble and every pair of troubles:
MAIN_VARIANTS = [
    Variant("IPv4 gateway, IPv6 blocked", SEED, LAN_WAY),
    Variant("dual stack", SEED | {"gateway address6": "fd28::2", "gateway fast_path": "auto"}, LAN_WAY, (4, 6)),
]
# With every single trouble:
SIDE_VARIANTS = [
    Variant("no subnet6", {key: SEED[key] for key in SEED if key != "clients subnet6"}, LAN_WAY),
    Variant(
        "gateway on the second uplink",
        SEED | {"gateway address4": "192.0.2.1", "gateway address6": "fd29::1"},
        {("eth1", UPLINK_ROUTER)},
        (4, 6),
    ),
]
# Undisturbed and with one layer gone:
OPTION_VARIANTS = [
    Variant("blocked = drop", SEED | {"killswitch blocked": "drop"}, LAN_WAY),
    Variant("client_to_client = no", SEED | {"killswitch client_to_client": "no"}, LAN_WAY),
    Variant("inbound = any", SEED | {"killswitch inbound": "any"}, LAN_WAY),
    Variant(
        "masquerade = no",
        SEED | {"gateway masquerade": "no", "gateway address6": "fd28::2"},
        LAN_WAY,
        (4, 6),
    ),
    Variant(
        "IPv4 blocked",
        SEED | {"gateway address4": "block", "gateway address6": "fd28::2"},
        LAN_WAY,
        (6,),
    ),
    Variant(
        "rp_filter = 1 on tunnels",
        SEED | {"gateway address6": "fd28::2"},
        LAN_WAY,
        (4, 6),
        reverse_path_filter=True,
    ),
    Variant(
        "by the second uplink itself",
        SEED | {"gateway address4": "link", "gateway address6": "link", "gateway interface": "eth1"},
        {("eth1", each) for each in (UPLINK_ROUTER, UPLINK_HOST, "ff:ff:ff:ff:ff:ff")},
        (4, 6),
        proxies={"lan1": UPLINK_ROUTER},
    ),
    Variant("IPv6 direct", SEED | {"gateway address6": "direct"}, LAN_WAY, (4,), (4,)),
    Variant(
        "two subnets",
        SEED
        | {
            "clients subnet4": "10.20.0.0/25, 10.20.0.128/25",
            "clients subnet6": "fd20::/65, fd20:0:0:0:8000::/65",
        },
        LAN_WAY,
    ),
]
# With one layer gone and the network troubled:
NO_OTHERS = SEED | {"gateway address6": "fd28::2", "killswitch forward_others": "no"}
LONE_VARIANTS = [
    Variant("forward_others = no", NO_OTHERS, LAN_WAY, (4, 6)),
    Variant(
        "forward_others = no, rp_filter = 1 on tunnels",
        NO_OTHERS,
        LAN_WAY,
        (4, 6),
        reverse_path_filter=True,
    ),
    Variant(
        "forward_others = no, no subnet6",
        {key: SEED[key] for key in SEED if key != "clients subnet6"}
        | {"killswitch forward_others": "no"},
        LAN_WAY,
    ),
]


class Rules(Protocol):
    def install(self, variant: Variant) -> None:
        ...


class Program:
    """ocserv-gateway itself, with a configuration file of its own."""

    def __init__(self, path: str, directory: str):
        self.path = path
        self.config = os.path.join(directory, "gateway.ini")
        self.state = os.path.join(directory, "state")
        self.workers: dict[str, subprocess.Popen] = {}  # of sessions, by their names

    def configure(self, settings: dict[str, str]) -> None:
        sections: dict[str, list[str]] = {"session": [f"state_dir = {self.state}"]}
        for name, value in settings.items():
            section, key = name.rsplit(maxsplit=1)
            sections.setdefault(section, []).append(f"{key} = {value}")
        with open(self.config, "w", encoding="ascii") as file:
            for section, lines in sections.items():
                print(f"[{section}]", *lines, sep="\n", file=file)

    def command(self, verb: str) -> list[str]:
        return [self.path, "-c", self.config, verb]

    def connect(self, device: str, four: str, six: str) -> list[str]:
        """As ocserv runs it for a session, whose worker is this process."""
        session = {"REASON": "connect", "ID": str(os.getpid()), "USERNAME": "alice"}
        session |= {"DEVICE": device, "IP_REMOTE": four, "IPV6_REMOTE": six, "IPV6_PREFIX": "128"}
        variables = [f"{name}={value}" for name, value in session.items()]
        return ["env", "-i", *variables, self.path, "-c", self.config]

    def hook(self, reason: str, session: Session, name: str = "") -> list[str]:
        """As ocserv runs it for a session of that name, the tunnel's where it has none."""
        name = name or session.device
        if name not in self.workers:
            self.workers[name] = subprocess.Popen(["sleep", "infinity"])
        variables = [f"ID={self.workers[name].pid}", f"USERNAME={session.user}", f"DEVICE={session.device}"]
        variables += [f"IP_REMOTE={session.four}", f"IPV6_REMOTE={session.six}", "IPV6_PREFIX=128"]
        return ["env", "-i", f"REASON={reason}", *variables, self.path, "-c", self.config]

    def begin_sessions(self, variant: Variant) -> None:
        """Those of the variant are live, and no other."""
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        self.workers = {}
        for session in variant.sessions:
            kernel.run(self.hook("connect", session))

    def install(self, variant: Variant) -> None:
        shutil.rmtree(self.state, ignore_errors=True)
        self.configure(variant.settings)
        kernel.run(self.command("up"))
        self.begin_sessions(variant)


MASQUERADE = """
table inet nat {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.20.0.0/24 oifname "eth0" masquerade
    ip6 saddr fd20::/64 oifname "eth0" masquerade
  }
}
"""

NEXT_HOP_GUARD = """
table inet ocserv_gw {
  chain forward {
    type filter hook forward priority -10; policy accept;
    ip saddr 10.20.0.0/24 oifname "eth0" rt ip nexthop != 172.28.0.2 drop
    meta nfproto ipv6 iifname "vpns*" drop
  }
}
"""


class NextHopGuard:
    """The rules that are commonly written by hand: one route, one next-hop guard."""

    def install(self, variant: Variant) -> None:
        del variant  # always the same: IPv4 has a gateway, IPv6 is dropped
        kernel.nft(NEXT_HOP_GUARD + MASQUERADE)
        kernel.ip_batch(
            "rule add from 10.20.0.0/24 lookup 100 priority 1000\n"
            "route replace default via 172.28.0.2 table 100\n"
        )


class Nothing:
    """A plain server, its clients masqueraded."""

    def install(self, _: Variant) -> None:
        kernel.nft(MASQUERADE)

"""Asking the kernel: `ip`, `nft` and a little nfnetlink."""

import socket
import struct
import subprocess

TABLE = "100"
TABLES = (TABLE, "101", "102")  # of several gateways
NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK = 1, 4
CTNETLINK_DELETE, NFT_GETTABLE = 0x0102, 0x0A01
NFPROTO_INET = 1


def run(command: list[str], stdin: str = "", check: bool = True) -> str:
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=30
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}\n{stdin}")
    return done.stdout


def ip_batch(lines: str) -> None:
    """Run lines for `ip`; those with an IPv6 address in them need no -6."""
    if lines.strip():
        run(["ip", "-batch", "-"], lines.strip() + "\n")


def ip_family_batch(family: int, lines: str) -> None:
    """Lines for `ip -4` or `ip -6`; one that fails does not stop the others."""
    run(["ip", f"-{family}", "-force", "-batch", "-"], lines.strip() + "\n", check=False)


def nft(text: str, check: bool = True) -> None:
    run(["nft", "-f", "-"], text, check)


def netfilter(kind: int, flags: int, family: int, attributes: bytes = b"") -> int:
    """One nfnetlink request; the type of its reply."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER) as link:
        link.settimeout(2)
        length = 20 + len(attributes)
        link.send(struct.pack("=IHHIIBBH", length, kind, flags, 1, 0, family, 0, 0) + attributes)
        return struct.unpack_from("=H", link.recv(4096), 4)[0]


def conntrack_flush() -> None:
    netfilter(CTNETLINK_DELETE, NLM_F_REQUEST | NLM_F_ACK, 0)


def table_exists() -> bool:
    name = b"ocserv_gw\0"
    attribute = struct.pack("=HH", 4 + len(name), 1) + name + b"\0" * (-len(name) % 4)
    return netfilter(NFT_GETTABLE, NLM_F_REQUEST, NFPROTO_INET, attribute) == NFT_GETTABLE & 0xFF00


def rule_lines(family: int) -> str:
    """`ip rule` as commands that make the same rules."""
    lines = []
    for line in run(["ip", f"-{family}", "rule"]).splitlines():
        priority, rest = line.split(":", 1)
        if priority != "0":
            lines.append(f"rule add priority {priority} {rest.strip()}")
    return "\n".join(lines)


def route_lines(family: int, table: str) -> str:
    """A table's routes as commands, those that need others after them."""
    listed = run(["ip", f"-{family}", "route", "show", "table", table], check=False)
    lines = sorted(listed.splitlines(), key=lambda line: " via " in line)
    return "\n".join(
        f"route append {line.strip().replace(' pref medium', '')} table {table}" for line in lines
    )


def routing() -> dict[int, str]:
    """Commands that make the rules and routes of both families as they are now."""
    return {
        family: "\n".join(
            (
                rule_lines(family),
                route_lines(family, "main"),
                *(route_lines(family, table) for table in TABLES),
            )
        )
        for family in (4, 6)
    }


def permanent_neighbours() -> str:
    """Those that somebody has set, as commands that set them again."""
    lines = sorted(run(["ip", "neigh", "show", "nud", "permanent"]).lower().splitlines())
    return "\n".join(f"neigh replace {line.replace('permanent', 'nud permanent')}" for line in lines)


def addresses() -> list[list[str]]:
    """Interfaces and their addresses, in words."""
    lines = sorted(run(["ip", "-br", "address"]).splitlines())
    return [[line.split()[0].split("@")[0], *line.split()[1:]] for line in lines]

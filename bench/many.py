"""Several gateways: hooks and packets over the number of sessions and of gateways."""

import ipaddress
import pathlib
import sys

import hooks
import hosts
from hooks import PROGRAM, WORK, Case, Hook
from hosts import GATEWAY_MAC, Host, client

NETWORK = "172.29.0.0/16"               # of the gateways that have a name
WORKERS = pathlib.Path(WORK, "proc")    # entries of /proc of workers that nobody runs
GATEWAYS = (1, 20, 250)
FIRST_ID = 5_000_000                    # beyond the largest pid
# The tunnel of all but the session that is measured; no record says whose it is, so that all have it.
TUNNEL = "vpns0"
OWN = {**hooks.SESSION, "ID": str(FIRST_ID), "USERNAME": "u0", "DEVICE": "vpns9"}
CONNECT = Case("connect", before=((OWN, "connect"), (OWN, "disconnect")))
DISCONNECT = Case("disconnect", "disconnect", before=((OWN, "connect"),))
RESTORE = Case("connect, after a flush", before=((OWN, "connect"),), damage="nft flush ruleset")
UP_RESTORES = Case("up, after a flush", "", ("up",), before=((OWN, "connect"),), damage="nft flush ruleset")
STAT = "{id} (ocserv-worker) S 1 1 1 0 -1 4194560 1035 0 0 0 1 2 0 0 20 0 1 0 77 13377536 2203" + " 0" * 27 + "\n"
TRIES = 3                               # where the machine is so busy that the deadline of a run passes


def number_of(gateway):
    return str(ipaddress.ip_network(NETWORK)[256 + gateway])


def name_of(session, gateways):
    return f"g{session % (gateways - 1) + 1}" if gateways > 1 else "default"


def configuration(gateways, state):
    named = "".join(f"[gateway g{each}]\naddress4 = {number_of(each)}\n" for each in range(1, gateways))
    return f"{hooks.CONFIGURATION}{named}[maps]\nusers = {WORK}/users-{gateways}\n[session]\nstate_dir = {state}\n"


class ManyHost(Host):
    """A host with so many gateways, each behind its eth0. What runs on it sees workers that are not there."""

    def __init__(self, gateways, sessions):
        super().__init__(f"many-{gateways}")
        self.gateways, self.state, self.there = gateways, pathlib.Path(f"/run/many-{gateways}"), 0
        self.ip("".join(["addr add 172.29.0.3/16 dev eth0\n",
                         *(f"neigh add {number_of(each)} lladdr {GATEWAY_MAC} dev eth0 nud permanent\n"
                           for each in range(1, gateways))]))
        (WORK / f"users-{gateways}").write_text("".join(
            f"u{each} {name_of(each, gateways)}\n" for each in range(sessions)))
        (WORK / f"users-{gateways}").chmod(0o600)
        self.config = hooks.configure(f"many-{gateways}", configuration(gateways, self.state))

    def within(self, command, end=None):
        if end:
            return super().within(command, end)
        return super().within(["unshare", "-m", "sh", "-ec", f'mount --rbind {WORKERS} /proc; exec "$@"', "sh", *command])

    def hook(self, case):
        hook = ManyHook(self, PROGRAM, case, OWN)
        hook.environment["OCSERV_GATEWAY_CONFIG"] = self.config
        return hook

    def grow(self, sessions):
        """Up to so many sessions, besides the measured one."""
        self.hook(Case("connect")).once()
        record = (self.state / "sessions" / OWN["ID"]).read_text().strip()
        words = dict(word.split("=", 1) for word in record.split(" "))
        for number in range(self.there, sessions):
            words.update(id=str(FIRST_ID + 1 + number), user=f"u{number}", device=TUNNEL, ip4=client(number),
                         ip6=f"fd20::1:{number >> 12:x}:{number & 4095:x}", gateway=name_of(number, self.gateways))
            line = " ".join(f"{key}={value}" for key, value in words.items())
            (self.state / "sessions" / words["id"]).write_text(line + "\n")
        self.there = sessions
        attempt(self.hook(Case("up", "", ("up",))).once)


class ManyHook(Hook):
    """As any, but what comes before it has the same configuration."""

    def prepare(self):
        for _, reason in self.case.before:
            self.host.hook(Case(reason, reason)).once()
        if self.case.damage:
            self.host.sh(self.case.damage)


def attempt(act):
    """None where the machine is too busy for it."""
    for _ in range(TRIES):
        try:
            return act()
        except SystemExit as failed:
            said = failed
    print(said, file=sys.stderr, flush=True)
    return None


def begin(sessions):
    """What /proc says of workers; the rest of it is the machine's."""
    if not WORKERS.exists():
        (WORKERS / "sys").mkdir(parents=True)
        hosts.run(["mount", "--bind", "/proc/sys", str(WORKERS / "sys")])
    for id in range(FIRST_ID, FIRST_ID + sessions + 1):
        worker = WORKERS / str(id)
        if not worker.exists():
            worker.mkdir()
            (worker / "stat").write_text(STAT.format(id=id))


def least(runs):
    """Of some: milliseconds, and those of the processor; None where none ended in time."""
    ended = [run for run in runs if run]
    return ended and {"ms": min(run.elapsed for run in ended) / 1e6, "cpu_ms": min(run.cpu for run in ended) / 1e6,
                      "memory_kib": max(run.memory for run in ended)} or None


def hooks_of(host, scale):
    """The least of some runs of each, since a machine has other things to do, too."""
    rounds = ((CONNECT, scale.many_rounds), (DISCONNECT, scale.many_rounds), (RESTORE, scale.restores),
              (UP_RESTORES, scale.restores))
    return {case.name: least([attempt(host.hook(case).measure) for _ in range(count)]) for case, count in rounds}

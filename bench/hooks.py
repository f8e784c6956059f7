"""The hooks that are compared, and the cases in which they run."""

import collections
import dataclasses
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from hosts import CLIENTS, GATEWAY, fail

BENCH = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("OGW_BUILD", BENCH.parent / "_build")).resolve()
WORK = pathlib.Path(os.environ.get("OGW_WORK", "/nonexistent"))
PROGRAM = os.environ.get("OGW_PROGRAM", str(BUILD / "src/ocserv-gateway"))
EMPTY, SPAWN, FLOOD, TRAPS = (str(BUILD / "bench" / name) for name in ("empty", "spawn", "flood", "traps"))
SHELL_HOOK, SESSION_HOOK = str(BENCH / "shell-hook"), str(BENCH / "session-hook")
STATE = {PROGRAM: "/run/ocserv-gateway", SHELL_HOOK: "/run/shell-hook"}

CONFIGURATION = f"""
[clients]
subnet4 = {CLIENTS}
subnet6 = fd20::/64

[gateway]
address4 = {GATEWAY}
"""

# As ocserv 1.1 hands it to a hook. ID is the worker's pid: it must be alive, as this process is.
SESSION = {
    "ID": str(os.getpid()), "USERNAME": "alice", "GROUPNAME": "staff", "VHOST": "default", "DEVICE": "vpns0",
    "IP_REAL": "198.51.100.11", "IP_REAL_LOCAL": "172.28.0.3", "IP_LOCAL": "10.16.0.1",
    "IP_REMOTE": "10.16.0.50", "IPV6_LOCAL": "fd20::1", "IPV6_REMOTE": "fd20::50", "IPV6_PREFIX": "128",
    "HOSTNAME": "phone", "REMOTE_HOSTNAME": "phone", "USER_AGENT": "AnyConnect compatible",
    "OCSERV_DNS": "1.1.1.1 ", "OCSERV_DNS4": "1.1.1.1 ",
}
# Another client. Its worker is the process that reads the log: see begin().
OTHER = {**SESSION, "USERNAME": "bob", "IP_REAL": "198.51.100.12", "IP_REMOTE": "10.16.0.51",
         "IPV6_REMOTE": "fd20::51"}
UMASK = 0o066                   # ocserv's
STATISTICS = {"STATS_BYTES_IN": "123456", "STATS_BYTES_OUT": "654321", "STATS_DURATION": "3600"}

Run = collections.namedtuple("Run", "elapsed cpu memory")        # nanoseconds, nanoseconds, KiB


@dataclasses.dataclass(frozen=True)
class Case:
    """What is asked of a hook, and how the host is before."""
    name: str
    reason: str = "connect"             # "" for a verb
    arguments: tuple = ()
    before: tuple = ()                  # sessions that connect or disconnect before
    damage: str = ""                    # done after that
    remove_after_last: bool = False


CLEAN = f"""
nft flush ruleset
ip rule flush protocol 111 || :
ip rule flush protocol boot || :
ip -6 rule flush protocol 111 || :
ip -6 rule flush protocol boot || :
ip route flush table 100 2>/dev/null || :
rm -rf {' '.join(STATE.values())}
"""
DAMAGE = """
nft flush ruleset
ip route flush table 100
"""

OTHER_ALONE = ((OTHER, "connect"), (SESSION, "disconnect"))
INTACT = Case("connect, all intact", before=OTHER_ALONE)
FIRST = Case("connect, the first: installs all", damage=CLEAN)
REPAIR = Case("connect, repairs: nft flushed, route gone", before=OTHER_ALONE, damage=DAMAGE)
DISCONNECT = Case("disconnect", "disconnect", before=((OTHER, "connect"), (SESSION, "connect")))
LAST = Case("disconnect, the last: removes all", "disconnect", remove_after_last=True,
            before=((SESSION, "connect"), (OTHER, "disconnect")))
UP = Case("`up`, all intact", "", ("up",), before=OTHER_ALONE)
CASES = (INTACT, FIRST, REPAIR, DISCONNECT, LAST, UP)


class Hook:
    """A program on a host in a case."""

    def __init__(self, host, program, case=INTACT, session=SESSION, config=None):
        self.host, self.program, self.case, self.config = host, program, case, config
        self.command = [program, *case.arguments]
        self.seldom = program in (SHELL_HOOK, SESSION_HOOK)
        self.environment = {
            "PATH": os.environ["PATH"], **session, "VPN_GATEWAY": GATEWAY, "VPN_SUBNET": CLIENTS,
            "REMOVE_AFTER_LAST": "yes" if case.remove_after_last else "no",
        }
        if program in (PROGRAM, EMPTY):
            for name in ("VPN_GATEWAY", "VPN_SUBNET", "REMOVE_AFTER_LAST"):
                del self.environment[name]
            name = config or ("last" if case.remove_after_last else "usual")
            self.environment["OCSERV_GATEWAY_CONFIG"] = str(WORK / f"{name}.ini")
        if case.reason:
            self.environment["REASON"] = case.reason
        if case.reason == "disconnect":
            self.environment.update(STATISTICS)

    def prepare(self):
        """Brings the host to what the case begins with."""
        if self.program == EMPTY:
            return
        for session, reason in self.case.before:
            Hook(self.host, self.program, Case(reason, reason), session, self.config).once()
        if self.case.damage:
            self.host.sh(self.case.damage)

    def once(self, tracer=()):
        """Runs it, with nothing measured; what it said on stderr."""
        command = self.host.within([*tracer, *self.command])
        done = subprocess.run(command, env=self.environment, text=True, capture_output=True,
                              umask=UMASK, timeout=120)
        if done.returncode:
            fail(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
        return done.stderr

    def spawn(self, *options):
        """Runs it by bench/spawn: a list of Runs, and the nanoseconds for all of them."""
        errors = WORK / "stderr"
        with open(errors, "w") as stderr:
            done = subprocess.run(self.host.within([SPAWN, *options, *self.command]), env=self.environment,
                                  text=True, stdout=subprocess.PIPE, stderr=stderr, umask=UMASK)
        *lines, total = [line.split() for line in done.stdout.splitlines()] or [[]]
        if done.returncode or any(line[-1] != "0" for line in lines):
            fail(f"{' '.join(self.command)} failed:\n{errors.read_text()[-2000:]}")
        return [Run(*map(int, line[:3])) for line in lines], int(total[1])

    def measure(self):
        """One Run of the case."""
        self.prepare()
        return self.spawn()[0][0]


def configure(name, text):
    """The path of a configuration."""
    path = WORK / f"{name}.ini"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def collect_syslog():
    """A process that reads /dev/log and forgets it, since hooks wait for a log that nobody reads."""
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    reader = os.fork()
    while reader == 0:
        log.recv(65536)
    log.close()
    return reader


def begin(*programs, tools=()):
    """To be called first: what all measuring needs."""
    for tool in ("ip", "nft", "nsenter", *tools):
        if not shutil.which(tool):
            fail(f"needs {tool}")
    for program in programs:
        if not os.access(program, os.X_OK):
            fail(f"{program} is not built: make bench")
    tempfile.tempdir = str(WORK)
    configure("usual", CONFIGURATION)
    configure("last", f"{CONFIGURATION}[session]\nremove_after_last = yes\n")
    configure("any-flows", f"{CONFIGURATION}[clients]\nflows = no\n")
    OTHER["ID"] = str(collect_syslog())



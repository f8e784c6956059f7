"""One server with one variant installed: reset, disturb while sending, count."""

import os
import struct
import subprocess
import time
from typing import Callable, NamedTuple

import capture
import decode
import kernel
import network
import packets
import variants
import wire

CHUNK = 50
PAUSE = 0.0005
RETRIES = 5
LEAD = 400  # packets that are under way before a trouble begins
LONGEST = 20  # seconds that a command may take


POOL_PREFIXES = {4: "10.20.0.", 6: "fd20:"}


def as_bytes(ways: variants.Ways | None) -> capture.Ways | None:
    return None if ways is None else {(name, bytes.fromhex(mac.replace(":", ""))) for name, mac in ways}


class Row(NamedTuple):
    sent: int
    delivered: int
    leaks: int
    first: str  # the first leak in words
    excused: int  # leaks that only the damaged layer could have stopped
    excused_first: str
    honest: bool  # an honest packet to the internet reached the gateway


class Bench:
    def __init__(self, program: variants.Program):
        self.program = program
        self.server = network.Server()
        self.plain_routing = kernel.routing()
        indexes = self.server.indexes
        self.capture = capture.Capture([indexes[name] for name in ("vpns0", "vpns1", "lo")])
        self.catalogue = packets.Catalogue()
        self.client = self.server.tunnels["vpns0"]
        self.sending: list[tuple[int, bytearray]] = []  # into which tunnel what is written
        self.sent = self.position = 0
        self.judged = 0  # leaks that are in a row already
        self.dirty = True
        self.unguarded = False
        self.answering = True
        self.excused_cases: set[int] = set()  # their fragments may expire in later ones
        self.case_names: dict[int, str] = {}
        self.case = wire.NO_CASE
        self.failures: list[str] = []  # commands that failed in this case
        self.problems: list[str] = []  # what this case's attack found amiss
        self.damage = None  # the trouble that it comes with
        # Of several gateways: ways of a tunnel's own packets in a family; None: any.
        self.own_ways: dict[tuple[str, int], capture.Ways | None] = {}
        self.sessions_changed = False

    # what is installed

    def install(self, variant: variants.Variant, rules, prepare: Callable | None = None) -> None:
        """The rules, on a server that has been prepared: other interfaces, tables of others."""
        self.variant, self.dirty, self.first_case = variant, True, self.case + 1
        self.clean()
        self.allow(variant.ways)
        self.expect_sessions()
        self.server.tell_lan("proxies", proxies=variant.proxies or {})
        if prepare:
            prepare(self)
        rules.install(variant)
        network.conntrack_sysctls()
        network.reverse_path_filter(variant.reverse_path_filter)
        self.covered = [
            family for family in variant.watched if f"clients subnet{family}" in variant.settings
        ]
        self.routing = kernel.routing()
        self.ruleset = kernel.run(["nft", "-s", "list", "ruleset"])
        self.addresses = kernel.addresses()
        self.neighbours = kernel.permanent_neighbours()
        self.verify_reset()

    def verify_reset(self) -> None:
        self.dirty = True
        self.reset()
        for was, now in (
            (self.routing, kernel.routing()),
            (self.addresses, kernel.addresses()),
            (self.neighbours, kernel.permanent_neighbours()),
        ):
            if was != now:
                raise RuntimeError(f"reset does not bring back {was}, but {now}")

    def clean(self) -> None:
        kernel.nft("flush ruleset")
        self.server.remove_others()
        self.server.name_tunnels("vpns")
        self.server.restore_lan(self.answering)
        self.restore_routing(self.plain_routing)

    def rename_tunnels(self, prefix: str) -> None:
        self.server.name_tunnels(prefix)
        self.server.rebuild()
        self.server.main_routes()

    def restore_routing(self, lines: dict[int, str]) -> None:
        self.server.rebuild()
        for family in (4, 6):
            flush = "rule flush\n"
            flush += "".join(f"route flush table {table}\n" for table in (*kernel.TABLES, "main"))
            kernel.ip_family_batch(family, flush + lines[family])

    def reset(self) -> None:
        """Everything as it was after install()."""
        self.server.tell_lan("drain")
        ways = self.capture.ways
        if self.dirty:
            self.server.restore_links()
            self.restore_routing(self.routing)
            self.server.restore_lan(self.answering)
            kernel.ip_batch(self.neighbours)
            self.program.configure(self.variant.settings)
            self.allow(self.variant.ways)
            # What has left so far had the ways of the last case.
            self.capture.ways |= ways
            self.capture.read()
            self.allow(self.variant.ways)
        kernel.nft("flush ruleset\n" + self.ruleset)
        if self.sessions_changed:
            self.program.begin_sessions(self.variant)
            kernel.nft("flush ruleset\n" + self.ruleset)
            self.expect_sessions()
        kernel.conntrack_flush()
        self.dirty = False

    def overlook(self) -> None:
        """What has left until now is nobody's leak."""
        self.capture.read()
        self.judged = len(self.capture.leaks)

    def allow(self, ways: set[tuple[str, str]]) -> None:
        self.capture.allow(as_bytes(ways))
        self.server.tell_lan("gateways", macs=sorted({mac for _, mac in ways}))

    # several gateways

    def expect_sessions(self) -> None:
        """The sessions' packets leave by their gateways, and nothing by another's."""
        self.sessions_changed = False
        self.own_ways = {
            (session.device, family): as_bytes(ways)
            for session in self.variant.sessions
            for family, ways in session.ways.items()
        }
        self.capture.ways_of = self.ways_of if self.variant.sessions else None
        masked = "masquerade" not in str(self.variant.settings) and bool(self.variant.sessions)
        numbers = (
            self.catalogue.by_name[name].number
            for tunnel in ("vpns0", "vpns1")
            for family in (4, 6)
            for name in packets.ordinary(family, tunnel)
            if "TCP SYN from" in name
        )
        self.capture.masked = set(numbers) if masked else set()

    def expect(self, device: str, family: int, *ways: variants.Ways | None) -> None:
        """From now on that tunnel's packets may leave by any of these."""
        self.own_ways[device, family] = None if None in ways else as_bytes(set().union(*ways))

    def ways_of(self, number: int) -> capture.Ways | None:
        packet = self.catalogue.by_number.get(number)
        if not packet:
            return self.capture.ways
        return self.own_ways.get((packet.tunnel, packet.family), set()) if packet.own else set()

    # sending

    def start(self, case: int, chosen: list[packets.Packet]) -> None:
        self.capture.case = case
        self.sent = self.position = 0
        self.sending = [(self.server.tunnels[packet.tunnel], packet.data) for packet in chosen]
        tag = struct.pack("!HH", case, case ^ 0xFFFF)
        for packet in chosen:
            if packet.stamp >= 0:
                packet.data[packet.stamp : packet.stamp + 4] = tag

    def send(self, count: int) -> None:
        """The next packets of the list, round and round."""
        sending, size, at = self.sending, len(self.sending), self.position
        for _ in range(count):
            try:
                os.write(*sending[at])
            except OSError:
                pass  # a tunnel that refuses a packet has not let it out
            at = at + 1 if at + 1 < size else 0
        self.position = at
        self.sent += count

    def send_all(self) -> None:
        self.send(len(self.sending))

    def send_while(self, command: list[str], stdin: str = "") -> int:
        """Run a command, packets flowing until it ends; its exit status."""
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            process.stdin.write(stdin)
            process.stdin.close()
            until = time.monotonic() + LONGEST
            while process.poll() is None:
                self.send_watched()
                time.sleep(PAUSE)  # the command needs a processor, too
                if time.monotonic() > until:
                    process.kill()
            if process.returncode:
                self.failures.append(f"{' '.join(command)}: {process.stderr.read().strip()}")
            return process.returncode

    def send_watched(self) -> None:
        """A few packets; while the guard may be away, only judged if it was there throughout."""
        before = not self.unguarded or kernel.table_exists()
        known = len(self.capture.leaks)
        self.send(CHUNK)
        self.capture.read()
        if not before or self.unguarded and not kernel.table_exists():
            del self.capture.leaks[known:]

    def send_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.send(CHUNK)
            self.capture.read()

    # cases

    def measure(
        self,
        name: str,
        choice: str,
        acts: list[Callable],
        excuse: bool = False,
        passes: bool = False,
        linger: float = 0,
    ) -> Row:
        """Packets before, during and after the acts, and what came of them."""
        self.case += 1
        self.case_names[self.case] = name
        self.failures, self.problems = [], []
        network.lenience(not excuse)
        late = self.capture.leaks[self.judged :]
        self.capture.forget()
        self.capture.leaks += late
        self.start(self.case, self.catalogue.choose(choice, self.variant.watched))
        self.send(LEAD)
        for act in acts:
            act(self)
        self.send_all()
        self.settle(linger)
        for _ in range(RETRIES if passes else 0):
            if self.reached():
                break
            self.send_all()  # neighbours were still being asked for
            self.settle(0.05)
        if self.capture.lost():
            raise RuntimeError("the capture lost frames")
        return self.row(excuse)

    def settle(self, seconds: float) -> None:
        """Let answers come in and be judged."""
        self.capture.read()
        time.sleep(seconds)
        self.server.tell_lan("drain")
        self.capture.read()

    def excusable(self, leak: capture.Leak) -> bool:
        """Whether the guard alone could have stopped it: a packet from outside the
        pool, or what the server's own stack answers to somebody outside the pool."""
        if self.variant.settings.get("killswitch forward_others") == "no":
            return self.own_answer(leak)
        sent = self.catalogue.by_number.get(leak.number)
        if self.capture.is_misnamed(leak):
            return True
        held = sent and sent.family == 4 and self.variant.reverse_path_filter
        if sent and not held and not (sent.pooled and sent.family in self.covered):
            return True
        packet = leak.frame.data[14:]
        inward = tuple(POOL_PREFIXES[family] for family in self.covered)
        return capture.is_answer(packet) and not capture.addresses(packet)[1].startswith(inward)

    def own_answer(self, leak: capture.Leak) -> bool:
        """Whether the server's own stack speaks, to somebody outside the pool. Where nothing but
        clients' packets is forwarded, the guard alone could have stopped that and nothing else.

        With the reverse path filter there are no answers to forged IPv4, but to wrong options,
        which are read before; then the rest is about what comes back for a true client, to its
        address, or to the server's while that was masqueraded.
        """
        packet = leak.frame.data[14:]
        source, target = capture.addresses(packet)
        inward = tuple(POOL_PREFIXES[family] for family in self.covered)
        # Of a family without subnets nobody knows the pool, nor that an address of this host is in it.
        own = network.OWN | {network.IN_VPN[family] for family in {4, 6} - set(self.covered)}
        if source not in own or target.startswith(inward) or not capture.is_answer(packet):
            return False
        if packet[0] >> 4 == 6 or not self.variant.reverse_path_filter:
            return True
        sent = self.catalogue.by_number.get(leak.number)
        if sent:
            return sent.pooled or capture.is_option_error(packet)
        return capture.is_reset_of(packet, (packets.OPEN_PORT, packets.CLOSED_PORT))

    def reached(self) -> bool:
        """Ordinary packets of each family that has a gateway came to the gateway."""
        known = self.capture.seen & self.catalogue.by_number.keys()
        seen = {self.catalogue.by_number[number].name for number in known}
        if self.variant.sessions:
            return all(
                seen & packets.ordinary(family, tunnel) or ways == set()
                for (tunnel, family), ways in self.own_ways.items()
                if tunnel in network.CLIENTS
            )
        return all(seen & packets.ordinary(family) for family in self.variant.families)

    def left_over(self, leak: capture.Leak) -> bool:
        """Whether the guard was damaged when its packet came, or when its fragments were given up in
        the case before this one, and it has waited for a neighbour since."""
        late = leak.case < self.case and self.case - 1 in self.excused_cases
        return late or leak.case in self.excused_cases

    def row(self, excuse: bool) -> Row:
        if excuse:
            self.excused_cases.add(self.case)
        leaks, excused = [], []
        for leak in self.capture.leaks:
            if (excuse or self.left_over(leak)) and self.excusable(leak):
                excused.append(leak)
            elif leak.case >= self.first_case:  # no fragment left from another variant
                leaks.append(leak)
        self.judged = len(self.capture.leaks)
        return Row(
            self.sent,
            sum(self.capture.delivered.values()),
            len(leaks),
            self.in_words(leaks[0]) if leaks else "",
            len(excused),
            self.in_words(excused[0]) if excused else "",
            self.reached(),
        )

    def in_words(self, leak: capture.Leak) -> str:
        words = [decode.frame(leak.frame.interface, leak.frame.data)]
        if leak.number in self.catalogue.by_number:
            words.append(f"[sent: {self.catalogue.by_number[leak.number].name}]")
        if leak.case != self.case:
            words.append(f"[in the earlier case: {self.case_names.get(leak.case, 'no case')}]")
        return " ".join(words)

#!/usr/bin/env python3
"""Thousands of sessions that do nothing, by their records: their workers are threads of this process.

    crowd.py STATE-DIRECTORY COUNT GATEWAY [OTHER-GATEWAY]

Of ten of them one leaves via the other gateway, and its user's name ends with 1. Says for each address `vpns100 fd20::1:0 default`:
the tunnel, the address and the gateway; then `ready`. They live as long as it does. IPv4 is theirs within 10.20.0.0/16, which
those of one gateway have not.
"""

import os
import sys
import threading

FIRST_TUNNEL = 100
STACK = 65536  # bytes, of a thread


class Session:
    def __init__(self, number: int, gateways: list[str]) -> None:
        self.user = f"u{number}"
        self.device = f"vpns{FIRST_TUNNEL + number}"
        self.gateway = gateways[-1 if number % 10 == 1 else 0]
        self.four = f"10.20.{number // 250 + 1}.{number % 250 + 1}" if len(gateways) > 1 else ""
        self.six = f"fd20::1:{number:x}"
        self.addresses = [address for address in (self.four, self.six) if address]

    def keep(self, state: str, worker: int) -> None:
        """As its connect hook has left it."""
        with open(f"/proc/{worker}/stat", encoding="utf-8") as stat:
            start = stat.read().rpartition(")")[2].split()[19]
        with open(f"{state}/sessions/{worker}", "w", encoding="utf-8") as record:
            record.write(
                f"id={worker} start={start} since=1 user={self.user} device={self.device} "
                f"ip4={self.four} ip6={self.six} gateway={self.gateway}\n"
            )
        os.symlink(f"{worker} {' '.join(self.addresses)}", f"{state}/devices/{self.device}")
        for address in self.addresses:
            os.symlink(str(worker), f"{state}/addresses/{address}")


def workers(count: int) -> list[int]:
    found: list[int] = []
    all_there, never = threading.Barrier(count + 1), threading.Event()

    def work() -> None:
        found.append(threading.get_native_id())
        all_there.wait()
        never.wait()

    threading.stack_size(STACK)
    for _ in range(count):
        threading.Thread(target=work, daemon=True).start()
    all_there.wait()
    return found


def main(state: str, count: str, *gateways: str) -> None:
    for number, worker in enumerate(workers(int(count))):
        session = Session(number, list(gateways))
        session.keep(state, worker)
        for address in session.addresses:
            print(session.device, address, session.gateway)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])

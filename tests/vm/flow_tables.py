"""Whether a flow of a client's goes on past the kill switch once routing has lost its rules.

flow_tables.py 4|6 COMMAND: in the namespaces of flow-tables.sh. A client sends to a server beyond the gateway, which
answers; then COMMAND is run on the host, the server sends once more, and what the client sends after that is looked for on
the uplink. Prints `kept` where nothing of it left the host, `gateway` where it went to the gateway's hardware address, and
`leaked` where it went to another.
"""

import ctypes
import os
import select
import socket
import subprocess
import sys

VERSION = int(sys.argv[1])
FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}[VERSION]
SERVER = {4: "198.51.100.80", 6: "2001:db8:100::80"}[VERSION]
GATEWAY = bytes.fromhex("020000000101")
CLONE_NEWNET, SECONDS = 0x40000000, 30
libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    with open(path, "rb") as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), path)


def make(namespace, *kind):
    """A socket of another network namespace."""
    enter(f"/run/netns/{namespace}")
    made = socket.socket(*kind)
    enter(f"/proc/{os.getppid()}/ns/net")
    made.settimeout(SECONDS)
    return made


def come(on, *others):
    """The next frame with one of these in it."""
    while True:
        frame = on.recv(65536)
        for other in others:
            if other in frame:
                return frame, other


client = make("client", FAMILY, socket.SOCK_DGRAM)
server = make("outside", FAMILY, socket.SOCK_DGRAM)
uplink = make("outside", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
uplink.bind(("eth0", 0))
server.bind((SERVER, 5000))
client.connect((SERVER, 5000))

# Each way twice: the second packet finds the flow established.
for number in range(3):
    client.send(b"request %d" % number)
    request, source = server.recvfrom(100)
    server.sendto(b"reply", source)
    client.recv(100)
subprocess.run(sys.argv[2], shell=True, check=True, stdout=sys.stderr)
server.sendto(b"pushed", source)
client.recv(100)
client.send(b"LOOK-FOR-ME")
# What is behind it in the same queue, from this host itself, comes after it.
last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
last.sendto(b"THE-LAST-ONE", ("172.28.0.2", 9))
frame, which = come(uplink, b"LOOK-FOR-ME", b"THE-LAST-ONE")
print("kept" if which == b"THE-LAST-ONE" else "gateway" if frame[:6] == GATEWAY else "leaked")

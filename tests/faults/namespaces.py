"""Sockets in namespace `outside`, where the far ends of the host's links are."""

import ctypes
import socket

CLONE_NEWNET = 0x40000000


def socket_outside(tunnel: str) -> socket.socket:
    """A raw socket on the tunnel's far end."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as here, open("/run/netns/outside", "rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((tunnel, 0))
        if libc.setns(here.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    return sender

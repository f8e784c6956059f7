#!/usr/bin/env python3
"""A point-to-point link of two tun interfaces: what one namespace sends into its own comes out of the other's.

    tunnel.py NAMESPACE INTERFACE NAMESPACE INTERFACE

A namespace is a name of ip-netns(8), or . for the present one. Says `ready` when both are there; when it ends, the kernel
takes both away.
"""

import ctypes
import fcntl
import os
import selectors
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


def enter(descriptor):
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    os.close(descriptor)


def tun_of(namespace, interface):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    if namespace != ".":
        enter(os.open(f"/run/netns/{namespace}", os.O_RDONLY))
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", interface.encode(), IFF_TUN | IFF_NO_PI))
    enter(home)
    return tun


def carry(packet, tun):
    try:
        os.write(tun, packet)
    except OSError:
        pass  # down


def main(one, its_interface, other, other_interface):
    ends = tun_of(one, its_interface), tun_of(other, other_interface)
    waiting = selectors.DefaultSelector()
    for end, far in (ends, ends[::-1]):
        waiting.register(end, selectors.EVENT_READ, far)
    print("ready", flush=True)
    while True:
        for key, _ in waiting.select():
            try:
                carry(os.read(key.fd, 65536), key.data)
            except OSError:
                pass  # deleted


main(*sys.argv[1:])

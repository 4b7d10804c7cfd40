"""tap-exec.py NETNS TAP BRIDGE FD COMMAND…: makes a tap on a bridge inside a network namespace, comes back, becomes COMMAND with the tap open as FD.

So a guest's network card stands on its node's bridge, and QEMU itself keeps the loopback on which the lab's Ceph listens.
"""
import ctypes
import fcntl
import os
import struct
import subprocess
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
CLONE_NEWNET = 0x40000000

netns, tap, bridge, wanted = sys.argv[1:5]
libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    namespace = os.open(path, os.O_RDONLY)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter {path}")
    os.close(namespace)


home = os.open("/proc/self/ns/net", os.O_RDONLY)
enter(f"/run/netns/{netns}")
tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
subprocess.run(["ip", "link", "set", tap, "master", bridge, "up"], check=True)
enter(f"/proc/self/fd/{home}")
os.close(home)
os.dup2(tun, int(wanted), inheritable=True)
os.execvp(sys.argv[5], sys.argv[5:])

# SPDX-License-Identifier: ISC
"""Network and mount namespaces with a resolv.conf of their own.

postscreen asks the name servers of resolv.conf and no others, so its DNSBL
scenarios need 127.0.0.1:53. A socket belongs to the namespace in which it was
made: the client enters for just that moment."""

import ctypes
import os
import socket
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

SETUP = """
ip link set lo up || exit 1
mount --bind "$1" /etc/resolv.conf || exit 1
echo ready
exec sleep 86400
"""


def _setns(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(fd)


class Host:
    """The machine's own network: nothing to enter."""

    def command(self, argv):
        return argv

    def make_socket(self, family, kind):
        return socket.socket(family, kind)

    def close(self):
        pass


class Namespace:
    """A network of its own, loopback only, and a resolv.conf."""

    def __init__(self, directory, resolv_conf="nameserver 127.0.0.1\n"):
        path = os.path.join(directory, "resolv.conf")
        with open(path, "w") as f:
            f.write(resolv_conf)
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", SETUP, "sh", path],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        if self._keeper.stdout.readline() != "ready\n":
            self.close()
            raise RuntimeError("no namespaces here")

    def command(self, argv):
        return ["nsenter", "-t", str(self._keeper.pid), "-n", "-m"] + argv

    def make_socket(self, family, kind):
        _setns("/proc/%d/ns/net" % self._keeper.pid)
        try:
            return socket.socket(family, kind)
        finally:
            _setns("/proc/%d/ns/net" % os.getpid())

    def close(self):
        self._keeper.kill()
        self._keeper.wait()
        self._keeper.stdout.close()


def possible():
    """May we make namespaces on this machine?"""
    return (
        subprocess.run(
            ["unshare", "--net", "--mount", "true"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
        == 0
    )

# SPDX-License-Identifier: ISC
"""Free TCP and UDP ports for instances that run side by side.

A port is ours as long as we hold the lock of its file; the kernel is asked as
well, because other programs know nothing of our locks. Ports are taken from
below the ephemeral range, so that no outgoing connection of a test can sit on
one between our asking and the daemon's bind.
"""

import fcntl
import os
import random
import socket
import tempfile

LOWEST, HIGHEST = 18000, 32000
REGISTRY = os.path.join(tempfile.gettempdir(), "doorbell-ports")


class Ports:
    """Hands out ports; release() gives all of them back."""

    def __init__(self):
        os.makedirs(REGISTRY, exist_ok=True)
        self._locks = []

    def take(self):
        """A port that is free on all loopback addresses, TCP and UDP."""
        for port in random.sample(range(LOWEST, HIGHEST), 1000):
            lock = open(os.path.join(REGISTRY, str(port)), "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                continue
            if _kernel_agrees(port):
                self._locks.append(lock)
                return port
            lock.close()
        raise RuntimeError("no free port")

    def release(self):
        for lock in self._locks:
            lock.close()
        self._locks.clear()


def _kernel_agrees(port):
    for family, address in (
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::"),
    ):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(family, kind) as s:
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    s.bind((address, port))
                except OSError:
                    return False
    return True

# SPDX-License-Identifier: ISC
"""Let one call of the C library fail in a running doorbelld
(tests/support/nth_call.c)."""

import mmap
import os
import re
import struct

import processes

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)
CALLS = re.findall(
    r"^CALL\((\w+)\)$",
    open(os.path.join(ROOT, "tests/support/nth_call.def")).read(),
    re.M,
)
MEMORY = ("malloc", "calloc", "realloc", "posix_memalign")

# struct nth_call_orders: is_armed, call, at, lasting, error, calls; live
ORDERS = struct.Struct("=6I")
LIVE = struct.Struct("=q")


class Saboteur:
    """What the library that is loaded into doorbelld is told."""

    def __init__(self, bell, speed):
        path = os.path.join(bell.directory, "orders")
        with open(path, "wb") as f:
            f.write(bytes(mmap.PAGESIZE))
        os.chmod(path, 0o666)
        with open(path, "r+b") as f:
            self._orders = mmap.mmap(f.fileno(), mmap.PAGESIZE)
        bell.environment.update(
            LD_PRELOAD=os.path.join(
                os.path.dirname(bell.postfix.screener.path),
                "tests/support/nth_call.so",
            ),
            NTH_CALL_FILE=path,
            NTH_CALL_SPEED=str(speed),
        )
        self.bell = bell

    def arm(self, call, at, error, lasting=False):
        """From now on calls of this name are counted; number `at` fails."""
        self._orders[: ORDERS.size] = ORDERS.pack(
            0, CALLS.index(call), at, lasting, error, 0
        )
        self._orders[:4] = struct.pack("=I", 1)

    def disarm(self):
        """How many calls there were since it was armed."""
        self._orders[:4] = struct.pack("=I", 0)
        return ORDERS.unpack(self._orders[: ORDERS.size])[5]

    def live(self):
        """Blocks of memory, counted from the start on."""
        return LIVE.unpack_from(self._orders, ORDERS.size)[0]

    def descriptors(self):
        return processes.descriptors(self.bell.pid)

# SPDX-License-Identifier: ISC
"""Waiting for events: short looks, a generous end, never a fixed sleep."""

import os
import time

# What should happen at once may still take this long on a busy machine, under
# valgrind or with sanitizers.
GENEROUS_S = float(os.environ.get("RING_PATIENCE", "60"))
LOOK_S = 0.02


class TooLate(AssertionError):
    """Something that had to happen did not."""


def until(claim, what, timeout=GENEROUS_S):
    """Look until claim() is true, and return what it returned."""
    end = time.monotonic() + timeout
    while True:
        result = claim()
        if result:
            return result
        if time.monotonic() > end:
            raise TooLate(
                "not within %.1f s: %s"
                % (timeout, what() if callable(what) else what)
            )
        time.sleep(LOOK_S)

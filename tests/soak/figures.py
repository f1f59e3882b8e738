# SPDX-License-Identifier: ISC
"""What doorbelld's process looks like from outside and by its own account, and
whether that stays as it is."""

import processes

# Each connection ends in exactly one of these ways (base/counters.def).
WAYS_OUT = ("handed_off", "relayed", "refused", "hung_up", "shed")

# Memory may wander by so much without a leak: the allocator gives pages back
# when it likes to.
WANDER_KB = 384
WANDER_SHARE = 0.03


def total(status, name):
    return status["counters"][name + "_total"]


def imbalance(status):
    """Connections that ended in no way or in two: 0, or there is a bug."""
    return (
        total(status, "connections")
        - sum(total(status, way) for way in WAYS_OUT)
        - status["sessions"]
    )


def private_kb(pid):
    """Memory of its own; the pages of the mapped cache are not."""
    return int(processes.status(pid, "RssAnon")[0])


def slope(points):
    """The least-squares slope of (x, y)."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    below = sum((x - mean_x) ** 2 for x, _ in points)
    if below == 0:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / below


def after_warm_up(values):
    """The first quarter fills caches and pools."""
    return values[len(values) // 4 :]


def growth_kb(samples):
    """How much the memory in (seconds, kB) grew after the warm-up, by the
    slope of all of it, and how much is allowed."""
    points = after_warm_up(samples)
    mean = sum(y for _, y in points) / len(points)
    grown = slope(points) * (points[-1][0] - points[0][0])
    return grown, max(WANDER_KB, mean * WANDER_SHARE)

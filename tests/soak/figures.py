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

# The socket to the name server: after a reload there is none until somebody
# has to be looked up.
WANDER_DESCRIPTORS = 1


def total(status, name):
    return status["counters"][name + "_total"]


def imbalance(status):
    """Connections that ended in no way or in two: 0, or there is a bug."""
    return (
        total(status, "connections")
        - sum(total(status, way) for way in WAYS_OUT)
        - status["sessions"]
    )


def account(before, after, counted):
    """What is wrong with a time of traffic at whose ends nobody was held, by
    doorbelld's own account and by that of the clients, who counted
    themselves."""
    came, *ended = (
        total(after, name) - total(before, name)
        for name in ("connections",) + WAYS_OUT
    )
    complaints = []
    if sum(ended) != came or imbalance(before) or imbalance(after):
        complaints.append("%d came, %d ended" % (came, sum(ended)))
    if came != counted:
        complaints.append(
            "doorbelld counts %d clients, they count %d" % (came, counted)
        )
    return complaints


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


def descriptors_grow(samples):
    """Whether there are more at the end than after the warm-up."""
    after = after_warm_up(samples)
    return after[-1] - after[0] > WANDER_DESCRIPTORS

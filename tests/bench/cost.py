# SPDX-License-Identifier: ISC
"""Scenarios of cost: what a session takes, and whether that grows."""

import time

from clients import KNOWN_BLOCKS, KNOWN_IPV6
from contest import WIDE, Floor, Screen, anonymous_bytes
from rows import HELD

ZONES = ["l%d.bench.test" % i for i in range(5)]
LISTS = {"postscreen_dnsbl_sites": ", ".join(ZONES)}
HELD_S = 60  # the longest greet wait there is


def both(bench, **more):
    return [
        Screen(bench, name, **dict(WIDE, **more)) for name in bench.screens
    ]


def priced(contestant, work):
    """(report, CPU of the screen, CPU of all of it), per session in us."""
    before = contestant.price()
    report = work()
    time.sleep(0.15)  # the last log line, the last goodbye
    after = contestant.price()
    return (report,) + tuple(
        (a - b) * 1e6 / report["n"] for a, b in zip(after, before)
    )


def check(bench, scenario, contestant, report, wanted):
    """Did everybody hear what was due to them?"""
    wrong = report["n"] - report[wanted]
    if wrong:
        text = "%s: %d of %d not %s: %r" % (
            contestant.name,
            wrong,
            report["n"],
            wanted,
            {k: v for k, v in report.items() if v and not k.endswith("_us")},
        )
        if contestant.name == "doorbelld":
            bench.book.mistake(scenario, text)
        else:
            bench.say(scenario + ": " + text)


def fast(bench):
    """Known clients: the way of nearly all mail."""
    put, n = bench.book.put, bench.scaled(6000)
    screens = [s.acquaint(ipv6=True) for s in both(bench)]
    floor = Floor(bench)
    try:
        for _ in range(bench.runs):
            for c in 1, 8:
                for who in screens + [floor]:
                    report, alone, whole = priced(who, lambda: who.known(n, c))
                    check(bench, "fast", who, report, "greeted")
                    # What doorbelld makes others do counts; postscreen is
                    # measured against without it.
                    put(
                        "fast.cpu%d" % c,
                        who.name,
                        whole if who.name == "doorbelld" else alone,
                    )
                    if c == 8:
                        put("fast.sum8", who.name, whole)
                        continue
                    put("fast.p50", who.name, report["p50_us"])
                    put("fast.p99", who.name, report["p99_us"])
            for who in screens:
                report, alone, whole = priced(
                    who,
                    lambda: who.load(
                        "known",
                        KNOWN_IPV6,
                        n,
                        c=8,
                        d="::1",
                        addresses=KNOWN_BLOCKS,
                    ),
                )
                check(bench, "fast", who, report, "greeted")
                put(
                    "fast.cpu6",
                    who.name,
                    whole if who.name == "doorbelld" else alone,
                )
        for who in screens + [floor]:
            count(
                bench,
                "fast.calls",
                who,
                bench.scaled(2000),
                lambda k: who.known(k, 8),
            )
    finally:
        for who in screens + [floor]:
            who.close()


def count(bench, key, who, n, work):
    calls = who.calls(lambda: work(n))
    if calls is None:
        bench.book.could_not("system calls: perf(1) may not count them here")
    else:
        bench.book.put(key, who.name, calls / n)


def new(bench):
    """Strangers, tested by time alone."""
    put, n = bench.book.put, bench.scaled(3000)

    def come(who, k=n):
        return who.load("known", bench.sources, k, c=k, r=1000)

    screens = [s.wake() for s in both(bench)]
    try:
        for _ in range(bench.runs):
            for who in screens:
                report, alone, whole = priced(who, lambda: come(who))
                check(bench, "new", who, report, "greeted")
                put(
                    "new.cpu",
                    who.name,
                    whole if who.name == "doorbelld" else alone,
                )
        for who in screens:
            count(
                bench,
                "new.calls",
                who,
                bench.scaled(1000),
                lambda k: come(who, k),
            )
    finally:
        for who in screens:
            who.close()


def new5(bench):
    """Strangers, and five lists to ask about each."""
    n = bench.scaled(1200)
    bench.zones(*ZONES)
    screens = [s.wake() for s in both(bench, **LISTS)]
    try:
        for _ in range(bench.runs):
            for who in screens:
                report, alone, whole = priced(
                    who,
                    lambda: who.load("known", bench.sources, n, c=n, r=400),
                )
                check(bench, "new5", who, report, "greeted")
                bench.book.put("new5.cpu", who.name, whole)
                bench.book.put("new5.alone", who.name, alone)
    finally:
        for who in screens:
            who.close()


def pregreet(bench):
    """Bots: some talk too early, some hang up."""
    for action in "enforce", "drop":
        screens = [
            s.wake() for s in both(bench, postscreen_greet_action=action)
        ]
        try:
            for _ in range(bench.runs):
                for who in screens:
                    _bots(bench, who, action)
        finally:
            for who in screens:
                who.close()


def _bots(bench, who, action):
    rows = [("pregreet", "pregreet." + action, "refused")]
    if action == "drop":
        rows.append(("hangup", "hangup.cpu", "left"))
    for manners, key, wanted in rows:
        report, alone, whole = priced(
            who,
            lambda: who.load(
                manners, bench.sources, bench.scaled(3000), c=50, w=50
            ),
        )
        check(bench, "pregreet", who, report, wanted)
        bench.book.put(
            key, who.name, whole if who.name == "doorbelld" else alone
        )


def patient(bench, name, **main):
    """A screen that knows the known clients and lets strangers wait long."""
    who = Screen(
        bench,
        name,
        **dict(
            WIDE,
            postscreen_watchdog_timeout="60s",
            postscreen_post_queue_limit="500",
            postscreen_command_time_limit="300s",
            **main
        )
    )
    who.acquaint()
    who.settle_in(postscreen_greet_wait="%ds" % HELD_S)
    return who


def memory(bench):
    """What one more connection that is held costs."""
    n = bench.scaled(6000)
    for name in bench.screens:
        who = patient(bench, name, postscreen_greet_action="enforce")
        zombies = who.zombies()
        try:
            who.known(1000, 8)
            none = anonymous_bytes(who.pid)
            report = zombies.add(n)
            greet = anonymous_bytes(who.pid)
            bench.book.put("memory.greet", name, (greet - none) / n)
            held(bench, "memory", who, report, n)
            report = zombies.say()
            time.sleep(1)
            report = zombies.count()
            held(bench, "memory", who, report, n)
            bench.book.put(
                "memory.dialogue", name, (anonymous_bytes(who.pid) - none) / n
            )
        finally:
            zombies.end()
            who.close()


def held(bench, scenario, who, report, n):
    if report["held"] != n:
        text = "%s holds %d of %d" % (who.name, report["held"], n)
        if who.name == "doorbelld":
            bench.book.mistake(scenario, text)
        else:
            bench.say(scenario + ": " + text)


def held_connections(bench):
    """A botnet holds what it can get: do the others pay for it?"""
    for _ in range(bench.few):
        for name in bench.screens:
            who = patient(bench, name)
            zombies = who.zombies()
            try:
                _climb(bench, who, zombies)
            finally:
                zombies.end()
                who.close()


def _climb(bench, who, zombies):
    n, batch = bench.scaled(1200), 400
    began = time.monotonic()
    who.known(n, 4)
    costs, accepts = [], []
    total = {"held": 0}
    for level in HELD:
        there = max(level, total["held"])
        if there > total["held"]:
            total = zombies.add(there - total["held"])
        report, alone, _ = priced(who, lambda: who.known(n, 4))
        check(bench, "held", who, report, "greeted")
        before = who.price()[0]
        total = zombies.add(batch)
        accept = (who.price()[0] - before) * 1e6 / batch
        if time.monotonic() - began > HELD_S - 2:
            bench.book.could_not(
                "%s at %d held: this machine was too slow" % (who.name, level)
            )
            break
        held(bench, "held", who, total, there + batch)
        costs.append(alone)
        accepts.append(accept)
    for level, cost, accept in zip(HELD, costs, accepts):
        bench.book.put("held.%d" % level, who.name, cost)
        bench.book.put("zombie.%d" % level, who.name, accept)
    if len(costs) == len(HELD):
        bench.book.put("held.growth", who.name, costs[-1] / costs[0])
        bench.book.put("zombie.growth", who.name, accepts[-1] / accepts[0])


SCENARIOS = {
    "fast": fast,
    "new": new,
    "new5": new5,
    "pregreet": pregreet,
    "memory": memory,
    "held": held_connections,
}

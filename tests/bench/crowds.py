# SPDX-License-Identifier: ISC
"""Scenarios of crowds: who is let in when everybody comes at once."""

import os
import threading
import time

from clients import KNOWN, KNOWN_BLOCKS
from contest import WIDE, Floor, Screen, Watch
from cost import LISTS, ZONES


def lost(bench, scenario, who, report, key=None):
    """How many were not greeted; when it is doorbelld's fault, say so."""
    missing = report["n"] - report["greeted"]
    if missing and who.name == "doorbelld":
        bench.book.mistake(
            scenario,
            "%d of %d were not greeted: %r"
            % (
                missing,
                report["n"],
                {
                    k: v
                    for k, v in report.items()
                    if v and not k.endswith("_us")
                },
            ),
        )
    if key is not None:
        bench.book.put(key, who.name, missing)
    return missing


def each(bench, make, act):
    """The same for all screens, one after the other."""
    for name in bench.screens:
        who = make(name)
        try:
            act(who)
        finally:
            who.close()


def datagrams_dropped():
    """In all of our network, because a socket had no room for them."""
    with open("/proc/net/snmp") as f:
        names, values = (l.split() for l in f if l.startswith("Udp: "))
    return int(values[names.index("RcvbufErrors")])


def log_rests(who):
    """Wait until nobody writes to the log any more."""
    size, before = os.path.getsize(who.postfix.log.path), -1
    while size != before:
        time.sleep(0.5)
        size, before = os.path.getsize(who.postfix.log.path), size


def burst(bench):
    """10,000 strangers in the same moment, five lists to ask about each."""
    n = bench.scaled(10000)

    def act(who):
        who.wake()
        dropped = datagrams_dropped()
        with Watch(who) as watch:
            report = who.load("known", bench.sources, n, c=n, t=30000)
        put = bench.book.put
        put("burst.dropped", who.name, datagrams_dropped() - dropped)
        lost(bench, "burst", who, report)
        put("burst.hang", who.name, report["hung"])
        put("burst.away", who.name, report["busy"] + report["refused"])
        # All are on the first list, which is ignored but logged.
        log_rests(who)
        found = who.log_count("DNSBL rank 1 for ")
        skipped = max(0, report["greeted"] - found)
        put("burst.skipped", who.name, skipped)
        if skipped and who.name == "doorbelld":
            bench.book.mistake("burst", "%d lookups skipped" % skipped)
        if who.name == "doorbelld":
            put("burst.incomplete", who.name, who.log_count("incomplete for "))
        put("burst.processes", who.name, watch.processes)
        put("burst.memory", who.name, watch.megabytes)

    for _ in range(bench.few):
        bench.zones(*ZONES, all_in_first=True)
        each(
            bench,
            lambda name: Screen(
                bench, name, **dict(WIDE, **LISTS, postscreen_greet_wait="6s")
            ),
            act,
        )


def descriptors(bench):
    """Descriptors for 4,096, bots for 20,000; and mail."""
    n, bots_n = bench.scaled(1000), bench.scaled(20000)

    def act(who):
        who.acquaint()
        bots = who.zombies("bot", t=15000, stubborn=True)
        try:
            bots.add(min(4000, bots_n))
            more = threading.Thread(target=bots.add, args=(bots_n - 4000,))
            if bots_n > 4000:
                more.start()
            strangers = who.crowd(
                "known", bench.sources, n, c=n, r=100, t=20000
            )
            report = who.known(n, c=50, r=100, t=5000)
            lost(bench, "descriptors", who, report, "descriptors.known")
            lost(
                bench,
                "descriptors",
                who,
                strangers.wait(),
                "descriptors.strangers",
            )
            if bots_n > 4000:
                more.join()
        finally:
            bots.end()
        died = who.log_count("fatal: ") + who.log_count("panic: ")
        bench.book.put("descriptors.died", who.name, died)

    each(
        bench,
        lambda name: Screen(
            bench,
            name,
            limit=4096,
            **dict(
                WIDE,
                postscreen_greet_action="enforce",
                postscreen_post_queue_limit="500",
                postscreen_command_time_limit="300s",
            )
        ),
        act,
    )


def silent(bench):
    """Zombies that no list knows and that say nothing, in front of smtpd."""
    n = bench.scaled(200)

    def act(who):
        who.acquaint()
        zombies = who.zombies(t=20000, stubborn=True)
        try:
            zombies.add(bench.scaled(10000))
            time.sleep(4)  # the patience of a screen, and a little
            strangers = who.crowd("good", bench.sources, n, c=n, r=40, t=20000)
            report = who.load(
                "good", KNOWN, n, c=20, r=40, t=10000, addresses=KNOWN_BLOCKS
            )
            lost(bench, "silent", who, report, "silent.known")
            lost(bench, "silent", who, strangers.wait(), "silent.new")
        finally:
            zombies.end()

    each(bench, lambda name: Screen(bench, name, real=True), act)


def storm(bench):
    """2,000 strangers at 1,500 a second in front of real smtpd processes."""
    n = bench.scaled(2000)

    def act(who):
        who.wake()
        report = who.load("storm", bench.sources, n, c=n, r=1500, t=60000)
        lost(bench, "storm", who, report)
        bench.book.put("storm.away", who.name, report["busy"])
        bench.book.put("storm.hang", who.name, report["hung"])

    for _ in range(bench.few):
        each(bench, lambda name: Screen(bench, name, real=True, **WIDE), act)


def latency(bench, who, floor, key, seconds=6):
    """A known client now and then, while 2,000 strangers come a second.

    The bare loop is asked in the same seconds: what its clients wait is the
    machine's doing."""
    rate = bench.scaled(2000)
    strangers = who.crowd(
        "known",
        bench.sources,
        rate * seconds,
        c=rate * seconds,
        r=rate,
        t=20000,
    )
    time.sleep(1)
    few = {"c": 250, "r": 50, "t": 20000, "addresses": KNOWN_BLOCKS}
    beside = floor.crowd("known", KNOWN, 50 * (seconds - 1), **few)
    report = who.load("known", KNOWN, 50 * (seconds - 1), **few)
    reports = [(who.name, report)]
    if who.name == "doorbelld":
        reports.append(("floor", beside.wait()))
    else:
        beside.wait()
    lost(bench, key, who, report)
    lost(bench, key, who, strangers.wait(), key + ".lost")
    for name, report in reports:
        for what in "p50", "p99", "max":
            bench.book.put("%s.%s" % (key, what), name, report[what + "_us"])


def mixed(bench):
    """What known clients wait while 2,000 strangers come a second."""
    screens = [Screen(bench, name, **WIDE) for name in bench.screens]
    floor = Floor(bench)
    try:
        for who in screens:
            who.acquaint()
        for _ in range(bench.runs):
            for who in screens:
                latency(bench, who, floor, "mixed")
    finally:
        for who in screens + [floor]:
            who.close()


SCENARIOS = {
    "burst": burst,
    "descriptors": descriptors,
    "silent": silent,
    "storm": storm,
    "mixed": mixed,
}

# SPDX-License-Identifier: ISC
"""Scenarios of trouble: lists that are silent, reloads, kills, starts."""

import json
import os
import signal
import subprocess
import time

import processes
from clients import KNOWN
from contest import WIDE, Floor, Screen, Watch
from cost import ZONES, priced
from crowds import each, latency, lost
from waiting import until

HOLE = ZONES[:4] + ["l4.hole.bench.test"]
MILLION = 1000000


def hole(bench):
    """One of five lists is a black hole."""
    n = bench.scaled(600)
    put = bench.book.put

    def trickle(who):
        return priced(
            who,
            lambda: who.load("known", bench.sources, n, c=n, r=50, t=30000),
        )

    def act(who):
        who.acquaint()
        with Watch(who) as watch:
            report, _, cpu = trickle(who)
        lost(bench, "hole", who, report)
        put("hole.cpu", who.name, cpu)
        put("hole.processes", who.name, watch.processes)
        put("hole.memory", who.name, watch.megabytes)
        return cpu

    def make(name, zones):
        return Screen(
            bench, name, **dict(WIDE, postscreen_dnsbl_sites=", ".join(zones))
        )

    for name in bench.screens:
        bench.zones(*ZONES, holes=True)
        well = make(name, ZONES)
        try:
            well.wake()
            healthy = trickle(well)[2]
        finally:
            well.close()
        ill = make(name, HOLE)
        try:
            put("hole.ratio", name, act(ill) / healthy)
        finally:
            ill.close()
        ill, floor = make(name, HOLE), Floor(bench)
        try:
            latency(bench, ill.acquaint(), floor, "hole", seconds=5)
        finally:
            ill.close()
            floor.close()


def forgotten(who, source, n):
    """How many of these are strangers again?"""
    report = who.load("known", source, n, c=n, r=400, addresses=n, t=1900)
    return n - report["greeted"]


def reload(bench):
    """postfix reload while strangers are being tested."""
    n = bench.scaled(400)

    def act(who):
        who.acquaint()
        source = bench.sources.fresh()
        strangers = who.crowd("known", source, n, c=n, r=200)
        time.sleep(1)
        who.postfix.reload()
        lost(bench, "reload", who, strangers.wait(), "reload.lost")
        time.sleep(1)
        bench.book.put("reload.forgotten", who.name, forgotten(who, source, n))

    each(bench, lambda name: Screen(bench, name, **WIDE), act)


def kill9(bench):
    """kill -9, and who is known to the next one."""
    n = bench.scaled(400)

    def act(who):
        who.wake()
        source = bench.sources.fresh()
        syncs = syncs_of(
            bench,
            who,
            lambda: lost(
                bench, "kill9", who, who.load("known", source, n, c=n, r=200)
            ),
        )
        if syncs is not None:
            bench.book.put("kill9.syncs", who.name, syncs / n)
        time.sleep(1)
        os.kill(who.pid, signal.SIGKILL)
        until(lambda: not processes.is_alive(who.pid), "the end")
        who.known(1, t=60000)
        bench.book.put("kill9.forgotten", who.name, forgotten(who, source, n))

    each(bench, lambda name: Screen(bench, name, **WIDE), act)


def syncs_of(bench, who, work):
    """Syncs of the thread with the event loop while `work` runs."""
    out = os.path.join(who.directory, "strace")
    try:
        tracer = subprocess.Popen(
            [
                "strace",
                "-e",
                "trace=fsync,fdatasync,msync",
                "-o",
                out,
                "-p",
                str(who.pid),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        tracer = None
    if tracer is not None:
        time.sleep(0.5)
    if tracer is None or tracer.poll() is not None:
        bench.book.could_not("disk syncs: strace(1) may not look here")
        work()
        return None
    work()
    time.sleep(0.5)
    tracer.send_signal(signal.SIGINT)
    tracer.wait()
    with open(out) as f:
        return sum("sync(" in line for line in f)


def first_connection_ms(who):
    """It is not there; master(8) starts it for this client."""
    pid = who.postfix.screener_pid()
    os.kill(pid, signal.SIGTERM)
    until(lambda: not processes.is_alive(pid), "the end")
    time.sleep(0.3)
    report = who.load("known", KNOWN, 1, addresses=1, t=30000)
    return report["max_us"] / 1000


def start(bench):
    """From nothing to the first connection."""
    permit = dict(WIDE, postscreen_access_list="static:permit")
    screens = [Screen(bench, name, **permit) for name in bench.screens]
    try:
        for who in screens:
            who.wake()
        if "doorbelld" in bench.screens:
            big = Screen(bench, "doorbelld", **permit)
            screens.append(big)
            path = os.path.join(big.postfix.data, "doorbell_cache")
            subprocess.run(
                [
                    bench.build + "/tests/bench/cache",
                    path,
                    str(bench.scaled(MILLION)),
                    "keep",
                ],
                check=True,
            )
            owner = os.stat(big.postfix.data)
            for name in path, path + "-lock":
                os.chown(name, owner.st_uid, owner.st_gid)
            big.wake()
        for _ in range(max(5, bench.runs)):
            for i, who in enumerate(screens):
                bench.book.put(
                    "start.million"
                    if i == len(bench.screens)
                    else "start.first",
                    who.name,
                    first_connection_ms(who),
                )
    finally:
        for who in screens:
            who.close()


def cache(bench):
    """The cache by itself: a million clients."""
    for _ in range(bench.few):
        directory = os.path.join(bench.scratch(), "cache")
        out = subprocess.run(
            [
                bench.build + "/tests/bench/cache",
                directory,
                str(bench.scaled(MILLION)),
            ],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        for key, value in json.loads(out).items():
            bench.book.put("cache." + key[:-3], "doorbelld", value)


SCENARIOS = {
    "hole": hole,
    "reload": reload,
    "kill9": kill9,
    "start": start,
    "cache": cache,
}

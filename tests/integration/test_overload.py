# SPDX-License-Identifier: ISC
"""The house full of zombies: every stranger and every known client gets through.

The same scenarios run small, as a part of the ring, and with FLOOD=1 (make
flood) at full size, for which they want the machine to themselves."""

import contextlib
import os
import re
import resource
import subprocess
import time

import pytest

import crowd
import namespace
import processes
from scripts import TEASER
from waiting import until

FULL = bool(os.environ.get("FLOOD"))
STRANGERS = "127.60.0.0"
KNOWN = "127.61.0.0"
ZOMBIES = ("127.70.0.0", "127.71.0.0", "127.72.0.0")
BLOCKS = 250 if FULL else 8  # of each of them
GOOD = 1000 if FULL else 40
CROWD_SHED_AT_ONCE = 16

pytestmark = [pytest.mark.own, pytest.mark.load]


def start(ring, own=None, descriptors=None, known=GOOD, **main):
    """doorbelld in a network of its own, and clients that it knows."""
    if namespace.possible():
        ring.namespace()
    postfix = ring.build(
        own=own, smtpd_client_connection_count_limit="0", **main
    )
    postfix.descriptors = descriptors
    # A thousand good clients at once are more than Postfix has smtpds.
    for line in (
        'service "smtpd" .* has reached its process limit .*',
        "to avoid this condition, increase the process count .*",
        "see .*STRESS_README.* for examples of stress-adapting .*",
    ):
        postfix.log.expect("warning: " + line)
    postfix.start()
    if known:
        report = crowd.clients(postfix, KNOWN, known, at_once=min(known, 250))
        assert report["greeted"] == known, report
    return postfix


@contextlib.contextmanager
def flood(postfix, total, rate):
    """Zombies that come while the others are served."""
    batches = [
        crowd.Zombies(
            postfix,
            source,
            total // len(ZOMBIES),
            rate // len(ZOMBIES),
            BLOCKS,
        )
        for source in ZOMBIES
    ]
    try:
        yield batches
    finally:
        for batch in batches:
            batch.close()


def held(batches):
    return sum(batch.report["held"] for batch in batches)


def fared_with(limit, batches):
    """How they fared, when no more than `limit` are held: who was thrown out a
    moment ago may not have noticed."""

    def reports():
        fared = [batch.count() for batch in batches]
        return fared if sum(r["held"] for r in fared) <= limit else None

    return until(reports, "no more than %d zombies" % limit)


def everybody_is_served(postfix):
    """Strangers pass their test, known clients are known; all reach smtpd."""
    mark = postfix.log.mark()
    for source, verdict in ((STRANGERS, "NEW"), (KNOWN, "OLD")):
        report = crowd.clients(
            postfix, source, GOOD, at_once=100 if FULL else 10
        )
        assert report["greeted"] == GOOD, report
        block = re.escape(source[: -len("0.0")])
        pattern = r"PASS %s \[%s\d+\.\d+\]:\d+" % (verdict, block)
        postfix.log.wait_for(pattern, after=mark, count=GOOD)
    assert not postfix.log.find(r"SHED .* from \[127\.6[01]\..*", mark)
    assert not postfix.log.find(r"reject: connect from .*", mark)


def test_zombies_fill_the_session_limit(ring):
    """Five times as many zombies as there are places, in many blocks."""
    limit, total, rate = (4096, 20001, 1500) if FULL else (150, 900, 150)
    postfix = start(ring, {"doorbell_session_limit": str(limit)})
    with flood(postfix, total, rate) as batches:
        postfix.log.wait_for(r"SHED after .*")
        everybody_is_served(postfix)
        fared = fared_with(limit, batches)
    assert sum(report["n"] for report in fared) == total
    assert sum(report["no_door"] for report in fared) == 0
    assert len(postfix.log.find(r"SHED after .*")) >= total // 4


def test_zombies_take_all_descriptors(ring):
    """As many as the descriptor limit allows are held, and no more."""
    if FULL:
        _, descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
        total, rate = descriptors + 4000, 4000
    else:
        descriptors, total, rate = 700, 900, 300
    # As doorbell.cf(5) says; post_queue_limit is 100, or an eighth.
    limit = descriptors - 256 - 2 * min(100, descriptors // 8)
    postfix = start(
        ring,
        descriptors=descriptors,
        postscreen_command_time_limit="100s",
    )
    # The kernel's table has its size before they come.
    pid = postfix.screener_pid()
    assert int(processes.status(pid, "FDSize")[0]) >= descriptors
    with flood(postfix, total, rate) as batches:
        until(lambda: all(b.all_came() for b in batches), "all zombies", 60)
        count = sum(report["held"] for report in fared_with(limit, batches))
        assert limit * 9 // 10 <= count, (count, limit)
        assert processes.descriptors(pid) >= count
        everybody_is_served(postfix)
    assert not postfix.log.find(r"warning: accepting connections rests.*")


def test_silent_zombies_that_no_list_knows(ring):
    """Without any limit of ours reached: they cost no smtpd, and keep nobody
    from one."""
    total, rate, wanted = (30000, 1200, 10000) if FULL else (600, 60, 200)
    postfix = start(
        ring,
        postscreen_pre_queue_limit="100" if FULL else "50",
        postscreen_command_time_limit="${stress?{10}:{300}}s",
    )
    with flood(postfix, total, rate) as batches:
        until(lambda: held(batches) >= wanted, "zombies enough")
        everybody_is_served(postfix)
    postfix.log.wait_for("entering STRESS mode with .*")
    assert not postfix.log.find(r"SHED .*")


def test_descriptors_run_out_in_spite_of_the_limit(ring):
    """accept(2) finds none: some go, the newcomer comes in, nothing rests."""
    postfix = ring.start(postscreen_greet_wait="20s")
    zombies = [postfix.connect("127.0.6.%d" % n) for n in range(1, 101)]
    for zombie in zombies:
        assert zombie.line() == TEASER
    pid = postfix.screener_pid()
    # Without CAP_SYS_RESOURCE only a process of the same user may do it.
    subprocess.run(
        ["prlimit", "--pid=%d" % pid]
        + ["--nofile=%d" % processes.descriptors(pid)],
        user=int(processes.status(pid, "Uid")[0]),
        group=int(processes.status(pid, "Gid")[0]),
        extra_groups=[],
        check=True,
    )
    with postfix.connect("127.0.7.1") as newcomer:
        assert newcomer.line() == TEASER
        for zombie in zombies[:CROWD_SHED_AT_ONCE]:
            zombie.expect("421 4.3.2 Server overloaded - try again later")
        assert newcomer.silent()
        assert all(z.silent() for z in zombies[CROWD_SHED_AT_ONCE:])
    postfix.log.wait_for("SHED after .*", count=CROWD_SHED_AT_ONCE)
    for zombie in zombies:
        zombie.close()


def test_memory_comes_back_after_a_flood(ring):
    """Thousands came and went, and a few stay: their memory went with them. The
    first time it is remembered who they were, and that stays."""
    total, rate = (12000, 3000) if FULL else (2400, 1600)
    postfix = start(ring, known=0, postscreen_greet_wait="40s")
    # They all leave in the same moment.
    postfix.log.expect(r"warning: \d+ log lines were lost: .*")
    stay = []

    def one_more():
        stay.append(postfix.connect("127.0.6.%d" % (len(stay) + 1)))
        assert stay[-1].line() == TEASER

    def memory_kb():
        return int(processes.status(pid, "RssAnon")[0])

    def memory_at_rest_kb():
        readings = [memory_kb()]

        def is_the_same():
            time.sleep(0.5)
            readings.append(memory_kb())
            return readings[-1] == readings[-2]

        until(is_the_same, "memory that stays the same", 30)
        return readings[-1]

    one_more()
    pid = postfix.screener_pid()
    if processes.has_sanitizer(pid):
        pytest.skip("a sanitizer keeps what was freed")
    for _ in range(2):
        before = memory_at_rest_kb()
        with flood(postfix, total, rate) as batches:
            while not all(b.all_came() for b in batches):
                one_more()
                time.sleep(0.2)
            until(lambda: held(batches) == total, "all of them", 30)
            taken = memory_kb() - before
            assert taken > total * 0.4
        until(lambda: processes.descriptors(pid) < 200, "their end", 30)
    until(lambda: memory_kb() - before < taken / 3, "the memory", 30)
    for client in stay:
        client.close()

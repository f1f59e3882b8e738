# SPDX-License-Identifier: ISC
"""make soak in miniature, and what its figures and the chaos run's ledger say
of invented runs: a judge that acquits everybody is none."""

import os
import re
import subprocess
import sys

import pytest

from screener import ROOT, Screener

TESTS = os.path.join(ROOT, "tests")
for room in "soak", "chaos":
    sys.path.insert(0, os.path.join(TESTS, room))

# pylint: disable=wrong-import-position
import figures
import ledger

pytestmark = pytest.mark.own

KB = 10000


def test_soak_in_miniature():
    run = subprocess.run(
        [sys.executable, os.path.join(TESTS, "soak", "soak.py")]
        + ["--seconds", "8", "--reload", "3"],
        env=dict(os.environ, DOORBELLD=Screener("doorbelld").path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout
    assert run.stdout.endswith("verdict: good\n")
    assert re.search(r"^reloads: [1-9]", run.stdout, re.M)


@pytest.mark.parametrize(
    "kb_a_minute, grows",
    [(0, False), (20, False), (200, True), (-200, False)],
)
def test_memory_that_grows_is_seen(kb_a_minute, grows):
    noise = (0, 40, -30, 10)
    samples = [
        (60.0 * i, KB + kb_a_minute * i + noise[i % 4]) for i in range(11)
    ]
    grown, allowed = figures.growth_kb(samples)
    assert (grown > allowed) == grows


def test_warm_up_is_no_growth():
    samples = [(60.0 * i, KB + min(i, 2) * 2000) for i in range(12)]
    grown, allowed = figures.growth_kb(samples)
    assert grown <= allowed


def status(connections, ended, held):
    counters = {way + "_total": 0 for way in figures.WAYS_OUT}
    counters.update(connections_total=connections, refused_total=ended)
    return {"counters": counters, "sessions": held}


@pytest.mark.parametrize(
    "ended, held, off", [(7, 3, 0), (7, 2, 1), (8, 3, -1)]
)
def test_connection_that_ends_never_or_twice_is_seen(ended, held, off):
    assert figures.imbalance(status(10, ended, held)) == off


def told(accepted, doubts):
    """The account of one message."""
    account = ledger.Ledger()
    message = account.new_message("x")
    for _ in range(doubts):
        account.begin(message)
        account.fail(message, "x", 0.0, "lost", True)
    account.begin(message)
    if accepted:
        account.accept(message, "x")
    else:
        account.fail(message, "x", 0.0, "421", False)
    return account


@pytest.mark.parametrize(
    "accepted, doubts, copies, good",
    [
        (True, 0, ["A"], True),
        (True, 0, [], False),
        (True, 0, ["A", "B"], False),
        (True, 0, ["A", "A"], True),  # Postfix delivered it again
        (True, 1, ["A", "B"], True),
        (True, 1, [], False),
        (True, 1, ["A", "B", "C"], False),
        (False, 0, [], True),
        (False, 0, ["A"], False),
        (False, 1, ["A"], True),
    ],
)
def test_message_that_is_lost_or_there_twice_is_seen(
    accepted, doubts, copies, good
):
    found = {"x.0": copies} if copies else {}
    assert (told(accepted, doubts).judge(found) == []) == good


def test_mailbox_is_read(tmp_path):
    os.mkdir(tmp_path / "new")
    for name, queue_id in (("1", "AAA"), ("2", "BBB")):
        with open(tmp_path / "new" / name, "w") as f:
            f.write(
                "Received: from x (unknown [127.0.0.2])\n"
                "\tby mx.example.test (ring) with ESMTP id %s\n"
                "\tfor <inbox@example.test>; some day\n"
                "Message-ID: <new.7@chaos.test>\n\ntext\n" % queue_id
            )
    assert {k: sorted(v) for k, v in ledger.found(tmp_path).items()} == {
        "new.7": ["AAA", "BBB"]
    }

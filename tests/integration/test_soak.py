# SPDX-License-Identifier: ISC
"""make soak in miniature, and what its figures and the chaos run's ledger say
of invented runs: a judge that acquits everybody is none."""

import os
import re
import subprocess
import sys

import pytest

from screener import ROOT, Screener
from waiting import until

TESTS = os.path.join(ROOT, "tests")
for room in "soak", "chaos":
    sys.path.insert(0, os.path.join(TESTS, room))

# pylint: disable=wrong-import-position
import chaos
import figures
import guests
import ledger
import soak

pytestmark = pytest.mark.own

KB = 10000


# A machine so busy that smtpd takes seconds for each mail would fill the house
# with good clients.
@pytest.mark.load
def test_soak_in_miniature():
    run = subprocess.run(
        [sys.executable, os.path.join(TESTS, "soak", "soak.py")]
        + ["--seconds", "8", "--reload", "3", "--pace", "0.4"],
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


@pytest.mark.parametrize(
    "samples, grow",
    [
        ([9, 12, 15, 15, 15, 15, 15, 15], False),
        ([15, 15, 14, 15, 14, 15, 14, 15], False),  # with DNS, and without
        ([14, 14, 14, 14, 15, 16, 17, 18], True),
        ([14, 14, 14, 14, 15, 15, 16, 16], True),
        ([14, 15, 15], False),  # the miniature: the start, and two rounds
        ([14, 27, 27], True),
    ],
)
def test_descriptors_that_grow_are_seen(samples, grow):
    assert figures.descriptors_grow(samples) == grow


def status(connections, ended, held):
    counters = {way + "_total": 0 for way in figures.WAYS_OUT}
    counters.update(connections_total=connections, refused_total=ended)
    return {"counters": counters, "sessions": held}


@pytest.mark.parametrize(
    "ended, held, off", [(7, 3, 0), (7, 2, 1), (8, 3, -1)]
)
def test_connection_that_ends_never_or_twice_is_seen(ended, held, off):
    assert figures.imbalance(status(10, ended, held)) == off


@pytest.mark.parametrize(
    "came, ended, counted, complaints",
    [
        (20, 20, 20, []),
        (20, 19, 20, ["20 came, 19 ended"]),
        (20, 21, 20, ["20 came, 21 ended"]),
        (20, 20, 21, ["doorbelld counts 20 clients, they count 21"]),
        (19, 19, 20, ["doorbelld counts 19 clients, they count 20"]),
    ],
)
def test_account_that_is_off_is_seen(came, ended, counted, complaints):
    before, after = status(7, 7, 0), status(7 + came, 7 + ended, 0)
    assert figures.account(before, after, counted) == complaints


@pytest.mark.parametrize("way", figures.WAYS_OUT)
def test_every_way_out_counts(way):
    before, after = status(0, 0, 0), status(5, 4, 0)
    after["counters"][way + "_total"] += 1
    assert figures.account(before, after, 5) == []


@pytest.mark.parametrize(
    "good, greeted, failures",
    [(True, 10, 0), (True, 9, 1), (False, 0, 0)],
)
def test_good_client_that_is_not_served_is_seen(good, greeted, failures):
    played = soak.Round(None, 1, 4)
    report = {"n": 10, "no_door": 0, "greeted": greeted, "p99_us": 1000}
    played._count_crowd("strangers", good, report)
    assert len(played.failures) == failures
    assert played.unserved == (10 - greeted if good else 0)


class Visitor:
    """A client that does nothing."""

    me = "[127.0.0.2]:1"

    def close(self):
        pass


def refused(_):
    raise guests.Refused("RCPT TO: 450")


def served(_):
    pass


@pytest.mark.parametrize(
    "behave, good, is_failure",
    [
        (served, True, False),
        (refused, True, True),
        (served, False, False),
        (refused, False, True),
    ],
)
def test_visit_that_ends_badly_is_seen(behave, good, is_failure):
    visitors = guests.Guests(
        lambda source: Visitor(), behave, lambda n: "127.0.0.2", good=good
    )
    until(lambda: visitors.connections > 0, "a visit")
    visitors.stop()
    played = soak.Round(None, 1, 4)
    played._count_guests(visitors)
    assert played.connections == visitors.connections
    assert bool(played.failures) == is_failure


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


def test_message_from_nowhere_is_seen():
    assert told(True, 0).judge({"x.0": ["A"], "y.1": ["B"]}) == [
        "y.1: nobody sent it"
    ]


class Accident:
    """What one fault has done to an invented house."""

    def __init__(self, failures=(), unaccounted=0, crashes=()):
        self.ledger = ledger.Ledger()
        self.log = self
        self._failures = failures
        self.unaccounted = lambda: unaccounted
        self.crashes = lambda mark: list(crashes)

    def mark(self):
        return 0

    def delivers(self):
        """Too late, says one of the senders meanwhile."""
        for why in self._failures:
            message = self.ledger.new_message("new")
            began = self.ledger.begin(message)
            self.ledger.fail(message, "new", began, why, False)


def fault(**may):
    def accident(_):
        pass

    accident.title = "accident"
    for what in "harmless", "refuses_mail", "kills", "crashes":
        setattr(accident, what, may.get(what, False))
    return accident


LATER, NEVER = "127.0.0.2: Later: 421", "127.0.0.2: Failed: 550"


@pytest.mark.parametrize(
    "may, accident, complaints",
    [
        ({}, Accident(), 0),
        ({}, Accident([LATER]), 0),
        ({"harmless": True}, Accident([LATER]), 1),
        ({}, Accident([NEVER]), 1),
        ({"refuses_mail": True}, Accident([NEVER]), 0),
        ({}, Accident(unaccounted=1), 1),
        ({}, Accident(unaccounted=-1), 1),
        ({"kills": True}, Accident(unaccounted=1), 0),
        ({"kills": True}, Accident(crashes=["panic: x"]), 1),
        ({"kills": True, "crashes": True}, Accident(crashes=["panic: x"]), 0),
    ],
)
def test_fault_that_costs_more_than_it_may_is_seen(
    may, accident, complaints, monkeypatch
):
    run = chaos.Chaos(1, 1, [])
    monkeypatch.setattr(run, "_calm", lambda house: 0.0)
    run._strike(accident, fault(**may))
    assert len(run.complaints) == complaints


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

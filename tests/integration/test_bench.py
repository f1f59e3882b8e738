# SPDX-License-Identifier: ISC
"""The load generator of the benchmark, with a handful of clients: its reports
are what a wrong answer would be seen in."""

import json
import os
import re
import subprocess

import pytest

from screener import ROOT

LOAD = os.path.join(
    os.path.dirname(
        os.environ.get(
            "DOORBELLD", os.path.join(ROOT, "build/plain/doorbelld")
        )
    ),
    "tests/bench/load",
)


def load(postfix, manners, *words, **more):
    return subprocess.run(
        [LOAD, "-p", str(postfix.port), *words, manners],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
        **more
    ).stdout


def report(postfix, manners, *words):
    """What did not become of anybody is left out."""
    return {
        key: value
        for key, value in json.loads(load(postfix, manners, *words)).items()
        if value and not key.endswith("_us") and key != "seconds"
    }


@pytest.mark.own
def test_load_generator_counts_what_its_clients_hear(ring):
    postfix = ring.start(
        postscreen_greet_action="enforce", postscreen_greet_wait="5s"
    )
    strangers = ("-s", "127.3.0.0", "-b", "4", "-a", "4", "-n", "4", "-c", "4")
    assert report(postfix, "good", *strangers) == {"n": 4, "greeted": 4}
    # Now they are known: nobody waits any longer.
    assert report(postfix, "known", *strangers, "-t", "4500") == {
        "n": 4,
        "greeted": 4,
    }
    assert report(
        postfix, "pregreet", "-s", "127.4.0.0", "-n", "3", "-c", "3"
    ) == {"n": 3, "refused": 3}
    assert report(
        postfix, "hangup", "-s", "127.5.0.0", "-n", "3", "-c", "3", "-w", "60"
    ) == {"n": 3, "left": 3}
    # One that gives up sooner than it is greeted.
    assert report(
        postfix, "known", "-s", "127.6.0.0", "-n", "2", "-c", "2", "-t", "200"
    ) == {"n": 2, "hung": 2}
    postfix.log.wait_for(r"PASS NEW \[127\.3\.3\.1\]:\d+")
    postfix.log.wait_for(r"PREGREET 17 after .* from \[127\.4\..*")
    postfix.log.wait_for(r"HANGUP after .* from \[127\.5\..*")


@pytest.mark.own
def test_load_generator_holds_zombies(ring):
    postfix = ring.start(postscreen_greet_wait="30s")
    out = load(
        postfix,
        "zombie",
        "-s",
        "127.7.0.0",
        "-b",
        "5",
        "-a",
        "10",
        "-n",
        "10",
        input="add 6\nadd 4\nsay\ncount\n",
    )
    reports = [json.loads(line) for line in out.splitlines()]
    assert [r["held"] for r in reports] == [6, 10, 10, 10]
    postfix.log.wait_for(r"PREGREET 17 after .*", count=10)
    assert (
        len(postfix.log.find(r"CONNECT from \[127\.7\.[0-4]\.[12]\].*")) == 10
    )
    assert re.search(r"127\.7\.4\.2\]", postfix.log.tail(100))

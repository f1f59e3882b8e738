# SPDX-License-Identifier: ISC
"""--json: every command of doorbellctl has it, and says nothing else then."""

import json
import os
import re
import time

import pytest

from ctl import Ctl
from screener import ROOT
from scripts import passes
from test_ctl import handed_over, plain
from waiting import until

pytestmark = pytest.mark.own

KNOWN = "192.0.2.9"
LATER = int(time.time()) + 100000

# In this order: words behind the command, and what the answer has.
COMMANDS = {
    "postfix enable": ([], {"removed", "added", "changed", "dry_run"}),
    "version": ([], {"version"}),
    "status": ([], {"pid", "phases", "counters", "cache"}),
    "sessions": ([], {"sessions", "matching", "total"}),
    "top": (["--once"], {"phases", "counters"}),
    "explain": (["127.0.0.2"], {"address", "outcome", "cache"}),
    "dnsbl": ([], {"lists"}),
    "allow": (["192.0.2.7"], {"rule", "kept"}),
    "deny": (["192.0.2.8"], {"rule", "kept"}),
    "rules": ([], {"rules"}),
    "forget": (["192.0.2.7"], {"block", "rule", "cache"}),
    "offenders": ([], {"offenders", "spared"}),
    "log-level": ([], {"log_level"}),
    "cache import": ([], {"imported", "bad"}),
    "cache list": ([], {"client", "until"}),
    "cache export": ([], {"client", "until"}),
    "cache get": ([KNOWN], {"client", "until"}),
    "cache delete": ([KNOWN], {"client"}),
    "report": ([], {"days", "hours", "lists", "figures"}),
    "reload": ([], set()),
    "drain": ([], set()),
    "postfix status": ([], {"holder", "command", "runs"}),
    "postfix disable": ([], {"removed", "added", "changed", "dry_run"}),
}
STARTED = {"version": "127.0.0.2", "drain": "127.0.0.3"}  # by whom
WITHOUT = {"completion"}  # is for shells


def orders():
    with open(os.path.join(ROOT, "include", "ops", "orders.def")) as f:
        return set(re.findall(r'(?m)^ORDER\(\w+,\s*"([^"]+)"', f.read()))


def lines(ctl, *words, **more):
    """Each line of the answer; nothing but JSON is on standard output."""
    return [
        json.loads(line) for line in ctl(*words, "--json", **more).splitlines()
    ]


def test_every_command(ring):
    assert orders() == set(COMMANDS) | WITHOUT
    postfix = plain(ring, "")
    ctl = Ctl(postfix.screener, postfix.config)
    for command, (words, keys) in COMMANDS.items():
        if command in STARTED:
            passes(postfix, source=STARTED[command])
        words = command.split() + words
        if words[0] == "postfix":
            words.append(str(postfix.port))
        mark = postfix.log.mark()
        answers = lines(ctl, *words, stdin="%s\t%d" % (KNOWN, LATER))
        if command == "postfix enable":
            handed_over(postfix, mark, "smtpd")
        assert answers, command
        for answer in answers:
            assert set(answer) >= keys, command


def test_the_cache(ring):
    postfix = ring.start()
    ctl = Ctl(postfix.screener, postfix.config)
    memory = "%s\t%d;1;0;0;0\nnonsense\n2001:db8:1:2::3\t%d\n" % (
        KNOWN,
        LATER,
        LATER,
    )
    said = ctl("cache", "import", "--json", stdin=memory, status=1)
    assert json.loads(said) == {"imported": 2, "bad": 1}
    until_of = {
        "pregreet": LATER,
        "dnsbl": 1,
        "pipelining": 0,
        "non-smtp": 0,
        "bare-newline": 0,
    }
    first = {"client": KNOWN, "until": until_of}
    second = {"client": "2001:db8:1:2::/64", "until": {**until_of, "dnsbl": 0}}
    assert lines(ctl, "cache", "get", KNOWN) == [first]
    assert lines(ctl, "cache", "list") == [first, second]
    assert lines(ctl, "cache", "export") == [first, second]
    # By us, and by a doorbelld that runs.
    assert lines(ctl, "cache", "delete", KNOWN) == [{"client": KNOWN}]
    passes(postfix)
    client = "127.0.0.2"
    until(
        lambda: client in ctl("cache", "list"), "the record of a new client"
    )
    assert lines(ctl, "cache", "delete", client) == [{"client": client}]
    assert ctl("cache", "get", KNOWN, "--json", status=1) == ""


def test_a_postfix(ring):
    """What is said to people goes elsewhere."""
    postfix = plain(ring, "")
    ctl = Ctl(postfix.screener, postfix.config)
    port = str(postfix.port)
    common = {
        "master_cf": os.path.join(postfix.config, "master.cf"),
        "service": port,
        "runs": True,
    }

    def ask(verb, *words, status=0):
        (answer,) = lines(ctl, "postfix", verb, *words, port, status=status)
        assert answer.items() >= common.items()
        return answer

    assert ask("status", status=4)["holder"] == "smtpd"
    planned = ask("enable", "--dry-run")
    assert planned["dry_run"] and not planned["changed"]
    assert "Postfix runs" in ctl.stderr
    assert planned["removed"] == ["%s inet n - n - 1 smtpd" % port]
    assert [line.split()[-1] for line in planned["added"]] == [
        "doorbelld",
        "smtpd",
    ]
    done = ask("enable")
    assert done == {**planned, "dry_run": False, "changed": True}
    again = ask("enable")
    assert not again["changed"] and again["added"] == again["removed"] == []
    status = ask("status")
    assert status["holder"] == status["command"] == "doorbelld"
    done = ask("disable")
    assert done["changed"]
    assert done["added"] == planned["removed"]
    assert [line.split() for line in done["removed"]] == [
        line.split() for line in planned["added"]
    ]
    assert not ask("disable")["changed"]


def test_another_programs_port(ring):
    postfix = ring.build()
    postfix.program = "qmqpd"
    postfix.configure()
    ctl = Ctl(postfix.screener, postfix.config)
    words = ("postfix", "status", str(postfix.port))
    (answer,) = lines(ctl, *words, status=5)
    assert answer["holder"] == "other" and answer["command"] == "qmqpd"
    assert answer["runs"] is False
    assert "qmqpd" in ctl(*words, status=5)

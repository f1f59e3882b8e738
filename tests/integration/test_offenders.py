# SPDX-License-Identifier: ISC
"""doorbellctl offenders: who is in it, who never is, and who can read it."""

import json
import os
import re
import subprocess
import time

import pytest

from ctl import Ctl
from scripts import GREETING, TEASER
from waiting import until

pytestmark = pytest.mark.own

CONF = os.path.join(os.path.dirname(__file__), "..", "..", "conf")
EVIL = "127.0.0.5"
CHAIN = """\
nft add chain inet doorbell input '{ type filter hook input priority -10; }'
nft add rule inet doorbell input tcp dport 25 ip saddr @offenders4 drop
nft add rule inet doorbell input tcp dport 25 ip6 saddr @offenders6 drop
"""


def run(*argv, stdin=""):
    return subprocess.run(
        argv,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout


def alone(script):
    """In a network of its own, with a packet filter of its own."""
    return run("unshare", "-n", "bash", "-e", "-o", "pipefail", stdin=script)


def pregreet(postfix, source, times=3):
    for _ in range(times):
        with postfix.connect(source) as client:
            client.send("EHLO early\r\n")
            client.end()


def someone(ring, **own):
    postfix = ring.build(
        own={
            "doorbell_greet_action": "drop",
            "doorbell_greet_wait": "1s",
            "doorbell_dnsbl_skip_networks": "127.0.0.14",  # not all of 127
            **own,
        }
    )
    return postfix, Ctl(postfix.screener, postfix.config)


def prefixes(ctl, least=2):
    listed = ctl.json("offenders", "--min=%d" % least)
    return {o["prefix"] for o in listed["offenders"]}


def test_the_worst_first(ring):
    postfix, ctl = someone(ring)
    postfix.start()
    pregreet(postfix, EVIL, 5)
    pregreet(postfix, "127.0.0.6", 3)
    with postfix.connect("127.0.0.7") as client:
        assert client.line() == TEASER
    listed = ctl.json("offenders", "--min", "2")
    assert [o["prefix"] for o in listed["offenders"]] == [EVIL, "127.0.0.6"]
    worst = listed["offenders"][0]
    assert worst["weight"] == 4  # 5, a moment ago
    assert worst["offences"] == {"pregreet": 5}
    assert worst["first_ms"] >= worst["last_ms"] >= 0
    assert listed["spared"] == 0
    assert ctl.json("offenders")["offenders"] == []  # --min is 10
    text = ctl("offenders", "--min=2")
    assert text.index(EVIL) < text.index("127.0.0.6")
    assert "pregreet 5" in text
    one = json.loads(ctl("offenders", "--min=2", "--limit=1", "--format=json"))
    assert [o["prefix"] for o in one["offenders"]] == [EVIL]
    for wrong in ("--format=xml", "--for=0s", "--for=31d", "--min=0"):
        ctl("offenders", wrong, status=2)


def test_never_an_allowed_or_passed_one(ring):
    """Each has misbehaved as much as the others, before somebody spoke for
    it."""
    postfix, ctl = someone(ring)
    access = postfix.file("access", "192.0.2.1 permit\n")
    networks = postfix.file("networks", "192.0.2.2\n")
    postfix.main["mynetworks"] = networks
    postfix.main["postscreen_access_list"] = "cidr:" + access
    postfix.start()
    passed, listed, by_hand, ours, skipped = (
        "127.0.0.%d" % n for n in range(10, 15)
    )
    for source in (EVIL, passed, listed, by_hand, ours, skipped):
        pregreet(postfix, source, 4)
    assert prefixes(ctl) == {EVIL, passed, listed, by_hand, ours}

    later = int(time.time()) + 100000
    ctl(
        *("cache", "import"),
        stdin="%s\t%d;%d;0;0;0\n" % (passed, later, later),
    )
    assert prefixes(ctl) == {EVIL, listed, by_hand, ours}

    ctl("allow", "127.0.0.12/31")
    assert prefixes(ctl) == {EVIL, listed}
    ctl("forget", "127.0.0.12/31")
    ctl("allow", by_hand)
    assert prefixes(ctl) == {EVIL, listed, ours}

    postfix.file("access", listed + " permit\n")
    until(lambda: prefixes(ctl) == {EVIL, ours}, "the access list taken up")
    postfix.file("networks", ours + "\n")
    until(lambda: prefixes(ctl) == {EVIL}, "mynetworks taken up")
    assert ctl.json("offenders", "--min", "2")["spared"] == 5
    for form in ("text", "nft", "ipset", "cidr", "json"):
        text = ctl("offenders", "--min=2", "--format", form)
        assert set(re.findall(r"127\.0\.0\.\d+", text)) == {EVIL}

    ctl("cache", "delete", passed)
    until(lambda: passed in prefixes(ctl), "a memory that is gone")


def test_who_passes_is_forgiven(ring):
    postfix, ctl = someone(ring)
    postfix.start()
    pregreet(postfix, EVIL)
    assert prefixes(ctl) == {EVIL}
    with postfix.connect(EVIL) as client:
        client.expect(TEASER, GREETING)
        client.ask("QUIT")
    assert prefixes(ctl, 1) == set()


def test_a_cidr_table_that_everybody_reads(ring):
    postfix, ctl = someone(ring)
    postfix.start()
    pregreet(postfix, EVIL)
    table = postfix.file(
        "offenders", ctl("offenders", "--min=1", "--format=cidr")
    )
    assert run("postmap", "-q", EVIL, "cidr:" + table) == "reject\n"
    run(
        postfix.screener.path,
        *("-t", "-c", postfix.config),
        *("-o", "doorbell_access_list=cidr:" + table),
    )


def test_nft_takes_it(ring):
    postfix, ctl = someone(ring)
    postfix.start()
    pregreet(postfix, EVIL)
    nobody = ctl("offenders", "--format=nft")
    rules = ctl("offenders", "--min=1", "--for=90s", "--format=nft")
    assert EVIL + " timeout 90s" in rules
    postfix.file("rules", rules)
    postfix.file("nobody", nobody)
    told = alone(
        "cd %s\nnft -c -f rules\nnft -f rules\nnft -f rules\n"
        "nft list ruleset\nnft -f nobody\n"
        "nft list set inet doorbell offenders4\n" % postfix.directory + CHAIN
    )
    assert told.count(EVIL) == 1 and "1m30s" in told


def test_ipset_takes_it(ring):
    postfix, ctl = someone(ring)
    postfix.start()
    pregreet(postfix, EVIL)
    nobody = ctl("offenders", "--format=ipset")
    rules = ctl("offenders", "--min=1", "--for=90s", "--format=ipset")
    postfix.file("rules", rules)
    postfix.file("longer", rules.replace("timeout 90", "timeout 900"))
    postfix.file("nobody", nobody)
    # Again, and with another time.
    told = alone(
        "cd %s\nipset restore <rules\nipset restore <rules\n"
        "ipset test doorbell-offenders4 %s\nipset restore <longer\n"
        "ipset list\nipset restore <nobody\nipset list\n"
        % (postfix.directory, EVIL)
    )
    (left,) = re.findall(re.escape(EVIL) + r" timeout (\d+)", told)
    assert 90 < int(left) <= 900


def test_the_service_fills_the_sets(ring):
    """Its command, with no right but to change the packet filter."""
    postfix, ctl = someone(ring, doorbell_control_group="nogroup")
    postfix.start()
    pregreet(postfix, EVIL)
    with open(os.path.join(CONF, "doorbell-offenders.service")) as f:
        (command,) = re.findall(r"(?m)^ExecStart=/bin/sh -ec '(.*)'$", f.read())
    command = (
        command.replace("$$", "$")
        .replace("/usr/sbin/doorbellctl", " ".join(ctl.command()))
        .replace("--min 20", "--min 2")
    )
    nobody = "setpriv --reuid=nobody --regid=nogroup --clear-groups "
    rights = "--inh-caps=-all,+net_admin --ambient-caps=+net_admin "
    postfix.file("command", command)
    told = alone(
        "cd %s\n%s%s/bin/sh -e command\n"
        "nft list set inet doorbell offenders4\n"
        % (postfix.directory, nobody, rights)
    )
    assert EVIL in told
    postfix.end()
    told = alone(
        "cd %s\nrc=0\n%s%s/bin/sh -e command || rc=$?\necho rc $rc\n"
        "nft list ruleset\n" % (postfix.directory, nobody, rights)
    )
    assert told.endswith("rc 6\n")

# SPDX-License-Identifier: ISC
"""doorbellctl report: from log files, and from what doorbelld has kept."""

import json
import os
import re
import subprocess
from xml.etree import ElementTree

import pytest

from ctl import Ctl
from dns import Zone, listed
from screener import ROOT
from scripts import PASS_NEW, PASS_OLD, greeted, passes
from waiting import GENEROUS_S, until

BAD = "127.0.0.5"

# What both sources know, and know alike.
SHARED = (
    "connections nuisance known new listed early other hung_up full".split()
)


def logged(postfix, event, address):
    """In any form of log lines."""
    postfix.log.wait_for(r"(?i).*%s.*\b%s\b.*" % (event, re.escape(address)))


def traffic(ring, **own):
    """One of each; the Postfix that has seen it."""
    ring.lists(Zone("bl.test", listed(BAD)), Zone("other.test", listed(BAD)))
    postfix = ring.start(
        own=own,
        postscreen_dnsbl_sites="bl.test*2, other.test*0",
        postscreen_dnsbl_action="enforce",
        postscreen_greet_action="enforce",
    )
    for verdict in PASS_NEW, PASS_OLD:
        with postfix.connect("127.0.0.6") as good:
            greeted(good, verdict)
            good.deliver()
    with postfix.connect("127.0.0.7") as early:
        early.send("EHLO too.early\r\n")
        logged(postfix, "pregreet", "127.0.0.7")
    with postfix.connect(BAD):
        logged(postfix, "dnsbl.rank", BAD)
    with postfix.connect("127.0.0.8") as gone:
        gone.line()
    for source in BAD, "127.0.0.7", "127.0.0.8":
        logged(postfix, "disconnect", source)
    return postfix


PROGRAM = os.path.join(
    os.path.dirname(
        os.environ.get("DOORBELLD", os.path.join(ROOT, "build/plain/doorbelld"))
    ),
    "doorbellctl",
)


def report(*words, status=0, program=PROGRAM):
    run = subprocess.run(
        [program, "report", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=GENEROUS_S,
    )
    assert run.returncode == status, run.stderr
    return run.stdout if status == 0 else run.stderr


def of_log(postfix, *words):
    return json.loads(report("--json", *words, "--log", postfix.log.path))


@pytest.mark.dnsbl
def test_the_log_of_either_screener(ring):
    told = of_log(traffic(ring))
    assert {name: told["total"][name] for name in SHARED} == {
        "connections": 5,
        "nuisance": 3,
        "known": 1,
        "new": 1,
        "listed": 1,
        "early": 1,
        "other": 0,
        "hung_up": 1,
        "full": 0,
    }
    assert told["unfinished"] == 0
    assert told["figures"]["caught_listed"] == 1
    assert told["figures"]["caught_none"] == 2
    assert sum(told["figures"]["waits"]) == 1
    assert sum(told["figures"]["hangups_early"]) == 1
    assert told["smtpd"]["measured"] and told["smtpd"]["peak"] >= 1
    lists = {entry["name"]: entry for entry in told["lists"]}
    assert lists["bl.test"]["clients"] == 1
    assert sum(lists["bl.test"]["with"]) == 1


@pytest.mark.own
@pytest.mark.dnsbl
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_named_fields_tell_the_same(ring, form):
    told = of_log(traffic(ring, doorbell_log_format=form))
    total, figures = told["total"], told["figures"]
    assert (total["connections"], total["known"], total["new"]) == (5, 1, 1)
    assert (total["listed"], total["early"], total["hung_up"]) == (1, 1, 1)
    assert figures["caught_listed"] == 1 and told["unfinished"] == 0
    assert sum(figures["waits"]) == sum(figures["hangups_early"]) == 1
    lists = {entry["name"]: entry["clients"] for entry in told["lists"]}
    assert lists == {"bl.test": 1, "other.test": 1}
    assert told["smtpd"]["measured"]


@pytest.mark.own
@pytest.mark.dnsbl
def test_what_was_kept_equals_what_was_logged(ring):
    postfix = traffic(ring)
    ctl = Ctl(postfix.screener, postfix.config)
    # What comes together is stored every minute, and at the end.
    ctl("drain")

    def kept():
        told = ctl.json("report")
        return told if told["total"]["connections"] == 5 else None

    history, log = until(kept, "the totals are stored"), of_log(postfix)
    for name in SHARED:
        assert history["total"][name] == log["total"][name], name
    for name in "caught_early", "caught_listed", "caught_both", "caught_none":
        assert history["figures"][name] == log["figures"][name], name
    assert sum(history["figures"]["waits"]) == 1
    assert sum(history["figures"]["hangups_early"]) == 1
    entries = {entry["name"]: entry for entry in history["lists"]}
    assert entries["bl.test"]["use"] == "blocks"
    assert entries["other.test"]["use"] == "watched"
    for entry in log["lists"]:
        kept_entry = entries[entry["name"]]
        assert kept_entry["clients"] == entry["clients"]
        assert sum(kept_entry["with"]) == sum(entry["with"])
    assert entries["bl.test"]["queries"] >= 2
    assert sum(entries["bl.test"]["latency"]) >= 2
    assert entries["bl.test"]["only"] == 1
    recent = ctl.json("report", "--since", "2h")
    assert recent["total"] == history["total"]
    old = ctl.json("report", "--since=2020-01-01", "--until=2020-01-02")
    assert old["total"]["connections"] == 0
    page = ctl("report", "--html", "-")
    assert "How well the lists answer" in page and "watched" in page

    # Another process adds to the same hours.
    passes(postfix, PASS_OLD, source="127.0.0.6")
    ctl("drain")
    until(
        lambda: ctl.json("report")["total"]["known"] == 2,
        "the next process has added its own",
    )
    assert "6 connections" in ctl("report")


@pytest.mark.own
def test_files_in_any_order_and_standard_input(tmp_path):
    older, newer = str(tmp_path / "a"), str(tmp_path / "b")
    line = "2026-11-%02dT10:00:%02dZ mx postfix/postscreen[1]: %s\n"
    client = "[192.0.2.1]:1"
    with open(newer, "w") as f:
        f.write(line % (20, 9, "PASS NEW " + client))
    with open(older, "w") as f:
        f.write("garbage\n")
        f.write(
            line % (20, 3, "CONNECT from %s to [192.0.2.2]:25" % client)
        )
    told = json.loads(report("--json", "--log", newer, older))
    assert told["total"]["new"] == 1
    with open(older) as f:
        run = subprocess.run(
            [PROGRAM, "report", "--log", "-"],
            stdin=f,
            stdout=subprocess.PIPE,
            text=True,
            timeout=GENEROUS_S,
        )
    assert run.stdout.endswith("nobody came in this time\n")
    assert "left out, as their ends are not in there: 1 " in run.stdout
    assert report("--log", newer, older, "--until", "2026-11-19") == (
        "nobody came in this time\n"
    )


@pytest.mark.own
@pytest.mark.parametrize(
    "words, status, why",
    [
        (("--log",), 2, "which file"),
        (("mail.log",), 2, "with --log"),
        (("--json", "--text", "--log", "x"), 2, "not two of them"),
        (("--since", "tomorrow", "--log", "x"), 2, "neither a day"),
        (("--since", "1d", "--until", "2d", "--log", "x"), 2, "not before"),
        (("--log", "/nowhere/mail.log"), 1, "No such file"),
        (("--log", "-", "-"), 1, "one of several"),
    ],
)
def test_mistakes_are_told(words, status, why):
    assert why in report(*words, status=status)


def lines_of(days, lists):
    """A log with a bit of everything, on so many days."""
    for day in range(1, days + 1):
        stamp = "2026-10-%02dT%02d:00:%02dZ mx postfix/"
        screener = stamp + "postscreen[1]: "
        for n in range(3):
            client = "[192.0.2.%d]:%d" % (n + 1, day)
            at = (day, (day * 7 + n) % 24)
            yield (screener + "CONNECT from %s to [192.0.2.9]:25") % (
                *at,
                0,
                client,
            )
            if n == 0:
                yield (screener + "PASS NEW %s") % (*at, 6, client)
                continue
            for name in lists:
                yield (
                    stamp + "dnsblog[2]: addr 192.0.2.%d listed by domain"
                    " %s as 127.0.0.2"
                ) % (*at, 1, n + 1, name)
            yield (screener + "PREGREET 5 after 0.1 from %s: x") % (
                *at,
                1,
                client,
            )
            if n == 2:
                yield (screener + "HANGUP after 1.0 from %s in tests before"
                       " SMTP handshake") % (*at, 2, client)
            yield (screener + "DISCONNECT %s") % (*at, 6, client)


@pytest.mark.own
@pytest.mark.parametrize("days, lists", [(0, 0), (1, 1), (3, 2), (31, 32)])
def test_the_page_needs_nothing_beside_it(tmp_path, days, lists):
    log, page = tmp_path / "log", tmp_path / "page.html"
    names = ["a<b>&%d.test" % i for i in range(lists)]
    log.write_text("".join(line + "\n" for line in lines_of(days, names)))
    report("--html", str(page), "--log", str(log))
    text = page.read_text()
    # Well-formed, but for what HTML does not close.
    text = re.sub(r"<meta [^>]*>", "", text.replace("<!DOCTYPE html>", ""))
    tree = ElementTree.fromstring(text)
    for element in tree.iter():
        for name in "src", "href", "onload", "onclick", "style":
            assert name not in element.attrib
        tag = element.tag.rpartition("}")[2]
        assert tag not in ("script", "link", "img", "iframe", "object")
    assert "url(" not in text and "@import" not in text
    addresses = set(re.findall(r"https?://[^\"< ]*", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    pictures = tree.findall(".//{http://www.w3.org/2000/svg}svg")
    if days == 0:
        assert not pictures and "Nobody came" in text
        return
    assert len(pictures) >= 4
    for picture in pictures:
        title = picture.find("{http://www.w3.org/2000/svg}title")
        assert title is not None and title.text


@pytest.mark.own
def test_each_part_of_the_page_says_its_number(tmp_path):
    log, page = tmp_path / "log", tmp_path / "page.html"
    log.write_text(
        "".join(line + "\n" for line in lines_of(20, ["a.test", "b.test"]))
    )
    report("--html", str(page), "--log", str(log))
    assert re.findall("<h2[^>]*>([^<]*)", page.read_text()) == [
        "66.7 % of 60 connections brought no mail",
        "At most 1 came in an hour",
        "0.0 % of those caught were caught by DNS lists alone",
        "Half of those who hang up before the greeting have gone after 1 s",
        "Nine of ten strangers had waited no longer than 6 s",
        "a.test has 66.7 % of all that were tested",
        "Which lists know the same clients",
        "5 smtpd processes are enough for those who bring mail",
        "There was room for everybody, and never any stress: at most 1 at a"
        " time",
    ]
    text = " ".join(report("--log", str(log)).split())
    for part in (
        "a.test listed 40 66.7 %",
        "nobody else blocks 0 of these",
        "1 - 100 a.test 2 100 - b.test",
        "At most 1 good clients came within 10 seconds (2026-10-01). If a mail"
        " takes so long, they need as many processes. 1, and half as many to"
        " spare: 2; rounded up: 5 processes.",
    ):
        assert part in text, text

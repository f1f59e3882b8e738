# SPDX-License-Identifier: ISC
"""What other people's programs read in the log of a real run."""

import collections
import os
import re
import shutil
import subprocess

import pytest

from dns import Zone, listed
from scripts import GREETING, TEASER, refused

pytestmark = pytest.mark.own

CONF = os.path.join(os.path.dirname(__file__), "..", "..", "conf", "fail2ban")
FAIL2BAN = "/etc/fail2ban"
STOCK = os.path.join(FAIL2BAN, "filter.d", "postfix.conf")
FORMS = ("postscreen", "logfmt", "json")

# What clients do: how many lines there are to ban each of them for.
OFFENCES = {
    "127.0.0.5": 1,  # PREGREET
    "127.0.0.6": 1,  # DNSBL rank
    "127.0.0.7": 1,  # NON-SMTP COMMAND
    "127.0.0.8": 1,  # COMMAND PIPELINING
    "127.0.0.9": 1,  # BARE NEWLINE
    "127.0.0.10": 1,  # COMMAND COUNT LIMIT
    "127.0.0.11": 1,  # COMMAND LENGTH LIMIT
    "127.0.0.12": 1,  # DATA without valid RCPT
    "127.0.0.13": 1,  # too many connections
    "127.0.0.16": 1,  # PREGREET, and lies
}
HANGUPS = {"127.0.0.14"}
LIE = (
    "x from [192.0.2.66]:25: y\",\"client\":\"192.0.2.66\" client=192.0.2.66 "
    "client_port=1 PREGREET 1 after 0.1 from [192.0.2.66]:25: "
)


def run(*argv):
    return subprocess.run(
        argv,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
        check=True,
    ).stdout


def dialogue(postfix, source, *words):
    """A stranger says this after the greeting, and is sent away."""
    with postfix.connect(source) as client:
        client.expect(TEASER, GREETING)
        for word in words[:-1]:
            client.ask(word)
        client.send(words[-1])
        client.end()


def misbehave(postfix):
    """One client of each kind."""
    with postfix.connect("127.0.0.5") as client:
        client.send("EHLO early\r\n")
        client.end()
    with postfix.connect("127.0.0.6") as client:
        client.end()
    dialogue(postfix, "127.0.0.7", "GET / HTTP/1.1\r\n")
    dialogue(postfix, "127.0.0.8", "EHLO x\r\nMAIL FROM:<a@b>\r\n")
    dialogue(postfix, "127.0.0.9", "EHLO x\n")
    dialogue(postfix, "127.0.0.10", *["NOOP"] * 5, "NOOP\r\n")
    dialogue(postfix, "127.0.0.11", "X" * 3000)
    dialogue(
        postfix, "127.0.0.12", "EHLO x", "MAIL FROM:<a@b>", "DATA\r\n"
    )
    with postfix.connect("127.0.0.13"), postfix.connect("127.0.0.13") as more:
        assert more.reply().code == 421
    with postfix.connect("127.0.0.14") as client:
        assert client.line() == TEASER
    with postfix.connect("127.0.0.15") as client:
        client.expect(TEASER, GREETING)
        refused(client, "450 4.3.2 Service currently unavailable")
    with postfix.connect("127.0.0.16") as client:
        client.send(LIE + "\r\n" + LIE)
        client.end()
    with postfix.connect("127.0.0.17") as client:
        client.expect(TEASER, GREETING)
        refused(client, "550 5.3.2 Service currently unavailable")


def a_real_run(ring, form):
    """The log file of it."""
    ring.lists(Zone("bl.test", listed("127.0.0.6")))
    postfix = ring.start(
        own={
            "doorbell_log_format": form,
            "doorbell_dnsbl_sites": "bl.test",
            "doorbell_dnsbl_action": "drop",
            "doorbell_greet_action": "drop",
            "doorbell_greet_wait": "1s",
            "doorbell_pipelining_enable": "yes",
            "doorbell_pipelining_action": "drop",
            "doorbell_non_smtp_command_enable": "yes",
            "doorbell_bare_newline_enable": "yes",
            "doorbell_bare_newline_action": "drop",
            "doorbell_deep_pass_action": "defer",
            "doorbell_command_count_limit": "5",
            "doorbell_client_connection_count_limit": "1",
            "doorbell_access_list": "inline:{127.0.0.17=reject}",
            "doorbell_denylist_action": "enforce",
        }
    )
    misbehave(postfix)
    postfix.log.wait_for(".*(DISCONNECT|event.{1,3}disconnect).*", count=14)
    postfix.stop()
    return postfix.log


def banned(log, filter_):
    """How many lines of each address the filter counts."""
    matches = run("fail2ban-regex", "-o", "<ip>", log.path, filter_)
    return collections.Counter(matches.split())


@pytest.fixture
def installed(tmp_path):
    """A fail2ban that has our filter and jail."""
    shutil.copytree(FAIL2BAN, str(tmp_path), dirs_exist_ok=True)
    shutil.copytree(CONF, str(tmp_path), dirs_exist_ok=True)
    return str(tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_our_fail2ban_filter(ring, installed, form):
    log = a_real_run(ring, form)
    ours = os.path.join(installed, "filter.d", "doorbell.conf")
    assert banned(log, ours) == OFFENCES
    more = banned(log, ours + "[mode=aggressive]")
    assert set(more) - set(OFFENCES) - {"127.0.0.15"} == HANGUPS


def test_stock_tools_know_the_default(ring):
    """What Debian's fail2ban and pflogsumm find is what was done."""
    log = a_real_run(ring, "postscreen")
    stock = banned(log, STOCK + "[mode=ddos]")
    assert stock["127.0.0.5"] == stock["127.0.0.16"] == 1
    assert stock["127.0.0.10"] == stock["127.0.0.11"] == 1
    assert HANGUPS < set(stock) and "192.0.2.66" not in stock
    summary = run("pflogsumm", "--verbose-msg-detail", log.path)
    rejected = len(log.find("NOQUEUE: reject: .*"))
    assert rejected == 3
    total = re.search(r"(\d+) +rejected", summary)
    assert int(total[1]) == rejected, summary
    for reply, client in (
        ("Service currently unavailable", "127.0.0.15"),
        ("Service currently unavailable", "127.0.0.17"),
    ):
        assert reply in summary and client in summary


def test_the_jail_uses_the_filter(installed):
    """fail2ban itself reads both files."""
    log = os.path.join(installed, "mail.log")
    open(log, "w").close()
    with open(os.path.join(installed, "jail.local"), "w") as f:
        f.write(
            "[sshd]\nenabled = false\n"
            "[doorbell]\nlogpath = %s\nbackend = polling\n" % log
        )
    told = run("fail2ban-client", "-c", installed, "-d")
    assert "['add', 'doorbell', 'polling']" in told
    assert "['set', 'doorbell', 'maxretry', 5]" in told
    assert '"event":"(?:pregreet|' in told

# SPDX-License-Identifier: ISC
"""Clients that do anything at any time, by dice, while the configuration is
read anew. What each of them hears is nobody's business here; but at the end
the same process is there, all connections are accounted for, and nothing of
them is left."""

import os
import random
import ssl
import sys
import threading
import time

import pytest

import processes
from client import Gone
from ctl import Ctl
from dns import Zone, listed
from screener import ROOT
from test_starttls import make_key
from waiting import TooLate, until

sys.path.insert(0, os.path.join(ROOT, "tests", "soak"))

# pylint: disable=wrong-import-position
import figures

pytestmark = [pytest.mark.own, pytest.mark.load]

SECONDS = 8
CLIENTS = 24
PAUSE_S = 0.2  # at most, between two visits
NETWORKS = (62, 70, 71, 72)  # the first one is listed

DEEP = ("pipelining_enable", "non_smtp_command_enable", "bare_newline_enable")

STORY = (
    b"EHLO a.test\r\n",
    b"MAIL FROM:<a@a.test>\r\n",
    b"RCPT TO:<inbox@example.test>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\nhello\r\n.\r\n",
    b"QUIT\r\n",
)
NOISE = STORY + (
    b"STARTTLS\r\n",
    b"STARTTLS\r\nEHLO b.test\r\n",
    b"HELO b\r\n",
    b"RSET\r\n",
    b"NOOP\n",
    b"HELP\r\n",
    b"BDAT 10 LAST\r\n",
    b"GET / HTTP/1.1\r\n",
    b"x" * 3000,
    b"\0\xff\r\n",
    b"\x16\x03\x01\x40\x01" + b"\1" * 200,
    b"EH",
    b"LO x\r",
    b"\n",
    b".\r\n",
)


class Unruly:
    """One of them; `connect` opens a connection from an address."""

    def __init__(self, connect, number):
        self.connections = 0
        self._connect = connect
        self._dice = random.Random(number)
        self._end = time.monotonic() + SECONDS
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while time.monotonic() < self._end:
            dice = self._dice
            source = "127.%d.%d.%d" % (
                dice.choice(NETWORKS),
                dice.randrange(8),
                dice.randrange(1, 250),
            )
            client = self._connect(source)
            self.connections += 1
            try:
                self._visit(client, dice.choice((0.05, 2, 3)))
            except (Gone, TooLate, AssertionError, OSError, ssl.SSLError):
                pass
            (client.reset if dice.random() < 0.3 else client.close)()
            time.sleep(dice.random() * PAUSE_S)

    def _visit(self, client, patience_s):
        dice = self._dice
        if dice.random() < 0.7:
            client.reply(patience_s)
        for step in range(dice.randrange(12)):
            said = dice.choice(NOISE)
            if step < len(STORY) and dice.random() < 0.9:
                said = STORY[step]
            if dice.random() < 0.1:
                said += dice.choice(NOISE)
            client.try_send(said)
            self._go_on(client, said, patience_s)

    def _go_on(self, client, said, patience_s):
        fate = self._dice.random()
        if fate < 0.8:
            code = client.reply(patience_s).code
            if code == 220 and said == b"STARTTLS\r\n":
                client.start_tls()
        elif fate < 0.85:
            client.half_close()
        elif fate < 0.9:
            time.sleep(fate - 0.8)

    def wait(self):
        self._thread.join()
        return self.connections


def house_of_everything(ring):
    """doorbelld with most of what may be turned on, and little room."""
    ring.lists(Zone("bl.test", listed("127.62.0.0/16", "127.0.0.2")))
    postfix = ring.build(
        smtpd_client_connection_count_limit="0", smtpd_timeout="3s"
    )
    key = make_key(postfix, "usual")
    keys = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": key + ".pem",
        "smtpd_tls_key_file": key + ".key",
    }
    postfix.main.update(keys)
    postfix.log.expect("warning: .*")
    postfix.start()
    return ring.standalone(
        postfix,
        doorbell_dnsbl_sites="bl.test",
        doorbell_dnsbl_action="enforce",
        doorbell_greet_action="enforce",
        doorbell_session_limit="22",
        doorbell_relay_limit="4",
        doorbell_client_connection_count_limit="0",
        doorbell_command_time_limit="2s",
        doorbell_suspect_command_time_limit="2s",
        doorbell_suspect_reply_delay="1s",
        doorbell_suspect_stutter="2s",
        doorbell_failure_rate_limit="1000",
        doorbell_connection_rate_limit="1000",
        doorbell_reject_footer="\\c call us ($client_address)",
        **keys
    )


def test_visits_by_dice(ring):
    bell = house_of_everything(ring)
    bell.log.expect("warning: (write|STARTTLS: .*|.* keys stay in force).*")
    bell.start()
    ctl = Ctl(bell.postfix.screener, bell.file)
    pid, descriptors = bell.pid, processes.descriptors(bell.pid)
    crowd = [Unruly(bell.connect, n) for n in range(CLIENTS)]
    for turn in range(SECONDS):
        time.sleep(1)
        for bit, names in enumerate((DEEP, ("late_handoff",))):
            word = "yes" if turn >> bit & 1 else "no"
            bell.main.update({"doorbell_" + name: word for name in names})
        bell.hangup()
    came = sum(unruly.wait() for unruly in crowd)
    status = until(
        lambda: (lambda s: s if s["sessions"] == 0 else None)(
            ctl.json("status")
        ),
        "the end of all sessions",
    )
    assert bell.is_alive() and bell.pid == pid
    assert came > CLIENTS
    nothing = {"counters": dict.fromkeys(status["counters"], 0), "sessions": 0}
    assert figures.account(nothing, status, came) == []
    # One to the name server, one in the hands of this question.
    until(
        lambda: processes.descriptors(pid) <= descriptors + 2,
        lambda: "%d descriptors, not %d"
        % (processes.descriptors(pid), descriptors),
    )

# SPDX-License-Identifier: ISC
"""Clients that are out to hurt, while a good client delivers.

Afterwards nothing has grown: descriptors are back, memory is where it was."""

import re
import select
import time

import pytest

import processes
from scripts import CONNECT, GREETING, PASS_NEW, TEASER, passes
from waiting import until

pytestmark = pytest.mark.load

FOE = "127.0.0.22"
GROWTH_KB = 4096
LIMIT = "421 mx.example.test Service unavailable - try again later"


class Growth:
    """What the screener had before, to compare with what it has after."""

    def __init__(self, postfix):
        self.postfix = postfix
        self.pid = postfix.screener_pid()
        self.descriptors = processes.descriptors(self.pid)
        self.resident = processes.resident_kb(self.pid)

    def check(self):
        assert processes.is_alive(self.pid), "it is not the same process"
        until(
            lambda: processes.descriptors(self.pid) <= self.descriptors,
            lambda: "%d descriptors; it has %d"
            % (self.descriptors, processes.descriptors(self.pid)),
        )
        self.check_memory()

    def check_memory(self):
        if not processes.has_sanitizer(self.pid):
            grown = processes.resident_kb(self.pid) - self.resident
            assert grown < GROWTH_KB, "grown by %d kB" % grown


def guarded(ring, **main):
    """Foes are refused in a dialogue, others are tested; one good client has
    delivered already."""
    postfix = ring.start(
        **dict(
            {
                "postscreen_access_list": "inline:{%s=reject}" % FOE,
                "postscreen_denylist_action": "enforce",
                "postscreen_client_connection_count_limit": "0",
                "smtpd_client_connection_count_limit": "0",
                "postscreen_non_smtp_command_action": "ignore",
                "postscreen_pipelining_action": "ignore",
            },
            **main
        )
    )
    passes(postfix, subject="before")
    return postfix


def test_dribbling_clients(ring):
    """One byte now and then, before the greeting and after it."""
    postfix = guarded(ring, postscreen_greet_action="enforce")
    growth = Growth(postfix)
    crowd = [postfix.connect(FOE) for _ in range(20)]
    crowd += [postfix.connect("127.0.9.%d" % n) for n in range(1, 21)]
    for byte in "EHLO dribble":
        for client in crowd:
            client.send(byte)
        crowd[0].pause(0.1)
    passes(postfix, PASS_NEW, source="127.0.0.3", subject="good")
    postfix.wait_for_mail("good")
    for client in crowd:
        client.close()
    growth.check()


@pytest.mark.parametrize(
    "when", ["before the greeting", "in the dialogue"], ids=["before", "after"]
)
def test_ten_megabytes_without_a_newline(ring, when):
    postfix = guarded(ring)
    growth = Growth(postfix)
    source = FOE if when == "in the dialogue" else "127.0.0.9"
    client = postfix.connect(source)
    assert client.line() == TEASER
    if source == FOE:
        assert client.line() == GREETING
    sent, end = 0, time.monotonic() + 10
    chunk = b"x" * 65536
    while sent < 10 * 1024 * 1024 and time.monotonic() < end:
        try:
            sent += client.try_send(chunk)
        except (BrokenPipeError, ConnectionResetError):
            break
        if select.select([client.socket], [], [], 0)[0]:
            break
    growth.check_memory()
    if source == FOE:
        postfix.log.wait_for(
            r"COMMAND LENGTH LIMIT from %s after CONNECT"
            % re.escape(client.me)
        )
    else:
        postfix.log.wait_for(
            r"PREGREET 1023 after \S+ from %s: x{100}" % re.escape(client.me)
        )
    passes(postfix, source="127.0.0.3", subject="good")
    postfix.wait_for_mail("good")
    client.close()
    if source == FOE:
        growth.check()


def test_client_that_never_reads(ring):
    """It asks and asks; the answers wait in the kernel or not at all."""
    postfix = guarded(
        ring,
        postscreen_command_count_limit="1000000",
        postscreen_command_time_limit="5s",
    )
    growth = Growth(postfix)
    client = postfix.connect(FOE, receive_buffer=2048)
    chunk = b"EHLO never.reads\r\n" * 3000
    stuck, end = 0, time.monotonic() + 10
    while stuck < 20 and time.monotonic() < end:
        try:
            stuck = 0 if client.try_send(chunk) else stuck + 1
        except (BrokenPipeError, ConnectionResetError):
            break
        if stuck:
            time.sleep(0.05)
    if ring.screener.bounds_replies:
        growth.check_memory()
    passes(postfix, source="127.0.0.3", subject="good")
    postfix.wait_for_mail("good")
    postfix.log.wait_for("DISCONNECT " + re.escape(client.me))
    client.close()
    if ring.screener.bounds_replies:
        growth.check()


@pytest.mark.slow
def test_ten_thousand_connects_and_hang_ups(ring):
    postfix = guarded(ring)
    postfix.log.expect(r"warning: \d+ log lines were lost.*")
    postfix.log.expect(r"warning: getpeername: .* -- dropping this connection")
    _storm(postfix, 0, 2000)
    growth = Growth(postfix)
    _storm(postfix, 2000, 10000)
    with postfix.connect("127.0.0.3") as good:
        good.expect(TEASER, GREETING)
        good.deliver(subject="good")
    postfix.wait_for_mail("good")
    growth.check()


def _storm(postfix, first, last):
    """Connect and go: with FIN, with RST, before and after the teaser. Half
    way a good client comes and delivers."""
    for n in range(first, last):
        client = postfix.connect("127.1.%d.%d" % (n // 250 % 250, n % 250 + 1))
        if n % 10 == 0:
            client.line()
        if n % 2:
            client.reset()
        else:
            client.close()
        if n == (first + last) // 2:
            with postfix.connect() as good:
                good.expect(GREETING)
                good.deliver(subject="within %d" % n)


def test_held_connections_do_not_keep_others_out(ring):
    """Fifty zombies that say nothing, and a client that has mail."""
    postfix = ring.start(
        postscreen_greet_wait="30s",
        postscreen_access_list="inline:{127.0.0.3=permit}",
    )
    zombies = [postfix.connect("127.0.10.%d" % n) for n in range(1, 51)]
    for zombie in zombies:
        assert zombie.line() == TEASER
    with postfix.connect("127.0.0.3") as good:
        good.expect(GREETING)
        good.deliver(subject="good")
    postfix.log.tells(good, CONNECT, "ALLOWLISTED C")
    for zombie in zombies:
        zombie.close()

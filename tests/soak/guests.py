# SPDX-License-Identifier: ISC
"""Clients that the load generator has no manners for: they come again and
again, in threads, and each visit ends well or with a complaint."""

import ssl
import threading
import time

from client import Gone
from waiting import TooLate

EHLO = "EHLO guest.test"


class Refused(AssertionError):
    """A good client was told to go, or to come later."""


def _ask(client, command, code):
    reply = client.ask(command)
    if reply.code != code:
        raise Refused("%s: %s" % (command.split(":")[0], reply.lines))
    return reply


def _greeted(client):
    reply = client.reply()
    if reply.code != 220:
        raise Refused("greeting: %s" % reply.lines)


def _mails(client, subject):
    _ask(client, "MAIL FROM:<guest@guest.test>", 250)
    _ask(client, "RCPT TO:<inbox@example.test>", 250)
    _ask(client, "DATA", 354)
    client.send("Subject: %s\r\n\r\n%s\r\n" % (subject, subject))
    _ask(client, ".", 250)
    _ask(client, "QUIT", 221)


# --- good ones: whatever they do not get is a failure ------------------------
def delivers(client):
    """A mail of its own."""
    _greeted(client)
    _ask(client, EHLO, 250)
    _mails(client, "plain")


def delivers_by_tls(client):
    """The same, encrypted, whoever it is that offers TLS."""
    _greeted(client)
    offered = _ask(client, EHLO, 250).lines
    if not any(line[4:] == "STARTTLS" for line in offered):
        raise Refused("no STARTTLS: %s" % offered)
    _ask(client, "STARTTLS", 220)
    client.start_tls()
    _ask(client, EHLO, 250)
    _mails(client, "TLS")


def hesitates(client):
    """A byte, and another, as over a modem."""
    _greeted(client)
    for byte in EHLO + "\r\n":
        client.send(byte)
        client.pause(0.02)
    if client.reply().code != 250:
        raise Refused("slow EHLO")
    _mails(client, "slow")


# --- bad ones: they have no claim, but must not do harm -----------------------
def is_refused(client):
    """One that a DNS list knows: no recipient for it."""
    _greeted(client)
    _ask(client, EHLO, 250)
    _ask(client, "MAIL FROM:<bot@bot.test>", 250)
    if client.ask("RCPT TO:<inbox@example.test>").code // 100 == 2:
        raise Refused("a listed client was let in")
    client.ask("QUIT")


def reads_slowly(client):
    """Listed, asks a lot, reads nothing for a while, then all of it."""
    _greeted(client)
    for _ in range(200):
        if client.try_send((EHLO + "\r\n").encode() * 10) == 0:
            break
    time.sleep(1)
    client.end()


def breaks_off(client):
    """Leaves with an RST in the middle of a message."""
    _greeted(client)
    _ask(client, EHLO, 250)
    _ask(client, "MAIL FROM:<guest@guest.test>", 250)
    _ask(client, "RCPT TO:<inbox@example.test>", 250)
    _ask(client, "DATA", 354)
    client.send("Subject: half\r\n\r\nhalf a mess")
    client.reset()


class Guests:
    """Visits of one kind until stop(), by some threads. `source(n)` is the
    address of the n-th visit. A kind that is `good` has to be served."""

    def __init__(
        self, connect, behave, source, threads=1, good=False, pause_s=0.1
    ):
        self.connections = 0
        self.well = 0
        self.complaints = []
        self.good = good
        self.name = behave.__name__.replace("_", " ")
        self._connect, self._behave = connect, behave
        self._source, self._pause_s = source, pause_s
        self._visits = 0
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._come, daemon=True)
            for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def _come(self):
        while not self._over.is_set():
            with self._lock:
                self._visits += 1
                n = self._visits
            self._visit(self._source(n))
            self._over.wait(self._pause_s)

    def _visit(self, source):
        try:
            client = self._connect(source)
        except OSError as why:
            self._note("%s: cannot connect: %s" % (source, why))
            return
        with self._lock:
            self.connections += 1
        try:
            self._behave(client)
        except (Refused, Gone, TooLate, OSError, ssl.SSLError) as why:
            self._note("%s: %s: %s" % (client.me, type(why).__name__, why))
        else:
            with self._lock:
                self.well += 1
        finally:
            client.close()

    def _note(self, text):
        with self._lock:
            self.complaints.append(text)

    def stop(self):
        """No new visits; returns when the last one is over."""
        self._over.set()
        for thread in self._threads:
            thread.join()

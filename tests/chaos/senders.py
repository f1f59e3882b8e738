# SPDX-License-Identifier: ISC
"""Mail servers that send to us: they come back after a 4xx or a lost
connection, with the same message, until they hear 250."""

import itertools
import ssl
import threading
import time

from client import Gone
from waiting import TooLate

PATIENCE_S = 15  # with one command
PAUSE_S = 0.5  # at most, between two messages
SLOW_S, SLOW_PARTS = 1.5, 5  # one message of a slow sender
RETRY_S = 0.3  # a real one waits minutes


class Later(Exception):
    """A reply that is not the one to go on with."""


class Failed(Exception):
    """5xx: a good message was refused for good."""


def _next(reply, code):
    if reply.code == code:
        return reply
    text = reply.lines[-1]
    if reply.code >= 500:
        raise Failed(text)
    raise Later(text)


class Attempt:
    """One connection that tries to deliver one message."""

    def __init__(self, connect, message, source, tls, slow):
        self._connect, self._message = connect, message
        self._source, self._tls, self._slow = source, tls, slow
        self.dotted = False  # the final dot is out and not answered

    def _ehlo(self, client):
        return _next(client.ask("EHLO sender.test"), 250).lines

    def run(self):
        with self._connect(self._source, timeout=PATIENCE_S) as client:
            _next(client.reply(), 220)
            offered = self._ehlo(client)
            if self._tls and any(l[4:] == "STARTTLS" for l in offered):
                _next(client.ask("STARTTLS"), 220)
                client.start_tls()
                self._ehlo(client)
            _next(client.ask("MAIL FROM:<sender@sender.test>"), 250)
            _next(client.ask("RCPT TO:<inbox@example.test>"), 250)
            _next(client.ask("DATA"), 354)
            self._send_message(client)
            # It has its 250; what comes now is manners.
            try:
                client.ask("QUIT")
            except (Gone, TooLate, AssertionError, OSError):
                pass

    def _send_message(self, client):
        client.send("Message-ID: <%s@chaos.test>\r\n" % self._message.name)
        client.send("Subject: chaos\r\n\r\n")
        for _ in range(SLOW_PARTS if self._slow else 1):
            client.send("some text\r\n" * 20)
            if self._slow:
                client.pause(SLOW_S / SLOW_PARTS)
        self.dotted = True
        client.send(".\r\n")
        reply = client.reply()
        self.dotted = False
        _next(reply, 250)


class Senders:
    """Some mail servers of a kind, whose name says when they use TLS or send
    slowly. `sources` gives the address of each new
    message; a retry comes from the same. They pause for up to PAUSE_S, by
    `dice`, so that they are never all in the same place."""

    def __init__(self, ledger, connect, kind, sources, servers, dice):
        self.kind = kind
        self._ledger, self._connect = ledger, connect
        self._sources, self._dice = sources, dice
        self._no_more = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(servers)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self):
        while not self._no_more.is_set():
            with self._lock:
                source = next(self._sources)
            self._deliver(self._ledger.new_message(self.kind), source)
            self._no_more.wait(self._dice.random() * PAUSE_S)

    def _deliver(self, message, source):
        """Until it is done, or the run is over."""
        while not message.accepted and not self._no_more.is_set():
            began = self._ledger.begin(message)
            attempt = Attempt(
                self._connect,
                message,
                source,
                tls="tls" in self.kind,
                slow="slow" in self.kind,
            )
            self._ledger.watch(attempt)
            try:
                attempt.run()
            except (
                Later,
                Failed,
                Gone,
                TooLate,
                AssertionError,
                OSError,
                ssl.SSLError,
            ) as why:
                self._ledger.fail(
                    message,
                    self.kind,
                    began,
                    "%s: %s: %s" % (source, type(why).__name__, why),
                    attempt.dotted,
                )
                time.sleep(RETRY_S)
            else:
                self._ledger.accept(message, self.kind)

    def stop(self):
        """What is under way is brought to an end, nothing new is begun."""
        self._no_more.set()
        for thread in self._threads:
            thread.join()


def one_after_another(network):
    """Addresses of a /16, each of them once before any comes again, and each
    in another /24 than the one before."""
    head = network.rpartition(".")[0].rpartition(".")[0]
    return itertools.cycle(
        "%s.%d.%d" % (head, n % 250, 1 + n // 250) for n in range(60000)
    )


def over_and_over(network, n):
    """A few addresses, in turns: the first one of so many /24s, of which none
    is a crowd even when nobody is known any more."""
    head, first = network.split(".")[:2], int(network.split(".")[2])
    return itertools.cycle(
        ".".join(head + [str(first + i), "1"]) for i in range(n)
    )

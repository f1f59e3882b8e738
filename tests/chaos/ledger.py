# SPDX-License-Identifier: ISC
"""What became of each message, by its sender's account, and what the mailbox
says.

A sender that heard 250 has handed over its message: it must be in the mailbox.
One whose connection went away between the final dot and the reply does not
know, and sends it again, so that there may be one copy for each such doubt. The
copies that count are smtpd's: two with the same queue id are Postfix's own
second delivery, after it was killed in the middle of the first."""

import os
import re
import threading
import time
from collections import Counter, defaultdict

ID = re.compile(rb"^Message-ID: <([^@>]+)@chaos\.test>\r?$", re.M | re.I)
QUEUE_ID = re.compile(rb"\bwith E?SMTPS? id ([0-9A-Za-z]+)")


class Message:
    """One message and its luck so far."""

    def __init__(self, name):
        self.name = name
        self.doubts = 0  # ends between the final dot and the reply
        self.accepted = False
        self.attempts = 0


class Ledger:
    """All messages, and all attempts that came to nothing."""

    def __init__(self):
        self._lock = threading.Lock()
        self._messages = {}
        self.failures = []  # (began, ended, kind of sender, reason)
        self.delivered = Counter()  # by kind of sender
        self._under_way = {}  # thread -> when its attempt began
        self._attempts = {}  # thread -> its last attempt

    def new_message(self, kind):
        with self._lock:
            name = "%s.%d" % (kind, len(self._messages))
            self._messages[name] = Message(name)
            return self._messages[name]

    def begin(self, message):
        """An attempt begins, in this thread; returns when."""
        with self._lock:
            message.attempts += 1
            now = time.monotonic()
            self._under_way[threading.get_ident()] = now
            return now

    def watch(self, attempt):
        """What this thread is at."""
        with self._lock:
            self._attempts[threading.get_ident()] = attempt

    def waiting_for_250(self):
        """How many have sent the final dot and wait for the reply."""
        with self._lock:
            return sum(a.dotted for a in self._attempts.values())

    def oldest_under_way(self):
        """When the oldest attempt that is not over began."""
        with self._lock:
            return min(self._under_way.values(), default=time.monotonic())

    def under_way(self):
        """How many attempts are."""
        with self._lock:
            return len(self._under_way)

    def accept(self, message, kind):
        with self._lock:
            del self._under_way[threading.get_ident()]
            message.accepted = True
            self.delivered[kind] += 1

    def fail(self, message, kind, began, why, doubt):
        with self._lock:
            del self._under_way[threading.get_ident()]
            message.doubts += doubt
            self.failures.append((began, time.monotonic(), kind, why))

    def failed_since(self, moment):
        """Attempts that ended badly after that moment."""
        with self._lock:
            return [f for f in self.failures if f[1] >= moment]

    def counts(self):
        with self._lock:
            return dict(self.delivered)

    def accepted(self):
        with self._lock:
            return {m.name for m in self._messages.values() if m.accepted}

    def summary(self):
        messages = self._messages.values()
        told = "%d messages, %d accepted, %d attempts, %d failed, %d in doubt"
        return told % (
            len(messages),
            sum(m.accepted for m in messages),
            sum(m.attempts for m in messages),
            len(self.failures),
            sum(m.doubts for m in messages),
        )

    def judge(self, found):
        """Complaints about a mailbox, as found() reads it."""
        complaints = []
        for message in self._messages.values():
            copies = len(set(found.get(message.name, ())))
            allowed = message.doubts + message.accepted
            if message.accepted and copies == 0:
                complaints.append("%s: had a 250 and is lost" % message.name)
            elif copies > allowed:
                complaints.append(
                    "%s: %d copies, %d can be explained"
                    % (message.name, copies, allowed)
                )
        for name in set(found) - set(self._messages):
            complaints.append("%s: nobody sent it" % name)
        return complaints


def found(mailbox):
    """Message name -> the queue ids of its copies."""
    copies = defaultdict(list)
    directory = os.path.join(mailbox, "new")
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        with open(os.path.join(directory, name), "rb") as f:
            text = f.read()
        message, queue_id = ID.search(text), QUEUE_ID.search(text)
        copies[message[1].decode() if message else name].append(
            queue_id[1].decode() if queue_id else name
        )
    return copies

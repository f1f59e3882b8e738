# SPDX-License-Identifier: ISC
"""Which program screens, and where the two are meant to differ.

The same scenario runs with either, which shows "same verdicts, same log
lines". Whatever a scenario expects differently is a line here, with the reason
in its comment, and nowhere else."""

import os
import re

ROOT = os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
)


class Screener:
    """What a scenario may ask about the program under test."""

    def __init__(self, name):
        self.name = name
        self.is_doorbelld = name == "doorbelld"
        if self.is_doorbelld:
            self.path = os.path.abspath(
                os.environ.get(
                    "DOORBELLD", os.path.join(ROOT, "build/plain/doorbelld")
                )
            )
            # Timers are exact to the millisecond.
            self.greet_wait = 1
            self.time = r"\d+\.\d{1,2}"
            self.inexact = 0.0
        else:
            self.path = None
            # Whole-second timers, up to a second early: 2 is the
            # shortest wait that is one.
            self.greet_wait = 2
            self.time = r"(?:0|0\.\d{1,2}|[1-9](?:\.[1-9])?|\d{2,})"
            self.inexact = 1.0

    # A drop acts as soon as the verdict is certain.
    @property
    def drops_early(self):
        return self.is_doorbelld

    # pre_queue_limit refuses nobody, post_queue_limit queues.
    @property
    def refuses_at_limits(self):
        return not self.is_doorbelld

    # postscreen 3.7.11 keeps every reply that a client does not read: 50 MB
    # after a million commands.
    @property
    def bounds_replies(self):
        return self.is_doorbelld

    def helo(self, word):
        """The HELO name cannot forge log fields."""
        return re.sub("[<>,]", "?", word) if self.is_doorbelld else word

    def pregreet(self, text):
        """The PREGREET line of `text`, given as its escaped form and count."""
        count, escaped = text
        return re.compile(
            r"PREGREET %d after %s from C: %s"
            % (count, self.time, re.escape(escaped))
        )

    def hangup(self, where):
        return re.compile(
            r"HANGUP after %s from C in tests %s SMTP handshake"
            % (self.time, where)
        )

    def discarding(self, keywords):
        """A colon between address and port. The place for
        both is left open."""
        colon = ":" if self.is_doorbelld else ""
        return "[%%s]%s%%d: discarding EHLO keywords: %s" % (colon, keywords)

    def incomplete(self, score):
        """The story says when a score lacks an answer."""
        if not self.is_doorbelld:
            return []
        return ["DNSBL score %d incomplete for C" % score]

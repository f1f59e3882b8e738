# SPDX-License-Identifier: ISC
"""The log of one instance: read while it grows, waited on, and compared.

Lines are taken apart with the framing that doorbelld(8) promises; a line that does not
fit it is an error of the test run, whoever wrote it.
"""

import re
from collections import namedtuple

from waiting import GENEROUS_S, TooLate, until

# maillog_file: what postlogd(8) writes. Standalone: the same without a stamp.
POSTLOG = re.compile(
    r"(?P<stamp>[A-Z][a-z]{2} [ 0-3]\d \d\d:\d\d:\d\d) (?P<host>[^ .]+) "
    r"(?P<tag>[^ \[]+)\[(?P<pid>\d+)\]: (?P<text>.*)"
)
STDERR = re.compile(r"(?P<tag>[^ \[]+)\[(?P<pid>\d+)\]: (?P<text>.*)")

Line = namedtuple("Line", "tag pid text")

# Nobody may write these; a test that provokes one says so with expect().
TROUBLE = re.compile(
    r"warning: |error: |fatal: |panic: |.*bad command startup"
    r"|.*killed by signal|.*throttling"
)
# Postfix's own words that say nothing about the screener; "problem talking" is
# smtpd's, when a reload has ended the other daemon: it asks again.
HARMLESS = re.compile(
    r"warning: (dict_nis_init|group or other writable|symlink leaves|"
    r"/\S+: unused parameter|.*: unused parameter|"
    r"problem talking to service (\w+/)?(rewrite|anvil|cleanup): )"
)


# Behind smtpd Postfix has races of its own: a reload in the middle of a delivery
# makes the old and the new queue manager meet at one file. Mail is asserted by
# mailbox, so what these daemons say is nobody's verdict.
BEHIND_SMTPD = re.compile(
    r"postfix/(virtual|qmgr|cleanup|bounce|trivial-rewrite|anvil|error)"
)
ABOUT_THEM = re.compile(
    r"warning: (process )?/\S+/daemons/"
    r"(virtual|qmgr|cleanup|bounce|trivial-rewrite|anvil|error)\b.*"
)


def is_behind_smtpd(line):
    return bool(
        BEHIND_SMTPD.fullmatch(line.tag) or ABOUT_THEM.match(line.text)
    )


class Log:
    """The growing log file of an instance."""

    def __init__(self, path, tag, framing=POSTLOG):
        self.path = path
        self.tag = tag
        self.lines = []
        self._framing = framing
        self._read = 0
        self._rest = b""
        self._expected = []

    def refresh(self):
        """Take in what was written since the last look."""
        try:
            with open(self.path, "rb") as f:
                f.seek(self._read)
                fresh = f.read()
        except FileNotFoundError:
            return
        self._read += len(fresh)
        whole, newline, self._rest = (self._rest + fresh).rpartition(b"\n")
        for raw in whole.split(b"\n") if newline else ():
            self.lines.append(self._parse(raw))

    def _parse(self, raw):
        text = raw.decode("utf-8")
        match = self._framing.fullmatch(text)
        assert match, "a log line without the right framing: %r" % text
        return Line(match["tag"], int(match["pid"]), match["text"])

    def mark(self):
        """A place in the log: what comes later is at or after it."""
        self.refresh()
        return len(self.lines)

    def find(self, pattern, after=0, tag=None):
        """Matches of all lines that `pattern` describes from end to end."""
        self.refresh()
        wanted = re.compile(pattern)
        return [
            m
            for m in (
                wanted.fullmatch(line.text)
                for line in self.lines[after:]
                if tag is None or line.tag == tag
            )
            if m
        ]

    def wait_for(
        self, pattern, timeout=GENEROUS_S, after=0, count=1, tag=None
    ):
        """Wait until `count` lines match; returns the match of the last."""
        return until(
            lambda: self.find(pattern, after, tag)[count - 1 : count],
            lambda: "log line %r; the log:\n%s" % (pattern, self.tail()),
            timeout,
        )[0]

    def tail(self, n=60):
        self.refresh()
        return "\n".join("%s[%d]: %s" % line for line in self.lines[-n:])

    def of(self, client):
        """What was logged about a connection, its endpoints written C and S.

        `client` is a client.Client. The DNSBL lines, which have an address
        only, are found with listed()."""
        self.refresh()
        mine = re.compile(r"(?<![\w.:])" + re.escape(client.me) + r"(?!\d)")
        return [
            mine.sub("C", line.text).replace("to " + client.server, "to S")
            for line in self.lines
            if line.tag == self.tag and mine.search(line.text)
        ]

    def tells(self, client, *story):
        """Wait until that much was logged about a connection; it is exactly
        this story, in this order."""
        self._await(lambda: self.of(client), story)

    def tells_listed(self, address, *story, after=0):
        """The same for the dnsblog lines about an address; lists may answer
        in any order."""
        self._await(
            lambda: sorted(
                m[0]
                for m in self.find(
                    r"addr %s listed by domain \S+ as \S+"
                    % re.escape(address),
                    after,
                )
            ),
            sorted(story),
        )

    def _await(self, lines, story):
        try:
            until(lambda: len(lines()) >= len(story), "log lines")
        except TooLate:
            pass
        same(lines(), story)

    def expect(self, pattern):
        """This trouble is part of the test."""
        self._expected.append(re.compile(pattern))

    def unexpected(self):
        """Trouble that no test asked for."""
        self.refresh()
        return [
            "%s[%d]: %s" % line
            for line in self.lines
            if TROUBLE.match(line.text)
            and not HARMLESS.match(line.text)
            and not is_behind_smtpd(line)
            and not any(e.fullmatch(line.text) for e in self._expected)
        ]


def same(lines, patterns):
    """The lines are these, in this order and no others.

    A pattern that is a string is compared, one that was compiled is matched
    from end to end."""
    ok = len(lines) == len(patterns) and all(
        p.fullmatch(line) if hasattr(p, "fullmatch") else p == line
        for line, p in zip(lines, patterns)
    )
    assert ok, "logged:\n  %s\nexpected:\n  %s" % (
        "\n  ".join(lines),
        "\n  ".join(getattr(p, "pattern", p) for p in patterns),
    )

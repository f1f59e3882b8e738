# SPDX-License-Identifier: ISC
"""The table: one row for each thing that is measured, its goal, the verdict.

A goal compares what doorbelld needs with what a rival needs in the same run, or
with a fixed number. Absolute figures wander with the machine and its other
users; ratios hardly do."""

import json
import statistics
from collections import namedtuple

US, CPU_MS, COUNT, BYTES = "us", "ms", "", "B"

# `than`: a contestant, or None for a plain number.
Goal = namedtuple("Goal", "limit than")


def at_most(limit, than=None):
    return Goal(limit, than)


def half(than):
    return Goal(0.5, than)


Row = namedtuple("Row", "key what unit digits goals")
CONTESTANTS = "doorbelld", "postscreen", "floor"

ROWS = [
    Row(
        "fast.cpu1",
        "known client, one at a time: CPU per session",
        US,
        1,
        [half("postscreen"), at_most(2, "floor")],
    ),
    Row(
        "fast.cpu8",
        "known client, eight at a time: CPU per session",
        US,
        1,
        [half("postscreen"), at_most(2, "floor")],
    ),
    Row("fast.sum8", "  the same with what master(8) does for it", US, 1, []),
    Row(
        "fast.cpu6",
        "  the same from IPv6 addresses",
        US,
        1,
        [half("postscreen")],
    ),
    Row(
        "fast.calls",
        "known client: system calls per session",
        COUNT,
        1,
        [at_most(14)],
    ),
    Row(
        "fast.p50",
        "known client, one at a time: median latency",
        US,
        0,
        [at_most(70)],
    ),
    Row("fast.p99", "known client, one at a time: 99th percentile", US, 0, []),
    Row(
        "new.cpu",
        "new client, no lists: CPU per session",
        US,
        1,
        [at_most(0.4, "postscreen")],
    ),
    Row(
        "new.calls",
        "new client, no lists: system calls per session",
        COUNT,
        1,
        [],
    ),
    Row(
        "new5.cpu",
        "new client, 5 lists: CPU per session, helpers and all",
        US,
        1,
        [at_most(0.15, "postscreen")],
    ),
    Row("new5.alone", "  the same, the screen alone", US, 1, []),
    Row(
        "pregreet.enforce",
        "talks too early, refused at RCPT: CPU per session",
        US,
        1,
        [at_most(0.4, "postscreen")],
    ),
    Row(
        "pregreet.drop",
        "talks too early, dropped: CPU per session",
        US,
        1,
        [at_most(0.4, "postscreen")],
    ),
    Row("hangup.cpu", "client that hangs up: CPU per session", US, 1, []),
    Row(
        "memory.greet",
        "held, before the greeting: memory each",
        BYTES,
        0,
        [at_most(0.7 * 1024)],
    ),
    Row(
        "memory.dialogue",
        "held, in the dialogue: memory each",
        BYTES,
        0,
        [at_most(1.2 * 1024)],
    ),
]

HELD = 0, 1000, 5000, 10000, 18000
for _n in HELD:
    ROWS.append(
        Row(
            "held.%d" % _n,
            "known client while %d zombies are held: CPU" % _n,
            US,
            1,
            [],
        )
    )
ROWS.append(
    Row(
        "held.growth",
        "  growth: at the most held, against none",
        "x",
        2,
        [at_most(1.3)],
    )
)
for _n in HELD:
    ROWS.append(
        Row(
            "zombie.%d" % _n,
            "the next zombie when %d are held: CPU" % _n,
            US,
            1,
            [],
        )
    )
ROWS.append(
    Row(
        "zombie.growth",
        "  growth: at the most held, against none",
        "x",
        2,
        [at_most(1.3)],
    )
)

ROWS += [
    Row(
        "burst.hang",
        "10,000 new at once, 5 lists: hang",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row("burst.away", "  sent away", COUNT, 0, [at_most(0)]),
    Row(
        "burst.skipped",
        "  pass though the first list has them",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row(
        "burst.incomplete",
        "  scores said to be incomplete",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row(
        "burst.dropped",
        "  datagrams that found no room in a socket",
        COUNT,
        0,
        [],
    ),
    Row("burst.processes", "  processes at most", COUNT, 0, [at_most(1)]),
    Row("burst.memory", "  memory at most", "MB", 1, []),
    Row(
        "descriptors.strangers",
        "4,096 descriptors, 20,000 bots: strangers of " "1,000 lost",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row(
        "descriptors.known",
        "  known clients of 1,000 lost",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row("descriptors.died", "  deaths of the screen", COUNT, 0, [at_most(0)]),
    Row(
        "silent.known",
        "10,000 silent zombies, real smtpd: known of 200 lost",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row("silent.new", "  strangers of 200 lost", COUNT, 0, [at_most(0)]),
    Row(
        "storm.away",
        "2,000 new at 1,500/s, real smtpd: sent away",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row("storm.hang", "  hang", COUNT, 0, [at_most(0)]),
    Row(
        "mixed.p50",
        "known client while 2,000 new come a second: median",
        US,
        0,
        [],
    ),
    Row("mixed.p99", "  99th percentile", US, 0, [at_most(5000)]),
    Row("mixed.max", "  at most", US, 0, []),
    Row("mixed.lost", "  strangers lost", COUNT, 0, [at_most(0)]),
    Row(
        "hole.cpu",
        "one list of 5 black-holed, 50 new/s: CPU per session",
        US,
        0,
        [],
    ),
    Row(
        "hole.ratio", "  times that with healthy lists", "x", 2, [at_most(1.2)]
    ),
    Row("hole.processes", "  processes at most", COUNT, 0, [at_most(1)]),
    Row("hole.memory", "  memory at most", "MB", 1, [at_most(20)]),
    Row("hole.p50", "the same, 2,000 new/s: known client's median", US, 0, []),
    Row("hole.p99", "  99th percentile", US, 0, [at_most(5000)]),
    Row("hole.max", "  at most", US, 0, []),
    Row("hole.lost", "  strangers lost", COUNT, 0, [at_most(0)]),
    Row(
        "reload.lost",
        "reload under load: strangers of 400 lost",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row(
        "reload.forgotten", "  passes of 400 forgotten", COUNT, 0, [at_most(0)]
    ),
    Row(
        "kill9.forgotten",
        "kill -9: passes older than a second forgotten, of " "400",
        COUNT,
        0,
        [at_most(0)],
    ),
    Row(
        "kill9.syncs",
        "disk syncs that the event loop waits for, per new " "client",
        COUNT,
        2,
        [at_most(0)],
    ),
    Row(
        "start.first",
        "first connection after a start, served after",
        "ms",
        1,
        [at_most(15)],
    ),
    Row(
        "start.million",
        "  the same with 1,000,000 clients in the cache",
        "ms",
        1,
        [at_most(15)],
    ),
    Row("cache.lookup", "cache of 1,000,000: lookup", US, 2, [at_most(3)]),
    Row(
        "cache.update",
        "  update, writer and all, amortized",
        US,
        2,
        [at_most(5)],
    ),
    Row(
        "cache.stall",
        "  longest call during a full cleanup",
        US,
        0,
        [at_most(1000)],
    ),
]


class Book:
    """What was measured, by row and contestant, each run a value."""

    def __init__(self, rows=None):
        self.rows = {row.key: row for row in rows or ROWS}
        self.values = {}
        self.mistakes = []
        self.unmeasured = []

    def put(self, key, contestant, value):
        assert key in self.rows, key
        self.values.setdefault(key, {}).setdefault(contestant, []).append(
            value
        )

    def get(self, key, contestant):
        values = self.values.get(key, {}).get(contestant)
        return statistics.median(values) if values else None

    def mistake(self, scenario, text):
        """A session of doorbelld got a wrong answer, or none."""
        self.mistakes.append("%s: %s" % (scenario, text))

    def could_not(self, text):
        if text not in self.unmeasured:
            self.unmeasured.append(text)

    # --- verdicts ------------------------------------------------------------
    def verdicts(self, row):
        """For each goal (limit, reached, text); None for what is not known."""
        mine = self.get(row.key, "doorbelld")
        for goal in row.goals:
            base = 1 if goal.than is None else self.get(row.key, goal.than)
            if mine is None or base is None:
                continue
            allowed = goal.limit * base
            text = (
                "<= %g" % goal.limit
                if goal.than is None
                else "<= %g x %s" % (goal.limit, goal.than)
            )
            if mine <= allowed:
                yield text + " met"
            elif allowed == 0:
                yield text + " MISSED: %g" % mine
            else:
                yield text + " MISSED by %.0f %%" % (
                    (mine / allowed - 1) * 100
                )

    def print(self, out):
        head = "%-58s %10s %10s %6s %8s %6s  %s" % (
            "",
            "doorbelld",
            "postscreen",
            "ratio",
            "floor",
            "ratio",
            "goal",
        )
        print(head, file=out)
        for row in self.rows.values():
            if row.key not in self.values:
                continue
            print(self._line(row), file=out)
        for text in self.unmeasured:
            print("not measured: " + text, file=out)
        for text in self.mistakes:
            print("WRONG: " + text, file=out)

    def _line(self, row):
        mine, theirs, floor = (self.get(row.key, c) for c in CONTESTANTS)

        def number(value):
            return "-" if value is None else "%.*f" % (row.digits, value)

        def ratio(base):
            return "%.2f" % (mine / base) if mine is not None and base else ""

        return "%-58s %10s %10s %6s %8s %6s  %s" % (
            row.what + (", " + row.unit if row.unit else ""),
            number(mine),
            number(theirs),
            ratio(theirs),
            number(floor),
            ratio(floor),
            "; ".join(self.verdicts(row)),
        )

    # --- files ---------------------------------------------------------------
    def as_json(self, about):
        return dict(
            about,
            rows=[
                {
                    "key": row.key,
                    "what": row.what.strip(),
                    "unit": row.unit,
                    "values": self.values[row.key],
                    "median": {
                        c: self.get(row.key, c) for c in self.values[row.key]
                    },
                    "goals": list(self.verdicts(row)),
                }
                for row in self.rows.values()
                if row.key in self.values
            ],
            not_measured=self.unmeasured,
            wrong=self.mistakes,
        )

    def compare(self, path, out):
        """This run beside an older one: doorbelld against its rivals."""
        with open(path) as f:
            old = json.load(f)
        print(
            "\nagainst %s (ratios to postscreen, then to the floor)"
            % old.get("commit", path),
            file=out,
        )
        for then in old["rows"]:
            key = then["key"]
            if key not in self.values or "doorbelld" not in then["median"]:
                continue
            words = []
            for base in "postscreen", "floor":
                a, b = then["median"].get(base), self.get(key, base)
                if a and b:
                    words.append(
                        "%.2f -> %.2f"
                        % (
                            then["median"]["doorbelld"] / a,
                            self.get(key, "doorbelld") / b,
                        )
                    )
            if not words:
                words.append(
                    "%g -> %g"
                    % (then["median"]["doorbelld"], self.get(key, "doorbelld"))
                )
            print(
                "%-58s %s" % (self.rows[key].what, "   ".join(words)), file=out
            )

# SPDX-License-Identifier: ISC
"""make chaos: one part after another is killed, stopped, filled and broken
while mail flows; at the end no mail is lost and none is there twice.

    CHAOS_SECONDS  how long faults are begun (default 600)
    CHAOS_SEED     their order (default: a new one, which is printed)
    FAULTS         some of them, comma separated, in this order

Every fault waits until it shows, and is over when each kind of sender has
delivered again. Status 1 when a message with a 250 is lost or there too often,
when a reload costs a connection, when a process crashes, counters do not add up
or something is left running."""

import argparse
import os
import random
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "soak"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

# pylint: disable=wrong-import-position
from faults import FAULTS
from house import House, say
from waiting import TooLate, until

# What may go wrong while a fault is at work, and is a failure of the run.
TROUBLE = (AssertionError, OSError, subprocess.SubprocessError)

TELLABLE = 600  # characters of a complaint; the log has the rest

KEPT = os.path.join(
    os.path.dirname(os.path.dirname(HERE)), "build", "chaos.log"
)

IN_THE_MIDDLE = 5  # senders that have begun, when a fault strikes


class Chaos:
    """The faults in their order, and what they did."""

    def __init__(self, seconds, seed, names):
        self.seconds = seconds
        self.random = random.Random(seed)
        self.names = names
        self.complaints = []
        self.unaccounted = 0  # connections of processes that were killed
        self.done = 0

    def _order(self):
        """All faults, in an order of their own each time; or those named."""
        if self.names:
            yield from (f for n in self.names for f in FAULTS if f.title == n)
            return
        while True:
            order = list(FAULTS)
            self.random.shuffle(order)
            yield from order

    def _complain(self, text):
        if len(text) > TELLABLE:
            text = text[:TELLABLE] + " ..."
        say("FAILED: " + text)
        self.complaints.append(text)

    def _strike(self, house, fault):
        """One fault, and all that has to hold afterwards."""
        calm = self._calm(house)
        mark = house.log.mark()
        began = time.monotonic()
        try:
            fault(house)
            struck = time.monotonic()
            house.delivers()
        except TROUBLE as why:
            self._complain("%s: %s" % (fault.title, why))
            struck = time.monotonic()
        failed = [f for f in house.ledger.failed_since(calm) if f[0] >= calm]
        say(
            "%-28s %5.1f s, healed in %4.1f s, %3d attempts failed"
            % (
                fault.title,
                struck - began,
                time.monotonic() - struck,
                len(failed),
            )
        )
        if fault.harmless:
            for _, _, kind, why in failed[:5]:
                self._complain("%s: %s: %s" % (fault.title, kind, why))
        elif not fault.refuses_mail:
            for _, _, kind, why in failed:
                if ": Failed: " in why:
                    self._complain("%s: %s: %s" % (fault.title, kind, why))
        lost = house.unaccounted()
        if lost != self.unaccounted and not fault.kills:
            self._complain(
                "%s: connections that are not accounted for: %d, then %d"
                % (fault.title, self.unaccounted, lost)
            )
        self.unaccounted = lost
        for line in house.crashes(mark)[:5]:
            if not fault.crashes:
                self._complain("%s: %s" % (fault.title, line))
        self.done += 1

    def _calm(self, house):
        """The moment from which all that goes wrong is news."""
        healed = time.monotonic()
        until(
            lambda: house.ledger.oldest_under_way() >= healed,
            "the end of what began before",
            60,
        )
        until(
            lambda: house.ledger.under_way() >= IN_THE_MIDDLE,
            "senders in the middle of something",
        )
        return healed

    def _end(self, house):
        mark = house.log.mark()
        house.close_traffic()
        found = house.deliver_all()
        self.complaints += house.ledger.judge(found)
        say(house.ledger.summary())
        again = sum(len(ids) - len(set(ids)) for ids in found.values())
        say(
            "%d in the mailbox, %d of them by Postfix delivering again"
            % (sum(map(len, found.values())), again)
        )
        house.postfix.stop()
        try:
            until(lambda: not house.postfix.leftovers(), "an empty house", 60)
        except TooLate:
            self._complain("left running: %s" % house.postfix.leftovers())
        for line in house.crashes(mark):
            self._complain(line)

    def run(self):
        house = House(random.Random(self.random.random()))
        end = time.monotonic() + self.seconds
        try:
            house.open()
            house.delivers()
            for fault in self._order():
                if time.monotonic() >= end:
                    break
                self._strike(house, fault)
            self._end(house)
        except TROUBLE as why:
            self._complain("the run broke off: %s" % why)
        finally:
            house.close_traffic()
            if self.complaints:
                shutil.copy(house.log.path, KEPT)
                say("the log: " + KEPT)
            for text in house.close():
                self._complain(text)
        return self.complaints


def main():
    parser = argparse.ArgumentParser(description="a chaos run")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--faults", default="")
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("master(8) has to be started by root")
    names = [n.replace("_", " ") for n in options.faults.split(",") if n]
    unknown = set(names) - {f.title for f in FAULTS}
    if unknown:
        sys.exit("no such fault: %s" % ", ".join(sorted(unknown)))
    seed = options.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 31)
    say("seed %d" % seed)
    chaos = Chaos(options.seconds, seed, names)
    complaints = chaos.run()
    for text in complaints[:60]:
        print("FAILED: " + text)
    say(
        "verdict after %d faults: %s"
        % (
            chaos.done,
            "%d failures" % len(complaints) if complaints else "good",
        )
    )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

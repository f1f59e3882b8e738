# SPDX-License-Identifier: ISC
"""make soak: mixed traffic for a long time, after which nothing has grown.

    SOAK_SECONDS   how long, in all (default 600)
    SOAK_RELOAD    seconds between reloads; 0 for none (default 20)
    SOAK_PACE      good sessions a second, as a share of the usual (default 1)

One doorbelld in front of the smtpd of a real Postfix, and a real rbldnsd. It
runs without master(8), so that reloads happen in the process and what they
leak is seen; every second reload turns the deep tests on or off. The traffic
comes in rounds. After each everybody has gone: then the counters have to add
up to what the clients have counted, and memory and descriptors to be what they
were. Status 1 when a good session was not served or anything does not add
up."""

import argparse
import itertools
import os
import shutil
import sys
import threading
import time
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))

# pylint: disable=wrong-import-position
import crowd
import figures
import guests
import processes
from conftest import Ring
from ctl import Ctl
from dns import Zone, listed
from postfix import OWNER
from screener import Screener
from test_starttls import make_key
from waiting import TooLate, until

ROUNDS = 10
SHORTEST_ROUND_S = 4
SESSION_LIMIT = 300
LISTED_NETWORK = "127.62.0.0"
KNOWN_NETWORK = "127.61.0.0"
DEEP = ("pipelining", "non_smtp_command", "bare_newline")

# Sessions a second, and who they are, by the load generator.
CROWDS = (
    # name, manners, network, a second, good, how many addresses
    ("known", "mail", KNOWN_NETWORK, 20, True, 100),
    ("strangers", "mail", "127.%d.0.0", 15, True, None),
    ("pregreeters", "pregreet", "127.63.0.0", 15, False, None),
    ("hang-ups", "hangup", "127.64.0.0", 10, False, None),
)
# Silent ones: of a listed network more than there is room for, and some that
# nobody lists, who wait in smtpd or in the deep tests.
LISTED_ZOMBIES = SESSION_LIMIT * 3 // 2
UNLISTED_A_SECOND = 5

Door = namedtuple("Door", "port screener network")


def address_in(network, n):
    """The n-th address of a /16 that load.c does not use: from the far end."""
    return "%s.%d.%d" % (
        network.rpartition(".")[0].rpartition(".")[0],
        255 - n // 250 % 5,
        1 + n % 250,
    )


class House:
    """Postfix, rbldnsd, and the doorbelld that is watched."""

    def __init__(self):
        self.ring = Ring(Screener("doorbelld"))
        try:
            self._build()
        except BaseException:
            self.ring.clean_up()
            self.ring.remove()
            raise

    def _build(self):
        ring = self.ring
        ring.lists(
            Zone(
                "bl.test",
                listed(LISTED_NETWORK + "/16", "127.0.0.2"),
                negative_ttl=3600,
            )
        )
        postfix = ring.build(
            smtpd_client_connection_count_limit="0",
            smtpd_timeout="3s",
        )
        tls = make_key(postfix, "usual")
        # A reload reads them as the user that doorbelld has become.
        shutil.chown(tls + ".key", OWNER)
        keys = {
            "smtpd_tls_security_level": "may",
            "smtpd_tls_cert_file": tls + ".pem",
            "smtpd_tls_key_file": tls + ".key",
        }
        postfix.main.update(keys)
        for line in (
            'service "smtpd" .* has reached its process limit .*',
            "to avoid this condition, increase the process count .*",
            "see .*STRESS_README.* for examples of stress-adapting .*",
        ):
            postfix.log.expect("warning: " + line)
        postfix.start()
        self.bell = ring.standalone(
            postfix,
            doorbell_dnsbl_sites="bl.test",
            doorbell_dnsbl_action="enforce",
            doorbell_greet_action="enforce",
            doorbell_session_limit=str(SESSION_LIMIT),
            doorbell_client_connection_count_limit="0",
            doorbell_command_time_limit="100s",
            doorbell_suspect_command_time_limit="100s",
            **keys
        ).start()
        self.bell.log.expect("warning: write .*")
        self.door = Door(self.bell.port, postfix.screener, postfix.network)
        self.ctl = Ctl(postfix.screener, self.bell.file)
        self.postfix = postfix
        self.reloads = 0

    def status(self):
        return self.ctl.json("status")

    def reload(self):
        """Read the configuration again, every second time another one."""
        for test in DEEP:
            self.bell.main["doorbell_%s_enable" % test] = (
                "no" if self.reloads % 2 else "yes"
            )
        mark = self.bell.log.mark()
        self.bell.hangup()
        self.bell.log.wait_for("configuration reloaded", after=mark)
        self.reloads += 1

    def close(self):
        """Returns what the logs complain about."""
        try:
            self.ring.clean_up()
            return self.ring.complaints()
        finally:
            self.ring.remove()


class Watch:
    """Looks at the process once a second while there is traffic."""

    def __init__(self, house, reload_s):
        self.resident_kb = self.descriptors = self.sessions = 0
        self.failures = []
        self._house = house
        self._reload_s = reload_s
        self._reload_at = time.monotonic() + reload_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            while not self._over.wait(1):
                self._look()
        except (AssertionError, OSError, ValueError) as why:
            self.failures.append("looking at doorbelld: %s" % why)

    def _look(self):
        pid = self._house.bell.pid
        status = self._house.status()
        off = figures.imbalance(status)
        if off:
            self.failures.append("%d sessions too many: %s" % (off, status))
        self.sessions = max(self.sessions, status["sessions"])
        self.resident_kb = max(self.resident_kb, processes.resident_kb(pid))
        self.descriptors = max(self.descriptors, processes.descriptors(pid))
        if self._reload_s and time.monotonic() >= self._reload_at:
            self._reload_at += self._reload_s
            self._house.reload()

    def stop(self):
        self._over.set()
        self._thread.join()


class Round:
    """One time of traffic, up to the moment when all have gone."""

    def __init__(self, house, number, seconds, pace=1):
        self.house, self.number, self.seconds = house, number, seconds
        self.pace = pace
        self.connections = 0  # by the clients' account
        self.served = self.unserved = 0
        self.p99_ms = 0
        self.failures = []
        # They are all there when two thirds of the time are over.
        self.zombies_a_second = max(4, LISTED_ZOMBIES * 3 // (seconds * 2))

    def run(self, reload_s):
        watch = Watch(self.house, reload_s)
        try:
            self._traffic()
        finally:
            watch.stop()
        self.failures += watch.failures
        self.peak = watch

    def _crowds(self):
        for name, manners, network, rate, good, addresses in CROWDS:
            if good:
                rate = max(1, round(rate * self.pace))
            n = rate * self.seconds
            if "%" in network:
                network %= 100 + self.number % 80
            words = {"w": 300} if manners == "hangup" else {}
            yield name, good, crowd.Batch(
                self.house.door,
                manners,
                network,
                n,
                patience_s=30,
                a=addresses or n,
                c=rate * 10,
                r=rate,
                **words
            )

    def _guests(self):
        connect = self.house.bell.connect
        fresh = "127.%d.0.0" % (100 + self.number % 80)
        for behave, network, threads, good in (
            (guests.delivers, fresh, 4, True),
            (guests.delivers_by_tls, fresh, 3, True),
            (guests.hesitates, fresh, 1, True),
            (guests.delivers, KNOWN_NETWORK, 1, True),
            (guests.is_refused, LISTED_NETWORK, 4, False),
            (guests.reads_slowly, LISTED_NETWORK, 2, False),
            (guests.breaks_off, fresh, 1, False),
        ):
            # Each kind has addresses of its own.
            offset = itertools.count(self.number * 7919 + len(network))
            yield guests.Guests(
                connect,
                behave,
                lambda _, o=offset, w=network: address_in(w, next(o)),
                threads,
                good,
            )

    def _traffic(self):
        crowds = list(self._crowds())
        visitors = list(self._guests())
        zombies = [
            crowd.Zombies(self.house.door, network, n, rate, 50)
            for network, n, rate in (
                (LISTED_NETWORK, LISTED_ZOMBIES, self.zombies_a_second),
                (
                    "127.65.0.0",
                    UNLISTED_A_SECOND * self.seconds,
                    UNLISTED_A_SECOND,
                ),
            )
        ]
        try:
            for name, good, batch in crowds:
                self._count_crowd(name, good, batch.wait(self.seconds + 90))
        finally:
            for visitor in visitors:
                visitor.stop()
            for visitor in visitors:
                self._count_guests(visitor)
            for batch in zombies:
                report = batch.count()
                self.connections += report["n"] - report["no_door"]
                batch.close()
            for _, _, batch in crowds:
                batch.close()

    def _count_crowd(self, name, good, report):
        self.connections += report["n"] - report["no_door"]
        if report["no_door"]:
            self.failures.append("%s: nobody opens: %s" % (name, report))
        if not good:
            return
        self.served += report["greeted"]
        missing = report["n"] - report["greeted"]
        self.unserved += missing
        self.p99_ms = max(self.p99_ms, report["p99_us"] // 1000)
        if missing:
            self.failures.append("%s: not served: %s" % (name, report))

    def _count_guests(self, visitor):
        self.connections += visitor.connections
        if visitor.good:
            self.served += visitor.well
            self.unserved += len(visitor.complaints)
            for text in visitor.complaints[:5]:
                self.failures.append("%s: %s" % (visitor.name, text))
        elif visitor.well == 0 and visitor.connections:
            self.failures.append(
                "%s never came to an end as it should: %s"
                % (visitor.name, visitor.complaints[:3])
            )


HEAD = (
    "%5s %8s %8s" + " %7s" * 5 + " %7s %7s %8s %8s %5s %5s %6s"
)
COLUMNS = (
    ("round", "seconds", "clients", "handed", "relayed", "refused")
    + ("hung up", "shed", "served", "not", "idle kB", "peak kB")
    + ("fds", "peak", "p99 ms")
)


class Soak:
    """All rounds, the table, and the verdict."""

    def __init__(self, seconds, reload_s, pace):
        self.house = House()
        self.pace = pace
        self.round_s = max(SHORTEST_ROUND_S, seconds // ROUNDS)
        self.seconds = seconds
        self.reload_s = reload_s
        self.failures = []
        self.memory, self.descriptors = [], []
        self.began = time.monotonic()

    def _settle(self):
        """All have gone; returns the status then."""
        try:
            return until(
                lambda: (lambda s: s if s["sessions"] == 0 else None)(
                    self.house.status()
                ),
                "the end of all sessions",
                60,
            )
        except TooLate:
            self.failures.append("sessions stay though all clients have gone")
            return self.house.status()

    def _known(self):
        """Those who are known from now on, and a first round of everything."""
        report = crowd.clients(self.house.door, KNOWN_NETWORK, 100, 20)
        assert report["greeted"] == 100, report
        self._settle()

    def _play(self, number):
        pid = self.house.bell.pid
        before = self._settle()
        played = Round(self.house, number, self.round_s, self.pace)
        played.run(self.reload_s)
        after = self._settle()
        kb, fds = figures.private_kb(pid), processes.descriptors(pid)
        self.memory.append((time.monotonic() - self.began, kb))
        self.descriptors.append(fds)
        ways = [
            figures.total(after, way) - figures.total(before, way)
            for way in figures.WAYS_OUT
        ]
        came = figures.total(after, "connections") - figures.total(
            before, "connections"
        )
        print(
            HEAD
            % (
                (number, int(time.monotonic() - self.began), came)
                + tuple(ways)
                + (played.served, played.unserved, kb)
                + (played.peak.resident_kb, fds, played.peak.descriptors)
                + (played.p99_ms,)
            ),
            flush=True,
        )
        self.failures += ["round %d: %s" % (number, f) for f in played.failures]
        self.failures += [
            "round %d: %s" % (number, complaint)
            for complaint in figures.account(before, after, played.connections)
        ]

    def _judge(self):
        grown, allowed = figures.growth_kb(self.memory)
        print(
            "memory: %+.0f kB after the warm-up (%.0f allowed)"
            % (grown, allowed)
        )
        if grown > allowed and not processes.has_sanitizer(
            self.house.bell.pid
        ):
            self.failures.append("memory grows: %s" % self.memory)
        print("descriptors with nobody there: %s" % self.descriptors)
        if figures.descriptors_grow(self.descriptors):
            self.failures.append("descriptors grow: %s" % self.descriptors)
        if self.house.reloads:
            print("reloads: %d" % self.house.reloads)

    def run(self):
        pid = self.house.bell.pid
        try:
            self.descriptors.append(processes.descriptors(pid))
            self._known()
            print(HEAD % COLUMNS, flush=True)
            for number in itertools.count(1):
                self._play(number)
                spent = time.monotonic() - self.began
                if number > 1 and spent + self.round_s > self.seconds:
                    break
            self._judge()
            if not self.house.bell.is_alive() or self.house.bell.pid != pid:
                self.failures.append("doorbelld has ended")
        finally:
            self.failures += self.house.close()
        return self.failures


def main():
    parser = argparse.ArgumentParser(description="a long soak")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--reload", type=int, default=20)
    parser.add_argument("--pace", type=float, default=1)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("master(8) has to be started by root")
    failures = Soak(options.seconds, options.reload, options.pace).run()
    for failure in failures[:40]:
        print("FAILED: " + failure)
    print("verdict: " + ("%d failures" % len(failures) if failures else "good"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

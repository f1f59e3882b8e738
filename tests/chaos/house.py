# SPDX-License-Identifier: ISC
"""The mail system that is broken again and again: doorbelld under a master(8)
of its own, a real smtpd, a real rbldnsd, and a small disk for the cache."""

import os
import re
import stat
import subprocess
import time

import crowd
import figures
import ledger
import processes
import senders
from conftest import Ring
from ctl import Ctl
from dns import Zone, listed
from postfix import OWNER
from screener import Screener
from test_starttls import make_key
from waiting import TooLate, until

DISK = "1m"  # for the cache
SESSION_LIMIT = 200
LISTED_NETWORK = "127.62.0.0"
ACCESS = "127.66.0.0/16 permit\n"
HEALING_S = 60
ENDLESS = 1000000  # clients

# What must never be in the log, whatever is done to the parts.
CRASHES = re.compile(
    r"panic: .*|.*(doorbelld).* killed by signal (?!9\b|14\b).*"
)


class House:
    """The mail system and its senders."""

    ACCESS = ACCESS
    OWNER = OWNER

    def __init__(self, dice):
        self.random = dice
        self.ring = Ring(Screener("doorbelld"))
        self.disk = self.postfix = None
        self.crowds, self.senders = [], []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        ring = self.ring
        self.lists = ring.lists(
            Zone("bl.test", listed(LISTED_NETWORK + "/16", "127.0.0.2"))
        )
        self.postfix = postfix = ring.build(
            smtpd_client_connection_count_limit="0",
            smtpd_timeout="20s",
            service_throttle_time="2s",
            queue_run_delay="2s",
            minimal_backoff_time="1s",
            maximal_backoff_time="5s",
            postscreen_dnsbl_sites="bl.test",
            postscreen_dnsbl_action="enforce",
            postscreen_dnsbl_timeout="2s",
            postscreen_greet_action="enforce",
            # Whoever is silent does not keep a process that was replaced.
            postscreen_command_time_limit="5s",
            postscreen_pipelining_enable="yes",
            postscreen_non_smtp_command_enable="yes",
        )
        postfix.own.update(
            {
                "doorbell_suspect_command_time_limit": "5s",
                "doorbell_session_limit": str(SESSION_LIMIT),
                "doorbell_cache_map": "lmdb:" + self._mount_disk(),
                "doorbell_dnsbl_selftest_interval": "5s",
            }
        )
        self.access = postfix.file("access.cidr", ACCESS)
        postfix.main["postscreen_access_list"] = "cidr:" + self.access
        tls = make_key(postfix, "usual")
        postfix.main.update(
            smtpd_tls_security_level="may",
            smtpd_tls_cert_file=tls + ".pem",
            smtpd_tls_key_file=tls + ".key",
        )
        postfix.start()
        self.log = postfix.log
        self.ctl = Ctl(postfix.screener, postfix.config)
        self.ledger = ledger.Ledger()

    def _mount_disk(self):
        """Where the cache lives; a disk of its own, if we may have one."""
        path = os.path.join(self.postfix.directory, "disk")
        os.mkdir(path)
        if (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=" + DISK, "doorbell"]
                + [path],
                stderr=subprocess.DEVNULL,
                check=False,
            ).returncode
            == 0
        ):
            self.disk = path
        subprocess.run(["chown", OWNER, path], check=True)
        os.chmod(path, 0o755)
        self.cache = os.path.join(path, "cache")
        return self.cache

    def cache_files(self):
        """All that belongs to the cache, its lock and broken ones too."""
        directory = os.path.dirname(self.cache)
        names = sorted(os.listdir(directory))
        return [os.path.join(directory, name) for name in names]

    # --- traffic -------------------------------------------------------------
    def open(self):
        """Mail flows, and so does what comes with it."""
        connect = self.postfix.connect
        self.senders += [
            senders.Senders(
                self.ledger, connect, kind, sources, n, self.random
            )
            for kind, sources, n in (
                ("known", senders.over_and_over("127.61.0.0", 20), 3),
                ("known-tls", senders.over_and_over("127.61.100.0", 9), 1),
                ("known-slow", senders.over_and_over("127.61.120.0", 9), 2),
                ("permitted", senders.over_and_over("127.66.0.0", 9), 1),
                ("new", senders.one_after_another("127.60.0.0"), 4),
                ("new-tls", senders.one_after_another("127.67.0.0"), 2),
                ("new-slow", senders.one_after_another("127.68.0.0"), 2),
            )
        ]
        for manners, network in (
            ("pregreet", "127.63.0.0"),
            ("hangup", "127.64.0.0"),
            ("mail", LISTED_NETWORK),
        ):
            batch = crowd.Batch(
                self.postfix, manners, network, ENDLESS, 15, a=5000, c=50, r=4
            )
            self.crowds.append(batch)
        self.zombies(SESSION_LIMIT // 4, "127.65.0.0", stubborn=True)

    def zombies(self, n, network, rate=20, stubborn=False):
        """Silent clients who stay (or come back); returns them."""
        batch = crowd.Zombies(
            self.postfix, network, n, rate, 50, stubborn=stubborn
        )
        self.crowds.append(batch)
        return batch

    def strangers(self, n, network, rate):
        """Good ones in a crowd, who come once; returns them."""
        batch = crowd.Batch(
            self.postfix, "mail", network, n, 30, a=n, c=n, r=rate
        )
        self.crowds.append(batch)
        return batch

    def close_traffic(self):
        for group in self.senders:
            group.stop()
        self.senders = []
        for group in self.crowds:
            group.close()
        self.crowds = []

    # --- what can be seen ----------------------------------------------------
    def pid(self):
        return self.postfix.screener_pid()

    def screeners(self):
        """All of them, those who only finish what they began too."""
        return [
            pid
            for pid in self.postfix.leftovers()
            if processes.command(pid) == self.postfix.program
        ]

    def status(self):
        """None when it cannot be asked now."""
        try:
            return self.ctl.json("status")
        except AssertionError:
            return None

    def delivers(self, each=2, since=None):
        """Wait until every kind of sender has delivered so many more."""
        before = since or self.ledger.counts()

        def enough():
            now = self.ledger.counts()
            return all(
                now.get(group.kind, 0) >= before.get(group.kind, 0) + each
                for group in self.senders
            )

        until(
            enough,
            lambda: "mail of every kind (%s -> %s); failed last: %s"
            % (before, self.ledger.counts(), self.ledger.failures[-8:]),
            HEALING_S,
        )

    def crashes(self, after):
        """What the log says of them since the mark."""
        self.log.refresh()
        return [
            "%s[%d]: %s" % line
            for line in self.log.lines[after:]
            if CRASHES.fullmatch(line.text)
        ]

    def unaccounted(self):
        """Connections that are neither held nor have ended: those of processes
        that were killed. All processes add to the same counters, so we wait for
        those that only finish their sessions."""
        until(
            lambda: len(self.screeners()) == 1,
            lambda: "a single process, not %s" % self.screeners(),
            60,
        )
        status = until(self.status, "an answer of the control socket")
        return figures.imbalance(status)

    # --- the end -------------------------------------------------------------
    def deliver_all(self):
        """The queue runs empty; returns what is in the mailbox."""
        inbox = os.path.join(self.postfix.mail, "inbox")
        until(
            self._queue_is_empty,
            lambda: "an empty queue; the log:\n" + self.log.tail(),
            HEALING_S,
        )
        return ledger.found(inbox)

    def _queue_is_empty(self):
        """But for what a cleanup(8) that was killed has left half written: a
        message that is whole has the bit for that."""
        for queue in "incoming", "active", "deferred":
            top = os.path.join(self.postfix.queue, queue)
            for directory, _, names in os.walk(top):
                for name in names:
                    if _is_whole(os.path.join(directory, name)):
                        return False
        return True

    def close(self):
        """Nothing is left running; returns complaints."""
        complaints = []
        try:
            self.ring.clean_up()
            if self.postfix is not None:
                complaints += self.postfix.sanitizer_reports()
        except TooLate as why:
            complaints.append(str(why))
        finally:
            if self.disk is not None:
                subprocess.run(["umount", self.disk], check=False)
            self.ring.remove()
        return complaints


def _is_whole(path):
    try:
        return bool(os.stat(path).st_mode & stat.S_IXUSR)
    except FileNotFoundError:
        return False


def say(text):
    """With the time, at once."""
    print("%s %s" % (time.strftime("%H:%M:%S"), text), flush=True)

# SPDX-License-Identifier: ISC
"""The contestants: postscreen and doorbelld under a master(8) of their own, and
the bare loop, each in front of the same receiver; and what they cost."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import processes
from clients import KNOWN, KNOWN_BLOCKS, KNOWN_IPV6, Zombies, crowd
from postfix import Postfix
from screener import Screener
from waiting import until

TICK = os.sysconf("SC_CLK_TCK")
GREET_WAIT_S = 2  # the shortest that postscreen keeps at all

# Limits out of the way: what they do is a scenario of its own.
WIDE = {
    "postscreen_pre_queue_limit": "25000",
    "postscreen_post_queue_limit": "10000",
    "smtpd_client_connection_count_limit": "0",
}


def cpu_s(pid):
    """User and system time of all threads of a process, in seconds."""
    total = 0
    directory = "/proc/%d/task" % pid
    for task in os.listdir(directory):
        with open("%s/%s/schedstat" % (directory, task)) as f:
            total += int(f.read().split()[0])
    return total / 1e9


def cpu_of_the_dead_s(pid):
    """The same of its children that have ended."""
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[13]) + int(words[14])) / TICK


def anonymous_bytes(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * 1024
    raise KeyError("Anonymous")


class Contestant:
    """What all three have: a port, a receiver behind it, and a price."""

    def __init__(self, bench, name):
        self.bench = bench
        self.name = name
        self.port = None
        self._helpers = []
        self.directory = tempfile.mkdtemp(prefix="bench.")
        os.chmod(self.directory, 0o755)

    def _help(self, program, *arguments):
        self._helpers.append(
            subprocess.Popen(
                [self.bench.build + "/tests/bench/" + program, *arguments]
            )
        )

    def load(self, manners, source, n, **more):
        """Run clients to their end; returns their report."""
        return self.crowd(manners, source, n, **more).wait()

    def crowd(self, manners, source, n, **more):
        return crowd(self.bench.build, self.port, manners, source, n, **more)

    def known(self, n, c=1, **more):
        return self.load(
            "known", KNOWN, n, c=c, addresses=KNOWN_BLOCKS, **more
        )

    def zombies(self, manners="zombie", **more):
        return Zombies(
            self.bench.build, self.port, self.bench.sources, manners, **more
        )

    def price(self):
        """(seconds of the screen alone, with all it makes others do)"""
        alone = cpu_s(self.pid)
        return alone, alone

    def calls(self, work):
        """System calls of the screen while `work` runs, or None."""
        out = os.path.join(self.directory, "perf")
        counter = subprocess.Popen(
            [
                "perf",
                "stat",
                "-x,",
                "-e",
                "raw_syscalls:sys_enter",
                "-o",
                out,
                "-p",
                str(self.pid),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.4)
        if counter.poll() is not None:
            return None
        work()
        counter.send_signal(signal.SIGINT)
        counter.wait()
        with open(out) as f:
            for line in f:
                if line[0].isdigit():
                    return int(line.split(",")[0])
        return None

    def close(self):
        for helper in self._helpers:
            helper.kill()
            helper.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Floor(Contestant):
    """The bare loop."""

    def __init__(self, bench):
        super().__init__(bench, "floor")
        os.mkdir(os.path.join(self.directory, "private"))
        self.port = bench.ports.take()
        self._help("receiver", self.directory)
        self._help("floor", str(self.port), self.directory)
        self.pid = self._helpers[-1].pid
        until(lambda: processes.listens(self.pid, self.port), "the floor")


class Screen(Contestant):
    """postscreen or doorbelld. `real` has smtpd(8) behind it, not the
    receiver; `limit` is a descriptor limit for all of it."""

    def __init__(self, bench, name, own=None, real=False, limit=None, **main):
        super().__init__(bench, name)
        self.real = real
        self.lists = "postscreen_dnsbl_sites" in main
        p = self.postfix = Postfix(
            self.directory, bench.ports, Screener(name), _Network(limit)
        )
        p.without = ("postlog",) if real else ("smtpd", "postlog")
        p.main["postscreen_greet_wait"] = "%ds" % GREET_WAIT_S
        # Off unless a scenario is about it, as it is with postscreen.
        p.own["doorbell_dnsbl_selftest_interval"] = "0s"
        p.own["doorbell_dnsbl_skip_networks"] = ""
        p.main.update(main)
        p.own.update(own or {})
        self._help("logsink", p.queue, p.log.path)
        if not real:
            self._help("receiver", p.queue)
        sockets = ["public/postlog"] + ([] if real else ["private/smtpd"])
        until(
            lambda: all(
                os.path.exists(os.path.join(p.queue, s)) for s in sockets
            ),
            "the helpers",
        )
        p.start()
        self.port = p.port
        self.pid = None

    def wake(self):
        """master(8) starts it with the first connection."""
        self.load("hangup", self.bench.sources, 1, w=0)
        self.pid = self.postfix.screener_pid()
        return self

    def acquaint(self, ipv6=False):
        """Let the known clients become known, without touching a limit."""
        self.wake()
        doors = [(KNOWN, {})]
        if ipv6:
            doors.append((KNOWN_IPV6, {"d": "::1"}))
        for source, more in doors:
            for patience_s in 20, 1.9:
                report = self.load(
                    "known",
                    source,
                    KNOWN_BLOCKS,
                    c=KNOWN_BLOCKS,
                    r=30 if self.real else 400,
                    addresses=KNOWN_BLOCKS,
                    t=int(patience_s * 1000),
                    **more
                )
                if report["greeted"] != KNOWN_BLOCKS:
                    raise RuntimeError(
                        "%s does not know them: %r" % (self.name, report)
                    )
        return self

    def settle_in(self, **main):
        """Change main.cf and reload; knows its new process afterwards."""
        self.postfix.main.update(main)
        self.postfix.reload()
        self.known(20)
        time.sleep(0.3)
        self.pid = self.postfix.pids(self.postfix.program)[-1]

    def price(self):
        alone = cpu_s(self.pid)
        whole = alone + cpu_s(self.postfix.master)
        if self.lists:
            whole += cpu_of_the_dead_s(self.postfix.master)
            for pid in self.postfix.pids("dnsblog"):
                try:
                    whole += cpu_s(pid)
                except OSError:
                    pass  # it ended meanwhile and is counted next time
        return alone, whole

    def family(self):
        """The processes that screen: it, and what master(8) started for it."""
        found = []
        if self.lists:
            found += self.postfix.pids("dnsblog")
        return self.postfix.pids(self.postfix.program) + found

    def log_count(self, pattern):
        """How many log lines hold this."""
        with open(self.postfix.log.path, "rb") as f:
            return len(re.findall(pattern.encode(), f.read()))

    def close(self):
        self.postfix.clean_up()
        super().close()


class Watch:
    """The most processes and memory that a screen had meanwhile."""

    def __init__(self, screen):
        self._screen = screen
        self._end = threading.Event()
        self.processes = 0
        self.megabytes = 0.0
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _look(self):
        while not self._end.wait(0.3):
            pids = self._screen.family()
            self.processes = max(self.processes, len(pids))
            total = 0
            for pid in pids:
                try:
                    total += anonymous_bytes(pid)
                except OSError:
                    pass  # it ended meanwhile
            self.megabytes = max(self.megabytes, total / 1048576)


class _Network:
    """Where Postfix runs: here, perhaps with fewer descriptors."""

    def __init__(self, limit):
        self._limit = limit

    def command(self, argv):
        if self._limit is None:
            return argv
        return ["prlimit", "--nofile=%d" % self._limit] + argv

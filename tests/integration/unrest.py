# SPDX-License-Identifier: ISC
"""Runs a command while all of its processes stand still now and then.

    unshare --pid --fork --mount-proc python3 unrest.py [options] -- command ...

On a busy machine any process may have to wait between any two of its steps. Here
it does: each moment some of them, chosen at random, are stopped, and go on after
a while. What a test takes for granted, and did not wait for, shows.

It is the first process of a namespace of its own, so that it meets nobody else's
processes, and none outlives it. What is stopped already is left alone; but who
stops a process that stands still because of us will see it go on: such tests are
marked `stops`, and left out."""

import argparse
import heapq
import os
import random
import signal
import subprocess
import sys
import time

SHARE = 6  # one in so many is stopped at a time
SHORTEST_S = 0.005


def state(pid):
    """The letter of proc(5), or None."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def tell(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Unrest:
    def __init__(self, longest_s):
        self._longest_s = longest_s
        self._waking = []  # (when, pid)
        self._stopped = set()
        self.stops = 0

    def wake(self, now):
        """Who has stood long enough goes on."""
        while self._waking and self._waking[0][0] <= now:
            _, pid = heapq.heappop(self._waking)
            self._stopped.discard(pid)
            tell(pid, signal.SIGCONT)

    def stop_some(self, now, spared):
        pids = [
            int(name)
            for name in os.listdir("/proc")
            if name.isdigit() and int(name) not in spared
        ]
        for pid in random.sample(pids, -(-len(pids) // SHARE)):
            if pid in self._stopped or state(pid) not in ("R", "S", "D"):
                continue
            tell(pid, signal.SIGSTOP)
            self._stopped.add(pid)
            until = now + random.uniform(SHORTEST_S, self._longest_s)
            heapq.heappush(self._waking, (until, pid))
            self.stops += 1


def reap(child):
    """The command's status when it has ended; the first process of a namespace
    buries all orphans."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--longest", type=float, default=0.15, help="seconds")
    parser.add_argument("--pause", type=float, default=0.01, help="seconds")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if os.getpid() != 1:
        parser.error("not the first process of a namespace of its own")
    seed = given.seed if given.seed is not None else random.randrange(10**6)
    random.seed(seed)
    print("unrest: seed %d" % seed, flush=True)
    unrest = Unrest(given.longest)
    child = subprocess.Popen(given.command)
    result = None
    while result is None:
        unrest.wake(time.monotonic())
        unrest.stop_some(time.monotonic(), (1, child.pid))
        time.sleep(random.uniform(0, 2 * given.pause))
        result = reap(child.pid)
    print("unrest: %d stops" % unrest.stops)
    sys.exit(result)


if __name__ == "__main__":
    main()

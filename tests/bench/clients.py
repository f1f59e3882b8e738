# SPDX-License-Identifier: ISC
"""The load generator, as scenarios call it, and where its clients come from."""

import json
import subprocess

PER_PROCESS = 8000
BLOCKS = 250  # of 256 addresses, each /16 has as many


class Sources:
    """Addresses that nobody used before: a /16 for each batch of clients, so
    that strangers and zombies never share a block."""

    def __init__(self):
        self._next = 2

    def fresh(self):
        self._next += 1
        assert self._next < 190, "127.0.0.0/8 is used up"
        return "127.%d.0.0" % self._next


KNOWN = "127.200.0.0"
KNOWN_IPV6 = "2001:db8::"
KNOWN_BLOCKS = 200


def _command(build, port, manners, source, addresses, **more):
    words = {
        "p": port,
        "s": source,
        "b": min(BLOCKS, max(1, addresses)),
        "a": addresses,
    }
    words.update(more)
    command = [build + "/tests/bench/load"]
    for letter, value in words.items():
        command += ["-" + letter, str(value)]
    return command + [manners]


def _merge(reports):
    """One report of several processes; percentiles are those of the slowest."""
    merged = {}
    for report in reports:
        for key, value in report.items():
            if key.endswith("_us") or key == "seconds":
                merged[key] = max(merged.get(key, 0), value)
            else:
                merged[key] = merged.get(key, 0) + value
    return merged


class Crowd:
    """Running generators; wait() gives their common report."""

    def __init__(self, commands):
        self._processes = [
            subprocess.Popen(c, stdout=subprocess.PIPE, text=True)
            for c in commands
        ]

    def wait(self):
        reports = []
        for process in self._processes:
            out, _ = process.communicate(timeout=300)
            if process.returncode != 0:
                raise RuntimeError("the generator failed")
            reports.append(json.loads(out))
        return _merge(reports)


def crowd(
    build, port, manners, source, n, c=1, r=0, t=20000, addresses=None, **more
):
    """Start `n` sessions, `c` at the same time, `r` a second. `source` is the
    first address, or Sources to take fresh ones from."""
    commands = []
    parts = -(-min(n, c) // PER_PROCESS) or 1
    for i in range(parts):
        share = n // parts + (1 if i < n % parts else 0)
        first = source.fresh() if isinstance(source, Sources) else source
        commands.append(
            _command(
                build,
                port,
                manners,
                first,
                addresses or share,
                n=share,
                c=-(-c // parts),
                r=-(-r // parts),
                t=t,
                **more
            )
        )
    return Crowd(commands)


class Zombies:
    """Clients that connect and stay, as many as are added."""

    def __init__(
        self, build, port, sources, manners="zombie", t=40000, stubborn=False
    ):
        self._build, self._port = build, port
        self._sources, self._patience = sources, t
        self._manners = manners
        self._stubborn = stubborn  # they come back when they are thrown out
        self._processes = []
        self._room = 0

    def _command(self, process, text):
        process.stdin.write(text + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def add(self, n):
        """Returns when each has heard a word (or waited too long for it)."""
        while n > 0:
            if self._room == 0:
                self._processes.append(
                    subprocess.Popen(
                        _command(
                            self._build,
                            self._port,
                            self._manners,
                            self._sources.fresh(),
                            PER_PROCESS,
                            n=PER_PROCESS,
                            c=64,
                            t=self._patience,
                        )
                        + (["-k"] if self._stubborn else []),
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                self._room = PER_PROCESS
            share = min(n, self._room)
            self._command(self._processes[-1], "add %d" % share)
            self._room -= share
            n -= share
        return self.count()

    def say(self):
        """All of them talk out of turn."""
        return _merge([self._command(p, "say") for p in self._processes])

    def count(self):
        if not self._processes:
            return {"held": 0, "cut": 0, "answered": 0}
        return _merge([self._command(p, "count") for p in self._processes])

    def end(self):
        for process in self._processes:
            process.stdin.close()
        for process in self._processes:
            process.wait()
            process.stdout.close()
        self._processes = []
        self._room = 0

# SPDX-License-Identifier: ISC
"""Clients by the thousand: tests/bench/load.c, in the network of an instance."""

import json
import os
import subprocess
import threading

BLOCKS = 250  # that a batch of clients is spread over


def _command(postfix, manners, blocks=BLOCKS, **words):
    load = os.path.join(
        os.path.dirname(postfix.screener.path), "tests", "bench", "load"
    )
    command = [load, "-p", str(postfix.port), "-b", str(blocks)]
    for letter, value in words.items():
        command += ["-" + letter, str(value)]
    return postfix.network.command(command + [manners])


def clients(postfix, source, n, at_once, patience_s=50):
    """`n` clients that name a recipient each: how they fared."""
    command = _command(
        postfix, "mail", s=source, n=n, a=n, c=at_once, t=patience_s * 1000
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate(timeout=patience_s * 2)
    assert process.returncode == 0
    return json.loads(out)


class Zombies:
    """Silent clients. They come at `rate` a second until `total` have come and
    stay until they are thrown out, or the test ends."""

    STEP_S = 0.25

    def __init__(self, postfix, source, total, rate, blocks, patience_s=2):
        self._left = total
        self._step = max(1, int(rate * self.STEP_S))
        self._process = subprocess.Popen(
            _command(
                postfix,
                "zombie",
                blocks=blocks,
                s=source,
                n=total,
                a=total,
                c=500,
                r=rate,
                t=patience_s * 1000,
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.report = {"n": 0, "held": 0}
        self._thread = threading.Thread(target=self._come)
        self._thread.start()

    def _come(self):
        while self._left > 0:
            step = min(self._step, self._left)
            self._left -= step
            self._ask("add %d" % step)

    def _ask(self, command):
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self.report = json.loads(self._process.stdout.readline())

    def all_came(self):
        return not self._thread.is_alive()

    def count(self):
        """All have come: how they fared."""
        self._thread.join()
        self._ask("count")
        return self.report

    def close(self):
        self._left = 0
        self._thread.join()
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

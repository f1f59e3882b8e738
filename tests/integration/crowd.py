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


class Batch:
    """`n` clients of one kind, that come and go by themselves."""

    def __init__(self, postfix, manners, source, n, patience_s=50, **words):
        self._patience_s = patience_s
        self._process = subprocess.Popen(
            _command(
                postfix,
                manners,
                s=source,
                n=n,
                t=patience_s * 1000,
                **words
            ),
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self, timeout=None):
        """All have gone: how they fared."""
        out, _ = self._process.communicate(
            timeout=timeout or self._patience_s * 2
        )
        assert self._process.returncode == 0
        return json.loads(out)

    def close(self):
        """They are cut off where they are, unless they have gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def clients(postfix, source, n, at_once, patience_s=50):
    """`n` clients that name a recipient each: how they fared."""
    batch = Batch(postfix, "mail", source, n, patience_s, a=n, c=at_once)
    return batch.wait()


class Zombies:
    """Silent clients. They come at `rate` a second until `total` have come and
    stay until they are thrown out, or the test ends; those who are `stubborn`
    come back."""

    STEP_S = 0.25

    def __init__(
        self,
        postfix,
        source,
        total,
        rate,
        blocks,
        patience_s=2,
        stubborn=False,
    ):
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
            )
            + (["-k"] if stubborn else []),
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

# SPDX-License-Identifier: ISC
"""doorbellctl as a scenario uses it."""

import json
import os
import subprocess

import pytest

from waiting import GENEROUS_S


class Ctl:
    """doorbellctl -c CONFIG; every run is checked."""

    def __init__(self, screener, config):
        self.config = config
        self.program = os.path.join(
            os.path.dirname(screener.path), "doorbellctl"
        )
        if not os.access(self.program, os.X_OK):
            pytest.fail("%s has not been built" % self.program)

    def command(self, *words):
        return [self.program, "-c", self.config, *words]

    def __call__(self, *words, status=0, stdin="", user=None):
        # What a sanitizer finds is a failure of the run.
        run = subprocess.run(
            self.command(*words),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=4 * GENEROUS_S,
            user=user,
            group=user,
            extra_groups=[] if user is not None else None,
        )
        assert run.returncode == status, (run.stdout, run.stderr)
        self.stderr = run.stderr
        return run.stdout

    def json(self, *words, **more):
        return json.loads(self(*words, "--json", **more))

# SPDX-License-Identifier: ISC
"""The commands of EXAMPLES in doorbellctl(8) do what is written there: each is
run, in that order, on a Postfix of its own in the place of the system's."""

import os
import re
import shutil
import subprocess
import time

import pytest

import processes
from test_ctl import mail_flows, plain
from waiting import GENEROUS_S

pytestmark = pytest.mark.own

MAN = os.path.join(os.path.dirname(__file__), "..", "..", "man")

# What a shell that reads the page finds here instead.
PRELUDE = r"""
set -e -o pipefail
doorbellctl() {
	case " $* " in
	*" postfix "*) set -- "$@" "$PORT" ;;
	esac
	"$PROGRAM" -c "$CONFIG" "$@"
}
postfix() { command postfix -c "$CONFIG" "$@"; }
postmap() { command postmap -c "$CONFIG" "$@"; }
nft() { unshare -n nft "$@"; }  # the packet filter of nobody
"""


def examples():
    """The literal blocks, unescaped."""
    with open(os.path.join(MAN, "doorbellctl.8")) as f:
        section = f.read().split(".Sh EXAMPLES\n")[1].split("\n.Sh ")[0]
    return [
        block.replace("\\e", "\\").replace("\\&", "")
        for block in re.findall(
            r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", section, re.M | re.S
        )
    ]


class Shell:
    def __init__(self, postfix):
        self._postfix = postfix
        self._environment = dict(
            os.environ,
            PROGRAM=os.path.join(
                os.path.dirname(postfix.screener.path), "doorbellctl"
            ),
            CONFIG=postfix.config,
            PORT=str(postfix.port),
        )

    def run(self, block):
        for path, here in (
            ("/var/lib/postfix", self._postfix.data),
            ("/var/log/mail.log", self._postfix.log.path),
        ):
            block = block.replace(path, here)
        run = subprocess.run(
            ["bash", "-c", PRELUDE + block],
            cwd=self._postfix.directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=4 * GENEROUS_S,
        )
        assert run.returncode == 0, (block, run.stdout, run.stderr)
        return run.stdout


def postscreen_memory(postfix):
    """Known to postscreen: one client."""
    path = os.path.join(postfix.data, "postscreen_cache")
    later = int(time.time()) + 100000
    subprocess.run(
        ["postmap", "-c", postfix.config, "-i", "btree:" + path],
        input="192.0.2.10\t%d;%d;0;0;0\n" % (later, later),
        text=True,
        check=True,
    )
    shutil.chown(path + ".db", "postfix", "postfix")


def test_examples_of_doorbellctl(ring):
    postfix = plain(ring, "-o smtpd_banner=$myhostname")
    shell = Shell(postfix)
    told = {}
    for block in examples():
        if "cache import" in block:
            postscreen_memory(postfix)
        told[block] = shell.run(block)
        if "postfix enable" in block:
            mail_flows(postfix, "first")  # the first client starts doorbelld
    said = "\n".join(told.values())
    assert "192.0.2.20" in said and "ticket 4711" in said
    for name in "report.html", "week.html", "offenders.cidr":
        assert os.path.exists(os.path.join(postfix.directory, name))
    with open(os.path.join(postfix.data, "postscreen_cache")) as f:
        exported = f.read()
    assert "127.0.0.2" in exported and "192.0.2.10" not in exported
    assert not processes.is_alive(postfix.master)

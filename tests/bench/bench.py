# SPDX-License-Identifier: ISC
"""make bench: doorbelld, postscreen(8) and the bare loop, measured side by side.

    SCENARIOS    which of them, comma separated (default: all)
    BENCH_RUNS   the median of so many interleaved runs (default 3)
    BENCH_SCALE  multiplies all counts (default 1)

It makes a network of its own, where it may use any loopback address and
2001:db8::/32, and needs root for that and for master(8). Status 1 when a client
of doorbelld got a wrong answer."""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

# pylint: disable=wrong-import-position
import cost
import crowds
import trouble
from clients import Sources
from dns import Rbldnsd, Zone, listed
from plot import draw
from ports import Ports
from rows import Book

SCENARIOS = dict(cost.SCENARIOS, **crowds.SCENARIOS, **trouble.SCENARIOS)
INSIDE = "BENCH_INSIDE"

NETWORK = """
ip link set lo up &&
ip -6 route add local 2001:db8::/32 dev lo &&
mount --bind "$1" /etc/resolv.conf &&
echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind &&
echo 512 >/proc/sys/net/unix/max_dgram_qlen
"""


class Bench:
    """What scenarios ask for: counts, addresses, lists, and the book."""

    def __init__(self, build, screens):
        self.build = os.path.abspath(build)
        self.screens = screens
        self.runs = int(os.environ.get("BENCH_RUNS", "3"))
        self.few = (self.runs + 2) // 3  # of what takes long
        self.scale = float(os.environ.get("BENCH_SCALE", "1"))
        self.book = Book()
        self.ports = Ports()
        self.sources = Sources()
        self._lists = self._holes = None
        self._scratch = []

    def scratch(self):
        """A directory that goes with us."""
        self._scratch.append(tempfile.mkdtemp(prefix="bench."))
        os.chmod(self._scratch[-1], 0o755)
        return self._scratch[-1]

    def scaled(self, n):
        return max(1, int(n * self.scale)) if n else 0

    def say(self, text):
        print("  " + text, file=sys.stderr, flush=True)

    def zones(self, *names, all_in_first=False, holes=False):
        """Lists to ask at 127.0.0.1; they name nobody but 127.0.0.2, the first
        perhaps everybody. With holes, names below a label "hole" get no
        answer."""
        self.close()
        self._lists = Rbldnsd(self.scratch(), _Here(), 5353 if holes else 53)
        self._lists.serve(
            *[
                Zone(
                    name,
                    listed(
                        "127.0.0.0/8"
                        if all_in_first and name == names[0]
                        else "127.0.0.2"
                    ),
                )
                for name in names
            ]
        )
        if holes:
            self._holes = subprocess.Popen(
                [self.build + "/tests/bench/nameserver", "53", "5353"]
            )

    def close(self):
        """End the name servers."""
        for server in self._holes, self._lists:
            if server is not None:
                server.kill()
        if self._holes is not None:
            self._holes.wait()
        self._lists = self._holes = None
        for directory in self._scratch:
            shutil.rmtree(directory, ignore_errors=True)
        self._scratch = []

    def run(self, name):
        self.sources = Sources()
        began = time.monotonic()
        print(
            "%s: %s" % (name, SCENARIOS[name].__doc__.splitlines()[0]),
            file=sys.stderr,
            flush=True,
        )
        try:
            SCENARIOS[name](self)
        finally:
            self.close()
        self.say("%.0f s" % (time.monotonic() - began))


class _Here:
    def command(self, argv):
        return argv

    def make_socket(self, family, kind):
        return socket.socket(family, kind)


def enter_network():
    """Begin again in a network where nobody else is."""
    os.environ[INSIDE] = "1"
    os.execvp(
        "unshare", ["unshare", "--net", "--mount", sys.executable] + sys.argv
    )


def prepare_network():
    with tempfile.NamedTemporaryFile("w", suffix=".resolv") as f:
        f.write("nameserver 127.0.0.1\n")
        f.flush()
        os.chmod(f.name, 0o644)
        subprocess.run(["sh", "-c", NETWORK, "sh", f.name], check=True)


def about():
    def git(*words):
        return subprocess.run(
            ["git", "-C", ROOT, *words],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()

    return {
        "commit": git("describe", "--always", "--dirty"),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "runs": os.environ.get("BENCH_RUNS", "3"),
        "scale": os.environ.get("BENCH_SCALE", "1"),
        "kernel": os.uname().release,
        "postfix": subprocess.run(
            ["postconf", "-dh", "mail_version"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build/plain"))
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    parser.add_argument(
        "--only",
        choices=("doorbelld", "postscreen"),
        help="leave out the other",
    )
    parser.add_argument("--out", default=os.path.join(ROOT, "build/bench"))
    parser.add_argument("--compare", metavar="OLD.json")
    arguments = parser.parse_args()
    wanted = arguments.scenarios.replace(",", " ").split()
    for name in wanted:
        if name not in SCENARIOS:
            parser.error(
                "no scenario %s; there are %s" % (name, ", ".join(SCENARIOS))
            )
    if os.geteuid() != 0:
        parser.error("root is needed, for a network and a master(8)")
    if INSIDE not in os.environ:
        enter_network()
    prepare_network()
    return measure(arguments, wanted)


def measure(arguments, wanted):
    screens = (
        [arguments.only] if arguments.only else ["doorbelld", "postscreen"]
    )
    bench = Bench(arguments.build, screens)
    facts = about()
    for name in wanted:
        try:
            bench.run(name)
        except Exception as e:  # the other scenarios still count
            bench.book.mistake(name, "broken off: %r" % e)
            bench.say("broken off: %r" % e)
    bench.ports.release()
    print(
        "doorbelld %(commit)s, postfix %(postfix)s, %(cores)d cores, "
        "load %(load).1f" % facts
    )
    if bench.scale != 1:
        print(
            "all counts times %g; levels of held connections are whole"
            % bench.scale
        )
    bench.book.print(sys.stdout)
    os.makedirs(arguments.out, exist_ok=True)
    result = bench.book.as_json(facts)
    for name in "last", facts["commit"] or "unknown":
        with open(os.path.join(arguments.out, name + ".json"), "w") as f:
            json.dump(result, f, indent=1)
    if any(key.startswith("held.") for key in bench.book.values):
        draw(bench.book, facts, os.path.join(arguments.out, "held.svg"))
    if arguments.compare:
        bench.book.compare(arguments.compare, sys.stdout)
    return 1 if bench.book.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Compare our reading of main.cf with that of the installed postconf(1).

Every directory below tests/parity/configs is a configuration: main.cf, and
perhaps `overrides` with one -o word a line. For every parameter that Postfix
knows and include/config/params.def lists, `postconf -x` and `doorbelld -x` must
print the same line. The program under test is $DOORBELLD.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
DOORBELLD = os.environ.get(
    "DOORBELLD", os.path.join(TOP, "build", "plain", "doorbelld"))


def known_names():
    """The names that both programs know."""
    with open(os.path.join(TOP, "include", "config", "params.def")) as table:
        text = table.read()
    names = ["postscreen_" + n for n in re.findall(r"^SHARED\((\w+),", text, re.M)]
    names += re.findall(r"^POSTFIX\((\w+),", text, re.M)
    names += re.findall(r'^REFERRED\("(\w+)",', text, re.M)
    return sorted(set(names))


def values(command):
    """What a program prints, as {name: value}."""
    run = subprocess.run(command, capture_output=True, text=True,
                         errors="surrogateescape", timeout=60, check=False)
    lines = {}
    for line in run.stdout.splitlines():
        name, _, value = line.partition(" =")
        lines[name] = value.strip(" ")
    return lines, run.stderr


def compare(directory, names):
    """Return the differences for one configuration."""
    words = []
    overrides = os.path.join(directory, "overrides")
    if os.path.exists(overrides):
        with open(overrides) as lines:
            words = [w for line in lines if line.strip()
                     for w in ("-o", line.rstrip("\n"))]
    theirs, complaint = values(
        ["postconf", "-c", directory] + words + ["-x"] + names)
    if not theirs:
        return ["postconf printed nothing: " + complaint]
    ours, complaint = values(
        [DOORBELLD, "-c", directory] + words + ["-x"] + names)
    if not ours:
        return ["doorbelld printed nothing: " + complaint]
    return ["%s: postconf \"%s\", doorbelld \"%s\"" % (
        n, theirs.get(n), ours.get(n))
            for n in names if theirs.get(n) != ours.get(n)]


def main():
    """Compare all configurations, or those named."""
    root = os.path.join(HERE, "configs")
    wanted = sys.argv[1:] or sorted(os.listdir(root))
    names = known_names()
    failed = 0
    for name in wanted:
        differences = compare(os.path.join(root, name), names)
        for difference in differences:
            print("%s: %s" % (name, difference))
        failed += bool(differences)
    print("%d configurations, %d parameters each: %d differ" % (
        len(wanted), len(names), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Sum up what gcov has counted in src/ for the build in a directory: lines of
all files, branches of the parsers of foreign bytes. A file that no program has
run counts, too: there are notes of it, but no counts.

    coverage.py BUILD              the tables
    coverage.py BUILD FILE ...     what was never run or taken in these files
"""

import json
import pathlib
import subprocess
import sys

PARSERS = """
    config/expand config/file config/override config/value
    lookup/dns_answer lookup/dnsbl_spec lookup/record lookup/rules
    net/proxyhdr
    ops/json_value ops/logfields ops/logline ops/request
    smtp/command smtp/line smtp/path smtp/response
    table/cidr table/list table/load table/pairs table/pattern table/perlre
    table/posixre table/rule
""".split()

# A claim that never fails is a branch that is never taken.
CLAIM = "must("


def files_of(build):
    for notes in sorted(pathlib.Path(build, "src").rglob("*.gcno")):
        out = subprocess.run(
            ["gcov", "--stdout", "--json-format", "-b", str(notes)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        for line in out.stdout.splitlines():
            for file in json.loads(line)["files"]:
                if file["file"].startswith("src/"):
                    yield file


class File:
    def __init__(self, found):
        self.path = found["file"]
        self.name = self.path[len("src/"):].removesuffix(".c")
        text = pathlib.Path(self.path).read_text().splitlines()
        self.lines, self.hit, self.missed = set(), set(), []
        self.branches = self.taken = 0
        self.untaken = []
        for line in found["lines"]:
            number = line["line_number"]
            source = text[number - 1]
            self.lines.add(number)
            if line["count"]:
                self.hit.add(number)
            if CLAIM in source:
                continue
            for i, branch in enumerate(line["branches"]):
                if branch["throw"]:
                    continue
                self.branches += 1
                self.taken += branch["count"] > 0
                if not branch["count"]:
                    self.untaken.append((number, i, source.strip()))
        self.missed = [(n, text[n - 1].strip())
                       for n in sorted(self.lines - self.hit)]

    def is_main(self):
        return "/" not in self.name


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def show_tables(files):
    counted = [f for f in files if not f.is_main()]
    for f in sorted(counted, key=lambda f: percent(len(f.hit), len(f.lines))):
        print(f"{percent(len(f.hit), len(f.lines)):7.2f}% of "
              f"{len(f.lines):4} lines  {f.path}")
    for room in sorted({f.name.split("/")[0] for f in counted}):
        of = [f for f in counted if f.name.split("/")[0] == room]
        lines, hit = sum(len(f.lines) for f in of), sum(len(f.hit) for f in of)
        print(f"{percent(hit, lines):7.2f}% of {lines:5} lines in {room}/")
    lines = sum(len(f.lines) for f in counted)
    hit = sum(len(f.hit) for f in counted)
    print(f"{percent(hit, lines):7.2f}% of {lines} lines\n")
    parsers = [f for f in counted if f.name in PARSERS]
    for f in sorted(parsers, key=lambda f: percent(f.taken, f.branches)):
        print(f"{percent(f.taken, f.branches):7.2f}% of "
              f"{f.branches:4} branches  {f.path}")
    branches = sum(f.branches for f in parsers)
    taken = sum(f.taken for f in parsers)
    print(f"{percent(taken, branches):7.2f}% of {branches} branches of parsers")


def show_missed(f):
    for number, source in f.missed:
        print(f"{f.path}:{number}: never run: {source}")
    for number, i, source in f.untaken:
        if number in f.hit:
            print(f"{f.path}:{number}: branch {i} never taken: {source}")


def main():
    build, wanted = sys.argv[1], sys.argv[2:]
    files = [File(found) for found in files_of(build)]
    if not wanted:
        show_tables(files)
    for f in files:
        if f.path in wanted or f.name in wanted:
            show_missed(f)


main()

#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Ask postmap(1) and our tables the same questions.

usage: postmap.py TABLE_QUERY

Every file in tables/ named NAME.TYPE is asked for the keys of all *.keys
files, every line of specs.txt for its own; then random cidr and pattern
tables are made up. Prints each answer that differs and exits with 1.

Where Postfix refuses to start, "not found" is what we may answer.
"""
import os
import random
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TABLES = os.path.join(HERE, "tables")
TYPES = ("cidr", "texthash", "regexp", "pcre")
INDEXED = ("lmdb", "hash")


def run(command, keys):
    text = "".join(key + "\n" for key in keys).encode()
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False, timeout=120)
    return done.returncode, done.stdout.decode(errors="replace").splitlines()


def ask_postfix(spec, keys):
    """Unique keys only: postmap prints the pairs it found, and no others."""
    _, lines = run(["postmap", "-q", "-", spec], keys)
    return dict(line.split("\t", 1) for line in lines)


def ask_ours(program, spec, keys):
    code, lines = run([program, spec, "-"], keys)
    if code not in (0, 1, 2):
        raise SystemExit("%s %s: exit status %d" % (program, spec, code))
    pairs = zip(keys, lines)
    return {key: line[1:] for key, line in pairs if line.startswith("=")}


class Comparison:
    def __init__(self, program):
        self.program = program
        self.asked = 0
        self.different = 0

    def compare(self, spec, keys):
        keys = list(dict.fromkeys(key for key in keys if key))
        theirs = ask_postfix(spec, keys)
        ours = ask_ours(self.program, spec, keys)
        for key in keys:
            self.asked += 1
            if theirs.get(key) != ours.get(key):
                self.different += 1
                print("%s: %r: postmap says %r, we say %r" %
                      (spec, key, theirs.get(key), ours.get(key)))


def read_lines(name):
    with open(os.path.join(TABLES, name), encoding="utf-8") as file:
        return file.read().splitlines()


def compare_files(comparison):
    keys = []
    for name in sorted(os.listdir(TABLES)):
        if name.endswith(".keys"):
            keys += read_lines(name)
    for name in sorted(os.listdir(TABLES)):
        kind = name.rsplit(".", 1)[-1]
        if kind in TYPES:
            comparison.compare(kind + ":" + os.path.join(TABLES, name), keys)


def compare_specs(comparison):
    for line in read_lines("specs.txt"):
        if not line.startswith("#"):
            spec, *keys = line.split("\t")
            comparison.compare(spec, keys)


def random_address(dice):
    if dice.random() < 0.25:
        return "2001:db8::%x:%x" % (dice.randrange(4), dice.randrange(4))
    return "10.%d.%d.%d" % (dice.randrange(3), dice.randrange(3),
                            dice.randrange(4))


def random_block(dice):
    address = random_address(dice)
    most = 128 if ":" in address else 32
    return address + dice.choice(("", "/%d" % dice.randint(most - 20, most),
                                  "/%d" % most, "/24", "/8"))


def random_cidr(dice):
    lines = []
    for number in range(dice.randrange(1, 40)):
        roll = dice.random()
        if roll < 0.10:
            lines.append("if " + dice.choice(("", "!")) + random_block(dice))
        elif roll < 0.20:
            lines.append("endif")
        elif roll < 0.25:
            lines.append(dice.choice(("# x", "", "  more", "10.0.0.1")))
        else:
            lines.append("%s%s value %d" % (dice.choice(("", "", "", "!")),
                                            random_block(dice), number))
    return lines


def random_pattern(dice):
    parts = ("a", "b", "(a)", "(b|c)", ".", "[ab]", "a*", "(c)?", "^", "$")
    pattern = "".join(dice.choice(parts) for _ in range(dice.randrange(1, 5)))
    return "/%s/%s" % (pattern, dice.choice(("", "", "i", "m")))


def random_patterns(dice):
    lines = []
    results = ("x", "<$1>", "${1}$2", "a$$b", "$(2)", "$", "${1")
    for number in range(dice.randrange(1, 25)):
        roll = dice.random()
        if roll < 0.12:
            lines.append("if " + dice.choice(("", "!")) + random_pattern(dice))
        elif roll < 0.24:
            lines.append("endif")
        else:
            lines.append("%s%s %d %s" % (dice.choice(("", "", "", "!")),
                                         random_pattern(dice), number,
                                         dice.choice(results)))
    return lines


def compare_random(comparison, directory):
    dice = random.Random(7)
    for number in range(40):
        for kind, make in (("cidr", random_cidr), ("regexp", random_patterns),
                           ("pcre", random_patterns)):
            path = os.path.join(directory, "%d.%s" % (number, kind))
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(make(dice)))
            if kind == "cidr":
                keys = [random_address(dice) for _ in range(60)]
            else:
                keys = ["".join(dice.choice("abcABx")
                                for _ in range(dice.randrange(1, 6)))
                        for _ in range(60)]
            comparison.compare(kind + ":" + path, keys)


def compare_indexed(comparison, directory):
    source = os.path.join(directory, "index")
    with open(source, "w", encoding="utf-8") as file:
        file.write("A b  c\n10.0.0.1 reject\nUp Val\n\"q r\" z\n"
                   "x\ty\tz\n")
    keys = ["a", "A", "10.0.0.1", "10.0.0.2", "up", "UP", '"q r"', "x"]
    have = subprocess.run(["postconf", "-m"], stdout=subprocess.PIPE,
                          check=True).stdout.decode().split()
    for kind in INDEXED:
        if kind in have:
            subprocess.run(["postmap", kind + ":" + source], check=True)
            comparison.compare(kind + ":" + source, keys)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    comparison = Comparison(os.path.abspath(sys.argv[1]))
    compare_files(comparison)
    compare_specs(comparison)
    with tempfile.TemporaryDirectory() as directory:
        compare_random(comparison, directory)
        compare_indexed(comparison, directory)
    print("%d answers compared, %d differ" %
          (comparison.asked, comparison.different))
    return 1 if comparison.different else 0


if __name__ == "__main__":
    sys.exit(main())

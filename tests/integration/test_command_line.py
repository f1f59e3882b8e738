# SPDX-License-Identifier: ISC
"""What doorbelld says to people: -t, -V, -d, -n, -x, and a start without -f."""

import os
import subprocess

import pytest

import processes
from client import Client
from scripts import TEASER
from waiting import GENEROUS_S, until

pytestmark = pytest.mark.standalone


def run(ring, *words):
    return subprocess.run(
        [ring.screener.path, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=GENEROUS_S,
        env=dict(os.environ, ASAN_OPTIONS="detect_leaks=1"),
    )


def check(ring, postfix, text):
    """doorbelld -t with this doorbell.cf."""
    postfix.configure()
    path = os.path.join(postfix.config, "doorbell.cf")
    with open(path, "w") as f:
        f.write(text)
    return run(ring, "-t", "-c", postfix.config), path


def test_check_of_a_good_configuration_is_silent(ring):
    done, _ = check(ring, ring.build(), "doorbell_greet_wait = 3s\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "line, status, complaint",
    [
        (
            "doorbell_greet_wiat = 3s",
            0,
            "F:2: warning: unknown parameter doorbell_greet_wiat "
            "(did you mean doorbell_greet_wait?)",
        ),
        ("doorbell_greet_wait = 0s", 1, "F:2: error: "),
        ("doorbell_greet_action = frob", 1, "F:2: error: "),
        ("doorbell_access_list = frobnicate", 1, "F:2: error: doorbell_access_list: "),
        ("doorbell_access_list = mysql:/x", 1, "F:2: error: "),
        ("doorbell_access_list = cidr:/not/there", 1, "/not/there: error: "),
        ("doorbell_dnsbl_sites = bl.test=127.0.0.[2", 1, "F:2: error: doorbell_dnsbl_sites: "),
        ("doorbell_dns_servers = nonsense", 1, "F:2: error: doorbell_dns_servers: "),
        ("doorbell_listen = 25", 1, "F:2: error: doorbell_listen: "),
        ("doorbell_cache_map = btree:/x", 1, "F:2: error: doorbell_cache_map"),
        ("doorbell_user = no-such-user", 1, "no-such-user"),
        ("syslog_facility = bogus", 1, "bogus: unknown facility"),
        ("queue_directory = /not/there", 1, "/not/there"),
        ("doorbell_smtpd_service = /%s" % ("x" * 200), 1, "too long"),
        ("inet_protocols = ipx", 1, "inet_protocols"),
    ],
)
def test_check_names_what_is_wrong(ring, line, status, complaint):
    done, path = check(ring, ring.build(), "# one\n%s\n" % line)
    assert complaint.replace("F:", path + ":") in done.stderr, done.stderr
    assert done.returncode == status, done.stderr


def test_check_counts_bad_table_lines_as_errors(ring):
    postfix = ring.build()
    table = postfix.file("access.cidr", "127.0.0.1 permit\n127.0.0.1/8 reject\n")
    done, _ = check(ring, postfix, "doorbell_access_list = cidr:%s\n" % table)
    assert done.returncode == 1
    assert "%s:2: error: " % table in done.stderr


def test_versions(ring):
    done = run(ring, "-V")
    assert done.returncode == 0
    first = done.stdout.splitlines()
    assert first[0].startswith("doorbelld ")
    for word in "libevent ", "c-ares ", "LMDB ":
        assert any(line.startswith(word) for line in first), first


def test_parameters(ring):
    postfix = ring.build(own={"doorbell_greet_wait": "${stress?{1}:{7}}s"})
    postfix.configure()
    name = "doorbell_greet_wait"

    def ask(*words):
        done = run(ring, "-c", postfix.config, *words, name)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert ask("-d") == name + " = $postscreen_greet_wait\n"
    assert ask("-n") == name + " = ${stress?{1}:{7}}s\n"
    assert ask("-x") == name + " = 7s\n"
    assert ask("-o", name + "=4s", "-n") == name + " = 4s\n"
    assert run(ring, "-d", "doorbell_nonsense").returncode == 1


def test_nonsense_on_the_command_line(ring):
    for words in ("-q",), ("word",), ("-c", "/not/there"):
        done = run(ring, *words)
        assert done.returncode == 1
        assert done.stderr.startswith("doorbelld: "), done.stderr


def test_start_in_the_background(ring):
    """The command returns when clients are served."""
    postfix = ring.start()
    bell = ring.standalone(postfix)
    # Its log would be the machine's: let it be this instance's.
    bell.main["maillog_file"] = postfix.main["maillog_file"]
    bell.configure()
    done = run(ring, "-c", bell.file)
    assert (done.returncode, done.stderr) == (0, "")
    with Client("127.0.0.1", bell.port, "127.0.0.9") as client:
        assert client.line() == TEASER
    postfix.log.wait_for(r"doorbelld \S+ starting standalone")


def test_start_in_the_background_that_fails(ring):
    postfix = ring.start()
    bell = ring.standalone(postfix)
    bell.main["maillog_file"] = postfix.main["maillog_file"]
    bell.main["doorbell_listen"] = "inet:127.0.0.1:%d" % postfix.port
    postfix.log.expect(r"error: .*")
    bell.configure()
    done = run(ring, "-c", bell.file)
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    until(
        lambda: not processes.listens(postfix.master, bell.port), "no listener"
    )

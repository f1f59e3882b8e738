# SPDX-License-Identifier: ISC
"""The control socket: doorbellctl and a doorbelld that runs."""

import fcntl
import grp
import os
import pty
import re
import signal
import socket
import stat
import struct
import subprocess
import termios
import time

import pytest

import processes
from ctl import Ctl
from dns import Zone, listed
from screener import ROOT
from scripts import GREETING, PASS_NEW, PASS_OLD, TEASER, passes
from waiting import GENEROUS_S, until
from web import hear

pytestmark = pytest.mark.own

NOBODY = 65534


def service(ring, **own):
    """A Postfix with doorbelld started, and doorbellctl for it."""
    postfix = ring.start(own=own)
    ctl = Ctl(postfix.screener, postfix.config)
    greet(postfix)
    return postfix, ctl


def greet(postfix, source="127.0.0.9"):
    """A client comes, passes and leaves: it starts doorbelld."""
    with postfix.connect(source=source) as client:
        client.expect(TEASER, GREETING)
        client.ask("QUIT")
        client.end()


def control_path(postfix):
    return postfix.own["doorbell_control_socket"]


def speak(path, data):
    """Say this to the socket; all that comes back."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(GENEROUS_S)
        s.connect(path)
        s.sendall(data)
        return hear(s)


def test_under_master(ring):
    postfix = ring.start()
    ctl = Ctl(postfix.screener, postfix.config)
    # Nobody has called yet.
    ctl("status", status=6)
    assert "no doorbelld answers at " + control_path(postfix) in ctl.stderr
    assert "the next client starts it" in ctl.stderr
    ctl("version", "--json", status=6)

    client = postfix.connect(source="127.0.0.7")
    assert client.line() == TEASER
    pid = postfix.screener_pid()
    status = ctl.json("status")
    assert status["pid"] == pid
    assert status["mode"] == "service"
    assert status["config"] == postfix.config
    assert status["sessions"] == 1
    assert status["phases"]["greet"] == 1
    assert status["counters"]["connections_total"] == 1
    assert status["cache"]["usable"]
    text = ctl("status")
    assert "process %d, service" % pid in text
    assert "sessions      1 of " in text and "(1 greet)" in text

    sessions = ctl.json("sessions")
    assert sessions["total"] == sessions["matching"] == 1
    (session,) = sessions["sessions"]
    assert re.fullmatch("[0-9A-Za-z]{11}", session["session"])
    assert session["session"] in ctl("sessions")
    assert session["address"] == "127.0.0.7"
    assert session["server_port"] == postfix.port
    assert session["phase"] == "greet"
    assert session["standing"] == "stranger"
    assert session["failed"] == []
    assert 0 <= session["age_ms"] < 60000
    assert ctl.json("sessions", "--phase", "dialogue")["sessions"] == []
    assert ctl.json("sessions", "--phase=greet", "--limit=0") == {
        "sessions": [],
        "matching": 1,
        "total": 1,
    }
    assert "127.0.0.7" in ctl("sessions", "--phase", "greet")
    ctl("sessions", "--phase", "lunch", status=2)
    assert "there is no phase lunch" in ctl.stderr
    ctl("sessions", "--limit", "many", status=2)
    assert ctl("version").startswith("doorbelld ")
    client.close()


def test_a_failed_test_is_shown(ring):
    postfix = ring.start(postscreen_greet_action="enforce")
    ctl = Ctl(postfix.screener, postfix.config)
    with postfix.connect() as client:
        client.send("EHLO early.test\r\n")
        assert client.line() == TEASER
        until(
            lambda: ctl.json("sessions", "--phase", "dialogue")["matching"],
            "the dialogue",
        )
        (session,) = ctl.json("sessions")["sessions"]
        assert session["failed"] == ["pregreet"]
        assert "pregreet" in ctl("sessions")


def test_mode_and_group_are_the_gate(ring):
    group = grp.getgrnam("mail")
    postfix, ctl = service(ring, doorbell_control_group="mail")
    path = control_path(postfix)
    st = os.stat(path)
    assert stat.S_ISSOCK(st.st_mode)
    assert stat.S_IMODE(st.st_mode) == 0o660
    assert (st.st_uid, st.st_gid) == (0, group.gr_gid)
    run = subprocess.run(
        ctl.command("version"),
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        stderr=subprocess.PIPE,
        text=True,
        timeout=GENEROUS_S,
    )
    assert run.returncode == 7
    assert "this user may not ask doorbelld" in run.stderr
    run = subprocess.run(
        ctl.command("log-level", "1"),
        user=NOBODY,
        group=NOBODY,
        extra_groups=[group.gr_gid],
        stdout=subprocess.PIPE,
        text=True,
        timeout=GENEROUS_S,
    )
    assert run.stdout == "log level 1\n"
    postfix.log.wait_for(r"control: uid %d: log level 1" % NOBODY)
    assert ctl.json("log-level") == {"log_level": 1}
    ctl("log-level", "0")
    ctl("log-level", "ten", status=2)


def test_the_directory_is_made(ring):
    postfix = ring.build()
    directory = os.path.join(postfix.directory, "run")
    path = postfix.own["doorbell_control_socket"] = directory + "/control"
    postfix.chroot = "y"
    # In the jail there is no /etc: the socket was made before.
    postfix.start()
    greet_anyhow(postfix)
    ctl = Ctl(postfix.screener, postfix.config)
    until(lambda: os.path.exists(path), "the socket")
    assert ctl.json("status")["mode"] == "service"
    st = os.stat(directory)
    assert (stat.S_IMODE(st.st_mode), st.st_uid) == (0o755, 0)


def greet_anyhow(postfix):
    with postfix.connect() as client:
        assert client.line() == TEASER


def test_replaced_at_a_reload(ring):
    postfix, ctl = service(ring)
    first = ctl.json("version")["pid"]
    # It stays while the old process drains.
    with postfix.connect(source="127.0.0.3") as client:
        assert client.line() == TEASER
        postfix.reload()
        until(lambda: not processes.is_alive(first), "the end of the first")
        ctl("version", status=6)
        greet(postfix, "127.0.0.4")
        second = ctl.json("version")["pid"]
        assert second not in (first, None)
        client.expect(GREETING)
        client.ask("QUIT")
        client.end()
    assert ctl.json("version")["pid"] == second

    # The same by hand.
    assert "is read again" in ctl("reload")
    postfix.log.wait_for(r"control: uid 0: reload")
    until(lambda: not processes.is_alive(second), "the end of the second")
    ctl("version", status=6)
    greet(postfix, "127.0.0.5")
    third = ctl.json("version")["pid"]
    assert ctl.json("drain")["sessions"] == 0
    until(lambda: not processes.is_alive(third), "the end of the third")
    greet(postfix, "127.0.0.6")
    assert ctl.json("version")["pid"] not in (first, second, third)


def test_after_kill_9(ring):
    postfix, ctl = service(ring)
    pid = ctl.json("version")["pid"]
    postfix.log.expect(r"warning: process .*")
    os.kill(pid, 9)
    until(lambda: not processes.is_alive(pid), "its end")
    ctl("version", status=6)
    # Whether the first one's pass had reached the disk is not the question.
    greet(postfix, "127.0.0.8")
    assert ctl.json("version")["pid"] != pid


def test_standalone(ring):
    postfix = ring.start()
    standalone = ring.standalone(postfix)
    standalone.start()
    ctl = Ctl(postfix.screener, standalone.file)
    status = ctl.json("status")
    assert status["pid"] == standalone.pid
    assert status["mode"] == "standalone"
    mark = standalone.log.mark()
    standalone.main["doorbell_greet_wait"] = "2s"
    standalone.main["doorbell_control_group"] = "mail"
    standalone.configure()
    standalone.log.expect(
        r"warning: doorbell_control_group has changed: restart to take it up"
    )
    ctl("reload")
    standalone.log.wait_for(r"configuration reloaded", after=mark)
    assert ctl.json("version")["pid"] == standalone.pid
    with standalone.connect() as client:
        assert client.line() == TEASER
        assert "1 sessions go on" in ctl("drain")
        ctl("version", status=6)
        assert "next client" not in ctl.stderr
        client.expect(GREETING)
        client.ask("QUIT")
        client.end()
    assert standalone.wait() == 0


def test_two_of_them_do_not_share_a_path(ring):
    postfix, ctl = service(ring)
    pid = ctl.json("version")["pid"]
    standalone = ring.standalone(postfix)
    standalone.main["doorbell_control_socket"] = control_path(postfix)
    standalone.log.expect(
        r"warning: control socket: .*: cannot take it over: Address already"
        r" in use; going on without it"
    )
    standalone.start()
    assert ctl.json("version")["pid"] == pid
    with standalone.connect() as client:
        assert client.line() == TEASER


def test_no_socket_wanted(ring):
    postfix, ctl = service(ring, doorbell_control_socket="")
    ctl("status", status=6)
    assert "doorbell_control_socket is empty" in ctl.stderr


def test_what_a_configuration_may_say(ring):
    postfix = ring.build()
    for name, value, says in (
        ("doorbell_control_socket", "run/control", "not an absolute path"),
        ("doorbell_control_socket", "/" + "x" * 120, "not an absolute path"),
        ("doorbell_control_group", "nosuchgroup", "there is no such group"),
    ):
        postfix.own = {name: value}
        postfix.configure()
        run = subprocess.run(
            [postfix.screener.path, "-t", "-c", postfix.config],
            stderr=subprocess.PIPE,
            text=True,
            timeout=GENEROUS_S,
        )
        assert run.returncode == 1
        assert says in run.stderr and name in run.stderr


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"stat\n",
        b"status now\n",
        b"status --config=/etc\n",
        b"cache list\n",
        b'sessions --phase="greet\n',
        b"status \x01\n",
        b"\xff\xfe\x00\x00\n",
        b" ".join([b"x"] * 100) + b"\n",
        b"GET / HTTP/1.1\r\nHost: control\r\n\r\n",
    ],
)
def test_garbage_is_a_bad_request(ring, said):
    postfix, ctl = service(ring)
    path = control_path(postfix)
    assert speak(path, said).startswith(b"doorbell 1 2 "), said
    assert ctl.json("version")


def test_hostile_neighbours(ring):
    postfix, ctl = service(ring)
    path = control_path(postfix)
    # Too long for a line: not answered.
    assert speak(path, b"x" * 5000) == b""
    # More than a line: the first is answered.
    assert b'"pid"' in speak(path, b"version\n" + b"y" * 100000)
    # A flood, side by side.
    runs = [
        subprocess.Popen(
            ctl.command("status", "--json"),
            stdout=subprocess.DEVNULL,
        )
        for _ in range(20)
    ]
    assert [run.wait(GENEROUS_S) for run in runs] == [0] * 20
    # Those that say nothing take all places, and mail goes on.
    silent = [socket.socket(socket.AF_UNIX) for _ in range(16)]
    for s in silent:
        s.connect(path)
    greet(postfix, "127.0.0.5")
    # A place gets free when one leaves, or when its time is up.
    silent.pop().close()
    assert ctl.json("version")
    for s in silent:
        s.close()


def test_a_slow_reader(ring):
    postfix, ctl = service(ring)
    slow = socket.socket(socket.AF_UNIX)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    slow.connect(control_path(postfix))
    clients = [
        postfix.connect(source="127.0.1.%d" % (i % 250 + 1)) for i in range(40)
    ]
    until(lambda: ctl.json("status")["sessions"] == 40, "40 sessions")
    slow.sendall(b"sessions\n")
    greet(postfix, "127.0.0.5")
    heard = b""
    while True:
        part = slow.recv(100)
        if not part:
            break
        heard += part
    header, body = heard.split(b"\n", 1)
    assert header == b"doorbell 1 0 %d" % len(body)
    assert body.count(b'"address"') == 40
    for client in clients:
        client.close()
    slow.close()


# --- rules made by hand ---------------------------------------------------------
def turned_away(postfix, source):
    """The client of this address is refused at RCPT."""
    with postfix.connect(source=source) as client:
        assert client.reply().code == 220
        client.ask("EHLO client.test")
        client.ask("MAIL FROM:<a@client.test>")
        return client.ask("RCPT TO:<inbox@example.test>").code == 550


def welcome(postfix, source):
    """The client is with smtpd at once: no teaser."""
    with postfix.connect(source=source) as client:
        client.expect(GREETING)
        client.ask("QUIT")
        client.end()


def test_rules_by_hand(ring):
    postfix, ctl = service(ring)
    assert "nothing is allowed" in ctl("rules")
    mark = postfix.log.mark()
    rule = ctl.json(
        "deny", "127.0.0.77/28", "--for=2h", "--note", 'a "bad" \u00e4one'
    )
    assert rule["kept"] is True
    rule = rule["rule"]
    assert rule["block"] == "127.0.0.64/28" and rule["what"] == "deny"
    assert rule["until"] - rule["since"] == 7200
    assert rule["uid"] == os.getuid()
    assert rule["note"] == 'a "bad" \u00e4one'
    postfix.log.wait_for(r"control: uid 0: deny 127\.0\.0\.64/28", after=mark)
    assert turned_away(postfix, "127.0.0.70")
    postfix.log.wait_for(r"DENYLISTED \[127\.0\.0\.70\]:\d+", after=mark)
    postfix.log.wait_for(
        r"RULE \[127\.0\.0\.70\]:\d+: denied by hand as 127\.0\.0\.64/28",
        after=mark,
    )

    # The longer block wins; it takes effect at once.
    text = ctl("allow", "127.0.0.70")
    assert text.startswith("allow 127.0.0.70/32")
    assert "until it is forgotten      by root on " in text
    welcome(postfix, "127.0.0.70")
    postfix.log.wait_for(r"ALLOWLISTED \[127\.0\.0\.70\]:\d+", after=mark)
    postfix.log.wait_for(
        r"RULE \[127\.0\.0\.70\]:\d+: allowed by hand as 127\.0\.0\.70/32",
        after=mark,
    )
    assert turned_away(postfix, "127.0.0.71")
    listed = ctl.json("rules")
    assert [r["block"] for r in listed["rules"]] == [
        "127.0.0.64/28",
        "127.0.0.70/32",
    ]
    assert listed["total"] == 2
    assert ctl("rules", "--limit=1").endswith(
        "... and 1 more: --limit says how many\n"
    )

    # They are there after a restart.
    pid = ctl.json("version")["pid"]
    postfix.stop()
    postfix.start()
    assert turned_away(postfix, "127.0.0.72")
    assert ctl.json("version")["pid"] != pid
    assert ctl.json("rules") == listed
    welcome(postfix, "127.0.0.70")

    assert "the rule is gone" in ctl("forget", "127.0.0.64/28")
    ctl("forget", "127.0.0.64/28", status=1)
    assert "there is no rule for it" in ctl.stderr
    greet(postfix, "127.0.0.71")
    # The first address of a network is no more its client than any other.
    greet(postfix, "127.0.0.64")
    ctl("deny", "127.0.0.64/28")
    assert ctl.json("forget", "127.0.0.64/28") == {
        "block": "127.0.0.64/28",
        "rule": True,
        "cache": None,
    }
    ctl("forget", "127.0.0.64/28", status=1)
    assert ctl.json("explain", "127.0.0.64")["outcome"] == "known"
    # What was learnt goes, too.
    assert ctl.json("forget", "127.0.0.71") == {
        "block": "127.0.0.71/32",
        "rule": False,
        "cache": True,
    }
    greet(postfix, "127.0.0.71")
    for words, says in (
        (("deny", "localhost"), "not an address"),
        (("deny", "0.0.0.0/0"), "larger than /8"),
        (("allow", "127.0.0.1", "--for", "soon"), "--for soon"),
        (("allow", "127.0.0.1", "--note", "x" * 128), "127 bytes"),
        (("allow", "127.0.0.1", "--note", "a\tb"), "a control character"),
        (("allow",), "too few"),
    ):
        ctl(*words, status=2)
        assert says in ctl.stderr
    assert len(ctl.json("rules")["rules"]) == 1


def test_a_rule_ends(ring):
    postfix, ctl = service(ring)
    ctl("deny", "127.0.0.3", "--for=1s")
    until(lambda: ctl.json("rules")["total"] == 0, "the end of the rule")
    greet(postfix, "127.0.0.3")


def test_rules_outlive_a_cache_that_is_damaged(ring):
    """The process goes on without the cache, and then with a new one."""
    postfix, ctl = service(ring)
    ctl("deny", "127.0.0.64/28")
    passes(postfix, PASS_NEW, subject="new")
    until(lambda: "127.0.0.2" in ctl("cache", "list"), "the pass on the disk")
    pid = postfix.screener_pid()
    path = os.path.join(postfix.data, "doorbell_cache")
    with open(path, "r+b") as f:
        for at in range(2 * 4096, os.path.getsize(path), 4096):
            f.seek(at)
            f.write(bytes(4096))
    postfix.log.expect(r"warning: cache .*")
    passes(postfix, PASS_NEW, subject="forgotten")
    postfix.log.wait_for(
        r"warning: cache .*; set aside as .*\.broken; going on without it"
    )
    assert turned_away(postfix, "127.0.0.71")
    postfix.log.wait_for(r"cache lmdb:.*/doorbell_cache is in use again")
    passes(postfix, PASS_NEW, subject="new again")
    passes(postfix, PASS_OLD, subject="known again")
    assert postfix.screener_pid() == pid
    until(lambda: "127.0.0.2" in ctl("cache", "list"), "the pass on the disk")
    postfix.reload()
    until(lambda: not processes.is_alive(pid), "the end of the old process")
    passes(postfix, PASS_OLD, subject="still known")
    assert turned_away(postfix, "127.0.0.71")


def test_the_access_list_comes_first(ring):
    postfix, ctl = service(
        ring,
        doorbell_access_list="inline:{127.0.0.3=permit}",
        doorbell_denylist_action="drop",
        doorbell_cache_map="",
    )
    assert ctl.json("deny", "127.0.0.0/24")["kept"] is False
    assert "it ends with this doorbelld" in ctl("deny", "127.0.0.0/24")
    welcome(postfix, "127.0.0.3")
    with postfix.connect(source="127.0.0.4") as client:
        assert client.reply().code == 521
        client.end()


# --- explain and the DNS lists ---------------------------------------------------
@pytest.mark.stops
def test_explain(ring):
    server = ring.lists(
        Zone(
            "secret.bl.test", listed("127.0.0.50", ("127.0.0.51", "127.0.0.9"))
        ),
        Zone("wl.test", listed("127.0.0.60")),
        Zone("quota.test", listed(("127.0.0.50", "127.255.255.254"))),
    )
    postfix = ring.build()
    access = postfix.file("access.cidr", "# mine\n127.0.0.80 reject\n")
    names = postfix.file("names", "secret.bl.test shown.test\n")
    postfix.own.update(
        {
            "doorbell_dnsbl_sites": "secret.bl.test=127.0.0.2*3 wl.test*-2"
            " quota.test",
            "doorbell_dnsbl_threshold": "2",
            "doorbell_dnsbl_action": "enforce",
            "doorbell_dnsbl_reply_map": "texthash:" + names,
            "doorbell_access_list": "cidr:" + access,
            "doorbell_dnsbl_timeout": "2s",
        }
    )
    postfix.log.expect(r"warning: .*")  # of the list with the error code
    postfix.start()
    greet(postfix, "127.0.0.9")
    ctl = Ctl(postfix.screener, postfix.config)

    said = ctl("explain", "127.0.0.50")
    assert "secret" not in said
    answer = ctl.json("explain", "127.0.0.50")
    assert answer["outcome"] == "listed"
    assert answer["access_list"] == {"verdict": "no opinion"}
    assert answer["rule"] is None
    assert not answer["cache"]["known"]
    lists = {l["list"]: l for l in answer["dnsbl"]["lists"]}
    assert set(lists) == {"shown.test", "wl.test", "quota.test"}
    shown = lists["shown.test"]
    assert shown["result"] == "listed" and shown["points"] == 3
    assert shown["answers"] == ["127.0.0.2"] and shown["ttl"] == 60
    assert 0 <= shown["ms"] < 2000
    assert lists["wl.test"]["result"] == "not listed"
    assert lists["quota.test"]["result"] == "error code"
    assert answer["dnsbl"]["score"] == 3
    assert answer["dnsbl"]["threshold"] == 2
    assert "shown.test lists it as 127.0.0.2: 3 points" in said
    assert "Its score is 3; from 2 on a client counts as listed." in said
    assert "each recipient is refused with a 550 reply" in said
    assert turned_away(postfix, "127.0.0.50")

    # Listed, but not so that a filter cares.
    answer = ctl.json("explain", "127.0.0.51")
    assert answer["outcome"] == "tested"
    assert answer["dnsbl"]["score"] == 0

    answer = ctl.json("explain", "127.0.0.80")
    assert answer["access_list"]["file"] == access
    assert answer["access_list"]["line"] == 2
    assert "%s, line 2" % access in ctl("explain", "127.0.0.80")
    assert answer["outcome"] == "tested"  # denylist_action = ignore

    answer = ctl.json("explain", "127.0.0.9")
    assert answer["outcome"] == "known"
    assert answer["cache"]["known"]
    (pregreet,) = [
        t for t in answer["cache"]["tests"] if t["test"] == "pregreet"
    ]
    assert not pregreet["due"] and pregreet["until"] > 0
    assert "The pregreet test is passed until" in ctl("explain", "127.0.0.9")

    ctl("allow", "127.0.0.50", "--note=a customer")
    answer = ctl.json("explain", "127.0.0.50")
    assert answer["outcome"] == "allowed"
    assert answer["rule"]["block"] == "127.0.0.50/32"
    assert "By hand 127.0.0.50/32 is allowed, for good: a customer." in ctl(
        "explain", "127.0.0.50"
    )

    dnsbl = {l["list"]: l for l in ctl.json("dnsbl")["lists"]}
    assert set(dnsbl) == set(lists)
    # What explain asks is not counted.
    assert dnsbl["shown.test"]["queries"] == 2
    assert dnsbl["shown.test"]["listed"] == 1
    assert dnsbl["shown.test"]["state"] == "used"
    assert 0 <= dnsbl["shown.test"]["p50_ms"] <= dnsbl["shown.test"]["p99_ms"]
    assert dnsbl["quota.test"]["error_codes"] == 1
    assert "shown.test" in ctl("dnsbl")

    # One that is silent costs its time and no more.
    server.freeze()
    began = time.monotonic()
    answer = ctl.json("explain", "127.0.0.52")
    server.thaw()
    assert time.monotonic() - began < GENEROUS_S
    assert {l["result"] for l in answer["dnsbl"]["lists"]} == {"no answer"}
    assert "has not answered within" in " ".join(answer["story"])
    ctl("explain", "127.0.0.0/8", status=2)
    assert "not an address" in ctl.stderr


def test_a_rule_outlives_who_drains(ring):
    """The process before still knows for how long it was made first."""
    postfix = ring.start(own={"doorbell_greet_wait": "60s"})
    ctl = Ctl(postfix.screener, postfix.config)
    with postfix.connect("127.0.0.5") as held:
        held.line()
        ctl("allow", "127.0.0.50", "--for", "8s")
        first = postfix.screener_pid()
        postfix.reload()
        until(lambda: not processes.is_alive(first), "the end of the first")
        with postfix.connect("127.0.0.6") as next_one:
            next_one.line()
            ctl("allow", "127.0.0.50")
            # Once this is over, so is the first one for whoever drains.
            ctl("allow", "127.0.0.51", "--for", "10s")
            assert postfix.drainers()
            until(lambda: ctl.json("rules")["total"] == 1, "the end of a rule")
            answer = ctl.json("explain", "--offline", "127.0.0.50")
            assert answer["outcome"] == "allowed"


def test_explain_knows_the_limits_of_rates(ring):
    """Also those that the access list changes for a network."""
    postfix = ring.build(
        doorbell_greet_action="enforce",
        doorbell_connection_rate_limit="6",
        doorbell_failure_rate_limit="2",
    )
    postfix.own["doorbell_access_list"] = "cidr:" + postfix.file(
        "access.cidr",
        "127.0.3.0/24 {dunno, failure_rate_limit = 3}\n",
    )
    postfix.start()
    ctl = Ctl(postfix.screener, postfix.config)

    def fail(source, times):
        for _ in range(times):
            with postfix.connect(source) as client:
                client.line()
                client.ask("EHLO too.early")

    fail("127.0.0.9", 2)
    assert ctl.json("explain", "127.0.0.9")["outcome"] == "too many failures"
    assert "sent away with a 421 reply" in ctl("explain", "127.0.0.9")
    with postfix.connect("127.0.0.9") as client:
        assert client.reply().code == 421
    fail("127.0.3.9", 2)
    answer = ctl.json("explain", "127.0.3.9")
    assert answer["outcome"] == "tested"
    assert answer["rates"]["failure_rate_limit"] == 3
    for _ in range(6):
        with postfix.connect("127.0.0.10") as client:
            client.line()
    answer = ctl.json("explain", "127.0.0.10")
    assert answer["outcome"] == "too many connections"
    with postfix.connect("127.0.0.10") as client:
        assert client.reply().code == 421


def test_explain_offline(ring):
    postfix, ctl = service(ring, doorbell_dnsbl_sites="bl.test")
    ctl("deny", "127.0.0.50")
    until(lambda: "127.0.0.9\t" in ctl("cache", "export"), "the record")
    online = ctl.json("explain", "127.0.0.50")
    assert online["rates"]["failures_an_hour"] == 0
    postfix.end()
    ctl("explain", "127.0.0.9", status=6)
    answer = ctl.json("explain", "--offline", "127.0.0.9")
    assert answer["cache"]["known"]
    assert "rates" not in answer
    answer = ctl.json("explain", "--offline", "127.0.0.50")
    assert answer["outcome"] == "denied"
    assert answer["rule"] == online["rule"]
    assert not answer["dnsbl"]["asked"]
    text = ctl("explain", "--offline", "127.0.0.50")
    assert "no question is asked offline" in text
    ctl("explain", "--offline", "nonsense", status=2)
    # Nothing at all is there.
    for name in "doorbell_cache", "doorbell_cache-lock":
        os.unlink(os.path.join(postfix.data, name))
    answer = ctl.json("explain", "--offline", "127.0.0.50")
    assert answer["outcome"] == "tested" and not answer["cache"]["known"]


def test_cache_delete_is_the_daemons(ring):
    postfix, ctl = service(ring)
    ctl("cache", "delete", "127.0.0.9")
    postfix.log.wait_for(r"control: uid 0: cache delete 127\.0\.0\.9")
    ctl("cache", "delete", "127.0.0.9", status=1)
    assert "not in the cache" in ctl.stderr
    greet(postfix, "127.0.0.9")
    until(lambda: "127.0.0.9\t" in ctl("cache", "export"), "the record")
    postfix.end()
    ctl("cache", "delete", "127.0.0.9")
    ctl("cache", "get", "127.0.0.9", status=1)


def test_explain_without_lists(ring):
    postfix, ctl = service(ring)
    assert "there are none in the configuration" in ctl("explain", "::1")
    assert ctl.json("dnsbl") == {"lists": []}
    assert "no DNS lists are asked" in ctl("dnsbl")
    # Whoever asks for more than a human can read is put off.
    path = control_path(postfix)
    said = [speak(path, b"explain 192.0.2.1\n") for _ in range(60)]
    assert said[0].startswith(b"doorbell 1 0 ")
    assert said[-1].startswith(b"doorbell 1 1 ")
    assert b"try again" in said[-1]


@pytest.mark.stops
def test_a_call_that_waits_ends_with_its_daemon(ring):
    server = ring.lists(Zone("bl.test", listed("127.0.0.50")))
    postfix, ctl = service(
        ring,
        doorbell_dnsbl_sites="bl.test",
        doorbell_dnsbl_timeout="60s",
        **ring._own
    )
    server.freeze()
    run = subprocess.Popen(
        ctl.command("explain", "127.0.0.50"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    gone = subprocess.Popen(ctl.command("explain", "127.0.0.51"))
    until(lambda: ctl.json("status")["explaining"] == 2, "both questions")
    gone.kill()
    gone.wait()
    ctl("drain")
    assert "the answer is not whole" in run.communicate(timeout=GENEROUS_S)[1]
    assert run.returncode == 1


# --- for people --------------------------------------------------------------------
def test_top(ring):
    postfix = ring.start(own={"doorbell_greet_wait": "60s"})
    ctl = Ctl(postfix.screener, postfix.config)
    with postfix.connect(source="127.0.0.3") as client:
        assert client.line() == TEASER
        answer = ctl.json("top")
        assert answer["worst"] == [
            {"block": "127.0.0.3/32", "sessions": 1, "failed": 0}
        ]
        assert answer["sessions"] == 1
        text = ctl("top", "--once")
        assert "127.0.0.3/32" in text and "greet" in text
        assert "\x1b" not in text
    # A pipe is no terminal.
    assert "\x1b" not in ctl("top")

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 8, 80, 0, 0))
    run = subprocess.Popen(ctl.command("top"), stdout=slave)
    os.close(slave)
    seen = b""
    while seen.count(b"\x1b[H\x1b[J") < 3:
        seen += os.read(master, 4096)
    # As many lines as there are, the cursor's apart.
    assert seen.split(b"\x1b[H\x1b[J")[2].count(b"\n") <= 7
    pid = ctl.json("version")["pid"]
    ctl("drain")
    until(lambda: not processes.is_alive(pid), "the end of doorbelld")
    while b"no doorbelld answers" not in seen:
        seen += os.read(master, 4096)
    run.send_signal(signal.SIGINT)
    assert run.wait(GENEROUS_S) == -signal.SIGINT
    os.close(master)
    ctl("top", "--once", status=6)


def test_bash_completes(ring):
    postfix = ring.build()
    ctl = Ctl(postfix.screener, postfix.config)

    def completed(*words):
        script = (
            'doorbellctl() { %s "$@"; }; source %s/conf/doorbellctl.bash; '
            "COMP_WORDS=(doorbellctl %s); COMP_CWORD=%d; _doorbellctl; "
            'echo "${COMPREPLY[*]}"'
            % (
                ctl.program,
                ROOT,
                " ".join("'%s'" % w for w in words),
                len(words),
            )
        )
        run = subprocess.run(
            ["bash", "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            timeout=GENEROUS_S,
            check=True,
        )
        return run.stdout.split()

    assert completed("sta") == ["status"]
    assert completed("ca") == ["cache"]
    assert completed("cache", "ex") == ["export"]
    assert set(completed("postfix", "")) == {"enable", "disable", "status"}
    assert completed("sessions", "--ph") == ["--phase"]
    assert completed("-c", postfix.config, "expl") == ["explain"]
    assert completed("-c", postfix.config[:-1]) == [postfix.config]
    with open(ROOT + "/include/ops/orders.def") as f:
        orders = re.findall(r'(?m)^ORDER\(\w+,\s*"(\S+?)[ "]', f.read())
    assert set(completed("")) == set(orders)
    assert "offenders" in orders
    assert set(completed("offenders", "--f")) == {"--format", "--for"}


def total(ctl, name):
    return ctl.json("status")["counters"][name]


def test_counters_outlive_the_process(ring):
    """One process after the other adds to the same numbers, also while the old
    one still serves its last session."""
    postfix, ctl = service(ring, doorbell_greet_action="enforce")
    assert total(ctl, "connections_total") == 1
    with postfix.connect(source="127.0.0.7") as held:
        held.send("EHLO early.test\r\n")
        assert held.line() == TEASER
        old = postfix.screener_pid()
        ctl("reload")
        until(lambda: not processes.is_alive(old), "the old process to leave")
        greet(postfix, source="127.0.0.8")
        assert postfix.screener_pid() != old
        assert total(ctl, "connections_total") == 3
        hung_up = total(ctl, "hung_up_total")
    # It was the old process's client.
    until(
        lambda: total(ctl, "hung_up_total") == hung_up + 1,
        "the hang-up to be counted",
    )
    postfix.log.expect(r"warning: process .* killed by signal 9")
    os.kill(postfix.screener_pid(), signal.SIGKILL)
    greet(postfix, source="127.0.0.6")
    assert total(ctl, "connections_total") == 4


def test_counters_without_a_place(ring):
    """Nothing to write to: they count for as long as the process lives."""
    postfix = ring.build()
    name = postfix.main["data_directory"] + "/doorbell_counters"
    os.symlink("/dev/null", name)
    postfix.start()
    greet(postfix)
    trouble = r"warning: counters: .*/doorbell_counters: .*"
    postfix.log.expect(trouble)
    postfix.log.wait_for(trouble)
    assert (
        total(Ctl(postfix.screener, postfix.config), "connections_total") == 1
    )
    assert os.path.islink(name)

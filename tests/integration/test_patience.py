# SPDX-License-Identifier: ISC
"""Different patience for different clients: rates, suspects, networks."""

import re
import subprocess
import time

import pytest

from scripts import CONNECT, DISCONNECT, GREETING, TEASER

pytestmark = pytest.mark.own

TOO_OFTEN = "NOQUEUE: reject: CONNECT from C: too many connections in a minute"
TOO_BAD = "NOQUEUE: reject: CONNECT from C: too many failed tests in an hour"


def refused_at_once(postfix, source, reply, line):
    with postfix.connect(source) as client:
        client.expect("421 4.7.0 Error: " + reply)
        assert client.end() == b""
    postfix.log.tells(client, CONNECT, line, DISCONNECT)


def test_client_that_comes_too_often_is_refused(ring):
    postfix = ring.start({"doorbell_connection_rate_limit": "3"})
    for _ in range(3):
        with postfix.connect("127.0.0.41") as client:
            assert client.line() == TEASER
    refused_at_once(
        postfix, "127.0.0.41", "too many connections in a minute", TOO_OFTEN
    )
    with postfix.connect("127.0.0.42") as other:
        assert other.line() == TEASER


def test_reload_takes_a_new_limit_and_forgets_no_client(ring):
    bell = ring.standalone(
        ring.start(), doorbell_connection_rate_limit="2"
    ).start()
    for _ in range(2):
        with bell.connect("127.0.0.41") as client:
            assert client.line() == TEASER
    refused_at_once(
        bell, "127.0.0.41", "too many connections in a minute", TOO_OFTEN
    )
    bell.main["doorbell_connection_rate_limit"] = "3"
    bell.hangup()
    bell.log.wait_for("configuration reloaded")
    with bell.connect("127.0.0.41") as client:
        assert client.line() == TEASER
    refused_at_once(
        bell, "127.0.0.41", "too many connections in a minute", TOO_OFTEN
    )


def test_client_that_fails_too_often_is_refused(ring):
    postfix = ring.start(
        {"doorbell_failure_rate_limit": "2"},
        postscreen_greet_action="drop",
    )
    for _ in range(2):
        with postfix.connect("127.0.0.41") as client:
            client.send("EHLO early\r\n")
            assert client.line() == TEASER
            assert client.line().startswith("521 ")
    refused_at_once(
        postfix, "127.0.0.41", "too many failed tests in an hour", TOO_BAD
    )
    with postfix.connect("127.0.0.42") as other:
        other.expect(TEASER, GREETING)


def test_network_has_a_limit_of_its_own(ring):
    postfix = ring.build({"doorbell_connection_rate_limit": "1"})
    postfix.main["postscreen_access_list"] = "cidr:" + postfix.file(
        "access",
        "127.0.0.64/28 { dunno, doorbell_connection_rate_limit = 2 }\n",
    )
    postfix.start()
    for source, limit in (("127.0.0.70", 2), ("127.0.0.80", 1)):
        for _ in range(limit):
            with postfix.connect(source) as client:
                assert client.line() == TEASER
        refused_at_once(
            postfix, source, "too many connections in a minute", TOO_OFTEN
        )


def test_changed_table_changes_a_limit(ring):
    """No reload is needed; a table with a bad setting is not taken up."""
    postfix = ring.build(
        postscreen_denylist_action="enforce", postscreen_greet_banner=""
    )
    name = postfix.file("access", "127.0.0.70 {reject, command_count_limit=9}")
    postfix.main["postscreen_access_list"] = "cidr:" + name
    postfix.log.expect(r"warning: .*cannot be set for a network.*")
    postfix.start()

    def commands_allowed():
        with postfix.connect("127.0.0.70") as client:
            client.expect(GREETING)
            for n in range(20):
                if client.ask("NOOP").code == 421:
                    return n
        return None

    assert commands_allowed() == 9
    postfix.file("access", "127.0.0.70 {reject, command_count_limit=2}")
    postfix.log.wait_for("doorbell_access_list: a changed table was taken up")
    assert commands_allowed() == 2
    postfix.file("access", "127.0.0.70 {reject, comand_count_limit=3}")
    postfix.log.wait_for(r"warning: .*cannot be set for a network.*")
    assert commands_allowed() == 2


def test_bad_setting_is_told_with_file_and_line(ring):
    """As a warning at the start, where the line decides nothing; as an error
    by doorbelld -t."""
    postfix = ring.build(postscreen_denylist_action="drop")
    name = postfix.file(
        "access",
        "# limits\n127.0.0.70 { reject, command_time_limit = soon }\n"
        "127.0.0.71 reject\n",
    )
    postfix.main["postscreen_access_list"] = "cidr:" + name
    complaint = (
        name + ":2: (error: )?doorbell_command_time_limit: bad time value.*"
    )
    postfix.log.expect("warning: .*" + complaint)
    postfix.start()
    with postfix.connect("127.0.0.70") as client:
        assert client.line() == TEASER
    with postfix.connect("127.0.0.71") as client:
        client.expect("521 5.3.2 Service currently unavailable")
    postfix.log.wait_for("warning: .*" + complaint)
    checked = subprocess.run(
        [postfix.screener.path, "-t", "-c", postfix.config],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 1
    assert re.search(complaint, checked.stderr), checked.stderr


def test_suspect_is_answered_a_byte_a_second(ring):
    """For three seconds; then the rest comes. Others do not wait."""
    postfix = ring.build(
        {"doorbell_suspect_stutter": "3s"},
        postscreen_access_list="inline:{127.0.0.41=reject}",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
        postscreen_pipelining_enable="yes",
    ).start()
    begun = time.monotonic()
    with postfix.connect("127.0.0.41") as suspect:
        first = suspect.socket.recv(1)
        with postfix.connect("127.0.0.42") as stranger:
            stranger.expect(GREETING)
            stranger.ask("QUIT", "221 2.0.0 Bye")
        rest = suspect.line()
        assert first.decode() + rest == GREETING
        assert time.monotonic() - begun > 2.99
        suspect.ask("NOOP", "250 2.0.0 Ok")
        suspect.ask("QUIT", "221 2.0.0 Bye")


def test_suspect_is_answered_late(ring):
    postfix = ring.build(
        {"doorbell_suspect_reply_delay": "1s"},
        postscreen_access_list="inline:{127.0.0.41=reject}",
        postscreen_denylist_action="enforce",
        postscreen_greet_banner="",
    ).start()
    with postfix.connect("127.0.0.41") as suspect:
        suspect.expect(GREETING)
        begun = time.monotonic()
        suspect.ask("NOOP", "250 2.0.0 Ok")
        assert time.monotonic() - begun > 0.99
        # The reply is held back when the client goes: that is seen.
        suspect.send("NOOP\r\n")
    postfix.log.wait_for("DISCONNECT " + re.escape(suspect.me))
    postfix.log.tells(
        suspect,
        CONNECT,
        "DENYLISTED C",
        postfix.screener.hangup("after"),
        DISCONNECT,
    )

# SPDX-License-Identifier: ISC
"""Different patience for different clients: rates, suspects, networks."""

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

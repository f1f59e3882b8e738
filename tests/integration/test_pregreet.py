# SPDX-License-Identifier: ISC
"""Clients that talk, or go, before the greeting."""

import pytest

from scripts import CONNECT, DISCONNECT, GREETING, PASS_NEW, TEASER

EARLY = (12, r"EHLO early\r\n")


def test_ignored_early_talker_reaches_smtpd_with_its_bytes(ring):
    postfix = ring.start(postscreen_greet_action="ignore")
    with postfix.connect() as client:
        assert client.line() == TEASER
        client.send("EHLO early\r\n")
        client.expect(GREETING)
        ehlo = client.reply()
        assert ehlo.lines[0] == "250-mx.example.test"
        assert "250-PIPELINING" in ehlo.lines, "this is not smtpd"
        client.deliver(subject="early")
    postfix.log.tells(client, CONNECT, ring.screener.pregreet(EARLY))
    postfix.wait_for_mail("early")


def test_ignored_early_talker_waits_again_on_every_visit(ring):
    postfix = ring.start(postscreen_greet_action="ignore")
    for visit in range(2):
        with postfix.connect() as client:
            assert client.line() == TEASER
            client.send("EHLO early\r\n")
            client.expect(GREETING)
            client.reply()
            client.deliver(subject="visit %d" % visit)
        postfix.log.tells(client, CONNECT, ring.screener.pregreet(EARLY))


def test_enforced_early_talker_is_refused_with_what_it_wanted(ring):
    postfix = ring.start(postscreen_greet_action="enforce")
    with postfix.connect() as client:
        assert client.line() == TEASER
        client.send("EHLO early\r\n")
        # The greeting ends at once, and there is no 220 for such a client.
        ehlo = client.reply()
        assert ehlo.lines[0] == "250-mx.example.test"
        assert "250-PIPELINING" not in ehlo.lines, "this is smtpd"
        client.ask("MAIL FROM:<a@bot.test>", "250 2.1.0 Ok")
        client.ask("RCPT TO:<b@example.test>", "550 5.5.1 Protocol error")
        client.ask("QUIT", "221 2.0.0 Bye")
        assert client.end() == b""
    postfix.log.tells(
        client,
        CONNECT,
        ring.screener.pregreet(EARLY),
        "NOQUEUE: reject: RCPT from C: 550 5.5.1 Protocol error; "
        "from=<a@bot.test>, to=<b@example.test>, proto=ESMTP, helo=<early>",
        DISCONNECT,
    )
    assert postfix.inbox() == []


def test_dropped_early_talker_hears_521_at_once(ring):
    postfix = ring.start(
        postscreen_greet_action="drop", postscreen_greet_wait="8s"
    )
    with postfix.connect() as client:
        assert client.line() == TEASER
        client.send("EHLO early\r\n")
        client.expect("521 5.5.1 Protocol error")
        assert client.end() == b""
        assert client.age() < 5
    postfix.log.tells(
        client, CONNECT, ring.screener.pregreet(EARLY), DISCONNECT
    )


def test_early_talker_is_no_stranger_to_punish_for_ever(ring):
    """A failed test is not remembered: who behaves next time passes."""
    postfix = ring.start(postscreen_greet_action="drop")
    with postfix.connect() as client:
        assert client.line() == TEASER
        client.send("EHLO early\r\n")
        client.expect("521 5.5.1 Protocol error")
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
        client.deliver()
    postfix.log.tells(client, CONNECT, PASS_NEW)


@pytest.mark.parametrize(
    "name,sent,logged",
    [
        (
            "controls",
            b'\x16\x03\x01\0\x7f\xe9 \t\\"\a\b\f\v\r\n',
            (16, r'\026\003\001\000\177\351 \t\\"\a\b\f\v\r\n'),
        ),
        ("cut after the escapes", b"\0" * 40, (40, r"\000" * 25)),
        (
            "cut within an escape",
            b"abc" + b"\0" * 40,
            (43, "abc" + r"\000" * 24 + "\\"),
        ),
        ("no more than 1023 bytes", b"x" * 1500, (1023, "x" * 100)),
    ],
    ids=lambda v: v.replace(" ", "-") if isinstance(v, str) else "",
)
def test_early_talk_is_logged_escaped_and_cut(ring, name, sent, logged):
    postfix = ring.start(postscreen_greet_action="drop")
    with postfix.connect() as client:
        assert client.line() == TEASER
        client.send(sent)
        client.expect("521 5.5.1 Protocol error")
    postfix.log.tells(
        client, CONNECT, ring.screener.pregreet(logged), DISCONNECT
    )


def test_talk_before_the_teaser_is_early_too(ring):
    """The bytes may arrive with the connection."""
    postfix = ring.start(postscreen_greet_action="drop")
    with postfix.connect() as client:
        client.send("EHLO early\r\n")
        client.expect(TEASER, "521 5.5.1 Protocol error")
    postfix.log.tells(
        client, CONNECT, ring.screener.pregreet(EARLY), DISCONNECT
    )


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_hangup_before_greeting_is_logged_and_passes_nobody(ring, how):
    postfix = ring.start()
    client = postfix.connect()
    assert client.line() == TEASER
    getattr(client, how)()
    postfix.log.tells(
        client, CONNECT, ring.screener.hangup("before"), DISCONNECT
    )
    client.close()
    with postfix.connect() as client:
        client.expect(TEASER, GREETING)
    postfix.log.tells(client, CONNECT, PASS_NEW)


def test_empty_banner_turns_teaser_and_test_off(ring):
    postfix = ring.start(
        postscreen_greet_banner="",
        postscreen_greet_action="drop",
        postscreen_greet_wait="8s",
    )
    with postfix.connect() as client:
        client.send("EHLO early\r\n")
        client.expect(GREETING)
        assert client.reply().lines[0] == "250-mx.example.test"
        assert client.age() < 5
        client.deliver()
    # With no test at all there is nothing to pass.
    postfix.log.tells(client, CONNECT)
    postfix.wait_for_mail()


def test_own_banner_is_the_teaser(ring):
    postfix = ring.start(postscreen_greet_banner="wait a moment, please")
    with postfix.connect() as client:
        client.expect("220-wait a moment, please", GREETING)


def test_greet_wait_is_as_long_as_configured(ring):
    wait = 3
    postfix = ring.start(postscreen_greet_wait="%ds" % wait)
    with postfix.connect() as client:
        assert client.line() == TEASER
        begun = client.age()
        assert client.line(timeout=wait + 10) == GREETING
        waited = client.age() - begun
    assert wait - ring.screener.inexact - 0.05 <= waited

# SPDX-License-Identifier: ISC
"""What a refused client hears, command by command, and what is logged."""

import re

import pytest

from scripts import CONNECT, DISCONNECT, GREETING, noqueue, refused

DENIED = "DENYLISTED C"
REFUSAL = "550 5.3.2 Service currently unavailable"
NAME = "mx.example.test"
EHLO = [
    "250-" + NAME,
    "250-SIZE 10240000",
    "250-VRFY",
    "250-ETRN",
    "250-ENHANCEDSTATUSCODES",
    "250-8BITMIME",
    "250-DSN",
    "250-SMTPUTF8",
    "250 CHUNKING",
]
UNKNOWN = "502 5.5.2 Error: command not recognized"
LIMIT = "421 %s Service unavailable - try again later" % NAME


def denied(ring, **main):
    """Everyone is refused, and nobody waits."""
    return ring.start(
        **dict(
            {
                "postscreen_access_list": "static:reject",
                "postscreen_denylist_action": "enforce",
                "postscreen_greet_banner": "",
                "postscreen_non_smtp_command_action": "ignore",
                "postscreen_command_count_limit": "1000",
            },
            **main
        )
    )


def talk(client, script):
    """Say each command and hear exactly its reply."""
    for command, reply in script:
        client.ask(command, *(reply if isinstance(reply, list) else [reply]))


def reject(
    reply=REFUSAL,
    sender="a@b.test",
    recipient="c@d.test",
    proto="SMTP",
    helo="",
):
    return (
        "NOQUEUE: reject: RCPT from C: %s; from=<%s>, to=<%s>, proto=%s, "
        "helo=<%s>" % (reply, sender, recipient, proto, helo)
    )


def test_whole_dialogue(ring):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        refused(client, REFUSAL)
    postfix.log.tells(client, CONNECT, DENIED, noqueue(REFUSAL), DISCONNECT)


SCRIPTS = {
    "hello": [
        ("HELO", "501 Syntax: HELO hostname"),
        ("EHLO", "501 Syntax: EHLO hostname"),
        ("HELO a", "250 " + NAME),
        ("HELO a b c", "250 " + NAME),
        ("ehlo a", EHLO),
        ("  EhLo   a", EHLO),
    ],
    "mail": [
        ("RCPT TO:<c@d.test>", "503 5.5.1 Error: need MAIL command"),
        ("MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM <a@b.test>", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM:<a@b.test> SIZE=99999999999 NONSENSE=1", "250 2.1.0 Ok"),
        ("MAIL FROM:<a@b.test>", "503 5.5.1 Error: nested MAIL command"),
        ("RCPT", "501 5.5.4 Syntax: RCPT TO:<address>"),
        ("RSET", "250 2.0.0 Ok"),
        ("MAIL FROM:<>", "250 2.1.0 Ok"),
        ("HELO again", "250 " + NAME),
        ("MAIL FROM:<a@b.test>", "250 2.1.0 Ok"),
        ("EHLO again", EHLO),
        ("MAIL FROM:<a@b.test>", "250 2.1.0 Ok"),
    ],
    "small ones": [
        ("NOOP", "250 2.0.0 Ok"),
        ("NOOP with words", "250 2.0.0 Ok"),
        ("RSET", "250 2.0.0 Ok"),
        ("VRFY", "501 5.5.4 Syntax: VRFY address"),
        ("VRFY root", REFUSAL),
        ("ETRN", "500 Syntax: ETRN domain"),
        ("ETRN d.test", "458 Unable to queue messages"),
        ("STARTTLS", "502 5.5.1 Error: command not implemented"),
    ],
    "unknown": [
        (word, UNKNOWN)
        for word in (
            "HELP",
            "EXPN list",
            "AUTH PLAIN",
            "XCLIENT NAME=x",
            "XFORWARD NAME=x",
            "TURN",
            "",
            "NOOP\tNOOP",
            "FOO bar",
            "QUITT",
            "Q",
        )
    ],
}


@pytest.mark.parametrize("name", SCRIPTS, ids=lambda n: n.replace(" ", "-"))
def test_replies(ring, name):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, SCRIPTS[name])
        client.ask("QUIT now", "221 2.0.0 Bye")
        assert client.end() == b""
    postfix.log.tells(client, CONNECT, DENIED, DISCONNECT)


@pytest.mark.parametrize(
    "script,logged",
    [
        ([("DATA", "503 5.5.1 Error: need RCPT command")], "DATA"),
        ([("DATA now", "501 5.5.4 Syntax: DATA")], "DATA"),
        (
            [
                ("MAIL FROM:<a@b.test>", "250 2.1.0 Ok"),
                ("DATA", "554 5.5.1 Error: no valid recipients"),
            ],
            "DATA",
        ),
        ([("BDAT", "501 5.5.4 Syntax: BDAT count [LAST]")], "BDAT"),
        ([("BDAT 10 LAST", "554 5.5.1 Error: need MAIL command")], "BDAT"),
        (
            [
                ("MAIL FROM:<a@b.test>", "250 2.1.0 Ok"),
                ("BDAT 10", "554 5.5.1 Error: no valid recipients"),
            ],
            "BDAT",
        ),
    ],
    ids=[
        "data-first",
        "data-argument",
        "data",
        "bdat-argument",
        "bdat-first",
        "bdat",
    ],
)
def test_data_ends_the_session(ring, script, logged):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, script)
        assert client.end() == b""
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        logged + " without valid RCPT from C",
        DISCONNECT,
    )


def test_rejects_are_logged_with_helo_from_to_and_proto(ring):
    postfix = denied(ring)
    cases = [
        # sent: MAIL argument, RCPT argument; logged: sender, recipient
        ("FROM:<a@b.test>", "TO:<c@d.test>", "a@b.test", "c@d.test"),
        ("FROM:<>", "TO:<postmaster>", "", "postmaster"),
        ("FROM:a@b.test", "TO:c@d.test", "a@b.test", "c@d.test"),
        (
            "FROM: <a@b.test> BODY=8BITMIME",
            "TO:<@x,@y:c@d.test>",
            "a@b.test",
            "c@d.test",
        ),
        (
            'FROM:<"a b"@b.test>',
            'TO:<"c\\d"@d.test>',
            '"a b"@b.test',
            "cd@d.test",
        ),
        ("FROM:<a@b.test>", "TO:", "a@b.test", ""),
        ("FROM:<a@b.test>", "NOTIFY:x", "a@b.test", "x"),
    ]
    expected = [CONNECT, DENIED]
    with postfix.connect() as client:
        client.expect(GREETING)
        for sent_from, sent_to, sender, recipient in cases:
            client.ask("RSET", "250 2.0.0 Ok")
            client.ask("MAIL " + sent_from, "250 2.1.0 Ok")
            client.ask("RCPT " + sent_to, REFUSAL)
            expected.append(reject(sender=sender, recipient=recipient))
        client.ask("HELO one", "250 " + NAME)
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        client.ask("RCPT TO:<c@d.test>", REFUSAL)
        expected.append(reject(helo="one"))
        client.ask("EHLO x>,y=<z", *EHLO)
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        client.ask("RCPT TO:<c@d.test>", REFUSAL)
        client.ask("RCPT TO:<e@d.test>", REFUSAL)
        helo = ring.screener.helo("x>,y=<z")
        expected.append(reject(proto="ESMTP", helo=helo))
        expected.append(reject(proto="ESMTP", helo=helo, recipient="e@d.test"))
        # ESMTP once, ESMTP for ever.
        client.ask("HELO one", "250 " + NAME)
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        client.ask("RCPT TO:<c@d.test>", REFUSAL)
        expected.append(reject(proto="ESMTP", helo="one"))
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.tells(client, *expected, DISCONNECT)


def test_soft_bounce_turns_every_refusal_soft(ring):
    postfix = denied(ring, soft_bounce="yes")
    soft = "450 4.3.2 Service currently unavailable"
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("FOO", "402 4.5.2 Error: command not recognized"),
                ("HELO", "401 Syntax: HELO hostname"),
            ],
        )
        refused(client, soft)
    postfix.log.tells(client, CONNECT, DENIED, noqueue(soft), DISCONNECT)


def test_soft_bounce_of_a_drop(ring):
    postfix = denied(
        ring, soft_bounce="yes", postscreen_denylist_action="drop"
    )
    with postfix.connect() as client:
        client.expect("421 4.3.2 Service currently unavailable")
        assert client.end() == b""
    postfix.log.tells(client, CONNECT, DENIED, DISCONNECT)


def test_helo_required(ring):
    postfix = denied(ring, postscreen_helo_required="yes")
    first = "503 5.5.1 Error: send HELO/EHLO first"
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("MAIL FROM:<a@b.test>", first),
                ("ETRN d.test", first),
                ("HELO a", "250 " + NAME),
                ("MAIL FROM:<a@b.test>", "250 2.1.0 Ok"),
            ],
        )


def test_disabled_vrfy_is_neither_announced_nor_answered(ring):
    postfix = denied(ring, disable_vrfy_command="yes")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("VRFY root", "502 5.5.1 VRFY command is disabled"),
                ("EHLO a", [line for line in EHLO if line != "250-VRFY"]),
            ],
        )


def test_announced_size_and_utf8_follow_the_configuration(ring):
    postfix = denied(ring, message_size_limit="0", smtputf8_enable="no")
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask(
            "EHLO a",
            *[
                "250-SIZE" if line.startswith("250-SIZE") else line
                for line in EHLO
                if line != "250-SMTPUTF8"
            ]
        )


def test_command_count_limit(ring):
    postfix = denied(ring, postscreen_command_count_limit="3")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(
            client,
            [
                ("NOOP", "250 2.0.0 Ok"),
                ("FOO", UNKNOWN),
                ("HELO a", "250 " + NAME),
                ("NOOP", LIMIT),
            ],
        )
        assert client.end() == b""
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        "COMMAND COUNT LIMIT from C after HELO",
        DISCONNECT,
    )


def test_quit_is_beyond_the_count_limit(ring):
    postfix = denied(ring, postscreen_command_count_limit="1")
    with postfix.connect() as client:
        client.expect(GREETING)
        talk(client, [("NOOP", "250 2.0.0 Ok"), ("QUIT", "221 2.0.0 Bye")])
    postfix.log.tells(client, CONNECT, DENIED, DISCONNECT)


def test_command_length_limit(ring):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("NOOP", "250 2.0.0 Ok")
        client.send(b"x" * 5000)
        client.expect(LIMIT)
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        "COMMAND LENGTH LIMIT from C after NOOP",
        DISCONNECT,
    )


@pytest.mark.own
@pytest.mark.parametrize("length,fits", [(2046, True), (2047, False)])
def test_command_length_limit_is_exact(ring, length, fits):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        command = "NOOP " + "x" * (length - 5)
        client.ask(command, "250 2.0.0 Ok" if fits else LIMIT)


def test_command_time_limit_is_for_the_whole_line(ring):
    """Bytes that trickle in do not restart it."""
    postfix = denied(ring, postscreen_command_time_limit="3s")
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("EHLO slow", *EHLO)
        begun = client.age()
        for byte in "NOOP" + "x" * 400:
            if not client.silent():
                break
            client.send(byte)
            client.pause(0.1)
        client.expect("421 4.4.2 %s Error: timeout exceeded" % NAME)
        assert client.end() == b""
        assert 1.9 < client.age() - begun < 10
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        "COMMAND TIME LIMIT from C after EHLO",
        DISCONNECT,
    )


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_hangup_after_the_greeting_is_logged(ring, how):
    postfix = denied(ring)
    client = postfix.connect()
    client.expect(GREETING)
    client.ask("NOOP", "250 2.0.0 Ok")
    getattr(client, how)()
    postfix.log.tells(
        client, CONNECT, DENIED, ring.screener.hangup("after"), DISCONNECT
    )
    client.close()


def test_line_that_the_half_closed_client_left_is_answered(ring):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        client.send("NOOP\r\n")
        client.half_close()
        client.expect("250 2.0.0 Ok")
        assert client.end() == b""


def test_text_behind_a_nul_is_dropped(ring):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("NOOP\0garbage", "250 2.0.0 Ok")


def test_client_text_cannot_break_the_log(ring):
    postfix = denied(ring)
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("HELO a\x01b\x7fc\x1b[31m", "250 " + NAME)
        client.ask("MAIL FROM:<a@b.test>", "250 2.1.0 Ok")
        client.ask("RCPT TO:<c\td@d.test>", REFUSAL)
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        re.compile(
            re.escape(reject(helo="a?b?c?[31m", recipient="@@")).replace(
                "@@", r"\S+"
            )
        ),
        DISCONNECT,
    )


# --- the tests behind the greeting, which are on for whoever has failed -------
def test_pipelining_is_noticed_and_becomes_the_reason(ring):
    postfix = denied(ring)
    fault = "550 5.5.1 Protocol error"
    with postfix.connect() as client:
        client.expect(GREETING)
        client.send(
            "Helo bot.test\r\nMAIL FROM:<a@b.test>\r\n"
            "RCPT TO:<c@d.test>\r\n"
        )
        client.expect("250 " + NAME)
        client.expect("250 2.1.0 Ok")
        client.expect(fault)
        client.ask("QUIT", "221 2.0.0 Bye")
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        r"COMMAND PIPELINING from C after Helo: MAIL FROM:<a@b.test>\r\n"
        r"RCPT TO:<c@d.test>\r\n",
        reject(fault, helo="bot.test"),
        DISCONNECT,
    )


@pytest.mark.parametrize(
    "sent,logged",
    [
        ("GET / HTTP/1.1", "GET / HTTP/1.1"),
        ("post /x", "post /x"),
        ("Subject: hello there", "Subject: hello there"),
        ("CONNECT", "CONNECT "),
        ("\x16\x03\x01", "??? "),
        ("1 2", "1 2"),
    ],
    ids=["get", "post", "header", "connect", "tls", "digit"],
)
def test_non_smtp_command_is_dropped(ring, sent, logged):
    postfix = denied(ring, postscreen_non_smtp_command_action="drop")
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("HELO a", "250 " + NAME)
        client.ask(sent, "521 5.7.0 Error: I can break rules, too. Goodbye.")
        assert client.end() == b""
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        "NON-SMTP COMMAND from C after HELO: " + logged,
        DISCONNECT,
    )


def test_non_smtp_command_is_enforced(ring):
    postfix = denied(ring, postscreen_non_smtp_command_action="enforce")
    with postfix.connect() as client:
        client.expect(GREETING)
        client.ask("GET /", UNKNOWN)
        refused(client, "550 5.5.1 Protocol error")
    postfix.log.tells(
        client,
        CONNECT,
        DENIED,
        "NON-SMTP COMMAND from C after CONNECT: GET /",
        noqueue("550 5.5.1 Protocol error"),
        DISCONNECT,
    )


@pytest.mark.parametrize("action", ["ignore", "enforce", "drop"])
def test_bare_newline(ring, action):
    postfix = denied(ring, postscreen_bare_newline_action=action)
    story = [CONNECT, DENIED, "BARE NEWLINE from C after NOOP bare"]
    with postfix.connect() as client:
        client.expect(GREETING)
        client.send("NOOP bare\n")
        if action == "drop":
            client.expect("521 5.5.1 Protocol error")
            assert client.end() == b""
        else:
            reply = (
                REFUSAL if action == "ignore" else "550 5.5.1 Protocol error"
            )
            client.expect("250 2.0.0 Ok")
            refused(client, reply)
            story.append(noqueue(reply))
    postfix.log.tells(client, *story, DISCONNECT)
